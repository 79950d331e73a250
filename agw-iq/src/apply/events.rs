//! Events: what the controller wants to hear, when, and what it answers (H.248.1 sections 7.1.9 and 7.2.7).
//!
//! What waits is in `listening`; here descriptors are read, what happens is put before them, and what follows is done: embedded
//! descriptors, releases of terminations that the controller does not know. Heartbeats (`hangterm/thb`) are
//! armed when the event is set and looked at again when they run out: a message that named the termination meanwhile puts them off
//! without any work at the time of the message. What concerns the gateway as a whole is in `root_events`.

use super::listening::{Listening, Occurrence, Outcome};
use super::plan::Listens;
use super::*;
use crate::package::generic::{self, Ending};
use crate::package::{self, hanging, inactivity};
use std::collections::{BTreeMap, BTreeSet};
use view::{ActiveEvents, Termination};

/// A Notify that wants to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Notification {
    /// `None`: ROOT.
    pub(crate) id: Option<model::TerminationId>,
    pub(crate) context: ContextId,
    pub(crate) name: TerminationId,
    pub(crate) request: RequestId,
    pub(crate) event: EventSpec,
    /// When it happened.
    pub(crate) at: Now,
    /// Of the descriptor that asked for it.
    epoch: u32,
    /// Who asked for it, for a gateway without an association.
    pub(crate) listener: Option<Peer>,
}

impl Notification {
    /// The next that is to be told of a termination or of ROOT.
    pub(super) fn next(
        listening: &mut Listening,
        id: Option<model::TerminationId>,
        context: ContextId,
        name: &TerminationId,
    ) -> Option<Self> {
        let (request, Occurrence { event, at }) = listening.next()?;
        let (epoch, listener) = (listening.epoch(), listening.listener());
        Some(Self { id, context, name: name.clone(), request, event, at, epoch, listener })
    }
}

/// When to look at terminations.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    heartbeats: BTreeSet<(Now, u32)>,
    /// Terminations that the controller does not know, and when they go.
    hanging: BTreeSet<(Now, u32)>,
    by_termination: BTreeMap<u32, Now>,
}

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

/// Where events are to be detected.
#[derive(Clone, Copy)]
pub(super) enum Detector<'a> {
    Root,
    /// On a termination that has these streams.
    Termination(&'a dyn Fn(u16) -> bool),
}

/// Checks an Events descriptor of ROOT or of a termination; `None` ends detection.
///
/// # Errors
/// 440, 446, 451, 454, 457, 458, 501, 512 (also for an event of ROOT elsewhere and the other way round), 513, and 449 for a stream that is
/// not there.
pub(super) fn read_events(
    descriptor: &EventsDescriptor,
    detector: Detector<'_>,
) -> Result<Option<ActiveEvents>, ErrorDescriptor> {
    let request = read_request(descriptor.request, descriptor.events.is_empty())?;
    for event in &descriptor.events {
        check_event(&event.name, event.stream, &event.parms, event.digit_map.is_some(), detector)?;
        match &event.embed {
            None => {}
            Some(embed) => check_embedded(&event.name, embed, detector)?,
        }
    }
    Ok(request.map(|request| ActiveEvents { request, events: descriptor.events.clone() }))
}

/// Checks an EventBuffer descriptor.
///
/// # Errors
/// As [`read_events`].
pub(super) fn check_event_buffer(
    wanted: &EventBufferDescriptor,
    detector: Detector<'_>,
) -> Result<(), ErrorDescriptor> {
    wanted.iter().try_for_each(|event| check_event(&event.name, event.stream, &[], false, detector))
}

fn read_request(request: Option<RequestId>, empty: bool) -> Result<Option<RequestId>, ErrorDescriptor> {
    match request {
        _ if empty => Ok(None),
        Some(RequestId::Id(id)) => Ok(Some(RequestId::Id(id))),
        _ => Err(ErrorDescriptor::new(ErrorCode::UNEXPECTED_REQUEST_ID)),
    }
}

