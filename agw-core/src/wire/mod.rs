//! Views over the bytes of datagrams: a length is checked once, in `parse`, after which no accessor can fail. Everything here reads what
//! a stranger may have written; nothing here keeps state or allocates.

pub mod demux;
pub mod extension;
pub mod rtcp;
pub mod rtp;
pub mod stun;

/// Two bytes at `at`, in network order; `None` beyond the end.
fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at.checked_add(2)?)?.try_into().ok().map(u16::from_be_bytes)
}

/// Four bytes at `at`, in network order; `None` beyond the end.
fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_be_bytes)
}
