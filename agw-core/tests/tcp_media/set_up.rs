//! Who connects, who starts, and who is not let in (TCP-1 to TCP-3, TCP-6).

use crate::rig::{MSRP, Rig, TCP, UP, failed, read, role, was_reset};
use agw_core::command::{Command, Refusal};
use agw_core::model::*;
use agw_core::worker::stats::ConnectionEvent;
use std::time::Duration;

#[test]
fn without_setup_the_first_who_connects_at_either_side_makes_us_connect_the_other() {
    for from_access in [true, false] {
        let mut rig = Rig::new();
        let call = rig.call(TcpSpec::default(), TcpSpec::default());
        let (near, far) = if from_access { (&call.ue, &call.core) } else { (&call.core, &call.ue) };
        far.host.listen();
        let peer = near.host.connect(near.local).unwrap();
        // Sent before the other side is up: held, and delivered first.
        peer.send(b"early, ").unwrap();
        rig.settle();
        peer.send(b"late").unwrap();
        let other = far.host.accept().expect("connected");
        assert_eq!(other.remote(), Some(far.local));
        rig.settle();
        assert_eq!(read(&other).0, b"early, late");
        other.send(b"answer").unwrap();
        rig.settle();
        assert_eq!(read(&peer).0, b"answer");
        let mut told = rig.take_notices();
        told.sort_by_key(|(id, _)| *id);
        let mut ids = [call.ue.id, call.core.id];
        ids.sort();
        assert_eq!(told, ids.map(|id| (id, UP)));
        rig.command(Command::RemoveContext(call.context));
        rig.check_empty();
    }
}

#[test]
fn told_who_connects_no_side_connects_because_the_other_did() {
    let mut rig = Rig::new();
    let mut call = rig.call(role(TcpSetup::Passive), role(TcpSetup::Active));
    call.core.host.listen();
    let ue = call.ue.host.connect(call.ue.local).unwrap();
    ue.send(b"early").unwrap();
    rig.pass(Duration::from_secs(1));
    assert!(call.core.host.accept().is_none(), "TCP-1");
    rig.establish(&mut call.core);
    rig.settle();
    let core = call.core.host.accept().expect("told to connect");
    assert_eq!(read(&core).0, b"early");
}

#[test]
fn who_is_told_to_connect_before_the_address_is_known_connects_when_it_is() {
    let mut rig = Rig::new();
    let mut call = rig.call(role(TcpSetup::Passive), role(TcpSetup::Active));
    call.core.host.listen();
    let remote = call.core.spec.remote.take();
    rig.establish(&mut call.core);
    rig.settle();
    assert!(call.core.host.accept().is_none());
    rig.modify(&mut call.core, |spec| spec.remote = remote);
    rig.settle();
    assert!(call.core.host.accept().is_some());
}

#[test]
fn a_side_that_comes_up_triggers_the_other_where_that_was_asked() {
    let mut rig = Rig::new();
    let triggering = TcpSpec { setup: TcpSetup::Passive, trigger: Some(Trigger::Tcp), ..TcpSpec::default() };
    let call = rig.call(triggering, role(TcpSetup::Active));
    call.core.host.listen();
    let ue = call.ue.host.connect(call.ue.local).unwrap();
    ue.send(b"hello").unwrap();
    rig.settle();
    let core = call.core.host.accept().expect("TCP-3");
    assert_eq!(read(&core).0, b"hello");
}

#[test]
fn two_servers_are_merged() {
    let mut rig = Rig::new();
    let call = rig.call(role(TcpSetup::Passive), role(TcpSetup::Passive));
    let ue = call.ue.host.connect(call.ue.local).unwrap();
    ue.send(b"first").unwrap();
    rig.settle();
    let core = call.core.host.connect(call.core.local).unwrap();
    core.send(b"second").unwrap();
    rig.settle();
    assert_eq!((read(&core).0, read(&ue).0), (b"first".to_vec(), b"second".to_vec()));
}

#[test]
fn two_clients_are_connected_by_order() {
    let mut rig = Rig::new();
    let mut call = rig.call(role(TcpSetup::Active), role(TcpSetup::Active));
    call.ue.host.listen();
    call.core.host.listen();
    rig.establish(&mut call.ue);
    rig.establish(&mut call.core);
    rig.settle();
    let (ue, core) = (call.ue.host.accept().unwrap(), call.core.host.accept().unwrap());
    ue.send(b"x").unwrap();
    rig.settle();
    assert_eq!(read(&core).0, b"x");
}

