//! The stages that a batch goes through, each over all of its packets before the next begins, so that the cryptography of many sessions runs
//! side by side: enter (what is it, may it pass) - unprotect (plan, run, commit) - accept (learn, count) - leave (may it go, and
//! where to) - protect (plan, run, commit) - settle (what came of sending). A stage that refuses a packet counts why and the later
//! stages skip it. Two packets of one stream in a batch stay right because plans and commits are made in order
//! (SRTP-2, SRTP-13; RFC 7983, 5761 for the naming).

use super::handshakes::Handshakes;
use super::stats::{Counter, DropReason, PacketKind, Tally};
use super::table::FlowTable;
use crate::command::Observation;
use crate::command::order::{FlowId, Treatment};
use crate::flow::{Class, Flow};
use crate::io::{BATCH_SLOTS, Batch, Now, SendOutcome, Slot};
use crate::model::{Component, Direction, Leg, Mode};
use crate::wire::rtcp::end_feedback;
use agw_srtp::{Error as SrtpError, InboundSession, Job, Kind, LifetimeState, OutboundSession, Work};
use arrayvec::ArrayVec;

/// What is known of one packet under way.
#[derive(Debug, Clone, Copy)]
struct Lane {
    /// False once it was dropped, or has ended here.
    alive: bool,
    /// It is an answer of ours to what came, and only to be sent.
    is_answer: bool,
    /// The flow it came to, and through which port.
    entry: FlowId,
    component: Component,
    /// Whose port it came to, and whose keys open it: `entry`, but where streams share a port.
    port_in: FlowId,
    /// Likewise, where it leaves.
    port_out: FlowId,
    /// It is not known yet which of the streams that share the port it is for.
    is_unrouted: bool,
    /// The flow it leaves by: the peer of the entry, or in loopback the entry itself.
    exit: FlowId,
    class: Class,
    entry_leg: Leg,
    exit_leg: Leg,
    exit_kind: PacketKind,
    /// Bytes as it came, before anything was taken off.
    received_bytes: usize,
    /// The present half of the cryptography.
    job: Option<Job>,
}

impl Lane {
    const EMPTY: Self = Self {
        alive: false,
        is_answer: false,
        entry: FlowId(0),
        port_in: FlowId(0),
        port_out: FlowId(0),
        is_unrouted: false,
        component: Component::Rtp,
        exit: FlowId(0),
        class: Class::Opaque { control: false },
        entry_leg: Leg::Access,
        exit_leg: Leg::Access,
        exit_kind: PacketKind::Other,
        received_bytes: 0,
        job: None,
    };

    /// Whether it goes on, from one side of the context to the other.
    const fn is_media(&self) -> bool {
        self.alive && !self.is_answer
    }

    const fn is_unrouted(&self) -> bool {
        self.alive && self.is_unrouted
    }

    fn drop_for(&mut self, reason: DropReason, tally: &mut Tally) {
        self.alive = false;
        self.job = None;
        tally.add(Counter::Dropped(self.entry_leg, reason), 1);
    }
}

/// The stages' own memory: one lane per slot.
#[derive(Debug)]
pub(super) struct Stages {
    lanes: Box<[Lane; BATCH_SLOTS]>,
    /// The leg of each local address, for packets that no flow claims.
    legs: Box<[Leg]>,
}

/// What the stages work with.
pub(super) struct Workplace<'a> {
    pub(super) table: &'a mut FlowTable,
    pub(super) tally: &'a mut Tally,
    /// Flows that have something to tell and are not on the list yet.
    pub(super) talkative: &'a mut Vec<FlowId>,
    /// Where DTLS waits for its turn.
    pub(super) handshakes: &'a mut Handshakes,
}

impl Workplace<'_> {
    fn list_notices(&mut self, id: FlowId) {
        if let Some(flow) = self.table.get_mut(id)
            && flow.has_notices()
            && !flow.notices_listed
        {
            flow.notices_listed = true;
            self.talkative.push(id);
        }
    }

    /// SRTP refused a packet: when its last key is used up, the controller hears of it (SRTP-6).
    fn note_refusal(&mut self, id: FlowId, error: SrtpError) {
        if error == SrtpError::KeyExpired
            && let Some(flow) = self.table.get_mut(id)
        {
            flow.note_lifetimes();
            self.list_notices(id);
        }
    }
}

