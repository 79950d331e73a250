//! Add, Modify, Move and Subtract (H.248.1 sections 7.2.1 to 7.2.4).

use super::events::read_events;
use super::gather::Wanted;
use super::stream::{Changed, Rules, merge};
use super::view::{ActiveEvents, Termination};
use super::*;
use crate::package;
use crate::package::napt::latch_action;
use crate::sdp::Sdp;
use agw_core::model::{LatchAction, StreamSpec, TerminationView};
use std::collections::{BTreeMap, BTreeSet};

/// What an Add, Modify or Move asks for, checked against the packages and the termination as it is.
struct Plan {
    streams: BTreeMap<u16, Changed>,
    /// `Some(None)` ends detection.
    events: Option<Option<ActiveEvents>>,
}

impl Plan {
    /// For the model; the keys leave the plan with it.
    fn specifications(&mut self) -> Vec<(model::StreamId, StreamSpec)> {
        let take = |(id, changed): (&u16, &mut Changed)| {
            let keyless = changed.stream.spec.clone();
            (model::StreamId(*id), std::mem::replace(&mut changed.spec, keyless))
        };
        self.streams.iter_mut().map(take).collect()
    }
}

impl Executor {
    /// Add, with its answer.
    pub(super) fn answer_add(
        &mut self,
        now: Now,
        name: &TerminationId,
        request: &AmmRequest,
        e: &mut Execution,
        gateway: &mut dyn Gateway,
    ) -> Result<(), Stop> {
        match self.add(now, name, request, e, gateway) {
            Ok((own_name, answer)) => {
                self.answer(Verb::Add, (e.context(), own_name), answer, e);
                Ok(())
            }
            Err(stop) => {
                let error = match stop {
                    Stop::Refused(error) => error,
                    Stop::Blocked => ErrorDescriptor::new(ErrorCode::INSUFFICIENT_RESOURCES),
                };
                e.reply(e.context(), name.clone(), failed(Verb::Add, error.clone()));
                Err(error.into())
            }
        }
    }

    fn add(
        &mut self,
        now: Now,
        name: &TerminationId,
        request: &AmmRequest,
        e: &mut Execution,
        gateway: &mut dyn Gateway,
    ) -> Result<(TerminationId, Answer), Stop> {
        if matches!(e.here, Some(Here::Null | Here::All) | None) {
            return Err(ErrorDescriptor::with_text(ErrorCode::UNKNOWN_ACTION, "Add needs one context").into());
        }
        let new = names::new_name(name, &self.realms, |name| self.view.exists(name))?;
        if self.draining && matches!(e.here, Some(Here::New(None, _))) {
            return Err(
                ErrorDescriptor::with_text(ErrorCode::SERVICE_UNAVAILABLE, "going out of service").into()
            );
        }
        let mut plan = self.plan(None, new.realm.as_ref(), request, e.caller)?;
        if plan.streams.is_empty() {
            return Err(
                ErrorDescriptor::with_text(ErrorCode::INFORMATION_MISSING, "no stream in Media").into()
            );
        }
        let context = self.need_context(e, gateway)?;
        let reply = gateway.execute(Order::Add { context, streams: plan.specifications() });
        let (given, ticket) = match reply {
            Ok(Reply::Termination(given, ticket)) => (given, ticket),
            Ok(_) => return Err(internal("Add")),
            Err(refused) => {
                self.drop_if_empty(context, e, gateway);
                return Err(refused.into());
            }
        };
        e.note(ticket);
        let Some(realm) = given.streams.first().map(|stream| stream.realm.clone()) else {
            return Err(internal("Add"));
        };
        let own_name = names::name_of(&new.group, &realm, &self.realms, given.id);
        let termination = Termination {
            name: own_name.clone(),
            interface: realm,
            context,
            streams: BTreeMap::new(),
            events: None,
            listener: None,
            last_named: now,
            notifying: false,
            waiting: VecDeque::new(),
        };
        self.view.insert(given.id, termination);
        if let Some(Here::New(_, attributes)) = e.here
            && let Some(made) = self.view.contexts.get_mut(&context.0)
        {
            made.attributes = attributes;
        }
        let answer = self.install(now, given.id, plan, &given, request, e.caller.peer, gateway)?;
        Ok((own_name, answer))
    }

