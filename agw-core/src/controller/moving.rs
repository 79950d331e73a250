//! Moves of terminations between contexts, and of their flows between workers where the contexts are on different ones. A flow is
//! ordered out of its old worker, comes back with all that it has, is brought up to date with what was commanded meanwhile, and is
//! installed at the new worker. Its ports are nobody's in between: what arrives waits in their queues, and the new worker is let at it
//! when the flow and its namesake have been told of each other. The ports go back to the share that they came from when the
//! flow ends, wherever that is.
//!
//! While its flow is on the way a stream is there for commands but not for workers: it faces nobody, changes of it are kept until it
//! arrives, and its counters and its end are told when it comes out of the old worker. The numbers and the places in the new worker's
//! queue for what has to be ordered then are taken with the command, so that nothing can fail on the way.

use super::Controller;
use super::bundle;
use super::draft;
use super::execute::Changes;
use super::links::{FlowRecord, Purpose};
use super::registry::{MAX_TERMINATIONS_PER_CONTEXT, Termination};
use super::sockets::{Held, refusal_of};
use super::stream::Stream;
use crate::command::order::{FlowId, Order};
use crate::command::{Event, Refusal, Reply, Ticket};
use crate::flow::Flow;
use crate::io::PortOpener;
use crate::io::stream::StreamOpener;
use crate::model::{ContextId, StreamId, StreamSpec, StreamStatistics, TerminationId};
use arrayvec::ArrayVec;
use std::collections::BTreeMap;

/// How often the counters of a stream can be asked for while its flow is on the way.
pub(super) const MAX_READS_ON_THE_WAY: usize = 8;
/// What is ordered from the new worker for each flow that arrives: that it is installed, and that its namesake is told.
const ORDERS_ON_ARRIVAL: usize = 2;

/// Where a flow is: its worker, and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Whereabouts {
    pub(super) worker: usize,
    pub(super) flow: FlowId,
}

/// A flow on its way.
#[derive(Debug)]
struct Passage {
    to: Whereabouts,
    install: Ticket,
    join: Ticket,
    reads: ArrayVec<Ticket, MAX_READS_ON_THE_WAY>,
    /// It has been removed meanwhile, by this order.
    removal: Option<Ticket>,
}

/// All flows that are between two workers.
#[derive(Debug, Default)]
pub(super) struct Passages {
    /// By where they come from: ordered out, and not out yet.
    under_way: BTreeMap<Whereabouts, Passage>,
    /// By the last order of their arrival: installed, and not let at their ports yet.
    arriving: BTreeMap<Ticket, Whereabouts>,
}

impl Passages {
    /// Whether the counters of a stream can be asked for now.
    pub(super) fn has_room_to_read(&self, stream: &Stream) -> bool {
        let passage = stream.origin.and_then(|origin| self.under_way.get(&origin));
        passage.is_none_or(|passage| !passage.reads.is_full())
    }

    /// The counters of a flow on its way are wanted; there is room.
    pub(super) fn read(&mut self, origin: Whereabouts, order: Ticket) {
        if let Some(passage) = self.under_way.get_mut(&origin) {
            passage.reads.push(order);
        }
    }

