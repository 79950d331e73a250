//! AES, counter mode and GCM with the processor's own instructions: the one file of this crate with `unsafe` in it.
//!
//! RustCrypto reaches these instructions too, but for packets of 100 to 200 bytes it works block by block and keeps
//! GCM's carry-less multiplication out of run-time dispatch. Here eight blocks are in flight with AES-NI, or sixteen where the
//! processor has VAES and VPCLMULQDQ on 512 bits ("wide"); GHASH multiplies up to sixteen blocks by precomputed
//! powers of H before it reduces once (Gueron's aggregated reduction). A value of [`Native`] is the proof that the features
//! are there; every key holds that proof by having been made from one. All of it is compared with `portable`.

#![allow(unsafe_code)]

use std::arch::x86_64::*;

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

/// The engine. Only [`Native::detect`] and [`Native::detect_narrow`] make one.
#[derive(Clone, Copy)]
pub(crate) struct Native {
    /// Whether 512-bit VAES and VPCLMULQDQ are there too.
    wide: bool,
}

impl Native {
    /// The engine, if this processor has what it takes.
    pub(crate) fn detect() -> Option<Native> {
        let wide = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("vaes")
            && is_x86_feature_detected!("vpclmulqdq");
        Self::detect_narrow().map(|_| Native { wide })
    }

    /// The engine without its wide half.
    pub(crate) fn detect_narrow() -> Option<Native> {
        let there = is_x86_feature_detected!("aes")
            && is_x86_feature_detected!("pclmulqdq")
            && is_x86_feature_detected!("ssse3")
            && is_x86_feature_detected!("sse4.1");
        there.then_some(Native { wide: false })
    }
}

impl Engine for Native {
    type Aes = Aes;
    type Gcm = Gcm;

    fn aes(self, key: &[u8]) -> Aes {
        // SAFETY: a value of Native exists only where the features were detected.
        unsafe { Aes::expand(key, self.wide) }
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

/// H^16 down to H^1.
#[derive(Zeroize)]
#[repr(C, align(16))]
struct Powers([[u8; 16]; POWERS]);

/// Sixteen bytes as the registers like them.
#[derive(Clone, Copy, Default, Zeroize)]
#[repr(C, align(16))]
struct Block([u8; 16]);

/// An expanded AES key.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Aes {
    round_keys: [Block; MAX_ROUND_KEYS],
    rounds: u32,
    /// Whether the Native that this key was made from had the wide features.
    wide: bool,
}

impl AesKey for Aes {
    fn encrypt_block(&self, block: &mut [u8; 16]) {
        // SAFETY: the key was made from a Native, so the features are there.
        unsafe { self.encrypt_one(block) }
    }

    fn ctr_xor(&self, counter: &[u8; 16], data: &mut [u8]) {
        if self.wide {
            // SAFETY: `wide` was taken from a Native that had detected the wide features.
            unsafe { self.ctr_xor_wide(counter, data) }
        } else {
            // SAFETY: the key was made from a Native, so the features are there.
            unsafe { self.ctr_xor_narrow(counter, data) }
        }
    }
}

impl Aes {
    /// The key expansion of FIPS 197 section 5.2, word by word; the S-box is the processor's, so no table is looked up.
    #[target_feature(enable = "aes,ssse3,sse4.1")]
    fn expand(key: &[u8], wide: bool) -> Aes {
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
        Aes { round_keys, rounds: rounds as u32, wide }
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
        let [first, middle @ ..] = &self.round_keys[..self.rounds as usize] else { return blocks };
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
        let last = load(&self.round_keys[self.rounds as usize].0);
        for block in &mut blocks {
            *block = _mm_aesenclast_si128(*block, last);
        }
        blocks
    }

