//! A pretend network with its own clock, reproducible by its seed: hours of calls, loss, duplication, reordering and delay in
//! milliseconds. Its gateway side is a backend like any other ([`SimPorts`], [`SimIo`]); its far side is [`Endpoint`]s, which tests
//! use as phones, cores and strangers; connections have [`StreamHost`]s and [`StreamPeer`]s there. Nothing moves but by [`SimNet::advance`].
//!
//! A datagram sent to an address where nobody listens vanishes, as on a real network. Receive queues are finite
//! ([`QUEUE_DATAGRAMS`]), so that overflows can be tried.

mod peers;
mod stream_io;
mod streams;

pub use peers::{StreamHost, StreamPeer};
pub use streams::{BACKLOG, WINDOW_BYTES};

use super::{
    BATCH_SLOTS, Batch, MAX_DATAGRAM_BYTES, Now, PacketIo, PortHandle, PortOpener, PortOptions, SendOutcome,
};
use crate::command::order::{PortBinding, PortKey};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use streams::Streams;

/// How many datagrams wait on a port before more are lost.
pub const QUEUE_DATAGRAMS: usize = 512;

/// A seeded source of chance (SplitMix64): good enough for networks, useless for keys.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// Starts from a seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when that is 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next_u64() % bound }
    }

    /// True with this many chances in a thousand.
    pub const fn per_mille(&mut self, chances: u16) -> bool {
        self.below(1000) < chances as u64
    }
}

/// What the network does to datagrams on their way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Link {
    /// Lost, of a thousand.
    pub loss_per_mille: u16,
    /// Delivered twice, of a thousand.
    pub duplicate_per_mille: u16,
    /// Delay of every datagram, in microseconds.
    pub delay_us: u64,
    /// Delay on top, from none to this: more than the distance of two packets reorders them.
    pub jitter_us: u64,
}

#[derive(Debug)]
struct Flight {
    from: SocketAddr,
    to: SocketAddr,
    bytes: Vec<u8>,
    dscp: u8,
}

/// A datagram in the queue of a port.
#[derive(Debug)]
struct Waiting {
    from: SocketAddr,
    bytes: Vec<u8>,
    dscp: u8,
    arrived_us: u64,
}

#[derive(Debug)]
struct Port {
    /// Who reaps from it; nobody while it changes hands.
    worker: Option<usize>,
    key: PortKey,
    local: SocketAddr,
    options: PortOptions,
    reads_dscp: bool,
    queue: VecDeque<Waiting>,
    lost: u32,
}

#[derive(Debug)]
struct Net {
    now_us: u64,
    chance: Chance,
    link: Link,
    /// By time of arrival, then in the order of sending.
    under_way: BinaryHeap<Reverse<(u64, u64)>>,
    flights: BTreeMap<u64, Flight>,
    next_flight: u64,
    ports: BTreeMap<u32, Port>,
    by_address: BTreeMap<SocketAddr, u32>,
    /// Ports on which something waits.
    waiting: BTreeSet<u32>,
    next_port: u32,
    endpoints: BTreeMap<SocketAddr, VecDeque<(SocketAddr, Vec<u8>, u8)>>,
    /// The code points of what endpoints send, where that is not 0.
    marks: BTreeMap<SocketAddr, u8>,
    unreachable: BTreeSet<SocketAddr>,
    /// How many more sends the gateway's side takes before its queues are full.
    send_room: Option<usize>,
    /// What it costs the gateway's side to connect or to accept.
    connection_cost_us: u64,
    closed_losses: BTreeMap<u16, u64>,
    wakes: u64,
    streams: Streams,
}

