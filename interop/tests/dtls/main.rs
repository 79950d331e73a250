//! OpenSSL and GnuTLS as DTLS-SRTP peers of agw-dtls, in both roles, over sockets on loopback: each side exports the same keying material
//! and agrees on the same profile, and a certificate with a wrong fingerprint gets no keys (DTLS-1, DTLS-2, DTLS-3). Both peers speak
//! DTLS 1.2; we offer 1.3 beside it.

mod end;
mod program;
mod second;

use agw_dtls::{Engine, Role, Settings, SrtpKeys, SrtpProfile, Version};
use agw_tls::{HashFunction, Identity, TlsFailure};
use std::net::SocketAddr;
use std::time::Duration;

use end::End;
use program::{Habits, Program, Shown};

const LIMIT: Duration = Duration::from_secs(20);

fn identity() -> Identity {
    Identity::generate().expect("a certificate")
}

fn settings(engine: Engine, profile: SrtpProfile) -> Settings {
    Settings { engine, profiles: vec![profile], ..Settings::default() }
}

/// One handshake with us in `role`.
fn shake_hands(program: Program, role: Role, profile: SrtpProfile) {
    let shown = Shown::ecdsa(&format!("{program:?}-{role:?}-{profile:?}"));
    shake_hands_with(program, role, settings(Engine::Auto, profile), &shown, &Habits::default());
}

/// One handshake with us in `role`, for the one profile of the settings.
fn shake_hands_with(program: Program, role: Role, settings: Settings, shown: &Shown, habits: &Habits) {
    let (ours, profile, what) =
        (identity(), settings.profiles[0], format!("{program:?} {role:?} {settings:?}"));
    let (mut end, mut peer) = match role {
        Role::Server => {
            let end = End::new(settings, role, &ours, &shown.fingerprint, None);
            let peer = program.start_with(Role::Client, end.port(), shown, profile, habits);
            (end, peer)
        }
        Role::Client => {
            let port = interop::ports::free_port();
            let mut peer = program.start_with(Role::Server, port, shown, profile, habits);
            peer.wait_for(program.words_of_listening()).unwrap_or_else(|why| panic!("{why}"));
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            (End::new(settings, role, &ours, &shown.fingerprint, Some(address)), peer)
        }
    };
    end.run();
    assert_eq!(end.failure, None, "{what}\n{}", peer.output());
    assert_eq!(end.session.version(), Some(Version::Dtls12));
    let keys = end.keys.as_ref().unwrap_or_else(|| panic!("{what}: no keys\n{}", peer.output()));
    assert_eq!(keys.profile(), profile);
    peer.wait_for(program.words_of_material()).unwrap_or_else(|why| panic!("{why}"));
    let output = peer.output();
    let (_, rest) = output.rsplit_once(program.words_of_material()).expect("it was printed");
    let theirs: String = rest.lines().next().unwrap_or_default().trim().to_ascii_lowercase();
    assert_eq!(theirs, end.material(role), "{what}");
}

#[test]
fn openssl_exports_the_same_keys() {
    let Some(openssl) = interop::require("openssl", || Program::OpenSsl.find()) else { return };
    for role in [Role::Server, Role::Client] {
        for profile in
            [SrtpProfile::Aes128CmHmacSha1_80, SrtpProfile::AeadAes128Gcm, SrtpProfile::AeadAes256Gcm]
        {
            shake_hands(openssl, role, profile);
        }
    }
}

#[test]
fn gnutls_exports_the_same_keys() {
    let Some(gnutls) = interop::require("gnutls-cli", || Program::GnuTls.find()) else { return };
    shake_hands(gnutls, Role::Server, SrtpProfile::Aes128CmHmacSha1_80);
}

/// GnuTLS's server does not print what it exports over datagrams; it says what it hears, and sends it back.
#[test]
fn gnutls_as_server_proves_itself_and_sends_back_what_it_hears() {
    let Some(gnutls) = interop::require("gnutls-cli", || Program::GnuTls.find()) else { return };
    let (ours, theirs) = (identity(), Shown::ecdsa("echo"));
    let profile = SrtpProfile::Aes128CmHmacSha1_80;
    let port = interop::ports::free_port();
    let mut peer = gnutls.start(Role::Server, port, &theirs, profile);
    peer.wait_for(gnutls.words_of_listening()).unwrap_or_else(|why| panic!("{why}"));
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut end =
        End::new(settings(Engine::Auto, profile), Role::Client, &ours, &theirs.fingerprint, Some(address));
    end.run();
    assert_eq!(
        end.keys.as_ref().map(SrtpKeys::profile),
        Some(profile),
        "{:?}\n{}",
        end.failure,
        peer.output()
    );
    assert_eq!(end.session.send(b"hello from the gateway").unwrap(), 22);
    end.hear_until(b"hello from the gateway");
    assert_eq!(end.heard, b"hello from the gateway", "{}", peer.output());
}

#[test]
fn openssl_with_another_certificate_than_signalled_gets_no_keys_and_an_alert() {
    let Some(openssl) = interop::require("openssl", || Program::OpenSsl.find()) else { return };
    let [ours, other] = std::array::from_fn(|_| identity());
    let theirs = Shown::ecdsa("another");
    let profile = SrtpProfile::Aes128CmHmacSha1_80;
    let expected = other.fingerprint(HashFunction::Sha256);
    let mut end = End::new(settings(Engine::Auto, profile), Role::Server, &ours, &expected, None);
    let mut peer = openssl.start(Role::Client, end.port(), &theirs, profile);
    end.run();
    assert_eq!(end.failure, Some(TlsFailure::FingerprintMismatch), "{}", peer.output());
    assert!(end.keys.is_none());
    peer.wait_for("bad certificate").unwrap_or_else(|why| panic!("{why}"));
}
