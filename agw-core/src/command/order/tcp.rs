//! What a worker must know of one side of a stream over TCP ([`TcpPlan`]): who connects and when, who may be the peer, and what the
//! bytes are.

use super::{FlowId, Latching, PortBinding};
use crate::flow::msrp::Rewrite;
use crate::model::{Application, Leg, Mode, SourceFilter, TcpSetup, Trigger, Watch};
use agw_tls::{Credentials, Fingerprint, HashFunction, Tls};
use std::net::SocketAddr;

/// How long things may take, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpTimes {
    /// From a SYN of ours until the peer answers.
    pub connect_ms: u32,
    /// How long a TLS handshake may take.
    pub handshake_ms: u32,
    /// How long a peer that has proven its certificate, but whose fingerprint has not been signalled, is held (TLS-2).
    pub fingerprint_wait_ms: u32,
    /// How long nobody may come where we listen before that is told, once; we go on listening.
    pub accept_ms: u32,
    /// How long what is in flight is delivered, and a peer may take to close its half, when a side is subtracted or its TLS was released.
    pub linger_ms: u32,
    /// How long nothing may come from either peer of a connection; `None`: for ever.
    pub idle_ms: Option<u32>,
}

impl Default for TcpTimes {
    fn default() -> Self {
        Self {
            connect_ms: 10_000,
            handshake_ms: 10_000,
            fingerprint_wait_ms: 30_000,
            accept_ms: 180_000,
            linger_ms: 2_000,
            idle_ms: None,
        }
    }
}

/// How much is held for peers who have not proven to be who they should be (TLS-12), whatever they do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpBounds {
    /// Connections of one stream, 1 to [`MAX_LINES`](crate::flow::tcp::MAX_LINES).
    pub unproven: u8,
    /// Connections of all streams of a worker; above that nobody is let in but from where a peer was signalled to be.
    pub unproven_per_worker: u32,
    /// How long one keeps its place in a handshake when all are taken and somebody else comes, in milliseconds.
    pub give_way_ms: u32,
    /// Bytes that are read of one.
    pub handshake_bytes: u32,
}

impl Default for TcpBounds {
    fn default() -> Self {
        Self { unproven: 4, unproven_per_worker: 4096, give_way_ms: 1_000, handshake_bytes: 32 * 1024 }
    }
}

/// TLS on one side of a stream.
#[derive(Debug)]
pub struct TlsPlan {
    /// The profile.
    pub tls: Tls,
    /// We are the client (TLS-4).
    pub client: bool,
    /// The peer's, as signalled; empty: not known yet.
    pub fingerprints: Vec<Fingerprint>,
    /// There are some, but of unknown hash functions only.
    pub unknown: bool,
    /// The hash functions that are allowed.
    pub hashes: Vec<HashFunction>,
    /// What we prove ourselves with; `None` keeps what is there.
    pub credentials: Option<Credentials>,
}

/// Everything a worker must know of one side of one stream over TCP.
#[derive(Debug)]
pub struct TcpPlan {
    /// The side of the gateway, for the counters.
    pub leg: Leg,
    /// The flow at the other side of the context, once there is one.
    pub peer: Option<FlowId>,
    /// Our port.
    pub port: PortBinding,
    /// Our `a=setup`.
    pub setup: TcpSetup,
    /// Neither side of the context has one: the first who comes at either side makes us connect the other (TCP-6).
    pub stateless: bool,
    /// Connect now; has effect once.
    pub connect: bool,
    /// What of this side lets the other one connect (TCP-3).
    pub trigger: Option<Trigger>,
    /// Where the peer is, as signalled.
    pub remote: Option<SocketAddr>,
    /// Who may be the peer.
    pub filter: SourceFilter,
    /// Whether the peer may be somebody else than the remote address says.
    pub latching: Latching,
    /// The gate. Bytes that may not pass are held, and so is who sends them.
    pub mode: Mode,
    /// Whose silence is to be told.
    pub watch: Watch,
    /// TLS on this side.
    pub tls: Option<Box<TlsPlan>>,
    /// What the bytes are.
    pub application: Application,
    /// What MSRP that comes here says when it leaves at the other side; `None`: what it says already (TLS-10).
    pub rewrite: Option<Rewrite>,
    /// BFCP that comes here is checked for sound framing.
    pub check_framing: bool,
    /// How long things may take.
    pub times: TcpTimes,
    /// How much is held for the unproven.
    pub bounds: TcpBounds,
}
