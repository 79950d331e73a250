//! `[tls]`: which TLS is spoken with the peers of media (TLS-6), and what is taken from them as proof (TLS-2).

use agw_core::command::order::TcpBounds;
use agw_tls::profile::ProfileError;
use agw_tls::{Profile, Version};
use serde::{Deserialize, Serialize};

/// `[tls]`: TLS of media.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// Versions.
    pub versions: Vec<String>,
    /// Cipher suites, empty: the profile's.
    pub suites: Vec<String>,
    /// Fingerprint functions taken from peers.
    pub fingerprint_hashes: Vec<String>,
    /// Those taken for MSRP in addition: its older implementations know no other (RFC 4975 section 14.4).
    pub msrp_fingerprint_hashes: Vec<String>,
    /// How long media is held for a late fingerprint.
    pub fingerprint_wait_ms: u32,
    /// Bytes that are read of a peer until it has shown who it is.
    pub handshake_bytes: u32,
    /// Certificates of ours that are made before a stream asks for one.
    pub certificates_ready: u16,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            versions: vec!["1.2".to_owned(), "1.3".to_owned()],
            suites: Vec::new(),
            fingerprint_hashes: ["sha-256", "sha-384", "sha-512"].map(str::to_owned).to_vec(),
            msrp_fingerprint_hashes: vec!["sha-1".to_owned()],
            fingerprint_wait_ms: 30_000,
            handshake_bytes: TcpBounds::default().handshake_bytes,
            certificates_ready: 256,
        }
    }
}

impl Tls {
    /// What may be agreed on. Versions that nobody knows are left out; [`check`](super::check) names them. Suites that a library has for
    /// one version only do no harm to the other.
    pub fn profile(&self) -> Profile {
        let mut profile = Profile {
            versions: self.versions.iter().filter_map(|name| Version::from_name(name)).collect(),
            ..Profile::default()
        };
        if !self.suites.is_empty() {
            profile.suites.clone_from(&self.suites);
        }
        profile
    }

    /// The TLS of media, ready to use.
    ///
    /// # Errors
    /// What of the names is not known, not to be had or not allowed, or leaves nothing to agree on.
    pub fn compile(&self) -> Result<agw_tls::Tls, ProfileError> {
        agw_tls::Tls::new(&self.profile())
    }
}
