//! The worker threads: one per core, pinned, each turning its worker for ever. A worker that ends, by an error of its backend or by a
//! panic, is a reason to end the process (its calls are lost, and a supervisor starts us anew); one that does not turn any more
//! is found by its counter of turns.

use agw_core::io::stream::StreamIo;
use agw_core::io::{PacketIo, sys};
use agw_core::worker::Worker;
use agw_core::worker::stats::{Counter, WorkerCounters};
use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// The longest that an idle worker waits: it then turns anyway, so that it is seen to live.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// A worker that has not turned for so long is stuck.
const STUCK: Duration = Duration::from_secs(3);
/// How long a time a worker's busy ratio speaks of.
const BUSY_WINDOW: Duration = Duration::from_secs(10);
/// How far apart the samples for it are at least.
const BUSY_STEP: Duration = Duration::from_millis(500);

/// How many workers `configured` means on a host with so many cores: one per core, one core left to control from four up.
pub fn size(configured: usize, cores: usize) -> usize {
    match (configured, cores) {
        (0, cores @ 4..) => cores - 1,
        (0, cores) => cores.max(1),
        (n, _) => n,
    }
}

/// A worker as others see it.
#[derive(Debug, Clone)]
pub struct WorkerWatch {
    /// Its number.
    pub worker: usize,
    /// The core it is pinned to.
    pub core: Option<usize>,
    /// What it counts.
    pub counters: Arc<WorkerCounters>,
    /// How busy it was at a few moments lately. Never touched by the worker itself.
    recent: Arc<Mutex<BusySamples>>,
}

impl WorkerWatch {
    /// Share of its time that it has worked, over about the last [`BUSY_WINDOW`].
    pub fn busy_ratio(&self) -> f64 {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).ratio(self.times())
    }

    fn sample(&self, now: Instant) {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).take(now, self.times());
    }

    fn times(&self) -> WorkerTimes {
        let (busy_us, elapsed_us) =
            (self.counters.get(Counter::BusyUs), self.counters.get(Counter::ElapsedUs));
        WorkerTimes { busy_us, elapsed_us }
    }
}

/// A worker's time since its start.
#[derive(Debug, Clone, Copy, Default)]
struct WorkerTimes {
    busy_us: u64,
    elapsed_us: u64,
}

/// What a worker's times were lately. At most [`BUSY_WINDOW`] / [`BUSY_STEP`] samples and two.
#[derive(Debug, Default)]
struct BusySamples(VecDeque<(Instant, WorkerTimes)>);

impl BusySamples {
    fn take(&mut self, now: Instant, times: WorkerTimes) {
        let age = |at: Instant| now.saturating_duration_since(at);
        if self.0.back().is_some_and(|&(at, _)| age(at) < BUSY_STEP) {
            return;
        }
        // The oldest one kept is the youngest that covers the window.
        while self.0.get(1).is_some_and(|&(at, _)| age(at) >= BUSY_WINDOW) {
            self.0.pop_front();
        }
        self.0.push_back((now, times));
    }

    fn ratio(&self, now: WorkerTimes) -> f64 {
        let before = self.0.front().map(|&(_, times)| times).unwrap_or_default();
        let busy = now.busy_us.saturating_sub(before.busy_us);
        let elapsed = now.elapsed_us.saturating_sub(before.elapsed_us);
        if elapsed == 0 { 0.0 } else { (busy as f64 / elapsed as f64).min(1.0) }
    }
}

/// A worker has ended although nobody asked it to.
#[derive(Debug)]
pub struct WorkerEnd {
    /// Which one.
    pub worker: usize,
    /// Why.
    pub why: String,
}

/// The running threads. Dropping ends them.
#[derive(Debug)]
pub struct Workers {
    watches: Vec<WorkerWatch>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
    turns_seen: Vec<(u64, Instant)>,
}

