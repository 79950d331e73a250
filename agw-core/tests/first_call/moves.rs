//! Terminations that move between contexts while packets flow, on one worker and across workers.

use super::gate::*;
use super::ground::{Epoll, Ground, Host};
use agw_core::command::{Command, Event, Gateway, Observation, Reply};
use agw_core::model::*;
use agw_core::worker::stats::DropReason;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A context with a core side that waits for company.
struct Waiting<H> {
    context: ContextId,
    far: H,
}

fn waiting<G: Ground>(gate: &mut Gate<G>) -> Waiting<G::Host> {
    let far = gate.host(FAR);
    let context = gate.context();
    gate.add(context, stream("core", AVP, far.address()));
    Waiting { context, far }
}

/// A call, and a waiting context on another worker.
fn scene<G: Ground>() -> (Gate<G>, Call<G::Host>, Waiting<G::Host>) {
    let mut gate = Gate::<G>::new(2);
    let call = Call::new(&mut gate);
    let elsewhere = waiting(&mut gate);
    assert_ne!(gate.worker_of(call.context), gate.worker_of(elsewhere.context));
    (gate, call, elsewhere)
}

fn start_move<G: Ground>(
    gate: &mut Gate<G>,
    termination: TerminationId,
    to: ContextId,
) -> agw_core::command::Ticket {
    match gate.controller.execute(Command::Move { termination, to }).unwrap() {
        Reply::Termination(_, ticket) => ticket,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn a_moved_termination_goes_on_with_its_keys_and_indices<G: Ground>() {
    for workers in [1, 2] {
        let mut gate = Gate::<G>::new(workers);
        let mut call = Call::new(&mut gate);
        for sequence in 0..10 {
            call.say(sequence);
            gate.turn();
        }
        let replayed = call.protected(10);
        call.phone.send(call.access_port, &replayed);
        gate.turn();
        assert_eq!(call.far.receive_all().len(), 11);
        let elsewhere = waiting(&mut gate);
        gate.command(Command::Move { termination: call.access, to: elsewhere.context });
        call.phone.send(call.access_port, &replayed);
        call.say(11);
        gate.turn();
        assert_eq!(elsewhere.far.receive_all(), [rtp(11)], "and the replay is still known");
        assert_eq!(call.far.receive(), None);
        assert_eq!(gate.dropped(Leg::Access, DropReason::Srtp(agw_srtp::Error::Replayed)), 1);
        gate.assert_balanced();
    }
}

pub(crate) fn a_call_that_moves_between_workers_in_mid_traffic_loses_nothing<G: Ground>() {
    let (mut gate, mut call, elsewhere) = scene::<G>();
    // The sequence number wraps soon, so that a rollover counter that is left behind afterwards opens nothing.
    let mut sequence = 65_000_u16;
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    let mut replay = call.protected(sequence.wrapping_sub(1));
    call.phone.send(call.access_port, &replay);
    gate.turn();
    assert_eq!(call.far.receive_all().len(), 1);
    for round in 0..40_usize {
        let mut talk = |gate: &mut Gate<G>, call: &mut Call<G::Host>, packets: u16| {
            for _ in 0..packets {
                let packet = call.protected(sequence);
                call.phone.send(call.access_port, &packet);
                replay = packet;
                sent.push(rtp(sequence));
                sequence = sequence.wrapping_add(1);
            }
            let heard = gate.turn();
            received.extend(call.far.receive_all());
            received.extend(elsewhere.far.receive_all());
            heard
        };
        talk(&mut gate, &mut call, 97);
        let to = if round % 2 == 0 { elsewhere.context } else { call.context };
        let ticket = start_move(&mut gate, call.access, to);
        // The flow is on its way for some turns, and packets keep coming.
        let done = (0..20).any(|_| is_done(&talk(&mut gate, &mut call, 5), ticket));
        assert!(done, "round {round}");
        while !talk(&mut gate, &mut call, 0).is_empty() {}
        talk(&mut gate, &mut call, 0);
        talk(&mut gate, &mut call, 0);
        assert_eq!(received, sent, "in order, after round {round}");
        received.clear();
        sent.clear();
        // The replay window has come along, and the other direction works too.
        call.phone.send(call.access_port, &replay);
        let far = if round % 2 == 0 { &elsewhere.far } else { &call.far };
        let core_port = call.core_port;
        if round % 2 == 1 {
            far.send(core_port, &rtp(round as u16));
        }
        gate.turn();
        assert_eq!(far.receive(), None);
        if round % 2 == 1 {
            let (_, packet) = call.phone.receive().unwrap();
            assert_eq!(call.opened(packet), rtp(round as u16));
        }
    }
    assert_eq!(gate.dropped(Leg::Access, DropReason::Srtp(agw_srtp::Error::Replayed)), 40);
    let (_, heard) = gate.command(Command::Subtract(call.access));
    let statistics = statistics_of(&heard, call.access).unwrap();
    let total = u64::from(sequence.wrapping_sub(65_000)) + 1;
    assert_eq!((statistics.packets_received, statistics.packets_sent), (total, 20), "over both workers");
    assert!(statistics.loss_percent == 0.0);
    gate.command(Command::RemoveContext(call.context));
    gate.command(Command::RemoveContext(elsewhere.context));
    gate.assert_nothing_left();
}

pub(crate) fn what_comes_while_a_flow_is_on_its_way_waits<G: Ground>() {
    let (mut gate, mut call, elsewhere) = scene::<G>();
    let (old, new) = (gate.worker_of(call.context), gate.worker_of(elsewhere.context));
    let ticket = start_move(&mut gate, call.access, elsewhere.context);
    let mut sequence = 0;
    let mut step = |gate: &mut Gate<G>, call: &mut Call<G::Host>, worker: Option<usize>| {
        call.say(sequence);
        sequence += 1;
        gate.ground.pass();
        match worker {
            Some(worker) => {
                gate.workers[worker].turn(Duration::ZERO).unwrap();
                Vec::new()
            }
            None => gate.hear(),
        }
    };
    // Each in every state of the hand-over, in which none of them may touch the port.
    for worker in [new, old, old, new] {
        step(&mut gate, &mut call, Some(worker));
    }
    assert_eq!(step(&mut gate, &mut call, None), []);
    for worker in [old, new, new] {
        step(&mut gate, &mut call, Some(worker));
    }
    assert_eq!((call.far.receive(), elsewhere.far.receive()), (None, None));
    assert!(is_done(&step(&mut gate, &mut call, None), ticket));
    step(&mut gate, &mut call, Some(old));
    assert_eq!((call.far.receive(), elsewhere.far.receive()), (None, None));
    step(&mut gate, &mut call, Some(new));
    let expected: Vec<_> = (0..sequence).map(rtp).collect();
    assert_eq!(elsewhere.far.receive_all(), expected);
    assert_eq!(call.far.receive(), None);
    gate.assert_balanced();
}

pub(crate) fn a_latched_address_moves_along<G: Ground>() {
    let (mut gate, mut call, elsewhere) = scene::<G>();
    let behind_nat = gate.host(PHONES);
    let latch =
        StreamSpec { latch: Some(LatchAction::Latch), ..secure(call.phone.address(), LOCAL_KEY, REMOTE_KEY) };
    gate.modify(call.access, latch);
    let packet = call.protected(1);
    behind_nat.send(call.access_port, &packet);
    gate.turn();
    let ticket = start_move(&mut gate, call.access, elsewhere.context);
    let mut heard = Vec::new();
    while !is_done(&heard, ticket) {
        heard.extend(gate.turn());
    }
    let source = behind_nat.address();
    let latched = Observation::Latched { component: Component::Rtp, source };
    assert!(
        heard.iter().all(|event| !matches!(event, Event::Notice(notice) if notice.what == latched)),
        "nothing is learned anew"
    );
    let (_, core_port) = gate_ports(&gate, elsewhere.context);
    elsewhere.far.send(core_port, &rtp(7));
    gate.turn();
    let (_, packet) = behind_nat.receive().expect("sent to where the phone really is");
    assert_eq!(call.opened(packet), rtp(7));
    assert_eq!(call.phone.receive(), None);
}

fn gate_ports<G: Ground>(gate: &Gate<G>, context: ContextId) -> (TerminationId, std::net::SocketAddr) {
    let view = gate.controller.context(context).unwrap();
    let core = view.terminations.iter().find(|found| found.leg == Some(Leg::Core)).unwrap();
    (core.id, core.streams[0].local.rtp)
}

pub(crate) fn a_call_that_ends_on_its_way_leaves_nothing<G: Ground>() {
    for turns in 0..4 {
        let (mut gate, mut call, elsewhere) = scene::<G>();
        call.say(1);
        gate.turn();
        start_move(&mut gate, call.access, elsewhere.context);
        for turn in 0..turns {
            call.say(2 + turn);
            gate.turn();
        }
        let (_, heard) = gate.command(Command::RemoveContext(elsewhere.context));
        assert!(statistics_of(&heard, call.access).unwrap().packets_received >= 1);
        gate.command(Command::RemoveContext(call.context));
        gate.assert_nothing_left();
    }
}

/// Workers on threads of their own, as in the gateway, and a phone that talks without a pause.
#[test]
fn moves_beside_running_workers_lose_nothing() {
    const PACKETS: u16 = 6_000;
    /// So many are under way at most, so that no queue overflows on a machine that has better things to do.
    const AHEAD: usize = 96;
    const DEADLINE: Duration = Duration::from_secs(30);
    let (mut gate, mut call, elsewhere) = scene::<Epoll>();
    let stop = Arc::new(AtomicBool::new(false));
    let threads: Vec<_> = std::mem::take(&mut gate.workers)
        .into_iter()
        .map(|mut worker| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    worker.turn(Duration::from_millis(5)).unwrap();
                }
                worker
            })
        })
        .collect();
    let fars = [call.far.try_clone().unwrap(), elsewhere.far.try_clone().unwrap()];
    let contexts = [elsewhere.context, call.context];
    let access = call.access;
    let (began, heard_of) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let arrived = Arc::clone(&heard_of);
    let talker = std::thread::spawn(move || {
        for sequence in 0..PACKETS {
            while usize::from(sequence) >= arrived.load(Ordering::Relaxed) + AHEAD
                && began.elapsed() < DEADLINE
            {
                std::thread::sleep(Duration::from_micros(100));
            }
            call.say(sequence);
        }
        call
    });
    let (mut received, mut moves, mut awaited) = (Vec::new(), 0_usize, None);
    while received.len() < usize::from(PACKETS) && began.elapsed() < DEADLINE {
        let heard = gate.hear();
        if awaited.is_none_or(|ticket| is_done(&heard, ticket)) {
            awaited = Some(start_move(&mut gate, access, contexts[moves % 2]));
            moves += 1;
        }
        received.extend(fars.iter().flat_map(Host::receive_all));
        heard_of.store(received.len(), Ordering::Relaxed);
        std::thread::sleep(Duration::from_micros(200));
    }
    let call = talker.join().unwrap();
    stop.store(true, Ordering::Relaxed);
    gate.workers = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    while !gate.turn().is_empty() {}
    received.extend(fars.iter().flat_map(Host::receive_all));
    assert!(moves > 20, "{moves} moves");

    // The two far ends were read in turn, so that packets of one move may have been read before those of the move before.
    received.sort();
    let mut expected: Vec<_> = (0..PACKETS).map(rtp).collect();
    expected.sort();
    assert!(received == expected, "{} of {} packets after {moves} moves", received.len(), expected.len());
    for context in [call.context, elsewhere.context] {
        gate.command(Command::RemoveContext(context));
    }
    gate.assert_nothing_left();
}
