//! The sockets of both media ends. A few sockets carry many calls (the gateway's ports differ, so it can tell them apart), which keeps the
//! generator cheap: one system call sends or receives packets of many calls.

use agw_core::io::sys;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// The most sockets on one side of one thread: each is polled at every tick.
pub const MAX_SOCKETS: usize = 256;

/// What the receive queue of a socket may hold, in bytes; the system may allow less.
const RECEIVE_BUFFER_BYTES: usize = 16 << 20;

/// Which end of the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The phones.
    Access,
    /// The operator's network.
    Core,
}

/// One socket of one end.
#[derive(Debug)]
pub struct Endpoint {
    pub(crate) socket: UdpSocket,
    pub(crate) local: SocketAddr,
    /// What the system had dropped at this socket when it was last asked, modulo 2^32.
    drops: u32,
}

impl Endpoint {
    fn open(ip: IpAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address((ip, 0).into()), Type::DGRAM, Some(Protocol::UDP))?;
        // The system caps what an ordinary user gets; what is dropped is counted.
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(RECEIVE_BUFFER_BYTES);
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::new(ip, 0).into())?;
        let socket = UdpSocket::from(socket);
        sys::enable_receive_time(&socket)?;
        let local = socket.local_addr()?;
        Ok(Self { socket, local, drops: 0 })
    }

    /// How many datagrams the receive queue has lost since the last call.
    pub(crate) fn take_drops(&mut self) -> u64 {
        let Ok(now) = sys::overflows(&self.socket) else { return 0 };
        let since = now.wrapping_sub(self.drops);
        self.drops = now;
        u64::from(since)
    }
}

/// How many sockets and where.
#[derive(Debug, Clone, Copy)]
pub struct EndpointPlan {
    /// Generator threads; each has sockets of its own.
    pub threads: usize,
    /// Sockets per side and thread, 1 to [`MAX_SOCKETS`].
    pub sockets_per_side: usize,
    /// Local address of the access ends.
    pub access: IpAddr,
    /// Local address of the core ends.
    pub core: IpAddr,
}

/// The sockets of one thread: those of the access side, then those of the core side.
#[derive(Debug)]
pub struct Endpoints {
    pub(crate) all: Vec<Endpoint>,
    per_side: usize,
}

impl Endpoints {
    /// Opens the sockets of every thread.
    ///
    /// # Errors
    /// What the system says: not our address, no more descriptors.
    pub fn open(plan: &EndpointPlan) -> io::Result<Vec<Self>> {
        let per_side = plan.sockets_per_side.clamp(1, MAX_SOCKETS);
        let one_thread = || {
            let access = (0..per_side).map(|_| Endpoint::open(plan.access));
            let core = (0..per_side).map(|_| Endpoint::open(plan.core));
            let all = access.chain(core).collect::<io::Result<Vec<_>>>()?;
            Ok(Self { all, per_side })
        };
        (0..plan.threads.max(1)).map(|_| one_thread()).collect()
    }

    /// Which socket the `nth` of `calls` calls of this thread uses on a side. Neighbours share a socket, so that a batch of consecutive
    /// calls leaves in one system call.
    pub(crate) fn index(&self, side: Side, nth: usize, calls: usize) -> usize {
        let within = nth * self.per_side / calls.max(1);
        match side {
            Side::Access => within.min(self.per_side - 1),
            Side::Core => self.per_side + within.min(self.per_side - 1),
        }
    }

    /// The local address of the `nth` of `calls` calls of this thread on a side.
    pub fn address(&self, side: Side, nth: usize, calls: usize) -> SocketAddr {
        self.all[self.index(side, nth, calls)].local
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_calls_share_sockets_and_all_sockets_are_used() {
        let plan = EndpointPlan {
            threads: 2,
            sockets_per_side: 4,
            access: [127, 0, 0, 1].into(),
            core: [127, 0, 0, 1].into(),
        };
        let threads = Endpoints::open(&plan).unwrap();
        assert_eq!(threads.len(), 2);
        let used = |side| (0..10).map(|nth| threads[0].index(side, nth, 10)).collect::<Vec<_>>();
        assert_eq!(used(Side::Access), [0, 0, 0, 1, 1, 2, 2, 2, 3, 3]);
        assert_eq!(used(Side::Core), [4, 4, 4, 5, 5, 6, 6, 6, 7, 7]);
    }
}
