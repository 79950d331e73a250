//! Events of ROOT: what concerns the gateway as a whole, such as a controller that is not heard (H.248.14).
//!
//! They are set with a Modify of ROOT in the null context or in all contexts, and told in the context in which they were set. As with a
//! termination, one Notify is unanswered at a time and what happens meanwhile waits behind it, bounded. Each package gives its event to
//! [`Executor::observe_root`], which tells it only if somebody asked.

use super::events::{MAX_WAITING_EVENTS, Notification};
use super::view::ActiveEvents;
use super::*;
use crate::package::inactivity;

/// What ROOT was asked to tell, and how far that is.
#[derive(Debug)]
pub(super) struct RootEvents {
    active: Option<ActiveEvents>,
    /// Where the events were set.
    context: ContextId,
    /// Who set them, for a gateway without an association.
    listener: Option<Peer>,
    notifying: bool,
    waiting: VecDeque<EventSpec>,
    /// When whoever commands was last heard.
    last_heard: Now,
    /// When to look whether that was too long ago.
    silence_ends: Option<Now>,
}

impl Default for RootEvents {
    fn default() -> Self {
        Self {
            active: None,
            context: ContextId::Null,
            listener: None,
            notifying: false,
            waiting: VecDeque::new(),
            last_heard: Now::ZERO,
            silence_ends: None,
        }
    }
}

impl RootEvents {
    pub(super) fn active(&self) -> Option<&ActiveEvents> {
        self.active.as_ref()
    }

    /// The request for an event, if it was asked for.
    pub(super) fn asked(&self, package: &str, item: &str) -> Option<&RequestedEvent> {
        self.active.as_ref()?.events.iter().find(|event| event.name.is(package, item))
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
        too_quiet && !self.notifying
    }

    fn observe(&mut self, event: EventSpec) -> Option<Notification> {
        let request = self.active.as_ref()?.request;
        if self.notifying {
            if self.waiting.len() < MAX_WAITING_EVENTS {
                self.waiting.push_back(event);
            }
            return None;
        }
        self.notifying = true;
        let (context, listener) = (self.context, self.listener);
        Some(Notification { id: None, context, name: TerminationId::Root, request, event, listener })
    }

    /// The Notify was answered, or will not be; what waited behind it.
    pub(super) fn notified(&mut self) -> Option<Notification> {
        self.notifying = false;
        let next = self.waiting.pop_front()?;
        self.observe(next)
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
        root.waiting.clear();
        root.listener = events.is_some().then_some(peer);
        (root.active, root.context, root.last_heard) = (events, context, now);
        root.silence_ends = root.tolerated_silence().map(|period| now + period);
    }

    /// Something has happened to the gateway as a whole; what the controller wants to hear of it.
    pub(crate) fn observe_root(&mut self, event: EventSpec) -> Option<Notification> {
        let wanted = self.root_events.asked(event.name.package.as_str(), event.name.item.as_str()).is_some();
        if wanted { self.root_events.observe(event) } else { None }
    }
}
