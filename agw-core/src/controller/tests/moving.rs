use super::*;
use crate::command::order::Latching;
use crate::command::{Notice, Observation};
use crate::controller::moving::MAX_READS_ON_THE_WAY;

/// A call on worker 0, and a context on worker 1 whose one termination waits for company.
struct Scene {
    bench: Bench,
    first: ContextId,
    second: ContextId,
    moving: TerminationId,
    left: TerminationId,
    waiting: TerminationId,
}

impl Scene {
    fn new() -> Self {
        Self::with(Bench::new(3), 1)
    }

    fn with(mut bench: Bench, streams: u16) -> Self {
        let (first, second) = (bench.context(), bench.context());
        let all = |spec: &StreamSpec| (1..=streams).map(|id| (StreamId(id), spec.clone())).collect();
        let moving = bench.try_add(first, all(&keyed("access", Some(KEY_1), None))).unwrap().id;
        bench.turn();
        let waiting = bench.try_add(second, all(&spec("core", AVP))).unwrap().id;
        bench.turn();
        let left = bench.try_add(first, all(&spec("core", AVP))).unwrap().id;
        bench.turn();
        let worker = |context| bench.controller.context(context).unwrap().worker;
        assert_eq!((worker(first), worker(second)), (Some(0), Some(1)));
        Self { bench, first, second, moving, left, waiting }
    }

    /// The moving termination is alone in its context; the other context has a second, opaque stream.
    fn with_alone(mut bench: Bench) -> Self {
        let (first, second) = (bench.context(), bench.context());
        let moving = bench.add(first, keyed("access", Some(KEY_1), None)).id;
        bench.turn();
        let streams = vec![(StreamId(1), spec("core", AVP)), (StreamId(2), spec("core", Transport::Udp))];
        let waiting = bench.try_add(second, streams).unwrap().id;
        bench.turn();
        Self { bench, first, second, moving, left: moving, waiting }
    }

    fn start(&mut self) -> Ticket {
        ticket(
            &self
                .bench
                .execute(Command::Move { termination: self.moving, to: self.second, streams: Vec::new() })
                .unwrap(),
        )
    }

    /// The old worker lets go, and the controller hears of it.
    fn release(&mut self) -> Vec<Event> {
        self.bench.workers[0].obey_all();
        self.bench.events()
    }

    /// The new worker takes it, and the controller has not heard of it.
    fn install(&mut self) {
        self.bench.workers[1].obey_all();
    }

    /// Who reaps from the moving termination's ports, and for whom they are reserved.
    fn reapers(&self) -> Vec<(Option<usize>, Vec<usize>)> {
        let streams = &self.bench.controller.registry.termination(self.moving).unwrap().streams;
        let handles = streams.iter().flat_map(|stream| stream.ports).flatten();
        let open = &self.bench.controller.opener().open;
        handles.map(|port| (open[&port.handle.0].worker, open[&port.handle.0].reserved.clone())).collect()
    }

    fn installed(&self) -> Vec<usize> {
        self.bench.workers.iter().map(|worker| worker.flows.len()).collect()
    }

    fn end(mut self) {
        for context in self.bench.controller.contexts(None, usize::MAX) {
            self.bench.execute(Command::RemoveContext(context.id)).unwrap();
        }
        self.bench.assert_nothing_left();
    }
}

