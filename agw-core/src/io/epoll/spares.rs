//! Sockets whose port is closed and that become other ports: to make, set up, watch and close a socket costs the kernel more than twice what
//! unbinding and binding one again does, and calls come and go by the thousand.
//!
//! It works for ports that the kernel would give to others, too ([`sys::bind_for_now`]); all others are bound and closed for good.
//! Nothing of one call may reach the next: a spare socket has no address, so that nothing new arrives; it rests until what was on its way at
//! that moment has arrived; and it is taken only with nothing in its queue. What nobody takes is closed soon.

use crate::io::sys;
use crate::model::PortRange;
use socket2::Socket;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

/// The most spare sockets.
const MAX_SPARES: usize = 4096;
/// How long a socket rests: far longer than a datagram takes from its look-up to the queue, which happens without a break.
const REST_US: u64 = 20_000;
/// How long a socket waits to be taken.
const WAIT_US: u64 = 1_000_000;
/// The most that are closed in one go, so that the control thread is not held up.
const CLOSED_AT_ONCE: usize = 256;
/// After so many ports that the kernel did not choose, though they were free, it is not asked any more: they are reserved, and each
/// attempt costs it a long search.
const MAX_FAILURES: u32 = 8;

/// A socket without a port. It is still watched for its worker.
#[derive(Debug)]
pub(super) struct Spare {
    pub(super) socket: Socket,
    /// The code point that it marks with.
    pub(super) dscp: u8,
    since_us: u64,
}

/// The spare sockets of all workers.
#[derive(Debug)]
pub(super) struct Spares {
    /// Where the kernel can be made to choose a port.
    ports: Option<PortRange>,
    failures: u32,
    /// By worker, of IPv4 and of IPv6, each in the order of closing.
    resting: Vec<[VecDeque<Spare>; 2]>,
    count: usize,
}