    /// A flow on its way ends when it comes out.
    pub(super) fn remove(&mut self, origin: Whereabouts, order: Ticket) {
        if let Some(passage) = self.under_way.get_mut(&origin) {
            passage.removal = Some(order);
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty() && self.arriving.is_empty()
    }
}

impl<O: PortOpener + StreamOpener> Controller<O> {
    /// Moves a termination and changes it on the way, both or neither (IQ-4): the context that it leaves may go with it, so that nothing
    /// could be taken back.
    pub(super) fn move_to(
        &mut self,
        id: TerminationId,
        to: ContextId,
        changed: &[(StreamId, StreamSpec)],
    ) -> Result<Reply, Refusal> {
        let termination = self.registry.termination(id)?;
        let from = termination.context;
        let target = self.registry.context(to)?;
        if from == to {
            return self.modify(id, changed);
        }
        if target.terminations.len() >= MAX_TERMINATIONS_PER_CONTEXT {
            return Err(Refusal::TooManyTerminations(to));
        }
        let opposite = target.terminations.first().copied();
        let joining = opposite.and_then(|other| self.registry.terminations().get(&other));
        check_joins(termination, joining)?;
        let old_worker = self.registry.context(from)?.worker;
        let count = |other: Option<&Termination>| other.map_or(0, |other| other.streams.len());
        let is_bound = |stream: &Stream| {
            let asked = &stream.asked;
            asked.connection.is_some() || asked.edge.is_some() || bundle::is_bundled(asked)
        };
        let is_bound = termination.streams.iter().any(is_bound);
        let (streams, joining) = (termination.streams.len(), count(joining));
        let left_behind = count(self.registry.opposite(id).map(|(_, other)| other));
        let fixed_worker = target.worker.or(old_worker);
        let Changes { drafts, revisions } = self.changes(id, opposite, changed)?;
        // Each changed stream is told, and its namesake of it.
        let for_changes = self.orders_for(id, changed.len());
        let placed = self.place(to, fixed_worker, &drafts, for_changes)?;
        let worker = placed.worker;

        let passage = old_worker.zip(worker).filter(|(old, new)| old != new && streams > 0);
        if passage.is_some() && is_bound {
            self.unplace(placed);
            return Err(Refusal::NotImplemented(
                "moving a connection, DTLS, ICE or a bundle to another worker",
            ));
        }
        let prepared = match passage {
            Some((old, new)) => self.prepare_passage(id, old, new, left_behind, for_changes),
            None => {
                let orders = streams + joining + left_behind + for_changes;
                self.check_room(worker, orders, drafts.len(), Purpose::Ordinary)
            }
        };
        if let Err(refusal) = prepared {
            self.unplace(placed);
            return Err(refusal);
        }
        if let Err(refusal) = self.tune(id, &revisions) {
            if let Some((_, new)) = passage {
                self.give_up_reservations(id, new);
            }
            self.unplace(placed);
            return Err(refusal);
        }

        self.registry.rehome(id, to);
        match passage {
            Some((old, new)) => self.depart(id, old, new),
            None => self.registry.context_mut(to)?.worker = worker,
        }
        let added = self.commit_drafts(to, id, drafts, placed);
        self.commit_revisions(id, revisions, added);
        self.settle(from);
        self.settle(to);
        Ok(Reply::Termination(self.view(id)?, self.finish()))
    }

    /// Makes certain that all flows of a termination can leave one worker and arrive at another, where more orders follow for what
    /// changes; or changes nothing.
    fn prepare_passage(
        &mut self,
        id: TerminationId,
        old: usize,
        new: usize,
        left_behind: usize,
        for_changes: usize,
    ) -> Result<(), Refusal> {
        let held: Vec<Held> =
            self.registry.termination(id)?.streams.iter().map(|stream| stream.held).collect();
        let arrivals = ORDERS_ON_ARRIVAL * held.len();
        if !self.tickets.has_room(left_behind + held.len() + arrivals + for_changes + 1) {
            return Err(Refusal::OutOfResources("worker queue"));
        }
        self.links[old].check_room(left_behind + held.len(), 0, Purpose::Ordinary)?;
        let installs = held.len() + for_changes / 2;
        self.links[new].check_room(arrivals + for_changes, installs, Purpose::Ordinary)?;
        self.sockets.reserve_all(new, &held).map_err(|error| refusal_of(&error))
    }

    /// What was reserved for a passage is not needed after all.
    fn give_up_reservations(&mut self, id: TerminationId, new: usize) {
        let Ok(termination) = self.registry.termination(id) else { return };
        termination.streams.iter().for_each(|stream| self.sockets.withdraw(new, stream.held));
    }

    /// Orders the flows of a termination out of their worker. One that is on its way already gets another destination.
    fn depart(&mut self, id: TerminationId, old: usize, new: usize) {
        let Ok(termination) = self.registry.termination_mut(id) else { return };
        for stream in &mut termination.streams {
            // The old worker stops reaping before it lets the flow go: what it took after that would belong to nobody.
            self.sockets.withdraw(old, stream.held);
            let record = FlowRecord {
                termination: id,
                stream: stream.id,
                held: stream.held,
                leaving: false,
                departing: false,
            };
            let to = Whereabouts { worker: new, flow: FlowId(self.links[new].flows.insert(record) as u32) };
            self.links[new].keep_room(ORDERS_ON_ARRIVAL);
            let was = Whereabouts { worker: old, flow: std::mem::replace(&mut stream.flow, to.flow) };
            if let Some(passage) = stream.origin.and_then(|origin| self.passages.under_way.get_mut(&origin)) {
                passage.to = to;
                self.links[old].flows.remove(was.flow.0 as usize);
                self.links[old].give_up_room(ORDERS_ON_ARRIVAL);
                continue;
            }
            if let Some(record) = self.links[old].flows.get_mut(was.flow.0 as usize) {
                record.departing = true;
            }
            stream.origin = Some(was);
            // It leaves before who stays behind is told: what it has still found ready comes to its old peer.
            self.links[old].send(self.tickets.number(), Order::Release(was.flow));
            let (install, join) = (self.tickets.number(), self.tickets.number());
            let passage = Passage { to, install, join, reads: ArrayVec::new(), removal: None };
            self.passages.under_way.insert(was, passage);
        }
    }

