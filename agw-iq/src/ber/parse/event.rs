//! Events, signals and digit maps.

use super::*;
use crate::ber::names::Parameters;
use crate::codec::MAX_DIGIT_MAP;

impl Parser<'_> {
    pub(super) fn events(&mut self, element: &Tlv<'_>) -> Res<EventsDescriptor> {
        let mut fields = element.fields()?;
        let request = fields.optional(0)?.map(|id| request_id(&id)).transpose()?;
        let events = fields.required(1, "eventList")?.list(|event| self.requested_event(&event))?;
        fields.end()?;
        Ok(EventsDescriptor { request: request_of(element, request, events.is_empty())?, events })
    }

    fn requested_event(&mut self, element: &Tlv<'_>) -> Res<RequestedEvent> {
        let mut fields = element.sequence()?;
        let mut event =
            RequestedEvent::new(pkgd_name(Item::Event, &fields.required(0, "pkgdName")?)?, Vec::new());
        event.stream = stream_id(&mut fields, 1)?;
        if let Some(actions) = fields.optional(2)? {
            let mut actions = actions.fields()?;
            event.keep_active = boolean(&mut actions, 0)?.unwrap_or_default();
            event.digit_map = actions.optional(1)?.map(|map| event_digit_map(&map.choice()?)).transpose()?;
            let events = actions.optional(2)?.map(|events| self.second_events(&events)).transpose()?;
            let signals = actions.optional(3)?.map(|signals| self.signals(&signals)).transpose()?;
            event.embed = embed(signals, events);
            event.notify = actions.optional(4)?.map(|notify| self.notify(&notify.choice()?)).transpose()?;
            event.reset_events = flag(&mut actions, 5)?;
            actions.end()?;
        }
        event.parms = self.event_parms(&event.name, &fields.required(3, "evParList")?)?;
        fields.end()?;
        Ok(event)
    }

    fn notify(&mut self, chosen: &Tlv<'_>) -> Res<NotifyBehaviour> {
        match chosen.number {
            0 => chosen.null().map(|()| NotifyBehaviour::Immediate),
            1 => {
                let mut fields = chosen.fields()?;
                let events = fields.optional(0)?.map(|events| self.second_events(&events)).transpose()?;
                let signals = fields.optional(1)?.map(|signals| self.signals(&signals)).transpose()?;
                fields.end()?;
                Ok(NotifyBehaviour::Regulated(embed(signals, events)))
            }
            2 => chosen.null().map(|()| NotifyBehaviour::Never),
            _ => fault(chosen.at, format!("unknown notify behaviour {}", chosen.shown())),
        }
    }

    fn second_events(&mut self, element: &Tlv<'_>) -> Res<EmbeddedEvents> {
        let mut fields = element.fields()?;
        let request = fields.optional(0)?.map(|id| request_id(&id)).transpose()?;
        let events = fields.required(1, "eventList")?.list(|event| self.second_event(&event))?;
        fields.end()?;
        Ok(EmbeddedEvents { request: request_of(element, request, events.is_empty())?, events })
    }

    fn second_event(&mut self, element: &Tlv<'_>) -> Res<EmbeddedEvent> {
        let mut fields = element.sequence()?;
        let name = pkgd_name(Item::Event, &fields.required(0, "pkgdName")?)?;
        let stream = stream_id(&mut fields, 1)?;
        let (mut keep_active, mut digit_map, mut signals) = (false, None, None);
        if let Some(actions) = fields.optional(2)? {
            let mut actions = actions.fields()?;
            keep_active = boolean(&mut actions, 0)?.unwrap_or_default();
            digit_map = actions.optional(1)?.map(|map| event_digit_map(&map.choice()?)).transpose()?;
            signals = actions.optional(2)?.map(|signals| self.signals(&signals)).transpose()?;
            actions.end()?;
        }
        let parms = self.event_parms(&name, &fields.required(3, "evParList")?)?;
        fields.end()?;
        Ok(EmbeddedEvent { name, stream, keep_active, digit_map, signals, parms })
    }

    fn event_parms(&self, event: &PkgdName, list: &Tlv<'_>) -> Res<Vec<Parm>> {
        self.parms(Parameters::of_event(event), list)
    }

    /// `EventParameter` and `SigParameter`
    fn parms(&self, table: Parameters, list: &Tlv<'_>) -> Res<Vec<Parm>> {
        list.list(|parm| {
            let mut fields = parm.sequence()?;
            let number = fields.required(0, "a parameter name")?.exactly("a parameter name")?;
            let (name, kind) = table.by_number(u16::from_be_bytes(number));
            let values = fields.required(1, "value")?;
            let value = read_parm(Type::of(kind, self.naming.dscp), &values, fields.optional(2)?)?;
            fields.end()?;
            Ok(Parm { name, value })
        })
    }

    pub(super) fn event_buffer(&mut self, element: &Tlv<'_>) -> Res<EventBufferDescriptor> {
        element.list(|event| {
            let mut fields = event.sequence()?;
            let spec = self.event_spec(&mut fields)?;
            fields.end()?;
            Ok(spec)
        })
    }

    fn event_spec(&mut self, fields: &mut Fields<'_>) -> Res<EventSpec> {
        let name = pkgd_name(Item::Event, &fields.required(0, "eventName")?)?;
        let stream = stream_id(fields, 1)?;
        let parms = self.event_parms(&name, &fields.required(2, "eventParList")?)?;
        Ok(EventSpec { name, stream, parms })
    }

    pub(super) fn observed_events(&mut self, element: &Tlv<'_>) -> Res<ObservedEventsDescriptor> {
        let mut fields = element.fields()?;
        let request = request_id(&fields.required(0, "requestId")?)?;
        let events = fields.required(1, "observedEventLst")?.list(|event| {
            let mut fields = event.sequence()?;
            let spec = self.event_spec(&mut fields)?;
            let time = fields.optional(3)?.map(|time| timestamp(&time)).transpose()?;
            fields.end()?;
            Ok(ObservedEvent { time, event: spec })
        })?;
        fields.end()?;
        if events.is_empty() {
            return fault(element.at, "ObservedEvents without events");
        }
        Ok(ObservedEventsDescriptor { request, events })
    }

    pub(super) fn signals(&mut self, element: &Tlv<'_>) -> Res<SignalsDescriptor> {
        element.list(|item| match item.number {
            0 => Ok(SignalItem::Signal(self.signal(item.fields()?)?)),
            1 => {
                let mut fields = item.fields()?;
                let id = fields.required(0, "id")?.uint("signal list identifier")?;
                let list = fields.required(1, "signalList")?;
                let signals = list.list(|signal| self.signal(signal.sequence()?))?;
                fields.end()?;
                if signals.is_empty() {
                    return fault(item.at, "a signal list without signals");
                }
                Ok(SignalItem::List { id, signals })
            }
            _ => fault(item.at, format!("a signal expected, found {}", item.shown())),
        })
    }

    fn signal(&mut self, mut fields: Fields<'_>) -> Res<Signal> {
        let mut signal =
            Signal::new(pkgd_name(Item::Signal, &fields.required(0, "signalName")?)?, Vec::new());
        signal.stream = stream_id(&mut fields, 1)?;
        signal.kind = fields.optional(2)?.map(|kind| signal_type(&kind)).transpose()?;
        signal.duration = fields.optional(3)?.map(|time| time.uint("duration")).transpose()?;
        signal.notify_completion = match fields.optional(4)? {
            Some(completion) => notify_completion(completion.bits()?),
            None => None,
        };
        signal.keep_active = boolean(&mut fields, 5)?.unwrap_or_default();
        signal.parms = self.parms(Parameters::of_signal(&signal.name), &fields.required(6, "sigParList")?)?;
        signal.direction = fields.optional(7)?.map(|direction| signal_direction(&direction)).transpose()?;
        signal.request = fields.optional(8)?.map(|id| request_id(&id)).transpose()?;
        signal.intersignal_delay = fields.optional(9)?.map(|delay| delay.uint("delay")).transpose()?;
        fields.end()?;
        Ok(signal)
    }

    pub(super) fn digit_map(&mut self, element: &Tlv<'_>) -> Res<DigitMapDescriptor> {
        let mut fields = element.fields()?;
        let name = fields.optional(0)?.map(|name| digit_map_name(&name)).transpose()?;
        let value = fields.optional(1)?.map(|value| digit_map_value(&value)).transpose()?;
        fields.end()?;
        if name.is_none() && value.is_none() {
            return fault(element.at, "a DigitMap descriptor without name and value");
        }
        Ok(DigitMapDescriptor { name, value })
    }
}

