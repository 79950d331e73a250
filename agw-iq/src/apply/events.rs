//! Events: what the controller wants to hear, when, and what it answers (H.248.1 sections 7.1.9 and 7.2.7).
//!
//! Each termination has at most one unanswered Notify; what happens meanwhile waits behind it, bounded. Heartbeats (`hangterm/thb`) are
//! armed when the event is set and looked at again when they run out: a message that named the termination meanwhile puts them off
//! without any work at the time of the message. What concerns the gateway as a whole is in `root_events`.

use super::*;
use crate::package::{self, generic, hanging, inactivity, srtp};
use agw_core::command::{Notice, Observation};
use agw_core::model::Direction;
use std::collections::BTreeSet;
use view::{ActiveEvents, Termination};

/// The most events that wait behind an unanswered Notify of one termination, or of ROOT.
pub(super) const MAX_WAITING_EVENTS: usize = 8;

/// A Notify that wants to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Notification {
    /// `None`: ROOT.
    pub(crate) id: Option<model::TerminationId>,
    pub(crate) context: ContextId,
    pub(crate) name: TerminationId,
    pub(crate) request: RequestId,
    pub(crate) event: EventSpec,
    /// Who asked for it, for a gateway without an association.
    pub(crate) listener: Option<Peer>,
}

/// When to look at terminations.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    heartbeats: BTreeSet<(Now, u32)>,
    /// Terminations that the controller does not know, and when they go.
    hanging: BTreeSet<(Now, u32)>,
    by_termination: BTreeMap<u32, Now>,
}

use std::collections::BTreeMap;

impl Clocks {
    fn arm(&mut self, id: model::TerminationId, at: Now) {
        self.disarm(id);
        self.heartbeats.insert((at, id.0));
        self.by_termination.insert(id.0, at);
    }

    fn disarm(&mut self, id: model::TerminationId) {
        if let Some(at) = self.by_termination.remove(&id.0) {
            self.heartbeats.remove(&(at, id.0));
        }
    }

    pub(super) fn stop(&mut self, id: model::TerminationId) {
        self.disarm(id);
        // Rare, so looked for.
        if !self.hanging.is_empty() {
            self.hanging.retain(|(_, hanging)| *hanging != id.0);
        }
    }
}

/// Checks an Events descriptor of ROOT or of a termination; `None` ends detection.
///
/// # Errors
/// 440, 446, 451, 454, 457, 458, 501, 512 (also for an event of ROOT elsewhere and the other way round), and 449 for a stream that is not
/// there.
pub(super) fn read_events(
    descriptor: &EventsDescriptor,
    on_root: bool,
    stream_exists: impl Fn(u16) -> bool,
) -> Result<Option<ActiveEvents>, ErrorDescriptor> {
    if descriptor.events.is_empty() {
        return Ok(None);
    }
    let request = match descriptor.request {
        Some(RequestId::Id(id)) => RequestId::Id(id),
        _ => return Err(ErrorDescriptor::new(ErrorCode::UNEXPECTED_REQUEST_ID)),
    };
    for event in &descriptor.events {
        let known = package::event(&event.name)?;
        if known.on_root != on_root {
            let place = if on_root { "on ROOT" } else { "is an event of ROOT" };
            let text = format!("{} {place}", event.name);
            return Err(ErrorDescriptor::with_text(ErrorCode::CANNOT_DETECT_EVENT, text));
        }
        package::check_parameters(&event.name, known.requested, &event.parms)?;
        if event.embed.is_some() || event.digit_map.is_some() {
            let text = format!("{} with embedded descriptors", event.name);
            return Err(ErrorDescriptor::with_text(ErrorCode::NOT_IMPLEMENTED, text));
        }
        if let Some(stream) = event.stream.filter(|stream| !stream_exists(*stream)) {
            let text = format!("{} Stream = {stream}", event.name);
            return Err(ErrorDescriptor::with_text(ErrorCode::UNSUPPORTED_VALUE, text));
        }
    }
    Ok(Some(ActiveEvents { request, events: descriptor.events.clone() }))
}

impl Executor {
    /// Puts an Events descriptor in force.
    pub(super) fn listen(
        &mut self,
        now: Now,
        id: model::TerminationId,
        events: Option<ActiveEvents>,
        peer: Peer,
    ) {
        self.clocks.disarm(id);
        let default = self.timers.heartbeat;
        let Some(termination) = self.view.termination_mut(id) else { return };
        termination.waiting.clear();
        termination.listener = events.is_some().then_some(peer);
        termination.events = events;
        if let Some(period) = heartbeat_period(termination, default) {
            self.clocks.arm(id, now + period);
        }
    }

    /// When to call [`Executor::take_due`].
    pub(crate) fn next_due(&self) -> Option<Now> {
        let first = |set: &BTreeSet<(Now, u32)>| set.first().map(|(at, _)| *at);
        let timers = [
            first(&self.clocks.heartbeats),
            first(&self.clocks.hanging),
            self.root_events.next_due(),
            self.service.next_due(),
        ];
        timers.into_iter().flatten().min()
    }

