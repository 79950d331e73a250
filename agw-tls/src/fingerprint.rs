//! The fingerprint of a certificate as SDP carries it (RFC 8122 section 5): a hash function and the digest of the certificate's DER form.
//! Several may be signalled for one stream; the strongest hash function that is known and allowed decides, and its values are
//! alternatives (RFC 8122 section 5.1). Digests are compared in constant time.

use arrayvec::ArrayVec;
use aws_lc_rs::digest;
use std::fmt;
use subtle::ConstantTimeEq;

/// The longest digest, in bytes.
pub const MAX_DIGEST_BYTES: usize = 64;

/// The hash functions of RFC 8122 section 5, weakest first. MD2 and MD5 must not be used and are not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashFunction {
    /// `sha-1`.
    Sha1,
    /// `sha-224`.
    Sha224,
    /// `sha-256`.
    Sha256,
    /// `sha-384`.
    Sha384,
    /// `sha-512`.
    Sha512,
}

impl HashFunction {
    /// All of them, weakest first.
    pub const ALL: [Self; 5] = [Self::Sha1, Self::Sha224, Self::Sha256, Self::Sha384, Self::Sha512];

    /// By its name in SDP, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hash| hash.name().eq_ignore_ascii_case(name))
    }

    /// Its name in SDP.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SHA-1",
            Self::Sha224 => "SHA-224",
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }

    /// Octets of its digest.
    pub const fn digest_bytes(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha224 => &digest::SHA224,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

impl fmt::Display for HashFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A hash function and a digest of its length. Prints as the value of `a=fingerprint`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    hash: HashFunction,
    digest: ArrayVec<u8, MAX_DIGEST_BYTES>,
}

/// What is wrong with the value of an `a=fingerprint` line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FingerprintError {
    /// A hash function that is not known here, MD2 and MD5 among them.
    #[error("an unknown hash function")]
    UnknownHash,
    /// Not pairs of hexadecimal digits between colons, or not as many as the hash function gives.
    #[error("not a digest of that hash function")]
    Digest,
}

impl Fingerprint {
    /// That of a certificate in DER form.
    pub fn of(hash: HashFunction, certificate: &[u8]) -> Self {
        let digest = digest::digest(hash.algorithm(), certificate);
        Self { hash, digest: digest.as_ref().iter().copied().take(MAX_DIGEST_BYTES).collect() }
    }

    /// Reads the value of `a=fingerprint`: `SHA-256 4A:AD:...`, digits in either case.
    ///
    /// # Errors
    /// Unknown hash functions, and digests of another length.
    pub fn parse(value: &str) -> Result<Self, FingerprintError> {
        let (name, digits) = value.trim().split_once(' ').ok_or(FingerprintError::Digest)?;
        let hash = HashFunction::from_name(name).ok_or(FingerprintError::UnknownHash)?;
        let digits = digits.trim();
        if digits.len() != 3 * hash.digest_bytes() - 1 {
            return Err(FingerprintError::Digest);
        }
        let digest = digits.split(':').map(octet).collect::<Option<ArrayVec<u8, MAX_DIGEST_BYTES>>>();
        let digest =
            digest.filter(|digest| digest.len() == hash.digest_bytes()).ok_or(FingerprintError::Digest)?;
        Ok(Self { hash, digest })
    }

    /// Its hash function.
    pub const fn hash(&self) -> HashFunction {
        self.hash
    }

    /// Whether it is that of a certificate in DER form. Takes the same time wherever the digests differ.
    pub fn matches(&self, certificate: &[u8]) -> bool {
        let other = Self::of(self.hash, certificate);
        self.digest.as_slice().ct_eq(other.digest.as_slice()).into()
    }
}

fn octet(digits: &str) -> Option<u8> {
    let two_digits = digits.len() == 2 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    two_digits.then(|| u8::from_str_radix(digits, 16).ok()).flatten()
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.hash)?;
        for (at, octet) in self.digest.iter().enumerate() {
            write!(f, "{}{octet:02X}", if at == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_prints_as_it_is_read() {
        for hash in HashFunction::ALL {
            let made = Fingerprint::of(hash, b"a certificate");
            assert_eq!(Fingerprint::parse(&made.to_string()), Ok(made.clone()));
            assert_eq!(Fingerprint::parse(&made.to_string().to_ascii_lowercase()), Ok(made.clone()));
            assert!(made.matches(b"a certificate"));
            assert!(!made.matches(b"another certificate"));
        }
    }

    #[test]
    fn what_is_no_digest_of_its_hash_function_is_refused() {
        let good = Fingerprint::of(HashFunction::Sha1, b"x").to_string();
        assert_eq!(Fingerprint::parse("MD5 00:11"), Err(FingerprintError::UnknownHash));
        for bad in [
            good.replace("SHA-1", "SHA-256"),
            good.replace(':', "-"),
            good.replace(':', "::"),
            format!("{good}:00"),
            good[..good.len() - 1].to_owned(),
            good.replace("SHA-1 ", "SHA-1"),
            format!("{}+1", &good[..good.len() - 2]),
            "SHA-1 é".to_owned(),
            String::new(),
        ] {
            assert_eq!(Fingerprint::parse(&bad), Err(FingerprintError::Digest), "{bad}");
        }
    }
}
