//! How messages travel: peers, bytes that may hold keys, and what the caller is asked to do on the network.
//!
//! Nothing here opens a socket. The caller hands in what arrived and when, and is told what to send and which connections to open; so the
//! whole protocol runs in a test on a pretend network (H.248.1 Annex D).

pub mod tcp;
pub mod udp;

use crate::encoding::Form;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use zeroize::Zeroizing;

/// The time that every `handle_` function is given: since a start that means nothing but does not change.
pub type Now = std::time::Duration;

/// The longest datagram that UDP over IPv4 carries.
pub const MAX_DATAGRAM_BYTES: usize = 65_507;
/// The longest message over SCTP: as long as one that is read.
pub const MAX_SCTP_MESSAGE_BYTES: usize = crate::text::MAX_MESSAGE_BYTES;

/// One of the caller's UDP sockets, numbered by the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub u16);

impl SocketId {
    /// The socket of the text encoding.
    pub const TEXT: Self = Self(0);
    /// The socket of the binary encoding. All others carry text.
    pub const BINARY: Self = Self(1);

    /// The socket that carries this form.
    pub const fn of(form: Form) -> Self {
        match form {
            Form::Text => Self::TEXT,
            Form::Binary => Self::BINARY,
        }
    }

    /// What it carries.
    pub const fn form(self) -> Form {
        if self.0 == Self::BINARY.0 { Form::Binary } else { Form::Text }
    }
}

/// One connection, numbered by the caller; numbers are not used again, whatever carries them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// What carries messages to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Link {
    /// Datagrams through this socket.
    Udp(SocketId),
    /// A TCP connection.
    Tcp(ConnectionId),
    /// A TCP connection under TLS.
    Tls(ConnectionId),
    /// An SCTP association.
    Sctp(ConnectionId),
}

impl Link {
    /// Whether the transport repeats what is lost.
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Link::Udp(_))
    }

    /// The connection, where there is one.
    pub const fn connection(self) -> Option<ConnectionId> {
        match self {
            Self::Udp(_) => None,
            Self::Tcp(connection) | Self::Tls(connection) | Self::Sctp(connection) => Some(connection),
        }
    }

    /// As the configuration names it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp(_) => "udp",
            Self::Tcp(_) => "tcp",
            Self::Tls(_) => "tls",
            Self::Sctp(_) => "sctp",
        }
    }
}

/// Where a message came from or goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Peer {
    /// The transport.
    pub link: Link,
    /// The other end.
    pub address: SocketAddr,
}

impl Peer {
    /// A peer behind the UDP socket of the text encoding.
    pub const fn udp(address: SocketAddr) -> Self {
        Self { link: Link::Udp(SocketId::TEXT), address }
    }

    /// A peer at the other end of a TCP connection.
    pub const fn tcp(connection: ConnectionId, address: SocketAddr) -> Self {
        Self { link: Link::Tcp(connection), address }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.link.as_str(), self.address)
    }
}

/// Whether an address is of this host. IPv4 written as IPv6 is looked through.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// The bytes of a message. They may hold SDES keys: wiped when the last owner drops them, never shown. Clones share them, so that a reply
/// that is sent and kept for whoever asks again is there once.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MessageBytes(Arc<Wiped>);

#[derive(Clone, Default, PartialEq, Eq)]
struct Wiped(Vec<u8>);

impl Drop for Wiped {
    fn drop(&mut self) {
        crate::secret::wipe(&mut self.0);
    }
}

impl MessageBytes {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Wiped(bytes)))
    }

    /// A copy of the bytes.
    pub fn copy_of(bytes: &[u8]) -> Self {
        Self::new(bytes.to_vec())
    }
}

impl From<Zeroizing<Vec<u8>>> for MessageBytes {
    fn from(mut bytes: Zeroizing<Vec<u8>>) -> Self {
        Self::new(std::mem::take(&mut *bytes))
    }
}

impl From<crate::secret::SecretBuf> for MessageBytes {
    /// A copy without the room that the text still had: messages are kept.
    fn from(text: crate::secret::SecretBuf) -> Self {
        Self::copy_of(text.as_bytes())
    }
}

impl std::ops::Deref for MessageBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0.0
    }
}

impl fmt::Debug for MessageBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} octets]", self.len())
    }
}

/// Something to be sent as it stands: one datagram, or bytes of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: Peer,
    /// What; over TCP and TLS with its packet header.
    pub bytes: MessageBytes,
}

impl Transmit {
    /// A message to a peer, framed as its transport wants; `None` when it is longer than the transport can carry (error 533).
    pub fn framed(to: Peer, message: &MessageBytes) -> Option<Self> {
        let bytes = match to.link {
            Link::Udp(_) if message.len() > MAX_DATAGRAM_BYTES => return None,
            Link::Udp(_) => message.clone(),
            // SCTP keeps the bounds of messages itself.
            Link::Sctp(_) if message.len() > MAX_SCTP_MESSAGE_BYTES => return None,
            Link::Sctp(_) => message.clone(),
            Link::Tcp(_) | Link::Tls(_) => tcp::frame(message)?,
        };
        Some(Self { to, bytes })
    }
}
