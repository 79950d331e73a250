//! A walk through the whole message tree, for what must be changed or counted wherever it stands.
//!
//! A [`Visit`] names the nodes that it wants; each is shown before what it holds, so that what is taken away is not visited.

use agw_iq::ast::*;

/// What is done at the nodes of a tree; nothing, where nothing is said.
#[allow(unused_variables, reason = "a visitor that wants nothing of a node leaves it alone")]
pub(crate) trait Visit {
    fn message(&mut self, message: &mut Message) {}
    fn mid(&mut self, mid: &mut Mid) {}
    fn transaction(&mut self, transaction: &mut Transaction) {}
    fn properties(&mut self, properties: &mut ContextProperties) {}
    fn action_request(&mut self, action: &mut ActionRequest) {}
    fn action_reply(&mut self, action: &mut ActionReply) {}
    fn context_audit(&mut self, audit: &mut ContextAudit) {}
    fn command_request(&mut self, command: &mut CommandRequest) {}
    fn command_reply(&mut self, reply: &mut CommandReply) {}
    fn termination(&mut self, termination: &mut TerminationId) {}
    fn audit(&mut self, audit: &mut AuditDescriptor) {}
    fn audit_item(&mut self, item: &mut AuditItem) {}
    fn returned(&mut self, returned: &mut TerminationAudit) {}
    fn amm(&mut self, amm: &mut AmmRequest) {}
    fn media(&mut self, media: &mut MediaDescriptor) {}
    fn state(&mut self, state: &mut TerminationStateDescriptor) {}
    fn parms(&mut self, parms: &mut StreamParms) {}
    fn control(&mut self, control: &mut LocalControlDescriptor) {}
    fn modem(&mut self, modem: &mut ModemDescriptor) {}
    fn mux(&mut self, mux: &mut MuxDescriptor) {}
    fn digit_map(&mut self, map: &mut DigitMapDescriptor) {}
    fn digit_map_value(&mut self, map: &mut DigitMapValue) {}
    fn signals(&mut self, signals: &mut SignalsDescriptor) {}
    fn signal(&mut self, signal: &mut Signal) {}
    fn event(&mut self, event: &mut RequestedEvent) {}
    fn embed(&mut self, embed: &mut Embed) {}
    fn embedded(&mut self, event: &mut EmbeddedEvent) {}
    fn spec(&mut self, spec: &mut EventSpec) {}
    fn observed(&mut self, observed: &mut ObservedEventsDescriptor) {}
    fn request_id(&mut self, request: &mut RequestId) {}
    fn statistic(&mut self, statistic: &mut Statistic) {}
    fn package(&mut self, package: &mut PackageVersion) {}
    fn service_change(&mut self, request: &mut ServiceChangeRequest) {}
    fn service_change_reply(&mut self, reply: &mut ServiceChangeReply) {}
    fn address(&mut self, address: &mut ServiceChangeAddress) {}
    fn profile(&mut self, profile: &mut Profile) {}
    fn error(&mut self, error: &mut ErrorDescriptor) {}
    fn name(&mut self, name: &mut PkgdName) {}
    fn parm_value(&mut self, value: &mut ParmValue) {}
    fn value(&mut self, value: &mut Value) {}
}

/// Shows every node of a message to the visitor.
pub(crate) fn walk(message: &mut Message, visit: &mut impl Visit) {
    visit.message(message);
    visit.mid(&mut message.mid);
    match &mut message.body {
        Body::Error(error) => visit.error(error),
        Body::Transactions(all) => all.iter_mut().for_each(|one| transaction(one, visit)),
    }
}

fn transaction(transaction: &mut Transaction, visit: &mut impl Visit) {
    visit.transaction(transaction);
    match transaction {
        Transaction::Request(request) => request.actions.iter_mut().for_each(|it| action_request(it, visit)),
        Transaction::Reply(TransactionReply { body: ReplyBody::Error(error), .. }) => visit.error(error),
        Transaction::Reply(TransactionReply { body: ReplyBody::Actions(actions), .. }) => {
            actions.iter_mut().for_each(|it| action_reply(it, visit));
        }
        Transaction::Pending(_) | Transaction::Ack(_) | Transaction::SegmentReply { .. } => {}
    }
}

