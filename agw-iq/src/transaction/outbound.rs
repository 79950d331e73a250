//! Our own requests (H.248.1 Annex D.1.2 to D.1.5): numbered, repeated over UDP with growing pauses, given up after a bound.
//!
//! `Pending` puts the next repetition off. Over TCP nothing is repeated, only the bound holds (Annex D.2.3). Each request carries a tag that
//! says what it was for and comes back with its end.

use super::MAX_TRANSACTION_ID;
use crate::ast::TransactionId;
use crate::random::Random;
use crate::transport::udp::{DelayEstimate, RetransmissionLimits};
use crate::transport::{MessageBytes, Now, Peer};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The most peers whose delay is remembered.
const MAX_ESTIMATES: usize = 64;

/// A request on its way.
#[derive(Debug)]
struct Sent<T> {
    to: Peer,
    message: MessageBytes,
    first_sent: Now,
    sends: u32,
    pendings: u32,
    timer: Now,
    tag: T,
}

/// How a request ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answered<T> {
    /// What it was for.
    pub(crate) tag: T,
    /// From the first sending.
    pub(crate) after: std::time::Duration,
    /// It was answered `Pending` before, so the reply must be acknowledged at once (Annex D.1.4).
    pub(crate) was_pending: bool,
}

/// What a timer brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expired<T> {
    /// Send this again.
    Repeat(Peer, MessageBytes),
    /// No answer came: the peer is gone.
    GivenUp(TransactionId, Peer, T),
}

/// All requests that are not answered.
#[derive(Debug)]
pub(crate) struct Outbound<T> {
    limits: RetransmissionLimits,
    next_id: TransactionId,
    sent: BTreeMap<TransactionId, Sent<T>>,
    timers: BTreeSet<(Now, TransactionId)>,
    estimates: BTreeMap<IpAddr, DelayEstimate>,
}

impl<T> Outbound<T> {
    /// Nothing sent. `first_id` should differ from run to run: a peer remembers identifiers of the run before.
    pub(crate) fn new(limits: RetransmissionLimits, first_id: TransactionId) -> Self {
        let next_id = first_id.clamp(1, MAX_TRANSACTION_ID);
        Self { limits, next_id, sent: BTreeMap::new(), timers: BTreeSet::new(), estimates: BTreeMap::new() }
    }

    /// The identifier for the next request.
    pub(crate) fn take_id(&mut self) -> TransactionId {
        loop {
            let id = self.next_id;
            self.next_id = if id >= MAX_TRANSACTION_ID { 1 } else { id + 1 };
            if !self.sent.contains_key(&id) {
                return id;
            }
        }
    }

    /// How many are not answered.
    pub(crate) fn len(&self) -> usize {
        self.sent.len()
    }

    /// Whether all are answered.
    pub(crate) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    /// The message has been sent for the first time.
    pub(crate) fn sent(
        &mut self,
        now: Now,
        id: TransactionId,
        to: Peer,
        message: MessageBytes,
        tag: T,
        random: &mut Random,
    ) {
        let wait = if to.link.is_reliable() {
            self.limits.give_up_after
        } else {
            self.estimate(to).timer(&self.limits, 1, random)
        };
        let timer = now + wait;
        self.timers.insert((timer, id));
        self.sent.insert(id, Sent { to, message, first_sent: now, sends: 1, pendings: 0, timer, tag });
    }

    /// A reply has come; `None` when nothing was asked under this number of that peer.
    pub(crate) fn answered(&mut self, now: Now, id: TransactionId, from: IpAddr) -> Option<Answered<T>> {
        self.sent.get(&id).filter(|sent| is_from(sent.to, from))?;
        let sent = self.take(id)?;
        let after = now.saturating_sub(sent.first_sent);
        if sent.sends == 1 && sent.pendings == 0 {
            self.learn(from, after);
        }
        Some(Answered { tag: sent.tag, after, was_pending: sent.pendings > 0 })
    }

    /// `Pending` has come. Returns how often it came for this request, 0 when nothing was asked.
    pub(crate) fn pending(&mut self, now: Now, id: TransactionId, from: IpAddr) -> u32 {
        let Some(sent) = self.sent.get_mut(&id).filter(|sent| is_from(sent.to, from)) else { return 0 };
        sent.pendings += 1;
        let limit = sent.first_sent + self.limits.give_up_after;
        let timer = (now + self.limits.after_pending).min(limit.max(now));
        self.timers.remove(&(sent.timer, id));
        self.timers.insert((timer, id));
        sent.timer = timer;
        sent.pendings
    }

    /// Forgets a request; its tag.
    pub(crate) fn abandon(&mut self, id: TransactionId) -> Option<T> {
        self.take(id).map(|sent| sent.tag)
    }

    /// Forgets all requests to peers that match; their identifiers and tags.
    pub(crate) fn abandon_all(&mut self, matches: impl Fn(&Peer) -> bool) -> Vec<(TransactionId, T)> {
        let ids: Vec<_> = self.sent.iter().filter(|(_, sent)| matches(&sent.to)).map(|(id, _)| *id).collect();
        ids.into_iter().filter_map(|id| self.abandon(id).map(|tag| (id, tag))).collect()
    }

    /// When [`Outbound::expire`] has something to say.
    pub(crate) fn next_timer(&self) -> Option<Now> {
        self.timers.first().map(|(timer, _)| *timer)
    }

