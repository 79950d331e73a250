//! What a session does with one packet at a time: the behaviours that libsrtp's own driver checks, for every suite, and
//! those that RFC 4568 adds.

mod common;

use agw_srtp::sdes::SessionParams;
use agw_srtp::{
    CryptoAttribute, Error, InboundSession, Kind, LifetimeState, MasterKey, OutboundSession, Policy,
    PolicyError, Suite,
};
use common::*;

const SSRC: u32 = 0xcafe_babe;

fn a_packet(kind: Kind, number: u16) -> Vec<u8> {
    match kind {
        Kind::Rtp => rtp(SSRC, number, &[0xab; 28]),
        Kind::Rtcp => rtcp(SSRC, &[0xab; 20]),
    }
}

fn every_suite_and_kind(check: impl Fn(Suite, Kind)) {
    for suite in Suite::ALL {
        for kind in [Kind::Rtp, Kind::Rtcp] {
            check(suite, kind);
        }
    }
}

#[test]
fn a_packet_comes_back_as_it_was_and_is_hidden_on_the_way() {
    every_suite_and_kind(|suite, kind| {
        let (mut sender, mut receiver) = default_pair(suite);
        let plain = a_packet(kind, 0x1234);
        let wire = protect(&mut sender, kind, &plain).unwrap();
        assert_eq!(wire.len(), plain.len() + sender.overhead_bytes(kind));
        let clear = if kind == Kind::Rtp { 12 } else { 8 };
        assert_eq!(wire[..clear], plain[..clear]);
        assert!(wire[clear..plain.len()].iter().zip(&plain[clear..]).any(|(wire, plain)| wire != plain));
        assert_eq!(unprotect(&mut receiver, kind, &wire, 0).unwrap(), plain, "{suite} {kind:?}");
    });
}

#[test]
fn a_replayed_packet_is_refused() {
    every_suite_and_kind(|suite, kind| {
        let (mut sender, mut receiver) = default_pair(suite);
        let wire = protect(&mut sender, kind, &a_packet(kind, 7)).unwrap();
        assert!(unprotect(&mut receiver, kind, &wire, 0).is_ok());
        assert_eq!(unprotect(&mut receiver, kind, &wire, 0), Err(Error::Replayed), "{suite} {kind:?}");
    });
}

#[test]
fn no_bit_of_a_packet_can_be_changed() {
    every_suite_and_kind(|suite, kind| {
        let (mut sender, mut receiver) = default_pair(suite);
        let wire = protect(&mut sender, kind, &a_packet(kind, 7)).unwrap();
        for bit in 0..wire.len() * 8 {
            let mut damaged = wire.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let refused = unprotect(&mut receiver, kind, &damaged, 0).unwrap_err();
            let expected = [Error::AuthFailed, Error::Malformed, Error::TooShort, Error::EncryptionMismatch];
            assert!(expected.contains(&refused), "{suite} {kind:?} bit {bit}: {refused}");
        }
        assert_eq!(receiver.streams().count(), 0, "nothing was learned from what failed");
        assert!(unprotect(&mut receiver, kind, &wire, 0).is_ok());
    });
}

#[test]
fn a_packet_cut_short_anywhere_is_refused() {
    every_suite_and_kind(|suite, kind| {
        let (mut sender, mut receiver) = default_pair(suite);
        let wire = protect(&mut sender, kind, &a_packet(kind, 7)).unwrap();
        for len in 0..wire.len() {
            assert!(unprotect(&mut receiver, kind, &wire[..len], 0).is_err(), "{suite} {kind:?} {len}");
        }
        assert!(unprotect(&mut receiver, kind, &wire, 0).is_ok());
    });
}

#[test]
fn an_empty_payload_is_protected_like_any_other() {
    every_suite_and_kind(|suite, kind| {
        let (mut sender, mut receiver) = default_pair(suite);
        let plain = if kind == Kind::Rtp { rtp(SSRC, 1, &[]) } else { rtcp(SSRC, &[]) };
        let wire = protect(&mut sender, kind, &plain).unwrap();
        assert_eq!(unprotect(&mut receiver, kind, &wire, 0).unwrap(), plain, "{suite} {kind:?}");
        assert_eq!(unprotect(&mut receiver, kind, &wire, 0), Err(Error::Replayed));
    });
}

