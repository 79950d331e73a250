//! Sessions with certificates, by rustls: all that is known of that library stands here, in the profile and in the proof. Of a session's
//! configuration everything but our certificate is shared. rustls keeps its own time out of what we use (no tickets, no dates), so it
//! is given a clock that stands still.

use super::{MAX_UNSENT_BYTES, MIN_WRITE_BYTES, Role, Session};
use crate::failure::TlsFailure;
use crate::identity::Identity;
use crate::profile::{self, Compiled, ProfileError, Version};
use crate::proof::{self, Possession};
use rustls::client::Resumption;
use rustls::pki_types::{ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::time_provider::TimeProvider;
use rustls::{
    ClientConfig, ClientConnection, Connection, Error, PeerIncompatible, PeerMisbehaved, ServerConfig,
    ServerConnection, SupportedProtocolVersion, version,
};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// What one record adds to its plaintext at most (RFC 5246 section 6.2.3.3: header, explicit nonce, tag).
const RECORD_OVERHEAD_BYTES: usize = 5 + 8 + 16;
/// The most plaintext in one record (RFC 8446 section 5.1).
const RECORD_BYTES: usize = 16 * 1024;
/// Up to so much room for ciphertext stays with an idle session, which is what rustls reads at once.
const IDLE_BUFFER_BYTES: usize = 4096;

/// Both roles' configuration, but for our certificate.
#[derive(Debug, Clone)]
pub(super) struct Configurations {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

#[derive(Debug)]
struct NoClock;

impl TimeProvider for NoClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::ZERO))
    }
}

impl Configurations {
    pub(super) fn new(profile: &Compiled) -> Result<Self, ProfileError> {
        let versions: Vec<&'static SupportedProtocolVersion> = profile
            .versions
            .iter()
            .map(|version| match version {
                Version::Tls12 => &version::TLS12,
                Version::Tls13 => &version::TLS13,
            })
            .collect();
        let provider = Arc::new(profile.provider());
        // A profile that was compiled has a suite for each of its versions, which is all that rustls asks.
        let lacking = |_| ProfileError::NoVersion;
        let nobody = Arc::new(rustls::server::ResolvesServerCertUsingSni::new());

        let mut client = ClientConfig::builder_with_details(provider.clone(), Arc::new(NoClock))
            .with_protocol_versions(&versions)
            .map_err(lacking)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Possession))
            .with_no_client_auth();
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        client.enable_early_data = false;

        let mut server = ServerConfig::builder_with_details(provider, Arc::new(NoClock))
            .with_protocol_versions(&versions)
            .map_err(lacking)?
            .with_client_cert_verifier(Arc::new(Possession))
            .with_cert_resolver(nobody);
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        server.max_early_data_size = 0;
        Ok(Self { client: Arc::new(client), server: Arc::new(server) })
    }

    pub(super) fn session(&self, role: Role, identity: &Identity) -> Result<RustlsSession, TlsFailure> {
        let mut connection: Connection = match role {
            Role::Client => {
                let mut config = ClientConfig::clone(&self.client);
                config.client_auth_cert_resolver = identity.presented();
                // A name would be sent to the peer, an address is not (RFC 6066 section 3). It is looked at by nobody.
                let name = ServerName::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
                ClientConnection::new(Arc::new(config), name).map_err(|error| failure(&error))?.into()
            }
            Role::Server => {
                let mut config = ServerConfig::clone(&self.server);
                config.cert_resolver = identity.presented();
                ServerConnection::new(Arc::new(config)).map_err(|error| failure(&error))?.into()
            }
        };
        connection.set_buffer_limit(Some(MAX_UNSENT_BYTES + RECORD_BYTES));
        Ok(RustlsSession {
            connection,
            fed_bytes: 0,
            unread_bytes: 0,
            unsent_bytes: 0,
            closed: false,
            state: State::Open,
        })
    }
}

/// Of the peer's direction and of the session as a whole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    PeerClosed,
    Failed(TlsFailure),
}

/// One session.
pub(super) struct RustlsSession {
    connection: Connection,
    /// Fed since the last time that it was worked on.
    fed_bytes: usize,
    unread_bytes: usize,
    /// At least what waits to be drained of what was written.
    unsent_bytes: usize,
    /// We have ended our direction.
    closed: bool,
    state: State,
}