impl Spares {
    pub(super) fn new(workers: usize, ports: Option<PortRange>) -> Self {
        Self { ports, failures: 0, resting: (0..workers).map(|_| Default::default()).collect(), count: 0 }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// A socket that `worker` watches and that can be bound to `local`.
    pub(super) fn take(&mut self, worker: usize, local: SocketAddr, now_us: u64) -> Option<Spare> {
        self.ports.filter(|ports| ports.contains(local.port()))?;
        let resting = &mut self.resting.get_mut(worker)?[usize::from(local.is_ipv6())];
        while resting.front().is_some_and(|spare| spare.since_us + REST_US <= now_us) {
            let spare = resting.pop_front()?;
            self.count -= 1;
            if is_silent(&spare.socket) {
                return Some(spare);
            }
        }
        None
    }

    /// Binds a socket to a port. Says whether it can be spared later.
    pub(super) fn bind(&mut self, socket: &Socket, local: SocketAddr) -> io::Result<bool> {
        let mut failed = false;
        if self.ports.is_some_and(|ports| ports.contains(local.port())) {
            match sys::bind_for_now(socket, local) {
                Ok(()) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => failed = true,
                // The kernel is too old, or its range is another than it was.
                Err(_) => self.ports = None,
            }
        }
        socket.bind(&local.into())?;
        self.failures += u32::from(failed);
        if self.failures >= MAX_FAILURES {
            self.ports = None;
        }
        Ok(false)
    }

    /// Takes in a socket that [`Spares::bind`] has said can be spared, or closes it. It is unbound at once, whichever.
    pub(super) fn keep(&mut self, worker: usize, socket: Socket, is_v6: bool, dscp: u8, now_us: u64) {
        let Some(resting) = self.resting.get_mut(worker) else { return };
        if self.count < MAX_SPARES && sys::unbind(&socket).is_ok() {
            resting[usize::from(is_v6)].push_back(Spare { socket, dscp, since_us: now_us });
            self.count += 1;
        }
    }

    /// Closes what has waited long.
    pub(super) fn tend(&mut self, now_us: u64) {
        let mut closed = 0;
        for resting in self.resting.iter_mut().flatten() {
            while closed < CLOSED_AT_ONCE && resting.front().is_some_and(|s| s.since_us + WAIT_US <= now_us) {
                resting.pop_front();
                closed += 1;
            }
        }
        self.count -= closed;
    }

    /// Closes all, since descriptors are wanted. Says whether there were any.
    pub(super) fn give_up(&mut self) -> bool {
        self.resting.iter_mut().flatten().for_each(VecDeque::clear);
        std::mem::take(&mut self.count) > 0
    }
}

/// Nothing waits in the socket's queue, and nothing is wrong with it.
fn is_silent(socket: &Socket) -> bool {
    let heard = sys::receive_from(socket.as_raw_fd(), &mut [0]);
    heard.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use socket2::{Domain, Protocol, Type};
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

    const LOOPBACKS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

    /// What the kernel chooses from here.
    pub(in crate::io::epoll) fn kernel_ports() -> Option<PortRange> {
        let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
        let numbers: Vec<u16> = text.split_whitespace().map(|number| number.parse().unwrap()).collect();
        PortRange::new(numbers[0], numbers[1])
    }

    fn socket(ip: IpAddr) -> Socket {
        let domain = if ip.is_ipv6() { Domain::IPV6 } else { Domain::IPV4 };
        Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP)).unwrap()
    }

    /// Free a moment ago.
    fn free(ip: IpAddr) -> SocketAddr {
        UdpSocket::bind((ip, 0)).unwrap().local_addr().unwrap()
    }

    fn name(socket: &Socket) -> SocketAddr {
        socket.local_addr().unwrap().as_socket().unwrap()
    }

    #[test]
    fn a_spare_socket_rests_and_then_has_the_new_name_and_no_more_the_old_one() {
        for ip in LOOPBACKS {
            let (first, second) = (free(ip), free(ip));
            let mut spares = Spares::new(1, kernel_ports());
            let made = socket(ip);
            assert!(spares.bind(&made, first).unwrap());
            assert_eq!(name(&made), first);
            spares.keep(0, made, ip.is_ipv6(), 46, 5);
            UdpSocket::bind(first).expect("the port is free at once");
            assert!(spares.take(0, second, 4 + REST_US).is_none(), "it rests");
            assert!(spares.take(1, second, 5 + REST_US).is_none(), "another worker does not watch it");
            let taken = spares.take(0, second, 5 + REST_US).unwrap();
            assert_eq!((taken.dscp, spares.len()), (46, 0));
            assert!(spares.bind(&taken.socket, second).unwrap());
            assert_eq!(name(&taken.socket), second);
            UdpSocket::bind((ip, 0)).unwrap().send_to(b"new", second).unwrap();
            let mut buffer = [0; 8];
            assert_eq!(sys::receive_from(taken.socket.as_raw_fd(), &mut buffer).unwrap().len, 3);
        }
    }

    #[test]
    fn a_socket_in_which_something_waits_is_closed_and_not_used_again() {
        let ip = LOOPBACKS[0];
        let (first, second) = (free(ip), free(ip));
        let mut spares = Spares::new(1, kernel_ports());
        let made = socket(ip);
        assert!(spares.bind(&made, first).unwrap());
        UdpSocket::bind((ip, 0)).unwrap().send_to(b"old", first).unwrap();
        spares.keep(0, made, false, 0, 0);
        assert!(spares.take(0, second, REST_US).is_none());
        assert_eq!(spares.len(), 0);
    }

    #[test]
    fn ports_outside_the_kernel_s_range_are_bound_as_always_whatever_was_said_of_the_range() {
        let ip = LOOPBACKS[0];
        let true_range = kernel_ports().unwrap();
        let beyond = SocketAddr::new(ip, true_range.first() - 1);
        let mut spares = Spares::new(1, Some(true_range));
        assert!(!spares.bind(&socket(ip), beyond).unwrap());
        assert!(spares.ports.is_some());

        let mut misled = Spares::new(1, PortRange::new(1, u16::MAX));
        let made = socket(ip);
        assert!(!misled.bind(&made, beyond).unwrap());
        assert_eq!(name(&made), beyond);
        assert!(misled.ports.is_none(), "it does not try again");
    }

    #[test]
    fn a_port_of_another_is_said_to_be_in_use_and_the_next_one_is_had() {
        let foreign = UdpSocket::bind((LOOPBACKS[0], 0)).unwrap();
        let mut spares = Spares::new(1, kernel_ports());
        for _ in 0..2 {
            let refused = spares.bind(&socket(LOOPBACKS[0]), foreign.local_addr().unwrap());
            assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::AddrInUse);
        }
        assert!(spares.bind(&socket(LOOPBACKS[0]), free(LOOPBACKS[0])).unwrap());
        assert_eq!(spares.failures, 0);
    }

    #[test]
    fn what_nobody_takes_is_closed_a_few_at_a_time() {
        let ip = LOOPBACKS[0];
        let mut spares = Spares::new(1, kernel_ports());
        let keep = |spares: &mut Spares, now_us| {
            let made = socket(ip);
            assert!(spares.bind(&made, free(ip)).unwrap());
            spares.keep(0, made, false, 0, now_us);
        };
        (0..300).for_each(|_| keep(&mut spares, 7));
        keep(&mut spares, 8);
        spares.tend(6 + WAIT_US);
        assert_eq!(spares.len(), 301);
        spares.tend(7 + WAIT_US);
        assert_eq!(spares.len(), 301 - CLOSED_AT_ONCE);
        spares.tend(7 + WAIT_US);
        assert_eq!(spares.len(), 1);
        assert!(spares.give_up());
        assert!(!spares.give_up());
    }
}
