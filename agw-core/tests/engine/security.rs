//! What does not pass, whoever sends it (RLY-2, RLY-3, SRTP-2, SRTP-10; "a stranger's packets change nothing").

use super::ground::{Ground, Host};
use super::rig::{OUR_KEY, PEER_KEY, Rig, drain, protect, receiver, rtp, sender, sender_report, unprotect};
use agw_core::command::Observation;
use agw_core::command::order::Latching;
use agw_core::command::order::Treatment::{Plain, Relay, Secure};
use agw_core::model::{AddressMask, Component, Family, Leg, SourceRule};
use agw_core::worker::stats::DropReason;
use agw_srtp::Error;

pub(crate) fn swapped_keys_pass_nothing<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    let (mut wrong_out, mut wrong_in) = (sender(OUR_KEY), receiver(PEER_KEY));
    call.ue.send(call.access.rtp, &protect(&mut wrong_out, &rtp(1, 1, b"x")));
    call.ue_rtcp.send(call.access.rtcp, &protect(&mut wrong_out, &sender_report(1)));
    call.far.send(call.core.rtp, &rtp(2, 1, b"x"));
    rig.run();
    assert_eq!((call.far.receive(), call.far_rtcp.receive()), (None, None));
    assert_eq!(rig.dropped(Leg::Access, DropReason::Srtp(Error::AuthFailed)), 2);
    let secured = call.ue.receive().unwrap().1;
    assert_eq!(unprotect(&mut wrong_in, &secured), Err(Error::AuthFailed));
    rig.check_sums();
}

pub(crate) fn a_corrupted_and_a_replayed_packet_never_come_out<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    let mut phone_out = sender(PEER_KEY);
    let good = protect(&mut phone_out, &rtp(1, 1, b"good"));
    for at in 2..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        call.ue.send(call.access.rtp, &bad);
        if at % 16 == 0 {
            rig.run();
        }
    }
    rig.run();
    assert_eq!(call.far.receive(), None);
    let bad = good.len() as u64 - 2;
    assert_eq!(rig.dropped(Leg::Access, DropReason::Srtp(Error::AuthFailed)), bad);

    call.ue.send(call.access.rtp, &good);
    rig.run();
    call.ue.send(call.access.rtp, &good);
    rig.run();
    assert_eq!(drain(&call.far), [rtp(1, 1, b"good")], "once");
    assert_eq!(rig.dropped(Leg::Access, DropReason::Srtp(Error::Replayed)), 1);

    let report = protect(&mut phone_out, &sender_report(1));
    call.ue_rtcp.send(call.access.rtcp, &report);
    call.ue_rtcp.send(call.access.rtcp, &report);
    rig.run();
    assert_eq!(drain(&call.far_rtcp), [sender_report(1)], "once");
    assert_eq!(rig.dropped(Leg::Access, DropReason::Srtp(Error::Replayed)), 2);
    rig.check_sums();
}

pub(crate) fn strangers_change_nothing_on_a_plain_call<G: Ground>(rig: &mut Rig<G>) {
    for treatment in [Plain, Relay] {
        let call = rig.call(treatment, treatment);
        let stranger = rig.ground.host(Family::V4);
        let before = rig.dropped(Leg::Access, DropReason::Source);
        for sequence in 0..10 {
            stranger.send(call.access.rtp, &rtp(1, sequence, b"mine"));
            stranger.send(call.access.rtcp, &sender_report(1));
            call.ue.send(call.access.rtp, &rtp(1, sequence, b"genuine"));
        }
        // Nor is the peer's RTCP host heard on the RTP port.
        call.ue_rtcp.send(call.access.rtp, &rtp(1, 11, b"mine"));
        call.far.send(call.core.rtp, &rtp(2, 1, b"answer"));
        rig.run();
        let heard = drain(&call.far);
        assert_eq!(heard.len(), 10);
        assert!(heard.iter().all(|packet| packet.ends_with(b"genuine")));
        assert_eq!(call.far_rtcp.receive(), None);
        assert_eq!(drain(&call.ue), [rtp(2, 1, b"answer")]);
        assert_eq!(stranger.receive(), None);
        assert_eq!(rig.dropped(Leg::Access, DropReason::Source) - before, 21);
        assert_eq!(rig.statistics(call.access).discarded, 21);
    }
    rig.check_sums();
}

