//! Numbers for back-off and jitter, grown from a seed that the caller gives: nothing here reads the system's randomness, so that a
//! whole run can be repeated. Nothing secret is ever drawn from it.

use std::time::Duration;

/// SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Between the two, the upper end not included.
    pub(crate) fn between(&mut self, low: Duration, high: Duration) -> Duration {
        let span = high.saturating_sub(low).as_micros() as u64;
        low + Duration::from_micros(if span == 0 { 0 } else { self.next_u64() % span })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_stay_between_their_ends_and_repeat_with_the_seed() {
        let (low, high) = (Duration::from_millis(5), Duration::from_millis(9));
        let mut a = Random::new(7);
        let mut b = Random::new(7);
        for _ in 0..1000 {
            let drawn = a.between(low, high);
            assert!(low <= drawn && drawn < high);
            assert_eq!(drawn, b.between(low, high));
        }
        assert_eq!(a.between(high, low), high, "an empty span is its lower end");
    }
}
