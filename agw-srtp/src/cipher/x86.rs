//! AES, counter mode and GCM with the processor's own instructions: the one file of this crate with `unsafe` in it.
//!
//! RustCrypto reaches these instructions too, but for packets of 100 to 200 bytes it works block by block and keeps
//! GCM's carry-less multiplication out of run-time dispatch. Here eight blocks are in flight, and GHASH multiplies up
//! to sixteen blocks by precomputed powers of H before it reduces once (Gueron's aggregated reduction). A value of
//! [`Native`] is the proof that the processor has AES-NI, PCLMULQDQ and SSSE3; every key holds that proof by having been made
//! from one. All of it is compared with `portable` at every length.

#![allow(unsafe_code)]

use std::arch::x86_64::*;
use std::ops::Range;

use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::portable::counter;
use super::{AesKey, AssociatedData, Engine, GcmKey};

/// Blocks in flight in counter mode.
const LANES: usize = 8;
/// Powers of H that are kept, and blocks per reduction.
const POWERS: usize = 16;
/// Round keys of AES-256.
const MAX_ROUND_KEYS: usize = 15;

/// The engine. Only [`Native::detect`] makes one.
#[derive(Clone, Copy)]
pub(crate) struct Native(());

impl Native {
    /// The engine, if this processor has what it takes.
    pub(crate) fn detect() -> Option<Native> {
        let there = is_x86_feature_detected!("aes")
            && is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("ssse3")
            && is_x86_feature_detected!("sse4.1");
        there.then_some(Native(()))
    }
}

impl Engine for Native {
    type Aes = Aes;
    type Gcm = Gcm;

    fn aes(self, key: &[u8]) -> Aes {
        // SAFETY: a value of Native exists only where the features were detected.
        unsafe { Aes::expand(key) }
    }

    fn gcm(self, key: &[u8]) -> Gcm {
        let aes = self.aes(key);
        let mut hash_key = [0; 16];
        aes.encrypt_block(&mut hash_key);
        // SAFETY: a value of Native exists only where the features were detected.
        let powers = unsafe { powers_of(hash_key) };
        hash_key.zeroize();
        Gcm { aes, powers }
    }
}

/// Sixteen bytes as the registers like them.
#[derive(Clone, Copy, Default, Zeroize)]
#[repr(C, align(16))]
struct Block([u8; 16]);

/// An expanded AES key.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Aes {
    round_keys: [Block; MAX_ROUND_KEYS],
    rounds: usize,
}

impl AesKey for Aes {
    fn encrypt_block(&self, block: &mut [u8; 16]) {
        // SAFETY: the key was made from a Native, so the features are there.
        unsafe { self.encrypt_one(block) }
    }

    fn ctr_xor(&self, counter: &[u8; 16], data: &mut [u8]) {
        // SAFETY: the key was made from a Native, so the features are there.
        unsafe { self.ctr_xor_native(counter, data) }
    }
}

