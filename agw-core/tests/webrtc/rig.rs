//! A gateway with one worker, and calls of a browser to a plain phone over it.

use crate::browser::Browser;
use agw_core::command::{Command, Event, Gateway, Notice, Observation, Refusal, Reply, Ticket};
use agw_core::controller::{Controller, ControllerConfig, rings};
use agw_core::io::sim::{Endpoint, SimIo, SimNet, SimPorts};
use agw_core::model::*;
use agw_core::ports::{LocalAddress, RealmConfig};
use agw_core::worker::Worker;
use agw_core::worker::stats::{Counter, DropReason, WorkerCounters};
use agw_dtls::Settings;
use agw_tls::Role;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

pub(crate) const WEB: Transport = Transport::DtlsRtp { feedback: true };
pub(crate) const PLAIN: Transport = Transport::Rtp { secure: false, feedback: false };
pub(crate) const STREAM: StreamId = StreamId(1);

pub(crate) struct Rig {
    pub(crate) net: SimNet,
    pub(crate) controller: Controller<SimPorts>,
    worker: Worker<SimIo>,
    pub(crate) counters: Arc<WorkerCounters>,
    notices: Vec<Notice>,
    done: Option<Ticket>,
    next_host: u16,
}

/// How a call is set up.
#[derive(Clone, Copy)]
pub(crate) struct How {
    /// The gateway begins the handshake.
    pub(crate) gateway_is_client: bool,
    pub(crate) ice: bool,
    /// What is signalled as the browser's.
    pub(crate) proof: Proof,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Proof {
    Right,
    Wrong,
    Missing,
    Unknown,
}

pub(crate) const PLAIN_CALL: How = How { gateway_is_client: false, ice: true, proof: Proof::Right };

/// A call: the browser at the access side, a plain phone at the core side.
pub(crate) struct Call {
    pub(crate) context: ContextId,
    pub(crate) web: TerminationId,
    pub(crate) spec: StreamSpec,
    pub(crate) ice: Option<IceCredential>,
    pub(crate) fingerprints: Vec<Fingerprint>,
    pub(crate) browser: Browser,
    pub(crate) phone: Endpoint,
    pub(crate) core_local: SocketAddr,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(7, |_| {})
    }