    #[target_feature(enable = "aes,ssse3,sse4.1")]
    #[inline]
    fn ctr_xor_narrow(&self, counter: &[u8; 16], data: &mut [u8]) {
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

/// An expanded AES-GCM key: AES, and the powers of H in the form that [`Ghash`] multiplies with.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(crate) struct Gcm {
    aes: Aes,
    powers: Powers,
}

impl GcmKey for Gcm {
    fn seal(&self, iv: &[u8; 12], aad: AssociatedData<'_>, data: &mut [u8]) -> [u8; 16] {
        if self.aes.wide {
            // SAFETY: `wide` was taken from a Native that had detected the wide features.
            unsafe { self.seal_wide(iv, aad, data) }
        } else {
            // SAFETY: the key was made from a Native, so the features are there.
            unsafe { self.seal_narrow(iv, aad, data) }
        }
    }

    fn open(&self, iv: &[u8; 12], aad: AssociatedData<'_>, data: &mut [u8], tag: &[u8; 16]) -> bool {
        if self.aes.wide {
            // SAFETY: `wide` was taken from a Native that had detected the wide features.
            unsafe { self.open_wide(iv, aad, data, tag) }
        } else {
            // SAFETY: the key was made from a Native, so the features are there.
            unsafe { self.open_narrow(iv, aad, data, tag) }
        }
    }
}

impl Gcm {
    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1")]
    fn seal_narrow(&self, iv: &[u8; 12], aad: AssociatedData<'_>, data: &mut [u8]) -> [u8; 16] {
        self.aes.ctr_xor_narrow(&counter(iv, 2), data);
        let mut hash = Ghash::begin(&self.powers.0, aad, data.len());
        hash.update_padded(data);
        self.finish(&mut hash, iv, aad, data.len())
    }

    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1")]
    fn open_narrow(&self, iv: &[u8; 12], aad: AssociatedData<'_>, data: &mut [u8], tag: &[u8; 16]) -> bool {
        let mut hash = Ghash::begin(&self.powers.0, aad, data.len());
        hash.update_padded(data);
        let authentic = same_tag(&self.finish(&mut hash, iv, aad, data.len()), tag);
        if authentic {
            self.aes.ctr_xor_narrow(&counter(iv, 2), data);
        }
        authentic
    }

    /// Adds the block of lengths and masks the hash.
    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1")]
    #[inline]
    fn finish(
        &self,
        hash: &mut Ghash<'_>,
        iv: &[u8; 12],
        aad: AssociatedData<'_>,
        data_len: usize,
    ) -> [u8; 16] {
        let lengths = _mm_set_epi64x(aad.len() as i64 * 8, data_len as i64 * 8);
        hash.add(lengths);
        hash.reduce_if_full();
        let [mask] = self.aes.encrypt([load(&counter(iv, 1))]);
        let mut tag = [0; 16];
        store(&mut tag, _mm_xor_si128(turn(hash.state), mask));
        tag
    }
}

/// Compares tags in constant time, as one number each.
fn same_tag(ours: &[u8; 16], theirs: &[u8; 16]) -> bool {
    u128::from_ne_bytes(*ours).ct_eq(&u128::from_ne_bytes(*theirs)).into()
}

/// GHASH over a known number of blocks: sums of products, reduced once per group.
///
/// Blocks and powers are kept byte-reversed, and H is multiplied by x beforehand, so that the product of reflected polynomials
/// needs no shift (RFC 8452 appendix A relates the two forms).
struct Ghash<'a> {
    powers: &'a [[u8; 16]; POWERS],
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
    /// A hash of associated data; `data_len` bytes and the lengths are still to come.
    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
    #[inline]
    fn begin(powers: &'a [[u8; 16]; POWERS], aad: AssociatedData<'_>, data_len: usize) -> Ghash<'a> {
        let zero = _mm_setzero_si128();
        let whole = aad.head.as_chunks::<16>().0;
        let (last, used) = aad.last_blocks();
        let total = whole.len() + used + data_len.div_ceil(16) + 1;
        // The first group takes what does not fill whole ones.
        let left = (total + POWERS - 1) % POWERS + 1;
        let mut hash = Ghash { powers, state: zero, sum: [zero; 3], left, fresh: true };
        hash.update(whole);
        hash.update(&last[..used]);
        hash
    }

    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
    #[inline]
    fn update(&mut self, mut blocks: &[[u8; 16]]) {
        while !blocks.is_empty() {
            let (now, later) = blocks.split_at(blocks.len().min(self.left));
            for block in now {
                self.add(turn(load(block)));
            }
            self.reduce_if_full();
            blocks = later;
        }
    }

    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
    #[inline]
    fn update_padded(&mut self, data: &[u8]) {
        let (blocks, rest) = data.as_chunks::<16>();
        self.update(blocks);
        if !rest.is_empty() {
            let mut last = [0; 16];
            last[..rest.len()].copy_from_slice(rest);
            self.update(&[last]);
        }
    }