impl Aes {
    /// The key expansion of FIPS 197 section 5.2, word by word; the S-box is the processor's, so no table is looked up.
    #[target_feature(enable = "aes,ssse3,sse4.1")]
    fn expand(key: &[u8]) -> Aes {
        let key_words = key.len() / 4;
        let rounds = key_words + 6;
        let mut words = [0_u32; 4 * MAX_ROUND_KEYS];
        for (word, bytes) in words.iter_mut().zip(key.as_chunks::<4>().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        let mut round_constant = 1_u32;
        for at in key_words..4 * (rounds + 1) {
            let mut word = words[at - 1];
            if at % key_words == 0 {
                word = substitute(word).rotate_right(8) ^ round_constant;
                round_constant = (round_constant << 1) ^ (if round_constant & 0x80 != 0 { 0x11b } else { 0 });
            } else if key_words > 6 && at % key_words == 4 {
                word = substitute(word);
            }
            words[at] = words[at - key_words] ^ word;
        }
        let mut round_keys = [Block::default(); MAX_ROUND_KEYS];
        for (to, from) in round_keys.iter_mut().zip(words.as_chunks::<4>().0) {
            for (bytes, word) in to.0.as_chunks_mut::<4>().0.iter_mut().zip(from) {
                *bytes = word.to_le_bytes();
            }
        }
        words.zeroize();
        Aes { round_keys, rounds }
    }

    #[target_feature(enable = "aes,ssse3,sse4.1")]
    #[inline]
    fn encrypt_one(&self, block: &mut [u8; 16]) {
        let [encrypted] = self.encrypt([load(block)]);
        store(block, encrypted);
    }

    /// Encrypts `N` blocks side by side.
    #[target_feature(enable = "aes,ssse3,sse4.1")]
    #[inline]
    fn encrypt<const N: usize>(&self, mut blocks: [__m128i; N]) -> [__m128i; N] {
        let [first, middle @ ..] = &self.round_keys[..self.rounds] else { return blocks };
        let first = load(&first.0);
        for block in &mut blocks {
            *block = _mm_xor_si128(*block, first);
        }
        for key in middle {
            let key = load(&key.0);
            for block in &mut blocks {
                *block = _mm_aesenc_si128(*block, key);
            }
        }
        let last = load(&self.round_keys[self.rounds].0);
        for block in &mut blocks {
            *block = _mm_aesenclast_si128(*block, last);
        }
        blocks
    }

    #[target_feature(enable = "aes,ssse3,sse4.1")]
    #[inline]
    fn ctr_xor_native(&self, counter: &[u8; 16], data: &mut [u8]) {
        let mut counters = Counters::new(counter);
        let mut chunks = data.chunks_exact_mut(16 * LANES);
        for chunk in &mut chunks {
            xor_into(chunk, &self.encrypt(counters.next::<LANES>()));
        }
        let rest = chunks.into_remainder();
        // The blocks that remain run side by side too; a few too many cost less than one after another.
        if rest.len() > 16 * 4 {
            xor_into(rest, &self.encrypt(counters.next::<LANES>()));
        } else if rest.len() > 16 {
            xor_into(rest, &self.encrypt(counters.next::<4>()));
        } else if !rest.is_empty() {
            xor_into(rest, &self.encrypt(counters.next::<1>()));
        }
    }
}

/// The S-box on each byte of a word.
#[target_feature(enable = "aes,ssse3,sse4.1")]
fn substitute(word: u32) -> u32 {
    let words = _mm_set1_epi32(word as i32);
    _mm_extract_epi32::<0>(_mm_aeskeygenassist_si128::<0>(words)) as u32
}

/// Counter blocks, made one after another: the last 32 bits grow.
struct Counters {
    /// The next block, with the order of its bytes turned round so that the counter is the lowest word.
    next: __m128i,
}

impl Counters {
    #[target_feature(enable = "ssse3,sse4.1")]
    #[inline]
    fn new(counter: &[u8; 16]) -> Counters {
        Counters { next: turn(load(counter)) }
    }

