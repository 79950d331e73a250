//! What the suite runs on: the pretend network, or real sockets over loopback. A ground gives the backend's two sides, and far hosts that
//! speak TCP.

use agw_core::command::order::PortKey;
use agw_core::io::epoll::{self, EpollIo, EpollPorts, EpollSetup};
use agw_core::io::sim::{SimIo, SimNet, SimPorts, StreamHost, StreamPeer};
use agw_core::io::stream::{StreamIo, StreamOpener};
use agw_core::io::sys;
use agw_core::io::{PacketIo, PortHandle, PortOptions};
use agw_core::model::{Family, PortRange};
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
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

// --- real ----------------------------------------------------------------------------------------------------------------------

pub(crate) struct Epoll {
    ports: EpollPorts,
    pub(crate) io: EpollIo,
    used: u16,
}

impl Ground for Epoll {
    type Io = EpollIo;
    type Ports = EpollPorts;
    type Host = RealHost;

    fn new() -> Self {
        let setup = EpollSetup {
            descriptors: 8192,
            companions: true,
            kernel_ports: PortRange::new(32_768, 60_999),
            tick_us: 100,
            ..EpollSetup::new(1, 4)
        };
        // A thousand connections have two thousand ends.
        sys::raise_descriptor_limit(8192).unwrap();
        let (ports, mut ios) = epoll::open(&setup).unwrap();
        Self { ports, io: ios.pop().unwrap(), used: 0 }
    }

    fn io(&mut self) -> &mut EpollIo {
        &mut self.io
    }

    fn ports(&mut self) -> &mut EpollPorts {
        &mut self.ports
    }

    fn host(&mut self, family: Family) -> RealHost {
        self.used += 1;
        let ip = match family {
            Family::V4 => IpAddr::from([127, 0, 1 + (self.used / 250) as u8, 1 + (self.used % 250) as u8]),
            Family::V6 => IpAddr::from(Ipv6Addr::LOCALHOST),
        };
        RealHost::bound(SocketAddr::new(ip, 0))
    }

    fn local(&mut self, family: Family) -> SocketAddr {
        let ip = match family {
            Family::V4 => IpAddr::from(Ipv4Addr::LOCALHOST),
            Family::V6 => IpAddr::from(Ipv6Addr::LOCALHOST),
        };
        // Free a moment ago; nobody else takes ports of the ephemeral range so soon.
        RealHost::bound(SocketAddr::new(ip, 0)).address()
    }

    fn pass(&mut self) {}
}

/// A bound socket; it listens or connects, never both.
pub(crate) struct RealHost {
    socket: Option<Socket>,
    address: SocketAddr,
}

impl RealHost {
    fn bound(address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.bind(&address.into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        Self { socket: Some(socket), address }
    }
}

impl Host for RealHost {
    type Peer = TcpStream;

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn listen(&mut self) {
        self.socket.as_ref().unwrap().listen(1024).unwrap();
    }

    fn accept(&mut self) -> Option<TcpStream> {
        let (peer, _) = self.socket.as_ref()?.accept().ok()?;
        peer.set_nonblocking(true).unwrap();
        Some(peer.into())
    }

    fn connect(&mut self, to: SocketAddr) -> TcpStream {
        let socket = self.socket.take().unwrap();
        // What it comes to, `established` says.
        let _ = socket.connect(&to.into());
        socket.into()
    }
}

impl Peer for TcpStream {
    fn remote(&self) -> SocketAddr {
        self.peer_addr().unwrap()
    }

    fn established(&self) -> io::Result<()> {
        if let Some(error) = self.take_error()? {
            return Err(error);
        }
        match self.peer_addr() {
            Err(e) if e.kind() == io::ErrorKind::NotConnected => {
                // On loopback a refusal is known at once, and may have been told to `connect`.
                match (&mut &*self).read(&mut []) {
                    Err(e) if e.kind() == io::ErrorKind::NotConnected => {
                        Err(io::ErrorKind::ConnectionRefused.into())
                    }
                    _ => Err(io::ErrorKind::WouldBlock.into()),
                }
            }
            other => other.map(|_| ()),
        }
    }

    fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        (&mut &*self).write(bytes)
    }

    fn receive(&self, into: &mut [u8]) -> io::Result<usize> {
        (&mut &*self).read(into)
    }

    fn finish(&self) {
        self.shutdown(Shutdown::Write).unwrap();
    }

    fn reset(self) {
        SockRef::from(&self).set_linger(Some(Duration::ZERO)).unwrap();
    }
}
