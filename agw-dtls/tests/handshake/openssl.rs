//! The second engine in both roles, with itself and with the first: same keys, on a bad wire too, and no more for strangers than the first gives.

use agw_dtls::{Engine, Role, Settings, SrtpProfile, Version};
use agw_tls::{HashFunction, Identity, TlsFailure};
use std::time::Duration;

use crate::wire::{Dice, End, Weather, Wire, settings};

const CLIENT: usize = 0;
const SERVER: usize = 1;

pub(crate) fn by(engine: Engine, seed: u64) -> Settings {
    Settings { engine, ..settings(seed) }
}

/// Which engines meet, client first; at least one is the second.
const PAIRS: [[Engine; 2]; 3] =
    [[Engine::Dimpl, Engine::Openssl], [Engine::Openssl, Engine::Dimpl], [Engine::Openssl, Engine::Openssl]];

fn between(engines: [Engine; 2], weather: Weather, seed: u64) -> Wire {
    Wire::between(&by(engines[CLIENT], seed), &by(engines[SERVER], seed + 1), weather, seed)
}

fn assert_up(wire: &mut Wire, what: &str) {
    let up = wire.connect();
    assert!(up, "{what}: {:?} {:?}", wire.ends[CLIENT].failure, wire.ends[SERVER].failure);
    wire.assert_same_keys();
    assert_eq!(wire.ends[SERVER].session.version(), Some(Version::Dtls12), "{what}");
}

#[test]
fn every_profile_gives_both_ends_the_same_keys() {
    for engines in PAIRS {
        for profile in SrtpProfile::ALL {
            let settings = engines.map(|engine| Settings { profiles: vec![profile], ..by(engine, 1) });
            // What dimpl cannot agree on, and a client of dimpl's offers all that it knows.
            let odd = profile == SrtpProfile::Aes128CmHmacSha1_32 && engines.contains(&Engine::Dimpl);
            if odd {
                continue;
            }
            let mut wire = Wire::between(&settings[CLIENT], &settings[SERVER], Weather::default(), 1);
            assert_up(&mut wire, &format!("{engines:?} {profile:?}"));
            assert_eq!(wire.ends[CLIENT].keys.as_ref().unwrap().profile(), profile);
        }
    }
}

#[test]
fn data_and_a_goodbye_reach_the_peer() {
    for engines in PAIRS {
        let mut wire = between(engines, Weather::default(), 6);
        assert_eq!(wire.ends[CLIENT].session.send(b"early").unwrap(), 0);
        assert_up(&mut wire, &format!("{engines:?}"));
        for end in [CLIENT, SERVER] {
            assert_eq!(wire.ends[end].session.send(b"hello").unwrap(), 5);
            wire.collect();
            assert!(wire.run_until(60, |wire| wire.ends[1 - end].data == b"hello"));
        }
        wire.ends[SERVER].session.close();
        wire.collect();
        assert!(wire.run_until(60, |wire| wire.ends[CLIENT].closed));
    }
}

/// As server, where all that is sent again goes by the clock of the test. A client's last flight goes by the library's: see below.
#[test]
fn handshakes_complete_on_a_bad_wire() {
    let gale = Weather { lost_percent: 20, doubled_percent: 5, jitter_ms: 60 };
    for seed in 0..150 {
        let mut wire = between([Engine::Dimpl, Engine::Openssl], gale, seed);
        assert_up(&mut wire, &format!("seed {seed}"));
        assert!(wire.sent.iter().all(|(_, datagram)| datagram.len() <= 1200), "longer than the MTU");
    }
}

/// What the server says last is lost, so the client must repeat a Finished that has arrived: the one thing for which the library's own clock, which is
/// the machine's, has to have run for its second.
#[test]
fn a_client_repeats_its_last_flight_until_the_server_has_answered_it() {
    for engines in [[Engine::Openssl, Engine::Dimpl], [Engine::Openssl, Engine::Openssl]] {
        let mut wire = between(engines, Weather::default(), 7);
        assert!(wire.run_until(5, |wire| wire.ends[SERVER].keys.is_some()));
        wire.lose_all_that_flies();
        assert!(wire.ends[CLIENT].keys.is_none());
        std::thread::sleep(Duration::from_millis(1100));
        assert_up(&mut wire, &format!("{engines:?}"));
    }
}

