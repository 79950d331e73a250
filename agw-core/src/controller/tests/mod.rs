//! The controller beside pretend workers and an opener that notes everything and fails when told to.

mod churn;
mod commands;
mod faults;
mod fixed;
mod moving;

mod random;
mod reserve;
mod secure;

use super::*;
use crate::command::order::{Answer, FlowId, FlowPlan, Numbered, Order, PortKey};
use crate::command::{Command, Event, Gateway, Refusal, Reply, Ticket};
use crate::flow::Flow;
use crate::flow::tcp::TcpFlow;
use crate::io::stream::StreamOpener;
use crate::io::{PortHandle, PortOptions};
use crate::model::*;
use crate::ports::{LocalAddress, RealmConfig, RealmPorts};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::net::SocketAddr;

pub(super) const AVP: Transport = Transport::Rtp { secure: false, feedback: false };
pub(super) const SAVP: Transport = Transport::Rtp { secure: true, feedback: false };
pub(super) const KEY_1: &str = "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
pub(super) const KEY_2: &str = "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

pub(super) fn key(text: &str) -> CryptoAttribute {
    CryptoAttribute::parse(text).unwrap()
}

/// An open port as the opener knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OpenPort {
    /// Who reaps from it; nobody while it changes hands.
    pub(super) worker: Option<usize>,
    /// Who may be admitted to it.
    pub(super) reserved: Vec<usize>,
    pub(super) key: PortKey,
    pub(super) local: SocketAddr,
    pub(super) dscp: u8,
    pub(super) reads_dscp: bool,
    /// For connections.
    pub(super) is_stream: bool,
}

/// Notes what is open; fails when told to.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    pub(super) open: BTreeMap<u32, OpenPort>,
    pub(super) last_handle: u32,
    pub(super) foreign: HashSet<u16>,
    /// So many opens succeed before one fails with this error number.
    pub(super) fail_open_after: Option<(usize, i32)>,
    /// So many tunings succeed before one fails.
    pub(super) fail_tune_after: Option<usize>,
    /// So many reservations succeed before one fails.
    pub(super) fail_reserve_after: Option<usize>,
    pub(super) wakes: Vec<usize>,
}

fn due<T: Copy>(countdown: &mut Option<T>, left: impl Fn(&mut T) -> &mut usize) -> Option<T> {
    let counted = countdown.as_mut()?;
    match left(counted) {
        0 => countdown.take(),
        more => {
            *more -= 1;
            None
        }
    }
}

impl PortOpener for Recorder {
    fn open(
        &mut self,
        worker: usize,
        key: PortKey,
        local: SocketAddr,
        options: PortOptions,
    ) -> io::Result<PortHandle> {
        self.open_port(worker, key, local, options, false)
    }

    fn tune(&mut self, port: PortHandle, options: PortOptions) -> io::Result<()> {
        if due(&mut self.fail_tune_after, |left| left).is_some() {
            return Err(io::Error::from_raw_os_error(libc::EPERM));
        }
        let port = self.open.get_mut(&port.0).expect("an open port");
        assert!(!port.is_stream);
        port.dscp = options.dscp;
        Ok(())
    }

    fn read_dscp(&mut self, port: PortHandle, on: bool) {
        let port = self.open.get_mut(&port.0).expect("an open port");
        assert_ne!(port.reads_dscp, on, "said twice");
        port.reads_dscp = on;
    }

    fn reserve(&mut self, worker: usize, port: PortHandle) -> io::Result<()> {
        if due(&mut self.fail_reserve_after, |left| left).is_some() {
            return Err(io::Error::from_raw_os_error(libc::ENOMEM));
        }
        let port = self.open.get_mut(&port.0).expect("an open port");
        assert!(port.worker != Some(worker) && !port.reserved.contains(&worker), "it has it already");
        port.reserved.push(worker);
        Ok(())
    }

    fn withdraw(&mut self, worker: usize, port: PortHandle) {
        let port = self.open.get_mut(&port.0).expect("an open port");
        match port.reserved.iter().position(|reserved| *reserved == worker) {
            Some(at) => drop(port.reserved.remove(at)),
            None => assert_eq!(port.worker.take(), Some(worker), "it reaps from it"),
        }
    }

    fn admit(&mut self, worker: usize, port: PortHandle) {
        let port = self.open.get_mut(&port.0).expect("an open port");
        assert_eq!((port.worker, std::mem::take(&mut port.reserved)), (None, vec![worker]));
        port.worker = Some(worker);
    }

