//! Transactions between their execution and their reply.
//!
//! The reply waits until the workers have confirmed (RLY-5). Meanwhile `Pending` is said now and then (H.248.1 section 8.2.3), not more
//! often than the controller allows (error 506), and not for ever (error 500).

use super::messages::Manner;
use super::*;
use crate::apply::Step;
use crate::ast::*;
use crate::counters::TransactionResult;
use crate::errors::ErrorCode;

impl Running {
    fn key(&self) -> Key {
        (self.peer, self.id)
    }

    fn manner(&self) -> Manner {
        Manner { peer: self.peer, version: self.version, encoding: self.encoding }
    }

    fn clock(&self) -> Now {
        self.deadline.min(self.next_pending)
    }
}

impl MediaGateway {
    /// Goes on with a transaction that is in no list.
    pub(super) fn advance(&mut self, now: Now, mut running: Box<Running>, gateway: &mut dyn Gateway) {
        if !running.finished {
            running.finished = self.executor.step(now, &mut running.execution, gateway) == Step::Finished;
            for (verb, error) in running.execution.tally.drain(..) {
                self.counters.command(verb, error);
            }
            let key = running.key();
            for ticket in running.execution.wants_statistics() {
                self.statistics.insert(ticket, key);
            }
        }
        match running.execution.waits_for() {
            None if running.finished => self.complete(now, running),
            waits_for => {
                running.waits_for = waits_for;
                self.list(running);
            }
        }
    }

    fn list(&mut self, running: Box<Running>) {
        let key = running.key();
        self.clocks.insert((running.clock(), key));
        self.by_ticket.extend(running.waits_for.map(|ticket| (ticket, key)));
        self.running.insert(key, running);
    }

    fn unlist(&mut self, key: Key) -> Option<Box<Running>> {
        let running = self.running.remove(&key)?;
        self.clocks.remove(&(running.clock(), key));
        if let Some(ticket) = running.waits_for {
            self.by_ticket.remove(&(ticket, key));
        }
        Some(running)
    }

    /// The workers have confirmed all up to this ticket.
    pub(super) fn confirmed(&mut self, now: Now, ticket: Ticket, gateway: &mut dyn Gateway) {
        while let Some((waited_for, key)) =
            self.by_ticket.first().copied().filter(|(first, _)| *first <= ticket)
        {
            let Some(mut running) = self.unlist(key) else {
                self.by_ticket.remove(&(waited_for, key));
                continue;
            };
            running.execution.confirmed(ticket);
            self.advance(now, running, gateway);
        }
    }

    fn complete(&mut self, now: Now, running: Box<Running>) {
        self.forget_statistics(&running);
        let (key, manner, began, pendings) =
            (running.key(), running.manner(), running.began, running.pendings);
        let mut execution = running.execution;
        let hand_off = execution.hand_off.take();
        let body = execution.into_body();
        let result = if has_error(&body) { TransactionResult::Error } else { TransactionResult::Ok };
        self.finish(now, key, manner, began, pendings, body, result);
        // Signals that ended with the command.
        self.tell(now);
        if let Some(to) = hand_off {
            self.association.hand_off(now, to.to.as_ref(), to.address.as_ref());
            self.pursue(now);
        }
    }

    /// Sends the reply and keeps it for whoever asks again.
    #[allow(clippy::too_many_arguments, reason = "each is another property of the reply")]
    pub(super) fn finish(
        &mut self,
        now: Now,
        key: Key,
        manner: Manner,
        began: Now,
        pendings: u32,
        body: ReplyBody,
        result: TransactionResult,
    ) {
        // Annex D.1.4: who has said Pending asks for an immediate acknowledgement.
        let immediate_ack = pendings > 0 && !manner.peer.link.is_reliable();
        let shorter = without_statistics(&body);
        let said = self.say_reply(now, manner, key.1, immediate_ack, body);
        // What was subtracted is gone: better to say so without statistics than not at all.
        let said = said.or_else(|code| match shorter {
            Some(shorter) => self.say_reply(now, manner, key.1, immediate_ack, shorter),
            None => Err(code),
        });
        let said = said.or_else(|code| {
            let instead = ReplyBody::Error(ErrorDescriptor::new(code));
            self.say_reply(now, manner, key.1, immediate_ack, instead)
        });
        self.inbound.answer(now, key, said.unwrap_or_default());
        self.counters.answered(result, now.saturating_sub(began));
    }

