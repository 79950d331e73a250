//! The wire as OpenSSL sees it: it reads one datagram at a time, and each of its writes is one. Records in the clear (epoch 0, RFC 6347 section 4.1)
//! get their sequence numbers here, because we send flights again by a clock that the library does not know: what is sent twice would
//! otherwise be a replay to the peer, and so would what the library says next.
//!
//! ```text
//! | type | version (2) | epoch (2) | sequence number (6) | length (2) |                                  record, 13 octets
//! | type | length (3) | message_seq (2) | fragment_offset (3) | fragment_length (3) |                   handshake, 12 octets
//! ```

use std::collections::VecDeque;
use std::io::{self, Read, Write};

const RECORD_BYTES: usize = 13;
const SEQUENCE_AT: usize = 5;
const LENGTH_AT: usize = 11;
const HANDSHAKE: u8 = 22;
const HANDSHAKE_BYTES: usize = 12;

/// Datagrams that wait to be sent. A flight has less; what the library says beyond is lost, as on any wire.
const MAX_OUTGOING: usize = 64;
/// The longest handshake message that reaches the library, in bytes: it makes room for a whole one when the first fragment comes.
const MAX_MESSAGE_BYTES: usize = 16 * 1024;
/// Records under keys that there are not yet, for each time that a flight is sent: the library keeps a buffer of 17 KB for each.
const MAX_EARLY_RECORDS: usize = 4;

/// See above.
#[derive(Default)]
pub(super) struct Wire {
    incoming: Option<Vec<u8>>,
    pub(super) outgoing: VecDeque<Vec<u8>>,
    next_sequence: u64,
    early_records: usize,
}

impl Wire {
    /// A datagram is there to be read, unless it would make the library keep more than it may. `keyed`: the handshake is over.
    pub(super) fn offer(&mut self, datagram: &[u8], keyed: bool) {
        if keyed || self.is_acceptable(datagram) {
            self.incoming = Some(datagram.to_vec());
        }
    }

    /// Whether there is a datagram that has not been read.
    pub(super) const fn has_incoming(&self) -> bool {
        self.incoming.is_some()
    }

    /// A flight has been sent, or sent again: so many early records may come.
    pub(super) const fn flight_sent(&mut self) {
        self.early_records = 0;
    }

    /// A datagram is to be sent again.
    pub(super) fn send_again(&mut self, datagram: &[u8]) {
        let _ = self.write(datagram); // It never fails.
    }

    fn is_acceptable(&mut self, datagram: &[u8]) -> bool {
        let mut rest = datagram;
        while let Some(record) = first_record(rest) {
            rest = &rest[record.len()..];
            let in_clear = matches!(record, [_, _, _, 0, 0, ..]);
            if !in_clear {
                self.early_records += 1;
                if self.early_records > MAX_EARLY_RECORDS {
                    return false;
                }
            } else if record[0] == HANDSHAKE && !are_short(&record[RECORD_BYTES..]) {
                return false;
            }
        }
        true
    }
}

/// The record that this begins with, if it is all there.
fn first_record(bytes: &[u8]) -> Option<&[u8]> {
    let length = bytes.get(LENGTH_AT..RECORD_BYTES)?;
    bytes.get(..RECORD_BYTES + usize::from(u16::from_be_bytes([length[0], length[1]])))
}

/// Whether none of the messages of a handshake record is longer than we take.
fn are_short(mut messages: &[u8]) -> bool {
    let number = |octets: &[u8]| octets.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet));
    while let Some(header) = messages.get(..HANDSHAKE_BYTES) {
        if number(&header[1..4]) > MAX_MESSAGE_BYTES {
            return false;
        }
        messages = messages.get(HANDSHAKE_BYTES + number(&header[9..12])..).unwrap_or_default();
    }
    true
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let datagram = self.incoming.take().ok_or(io::ErrorKind::WouldBlock)?;
        let len = datagram.len().min(into.len());
        into[..len].copy_from_slice(&datagram[..len]);
        Ok(len)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.outgoing.len() < MAX_OUTGOING {
            let mut datagram = bytes.to_vec();
            let mut at = 0;
            while let Some(record_bytes) = datagram.get(at..).and_then(first_record).map(<[u8]>::len) {
                if datagram[at + 3..at + SEQUENCE_AT] == [0, 0] {
                    let number = self.next_sequence.to_be_bytes();
                    datagram[at + SEQUENCE_AT..at + LENGTH_AT].copy_from_slice(&number[2..]);
                    self.next_sequence += 1;
                }
                at += record_bytes;
            }
            self.outgoing.push_back(datagram);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u8, epoch: u8, sequence: u8, body: &[u8]) -> Vec<u8> {
        let mut record = vec![kind, 254, 253, 0, epoch, 0, 0, 0, 0, 0, sequence];
        record.extend((body.len() as u16).to_be_bytes());
        record.extend(body);
        record
    }

    #[test]
    fn records_in_the_clear_are_numbered_and_others_left_alone() {
        let mut wire = Wire::default();
        let flight = [record(22, 0, 0, b"one"), record(20, 0, 1, &[1]), record(22, 1, 0, b"secret")].concat();
        wire.write_all(&flight).unwrap();
        assert_eq!(wire.outgoing.pop_front().unwrap(), flight);
        wire.send_again(&flight);
        let again = [record(22, 0, 2, b"one"), record(20, 0, 3, &[1]), record(22, 1, 0, b"secret")].concat();
        assert_eq!(wire.outgoing.pop_front().unwrap(), again);
        wire.write_all(&record(21, 0, 2, &[2, 40])).unwrap();
        assert_eq!(wire.outgoing.pop_front().unwrap(), record(21, 0, 4, &[2, 40]));
    }

    #[test]
    fn a_long_message_and_a_flood_of_early_records_do_not_reach_the_library() {
        let mut wire = Wire::default();
        let mut message = [11, 0, 0x40, 0, 0, 2, 0, 0, 0, 0, 0, 1, 9];
        wire.offer(&record(22, 0, 0, &message), false);
        assert!(wire.has_incoming());
        message[3] = 1;
        let mut wire = Wire::default();
        wire.offer(&record(22, 0, 0, &message), false);
        assert!(!wire.has_incoming(), "16 KB and one octet");
        let mut taken = 0;
        for _ in 0..50 {
            wire.offer(&record(22, 1, 0, b"sealed"), false);
            taken += usize::from(wire.incoming.take().is_some());
        }
        assert_eq!(taken, MAX_EARLY_RECORDS);
        wire.flight_sent();
        wire.offer(&record(22, 1, 0, b"sealed"), false);
        assert!(wire.has_incoming());
    }
}
