//! SRTP-13: whatever the sender behind an outbound session does with its sequence numbers, no index is used twice under one
//! key, and a peer can follow.

mod common;

use std::collections::{HashMap, HashSet};

use agw_srtp::{Error, Kind, OutboundJump, OutboundSession, Policy, Suite};
use common::*;
use proptest::prelude::*;

const SSRC: u32 = 0xcafe_babe;

/// Sends a packet of each number and gives what happened to it: the number on the wire, or why not.
fn send(sender: &mut OutboundSession, numbers: impl IntoIterator<Item = u16>) -> Vec<Result<u16, Error>> {
    numbers
        .into_iter()
        .map(|number| {
            let wire = protect(sender, Kind::Rtp, &rtp(SSRC, number, b"media"))?;
            Ok(u16::from_be_bytes([wire[2], wire[3]]))
        })
        .collect()
}

#[test]
fn a_duplicate_is_refused_and_a_late_packet_passes_once() {
    let (mut sender, _) = default_pair(Suite::AeadAes128Gcm);
    let sent = send(&mut sender, [100, 101, 103, 103, 102, 102, 100, 104]);
    let again = Err(Error::IndexReused);
    assert_eq!(sent, [Ok(100), Ok(101), Ok(103), again, Ok(102), again, again, Ok(104)]);
}

#[test]
fn a_sender_that_jumps_back_goes_on_under_numbers_that_grow() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = default_pair(suite);
        send(&mut sender, 30_000..30_010);
        let sent = send(&mut sender, 20_000..20_008);
        let old = Err(Error::IndexReused);
        assert_eq!(sent, [old, old, old, Ok(30_010), Ok(30_011), Ok(30_012), Ok(30_013), Ok(30_014)]);
        assert_eq!(sender.sequence_offset(SSRC), 10_007);

        // The peer sees one stream that goes on; the payload is what was sent.
        let plain = rtp(SSRC, 20_008, b"later");
        let wire = protect(&mut sender, Kind::Rtp, &plain).unwrap();
        let received = unprotect(&mut receiver, Kind::Rtp, &wire, 0).unwrap();
        assert_eq!(received[2..4], 30_015_u16.to_be_bytes());
        assert_eq!((&received[..2], &received[4..]), (&plain[..2], &plain[4..]), "{suite}");
    }
}

#[test]
fn a_sender_that_starts_over_around_a_rollover_keeps_the_rollover_counter() {
    let (mut sender, mut receiver) = default_pair(Suite::AesCm128HmacSha1_80);
    let numbers = (65_000..=65_535).chain(0..500).chain(64_000..64_100_u16);
    let mut accepted = 0;
    for number in numbers {
        if let Ok(wire) = protect(&mut sender, Kind::Rtp, &rtp(SSRC, number, b"x")) {
            assert!(unprotect(&mut receiver, Kind::Rtp, &wire, 0).is_ok());
            accepted += 1;
        }
    }
    assert_eq!(accepted, 536 + 500 + 97);
    assert_eq!(receiver.streams().next(), Some((SSRC, Some(0x1_0000 + 499 + 97))));
}

#[test]
fn stray_old_packets_never_shift_the_numbers() {
    let (mut sender, _) = default_pair(Suite::AeadAes128Gcm);
    send(&mut sender, 30_000..30_010);
    // Old, but not a run: the same one again, backwards, far apart, or between good ones.
    let strays = [100, 100, 100, 100, 100, 99, 98, 97, 500, 900, 1400, 2000];
    assert!(send(&mut sender, strays).iter().all(Result::is_err));
    for step in 0..20 {
        assert_eq!(send(&mut sender, [200 + step]), [Err(Error::IndexReused)]);
        assert_eq!(send(&mut sender, [30_010 + step]), [Ok(30_010 + step)]);
    }
    assert_eq!(sender.sequence_offset(SSRC), 0);
}

#[test]
fn a_burst_of_duplicates_is_not_taken_for_a_new_start() {
    let (mut sender, _) = default_pair(Suite::AeadAes128Gcm);
    send(&mut sender, 1000..1100);
    assert!(send(&mut sender, 1000..1015).iter().all(Result::is_err));
    assert_eq!(send(&mut sender, [1100]), [Ok(1100)]);
    assert_eq!(sender.sequence_offset(SSRC), 0);
}

