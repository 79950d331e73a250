//! The search for the highest rate that a gateway carries within a bound on loss: double until it fails, then halve the gap.

/// The search ends when the gap between the best and the worst rate is this part of the best.
pub const RESOLUTION: f64 = 0.02;
/// And after this many trials in any case.
pub const MAX_TRIALS: usize = 24;
/// No higher rate is tried.
pub const MAX_PPS: u64 = 20_000_000;

/// How a rate fared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The bound held.
    Passed,
    /// The bound did not hold.
    Failed,
    /// The generator did not keep up: nothing is known of the gateway at this rate.
    GeneratorLimited,
}

/// Which rate to try next.
#[derive(Debug, Clone)]
pub struct Search {
    passed: u64,
    /// The lowest rate that did not pass.
    not_passed: Option<u64>,
    /// Why the search goes no higher.
    limit: Verdict,
    trials: usize,
    next: u64,
}

impl Search {
    /// Begins at `first_pps`.
    pub fn new(first_pps: u64) -> Self {
        let next = first_pps.clamp(1, MAX_PPS);
        Self { passed: 0, not_passed: None, limit: Verdict::Failed, trials: 0, next }
    }

    /// The rate to try, or `None` when the search is over.
    pub fn next_pps(&self) -> Option<u64> {
        let gap_is_small = self.not_passed.is_some_and(|not_passed| {
            let gap = not_passed.saturating_sub(self.passed);
            gap <= 1 || (gap as f64) <= self.passed as f64 * RESOLUTION
        });
        let over = gap_is_small || self.trials >= MAX_TRIALS || self.passed >= MAX_PPS;
        (!over).then_some(self.next)
    }

    /// Takes note of how the rate given by [`Self::next_pps`] fared.
    pub fn judge(&mut self, verdict: Verdict) {
        self.trials += 1;
        match verdict {
            Verdict::Passed => self.passed = self.next,
            Verdict::Failed | Verdict::GeneratorLimited => {
                self.not_passed = Some(self.next);
                self.limit = verdict;
            }
        }
        self.next = match self.not_passed {
            None => self.passed.saturating_mul(2).min(MAX_PPS),
            Some(not_passed) => self.passed + (not_passed - self.passed) / 2,
        };
    }

    /// The highest rate that passed; 0: none did.
    pub fn best_pps(&self) -> u64 {
        self.passed
    }

    /// Whether it was the generator that ended the search, so that the gateway may carry more.
    pub fn is_generator_limited(&self) -> bool {
        self.limit == Verdict::GeneratorLimited
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(first_pps: u64, judge: impl Fn(u64) -> Verdict) -> (Search, usize) {
        let mut search = Search::new(first_pps);
        let mut trials = 0;
        while let Some(pps) = search.next_pps() {
            search.judge(judge(pps));
            trials += 1;
        }
        (search, trials)
    }

    #[test]
    fn it_finds_the_limit_from_below_and_from_above() {
        for first in [100, 1000, 50_000, 400_000] {
            let (search, trials) =
                search(first, |pps| if pps <= 123_456 { Verdict::Passed } else { Verdict::Failed });
            let best = search.best_pps() as f64;
            assert!((123_456.0 * 0.975..=123_456.0).contains(&best), "{best} from {first}");
            assert!(trials <= 20 && !search.is_generator_limited());
        }
    }

    #[test]
    fn a_generator_that_gives_out_first_is_named() {
        let (search, _) =
            search(1000, |pps| if pps < 90_000 { Verdict::Passed } else { Verdict::GeneratorLimited });
        assert!(search.is_generator_limited());
        assert!(search.best_pps() > 80_000);
    }

    #[test]
    fn a_gateway_that_carries_nothing_ends_the_search_at_zero() {
        let (search, trials) = search(1000, |_| Verdict::Failed);
        assert_eq!(search.best_pps(), 0);
        assert!(trials <= MAX_TRIALS);
    }

    #[test]
    fn a_gateway_that_carries_everything_ends_it_too() {
        let (search, _) = search(1000, |_| Verdict::Passed);
        assert_eq!(search.best_pps(), MAX_PPS);
    }
}
