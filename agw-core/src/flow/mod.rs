//! What a bound port can be, and what happens to its packets: one [`Flow`] is one side of one stream, with its RTP and RTCP port. A flow
//! answers questions in the order in which a packet asks them (what is it, may it enter, was it good, may it leave and where to)
//! and keeps the state that good packets change. It does no I/O and no cryptography: the worker's batch stages call both.

mod activity;
pub mod bfcp;
pub mod bundle;
pub(crate) mod dtls;
pub(crate) mod edge;
pub mod ice;
mod latch;
pub mod msrp;
mod notices;
mod police;
mod policer;
mod reception;
pub mod renumber;
mod round_trip;
pub mod tcp;

use crate::command::Observation;
use crate::command::order::{FlowId, FlowPlan, Latching, PortBinding, PortKey, Treatment};
use crate::io::{Now, PortHandle};
use crate::model::{Component, Direction, Mode, StreamStatistics};
use crate::wire::demux::{Protocol, protocol_of};
use crate::wire::rtcp::Compound;
use crate::wire::rtp::RtpHeader;
use crate::wire::stun;
use crate::worker::stats::{DropReason, PacketKind};
use activity::Activities;
use agw_srtp::{InboundSession, LifetimeState, OutboundSession};
use bundle::Router;
use dtls::Association;
use edge::{Answered, Edge};
use latch::Latch;
use notices::Notices;
use policer::{Policer, Verdict};
use reception::Reception;
use round_trip::RoundTrip;
use std::mem;
use std::net::SocketAddr;

/// What a datagram is to its flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// RTP or SRTP.
    Rtp,
    /// RTCP or SRTCP.
    Rtcp,
    /// Not looked into. `control`: the RTCP half of something that may be RTP.
    Opaque { control: bool },
    /// A connectivity check, or what else is STUN.
    Stun,
    /// DTLS.
    Dtls,
}

impl Class {
    /// Whether the gate treats it as RTCP.
    pub(crate) const fn is_control(self) -> bool {
        matches!(self, Self::Rtcp | Self::Opaque { control: true })
    }
}

/// One side of one stream as its worker runs it.
#[derive(Debug)]
pub struct Flow {
    pub(crate) plan: FlowPlan,
    latches: [Latch; 2],
    notices: Notices,
    /// Whether the worker has this flow on its list of those with something to tell.
    pub(crate) notices_listed: bool,
    /// When its first worker put it into its table.
    installed: Option<Now>,
    octets_sent: u64,
    octets_received: u64,
    rtp_sent: u64,
    rtp_received: u64,
    discarded: u64,
    policed: u64,
    policer: Policer,
    reception: Reception,
    round_trip: RoundTrip,
    activities: Activities,
    /// What of the loss has been added to the worker's counters.
    lost_published: u64,
    /// RTP packets that had come when the jitter was last looked at.
    jitter_seen_at: u64,
    /// What the controller knows of the ends of keys, inbound and outbound.
    pub(crate) lifetimes_told: [LifetimeState; 2],
    /// What ends here besides media.
    edge: Option<Box<Edge>>,
    /// Tells the streams apart that share its port.
    router: Option<Box<Router>>,
}

impl Flow {
    /// A flow that is about to run by this plan. Made by the controller, who also gets it back.
    pub fn new(plan: FlowPlan) -> Self {
        let mut flow = Self {
            plan,
            latches: Default::default(),
            notices: Notices::default(),
            notices_listed: false,
            installed: None,
            octets_sent: 0,
            octets_received: 0,
            rtp_sent: 0,
            rtp_received: 0,
            discarded: 0,
            policed: 0,
            policer: Policer::default(),
            reception: Reception::default(),
            round_trip: RoundTrip::default(),
            activities: Activities::default(),
            lost_published: 0,
            jitter_seen_at: 0,
            lifetimes_told: [LifetimeState::Fresh; 2],
            edge: None,
            router: None,
        };
        flow.share_port();
        flow.obey_plan();
        flow
    }

    /// The worker has put it into its table. A flow that comes from another worker goes on as it was.
    pub(crate) fn installed(&mut self, now: Now) {
        self.installed.get_or_insert(now);
    }