/// One event, or with `*` all events of a package.
fn check_event(
    name: &PkgdName,
    stream: Option<u16>,
    parms: &[Parm],
    digit_map: bool,
    detector: Detector<'_>,
) -> Result<(), ErrorDescriptor> {
    let on_root = matches!(detector, Detector::Root);
    let place = if on_root { "on ROOT" } else { "is an event of ROOT" };
    let misplaced = || ErrorDescriptor::with_text(ErrorCode::CANNOT_DETECT_EVENT, format!("{name} {place}"));
    if name.item.is_all() {
        if !package::events_of(name)?.any(|known| known.on_root == on_root) {
            return Err(misplaced());
        }
        package::check_parameters(name, &[], parms)?;
    } else {
        let known = package::event(name)?;
        if known.on_root != on_root {
            return Err(misplaced());
        }
        package::check_parameters(name, known.requested, parms)?;
    }
    if digit_map {
        let text = format!("{name} with a digit map");
        return Err(ErrorDescriptor::with_text(ErrorCode::NOT_IMPLEMENTED, text));
    }
    let exists = |stream| match detector {
        Detector::Root => false,
        Detector::Termination(exists) => exists(stream),
    };
    match stream.filter(|stream| !exists(*stream)) {
        None => Ok(()),
        Some(stream) => {
            let text = format!("{name} Stream = {stream}");
            Err(ErrorDescriptor::with_text(ErrorCode::UNSUPPORTED_VALUE, text))
        }
    }
}

/// Embedded descriptors can be put in force as they are: then they are not looked at again when the event happens.
fn check_embedded(name: &PkgdName, embed: &Embed, detector: Detector<'_>) -> Result<(), ErrorDescriptor> {
    let Detector::Termination(exists) = detector else {
        let text = format!("{name} on ROOT with embedded descriptors");
        return Err(ErrorDescriptor::with_text(ErrorCode::NOT_IMPLEMENTED, text));
    };
    let signals = |signals: &Option<SignalsDescriptor>| match signals {
        None => Ok(()),
        Some(signals) => playing::read_signals(signals, exists).map(|_| ()),
    };
    signals(&embed.signals)?;
    let Some(events) = &embed.events else { return Ok(()) };
    read_request(events.request, events.events.is_empty())?;
    for event in &events.events {
        check_event(&event.name, event.stream, &event.parms, event.digit_map.is_some(), detector)?;
        signals(&event.signals)?;
    }
    Ok(())
}

/// An embedded Events descriptor as one in force.
fn embedded(events: EmbeddedEvents) -> Option<ActiveEvents> {
    let event = |event: EmbeddedEvent| RequestedEvent {
        stream: event.stream,
        keep_active: event.keep_active,
        embed: event.signals.map(|signals| Embed { signals: Some(signals), events: None }),
        ..RequestedEvent::new(event.name, event.parms)
    };
    let request = events.request.filter(|_| !events.events.is_empty())?;
    Some(ActiveEvents { request, events: events.events.into_iter().map(event).collect() })
}

impl Executor {
    /// Puts in force what a command says of events and signals.
    pub(super) fn install_events(
        &mut self,
        now: Now,
        id: model::TerminationId,
        listens: Listens,
        peer: Peer,
        gateway: &mut dyn Gateway,
    ) {
        let Some(termination) = self.view.termination_mut(id) else { return };
        if let Some(control) = listens.buffer_control {
            termination.listening.control(control);
        }
        if let Some(wanted) = listens.event_buffer {
            termination.listening.buffer(wanted);
        }
        let mut ended = Vec::new();
        for (stream, asked) in listens.signals {
            let connection = termination.streams.get(&stream).and_then(|stream| stream.connection.as_ref());
            let done = connection.is_some_and(|connection| connection.has(asked.action.kind()));
            ended.extend(termination.playing.begin(stream, asked, done));
        }
        if let Some(events) = listens.events {
            self.listen(now, id, events, peer, gateway);
        }
        for ended in ended {
            self.occur(now, id, noticed::completion(ended), gateway);
        }
    }

    /// Puts an Events descriptor of the controller in force.
    fn listen(
        &mut self,
        now: Now,
        id: model::TerminationId,
        events: Option<ActiveEvents>,
        peer: Peer,
        gateway: &mut dyn Gateway,
    ) {
        let Some(termination) = self.view.termination_mut(id) else { return };
        termination.listening.set(events, peer);
        self.go_on_listening(now, id, gateway);
    }

    /// New events are in force: arms their clock, and puts before them what LockStep has kept.
    fn go_on_listening(&mut self, now: Now, id: model::TerminationId, gateway: &mut dyn Gateway) {
        self.clocks.disarm(id);
        let default = self.timers.heartbeat;
        if let Some(period) =
            self.view.termination(id).and_then(|termination| heartbeat_period(termination, default))
        {
            self.clocks.arm(id, now + period);
        }
        while let Some(outcome) =
            self.view.termination_mut(id).and_then(|termination| termination.listening.replay())
        {
            self.follow(now, id, outcome, gateway);
        }
    }

