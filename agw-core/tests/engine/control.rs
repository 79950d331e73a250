//! Gates, orders, notices, statistics, and what the counters say of trouble below (RLY-3, RLY-5, SRTP-6, SRTP-9).

use super::ground::{Epoll, Ground, Host, Sim};
use super::rig::{
    FLOWS, OUR_KEY, PEER_KEY, Rig, drain, protect, receiver, rtp, sender, sender_report, unprotect,
};
use agw_core::command::Observation;
use agw_core::command::order::Treatment::{Plain, Relay, Secure};
use agw_core::command::order::{Answer, FlowId, Latching, Order};
use agw_core::io::PortOpener;
use agw_core::io::sim::QUEUE_DATAGRAMS;
use agw_core::model::{Activity, Component, Direction, Family, Leg, Mode, Watch, Way};
use agw_core::worker::stats::{Counter, DropReason, PacketKind, RESIDENCE_BOUNDS_US};
use std::time::{Duration, Instant};

pub(crate) fn gates_follow_the_mode<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Plain, Plain);
    for (mode, up, down) in [
        (Mode::SendReceive, true, true),
        (Mode::SendOnly, false, true),
        (Mode::ReceiveOnly, true, false),
        (Mode::Inactive, false, false),
    ] {
        for (side, up, down) in [(call.access, up, down), (call.core, down, up)] {
            rig.change(side, |plan| plan.mode = mode);
            call.ue.send(call.access.rtp, &rtp(1, 1, b"up"));
            call.far.send(call.core.rtp, &rtp(2, 1, b"down"));
            rig.run();
            let passed = (!drain(&call.far).is_empty(), !drain(&call.ue).is_empty());
            assert_eq!(passed, (up, down), "{mode:?} at {side:?}");
            rig.change(side, |plan| plan.mode = Mode::SendReceive);
        }
    }
    assert_eq!(rig.dropped(Leg::Access, DropReason::Gate), 4);
    assert_eq!(rig.dropped(Leg::Core, DropReason::Gate), 4);
    rig.check_sums();
}

pub(crate) fn the_modes_of_both_sides_bind<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Plain, Plain);
    let all = [Mode::SendReceive, Mode::SendOnly, Mode::ReceiveOnly, Mode::Inactive, Mode::Loopback];
    for (access, core) in all.into_iter().flat_map(|access| all.map(|core| (access, core))) {
        rig.change(call.access, |plan| plan.mode = access);
        rig.change(call.core, |plan| plan.mode = core);
        call.ue.send(call.access.rtp, &rtp(1, 1, b"up"));
        call.far.send(call.core.rtp, &rtp(2, 1, b"down"));
        call.ue_rtcp.send(call.access.rtcp, &sender_report(1));
        call.far_rtcp.send(call.core.rtcp, &sender_report(2));
        rig.run();
        let expected = |from: Mode, to: Mode, passes: bool, own: Vec<u8>, other: Vec<u8>| {
            let looped = (from == Mode::Loopback).then_some(own);
            let crossed = (to != Mode::Loopback && passes).then_some(other);
            looped.into_iter().chain(crossed).collect::<Vec<_>>()
        };
        let media = |from: Mode, to: Mode| from.receives() && to.sends();
        let reports = |mode: Mode| !matches!(mode, Mode::Inactive | Mode::Loopback);
        let both = reports(access) && reports(core);
        let (up, down) = (rtp(1, 1, b"up"), rtp(2, 1, b"down"));
        let (up_report, down_report) = (sender_report(1), sender_report(2));
        let at_ue = expected(access, access, media(core, access), up.clone(), down.clone());
        assert_eq!(drain(&call.ue), at_ue, "{access:?} and {core:?}");
        assert_eq!(drain(&call.far), expected(core, core, media(access, core), down, up));
        let at_ue = expected(access, access, both, up_report.clone(), down_report.clone());
        assert_eq!(drain(&call.ue_rtcp), at_ue, "RTCP with {access:?} and {core:?}");
        assert_eq!(drain(&call.far_rtcp), expected(core, core, both, down_report, up_report));
    }
    rig.check_sums();
}

