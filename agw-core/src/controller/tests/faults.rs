use super::*;

fn three(realm: &str) -> Vec<(StreamId, StreamSpec)> {
    (1..=3).map(|id| (StreamId(id), keyed(realm, Some(KEY_1), Some(KEY_2)))).collect()
}

#[test]
fn an_add_that_fails_at_any_port_leaves_nothing_behind() {
    for number in [libc::EMFILE, libc::ENOBUFS, libc::EADDRNOTAVAIL] {
        for successes in 0..6 {
            let mut bench = Bench::new(2);
            let context = bench.context();
            bench.try_add(context, three("access")).unwrap();
            let before = bench.snapshot();
            bench.controller.opener_mut().fail_open_after = Some((successes, number));
            let refusal = bench.try_add(context, three("core")).unwrap_err();
            let by_us = matches!(refusal, Refusal::OutOfResources(_));
            assert_eq!(by_us, number != libc::EADDRNOTAVAIL, "{refusal:?}");
            assert_eq!(bench.snapshot(), before, "IQ-4, failing at open {successes}");
            bench.try_add(context, three("core")).unwrap();
            bench.execute(Command::RemoveContext(context)).unwrap();
            bench.assert_nothing_left();
        }
    }
}

#[test]
fn a_modify_that_fails_at_any_port_or_tuning_leaves_everything_as_it_was() {
    for (opens, tunings) in (0..4).map(|n| (Some(n), None)).chain((0..4).map(|n| (None, Some(n)))) {
        let mut bench = Bench::new(2);
        let context = bench.context();
        let streams = vec![(StreamId(1), spec("access", AVP)), (StreamId(2), spec("access", AVP))];
        let termination = bench.try_add(context, streams).unwrap().id;
        bench.add(context, spec("core", AVP));
        let before = bench.snapshot();
        let opener = bench.controller.opener_mut();
        opener.fail_open_after = opens.map(|successes| (successes, libc::EACCES));
        opener.fail_tune_after = tunings;
        let changed =
            StreamSpec { dscp: Some(46), mode: Mode::Inactive, ..keyed("access", Some(KEY_1), None) };
        let streams: Vec<_> = (1..=4).map(|id| (StreamId(id), changed.clone())).collect();
        let refusal = bench.execute(Command::Modify { termination, streams: streams.clone() }).unwrap_err();
        assert!(matches!(refusal, Refusal::System(_)), "{refusal:?}");
        assert_eq!(bench.snapshot(), before, "failing at open {opens:?} or tuning {tunings:?}");
        bench.execute(Command::Modify { termination, streams }).unwrap();
        bench.execute(Command::RemoveContext(context)).unwrap();
        bench.assert_nothing_left();
    }
}

#[test]
fn a_command_that_is_wrong_in_its_last_stream_changes_none() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let termination = bench.try_add(context, three("access")).unwrap().id;
    let before = bench.snapshot();
    let mut streams: Vec<_> = (1..=4)
        .map(|id| (StreamId(id), StreamSpec { mode: Mode::Inactive, dscp: Some(1), ..spec("access", SAVP) }))
        .collect();
    streams[3].1.dscp = Some(64);
    assert!(bench.execute(Command::Modify { termination, streams: streams.clone() }).is_err());
    assert!(bench.try_add(context, streams).is_err());
    assert_eq!(bench.snapshot(), before);
}

#[test]
fn ports_of_another_process_are_passed_over_and_counted() {
    let mut bench = Bench::new(1);
    // RTP's port of the first pair, RTCP's of the second.
    bench.controller.opener_mut().foreign = HashSet::from([10_000, 10_003]);
    let context = bench.context();
    let told = bench.add(context, spec("access", AVP));
    assert_eq!(told.streams[0].rtp.port(), 10_004);
    assert_eq!(bench.controller.counts().foreign_ports, 2);
    assert_eq!(bench.controller.counts().open_ports, 2);

    bench.controller.opener_mut().foreign = (10_000..=10_999).collect();
    let refused = bench.try_add(context, vec![(StreamId(1), spec("access", AVP))]);
    assert_eq!(
        refused,
        Err(Refusal::OutOfPorts(RealmName::new("access").unwrap())),
        "after a bounded search"
    );
    assert_eq!(bench.controller.counts().foreign_ports, 2 + u64::from(MAX_FOREIGN_PORTS_PASSED));
    bench.execute(Command::RemoveContext(context)).unwrap();
    bench.assert_nothing_left();
}

