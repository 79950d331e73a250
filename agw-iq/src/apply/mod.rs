//! Commands into changes of the model, and what came of them into replies (H.248.1 sections 7.2 and 8.2).
//!
//! An [`Execution`] is one transaction on its way. Its commands go to the model at once and in order; processing stops at the first that
//! fails and was not optional, what came before stands (IQ-4). The model names what its workers have yet to confirm by tickets, and the reply
//! waits for the last of them, so that the media path is ready before anybody hears of it (RLY-5); statistics that come on the way are filled
//! in. A wildcard that takes in very many terminations is executed in portions, so that neither the caller nor a worker's queue is blocked.

mod alternatives;
mod amm;
mod answer;
mod audit;
mod by_stream;
mod capability;
mod connection;
mod events;
mod formats;
mod gather;
mod ice;
mod kept;
mod listening;
mod load;
mod media;
mod names;
mod noticed;
mod plan;
mod playing;
mod refusal;
mod root_events;
mod service;
mod service_change;
mod sources;
mod stream;
mod traffic;
mod view;

pub(crate) use events::Notification;
pub use load::{Load, Stage};
pub use service::Outage;

use crate::ast::*;
use crate::config::IqConfig;
use crate::errors::ErrorCode;
use crate::package::diffserv::DscpForm;
use crate::package::realm::Realms;
use crate::package::root::RootProperties;
use crate::transport::{Now, Peer};
use agw_core::command::{Command as Order, Gateway, Refusal, Reply, Ticket};
use agw_core::model::{self, ContextAttributes};
use gather::{Gathers, Wanted};
use names::Target;
use std::collections::VecDeque;
use view::{Scope, View};

/// The most commands that one call gives to the model: more wait for the workers.
const MAX_COMMANDS_PER_STEP: usize = 256;
/// The most terminations that one wildcarded command answers for: a reply with more would fit no transport.
const MAX_WILDCARD_REPLIES: usize = 4096;
/// The most octets of the answers to one wildcard, without what they hold: the rest of a datagram is for what stands around them.
const MAX_WILDCARD_ANSWER_BYTES: usize = 60_000;

/// Who asked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) peer: Peer,
    /// IQ-3: whether keys may come from there.
    pub(crate) keys_allowed: bool,
}

/// How far a call has brought a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Every command was executed, or one failed.
    Finished,
    /// The workers have to catch up first: call again when something was confirmed.
    Blocked,
}

/// Where a controller sends the gateway; without either to whoever answers (H.248.1 section 11.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HandOff {
    pub(crate) to: Option<Mid>,
    pub(crate) address: Option<ServiceChangeAddress>,
}

/// Why a command did not succeed.
enum Stop {
    Refused(ErrorDescriptor),
    Blocked,
}

impl From<ErrorDescriptor> for Stop {
    fn from(error: ErrorDescriptor) -> Self {
        Stop::Refused(error)
    }
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Stop::Refused(refusal::descriptor(&refusal))
    }
}

/// What a command returns for one termination.
#[derive(Debug, Default)]
struct Answer {
    audit: TerminationAudit,
    /// Statistics that come with this ticket.
    statistics: Option<(Ticket, Wanted)>,
}

/// The context of the action that is executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Here {
    Null,
    All,
    /// `$`, and what was made of it.
    New(Option<model::ContextId>, ContextAttributes),
    One(model::ContextId),
}

/// A transaction on its way.
#[derive(Debug)]
pub(crate) struct Execution {
    caller: Caller,
    actions: Vec<ActionRequest>,
    at_action: usize,
    at_command: usize,
    at_termination: usize,
    here: Option<Here>,
    /// Where the replies of this action begin.
    first_reply: usize,
    /// What is left of a wildcard.
    targets: Option<VecDeque<model::TerminationId>>,
    /// What has failed of a wildcard so far.
    refused: Option<ErrorDescriptor>,
    /// Where the one reply of a `W-` command stands.
    union: Option<(usize, usize)>,
    replies: Vec<ActionReply>,
    gathers: Gathers,
    last_ticket: Option<Ticket>,
    /// What was executed, for the counters.
    pub(crate) tally: Vec<(Verb, Option<ErrorCode>)>,
    /// The controller hands over.
    pub(crate) hand_off: Option<HandOff>,
}

