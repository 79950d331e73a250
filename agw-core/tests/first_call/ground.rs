//! What the gateway stands on: the pretend network, or real sockets over loopback. A ground gives the gateway its backend, two local
//! addresses of its own, and the tests their far hosts.

use agw_core::io::epoll::{self, EpollIo, EpollPorts, EpollSetup};
use agw_core::io::sim::{Endpoint, SimIo, SimNet, SimPorts};
use agw_core::io::stream::{StreamIo, StreamOpener};
use agw_core::io::{PacketIo, PortOpener};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

/// A socket outside of the gateway.
pub(crate) trait Host {
    fn address(&self) -> SocketAddr;
    fn send(&self, to: SocketAddr, bytes: &[u8]);
    fn receive(&self) -> Option<(SocketAddr, Vec<u8>)>;

    fn receive_all(&self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.receive()).map(|(_, bytes)| bytes).collect()
    }
}

pub(crate) trait Ground {
    type Io: PacketIo + StreamIo;
    type Ports: PortOpener + StreamOpener;
    type Host: Host;

    fn new(workers: usize) -> Self;
    /// The control side of the backend. Asked for once.
    fn ports(&mut self) -> Self::Ports;
    /// The sides of the workers. Asked for once.
    fn ios(&mut self) -> Vec<Self::Io>;
    /// The address of the `n`-th machine here; the gateway's own are 1 (access) and 2 (core).
    fn ip(&self, n: u8) -> IpAddr;
    /// A socket; at an address of the gateway it belongs to another process there.
    fn host(&self, address: SocketAddr) -> Self::Host;
    /// Lets a millisecond pass.
    fn pass(&self);
    fn now_ms(&self) -> u64;
}

// --- pretend -------------------------------------------------------------------------------------------------------------------

pub(crate) struct Sim {
    pub(crate) net: SimNet,
    workers: usize,
}

impl Ground for Sim {
    type Io = SimIo;
    type Ports = SimPorts;
    type Host = Endpoint;

    fn new(workers: usize) -> Self {
        Self { net: SimNet::new(2), workers }
    }

    fn ports(&mut self) -> SimPorts {
        self.net.ports()
    }

    fn ios(&mut self) -> Vec<SimIo> {
        (0..self.workers).map(|worker| self.net.io(worker)).collect()
    }

    fn ip(&self, n: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, n])
    }

    fn host(&self, address: SocketAddr) -> Endpoint {
        self.net.endpoint(address)
    }

    fn pass(&self) {
        self.net.advance(Duration::from_millis(1));
    }

    fn now_ms(&self) -> u64 {
        self.net.now().as_millis()
    }
}

impl Host for Endpoint {
    fn address(&self) -> SocketAddr {
        Self::address(self)
    }

    fn send(&self, to: SocketAddr, bytes: &[u8]) {
        Self::send(self, to, bytes);
    }

    fn receive(&self) -> Option<(SocketAddr, Vec<u8>)> {
        Self::receive(self)
    }
}

// --- real ----------------------------------------------------------------------------------------------------------------------

pub(crate) struct Epoll {
    ports: Option<EpollPorts>,
    ios: Vec<EpollIo>,
    net: [u8; 2],
    began: Instant,
}

/// Tests run at the same time, in threads and in processes: each gateway has a net of loopback addresses for itself.
fn own_net() -> [u8; 2] {
    static USED: AtomicU8 = AtomicU8::new(0);
    [64 + (std::process::id() % 128) as u8, USED.fetch_add(1, Ordering::Relaxed)]
}

impl Ground for Epoll {
    type Io = EpollIo;
    type Ports = EpollPorts;
    type Host = UdpSocket;

    fn new(workers: usize) -> Self {
        let setup = EpollSetup {
            descriptors: 16_384,
            companions: true,
            kernel_ports: agw_core::model::PortRange::new(32_768, 60_999),
            tick_us: 200,
            ..EpollSetup::new(workers, 2)
        };
        let (ports, ios) = epoll::open(&setup).unwrap();
        Self { ports: Some(ports), ios, net: own_net(), began: Instant::now() }
    }

    fn ports(&mut self) -> EpollPorts {
        self.ports.take().unwrap()
    }

    fn ios(&mut self) -> Vec<EpollIo> {
        std::mem::take(&mut self.ios)
    }

    fn ip(&self, n: u8) -> IpAddr {
        let [high, low] = self.net;
        IpAddr::from([127, high, low, n])
    }

    fn host(&self, address: SocketAddr) -> UdpSocket {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    // Over loopback what was sent has arrived.
    fn pass(&self) {}

    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }
}

impl Host for UdpSocket {
    fn address(&self) -> SocketAddr {
        self.local_addr().unwrap()
    }

    fn send(&self, to: SocketAddr, bytes: &[u8]) {
        self.send_to(bytes, to).unwrap();
    }

    fn receive(&self) -> Option<(SocketAddr, Vec<u8>)> {
        let mut buffer = [0; 4096];
        let (len, from) = self.recv_from(&mut buffer).ok()?;
        Some((from, buffer[..len].to_vec()))
    }
}
