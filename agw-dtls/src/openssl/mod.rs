//! The second engine, on OpenSSL: DTLS 1.2 with what the first lacks, that is RSA certificates, peers without the extended master secret, CBC suites and
//! `SRTP_AES128_CM_HMAC_SHA1_32`. The library's own timer runs on the machine's clock and begins with a second, so flights are sent again from
//! here, by the caller's clock. One thing only the library can say again: a client's Finished that arrived while its answer was lost; for
//! that it is asked each time ours runs out. A cookie and a certificate are always asked for, as by the first engine.

mod context;
mod failure;
mod wire;

use agw_tls::proof::RSA_BITS;
use agw_tls::{Identity, Role, TlsFailure};
use openssl::pkey::Id;
use openssl::srtp::SrtpProfileId;
use openssl::ssl::{Error, ErrorCode, SslStream};
use openssl::x509::X509Ref;
use zeroize::Zeroizing;

pub(crate) use context::Config;

use crate::engine::{DtlsEngine, Output, Version};
use crate::hello::hello_random;
use crate::keys::{EXPORTER_LABEL, SrtpKeys, SrtpProfile};
use wire::Wire;

/// A flight is sent again at most so often; the time for the whole handshake usually ends it first.
const MAX_RETRANSMISSIONS: u32 = 8;

/// Where the type and the number of a handshake message stand in a datagram that begins with one (see [`wire`]).
const MESSAGE_TYPE: usize = 13;
const MESSAGE_SEQUENCE: std::ops::Range<usize> = 17..19;
const HELLO_VERIFY_REQUEST: u8 = 3;

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Handshaking,
    /// Complete, and not yet told.
    Complete,
    /// And told, but the keys are not.
    Connected,
    Up,
}

/// One association.
pub(crate) struct OpensslEngine {
    stream: SslStream<Wire>,
    role: Role,
    phase: Phase,
    certificate_told: bool,
    peer_closed: bool,
    failed: Option<TlsFailure>,
    /// What may have to be sent again, and when, how often it has been, and after how long the next time.
    flight: Vec<Vec<u8>>,
    resend_us: Option<u64>,
    resent: u32,
    interval_us: u64,
    first_interval_us: u64,
    deadline_us: u64,
}

impl OpensslEngine {
    /// An engine that has just begun; a client has its ClientHello ready.
    pub(crate) fn new(
        config: &Config,
        role: Role,
        identity: &Identity,
        now_us: u64,
    ) -> Result<Self, TlsFailure> {
        let ssl = config.ssl(role, identity)?;
        let mut engine = Self {
            stream: SslStream::new(ssl, Wire::default()).map_err(|_| TlsFailure::Internal)?,
            role,
            phase: Phase::Handshaking,
            certificate_told: false,
            peer_closed: false,
            failed: None,
            flight: Vec::new(),
            resend_us: None,
            resent: 0,
            interval_us: config.retransmit_us,
            first_interval_us: config.retransmit_us,
            deadline_us: now_us.saturating_add(config.handshake_us),
        };
        if role == Role::Client {
            engine.advance(now_us);
        }
        engine.failed.map_or(Ok(engine), Err)
    }

    /// Lets the library go on with its handshake. What it then says is a flight.
    fn advance(&mut self, now_us: u64) {
        let said = self.stream.get_ref().outgoing.len();
        match self.stream.do_handshake() {
            Ok(()) if self.peer_certificate_is_missing() => self.failed = Some(TlsFailure::NoCertificate),
            Ok(()) => self.phase = Phase::Complete,
            Err(error) => self.failed = fatal(&error),
        }
        let wire = self.stream.get_mut();
        if wire.outgoing.len() > said {
            wire.flight_sent();
            self.flight = wire.outgoing.range(said..).cloned().collect();
            (self.resent, self.interval_us) = (0, self.first_interval_us);
            self.resend_us = Some(now_us.saturating_add(self.interval_us));
        }
        if self.phase != Phase::Handshaking || self.failed.is_some() {
            // The library remembers the last flight, and says it again when the peer repeats its own.
            (self.flight, self.resend_us) = (Vec::new(), None);
        }
    }