#[test]
fn a_small_mtu_makes_fragments_of_what_is_longer() {
    for engines in PAIRS {
        let small = engines.map(|engine| Settings { mtu_bytes: 256, ..by(engine, 3) });
        let mut wire = Wire::between(&small[CLIENT], &small[SERVER], Weather::default(), 3);
        assert_up(&mut wire, &format!("{engines:?}"));
        assert!(wire.sent.iter().all(|(_, datagram)| datagram.len() <= 256), "{engines:?}");
    }
}

#[test]
fn a_wrong_fingerprint_ends_it_with_one_failure_and_no_keys() {
    let [client, server, other] = std::array::from_fn(|_| Identity::generate().unwrap());
    let right = |identity: &Identity| [identity.fingerprint(HashFunction::Sha256)];
    for engines in PAIRS {
        for judge in [CLIENT, SERVER] {
            let of_server = right(if judge == CLIENT { &other } else { &server });
            let of_client = right(if judge == SERVER { &other } else { &client });
            let ends = [
                End::new(&by(engines[CLIENT], 9), Role::Client, &client, &of_server, 0),
                End::new(&by(engines[SERVER], 9), Role::Server, &server, &of_client, 0),
            ];
            let mut wire = Wire::new(ends, Weather::default(), 9);
            assert!(!wire.connect(), "{engines:?}");
            assert_eq!(wire.ends[judge].failure, Some(TlsFailure::FingerprintMismatch), "{engines:?}");
            assert!(wire.ends.iter().all(|end| end.keys.is_none()), "{engines:?} {judge}");
            assert_eq!(
                wire.ends[1 - judge].failure,
                Some(TlsFailure::Alert(42)),
                "it is told bad_certificate"
            );
        }
    }
}

/// The first datagrams of a client of nobody's.
fn foreign_hello(seed: u64) -> Vec<Vec<u8>> {
    let stranger = Identity::generate().unwrap();
    End::new(&by(Engine::Openssl, seed), Role::Client, &stranger, &[], 0).drain()
}

#[test]
fn strangers_do_not_win_the_server_and_cannot_make_it_fail() {
    let mut dice = Dice(11);
    let [client, server] = std::array::from_fn(|_| Identity::generate().unwrap());
    let [of_client, of_server] = [&client, &server].map(|id| [id.fingerprint(HashFunction::Sha256)]);
    let mut end = End::new(&by(Engine::Openssl, 2), Role::Server, &server, &of_client, 0);
    let mut answers = 0;
    for stranger in 0..200 {
        for datagram in foreign_hello(1000 + stranger) {
            end.session.handle_datagram(&datagram, 0);
            let answer: usize = end.drain().iter().map(Vec::len).sum();
            assert!(answer <= datagram.len(), "{answer} bytes for {}", datagram.len());
            answers += usize::from(answer > 0);
        }
    }
    assert!((1..=3).contains(&answers), "few are answered, and each once: {answers}");
    for datagram in foreign_hello(77) {
        for _ in 0..500 {
            let mut damaged = datagram.clone();
            let at = dice.below(damaged.len() as u64) as usize;
            damaged[at] ^= 1 << dice.below(8);
            end.session.handle_datagram(&damaged, 2_100_000);
            let _ = end.drain();
        }
    }
    let now_us = 4_300_000;
    end.session.handle_timeout(now_us);
    let client = End::new(&by(Engine::Openssl, 1), Role::Client, &client, &of_server, now_us);
    assert_up(&mut Wire::begun([client, end], Weather::default(), 1, now_us), "after the strangers");
}

