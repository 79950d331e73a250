//! The two DTLS libraries under a whole gateway: which one a stream gets, and a phone that only the second understands.

use crate::rig::{Call, How, PLAIN_CALL, PROVEN, Proof, Rig, unproven};
use agw_core::model::{RealmName, TlsFailure};
use agw_dtls::{Engine, Session, Settings, Version};
use agw_tls::{Identity, Role};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use zeroize::Zeroizing;

/// A realm whose phones need the second engine, beside one that has both; DTLS 1.2 is all that the second has.
#[test]
fn a_realm_may_have_another_dtls_library() {
    for (realm, expected) in [("access", Version::Dtls12), ("core", Version::Dtls13)] {
        for gateway_is_client in [false, true] {
            let mut rig = Rig::with(9, |config| {
                config.edge.engines = vec![(RealmName::new(realm).unwrap(), Engine::Openssl)];
            });
            let mut call = rig.call(How { gateway_is_client, ..PLAIN_CALL });
            rig.bring_up(&mut call);
            assert!(rig.speaks(&mut call));
            let version = call.browser.session.as_ref().and_then(Session::version);
            assert_eq!(version, Some(expected), "OpenSSL at {realm}");
        }
    }
}

fn rsa() -> Identity {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let certificate = CertificateParams::default().self_signed(&key).unwrap();
    Identity::of(certificate.der().to_vec(), Zeroizing::new(key.serialize_der())).unwrap()
}

/// A phone with an RSA certificate begins its handshake.
fn calls_with_rsa(rig: &mut Rig) -> Call {
    let phone = Settings { engine: Engine::Openssl, ..Settings::default() };
    let mut call = rig.call_with(How { ice: false, proof: Proof::Missing, ..PLAIN_CALL }, phone);
    call.browser.identity = rsa();
    let fingerprint = call.browser.fingerprint();
    rig.modify(&mut call, |spec| spec.tls.as_mut().unwrap().peer = vec![fingerprint]);
    call.browser.shake(Role::Client, &call.fingerprints, rig.now_us());
    call
}

/// Left to the choice: it is refused, of which Iq hears nothing yet, and calls again.
#[test]
fn a_phone_with_an_rsa_certificate_is_heard_at_its_second_handshake() {
    let mut rig = Rig::new();
    let mut call = calls_with_rsa(&mut rig);
    rig.run(&mut call, 200);
    assert_eq!(call.browser.failure.take(), Some(TlsFailure::Alert(40)));
    assert_eq!(rig.take_notices(&call), []);
    call.browser.shake(Role::Client, &call.fingerprints, rig.now_us());
    rig.run(&mut call, 200);
    assert_eq!(rig.take_notices(&call), [PROVEN]);
    assert!(rig.speaks(&mut call));
    rig.check_balance();
}

#[test]
fn a_phone_with_an_rsa_certificate_that_does_not_call_again_is_told_in_time() {
    let mut rig = Rig::with(3, |config| config.edge.dtls.handshake_ms = 2000);
    let mut call = calls_with_rsa(&mut rig);
    rig.run(&mut call, 2500);
    assert_eq!(rig.take_notices(&call), [unproven(TlsFailure::NoCertificate)]);
}
