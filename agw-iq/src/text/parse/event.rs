//! Events, signals and digit maps.

use super::super::MAX_DIGIT_MAP;
use super::super::lex::Word;
use super::*;

const TWICE: ErrorCode = ErrorCode::SYNTAX_IN_COMMAND;

impl Parser<'_> {
    /// `= request { event, event }`, or nothing: no event at all.
    pub(super) fn events(&mut self) -> Res<EventsDescriptor> {
        let mut events = Vec::new();
        let request = self.event_list(|p| {
            events.push(p.requested_event()?);
            Ok(())
        })?;
        Ok(EventsDescriptor { request: request.filter(|_| !events.is_empty()), events })
    }

    fn event_list(&mut self, item: impl FnMut(&mut Self) -> Res<()>) -> Res<Option<RequestId>> {
        if !self.lex.eat(b'=') {
            return Ok(None);
        }
        let request = self.request_id()?;
        self.optional_list(item)?;
        Ok(Some(request))
    }

    fn requested_event(&mut self) -> Res<RequestedEvent> {
        let mut event = RequestedEvent::new(self.pkgd_name("an event")?, Vec::new());
        self.optional_list(|p| {
            let word = p.lex.word("a parameter of the event")?;
            match (word.text, p.lex.peek()) {
                (w, Some(b'=')) if token::STREAM.is(w) => {
                    let stream = p.stream_id()?;
                    p.once(&mut event.stream, stream, TWICE, word.at, "Stream")
                }
                (w, Some(b'=')) if token::DIGIT_MAP.is(w) => {
                    let map = p.event_digit_map()?;
                    p.once(&mut event.digit_map, map, TWICE, word.at, "DigitMap")
                }
                (w, Some(b'{')) if token::EMBED.is(w) => {
                    let embed = p.embed()?;
                    p.once(&mut event.embed, embed, TWICE, word.at, "Embed")
                }
                (w, Some(b'{')) if token::NOTIFY_REGULATED.is(w) => {
                    let notify = p.regulated()?;
                    p.once(&mut event.notify, notify, TWICE, word.at, "notify behaviour")
                }
                (w, Some(b',' | b'}')) => p.event_flag(&mut event, word, w),
                _ => {
                    event.parms.push(p.parm(word)?);
                    Ok(())
                }
            }
        })?;
        Ok(event)
    }

    /// The parameters that are a word alone.
    fn event_flag(&mut self, event: &mut RequestedEvent, word: Word<'_>, text: &str) -> Res<()> {
        let notify = match text {
            w if token::KEEP_ACTIVE.is(w) => {
                event.keep_active = true;
                return Ok(());
            }
            w if token::RESET_EVENTS.is(w) => {
                event.reset_events = true;
                return Ok(());
            }
            w if token::NOTIFY_IMMEDIATE.is(w) => NotifyBehaviour::Immediate,
            w if token::NOTIFY_NEVER.is(w) => NotifyBehaviour::Never,
            w if token::NOTIFY_REGULATED.is(w) => NotifyBehaviour::Regulated(None),
            w => return Err(unknown(&self.lex, ErrorCode::UNKNOWN_PARAMETER, word.at, "event parameter", w)),
        };
        self.once(&mut event.notify, notify, TWICE, word.at, "notify behaviour")
    }

    /// `{ Embed { ... } }`
    fn regulated(&mut self) -> Res<NotifyBehaviour> {
        self.lex.open()?;
        if !self.lex.eat_token(token::EMBED) {
            return Err(self.lex.expected("Embed"));
        }
        let embed = self.embed()?;
        self.lex.close()?;
        Ok(NotifyBehaviour::Regulated(Some(embed)))
    }

    /// `{ Signals { ... }, Events ... }`, one of them or both.
    fn embed(&mut self) -> Res<Embed> {
        let mut embed = Embed::default();
        self.list(|p| {
            let at = p.lex.at();
            if p.lex.eat_token(token::SIGNALS) {
                let signals = p.signals()?;
                p.once(&mut embed.signals, signals, TWICE, at, "Signals")
            } else if p.lex.eat_token(token::EVENTS) {
                let events = p.embedded_events()?;
                p.once(&mut embed.events, events, TWICE, at, "Events")
            } else {
                Err(p.lex.expected("Signals or Events"))
            }
        })?;
        Ok(embed)
    }

    fn embedded_events(&mut self) -> Res<EmbeddedEvents> {
        let mut events = Vec::new();
        let request = self.event_list(|p| {
            events.push(p.embedded_event()?);
            Ok(())
        })?;
        Ok(EmbeddedEvents { request: request.filter(|_| !events.is_empty()), events })
    }

    fn embedded_event(&mut self) -> Res<EmbeddedEvent> {
        let name = self.pkgd_name("an event")?;
        let mut event = EmbeddedEvent {
            name,
            stream: None,
            keep_active: false,
            digit_map: None,
            signals: None,
            parms: Vec::new(),
        };
        self.optional_list(|p| {
            let word = p.lex.word("a parameter of the event")?;
            match (word.text, p.lex.peek()) {
                (w, Some(b'=')) if token::STREAM.is(w) => {
                    let stream = p.stream_id()?;
                    p.once(&mut event.stream, stream, TWICE, word.at, "Stream")
                }
                (w, Some(b'=')) if token::DIGIT_MAP.is(w) => {
                    let map = p.event_digit_map()?;
                    p.once(&mut event.digit_map, map, TWICE, word.at, "DigitMap")
                }
                (w, Some(b'{')) if token::EMBED.is(w) => {
                    let signals = p.embedded_signals()?;
                    p.once(&mut event.signals, signals, TWICE, word.at, "Embed")
                }
                (w, Some(b',' | b'}')) if token::KEEP_ACTIVE.is(w) => {
                    event.keep_active = true;
                    Ok(())
                }
                _ => {
                    event.parms.push(p.parm(word)?);
                    Ok(())
                }
            }
        })?;
        Ok(event)
    }

    /// `{ Signals { ... } }`: no third level of events.
    fn embedded_signals(&mut self) -> Res<SignalsDescriptor> {
        self.lex.open()?;
        if !self.lex.eat_token(token::SIGNALS) {
            return Err(self.lex.expected("Signals"));
        }
        let signals = self.signals()?;
        self.lex.close()?;
        Ok(signals)
    }

    pub(super) fn event_buffer(&mut self) -> Res<EventBufferDescriptor> {
        let mut events = Vec::new();
        self.optional_list(|p| {
            events.push(p.event_spec()?);
            Ok(())
        })?;
        Ok(events)
    }

    fn event_spec(&mut self) -> Res<EventSpec> {
        let mut spec = EventSpec { name: self.pkgd_name("an event")?, stream: None, parms: Vec::new() };
        self.optional_list(|p| {
            let word = p.lex.word("a parameter of the event")?;
            if token::STREAM.is(word.text) && p.lex.peek() == Some(b'=') {
                let stream = p.stream_id()?;
                return p.once(&mut spec.stream, stream, TWICE, word.at, "Stream");
            }
            spec.parms.push(p.parm(word)?);
            Ok(())
        })?;
        Ok(spec)
    }

    pub(super) fn observed_events(&mut self) -> Res<ObservedEventsDescriptor> {
        self.lex.expect(b'=')?;
        let request = self.request_id()?;
        let mut events = Vec::new();
        self.list(|p| {
            let mut time = None;
            if p.lex.peek_after_word() == Some(b':') {
                let word = p.lex.word("a time stamp")?;
                time = timestamp(word.text);
                if time.is_none() {
                    let what = format!("yyyymmddThhmmssss expected, found {}", shown(word.text));
                    return Err(p.lex.fault(word.at, what));
                }
                p.lex.expect(b':')?;
            }
            events.push(ObservedEvent { time, event: p.event_spec()? });
            Ok(())
        })?;
        Ok(ObservedEventsDescriptor { request, events })
    }

    /// `{ signal, signal }`, `{}` or nothing: no signal at all.
    pub(super) fn signals(&mut self) -> Res<SignalsDescriptor> {
        let mut signals = Vec::new();
        self.optional_list(|p| {
            if p.lex.peek_after_word() != Some(b'=') || !p.lex.eat_token(token::SIGNAL_LIST) {
                signals.push(SignalItem::Signal(p.signal()?));
                return Ok(());
            }
            let id = p.numbered("a signal list identifier")?;
            let mut list = Vec::new();
            p.list(|p| {
                list.push(p.signal()?);
                Ok(())
            })?;
            signals.push(SignalItem::List { id, signals: list });
            Ok(())
        })?;
        Ok(signals)
    }

    fn signal(&mut self) -> Res<Signal> {
        let mut signal = Signal::new(self.pkgd_name("a signal")?, Vec::new());
        self.optional_list(|p| {
            let word = p.lex.word("a parameter of the signal")?;
            if p.lex.peek() == Some(b'=') && p.signal_setting(&mut signal, word)? {
                return Ok(());
            }
            if token::KEEP_ACTIVE.is(word.text) && matches!(p.lex.peek(), Some(b',' | b'}')) {
                signal.keep_active = true;
                return Ok(());
            }
            signal.parms.push(p.parm(word)?);
            Ok(())
        })?;
        Ok(signal)
    }

    /// The settings that every signal has. False if the word is none of them.
    fn signal_setting(&mut self, signal: &mut Signal, word: Word<'_>) -> Res<bool> {
        let value = ErrorCode::UNSUPPORTED_VALUE;
        match word.text {
            w if token::STREAM.is(w) => {
                let stream = self.stream_id()?;
                self.once(&mut signal.stream, stream, TWICE, word.at, "Stream")?;
            }
            w if token::SIGNAL_TYPE.is(w) => {
                let types = [
                    (token::ON_OFF, SignalType::OnOff),
                    (token::TIME_OUT, SignalType::TimeOut),
                    (token::BRIEF, SignalType::Brief),
                ];
                let kind = self.choice("signal type", value, &types)?;
                self.once(&mut signal.kind, kind, TWICE, word.at, "SignalType")?;
            }
            w if token::DURATION.is(w) => {
                let duration = self.numbered("a duration")?;
                self.once(&mut signal.duration, duration, TWICE, word.at, "Duration")?;
            }
            w if token::NOTIFY_COMPLETION.is(w) => {
                self.lex.expect(b'=')?;
                let completion = self.notify_completion()?;
                self.once(&mut signal.notify_completion, completion, TWICE, word.at, "NotifyCompletion")?;
            }
            w if token::DIRECTION.is(w) => {
                let directions = [
                    (token::INTERNAL, SignalDirection::Internal),
                    (token::EXTERNAL, SignalDirection::External),
                    (token::BOTH, SignalDirection::Both),
                ];
                let direction = self.choice("signal direction", value, &directions)?;
                self.once(&mut signal.direction, direction, TWICE, word.at, "direction")?;
            }
            w if token::REQUEST_ID.is(w) => {
                self.lex.expect(b'=')?;
                let request = self.request_id()?;
                self.once(&mut signal.request, request, TWICE, word.at, "request identifier")?;
            }
            w if token::INTERSIGNAL.is(w) => {
                let delay = self.numbered("a delay")?;
                self.once(&mut signal.intersignal_delay, delay, TWICE, word.at, "intersignal delay")?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn notify_completion(&mut self) -> Res<NotifyCompletion> {
        let mut completion = NotifyCompletion::default();
        self.list(|p| {
            let word = p.lex.word("a reason of completion")?;
            match word.text {
                w if token::TIME_OUT.is(w) => completion.time_out = true,
                w if token::INTERRUPT_BY_EVENT.is(w) => completion.by_event = true,
                w if token::INTERRUPT_BY_SIGNALS.is(w) => completion.by_signals = true,
                w if token::OTHER_REASON.is(w) => completion.other = true,
                w if token::ITERATION.is(w) => completion.iteration = true,
                w => {
                    return Err(unknown(
                        &p.lex,
                        ErrorCode::UNSUPPORTED_VALUE,
                        word.at,
                        "reason of completion",
                        w,
                    ));
                }
            }
            Ok(())
        })?;
        Ok(completion)
    }

    /// `= name`, `= { value }` or `= name { value }`
    pub(super) fn digit_map(&mut self) -> Res<DigitMapDescriptor> {
        self.lex.expect(b'=')?;
        let named = self.lex.peek() != Some(b'{');
        let name = if named { Some(self.name("a digit map name")?) } else { None };
        let value = if self.lex.peek() == Some(b'{') { Some(self.digit_map_value()?) } else { None };
        Ok(DigitMapDescriptor { name, value })
    }

    fn event_digit_map(&mut self) -> Res<EventDigitMap> {
        self.lex.expect(b'=')?;
        if self.lex.peek() == Some(b'{') {
            self.digit_map_value().map(EventDigitMap::Value)
        } else {
            self.name("a digit map name").map(EventDigitMap::Name)
        }
    }

    /// Timers, then the map, whose white space is dropped.
    fn digit_map_value(&mut self) -> Res<DigitMapValue> {
        self.lex.open()?;
        let mut value = DigitMapValue::default();
        while self.lex.peek_after_word() == Some(b':') {
            let word = self.lex.word("a timer")?;
            self.lex.expect(b':')?;
            let number = self.lex.word("a time")?;
            let time = name::decimal(number.text).filter(|_| number.text.len() <= 2);
            let time: u8 =
                time.ok_or_else(|| self.lex.fault(number.at, "a time of 1 or 2 digits expected"))?;
            let timer = match word.text {
                "T" | "t" => &mut value.start,
                "S" | "s" => &mut value.short,
                "L" | "l" => &mut value.long,
                "Z" | "z" => &mut value.duration,
                w => return Err(self.lex.fault(word.at, format!("unknown timer {}", shown(w)))),
            };
            self.once(timer, time, TWICE, word.at, "timer")?;
            self.lex.expect(b',')?;
        }
        let start = self.lex.at();
        while !matches!(self.lex.peek(), Some(b'}') | None) {
            let bracket = if self.lex.eat(b'[') {
                "["
            } else if self.lex.eat(b']') {
                "]"
            } else {
                ""
            };
            let piece = if bracket.is_empty() { self.lex.word("a digit map")?.text } else { bracket };
            let good = |b: u8| {
                b.is_ascii_digit()
                    || b"abcdefghijklstxz".contains(&b.to_ascii_lowercase())
                    || b"()|.-[]".contains(&b)
            };
            if !piece.bytes().all(good) || value.map.len() + piece.len() > MAX_DIGIT_MAP {
                return Err(self
                    .lex
                    .fault(start, format!("not a digit map of up to {MAX_DIGIT_MAP} characters")));
            }
            value.map.push_str(piece);
        }
        if value.map.is_empty() {
            return Err(self.lex.expected("a digit map"));
        }
        self.lex.close()?;
        Ok(value)
    }
}

/// `yyyymmddThhmmssss`
pub(super) fn timestamp(text: &str) -> Option<TimeStamp> {
    let (date, time) = text.split_once(['T', 't'])?;
    if date.len() != 8 || time.len() != 8 {
        return None;
    }
    Some(TimeStamp { date: name::decimal(date)?, time: name::decimal(time)? })
}