    /// What a timer that has run out brings; call until `None`.
    pub(crate) fn expire(&mut self, now: Now, random: &mut Random) -> Option<Expired<T>> {
        let (_, id) = self.timers.first().copied().filter(|(timer, _)| *timer <= now)?;
        let sent = self.sent.get(&id)?;
        let too_old = now >= sent.first_sent + self.limits.give_up_after;
        if sent.to.link.is_reliable() || too_old || sent.sends >= self.limits.max_sends {
            let sent = self.take(id)?;
            return Some(Expired::GivenUp(id, sent.to, sent.tag));
        }
        let wait = self.estimate(sent.to).timer(&self.limits, sent.sends + 1, random);
        let sent = self.sent.get_mut(&id)?;
        self.timers.remove(&(sent.timer, id));
        sent.sends += 1;
        sent.timer = now + wait;
        self.timers.insert((sent.timer, id));
        Some(Expired::Repeat(sent.to, sent.message.clone()))
    }

    fn take(&mut self, id: TransactionId) -> Option<Sent<T>> {
        let sent = self.sent.remove(&id)?;
        self.timers.remove(&(sent.timer, id));
        Some(sent)
    }

    fn estimate(&self, to: Peer) -> DelayEstimate {
        self.estimates.get(&to.address.ip().to_canonical()).copied().unwrap_or_default()
    }

    fn learn(&mut self, from: IpAddr, delay: std::time::Duration) {
        let from = from.to_canonical();
        if self.estimates.len() < MAX_ESTIMATES || self.estimates.contains_key(&from) {
            self.estimates.entry(from).or_default().measured(delay);
        }
    }
}

/// Whether an answer comes from the host that was asked. IPv4 written as IPv6 is looked through.
fn is_from(asked: Peer, from: IpAddr) -> bool {
    asked.address.ip().to_canonical() == from.to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::ConnectionId;
    use std::time::Duration;

    const START: Now = Duration::from_secs(100);

    fn peer() -> Peer {
        Peer::udp(([192, 0, 2, 1], 2944).into())
    }

    fn message() -> MessageBytes {
        MessageBytes::copy_of(b"T")
    }

    /// Runs timers until the request is given up; how often it was repeated, and when it ended.
    fn run_out(outbound: &mut Outbound<&'static str>, random: &mut Random) -> (u32, Now) {
        let mut repeats = 0;
        while let Some(now) = outbound.next_timer() {
            match outbound.expire(now, random) {
                Some(Expired::Repeat(..)) => repeats += 1,
                Some(Expired::GivenUp(..)) => return (repeats, now),
                None => panic!("a timer that is due does something"),
            }
        }
        panic!("never given up");
    }

    #[test]
    fn an_unanswered_request_is_repeated_and_given_up() {
        let mut random = Random::new(3);
        let mut outbound = Outbound::new(RetransmissionLimits::default(), 10);
        let id = outbound.take_id();
        outbound.sent(START, id, peer(), message(), "restart", &mut random);
        let (repeats, ended) = run_out(&mut outbound, &mut random);
        assert_eq!(repeats, 7);
        assert!(ended - START < Duration::from_secs(26), "{:?}", ended - START);
        assert!(outbound.is_empty() && outbound.next_timer().is_none());
    }

    #[test]
    fn a_reply_from_the_peer_ends_it_and_one_from_a_stranger_does_not() {
        let mut random = Random::new(3);
        let mut outbound = Outbound::new(RetransmissionLimits::default(), 10);
        let id = outbound.take_id();
        outbound.sent(START, id, peer(), message(), "notify", &mut random);
        let stranger = [198, 51, 100, 1].into();
        assert!(outbound.answered(START, id, stranger).is_none());
        let end =
            outbound.answered(START + Duration::from_millis(30), id, peer().address.ip()).expect("asked");
        assert_eq!((end.tag, end.after, end.was_pending), ("notify", Duration::from_millis(30), false));
        assert!(outbound.answered(START, id, peer().address.ip()).is_none(), "only once");
        assert_eq!(outbound.next_timer(), None);
    }

    #[test]
    fn pending_puts_repetition_off_but_not_for_ever() {
        let mut random = Random::new(3);
        let mut outbound = Outbound::new(RetransmissionLimits::default(), 10);
        let id = outbound.take_id();
        outbound.sent(START, id, peer(), message(), "notify", &mut random);
        assert_eq!(outbound.pending(START, id, peer().address.ip()), 1);
        assert_eq!(outbound.next_timer(), Some(START + Duration::from_secs(5)));
        let late = START + Duration::from_secs(24);
        assert_eq!(outbound.pending(late, id, peer().address.ip()), 2);
        assert_eq!(outbound.next_timer(), Some(START + Duration::from_secs(25)));
        let (repeats, _) = run_out(&mut outbound, &mut random);
        assert_eq!(repeats, 0);
    }

    #[test]
    fn nothing_is_repeated_over_tcp() {
        let mut random = Random::new(3);
        let mut outbound = Outbound::new(RetransmissionLimits::default(), 10);
        let id = outbound.take_id();
        let to = Peer::tcp(ConnectionId(1), ([192, 0, 2, 1], 2944).into());
        outbound.sent(START, id, to, message(), "restart", &mut random);
        assert_eq!(run_out(&mut outbound, &mut random), (0, START + Duration::from_secs(25)));
    }

    #[test]
    fn identifiers_wrap_round_the_reserved_ones_and_past_those_in_use() {
        let mut random = Random::new(3);
        let mut outbound = Outbound::new(RetransmissionLimits::default(), MAX_TRANSACTION_ID);
        assert_eq!(outbound.take_id(), MAX_TRANSACTION_ID);
        outbound.sent(START, 1, peer(), message(), "x", &mut random);
        assert_eq!(outbound.take_id(), 2);
        assert_eq!(outbound.abandon_all(|to| to.address.port() == 2944), [(1, "x")]);
    }
}
