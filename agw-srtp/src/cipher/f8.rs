//! AES in f8 mode with HMAC-SHA1 (RFC 3711 section 4.1.2). The packet's own header makes the IV, and each block of the
//! key stream feeds the next one, so that nothing can run in parallel; framing and tags are those of counter mode.

use super::auth::HmacKey;
use super::{AesKey, Engine, Frame, cm};
use crate::job::Kind;
use crate::kdf::Derived;
use zeroize::Zeroizing;

/// Session keys for f8.
pub(crate) struct F8<A> {
    aes: A,
    /// Keyed with k_e XOR m, where m is the salt filled up with 0x55.
    masked: A,
    auth: HmacKey,
}

impl<A: AesKey> F8<A> {
    pub(super) fn new<E: Engine<Aes = A>>(engine: E, derived: &Derived) -> F8<A> {
        F8::with_salt(engine, derived, &derived.salt)
    }

    fn with_salt<E: Engine<Aes = A>>(engine: E, derived: &Derived, salt: &[u8]) -> F8<A> {
        let mut mask = Zeroizing::new([0x55_u8; 32]);
        mask[..salt.len()].copy_from_slice(salt);
        for (to, from) in mask.iter_mut().zip(derived.key()) {
            *to ^= from;
        }
        F8 {
            aes: engine.aes(derived.key()),
            masked: engine.aes(&mask[..derived.key().len()]),
            auth: HmacKey::new(&derived.auth),
        }
    }

    pub(super) fn protect(&self, frame: &Frame<'_>, slot: &mut [u8]) -> bool {
        if frame.job.encrypt {
            self.xor(&initial_vector(frame, slot), &mut slot[frame.job.encrypted()]);
        }
        cm::append_tag(&self.auth, frame, slot);
        true
    }

    pub(super) fn unprotect(&self, frame: &Frame<'_>, slot: &mut [u8]) -> bool {
        let authentic = cm::check_tag(&self.auth, frame, slot);
        if authentic && frame.job.encrypt {
            self.xor(&initial_vector(frame, slot), &mut slot[frame.job.encrypted()]);
        }
        authentic
    }

    /// S(j) = E(k_e, IV' XOR j XOR S(j-1)), IV' = E(k_e XOR m, IV): section 4.1.2.1.
    fn xor(&self, initial_vector: &[u8; 16], data: &mut [u8]) {
        let mut masked = *initial_vector;
        self.masked.encrypt_block(&mut masked);
        let masked = u128::from_be_bytes(masked);
        let mut stream = [0_u8; 16];
        for (number, block) in data.chunks_mut(16).enumerate() {
            stream = (masked ^ number as u128 ^ u128::from_be_bytes(stream)).to_be_bytes();
            self.aes.encrypt_block(&mut stream);
            for (to, from) in block.iter_mut().zip(stream) {
                *to ^= from;
            }
        }
    }
}

/// Sections 4.1.2.2 and 4.1.2.3: the header as it is sent, with the ROC or the SRTCP word.
fn initial_vector(frame: &Frame<'_>, slot: &[u8]) -> [u8; 16] {
    let mut vector = [0_u8; 16];
    match frame.job.kind() {
        Kind::Rtp => {
            vector[1..12].copy_from_slice(&slot[1..12]);
            vector[12..].copy_from_slice(&frame.roc());
        }
        Kind::Rtcp => {
            vector[4..8].copy_from_slice(&frame.srtcp_word());
            vector[8..].copy_from_slice(&slot[..8]);
        }
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::portable::Portable;
    use crate::vectors::hex;

    fn check_vector<E: Engine>(engine: E) {
        let derived = Derived::from_session_keys(&hex("234829008467be186c3de14aae72d62c"), [0; 20], &[]);
        // The vector has a salt of four octets.
        let keys = F8::with_salt(engine, &derived, &hex("32f2870d"));
        let header = hex("806e5cba50681de55c621599");
        let mut vector = [0; 16];
        vector[1..12].copy_from_slice(&header[1..]);
        vector[12..].copy_from_slice(&hex("d462564a"));
        let mut data = *b"pseudorandomness is the next best thing";
        keys.xor(&vector, &mut data);
        let expected = hex("019ce7a26e7854014a6366aa95d4eefd1ad4172a14f9faf455b7f1d4b62bd08f562c0eef7c4802");
        assert_eq!(data.as_slice(), expected);
    }

    /// RFC 3711 appendix B.1.
    #[test]
    fn the_f8_vector_of_rfc_3711_holds() {
        check_vector(Portable);
        #[cfg(target_arch = "x86_64")]
        if let Some(native) = crate::cipher::x86::Native::detect() {
            check_vector(native);
        }
    }
}