impl RustlsSession {
    /// Gives back what a burst has made rustls's buffer of ciphertext grow by, which it does when it is about to read.
    fn shrink(&mut self) {
        struct NothingNow;
        impl Read for NothingNow {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::WouldBlock.into())
            }
        }
        let _ = self.connection.read_tls(&mut NothingNow);
    }
}

impl Session for RustlsSession {
    fn feed(&mut self, ciphertext: &[u8]) -> usize {
        if self.state != State::Open {
            return ciphertext.len(); // RFC 8446 section 6.1: what follows a closure alert is ignored.
        }
        let mut rest = ciphertext;
        while !rest.is_empty() && matches!(self.connection.read_tls(&mut rest), Ok(1..)) {}
        let taken = ciphertext.len() - rest.len();
        self.fed_bytes += taken;
        taken
    }

    fn process(&mut self) -> Result<(), TlsFailure> {
        if let State::Failed(failure) = self.state {
            return Err(failure);
        }
        if self.fed_bytes == 0 {
            return Ok(());
        }
        let result = self.connection.process_new_packets();
        let grown = std::mem::take(&mut self.fed_bytes) > IDLE_BUFFER_BYTES;
        match result {
            Ok(now) => {
                self.unread_bytes = now.plaintext_bytes_to_read();
                if now.peer_has_closed() {
                    self.state = State::PeerClosed;
                }
                if grown {
                    self.shrink();
                }
                Ok(())
            }
            Err(error) => {
                let failure = failure(&error);
                self.state = State::Failed(failure);
                Err(failure)
            }
        }
    }

    fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    fn wants_process(&self) -> bool {
        self.fed_bytes > 0
    }

    fn peer_certificate(&self) -> Option<&[u8]> {
        if self.is_handshaking() {
            return None;
        }
        Some(self.connection.peer_certificates()?.first()?)
    }

    fn read(&mut self, into: &mut [u8]) -> usize {
        if self.unread_bytes == 0 {
            return 0;
        }
        let read = self.connection.reader().read(into).unwrap_or(0);
        self.unread_bytes = self.unread_bytes.saturating_sub(read);
        read
    }

    fn peer_has_closed(&self) -> bool {
        self.state == State::PeerClosed && self.unread_bytes == 0
    }

    fn write(&mut self, plaintext: &[u8]) -> usize {
        let room = MAX_UNSENT_BYTES.saturating_sub(self.unsent_bytes);
        let takes = plaintext.len().min(room);
        let crumbs = takes < plaintext.len() && takes < MIN_WRITE_BYTES;
        if self.is_handshaking() || self.closed || crumbs || matches!(self.state, State::Failed(_)) {
            return 0;
        }
        let taken = self.connection.writer().write(&plaintext[..takes]).unwrap_or(0);
        self.unsent_bytes += taken + taken.div_ceil(RECORD_BYTES) * RECORD_OVERHEAD_BYTES;
        taken
    }

    fn drain(&mut self, mut into: &mut [u8]) -> usize {
        let drained = self.connection.write_tls(&mut into).unwrap_or(0);
        self.unsent_bytes = if self.has_output() { self.unsent_bytes.saturating_sub(drained) } else { 0 };
        drained
    }

    fn has_output(&self) -> bool {
        self.connection.wants_write()
    }

    fn close(&mut self) {
        self.closed = true;
        self.connection.send_close_notify();
    }

    fn description(&self) -> Option<(Version, &'static str)> {
        let suite = self.connection.negotiated_cipher_suite()?;
        let version = match self.connection.protocol_version()? {
            rustls::ProtocolVersion::TLSv1_3 => Version::Tls13,
            _ => Version::Tls12,
        };
        Some((version, profile::name_of(suite)))
    }
}

/// What an error of rustls means to the controller.
fn failure(error: &Error) -> TlsFailure {
    match error {
        Error::NoCertificatesPresented => TlsFailure::NoCertificate,
        Error::InvalidCertificate(error) => proof::reason(error),
        Error::AlertReceived(alert) => TlsFailure::Alert((*alert).into()),
        Error::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
            | PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled,
        ) => TlsFailure::NoCommonVersion,
        Error::PeerIncompatible(_) => TlsFailure::NoCommonSuite,
        Error::PeerMisbehaved(PeerMisbehaved::TooManyRenegotiationRequests) => TlsFailure::Renegotiation,
        Error::PeerMisbehaved(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::InvalidMessage(_)
        | Error::DecryptError
        | Error::PeerSentOversizedRecord => TlsFailure::Misbehaved,
        _ => TlsFailure::Internal,
    }
}