    fn close(&mut self, worker: usize, port: PortHandle) {
        let closed = self.open.remove(&port.0).expect("a port that is open, once");
        assert!(!closed.is_stream);
        assert!(closed.worker == Some(worker) || closed.reserved == [worker], "{closed:?} by {worker}");
    }

    fn wake(&mut self, worker: usize) {
        self.wakes.push(worker);
    }
}

impl StreamOpener for Recorder {
    fn open_stream(
        &mut self,
        worker: usize,
        key: PortKey,
        local: SocketAddr,
        options: PortOptions,
    ) -> io::Result<PortHandle> {
        self.open_port(worker, key, local, options, true)
    }

    fn close_stream(&mut self, worker: usize, port: PortHandle) {
        let closed = self.open.remove(&port.0).expect("a port that is open, once");
        assert!(closed.is_stream && closed.worker == Some(worker), "{closed:?} by {worker}");
    }
}

impl Recorder {
    fn open_port(
        &mut self,
        worker: usize,
        key: PortKey,
        local: SocketAddr,
        options: PortOptions,
        is_stream: bool,
    ) -> io::Result<PortHandle> {
        if let Some((_, number)) = due(&mut self.fail_open_after, |(left, _)| left) {
            return Err(io::Error::from_raw_os_error(number));
        }
        if self.foreign.contains(&local.port()) {
            return Err(io::Error::from_raw_os_error(libc::EADDRINUSE));
        }
        assert!(self.open.values().all(|port| port.local != local), "{local} is opened twice");
        self.last_handle += 1;
        self.open.insert(
            self.last_handle,
            OpenPort {
                worker: Some(worker),
                reserved: Vec::new(),
                key,
                local,
                dscp: options.dscp,
                reads_dscp: false,
                is_stream,
            },
        );
        Ok(PortHandle(self.last_handle))
    }
}

/// Obeys orders as a worker does, and keeps to what a worker may expect.
#[derive(Debug)]
pub(super) struct PretendWorker {
    pub(super) link: ControllerLink,
    pub(super) flows: HashMap<FlowId, Box<Flow>>,
    pub(super) connections: HashMap<FlowId, Box<TcpFlow>>,
    /// Removed, and not at their end.
    pub(super) lingering: Vec<FlowId>,
    pub(super) installed: u64,
    pub(super) changed: u64,
}

impl PretendWorker {
    pub(super) fn obey_all(&mut self) {
        while self.obey_one() {}
        for id in std::mem::take(&mut self.lingering) {
            let remains = self.connections.remove(&id).expect("a connection");
            self.link.answers.push(Answer::Gone(id, remains)).expect("there is room for what is not asked");
        }
        for (id, flow) in &self.connections {
            if let Some(peer) = flow.plan.peer {
                assert_eq!(
                    self.connections[&peer].plan.peer,
                    Some(*id),
                    "what is joined is joined both ways"
                );
            }
        }
        for (id, flow) in &self.flows {
            if let Some(peer) = flow.plan.peer {
                assert_eq!(self.flows[&peer].plan.peer, Some(*id), "what is joined is joined both ways");
            }
        }
    }

    pub(super) fn obey_one(&mut self) -> bool {
        let Ok(Numbered { ticket, order }) = self.link.orders.pop() else { return false };
        let answer = match order {
            Order::Install(id, flow) => {
                self.installed += 1;
                let peer_is_there = flow.plan.peer.is_none_or(|peer| self.flows.contains_key(&peer));
                assert!(peer_is_there, "nobody comes to face a flow that is not there");
                assert!(self.flows.insert(id, flow).is_none(), "the place was not free");
                Answer::Done(ticket, None)
            }
            Order::Change(id, mut plan) => {
                self.changed += 1;
                let peer_is_there = plan.peer.is_none_or(|peer| self.flows.contains_key(&peer));
                assert!(peer_is_there, "nobody is told of a flow that is not there yet, or not any more");
                let running = &mut self.flows.get_mut(&id).expect("a flow that runs").plan;
                std::mem::swap(running, &mut plan);
                assert_eq!(running.ports, plan.ports, "ports never change");
                keep(&mut running.inbound, plan.inbound.take());
                keep(&mut running.outbound, plan.outbound.take());
                Answer::Done(ticket, Some(plan))
            }
            Order::InstallTcp(id, flow) => {
                self.installed += 1;
                let peer_is_there = flow.plan.peer.is_none_or(|peer| self.connections.contains_key(&peer));
                assert!(peer_is_there && !self.flows.contains_key(&id));
                assert!(self.connections.insert(id, flow).is_none(), "the place was not free");
                Answer::Done(ticket, None)
            }
            Order::ChangeTcp(id, mut plan) => {
                self.changed += 1;
                let peer_is_there = plan.peer.is_none_or(|peer| self.connections.contains_key(&peer));
                assert!(peer_is_there, "nobody is told of a flow that is not there yet, or not any more");
                let running = &mut self.connections.get_mut(&id).expect("a flow that runs").plan;
                std::mem::swap(running, &mut plan);
                assert_eq!(running.port, plan.port, "ports never change");
                Answer::ChangedTcp(ticket, plan)
            }
            Order::Remove(id) if self.connections.contains_key(&id) => {
                assert!(!self.lingering.contains(&id), "removed once");
                self.lingering.push(id);
                self.connections.get_mut(&id).expect("a flow that runs").plan.peer = None;
                Answer::Statistics(ticket, id, StreamStatistics::default())
            }
            Order::Remove(id) => {
                let remains = self.flows.remove(&id).expect("a flow that runs");
                Answer::Removed { ticket, flow: id, statistics: StreamStatistics::default(), remains }
            }
            Order::Release(id) => {
                let moving = self.flows.remove(&id).expect("a flow that runs");
                Answer::Released { ticket, flow: id, statistics: StreamStatistics::default(), moving }
            }
            Order::Read(id) => {
                assert!(self.flows.contains_key(&id) || self.connections.contains_key(&id));
                Answer::Statistics(ticket, id, StreamStatistics { packets_sent: 7, ..Default::default() })
            }
        };
        self.link.answers.push(answer).expect("the controller left room for the answer");
        true
    }
}

