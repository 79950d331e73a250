//! Which TLS is spoken: versions, cipher suites and groups as data, by the names that IANA registered (TLS-6). Only suites with authenticated
//! encryption are taken, with certificates only those with forward secrecy, and null encryption never. What is refused is named, with
//! whose fault it is: a name that nobody registered, a choice that is not allowed, or something that our libraries cannot do.

use crate::proof;
use rustls::SupportedCipherSuite;
use rustls::crypto::SupportedKxGroup;
use rustls::crypto::aws_lc_rs::{cipher_suite, kx_group};
use std::fmt;

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

impl Version {
    /// By its number: `1.2`, `1.3`.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Tls12, Self::Tls13].into_iter().find(|version| version.name() == name)
    }

    /// Its number.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls12 => "1.2",
            Self::Tls13 => "1.3",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLS {}", self.name())
    }
}

/// What may be agreed on, dearest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Versions, in any order.
    pub versions: Vec<Version>,
    /// Cipher suites of both versions, by registered name.
    pub suites: Vec<String>,
    /// Groups of the key exchange, by registered name.
    pub groups: Vec<String>,
}

/// Suites with certificates that our library has, and what it calls them.
const SUITES: [(&str, SupportedCipherSuite); 9] = [
    ("TLS_AES_128_GCM_SHA256", cipher_suite::TLS13_AES_128_GCM_SHA256),
    ("TLS_AES_256_GCM_SHA384", cipher_suite::TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", cipher_suite::TLS13_CHACHA20_POLY1305_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", cipher_suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", cipher_suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        cipher_suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        cipher_suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

/// Suites of TLS 1.2 with pre-shared keys, and what OpenSSL calls them (RFC 5487, RFC 7905). Only the first keeps what was said secret when
/// the key becomes known later; it stands first, and who wants it alone leaves out the others.
pub(crate) const PSK_SUITES: [(&str, &str); 4] = [
    ("TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-PSK-CHACHA20-POLY1305"),
    ("TLS_PSK_WITH_AES_256_GCM_SHA384", "PSK-AES256-GCM-SHA384"),
    ("TLS_PSK_WITH_AES_128_GCM_SHA256", "PSK-AES128-GCM-SHA256"),
    ("TLS_PSK_WITH_CHACHA20_POLY1305_SHA256", "PSK-CHACHA20-POLY1305"),
];

/// Suites that would be allowed and that our libraries do not have, or not all of them.
const SUITES_WE_LACK: [&str; 12] = [
    "TLS_AES_128_CCM_SHA256",
    "TLS_AES_128_CCM_8_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CCM",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CCM",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8",
    "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_DHE_PSK_WITH_AES_128_GCM_SHA256",
    "TLS_DHE_PSK_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_PSK_WITH_AES_256_GCM_SHA384",
];

/// Parts of names of suites that are never taken, and why.
const NEVER: [(&str, &str); 7] = [
    ("_NULL", "null encryption is never used"),
    ("_CBC_", "only authenticated encryption is used"),
    ("_RC4_", "only authenticated encryption is used"),
    ("_EXPORT_", "only authenticated encryption is used"),
    ("_anon_", "who the peer is must be proven"),
    ("TLS_RSA_WITH_", "it has no forward secrecy"),
    ("TLS_RSA_PSK_WITH_", "it has no forward secrecy"),
];

/// Groups that our library has.
const GROUPS: [(&str, &dyn SupportedKxGroup); 4] = [
    ("x25519", kx_group::X25519),
    ("secp256r1", kx_group::SECP256R1),
    ("secp384r1", kx_group::SECP384R1),
    ("X25519MLKEM768", kx_group::X25519MLKEM768),
];

/// Groups that would be allowed and that our library does not have.
const GROUPS_WE_LACK: [&str; 5] = ["secp521r1", "x448", "ffdhe2048", "ffdhe3072", "ffdhe4096"];

/// Without a post-quantum group, which would double the size and raise the cost of every handshake; it can be asked for by name.
const DEFAULT_GROUPS: &[&str] = &["x25519", "secp256r1", "secp384r1"];

impl Default for Profile {
    /// TLS 1.2 and 1.3 with everything that we allow and our libraries have.
    fn default() -> Self {
        let suites = SUITES.iter().map(|(name, _)| *name).chain(PSK_SUITES.iter().map(|(name, _)| *name));
        Self {
            versions: vec![Version::Tls12, Version::Tls13],
            suites: suites.map(str::to_owned).collect(),
            groups: DEFAULT_GROUPS.iter().map(|&name| name.to_owned()).collect(),
        }
    }
}

impl Profile {
    /// TS 33.328 Annex M. Provisional: its text was not at hand, so this is what it builds on, the suites and groups that TS 33.310 Annex E makes
    /// mandatory, without those over finite fields (`TLS_DHE_RSA_WITH_AES_128_GCM_SHA256`, `ffdhe2048`), which our libraries do not have.
    pub fn ts_33_328_annex_m() -> Self {
        let suites = [
            "TLS_AES_128_GCM_SHA256",
            "TLS_AES_256_GCM_SHA384",
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        ];
        Self {
            versions: vec![Version::Tls12, Version::Tls13],
            suites: suites.map(str::to_owned).into(),
            groups: ["secp256r1", "secp384r1", "x25519"].map(str::to_owned).into(),
        }
    }
}

/// What is wrong with a profile. The words name it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    /// No such name is registered, as far as is known here.
    #[error("{0} is no registered name of a cipher suite or group that is known here")]
    Unknown(String),
    /// It may be used, but not with our libraries.
    #[error("{0} is fine, but the TLS libraries in this gateway do not have it")]
    Lacking(String),
    /// It must not be used.
    #[error("{name} is not allowed: {why}")]
    Forbidden {
        /// The suite.
        name: String,
        /// Why it is not allowed.
        why: &'static str,
    },
    /// No version is named.
    #[error("a profile needs a version, 1.2 or 1.3")]
    NoVersion,
    /// No group is named.
    #[error("a profile needs a group for the key exchange")]
    NoGroup,
    /// A version is named and no suite for it.
    #[error("{0} is wanted, but no cipher suite with certificates for it")]
    NoSuite(Version),
}

/// A profile whose names have been looked up.
#[derive(Debug, Clone)]
pub(crate) struct Compiled {
    pub(crate) versions: Vec<Version>,
    pub(crate) suites: Vec<SupportedCipherSuite>,
    pub(crate) groups: Vec<&'static dyn SupportedKxGroup>,
    pub(crate) psk_suites: Vec<&'static str>,
}

impl Compiled {
    pub(crate) fn new(profile: &Profile) -> Result<Self, ProfileError> {
        let mut compiled =
            Self { versions: profile.versions.clone(), suites: vec![], groups: vec![], psk_suites: vec![] };
        for name in &profile.suites {
            if let Some((_, suite)) = SUITES.iter().find(|(known, _)| known == name) {
                compiled.suites.push(*suite);
            } else if let Some((_, suite)) = PSK_SUITES.iter().find(|(known, _)| known == name) {
                compiled.psk_suites.push(suite);
            } else {
                return Err(why_no_suite(name));
            }
        }
        for name in &profile.groups {
            let known = GROUPS.iter().find(|(known, _)| known == name);
            compiled.groups.push(known.ok_or_else(|| why_no_group(name))?.1);
        }

        if compiled.versions.is_empty() {
            return Err(ProfileError::NoVersion);
        }
        if compiled.groups.is_empty() {
            return Err(ProfileError::NoGroup);
        }
        let without = profile
            .versions
            .iter()
            .find(|&&version| !compiled.suites.iter().any(|suite| of(*suite) == version));
        without.map_or(Ok(()), |&version| Err(ProfileError::NoSuite(version)))?;
        // A suite of a version that is not wanted would be offered for nothing.
        compiled.suites.retain(|suite| profile.versions.contains(&of(*suite)));
        Ok(compiled)
    }

    /// The cryptography of this profile.
    pub(crate) fn provider(&self) -> rustls::crypto::CryptoProvider {
        rustls::crypto::CryptoProvider {
            cipher_suites: self.suites.clone(),
            kx_groups: self.groups.clone(),
            ..proof::provider().clone()
        }
    }

    /// The groups by OpenSSL's names, those that it has.
    #[cfg(feature = "openssl")]
    pub(crate) fn groups_of_openssl(&self) -> Vec<&'static str> {
        let names = self.groups.iter().filter_map(|group| match group.name() {
            rustls::NamedGroup::X25519 => Some("X25519"),
            rustls::NamedGroup::secp256r1 => Some("P-256"),
            rustls::NamedGroup::secp384r1 => Some("P-384"),
            _ => None,
        });
        names.collect()
    }
}

