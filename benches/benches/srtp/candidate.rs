//! What stands in a row of the SRTP table. The bare primitives of aws-lc-rs and OpenSSL do only the cipher and the tag, with keys
//! and contexts reused: no parsing, no index, no replay window. They are the floor that a real implementation is held against.

use agw_srtp::Suite;
use aws_lc_rs::{aead, cipher, hmac};
use benches::packet::{HEADER_BYTES, Packet};
use openssl::cipher::Cipher;
use openssl::cipher_ctx::CipherCtx;
use openssl::sha::Sha1;

/// Protects and unprotects blocks of packets.
pub(crate) trait Candidate {
    /// The name in the table.
    fn name(&self) -> &'static str;
    /// Writes the next packet of the stream, outside the timed part.
    fn write(&mut self, packet: &mut Packet, bytes: usize);
    /// Protects every packet in place.
    fn protect(&mut self, packets: &mut [Packet]);
    /// Unprotects every packet in place; panics when one does not verify, for then the table would be a lie.
    fn unprotect(&mut self, packets: &mut [Packet]);
}

const MASTER: [u8; 64] = {
    let mut bytes = [0; 64];
    let mut i = 0;
    while i < bytes.len() {
        bytes[i] = (i as u8).wrapping_mul(7) + 1;
        i += 1;
    }
    bytes
};
const GCM_TAG_BYTES: usize = 16;

/// The session key length of a suite's cipher.
fn key_bytes(suite: Suite) -> usize {
    suite.master_key_len()
}

fn initialisation_vector(packet: &Packet) -> [u8; 16] {
    let mut vector = [0x5a; 16];
    for (at, byte) in vector[4..12].iter_mut().zip(&packet.bytes[2..10]) {
        *at ^= byte;
    }
    vector[14..].fill(0);
    vector
}

/// Whether the suite is AES in counter mode with HMAC-SHA1, and if so how long its tag is.
pub(crate) fn counter_mode_tag(suite: Suite) -> Option<usize> {
    match suite {
        Suite::AeadAes128Gcm | Suite::AeadAes256Gcm | Suite::F8_128HmacSha1_80 => None,
        _ => Some(suite.rtp_tag_len()),
    }
}

/// aws-lc-rs: CTR and HMAC-SHA1.
pub(crate) struct AwsCounter {
    encrypting: cipher::EncryptingKey,
    mac: hmac::Key,
    tag_bytes: usize,
    number: u64,
}

impl AwsCounter {
    /// `None` for suites that aws-lc-rs has no CTR for.
    pub(crate) fn new(suite: Suite) -> Option<Self> {
        let algorithm = match key_bytes(suite) {
            16 => &cipher::AES_128,
            24 => &cipher::AES_192,
            _ => &cipher::AES_256,
        };
        let tag_bytes = counter_mode_tag(suite)?;
        let key = cipher::UnboundCipherKey::new(algorithm, &MASTER[..key_bytes(suite)]).ok()?;
        let encrypting = cipher::EncryptingKey::ctr(key).ok()?;
        let mac = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &MASTER[32..52]);
        Some(Self { encrypting, mac, tag_bytes, number: 0 })
    }

    fn crypt(&self, packet: &mut Packet) {
        let vector = initialisation_vector(packet);
        let context = cipher::EncryptionContext::Iv128((&vector).into());
        let payload = &mut packet.bytes[HEADER_BYTES..packet.len];
        self.encrypting.less_safe_encrypt(payload, context).expect("CTR takes any length");
    }

    fn tag(&self, packet: &Packet) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.mac);
        context.update(&packet.bytes[..packet.len]);
        context.update(&[0; 4]);
        context.sign()
    }
}

impl Candidate for AwsCounter {
    fn name(&self) -> &'static str {
        "aws-lc-rs"
    }

    fn write(&mut self, packet: &mut Packet, bytes: usize) {
        packet.write_rtp(self.number, bytes);
        self.number += 1;
    }

    fn protect(&mut self, packets: &mut [Packet]) {
        for packet in packets {
            self.crypt(packet);
            let tag = self.tag(packet);
            packet.bytes[packet.len..packet.len + self.tag_bytes]
                .copy_from_slice(&tag.as_ref()[..self.tag_bytes]);
            packet.len += self.tag_bytes;
        }
    }

    fn unprotect(&mut self, packets: &mut [Packet]) {
        for packet in packets {
            packet.len -= self.tag_bytes;
            let tag = self.tag(packet);
            let carried = &packet.bytes[packet.len..packet.len + self.tag_bytes];
            aws_lc_rs::constant_time::verify_slices_are_equal(&tag.as_ref()[..self.tag_bytes], carried)
                .expect("what was protected verifies");
            self.crypt(packet);
        }
    }
}