fn action_request(action: &mut ActionRequest, visit: &mut impl Visit) {
    visit.action_request(action);
    context_properties(&mut action.properties, visit);
    if let Some(audit) = &mut action.audit {
        visit.context_audit(audit);
        audit.attributes.iter_mut().for_each(|name| visit.name(name));
        if let Some(select) = &mut audit.select {
            context_properties(&mut select.properties, visit);
        }
    }
    action.commands.iter_mut().for_each(|command| command_request(command, visit));
}

fn action_reply(action: &mut ActionReply, visit: &mut impl Visit) {
    visit.action_reply(action);
    context_properties(&mut action.properties, visit);
    action.commands.iter_mut().for_each(|reply| command_reply(reply, visit));
    action.error.iter_mut().for_each(|error| visit.error(error));
}

fn context_properties(properties: &mut ContextProperties, visit: &mut impl Visit) {
    visit.properties(properties);
    for triple in &mut properties.topology {
        visit.termination(&mut triple.from);
        visit.termination(&mut triple.to);
    }
    self::properties(&mut properties.attributes, visit);
}

fn command_request(request: &mut CommandRequest, visit: &mut impl Visit) {
    visit.command_request(request);
    request.terminations.iter_mut().for_each(|termination| visit.termination(termination));
    match &mut request.command {
        Command::Add(it) | Command::Move(it) | Command::Modify(it) => amm(it, visit),
        Command::Subtract(it) => it.iter_mut().for_each(|it| audit(it, visit)),
        Command::AuditValue(it) | Command::AuditCapability(it) => audit(it, visit),
        Command::Notify(notify) => {
            observed(&mut notify.observed, visit);
            notify.error.iter_mut().for_each(|error| visit.error(error));
        }
        Command::ServiceChange(request) => {
            visit.service_change(request);
            request.address.iter_mut().for_each(|it| address(it, visit));
            request.profile.iter_mut().for_each(|it| visit.profile(it));
            request.mgc_id.iter_mut().for_each(|it| visit.mid(it));
            request.info.iter_mut().for_each(|it| audit_item(it, visit));
            parms(&mut request.extensions, visit);
        }
    }
}

fn command_reply(reply: &mut CommandReply, visit: &mut impl Visit) {
    visit.command_reply(reply);
    reply.terminations.iter_mut().for_each(|termination| visit.termination(termination));
    match &mut reply.result {
        CommandResult::Add(it)
        | CommandResult::Move(it)
        | CommandResult::Modify(it)
        | CommandResult::Subtract(it)
        | CommandResult::AuditValue(AuditResult::Termination(it))
        | CommandResult::AuditCapability(AuditResult::Termination(it)) => returned(it, visit),
        CommandResult::AuditValue(AuditResult::ContextError(error))
        | CommandResult::AuditCapability(AuditResult::ContextError(error))
        | CommandResult::Notify(Some(error))
        | CommandResult::ServiceChange(ServiceChangeResult::Error(error)) => visit.error(error),
        CommandResult::ServiceChange(ServiceChangeResult::Parms(reply)) => {
            visit.service_change_reply(reply);
            reply.address.iter_mut().for_each(|it| address(it, visit));
            reply.profile.iter_mut().for_each(|it| visit.profile(it));
            reply.mgc_id.iter_mut().for_each(|it| visit.mid(it));
        }
        CommandResult::AuditValue(AuditResult::Context)
        | CommandResult::AuditCapability(AuditResult::Context)
        | CommandResult::Notify(None)
        | CommandResult::ServiceChange(ServiceChangeResult::Accepted) => {}
    }
}

fn address(address: &mut ServiceChangeAddress, visit: &mut impl Visit) {
    visit.address(address);
    if let ServiceChangeAddress::Mid(mid) = address {
        visit.mid(mid);
    }
}

