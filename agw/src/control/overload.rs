//! Whether the gateway has more to do than it can (`[limits.overload]`).
//!
//! Ten times a second control looks at how late it is itself, how many requests wait, how busy the workers are, and how full contexts and ports
//! are. Each is measured against two thresholds: at the first its load is 1, at the second 2, and the highest counts. A load counts once it
//! has lasted for [`RISE`], so that a hiccup is none, and is taken back once it has been well below for [`FALL`]. Fullness alone asks for
//! less but never makes an overload: what is full is refused with error 510 by itself.

use super::{Control, GATHERED_REQUESTS};
use crate::config::{Overload as Thresholds, Threshold};
use crate::runtime::WorkerWatch;
use agw_iq::{Load, Stage};
use std::collections::VecDeque;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

/// How often it is looked at.
pub(super) const PULSE: Duration = Duration::from_millis(100);
/// How long a load must last to count.
const RISE: Duration = Duration::from_secs(1);
/// How long it must be gone to count no more.
const FALL: Duration = Duration::from_secs(2);
/// What is below this share of a threshold is well below it.
const WELL_BELOW: f64 = 0.8;
/// The highest load: more makes no difference.
const MAX_LOAD: f64 = 4.0;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// How late control is.
    Lag,
    /// Requests that wait.
    Queue,
    /// The busiest worker.
    Busy,
    /// Contexts, or the ports of the fullest realm.
    Use,
}

impl Signal {
    /// All of them, in metric order.
    pub const ALL: [Self; 4] = [Self::Lag, Self::Queue, Self::Busy, Self::Use];

    /// The value of the metric label `signal`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lag => "lag",
            Self::Queue => "queue",
            Self::Busy => "busy",
            Self::Use => "use",
        }
    }
}

/// One look at everything.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    pub(super) lag: Duration,
    /// Each of what is possible, 0.0 to 1.0.
    pub(super) queue: f64,
    pub(super) busy: f64,
    pub(super) used: f64,
}

/// The load of late.
#[derive(Debug, Default)]
pub(super) struct Overload {
    /// What was measured last, by [`Signal`].
    loads: [f64; Signal::ALL.len()],
    /// The looks of the last [`FALL`], the youngest last: when, all, and all but fullness.
    recent: VecDeque<(Instant, f64, f64)>,
    stage: Stage,
    reduction_percent: u8,
}

impl Overload {
    /// Takes a look in.
    pub(super) fn look(&mut self, now: Instant, seen: Seen, thresholds: &Thresholds) -> Load {
        let percent = |share: f64| share * 100.0;
        self.loads = [
            load(seen.lag.as_secs_f64() * 1e3, thresholds.lag_ms),
            load(percent(seen.queue), thresholds.queue_percent),
            load(percent(seen.busy), thresholds.busy_percent),
            load(percent(seen.used), thresholds.use_percent),
        ];
        let [lag, queue, busy, used] = self.loads;
        let work = lag.max(queue).max(busy);
        self.recent.push_back((now, work.max(used), work));
        while self.recent.get(1).is_some_and(|&(at, ..)| now.saturating_duration_since(at) >= FALL) {
            self.recent.pop_front();
        }
        let (any_low, any_high) = (self.least(now, |look| look.1), self.most(|look| look.1));
        let (work_low, work_high) = (self.least(now, |look| look.2), self.most(|look| look.2));
        // Up when it has lasted, down when it has been gone: between the two it stays as it is.
        self.stage = if work_low >= 2.0 || (self.stage == Stage::Overloaded && work_high >= 2.0 * WELL_BELOW)
        {
            Stage::Overloaded
        } else if any_low >= 1.0 || (self.stage >= Stage::Strained && any_high >= WELL_BELOW) {
            Stage::Strained
        } else {
            Stage::Calm
        };
        let (wanted, still) = (reduction(any_low), reduction(any_high));
        self.reduction_percent = match self.stage {
            Stage::Calm => 0,
            Stage::Strained | Stage::Overloaded => {
                self.reduction_percent.clamp(wanted.max(LEAST_REDUCTION), still.max(LEAST_REDUCTION))
            }
        };
        Load { stage: self.stage, reduction_percent: self.reduction_percent }
    }

    /// The stage as it was found last.
    pub(super) fn stage(&self) -> Stage {
        self.stage
    }

