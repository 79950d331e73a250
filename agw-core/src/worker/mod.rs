//! The worker: the loop that moves packets. One turn reaps a batch, runs it through its stages, sends it, does what the clock asks,
//! obeys the controller, and publishes what it counted. All memory is taken when it is made; flows and keys are allocated by the controller and go
//! back to it. A worker never refuses an order and never loses an answer: it takes an order only when there is room to answer it.
//!
//! ```text
//!   orders --> [obey] --> table of flows <-- stages: enter, unprotect, accept, leave, protect, settle
//!  answers <-- [tell]                        ^ reap                                         | send
//!                                            +------------------- PacketIo -----------------+
//! ```
//!
//! A thread of the binary calls [`Worker::turn`] for ever; tests call it on a pretend network. Nothing here reads a clock but the
//! backend's.

mod batch;
mod connections;
mod handshakes;
pub mod stats;
pub mod table;
mod timers;

use crate::command::order::{Answer, FlowId, FlowPlan, Numbered, Order, TcpPlan};
use crate::command::{Observation, Ticket};
use crate::flow::Flow;
use crate::flow::tcp::TcpFlow;
use crate::io::stream::StreamIo;
use crate::io::{Batch, Now, PacketIo};
use crate::model::{Leg, StreamStatistics};
use batch::{Stages, Workplace};
use connections::Connections;
use handshakes::{Bench, Handshakes};
use rtrb::{Consumer, Producer};
use stats::{Counter, DropReason, PacketKind, Tally, WorkerCounters};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use table::FlowTable;
use timers::Rounds;

/// The most orders obeyed in one turn, so that a flood of commands does not delay media.
const MAX_ORDERS_PER_TURN: usize = 32;
/// The longest wait while answers cannot be told because their ring is full.
const BLOCKED_WAIT: Duration = Duration::from_millis(5);

/// What a worker is made with.
#[derive(Debug, Clone)]
pub struct WorkerSetup {
    /// How many flows it can hold: [`FlowId`]s are below this.
    pub flows: usize,
    /// The leg of each local address, by [`PortKey::address`](crate::command::order::PortKey::address).
    pub legs: Vec<Leg>,
    /// Steps of DTLS handshakes in one turn, each of which may cost a public-key operation or two; at least one.
    pub handshake_steps_per_turn: usize,
}

/// A worker with its flows.
#[derive(Debug)]
pub struct Worker<Io> {
    io: Io,
    batch: Batch,
    stages: Stages,
    table: FlowTable,
    connections: Connections,
    handshakes: Handshakes,
    tally: Tally,
    published: Arc<WorkerCounters>,
    orders: Consumer<Numbered>,
    answers: Producer<Answer>,
    /// Flows with something to tell, each once; never longer than the table.
    talkative: Vec<FlowId>,
    rounds: Rounds,
    /// Lost in receive queues, by local address; cleared each time it is counted.
    losses: Box<[u64]>,
    legs: Box<[Leg]>,
    began: Option<Now>,
    /// Answers went out that nobody has asked about yet.
    told: bool,
}

impl<Io: PacketIo + StreamIo> Worker<Io> {
    /// A worker on a backend, with its ends of the rings.
    pub fn new(io: Io, setup: &WorkerSetup, orders: Consumer<Numbered>, answers: Producer<Answer>) -> Self {
        let table = FlowTable::new(setup.flows, setup.legs.len());
        Self {
            io,
            batch: Batch::new(),
            stages: Stages::new(&setup.legs),
            talkative: Vec::with_capacity(table.capacity()),
            connections: Connections::new(table.capacity()),
            handshakes: Handshakes::new(setup.handshake_steps_per_turn),
            table,
            tally: Tally::new(),
            published: Arc::new(WorkerCounters::new()),
            orders,
            answers,
            rounds: Rounds::default(),
            losses: vec![0; setup.legs.len()].into(),
            legs: setup.legs.as_slice().into(),
            began: None,
            told: false,
        }
    }

    /// Where its numbers are published.
    pub fn counters(&self) -> Arc<WorkerCounters> {
        Arc::clone(&self.published)
    }

    /// Whether answers were told since the last call, so that whoever waits for them can be woken: not for each answer, nor while more
    /// orders wait that can be obeyed, which soon bring more answers. (The controller bounds what is unanswered, so they come to an end.)
    pub fn take_told(&mut self) -> bool {
        (self.orders.is_empty() || self.answers.is_full()) && std::mem::take(&mut self.told)
    }

