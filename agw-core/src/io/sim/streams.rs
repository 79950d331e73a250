//! TCP on the pretend network, as both of its sides see it: connections with two ends, bounded windows, half close and reset. Segments of
//! one direction arrive in order; a lost one comes later, as if it had been repeated, and what follows waits for it. Acknowledgements
//! take no time: a window opens as soon as its bytes have been read.
//!
//! Where no host is, a connection is never answered; a host that does not listen refuses ([`SimNet::stream_host`](super::SimNet::stream_host)).

use super::Net;
use crate::io::stream::{ConnectionHandle, StreamEvent};
use crate::io::{PortHandle, PortOptions};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::SocketAddr;

/// Bytes of one direction that were written and have not been read, before no more can be written; see
/// [`SimNet::set_window`](super::SimNet::set_window).
pub const WINDOW_BYTES: usize = 64 * 1024;
/// How many wait to be accepted at one address before more are not answered.
pub const BACKLOG: usize = 1024;
/// What a lost segment is late by.
const REPEATED_AFTER_US: u64 = 200_000;

/// Whose an end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Worker(usize),
    Host,
}

/// One end of a connection. Its number is never used again.
#[derive(Debug)]
pub(super) struct End {
    owner: Owner,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    /// The other end; `None`: the connection is not up yet.
    other: Option<u32>,
    /// It has failed so; sticky.
    failed: Option<io::ErrorKind>,
    inbox: VecDeque<u8>,
    /// Bytes that it has sent and that have not arrived.
    under_way: usize,
    /// The other end sends no more.
    ended: bool,
    /// This one sends no more.
    finished: bool,
    /// A write found no room, or the connection is not up: its worker is to be told when that changes.
    starved: bool,
    /// When the last of what it has sent arrives.
    last_due_us: u64,
    /// What its worker has been told and has not looked at.
    told: [bool; 2],
}

/// A bound port of the gateway, or the address of a far host.
#[derive(Debug, Default)]
pub(super) struct Listener {
    /// The gateway's; `None`: a far host's.
    port: Option<(u32, usize)>,
    listens: bool,
    silent: bool,
    waiting: VecDeque<u32>,
    told: bool,
}

#[derive(Debug)]
enum Segment {
    Syn,
    /// From this end.
    Accepted(u32),
    Bytes(Vec<u8>),
    Fin,
    Reset,
    Unreachable,
}

#[derive(Debug)]
struct Transit {
    /// The end it goes to; for a SYN, where it comes from.
    end: u32,
    /// The end that sent it, as long as there is one.
    from: u32,
    what: Segment,
}

/// All connections of the network.
#[derive(Debug)]
pub(super) struct Streams {
    window_bytes: usize,
    /// How many more connections the gateway has descriptors for.
    room: Option<usize>,
    ends: BTreeMap<u32, End>,
    next_end: u32,
    /// Local, then remote address.
    pairs: BTreeSet<(SocketAddr, SocketAddr)>,
    listeners: BTreeMap<SocketAddr, Listener>,
    ports: BTreeMap<u32, (SocketAddr, PortOptions)>,
    next_port: u32,
    /// By time of arrival, then in the order of sending.
    transits: BTreeMap<(u64, u64), Transit>,
    next_transit: u64,
    /// By worker.
    events: BTreeMap<usize, VecDeque<StreamEvent>>,
}

impl Default for Streams {
    fn default() -> Self {
        Self {
            window_bytes: WINDOW_BYTES,
            room: None,
            ends: BTreeMap::new(),
            next_end: 0,
            pairs: BTreeSet::new(),
            listeners: BTreeMap::new(),
            ports: BTreeMap::new(),
            next_port: 0,
            transits: BTreeMap::new(),
            next_transit: 0,
            events: BTreeMap::new(),
        }
    }
}

fn error<T>(kind: io::ErrorKind) -> io::Result<T> {
    Err(io::Error::from(kind))
}

// --- what tests set and ask ------------------------------------------------------------------------------------------------------

impl Streams {
    pub(super) fn set_window(&mut self, bytes: usize) {
        self.window_bytes = bytes;
    }

    pub(super) fn set_room(&mut self, connections: Option<usize>) {
        self.room = connections;
    }

    pub(super) fn open_ports(&self) -> usize {
        self.ports.len()
    }

    pub(super) fn gateway_connections(&self) -> usize {
        self.ends.values().filter(|end| end.owner != Owner::Host).count()
    }

