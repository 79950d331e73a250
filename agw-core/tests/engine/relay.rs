//! What passes, and in which form (RLY-1, RLY-2, RLY-4, SRTP-2).

use super::ground::{Ground, Host};
use super::rig::{OUR_KEY, PEER_KEY, Rig, drain, protect, receiver, rtp, sender, sender_report, unprotect};
use agw_core::command::order::Treatment::{Plain, Relay, Secure};
use agw_core::io::MAX_DATAGRAM_BYTES;
use agw_core::model::{Family, Leg, Mode};
use agw_core::worker::stats::{DropReason, PacketKind};

pub(crate) fn plain_rtp_and_rtcp_cross_unchanged_both_ways<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Plain, Plain);
    for sequence in 0..20 {
        call.ue.send(call.access.rtp, &rtp(1, sequence, b"from the phone"));
        call.far.send(call.core.rtp, &rtp(2, sequence, b"from the core"));
    }
    call.ue_rtcp.send(call.access.rtcp, &sender_report(1));
    call.far_rtcp.send(call.core.rtcp, &sender_report(2));
    rig.run();
    for sequence in 0..20 {
        let (from, bytes) = call.far.receive().unwrap();
        assert_eq!((from, bytes), (call.core.rtp, rtp(1, sequence, b"from the phone")));
        let (from, bytes) = call.ue.receive().unwrap();
        assert_eq!((from, bytes), (call.access.rtp, rtp(2, sequence, b"from the core")));
    }
    assert_eq!(call.far_rtcp.receive(), Some((call.core.rtcp, sender_report(1))));
    assert_eq!(call.ue_rtcp.receive(), Some((call.access.rtcp, sender_report(2))));
    assert_eq!(rig.received(Leg::Access, PacketKind::Rtp), 20);
    assert_eq!(rig.received(Leg::Access, PacketKind::Rtcp), 1);
    assert_eq!(rig.sent(Leg::Core, PacketKind::Rtp), 20);
    assert_eq!(rig.sent(Leg::Access, PacketKind::Rtcp), 1);
    rig.check_sums();
}

pub(crate) fn srtp_becomes_rtp_and_rtp_becomes_srtp<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    let (mut phone_out, mut phone_in) = (sender(PEER_KEY), receiver(OUR_KEY));
    for sequence in 0..30 {
        let packet = rtp(1, sequence, &[sequence as u8; 160]);
        call.ue.send(call.access.rtp, &protect(&mut phone_out, &packet));
        call.far.send(call.core.rtp, &rtp(2, sequence, &[0xd5; 160]));
    }
    call.ue_rtcp.send(call.access.rtcp, &protect(&mut phone_out, &sender_report(1)));
    call.far_rtcp.send(call.core.rtcp, &sender_report(2));
    rig.run();
    for sequence in 0..30 {
        assert_eq!(call.far.receive().unwrap().1, rtp(1, sequence, &[sequence as u8; 160]));
        let secured = call.ue.receive().unwrap().1;
        assert_eq!(secured.len(), 12 + 160 + 10);
        assert_eq!(unprotect(&mut phone_in, &secured).unwrap(), rtp(2, sequence, &[0xd5; 160]));
    }
    assert_eq!(drain(&call.far_rtcp), [sender_report(1)]);
    let secured = call.ue_rtcp.receive().unwrap().1;
    assert_eq!(unprotect(&mut phone_in, &secured).unwrap(), sender_report(2));
    assert_eq!(rig.received(Leg::Access, PacketKind::Srtp), 30);
    assert_eq!(rig.received(Leg::Access, PacketKind::Srtcp), 1);
    assert_eq!(rig.sent(Leg::Access, PacketKind::Srtp), 30);
    assert_eq!(rig.sent(Leg::Access, PacketKind::Srtcp), 1);
    assert_eq!(rig.sent(Leg::Core, PacketKind::Rtp), 30);
    rig.check_sums();
}

pub(crate) fn srtp_meets_srtp_of_other_keys<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Secure);
    // The core side is keyed the other way round, so that each direction ends one key and begins the other.
    rig.change(call.core, |plan| {
        plan.inbound = Some(Box::new(receiver(OUR_KEY)));
        plan.outbound = Some(Box::new(sender(PEER_KEY)));
    });
    let (mut phone_out, mut core_in) = (sender(PEER_KEY), receiver(PEER_KEY));
    let (mut core_out, mut phone_in) = (sender(OUR_KEY), receiver(OUR_KEY));
    call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 7, b"up")));
    call.far.send(call.core.rtp, &protect(&mut core_out, &rtp(2, 9, b"down")));
    rig.run();
    assert_eq!(unprotect(&mut core_in, &call.far.receive().unwrap().1).unwrap(), rtp(1, 7, b"up"));
    assert_eq!(unprotect(&mut phone_in, &call.ue.receive().unwrap().1).unwrap(), rtp(2, 9, b"down"));
    rig.check_sums();
}

