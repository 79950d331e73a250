//! The worker's connections: an epoll instance of their own, edge-triggered, that is itself one descriptor of the instance the worker waits
//! in. So connections without news cost nothing per turn, and news of them end a wait like a packet does.
//!
//! A connection is told of by its place and how often that has been used, so that what the kernel has reported of one that is gone never
//! reaches the next. That a connection has failed is remembered: the kernel tells it once only, to whichever call comes first, and would
//! afterwards let a reset look like an end in order.

use super::descriptor;
use crate::io::PortHandle;
use crate::io::stream::{ConnectionHandle, StreamEvent};
use crate::io::sys::{self, Epoll, Events};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

/// How many may wait to be accepted at a port (the system may allow fewer: `net.core.somaxconn`).
pub const BACKLOG: u16 = 1024;
/// What the kernel keeps for a connection in each direction where nothing else is asked for; it doubles that for its own needs. With windows of this size
/// a megabyte a second still crosses a path of 100 ms, and a thousand stalled connections stay below half a gigabyte.
pub const STREAM_BUFFER_BYTES: usize = 128 * 1024;
/// Bytes that nobody has read and that are thrown away when a connection is let go of: unread, they would turn its end into a reset.
const DISCARD_BYTES: usize = 64 * 1024;
/// The most connections of a worker: their places fit into a handle beside the count of their uses.
pub(super) const MAX_CONNECTIONS: usize = 1 << PLACE_BITS;
const PLACE_BITS: u32 = 20;
/// Changes taken by one system call.
const EVENTS: usize = 64;
/// In a token: it names a port that listens, by its handle.
const PORT_TOKEN: u64 = 1 << 63;
/// What of a place's uses stands in a token.
const TOKEN_USES: u32 = u32::MAX >> 1;
/// The most in a row who went away before they were accepted; after that many the next call goes on.
const MAX_GONE: usize = 64;

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// How it has failed; sticky.
    failed: Option<i32>,
    /// Not known to be up yet.
    under_way: bool,
    /// We send no more.
    finished: bool,
    /// Room to write is waited for.
    starved: bool,
    /// All that had come has been read, and nothing has been told of since.
    dry: bool,
    /// The end has been told of, which is not told again.
    hung_up: bool,
}

#[derive(Debug, Default)]
struct Place {
    uses: u32,
    connection: Option<Connection>,
}

/// All connections of a worker.
pub(super) struct Streams {
    epoll: Epoll,
    events: Events,
    next_event: usize,
    /// The other half of the last event.
    also_readable: Option<(u32, ConnectionHandle)>,
    /// The kernel has more to tell.
    ready: bool,
    places: Vec<Place>,
    /// The one that has been free for longest comes first.
    free: VecDeque<u32>,
    /// Handles of the ports that listen.
    listening: BTreeSet<u32>,
}

/// A socket as every port and connection has it, not yet bound: its address can be bound again while what is left of old connections
/// fades away. The kernel keeps so many bytes of what comes and of what goes.
pub(super) fn socket(local: SocketAddr, [receive_bytes, send_bytes]: [usize; 2]) -> io::Result<Socket> {
    let kind = Type::STREAM.nonblocking();
    let socket = Socket::new(Domain::for_address(local), kind, Some(Protocol::TCP))?;
    if local.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_recv_buffer_size(receive_bytes)?;
    socket.set_send_buffer_size(send_bytes)?;
    Ok(socket)
}

