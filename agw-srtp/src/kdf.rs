//! The key derivation: from a master key to the session keys of one kind of packet and one epoch.
//!
//! RFC 3711 section 4.3 with AES in counter mode as its pseudo-random function (4.3.3), RFC 6188 section 3 for longer
//! keys, RFC 7714 section 11 for GCM. An epoch is "index DIV key_derivation_rate"; without a rate there is one.

use zeroize::{Zeroize, Zeroizing};

use crate::cipher::AesKey;
use crate::job::Kind;
use crate::keys::MAX_MASTER_KEY_BYTES;

/// HMAC-SHA1 keys have 160 bits (RFC 3711 section 5.2).
pub(crate) const AUTH_KEY_BYTES: usize = 20;

/// The labels of RFC 3711 sections 4.3.1 and 4.3.2; those of RTCP are three higher.
#[derive(Clone, Copy)]
enum Label {
    Encryption = 0,
    Authentication = 1,
    Salt = 2,
}

/// The session keys of one kind of packet, as the derivation gives them.
#[derive(Zeroize, zeroize::ZeroizeOnDrop)]
pub(crate) struct Derived {
    key: [u8; MAX_MASTER_KEY_BYTES],
    key_len: usize,
    /// HMAC key.
    pub(crate) auth: [u8; AUTH_KEY_BYTES],
    /// Session salt, zero-padded on the right for GCM, whose salt has 12 bytes.
    pub(crate) salt: [u8; 14],
}

impl Derived {
    /// The session encryption key.
    pub(crate) fn key(&self) -> &[u8] {
        &self.key[..self.key_len]
    }

    #[cfg(test)]
    pub(crate) fn from_session_keys(key: &[u8], auth: [u8; AUTH_KEY_BYTES], salt: &[u8]) -> Derived {
        let mut derived = Derived { key: [0; 32], key_len: key.len(), auth, salt: [0; 14] };
        derived.key[..key.len()].copy_from_slice(key);
        derived.salt[..salt.len()].copy_from_slice(salt);
        derived
    }
}

/// Derives the session keys under `master`, the master key ready as a block cipher.
///
/// A salt shorter than 112 bits is padded with zeros on its right, as every implementation of RFC 7714 does.
/// SRTCP uses its index as a 48-bit number (RFC 3711 erratum 3712), so the label always stands in the same octet.
pub(crate) fn derive<A: AesKey>(master: &A, key_len: usize, salt: &[u8], kind: Kind, epoch: u64) -> Derived {
    let mut derived = Derived { key: [0; MAX_MASTER_KEY_BYTES], key_len, auth: [0; 20], salt: [0; 14] };
    let mut input = Zeroizing::new([0_u8; 14]);
    for (to, from) in input.iter_mut().zip(salt) {
        *to = *from;
    }
    for (to, from) in input[8..].iter_mut().zip(&epoch.to_be_bytes()[2..]) {
        *to ^= from;
    }
    prf(master, &input, kind, Label::Encryption, &mut derived.key[..key_len]);
    prf(master, &input, kind, Label::Authentication, &mut derived.auth);
    prf(master, &input, kind, Label::Salt, &mut derived.salt[..salt.len().min(14)]);
    derived
}

fn prf<A: AesKey>(master: &A, input: &[u8; 14], kind: Kind, label: Label, out: &mut [u8]) {
    let mut counter = Zeroizing::new([0_u8; 16]);
    counter[..14].copy_from_slice(input);
    counter[7] ^= label as u8
        + match kind {
            Kind::Rtp => 0,
            Kind::Rtcp => 3,
        };
    out.fill(0);
    master.ctr_xor(&counter, out);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::Engine;
    use crate::cipher::portable::Portable;
    use crate::vectors::hex;

    fn derive_from<E: Engine>(engine: E, key: &str, salt: &str) -> Derived {
        let key = hex(key);
        derive(&engine.aes(&key), key.len(), &hex(salt), Kind::Rtp, 0)
    }

    /// (master key, master salt, cipher key, cipher salt, first 20 octets of the auth key)
    const VECTORS: [[&str; 5]; 3] = [
        // RFC 3711 appendix B.3
        [
            "E1F97A0D3E018BE0D64FA32C06DE4139",
            "0EC675AD498AFEEBB6960B3AABE6",
            "C61E7A93744F39EE10734AFE3FF7A087",
            "30CBBC08863D8C85D49DB34A9AE1",
            "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4",
        ],
        // RFC 6188 section 7.4
        [
            "73edc66c4fa15776fb57f9505c17136550ffda71f3e8e5f1",
            "c8522f3acd4ce86d5add78edbb11",
            "31874736a8f1143870c26e4857d8a5b2c4a354407faadabb",
            "2372b82d639b6d8503a47adc0a6c",
            "355b10973cd95b9eacf4061c7e1a7151e7cfbfcb",
        ],
        // RFC 6188 section 7.2
        [
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6",
            "3b04803de51ee7c96423ab5b78d2",
            "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4",
            "fa31791685ca444a9e07c6c64e93",
            "fd9c32d39ed5fbb5a9dc96b30818454d1313dc05",
        ],
    ];

    fn check_vectors<E: Engine>(engine: E) {
        for [key, salt, cipher_key, cipher_salt, auth_key] in VECTORS {
            let derived = derive_from(engine, key, salt);
            assert_eq!(derived.key(), hex(cipher_key));
            assert_eq!(derived.salt.as_slice(), hex(cipher_salt));
            assert_eq!(derived.auth.as_slice(), hex(auth_key));
        }
    }

    #[test]
    fn the_derivation_vectors_of_rfc_3711_and_6188_hold() {
        check_vectors(Portable);
        #[cfg(target_arch = "x86_64")]
        if let Some(native) = crate::cipher::x86::Native::detect() {
            check_vectors(native);
        }
    }

    /// RFC 3711 appendix B.3 wants 94 octets of authentication key for another function: the whole of them.
    #[test]
    fn the_long_output_of_the_prf_is_that_of_rfc_3711() {
        let master = Portable.aes(&hex("E1F97A0D3E018BE0D64FA32C06DE4139"));
        let mut input = [0; 14];
        input.copy_from_slice(&hex("0EC675AD498AFEEBB6960B3AABE6"));
        let mut out = [0; 94];
        prf(&master, &input, Kind::Rtp, Label::Authentication, &mut out);
        let expected = concat!(
            "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF7227098",
            "6371C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2",
        );
        assert_eq!(out.as_slice(), hex(expected));
    }

    #[test]
    fn another_epoch_and_the_other_kind_give_other_keys() {
        let master = Portable.aes(&[3; 16]);
        let first = derive(&master, 16, &[9; 14], Kind::Rtp, 0);
        assert_ne!(first.key(), derive(&master, 16, &[9; 14], Kind::Rtp, 1).key());
        assert_ne!(first.key(), derive(&master, 16, &[9; 14], Kind::Rtcp, 0).key());
    }
}
