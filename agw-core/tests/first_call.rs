//! The two halves together on the pretend network: a controller, its workers, a phone that speaks SRTP, a core that speaks RTP, and
//! strangers. What the phone protects comes out at the core byte for byte, and the other way round.

use agw_core::command::{Command, Event, Gateway, Observation, Refusal, Reply};
use agw_core::controller::{Controller, ControllerConfig, rings};
use agw_core::io::sim::{Endpoint, Link, SimIo, SimNet, SimPorts};
use agw_core::model::*;
use agw_core::ports::{LocalAddress, RealmConfig};
use agw_core::worker::Worker;
use agw_core::worker::stats::{Counter, DropReason, WorkerCounters};
use agw_srtp::{InboundSession, OutboundSession, Policy};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const AVP: Transport = Transport::Rtp { secure: false, feedback: false };
const SAVP: Transport = Transport::Rtp { secure: true, feedback: false };
/// What the gateway sends with.
const LOCAL_KEY: &str = "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
/// What the phone sends with.
const REMOTE_KEY: &str = "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

/// The gateway on a pretend network.
struct Gate {
    net: SimNet,
    controller: Controller<SimPorts>,
    workers: Vec<Worker<SimIo>>,
    counters: Vec<Arc<WorkerCounters>>,
}

impl Gate {
    fn new(workers: usize) -> Self {
        let net = SimNet::new(2);
        let realms = [("access", Leg::Access, "192.0.2.1", 10_000), ("core", Leg::Core, "192.0.2.2", 20_000)];
        let config = ControllerConfig::new(
            realms
                .map(|(name, leg, bind, first)| RealmConfig {
                    name: RealmName::new(name).unwrap(),
                    leg,
                    default: false,
                    addresses: vec![LocalAddress { bind: bind.parse().unwrap(), advertise: None }],
                    ports: PortRange::new(first, first + 999).unwrap(),
                    dscp: 0,
                })
                .into(),
        );
        let (links, ends): (Vec<_>, Vec<_>) = (0..workers).map(|_| rings(256)).unzip();
        let controller = Controller::new(config, net.ports(), links).unwrap();
        let workers: Vec<_> = ends
            .into_iter()
            .enumerate()
            .map(|(n, link)| Worker::new(net.io(n), &controller.worker_setup(n), link.orders, link.answers))
            .collect();
        let counters = workers.iter().map(Worker::counters).collect();
        Self { net, controller, workers, counters }
    }

    /// Lets a millisecond pass, and all do what they have to.
    fn turn(&mut self) -> Vec<Event> {
        self.net.advance(Duration::from_millis(1));
        self.workers.iter_mut().for_each(|worker| worker.turn(Duration::ZERO).unwrap());
        self.controller.set_now(self.net.now().as_millis());
        std::iter::from_fn(|| self.controller.poll_event()).collect()
    }

    /// Executes a command and waits until it is done.
    fn command(&mut self, command: Command) -> (Reply, Vec<Event>) {
        let reply = self.controller.execute(command).unwrap();
        let (Reply::Termination(_, ticket) | Reply::Statistics(ticket) | Reply::Accepted(ticket)) = reply
        else {
            return (reply, Vec::new());
        };
        let mut heard = Vec::new();
        for _ in 0..50 {
            heard.extend(self.turn());
            if heard.iter().any(|event| matches!(event, Event::Done(done) if *done >= ticket)) {
                return (reply, heard);
            }
        }
        panic!("{ticket:?} is never done");
    }

    fn context(&mut self) -> ContextId {
        match self.command(Command::CreateContext(ContextAttributes::default())).0 {
            Reply::Context(id) => id,
            other => panic!("{other:?}"),
        }
    }

    fn add(&mut self, context: ContextId, spec: StreamSpec) -> (TerminationId, SocketAddr) {
        match self.command(Command::Add { context, streams: vec![(StreamId(1), spec)] }).0 {
            Reply::Termination(view, _) => (view.id, view.streams[0].rtp),
            other => panic!("{other:?}"),
        }
    }

