//! What is configured about DTLS, as plain data, and its compiled form, made once and shared by all sessions.

use std::sync::Arc;

use agw_tls::HashFunction;

use crate::engines::Engines;
use crate::keys::SrtpProfile;

/// The smallest datagram limit that can be asked for, in bytes: enough for a header and a useful fragment.
pub const MIN_MTU_BYTES: usize = 256;
/// The largest, in bytes: what one slot of the packet path holds.
pub const MAX_MTU_BYTES: usize = 1500;

/// Which library ends associations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Engine {
    /// The first, or the second where a ClientHello or a handshake shows that the first lacks something; the first alone in a gateway built
    /// without the second. A peer of DTLS 1.2 with an RSA certificate that is a client needs two handshakes.
    #[default]
    Auto,
    /// dimpl: DTLS 1.2 and 1.3, ECDSA, AEAD, the extended master secret.
    Dimpl,
    /// OpenSSL: DTLS 1.2, with RSA, CBC and peers without the extended master secret as well.
    Openssl,
}

/// What is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// DTLS 1.2 is offered and accepted. Default yes.
    pub dtls12: bool,
    /// DTLS 1.3 is offered and accepted. Default yes. With both, a server goes by the ClientHello.
    pub dtls13: bool,
    /// Which library. Default [`Engine::Auto`].
    pub engine: Engine,
    /// Profiles of `use_srtp` that are accepted. Default all.
    pub profiles: Vec<SrtpProfile>,
    /// The longest datagram that we send in a handshake, in bytes. Default 1,200.
    pub mtu_bytes: usize,
    /// First interval after which a flight is sent again, in milliseconds; doubled each time. Default 250: on a media path the second
    /// of RFC 6347 section 4.2.4.1 would be heard (RFC 9147 section 5.8.2 allows less).
    pub retransmit_ms: u32,
    /// The longest handshake, in milliseconds. Default 30,000.
    pub handshake_ms: u32,
    /// Hash functions of fingerprints that are believed. Default all but SHA-1 (TLS-2).
    pub fingerprint_hashes: Vec<HashFunction>,
    /// How long a peer may be connected before its fingerprint is signalled, in milliseconds (TLS-2). Default 10,000.
    pub fingerprint_wait_ms: u32,
    /// Makes what is no key (retransmission jitter, randoms, cookies) repeatable. For tests only. Default `None`.
    pub seed: Option<u64>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dtls12: true,
            dtls13: true,
            engine: Engine::Auto,
            profiles: SrtpProfile::ALL.to_vec(),
            mtu_bytes: 1200,
            retransmit_ms: 250,
            handshake_ms: 30_000,
            fingerprint_hashes: HashFunction::ALL[1..].to_vec(),
            fingerprint_wait_ms: 10_000,
            seed: None,
        }
    }
}

/// What is wrong with settings: the configuration is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// No version.
    #[error("at least one version of DTLS is needed")]
    NoVersion,
    /// The second engine, in a gateway that is built without it (feature `openssl`).
    #[error("this gateway is built without the DTLS engine openssl")]
    EngineMissing,
    /// No profile that our library can agree on.
    #[error("at least one use_srtp profile is needed that the DTLS library knows")]
    NoProfile,
    /// An MTU outside its limits.
    #[error("the DTLS MTU must be {MIN_MTU_BYTES} to {MAX_MTU_BYTES} bytes")]
    Mtu,
    /// A time of zero.
    #[error("DTLS times must be at least 1 ms")]
    Time,
    /// The library refused them.
    #[error("the DTLS library refused its configuration")]
    Library,
}

/// Settings in compiled form; cheap to clone.
#[derive(Debug, Clone)]
pub struct Profile {
    pub(crate) settings: Arc<Settings>,
    pub(crate) engines: Engines,
}

impl Profile {
    /// Checks and compiles settings.
    ///
    /// # Errors
    /// They contradict themselves or leave nothing to agree on.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        if !settings.dtls12 && !settings.dtls13 {
            return Err(SettingsError::NoVersion);
        }
        if !(MIN_MTU_BYTES..=MAX_MTU_BYTES).contains(&settings.mtu_bytes) {
            return Err(SettingsError::Mtu);
        }
        if settings.retransmit_ms == 0 || settings.handshake_ms == 0 {
            return Err(SettingsError::Time);
        }
        let engines = Engines::new(&settings)?;
        Ok(Self { settings: Arc::new(settings), engines })
    }

    /// What it was made of.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_leave_nothing_to_agree_on_are_refused() {
        let with = |change: fn(&mut Settings)| {
            let mut settings = Settings::default();
            change(&mut settings);
            Profile::new(settings).err()
        };
        assert_eq!(with(|_| ()), None);
        assert_eq!(with(|s| (s.dtls12, s.dtls13) = (false, false)), Some(SettingsError::NoVersion));
        assert_eq!(with(|s| s.profiles.clear()), Some(SettingsError::NoProfile));
        assert_eq!(
            with(|s| (s.engine, s.profiles) = (Engine::Dimpl, vec![SrtpProfile::Aes128CmHmacSha1_32])),
            Some(SettingsError::NoProfile)
        );
        let (missing, no_version) = (Some(SettingsError::EngineMissing), Some(SettingsError::NoVersion));
        let built_in = cfg!(feature = "openssl");
        assert_eq!(with(|s| s.engine = Engine::Openssl), if built_in { None } else { missing });
        assert_eq!(
            with(|s| (s.engine, s.dtls12) = (Engine::Openssl, false)),
            if built_in { no_version } else { missing }
        );
        assert_eq!(with(|s| s.mtu_bytes = 255), Some(SettingsError::Mtu));
        assert_eq!(with(|s| s.mtu_bytes = 1501), Some(SettingsError::Mtu));
        assert_eq!(with(|s| s.handshake_ms = 0), Some(SettingsError::Time));
    }
}
