//! The RTP header (RFC 3550 section 5.1), as much of it as a relay looks at. Padding is not checked: under SRTP its length is encrypted,
//! and it is the receiver's to judge.
//!
//! ```text
//!  0                   1                   2                   3
//! |V=2|P|X|  CC   |M|     PT      |       sequence number         |
//! |                           timestamp                           |
//! |                             SSRC                              |
//! |                    CSRC, CC times                             |
//! |      defined by profile       |   length (X only, in words)   |
//! ```

use super::{u16_at, u32_at};

/// The fixed header's length.
pub const MIN_HEADER_BYTES: usize = 12;

/// A header whose lengths fit its datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RtpHeader {
    /// The marker bit.
    pub marker: bool,
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The sequence number.
    pub sequence: u16,
    /// The time stamp, in ticks of the payload's clock.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
    /// Length of the header with CSRCs and extension.
    pub header_bytes: usize,
}

impl RtpHeader {
    /// Reads the header; `None` unless the version is 2 and header, CSRCs and extension fit the datagram.
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        let &[first, second, ..] = datagram else { return None };
        if first >> 6 != 2 {
            return None;
        }
        let mut header_bytes = MIN_HEADER_BYTES + 4 * usize::from(first & 0x0f);
        if first & 0x10 != 0 {
            header_bytes += 4 + 4 * usize::from(u16_at(datagram, header_bytes + 2)?);
        }
        if header_bytes > datagram.len() {
            return None;
        }
        Some(Self {
            marker: second & 0x80 != 0,
            payload_type: second & 0x7f,
            sequence: u16_at(datagram, 2)?,
            timestamp: u32_at(datagram, 4)?,
            ssrc: u32_at(datagram, 8)?,
            header_bytes,
        })
    }

    /// Ticks of the time stamp per second as RFC 3551 (tables 4 and 5) fixes them for this payload type; `None` for the dynamic ones.
    pub const fn static_clock_rate_hz(&self) -> Option<u32> {
        match self.payload_type {
            0 | 3 | 4 | 5 | 7 | 8 | 9 | 12 | 13 | 15 | 18 => Some(8000),
            6 => Some(16000),
            10 | 11 => Some(44100),
            14 | 25 | 26 | 28 | 31..=34 => Some(90000),
            16 => Some(11025),
            17 => Some(22050),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_with_csrcs_and_an_extension_is_read_whole() {
        let mut packet = vec![0x92, 0x88, 0x12, 0x34, 0, 0, 0, 160, 0xde, 0xad, 0xbe, 0xef];
        packet.extend([0; 8]); // two CSRCs
        packet.extend([0xbe, 0xde, 0, 1, 0x10, 0xff, 0, 0]); // one word of extension
        let header = RtpHeader::parse(&packet).unwrap();
        assert!(header.marker);
        assert_eq!(header.payload_type, 8);
        assert_eq!(header.sequence, 0x1234);
        assert_eq!(header.timestamp, 160);
        assert_eq!(header.ssrc, 0xdead_beef);
        assert_eq!(header.header_bytes, packet.len());
        for len in 0..packet.len() {
            assert_eq!(RtpHeader::parse(&packet[..len]), None, "cut to {len}");
        }
    }

    #[test]
    fn only_version_2_is_rtp() {
        for first in [0x00_u8, 0x40, 0xc0] {
            let mut packet = [0; 12];
            packet[0] = first;
            assert_eq!(RtpHeader::parse(&packet), None);
        }
    }
}
