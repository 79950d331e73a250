//! A worker on some ground, with the controller's ends of its rings in the hands of the test, and calls that are quickly made.

use super::ground::{Ground, Host};
use agw_core::command::order::{Answer, FlowId, FlowPlan, Numbered, Order, PortBinding, PortKey, Treatment};
use agw_core::command::{Observation, Ticket};
use agw_core::flow::Flow;
use agw_core::io::PortOpener;
use agw_core::model::{Family, Leg, StreamStatistics};
use agw_core::worker::stats::{Counter, DropReason, PacketKind, WorkerCounters};
use agw_core::worker::{Worker, WorkerSetup};
use agw_srtp::{CryptoAttribute, InboundSession, OutboundSession, Policy};
use rtrb::{Consumer, Producer, RingBuffer};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What the peer protects with.
pub(crate) const PEER_KEY: &str = "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
/// What we protect with.
pub(crate) const OUR_KEY: &str = "1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR";

pub(crate) const FLOWS: usize = 64;
const RING: usize = 64;

pub(crate) struct Rig<G: Ground> {
    pub(crate) ground: G,
    pub(crate) worker: Worker<G::Io>,
    pub(crate) counters: Arc<WorkerCounters>,
    pub(crate) orders: Producer<Numbered>,
    pub(crate) answers: Consumer<Answer>,
    pub(crate) notices: Vec<(FlowId, Observation)>,
    /// The last plan of each flow, without its keys.
    plans: BTreeMap<u32, FlowPlan>,
    next_flow: u32,
    next_ticket: u64,
}

/// One flow with its own addresses.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Side {
    pub(crate) id: FlowId,
    pub(crate) rtp: SocketAddr,
    pub(crate) rtcp: SocketAddr,
}

/// Two flows joined, each with its peer's two hosts.
pub(crate) struct Call<H> {
    pub(crate) access: Side,
    pub(crate) core: Side,
    pub(crate) ue: H,
    pub(crate) ue_rtcp: H,
    pub(crate) far: H,
    pub(crate) far_rtcp: H,
}

pub(crate) fn key(line: &str) -> CryptoAttribute {
    CryptoAttribute::parse(line).unwrap()
}

pub(crate) fn sender(line: &str) -> OutboundSession {
    OutboundSession::new(&key(line), &Policy::default()).unwrap()
}

pub(crate) fn receiver(line: &str) -> InboundSession {
    InboundSession::new(&key(line), &Policy::default()).unwrap()
}

/// A plan as it was, without keys.
fn repeat(plan: &FlowPlan) -> FlowPlan {
    FlowPlan {
        filter: plan.filter.clone(),
        inbound: None,
        outbound: None,
        edge: None,
        means: None,
        bundle: None,
        renumbering: None,
        ..*plan
    }
}

impl<G: Ground> Rig<G> {
    pub(crate) fn new() -> Self {
        Self::with_rings(RING, RING)
    }

    pub(crate) fn with_rings(orders: usize, answers: usize) -> Self {
        let mut ground = G::new();
        let (order_in, order_out) = RingBuffer::new(orders);
        let (answer_in, answer_out) = RingBuffer::new(answers);
        let setup =
            WorkerSetup { flows: FLOWS, legs: vec![Leg::Access, Leg::Core], handshake_steps_per_turn: 1 };
        let worker = Worker::new(ground.io(), &setup, order_out, answer_in);
        Self {
            counters: worker.counters(),
            ground,
            worker,
            orders: order_in,
            answers: answer_out,
            notices: Vec::new(),
            plans: BTreeMap::new(),
            next_flow: 0,
            next_ticket: 0,
        }
    }

    /// Turns until everything has arrived and been obeyed.
    pub(crate) fn run(&mut self) {
        for _ in 0..4 {
            self.ground.settle();
            self.worker.turn(self.ground.patience()).unwrap();
        }
    }

