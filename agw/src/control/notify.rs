//! What systemd is told (`Type=notify-reload`): ready, reloading, stopping, and alive as long as workers and control are. Without
//! systemd all of it does nothing.

use sd_notify::{NotifyState, notify, watchdog_enabled};
use std::time::Duration;

/// The line to systemd.
#[derive(Debug)]
pub(super) struct Systemd {
    /// Only the process's own gateway speaks, not a demo's.
    speaks: bool,
    watchdog: Option<Duration>,
}

impl Systemd {
    pub(super) fn new(speaks: bool) -> Self {
        Self { speaks, watchdog: if speaks { watchdog_enabled() } else { None } }
    }

    /// How often `alive` is to be called: `usual`, or twice per watchdog period.
    pub(super) fn round(&self, usual: Duration) -> Duration {
        self.watchdog.map_or(usual, |period| usual.min(period / 2)).max(Duration::from_millis(10))
    }

    pub(super) fn ready(&self) {
        self.say(&[NotifyState::Ready]);
    }

    pub(super) fn reloading(&self) {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            self.say(&[NotifyState::Reloading, now]);
        }
    }

    pub(super) fn stopping(&self) {
        self.say(&[NotifyState::Stopping]);
    }

    /// Feeds the watchdog, unless something is wrong.
    pub(super) fn alive(&self, well: bool) {
        if well && self.watchdog.is_some() {
            self.say(&[NotifyState::Watchdog]);
        }
    }

    fn say(&self, what: &[NotifyState<'_>]) {
        if self.speaks
            && let Err(error) = notify(what)
        {
            tracing::warn!(%error, "systemd could not be told");
        }
    }
}
