//! Sessions with a pre-shared key, by OpenSSL, because rustls has none (RFC 4279, RFC 5487, RFC 8446 section 4.2.11; TLS-11). The library reads and
//! writes two buffers in memory. A peer is proven by the key alone: a certificate is never shown, asked for or taken.
//! In TLS 1.3 the key goes with SHA-256 and TLS_AES_128_GCM_SHA256, which is all that OpenSSL's callbacks allow.

use super::{MAX_UNSENT_BYTES, MIN_WRITE_BYTES, Role, Session};
use crate::failure::TlsFailure;
use crate::profile::{self, Compiled, PSK_SUITES, ProfileError, Version};
use crate::psk::PreSharedKey;
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::ssl::{
    Error, ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslRef,
    SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion,
};
use std::io::{self, Read, Write};
use std::sync::LazyLock;

/// The longest record: RFC 5246 section 6.2.3.
const MAX_RECORD_BYTES: usize = 5 + 16 * 1024 + 2048;
/// Once so much plaintext waits for its reader, nothing more is decrypted.
const MAX_UNREAD_BYTES: usize = 16 * 1024;
/// The most plaintext in one record.
const RECORD_BYTES: usize = 16 * 1024;
/// The suite of TLS 1.3 that OpenSSL ties a key of its callbacks to.
const SUITE_OF_13: &str = "TLS_AES_128_GCM_SHA256";

/// What may be agreed on with a key; `None` if the profile has nothing for one.
#[derive(Clone)]
pub(super) struct Contexts(Option<SslContext>);

impl std::fmt::Debug for Contexts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Contexts").field(&self.0.is_some()).finish()
    }
}

/// What a callback needs to know of its session, and what it tells.
struct Secret {
    key: PreSharedKey,
    /// The peer named another key.
    stranger: bool,
}

/// Where [`Secret`] hangs at a session; freed and wiped with it.
static SECRET: LazyLock<Option<Index<Ssl, Secret>>> = LazyLock::new(|| Ssl::new_ex_index().ok());

impl Contexts {
    pub(super) fn new(profile: &Compiled) -> Result<Self, ProfileError> {
        let wants = |version| profile.versions.contains(&version);
        let has_13 = profile.suites.iter().any(|&suite| profile::name_of(suite) == SUITE_OF_13);
        let versions = match (
            wants(Version::Tls12) && !profile.psk_suites.is_empty(),
            wants(Version::Tls13) && has_13,
        ) {
            (true, true) => (SslVersion::TLS1_2, SslVersion::TLS1_3),
            (true, false) => (SslVersion::TLS1_2, SslVersion::TLS1_2),
            (false, true) => (SslVersion::TLS1_3, SslVersion::TLS1_3),
            (false, false) => return Ok(Self(None)),
        };
        // What is compiled holds only names that OpenSSL has; it fails for want of memory.
        Ok(Self(context(profile, versions).ok()))
    }

    pub(super) fn session(&self, role: Role, key: &PreSharedKey) -> Result<OpensslSession, TlsFailure> {
        let context = self.0.as_ref().ok_or(TlsFailure::NoCommonSuite)?;
        let secret = (*SECRET).ok_or(TlsFailure::Internal)?;
        let mut ssl = Ssl::new(context).map_err(|_| TlsFailure::Internal)?;
        ssl.set_ex_data(secret, Secret { key: key.clone(), stranger: false });
        match role {
            Role::Client => {
                // In TLS 1.3 a server could show a certificate instead of proving that it has the key.
                ssl.set_verify_callback(SslVerifyMode::PEER, |_, _| false);
                ssl.set_connect_state();
            }
            Role::Server => ssl.set_accept_state(),
        }
        let stream = SslStream::new(ssl, Buffers::default()).map_err(|_| TlsFailure::Internal)?;
        let mut session = OpensslSession {
            stream,
            unread: vec![],
            unread_from: 0,
            up: false,
            closed: false,
            peer_closed: false,
            failed: None,
        };
        session.shake_hands()?; // A client's hello; a server has nothing to work on.
        Ok(session)
    }
}