    fn modify(&mut self, termination: TerminationId, spec: StreamSpec) {
        self.command(Command::Modify { termination, streams: vec![(StreamId(1), spec)] });
    }

    fn dropped(&self, leg: Leg, reason: DropReason) -> u64 {
        self.counters.iter().map(|counters| counters.get(Counter::Dropped(leg, reason))).sum()
    }

    fn assert_balanced(&self) {
        assert!(self.counters.iter().all(|counters| counters.imbalance() == 0));
    }
}

/// One call with both its ends.
struct Call {
    context: ContextId,
    access: TerminationId,
    core: TerminationId,
    phone: Endpoint,
    far: Endpoint,
    access_port: SocketAddr,
    core_port: SocketAddr,
    protect: OutboundSession,
    unprotect: InboundSession,
}

fn key(text: &str) -> CryptoAttribute {
    CryptoAttribute::parse(text).unwrap()
}

fn stream(realm: &str, transport: Transport, peer: SocketAddr) -> StreamSpec {
    StreamSpec {
        realm: RealmName::new(realm),
        mode: Mode::SendReceive,
        remote: Some(Remote { rtp: peer, rtcp: None }),
        ..StreamSpec::new(transport)
    }
}

fn secure(peer: SocketAddr, local: &str, remote: &str) -> StreamSpec {
    let security = Security { local: Some(key(local)), remote: Some(key(remote)) };
    StreamSpec { security, ..stream("access", SAVP, peer) }
}

impl Call {
    fn new(gate: &mut Gate, number: u16) -> Self {
        let phone = gate.net.endpoint(SocketAddr::from(([198, 51, 100, 1], 1_000 + 4 * number)));
        let far = gate.net.endpoint(SocketAddr::from(([203, 0, 113, 1], 1_000 + 4 * number)));
        let context = gate.context();
        let (access, access_port) = gate.add(context, secure(phone.address(), LOCAL_KEY, REMOTE_KEY));
        let (core, core_port) = gate.add(context, stream("core", AVP, far.address()));
        let protect = OutboundSession::new(&key(REMOTE_KEY), &Policy::default()).unwrap();
        let unprotect = InboundSession::new(&key(LOCAL_KEY), &Policy::default()).unwrap();
        Self { context, access, core, phone, far, access_port, core_port, protect, unprotect }
    }

    fn protected(&mut self, sequence: u16) -> Vec<u8> {
        let plain = rtp(sequence);
        let mut slot = plain.clone();
        slot.resize(plain.len() + 64, 0);
        let len = self.protect.protect_rtp(&mut slot, plain.len(), 0).unwrap();
        slot.truncate(len);
        slot
    }

    /// The phone sends a packet.
    fn say(&mut self, sequence: u16) {
        let packet = self.protected(sequence);
        self.phone.send(self.access_port, &packet);
    }

    /// What the phone makes of a packet.
    fn opened(&mut self, packet: Vec<u8>) -> Vec<u8> {
        self.try_open(packet).expect("protected with the local key")
    }

    fn try_open(&mut self, mut packet: Vec<u8>) -> Result<Vec<u8>, agw_srtp::Error> {
        let len = packet.len();
        let len = self.unprotect.unprotect_rtp(&mut packet, len, 0)?;
        packet.truncate(len);
        Ok(packet)
    }
}

fn rtp(sequence: u16) -> Vec<u8> {
    let [high, low] = sequence.to_be_bytes();
    let mut packet = vec![0x80, 0, high, low, 0, 0, high, low, 0xca, 0xfe, 0xba, 0xbe];
    packet.extend((0..160).map(|at| low.wrapping_mul(7).wrapping_add(at)));
    packet
}

