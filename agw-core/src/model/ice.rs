//! ICE at one stream (RFC 8445, RFC 8839): we are a lite agent, so what is wanted is a fragment and password of our own, and what is known of the
//! peer is what its checks must name. Candidates of ours are the addresses of the stream.

use std::fmt;
use std::net::SocketAddr;
use zeroize::Zeroizing;

/// The most candidates of a peer that are kept; more are refused.
pub const MAX_CANDIDATES: usize = 32;
/// The longest fragment or password (RFC 8839 section 5.4), in characters.
pub const MAX_ICE_CREDENTIAL_BYTES: usize = 256;

/// A user fragment with its password. The password is wiped when dropped, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredential {
    ufrag: Box<str>,
    password: Zeroizing<Box<str>>,
}

impl IceCredential {
    /// `None` unless both are `ice-char`s of the lengths that RFC 8839 section 5.4 asks for: 4 to 256, and 22 to 256.
    pub fn new(ufrag: &str, password: &str) -> Option<Self> {
        let is_ice = |text: &str, least: usize| {
            (least..=MAX_ICE_CREDENTIAL_BYTES).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
        };
        (is_ice(ufrag, 4) && is_ice(password, 22))
            .then(|| Self { ufrag: ufrag.into(), password: Zeroizing::new(password.into()) })
    }

    /// The user fragment, which is no secret.
    pub fn ufrag(&self) -> &str {
        &self.ufrag
    }

    /// The password.
    pub fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for IceCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IceCredential").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}

/// What the controller wants of ICE at one stream. A stream that has it gets its peer's address from authenticated checks, and from nowhere else
/// (DTLS-5, RLY-2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IceSpec {
    /// `a=ice-ufrag:$` and `a=ice-pwd:$` were in Local: make new ones, and tell them with [`LocalStream::ice`](super::LocalStream::ice). Where there are some
    /// already, ICE restarts (RFC 8445 section 9). An action: it is not kept with the specification.
    pub choose: bool,
    /// The peer's, as signalled in Remote.
    pub peer: Option<IceCredential>,
    /// The peer's candidates of the first component: addresses that may send checks even before they say who they are. Only for people to see; what
    /// counts is a check that authenticates.
    pub candidates: Vec<SocketAddr>,
}

/// What became of ICE at one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IceEvent {
    /// A pair has been nominated, first or anew: media go to this address of the peer.
    Selected(SocketAddr),
    /// A check that authenticated came from an address that was not among the candidates (RFC 8445 section 7.3.1.3).
    PeerReflexive(SocketAddr),
    /// Nobody's check authenticated in time.
    Failed,
    /// Consent was not renewed for 30 s (RFC 7675 section 5.1): nothing is sent until it is.
    ConsentLost,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_ice_chars_of_the_right_length_and_the_password_does_not_show() {
        let password = "P2uYro0UCOQ4zxjKXaWCBui1";
        assert!(IceCredential::new("EsA", password).is_none());
        assert!(IceCredential::new("EsAw", "short").is_none());
        assert!(IceCredential::new("Es Aw", password).is_none());
        assert!(IceCredential::new("EsAw", &"x".repeat(257)).is_none());
        let credential = IceCredential::new("EsAw", password).unwrap();
        assert_eq!((credential.ufrag(), credential.password()), ("EsAw", password));
        assert!(!format!("{credential:?}").contains(password));
    }
}