/// The reference packets of libsrtp's driver: the default policy, and AES-256.
#[test]
fn the_reference_packets_of_libsrtp_hold() {
    let cases = [
        (
            Suite::AesCm128HmacSha1_80,
            "e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6",
            "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb",
        ),
        (
            Suite::AesCm256HmacSha1_80,
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b63b04803de51ee7c96423ab5b78d2",
            "800f1234decafbadcafebabef1d9de17ff251ff1aa007774b0b4b40da08d9d9a5b3a55d8873b",
        ),
    ];
    let plain = hex("800f1234decafbadcafebabeabababababababababababababababab");
    for (suite, secret, wire) in cases {
        let secret = hex(secret);
        let (key, salt) = secret.split_at(suite.master_key_len());
        let key = MasterKey::new(suite, key, salt).unwrap();
        let attribute = CryptoAttribute::new(1, suite, [key]).unwrap();
        let (mut sender, mut receiver) = pair(&attribute, &Policy::default());
        assert_eq!(protect(&mut sender, Kind::Rtp, &plain).unwrap(), hex(wire));
        assert_eq!(unprotect(&mut receiver, Kind::Rtp, &hex(wire), 0).unwrap(), plain);
    }
}

/// libsrtp numbers SRTCP from 1, we from 0 as RFC 3711 section 3.4 says: the reference packet is the second one.
#[test]
fn the_reference_rtcp_packet_of_libsrtp_holds() {
    let secret = hex("e1f97a0d3e018be0d64fa32c06de41390ec675ad498afeebb6960b3aabe6");
    let key = MasterKey::new(Suite::AesCm128HmacSha1_80, &secret[..16], &secret[16..]).unwrap();
    let attribute = CryptoAttribute::new(1, Suite::AesCm128HmacSha1_80, [key]).unwrap();
    let (mut sender, mut receiver) = pair(&attribute, &Policy::default());
    let plain = hex("81c8000bcafebabeabababababababababababababababab");
    let wire = hex("81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798");
    let first = protect(&mut sender, Kind::Rtcp, &plain).unwrap();
    assert_eq!(first[24..28], [0x80, 0, 0, 0]);
    assert_eq!(protect(&mut sender, Kind::Rtcp, &plain).unwrap(), wire);
    assert_eq!(unprotect(&mut receiver, Kind::Rtcp, &wire, 0).unwrap(), plain);
}

#[test]
fn sources_extensions_and_padding_are_kept_and_the_header_stays_readable() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = default_pair(suite);
        let mut plain = rtp(SSRC, 9, &[]);
        plain[0] = 0x80 | 0x20 | 0x10 | 2;
        plain.extend_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        plain.extend_from_slice(&[0xbe, 0xde, 0, 2, 0x10, 0xff, 0x21, 0x55, 0x66, 0, 0, 0]);
        let payload_at = plain.len();
        plain.extend_from_slice(b"payload");
        plain.extend_from_slice(&[0, 0, 0, 0, 5]);
        let wire = protect(&mut sender, Kind::Rtp, &plain).unwrap();
        assert_eq!(wire[..payload_at], plain[..payload_at], "{suite}");
        assert_ne!(wire[payload_at..plain.len()], plain[payload_at..]);
        for at in 12..payload_at {
            let mut damaged = wire.clone();
            damaged[at] ^= 1;
            assert!(unprotect(&mut receiver, Kind::Rtp, &damaged, 0).is_err(), "{suite} byte {at}");
        }
        assert_eq!(unprotect(&mut receiver, Kind::Rtp, &wire, 0).unwrap(), plain);
    }
}

#[test]
fn a_slot_without_room_is_refused_and_its_index_is_not_used_again() {
    every_suite_and_kind(|suite, kind| {
        let (mut sender, mut receiver) = default_pair(suite);
        let plain = a_packet(kind, 5);
        let mut slot = plain.clone();
        slot.resize(plain.len() + sender.overhead_bytes(kind) - 1, 0xee);
        let before = slot.clone();
        let refused = match kind {
            Kind::Rtp => sender.protect_rtp(&mut slot, plain.len(), 0),
            Kind::Rtcp => sender.protect_rtcp(&mut slot, plain.len(), 0),
        };
        assert_eq!(refused, Err(Error::NoRoom));
        assert_eq!(slot, before);
        let again = protect(&mut sender, kind, &plain);
        match kind {
            Kind::Rtp => assert_eq!(again, Err(Error::IndexReused), "{suite}"),
            Kind::Rtcp => assert!(unprotect(&mut receiver, kind, &again.unwrap(), 0).is_ok(), "{suite}"),
        }
    });
}

