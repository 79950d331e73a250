//! Whether a stream is BFCP (RFC 8855): follows the common headers (section 5.1) from message to message, holding nothing of a message but what has come
//! of its header. What the payloads say is between floor control server and participants.
//!
//! ```text
//! | Ver |R|F| Res |  Primitive    |  Payload Length in words      |
//! |                         Conference ID                         |
//! |         Transaction ID        |            User ID            |
//! ```

use std::fmt;

const HEADER_BYTES: u32 = 12;
const WORD_BYTES: u32 = 4;
/// The one version over a reliable transport.
const VERSION: u8 = 1;

/// The state of one direction of a stream.
#[derive(Debug, Clone, Default)]
pub struct BfcpFraming {
    /// The first word of the header at hand.
    word: [u8; WORD_BYTES as usize],
    /// How much of it has come.
    word_bytes: u8,
    /// Bytes of the message at hand that are still to come once its first word is there.
    to_come: u32,
    messages: u64,
    failed: Option<BfcpError>,
}

/// Why a stream is none of BFCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BfcpError {
    /// A message of another version than the one for reliable transports.
    Version(u8),
    /// A message with primitive 0, which there is not. Unknown ones pass: there may be more some day.
    Primitive,
}

impl fmt::Display for BfcpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => {
                write!(f, "BFCP: version {version} where {VERSION} has to be over a reliable transport")
            }
            Self::Primitive => write!(f, "BFCP: there is no primitive 0"),
        }
    }
}

impl std::error::Error for BfcpError {}

impl BfcpFraming {
    /// Looks at the next bytes of the stream, which may be cut anywhere.
    ///
    /// # Errors
    /// The stream is no BFCP; every later call says the same.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<(), BfcpError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        while let Some((first, rest)) = bytes.split_first() {
            if self.to_come > 0 {
                let count = (self.to_come as usize).min(bytes.len());
                bytes = &bytes[count..];
                self.to_come -= count as u32;
                self.messages += u64::from(self.to_come == 0);
                continue;
            }
            self.word[usize::from(self.word_bytes)] = *first;
            self.word_bytes += 1;
            bytes = rest;
            if u32::from(self.word_bytes) == WORD_BYTES {
                self.word_bytes = 0;
                self.to_come = match length_of_rest(self.word) {
                    Ok(length) => length,
                    Err(error) => {
                        self.failed = Some(error);
                        return Err(error);
                    }
                };
            }
        }
        Ok(())
    }

    /// Whole messages that have passed.
    pub const fn messages(&self) -> u64 {
        self.messages
    }

    /// Whether the last message is whole and none has begun.
    pub const fn is_between_messages(&self) -> bool {
        self.word_bytes == 0 && self.to_come == 0
    }
}

/// The bytes of a message behind the first word of its header.
fn length_of_rest([flags, primitive, high, low]: [u8; WORD_BYTES as usize]) -> Result<u32, BfcpError> {
    // The R and F flags and the reserved bits are to be ignored (section 5.1).
    match flags >> 5 {
        VERSION if primitive == 0 => Err(BfcpError::Primitive),
        VERSION => Ok(HEADER_BYTES - WORD_BYTES + WORD_BYTES * u32::from(u16::from_be_bytes([high, low]))),
        version => Err(BfcpError::Version(version)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(primitive: u8, words: u16) -> Vec<u8> {
        let mut message = vec![VERSION << 5, primitive];
        message.extend(words.to_be_bytes());
        message.extend([0, 0, 0, 7, 0, 1, 0, 2]);
        message.extend(vec![0xff; usize::from(words) * WORD_BYTES as usize]);
        message
    }

    #[test]
    fn whole_messages_are_counted_and_a_begun_one_is_known() {
        let mut framing = BfcpFraming::default();
        let mut stream = message(11, 0);
        stream.extend(message(1, u16::MAX));
        stream.extend(message(200, 3));
        framing.feed(&stream[..stream.len() - 1]).expect("BFCP");
        assert!(!framing.is_between_messages());
        assert_eq!(framing.messages(), 2);
        framing.feed(&stream[stream.len() - 1..]).expect("BFCP");
        assert!(framing.is_between_messages());
        assert_eq!(framing.messages(), 3);
    }

    #[test]
    fn another_version_and_primitive_zero_end_the_stream_for_good() {
        let mut framing = BfcpFraming::default();
        let mut old = message(11, 0);
        old[0] = 2 << 5;
        assert_eq!(framing.feed(&old), Err(BfcpError::Version(2)));
        assert_eq!(framing.feed(&message(11, 0)), Err(BfcpError::Version(2)));
        assert_eq!(BfcpFraming::default().feed(&message(0, 1)), Err(BfcpError::Primitive));
    }

    #[test]
    fn flags_and_reserved_bits_are_ignored() {
        let mut framing = BfcpFraming::default();
        let mut odd = message(11, 1);
        odd[0] |= 0x1f;
        assert_eq!(framing.feed(&odd), Ok(()));
        assert_eq!(framing.messages(), 1);
    }

    proptest! {
        #[test]
        fn any_cutting_of_the_stream_is_judged_alike(
            stream in proptest::collection::vec((0u8..=255, 0u16..6), 1..8),
            broken in proptest::option::of(0usize..60),
            cuts in proptest::collection::vec(1usize..20, 1..40),
        ) {
            let mut bytes: Vec<u8> = stream.iter().flat_map(|(primitive, words)| message(*primitive, *words)).collect();
            if let Some(byte) = broken.and_then(|at| bytes.get_mut(at)) {
                *byte ^= 0xe0;
            }
            let mut whole = BfcpFraming::default();
            let verdict = whole.feed(&bytes);
            let mut cut = BfcpFraming::default();
            let (mut rest, mut last) = (bytes.as_slice(), Ok(()));
            for length in cuts.iter().cycle() {
                let (piece, after) = rest.split_at(rest.len().min(*length));
                last = cut.feed(piece);
                rest = after;
                if rest.is_empty() || last.is_err() {
                    break;
                }
            }
            prop_assert_eq!(last, verdict);
            prop_assert_eq!(cut.messages(), whole.messages());
            prop_assert_eq!(cut.is_between_messages(), whole.is_between_messages());
        }
    }
}
