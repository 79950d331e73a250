//! The packets that the SRTP candidates work on: RTP with a plain header and a rising sequence number, SRTCP-sized sender reports.

/// Room for a packet and what protection adds.
pub const ROOM_BYTES: usize = 2048;
/// Packets per timed block: few enough to stay in the second-level cache, as a worker's batches do.
pub const BLOCK_PACKETS: usize = 256;
/// The fixed RTP header (RFC 3550 section 5.1).
pub const HEADER_BYTES: usize = 12;
/// The synchronisation source of every packet.
pub const SSRC: u32 = 0x1122_3344;

/// A packet in a slot with room to grow.
#[derive(Clone)]
pub struct Packet {
    /// The slot.
    pub bytes: Box<[u8; ROOM_BYTES]>,
    /// How much of it is the packet.
    pub len: usize,
}

impl Packet {
    /// An empty slot.
    pub fn new() -> Self {
        Self { bytes: Box::new([0; ROOM_BYTES]), len: 0 }
    }

    /// Writes the `number`-th RTP packet of `bytes` bytes (header included).
    pub fn write_rtp(&mut self, number: u64, bytes: usize) {
        self.bytes[..bytes].fill(0x55);
        self.bytes[..2].copy_from_slice(&[0x80, 8]);
        self.bytes[2..4].copy_from_slice(&(number as u16).to_be_bytes());
        self.bytes[4..8].copy_from_slice(&(number as u32).wrapping_mul(160).to_be_bytes());
        self.bytes[8..12].copy_from_slice(&SSRC.to_be_bytes());
        self.len = bytes;
    }
}

impl Default for Packet {
    fn default() -> Self {
        Self::new()
    }
}

/// One block of slots.
pub fn block() -> Vec<Packet> {
    vec![Packet::new(); BLOCK_PACKETS]
}
