//! The engine on dimpl: DTLS 1.2 and 1.3 with ECDSA P-256 and P-384 certificates, ECDHE, AEAD and the extended master secret (RFC 7627), with
//! aws-lc below. What it cannot do: RSA, CBC, peers without the extended master secret, and `SRTP_AES128_CM_HMAC_SHA1_32`, which it never
//! offers. As a server it always asks for a cookie, so that who cannot receive at the peer's address cannot make us compute or remember
//! anything (RFC 6347 section 4.2.1), and always asks for a certificate.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use ::dimpl::{
    CertificateError, Config as LibraryConfig, Dtls, DtlsCertificate, Error, ProtocolVersion, SecurityError,
    SrtpProfile as LibraryProfile, UnexpectedMessageError,
};
use agw_tls::{Identity, Role, TlsFailure};

use crate::engine::{DtlsEngine, Output, Version};
use crate::keys::{SrtpKeys, SrtpProfile};
use crate::settings::{Settings, SettingsError};

/// The profiles that dimpl can agree on, its favourite first; it offers them all.
pub(crate) const PROFILES: [SrtpProfile; 3] =
    [SrtpProfile::AeadAes256Gcm, SrtpProfile::AeadAes128Gcm, SrtpProfile::Aes128CmHmacSha1_80];

/// The cipher suites of DTLS 1.2 that dimpl has: ECDHE_ECDSA with AES_256_GCM, AES_128_GCM and CHACHA20_POLY1305.
#[cfg(feature = "openssl")]
pub(crate) const SUITES: [[u8; 2]; 3] = [[0xc0, 0x2c], [0xc0, 0x2b], [0xcc, 0xa9]];
/// The signature algorithms of DTLS 1.2 that dimpl has: ECDSA with SHA-256 and SHA-384.
#[cfg(feature = "openssl")]
pub(crate) const SIGNATURES: [[u8; 2]; 2] = [[4, 3], [5, 3]];

/// Datagrams that wait to be put in order, per session.
const MAX_RECEIVED: usize = 16;
/// Datagrams of the flight that may have to be sent again, per session.
const MAX_FLIGHT: usize = 16;
/// How often a flight is sent again; the time for the whole handshake usually ends it first.
const MAX_RETRANSMISSIONS: usize = 8;

/// The library is not asked sooner than this after it was asked last, in microseconds. Where a record of DTLS 1.3 is missing, dimpl 0.9 wants to
/// acknowledge what it has at once, and again at once, without end: obeyed, that is a storm of datagrams until the gap closes.
const MIN_TIMER_US: u64 = 50_000;

/// The library's configuration, shared by all engines.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    library: Arc<LibraryConfig>,
    versions: (bool, bool),
}

impl Config {
    pub(crate) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let mut builder = LibraryConfig::builder()
            .mtu(settings.mtu_bytes)
            .max_queue_rx(MAX_RECEIVED)
            .max_queue_tx(MAX_FLIGHT)
            .require_client_certificate(true)
            .use_server_cookie(true)
            .flight_start_rto(Duration::from_millis(settings.retransmit_ms.into()))
            .flight_retries(MAX_RETRANSMISSIONS)
            .handshake_timeout(Duration::from_millis(settings.handshake_ms.into()));
        if let Some(seed) = settings.seed {
            builder = builder.dangerously_set_rng_seed(seed);
        }
        let library = builder.build().map_err(|_| SettingsError::Library)?;
        Ok(Self { library: Arc::new(library), versions: (settings.dtls12, settings.dtls13) })
    }
}

/// One association.
pub(crate) struct DimplEngine {
    dtls: Dtls,
    role: Role,
    connected: bool,
    /// No timer fires before.
    not_before_us: u64,
}

impl DimplEngine {
    /// An engine that has just begun; a client has its ClientHello ready.
    pub(crate) fn new(
        config: &Config,
        role: Role,
        identity: &Identity,
        now_us: u64,
    ) -> Result<Self, TlsFailure> {
        let library = config.library.clone();
        let identity = DtlsCertificate {
            certificate: identity.certificate().to_vec(),
            private_key: identity.private_key().to_vec(),
        };
        let now = instant(now_us);
        let mut dtls = match config.versions {
            (true, true) => Dtls::new_auto(library, identity, now),
            (false, _) => Dtls::new_13(library, identity, now),
            (true, false) => Dtls::new_12(library, identity, now),
        };
        dtls.set_active(role == Role::Client);
        dtls.handle_timeout(now).map_err(failure)?;
        Ok(Self { dtls, role, connected: false, not_before_us: 0 })
    }
}

impl DtlsEngine for DimplEngine {
    fn handle_datagram(&mut self, datagram: &[u8], now_us: u64) -> Result<(), TlsFailure> {
        self.dtls.handle_timeout(instant(now_us)).map_err(failure)?;
        match self.dtls.handle_packet(datagram) {
            // A client that offers both versions looks at the answer before it looks whether it is one; the library's state is
            // as it was, so noise stays noise.
            Err(Error::UnexpectedMessage(UnexpectedMessageError::UnrecognizedAutoServerResponse)) => Ok(()),
            other => other.map_err(failure),
        }
    }

