//! Which socket a worker sends with: the port's own, or its companion that is connected to the one address the port has been sending
//! to. The worker only asks for companions and uses them; the control thread makes them ([`Desk`]). Nothing waits for anything:
//! until a companion is there, and whenever the address changes, the port's own socket does.

use super::descriptor;
use crate::io::PortHandle;
use rtrb::{Consumer, Producer, RingBuffer};
use std::net::SocketAddr;
use std::os::fd::RawFd;

/// Packets to one address after which it is taken to stay: more than half a second of voice.
pub(super) const STEADY_PACKETS: u16 = 32;
/// Wishes and grants under way. A wish that finds no room is made again later.
const RING: usize = 1024;

/// A port has been sending to one address and would like a companion connected to it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) port: PortHandle,
    pub(super) to: SocketAddr,
    /// Grows with each wish for the descriptor. A companion is turned for a wish, so what was granted for an older one leads elsewhere now.
    serial: u32,
}

/// Here it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grant {
    pub(super) wish: Wish,
    pub(super) companion: RawFd,
}

/// The control thread's ends.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) wishes: Consumer<Wish>,
    pub(super) grants: Producer<Grant>,
}

/// What a worker knows of one descriptor's port.
#[derive(Debug, Clone, Copy)]
struct Path {
    port: PortHandle,
    /// Where it sent last.
    to: Option<SocketAddr>,
    /// How often in a row, up to [`STEADY_PACKETS`].
    sent: u16,
    /// The last wish.
    serial: u32,
    /// Granted for the last wish, and no wish has been made since.
    companion: Option<RawFd>,
}

/// The worker's side.
#[derive(Debug)]
pub(super) struct Paths {
    by_descriptor: Box<[Path]>,
    wishes: Producer<Wish>,
    grants: Consumer<Grant>,
}

/// Both sides, for so many descriptors; with none, no companion is ever wished for.
pub(super) fn open(descriptors: usize) -> (Desk, Paths) {
    let (wish_in, wish_out) = RingBuffer::new(RING);
    let (grant_in, grant_out) = RingBuffer::new(RING);
    let unused = Path { port: PortHandle(u32::MAX), to: None, sent: 0, serial: 0, companion: None };
    let paths = Paths { by_descriptor: vec![unused; descriptors].into(), wishes: wish_in, grants: grant_out };
    (Desk { wishes: wish_out, grants: grant_in }, paths)
}

impl Paths {
    /// The companion to send with, connected to `to`; `None`: the port's own socket does.
    pub(super) fn choose(&mut self, port: PortHandle, to: SocketAddr) -> Option<RawFd> {
        let path = self.by_descriptor.get_mut(descriptor(port) as usize)?;
        if path.port != port || path.to != Some(to) {
            *path = Path { port, to: Some(to), sent: 0, serial: path.serial, companion: None };
        }
        if path.companion.is_none() && path.sent < STEADY_PACKETS {
            path.sent += 1;
            if path.sent == STEADY_PACKETS {
                path.serial = path.serial.wrapping_add(1);
                let wish = Wish { port, to, serial: path.serial };
                if self.wishes.push(wish).is_err() {
                    path.sent = 0;
                }
            }
        }
        path.companion
    }

    /// The worker has nothing more to do with a port.
    pub(super) fn forget(&mut self, port: PortHandle) {
        if let Some(path) = self.by_descriptor.get_mut(descriptor(port) as usize) {
            (path.to, path.sent, path.companion) = (None, 0, None);
        }
    }

    /// Takes what was granted. A port that has turned to another address since does not use it.
    pub(super) fn take_grants(&mut self) {
        while let Ok(Grant { wish, companion }) = self.grants.pop() {
            if let Some(path) = self.by_descriptor.get_mut(descriptor(wish.port) as usize)
                && path.port == wish.port
                && path.to == Some(wish.to)
                && path.serial == wish.serial
            {
                path.companion = Some(companion);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::epoll::handle;

    fn steady(paths: &mut Paths, port: PortHandle, to: SocketAddr) {
        for _ in 0..STEADY_PACKETS {
            assert_eq!(paths.choose(port, to), None);
        }
    }

    #[test]
    fn a_steady_port_wishes_once_and_uses_what_it_gets_for_that_address_only() {
        let [a, b]: [SocketAddr; 2] = ["192.0.2.1:1000", "192.0.2.2:2000"].map(|a| a.parse().unwrap());
        let (mut desk, mut paths) = open(100);
        let port = handle(10, 0);
        steady(&mut paths, port, a);
        steady(&mut paths, port, a);
        let wish = desk.wishes.pop().unwrap();
        assert_eq!((wish.port, wish.to), (port, a));
        assert!(desk.wishes.pop().is_err(), "once is enough");
        desk.grants.push(Grant { wish, companion: 20 }).unwrap();
        paths.take_grants();
        assert_eq!(paths.choose(port, a), Some(20));
        assert_eq!(paths.choose(port, b), None, "connected to the other");
        assert_eq!(paths.choose(port, a), None, "the control thread may have turned it meanwhile");
    }

    #[test]
    fn a_companion_that_was_wished_elsewhere_since_is_not_used() {
        let [a, b]: [SocketAddr; 2] = ["192.0.2.1:1000", "192.0.2.2:2000"].map(|a| a.parse().unwrap());
        let (mut desk, mut paths) = open(100);
        let port = handle(10, 0);
        steady(&mut paths, port, a);
        let first = desk.wishes.pop().unwrap();
        desk.grants.push(Grant { wish: first, companion: 20 }).unwrap();
        // Before that is seen, the port has turned to b for long enough to wish, and back.
        steady(&mut paths, port, b);
        paths.choose(port, a);
        paths.take_grants();
        assert_eq!(paths.choose(port, a), None, "it is about to be turned to b");
    }

    #[test]
    fn a_port_that_was_given_away_is_met_anew() {
        let a = "192.0.2.1:1000".parse().unwrap();
        let (mut desk, mut paths) = open(100);
        let port = handle(10, 0);
        steady(&mut paths, port, a);
        let wish = desk.wishes.pop().unwrap();
        desk.grants.push(Grant { wish, companion: 20 }).unwrap();
        paths.take_grants();
        assert_eq!(paths.choose(port, a), Some(20));
        paths.forget(port);
        assert_eq!(paths.choose(port, a), None, "another worker may have turned it");
    }

    #[test]
    fn a_grant_that_comes_too_late_is_not_used() {
        let [a, b]: [SocketAddr; 2] = ["192.0.2.1:1000", "192.0.2.2:2000"].map(|a| a.parse().unwrap());
        let (mut desk, mut paths) = open(100);
        steady(&mut paths, handle(10, 0), a);
        let wish = desk.wishes.pop().unwrap();
        paths.choose(handle(10, 0), b);
        desk.grants.push(Grant { wish, companion: 20 }).unwrap();
        paths.take_grants();
        assert_eq!(paths.choose(handle(10, 0), b), None);

        // The same descriptor, opened again as another port that sends to the same address.
        steady(&mut paths, handle(10, 0), a);
        let wish = desk.wishes.pop().unwrap();
        paths.choose(handle(10, 1), a);
        desk.grants.push(Grant { wish, companion: 20 }).unwrap();
        paths.take_grants();
        assert_eq!(paths.choose(handle(10, 1), a), None);
    }
}
