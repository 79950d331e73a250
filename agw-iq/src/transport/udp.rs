//! When to send a request again over UDP (H.248.1 Annex D.1.3): the delay of replies is averaged, a repetition waits twice as long as
//! the one before it, drawn at random between half and whole so that many gateways do not keep step, and never more than four seconds.

use crate::random::Random;
use std::time::Duration;

/// The limits of repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetransmissionLimits {
    /// The delay that is assumed before any was measured.
    pub initial: Duration,
    /// The shortest timer.
    pub min: Duration,
    /// The longest timer.
    pub max: Duration,
    /// How often a request is sent at most, the first time included (Annex D.1.5 names 7 to 11).
    pub max_sends: u32,
    /// After which a request fails whatever was answered: T-MAX, shorter than LONG-TIMER.
    pub give_up_after: Duration,
    /// How long `Pending` puts the next repetition off.
    pub after_pending: Duration,
}

impl Default for RetransmissionLimits {
    fn default() -> Self {
        Self {
            initial: Duration::from_millis(200),
            min: Duration::from_millis(100),
            max: Duration::from_secs(4),
            max_sends: 8,
            give_up_after: Duration::from_secs(25),
            after_pending: Duration::from_secs(5),
        }
    }
}

/// The measured delay of one peer: average and average deviation.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DelayEstimate {
    measured: Option<(Duration, Duration)>,
}

/// How many average deviations the timer allows beyond the average: TCP's four.
const DEVIATIONS: u32 = 4;

impl DelayEstimate {
    /// A reply to a request that was sent once took this long. One that was repeated says nothing: which sending it answers is
    /// not known (Karn).
    pub(crate) fn measured(&mut self, delay: Duration) {
        self.measured = Some(match self.measured {
            None => (delay, delay / 2),
            Some((average, deviation)) => {
                ((average * 7 + delay) / 8, (deviation * 3 + average.abs_diff(delay)) / 4)
            }
        });
    }

    /// How long to wait after the request was sent for the `sends`-th time.
    pub(crate) fn timer(&self, limits: &RetransmissionLimits, sends: u32, random: &mut Random) -> Duration {
        let (average, deviation) = self.measured.unwrap_or((limits.initial, Duration::ZERO));
        let first = (average + deviation * DEVIATIONS).max(limits.min);
        if sends <= 1 {
            return first.min(limits.max);
        }
        let doubled = average.max(limits.min).saturating_mul(1 << (sends - 1).min(16)).min(limits.max);
        (random.between(doubled / 2, doubled) + deviation * DEVIATIONS).clamp(limits.min, limits.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_bound() {
        let limits = RetransmissionLimits::default();
        let mut random = Random::new(1);
        let estimate = DelayEstimate::default();
        assert_eq!(estimate.timer(&limits, 1, &mut random), limits.initial);
        for (sends, doubled_ms) in [(2, 400), (3, 800), (4, 1600), (5, 3200), (6, 4000), (60, 4000)] {
            for _ in 0..100 {
                let wait = estimate.timer(&limits, sends, &mut random);
                let doubled = Duration::from_millis(doubled_ms);
                assert!(doubled / 2 <= wait && wait <= doubled, "{sends}: {wait:?}");
            }
        }
    }

    #[test]
    fn the_timer_follows_the_measured_delay() {
        let limits = RetransmissionLimits::default();
        let mut random = Random::new(1);
        let mut estimate = DelayEstimate::default();
        for _ in 0..50 {
            estimate.measured(Duration::from_millis(900));
        }
        let slow = estimate.timer(&limits, 1, &mut random);
        assert!(slow >= Duration::from_millis(900) && slow < Duration::from_millis(1000), "{slow:?}");
        for _ in 0..50 {
            estimate.measured(Duration::from_millis(1));
        }
        assert!(estimate.timer(&limits, 1, &mut random) < Duration::from_millis(200));
    }
}
