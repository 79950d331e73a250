//! One DTLS-SRTP association with a peer that is who its fingerprint says (DTLS-1). A certificate is judged as soon as both it and the signalled
//! fingerprints are there, whichever came last: before the handshake can end, where possible. Keys leave only when the handshake is complete and
//! the certificate has been found right; a wrong one ends the association with one event and no keys (DTLS-3). Fingerprints that come
//! late hold the keys back for a limited time (TLS-2).

use agw_tls::{Fingerprint, HashFunction, Identity, Role, TlsFailure};

use crate::caller::Caller;
use crate::engine::{DtlsEngine, MAX_OUTPUT_BYTES, Output, Version};
use crate::hello::hello_random;
use crate::keys::SrtpKeys;
use crate::lobby::Lobby;
use crate::settings::Profile;

/// What the owner of a session has to do next.
#[derive(Debug)]
pub enum Step<'a> {
    /// Send this to the peer as one datagram.
    Datagram(&'a [u8]),
    /// The peer is proven: use these keys from now on. Once.
    Established(SrtpKeys),
    /// Application data of the proven peer.
    Data(&'a [u8]),
    /// It failed, for good. Once; nothing comes after it.
    Failed(TlsFailure),
    /// The peer closed in order. Once; nothing comes after it.
    Closed,
    /// Nothing now; [`Session::handle_timeout`] is wanted at this time, in microseconds.
    Idle {
        /// `None`: no timer runs.
        wake_us: Option<u64>,
    },
}

/// How far it is.
enum Phase {
    /// The handshake runs.
    Handshaking,
    /// The handshake is complete, and the certificate has not been judged.
    Unproven { until_us: u64 },
    /// The keys have been handed out.
    Established,
    /// It has failed and says goodbye; then the failure is told.
    Failing(TlsFailure, Farewell),
    /// Nothing more.
    Over,
}

/// How a failing association says goodbye.
enum Farewell {
    /// With an alert of our own making: the engine is in the middle of a handshake.
    Alert,
    /// With what the engine still has to say.
    Engine,
    /// It has been said, or cannot be.
    Said,
}

/// One association.
pub struct Session {
    engine: Box<dyn DtlsEngine>,
    phase: Phase,
    certificate: Option<Box<[u8]>>,
    signalled: Vec<Fingerprint>,
    allowed: Box<[HashFunction]>,
    proven: bool,
    keys: Option<SrtpKeys>,
    profile: Profile,
    now_us: u64,
}

impl Session {
    /// A session that begins now; a client's first datagram is ready.
    ///
    /// # Errors
    /// The certificate's key is none that the library can use.
    pub fn new(profile: &Profile, role: Role, identity: &Identity, now_us: u64) -> Result<Self, TlsFailure> {
        let engine: Box<dyn DtlsEngine> = match role {
            Role::Client => Box::new(Caller::new(&profile.engines, identity, now_us)?),
            Role::Server => {
                let handshake_us = u64::from(profile.settings().handshake_ms) * 1000;
                Box::new(Lobby::new(&profile.engines, identity, handshake_us))
            }
        };
        Ok(Self {
            engine,
            phase: Phase::Handshaking,
            certificate: None,
            signalled: Vec::new(),
            allowed: profile.settings().fingerprint_hashes.clone().into(),
            proven: false,
            keys: None,
            profile: profile.clone(),
            now_us,
        })
    }

    /// The peer's fingerprints have been signalled. Ignored once the peer is proven: other fingerprints ask for another association
    /// (RFC 8842 section 5; DTLS-4).
    pub fn expect(&mut self, signalled: &[Fingerprint]) {
        if !self.proven {
            self.signalled = signalled.to_vec();
            self.judge();
        }
    }

    /// Takes a datagram from the peer's address.
    pub fn handle_datagram(&mut self, datagram: &[u8], now_us: u64) {
        self.now_us = now_us;
        // No ClientHello belongs to a handshake that is complete; a new association is asked for over Iq (DTLS-4), not by a datagram.
        if !self.is_handshaking() && hello_random(datagram).is_some() {
            return;
        }
        if self.is_live()
            && let Err(failure) = self.engine.handle_datagram(datagram, now_us)
        {
            self.fail(failure, Farewell::Said);
        }
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now_us: u64) {
        self.now_us = now_us;
        if !self.is_live() {
            return;
        }
        match self.phase {
            Phase::Unproven { until_us } if now_us >= until_us => self.refuse(TlsFailure::FingerprintMissing),
            _ => {
                if let Err(failure) = self.engine.handle_timeout(now_us) {
                    self.fail(failure, Farewell::Said);
                }
            }
        }
    }

    /// The next thing to do; called until it is [`Step::Idle`]. `into` has room for [`MAX_OUTPUT_BYTES`].
    pub fn poll<'a>(&mut self, into: &'a mut [u8]) -> Step<'a> {
        debug_assert!(into.len() >= MAX_OUTPUT_BYTES, "room for a certificate");
        loop {
            if self.proven
                && matches!(self.phase, Phase::Unproven { .. })
                && let Some(keys) = self.keys.take()
            {
                self.phase = Phase::Established;
                self.signalled = Vec::new();
                self.certificate = None;
                return Step::Established(keys);
            }
            match self.phase {
                Phase::Over => return Step::Idle { wake_us: None },
                Phase::Failing(failure, Farewell::Said) => {
                    self.phase = Phase::Over;
                    return Step::Failed(failure);
                }
                Phase::Failing(failure, Farewell::Alert) => {
                    self.phase = Phase::Failing(failure, Farewell::Said);
                    let alert = into.split_at_mut(BAD_CERTIFICATE.len()).0;
                    alert.copy_from_slice(&BAD_CERTIFICATE);
                    return Step::Datagram(alert);
                }
                _ => {}
            }
            match self.engine.poll_output(into) {
                Err(failure) => self.fail(failure, Farewell::Said),
                Ok(Output::Datagram(datagram)) => {
                    let len = datagram.len();
                    return Step::Datagram(&into[..len]);
                }
                Ok(Output::Data(data)) => {
                    let len = data.len();
                    if matches!(self.phase, Phase::Established) {
                        return Step::Data(&into[..len]);
                    }
                }
                Ok(Output::Certificate(certificate)) => {
                    // Of another handshake than the one before, where an engine has begun anew.
                    self.proven = false;
                    self.certificate = Some(certificate.into());
                    self.judge();
                }
                Ok(Output::Keys(keys)) if self.profile.settings().profiles.contains(&keys.profile()) => {
                    self.keys = Some(keys);
                }
                // The library offered it, we do not want it.
                Ok(Output::Keys(_)) => {}
                Ok(Output::Connected) => {
                    if matches!(self.phase, Phase::Handshaking) {
                        let wait_us = u64::from(self.profile.settings().fingerprint_wait_ms) * 1000;
                        self.phase = Phase::Unproven { until_us: self.now_us.saturating_add(wait_us) };
                    }
                }
                Ok(Output::Closed) => {
                    if !matches!(self.phase, Phase::Failing(..)) {
                        self.phase = Phase::Over;
                        return Step::Closed;
                    }
                }
                Ok(Output::Idle { wake_us }) => match self.phase {
                    Phase::Failing(failure, _) => self.phase = Phase::Failing(failure, Farewell::Said),
                    // The peer did not take part in use_srtp, so there is nothing to protect media with (RFC 5764 section 4.1).
                    Phase::Unproven { .. } if self.keys.is_none() => self.refuse(TlsFailure::NoCommonSuite),
                    Phase::Unproven { until_us } => {
                        return Step::Idle {
                            wake_us: Some(wake_us.map_or(until_us, |wake| wake.min(until_us))),
                        };
                    }
                    _ => return Step::Idle { wake_us },
                },
            }
        }
    }

    /// Takes application data, all or nothing; 0 before the peer is proven.
    ///
    /// # Errors
    /// The association has failed.
    pub fn send(&mut self, data: &[u8]) -> Result<usize, TlsFailure> {
        if matches!(self.phase, Phase::Established) { self.engine.send(data) } else { Ok(0) }
    }

    /// Ends it in order; what [`poll`](Self::poll) says after that is the goodbye.
    pub fn close(&mut self) {
        if self.is_live() {
            self.engine.close();
        }
    }

    /// Whether a datagram may still cost a public-key operation: the owner has a budget for those.
    pub const fn is_handshaking(&self) -> bool {
        matches!(self.phase, Phase::Handshaking)
    }

    /// Whether the keys have been handed out and it has not ended since.
    pub const fn is_established(&self) -> bool {
        matches!(self.phase, Phase::Established)
    }

    /// The agreed version; `None` before it is known.
    pub fn version(&self) -> Option<Version> {
        self.engine.version()
    }

    const fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Handshaking | Phase::Unproven { .. } | Phase::Established)
    }

    /// Judges the certificate, if it and the fingerprints are there.
    fn judge(&mut self) {
        let Some(certificate) = &self.certificate else { return };
        if self.signalled.is_empty() || !self.is_live() {
            return;
        }
        match agw_tls::judge(certificate, &self.signalled, &self.allowed) {
            Ok(()) => self.proven = true,
            Err(failure) => self.refuse(failure),
        }
    }

    /// We end it, and tell the peer where that is possible.
    fn refuse(&mut self, failure: TlsFailure) {
        let farewell = match self.phase {
            // Once DTLS 1.3 has keys, an alert in the clear is no alert; the library makes none in a handshake.
            Phase::Handshaking if self.engine.version() == Some(Version::Dtls13) => Farewell::Said,
            Phase::Handshaking => Farewell::Alert,
            _ => {
                self.engine.close();
                Farewell::Engine
            }
        };
        self.fail(failure, farewell);
    }

    fn fail(&mut self, failure: TlsFailure, farewell: Farewell) {
        self.keys = None;
        self.phase = match self.phase {
            // The first failure is the one to tell.
            Phase::Failing(first, _) => Phase::Failing(first, Farewell::Said),
            Phase::Over => Phase::Over,
            _ => Phase::Failing(failure, farewell),
        };
    }
}

/// A fatal alert bad_certificate (RFC 8122 section 6.2) of DTLS 1.2, epoch 0, with a sequence number that no handshake reaches: the last word of an
/// association that ends while its records are still in the clear.
///
/// ```text
/// | type 21 | version 254.253 | epoch (2) | sequence number (6) | length (2) | level 2 | description 42 |
/// ```
const BAD_CERTIFICATE: [u8; 15] = [21, 254, 253, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 2, 2, 42];
