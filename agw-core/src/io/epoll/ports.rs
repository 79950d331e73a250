//! The control side: opens, tunes and closes sockets, and gives steady ports their companions.

use super::paths::{Desk, Grant, Wish};
use super::spares::{Spare, Spares};
use super::stamps::{Change, PORTS_ASKING, Stamps};
use super::streams::STREAM_BUFFER_BYTES;
use super::{EpollSetup, READS_DSCP, Shared, descriptor, handle, token};
use crate::command::order::PortKey;
use crate::io::sys;
use crate::io::{PortHandle, PortOpener, PortOptions};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The most companions made in one go, so that the control thread is not held up.
const COMPANIONS_AT_ONCE: usize = 256;
/// How soon a wish should be granted: ten look-ups a second cost nothing.
const TEND_EVERY_MS: u64 = 100;
/// Companions get at most one in so many of the descriptors that are neither ports nor companions, so that they never crowd out
/// calls to come.
const COMPANION_SHARE: usize = 4;
/// Spare sockets likewise.
const SPARE_SHARE: usize = 4;
/// The most ports that wait for their count of losses to be switched on; beyond that it is switched on as they open.
const MAX_YOUNG: usize = 1 << 16;

/// Opens and closes ports.
#[derive(Debug)]
pub struct EpollPorts {
    pub(super) shared: Arc<Shared>,
    /// By descriptor.
    pub(super) open: Vec<Place>,
    /// By worker.
    desks: Vec<Desk>,
    ports: usize,
    companions: usize,
    /// TCP ports.
    pub(super) streams: usize,
    /// What the kernel keeps for a connection in each direction.
    pub(super) stream_buffer_bytes: usize,
    /// Whether there are to be any.
    companions_allowed: bool,
    stamps: Stamps,
    spares: Spares,
    /// Ports opened since the last look, and those opened before that: see [`EpollPorts::count_losses`].
    young: [Vec<PortHandle>; 2],
}

/// What was known of a descriptor that was a port.
#[derive(Debug, Default)]
pub(super) struct Place {
    use_count: u32,
    port: Option<OpenPort>,
    /// A TCP port.
    pub(super) stream: Option<(PortHandle, Socket)>,
}

#[derive(Debug)]
pub(super) struct OpenPort {
    handle: PortHandle,
    /// Who reaps from it; nobody while it changes hands.
    worker: Option<usize>,
    socket: Socket,
    companion: Option<Socket>,
    key: PortKey,
    local: SocketAddr,
    options: PortOptions,
    reads_dscp: bool,
    /// Its socket can become another port.
    can_be_spared: bool,
}

impl OpenPort {
    fn token(&self, socket: &Socket) -> u64 {
        token(self.key, socket.as_raw_fd()) | if self.reads_dscp { READS_DSCP } else { 0 }
    }

    fn sockets(&self) -> impl Iterator<Item = &Socket> {
        [Some(&self.socket), self.companion.as_ref()].into_iter().flatten()
    }
}

/// Without time stamps the port works as well, so the system may refuse.
fn stamp(socket: &Socket, on: bool) {
    let _ = if on { sys::enable_receive_time(socket) } else { sys::disable_receive_time(socket) };
}

/// Where the system refuses, no code point is told, and what copies them marks as it would without.
fn tell_traffic_class(socket: &Socket, local: SocketAddr, on: bool) {
    let _ = sys::tell_traffic_class(socket, local.is_ipv6(), on);
}

pub(super) fn not_found() -> io::Error {
    io::Error::from(io::ErrorKind::NotFound)
}

impl EpollPorts {
    pub(super) fn new(shared: Arc<Shared>, desks: Vec<Desk>, setup: &EpollSetup) -> Self {
        Self {
            spares: Spares::new(desks.len(), setup.kernel_ports),
            shared,
            open: Vec::new(),
            desks,
            ports: 0,
            companions: 0,
            streams: 0,
            stream_buffer_bytes: STREAM_BUFFER_BYTES,
            companions_allowed: setup.companions,
            stamps: Stamps::new(setup.stamps_all),
            young: Default::default(),
        }
    }