impl Workers {
    /// Starts a thread for each worker. `told` is called on the worker's thread after turns that answered something; `ended` gets
    /// the workers that end by themselves.
    ///
    /// # Errors
    /// When a thread cannot be started.
    pub fn start<Io: PacketIo + StreamIo + Send + 'static>(
        workers: Vec<Worker<Io>>,
        pin: bool,
        told: impl Fn() + Clone + Send + 'static,
        ended: &mpsc::Sender<WorkerEnd>,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let cores = if pin { cores_for(workers.len()) } else { Vec::new() };
        let mut started = Self { watches: Vec::new(), stop, threads: Vec::new(), turns_seen: Vec::new() };
        for (number, worker) in workers.into_iter().enumerate() {
            let core = cores.get(number).copied();
            let (counters, recent) = (worker.counters(), Arc::default());
            started.watches.push(WorkerWatch { worker: number, core, counters, recent });
            started.turns_seen.push((0, Instant::now()));
            let (stop, told) = (Arc::clone(&started.stop), told.clone());
            let farewell = Farewell { worker: number, ended: ended.clone(), why: None };
            let thread = std::thread::Builder::new()
                .name(format!("agw-worker-{number}"))
                .spawn(move || turn_for_ever(worker, core, &stop, told, farewell))?;
            started.threads.push(thread);
        }
        Ok(started)
    }

    /// How others see them.
    pub fn watches(&self) -> &[WorkerWatch] {
        &self.watches
    }

    /// Looks at each worker: a worker that does not turn any more, in words. To be asked every second or so.
    pub fn stuck(&mut self, now: Instant) -> Option<String> {
        let mut found = None;
        for (watch, seen) in self.watches.iter().zip(&mut self.turns_seen) {
            watch.sample(now);
            let turns = watch.counters.get(Counter::Turns);
            if turns != seen.0 {
                *seen = (turns, now);
            } else if now.saturating_duration_since(seen.1) > STUCK {
                found = Some(format!(
                    "worker {} has not turned for {} s",
                    watch.worker,
                    (now - seen.1).as_secs()
                ));
            }
        }
        found
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Tells of a thread's end, however it comes.
struct Farewell {
    worker: usize,
    ended: mpsc::Sender<WorkerEnd>,
    /// Empty string: it was asked to end.
    why: Option<String>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        let why = self.why.take().unwrap_or_else(|| "it panicked, see above".to_owned());
        if !why.is_empty() {
            let _ = self.ended.try_send(WorkerEnd { worker: self.worker, why });
        }
    }
}

fn turn_for_ever<Io: PacketIo + StreamIo>(
    mut worker: Worker<Io>,
    core: Option<usize>,
    stop: &AtomicBool,
    told: impl Fn(),
    mut farewell: Farewell,
) {
    if let Some(core) = core
        && let Err(error) = sys::pin_to_processor(core)
    {
        tracing::warn!(worker = farewell.worker, core, %error, "a worker could not be pinned");
    }
    while !stop.load(Ordering::Relaxed) {
        match worker.turn(LONGEST_WAIT) {
            Ok(()) if worker.take_told() => told(),
            Ok(()) => {}
            Err(error) => {
                farewell.why = Some(format!("its packet backend broke: {error}"));
                return;
            }
        }
    }
    farewell.why = Some(String::new());
}

/// The cores for so many workers: the last ones that we may run on, so that the first is left to control and the kernel.
fn cores_for(workers: usize) -> Vec<usize> {
    let Ok(cores) = sys::allowed_processors() else { return Vec::new() };
    // More workers than cores are not pinned: the scheduler knows better.
    cores.len().checked_sub(workers).map_or_else(Vec::new, |spare| cores.into_iter().skip(spare).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_core_is_left_to_control_from_four_up() {
        let sizes = [(0, 1), (0, 2), (0, 3), (0, 4), (0, 64), (7, 2)].map(|(n, cores)| size(n, cores));
        assert_eq!(sizes, [1, 2, 3, 3, 63, 7]);
    }

    #[test]
    fn the_busy_ratio_forgets_what_is_longer_ago_than_its_window() {
        let start = Instant::now();
        let (mut samples, mut times) = (BusySamples::default(), WorkerTimes::default());
        assert_eq!(samples.ratio(times), 0.0);
        let ratios: Vec<f64> = (0..=3000u64)
            .map(|tick| {
                samples.take(start + Duration::from_millis(tick * 10), times);
                times.elapsed_us += 10_000;
                // Idle for ten seconds, then half busy for ten, then idle.
                times.busy_us += if (1000..2000).contains(&tick) { 5_000 } else { 0 };
                samples.ratio(times)
            })
            .collect();
        assert_eq!(ratios[999], 0.0);
        assert!(
            (0.2..0.3).contains(&ratios[1500]) && ratios[1999] > 0.45,
            "{} {}",
            ratios[1500],
            ratios[1999]
        );
        assert!(ratios[3000] < 0.03, "{}", ratios[3000]);
        assert!(samples.0.len() <= 22, "{}", samples.0.len());
    }

    #[test]
    fn workers_get_different_cores() {
        let cores = cores_for(1);
        assert_eq!(cores.len(), 1);
        assert!(cores_for(100_000).is_empty());
    }
}
