//! Requests that wait for their turn, the urgent ones first (H.248.1 section 6.1.1, TS 23.334 clause 5.14).
//!
//! When more comes than can be executed at once, emergencies go first, then by priority of the context. Three things bound that. What one
//! context is told stays in order: an urgent request lends its urgency to those before it that concern the same context. Every
//! [`FAIR_TURN`]th turn is that of the oldest request, so nobody starves. And there is a most of requests that wait: above it new ones are
//! answered with error 511, the last places being for the urgent.

use super::messages::Manner;
use crate::ast::{ActionRequest, Command, ContextId, TransactionRequest};
use crate::transaction::inbound::Key;
use crate::transport::Now;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// The most requests that wait.
pub(crate) const MAX_WAITING_REQUESTS: usize = 1024;
/// The places of those that only urgent requests may take.
const URGENT_PLACES: usize = MAX_WAITING_REQUESTS / 16;
/// How often the oldest request has its turn whatever its urgency.
const FAIR_TURN: u32 = 8;

/// How urgent a request is: that of its most urgent context. An emergency is above every priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Urgency(pub(crate) u8);

impl Urgency {
    /// Above every priority, which is 0 to 15.
    pub(crate) const EMERGENCY: Self = Self(16);
}

/// A request in the queue.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) manner: Manner,
    pub(super) request: TransactionRequest,
    pub(super) came: Now,
    concerns: Concerns,
}

impl Waiting {
    pub(super) fn new(manner: Manner, request: TransactionRequest, came: Now) -> Self {
        let concerns = Concerns::of(&request.actions);
        Self { manner, request, came, concerns }
    }
}

/// Which contexts a request concerns; no other may pass it that concerns one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Concerns {
    Everything,
    These(Vec<u32>),
}

impl Concerns {
    fn of(actions: &[ActionRequest]) -> Self {
        let mut contexts = Vec::new();
        for action in actions {
            let only_reads = action.commands.iter().all(|command| {
                matches!(command.command, Command::AuditValue(_) | Command::AuditCapability(_))
            });
            match action.context {
                // A Move takes its termination from a context that it does not name.
                _ if action.commands.iter().any(|command| matches!(command.command, Command::Move(_))) => {
                    return Self::Everything;
                }
                ContextId::All => return Self::Everything,
                ContextId::Null if !only_reads => return Self::Everything,
                ContextId::Null | ContextId::Choose => {}
                ContextId::Id(context) => contexts.push(context),
            }
        }
        Self::These(contexts)
    }

    fn meets(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Everything, _) | (_, Self::Everything) => true,
            (Self::These(mine), Self::These(others)) => mine.iter().any(|context| others.contains(context)),
        }
    }
}

/// The place of a request: by urgency, then by age.
type Place = (Reverse<Urgency>, u64);