impl Stages {
    pub(super) fn new(legs: &[Leg]) -> Self {
        Self { lanes: Box::new([Lane::EMPTY; BATCH_SLOTS]), legs: legs.into() }
    }

    /// All stages up to sending: afterwards every packet that goes on has its destination.
    pub(super) fn process(&mut self, batch: &mut Batch, place: &mut Workplace<'_>) {
        let now = batch.now;
        let slots = batch.packets();
        for (lane, slot) in self.lanes.iter_mut().zip(&mut *slots) {
            *lane = Lane { job: None, ..Lane::EMPTY };
            if let Err(reason) = enter(lane, slot, &self.legs, now, place) {
                lane.drop_for(reason, place.tally);
            }
        }
        self.unprotect(slots, now, place);
        for (lane, slot) in self.lanes.iter_mut().zip(&*slots).filter(|(lane, _)| lane.is_unrouted()) {
            if let Err(reason) = route(lane, slot, place) {
                lane.drop_for(reason, place.tally);
            }
        }
        for (lane, slot) in self.lanes.iter_mut().zip(&*slots).filter(|(lane, _)| lane.is_media()) {
            if let Err(reason) = accept(lane, slot, now, place) {
                lane.drop_for(reason, place.tally);
            }
        }
        for (lane, slot) in self.lanes.iter_mut().zip(&mut *slots).filter(|(lane, _)| lane.is_media()) {
            if let Err(reason) = leave(lane, slot, now, place) {
                lane.drop_for(reason, place.tally);
            }
        }
        self.protect(slots, now, place);
    }

    fn unprotect(&mut self, slots: &mut [Slot], now: Now, place: &mut Workplace<'_>) {
        let now_ms = now.as_millis();
        let mut any = false;
        for (lane, slot) in self.lanes.iter_mut().zip(&*slots).filter(|(lane, _)| lane.alive) {
            let Some(kind) = srtp_kind(lane.class) else { continue };
            let Some(flow) = place.table.get(lane.port_in) else { continue };
            if flow.plan.treatment != Treatment::Secure {
                continue;
            }
            let planned = match &flow.plan.inbound {
                Some(session) => session.plan(kind, slot.datagram(), now_ms).map_err(DropReason::Srtp),
                None => Err(DropReason::NoKey),
            };
            match planned {
                Ok(job) => (lane.job, any) = (Some(job), true),
                Err(reason) => {
                    refuse(lane, lane.port_in, reason, place);
                }
            }
        }
        if !any {
            return;
        }
        let mut work = ArrayVec::<Work<'_>, BATCH_SLOTS>::new();
        for (lane, slot) in self.lanes.iter_mut().zip(&mut *slots) {
            if let Some(job) = &mut lane.job
                && let Some(session) = inbound(place.table, lane.port_in)
            {
                work.push(Work { job, keys: session.keys(), packet: &mut slot.bytes[..] });
            }
        }
        agw_srtp::run(&mut work);
        drop(work);
        for (lane, slot) in self.lanes.iter_mut().zip(slots) {
            let Some(job) = lane.job.take() else { continue };
            let Some(session) = inbound_mut(place.table, lane.port_in) else { continue };
            let committed = match session.commit(&job, now_ms) {
                Err(SrtpError::Replan) => unprotect_alone(session, job.kind(), slot, now_ms),
                other => other,
            };
            match committed {
                Ok(len) => slot.len = len,
                Err(error) => refuse(lane, lane.port_in, DropReason::Srtp(error), place),
            }
        }
    }

