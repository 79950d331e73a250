//! What a stream has carried, and how its connection is: the first as the packages `nt`, `rtp` and `gm` report it (H.248.1 E.11, E.12; H.248.43).

use agw_tls::{HashFunction, Version};
use std::net::SocketAddr;

/// Counters of one stream at one termination since it was added, kept across modifications.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StreamStatistics {
    /// Milliseconds since the stream was set up: `nt/dur`.
    pub duration_ms: u64,
    /// Octets sent to the peer, without IP and UDP headers: `nt/os`.
    pub octets_sent: u64,
    /// Octets accepted from the peer: `nt/or`.
    pub octets_received: u64,
    /// RTP packets sent: `rtp/ps`.
    pub packets_sent: u64,
    /// RTP packets accepted: `rtp/pr`.
    pub packets_received: u64,
    /// Share of the expected RTP packets that never came, 0.0 to 100.0 per cent: `rtp/pl`.
    pub loss_percent: f64,
    /// Interarrival jitter in milliseconds (RFC 3550 section 6.4.1): `rtp/jit`.
    pub jitter_ms: f64,
    /// One-way delay in milliseconds as half the RTCP round trip, 0 when unknown: `rtp/delay`.
    pub delay_ms: f64,
    /// Packets turned away at entry, by gate, source filter or policing: `gm/dp`.
    pub discarded: u64,
    /// Those of them that exceeded the rates of `tman`.
    pub policed: u64,
    /// Messages of MSRP (requests and responses) sent and received, whole ones.
    pub messages: [u64; 2],
    /// Milliseconds since something last came from the peer and last went to it, true to about a second; `None`: never yet.
    pub idle_ms: [Option<u64>; 2],
    /// Its connection as it is now, if it is one.
    pub connection: Option<ConnectionStatus>,
}

/// A connection as it is now, for those who look after the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionStatus {
    /// How far it has come.
    pub state: ConnectionState,
    /// Who is at the other end, once there is one that carries the stream or is being connected to.
    pub peer: Option<SocketAddr>,
    /// How many have connected and not shown who they are.
    pub unproven: u8,
    /// Bytes that came from the peer and wait for the other side, and that wait for the peer to take them.
    pub waiting_bytes: [usize; 2],
    /// Its TLS session, while there is one.
    pub session: Option<SessionStatus>,
}

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionState {
    /// There is none, and none is waited for.
    Idle,
    /// Peers may connect.
    Listening,
    /// Our SYN is out.
    Connecting,
    /// A TLS handshake is under way.
    Handshaking,
    /// The handshake is over, and the peer's fingerprint has not been signalled.
    AwaitingFingerprint,
    /// It carries the stream.
    Up,
    /// One of both has said that it sends no more.
    Closing,
    /// There was one, and it is over.
    Over,
}

impl ConnectionState {
    /// In words, as the admin pages have it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Listening => "listening",
            Self::Connecting => "connecting",
            Self::Handshaking => "handshaking",
            Self::AwaitingFingerprint => "awaiting_fingerprint",
            Self::Up => "up",
            Self::Closing => "closing",
            Self::Over => "over",
        }
    }
}

/// A TLS session as it is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionStatus {
    /// We are the client.
    pub is_client: bool,
    /// Version and cipher suite, once they are agreed on.
    pub agreed: Option<(Version, &'static str)>,
    /// What the peer has proven to be who it should be.
    pub proof: Option<Proof>,
}

/// What proves a peer of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Its certificate has a signalled fingerprint, by this hash function.
    Fingerprint(HashFunction),
    /// It has the pre-shared key.
    Key,
}