#[test]
fn srtp_becomes_rtp_and_back_byte_for_byte() {
    let mut gate = Gate::new(2);
    let mut call = Call::new(&mut gate, 0);
    for sequence in 0..200 {
        call.say(sequence);
        call.far.send(call.core_port, &rtp(sequence));
        gate.turn();
        assert_eq!(call.far.receive(), Some((call.core_port, rtp(sequence))));
        let (from, packet) = call.phone.receive().expect("a packet for the phone");
        assert_eq!(from, call.access_port);
        assert_ne!(packet, rtp(sequence));
        assert_eq!(call.opened(packet), rtp(sequence));
    }
    gate.assert_balanced();
}

#[test]
fn rtcp_is_converted_on_its_own_ports() {
    let mut gate = Gate::new(1);
    let mut call = Call::new(&mut gate, 0);
    let next = |address: SocketAddr| SocketAddr::new(address.ip(), address.port() + 1);
    let [phone, far] =
        [call.phone.address(), call.far.address()].map(|address| gate.net.endpoint(next(address)));
    // A receiver report without blocks, then a source description without chunks (RFC 3550 section 6).
    let report = [0x80, 201, 0, 1, 0xca, 0xfe, 0xba, 0xbe, 0x80, 202, 0, 0];
    let mut slot = [0; 128];
    slot[..report.len()].copy_from_slice(&report);
    let len = call.protect.protect_rtcp(&mut slot, report.len(), 0).unwrap();
    phone.send(next(call.access_port), &slot[..len]);
    far.send(next(call.core_port), &report);
    gate.turn();
    assert_eq!(far.receive(), Some((next(call.core_port), report.to_vec())));
    let (_, mut packet) = phone.receive().unwrap();
    let len = packet.len();
    let len = call.unprotect.unprotect_rtcp(&mut packet, len, 0).unwrap();
    assert_eq!(packet[..len], report);
}

#[test]
fn swapped_keys_open_nothing() {
    let mut gate = Gate::new(1);
    let mut call = Call::new(&mut gate, 0);
    let phone = gate.net.endpoint("198.51.100.9:9000".parse().unwrap());
    let context = gate.context();
    let (_, access_port) = gate.add(context, secure(phone.address(), REMOTE_KEY, LOCAL_KEY));
    gate.add(context, stream("core", AVP, call.far.address()));
    phone.send(access_port, &call.protected(1));
    gate.turn();
    assert_eq!(call.far.receive(), None);
    assert_eq!(gate.dropped(Leg::Access, DropReason::Srtp(agw_srtp::Error::AuthFailed)), 1);
}

#[test]
fn strangers_corruption_and_replays_change_nothing() {
    let mut gate = Gate::new(1);
    let mut call = Call::new(&mut gate, 0);
    let stranger = gate.net.endpoint("198.51.100.66:6666".parse().unwrap());
    for sequence in 0..50 {
        let packet = call.protected(sequence);
        let mut corrupt = packet.clone();
        corrupt[20] ^= 1;
        stranger.send(call.access_port, &rtp(sequence));
        stranger.send(call.access_port, b"\x16\xfe\xff not for you");
        stranger.send(call.core_port, &rtp(sequence));
        call.phone.send(call.access_port, &corrupt);
        call.phone.send(call.access_port, &packet);
        call.phone.send(call.access_port, &packet);
        call.far.send(call.core_port, &rtp(sequence));
        gate.turn();
        assert_eq!(call.far.receive(), Some((call.core_port, rtp(sequence))));
        assert_eq!(call.far.receive(), None, "once, and from nobody else");
        let (_, sent_back) = call.phone.receive().unwrap();
        assert_eq!(call.opened(sent_back), rtp(sequence));
        assert_eq!((call.phone.receive(), stranger.receive()), (None, None));
    }
    assert_eq!(gate.dropped(Leg::Access, DropReason::Srtp(agw_srtp::Error::Replayed)), 50);
    gate.assert_balanced();
}