    pub(crate) fn send_order(&mut self, order: Order) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.orders.push(Numbered { ticket, order }).unwrap();
        ticket
    }

    /// Gives an order and waits for its answer; notices that come in between are kept.
    pub(crate) fn order(&mut self, order: Order) -> Answer {
        let ticket = self.send_order(order);
        for _ in 0..100 {
            self.worker.turn(Duration::ZERO).unwrap();
            while let Ok(answer) = self.answers.pop() {
                match answer {
                    Answer::Notice(flow, what) => self.notices.push((flow, what)),
                    Answer::Gone(..) => panic!("there is no connection"),
                    Answer::Done(t, _)
                    | Answer::ChangedTcp(t, _)
                    | Answer::Statistics(t, ..)
                    | Answer::Removed { ticket: t, .. }
                    | Answer::Released { ticket: t, .. } => {
                        assert_eq!(t, ticket, "answers come in the order of orders");
                        return answer;
                    }
                }
            }
        }
        panic!("no answer");
    }

    pub(crate) fn take_notices(&mut self) -> Vec<(FlowId, Observation)> {
        self.run();
        while let Ok(answer) = self.answers.pop() {
            match answer {
                Answer::Notice(flow, what) => self.notices.push((flow, what)),
                other => panic!("not a notice: {other:?}"),
            }
        }
        std::mem::take(&mut self.notices)
    }

    /// Lets time pass until a notice of this flow comes; at most ten seconds, in turns of a tenth.
    pub(crate) fn await_notice(&mut self, flow: FlowId) -> Observation {
        for _ in 0..100 {
            if let Some((_, what)) = self.take_notices().into_iter().find(|(id, _)| *id == flow) {
                return what;
            }
            self.ground.pass(Duration::from_millis(100));
        }
        panic!("no notice of {flow:?}")
    }

    fn port(&mut self, leg: Leg, family: Family) -> (SocketAddr, PortBinding) {
        let local = self.ground.local(family);
        let key = PortKey { address: u16::from(leg == Leg::Core), port: local.port() };
        let handle = self.ground.open(key, local).unwrap();
        (local, PortBinding { key, handle })
    }

    /// Opens two ports and installs a flow on them.
    pub(crate) fn install(
        &mut self,
        leg: Leg,
        treatment: Treatment,
        family: Family,
        adjust: impl FnOnce(&mut FlowPlan),
    ) -> Side {
        let id = FlowId(self.next_flow);
        self.next_flow += 1;
        self.install_at(id, leg, treatment, family, adjust)
    }

    pub(crate) fn install_at(
        &mut self,
        id: FlowId,
        leg: Leg,
        treatment: Treatment,
        family: Family,
        adjust: impl FnOnce(&mut FlowPlan),
    ) -> Side {
        let ((rtp, rtp_port), (rtcp, rtcp_port)) = (self.port(leg, family), self.port(leg, family));
        let mut plan = FlowPlan::new(leg, treatment);
        plan.ports = [Some(rtp_port), Some(rtcp_port)];
        adjust(&mut plan);
        self.plans.insert(id.0, repeat(&plan));
        let answer = self.order(Order::Install(id, Box::new(Flow::new(plan))));
        assert!(matches!(answer, Answer::Done(..)));
        Side { id, rtp, rtcp }
    }

    pub(crate) fn change(&mut self, side: Side, adjust: impl FnOnce(&mut FlowPlan)) {
        let mut plan = repeat(&self.plans[&side.id.0]);
        adjust(&mut plan);
        self.plans.insert(side.id.0, repeat(&plan));
        let answer = self.order(Order::Change(side.id, Box::new(plan)));
        assert!(matches!(answer, Answer::Done(_, Some(_))), "the box comes back");
    }

    /// Removes a flow and closes its ports.
    pub(crate) fn remove(&mut self, side: Side) -> StreamStatistics {
        let Answer::Removed { flow, statistics, .. } = self.order(Order::Remove(side.id)) else {
            panic!("not removed")
        };
        assert_eq!(flow, side.id);
        for port in self.plans[&side.id.0].ports.into_iter().flatten() {
            self.ground.ports().close(0, port.handle);
        }
        statistics
    }

    /// Takes a flow out as for another worker. Its ports are nobody's until [`Rig::arrive`].
    pub(crate) fn release(&mut self, side: Side) -> Box<Flow> {
        for port in self.plans[&side.id.0].ports.into_iter().flatten() {
            self.ground.ports().withdraw(0, port.handle);
        }
        match self.order(Order::Release(side.id)) {
            Answer::Released { flow, moving, .. } if flow == side.id => moving,
            other => panic!("not released: {other:?}"),
        }
    }

    /// Installs a released flow at another place, as another worker would, and joins it anew with its peer before its ports are
    /// reaped from.
    pub(crate) fn arrive(&mut self, side: Side, peer: Side, flow: Box<Flow>) -> Side {
        let moved = Side { id: FlowId(self.next_flow), ..side };
        self.next_flow += 1;
        let plan = repeat(&self.plans[&side.id.0]);
        assert!(matches!(self.order(Order::Install(moved.id, flow)), Answer::Done(..)));
        let ports = plan.ports;
        self.plans.insert(moved.id.0, plan);
        self.change(moved, |plan| plan.peer = Some(peer.id));
        self.change(peer, |plan| plan.peer = Some(moved.id));
        for port in ports.into_iter().flatten() {
            self.ground.ports().reserve(0, port.handle).unwrap();
            self.ground.ports().admit(0, port.handle);
        }
        moved
    }

    /// Lets a side's ports tell the code points of what they receive.
    pub(crate) fn read_dscp(&mut self, side: Side, on: bool) {
        for port in self.plans[&side.id.0].ports.into_iter().flatten() {
            self.ground.ports().read_dscp(port.handle, on);
        }
    }

    pub(crate) fn statistics(&mut self, side: Side) -> StreamStatistics {
        let Answer::Statistics(_, _, statistics) = self.order(Order::Read(side.id)) else {
            panic!("no statistics")
        };
        statistics
    }

    /// A call between these two treatments, set up as a controller does it. Secure sides get [`PEER_KEY`] and [`OUR_KEY`].
    pub(crate) fn call(&mut self, access: Treatment, core: Treatment) -> Call<G::Host> {
        self.call_between((access, Family::V4), (core, Family::V4))
    }

    pub(crate) fn call_between(
        &mut self,
        (access, access_family): (Treatment, Family),
        (core, core_family): (Treatment, Family),
    ) -> Call<G::Host> {
        let hosts = [access_family, access_family, core_family, core_family];
        let [ue, ue_rtcp, far, far_rtcp] = hosts.map(|family| self.ground.host(family));
        let keys = |plan: &mut FlowPlan| {
            if plan.treatment == Treatment::Secure {
                plan.inbound = Some(Box::new(receiver(PEER_KEY)));
                plan.outbound = Some(Box::new(sender(OUR_KEY)));
            }
        };
        let access = self.install(Leg::Access, access, access_family, |plan| {
            plan.remote = [Some(ue.address()), Some(ue_rtcp.address())];
            keys(plan);
        });
        let core = self.install(Leg::Core, core, core_family, |plan| {
            plan.remote = [Some(far.address()), Some(far_rtcp.address())];
            plan.peer = Some(access.id);
            keys(plan);
        });
        self.change(access, |plan| plan.peer = Some(core.id));
        Call { access, core, ue, ue_rtcp, far, far_rtcp }
    }

    /// Whether the table has room for so many more flows at places never used before.
    pub(crate) fn has_places(&self, flows: u32) -> bool {
        (self.next_flow + flows) as usize <= FLOWS
    }

    pub(crate) fn dropped(&self, leg: Leg, reason: DropReason) -> u64 {
        self.counters.get(Counter::Dropped(leg, reason))
    }

    pub(crate) fn received(&self, leg: Leg, kind: PacketKind) -> u64 {
        self.counters.get(Counter::Received(leg, kind))
    }

    pub(crate) fn sent(&self, leg: Leg, kind: PacketKind) -> u64 {
        self.counters.get(Counter::Sent(leg, kind))
    }

    /// The sums of the contract hold: nothing is under way any more.
    pub(crate) fn check_sums(&self) {
        assert_eq!(self.counters.imbalance(), 0);
    }
}

