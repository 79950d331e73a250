use super::*;
use crate::command::order::Latching;

#[test]
fn what_is_fixed_at_setup_is_not_changed() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let termination = bench.add(context, spec("access", AVP)).id;
    let before = bench.snapshot();
    let mut refused = |change: fn(&mut StreamSpec)| {
        let mut spec = spec("access", AVP);
        change(&mut spec);
        match bench.modify(termination, spec) {
            Err(Refusal::FixedAtSetup(StreamId(1), what)) => what,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(|spec| spec.realm = RealmName::new("core")), "the realm");
    assert_eq!(refused(|spec| spec.family = Some(Family::V6)), "the IP version");
    assert_eq!(refused(|spec| spec.remote = remote("[2001:db8::1]:4000")), "the IP version");
    assert_eq!(refused(|spec| spec.local_address = "::1".parse().ok()), "the local address");
    assert_eq!(refused(|spec| spec.local_port = Some(10_900)), "the local port");
    assert_eq!(refused(|spec| spec.transport = Transport::Udp), "the transport");
    assert_eq!(refused(|spec| spec.rtcp = RtcpPorts::None), "the RTCP ports");
    assert_eq!(bench.snapshot(), before);
}

#[test]
fn what_is_not_fixed_takes_effect() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let termination = bench.add(context, spec("access", AVP)).id;
    bench.turn();
    let rate = SustainedRate { bytes_per_second: 10_000, burst_bytes: 1_500 };
    let changed = StreamSpec {
        mode: Mode::ReceiveOnly,
        remote: remote("192.0.2.1:5000"),
        filter: SourceFilter {
            ports: SourceRule::listed(PortRange::new(5_000, 5_001)),
            ..Default::default()
        },
        policing: Some(Policing::new(Some(rate), None, None)),
        clock_rate_hz: Some(16_000),
        dscp: Some(46),
        ..spec("access", Transport::Rtp { secure: false, feedback: true })
    };
    bench.modify(termination, changed.clone()).unwrap();
    let plan = bench.plan(termination);
    assert_eq!(plan.mode, Mode::ReceiveOnly);
    assert_eq!(plan.remote[0], Some("192.0.2.1:5000".parse().unwrap()));
    assert_eq!((&plan.filter, plan.policing), (&changed.filter, changed.policing));
    assert_eq!(plan.clock_rate_hz, Some(16_000));
    assert!(bench.controller.opener().open.values().all(|open| open.dscp == 46));

    let orders = bench.workers[0].changed;
    bench.modify(termination, changed).unwrap();
    bench.turn();
    assert_eq!(bench.workers[0].changed, orders, "the same again needs no order");
}

#[test]
fn ports_tell_code_points_as_long_as_the_other_side_copies_them() {
    let mut bench = Bench::new(2);
    let (first, second) = (bench.context(), bench.context());
    let copying = StreamSpec { copy_dscp: true, ..spec("access", AVP) };
    let access = bench.add(first, copying.clone()).id;
    let told = |bench: &Bench| {
        let open = bench.controller.opener().open.values();
        open.filter(|port| port.reads_dscp).map(|port| port.local.port()).collect::<Vec<_>>()
    };
    bench.turn();
    assert_eq!(told(&bench), [], "there is nobody to read from");
    let core = bench.add(first, spec("core", AVP));
    let other = bench.add(second, spec("core", AVP));
    let ports = |view: &TerminationView| {
        let rtp = view.streams[0].rtp.port();
        vec![rtp, rtp + 1]
    };
    bench.turn();
    assert!(bench.plan(access).copy_dscp && !bench.plan(core.id).copy_dscp);
    assert_eq!(told(&bench), ports(&core));
    // To another worker: who is left reads no more, and who is met does.
    bench.execute(Command::Move { termination: access, to: second, streams: Vec::new() }).unwrap();
    bench.turn();
    assert_eq!(told(&bench), ports(&other));
    bench.modify(access, spec("access", AVP)).unwrap();
    assert_eq!(told(&bench), []);
    bench.modify(access, copying).unwrap();
    assert_eq!(told(&bench), ports(&other));
    bench.execute(Command::Subtract(access)).unwrap();
    assert_eq!(told(&bench), []);
    for context in [first, second] {
        bench.execute(Command::RemoveContext(context)).unwrap();
    }
    bench.assert_nothing_left();
}

#[test]
fn rtcp_mux_may_be_agreed_on_and_given_up_while_the_port_is_reserved() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let told = bench.add(context, spec("access", AVP));
    let mux = StreamSpec { rtcp: RtcpPorts::Mux, ..spec("access", AVP) };
    let muxed = bench.modify(told.id, mux.clone()).unwrap();
    assert_eq!(muxed.streams[0].rtcp, Some(told.streams[0].rtp));
    assert!(bench.plan(told.id).mux);
    assert_eq!(bench.modify(told.id, spec("access", AVP)), Ok(told));

    let context = bench.context();
    let termination = bench.add(context, mux).id;
    let refused = bench.modify(termination, spec("access", AVP));
    assert_eq!(refused, Err(Refusal::FixedAtSetup(StreamId(1), "the RTCP ports")));
}

#[test]
fn latching_follows_the_signal() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let termination = bench.add(context, spec("access", AVP)).id;
    assert_eq!(bench.plan(termination).latching, Latching::Off);
    let mut signal = |latch| {
        bench.modify(termination, StreamSpec { latch, ..spec("access", AVP) }).unwrap();
        bench.plan(termination).latching
    };
    assert_eq!(signal(Some(LatchAction::Latch)), Latching::Once);
    assert_eq!(signal(None), Latching::Once, "it is an action; without one things stay");
    assert_eq!(signal(Some(LatchAction::Relatch)), Latching::Again);
    assert_eq!(signal(None), Latching::Again, "no order: the worker keeps the plan it has");
    assert_eq!(signal(Some(LatchAction::Relatch)), Latching::Again, "each one is an order of its own");
    assert_eq!(signal(Some(LatchAction::Off)), Latching::Off);
}

#[test]
fn local_policy_may_latch_always_or_never() {
    for (policy, expected) in [(LatchPolicy::Always, Latching::Once), (LatchPolicy::Never, Latching::Off)] {
        let mut bench = Bench::with(1, |config| config.latch = policy);
        let context = bench.context();
        let opposite = match expected {
            Latching::Once => LatchAction::Off,
            _ => LatchAction::Latch,
        };
        let signalled = StreamSpec { latch: Some(opposite), ..spec("access", AVP) };
        let termination = bench.add(context, signalled).id;
        assert_eq!(bench.plan(termination).latching, expected);
        // Where everybody is latched, a new address means that the peer has moved.
        bench
            .modify(termination, StreamSpec { remote: remote("192.0.2.9:9000"), ..spec("access", AVP) })
            .unwrap();
        let moved = if expected == Latching::Once { Latching::Again } else { Latching::Off };
        assert_eq!(bench.plan(termination).latching, moved);
        let relayed = bench.context();
        let relayed = bench.add(relayed, spec("access", Transport::Udp)).id;
        assert_eq!(bench.plan(relayed).latching, Latching::Off);
    }
}
