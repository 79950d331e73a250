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
    /// The peer's handshake is longer than we read of somebody who has not proven anything.
    HandshakeTooLong,
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

impl TlsFailure {
    /// One of every kind, in the order of [`TlsFailure::index`].
    pub const ALL: [Self; 20] = [
        Self::FingerprintMismatch,
        Self::FingerprintMissing,
        Self::FingerprintHash,
        Self::NoCertificate,
        Self::UnsupportedKey,
        Self::MalformedCertificate,
        Self::CertificatesTooLong,
        Self::NoProof,
        Self::NoCommonVersion,
        Self::NoCommonSuite,
        Self::Alert(0),
        Self::Misbehaved,
        Self::TimedOut,
        Self::Truncated,
        Self::UnknownPskIdentity,
        Self::PskMismatch,
        Self::PskUnsupported,
        Self::Renegotiation,
        Self::Internal,
        Self::HandshakeTooLong,
    ];

    /// What counts it: a place in a table and the name of that, the same for all alerts.
    const fn place(self) -> (usize, &'static str) {
        match self {
            Self::FingerprintMismatch => (0, "fingerprint_mismatch"),
            Self::FingerprintMissing => (1, "fingerprint_missing"),
            Self::FingerprintHash => (2, "fingerprint_hash"),
            Self::NoCertificate => (3, "no_certificate"),
            Self::UnsupportedKey => (4, "unsupported_key"),
            Self::MalformedCertificate => (5, "malformed_certificate"),
            Self::CertificatesTooLong => (6, "certificates_too_long"),
            Self::NoProof => (7, "no_proof"),
            Self::NoCommonVersion => (8, "no_common_version"),
            Self::NoCommonSuite => (9, "no_common_suite"),
            Self::Alert(_) => (10, "alert"),
            Self::Misbehaved => (11, "misbehaved"),
            Self::TimedOut => (12, "timed_out"),
            Self::Truncated => (13, "truncated"),
            Self::UnknownPskIdentity => (14, "unknown_psk_identity"),
            Self::PskMismatch => (15, "psk_mismatch"),
            Self::PskUnsupported => (16, "psk_unsupported"),
            Self::Renegotiation => (17, "renegotiation"),
            Self::Internal => (18, "internal"),
            Self::HandshakeTooLong => (19, "handshake_too_long"),
        }
    }

    /// Which kind it is, below the length of [`TlsFailure::ALL`].
    pub const fn index(self) -> usize {
        self.place().0
    }

    /// The label of a metric.
    pub const fn as_str(self) -> &'static str {
        self.place().1
    }
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
            Self::HandshakeTooLong => "the peer's handshake is longer than the gateway reads",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_place_and_a_label_of_its_own() {
        let mut labels: Vec<&str> = TlsFailure::ALL.iter().map(|failure| failure.as_str()).collect();
        assert!(TlsFailure::ALL.iter().enumerate().all(|(at, failure)| failure.index() == at));
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), TlsFailure::ALL.len());
    }
}
