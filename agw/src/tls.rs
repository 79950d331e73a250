//! What Iq shows and demands under TLS (IQ-3): one certificate chain of ours, and the authorities that controllers' certificates must
//! chain to. TLS 1.2 and 1.3, certificates on both sides always, no resumption: each connection proves anew who is there. A
//! certificate that chains must also name the address that it came from, or the configured name that led there, so that one
//! controller cannot speak as another.

use crate::config::IqTls;
use crate::config::load::Problem;
use rustls::client::{Resumption, verify_server_name};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::io::Read;
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A file of certificates or a key is not longer.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Certificates in a chain, and authorities.
const MAX_CERTIFICATES: usize = 256;
const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// Both ends of TLS with our certificate.
#[derive(Debug, Clone)]
pub struct Identity {
    /// For who connects to us.
    pub server: Arc<ServerConfig>,
    /// For those that we connect to.
    pub client: Arc<ClientConfig>,
}

impl Identity {
    /// Reads what the configuration names.
    ///
    /// # Errors
    /// What is missing or does not fit, by its key.
    pub fn load(tls: &IqTls) -> Result<Self, Problem> {
        let chain = certificates("iq.tls.certificate", &tls.certificate)?;
        let key = private_key(&tls.key)?;
        let roots = Arc::new(authorities(&tls.ca)?);
        let provider = Arc::new(default_provider());
        let wrong = |key: &str, file: &str, e: &dyn std::fmt::Display| {
            Problem::error(key, format!("{file} cannot be used: {e}"))
        };
        let signing =
            provider.key_provider.load_private_key(key).map_err(|e| wrong("iq.tls.key", &tls.key, &e))?;
        let ours = CertifiedKey::new(chain, signing);
        ours.keys_match().map_err(|_| {
            let what = format!("{} is not the key of {}", tls.key, tls.certificate);
            Problem::error("iq.tls.key", what)
        })?;
        let ours = Arc::new(SingleCertAndKey::from(ours));
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider))
            .build()
            .map_err(|e| wrong("iq.tls.ca", &tls.ca, &e))?;
        let versions = |e| wrong("iq.tls", "TLS 1.2 and 1.3", &e);
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&VERSIONS)
            .map_err(versions)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::clone(&ours) as _);
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&VERSIONS)
            .map_err(versions)?
            .with_root_certificates(roots)
            .with_client_cert_resolver(ours);
        client.resumption = Resumption::disabled();
        server.send_tls13_tickets = 0;
        Ok(Self { server: Arc::new(server), client: Arc::new(client) })
    }
}

/// Whether the first of a peer's certificates names the address that it speaks from or one of these names. That it chains to an
/// authority has been seen in the handshake.
pub fn names_peer(certificates: Option<&[CertificateDer<'_>]>, address: IpAddr, names: &[String]) -> bool {
    let Some(first) = certificates.and_then(|all| all.first()) else { return false };
    let Ok(parsed) = ParsedCertificate::try_from(first) else { return false };
    let names = names.iter().filter_map(|name| ServerName::try_from(name.as_str()).ok());
    let mut shown = std::iter::once(ServerName::from(address.to_canonical())).chain(names);
    shown.any(|name| verify_server_name(&parsed, &name).is_ok())
}

fn authorities(file: &str) -> Result<RootCertStore, Problem> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("iq.tls.ca", file)? {
        roots.add(certificate).map_err(|e| {
            Problem::error("iq.tls.ca", format!("{file} holds a certificate that cannot be used: {e}"))
        })?;
    }
    Ok(roots)
}

fn certificates(key: &str, file: &str) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let (bytes, _) = read(key, file)?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).take(MAX_CERTIFICATES + 1).collect();
    match read {
        Err(e) => Err(Problem::error(key, format!("{file} is not PEM: {e:?}"))),
        Ok(found) if found.is_empty() => {
            Err(Problem::error(key, format!("{file} holds no certificate (BEGIN CERTIFICATE)")))
        }
        Ok(found) if found.len() > MAX_CERTIFICATES => {
            Err(Problem::error(key, format!("{file} holds more than {MAX_CERTIFICATES} certificates")))
        }
        Ok(found) => Ok(found),
    }
}

fn private_key(file: &str) -> Result<PrivateKeyDer<'static>, Problem> {
    const KEY: &str = "iq.tls.key";
    /// Readable or writable by all the world.
    const OTHERS: u32 = 0o006;
    let (bytes, mode) = read(KEY, file)?;
    if mode & OTHERS != 0 {
        return Err(Problem::error(
            KEY,
            format!("{file} is open to every user of this host: chmod 640 {file}"),
        ));
    }
    // The error of the parser may quote what it read.
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
        Problem::error(
            KEY,
            format!("{file} holds no private key in PEM that is not encrypted (BEGIN PRIVATE KEY)"),
        )
    })
}

/// The bytes of a file and its mode.
fn read(key: &str, file: &str) -> Result<(Zeroizing<Vec<u8>>, u32), Problem> {
    if file.is_empty() {
        return Err(Problem::error(key, "is empty: TLS needs a certificate, its key and an authority"));
    }
    let because = |e: std::io::Error| Problem::error(key, format!("{file} cannot be read: {e}"));
    let opened = std::fs::File::open(file).map_err(because)?;
    let metadata = opened.metadata().map_err(because)?;
    if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
        return Err(Problem::error(key, format!("{file} is no file of certificates or keys")));
    }
    // With room for all at once, so that no copy is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(metadata.len() as usize + 1));
    opened.take(metadata.len()).read_to_end(&mut bytes).map_err(because)?;
    Ok((bytes, metadata.mode()))
}
