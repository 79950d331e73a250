//! The worker's streams over TCP: a table of flows beside that of datagrams, and a queue of those that have something to do. A turn hears what has
//! changed below, looks at the flows that are due, and gives each its share of work, round robin, until the turn's budget is spent, so
//! that media on the same worker never wait long (TCP-1 to TCP-6). A worker without such flows does none of this.
//!
//! ```text
//!   a's wire --[take in]--> a's inbox --[pass]--> b's wire --[give out]--> b's peer
//! ```
//!
//! A flow's peer is read only while its inbox has room, and that empties only as fast as the other side takes: a slow reader slows the
//! sender, and what waits is bounded at each place (TCP-4).

mod carry;
mod clock;
mod handshake;
mod look;
mod set_up;

use super::stats::Tally;
use crate::command::order::{FlowId, TcpPlan};
use crate::flow::tcp::TcpFlow;
use crate::flow::tcp::buffer::Pool;
use crate::io::stream::{ConnectionHandle, StreamEvent, StreamIo};
use crate::io::{Now, PacketIo, PortHandle};
use crate::model::StreamStatistics;
use clock::Clock;
use std::collections::{HashMap, VecDeque};

/// The most changes that are heard in one turn.
const MAX_EVENTS_PER_TURN: usize = 256;
/// Bytes that one flow may take in before another has its turn.
const LOOK_BYTES: usize = 64 * 1024;
/// Bytes that all flows together may take in during one turn: about a tenth of a millisecond's work.
const TURN_BYTES: usize = 256 * 1024;
/// Steps of TLS handshakes in one turn, each of which may cost a public-key operation or two, about a tenth of a millisecond: so a storm of
/// handshakes delays media on the same worker by no more than a fraction of one.
const TURN_HANDSHAKE_STEPS: u32 = 2;
/// Peers that are let in, or turned away, in one turn: each costs some system calls, about a hundredth of a millisecond.
const TURN_ACCEPTS: u32 = 16;
/// The most flows that are looked at in one turn.
const MAX_LOOKS_PER_TURN: usize = 128;
/// When a turn has looked for so long, the other flows have theirs in the next one, in microseconds: to accept, connect, reset and close cost the kernel
/// far more than bytes do, and media on the same worker wait for all of it.
const TURN_US: u64 = 200;

/// All flows over TCP of a worker.
#[derive(Debug)]
pub(super) struct Connections {
    flows: Box<[Option<Box<TcpFlow>>]>,
    /// Those there are, in no order.
    live: Vec<FlowId>,
    by_connection: HashMap<ConnectionHandle, FlowId>,
    by_port: HashMap<PortHandle, FlowId>,
    /// Those with something to do, each once.
    queue: VecDeque<FlowId>,
    /// Those that have been removed and are at their end.
    ended: Vec<FlowId>,
    pool: Pool,
    clock: Clock,
    /// Connections that came to us and have not shown who they are.
    unproven: usize,
}

/// What of a turn's work that is dear to media on the same worker may still be done.
struct Budget {
    bytes: usize,
    handshake_steps: u32,
    accepts: u32,
}

/// What a look works with.
struct Look<'a, Io> {
    io: &'a mut Io,
    pool: &'a mut Pool,
    by_connection: &'a mut HashMap<ConnectionHandle, FlowId>,
    tally: &'a mut Tally,
    now: Now,
    /// Bytes that may still be taken in.
    bytes_left: usize,
    /// Steps of handshakes, and more peers let in, that this turn may still have.
    budget: &'a mut Budget,
    unproven: &'a mut usize,
    /// There was more to do than the turn has steps for.
    unfinished: bool,
}

impl Connections {
    /// Room for as many flows as the worker's table has.
    pub(super) fn new(flows: usize) -> Self {
        Self {
            flows: (0..flows).map(|_| None).collect(),
            live: Vec::new(),
            by_connection: HashMap::new(),
            by_port: HashMap::new(),
            queue: VecDeque::new(),
            ended: Vec::new(),
            pool: Pool::default(),
            clock: Clock::default(),
            unproven: 0,
        }
    }

    /// How many flows there are.
    pub(super) fn installed(&self) -> usize {
        self.live.len()
    }

    /// How many connections there are, and how many of those have come to us and not shown who they are.
    pub(super) fn open(&self) -> [usize; 2] {
        [self.by_connection.len(), self.unproven]
    }

    /// The memory that buffers of flows have now.
    pub(super) const fn buffer_bytes(&self) -> usize {
        self.pool.lent_bytes()
    }

