//! AuditValue, and ROOT (H.248.1 section 7.2.5): what is, as far as the controller may know it. Keys are never in it (SRTP-9, SRTP-12):
//! the view has none.

use super::events::{Detector, read_events};
use super::kept::KeptProperties;
use super::stream::Stream;
use super::view::{ActiveEvents, Termination};
use super::*;
use crate::package;

/// The statistics that an Audit asks for.
///
/// # Errors
/// 440 and 453 for one that there is not.
pub(super) fn wanted_statistics(audit: &AuditDescriptor) -> Result<Option<Wanted>, ErrorDescriptor> {
    if audit.wants(DescriptorKind::Statistics) {
        return Ok(Some(Wanted::All { msrp: false }));
    }
    let mut names = Vec::new();
    for item in &audit.items {
        if let AuditItem::Statistic(name) = item {
            package::statistic(name)?;
            names.push(name.clone());
        }
    }
    Ok((!names.is_empty()).then_some(Wanted::These(names)))
}

/// Whether everything that an Audit of an Add, Modify or Move names can be said at all; asked before anything is done (IQ-4).
///
/// # Errors
/// 440, 451, 452, 453, 512, 513, 532.
pub(super) fn check_names(audit: &AuditDescriptor) -> Result<(), ErrorDescriptor> {
    for item in &audit.items {
        match item {
            AuditItem::Statistic(name) => package::statistic(name).map(|_| ())?,
            AuditItem::Event { event, .. } => package::event(event).map(|_| ())?,
            AuditItem::Signal { signal, .. } => package::signal(signal).map(|_| ())?,
            AuditItem::Package(wanted) => one_package(wanted).map(|_| ())?,
            AuditItem::DigitMap(name) => return Err(no_such(name)),
            AuditItem::Media(_) | AuditItem::Descriptor(_) | AuditItem::BufferedEvent { .. } => {}
        }
    }
    Ok(())
}

/// The Packages descriptor of ROOT, which has them all, or of a termination.
pub(super) fn packages(root: bool) -> AuditReturn {
    AuditReturn::Packages(
        package::realized()
            .filter(|package| root || package.is_of_terminations())
            .map(|package| PackageVersion { name: Name::new(package.name), version: package.version })
            .collect(),
    )
}

fn no_such(name: impl std::fmt::Display) -> ErrorDescriptor {
    ErrorDescriptor::with_text(ErrorCode::AUDITED_DOES_NOT_EXIST, name.to_string())
}

impl Executor {
    pub(super) fn audit_value(
        &self,
        id: model::TerminationId,
        audit: &AuditDescriptor,
        gateway: &mut dyn Gateway,
    ) -> Result<Answer, Stop> {
        let mut answer = self.audit_without_statistics(id, audit)?;
        if let Some(wanted) = wanted_statistics(audit)?.map(|wanted| self.with_msrp(id, wanted)) {
            match gateway.execute(Order::ReadStatistics(id)) {
                Ok(Reply::Statistics(ticket)) => answer.statistics = Some((ticket, wanted)),
                Ok(_) => {}
                Err(refused) if refusal::passes(&refused) => return Err(Stop::Blocked),
                Err(refused) => return Err(refused.into()),
            }
        }
        Ok(answer)
    }

    /// Messages are counted where there is MSRP.
    pub(super) fn with_msrp(&self, id: model::TerminationId, wanted: Wanted) -> Wanted {
        let streams =
            self.view.termination(id).into_iter().flat_map(|termination| termination.streams.iter());
        match wanted {
            Wanted::All { .. } => {
                Wanted::All { msrp: streams.map(|(_, stream)| stream).any(Stream::has_msrp) }
            }
            these @ Wanted::These(_) => these,
        }
    }

    pub(super) fn audit_without_statistics(
        &self,
        id: model::TerminationId,
        audit: &AuditDescriptor,
    ) -> Result<Answer, Stop> {
        let termination =
            self.view.termination(id).ok_or_else(|| ErrorDescriptor::new(ErrorCode::UNKNOWN_TERMINATION))?;
        let mut returned = Vec::new();
        for item in &audit.items {
            if let Some(descriptor) = value_of(termination, self.state_of(termination), item)? {
                returned.push(descriptor);
            }
        }
        Ok(Answer { audit: returned, statistics: None })
    }