    /// The context of the action, made now when it is `$`.
    fn need_context(
        &mut self,
        e: &mut Execution,
        gateway: &mut dyn Gateway,
    ) -> Result<model::ContextId, Stop> {
        match e.here {
            Some(Here::One(id) | Here::New(Some(id), _)) => Ok(id),
            Some(Here::New(None, attributes)) => match gateway.execute(Order::CreateContext(attributes))? {
                Reply::Context(id) => {
                    e.here = Some(Here::New(Some(id), attributes));
                    Ok(id)
                }
                _ => Err(internal("CreateContext")),
            },
            Some(Here::Null | Here::All) | None => {
                Err(ErrorDescriptor::new(ErrorCode::UNKNOWN_ACTION).into())
            }
        }
    }

    /// IQ-4: a context that a refusal leaves empty goes.
    fn drop_if_empty(&mut self, context: model::ContextId, e: &mut Execution, gateway: &mut dyn Gateway) {
        let Some(Here::New(Some(_), attributes)) = e.here else { return };
        if self.view.contexts.contains_key(&context.0) {
            return;
        }
        if let Ok(Reply::Accepted(ticket) | Reply::Statistics(ticket) | Reply::Termination(_, ticket)) =
            gateway.execute(Order::RemoveContext(context))
        {
            e.note(ticket);
        }
        e.here = Some(Here::New(None, attributes));
    }

    pub(super) fn modify(
        &mut self,
        now: Now,
        id: model::TerminationId,
        request: &AmmRequest,
        e: &mut Execution,
        gateway: &mut dyn Gateway,
    ) -> Result<Answer, Stop> {
        let mut plan = self.plan(Some(id), None, request, e.caller)?;
        let given = if plan.streams.is_empty() {
            TerminationView { id, streams: Vec::new() }
        } else {
            match gateway.execute(Order::Modify { termination: id, streams: plan.specifications() })? {
                Reply::Termination(given, ticket) => {
                    e.note(ticket);
                    given
                }
                _ => return Err(internal("Modify")),
            }
        };
        self.install(now, id, plan, &given, request, e.caller.peer, gateway)
    }

    pub(super) fn relocate(
        &mut self,
        now: Now,
        id: model::TerminationId,
        request: &AmmRequest,
        e: &mut Execution,
        gateway: &mut dyn Gateway,
    ) -> Result<Answer, Stop> {
        if matches!(e.here, Some(Here::Null | Here::All) | None) {
            return Err(
                ErrorDescriptor::with_text(ErrorCode::UNKNOWN_ACTION, "Move needs one context").into()
            );
        }
        let mut plan = self.plan(Some(id), None, request, e.caller)?;
        let to = self.need_context(e, gateway)?;
        // IQ-4: one order, because the context that it leaves may go with it.
        let order = Order::Move { termination: id, to, streams: plan.specifications() };
        let given = match gateway.execute(order) {
            Ok(Reply::Termination(given, ticket)) => {
                e.note(ticket);
                given
            }
            Ok(_) => return Err(internal("Move")),
            Err(refused) => {
                self.drop_if_empty(to, e, gateway);
                return Err(refused.into());
            }
        };
        self.view.relocate(id, to);
        if let (Some(Here::New(_, attributes)), Some(context)) = (e.here, self.view.contexts.get_mut(&to.0)) {
            context.attributes = attributes;
        }
        self.install(now, id, plan, &given, request, e.caller.peer, gateway)
    }

    pub(super) fn subtract(
        &mut self,
        id: model::TerminationId,
        audit: Option<&AuditDescriptor>,
        e: &mut Execution,
        gateway: &mut dyn Gateway,
    ) -> Result<Answer, Stop> {
        if e.here == Some(Here::Null) {
            return Err(ErrorDescriptor::new(ErrorCode::TERMINATION_NOT_IN_CONTEXT).into());
        }
        let mut answer = match audit {
            Some(audit) => self.audit_without_statistics(id, audit)?,
            None => Answer::default(),
        };
        let wanted = match audit {
            None => self.reply_form.subtract_statistics.then_some(Wanted::All),
            Some(audit) => audit::wanted_statistics(audit)?,
        };
        let reply = match gateway.execute(Order::Subtract(id)) {
            Ok(reply) => reply,
            Err(refused) if refusal::passes(&refused) => return Err(Stop::Blocked),
            Err(refused) => return Err(refused.into()),
        };
        match reply {
            Reply::Statistics(ticket) => {
                e.note(ticket);
                answer.statistics = wanted.map(|wanted| (ticket, wanted));
            }
            Reply::Accepted(ticket) | Reply::Termination(_, ticket) => e.note(ticket),
            Reply::Context(_) => {}
        }
        self.forget(id);
        Ok(answer)
    }

    /// A termination is gone from the model.
    pub(super) fn forget(&mut self, id: model::TerminationId) {
        self.view.remove(id);
        self.clocks.stop(id);
    }