/// Everything that a host has received, in order.
pub(crate) fn drain(host: &impl Host) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| host.receive()).map(|(_, bytes)| bytes).collect()
}

pub(crate) fn rtp(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 8];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend(payload);
    packet
}

pub(crate) fn sender_report(ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 200, 0, 6];
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0x11; 20]);
    packet
}

/// The packet as SRTP or SRTCP.
pub(crate) fn protect(session: &mut OutboundSession, packet: &[u8]) -> Vec<u8> {
    let mut buffer = [0; 2048];
    buffer[..packet.len()].copy_from_slice(packet);
    let is_rtcp = (192..=223).contains(&packet[1]);
    let len = if is_rtcp {
        session.protect_rtcp(&mut buffer, packet.len(), 0)
    } else {
        session.protect_rtp(&mut buffer, packet.len(), 0)
    };
    buffer[..len.unwrap()].to_vec()
}

pub(crate) fn unprotect(session: &mut InboundSession, packet: &[u8]) -> Result<Vec<u8>, agw_srtp::Error> {
    let mut buffer = packet.to_vec();
    let is_rtcp = (192..=223).contains(&packet[1]);
    let len = if is_rtcp {
        session.unprotect_rtcp(&mut buffer, packet.len(), 0)
    } else {
        session.unprotect_rtp(&mut buffer, packet.len(), 0)
    }?;
    buffer.truncate(len);
    Ok(buffer)
}
