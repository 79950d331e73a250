//! Where the browser is: checks decide, and nothing else (DTLS-5, RLY-2).

use crate::rig::{How, PLAIN_CALL, PROVEN, Rig, ice};
use agw_core::model::{IceCredential, IceEvent};
use agw_core::worker::stats::DropReason;

#[test]
fn media_follow_the_browser_to_an_address_that_it_has_checked_and_nominated() {
    let mut rig = Rig::new();
    let mut call = rig.call(PLAIN_CALL);
    rig.bring_up(&mut call);
    assert!(rig.speaks(&mut call));
    rig.take_notices(&call);
    let (before, after) = (call.browser.endpoint.address(), rig.address(31));
    call.browser.move_to(&rig.net.clone(), after);
    assert!(!rig.speaks(&mut call), "nobody has vouched for the new address");
    assert!(rig.dropped(DropReason::Source) > 0);
    rig.net.endpoint(before);

    let credential = call.ice.clone().unwrap();
    call.browser.check(&credential, true);
    rig.run(&mut call, 5);
    let (reflexive, selected) = (IceEvent::PeerReflexive(after), IceEvent::Selected(after));
    assert_eq!(rig.take_notices(&call), [ice(reflexive), ice(selected)]);
    assert!(rig.speaks(&mut call), "with the same keys");
    let view = rig.controller.context(call.context).unwrap();
    let stream = &view.terminations[0].streams[0];
    assert_eq!((stream.learned[0], stream.ice), (Some(after), Some(selected)));
    rig.check_balance();
}

#[test]
fn a_restart_changes_the_address_when_the_new_credentials_have_nominated_it() {
    let mut rig = Rig::new();
    let mut call = rig.call(PLAIN_CALL);
    rig.bring_up(&mut call);
    rig.take_notices(&call);
    let old = call.ice.clone().unwrap();
    let local = rig.modify(&mut call, |spec| {
        let ice = spec.ice.as_mut().unwrap();
        ice.choose = true;
        ice.peer = IceCredential::new("newb", "another+password/of+22chars");
    });
    let new = local.ice.as_deref().cloned().unwrap();
    assert_ne!((new.ufrag(), new.password()), (old.ufrag(), old.password()));
    assert!(rig.speaks(&mut call), "media go on");
    let after = rig.address(32);
    call.browser.move_to(&rig.net.clone(), after);
    let check = call.browser.check_of("newb", &new, true);
    call.browser.endpoint.send(call.browser.gateway, &check);
    rig.run(&mut call, 5);
    assert_eq!(rig.take_notices(&call).last(), Some(&ice(IceEvent::Selected(after))));
    assert!(rig.speaks(&mut call), "no handshake is needed");
    // The credentials of before are worth nothing from now on.
    let strangers = rig.dropped(DropReason::StunStranger);
    call.browser.check(&old, true);
    rig.run(&mut call, 5);
    assert_eq!(rig.dropped(DropReason::StunStranger), strangers + 1);
    rig.check_balance();
}

#[test]
fn a_check_under_new_credentials_is_heard_before_the_browsers_fragment_is_signalled() {
    let mut rig = Rig::new();
    let mut call = rig.call(PLAIN_CALL);
    rig.bring_up(&mut call);
    let local = rig.modify(&mut call, |spec| spec.ice.as_mut().unwrap().choose = true);
    rig.modify(&mut call, |spec| spec.dscp = Some(1));
    let new = local.ice.as_deref().cloned().unwrap();
    let good = call.browser.checked[0];
    let check = call.browser.check_of("newb", &new, false);
    call.browser.endpoint.send(call.browser.gateway, &check);
    rig.run(&mut call, 5);
    assert_eq!(call.browser.checked[0], good + 1);
}

#[test]
fn consent_that_is_not_renewed_stops_what_is_sent_until_it_is() {
    let mut rig = Rig::new();
    let mut call = rig.call(PLAIN_CALL);
    rig.bring_up(&mut call);
    let credential = call.ice.clone().unwrap();
    for _ in 0..8 {
        rig.idle(5);
        call.browser.check(&credential, false);
        rig.run(&mut call, 2);
    }
    rig.take_notices(&call);
    assert!(rig.speaks(&mut call), "renewed every five seconds");
    rig.idle(35);
    assert_eq!(rig.take_notices(&call), [ice(IceEvent::ConsentLost)]);
    let packet = call.browser.rtp();
    call.browser.received.clear();
    call.phone.send(call.core_local, &packet);
    rig.run(&mut call, 5);
    assert!(call.browser.received.is_empty() && call.browser.unopened == 0, "nothing is sent");
    let consent = rig.counted(agw_core::worker::stats::Counter::Dropped(
        agw_core::model::Leg::Core,
        DropReason::NoConsent,
    ));
    assert_eq!(consent, 1);
    call.browser.check(&credential, false);
    rig.run(&mut call, 2);
    assert!(rig.speaks(&mut call), "renewed");
    rig.idle(35);
    assert_eq!(rig.take_notices(&call), [ice(IceEvent::ConsentLost)], "and lost anew");
}

#[test]
fn a_gateway_that_is_to_begin_waits_for_the_first_check() {
    let mut rig = Rig::new();
    let mut call = rig.call(How { gateway_is_client: true, ..PLAIN_CALL });
    rig.run(&mut call, 2000);
    assert_eq!(call.browser.flights.len(), 0);
    assert_eq!(rig.take_notices(&call), []);
    let credential = call.ice.clone().unwrap();
    call.browser.check(&credential, true);
    rig.run(&mut call, 400);
    assert!(rig.take_notices(&call).contains(&PROVEN));
    assert!(rig.speaks(&mut call));
}

#[test]
fn checks_that_never_come_are_told_once_and_answered_all_the_same() {
    let mut rig = Rig::with(3, |config| config.edge.ice_wait_ms = 5000);
    let mut call = rig.call(PLAIN_CALL);
    rig.idle(4);
    assert_eq!(rig.take_notices(&call), []);
    rig.idle(30);
    assert_eq!(rig.take_notices(&call), [ice(IceEvent::Failed)]);
    call.browser.session = None;
    call.browser.shake(agw_tls::Role::Client, &call.fingerprints, rig.now_us());
    rig.bring_up(&mut call);
    assert!(rig.speaks(&mut call));
}
