//! Our certificate: a fresh ECDSA P-256 key and a certificate that it signs itself. Nobody looks at who signed it; its fingerprint, told over
//! Iq, is what the peer checks (RFC 8122 section 5; TLS-1). It says nothing about us: name and serial number are random, and it is
//! valid for as long as dates go, so that no clock is needed to make one. The key is wiped with the last copy and never shows.

use crate::fingerprint::{Fingerprint, HashFunction};
use crate::proof;
use aws_lc_rs::rand;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PKCS_ECDSA_P256_SHA256, SerialNumber};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;
#[cfg(feature = "openssl")]
use std::sync::OnceLock;
use zeroize::Zeroizing;

/// Octets of randomness in name and serial number (RFC 5280 section 4.1.2.2 allows 20).
const SERIAL_BYTES: usize = 16;

/// A certificate with its private key. Copies share them.
#[derive(Clone)]
pub struct Identity(Arc<Inner>);

struct Inner {
    certificate: CertificateDer<'static>,
    private_key: Zeroizing<Vec<u8>>,
    presented: Arc<SingleCertAndKey>,
    /// As OpenSSL reads it, which takes that library longer than a handshake of the other: so it does once, if ever.
    #[cfg(feature = "openssl")]
    decoded: OnceLock<Option<Decoded>>,
}

#[cfg(feature = "openssl")]
type Decoded = (openssl::x509::X509, openssl::pkey::PKey<openssl::pkey::Private>);

/// No certificate could be made: our libraries found no randomness, or failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no certificate could be made")]
pub struct IdentityError;

impl Identity {
    /// A new key and its certificate. Costs about as much as a handshake: a pool is filled where media does not wait for it.
    ///
    /// # Errors
    /// Only if the cryptographic library fails.
    pub fn generate() -> Result<Self, IdentityError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| IdentityError)?;
        let mut random = [0; SERIAL_BYTES];
        rand::fill(&mut random).map_err(|_| IdentityError)?;
        random[0] = random[0] & 0x7f | 0x40; // A positive number of full length.
        let name = random.iter().fold(String::new(), |mut name, octet| {
            let _ = write!(name, "{octet:02x}");
            name
        });

        let mut wanted = CertificateParams::default();
        wanted.serial_number = Some(SerialNumber::from_slice(&random));
        wanted.distinguished_name = DistinguishedName::new();
        wanted.distinguished_name.push(DnType::CommonName, name);
        let certificate = wanted.self_signed(&key).map_err(|_| IdentityError)?;
        Self::of(certificate.der().to_vec(), Zeroizing::new(key.serialize_der()))
    }

    /// An identity of a certificate in DER form and its private key in PKCS#8 form.
    ///
    /// # Errors
    /// A key that is not understood. Whether it is that of the certificate is not looked at.
    pub fn of(certificate: Vec<u8>, private_key: Zeroizing<Vec<u8>>) -> Result<Self, IdentityError> {
        let certificate = CertificateDer::from(certificate);
        let signer = proof::provider()
            .key_provider
            .load_private_key(PrivatePkcs8KeyDer::from(private_key.to_vec()).into())
            .map_err(|_| IdentityError)?;
        let presented = Arc::new(CertifiedKey::new(vec![certificate.clone()], signer).into());
        Ok(Self(Arc::new(Inner {
            certificate,
            private_key,
            presented,
            #[cfg(feature = "openssl")]
            decoded: OnceLock::new(),
        })))
    }

    /// The certificate in DER form.
    pub fn certificate(&self) -> &[u8] {
        &self.0.certificate
    }

    /// The private key in PKCS#8 form, for a library that ends DTLS.
    pub fn private_key(&self) -> &[u8] {
        &self.0.private_key
    }

    /// Both as OpenSSL has them; `None` if it cannot read them. Read once for all copies: some 0.4 ms, the first time.
    #[cfg(feature = "openssl")]
    pub fn for_openssl(
        &self,
    ) -> Option<(&openssl::x509::X509Ref, &openssl::pkey::PKeyRef<openssl::pkey::Private>)> {
        let decode = || {
            let certificate = openssl::x509::X509::from_der(self.certificate()).ok()?;
            let key = openssl::pkey::PKey::private_key_from_pkcs8(self.private_key()).ok()?;
            Some((certificate, key))
        };
        let (certificate, key) = self.0.decoded.get_or_init(decode).as_ref()?;
        Some((certificate, key))
    }

    /// The fingerprint by which a peer knows us.
    pub fn fingerprint(&self, hash: HashFunction) -> Fingerprint {
        Fingerprint::of(hash, self.certificate())
    }

    pub(crate) fn presented(&self) -> Arc<SingleCertAndKey> {
        self.0.presented.clone()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Identity").field(&self.fingerprint(HashFunction::Sha256)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_identities_have_nothing_in_common() {
        let (one, other) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        assert_ne!(one.fingerprint(HashFunction::Sha256), other.fingerprint(HashFunction::Sha256));
        assert_ne!(one.private_key(), other.private_key());
        assert!(one.fingerprint(HashFunction::Sha1).matches(one.certificate()));
    }

    #[test]
    fn the_key_never_shows() {
        let shown = format!("{:?}", Identity::generate().unwrap());
        assert!(shown.starts_with("Identity(SHA-256 "), "{shown}");
        assert_eq!(shown.len(), "Identity(SHA-256 )".len() + 3 * 32 - 1);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert_eq!(Identity::of(vec![1], Zeroizing::new(vec![2])).unwrap_err(), IdentityError);
    }
}
