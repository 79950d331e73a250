//! The backend that works everywhere: one UDP socket per port, one epoll instance per worker.
//!
//! A gateway has thousands of ports and seldom more than one packet waiting on each, so what is saved must be saved across
//! ports: while traffic flows a worker is not woken by packets but rests until its next tick, then takes what has come on all ports. A port that has more than
//! one packet waiting is read with one call for several. When nothing comes for [`IDLE_TICKS`] ticks it blocks in epoll, and
//! costs nothing.
//!
//! Sockets stay unconnected: a connected one would answer strangers with ICMP and hide them from our counters (RLY-3). Datagrams
//! beyond the MTU are fragmented by the kernel, and fragments put together by it (RLY-6).

use super::sys::{self, Epoll, Events, MessageArray, Waker};
use super::{
    BATCH_SLOTS, Batch, MAX_DATAGRAM_BYTES, Now, PacketIo, PortHandle, PortOpener, PortOptions, SendOutcome,
    Slot,
};
use crate::command::order::PortKey;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

/// Ticks without a packet after which a worker goes to sleep.
const IDLE_TICKS: u32 = 20;
/// Packets read by one call from a port that has several.
const BURST: usize = 16;
/// One receive call in so many asks for the kernel's time stamp and overflow count.
const SAMPLE_EVERY: u32 = 16;
/// What the waker is registered as; no port has this token, since no address has index 65535.
const WAKER_TOKEN: u64 = u64::MAX;
/// What stands in the place of an event that concerns nobody any more.
const NOBODY_TOKEN: u64 = u64::MAX - 1;

/// How the backend is made.
#[derive(Debug, Clone)]
pub struct EpollSetup {
    /// How many workers.
    pub workers: usize,
    /// How many local addresses there are: [`PortKey::address`] is below this, and below 65535.
    pub addresses: usize,
    /// Descriptor numbers are below this: the process's limit.
    pub descriptors: usize,
    /// How long a worker rests between batches while traffic flows, in microseconds; 0: it never rests, and each packet wakes it.
    pub tick_us: u32,
}

/// What both sides see.
#[derive(Debug)]
struct Shared {
    workers: Box<[Post]>,
    /// By descriptor: how many datagrams of the port's queue were reported lost. Written by the worker while the port is open, by the
    /// control thread before and after.
    reported: Box<[AtomicU32]>,
    /// By local address: losses of ports that were closed before anybody reported them.
    closed_losses: Box<[AtomicU64]>,
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
    let shared = Arc::new(Shared {
        workers: (0..setup.workers).map(post).collect::<io::Result<_>>()?,
        reported: (0..setup.descriptors).map(|_| AtomicU32::new(0)).collect(),
        closed_losses: (0..setup.addresses).map(|_| AtomicU64::new(0)).collect(),
    });
    let tick = Duration::from_micros(u64::from(setup.tick_us));
    let workers = (0..setup.workers).map(|worker| EpollIo::new(Arc::clone(&shared), worker, tick)).collect();
    Ok((EpollPorts { shared, open: Vec::new() }, workers))
}

// --- the control side ----------------------------------------------------------------------------------------------------------

/// Opens and closes ports.
#[derive(Debug)]
pub struct EpollPorts {
    shared: Arc<Shared>,
    /// By descriptor.
    open: Vec<Option<OpenPort>>,
}

#[derive(Debug)]
struct OpenPort {
    socket: Socket,
    key: PortKey,
    is_v6: bool,
}

impl EpollPorts {
    fn post(&self, worker: usize) -> io::Result<&Post> {
        self.shared.workers.get(worker).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }

    fn port(&self, handle: PortHandle) -> io::Result<&OpenPort> {
        let port = self.open.get(handle.0 as usize).and_then(Option::as_ref);
        port.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
    }
}

impl PortOpener for EpollPorts {
    fn open(
        &mut self,
        worker: usize,
        key: PortKey,
        local: SocketAddr,
        options: PortOptions,
    ) -> io::Result<PortHandle> {
        let post = self.post(worker)?;
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
        let descriptor = socket.as_raw_fd();
        let Some(reported) = usize::try_from(descriptor).ok().and_then(|fd| self.shared.reported.get(fd))
        else {
            return Err(io::Error::other("more descriptors than the backend was made for"));
        };
        let is_v6 = local.is_ipv6();
        if is_v6 {
            socket.set_only_v6(true)?;
        }
        sys::enable_overflow_count(&socket)?;
        sys::enable_receive_time(&socket)?;
        sys::allow_fragments(&socket, is_v6)?;
        sys::set_dscp(&socket, is_v6, options.dscp)?;
        socket.bind(&local.into())?;
        reported.store(0, Ordering::Relaxed);
        post.epoll.add(socket.as_fd(), token(key, descriptor), false)?;
        let place = descriptor as usize;
        if self.open.len() <= place {
            self.open.resize_with(place + 1, || None);
        }
        self.open[place] = Some(OpenPort { socket, key, is_v6 });
        Ok(PortHandle(descriptor as u32))
    }