    pub(super) fn port_options(&self, port: PortHandle) -> Option<PortOptions> {
        self.ports.get(&port.0).map(|(_, options)| *options)
    }

    pub(super) fn end(&self, end: u32) -> Option<&End> {
        self.ends.get(&end)
    }

    pub(super) fn host(&mut self, address: SocketAddr) -> &mut Listener {
        self.listeners.entry(address).or_default()
    }
}

impl Listener {
    pub(super) fn set_silent(&mut self, silent: bool) {
        self.silent = silent;
    }
}

// --- ports -------------------------------------------------------------------------------------------------------------------------

impl Streams {
    pub(super) fn bind(
        &mut self,
        worker: usize,
        local: SocketAddr,
        options: PortOptions,
    ) -> io::Result<PortHandle> {
        if self.listeners.contains_key(&local) {
            return error(io::ErrorKind::AddrInUse);
        }
        let port = self.next_port;
        self.next_port += 1;
        self.listeners.insert(local, Listener { port: Some((port, worker)), ..Listener::default() });
        self.ports.insert(port, (local, options));
        Ok(PortHandle(port))
    }

    pub(super) fn address(&self, port: PortHandle) -> io::Result<SocketAddr> {
        self.ports.get(&port.0).map_or_else(|| error(io::ErrorKind::NotFound), |(local, _)| Ok(*local))
    }
}

impl Net {
    pub(super) fn unbind(&mut self, port: PortHandle) {
        if let Ok(local) = self.streams.address(port) {
            self.deafen(local);
            self.streams.listeners.remove(&local);
            self.streams.ports.remove(&port.0);
        }
    }

    pub(super) fn hearken(&mut self, local: SocketAddr) {
        self.streams.host(local).listens = true;
    }

    /// Listens no more; those that wait are reset.
    pub(super) fn deafen(&mut self, local: SocketAddr) {
        let Some(listener) = self.streams.listeners.get_mut(&local) else { return };
        listener.listens = false;
        for end in std::mem::take(&mut listener.waiting) {
            self.drop_end(end, true);
        }
    }

    /// The next end that waits at an address.
    pub(super) fn accept_end(&mut self, local: SocketAddr) -> io::Result<(u32, SocketAddr)> {
        let streams = &mut self.streams;
        let Some(listener) = streams.listeners.get_mut(&local) else { return error(io::ErrorKind::NotFound) };
        if !listener.listens {
            return error(io::ErrorKind::InvalidInput);
        }
        let Some(end) = listener.waiting.front().copied() else { return error(io::ErrorKind::WouldBlock) };
        if listener.port.is_some() {
            streams.take_room()?;
        }
        if let Some(listener) = streams.listeners.get_mut(&local) {
            listener.waiting.pop_front();
        }
        let remote = streams.ends[&end].remote;
        let state = &streams.ends[&end];
        if !state.inbox.is_empty() || state.ended || state.failed.is_some() {
            streams.tell(end, READABLE);
        }
        Ok((end, remote))
    }

    /// Begins to connect.
    pub(super) fn connect_end(
        &mut self,
        owner: Owner,
        local: SocketAddr,
        remote: SocketAddr,
    ) -> io::Result<u32> {
        if local.is_ipv4() != remote.is_ipv4() {
            return Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT));
        }
        if self.streams.pairs.contains(&(local, remote)) {
            return error(io::ErrorKind::AddrNotAvailable);
        }
        if owner != Owner::Host {
            self.streams.take_room()?;
        }
        let end = self.streams.add(owner, local, remote, None);
        self.launch_segment(end, end, Segment::Syn);
        self.deliver_segments();
        Ok(end)
    }
}

/// Indices of [`End::told`].
const READABLE: usize = 0;
const WRITABLE: usize = 1;

