use super::*;
use crate::command::order::Treatment;
use crate::command::{Notice, Observation};

#[test]
fn two_terminations_are_joined_by_stream_number_on_one_worker() {
    let mut bench = Bench::new(3);
    let context = bench.context();
    let access = bench.add(context, StreamSpec { remote: remote("192.0.2.1:4000"), ..spec("access", AVP) });
    let core = bench.add(context, spec("core", AVP));
    let (rtp, rtcp) = (access.streams[0].rtp, access.streams[0].rtcp.unwrap());
    assert_eq!((rtp.port() % 2, rtcp.port()), (0, rtp.port() + 1));
    assert_eq!(access.streams[0].realm.as_str(), "access");

    let plan = bench.plan(access.id);
    assert_eq!(plan.treatment, Treatment::Plain);
    assert_eq!(plan.leg, Leg::Access);
    assert_eq!(plan.remote.map(|to| to.unwrap().port()), [4000, 4001]);
    assert_eq!(plan.ports.map(|port| port.unwrap().key.port), [rtp.port(), rtcp.port()]);
    assert!(plan.peer.is_some());
    assert!(bench.plan(core.id).peer.is_some());
    let workers: HashSet<usize> =
        bench.controller.opener().open.values().filter_map(|open| open.worker).collect();
    assert_eq!(workers.len(), 1);
    assert_eq!(bench.controller.context_of(core.id), Some(context));
}

#[test]
fn a_stream_at_one_side_only_has_no_peer() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let one = bench.try_add(context, vec![(StreamId(1), spec("access", AVP))]).unwrap();
    let other = bench.try_add(context, vec![(StreamId(2), spec("core", AVP))]).unwrap();
    assert_eq!(bench.plan(one.id).peer, None);
    assert_eq!(bench.plan(other.id).peer, None);

    // RLY-1 and its kin: what is added later under the same number is joined.
    let streams = vec![(StreamId(1), spec("core", AVP))];
    let view = view(bench.execute(Command::Modify { termination: other.id, streams }).unwrap());
    assert_eq!(view.streams.iter().map(|stream| stream.stream.0).collect::<Vec<_>>(), [1, 2]);
    assert!(bench.plan(one.id).peer.is_some());
}

#[test]
fn a_command_is_done_when_its_worker_has_obeyed_and_not_before() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let streams = vec![(StreamId(1), spec("access", AVP))];
    let ticket = ticket(&bench.execute(Command::Add { context, streams }).unwrap());
    assert_eq!(bench.events(), [], "RLY-5");
    assert_eq!(bench.turn(), [Event::Done(ticket)]);
}

#[test]
fn a_slow_worker_holds_back_what_was_ordered_after_it() {
    let mut bench = Bench::new(2);
    let mut tickets = Vec::new();
    for _ in 0..2 {
        let context = bench.context();
        let streams = vec![(StreamId(1), spec("access", AVP))];
        tickets.push(ticket(&bench.execute(Command::Add { context, streams }).unwrap()));
    }
    assert_eq!(bench.controller.flows_by_worker(), [1, 1], "the worker with fewest flows is chosen");
    bench.workers[1].obey_all();
    assert_eq!(bench.events(), []);
    bench.workers[0].obey_all();
    assert_eq!(bench.events(), [Event::Done(tickets[1])], "the last says it for all before it");
}

#[test]
fn what_needs_no_worker_is_done_too() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let attributes = ContextAttributes { priority: 3, emergency: true };
    let reply = bench.execute(Command::SetAttributes(context, attributes)).unwrap();
    assert_eq!(bench.events(), [Event::Done(ticket(&reply))]);
    assert_eq!(bench.controller.context(context).unwrap().attributes, attributes);
    let termination = bench.try_add(context, vec![]).unwrap().id;
    bench.turn();
    let reply = bench.execute(Command::Subtract(termination)).unwrap();
    assert_eq!(bench.events(), [Event::Done(ticket(&reply))]);
    bench.assert_nothing_left();
}

#[test]
fn subtract_reports_statistics_and_closes_ports_after_the_worker_let_go() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let [access, core] = ["access", "core"].map(|realm| bench.add(context, spec(realm, AVP)).id);
    bench.turn();
    let ticket_of_access = ticket(&bench.execute(Command::Subtract(access)).unwrap());
    assert_eq!(bench.controller.opener().open.len(), 4, "the worker may still be using them");
    let events = bench.turn();
    let statistics = StreamStatistics::default();
    assert_eq!(
        events,
        [
            Event::Statistics {
                ticket: ticket_of_access,
                termination: access,
                stream: StreamId(1),
                statistics
            },
            Event::Done(ticket_of_access)
        ]
    );
    assert_eq!(bench.controller.opener().open.len(), 2);
    assert_eq!(bench.plan(core).peer, None);
    assert_eq!(bench.controller.realm_ports()[0].resting, 2);

    bench.execute(Command::Subtract(core)).unwrap();
    assert_eq!(bench.controller.context(context), None, "an emptied context goes");
    assert_eq!(bench.execute(Command::Subtract(core)), Err(Refusal::UnknownTermination(core)));
    bench.assert_nothing_left();
}

