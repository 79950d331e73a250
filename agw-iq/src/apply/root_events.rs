//! Events of ROOT: what concerns the gateway as a whole, such as a controller that is not heard (H.248.14).
//!
//! They are set with a Modify of ROOT in the null context or in all contexts, and told in the context in which they were set. As with a
//! termination, one Notify is unanswered at a time and what happens meanwhile waits behind it, bounded. Each package gives its event to
//! [`Executor::observe_root`], which tells it only if somebody asked.

use super::events::Notification;
use super::listening::{Listening, Occurrence};
use super::view::ActiveEvents;
use super::*;
use crate::package::inactivity;

/// What ROOT was asked to tell, and how far that is.
#[derive(Debug)]
pub(super) struct RootEvents {
    listening: Listening,
    /// Where the events were set.
    context: ContextId,
    /// When whoever commands was last heard.
    last_heard: Now,
    /// When to look whether that was too long ago.
    silence_ends: Option<Now>,
}

impl Default for RootEvents {
    fn default() -> Self {
        Self {
            listening: Listening::default(),
            context: ContextId::Null,
            last_heard: Now::ZERO,
            silence_ends: None,
        }
    }
}

impl RootEvents {
    pub(super) fn active(&self) -> Option<&ActiveEvents> {
        self.listening.active()
    }

    pub(super) fn listening(&self) -> &Listening {
        &self.listening
    }

    /// The request for an event, if it was asked for.
    pub(super) fn asked(&self, package: &str, item: &str) -> Option<&RequestedEvent> {
        self.listening.asked(package, item)
    }

    fn tolerated_silence(&self) -> Option<std::time::Duration> {
        self.asked("it", "ito").and_then(inactivity::period)
    }

    pub(super) fn next_due(&self) -> Option<Now> {
        self.silence_ends
    }

    /// Whether it is time for `it/ito`. A message that has come meanwhile puts it off without any work at the time of the message.
    pub(super) fn is_too_quiet(&mut self, now: Now) -> bool {
        let Some(period) = self.silence_ends.filter(|at| *at <= now).and(self.tolerated_silence()) else {
            return false;
        };
        let quiet_until = self.last_heard + period;
        let too_quiet = quiet_until <= now;
        self.silence_ends = Some(if too_quiet { now + period } else { quiet_until });
        // While a Notify is unanswered the controller owes us a sign of life already.
        too_quiet && !self.listening.is_busy()
    }

    fn next(&mut self) -> Option<Notification> {
        Notification::next(&mut self.listening, None, self.context, &TerminationId::Root)
    }

    /// The Notify was answered, or will not be; what waited behind it.
    pub(super) fn notified(&mut self) -> Option<Notification> {
        self.listening.answered();
        self.next()
    }
}

impl Executor {
    /// Whoever commands has said something.
    pub(crate) fn heard(&mut self, now: Now) {
        self.root_events.last_heard = now;
    }

    /// Puts an Events descriptor of ROOT in force.
    pub(super) fn listen_on_root(
        &mut self,
        now: Now,
        events: Option<ActiveEvents>,
        context: ContextId,
        peer: Peer,
    ) {
        let root = &mut self.root_events;
        root.listening.set(events, peer);
        (root.context, root.last_heard) = (context, now);
        root.silence_ends = root.tolerated_silence().map(|period| now + period);
    }

    /// Something has happened to the gateway as a whole; what the controller wants to hear of it.
    pub(crate) fn observe_root(&mut self, now: Now, event: EventSpec) -> Option<Notification> {
        let outcome = self.root_events.listening.occur(Occurrence { event, at: now });
        self.events_lost += u64::from(outcome.lost);
        self.root_events.next()
    }
}
