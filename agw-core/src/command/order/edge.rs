//! What ends at a port besides media, so that a browser can be the phone: connectivity checks ([`IcePlan`]) and DTLS ([`DtlsPlan`]). Plans can be
//! compared and repeated; numbers in them grow where something is to begin anew. What must not be repeated, the certificate
//! with its key, comes once ([`DtlsMeans`]).

use crate::model::{Fingerprint, IceCredential};
use agw_srtp::Policy;
use agw_tls::Identity;
use std::net::SocketAddr;

/// What ends at the port of a flow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EdgePlan {
    /// Connectivity checks are answered, and decide where the peer is.
    pub ice: Option<IcePlan>,
    /// SRTP keys come from DTLS.
    pub dtls: Option<DtlsPlan>,
}

/// ICE-lite at a flow (RFC 8445).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IcePlan {
    /// Another one than before: ICE restarts with `own`.
    pub generation: u32,
    /// Our fragment and password.
    pub own: IceCredential,
    /// The peer's fragment, once it is known.
    pub peer_ufrag: Option<Box<str>>,
    /// Where the peer said that it is.
    pub candidates: Box<[SocketAddr]>,
    /// How long nobody's check may authenticate, once the peer's fragment is known, before that is told, once; checks are answered further on.
    pub wait_ms: u32,
}

/// DTLS at a flow (RFC 5764).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DtlsPlan {
    /// We are the client and begin as soon as there is a way to the peer (DTLS-2).
    pub client: bool,
    /// Another one than before: there is to be a new association; the keys of the old one work until it is proven (DTLS-4).
    pub association: u32,
    /// The peer's, as signalled; empty: not known yet.
    pub fingerprints: Vec<Fingerprint>,
    /// There are some, but of unknown hash functions only.
    pub unknown: bool,
}

/// With what DTLS is spoken.
#[derive(Debug)]
pub struct DtlsMeans {
    /// Versions, times and hash functions.
    pub profile: agw_dtls::Profile,
    /// How the SRTP sessions of its keys behave.
    pub policy: Policy,
    /// Our certificate (TLS-1).
    pub identity: Identity,
}