impl Net {
    fn launch(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8], dscp: u8) {
        if self.chance.per_mille(self.link.loss_per_mille) {
            return;
        }
        let copies = 1 + u8::from(self.chance.per_mille(self.link.duplicate_per_mille));
        for _ in 0..copies {
            let due_us = self.now_us + self.link.delay_us + self.chance.below(self.link.jitter_us + 1);
            self.under_way.push(Reverse((due_us, self.next_flight)));
            self.flights.insert(self.next_flight, Flight { from, to, bytes: bytes.to_vec(), dscp });
            self.next_flight += 1;
        }
        self.deliver();
    }

    fn deliver(&mut self) {
        while let Some(Reverse((due_us, number))) = self.under_way.peek().copied()
            && due_us <= self.now_us
        {
            self.under_way.pop();
            let Some(flight) = self.flights.remove(&number) else { continue };
            if let Some(inbox) = self.endpoints.get_mut(&flight.to) {
                inbox.push_back((flight.from, flight.bytes, flight.dscp));
            } else if let Some(handle) = self.by_address.get(&flight.to)
                && let Some(port) = self.ports.get_mut(handle)
            {
                if port.queue.len() < QUEUE_DATAGRAMS {
                    self.waiting.insert(*handle);
                    let Flight { from, bytes, dscp, .. } = flight;
                    port.queue.push_back(Waiting { from, bytes, dscp, arrived_us: due_us });
                } else {
                    port.lost += 1;
                }
            }
        }
    }
}

/// The network; clones are the same one.
#[derive(Debug, Clone)]
pub struct SimNet(Arc<Mutex<Net>>);

impl SimNet {
    /// A perfect network whose chance begins with `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Net {
            now_us: 1_000_000,
            chance: Chance::new(seed),
            link: Link::default(),
            under_way: BinaryHeap::new(),
            flights: BTreeMap::new(),
            next_flight: 0,
            ports: BTreeMap::new(),
            by_address: BTreeMap::new(),
            waiting: BTreeSet::new(),
            next_port: 0,
            endpoints: BTreeMap::new(),
            marks: BTreeMap::new(),
            unreachable: BTreeSet::new(),
            send_room: None,
            connection_cost_us: 0,
            closed_losses: BTreeMap::new(),
            wakes: 0,
            streams: Streams::default(),
        })))
    }

    fn net(&self) -> MutexGuard<'_, Net> {
        // Only a test that has failed already can have poisoned it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on the network treats datagrams so.
    pub fn set_link(&self, link: Link) {
        self.net().link = link;
    }

    /// Lets time pass; what arrives in it is delivered.
    pub fn advance(&self, time: Duration) {
        let mut net = self.net();
        net.now_us += u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        net.deliver();
        net.deliver_segments();
    }

    /// The time.
    pub fn now(&self) -> Now {
        Now(self.net().now_us)
    }

    /// A host's socket at this address.
    pub fn endpoint(&self, address: SocketAddr) -> Endpoint {
        self.net().endpoints.entry(address).or_default();
        Endpoint { net: self.clone(), address }
    }

    /// A host that speaks TCP at this address. It refuses connections until it [listens](StreamHost::listen).
    pub fn stream_host(&self, address: SocketAddr) -> StreamHost {
        self.net().streams.host(address);
        StreamHost::new(self.clone(), address)
    }

    /// So many bytes of one direction of a connection wait to be read before no more can be written.
    pub fn set_window(&self, bytes: usize) {
        self.net().streams.set_window(bytes);
    }

    /// The gateway has descriptors for so many more connections; `None`: any number.
    pub fn set_connection_room(&self, connections: Option<usize>) {
        self.net().streams.set_room(connections);
    }

    /// From now on the clock goes on by so much whenever the gateway connects or accepts.
    pub fn set_connection_cost(&self, cost: Duration) {
        self.net().connection_cost_us = u64::try_from(cost.as_micros()).unwrap_or(u64::MAX);
    }

    /// How many TCP ports are open.
    pub fn open_stream_ports(&self) -> usize {
        self.net().streams.open_ports()
    }

    /// How many connections the gateway has, with those that wait to be accepted.
    pub fn gateway_connections(&self) -> usize {
        self.net().streams.gateway_connections()
    }

    /// The options of an open TCP port.
    pub fn stream_port_options(&self, port: PortHandle) -> Option<PortOptions> {
        self.net().streams.port_options(port)
    }

    /// The gateway's sends to this address fail from now on, and so do connections.
    pub fn make_unreachable(&self, address: SocketAddr) {
        self.net().unreachable.insert(address);
    }

    /// The gateway's send queues take so many more datagrams; `None`: any number.
    pub fn set_send_room(&self, datagrams: Option<usize>) {
        self.net().send_room = datagrams;
    }

    /// The options of an open port.
    pub fn port_options(&self, port: PortHandle) -> Option<PortOptions> {
        self.net().ports.get(&port.0).map(|port| port.options)
    }

    /// How many ports are open.
    pub fn open_ports(&self) -> usize {
        self.net().ports.len()
    }

    /// How often workers were woken.
    pub fn wakes(&self) -> u64 {
        self.net().wakes
    }

    /// The control side of the backend.
    pub fn ports(&self) -> SimPorts {
        SimPorts(self.clone())
    }

    /// The side of one worker.
    pub fn io(&self, worker: usize) -> SimIo {
        SimIo { net: self.clone(), worker }
    }
}