pub(crate) fn reports_pass_while_media_is_held<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    let mut phone_out = sender(PEER_KEY);
    for (mode, passes) in [
        (Mode::SendOnly, true),
        (Mode::ReceiveOnly, true),
        (Mode::SendReceive, true),
        (Mode::Inactive, false),
    ] {
        rig.change(call.access, |plan| plan.mode = mode);
        call.ue_rtcp.send(call.access.rtcp, &protect(&mut phone_out, &sender_report(1)));
        call.far_rtcp.send(call.core.rtcp, &sender_report(2));
        rig.run();
        let passed = (!drain(&call.far_rtcp).is_empty(), !drain(&call.ue_rtcp).is_empty());
        assert_eq!(passed, (passes, passes), "{mode:?}");
    }
    rig.check_sums();
}

pub(crate) fn a_packet_without_a_way_out_is_counted<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Plain, Plain);
    rig.change(call.core, |plan| plan.ports[1] = None);
    call.ue_rtcp.send(call.access.rtcp, &sender_report(1));
    rig.run();
    assert_eq!(rig.dropped(Leg::Access, DropReason::NoRtcpPort), 1);

    rig.change(call.core, |plan| plan.remote[0] = Some("0.0.0.0:4000".parse().unwrap()));
    call.ue.send(call.access.rtp, &rtp(1, 1, b"x"));
    rig.run();
    assert_eq!(rig.dropped(Leg::Access, DropReason::NoRemote), 1, "the unspecified address is none");

    rig.change(call.core, |plan| plan.peer = None);
    call.ue.send(call.access.rtp, &rtp(1, 2, b"x"));
    rig.run();
    assert_eq!(rig.dropped(Leg::Access, DropReason::NoPeer), 1, "a peer that does not name us is none");
    rig.change(call.access, |plan| plan.peer = None);
    call.ue.send(call.access.rtp, &rtp(1, 3, b"x"));
    rig.run();
    assert_eq!(rig.dropped(Leg::Access, DropReason::NoPeer), 2);

    let opaque = rig.call(Relay, Plain);
    opaque.ue.send(opaque.access.rtp, &rtp(1, 1, b"x"));
    opaque.far.send(opaque.core.rtp, &rtp(1, 1, b"x"));
    rig.run();
    assert_eq!(rig.dropped(Leg::Access, DropReason::NoPeer), 3, "opaque and RTP do not meet");
    assert_eq!(rig.dropped(Leg::Core, DropReason::NoPeer), 1);
    rig.check_sums();
}

pub(crate) fn a_change_keeps_counters_and_keys_and_moves_the_destination<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    let (mut phone_out, mut phone_in) = (sender(PEER_KEY), receiver(OUR_KEY));
    for sequence in [65_534_u16, 65_535, 0, 1] {
        call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, sequence, b"x")));
        call.far.send(call.core.rtp, &rtp(2, sequence, b"x"));
        rig.run();
    }
    for packet in drain(&call.ue) {
        unprotect(&mut phone_in, &packet).unwrap();
    }
    let moved = rig.ground.host(Family::V4);
    rig.change(call.access, |plan| plan.remote[0] = Some(moved.address()));
    call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 2, b"x")));
    call.far.send(call.core.rtp, &rtp(2, 2, b"x"));
    rig.run();
    assert_eq!(drain(&call.far).len(), 5, "rollover counter 1 goes on");
    assert_eq!(call.ue.receive(), None);
    assert_eq!(unprotect(&mut phone_in, &moved.receive().unwrap().1).unwrap(), rtp(2, 2, b"x"));
    let statistics = rig.statistics(call.access);
    assert_eq!((statistics.packets_received, statistics.packets_sent), (5, 5));
    rig.check_sums();
}

pub(crate) fn a_change_of_keys_takes_effect_and_gives_the_old_ones_back<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    rig.change(call.access, |plan| plan.inbound = Some(Box::new(receiver(OUR_KEY))));
    call.ue.send(call.access.rtp, &protect(&mut sender(PEER_KEY), &rtp(1, 1, b"old")));
    call.ue.send(call.access.rtp, &protect(&mut sender(OUR_KEY), &rtp(1, 1, b"new")));
    rig.run();
    assert_eq!(drain(&call.far), [rtp(1, 1, b"new")]);
    rig.check_sums();
}

