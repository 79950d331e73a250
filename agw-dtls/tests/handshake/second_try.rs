//! Left to the choice, and chosen wrongly: what the first engine refuses, the second gets at the next handshake, and only then is it told if none comes.

use agw_dtls::{Engine, Role, SrtpProfile};
use agw_tls::{HashFunction, Identity, TlsFailure};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use zeroize::Zeroizing;

use crate::openssl::by;
use crate::wire::{End, Weather, Wire};

const CLIENT: usize = 0;
const SERVER: usize = 1;

fn rsa() -> Identity {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let certificate = CertificateParams::default().self_signed(&key).unwrap();
    Identity::of(certificate.der().to_vec(), Zeroizing::new(key.serialize_der())).unwrap()
}

/// Ends of these engines that expect one another.
fn ends(engines: [Engine; 2], who: [&Identity; 2], now_us: u64) -> [End; 2] {
    let of = |at: usize| [who[at].fingerprint(HashFunction::Sha256)];
    [
        End::new(&by(engines[CLIENT], 1), Role::Client, who[CLIENT], &of(SERVER), now_us),
        End::new(&by(engines[SERVER], 2), Role::Server, who[SERVER], &of(CLIENT), now_us),
    ]
}

#[test]
fn an_rsa_client_is_refused_once_and_gets_keys_at_its_second_handshake() {
    let (client, server) = (rsa(), Identity::generate().unwrap());
    let who = [&client, &server];
    let mut wire = Wire::new(ends([Engine::Openssl, Engine::Auto], who, 0), Weather::default(), 1);
    assert!(wire.run_until(5, |wire| wire.ends[CLIENT].failure.is_some()));
    assert_eq!(wire.ends[CLIENT].failure, Some(TlsFailure::Alert(40)), "it is told");
    let now_us = wire.now_us;
    let [_, server] = wire.ends;
    assert!(server.failure.is_none() && server.session.is_handshaking());
    let [client, _] = ends([Engine::Openssl, Engine::Auto], who, now_us);
    let mut wire = Wire::begun([client, server], Weather::default(), 1, now_us);
    assert!(wire.connect(), "{:?} {:?}", wire.ends[CLIENT].failure, wire.ends[SERVER].failure);
    wire.assert_same_keys();
    assert_eq!(wire.ends[SERVER].keys.as_ref().unwrap().profile(), SrtpProfile::AeadAes256Gcm);
}

#[test]
fn a_refused_client_that_does_not_come_again_is_a_failure_in_time() {
    let (client, server) = (rsa(), Identity::generate().unwrap());
    let ends = ends([Engine::Openssl, Engine::Auto], [&client, &server], 0);
    let mut wire = Wire::new(ends, Weather::default(), 1);
    assert!(wire.run_until(60, |wire| wire.ends[SERVER].failure.is_some()));
    assert_eq!(wire.ends[SERVER].failure, Some(TlsFailure::NoCertificate));
    assert!((30_000_000..31_000_000).contains(&wire.now_us), "{}", wire.now_us);
}

/// A stranger does not slip in where the peer was refused.
#[test]
fn the_second_handshake_is_judged_like_the_first() {
    let [client, stranger] = std::array::from_fn(|_| rsa());
    let server = Identity::generate().unwrap();
    let [first, server_end] = ends([Engine::Openssl, Engine::Auto], [&client, &server], 0);
    let mut wire = Wire::new([first, server_end], Weather::default(), 1);
    assert!(wire.run_until(5, |wire| wire.ends[CLIENT].failure.is_some()));
    let now_us = wire.now_us;
    let [_, server_end] = wire.ends;
    let [other, _] = ends([Engine::Openssl, Engine::Auto], [&stranger, &server], now_us);
    let mut wire = Wire::begun([other, server_end], Weather::default(), 1, now_us);
    assert!(!wire.connect());
    assert_eq!(wire.ends[SERVER].failure, Some(TlsFailure::FingerprintMismatch));
    assert!(wire.ends[SERVER].keys.is_none());
}

#[test]
fn a_client_calls_an_rsa_server_twice_and_a_server_of_one_engine_fails_at_once() {
    let (client, server) = (Identity::generate().unwrap(), rsa());
    let who = [&client, &server];
    let mut wire = Wire::new(ends([Engine::Auto, Engine::Openssl], who, 0), Weather::default(), 1);
    assert!(wire.connect(), "{:?} {:?}", wire.ends[CLIENT].failure, wire.ends[SERVER].failure);
    wire.assert_same_keys();

    let (client, server) = (rsa(), Identity::generate().unwrap());
    let ends = ends([Engine::Openssl, Engine::Dimpl], [&client, &server], 0);
    let mut wire = Wire::new(ends, Weather::default(), 1);
    assert!(wire.run_until(5, |wire| wire.ends[SERVER].failure.is_some()));
    assert_eq!(wire.ends[SERVER].failure, Some(TlsFailure::NoCertificate));
}