#[test]
fn who_holds_the_connection_neither_listens_nor_connects() {
    let mut rig = Rig::new();
    let call = rig.call(role(TcpSetup::HoldConn), role(TcpSetup::HoldConn));
    let ue = call.ue.host.connect(call.ue.local).unwrap();
    rig.settle();
    assert!(ue.established().is_err());
}

#[test]
fn a_refused_connection_is_told_and_resets_the_other_side_only_in_stateless_handling() {
    let mut rig = Rig::new();
    let call = rig.call(TcpSpec::default(), TcpSpec::default());
    let ue = call.ue.host.connect(call.ue.local).unwrap();
    rig.settle();
    assert!(was_reset(&ue), "TCP-6");
    let told = rig.take_notices();
    assert!(told.contains(&(call.core.id, failed(BearerFailure::Refused))), "{told:?}");
    assert!(told.contains(&(call.ue.id, failed(BearerFailure::OtherSide))), "{told:?}");

    let mut call = rig.call(role(TcpSetup::Passive), role(TcpSetup::Active));
    let ue = call.ue.host.connect(call.ue.local).unwrap();
    rig.establish(&mut call.core);
    let told = rig.take_notices();
    assert_eq!(
        told.iter().filter(|(id, _)| *id == call.core.id).collect::<Vec<_>>(),
        [&(call.core.id, failed(BearerFailure::Refused))]
    );
    assert_eq!(read(&ue).1.map(|end| end.is_ok()), None, "the controller decides");
    // And may have it tried again.
    call.core.host.listen();
    ue.send(b"held").unwrap();
    rig.establish(&mut call.core);
    rig.settle();
    assert_eq!(read(&call.core.host.accept().unwrap()).0, b"held");
}

#[test]
fn a_host_that_does_not_answer_is_given_up_in_time_and_told_once() {
    let mut rig = Rig::new();
    let mut call = rig.call(role(TcpSetup::Passive), role(TcpSetup::Active));
    call.core.host.listen();
    call.core.host.set_silent(true);
    rig.establish(&mut call.core);
    rig.pass(Duration::from_secs(30));
    let told = rig.take_notices();
    assert_eq!(told, [(call.core.id, failed(BearerFailure::TimedOut))]);
    assert_eq!(rig.count(Leg::Core, ConnectionEvent::TimedOut), 1);
}

#[test]
fn that_nobody_came_is_told_once_and_who_comes_late_is_let_in() {
    let mut rig = Rig::with(|config| config.tcp.times.accept_ms = 5_000);
    let call = rig.call(role(TcpSetup::Passive), role(TcpSetup::HoldConn));
    rig.pass(Duration::from_secs(20));
    assert_eq!(rig.take_notices(), [(call.ue.id, failed(BearerFailure::TimedOut))]);
    let ue = call.ue.host.connect(call.ue.local).unwrap();
    rig.settle();
    assert!(ue.established().is_ok());
    assert_eq!(rig.take_notices(), [(call.ue.id, UP)]);
}

#[test]
fn a_stranger_is_turned_away_and_the_peer_still_let_in() {
    let mut rig = Rig::new();
    let call = rig.call(role(TcpSetup::Passive), role(TcpSetup::HoldConn));
    let stranger = rig.host(66).connect(call.ue.local).unwrap();
    rig.settle();
    assert!(was_reset(&stranger));
    assert_eq!(rig.count(Leg::Access, ConnectionEvent::TurnedAway), 1);
    let ue = call.ue.host.connect(call.ue.local).unwrap();
    rig.settle();
    assert!(ue.established().is_ok());
    let second = rig.host(11).connect(call.ue.local).unwrap();
    rig.settle();
    assert!(second.established().is_err() || was_reset(&second), "one connection is enough");
}

#[test]
fn a_peer_behind_a_nat_is_let_in_where_latching_was_ordered_and_nobody_after_it() {
    let mut rig = Rig::new();
    let mut call = rig.call(role(TcpSetup::Passive), role(TcpSetup::HoldConn));
    rig.modify(&mut call.ue, |spec| spec.latch = Some(LatchAction::Latch));
    let peer = rig.host(77).connect(call.ue.local).unwrap();
    rig.settle();
    assert!(peer.established().is_ok());
    let source = peer.local().unwrap();
    let told = rig.take_notices();
    assert!(
        told.iter().any(|(_, what)| matches!(what, agw_core::command::Observation::Latched { source: s, .. } if *s == source)),
        "{told:?}"
    );
}