    /// A command for the gateway itself.
    pub(super) fn root_command(
        &mut self,
        now: Now,
        command: &Command,
        e: &mut Execution,
    ) -> Result<(), Stop> {
        let result = match command {
            Command::Modify(request) => {
                self.modify_root(now, request, e)?;
                let audit = request.audit.as_ref().map(|audit| self.audit_root(audit)).transpose()?;
                CommandResult::Modify(audit.unwrap_or_default())
            }
            Command::AuditValue(audit) => {
                if e.here == Some(Here::All) {
                    return self.list_contexts(Verb::AuditValue, e);
                }
                CommandResult::AuditValue(AuditResult::Termination(self.audit_root(audit)?))
            }
            Command::AuditCapability(audit) => {
                if e.here == Some(Here::All) {
                    return self.list_contexts(Verb::AuditCapability, e);
                }
                CommandResult::AuditCapability(AuditResult::Termination(self.root_capability(audit)?))
            }
            Command::Add(_)
            | Command::Move(_)
            | Command::Subtract(_)
            | Command::Notify(_)
            | Command::ServiceChange(_) => {
                return Err(ErrorDescriptor::with_text(ErrorCode::COMMAND_NOT_ALLOWED, "ROOT").into());
            }
        };
        e.reply(e.context(), TerminationId::Root, result);
        Ok(())
    }

    /// ROOT in all contexts: an action reply for each context that there is (H.248.1 section 7.2.5).
    fn list_contexts(&self, verb: Verb, e: &mut Execution) -> Result<(), Stop> {
        if self.view.contexts.len() > MAX_WILDCARD_REPLIES {
            return Err(ErrorDescriptor::new(ErrorCode::RESPONSE_TOO_LARGE).into());
        }
        if self.view.contexts.is_empty() {
            e.reply(ContextId::All, TerminationId::Root, succeeded(verb, Vec::new()));
        }
        for number in self.view.contexts.keys() {
            e.reply(ContextId::Id(*number), TerminationId::Root, succeeded(verb, Vec::new()));
        }
        Ok(())
    }

    fn modify_root(&mut self, now: Now, request: &AmmRequest, e: &Execution) -> Result<(), ErrorDescriptor> {
        let illegal = [
            (request.signals.as_ref().is_some_and(|signals| !signals.is_empty()), "Signals"),
            (request.modem.is_some(), "Modem"),
            (request.mux.is_some(), "Mux"),
            (request.digit_map.is_some(), "DigitMap"),
            (request.event_buffer.is_some(), "EventBuffer"),
            (request.media.as_ref().is_some_and(|media| media.streams != Streams::None), "Stream"),
        ];
        if let Some((_, name)) = illegal.into_iter().find(|(given, _)| *given) {
            return Err(ErrorDescriptor::with_text(
                ErrorCode::DESCRIPTOR_NOT_LEGAL,
                format!("{name} on ROOT"),
            ));
        }
        let events = request.events.as_ref().map(|events| read_events(events, Detector::Root)).transpose()?;
        // All or nothing (IQ-4).
        let (mut root, mut kept) = (self.root, self.kept.clone());
        let state = request.media.as_ref().and_then(|media| media.termination_state.as_ref());
        if let Some(state) = state {
            if state.service_state.is_some_and(|wanted| wanted != ServiceState::InService) {
                return Err(ErrorDescriptor::with_text(ErrorCode::NOT_IMPLEMENTED, "ServiceStates of ROOT"));
            }
            for (at, property) in state.properties.iter().enumerate() {
                if state.properties[..at].iter().any(|earlier| earlier.name == property.name) {
                    let name = property.name.to_string();
                    return Err(ErrorDescriptor::with_text(ErrorCode::PROPERTY_TWICE, name));
                }
                if KeptProperties::takes(&property.name)? {
                    kept.set(std::slice::from_ref(property))?;
                } else {
                    root.set(&property.name, &property.value)?;
                }
            }
        }
        (self.root, self.kept) = (root, kept);
        if let Some(events) = events {
            self.listen_on_root(now, events, e.context(), e.caller.peer);
        }
        Ok(())
    }