fn amm(amm: &mut AmmRequest, visit: &mut impl Visit) {
    visit.amm(amm);
    amm.media.iter_mut().for_each(|it| media(it, visit));
    amm.modem.iter_mut().for_each(|it| modem(it, visit));
    amm.mux.iter_mut().for_each(|it| mux(it, visit));
    amm.events.iter_mut().for_each(|it| events(it, visit));
    amm.event_buffer.iter_mut().flatten().for_each(|it| spec(it, visit));
    amm.signals.iter_mut().for_each(|it| signals(it, visit));
    amm.digit_map.iter_mut().for_each(|it| digit_map(it, visit));
    amm.audit.iter_mut().for_each(|it| audit(it, visit));
}

fn returned(returned: &mut TerminationAudit, visit: &mut impl Visit) {
    visit.returned(returned);
    for one in returned {
        match one {
            AuditReturn::Media(it) => media(it, visit),
            AuditReturn::Modem(it) => modem(it, visit),
            AuditReturn::Mux(it) => mux(it, visit),
            AuditReturn::Events(it) => events(it, visit),
            AuditReturn::Signals(it) => signals(it, visit),
            AuditReturn::DigitMap(it) => digit_map(it, visit),
            AuditReturn::ObservedEvents(it) => observed(it, visit),
            AuditReturn::EventBuffer(it) => it.iter_mut().for_each(|it| spec(it, visit)),
            AuditReturn::Statistics(it) => statistics(it, visit),
            AuditReturn::Packages(it) => it.iter_mut().for_each(|it| visit.package(it)),
            AuditReturn::Error(it) => visit.error(it),
            AuditReturn::Empty(_) => {}
        }
    }
}

fn media(media: &mut MediaDescriptor, visit: &mut impl Visit) {
    visit.media(media);
    if let Some(state) = &mut media.termination_state {
        visit.state(state);
        properties(&mut state.properties, visit);
    }
    match &mut media.streams {
        Streams::None => {}
        Streams::One(parms) => stream_parms(parms, visit),
        Streams::Many(streams) => streams.iter_mut().for_each(|it| stream_parms(&mut it.parms, visit)),
    }
}

fn stream_parms(parms: &mut StreamParms, visit: &mut impl Visit) {
    visit.parms(parms);
    if let Some(control) = &mut parms.local_control {
        visit.control(control);
        properties(&mut control.properties, visit);
    }
    parms.statistics.iter_mut().for_each(|it| statistics(it, visit));
}

fn statistics(statistics: &mut StatisticsDescriptor, visit: &mut impl Visit) {
    for statistic in statistics {
        visit.statistic(statistic);
        visit.name(&mut statistic.name);
        statistic.value.iter_mut().for_each(|value| visit.value(value));
    }
}

fn modem(modem: &mut ModemDescriptor, visit: &mut impl Visit) {
    visit.modem(modem);
    properties(&mut modem.properties, visit);
}

fn mux(mux: &mut MuxDescriptor, visit: &mut impl Visit) {
    visit.mux(mux);
    mux.terminations.iter_mut().for_each(|termination| visit.termination(termination));
}

fn digit_map(map: &mut DigitMapDescriptor, visit: &mut impl Visit) {
    visit.digit_map(map);
    map.value.iter_mut().for_each(|value| visit.digit_map_value(value));
}

fn event_digit_map(map: &mut Option<EventDigitMap>, visit: &mut impl Visit) {
    if let Some(EventDigitMap::Value(value)) = map {
        visit.digit_map_value(value);
    }
}

fn signals(signals: &mut SignalsDescriptor, visit: &mut impl Visit) {
    visit.signals(signals);
    for item in signals {
        match item {
            SignalItem::Signal(it) => signal(it, visit),
            SignalItem::List { signals, .. } => signals.iter_mut().for_each(|it| signal(it, visit)),
        }
    }
}

