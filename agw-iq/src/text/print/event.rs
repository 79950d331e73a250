//! Events, signals and digit maps.

use super::*;

impl Printer {
    pub(super) fn events(&mut self, events: &EventsDescriptor) {
        self.token(token::EVENTS);
        self.event_list(events.request, &events.events, Self::requested_event);
    }

    /// `= request { event, event }`, or nothing where there is no event.
    fn event_list<T>(&mut self, request: Option<RequestId>, events: &[T], each: impl Fn(&mut Self, &T)) {
        if events.is_empty() {
            return;
        }
        self.equals();
        self.show(format_args!("{}", request.unwrap_or(RequestId::Id(0))));
        self.block(events, each);
    }

    fn requested_event(&mut self, event: &RequestedEvent) {
        self.show(format_args!("{}", event.name));
        let RequestedEvent { name: _, stream, keep_active, notify, reset_events, digit_map, embed, parms } =
            event;
        let bare = stream.is_none()
            && notify.is_none()
            && digit_map.is_none()
            && embed.is_none()
            && parms.is_empty();
        if bare && !keep_active && !reset_events {
            return;
        }
        self.open();
        self.stream(*stream);
        self.flag(token::KEEP_ACTIVE, *keep_active);
        match notify {
            None => {}
            Some(NotifyBehaviour::Immediate) => self.flag(token::NOTIFY_IMMEDIATE, true),
            Some(NotifyBehaviour::Never) => self.flag(token::NOTIFY_NEVER, true),
            Some(NotifyBehaviour::Regulated(embed)) => {
                self.flag(token::NOTIFY_REGULATED, true);
                if let Some(embed) = embed {
                    self.open();
                    self.item();
                    self.embed(embed);
                    self.close();
                }
            }
        }
        self.flag(token::RESET_EVENTS, *reset_events);
        self.event_digit_map(digit_map.as_ref());
        if let Some(embed) = embed {
            self.item();
            self.embed(embed);
        }
        self.items(parms, Self::parm);
        self.close();
    }

    fn embed(&mut self, embed: &Embed) {
        self.token(token::EMBED);
        self.open();
        if let Some(signals) = &embed.signals {
            self.item();
            self.signals(signals);
        }
        if let Some(events) = &embed.events {
            self.item();
            self.token(token::EVENTS);
            self.event_list(events.request, &events.events, Self::embedded_event);
        }
        self.close();
    }

    fn embedded_event(&mut self, event: &EmbeddedEvent) {
        self.show(format_args!("{}", event.name));
        let EmbeddedEvent { name: _, stream, keep_active, digit_map, signals, parms } = event;
        if stream.is_none() && !keep_active && digit_map.is_none() && signals.is_none() && parms.is_empty() {
            return;
        }
        self.open();
        self.stream(*stream);
        self.flag(token::KEEP_ACTIVE, *keep_active);
        self.event_digit_map(digit_map.as_ref());
        if let Some(signals) = signals {
            self.item();
            self.token(token::EMBED);
            self.open();
            self.item();
            self.signals(signals);
            self.close();
        }
        self.items(parms, Self::parm);
        self.close();
    }

    fn event_digit_map(&mut self, map: Option<&EventDigitMap>) {
        let Some(map) = map else { return };
        self.item();
        self.token(token::DIGIT_MAP);
        self.equals();
        match map {
            EventDigitMap::Name(name) => self.text(name.as_str()),
            EventDigitMap::Value(value) => self.digit_map_value(value),
        }
    }

    pub(super) fn event_buffer(&mut self, events: &EventBufferDescriptor) {
        self.token(token::EVENT_BUFFER);
        if !events.is_empty() {
            self.block(events, Self::event_spec);
        }
    }

    fn event_spec(&mut self, spec: &EventSpec) {
        self.show(format_args!("{}", spec.name));
        if spec.stream.is_some() || !spec.parms.is_empty() {
            self.open();
            self.stream(spec.stream);
            self.items(&spec.parms, Self::parm);
            self.close();
        }
    }

    pub(super) fn observed_events(&mut self, observed: &ObservedEventsDescriptor) {
        self.assign(token::OBSERVED_EVENTS, observed.request);
        self.block(&observed.events, |p, observed| {
            if let Some(time) = observed.time {
                p.show(format_args!("{time}:"));
            }
            p.event_spec(&observed.event);
        });
    }

    pub(super) fn signals(&mut self, signals: &SignalsDescriptor) {
        self.token(token::SIGNALS);
        self.block(signals, |p, item| match item {
            SignalItem::Signal(signal) => p.signal(signal),
            SignalItem::List { id, signals } => {
                p.assign(token::SIGNAL_LIST, id);
                p.block(signals, Self::signal);
            }
        });
    }

    fn signal(&mut self, signal: &Signal) {
        self.show(format_args!("{}", signal.name));
        if *signal == Signal::new(signal.name.clone(), Vec::new()) {
            return;
        }
        self.open();
        self.stream(signal.stream);
        if let Some(kind) = signal.kind {
            self.item();
            self.token(token::SIGNAL_TYPE);
            self.equals();
            self.token(match kind {
                SignalType::OnOff => token::ON_OFF,
                SignalType::TimeOut => token::TIME_OUT,
                SignalType::Brief => token::BRIEF,
            });
        }
        if let Some(duration) = signal.duration {
            self.item();
            self.assign(token::DURATION, duration);
        }
        if let Some(completion) = signal.notify_completion {
            self.item();
            self.notify_completion(completion);
        }
        self.flag(token::KEEP_ACTIVE, signal.keep_active);
        if let Some(direction) = signal.direction {
            self.item();
            self.token(token::DIRECTION);
            self.equals();
            self.token(match direction {
                SignalDirection::Internal => token::INTERNAL,
                SignalDirection::External => token::EXTERNAL,
                SignalDirection::Both => token::BOTH,
            });
        }
        if let Some(request) = signal.request {
            self.item();
            self.assign(token::REQUEST_ID, request);
        }
        if let Some(delay) = signal.intersignal_delay {
            self.item();
            self.assign(token::INTERSIGNAL, delay);
        }
        self.items(&signal.parms, Self::parm);
        self.close();
    }

    fn notify_completion(&mut self, completion: NotifyCompletion) {
        self.token(token::NOTIFY_COMPLETION);
        self.equals();
        self.open();
        self.flag(token::TIME_OUT, completion.time_out);
        self.flag(token::INTERRUPT_BY_EVENT, completion.by_event);
        self.flag(token::INTERRUPT_BY_SIGNALS, completion.by_signals);
        self.flag(token::OTHER_REASON, completion.other);
        self.flag(token::ITERATION, completion.iteration);
        self.close();
    }

    pub(super) fn digit_map(&mut self, map: &DigitMapDescriptor) {
        self.token(token::DIGIT_MAP);
        self.equals();
        if let Some(name) = &map.name {
            self.text(name.as_str());
        }
        if let Some(value) = &map.value {
            self.digit_map_value(value);
        }
    }

    fn digit_map_value(&mut self, value: &DigitMapValue) {
        self.text("{");
        let timers = [("T", value.start), ("S", value.short), ("L", value.long), ("Z", value.duration)];
        for (timer, time) in timers {
            if let Some(time) = time {
                self.show(format_args!("{timer}:{time},"));
            }
        }
        self.text(&value.map);
        self.text("}");
    }
}