/// The identifier that events need, and that no events do not.
fn request_of(element: &Tlv<'_>, request: Option<RequestId>, is_empty: bool) -> Res<Option<RequestId>> {
    match request {
        _ if is_empty => Ok(None),
        Some(request) => Ok(Some(request)),
        None => fault(element.at, "events without a request identifier"),
    }
}

fn embed(signals: Option<SignalsDescriptor>, events: Option<EmbeddedEvents>) -> Option<Embed> {
    (signals.is_some() || events.is_some()).then_some(Embed { signals, events })
}

fn signal_type(kind: &Tlv<'_>) -> Res<SignalType> {
    match kind.enumerated()? {
        0 => Ok(SignalType::Brief),
        1 => Ok(SignalType::OnOff),
        2 => Ok(SignalType::TimeOut),
        other => unknown_value(kind.at, "signal type", other),
    }
}

fn signal_direction(direction: &Tlv<'_>) -> Res<SignalDirection> {
    match direction.enumerated()? {
        0 => Ok(SignalDirection::Internal),
        1 => Ok(SignalDirection::External),
        // Printed as 3; counted it would be 2.
        2 | 3 => Ok(SignalDirection::Both),
        other => unknown_value(direction.at, "signal direction", other),
    }
}

/// `None` where no end is named.
fn notify_completion(bits: u32) -> Option<NotifyCompletion> {
    let bit = |index: u32| bits >> (31 - index) & 1 == 1;
    let completion = NotifyCompletion {
        time_out: bit(0),
        by_event: bit(1),
        by_signals: bit(2),
        other: bit(3),
        iteration: bit(4),
    };
    (completion != NotifyCompletion::default()).then_some(completion)
}

