//! The little that SRTP must know of RTP and RTCP headers: version, SSRC, sequence number, and where the payload begins.
//!
//! ```text
//! |V=2|P|X|  CC   |M|     PT      |       sequence number         |  RFC 3550 section 5.1
//! |                           timestamp                           |
//! |           synchronization source (SSRC) identifier            |
//! |   CC contributing sources, then if X: profile, length, words   |  RFC 3550 section 5.3.1
//! ```

use crate::error::Error;

/// The fixed RTP header.
pub(crate) const RTP_HEADER_BYTES: usize = 12;
/// The part of an RTCP packet that is never encrypted (RFC 3711 section 3.4).
pub(crate) const RTCP_HEADER_BYTES: usize = 8;
/// The longest packet, as UDP has it.
pub(crate) const MAX_PACKET_BYTES: usize = 65_535;

/// What is read from an RTP header.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RtpHeader {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    /// Where the payload begins: behind contributing sources and header extension.
    pub(crate) payload_at: usize,
}

impl RtpHeader {
    pub(crate) fn parse(packet: &[u8]) -> Result<RtpHeader, Error> {
        let header = packet.first_chunk::<RTP_HEADER_BYTES>().ok_or(Error::TooShort)?;
        if header[0] >> 6 != 2 {
            return Err(Error::Malformed);
        }
        let sources_end = RTP_HEADER_BYTES + 4 * usize::from(header[0] & 0x0f);
        let payload_at = if header[0] & 0x10 == 0 {
            sources_end
        } else {
            let extension = packet.get(sources_end..).and_then(|rest| rest.first_chunk::<4>());
            let [_, _, words @ ..] = extension.ok_or(Error::Malformed)?;
            sources_end + 4 + 4 * usize::from(u16::from_be_bytes(*words))
        };
        if payload_at > packet.len() {
            return Err(Error::Malformed);
        }
        let [.., a, b, c, d] = *header;
        Ok(RtpHeader {
            ssrc: u32::from_be_bytes([a, b, c, d]),
            sequence: u16::from_be_bytes([header[2], header[3]]),
            payload_at,
        })
    }
}

/// The SSRC of the sender of an RTCP packet.
pub(crate) fn rtcp_ssrc(packet: &[u8]) -> Result<u32, Error> {
    let [first, _, _, _, ssrc @ ..] = packet.first_chunk::<RTCP_HEADER_BYTES>().ok_or(Error::TooShort)?;
    if first >> 6 == 2 { Ok(u32::from_be_bytes(*ssrc)) } else { Err(Error::Malformed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: [u8; 12] = [0x80, 0, 0x12, 0x34, 0, 0, 0, 1, 0xca, 0xfe, 0xba, 0xbe];

    fn header_with(first: u8, rest: &[u8]) -> Result<usize, Error> {
        let mut packet = PLAIN.to_vec();
        packet[0] = first;
        packet.extend_from_slice(rest);
        RtpHeader::parse(&packet).map(|header| header.payload_at)
    }

    #[test]
    fn the_fixed_header_is_read() {
        let header = RtpHeader { ssrc: 0xcafe_babe, sequence: 0x1234, payload_at: 12 };
        assert_eq!(RtpHeader::parse(&PLAIN), Ok(header));
    }

    #[test]
    fn sources_and_extensions_move_the_payload() {
        assert_eq!(header_with(0x82, &[0; 8]), Ok(20));
        assert_eq!(header_with(0x90, &[0xbe, 0xde, 0, 1, 0, 0, 0, 0, 9]), Ok(20));
        assert_eq!(header_with(0x91, &[0, 0, 0, 0, 0xbe, 0xde, 0, 0]), Ok(20));
    }

    #[test]
    fn headers_that_run_past_the_end_are_malformed() {
        assert_eq!(header_with(0x81, &[0; 3]), Err(Error::Malformed));
        assert_eq!(header_with(0x90, &[0; 3]), Err(Error::Malformed));
        assert_eq!(header_with(0x90, &[0, 0, 0xff, 0xff, 0]), Err(Error::Malformed));
        assert_eq!(header_with(0x40, &[]), Err(Error::Malformed));
        assert_eq!(RtpHeader::parse(&PLAIN[..11]), Err(Error::TooShort));
    }

    #[test]
    fn the_sender_of_rtcp_is_read() {
        assert_eq!(rtcp_ssrc(&[0x80, 200, 0, 1, 1, 2, 3, 4]), Ok(0x0102_0304));
        assert_eq!(rtcp_ssrc(&[0x80, 200, 0, 1, 1, 2, 3]), Err(Error::TooShort));
        assert_eq!(rtcp_ssrc(&[0, 200, 0, 1, 1, 2, 3, 4]), Err(Error::Malformed));
    }
}