    /// Says `Pending`, or gives up when it was said too often.
    pub(super) fn say_pending(&mut self, now: Now, key: Key) {
        let limit = self.executor.root.mg_pending_limit;
        let interval = self.executor.root.provisional_timer();
        let Some(mut running) = self.unlist(key) else {
            if let Some(manner) = self.queue.manner_of(key) {
                self.counters.pendings += 1;
                let _ = self.say(now, manner, Body::Transactions(vec![Transaction::Pending(key.1)]));
            }
            return;
        };
        if running.pendings >= limit {
            return self.give_up(now, &running, ErrorCode::TOO_MANY_PENDINGS);
        }
        running.pendings += 1;
        running.next_pending = now + interval;
        self.counters.pendings += 1;
        let body = Body::Transactions(vec![Transaction::Pending(running.id)]);
        let _ = self.say(now, running.manner(), body);
        self.list(running);
    }

    /// Looks at transactions whose time has come.
    pub(super) fn look_at_running(&mut self, now: Now, gateway: &mut dyn Gateway) {
        while let Some((at, key)) = self.clocks.first().copied().filter(|(at, _)| *at <= now) {
            let Some(running) = self.running.get(&key) else {
                self.clocks.remove(&(at, key));
                continue;
            };
            if running.deadline <= now {
                if let Some(running) = self.unlist(key) {
                    self.give_up(now, &running, ErrorCode::INTERNAL_FAILURE);
                }
            } else if !running.finished && running.waits_for.is_none() {
                if let Some(running) = self.unlist(key) {
                    self.advance(now, running, gateway);
                }
            } else {
                self.say_pending(now, key);
            }
        }
    }

    fn give_up(&mut self, now: Now, running: &Running, code: ErrorCode) {
        self.forget_statistics(running);
        let body = ReplyBody::Error(ErrorDescriptor::new(code));
        let (key, manner) = (running.key(), running.manner());
        self.finish(now, key, manner, running.began, running.pendings, body, TransactionResult::TimedOut);
    }

    fn forget_statistics(&mut self, running: &Running) {
        for ticket in running.execution.statistics_tickets() {
            self.statistics.remove(&ticket);
        }
    }
}

/// A reply that may be too long for a datagram because of the statistics of what was subtracted, without them.
fn without_statistics(body: &ReplyBody) -> Option<ReplyBody> {
    /// So many fit, whatever the style.
    const ALWAYS_FIT: usize = 64;
    let ReplyBody::Actions(actions) = body else { return None };
    let has_any =
        |audit: &TerminationAudit| audit.iter().any(|item| matches!(item, AuditReturn::Statistics(_)));
    let commands = actions.iter().flat_map(|action| &action.commands);
    let subtracted = commands
        .filter(|command| matches!(&command.result, CommandResult::Subtract(audit) if has_any(audit)));
    if subtracted.count() <= ALWAYS_FIT {
        return None;
    }
    let mut actions = actions.clone();
    for command in actions.iter_mut().flat_map(|action| &mut action.commands) {
        if let CommandResult::Subtract(audit) = &mut command.result {
            audit.retain(|item| !matches!(item, AuditReturn::Statistics(_)));
        }
    }
    Some(ReplyBody::Actions(actions))
}

/// Whether anything in a reply failed.
fn has_error(body: &ReplyBody) -> bool {
    let ReplyBody::Actions(actions) = body else { return true };
    let in_audit = |audit: &TerminationAudit| audit.iter().any(|item| matches!(item, AuditReturn::Error(_)));
    let failed = |command: &CommandReply| match &command.result {
        CommandResult::Add(audit)
        | CommandResult::Move(audit)
        | CommandResult::Modify(audit)
        | CommandResult::Subtract(audit)
        | CommandResult::AuditValue(AuditResult::Termination(audit))
        | CommandResult::AuditCapability(AuditResult::Termination(audit)) => in_audit(audit),
        CommandResult::AuditValue(other) | CommandResult::AuditCapability(other) => {
            matches!(other, AuditResult::ContextError(_))
        }
        CommandResult::Notify(error) => error.is_some(),
        CommandResult::ServiceChange(result) => matches!(result, ServiceChangeResult::Error(_)),
    };
    actions.iter().any(|action| action.error.is_some() || action.commands.iter().any(failed))
}