fn context(profile: &Compiled, versions: (SslVersion, SslVersion)) -> Result<SslContext, ErrorStack> {
    let mut context = SslContextBuilder::new(SslMethod::tls())?;
    context.set_min_proto_version(Some(versions.0))?;
    context.set_max_proto_version(Some(versions.1))?;
    if !profile.psk_suites.is_empty() {
        context.set_cipher_list(&profile.psk_suites.join(":"))?;
    }
    context.set_ciphersuites(SUITE_OF_13)?;
    context.set_groups_list(&profile.groups_of_openssl().join(":"))?;
    context.set_options(SslOptions::NO_TICKET | SslOptions::NO_RENEGOTIATION | SslOptions::NO_COMPRESSION);
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    context.set_num_tickets(0)?;
    // A write is retried with whatever is then to be written; buffers of an idle session are given back.
    context.set_mode(
        SslMode::ENABLE_PARTIAL_WRITE | SslMode::ACCEPT_MOVING_WRITE_BUFFER | SslMode::RELEASE_BUFFERS,
    );

    context.set_psk_client_callback(|ssl, _hint, identity, key| {
        let Some(secret) = secret_of(ssl) else { return Ok(0) };
        let name = secret.key.identity().as_bytes();
        let (Some(to), Some(end)) = (identity.get_mut(..name.len()), key.get_mut(..secret.key.key().len()))
        else {
            return Ok(0);
        };
        to.copy_from_slice(name);
        end.copy_from_slice(secret.key.key());
        let length = end.len();
        let Some(terminator) = identity.get_mut(name.len()) else { return Ok(0) };
        *terminator = 0;
        Ok(length)
    });
    context.set_psk_server_callback(|ssl, identity, key| {
        let Some(secret) = secret_of(ssl) else { return Ok(0) };
        if identity != Some(secret.key.identity().as_bytes()) {
            secret.stranger = true;
            return Ok(0);
        }
        let Some(to) = key.get_mut(..secret.key.key().len()) else { return Ok(0) };
        to.copy_from_slice(secret.key.key());
        Ok(to.len())
    });
    Ok(context.build())
}

fn secret_of(ssl: &mut SslRef) -> Option<&mut Secret> {
    ssl.ex_data_mut((*SECRET)?)
}

/// The wire, as the library sees it.
#[derive(Default)]
struct Buffers {
    incoming: Vec<u8>,
    incoming_from: usize,
    outgoing: Vec<u8>,
    outgoing_from: usize,
}

impl Read for Buffers {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match take(&mut self.incoming, &mut self.incoming_from, into) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            taken => Ok(taken),
        }
    }
}

impl Write for Buffers {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Moves bytes out of a buffer, which is given back once it is empty.
fn take(buffer: &mut Vec<u8>, from: &mut usize, into: &mut [u8]) -> usize {
    let taken = into.len().min(buffer.len() - *from);
    into[..taken].copy_from_slice(&buffer[*from..*from + taken]);
    *from += taken;
    if *from == buffer.len() {
        *buffer = Vec::new();
        *from = 0;
    }
    taken
}

/// One session.
pub(super) struct OpensslSession {
    stream: SslStream<Buffers>,
    unread: Vec<u8>,
    unread_from: usize,
    /// The handshake is over and the peer has proven the key.
    up: bool,
    closed: bool,
    peer_closed: bool,
    failed: Option<TlsFailure>,
}

impl OpensslSession {
    fn shake_hands(&mut self) -> Result<(), TlsFailure> {
        match self.stream.do_handshake() {
            // Nobody shows a certificate; a peer that did has proven the wrong thing.
            Ok(()) if self.stream.ssl().peer_certificate().is_some() => Err(TlsFailure::Misbehaved),
            Ok(()) => {
                self.up = true;
                Ok(())
            }
            Err(error) => self.waits_or_fails(&error),
        }
    }

    /// Decrypts until there is nothing left, or enough.
    fn decrypt(&mut self) -> Result<(), TlsFailure> {
        while !self.peer_closed && self.unread.len() - self.unread_from < MAX_UNREAD_BYTES {
            let start = self.unread.len();
            self.unread.resize(start + RECORD_BYTES, 0);
            let result = self.stream.ssl_read(&mut self.unread[start..]);
            self.unread.truncate(start + *result.as_ref().unwrap_or(&0));
            if let Err(error) = result {
                if self.unread.is_empty() {
                    self.unread = Vec::new();
                }
                if error.code() == ErrorCode::ZERO_RETURN {
                    self.peer_closed = true;
                    return Ok(());
                }
                return self.waits_or_fails(&error);
            }
        }
        Ok(())
    }

    fn waits_or_fails(&mut self, error: &Error) -> Result<(), TlsFailure> {
        match error.code() {
            ErrorCode::WANT_READ | ErrorCode::WANT_WRITE => Ok(()),
            _ if self.is_stranger() => Err(TlsFailure::UnknownPskIdentity),
            _ => Err(failure(error, self.up)),
        }
    }

    fn is_stranger(&self) -> bool {
        let secret = (*SECRET).and_then(|index| self.stream.ssl().ex_data(index));
        secret.is_some_and(|secret| secret.stranger)
    }

    fn unsent_bytes(&self) -> usize {
        let wire = self.stream.get_ref();
        wire.outgoing.len() - wire.outgoing_from
    }

    fn is_over(&self) -> bool {
        self.peer_closed || self.failed.is_some()
    }
}

impl Session for OpensslSession {
    fn feed(&mut self, ciphertext: &[u8]) -> usize {
        if self.is_over() {
            return ciphertext.len();
        }
        let wire = self.stream.get_mut();
        let room = MAX_RECORD_BYTES.saturating_sub(wire.incoming.len() - wire.incoming_from);
        let takes = ciphertext.len().min(room);
        if takes > 0 {
            wire.incoming.drain(..wire.incoming_from);
            wire.incoming_from = 0;
            wire.incoming.extend_from_slice(&ciphertext[..takes]);
        }
        takes
    }