pub(crate) fn strangers_change_nothing_on_a_secure_call<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    rig.change(call.access, |plan| plan.latching = Latching::Once);
    let stranger = rig.ground.host(Family::V4);
    let mut phone_out = sender(PEER_KEY);
    let genuine = protect(&mut phone_out, &rtp(1, 1, b"genuine"));
    // Plain RTP, noise, a forgery with the right SSRC far ahead, a copy of a genuine packet after it was heard.
    stranger.send(call.access.rtp, &rtp(1, 1, &[0; 160]));
    stranger.send(call.access.rtp, &rtp(1, 30_000, &[0; 160]));
    rig.run();
    call.ue.send(call.access.rtp, &genuine);
    rig.run();
    stranger.send(call.access.rtp, &genuine);
    stranger.send(call.access.rtp, &rtp(1, 65_000, &[0; 160]));
    call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 2, b"more")));
    call.far.send(call.core.rtp, &rtp(2, 1, b"answer"));
    rig.run();
    assert_eq!(drain(&call.far), [rtp(1, 1, b"genuine"), rtp(1, 2, b"more")]);
    assert_eq!(call.ue.receive().map(|(from, _)| from), Some(call.access.rtp));
    assert_eq!(stranger.receive(), None);
    rig.check_sums();
}

pub(crate) fn nobody_is_heard_before_the_remote_address_is_known<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Plain, Plain);
    rig.change(call.access, |plan| plan.remote = [None; 2]);
    call.ue.send(call.access.rtp, &rtp(1, 1, b"early"));
    call.far.send(call.core.rtp, &rtp(2, 1, b"nowhere to go"));
    rig.run();
    assert_eq!((call.ue.receive(), call.far.receive()), (None, None));
    assert_eq!(rig.dropped(Leg::Access, DropReason::Source), 1);
    assert_eq!(rig.dropped(Leg::Core, DropReason::NoRemote), 1);
    rig.check_sums();
}

pub(crate) fn a_secure_stream_learns_from_authentic_packets_only<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    let wrong = rig.ground.host(Family::V4);
    rig.change(call.access, |plan| {
        plan.latching = Latching::Once;
        plan.remote = [Some(wrong.address()), None];
    });
    let stranger = rig.ground.host(Family::V4);
    stranger.send(call.access.rtp, &rtp(1, 1, &[0; 160]));
    stranger.send(call.access.rtp, b"\x80\x08");
    call.far.send(call.core.rtp, &rtp(2, 1, b"one"));
    rig.run();
    assert_eq!(wrong.receive().map(|(from, _)| from), Some(call.access.rtp), "as signalled, until learned");
    assert_eq!(rig.take_notices(), []);

    let mut phone_out = sender(PEER_KEY);
    call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 1, b"here I am")));
    rig.run();
    call.far.send(call.core.rtp, &rtp(2, 2, b"two"));
    rig.run();
    assert!(call.ue.receive().is_some());
    assert_eq!((wrong.receive(), stranger.receive()), (None, None));
    let source = call.ue.address();
    let expected = Observation::Latched { component: Component::Rtp, source };
    assert_eq!(rig.take_notices(), [(call.access.id, expected)]);

    // From elsewhere with the right key: heard, as any authentic packet, but the stream stays where it is.
    call.ue_rtcp.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 2, b"roaming")));
    call.far.send(call.core.rtp, &rtp(2, 3, b"three"));
    rig.run();
    assert_eq!(drain(&call.far).len(), 2);
    assert!(call.ue.receive().is_some());
    assert_eq!(call.ue_rtcp.receive(), None);
    assert_eq!(rig.take_notices(), []);
    rig.check_sums();
}