    /// Goes on by another plan. What it replaces is left in `plan`.
    pub(crate) fn change(&mut self, plan: &mut FlowPlan) {
        mem::swap(&mut self.plan, plan);
        if self.plan.bundle != plan.bundle {
            self.share_port();
        }
        if self.plan.watch != plan.watch {
            self.activities.restart();
        }
        // A session that the new plan does not bring stays.
        if self.plan.inbound.is_some() {
            self.lifetimes_told[Direction::Inbound as usize] = LifetimeState::Fresh;
        } else {
            mem::swap(&mut self.plan.inbound, &mut plan.inbound);
        }
        if self.plan.outbound.is_some() {
            self.lifetimes_told[Direction::Outbound as usize] = LifetimeState::Fresh;
        } else {
            mem::swap(&mut self.plan.outbound, &mut plan.outbound);
        }
        self.obey_plan();
    }

    /// Nothing has been learned of the peer's addresses.
    pub(crate) fn forget_learned(&mut self) {
        self.latches = Default::default();
    }

    /// Who shares the port has changed. What was learned of the others stays.
    fn share_port(&mut self) {
        let members = self.plan.bundle.iter().flat_map(|plan| &plan.members);
        let members: Vec<_> = members.map(|bundled| (&bundled.member, &bundled.names)).collect();
        let before = self.router.take();
        if members.is_empty() {
            return;
        }
        let mut router = Router::new(&members).map(Box::new);
        if let (Some(router), Some(before)) = (&mut router, before) {
            router.inherit(&before);
        }
        self.router = router;
    }

    fn obey_plan(&mut self) {
        let means = self.plan.means.take();
        self.edge = Edge::follow(self.edge.take(), self.plan.edge.as_deref(), means);
        self.policer.tune(self.plan.policing.as_ref());
        for latch in &mut self.latches {
            latch.install(self.plan.latching);
        }
        if self.plan.latching == Latching::Again {
            self.plan.latching = Latching::Once;
        }
        for remote in &mut self.plan.remote {
            *remote = remote.filter(|to| to.port() != 0 && !to.ip().is_unspecified());
        }
    }

