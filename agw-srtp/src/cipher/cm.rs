//! AES counter mode with HMAC-SHA1 (RFC 3711 sections 4.1.1 and 4.2, RFC 6188), and the framing that f8 shares with it.
//!
//! ```text
//! SRTP   | header | payload | MKI | tag |            tag over header, payload and ROC
//! SRTCP  | 8 octets | rest | E + index | MKI | tag |  tag over all before the MKI
//! ```

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::auth::HmacKey;
use super::{AesKey, Engine, Frame};
use crate::job::Kind;
use crate::kdf::Derived;

/// Session keys for counter mode.
pub(crate) struct CounterMode<A> {
    aes: A,
    auth: HmacKey,
    salt: Salt,
}

/// A session salt.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Salt([u8; 14]);

impl<A: AesKey> CounterMode<A> {
    pub(super) fn new<E: Engine<Aes = A>>(engine: E, derived: &Derived) -> CounterMode<A> {
        CounterMode {
            aes: engine.aes(derived.key()),
            auth: HmacKey::new(&derived.auth),
            salt: Salt(derived.salt),
        }
    }

    pub(super) fn protect(&self, frame: &Frame<'_>, slot: &mut [u8]) -> bool {
        if frame.job.encrypt {
            self.xor(frame, &mut slot[frame.job.encrypted()]);
        }
        append_tag(&self.auth, frame, slot);
        true
    }

    pub(super) fn unprotect(&self, frame: &Frame<'_>, slot: &mut [u8]) -> bool {
        let authentic = check_tag(&self.auth, frame, slot);
        if authentic && frame.job.encrypt {
            self.xor(frame, &mut slot[frame.job.encrypted()]);
        }
        authentic
    }

    fn xor(&self, frame: &Frame<'_>, data: &mut [u8]) {
        self.aes.ctr_xor(&initial_counter(&self.salt.0, frame.job.ssrc(), frame.job.index()), data);
    }
}

/// (salt * 2^16) XOR (SSRC * 2^64) XOR (index * 2^16): RFC 3711 section 4.1.1.
fn initial_counter(salt: &[u8; 14], ssrc: u32, index: u64) -> [u8; 16] {
    let mut counter = [0_u8; 16];
    counter[..14].copy_from_slice(salt);
    for (to, from) in counter[4..8].iter_mut().zip(ssrc.to_be_bytes()) {
        *to ^= from;
    }
    for (to, from) in counter[8..14].iter_mut().zip(&index.to_be_bytes()[2..]) {
        *to ^= from;
    }
    counter
}

/// Writes what follows the payload: the SRTCP word, the MKI and the tag.
pub(super) fn append_tag(auth: &HmacKey, frame: &Frame<'_>, slot: &mut [u8]) {
    let body = frame.job.body_len();
    let roc = frame.roc();
    let (covered, tail) = match frame.job.kind() {
        Kind::Rtp => (body, roc.as_slice()),
        Kind::Rtcp => {
            slot[body..body + 4].copy_from_slice(&frame.srtcp_word());
            (body + 4, [].as_slice())
        }
    };
    let tag_at = covered + frame.mki_len();
    frame.write_mki(&mut slot[covered..tag_at]);
    if frame.tag_len > 0 {
        let digest = auth.digest(&slot[..covered], tail);
        slot[tag_at..tag_at + frame.tag_len].copy_from_slice(&digest[..frame.tag_len]);
    }
}

/// Whether the tag at the end of the packet is right; true for a frame that has none.
pub(super) fn check_tag(auth: &HmacKey, frame: &Frame<'_>, slot: &[u8]) -> bool {
    if frame.tag_len == 0 {
        return true;
    }
    let tag_at = frame.job.wire_len() - frame.tag_len;
    let tag = &slot[tag_at..frame.job.wire_len()];
    let covered = &slot[..tag_at - frame.mki_len()];
    match frame.job.kind() {
        Kind::Rtp => auth.verify(covered, &frame.roc(), tag),
        Kind::Rtcp => auth.verify(covered, &[], tag),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::hex;

    #[test]
    fn the_counter_is_formed_as_the_figure_of_rfc_6188_shows() {
        let counter = initial_counter(&[0; 14], 0x0102_0304, 0x1122_3344_5566);
        assert_eq!(counter.as_slice(), hex("00000000010203041122334455660000"));
        let mut salt = [0; 14];
        salt.copy_from_slice(&hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"));
        assert_eq!(initial_counter(&salt, 0, 0).as_slice(), hex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000"));
    }
}