    fn tune(&mut self, port: PortHandle, options: PortOptions) -> io::Result<()> {
        let port = self.port(port)?;
        sys::set_dscp(&port.socket, port.is_v6, options.dscp)
    }

    fn close(&mut self, worker: usize, port: PortHandle) {
        let Some(port) = self.open.get_mut(port.0 as usize).and_then(Option::take) else { return };
        if let Some(post) = self.shared.workers.get(worker) {
            // Cannot fail for a registered descriptor, and closing it would do the same.
            let _ = post.epoll.remove(port.socket.as_fd());
        }
        let reported = &self.shared.reported[port.socket.as_raw_fd() as usize];
        let lost = sys::overflows(&port.socket).unwrap_or(0).wrapping_sub(reported.load(Ordering::Acquire));
        if let Some(losses) = self.shared.closed_losses.get(usize::from(port.key.address)) {
            losses.fetch_add(u64::from(lost), Ordering::Relaxed);
        }
    }

    fn reserve(&mut self, worker: usize, port: PortHandle) -> io::Result<()> {
        let (place, port) = (port.0, self.port(port)?);
        self.post(worker)?.epoll.reserve(port.socket.as_fd(), token(port.key, place as RawFd))
    }

    fn withdraw(&mut self, worker: usize, port: PortHandle) {
        if let (Ok(post), Ok(port)) = (self.post(worker), self.port(port)) {
            // Fails only where the worker does not reap from the port anyway.
            let _ = post.epoll.remove(port.socket.as_fd());
        }
    }

    fn admit(&mut self, worker: usize, port: PortHandle) {
        let place = port.0;
        if let (Ok(post), Ok(port)) = (self.post(worker), self.port(port)) {
            let admitted = post.epoll.report(port.socket.as_fd(), token(port.key, place as RawFd));
            debug_assert!(admitted.is_ok(), "the port was not reserved");
        }
    }

    fn wake(&mut self, worker: usize) {
        if let Some(post) = self.shared.workers.get(worker)
            && !post.waking.swap(true, Ordering::AcqRel)
        {
            post.waker.wake();
        }
    }
}

/// Address and port above, the descriptor below.
fn token(key: PortKey, descriptor: RawFd) -> u64 {
    u64::from(key.address) << 48 | u64::from(key.port) << 32 | descriptor as u64
}

fn from_token(token: u64) -> (PortKey, RawFd) {
    let key = PortKey { address: (token >> 48) as u16, port: (token >> 32) as u16 };
    (key, (token & 0x7fff_ffff) as RawFd)
}

// --- the worker's side ---------------------------------------------------------------------------------------------------------

/// One worker's sockets.
pub struct EpollIo {
    shared: Arc<Shared>,
    worker: usize,
    tick: Duration,
    events: Events,
    /// Which event of the last wait comes next.
    next_event: usize,
    messages: MessageArray,
    /// When the present rest ends, in microseconds.
    tick_end_us: u64,
    /// Ticks since the last packet.
    quiet_ticks: u32,
    /// The last batch was full: there is more.
    more: bool,
    until_sample: u32,
}

impl EpollIo {
    fn new(shared: Arc<Shared>, worker: usize, tick: Duration) -> Self {
        Self {
            shared,
            worker,
            tick,
            events: Events::new(BATCH_SLOTS),
            next_event: 0,
            messages: MessageArray::new(BURST),
            tick_end_us: 0,
            quiet_ticks: IDLE_TICKS,
            more: false,
            until_sample: SAMPLE_EVERY,
        }
    }

    /// Rests until the next tick if traffic flows. Says how long epoll may wait.
    fn rest(&mut self, wait: Duration) -> Duration {
        if self.more || wait.is_zero() {
            return Duration::ZERO;
        }
        if self.tick.is_zero() || self.quiet_ticks >= IDLE_TICKS {
            return wait;
        }
        let left_us = self.tick_end_us.saturating_sub(sys::monotonic_us());
        if left_us > 0 {
            sys::rest(Duration::from_micros(left_us).min(wait));
        }
        Duration::ZERO
    }

    /// Takes packets of the sockets that the last wait found ready: one of each, or several where `burst` says that they have more.
    fn collect(&mut self, batch: &mut Batch, burst: bool) {
        while batch.filled < BATCH_SLOTS
            && let Some(token) = self.events.token(self.next_event)
        {
            self.next_event += 1;
            if token == WAKER_TOKEN {
                self.shared.workers[self.worker].waking.store(false, Ordering::Release);
                continue;
            }
            if token == NOBODY_TOKEN {
                continue;
            }
            let (key, socket) = from_token(token);
            let room = &mut batch.slots[batch.filled..];
            batch.filled += if burst {
                self.receive_several(key, socket, room)
            } else {
                self.receive_one(key, socket, room)
            };
        }
    }

    fn receive_one(&mut self, key: PortKey, socket: RawFd, room: &mut [Slot]) -> usize {
        let Some(slot) = room.first_mut() else { return 0 };
        let buffer = &mut slot.bytes[..MAX_DATAGRAM_BYTES];
        self.until_sample -= 1;
        if self.until_sample > 0 {
            // The caller goes on with the next port whatever the error: none of them is the backend's end.
            let Ok(received) = sys::receive_from(socket, buffer) else { return 0 };
            slot.fill(key, received.from, received.len, received.truncated);
            return 1;
        }
        self.until_sample = SAMPLE_EVERY;
        let Ok(received) = sys::receive_message(socket, buffer) else { return 0 };
        slot.fill(key, received.from, received.len, received.truncated);
        self.note_sample(socket, slot, &received);
        1
    }