#[test]
fn a_full_realm_refuses_until_ports_have_rested() {
    let mut bench = Bench::with(1, |config| {
        config.realms[0] = realm("access", Leg::Access, &["127.0.0.1"], (10_000, 10_003));
    });
    let context = bench.context();
    let streams: Vec<_> = (1..=2).map(|id| (StreamId(id), spec("access", AVP))).collect();
    bench.try_add(context, streams.clone()).unwrap();
    let other = bench.context();
    let refused = bench.try_add(other, streams.clone());
    assert_eq!(refused, Err(Refusal::OutOfPorts(RealmName::new("access").unwrap())));
    bench.execute(Command::RemoveContext(context)).unwrap();
    assert!(bench.try_add(other, streams.clone()).is_err(), "the worker has not let go");
    bench.turn();
    bench.controller.set_now(1_999);
    assert!(bench.try_add(other, streams.clone()).is_err(), "they rest");
    assert_eq!(bench.controller.next_timeout(), Some(2_000));
    bench.controller.set_now(2_000);
    bench.try_add(other, streams).unwrap();
}

#[test]
fn a_context_goes_to_another_worker_when_the_first_has_no_ports_left() {
    let mut bench = Bench::with(2, |config| {
        config.realms[0] = realm("access", Leg::Access, &["127.0.0.1"], (10_000, 10_003));
    });
    for _ in 0..2 {
        let context = bench.context();
        bench.add(context, spec("access", AVP));
    }
    // The busier worker is the only one with a free pair now.
    let context = bench.controller.contexts(None, 1)[0].clone();
    bench.execute(Command::RemoveContext(context.id)).unwrap();
    bench.turn();
    let core_only = bench.context();
    bench.add(core_only, spec("core", AVP));
    bench.add(core_only, spec("core", AVP));
    bench.controller.set_now(5_000);
    let again = bench.context();
    bench.add(again, spec("access", AVP));
    assert_eq!(bench.controller.context(again).unwrap().worker, context.worker);
}

#[test]
fn a_full_queue_refuses_before_anything_changes_and_keeps_room_for_removals() {
    let mut bench = Bench::with_rings(1, 32, |_| {});
    let mut made = Vec::new();
    let refusal = loop {
        let context = bench.context();
        match bench.try_add(context, vec![(StreamId(1), spec("access", AVP))]) {
            Ok(_) => made.push(context),
            Err(refusal) => break refusal,
        }
        assert!(made.len() < 1_000);
    };
    assert_eq!(refusal, Refusal::OutOfResources("worker queue"));
    assert_eq!(bench.controller.counts().open_ports, 2 * made.len());
    assert_eq!(bench.controller.flows_by_worker(), [made.len()]);
    bench.execute(Command::RemoveContext(made[0])).expect("a removal has room");
    let mut rest = made.into_iter().skip(1);
    let refused = rest.find_map(|context| bench.execute(Command::RemoveContext(context)).err());
    assert_eq!(refused, Some(Refusal::OutOfResources("worker queue")), "but not endless room");
    bench.turn();
    for context in bench.controller.contexts(None, usize::MAX) {
        bench.execute(Command::RemoveContext(context.id)).unwrap();
        bench.turn();
    }
    bench.assert_nothing_left();
}

#[test]
fn a_worker_that_is_gone_gets_no_new_contexts() {
    let mut bench = Bench::new(2);
    bench.workers.remove(0);
    for _ in 0..3 {
        let context = bench.context();
        bench.add(context, spec("access", AVP));
    }
    assert_eq!(bench.controller.flows_by_worker(), [0, 3]);
    bench.workers.clear();
    let context = bench.context();
    let refused = bench.try_add(context, vec![(StreamId(1), spec("access", AVP))]);
    assert_eq!(refused, Err(Refusal::OutOfResources("workers")));
}

#[test]
fn ports_that_a_refused_command_took_are_free_again_at_once() {
    // Five pairs: a call of three streams fits once, on either worker not twice.
    for workers in [1, 2] {
        let mut bench = Bench::with(workers, |config| {
            config.realms[0] =
                realm("access", Leg::Access, &["127.0.0.1"], (10_000, 9_999 + 10 * workers as u16));
        });
        for _ in 0..workers {
            let context = bench.context();
            bench.try_add(context, three("access")).unwrap();
        }
        let context = bench.context();
        let termination = bench.add(context, spec("core", AVP)).id;
        let before = bench.snapshot();
        for _ in 0..100 {
            let empty = bench.context();
            assert!(matches!(bench.try_add(empty, three("access")), Err(Refusal::OutOfPorts(_))));
            bench.execute(Command::RemoveContext(empty)).unwrap();
            let more = (2..=4).map(|id| (StreamId(id), spec("access", AVP))).collect();
            let refused = bench.execute(Command::Modify { termination, streams: more });
            assert!(matches!(refused, Err(Refusal::OutOfPorts(_))), "{refused:?}");
            let ports = &bench.controller.realm_ports()[0];
            assert_eq!((ports.in_use, ports.resting), (6 * workers as u64, 0), "nobody was told of a port");
        }
        bench.turn();
        assert_eq!(bench.snapshot(), before);
        let context = bench.context();
        bench.add(context, spec("access", AVP));
    }
}