#[test]
fn replayed_flights_and_foreign_hellos_change_nothing() {
    for engines in PAIRS {
        let mut wire = between(engines, Weather::default(), 1);
        assert_up(&mut wire, &format!("{engines:?}"));
        wire.run_until(5, |_| false);
        let recorded = wire.sent.clone();
        for datagram in foreign_hello(5) {
            wire.inject(SERVER, &datagram);
            wire.inject(CLIENT, &datagram);
        }
        assert_eq!(wire.sent.len(), recorded.len(), "a foreign hello is not answered");
        for (from, datagram) in &recorded {
            wire.inject(1 - from, datagram);
        }
        assert!(wire.sent.len() - recorded.len() <= recorded.len(), "{engines:?}");
        assert!(wire.ends.iter().all(|end| end.failure.is_none() && !end.closed));
        wire.ends[SERVER].session.send(b"still there").unwrap();
        wire.collect();
        assert!(wire.run_until(60, |wire| wire.ends[CLIENT].data == b"still there"));
    }
}

#[test]
fn damaged_records_and_forged_alerts_do_not_end_a_session() {
    let alert = [21, 254, 253, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 2, 2, 40];
    for engines in PAIRS {
        let mut wire = between(engines, Weather::default(), 12);
        assert_up(&mut wire, &format!("{engines:?}"));
        for to in [CLIENT, SERVER] {
            wire.ends[1 - to].session.send(b"untouched").unwrap();
            let genuine = wire.ends[1 - to].drain().pop().unwrap();
            for at in 0..genuine.len() {
                let mut damaged = genuine.clone();
                damaged[at] ^= 1;
                wire.inject(to, &damaged);
            }
            wire.inject(to, &alert);
            wire.inject(to, &genuine);
            let end = &wire.ends[to];
            assert!(end.failure.is_none() && !end.closed, "{engines:?} {:?}", end.failure);
            assert_eq!(end.data, b"untouched", "{engines:?}");
        }
    }
}

/// Whatever is changed in a datagram on its way: no panic, and no keys that the other end does not have.
#[test]
fn damaged_datagrams_never_make_wrong_keys() {
    let mut dice = Dice(4711);
    for seed in 0..60 {
        let mut wire = between(PAIRS[seed as usize % 3], Weather::default(), seed);
        for _ in 0..12 {
            let (from, mut datagram) = wire.sent[dice.below(wire.sent.len() as u64) as usize].clone();
            let at = dice.below(datagram.len() as u64) as usize;
            datagram[at] ^= 1 << dice.below(8);
            wire.inject(1 - from, &datagram);
            wire.step();
        }
        let both = wire.run_until(40, |wire| wire.ends.iter().all(|end| end.keys.is_some()));
        if both {
            wire.assert_same_keys();
        }
    }
}

#[test]
fn a_peer_that_never_answers_fails_in_time() {
    let nothing = Weather { lost_percent: 100, ..Weather::default() };
    let mut wire = between([Engine::Openssl, Engine::Openssl], nothing, 1);
    assert!(wire.run_until(60, |wire| wire.ends[CLIENT].failure.is_some()));
    assert_eq!(wire.ends[CLIENT].failure, Some(TlsFailure::TimedOut));
    assert!((30_000_000..31_000_000).contains(&wire.now_us), "{}", wire.now_us);
    assert!((5..=9).contains(&wire.sent.len()), "a hello, and it again a few times: {}", wire.sent.len());
}

/// OpenSSL's memory is its own allocator's, so the process is looked at; other tests run in it, so there are many sessions, and room.
#[test]
fn a_session_holds_a_bounded_known_amount() {
    const SESSIONS: i64 = 200;
    const MAX_BYTES: i64 = 160 * 1024;
    let before = resident_bytes();
    let wires: Vec<Wire> = (0..SESSIONS / 2)
        .map(|seed| {
            let mut wire = between([Engine::Openssl, Engine::Openssl], Weather::default(), seed as u64);
            assert_up(&mut wire, "to be held");
            wire.sent.clear();
            wire
        })
        .collect();
    let each = (resident_bytes() - before) / SESSIONS;
    println!("a session of the second engine holds {each} bytes");
    assert!(each <= MAX_BYTES, "{each}");
    drop(wires);
}

fn resident_bytes() -> i64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<i64>().unwrap() * 4096
}