    /// Our timer has run out.
    fn resend(&mut self, now_us: u64) {
        let said = self.stream.get_ref().outgoing.len();
        let (resent, interval_us) = (self.resent + 1, self.interval_us.saturating_mul(2));
        self.advance(now_us);
        if self.failed.is_some() || self.phase != Phase::Handshaking {
            return;
        }
        let wire = self.stream.get_mut();
        if wire.outgoing.len() == said {
            wire.flight_sent();
            self.flight.iter().for_each(|datagram| wire.send_again(datagram));
        }
        (self.resent, self.interval_us) = (resent, interval_us);
        self.resend_us = (resent < MAX_RETRANSMISSIONS).then(|| now_us.saturating_add(interval_us));
    }

    fn peer_certificate_is_missing(&self) -> bool {
        self.stream.ssl().peer_certificate().is_none()
    }

    /// The peer's certificate, if it has come and has not been told.
    fn new_certificate(&mut self) -> Result<Option<Vec<u8>>, TlsFailure> {
        if self.certificate_told {
            return Ok(None);
        }
        let Some(certificate) = self.stream.ssl().peer_certificate() else { return Ok(None) };
        self.certificate_told = true;
        if !has_usable_key(&certificate) {
            return Err(TlsFailure::UnsupportedKey);
        }
        certificate.to_der().map(Some).map_err(|_| TlsFailure::MalformedCertificate)
    }

    /// What `use_srtp` agreed on, if the peer took part in it.
    fn keys(&self) -> Result<Option<SrtpKeys>, TlsFailure> {
        let ssl = self.stream.ssl();
        let Some(profile) = ssl.selected_srtp_profile().and_then(|profile| known(profile.id())) else {
            return Ok(None);
        };
        let mut material = Zeroizing::new(vec![0; profile.material_bytes()]);
        ssl.export_keying_material(&mut material, EXPORTER_LABEL, None).map_err(|_| TlsFailure::Internal)?;
        SrtpKeys::cut(profile, &material, self.role).map(Some).ok_or(TlsFailure::Internal)
    }
}

impl DtlsEngine for OpensslEngine {
    fn handle_datagram(&mut self, datagram: &[u8], now_us: u64) -> Result<(), TlsFailure> {
        let keyed = self.phase != Phase::Handshaking;
        if !keyed && wants_cookie_again(datagram, &self.flight) {
            let wire = self.stream.get_mut();
            self.flight.iter().for_each(|request| wire.send_again(request));
            return Ok(());
        }
        self.stream.get_mut().offer(datagram, keyed);
        if !keyed && self.failed.is_none() && self.stream.get_ref().has_incoming() {
            self.advance(now_us);
        }
        Ok(())
    }

    fn handle_timeout(&mut self, now_us: u64) -> Result<(), TlsFailure> {
        if self.phase != Phase::Handshaking || self.failed.is_some() {
            return Ok(());
        }
        if now_us >= self.deadline_us {
            return Err(TlsFailure::TimedOut);
        }
        if self.resend_us.is_some_and(|at_us| now_us >= at_us) {
            self.resend(now_us);
        }
        Ok(())
    }

