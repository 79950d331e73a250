//! Rates (H.248.53): what exceeds them is discarded and counted, and nobody else pays for it.

use super::ground::{Ground, Host, Sim};
use super::rig::{OUR_KEY, PEER_KEY, Rig, drain, protect, receiver, rtp, sender, sender_report, unprotect};
use agw_core::command::Observation;
use agw_core::command::order::Latching;
use agw_core::command::order::Treatment::{Plain, Relay, Secure};
use agw_core::model::{Family, Leg, Policing, SustainedRate};
use agw_core::worker::stats::DropReason;
use std::time::Duration;

/// A payload with which an RTP packet over IPv4 is 100 octets long.
const HUNDRED: [u8; 60] = [0x5a; 60];

/// So slow that no test lasts long enough for another packet.
fn burst_of(burst_bytes: u32) -> Option<Policing> {
    Some(Policing::new(Some(SustainedRate { bytes_per_second: 1, burst_bytes }), None, None))
}

pub(crate) fn a_burst_passes_and_what_exceeds_it_is_discarded_and_told_once<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Plain, Plain);
    rig.change(call.access, |plan| plan.policing = burst_of(1_099));
    for sequence in 0..40 {
        call.ue.send(call.access.rtp, &rtp(1, sequence, &HUNDRED));
        call.far.send(call.core.rtp, &rtp(2, sequence, &HUNDRED));
    }
    rig.run();
    assert_eq!(drain(&call.far), (0..10).map(|n| rtp(1, n, &HUNDRED)).collect::<Vec<_>>());
    assert_eq!(drain(&call.ue).len(), 40, "the other way is not policed");
    assert_eq!(rig.dropped(Leg::Access, DropReason::Policed), 30);
    let statistics = rig.statistics(call.access);
    assert_eq!((statistics.policed, statistics.discarded), (30, 30));
    assert_eq!((statistics.packets_received, statistics.octets_received), (10, 720));
    assert_eq!((statistics.packets_sent, statistics.octets_sent), (40, 2_880));
    assert_eq!(rig.take_notices(), [(call.access.id, Observation::Policed)]);
    rig.check_sums();
}

pub(crate) fn media_that_is_too_fast_does_not_silence_reports<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    rig.change(call.access, |plan| plan.policing = burst_of(0));
    let mut phone_out = sender(PEER_KEY);
    for sequence in 0..20 {
        call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, sequence, &HUNDRED)));
    }
    // Of 28 + 28 + 14 octets each; 3000 may come at once.
    for _ in 0..60 {
        call.ue_rtcp.send(call.access.rtcp, &protect(&mut phone_out, &sender_report(1)));
    }
    rig.run();
    rig.run();
    assert_eq!(drain(&call.far).len(), 0);
    assert_eq!(drain(&call.far_rtcp).len(), 42, "3000 octets of SRTCP packets of 70");
    assert_eq!(rig.dropped(Leg::Access, DropReason::Policed), 20 + 18);
    rig.check_sums();
}

pub(crate) fn forged_packets_do_not_use_up_the_rate_of_the_peer<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    rig.change(call.access, |plan| plan.policing = burst_of(1_100));
    let stranger = rig.ground.host(Family::V4);
    for sequence in 0..50 {
        stranger.send(call.access.rtp, &rtp(1, sequence, &[7; 70]));
    }
    rig.run();
    let mut phone_out = sender(PEER_KEY);
    for sequence in 0..20 {
        call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, sequence, &HUNDRED)));
    }
    rig.run();
    assert_eq!(drain(&call.far).len(), 10, "SRTP packets of 110 octets");
    let forged = DropReason::Srtp(agw_srtp::Error::AuthFailed);
    assert_eq!(rig.dropped(Leg::Access, forged), 50);
    assert_eq!(rig.dropped(Leg::Access, DropReason::Policed), 10);
    rig.check_sums();
}

pub(crate) fn each_family_is_charged_for_its_own_headers<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call_between((Plain, Family::V6), (Plain, Family::V4));
    for side in [call.access, call.core] {
        rig.change(side, |plan| plan.policing = burst_of(1_200));
    }
    for sequence in 0..20 {
        call.ue.send(call.access.rtp, &rtp(1, sequence, &HUNDRED));
        call.far.send(call.core.rtp, &rtp(2, sequence, &HUNDRED));
    }
    rig.run();
    assert_eq!(drain(&call.far).len(), 10, "120 octets each as IPv6");
    assert_eq!(drain(&call.ue).len(), 12, "100 octets each as IPv4");
    rig.check_sums();
}