#[test]
fn removing_a_context_removes_its_terminations_with_their_statistics() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    for realm in ["access", "core"] {
        bench.add(context, spec(realm, AVP));
    }
    bench.turn();
    bench.execute(Command::RemoveContext(context)).unwrap();
    let reported = bench.turn();
    assert_eq!(reported.iter().filter(|event| matches!(event, Event::Statistics { .. })).count(), 2);
    assert!(matches!(reported.last(), Some(Event::Done(_))));
    assert_eq!(bench.execute(Command::RemoveContext(context)), Err(Refusal::UnknownContext(context)));
    bench.assert_nothing_left();
}

#[test]
fn a_context_that_was_left_empty_is_named() {
    let mut bench = Bench::new(1);
    let (empty, used) = (bench.context(), bench.context());
    bench.add(used, spec("access", AVP));
    assert_eq!(bench.controller.empty_contexts(10), [empty]);
    bench.execute(Command::RemoveContext(empty)).unwrap();
    assert_eq!(bench.controller.empty_contexts(10), []);
}

#[test]
fn statistics_are_read_stream_by_stream() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let streams = vec![(StreamId(1), spec("access", AVP)), (StreamId(2), spec("access", AVP))];
    let termination = bench.try_add(context, streams).unwrap().id;
    bench.turn();
    let ticket = ticket(&bench.execute(Command::ReadStatistics(termination)).unwrap());
    let events = bench.turn();
    let read = |event: &Event| match event {
        Event::Statistics { ticket: of, stream, statistics, .. } => (*of, stream.0, statistics.packets_sent),
        other => panic!("{other:?}"),
    };
    assert_eq!(events[..2].iter().map(read).collect::<Vec<_>>(), [(ticket, 1, 7), (ticket, 2, 7)]);
    assert_eq!(events[2], Event::Done(ticket));
}

#[test]
fn a_notice_names_its_stream_until_the_stream_is_subtracted() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let termination = bench.add(context, spec("access", AVP)).id;
    bench.turn();
    let flow = bench.controller.registry.termination(termination).unwrap().streams[0].flow;
    let what = Observation::KeyNearEnd(Direction::Inbound);
    bench.workers[0].link.answers.push(Answer::Notice(flow, what)).unwrap();
    assert_eq!(bench.events(), [Event::Notice(Notice { termination, stream: StreamId(1), what })]);

    bench.execute(Command::Subtract(termination)).unwrap();
    bench.workers[0].link.answers.push(Answer::Notice(flow, what)).unwrap();
    bench.workers[0].link.answers.push(Answer::Notice(FlowId(9_999), what)).unwrap();
    assert_eq!(bench.events(), []);
    bench.assert_nothing_left();
}

#[test]
fn a_worker_that_never_falls_silent_does_not_hold_back_what_is_done() {
    let mut bench = Bench::with_rings(1, 1_024, |_| {});
    let context = bench.context();
    let termination = bench.add(context, spec("access", AVP)).id;
    bench.workers[0].obey_all();
    let flow = bench.controller.registry.termination(termination).unwrap().streams[0].flow;
    for _ in 0..500 {
        let notice = Answer::Notice(flow, Observation::KeyNearEnd(Direction::Inbound));
        bench.workers[0].link.answers.push(notice).unwrap();
    }
    let first_done = bench.events().iter().position(|event| matches!(event, Event::Done(_))).unwrap();
    assert!(first_done < 100, "at {first_done}");
}

#[test]
fn one_side_speaks_ipv4_and_the_other_ipv6() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let access = bench.add(context, StreamSpec { family: Some(Family::V6), ..spec("access", AVP) });
    let core = bench.add(context, StreamSpec { family: Some(Family::V4), ..spec("core", AVP) });
    assert!(access.streams[0].rtp.is_ipv6() && core.streams[0].rtp.is_ipv4());
    assert!(bench.plan(access.id).peer.is_some());
    // RLY-2: unasked, our address is of the peer's family.
    let context = bench.context();
    let follows =
        bench.add(context, StreamSpec { remote: remote("[2001:db8::9]:4000"), ..spec("access", AVP) });
    assert!(follows.streams[0].rtp.is_ipv6());
    let mismatch =
        StreamSpec { family: Some(Family::V4), remote: remote("[2001:db8::9]:4000"), ..spec("core", AVP) };
    assert_eq!(
        bench.try_add(context, vec![(StreamId(1), mismatch)]),
        Err(Refusal::NoSuchLocalAddress(StreamId(1)))
    );
}