    fn audit_root(&self, audit: &AuditDescriptor) -> Result<TerminationAudit, ErrorDescriptor> {
        let mut returned = Vec::new();
        let mut state = TerminationStateDescriptor::default();
        for item in &audit.items {
            match item {
                AuditItem::Descriptor(DescriptorKind::Packages) => returned.push(packages(true)),
                AuditItem::Descriptor(DescriptorKind::Media) => {
                    state.service_state = Some(self.state_of_root());
                    state.properties = self.root_properties();
                }
                AuditItem::Descriptor(DescriptorKind::Events) => {
                    returned.push(all_events(self.root_events.active()));
                }
                AuditItem::Event { event, request } => {
                    returned.push(one_event(self.root_events.active(), event, *request)?);
                }
                AuditItem::Descriptor(kind) => returned.push(AuditReturn::Empty(*kind)),
                AuditItem::Media(items) => {
                    for item in items {
                        match item {
                            MediaAudit::TerminationState(TerminationStateAudit::ServiceState) => {
                                state.service_state = Some(self.state_of_root());
                            }
                            _ => state.properties.extend(self.root_property(item)?),
                        }
                    }
                }
                AuditItem::Package(wanted) => returned.push(one_package(wanted)?),
                AuditItem::Statistic(name) => return Err(no_such(name)),
                AuditItem::BufferedEvent { event, .. } => return Err(no_such(event)),
                AuditItem::Signal { signal, .. } => return Err(no_such(signal)),
                AuditItem::DigitMap(name) => return Err(no_such(name)),
            }
        }
        if state != TerminationStateDescriptor::default() {
            let media = MediaDescriptor { termination_state: Some(state), streams: Streams::None };
            returned.insert(0, AuditReturn::Media(media));
        }
        Ok(returned)
    }

    fn available_realms(&self) -> PropertyParm {
        let usable = self.realms.iter().filter(|realm| self.outage(realm).is_none());
        package::availability::available(usable)
    }

    /// All properties of ROOT.
    fn root_properties(&self) -> Vec<PropertyParm> {
        let mut properties = self.root.all();
        properties.push(self.available_realms());
        properties.extend(self.kept.all());
        properties
    }

    fn root_property(&self, item: &MediaAudit) -> Result<Vec<PropertyParm>, ErrorDescriptor> {
        match item {
            MediaAudit::TerminationState(TerminationStateAudit::Property(name)) if name.package == "root" => {
                if name.item.is_all() {
                    return Ok(self.root.all());
                }
                self.root.get(name.item.as_str()).map(|property| vec![property]).ok_or_else(|| no_such(name))
            }
            MediaAudit::TerminationState(TerminationStateAudit::Property(name)) => {
                let mut found = self.kept.named(name);
                let available = self.available_realms();
                if name.package == "ipra" && (name.item.is_all() || name.item == "ar") {
                    found.push(available);
                }
                if found.is_empty() { Err(no_such(name)) } else { Ok(found) }
            }
            _ => Err(no_such("on ROOT")),
        }
    }

    /// The properties of a context, after the action has set them (H.248.1 section 7.2.9).
    pub(super) fn audit_context(
        &self,
        audit: &ContextAudit,
        e: &mut Execution,
    ) -> Result<(), ErrorDescriptor> {
        if audit.select.is_some() || !audit.attributes.is_empty() || audit.ieps {
            return Err(ErrorDescriptor::with_text(ErrorCode::NOT_IMPLEMENTED, "context audit of version 3"));
        }
        let properties = |attributes: ContextAttributes| ContextProperties {
            priority: audit.priority.then_some(u16::from(attributes.priority)),
            // The text encoding of version 2 has no word for an emergency that is none.
            emergency: (audit.emergency && attributes.emergency).then_some(true),
            ..ContextProperties::default()
        };
        match e.here {
            Some(Here::All) => {
                if self.view.contexts.len() > MAX_WILDCARD_REPLIES {
                    return Err(ErrorDescriptor::new(ErrorCode::RESPONSE_TOO_LARGE));
                }
                for (number, context) in &self.view.contexts {
                    let at = e.action_reply(ContextId::Id(*number));
                    e.replies[at].properties = properties(context.attributes);
                }
                Ok(())
            }
            Some(Here::One(id)) => {
                let attributes =
                    self.view.contexts.get(&id.0).map(|context| context.attributes).unwrap_or_default();
                let at = e.action_reply(ContextId::Id(id.0));
                e.replies[at].properties = properties(attributes);
                Ok(())
            }
            _ => Err(ErrorDescriptor::with_text(ErrorCode::UNKNOWN_ACTION, "ContextAudit of this context")),
        }
    }
}