    /// Connections of TCP ports that are opened from now on have so many bytes in the kernel in each direction; it takes the double for its own needs,
    /// and no more than it is allowed to (`net.core.rmem_max`, `net.core.wmem_max`).
    pub const fn set_stream_buffers(&mut self, bytes: usize) {
        self.stream_buffer_bytes = bytes;
    }

    /// How many companions are open.
    pub fn companions(&self) -> usize {
        self.companions
    }

    /// Where a port is bound, the number included that the system chose for 0.
    ///
    /// # Errors
    /// There is no such port.
    pub fn local(&mut self, port: PortHandle) -> io::Result<SocketAddr> {
        self.port(port)?.socket.local_addr()?.as_socket().ok_or_else(not_found)
    }

    fn has_room_for_companion(&self) -> bool {
        self.companions_allowed && self.companions < self.free_descriptors() / COMPANION_SHARE
    }

    fn free_descriptors(&self) -> usize {
        let connections = self.shared.connections.load(Ordering::Relaxed);
        let used = self.ports + self.companions + self.spares.len() + self.streams + connections;
        self.shared.reported.len().saturating_sub(used)
    }

    fn port(&mut self, port: PortHandle) -> io::Result<&mut OpenPort> {
        let place = self.open.get_mut(descriptor(port) as usize).and_then(|place| place.port.as_mut());
        place.filter(|open| open.handle == port).ok_or_else(not_found)
    }

    /// The place of a descriptor that becomes a port, and what that is called.
    pub(super) fn place(&mut self, fd: RawFd) -> (&mut Place, PortHandle) {
        let place = fd as usize;
        if self.open.len() <= place {
            self.open.resize_with(place + 1, Place::default);
        }
        let place = &mut self.open[place];
        place.use_count = place.use_count.wrapping_add(1);
        let handle = handle(fd, place.use_count);
        (place, handle)
    }

    /// As [`EpollPorts::socket`]; spare sockets do not stand in its way.
    fn new_socket(&mut self, local: SocketAddr, options: PortOptions) -> io::Result<Socket> {
        match self.socket(local, options) {
            Err(_) if self.spares.give_up() => self.socket(local, options),
            made => made,
        }
    }

