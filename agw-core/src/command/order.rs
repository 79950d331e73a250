//! What crosses between the controller and a worker, on one bounded single-producer ring each way.
//!
//! Orders are complete and already checked: a worker cannot refuse one. What is allocated for a flow is made by the controller and
//! goes back to it when the flow ends, so that a worker neither takes nor gives memory. An order is answered in its turn, after it has
//! taken effect.

mod bundle;
mod edge;
mod tcp;

pub use bundle::{BundlePlan, BundledFlow};
pub use edge::{DtlsMeans, DtlsPlan, EdgePlan, IcePlan};
pub use tcp::{TcpBounds, TcpPlan, TcpTimes, TlsPlan};

use super::{Observation, Ticket};
use crate::flow::Flow;
use crate::flow::renumber::Renumbering;
use crate::flow::tcp::TcpFlow;
use crate::io::PortHandle;
use crate::model::{Leg, Mode, Policing, SourceFilter, StreamStatistics, Watch};
use agw_srtp::{InboundSession, OutboundSession};
use std::net::SocketAddr;

/// A flow's place in its worker's table. The controller gives it out, and gives it out again only after [`Answer::Removed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u32);

/// A bound local port: which of the worker's local addresses, and the port number. It finds the flow without hashing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PortKey {
    /// Index into the gateway's list of local addresses (all realms').
    pub address: u16,
    /// The UDP port.
    pub port: u16,
}

/// A bound port as the flow uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortBinding {
    /// Where packets of it are found in a batch.
    pub key: PortKey,
    /// What the I/O backend sends with.
    pub handle: PortHandle,
}

/// What happens to packets that enter or leave a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Treatment {
    /// Nobody looks inside: opaque UDP, and SRTP protected end to end (RLY-1).
    Relay,
    /// RTP and RTCP in the clear on this side.
    Plain,
    /// SRTP and SRTCP on this side, ended here. A direction whose key has not come yet passes nothing.
    Secure,
}

/// How the peer's address may be learned (H.248.37, `[media] latch`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latching {
    /// Never: the address is the remote one.
    Off,
    /// The first acceptable packet decides, if nothing was learned yet.
    Once,
    /// As `Once`, and forget that anything was learned; what was learned is used until the next acceptable packet. Has effect
    /// once, when the plan is installed.
    Again,
}

/// Everything a worker must know of one side of one stream.
#[derive(Debug)]
pub struct FlowPlan {
    /// The side of the gateway, for the counters.
    pub leg: Leg,
    /// The flow at the other side of the context, once there is one.
    pub peer: Option<FlowId>,
    /// What happens to packets here.
    pub treatment: Treatment,
    /// The RTP (or only) port, and the RTCP port if it has one of its own.
    pub ports: [Option<PortBinding>; 2],
    /// Where RTP and RTCP go, by component, as signalled.
    pub remote: [Option<SocketAddr>; 2],
    /// RTCP shares RTP's port (RFC 5761).
    pub mux: bool,
    /// The gate.
    pub mode: Mode,
    /// Which sources are listened to.
    pub filter: SourceFilter,
    /// How much the peer may send.
    pub policing: Option<Policing>,
    /// Whether the peer's address is learned.
    pub latching: Latching,
    /// Whose silence is to be told.
    pub watch: Watch,
    /// Ticks of the RTP time stamp per second, for the jitter only; `None`: by the payload type, as RFC 3551 says, else 8000.
    pub clock_rate_hz: Option<u32>,
    /// What leaves carries the code point with which it came.
    pub copy_dscp: bool,
    /// A new inbound session; `None` keeps what is there.
    pub inbound: Option<Box<InboundSession>>,
    /// A new outbound session; `None` keeps what is there.
    pub outbound: Option<Box<OutboundSession>>,
    /// What ends here besides media.
    pub edge: Option<Box<EdgePlan>>,
    /// With what DTLS is spoken; `None` keeps what is there.
    pub means: Option<Box<DtlsMeans>>,
    /// The streams that share its port.
    pub bundle: Option<Box<BundlePlan>>,
    /// Whose port, keys and peer it uses; its own port has none then.
    pub bundled_in: Option<FlowId>,
    /// How RTP that comes here is numbered when it leaves at the other side; `None`: as it is.
    pub renumbering: Option<Box<Renumbering>>,
    /// The peer has agreed on no feedback (RFC 4585): what the other side says of that kind ends here.
    pub ends_feedback: bool,
}

