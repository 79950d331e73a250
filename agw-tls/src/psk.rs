//! A pre-shared key with its identity (RFC 4279, RFC 8446 section 4.2.11). It comes over the control plane, is wiped when dropped, and
//! never shows (SRTP-12, TLS-11).

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use zeroize::Zeroizing;

/// The longest key, in bytes (RFC 4279 section 5.3 asks for 64).
pub const MAX_PSK_BYTES: usize = 64;
/// The longest identity, in bytes (RFC 4279 section 5.3 asks for 128).
pub const MAX_PSK_IDENTITY_BYTES: usize = 128;

/// A pre-shared key.
#[derive(Clone, PartialEq, Eq)]
pub struct PreSharedKey {
    identity: Box<str>,
    key: Zeroizing<Box<[u8]>>,
}

impl PreSharedKey {
    /// A key with its identity; `None` if either is empty or too long, or the identity holds a zero octet.
    pub fn new(identity: &str, key: &[u8]) -> Option<Self> {
        let fits = (1..=MAX_PSK_IDENTITY_BYTES).contains(&identity.len())
            && (1..=MAX_PSK_BYTES).contains(&key.len());
        (fits && !identity.contains('\0'))
            .then(|| Self { identity: identity.into(), key: Zeroizing::new(key.into()) })
    }

    /// Reads `inline:<key in base64>|<identity>`, the key parameters of an SDES attribute (RFC 4568 section 9.2) with an identity in place of a
    /// lifetime; `None` for anything else, and for what [`PreSharedKey::new`] refuses.
    pub fn parse(parameters: &str) -> Option<Self> {
        let (key, identity) = parameters.strip_prefix("inline:")?.split_once('|')?;
        let mut octets = Zeroizing::new([0; MAX_PSK_BYTES + 2]);
        let length = STANDARD.decode_slice(key, octets.as_mut_slice()).ok()?;
        Self::new(identity, octets.get(..length)?)
    }

    /// The key that both sides make of two (TR 33.828 clause 7.3.2.8, whose form is open): SHA-256 of the peer's key and ours, under the
    /// peer's identity.
    #[must_use]
    pub fn mixed(&self, ours: &Self) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.key);
        context.update(&ours.key);
        Self { identity: self.identity.clone(), key: Zeroizing::new(context.finish().as_ref().into()) }
    }

    /// The identity, which is no secret.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// The key itself.
    pub fn key(&self) -> &[u8] {
        &self.key
    }
}

impl fmt::Debug for PreSharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreSharedKey").field("identity", &self.identity).field("key", &"redacted").finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_never_shows() {
        let key = PreSharedKey::new("alice", b"secret").unwrap();
        assert_eq!(format!("{key:?}"), "PreSharedKey { identity: \"alice\", key: \"redacted\" }");
    }

    #[test]
    fn an_attribute_has_a_key_and_an_identity() {
        let key = PreSharedKey::parse("inline:c2VjcmV0|alice@example").unwrap();
        assert_eq!((key.key(), key.identity()), (&b"secret"[..], "alice@example"));
        let long = format!("inline:{}|i", STANDARD.encode([1; 65]));
        for wrong in
            ["c2VjcmV0|alice", "inline:c2VjcmV0", "inline:c2VjcmV0|", "inline:|i", "inline:!!|i", &long]
        {
            assert!(PreSharedKey::parse(wrong).is_none(), "{wrong}");
        }
        assert!(PreSharedKey::parse(&format!("inline:{}|i", STANDARD.encode([1; 64]))).is_some());
    }

    #[test]
    fn two_keys_make_one_of_the_peers_identity() {
        let (peer, ours) = (PreSharedKey::new("p", b"ab").unwrap(), PreSharedKey::new("o", b"c").unwrap());
        let mixed = peer.mixed(&ours);
        assert_eq!(mixed.identity(), "p");
        // SHA-256 of "abc" (FIPS 180-2, B.1).
        assert_eq!(mixed.key()[..4], [0xba, 0x78, 0x16, 0xbf]);
    }

    #[test]
    fn sizes_are_bounded() {
        assert!(PreSharedKey::new("", b"k").is_none());
        assert!(PreSharedKey::new("i", b"").is_none());
        assert!(PreSharedKey::new("i\0", b"k").is_none());
        assert!(PreSharedKey::new(&"i".repeat(129), b"k").is_none());
        assert!(PreSharedKey::new("i", &[0; 65]).is_none());
        assert!(PreSharedKey::new(&"i".repeat(128), &[0; 64]).is_some());
    }
}