impl Execution {
    pub(crate) fn new(caller: Caller, actions: Vec<ActionRequest>) -> Self {
        Self {
            caller,
            actions,
            at_action: 0,
            at_command: 0,
            at_termination: 0,
            here: None,
            first_reply: 0,
            targets: None,
            refused: None,
            union: None,
            replies: Vec::new(),
            gathers: Gathers::default(),
            last_ticket: None,
            tally: Vec::new(),
            hand_off: None,
        }
    }

    /// The ticket that the reply waits for.
    pub(crate) fn waits_for(&self) -> Option<Ticket> {
        self.last_ticket
    }

    /// The workers have confirmed everything up to this ticket.
    pub(crate) fn confirmed(&mut self, ticket: Ticket) {
        self.last_ticket = self.last_ticket.filter(|last| *last > ticket);
    }

    /// The tickets whose statistics it wants.
    pub(crate) fn wants_statistics(&mut self) -> impl Iterator<Item = Ticket> + '_ {
        self.gathers.take_new_tickets()
    }

    /// All tickets whose statistics it ever wanted.
    pub(crate) fn statistics_tickets(&self) -> impl Iterator<Item = Ticket> + '_ {
        self.gathers.tickets()
    }

    /// Counters of one stream have come.
    pub(crate) fn statistics(&mut self, ticket: Ticket, statistics: model::StreamStatistics) {
        self.gathers.add(ticket, statistics);
    }

    /// The reply, once nothing is waited for.
    pub(crate) fn into_body(mut self) -> ReplyBody {
        self.gathers.fill(&mut self.replies);
        ReplyBody::Actions(self.replies)
    }

    fn note(&mut self, ticket: impl Into<Option<Ticket>>) {
        self.last_ticket = self.last_ticket.max(ticket.into());
    }

    /// The context as a reply names it.
    fn context(&self) -> ContextId {
        match self.here {
            Some(Here::Null) | None => ContextId::Null,
            Some(Here::All) => ContextId::All,
            Some(Here::New(made, _)) => made.map_or(ContextId::Choose, |id| ContextId::Id(id.0)),
            Some(Here::One(id)) => ContextId::Id(id.0),
        }
    }

    /// The reply of an action in this context, a new one where the last is of another.
    fn action_reply(&mut self, context: ContextId) -> usize {
        let fits = self.replies.len() > self.first_reply
            && self.replies.last().is_some_and(|reply| reply.context == context && reply.error.is_none());
        if !fits {
            let properties = ContextProperties::default();
            self.replies.push(ActionReply { context, properties, commands: Vec::new(), error: None });
        }
        self.replies.len() - 1
    }

    fn reply(
        &mut self,
        context: ContextId,
        termination: TerminationId,
        result: CommandResult,
    ) -> (usize, usize) {
        let at = self.action_reply(context);
        let commands = &mut self.replies[at].commands;
        commands.push(CommandReply::new(termination, result));
        (at, commands.len() - 1)
    }

    fn fail_action(&mut self, context: ContextId, error: ErrorDescriptor) {
        let at = self.action_reply(context);
        self.replies[at].error = Some(error);
    }
}

/// Executes transactions and keeps the H.248 view of what they made.
#[derive(Debug)]
pub(crate) struct Executor {
    realms: Realms,
    dscp: DscpForm,
    reply_form: crate::config::ReplyForm,
    timers: crate::config::Timers,
    pub(crate) root: RootProperties,
    /// Draining: what exists goes on, nothing new begins.
    pub(crate) draining: bool,
    /// From which priority on a context is privileged.
    high_priority: u8,
    load: load::Told,
    view: View,
    clocks: events::Clocks,
    root_events: root_events::RootEvents,
    /// What the controller keeps with ROOT.
    kept: kept::KeptProperties,
    service: service::Service,
    /// Terminations that may have something to tell.
    ready: VecDeque<model::TerminationId>,
    /// Embedded descriptors are being put in force.
    embedding: bool,
    events_lost: u64,
}

impl Executor {
    pub(crate) fn new(config: &IqConfig) -> Self {
        Self {
            realms: config.realms.clone(),
            dscp: config.dscp,
            reply_form: config.reply,
            timers: config.timers,
            root: config.root,
            draining: false,
            high_priority: config.high_priority,
            load: load::Told::default(),
            view: View::default(),
            clocks: events::Clocks::default(),
            root_events: root_events::RootEvents::default(),
            kept: kept::KeptProperties::default(),
            service: service::Service::default(),
            ready: VecDeque::new(),
            embedding: false,
            events_lost: 0,
        }
    }