    fn plan(
        &self,
        id: Option<model::TerminationId>,
        interface: Option<&model::RealmName>,
        request: &AmmRequest,
        caller: Caller,
    ) -> Result<Plan, ErrorDescriptor> {
        refuse_unknown(request)?;
        request.audit.as_ref().map_or(Ok(()), audit::check_names)?;
        let current = id.and_then(|id| self.view.termination(id));
        let interface = current.map(|termination| &termination.interface).or(interface);
        let rules = Rules {
            realms: &self.realms,
            dscp: self.dscp,
            keys_allowed: caller.keys_allowed,
            interface,
            adding: current.is_none(),
        };
        let described = described(request, current)?;
        let latches = latches(request, &described, current)?;
        let mut streams = BTreeMap::new();
        let nothing = StreamParms::default();
        let touched: BTreeSet<u16> = described.keys().chain(latches.keys()).copied().collect();
        for stream in touched {
            let before = current.and_then(|termination| termination.streams.get(&stream));
            let parms = described.get(&stream).copied().unwrap_or(&nothing);
            let changed = merge(before, parms, latches.get(&stream).copied(), &rules)?;
            if before.is_none() {
                self.refuse_realm_out(changed.spec.realm.as_ref())?;
            }
            streams.insert(stream, changed);
        }
        let exists = |stream: u16| {
            streams.contains_key(&stream)
                || current.is_some_and(|termination| termination.streams.contains_key(&stream))
        };
        let events = request.events.as_ref().map(|events| read_events(events, false, exists)).transpose()?;
        Ok(Plan { streams, events })
    }

    /// Writes what the model has agreed to into the view, and makes the answer.
    #[allow(clippy::too_many_arguments, reason = "each is another party to the same hand-over")]
    fn install(
        &mut self,
        now: Now,
        id: model::TerminationId,
        plan: Plan,
        given: &TerminationView,
        request: &AmmRequest,
        peer: Peer,
        gateway: &mut dyn Gateway,
    ) -> Result<Answer, Stop> {
        let session_lines = self.reply_form.session_lines;
        let single = matches!(request.media.as_ref().map(|media| &media.streams), Some(Streams::One(_)));
        let Some(termination) = self.view.termination_mut(id) else { return Err(internal("view")) };
        let mut described = Vec::new();
        for (number, changed) in plan.streams {
            let local_stream = given.streams.iter().find(|stream| stream.stream.0 == number);
            let parms = settle(&mut termination.streams, number, changed, local_stream, session_lines);
            if parms != StreamParms::default() {
                described.push(StreamDescriptor { id: number, parms });
            }
        }
        let mut audit = Vec::new();
        if !described.is_empty() {
            let streams = match described.as_mut_slice() {
                [only] if single => Streams::One(Box::new(std::mem::take(&mut only.parms))),
                _ => Streams::Many(described),
            };
            audit.push(AuditReturn::Media(MediaDescriptor { termination_state: None, streams }));
        }
        if let Some(events) = plan.events {
            self.listen(now, id, events, peer);
        }
        let mut answer = Answer { audit, statistics: None };
        if let Some(asked) = &request.audit {
            // The names were checked with the plan. What still cannot be said takes nothing back of what was done.
            match self.audit_value(id, asked, gateway) {
                Ok(more) => {
                    answer.audit.extend(more.audit);
                    answer.statistics = more.statistics;
                }
                Err(Stop::Refused(error)) => answer.audit.push(AuditReturn::Error(error)),
                Err(Stop::Blocked) => {
                    let busy = ErrorDescriptor::new(ErrorCode::INSUFFICIENT_RESOURCES);
                    answer.audit.push(AuditReturn::Error(busy));
                }
            }
        }
        Ok(answer)
    }
}

/// Writes one stream into the view; what the reply says of it. Local carries its keys here and only here (SRTP-12).
fn settle(
    streams: &mut BTreeMap<u16, stream::Stream>,
    number: u16,
    changed: Changed,
    given: Option<&model::LocalStream>,
    session_lines: bool,
) -> StreamParms {
    let Changed { mut stream, local, mut chosen, chosen_realm, .. } = changed;
    if let Some(given) = given {
        stream.given = Some(given.clone());
        if chosen_realm {
            let value = Value::quoted(given.realm.as_str()).into();
            chosen.push(PropertyParm { name: PkgdName::new("ipdc", "realm"), value });
        }
    }
    let mut parms = StreamParms::default();
    if !chosen.is_empty() {
        parms.local_control = Some(LocalControlDescriptor { properties: chosen, ..Default::default() });
    }
    if let Some(mut group) = local {
        if let Some(given) = &stream.given {
            answer::fill(&mut group, given, session_lines);
        }
        stream.local = Some(media::kept(&group));
        parms.local = Some(Sdp { groups: vec![group] }.print());
    }
    streams.insert(number, stream);
    parms
}

