//! One TLS session as a machine of bytes. Ciphertext goes in by [`Engine::feed`] and is worked on by [`Engine::process`]; plaintext comes out
//! of [`Engine::read`]; what is written with [`Engine::write`] comes out of [`Engine::drain`] as ciphertext. It is apart from `feed` that
//! `process` may cost a public-key operation, so that a worker can give handshakes a budget and media never waits for them. Both roles
//! always show and ask for a certificate (RFC 8122 section 5), never resume, and know neither early data nor renegotiation.

#[cfg(feature = "openssl")]
mod by_openssl;
mod by_rustls;

use crate::failure::TlsFailure;
use crate::identity::Identity;
use crate::profile::{Compiled, Profile, ProfileError, Version};
use crate::psk::PreSharedKey;
use std::fmt;

/// The most plaintext that waits as ciphertext to be drained; [`Engine::write`] takes no more. Two full records.
pub const MAX_UNSENT_BYTES: usize = 32 * 1024;

/// Less than this is not taken in place of more, so that nobody makes records of a few bytes.
const MIN_WRITE_BYTES: usize = 1024;

/// Which end of the handshake we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// We say hello first.
    Client,
    /// We wait for the peer's hello.
    Server,
}

/// What we prove ourselves with.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// A certificate; the peer must show one as well.
    Certificate(Identity),
    /// A key that both ends have (TLS-11).
    Psk(PreSharedKey),
}

/// A profile made ready for use. Copies share it.
#[derive(Debug, Clone)]
pub struct Tls {
    certificates: by_rustls::Configurations,
    #[cfg(feature = "openssl")]
    keys: by_openssl::Contexts,
}

impl Tls {
    /// Makes a profile ready.
    ///
    /// # Errors
    /// A profile with which nothing could be agreed, or with what is not allowed or not to be had.
    pub fn new(profile: &Profile) -> Result<Self, ProfileError> {
        let compiled = Compiled::new(profile)?;
        Ok(Self {
            certificates: by_rustls::Configurations::new(&compiled)?,
            #[cfg(feature = "openssl")]
            keys: by_openssl::Contexts::new(&compiled)?,
        })
    }

    /// A new session. A client's hello can be drained at once (TLS-5).
    ///
    /// # Errors
    /// For a pre-shared key [`TlsFailure::PskUnsupported`] in a gateway built without those and [`TlsFailure::NoCommonSuite`] with a profile
    /// that has no suite for one; [`TlsFailure::Internal`] if a library fails.
    pub fn engine(&self, role: Role, credentials: &Credentials) -> Result<Engine, TlsFailure> {
        match credentials {
            Credentials::Certificate(identity) => {
                Ok(Engine(Box::new(self.certificates.session(role, identity)?)))
            }
            #[cfg(feature = "openssl")]
            Credentials::Psk(key) => Ok(Engine(Box::new(self.keys.session(role, key)?))),
            #[cfg(not(feature = "openssl"))]
            Credentials::Psk(_) => Err(TlsFailure::PskUnsupported),
        }
    }

    /// Whether the gateway is built with TLS for pre-shared keys, the feature `openssl`.
    pub const fn knows_psk() -> bool {
        cfg!(feature = "openssl")
    }
}

/// One session. Idle it takes less than 15 KB; what it buffers is bounded by one record of ciphertext and two of plaintext inwards and by
/// [`MAX_UNSENT_BYTES`] outwards, and while the handshake lasts by 64 KB for one message of it.
pub struct Engine(Box<dyn Session>);

/// What a library's session does; each method is that of [`Engine`].
trait Session: Send {
    fn feed(&mut self, ciphertext: &[u8]) -> usize;
    fn process(&mut self) -> Result<(), TlsFailure>;
    fn is_handshaking(&self) -> bool;
    fn wants_process(&self) -> bool;
    fn peer_certificate(&self) -> Option<&[u8]>;
    fn read(&mut self, into: &mut [u8]) -> usize;
    fn peer_has_closed(&self) -> bool;
    fn write(&mut self, plaintext: &[u8]) -> usize;
    fn drain(&mut self, into: &mut [u8]) -> usize;
    fn has_output(&self) -> bool;
    fn close(&mut self);
    fn description(&self) -> Option<(Version, &'static str)>;
}

impl Engine {
    /// Takes ciphertext from the peer, and says how much: as much as there is room for. If that is not all, [`process`](Self::process) and
    /// [`read`](Self::read) make room. Does no cryptography. After the end of the session everything is taken and ignored.
    pub fn feed(&mut self, ciphertext: &[u8]) -> usize {
        self.0.feed(ciphertext)
    }

    /// Works on what was fed.
    ///
    /// # Errors
    /// Why the session has failed. That is final; what [`drain`](Self::drain) then gives is the alert that tells the peer.
    pub fn process(&mut self) -> Result<(), TlsFailure> {
        self.0.process()
    }

    /// Whether the session is not up yet. While it is not, [`process`](Self::process) may cost public-key operations.
    pub fn is_handshaking(&self) -> bool {
        self.0.is_handshaking()
    }

    /// Whether there is something for [`process`](Self::process) to work on.
    pub fn wants_process(&self) -> bool {
        self.0.wants_process()
    }

    /// The certificate that the peer has proven to have the key of, in DER form, once the session is up; none with a pre-shared key. Nothing
    /// is said about whose it is: that is for [`judge`](crate::judge).
    pub fn peer_certificate(&self) -> Option<&[u8]> {
        self.0.peer_certificate()
    }

    /// Gives plaintext, and says how much; 0 if there is none now.
    pub fn read(&mut self, into: &mut [u8]) -> usize {
        self.0.read(into)
    }

    /// Whether the peer has closed the session in order (close_notify, RFC 8446 section 6.1) and all it sent was read.
    pub fn peer_has_closed(&self) -> bool {
        self.0.peer_has_closed()
    }

    /// Takes plaintext for the peer, and says how much: nothing before the session is up, after its end, or while [`MAX_UNSENT_BYTES`] wait.
    pub fn write(&mut self, plaintext: &[u8]) -> usize {
        self.0.write(plaintext)
    }

    /// Gives ciphertext for the peer, and says how much; 0 if there is none now.
    pub fn drain(&mut self, into: &mut [u8]) -> usize {
        self.0.drain(into)
    }

    /// Whether there is something to [`drain`](Self::drain).
    pub fn has_output(&self) -> bool {
        self.0.has_output()
    }

    /// Ends our direction in order (close_notify), after all that was written. Nothing can be written any more, but the peer may go on.
    pub fn close(&mut self) {
        self.0.close();
    }

    /// Version and cipher suite, by their registered names, once they are agreed on.
    pub fn description(&self) -> Option<(Version, &'static str)> {
        self.0.description()
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").field("description", &self.description()).finish_non_exhaustive()
    }
}