pub(crate) fn a_relay_is_policed_as_well<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Relay, Relay);
    rig.change(call.access, |plan| plan.policing = burst_of(1_000));
    for _ in 0..20 {
        call.ue.send(call.access.rtp, &[0xff; 72]);
        call.ue_rtcp.send(call.access.rtcp, &[0xff; 72]);
    }
    rig.run();
    assert_eq!(drain(&call.far).len(), 10);
    assert_eq!(drain(&call.far_rtcp).len(), 20, "the RTCP half has its own allowance");
    assert_eq!(rig.dropped(Leg::Access, DropReason::Policed), 10);
    rig.check_sums();
}

pub(crate) fn policed_packets_teach_nothing_and_are_not_lost<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    let (mut phone_out, mut phone_in) = (sender(PEER_KEY), receiver(OUR_KEY));
    rig.change(call.access, |plan| {
        plan.latching = Latching::Once;
        plan.policing = burst_of(0);
    });
    let elsewhere = rig.ground.host(Family::V4);
    // Enough for the sequence number to come round while nothing passes.
    for sequence in (0..16_u32).map(|n| (n * 5_000) as u16) {
        elsewhere.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, sequence, &HUNDRED)));
    }
    rig.run();
    assert_eq!(rig.take_notices(), [(call.access.id, Observation::Policed)], "and not that it was learned");
    rig.change(call.access, |plan| plan.policing = None);
    call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 9_465, &HUNDRED)));
    call.far.send(call.core.rtp, &rtp(2, 1, b"down"));
    rig.run();
    assert_eq!(drain(&call.far), [rtp(1, 9_465, &HUNDRED)], "the rollover counter went on");
    call.far.send(call.core.rtp, &rtp(2, 2, b"down"));
    rig.run();
    for packet in drain(&call.ue) {
        unprotect(&mut phone_in, &packet).unwrap();
    }
    assert_eq!(elsewhere.receive(), None);
    let statistics = rig.statistics(call.access);
    assert_eq!((statistics.policed, statistics.packets_received), (16, 1));
    rig.check_sums();
}

pub(crate) fn a_change_keeps_the_bucket_and_the_count<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Plain, Plain);
    rig.change(call.access, |plan| plan.policing = burst_of(1_000));
    let send = |rig: &mut Rig<G>, count: u16| {
        for sequence in 0..count {
            call.ue.send(call.access.rtp, &rtp(1, sequence, &HUNDRED));
        }
        rig.run();
        drain(&call.far).len()
    };
    assert_eq!(send(rig, 20), 10);
    rig.change(call.access, |plan| plan.remote[1] = None);
    assert_eq!(send(rig, 20), 0, "a change of something else fills nothing up");
    rig.change(call.access, |plan| plan.policing = burst_of(1_500));
    assert_eq!(send(rig, 20), 5, "five more fit a larger burst");
    rig.change(call.access, |plan| plan.policing = None);
    assert_eq!(send(rig, 20), 20);
    assert_eq!(rig.statistics(call.access).policed, 10 + 20 + 15);
    rig.check_sums();
}

pub(crate) fn the_mean_rate_holds_over_time(rig: &mut Rig<Sim>) {
    let call = rig.call(Plain, Plain);
    let rate = SustainedRate { bytes_per_second: 5_000, burst_bytes: 200 };
    rig.change(call.access, |plan| plan.policing = Some(Policing::new(Some(rate), None, None)));
    // A packet every 10 ms, of which every other one is too many.
    for sequence in 0..1_000 {
        call.ue.send(call.access.rtp, &rtp(1, sequence, &HUNDRED));
        rig.run();
        rig.ground.net.advance(Duration::from_millis(10));
    }
    let passed = drain(&call.far).len();
    assert_eq!(passed, 501, "ten seconds of 50 packets, and the burst's second");
    assert_eq!(rig.take_notices(), [(call.access.id, Observation::Policed)], "one spell, one notice");
    rig.ground.net.advance(Duration::from_secs(11));
    for sequence in 0..3 {
        call.ue.send(call.access.rtp, &rtp(1, sequence, &HUNDRED));
    }
    rig.run();
    assert_eq!(rig.take_notices(), [(call.access.id, Observation::Policed)], "another spell");
    assert!(rig.statistics(call.access).loss_percent < 0.01, "what was discarded had come");
    rig.check_sums();
}
