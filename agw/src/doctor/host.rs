//! What a rule may ask of a host: files below /proc and /sys, and whether a socket can be bound.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

/// A host, real or pretended.
pub trait Host {
    /// The text of a small file, trimmed; `None` when it is not there.
    fn read(&self, path: &str) -> Option<String>;

    /// Cores that this process may run on.
    fn cores(&self) -> usize;

    /// Whether a UDP socket can be bound.
    ///
    /// # Errors
    /// Why not.
    fn bind_udp(&self, address: SocketAddr) -> io::Result<()>;

    /// Whether a TCP listener can be bound.
    ///
    /// # Errors
    /// Why not.
    fn bind_tcp(&self, address: SocketAddr) -> io::Result<()>;

    /// Whether the kernel has SCTP.
    fn has_sctp(&self) -> bool;
}

/// This host.
#[derive(Debug, Clone, Copy)]
pub struct Machine;

impl Host for Machine {
    fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
    }

    fn cores(&self) -> usize {
        std::thread::available_parallelism().map_or(1, usize::from)
    }

    fn bind_udp(&self, address: SocketAddr) -> io::Result<()> {
        UdpSocket::bind(address).map(drop)
    }

    fn bind_tcp(&self, address: SocketAddr) -> io::Result<()> {
        TcpListener::bind(address).map(drop)
    }

    fn has_sctp(&self) -> bool {
        use rustix::net::{AddressFamily, SocketType, ipproto, socket};
        socket(AddressFamily::INET, SocketType::STREAM, Some(ipproto::SCTP)).is_ok()
    }
}