    /// The ports that the flow listens on.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (PortKey, Component)> + use<> {
        let [rtp, rtcp] = self.plan.ports;
        let with = |component| move |binding: PortBinding| (binding.key, component);
        rtp.map(with(Component::Rtp)).into_iter().chain(rtcp.map(with(Component::Rtcp)))
    }

    /// The metric label of what passes here.
    pub(crate) const fn kind(&self, class: Class) -> PacketKind {
        match (self.plan.treatment, class) {
            (_, Class::Stun) => PacketKind::Stun,
            (_, Class::Dtls) => PacketKind::Dtls,
            (Treatment::Relay, _) | (_, Class::Opaque { .. }) => PacketKind::Udp,
            (Treatment::Plain, Class::Rtp) => PacketKind::Rtp,
            (Treatment::Plain, Class::Rtcp) => PacketKind::Rtcp,
            (Treatment::Secure, Class::Rtp) => PacketKind::Srtp,
            (Treatment::Secure, Class::Rtcp) => PacketKind::Srtcp,
        }
    }

    /// What a datagram that came to `component`'s port is; `None` when it is none of ours.
    ///
    /// RTCP on an RTP port that is not multiplexed is refused where it cannot be anything else: the payload types that
    /// would make it RTP are reserved (RFC 3551 section 6).
    pub(crate) fn classify(&self, component: Component, datagram: &[u8]) -> Option<Class> {
        let protocol = protocol_of(datagram);
        if let Some(edge) = self.edge.as_deref() {
            match protocol {
                // What nobody looks into may begin like STUN by chance, so more than the first byte has to say so.
                Protocol::Stun
                    if edge.has_ice()
                        && (self.plan.treatment != Treatment::Relay || stun::has_cookie(datagram)) =>
                {
                    return Some(Class::Stun);
                }
                Protocol::Dtls if component == Component::Rtp && edge.association().is_some() => {
                    return Some(Class::Dtls);
                }
                _ => {}
            }
        }
        if self.plan.treatment == Treatment::Relay {
            let control = component == Component::Rtcp || (self.plan.mux && protocol == Protocol::Rtcp);
            return Some(Class::Opaque { control });
        }
        let reserved = datagram.get(1).is_some_and(|second| (200..=204).contains(second));
        match (protocol, component) {
            (Protocol::Rtcp, Component::Rtcp) => Some(Class::Rtcp),
            (Protocol::Rtcp, Component::Rtp) if self.plan.mux => Some(Class::Rtcp),
            (Protocol::Rtcp, Component::Rtp) if reserved => None,
            (Protocol::Rtp | Protocol::Rtcp, Component::Rtp) => Some(Class::Rtp),
            _ => None,
        }
    }

    /// Whether a packet may enter, before anything costs work.
    pub(crate) fn admit(
        &mut self,
        class: Class,
        component: Component,
        source: SocketAddr,
    ) -> Result<(), DropReason> {
        let verdict = self.judge_source(component, source).and_then(|()| self.judge_gate(class));
        self.discarded += u64::from(verdict.is_err());
        verdict
    }

    /// As [`Flow::admit`], where the port is shared: the gate is asked of the stream that the packet turns out to be for.
    pub(crate) fn admit_source(
        &mut self,
        component: Component,
        source: SocketAddr,
    ) -> Result<(), DropReason> {
        let verdict = self.judge_source(component, source);
        self.discarded += u64::from(verdict.is_err());
        verdict
    }

    /// The other half of it.
    pub(crate) fn admit_by_gate(&mut self, class: Class) -> Result<(), DropReason> {
        let verdict = self.judge_gate(class);
        self.discarded += u64::from(verdict.is_err());
        verdict
    }

    /// Whether several streams share its port.
    pub(crate) const fn is_shared(&self) -> bool {
        self.router.is_some()
    }

    /// For which of the streams that share its port a packet is, in its plain form.
    pub(crate) fn route(&mut self, class: Class, datagram: &[u8]) -> Option<FlowId> {
        let router = self.router.as_deref_mut()?;
        let member = match class {
            Class::Rtcp => router.route_rtcp(Compound::parse(datagram)?),
            _ => router.route_rtp(datagram)?,
        };
        Some(self.plan.bundle.as_ref()?.members.get(member)?.flow)
    }

    /// A packet of RTP leaves by its port, for one of the streams that share it: what the peer reports of its source is that one's.
    pub(crate) fn note_leaving(&mut self, member: FlowId, rtp: &[u8]) {
        let Some((router, plan)) = self.router.as_deref_mut().zip(self.plan.bundle.as_ref()) else { return };
        if let Some(at) = plan.members.iter().position(|bundled| bundled.flow == member) {
            router.note_leaving(rtp, at);
        }
    }

    fn judge_source(&self, component: Component, source: SocketAddr) -> Result<(), DropReason> {
        let authenticates = self.plan.treatment == Treatment::Secure;
        let latch = &self.latches[component.index()];
        let signalled = self.plan.remote[component.index()];
        let is_heard = match self.edge.as_deref().and_then(|edge| edge.vouches_for(component, source)) {
            Some(vouched) => vouched && police::is_listed(&self.plan.filter, source),
            None => police::source_accepted(&self.plan.filter, latch, signalled, authenticates, source),
        };
        if !is_heard {
            return Err(DropReason::Source);
        }
        Ok(())
    }

    const fn judge_gate(&self, class: Class) -> Result<(), DropReason> {
        if police::may_enter(self.plan.mode, class.is_control()) { Ok(()) } else { Err(DropReason::Gate) }
    }

    /// Checks the plain form of a packet (after it has authenticated, where it must).
    pub(crate) fn check(class: Class, datagram: &[u8]) -> Result<(), DropReason> {
        let sound = match class {
            Class::Rtp => RtpHeader::parse(datagram).is_some(),
            Class::Rtcp => Compound::parse(datagram).is_some(),
            Class::Opaque { .. } | Class::Stun | Class::Dtls => true,
        };
        if sound { Ok(()) } else { Err(DropReason::Malformed) }
    }

    /// A packet has proven good: asks whether it is within the rates, learns its source if asked to, and counts it. `received_octets` is
    /// its length as it came, `datagram` its plain form. What policing discards has come for all that: it is not loss.
    pub(crate) fn accept(
        &mut self,
        class: Class,
        component: Component,
        source: SocketAddr,
        received_octets: usize,
        datagram: &[u8],
        now: Now,
    ) -> Result<(), DropReason> {
        if class == Class::Rtp
            && let Some(header) = RtpHeader::parse(datagram)
        {
            self.reception.count(&header, now.0, self.plan.clock_rate_hz);
        }
        self.police(class, source, received_octets, now)?;
        if self.latches[component.index()].learn(source) {
            self.notices.note(Observation::Latched { component, source });
        }
        self.octets_received += received_octets as u64;
        match class {
            Class::Rtp => self.rtp_received += 1,
            Class::Rtcp => {
                if let Some(compound) = Compound::parse(datagram) {
                    self.round_trip.note_received(compound, now.0);
                }
            }
            Class::Opaque { .. } | Class::Stun | Class::Dtls => {}
        }
        Ok(())
    }

    /// Charges a packet to the rates of its peer (H.248.53).
    fn police(
        &mut self,
        class: Class,
        source: SocketAddr,
        octets: usize,
        now: Now,
    ) -> Result<(), DropReason> {
        let Some(terms) = &self.plan.policing else { return Ok(()) };
        let bytes = policer::ip_packet_bytes(source, octets);
        let verdict = self.policer.judge(terms, class.is_control(), bytes, now);
        if verdict == Verdict::Conforms {
            return Ok(());
        }
        self.discarded += 1;
        self.policed += 1;
        if verdict == Verdict::BeginsToExceed {
            self.notices.note(Observation::Policed);
        }
        Err(DropReason::Policed)
    }

    /// Whether a packet of the context may leave to the peer. `own`: it is the peer's own, on its way back.
    pub(crate) const fn may_leave(&self, class: Class, own: bool) -> bool {
        own || police::may_leave(self.plan.mode, class.is_control())
    }

    /// Where a packet leaves to the peer.
    pub(crate) fn exit(&self, class: Class) -> Result<(PortHandle, SocketAddr), DropReason> {
        let component = if class.is_control() && !self.plan.mux { Component::Rtcp } else { Component::Rtp };
        let binding = self.plan.ports[component.index()].ok_or(DropReason::NoRtcpPort)?;
        Ok((binding.handle, self.destination(component)?))
    }

    fn destination(&self, component: Component) -> Result<SocketAddr, DropReason> {
        let by_ice = self.edge.as_deref().and_then(|edge| edge.destination(component));
        by_ice.unwrap_or_else(|| {
            let signalled = self.plan.remote[component.index()];
            self.latches[component.index()].learned().or(signalled).ok_or(DropReason::NoRemote)
        })
    }

    /// Answers a connectivity check in its place, and notes what it changes. The length of the answer, if there is one.
    pub(crate) fn answer_check(
        &mut self,
        component: Component,
        buffer: &mut [u8],
        len: usize,
        source: SocketAddr,
        now: Now,
    ) -> Result<Option<(PortHandle, usize)>, DropReason> {
        let edge = self.edge.as_deref_mut().ok_or(DropReason::NotRtp)?;
        let Answered { len, events } = edge.handle_check(component, buffer, len, source, now)?;
        events.into_iter().flatten().for_each(|event| self.notices.note(Observation::Ice(event)));
        let handle = self.plan.ports[component.index()].map(|binding| binding.handle);
        Ok(handle.zip(len))
    }

    /// Whether a datagram of DTLS is from the peer, and of any use. Anything else costs nothing more.
    pub(crate) fn admit_dtls(&self, datagram: &[u8], source: SocketAddr) -> Result<(), DropReason> {
        let edge = self.edge.as_deref().ok_or(DropReason::NotRtp)?;
        let is_peer = match edge.vouches_for(Component::Rtp, source) {
            Some(vouched) => vouched,
            None => self.destination(Component::Rtp) == Ok(source),
        };
        if !is_peer || !police::is_listed(&self.plan.filter, source) {
            return Err(DropReason::DtlsStranger);
        }
        let association = edge.association().ok_or(DropReason::NotRtp)?;
        match association.wants(datagram) {
            true if association.waiting >= dtls::MAX_WAITING_DATAGRAMS => Err(DropReason::HandshakesFull),
            true => Ok(()),
            false => Err(DropReason::DtlsUnwanted),
        }
    }

    /// The DTLS association.
    pub(crate) fn association_mut(&mut self) -> Option<&mut Association> {
        self.edge.as_deref_mut()?.association_mut()
    }

    /// Whether a handshake is to begin with us, and can.
    pub(crate) fn is_to_call(&self) -> bool {
        let association = self.edge.as_deref().and_then(Edge::association);
        association.is_some_and(Association::is_to_call) && self.destination(Component::Rtp).is_ok()
    }

    /// Where datagrams of DTLS go: where media would; before ICE has chosen, where the peer's come from.
    pub(crate) fn dtls_exit(&self) -> Option<(PortBinding, SocketAddr)> {
        let edge = self.edge.as_deref()?;
        let chosen = self.destination(Component::Rtp).ok()?;
        let peer = edge.association().and_then(Association::peer);
        let to =
            peer.filter(|peer| !edge.has_chosen() && edge.vouches_for(Component::Rtp, *peer) == Some(true));
        Some((self.plan.ports[0]?, to.unwrap_or(chosen)))
    }

    /// A handshake has given new keys; those before are worth nothing any more.
    pub(crate) fn take_keys(&mut self, inbound: Box<InboundSession>, outbound: Box<OutboundSession>) {
        self.plan.inbound = Some(inbound);
        self.plan.outbound = Some(outbound);
        self.lifetimes_told = [LifetimeState::Fresh; 2];
    }

    /// About once a second: what the clock says of ICE.
    pub(crate) fn look_at_ice(&mut self, now: Now) {
        if let Some(observation) = self.edge.as_deref_mut().and_then(|edge| edge.look(now)) {
            self.notices.note(observation);
        }
    }

    /// RTCP is about to leave in its plain form.
    pub(crate) fn note_rtcp_leaving(&mut self, datagram: &[u8], now: Now) {
        if let Some(compound) = Compound::parse(datagram) {
            self.round_trip.note_sent(compound, now.0);
        }
    }

    /// A packet was sent to the peer.
    pub(crate) fn count_sent(&mut self, class: Class, octets: usize) {
        self.octets_sent += octets as u64;
        self.rtp_sent += u64::from(class == Class::Rtp);
    }

    /// Something to tell the controller.
    pub(crate) fn note(&mut self, observation: Observation) {
        self.notices.note(observation);
    }

    /// Takes out what there is to tell.
    pub(crate) fn take_notice(&mut self) -> Option<Observation> {
        self.notices.take()
    }

    /// Whether there is something to tell.
    pub(crate) fn has_notices(&self) -> bool {
        !self.notices.is_empty()
    }

    /// RTP packets that were found lost since this was last asked. Never takes back what late packets repair.
    pub(crate) fn take_lost(&mut self) -> u64 {
        let lost = self.reception.lost();
        let news = lost.saturating_sub(self.lost_published);
        self.lost_published = self.lost_published.max(lost);
        news
    }

    /// The present jitter, if RTP has come since this was last asked.
    pub(crate) fn fresh_jitter_us(&mut self) -> Option<u64> {
        let before = mem::replace(&mut self.jitter_seen_at, self.rtp_received);
        self.reception.jitter_us().filter(|_| before != self.rtp_received)
    }

    /// Looks whether media still flow. `peer_mode`: the gate at the other side of the context, if there is one.
    pub(crate) fn look_for_activity(&mut self, peer_mode: Option<Mode>, now: Now) {
        let open = police::open(self.plan.mode, peer_mode);
        let passed = [self.octets_received, self.octets_sent];
        let notices = &mut self.notices;
        self.activities.look(now, passed, open, &self.plan.watch, |way, activity| {
            notices.note(Observation::Activity(way, activity));
        });
    }

    /// The counters as a front end wants them.
    pub(crate) fn statistics(&self, now: Now) -> StreamStatistics {
        StreamStatistics {
            duration_ms: now.0.saturating_sub(self.installed.unwrap_or(now).0) / 1000,
            octets_sent: self.octets_sent,
            octets_received: self.octets_received,
            packets_sent: self.rtp_sent,
            packets_received: self.rtp_received,
            loss_percent: self.reception.loss_percent(),
            jitter_ms: self.reception.jitter_us().unwrap_or(0) as f64 / 1000.0,
            delay_ms: self.round_trip.delay_ms(),
            discarded: self.discarded,
            policed: self.policed,
            messages: [0; 2],
            idle_ms: self.activities.idle_ms(now),
            connection: None,
        }
    }
}

#[cfg(test)]
impl Flow {
    /// As if the peer's address had been learned.
    pub(crate) fn teach(&mut self, component: Component, source: SocketAddr) {
        self.latches[component.index()].install(Latching::Again);
        self.latches[component.index()].learn(source);
    }

    /// What was learned of the peer's address.
    pub(crate) fn learned(&self, component: Component) -> Option<SocketAddr> {
        self.latches[component.index()].learned()
    }
}