#[test]
fn only_a_packet_that_authenticates_moves_the_address() {
    let mut gate = Gate::new(1);
    let mut call = Call::new(&mut gate, 0);
    let behind_nat = gate.net.endpoint("198.51.100.200:7000".parse().unwrap());
    let stranger = gate.net.endpoint("198.51.100.66:6666".parse().unwrap());
    let latch =
        StreamSpec { latch: Some(LatchAction::Latch), ..secure(call.phone.address(), LOCAL_KEY, REMOTE_KEY) };
    gate.modify(call.access, latch);
    stranger.send(call.access_port, &rtp(1));
    assert_eq!(gate.turn(), []);
    behind_nat.send(call.access_port, &call.protected(1));
    let source = behind_nat.address();
    let heard = gate.turn();
    let latched = Observation::Latched { component: Component::Rtp, source };
    assert!(
        matches!(&heard[..], [Event::Notice(notice)] if notice.termination == call.access && notice.what == latched),
        "{heard:?}"
    );
    call.far.send(call.core_port, &rtp(1));
    gate.turn();
    let (_, packet) = behind_nat.receive().expect("sent to where the phone really is");
    assert_eq!(call.opened(packet), rtp(1));
    assert_eq!((stranger.receive(), call.phone.receive()), (None, None));
}

#[test]
fn keys_that_come_one_by_one_open_one_direction_at_a_time() {
    let mut gate = Gate::new(1);
    let mut call = Call::new(&mut gate, 0);
    let phone = gate.net.endpoint("198.51.100.9:9000".parse().unwrap());
    let far = gate.net.endpoint("203.0.113.9:9000".parse().unwrap());
    let with = |local: Option<&str>, remote: Option<&str>| StreamSpec {
        security: Security { local: local.map(key), remote: remote.map(key) },
        ..stream("access", SAVP, phone.address())
    };
    let context = gate.context();
    let (access, access_port) = gate.add(context, with(None, None));
    let (_, core_port) = gate.add(context, stream("core", AVP, far.address()));
    let mut exchange = |gate: &mut Gate, sequence| {
        phone.send(access_port, &call.protected(sequence));
        far.send(core_port, &rtp(sequence));
        gate.turn();
        (phone.receive().is_some(), far.receive().is_some())
    };
    assert_eq!(exchange(&mut gate, 1), (false, false));
    gate.modify(access, with(Some(LOCAL_KEY), None));
    assert_eq!(exchange(&mut gate, 2), (true, false));
    gate.modify(access, with(Some(LOCAL_KEY), Some(REMOTE_KEY)));
    assert_eq!(exchange(&mut gate, 3), (true, true));
    let mut different = with(None, Some(LOCAL_KEY));
    different.mode = Mode::Inactive;
    let refused = gate
        .controller
        .execute(Command::Modify { termination: access, streams: vec![(StreamId(1), different)] });
    assert_eq!(refused, Err(Refusal::CryptoChanged(StreamId(1), Direction::Inbound)));
    assert_eq!(exchange(&mut gate, 4), (true, true), "what runs goes on");
}

#[test]
fn srtp_without_keys_on_either_side_passes_untouched() {
    let mut gate = Gate::new(1);
    let mut call = Call::new(&mut gate, 0);
    let phone = gate.net.endpoint("198.51.100.9:9000".parse().unwrap());
    let far = gate.net.endpoint("203.0.113.9:9000".parse().unwrap());
    let context = gate.context();
    let (_, access_port) = gate.add(context, stream("access", SAVP, phone.address()));
    let (_, core_port) = gate.add(context, stream("core", SAVP, far.address()));
    let packet = call.protected(1);
    phone.send(access_port, &packet);
    gate.turn();
    assert_eq!(far.receive(), Some((core_port, packet)), "RLY-1");
}

