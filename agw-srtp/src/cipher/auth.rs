//! HMAC-SHA1 as SRTP uses it (RFC 3711 section 4.2.1), on the packet where it lies.
//!
//! The two keyed states of HMAC (after the inner and outer pad) are computed once per session key; a packet then
//! costs its own blocks, one final block and one outer block, without copying the payload. The compression function is
//! RustCrypto's, which finds the processor's SHA extensions at run time.

use sha1::block_api::compress;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::kdf::AUTH_KEY_BYTES;

const BLOCK_BYTES: usize = 64;
/// Bytes of a whole HMAC-SHA1.
pub(crate) const DIGEST_BYTES: usize = 20;
/// The longest tail: a rollover counter.
const MAX_TAIL_BYTES: usize = 4;

const SHA1_INIT: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// An HMAC-SHA1 key as two compression states.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct HmacKey {
    inner: [u32; 5],
    outer: [u32; 5],
}

impl HmacKey {
    pub(crate) fn new(key: &[u8; AUTH_KEY_BYTES]) -> HmacKey {
        HmacKey { inner: padded_state(key, 0x36), outer: padded_state(key, 0x5c) }
    }

    /// HMAC over `data` and then `tail`, which has at most four bytes.
    pub(crate) fn digest(&self, data: &[u8], tail: &[u8]) -> [u8; DIGEST_BYTES] {
        let (blocks, rest) = data.as_chunks::<BLOCK_BYTES>();
        // Made first: its stores are done by the time that the compression reads them back.
        let (last, used) = last_blocks(data.len(), rest, &tail[..tail.len().min(MAX_TAIL_BYTES)]);
        let mut state = self.inner;
        compress(&mut state, blocks);
        compress(&mut state, &last[..used]);

        let mut outer = [0_u8; BLOCK_BYTES];
        outer[..DIGEST_BYTES].copy_from_slice(&to_bytes(state));
        outer[DIGEST_BYTES] = 0x80;
        outer[BLOCK_BYTES - 8..].copy_from_slice(&(8 * (BLOCK_BYTES + DIGEST_BYTES) as u64).to_be_bytes());
        state = self.outer;
        compress(&mut state, &[outer]);
        to_bytes(state)
    }

    /// Whether `tag`, of four or ten bytes, is the beginning of the HMAC, decided in constant time.
    pub(crate) fn verify(&self, data: &[u8], tail: &[u8], tag: &[u8]) -> bool {
        match (number(&self.digest(data, tail)[..tag.len().min(DIGEST_BYTES)]), number(tag)) {
            (Some(expected), Some(found)) => expected.ct_eq(&found).into(),
            _ => false,
        }
    }
}

/// A tag as one number, since subtle goes through slices byte by byte; there are tags of four and of ten bytes.
fn number(tag: &[u8]) -> Option<u128> {
    match tag {
        [a, b, c, d] => Some(u128::from(u32::from_ne_bytes([*a, *b, *c, *d]))),
        [head @ .., y, z] if head.len() == 8 => {
            let head = u64::from_ne_bytes(*head.first_chunk()?);
            Some(u128::from(head) << 16 | u128::from(u16::from_ne_bytes([*y, *z])))
        }
        _ => None,
    }
}

/// What follows the whole blocks of the data: its rest, the tail, a one bit, zeros and the length in bits (RFC 3174 section 4).
fn last_blocks(data_len: usize, rest: &[u8], tail: &[u8]) -> ([[u8; BLOCK_BYTES]; 2], usize) {
    let mut last = [[0_u8; BLOCK_BYTES]; 2];
    let flat = last.as_flattened_mut();
    // Sixteen bytes at a time: no call for a copy of a few bytes.
    let (pieces, few) = rest.as_chunks::<16>();
    let (to_pieces, _) = flat.as_chunks_mut::<16>();
    for (to, from) in to_pieces.iter_mut().zip(pieces) {
        *to = *from;
    }
    let end = rest.len() + tail.len();
    for (to, from) in flat[rest.len() - few.len()..end].iter_mut().zip(few.iter().chain(tail)) {
        *to = *from;
    }
    flat[end] = 0x80;
    let used = if end < BLOCK_BYTES - 8 { 1 } else { 2 };
    let bits = 8 * (BLOCK_BYTES + data_len + tail.len()) as u64;
    flat[used * BLOCK_BYTES - 8..used * BLOCK_BYTES].copy_from_slice(&bits.to_be_bytes());
    (last, used)
}

fn padded_state(key: &[u8; AUTH_KEY_BYTES], pad: u8) -> [u32; 5] {
    let mut block = [pad; BLOCK_BYTES];
    for (to, from) in block.iter_mut().zip(key) {
        *to ^= from;
    }
    let mut state = SHA1_INIT;
    compress(&mut state, &[block]);
    block.zeroize();
    state
}

fn to_bytes(state: [u32; 5]) -> [u8; DIGEST_BYTES] {
    let mut bytes = [0; DIGEST_BYTES];
    for (to, word) in bytes.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *to = word.to_be_bytes();
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::hex;
    use hmac::{Hmac, KeyInit, Mac};

    /// RFC 2202 section 3, case 1: the one with a key of our length.
    #[test]
    fn the_vector_of_rfc_2202_holds() {
        let digest = HmacKey::new(&[0x0b; 20]).digest(b"Hi There", b"");
        assert_eq!(digest.as_slice(), hex("b617318655057264e28bc0b6fb378c8ef146be00"));
    }

    #[test]
    fn every_length_agrees_with_the_hmac_crate() {
        let key = [0x5a; 20];
        let data: Vec<u8> = (0..400_u32).map(|n| (n * 7) as u8).collect();
        for len in 0..data.len() {
            for tail in [&[][..], &[1, 2, 3, 4]] {
                let mut oracle = Hmac::<sha1::Sha1>::new_from_slice(&key).unwrap();
                oracle.update(&data[..len]);
                oracle.update(tail);
                let expected: [u8; 20] = oracle.finalize().into_bytes().into();
                assert_eq!(HmacKey::new(&key).digest(&data[..len], tail), expected, "{len}");
            }
        }
    }

    #[test]
    fn only_the_right_tag_of_a_right_length_verifies() {
        let key = HmacKey::new(&[1; 20]);
        let digest = key.digest(b"data", b"tail");
        for len in 0..=DIGEST_BYTES {
            assert_eq!(key.verify(b"data", b"tail", &digest[..len]), len == 4 || len == 10, "{len}");
        }
        for len in [4, 10] {
            for bit in 0..8 * len {
                let mut tag = digest[..len].to_vec();
                tag[bit / 8] ^= 1 << (bit % 8);
                assert!(!key.verify(b"data", b"tail", &tag), "bit {bit}");
            }
        }
        assert!(!key.verify(b"data", b"tail", &[0; 21]));
    }
}
