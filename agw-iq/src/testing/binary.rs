//! Messages that have a binary form: any tree, with its names and values replaced by those of the registry.
//!
//! Annex A knows numbers where the text encoding knows names, so most random names have no binary form. Here each name picks an item
//! of the registry, or a number without a name, and each value one of the item's type in its one spelling. What the binary
//! encoding has no order for (the parts of an Audit descriptor) is put in the order in which it is read.

mod registry;

use self::registry::{
    event_name, package_of, parms, property, property_of, seed, signal, statistic, statistic_name, typed,
    unnamed,
};
use super::*;
use crate::sdp::SdpText;

/// Messages that the binary encoding can carry, in the order that it has.
pub fn binary_message() -> impl Strategy<Value = Message> {
    message().prop_map(|mut message| {
        match &mut message.body {
            Body::Error(found) => error(found),
            Body::Transactions(transactions) => transactions.iter_mut().for_each(transaction),
        }
        message
    })
}

fn transaction(transaction: &mut Transaction) {
    match transaction {
        Transaction::Request(request) => {
            for action in &mut request.actions {
                properties_of_context(&mut action.properties);
                if let Some(audit) = &mut action.audit {
                    context_audit(audit);
                }
                action.commands.iter_mut().for_each(command);
            }
        }
        Transaction::Reply(reply) => match &mut reply.body {
            ReplyBody::Error(found) => error(found),
            ReplyBody::Actions(actions) => {
                for action in actions {
                    action.error.iter_mut().for_each(error);
                    properties_of_context(&mut action.properties);
                    action.commands.iter_mut().for_each(command_reply);
                }
            }
        },
        Transaction::Pending(_) | Transaction::Ack(_) | Transaction::SegmentReply { .. } => {}
    }
}

fn error(error: &mut ErrorDescriptor) {
    if let Some(text) = &mut error.text {
        *text = text.replace(|c: char| !c.is_ascii(), "?");
    }
}

fn properties_of_context(properties: &mut ContextProperties) {
    for triple in &mut properties.topology {
        termination(&mut triple.from);
        termination(&mut triple.to);
    }
    properties.attributes.iter_mut().for_each(property);
}

fn context_audit(audit: &mut ContextAudit) {
    audit.attributes.iter_mut().for_each(|name| *name = property_of(name).0);
    if let Some(select) = &mut audit.select {
        select.properties.topology.clear();
        select.properties.contexts.clear();
        select.properties.attributes.iter_mut().for_each(property);
        if **select == ContextSelect::default() {
            audit.select = None;
        }
    }
    if *audit == ContextAudit::default() {
        audit.topology = true;
    }
}

fn command(request: &mut CommandRequest) {
    request.terminations.iter_mut().for_each(termination);
    match &mut request.command {
        Command::Add(amm) | Command::Move(amm) | Command::Modify(amm) => {
            amm.media.iter_mut().for_each(media);
            amm.modem.iter_mut().for_each(modem);
            amm.mux.iter_mut().for_each(mux);
            amm.events.iter_mut().for_each(events);
            amm.event_buffer.iter_mut().flatten().for_each(event_spec);
            amm.signals.iter_mut().for_each(signals);
            amm.digit_map.iter_mut().for_each(digit_map);
            amm.audit.iter_mut().for_each(audit);
        }
        Command::Subtract(found) => found.iter_mut().for_each(audit),
        Command::AuditValue(found) | Command::AuditCapability(found) => audit(found),
        Command::Notify(notify) => {
            notify.observed.events.iter_mut().for_each(|observed| event_spec(&mut observed.event));
            notify.error.iter_mut().for_each(error);
        }
        Command::ServiceChange(change) => service_change(change),
    }
}

fn command_reply(reply: &mut CommandReply) {
    reply.terminations.iter_mut().for_each(termination);
    match &mut reply.result {
        CommandResult::Add(audit)
        | CommandResult::Move(audit)
        | CommandResult::Modify(audit)
        | CommandResult::Subtract(audit)
        | CommandResult::AuditValue(AuditResult::Termination(audit))
        | CommandResult::AuditCapability(AuditResult::Termination(audit)) => {
            audit.iter_mut().for_each(returned);
        }
        CommandResult::AuditValue(AuditResult::ContextError(found))
        | CommandResult::AuditCapability(AuditResult::ContextError(found))
        | CommandResult::Notify(Some(found))
        | CommandResult::ServiceChange(ServiceChangeResult::Error(found)) => error(found),
        _ => {}
    }
}