/// aws-lc-rs: GCM.
pub(crate) struct AwsGcm {
    key: aead::LessSafeKey,
    number: u64,
}

impl AwsGcm {
    /// `None` for suites that are not GCM.
    pub(crate) fn new(suite: Suite) -> Option<Self> {
        let algorithm = match suite {
            Suite::AeadAes128Gcm => &aead::AES_128_GCM,
            Suite::AeadAes256Gcm => &aead::AES_256_GCM,
            _ => return None,
        };
        let key = aead::UnboundKey::new(algorithm, &MASTER[..key_bytes(suite)]).ok()?;
        Some(Self { key: aead::LessSafeKey::new(key), number: 0 })
    }
}

fn nonce(packet: &Packet) -> [u8; 12] {
    let mut nonce = [0x5a; 12];
    nonce.copy_from_slice(&initialisation_vector(packet)[..12]);
    nonce
}

impl Candidate for AwsGcm {
    fn name(&self) -> &'static str {
        "aws-lc-rs"
    }

    fn write(&mut self, packet: &mut Packet, bytes: usize) {
        packet.write_rtp(self.number, bytes);
        self.number += 1;
    }

    fn protect(&mut self, packets: &mut [Packet]) {
        for packet in packets {
            let nonce = aead::Nonce::assume_unique_for_key(nonce(packet));
            let (header, payload) = packet.bytes[..packet.len].split_at_mut(HEADER_BYTES);
            let tag = self
                .key
                .seal_in_place_separate_tag(nonce, aead::Aad::from(&*header), payload)
                .expect("the nonce and the length are right");
            packet.bytes[packet.len..packet.len + GCM_TAG_BYTES].copy_from_slice(tag.as_ref());
            packet.len += GCM_TAG_BYTES;
        }
    }

    fn unprotect(&mut self, packets: &mut [Packet]) {
        for packet in packets {
            let nonce = aead::Nonce::assume_unique_for_key(nonce(packet));
            let (header, sealed) = packet.bytes[..packet.len].split_at_mut(HEADER_BYTES);
            self.key
                .open_in_place(nonce, aead::Aad::from(&*header), sealed)
                .expect("what was protected verifies");
            packet.len -= GCM_TAG_BYTES;
        }
    }
}

/// OpenSSL: EVP's CTR with its context reused, and HMAC-SHA1 from precomputed pads.
pub(crate) struct OpensslCounter {
    context: CipherCtx,
    inner: Sha1,
    outer: Sha1,
    tag_bytes: usize,
    number: u64,
}

impl OpensslCounter {
    /// `None` for suites that are not AES in counter mode.
    pub(crate) fn new(suite: Suite) -> Option<Self> {
        let tag_bytes = counter_mode_tag(suite)?;
        let algorithm = match key_bytes(suite) {
            16 => Cipher::aes_128_ctr(),
            24 => Cipher::aes_192_ctr(),
            _ => Cipher::aes_256_ctr(),
        };
        let mut context = CipherCtx::new().ok()?;
        context.encrypt_init(Some(algorithm), Some(&MASTER[..key_bytes(suite)]), Some(&[0; 16])).ok()?;
        // HMAC by hand (RFC 2104 section 4): OpenSSL 3.0's own takes 1.7 microseconds to start, whatever is reused.
        let padded = |pad: u8| {
            let mut block = [pad; 64];
            block.iter_mut().zip(&MASTER[32..52]).for_each(|(at, key)| *at ^= key);
            let mut digest = Sha1::new();
            digest.update(&block);
            digest
        };
        Some(Self { context, inner: padded(0x36), outer: padded(0x5c), tag_bytes, number: 0 })
    }

    fn crypt(&mut self, packet: &mut Packet) {
        let vector = initialisation_vector(packet);
        self.context.encrypt_init(None, None, Some(&vector)).expect("the vector fits");
        let payload = &mut packet.bytes[HEADER_BYTES..packet.len];
        let bytes = payload.len();
        self.context.cipher_update_inplace(payload, bytes).expect("CTR takes any length");
    }