fn signal(signal: &mut Signal, visit: &mut impl Visit) {
    visit.signal(signal);
    visit.name(&mut signal.name);
    signal.request.iter_mut().for_each(|request| visit.request_id(request));
    parms(&mut signal.parms, visit);
}

fn events(events: &mut EventsDescriptor, visit: &mut impl Visit) {
    events.request.iter_mut().for_each(|request| visit.request_id(request));
    for event in &mut events.events {
        visit.event(event);
        visit.name(&mut event.name);
        event_digit_map(&mut event.digit_map, visit);
        if let Some(NotifyBehaviour::Regulated(Some(it))) = &mut event.notify {
            embed(it, visit);
        }
        event.embed.iter_mut().for_each(|it| embed(it, visit));
        parms(&mut event.parms, visit);
    }
}

fn embed(embed: &mut Embed, visit: &mut impl Visit) {
    visit.embed(embed);
    embed.signals.iter_mut().for_each(|it| signals(it, visit));
    let Some(events) = &mut embed.events else { return };
    events.request.iter_mut().for_each(|request| visit.request_id(request));
    for event in &mut events.events {
        visit.embedded(event);
        visit.name(&mut event.name);
        event_digit_map(&mut event.digit_map, visit);
        event.signals.iter_mut().for_each(|it| signals(it, visit));
        parms(&mut event.parms, visit);
    }
}

fn observed(observed: &mut ObservedEventsDescriptor, visit: &mut impl Visit) {
    visit.observed(observed);
    visit.request_id(&mut observed.request);
    observed.events.iter_mut().for_each(|it| spec(&mut it.event, visit));
}

fn spec(spec: &mut EventSpec, visit: &mut impl Visit) {
    visit.spec(spec);
    visit.name(&mut spec.name);
    parms(&mut spec.parms, visit);
}

fn audit(audit: &mut AuditDescriptor, visit: &mut impl Visit) {
    visit.audit(audit);
    audit.items.iter_mut().for_each(|it| audit_item(it, visit));
}

fn audit_item(item: &mut AuditItem, visit: &mut impl Visit) {
    visit.audit_item(item);
    match item {
        AuditItem::Event { request, event } => {
            request.iter_mut().for_each(|request| visit.request_id(request));
            visit.name(event);
        }
        AuditItem::BufferedEvent { event: name, .. }
        | AuditItem::Signal { signal: name, .. }
        | AuditItem::Statistic(name) => visit.name(name),
        AuditItem::Package(package) => visit.package(package),
        AuditItem::Media(items) => items.iter_mut().for_each(|item| media_audit(item, visit)),
        AuditItem::Descriptor(_) | AuditItem::DigitMap(_) => {}
    }
}

fn media_audit(item: &mut MediaAudit, visit: &mut impl Visit) {
    match item {
        MediaAudit::LocalControl { item: LocalControlAudit::Property(name), .. }
        | MediaAudit::TerminationState(TerminationStateAudit::Property(name))
        | MediaAudit::Statistic { name, .. } => visit.name(name),
        MediaAudit::LocalControl { .. }
        | MediaAudit::TerminationState(_)
        | MediaAudit::Local { .. }
        | MediaAudit::Remote { .. } => {}
    }
}

fn properties(properties: &mut [PropertyParm], visit: &mut impl Visit) {
    for property in properties {
        visit.name(&mut property.name);
        parm_value(&mut property.value, visit);
    }
}

fn parms(parms: &mut [Parm], visit: &mut impl Visit) {
    parms.iter_mut().for_each(|parm| parm_value(&mut parm.value, visit));
}

fn parm_value(value: &mut ParmValue, visit: &mut impl Visit) {
    visit.parm_value(value);
    match value {
        ParmValue::One(value) | ParmValue::Relation(_, value) => visit.value(value),
        ParmValue::All(values) | ParmValue::Any(values) => values.iter_mut().for_each(|it| visit.value(it)),
        ParmValue::Range(low, high) => {
            visit.value(low);
            visit.value(high);
        }
    }
}