impl Streams {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            epoll: Epoll::new()?,
            events: Events::new(EVENTS),
            next_event: 0,
            also_readable: None,
            ready: false,
            places: Vec::new(),
            free: VecDeque::new(),
            listening: BTreeSet::new(),
        })
    }

    /// What the worker's own instance is to watch.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }

    /// That instance has told that there is something.
    pub(super) fn wake(&mut self) {
        self.ready = true;
    }

    /// There may be something to poll.
    pub(super) fn has_news(&self) -> bool {
        self.ready || self.next_event < self.events.len() || self.also_readable.is_some()
    }

    pub(super) fn poll(&mut self) -> Option<StreamEvent> {
        loop {
            if let Some((uses, handle)) = self.also_readable.take()
                && self.places.get(place(handle)).is_some_and(|place| place.uses == uses)
            {
                return Some(StreamEvent::Readable(handle));
            }
            let Some(ready) = self.events.ready(self.next_event) else {
                if !self.ready {
                    return None;
                }
                self.next_event = 0;
                // What could fail here is the instance itself, and then waiting in it fails as well.
                let filled = self.epoll.wait(&mut self.events, Duration::ZERO).is_ok();
                self.ready = filled && self.events.len() == self.events.capacity();
                continue;
            };
            self.next_event += 1;
            if ready.token & PORT_TOKEN != 0 {
                let port = PortHandle(ready.token as u32);
                if self.listening.contains(&port.0) {
                    return Some(StreamEvent::Knock(port));
                }
                continue;
            }
            let (at, uses) = (ready.token as u32 as usize, (ready.token >> 32) as u32);
            let Some(place) = self.places.get_mut(at).filter(|place| place.uses & TOKEN_USES == uses) else {
                continue;
            };
            let handle = handle(at, place.uses);
            let Some(connection) = &mut place.connection else { continue };
            connection.dry &= !ready.readable;
            connection.hung_up |= ready.hung_up;
            // Whoever does not wait for room is not told of it.
            if ready.writable && std::mem::take(&mut connection.starved) {
                self.also_readable = ready.readable.then_some((place.uses, handle));
                return Some(StreamEvent::Writable(handle));
            }
            if ready.readable {
                return Some(StreamEvent::Readable(handle));
            }
        }
    }

    pub(super) fn listen(&mut self, port: PortHandle) -> io::Result<()> {
        if self.listening.contains(&port.0) {
            return Ok(());
        }
        sys::with_port(descriptor(port), |socket| {
            socket.listen(BACKLOG.into())?;
            self.epoll.add(socket.as_fd(), PORT_TOKEN | u64::from(port.0), true)
        })?;
        self.listening.insert(port.0);
        Ok(())
    }

    pub(super) fn stop_listening(&mut self, port: PortHandle) -> io::Result<()> {
        if !self.listening.remove(&port.0) {
            return Ok(());
        }
        sys::with_port(descriptor(port), |socket| {
            self.epoll.remove(socket.as_fd())?;
            // On a socket that listens this undoes listen(2) and keeps the address.
            socket.shutdown(Shutdown::Read)
        })
    }

    pub(super) fn accept(&mut self, port: PortHandle) -> io::Result<(ConnectionHandle, SocketAddr)> {
        for _ in 0..MAX_GONE {
            match sys::accept(descriptor(port)) {
                Ok((connection, from)) => return Ok((self.add(connection.into(), false)?, from)),
                Err(e) if e.raw_os_error() == Some(libc::ECONNABORTED) => {}
                Err(e) => return Err(e),
            }
        }
        Err(io::Error::from(io::ErrorKind::Interrupted))
    }

    pub(super) fn connect(&mut self, port: PortHandle, to: SocketAddr) -> io::Result<ConnectionHandle> {
        let socket = sys::with_port(descriptor(port), |port_socket| {
            let not_tcp = || io::Error::from(io::ErrorKind::NotFound);
            let local = port_socket.local_addr()?.as_socket().ok_or_else(not_tcp)?;
            if local.is_ipv4() != to.is_ipv4() {
                return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
            }
            // TCP would connect the socket to itself (RFC 9293 section 3.5, simultaneous open).
            if local == to {
                return Err(io::Error::from(io::ErrorKind::ConnectionRefused));
            }
            // What was asked for; the kernel tells the double.
            let buffers = [port_socket.recv_buffer_size()? / 2, port_socket.send_buffer_size()? / 2];
            let socket = socket(local, buffers)?;
            sys::copy_dscp(&*port_socket, &socket, local.is_ipv6())?;
            // Beside a socket that listens another one can be bound only if both allow it, and only for this moment they do: nobody else shall
            // ever share the port.
            let shared = self.listening.contains(&port.0);
            if shared {
                port_socket.set_reuse_port(true)?;
                socket.set_reuse_port(true)?;
            }
            let bound = socket.bind(&local.into());
            if shared {
                port_socket.set_reuse_port(false)?;
                socket.set_reuse_port(false)?;
            }
            bound.map(|()| socket)
        })?;
        match socket.connect(&to.into()) {
            Ok(()) => {}
            Err(e) if e.raw_os_error() == Some(libc::EINPROGRESS) => {}
            Err(e) => return Err(e),
        }
        self.add(OwnedFd::from(socket).into(), true)
    }

    fn add(&mut self, stream: TcpStream, under_way: bool) -> io::Result<ConnectionHandle> {
        let at = match self.free.pop_front() {
            Some(at) => at as usize,
            None if self.places.len() < MAX_CONNECTIONS => {
                self.places.push(Place::default());
                self.places.len() - 1
            }
            None => return Err(io::Error::from_raw_os_error(libc::EMFILE)),
        };
        let place = &mut self.places[at];
        let token = u64::from(place.uses & TOKEN_USES) << 32 | at as u64;
        if let Err(e) = self.epoll.add_stream(stream.as_fd(), token) {
            self.free.push_back(at as u32);
            return Err(e);
        }
        let connection = Connection {
            stream,
            failed: None,
            under_way,
            finished: false,
            starved: under_way,
            dry: false,
            hung_up: false,
        };
        place.connection = Some(connection);
        Ok(handle(at, place.uses))
    }

    /// What the kernel keeps for a connection, of what comes and of what goes.
    #[cfg(test)]
    pub(super) fn buffer_bytes(&mut self, handle: ConnectionHandle) -> io::Result<[usize; 2]> {
        let socket = SockRef::from(&self.connection(handle)?.stream);
        Ok([socket.recv_buffer_size()?, socket.send_buffer_size()?])
    }

    fn connection(&mut self, handle: ConnectionHandle) -> io::Result<&mut Connection> {
        let found = self.places.get_mut(place(handle));
        let found =
            found.filter(|place| place.uses << PLACE_BITS == handle.0 & !(MAX_CONNECTIONS as u32 - 1));
        let connection = found.and_then(|place| place.connection.as_mut());
        connection.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))
    }

    pub(super) fn established(&mut self, handle: ConnectionHandle) -> io::Result<()> {
        self.connection(handle)?.established()
    }

    pub(super) fn receive(&mut self, handle: ConnectionHandle, into: &mut [u8]) -> io::Result<usize> {
        let connection = self.connection(handle)?;
        connection.check()?;
        if connection.dry {
            return Err(io::Error::from(io::ErrorKind::WouldBlock));
        }
        let read = connection.stream.read(into);
        // Less than there was room for means that the next read finds nothing, until more is told of: epoll(7), question 9. Only the end may follow
        // what was read without that, if it was told of together with it.
        let less_than_room = read.as_ref().is_ok_and(|len| (1..into.len()).contains(len));
        connection.dry = less_than_room && !connection.hung_up;
        connection.note(read)
    }

    pub(super) fn transmit(&mut self, handle: ConnectionHandle, bytes: &[u8]) -> io::Result<usize> {
        let connection = self.connection(handle)?;
        connection.check()?;
        if connection.finished {
            return Err(io::Error::from(io::ErrorKind::BrokenPipe));
        }
        let written = connection.stream.write(bytes);
        // Less than all means that the next write finds no room.
        connection.starved = written.as_ref().map_or_else(is_not_now, |written| *written < bytes.len());
        connection.note(written)
    }

    pub(super) fn finish(&mut self, handle: ConnectionHandle) {
        if let Ok(connection) = self.connection(handle)
            && !std::mem::replace(&mut connection.finished, true)
            && !connection.under_way
        {
            // Fails only where there is no connection any more.
            let _ = connection.stream.shutdown(Shutdown::Write);
        }
    }

    /// Whether there was such a connection.
    pub(super) fn release(&mut self, handle: ConnectionHandle, reset: bool) -> bool {
        if self.connection(handle).is_err() {
            return false;
        }
        let at = place(handle);
        let place = &mut self.places[at];
        place.uses = place.uses.wrapping_add(1);
        if let Some(connection) = place.connection.take() {
            connection.close(reset);
        }
        self.free.push_back(at as u32);
        true
    }
}

