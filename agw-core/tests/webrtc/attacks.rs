//! What strangers try, and what comes of it: nothing but a count. Each attack is made against a call that goes on (DTLS-5).

use crate::browser::Browser;
use crate::rig::{Call, How, PLAIN_CALL, Rig};
use agw_core::model::IceCredential;
use agw_core::worker::stats::DropReason;
use agw_dtls::Settings;
use agw_tls::Role;

fn up(how: How) -> (Rig, Call) {
    let mut rig = Rig::new();
    let mut call = rig.call(how);
    rig.bring_up(&mut call);
    rig.take_notices(&call);
    (rig, call)
}

/// A stranger's browser, with a ClientHello ready.
fn stranger(rig: &mut Rig, call: &Call) -> (Browser, Vec<u8>) {
    let at = rig.address(66);
    let mut stranger = Browser::new(&rig.net, at, Settings::default());
    stranger.gateway = call.browser.gateway;
    stranger.shake(Role::Client, &call.fingerprints, rig.now_us());
    stranger.step(rig.now_us());
    let hello = stranger.flights[0].clone();
    (stranger, hello)
}

fn goes_on(rig: &mut Rig, call: &mut Call) {
    assert!(rig.speaks(call));
    assert_eq!(rig.take_notices(call), []);
    rig.check_balance();
}

#[test]
fn a_client_hello_of_a_stranger_is_not_even_looked_at() {
    for ice in [false, true] {
        let mut rig = Rig::new();
        let mut call = rig.call(How { ice, ..PLAIN_CALL });
        // Before, while and after the browser shakes hands; ahead of it in every race.
        let (mut stranger, hello) = stranger(&mut rig, &call);
        let mut tried = 1;
        for _ in 0..40 {
            stranger.endpoint.send(call.browser.gateway, &hello);
            tried += 1;
            rig.run(&mut call, 1);
        }
        rig.bring_up(&mut call);
        rig.take_notices(&call);
        for _ in 0..1000 {
            stranger.endpoint.send(call.browser.gateway, &hello);
            tried += 1;
            rig.run(&mut call, 1);
        }
        // The browser's own first one came before its check.
        assert_eq!(rig.dropped(DropReason::DtlsStranger), tried + u64::from(ice));
        stranger.step(rig.now_us());
        assert!(stranger.endpoint.receive().is_none(), "no answer to amplify with");
        goes_on(&mut rig, &mut call);
    }
}

#[test]
fn a_client_hello_with_the_browsers_address_changes_nothing_at_any_time() {
    let mut rig = Rig::new();
    let mut call = rig.call(PLAIN_CALL);
    let (_, hello) = stranger(&mut rig, &call);
    let credential = call.ice.clone().unwrap();
    // The strangers are first: the browser has checked, and has not begun. What they are answered goes to it, and it does not care.
    call.browser.session = None;
    call.browser.check(&credential, true);
    for _ in 0..200 {
        call.browser.endpoint.send(call.browser.gateway, &hello);
        rig.run(&mut call, 1);
    }
    call.browser.shake(Role::Client, &call.fingerprints, rig.now_us());
    rig.run(&mut call, 400);
    assert!(call.browser.has_keys(), "the race was won by the browser");
    rig.take_notices(&call);
    let unwanted = rig.dropped(DropReason::DtlsUnwanted);
    for _ in 0..100 {
        call.browser.endpoint.send(call.browser.gateway, &hello);
        rig.run(&mut call, 1);
    }
    assert_eq!(rig.dropped(DropReason::DtlsUnwanted), unwanted + 100);
    goes_on(&mut rig, &mut call);
}

#[test]
fn a_replayed_handshake_changes_nothing() {
    for gateway_is_client in [false, true] {
        let (mut rig, mut call) = up(How { gateway_is_client, ..PLAIN_CALL });
        for flight in call.browser.flights.clone() {
            call.browser.endpoint.send(call.browser.gateway, &flight);
            rig.run(&mut call, 2);
        }
        rig.run(&mut call, 500);
        goes_on(&mut rig, &mut call);
    }
}