fn returned(returned: &mut AuditReturn) {
    match returned {
        AuditReturn::Media(found) => media(found),
        AuditReturn::Modem(found) => modem(found),
        AuditReturn::Mux(found) => mux(found),
        AuditReturn::Events(found) => events(found),
        AuditReturn::Signals(found) => signals(found),
        AuditReturn::DigitMap(found) => digit_map(found),
        AuditReturn::ObservedEvents(found) => {
            found.events.iter_mut().for_each(|observed| event_spec(&mut observed.event));
        }
        AuditReturn::EventBuffer(found) => found.iter_mut().for_each(event_spec),
        AuditReturn::Statistics(found) => found.iter_mut().for_each(statistic),
        AuditReturn::Packages(found) => {
            found.iter_mut().for_each(|package| package.name = package_of(&package.name));
        }
        AuditReturn::Error(found) => error(found),
        AuditReturn::Empty(_) => {}
    }
}

/// `ip/<group>/<interface>/<id>` with wildcards here and there, or an identifier that is none of ours.
fn termination(id: &mut TerminationId) {
    let TerminationId::Path(path) = &id else { return };
    let seed = seed(path);
    let interface = ["access", "core", "9"][seed % 3];
    let (group, number) = (seed / 3 % 8, seed / 24 % agw_core::model::TerminationId::MAX.0 as usize);
    let path = match seed / 7 % 12 {
        0 => format!("ip/{group}/{interface}/$"),
        1 => format!("ip/{group}/$"),
        2 => format!("ip/*/{interface}/*"),
        3 => "ip/*".to_owned(),
        4 => format!("*/{group}/{interface}/{number}"),
        5 => format!("x{:06x}", seed % 0x100_0000),
        6 => format!("x40{:06x}w{}", seed % 0x100_0000, ["1e", "9e", "5e", "de"][seed / 5 % 4]),
        _ => format!("ip/{group}/{interface}/{number}"),
    };
    *id = TerminationId::Path(path.as_str().into());
}

fn media(media: &mut MediaDescriptor) {
    if let Some(state) = &mut media.termination_state {
        state.properties.iter_mut().for_each(property);
    }
    match &mut media.streams {
        Streams::None => {}
        Streams::One(parms) => stream(parms),
        Streams::Many(streams) => streams.iter_mut().for_each(|found| stream(&mut found.parms)),
    }
}

fn stream(parms: &mut StreamParms) {
    if let Some(control) = &mut parms.local_control {
        control.properties.iter_mut().for_each(property);
    }
    for text in [&mut parms.local, &mut parms.remote].into_iter().flatten() {
        // Only lines of SDP have a tag.
        let is_sdp = |line: &str| {
            line.as_bytes().get(1) == Some(&b'=') && b"vosiuepcbzkatrm".contains(&line.as_bytes()[0])
        };
        let lines: Vec<_> = text.lines().filter(|line| is_sdp(line)).collect();
        *text = SdpText::new(&lines.join("\n"));
    }
    parms.statistics.iter_mut().flatten().for_each(statistic);
}

fn modem(modem: &mut ModemDescriptor) {
    for kind in &mut modem.types {
        if let ModemType::Extension(_) = kind {
            *kind = ModemType::V90;
        }
    }
    modem.properties.iter_mut().for_each(property);
}

fn mux(mux: &mut MuxDescriptor) {
    if let MuxType::Extension(_) = mux.kind {
        mux.kind = MuxType::Nx64k;
    }
    mux.terminations.iter_mut().for_each(termination);
}

fn events(events: &mut EventsDescriptor) {
    for event in &mut events.events {
        let parameters = event_name(&mut event.name);
        parms(&mut event.parms, &parameters);
        event.digit_map.iter_mut().for_each(event_digit_map);
        event.embed.iter_mut().for_each(embed);
        if let Some(NotifyBehaviour::Regulated(Some(found))) = &mut event.notify {
            embed(found);
        }
    }
}

fn embed(embed: &mut Embed) {
    embed.signals.iter_mut().for_each(signals);
    for event in embed.events.iter_mut().flat_map(|found| &mut found.events) {
        let parameters = event_name(&mut event.name);
        parms(&mut event.parms, &parameters);
        event.digit_map.iter_mut().for_each(event_digit_map);
        event.signals.iter_mut().for_each(signals);
    }
}

fn event_spec(event: &mut EventSpec) {
    let parameters = event_name(&mut event.name);
    parms(&mut event.parms, &parameters);
}

fn signals(signals: &mut SignalsDescriptor) {
    for item in signals {
        match item {
            SignalItem::Signal(found) => signal(found),
            SignalItem::List { signals, .. } => signals.iter_mut().for_each(signal),
        }
    }
}

fn digit_map(map: &mut DigitMapDescriptor) {
    map.name.iter_mut().for_each(|name| *name = unnamed(name));
}

fn event_digit_map(map: &mut EventDigitMap) {
    if let EventDigitMap::Name(name) = map {
        *name = unnamed(name);
    }
}

