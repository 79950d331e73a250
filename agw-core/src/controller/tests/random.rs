use super::*;
use proptest::prelude::*;

/// What is done, in small numbers that are taken modulo what there is.
#[derive(Debug, Clone)]
enum Step {
    Create,
    Add { context: usize, streams: Vec<(u16, Kind)> },
    Modify { termination: usize, streams: Vec<(u16, Kind)> },
    Move { termination: usize, context: usize, streams: Vec<(u16, Kind)> },
    Subtract(usize),
    RemoveContext(usize),
    Read(usize),
    FailOpen(usize),
    FailReserve(usize),
    Obey(usize),
    ObeyOne(usize),
    Hear,
    Wait(u64),
}

#[derive(Debug, Clone, Copy)]
struct Kind {
    transport: usize,
    core: bool,
    v6: bool,
    rtcp: usize,
    keys: usize,
    dscp: u8,
}

/// Mostly what can be joined.
const LIKELY_TRANSPORTS: [usize; 14] = [0, 1, 2, 3, 2, 3, 0, 2, 4, 5, 5, 7, 9, 5];

fn kind() -> impl Strategy<Value = Kind> {
    (
        prop::sample::select(&LIKELY_TRANSPORTS[..]),
        any::<bool>(),
        any::<bool>(),
        0..3_usize,
        0..6_usize,
        0..66_u8,
    )
        .prop_map(|(transport, core, v6, rtcp, keys, dscp)| Kind {
            transport,
            core,
            v6,
            rtcp,
            keys,
            dscp,
        })
}

fn step() -> impl Strategy<Value = Step> {
    let distinct = || prop::collection::btree_map(1..4_u16, kind(), 0..4);
    let streams = || {
        (distinct(), prop::bool::weighted(0.05)).prop_map(|(streams, twice)| {
            let mut streams: Vec<(u16, Kind)> = streams.into_iter().collect();
            let again = streams.first().copied().filter(|_| twice);
            streams.extend(again);
            streams
        })
    };
    prop_oneof![
        2 => Just(Step::Create),
        6 => (any::<usize>(), streams()).prop_map(|(context, streams)| Step::Add { context, streams }),
        4 => (any::<usize>(), streams()).prop_map(|(termination, streams)| Step::Modify { termination, streams }),
        8 => (any::<usize>(), any::<usize>(), streams()).prop_map(|(termination, context, streams)| Step::Move { termination, context, streams }),
        2 => any::<usize>().prop_map(Step::Subtract),
        1 => any::<usize>().prop_map(Step::RemoveContext),
        2 => any::<usize>().prop_map(Step::Read),
        1 => (0..8_usize).prop_map(Step::FailOpen),
        1 => (0..4_usize).prop_map(Step::FailReserve),
        3 => any::<usize>().prop_map(Step::Obey),
        3 => any::<usize>().prop_map(Step::ObeyOne),
        2 => Just(Step::Hear),
        1 => (0..3_000_u64).prop_map(Step::Wait),
    ]
}

fn spec_of(kind: Kind) -> StreamSpec {
    // Seldom a key where there can be none.
    let secure = matches!(kind.transport, 2 | 3) || kind.dscp == 1;
    let (local, remote) = match kind.keys {
        _ if !secure => (None, None),
        0 => (Some(KEY_1), None),
        1 => (None, Some(KEY_2)),
        2 => (Some(KEY_1), Some(KEY_2)),
        3 => (Some(KEY_2), None),
        _ => (None, None),
    };
    StreamSpec {
        transport: TRANSPORTS[kind.transport],
        family: Some(if kind.v6 { Family::V6 } else { Family::V4 }),
        rtcp: [RtcpPorts::Pair, RtcpPorts::Mux, RtcpPorts::None][kind.rtcp],
        dscp: Some(kind.dscp),
        mode: [Mode::SendReceive, Mode::SendOnly, Mode::ReceiveOnly][usize::from(kind.dscp % 3)],
        ..keyed(if kind.core { "core" } else { "access" }, local, remote)
    }
}

/// The naive model: which streams each termination has, and which terminations each context.
type Model = BTreeMap<ContextId, BTreeMap<TerminationId, HashSet<u16>>>;

struct Run {
    bench: Bench,
    model: Model,
    awaited: Option<Ticket>,
    done: Option<Ticket>,
}

const WORKERS: usize = 3;

