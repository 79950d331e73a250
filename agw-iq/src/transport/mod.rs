//! How messages travel: peers, bytes that may hold keys, and what the caller is asked to do on the network.
//!
//! Nothing here opens a socket. The caller hands in what arrived and when, and is told what to send and which connections to open; so the
//! whole protocol runs in a test on a pretend network (H.248.1 Annex D).

pub mod tcp;
pub mod udp;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use zeroize::Zeroizing;

/// The time that every `handle_` function is given: since a start that means nothing but does not change.
pub type Now = std::time::Duration;

/// The registered port for text encoding, on UDP and TCP (Annex D.1).
pub const TEXT_PORT: u16 = 2944;
/// The longest datagram that UDP over IPv4 carries.
pub const MAX_DATAGRAM_BYTES: usize = 65_507;

/// One of the caller's UDP sockets, numbered by the caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SocketId(pub u16);

/// One TCP connection, numbered by the caller; numbers are not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub u64);

/// What carries messages to a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Link {
    /// Datagrams through this socket.
    Udp(SocketId),
    /// A connection.
    Tcp(ConnectionId),
}

impl Link {
    /// Whether the transport repeats what is lost.
    pub const fn is_reliable(self) -> bool {
        matches!(self, Link::Tcp(_))
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
    /// A peer behind the first UDP socket.
    pub const fn udp(address: SocketAddr) -> Self {
        Self { link: Link::Udp(SocketId(0)), address }
    }

    /// A peer at the other end of a connection.
    pub const fn tcp(connection: ConnectionId, address: SocketAddr) -> Self {
        Self { link: Link::Tcp(connection), address }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let transport = if self.link.is_reliable() { "tcp" } else { "udp" };
        write!(f, "{transport}:{}", self.address)
    }
}

/// Whether an address is of this host. IPv4 written as IPv6 is looked through.
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

/// The bytes of a message. They may hold SDES keys: wiped when dropped, never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct MessageBytes(Zeroizing<Vec<u8>>);

impl MessageBytes {
    /// Takes the bytes over.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A copy of the bytes.
    pub fn copy_of(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }
}

impl std::ops::Deref for MessageBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for MessageBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{} octets]", self.0.len())
    }
}

/// Something to be sent as it stands: one datagram, or bytes of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub to: Peer,
    /// What; over TCP with its packet header.
    pub bytes: MessageBytes,
}

impl Transmit {
    /// A message to a peer, framed as its transport wants; `None` when it is longer than the transport can carry (error 533).
    pub fn framed(to: Peer, message: &[u8]) -> Option<Self> {
        let bytes = match to.link {
            Link::Udp(_) if message.len() > MAX_DATAGRAM_BYTES => return None,
            Link::Udp(_) => MessageBytes::copy_of(message),
            Link::Tcp(_) => tcp::frame(message)?,
        };
        Some(Self { to, bytes })
    }
}
