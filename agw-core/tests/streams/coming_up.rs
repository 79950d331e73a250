//! How connections come about, and how they do not.

use crate::ground::{Ground, Host, Peer};
use crate::rig::{Rig, settled};
use agw_core::io::stream::{StreamEvent, StreamIo, StreamOpener};
use agw_core::model::Family;
use std::collections::HashSet;
use std::io;

pub(crate) fn a_peer_connects_and_bytes_go_both_ways<G: Ground>(rig: &mut Rig<G>) {
    for family in [Family::V4, Family::V6] {
        let port = rig.listening(family);
        let (connection, peer) = rig.joined(port, family);
        assert_eq!(peer.remote(), port.local);
        peer.send(b"hello").unwrap();
        assert_eq!(rig.read(connection, Some(5)).unwrap(), b"hello");
        rig.write(connection, b"and back").unwrap();
        assert_eq!(rig.peer_reads(&peer, Some(8)).unwrap(), b"and back");
        rig.io().release(connection, false);
    }
}

pub(crate) fn what_was_sent_before_it_was_accepted_is_told<G: Ground>(rig: &mut Rig<G>) {
    let port = rig.listening(Family::V4);
    let peer = rig.ground.host(Family::V4).connect(port.local);
    rig.until("up", |_| peer.established().ok());
    peer.send(b"early").unwrap();
    rig.await_event(StreamEvent::Knock(port.handle));
    for _ in 0..10 {
        rig.turn();
    }
    let (connection, _) = rig.accept(port);
    rig.await_event(StreamEvent::Readable(connection));
    assert_eq!(rig.read(connection, Some(5)).unwrap(), b"early");
}

pub(crate) fn we_connect_from_the_bound_address_and_port<G: Ground>(rig: &mut Rig<G>) {
    for family in [Family::V4, Family::V6] {
        let port = rig.port(family);
        let mut host = rig.ground.host(family);
        host.listen();
        let connection = rig.io().connect(port.handle, host.address()).unwrap();
        rig.outcome(connection).unwrap();
        let peer = rig.until("accepted", |_| host.accept());
        assert_eq!(peer.remote(), port.local);
        rig.write(connection, b"ours").unwrap();
        assert_eq!(rig.peer_reads(&peer, Some(4)).unwrap(), b"ours");
        peer.send(b"theirs").unwrap();
        assert_eq!(rig.read(connection, Some(6)).unwrap(), b"theirs");
    }
}

pub(crate) fn a_port_listens_and_connects<G: Ground>(rig: &mut Rig<G>) {
    let port = rig.listening(Family::V4);
    let (first, peer) = rig.joined(port, Family::V4);
    // While it listens, with a connection of its own.
    let mut host = rig.ground.host(Family::V4);
    host.listen();
    let second = rig.io().connect(port.handle, host.address()).unwrap();
    rig.outcome(second).unwrap();
    let far = rig.until("accepted", |_| host.accept());
    assert_eq!(far.remote(), port.local);
    // It still listens.
    let (third, other) = rig.joined(port, Family::V4);
    // And when it listens no more.
    rig.io().stop_listening(port.handle).unwrap();
    let mut late = rig.ground.host(Family::V4);
    late.listen();
    let fourth = rig.io().connect(port.handle, late.address()).unwrap();
    rig.outcome(fourth).unwrap();
    let last = rig.until("accepted", |_| late.accept());
    // And listens anew.
    rig.io().listen(port.handle).unwrap();
    let (fifth, again) = rig.joined(port, Family::V4);
    for (connection, peer) in [(first, peer), (second, far), (third, other), (fourth, last), (fifth, again)] {
        peer.send(b"x").unwrap();
        assert_eq!(rig.read(connection, Some(1)).unwrap(), b"x");
    }
}