fn statistics_of(events: &[Event]) -> Vec<(Ticket, TerminationId)> {
    let told = events.iter().filter_map(|event| match event {
        Event::Statistics { ticket, termination, .. } => Some((*ticket, *termination)),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_flow_goes_from_hand_to_hand_and_its_ports_are_nobodys_meanwhile() {
    let mut scene = Scene::new();
    let before = scene.bench.plan(scene.moving).ports;
    let ticket = scene.start();
    assert_eq!(scene.bench.controller.context_of(scene.moving), Some(scene.second));
    assert_eq!(scene.reapers(), vec![(None, vec![1]); 2], "before the old worker is told");
    scene.install();
    assert_eq!(scene.bench.events(), [], "the new worker has nothing to do yet");

    assert_eq!(scene.release(), []);
    assert_eq!(scene.installed(), [1, 1, 0]);
    scene.install();
    assert_eq!(scene.installed(), [1, 2, 0]);
    assert_eq!(scene.reapers(), vec![(None, vec![1]); 2], "before it is known that the flow is joined");
    assert_eq!(scene.bench.events(), [Event::Done(ticket)]);
    assert_eq!(scene.reapers(), vec![(Some(1), vec![]); 2]);

    let plan = scene.bench.plan(scene.moving);
    assert_eq!(plan.ports, before);
    assert!(plan.outbound.is_some() && plan.peer.is_some());
    assert!(scene.bench.plan(scene.waiting).peer.is_some());
    assert_eq!(scene.bench.plan(scene.left).peer, None);
    assert_eq!(scene.bench.controller.opener().wakes.last(), Some(&1));
    scene.end();
}

#[test]
fn nobody_reaps_for_a_flow_before_its_namesake_knows_it() {
    let mut scene = Scene::new();
    scene.start();
    scene.release();
    assert!(scene.bench.workers[1].obey_one());
    assert_eq!((scene.bench.events(), scene.installed()), (vec![], vec![1, 2, 0]));
    assert_eq!(scene.reapers(), vec![(None, vec![1]); 2]);
    assert!(scene.bench.workers[1].obey_one());
    scene.bench.events();
    assert_eq!(scene.reapers(), vec![(Some(1), vec![]); 2]);
    scene.end();
}

#[test]
fn a_port_goes_back_to_the_share_that_it_came_from() {
    let mut bench = Bench::with(2, |config| {
        config.realms[0] = realm("access", Leg::Access, &["127.0.0.1"], (10_000, 10_003));
        config.port_reuse_delay_ms = 0;
    });
    let (first, second) = (bench.context(), bench.context());
    let moving = bench.add(first, spec("access", AVP));
    bench.add(second, spec("core", AVP));
    let worker = |bench: &Bench, context| bench.controller.context(context).unwrap().worker.unwrap();
    let (old, new) = (worker(&bench, first), worker(&bench, second));
    assert_ne!(old, new);
    bench.execute(Command::Move { termination: moving.id, to: second, streams: Vec::new() }).unwrap();
    bench.turn();
    bench.execute(Command::RemoveContext(second)).unwrap();
    bench.turn();
    // Each worker has one pair here.
    let mut placed: Vec<_> = (0..2)
        .map(|_| {
            let context = bench.context();
            let port = bench.add(context, spec("access", AVP)).streams[0].rtp.port();
            (port, worker(&bench, context))
        })
        .collect();
    placed.sort_unstable_by_key(|(port, _)| *port != moving.streams[0].rtp.port());
    assert_eq!(placed[0], (moving.streams[0].rtp.port(), old));
    assert_eq!(placed[1].1, new);
}

#[test]
fn a_move_that_cannot_be_certain_of_its_end_changes_nothing() {
    for reservations in 0..6 {
        let mut scene = Scene::with(Bench::new(3), 3);
        let before = scene.bench.snapshot();
        scene.bench.controller.opener_mut().fail_reserve_after = Some(reservations);
        let to = scene.second;
        let refusal = scene
            .bench
            .execute(Command::Move { termination: scene.moving, to, streams: Vec::new() })
            .unwrap_err();
        assert_eq!(refusal, Refusal::OutOfResources("memory"));
        assert_eq!(scene.bench.snapshot(), before, "IQ-4, failing at {reservations}");
        scene.start();
        scene.end();
    }
}

/// What changes of a termination on its way to the other worker: a stream that it has, and one that it gets.
fn changes() -> Vec<(StreamId, StreamSpec)> {
    let rate = SustainedRate { bytes_per_second: 10_000, burst_bytes: 1_500 };
    let held = StreamSpec {
        mode: Mode::Inactive,
        dscp: Some(46),
        policing: Some(Policing::new(Some(rate), None, None)),
        ..keyed("access", Some(KEY_1), Some(KEY_2))
    };
    vec![(StreamId(1), held), (StreamId(2), spec("access", Transport::Udp))]
}

#[test]
fn what_a_move_changes_is_there_when_it_arrives() {
    let mut scene = Scene::new();
    let (termination, to) = (scene.moving, scene.second);
    let moved = view(scene.bench.execute(Command::Move { termination, to, streams: changes() }).unwrap());
    assert_eq!(moved.streams.len(), 2);
    let plan = scene.bench.plan(termination);
    assert_eq!((plan.mode, plan.policing), (Mode::Inactive, changes()[0].1.policing));
    assert!(plan.inbound.is_some() && plan.outbound.is_some() && plan.peer.is_some());
    assert_eq!(scene.installed(), [1, 3, 0]);
    assert_eq!(scene.reapers(), vec![(Some(1), vec![]); 3]);
    scene.end();
}

#[test]
fn a_move_on_one_worker_changes_what_it_says() {
    let mut bench = Bench::new(1);
    let (first, second) = (bench.context(), bench.context());
    let termination = bench.add(first, keyed("access", Some(KEY_1), None)).id;
    bench.add(second, spec("core", AVP));
    let moved = bench.execute(Command::Move { termination, to: second, streams: changes() });
    assert_eq!(view(moved.unwrap()).streams.len(), 2);
    assert_eq!(bench.controller.context(first), None, "an emptied context goes");
    let plan = bench.plan(termination);
    assert_eq!((plan.mode, plan.policing), (Mode::Inactive, changes()[0].1.policing));
    assert!(plan.inbound.is_some() && plan.peer.is_some());
    bench.execute(Command::RemoveContext(second)).unwrap();
    bench.assert_nothing_left();
}

/// The context that it would have left goes with it, so that there would be no way back.
#[test]
fn a_move_whose_changes_are_refused_changes_nothing() {
    for workers in [1, 3] {
        let mut scene = Scene::with_alone(Bench::new(workers));
        let before = scene.bench.snapshot();
        let (termination, to) = (scene.moving, scene.second);
        let refused = |scene: &mut Scene, streams| {
            let refusal = scene.bench.execute(Command::Move { termination, to, streams }).unwrap_err();
            assert_eq!(scene.bench.snapshot(), before, "IQ-4: {refusal}");
            refusal
        };
        let other_key = vec![(StreamId(1), keyed("access", Some(KEY_2), None))];
        assert_eq!(refused(&mut scene, other_key), Refusal::CryptoChanged(StreamId(1), Direction::Outbound));
        let unjoinable = vec![(StreamId(2), spec("access", AVP))];
        assert_eq!(refused(&mut scene, unjoinable), Refusal::Unjoinable(StreamId(2)));
        scene.bench.controller.opener_mut().fail_open_after = Some((0, libc::EMFILE));
        refused(&mut scene, changes());
        scene.bench.controller.opener_mut().fail_tune_after = Some(1);
        refused(&mut scene, changes());
        scene.end();
    }
}

#[test]
fn a_move_needs_room_at_both_workers_before_it_begins() {
    for full in 0..2 {
        let mut scene = Scene::with(Bench::with_rings(3, 40, |_| {}), 3);
        let busy = [scene.left, scene.waiting][full];
        let before = scene.bench.snapshot();
        let to = scene.second;
        while scene.bench.execute(Command::ReadStatistics(busy)).is_ok() {}
        let refusal = scene
            .bench
            .execute(Command::Move { termination: scene.moving, to, streams: Vec::new() })
            .unwrap_err();
        assert_eq!(refusal, Refusal::OutOfResources("worker queue"), "of worker {full}");
        assert_eq!(scene.bench.snapshot(), before);
        scene.start();
        scene.end();
    }
}

#[test]
fn the_room_for_an_arrival_is_kept_however_busy_the_new_worker_gets() {
    let mut scene = Scene::with(Bench::with_rings(3, 40, |_| {}), 5);
    let ticket = scene.start();
    // Nothing else finds room now.
    while scene.bench.execute(Command::ReadStatistics(scene.waiting)).is_ok() {}
    scene.release();
    let events = scene.bench.turn();
    assert!(matches!(events.last(), Some(Event::Done(done)) if *done > ticket));
    assert_eq!(scene.installed(), [5, 10, 0]);
    scene.end();
}

#[test]
fn a_move_to_or_from_a_worker_that_is_gone_is_refused() {
    for gone in 0..2 {
        let mut scene = Scene::new();
        scene.bench.workers.remove(gone);
        let moved = scene.bench.execute(Command::Move {
            termination: scene.moving,
            to: scene.second,
            streams: Vec::new(),
        });
        assert_eq!(moved, Err(Refusal::OutOfResources("workers")));
        assert_eq!(scene.reapers(), vec![(Some(0), vec![]); 2]);
    }
}

#[test]
fn what_is_changed_on_the_way_holds_on_arrival() {
    let mut scene = Scene::new();
    scene.start();
    let changed = StreamSpec {
        mode: Mode::ReceiveOnly,
        remote: remote("192.0.2.9:9000"),
        dscp: Some(46),
        ..keyed("access", None, Some(KEY_2))
    };
    scene.bench.modify(scene.moving, changed).unwrap();
    // Again: the key that came first is still to be brought.
    let latched = StreamSpec { latch: Some(LatchAction::Latch), ..spec("access", SAVP) };
    let reply = scene.bench.execute(Command::Modify {
        termination: scene.moving,
        streams: vec![(StreamId(1), latched), (StreamId(2), spec("access", AVP))],
    });
    let ticket = ticket(&reply.unwrap());
    let refused = scene.bench.modify(scene.moving, keyed("access", None, Some(KEY_1)));
    assert_eq!(refused, Err(Refusal::CryptoChanged(StreamId(1), Direction::Inbound)));
    scene.install();
    assert_eq!(scene.bench.events(), [], "it waits for the move before it");
    scene.release();
    scene.install();
    assert_eq!(scene.bench.events(), [Event::Done(ticket)]);
    let plan = scene.bench.plan(scene.moving);
    assert!(plan.inbound.is_some() && plan.outbound.is_some());
    assert_eq!((plan.mode, plan.latching), (Mode::SendReceive, Latching::Once));
    assert_eq!(scene.installed(), [1, 3, 0], "and the new stream was put where the others will be");
    scene.end();
}

#[test]
fn the_far_side_may_change_while_a_flow_is_on_its_way() {
    let mut scene = Scene::new();
    scene.start();
    scene.bench.modify(scene.waiting, StreamSpec { mode: Mode::Inactive, ..spec("core", AVP) }).unwrap();
    scene.install();
    scene.release();
    assert_eq!(scene.bench.plan(scene.waiting).mode, Mode::Inactive);
    assert!(scene.bench.plan(scene.waiting).peer.is_some());
    scene.end();

    let mut scene = Scene::new();
    scene.start();
    scene.bench.execute(Command::Subtract(scene.waiting)).unwrap();
    scene.release();
    assert_eq!(scene.bench.plan(scene.moving).peer, None);
    scene.end();
}

#[test]
fn counters_that_are_read_on_the_way_are_told_and_not_without_bound() {
    let mut scene = Scene::new();
    scene.start();
    let read = Command::ReadStatistics(scene.moving);
    let tickets: Vec<Ticket> =
        (0..MAX_READS_ON_THE_WAY).map(|_| ticket(&scene.bench.execute(read.clone()).unwrap())).collect();
    assert_eq!(scene.bench.execute(read.clone()), Err(Refusal::OutOfResources("worker queue")));
    let told = statistics_of(&scene.release());
    assert_eq!(told, tickets.iter().map(|ticket| (*ticket, scene.moving)).collect::<Vec<_>>());
    // Installed or not, from here on the new worker is asked.
    let later = ticket(&scene.bench.execute(read).unwrap());
    let events = scene.bench.turn();
    assert_eq!(statistics_of(&events), [(later, scene.moving)]);
    assert_eq!(events.last(), Some(&Event::Done(later)));
    scene.end();
}

#[test]
fn a_termination_that_is_subtracted_on_the_way_is_gone_without_a_trace() {
    for stage in 0..4 {
        for whole_context in [false, true] {
            let mut scene = Scene::with(Bench::new(3), 2);
            scene.start();
            if stage >= 1 {
                scene.release();
            }
            if stage >= 2 {
                scene.install();
            }
            if stage >= 3 {
                scene.bench.events();
            }
            let command = match whole_context {
                true => Command::RemoveContext(scene.second),
                false => Command::Subtract(scene.moving),
            };
            let ticket = ticket(&scene.bench.execute(command).unwrap());
            let events = scene.bench.turn();
            let told = statistics_of(&events);
            assert_eq!(told.len(), if whole_context { 4 } else { 2 }, "at stage {stage}");
            assert!(told.contains(&(ticket, scene.moving)) && told.iter().all(|(of, _)| *of == ticket));
            assert_eq!(events.last(), Some(&Event::Done(ticket)));
            assert_eq!(scene.installed(), [2, if whole_context { 0 } else { 2 }, 0]);
            if !whole_context {
                assert_eq!(scene.bench.plan(scene.waiting).peer, None);
            }
            scene.end();
        }
    }
}

#[test]
fn a_termination_may_move_on_before_it_has_arrived() {
    for stage in 0..4 {
        for back in [false, true] {
            let mut scene = Scene::new();
            let third = scene.bench.context();
            scene.bench.add(third, spec("core", AVP));
            assert_eq!(scene.bench.controller.context(third).unwrap().worker, Some(2));
            scene.bench.turn();
            scene.start();
            if stage >= 1 {
                scene.release();
            }
            if stage >= 2 {
                scene.install();
            }
            if stage >= 3 {
                scene.bench.events();
            }
            let to = if back { scene.first } else { third };
            let moved = ticket(
                &scene
                    .bench
                    .execute(Command::Move { termination: scene.moving, to, streams: Vec::new() })
                    .unwrap(),
            );
            assert_eq!(scene.bench.turn().last(), Some(&Event::Done(moved)), "at stage {stage}");
            let worker = if back { 0 } else { 2 };
            assert_eq!(scene.reapers(), vec![(Some(worker), vec![]); 2]);
            assert_eq!(scene.installed(), if back { [2, 1, 1] } else { [1, 1, 2] });
            assert!(scene.bench.plan(scene.moving).peer.is_some());
            assert!(scene.bench.plan(scene.moving).outbound.is_some());
            assert_eq!(scene.bench.plan(scene.waiting).peer, None);
            scene.end();
        }
    }
}

#[test]
fn another_destination_on_the_way_is_refused_without_a_change() {
    let mut scene = Scene::with(Bench::new(3), 2);
    let third = scene.bench.context();
    scene.bench.add(third, spec("core", AVP));
    scene.bench.turn();
    scene.start();
    let before = scene.reapers();
    for reservations in 0..4 {
        scene.bench.controller.opener_mut().fail_reserve_after = Some(reservations);
        scene
            .bench
            .execute(Command::Move { termination: scene.moving, to: third, streams: Vec::new() })
            .unwrap_err();
        assert_eq!(scene.reapers(), before);
    }
    scene.bench.turn();
    assert_eq!(scene.reapers(), vec![(Some(1), vec![]); 4]);
    scene.end();
}

#[test]
fn two_that_move_to_one_context_meet_there() {
    for first_to_arrive in 0..2 {
        let mut scene = Scene::new();
        let third = scene.bench.context();
        let other = scene.bench.add(third, spec("core", AVP)).id;
        scene.bench.turn();
        scene.start();
        scene.bench.execute(Command::Subtract(scene.waiting)).unwrap();
        scene
            .bench
            .execute(Command::Move { termination: other, to: scene.second, streams: Vec::new() })
            .unwrap();
        scene.bench.workers[[0, 2][first_to_arrive]].obey_all();
        scene.bench.events();
        assert_eq!(scene.bench.controller.context(third), None, "an emptied context goes at once");
        scene.bench.turn();
        assert_eq!(scene.installed(), [1, 2, 0]);
        assert!(scene.bench.plan(scene.moving).peer.is_some() && scene.bench.plan(other).peer.is_some());
        scene.end();
    }
}

#[test]
fn what_was_noticed_before_a_flow_left_is_told() {
    let mut scene = Scene::new();
    let flow = scene.bench.controller.registry.termination(scene.moving).unwrap().streams[0].flow;
    scene.start();
    let what = Observation::KeyNearEnd(Direction::Outbound);
    scene.bench.workers[0].link.answers.push(Answer::Notice(flow, what)).unwrap();
    let notice = Notice { termination: scene.moving, stream: StreamId(1), what };
    assert_eq!(scene.release(), [Event::Notice(notice)]);
    scene.end();
}

#[test]
fn latching_that_is_called_off_on_the_way_forgets_what_was_learned() {
    let source = "198.51.100.7:7000".parse().unwrap();
    for called_off in [false, true] {
        let mut scene = Scene::new();
        let latch = |latch| StreamSpec { latch: Some(latch), ..spec("access", SAVP) };
        scene.bench.modify(scene.moving, latch(LatchAction::Latch)).unwrap();
        scene.bench.turn();
        let flow = scene.bench.controller.registry.termination(scene.moving).unwrap().streams[0].flow;
        scene.bench.workers[0].flows.get_mut(&flow).unwrap().teach(Component::Rtp, source);
        scene.start();
        if called_off {
            scene.bench.modify(scene.moving, latch(LatchAction::Off)).unwrap();
            scene.bench.modify(scene.moving, latch(LatchAction::Latch)).unwrap();
        }
        scene.bench.turn();
        let flow = scene.bench.controller.registry.termination(scene.moving).unwrap().streams[0].flow;
        let learned = scene.bench.workers[1].flows[&flow].learned(Component::Rtp);
        assert_eq!(learned, (!called_off).then_some(source));
        scene.end();
    }
}
