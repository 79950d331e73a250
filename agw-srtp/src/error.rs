//! Why a packet was not protected or not accepted. Each variant is a drop reason with a fixed label, so that the
//! caller counts it without a table of its own; none of them ever carries packet contents or keys.

use thiserror::Error;

/// Why one packet was dropped. State is as it was before the packet, except for counters of failures.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Error)]
pub enum Error {
    /// Shorter than the fixed header and the fields that the session requires.
    #[error("packet is too short")]
    TooShort,
    /// Not version 2, longer than 65,535 bytes, or a header that runs past the end.
    #[error("packet is malformed")]
    Malformed,
    /// The authentication tag does not match.
    #[error("authentication failed")]
    AuthFailed,
    /// A packet of this index was accepted before.
    #[error("packet was received before")]
    Replayed,
    /// The index lies behind the replay window.
    #[error("packet is older than the replay window")]
    TooOld,
    /// No master key has the identifier that the packet carries.
    #[error("no master key has this MKI")]
    UnknownMki,
    /// The lifetime of the master key is over (SRTP-6).
    #[error("the lifetime of the master key is over")]
    KeyExpired,
    /// The table of SSRCs is full; entries are never evicted (SRTP-13).
    #[error("too many SSRCs in this session")]
    TooManyStreams,
    /// The buffer has no room for the tag and its companions.
    #[error("no room for the authentication tag")]
    NoRoom,
    /// The outbound index was used before and would reuse key stream (SRTP-13).
    #[error("outbound index was used before")]
    IndexReused,
    /// The SRTCP E flag contradicts the session parameters (RFC 4568 section 6.3.2).
    #[error("SRTCP encryption flag contradicts the session")]
    EncryptionMismatch,
    /// Authentic, but under a restarted ROC that the guard has not accepted yet (SRTP-14).
    #[error("a restarted rollover counter is on probation")]
    RestartPending,
    /// The session moved on since the packet was planned: plan, run and commit this packet again. It is untouched.
    #[error("plan the packet again")]
    Replan,
    /// The job was committed without having been run.
    #[error("the job was not run")]
    NotRun,
}

impl Error {
    /// Every variant, for those who make one counter per reason.
    pub const ALL: [Error; 14] = [
        Error::TooShort,
        Error::Malformed,
        Error::AuthFailed,
        Error::Replayed,
        Error::TooOld,
        Error::UnknownMki,
        Error::KeyExpired,
        Error::TooManyStreams,
        Error::NoRoom,
        Error::IndexReused,
        Error::EncryptionMismatch,
        Error::RestartPending,
        Error::Replan,
        Error::NotRun,
    ];

    /// The metric label of this reason.
    pub const fn as_str(self) -> &'static str {
        match self {
            Error::TooShort => "srtp_too_short",
            Error::Malformed => "srtp_malformed",
            Error::AuthFailed => "srtp_auth_failed",
            Error::Replayed => "srtp_replayed",
            Error::TooOld => "srtp_too_old",
            Error::UnknownMki => "srtp_unknown_mki",
            Error::KeyExpired => "srtp_key_expired",
            Error::TooManyStreams => "srtp_too_many_streams",
            Error::NoRoom => "srtp_no_room",
            Error::IndexReused => "srtp_index_reused",
            Error::EncryptionMismatch => "srtp_encryption_mismatch",
            Error::RestartPending => "srtp_restart_pending",
            Error::Replan => "srtp_replan",
            Error::NotRun => "srtp_not_run",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_label_of_its_own() {
        let mut labels: Vec<_> = Error::ALL.iter().map(|error| error.as_str()).collect();
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), Error::ALL.len());
    }
}