pub(crate) fn removal_in_the_middle_of_traffic<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    let mut phone_out = sender(PEER_KEY);
    call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 1, b"x")));
    rig.run();
    // Waiting on the port when the order comes: the flow ends after them.
    call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, 2, b"x")));
    rig.ground.settle();
    let statistics = rig.remove(call.access);
    assert_eq!(statistics.packets_received, 2);
    call.far.send(call.core.rtp, &rtp(2, 1, b"x"));
    rig.run();
    assert_eq!(drain(&call.far).len(), 2);
    assert_eq!(rig.dropped(Leg::Core, DropReason::NoPeer), 1);
    assert_eq!(rig.counters.get(Counter::Flows), 1);
    rig.remove(call.core);
    rig.run();
    assert_eq!(rig.counters.get(Counter::Flows), 0);
    assert!(matches!(rig.order(Order::Remove(call.core.id)), Answer::Done(_, None)), "gone is gone");
    assert!(matches!(rig.order(Order::Read(call.core.id)), Answer::Done(_, None)));
    rig.check_sums();
}

pub(crate) fn a_released_flow_goes_on_elsewhere_with_what_waited_for_it<G: Ground>(rig: &mut Rig<G>) {
    let (busy, call) = (rig.call(Plain, Plain), rig.call(Secure, Plain));
    let (mut phone_out, mut phone_in) = (sender(PEER_KEY), receiver(OUR_KEY));
    rig.change(call.access, |plan| plan.latching = Latching::Once);
    call.far.send(call.core.rtp, &rtp(2, 1, b"down"));
    rig.run();
    // More than a batch is waiting on several ports, so that some were found ready and not read when the order comes.
    let up: Vec<_> = (0..150_u16).map(|n| rtp(1, n.wrapping_add(65_500), b"up")).collect();
    for packet in &up {
        busy.ue.send(busy.access.rtp, packet);
        busy.far.send(busy.core.rtp, packet);
        call.ue.send(call.access.rtp, &protect(&mut phone_out, packet));
    }
    rig.ground.settle();
    let flow = rig.release(call.access);
    rig.run();
    rig.run();
    let early = drain(&call.far);
    assert!(early.len() < up.len(), "the rest waits");
    assert_eq!(drain(&busy.far).len(), up.len(), "others go on");

    let moved = rig.arrive(call.access, call.core, flow);
    rig.run();
    rig.run();
    let late = drain(&call.far);
    assert_eq!([early, late].concat(), up, "none is lost, and the rollover counter goes on");
    call.ue.send(call.access.rtp, &protect(&mut sender(PEER_KEY), &up[0]));
    call.far.send(call.core.rtp, &rtp(2, 2, b"down"));
    rig.run();
    let replayed = DropReason::Srtp(agw_srtp::Error::Replayed);
    assert_eq!(rig.dropped(Leg::Access, replayed), 1, "the replay window too");
    let down = drain(&call.ue);
    assert_eq!(unprotect(&mut phone_in, &down[0]).unwrap(), rtp(2, 1, b"down"));
    assert_eq!(unprotect(&mut phone_in, &down[1]).unwrap(), rtp(2, 2, b"down"));
    let statistics = rig.statistics(moved);
    assert_eq!((statistics.packets_received, statistics.packets_sent), (150, 2));
    let latched = Observation::Latched { component: Component::Rtp, source: call.ue.address() };
    let told = rig.take_notices();
    assert_eq!(told.iter().filter(|(_, what)| *what == latched).count(), 1, "{told:?}");
    assert!(matches!(rig.order(Order::Release(call.access.id)), Answer::Done(_, None)), "gone is gone");
    rig.check_sums();
}

pub(crate) fn a_place_used_again_never_hears_of_the_call_before<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Plain, Plain);
    rig.remove(call.core);
    // Another call's flow gets the place that the access side still names.
    let other = rig.ground.host(Family::V4);
    let newcomer = rig.install_at(call.core.id, Leg::Core, Plain, Family::V4, |plan| {
        plan.remote = [Some(other.address()), None];
        plan.peer = Some(FlowId(40));
    });
    call.ue.send(call.access.rtp, &rtp(1, 1, b"private"));
    other.send(newcomer.rtp, &rtp(2, 1, b"private"));
    rig.run();
    assert_eq!((other.receive(), call.ue.receive()), (None, None));
    assert_eq!(rig.dropped(Leg::Access, DropReason::NoPeer), 1);
    rig.check_sums();
}