    fn poll_output<'a>(&mut self, into: &'a mut [u8]) -> Result<Output<'a>, TlsFailure> {
        if let Some(certificate) = self.new_certificate()? {
            let to = into.get_mut(..certificate.len()).ok_or(TlsFailure::CertificatesTooLong)?;
            to.copy_from_slice(&certificate);
            return Ok(Output::Certificate(to));
        }
        loop {
            if let Some(datagram) = self.stream.get_mut().outgoing.pop_front() {
                let to = into.get_mut(..datagram.len()).ok_or(TlsFailure::Internal)?;
                to.copy_from_slice(&datagram);
                return Ok(Output::Datagram(to));
            }
            match (self.failed, self.phase) {
                (Some(failure), _) => return Err(failure),
                (None, Phase::Handshaking) => {
                    let wake_us = self.resend_us.unwrap_or(self.deadline_us).min(self.deadline_us);
                    return Ok(Output::Idle { wake_us: Some(wake_us) });
                }
                (None, Phase::Complete) => {
                    self.phase = Phase::Connected;
                    return Ok(Output::Connected);
                }
                (None, Phase::Connected) => {
                    self.phase = Phase::Up;
                    if let Some(keys) = self.keys()? {
                        return Ok(Output::Keys(keys));
                    }
                }
                (None, Phase::Up) if self.peer_closed => return Ok(Output::Idle { wake_us: None }),
                (None, Phase::Up) => match self.stream.ssl_read(into) {
                    Ok(len) => return Ok(Output::Data(&into[..len])),
                    Err(error) if error.code() == ErrorCode::ZERO_RETURN => {
                        self.peer_closed = true;
                        return Ok(Output::Closed);
                    }
                    Err(error) => {
                        self.failed = fatal(&error);
                        let idle = self.failed.is_none() && self.stream.get_ref().outgoing.is_empty();
                        if idle {
                            return Ok(Output::Idle { wake_us: None });
                        }
                    }
                },
            }
        }
    }

    fn send(&mut self, data: &[u8]) -> Result<usize, TlsFailure> {
        if self.phase != Phase::Up || data.is_empty() {
            return Ok(0);
        }
        self.stream.ssl_write(data).map_err(|error| failure::failure(&error))
    }

    fn close(&mut self) {
        if self.phase != Phase::Handshaking && self.failed.is_none() {
            let _ = self.stream.shutdown(); // It writes to memory; an error says that there is nothing left to close.
        }
    }

    fn version(&self) -> Option<Version> {
        (self.certificate_told || self.phase != Phase::Handshaking).then_some(Version::Dtls12)
    }
}

/// Whether a client that was asked for a cookie has not heard it and says its first hello again. Each is answered (RFC 6347 section 4.2.1), and the
/// library would take it for old.
fn wants_cookie_again(datagram: &[u8], flight: &[Vec<u8>]) -> bool {
    let is_first_hello =
        matches!(datagram.get(MESSAGE_SEQUENCE), Some([0, 0])) && hello_random(datagram).is_some();
    let asked =
        flight.first().is_some_and(|request| request.get(MESSAGE_TYPE) == Some(&HELLO_VERIFY_REQUEST));
    is_first_hello && asked
}

/// `None`: the library only waits.
fn fatal(error: &Error) -> Option<TlsFailure> {
    let waits = matches!(error.code(), ErrorCode::WANT_READ | ErrorCode::WANT_WRITE);
    (!waits).then(|| failure::failure(error))
}

/// Whether its key is one that may prove who the peer is: the library takes RSA keys of any length.
fn has_usable_key(certificate: &X509Ref) -> bool {
    certificate.public_key().is_ok_and(|key| match key.id() {
        Id::RSA => RSA_BITS.contains(&(key.bits() as usize)),
        Id::EC | Id::ED25519 => true,
        _ => false,
    })
}

fn known(profile: SrtpProfileId) -> Option<SrtpProfile> {
    match profile {
        SrtpProfileId::SRTP_AES128_CM_SHA1_80 => Some(SrtpProfile::Aes128CmHmacSha1_80),
        SrtpProfileId::SRTP_AES128_CM_SHA1_32 => Some(SrtpProfile::Aes128CmHmacSha1_32),
        SrtpProfileId::SRTP_AEAD_AES_128_GCM => Some(SrtpProfile::AeadAes128Gcm),
        SrtpProfileId::SRTP_AEAD_AES_256_GCM => Some(SrtpProfile::AeadAes256Gcm),
        _ => None,
    }
}