    /// Adds one turned block; the group has room for it.
    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
    #[inline]
    fn add(&mut self, mut block: __m128i) {
        if self.fresh {
            block = _mm_xor_si128(block, self.state);
            self.fresh = false;
        }
        multiply_add(&mut self.sum, block, load(&self.powers[POWERS - self.left]));
        self.left -= 1;
    }

    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
    #[inline]
    fn reduce_if_full(&mut self) {
        if self.left == 0 {
            self.state = reduce(self.sum);
            self.sum = [_mm_setzero_si128(); 3];
            self.left = POWERS;
            self.fresh = true;
        }
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

/// H^16 down to H^1 for [`Ghash`].
#[target_feature(enable = "pclmulqdq,ssse3,sse4.1")]
fn powers_of(hash_key: [u8; 16]) -> Powers {
    let key = u128::from_be_bytes(hash_key);
    // Times x, in the reflected field: shift, and add the polynomial if a bit fell out, without a branch.
    let carry = 0_u128.wrapping_sub(key >> 127);
    let key = (key << 1) ^ (carry & 0xc200_0000_0000_0000_0000_0000_0000_0001);
    let mut powers = [[0; 16]; POWERS];
    powers[POWERS - 1] = key.to_le_bytes();
    for at in (0..POWERS - 1).rev() {
        let mut sum = [_mm_setzero_si128(); 3];
        multiply_add(&mut sum, load(&powers[at + 1]), load(&powers[POWERS - 1]));
        store(&mut powers[at], reduce(sum));
    }
    Powers(powers)
}

// The wide half: four blocks to a register, up to four registers side by side, and masks where data ends.

/// Bytes of a wide register.
const WIDE_BYTES: usize = 64;
/// Wide registers in flight.
const WIDE_LANES: usize = 4;

impl Aes {
    /// Encrypts `N` times four blocks side by side.
    #[target_feature(enable = "aes,ssse3,sse4.1,avx512f,avx512bw,vaes")]
    #[inline]
    fn encrypt_wide<const N: usize>(&self, mut blocks: [__m512i; N]) -> [__m512i; N] {
        let [first, middle @ ..] = &self.round_keys[..self.rounds as usize] else { return blocks };
        let first = _mm512_broadcast_i32x4(load(&first.0));
        for block in &mut blocks {
            *block = _mm512_xor_si512(*block, first);
        }
        for key in middle {
            let key = _mm512_broadcast_i32x4(load(&key.0));
            for block in &mut blocks {
                *block = _mm512_aesenc_epi128(*block, key);
            }
        }
        let last = _mm512_broadcast_i32x4(load(&self.round_keys[self.rounds as usize].0));
        for block in &mut blocks {
            *block = _mm512_aesenclast_epi128(*block, last);
        }
        blocks
    }

    #[target_feature(enable = "aes,ssse3,sse4.1,avx512f,avx512bw,vaes")]
    #[inline]
    fn ctr_xor_wide(&self, counter: &[u8; 16], data: &mut [u8]) {
        let mut counters = WideCounters::new(counter);
        for part in data.chunks_mut(WIDE_BYTES * WIDE_LANES) {
            match part.len().div_ceil(WIDE_BYTES) {
                1 => _ = self.xor_part::<1>(&mut counters, part),
                2 => _ = self.xor_part::<2>(&mut counters, part),
                3 => _ = self.xor_part::<3>(&mut counters, part),
                _ => _ = self.xor_part::<4>(&mut counters, part),
            }
        }
    }

    /// XORs at most `N` registers of data with the next key stream and returns the result, zero behind the data's end.
    #[target_feature(enable = "aes,ssse3,sse4.1,avx512f,avx512bw,vaes")]
    #[inline]
    fn xor_part<const N: usize>(&self, counters: &mut WideCounters, data: &mut [u8]) -> [__m512i; N] {
        let mut result = self.encrypt_wide(counters.next_wide::<N>());
        counters.skip(data.len().div_ceil(16));
        for (at, value) in result.iter_mut().enumerate() {
            let chunk = data.get_mut(at * WIDE_BYTES..).unwrap_or_default();
            let mask = byte_mask(chunk.len());
            *value = _mm512_maskz_mov_epi8(mask, _mm512_xor_si512(load_masked(chunk), *value));
            // SAFETY: the mask has a bit only for bytes that `chunk` holds, and others are not written.
            unsafe { _mm512_mask_storeu_epi8(chunk.as_mut_ptr().cast(), mask, *value) };
        }
        result
    }
}

/// A bit for each of the first `len` bytes of a register.
fn byte_mask(len: usize) -> u64 {
    if len >= WIDE_BYTES { u64::MAX } else { (1 << len) - 1 }
}

/// The first bytes of `data`, zero behind its end.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn load_masked(data: &[u8]) -> __m512i {
    // SAFETY: the mask has a bit only for bytes that `data` holds, and others are not read.
    unsafe { _mm512_maskz_loadu_epi8(byte_mask(data.len()), data.as_ptr().cast()) }
}

/// Turns the order of the bytes round in each block.
#[target_feature(enable = "ssse3,sse4.1,avx512f,avx512bw")]
#[inline]
fn turn_wide(value: __m512i) -> __m512i {
    let order = _mm_set_epi8(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    _mm512_shuffle_epi8(value, _mm512_broadcast_i32x4(order))
}

/// Counter blocks, four to a register.
struct WideCounters {
    /// The next four blocks, bytes turned round.
    next: __m512i,
}

impl WideCounters {
    #[target_feature(enable = "ssse3,sse4.1,avx512f,avx512bw")]
    #[inline]
    fn new(counter: &[u8; 16]) -> WideCounters {
        let steps = _mm512_set_epi32(0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0);
        WideCounters { next: _mm512_add_epi32(_mm512_broadcast_i32x4(turn(load(counter))), steps) }
    }

    /// The next blocks; [`WideCounters::skip`] says afterwards how many were used.
    #[target_feature(enable = "ssse3,sse4.1,avx512f,avx512bw")]
    #[inline]
    fn next_wide<const N: usize>(&self) -> [__m512i; N] {
        let mut blocks = [self.next; N];
        for (at, block) in blocks.iter_mut().enumerate() {
            *block = turn_wide(_mm512_add_epi32(self.next, steps_of(4 * at)));
        }
        blocks
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn skip(&mut self, blocks: usize) {
        self.next = _mm512_add_epi32(self.next, steps_of(blocks));
    }
}

/// A step of so many blocks for each of four counters.
#[target_feature(enable = "avx512f")]
#[inline]
fn steps_of(blocks: usize) -> __m512i {
    _mm512_broadcast_i32x4(_mm_set_epi32(0, 0, 0, blocks as i32))
}

impl Gcm {
    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1,avx512f,avx512bw,vaes,vpclmulqdq")]
    fn seal_wide(&self, iv: &[u8; 12], aad: AssociatedData<'_>, data: &mut [u8]) -> [u8; 16] {
        let mut hash = Ghash::begin(&self.powers.0, aad, data.len());
        let mut counters = WideCounters::new(&counter(iv, 2));
        let data_len = data.len();
        let mut rest = data;
        while !rest.is_empty() {
            let (part, later) = rest.split_at_mut(rest.len().min(hash.left * 16));
            let blocks = part.len().div_ceil(16);
            match part.len().div_ceil(WIDE_BYTES) {
                1 => hash.add_wide(&self.aes.xor_part::<1>(&mut counters, part), blocks),
                2 => hash.add_wide(&self.aes.xor_part::<2>(&mut counters, part), blocks),
                3 => hash.add_wide(&self.aes.xor_part::<3>(&mut counters, part), blocks),
                _ => hash.add_wide(&self.aes.xor_part::<4>(&mut counters, part), blocks),
            }
            rest = later;
        }
        self.finish(&mut hash, iv, aad, data_len)
    }

    #[target_feature(enable = "aes,pclmulqdq,ssse3,sse4.1,avx512f,avx512bw,vaes,vpclmulqdq")]
    fn open_wide(&self, iv: &[u8; 12], aad: AssociatedData<'_>, data: &mut [u8], tag: &[u8; 16]) -> bool {
        let mut hash = Ghash::begin(&self.powers.0, aad, data.len());
        let mut rest = &*data;
        while !rest.is_empty() {
            let (part, later) = rest.split_at(rest.len().min(hash.left * 16));
            let blocks = part.len().div_ceil(16);
            match part.len().div_ceil(WIDE_BYTES) {
                1 => hash.add_wide(&load_part::<1>(part), blocks),
                2 => hash.add_wide(&load_part::<2>(part), blocks),
                3 => hash.add_wide(&load_part::<3>(part), blocks),
                _ => hash.add_wide(&load_part::<4>(part), blocks),
            }
            rest = later;
        }
        let authentic = same_tag(&self.finish(&mut hash, iv, aad, data.len()), tag);
        if authentic {
            self.aes.ctr_xor_wide(&counter(iv, 2), data);
        }
        authentic
    }
}

/// `N` registers of data, zero behind its end.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn load_part<const N: usize>(data: &[u8]) -> [__m512i; N] {
    let mut values = [_mm512_setzero_si512(); N];
    for (at, value) in values.iter_mut().enumerate() {
        *value = load_masked(data.get(at * WIDE_BYTES..).unwrap_or_default());
    }
    values
}

impl Ghash<'_> {
    /// Adds `blocks` blocks, which the group has room for; what lies behind them in the registers is zero.
    #[target_feature(enable = "pclmulqdq,ssse3,sse4.1,avx512f,avx512bw,vpclmulqdq")]
    #[inline]
    fn add_wide(&mut self, values: &[__m512i], blocks: usize) {
        let mut sum = [_mm512_setzero_si512(); 3];
        // No more powers than blocks: the ones behind them do not exist.
        let mut powers = self.powers[POWERS - self.left..][..blocks].as_flattened();
        for value in values {
            let mut value = turn_wide(*value);
            if self.fresh {
                value = _mm512_xor_si512(value, _mm512_zextsi128_si512(self.state));
                self.fresh = false;
            }
            multiply_add_wide(&mut sum, value, load_masked(powers));
            powers = powers.get(WIDE_BYTES..).unwrap_or_default();
        }
        for (to, from) in self.sum.iter_mut().zip(sum) {
            *to = _mm_xor_si128(*to, fold(from));
        }
        self.left -= blocks;
        self.reduce_if_full();
    }
}

/// Adds four 256-bit products of polynomials to four sums, each in three parts.
#[target_feature(enable = "avx512f,vpclmulqdq")]
#[inline]
fn multiply_add_wide(sum: &mut [__m512i; 3], a: __m512i, b: __m512i) {
    let middle =
        _mm512_xor_si512(_mm512_clmulepi64_epi128::<0x01>(a, b), _mm512_clmulepi64_epi128::<0x10>(a, b));
    sum[0] = _mm512_xor_si512(sum[0], _mm512_clmulepi64_epi128::<0x00>(a, b));
    sum[1] = _mm512_xor_si512(sum[1], middle);
    sum[2] = _mm512_xor_si512(sum[2], _mm512_clmulepi64_epi128::<0x11>(a, b));
}

/// The sum of the four quarters of a register.
#[target_feature(enable = "ssse3,avx512f")]
#[inline]
fn fold(value: __m512i) -> __m128i {
    let half = _mm256_xor_si256(_mm512_castsi512_si256(value), _mm512_extracti64x4_epi64::<1>(value));
    _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256::<1>(half))
}