pub(crate) fn rtp_and_rtcp_are_learned_apart<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    rig.change(call.access, |plan| (plan.latching, plan.remote) = (Latching::Once, [None; 2]));
    let mut phone_out = sender(PEER_KEY);
    call.ue_rtcp.send(call.access.rtcp, &protect(&mut phone_out, &sender_report(1)));
    rig.run();
    call.far.send(call.core.rtp, &rtp(2, 1, b"x"));
    call.far_rtcp.send(call.core.rtcp, &sender_report(2));
    rig.run();
    assert_eq!(call.ue.receive(), None);
    assert!(call.ue_rtcp.receive().is_some());
    assert_eq!(rig.dropped(Leg::Core, DropReason::NoRemote), 1, "RTP's address is still unknown");
    call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 1, b"x")));
    rig.run();
    call.far.send(call.core.rtp, &rtp(2, 2, b"x"));
    rig.run();
    assert!(call.ue.receive().is_some());
    assert_eq!(rig.take_notices().len(), 2);
    rig.check_sums();
}

pub(crate) fn a_plain_stream_learns_from_the_first_packet_that_looks_right<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Plain, Plain);
    rig.change(call.access, |plan| (plan.latching, plan.remote) = (Latching::Once, [None; 2]));
    let noisy = rig.ground.host(Family::V4);
    noisy.send(call.access.rtp, b"GET / HTTP/1.1");
    noisy.send(call.access.rtp, &[0x80, 8, 0]);
    noisy.send(call.access.rtp, &sender_report(1));
    rig.run();
    assert_eq!(rig.take_notices(), []);
    call.ue.send(call.access.rtp, &rtp(1, 1, b"first"));
    rig.run();
    noisy.send(call.access.rtp, &rtp(1, 2, b"too late"));
    call.far.send(call.core.rtp, &rtp(2, 1, b"answer"));
    rig.run();
    assert_eq!(drain(&call.far), [rtp(1, 1, b"first")]);
    assert_eq!(drain(&call.ue), [rtp(2, 1, b"answer")]);
    assert_eq!(noisy.receive(), None);
    assert_eq!(rig.dropped(Leg::Access, DropReason::Source), 1);
    rig.check_sums();
}

pub(crate) fn relatching_moves_the_stream_once<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Plain, Plain);
    rig.change(call.access, |plan| (plan.latching, plan.remote) = (Latching::Once, [None; 2]));
    call.ue.send(call.access.rtp, &rtp(1, 1, b"old place"));
    rig.run();
    rig.change(call.access, |plan| plan.latching = Latching::Again);
    call.far.send(call.core.rtp, &rtp(2, 1, b"still there"));
    rig.run();
    assert_eq!(drain(&call.ue), [rtp(2, 1, b"still there")], "the old address works until the next packet");
    let moved = rig.ground.host(Family::V4);
    moved.send(call.access.rtp, &rtp(1, 2, b"new place"));
    rig.run();
    call.ue.send(call.access.rtp, &rtp(1, 3, b"old place"));
    call.far.send(call.core.rtp, &rtp(2, 2, b"found"));
    rig.run();
    assert_eq!(drain(&moved), [rtp(2, 2, b"found")]);
    assert_eq!(call.ue.receive(), None);
    assert_eq!(drain(&call.far), [rtp(1, 1, b"old place"), rtp(1, 2, b"new place")]);
    rig.change(call.access, |plan| {
        plan.latching = Latching::Off;
        plan.remote[0] = Some(call.ue.address());
    });
    call.far.send(call.core.rtp, &rtp(2, 3, b"as signalled"));
    rig.run();
    assert_eq!(drain(&call.ue), [rtp(2, 3, b"as signalled")]);
    rig.check_sums();
}

