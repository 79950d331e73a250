//! Why a TLS or DTLS session did not come about, or ended badly: one small value that a worker can pass on, and the words for the controller.

use std::fmt;

/// Why a session failed. The words never hold key material.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsFailure {
    /// The peer's certificate has none of the signalled fingerprints (RFC 8122 section 5; TLS-3).
    FingerprintMismatch,
    /// No fingerprint was signalled in time (TLS-2).
    FingerprintMissing,
    /// The signalled fingerprints use only hash functions that are unknown or not allowed (TLS-2).
    FingerprintHash,
    /// The peer showed no certificate.
    NoCertificate,
    /// The peer's certificate has a key of a type that we cannot check.
    UnsupportedKey,
    /// The peer's certificate is no certificate.
    MalformedCertificate,
    /// The peer's certificates are longer than we keep.
    CertificatesTooLong,
    /// The peer did not prove that it has the certificate's key.
    NoProof,
    /// No version of TLS that both sides allow.
    NoCommonVersion,
    /// No cipher suite, group or signature scheme that both sides allow.
    NoCommonSuite,
    /// The peer ended it with a fatal alert of this number (RFC 8446 section 6).
    Alert(u8),
    /// What the peer sent is no TLS, or not in order.
    Misbehaved,
    /// The handshake took too long.
    TimedOut,
    /// The transport ended before the session did (RFC 8446 section 6.1).
    Truncated,
    /// The identity of the pre-shared key is not the one that was given.
    UnknownPskIdentity,
    /// The peer's pre-shared key is another one, or what it sent to prove it was changed (TLS-11).
    PskMismatch,
    /// A pre-shared key was given, and the gateway is built without TLS for those.
    PskUnsupported,
    /// The peer asked for a renegotiation.
    Renegotiation,
    /// Our own fault.
    Internal,
}

impl fmt::Display for TlsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FingerprintMismatch => "the peer's certificate has none of the signalled fingerprints",
            Self::FingerprintMissing => "no fingerprint of the peer was signalled in time",
            Self::FingerprintHash => "no signalled fingerprint uses a hash function that is allowed",
            Self::NoCertificate => "the peer showed no certificate",
            Self::UnsupportedKey => "the peer's certificate has a key of a type that cannot be checked",
            Self::MalformedCertificate => "the peer's certificate cannot be read",
            Self::CertificatesTooLong => "the peer's certificates are longer than the gateway reads",
            Self::NoProof => "the peer did not prove that it has the certificate's key",
            Self::NoCommonVersion => "no version of TLS in common",
            Self::NoCommonSuite => "no cipher suite, group or signature scheme in common",
            Self::Alert(number) => return write!(f, "the peer sent alert {number}"),
            Self::Misbehaved => "the peer broke the protocol",
            Self::TimedOut => "the handshake took too long",
            Self::Truncated => "the connection ended before the session did",
            Self::UnknownPskIdentity => "the identity of the pre-shared key is unknown",
            Self::PskMismatch => "the peer has another pre-shared key",
            Self::PskUnsupported => "the gateway is built without TLS with pre-shared keys",
            Self::Renegotiation => "the peer asked for a renegotiation",
            Self::Internal => "a fault of the gateway",
        })
    }
}

impl std::error::Error for TlsFailure {}
