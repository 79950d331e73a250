//! Local ports that nobody uses, for tests that run side by side.
//!
//! Binding port 0 and closing again invites two tests to get the same port from the kernel. Here each process walks its own
//! block of a range that neither the kernel's ephemeral ports (32768 and up) nor the gateway's default realms
//! (10000-29999) touch, and no port is given out twice by one process.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process;
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 30_000;
const PORTS: u16 = 2_768;
/// Where processes start apart from one another.
const BLOCK: u32 = 64;

static WALKED: AtomicU16 = AtomicU16::new(0);

/// An even port P with P and P+1 both free for UDP on 127.0.0.1: an RTP port and its RTCP port.
///
/// # Panics
/// When the whole range is in use.
pub fn free_udp_pair() -> u16 {
    find(|port| {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
            && UdpSocket::bind((Ipv4Addr::LOCALHOST, port + 1)).is_ok()
    })
}

/// A port free for UDP and TCP on 127.0.0.1, as a controller that listens on both wants it.
///
/// # Panics
/// When the whole range is in use.
pub fn free_port() -> u16 {
    find(|port| {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
            && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
    })
}

fn find(is_free: impl Fn(u16) -> bool) -> u16 {
    let start = (process::id().wrapping_mul(BLOCK) % u32::from(PORTS)) as u16 & !1;
    (0..PORTS / 2)
        .map(|_| {
            let step = WALKED.fetch_add(2, Ordering::Relaxed);
            FIRST + (start + step % PORTS) % PORTS
        })
        .find(|&port| is_free(port))
        .expect("a free port between 30000 and 32767")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_starts_even_and_can_be_bound() {
        let rtp = free_udp_pair();
        assert_eq!(rtp % 2, 0);
        let _rtp = UdpSocket::bind((Ipv4Addr::LOCALHOST, rtp)).unwrap();
        let _rtcp = UdpSocket::bind((Ipv4Addr::LOCALHOST, rtp + 1)).unwrap();
    }

    #[test]
    fn a_port_in_use_is_passed_over() {
        let taken = free_udp_pair();
        let _held = UdpSocket::bind((Ipv4Addr::LOCALHOST, taken)).unwrap();
        assert!((0..8).all(|_| free_udp_pair() != taken));
    }
}
