//! DTLS on the worker. Datagrams of handshakes are not worked on where they come in, but wait for their turn, so that media never wait for a public-key
//! operation: a turn takes a few steps of handshakes, after the batch. What waits is bounded, per association and in all; what has
//! no room is dropped and counted, and its peer sends it again. Retransmissions are timers of the worker (RFC 6347 section 4.2.4).
//!
//! ```text
//!   enter --(a datagram of a peer)--> inbox --+
//!   plan or check --(we are to begin)--> due -+--[turn: a few steps]--> outbox --> io
//!   timers --(time has passed)---------> due -+          |
//!                                                        +--> keys of the flow, what is to be told
//! ```

use super::stats::{Counter, DropReason, HandshakeProtocol, HandshakeResult, PacketKind, Tally};
use super::table::FlowTable;
use crate::command::Observation;
use crate::command::order::FlowId;
use crate::flow::Flow;
use crate::io::{Batch, MAX_DATAGRAM_BYTES, Now, PacketIo, PortHandle, SendOutcome, Slot};
use crate::model::{Bearer, BearerFailure, Leg, TlsFailure};
use agw_dtls::{MAX_OUTPUT_BYTES, SrtpKeys, Step};
use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

/// The most datagrams that wait at one worker.
const MAX_WAITING: usize = 256;
/// The most datagrams, and the most associations with something else to do, that a turn looks at; most cost next to nothing.
const MAX_LOOKS_PER_TURN: usize = 64;

/// A datagram that waits.
#[derive(Debug)]
struct Waiting {
    flow: FlowId,
    from: SocketAddr,
    len: usize,
    /// As long as any datagram.
    bytes: Box<[u8]>,
}

/// All handshakes of a worker, and the associations that they have left.
#[derive(Debug)]
pub(super) struct Handshakes {
    inbox: VecDeque<Waiting>,
    /// Buffers that are free; there are never more than can wait.
    spare: Vec<Box<[u8]>>,
    /// Flows whose association has something to do, each once.
    due: VecDeque<FlowId>,
    timers: BTreeSet<(u64, FlowId)>,
    outbox: Outbox,
    output: Box<[u8; MAX_OUTPUT_BYTES]>,
    steps_per_turn: usize,
}

/// What is to be sent.
#[derive(Debug)]
struct Outbox {
    batch: Batch,
    /// The side of each packet in it.
    legs: Vec<Leg>,
}

/// What a turn works with.
pub(super) struct Bench<'a, Io> {
    pub(super) io: &'a mut Io,
    pub(super) table: &'a mut FlowTable,
    pub(super) tally: &'a mut Tally,
    pub(super) talkative: &'a mut Vec<FlowId>,
    pub(super) now: Now,
}

impl Handshakes {
    /// Nothing under way; `steps_per_turn`: how many public-key operations or so a turn may cost.
    pub(super) fn new(steps_per_turn: usize) -> Self {
        Self {
            inbox: VecDeque::new(),
            spare: Vec::new(),
            due: VecDeque::new(),
            timers: BTreeSet::new(),
            outbox: Outbox { batch: Batch::new(), legs: Vec::new() },
            output: Box::new([0; MAX_OUTPUT_BYTES]),
            steps_per_turn: steps_per_turn.max(1),
        }
    }

    /// How long a turn may wait that may wait for `wait`.
    pub(super) fn patience(&self, wait: Duration, now: impl FnOnce() -> Now) -> Duration {
        if !self.inbox.is_empty() || !self.due.is_empty() {
            return Duration::ZERO;
        }
        let Some((at_us, _)) = self.timers.first() else { return wait };
        wait.min(Duration::from_micros(at_us.saturating_sub(now().0)))
    }

