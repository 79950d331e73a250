//! The replay list of RFC 3711 section 3.3.2 as a ring of bits, in the manner of RFC 6479.
//!
//! Bits stand for indices in words of 64; moving ahead clears whole words, never single bits. One word more than the window
//! needs keeps that from touching what is still inside it; the number of words is a power of two, so that no
//! index needs a division. Inbound it finds replays; outbound it keeps an index from being used twice (SRTP-13).

use crate::error::Error;

/// How large a window is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    packets: u64,
    words: usize,
}

impl Shape {
    pub(crate) fn new(packets: u32) -> Shape {
        let words = (packets.div_ceil(64) as usize + 1).next_power_of_two();
        Shape { packets: u64::from(packets), words }
    }

    /// Words of memory that a window of this shape takes.
    pub(crate) fn words(self) -> usize {
        self.words
    }

    /// Whether `index` may be taken: ahead of everything, or inside the window and not yet seen.
    pub(crate) fn look(self, bits: &[u64], highest: Option<u64>, index: u64) -> Result<(), Error> {
        let Some(highest) = highest else { return Ok(()) };
        if index > highest {
            return Ok(());
        }
        if highest - index >= self.packets {
            return Err(Error::TooOld);
        }
        if bits[self.word(index)] & bit(index) == 0 { Ok(()) } else { Err(Error::Replayed) }
    }

    /// Takes `index`, which [`Shape::look`] allowed.
    pub(crate) fn mark(self, bits: &mut [u64], highest: &mut Option<u64>, index: u64) {
        match *highest {
            None => bits.fill(0),
            Some(last) if index > last => {
                let words_ahead = ((index >> 6) - (last >> 6)).min(self.words as u64);
                for step in 1..=words_ahead {
                    bits[self.word(last + (step << 6))] = 0;
                }
            }
            Some(_) => {}
        }
        *highest = (*highest).max(Some(index));
        bits[self.word(index)] |= bit(index);
    }

    fn word(self, index: u64) -> usize {
        (index >> 6) as usize & (self.words - 1)
    }
}

fn bit(index: u64) -> u64 {
    1 << (index & 63)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    /// The replay list as the RFC describes it: the set of all indices.
    #[derive(Default)]
    struct Naive {
        seen: HashSet<u64>,
        highest: Option<u64>,
    }

    impl Naive {
        fn take(&mut self, window: u64, index: u64) -> Result<(), Error> {
            if self.highest.is_some_and(|highest| highest >= index + window) {
                return Err(Error::TooOld);
            }
            self.highest = self.highest.max(Some(index));
            if self.seen.insert(index) { Ok(()) } else { Err(Error::Replayed) }
        }
    }

    fn any_steps() -> impl Strategy<Value = Vec<i64>> {
        let step = prop_oneof![8 => -3_i64..6, 4 => -300_i64..300, 1 => -70_000_i64..70_000];
        prop::collection::vec(step, 1..400)
    }

    proptest! {
        #[test]
        fn the_ring_agrees_with_a_set_of_all_indices(
            window in prop_oneof![Just(64_u32), Just(65), Just(128), Just(1000), 64_u32..8192],
            start in 0_u64..1 << 40,
            steps in any_steps(),
        ) {
            let shape = Shape::new(window);
            let (mut bits, mut highest) = (vec![u64::MAX; shape.words()], None);
            let mut naive = Naive::default();
            let mut index = start;
            for step in steps {
                index = index.saturating_add_signed(step);
                let found = shape.look(&bits, highest, index);
                prop_assert_eq!(found, naive.take(u64::from(window), index));
                if found.is_ok() {
                    shape.mark(&mut bits, &mut highest, index);
                }
            }
        }
    }

    #[test]
    fn the_window_is_exactly_as_wide_as_was_asked() {
        let shape = Shape::new(64);
        let (mut bits, mut highest) = (vec![0; shape.words()], None);
        shape.mark(&mut bits, &mut highest, 1000);
        assert_eq!(shape.look(&bits, highest, 937), Ok(()));
        assert_eq!(shape.look(&bits, highest, 936), Err(Error::TooOld));
        assert_eq!(shape.look(&bits, highest, 1000), Err(Error::Replayed));
    }
}
