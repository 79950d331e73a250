//! Those who connect and do not show who they are: bounded in number, in time, and in what is read of them (TLS-12).

use crate::phone::*;
use crate::rig::{Rig, UP, read, was_reset};
use agw_core::model::*;
use agw_core::worker::stats::{ConnectionEvent, Counter};
use agw_tls::{Identity, Role};
use std::time::Duration;

#[test]
fn strangers_who_connect_and_say_nothing_do_not_keep_the_peer_out() {
    let mut rig = Rig::new();
    let identity = Identity::generate().unwrap();
    let call = call(&mut rig, promise(&identity));
    let strangers: Vec<_> = (0..12).map(|_| rig.host(66).connect(call.ue.local).unwrap()).collect();
    rig.settle();
    assert_eq!(rig.count(Leg::Access, ConnectionEvent::TurnedAway), 8, "TLS-12");
    let mut phone = Phone::new(dial(&call.ue), Role::Client, &identity);
    run(&mut rig, &mut [&mut phone]);
    assert!(only(&mut rig, call.ue.id).contains(&SESSION_UP));
    assert!(strangers.iter().all(was_reset), "once the peer is proven nobody else is wanted");
}

#[test]
fn who_does_not_finish_the_handshake_is_dropped_in_time() {
    let mut rig = Rig::new();
    let call = call(&mut rig, promise(&Identity::generate().unwrap()));
    let slow = dial(&call.ue);
    for byte in [22, 3, 1, 0] {
        slow.send(&[byte]).unwrap();
        rig.pass(Duration::from_secs(2));
    }
    rig.pass(Duration::from_secs(4));
    assert!(read(&slow).1.is_some());
    assert_eq!(only(&mut rig, call.ue.id), [UP, session_failed(TlsFailure::TimedOut)]);
}

#[test]
fn what_is_no_tls_is_refused() {
    let mut rig = Rig::new();
    let call = call(&mut rig, promise(&Identity::generate().unwrap()));
    let peer = dial(&call.ue);
    peer.send(&[b'G'; 40_000]).unwrap_or(0);
    rig.settle();
    assert!(read(&peer).1.is_some());
    assert_eq!(only(&mut rig, call.ue.id), [UP, session_failed(TlsFailure::Misbehaved)]);
}

#[test]
fn a_handshake_that_does_not_come_to_its_end_is_read_up_to_a_limit() {
    let mut rig = Rig::with(|config| config.tcp.bounds.handshake_bytes = 10_000);
    let call = call(&mut rig, promise(&Identity::generate().unwrap()));
    let peer = dial(&call.ue);
    // A ClientHello of 60,000 bytes, in records of a thousand.
    peer.send(&[22, 3, 1, 0, 4, 1, 0, 0xea, 0x60]).unwrap();
    for _ in 0..40 {
        let _ = peer.send(&[&[22, 3, 1, 3, 0xe8][..], &[0; 1000]].concat());
        rig.turn();
    }
    assert!(read(&peer).1.is_some());
    assert_eq!(only(&mut rig, call.ue.id), [UP, session_failed(TlsFailure::HandshakeTooLong)]);
    let read = rig.counted(Counter::StreamBytesReceived(Leg::Access));
    assert_eq!(read, 10_000);
}

#[test]
fn a_storm_of_handshakes_is_worked_off_a_few_steps_a_turn() {
    let mut rig = Rig::new();
    let identity = Identity::generate().unwrap();
    let calls: Vec<_> = (0..20).map(|_| call(&mut rig, promise(&identity))).collect();
    let mut phones: Vec<_> =
        calls.iter().map(|call| Phone::new(dial(&call.ue), Role::Client, &identity)).collect();
    phones.iter_mut().for_each(Phone::pump);
    rig.turn();
    rig.turn();
    let begun = |phones: &mut [Phone]| {
        phones.iter_mut().for_each(Phone::pump);
        phones.iter().filter(|phone| !phone.engine.is_handshaking()).count()
    };
    let at_once = begun(&mut phones);
    assert!(at_once <= 4, "{at_once} were answered within two turns");
    let mut references: Vec<&mut Phone> = phones.iter_mut().collect();
    run(&mut rig, &mut references);
    assert_eq!(begun(&mut phones), 20);
}
