//! What the threads of the process tell each other about being alive and ready, in a few atomics.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Control that has not been heard of for so long is stuck.
pub const STUCK: Duration = Duration::from_secs(5);

/// Alive and ready, as `/healthz`, `/readyz` and systemd's watchdog see it.
#[derive(Debug)]
pub struct Health {
    began: Instant,
    /// Milliseconds after `began` at which control last said that it lives.
    control_ms: AtomicU64,
    /// Why a worker is not well.
    workers: Mutex<Option<String>>,
    registered: AtomicBool,
    draining: AtomicBool,
}

impl Health {
    /// At the start: alive, and ready only once registered where asked to.
    pub fn new(must_register: bool) -> Self {
        Self {
            began: Instant::now(),
            control_ms: AtomicU64::new(0),
            workers: Mutex::new(None),
            registered: AtomicBool::new(!must_register),
            draining: AtomicBool::new(false),
        }
    }

    /// Control lives.
    pub fn control_lives(&self) {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.control_ms.store(ms, Ordering::Relaxed);
    }

    /// How the workers are; `None` is well.
    pub fn set_workers(&self, trouble: Option<String>) {
        *self.workers.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Whether a controller has taken us.
    pub fn set_registered(&self, registered: bool) {
        self.registered.store(registered, Ordering::Relaxed);
    }

    /// Whether no more calls are taken.
    pub fn set_draining(&self, draining: bool) {
        self.draining.store(draining, Ordering::Relaxed);
    }

    /// Whether no more calls are taken.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Time since the start.
    pub fn uptime(&self) -> Duration {
        self.began.elapsed()
    }

    /// Why the process is not well, if it is not.
    pub fn trouble(&self) -> Option<String> {
        let silent = self
            .began
            .elapsed()
            .saturating_sub(Duration::from_millis(self.control_ms.load(Ordering::Relaxed)));
        if silent > STUCK {
            return Some(format!("control has been stuck for {} s", silent.as_secs()));
        }
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Why no calls should be sent here, if so.
    pub fn not_ready(&self) -> Option<String> {
        if let Some(trouble) = self.trouble() {
            return Some(trouble);
        }
        if self.draining.load(Ordering::Relaxed) {
            return Some("draining".to_owned());
        }
        (!self.registered.load(Ordering::Relaxed)).then(|| "not registered with a controller".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_follows_registration_drain_and_workers() {
        let health = Health::new(true);
        assert!(health.not_ready().unwrap().contains("not registered"));
        health.set_registered(true);
        assert_eq!(health.not_ready(), None);
        health.set_workers(Some("worker 0 is stuck".to_owned()));
        assert_eq!(health.trouble().as_deref(), Some("worker 0 is stuck"));
        health.set_workers(None);
        health.set_draining(true);
        assert_eq!(health.not_ready().as_deref(), Some("draining"));
        assert_eq!(health.trouble(), None, "draining is no illness");
        health.set_draining(false);
        assert_eq!(health.not_ready(), None);
    }
}
