//! What somebody was asked to tell and has not told yet: the Events and EventBuffer descriptors of a termination or of ROOT, and the
//! events that wait (H.248.1 sections 7.1.9 and 7.1.10).
//!
//! One Notify at a time is unanswered, so that events arrive in their order; those behind it wait, bounded. In LockStep an event that was
//! recognized suspends recognition until a new Events descriptor comes, be it embedded in that very event; what the EventBuffer descriptor
//! names is kept meanwhile with the time at which it happened. A new descriptor from the controller supersedes what waits, except for
//! what it asks for too, which goes under its own RequestID.

use super::view::ActiveEvents;
use crate::ast::{
    Embed, EventBufferControl, EventBufferDescriptor, EventSpec, PkgdName, RequestId, RequestedEvent,
};
use crate::transport::{Now, Peer};
use std::collections::VecDeque;

/// The most events that wait behind an unanswered Notify of one termination, or of ROOT.
pub(super) const MAX_WAITING_EVENTS: usize = 8;
/// The most events that are kept in LockStep.
pub(super) const MAX_BUFFERED_EVENTS: usize = 32;

/// Something that has happened, and when.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Occurrence {
    pub(super) event: EventSpec,
    pub(super) at: Now,
}

/// What came of an event.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Outcome {
    /// What is to be put in force with it.
    pub(super) embed: Option<Embed>,
    /// There was no room left for it.
    pub(super) lost: bool,
}

/// `EventBufferControl`, the EventBuffer descriptor, and the buffer.
#[derive(Debug, Default)]
struct Buffering {
    lock_step: bool,
    /// An event was recognized, and no new Events descriptor has come since.
    locked: bool,
    wanted: EventBufferDescriptor,
    kept: VecDeque<Occurrence>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Listening {
    active: Option<ActiveEvents>,
    listener: Option<Peer>,
    /// Grows with each descriptor that the controller sends: what was recognized before is not current any more.
    epoch: u32,
    /// A Notify is unanswered; those behind it wait.
    notifying: bool,
    waiting: VecDeque<(RequestId, Occurrence)>,
    /// Rare, so not part of every termination.
    buffering: Option<Box<Buffering>>,
}

impl Listening {
    /// The Events descriptor in force.
    pub(super) fn active(&self) -> Option<&ActiveEvents> {
        self.active.as_ref()
    }

    /// Who set it, for a gateway without an association.
    pub(super) fn listener(&self) -> Option<Peer> {
        self.listener
    }

    pub(super) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The request for an event of this name, on this stream or on none.
    pub(super) fn asked(&self, package: &str, item: &str) -> Option<&RequestedEvent> {
        let named = |name: &PkgdName| name.package == package && (name.item.is_all() || name.item == item);
        self.active.as_ref()?.events.iter().find(|asked| named(&asked.name))
    }

    /// Whether an event would be told or kept if it happened.
    pub(super) fn wants(&self, event: &EventSpec) -> bool {
        match self.locked() {
            Some(buffering) => buffering.wants(event),
            None => self.request_for(event).is_some(),
        }
    }

    /// Whether something is to be told still, or is told and not answered.
    pub(super) fn is_busy(&self) -> bool {
        self.notifying || !self.waiting.is_empty()
    }

    fn request_for(&self, event: &EventSpec) -> Option<&RequestedEvent> {
        let events = &self.active.as_ref()?.events;
        let named = |asked: &&RequestedEvent| is_called(&asked.name, &event.name);
        let exact = events.iter().filter(named).find(|asked| asked.stream == event.stream);
        exact.or_else(|| events.iter().filter(named).find(|asked| asked.stream.is_none()))
    }

    fn locked(&self) -> Option<&Buffering> {
        self.buffering.as_deref().filter(|buffering| buffering.locked)
    }

    /// Puts an Events descriptor of the controller in force. Call [`Listening::replay`] afterwards.
    pub(super) fn set(&mut self, events: Option<ActiveEvents>, peer: Peer) {
        self.epoch = self.epoch.wrapping_add(1);
        self.listener = events.is_some().then_some(peer);
        self.replace(events);
        let waiting = std::mem::take(&mut self.waiting);
        let request = self.active.as_ref().map(|active| active.request);
        let kept = waiting.into_iter().filter(|(_, waits)| self.request_for(&waits.event).is_some());
        self.waiting = kept.filter_map(|(_, waits)| Some((request?, waits))).collect();
    }

    /// Puts an embedded Events descriptor in force. What waits goes on waiting. Call [`Listening::replay`] afterwards.
    pub(super) fn replace(&mut self, events: Option<ActiveEvents>) {
        self.active = events;
        if let Some(buffering) = &mut self.buffering {
            buffering.locked = false;
            if self.active.is_none() {
                buffering.kept.clear();
            }
        }
    }