#[test]
fn a_length_beyond_the_slot_is_no_panic() {
    let (mut sender, mut receiver) = default_pair(Suite::AeadAes128Gcm);
    assert_eq!(sender.protect_rtp(&mut [0x80; 20], 21, 0), Err(Error::NoRoom));
    assert_eq!(receiver.unprotect_rtcp(&mut [0x80; 20], usize::MAX, 0), Err(Error::NoRoom));
    let mut huge = vec![0x80; 70_000];
    assert_eq!(sender.protect_rtp(&mut huge, 69_000, 0), Err(Error::Malformed));
    assert_eq!(receiver.unprotect_rtp(&mut huge, 69_000, 0), Err(Error::Malformed));
}

#[test]
fn the_largest_packet_passes() {
    for suite in [Suite::AesCm128HmacSha1_80, Suite::F8_128HmacSha1_80, Suite::AeadAes256Gcm] {
        let (mut sender, mut receiver) = default_pair(suite);
        let plain = rtp(SSRC, 1, &vec![0x77; 65_000]);
        let wire = protect(&mut sender, Kind::Rtp, &plain).unwrap();
        assert_eq!(unprotect(&mut receiver, Kind::Rtp, &wire, 0).unwrap(), plain);
    }
}

#[test]
fn packets_out_of_order_around_a_rollover_pass() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = default_pair(suite);
        let sequences = [65_530_u16, 65_533, 65_534, 65_535, 0, 1, 65_531, 2, 65_532];
        for sequence in sequences {
            let wire = protect(&mut sender, Kind::Rtp, &rtp(SSRC, sequence, b"x")).unwrap();
            assert!(unprotect(&mut receiver, Kind::Rtp, &wire, 0).is_ok(), "{suite} {sequence}");
            assert_eq!(unprotect(&mut receiver, Kind::Rtp, &wire, 0), Err(Error::Replayed));
        }
        let highest = receiver.streams().next().and_then(|(_, highest)| highest);
        assert_eq!(highest, Some(0x1_0002), "the rollover counter is 1");
    }
}

#[test]
fn several_ssrcs_have_states_of_their_own() {
    let (mut sender, mut receiver) = default_pair(Suite::AeadAes128Gcm);
    for sequence in [65_535, 0, 1] {
        for ssrc in 1..=4 {
            let wire = protect(&mut sender, Kind::Rtp, &rtp(ssrc, sequence, b"x")).unwrap();
            assert!(unprotect(&mut receiver, Kind::Rtp, &wire, 0).is_ok());
        }
    }
    let late = protect(&mut sender, Kind::Rtp, &rtp(5, 700, b"x")).unwrap();
    assert!(unprotect(&mut receiver, Kind::Rtp, &late, 0).is_ok());
    assert_eq!(receiver.streams().count(), 5);
}

/// SRTP-13: an entry that was evicted would come back with its counter and windows at zero.
#[test]
fn a_full_table_of_ssrcs_refuses_and_forgets_nobody() {
    for kind in [Kind::Rtp, Kind::Rtcp] {
        let policy = Policy { max_streams: 2, ..Policy::default() };
        let attribute = plain_attribute(Suite::AesCm128HmacSha1_80);
        let (mut sender, mut receiver) = pair(&attribute, &policy);
        let (mut other, _) = pair(&attribute, &Policy::default());
        let packet =
            |ssrc, number| if kind == Kind::Rtp { rtp(ssrc, number, b"x") } else { rtcp(ssrc, b"rest") };
        for ssrc in [1, 2] {
            let wire = protect(&mut sender, kind, &packet(ssrc, 1)).unwrap();
            assert!(unprotect(&mut receiver, kind, &wire, 0).is_ok());
        }
        assert_eq!(protect(&mut sender, kind, &packet(3, 1)), Err(Error::TooManyStreams));
        let wire = protect(&mut other, kind, &packet(3, 1)).unwrap();
        assert_eq!(unprotect(&mut receiver, kind, &wire, 0), Err(Error::TooManyStreams));
        let wire = protect(&mut sender, kind, &packet(1, 2)).unwrap();
        assert!(unprotect(&mut receiver, kind, &wire, 0).is_ok());
    }
}