pub(crate) fn the_end_of_a_key_is_told_once_and_holds<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    let (theirs, ours) = (format!("{PEER_KEY}|100"), format!("{OUR_KEY}|100"));
    rig.change(call.access, |plan| {
        plan.inbound = Some(Box::new(receiver(&theirs)));
        plan.outbound = Some(Box::new(sender(&ours)));
    });
    let mut phone_out = sender(PEER_KEY);
    for sequence in 0..120 {
        call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, sequence, b"x")));
        call.far.send(call.core.rtp, &rtp(2, sequence, b"x"));
        if sequence % 20 == 19 {
            rig.run();
        }
    }
    assert_eq!((drain(&call.far).len(), drain(&call.ue).len()), (100, 100));
    let expired = DropReason::Srtp(agw_srtp::Error::KeyExpired);
    assert_eq!((rig.dropped(Leg::Access, expired), rig.dropped(Leg::Core, expired)), (20, 20));
    let ended: Vec<_> =
        rig.take_notices().into_iter().filter(|(_, what)| matches!(what, Observation::KeyEnded(_))).collect();
    assert_eq!(
        ended,
        [Direction::Inbound, Direction::Outbound].map(|d| (call.access.id, Observation::KeyEnded(d)))
    );
    rig.check_sums();
}

pub(crate) fn statistics_say_what_happened<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    let mut phone_out = sender(PEER_KEY);
    for sequence in (0..100).filter(|sequence| sequence % 10 != 5) {
        call.ue.send(call.access.rtp, &protect(&mut phone_out, &rtp(1, sequence, &[0; 160])));
        if sequence % 10 == 9 {
            rig.run();
        }
    }
    call.far.send(call.core.rtp, &rtp(2, 1, &[0; 20]));
    rig.run();
    let access = rig.statistics(call.access);
    assert_eq!((access.packets_received, access.octets_received), (90, 90 * 182));
    assert_eq!((access.packets_sent, access.octets_sent), (1, 42));
    assert!((access.loss_percent - 10.0).abs() < 0.01, "{}", access.loss_percent);
    let core = rig.statistics(call.core);
    assert_eq!((core.packets_received, core.octets_received), (1, 32));
    assert_eq!((core.packets_sent, core.octets_sent), (90, 90 * 172));
    rig.remove(call.access);
    rig.run();
    assert_eq!(rig.counters.get(Counter::Lost(Leg::Access)), 10);
    assert_eq!(rig.counters.get(Counter::Lost(Leg::Core)), 0);
    rig.check_sums();
}

pub(crate) fn a_send_that_fails_is_a_drop<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Plain, Plain);
    let nowhere = rig.ground.unreachable();
    rig.change(call.core, |plan| plan.remote[0] = Some(nowhere));
    call.ue.send(call.access.rtp, &rtp(1, 1, b"x"));
    rig.run();
    assert_eq!(rig.dropped(Leg::Access, DropReason::SendFailed), 1);
    assert_eq!(rig.statistics(call.core).packets_sent, 0);
    rig.check_sums();
}

pub(crate) fn a_full_receive_queue_is_a_drop<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Plain, Plain);
    let offered = 4 * QUEUE_DATAGRAMS as u64;
    for sequence in 0..offered {
        call.ue.send(call.access.rtp, &rtp(1, sequence as u16, &[0; 160]));
    }
    let arrived = |rig: &mut Rig<G>| {
        let before = rig.received(Leg::Access, PacketKind::Rtp);
        rig.run();
        rig.received(Leg::Access, PacketKind::Rtp) > before
    };
    while arrived(rig) {}
    // What no packet has told is told when the port is closed.
    rig.remove(call.access);
    rig.run();
    let lost = rig.dropped(Leg::Access, DropReason::ReceiveOverflow);
    assert!(lost > 0);
    assert_eq!(rig.received(Leg::Access, PacketKind::Rtp) + lost, offered);
    assert_eq!(rig.received(Leg::Access, PacketKind::Other), lost);
    rig.check_sums();
}

pub(crate) fn lengths_are_counted_in_bytes_of_the_wire<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Secure, Plain);
    call.ue.send(call.access.rtp, &protect(&mut sender(PEER_KEY), &rtp(1, 1, &[0; 88])));
    rig.run();
    assert_eq!(rig.counters.get(Counter::BytesReceived(Leg::Access)), 110);
    assert_eq!(rig.counters.get(Counter::BytesSent(Leg::Core)), 100);
}

