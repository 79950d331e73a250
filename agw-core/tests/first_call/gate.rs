//! A whole gateway on some ground, and calls over it with both their ends.

use super::ground::{Ground, Host};
use agw_core::command::{Command, Event, Gateway, Refusal, Reply, Ticket};
use agw_core::controller::{Controller, ControllerConfig, rings};
use agw_core::model::*;
use agw_core::ports::{LocalAddress, RealmConfig};
use agw_core::worker::Worker;
use agw_core::worker::stats::{Counter, DropReason, WorkerCounters};
use agw_srtp::{InboundSession, OutboundSession, Policy};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const AVP: Transport = Transport::Rtp { secure: false, feedback: false };
pub(crate) const SAVP: Transport = Transport::Rtp { secure: true, feedback: false };
/// What the gateway sends with.
pub(crate) const LOCAL_KEY: &str =
    "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
/// What the phone sends with.
pub(crate) const REMOTE_KEY: &str =
    "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

/// The machines that phones, cores and strangers are on.
pub(crate) const PHONES: u8 = 11;
pub(crate) const FAR: u8 = 12;
pub(crate) const STRANGERS: u8 = 66;

/// The gateway.
pub(crate) struct Gate<G: Ground> {
    pub(crate) ground: G,
    pub(crate) controller: Controller<G::Ports>,
    pub(crate) workers: Vec<Worker<G::Io>>,
    counters: Vec<Arc<WorkerCounters>>,
    /// How far the controller's clock has been put forward.
    ahead_ms: u64,
    next_host: u16,
}

impl<G: Ground> Gate<G> {
    pub(crate) fn new(workers: usize) -> Self {
        Self::with(workers, |_| {})
    }

    pub(crate) fn with(workers: usize, change: impl FnOnce(&mut ControllerConfig)) -> Self {
        let mut ground = G::new(workers);
        let realms =
            [("access", Leg::Access, ground.ip(1), 10_000), ("core", Leg::Core, ground.ip(2), 20_000)];
        let mut config = ControllerConfig::new(
            realms
                .map(|(name, leg, bind, first)| RealmConfig {
                    name: RealmName::new(name).unwrap(),
                    leg,
                    default: false,
                    addresses: vec![LocalAddress { bind, advertise: None }],
                    ports: PortRange::new(first, first + 999).unwrap(),
                    dscp: 0,
                })
                .into(),
        );
        change(&mut config);
        let (links, ends): (Vec<_>, Vec<_>) = (0..workers).map(|_| rings(256)).unzip();
        let controller = Controller::new(config, ground.ports(), links).unwrap();
        let workers: Vec<_> = ends
            .into_iter()
            .zip(ground.ios())
            .enumerate()
            .map(|(n, (link, io))| Worker::new(io, &controller.worker_setup(n), link.orders, link.answers))
            .collect();
        let counters = workers.iter().map(Worker::counters).collect();
        Self { ground, controller, workers, counters, ahead_ms: 0, next_host: 1_000 }
    }

    /// A socket with a port of its own on one of the machines; the port after it is free too.
    pub(crate) fn host(&mut self, machine: u8) -> G::Host {
        self.next_host += 2;
        self.ground.host(SocketAddr::new(self.ground.ip(machine), self.next_host))
    }

    /// Lets a millisecond pass, and all do what they have to.
    pub(crate) fn turn(&mut self) -> Vec<Event> {
        self.ground.pass();
        self.workers.iter_mut().for_each(|worker| worker.turn(Duration::ZERO).unwrap());
        self.hear()
    }

    /// The controller hears what the workers have said.
    pub(crate) fn hear(&mut self) -> Vec<Event> {
        self.controller.set_now(self.ground.now_ms() + self.ahead_ms);
        std::iter::from_fn(|| self.controller.poll_event()).collect()
    }

    /// Puts the controller's clock forward.
    pub(crate) fn skip(&mut self, ms: u64) {
        self.ahead_ms += ms;
        self.controller.handle_timeout(self.ground.now_ms() + self.ahead_ms);
    }

    /// Executes a command and waits until it is done.
    pub(crate) fn command(&mut self, command: Command) -> (Reply, Vec<Event>) {
        let reply = self.controller.execute(command).unwrap();
        let Some(ticket) = ticket(&reply) else { return (reply, Vec::new()) };
        let mut heard = Vec::new();
        for _ in 0..50 {
            heard.extend(self.turn());
            if is_done(&heard, ticket) {
                return (reply, heard);
            }
        }
        panic!("{ticket:?} is never done");
    }

