//! Far hosts that speak TCP on the pretend network, as plain objects for tests: they listen, connect, send, read, finish and reset when the
//! test says so, and otherwise do nothing. A peer that does not read fills its window, and whoever sends to it notices.

use super::SimNet;
use super::streams::Owner;
use std::io;
use std::net::SocketAddr;

/// A far host's address for TCP.
#[derive(Debug, Clone)]
pub struct StreamHost {
    net: SimNet,
    address: SocketAddr,
}

impl StreamHost {
    pub(super) const fn new(net: SimNet, address: SocketAddr) -> Self {
        Self { net, address }
    }

    /// The address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes connections from now on. Before, it refuses them.
    pub fn listen(&self) {
        self.net.net().hearken(self.address);
    }

    /// Refuses connections from now on, and resets those that wait.
    pub fn stop_listening(&self) {
        self.net.net().deafen(self.address);
    }

    /// Does not answer who wants to connect from now on, or answers again.
    pub fn set_silent(&self, silent: bool) {
        self.net.net().streams.host(self.address).set_silent(silent);
    }

    /// The next connection that has come.
    pub fn accept(&self) -> Option<StreamPeer> {
        let (end, _) = self.net.net().accept_end(self.address).ok()?;
        Some(StreamPeer { net: self.net.clone(), end })
    }

    /// Begins to connect from this address.
    ///
    /// # Errors
    /// `AddrNotAvailable`: there is a connection from here to there already.
    pub fn connect(&self, to: SocketAddr) -> io::Result<StreamPeer> {
        let end = self.net.net().connect_end(Owner::Host, self.address, to)?;
        Ok(StreamPeer { net: self.net.clone(), end })
    }
}

/// A far host's end of a connection. Dropped, it closes in order: what was sent arrives.
#[derive(Debug)]
pub struct StreamPeer {
    net: SimNet,
    end: u32,
}

impl StreamPeer {
    /// Its own address.
    pub fn local(&self) -> Option<SocketAddr> {
        self.net.net().streams.end(self.end).map(|end| end.local)
    }

    /// The address of the other end.
    pub fn remote(&self) -> Option<SocketAddr> {
        self.net.net().streams.end(self.end).map(|end| end.remote)
    }

    /// Whether the connection is up.
    ///
    /// # Errors
    /// `WouldBlock`: not yet; `ConnectionRefused`, `ConnectionReset`, `HostUnreachable`: it has failed.
    pub fn established(&self) -> io::Result<()> {
        self.net.net().established(self.end)
    }

    /// Sends as much as there is room for.
    ///
    /// # Errors
    /// `WouldBlock`: none now; else how the connection has ended.
    pub fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        self.net.net().write_end(self.end, bytes)
    }

    /// Reads what has come; 0 is the end.
    ///
    /// # Errors
    /// `WouldBlock`: nothing now; else how the connection has ended.
    pub fn receive(&self, into: &mut [u8]) -> io::Result<usize> {
        self.net.net().read_end(self.end, into)
    }

    /// Sends no more.
    pub fn finish(&self) {
        self.net.net().finish_end(self.end);
    }

    /// Resets the connection.
    pub fn reset(self) {
        self.net.net().drop_end(self.end, true);
    }
}

impl Drop for StreamPeer {
    fn drop(&mut self) {
        self.net.net().drop_end(self.end, false);
    }
}
