//! What a datagram is, by its first bytes: the protocols that share a media port have been given ranges of their first byte that do
//! not overlap (RFC 7983), and RTP and RTCP on one port differ in the second (RFC 5761 section 4).

/// What a datagram claims to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// First byte 0 to 3.
    Stun,
    /// First byte 16 to 19.
    Zrtp,
    /// First byte 20 to 63.
    Dtls,
    /// First byte 64 to 79.
    TurnChannel,
    /// First byte 128 to 191, second byte not of RTCP.
    Rtp,
    /// First byte 128 to 191, second byte 192 to 223.
    Rtcp,
    /// Anything else, an empty datagram too.
    Unknown,
}

/// Names a datagram.
pub fn protocol_of(datagram: &[u8]) -> Protocol {
    match datagram {
        [0..=3, ..] => Protocol::Stun,
        [16..=19, ..] => Protocol::Zrtp,
        [20..=63, ..] => Protocol::Dtls,
        [64..=79, ..] => Protocol::TurnChannel,
        [128..=191, 192..=223, ..] => Protocol::Rtcp,
        [128..=191, _, ..] => Protocol::Rtp,
        _ => Protocol::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_decides_and_the_second_parts_rtp_from_rtcp() {
        for (bytes, expected) in [
            (&[0_u8, 1][..], Protocol::Stun),
            (&[3, 0], Protocol::Stun),
            (&[4, 0], Protocol::Unknown),
            (&[16, 0], Protocol::Zrtp),
            (&[20, 254], Protocol::Dtls),
            (&[63, 254], Protocol::Dtls),
            (&[64, 0], Protocol::TurnChannel),
            (&[80, 0], Protocol::Unknown),
            (&[127, 200], Protocol::Unknown),
            (&[128, 191], Protocol::Rtp),
            (&[128, 192], Protocol::Rtcp),
            (&[191, 223], Protocol::Rtcp),
            (&[128, 224], Protocol::Rtp),
            (&[128, 8], Protocol::Rtp),
            (&[192, 200], Protocol::Unknown),
            (&[128], Protocol::Unknown),
            (&[], Protocol::Unknown),
        ] {
            assert_eq!(protocol_of(bytes), expected, "{bytes:?}");
        }
    }
}