fn keep<T>(new: &mut Option<T>, old: Option<T>) {
    assert!(new.is_none() || old.is_none(), "a session is never replaced (SRTP-9)");
    if new.is_none() {
        *new = old;
    }
}

/// A controller with its surroundings.
#[derive(Debug)]
pub(super) struct Bench {
    pub(super) controller: Controller<Recorder>,
    pub(super) workers: Vec<PretendWorker>,
}

/// Everything that a refused command must leave as it was.
#[derive(Debug, PartialEq)]
pub(super) struct Snapshot {
    contexts: Vec<ContextView>,
    counts: Counts,
    in_use: Vec<u64>,
    open: Vec<OpenPort>,
    flows: Vec<usize>,
    plans: Vec<String>,
}

impl Bench {
    pub(super) fn new(workers: usize) -> Self {
        Self::with(workers, |_| {})
    }

    pub(super) fn with(workers: usize, change: impl FnOnce(&mut ControllerConfig)) -> Self {
        Self::with_rings(workers, 256, change)
    }

    pub(super) fn with_rings(
        workers: usize,
        orders: usize,
        change: impl FnOnce(&mut ControllerConfig),
    ) -> Self {
        let mut config = ControllerConfig::new(vec![
            realm("access", Leg::Access, &["127.0.0.1", "::1"], (10_000, 10_999)),
            realm("core", Leg::Core, &["127.0.0.1", "::1"], (20_000, 20_999)),
        ]);
        config.realms[0].default = true;
        change(&mut config);
        let (links, ends): (Vec<WorkerLink>, Vec<ControllerLink>) =
            (0..workers).map(|_| rings(orders)).unzip();
        let controller = Controller::new(config, Recorder::default(), links).unwrap();
        let pretend = |link| PretendWorker {
            link,
            flows: HashMap::new(),
            connections: HashMap::new(),
            lingering: Vec::new(),
            installed: 0,
            changed: 0,
        };
        Self { controller, workers: ends.into_iter().map(pretend).collect() }
    }

    pub(super) fn execute(&mut self, command: Command) -> Result<Reply, Refusal> {
        self.controller.execute(command)
    }