#[test]
fn media_before_the_handshake_and_of_strangers_go_nowhere() {
    let mut rig = Rig::new();
    let mut call = rig.call(PLAIN_CALL);
    let packet = call.browser.rtp();
    call.browser.endpoint.send(call.browser.gateway, &packet);
    rig.run(&mut call, 2);
    assert_eq!(rig.dropped(DropReason::Source), 1, "no check has come");
    let credential = call.ice.clone().unwrap();
    call.browser.check(&credential, true);
    call.browser.endpoint.send(call.browser.gateway, &packet);
    rig.run(&mut call, 2);
    assert_eq!(rig.dropped(DropReason::NoKey), 1, "no key has come");
    rig.bring_up(&mut call);
    rig.take_notices(&call);
    let before = rig.dropped(DropReason::Source);
    let (stranger, _) = stranger(&mut rig, &call);
    let real = call.browser.protect(&packet);
    // Even what is authentic: it was taken off the wire.
    stranger.endpoint.send(call.browser.gateway, &real);
    rig.run(&mut call, 5);
    assert_eq!(rig.dropped(DropReason::Source), before + 1);
    assert!(call.phone.receive().is_none());
    goes_on(&mut rig, &mut call);
}

#[test]
fn checks_without_the_password_are_not_answered_and_move_nothing() {
    let (mut rig, mut call) = up(PLAIN_CALL);
    let (mut stranger, _) = stranger(&mut rig, &call);
    let ours = call.ice.clone().unwrap();
    let guessed = IceCredential::new(ours.ufrag(), "guessed+guessed+guessed+").unwrap();
    for _ in 0..100 {
        stranger.check(&guessed, true);
        rig.run(&mut call, 1);
    }
    // And with the browser's own address: consent is not renewed by it either.
    let forged = stranger.check_of(crate::browser::UFRAG, &guessed, true);
    call.browser.endpoint.send(call.browser.gateway, &forged);
    rig.run(&mut call, 2);
    assert_eq!(rig.dropped(DropReason::StunStranger), 101);
    assert!(stranger.endpoint.receive().is_none());
    stranger.endpoint.send(call.browser.gateway, &[0, 1, 0, 99, 0x21, 0x12, 0xa4, 0x42]);
    rig.run(&mut call, 2);
    assert_eq!(rig.dropped(DropReason::StunMalformed), 1);
    goes_on(&mut rig, &mut call);
}

#[test]
fn consent_cannot_be_renewed_by_somebody_else() {
    let (mut rig, call) = up(PLAIN_CALL);
    let (mut stranger, _) = stranger(&mut rig, &call);
    let ours = call.ice.clone().unwrap();
    let guessed = IceCredential::new(ours.ufrag(), "guessed+guessed+guessed+").unwrap();
    for _ in 0..8 {
        let forged = stranger.check_of(crate::browser::UFRAG, &guessed, true);
        call.browser.endpoint.send(call.browser.gateway, &forged);
        rig.idle(5);
    }
    let lost = agw_core::model::IceEvent::ConsentLost;
    assert_eq!(rig.take_notices(&call), [crate::rig::ice(lost)]);
}

#[test]
fn more_handshake_than_there_is_room_for_is_counted_and_media_go_on() {
    let (mut rig, mut call) = up(PLAIN_CALL);
    let mut other = rig.call(PLAIN_CALL);
    let credential = other.ice.clone().unwrap();
    other.browser.check(&credential, true);
    rig.run(&mut other, 2);
    let (_, hello) = stranger(&mut rig, &other);
    for _ in 0..400 {
        other.browser.endpoint.send(other.browser.gateway, &hello);
    }
    rig.run(&mut call, 5);
    assert!(rig.dropped(DropReason::HandshakesFull) > 0);
    assert!(rig.speaks(&mut call));
    rig.run(&mut call, 500);
    rig.check_balance();
    // The one whose address was borrowed comes up all the same.
    rig.run(&mut other, 2500);
    assert!(other.browser.has_keys());
    assert!(rig.speaks(&mut other));
}
