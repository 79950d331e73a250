//! Messages in a byte stream: the TPKT header of RFC 1006 section 6 (H.248.1 Annex D.2).
//!
//! ```text
//!  0       1       2       3
//! +-------+-------+-------+-------+---------
//! | 3     | 0     | length, with  | message
//! |       |       | these 4       |
//! +-------+-------+-------+-------+---------
//! ```
//! A stream that does not begin a packet with version 3 and a length of at least five is not ours and is closed: there is no way to find
//! the next packet in it. What is held is at most one packet.

use super::MessageBytes;
use zeroize::Zeroizing;

/// The octets before each message.
pub const HEADER_BYTES: usize = 4;
/// The longest packet with its header.
pub const MAX_PACKET_BYTES: usize = u16::MAX as usize;

/// The message with its header; `None` when it is too long.
pub fn frame(message: &[u8]) -> Option<MessageBytes> {
    let length = u16::try_from(message.len() + HEADER_BYTES).ok()?;
    let mut bytes = Vec::with_capacity(usize::from(length));
    bytes.extend_from_slice(&[3, 0]);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(message);
    Some(MessageBytes::new(bytes))
}

/// The stream is not made of packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// The first octet is not 3.
    #[error("TPKT version {0} where 3 was expected")]
    Version(u8),
    /// The length does not even cover the header and one octet.
    #[error("TPKT length {0}")]
    Length(u16),
}

/// Takes a stream apart. Poisoned by the first error.
#[derive(Debug, Default)]
pub struct Deframer {
    held: Zeroizing<Vec<u8>>,
}

impl Deframer {
    /// Takes bytes in and hands out every message that they complete, in order.
    ///
    /// # Errors
    /// The stream cannot be followed any further; messages before the error were handed out.
    pub fn feed(&mut self, mut bytes: &[u8], mut take: impl FnMut(&[u8])) -> Result<(), FramingError> {
        loop {
            // Header first, then no more than the rest of this packet: nothing beyond one packet is ever held.
            let wanted = match self.packet_bytes()? {
                None => HEADER_BYTES - self.held.len(),
                Some(length) => length - self.held.len(),
            };
            let (now, later) = bytes.split_at(wanted.min(bytes.len()));
            self.hold(now);
            bytes = later;
            if self.packet_bytes()? == Some(self.held.len()) {
                take(&self.held[HEADER_BYTES..]);
                self.held = Zeroizing::default();
            } else if bytes.is_empty() {
                return Ok(());
            }
        }
    }

    /// The length of the packet that has begun, once its header is there.
    fn packet_bytes(&self) -> Result<Option<usize>, FramingError> {
        match *self.held.as_slice() {
            [version, ..] if version != 3 => Err(FramingError::Version(version)),
            [_, _, high, low, ..] => {
                let length = u16::from_be_bytes([high, low]);
                if usize::from(length) <= HEADER_BYTES {
                    Err(FramingError::Length(length))
                } else {
                    Ok(Some(usize::from(length)))
                }
            }
            _ => Ok(None),
        }
    }

    fn hold(&mut self, bytes: &[u8]) {
        let needed = self.held.len() + bytes.len();
        if needed > self.held.capacity() {
            // Grown by hand: a vector that grows by itself leaves its old block, keys and all, behind.
            let mut larger =
                Zeroizing::new(Vec::with_capacity(needed.max(512).max(self.held.capacity() * 2)));
            larger.extend_from_slice(&self.held);
            self.held = larger;
        }
        self.held.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(deframer: &mut Deframer, bytes: &[u8]) -> Result<Vec<Vec<u8>>, FramingError> {
        let mut messages = Vec::new();
        deframer.feed(bytes, |message| messages.push(message.to_vec())).map(|()| messages)
    }

    #[test]
    fn messages_come_out_however_the_stream_is_cut() {
        let long = vec![b'x'; 5000];
        let mut stream = frame(b"one").expect("short").to_vec();
        stream.extend_from_slice(&frame(&long).expect("fits"));
        stream.extend_from_slice(&frame(b"!").expect("short"));
        for cut in [1, 2, 3, 4, 5, 7, 100, stream.len()] {
            let mut deframer = Deframer::default();
            let mut messages = Vec::new();
            for piece in stream.chunks(cut) {
                messages.extend(feed(&mut deframer, piece).expect("well framed"));
            }
            assert_eq!(messages, [b"one".to_vec(), long.clone(), b"!".to_vec()], "cut in {cut}");
        }
    }

    #[test]
    fn a_stream_that_is_no_tpkt_is_refused_at_its_first_octet() {
        assert_eq!(feed(&mut Deframer::default(), b"MEGACO/2"), Err(FramingError::Version(b'M')));
        assert_eq!(feed(&mut Deframer::default(), &[3, 0, 0, 4]), Err(FramingError::Length(4)));
        let mut deframer = Deframer::default();
        assert_eq!(feed(&mut deframer, &[3, 0, 0]), Ok(vec![]));
        assert_eq!(feed(&mut deframer, &[0]), Err(FramingError::Length(0)));
        assert_eq!(feed(&mut deframer, &[3]), Err(FramingError::Length(0)), "an error stays");
    }

    #[test]
    fn a_message_that_does_not_fit_the_header_is_not_framed() {
        assert!(frame(&vec![0; MAX_PACKET_BYTES - HEADER_BYTES]).is_some());
        assert!(frame(&vec![0; MAX_PACKET_BYTES - HEADER_BYTES + 1]).is_none());
    }
}