#[test]
fn what_the_peer_is_told_is_the_advertised_address() {
    let mut bench = Bench::with(1, |config| {
        config.realms[0].addresses[0].advertise = Some("203.0.113.7".parse().unwrap());
    });
    let context = bench.context();
    let told = bench.add(context, spec("access", AVP));
    assert_eq!(told.streams[0].rtp.ip().to_string(), "203.0.113.7");
    assert_eq!(bench.controller.opener().open[&1].local.ip().to_string(), "127.0.0.1");
    // Named again by either name it is itself.
    for name in ["203.0.113.7", "127.0.0.1"] {
        let again = StreamSpec { local_address: name.parse().ok(), ..spec("access", AVP) };
        bench.modify(told.id, again).unwrap();
    }
}

#[test]
fn a_local_address_or_port_that_is_named_is_given_or_refused() {
    let mut bench = Bench::new(4);
    let context = bench.context();
    let named = |port, address: &str| StreamSpec {
        local_port: Some(port),
        local_address: address.parse().ok(),
        ..spec("access", AVP)
    };
    let given = bench.add(context, named(10_300, "::1"));
    assert_eq!(given.streams[0].rtp.to_string(), "[::1]:10300");
    let mut refused = |port, address: &str| {
        let other = bench.context();
        let refusal = bench.try_add(other, vec![(StreamId(1), named(port, address))]).unwrap_err();
        bench.execute(Command::RemoveContext(other)).unwrap();
        refusal
    };
    assert_eq!(refused(10_300, "::1"), Refusal::PortUnavailable(StreamId(1)), "taken");
    assert_eq!(refused(9_000, "::1"), Refusal::PortUnavailable(StreamId(1)), "not of the realm");
    assert_eq!(refused(10_303, "::1"), Refusal::PortUnavailable(StreamId(1)), "RTP with RTCP is even");
    assert_eq!(refused(10_302, "192.0.2.1"), Refusal::NoSuchLocalAddress(StreamId(1)));
    let other = bench.context();
    bench.add(other, named(10_300, "127.0.0.1"));
}

#[test]
fn streams_without_a_port_for_rtcp_take_one_port() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let mux = StreamSpec { rtcp: RtcpPorts::Mux, ..spec("access", AVP) };
    let none = StreamSpec { rtcp: RtcpPorts::None, ..spec("access", AVP) };
    let streams =
        vec![(StreamId(1), mux), (StreamId(2), none), (StreamId(3), spec("access", Transport::Udp))];
    let told = bench.try_add(context, streams).unwrap().streams;
    assert_eq!(told[0].rtcp, Some(told[0].rtp));
    assert_eq!((told[1].rtcp, told[2].rtcp), (None, None));
    assert_eq!(bench.controller.counts().open_ports, 3);
}

#[test]
fn a_move_joins_anew_and_keeps_what_the_stream_has() {
    let mut bench = Bench::new(1);
    let (first, second) = (bench.context(), bench.context());
    let moving = bench.add(first, keyed("access", Some(KEY_1), Some(KEY_2))).id;
    let left = bench.add(first, spec("core", AVP)).id;
    let waiting = bench.add(second, spec("core", AVP)).id;
    let before = bench.plan(moving).ports;
    view(bench.execute(Command::Move { termination: moving, to: second, streams: Vec::new() }).unwrap());
    assert_eq!(bench.controller.context_of(moving), Some(second));
    assert_eq!(bench.plan(left).peer, None);
    assert!(bench.plan(waiting).peer.is_some());
    let plan = bench.plan(moving);
    assert_eq!(plan.ports, before);
    assert!(plan.inbound.is_some() && plan.outbound.is_some());

    bench.execute(Command::Move { termination: left, to: second, streams: Vec::new() }).unwrap_err();
    bench.execute(Command::Subtract(waiting)).unwrap();
    bench.execute(Command::Move { termination: left, to: second, streams: Vec::new() }).unwrap();
    assert_eq!(bench.controller.context(first), None, "an emptied context goes");
    assert!(bench.plan(left).peer.is_some());
    bench.execute(Command::RemoveContext(second)).unwrap();
    bench.assert_nothing_left();
}