    pub(crate) fn with(seed: u64, change: impl FnOnce(&mut ControllerConfig)) -> Self {
        let net = SimNet::new(seed);
        let realm = |name: &str, leg, bind: [u8; 4], first| RealmConfig {
            name: RealmName::new(name).unwrap(),
            leg,
            default: false,
            addresses: vec![LocalAddress { bind: IpAddr::from(bind), advertise: None }],
            ports: PortRange::new(first, first + 99).unwrap(),
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
        Self { net, controller, worker, counters, notices: Vec::new(), done: None, next_host: 1000 }
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.net.now().0
    }

    /// A millisecond passes for the gateway.
    pub(crate) fn turn(&mut self) {
        self.net.advance(Duration::from_millis(1));
        self.worker.turn(Duration::ZERO).unwrap();
        self.controller.set_now(self.net.now().as_millis());
        while let Some(event) = self.controller.poll_event() {
            match event {
                Event::Notice(notice) => self.notices.push(notice),
                Event::Done(ticket) => self.done = Some(ticket),
                Event::Statistics { .. } => {}
            }
        }
    }

    /// So many milliseconds pass for the gateway and the browser.
    pub(crate) fn run(&mut self, call: &mut Call, ms: usize) {
        for _ in 0..ms {
            self.turn();
            call.browser.step(self.now_us());
        }
    }

    /// Time passes in which nobody has anything to do but by the clock.
    pub(crate) fn idle(&mut self, seconds: u64) {
        for _ in 0..seconds * 20 {
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

    pub(crate) fn add(&mut self, context: ContextId, spec: &StreamSpec) -> (TerminationId, LocalStream) {
        let streams = vec![(STREAM, spec.clone())];
        let Reply::Termination(view, _) = self.command(Command::Add { context, streams }) else { panic!() };
        (view.id, view.streams[0].clone())
    }

    pub(crate) fn address(&mut self, low: u8) -> SocketAddr {
        self.next_host += 2;
        SocketAddr::from(([198, 51, 100, low], self.next_host))
    }

    /// Sets a call up, as far as commands go.
    pub(crate) fn call(&mut self, how: How) -> Call {
        self.call_with(how, Settings { seed: Some(self.next_host.into()), ..Settings::default() })
    }

    pub(crate) fn call_with(&mut self, how: How, settings: Settings) -> Call {
        let context = self.context();
        let (browser_at, phone_at) = (self.address(11), self.address(12));
        let mut browser = Browser::new(&self.net, browser_at, settings);
        let spec = web_spec("access", &browser, how);
        let (web, local) = self.add(context, &spec);
        browser.gateway = local.rtp;
        let core_spec = StreamSpec {
            realm: RealmName::new("core"),
            mode: Mode::SendReceive,
            rtcp: RtcpPorts::Mux,
            remote: Some(Remote { rtp: phone_at, rtcp: None }),
            ..StreamSpec::new(PLAIN)
        };
        let (_, core_local) = self.add(context, &core_spec);
        let mut call = Call {
            context,
            web,
            spec,
            ice: local.ice.as_deref().cloned(),
            fingerprints: local.fingerprints,
            phone: self.net.endpoint(phone_at),
            core_local: core_local.rtp,
            browser,
        };
        call.forget_actions();
        let role = if how.gateway_is_client { Role::Server } else { Role::Client };
        call.browser.shake(role, &call.fingerprints, self.now_us());
        call
    }

    /// Checks, nominates, and shakes hands.
    pub(crate) fn bring_up(&mut self, call: &mut Call) {
        if let Some(ice) = call.ice.clone() {
            call.browser.check(&ice, false);
            self.run(call, 5);
            call.browser.check(&ice, true);
        }
        self.run(call, 400);
        assert!(call.browser.has_keys(), "{:?}", call.browser.failure);
    }

    pub(crate) fn modify(&mut self, call: &mut Call, change: impl FnOnce(&mut StreamSpec)) -> LocalStream {
        change(&mut call.spec);
        let streams = vec![(STREAM, call.spec.clone())];
        let reply = self.command(Command::Modify { termination: call.web, streams });
        call.forget_actions();
        let Reply::Termination(view, _) = reply else { panic!() };
        view.streams[0].clone()
    }

    /// Sends a packet of the browser's through, and one of the phone's; true when both arrive as they were.
    pub(crate) fn speaks(&mut self, call: &mut Call) -> bool {
        let plain = call.browser.rtp();
        let there = call.browser.protect(&plain);
        call.browser.endpoint.send(call.browser.gateway, &there);
        let back = call.browser.rtp();
        call.phone.send(call.core_local, &back);
        call.browser.received.clear();
        self.run(call, 5);
        let heard = std::iter::from_fn(|| call.phone.receive()).map(|(_, bytes)| bytes).collect::<Vec<_>>();
        heard == [plain] && call.browser.received == [back]
    }

    /// What was noticed of the browser's side since the last call.
    pub(crate) fn take_notices(&mut self, call: &Call) -> Vec<Observation> {
        self.turn();
        self.notices
            .drain(..)
            .filter(|notice| notice.termination == call.web)
            .map(|notice| notice.what)
            .collect()
    }

    /// All that was noticed since the last call.
    pub(crate) fn take_all_notices(&mut self) -> Vec<Notice> {
        self.turn();
        self.notices.drain(..).collect()
    }

    pub(crate) fn dropped(&self, reason: DropReason) -> u64 {
        self.counters.get(Counter::Dropped(Leg::Access, reason))
    }

    pub(crate) fn counted(&self, counter: Counter) -> u64 {
        self.counters.get(counter)
    }

    pub(crate) fn check_balance(&mut self) {
        (0..5).for_each(|_| self.turn());
        assert_eq!(self.counters.imbalance(), 0);
    }
}

/// What a controller says of a browser.
pub(crate) fn web_spec(realm: &str, browser: &Browser, how: How) -> StreamSpec {
    let browser_at = browser.endpoint.address();
    let peer = match how.proof {
        Proof::Right => vec![browser.fingerprint()],
        Proof::Wrong => vec![agw_tls::Identity::generate().unwrap().fingerprint(HashFunction::Sha256)],
        Proof::Missing | Proof::Unknown => Vec::new(),
    };
    let ice = IceSpec { choose: true, peer: Some(Browser::credential()), candidates: vec![browser_at] };
    StreamSpec {
        realm: RealmName::new(realm),
        mode: Mode::SendReceive,
        rtcp: RtcpPorts::Mux,
        remote: Some(Remote { rtp: browser_at, rtcp: None }),
        tls: Some(Box::new(TlsSpec {
            establish: how.gateway_is_client,
            own: vec![HashFunction::Sha256],
            peer,
            peer_unknown: how.proof == Proof::Unknown,
            ..TlsSpec::default()
        })),
        ice: how.ice.then(|| Box::new(ice)),
        ..StreamSpec::new(WEB)
    }
}

impl Call {
    fn forget_actions(&mut self) {
        if let Some(tls) = &mut self.spec.tls {
            tls.establish = false;
        }
        if let Some(ice) = &mut self.spec.ice {
            ice.choose = false;
        }
    }
}

pub(crate) const PROVEN: Observation = Observation::Session(Bearer::Established);

pub(crate) const fn unproven(failure: TlsFailure) -> Observation {
    Observation::Session(Bearer::Failed(BearerFailure::Tls(failure)))
}

pub(crate) const fn ice(event: IceEvent) -> Observation {
    Observation::Ice(event)
}
