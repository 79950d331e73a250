//! Whether a peer has the key of the certificate that it shows. That is all that is asked of it in the handshake: a certificate that has expired,
//! is not valid yet, is of version 1, or comes with a chain or without names passes if its key signed the handshake (RFC 8122 section 5).
//! Whether it is the right certificate is judged after the handshake by [`judge`](crate::judge), before any byte of media moves.

use crate::failure::TlsFailure;
use crate::subject_key::SubjectKey;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, UnixTime, alg_id};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, PeerMisbehaved,
    SignatureScheme,
};
use std::ops::RangeInclusive;
use std::sync::{Arc, LazyLock};

/// The most octets of all certificates that a peer may show; they are kept as long as the session.
pub const MAX_CERTIFICATES_BYTES: usize = 16 * 1024;
/// RSA keys whose signatures our library checks.
pub const RSA_BITS: RangeInclusive<usize> = 2048..=8192;

/// The signature schemes that we take, dearest to us first (RFC 8446 section 4.2.3).
const SCHEMES: &[SignatureScheme] = &[
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ED25519,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::ECDSA_NISTP521_SHA512,
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

/// Those that only TLS 1.2 has.
const SCHEMES_OF_12: &[SignatureScheme] = &[
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

/// The cryptography that all sessions share.
pub(crate) fn provider() -> &'static CryptoProvider {
    static PROVIDER: LazyLock<CryptoProvider> = LazyLock::new(aws_lc_rs::default_provider);
    &PROVIDER
}

/// Takes any certificate whose key can be checked, and checks that the peer has the key.
#[derive(Debug)]
pub(crate) struct Possession;

impl Possession {
    fn look_at(end_entity: &CertificateDer<'_>, others: &[CertificateDer<'_>]) -> Result<(), Error> {
        let total_bytes: usize = others.iter().map(|other| other.len()).sum::<usize>() + end_entity.len();
        if total_bytes > MAX_CERTIFICATES_BYTES {
            return Err(refused(TlsFailure::CertificatesTooLong));
        }
        let key = SubjectKey::of(end_entity).ok_or_else(|| refused(TlsFailure::MalformedCertificate))?;
        let known =
            SCHEMES.iter().flat_map(|&scheme| algorithms(scheme)).any(|algorithm| fits(*algorithm, &key));
        if known { Ok(()) } else { Err(refused(TlsFailure::UnsupportedKey)) }
    }

    /// `algorithms`: in TLS 1.3 a scheme names the curve, in 1.2 it does not, and all that fit are tried (RFC 8446 section 4.2.3).
    fn check(
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
    ) -> Result<HandshakeSignatureValid, Error> {
        let key = SubjectKey::of(certificate).ok_or_else(|| refused(TlsFailure::MalformedCertificate))?;
        let algorithm = algorithms
            .iter()
            .find(|algorithm| fits(**algorithm, &key))
            .ok_or(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme)?;
        algorithm
            .verify_signature(key.key, message, signed.signature())
            .map_err(|_| refused(TlsFailure::NoProof))?;
        Ok(HandshakeSignatureValid::assertion())
    }

    fn check_12(
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Self::check(message, certificate, signed, algorithms(signed.scheme))
    }

    fn check_13(
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        if SCHEMES_OF_12.contains(&signed.scheme) {
            return Err(PeerMisbehaved::SignedHandshakeWithUnadvertisedSigScheme.into());
        }
        let first = algorithms(signed.scheme).get(..1).unwrap_or_default();
        Self::check(message, certificate, signed, first)
    }
}

/// The algorithms of a scheme that we take, the one of TLS 1.3 first; none of another.
fn algorithms(scheme: SignatureScheme) -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    let mapping = provider().signature_verification_algorithms.mapping;
    let found = mapping.iter().find(|(name, _)| *name == scheme && SCHEMES.contains(name));
    found.map_or(&[], |(_, algorithms)| algorithms)
}

/// Whether an algorithm is for keys like this.
fn fits(algorithm: &dyn SignatureVerificationAlgorithm, key: &SubjectKey<'_>) -> bool {
    let id = algorithm.public_key_alg_id();
    id.as_ref() == key.algorithm
        && (id != alg_id::RSA_ENCRYPTION || key.rsa_bits().is_some_and(|bits| RSA_BITS.contains(&bits)))
}

/// Our reason in rustls's words, from which the right alert follows.
fn refused(failure: TlsFailure) -> Error {
    Error::InvalidCertificate(match failure {
        TlsFailure::MalformedCertificate => CertificateError::BadEncoding,
        TlsFailure::UnsupportedKey => CertificateError::InvalidPurpose, // Alert unsupported_certificate.
        TlsFailure::NoProof => CertificateError::BadSignature,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    })
}

/// And back.
pub(crate) fn reason(error: &CertificateError) -> TlsFailure {
    match error {
        CertificateError::BadEncoding => TlsFailure::MalformedCertificate,
        CertificateError::InvalidPurpose => TlsFailure::UnsupportedKey,
        CertificateError::BadSignature => TlsFailure::NoProof,
        CertificateError::Other(other) => other.0.downcast_ref().copied().unwrap_or(TlsFailure::Internal),
        _ => TlsFailure::Internal,
    }
}

/// What both of rustls's traits ask in the same words: that of a client's certificate and that of a server's.
macro_rules! signatures {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Self::check_12(message, certificate, signed)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signed: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Self::check_13(message, certificate, signed)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            SCHEMES.to_vec()
        }
    };
}

impl ServerCertVerifier for Possession {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Self::look_at(end_entity, intermediates)?;
        Ok(ServerCertVerified::assertion())
    }

    signatures!();
}

impl ClientCertVerifier for Possession {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[] // Any issuer will do.
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Self::look_at(end_entity, intermediates)?;
        Ok(ClientCertVerified::assertion())
    }

    signatures!();
}