/// A far host's socket.
#[derive(Debug)]
pub struct Endpoint {
    net: SimNet,
    address: SocketAddr,
}

impl Endpoint {
    /// Its address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a datagram.
    pub fn send(&self, to: SocketAddr, bytes: &[u8]) {
        let mut net = self.net.net();
        let dscp = net.marks.get(&self.address).copied().unwrap_or(0);
        net.launch(self.address, to, bytes, dscp);
    }

    /// What it sends from now on carries this code point.
    pub fn mark(&self, dscp: u8) {
        self.net.net().marks.insert(self.address, dscp);
    }

    /// The next datagram that has arrived, and who sent it.
    pub fn receive(&self) -> Option<(SocketAddr, Vec<u8>)> {
        self.receive_marked().map(|(from, bytes, _)| (from, bytes))
    }

    /// The next datagram, who sent it, and its code point.
    pub fn receive_marked(&self) -> Option<(SocketAddr, Vec<u8>, u8)> {
        self.net.net().endpoints.get_mut(&self.address)?.pop_front()
    }
}

/// The control side of the pretend backend.
#[derive(Debug, Clone)]
pub struct SimPorts(SimNet);

impl PortOpener for SimPorts {
    fn open(
        &mut self,
        worker: usize,
        key: PortKey,
        local: SocketAddr,
        options: PortOptions,
    ) -> io::Result<PortHandle> {
        let mut net = self.0.net();
        if net.by_address.contains_key(&local) || net.endpoints.contains_key(&local) {
            return Err(io::Error::from(io::ErrorKind::AddrInUse));
        }
        let handle = net.next_port;
        net.next_port += 1;
        net.by_address.insert(local, handle);
        net.ports.insert(
            handle,
            Port {
                worker: Some(worker),
                key,
                local,
                options,
                reads_dscp: false,
                queue: VecDeque::new(),
                lost: 0,
            },
        );
        Ok(PortHandle(handle))
    }

    fn tune(&mut self, port: PortHandle, options: PortOptions) -> io::Result<()> {
        let mut net = self.0.net();
        let port = net.ports.get_mut(&port.0).ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        port.options = options;
        Ok(())
    }

    fn read_dscp(&mut self, port: PortHandle, on: bool) {
        if let Some(port) = self.0.net().ports.get_mut(&port.0) {
            port.reads_dscp = on;
        }
    }

    fn close(&mut self, _worker: usize, port: PortHandle) {
        let mut net = self.0.net();
        net.waiting.remove(&port.0);
        if let Some(port) = net.ports.remove(&port.0) {
            net.by_address.remove(&port.local);
            *net.closed_losses.entry(port.key.address).or_default() += u64::from(port.lost);
        }
    }

    fn reserve(&mut self, _worker: usize, port: PortHandle) -> io::Result<()> {
        let known = self.0.net().ports.contains_key(&port.0);
        if known { Ok(()) } else { Err(io::Error::from(io::ErrorKind::NotFound)) }
    }

    fn withdraw(&mut self, worker: usize, port: PortHandle) {
        if let Some(port) = self.0.net().ports.get_mut(&port.0)
            && port.worker == Some(worker)
        {
            port.worker = None;
        }
    }

    fn admit(&mut self, worker: usize, port: PortHandle) {
        if let Some(port) = self.0.net().ports.get_mut(&port.0) {
            port.worker = Some(worker);
        }
    }

    fn wake(&mut self, _worker: usize) {
        self.0.net().wakes += 1;
    }
}

/// A worker's side of the pretend backend. It never waits: tests move the clock.
#[derive(Debug)]
pub struct SimIo {
    net: SimNet,
    worker: usize,
}