impl FlowPlan {
    /// One side that passes all there is, as soon as it has a port and knows who is at its other end and at the other side.
    pub fn new(leg: Leg, treatment: Treatment) -> Self {
        Self {
            leg,
            peer: None,
            treatment,
            ports: [None; 2],
            remote: [None; 2],
            mux: false,
            mode: Mode::SendReceive,
            filter: SourceFilter::default(),
            policing: None,
            latching: Latching::Off,
            watch: Watch::default(),
            clock_rate_hz: None,
            copy_dscp: false,
            inbound: None,
            outbound: None,
            edge: None,
            means: None,
            bundle: None,
            bundled_in: None,
            renumbering: None,
            ends_feedback: false,
        }
    }
}

/// An order with the ticket that its answer carries.
#[derive(Debug)]
pub struct Numbered {
    /// Its number among the orders of the gateway; several workers share the numbers. They grow, but for orders that had to wait
    /// for a flow on its way from another worker.
    pub ticket: Ticket,
    /// What to do.
    pub order: Order,
}

/// What a worker is told to do.
#[derive(Debug)]
pub enum Order {
    /// A new flow ([`Flow::new`] of its plan), or one that another worker has released, in a place that is free.
    Install(FlowId, Box<Flow>),
    /// A running flow goes on by another plan. Counters, keys, rollover counters and what was learned stay, unless the plan says otherwise.
    Change(FlowId, Box<FlowPlan>),
    /// A new flow of a stream over TCP, in a place that is free.
    InstallTcp(FlowId, Box<TcpFlow>),
    /// A running flow of a stream over TCP goes on by another plan.
    ChangeTcp(FlowId, Box<TcpPlan>),
    /// A flow ends. One over TCP is answered with its counters at once ([`Answer::Statistics`]), delivers what is in flight, for a bounded time, and is
    /// [`Answer::Gone`] then.
    Remove(FlowId),
    /// A flow leaves for another worker, as it is: with its counters, keys, rollover counters, windows and what was learned. Its ports
    /// have been withdrawn from this worker before ([`PortOpener::withdraw`](crate::io::PortOpener::withdraw)).
    Release(FlowId),
    /// The counters of a flow are wanted.
    Read(FlowId),
}

/// What a worker says.
#[derive(Debug)]
pub enum Answer {
    /// The order has taken effect. What a change replaced goes back to be freed, in the box of its plan.
    Done(Ticket, Option<Box<FlowPlan>>),
    /// [`Order::ChangeTcp`] has taken effect; what it replaced goes back.
    ChangedTcp(Ticket, Box<TcpPlan>),
    /// The flow is gone: its last counters, and all that was allocated for it. The ports may be closed now.
    Removed {
        /// Of the order.
        ticket: Ticket,
        /// The place that is free now.
        flow: FlowId,
        /// Its counters.
        statistics: StreamStatistics,
        /// What has to be freed (keys are wiped by their own drop).
        remains: Box<Flow>,
    },
    /// The flow is out of the worker's hands and can be installed at another.
    Released {
        /// Of the order.
        ticket: Ticket,
        /// The place that is free now.
        flow: FlowId,
        /// Its counters so far.
        statistics: StreamStatistics,
        /// The flow as it runs on.
        moving: Box<Flow>,
    },
    /// [`Order::Read`].
    Statistics(Ticket, FlowId, StreamStatistics),
    /// A removed flow over TCP has let go of its connection, and answers no order: its place is free and its port may be closed now.
    Gone(FlowId, Box<TcpFlow>),
    /// Something was noticed on a flow.
    Notice(FlowId, Observation),
}
