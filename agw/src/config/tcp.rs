//! `[tcp]`: how long things may take on connections of media (MSRP, BFCP and whatever else is relayed over TCP), and how many there may be that have
//! not shown who they are.

use super::values::Bytes;
use agw_core::command::order::{TcpBounds, TcpTimes};
use agw_core::io::epoll::STREAM_BUFFER_BYTES;
use serde::{Deserialize, Serialize};

/// `[tcp]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tcp {
    /// From a SYN of ours until the peer answers.
    pub connect_ms: u32,
    /// From the end of that until TLS is up.
    pub handshake_ms: u32,
    /// How long nobody may come where we listen before the controller is told.
    pub accept_ms: u32,
    /// How long what is in flight is delivered after the end.
    pub linger_ms: u32,
    /// Seconds without a byte after which a connection is ended; 0: never.
    pub idle_s: u32,
    /// What the kernel keeps for a connection in each direction.
    pub socket_buffer: Bytes,
    /// Connections of one stream that have not shown who they are.
    pub unproven: u8,
    /// Of all streams of a worker.
    pub unproven_per_worker: u32,
    /// How long one of them keeps its place when somebody else comes.
    pub give_way_ms: u32,
}

impl Default for Tcp {
    fn default() -> Self {
        let TcpTimes { connect_ms, handshake_ms, accept_ms, linger_ms, idle_ms, .. } = TcpTimes::default();
        let TcpBounds { unproven, unproven_per_worker, give_way_ms, .. } = TcpBounds::default();
        let idle_s = idle_ms.unwrap_or(0) / 1000;
        Self {
            connect_ms,
            handshake_ms,
            accept_ms,
            linger_ms,
            idle_s,
            socket_buffer: Bytes(STREAM_BUFFER_BYTES as u64),
            unproven,
            unproven_per_worker,
            give_way_ms,
        }
    }
}

impl Tcp {
    /// As the engine wants it, with what `[tls]` says of late fingerprints.
    pub fn times(&self, fingerprint_wait_ms: u32) -> TcpTimes {
        TcpTimes {
            connect_ms: self.connect_ms,
            handshake_ms: self.handshake_ms,
            fingerprint_wait_ms,
            accept_ms: self.accept_ms,
            linger_ms: self.linger_ms,
            idle_ms: (self.idle_s > 0).then(|| self.idle_s.saturating_mul(1000)),
        }
    }

    /// As the engine wants it, with what `[tls]` says of the length of handshakes.
    pub fn bounds(&self, handshake_bytes: u32) -> TcpBounds {
        TcpBounds {
            unproven: self.unproven,
            unproven_per_worker: self.unproven_per_worker,
            give_way_ms: self.give_way_ms,
            handshake_bytes,
        }
    }
}