    fn handle_timeout(&mut self, now_us: u64) -> Result<(), TlsFailure> {
        if now_us < self.not_before_us {
            return Ok(());
        }
        self.not_before_us = now_us.saturating_add(MIN_TIMER_US);
        self.dtls.handle_timeout(instant(now_us)).map_err(failure)
    }

    fn poll_output<'a>(&mut self, into: &'a mut [u8]) -> Result<Output<'a>, TlsFailure> {
        use ::dimpl::Output as Said;
        loop {
            return Ok(match self.dtls.poll_output(into) {
                Said::Packet(datagram) => {
                    let len = datagram.len();
                    Output::Datagram(&into[..len])
                }
                Said::PeerCert(certificate) => {
                    let len = certificate.len();
                    Output::Certificate(&into[..len])
                }
                Said::ApplicationData(data) => {
                    let len = data.len();
                    Output::Data(&into[..len])
                }
                Said::Connected => {
                    self.connected = true;
                    Output::Connected
                }
                Said::KeyingMaterial(material, profile) => {
                    let keys = SrtpKeys::cut(known(profile)?, &material, self.role);
                    Output::Keys(keys.ok_or(TlsFailure::Internal)?)
                }
                Said::CloseNotify => Output::Closed,
                Said::Timeout(at) => {
                    Output::Idle { wake_us: microseconds(at).map(|at_us| at_us.max(self.not_before_us)) }
                }
                Said::BufferTooSmall { .. } => return Err(TlsFailure::MalformedCertificate),
                _ => continue,
            });
        }
    }

    fn send(&mut self, data: &[u8]) -> Result<usize, TlsFailure> {
        if !self.connected {
            return Ok(0);
        }
        self.dtls.send_application_data(data).map_err(failure)
    }

    fn close(&mut self) {
        // An error says that there is nothing left to close.
        let _ = self.dtls.close();
    }

    fn version(&self) -> Option<Version> {
        match self.dtls.protocol_version()? {
            ProtocolVersion::DTLS1_2 => Some(Version::Dtls12),
            ProtocolVersion::DTLS1_3 => Some(Version::Dtls13),
            _ => None,
        }
    }
}

fn known(profile: LibraryProfile) -> Result<SrtpProfile, TlsFailure> {
    match profile {
        LibraryProfile::AES128_CM_SHA1_80 => Ok(SrtpProfile::Aes128CmHmacSha1_80),
        LibraryProfile::AEAD_AES_128_GCM => Ok(SrtpProfile::AeadAes128Gcm),
        LibraryProfile::AEAD_AES_256_GCM => Ok(SrtpProfile::AeadAes256Gcm),
        _ => Err(TlsFailure::Internal),
    }
}

/// The library counts in the standard library's instants, which cannot be made without one. This one is an arbitrary origin that is never
/// compared with the present: only differences count, and those are the caller's.
fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

fn instant(now_us: u64) -> Instant {
    origin() + Duration::from_micros(now_us)
}

/// `None` for the library's "never", which lies years ahead.
fn microseconds(at: Instant) -> Option<u64> {
    const NEVER: Duration = Duration::from_secs(365 * 24 * 3600);
    let after = at.checked_duration_since(origin())?;
    (after < NEVER).then(|| u64::try_from(after.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX))
}

fn failure(error: Error) -> TlsFailure {
    match error {
        Error::Timeout(_) => TlsFailure::TimedOut,
        Error::RenegotiationAttempt => TlsFailure::Renegotiation,
        Error::ConnectionClosed => TlsFailure::Truncated,
        Error::CertificateError(error) => match error {
            CertificateError::NoServerCertificateReceived | CertificateError::NoClientCertificateReceived => {
                TlsFailure::NoCertificate
            }
            CertificateError::UnsupportedHashAlgorithm(_)
            | CertificateError::MissingEcCurveParameter
            | CertificateError::InvalidEcCurveParameter
            | CertificateError::UnsupportedEcCurve => TlsFailure::UnsupportedKey,
            CertificateError::ParseFailed | CertificateError::InvalidSubjectPublicKey => {
                TlsFailure::MalformedCertificate
            }
            _ => TlsFailure::Misbehaved,
        },
        Error::SecurityError(error) => match error {
            SecurityError::FatalAlert { description, .. } => TlsFailure::Alert(description),
            SecurityError::UnsupportedServerVersion(_)
            | SecurityError::UnsupportedClientVersion(_)
            | SecurityError::ClientHelloMissingDtls13SupportedVersions
            | SecurityError::ServerDidNotNegotiateDtls13 => TlsFailure::NoCommonVersion,
            SecurityError::NoMutuallyAcceptableCipherSuite
            | SecurityError::NoCommonCipherSuite
            | SecurityError::NoCommonKeyExchangeGroup
            | SecurityError::ExtendedMasterSecretNotNegotiated => TlsFailure::NoCommonSuite,
            _ => TlsFailure::Misbehaved,
        },
        Error::InvalidState(_) | Error::ConfigError(_) => TlsFailure::Internal,
        _ => TlsFailure::Misbehaved,
    }
}