    /// A socket as every port has it, not yet bound.
    fn socket(&self, local: SocketAddr, options: PortOptions) -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(local), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
        let place = usize::try_from(socket.as_raw_fd()).ok();
        let Some(reported) = place.and_then(|fd| self.shared.reported.get(fd)) else {
            return Err(io::Error::other("more descriptors than the backend was made for"));
        };
        reported.clear();
        let is_v6 = local.is_ipv6();
        if is_v6 {
            socket.set_only_v6(true)?;
        }
        sys::allow_fragments(&socket, is_v6)?;
        // A new socket sends with 0.
        if options.dscp != 0 {
            sys::set_dscp(&socket, is_v6, options.dscp)?;
        }
        Ok(socket)
    }

    /// Makes a spare socket as good as new, but for what it has lost in its life, which goes on being counted.
    fn renew(&self, spare: Spare, local: SocketAddr, options: PortOptions) -> io::Result<Socket> {
        if spare.dscp != options.dscp {
            sys::set_dscp(&spare.socket, local.is_ipv6(), options.dscp)?;
        }
        if let Some(reported) = self.shared.reported.get(spare.socket.as_raw_fd() as usize) {
            reported.begin_again();
        }
        Ok(spare.socket)
    }

    /// Makes, or turns, the companion that a worker wishes for.
    fn grant(&mut self, worker: usize, wish: Wish) -> io::Result<RawFd> {
        let full = !self.has_room_for_companion();
        let port = self.port(wish.port)?;
        if port.worker != Some(worker) {
            return Err(not_found());
        }
        if let Some(companion) = &port.companion {
            companion.connect(&wish.to.into())?;
            return Ok(companion.as_raw_fd());
        }
        if full {
            return Err(io::Error::from(io::ErrorKind::QuotaExceeded));
        }
        let (local, options, reads_dscp) = (port.local, port.options, port.reads_dscp);
        let companion = self.new_socket(local, options)?;
        sys::enable_overflow_count(&companion)?;
        if self.stamps.are_asked_by(wish.port) {
            stamp(&companion, true);
        }
        if reads_dscp {
            tell_traffic_class(&companion, local, true);
        }
        let shared = Arc::clone(&self.shared);
        let post = shared.workers.get(worker).ok_or_else(not_found)?;
        let port = self.port(wish.port)?;
        // Only for this moment may two sockets be bound alike: nobody else shall ever share the port.
        port.socket.set_reuse_address(true)?;
        companion.set_reuse_address(true)?;
        let bound = companion.bind(&local.into()).and_then(|()| companion.connect(&wish.to.into()));
        companion.set_reuse_address(false)?;
        port.socket.set_reuse_address(false)?;
        bound?;
        let fd = companion.as_raw_fd();
        post.epoll.add(companion.as_fd(), port.token(&companion), false)?;
        port.companion = Some(companion);
        self.companions += 1;
        Ok(fd)
    }

    /// Lets a few ports ask the kernel for time stamps, or ask no more.
    fn turn_stamps(&mut self) {
        match self.stamps.due(sys::monotonic_us()) {
            Change::None => {}
            Change::Stop(ports) => {
                for port in ports {
                    // One that was closed meanwhile has stopped by that.
                    let Ok(port) = self.port(port) else { continue };
                    port.sockets().for_each(|socket| stamp(socket, false));
                }
            }
            Change::Start(from) => {
                let from = if from < self.open.len() { from } else { 0 };
                let ports = self.open[from..].iter().filter_map(|place| place.port.as_ref());
                let ports: Vec<_> = ports.take(PORTS_ASKING).collect();
                ports.iter().flat_map(|port| port.sockets()).for_each(|socket| stamp(socket, true));
                let next = ports.last().map_or(0, |port| descriptor(port.handle) as usize + 1);
                let handles = ports.iter().map(|port| port.handle).collect();
                self.stamps.ask(handles, next);
            }
        }
    }

    /// Lets ports that were open at the last look already tell their losses with what they receive. Many a port is closed before that
    /// and is spared the call; whatever was lost earlier is in the count all the same.
    fn count_losses(&mut self) {
        self.young.swap(0, 1);
        let mut ports = std::mem::take(&mut self.young[0]);
        for port in ports.drain(..) {
            // One that was closed meanwhile needs it no more; where the system refuses, the losses are counted in the end.
            let Ok(port) = self.port(port) else { continue };
            let _ = sys::enable_overflow_count(&port.socket);
        }
        self.young[0] = ports;
    }

    /// Adds what the queue has lost and nobody has reported yet. A queue of which nothing was ever read is not asked: the worker would have
    /// read it long before it was full.
    fn settle_losses(&self, socket: &Socket, key: PortKey) {
        let Some(reported) = self.shared.reported.get(socket.as_raw_fd() as usize) else { return };
        let Some(told) = reported.of_read() else { return };
        let lost = reported.report(sys::overflows(socket).unwrap_or(told));
        if let Some(losses) = self.shared.closed_losses.get(usize::from(key.address)) {
            losses.fetch_add(u64::from(lost), Ordering::Relaxed);
        }
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
        let (socket, is_watched) = match self.spares.take(worker, local, sys::monotonic_us()) {
            Some(spare) => (self.renew(spare, local, options)?, true),
            None => {
                let socket = self.new_socket(local, options)?;
                if self.stamps.of_all() {
                    stamp(&socket, true);
                }
                (socket, false)
            }
        };
        let can_be_spared = self.spares.bind(&socket, local)?;
        let fd = socket.as_raw_fd();
        let post = self.shared.workers.get(worker).ok_or_else(not_found)?;
        match is_watched {
            true => post.epoll.report(socket.as_fd(), token(key, fd))?,
            false => post.epoll.add(socket.as_fd(), token(key, fd), false)?,
        }
        let tells_later = self.young[0].len() < MAX_YOUNG;
        if !tells_later {
            let _ = sys::enable_overflow_count(&socket);
        }
        let (place, handle) = self.place(fd);
        place.port = Some(OpenPort {
            handle,
            worker: Some(worker),
            socket,
            companion: None,
            key,
            local,
            options,
            reads_dscp: false,
            can_be_spared,
        });
        self.ports += 1;
        if tells_later {
            self.young[0].push(handle);
        }
        Ok(handle)
    }

    fn tune(&mut self, port: PortHandle, options: PortOptions) -> io::Result<()> {
        let port = self.port(port)?;
        let is_v6 = port.local.is_ipv6();
        port.options = options;
        for socket in port.sockets() {
            sys::set_dscp(socket, is_v6, options.dscp)?;
        }
        Ok(())
    }

    fn read_dscp(&mut self, port: PortHandle, on: bool) {
        let shared = Arc::clone(&self.shared);
        let Ok(port) = self.port(port) else { return };
        port.reads_dscp = on;
        let post = port.worker.and_then(|worker| shared.workers.get(worker));
        for socket in port.sockets() {
            tell_traffic_class(socket, port.local, on);
            if let Some(post) = post {
                // Fails only if the worker does not reap from the port, and then it is admitted with the new token.
                let _ = post.epoll.report(socket.as_fd(), port.token(socket));
            }
        }
    }

    fn close(&mut self, _worker: usize, handle: PortHandle) {
        if self.port(handle).is_err() {
            return;
        }
        let Some(port) = self.open[descriptor(handle) as usize].port.take() else { return };
        self.ports -= 1;
        self.companions -= usize::from(port.companion.is_some());
        // Nobody else has the descriptors, so closing them takes them out of every epoll instance too (epoll(7)).
        port.sockets().for_each(|socket| self.settle_losses(socket, port.key));
        if port.can_be_spared
            && !port.reads_dscp
            && !self.stamps.end_with(handle)
            && self.spares.len() < self.free_descriptors() / SPARE_SHARE
            && let Some(worker) = port.worker
        {
            let (is_v6, dscp) = (port.local.is_ipv6(), port.options.dscp);
            self.spares.keep(worker, port.socket, is_v6, dscp, sys::monotonic_us());
        }
    }

    fn reserve(&mut self, worker: usize, port: PortHandle) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let post = shared.workers.get(worker).ok_or_else(not_found)?;
        let port = self.port(port)?;
        for (done, socket) in port.sockets().enumerate() {
            if let Err(error) = post.epoll.reserve(socket.as_fd(), port.token(socket)) {
                for socket in port.sockets().take(done) {
                    // What was just added can be removed.
                    let _ = post.epoll.remove(socket.as_fd());
                }
                return Err(error);
            }
        }
        Ok(())
    }

    fn withdraw(&mut self, worker: usize, port: PortHandle) {
        let shared = Arc::clone(&self.shared);
        let (Some(post), Ok(port)) = (shared.workers.get(worker), self.port(port)) else { return };
        port.worker = port.worker.filter(|owner| *owner != worker);
        for socket in port.sockets() {
            // Fails only where the worker does not reap from the port anyway.
            let _ = post.epoll.remove(socket.as_fd());
        }
    }

    fn admit(&mut self, worker: usize, port: PortHandle) {
        let shared = Arc::clone(&self.shared);
        let (Some(post), Ok(port)) = (shared.workers.get(worker), self.port(port)) else { return };
        port.worker = Some(worker);
        for socket in port.sockets() {
            let admitted = post.epoll.report(socket.as_fd(), port.token(socket));
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

    fn tend_again_ms(&self) -> Option<u64> {
        (self.ports > 0 || self.spares.len() > 0).then_some(TEND_EVERY_MS)
    }

    fn tend(&mut self) {
        self.turn_stamps();
        self.count_losses();
        self.spares.tend(sys::monotonic_us());
        for worker in 0..self.desks.len() {
            for _ in 0..COMPANIONS_AT_ONCE {
                let desk = &mut self.desks[worker];
                if desk.grants.is_full() {
                    break;
                }
                let Ok(wish) = desk.wishes.pop() else { break };
                // Whatever the system says against it: the port's own socket goes on as before.
                let Ok(companion) = self.grant(worker, wish) else { continue };
                let told = self.desks[worker].grants.push(Grant { wish, companion });
                debug_assert!(told.is_ok(), "there was room");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::epoll::spares::tests::kernel_ports;
    use crate::io::epoll::{self, EpollSetup};
    use crate::io::{Batch, PacketIo};
    use std::time::Duration;

    #[test]
    fn a_reservation_that_fails_halfway_leaves_nothing() {
        let setup = EpollSetup { companions: true, ..EpollSetup::new(2, 1) };
        let (mut ports, _ios) = epoll::open(&setup).unwrap();
        let local = "127.0.0.1:0".parse().unwrap();
        let key = PortKey { address: 0, port: 1 };
        let port = ports.open(0, key, local, PortOptions::default()).unwrap();
        let companion = ports.socket(local, PortOptions::default()).unwrap();
        let shared = Arc::clone(&ports.shared);
        // The second of the two cannot be added, because it is there.
        shared.workers[1].epoll.reserve(companion.as_fd(), 7).unwrap();
        ports.port(port).unwrap().companion = Some(companion);
        assert!(ports.reserve(1, port).is_err());

        let companion = ports.port(port).unwrap().companion.as_ref().unwrap();
        shared.workers[1].epoll.remove(companion.as_fd()).unwrap();
        ports.reserve(1, port).expect("the first was not left behind");
    }

    #[test]
    fn a_socket_goes_from_port_to_port_as_good_as_new() {
        let kernel_ports = kernel_ports();
        let setup = EpollSetup { companions: true, kernel_ports, ..EpollSetup::new(1, 2) };
        let (mut ports, mut ios) = epoll::open(&setup).unwrap();
        let (mut io, mut batch) = (ios.remove(0), Batch::new());
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let free = || std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut before = None;
        for (turn, dscp) in [46, 0, 10].into_iter().enumerate() {
            let key = PortKey { address: 0, port: turn as u16 };
            let local = free();
            let handle = ports.open(0, key, local, PortOptions { dscp }).unwrap();
            if let Some(before) = before.replace(handle) {
                assert_eq!(descriptor(before), descriptor(handle));
                assert!(ports.local(before).is_err(), "the old handle is nobody's");
            }
            assert_eq!(ports.local(handle).unwrap(), local);
            assert_eq!(ports.port(handle).unwrap().socket.tos_v4().unwrap(), u32::from(dscp) << 2);
            sender.send_to(b"x", local).unwrap();
            io.reap(&mut batch, Duration::ZERO).unwrap();
            assert_eq!(batch.packets().iter().map(|slot| slot.port).collect::<Vec<_>>(), [key]);
            ports.close(0, handle);
            assert_eq!(ports.spares.len(), 1);
            std::thread::sleep(Duration::from_millis(25));
        }
        ports.new_socket(free(), PortOptions::default()).unwrap();
        assert_eq!(ports.spares.len(), 1);
        ports.shared.connections.store(4095, Ordering::Relaxed);
        let handle = ports.open(0, PortKey { address: 0, port: 9 }, free(), PortOptions::default()).unwrap();
        ports.close(0, handle);
        assert_eq!(ports.spares.len(), 0, "descriptors are scarce");
    }

    #[test]
    fn asked_of_all_the_time_inside_is_known_of_every_packet() {
        let setup = EpollSetup {
            companions: true,
            kernel_ports: kernel_ports(),
            stamps_all: true,
            ..EpollSetup::new(1, 1)
        };
        let (mut ports, mut ios) = epoll::open(&setup).unwrap();
        let (mut io, mut batch) = (ios.remove(0), Batch::new());
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for turn in 0..3 {
            // From the second one on with the socket of the one before, where the kernel allows it.
            let local = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
            let handle =
                ports.open(0, PortKey { address: 0, port: turn }, local, PortOptions::default()).unwrap();
            ports.tend();
            for _ in 0..3 {
                sender.send_to(b"x", local).unwrap();
                io.reap(&mut batch, Duration::ZERO).unwrap();
                assert_eq!(batch.packets().len(), 1);
                assert!(batch.packets()[0].waited_us.is_some());
            }
            ports.close(0, handle);
            std::thread::sleep(Duration::from_millis(25));
        }
    }
}
