//! A gateway on the pretend network: the real controller and workers, few ports, a clock that is turned by hand.
//!
//! Whatever a target does with it, the ground itself watches over what must always hold: a refused command has changed nothing (IQ-4),
//! the workers' sums balance after every turn, and when everything was removed nothing is left.

use agw_core::command::{Command, Event, Gateway, Refusal, Reply};
use agw_core::controller::{ContextView, Controller, ControllerConfig, Counts, rings};
use agw_core::io::sim::{SimIo, SimNet, SimPorts};
use agw_core::model::{Leg, PortRange, RealmName};
use agw_core::ports::{LocalAddress, RealmConfig};
use agw_core::worker::Worker;
use agw_core::worker::stats::{Counter, WorkerCounters};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Contexts at a time: few, so that the limit is met.
pub const MAX_CONTEXTS: usize = 8;
/// Streams of one termination.
pub const MAX_STREAMS: usize = 3;
/// Our addresses and first ports, by realm.
const REALMS: [(&str, Leg, &[&str], u16); 2] = [
    ("access", Leg::Access, &["192.0.2.1"], ACCESS_PORT),
    ("core", Leg::Core, &["192.0.2.2", "2001:db8::2"], CORE_PORT),
];
/// The first port of the access realm.
pub const ACCESS_PORT: u16 = 10_000;
/// The first port of the core realm.
pub const CORE_PORT: u16 = 20_000;
/// Ports of each address.
pub const PORTS: u16 = 32;
/// Longer than a worker needs to obey all that the rings hold.
const TURNS_TO_QUIET: usize = 64;

/// The gateway with its surroundings.
#[derive(Debug)]
pub struct Ground {
    /// The network around it.
    pub net: SimNet,
    /// The control half.
    pub controller: Controller<SimPorts>,
    workers: Vec<Worker<SimIo>>,
    /// What the workers count.
    pub counters: Vec<Arc<WorkerCounters>>,
}

/// Everything that a refused command must leave as it was.
#[derive(Debug, PartialEq)]
pub struct Snapshot {
    contexts: Vec<ContextView>,
    counts: Counts,
    ports_in_use: Vec<u64>,
    open_ports: usize,
    flows: Vec<usize>,
}

impl Ground {
    /// A gateway without contexts, with so many workers and so many orders in each one's ring.
    pub fn new(workers: usize, orders: usize) -> Self {
        let net = SimNet::new(1);
        let mut config = ControllerConfig::new(REALMS.iter().map(realm).collect());
        config.limits.contexts = MAX_CONTEXTS;
        config.limits.streams_per_termination = MAX_STREAMS;
        let (links, ends): (Vec<_>, Vec<_>) = (0..workers).map(|_| rings(orders)).unzip();
        let controller = Controller::new(config, net.ports(), links).expect("a sound configuration");
        let workers: Vec<_> = ends
            .into_iter()
            .enumerate()
            .map(|(n, link)| Worker::new(net.io(n), &controller.worker_setup(n), link.orders, link.answers))
            .collect();
        let counters = workers.iter().map(Worker::counters).collect();
        Self { net, controller, workers, counters }
    }

    /// Lets time pass for everybody.
    pub fn advance(&mut self, time: Duration) {
        self.net.advance(time);
        self.controller.set_now(self.net.now().as_millis());
        if self.controller.next_timeout().is_some_and(|due_ms| due_ms <= self.net.now().as_millis()) {
            self.controller.handle_timeout(self.net.now().as_millis());
        }
    }

    /// Each worker takes a turn.
    pub fn turn(&mut self) {
        for (worker, counters) in self.workers.iter_mut().zip(&self.counters) {
            worker.turn(Duration::ZERO).expect("the pretend network never breaks");
            assert_eq!(counters.imbalance(), 0, "received = sent - originated + consumed + dropped");
        }
    }

    /// The next thing that the controller has to say.
    pub fn event(&mut self) -> Option<Event> {
        self.controller.poll_event()
    }

    /// Everything as it is.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            contexts: self.controller.contexts(None, usize::MAX),
            // A certificate that was made for a command that is refused is kept for the next one.
            counts: Counts {
                foreign_ports: 0,
                unconfirmed_orders: 0,
                certificates_ready: 0,
                certificates_late: 0,
                ..self.controller.counts()
            },
            ports_in_use: self.controller.realm_ports().iter().map(|realm| realm.in_use).collect(),
            open_ports: self.net.open_ports(),
            flows: self.controller.flows_by_worker(),
        }
    }

    /// The sum of one counter over all workers.
    pub fn count(&self, counter: Counter) -> u64 {
        self.counters.iter().map(|counters| counters.get(counter)).sum()
    }

    /// Removes every context and makes sure that nothing is left of any.
    pub fn finish(mut self) {
        for _ in 0..TURNS_TO_QUIET {
            for context in self.controller.contexts(None, usize::MAX) {
                // A worker's queue may be full; then the next round has room.
                let removed = self.execute(Command::RemoveContext(context.id));
                let refused = removed.err();
                assert!(
                    matches!(refused, None | Some(Refusal::OutOfResources("worker queue"))),
                    "{refused:?}"
                );
            }
            self.advance(Duration::from_millis(1));
            self.turn();
            while self.event().is_some() {}
        }
        let counts = self.controller.counts();
        assert_eq!((counts.contexts, counts.terminations, counts.open_ports), (0, [0, 0], 0));
        assert!(counts.streams.iter().all(|(_, count)| *count == 0), "{counts:?}");
        assert_eq!((counts.unconfirmed_orders, self.net.open_ports()), (0, 0));
        assert!(self.controller.empty_contexts(1).is_empty());
        assert!(self.controller.flows_by_worker().iter().all(|flows| *flows == 0));
        assert_eq!(self.count(Counter::Flows), 0, "a worker's table is not empty");
        self.advance(Duration::from_secs(60));
        for realm in self.controller.realm_ports() {
            assert_eq!((realm.in_use, realm.resting), (0, 0), "ports of {}", realm.name);
        }
    }
}

impl Gateway for Ground {
    fn execute(&mut self, command: Command) -> Result<Reply, Refusal> {
        let before = self.snapshot();
        let result = self.controller.execute(command);
        if let Err(refusal) = &result {
            assert_eq!(self.snapshot(), before, "a command was refused ({refusal}) and changed something");
        }
        result
    }
}

fn realm(&(name, leg, addresses, first): &(&str, Leg, &[&str], u16)) -> RealmConfig {
    let address =
        |bind: &&str| LocalAddress { bind: bind.parse::<IpAddr>().expect("an address"), advertise: None };
    RealmConfig {
        name: RealmName::new(name).expect("a name"),
        leg,
        default: leg == Leg::Access,
        addresses: addresses.iter().map(address).collect(),
        ports: PortRange::new(first, first + PORTS - 1).expect("a range"),
        dscp: 0,
    }
}
