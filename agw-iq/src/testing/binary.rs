//! Messages that have a binary form: any tree, with its names and values replaced by those of the registry.
//!
//! Annex A knows numbers where the text encoding knows names, so most random names have no binary form. Here each name picks an item
//! of the registry, or a number without a name, and each value one of the item's type in its one spelling. What the binary
//! encoding has no order for (the parts of an Audit descriptor) is put in the order in which it is read.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::*;
use crate::package::{Kind, Parameter, registry};
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

/// A number made of what stands there, so that a smaller tree has smaller numbers or at least the same.
fn seed(of: &(impl Hash + ?Sized)) -> usize {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish() as usize
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

fn signal(signal: &mut Signal) {
    let all: Vec<_> = registry::PACKAGES
        .iter()
        .flat_map(|package| {
            package.signals.iter().map(|signal| (package.name, signal.name, signal.parameters))
        })
        .collect();
    let picked = pick(&mut signal.name, &all);
    parms(&mut signal.parms, &picked.map(|(_, _, parameters)| parameters.to_vec()).unwrap_or_default());
}

fn digit_map(map: &mut DigitMapDescriptor) {
    map.name.iter_mut().for_each(|name| *name = unnamed(name));
}

fn event_digit_map(map: &mut EventDigitMap) {
    if let EventDigitMap::Name(name) = map {
        *name = unnamed(name);
    }
}

/// A number without a name.
fn unnamed(name: &Name) -> Name {
    Name::new(format!("x7{:03x}", seed(name) & 0xfff))
}

fn package_of(name: &Name) -> Name {
    let seed = seed(name);
    if seed.is_multiple_of(5) {
        unnamed(name)
    } else {
        registry::PACKAGES[seed % registry::PACKAGES.len()].name.into()
    }
}

/// One of all items in place of a name; wildcards stay, and now and then the number is one that has no name.
fn pick<T: Copy>(
    name: &mut PkgdName,
    all: &[(&'static str, &'static str, T)],
) -> Option<(&'static str, &'static str, T)> {
    let seed = seed(name);
    if name.package.is_all() {
        return None;
    }
    if name.item.is_all() {
        name.package = package_of(&name.package);
        return None;
    }
    let picked = all[seed % all.len()];
    match seed / 11 % 8 {
        // Numbers that no registry has.
        0 => *name = PkgdName::new("x00fe", "x0001"),
        1 => *name = PkgdName::new(picked.0, "x0ffe"),
        _ => {
            *name = PkgdName::new(picked.0, picked.1);
            return Some(picked);
        }
    }
    None
}

fn property_of(name: &PkgdName) -> (PkgdName, Option<Kind>) {
    let all: Vec<_> = registry::PACKAGES
        .iter()
        .flat_map(|package| {
            package.properties.iter().map(|property| (package.name, property.name, property.kind))
        })
        .collect();
    let mut name = name.clone();
    let kind = pick(&mut name, &all).map(|(_, _, kind)| kind);
    (name, kind)
}

fn property(property: &mut PropertyParm) {
    let (name, kind) = property_of(&property.name);
    property.name = name;
    parm_value(&mut property.value, kind);
}

/// Picks an event and tells its parameters, each number once.
fn event_name(name: &mut PkgdName) -> Vec<Parameter> {
    let all: Vec<_> = registry::PACKAGES
        .iter()
        .flat_map(|package| package.events.iter().map(|event| (package.name, event.name, event)))
        .collect();
    let event = pick(name, &all).map(|(_, _, event)| event);
    let tables = event.map_or([&[][..], &[]], |event| [event.requested, event.observed]);
    let mut parameters: Vec<Parameter> = Vec::new();
    for parameter in tables.into_iter().flatten() {
        if !parameters.iter().any(|known| known.name == parameter.name) {
            parameters.push(*parameter);
        }
    }
    parameters
}

fn parms(parms: &mut [Parm], table: &[Parameter]) {
    for parm in parms {
        let seed = seed(&parm.name);
        let picked = (!table.is_empty() && seed % 4 != 0).then(|| table[seed % table.len()]);
        parm.name = picked.map_or_else(|| "x0ffd".into(), |parameter| parameter.name.into());
        parm_value(&mut parm.value, picked.map(|parameter| parameter.kind));
    }
}

fn parm_value(value: &mut ParmValue, kind: Option<Kind>) {
    match value {
        ParmValue::One(found) if found.is_choose() => {}
        ParmValue::One(found) | ParmValue::Relation(_, found) => *found = typed(found, kind),
        ParmValue::All(all) => all.iter_mut().for_each(|found| *found = typed(found, kind)),
        ParmValue::Any(all) => {
            all.iter_mut().for_each(|found| *found = typed(found, kind));
            // One alternative is a value.
            if let [only] = all.as_slice() {
                *value = ParmValue::One(only.clone());
            }
        }
        ParmValue::Range(low, high) => {
            *low = typed(low, kind);
            *high = typed(high, kind);
        }
    }
}

/// A value of this type, in its one spelling.
fn typed(value: &Value, kind: Option<Kind>) -> Value {
    let seed = seed(value.as_str());
    match kind {
        Some(Kind::Boolean) => Value::boolean(seed.is_multiple_of(2)),
        Some(Kind::Integer { min, max }) => (min + seed as u64 % (max - min).saturating_add(1).max(1)).into(),
        Some(Kind::Enumeration(words)) => Value::token(words[seed % words.len()].0),
        Some(Kind::Octet) => Value::token(format!("0x{:02X}", seed % 64)),
        Some(_) => Value::quoted(value.as_str()),
        None => match seed % 4 {
            0 => Value::token((seed as i64).to_string()),
            1 => Value::boolean(seed % 8 == 1),
            2 => Value::token(format!("0x0a01{:02x}", seed / 4 % 256)),
            _ => Value::quoted(value.as_str()),
        },
    }
}

fn statistic(statistic: &mut Statistic) {
    let all: Vec<_> = registry::PACKAGES
        .iter()
        .flat_map(|package| package.statistics.iter().map(|found| (package.name, found.name, found.fraction)))
        .collect();
    let picked = pick(&mut statistic.name, &all).map(|(_, _, fraction)| fraction);
    for value in &mut statistic.value {
        let seed = seed(value.as_str());
        *value = match picked {
            Some(true) => Value::token(format!("{}.{}", seed / 10 % 100, seed % 9 + 1)),
            Some(false) => (seed as u64).into(),
            None => typed(value, None),
        };
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

fn statistic_name(name: &PkgdName) -> PkgdName {
    let mut found = Statistic { name: name.clone(), value: Vec::new() };
    statistic(&mut found);
    found.name
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
