//! A bucket of permissions that fills at a steady rate: `[limits.rates]`.

use std::time::Instant;

/// At most `per_second` on average, and a tenth of a second's worth at once.
#[derive(Debug)]
pub(super) struct Bucket {
    per_second: f64,
    level: f64,
    filled: Instant,
}

impl Bucket {
    /// 0 is no limit.
    pub(super) fn new(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, level: Self::size(per_second), filled: now }
    }

    /// Another rate from now on.
    pub(super) fn set(&mut self, per_second: u32) {
        self.per_second = f64::from(per_second);
        self.level = self.level.min(Self::size(self.per_second));
    }

    fn size(per_second: f64) -> f64 {
        (per_second / 10.0).max(1.0)
    }

    /// Whether one more is permitted.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        if self.per_second == 0.0 {
            return true;
        }
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * self.per_second;
        self.filled = now;
        self.level = (self.level + gained).min(Self::size(self.per_second));
        let permitted = self.level >= 1.0;
        if permitted {
            self.level -= 1.0;
        }
        permitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_rate_holds_over_time_and_a_burst_is_a_tenth_of_it() {
        let start = Instant::now();
        let mut bucket = Bucket::new(1000, start);
        let burst = (0..1000).filter(|_| bucket.take(start)).count();
        assert_eq!(burst, 100);
        let later = (1..=2000u64).filter(|ms| bucket.take(start + Duration::from_micros(ms * 500))).count();
        assert!((990..=1010).contains(&later), "{later}");
    }

    #[test]
    fn zero_is_no_limit() {
        let start = Instant::now();
        let mut bucket = Bucket::new(0, start);
        assert!((0..10_000).all(|_| bucket.take(start)));
    }
}