    /// The next kept event against the descriptor that has just come into force; call until `None`.
    pub(super) fn replay(&mut self) -> Option<Outcome> {
        let buffering = self.buffering.as_mut().filter(|buffering| !buffering.locked)?;
        let kept = buffering.kept.pop_front()?;
        Some(self.recognize(kept))
    }

    /// `EventBufferControl` is set.
    pub(super) fn control(&mut self, control: EventBufferControl) {
        let lock_step = control == EventBufferControl::LockStep;
        if !lock_step && self.buffering.is_none() {
            return;
        }
        let buffering = self.buffering.get_or_insert_default();
        buffering.lock_step = lock_step;
        if !lock_step {
            buffering.locked = false;
            buffering.kept.clear();
        }
    }

    /// An EventBuffer descriptor is set.
    pub(super) fn buffer(&mut self, wanted: EventBufferDescriptor) {
        if wanted.is_empty() && self.buffering.is_none() {
            return;
        }
        let buffering = self.buffering.get_or_insert_default();
        if wanted.is_empty() {
            buffering.kept.clear();
        }
        buffering.wanted = wanted;
    }

    /// `EventBufferControl` as it is.
    pub(super) fn buffer_control(&self) -> EventBufferControl {
        match &self.buffering {
            Some(buffering) if buffering.lock_step => EventBufferControl::LockStep,
            _ => EventBufferControl::Off,
        }
    }

    /// The EventBuffer descriptor.
    pub(super) fn buffer_wanted(&self) -> &[EventSpec] {
        self.buffering.as_ref().map_or(&[], |buffering| &buffering.wanted)
    }

    /// What is in the buffer.
    pub(super) fn buffered(&self) -> impl Iterator<Item = &Occurrence> {
        self.buffering.iter().flat_map(|buffering| &buffering.kept)
    }

    /// Something has happened.
    pub(super) fn occur(&mut self, occurrence: Occurrence) -> Outcome {
        match self.buffering.as_mut().filter(|buffering| buffering.locked) {
            None => self.recognize(occurrence),
            Some(buffering) if !buffering.wants(&occurrence.event) => Outcome::default(),
            Some(buffering) if buffering.kept.len() >= MAX_BUFFERED_EVENTS => {
                Outcome { lost: true, ..Outcome::default() }
            }
            Some(buffering) => {
                buffering.kept.push_back(occurrence);
                Outcome::default()
            }
        }
    }

    fn recognize(&mut self, occurrence: Occurrence) -> Outcome {
        let Some((request, embed)) = self
            .request_for(&occurrence.event)
            .map(|asked| asked.embed.clone())
            .and_then(|embed| Some((self.active.as_ref()?.request, embed)))
        else {
            return Outcome::default();
        };
        if self.waiting.len() >= MAX_WAITING_EVENTS {
            return Outcome { embed: None, lost: true };
        }
        if let Some(buffering) = &mut self.buffering {
            buffering.locked = buffering.lock_step;
        }
        self.waiting.push_back((request, occurrence));
        Outcome { embed, lost: false }
    }

    /// The next to be told, unless one is told and not answered.
    pub(super) fn next(&mut self) -> Option<(RequestId, Occurrence)> {
        let next = if self.notifying { None } else { self.waiting.pop_front() };
        self.notifying |= next.is_some();
        next
    }

    /// The Notify was answered, or will not be.
    pub(super) fn answered(&mut self) {
        self.notifying = false;
    }

