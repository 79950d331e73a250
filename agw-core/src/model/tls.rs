//! TLS and DTLS at one stream: certificates proven by fingerprints (RFC 8122), or a pre-shared key. The types are agw-tls's own; they
//! are named here so that front ends need to see only the model.

pub use crate::flow::bfcp::BfcpError;
pub use crate::flow::msrp::MsrpError;
pub use agw_tls::{Fingerprint, HashFunction, PreSharedKey, TlsFailure};

/// The most fingerprints of one description; more are refused.
pub const MAX_FINGERPRINTS: usize = 8;

/// What the controller wants of TLS at one stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsSpec {
    /// We are the client and begin as soon as the transport is up (signal `tlsbsc/EstBNC`; TLS-4, TLS-5); an action: it is not kept with the
    /// specification, and without it we are the server. Once given it holds for the life of the stream.
    pub establish: bool,
    /// Hash functions with which our certificate's fingerprint is wanted (`a=fingerprint:SHA-256 $` in Local), in this order; told with
    /// [`LocalStream::fingerprints`](super::LocalStream::fingerprints).
    pub own: Vec<HashFunction>,
    /// The peer's (`a=fingerprint` in Remote); empty: not known yet. Of hash functions that we do not know nothing is kept.
    pub peer: Vec<Fingerprint>,
    /// Remote has fingerprints, but of unknown hash functions only: the peer cannot be proven.
    pub peer_unknown: bool,
    /// The association as the controller names it (`a=tls-id`, RFC 8842; DTLS-4): another one asks for a new handshake. For DTLS only.
    pub association: Option<Box<str>>,
    /// A pre-shared key instead of certificates (TLS-11).
    pub psk: Option<PreSharedKey>,
}

/// What became of a connection or a session, for `BNCChange` events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearer {
    /// It is up. For TLS: the peer has been proven.
    Established,
    /// It has ended in order.
    Released,
    /// It did not come about, or broke.
    Failed(BearerFailure),
}

/// Why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BearerFailure {
    /// The peer refused the connection.
    Refused,
    /// There is no way to the peer.
    Unreachable,
    /// The peer did not answer, or nobody came, in time.
    TimedOut,
    /// The peer reset it.
    Reset,
    /// Nothing came for too long.
    Idle,
    /// What came is not what the transport says: it cannot be told apart any more.
    Malformed(Malformation),
    /// The system refused: no descriptors, no memory.
    Resources,
    /// The other side of the context failed.
    OtherSide,
    /// TLS.
    Tls(TlsFailure),
}

/// What is wrong with the bytes that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformation {
    /// They are no MSRP, or over a limit.
    Msrp(MsrpError),
    /// They are no BFCP.
    Bfcp(BfcpError),
}

impl Malformation {
    /// One of every kind, in the order of [`Malformation::index`].
    pub const ALL: [Self; 8] = [
        Self::Msrp(MsrpError::StartLine),
        Self::Msrp(MsrpError::TransactionId),
        Self::Msrp(MsrpError::Header),
        Self::Msrp(MsrpError::LineTooLong),
        Self::Msrp(MsrpError::HeadersTooLong),
        Self::Msrp(MsrpError::ChunkTooLong),
        Self::Bfcp(BfcpError::Version(0)),
        Self::Bfcp(BfcpError::Primitive),
    ];

    /// What counts it: a place in a table and the name of that.
    const fn place(self) -> (usize, &'static str) {
        match self {
            Self::Msrp(MsrpError::StartLine) => (0, "start_line"),
            Self::Msrp(MsrpError::TransactionId) => (1, "transaction_id"),
            Self::Msrp(MsrpError::Header) => (2, "header"),
            Self::Msrp(MsrpError::LineTooLong) => (3, "line_too_long"),
            Self::Msrp(MsrpError::HeadersTooLong) => (4, "headers_too_long"),
            Self::Msrp(MsrpError::ChunkTooLong) => (5, "chunk_too_long"),
            Self::Bfcp(BfcpError::Version(_)) => (6, "version"),
            Self::Bfcp(BfcpError::Primitive) => (7, "primitive"),
        }
    }

    /// Which kind it is, below the length of [`Malformation::ALL`].
    pub const fn index(self) -> usize {
        self.place().0
    }

    /// The label of a metric.
    pub const fn as_str(self) -> &'static str {
        self.place().1
    }

    /// What the bytes should have been, as the label of a metric.
    pub const fn application(self) -> &'static str {
        match self {
            Self::Msrp(_) => "msrp",
            Self::Bfcp(_) => "bfcp",
        }
    }
}

impl std::fmt::Display for Malformation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Msrp(error) => error.fmt(f),
            Self::Bfcp(error) => error.fmt(f),
        }
    }
}

impl std::fmt::Display for BearerFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Refused => "the peer refused the connection",
            Self::Unreachable => "the peer cannot be reached",
            Self::TimedOut => "no connection in time",
            Self::Reset => "the peer reset the connection",
            Self::Idle => "nothing came for too long",
            Self::Malformed(malformation) => return malformation.fmt(f),
            Self::Resources => "the gateway is out of resources",
            Self::OtherSide => "the other side of the context failed",
            Self::Tls(failure) => return failure.fmt(f),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_malformation_has_a_place_and_labels_of_its_own() {
        let mut labels: Vec<_> = Malformation::ALL.map(|one| (one.application(), one.as_str())).to_vec();
        assert!(Malformation::ALL.iter().enumerate().all(|(at, one)| one.index() == at));
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), Malformation::ALL.len());
    }
}