    fn protect(&mut self, slots: &mut [Slot], now: Now, place: &mut Workplace<'_>) {
        let now_ms = now.as_millis();
        let mut any = false;
        for (lane, slot) in self.lanes.iter_mut().zip(&mut *slots).filter(|(lane, _)| lane.alive) {
            let Some(kind) = srtp_kind(lane.class) else { continue };
            let Some(flow) = place.table.get_mut(lane.port_out) else { continue };
            if flow.plan.treatment != Treatment::Secure {
                continue;
            }
            let planned = match &mut flow.plan.outbound {
                Some(session) => session.plan(kind, slot.datagram(), now_ms).map_err(DropReason::Srtp),
                None => Err(DropReason::NoKey),
            };
            match planned {
                Ok(job) => (lane.job, any) = (Some(job), true),
                Err(reason) => {
                    slot.to = None;
                    refuse(lane, lane.port_out, reason, place);
                }
            }
        }
        if !any {
            return;
        }
        let mut work = ArrayVec::<Work<'_>, BATCH_SLOTS>::new();
        for (lane, slot) in self.lanes.iter_mut().zip(&mut *slots) {
            if let Some(job) = &mut lane.job
                && let Some(session) = outbound(place.table, lane.port_out)
            {
                work.push(Work { job, keys: session.keys(), packet: &mut slot.bytes[..] });
            }
        }
        agw_srtp::run(&mut work);
        drop(work);
        for (lane, slot) in self.lanes.iter_mut().zip(slots) {
            let Some(job) = lane.job.take() else { continue };
            let Some(session) = outbound_mut(place.table, lane.port_out) else { continue };
            match session.commit(&job, now_ms) {
                Ok(len) => slot.len = len,
                Err(error) => {
                    slot.to = None;
                    refuse(lane, lane.port_out, DropReason::Srtp(error), place);
                }
            }
        }
    }

    /// Counts what became of the packets that were to be sent. `sent_at` is the time now.
    pub(super) fn settle(&mut self, batch: &mut Batch, sent_at: Now, place: &mut Workplace<'_>) {
        let reaped_at = batch.now;
        for (lane, slot) in self.lanes.iter_mut().zip(&*batch.packets()).filter(|(lane, _)| lane.alive) {
            match slot.outcome {
                SendOutcome::Sent => {
                    place.tally.add(Counter::Sent(lane.exit_leg, lane.exit_kind), 1);
                    place.tally.add(Counter::BytesSent(lane.exit_leg), slot.len as u64);
                    if let Some(flow) = place.table.get_mut(lane.exit).filter(|_| lane.is_media()) {
                        flow.count_sent(lane.class, slot.len);
                    }
                    if let Some(waited_us) = slot.waited_us {
                        let inside_us = sent_at.0.saturating_sub(reaped_at.0);
                        place.tally.observe_residence(inside_us + u64::from(waited_us));
                    }
                }
                SendOutcome::Full => lane.drop_for(DropReason::SendFull, place.tally),
                SendOutcome::Failed | SendOutcome::Unsent => {
                    lane.drop_for(DropReason::SendFailed, place.tally);
                }
            }
        }
    }
}

fn refuse(lane: &mut Lane, keyed: FlowId, reason: DropReason, place: &mut Workplace<'_>) {
    lane.drop_for(reason, place.tally);
    if let DropReason::Srtp(error) = reason {
        place.note_refusal(keyed, error);
    }
}

const fn srtp_kind(class: Class) -> Option<Kind> {
    match class {
        Class::Rtp => Some(Kind::Rtp),
        Class::Rtcp => Some(Kind::Rtcp),
        Class::Opaque { .. } | Class::Stun | Class::Dtls => None,
    }
}

fn inbound(table: &FlowTable, id: FlowId) -> Option<&InboundSession> {
    table.get(id)?.plan.inbound.as_deref()
}

fn inbound_mut(table: &mut FlowTable, id: FlowId) -> Option<&mut InboundSession> {
    table.get_mut(id)?.plan.inbound.as_deref_mut()
}

fn outbound(table: &FlowTable, id: FlowId) -> Option<&OutboundSession> {
    table.get(id)?.plan.outbound.as_deref()
}

fn outbound_mut(table: &mut FlowTable, id: FlowId) -> Option<&mut OutboundSession> {
    table.get_mut(id)?.plan.outbound.as_deref_mut()
}

/// The packet's index has to be guessed anew because one before it in the batch moved the stream on.
fn unprotect_alone(
    session: &mut InboundSession,
    kind: Kind,
    slot: &mut Slot,
    now_ms: u64,
) -> Result<usize, SrtpError> {
    match kind {
        Kind::Rtp => session.unprotect_rtp(&mut slot.bytes[..], slot.len, now_ms),
        Kind::Rtcp => session.unprotect_rtcp(&mut slot.bytes[..], slot.len, now_ms),
    }
}