#[test]
fn who_comes_before_the_address_of_the_peer_is_known_waits_for_it() {
    let mut rig = Rig::new();
    let mut call = rig.call(role(TcpSetup::Passive), role(TcpSetup::Passive));
    let remote = call.ue.spec.remote;
    rig.modify(&mut call.ue, |spec| spec.remote = None);
    let ue = call.ue.host.connect(call.ue.local).unwrap();
    ue.send(b"hello").unwrap();
    rig.settle();
    assert!(rig.take_notices().is_empty());
    rig.modify(&mut call.ue, |spec| spec.remote = remote);
    assert_eq!(rig.take_notices(), [(call.ue.id, UP)]);
}

#[test]
fn what_cannot_be_done_for_a_connection_is_refused_with_its_reason() {
    let mut rig = Rig::new();
    let context = rig.context();
    let side = rig.add(context, "access", TCP, TcpSpec::default());
    let refused = |rig: &mut Rig, change: &dyn Fn(&mut StreamSpec)| {
        let mut spec = side.spec.clone();
        change(&mut spec);
        rig.try_command(Command::Modify { termination: side.id, streams: vec![(StreamId(1), spec)] })
            .unwrap_err()
    };
    assert_eq!(
        refused(&mut rig, &|s| s.mode = Mode::Loopback),
        Refusal::NotImplemented("loopback of a connection")
    );
    assert_eq!(
        refused(&mut rig, &|s| s.transport = Transport::Udp),
        Refusal::FixedAtSetup(StreamId(1), "the transport")
    );
    assert_eq!(
        refused(&mut rig, &|s| s.dscp = Some(9)),
        Refusal::FixedAtSetup(StreamId(1), "the DSCP of a connection")
    );
    let other = StreamSpec { realm: RealmName::new("core"), ..StreamSpec::new(Transport::Udp) };
    let joined = rig.try_command(Command::Add { context, streams: vec![(StreamId(1), other)] });
    assert_eq!(joined.unwrap_err(), Refusal::Unjoinable(StreamId(1)));
}

#[test]
fn who_waits_while_there_is_no_room_is_taken_when_there_is() {
    let mut rig = Rig::new();
    let call = rig.call(role(TcpSetup::Passive), role(TcpSetup::Passive));
    rig.settle();
    rig.net.set_connection_room(Some(0));
    let ue = call.ue.host.connect(call.ue.local).unwrap();
    rig.pass(Duration::from_secs(1));
    assert!(rig.count(Leg::Access, ConnectionEvent::Resources) > 0, "counted");
    // Nobody knocks again, and it is taken all the same.
    rig.net.set_connection_room(None);
    rig.pass(Duration::from_millis(500));
    let core = call.core.host.connect(call.core.local).unwrap();
    ue.send(b"waited").unwrap();
    rig.settle();
    assert_eq!(read(&core).0, b"waited");
}

#[test]
fn more_who_knock_at_once_than_one_look_takes_are_all_answered() {
    let mut rig = Rig::new();
    let call = rig.call(role(TcpSetup::Passive), role(TcpSetup::Passive));
    rig.settle();
    let strangers: Vec<_> =
        (0..50).map(|_| rig.host(99)).map(|host| host.connect(call.ue.local).unwrap()).collect();
    let ue = call.ue.host.connect(call.ue.local).unwrap();
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.count(Leg::Access, ConnectionEvent::TurnedAway), 50);
    assert!(strangers.iter().all(was_reset));
    assert!(read(&ue).1.is_none(), "the peer was behind them");
    assert_eq!(rig.count(Leg::Access, ConnectionEvent::Accepted), 1);
}

