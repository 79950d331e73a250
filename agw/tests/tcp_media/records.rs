//! TLS that breaks its rules: records and handshakes that are too long, renegotiation, and keys that change without end.

use crate::common::{Gateway, eventually};
use crate::ground::{Beside, Line, connected, crosses, is_over, phone};
use interop::connection::Certificate;
use interop::peers::program;
use interop::process::Peer;
use loadtest::msrp::tls::Identity;
use std::io::{Read, Write};
use std::process::Command;
use std::time::Duration;

fn failed(gateway: &Gateway, reason: &str) -> f64 {
    gateway.metric("agw_handshakes_total", &["role=\"server\"", &format!("result=\"{reason}\"")])
}

fn broken(gateway: &Gateway, reason: &str) -> f64 {
    gateway.metric("agw_tls_sessions_broken_total", &[&format!("reason=\"{reason}\"")])
}

#[test]
fn before_the_peer_is_proven_nothing_that_is_too_long_is_kept() {
    let gateway = Gateway::start(&["tls.handshake_bytes=8192"]);
    let beside = Beside::start(&gateway);
    let identity = Identity::generate().unwrap();
    let line = Line::tls(&mut gateway.controller(), &identity.fingerprint);

    // A record of 65,535 bytes.
    let mut long = connected(line.access);
    long.write_all(&[22, 3, 1, 0xff, 0xff]).unwrap();
    let _ = long.write_all(&[0; 65_535]);
    assert!(is_over(&long));
    eventually("counted", || (failed(&gateway, "misbehaved") == 1.0).then_some(()));

    // A ClientHello of 65,000 bytes in records that are as they should be.
    let mut endless = connected(line.access);
    let mut hello = vec![1, 0, 0xfd, 0xe8, 3, 3];
    hello.resize(65_004, 0);
    for piece in hello.chunks(4096) {
        let record = [&[22, 3, 1, (piece.len() >> 8) as u8, piece.len() as u8], piece].concat();
        if endless.write_all(&record).is_err() {
            break;
        }
    }
    assert!(is_over(&endless));
    eventually("counted", || (failed(&gateway, "handshake_too_long") == 1.0).then_some(()));

    crosses(phone(&identity, line.access), connected(line.core), b"and the peer still comes");
    beside.was_not_disturbed();
}

#[test]
fn a_record_that_is_too_long_ends_a_session_and_no_byte_of_it_passes() {
    let gateway = Gateway::start(&[]);
    let beside = Beside::start(&gateway);
    let identity = Identity::generate().unwrap();
    let line = Line::tls(&mut gateway.controller(), &identity.fingerprint);
    let (mut session, core) = (phone(&identity, line.access), connected(line.core));
    crosses(&mut session, &core, b"in order");
    session.sock.write_all(&[23, 3, 3, 0xff, 0xff]).unwrap();
    let _ = session.sock.write_all(&[b'x'; 65_535]);
    let rest = (&core).read(&mut [0; 100]);
    assert!(!matches!(rest, Ok(1..)), "{rest:?}");
    assert!(is_over(&session.sock));
    eventually("counted", || (broken(&gateway, "misbehaved") == 1.0).then_some(()));
    beside.was_not_disturbed();
}

#[test]
fn keys_that_change_without_end_end_the_session() {
    let gateway = Gateway::start(&[]);
    let beside = Beside::start(&gateway);
    let identity = Identity::generate().unwrap();
    let line = Line::tls(&mut gateway.controller(), &identity.fingerprint);
    let (mut session, core) = (phone(&identity, line.access), connected(line.core));
    for _ in 0..5 {
        session.conn.refresh_traffic_keys().unwrap();
        crosses(&mut session, &core, b"new keys now and then are as it should be");
        crosses(&core, &mut session, b"on both sides");
    }
    for _ in 0..10_000 {
        if session.conn.refresh_traffic_keys().is_err() || session.flush().is_err() {
            break;
        }
    }
    assert!(is_over(&session.sock));
    eventually("counted", || (broken(&gateway, "misbehaved") == 1.0).then_some(()));
    beside.was_not_disturbed();
}

#[test]
fn a_renegotiation_is_refused_and_what_openssl_makes_of_that_is_counted() {
    let Some(_openssl) = interop::require("openssl", || program("openssl")) else { return };
    let gateway = Gateway::start(&[]);
    let beside = Beside::start(&gateway);
    let certificate = Certificate::ecdsa("renegotiation");
    let line = Line::tls(&mut gateway.controller(), &certificate.fingerprint);
    let base = certificate.base().display();
    // A line that is no more than R asks for it.
    let words = format!(
        "(echo 'before it'; sleep 1; echo R; sleep 10) | openssl s_client -connect {} -tls1_2 -cert {base}.pem -key {base}.key",
        line.access
    );
    let _phone = Peer::start(Command::new("sh").args(["-c", &words]), Duration::from_secs(60)).unwrap();
    let core = connected(line.core);
    let mut all = String::new();
    let _ = (&core).read_to_string(&mut all);
    assert_eq!(all, "before it\n");
    // The refusal is a warning (RFC 5246 section 7.2.2), which OpenSSL takes for the end.
    eventually("counted", || {
        (broken(&gateway, "alert") + broken(&gateway, "renegotiation") == 1.0).then_some(())
    });
    beside.was_not_disturbed();
}