    /// Whether the next turn should not wait.
    pub(super) fn has_work(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether a flow is at its end, and nobody has been told.
    pub(super) fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// A flow by its number.
    pub(super) fn get_mut(&mut self, id: FlowId) -> Option<&mut TcpFlow> {
        self.flows.get_mut(id.0 as usize)?.as_deref_mut()
    }

    /// Puts a flow into a free place. Gives it back when there is no such place or it is taken.
    pub(super) fn install(
        &mut self,
        id: FlowId,
        mut flow: Box<TcpFlow>,
        now: Now,
    ) -> Result<(), Box<TcpFlow>> {
        let Some(place @ None) = self.flows.get_mut(id.0 as usize) else { return Err(flow) };
        flow.installed(now);
        flow.live_at = self.live.len();
        self.live.push(id);
        self.by_port.insert(flow.plan.port.handle, id);
        *place = Some(flow);
        self.enqueue(id);
        Ok(())
    }

    /// A flow goes on by another plan. What it replaces is left in `plan`.
    pub(super) fn change(&mut self, id: FlowId, plan: &mut TcpPlan) {
        if let Some(flow) = self.get_mut(id) {
            flow.change(plan);
            self.enqueue(id);
        }
    }

    /// Lets the port of a flow listen if it is to. That cannot wait for the look at it: once the order is confirmed the peer is told to come (RLY-5). A port
    /// that cannot listen is left for the look, which tells of it.
    pub(super) fn listen<Io: StreamIo>(&mut self, id: FlowId, io: &mut Io) {
        if let Some(flow) = self.get_mut(id)
            && flow.should_listen()
            && !flow.listening
            && io.listen(flow.plan.port.handle).is_ok()
        {
            flow.note_listening();
        }
    }

    /// A flow only delivers what is in flight from now on. Its counters; `None`: there is no such flow.
    pub(super) fn remove(&mut self, id: FlowId, now: Now) -> Option<StreamStatistics> {
        let flow = self.get_mut(id)?;
        flow.removed = Some(now);
        let statistics = flow.statistics(now);
        self.enqueue(id);
        Some(statistics)
    }

    /// The counters of a flow.
    pub(super) fn statistics(&self, id: FlowId, now: Now) -> Option<StreamStatistics> {
        let flow = self.flows.get(id.0 as usize)?.as_deref()?;
        Some(flow.statistics(now))
    }

    /// One turn: hears, looks and works within the budget. Flows that have something to tell are added to `talkative`.
    pub(super) fn turn<Io: PacketIo + StreamIo>(
        &mut self,
        io: &mut Io,
        now: Now,
        tally: &mut Tally,
        talkative: &mut Vec<FlowId>,
    ) {
        if self.live.is_empty() {
            return;
        }
        let began = io.now();
        self.hear(io);
        self.visit(now, talkative);
        let mut budget =
            Budget { bytes: TURN_BYTES, handshake_steps: TURN_HANDSHAKE_STEPS, accepts: TURN_ACCEPTS };
        for _ in 0..self.queue.len().min(MAX_LOOKS_PER_TURN) {
            let Some(id) = self.queue.pop_front() else { break };
            self.look_at(id, io, now, tally, &mut budget, talkative);
            if budget.bytes == 0 || io.now().0.saturating_sub(began.0) >= TURN_US {
                break;
            }
        }
    }

    /// Takes out a flow that is at its end.
    pub(super) fn take_ended(&mut self, talkative: &mut Vec<FlowId>) -> Option<(FlowId, Box<TcpFlow>)> {
        let id = self.ended.pop()?;
        let mut flow = self.flows.get_mut(id.0 as usize)?.take()?;
        if flow.notices_listed {
            talkative.retain(|listed| *listed != id);
            flow.notices_listed = false;
        }
        if flow.queued {
            self.queue.retain(|queued| *queued != id);
        }
        flow.inbox.clear(&mut self.pool);
        flow.plain.clear(&mut self.pool);
        self.by_port.remove(&flow.plan.port.handle);
        self.live.swap_remove(flow.live_at);
        if let Some(moved) = self.live.get(flow.live_at).copied()
            && let Some(moved) = self.get_mut(moved)
        {
            moved.live_at = flow.live_at;
        }
        if self.live.is_empty() {
            self.pool.empty();
        }
        if let Some(partner) = flow.partner {
            // What it has heard meanwhile is its own affair from now on.
            self.enqueue(partner);
        }
        Some((id, flow))
    }

    /// Takes note of what has changed below.
    fn hear<Io: StreamIo>(&mut self, io: &mut Io) {
        for _ in 0..MAX_EVENTS_PER_TURN {
            let Some(event) = io.poll_stream() else { return };
            let id = match event {
                StreamEvent::Knock(port) => self.by_port.get(&port).copied(),
                StreamEvent::Readable(line) | StreamEvent::Writable(line) => {
                    self.by_connection.get(&line).copied()
                }
            };
            let Some(id) = id else { continue };
            let Some(flow) = self.get_mut(id) else { continue };
            match event {
                StreamEvent::Knock(_) => flow.knocked = true,
                StreamEvent::Readable(handle) => {
                    flow.lines
                        .iter_mut()
                        .filter(|line| line.handle == handle)
                        .for_each(|line| line.readable = true);
                }
                StreamEvent::Writable(handle) => {
                    flow.lines
                        .iter_mut()
                        .filter(|line| line.handle == handle)
                        .for_each(|line| line.writable = true);
                }
            }
            self.enqueue(id);
        }
    }

    fn enqueue(&mut self, id: FlowId) {
        if let Some(flow) = self.get_mut(id)
            && !std::mem::replace(&mut flow.queued, true)
        {
            self.queue.push_back(id);
        }
    }
}
