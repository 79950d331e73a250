//! What the suite runs on: the pretend network, or real sockets over loopback. A ground gives the backend's two sides, and far hosts that
//! speak TCP.

use agw_core::command::order::PortKey;
use agw_core::io::sim::{SimIo, SimNet, SimPorts, StreamHost, StreamPeer};
use agw_core::io::stream::{StreamIo, StreamOpener};
use agw_core::io::{PacketIo, PortHandle, PortOptions};
use agw_core::model::Family;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// A far host.
pub(crate) trait Host {
    type Peer: Peer;

    fn address(&self) -> SocketAddr;
    fn listen(&mut self);
    fn accept(&mut self) -> Option<Self::Peer>;
    fn connect(&mut self, to: SocketAddr) -> Self::Peer;
}

/// Its end of a connection. Dropped, it closes in order.
pub(crate) trait Peer {
    fn remote(&self) -> SocketAddr;
    /// Up, under way (`WouldBlock`), or failed.
    fn established(&self) -> io::Result<()>;
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;
    fn receive(&self, into: &mut [u8]) -> io::Result<usize>;
    fn finish(&self);
    fn reset(self);
}

pub(crate) trait Ground {
    type Io: StreamIo + PacketIo;
    type Ports: StreamOpener;
    type Host: Host;

    fn new() -> Self;
    fn io(&mut self) -> &mut Self::Io;
    fn ports(&mut self) -> &mut Self::Ports;
    /// A host with an address and port of its own, which refuses connections.
    fn host(&mut self, family: Family) -> Self::Host;
    /// A free local address for a port of the gateway.
    fn local(&mut self, family: Family) -> SocketAddr;
    /// Lets a little time pass.
    fn pass(&mut self);

    fn open(&mut self, local: SocketAddr) -> PortHandle {
        let key = PortKey { address: 0, port: local.port() };
        self.ports().open_stream(0, key, local, PortOptions::default()).unwrap()
    }
}

// --- pretend -------------------------------------------------------------------------------------------------------------------

pub(crate) struct Sim {
    pub(crate) net: SimNet,
    ports: SimPorts,
    io: SimIo,
    used: u16,
}

impl Ground for Sim {
    type Io = SimIo;
    type Ports = SimPorts;
    type Host = StreamHost;

    fn new() -> Self {
        let net = SimNet::new(1);
        Self { ports: net.ports(), io: net.io(0), net, used: 0 }
    }

    fn io(&mut self) -> &mut SimIo {
        &mut self.io
    }

    fn ports(&mut self) -> &mut SimPorts {
        &mut self.ports
    }

    fn host(&mut self, family: Family) -> StreamHost {
        self.used += 1;
        let ip = match family {
            Family::V4 => IpAddr::from(Ipv4Addr::new(198, 51, 100, 1)),
            Family::V6 => IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        };
        self.net.stream_host(SocketAddr::new(ip, 4000 + self.used))
    }

    fn local(&mut self, family: Family) -> SocketAddr {
        self.used += 1;
        let ip = match family {
            Family::V4 => IpAddr::from([192, 0, 2, 1]),
            Family::V6 => IpAddr::from(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 1)),
        };
        SocketAddr::new(ip, 10_000 + self.used)
    }

    fn pass(&mut self) {
        self.net.advance(Duration::from_millis(1));
    }
}

impl Host for StreamHost {
    type Peer = StreamPeer;

    fn address(&self) -> SocketAddr {
        Self::address(self)
    }

    fn listen(&mut self) {
        Self::listen(self);
    }

    fn accept(&mut self) -> Option<StreamPeer> {
        Self::accept(self)
    }

    fn connect(&mut self, to: SocketAddr) -> StreamPeer {
        Self::connect(self, to).unwrap()
    }
}

impl Peer for StreamPeer {
    fn remote(&self) -> SocketAddr {
        Self::remote(self).unwrap()
    }

    fn established(&self) -> io::Result<()> {
        Self::established(self)
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        Self::send(self, bytes)
    }

    fn receive(&self, into: &mut [u8]) -> io::Result<usize> {
        Self::receive(self, into)
    }

    fn finish(&self) {
        Self::finish(self);
    }

    fn reset(self) {
        Self::reset(self);
    }
}
