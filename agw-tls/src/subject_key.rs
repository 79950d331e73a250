//! The public key of a certificate, and nothing else of it. A peer is judged by its fingerprint and by its proof of possessing this key
//! (RFC 8122 section 5), so names, dates, extensions and version are passed over unread: certificates of version 1 are as
//! good as any, which is why this is not left to a library that validates. Nothing here allocates, and every step goes forward.
//!
//! ```text
//! Certificate ::= SEQUENCE {                              RFC 5280 section 4.1
//!     tbsCertificate SEQUENCE {
//!         version [0] OPTIONAL, serialNumber INTEGER, signature SEQUENCE, issuer SEQUENCE, validity SEQUENCE, subject SEQUENCE,
//!         subjectPublicKeyInfo SEQUENCE { algorithm SEQUENCE, subjectPublicKey BIT STRING }, ... },
//!     signatureAlgorithm SEQUENCE, signature BIT STRING }
//! ```

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// The key that a certificate is about, as slices of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SubjectKey<'a> {
    /// The AlgorithmIdentifier without its tag and length.
    pub algorithm: &'a [u8],
    /// The key itself, its form as `algorithm` has it.
    pub key: &'a [u8],
}

impl<'a> SubjectKey<'a> {
    /// Finds it in a certificate in DER form. `None` if that is no certificate, or more than one.
    pub fn of(certificate: &'a [u8]) -> Option<Self> {
        let (certificate, nothing) = element(SEQUENCE, certificate)?;
        let (tbs, rest) = element(SEQUENCE, certificate)?;
        let (_, rest) = element(SEQUENCE, rest)?;
        let (_, nothing_more) = element(BIT_STRING, rest)?;
        if !nothing.is_empty() || !nothing_more.is_empty() {
            return None;
        }

        let tbs = element(VERSION, tbs).map_or(tbs, |(_, rest)| rest);
        let (_serial_number, mut rest) = element(INTEGER, tbs)?;
        for _signature_issuer_validity_subject in 0..4 {
            (_, rest) = element(SEQUENCE, rest)?;
        }
        let (info, _) = element(SEQUENCE, rest)?;
        let (algorithm, rest) = element(SEQUENCE, info)?;
        let (bits, nothing) = element(BIT_STRING, rest)?;
        let (&unused_bits, key) = bits.split_first()?;
        (nothing.is_empty() && unused_bits == 0).then_some(Self { algorithm, key })
    }

    /// Bits of the modulus, if it is that of an RSA key (RFC 8017 appendix A.1.1).
    pub fn rsa_bits(&self) -> Option<usize> {
        let (numbers, _) = element(SEQUENCE, self.key)?;
        let (modulus, _) = element(INTEGER, numbers)?;
        let zeros = modulus.iter().take_while(|&&octet| octet == 0).count();
        let first = modulus.get(zeros)?;
        Some(8 * (modulus.len() - zeros) - first.leading_zeros() as usize)
    }
}

/// The contents of the element with this tag at the start of `input`, and what follows it. Lengths are definite, as DER wants them.
fn element(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&[found, length], rest) = input.split_first_chunk()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x83 => {
            let (octets, rest) = rest.split_at_checked(usize::from(length - 0x80))?;
            (octets.iter().fold(0, |length, &octet| length << 8 | usize::from(octet)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Identity;

    #[test]
    fn every_truncation_and_every_addition_is_refused() {
        let identity = Identity::generate().unwrap();
        let whole = identity.certificate();
        let key = SubjectKey::of(whole).unwrap();
        assert_eq!(key.key.len(), 65);
        assert_eq!(key.key[0], 4);
        for end in 0..whole.len() {
            assert_eq!(SubjectKey::of(&whole[..end]), None);
        }
        assert_eq!(SubjectKey::of(&[whole, &[0]].concat()), None);
    }

    #[test]
    fn lengths_that_der_does_not_have_are_refused() {
        assert_eq!(element(SEQUENCE, &[SEQUENCE, 0x80, 0, 0]), None);
        assert_eq!(element(SEQUENCE, &[SEQUENCE, 0x84, 0, 0, 0, 0]), None);
        assert_eq!(element(SEQUENCE, &[SEQUENCE, 0xff]), None);
        assert_eq!(element(SEQUENCE, &[SEQUENCE, 0x81, 1, 7, 8]), Some((&[7][..], &[8][..])));
    }

    #[test]
    fn the_size_of_an_rsa_key_is_that_of_its_modulus() {
        let of = |key: &'static [u8]| SubjectKey { algorithm: &[], key }.rsa_bits();
        assert_eq!(of(&[0x30, 7, 2, 2, 0, 0x81, 2, 1, 3]), Some(8));
        assert_eq!(of(&[0x30, 6, 2, 1, 0x01, 2, 1, 3]), Some(1));
        assert_eq!(of(&[0x30, 6, 2, 1, 0x00, 2, 1, 3]), None);
        assert_eq!(of(&[4, 0]), None);
    }
}
