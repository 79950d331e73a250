//! Packets in and out of the machine. One trait for the worker's side ([`PacketIo`]) and one for the control side ([`PortOpener`]), so that
//! the engine neither knows nor cares whether sockets, a packet ring or a pretend network is below it.
//!
//! A worker makes no system call but those of `reap` and `send`; ports are opened, tuned and closed by the control thread.

pub mod burst;
pub mod epoll;
pub mod sim;
pub mod stream;
pub mod sys;

use crate::command::order::{PortBinding, PortKey};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// The bytes of one packet slot: an Ethernet MTU with room for what SRTP adds. Longer datagrams are dropped and counted.
pub const SLOT_BYTES: usize = 2048;
/// How many of a slot's bytes a received datagram may fill: the rest is room for a tag, an MKI and the SRTCP index.
pub const MAX_DATAGRAM_BYTES: usize = SLOT_BYTES - agw_srtp::MAX_OVERHEAD_BYTES;
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

/// What became of a slot that had a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SendOutcome {
    /// It had none, or has not been handed to [`PacketIo::send`] yet.
    #[default]
    Unsent,
    /// The system took it.
    Sent,
    /// The system refused it for good (unreachable, not permitted): the packet is gone.
    Failed,
    /// A queue was full: the packet is gone.
    Full,
}

/// One packet buffer with what is known of the packet in it.
#[derive(Debug, Clone)]
pub struct Slot {
    /// The datagram, then room to grow.
    pub bytes: Box<[u8; SLOT_BYTES]>,
    /// How many bytes of the datagram are in the slot, at most [`MAX_DATAGRAM_BYTES`] when it comes from a backend.
    pub len: usize,
    /// The datagram was longer than that; its end is lost.
    pub truncated: bool,
    /// The local port that it came to.
    pub port: PortKey,
    /// Who sent it.
    pub from: SocketAddr,
    /// Microseconds between the kernel's receive time stamp and the batch's `now`, where it was sampled.
    pub waited_us: Option<u32>,
    /// How many datagrams the port's receive queue was reported to have lost since the last report.
    pub lost_before: u32,
    /// The DiffServ code point that it came with, from ports that [tell it](PortOpener::read_dscp).
    pub received_dscp: Option<u8>,
    /// The code point to send it with; `None`: the port's.
    pub dscp: Option<u8>,
    /// Where it is to go; `None`: nowhere.
    pub to: Option<(PortHandle, SocketAddr)>,
    /// What came of sending it.
    pub outcome: SendOutcome,
}

impl Slot {
    fn new() -> Self {
        Self {
            bytes: Box::new([0; SLOT_BYTES]),
            len: 0,
            truncated: false,
            port: PortKey { address: 0, port: 0 },
            from: SocketAddr::from(([0, 0, 0, 0], 0)),
            waited_us: None,
            lost_before: 0,
            received_dscp: None,
            dscp: None,
            to: None,
            outcome: SendOutcome::Unsent,
        }
    }

    /// The datagram as it stands.
    pub fn datagram(&self) -> &[u8] {
        &self.bytes[..self.len.min(SLOT_BYTES)]
    }

    /// Notes a datagram whose bytes a backend has put into the slot, and forgets what was here before.
    pub fn fill(&mut self, port: PortKey, from: SocketAddr, len: usize, truncated: bool) {
        self.len = len.min(MAX_DATAGRAM_BYTES);
        self.truncated = truncated;
        self.port = port;
        self.from = from;
        self.waited_us = None;
        self.lost_before = 0;
        self.received_dscp = None;
        self.dscp = None;
        self.to = None;
        self.outcome = SendOutcome::Unsent;
    }
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

impl Batch {
    /// An empty batch of [`BATCH_SLOTS`] slots. All of its memory is taken here.
    pub fn new() -> Self {
        Self { slots: (0..BATCH_SLOTS).map(|_| Slot::new()).collect(), filled: 0, now: Now::default() }
    }

    /// The slots that hold packets.
    pub fn packets(&mut self) -> &mut [Slot] {
        let filled = self.filled.min(self.slots.len());
        &mut self.slots[..filled]
    }
}

impl Default for Batch {
    fn default() -> Self {
        Self::new()
    }
}

/// The worker's side of a backend.
pub trait PacketIo {
    /// Waits at most `wait` for packets, fills the batch from its start with as many as are there, and stamps it. Returns early, with an
    /// empty batch, when [`PortOpener::wake`] is called.
    ///
    /// # Errors
    /// Only what ends the worker: the backend itself is broken.
    fn reap(&mut self, batch: &mut Batch, wait: Duration) -> io::Result<()>;

    /// Sends every filled slot that has a destination and notes in it what came of that. What cannot be sent is never kept.
    fn send(&mut self, batch: &mut Batch);

    /// The clock that stamps batches, now.
    fn now(&self) -> Now;

    /// The worker has nothing more to do with a port that was withdrawn, or is going to be closed: reaps nothing more from it, whatever
    /// was found ready before.
    fn forget(&mut self, port: PortBinding);

    /// Datagrams that receive queues lost and that no slot reported, because their port has been closed since. Adds to one count per
    /// index of [`PortKey::address`], and forgets.
    fn take_losses(&mut self, per_address: &mut [u64]);
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

    /// From now on [`Slot::received_dscp`] is told of what the port receives, or no more. Where the system cannot, it is never told.
    fn read_dscp(&mut self, port: PortHandle, on: bool);

    /// Closes a port that no flow uses any more.
    fn close(&mut self, worker: usize, port: PortHandle);

    /// Makes it certain that an open port can be given to another worker with [`PortOpener::admit`]. Nothing changes yet.
    ///
    /// # Errors
    /// What the system says.
    fn reserve(&mut self, worker: usize, port: PortHandle) -> io::Result<()>;

    /// A worker is to reap from a port no more, or is not going to. Until another is admitted, what arrives waits in the port's queue.
    /// Once the worker has been told as well ([`PacketIo::forget`]) it leaves the queue alone.
    fn withdraw(&mut self, worker: usize, port: PortHandle);

    /// The worker for which a port was reserved reaps from it from now on, first what waits there.
    fn admit(&mut self, worker: usize, port: PortHandle);

    /// Wakes a worker that may be waiting in `reap`, because an order is there.
    fn wake(&mut self, worker: usize);

    /// Does what the workers have wished for since the last call, such as cheaper ways to send. Nothing but cost depends on it.
    fn tend(&mut self) {}

    /// In how many milliseconds [`PortOpener::tend`] should be called again; `None`: not before a port is opened.
    fn tend_again_ms(&self) -> Option<u64> {
        None
    }
}