impl Run {
    fn pick_context(&self, at: usize) -> ContextId {
        let all: Vec<ContextId> = self.model.keys().copied().collect();
        pick(&all, at).unwrap_or(ContextId(77_777))
    }

    fn pick_termination(&self, at: usize) -> TerminationId {
        let all: Vec<TerminationId> = self.model.values().flat_map(|found| found.keys().copied()).collect();
        pick(&all, at).unwrap_or(TerminationId(77_777))
    }

    fn home(&self, termination: TerminationId) -> ContextId {
        *self.model.iter().find(|(_, found)| found.contains_key(&termination)).unwrap().0
    }

    fn drop_if_empty(&mut self, context: ContextId) {
        if self.model[&context].is_empty() {
            self.model.remove(&context);
        }
    }

    fn step(&mut self, step: Step) {
        let command = match step {
            Step::Create => Command::CreateContext(ContextAttributes::default()),
            Step::Add { context, streams } => {
                Command::Add { context: self.pick_context(context), streams: specs(&streams) }
            }
            Step::Modify { termination, streams } => {
                Command::Modify { termination: self.pick_termination(termination), streams: specs(&streams) }
            }
            Step::Move { termination, context, streams } => Command::Move {
                termination: self.pick_termination(termination),
                to: self.pick_context(context),
                streams: specs(&streams),
            },
            Step::Subtract(at) => Command::Subtract(self.pick_termination(at)),
            Step::RemoveContext(at) => Command::RemoveContext(self.pick_context(at)),
            Step::Read(at) => Command::ReadStatistics(self.pick_termination(at)),
            Step::FailOpen(after) => {
                self.bench.controller.opener_mut().fail_open_after = Some((after, libc::EMFILE));
                return;
            }
            Step::FailReserve(after) => {
                self.bench.controller.opener_mut().fail_reserve_after = Some(after);
                return;
            }
            Step::Obey(worker) => {
                self.bench.workers[worker % WORKERS].obey_all();
                self.hear();
                return;
            }
            Step::ObeyOne(worker) => {
                self.bench.workers[worker % WORKERS].obey_one();
                return;
            }
            Step::Hear => {
                self.hear();
                return;
            }
            Step::Wait(ms) => {
                let now_ms = self.bench.controller.now_ms + ms;
                self.bench.controller.set_now(now_ms);
                return;
            }
        };
        let before = self.bench.controller.contexts(None, usize::MAX);
        match self.bench.execute(command.clone()) {
            Ok(reply) => self.accept(command, &reply),
            Err(_) => assert_eq!(self.bench.controller.contexts(None, usize::MAX), before, "IQ-4"),
        }
    }

    fn accept(&mut self, command: Command, reply: &Reply) {
        match (command, reply) {
            (Command::CreateContext(_), Reply::Context(id)) => {
                assert!(self.model.insert(*id, BTreeMap::new()).is_none());
                return;
            }
            (Command::Add { context, streams }, Reply::Termination(view, _)) => {
                let ids = streams.iter().map(|(id, _)| id.0).collect();
                let terminations = self.model.get_mut(&context).unwrap();
                assert!(terminations.insert(view.id, ids).is_none());
            }
            (Command::Modify { termination, streams }, Reply::Termination(..)) => {
                let context = self.home(termination);
                let ids = streams.iter().map(|(id, _)| id.0);
                self.model.get_mut(&context).unwrap().get_mut(&termination).unwrap().extend(ids);
            }
            (Command::Move { termination, to, streams }, Reply::Termination(..)) => {
                let from = self.home(termination);
                let mut moved = self.model.get_mut(&from).unwrap().remove(&termination).unwrap();
                moved.extend(streams.iter().map(|(id, _)| id.0));
                self.model.get_mut(&to).unwrap().insert(termination, moved);
                self.drop_if_empty(from);
            }
            (Command::Subtract(termination), Reply::Statistics(_)) => {
                let context = self.home(termination);
                self.model.get_mut(&context).unwrap().remove(&termination);
                self.drop_if_empty(context);
            }
            (Command::RemoveContext(context), Reply::Statistics(_)) => {
                self.model.remove(&context);
            }
            (Command::ReadStatistics(_), Reply::Statistics(_)) => {}
            other => panic!("{other:?}"),
        }
        self.awaited = Some(ticket(reply));
    }

