//! Many datagrams of one socket by one system call, for programs that flood or drain a single socket, such as a load generator. A
//! gateway's ports seldom have more than one waiting, so its workers do without.

use super::sys::{MessageArray, Received};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};

/// Several datagrams received from one socket by one system call, into buffers of its own.
pub struct ReceiveRing {
    messages: MessageArray,
    buffers: Box<[u8]>,
    slot_bytes: usize,
    filled: usize,
}

impl ReceiveRing {
    /// Room for `slots` datagrams of at most `slot_bytes` each; longer ones come out truncated.
    pub fn new(slots: usize, slot_bytes: usize) -> Self {
        let slot_bytes = slot_bytes.max(1);
        let buffers = vec![0; slots * slot_bytes].into();
        Self { messages: MessageArray::new(slots), buffers, slot_bytes, filled: 0 }
    }

    /// Receives what is there without waiting, over what was received before. 0: nothing there.
    ///
    /// # Errors
    /// What the system says, but for "nothing there".
    pub fn receive(&mut self, socket: &impl AsFd) -> io::Result<usize> {
        self.filled = 0;
        let buffers = self.buffers.chunks_exact_mut(self.slot_bytes);
        self.filled = match self.messages.receive(socket.as_fd().as_raw_fd(), buffers) {
            Ok(filled) => filled,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => 0,
            Err(e) => return Err(e),
        };
        Ok(self.filled)
    }

    /// The datagrams of the last [`ReceiveRing::receive`], in order.
    pub fn datagrams(&self) -> impl Iterator<Item = (&[u8], Received)> {
        self.buffers.chunks_exact(self.slot_bytes).take(self.filled).enumerate().map(|(index, buffer)| {
            let received = self.messages.received(index);
            (&buffer[..received.len.min(buffer.len())], received)
        })
    }
}

/// Several datagrams sent through one socket by one system call, from buffers of its own.
pub struct SendBatch {
    messages: MessageArray,
    buffers: Box<[u8]>,
    slot_bytes: usize,
    waiting: Vec<(usize, Option<SocketAddr>)>,
}

impl SendBatch {
    /// Room for `slots` datagrams of at most `slot_bytes` each.
    pub fn new(slots: usize, slot_bytes: usize) -> Self {
        let slot_bytes = slot_bytes.max(1);
        let buffers = vec![0; slots * slot_bytes].into();
        Self { messages: MessageArray::new(slots), buffers, slot_bytes, waiting: Vec::with_capacity(slots) }
    }

    /// Adds a datagram: `write` fills the buffer that it is given and says how many bytes it used; `to` may be `None` on a connected socket.
    /// False, and nothing is written, when the batch is full.
    pub fn push(&mut self, to: Option<SocketAddr>, write: impl FnOnce(&mut [u8]) -> usize) -> bool {
        let Some(buffer) = self.buffers.chunks_exact_mut(self.slot_bytes).nth(self.waiting.len()) else {
            return false;
        };
        let len = write(buffer).min(buffer.len());
        self.waiting.push((len, to));
        true
    }

    /// How many datagrams wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Sends all that waits, in order and without waiting, and empties the batch. Says how many the system took: the first that it refuses
    /// ends the call, and those after it are dropped too.
    ///
    /// # Errors
    /// What the system said of the first datagram, if it refused that one.
    pub fn send(&mut self, socket: &impl AsFd) -> io::Result<usize> {
        if self.waiting.is_empty() {
            return Ok(0);
        }
        let buffers = self.buffers.chunks_exact(self.slot_bytes);
        let datagrams = self.waiting.iter().zip(buffers).map(|(&(len, to), buffer)| (&buffer[..len], to));
        let sent = self.messages.send(socket.as_fd().as_raw_fd(), datagrams);
        self.waiting.clear();
        sent
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;

    #[test]
    fn what_is_pushed_is_sent_in_order_and_received_in_order() {
        let [a, b] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let to = b.local_addr().unwrap();
        let mut batch = SendBatch::new(4, 100);
        for n in 0..4_u8 {
            assert!(batch.push(Some(to), |buffer| {
                buffer[..3].fill(n);
                3
            }));
        }
        assert!(!batch.push(Some(to), |_| 1), "full");
        assert_eq!(batch.send(&a).unwrap(), 4);
        assert!(batch.is_empty());
        let mut ring = ReceiveRing::new(8, 2);
        assert_eq!(ring.receive(&b).unwrap(), 4);
        for (n, (bytes, received)) in ring.datagrams().enumerate() {
            assert_eq!(bytes, [n as u8; 2]);
            assert!(received.truncated, "three bytes do not fit two");
            assert_eq!(received.from, a.local_addr().unwrap());
        }
        assert_eq!(ring.receive(&b).unwrap(), 0);
        assert_eq!(ring.datagrams().count(), 0);
    }
}
