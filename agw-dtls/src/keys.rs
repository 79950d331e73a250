//! From the exporter of a DTLS association to SRTP master keys (RFC 5764 section 4.2): one octet string that both ends have, cut into the
//! key and salt with which the client writes and those with which the server writes.
//!
//! ```text
//! | client_write_SRTP_master_key | server_write_SRTP_master_key | client_write_SRTP_master_salt | server_write_SRTP_master_salt |
//! ```

use std::fmt;

use agw_srtp::{CryptoAttribute, InboundSession, MasterKey, OutboundSession, Policy, PolicyError, Suite};
use agw_tls::Role;

/// The label under which the material is exported (RFC 5764 section 4.2), without a context.
pub const EXPORTER_LABEL: &str = "EXTRACTOR-dtls_srtp";

/// A protection profile of `use_srtp` (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SrtpProfile {
    /// `SRTP_AES128_CM_HMAC_SHA1_80`, {0x00, 0x01}.
    Aes128CmHmacSha1_80,
    /// `SRTP_AES128_CM_HMAC_SHA1_32`, {0x00, 0x02}.
    Aes128CmHmacSha1_32,
    /// `SRTP_AEAD_AES_128_GCM`, {0x00, 0x07}.
    AeadAes128Gcm,
    /// `SRTP_AEAD_AES_256_GCM`, {0x00, 0x08}.
    AeadAes256Gcm,
}

impl SrtpProfile {
    /// All of them, preferred first.
    pub const ALL: [Self; 4] =
        [Self::AeadAes256Gcm, Self::AeadAes128Gcm, Self::Aes128CmHmacSha1_80, Self::Aes128CmHmacSha1_32];

    /// The same transforms under the name of `a=crypto`.
    pub const fn suite(self) -> Suite {
        match self {
            Self::Aes128CmHmacSha1_80 => Suite::AesCm128HmacSha1_80,
            Self::Aes128CmHmacSha1_32 => Suite::AesCm128HmacSha1_32,
            Self::AeadAes128Gcm => Suite::AeadAes128Gcm,
            Self::AeadAes256Gcm => Suite::AeadAes256Gcm,
        }
    }

    /// Its number in `use_srtp`, as IANA has it.
    pub const fn number(self) -> [u8; 2] {
        match self {
            Self::Aes128CmHmacSha1_80 => [0, 1],
            Self::Aes128CmHmacSha1_32 => [0, 2],
            Self::AeadAes128Gcm => [0, 7],
            Self::AeadAes256Gcm => [0, 8],
        }
    }

    /// Octets to export: two keys and two salts.
    pub const fn material_bytes(self) -> usize {
        2 * (self.suite().master_key_len() + self.suite().master_salt_len())
    }
}

/// The master keys of both directions, as one end sees them. Wiped when dropped, never shown.
#[derive(PartialEq, Eq)]
pub struct SrtpKeys {
    profile: SrtpProfile,
    ours: CryptoAttribute,
    theirs: CryptoAttribute,
}

impl SrtpKeys {
    /// Cuts exported material; `None` if it is not as long as the profile says.
    pub fn cut(profile: SrtpProfile, material: &[u8], role: Role) -> Option<Self> {
        let suite = profile.suite();
        let (key_bytes, salt_bytes) = (suite.master_key_len(), suite.master_salt_len());
        if material.len() != profile.material_bytes() {
            return None;
        }
        let (keys, salts) = material.split_at(2 * key_bytes);
        let (client_key, server_key) = keys.split_at(key_bytes);
        let (client_salt, server_salt) = salts.split_at(salt_bytes);
        let attribute = |key: &[u8], salt: &[u8]| {
            CryptoAttribute::new(1, suite, [MasterKey::new(suite, key, salt).ok()?]).ok()
        };
        let client = attribute(client_key, client_salt)?;
        let server = attribute(server_key, server_salt)?;
        let (ours, theirs) = match role {
            Role::Client => (client, server),
            Role::Server => (server, client),
        };
        Some(Self { profile, ours, theirs })
    }

    /// The agreed profile.
    pub const fn profile(&self) -> SrtpProfile {
        self.profile
    }

    /// With what we protect, as if it had been negotiated by `a=crypto`.
    pub const fn ours(&self) -> &CryptoAttribute {
        &self.ours
    }

    /// With what the peer protects.
    pub const fn theirs(&self) -> &CryptoAttribute {
        &self.theirs
    }

    /// A session for what we send.
    ///
    /// # Errors
    /// The policy's numbers are outside their limits.
    pub fn outbound(&self, policy: &Policy) -> Result<OutboundSession, PolicyError> {
        OutboundSession::new(&self.ours, policy)
    }

    /// A session for what the peer sends.
    ///
    /// # Errors
    /// The policy's numbers are outside their limits.
    pub fn inbound(&self, policy: &Policy) -> Result<InboundSession, PolicyError> {
        InboundSession::new(&self.theirs, policy)
    }
}

impl fmt::Debug for SrtpKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SrtpKeys").field("profile", &self.profile).field("keys", &"redacted").finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_writes_with_the_first_key_and_the_first_salt() {
        for profile in SrtpProfile::ALL {
            let (key, salt) = (profile.suite().master_key_len(), profile.suite().master_salt_len());
            let material: Vec<u8> = [(key, b'C'), (key, b'S'), (salt, b'c'), (salt, b's')]
                .into_iter()
                .flat_map(|(len, octet)| vec![octet; len])
                .collect();
            let client = SrtpKeys::cut(profile, &material, Role::Client).unwrap();
            let server = SrtpKeys::cut(profile, &material, Role::Server).unwrap();
            assert_eq!(client.ours().keys()[0].key(), vec![b'C'; key]);
            assert_eq!(client.ours().keys()[0].salt(), vec![b'c'; salt]);
            assert_eq!(client.theirs().keys()[0].key(), vec![b'S'; key]);
            assert_eq!(client.theirs().keys()[0].salt(), vec![b's'; salt]);
            assert_eq!((client.ours(), client.theirs()), (server.theirs(), server.ours()));
            assert_eq!(
                format!("{client:?}"),
                format!("SrtpKeys {{ profile: {profile:?}, keys: \"redacted\" }}")
            );
        }
    }

    #[test]
    fn material_of_another_length_is_refused() {
        for profile in SrtpProfile::ALL {
            for len in [0, profile.material_bytes() - 1, profile.material_bytes() + 1] {
                assert_eq!(SrtpKeys::cut(profile, &vec![7; len], Role::Client), None);
            }
        }
    }
}