    /// The stage, and what was measured last against the first threshold.
    pub(super) fn numbers(&self) -> (Stage, Vec<(&'static str, f64)>) {
        (
            self.stage,
            Signal::ALL.iter().zip(self.loads).map(|(signal, load)| (signal.as_str(), load)).collect(),
        )
    }

    /// The least of the last [`RISE`]; nothing before it has been looked at for so long.
    fn least(&self, now: Instant, of: impl Fn(&(Instant, f64, f64)) -> f64) -> f64 {
        let long_enough =
            self.recent.front().is_some_and(|&(at, ..)| now.saturating_duration_since(at) >= RISE);
        let lately = self.recent.iter().filter(|(at, ..)| now.saturating_duration_since(*at) <= RISE);
        if long_enough { lately.map(of).fold(MAX_LOAD, f64::min) } else { 0.0 }
    }

    fn most(&self, of: impl Fn(&(Instant, f64, f64)) -> f64) -> f64 {
        self.recent.iter().map(of).fold(0.0, f64::max)
    }
}

impl Control {
    /// Ten times a second.
    pub(super) fn look_at_load(&mut self, lag: Duration) {
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let (limit, thresholds) = (config.limits.contexts, config.limits.overload.clone());
        drop(config);
        let share = |part: u64, all: u64| if all == 0 { 0.0 } else { part as f64 / all as f64 };
        let contexts = share(self.controller.counts().contexts as u64, u64::from(limit));
        let realms = self.controller.realm_ports();
        let ports = realms.iter().map(|realm| share(realm.in_use + realm.resting, realm.total));
        let seen = Seen {
            lag,
            queue: share(self.iq.waiting_requests() as u64, GATHERED_REQUESTS as u64),
            busy: self.workers.watches().iter().map(WorkerWatch::busy_ratio).fold(0.0, f64::max),
            used: ports.fold(contexts, f64::max),
        };
        let before = self.overload.stage();
        let load = self.overload.look(Instant::now(), seen, &thresholds);
        if load.stage != before {
            let percent = load.reduction_percent;
            match load.stage {
                Stage::Calm => tracing::info!("the load is back to normal"),
                Stage::Strained => {
                    tracing::warn!(percent, ?seen, "the load is high: controllers are asked for less");
                }
                Stage::Overloaded => {
                    tracing::warn!(percent, ?seen, "overload: new calls without privilege are refused");
                }
            }
        }
        let now = self.clock();
        self.iq.set_load(now, load);
    }
}

/// The least that a controller is asked for while there is a load.
const LEAST_REDUCTION: u8 = 10;
/// The most: something must be left to see whether it is over.
const MOST_REDUCTION: f64 = 90.0;

/// By how many per cent less is wanted at a load, in steps of ten so that it does not change all the time.
fn reduction(load: f64) -> u8 {
    let percent = match load {
        _ if load < 1.0 => 0.0,
        _ if load < 2.0 => 10.0 + 50.0 * (load - 1.0),
        _ => 60.0 + 15.0 * (load - 2.0),
    };
    ((percent.min(MOST_REDUCTION) / 10.0).round() * 10.0) as u8
}

/// 1 at the first threshold, 2 at the second, and on in proportion.
fn load(value: f64, Threshold([first, second]): Threshold) -> f64 {
    let (first, second) = (f64::from(first), f64::from(second));
    let load = if value < first {
        if first > 0.0 { value / first } else { 0.0 }
    } else if second > first {
        1.0 + (value - first) / (second - first)
    } else {
        2.0
    };
    load.min(MAX_LOAD)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: Seen = Seen { lag: Duration::from_secs(1), queue: 0.0, busy: 0.0, used: 0.0 };
    const FULL: Seen = Seen { lag: Duration::ZERO, queue: 0.0, busy: 0.0, used: 1.0 };

    /// Ten looks a second, beginning at `from`.
    fn look(overload: &mut Overload, start: Instant, from_ms: u64, seen: Seen, looks: u64) -> Load {
        let mut load = Load::default();
        for at in 0..looks {
            let now = start + Duration::from_millis(from_ms + at * 100);
            load = overload.look(now, seen, &Thresholds::default());
        }
        load
    }

    #[test]
    fn a_hiccup_is_no_overload_and_what_lasts_is() {
        let (start, mut overload) = (Instant::now(), Overload::default());
        look(&mut overload, start, 0, Seen::default(), 20);
        assert_eq!(look(&mut overload, start, 2_000, LATE, 9).stage, Stage::Calm);
        assert_eq!(look(&mut overload, start, 2_900, Seen::default(), 1), Load::default());
        let load = look(&mut overload, start, 3_000, LATE, 12);
        assert_eq!(load, Load { stage: Stage::Overloaded, reduction_percent: 90 });
        // A moment without does not end it, two seconds do.
        assert_eq!(look(&mut overload, start, 4_200, Seen::default(), 10).stage, Stage::Overloaded);
        assert_eq!(look(&mut overload, start, 5_200, Seen::default(), 12), Load::default());
    }

    #[test]
    fn what_is_full_asks_for_less_and_refuses_nothing() {
        let (start, mut overload) = (Instant::now(), Overload::default());
        let load = look(&mut overload, start, 0, FULL, 30);
        assert_eq!(load.stage, Stage::Strained);
        assert!(load.reduction_percent >= 60, "{load:?}");
    }

    #[test]
    fn between_the_thresholds_the_reduction_grows_in_steps() {
        let at = |busy| {
            let (start, mut overload) = (Instant::now(), Overload::default());
            look(&mut overload, start, 0, Seen { busy, ..Seen::default() }, 15)
        };
        assert_eq!(at(0.84), Load::default());
        assert_eq!(at(0.85), Load { stage: Stage::Strained, reduction_percent: 10 });
        assert_eq!(at(0.91), Load { stage: Stage::Strained, reduction_percent: 40 });
        assert_eq!(at(0.98).stage, Stage::Overloaded);
    }

    #[test]
    fn a_load_around_a_threshold_does_not_flap() {
        let (start, mut overload) = (Instant::now(), Overload::default());
        let seen = |busy| Seen { busy, ..Seen::default() };
        look(&mut overload, start, 0, seen(0.86), 15);
        let mut changes = 0;
        let mut before = overload.stage;
        for at in 15..200u64 {
            let busy = if at % 7 < 3 { 0.84 } else { 0.86 };
            look(&mut overload, start, at * 100, seen(busy), 1);
            changes += u32::from(overload.stage != before);
            before = overload.stage;
        }
        assert_eq!((changes, before), (0, Stage::Strained));
    }
}
