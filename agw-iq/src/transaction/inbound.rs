//! At most once (H.248.1 Annex D.1.1): requests are known by their peer and identifier for [`LONG_TIMER`] after they were answered.
//!
//! A repeated request gets the stored reply, or `Pending` while it is executed. An acknowledged reply is forgotten and wiped at once, but
//! not that it was given (Annex D.1.2.2). Memory is bounded: when too many octets are kept, the oldest replies go first and their requests
//! are then ignored, never executed again. What is counted is what the memory costs, not only what the replies say.

use super::LONG_TIMER;
use crate::ast::{AckRange, TransactionId};
use crate::transport::{MessageBytes, Now, Peer};
use std::collections::{BTreeMap, VecDeque};

/// The peer and the transaction's identifier.
pub type Key = (Peer, TransactionId);

/// What is added to a stored reply at most: what its owners share, and for both allocations the allocator's header and rounding.
const ALLOCATION_BYTES: usize = 2 * 32 + size_of::<MessageBytes>() * 5;

/// What remembering one transaction costs beside its reply. Twice what the places hold: the nodes of the tree are at least half full, and
/// the queue at most doubles when it grows.
const TRANSACTION_BYTES: usize = 2 * (size_of::<(ShortKey, State)>() + size_of::<(Now, ShortKey)>());

/// The bounds of the table; what both together allow is [`InboundLimits::max_bytes`].
#[derive(Clone, Copy, Debug)]
pub struct InboundLimits {
    /// Octets of stored replies, each with what its allocation costs.
    pub max_reply_bytes: usize,
    /// Transactions that are remembered, answered or not.
    pub max_transactions: usize,
}

impl Default for InboundLimits {
    fn default() -> Self {
        // Half a minute of 15,000 calls a second, each set up and taken down.
        Self { max_reply_bytes: 64 << 20, max_transactions: 1_000_000 }
    }
}

impl InboundLimits {
    /// The most memory that a table takes, in octets.
    pub const fn max_bytes(&self) -> usize {
        self.max_reply_bytes.saturating_add(self.max_transactions.saturating_mul(TRANSACTION_BYTES))
    }
}

/// What a stored reply costs.
fn cost(reply: &MessageBytes) -> usize {
    reply.len() + ALLOCATION_BYTES
}

/// What to do with a request that has arrived.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    /// Execute it; it is remembered as being executed.
    New,
    /// It is being executed: say `Pending`.
    Executing,
    /// It was answered so.
    Answered(MessageBytes),
    /// It was answered, and the answer is not kept any more.
    Forgotten,
    /// No more can be remembered: it must not be executed (error 511).
    Full,
}

#[derive(Debug)]
enum State {
    Executing,
    Answered(MessageBytes),
    Forgotten,
}

/// The number of the peer above, the transaction's identifier below.
type ShortKey = u64;

const fn short(peer: u32, id: TransactionId) -> ShortKey {
    (peer as u64) << 32 | id as u64
}

const fn peer_of(key: ShortKey) -> u32 {
    (key >> 32) as u32
}

/// The peers of whom anything is remembered, numbered: a number in each key takes a sixth of an address.
#[derive(Debug, Default)]
struct Peers {
    numbers: BTreeMap<Peer, u32>,
    /// With how many transactions of each are remembered.
    known: BTreeMap<u32, (Peer, usize)>,
    last: u32,
}

impl Peers {
    fn number(&self, peer: Peer) -> Option<u32> {
        self.numbers.get(&peer).copied()
    }

    /// One more transaction of a peer is remembered.
    fn take(&mut self, peer: Peer) -> u32 {
        let number = self.number(peer).unwrap_or_else(|| {
            // There are fewer transactions than numbers.
            while self.known.contains_key(&self.last) {
                self.last = self.last.wrapping_add(1);
            }
            self.numbers.insert(peer, self.last);
            self.last
        });
        self.known.entry(number).or_insert((peer, 0)).1 += 1;
        number
    }

    /// One less; with its last one the peer is forgotten.
    fn give_back(&mut self, number: u32) {
        let Some((peer, transactions)) = self.known.get_mut(&number) else { return };
        *transactions -= 1;
        if *transactions == 0 {
            self.numbers.remove(peer);
            self.known.remove(&number);
        }
    }
}