/// The requests that wait.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: BTreeMap<Place, Waiting>,
    by_age: BTreeMap<u64, Urgency>,
    next: u64,
    turns: u32,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether a request of this urgency, from which point on a request is urgent, still has a place.
    pub(super) fn has_room(&self, urgent: bool) -> bool {
        self.waiting.len() + if urgent { 0 } else { URGENT_PLACES } < MAX_WAITING_REQUESTS
    }

    /// How the request of this key wants to be answered, if it waits here.
    pub(super) fn manner_of(&self, key: Key) -> Option<Manner> {
        let found = self.waiting.values().find(|waiting| (waiting.manner.peer, waiting.request.id) == key);
        found.map(|waiting| waiting.manner)
    }

    pub(super) fn push(&mut self, urgency: Urgency, waiting: Waiting) {
        let age = self.next;
        self.next += 1;
        self.lend(urgency, age, &waiting.concerns);
        self.by_age.insert(age, urgency);
        self.waiting.insert((Reverse(urgency), age), waiting);
    }

    /// Those before `age` that concern the same contexts get this urgency, and those before them in turn.
    fn lend(&mut self, urgency: Urgency, age: u64, concerns: &Concerns) {
        let mut borrowers = vec![(age, concerns.clone())];
        while let Some((age, concerns)) = borrowers.pop() {
            let less_urgent = self.waiting.range((Reverse(Urgency(urgency.0)), u64::MAX)..);
            let before = less_urgent
                .filter(|((_, other), waiting)| *other < age && waiting.concerns.meets(&concerns))
                .map(|(place, _)| *place);
            for place in before.collect::<Vec<_>>() {
                let Some(waiting) = self.waiting.remove(&place) else { continue };
                borrowers.push((place.1, waiting.concerns.clone()));
                self.by_age.insert(place.1, urgency);
                self.waiting.insert((Reverse(urgency), place.1), waiting);
            }
        }
    }

    /// The request whose turn it is.
    pub(super) fn pop(&mut self) -> Option<Waiting> {
        self.turns = (self.turns + 1) % FAIR_TURN;
        let place = match self.turns {
            0 => self.by_age.first_key_value().map(|(age, urgency)| (Reverse(*urgency), *age))?,
            _ => *self.waiting.first_key_value()?.0,
        };
        self.by_age.remove(&place.1);
        self.waiting.remove(&place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::Encoding;
    use crate::text::{self, Style};
    use crate::transport::Peer;
    use std::time::Duration;

    /// Requests as (number, actions, urgency) in the order in which they come out.
    fn order(requests: &[(u32, &str, u8)]) -> Vec<u32> {
        let mut queue = Queue::default();
        let manner = Manner {
            peer: Peer::udp(([127, 0, 0, 1], 1).into()),
            version: 2,
            encoding: Encoding::Text(Style::Compact),
        };
        for (id, actions, urgency) in requests {
            let parsed = text::parse(format!("!/2 <mgc> T={id}{{{actions}}}").as_bytes()).expect("a message");
            let crate::ast::Body::Transactions(mut transactions) = parsed.message.body else { panic!() };
            let Some(crate::ast::Transaction::Request(request)) = transactions.pop() else { panic!() };
            queue.push(Urgency(*urgency), Waiting::new(manner, request, Duration::ZERO));
        }
        std::iter::from_fn(|| queue.pop()).map(|waiting| waiting.request.id).collect()
    }

    const NEW: &str = "C=${A=ip/1/access/${M{ST=1{O{MO=IN}}}}}";

    #[test]
    fn emergencies_go_first_then_by_priority_then_by_age() {
        let order = order(&[(1, NEW, 0), (2, NEW, 3), (3, NEW, 16), (4, NEW, 15), (5, NEW, 3), (6, NEW, 0)]);
        assert_eq!(order, [3, 4, 2, 5, 1, 6]);
    }

    #[test]
    fn what_one_context_is_told_stays_in_order() {
        let order = order(&[
            (1, "C=8{MF=ip/1/access/9}", 0),
            (2, "C=7{MF=ip/1/access/1},C=8{MF=ip/1/access/9}", 0),
            (3, NEW, 5),
            (4, "C=7{EG,MF=ip/1/access/1}", 16),
            (5, "C=9{MF=ip/1/access/5}", 0),
        ]);
        assert_eq!(order, [1, 2, 4, 3, 5], "2 goes with 4, and 1 with 2");
    }

    #[test]
    fn nothing_passes_what_concerns_all_and_reads_of_the_gateway_bar_nobody() {
        assert_eq!(order(&[(1, NEW, 0), (2, "C=*{W-S=*{AT{}}}", 0), (3, NEW, 16)]), [1, 2, 3]);
        assert_eq!(order(&[(1, NEW, 0), (2, "C=1{MV=ip/1/access/7}", 0), (3, NEW, 16)]), [1, 2, 3]);
        assert_eq!(order(&[(1, NEW, 0), (2, "C=-{AV=ROOT{AT{}}}", 0), (3, NEW, 16)]), [3, 1, 2]);
    }

    #[test]
    fn the_oldest_has_every_eighth_turn() {
        let mut requests = vec![(1, NEW, 0)];
        requests.extend((2..=20).map(|id| (id, NEW, 16)));
        assert_eq!(order(&requests).iter().position(|id| *id == 1), Some(7));
    }

    #[test]
    fn the_last_places_are_for_the_urgent() {
        let mut queue = Queue::default();
        let parsed = text::parse(format!("!/2 <mgc> T=1{{{NEW}}}").as_bytes()).expect("a message");
        let crate::ast::Body::Transactions(transactions) = parsed.message.body else { panic!() };
        let crate::ast::Transaction::Request(request) = &transactions[0] else { panic!() };
        let manner = Manner {
            peer: Peer::udp(([127, 0, 0, 1], 1).into()),
            version: 2,
            encoding: Encoding::Text(Style::Compact),
        };
        let mut fill = |urgent| {
            let before = queue.len();
            while queue.has_room(urgent) {
                queue.push(Urgency(0), Waiting::new(manner, request.clone(), Duration::ZERO));
            }
            queue.len() - before
        };
        assert_eq!((fill(false), fill(true)), (MAX_WAITING_REQUESTS - URGENT_PLACES, URGENT_PLACES));
    }
}
