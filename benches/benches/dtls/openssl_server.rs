//! The baseline: a server of DTLS 1.2 on OpenSSL as one would write it, with what is asked of ours: cookie, mutual certificates, `use_srtp`, a look at the
//! fingerprint, exported keys. Its context and certificate are made once, which favours it.

use crate::Server;
use agw_dtls::EXPORTER_LABEL;
use agw_tls::{Fingerprint, HashFunction, Identity};
use openssl::pkey::PKey;
use openssl::ssl::{
    ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslOptions, SslSessionCacheMode, SslStream,
    SslVerifyMode, SslVersion,
};
use openssl::x509::X509;
use std::io::{self, Read, Write};

const COOKIE: [u8; 32] = [7; 32];
/// Two keys and two salts of AEAD_AES_256_GCM.
const MATERIAL_BYTES: usize = 2 * (32 + 12);

pub(crate) fn context(identity: &Identity) -> SslContext {
    let mut context = SslContextBuilder::new(SslMethod::dtls()).expect("OpenSSL");
    context.set_min_proto_version(Some(SslVersion::DTLS1_2)).expect("DTLS 1.2");
    let certificate = X509::from_der(identity.certificate()).expect("a certificate");
    let key = PKey::private_key_from_pkcs8(identity.private_key()).expect("a key");
    context.set_certificate(&certificate).expect("a certificate");
    context.set_private_key(&key).expect("a key");
    context.set_tlsext_use_srtp("SRTP_AEAD_AES_256_GCM:SRTP_AES128_CM_SHA1_80").expect("profiles");
    context.set_verify_callback(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT, |_, _| true);
    context.set_options(SslOptions::NO_QUERY_MTU | SslOptions::COOKIE_EXCHANGE | SslOptions::NO_TICKET);
    context.set_session_cache_mode(SslSessionCacheMode::OFF);
    context.set_cookie_generate_cb(|_, into| {
        into[..COOKIE.len()].copy_from_slice(&COOKIE);
        Ok(COOKIE.len())
    });
    context.set_cookie_verify_cb(|_, brought| brought == COOKIE);
    context.build()
}

#[derive(Default)]
struct Wire {
    incoming: Option<Vec<u8>>,
    outgoing: Vec<Vec<u8>>,
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let datagram = self.incoming.take().ok_or(io::ErrorKind::WouldBlock)?;
        into[..datagram.len()].copy_from_slice(&datagram);
        Ok(datagram.len())
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.push(bytes.to_vec());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) struct Plain {
    stream: SslStream<Wire>,
    peer: Fingerprint,
    up: bool,
}

impl Plain {
    pub(crate) fn new(context: &SslContext, peer: &Identity) -> Self {
        let mut ssl = Ssl::new(context).expect("OpenSSL");
        ssl.set_mtu(1200).expect("an MTU");
        ssl.set_accept_state();
        let stream = SslStream::new(ssl, Wire::default()).expect("OpenSSL");
        Self { stream, peer: peer.fingerprint(HashFunction::Sha256), up: false }
    }
}

impl Server for Plain {
    fn hear(&mut self, datagram: &[u8], say: &mut Vec<Vec<u8>>) {
        self.stream.get_mut().incoming = Some(datagram.to_vec());
        match self.stream.do_handshake() {
            Ok(()) => {
                let certificate = self.stream.ssl().peer_certificate().expect("it was asked for");
                assert!(self.peer.matches(&certificate.to_der().expect("DER")), "another peer");
                let mut material = [0; MATERIAL_BYTES];
                let exported = self.stream.ssl().export_keying_material(&mut material, EXPORTER_LABEL, None);
                exported.expect("an exporter");
                self.up = true;
            }
            Err(error) => assert_eq!(error.code(), ErrorCode::WANT_READ, "{error}"),
        }
        say.append(&mut self.stream.get_mut().outgoing);
    }

    fn is_up(&self) -> bool {
        self.up
    }
}