pub(crate) fn every_suite_passes_both_ways<G: Ground>(rig: &mut Rig<G>) {
    for suite in agw_srtp::Suite::ALL {
        let line = |tag: u8| {
            let bytes: Vec<u8> =
                (0..suite.master_key_len() + suite.master_salt_len()).map(|n| n as u8 ^ tag).collect();
            let master = agw_srtp::MasterKey::new(
                suite,
                &bytes[..suite.master_key_len()],
                &bytes[suite.master_key_len()..],
            );
            let attribute = agw_srtp::CryptoAttribute::new(1, suite, vec![master.unwrap()]);
            attribute.unwrap().print()
        };
        let (theirs, ours) = (line(0x11), line(0x77));
        let call = rig.call(Secure, Plain);
        rig.change(call.access, |plan| {
            plan.inbound = Some(Box::new(receiver(&theirs)));
            plan.outbound = Some(Box::new(sender(&ours)));
        });
        let (mut phone_out, mut phone_in) = (sender(&theirs), receiver(&ours));
        for sequence in 0..5 {
            call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, sequence, &[1; 100])));
            call.far.send(call.core.rtp, &rtp(2, sequence, &[2; 100]));
        }
        call.ue_rtcp.send(call.access.rtcp, &protect(&mut phone_out, &sender_report(1)));
        call.far_rtcp.send(call.core.rtcp, &sender_report(2));
        rig.run();
        for sequence in 0..5 {
            assert_eq!(call.far.receive().unwrap().1, rtp(1, sequence, &[1; 100]), "{suite:?}");
            let secured = call.ue.receive().unwrap().1;
            assert_eq!(unprotect(&mut phone_in, &secured).unwrap(), rtp(2, sequence, &[2; 100]));
        }
        assert_eq!(drain(&call.far_rtcp), [sender_report(1)], "{suite:?}");
        let secured = call.ue_rtcp.receive().unwrap().1;
        assert_eq!(unprotect(&mut phone_in, &secured).unwrap(), sender_report(2));
    }
    rig.check_sums();
}

pub(crate) fn a_relay_passes_any_datagram_byte_for_byte<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Relay, Relay);
    let datagram = |len: usize| -> Vec<u8> { (0..len).map(|n| (n * 7 + len) as u8).collect() };
    for first in (0..=1500).step_by(50) {
        let lengths = first..(first + 50).min(1501);
        for len in lengths.clone() {
            call.ue.send(call.access.rtp, &datagram(len));
        }
        rig.run();
        for len in lengths {
            assert_eq!(call.far.receive(), Some((call.core.rtp, datagram(len))), "{len} bytes");
        }
    }
    call.far_rtcp.send(call.core.rtcp, &[0xff; 3]);
    call.far.send(call.core.rtp, &datagram(MAX_DATAGRAM_BYTES));
    rig.run();
    assert_eq!(drain(&call.ue_rtcp), [vec![0xff; 3]]);
    assert_eq!(drain(&call.ue), [datagram(MAX_DATAGRAM_BYTES)]);
    assert_eq!(rig.received(Leg::Access, PacketKind::Udp), 1501);
    rig.check_sums();
}

pub(crate) fn ipv4_meets_ipv6<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call_between((Secure, Family::V6), (Plain, Family::V4));
    let (mut phone_out, mut phone_in) = (sender(PEER_KEY), receiver(OUR_KEY));
    call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 1, b"six to four")));
    call.far.send(call.core.rtp, &rtp(2, 1, b"four to six"));
    rig.run();
    assert_eq!(call.far.receive(), Some((call.core.rtp, rtp(1, 1, b"six to four"))));
    let (from, secured) = call.ue.receive().unwrap();
    assert_eq!(from, call.access.rtp);
    assert_eq!(unprotect(&mut phone_in, &secured).unwrap(), rtp(2, 1, b"four to six"));
    rig.check_sums();
}

