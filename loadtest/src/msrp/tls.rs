//! TLS of the ends, with a library that the gateway does not use for it: one certificate for all, and peers judged by the fingerprint that the
//! gateway told over Iq (RFC 4975 section 14.4, RFC 8122), whatever else their certificates say.

use rcgen::{CertificateParams, KeyPair};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, aws_lc_rs::default_provider, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme, SupportedProtocolVersion};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::sync::Arc;

/// Our certificate and how sessions are begun with it.
#[derive(Debug, Clone)]
pub struct Identity {
    /// For connecting; the peer's certificate is to be judged afterwards, by [`fingerprint`].
    pub client: Arc<ClientConfig>,
    /// SHA-256, as `a=fingerprint` has it.
    pub fingerprint: String,
    /// The certificate, as PEM.
    pub pem: String,
}

/// Why there is no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// No certificate could be made.
    #[error("no certificate: {0}")]
    Certificate(#[from] rcgen::Error),
    /// It cannot be used.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

impl Identity {
    /// A new one, for whatever version and suite the peer likes.
    ///
    /// # Errors
    /// When there is no randomness, or the libraries do not fit each other.
    pub fn generate() -> Result<Self, IdentityError> {
        Self::with(default_provider(), rustls::DEFAULT_VERSIONS)
    }

    /// A new one, for these suites, groups and versions.
    ///
    /// # Errors
    /// As [`Identity::generate`].
    pub fn with(
        provider: CryptoProvider,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Result<Self, IdentityError> {
        let key = KeyPair::generate()?;
        let certificate = CertificateParams::new(vec!["loadtest.invalid".to_owned()])?.self_signed(&key)?;
        let (fingerprint, pem) = (fingerprint(certificate.der()), certificate.pem());
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(provider);
        let mut client = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_client_auth_cert(vec![certificate.der().clone()], key)?;
        client.resumption = Resumption::disabled();
        Ok(Self { client: Arc::new(client), fingerprint, pem })
    }
}

/// The value of `a=fingerprint` for a certificate, by SHA-256.
pub fn fingerprint(certificate: &[u8]) -> String {
    let mut text = String::from("SHA-256 ");
    for (place, octet) in Sha256::digest(certificate).iter().enumerate() {
        let colon = if place == 0 { "" } else { ":" };
        // Writing to a string cannot fail.
        let _ = write!(text, "{colon}{octet:02X}");
    }
    text
}

/// Takes any certificate that the peer can sign with, by the algorithms of this provider. Whose it is can be judged afterwards.
#[derive(Debug)]
pub struct AnyCertificate(pub Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