impl PacketIo for SimIo {
    fn reap(&mut self, batch: &mut Batch, _wait: Duration) -> io::Result<()> {
        let mut net = self.net.net();
        net.deliver();
        batch.now = Now(net.now_us);
        batch.filled = 0;
        let now_us = net.now_us;
        // One packet of each port in turn, as a fair backend does.
        let Net { ports, waiting, .. } = &mut *net;
        loop {
            let before = batch.filled;
            waiting.retain(|handle| {
                let Some(port) = ports.get_mut(handle) else { return false };
                if port.worker == Some(self.worker) && batch.filled < BATCH_SLOTS {
                    let Some(Waiting { from, bytes, dscp, arrived_us }) = port.queue.pop_front() else {
                        return false;
                    };
                    let slot = &mut batch.slots[batch.filled];
                    let len = bytes.len().min(MAX_DATAGRAM_BYTES);
                    slot.bytes[..len].copy_from_slice(&bytes[..len]);
                    slot.fill(port.key, from, len, bytes.len() > len);
                    slot.waited_us = u32::try_from(now_us - arrived_us).ok();
                    slot.lost_before = std::mem::take(&mut port.lost);
                    slot.received_dscp = port.reads_dscp.then_some(dscp);
                    batch.filled += 1;
                }
                !port.queue.is_empty()
            });
            if batch.filled == before || batch.filled == BATCH_SLOTS {
                return Ok(());
            }
        }
    }

    fn send(&mut self, batch: &mut Batch) {
        let mut net = self.net.net();
        for slot in batch.packets() {
            let Some((handle, to)) = slot.to else { continue };
            let port = net.ports.get(&handle.0).map(|port| (port.local, port.options.dscp));
            slot.outcome = match (port, net.send_room) {
                (_, Some(0)) => SendOutcome::Full,
                (Some((local, dscp)), room)
                    if !net.unreachable.contains(&to) && local.is_ipv4() == to.is_ipv4() =>
                {
                    net.send_room = room.map(|room| room - 1);
                    net.launch(local, to, slot.datagram(), slot.dscp.unwrap_or(dscp));
                    SendOutcome::Sent
                }
                _ => SendOutcome::Failed,
            };
        }
    }

    fn now(&self) -> Now {
        self.net.now()
    }

    fn forget(&mut self, _port: PortBinding) {
        // It finds out anew with each batch which ports are its own.
    }

    fn take_losses(&mut self, per_address: &mut [u64]) {
        for (address, lost) in std::mem::take(&mut self.net.net().closed_losses) {
            if let Some(sum) = per_address.get_mut(usize::from(address)) {
                *sum += lost;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(seed: u64) -> (SimNet, Endpoint, Endpoint) {
        let net = SimNet::new(seed);
        let [a, b] = ["192.0.2.1:1", "192.0.2.2:2"].map(|address| net.endpoint(address.parse().unwrap()));
        (net, a, b)
    }

    #[test]
    fn a_bad_network_is_the_same_bad_network_for_the_same_seed() {
        let run = |seed| {
            let (net, a, b) = pair(seed);
            net.set_link(Link {
                loss_per_mille: 100,
                duplicate_per_mille: 50,
                delay_us: 500,
                jitter_us: 3000,
            });
            for n in 0..200_u8 {
                a.send(b.address(), &[n]);
                net.advance(Duration::from_millis(1));
            }
            net.advance(Duration::from_secs(1));
            std::iter::from_fn(|| b.receive()).map(|(_, bytes)| bytes[0]).collect::<Vec<_>>()
        };
        let first = run(7);
        assert_eq!(first, run(7));
        assert_ne!(first, run(8));
        let mut sorted = first.clone();
        sorted.sort_unstable();
        assert_ne!(first, sorted, "reordered");
        sorted.dedup();
        assert!(sorted.len() < first.len(), "duplicated");
        assert!(sorted.len() < 200, "lost");
    }

    #[test]
    fn nothing_arrives_before_its_time() {
        let (net, a, b) = pair(1);
        net.set_link(Link { delay_us: 1000, ..Link::default() });
        a.send(b.address(), b"hello");
        net.advance(Duration::from_micros(999));
        assert!(b.receive().is_none());
        net.advance(Duration::from_micros(1));
        assert_eq!(b.receive(), Some((a.address(), b"hello".to_vec())));
    }
}