/// What peers have asked.
#[derive(Debug, Default)]
pub struct InboundTable {
    limits: InboundLimits,
    peers: Peers,
    transactions: BTreeMap<ShortKey, State>,
    /// When answered transactions are forgotten wholly; times do not fall.
    answered: VecDeque<(Now, ShortKey)>,
    /// How many of the first of them have no reply any more.
    shed: usize,
    reply_bytes: usize,
}

impl InboundTable {
    /// An empty table.
    pub fn new(limits: InboundLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// A request has arrived.
    pub fn arrive(&mut self, (peer, id): Key) -> Arrival {
        let known = self.peers.number(peer).and_then(|number| self.transactions.get(&short(number, id)));
        match known {
            Some(State::Executing) => Arrival::Executing,
            Some(State::Answered(reply)) => Arrival::Answered(reply.clone()),
            Some(State::Forgotten) => Arrival::Forgotten,
            None if self.transactions.len() >= self.limits.max_transactions => Arrival::Full,
            None => {
                let number = self.peers.take(peer);
                self.transactions.insert(short(number, id), State::Executing);
                Arrival::New
            }
        }
    }

    /// A request was answered.
    pub fn answer(&mut self, now: Now, (peer, id): Key, reply: MessageBytes) {
        let Some(key) = self.peers.number(peer).map(|number| short(number, id)) else { return };
        let Some(state) = self.transactions.get_mut(&key) else { return };
        self.reply_bytes += cost(&reply);
        if let State::Answered(old) = std::mem::replace(state, State::Answered(reply)) {
            self.reply_bytes -= cost(&old);
        } else {
            self.answered.push_back((now + LONG_TIMER, key));
        }
        self.shed();
    }

    /// Replies of this peer have arrived.
    pub fn acknowledge(&mut self, peer: Peer, range: AckRange) {
        let Some(number) = self.peers.number(peer).filter(|_| range.first <= range.last) else { return };
        let keys = short(number, range.first)..=short(number, range.last);
        for (_, state) in self.transactions.range_mut(keys) {
            if let State::Answered(reply) = state {
                self.reply_bytes -= cost(reply);
                *state = State::Forgotten;
            }
        }
    }

    /// Forgets what is old enough.
    pub fn expire(&mut self, now: Now) {
        while let Some((_, key)) = self.answered.pop_front_if(|(until, _)| *until <= now) {
            self.shed = self.shed.saturating_sub(1);
            let Some(state) = self.transactions.remove(&key) else { continue };
            self.peers.give_back(peer_of(key));
            if let State::Answered(reply) = state {
                self.reply_bytes -= cost(&reply);
            }
        }
    }

    /// When something is old enough.
    pub fn next_expiry(&self) -> Option<Now> {
        self.answered.front().map(|(until, _)| *until)
    }

    /// How many are remembered, and the octets of their replies with what storing them costs.
    pub fn usage(&self) -> (usize, usize) {
        (self.transactions.len(), self.reply_bytes)
    }

    /// The memory that the table takes, in octets; at most [`InboundLimits::max_bytes`].
    pub fn bytes(&self) -> usize {
        self.transactions.len() * TRANSACTION_BYTES + self.reply_bytes
    }

    /// Drops the oldest replies until the rest fits. Where it was last time it goes on, so that a full table costs no search.
    fn shed(&mut self) {
        while self.reply_bytes > self.limits.max_reply_bytes {
            let Some((_, key)) = self.answered.get(self.shed) else { return };
            if let Some(state) = self.transactions.get_mut(key)
                && let State::Answered(reply) = state
            {
                self.reply_bytes -= cost(reply);
                *state = State::Forgotten;
            }
            self.shed += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const NOW: Now = Duration::from_secs(1);

    fn peer(port: u16) -> Peer {
        Peer::udp(([127, 0, 0, 1], port).into())
    }

    #[test]
    fn a_peer_is_forgotten_with_its_last_transaction() {
        let mut table = InboundTable::new(InboundLimits::default());
        for (port, id) in [(1, 5), (2, 5), (1, 6)] {
            assert_eq!(table.arrive((peer(port), id)), Arrival::New);
            table.answer(NOW + Duration::from_secs(id.into()), (peer(port), id), reply("r"));
        }
        table.expire(NOW + LONG_TIMER + Duration::from_secs(5));
        assert_eq!((table.peers.numbers.len(), table.usage().0), (1, 1));
        assert_eq!(table.arrive((peer(2), 5)), Arrival::New);
        assert_eq!(table.arrive((peer(1), 6)), Arrival::Answered(reply("r")));
        table.expire(NOW + LONG_TIMER + Duration::from_secs(6));
        assert_eq!(table.peers.known.len(), 1, "one is executed");
    }

    fn reply(text: &str) -> MessageBytes {
        MessageBytes::copy_of(text.as_bytes())
    }

    #[test]
    fn a_repeated_request_gets_its_reply_until_it_is_old() {
        let mut table = InboundTable::new(InboundLimits::default());
        let key = (peer(1), 7);
        assert_eq!(table.arrive(key), Arrival::New);
        assert_eq!(table.arrive(key), Arrival::Executing);
        assert_eq!(table.arrive((peer(2), 7)), Arrival::New, "another peer's numbers are its own");
        table.answer(NOW, key, reply("done"));
        assert_eq!(table.arrive(key), Arrival::Answered(reply("done")));
        table.expire(NOW + LONG_TIMER - Duration::from_millis(1));
        assert_eq!(table.arrive(key), Arrival::Answered(reply("done")));
        assert_eq!(table.next_expiry(), Some(NOW + LONG_TIMER));
        table.expire(NOW + LONG_TIMER);
        assert_eq!(table.arrive(key), Arrival::New);
        assert_eq!(table.usage().1, 0);
    }

    #[test]
    fn an_acknowledged_reply_goes_but_the_request_stays_known() {
        let mut table = InboundTable::new(InboundLimits::default());
        for id in 5..10 {
            table.arrive((peer(1), id));
            table.answer(NOW, (peer(1), id), reply("r"));
        }
        table.arrive((peer(1), 10));
        table.acknowledge(peer(1), AckRange { first: 6, last: u32::MAX });
        table.acknowledge(peer(1), AckRange { first: 9, last: 1 });
        assert_eq!(table.arrive((peer(1), 5)), Arrival::Answered(reply("r")));
        assert_eq!(table.arrive((peer(1), 9)), Arrival::Forgotten);
        assert_eq!(
            table.arrive((peer(1), 10)),
            Arrival::Executing,
            "what is executed cannot be acknowledged"
        );
        assert_eq!(table.usage().1, cost(&reply("r")));
    }

    #[test]
    fn old_replies_make_room_and_their_requests_are_not_executed_again() {
        let limits = InboundLimits { max_reply_bytes: 2 * cost(&reply("4444")), max_transactions: 4 };
        let mut table = InboundTable::new(limits);
        for id in 1..=3 {
            table.arrive((peer(1), id));
            table.answer(NOW, (peer(1), id), reply("4444"));
        }
        assert_eq!(table.arrive((peer(1), 1)), Arrival::Forgotten);
        assert_eq!(table.arrive((peer(1), 2)), Arrival::Answered(reply("4444")));
        assert_eq!(table.usage(), (3, 2 * cost(&reply("4444"))));
        assert_eq!(table.arrive((peer(1), 4)), Arrival::New);
        assert_eq!(table.arrive((peer(1), 5)), Arrival::Full);
    }
    #[test]
    fn a_flood_of_distinct_transactions_stays_within_the_bound() {
        let limits = InboundLimits { max_reply_bytes: 64 << 10, max_transactions: 5_000 };
        let mut table = InboundTable::new(limits);
        let (mut refused, mut most) = (0, 0);
        for id in 0..20_000 {
            match table.arrive((peer(1), id)) {
                Arrival::New => table.answer(NOW, (peer(1), id), reply("Reply = 1 { Error = 511 { } }")),
                Arrival::Full => refused += 1,
                other => panic!("{other:?} for a new transaction"),
            }
            most = most.max(table.bytes());
        }
        assert_eq!((table.usage().0, refused), (5_000, 15_000));
        assert!(table.usage().1 <= limits.max_reply_bytes && table.usage().1 > limits.max_reply_bytes / 2);
        assert!(most <= limits.max_bytes(), "{most}");
        assert!(table.answered.capacity() <= 2 * 5_000, "the queue is what was reckoned with");
        table.expire(NOW + LONG_TIMER);
        assert_eq!((table.usage(), table.bytes()), ((0, 0), 0));
    }
}
