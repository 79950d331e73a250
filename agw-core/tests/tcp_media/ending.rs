//! How connections end, and what that does to the other side (TCP-5, TLS-8).

use crate::rig::{RELEASED, Rig, failed, read, role, was_reset};
use agw_core::command::Command;
use agw_core::model::*;
use std::time::Duration;

#[test]
fn half_close_crosses_after_what_was_in_flight_and_the_other_half_goes_on() {
    let mut rig = Rig::new();
    let call = rig.call(TcpSpec::default(), TcpSpec::default());
    let (ue, core) = rig.up(&call);
    ue.send(b"question").unwrap();
    ue.finish();
    rig.settle();
    let (bytes, end) = read(&core);
    assert_eq!(bytes, b"question");
    assert!(matches!(end, Some(Ok(()))));
    core.send(b"long answer").unwrap();
    rig.settle();
    assert_eq!(read(&ue).0, b"long answer");
    rig.take_notices();
    core.finish();
    rig.settle();
    assert!(matches!(read(&ue).1, Some(Ok(()))));
    let mut told = rig.take_notices();
    told.sort_by_key(|(id, _)| *id);
    assert_eq!(told, [(call.ue.id, RELEASED), (call.core.id, RELEASED)]);
    assert_eq!(rig.net.gateway_connections(), 0);
}

#[test]
fn a_reset_crosses_as_a_reset_and_each_side_is_told_once() {
    let mut rig = Rig::new();
    let call = rig.call(TcpSpec::default(), TcpSpec::default());
    let (ue, core) = rig.up(&call);
    rig.take_notices();
    ue.reset();
    rig.settle();
    assert!(was_reset(&core));
    let mut told = rig.take_notices();
    told.sort_by_key(|(id, _)| *id);
    assert_eq!(
        told,
        [(call.ue.id, failed(BearerFailure::Reset)), (call.core.id, failed(BearerFailure::OtherSide))]
    );
    rig.pass(Duration::from_secs(5));
    assert!(rig.take_notices().is_empty());
}

#[test]
fn an_idle_connection_is_broken_off_only_where_that_is_configured() {
    let mut rig = Rig::with(|config| config.tcp.times.idle_ms = Some(10_000));
    let call = rig.call(TcpSpec::default(), TcpSpec::default());
    let (ue, core) = rig.up(&call);
    rig.take_notices();
    for _ in 0..4 {
        rig.pass(Duration::from_secs(6));
        ue.send(b"still here").unwrap();
    }
    assert!(rig.take_notices().is_empty());
    rig.pass(Duration::from_secs(12));
    let told = rig.take_notices();
    // Both were quiet; whichever was looked at first is the one.
    let is = |failure| told.iter().filter(|(_, what)| *what == failed(failure)).count();
    assert_eq!((is(BearerFailure::Idle), is(BearerFailure::OtherSide), told.len()), (1, 1, 2), "{told:?}");
    assert!(was_reset(&ue) && was_reset(&core));
}

#[test]
fn a_subtracted_side_is_closed_in_order_after_what_was_in_flight() {
    let mut rig = Rig::new();
    let call = rig.call(TcpSpec::default(), TcpSpec::default());
    let (ue, core) = rig.up(&call);
    ue.send(b"last words").unwrap();
    rig.settle();
    let statistics = rig.subtract(call.core.id);
    assert_eq!((statistics.octets_sent, statistics.octets_received), (10, 0));
    rig.subtract(call.ue.id);
    rig.settle();
    let (bytes, end) = read(&core);
    assert_eq!(bytes, b"last words");
    assert!(matches!(end, Some(Ok(()))), "{end:?}");
    assert!(matches!(read(&ue).1, Some(Ok(()))));
    rig.check_empty();
}

