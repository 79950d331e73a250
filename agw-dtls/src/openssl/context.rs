//! What all associations on OpenSSL share, made of the settings once, and what one has of its own: certificate, key and cookie.

use std::sync::LazyLock;

use agw_tls::{Identity, Role, TlsFailure};
use openssl::error::ErrorStack;
use openssl::ex_data::Index;
use openssl::memcmp;
use openssl::pkey::{PKeyRef, Private};
use openssl::rand::rand_bytes;
use openssl::ssl::{
    Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslSessionCacheMode, SslVerifyMode,
    SslVersion,
};
use openssl::x509::X509Ref;

use crate::keys::SrtpProfile;
use crate::settings::Settings;

/// Dearest first: forward secrecy always, CBC last for peers that have nothing else. Level 2 refuses keys and hashes below 112 bits.
const SUITES: &str = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:@SECLEVEL=2";
const COOKIE_BYTES: usize = 32;

/// Where an association's cookie hangs; freed with it.
static COOKIE: LazyLock<Option<Index<Ssl, [u8; COOKIE_BYTES]>>> = LazyLock::new(|| Ssl::new_ex_index().ok());

/// The library's configuration, shared by all engines.
#[derive(Clone)]
pub(crate) struct Config {
    context: SslContext,
    mtu_bytes: u32,
    pub(super) retransmit_us: u64,
    pub(super) handshake_us: u64,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("mtu_bytes", &self.mtu_bytes).finish_non_exhaustive()
    }
}

impl Config {
    /// # Errors
    /// The library has no memory, or lacks what it is asked for.
    pub(crate) fn new(settings: &Settings) -> Result<Self, ErrorStack> {
        let mut context = SslContextBuilder::new(SslMethod::dtls())?;
        context.set_min_proto_version(Some(SslVersion::DTLS1_2))?;
        context.set_max_proto_version(Some(SslVersion::DTLS1_2))?;
        context.set_cipher_list(SUITES)?;
        let profiles: Vec<&str> = settings.profiles.iter().map(|profile| name(*profile)).collect();
        context.set_tlsext_use_srtp(&profiles.join(":"))?;
        context.set_options(
            SslOptions::NO_QUERY_MTU
                | SslOptions::COOKIE_EXCHANGE
                | SslOptions::CIPHER_SERVER_PREFERENCE
                | SslOptions::NO_TICKET
                | SslOptions::NO_RENEGOTIATION
                | SslOptions::NO_COMPRESSION,
        );
        context.set_session_cache_mode(SslSessionCacheMode::OFF);
        context.set_mode(SslMode::RELEASE_BUFFERS);
        // Any certificate whose key signed the handshake; whose it is, its fingerprint says (RFC 8122 section 5).
        context.set_verify_callback(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT, |_, _| true);
        context.set_cookie_generate_cb(|ssl, into| {
            let cookie = (*COOKIE).and_then(|index| ssl.ex_data(index).copied());
            let Some((cookie, to)) = cookie.zip(into.get_mut(..COOKIE_BYTES)) else { return Ok(0) };
            to.copy_from_slice(&cookie);
            Ok(COOKIE_BYTES)
        });
        context.set_cookie_verify_cb(|ssl, brought| {
            let cookie = (*COOKIE).and_then(|index| ssl.ex_data(index));
            cookie.is_some_and(|cookie| brought.len() == COOKIE_BYTES && memcmp::eq(cookie, brought))
        });
        Ok(Self {
            context: context.build(),
            mtu_bytes: u32::try_from(settings.mtu_bytes).unwrap_or(u32::MAX),
            retransmit_us: u64::from(settings.retransmit_ms) * 1000,
            handshake_us: u64::from(settings.handshake_ms) * 1000,
        })
    }

    /// One association's own.
    ///
    /// # Errors
    /// The library cannot read the identity, or has no memory.
    pub(super) fn ssl(&self, role: Role, identity: &Identity) -> Result<Ssl, TlsFailure> {
        let (certificate, key) = identity.for_openssl().ok_or(TlsFailure::Internal)?;
        self.ssl_with(role, certificate, key).map_err(|_| TlsFailure::Internal)
    }

    fn ssl_with(&self, role: Role, certificate: &X509Ref, key: &PKeyRef<Private>) -> Result<Ssl, ErrorStack> {
        let mut ssl = Ssl::new(&self.context)?;
        ssl.set_certificate(certificate)?;
        ssl.set_private_key(key)?;
        ssl.set_mtu(self.mtu_bytes)?;
        match role {
            Role::Client => ssl.set_connect_state(),
            Role::Server => {
                ssl.set_accept_state();
                let mut cookie = [0; COOKIE_BYTES];
                rand_bytes(&mut cookie)?;
                // Without a place for it no cookie is right, and the handshake fails.
                if let Some(index) = *COOKIE {
                    ssl.set_ex_data(index, cookie);
                }
            }
        }
        Ok(ssl)
    }
}

fn name(profile: SrtpProfile) -> &'static str {
    match profile {
        SrtpProfile::Aes128CmHmacSha1_80 => "SRTP_AES128_CM_SHA1_80",
        SrtpProfile::Aes128CmHmacSha1_32 => "SRTP_AES128_CM_SHA1_32",
        SrtpProfile::AeadAes128Gcm => "SRTP_AEAD_AES_128_GCM",
        SrtpProfile::AeadAes256Gcm => "SRTP_AEAD_AES_256_GCM",
    }
}