impl Streams {
    fn take_room(&mut self) -> io::Result<()> {
        match &mut self.room {
            Some(0) => Err(io::Error::from_raw_os_error(libc::EMFILE)),
            Some(room) => {
                *room -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn add(&mut self, owner: Owner, local: SocketAddr, remote: SocketAddr, other: Option<u32>) -> u32 {
        let number = self.next_end;
        self.next_end += 1;
        self.pairs.insert((local, remote));
        let end = End {
            owner,
            local,
            remote,
            other,
            failed: None,
            inbox: VecDeque::new(),
            under_way: 0,
            ended: false,
            finished: false,
            starved: other.is_none(),
            last_due_us: 0,
            told: [false; 2],
        };
        self.ends.insert(number, end);
        number
    }

    fn tell(&mut self, number: u32, what: usize) {
        let Some(end) = self.ends.get_mut(&number) else { return };
        if let Owner::Worker(worker) = end.owner
            && !std::mem::replace(&mut end.told[what], true)
        {
            let handle = ConnectionHandle(number);
            let event =
                if what == READABLE { StreamEvent::Readable(handle) } else { StreamEvent::Writable(handle) };
            self.events.entry(worker).or_default().push_back(event);
        }
    }

    fn tell_starved(&mut self, number: u32) {
        if let Some(end) = self.ends.get_mut(&number)
            && std::mem::take(&mut end.starved)
        {
            self.tell(number, WRITABLE);
        }
    }

    /// The next change for a worker.
    pub(super) fn next_event(&mut self, worker: usize) -> Option<StreamEvent> {
        loop {
            let event = self.events.get_mut(&worker)?.pop_front()?;
            match event {
                StreamEvent::Knock(port) => {
                    let Some((local, _)) = self.ports.get(&port.0) else { continue };
                    let Some(listener) = self.listeners.get_mut(local) else { continue };
                    listener.told = false;
                    if listener.listens && !listener.waiting.is_empty() {
                        return Some(event);
                    }
                }
                StreamEvent::Readable(ConnectionHandle(number))
                | StreamEvent::Writable(ConnectionHandle(number)) => {
                    let what = if matches!(event, StreamEvent::Readable(_)) { READABLE } else { WRITABLE };
                    // What was let go of is not told of.
                    let Some(end) = self.ends.get_mut(&number) else { continue };
                    end.told[what] = false;
                    return Some(event);
                }
            }
        }
    }
}

// --- what an end does -------------------------------------------------------------------------------------------------------------

impl Net {
    pub(super) fn established(&self, number: u32) -> io::Result<()> {
        let end = self.streams.known(number)?;
        match end.failed {
            Some(kind) => error(kind),
            None if end.other.is_none() => error(io::ErrorKind::WouldBlock),
            None => Ok(()),
        }
    }

    pub(super) fn read_end(&mut self, number: u32, into: &mut [u8]) -> io::Result<usize> {
        let end = self.streams.known_mut(number)?;
        let len = end.inbox.len().min(into.len());
        if len == 0 {
            return match end.failed {
                _ if into.is_empty() => Ok(0),
                Some(kind) => error(kind),
                None if end.ended => Ok(0),
                None => error(io::ErrorKind::WouldBlock),
            };
        }
        for (place, byte) in into.iter_mut().zip(end.inbox.drain(..len)) {
            *place = byte;
        }
        if let Some(other) = end.other {
            self.streams.tell_starved(other);
        }
        Ok(len)
    }

    pub(super) fn write_end(&mut self, number: u32, bytes: &[u8]) -> io::Result<usize> {
        let window = self.streams.window_bytes;
        let waiting = self.streams.known(number)?.other.and_then(|other| self.streams.ends.get(&other));
        let waiting = waiting.map_or(0, |other| other.inbox.len());
        let end = self.streams.known_mut(number)?;
        if let Some(kind) = end.failed {
            return error(kind);
        }
        if end.finished {
            return error(io::ErrorKind::BrokenPipe);
        }
        let room = window.saturating_sub(waiting + end.under_way).min(bytes.len());
        let (Some(other), true) = (end.other, room > 0 || bytes.is_empty()) else {
            end.starved = true;
            return error(io::ErrorKind::WouldBlock);
        };
        end.under_way += room;
        if room < bytes.len() {
            end.starved = true;
        }
        self.launch_segment(other, number, Segment::Bytes(bytes[..room].to_vec()));
        self.deliver_segments();
        Ok(room)
    }

    pub(super) fn finish_end(&mut self, number: u32) {
        if let Ok(end) = self.streams.known_mut(number)
            && !std::mem::replace(&mut end.finished, true)
            && let Some(other) = end.other
        {
            self.launch_segment(other, number, Segment::Fin);
            self.deliver_segments();
        }
    }

    /// Lets go of an end.
    pub(super) fn drop_end(&mut self, number: u32, reset: bool) {
        let Some(end) = self.streams.ends.get(&number) else { return };
        if let Some(other) = end.other
            && end.failed.is_none()
        {
            if reset {
                self.launch_segment(other, number, Segment::Reset);
            } else if !end.finished {
                self.launch_segment(other, number, Segment::Fin);
            }
        }
        if let Some(end) = self.streams.ends.remove(&number) {
            self.streams.pairs.remove(&(end.local, end.remote));
            if let (Owner::Worker(_), Some(room)) = (end.owner, &mut self.streams.room) {
                *room += 1;
            }
        }
        self.deliver_segments();
    }
}

impl Streams {
    fn known(&self, number: u32) -> io::Result<&End> {
        self.ends.get(&number).ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))
    }

    fn known_mut(&mut self, number: u32) -> io::Result<&mut End> {
        self.ends.get_mut(&number).ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))
    }
}

