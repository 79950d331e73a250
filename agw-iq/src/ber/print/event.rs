//! Events, signals and digit maps.

use super::*;

impl Printer<'_> {
    pub(super) fn events(self, w: &mut Writer, tag: u8, events: &EventsDescriptor) {
        w.nest(tag, |w| {
            w.uint_if(primitive(0), events.request.map(request_number));
            w.list(constructed(1), &events.events, |w, event| self.requested_event(w, event));
        });
    }

    fn requested_event(self, w: &mut Writer, event: &RequestedEvent) {
        let embed = event.embed.as_ref();
        let acts = event.keep_active
            || event.digit_map.is_some()
            || embed.is_some()
            || event.notify.is_some()
            || event.reset_events;
        w.nest(SEQUENCE, |w| {
            pkgd_name(w, 0, Item::Event, &event.name);
            w.uint_if(primitive(1), event.stream);
            if acts {
                w.nest(constructed(2), |w| {
                    w.boolean_if(primitive(0), event.keep_active.then_some(true));
                    event_digit_map(w, 1, &event.digit_map);
                    self.embed(w, [2, 3], embed);
                    if let Some(notify) = &event.notify {
                        w.nest(constructed(4), |w| self.notify(w, notify));
                    }
                    w.null_if(primitive(5), event.reset_events);
                });
            }
            self.parms(w, 3, Parameters::of_event(&event.name), &event.parms);
        });
    }

    /// The events and the signals that an event puts in force, under these numbers.
    fn embed(self, w: &mut Writer, [events, signals]: [u8; 2], embed: Option<&Embed>) {
        let Some(embed) = embed else { return };
        if let Some(second) = &embed.events {
            w.nest(constructed(events), |w| {
                w.uint_if(primitive(0), second.request.map(request_number));
                w.list(constructed(1), &second.events, |w, event| self.second_event(w, event));
            });
        }
        if let Some(list) = &embed.signals {
            self.signals(w, constructed(signals), list);
        }
    }

    fn notify(self, w: &mut Writer, notify: &NotifyBehaviour) {
        match notify {
            NotifyBehaviour::Immediate => w.null_if(primitive(0), true),
            NotifyBehaviour::Regulated(embed) => {
                w.nest(constructed(1), |w| self.embed(w, [0, 1], embed.as_ref()));
            }
            NotifyBehaviour::Never => w.null_if(primitive(2), true),
        }
    }

    fn second_event(self, w: &mut Writer, event: &EmbeddedEvent) {
        w.nest(SEQUENCE, |w| {
            pkgd_name(w, 0, Item::Event, &event.name);
            w.uint_if(primitive(1), event.stream);
            if event.keep_active || event.digit_map.is_some() || event.signals.is_some() {
                w.nest(constructed(2), |w| {
                    w.boolean_if(primitive(0), event.keep_active.then_some(true));
                    event_digit_map(w, 1, &event.digit_map);
                    if let Some(signals) = &event.signals {
                        self.signals(w, constructed(2), signals);
                    }
                });
            }
            self.parms(w, 3, Parameters::of_event(&event.name), &event.parms);
        });
    }

    pub(super) fn event_buffer(self, w: &mut Writer, tag: u8, events: &EventBufferDescriptor) {
        w.list(tag, events, |w, event| w.nest(SEQUENCE, |w| self.event_spec(w, event)));
    }

    fn event_spec(self, w: &mut Writer, event: &EventSpec) {
        pkgd_name(w, 0, Item::Event, &event.name);
        w.uint_if(primitive(1), event.stream);
        self.parms(w, 2, Parameters::of_event(&event.name), &event.parms);
    }

    pub(super) fn observed_events(self, w: &mut Writer, tag: u8, observed: &ObservedEventsDescriptor) {
        w.nest(tag, |w| {
            w.uint(primitive(0), request_number(observed.request));
            w.list(constructed(1), &observed.events, |w, observed| {
                w.nest(SEQUENCE, |w| {
                    self.event_spec(w, &observed.event);
                    if let Some(time) = &observed.time {
                        timestamp(w, constructed(3), time);
                    }
                });
            });
        });
    }

    pub(super) fn signals(self, w: &mut Writer, tag: u8, signals: &SignalsDescriptor) {
        w.list(tag, signals, |w, item| match item {
            SignalItem::Signal(signal) => self.signal(w, constructed(0), signal),
            SignalItem::List { id, signals } => w.nest(constructed(1), |w| {
                w.uint(primitive(0), *id);
                w.list(constructed(1), signals, |w, signal| self.signal(w, SEQUENCE, signal));
            }),
        });
    }

    fn signal(self, w: &mut Writer, tag: u8, signal: &Signal) {
        let kind = signal.kind.map(|kind| match kind {
            SignalType::Brief => 0_u8,
            SignalType::OnOff => 1,
            SignalType::TimeOut => 2,
        });
        let direction = signal.direction.map(|direction| match direction {
            SignalDirection::Internal => 0_u8,
            SignalDirection::External => 1,
            SignalDirection::Both => 3,
        });
        w.nest(tag, |w| {
            pkgd_name(w, 0, Item::Signal, &signal.name);
            w.uint_if(primitive(1), signal.stream);
            w.uint_if(primitive(2), kind);
            w.uint_if(primitive(3), signal.duration);
            if let Some(completion) = signal.notify_completion {
                let NotifyCompletion { time_out, by_event, by_signals, other, iteration } = completion;
                let flags = [time_out, by_event, by_signals, other, iteration];
                let bits =
                    flags.iter().enumerate().fold(0, |bits, (at, set)| bits | u32::from(*set) << (31 - at));
                w.bits(primitive(4), bits);
            }
            w.boolean_if(primitive(5), signal.keep_active.then_some(true));
            self.parms(w, 6, Parameters::of_signal(&signal.name), &signal.parms);
            w.uint_if(primitive(7), direction);
            w.uint_if(primitive(8), signal.request.map(request_number));
            w.uint_if(primitive(9), signal.intersignal_delay);
        });
    }

    pub(super) fn digit_map(self, w: &mut Writer, tag: u8, map: &DigitMapDescriptor) {
        w.nest(tag, |w| {
            if let Some(name) = &map.name {
                digit_map_name(w, 0, name);
            }
            if let Some(value) = &map.value {
                digit_map_value(w, 1, value);
            }
        });
    }
}

fn event_digit_map(w: &mut Writer, number: u8, map: &Option<EventDigitMap>) {
    if let Some(map) = map {
        w.nest(constructed(number), |w| match map {
            EventDigitMap::Name(name) => digit_map_name(w, 0, name),
            EventDigitMap::Value(value) => digit_map_value(w, 1, value),
        });
    }
}

/// A digit map has a number for a name; only one that came as a number has it.
pub(super) fn digit_map_name(w: &mut Writer, number: u8, name: &Name) {
    match names::unnamed_number(name) {
        Some(id) => w.octets(primitive(number), &id.to_be_bytes()),
        None => w.unsayable(format_args!("digit map {name}")),
    }
}

fn digit_map_value(w: &mut Writer, number: u8, value: &DigitMapValue) {
    w.nest(constructed(number), |w| {
        w.uint_if(primitive(0), value.start);
        w.uint_if(primitive(1), value.short);
        w.uint_if(primitive(2), value.long);
        w.ia5(primitive(3), &value.map);
        w.uint_if(primitive(4), value.duration);
    });
}