    /// Keeps a datagram that a flow wants.
    pub(super) fn take_in(&mut self, id: FlowId, flow: &mut Flow, slot: &Slot) -> Result<(), DropReason> {
        let Some(association) = flow.association_mut() else { return Err(DropReason::NotRtp) };
        if self.inbox.len() >= MAX_WAITING {
            return Err(DropReason::HandshakesFull);
        }
        let mut bytes = self.spare.pop().unwrap_or_else(|| vec![0; MAX_DATAGRAM_BYTES].into());
        let datagram = slot.datagram();
        let len = datagram.len().min(MAX_DATAGRAM_BYTES);
        bytes[..len].copy_from_slice(&datagram[..len]);
        association.waiting += 1;
        self.inbox.push_back(Waiting { flow: id, from: slot.from, len, bytes });
        Ok(())
    }

    /// A flow may have something to do: its plan has changed, or there is a way to its peer.
    pub(super) fn list(&mut self, id: FlowId, flow: &mut Flow) {
        if let Some(association) = flow.association_mut()
            && !std::mem::replace(&mut association.listed, true)
        {
            self.due.push_back(id);
        }
    }

    /// A flow leaves the worker: nothing of it stays behind, for its place will be another's.
    pub(super) fn forget(&mut self, id: FlowId, flow: &mut Flow) {
        let Some(association) = flow.association_mut() else { return };
        if std::mem::take(&mut association.listed) {
            self.due.retain(|listed| *listed != id);
        }
        if let Some(at_us) = association.wake_us.take() {
            self.timers.remove(&(at_us, id));
        }
        if std::mem::take(&mut association.waiting) > 0 {
            let (gone, kept) = self.inbox.drain(..).partition(|waiting| waiting.flow == id);
            let gone: VecDeque<Waiting> = gone;
            self.inbox = kept;
            self.spare.extend(gone.into_iter().map(|waiting| waiting.bytes));
        }
    }

    /// One turn.
    pub(super) fn turn<Io: PacketIo>(&mut self, bench: &mut Bench<'_, Io>) {
        self.ring(bench);
        let mut steps_left = self.steps_per_turn;
        for _ in 0..self.due.len().min(MAX_LOOKS_PER_TURN) {
            let Some(id) = self.due.pop_front() else { break };
            let Some(flow) = bench.table.get_mut(id) else { continue };
            let is_to_call = flow.is_to_call();
            if is_to_call && steps_left == 0 {
                self.due.push_back(id);
                continue;
            }
            let Some(association) = flow.association_mut() else { continue };
            association.listed = false;
            if is_to_call {
                steps_left -= 1;
                association.call(bench.now);
            }
            association.handle_timeout(bench.now);
            self.drain(id, bench);
        }
        for _ in 0..MAX_LOOKS_PER_TURN {
            let Some(Waiting { flow: id, from, len, bytes }) = self.inbox.front() else { break };
            let id = *id;
            let association = bench.table.get_mut(id).and_then(Flow::association_mut);
            let costs = association.as_ref().is_some_and(|association| association.is_handshaking());
            if costs && steps_left == 0 {
                break;
            }
            if let Some(association) = association {
                steps_left -= usize::from(costs);
                association.waiting = association.waiting.saturating_sub(1);
                association.handle_datagram(&bytes[..*len], *from, bench.now);
            }
            let done = self.inbox.pop_front();
            self.spare.extend(done.map(|waiting| waiting.bytes));
            self.drain(id, bench);
        }
        self.outbox.flush(bench.io, bench.tally);
    }

    /// Timers that have run out.
    fn ring<Io>(&mut self, bench: &mut Bench<'_, Io>) {
        while let Some((at_us, id)) = self.timers.first().copied()
            && at_us <= bench.now.0
        {
            self.timers.pop_first();
            let Some(flow) = bench.table.get_mut(id) else { continue };
            if let Some(association) = flow.association_mut() {
                association.wake_us = None;
            }
            self.list(id, flow);
        }
    }

