//! What OpenSSL's reasons mean to the controller.

use agw_tls::TlsFailure;
use openssl::ssl::Error;

/// Numbers of OpenSSL's reasons (sslerr.h), which the library's binding does not name.
mod reason {
    pub(super) const NO_SUITABLE_KEY_SHARE: i32 = 101;
    pub(super) const NO_SUITABLE_SIGNATURE_ALGORITHM: i32 = 118;
    pub(super) const BAD_SIGNATURE: i32 = 123;
    pub(super) const NO_SHARED_CIPHER: i32 = 193;
    pub(super) const PEER_DID_NOT_RETURN_A_CERTIFICATE: i32 = 199;
    pub(super) const UNABLE_TO_FIND_PUBLIC_KEY_PARAMETERS: i32 = 239;
    pub(super) const UNKNOWN_CERTIFICATE_TYPE: i32 = 247;
    pub(super) const UNSUPPORTED_PROTOCOL: i32 = 258;
    pub(super) const NO_SUITABLE_GROUPS: i32 = 295;
    pub(super) const READ_TIMEOUT_EXPIRED: i32 = 312;
    pub(super) const WRONG_SIGNATURE_TYPE: i32 = 370;
    pub(super) const VERSION_TOO_LOW: i32 = 396;
    pub(super) const NO_SHARED_GROUPS: i32 = 410;
    /// Reasons from here on are alerts that came (SSL_AD_REASON_OFFSET).
    pub(super) const ALERTS: i32 = 1000;
}

pub(super) fn failure(error: &Error) -> TlsFailure {
    let Some(first) = error.ssl_error().and_then(|stack| stack.errors().first()) else {
        return TlsFailure::Misbehaved;
    };
    match first.reason_code() {
        alert @ reason::ALERTS..=1255 => TlsFailure::Alert((alert - reason::ALERTS) as u8),
        reason::UNSUPPORTED_PROTOCOL | reason::VERSION_TOO_LOW => TlsFailure::NoCommonVersion,
        reason::NO_SHARED_CIPHER
        | reason::NO_SUITABLE_KEY_SHARE
        | reason::NO_SUITABLE_SIGNATURE_ALGORITHM
        | reason::NO_SUITABLE_GROUPS
        | reason::WRONG_SIGNATURE_TYPE
        | reason::NO_SHARED_GROUPS => TlsFailure::NoCommonSuite,
        reason::PEER_DID_NOT_RETURN_A_CERTIFICATE => TlsFailure::NoCertificate,
        reason::UNKNOWN_CERTIFICATE_TYPE | reason::UNABLE_TO_FIND_PUBLIC_KEY_PARAMETERS => {
            TlsFailure::UnsupportedKey
        }
        reason::BAD_SIGNATURE => TlsFailure::NoProof,
        reason::READ_TIMEOUT_EXPIRED => TlsFailure::TimedOut,
        _ => TlsFailure::Misbehaved,
    }
}
