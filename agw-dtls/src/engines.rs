//! Which library ends an association. The first, dimpl, is the faster and the only one with DTLS 1.3; the second, OpenSSL, has what the first lacks.
//! By [`Engine::Auto`] a server goes by the ClientHello. What a hello does not say (that the client's certificate has an RSA key, say) shows
//! in the handshake: then the peer is told that it failed, and the next one is the second library's.

use agw_tls::{Identity, Role, TlsFailure};

use crate::dimpl::{self, DimplEngine};
use crate::engine::DtlsEngine;
#[cfg(feature = "openssl")]
use crate::openssl::{self, OpensslEngine};
use crate::settings::{Engine, Settings, SettingsError};

/// A library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Library {
    Dimpl,
    #[cfg(feature = "openssl")]
    Openssl,
}

/// The libraries that the settings allow, ready for use.
#[derive(Debug, Clone)]
pub(crate) struct Engines {
    /// `None`: never this one.
    dimpl: Option<dimpl::Config>,
    #[cfg(feature = "openssl")]
    openssl: Option<openssl::Config>,
    #[cfg(feature = "openssl")]
    choice: choice::Choice,
}

impl Engines {
    pub(crate) fn new(settings: &Settings) -> Result<Self, SettingsError> {
        let knows = |profile| dimpl::PROFILES.contains(profile);
        let dimpl = match settings.engine {
            Engine::Openssl => None,
            Engine::Auto | Engine::Dimpl => settings.profiles.iter().any(knows).then_some(settings),
        };
        let dimpl = dimpl.map(dimpl::Config::new).transpose()?;
        #[cfg(feature = "openssl")]
        {
            let wanted = settings.engine != Engine::Dimpl && settings.dtls12 && !settings.profiles.is_empty();
            let openssl = wanted.then(|| openssl::Config::new(settings)).transpose();
            let openssl = openssl.map_err(|_| SettingsError::Library)?;
            match (&dimpl, &openssl) {
                (None, None) if !settings.dtls12 => Err(SettingsError::NoVersion),
                (None, None) => Err(SettingsError::NoProfile),
                _ => Ok(Self { dimpl, openssl, choice: choice::Choice::new(settings) }),
            }
        }
        #[cfg(not(feature = "openssl"))]
        match (dimpl, settings.engine) {
            (_, Engine::Openssl) => Err(SettingsError::EngineMissing),
            (None, _) => Err(SettingsError::NoProfile),
            (dimpl, _) => Ok(Self { dimpl }),
        }
    }

    /// What a client begins with, and a server with a hello that does not say more.
    pub(crate) const fn first(&self) -> Library {
        #[cfg(feature = "openssl")]
        if self.dimpl.is_none() {
            return Library::Openssl;
        }
        Library::Dimpl
    }

    /// What the hello that a datagram begins with is for.
    #[cfg(feature = "openssl")]
    pub(crate) fn for_hello(&self, datagram: &[u8]) -> Library {
        match &self.openssl {
            Some(_) if !self.choice.is_for_first(datagram) => Library::Openssl,
            _ => self.first(),
        }
    }

    /// What the hello that a datagram begins with is for.
    #[cfg(not(feature = "openssl"))]
    pub(crate) const fn for_hello(&self, _datagram: &[u8]) -> Library {
        self.first()
    }

    /// What to try after a library has failed so, if that may help.
    #[cfg(feature = "openssl")]
    pub(crate) fn after(&self, library: Library, failure: TlsFailure) -> Option<Library> {
        let other_is_there = library == Library::Dimpl && self.openssl.is_some();
        (other_is_there && choice::is_lack(failure)).then_some(Library::Openssl)
    }

    /// What to try after a library has failed so: there is no other.
    #[cfg(not(feature = "openssl"))]
    pub(crate) const fn after(&self, _library: Library, _failure: TlsFailure) -> Option<Library> {
        None
    }

    /// An engine that has just begun; a client has its ClientHello ready.
    pub(crate) fn make(
        &self,
        library: Library,
        role: Role,
        identity: &Identity,
        now_us: u64,
    ) -> Result<Box<dyn DtlsEngine>, TlsFailure> {
        match library {
            Library::Dimpl => {
                let config = self.dimpl.as_ref().ok_or(TlsFailure::Internal)?;
                Ok(Box::new(DimplEngine::new(config, role, identity, now_us)?))
            }
            #[cfg(feature = "openssl")]
            Library::Openssl => {
                let config = self.openssl.as_ref().ok_or(TlsFailure::Internal)?;
                Ok(Box::new(OpensslEngine::new(config, role, identity, now_us)?))
            }
        }
    }
}

/// A fatal alert handshake_failure of DTLS 1.2, epoch 0, with a sequence number that no handshake reaches: a peer whose next handshake is to be the
/// second library's must know that this one is over.
///
/// ```text
/// | type 21 | version 254.253 | epoch (2) | sequence number (6) | length (2) | level 2 | description 40 |
/// ```
pub(crate) const HANDSHAKE_FAILURE: [u8; 15] =
    [21, 254, 253, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 2, 2, 40];

#[cfg(feature = "openssl")]
mod choice {
    use agw_tls::TlsFailure;

    use crate::dimpl;
    use crate::hello::ClientHello;
    use crate::keys::SrtpProfile;
    use crate::settings::Settings;

    /// Alerts that say that nothing in common was found: handshake_failure, unsupported_certificate, insufficient_security (RFC 5246 section 7.2.2).
    const LACK_ALERTS: [u8; 3] = [40, 43, 71];

    /// What the choice depends on.
    #[derive(Debug, Clone)]
    pub(super) struct Choice {
        dtls12: bool,
        dtls13: bool,
        profiles: Vec<SrtpProfile>,
    }

    impl Choice {
        pub(super) fn new(settings: &Settings) -> Self {
            Self { dtls12: settings.dtls12, dtls13: settings.dtls13, profiles: settings.profiles.clone() }
        }

        /// Whether a hello is none that the first library would refuse.
        pub(super) fn is_for_first(&self, datagram: &[u8]) -> bool {
            let Some(hello) = ClientHello::parse(datagram) else { return true };
            if self.dtls13 && hello.offers_13() || !self.dtls12 {
                return true;
            }
            // The first library takes its own favourite among the profiles that are offered, wanted or not.
            let srtp = hello.first_srtp(&dimpl::PROFILES);
            hello.offers_extended_master_secret()
                && hello.offers_suite(&dimpl::SUITES)
                && hello.takes_signature(&dimpl::SIGNATURES)
                && srtp.is_some_and(|profile| self.profiles.contains(&profile))
        }
    }

    /// Whether a failure says that the library, or the peer, lacks what the other asks for.
    pub(super) fn is_lack(failure: TlsFailure) -> bool {
        match failure {
            TlsFailure::NoCommonSuite
            | TlsFailure::NoCertificate
            | TlsFailure::UnsupportedKey
            | TlsFailure::MalformedCertificate => true,
            TlsFailure::Alert(number) => LACK_ALERTS.contains(&number),
            _ => false,
        }
    }
}
