//! AES and GCM from RustCrypto: what runs where the processor offers nothing better, and the oracle that the file with
//! intrinsics is compared against.

use aes::cipher::{Array, BlockCipherEncrypt, KeyInit};
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use subtle::ConstantTimeEq;

use super::{AesKey, AssociatedData, Engine, GcmKey};

/// Blocks that are encrypted at a time, so that bit-sliced and hardware AES both have something to do side by side.
const PARALLEL_BLOCKS: usize = 8;

/// The portable engine.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

/// AES of any key length. The types of the `aes` crate wipe themselves.
pub(crate) enum Aes {
    Aes128(aes::Aes128),
    Aes192(aes::Aes192),
    Aes256(aes::Aes256),
}

/// GCM from AES and GHASH.
pub(crate) struct PortableGcm {
    aes: Aes,
    ghash: GHash,
}

impl Engine for Portable {
    type Aes = Aes;
    type Gcm = PortableGcm;

    fn aes(self, key: &[u8]) -> Aes {
        match key.len() {
            16 => Aes::Aes128(aes::Aes128::new_from_slice(key).expect("length was matched")),
            24 => Aes::Aes192(aes::Aes192::new_from_slice(key).expect("length was matched")),
            32 => Aes::Aes256(aes::Aes256::new_from_slice(key).expect("length was matched")),
            other => unreachable!("suites have no key of {other} bytes"),
        }
    }

    fn gcm(self, key: &[u8]) -> PortableGcm {
        let aes = self.aes(key);
        let mut hash_key = [0; 16];
        aes.encrypt_block(&mut hash_key);
        PortableGcm { aes, ghash: GHash::new(&hash_key.into()) }
    }
}

impl Aes {
    fn encrypt_blocks(&self, blocks: &mut [[u8; 16]]) {
        let blocks = Array::cast_slice_from_core_mut(blocks);
        match self {
            Aes::Aes128(aes) => aes.encrypt_blocks(blocks),
            Aes::Aes192(aes) => aes.encrypt_blocks(blocks),
            Aes::Aes256(aes) => aes.encrypt_blocks(blocks),
        }
    }
}

impl AesKey for Aes {
    fn encrypt_block(&self, block: &mut [u8; 16]) {
        self.encrypt_blocks(std::slice::from_mut(block));
    }

    fn ctr_xor(&self, counter: &[u8; 16], data: &mut [u8]) {
        let mut counter = u128::from_be_bytes(*counter);
        for chunk in data.chunks_mut(PARALLEL_BLOCKS * 16) {
            let mut stream = [[0; 16]; PARALLEL_BLOCKS];
            let used = &mut stream[..chunk.len().div_ceil(16)];
            for block in used.iter_mut() {
                *block = counter.to_be_bytes();
                counter = next(counter);
            }
            self.encrypt_blocks(used);
            for (to, from) in chunk.iter_mut().zip(used.as_flattened()) {
                *to ^= from;
            }
        }
    }
}

/// The next counter block: only the last 32 bits grow.
fn next(counter: u128) -> u128 {
    (counter & !u128::from(u32::MAX)) | u128::from((counter as u32).wrapping_add(1))
}

impl PortableGcm {
    fn tag(&self, iv: &[u8; 12], aad: AssociatedData<'_>, data: &[u8]) -> [u8; 16] {
        let mut hash = self.ghash.clone();
        let (last, used) = aad.last_blocks();
        hash.update(Array::cast_slice_from_core(aad.head.as_chunks::<16>().0));
        hash.update(Array::cast_slice_from_core(&last[..used]));
        hash.update_padded(data);
        let bits = (u128::from(aad.len() as u64 * 8) << 64) | u128::from(data.len() as u64 * 8);
        hash.update(&[bits.to_be_bytes().into()]);
        let mut tag: [u8; 16] = hash.finalize().into();
        self.aes.ctr_xor(&counter(iv, 1), &mut tag);
        tag
    }
}

/// The counter block of that number (RFC 7714 section 6).
pub(super) fn counter(iv: &[u8; 12], number: u32) -> [u8; 16] {
    let mut block = [0; 16];
    block[..12].copy_from_slice(iv);
    block[12..].copy_from_slice(&number.to_be_bytes());
    block
}

impl GcmKey for PortableGcm {
    fn seal(&self, iv: &[u8; 12], aad: AssociatedData<'_>, data: &mut [u8]) -> [u8; 16] {
        self.aes.ctr_xor(&counter(iv, 2), data);
        self.tag(iv, aad, data)
    }

    fn open(&self, iv: &[u8; 12], aad: AssociatedData<'_>, data: &mut [u8], tag: &[u8; 16]) -> bool {
        let authentic: bool = self.tag(iv, aad, data).ct_eq(tag).into();
        if authentic {
            self.aes.ctr_xor(&counter(iv, 2), data);
        }
        authentic
    }
}
