//! Calls as they are meant to be, and what strangers and broken packets do to them: nothing.

use super::gate::*;
use super::ground::{Ground, Host, Sim};
use agw_core::command::{Command, Event, Gateway, Observation, Refusal};
use agw_core::io::sim::{Endpoint, Link};
use agw_core::model::*;
use agw_core::worker::stats::DropReason;

pub(crate) fn srtp_becomes_rtp_and_back_byte_for_byte<G: Ground>() {
    let mut gate = Gate::<G>::new(2);
    let mut call = Call::new(&mut gate);
    for sequence in 0..200 {
        call.say(sequence);
        call.far.send(call.core_port, &rtp(sequence));
        gate.turn();
        assert_eq!(call.far.receive(), Some((call.core_port, rtp(sequence))));
        let (from, packet) = call.phone.receive().expect("a packet for the phone");
        assert_eq!(from, call.access_port);
        assert_ne!(packet, rtp(sequence));
        assert_eq!(call.opened(packet), rtp(sequence));
    }
    gate.assert_balanced();
}

pub(crate) fn rtcp_is_converted_on_its_own_ports<G: Ground>() {
    let mut gate = Gate::<G>::new(1);
    let mut call = Call::new(&mut gate);
    let [phone, far] =
        [call.phone.address(), call.far.address()].map(|address| gate.ground.host(next(address)));
    // A receiver report without blocks, then a source description without chunks (RFC 3550 section 6).
    let report = [0x80, 201, 0, 1, 0xca, 0xfe, 0xba, 0xbe, 0x80, 202, 0, 0];
    let mut slot = [0; 128];
    slot[..report.len()].copy_from_slice(&report);
    let len = call.protect.protect_rtcp(&mut slot, report.len(), 0).unwrap();
    phone.send(next(call.access_port), &slot[..len]);
    far.send(next(call.core_port), &report);
    gate.turn();
    assert_eq!(far.receive(), Some((next(call.core_port), report.to_vec())));
    let (_, mut packet) = phone.receive().unwrap();
    let len = packet.len();
    let len = call.unprotect.unprotect_rtcp(&mut packet, len, 0).unwrap();
    assert_eq!(packet[..len], report);
}

pub(crate) fn swapped_keys_open_nothing<G: Ground>() {
    let mut gate = Gate::<G>::new(1);
    let mut call = Call::new(&mut gate);
    let phone = gate.host(PHONES);
    let context = gate.context();
    let (_, access_port) = gate.add(context, secure(phone.address(), REMOTE_KEY, LOCAL_KEY));
    gate.add(context, stream("core", AVP, call.far.address()));
    phone.send(access_port, &call.protected(1));
    gate.turn();
    assert_eq!(call.far.receive(), None);
    assert_eq!(gate.dropped(Leg::Access, DropReason::Srtp(agw_srtp::Error::AuthFailed)), 1);
}

pub(crate) fn strangers_corruption_and_replays_change_nothing<G: Ground>() {
    let mut gate = Gate::<G>::new(1);
    let mut call = Call::new(&mut gate);
    let stranger = gate.host(STRANGERS);
    for sequence in 0..50 {
        let packet = call.protected(sequence);
        let mut corrupt = packet.clone();
        corrupt[20] ^= 1;
        stranger.send(call.access_port, &rtp(sequence));
        stranger.send(call.access_port, b"\x16\xfe\xff not for you");
        stranger.send(call.core_port, &rtp(sequence));
        call.phone.send(call.access_port, &corrupt);
        call.phone.send(call.access_port, &packet);
        call.phone.send(call.access_port, &packet);
        call.far.send(call.core_port, &rtp(sequence));
        gate.turn();
        assert_eq!(call.far.receive(), Some((call.core_port, rtp(sequence))));
        assert_eq!(call.far.receive(), None, "once, and from nobody else");
        let (_, sent_back) = call.phone.receive().unwrap();
        assert_eq!(call.opened(sent_back), rtp(sequence));
        assert_eq!((call.phone.receive(), stranger.receive()), (None, None));
    }
    assert_eq!(gate.dropped(Leg::Access, DropReason::Srtp(agw_srtp::Error::Replayed)), 50);
    gate.assert_balanced();
}

pub(crate) fn only_a_packet_that_authenticates_moves_the_address<G: Ground>() {
    let mut gate = Gate::<G>::new(1);
    let mut call = Call::new(&mut gate);
    let behind_nat = gate.host(PHONES);
    let stranger = gate.host(STRANGERS);
    let latch =
        StreamSpec { latch: Some(LatchAction::Latch), ..secure(call.phone.address(), LOCAL_KEY, REMOTE_KEY) };
    gate.modify(call.access, latch);
    stranger.send(call.access_port, &rtp(1));
    assert_eq!(gate.turn(), []);
    behind_nat.send(call.access_port, &call.protected(1));
    let source = behind_nat.address();
    let heard = gate.turn();
    let latched = Observation::Latched { component: Component::Rtp, source };
    assert!(
        matches!(&heard[..], [Event::Notice(notice)] if notice.termination == call.access && notice.what == latched),
        "{heard:?}"
    );
    call.far.send(call.core_port, &rtp(1));
    gate.turn();
    let (_, packet) = behind_nat.receive().expect("sent to where the phone really is");
    assert_eq!(call.opened(packet), rtp(1));
    assert_eq!((stranger.receive(), call.phone.receive()), (None, None));
}