/// SRTP-7, SRTP-10
#[test]
fn packets_select_their_master_key_by_mki_and_the_first_one_sends() {
    every_suite_and_kind(|suite, kind| {
        let both = attribute_with_mki(suite, 2, 3, None);
        let (mut sender, mut receiver) = pair(&both, &Policy::default());
        let wire = protect(&mut sender, kind, &a_packet(kind, 1)).unwrap();
        let tag_len = if kind == Kind::Rtp { suite.rtp_tag_len() } else { suite.rtcp_tag_len() };
        let behind = if suite.name().starts_with("AEAD") { 0 } else { tag_len };
        let mki_at = wire.len() - behind - 3;
        assert_eq!(wire[mki_at..mki_at + 3], [0, 0, 1], "{suite} {kind:?}");
        assert_eq!(unprotect(&mut receiver, kind, &wire, 0).unwrap(), a_packet(kind, 1));

        let second = CryptoAttribute::new(1, suite, [both.keys()[1].clone()]).unwrap();
        let (mut sender, _) = pair(&second, &Policy::default());
        // The first index was taken under the first key.
        let _ = protect(&mut sender, kind, &a_packet(kind, 1)).unwrap();
        let wire = protect(&mut sender, kind, &a_packet(kind, 2)).unwrap();
        assert_eq!(unprotect(&mut receiver, kind, &wire, 0).unwrap(), a_packet(kind, 2), "{suite} {kind:?}");

        let mut unknown = wire.clone();
        unknown[mki_at + 2] = 9;
        assert_eq!(unprotect(&mut receiver, kind, &unknown, 0), Err(Error::UnknownMki));
        let used: Vec<_> = receiver.key_use().map(|used| used.rtp_packets + used.rtcp_packets).collect();
        assert_eq!(used, [1, 1]);
    });
}

#[test]
fn an_mki_of_128_bytes_fits_into_the_overhead_that_is_promised() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(&attribute_with_mki(suite, 1, 128, None), &Policy::default());
        assert!(sender.overhead_bytes(Kind::Rtcp) <= agw_srtp::MAX_OVERHEAD_BYTES);
        for kind in [Kind::Rtp, Kind::Rtcp] {
            let wire = protect(&mut sender, kind, &a_packet(kind, 1)).unwrap();
            assert_eq!(unprotect(&mut receiver, kind, &wire, 0).unwrap(), a_packet(kind, 1), "{suite}");
        }
    }
}

/// SRTP-6
#[test]
fn a_key_ends_at_its_lifetime_in_both_directions() {
    for kind in [Kind::Rtp, Kind::Rtcp] {
        let suite = Suite::AesCm128HmacSha1_80;
        let (_, mut receiver) = pair(&short_lived(suite, 10), &Policy::default());
        let mut sender = OutboundSession::new(&short_lived(suite, 10), &Policy::default()).unwrap();
        let mut endless = OutboundSession::new(&plain_attribute(suite), &Policy::default()).unwrap();
        for number in 0..10 {
            let state = if number < 9 { LifetimeState::Fresh } else { LifetimeState::NearEnd };
            assert_eq!(sender.lifetime_state(), state, "{number}");
            let wire = protect(&mut sender, kind, &a_packet(kind, number)).unwrap();
            assert_eq!(protect(&mut endless, kind, &a_packet(kind, number)).unwrap(), wire);
            assert_eq!(receiver.lifetime_state(), state, "{number}");
            assert!(unprotect(&mut receiver, kind, &wire, 0).is_ok());
        }
        assert_eq!(protect(&mut sender, kind, &a_packet(kind, 10)), Err(Error::KeyExpired));
        let beyond = protect(&mut endless, kind, &a_packet(kind, 10)).unwrap();
        assert_eq!(unprotect(&mut receiver, kind, &beyond, 0), Err(Error::KeyExpired));
        assert_eq!(sender.lifetime_state(), LifetimeState::Ended);
        assert_eq!(receiver.lifetime_state(), LifetimeState::Ended);
    }
}

/// SRTP-10: then the next key, while the rollover counter goes on.
#[test]
fn the_sender_moves_to_the_next_key_at_the_end_of_the_first() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = pair(&attribute_with_mki(suite, 3, 1, Some(4)), &Policy::default());
        for number in 0..12_u16 {
            let plain = rtp(SSRC, number.wrapping_add(65_530), b"media");
            let wire = protect(&mut sender, Kind::Rtp, &plain).unwrap();
            assert_eq!(unprotect(&mut receiver, Kind::Rtp, &wire, 0).unwrap(), plain, "{suite} {number}");
        }
        let refused = protect(&mut sender, Kind::Rtp, &rtp(SSRC, 20, b"media"));
        assert_eq!(refused, Err(Error::KeyExpired));
        assert!(receiver.key_use().all(|used| used.rtp_packets == 4 && used.is_ended()));
        assert_eq!(receiver.streams().next(), Some((SSRC, Some(0x1_0005))));
    }
}