    /// A flow is out of its worker's hands.
    pub(super) fn handle_released(
        &mut self,
        from: Whereabouts,
        order: Ticket,
        statistics: StreamStatistics,
        flow: Box<Flow>,
    ) {
        let passage = self.passages.under_way.remove(&from);
        let record = self.links[from.worker].flows.try_remove(from.flow.0 as usize);
        debug_assert!(passage.is_some() && record.is_some(), "{from:?} was let go unasked");
        if let Some((passage, record)) = passage.zip(record) {
            for asked in passage.reads.iter().copied().chain(passage.removal) {
                self.untold.push_back(Event::Statistics {
                    ticket: self.tickets.command_of(asked),
                    termination: record.termination,
                    stream: record.stream,
                    statistics,
                });
                self.tickets.answered(asked);
            }
            match passage.removal {
                Some(_) => self.end_passage(&passage, record),
                None => self.arrive(&passage, record, flow),
            }
        }
        self.tickets.answered(order);
    }

    /// A flow that was removed on its way goes no further.
    fn end_passage(&mut self, passage: &Passage, record: FlowRecord) {
        self.sockets.close(passage.to.worker, record.held, self.now_ms);
        let link = &mut self.links[passage.to.worker];
        link.flows.remove(passage.to.flow.0 as usize);
        link.give_up_room(ORDERS_ON_ARRIVAL);
        self.tickets.answered(passage.install);
        self.tickets.answered(passage.join);
    }

    /// Brings a flow up to date, installs it at its new worker and joins it there with its namesake.
    fn arrive(&mut self, passage: &Passage, record: FlowRecord, mut flow: Box<Flow>) {
        let (id, stream) = (record.termination, record.stream);
        let facing = self.registry.facing(id, stream);
        let worker = passage.to.worker;
        let Ok(termination) = self.registry.termination_mut(id) else { return };
        let Some(stream_at) = termination.find(stream) else { return };
        termination.streams[stream_at].origin = None;
        self.follow_dscp(id, stream_at, facing);
        let Some(shape) = self.shape_of(id, stream_at, facing) else { return };
        let Ok(termination) = self.registry.termination_mut(id) else { return };
        let found = &mut termination.streams[stream_at];
        if found.unlearn {
            flow.forget_learned();
        }
        // What it replaces is freed here.
        let dtls = &self.dtls[found.realm];
        flow.change(&mut found.tell(shape, dtls, &self.srtp.policy));
        self.links[worker].send_kept(passage.install, Order::Install(passage.to.flow, flow));

        let opposite =
            self.registry.opposite(id).and_then(|(other, found)| Some((other, found.find(stream)?)));
        let last = match opposite.and_then(|(other, at)| self.order_for(other, at)) {
            Some(order) => {
                self.links[worker].send_kept(passage.join, order);
                passage.join
            }
            None => {
                self.links[worker].give_up_room(1);
                self.tickets.answered(passage.join);
                passage.install
            }
        };
        self.passages.arriving.insert(last, passage.to);
    }

    /// An order was obeyed. If it was the last of an arrival, the new worker may reap from the flow's ports now; unless the flow has been
    /// ordered away since.
    pub(super) fn admit_arrival(&mut self, order: Ticket) {
        let Some(arrived) = self.passages.arriving.remove(&order) else { return };
        let record = self.links[arrived.worker].flow(arrived.flow).copied();
        if let Some(record) = record.filter(|record| !record.leaving && !record.departing) {
            self.sockets.admit(arrived.worker, record.held);
        }
    }
}

fn check_joins(moving: &Termination, joining: Option<&Termination>) -> Result<(), Refusal> {
    let Some(joining) = joining else { return Ok(()) };
    for stream in &moving.streams {
        let namesake = joining.find(stream.id).map(|at| &joining.streams[at]);
        if namesake.is_some_and(|other| !draft::joinable(other.asked.transport, stream.asked.transport)) {
            return Err(Refusal::Unjoinable(stream.id));
        }
    }
    Ok(())
}
