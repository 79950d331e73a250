//! What became of the packets of one call in one way: exact counts in a fixed amount of memory.
//!
//! The receiver remembers the highest sequence number and, in a window below it, which numbers have come. A number seen twice is a
//! duplicate; a new one below the highest was reordered (RFC 4737 section 3.3); one from below the window can no longer be told from a
//! duplicate and is counted apart as stale, never as received. What was sent and never came as new is lost.

/// How many sequence numbers back a packet is still told apart exactly: 13 seconds at 300 packets/s in one call.
pub const WINDOW_PACKETS: u64 = 4096;

const WORDS: usize = (WINDOW_PACKETS / 64) as usize;

/// What an arriving packet was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// New, and behind everything that came before.
    InOrder,
    /// New, but one that was sent later had come already.
    Reordered,
    /// It had come before.
    Duplicate,
    /// From before the window or before this tally began.
    Stale,
}

/// The sequence numbers of one call in one way.
#[derive(Debug, Clone)]
pub struct Tally {
    /// The first number that belongs to this tally.
    first: u64,
    /// One above the highest number that came.
    next: u64,
    /// Bit `n % WINDOW_PACKETS` says whether `n` came, for `next - WINDOW_PACKETS <= n < next`.
    seen: [u64; WORDS],
}

impl Tally {
    /// A tally of the numbers from `first` on: what comes from below belongs to an earlier run.
    pub fn from(first: u64) -> Self {
        Self { first, next: first, seen: [0; WORDS] }
    }

    /// Takes note of a packet.
    pub fn arrive(&mut self, sequence: u64) -> Arrival {
        if sequence >= self.next {
            self.forget_up_to(sequence);
            self.mark(sequence);
            self.next = sequence.saturating_add(1);
            return Arrival::InOrder;
        }
        if sequence < self.first || self.next - sequence > WINDOW_PACKETS {
            return Arrival::Stale;
        }
        if self.mark(sequence) { Arrival::Duplicate } else { Arrival::Reordered }
    }

    /// Clears the places of `next..=sequence`, which numbers of one window earlier had used.
    fn forget_up_to(&mut self, sequence: u64) {
        if sequence - self.next >= WINDOW_PACKETS {
            self.seen = [0; WORDS];
            return;
        }
        for number in self.next..=sequence {
            let (word, bit) = place(number);
            self.seen[word] &= !bit;
        }
    }

    /// Marks a number as seen; says whether it had been already.
    fn mark(&mut self, sequence: u64) -> bool {
        let (word, bit) = place(sequence);
        let was = self.seen[word] & bit != 0;
        self.seen[word] |= bit;
        was
    }
}

fn place(sequence: u64) -> (usize, u64) {
    let index = sequence % WINDOW_PACKETS;
    ((index / 64) as usize, 1 << (index % 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn counts(arrivals: impl IntoIterator<Item = u64>) -> [u64; 4] {
        let mut tally = Tally::from(0);
        let mut counts = [0; 4];
        for sequence in arrivals {
            counts[tally.arrive(sequence) as usize] += 1;
        }
        counts
    }

    #[test]
    fn packets_in_order_are_just_that() {
        assert_eq!(counts(0..100_000), [100_000, 0, 0, 0]);
    }

    #[test]
    fn a_gap_is_no_reordering() {
        assert_eq!(counts([0, 1, 5, 6]), [4, 0, 0, 0]);
    }

    #[test]
    fn a_late_packet_is_reordered_once_and_a_duplicate_afterwards() {
        assert_eq!(counts([0, 2, 3, 1, 1]), [3, 1, 1, 0]);
    }

    #[test]
    fn the_same_packet_three_times_is_two_duplicates() {
        assert_eq!(counts([4, 4, 4]), [1, 0, 2, 0]);
    }

    #[test]
    fn the_oldest_number_of_the_window_is_still_told_apart_and_the_one_before_is_stale() {
        let highest = WINDOW_PACKETS + 9;
        assert_eq!(counts([highest, 10, 10]), [1, 1, 1, 0]);
        assert_eq!(counts([highest, 9]), [1, 0, 0, 1]);
    }

    #[test]
    fn a_jump_over_the_whole_window_forgets_what_was_before() {
        assert_eq!(counts([0, 1, 2, 3 * WINDOW_PACKETS + 1, 2 * WINDOW_PACKETS + 2]), [4, 1, 0, 0]);
    }

    #[test]
    fn what_was_sent_before_the_tally_began_is_stale() {
        let mut tally = Tally::from(50);
        assert_eq!(tally.arrive(49), Arrival::Stale);
        assert_eq!(tally.arrive(51), Arrival::InOrder);
        assert_eq!(tally.arrive(50), Arrival::Reordered);
        assert_eq!(tally.arrive(49), Arrival::Stale);
    }

    #[test]
    fn the_last_number_of_all_does_not_overflow() {
        assert_eq!(counts([u64::MAX - 1, u64::MAX]), [2, 0, 0, 0]);
    }

    proptest! {
        #[test]
        fn inside_the_window_it_agrees_with_a_set_that_remembers_everything(
            arrivals in prop::collection::vec(0..WINDOW_PACKETS, 0..2000),
        ) {
            let mut tally = Tally::from(0);
            let mut all = BTreeSet::new();
            for sequence in arrivals {
                let expected = if all.contains(&sequence) {
                    Arrival::Duplicate
                } else if all.last().is_some_and(|&highest| highest > sequence) {
                    Arrival::Reordered
                } else {
                    Arrival::InOrder
                };
                all.insert(sequence);
                prop_assert_eq!(tally.arrive(sequence), expected);
            }
        }
    }
}