#[test]
fn opaque_and_rtp_are_not_joined() {
    let mut bench = Bench::new(1);
    let (context, other) = (bench.context(), bench.context());
    bench.add(context, spec("access", Transport::Udp));
    let rtp = bench.add(other, spec("core", AVP)).id;
    let unjoinable = Err(Refusal::Unjoinable(StreamId(1)));
    assert_eq!(bench.try_add(context, vec![(StreamId(1), spec("core", AVP))]), unjoinable.clone());
    let moved = bench.execute(Command::Move { termination: rtp, to: context, streams: Vec::new() });
    assert_eq!(moved.map(view), unjoinable.clone());
    let core = bench.try_add(context, vec![]).unwrap().id;
    assert_eq!(bench.modify(core, spec("core", AVP)), unjoinable);
}

#[test]
fn limits_are_kept_and_draining_takes_no_new_context() {
    let mut bench = Bench::with(1, |config| {
        config.limits = Limits { contexts: 2, streams_per_termination: 2, ports: 5, ..Limits::default() };
    });
    let (context, _) = (bench.context(), bench.context());
    let create = Command::CreateContext(ContextAttributes::default());
    assert_eq!(bench.execute(create.clone()), Err(Refusal::OutOfContexts));
    let stream = |id| (StreamId(id), spec("access", AVP));
    let three = vec![stream(1), stream(2), stream(3)];
    assert_eq!(bench.try_add(context, three), Err(Refusal::TooManyStreams));
    let twice = vec![stream(1), stream(1)];
    assert_eq!(bench.try_add(context, twice), Err(Refusal::DuplicateStream(StreamId(1))));
    let termination = bench.try_add(context, vec![stream(1), stream(2)]).unwrap().id;
    let more = Command::Modify { termination, streams: vec![stream(3)] };
    assert_eq!(bench.execute(more), Err(Refusal::TooManyStreams));
    assert_eq!(bench.try_add(context, vec![stream(1)]), Err(Refusal::OutOfResources("ports")));
    bench.try_add(context, vec![]).unwrap();
    assert_eq!(bench.try_add(context, vec![]), Err(Refusal::TooManyTerminations(context)));

    bench.controller.set_draining(true);
    bench.execute(Command::RemoveContext(context)).unwrap();
    assert!(matches!(bench.execute(create), Err(Refusal::OutOfResources(_))));
}

#[test]
fn unknown_names_are_refused() {
    let mut bench = Bench::with(1, |config| config.realms[0].default = false);
    let context = bench.context();
    let elsewhere = RealmName::new("elsewhere").unwrap();
    let refused = bench.try_add(context, vec![(StreamId(1), spec("elsewhere", AVP))]);
    assert_eq!(refused, Err(Refusal::UnknownRealm(elsewhere)));
    let refused = bench.try_add(context, vec![(StreamId(1), StreamSpec::new(AVP))]);
    assert_eq!(refused, Err(Refusal::NoDefaultRealm));
    let nobody = TerminationId(99);
    assert_eq!(bench.modify(nobody, spec("access", AVP)), Err(Refusal::UnknownTermination(nobody)));
    let nowhere = ContextId(99);
    assert_eq!(bench.try_add(nowhere, vec![]), Err(Refusal::UnknownContext(nowhere)));
}

#[test]
fn lists_come_in_pages_and_counts_follow() {
    let mut bench = Bench::new(2);
    let made: Vec<ContextId> = (0..10).map(|_| bench.context()).collect();
    for context in &made[..3] {
        bench.add(*context, spec("access", AVP));
        bench.add(*context, keyed("core", Some(KEY_1), None));
    }
    let first = bench.controller.contexts(None, 4);
    let second = bench.controller.contexts(Some(first[3].id), 100);
    let ids: Vec<ContextId> = first.iter().chain(&second).map(|context| context.id).collect();
    assert_eq!(ids, made);
    let counts = bench.controller.counts();
    assert_eq!((counts.contexts, counts.terminations), (10, [3, 3]));
    assert!(counts.streams.contains(&(AVP, 3)) && counts.streams.contains(&(SAVP, 3)));
    let keyed = &first[0].terminations[1].streams[0];
    assert_eq!((keyed.outbound_suite, keyed.inbound_suite), (Some("AES_CM_128_HMAC_SHA1_80"), None));
    assert!(!format!("{first:?}").contains("d0Rm"), "SRTP-12");
}

