//! How connections carry and end: half close, reset, back-pressure, and what is left of them.

use crate::ground::{Ground, Host, Peer};
use crate::rig::{PeerOf, Rig};
use agw_core::io::stream::{ConnectionHandle, StreamEvent, StreamIo};
use agw_core::model::Family;
use std::io;

fn pair<G: Ground>(rig: &mut Rig<G>) -> (ConnectionHandle, PeerOf<G>) {
    let port = rig.listening(Family::V4);
    rig.joined(port, Family::V4)
}

/// Bytes that tell where they belong.
fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 + at / 251) as u8).collect()
}

pub(crate) fn the_peer_may_finish_first_and_still_hear_us<G: Ground>(rig: &mut Rig<G>) {
    let (connection, peer) = pair(rig);
    peer.send(b"last words").unwrap();
    peer.finish();
    assert_eq!(rig.read(connection, None).unwrap(), b"last words");
    assert_eq!(rig.io().receive(connection, &mut [0; 1]).unwrap(), 0, "the end stays the end");
    rig.write(connection, b"answer").unwrap();
    rig.io().finish(connection);
    assert_eq!(rig.peer_reads(&peer, None).unwrap(), b"answer");
    rig.io().release(connection, false);
}

pub(crate) fn we_may_finish_first_and_still_hear_the_peer<G: Ground>(rig: &mut Rig<G>) {
    let (connection, peer) = pair(rig);
    rig.write(connection, b"last words").unwrap();
    rig.io().finish(connection);
    rig.io().finish(connection);
    let more = rig.io().transmit(connection, b"more");
    assert_eq!(more.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    assert_eq!(rig.peer_reads(&peer, None).unwrap(), b"last words");
    peer.send(b"answer").unwrap();
    peer.finish();
    assert_eq!(rig.read(connection, None).unwrap(), b"answer");
}

pub(crate) fn a_reset_by_the_peer_is_told_and_stays<G: Ground>(rig: &mut Rig<G>) {
    let (connection, peer) = pair(rig);
    peer.reset();
    rig.await_event(StreamEvent::Readable(connection));
    for _ in 0..2 {
        let read = rig.io().receive(connection, &mut [0; 1]);
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
        let written = rig.io().transmit(connection, b"x");
        assert_eq!(written.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
    rig.io().release(connection, false);
}

pub(crate) fn a_reset_that_a_write_hears_of_first_is_none_the_less_a_reset<G: Ground>(rig: &mut Rig<G>) {
    let (connection, peer) = pair(rig);
    peer.reset();
    rig.await_event(StreamEvent::Readable(connection));
    assert_eq!(rig.io().transmit(connection, b"x").unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    let read = rig.io().receive(connection, &mut [0; 1]);
    assert_eq!(read.unwrap_err().kind(), io::ErrorKind::ConnectionReset, "not an end in order");
}

pub(crate) fn our_reset_reaches_the_peer<G: Ground>(rig: &mut Rig<G>) {
    let (connection, peer) = pair(rig);
    rig.io().release(connection, true);
    assert_eq!(rig.peer_reads(&peer, None).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

pub(crate) fn what_was_written_goes_out_after_the_release<G: Ground>(rig: &mut Rig<G>) {
    let (connection, peer) = pair(rig);
    // What the peer has sent and nobody has read must not turn the end into a reset.
    peer.send(b"unread").unwrap();
    rig.await_event(StreamEvent::Readable(connection));
    rig.write(connection, &pattern(20_000)).unwrap();
    rig.io().release(connection, false);
    assert_eq!(rig.peer_reads(&peer, None).unwrap(), pattern(20_000));
}

pub(crate) fn a_writer_waits_for_a_reader_that_does_not_read<G: Ground>(rig: &mut Rig<G>) {
    let (connection, peer) = pair(rig);
    let all = pattern(8 << 20);
    let mut sent = 0;
    // Turns without an event in between, so that loopback has moved what it can.
    for _ in 0..20 {
        while let Ok(more) = rig.io().transmit(connection, &all[sent..]) {
            sent += more;
        }
        rig.turn();
    }
    rig.events.clear();
    let full = loop {
        match rig.io().transmit(connection, &all[sent..]) {
            Ok(more) => sent += more,
            Err(full) => break full,
        }
    };
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
    assert!(sent > 0 && sent < 4 << 20, "{sent} bytes are under way to one who does not read");
    let mut read: Vec<u8> = Vec::new();
    while read.len() < all.len() {
        let len = sent - read.len();
        read.extend(rig.peer_reads(&peer, Some(len)).unwrap());
        if sent < all.len() {
            rig.await_event(StreamEvent::Writable(connection));
            while sent < all.len()
                && let Ok(more) = rig.io().transmit(connection, &all[sent..])
            {
                sent += more;
            }
        }
    }
    assert!(read == all, "every byte, in order");
}

pub(crate) fn the_peer_waits_when_we_do_not_read<G: Ground>(rig: &mut Rig<G>) {
    let (connection, peer) = pair(rig);
    let all = pattern(8 << 20);
    let mut sent = 0;
    for _ in 0..20 {
        while let Ok(more) = peer.send(&all[sent..]) {
            sent += more;
        }
        rig.turn();
    }
    assert!(sent < all.len(), "the peer is held back");
    let mut read: Vec<u8> = Vec::new();
    let mut buffer = vec![0; 64 * 1024];
    rig.until("all of it", |rig| {
        while let Ok(more) = rig.io().receive(connection, &mut buffer) {
            read.extend(&buffer[..more]);
        }
        while sent < all.len()
            && let Ok(more) = peer.send(&all[sent..])
        {
            sent += more;
        }
        (read.len() == all.len()).then_some(())
    });
    assert!(read == all, "every byte, in order");
}

pub(crate) fn handles_of_what_was_released_reach_nobody<G: Ground>(rig: &mut Rig<G>) {
    let port = rig.listening(Family::V4);
    let (old, peer) = rig.joined(port, Family::V4);
    // Something is told of the old one and not yet taken when it is released.
    peer.send(b"for the old one").unwrap();
    rig.ground.pass();
    rig.io().release(old, true);
    let (new, other) = rig.joined(port, Family::V4);
    assert_ne!(old, new);
    for _ in 0..10 {
        rig.turn();
    }
    assert!(!rig.events.contains(&StreamEvent::Readable(old)));
    assert!(!rig.events.contains(&StreamEvent::Readable(new)));
    let not_connected = io::ErrorKind::NotConnected;
    assert_eq!(rig.io().receive(old, &mut [0; 9]).unwrap_err().kind(), not_connected);
    assert_eq!(rig.io().transmit(old, b"stray").unwrap_err().kind(), not_connected);
    assert_eq!(rig.io().established(old).unwrap_err().kind(), not_connected);
    rig.io().finish(old);
    rig.io().release(old, true);
    rig.write(new, b"new").unwrap();
    assert_eq!(rig.peer_reads(&other, Some(3)).unwrap(), b"new", "untouched by all that");
}

pub(crate) fn a_connection_given_up_under_way_never_comes_up<G: Ground>(rig: &mut Rig<G>) {
    let port = rig.port(Family::V4);
    let mut host = rig.ground.host(Family::V4);
    host.listen();
    let connection = rig.io().connect(port.handle, host.address()).unwrap();
    rig.io().release(connection, true);
    for _ in 0..10 {
        rig.turn();
    }
    assert!(rig.events.is_empty(), "{:?}", rig.events);
    if let Some(peer) = host.accept() {
        assert_eq!(rig.peer_reads(&peer, None).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
}