    /// How many contexts and terminations there are.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.view.contexts.len(), self.view.terminations.len())
    }

    /// Goes on with a transaction.
    pub(crate) fn step(&mut self, now: Now, execution: &mut Execution, gateway: &mut dyn Gateway) -> Step {
        let actions = std::mem::take(&mut execution.actions);
        let step = self.actions(now, &actions, execution, gateway);
        execution.actions = actions;
        step
    }

    fn actions(
        &mut self,
        now: Now,
        actions: &[ActionRequest],
        e: &mut Execution,
        gateway: &mut dyn Gateway,
    ) -> Step {
        let mut budget = MAX_COMMANDS_PER_STEP;
        while let Some(action) = actions.get(e.at_action) {
            if e.here.is_none()
                && let Err(error) = self.enter(action, e, gateway)
            {
                e.fail_action(action.context, error);
                return Step::Finished;
            }
            while let Some(command) = action.commands.get(e.at_command) {
                match self.command(now, command, e, gateway, &mut budget) {
                    Ok(()) => {}
                    Err(Stop::Blocked) => return Step::Blocked,
                    Err(Stop::Refused(_)) if command.optional => {}
                    Err(Stop::Refused(_)) => return Step::Finished,
                }
                e.at_command += 1;
                e.at_termination = 0;
            }
            (e.at_action, e.at_command, e.here) = (e.at_action + 1, 0, None);
        }
        Step::Finished
    }

    /// Finds the context of an action, sets and reads its properties.
    fn enter(
        &mut self,
        action: &ActionRequest,
        e: &mut Execution,
        gateway: &mut dyn Gateway,
    ) -> Result<(), ErrorDescriptor> {
        e.first_reply = e.replies.len();
        let given = &action.properties;
        if !given.contexts.is_empty() || !given.attributes.is_empty() || given.ieps.is_some() {
            return Err(ErrorDescriptor::with_text(
                ErrorCode::NOT_IMPLEMENTED,
                "context attributes of version 3",
            ));
        }
        if given.topology.iter().any(|triple| triple.direction != TopologyDirection::Bothway) {
            return Err(ErrorDescriptor::new(ErrorCode::TOPOLOGY_NOT_SUPPORTED));
        }
        let joined = given.topology.iter().flat_map(|triple| [&triple.from, &triple.to]);
        let mut named = joined.filter(|name| !name.has_all() && !name.has_choose());
        if let Some(stranger) = named.find(|name| !self.view.exists(name)) {
            return Err(names::unknown(stranger));
        }
        if given.priority.is_some_and(|priority| priority > 15) {
            return Err(ErrorDescriptor::with_text(ErrorCode::UNSUPPORTED_VALUE, "Priority above 15"));
        }
        let here = match action.context {
            ContextId::Null => Here::Null,
            ContextId::All => Here::All,
            ContextId::Choose => {
                Here::New(None, self.wanted_attributes(ContextAttributes::default(), action))
            }
            ContextId::Id(number) => {
                let id = model::ContextId(number);
                let unknown = || ErrorDescriptor::with_text(ErrorCode::UNKNOWN_CONTEXT, number.to_string());
                let old = self.view.contexts.get(&number).ok_or_else(unknown)?.attributes;
                let attributes = self.wanted_attributes(old, action);
                if attributes != old {
                    let reply = gateway.execute(Order::SetAttributes(id, attributes));
                    match reply.map_err(|refused| refusal::descriptor(&refused))? {
                        Reply::Accepted(ticket)
                        | Reply::Termination(_, ticket)
                        | Reply::Statistics(ticket) => e.note(ticket),
                        Reply::Context(_) => {}
                    }
                    self.view.contexts.entry(number).or_default().attributes = attributes;
                }
                Here::One(id)
            }
        };
        let settable = matches!(here, Here::New(..) | Here::One(_));
        if !settable && !given.is_empty() {
            return Err(ErrorDescriptor::with_text(ErrorCode::UNKNOWN_ACTION, "properties of this context"));
        }
        e.here = Some(here);
        match &action.audit {
            Some(audit) => self.audit_context(audit, e),
            None => Ok(()),
        }
    }

    /// One command, for all of its terminations.
    fn command(
        &mut self,
        now: Now,
        command: &CommandRequest,
        e: &mut Execution,
        gateway: &mut dyn Gateway,
        budget: &mut usize,
    ) -> Result<(), Stop> {
        let mut refused = None;
        while let Some(name) = command.terminations.get(e.at_termination) {
            match self.named(now, command, name, e, gateway, budget) {
                Ok(()) => e.tally.push((command.command.verb(), None)),
                Err(Stop::Blocked) => return Err(Stop::Blocked),
                Err(Stop::Refused(error)) => {
                    e.tally.push((command.command.verb(), Some(error.code)));
                    refused.get_or_insert(error);
                }
            }
            (e.targets, e.union) = (None, None);
            e.at_termination += 1;
        }
        refused.map_or(Ok(()), |error| Err(error.into()))
    }

    /// One command, for one TerminationID and all that it takes in. Failures are answered here and returned.
    fn named(
        &mut self,
        now: Now,
        command: &CommandRequest,
        name: &TerminationId,
        e: &mut Execution,
        gateway: &mut dyn Gateway,
        budget: &mut usize,
    ) -> Result<(), Stop> {
        let verb = command.command.verb();
        let begun = e.targets.is_some();
        let result = match &command.command {
            Command::Add(request) => return self.answer_add(now, name, request, e, gateway),
            _ if begun => Ok(false),
            other => self.begin(now, other, name, e, command.wildcard_reply),
        };
        match result {
            Ok(true) => Ok(()),
            Ok(false) => self.targets(now, command, name, e, gateway, budget),
            Err(Stop::Refused(error)) => {
                e.reply(e.context(), name.clone(), failed(verb, error.clone()));
                Err(Stop::Refused(error))
            }
            Err(Stop::Blocked) => Err(Stop::Blocked),
        }
    }

    /// Finds the terminations of a command. `true`: it was for ROOT and is done.
    fn begin(
        &mut self,
        now: Now,
        command: &Command,
        name: &TerminationId,
        e: &mut Execution,
        wildcard_reply: bool,
    ) -> Result<bool, Stop> {
        if matches!(command, Command::Notify(_)) {
            return Err(ErrorDescriptor::with_text(
                ErrorCode::UNKNOWN_COMMAND,
                "Notify comes from the gateway",
            )
            .into());
        }
        let target = names::target(name)?;
        if target == Target::Root {
            if let Command::ServiceChange(request) = command {
                return Ok(self.change_root(now, request, e)?);
            }
            self.root_command(now, command, e)?;
            return Ok(true);
        }
        let scope = match e.here {
            // Move brings terminations from elsewhere.
            _ if matches!(command, Command::Move(_)) => Scope::All,
            Some(Here::Null) | None => Scope::Null,
            Some(Here::All) => Scope::All,
            Some(Here::One(id) | Here::New(Some(id), _)) => Scope::One(id),
            Some(Here::New(None, _)) => {
                return Err(ErrorDescriptor::with_text(
                    ErrorCode::UNKNOWN_ACTION,
                    "Context = $ takes Add and Move",
                )
                .into());
            }
        };
        let matched = self.view.matching(name, &target, scope)?;
        // Asked before anything is done: nobody shall hear of an error what was executed.
        let too_many = matched.len() > MAX_WILDCARD_REPLIES
            || self.view.answer_bytes(&matched) > MAX_WILDCARD_ANSWER_BYTES;
        if !wildcard_reply && too_many {
            let text = format!("{} terminations: ask for less, or for a wildcarded response", matched.len());
            return Err(ErrorDescriptor::with_text(ErrorCode::RESPONSE_TOO_LARGE, text).into());
        }
        if wildcard_reply && matches!(target, Target::Several(_)) {
            e.union = Some(e.reply(e.context(), name.clone(), succeeded(command.verb(), Vec::new())));
        }
        e.targets = Some(matched.into());
        Ok(false)
    }

    /// Executes a command on what is left of its terminations.
    fn targets(
        &mut self,
        now: Now,
        command: &CommandRequest,
        name: &TerminationId,
        e: &mut Execution,
        gateway: &mut dyn Gateway,
        budget: &mut usize,
    ) -> Result<(), Stop> {
        let verb = command.command.verb();
        while let Some(id) = e.targets.as_ref().and_then(|targets| targets.front().copied()) {
            if *budget == 0 && e.last_ticket.is_some() {
                return Err(Stop::Blocked);
            }
            *budget = budget.saturating_sub(1);
            let found = self.view.termination_mut(id).map(|termination| {
                termination.last_named = now;
                (ContextId::Id(termination.context.0), termination.name.clone())
            });
            // A termination that an earlier part of this wildcard took along is no failure.
            let Some((context, own_name)) = found else {
                e.targets.as_mut().map(VecDeque::pop_front);
                continue;
            };
            let outcome = match &command.command {
                Command::Modify(request) => self.modify(now, id, request, e, gateway),
                Command::Move(request) => self.relocate(now, id, request, e, gateway),
                Command::Subtract(audit) => self.subtract(id, audit.as_ref(), e, gateway),
                Command::AuditValue(audit) => self.audit_value(id, audit, gateway),
                Command::AuditCapability(audit) => self.audit_capability(id, audit),
                Command::ServiceChange(request) => {
                    self.change_service(now, id, *name == TerminationId::Root, request, e, gateway)
                }
                Command::Add(_) | Command::Notify(_) => {
                    Err(ErrorDescriptor::new(ErrorCode::UNKNOWN_COMMAND).into())
                }
            };
            if matches!(outcome, Err(Stop::Blocked)) && e.last_ticket.is_some() {
                return Err(Stop::Blocked);
            }
            e.targets.as_mut().map(VecDeque::pop_front);
            // Move answers from the context that its action names, also when the termination did not get there.
            let moving = matches!(command.command, Command::Move(_));
            let context = if moving { e.context() } else { context };
            let place = (context, if e.union.is_some() { name.clone() } else { own_name });
            match outcome {
                Ok(answer) => self.answer(verb, place, answer, e),
                Err(stop) => {
                    let error = match stop {
                        Stop::Refused(error) => error,
                        Stop::Blocked => ErrorDescriptor::new(ErrorCode::INSUFFICIENT_RESOURCES),
                    };
                    self.answer_failure(verb, place, &error, e);
                    e.refused.get_or_insert(error);
                }
            }
        }
        e.refused.take().map_or(Ok(()), |error| Err(error.into()))
    }

    fn answer(&mut self, verb: Verb, place: (ContextId, TerminationId), answer: Answer, e: &mut Execution) {
        if let Some((ticket, _)) = answer.statistics {
            e.note(ticket);
        }
        let at = match e.union {
            Some(at) => {
                gather::unite(&mut e.replies, at, answer.audit);
                at
            }
            None => e.reply(place.0, place.1, succeeded(verb, answer.audit)),
        };
        if let Some((ticket, wanted)) = answer.statistics {
            e.gathers.expect(ticket, at, wanted);
        }
    }

    fn answer_failure(
        &mut self,
        verb: Verb,
        place: (ContextId, TerminationId),
        error: &ErrorDescriptor,
        e: &mut Execution,
    ) {
        match e.union {
            Some(at) => gather::unite(&mut e.replies, at, vec![AuditReturn::Error(error.clone())]),
            None => {
                e.reply(place.0, place.1, failed(verb, error.clone()));
            }
        }
    }
}

/// The result of a command that succeeded.
fn succeeded(verb: Verb, audit: TerminationAudit) -> CommandResult {
    match verb {
        Verb::Add => CommandResult::Add(audit),
        Verb::Move => CommandResult::Move(audit),
        Verb::Modify => CommandResult::Modify(audit),
        Verb::Subtract => CommandResult::Subtract(audit),
        Verb::AuditValue => CommandResult::AuditValue(AuditResult::Termination(audit)),
        Verb::AuditCapability => CommandResult::AuditCapability(AuditResult::Termination(audit)),
        Verb::Notify => CommandResult::Notify(None),
        Verb::ServiceChange => CommandResult::ServiceChange(ServiceChangeResult::Accepted),
    }
}

/// The result of a command that failed.
pub(crate) fn failed(verb: Verb, error: ErrorDescriptor) -> CommandResult {
    match verb {
        Verb::Notify => CommandResult::Notify(Some(error)),
        Verb::ServiceChange => CommandResult::ServiceChange(ServiceChangeResult::Error(error)),
        _ => succeeded(verb, vec![AuditReturn::Error(error)]),
    }
}