pub(crate) fn rtcp_shares_the_port_on_one_side_only<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    rig.change(call.access, |plan| {
        plan.mux = true;
        plan.ports[1] = None;
        plan.remote[1] = None;
    });
    let (mut phone_out, mut phone_in) = (sender(PEER_KEY), receiver(OUR_KEY));
    call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 1, b"media")));
    call.ue.send(call.access.rtp, &protect(&mut phone_out, &sender_report(1)));
    call.far.send(call.core.rtp, &rtp(2, 1, b"media"));
    call.far_rtcp.send(call.core.rtcp, &sender_report(2));
    rig.run();
    assert_eq!(drain(&call.far), [rtp(1, 1, b"media")]);
    assert_eq!(drain(&call.far_rtcp), [sender_report(1)]);
    let mut plain: Vec<_> =
        drain(&call.ue).iter().map(|secured| unprotect(&mut phone_in, secured).unwrap()).collect();
    plain.sort();
    assert_eq!(plain, [rtp(2, 1, b"media"), sender_report(2)]);
    assert_eq!(call.ue_rtcp.receive(), None);

    // Its own old RTCP port hears nothing any more, and RTCP on an RTP port that is not shared is no RTP.
    call.ue_rtcp.send(call.access.rtcp, &protect(&mut phone_out, &sender_report(1)));
    call.far.send(call.core.rtp, &sender_report(2));
    rig.run();
    assert_eq!(rig.dropped(Leg::Access, DropReason::NoFlow), 1);
    assert_eq!(rig.dropped(Leg::Core, DropReason::NotRtp), 1);
    rig.check_sums();
}

pub(crate) fn loopback_sends_media_home<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    rig.change(call.access, |plan| plan.mode = Mode::Loopback);
    let (mut phone_out, mut phone_in) = (sender(PEER_KEY), receiver(OUR_KEY));
    call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 1, b"echo")));
    call.far.send(call.core.rtp, &rtp(2, 1, b"shut out"));
    rig.run();
    let home = call.ue.receive().unwrap().1;
    assert_eq!(unprotect(&mut phone_in, &home).unwrap(), rtp(1, 1, b"echo"), "under our key, not its own");
    assert_eq!((call.ue.receive(), call.far.receive()), (None, None));
    assert_eq!(rig.dropped(Leg::Core, DropReason::Gate), 1);
    rig.check_sums();
}

pub(crate) fn rollover_counters_turn_many_times<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    let (mut phone_out, mut phone_in) = (sender(PEER_KEY), receiver(OUR_KEY));
    // Steps of 6000 wrap the sequence number every eleven packets: 27 times. A batch of four holds less than half of the numbers,
    // as any real one does.
    for first in (0..300_u32).step_by(4) {
        let packet = |ssrc, step: u32| rtp(ssrc, (step * 6000) as u16, &step.to_be_bytes());
        for step in first..first + 4 {
            call.ue.send(call.access.rtp, &protect(&mut phone_out, &packet(1, step)));
            call.far.send(call.core.rtp, &packet(2, step));
        }
        rig.run();
        for step in first..first + 4 {
            assert_eq!(call.far.receive().unwrap().1, packet(1, step));
            assert_eq!(unprotect(&mut phone_in, &call.ue.receive().unwrap().1).unwrap(), packet(2, step));
        }
    }
    rig.check_sums();
}

pub(crate) fn packets_of_one_stream_in_one_batch_stay_right<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    let mut phone_out = sender(PEER_KEY);
    let before_the_wrap = protect(&mut phone_out, &rtp(1, 65_530, b"first"));
    let mut burst: Vec<_> = (65_531..=65_535_u16)
        .chain(0..5)
        .map(|sequence| protect(&mut phone_out, &rtp(1, sequence, b"burst")))
        .collect();
    call.ue.send(call.access.rtp, &before_the_wrap);
    // The same packet twice, and two in the wrong order, around the wrap, all at once.
    burst.insert(4, burst[3].clone());
    burst.swap(6, 7);
    for packet in &burst {
        call.ue.send(call.access.rtp, packet);
    }
    rig.run();
    let sequences: Vec<_> =
        drain(&call.far).iter().map(|packet| u16::from_be_bytes([packet[2], packet[3]])).collect();
    assert_eq!(sequences, [65_530, 65_531, 65_532, 65_533, 65_534, 65_535, 1, 0, 2, 3, 4]);
    assert_eq!(rig.dropped(Leg::Access, DropReason::Srtp(agw_srtp::Error::Replayed)), 1);
    rig.check_sums();
}

pub(crate) fn an_oversized_datagram_is_dropped<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Relay, Relay);
    call.ue.send(call.access.rtp, &vec![1; MAX_DATAGRAM_BYTES + 1]);
    call.ue.send(call.access.rtp, &vec![1; 4000]);
    rig.run();
    assert_eq!(call.far.receive(), None);
    assert_eq!(rig.dropped(Leg::Access, DropReason::TooLong), 2);
    rig.check_sums();
}
