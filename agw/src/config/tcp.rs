//! `[tcp]`: how long things may take on connections of media (MSRP, BFCP and whatever else is relayed over TCP).

use agw_core::command::order::TcpTimes;
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
}

impl Default for Tcp {
    fn default() -> Self {
        let TcpTimes { connect_ms, handshake_ms, accept_ms, linger_ms, idle_ms, .. } = TcpTimes::default();
        Self { connect_ms, handshake_ms, accept_ms, linger_ms, idle_s: idle_ms.unwrap_or(0) / 1000 }
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
}