    /// The next Notify that is due by the clock; call until `None`. Hanging terminations whose time has come are taken out and counted in `released`.
    pub(crate) fn take_due(
        &mut self,
        now: Now,
        gateway: &mut dyn Gateway,
        released: &mut u64,
    ) -> Option<Notification> {
        self.change_what_is_due(now, gateway);
        while let Some((_, id)) = self.clocks.hanging.pop_first_if_due(now) {
            match gateway.execute(Order::Subtract(model::TerminationId(id))) {
                Err(refused) if refusal::passes(&refused) => {
                    self.clocks.hanging.insert((now + self.timers.hanging_release, id));
                }
                // What the model does not know is gone all the same.
                Ok(_) | Err(_) => {
                    self.forget(model::TerminationId(id));
                    *released += 1;
                }
            }
        }
        while let Some((_, id)) = self.clocks.heartbeats.pop_first_if_due(now) {
            self.clocks.by_termination.remove(&id);
            let id = model::TerminationId(id);
            let default = self.timers.heartbeat;
            let Some(termination) = self.view.termination_mut(id) else { continue };
            let Some(period) = heartbeat_period(termination, default) else { continue };
            let quiet_until = termination.last_named + period;
            let notification = (quiet_until <= now)
                .then(|| {
                    observe(
                        id,
                        termination,
                        EventSpec { name: PkgdName::new("hangterm", "thb"), stream: None, parms: Vec::new() },
                    )
                })
                .flatten();
            // One heartbeat at a time: while one is unanswered the next is only armed.
            self.clocks.arm(id, if quiet_until > now { quiet_until } else { now + period });
            if notification.is_some() {
                return notification;
            }
        }
        if self.root_events.is_too_quiet(now) { self.observe_root(inactivity::timed_out()) } else { None }
    }

    /// Whether what was to be told still concerns something: its termination is there and still listens.
    pub(crate) fn is_current(&self, notification: &Notification) -> bool {
        let active = match notification.id {
            None => self.root_events.active(),
            Some(id) => self.view.termination(id).and_then(|termination| termination.events.as_ref()),
        };
        active.is_some_and(|active| active.request == notification.request)
    }

    /// A worker noticed something; what the controller wants to hear of it.
    pub(crate) fn noticed(&mut self, notice: &Notice) -> Option<Notification> {
        let (direction, state) = match notice.what {
            Observation::KeyNearEnd(direction) => (direction, srtp::KeyState::NearEnd),
            Observation::KeyEnded(direction) => (direction, srtp::KeyState::Ended),
            _ => return None,
        };
        let termination = self.view.termination_mut(notice.termination)?;
        let stream = notice.stream;
        // SRTP-6
        let event = if wants(termination, "srtp", "keyexpiry", stream.0) {
            srtp::key_expiry(stream, direction, state)
        } else if state == srtp::KeyState::Ended && wants(termination, "g", "cause", stream.0) {
            let side = if direction == Direction::Inbound { "Remote" } else { "Local" };
            let words = format!("SRTP key of {side} has reached its lifetime");
            generic::cause(Some(stream), generic::GeneralCause::FailurePermanent, &words)
        } else {
            return None;
        };
        observe(notice.termination, termination, event)
    }

    /// A Notify was answered, or will not be; what waited behind it.
    pub(crate) fn notified(
        &mut self,
        now: Now,
        id: Option<model::TerminationId>,
        error: Option<ErrorCode>,
    ) -> Option<Notification> {
        let Some(id) = id else { return self.root_events.notified() };
        let release_at = now + self.timers.hanging_release;
        let termination = self.view.termination_mut(id)?;
        termination.notifying = false;
        if error.is_some_and(hanging::is_hanging) {
            termination.waiting.clear();
            self.clocks.disarm(id);
            self.clocks.hanging.insert((release_at, id.0));
            return None;
        }
        let next = termination.waiting.pop_front()?;
        observe(id, termination, next)
    }
}

fn heartbeat_period(termination: &Termination, default: std::time::Duration) -> Option<std::time::Duration> {
    let events = &termination.events.as_ref()?.events;
    let event = events.iter().find(|event| event.name.is("hangterm", "thb"))?;
    Some(hanging::period(event, default))
}

fn wants(termination: &Termination, package: &str, item: &str, stream: u16) -> bool {
    let events = termination.events.iter().flat_map(|active| &active.events);
    events
        .filter(|event| event.name.is(package, item))
        .any(|event| event.stream.is_none_or(|wanted| wanted == stream))
}

/// An event has happened: it is told now, or waits for the answer to the one before.
fn observe(
    id: model::TerminationId,
    termination: &mut Termination,
    event: EventSpec,
) -> Option<Notification> {
    let request = termination.events.as_ref()?.request;
    if termination.notifying {
        let heartbeat = event.name.is("hangterm", "thb");
        if !heartbeat && termination.waiting.len() < MAX_WAITING_EVENTS {
            termination.waiting.push_back(event);
        }
        return None;
    }
    termination.notifying = true;
    Some(Notification {
        id: Some(id),
        context: ContextId::Id(termination.context.0),
        name: termination.name.clone(),
        request,
        event,
        listener: termination.listener,
    })
}

/// Takes the first element out once it is due.
trait PopDue {
    fn pop_first_if_due(&mut self, now: Now) -> Option<(Now, u32)>;
}

impl PopDue for BTreeSet<(Now, u32)> {
    fn pop_first_if_due(&mut self, now: Now) -> Option<(Now, u32)> {
        if self.first()?.0 <= now { self.pop_first() } else { None }
    }
}