/// First stage: counts the packet in, names it, ends what ends here, finds both flows, asks filter and gate.
fn enter(
    lane: &mut Lane,
    slot: &mut Slot,
    legs: &[Leg],
    now: Now,
    place: &mut Workplace<'_>,
) -> Result<(), DropReason> {
    let found = place.table.find(slot.port);
    let flow = found.and_then(|(id, _)| place.table.get_mut(id));
    let by_address = || legs.get(usize::from(slot.port.address)).copied().unwrap_or(Leg::Access);
    let leg = flow.as_ref().map_or_else(by_address, |flow| flow.plan.leg);
    (lane.alive, lane.entry_leg, lane.received_bytes) = (true, leg, slot.len);
    if slot.lost_before > 0 {
        let lost = u64::from(slot.lost_before);
        place.tally.add(Counter::Received(leg, PacketKind::Other), lost);
        place.tally.add(Counter::Dropped(leg, DropReason::ReceiveOverflow), lost);
    }
    place.tally.add(Counter::BytesReceived(leg), slot.len as u64);

    let (Some((entry, component)), Some(flow)) = (found, flow) else {
        place.tally.add(Counter::Received(leg, PacketKind::Other), 1);
        return Err(DropReason::NoFlow);
    };
    let class = flow.classify(component, slot.datagram());
    let kind = class.map_or(PacketKind::Other, |class| flow.kind(class));
    place.tally.add(Counter::Received(leg, kind), 1);
    let class = class.ok_or(DropReason::NotRtp)?;
    if slot.truncated {
        return Err(DropReason::TooLong);
    }
    match class {
        Class::Stun => return answer(lane, slot, entry, component, now, place),
        Class::Dtls => return keep_for_later(lane, slot, entry, place),
        Class::Rtp | Class::Rtcp | Class::Opaque { .. } => {}
    }
    (lane.entry, lane.port_in, lane.component, lane.class) = (entry, entry, component, class);
    if flow.is_shared() {
        lane.is_unrouted = true;
        return flow.admit_source(component, slot.from);
    }
    flow.admit(class, component, slot.from)?;
    join(lane, place)
}

/// Where streams share a port: for which of them a packet is, now that it is authentic or plain.
fn route(lane: &mut Lane, slot: &Slot, place: &mut Workplace<'_>) -> Result<(), DropReason> {
    Flow::check(lane.class, slot.datagram())?;
    let shared = place.table.get_mut(lane.port_in).ok_or(DropReason::NoFlow)?;
    lane.entry = shared.route(lane.class, slot.datagram()).ok_or(DropReason::NoMember)?;
    let flow = place.table.get_mut(lane.entry).ok_or(DropReason::NoFlow)?;
    if lane.entry != lane.port_in && flow.plan.bundled_in != Some(lane.port_in) {
        return Err(DropReason::NoMember);
    }
    flow.admit_by_gate(lane.class)?;
    join(lane, place)
}

/// Finds the flow by which a packet leaves, and asks its gate.
fn join(lane: &mut Lane, place: &mut Workplace<'_>) -> Result<(), DropReason> {
    let flow = place.table.get(lane.entry).ok_or(DropReason::NoFlow)?;
    let loops = flow.plan.mode == Mode::Loopback;
    let (peer, treatment) = (flow.plan.peer, flow.plan.treatment);
    let exit = if loops { lane.entry } else { peer.ok_or(DropReason::NoPeer)? };
    let exit_flow = place.table.get(exit).ok_or(DropReason::NoPeer)?;
    if !loops && !are_joined(exit_flow, lane.entry, treatment) {
        return Err(DropReason::NoPeer);
    }
    (lane.exit, lane.exit_leg, lane.exit_kind) = (exit, exit_flow.plan.leg, exit_flow.kind(lane.class));
    lane.port_out = exit_flow.plan.bundled_in.unwrap_or(exit);
    // Asked before the work of decrypting; where it goes is asked when the packet has proven good.
    if exit_flow.may_leave(lane.class, loops) { Ok(()) } else { Err(DropReason::Gate) }
}

/// A connectivity check (DTLS-5): its answer takes its place.
fn answer(
    lane: &mut Lane,
    slot: &mut Slot,
    entry: FlowId,
    component: Component,
    now: Now,
    place: &mut Workplace<'_>,
) -> Result<(), DropReason> {
    let flow = place.table.get_mut(entry).ok_or(DropReason::NoFlow)?;
    let answer = flow.answer_check(component, &mut slot.bytes[..], slot.len, slot.from, now)?;
    // A check may have shown the way to a peer whom we have to call.
    if flow.is_to_call() {
        place.handshakes.list(entry, flow);
    }
    place.tally.add(Counter::Consumed(lane.entry_leg, PacketKind::Stun), 1);
    place.list_notices(entry);
    match answer {
        Some((handle, len)) => {
            slot.len = len;
            slot.to = Some((handle, slot.from));
            (lane.is_answer, lane.entry, lane.exit, lane.class) = (true, entry, entry, Class::Stun);
            (lane.exit_leg, lane.exit_kind) = (lane.entry_leg, PacketKind::Stun);
            place.tally.add(Counter::Originated(lane.entry_leg, PacketKind::Stun), 1);
        }
        None => lane.alive = false,
    }
    Ok(())
}

