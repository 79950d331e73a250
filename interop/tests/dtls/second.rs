//! The peers for which the second engine is there: with RSA keys, without the extended master secret, with CBC suites and the short tag alone. Asked
//! for by name it serves them at once; left to the choice, by the ClientHello or at the second handshake.

use agw_dtls::{Engine, Role, SrtpKeys, SrtpProfile};
use agw_tls::TlsFailure;
use std::net::SocketAddr;

use crate::end::End;
use crate::program::{Habits, Program, Shown};
use crate::{identity, settings, shake_hands_with};

const ROLES: [Role; 2] = [Role::Server, Role::Client];
const WITHOUT_EMS: Habits = Habits { extended_master_secret_is_off: true, options: "" };

#[test]
fn rsa_peers_export_the_same_keys_in_every_profile() {
    let Some(openssl) = interop::require("openssl", || Program::OpenSsl.find()) else { return };
    let Some(gnutls) = interop::require("gnutls-cli", || Program::GnuTls.find()) else { return };
    let shown = Shown::rsa("rsa");
    for role in ROLES {
        for profile in SrtpProfile::ALL {
            let settings = settings(Engine::Openssl, profile);
            shake_hands_with(openssl, role, settings, &shown, &Habits::default());
        }
    }
    let settings = settings(Engine::Openssl, SrtpProfile::Aes128CmHmacSha1_80);
    shake_hands_with(gnutls, Role::Server, settings, &shown, &Habits::default());
}

/// The first engine lacks it too, and finds out by itself.
#[test]
fn peers_without_the_extended_master_secret_export_the_same_keys() {
    let Some(openssl) = interop::require("openssl", || Program::OpenSsl.find()) else { return };
    let Some(gnutls) = interop::require("gnutls-cli", || Program::GnuTls.find()) else { return };
    let shown = Shown::ecdsa("no-ems");
    for engine in [Engine::Auto, Engine::Openssl] {
        for role in ROLES {
            let settings = settings(engine, SrtpProfile::AeadAes128Gcm);
            shake_hands_with(openssl, role, settings, &shown, &WITHOUT_EMS);
        }
        let settings = settings(engine, SrtpProfile::Aes128CmHmacSha1_80);
        shake_hands_with(gnutls, Role::Server, settings, &shown, &WITHOUT_EMS);
    }
}

#[test]
fn the_first_engine_alone_refuses_a_server_without_the_extended_master_secret() {
    let Some(openssl) = interop::require("openssl", || Program::OpenSsl.find()) else { return };
    let (profile, shown, port) =
        (SrtpProfile::AeadAes128Gcm, Shown::ecdsa("no-ems-server"), interop::ports::free_port());
    let mut peer = openssl.start_with(Role::Server, port, &shown, profile, &WITHOUT_EMS);
    peer.wait_for(openssl.words_of_listening()).unwrap_or_else(|why| panic!("{why}"));
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let settings = settings(Engine::Dimpl, profile);
    let mut end = End::new(settings, Role::Client, &identity(), &shown.fingerprint, Some(address));
    end.run();
    assert_eq!(end.failure, Some(TlsFailure::NoCommonSuite), "{}", peer.output());
}

#[test]
fn what_a_client_hello_offers_decides_which_engine_answers() {
    let Some(openssl) = interop::require("openssl", || Program::OpenSsl.find()) else { return };
    let shown = Shown::ecdsa("hello");
    let short_tag = settings(Engine::Auto, SrtpProfile::Aes128CmHmacSha1_32);
    shake_hands_with(openssl, Role::Server, short_tag, &shown, &Habits::default());
    let cbc = Habits { options: "-cipher ECDHE-ECDSA-AES128-SHA256", ..Habits::default() };
    let settings = settings(Engine::Auto, SrtpProfile::AeadAes256Gcm);
    shake_hands_with(openssl, Role::Server, settings, &shown, &cbc);
}

/// A client that calls is refused by an RSA server and calls again by itself.
#[test]
fn left_to_the_choice_we_reach_an_rsa_server() {
    let Some(openssl) = interop::require("openssl", || Program::OpenSsl.find()) else { return };
    let settings = settings(Engine::Auto, SrtpProfile::AeadAes128Gcm);
    shake_hands_with(openssl, Role::Client, settings, &Shown::rsa("rsa-server"), &Habits::default());
}

/// That a client's certificate has an RSA key, no hello says: its first handshake fails, and it is told; its second is the second engine's.
#[test]
fn left_to_the_choice_an_rsa_client_gets_keys_at_its_second_handshake() {
    let Some(openssl) = interop::require("openssl", || Program::OpenSsl.find()) else { return };
    let profile = SrtpProfile::Aes128CmHmacSha1_80;
    let (ours, shown) = (identity(), Shown::rsa("rsa-client"));
    let mut end = End::new(settings(Engine::Auto, profile), Role::Server, &ours, &shown.fingerprint, None);
    let mut first = openssl.start(Role::Client, end.port(), &shown, profile);
    end.run_until(|end| end.failure.is_some() || first.output().contains("handshake failure"));
    first.wait_for("handshake failure").unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(end.failure, None, "it may try again");
    let mut second = openssl.start(Role::Client, end.port(), &shown, profile);
    end.run();
    assert_eq!(end.keys.as_ref().map(SrtpKeys::profile), Some(profile), "{}", second.output());
    second.wait_for(&end.material(Role::Server).to_ascii_uppercase()).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn an_rsa_peer_with_another_certificate_than_signalled_gets_no_keys_and_an_alert() {
    let Some(openssl) = interop::require("openssl", || Program::OpenSsl.find()) else { return };
    let profile = SrtpProfile::Aes128CmHmacSha1_80;
    let ours = identity();
    let [theirs, other] = ["rsa-shown", "rsa-signalled"].map(Shown::rsa);
    for role in ROLES {
        let settings = settings(Engine::Openssl, profile);
        let (mut end, mut peer) = match role {
            Role::Server => {
                let end = End::new(settings, role, &ours, &other.fingerprint, None);
                let peer = openssl.start(Role::Client, end.port(), &theirs, profile);
                (end, peer)
            }
            Role::Client => {
                let port = interop::ports::free_port();
                let mut peer = openssl.start(Role::Server, port, &theirs, profile);
                peer.wait_for(openssl.words_of_listening()).unwrap_or_else(|why| panic!("{why}"));
                let address = SocketAddr::from(([127, 0, 0, 1], port));
                (End::new(settings, role, &ours, &other.fingerprint, Some(address)), peer)
            }
        };
        end.run();
        assert_eq!(end.failure, Some(TlsFailure::FingerprintMismatch), "{role:?}\n{}", peer.output());
        assert!(end.keys.is_none());
        peer.wait_for("bad certificate").unwrap_or_else(|why| panic!("{role:?}: {why}"));
    }
}
