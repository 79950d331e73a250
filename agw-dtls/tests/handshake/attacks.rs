//! What strangers try: racing and foreign ClientHellos, replayed flights, noise. The handshake and the session go on untouched (DTLS-5).

use agw_dtls::{Role, Settings, Version};
use agw_tls::{HashFunction, Identity};

use crate::wire::{Dice, End, Weather, Wire, settings};

const CLIENT: usize = 0;
const SERVER: usize = 1;

fn only(version: Version, seed: u64) -> Settings {
    let (dtls12, dtls13) = (version == Version::Dtls12, version == Version::Dtls13);
    Settings { dtls12, dtls13, ..settings(seed) }
}

/// The first datagrams of a client of nobody's.
fn foreign_hello(version: Version, seed: u64) -> Vec<Vec<u8>> {
    let stranger = Identity::generate().unwrap();
    End::new(&only(version, seed), Role::Client, &stranger, &[], 0).drain()
}

#[test]
fn a_foreign_client_hello_to_a_running_session_changes_nothing() {
    for version in [Version::Dtls12, Version::Dtls13] {
        for foreign in [Version::Dtls12, Version::Dtls13] {
            let mut wire = Wire::between(&only(version, 1), &settings(2), Weather::default(), 1);
            assert!(wire.connect());
            wire.run_until(5, |_| false);
            let before = wire.sent.len();
            for datagram in foreign_hello(foreign, 77) {
                for _ in 0..100 {
                    wire.inject(SERVER, &datagram);
                    wire.inject(CLIENT, &datagram);
                }
            }
            assert_eq!(wire.sent.len(), before, "{version:?} {foreign:?}: it is not answered");
            assert!(wire.ends.iter().all(|end| end.failure.is_none() && !end.closed));
            wire.ends[CLIENT].session.send(b"still there").unwrap();
            wire.collect();
            assert!(wire.run_until(60, |wire| wire.ends[SERVER].data == b"still there"));
        }
    }
}

/// Strangers who write the peer's address into their hellos are first, once or in a flood; what they are answered goes to the peer, who has not
/// begun and does not care. The peer then gets its handshake.
#[test]
fn a_client_hello_that_wins_the_race_does_not_win_the_server() {
    for version in [Version::Dtls12, Version::Dtls13] {
        for foreign in [Version::Dtls12, Version::Dtls13] {
            for (strangers, quiet_us) in [(1, 0), (50, 2_000_000)] {
                let [client, server] = std::array::from_fn(|_| Identity::generate().unwrap());
                let [of_client, of_server] =
                    [&client, &server].map(|identity| [identity.fingerprint(HashFunction::Sha256)]);
                let mut server = End::new(&settings(2), Role::Server, &server, &of_client, 0);
                let mut answers = 0;
                for stranger in 0..strangers {
                    for datagram in foreign_hello(foreign, 1000 + stranger) {
                        server.session.handle_datagram(&datagram, 0);
                        answers += server.drain().len();
                    }
                }
                assert!((1..=3).contains(&answers), "few are answered, and each once: {answers}");
                server.session.handle_timeout(quiet_us);
                let client = End::new(&only(version, 1), Role::Client, &client, &of_server, quiet_us);
                let mut wire = Wire::begun([client, server], Weather::default(), 1, quiet_us);
                let up = wire.connect();
                assert!(
                    up,
                    "{version:?} after {foreign:?}: {:?} {:?}",
                    wire.ends[0].failure, wire.ends[1].failure
                );
                wire.assert_same_keys();
            }
        }
    }
}

