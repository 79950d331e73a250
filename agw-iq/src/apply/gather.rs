//! Statistics that come after their command: collected by ticket and put into the replies that wait for them.

use crate::ast::*;
use crate::package::statistics;
use agw_core::command::Ticket;
use agw_core::model::StreamStatistics;
use std::collections::BTreeMap;

/// Which statistics a reply wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    All {
        /// Those of MSRP too.
        msrp: bool,
    },
    /// These, in this order.
    These(Vec<PkgdName>),
}

#[derive(Debug)]
struct Gather {
    /// The action reply and the command reply.
    place: (usize, usize),
    wanted: Wanted,
    streams: Vec<StreamStatistics>,
}

/// All statistics that a transaction waits for.
#[derive(Debug, Default)]
pub(super) struct Gathers {
    gathers: Vec<Gather>,
    by_ticket: BTreeMap<Ticket, usize>,
    new: Vec<Ticket>,
}

impl Gathers {
    /// The statistics of this ticket belong into the reply at this place; several tickets add up in one reply.
    pub(super) fn expect(&mut self, ticket: Ticket, place: (usize, usize), wanted: Wanted) {
        let at = match self.gathers.iter().rposition(|gather| gather.place == place) {
            Some(at) => {
                if let (Wanted::All { msrp }, Wanted::All { msrp: true }) =
                    (&mut self.gathers[at].wanted, &wanted)
                {
                    *msrp = true;
                }
                at
            }
            None => {
                self.gathers.push(Gather { place, wanted, streams: Vec::new() });
                self.gathers.len() - 1
            }
        };
        self.by_ticket.insert(ticket, at);
        self.new.push(ticket);
    }

    pub(super) fn take_new_tickets(&mut self) -> impl Iterator<Item = Ticket> + '_ {
        self.new.drain(..)
    }

    pub(super) fn tickets(&self) -> impl Iterator<Item = Ticket> + '_ {
        self.by_ticket.keys().copied()
    }

    pub(super) fn add(&mut self, ticket: Ticket, statistics: StreamStatistics) {
        let at = self.by_ticket.get(&ticket);
        if let Some(gather) = at.and_then(|at| self.gathers.get_mut(*at)) {
            gather.streams.push(statistics);
            // A reply for very many terminations needs only their sum.
            if gather.streams.len() >= 64 {
                gather.streams = vec![statistics::total(&gather.streams)];
            }
        }
    }

    pub(super) fn fill(self, replies: &mut [ActionReply]) {
        for Gather { place, wanted, streams } in self.gathers {
            let total = statistics::total(&streams);
            let descriptor = match wanted {
                Wanted::All { msrp } => statistics::descriptor(&total, msrp),
                Wanted::These(names) => names.iter().filter_map(|name| by_name(&total, name)).collect(),
            };
            if let Some(audit) = audit_at(replies, place) {
                audit.push(AuditReturn::Statistics(descriptor));
            }
        }
    }
}

fn by_name(total: &StreamStatistics, name: &PkgdName) -> Option<Statistic> {
    let (package, item) = statistics::all_names().find(|(package, item)| name.is(package, item))?;
    statistics::one(total, package, item)
}

fn audit_at(replies: &mut [ActionReply], (action, command): (usize, usize)) -> Option<&mut TerminationAudit> {
    match &mut replies.get_mut(action)?.commands.get_mut(command)?.result {
        CommandResult::Add(audit)
        | CommandResult::Move(audit)
        | CommandResult::Modify(audit)
        | CommandResult::Subtract(audit)
        | CommandResult::AuditValue(AuditResult::Termination(audit))
        | CommandResult::AuditCapability(AuditResult::Termination(audit)) => Some(audit),
        _ => None,
    }
}

/// Adds to the one reply of a `W-` command what it does not say yet (H.248.1 section 7.2.5: the union of the values).
pub(super) fn unite(replies: &mut [ActionReply], place: (usize, usize), more: TerminationAudit) {
    let Some(audit) = audit_at(replies, place) else { return };
    for item in more {
        if !audit.contains(&item) && audit.len() < MAX_UNION {
            audit.push(item);
        }
    }
}

/// The most different descriptors in one wildcarded reply.
const MAX_UNION: usize = 64;