/// The version to which a suite belongs.
fn of(suite: SupportedCipherSuite) -> Version {
    if suite.tls13().is_some() { Version::Tls13 } else { Version::Tls12 }
}

/// The registered name of a suite.
pub(crate) fn name_of(suite: SupportedCipherSuite) -> &'static str {
    SUITES.iter().find(|(_, known)| *known == suite).map_or("unknown", |(name, _)| name)
}

fn why_no_suite(name: &str) -> ProfileError {
    if let Some((_, why)) = NEVER.iter().find(|(part, _)| name.contains(part)) {
        return ProfileError::Forbidden { name: name.to_owned(), why };
    }
    lacking_or_unknown(name, &SUITES_WE_LACK)
}

fn why_no_group(name: &str) -> ProfileError {
    lacking_or_unknown(name, &GROUPS_WE_LACK)
}

fn lacking_or_unknown(name: &str, we_lack: &[&str]) -> ProfileError {
    let known = we_lack.contains(&name);
    if known { ProfileError::Lacking(name.to_owned()) } else { ProfileError::Unknown(name.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_suite(name: &str) -> Result<Compiled, ProfileError> {
        let mut profile = Profile::default();
        profile.suites.push(name.to_owned());
        Compiled::new(&profile)
    }

    #[test]
    fn the_default_has_both_versions_and_no_suite_without_authenticated_encryption() {
        let compiled = Compiled::new(&Profile::default()).unwrap();
        assert_eq!(compiled.suites.len(), 9);
        for name in Profile::default().suites {
            assert!(name.contains("_GCM_") || name.contains("_POLY1305_"), "{name}");
        }
        assert!(Compiled::new(&Profile::ts_33_328_annex_m()).is_ok());
    }

    #[test]
    fn what_must_not_be_used_is_refused_with_the_reason() {
        for name in [
            "TLS_RSA_WITH_NULL_SHA256",
            "TLS_NULL_WITH_NULL_NULL",
            "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
            "TLS_RSA_WITH_AES_128_GCM_SHA256",
            "TLS_DH_anon_WITH_AES_128_GCM_SHA256",
        ] {
            let error = with_suite(name).unwrap_err();
            assert!(matches!(error, ProfileError::Forbidden { .. }), "{error}");
            assert!(error.to_string().starts_with(name), "{error}");
        }
    }

    #[test]
    fn what_our_libraries_lack_is_named_and_told_from_what_nobody_knows() {
        let name = "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256";
        assert_eq!(with_suite(name).unwrap_err(), ProfileError::Lacking(name.to_owned()));
        assert_eq!(with_suite("TLS_FOO").unwrap_err(), ProfileError::Unknown("TLS_FOO".to_owned()));
        let of_group =
            |name: &str| Compiled::new(&Profile { groups: vec![name.to_owned()], ..Profile::default() });
        assert_eq!(of_group("ffdhe2048").unwrap_err(), ProfileError::Lacking("ffdhe2048".to_owned()));
        assert_eq!(of_group("x").unwrap_err(), ProfileError::Unknown("x".to_owned()));
        assert!(of_group("X25519MLKEM768").is_ok());
    }

    #[test]
    fn a_profile_with_which_nothing_could_be_agreed_is_refused() {
        let only_13 = ["TLS_AES_128_GCM_SHA256".to_owned()];
        let profile = Profile { suites: only_13.to_vec(), ..Profile::default() };
        assert_eq!(Compiled::new(&profile).unwrap_err(), ProfileError::NoSuite(Version::Tls12));
        let profile = Profile { versions: vec![], ..Profile::default() };
        assert_eq!(Compiled::new(&profile).unwrap_err(), ProfileError::NoVersion);
        let profile = Profile { groups: vec![], ..Profile::default() };
        assert_eq!(Compiled::new(&profile).unwrap_err(), ProfileError::NoGroup);
    }

    #[test]
    fn versions_have_numbers() {
        assert_eq!(Version::from_name("1.2"), Some(Version::Tls12));
        assert_eq!(Version::from_name("1.3"), Some(Version::Tls13));
        assert_eq!(Version::from_name("1.1"), None);
    }
}