/// SRTP-5
#[test]
fn null_encryption_needs_the_policys_consent() {
    for (unencrypted_srtp, unencrypted_srtcp) in [(true, false), (false, true), (true, true)] {
        let params = SessionParams { unencrypted_srtp, unencrypted_srtcp, ..SessionParams::default() };
        let attribute = attribute_with(Suite::AesCm128HmacSha1_80, params);
        let refused = InboundSession::new(&attribute, &Policy::default()).map(|_| ());
        assert_eq!(refused, Err(PolicyError::NullEncryption));
        let refused = OutboundSession::new(&attribute, &Policy::default()).map(|_| ());
        assert_eq!(refused, Err(PolicyError::NullEncryption));

        let (mut sender, mut receiver) = pair(&attribute, &Policy { allow_null: true, ..Policy::default() });
        for (kind, clear) in [(Kind::Rtp, unencrypted_srtp), (Kind::Rtcp, unencrypted_srtcp)] {
            let plain = a_packet(kind, 1);
            let wire = protect(&mut sender, kind, &plain).unwrap();
            assert_eq!(wire[..plain.len()] == plain, clear);
            let mut damaged = wire.clone();
            damaged[plain.len() - 1] ^= 1;
            assert_eq!(unprotect(&mut receiver, kind, &damaged, 0), Err(Error::AuthFailed));
            assert_eq!(unprotect(&mut receiver, kind, &wire, 0).unwrap(), plain);
        }
    }
}

/// RFC 4568 section 6.3.2: the E flag may not override what was negotiated.
#[test]
fn the_encryption_flag_must_agree_with_the_session() {
    for suite in Suite::ALL {
        let params = SessionParams { unencrypted_srtcp: true, ..SessionParams::default() };
        let policy = Policy { allow_null: true, ..Policy::default() };
        let (mut clear_sender, mut clear_receiver) = pair(&attribute_with(suite, params), &policy);
        let (mut sender, mut receiver) = default_pair(suite);
        let wire = protect(&mut sender, Kind::Rtcp, &rtcp(SSRC, b"report")).unwrap();
        assert_eq!(unprotect(&mut clear_receiver, Kind::Rtcp, &wire, 0), Err(Error::EncryptionMismatch));
        let wire = protect(&mut clear_sender, Kind::Rtcp, &rtcp(SSRC, b"report")).unwrap();
        assert_eq!(unprotect(&mut receiver, Kind::Rtcp, &wire, 0), Err(Error::EncryptionMismatch));
        assert!(unprotect(&mut clear_receiver, Kind::Rtcp, &wire, 0).is_ok());
    }
}

/// SRTP-4: RTCP keeps its tag whatever was negotiated for RTP.
#[test]
fn unauthenticated_srtp_needs_the_policys_consent_and_spares_rtcp() {
    let params = SessionParams { unauthenticated_srtp: true, ..SessionParams::default() };
    for suite in [Suite::AesCm128HmacSha1_80, Suite::F8_128HmacSha1_80] {
        let attribute = attribute_with(suite, params);
        let refused = InboundSession::new(&attribute, &Policy::default()).map(|_| ());
        assert_eq!(refused, Err(PolicyError::Unauthenticated));

        let policy = Policy { allow_unauthenticated: true, ..Policy::default() };
        let (mut sender, mut receiver) = pair(&attribute, &policy);
        let plain = a_packet(Kind::Rtp, 1);
        let wire = protect(&mut sender, Kind::Rtp, &plain).unwrap();
        assert_eq!(wire.len(), plain.len());
        assert_ne!(wire, plain);
        assert_eq!(unprotect(&mut receiver, Kind::Rtp, &wire, 0).unwrap(), plain);
        assert_eq!(unprotect(&mut receiver, Kind::Rtp, &wire, 0), Err(Error::Replayed));

        let mut wire = protect(&mut sender, Kind::Rtcp, &a_packet(Kind::Rtcp, 1)).unwrap();
        wire[10] ^= 1;
        assert_eq!(unprotect(&mut receiver, Kind::Rtcp, &wire, 0), Err(Error::AuthFailed));
    }
}