    fn receive_several(&mut self, key: PortKey, socket: RawFd, room: &mut [Slot]) -> usize {
        let buffers = room.iter_mut().map(|slot| &mut slot.bytes[..MAX_DATAGRAM_BYTES]);
        let Ok(count) = self.messages.receive(socket, buffers) else { return 0 };
        for (index, slot) in room.iter_mut().take(count).enumerate() {
            let received = self.messages.received(index);
            slot.fill(key, received.from, received.len, received.truncated);
            if index + 1 == count {
                self.note_sample(socket, slot, &received);
            }
        }
        count
    }

    fn note_sample(&self, socket: RawFd, slot: &mut Slot, received: &sys::Received) {
        if let Some(time_ns) = received.time_ns {
            let waited_us = sys::wall_ns().saturating_sub(time_ns) / 1000;
            slot.waited_us = Some(u32::try_from(waited_us).unwrap_or(u32::MAX));
        }
        if let Some(overflows) = received.overflows
            && let Some(reported) = self.shared.reported.get(socket as usize)
        {
            slot.lost_before = overflows.wrapping_sub(reported.load(Ordering::Relaxed));
            reported.store(overflows, Ordering::Release);
        }
    }
}

impl PacketIo for EpollIo {
    fn reap(&mut self, batch: &mut Batch, wait: Duration) -> io::Result<()> {
        batch.filled = 0;
        let mut burst = false;
        if self.next_event >= self.events.len() {
            let wait = self.rest(wait);
            self.wait(wait)?;
        }
        // Rounds over the ports that are ready, one packet each at first, so that a busy port does not keep others waiting.
        loop {
            let before = batch.filled;
            self.collect(batch, burst);
            if batch.filled == before || batch.filled == BATCH_SLOTS {
                break;
            }
            burst = true;
            self.wait(Duration::ZERO)?;
        }
        self.more = batch.filled == BATCH_SLOTS;
        batch.now = self.now();
        self.tick_end_us = batch.now.0 + self.tick.as_micros() as u64;
        self.quiet_ticks = if batch.filled > 0 { 0 } else { self.quiet_ticks.saturating_add(1) };
        Ok(())
    }

    fn send(&mut self, batch: &mut Batch) {
        for slot in batch.packets() {
            let Some((handle, to)) = slot.to else { continue };
            let socket = handle.0 as RawFd;
            let mut result = sys::send_to(socket, slot.datagram(), to);
            if result.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::Interrupted) {
                result = sys::send_to(socket, slot.datagram(), to);
            }
            slot.outcome = match result {
                Ok(()) => SendOutcome::Sent,
                Err(e) if is_full(&e) => SendOutcome::Full,
                Err(_) => SendOutcome::Failed,
            };
        }
    }

    fn now(&self) -> Now {
        Now(sys::monotonic_us())
    }

    fn forget(&mut self, port: PortHandle) {
        let stale = |token| from_token(token).1 as u32 == port.0;
        self.events.replace(self.next_event, stale, NOBODY_TOKEN);
    }

    fn take_losses(&mut self, per_address: &mut [u64]) {
        // One worker reports for all: the losses are counted per leg and summed over workers anyhow.
        for (sum, lost) in per_address.iter_mut().zip(&self.shared.closed_losses) {
            if lost.load(Ordering::Relaxed) > 0 {
                *sum += lost.swap(0, Ordering::Relaxed);
            }
        }
    }
}

impl EpollIo {
    fn wait(&mut self, wait: Duration) -> io::Result<()> {
        self.next_event = 0;
        self.shared.workers[self.worker].epoll.wait(&mut self.events, wait)
    }
}

fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::ENOBUFS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_that_was_found_ready_and_then_withdrawn_is_left_alone() {
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for victim in 0..3 {
            let setup = EpollSetup { workers: 1, addresses: 3, descriptors: 4096, tick_us: 0 };
            let (mut ports, mut ios) = open(&setup).unwrap();
            let handles: Vec<PortHandle> = (0..3)
                .map(|address| {
                    let key = PortKey { address, port: 1 };
                    let local = "127.0.0.1:0".parse().unwrap();
                    let handle = ports.open(0, key, local, PortOptions::default()).unwrap();
                    let bound = ports.port(handle).unwrap().socket.local_addr().unwrap();
                    for _ in 0..BATCH_SLOTS {
                        sender.send_to(b"x", bound.as_socket().unwrap()).unwrap();
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
                    io.forget(handles[victim]);
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
    fn a_token_brings_key_and_descriptor_back() {
        let key = PortKey { address: 65_534, port: 65_535 };
        assert_eq!(from_token(token(key, 1_048_575)), (key, 1_048_575));
        assert!(token(key, RawFd::MAX) < NOBODY_TOKEN);
    }
}
