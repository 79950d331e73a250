//! Numbers of a run: counters and histograms, and how they are added up.

use hdrhistogram::Histogram;
use serde::Serialize;
use std::ops::{AddAssign, Sub};
use std::time::Duration;

/// The longest time that a histogram tells apart; longer ones count as this.
const LONGEST_NS: u64 = 60_000_000_000;

/// What happened to packets. All are exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Handed to the system.
    pub sent: u64,
    /// Came out as they should, each counted once.
    pub received: u64,
    /// Of the received: after one that was sent later.
    pub reordered: u64,
    /// Came again.
    pub duplicated: u64,
    /// Came so late that they cannot be told from duplicates; not counted as received.
    pub stale: u64,
    /// Came with any bit changed, failed to authenticate, or are no packets of ours at all.
    pub corrupt: u64,
    /// Came intact, but to the wrong socket, from the wrong port or for another call.
    pub misdirected: u64,
    /// The generator gave them up because it was too late.
    pub skipped: u64,
    /// The system refused to send them.
    pub send_failed: u64,
}

impl Counts {
    /// What was sent and has not come (yet).
    pub fn lost(&self) -> u64 {
        self.sent.saturating_sub(self.received)
    }

    /// Lost per sent; 0 when nothing was sent.
    pub fn loss_ratio(&self) -> f64 {
        if self.sent == 0 { 0.0 } else { self.lost() as f64 / self.sent as f64 }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.reordered += other.reordered;
        self.duplicated += other.duplicated;
        self.stale += other.stale;
        self.corrupt += other.corrupt;
        self.misdirected += other.misdirected;
        self.skipped += other.skipped;
        self.send_failed += other.send_failed;
    }
}

impl Sub for Counts {
    type Output = Self;

    /// What happened since `earlier`.
    fn sub(self, earlier: Self) -> Self {
        Self {
            sent: self.sent.saturating_sub(earlier.sent),
            received: self.received.saturating_sub(earlier.received),
            reordered: self.reordered.saturating_sub(earlier.reordered),
            duplicated: self.duplicated.saturating_sub(earlier.duplicated),
            stale: self.stale.saturating_sub(earlier.stale),
            corrupt: self.corrupt.saturating_sub(earlier.corrupt),
            misdirected: self.misdirected.saturating_sub(earlier.misdirected),
            skipped: self.skipped.saturating_sub(earlier.skipped),
            send_failed: self.send_failed.saturating_sub(earlier.send_failed),
        }
    }
}

/// Times, with a relative error below one percent.
#[derive(Debug, Clone)]
pub struct Times(Histogram<u64>);

impl Times {
    /// None yet.
    pub fn new() -> Self {
        // One microsecond is the unit below which nothing here is worth telling apart; 2 digits keep it at some 20 KB.
        Self(Histogram::new_with_bounds(100, LONGEST_NS, 2).expect("the bounds are valid constants"))
    }

    /// One more.
    pub fn record_ns(&mut self, nanoseconds: u64) {
        self.0.saturating_record(nanoseconds);
    }

    /// `count` more, all the same.
    pub fn record_many_ns(&mut self, nanoseconds: u64, count: u64) {
        self.0.saturating_record_n(nanoseconds, count);
    }

    /// One more.
    pub fn record(&mut self, time: Duration) {
        self.record_ns(u64::try_from(time.as_nanos()).unwrap_or(LONGEST_NS));
    }

    /// All of `other` more.
    pub fn add(&mut self, other: &Self) {
        // The bounds are the same, so this cannot fail.
        let _ = self.0.add(&other.0);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.0.reset();
    }

    /// The time, in microseconds, that a share of all (0 to 1) does not exceed; 0 when there is none.
    pub fn quantile_us(&self, share: f64) -> f64 {
        if self.0.is_empty() { 0.0 } else { self.0.value_at_quantile(share) as f64 / 1000.0 }
    }

    /// The usual quantiles.
    pub fn quantiles(&self) -> QuantilesUs {
        QuantilesUs {
            p50: self.quantile_us(0.5),
            p90: self.quantile_us(0.9),
            p99: self.quantile_us(0.99),
            p999: self.quantile_us(0.999),
            max: self.quantile_us(1.0),
        }
    }
}

impl Default for Times {
    fn default() -> Self {
        Self::new()
    }
}

/// Quantiles in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct QuantilesUs {
    /// Median.
    pub p50: f64,
    /// 90 %.
    pub p90: f64,
    /// 99 %.
    pub p99: f64,
    /// 99.9 %.
    pub p999: f64,
    /// The longest.
    pub max: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_one_percent() {
        let mut times = Times::new();
        (1..=1000u64).for_each(|us| times.record_ns(us * 1000));
        for (share, expected) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            let found = times.quantile_us(share);
            assert!((found - expected).abs() <= expected * 0.01, "{found} instead of {expected}");
        }
    }

    #[test]
    fn no_time_is_too_long_to_be_counted() {
        let mut times = Times::new();
        times.record_ns(u64::MAX);
        times.record_ns(0);
        assert_eq!(times.count(), 2);
        assert!(times.quantile_us(1.0) >= 59_000_000.0);
    }

    #[test]
    fn nothing_sent_is_nothing_lost() {
        assert_eq!(Counts::default().loss_ratio(), 0.0);
        let counts = Counts { sent: 1000, received: 999, ..Counts::default() };
        assert_eq!((counts.lost(), counts.loss_ratio()), (1, 0.001));
    }
}