#[test]
fn a_sender_that_jumps_back_inside_the_window_is_followed_later() {
    let (mut sender, _) = default_pair(Suite::AeadAes128Gcm);
    send(&mut sender, 1000..1100);
    let sent = send(&mut sender, 1000..1040);
    assert!(sent[..15].iter().all(Result::is_err));
    assert_eq!(sent[15], Ok(1100));
    assert_eq!(sent[39], Ok(1124));
}

#[test]
fn renumbering_can_be_switched_off() {
    let policy = Policy { outbound_jump: OutboundJump::Refuse, ..Policy::default() };
    let (mut sender, _) = pair(&plain_attribute(Suite::AeadAes128Gcm), &policy);
    send(&mut sender, 30_000..30_010);
    assert!(send(&mut sender, 20_000..20_100).iter().all(|sent| *sent == Err(Error::IndexReused)));
    assert_eq!(send(&mut sender, [30_010]), [Ok(30_010)]);
}

#[test]
fn a_jump_ahead_is_sent_as_it_is() {
    let (mut sender, mut receiver) = default_pair(Suite::F8_128HmacSha1_80);
    for number in [10_000, 42_000, 9_000, 41_000] {
        let plain = rtp(SSRC, number, b"x");
        let wire = protect(&mut sender, Kind::Rtp, &plain).unwrap();
        assert_eq!(unprotect(&mut receiver, Kind::Rtp, &wire, 0).unwrap(), plain);
    }
}

#[test]
fn control_packets_are_numbered_per_ssrc_from_zero() {
    for suite in Suite::ALL {
        let (mut sender, _) = default_pair(suite);
        let word_behind = if suite.name().starts_with("AEAD") { 0 } else { suite.rtcp_tag_len() };
        for number in 0..3_u8 {
            for ssrc in [1, 2] {
                let wire = protect(&mut sender, Kind::Rtcp, &rtcp(ssrc, b"same")).unwrap();
                let at = wire.len() - word_behind - 4;
                assert_eq!(wire[at..at + 4], [0x80, 0, 0, number], "{suite} {ssrc}");
            }
        }
    }
}

/// A number to send next: mostly the following one, at times late, doubled, far off or started anew.
fn any_numbers() -> impl Strategy<Value = Vec<(u32, u16)>> {
    let step = prop_oneof![
        20 => Just(1_i32),
        3 => -20_i32..20,
        2 => -600_i32..600,
        1 => -40_000_i32..40_000,
    ];
    prop::collection::vec((0_u32..3, step), 1..600).prop_map(|steps| {
        let mut last = [0_u16; 3];
        steps
            .into_iter()
            .map(|(ssrc, step)| {
                let last = &mut last[ssrc as usize];
                *last = last.wrapping_add(step as u16);
                (ssrc, *last)
            })
            .collect()
    })
}

proptest! {
    #[test]
    fn no_index_is_ever_used_twice_and_the_peer_can_follow(
        numbers in any_numbers(),
        lifetime in prop_oneof![Just(None), Just(Some(100))],
        refuse in any::<bool>(),
    ) {
        let outbound_jump = if refuse { OutboundJump::Refuse } else { Policy::default().outbound_jump };
        let policy = Policy { outbound_jump, ..Policy::default() };
        let attribute = attribute_with_mki(Suite::AeadAes128Gcm, 8, 1, lifetime);
        let (mut sender, mut receiver) = pair(&attribute, &policy);
        let mut used = HashSet::new();
        let mut highest = HashMap::new();
        for (ssrc, number) in numbers {
            let plain = rtp(ssrc, number, b"media");
            let Ok(job) = sender.plan(Kind::Rtp, &plain, 0) else { continue };
            prop_assert!(used.insert((ssrc, job.index())), "index {:x} again, under whatever key", job.index());
            let highest = highest.entry(ssrc).or_insert(job.index());
            prop_assert!(job.index() + 256 > *highest, "far behind what was sent");
            let jumped = job.index().saturating_sub(*highest);
            prop_assert!(jumped <= 0x8000 || *highest < 0x8000, "further ahead than a peer can follow");
            *highest = (*highest).max(job.index());

            let mut slot = plain.clone();
            slot.resize(plain.len() + TAILROOM_BYTES, 0);
            let mut job = job;
            agw_srtp::run(&mut [agw_srtp::Work { job: &mut job, keys: sender.keys(), packet: &mut slot }]);
            let len = sender.commit(&job, 0).unwrap();
            let received = unprotect(&mut receiver, Kind::Rtp, &slot[..len], 0);
            prop_assert!(received.is_ok(), "{received:?}");
            prop_assert_eq!(&received.unwrap()[4..], &plain[4..]);
        }
    }
}
