//! Connections as every backend carries them, each case tried on the pretend network and on real sockets over loopback.

mod coming_up;
mod ending;
mod ground;
mod rig;

use agw_core::command::order::PortKey;
use agw_core::io::sim::Link;
use agw_core::io::stream::{StreamEvent, StreamIo, StreamOpener};
use agw_core::io::{Batch, PacketIo, PortOptions, sys};
use agw_core::model::Family;
use ground::{Epoll, Ground, Host, Sim};
use rig::{Port, Rig};
use std::io;
use std::time::{Duration, Instant};

macro_rules! on_every_ground {
    ($($module:ident :: { $($case:ident),* $(,)? }),* $(,)?) => {
        mod on_the_pretend_network {
            use super::*;
            $($(#[test] fn $case() { crate::$module::$case(&mut Rig::<Sim>::new()); })*)*
        }
        mod on_epoll {
            use super::*;
            $($(#[test] fn $case() { crate::$module::$case(&mut Rig::<Epoll>::new()); })*)*
        }
    };
}

on_every_ground! {
    coming_up::{
        a_peer_connects_and_bytes_go_both_ways,
        what_was_sent_before_it_was_accepted_is_told,
        we_connect_from_the_bound_address_and_port,
        a_port_listens_and_connects,
        nobody_connects_unless_we_listen,
        who_refuses_is_told_as_refusing,
        a_port_does_not_connect_to_itself,
        the_other_family_is_refused_at_once,
        a_port_is_bound_by_one_and_again_at_once_when_it_is_closed,
        a_thousand_connections_at_one_port_are_told_apart,
    },
    ending::{
        the_peer_may_finish_first_and_still_hear_us,
        we_may_finish_first_and_still_hear_the_peer,
        a_reset_by_the_peer_is_told_and_stays,
        a_reset_that_a_write_hears_of_first_is_none_the_less_a_reset,
        our_reset_reaches_the_peer,
        what_was_written_goes_out_after_the_release,
        a_writer_waits_for_a_reader_that_does_not_read,
        the_peer_waits_when_we_do_not_read,
        handles_of_what_was_released_reach_nobody,
        a_connection_given_up_under_way_never_comes_up,
    },
}

#[test]
fn a_bad_network_is_slower_and_loses_nothing() {
    let mut rig = Rig::<Sim>::new();
    rig.ground.net.set_link(Link {
        loss_per_mille: 50,
        delay_us: 20_000,
        jitter_us: 30_000,
        ..Link::default()
    });
    ending::a_writer_waits_for_a_reader_that_does_not_read(&mut rig);
    coming_up::a_port_listens_and_connects(&mut rig);
    ending::the_peer_may_finish_first_and_still_hear_us(&mut rig);
}

#[test]
fn where_nobody_is_a_connection_is_never_answered() {
    let mut rig = Rig::<Sim>::new();
    let port = rig.port(Family::V4);
    let silent = rig.ground.host(Family::V4);
    silent.listen();
    silent.set_silent(true);
    for nobody in ["203.0.113.77:5000".parse().unwrap(), silent.address()] {
        let connection = rig.io().connect(port.handle, nobody).unwrap();
        rig.ground.net.advance(Duration::from_secs(600));
        rig.turn();
        assert_eq!(rig.io().established(connection).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        assert!(rig.events.is_empty());
    }
}

#[test]
fn where_there_is_no_way_a_connection_fails_as_unreachable() {
    let mut rig = Rig::<Sim>::new();
    let port = rig.port(Family::V4);
    let nowhere = "203.0.113.99:9".parse().unwrap();
    rig.ground.net.make_unreachable(nowhere);
    let connection = rig.io().connect(port.handle, nowhere).unwrap();
    assert_eq!(rig.outcome(connection).unwrap_err().kind(), io::ErrorKind::HostUnreachable);
}

#[test]
fn news_of_connections_end_the_wait_of_a_worker() {
    let mut rig = Rig::<Epoll>::new();
    let port = rig.listening(Family::V4);
    let (connection, peer) = rig.joined(port, Family::V4);
    let mut late = rig.ground.host(Family::V4);
    let mut batch = Batch::new();
    // Nothing is left over from before.
    while rig.io().poll_stream().is_some() {}
    rig.io().reap(&mut batch, Duration::ZERO).unwrap();
    assert_eq!(rig.io().poll_stream(), None);
    for (wanted, cause) in [
        (StreamEvent::Readable(connection), Box::new(move || drop(peer)) as Box<dyn FnOnce() + Send>),
        (StreamEvent::Knock(port.handle), Box::new(move || drop(late.connect(port.local)))),
    ] {
        let began = Instant::now();
        let later = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(50));
            cause();
        });
        let mut told = None;
        while told.is_none() && began.elapsed() < Duration::from_secs(20) {
            rig.io().reap(&mut batch, Duration::from_secs(60)).unwrap();
            told = rig.io().poll_stream();
        }
        assert_eq!(told, Some(wanted));
        assert!(began.elapsed() < Duration::from_secs(20));
        later.join().unwrap();
    }
    while rig.io().poll_stream().is_some() {}
    // Though one waits to be accepted, and another to be read.
    let began = Instant::now();
    rig.io().reap(&mut batch, Duration::from_millis(200)).unwrap();
    assert!(began.elapsed() >= Duration::from_millis(200), "a worker without news rests");
}

#[test]
fn connections_have_the_code_point_of_their_port() {
    let mut rig = Rig::<Epoll>::new();
    for family in [Family::V4, Family::V6] {
        let local = rig.ground.local(family);
        let key = PortKey { address: 0, port: local.port() };
        let handle = rig.ground.ports().open_stream(0, key, local, PortOptions { dscp: 46 }).unwrap();
        rig.io().listen(handle).unwrap();
        let (_, _peer) = rig.joined(Port { handle, local }, family);
        let mut host = rig.ground.host(family);
        host.listen();
        let connection = rig.io().connect(handle, host.address()).unwrap();
        rig.outcome(connection).unwrap();
        // Of our sockets those that are bound here: the port's, the accepted one and the one that connects.
        let marks: Vec<u32> = (0..1024)
            .filter_map(|fd| {
                sys::with_port(fd, |socket| {
                    let bound = socket.local_addr()?.as_socket() == Some(local);
                    let mark = if local.is_ipv4() { socket.tos_v4()? } else { socket.tclass_v6()? };
                    Ok(bound.then_some(mark))
                })
                .ok()
                .flatten()
            })
            .collect();
        assert_eq!(marks, [46 << 2; 3]);
    }
}

#[test]
fn without_descriptors_who_waits_is_not_lost() {
    let mut rig = Rig::<Sim>::new();
    let port = rig.listening(Family::V4);
    rig.ground.net.set_connection_room(Some(1));
    let (first, _peer) = rig.joined(port, Family::V4);
    let mut host = rig.ground.host(Family::V4);
    let _waiting = Host::connect(&mut host, port.local);
    rig.await_event(StreamEvent::Knock(port.handle));
    assert_eq!(rig.io().accept(port.handle).unwrap_err().raw_os_error(), Some(24), "EMFILE");
    rig.io().release(first, true);
    rig.io().accept(port.handle).expect("there is room again");
}