    #[target_feature(enable = "ssse3,sse4.1")]
    #[inline]
    fn next<const N: usize>(&mut self) -> [__m128i; N] {
        let one = _mm_set_epi32(0, 0, 0, 1);
        let mut blocks = [self.next; N];
        for block in &mut blocks {
            *block = turn(self.next);
            self.next = _mm_add_epi32(self.next, one);
        }
        blocks
    }
}

/// XORs `data` with as much of `stream` as it needs; `stream` is at least as long.
#[target_feature(enable = "ssse3,sse4.1")]
#[inline]
fn xor_into(data: &mut [u8], stream: &[__m128i]) {
    let (blocks, rest) = data.as_chunks_mut::<16>();
    let whole = blocks.len();
    for (block, key) in blocks.iter_mut().zip(stream) {
        store(block, _mm_xor_si128(load(block), *key));
    }
    if let (false, Some(key)) = (rest.is_empty(), stream.get(whole)) {
        let mut last = [0; 16];
        store(&mut last, *key);
        for (to, from) in rest.iter_mut().zip(last) {
            *to ^= from;
        }
    }
}

#[target_feature(enable = "ssse3,sse4.1")]
#[inline]
fn load(bytes: &[u8; 16]) -> __m128i {
    // SAFETY: the reference is valid for sixteen bytes and the instruction asks for no alignment.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "ssse3,sse4.1")]
#[inline]
fn store(bytes: &mut [u8; 16], value: __m128i) {
    // SAFETY: the reference is valid for sixteen bytes and the instruction asks for no alignment.
    unsafe { _mm_storeu_si128(bytes.as_mut_ptr().cast(), value) }
}

/// Turns the order of the bytes round.
#[target_feature(enable = "ssse3,sse4.1")]
#[inline]
fn turn(value: __m128i) -> __m128i {
    _mm_shuffle_epi8(value, _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
}

/// An expanded AES-GCM key: AES, and H^1 to H^16 in the form that [`Ghash`] multiplies with.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Gcm {
    aes: Aes,
    powers: [Block; POWERS],
}

impl GcmKey for Gcm {
    fn seal(&self, iv: &[u8; 12], aad: AssociatedData<'_>, data: &mut [u8]) -> [u8; 16] {
        // SAFETY: the key was made from a Native, so the features are there.
        unsafe { self.seal_native(iv, aad, data) }
    }

    fn open(&self, iv: &[u8; 12], aad: AssociatedData<'_>, data: &mut [u8], tag: &[u8; 16]) -> bool {
        // SAFETY: the key was made from a Native, so the features are there.
        unsafe { self.open_native(iv, aad, data, tag) }
    }
}

impl Gcm {
    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1")]
    fn seal_native(&self, iv: &[u8; 12], aad: AssociatedData<'_>, data: &mut [u8]) -> [u8; 16] {
        self.aes.ctr_xor_native(&counter(iv, 2), data);
        self.tag(iv, aad, data)
    }

    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1")]
    fn open_native(&self, iv: &[u8; 12], aad: AssociatedData<'_>, data: &mut [u8], tag: &[u8; 16]) -> bool {
        let authentic: bool = self.tag(iv, aad, data).ct_eq(tag).into();
        if authentic {
            self.aes.ctr_xor_native(&counter(iv, 2), data);
        }
        authentic
    }

    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1")]
    #[inline]
    fn tag(&self, iv: &[u8; 12], aad: AssociatedData<'_>, data: &[u8]) -> [u8; 16] {
        let aad_blocks = aad.head.as_chunks::<16>().0;
        let (aad_last, aad_used) = aad.last_blocks();
        let (blocks, rest) = data.as_chunks::<16>();
        let mut last = [[0_u8; 16]; 2];
        last[0][..rest.len()].copy_from_slice(rest);
        let bits = (u128::from(aad.len() as u64 * 8) << 64) | u128::from(data.len() as u64 * 8);
        let from = usize::from(rest.is_empty());
        last[1] = bits.to_be_bytes();

        let total = aad_blocks.len() + aad_used + blocks.len() + 2 - from;
        let mut hash = Ghash::new(&self.powers, total);
        hash.update(aad_blocks);
        hash.update(&aad_last[..aad_used]);
        hash.update(blocks);
        hash.update(&last[from..]);
        let mut mask = counter(iv, 1);
        self.aes.encrypt_one(&mut mask);
        let mut tag = [0; 16];
        store(&mut tag, _mm_xor_si128(turn(hash.state), load(&mask)));
        tag
    }
}

/// GHASH over a known number of blocks: sums of products, reduced once per group.
///
/// Blocks and powers are kept byte-reversed, and H is multiplied by x beforehand, so that the product of reflected polynomials
/// needs no shift (RFC 8452 appendix A relates the two forms).
struct Ghash<'a> {
    powers: &'a [Block; POWERS],
    /// The hash of all whole groups.
    state: __m128i,
    /// The sum of products so far: low, middle and high parts.
    sum: [__m128i; 3],
    /// Blocks that are still to come in this group; the next one meets this power of H.
    left: usize,
    /// Whether the next block is the first of a group, to which the hash so far is added.
    fresh: bool,
}

impl<'a> Ghash<'a> {
    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
    #[inline]
    fn new(powers: &'a [Block; POWERS], blocks: usize) -> Ghash<'a> {
        let zero = _mm_setzero_si128();
        // The first group takes what does not fill whole ones.
        Ghash { powers, state: zero, sum: [zero; 3], left: (blocks + POWERS - 1) % POWERS + 1, fresh: true }
    }

    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
    #[inline]
    fn update(&mut self, mut blocks: &[[u8; 16]]) {
        while !blocks.is_empty() {
            let (now, later) = blocks.split_at(blocks.len().min(self.left));
            self.add(now);
            blocks = later;
            if self.left == 0 {
                self.state = reduce(self.sum);
                self.sum = [_mm_setzero_si128(); 3];
                self.left = POWERS;
                self.fresh = true;
            }
        }
    }

    /// Adds blocks of one group, at most as many as are left of it.
    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
    #[inline]
    fn add(&mut self, blocks: &[[u8; 16]]) {
        let powers: Range<usize> = self.left - blocks.len()..self.left;
        for (block, power) in blocks.iter().zip(self.powers[powers].iter().rev()) {
            let mut block = turn(load(block));
            if self.fresh {
                block = _mm_xor_si128(block, self.state);
                self.fresh = false;
            }
            multiply_add(&mut self.sum, block, load(&power.0));
        }
        self.left -= blocks.len();
    }
}

/// Adds the 256-bit product of two polynomials to a sum in three parts.
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
#[inline]
fn multiply_add(sum: &mut [__m128i; 3], a: __m128i, b: __m128i) {
    let middle = _mm_xor_si128(_mm_clmulepi64_si128::<0x01>(a, b), _mm_clmulepi64_si128::<0x10>(a, b));
    sum[0] = _mm_xor_si128(sum[0], _mm_clmulepi64_si128::<0x00>(a, b));
    sum[1] = _mm_xor_si128(sum[1], middle);
    sum[2] = _mm_xor_si128(sum[2], _mm_clmulepi64_si128::<0x11>(a, b));
}

/// Reduces a sum modulo x^128 + x^127 + x^126 + x^121 + 1, divided by x^128 (RFC 8452 section 3).
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
#[inline]
fn reduce(sum: [__m128i; 3]) -> __m128i {
    let polynomial = _mm_set_epi64x(0, 0xc200_0000_0000_0000_u64 as i64);
    let mut low = _mm_xor_si128(sum[0], _mm_slli_si128::<8>(sum[1]));
    let high = _mm_xor_si128(sum[2], _mm_srli_si128::<8>(sum[1]));
    for _ in 0..2 {
        let folded = _mm_clmulepi64_si128::<0x00>(low, polynomial);
        low = _mm_xor_si128(_mm_shuffle_epi32::<0x4e>(low), folded);
    }
    _mm_xor_si128(low, high)
}

/// H^1 to H^16 for [`Ghash`].
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn powers_of(hash_key: [u8; 16]) -> [Block; POWERS] {
    let key = u128::from_be_bytes(hash_key);
    // Times x, in the reflected field: shift, and add the polynomial if a bit fell out, without a branch.
    let carry = 0_u128.wrapping_sub(key >> 127);
    let key = (key << 1) ^ (carry & 0xc200_0000_0000_0000_0000_0000_0000_0001);
    let mut powers = [Block::default(); POWERS];
    powers[0] = Block(key.to_le_bytes());
    for at in 1..POWERS {
        let mut sum = [_mm_setzero_si128(); 3];
        multiply_add(&mut sum, load(&powers[at - 1].0), load(&powers[0].0));
        store(&mut powers[at].0, reduce(sum));
    }
    powers
}
