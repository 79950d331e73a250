//! The backend that works everywhere: one UDP socket per port, one epoll instance per worker. Connections have an instance of their own
//! inside that one ([`streams`]).
//!
//! A gateway has thousands of ports and seldom more than one packet waiting on each, so what is saved must be saved across
//! ports: while traffic flows a worker is not woken by packets but rests until its next tick, then takes what has come on all
//! ports ([`EpollIo`]). Sending costs most of what a packet costs, and a connected socket sends for a fifth less; but a connected
//! socket alone would answer strangers with ICMP and hide them from our counters (RLY-3). So a port keeps its unconnected
//! socket for ever, and once it has sent to one address for a while it gets a second, connected one beside it, its *companion*
//! ([`EpollPorts`]): the kernel then gives it the packets of that one peer and those of everybody else to the first, and the worker reads both.
//! Datagrams beyond the MTU are fragmented by the kernel, and fragments put together by it (RLY-6).

mod paths;
mod ports;
mod spares;
mod stamps;
mod stream_ports;
mod streams;
mod worker;

pub use ports::EpollPorts;
pub use streams::{BACKLOG, STREAM_BUFFER_BYTES};
pub use worker::EpollIo;

use super::PortHandle;
use super::sys::{Epoll, Waker};
use crate::command::order::PortKey;
use crate::model::PortRange;
use std::io;
use std::os::fd::{AsFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// What the waker is registered as; no port has this token, since no address has index 65535.
const WAKER_TOKEN: u64 = u64::MAX;
/// What stands in the place of an event that concerns nobody any more.
const NOBODY_TOKEN: u64 = u64::MAX - 1;
/// What the instance of the connections is registered as.
const STREAMS_TOKEN: u64 = u64::MAX - 2;
/// In a token: the socket tells code points, so that it is read with the call that can say them. Descriptors are far below this bit.
const READS_DSCP: u64 = 1 << 31;
/// Descriptor numbers fit into a handle beside the count of its uses.
const DESCRIPTOR_BITS: u32 = 22;

/// How the backend is made.
#[derive(Debug, Clone)]
pub struct EpollSetup {
    /// How many workers.
    pub workers: usize,
    /// How many local addresses there are: [`PortKey::address`] is below this, and below 65535.
    pub addresses: usize,
    /// Descriptor numbers are below this: the process's limit. At most 2^22.
    pub descriptors: usize,
    /// Whether steady ports get companions, as far as there are descriptors enough. Without, a packet costs a fifth more.
    pub companions: bool,
    /// The ports that the kernel gives to sockets which ask for none (net.ipv4.ip_local_port_range), where that is known: sockets of such ports
    /// can be used again for others, which makes opening and closing cheaper.
    pub kernel_ports: Option<PortRange>,
    /// How long a worker rests between batches while traffic flows, in microseconds; 0: it never rests, and each packet wakes it.
    pub tick_us: u32,
    /// Whether the time inside is measured of every packet. Else of a few: see [`stamps`].
    pub stamps_all: bool,
}

impl EpollSetup {
    /// The plainest backend: a few thousand descriptors, no companions, no socket used again, no rest, few time stamps.
    pub const fn new(workers: usize, addresses: usize) -> Self {
        Self {
            workers,
            addresses,
            descriptors: 4096,
            companions: false,
            kernel_ports: None,
            tick_us: 0,
            stamps_all: false,
        }
    }
}

/// What both sides see.
#[derive(Debug)]
struct Shared {
    workers: Box<[Post]>,
    /// By descriptor.
    reported: Box<[Reported]>,
    /// By local address: losses of ports that were closed before anybody reported them.
    closed_losses: Box<[AtomicU64]>,
    /// How many connections the workers have.
    connections: AtomicUsize,
}

/// How many datagrams of a socket's queue were reported lost, and, in the bit above that, whether anything was ever read of it. Written by
/// the worker while the port is open, by the control thread before and after.
#[derive(Debug, Default)]
struct Reported(AtomicU64);

impl Reported {
    const READ: u64 = 1 << 32;

    /// The descriptor's socket gets another port.
    fn begin_again(&self) {
        self.0.fetch_and(!Self::READ, Ordering::Relaxed);
    }

    /// The descriptor is a new socket's.
    fn clear(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Something was read.
    fn note_read(&self) {
        let value = self.0.load(Ordering::Relaxed);
        if value & Self::READ == 0 {
            self.0.store(value | Self::READ, Ordering::Release);
        }
    }

    /// The queue has lost so many since the socket was opened. Says how many of them are news.
    fn report(&self, lost: u32) -> u32 {
        let before = self.0.load(Ordering::Relaxed) as u32;
        self.0.store(Self::READ | u64::from(lost), Ordering::Release);
        lost.wrapping_sub(before)
    }

    /// What was reported of a queue that was read; `None`: nothing ever was.
    fn of_read(&self) -> Option<u32> {
        let value = self.0.load(Ordering::Acquire);
        (value & Self::READ != 0).then_some(value as u32)
    }
}

/// Where one worker waits.
#[derive(Debug)]
struct Post {
    epoll: Epoll,
    waker: Waker,
    /// A wake-up is under way, so another is not needed.
    waking: AtomicBool,
}

/// Makes the control side and one worker side per worker.
///
/// # Errors
/// Out of descriptors.
pub fn open(setup: &EpollSetup) -> io::Result<(EpollPorts, Vec<EpollIo>)> {
    let post = |_| {
        let post = Post { epoll: Epoll::new()?, waker: Waker::new()?, waking: AtomicBool::new(false) };
        post.epoll.add(post.waker.as_fd(), WAKER_TOKEN, true)?;
        Ok(post)
    };
    let descriptors = setup.descriptors.min(1 << DESCRIPTOR_BITS);
    let shared = Arc::new(Shared {
        workers: (0..setup.workers).map(post).collect::<io::Result<_>>()?,
        reported: (0..descriptors).map(|_| Reported::default()).collect(),
        closed_losses: (0..setup.addresses).map(|_| AtomicU64::new(0)).collect(),
        connections: AtomicUsize::new(0),
    });
    let tick = Duration::from_micros(u64::from(setup.tick_us));
    let (mut desks, mut workers) = (Vec::new(), Vec::new());
    for worker in 0..setup.workers {
        let (desk, paths) = paths::open(if setup.companions { descriptors } else { 0 });
        desks.push(desk);
        workers.push(EpollIo::new(Arc::clone(&shared), worker, tick, paths, setup.stamps_all)?);
    }
    Ok((EpollPorts::new(shared, desks, setup), workers))
}

/// Address and port above, the descriptor below.
fn token(key: PortKey, descriptor: RawFd) -> u64 {
    u64::from(key.address) << 48 | u64::from(key.port) << 32 | descriptor as u64
}

fn from_token(token: u64) -> (PortKey, RawFd) {
    let key = PortKey { address: (token >> 48) as u16, port: (token >> 32) as u16 };
    (key, (token & 0x7fff_ffff) as RawFd)
}

/// The descriptor below, above it how often that was used for a port, so that a handle kept too long is known.
const fn handle(descriptor: RawFd, use_count: u32) -> PortHandle {
    PortHandle(descriptor as u32 | use_count << DESCRIPTOR_BITS)
}

const fn descriptor(handle: PortHandle) -> RawFd {
    (handle.0 & ((1 << DESCRIPTOR_BITS) - 1)) as RawFd
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::order::PortBinding;
    use crate::io::{BATCH_SLOTS, Batch, PacketIo, PortOpener, PortOptions};

    #[test]
    fn a_port_that_was_found_ready_and_then_withdrawn_is_left_alone() {
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for victim in 0..3 {
            let setup = EpollSetup::new(1, 3);
            let (mut ports, mut ios) = open(&setup).unwrap();
            let keys = [0, 1, 2].map(|address| PortKey { address, port: 1 });
            let handles: Vec<PortHandle> = (0..3)
                .map(|address| {
                    let key = PortKey { address, port: 1 };
                    let local = "127.0.0.1:0".parse().unwrap();
                    let handle = ports.open(0, key, local, PortOptions::default()).unwrap();
                    let bound = ports.local(handle).unwrap();
                    for _ in 0..BATCH_SLOTS {
                        sender.send_to(b"x", bound).unwrap();
                    }
                    handle
                })
                .collect();
            let (mut io, mut batch) = (ios.remove(0), Batch::new());
            let mut reaped = [0; 3];
            for turn in 0..8 {
                io.reap(&mut batch, Duration::ZERO).unwrap();
                for slot in batch.packets() {
                    reaped[usize::from(slot.port.address)] += 1;
                }
                // After the first batch some ports are known to be ready and have not been read.
                if turn == 0 {
                    ports.withdraw(0, handles[victim]);
                    io.forget(PortBinding { key: keys[victim], handle: handles[victim] });
                    reaped[victim] = 0;
                }
            }
            assert_eq!(reaped[victim], 0);
            ports.reserve(0, handles[victim]).unwrap();
            io.reap(&mut batch, Duration::ZERO).unwrap();
            assert_eq!(batch.filled, 0, "reserved is not admitted");
            ports.admit(0, handles[victim]);
            io.reap(&mut batch, Duration::ZERO).unwrap();
            assert!(batch.filled > 0, "what waited is there");
        }
    }

    #[test]
    fn losses_are_told_with_packets_by_ports_that_have_been_open_for_a_moment() {
        let setup = EpollSetup::new(1, 1);
        let (mut ports, mut ios) = open(&setup).unwrap();
        let (sender, local) =
            (std::net::UdpSocket::bind("127.0.0.1:0").unwrap(), "127.0.0.1:0".parse().unwrap());
        let handle = ports.open(0, PortKey { address: 0, port: 1 }, local, PortOptions::default()).unwrap();
        let to = ports.local(handle).unwrap();
        ports.tend();
        ports.tend();
        let (mut io, mut batch) = (ios.remove(0), Batch::new());
        let mut read = [0, 0];
        // More than the queue holds; then what comes after the loss and can tell it.
        for offered in [2_000, 200] {
            (0..offered).for_each(|_| assert_eq!(sender.send_to(&[0; 160], to).unwrap(), 160));
            loop {
                io.reap(&mut batch, Duration::ZERO).unwrap();
                if batch.filled == 0 {
                    break;
                }
                read[0] += batch.filled as u32;
                read[1] += batch.packets().iter().map(|slot| slot.lost_before).sum::<u32>();
            }
        }
        assert!(read[1] > 0 && read[0] + read[1] == 2_200, "{read:?} read and lost");
    }

    #[test]
    fn what_was_reported_counts_modulo_2_to_the_32_and_reading_shows() {
        let reported = Reported::default();
        assert_eq!(reported.of_read(), None);
        reported.note_read();
        assert_eq!(reported.of_read(), Some(0));
        assert_eq!([reported.report(u32::MAX), reported.report(4)], [u32::MAX, 5]);
        assert_eq!(reported.of_read(), Some(4));
        reported.clear();
        assert_eq!(reported.of_read(), None);
    }

    #[test]
    fn a_token_brings_key_and_descriptor_back() {
        let key = PortKey { address: 65_534, port: 65_535 };
        assert_eq!(from_token(token(key, 1_048_575)), (key, 1_048_575));
        assert!(token(key, RawFd::MAX) < STREAMS_TOKEN);
    }

    #[test]
    fn handles_of_one_descriptor_differ_by_their_use() {
        assert_eq!(descriptor(handle(77, 3)), 77);
        assert_ne!(handle(77, 3), handle(77, 4));
    }
}