#[test]
fn keys_are_derived_anew_at_the_rate_that_was_negotiated() {
    for suite in Suite::ALL {
        let attribute = attribute_with(suite, SessionParams { kdr: Some(3), ..SessionParams::default() });
        let (mut sender, mut receiver) = pair(&attribute, &Policy::default());
        let (mut once, _) = default_pair(suite);
        let mut wires = Vec::new();
        for number in 0..40 {
            for kind in [Kind::Rtp, Kind::Rtcp] {
                let plain = a_packet(kind, number);
                let wire = protect(&mut sender, kind, &plain).unwrap();
                let other = protect(&mut once, kind, &plain).unwrap();
                assert_eq!(wire == other, number < 8, "{suite} {kind:?} {number}: first epoch only");
                wires.push((kind, plain, wire));
            }
        }
        // Backwards and forwards over the borders of epochs.
        let order = (0..8).flat_map(|group| (0..10).map(move |n| group * 10 + (n * 7) % 10));
        for at in order {
            let (kind, plain, wire) = &wires[at];
            assert_eq!(unprotect(&mut receiver, *kind, wire, 0).as_ref(), Ok(plain), "{suite} {at}");
        }
    }
}

#[test]
fn a_window_size_hint_widens_the_window_and_never_narrows_it() {
    let lag = |hint, packets: u16| {
        let params = SessionParams { window_size_hint: hint, ..SessionParams::default() };
        let attribute = attribute_with(Suite::AesCm128HmacSha1_80, params);
        let policy = Policy { rtp_window_packets: 128, ..Policy::default() };
        let (mut sender, mut receiver) = pair(&attribute, &policy);
        let old = protect(&mut sender, Kind::Rtp, &rtp(SSRC, 1000, b"x")).unwrap();
        let new = protect(&mut sender, Kind::Rtp, &rtp(SSRC, 1000 + packets, b"x")).unwrap();
        assert!(unprotect(&mut receiver, Kind::Rtp, &new, 0).is_ok());
        unprotect(&mut receiver, Kind::Rtp, &old, 0).map(|_| ())
    };
    assert_eq!(lag(None, 127), Ok(()));
    assert_eq!(lag(None, 128), Err(Error::TooOld));
    assert_eq!(lag(Some(64), 127), Ok(()));
    assert_eq!(lag(Some(1024), 1023), Ok(()));
    assert_eq!(lag(Some(1024), 1024), Err(Error::TooOld));
    assert_eq!(lag(Some(4_000_000_000), 8191), Ok(()));
    assert_eq!(lag(Some(4_000_000_000), 8192), Err(Error::TooOld));
}

#[test]
fn the_key_of_one_direction_does_not_open_the_other() {
    every_suite_and_kind(|suite, kind| {
        let (mut sender, _) = default_pair(suite);
        let other = CryptoAttribute::new(1, suite, [master_key(suite, 2)]).unwrap();
        let mut receiver = InboundSession::new(&other, &Policy::default()).unwrap();
        let wire = protect(&mut sender, kind, &a_packet(kind, 1)).unwrap();
        assert_eq!(unprotect(&mut receiver, kind, &wire, 0), Err(Error::AuthFailed), "{suite} {kind:?}");
    });
}

/// SRTP-12
#[test]
fn the_debug_form_of_a_session_holds_no_key() {
    let key = MasterKey::new(Suite::AesCm128HmacSha1_80, &[171; 16], &[205; 14]).unwrap();
    let attribute = CryptoAttribute::new(1, Suite::AesCm128HmacSha1_80, [key]).unwrap();
    let (sender, receiver) = pair(&attribute, &Policy::default());
    for text in [format!("{sender:?}"), format!("{receiver:?}"), format!("{:?}", receiver.keys())] {
        assert!(text.contains("Keys") && !text.contains("171") && !text.contains("205"), "{text}");
    }
}

#[test]
fn a_session_is_small_and_its_size_is_known() {
    for suite in Suite::ALL {
        let (sender, receiver) = default_pair(suite);
        println!(
            "{suite}: inbound {} bytes, outbound {} bytes",
            receiver.memory_bytes(),
            sender.memory_bytes()
        );
        assert!(receiver.memory_bytes() < 3072 && sender.memory_bytes() < 3072);
    }
}

#[test]
fn sessions_can_move_to_their_worker() {
    fn sendable<T: Send + 'static>() {}
    sendable::<InboundSession>();
    sendable::<OutboundSession>();
    sendable::<agw_srtp::Job>();
}