pub(crate) fn relatching_a_secure_stream_takes_an_authentic_packet<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    rig.change(call.access, |plan| (plan.latching, plan.remote) = (Latching::Once, [None; 2]));
    let (mut phone_out, stranger) = (sender(PEER_KEY), rig.ground.host(Family::V4));
    let old = protect(&mut phone_out, &rtp(1, 1, b"here"));
    call.ue.send(call.access.rtp, &old);
    call.ue_rtcp.send(call.access.rtcp, &protect(&mut phone_out, &sender_report(1)));
    rig.run();
    assert_eq!(rig.take_notices().len(), 2);

    rig.change(call.access, |plan| plan.latching = Latching::Again);
    stranger.send(call.access.rtp, &rtp(1, 2, &[0; 160]));
    stranger.send(call.access.rtp, &old);
    call.far.send(call.core.rtp, &rtp(2, 1, b"down"));
    rig.run();
    assert_eq!(rig.take_notices(), [], "neither a forged nor a replayed packet");
    assert_eq!((drain(&call.ue).len(), stranger.receive()), (1, None));

    let moved = rig.ground.host(Family::V4);
    moved.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 3, b"now here")));
    call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 4, b"a late one from the old place")));
    rig.run();
    let source = moved.address();
    let latched = Observation::Latched { component: Component::Rtp, source };
    assert_eq!(rig.take_notices(), [(call.access.id, latched)], "once, and RTP alone");
    call.far.send(call.core.rtp, &rtp(2, 2, b"down"));
    call.far_rtcp.send(call.core.rtcp, &sender_report(2));
    rig.run();
    assert_eq!((drain(&moved).len(), drain(&call.ue).len()), (1, 0));
    assert_eq!(drain(&call.ue_rtcp).len(), 1, "RTCP goes where it went until RTCP comes from elsewhere");
    rig.check_sums();
}

pub(crate) fn reports_that_share_the_port_share_what_was_learned<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    rig.change(call.access, |plan| {
        (plan.latching, plan.remote) = (Latching::Once, [None; 2]);
        (plan.mux, plan.ports[1]) = (true, None);
    });
    let mut phone_out = sender(PEER_KEY);
    call.ue.send(call.access.rtp, &protect(&mut phone_out, &sender_report(1)));
    rig.run();
    let source = call.ue.address();
    let latched = Observation::Latched { component: Component::Rtp, source };
    assert_eq!(rig.take_notices(), [(call.access.id, latched)]);
    call.far.send(call.core.rtp, &rtp(2, 1, b"media"));
    call.far_rtcp.send(call.core.rtcp, &sender_report(2));
    rig.run();
    assert_eq!(drain(&call.ue).len(), 2, "both go where the report came from");
    rig.check_sums();
}

pub(crate) fn a_filter_shuts_out_even_those_who_authenticate<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    let mask = AddressMask::exactly(call.ue.address().ip());
    rig.change(call.access, |plan| plan.filter.addresses = SourceRule::listed([mask]));
    let elsewhere = rig.ground.host(Family::V4);
    let mut phone_out = sender(PEER_KEY);
    elsewhere.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 1, b"elsewhere")));
    call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 2, b"home")));
    rig.run();
    assert_eq!(drain(&call.far), [rtp(1, 2, b"home")]);
    assert_eq!(rig.dropped(Leg::Access, DropReason::Source), 1);
    rig.check_sums();
}

