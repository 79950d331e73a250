//! A termination: one end of a context, at the access or the core side (H.248.1 section 6.2).

use super::address::RealmName;
use super::ice::IceCredential;
use super::stream::StreamId;
use super::tls::Fingerprint;
use std::fmt;
use std::net::SocketAddr;

/// The number of a termination, unique in the gateway and not used again soon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TerminationId(pub u32);

impl TerminationId {
    /// The greatest that is given out: 21 bits, so that a binary identifier of four octets has room for it beside its other fields,
    /// and more than two for each of a million contexts.
    pub const MAX: TerminationId = TerminationId(0x1f_ffff);
}

impl fmt::Display for TerminationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the gateway gave a stream: the addresses that its peer shall send to (the advertised ones, where the realm has
/// such).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalStream {
    /// The stream.
    pub stream: StreamId,
    /// The pool that the ports came from.
    pub realm: RealmName,
    /// Where RTP (or the datagrams of an opaque stream) is received.
    pub rtp: SocketAddr,
    /// Where RTCP is received: a port of its own, RTP's when multiplexed, or nowhere.
    pub rtcp: Option<SocketAddr>,
    /// Our certificate's, one for each hash function that was asked for.
    pub fingerprints: Vec<Fingerprint>,
    /// Our fragment and password of ICE, where they were asked for. Candidates are the addresses above.
    pub ice: Option<Box<IceCredential>>,
    /// Our path of MSRP, where one was asked for: `msrp(s)://ADDRESS:PORT/<id>;tcp`.
    pub msrp_path: Option<Box<str>>,
}

/// A termination as it stands after a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TerminationView {
    /// Which one.
    pub id: TerminationId,
    /// Its streams, by number.
    pub streams: Vec<LocalStream>,
}
