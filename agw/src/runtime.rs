//! The worker threads: one per core, pinned, each turning its worker for ever. A worker that ends, by an error of its backend or by a
//! panic, is a reason to end the process (its calls are lost, and a supervisor starts us anew); one that does not turn any more
//! is found by its counter of turns.

use agw_core::io::{PacketIo, sys};
use agw_core::worker::Worker;
use agw_core::worker::stats::{Counter, WorkerCounters};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// The longest that an idle worker waits: it then turns anyway, so that it is seen to live.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// A worker that has not turned for so long is stuck.
const STUCK: Duration = Duration::from_secs(3);

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
}

impl WorkerWatch {
    /// Share of its time that it has worked, since the start.
    pub fn busy_ratio(&self) -> f64 {
        let elapsed = self.counters.get(Counter::ElapsedUs);
        if elapsed == 0 { 0.0 } else { self.counters.get(Counter::BusyUs) as f64 / elapsed as f64 }
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
    pub fn start<Io: PacketIo + Send + 'static>(
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
            started.watches.push(WorkerWatch { worker: number, core, counters: worker.counters() });
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

    /// A worker that does not turn any more, in words. To be asked every second or so.
    pub fn stuck(&mut self, now: Instant) -> Option<String> {
        let mut found = None;
        for (watch, seen) in self.watches.iter().zip(&mut self.turns_seen) {
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

fn turn_for_ever<Io: PacketIo>(
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
    fn workers_get_different_cores() {
        let cores = cores_for(1);
        assert_eq!(cores.len(), 1);
        assert!(cores_for(100_000).is_empty());
    }
}
