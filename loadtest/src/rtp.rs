//! The RTP header that a run sends, and expects back bit for bit (RFC 3550 section 5.1). Written here and not taken from the
//! gateway, so that a mistake in its reading is not repeated when its output is judged.
//!
//! ```text
//!   0                   1                   2                   3
//!  |V=2|P|X|  CC   |M|     PT      |            sequence           |
//!  |                           timestamp                           |
//!  |                             SSRC                              |
//! ```

/// The bytes of a header without CSRCs and extension.
pub const HEADER_BYTES: usize = 12;

/// How far the RTP timestamp moves per packet: 20 ms at 8000 Hz.
const TIMESTAMP_STEP: u32 = 160;

/// The constant parts of the headers of one flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderTemplate {
    /// Names the flow.
    pub ssrc: u32,
    /// Payload type, 7 bits.
    pub payload_type: u8,
    /// The RTP sequence number of packet 0.
    pub first_sequence: u16,
}

impl HeaderTemplate {
    /// The header of packet `number`.
    pub fn header(&self, number: u64) -> [u8; HEADER_BYTES] {
        // Both fields count modulo their size, as RTP does.
        let sequence = self.first_sequence.wrapping_add(number as u16);
        let timestamp = (number as u32).wrapping_mul(TIMESTAMP_STEP);
        let mut header = [0; HEADER_BYTES];
        header[0] = 0x80;
        header[1] = self.payload_type & 0x7f;
        header[2..4].copy_from_slice(&sequence.to_be_bytes());
        header[4..8].copy_from_slice(&timestamp.to_be_bytes());
        header[8..12].copy_from_slice(&self.ssrc.to_be_bytes());
        header
    }
}

/// The SSRC of an RTP or SRTP packet (both carry it in the clear); `None` for what is too short or not version 2.
pub fn ssrc(packet: &[u8]) -> Option<u32> {
    let header = packet.first_chunk::<HEADER_BYTES>()?;
    (header[0] >> 6 == 2).then(|| u32::from_be_bytes([header[8], header[9], header[10], header[11]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_laid_out_as_the_figure_says() {
        let template = HeaderTemplate { ssrc: 0x0102_0304, payload_type: 8, first_sequence: 0xfffe };
        let header = template.header(3);
        assert_eq!(header, [0x80, 8, 0, 1, 0, 0, 1, 0xe0, 1, 2, 3, 4]);
        assert_eq!(ssrc(&header), Some(0x0102_0304));
    }

    #[test]
    fn what_is_no_rtp_has_no_ssrc() {
        assert_eq!(ssrc(&[0x80; 11]), None);
        assert_eq!(ssrc(&[0x40; 12]), None);
    }
}