    /// Does all that an association has to have done.
    fn drain<Io: PacketIo>(&mut self, id: FlowId, bench: &mut Bench<'_, Io>) {
        let Some(flow) = bench.table.get_mut(id) else { return };
        let exit = flow.dtls_exit();
        let leg = flow.plan.leg;
        while let Some(association) = flow.association_mut() {
            match association.poll(&mut self.output[..]) {
                // Nothing is said where nobody has agreed to hear it; the library says it again.
                Step::Datagram(datagram) => {
                    if let Some((port, to)) = exit {
                        self.outbox.post(datagram, (port.handle, to), leg, bench.io, bench.tally);
                    }
                }
                Step::Established(keys) => establish(flow, &keys, bench.tally, bench.now),
                // Nobody has asked for data channels here.
                Step::Data(_) => {}
                Step::Failed(failure) => fail(flow, failure, bench.tally),
                Step::Closed => flow.note(Observation::Session(Bearer::Released)),
                Step::Idle { wake_us } => {
                    if association.wake_us != wake_us {
                        let before = std::mem::replace(&mut association.wake_us, wake_us);
                        before.map(|at_us| self.timers.remove(&(at_us, id)));
                        wake_us.map(|at_us| self.timers.insert((at_us, id)));
                    }
                    break;
                }
            }
        }
        if flow.has_notices() && !std::mem::replace(&mut flow.notices_listed, true) {
            bench.talkative.push(id);
        }
    }
}

/// The peer is proven: its keys are used from now on.
fn establish(flow: &mut Flow, keys: &SrtpKeys, tally: &mut Tally, now: Now) {
    let Some(association) = flow.association_mut() else { return };
    let (is_client, took_us) = (association.is_client(), now.0.saturating_sub(association.began().0));
    let policy = association.policy();
    let (Ok(inbound), Ok(outbound)) = (keys.inbound(policy), keys.outbound(policy)) else {
        return fail(flow, TlsFailure::Internal, tally);
    };
    flow.take_keys(Box::new(inbound), Box::new(outbound));
    flow.note(Observation::Session(Bearer::Established));
    tally.observe_handshake(HandshakeProtocol::Dtls, is_client, took_us);
    count(is_client, HandshakeResult::Good, tally);
}

fn fail(flow: &mut Flow, failure: TlsFailure, tally: &mut Tally) {
    let is_client = flow.association_mut().is_some_and(|association| association.is_client());
    flow.note(Observation::Session(Bearer::Failed(BearerFailure::Tls(failure))));
    count(is_client, HandshakeResult::Failed(failure), tally);
}

fn count(is_client: bool, result: HandshakeResult, tally: &mut Tally) {
    tally.add(Counter::Handshakes { protocol: HandshakeProtocol::Dtls, is_client, result }, 1);
}

impl Outbox {
    /// Puts a datagram in; sends what is there when there is no room.
    fn post<Io: PacketIo>(
        &mut self,
        datagram: &[u8],
        to: (PortHandle, SocketAddr),
        leg: Leg,
        io: &mut Io,
        tally: &mut Tally,
    ) {
        if self.batch.filled == self.batch.slots.len() {
            self.flush(io, tally);
        }
        let slot = &mut self.batch.slots[self.batch.filled];
        let len = datagram.len().min(MAX_DATAGRAM_BYTES);
        slot.bytes[..len].copy_from_slice(&datagram[..len]);
        slot.fill(slot.port, to.1, len, false);
        slot.to = Some(to);
        self.batch.filled += 1;
        self.legs.push(leg);
    }

    fn flush<Io: PacketIo>(&mut self, io: &mut Io, tally: &mut Tally) {
        if self.batch.filled == 0 {
            return;
        }
        io.send(&mut self.batch);
        for (slot, leg) in self.batch.packets().iter().zip(&self.legs) {
            tally.add(Counter::Originated(*leg, PacketKind::Dtls), 1);
            match slot.outcome {
                SendOutcome::Sent => {
                    tally.add(Counter::Sent(*leg, PacketKind::Dtls), 1);
                    tally.add(Counter::BytesSent(*leg), slot.len as u64);
                }
                SendOutcome::Full => tally.add(Counter::Dropped(*leg, DropReason::SendFull), 1),
                SendOutcome::Failed | SendOutcome::Unsent => {
                    tally.add(Counter::Dropped(*leg, DropReason::SendFailed), 1);
                }
            }
        }
        self.batch.filled = 0;
        self.legs.clear();
    }
}
