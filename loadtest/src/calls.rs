//! The calls of a run: what is asked of the gateway for each, and what came of it.

use std::fmt;
use std::net::SocketAddr;
use zeroize::Zeroizing;

/// The most calls of one run: what the payload stamp and the SSRC can name.
pub const MAX_CALLS: u32 = 1 << 24;

/// The value of an `a=crypto` attribute. Never printed by `Debug`, wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Crypto(Zeroizing<String>);

impl Crypto {
    /// Takes the text of the attribute's value.
    pub fn new(value: String) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The text, for the message that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Crypto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Crypto(***)")
    }
}

/// The SDES keys of the access side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallKeys {
    /// What the access end protects with.
    pub to_gateway: Crypto,
    /// What the gateway is to protect with. A protocol in which the gateway chooses its own key ignores it.
    pub from_gateway: Crypto,
}

/// A call that is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallPlan {
    /// Its number in the run, below [`MAX_CALLS`].
    pub call: u32,
    /// Where the access end (the phone) sends from and listens.
    pub access: SocketAddr,
    /// Where the core end sends from and listens.
    pub core: SocketAddr,
    /// SRTP on the access side; `None`: plain RTP on both sides.
    pub keys: Option<CallKeys>,
}

/// A call that the gateway has set up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Established {
    /// Its number in the run.
    pub call: u32,
    /// The gateway's address towards the access end.
    pub access: SocketAddr,
    /// The gateway's address towards the core end.
    pub core: SocketAddr,
    /// What the gateway protects with towards the access end, if it protects.
    pub from_gateway: Option<Crypto>,
}
