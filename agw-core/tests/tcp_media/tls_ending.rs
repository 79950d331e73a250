//! How TLS ends, and that what is in flight arrives (TLS-8, TCP-4).

use crate::phone::*;
use crate::rig::{Rig, read};
use agw_core::command::{Command, Observation};
use agw_core::flow::tcp::BUFFER_BYTES;
use agw_core::model::*;
use agw_core::worker::stats::Counter;
use std::time::Duration;

#[test]
fn when_the_peer_ends_tls_what_was_in_flight_arrives_and_both_sides_close_in_order() {
    let mut rig = Rig::new();
    let (call, core, mut phone) = talking(&mut rig);
    phone.say(b"goodbye");
    phone.engine.close();
    run(&mut rig, &mut [&mut phone]);
    let (bytes, end) = read(&core);
    assert_eq!(bytes, b"goodbye");
    assert!(matches!(end, Some(Ok(()))));
    // The core does not close its half: TLS-8 does not wait for that for ever.
    rig.pass(Duration::from_secs(4));
    run(&mut rig, &mut [&mut phone]);
    assert!(phone.engine.peer_has_closed() && phone.ended);
    let told = only(&mut rig, call.ue.id);
    assert!(told.contains(&Observation::Session(Bearer::Released)), "{told:?}");
}

#[test]
fn a_subtracted_side_with_tls_still_gets_what_was_in_flight_to_it_and_then_the_end_of_tls() {
    let mut rig = Rig::new();
    rig.net.set_window(4096);
    let (call, core, mut phone) = talking(&mut rig);
    let all: Vec<u8> = (0..20_000_u32).map(|n| (n / 3) as u8).collect();
    let mut sent = 0;
    for _ in 0..100 {
        sent += core.send(&all[sent..]).unwrap_or(0);
        rig.turn();
    }
    let in_flight = rig.counted(Counter::StreamBytesReceived(Leg::Core)) as usize;
    assert!(in_flight >= 4096, "more than a phone that reads nothing has room for, as ciphertext");
    rig.subtract(call.ue.id);
    // Within the time of `linger_ms`.
    for _ in 0..500 {
        phone.pump();
        rig.turn();
    }
    assert!(phone.received == all[..in_flight]);
    assert!(phone.engine.peer_has_closed() && phone.ended);
    phone.peer.finish();
    rig.settle();
    assert_eq!(rig.net.gateway_connections(), 1, "the other side goes on, for the next");
    rig.command(Command::RemoveContext(call.context));
    drop((core, phone));
    rig.check_empty();
}

#[test]
fn what_a_phone_said_reaches_a_side_that_is_subtracted_and_the_phone_stays() {
    let mut rig = Rig::new();
    rig.net.set_window(4096);
    let (call, core, mut phone) = talking(&mut rig);
    let all: Vec<u8> = (0..6_000_u32).map(|n| (n / 7) as u8).collect();
    for words in all.chunks(3000) {
        phone.say(words);
        run(&mut rig, &mut [&mut phone]);
    }
    rig.subtract(call.core.id);
    let mut got = Vec::new();
    let mut end = None;
    for _ in 0..200 {
        let (bytes, ended) = read(&core);
        got.extend(bytes);
        end = end.or(ended);
        rig.turn();
    }
    assert!(got == all && matches!(end, Some(Ok(()))), "{} bytes, {end:?}", got.len());
    run(&mut rig, &mut [&mut phone]);
    assert!(!phone.ended && !phone.engine.peer_has_closed());
    assert!(only(&mut rig, call.ue.id).is_empty());
}

#[test]
fn an_end_of_tcp_without_the_end_of_tls_is_told_as_such() {
    let mut rig = Rig::new();
    let (call, core, phone) = talking(&mut rig);
    phone.peer.finish();
    rig.settle();
    assert!(matches!(read(&core).1, Some(Ok(()))));
    assert!(only(&mut rig, call.ue.id).contains(&session_failed(TlsFailure::Truncated)));
}

#[test]
fn a_stalled_reader_behind_tls_bounds_what_waits_and_all_arrives() {
    let mut rig = Rig::new();
    rig.net.set_window(4096);
    let (_call, core, mut phone) = talking(&mut rig);
    let all: Vec<u8> = (0..400_000_u32).map(|n| (n * 3 + n / 77) as u8).collect();
    let mut sent = 0;
    for _ in 0..1000 {
        sent += core.send(&all[sent..]).unwrap_or(0);
        rig.turn();
    }
    assert!(sent < BUFFER_BYTES + 4 * 4096, "{sent} bytes were taken for a reader that reads nothing");
    while phone.received.len() < all.len() {
        sent += core.send(&all[sent..]).unwrap_or(0);
        phone.pump();
        rig.turn();
    }
    assert!(phone.received == all);
}