/// Nothing that comes before a cookie can end a server: no alert, no hello that cannot be answered, no noise.
#[test]
fn what_comes_before_a_cookie_cannot_make_a_server_fail() {
    let alert = [21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
    let mut dice = Dice(5);
    for version in [Version::Dtls12, Version::Dtls13] {
        let mut wire = Wire::between(&only(version, 1), &settings(2), Weather::default(), 1);
        for datagram in foreign_hello(version, 77) {
            for _ in 0..500 {
                let mut damaged = datagram.clone();
                let at = dice.below(damaged.len() as u64) as usize;
                damaged[at] ^= 1 << dice.below(8);
                wire.ends[SERVER].session.handle_datagram(&damaged, 0);
                let _ = wire.ends[SERVER].drain();
            }
        }
        wire.ends[SERVER].session.handle_datagram(&alert, 0);
        let _ = wire.ends[SERVER].drain();
        wire.ends[SERVER].session.handle_timeout(2_100_000);
        wire.now_us = 2_100_000;
        assert!(wire.connect(), "{version:?}: {:?} {:?}", wire.ends[0].failure, wire.ends[1].failure);
    }
}

#[test]
fn replayed_flights_change_nothing() {
    for version in [Version::Dtls12, Version::Dtls13] {
        let mut wire = Wire::between(&only(version, 1), &settings(2), Weather::default(), 1);
        assert!(wire.connect());
        wire.run_until(5, |_| false);
        let recorded = wire.sent.clone();
        for _ in 0..3 {
            for (from, datagram) in &recorded {
                wire.inject(1 - from, datagram);
            }
        }
        // RFC 6347 section 4.2.4: who sent the last flight sends it again when asked, and that is all.
        let answered = wire.sent.len() - recorded.len();
        assert!(
            answered <= recorded.len() * 3,
            "{version:?}: {answered} answers to {} datagrams",
            recorded.len() * 3
        );
        assert!(wire.ends.iter().all(|end| end.failure.is_none() && !end.closed));
        wire.ends[SERVER].session.send(b"still there").unwrap();
        wire.collect();
        assert!(wire.run_until(60, |wire| wire.ends[CLIENT].data == b"still there"));
    }
}

#[test]
fn every_datagram_of_a_handshake_may_come_twice_and_in_any_order() {
    for seed in 0..40 {
        let version = if seed % 2 == 0 { Version::Dtls12 } else { Version::Dtls13 };
        let weather = Weather { lost_percent: 0, doubled_percent: 100, jitter_ms: 120 };
        let mut wire = Wire::between(&only(version, seed), &settings(seed), weather, seed);
        assert!(wire.connect(), "seed {seed}");
    }
}

/// Whatever is changed in a datagram on its way: no panic, and no keys that the other end does not have.
#[test]
fn damaged_datagrams_never_make_wrong_keys() {
    let mut dice = Dice(4711);
    let (mut connected, mut failed) = (0, 0);
    for seed in 0..60 {
        let version = if seed % 2 == 0 { Version::Dtls12 } else { Version::Dtls13 };
        let mut wire = Wire::between(&only(version, seed), &settings(seed), Weather::default(), seed);
        for _ in 0..12 {
            let recorded = wire.sent.len();
            let (from, mut datagram) = wire.sent[dice.below(recorded as u64) as usize].clone();
            let at = dice.below(datagram.len() as u64) as usize;
            datagram[at] ^= 1 << dice.below(8);
            if dice.below(4) == 0 {
                datagram.truncate(at);
            }
            wire.inject(1 - from, &datagram);
            wire.step();
        }
        if wire.connect() {
            wire.assert_same_keys();
            connected += 1;
        } else {
            assert!(wire.ends.iter().any(|end| end.failure.is_some()));
            failed += 1;
        }
    }
    println!("{connected} connected, {failed} failed");
}

#[test]
fn a_server_computes_nothing_for_who_cannot_receive() {
    for version in [Version::Dtls12, Version::Dtls13] {
        let identity = Identity::generate().unwrap();
        let mut server = End::new(
            &settings(3),
            Role::Server,
            &identity,
            &[Identity::generate().unwrap().fingerprint(HashFunction::Sha256)],
            0,
        );
        for datagram in foreign_hello(version, 77) {
            server.session.handle_datagram(&datagram, 0);
            let answer: usize = server.drain().iter().map(Vec::len).sum();
            assert!(answer <= datagram.len(), "{version:?}: {answer} bytes for {}", datagram.len());
        }
        assert!(server.session.is_handshaking() && server.failure.is_none());
    }
}
