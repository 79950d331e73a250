//! What the suite runs on: the pretend network, or real sockets over loopback. A ground gives the engine its backend and the tests their
//! far hosts.

use agw_core::command::order::PortKey;
use agw_core::io::epoll::{self, EpollIo, EpollPorts, EpollSetup};
use agw_core::io::sim::{Endpoint, SimIo, SimNet, SimPorts};
use agw_core::io::stream::{StreamIo, StreamOpener};
use agw_core::io::sys;
use agw_core::io::{PacketIo, PortHandle, PortOpener, PortOptions};
use agw_core::model::{Family, PortRange};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

/// A far host's socket.
pub(crate) trait Host {
    fn address(&self) -> SocketAddr;
    fn send(&self, to: SocketAddr, bytes: &[u8]);
    fn receive(&self) -> Option<(SocketAddr, Vec<u8>)>;
    /// What it sends from now on carries this code point.
    fn mark(&self, dscp: u8);
    /// A datagram with its code point.
    fn receive_marked(&self) -> Option<(Vec<u8>, u8)>;
}

pub(crate) trait Ground {
    type Io: PacketIo + StreamIo;
    type Ports: PortOpener + StreamOpener;
    type Host: Host;

    fn new() -> Self;
    fn ports(&mut self) -> &mut Self::Ports;
    fn io(&mut self) -> Self::Io;
    /// A host with an address of its own as far as the ground has such, and a port of its own.
    fn host(&mut self, family: Family) -> Self::Host;
    /// A free local address for a port of the engine.
    fn local(&mut self, family: Family) -> SocketAddr;
    /// Where sends fail for good.
    fn unreachable(&mut self) -> SocketAddr;
    /// Lets what was sent arrive.
    fn settle(&mut self) {}
    /// Lets time pass.
    fn pass(&mut self, time: Duration) {
        std::thread::sleep(time);
    }
    /// How long a turn may wait for it.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }

    fn open(&mut self, key: PortKey, local: SocketAddr) -> io::Result<PortHandle> {
        self.ports().open(0, key, local, PortOptions::default())
    }
}

// --- pretend -------------------------------------------------------------------------------------------------------------------

pub(crate) struct Sim {
    pub(crate) net: SimNet,
    ports: SimPorts,
    used: u16,
}

impl Ground for Sim {
    type Io = SimIo;
    type Ports = SimPorts;
    type Host = Endpoint;

    fn new() -> Self {
        let net = SimNet::new(1);
        Self { ports: net.ports(), net, used: 0 }
    }

    fn ports(&mut self) -> &mut SimPorts {
        &mut self.ports
    }

    fn io(&mut self) -> SimIo {
        self.net.io(0)
    }

    fn host(&mut self, family: Family) -> Endpoint {
        self.used += 1;
        let low = (self.used % 250) as u8;
        let ip = match family {
            Family::V4 => IpAddr::from(Ipv4Addr::new(198, 51, 100, low)),
            Family::V6 => IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(low))),
        };
        self.net.endpoint(SocketAddr::new(ip, 4000 + self.used))
    }

    fn local(&mut self, family: Family) -> SocketAddr {
        self.used += 1;
        let ip = match family {
            Family::V4 => IpAddr::from([192, 0, 2, 1]),
            Family::V6 => IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1)),
        };
        SocketAddr::new(ip, 10_000 + self.used)
    }

    fn pass(&mut self, time: Duration) {
        self.net.advance(time);
    }

    fn unreachable(&mut self) -> SocketAddr {
        let nowhere = "203.0.113.99:9".parse().unwrap();
        self.net.make_unreachable(nowhere);
        nowhere
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

    fn mark(&self, dscp: u8) {
        Self::mark(self, dscp);
    }

    fn receive_marked(&self) -> Option<(Vec<u8>, u8)> {
        Self::receive_marked(self).map(|(_, bytes, dscp)| (bytes, dscp))
    }
}

// --- real ----------------------------------------------------------------------------------------------------------------------

pub(crate) struct Epoll {
    ports: EpollPorts,
    io: Option<EpollIo>,
    used: u8,
}

impl Ground for Epoll {
    type Io = EpollIo;
    type Ports = EpollPorts;
    type Host = UdpSocket;

    fn new() -> Self {
        let setup = EpollSetup {
            companions: true,
            kernel_ports: PortRange::new(32_768, 60_999),
            tick_us: 100,
            ..EpollSetup::new(1, 4)
        };
        let (ports, mut ios) = epoll::open(&setup).unwrap();
        Self { ports, io: ios.pop(), used: 0 }
    }

    fn ports(&mut self) -> &mut EpollPorts {
        &mut self.ports
    }

    fn io(&mut self) -> EpollIo {
        self.io.take().unwrap()
    }

    fn host(&mut self, family: Family) -> UdpSocket {
        self.used += 1;
        let ip = match family {
            Family::V4 => IpAddr::from([127, 0, 1, self.used]),
            Family::V6 => IpAddr::from(Ipv6Addr::LOCALHOST),
        };
        let socket = UdpSocket::bind((ip, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    fn local(&mut self, family: Family) -> SocketAddr {
        let ip = match family {
            Family::V4 => IpAddr::from(Ipv4Addr::LOCALHOST),
            Family::V6 => IpAddr::from(Ipv6Addr::LOCALHOST),
        };
        // Free a moment ago; nobody else takes ports of the ephemeral range so soon.
        UdpSocket::bind((ip, 0)).unwrap().local_addr().unwrap()
    }

    fn unreachable(&mut self) -> SocketAddr {
        // Broadcast without permission.
        "255.255.255.255:9".parse().unwrap()
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(1)
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

    fn mark(&self, dscp: u8) {
        sys::set_dscp(self, self.address().is_ipv6(), dscp).unwrap();
    }

    fn receive_marked(&self) -> Option<(Vec<u8>, u8)> {
        sys::tell_traffic_class(self, self.address().is_ipv6(), true).unwrap();
        let mut buffer = [0; 4096];
        let received = sys::receive_message(self.as_raw_fd(), &mut buffer).ok()?;
        Some((buffer[..received.len].to_vec(), received.dscp().unwrap()))
    }
}