#[test]
fn a_worker_is_woken_once_a_turn_for_all_that_concerns_it() {
    let mut bench = Bench::new(2);
    let context = bench.context();
    let streams = (1..=3).map(|id| (StreamId(id), spec("access", AVP))).collect();
    bench.try_add(context, streams).unwrap();
    bench.add(context, spec("core", AVP));
    assert!(bench.controller.opener().wakes.is_empty());
    assert_eq!(bench.controller.poll_event(), None);
    assert_eq!(bench.controller.opener().wakes, [0]);
    let attributes = ContextAttributes::default();
    bench.execute(Command::SetAttributes(context, attributes)).unwrap();
    assert_eq!(bench.controller.poll_event(), None);
    assert_eq!(bench.controller.opener().wakes, [0], "no order, no wake-up");
}

/// A connection of which nothing is said.
fn connection(realm: &str) -> StreamSpec {
    spec(realm, Transport::Tcp { tls: false, application: Application::Opaque })
}

#[test]
fn a_connection_has_one_port_and_is_told_to_connect_once() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let access = bench.add(context, connection("access"));
    bench.add(context, connection("core"));
    bench.turn();
    assert_eq!(access.streams[0].rtcp, None);
    assert_eq!(bench.controller.opener().open.len(), 2);
    assert!(
        bench.workers[0].connections.values().all(|flow| flow.plan.stateless && flow.plan.peer.is_some())
    );
    let changed = bench.workers[0].changed;
    let mut establish = connection("access");
    establish.tcp = Some(Box::new(TcpSpec { establish: true, ..TcpSpec::default() }));
    for _ in 0..2 {
        bench.modify(access.id, establish.clone()).unwrap();
        bench.turn();
    }
    assert_eq!(bench.workers[0].changed, changed + 2, "each time it is told");
    bench.modify(access.id, connection("access")).unwrap();
    bench.turn();
    assert_eq!(bench.workers[0].changed, changed + 2, "and not when it is not");
    bench.execute(Command::RemoveContext(context)).unwrap();
    bench.assert_nothing_left();
}

#[test]
fn a_connection_that_only_lingers_keeps_its_port_and_holds_no_reply_up() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let side = bench.add(context, connection("access"));
    bench.turn();
    let removal = ticket(&bench.execute(Command::Subtract(side.id)).unwrap());
    while bench.workers[0].obey_one() {}
    let events = bench.events();
    assert!(matches!(events[0], Event::Statistics { ticket, .. } if ticket == removal), "{events:?}");
    assert_eq!(events[1..], [Event::Done(removal)]);
    assert_eq!(bench.controller.opener().open.len(), 1, "it still delivers");
    bench.assert_nothing_left();
}

#[test]
fn a_connection_is_not_moved_to_another_worker() {
    let mut bench = Bench::new(2);
    let contexts = [bench.context(), bench.context()];
    let sides = contexts.map(|context| bench.add(context, connection("access")));
    let before = bench.snapshot();
    let moved =
        bench.execute(Command::Move { termination: sides[0].id, to: contexts[1], streams: Vec::new() });
    assert_eq!(
        moved.unwrap_err(),
        Refusal::NotImplemented("moving a connection, DTLS, ICE or a bundle to another worker")
    );
    assert_eq!(bench.snapshot(), before);
}

#[test]
fn a_path_of_ours_is_made_once_and_names_the_port() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let msrp = Transport::Tcp { tls: false, application: Application::Msrp };
    let mut asked = spec("access", msrp);
    let own = MsrpPaths { own: true, peer: None };
    asked.tcp = Some(Box::new(TcpSpec { msrp: own, ..TcpSpec::default() }));
    let first = bench.add(context, asked.clone());
    let path = first.streams[0].msrp_path.clone().unwrap();
    assert!(
        path.starts_with(&format!("msrp://{}/", first.streams[0].rtp)) && path.ends_with(";tcp"),
        "{path}"
    );
    let again = bench.modify(first.id, asked.clone()).unwrap();
    assert_eq!(again.streams[0].msrp_path.as_ref(), Some(&path));
    let other = bench.add(context, StreamSpec { realm: RealmName::new("core"), ..asked });
    assert_ne!(other.streams[0].msrp_path.as_ref().unwrap().split('/').nth(3), path.split('/').nth(3));
    let mut bad = spec("access", msrp);
    let two_lines = MsrpPaths { own: true, peer: Some("msrp://a;tcp\r\nX: y".into()) };
    bad.tcp = Some(Box::new(TcpSpec { msrp: two_lines, ..TcpSpec::default() }));
    assert!(matches!(bench.modify(first.id, bad), Err(Refusal::NotImplemented(_))));
}
