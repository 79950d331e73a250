//! When which packet is due. Pure arithmetic on nanoseconds: the sender asks at every tick how many packets should have left by now,
//! so that a late tick catches up instead of lowering the rate, and no rounding error ever adds up.
//!
//! A sender that falls far behind does not answer with a flood: what is overdue by more than [`MAX_BACKLOG_NS`] is given up and counted, and
//! the run is invalid because the generator was the bottleneck.

/// How far behind a sender may be and still send what is overdue.
pub const MAX_BACKLOG_NS: u64 = 50_000_000;

/// A constant rate: `packets` in every `per_ns`, evenly spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    packets: u64,
    per_ns: u64,
}

impl Rate {
    /// The share that `flows` out of `all_flows` have in `pps` packets per second.
    pub const fn share(pps: u64, flows: u64, all_flows: u64) -> Self {
        Self {
            packets: pps.saturating_mul(flows),
            per_ns: 1_000_000_000 * if all_flows == 0 { 1 } else { all_flows },
        }
    }

    /// How many packets are due in the first `elapsed_ns` of a run (the first one at once).
    pub fn due(&self, elapsed_ns: u64) -> u64 {
        if self.packets == 0 {
            return 0;
        }
        let whole = u128::from(elapsed_ns) * u128::from(self.packets) / u128::from(self.per_ns);
        u64::try_from(whole).unwrap_or(u64::MAX - 1) + 1
    }

    /// When packet `number` (from 0) is due, in nanoseconds since the start.
    pub fn due_ns(&self, number: u64) -> u64 {
        if self.packets == 0 {
            return u64::MAX;
        }
        let exact = (u128::from(number) * u128::from(self.per_ns)).div_ceil(u128::from(self.packets));
        u64::try_from(exact).unwrap_or(u64::MAX)
    }
}

/// What a sender should do at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// How many packets to send now.
    pub send: u64,
    /// How many to give up, because they are overdue by more than [`MAX_BACKLOG_NS`].
    pub skip: u64,
}

/// A sender's place in its schedule.
#[derive(Debug, Clone)]
pub struct Pace {
    rate: Rate,
    /// How many packets have been sent or given up.
    done: u64,
}

impl Pace {
    /// A schedule that has not begun.
    pub const fn new(rate: Rate) -> Self {
        Self { rate, done: 0 }
    }

    /// What is due `elapsed_ns` after the start. Packets given up count as done at once.
    pub fn due(&mut self, elapsed_ns: u64) -> Due {
        let due = self.rate.due(elapsed_ns);
        let hopeless = elapsed_ns.checked_sub(MAX_BACKLOG_NS).map_or(0, |then| self.rate.due(then));
        let skip = hopeless.saturating_sub(self.done);
        self.done += skip;
        Due { send: due.saturating_sub(self.done), skip }
    }

    /// Takes note that the next `packets` packets left `elapsed_ns` after the start and says how late the first of them was, beyond
    /// the `tick_ns` that a sender working in ticks may always need.
    pub fn sent(&mut self, packets: u64, elapsed_ns: u64, tick_ns: u64) -> u64 {
        let due_ns = self.rate.due_ns(self.done);
        self.done += packets;
        elapsed_ns.saturating_sub(due_ns).saturating_sub(tick_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_second_holds_exactly_the_rate_whatever_the_ticks() {
        for tick_ns in [50_000, 333_333, 1_000_000] {
            let mut pace = Pace::new(Rate::share(150_000, 1, 1));
            let (mut sent, mut now) = (0, 0);
            while now < 10 * SECOND {
                let due = pace.due(now);
                assert_eq!(due.skip, 0);
                assert_eq!(pace.sent(due.send, now, tick_ns), 0, "nothing is late when every tick is kept");
                sent += due.send;
                now += tick_ns;
            }
            assert!((1_500_000 - 150..=1_500_001).contains(&sent), "{sent} with ticks of {tick_ns}");
        }
    }

    #[test]
    fn shares_of_the_flows_add_up_to_the_whole() {
        let whole = Rate::share(100_000, 7, 7).due(10 * SECOND - 1);
        let parts =
            Rate::share(100_000, 3, 7).due(10 * SECOND - 1) + Rate::share(100_000, 4, 7).due(10 * SECOND - 1);
        assert!(whole.abs_diff(parts) <= 1, "{whole} {parts}");
    }

    #[test]
    fn a_late_tick_is_reported_and_caught_up() {
        let mut pace = Pace::new(Rate::share(1000, 1, 1));
        assert_eq!(pace.due(0), Due { send: 1, skip: 0 });
        assert_eq!(pace.sent(1, 0, 1_000_000), 0);
        // The next packet is due at 1 ms; the tick comes at 11 ms: ten packets overdue, the first by 10 ms, of which one is the tick.
        assert_eq!(pace.due(11_000_000), Due { send: 11, skip: 0 });
        assert_eq!(pace.sent(11, 11_000_000, 1_000_000), 9_000_000);
        assert_eq!(pace.due(11_500_000), Due { send: 0, skip: 0 });
    }

    #[test]
    fn what_is_hopelessly_overdue_is_given_up_and_not_sent_as_a_flood() {
        let mut pace = Pace::new(Rate::share(1000, 1, 1));
        let due = pace.due(SECOND);
        assert_eq!(due.skip, 951);
        assert_eq!(due.send, 50);
    }

    #[test]
    fn no_rate_means_no_packet() {
        assert_eq!(Pace::new(Rate::share(0, 1, 1)).due(SECOND), Due { send: 0, skip: 0 });
    }

    proptest! {
        #[test]
        fn a_packet_is_due_exactly_from_its_time_on(pps in 1u64..2_000_000, number in 0u64..10_000_000_000) {
            let rate = Rate::share(pps, 1, 1);
            let due_ns = rate.due_ns(number);
            prop_assert!(rate.due(due_ns) > number);
            prop_assert!(due_ns == 0 || rate.due(due_ns - 1) <= number);
        }
    }
}
