//! AES-GCM for SRTP and SRTCP (RFC 7714): what is associated data, what is encrypted, and where the tag stands.
//!
//! ```text
//! SRTP   | header | cipher | tag | MKI |               associated data: header
//! SRTCP  | 8 octets | cipher | tag | E + index | MKI |  associated data: 8 octets, E + index
//! SRTCP, not encrypted: all before the tag, then E + index, is associated data
//! ```

use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{AssociatedData, Engine, Frame, GcmKey};
use crate::job::Kind;
use crate::kdf::Derived;

const TAG_BYTES: usize = 16;

/// Session keys for GCM.
pub(crate) struct Gcm<G> {
    gcm: G,
    salt: Salt,
}

/// A session salt.
#[derive(Zeroize, ZeroizeOnDrop)]
struct Salt([u8; 12]);

impl<G: GcmKey> Gcm<G> {
    pub(super) fn new<E: Engine<Gcm = G>>(engine: E, derived: &Derived) -> Gcm<G> {
        let mut salt = [0; 12];
        salt.copy_from_slice(&derived.salt[..12]);
        Gcm { gcm: engine.gcm(derived.key()), salt: Salt(salt) }
    }

    pub(super) fn protect(&self, frame: &Frame<'_>, slot: &mut [u8]) -> bool {
        let iv = self.initial_vector(frame);
        let word = frame.srtcp_word();
        let body = frame.job.body_len();
        let (aad, data) = split(frame, &mut slot[..body], &word);
        let tag = self.gcm.seal(&iv, aad, data);
        let mut end = body + TAG_BYTES;
        slot[body..end].copy_from_slice(&tag);
        if frame.job.kind() == Kind::Rtcp {
            slot[end..end + 4].copy_from_slice(&word);
            end += 4;
        }
        frame.write_mki(&mut slot[end..end + frame.mki_len()]);
        true
    }

    pub(super) fn unprotect(&self, frame: &Frame<'_>, slot: &mut [u8]) -> bool {
        let iv = self.initial_vector(frame);
        let word = frame.srtcp_word();
        let (packet, trailer) = slot.split_at_mut(frame.job.body_len());
        let Some(tag) = trailer.first_chunk::<TAG_BYTES>() else { return false };
        let (aad, data) = split(frame, packet, &word);
        self.gcm.open(&iv, aad, data, tag)
    }

    /// (two zero octets, SSRC, 48-bit index) XOR salt: sections 8.1 and 9.1.
    fn initial_vector(&self, frame: &Frame<'_>) -> [u8; 12] {
        let mut vector = self.salt.0;
        for (to, from) in vector[2..6].iter_mut().zip(frame.job.ssrc().to_be_bytes()) {
            *to ^= from;
        }
        for (to, from) in vector[6..].iter_mut().zip(&frame.job.index().to_be_bytes()[2..]) {
            *to ^= from;
        }
        vector
    }
}

/// Parts a packet without its trailer into associated data and the range to encrypt.
fn split<'a>(
    frame: &Frame<'_>,
    packet: &'a mut [u8],
    word: &'a [u8; 4],
) -> (AssociatedData<'a>, &'a mut [u8]) {
    let clear_len = if frame.job.encrypt { frame.job.encrypted().start } else { packet.len() };
    let (head, data) = packet.split_at_mut(clear_len);
    let tail = match frame.job.kind() {
        Kind::Rtp => &[],
        Kind::Rtcp => word.as_slice(),
    };
    (AssociatedData { head, tail }, data)
}
