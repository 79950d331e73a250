//! Handshakes complete whatever the wire does within reason: issue of RFC 6347 section 4.2.4 and RFC 9147 section 5.8.

use agw_dtls::{Settings, SrtpProfile, Version};
use agw_srtp::Policy;

use crate::wire::{Weather, Wire, settings};

const GALE: Weather = Weather { lost_percent: 20, doubled_percent: 5, jitter_ms: 60 };

fn only(version: Version, seed: u64) -> Settings {
    let (dtls12, dtls13) = (version == Version::Dtls12, version == Version::Dtls13);
    Settings { dtls12, dtls13, ..settings(seed) }
}

#[test]
fn the_ends_agree_on_the_best_version_that_both_allow() {
    use Version::{Dtls12, Dtls13};
    let both = settings(1);
    for (client, server, expected) in [
        (both.clone(), both.clone(), Dtls13),
        (both.clone(), only(Dtls12, 2), Dtls12),
        (both.clone(), only(Dtls13, 2), Dtls13),
        (only(Dtls12, 2), both.clone(), Dtls12),
        (only(Dtls13, 2), both, Dtls13),
    ] {
        let mut wire = Wire::between(&client, &server, Weather::default(), 1);
        assert!(wire.connect(), "{expected:?}: {:?} {:?}", wire.ends[0].failure, wire.ends[1].failure);
        wire.assert_same_keys();
        assert_eq!(wire.ends[0].session.version(), Some(expected));
        assert_eq!(wire.ends[1].session.version(), Some(expected));
    }
}

#[test]
fn ends_without_a_common_version_fail() {
    let mut wire = Wire::between(&only(Version::Dtls13, 1), &only(Version::Dtls12, 1), Weather::default(), 1);
    assert!(!wire.connect());
    assert_eq!(wire.ends[0].failure, Some(agw_tls::TlsFailure::TimedOut));
    assert!(wire.ends[1].failure.is_none(), "whose hello it was is not known: the server goes on waiting");
}

/// Hundreds of seeds, each version, 20 % of all datagrams lost, others late or twice, none longer than 1,200 bytes.
#[test]
fn handshakes_complete_on_a_bad_wire() {
    let mut slowest_us = 0;
    for seed in 0..150 {
        for version in [Version::Dtls12, Version::Dtls13] {
            let mut wire = Wire::between(&only(version, seed), &settings(seed + 1), GALE, seed);
            let up = wire.connect();
            assert!(up, "seed {seed} {version:?}: {:?} {:?}", wire.ends[0].failure, wire.ends[1].failure);
            wire.assert_same_keys();
            assert!(wire.sent.iter().all(|(_, datagram)| datagram.len() <= 1200), "longer than the MTU");
            slowest_us = slowest_us.max(wire.now_us);
        }
    }
    println!("slowest of 300 handshakes: {} ms", slowest_us / 1000);
}

#[test]
fn a_certificate_longer_than_the_mtu_is_sent_in_fragments() {
    for version in [Version::Dtls12, Version::Dtls13] {
        let small = Settings { mtu_bytes: 256, ..only(version, 3) };
        let mut wire = Wire::between(&small, &small, Weather::default(), 3);
        assert!(wire.connect(), "{version:?}: {:?} {:?}", wire.ends[0].failure, wire.ends[1].failure);
        assert!(wire.sent.iter().all(|(_, datagram)| datagram.len() <= 256));
    }
}

/// dimpl 0.9 would acknowledge a gap without end, as fast as it is asked.
#[test]
fn a_gap_in_a_flight_makes_no_storm_of_acknowledgements() {
    let small = Settings { mtu_bytes: 256, ..only(Version::Dtls13, 3) };
    let mut wire = Wire::between(&small, &small, Weather::default(), 3);
    wire.lose_nth_of_server = Some(1);
    wire.run_until(2, |_| false);
    let by_client = wire.sent.iter().filter(|(from, _)| *from == 0).count();
    assert!((3..60).contains(&by_client), "{by_client} datagrams");
    wire.lose_nth_of_server = None;
    assert!(wire.connect());
}

#[test]
fn a_peer_that_never_answers_fails_in_time() {
    let mut wire =
        Wire::between(&settings(1), &settings(2), Weather { lost_percent: 100, ..Weather::default() }, 1);
    assert!(wire.run_until(60, |wire| wire.ends[0].failure.is_some()));
    assert_eq!(wire.ends[0].failure, Some(agw_tls::TlsFailure::TimedOut));
    assert!(wire.now_us <= 31_000_000, "{}", wire.now_us);
    assert!(wire.ends[1].failure.is_none(), "a server that heard nothing waits");
}

#[test]
fn an_unwanted_profile_ends_the_handshake() {
    let gcm = Settings { profiles: vec![SrtpProfile::AeadAes128Gcm], ..settings(4) };
    let mut wire = Wire::between(&settings(4), &gcm, Weather::default(), 4);
    assert!(!wire.connect());
    assert_eq!(wire.ends[1].failure, Some(agw_tls::TlsFailure::NoCommonSuite));
    assert!(wire.ends[1].keys.is_none());
}

#[test]
fn keys_make_sessions_that_understand_one_another() {
    let mut wire = Wire::between(&settings(5), &settings(5), Weather::default(), 5);
    assert!(wire.connect());
    let [client, server] = [&wire.ends[0], &wire.ends[1]].map(|end| end.keys.as_ref().unwrap());
    for (from, to) in [(client, server), (server, client)] {
        let mut sender = from.outbound(&Policy::default()).unwrap();
        let mut receiver = to.inbound(&Policy::default()).unwrap();
        let plain = [0x80, 0, 0, 7, 0, 0, 0, 160, 1, 2, 3, 4, b'h', b'i'];
        let mut slot = [0; 64];
        slot[..plain.len()].copy_from_slice(&plain);
        let len = sender.protect_rtp(&mut slot, plain.len(), 0).unwrap();
        let len = receiver.unprotect_rtp(&mut slot, len, 0).unwrap();
        assert_eq!(slot[..len], plain);
    }
}

#[test]
fn data_and_a_goodbye_reach_the_peer() {
    for version in [Version::Dtls12, Version::Dtls13] {
        let mut wire = Wire::between(&only(version, 6), &settings(6), Weather::default(), 6);
        assert_eq!(wire.ends[0].session.send(b"early").unwrap(), 0);
        assert!(wire.connect());
        assert_eq!(wire.ends[0].session.send(b"hello").unwrap(), 5);
        wire.collect();
        assert!(wire.run_until(60, |wire| wire.ends[1].data == b"hello"));
        wire.ends[1].session.close();
        wire.collect();
        assert!(wire.run_until(60, |wire| wire.ends[0].closed));
    }
}