fn service_change(change: &mut ServiceChangeRequest) {
    if let ServiceChangeMethod::Extension(_) = change.method {
        change.method = ServiceChangeMethod::Restart;
    }
    if let Some(item) = change.info.take() {
        let mut items = AuditDescriptor { items: vec![item] };
        audit(&mut items);
        change.info = items.items.into_iter().next();
    }
    change.extensions.truncate(1);
    for extension in &mut change.extensions {
        let first = match &extension.value {
            ParmValue::One(value) | ParmValue::Relation(_, value) | ParmValue::Range(value, _) => {
                value.clone()
            }
            ParmValue::All(values) | ParmValue::Any(values) => values[0].clone(),
        };
        extension.value = typed(&first, None).into();
    }
}

/// Names by the registry, whole descriptors in the order of their bits and before the parts.
fn audit(audit: &mut AuditDescriptor) {
    use DescriptorKind::*;
    let order =
        [Mux, Modem, Media, Events, Signals, DigitMap, Statistics, ObservedEvents, Packages, EventBuffer];
    let wanted = order.into_iter().filter(|kind| audit.wants(*kind)).map(AuditItem::Descriptor);
    let mut items: Vec<_> = wanted.collect();
    for item in &mut audit.items {
        match item {
            AuditItem::Descriptor(_) => continue,
            AuditItem::Media(parts) => media_audit(parts),
            AuditItem::Event { event, .. } => drop(event_name(event)),
            AuditItem::BufferedEvent { event, parameter, .. } => {
                *parameter = None;
                event_name(event);
            }
            AuditItem::Signal { signal: name, .. } => {
                let mut found = Signal::new(name.clone(), Vec::new());
                signal(&mut found);
                *name = found.name;
            }
            AuditItem::DigitMap(name) => *name = unnamed(name),
            AuditItem::Statistic(name) => *name = statistic_name(name),
            AuditItem::Package(package) => package.name = package_of(&package.name),
        }
        items.push(item.clone());
    }
    audit.items = items;
}

/// Termination state first, then stream by stream, each part once.
fn media_audit(parts: &mut Vec<MediaAudit>) {
    use LocalControlAudit as L;
    use TerminationStateAudit as T;
    let mut streams = Vec::new();
    for part in parts.iter_mut() {
        match part {
            MediaAudit::LocalControl { stream, item } => {
                if let L::Property(name) = item {
                    *name = property_of(name).0;
                }
                streams.push(stream);
            }
            MediaAudit::Local { stream } | MediaAudit::Remote { stream } => streams.push(stream),
            MediaAudit::Statistic { stream, name } => {
                *name = statistic_name(name);
                streams.push(stream);
            }
            MediaAudit::TerminationState(T::Property(name)) => *name = property_of(name).0,
            MediaAudit::TerminationState(_) => {}
        }
    }
    // All streams with identifiers or none.
    if streams.iter().any(|stream| stream.is_some()) {
        streams.into_iter().for_each(|stream| *stream = Some(stream.unwrap_or(7)));
    }
    let mut once: Vec<MediaAudit> = Vec::new();
    for part in parts.drain(..) {
        let repeated = once.contains(&part)
            || matches!(&part, MediaAudit::Statistic { stream, .. }
                if once.iter().any(|other| matches!(other, MediaAudit::Statistic { stream: s, .. } if s == stream)));
        if !repeated {
            once.push(part);
        }
    }
    let stream_of = |part: &MediaAudit| match part {
        MediaAudit::LocalControl { stream, .. }
        | MediaAudit::Local { stream }
        | MediaAudit::Remote { stream }
        | MediaAudit::Statistic { stream, .. } => Some(*stream),
        MediaAudit::TerminationState(_) => None,
    };
    let first: Vec<_> = once.iter().map(stream_of).collect();
    once.sort_by_key(|part| {
        let stream = stream_of(part);
        let rank = match part {
            MediaAudit::TerminationState(T::Property(_)) => 0,
            MediaAudit::TerminationState(T::EventBufferControl) => 1,
            MediaAudit::TerminationState(T::ServiceState) => 2,
            MediaAudit::LocalControl { item: L::Mode, .. } => 3,
            MediaAudit::LocalControl { item: L::ReserveValue, .. } => 4,
            MediaAudit::LocalControl { item: L::ReserveGroup, .. } => 5,
            MediaAudit::LocalControl { item: L::Property(_), .. } => 6,
            MediaAudit::Local { .. } => 7,
            MediaAudit::Remote { .. } => 8,
            MediaAudit::Statistic { .. } => 9,
        };
        (stream.map(|_| first.iter().position(|other| *other == stream)), rank)
    });
    *parts = once;
}