    pub(crate) fn context(&mut self) -> ContextId {
        match self.command(Command::CreateContext(ContextAttributes::default())).0 {
            Reply::Context(id) => id,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn try_add(
        &mut self,
        context: ContextId,
        spec: StreamSpec,
    ) -> Result<(TerminationId, SocketAddr), Refusal> {
        let reply = self.controller.execute(Command::Add { context, streams: vec![(StreamId(1), spec)] })?;
        let (Reply::Termination(view, _), Some(ticket)) = (&reply, ticket(&reply)) else {
            panic!("{reply:?}")
        };
        let done = (0..50).any(|_| is_done(&self.turn(), ticket));
        assert!(done, "{ticket:?} is never done");
        Ok((view.id, view.streams[0].rtp))
    }

    pub(crate) fn add(&mut self, context: ContextId, spec: StreamSpec) -> (TerminationId, SocketAddr) {
        self.try_add(context, spec).unwrap()
    }

    pub(crate) fn modify(&mut self, termination: TerminationId, spec: StreamSpec) {
        self.command(Command::Modify { termination, streams: vec![(StreamId(1), spec)] });
    }

    pub(crate) fn worker_of(&self, context: ContextId) -> usize {
        self.controller.context(context).unwrap().worker.unwrap()
    }

    pub(crate) fn dropped(&self, leg: Leg, reason: DropReason) -> u64 {
        self.counters.iter().map(|counters| counters.get(Counter::Dropped(leg, reason))).sum()
    }

    pub(crate) fn assert_balanced(&self) {
        assert!(self.counters.iter().all(|counters| counters.imbalance() == 0));
    }

    /// Everything that was set up is gone, and its ports are free.
    pub(crate) fn assert_nothing_left(&mut self) {
        self.skip(60_000);
        let counts = self.controller.counts();
        assert_eq!((counts.contexts, counts.terminations, counts.open_ports), (0, [0, 0], 0));
        assert_eq!(counts.unconfirmed_orders, 0);
        assert!(self.controller.realm_ports().iter().all(|realm| realm.in_use + realm.resting == 0));
        assert!(self.controller.flows_by_worker().iter().all(|flows| *flows == 0));
        self.assert_balanced();
    }
}

pub(crate) fn ticket(reply: &Reply) -> Option<Ticket> {
    match reply {
        Reply::Termination(_, ticket) | Reply::Statistics(ticket) | Reply::Accepted(ticket) => Some(*ticket),
        Reply::Context(_) => None,
    }
}

pub(crate) fn is_done(heard: &[Event], ticket: Ticket) -> bool {
    heard.iter().any(|event| matches!(event, Event::Done(done) if *done >= ticket))
}

/// The counters of a termination's stream that were told.
pub(crate) fn statistics_of(heard: &[Event], of: TerminationId) -> Option<StreamStatistics> {
    heard.iter().find_map(|event| match event {
        Event::Statistics { termination, statistics, .. } if *termination == of => Some(*statistics),
        _ => None,
    })
}

/// One call with both its ends.
pub(crate) struct Call<H> {
    pub(crate) context: ContextId,
    pub(crate) access: TerminationId,
    pub(crate) core: TerminationId,
    pub(crate) phone: H,
    pub(crate) far: H,
    pub(crate) access_port: SocketAddr,
    pub(crate) core_port: SocketAddr,
    pub(crate) protect: OutboundSession,
    pub(crate) unprotect: InboundSession,
}

pub(crate) fn key(text: &str) -> CryptoAttribute {
    CryptoAttribute::parse(text).unwrap()
}

pub(crate) fn stream(realm: &str, transport: Transport, peer: SocketAddr) -> StreamSpec {
    StreamSpec {
        realm: RealmName::new(realm),
        mode: Mode::SendReceive,
        remote: Some(Remote { rtp: peer, rtcp: None }),
        ..StreamSpec::new(transport)
    }
}

pub(crate) fn secure(peer: SocketAddr, local: &str, remote: &str) -> StreamSpec {
    let security = Security { local: Some(key(local)), remote: Some(key(remote)) };
    StreamSpec { security, ..stream("access", SAVP, peer) }
}

impl<H: Host> Call<H> {
    pub(crate) fn new<G: Ground<Host = H>>(gate: &mut Gate<G>) -> Self {
        let (phone, far) = (gate.host(PHONES), gate.host(FAR));
        let context = gate.context();
        let (access, access_port) = gate.add(context, secure(phone.address(), LOCAL_KEY, REMOTE_KEY));
        let (core, core_port) = gate.add(context, stream("core", AVP, far.address()));
        let protect = OutboundSession::new(&key(REMOTE_KEY), &Policy::default()).unwrap();
        let unprotect = InboundSession::new(&key(LOCAL_KEY), &Policy::default()).unwrap();
        Self { context, access, core, phone, far, access_port, core_port, protect, unprotect }
    }

    pub(crate) fn protected(&mut self, sequence: u16) -> Vec<u8> {
        let plain = rtp(sequence);
        let mut slot = plain.clone();
        slot.resize(plain.len() + 64, 0);
        let len = self.protect.protect_rtp(&mut slot, plain.len(), 0).unwrap();
        slot.truncate(len);
        slot
    }

    /// The phone sends a packet.
    pub(crate) fn say(&mut self, sequence: u16) {
        let packet = self.protected(sequence);
        self.phone.send(self.access_port, &packet);
    }

    /// What the phone makes of a packet.
    pub(crate) fn opened(&mut self, packet: Vec<u8>) -> Vec<u8> {
        self.try_open(packet).expect("protected with the local key")
    }

    pub(crate) fn try_open(&mut self, mut packet: Vec<u8>) -> Result<Vec<u8>, agw_srtp::Error> {
        let len = packet.len();
        let len = self.unprotect.unprotect_rtp(&mut packet, len, 0)?;
        packet.truncate(len);
        Ok(packet)
    }
}

pub(crate) fn rtp(sequence: u16) -> Vec<u8> {
    let [high, low] = sequence.to_be_bytes();
    let mut packet = vec![0x80, 0, high, low, 0, 0, high, low, 0xca, 0xfe, 0xba, 0xbe];
    packet.extend((0..160).map(|at| low.wrapping_mul(7).wrapping_add(at)));
    packet
}

/// The port that RTCP uses beside this one.
pub(crate) fn next(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port() + 1)
}