    /// One turn: waits at most `wait` for packets or orders, and does all that they ask.
    ///
    /// # Errors
    /// The backend is broken; the worker cannot go on.
    pub fn turn(&mut self, wait: Duration) -> io::Result<()> {
        let wait = if self.is_blocked() {
            wait.min(BLOCKED_WAIT)
        } else if self.orders.is_empty() && !self.connections.has_work() {
            self.handshakes.patience(wait, || self.io.now())
        } else {
            Duration::ZERO
        };
        self.io.reap(&mut self.batch, wait)?;
        let woke = self.batch.now;
        let began = *self.began.get_or_insert(woke);
        if self.batch.filled > 0 {
            self.relay();
        }
        self.count_losses();
        self.rounds.visit(woke, &mut self.table, &mut self.tally, &mut self.talkative);
        self.obey(woke);
        self.connections.turn(&mut self.io, woke, &mut self.tally, &mut self.talkative);
        self.handshakes.turn(&mut Bench {
            io: &mut self.io,
            table: &mut self.table,
            tally: &mut self.tally,
            talkative: &mut self.talkative,
            now: woke,
        });
        self.tell();
        let done = self.io.now();
        self.tally.add(Counter::Turns, 1);
        self.tally.add(Counter::BusyUs, done.0.saturating_sub(woke.0));
        self.tally.set(Counter::ElapsedUs, done.0.saturating_sub(began.0));
        self.tally.set(Counter::Flows, self.table.installed() as u64);
        self.tally.set(Counter::TcpFlows, self.connections.installed() as u64);
        let [open, unproven] = self.connections.open();
        self.tally.set(Counter::ConnectionsOpen, open as u64);
        self.tally.set(Counter::ConnectionsUnproven, unproven as u64);
        self.tally.set(Counter::StreamBufferBytes, self.connections.buffer_bytes() as u64);
        self.published.publish(&self.tally);
        Ok(())
    }

    /// Runs the batch through its stages and sends it.
    fn relay(&mut self) {
        let mut place = Workplace {
            table: &mut self.table,
            tally: &mut self.tally,
            talkative: &mut self.talkative,
            handshakes: &mut self.handshakes,
        };
        self.stages.process(&mut self.batch, &mut place);
        self.io.send(&mut self.batch);
        let sent_at = self.io.now();
        self.stages.settle(&mut self.batch, sent_at, &mut place);
    }

    fn count_losses(&mut self) {
        self.io.take_losses(&mut self.losses);
        for (lost, leg) in self.losses.iter_mut().zip(&self.legs) {
            let lost = std::mem::take(lost);
            self.tally.add(Counter::Received(*leg, PacketKind::Other), lost);
            self.tally.add(Counter::Dropped(*leg, DropReason::ReceiveOverflow), lost);
        }
    }

    /// Something waits to be told, and the ring is full.
    fn is_blocked(&self) -> bool {
        let is_silent = self.talkative.is_empty() && self.orders.is_empty() && !self.connections.has_ended();
        self.answers.is_full() && !is_silent
    }

    fn obey(&mut self, now: Now) {
        for _ in 0..MAX_ORDERS_PER_TURN {
            if self.orders.is_empty() {
                return;
            }
            if self.answers.is_full() {
                self.tally.add(Counter::AnswersFull, 1);
                return;
            }
            let Ok(Numbered { ticket, order }) = self.orders.pop() else { return };
            let answer = match order {
                Order::Install(id, flow) => self.install(ticket, id, flow, now),
                Order::Change(id, plan) => self.change(ticket, id, plan),
                Order::InstallTcp(id, flow) => self.install_tcp(ticket, id, flow, now),
                Order::ChangeTcp(id, plan) => self.change_tcp(ticket, id, plan),
                Order::Remove(id) => self.remove(ticket, id, now),
                Order::Release(id) => self.release(ticket, id, now),
                Order::Read(id) => self.read(ticket, id, now),
            };
            // There is room: this is the ring's only producer, and it has just looked.
            let told = self.answers.push(answer);
            debug_assert!(told.is_ok(), "an answer was lost");
            self.told = true;
        }
    }

    /// A flow for which there is no place goes straight back: the controller has a bug, and it shall not cost memory.
    fn install(&mut self, ticket: Ticket, id: FlowId, mut flow: Box<Flow>, now: Now) -> Answer {
        flow.installed(now);
        match self.table.install(id, flow) {
            Ok(()) => {
                self.list_talkative(id);
                self.list_handshake(id);
                Answer::Done(ticket, None)
            }
            Err(remains) => {
                debug_assert!(false, "{id:?} is taken or beyond the table");
                let statistics = StreamStatistics::default();
                Answer::Removed { ticket, flow: id, statistics, remains }
            }
        }
    }

