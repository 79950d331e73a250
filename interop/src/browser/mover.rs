//! What stands between a phone and the gateway as a translator of addresses does (NAT): the phone has one address for it, and the gateway sees
//! another, which can change in the middle of a call.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

const WAIT: Duration = Duration::from_millis(1);
const LARGEST_DATAGRAM_BYTES: usize = 65_535;

/// A running translator; ends with the value.
#[derive(Debug)]
pub struct Mover {
    address: SocketAddr,
    outside: Arc<Mutex<Arc<UdpSocket>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Mover {
    /// Passes datagrams between whoever sends to [`Mover::address`] and the gateway there.
    ///
    /// # Panics
    /// When loopback has no port.
    pub fn start(gateway: SocketAddr) -> Self {
        let inside = socket();
        let address = inside.local_addr().expect("a bound socket");
        let outside = Arc::new(Mutex::new(Arc::new(socket())));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, stopped) = (Arc::clone(&outside), Arc::clone(&stop));
        let thread = std::thread::spawn(move || pass(&inside, &shared, gateway, &stopped));
        Self { address, outside, stop, thread: Some(thread) }
    }

    /// What stands for the gateway in the phone's eyes.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on the gateway sees the phone at another port, which is given; what is sent to the earlier one goes nowhere.
    ///
    /// # Panics
    /// When loopback has no port.
    pub fn change(&self) -> SocketAddr {
        let next = socket();
        let address = next.local_addr().expect("a bound socket");
        *self.outside.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        address
    }
}

impl Drop for Mover {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let joined = self.thread.take().map(JoinHandle::join);
        assert!(
            joined.is_none_or(|joined| joined.is_ok()) || std::thread::panicking(),
            "the translator died"
        );
    }
}

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    socket.set_read_timeout(Some(WAIT)).expect("a time limit is accepted");
    socket
}

fn pass(inside: &UdpSocket, outside: &Mutex<Arc<UdpSocket>>, gateway: SocketAddr, stop: &AtomicBool) {
    let (mut phone, mut buffer) = (None, vec![0; LARGEST_DATAGRAM_BYTES]);
    while !stop.load(Ordering::Relaxed) {
        // Held for no longer, or nobody could change it.
        let outside = Arc::clone(&outside.lock().unwrap_or_else(PoisonError::into_inner));
        // A refused datagram is one that is lost, as on any network.
        if let Ok((len, from)) = inside.recv_from(&mut buffer) {
            phone = Some(from);
            let _lost = outside.send_to(&buffer[..len], gateway);
        }
        while let Some((phone, Ok(len))) = phone.map(|phone| (phone, outside.recv(&mut buffer))) {
            let _lost = inside.send_to(&buffer[..len], phone);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_sees_another_port_after_a_change_and_answers_still_arrive() {
        let (phone, gateway) = (socket(), socket());
        for socket in [&phone, &gateway] {
            socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        }
        let mover = Mover::start(gateway.local_addr().unwrap());
        let mut buffer = [0; 100];
        let mut seen = |words: &[u8]| {
            phone.send_to(words, mover.address()).unwrap();
            let (len, from) = gateway.recv_from(&mut buffer).unwrap();
            assert_eq!(&buffer[..len], words);
            gateway.send_to(b"heard", from).unwrap();
            let (len, from_mover) = phone.recv_from(&mut buffer).unwrap();
            assert_eq!((&buffer[..len], from_mover), (&b"heard"[..], mover.address()));
            from
        };
        let first = seen(b"one");
        let next = mover.change();
        assert_ne!(first, next);
        // What has begun with the earlier port ends with it.
        std::thread::sleep(10 * WAIT);
        assert_eq!(seen(b"two"), next);
    }
}