#[test]
fn a_moved_termination_goes_on_with_its_keys_and_indices() {
    let mut gate = Gate::new(1);
    let mut call = Call::new(&mut gate, 0);
    for sequence in 0..10 {
        call.say(sequence);
        gate.turn();
    }
    let replayed = call.protected(10);
    call.phone.send(call.access_port, &replayed);
    gate.turn();
    let elsewhere = gate.net.endpoint("203.0.113.9:9000".parse().unwrap());
    let context = gate.context();
    let (_, core_port) = gate.add(context, stream("core", AVP, elsewhere.address()));
    gate.command(Command::Move { termination: call.access, to: context });
    while call.far.receive().is_some() {}
    call.phone.send(call.access_port, &replayed);
    call.say(11);
    gate.turn();
    assert_eq!(elsewhere.receive(), Some((core_port, rtp(11))), "and the replay is still known");
    assert_eq!((elsewhere.receive(), call.far.receive()), (None, None));
}

#[test]
fn a_subtracted_call_reports_what_it_carried_and_closes_its_ports() {
    let mut gate = Gate::new(2);
    let mut call = Call::new(&mut gate, 0);
    for sequence in 0..20 {
        call.say(sequence);
        gate.turn();
    }
    let (_, heard) = gate.command(Command::Subtract(call.access));
    let statistics = heard.iter().find_map(|event| match event {
        Event::Statistics { termination, statistics, .. } if *termination == call.access => Some(*statistics),
        _ => None,
    });
    let statistics = statistics.expect("statistics before done");
    assert_eq!((statistics.packets_received, statistics.packets_sent), (20, 0));
    assert_eq!(gate.net.open_ports(), 2);
    let (_, heard) = gate.command(Command::Subtract(call.core));
    assert!(heard.iter().any(|event| matches!(
        event,
        Event::Statistics { statistics, .. } if statistics.packets_sent == 20
    )));
    assert_eq!(gate.net.open_ports(), 0);
    assert_eq!(gate.controller.context(call.context), None);
    while call.far.receive().is_some() {}
    call.say(21);
    gate.turn();
    assert_eq!(call.far.receive(), None);
}

#[test]
fn calls_come_and_go_on_a_bad_network_and_leave_nothing() {
    let mut gate = Gate::new(2);
    gate.net.set_link(Link { loss_per_mille: 20, duplicate_per_mille: 20, delay_us: 500, jitter_us: 5_000 });
    let mut calls: Vec<Call> = Vec::new();
    let mut received = 0;
    for round in 0..400_u16 {
        if calls.len() == 10 {
            let oldest = calls.remove(0);
            gate.command(Command::RemoveContext(oldest.context));
        }
        calls.push(Call::new(&mut gate, round));
        for call in &mut calls {
            call.say(round);
            call.far.send(call.core_port, &rtp(round));
        }
        gate.turn();
        for call in &mut calls {
            while let Some((_, packet)) = call.far.receive() {
                assert_eq!(packet, rtp(u16::from_be_bytes([packet[2], packet[3]])));
                received += 1;
            }
            while let Some((_, packet)) = call.phone.receive() {
                // The pretend network delivers some twice.
                match call.try_open(packet) {
                    Ok(plain) => assert_eq!(plain, rtp(u16::from_be_bytes([plain[2], plain[3]]))),
                    Err(error) => assert_eq!(error, agw_srtp::Error::Replayed),
                }
                received += 1;
            }
        }
    }
    assert!(received > 5_000, "{received} packets");
    for call in calls {
        gate.command(Command::RemoveContext(call.context));
    }
    let counts = gate.controller.counts();
    assert_eq!((counts.contexts, counts.terminations, counts.open_ports), (0, [0, 0], 0));
    assert_eq!((gate.net.open_ports(), counts.unconfirmed_orders), (0, 0));
    gate.controller.handle_timeout(u64::MAX / 2);
    assert!(gate.controller.realm_ports().iter().all(|realm| realm.in_use + realm.resting == 0));
    gate.assert_balanced();
}
