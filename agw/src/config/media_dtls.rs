//! `[dtls]`: which DTLS is spoken with the peers of media, such as browsers (DTLS-1), and what is taken from them as proof (TLS-2).

use super::Realm;
use agw_core::controller::EdgeRules;
use agw_core::model::{HashFunction, RealmName};
use agw_dtls::{Engine, Settings};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `[dtls]`: DTLS of media.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dtls {
    /// Versions.
    pub versions: Vec<String>,
    /// Cipher suites; only empty: all that the library has.
    pub suites: Vec<String>,
    /// Fingerprint functions taken from peers.
    pub fingerprint_hashes: Vec<String>,
    /// How long media is held for a late fingerprint.
    pub fingerprint_wait_ms: u32,
    /// The DTLS library.
    pub engine: String,
    /// Public-key operations per worker and tick.
    pub handshakes_per_tick: u16,
}

impl Default for Dtls {
    fn default() -> Self {
        Self {
            versions: vec!["1.2".to_owned(), "1.3".to_owned()],
            suites: Vec::new(),
            fingerprint_hashes: ["sha-256", "sha-384", "sha-512"].map(str::to_owned).to_vec(),
            fingerprint_wait_ms: 10_000,
            engine: "auto".to_owned(),
            handshakes_per_tick: 1,
        }
    }
}

impl Dtls {
    /// As the engine wants it, with what realms have of their own. Names that nobody knows are left out; [`check`](super::check) names them.
    pub fn rules(&self, realms: &BTreeMap<String, Realm>) -> EdgeRules {
        let speaks = |version: &str| self.versions.iter().any(|name| name == version);
        let own = |(name, realm): (&String, &Realm)| {
            let name = RealmName::new(name).filter(|_| !realm.dtls_engine.is_empty())?;
            Some((name, engine(&realm.dtls_engine)))
        };
        let hashes = self.fingerprint_hashes.iter().filter_map(|name| HashFunction::from_name(name));
        EdgeRules {
            dtls: Settings {
                dtls12: speaks("1.2"),
                dtls13: speaks("1.3"),
                engine: engine(&self.engine),
                fingerprint_hashes: hashes.collect(),
                fingerprint_wait_ms: self.fingerprint_wait_ms,
                ..Settings::default()
            },
            engines: realms.iter().filter_map(own).collect(),
            handshake_steps_per_turn: self.handshakes_per_tick.into(),
            ..EdgeRules::default()
        }
    }
}

fn engine(name: &str) -> Engine {
    match name {
        "dimpl" => Engine::Dimpl,
        "openssl" => Engine::Openssl,
        _ => Engine::Auto,
    }
}