#[test]
fn without_setup_one_connection_follows_another() {
    let mut rig = Rig::new();
    let call = rig.call_of(MSRP, TcpSpec::default(), TcpSpec::default());
    let message = b"MSRP abcd SEND\r\nTo-Path: msrp://b\r\nFrom-Path: msrp://a\r\n-------abcd$\r\n";
    // Ended in order, by a reset in the middle of a message, as no MSRP at all, and from the other side.
    for round in 0..4 {
        let (ue, core) = rig.up(&call);
        ue.send(message).unwrap();
        rig.settle();
        assert_eq!(read(&core).0, message, "round {round}");
        match round {
            0 => (ue.finish(), core.finish()),
            1 => {
                ue.send(&message[..20]).unwrap();
                rig.settle();
                (ue.reset(), ())
            }
            2 => (drop(ue.send(b"GET / HTTP/1.1\r\n\r\n")), ()),
            _ => (core.reset(), ()),
        };
        rig.settle();
        assert_eq!(rig.net.gateway_connections(), 0, "round {round}");
        let told = rig.take_notices();
        assert_eq!(told.len(), 4, "each side came up and ended: {told:?}");
    }
    rig.pass(Duration::from_secs(300));
    assert!(rig.take_notices().is_empty(), "that nobody comes is told only before the first");
    rig.command(Command::RemoveContext(call.context));
    rig.check_empty();
}

#[test]
fn a_far_side_that_refuses_once_may_be_tried_again() {
    let mut rig = Rig::new();
    let call = rig.call(TcpSpec::default(), TcpSpec::default());
    let ue = call.ue.host.connect(call.ue.local).unwrap();
    rig.settle();
    assert!(was_reset(&ue));
    drop(ue);
    let (ue, core) = rig.up(&call);
    ue.send(b"again").unwrap();
    rig.settle();
    assert_eq!(read(&core).0, b"again");
}

#[test]
fn told_to_connect_again_the_first_message_is_looked_for_anew() {
    let mut rig = Rig::new();
    let context = rig.context();
    let ue = rig.add(context, "access", MSRP, role(TcpSetup::Passive));
    let mut core = rig.add(context, "core", MSRP, role(TcpSetup::Active));
    core.host.listen();
    let _ue = ue.host.connect(ue.local).unwrap();
    rig.establish(&mut core);
    rig.settle();
    core.host.accept().unwrap().send(b"no MSRP\r\n").unwrap();
    rig.settle();
    rig.establish(&mut core);
    rig.settle();
    let again = core.host.accept().expect("connected again");
    again.send(b"MSRP abcd 200 OK\r\n").unwrap();
    rig.settle();
    assert!(read(&again).1.is_none(), "what was wrong was wrong with the first connection");
}

#[test]
fn a_crowd_of_connections_is_let_in_a_few_a_turn_so_that_media_wait_little() {
    let mut rig = Rig::new();
    let calls: Vec<_> = (0..20).map(|_| rig.call(role(TcpSetup::Passive), role(TcpSetup::Passive))).collect();
    let phones: Vec<_> = calls.iter().map(|call| call.ue.host.connect(call.ue.local).unwrap()).collect();
    rig.net.set_connection_cost(Duration::from_micros(90));
    let accepted = |rig: &Rig| rig.count(Leg::Access, ConnectionEvent::Accepted);
    let mut turns = 0;
    while accepted(&rig) < 20 {
        let (before, began) = (accepted(&rig), rig.net.now());
        rig.turn();
        turns += 1;
        let took_us = rig.net.now().0 - began.0 - 1000;
        assert!(took_us <= 300, "{} were let in during {took_us} us", accepted(&rig) - before);
        assert!(turns < 100, "the crowd is let in");
    }
    assert!(turns >= 7, "{turns}");
    assert!(phones.iter().all(|phone| phone.established().is_ok()));
}

#[test]
fn a_port_listens_when_the_controller_is_told_of_it_however_many_others_wait_to_be_looked_at() {
    let mut rig = Rig::new();
    let calls: Vec<_> = (0..40).map(|_| rig.call(role(TcpSetup::Passive), role(TcpSetup::Passive))).collect();
    let phones: Vec<_> = calls.iter().map(|call| call.ue.host.connect(call.ue.local).unwrap()).collect();
    rig.net.set_connection_cost(Duration::from_micros(90));
    let late = rig.call(role(TcpSetup::Passive), role(TcpSetup::Passive));
    let [ue, core] = [&late.ue, &late.core].map(|side| side.host.connect(side.local).unwrap());
    assert!(rig.count(Leg::Access, ConnectionEvent::Accepted) < 40, "the others still wait");
    rig.settle();
    rig.settle();
    assert!(ue.established().is_ok() && core.established().is_ok());
    assert!(phones.iter().all(|phone| phone.established().is_ok()));
}
