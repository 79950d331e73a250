//! One stream at one termination as the controller keeps it: what was asked for (without keys), what it was given, and the plan that
//! its worker has. What happens to its packets follows from both sides of the context together ([`treatment`]), so it is worked out
//! again for both whenever either changes.

use super::bundle;
use super::config::{EdgeRules, FeedbackPolicy, LatchPolicy};
use super::connection::AskedConnection;
use super::connection::{Bearers, ConnectionShape};
use super::edge::{AskedEdge, EdgeState};
use super::keys::{KeyMarks, Sessions};
use super::moving::Whereabouts;
use super::sockets::Held;
use crate::command::Observation;
use crate::command::order::{BundlePlan, EdgePlan, FlowId, FlowPlan, Latching, PortBinding, Treatment};
use crate::flow::renumber::Renumbering;
use crate::model::{
    Component, IceEvent, LatchAction, Leg, Mode, Policing, Remote, RtcpPorts, RtpSpec, SourceFilter,
    StreamId, StreamSpec, TcpSetup, Transport, Watch,
};
use agw_srtp::Policy;
use std::net::SocketAddr;

/// What was asked for and can change, without keys.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Asked {
    pub(super) transport: Transport,
    pub(super) mode: Mode,
    pub(super) remote: Option<Remote>,
    pub(super) rtcp: RtcpPorts,
    pub(super) filter: SourceFilter,
    pub(super) policing: Option<Policing>,
    pub(super) clock_rate_hz: Option<u32>,
    pub(super) watch: Watch,
    /// The effective code point: the realm's where the command names none.
    pub(super) dscp: u8,
    pub(super) copy_dscp: bool,
    /// For [`Transport::Tcp`], and only there.
    pub(super) connection: Option<Box<AskedConnection>>,
    /// What ends here besides media.
    pub(super) edge: Option<Box<AskedEdge>>,
    /// What the packets mean, where that matters.
    pub(super) rtp: Option<Box<RtpSpec>>,
}

impl Asked {
    pub(super) fn new(spec: &StreamSpec, realm_dscp: u8) -> Self {
        // Nobody looks for RTCP in opaque datagrams, or in connections.
        let has_rtcp = spec.transport.is_rtp();
        let rtcp = if has_rtcp { spec.rtcp } else { RtcpPorts::None };
        Self {
            transport: spec.transport,
            mode: spec.mode,
            remote: spec.remote,
            rtcp,
            filter: spec.filter.clone(),
            policing: spec.policing,
            clock_rate_hz: spec.clock_rate_hz,
            watch: spec.watch,
            dscp: spec.dscp.unwrap_or(realm_dscp),
            copy_dscp: spec.copy_dscp,
            connection: AskedConnection::new(spec),
            edge: AskedEdge::new(spec),
            rtp: bundle::worth_keeping(spec),
        }
    }
}

/// A stream of a termination.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: StreamId,
    pub(super) realm: usize,
    pub(super) leg: Leg,
    pub(super) asked: Asked,
    pub(super) keys: KeyMarks,
    /// Sessions that go with the next plan.
    pub(super) fresh: Sessions,
    /// Whether the last latch action turned learning on.
    pub(super) latching: bool,
    /// What was learned is to be learned anew, with the next plan.
    pub(super) relearn: bool,
    /// What was learned is worth nothing; matters only to a flow that is on its way.
    pub(super) unlearn: bool,
    /// Its place at the worker of its context.
    pub(super) flow: FlowId,
    /// Where its flow comes from, while it is on its way to that place.
    pub(super) origin: Option<Whereabouts>,
    pub(super) held: Held,
    pub(super) ports: [Option<PortBinding>; 2],
    /// What the worker has learned of the peer's addresses, for people to see.
    pub(super) learned: [Option<SocketAddr>; 2],
    /// What it has besides, if it is a connection or has DTLS.
    pub(super) bearers: Option<Box<Bearers>>,
    /// What it has of what ends here besides media.
    pub(super) edge: Option<Box<EdgeState>>,
    /// Whether its ports tell the code points of what they receive.
    pub(super) reads_dscp: bool,
    /// What the worker was told last; `None`: nothing yet.
    pub(super) told: Option<Shape>,
}

/// A plan without its sessions: what can be compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shape {
    pub(super) peer: Option<FlowId>,
    pub(super) treatment: Treatment,
    pub(super) remote: [Option<SocketAddr>; 2],
    pub(super) mux: bool,
    pub(super) mode: Mode,
    pub(super) filter: SourceFilter,
    pub(super) policing: Option<Policing>,
    pub(super) latching: Latching,
    pub(super) clock_rate_hz: Option<u32>,
    pub(super) watch: Watch,
    pub(super) copy_dscp: bool,
    /// For a connection.
    pub(super) connection: Option<Box<ConnectionShape>>,
    /// What ends here besides media.
    pub(super) edge: Option<Box<EdgePlan>>,
    /// Who shares its port.
    pub(super) bundle: Option<Box<BundlePlan>>,
    pub(super) bundled_in: Option<FlowId>,
    pub(super) renumbering: Option<Box<Renumbering>>,
    pub(super) ends_feedback: bool,
}