    fn process(&mut self) -> Result<(), TlsFailure> {
        if let Some(failure) = self.failed {
            return Err(failure);
        }
        let mut result = if self.up { Ok(()) } else { self.shake_hands() };
        if result.is_ok() && self.up {
            result = self.decrypt();
        }
        self.failed = result.err();
        result
    }

    fn is_handshaking(&self) -> bool {
        !self.up
    }

    fn wants_process(&self) -> bool {
        // What lies in the library itself is decrypted plaintext of a record of which not all had room.
        let wire = self.stream.get_ref();
        let waits = !wire.incoming.is_empty() || self.stream.ssl().pending() > 0;
        !self.is_over() && waits && self.unread.len() - self.unread_from < MAX_UNREAD_BYTES
    }

    fn peer_certificate(&self) -> Option<&[u8]> {
        None
    }

    fn read(&mut self, into: &mut [u8]) -> usize {
        take(&mut self.unread, &mut self.unread_from, into)
    }

    fn peer_has_closed(&self) -> bool {
        self.peer_closed && self.unread.is_empty()
    }

    fn write(&mut self, plaintext: &[u8]) -> usize {
        let takes = plaintext.len().min(MAX_UNSENT_BYTES.saturating_sub(self.unsent_bytes()));
        let crumbs = takes < plaintext.len() && takes < MIN_WRITE_BYTES;
        if !self.up || self.closed || self.failed.is_some() || crumbs {
            return 0;
        }
        let mut written = 0;
        while written < takes {
            match self.stream.ssl_write(&plaintext[written..takes]) {
                Ok(more) => written += more,
                Err(_) => break,
            }
        }
        written
    }

    fn drain(&mut self, into: &mut [u8]) -> usize {
        let wire = self.stream.get_mut();
        take(&mut wire.outgoing, &mut wire.outgoing_from, into)
    }

    fn has_output(&self) -> bool {
        !self.stream.get_ref().outgoing.is_empty()
    }

    fn close(&mut self) {
        if !self.closed && self.failed.is_none() {
            self.closed = true;
            let _ = self.stream.shutdown(); // It writes to memory; before the session is up there is nothing to say.
        }
    }

    fn description(&self) -> Option<(Version, &'static str)> {
        let ssl = self.stream.ssl();
        let cipher = ssl.current_cipher()?;
        let version = if ssl.version2()? == SslVersion::TLS1_3 { Version::Tls13 } else { Version::Tls12 };
        let known = PSK_SUITES.iter().find(|(_, name)| *name == cipher.name()).map(|(name, _)| *name);
        Some((version, known.unwrap_or(SUITE_OF_13)))
    }
}

/// Numbers of OpenSSL's reasons (sslerr.h), which the library's binding does not name.
mod reason {
    pub(super) const DIGEST_CHECK_FAILED: i32 = 149;
    pub(super) const NO_SHARED_CIPHER: i32 = 193;
    pub(super) const NO_SUITABLE_KEY_SHARE: i32 = 101;
    pub(super) const NO_SUITABLE_SIGNATURE_ALGORITHM: i32 = 118;
    pub(super) const NO_SUITABLE_GROUPS: i32 = 295;
    pub(super) const BINDER_DOES_NOT_VERIFY: i32 = 253;
    pub(super) const UNSUPPORTED_PROTOCOL: i32 = 258;
    pub(super) const DECRYPTION_FAILED_OR_BAD_RECORD_MAC: i32 = 281;
    pub(super) const VERSION_TOO_LOW: i32 = 396;
    /// Reasons from here on are alerts that came (SSL_AD_REASON_OFFSET).
    pub(super) const ALERTS: i32 = 1000;
}

/// What an error of OpenSSL means to the controller. Before the session is `up`, what cannot be decrypted shows that the keys differ.
fn failure(error: &Error, up: bool) -> TlsFailure {
    let Some(first) = error.ssl_error().and_then(|stack| stack.errors().first()) else {
        return TlsFailure::Misbehaved; // The library says nothing of the end of a stream in memory.
    };
    match first.reason_code() {
        alert @ reason::ALERTS..=1255 => TlsFailure::Alert((alert - reason::ALERTS) as u8),
        reason::UNSUPPORTED_PROTOCOL | reason::VERSION_TOO_LOW => TlsFailure::NoCommonVersion,
        reason::NO_SHARED_CIPHER
        | reason::NO_SUITABLE_KEY_SHARE
        | reason::NO_SUITABLE_SIGNATURE_ALGORITHM
        | reason::NO_SUITABLE_GROUPS => TlsFailure::NoCommonSuite,
        reason::BINDER_DOES_NOT_VERIFY => TlsFailure::PskMismatch,
        reason::DIGEST_CHECK_FAILED | reason::DECRYPTION_FAILED_OR_BAD_RECORD_MAC if !up => {
            TlsFailure::PskMismatch
        }
        _ => TlsFailure::Misbehaved,
    }
}
