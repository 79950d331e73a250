//! Connections in and out of the machine: what [`PacketIo`](super::PacketIo) is for datagrams, for TCP. The control side binds ports
//! ([`StreamOpener`]) and hands them over; the worker listens, accepts, connects, reads and writes ([`StreamIo`]). Nothing here blocks: what cannot be
//! done now says `WouldBlock`, and readiness is told once per change, so that whoever was told reads or writes until `WouldBlock`.

use super::{PortHandle, PortOptions};
use crate::command::order::PortKey;
use std::io;
use std::net::SocketAddr;

/// A connection as a backend knows it; meaningless to anybody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnectionHandle(pub u32);

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamEvent {
    /// Somebody waits to be accepted at a port.
    Knock(PortHandle),
    /// There may be something to read, or the end, or an error.
    Readable(ConnectionHandle),
    /// There may be room to write again, after a write found too little; for a connection under way: it is up, or has failed ([`StreamIo::established`]).
    Writable(ConnectionHandle),
}

/// The worker's side. Handles of what was closed are never told of again, but may be given out anew.
pub trait StreamIo {
    /// The next change; `None` when there is none now. Never waits: [`PacketIo::reap`](super::PacketIo::reap) does, and returns early
    /// when there is one.
    fn poll_stream(&mut self) -> Option<StreamEvent>;

    /// Lets peers connect to a port.
    ///
    /// # Errors
    /// What the system says.
    fn listen(&mut self, port: PortHandle) -> io::Result<()>;

    /// Lets no more peers connect; those that wait are reset. The port stays bound.
    ///
    /// # Errors
    /// What the system says.
    fn stop_listening(&mut self, port: PortHandle) -> io::Result<()>;

    /// The next who waits, and where from. A knock is told for many: whoever does not accept until `WouldBlock` comes back by itself.
    ///
    /// # Errors
    /// `WouldBlock` when nobody does; out of descriptors: who waits goes on waiting, and no new knock tells of it.
    fn accept(&mut self, port: PortHandle) -> io::Result<(ConnectionHandle, SocketAddr)>;

    /// Begins to connect from a port.
    ///
    /// # Errors
    /// What the system says at once.
    fn connect(&mut self, port: PortHandle, to: SocketAddr) -> io::Result<ConnectionHandle>;

    /// Whether a connection under way has come up.
    ///
    /// # Errors
    /// `WouldBlock`: not yet. Else it has failed: refused, timed out, unreachable.
    fn established(&mut self, connection: ConnectionHandle) -> io::Result<()>;

    /// Reads; 0 is the end: the peer sends no more.
    ///
    /// # Errors
    /// `WouldBlock`, `ConnectionReset`, or what else the system says.
    fn receive(&mut self, connection: ConnectionHandle, into: &mut [u8]) -> io::Result<usize>;

    /// Writes as much as there is room for.
    ///
    /// # Errors
    /// `WouldBlock` when there is none; `BrokenPipe`, `ConnectionReset`, or what else the system says.
    fn transmit(&mut self, connection: ConnectionHandle, bytes: &[u8]) -> io::Result<usize>;

    /// We send no more (FIN, after all that was written).
    fn finish(&mut self, connection: ConnectionHandle);

    /// Lets go of a connection: what was written still goes out, unless `reset` (RST). A peer that goes on sending may be reset before it has
    /// read all; to be sure, [finish](StreamIo::finish) and read to the end first.
    fn release(&mut self, connection: ConnectionHandle, reset: bool);
}

/// The control side.
pub trait StreamOpener {
    /// Binds `local` for TCP, for this worker and as `key`; nobody can connect before [`StreamIo::listen`]. Connections of the port that are over
    /// do not keep it from being bound again.
    ///
    /// # Errors
    /// As [`PortOpener::open`](super::PortOpener::open).
    fn open_stream(
        &mut self,
        worker: usize,
        key: PortKey,
        local: SocketAddr,
        options: PortOptions,
    ) -> io::Result<PortHandle>;

    /// Closes a port whose flow is gone. Its connections have been released by the worker before, and it listens no more.
    fn close_stream(&mut self, worker: usize, port: PortHandle);
}
