//! Events, signals and digit maps (H.248.1 sections 7.1.9 to 7.1.17).
//!
//! An event may carry, to be put in force when it happens, new signals and new events; those events may carry signals, and there it
//! ends. The types say so ([`RequestedEvent`] holds [`EmbeddedEvent`]s), so no tree nests deeper.

use super::*;

/// Events to be detected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventsDescriptor {
    /// Returned with what is observed; absent exactly when the list is empty.
    pub request: Option<RequestId>,
    /// The events; none ends detection.
    pub events: Vec<RequestedEvent>,
}

/// An event asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestedEvent {
    /// `package/event`.
    pub name: PkgdName,
    /// On this stream only.
    pub stream: Option<StreamId>,
    /// Signals go on when the event happens.
    pub keep_active: bool,
    /// Version 3: how to notify.
    pub notify: Option<NotifyBehaviour>,
    /// Version 3: the Events descriptor starts anew when the event happens.
    pub reset_events: bool,
    /// Digits to be collected.
    pub digit_map: Option<EventDigitMap>,
    /// What to put in force when the event happens.
    pub embed: Option<Embed>,
    /// The event's own parameters.
    pub parms: Vec<Parm>,
}

impl RequestedEvent {
    /// An event with its parameters and nothing else.
    pub fn new(name: PkgdName, parms: Vec<Parm>) -> Self {
        RequestedEvent {
            name,
            stream: None,
            keep_active: false,
            notify: None,
            reset_events: false,
            digit_map: None,
            embed: None,
            parms,
        }
    }
}

/// Version 3: when to notify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifyBehaviour {
    /// At once.
    Immediate,
    /// Not at all.
    Never,
    /// Regulated by load, with what to put in force instead.
    Regulated(Option<Embed>),
}

/// What an event puts in force: signals, events or both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Embed {
    /// New signals.
    pub signals: Option<SignalsDescriptor>,
    /// New events.
    pub events: Option<EmbeddedEvents>,
}

/// Events that come into force with another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EmbeddedEvents {
    /// Absent exactly when the list is empty.
    pub request: Option<RequestId>,
    /// The events.
    pub events: Vec<EmbeddedEvent>,
}

/// An event within an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmbeddedEvent {
    /// `package/event`.
    pub name: PkgdName,
    /// On this stream only.
    pub stream: Option<StreamId>,
    /// Signals go on when the event happens.
    pub keep_active: bool,
    /// Digits to be collected.
    pub digit_map: Option<EventDigitMap>,
    /// Signals to put in force.
    pub signals: Option<SignalsDescriptor>,
    /// The event's own parameters.
    pub parms: Vec<Parm>,
}

/// A digit map by name or by value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventDigitMap {
    /// One that was stored.
    Name(Name),
    /// One given here.
    Value(DigitMapValue),
}

/// Events to be buffered.
pub type EventBufferDescriptor = Vec<EventSpec>;

/// An event by name, stream and parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventSpec {
    /// `package/event`.
    pub name: PkgdName,
    /// On this stream only.
    pub stream: Option<StreamId>,
    /// Parameters.
    pub parms: Vec<Parm>,
}

/// Events observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedEventsDescriptor {
    /// The request they answer.
    pub request: RequestId,
    /// At least one.
    pub events: Vec<ObservedEvent>,
}

/// One observed event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedEvent {
    /// When, in UTC.
    pub time: Option<TimeStamp>,
    /// What, where and with which parameters.
    pub event: EventSpec,
}

/// `yyyymmddThhmmssss`: a date and a time in hundredths of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeStamp {
    /// yyyymmdd as a decimal number, at most 99999999.
    pub date: u32,
    /// hhmmssss as a decimal number, at most 99999999.
    pub time: u32,
}

impl std::fmt::Display for TimeStamp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:08}T{:08}", self.date, self.time)
    }
}

/// Signals to be played; none stops what is playing.
pub type SignalsDescriptor = Vec<SignalItem>;

/// A signal, or signals to be played one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignalItem {
    /// One signal.
    Signal(Signal),
    /// A sequence.
    List {
        /// Its identifier.
        id: u16,
        /// At least one signal.
        signals: Vec<Signal>,
    },
}

/// One signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signal {
    /// `package/signal`.
    pub name: PkgdName,
    /// On this stream only.
    pub stream: Option<StreamId>,
    /// Overrides the type that the package gives.
    pub kind: Option<SignalType>,
    /// In hundredths of a second.
    pub duration: Option<u16>,
    /// Of which ends the controller wants to hear.
    pub notify_completion: Option<NotifyCompletion>,
    /// Does not stop when an event happens.
    pub keep_active: bool,
    /// Version 3: towards which side.
    pub direction: Option<SignalDirection>,
    /// Version 3: returned with the completion.
    pub request: Option<RequestId>,
    /// Version 3: pause between the signals of a list, in milliseconds.
    pub intersignal_delay: Option<u16>,
    /// The signal's own parameters.
    pub parms: Vec<Parm>,
}

impl Signal {
    /// A signal with its parameters and nothing else.
    pub fn new(name: PkgdName, parms: Vec<Parm>) -> Self {
        Signal {
            name,
            stream: None,
            kind: None,
            duration: None,
            notify_completion: None,
            keep_active: false,
            direction: None,
            request: None,
            intersignal_delay: None,
            parms,
        }
    }
}

/// How a signal ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalType {
    /// Plays until told otherwise.
    OnOff,
    /// Plays for its duration.
    TimeOut,
    /// Ends by itself.
    Brief,
}

/// Version 3: the side on which a signal is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalDirection {
    /// Into the context.
    Internal,
    /// Out of it.
    External,
    /// Both.
    Both,
}

/// Which ends of a signal are reported; at least one in the text encoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NotifyCompletion {
    /// Its duration ran out.
    pub time_out: bool,
    /// An event interrupted it.
    pub by_event: bool,
    /// New signals interrupted it.
    pub by_signals: bool,
    /// Anything else.
    pub other: bool,
    /// Version 3: an iteration ended.
    pub iteration: bool,
}

/// A digit map to be stored or used (section 7.1.14); name, value or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigitMapDescriptor {
    /// The name it is known by.
    pub name: Option<Name>,
    /// The map.
    pub value: Option<DigitMapValue>,
}

/// Timers and the map itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DigitMapValue {
    /// T, seconds.
    pub start: Option<u8>,
    /// S, seconds.
    pub short: Option<u8>,
    /// L, seconds.
    pub long: Option<u8>,
    /// Z, tenths of a second.
    pub duration: Option<u8>,
    /// The map without white space, with its parentheses where it has them; carried, not interpreted.
    pub map: String,
}