fn one_package(wanted: &PackageVersion) -> Result<AuditReturn, ErrorDescriptor> {
    let found = package::find(wanted.name.as_str()).filter(|package| package.realized);
    let found = found.ok_or_else(|| no_such(&wanted.name))?;
    Ok(AuditReturn::Packages(vec![PackageVersion { name: Name::new(found.name), version: found.version }]))
}

/// One item of an audit; `None` for statistics, which come later.
fn value_of(
    termination: &Termination,
    service: ServiceState,
    item: &AuditItem,
) -> Result<Option<AuditReturn>, ErrorDescriptor> {
    Ok(Some(match item {
        AuditItem::Descriptor(DescriptorKind::Statistics) | AuditItem::Statistic(_) => return Ok(None),
        AuditItem::Descriptor(DescriptorKind::Media) => AuditReturn::Media(media_of(termination, service)),
        AuditItem::Descriptor(DescriptorKind::Packages) => packages(false),
        AuditItem::Descriptor(DescriptorKind::Events) => all_events(termination.listening.active()),
        AuditItem::Descriptor(DescriptorKind::EventBuffer) => buffer_wanted(termination),
        AuditItem::Descriptor(DescriptorKind::ObservedEvents) => buffered(termination),
        // Signals here are brief: none is ever active.
        AuditItem::Descriptor(kind) => AuditReturn::Empty(*kind),
        AuditItem::Media(items) => AuditReturn::Media(some_media_of(termination, service, items)?),
        AuditItem::Event { event, request } => one_event(termination.listening.active(), event, *request)?,
        AuditItem::Signal { signal, .. } => {
            package::signal(signal)?;
            AuditReturn::Empty(DescriptorKind::Signals)
        }
        AuditItem::BufferedEvent { event, .. } => {
            package::event(event)?;
            let held = termination.listening.buffer_wanted().iter().filter(|held| held.name == *event);
            AuditReturn::EventBuffer(held.cloned().collect())
        }
        AuditItem::DigitMap(name) => return Err(no_such(name)),
        AuditItem::Package(wanted) => one_package(wanted)?,
    }))
}

/// The EventBuffer descriptor in force.
fn buffer_wanted(termination: &Termination) -> AuditReturn {
    match termination.listening.buffer_wanted() {
        [] => AuditReturn::Empty(DescriptorKind::EventBuffer),
        wanted => AuditReturn::EventBuffer(wanted.to_vec()),
    }
}

/// The events in the buffer (section 7.2.5).
fn buffered(termination: &Termination) -> AuditReturn {
    let kept = termination.listening.buffered();
    let events: Vec<_> = kept.map(|kept| ObservedEvent { time: None, event: kept.event.clone() }).collect();
    match termination.listening.active() {
        Some(active) if !events.is_empty() => {
            AuditReturn::ObservedEvents(ObservedEventsDescriptor { request: active.request, events })
        }
        _ => AuditReturn::Empty(DescriptorKind::ObservedEvents),
    }
}

/// The Events descriptor in force.
fn all_events(active: Option<&ActiveEvents>) -> AuditReturn {
    match active {
        None => AuditReturn::Empty(DescriptorKind::Events),
        Some(active) => AuditReturn::Events(EventsDescriptor {
            request: Some(active.request),
            events: active.events.clone(),
        }),
    }
}

/// One event of it.
fn one_event(
    active: Option<&ActiveEvents>,
    event: &PkgdName,
    request: Option<RequestId>,
) -> Result<AuditReturn, ErrorDescriptor> {
    package::event(event)?;
    let found = active.filter(|active| request.is_none_or(|wanted| wanted == active.request));
    let found = found.and_then(|active| {
        let events: Vec<_> = active.events.iter().filter(|asked| asked.name == *event).cloned().collect();
        (!events.is_empty()).then_some(EventsDescriptor { request: Some(active.request), events })
    });
    Ok(found.map_or(AuditReturn::Empty(DescriptorKind::Events), AuditReturn::Events))
}

fn media_of(termination: &Termination, service: ServiceState) -> MediaDescriptor {
    let state = TerminationStateDescriptor {
        service_state: Some(service),
        event_buffer_control: Some(termination.listening.buffer_control()),
        properties: termination.kept.all(),
    };
    let streams = termination.streams.iter().map(|(id, stream)| StreamDescriptor {
        id: *id,
        parms: StreamParms {
            local_control: Some(LocalControlDescriptor {
                mode: Some(stream.mode),
                reserve_value: stream.reserve_value,
                reserve_group: stream.reserve_group,
                properties: stream.told_properties(),
            }),
            local: stream.local.clone(),
            remote: stream.remote.clone(),
            statistics: None,
        },
    });
    MediaDescriptor { termination_state: Some(state), streams: Streams::Many(streams.collect()) }
}

