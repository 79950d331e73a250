//! Whether a certificate is the one that was promised (RFC 8122 sections 5 and 5.1; TLS-2, TLS-3).

use crate::failure::TlsFailure;
use crate::fingerprint::{Fingerprint, HashFunction};

/// Judges a certificate in DER form: among the signalled fingerprints those with the strongest hash function that is known and allowed decide,
/// and they are alternatives (RFC 8122 section 5.1). All of them are compared, each in constant time.
///
/// # Errors
/// [`TlsFailure::FingerprintMissing`] if none was signalled, [`TlsFailure::FingerprintHash`] if none has an allowed hash function,
/// [`TlsFailure::FingerprintMismatch`] if none of those that decide is that of the certificate.
pub fn judge(
    certificate: &[u8],
    signalled: &[Fingerprint],
    allowed: &[HashFunction],
) -> Result<(), TlsFailure> {
    if signalled.is_empty() {
        return Err(TlsFailure::FingerprintMissing);
    }
    let hashes = signalled.iter().map(Fingerprint::hash).filter(|hash| allowed.contains(hash));
    let strongest = hashes.max().ok_or(TlsFailure::FingerprintHash)?;
    let deciding = signalled.iter().filter(|fingerprint| fingerprint.hash() == strongest);
    let matched = deciding.fold(false, |matched, fingerprint| matched | fingerprint.matches(certificate));
    if matched { Ok(()) } else { Err(TlsFailure::FingerprintMismatch) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use HashFunction::{Sha1, Sha256, Sha384, Sha512};

    const ALL: &[HashFunction] = &HashFunction::ALL;

    fn ours(hash: HashFunction) -> Fingerprint {
        Fingerprint::of(hash, b"ours")
    }

    fn foreign(hash: HashFunction) -> Fingerprint {
        Fingerprint::of(hash, b"foreign")
    }

    #[test]
    fn one_right_fingerprint_is_enough_and_a_wrong_one_is_not() {
        for hash in HashFunction::ALL {
            assert_eq!(judge(b"ours", &[ours(hash)], ALL), Ok(()));
            assert_eq!(judge(b"ours", &[foreign(hash)], ALL), Err(TlsFailure::FingerprintMismatch));
        }
    }

    #[test]
    fn without_any_fingerprint_nobody_is_proven() {
        assert_eq!(judge(b"ours", &[], ALL), Err(TlsFailure::FingerprintMissing));
    }

    #[test]
    fn several_of_the_strongest_function_are_alternatives() {
        let signalled = [foreign(Sha256), ours(Sha256), foreign(Sha256)];
        assert_eq!(judge(b"ours", &signalled, ALL), Ok(()));
    }

    #[test]
    fn a_weaker_fingerprint_does_not_help_when_the_strongest_is_wrong() {
        let signalled = [ours(Sha1), ours(Sha256), foreign(Sha512)];
        assert_eq!(judge(b"ours", &signalled, ALL), Err(TlsFailure::FingerprintMismatch));
        assert_eq!(judge(b"ours", &[foreign(Sha1), ours(Sha384)], ALL), Ok(()));
    }

    #[test]
    fn what_is_not_allowed_counts_neither_for_nor_against() {
        let signalled = [foreign(Sha512), ours(Sha256), ours(Sha1)];
        assert_eq!(judge(b"ours", &signalled, &[Sha256, Sha384]), Ok(()));
        assert_eq!(judge(b"ours", &[ours(Sha1)], &[Sha256]), Err(TlsFailure::FingerprintHash));
        assert_eq!(judge(b"ours", &[ours(Sha1)], &[]), Err(TlsFailure::FingerprintHash));
    }
}
