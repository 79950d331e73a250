//! A pre-shared key with its identity (RFC 4279, RFC 8446 section 4.2.11). It comes over the control plane, is wiped when dropped, and
//! never shows (SRTP-12, TLS-11).

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
    fn sizes_are_bounded() {
        assert!(PreSharedKey::new("", b"k").is_none());
        assert!(PreSharedKey::new("i", b"").is_none());
        assert!(PreSharedKey::new("i\0", b"k").is_none());
        assert!(PreSharedKey::new(&"i".repeat(129), b"k").is_none());
        assert!(PreSharedKey::new("i", &[0; 65]).is_none());
        assert!(PreSharedKey::new(&"i".repeat(128), &[0; 64]).is_some());
    }
}