fn digit_map_name(name: &Tlv<'_>) -> Res<Name> {
    Ok(names::unnamed(u16::from_be_bytes(name.exactly("a digit map name")?)))
}

fn event_digit_map(chosen: &Tlv<'_>) -> Res<EventDigitMap> {
    match chosen.number {
        0 => Ok(EventDigitMap::Name(digit_map_name(chosen)?)),
        1 => Ok(EventDigitMap::Value(digit_map_value(chosen)?)),
        _ => fault(chosen.at, format!("unknown digit map {}", chosen.shown())),
    }
}

fn digit_map_value(element: &Tlv<'_>) -> Res<DigitMapValue> {
    let mut fields = element.fields()?;
    let timer = |fields: &mut Fields<'_>, number| -> Res<Option<u8>> {
        let Some(timer) = fields.optional(number)? else { return Ok(None) };
        match timer.uint("timer")? {
            time @ 0..=99 => Ok(Some(time)),
            other => unknown_value(timer.at, "time", other.into()),
        }
    };
    let (start, short, long) = (timer(&mut fields, 0)?, timer(&mut fields, 1)?, timer(&mut fields, 2)?);
    let body = fields.required(3, "digitMapBody")?;
    let mut map = body.text("a digit map")?.into_owned();
    map.retain(|c| !c.is_ascii_whitespace());
    let good = |b: u8| b.is_ascii_digit() || b"abcdefghijklstxz()|.-[]".contains(&b.to_ascii_lowercase());
    if map.is_empty() || map.len() > MAX_DIGIT_MAP || !map.bytes().all(good) {
        return fault(body.at, format!("not a digit map of up to {MAX_DIGIT_MAP} characters"));
    }
    let duration = timer(&mut fields, 4)?;
    fields.end()?;
    Ok(DigitMapValue { start, short, long, duration, map })
}

/// `TimeNotation`
pub(super) fn timestamp(element: &Tlv<'_>) -> Res<TimeStamp> {
    let mut fields = element.fields()?;
    let digits = |part: Tlv<'_>| -> Res<u32> {
        let text = part.text("a time stamp")?;
        let number =
            text.parse().ok().filter(|_| text.len() == 8 && text.bytes().all(|b| b.is_ascii_digit()));
        number.map_or_else(|| fault(part.at, "a time stamp of 8 digits expected"), Ok)
    };
    let date = digits(fields.required(0, "date")?)?;
    let time = digits(fields.required(1, "time")?)?;
    fields.end()?;
    Ok(TimeStamp { date, time })
}