    /// Nobody wants to hear of what waits.
    pub(super) fn hush(&mut self) {
        self.waiting.clear();
    }
}

impl Buffering {
    fn wants(&self, event: &EventSpec) -> bool {
        let on_stream = |wanted: &EventSpec| wanted.stream.is_none() || wanted.stream == event.stream;
        self.wanted.iter().any(|wanted| is_called(&wanted.name, &event.name) && on_stream(wanted))
    }
}

/// Whether a name, or a package with a wildcard, takes in an event.
fn is_called(asked: &PkgdName, event: &PkgdName) -> bool {
    asked.package == event.package && (asked.item.is_all() || asked.item == event.item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn active(request: u32, names: &[&str]) -> Option<ActiveEvents> {
        let event = |name: &&str| {
            let (package, item) = name.split_once('/').expect("package/item");
            RequestedEvent::new(PkgdName::new(package, item), Vec::new())
        };
        Some(ActiveEvents { request: RequestId::Id(request), events: names.iter().map(event).collect() })
    }

    fn event(item: &str, stream: Option<u16>) -> EventSpec {
        EventSpec { name: PkgdName::new("x", item), stream, parms: Vec::new() }
    }

    fn peer() -> Peer {
        Peer::tcp(crate::transport::ConnectionId(1), ([127, 0, 0, 1], 1).into())
    }

    fn happen(listening: &mut Listening, item: &str, second: u64) -> Outcome {
        listening.occur(Occurrence { event: event(item, None), at: Duration::from_secs(second) })
    }

    fn told(listening: &mut Listening) -> Option<(u32, String, u64)> {
        let (RequestId::Id(request), told) = listening.next()? else { panic!("no number") };
        listening.answered();
        Some((request, told.event.name.item.to_string(), told.at.as_secs()))
    }

    #[test]
    fn events_are_told_in_order_and_one_at_a_time() {
        let mut listening = Listening::default();
        listening.set(active(1, &["x/a", "x/b"]), peer());
        for (item, at) in [("a", 1), ("c", 2), ("b", 3), ("a", 4)] {
            happen(&mut listening, item, at);
        }
        assert!(listening.next().is_some());
        assert!(listening.next().is_none(), "one is unanswered");
        listening.answered();
        assert_eq!(told(&mut listening), Some((1, "b".into(), 3)));
        assert_eq!(told(&mut listening), Some((1, "a".into(), 4)));
        assert_eq!(told(&mut listening), None);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut listening = Listening::default();
        listening.set(active(1, &["x/*"]), peer());
        let lost = (0..20).filter(|n| happen(&mut listening, "a", *n).lost).count();
        assert_eq!(lost, 20 - MAX_WAITING_EVENTS);
    }

    #[test]
    fn a_new_descriptor_takes_over_what_it_asks_for_and_drops_the_rest() {
        let mut listening = Listening::default();
        listening.set(active(1, &["x/a", "x/b"]), peer());
        happen(&mut listening, "a", 1);
        happen(&mut listening, "b", 2);
        listening.set(active(2, &["x/b"]), peer());
        assert_eq!(told(&mut listening), Some((2, "b".into(), 2)));
        assert_eq!(told(&mut listening), None);
    }

    #[test]
    fn in_lock_step_one_event_is_told_for_each_descriptor() {
        let mut listening = Listening::default();
        listening.control(EventBufferControl::LockStep);
        listening.buffer(vec![event("a", None), event("b", None)]);
        listening.set(active(1, &["x/a", "x/b", "x/c"]), peer());
        for (item, at) in [("a", 1), ("b", 2), ("c", 3), ("a", 4)] {
            happen(&mut listening, item, at);
        }
        assert_eq!(told(&mut listening), Some((1, "a".into(), 1)));
        assert_eq!(told(&mut listening), None);
        assert_eq!(listening.buffered().count(), 2, "b and a; c was not to be buffered");
        // Only a is asked for now: b is discarded, a keeps its time.
        listening.set(active(2, &["x/a"]), peer());
        while listening.replay().is_some() {}
        assert_eq!(told(&mut listening), Some((2, "a".into(), 4)));
        happen(&mut listening, "b", 5);
        listening.control(EventBufferControl::Off);
        assert_eq!(listening.buffered().count(), 0, "Off discards");
        happen(&mut listening, "a", 6);
        assert_eq!(told(&mut listening), Some((2, "a".into(), 6)), "and unlocks");
    }

    #[test]
    fn the_buffer_is_bounded_and_emptied_by_empty_descriptors() {
        let mut listening = Listening::default();
        listening.control(EventBufferControl::LockStep);
        listening.buffer(vec![event("a", None)]);
        listening.set(active(1, &["x/a"]), peer());
        let lost = (0..40).filter(|n| happen(&mut listening, "a", *n).lost).count();
        assert_eq!(lost, 40 - 1 - MAX_BUFFERED_EVENTS);
        listening.buffer(Vec::new());
        assert_eq!(listening.buffered().count(), 0);
        listening.buffer(vec![event("a", None)]);
        happen(&mut listening, "a", 50);
        listening.set(None, peer());
        assert_eq!(listening.buffered().count(), 0);
    }

    #[test]
    fn a_stream_that_is_named_is_told_apart() {
        let mut listening = Listening::default();
        let mut events = active(1, &["x/a"]).expect("events");
        events.events[0].stream = Some(2);
        listening.set(Some(events), peer());
        assert!(!listening.wants(&event("a", Some(1))) && !listening.wants(&event("a", None)));
        assert!(listening.wants(&event("a", Some(2))));
    }
}
