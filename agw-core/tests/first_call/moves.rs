//! Terminations that move between contexts while packets flow, on one worker and across workers.

use super::gate::*;
use super::ground::{Epoll, Ground, Host};
use agw_core::command::{Command, Event, Gateway, Observation, Reply, Ticket};
use agw_core::model::*;
use agw_core::worker::stats::DropReason;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A context with a core side that waits for company.
struct Waiting<H> {
    context: ContextId,
    core_port: SocketAddr,
    far: H,
}

fn waiting<G: Ground>(gate: &mut Gate<G>) -> Waiting<G::Host> {
    let far = gate.host(FAR);
    let context = gate.context();
    let (_, core_port) = gate.add(context, stream("core", AVP, far.address()));
    Waiting { context, core_port, far }
}

/// A call, and a waiting context on another worker.
fn scene<G: Ground>() -> (Gate<G>, Call<G::Host>, Waiting<G::Host>) {
    let mut gate = Gate::<G>::new(2);
    let call = Call::new(&mut gate);
    let elsewhere = waiting(&mut gate);
    assert_ne!(gate.worker_of(call.context), gate.worker_of(elsewhere.context));
    (gate, call, elsewhere)
}

fn start_move<G: Ground>(gate: &mut Gate<G>, termination: TerminationId, to: ContextId) -> Ticket {
    match gate.controller.execute(Command::Move { termination, to, streams: Vec::new() }).unwrap() {
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
        gate.command(Command::Move { termination: call.access, to: elsewhere.context, streams: Vec::new() });
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
    let mut talk = Talk { up: 65_000, ..Talk::default() };
    for round in 0..40_usize {
        for _ in 0..5 {
            talk.turn(&mut gate, &mut call, &elsewhere, 20);
        }
        let to = if round % 2 == 0 { elsewhere.context } else { call.context };
        let ticket = start_move(&mut gate, call.access, to);
        // The flow is on its way for some turns, and packets keep coming.
        let done = (0..20).any(|_| is_done(&talk.turn(&mut gate, &mut call, &elsewhere, 5), ticket));
        assert!(done, "round {round}");
        for _ in 0..3 {
            talk.turn(&mut gate, &mut call, &elsewhere, 0);
        }
        assert_eq!(talk.received, talk.sent, "in order, after round {round}");
        // The replay window has come along.
        call.phone.send(call.access_port, &talk.last);
        gate.turn();
        assert_eq!((call.far.receive(), elsewhere.far.receive()), (None, None));
    }
    assert_eq!(gate.dropped(Leg::Access, DropReason::Srtp(agw_srtp::Error::Replayed)), 40);
    let (_, heard) = gate.command(Command::Subtract(call.access));
    let statistics = statistics_of(&heard, call.access).unwrap();
    assert_eq!(statistics.packets_received, talk.sent.len() as u64, "over both workers");
    assert_eq!(statistics.packets_sent, talk.heard_by_phone);
    assert!(talk.heard_by_phone > 40 * 60, "{} packets", talk.heard_by_phone);
    assert!(statistics.loss_percent == 0.0);
    gate.command(Command::RemoveContext(call.context));
    gate.command(Command::RemoveContext(elsewhere.context));
    gate.assert_nothing_left();
}

/// What is said in a call that moves, and what comes of it.
#[derive(Default)]
struct Talk {
    up: u16,
    down: u16,
    sent: Vec<Vec<u8>>,
    received: Vec<Vec<u8>>,
    last: Vec<u8>,
    heard_by_phone: u64,
}

impl Talk {
    /// The phone and both far ends send so many packets each; then all do what they have to. The phone hears the far end that it is
    /// with, and never a packet that is protected with an index that was used before.
    fn turn<G: Ground>(
        &mut self,
        gate: &mut Gate<G>,
        call: &mut Call<G::Host>,
        elsewhere: &Waiting<G::Host>,
        packets: u16,
    ) -> Vec<Event> {
        for _ in 0..packets {
            self.last = call.protected(self.up);
            call.phone.send(call.access_port, &self.last);
            self.sent.push(rtp(self.up));
            self.up = self.up.wrapping_add(1);
            for (far, port) in [(&call.far, call.core_port), (&elsewhere.far, elsewhere.core_port)] {
                far.send(port, &rtp(self.down));
                self.down = self.down.wrapping_add(1);
            }
        }
        let heard = gate.turn();
        self.received.extend(call.far.receive_all());
        self.received.extend(elsewhere.far.receive_all());
        for packet in call.phone.receive_all() {
            call.opened(packet);
            self.heard_by_phone += 1;
        }
        heard
    }
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
    elsewhere.far.send(elsewhere.core_port, &rtp(7));
    gate.turn();
    let (_, packet) = behind_nat.receive().expect("sent to where the phone really is");
    assert_eq!(call.opened(packet), rtp(7));
    assert_eq!(call.phone.receive(), None);
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
    let core_ports = [call.core_port, elsewhere.core_port];
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
    let (mut received, mut moves, mut awaited, mut down) = (Vec::new(), 0_usize, None, 0_u16);
    while received.len() < usize::from(PACKETS) && began.elapsed() < DEADLINE {
        let heard = gate.hear();
        awaited = awaited.filter(|ticket| !is_done(&heard, *ticket));
        // A flow that moved again at once would never come to read what waits for it.
        if awaited.is_none() && received.len() >= 10 * moves {
            awaited = Some(start_move(&mut gate, access, contexts[moves % 2]));
            moves += 1;
        }
        received.extend(fars.iter().flat_map(Host::receive_all));
        heard_of.store(received.len(), Ordering::Relaxed);
        for (far, port) in fars.iter().zip(core_ports) {
            Host::send(far, port, &rtp(down));
            down = down.wrapping_add(1);
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    let mut call = talker.join().unwrap();
    stop.store(true, Ordering::Relaxed);
    gate.workers = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    while !gate.turn().is_empty() {}
    received.extend(fars.iter().flat_map(Host::receive_all));

    assert!(moves > 50, "{moves} moves");
    // The two far ends were read in turn, so that packets of one move may have been read before those of the move before.
    received.sort();
    let mut expected: Vec<_> = (0..PACKETS).map(rtp).collect();
    expected.sort();
    assert!(received == expected, "{} of {} packets after {moves} moves", received.len(), expected.len());
    // Its queue may have overflowed; what came through is in order and never protected twice with one index.
    let heard_by_phone = call.phone.receive_all();
    assert!(!heard_by_phone.is_empty());
    heard_by_phone.into_iter().for_each(|packet| drop(call.opened(packet)));
    for context in [call.context, elsewhere.context] {
        gate.command(Command::RemoveContext(context));
    }
    gate.assert_nothing_left();
}