    /// Something has happened on a termination.
    pub(super) fn occur(
        &mut self,
        now: Now,
        id: model::TerminationId,
        event: EventSpec,
        gateway: &mut dyn Gateway,
    ) {
        if let Some(termination) = self.view.termination_mut(id) {
            let outcome = termination.listening.occur(Occurrence { event, at: now });
            self.follow(now, id, outcome, gateway);
        }
    }

    /// Does what follows from an event.
    fn follow(&mut self, now: Now, id: model::TerminationId, outcome: Outcome, gateway: &mut dyn Gateway) {
        self.events_lost += u64::from(outcome.lost);
        self.ready.push_back(id);
        // What embedded descriptors bring about brings about nothing more: no chain of them can go round.
        if let Some(embed) = outcome.embed.filter(|_| !self.embedding) {
            self.embedding = true;
            self.embed(now, id, embed, gateway);
            self.embedding = false;
        }
    }

    /// Puts embedded descriptors in force (H.248.1 section 7.1.9).
    fn embed(&mut self, now: Now, id: model::TerminationId, embed: Embed, gateway: &mut dyn Gateway) {
        let Some(termination) = self.view.termination_mut(id) else { return };
        let Some(peer) = termination.listening.listener() else { return };
        let replaces = embed.events.is_some();
        if let Some(events) = embed.events {
            termination.listening.replace(embedded(events));
        }
        // Signals, and what the new events want to be watched, go the way of a Modify.
        let signals = embed.signals.filter(|signals| !signals.is_empty());
        let name = |item: &SignalItem| match item {
            SignalItem::Signal(signal) => Some((signal.name.clone(), signal.stream)),
            SignalItem::List { .. } => None,
        };
        let names: Vec<_> = signals.iter().flatten().filter_map(name).collect();
        let request = AmmRequest { signals, ..AmmRequest::default() };
        let mut execution = Execution::new(Caller { peer, keys_allowed: false }, Vec::new());
        if self.modify(now, id, &request, &mut execution, gateway).is_err() {
            for (name, stream) in names {
                self.occur(now, id, generic::completion(&name, stream, Ending::NotCompleted), gateway);
            }
        }
        if replaces {
            self.go_on_listening(now, id, gateway);
        }
    }

    /// The next Notify that is to be sent because of what has happened; call until `None` after anything that may have brought one.
    pub(crate) fn take_notification(&mut self) -> Option<Notification> {
        while let Some(id) = self.ready.pop_front() {
            let Some(termination) = self.view.termination_mut(id) else { continue };
            let context = ContextId::Id(termination.context.0);
            let next = Notification::next(&mut termination.listening, Some(id), context, &termination.name);
            if next.is_some() {
                return next;
            }
        }
        None
    }

    /// Events for which there was no room, since this was last asked.
    pub(crate) fn take_events_lost(&mut self) -> u64 {
        std::mem::take(&mut self.events_lost)
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
            let Some(termination) = self.view.termination(id) else { continue };
            let Some(period) = heartbeat_period(termination, default) else { continue };
            let quiet_until = termination.last_named + period;
            let is_busy = termination.listening.is_busy();
            self.clocks.arm(id, if quiet_until > now { quiet_until } else { now + period });
            // One heartbeat at a time: while something is to be told the controller hears of the termination anyway.
            if quiet_until <= now && !is_busy {
                self.occur(now, id, hanging::heartbeat(), gateway);
                return self.take_notification();
            }
        }
        if self.root_events.is_too_quiet(now) {
            return self.observe_root(now, inactivity::timed_out());
        }
        None
    }

    /// Whether what was to be told still concerns something: its termination is there and still listens to the descriptor that asked.
    pub(crate) fn is_current(&self, notification: &Notification) -> bool {
        let listening = match notification.id {
            None => Some(self.root_events.listening()),
            Some(id) => self.view.termination(id).map(|termination| &termination.listening),
        };
        listening.is_some_and(|listening| listening.epoch() == notification.epoch)
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
        termination.listening.answered();
        if error.is_some_and(hanging::is_hanging) {
            termination.listening.hush();
            self.clocks.disarm(id);
            self.clocks.hanging.insert((release_at, id.0));
            return None;
        }
        self.ready.push_back(id);
        self.take_notification()
    }
}

fn heartbeat_period(termination: &Termination, default: std::time::Duration) -> Option<std::time::Duration> {
    let event = termination.listening.asked("hangterm", "thb")?;
    Some(hanging::period(event, default))
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
