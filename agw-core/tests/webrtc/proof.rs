//! Who the browser is: no media before its certificate has been found right, and one event that says why not (DTLS-3, TLS-2).

use crate::rig::{Call, How, PLAIN_CALL, PROVEN, Proof, Rig, unproven};
use agw_core::model::TlsFailure;
use agw_core::worker::stats::{Counter, DropReason, HandshakeProtocol, HandshakeResult};

/// Nothing of the phone's comes to the browser, not even in a form that it could not open.
fn nothing_passes(rig: &mut Rig, call: &mut Call) {
    let unopened = call.browser.unopened;
    let packet = call.browser.rtp();
    call.phone.send(call.core_local, &packet);
    call.browser.endpoint.send(call.browser.gateway, &packet);
    rig.run(call, 5);
    assert!(call.browser.received.is_empty());
    assert_eq!(call.browser.unopened, unopened);
    assert!(call.phone.receive().is_none());
}

fn shake(rig: &mut Rig, call: &mut Call) {
    let ice = call.ice.clone().unwrap();
    call.browser.check(&ice, true);
    rig.run(call, 400);
}

#[test]
fn a_wrong_fingerprint_ends_the_handshake_with_one_event() {
    for gateway_is_client in [false, true] {
        let mut rig = Rig::new();
        let mut call = rig.call(How { gateway_is_client, proof: Proof::Wrong, ..PLAIN_CALL });
        shake(&mut rig, &mut call);
        nothing_passes(&mut rig, &mut call);
        rig.run(&mut call, 3000);
        let told = rig.take_notices(&call);
        assert_eq!(told[1..], [unproven(TlsFailure::FingerprintMismatch)], "{told:?}");
        let result = HandshakeResult::Failed(TlsFailure::FingerprintMismatch);
        let (protocol, is_client) = (HandshakeProtocol::Dtls, gateway_is_client);
        assert_eq!(rig.counted(Counter::Handshakes { protocol, is_client, result }), 1);
        assert!(rig.dropped(DropReason::NoKey) > 0);
        rig.check_balance();
    }
}

#[test]
fn a_browser_that_is_told_another_fingerprint_of_ours_gets_nothing() {
    let mut rig = Rig::new();
    let mut call = rig.call(PLAIN_CALL);
    let stranger = agw_tls::Identity::generate().unwrap().fingerprint(agw_core::model::HashFunction::Sha256);
    call.browser.shake(agw_tls::Role::Client, &[stranger], rig.now_us());
    shake(&mut rig, &mut call);
    assert_eq!(call.browser.failure, Some(TlsFailure::FingerprintMismatch));
    nothing_passes(&mut rig, &mut call);
    // It has gone without a word, as DTLS 1.3 has none for that.
    rig.idle(40);
    let told = rig.take_notices(&call);
    assert!(told.contains(&unproven(TlsFailure::TimedOut)), "{told:?}");
}

#[test]
fn a_fingerprint_that_comes_late_lets_media_pass_then() {
    let mut rig = Rig::new();
    let mut call = rig.call(How { proof: Proof::Missing, ..PLAIN_CALL });
    shake(&mut rig, &mut call);
    nothing_passes(&mut rig, &mut call);
    assert_eq!(rig.take_notices(&call).len(), 1, "only ICE");
    let fingerprint = call.browser.fingerprint();
    rig.modify(&mut call, |spec| spec.tls.as_mut().unwrap().peer = vec![fingerprint]);
    rig.run(&mut call, 50);
    assert_eq!(rig.take_notices(&call), [PROVEN]);
    assert!(rig.speaks(&mut call));
}

#[test]
fn a_fingerprint_that_never_comes_is_told_once() {
    let mut rig = Rig::with(1, |config| config.edge.dtls.fingerprint_wait_ms = 2000);
    let mut call = rig.call(How { proof: Proof::Missing, ..PLAIN_CALL });
    shake(&mut rig, &mut call);
    assert_eq!(rig.take_notices(&call).len(), 1, "only ICE");
    rig.run(&mut call, 3000);
    assert_eq!(rig.take_notices(&call), [unproven(TlsFailure::FingerprintMissing)]);
    nothing_passes(&mut rig, &mut call);
}

#[test]
fn a_fingerprint_of_an_unknown_hash_function_proves_nothing() {
    for gateway_is_client in [false, true] {
        let mut rig = Rig::new();
        let mut call = rig.call(How { gateway_is_client, proof: Proof::Unknown, ..PLAIN_CALL });
        shake(&mut rig, &mut call);
        nothing_passes(&mut rig, &mut call);
        assert_eq!(rig.take_notices(&call)[1..], [unproven(TlsFailure::FingerprintHash)]);
    }
}