    pub(super) fn context(&mut self) -> ContextId {
        match self.execute(Command::CreateContext(ContextAttributes::default())).unwrap() {
            Reply::Context(id) => id,
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn try_add(
        &mut self,
        context: ContextId,
        streams: Vec<(StreamId, StreamSpec)>,
    ) -> Result<TerminationView, Refusal> {
        self.execute(Command::Add { context, streams }).map(view)
    }

    /// Adds a termination with one stream, number 1.
    pub(super) fn add(&mut self, context: ContextId, spec: StreamSpec) -> TerminationView {
        self.try_add(context, vec![(StreamId(1), spec)]).unwrap()
    }

    pub(super) fn modify(
        &mut self,
        termination: TerminationId,
        spec: StreamSpec,
    ) -> Result<TerminationView, Refusal> {
        self.execute(Command::Modify { termination, streams: vec![(StreamId(1), spec)] }).map(view)
    }

    /// Lets the workers obey and drains what comes of it, until nothing more is ordered.
    pub(super) fn turn(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for _ in 0..8 {
            self.workers.iter_mut().for_each(PretendWorker::obey_all);
            events.extend(self.events());
            if self.workers.iter().all(|worker| worker.link.orders.is_empty()) {
                return events;
            }
        }
        panic!("orders without end");
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.controller.poll_event()).collect()
    }

    /// The plan that the worker runs a stream by.
    pub(super) fn plan(&mut self, termination: TerminationId) -> &FlowPlan {
        self.turn();
        let stream = &self.controller.registry.termination(termination).unwrap().streams[0];
        let context = self.controller.context_of(termination).unwrap();
        let worker = self.controller.context(context).unwrap().worker.unwrap();
        &self.workers[worker].flows[&stream.flow].plan
    }

    /// The whole state once the workers have obeyed.
    pub(super) fn snapshot(&mut self) -> Snapshot {
        self.turn();
        let counts = Counts { foreign_ports: 0, ..self.controller.counts() };
        let mut plans: Vec<String> = self
            .workers
            .iter()
            .flat_map(|worker| worker.flows.iter().map(|(id, flow)| format!("{id:?} {:?}", flow.plan)))
            .collect();
        plans.extend(self.workers.iter().flat_map(|worker| {
            worker.connections.iter().map(|(id, flow)| format!("{id:?} {:?}", flow.plan))
        }));
        plans.sort();
        Snapshot {
            contexts: self.controller.contexts(None, usize::MAX),
            counts,
            in_use: self.controller.realm_ports().iter().map(|realm| realm.in_use).collect(),
            open: self.controller.opener().open.values().cloned().collect(),
            flows: self.controller.flows_by_worker(),
            plans,
        }
    }

    /// Asserts that nothing is left anywhere once everything was removed and the ports have rested.
    pub(super) fn assert_nothing_left(&mut self) {
        self.turn();
        let now_ms = self.controller.now_ms + 60_000;
        self.controller.handle_timeout(now_ms);
        let counts = self.controller.counts();
        assert_eq!((counts.contexts, counts.terminations, counts.open_ports), (0, [0, 0], 0));
        assert!(counts.streams.iter().all(|(_, count)| *count == 0), "{counts:?}");
        assert_eq!(counts.unconfirmed_orders, 0);
        for RealmPorts { name, in_use, resting, .. } in self.controller.realm_ports() {
            assert_eq!((in_use, resting), (0, 0), "ports of {name}");
        }
        assert!(self.controller.opener().open.is_empty());
        assert!(self.controller.flows_by_worker().iter().all(|flows| *flows == 0));
        assert!(self.controller.registry.terminations().is_empty());
        assert!(self.controller.registry.empty_contexts().is_empty());
        assert!(self.workers.iter().all(|worker| worker.flows.is_empty() && worker.connections.is_empty()));
        assert!(self.controller.passages.is_empty());
        assert!(self.controller.outstanding_by_worker().iter().all(|orders| *orders == 0));
    }
}

pub(super) fn realm(name: &str, leg: Leg, addresses: &[&str], ports: (u16, u16)) -> RealmConfig {
    RealmConfig {
        name: RealmName::new(name).unwrap(),
        leg,
        default: false,
        addresses: addresses
            .iter()
            .map(|bind| LocalAddress { bind: bind.parse().unwrap(), advertise: None })
            .collect(),
        ports: PortRange::new(ports.0, ports.1).unwrap(),
        dscp: 0,
    }
}

pub(super) fn view(reply: Reply) -> TerminationView {
    match reply {
        Reply::Termination(view, _) => view,
        other => panic!("{other:?}"),
    }
}

pub(super) fn ticket(reply: &Reply) -> Ticket {
    match reply {
        Reply::Termination(_, ticket) | Reply::Statistics(ticket) | Reply::Accepted(ticket) => *ticket,
        Reply::Context(_) => panic!("{reply:?}"),
    }
}

/// A stream in a realm, sending and receiving.
pub(super) fn spec(realm: &str, transport: Transport) -> StreamSpec {
    StreamSpec { realm: RealmName::new(realm), mode: Mode::SendReceive, ..StreamSpec::new(transport) }
}

pub(super) fn keyed(realm: &str, local: Option<&str>, remote: Option<&str>) -> StreamSpec {
    let security = Security { local: local.map(key), remote: remote.map(key) };
    StreamSpec { security, ..spec(realm, SAVP) }
}

pub(super) fn remote(rtp: &str) -> Option<Remote> {
    Some(Remote { rtp: rtp.parse().unwrap(), rtcp: None })
}