pub(crate) fn a_latched_secure_stream_can_be_held_to_its_peer<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    let behind_nat = rig.ground.host(Family::V4);
    rig.change(call.access, |plan| {
        plan.latching = Latching::Once;
        plan.remote = [Some(behind_nat.address()), None];
        (plan.filter.addresses, plan.filter.ports) = (SourceRule::Peer, SourceRule::Peer);
    });
    let mut phone_out = sender(PEER_KEY);
    call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 1, b"learned")));
    rig.run();
    // Another with the right key, and what was signalled: neither is where the stream goes.
    call.ue_rtcp.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 2, b"elsewhere")));
    behind_nat.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 3, b"as signalled")));
    call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 4, b"the peer")));
    rig.run();
    assert_eq!(drain(&call.far), [rtp(1, 1, b"learned"), rtp(1, 4, b"the peer")]);
    assert_eq!(rig.dropped(Leg::Access, DropReason::Source), 2);
    assert_eq!(rig.statistics(call.access).discarded, 2);
    rig.check_sums();
}

pub(crate) fn garbage_is_counted_and_goes_nowhere<G: Ground>(rig: &mut Rig<G>) {
    let (plain, secure) = (rig.call(Plain, Plain), rig.call(Secure, Plain));
    let garbage: [&[u8]; 9] = [
        b"",
        b"\x80",
        b"\x80\x08",
        &[0x8f; 12],                                       // 15 CSRCs that are not there
        &[0x90, 8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9], // an extension that is not there
        &[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42],             // STUN
        &[22, 254, 253, 0, 0],                             // DTLS
        b"SIP/2.0 200 OK",
        &[0xff; 600],
    ];
    for bytes in garbage {
        plain.ue.send(plain.access.rtp, bytes);
        plain.ue_rtcp.send(plain.access.rtcp, bytes);
        secure.ue.send(secure.access.rtp, bytes);
        secure.ue_rtcp.send(secure.access.rtcp, bytes);
        rig.run();
    }
    for host in [&plain.far, &plain.far_rtcp, &secure.far, &secure.far_rtcp] {
        assert_eq!(host.receive(), None);
    }
    assert!(rig.dropped(Leg::Access, DropReason::NotRtp) > 20);
    assert_eq!(
        rig.dropped(Leg::Access, DropReason::Malformed),
        3,
        "RTP by its first bytes, too short in the end"
    );
    // Both calls are as they were.
    plain.ue.send(plain.access.rtp, &rtp(1, 1, b"x"));
    secure.ue.send(secure.access.rtp, &protect(&mut sender(PEER_KEY), &rtp(1, 1, b"x")));
    rig.run();
    assert_eq!(drain(&plain.far), [rtp(1, 1, b"x")]);
    assert_eq!(drain(&secure.far), [rtp(1, 1, b"x")]);
    rig.check_sums();
}

pub(crate) fn a_missing_key_passes_nothing<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Plain, Plain);
    rig.change(call.access, |plan| plan.treatment = Secure);
    call.ue.send(call.access.rtp, &rtp(1, 1, b"in the clear"));
    call.far.send(call.core.rtp, &rtp(2, 1, b"to be protected"));
    rig.run();
    assert_eq!((call.ue.receive(), call.far.receive()), (None, None));
    assert_eq!(rig.dropped(Leg::Access, DropReason::NoKey), 1);
    assert_eq!(rig.dropped(Leg::Core, DropReason::NoKey), 1);
    rig.check_sums();
}

pub(crate) fn rtp_without_room_for_another_source_is_refused<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    let mut phones: Vec<_> = (0..9).map(|_| sender(PEER_KEY)).collect();
    for (ssrc, phone) in phones.iter_mut().enumerate() {
        call.ue.send(call.access.rtp, &protect(phone, &rtp(ssrc as u32, 1, b"x")));
    }
    rig.run();
    assert_eq!(drain(&call.far).len(), 8);
    assert_eq!(rig.dropped(Leg::Access, DropReason::Srtp(Error::TooManyStreams)), 1);
    call.ue.send(call.access.rtp, &protect(&mut phones[0], &rtp(0, 2, b"x")));
    rig.run();
    assert_eq!(drain(&call.far).len(), 1, "those who are in stay in");
    rig.check_sums();
}
