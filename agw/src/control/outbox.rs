//! Iq over UDP towards the controllers: what the socket has no room for waits here, in order, until it has. A fresh socket counts as full
//! until it has been asked once, and a burst of replies may fill a real one; without this, messages would leave only when they
//! are repeated. What waits is bounded: a network that takes nothing loses the newest messages, as any loss on UDP.

use agw_iq::transport::MessageBytes;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use tokio::net::UdpSocket;

/// Messages that wait for room.
const MAX_WAITING: usize = 256;

/// Messages that wait until the socket has room.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    waiting: VecDeque<(SocketAddr, MessageBytes)>,
}

impl Outbox {
    /// Whether to tell when the socket has room.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Sends a message, after those that wait.
    ///
    /// # Errors
    /// What the system says, and [`io::ErrorKind::WouldBlock`] when too many wait already: the message is lost.
    pub(super) fn send(&mut self, socket: &UdpSocket, to: SocketAddr, bytes: MessageBytes) -> io::Result<()> {
        if self.waiting.is_empty() {
            match socket.try_send_to(&bytes, to) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                sent => return sent.map(drop),
            }
        }
        if self.waiting.len() >= MAX_WAITING {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.waiting.push_back((to, bytes));
        Ok(())
    }

    /// Sends what waits, as far as there is room. What the system refuses otherwise is lost and told to `failed`.
    pub(super) fn flush(&mut self, socket: &UdpSocket, mut failed: impl FnMut(SocketAddr, &io::Error)) {
        while let Some((to, bytes)) = self.waiting.front() {
            match socket.try_send_to(bytes, *to) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => failed(*to, &error),
                Ok(_) => {}
            }
            self.waiting.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn on_a_runtime(test: impl AsyncFnOnce(UdpSocket, UdpSocket)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let receiver = UdpSocket::bind("127.0.0.1:0").await.unwrap();
            test(UdpSocket::bind("127.0.0.1:0").await.unwrap(), receiver).await;
        });
    }

    #[test]
    fn what_a_fresh_socket_has_no_room_for_is_sent_in_order_as_soon_as_it_has() {
        on_a_runtime(async |socket, receiver| {
            let (mut outbox, to) = (Outbox::default(), receiver.local_addr().unwrap());
            for text in ["one", "two"] {
                outbox.send(&socket, to, MessageBytes::copy_of(text.as_bytes())).unwrap();
            }
            // Nobody has asked the system about this socket yet.
            assert!(!outbox.is_empty());
            socket.writable().await.unwrap();
            outbox.flush(&socket, |to, error| panic!("{to}: {error}"));
            assert!(outbox.is_empty());
            outbox.send(&socket, to, MessageBytes::copy_of(b"six")).unwrap();
            assert!(outbox.is_empty());
            for text in ["one", "two", "six"] {
                let mut buffer = [0; 8];
                let received = tokio::time::timeout(Duration::from_secs(5), receiver.recv(&mut buffer)).await;
                assert_eq!(&buffer[..received.unwrap().unwrap()], text.as_bytes());
            }
        });
    }

    #[test]
    fn no_more_wait_than_the_limit() {
        on_a_runtime(async |socket, receiver| {
            let (mut outbox, to) = (Outbox::default(), receiver.local_addr().unwrap());
            let taken = (0..MAX_WAITING * 2)
                .filter(|_| outbox.send(&socket, to, MessageBytes::copy_of(b"one")).is_ok());
            assert_eq!(taken.count(), MAX_WAITING);
        });
    }
}
