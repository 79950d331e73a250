//! A gateway with one worker, and calls over it with both their ends.

use agw_core::command::{Command, Event, Gateway, Notice, Observation, Refusal, Reply, Ticket};
use agw_core::controller::{Controller, ControllerConfig, rings};
use agw_core::io::sim::{SimIo, SimNet, SimPorts, StreamHost, StreamPeer};
use agw_core::model::*;
use agw_core::ports::{LocalAddress, RealmConfig};
use agw_core::worker::Worker;
use agw_core::worker::stats::{ConnectionEvent, Counter, WorkerCounters};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const TCP: Transport = Transport::Tcp { tls: false, application: Application::Opaque };
pub(crate) const MSRP: Transport = Transport::Tcp { tls: false, application: Application::Msrp };
pub(crate) const BFCP: Transport = Transport::Tcp { tls: false, application: Application::Bfcp };

pub(crate) struct Rig {
    pub(crate) net: SimNet,
    pub(crate) controller: Controller<SimPorts>,
    worker: Worker<SimIo>,
    counters: Arc<WorkerCounters>,
    notices: Vec<Notice>,
    statistics: Vec<(TerminationId, StreamStatistics)>,
    done: Option<Ticket>,
    next_host: u16,
}

/// One side of a call: the termination, our address there, and the far host.
pub(crate) struct Side {
    pub(crate) id: TerminationId,
    pub(crate) local: SocketAddr,
    pub(crate) host: StreamHost,
    pub(crate) spec: StreamSpec,
    pub(crate) path: Option<Box<str>>,
    pub(crate) fingerprints: Vec<Fingerprint>,
}