pub(crate) fn answers_and_notices_survive_a_full_ring(rig: &mut Rig<Sim>) {
    let calls: Vec<_> = (0..4).map(|_| rig.call(Plain, Plain)).collect();
    for call in &calls {
        rig.change(call.access, |plan| plan.latching = Latching::Again);
        rig.change(call.core, |plan| plan.latching = Latching::Again);
    }
    for call in &calls {
        call.ue.send(call.access.rtp, &rtp(1, 1, b"x"));
        call.ue_rtcp.send(call.access.rtcp, &sender_report(1));
        call.far.send(call.core.rtp, &rtp(1, 1, b"x"));
    }
    rig.run(); // 12 notices for a ring of 2
    let tickets: Vec<_> = (0..FLOWS / 2).map(|_| rig.send_order(Order::Read(calls[0].access.id))).collect();
    let (mut answered, mut notices) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        rig.run();
        while let Ok(answer) = rig.answers.pop() {
            match answer {
                Answer::Statistics(ticket, ..) => answered.push(ticket),
                Answer::Notice(flow, what) => notices.push((flow, what)),
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(answered, tickets, "every order is answered, in order");
    assert_eq!(notices.len(), 12);
    for call in &calls {
        for (host, component) in [(&call.ue, Component::Rtp), (&call.ue_rtcp, Component::Rtcp)] {
            let source = host.address();
            assert!(notices.contains(&(call.access.id, Observation::Latched { component, source })));
        }
    }
    assert!(rig.counters.get(Counter::AnswersFull) > 0);
}

pub(crate) fn a_full_send_queue_is_a_drop(rig: &mut Rig<Sim>) {
    let call = rig.call(Plain, Plain);
    rig.ground.net.set_send_room(Some(3));
    for sequence in 0..10 {
        call.ue.send(call.access.rtp, &rtp(1, sequence, b"x"));
    }
    rig.run();
    assert_eq!(drain(&call.far).len(), 3);
    assert_eq!(rig.dropped(Leg::Access, DropReason::SendFull), 7);
    rig.check_sums();
}

pub(crate) fn time_inside_is_measured(rig: &mut Rig<Sim>) {
    let call = rig.call(Plain, Plain);
    call.ue.send(call.access.rtp, &rtp(1, 1, b"x"));
    rig.ground.net.advance(Duration::from_micros(300));
    rig.run();
    let bucket = RESIDENCE_BOUNDS_US.iter().position(|bound| *bound == 500).unwrap();
    assert_eq!(rig.counters.get(Counter::ResidenceBucket(bucket)), 1);
    assert_eq!(rig.counters.get(Counter::ResidenceSumUs), 300);
    // And the jitter of a stream is looked at once a second.
    rig.ground.net.advance(Duration::from_secs(2));
    rig.run();
    let jitter: u64 = (0..=10).map(|b| rig.counters.get(Counter::JitterBucket(Leg::Access, b))).sum();
    assert_eq!(jitter, 1);
}

pub(crate) fn a_waiting_worker_is_woken_for_an_order(rig: &mut Rig<Epoll>) {
    for _ in 0..40 {
        rig.worker.turn(Duration::from_millis(1)).unwrap(); // until it no longer expects traffic
    }
    for _ in 0..3 {
        let began = Instant::now();
        rig.send_order(Order::Read(FlowId(0)));
        rig.ground.ports().wake(0);
        rig.worker.turn(Duration::from_secs(10)).unwrap();
        assert!(began.elapsed() < Duration::from_secs(5));
        assert!(rig.answers.pop().is_ok());
    }
    // Without an order, a wake-up alone ends the wait too.
    let began = Instant::now();
    rig.ground.ports().wake(0);
    rig.worker.turn(Duration::from_secs(10)).unwrap();
    assert!(began.elapsed() < Duration::from_secs(5));
}

pub(crate) fn a_steady_port_gets_a_companion_that_hides_nobody(rig: &mut Rig<Epoll>) {
    let call = rig.call(Plain, Plain);
    let mut sequence = 0;
    let mut talk = |rig: &mut Rig<Epoll>, packets: usize| {
        for _ in 0..packets {
            sequence += 1;
            Host::send(&call.ue, call.access.rtp, &rtp(1, sequence, b"up"));
            Host::send(&call.far, call.core.rtp, &rtp(2, sequence, b"down"));
            rig.run();
            rig.ground.ports().tend();
        }
        let heard = [&call.far, &call.ue].map(|host| drain(host).len());
        assert_eq!(heard, [packets; 2]);
    };
    talk(rig, 31);
    assert_eq!(rig.ground.ports().companions(), 0);
    talk(rig, 20);
    assert_eq!(rig.ground.ports().companions(), 2, "one for each side that is steady");

    // Strangers reach the port as before, and are counted; RTCP goes its own way.
    let stranger = rig.ground.host(Family::V4);
    Host::send(&stranger, call.access.rtp, &rtp(1, 9, b"mine"));
    Host::send(&stranger, call.core.rtp, &rtp(2, 9, b"mine"));
    Host::send(&call.ue_rtcp, call.access.rtcp, &sender_report(1));
    rig.run();
    assert_eq!(rig.dropped(Leg::Access, DropReason::Source), 1);
    assert_eq!(rig.dropped(Leg::Core, DropReason::Source), 1);
    assert_eq!(drain(&call.far_rtcp), [sender_report(1)]);

    // Nobody else can take the port, though two sockets are bound to it.
    assert!(std::net::UdpSocket::bind(call.access.rtp).is_err());

    // The peer moves: what is sent follows at once, and the companion follows when it is steady again.
    let moved = rig.ground.host(Family::V4);
    rig.change(call.access, |plan| plan.remote[0] = Some(moved.address()));
    for n in 0..100 {
        Host::send(&call.far, call.core.rtp, &rtp(2, 1000 + n, b"down"));
        Host::send(&moved, call.access.rtp, &rtp(1, 1000 + n, b"up"));
        rig.run();
        rig.ground.ports().tend();
    }
    assert_eq!((drain(&moved).len(), drain(&call.far).len(), drain(&call.ue).len()), (100, 100, 0));
    assert_eq!(rig.ground.ports().companions(), 2);

    // Nobody listens there any more: the errors that come back cost no packet of those that are sent.
    drop(moved);
    for n in 0..10 {
        Host::send(&call.far, call.core.rtp, &rtp(2, 2000 + n, b"down"));
        rig.run();
    }
    assert_eq!(rig.dropped(Leg::Core, DropReason::SendFailed), 0);

    // A flood overflows the companion's queue, and that is counted too.
    for n in 0..2000 {
        Host::send(&call.far, call.core.rtp, &rtp(2, 3000 + n, &[0; 160]));
    }
    for _ in 0..100 {
        rig.run();
    }
    rig.remove(call.access);
    rig.remove(call.core);
    rig.run();
    assert_eq!(rig.ground.ports().companions(), 0);
    assert!(rig.dropped(Leg::Core, DropReason::ReceiveOverflow) > 0);
    let received = rig.received(Leg::Core, PacketKind::Rtp) + rig.received(Leg::Core, PacketKind::Other);
    assert_eq!(received, 51 + 1 + 100 + 10 + 2000);
    rig.check_sums();
}

pub(crate) fn the_kernel_stamps_packets_of_some_ports_for_a_while(rig: &mut Rig<Epoll>) {
    let call = rig.call(Plain, Plain);
    rig.ground.ports().tend();
    for sequence in 0..64 {
        call.ue.send_to(&rtp(1, sequence, b"x"), call.access.rtp).unwrap();
        rig.run();
    }
    assert_eq!(drain(&call.far).len(), 64);
    let measured: u64 =
        (0..=RESIDENCE_BOUNDS_US.len()).map(|b| rig.counters.get(Counter::ResidenceBucket(b))).sum();
    assert!((1..=4).contains(&measured), "{measured} of 64 were sampled");
}

pub(crate) fn media_that_stop_are_told_and_media_that_come_back_too<G: Ground>(rig: &mut Rig<G>) {
    let call = rig.call(Plain, Plain);
    let mut watch = Watch::default();
    watch.set(Way::In, 500);
    rig.change(call.access, |plan| plan.watch = watch);
    // Strangers and the other direction keep nothing alive.
    call.ue_rtcp.send(call.access.rtp, &rtp(1, 1, b"stranger"));
    call.far.send(call.core.rtp, &rtp(2, 1, b"down"));
    rig.run();
    assert_eq!(rig.await_notice(call.access.id), Observation::Activity(Way::In, Activity::Stopped));
    let statistics = rig.statistics(call.access);
    assert_eq!(statistics.idle_ms[0], None, "nothing ever came");
    assert!(statistics.idle_ms[1].is_some());
    call.ue.send(call.access.rtp, &rtp(1, 1, b"up"));
    rig.run();
    assert_eq!(rig.await_notice(call.access.id), Observation::Activity(Way::In, Activity::Flowing));
    assert!(rig.statistics(call.access).idle_ms[0].is_some());
    assert_eq!(rig.await_notice(call.access.id), Observation::Activity(Way::In, Activity::Stopped));
    // Held at the far side: nothing can come through, which is no silence.
    rig.change(call.core, |plan| plan.mode = Mode::ReceiveOnly);
    assert_eq!(rig.await_notice(call.access.id), Observation::Activity(Way::In, Activity::Held));
    rig.check_sums();
}