impl Connection {
    fn check(&self) -> io::Result<()> {
        self.failed.map_or(Ok(()), |code| Err(io::Error::from_raw_os_error(code)))
    }

    /// Keeps how it has failed.
    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(e) = &result
            && !is_not_now(e)
        {
            self.failed = e.raw_os_error();
        }
        result
    }

    fn established(&mut self) -> io::Result<()> {
        self.check()?;
        if !self.under_way {
            return Ok(());
        }
        if let Some(error) = self.stream.take_error()? {
            return self.note(Err(error));
        }
        match self.stream.peer_addr() {
            Ok(_) => self.under_way = false,
            Err(e) if e.kind() == io::ErrorKind::NotConnected => {
                self.starved = true;
                return Err(io::Error::from(io::ErrorKind::WouldBlock));
            }
            Err(e) => return self.note(Err(e)),
        }
        if self.finished {
            let _ = self.stream.shutdown(Shutdown::Write);
        }
        Ok(())
    }

    fn close(mut self, reset: bool) {
        if reset {
            // Should the system refuse, the peer gets an end instead of a reset.
            let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
            return;
        }
        // Whatever fails here: the connection is closed all the same.
        let _ = self.stream.shutdown(Shutdown::Write);
        let mut unread = [0; 4096];
        for _ in 0..DISCARD_BYTES / unread.len() {
            match self.stream.read(&mut unread) {
                Ok(len) if len == unread.len() => {}
                _ => break,
            }
        }
    }
}

fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// The place below, above it how often it was used.
const fn handle(place: usize, uses: u32) -> ConnectionHandle {
    ConnectionHandle(place as u32 | uses << PLACE_BITS)
}

const fn place(handle: ConnectionHandle) -> usize {
    handle.0 as usize & (MAX_CONNECTIONS - 1)
}
