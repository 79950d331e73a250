//! What every packet of a run carries in its payload, so that whoever receives it can tell exactly what happened to it.
//!
//! The stamp names the call, the direction, the packet's number in that direction and the moment it was sent; a CRC-32 over the whole
//! payload shows any change. Nothing has to be remembered about a packet in flight: loss, order, duplicates, corruption and
//! delay all follow from what arrives.
//!
//! ```text
//!  0       4       8               16              24
//!  +-------+-------+---------------+---------------+---------------- ...
//!  | CRC32 |d| call|   sequence    |    sent_ns    | filling
//!  +-------+-------+---------------+---------------+---------------- ...
//! ```
//! All fields are big-endian; `d` is the top bit of the call field (0: towards the core, 1: towards the access side).

/// The bytes of a stamp: the shortest payload that a run can use.
pub const STAMP_BYTES: usize = 24;
/// The longest payload: what an Ethernet frame leaves after IPv6, UDP, RTP and the longest SRTP tag.
pub const MAX_PAYLOAD_BYTES: usize = 1400;

const DIRECTION_BIT: u32 = 1 << 31;

/// Which way a packet crosses the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Way {
    /// Sent by the access end (the phone), expected at the core end.
    ToCore,
    /// Sent by the core end, expected at the access end.
    ToAccess,
}

/// What a payload says about its packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Number of the call, below 2^31.
    pub call: u32,
    /// Which way it travels.
    pub way: Way,
    /// Number of the packet in its call and way, from 0.
    pub sequence: u64,
    /// When it was handed to the system, in nanoseconds of the run's clock.
    pub sent_ns: u64,
}

impl Stamp {
    /// Writes the stamp to the front of `payload` and seals the whole of it with the checksum. What lies behind the stamp is covered,
    /// whatever it is. A payload shorter than [`STAMP_BYTES`] is left alone and `false` is returned.
    pub fn seal(&self, payload: &mut [u8]) -> bool {
        let Some((head, _)) = payload.split_first_chunk_mut::<STAMP_BYTES>() else { return false };
        let way = if self.way == Way::ToAccess { DIRECTION_BIT } else { 0 };
        head[4..8].copy_from_slice(&((self.call & !DIRECTION_BIT) | way).to_be_bytes());
        head[8..16].copy_from_slice(&self.sequence.to_be_bytes());
        head[16..24].copy_from_slice(&self.sent_ns.to_be_bytes());
        let checksum = crc32fast::hash(&payload[4..]);
        payload[..4].copy_from_slice(&checksum.to_be_bytes());
        true
    }

    /// Reads a payload back; `None` when it is too short or any bit of it is not as it was sealed.
    pub fn open(payload: &[u8]) -> Option<Self> {
        let (checksum, sealed) = payload.split_first_chunk::<4>()?;
        let (call, rest) = sealed.split_first_chunk::<4>()?;
        let (sequence, rest) = rest.split_first_chunk::<8>()?;
        let (sent_ns, _) = rest.split_first_chunk::<8>()?;
        if crc32fast::hash(sealed) != u32::from_be_bytes(*checksum) {
            return None;
        }
        let call = u32::from_be_bytes(*call);
        Some(Self {
            call: call & !DIRECTION_BIT,
            way: if call & DIRECTION_BIT == 0 { Way::ToCore } else { Way::ToAccess },
            sequence: u64::from_be_bytes(*sequence),
            sent_ns: u64::from_be_bytes(*sent_ns),
        })
    }
}

/// Fills a payload with bytes that differ from call to call and have no runs, so that bytes of one packet that turn up in
/// another are seen by the checksum.
pub fn fill(payload: &mut [u8], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for byte in payload {
        // xorshift64: any full-period generator would do.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        *byte = state.to_be_bytes()[0];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_sealed_is_read_back(
            call in 0u32..1 << 31, to_access: bool, sequence: u64, sent_ns: u64, length in STAMP_BYTES..MAX_PAYLOAD_BYTES,
        ) {
            let way = if to_access { Way::ToAccess } else { Way::ToCore };
            let stamp = Stamp { call, way, sequence, sent_ns };
            let mut payload = vec![0; length];
            fill(&mut payload, u64::from(call));
            prop_assert!(stamp.seal(&mut payload));
            prop_assert_eq!(Stamp::open(&payload), Some(stamp));
        }

        #[test]
        fn one_changed_bit_anywhere_is_seen(bit in 0usize..160 * 8, sequence: u64) {
            let mut payload = [0; 160];
            fill(&mut payload, sequence);
            Stamp { call: 7, way: Way::ToCore, sequence, sent_ns: 9 }.seal(&mut payload);
            payload[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(Stamp::open(&payload), None);
        }

        #[test]
        fn a_shortened_payload_is_seen(keep in 0usize..160) {
            let mut payload = [0; 160];
            fill(&mut payload, 3);
            Stamp { call: 7, way: Way::ToCore, sequence: 1, sent_ns: 9 }.seal(&mut payload);
            prop_assert_eq!(Stamp::open(&payload[..keep]), None);
        }
    }

    #[test]
    fn a_payload_without_room_is_refused() {
        assert!(
            !Stamp { call: 0, way: Way::ToCore, sequence: 0, sent_ns: 0 }.seal(&mut [0; STAMP_BYTES - 1])
        );
    }

    #[test]
    fn fillings_of_two_calls_differ() {
        let (mut one, mut two) = ([0; 64], [0; 64]);
        fill(&mut one, 1);
        fill(&mut two, 2);
        assert!(one.iter().zip(&two).filter(|(a, b)| a == b).count() < 8);
    }
}