/// What one side has to know of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facing {
    pub(super) flow: FlowId,
    pub(super) transport: Transport,
    pub(super) keyed: bool,
    pub(super) copies_dscp: bool,
    /// It is a connection without `a=setup`.
    pub(super) stateless: bool,
}

impl Stream {
    /// Takes note of what a worker noticed.
    pub(super) fn hear(&mut self, what: Observation) {
        match what {
            Observation::Latched { component, source } => self.learned[component.index()] = Some(source),
            Observation::Ice(event) => {
                if let IceEvent::Selected(source) = event {
                    self.learned[Component::Rtp.index()] = Some(source);
                }
                if let Some(edge) = &mut self.edge {
                    edge.ice = Some(event);
                }
            }
            other => {
                if let Some(bearers) = &mut self.bearers {
                    bearers.hear(other);
                }
            }
        }
    }

    /// What the other side has to know of this one.
    pub(super) fn facing(&self) -> Facing {
        Facing {
            flow: self.flow,
            transport: self.asked.transport,
            keyed: self.keys.any(),
            copies_dscp: self.asked.copy_dscp,
            stateless: self.asked.connection.as_ref().is_some_and(|asked| asked.setup == TcpSetup::Stateless),
        }
    }

    /// Takes note of what a command says of latching.
    pub(super) fn signal_latching(&mut self, action: Option<LatchAction>) {
        match action {
            None => {}
            Some(LatchAction::Off) => {
                self.latching = false;
                self.unlearn = true;
                self.learned = [None; 2];
            }
            Some(LatchAction::Latch) => self.latching = true,
            Some(LatchAction::Relatch) => {
                self.latching = true;
                self.relearn = true;
            }
        }
    }

    /// How the stream is to run beside `peer`.
    /// What follows from other streams of the termination is added by who knows them.
    pub(super) fn shape(
        &self,
        peer: Option<Facing>,
        policy: LatchPolicy,
        rules: &EdgeRules,
        feedback: FeedbackPolicy,
    ) -> Shape {
        let treatment = treatment(self.asked.transport, self.keys.any(), peer);
        Shape {
            peer: peer.map(|peer| peer.flow),
            treatment,
            remote: destinations(&self.asked),
            mux: self.asked.rtcp == RtcpPorts::Mux,
            mode: self.asked.mode,
            filter: self.asked.filter.clone(),
            policing: self.asked.policing,
            latching: self.learning(treatment, policy),
            clock_rate_hz: self.asked.clock_rate_hz,
            watch: self.asked.watch,
            copy_dscp: self.asked.copy_dscp,
            connection: self.connection_shape(peer),
            edge: self.edge_plan(rules),
            bundle: None,
            bundled_in: None,
            renumbering: None,
            ends_feedback: peer.is_some_and(|peer| {
                feedback == FeedbackPolicy::Negotiated
                    && peer.transport.has_feedback()
                    && !self.asked.transport.has_feedback()
            }),
        }
    }

    /// The plan that makes the worker run the stream in this shape. From here on the worker counts as told.
    pub(super) fn tell(&mut self, shape: Shape, profile: &agw_dtls::Profile, policy: &Policy) -> FlowPlan {
        let plan = FlowPlan {
            leg: self.leg,
            peer: shape.peer,
            treatment: shape.treatment,
            ports: self.ports,
            remote: shape.remote,
            mux: shape.mux,
            mode: shape.mode,
            filter: shape.filter.clone(),
            policing: shape.policing,
            latching: shape.latching,
            clock_rate_hz: shape.clock_rate_hz,
            watch: shape.watch,
            copy_dscp: shape.copy_dscp,
            inbound: self.fresh.inbound.take(),
            outbound: self.fresh.outbound.take(),
            edge: shape.edge.clone(),
            means: self.take_means(profile, policy),
            bundle: shape.bundle.clone(),
            bundled_in: shape.bundled_in,
            renumbering: shape.renumbering.clone(),
            ends_feedback: shape.ends_feedback,
        };
        self.note_told(shape);
        plan
    }

    /// The worker counts as told of a shape.
    pub(super) fn note_told(&mut self, shape: Shape) {
        self.relearn = false;
        self.unlearn = false;
        if let Some(bearers) = &mut self.bearers {
            bearers.connect = false;
        }
        // `Again` has its effect once; afterwards the worker goes on as after `Once`.
        let latching = match shape.latching {
            Latching::Again => Latching::Once,
            other => other,
        };
        self.told = Some(Shape { latching, ..shape });
    }