pub(crate) struct Call {
    pub(crate) context: ContextId,
    pub(crate) ue: Side,
    pub(crate) core: Side,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut ControllerConfig)) -> Self {
        let net = SimNet::new(7);
        let realm = |name: &str, leg, bind: [u8; 4], first| RealmConfig {
            name: RealmName::new(name).unwrap(),
            leg,
            default: false,
            addresses: vec![LocalAddress { bind: IpAddr::from(bind), advertise: None }],
            ports: PortRange::new(first, first + 999).unwrap(),
            dscp: 0,
        };
        let mut config = ControllerConfig::new(vec![
            realm("access", Leg::Access, [192, 0, 2, 1], 10_000),
            realm("core", Leg::Core, [192, 0, 2, 2], 20_000),
        ]);
        change(&mut config);
        let (link, ends) = rings(256);
        let controller = Controller::new(config, net.ports(), vec![link]).unwrap();
        let worker = Worker::new(net.io(0), &controller.worker_setup(0), ends.orders, ends.answers);
        let counters = worker.counters();
        let (notices, statistics) = (Vec::new(), Vec::new());
        Self { net, controller, worker, counters, notices, statistics, done: None, next_host: 1000 }
    }

    /// A millisecond passes, and all do what they have to.
    pub(crate) fn turn(&mut self) {
        self.net.advance(Duration::from_millis(1));
        self.worker.turn(Duration::ZERO).unwrap();
        self.controller.set_now(self.net.now().as_millis());
        while let Some(event) = self.controller.poll_event() {
            match event {
                Event::Notice(notice) => self.notices.push(notice),
                Event::Done(ticket) => self.done = Some(ticket),
                Event::Statistics { termination, statistics, .. } => {
                    self.statistics.push((termination, statistics));
                }
            }
        }
    }

    /// Enough time for all that is under way to arrive.
    pub(crate) fn settle(&mut self) {
        (0..20).for_each(|_| self.turn());
    }

    /// Lets time pass, in steps that a worker would take.
    pub(crate) fn pass(&mut self, time: Duration) {
        for _ in 0..time.as_millis() / 50 {
            self.net.advance(Duration::from_millis(49));
            self.turn();
        }
    }

    pub(crate) fn try_command(&mut self, command: Command) -> Result<Reply, Refusal> {
        let reply = self.controller.execute(command)?;
        let (Reply::Termination(_, ticket) | Reply::Statistics(ticket) | Reply::Accepted(ticket)) = reply
        else {
            return Ok(reply);
        };
        for _ in 0..50 {
            self.turn();
            if self.done >= Some(ticket) {
                return Ok(reply);
            }
        }
        panic!("{ticket:?} is never done");
    }

    pub(crate) fn command(&mut self, command: Command) -> Reply {
        self.try_command(command).unwrap()
    }

    pub(crate) fn context(&mut self) -> ContextId {
        let Reply::Context(id) = self.command(Command::CreateContext(ContextAttributes::default())) else {
            panic!()
        };
        id
    }

    pub(crate) fn host(&mut self, low: u8) -> StreamHost {
        self.next_host += 1;
        self.net.stream_host(SocketAddr::from(([198, 51, 100, low], self.next_host)))
    }

    /// Adds a side whose remote is a host of its own.
    pub(crate) fn add(
        &mut self,
        context: ContextId,
        realm: &str,
        transport: Transport,
        tcp: TcpSpec,
    ) -> Side {
        self.add_with(context, realm, transport, tcp, None)
    }

    /// Adds a side with TLS.
    pub(crate) fn add_tls(
        &mut self,
        context: ContextId,
        realm: &str,
        transport: Transport,
        tcp: TcpSpec,
        tls: TlsSpec,
    ) -> Side {
        self.add_with(context, realm, transport, tcp, Some(Box::new(tls)))
    }

    fn add_with(
        &mut self,
        context: ContextId,
        realm: &str,
        transport: Transport,
        tcp: TcpSpec,
        tls: Option<Box<TlsSpec>>,
    ) -> Side {
        let host = self.host(if realm == "access" { 11 } else { 12 });
        let spec = StreamSpec {
            realm: RealmName::new(realm),
            mode: Mode::SendReceive,
            remote: Some(Remote { rtp: host.address(), rtcp: None }),
            tcp: Some(Box::new(tcp)),
            tls,
            ..StreamSpec::new(transport)
        };
        let streams = vec![(StreamId(1), spec.clone())];
        let Reply::Termination(view, _) = self.command(Command::Add { context, streams }) else { panic!() };
        let local = &view.streams[0];
        Side {
            id: view.id,
            local: local.rtp,
            host,
            spec,
            path: local.msrp_path.clone(),
            fingerprints: local.fingerprints.clone(),
        }
    }

    pub(crate) fn call(&mut self, ue: TcpSpec, core: TcpSpec) -> Call {
        self.call_of(TCP, ue, core)
    }

    pub(crate) fn call_of(&mut self, transport: Transport, ue: TcpSpec, core: TcpSpec) -> Call {
        let context = self.context();
        let ue = self.add(context, "access", transport, ue);
        let core = self.add(context, "core", transport, core);
        Call { context, ue, core }
    }

    pub(crate) fn modify(&mut self, side: &mut Side, change: impl FnOnce(&mut StreamSpec)) {
        change(&mut side.spec);
        let streams = vec![(StreamId(1), side.spec.clone())];
        self.command(Command::Modify { termination: side.id, streams });
        if let Some(tcp) = &mut side.spec.tcp {
            tcp.establish = false;
        }
    }

    /// Tells a side to connect.
    pub(crate) fn establish(&mut self, side: &mut Side) {
        self.modify(side, |spec| spec.tcp.as_mut().unwrap().establish = true);
    }

    /// A stateless call that is up: the peer that connected, and the one that was connected to.
    pub(crate) fn up(&mut self, call: &Call) -> (StreamPeer, StreamPeer) {
        call.core.host.listen();
        let ue = call.ue.host.connect(call.ue.local).unwrap();
        self.settle();
        let core = call.core.host.accept().expect("it was connected to");
        (ue, core)
    }

    /// What was noticed since the last call.
    pub(crate) fn take_notices(&mut self) -> Vec<(TerminationId, Observation)> {
        self.settle();
        self.notices.drain(..).map(|notice| (notice.termination, notice.what)).collect()
    }

    pub(crate) fn subtract(&mut self, id: TerminationId) -> StreamStatistics {
        self.command(Command::Subtract(id));
        self.statistics.iter().rev().find(|(termination, _)| *termination == id).expect("counters").1
    }

    pub(crate) fn count(&self, leg: Leg, event: ConnectionEvent) -> u64 {
        self.counted(Counter::Connections(leg, event))
    }

    pub(crate) fn counted(&self, counter: Counter) -> u64 {
        self.counters.get(counter)
    }

    /// Nothing is left of anything, anywhere.
    pub(crate) fn check_empty(&mut self) {
        self.pass(Duration::from_secs(3));
        assert_eq!(self.net.open_stream_ports(), 0, "open ports");
        assert_eq!(self.net.gateway_connections(), 0, "connections");
        assert_eq!(self.controller.flows_by_worker(), [0], "flows");
        assert_eq!(self.counters.get(Counter::TcpFlows), 0);
    }
}

pub(crate) fn role(setup: TcpSetup) -> TcpSpec {
    TcpSpec { setup, ..TcpSpec::default() }
}

/// Everything that has come, up to now. The second: how it ended, if it did.
pub(crate) fn read(peer: &StreamPeer) -> (Vec<u8>, Option<io::Result<()>>) {
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match peer.receive(&mut buffer) {
            Ok(0) => return (all, Some(Ok(()))),
            Ok(n) => all.extend(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return (all, None),
            Err(error) => return (all, Some(Err(error))),
        }
    }
}

pub(crate) fn was_reset(peer: &StreamPeer) -> bool {
    matches!(read(peer).1, Some(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset)
}

pub(crate) const UP: Observation = Observation::Connection(Bearer::Established);
pub(crate) const RELEASED: Observation = Observation::Connection(Bearer::Released);

pub(crate) const fn failed(failure: BearerFailure) -> Observation {
    Observation::Connection(Bearer::Failed(failure))
}