// --- segments on their way --------------------------------------------------------------------------------------------------------

impl Net {
    fn launch_segment(&mut self, to: u32, from: u32, what: Segment) {
        let link = self.link;
        let mut due_us = self.now_us + link.delay_us + self.chance.below(link.jitter_us + 1);
        if self.chance.per_mille(link.loss_per_mille) {
            due_us += REPEATED_AFTER_US;
        }
        if let Some(end) = self.streams.ends.get_mut(&from) {
            due_us = due_us.max(end.last_due_us);
            end.last_due_us = due_us;
        }
        let number = self.streams.next_transit;
        self.streams.next_transit += 1;
        self.streams.transits.insert((due_us, number), Transit { end: to, from, what });
    }

    /// Delivers what is due, and the answers to it.
    pub(super) fn deliver_segments(&mut self) {
        while let Some(first) = self.streams.transits.first_entry()
            && first.key().0 <= self.now_us
        {
            let Transit { end, from, what } = first.remove();
            match what {
                Segment::Syn => self.arrive_syn(end),
                Segment::Accepted(other) => self.arrive_accepted(end, other),
                what => self.arrive(end, from, what),
            }
        }
    }

    fn arrive_syn(&mut self, from: u32) {
        let Some(end) = self.streams.ends.get(&from) else { return };
        let (client, server) = (end.local, end.remote);
        if self.unreachable.contains(&server) {
            return self.launch_segment(from, from, Segment::Unreachable);
        }
        let taken = self.streams.pairs.contains(&(server, client));
        let Some(listener) = self.streams.listeners.get(&server) else { return };
        if listener.silent || listener.listens && listener.waiting.len() >= BACKLOG {
            return;
        }
        if !listener.listens || taken {
            return self.launch_segment(from, from, Segment::Reset);
        }
        let owner = listener.port.map_or(Owner::Host, |(_, worker)| Owner::Worker(worker));
        let end = self.streams.add(owner, server, client, Some(from));
        if let Some(listener) = self.streams.listeners.get_mut(&server) {
            listener.waiting.push_back(end);
            if let Some((port, worker)) = listener.port
                && !std::mem::replace(&mut listener.told, true)
            {
                let knock = StreamEvent::Knock(PortHandle(port));
                self.streams.events.entry(worker).or_default().push_back(knock);
            }
        }
        self.launch_segment(from, end, Segment::Accepted(end));
    }

    fn arrive_accepted(&mut self, number: u32, other: u32) {
        let Some(end) = self.streams.ends.get_mut(&number) else {
            return self.launch_segment(other, number, Segment::Reset);
        };
        end.other = Some(other);
        let finished = end.finished;
        self.streams.tell_starved(number);
        if finished {
            self.launch_segment(other, number, Segment::Fin);
        }
    }

    fn arrive(&mut self, number: u32, from: u32, what: Segment) {
        if let Segment::Bytes(bytes) = &what
            && let Some(sender) = self.streams.ends.get_mut(&from)
        {
            sender.under_way = sender.under_way.saturating_sub(bytes.len());
        }
        let Some(end) = self.streams.ends.get_mut(&number) else {
            if matches!(what, Segment::Bytes(_)) {
                self.launch_segment(from, number, Segment::Reset);
            }
            return;
        };
        if end.failed.is_some() {
            return;
        }
        match what {
            Segment::Bytes(bytes) => end.inbox.extend(bytes),
            Segment::Fin => end.ended = true,
            Segment::Reset if end.other.is_none() => end.failed = Some(io::ErrorKind::ConnectionRefused),
            Segment::Reset => end.failed = Some(io::ErrorKind::ConnectionReset),
            Segment::Unreachable => end.failed = Some(io::ErrorKind::HostUnreachable),
            Segment::Syn | Segment::Accepted(_) => return,
        }
        if self.streams.ends.get(&number).is_some_and(|end| end.failed.is_some()) {
            self.streams.tell_starved(number);
        }
        self.streams.tell(number, READABLE);
    }
}