    fn learning(&self, treatment: Treatment, policy: LatchPolicy) -> Latching {
        let armed = match policy {
            // With ICE the address comes from checks, and from nowhere else (RLY-2).
            _ if self.asked.edge.as_ref().is_some_and(|edge| edge.has_ice()) => false,
            LatchPolicy::Never => false,
            LatchPolicy::Signal => self.latching,
            LatchPolicy::Always => {
                self.latching || treatment != Treatment::Relay || self.asked.connection.is_some()
            }
        };
        // What was learned before packets had to prove themselves is worth nothing once they have to.
        let newly_secure = treatment == Treatment::Secure
            && self.told.as_ref().is_some_and(|told| told.treatment != Treatment::Secure);
        match armed {
            false => Latching::Off,
            true if self.relearn || newly_secure => Latching::Again,
            true => Latching::Once,
        }
    }
}

/// What happens to the packets of one side.
///
/// SRTP is relayed untouched (RLY-1) when nobody has given keys and the other side, if there is one, is SRTP without keys too. Anything
/// else that says SAVP is ended here, and passes nothing until its keys come.
fn treatment(own: Transport, keyed: bool, peer: Option<Facing>) -> Treatment {
    let peer_is_untouched =
        peer.is_none_or(|peer| matches!(peer.transport, Transport::Rtp { secure: true, .. }) && !peer.keyed);
    match own {
        Transport::Udp | Transport::Tcp { .. } => Treatment::Relay,
        Transport::Rtp { secure: false, .. } => Treatment::Plain,
        Transport::Rtp { secure: true, .. } if !keyed && peer_is_untouched => Treatment::Relay,
        Transport::Rtp { secure: true, .. } | Transport::DtlsRtp { .. } => Treatment::Secure,
    }
}

/// Where RTP and RTCP go. A peer at port 0 or at the unspecified address (RFC 3264 section 8.4: on hold) gets nothing.
fn destinations(asked: &Asked) -> [Option<SocketAddr>; 2] {
    let Some(remote) = asked.remote else { return [None, None] };
    let rtcp = match (asked.rtcp, remote.rtcp) {
        (RtcpPorts::None, _) => None,
        (_, Some(named)) => Some(named),
        (RtcpPorts::Mux, None) => Some(remote.rtp),
        (RtcpPorts::Pair, None) => {
            let next = remote.rtp.port().checked_add(1).filter(|_| remote.rtp.port() != 0);
            next.map(|port| SocketAddr::new(remote.rtp.ip(), port))
        }
    };
    [Some(remote.rtp), rtcp].map(|to| to.filter(|to| to.port() != 0 && !to.ip().is_unspecified()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const AVP: Transport = Transport::Rtp { secure: false, feedback: false };
    const SAVP: Transport = Transport::Rtp { secure: true, feedback: false };

    fn facing(transport: Transport, keyed: bool) -> Option<Facing> {
        Some(Facing { flow: FlowId(0), transport, keyed, copies_dscp: false, stateless: false })
    }

    #[test]
    fn srtp_is_untouched_only_while_nobody_has_keys() {
        assert_eq!(treatment(SAVP, false, None), Treatment::Relay);
        assert_eq!(treatment(SAVP, false, facing(SAVP, false)), Treatment::Relay);
        assert_eq!(treatment(SAVP, false, facing(SAVP, true)), Treatment::Secure);
        assert_eq!(treatment(SAVP, false, facing(AVP, false)), Treatment::Secure);
        assert_eq!(treatment(SAVP, true, None), Treatment::Secure);
        assert_eq!(treatment(SAVP, true, facing(SAVP, false)), Treatment::Secure);
        assert_eq!(treatment(AVP, false, facing(SAVP, true)), Treatment::Plain);
        assert_eq!(treatment(Transport::Udp, false, facing(Transport::Udp, false)), Treatment::Relay);
    }

    #[test]
    fn rtcp_goes_where_the_peer_says_or_one_port_up_or_with_rtp() {
        let to = |rtcp, rtp: &str, named: Option<&str>| {
            let mut spec = StreamSpec::new(AVP);
            spec.rtcp = rtcp;
            spec.remote =
                Some(Remote { rtp: rtp.parse().unwrap(), rtcp: named.map(|named| named.parse().unwrap()) });
            destinations(&Asked::new(&spec, 0)).map(|to| to.map(|to| to.to_string()))
        };
        let some = |address: &str| Some(address.to_owned());
        assert_eq!(
            to(RtcpPorts::Pair, "192.0.2.1:4000", None),
            [some("192.0.2.1:4000"), some("192.0.2.1:4001")]
        );
        assert_eq!(to(RtcpPorts::Pair, "192.0.2.1:4000", Some("192.0.2.2:9"))[1], some("192.0.2.2:9"));
        assert_eq!(to(RtcpPorts::Mux, "192.0.2.1:4000", None)[1], some("192.0.2.1:4000"));
        assert_eq!(to(RtcpPorts::None, "192.0.2.1:4000", Some("192.0.2.2:9"))[1], None);
        assert_eq!(to(RtcpPorts::Pair, "192.0.2.1:65535", None)[1], None);
        assert_eq!(to(RtcpPorts::Pair, "192.0.2.1:0", None), [None, None]);
        assert_eq!(to(RtcpPorts::Pair, "0.0.0.0:4000", None), [None, None]);
    }
}