/// Single properties of Media, gathered by stream.
fn some_media_of(
    termination: &Termination,
    service: ServiceState,
    items: &[MediaAudit],
) -> Result<MediaDescriptor, ErrorDescriptor> {
    let mut state = None;
    let mut streams: Vec<StreamDescriptor> = Vec::new();
    for item in items {
        match item {
            MediaAudit::TerminationState(wanted) => {
                let state = state.get_or_insert_with(TerminationStateDescriptor::default);
                match wanted {
                    TerminationStateAudit::ServiceState => {
                        state.service_state = Some(service);
                    }
                    TerminationStateAudit::EventBufferControl => {
                        state.event_buffer_control = Some(termination.listening.buffer_control());
                    }
                    TerminationStateAudit::Property(name) => {
                        let found = termination.kept.named(name);
                        if found.is_empty() {
                            return Err(no_such(name));
                        }
                        state.properties.extend(found);
                    }
                }
            }
            MediaAudit::Statistic { name, .. } => return Err(no_such(name)),
            MediaAudit::LocalControl { stream, item } => {
                each_stream(termination, *stream, &mut streams, |found, parms| {
                    one_property(found, item, parms.local_control.get_or_insert_default())
                })?;
            }
            MediaAudit::Local { stream } => {
                each_stream(termination, *stream, &mut streams, |found, parms| {
                    parms.local = found.local.clone();
                    Ok(())
                })?;
            }
            MediaAudit::Remote { stream } => {
                each_stream(termination, *stream, &mut streams, |found, parms| {
                    parms.remote = found.remote.clone();
                    Ok(())
                })?;
            }
        }
    }
    let streams = if streams.is_empty() { Streams::None } else { Streams::Many(streams) };
    Ok(MediaDescriptor { termination_state: state, streams })
}

/// Does something for the stream that an audit names, or for every one.
fn each_stream(
    termination: &Termination,
    named: Option<u16>,
    listed: &mut Vec<StreamDescriptor>,
    mut take: impl FnMut(&Stream, &mut StreamParms) -> Result<(), ErrorDescriptor>,
) -> Result<(), ErrorDescriptor> {
    if let Some(stream) = named.filter(|stream| !termination.streams.contains_key(stream)) {
        return Err(no_such(format!("Stream = {stream}")));
    }
    for (id, found) in termination.streams.iter().filter(|(id, _)| named.is_none_or(|only| only == **id)) {
        let at = listed.iter().position(|entry| entry.id == *id).unwrap_or_else(|| {
            listed.push(StreamDescriptor { id: *id, parms: StreamParms::default() });
            listed.len() - 1
        });
        take(found, &mut listed[at].parms)?;
    }
    Ok(())
}

fn one_property(
    stream: &Stream,
    wanted: &LocalControlAudit,
    into: &mut LocalControlDescriptor,
) -> Result<(), ErrorDescriptor> {
    match wanted {
        LocalControlAudit::Mode => into.mode = Some(stream.mode),
        LocalControlAudit::ReserveValue => into.reserve_value = Some(stream.reserve_value.unwrap_or(false)),
        LocalControlAudit::ReserveGroup => into.reserve_group = Some(stream.reserve_group.unwrap_or(false)),
        LocalControlAudit::Property(name) if name.item.is_all() => {
            let told = stream.told_properties().into_iter();
            let matches = |held: &PropertyParm| name.package.is_all() || held.name.package == name.package;
            into.properties.extend(told.filter(matches));
        }
        LocalControlAudit::Property(name) => {
            let known = package::property(name)?;
            let held = stream.told_properties().into_iter().find(|held| held.name == *name);
            let default = || {
                known
                    .default
                    .map(|value| PropertyParm { name: name.clone(), value: Value::token(value).into() })
            };
            // The realm is known even where none was named.
            let realm = || {
                let given = stream.given.as_ref().filter(|_| name.is("ipdc", "realm"))?;
                let value = Value::quoted(given.realm.as_str()).into();
                Some(PropertyParm { name: name.clone(), value })
            };
            match held.or_else(realm).or_else(default) {
                Some(property) => into.properties.push(property),
                None => return Err(no_such(name)),
            }
        }
    }
    Ok(())
}