pub(crate) fn keys_that_come_one_by_one_open_one_direction_at_a_time<G: Ground>() {
    let mut gate = Gate::<G>::new(1);
    let mut call = Call::new(&mut gate);
    let phone = gate.host(PHONES);
    let far = gate.host(FAR);
    let with = |local: Option<&str>, remote: Option<&str>| StreamSpec {
        security: Security { local: local.map(key), remote: remote.map(key) },
        ..stream("access", SAVP, phone.address())
    };
    let context = gate.context();
    let (access, access_port) = gate.add(context, with(None, None));
    let (_, core_port) = gate.add(context, stream("core", AVP, far.address()));
    let mut exchange = |gate: &mut Gate<G>, sequence| {
        phone.send(access_port, &call.protected(sequence));
        far.send(core_port, &rtp(sequence));
        gate.turn();
        (phone.receive().is_some(), far.receive().is_some())
    };
    assert_eq!(exchange(&mut gate, 1), (false, false));
    gate.modify(access, with(Some(LOCAL_KEY), None));
    assert_eq!(exchange(&mut gate, 2), (true, false));
    gate.modify(access, with(Some(LOCAL_KEY), Some(REMOTE_KEY)));
    assert_eq!(exchange(&mut gate, 3), (true, true));
    let mut different = with(None, Some(LOCAL_KEY));
    different.mode = Mode::Inactive;
    let refused = gate
        .controller
        .execute(Command::Modify { termination: access, streams: vec![(StreamId(1), different)] });
    assert_eq!(refused, Err(Refusal::CryptoChanged(StreamId(1), Direction::Inbound)));
    assert_eq!(exchange(&mut gate, 4), (true, true), "what runs goes on");
}

pub(crate) fn srtp_without_keys_on_either_side_passes_untouched<G: Ground>() {
    let mut gate = Gate::<G>::new(1);
    let mut call = Call::new(&mut gate);
    let phone = gate.host(PHONES);
    let far = gate.host(FAR);
    let context = gate.context();
    let (_, access_port) = gate.add(context, stream("access", SAVP, phone.address()));
    let (_, core_port) = gate.add(context, stream("core", SAVP, far.address()));
    let packet = call.protected(1);
    phone.send(access_port, &packet);
    gate.turn();
    assert_eq!(far.receive(), Some((core_port, packet)), "RLY-1");
}

pub(crate) fn a_subtracted_call_reports_what_it_carried_and_closes_its_ports<G: Ground>() {
    let mut gate = Gate::<G>::new(2);
    let mut call = Call::new(&mut gate);
    for sequence in 0..20 {
        call.say(sequence);
        gate.turn();
    }
    let (_, heard) = gate.command(Command::Subtract(call.access));
    let statistics = heard.iter().find_map(|event| match event {
        Event::Statistics { termination, statistics, .. } if *termination == call.access => Some(*statistics),
        _ => None,
    });
    let statistics = statistics.expect("statistics before done");
    assert_eq!((statistics.packets_received, statistics.packets_sent), (20, 0));
    assert_eq!(gate.controller.counts().open_ports, 2);
    let (_, heard) = gate.command(Command::Subtract(call.core));
    assert!(heard.iter().any(|event| matches!(
        event,
        Event::Statistics { statistics, .. } if statistics.packets_sent == 20
    )));
    assert_eq!(gate.controller.counts().open_ports, 0);
    assert_eq!(gate.controller.context(call.context), None);
    while call.far.receive().is_some() {}
    call.say(21);
    gate.turn();
    assert_eq!(call.far.receive(), None);
}

pub(crate) fn strangers_between_calls_reach_nobody<G: Ground>() {
    let mut gate = Gate::<G>::new(1);
    let stranger = gate.host(STRANGERS);
    let before = Call::new(&mut gate);
    let ports = [before.access_port, before.core_port];
    gate.command(Command::RemoveContext(before.context));
    for port in ports {
        stranger.send(port, &rtp(1));
    }
    gate.turn();
    assert_eq!((before.far.receive(), before.phone.receive(), stranger.receive()), (None, None, None));
    let mut call = Call::new(&mut gate);
    call.say(1);
    gate.turn();
    assert_eq!(call.far.receive_all(), [rtp(1)]);
    assert_eq!(before.far.receive(), None);
    gate.command(Command::RemoveContext(call.context));
    gate.assert_nothing_left();
}

#[test]
fn calls_come_and_go_on_a_bad_network_and_leave_nothing() {
    let mut gate = Gate::<Sim>::new(2);
    gate.ground.net.set_link(Link {
        loss_per_mille: 20,
        duplicate_per_mille: 20,
        delay_us: 500,
        jitter_us: 5_000,
    });
    let mut calls: Vec<Call<Endpoint>> = Vec::new();
    let mut received = 0;
    for round in 0..400_u16 {
        if calls.len() == 10 {
            let oldest = calls.remove(0);
            gate.command(Command::RemoveContext(oldest.context));
        }
        calls.push(Call::new(&mut gate));
        for call in &mut calls {
            call.say(round);
            call.far.send(call.core_port, &rtp(round));
        }
        gate.turn();
        for call in &mut calls {
            while let Some((_, packet)) = call.far.receive() {
                assert_eq!(packet, rtp(u16::from_be_bytes([packet[2], packet[3]])));
                received += 1;
            }
            while let Some((_, packet)) = call.phone.receive() {
                // The pretend network delivers some twice.
                match call.try_open(packet) {
                    Ok(plain) => assert_eq!(plain, rtp(u16::from_be_bytes([plain[2], plain[3]]))),
                    Err(error) => assert_eq!(error, agw_srtp::Error::Replayed),
                }
                received += 1;
            }
        }
    }
    assert!(received > 5_000, "{received} packets");
    for call in calls {
        gate.command(Command::RemoveContext(call.context));
    }
    assert_eq!(gate.ground.net.open_ports(), 0);
    gate.assert_nothing_left();
}
