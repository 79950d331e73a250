//! Whether media still flow, by direction (H.248.40): looked at about once a second by the worker's round and never by a packet, which
//! has been counted anyway. What counts is what was accepted from the peer and what was sent to it, RTCP included, because the
//! Recommendation speaks of all addresses of a stream. A direction that a gate of the context keeps shut is held and
//! not stopped: it is watched again, from the beginning, once it is open.

use crate::io::Now;
use crate::model::{Activity, Watch, Way};

/// Counters that grow with what passes, inbound and outbound.
pub(super) type Passed = [u64; 2];

/// What is known of the two directions.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Activities {
    seen: Passed,
    /// When something was last found to have passed.
    last: [Option<Now>; 2],
    /// Since when the direction is watched without a break.
    since: [Now; 2],
    /// What the controller knows, by [`Way`].
    told: [Activity; 3],
    /// Watching has begun since the last look.
    begun: bool,
}

impl Activities {
    /// Watching begins anew, with the next look.
    pub(super) fn restart(&mut self) {
        self.begun = false;
    }

    /// Milliseconds since something was last seen to pass, inbound and outbound.
    pub(super) fn idle_ms(&self, now: Now) -> [Option<u64>; 2] {
        self.last.map(|last| Some(now.0.saturating_sub(last?.0) / 1000))
    }

    /// Looks at the counters. `open`: which directions the gates of both sides let media through. What has changed is handed to `tell`.
    pub(super) fn look(
        &mut self,
        now: Now,
        passed: Passed,
        open: [bool; 2],
        watch: &Watch,
        mut tell: impl FnMut(Way, Activity),
    ) {
        if !std::mem::replace(&mut self.begun, true) {
            (self.since, self.told) = ([now; 2], Default::default());
        }
        for direction in 0..2 {
            if passed[direction] != self.seen[direction] {
                (self.seen[direction], self.last[direction]) = (passed[direction], Some(now));
            }
            if !open[direction] {
                self.since[direction] = now;
            }
        }
        if watch.is_none() {
            return;
        }
        let quiet_ms = [0, 1].map(|direction: usize| {
            let from = self.last[direction].unwrap_or_default().0.max(self.since[direction].0);
            now.0.saturating_sub(from) / 1000
        });
        for way in Way::ALL {
            let Some(limit_ms) = watch.limit_ms(way) else { continue };
            let (is_open, quiet_ms) = match way {
                Way::In => (open[0], quiet_ms[0]),
                Way::Out => (open[1], quiet_ms[1]),
                Way::Both => {
                    (open[0] || open[1], quiet_ms[0].min(quiet_ms[1]).max(held_apart(open, quiet_ms)))
                }
            };
            let activity = match (is_open, quiet_ms >= u64::from(limit_ms)) {
                (false, _) => Activity::Held,
                (true, true) => Activity::Stopped,
                (true, false) => Activity::Flowing,
            };
            let told = &mut self.told[way as usize];
            if std::mem::replace(told, activity) != activity {
                tell(way, activity);
            }
        }
    }
}

/// With one direction shut, `Both` is about the other.
const fn held_apart(open: [bool; 2], quiet_ms: [u64; 2]) -> u64 {
    match open {
        [true, false] => quiet_ms[0],
        [false, true] => quiet_ms[1],
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: [bool; 2] = [true; 2];

    struct Bench {
        activities: Activities,
        watch: Watch,
        now_ms: u64,
        passed: Passed,
        open: [bool; 2],
    }

    impl Bench {
        fn new(watch: Watch) -> Self {
            let mut bench =
                Self { activities: Activities::default(), watch, now_ms: 0, passed: [0; 2], open: OPEN };
            bench.look();
            bench
        }

        /// A second passes, with packets in these directions.
        fn second(&mut self, came: bool, left: bool) -> Vec<(Way, Activity)> {
            self.now_ms += 1000;
            self.passed = [self.passed[0] + u64::from(came), self.passed[1] + u64::from(left)];
            self.look()
        }

        fn look(&mut self) -> Vec<(Way, Activity)> {
            let mut told = Vec::new();
            let now = Now(self.now_ms * 1000);
            self.activities
                .look(now, self.passed, self.open, &self.watch, |way, what| told.push((way, what)));
            told
        }

        fn seconds(&mut self, count: u32, came: bool, left: bool) -> Vec<(Way, Activity)> {
            (0..count).flat_map(|_| self.second(came, left)).collect()
        }
    }

    fn watch(way: Way, seconds: u32) -> Watch {
        let mut watch = Watch::default();
        watch.set(way, seconds * 1000);
        watch
    }

    #[test]
    fn silence_is_told_once_and_again_after_media_came_back() {
        let mut bench = Bench::new(watch(Way::In, 3));
        assert!(bench.seconds(10, true, false).is_empty(), "outbound is not watched");
        assert_eq!(bench.seconds(10, false, true), [(Way::In, Activity::Stopped)]);
        assert_eq!(bench.seconds(2, true, true), [(Way::In, Activity::Flowing)]);
        assert_eq!(bench.seconds(10, false, true), [(Way::In, Activity::Stopped)]);
    }

    #[test]
    fn media_that_never_start_are_silence_too() {
        let mut bench = Bench::new(watch(Way::Out, 5));
        assert!(bench.seconds(4, false, false).is_empty());
        assert_eq!(bench.second(false, false), [(Way::Out, Activity::Stopped)]);
        assert_eq!(bench.activities.idle_ms(Now(9_000_000)), [None; 2]);
    }

    #[test]
    fn a_shut_gate_holds_the_clock_and_an_open_one_begins_it_anew() {
        let mut bench = Bench::new(watch(Way::In, 3));
        bench.open = [false, true];
        assert_eq!(bench.seconds(10, false, false), [(Way::In, Activity::Held)]);
        bench.open = OPEN;
        assert_eq!(bench.seconds(2, false, false), [(Way::In, Activity::Flowing)]);
        assert_eq!(bench.second(false, false), [(Way::In, Activity::Stopped)]);
    }

    #[test]
    fn both_ways_stop_when_neither_carries_anything() {
        let mut bench = Bench::new(watch(Way::Both, 3));
        assert!(bench.seconds(10, false, true).is_empty());
        assert!(bench.seconds(10, true, false).is_empty());
        assert_eq!(bench.seconds(4, false, false), [(Way::Both, Activity::Stopped)]);
        assert_eq!(bench.second(false, true), [(Way::Both, Activity::Flowing)]);
        // Held one way: the other alone decides.
        bench.open = [true, false];
        assert_eq!(bench.seconds(4, false, false), [(Way::Both, Activity::Stopped)]);
        bench.open = [false; 2];
        assert_eq!(bench.second(false, false), [(Way::Both, Activity::Held)]);
    }

    #[test]
    fn three_watches_of_one_stream_do_not_disturb_one_another() {
        let mut both = watch(Way::In, 2);
        both.set(Way::Out, 4000);
        both.set(Way::Both, 6000);
        let mut bench = Bench::new(both);
        let stopped = [Way::In, Way::Out, Way::Both].map(|way| (way, Activity::Stopped));
        assert_eq!(bench.seconds(7, false, false), stopped);
        assert_eq!(bench.activities.idle_ms(Now(9_000_000)), [None; 2]);
    }
}