    fn hear(&mut self) {
        for event in self.bench.events() {
            if let Event::Done(ticket) = event {
                assert!(Some(ticket) <= self.awaited, "done before it was asked");
                self.done = Some(ticket);
            }
        }
        if self.awaited == self.done {
            self.check_workers();
        }
    }

    /// All that was ordered has been done: each flow is at the worker of its context, and that reaps from its ports.
    fn check_workers(&self) {
        let registry = &self.bench.controller.registry;
        for termination in registry.terminations().values() {
            let worker = registry.context(termination.context).unwrap().worker;
            for stream in &termination.streams {
                let worker_bench = &self.bench.workers[worker.unwrap()];
                if let Some(flow) = worker_bench.connections.get(&stream.flow) {
                    let port = &self.bench.controller.opener().open[&flow.plan.port.handle.0];
                    assert!(port.is_stream && port.worker == worker);
                    assert_eq!(flow.plan.mode, stream.asked.mode);
                    continue;
                }
                let plan = &worker_bench.flows[&stream.flow].plan;
                for binding in plan.ports.into_iter().flatten() {
                    let port = &self.bench.controller.opener().open[&binding.handle.0];
                    assert_eq!((port.worker, port.reserved.as_slice()), (worker, [].as_slice()));
                }
                assert_eq!(plan.mode, stream.asked.mode);
                assert_eq!(plan.inbound.is_some(), stream.keys.inbound.is_some());
                assert_eq!(plan.outbound.is_some(), stream.keys.outbound.is_some());
            }
        }
        assert!(self.bench.controller.passages.is_empty());
        let streams = registry.terminations().values().map(|found| found.streams.len()).sum::<usize>();
        let running = self
            .bench
            .workers
            .iter()
            .map(|worker| worker.flows.len() + worker.connections.len() - worker.lingering.len())
            .sum::<usize>();
        assert_eq!(running, streams);
    }

    fn check(&self) {
        let contexts = self.bench.controller.contexts(None, usize::MAX);
        let seen: Model = contexts
            .iter()
            .map(|context| {
                let terminations = context.terminations.iter().map(|termination| {
                    let streams = termination.streams.iter().map(|stream| stream.local.stream.0);
                    (termination.id, streams.collect())
                });
                (context.id, terminations.collect())
            })
            .collect();
        assert_eq!(seen, self.model);
        let counts = self.bench.controller.counts();
        assert_eq!(counts.open_ports, self.bench.controller.opener().open.len());
        let in_use: u64 = self.bench.controller.realm_ports().iter().map(|realm| realm.in_use).sum();
        assert_eq!(in_use, counts.open_ports as u64);
        let streams: usize = counts.streams.iter().map(|(_, count)| count).sum();
        let modelled = self.model.values().flat_map(|found| found.values()).map(HashSet::len).sum::<usize>();
        assert_eq!(streams, modelled);
    }
}

/// One of all; seldom one that does not exist.
fn pick<T: Copy>(all: &[T], at: usize) -> Option<T> {
    let unknown = at.is_multiple_of(16) || all.is_empty();
    (!unknown).then(|| all[at / 16 % all.len()])
}

fn specs(streams: &[(u16, Kind)]) -> Vec<(StreamId, StreamSpec)> {
    streams.iter().map(|(id, kind)| (StreamId(*id), spec_of(*kind))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_commanded_the_controller_agrees_with_a_naive_model(steps in prop::collection::vec(step(), 1..120)) {
        let bench = Bench::with_rings(WORKERS, 64, |config| {
            config.realms[0] = realm("access", Leg::Access, &["127.0.0.1", "::1"], (10_000, 10_019));
        });
        let mut run = Run { bench, model: Model::new(), awaited: None, done: None };
        // Something to begin with, on every worker.
        let kind = Kind { transport: 2, core: false, v6: false, rtcp: 1, keys: 0, dscp: 0 };
        for context in 0..2 * WORKERS {
            run.step(Step::Create);
            run.step(Step::Add { context: 16 * context + 1, streams: vec![(1, Kind { core: context % 2 == 1, ..kind })] });
        }
        for step in steps {
            run.step(step);
            run.check();
        }
        run.bench.controller.opener_mut().fail_open_after = None;
        run.hear();
        run.bench.turn();
        run.check_workers();
        for context in run.model.keys().copied().collect::<Vec<_>>() {
            run.bench.execute(Command::RemoveContext(context)).unwrap();
            run.bench.turn();
        }
        run.bench.assert_nothing_left();
    }
}
