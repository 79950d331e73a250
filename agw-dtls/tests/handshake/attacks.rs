//! What strangers try: foreign ClientHellos, replayed flights, noise. The handshake and the session go on untouched (DTLS-5).

use agw_dtls::{Role, Settings, Version};
use agw_tls::HashFunction;

use crate::wire::{Dice, End, Identity, Weather, Wire, settings};

const CLIENT: usize = 0;
const SERVER: usize = 1;

fn only(version: Version, seed: u64) -> Settings {
    let (dtls12, dtls13) = (version == Version::Dtls12, version == Version::Dtls13);
    Settings { dtls12, dtls13, ..settings(seed) }
}

/// The first datagrams of a client of nobody's.
fn foreign_hello(version: Version) -> Vec<Vec<u8>> {
    let stranger = Identity::generate();
    End::new(&only(version, 77), Role::Client, &stranger, &[], 0).drain()
}

#[test]
fn a_foreign_client_hello_to_a_running_session_changes_nothing() {
    for version in [Version::Dtls12, Version::Dtls13] {
        for foreign in [Version::Dtls12, Version::Dtls13] {
            let mut wire = Wire::between(&only(version, 1), &settings(2), Weather::default(), 1);
            assert!(wire.connect());
            wire.run_until(5, |_| false);
            let before = wire.sent.len();
            for datagram in foreign_hello(foreign) {
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
        let identity = Identity::generate();
        let mut server = End::new(
            &settings(3),
            Role::Server,
            &identity,
            &[Identity::generate().fingerprint(HashFunction::Sha256)],
            0,
        );
        for datagram in foreign_hello(version) {
            server.session.handle_datagram(&datagram, 0);
            let answer: usize = server.drain().iter().map(Vec::len).sum();
            assert!(answer <= datagram.len(), "{version:?}: {answer} bytes for {}", datagram.len());
        }
        assert!(server.session.is_handshaking() && server.failure.is_none());
    }
}
