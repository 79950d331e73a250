//! Packets in and out of the machine. One trait for the worker's side ([`PacketIo`]) and one for the control side ([`PortOpener`]), so that
//! the engine neither knows nor cares whether sockets, a packet ring or a pretend network is below it.
//!
//! A worker makes no system call but those of `reap` and `send`; ports are opened, tuned and closed by the control thread.

use crate::command::order::PortKey;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// The bytes of one packet slot: an Ethernet MTU with room for what SRTP adds. Longer datagrams are dropped and counted.
pub const SLOT_BYTES: usize = 2048;
/// How many of a slot's bytes a received datagram may fill: the rest is room for a tag, an MKI and the SRTCP index.
pub const MAX_DATAGRAM_BYTES: usize = SLOT_BYTES - 128;
/// Packets handled together.
pub const BATCH_SLOTS: usize = 64;

/// A bound port as a backend knows it; meaningless to anybody else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PortHandle(pub u32);

/// Microseconds of a monotonic clock whose start means nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Now(pub u64);

impl Now {
    /// Whole milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1000
    }
}

/// One packet buffer with what is known of the packet in it.
#[derive(Debug, Clone)]
pub struct Slot {
    /// The datagram, then room to grow.
    pub bytes: Box<[u8; SLOT_BYTES]>,
    /// How long the datagram is now.
    pub len: usize,
    /// The local port that it came to.
    pub port: PortKey,
    /// Who sent it.
    pub from: SocketAddr,
    /// Microseconds between the kernel's receive time stamp and the batch's `now`, where it was sampled.
    pub waited_us: Option<u32>,
    /// Where it is to go; `None`: nowhere.
    pub to: Option<(PortHandle, SocketAddr)>,
}

/// Slots reaped together and stamped with one time. Made once per worker.
#[derive(Debug)]
pub struct Batch {
    /// All slots; the first `filled` hold packets.
    pub slots: Box<[Slot]>,
    /// How many hold packets.
    pub filled: usize,
    /// When they were reaped.
    pub now: Now,
}

/// What was lost below us or could not be sent, since the last call; each is a drop reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IoLosses {
    /// Receive queue overflows that the kernel reported.
    pub receive_overflow: u64,
    /// Datagrams too long for a slot.
    pub too_long: u64,
    /// Sends that the system refused for good (unreachable, not permitted); the packet is gone.
    pub send_failed: u64,
    /// Sends refused because a queue was full.
    pub send_full: u64,
}

/// The worker's side of a backend.
pub trait PacketIo {
    /// Waits at most `wait` for packets, fills the batch from its start with as many as are there, and stamps it.
    ///
    /// # Errors
    /// Only what ends the worker: the backend itself is broken.
    fn reap(&mut self, batch: &mut Batch, wait: Duration) -> io::Result<()>;

    /// Sends every filled slot that has a destination. What cannot be sent is counted, never kept. Returns how many were sent; a slot that
    /// was not has its `to` cleared.
    fn send(&mut self, batch: &mut Batch) -> usize;

    /// What was lost since the last call.
    fn take_losses(&mut self) -> IoLosses;
}

/// What a port is opened with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PortOptions {
    /// DiffServ code point of what is sent, 0 to 63.
    pub dscp: u8,
}

/// The control side of a backend.
pub trait PortOpener {
    /// Binds `local` and lets `worker` reap from it as `key`.
    ///
    /// # Errors
    /// What the system says: in use, not our address, no more descriptors.
    fn open(
        &mut self,
        worker: usize,
        key: PortKey,
        local: SocketAddr,
        options: PortOptions,
    ) -> io::Result<PortHandle>;

    /// Changes the options of an open port.
    ///
    /// # Errors
    /// What the system says.
    fn tune(&mut self, port: PortHandle, options: PortOptions) -> io::Result<()>;

    /// Closes a port that no flow uses any more.
    fn close(&mut self, worker: usize, port: PortHandle);

    /// Wakes a worker that may be waiting in `reap`, because an order is there.
    fn wake(&mut self, worker: usize);
}