    fn tag(&self, packet: &Packet) -> [u8; 20] {
        let mut inner = self.inner.clone();
        inner.update(&packet.bytes[..packet.len]);
        inner.update(&[0; 4]);
        let mut outer = self.outer.clone();
        outer.update(&inner.finish());
        outer.finish()
    }
}

impl Candidate for OpensslCounter {
    fn name(&self) -> &'static str {
        "OpenSSL"
    }

    fn write(&mut self, packet: &mut Packet, bytes: usize) {
        packet.write_rtp(self.number, bytes);
        self.number += 1;
    }

    fn protect(&mut self, packets: &mut [Packet]) {
        for packet in packets {
            self.crypt(packet);
            let tag = self.tag(packet);
            packet.bytes[packet.len..packet.len + self.tag_bytes].copy_from_slice(&tag[..self.tag_bytes]);
            packet.len += self.tag_bytes;
        }
    }

    fn unprotect(&mut self, packets: &mut [Packet]) {
        for packet in packets {
            packet.len -= self.tag_bytes;
            let tag = self.tag(packet);
            let carried = &packet.bytes[packet.len..packet.len + self.tag_bytes];
            assert!(openssl::memcmp::eq(&tag[..self.tag_bytes], carried), "what was protected verifies");
            self.crypt(packet);
        }
    }
}

/// OpenSSL's EVP: GCM, contexts reused.
pub(crate) struct OpensslGcm {
    sealing: CipherCtx,
    opening: CipherCtx,
    number: u64,
}

impl OpensslGcm {
    /// `None` for suites that are not GCM.
    pub(crate) fn new(suite: Suite) -> Option<Self> {
        let algorithm = match suite {
            Suite::AeadAes128Gcm => Cipher::aes_128_gcm(),
            Suite::AeadAes256Gcm => Cipher::aes_256_gcm(),
            _ => return None,
        };
        let key = &MASTER[..key_bytes(suite)];
        let mut sealing = CipherCtx::new().ok()?;
        sealing.encrypt_init(Some(algorithm), Some(key), Some(&[0; 12])).ok()?;
        let mut opening = CipherCtx::new().ok()?;
        opening.decrypt_init(Some(algorithm), Some(key), Some(&[0; 12])).ok()?;
        Some(Self { sealing, opening, number: 0 })
    }
}

impl Candidate for OpensslGcm {
    fn name(&self) -> &'static str {
        "OpenSSL"
    }

    fn write(&mut self, packet: &mut Packet, bytes: usize) {
        packet.write_rtp(self.number, bytes);
        self.number += 1;
    }

    fn protect(&mut self, packets: &mut [Packet]) {
        for packet in packets {
            let nonce = nonce(packet);
            let (header, rest) = packet.bytes.split_at_mut(HEADER_BYTES);
            let bytes = packet.len - HEADER_BYTES;
            let (payload, after) = rest.split_at_mut(bytes);
            self.sealing.encrypt_init(None, None, Some(&nonce)).expect("the nonce fits");
            self.sealing.cipher_update(header, None).expect("any header");
            self.sealing.cipher_update_inplace(payload, bytes).expect("any length");
            self.sealing.cipher_final(&mut []).expect("nothing is left");
            self.sealing.tag(&mut after[..GCM_TAG_BYTES]).expect("the tag fits");
            packet.len += GCM_TAG_BYTES;
        }
    }

    fn unprotect(&mut self, packets: &mut [Packet]) {
        for packet in packets {
            packet.len -= GCM_TAG_BYTES;
            let nonce = nonce(packet);
            let (header, rest) = packet.bytes.split_at_mut(HEADER_BYTES);
            let bytes = packet.len - HEADER_BYTES;
            let (payload, after) = rest.split_at_mut(bytes);
            self.opening.decrypt_init(None, None, Some(&nonce)).expect("the nonce fits");
            self.opening.set_tag(&after[..GCM_TAG_BYTES]).expect("the tag fits");
            self.opening.cipher_update(header, None).expect("any header");
            self.opening.cipher_update_inplace(payload, bytes).expect("any length");
            self.opening.cipher_final(&mut []).expect("what was protected verifies");
        }
    }
}
