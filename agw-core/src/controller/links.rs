//! The controller's ends of the rings, one pair per worker. No more orders are outstanding than half of the answer ring holds, so
//! that a worker never finds it full: the other half is for what it notices unasked. Commands ask for room before they change
//! anything; a part of it is kept for removals, so that a gateway that is asked for too much can still be relieved.

use super::sockets::Held;
use crate::command::order::{Answer, FlowId, Numbered, Order};
use crate::command::{Refusal, Ticket};
use crate::model::{StreamId, TerminationId};
use rtrb::{Consumer, Producer, RingBuffer};
use slab::Slab;

/// The shortest answer ring that works.
pub const MIN_RING_ANSWERS: usize = 64;
/// One part in so many of a worker's queue is kept for orders that free something.
const REMOVAL_SHARE: usize = 8;

/// The controller's ends of one worker's rings.
#[derive(Debug)]
pub struct WorkerLink {
    /// What the worker is told.
    pub orders: Producer<Numbered>,
    /// What it says.
    pub answers: Consumer<Answer>,
}

/// The worker's ends of its rings.
#[derive(Debug)]
pub struct ControllerLink {
    /// What the worker is told.
    pub orders: Consumer<Numbered>,
    /// What it says. Half of its places may be used for notices.
    pub answers: Producer<Answer>,
}

/// Makes the rings of one worker, for so many orders at a time.
pub fn rings(orders: usize) -> (WorkerLink, ControllerLink) {
    let (order_producer, order_consumer) = RingBuffer::new(orders);
    let (answer_producer, answer_consumer) = RingBuffer::new(orders * 2);
    (
        WorkerLink { orders: order_producer, answers: answer_consumer },
        ControllerLink { orders: order_consumer, answers: answer_producer },
    )
}

/// A flow as the controller remembers it until the worker has said that it is gone.
#[derive(Debug, Clone, Copy)]
pub(super) struct FlowRecord {
    pub(super) termination: TerminationId,
    pub(super) stream: StreamId,
    pub(super) held: Held,
    /// Its removal has been ordered.
    pub(super) leaving: bool,
    /// It has been ordered out, for another worker.
    pub(super) departing: bool,
}

/// What an order is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// It sets something up, changes or reads it.
    Ordinary,
    /// It only frees.
    Removal,
}

/// One worker as the controller sees it.
#[derive(Debug)]
pub(super) struct Link {
    ends: WorkerLink,
    /// Orders that are not answered, and room that is kept for orders.
    outstanding: usize,
    max_outstanding: usize,
    max_flows: usize,
    pub(super) flows: Slab<FlowRecord>,
    wake: bool,
}

impl Link {
    /// `None` when the rings are too short.
    pub(super) fn new(ends: WorkerLink, max_flows: usize) -> Option<Self> {
        let answers = ends.answers.buffer().capacity();
        let max_outstanding = (answers / 2).min(ends.orders.buffer().capacity());
        let long_enough = answers >= MIN_RING_ANSWERS && max_outstanding > 0;
        let flows = Slab::new();
        long_enough.then_some(Self { ends, outstanding: 0, max_outstanding, max_flows, flows, wake: false })
    }

    /// Whether so many orders, of which so many install flows, can be sent now.
    pub(super) fn check_room(&self, orders: usize, installs: usize, purpose: Purpose) -> Result<(), Refusal> {
        if purpose == Purpose::Ordinary && orders > 0 && !self.is_alive() {
            return Err(Refusal::OutOfResources("workers"));
        }
        if self.flows.len() + installs > self.max_flows {
            return Err(Refusal::OutOfResources("flows of a worker"));
        }
        let kept_back = match purpose {
            Purpose::Ordinary => self.max_outstanding / REMOVAL_SHARE,
            Purpose::Removal => 0,
        };
        let room = self.max_outstanding.saturating_sub(self.outstanding).min(self.ends.orders.slots());
        if orders > room.saturating_sub(kept_back) {
            return Err(Refusal::OutOfResources("worker queue"));
        }
        Ok(())
    }

    /// Whether the worker is still there.
    pub(super) fn is_alive(&self) -> bool {
        !self.ends.orders.is_abandoned()
    }

    /// Sends an order for which there is room, see [`Link::check_room`].
    pub(super) fn send(&mut self, ticket: Ticket, order: Order) {
        self.keep_room(1);
        self.send_kept(ticket, order);
    }

    /// Keeps room for orders that are sent later, with [`Link::send_kept`]. There is room, see [`Link::check_room`].
    pub(super) fn keep_room(&mut self, orders: usize) {
        self.outstanding += orders;
    }

    /// Gives up room that was kept and is not needed.
    pub(super) fn give_up_room(&mut self, orders: usize) {
        self.outstanding = self.outstanding.saturating_sub(orders);
    }

    /// Sends an order for which room was kept.
    pub(super) fn send_kept(&mut self, ticket: Ticket, order: Order) {
        self.wake = true;
        let pushed = self.ends.orders.push(Numbered { ticket, order });
        debug_assert!(pushed.is_ok(), "room was checked before anything was changed");
    }

    /// Whether the worker has to be woken for what was sent since the last call.
    pub(super) fn take_wake(&mut self) -> bool {
        std::mem::take(&mut self.wake)
    }

    /// The next answer.
    pub(super) fn receive(&mut self) -> Option<Answer> {
        let answer = self.ends.answers.pop().ok()?;
        if !matches!(answer, Answer::Notice(..) | Answer::Gone(..)) {
            self.outstanding = self.outstanding.saturating_sub(1);
        }
        Some(answer)
    }

    /// The record of a flow that a worker names.
    pub(super) fn flow(&self, flow: FlowId) -> Option<&FlowRecord> {
        self.flows.get(flow.0 as usize)
    }

    pub(super) fn outstanding(&self) -> usize {
        self.outstanding
    }
}