#[test]
fn what_a_slow_reader_has_not_taken_is_still_delivered_after_the_context_went() {
    let mut rig = Rig::new();
    rig.net.set_window(1000);
    let call = rig.call(TcpSpec::default(), TcpSpec::default());
    let (ue, core) = rig.up(&call);
    let all: Vec<u8> = (0..2000_u32).map(|n| n as u8).collect();
    let mut sent = 0;
    while sent < all.len() {
        sent += ue.send(&all[sent..]).unwrap_or(0);
        rig.settle();
    }
    rig.command(Command::RemoveContext(call.context));
    let mut got = Vec::new();
    for _ in 0..50 {
        let (bytes, end) = read(&core);
        got.extend(bytes);
        if end.is_some() {
            break;
        }
        rig.turn();
    }
    assert_eq!(got, all);
    drop((ue, core));
    rig.check_empty();
}

#[test]
fn a_reader_that_takes_nothing_holds_a_removed_context_for_a_bounded_time() {
    let mut rig = Rig::new();
    rig.net.set_window(1000);
    let call = rig.call(TcpSpec::default(), TcpSpec::default());
    let (ue, _core) = rig.up(&call);
    for _ in 0..100 {
        let _ = ue.send(&[7; 1000]);
        rig.turn();
    }
    rig.command(Command::RemoveContext(call.context));
    rig.check_empty();
}

#[test]
fn a_side_that_loses_its_other_side_stays_and_goes_on_with_the_next() {
    let mut rig = Rig::new();
    let call = rig.call(role(TcpSetup::Passive), role(TcpSetup::Passive));
    let ue = call.ue.host.connect(call.ue.local).unwrap();
    rig.settle();
    rig.subtract(call.core.id);
    ue.send(b"is anybody there").unwrap();
    rig.pass(Duration::from_secs(5));
    let next = rig.add(call.context, "core", crate::rig::TCP, role(TcpSetup::Passive));
    let core = next.host.connect(next.local).unwrap();
    rig.settle();
    assert_eq!(read(&core).0, b"is anybody there");
}

#[test]
fn without_setup_a_side_that_loses_its_other_side_is_closed_in_order_and_open_again() {
    let mut rig = Rig::new();
    let call = rig.call(TcpSpec::default(), TcpSpec::default());
    let (ue, core) = rig.up(&call);
    core.send(b"last words").unwrap();
    rig.settle();
    rig.take_notices();
    rig.subtract(call.core.id);
    rig.settle();
    let (bytes, end) = read(&ue);
    assert_eq!(bytes, b"last words");
    assert!(matches!(end, Some(Ok(()))), "{end:?}");
    ue.finish();
    rig.pass(Duration::from_secs(3));
    assert_eq!((rig.take_notices(), rig.net.gateway_connections()), (vec![(call.ue.id, RELEASED)], 0));
    drop(ue);
    let next = rig.add(call.context, "core", crate::rig::TCP, TcpSpec::default());
    next.host.listen();
    let ue = call.ue.host.connect(call.ue.local).unwrap();
    ue.send(b"hello").unwrap();
    rig.settle();
    assert_eq!(read(&next.host.accept().expect("connected")).0, b"hello");
}

#[test]
fn a_peer_that_ends_after_its_other_side_went_is_let_go_and_told() {
    let mut rig = Rig::new();
    let call = rig.call(role(TcpSetup::Passive), role(TcpSetup::Passive));
    let ue = call.ue.host.connect(call.ue.local).unwrap();
    let core = call.core.host.connect(call.core.local).unwrap();
    rig.settle();
    rig.take_notices();
    rig.subtract(call.core.id);
    rig.settle();
    assert!(matches!(read(&core).1, Some(Ok(()))));
    ue.send(b"goodbye").unwrap();
    ue.finish();
    rig.pass(Duration::from_secs(3));
    assert!(matches!(read(&ue).1, Some(Ok(()))));
    assert_eq!((rig.take_notices(), rig.net.gateway_connections()), (vec![(call.ue.id, RELEASED)], 0));
    // What it said is for whoever comes next.
    let next = rig.add(call.context, "core", crate::rig::TCP, role(TcpSetup::Passive));
    let next = next.host.connect(next.local).unwrap();
    rig.settle();
    let (bytes, end) = read(&next);
    assert_eq!(bytes, b"goodbye");
    assert!(matches!(end, Some(Ok(()))), "{end:?}");
}