/// DTLS of a peer: it waits until its turn comes.
fn keep_for_later(
    lane: &mut Lane,
    slot: &Slot,
    entry: FlowId,
    place: &mut Workplace<'_>,
) -> Result<(), DropReason> {
    let flow = place.table.get_mut(entry).ok_or(DropReason::NoFlow)?;
    flow.admit_dtls(slot.datagram(), slot.from)?;
    place.handshakes.take_in(entry, flow, slot)?;
    place.tally.add(Counter::Consumed(lane.entry_leg, PacketKind::Dtls), 1);
    lane.alive = false;
    Ok(())
}

/// Flows pass packets only when each names the other, so that a place used again never hears of an older call; and RTP never
/// meets opaque datagrams.
fn are_joined(exit: &Flow, entry: FlowId, treatment: Treatment) -> bool {
    let opaque = |treatment| treatment == Treatment::Relay;
    exit.plan.peer == Some(entry) && opaque(exit.plan.treatment) == opaque(treatment)
}

/// Third stage: the packet is authentic, or plain; it is charged to its peer's rates, and may teach its source.
fn accept(lane: &Lane, slot: &Slot, now: Now, place: &mut Workplace<'_>) -> Result<(), DropReason> {
    Flow::check(lane.class, slot.datagram())?;
    let flow = place.table.get_mut(lane.entry).ok_or(DropReason::NoFlow)?;
    let accepted =
        flow.accept(lane.class, lane.component, slot.from, lane.received_bytes, slot.datagram(), now);
    if flow.has_notices() {
        place.list_notices(lane.entry);
    }
    accepted
}

/// Fourth stage: as what it goes, and where to. Before an index is spent on it.
fn leave(lane: &Lane, slot: &mut Slot, now: Now, place: &mut Workplace<'_>) -> Result<(), DropReason> {
    if lane.class == Class::Rtp
        && let Some(entry) = place.table.get(lane.entry)
        && let Some(renumbering) = entry.plan.renumbering.as_deref().filter(|_| lane.entry != lane.exit)
    {
        slot.len = renumbering.apply(&mut slot.bytes, slot.len).ok_or(DropReason::NoFormat)?;
    }
    let flow = place.table.get_mut(lane.exit).ok_or(DropReason::NoPeer)?;
    if flow.plan.copy_dscp {
        slot.dscp = slot.received_dscp;
    }
    if lane.class == Class::Rtcp {
        if flow.plan.ends_feedback {
            slot.len = end_feedback(&mut slot.bytes[..slot.len]).0;
            if slot.len == 0 {
                return Err(DropReason::Feedback);
            }
        }
        flow.note_rtcp_leaving(slot.datagram(), now);
    }
    let port = place.table.get_mut(lane.port_out).ok_or(DropReason::NoPeer)?;
    slot.to = Some(port.exit(lane.class)?);
    if lane.class == Class::Rtp && port.is_shared() {
        port.note_leaving(lane.exit, slot.datagram());
    }
    Ok(())
}

impl Flow {
    /// Tells of keys that are near or past their end, once each (SRTP-6).
    pub(super) fn note_lifetimes(&mut self) {
        let states = [
            self.plan.inbound.as_ref().map(|session| session.lifetime_state()),
            self.plan.outbound.as_ref().map(|session| session.lifetime_state()),
        ];
        for (direction, state) in [Direction::Inbound, Direction::Outbound].into_iter().zip(states) {
            let told = &mut self.lifetimes_told[direction as usize];
            let Some(state) = state.filter(|state| *state > *told) else { continue };
            *told = state;
            match state {
                LifetimeState::Fresh => {}
                LifetimeState::NearEnd => self.note(Observation::KeyNearEnd(direction)),
                LifetimeState::Ended => self.note(Observation::KeyEnded(direction)),
            }
        }
    }
}