pub(crate) fn nobody_connects_unless_we_listen<G: Ground>(rig: &mut Rig<G>) {
    let port = rig.port(Family::V4);
    let refused = |rig: &mut Rig<G>| {
        let peer = rig.ground.host(Family::V4).connect(port.local);
        let outcome = rig.until("refused", |_| settled(peer.established()));
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    };
    refused(rig);
    rig.io().listen(port.handle).unwrap();
    let (kept, peer) = rig.joined(port, Family::V4);
    let waiting = rig.ground.host(Family::V4).connect(port.local);
    rig.until("up", |_| waiting.established().ok());
    rig.io().stop_listening(port.handle).unwrap();
    let end = rig.peer_reads(&waiting, None);
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset, "who waits is reset");
    refused(rig);
    assert!(rig.io().accept(port.handle).is_err());
    peer.send(b"still here").unwrap();
    assert_eq!(rig.read(kept, Some(10)).unwrap(), b"still here");
}

pub(crate) fn who_refuses_is_told_as_refusing<G: Ground>(rig: &mut Rig<G>) {
    let port = rig.port(Family::V4);
    let host = rig.ground.host(Family::V4);
    let connection = rig.io().connect(port.handle, host.address()).unwrap();
    let refused = io::ErrorKind::ConnectionRefused;
    assert_eq!(rig.outcome(connection).unwrap_err().kind(), refused);
    assert_eq!(rig.io().established(connection).unwrap_err().kind(), refused, "and stays so");
    assert_eq!(rig.io().receive(connection, &mut [0; 9]).unwrap_err().kind(), refused);
    assert_eq!(rig.io().transmit(connection, b"x").unwrap_err().kind(), refused);
    rig.io().release(connection, false);
}

pub(crate) fn a_port_does_not_connect_to_itself<G: Ground>(rig: &mut Rig<G>) {
    let port = rig.port(Family::V4);
    let outcome = match rig.io().connect(port.handle, port.local) {
        Ok(connection) => rig.outcome(connection),
        Err(e) => Err(e),
    };
    assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
}

pub(crate) fn the_other_family_is_refused_at_once<G: Ground>(rig: &mut Rig<G>) {
    let port = rig.port(Family::V4);
    let host = rig.ground.host(Family::V6);
    assert!(rig.io().connect(port.handle, host.address()).is_err());
}

pub(crate) fn a_port_is_bound_by_one_and_again_at_once_when_it_is_closed<G: Ground>(rig: &mut Rig<G>) {
    let port = rig.listening(Family::V4);
    let key = agw_core::command::order::PortKey { address: 0, port: port.local.port() };
    let options = agw_core::io::PortOptions::default();
    let taken = rig.ground.ports().open_stream(0, key, port.local, options);
    assert_eq!(taken.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    // We close first, so that what is left of the connection is at our side.
    let (connection, peer) = rig.joined(port, Family::V4);
    rig.io().release(connection, false);
    assert_eq!(rig.peer_reads(&peer, None).unwrap(), b"");
    drop(peer);
    rig.io().stop_listening(port.handle).unwrap();
    rig.ground.ports().close_stream(0, port.handle);
    assert!(rig.io().listen(port.handle).is_err(), "the handle is over");
    let handle = rig.ground.open(port.local);
    assert_ne!(handle, port.handle);
    rig.io().listen(handle).unwrap();
    let again = crate::rig::Port { handle, ..port };
    rig.joined(again, Family::V4);
}

pub(crate) fn a_thousand_connections_at_one_port_are_told_apart<G: Ground>(rig: &mut Rig<G>) {
    let port = rig.listening(Family::V4);
    let mut all = Vec::new();
    for number in 0..1000_u32 {
        let (connection, peer) = rig.joined(port, Family::V4);
        peer.send(&number.to_be_bytes()).unwrap();
        all.push((number, connection, peer));
    }
    assert_eq!(all.iter().map(|(_, connection, _)| connection).collect::<HashSet<_>>().len(), 1000);
    for (number, connection, peer) in &all {
        assert_eq!(rig.read(*connection, Some(4)).unwrap(), number.to_be_bytes());
        rig.write(*connection, &(number + 1).to_be_bytes()).unwrap();
        assert_eq!(rig.peer_reads(peer, Some(4)).unwrap(), (number + 1).to_be_bytes());
    }
    for (_, connection, _) in &all {
        rig.io().release(*connection, true);
    }
    for (_, _, peer) in &all {
        let end = rig.peer_reads(peer, None);
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
}