fn internal(what: &str) -> Stop {
    let text = format!("unexpected answer to {what}");
    ErrorDescriptor::with_text(ErrorCode::INTERNAL_FAILURE, text).into()
}

/// Descriptors that mean nothing on IP terminations.
fn refuse_unknown(request: &AmmRequest) -> Result<(), ErrorDescriptor> {
    let given = [
        (request.modem.is_some(), "Modem"),
        (request.mux.is_some(), "Mux"),
        (request.digit_map.is_some(), "DigitMap"),
        (request.event_buffer.is_some(), "EventBuffer"),
    ];
    if let Some((_, name)) = given.into_iter().find(|(given, _)| *given) {
        return Err(ErrorDescriptor::with_text(ErrorCode::UNKNOWN_DESCRIPTOR, name));
    }
    let state = request.media.as_ref().and_then(|media| media.termination_state.as_ref());
    let Some(state) = state else { return Ok(()) };
    if state.service_state.is_some_and(|wanted| wanted != ServiceState::InService) {
        return Err(ErrorDescriptor::with_text(
            ErrorCode::NOT_IMPLEMENTED,
            "ServiceStates other than InService",
        ));
    }
    if state.event_buffer_control == Some(EventBufferControl::LockStep) {
        return Err(ErrorDescriptor::with_text(ErrorCode::NOT_IMPLEMENTED, "EventBufferControl = LockStep"));
    }
    match state.properties.first() {
        None => Ok(()),
        Some(parm) => {
            package::property(&parm.name)?;
            Err(ErrorDescriptor::with_text(ErrorCode::PROPERTY_ILLEGAL_HERE, parm.name.to_string()))
        }
    }
}

/// The streams that Media describes. Without a number it is the only stream of the termination, number 1 where it has none.
fn described<'a>(
    request: &'a AmmRequest,
    current: Option<&Termination>,
) -> Result<BTreeMap<u16, &'a StreamParms>, ErrorDescriptor> {
    let mut streams = BTreeMap::new();
    match request.media.as_ref().map(|media| &media.streams) {
        None | Some(Streams::None) => {}
        Some(Streams::One(parms)) => {
            let mut numbers = current.into_iter().flat_map(|termination| termination.streams.keys());
            let number = match (numbers.next(), numbers.next()) {
                (Some(only), None) => *only,
                (None, _) => 1,
                (Some(_), Some(_)) => {
                    let text = "Media without StreamID: the termination has several streams";
                    return Err(ErrorDescriptor::with_text(ErrorCode::INFORMATION_MISSING, text));
                }
            };
            streams.insert(number, parms.as_ref());
        }
        Some(Streams::Many(many)) => {
            for stream in many {
                if streams.insert(stream.id, &stream.parms).is_some() {
                    let text = format!("Stream = {}", stream.id);
                    return Err(ErrorDescriptor::with_text(ErrorCode::DESCRIPTOR_TWICE, text));
                }
            }
        }
    }
    Ok(streams)
}

/// What the Signals descriptor asks of each stream.
fn latches(
    request: &AmmRequest,
    described: &BTreeMap<u16, &StreamParms>,
    current: Option<&Termination>,
) -> Result<BTreeMap<u16, LatchAction>, ErrorDescriptor> {
    let mut latches = BTreeMap::new();
    for item in request.signals.iter().flatten() {
        let SignalItem::Signal(signal) = item else {
            return Err(ErrorDescriptor::with_text(ErrorCode::NOT_IMPLEMENTED, "SignalList"));
        };
        let known = package::signal(&signal.name)?;
        package::check_parameters(&signal.name, known.parameters, &signal.parms)?;
        let Some(action) = latch_action(signal) else { continue };
        let existing = current.into_iter().flat_map(|termination| termination.streams.keys().copied());
        let all: BTreeSet<u16> = described.keys().copied().chain(existing).collect();
        match signal.stream {
            None => latches.extend(all.into_iter().map(|stream| (stream, action))),
            Some(stream) if all.contains(&stream) => {
                latches.insert(stream, action);
            }
            Some(stream) => {
                let text = format!("{} Stream = {stream}", signal.name);
                return Err(ErrorDescriptor::with_text(ErrorCode::UNSUPPORTED_VALUE, text));
            }
        }
    }
    Ok(latches)
}
