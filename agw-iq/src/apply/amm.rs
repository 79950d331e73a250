//! Add, Modify, Move and Subtract (H.248.1 sections 7.2.1 to 7.2.4).

use super::by_stream::ByStream;
use super::gather::Wanted;
use super::kept::KeptProperties;
use super::listening::Listening;
use super::plan::{Agreed, Changed, Reserved};
use super::playing::PlayingSignals;
use super::view::Termination;
use super::*;
use crate::package::silence;
use crate::sdp::{Sdp, SdpText};

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
        self.refuse_new(matches!(e.here, Some(Here::New(None, _))))?;
        let plan = self.plan(None, new.realm.as_ref(), request, e.caller)?;
        if plan.is_empty() {
            return Err(
                ErrorDescriptor::with_text(ErrorCode::INFORMATION_MISSING, "no stream in Media").into()
            );
        }
        let context = self.need_context(e, gateway)?;
        let agreed = match plan.agree(gateway, |streams| Order::Add { context, streams }) {
            Ok(agreed) => agreed,
            Err(stop) => {
                self.drop_if_empty(context, e, gateway);
                return Err(stop);
            }
        };
        let given = &agreed.given;
        e.note(agreed.ticket);
        let Some(realm) = given.streams.first().map(|stream| stream.realm.clone()) else {
            return Err(internal("Add"));
        };
        let own_name = names::name_of(&new.group, &realm, &self.realms, given.id);
        let termination = Termination {
            name: own_name.clone(),
            interface: realm,
            context,
            streams: ByStream::default(),
            listening: Listening::default(),
            playing: PlayingSignals::default(),
            activities: silence::Activities::default(),
            kept: KeptProperties::default(),
            last_named: now,
            out_of_service: false,
            service_change: None,
        };
        let id = given.id;
        self.view.insert(id, termination);
        if let Some(Here::New(_, attributes)) = e.here
            && let Some(made) = self.view.contexts.get_mut(&context.0)
        {
            made.attributes = attributes;
        }
        let answer = self.install(now, id, agreed, request, e.caller.peer, gateway)?;
        Ok((own_name, answer))
    }

    /// The context of the action, made now when it is `$`.
    fn need_context(&self, e: &mut Execution, gateway: &mut dyn Gateway) -> Result<model::ContextId, Stop> {
        match e.here {
            Some(Here::One(id) | Here::New(Some(id), _)) => Ok(id),
            Some(Here::New(None, attributes)) => {
                self.refuse_overload(attributes)?;
                match gateway.execute(Order::CreateContext(attributes))? {
                    Reply::Context(id) => {
                        e.here = Some(Here::New(Some(id), attributes));
                        Ok(id)
                    }
                    _ => Err(internal("CreateContext")),
                }
            }
            Some(Here::Null | Here::All) | None => {
                Err(ErrorDescriptor::new(ErrorCode::UNKNOWN_ACTION).into())
            }
        }
    }

    /// IQ-4: a context that a refusal leaves empty goes.
    fn drop_if_empty(&self, context: model::ContextId, e: &mut Execution, gateway: &mut dyn Gateway) {
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
        let plan = self.plan(Some(id), None, request, e.caller)?;
        let agreed = plan.agree(gateway, |streams| Order::Modify { termination: id, streams })?;
        e.note(agreed.ticket);
        self.install(now, id, agreed, request, e.caller.peer, gateway)
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
        let plan = self.plan(Some(id), None, request, e.caller)?;
        let to = self.need_context(e, gateway)?;
        // IQ-4: one order, because the context that it leaves may go with it.
        let agreed = match plan.agree(gateway, |streams| Order::Move { termination: id, to, streams }) {
            Ok(agreed) => agreed,
            Err(stop) => {
                self.drop_if_empty(to, e, gateway);
                return Err(stop);
            }
        };
        e.note(agreed.ticket);
        self.view.relocate(id, to);
        if let (Some(Here::New(_, attributes)), Some(context)) = (e.here, self.view.contexts.get_mut(&to.0)) {
            context.attributes = attributes;
        }
        self.install(now, id, agreed, request, e.caller.peer, gateway)
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
            None => self.reply_form.subtract_statistics.then_some(Wanted::All { msrp: false }),
            Some(audit) => audit::wanted_statistics(audit)?,
        };
        let wanted = wanted.map(|wanted| self.with_msrp(id, wanted));
        match self.take_out(id, e, gateway)? {
            Reply::Statistics(ticket) => answer.statistics = wanted.map(|wanted| (ticket, wanted)),
            Reply::Accepted(_) | Reply::Termination(..) | Reply::Context(_) => {}
        }
        Ok(answer)
    }

    /// Takes a termination out of the model and the view.
    pub(super) fn take_out(
        &mut self,
        id: model::TerminationId,
        e: &mut Execution,
        gateway: &mut dyn Gateway,
    ) -> Result<Reply, Stop> {
        let reply = match gateway.execute(Order::Subtract(id)) {
            Ok(reply) => reply,
            Err(refused) if refusal::passes(&refused) => return Err(Stop::Blocked),
            Err(refused) => return Err(refused.into()),
        };
        if let Reply::Statistics(ticket) | Reply::Accepted(ticket) | Reply::Termination(_, ticket) = &reply {
            e.note(*ticket);
        }
        self.forget(id);
        Ok(reply)
    }

    /// A termination is gone from the model.
    pub(super) fn forget(&mut self, id: model::TerminationId) {
        let gone = self.view.remove(id);
        self.clocks.stop(id);
        if let Some((at, _)) = gone.and_then(|termination| termination.service_change) {
            self.service.unschedule(at, id);
        }
    }

    /// Writes what the model has agreed to into the view, and makes the answer.
    #[allow(clippy::too_many_arguments, reason = "each is another party to the same hand-over")]
    fn install(
        &mut self,
        now: Now,
        id: model::TerminationId,
        agreed: Agreed,
        request: &AmmRequest,
        peer: Peer,
        gateway: &mut dyn Gateway,
    ) -> Result<Answer, Stop> {
        let session_lines = self.reply_form.session_lines;
        let single = matches!(request.media.as_ref().map(|media| &media.streams), Some(Streams::One(_)));
        let Some(termination) = self.view.termination_mut(id) else { return Err(internal("view")) };
        let mut described = Vec::new();
        for (number, changed) in agreed.streams {
            // Where something else is to be watched, the worker begins anew too.
            let watch = |stream: &stream::Stream| stream.spec.watch;
            if termination.streams.get(&number).map(watch) != changed.stream.as_ref().map(watch) {
                termination.activities.retain(|(stream, _), _| *stream != number);
            }
            let local_stream = agreed.given.streams.iter().find(|stream| stream.stream.0 == number);
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
        termination.kept = agreed.kept;
        self.install_events(now, id, agreed.listens, peer, gateway);
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

/// Writes one stream into the view; what the reply says of it. Local and Remote carry keys here and only here (SRTP-12).
fn settle(
    streams: &mut ByStream<stream::Stream>,
    number: u16,
    changed: Changed,
    given: Option<&model::LocalStream>,
    session_lines: bool,
) -> StreamParms {
    let Changed { stream, local, remote, mut chosen, chosen_realm } = changed;
    let mut parms = StreamParms::default();
    if let Some(mut stream) = stream {
        if let Some(given) = given {
            stream.given = Some(given.clone());
            if chosen_realm {
                let value = Value::quoted(given.realm.as_str()).into();
                chosen.push(PropertyParm { name: PkgdName::new("ipdc", "realm"), value });
            }
        }
        parms.local = local.map(|mut groups| {
            if let Some(given) = &stream.given {
                groups.iter_mut().for_each(|group| answer::fill(group, given, session_lines));
            }
            stream.local = (!groups.is_empty()).then(|| media::kept(&groups));
            Sdp { groups }.print()
        });
        parms.remote = remote.and_then(|Reserved { groups, told }| {
            stream.remote = (!groups.is_empty()).then(|| media::kept(&groups));
            told.then(|| Sdp { groups }.print())
        });
        streams.insert(number, stream);
    } else {
        parms.local = Some(SdpText::default());
        parms.remote = remote.map(|_| SdpText::default());
    }
    if !chosen.is_empty() {
        parms.local_control = Some(LocalControlDescriptor { properties: chosen, ..Default::default() });
    }
    parms
}

pub(super) fn internal(what: &str) -> Stop {
    let text = format!("unexpected answer to {what}");
    ErrorDescriptor::with_text(ErrorCode::INTERNAL_FAILURE, text).into()
}

/// Descriptors that mean nothing on IP terminations.
pub(super) fn refuse_unknown(request: &AmmRequest) -> Result<(), ErrorDescriptor> {
    let given = [
        (request.modem.is_some(), "Modem"),
        (request.mux.is_some(), "Mux"),
        (request.digit_map.is_some(), "DigitMap"),
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
    Ok(())
}