    fn install_tcp(&mut self, ticket: Ticket, id: FlowId, flow: Box<TcpFlow>, now: Now) -> Answer {
        match self.connections.install(id, flow, now) {
            Ok(()) => {
                self.connections.listen(id, &mut self.io);
                Answer::Done(ticket, None)
            }
            Err(remains) => {
                debug_assert!(false, "{id:?} is taken or beyond the table");
                Answer::Gone(id, remains)
            }
        }
    }

    fn change_tcp(&mut self, ticket: Ticket, id: FlowId, mut plan: Box<TcpPlan>) -> Answer {
        self.connections.change(id, &mut plan);
        self.connections.listen(id, &mut self.io);
        Answer::ChangedTcp(ticket, plan)
    }

    fn read(&self, ticket: Ticket, id: FlowId, now: Now) -> Answer {
        let datagrams = self.table.get(id).map(|flow| flow.statistics(now));
        match datagrams.or_else(|| self.connections.statistics(id, now)) {
            Some(statistics) => Answer::Statistics(ticket, id, statistics),
            None => Answer::Done(ticket, None),
        }
    }

    fn change(&mut self, ticket: Ticket, id: FlowId, mut plan: Box<FlowPlan>) -> Answer {
        self.table.stop_listening(id);
        if let Some(flow) = self.table.get_mut(id) {
            if plan.edge.as_ref().is_none_or(|edge| edge.dtls.is_none()) {
                self.handshakes.forget(id, flow);
            }
            flow.change(&mut plan);
            let kept = flow.plan.ports;
            for binding in plan.ports.into_iter().filter(|port| !kept.contains(port)).flatten() {
                self.io.forget(binding);
            }
        }
        self.table.listen(id);
        self.list_handshake(id);
        Answer::Done(ticket, Some(plan))
    }

    /// A new plan may ask for a handshake, or have what one waits for.
    fn list_handshake(&mut self, id: FlowId) {
        if let Some(flow) = self.table.get_mut(id) {
            self.handshakes.list(id, flow);
        }
    }

    /// A flow that comes from another worker may have something to tell that was not told there.
    fn list_talkative(&mut self, id: FlowId) {
        if let Some(flow) = self.table.get_mut(id).filter(|flow| flow.has_notices()) {
            flow.notices_listed = true;
            self.talkative.push(id);
        }
    }

    fn remove(&mut self, ticket: Ticket, id: FlowId, now: Now) -> Answer {
        if let Some(statistics) = self.connections.remove(id, now) {
            return Answer::Statistics(ticket, id, statistics);
        }
        let Some(remains) = self.take_out(id) else { return Answer::Done(ticket, None) };
        let statistics = remains.statistics(now);
        Answer::Removed { ticket, flow: id, statistics, remains }
    }

    fn release(&mut self, ticket: Ticket, id: FlowId, now: Now) -> Answer {
        let Some(moving) = self.take_out(id) else { return Answer::Done(ticket, None) };
        let statistics = moving.statistics(now);
        Answer::Released { ticket, flow: id, statistics, moving }
    }

    fn take_out(&mut self, id: FlowId) -> Option<Box<Flow>> {
        let mut flow = self.table.remove(id)?;
        if flow.notices_listed {
            // Rare; and the place may be given to another flow before the list is told.
            self.talkative.retain(|listed| *listed != id);
            flow.notices_listed = false;
        }
        self.handshakes.forget(id, &mut flow);
        for binding in flow.plan.ports.into_iter().flatten() {
            self.io.forget(binding);
        }
        self.tally.add(Counter::Lost(flow.plan.leg), flow.take_lost());
        Some(flow)
    }

    /// Tells what was noticed, as far as there is room; the rest stays with its flows.
    fn tell(&mut self) {
        while let Some(&id) = self.talkative.last() {
            loop {
                if self.answers.is_full() {
                    return;
                }
                let Some(observation) = self.take_notice(id) else { break };
                let told = self.answers.push(Answer::Notice(id, observation));
                debug_assert!(told.is_ok(), "a notice was lost");
                self.told = true;
            }
            if let Some(flow) = self.table.get_mut(id) {
                flow.notices_listed = false;
            } else if let Some(flow) = self.connections.get_mut(id) {
                flow.notices_listed = false;
            }
            self.talkative.pop();
        }
        while !self.answers.is_full()
            && let Some((id, remains)) = self.connections.take_ended(&mut self.talkative)
        {
            let told = self.answers.push(Answer::Gone(id, remains));
            debug_assert!(told.is_ok(), "an end was lost");
            self.told = true;
        }
    }

    fn take_notice(&mut self, id: FlowId) -> Option<Observation> {
        match self.table.get_mut(id) {
            Some(flow) => flow.take_notice(),
            None => self.connections.get_mut(id)?.take_notice(),
        }
    }
}
