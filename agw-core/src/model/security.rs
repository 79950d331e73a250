//! Keys and who they are for. The attribute type is agw-srtp's own; it is named here so that front ends need to see only the
//! model.

pub use agw_srtp::sdes::{CryptoAttribute, SdesError};

/// Which way packets travel, seen from the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the peer to us.
    Inbound,
    /// From us to the peer.
    Outbound,
}

/// The SDES keys of one stream (SRTP-1, SRTP-8): either may come before the other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Security {
    /// Local's `a=crypto`: protects what we send (TS 33.328; requirement SRTP-2).
    pub local: Option<CryptoAttribute>,
    /// Remote's `a=crypto`: checks what we receive.
    pub remote: Option<CryptoAttribute>,
}

impl Security {
    /// Whether no key has been given at all.
    pub fn is_none(&self) -> bool {
        self.local.is_none() && self.remote.is_none()
    }
}
