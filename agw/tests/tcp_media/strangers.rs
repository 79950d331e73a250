//! Many who connect and do not show who they are: silent, slow, or as many as can be (TLS-12).

use crate::common::{Gateway, eventually};
use crate::ground::{Beside, Line, connected, crosses, is_over, phone, stranger};
use loadtest::msrp::tls::Identity;
use std::io::Write;
use std::net::TcpStream;
use std::time::Duration;

/// The beginning of a ClientHello.
const HELLO: [u8; 12] = [22, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3, 7];

fn unproven(gateway: &Gateway) -> f64 {
    gateway.metric("agw_connections_open", &["proven=\"no\""])
}

fn turned_away(gateway: &Gateway) -> f64 {
    gateway.metric("agw_connections_total", &["leg=\"access\"", "event=\"turned_away\""])
}

#[test]
fn slow_handshakes_take_a_few_places_each_for_a_while_and_the_peer_still_comes() {
    let gateway = Gateway::start(&["tcp.handshake_ms=1000", "tcp.unproven=3"]);
    let beside = Beside::start(&gateway);
    let identity = Identity::generate().unwrap();
    let line = Line::tls(&mut gateway.controller(), &identity.fingerprint);
    let slow: Vec<TcpStream> = (1..=60).map(|number| stranger(line.access, number)).collect();
    for octet in HELLO {
        for mut stream in &slow {
            // Most have been reset.
            let _ = stream.write_all(&[octet]);
        }
        assert!(unproven(&gateway) <= 3.0);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(slow.iter().all(is_over), "those who were let in have had their time");
    let timed_out = gateway.metric("agw_handshakes_total", &["result=\"timed_out\""]);
    assert_eq!((timed_out, turned_away(&gateway)), (3.0, 57.0));

    let more: Vec<TcpStream> = (1..=60).map(|number| stranger(line.access, number)).collect();
    let (session, core) = (phone(&identity, line.access), connected(line.core));
    crosses(session, core, b"here all the same");
    assert!(more.iter().all(is_over), "once the peer is there nobody else is wanted");
    assert_eq!(unproven(&gateway), 0.0);
    beside.was_not_disturbed();
}

#[test]
fn who_shares_the_peers_address_and_says_nothing_gives_way_to_it() {
    let gateway = Gateway::start(&["tcp.give_way_ms=200", "tcp.handshake_ms=120000"]);
    let beside = Beside::start(&gateway);
    let identity = Identity::generate().unwrap();
    let line = Line::tls(&mut gateway.controller(), &identity.fingerprint);
    let silent: Vec<TcpStream> = (0..4).map(|_| connected(line.access)).collect();
    eventually("all places are taken", || (unproven(&gateway) == 4.0).then_some(()));
    let (session, core) = (phone(&identity, line.access), connected(line.core));
    crosses(session, core, b"behind the same translator");
    assert!(silent.iter().all(is_over));
    beside.was_not_disturbed();
}

#[test]
fn a_flood_over_many_streams_ends_at_the_bound_of_the_worker_and_peers_still_come() {
    const STREAMS: u8 = 30;
    let gateway = Gateway::start(&["tcp.unproven_per_worker=64"]);
    let beside = Beside::start(&gateway);
    let identity = Identity::generate().unwrap();
    let mut controller = gateway.controller();
    let lines: Vec<Line> = (0..STREAMS).map(|_| Line::tls(&mut controller, &identity.fingerprint)).collect();
    let flood: Vec<TcpStream> =
        (1..=8).flat_map(|number| lines.iter().map(move |line| stranger(line.access, number))).collect();
    let refused = flood.len() as f64 - 64.0;
    eventually("the rest is turned away", || (turned_away(&gateway) == refused).then_some(()));
    assert_eq!(unproven(&gateway), 64.0);
    for line in [&lines[0], &lines[usize::from(STREAMS) - 1]] {
        crosses(phone(&identity, line.access), connected(line.core), b"from where it was to come");
    }
    beside.was_not_disturbed();
    for line in &lines {
        let ended = controller.transact(&format!("Context = {} {{ Subtract = * }}", line.context));
        assert!(!ended.contains("Error"), "{ended}");
    }
    eventually("nobody is left", || (unproven(&gateway) == 0.0).then_some(()));
    assert!(flood.iter().all(is_over));
}

#[test]
fn a_second_connection_to_a_stream_does_not_get_in_nor_does_it_disturb_the_first() {
    let gateway = Gateway::start(&[]);
    let beside = Beside::start(&gateway);
    let identity = Identity::generate().unwrap();
    let line = Line::tls(&mut gateway.controller(), &identity.fingerprint);
    let mut session = phone(&identity, line.access);
    let core = connected(line.core);
    crosses(&mut session, &core, b"the first");
    let open = gateway.metric("agw_connections_open", &[]);
    for at in [line.access, line.core] {
        for _ in 0..20 {
            let second = TcpStream::connect(at);
            assert!(second.is_err() || second.is_ok_and(|second| is_over(&second)));
        }
    }
    crosses(&core, &mut session, b"still there");
    assert_eq!(gateway.metric("agw_connections_open", &[]), open);
    beside.was_not_disturbed();
}
