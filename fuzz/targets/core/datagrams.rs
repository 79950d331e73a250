//! A gateway with calls of every sort under arbitrary datagrams and commands: phones and core peers that know their keys, strangers who
//! do not, and a controller that asks for anything.
//!
//! Nothing panics; the sums balance after every turn, against what the network itself has seen; a stranger is never learned or sent to
//! by a stream that was secure from its beginning; a refused command changes nothing; and when everything is removed, every port comes
//! back and every table is empty (RLY-2, RLY-3, SRTP-2, SRTP-9, IQ-4).
#![no_main]

use agw_core::command::order::Treatment;
use agw_core::command::{Command, Event, Gateway, Notice, Observation, Reply};
use agw_core::controller::TRANSPORTS;
use agw_core::io::sim::{Chance, Endpoint};
use agw_core::model::*;
use agw_core::worker::stats::{Counter, PacketKind};
use agw_srtp::{MasterKey, Mki, OutboundSession, Policy, Suite};
use fuzz::ground::{ACCESS_PORT, CORE_PORT, Ground, PORTS};
use fuzz::input::{Input, chance_of};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

/// Those who are told of ports and know the keys. Even: RTP. Odd: RTCP.
const PEERS: [&str; 10] = [
    "198.51.100.1:4000",
    "198.51.100.1:4001",
    "198.51.100.2:4000",
    "198.51.100.2:4001",
    "203.0.113.1:5000",
    "203.0.113.1:5001",
    "203.0.113.2:5000",
    "203.0.113.2:5001",
    "[2001:db8:9::1]:6000",
    "[2001:db8:9::1]:6001",
];
const STRANGERS: [&str; 3] = ["198.51.100.66:6666", "203.0.113.1:5999", "[2001:db8:66::1]:6666"];
const SSRCS: [u32; 3] = [0xcafe_babe, 0x0000_0001, 0xffff_ffff];
/// Between the longest datagram that a slot takes and one that it does not.
const MAX_DATAGRAM_BYTES: usize = 2100;

struct Field {
    ground: Ground,
    peers: Vec<Endpoint>,
    strangers: Vec<Endpoint>,
    keys: Vec<CryptoAttribute>,
    /// One for each key.
    senders: Vec<OutboundSession>,
    sequences: [u16; SSRCS.len()],
    /// Streams that were ever open to packets without a tag.
    tainted: BTreeSet<(TerminationId, StreamId)>,
    delivered: u64,
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let shape = input.byte();
    let orders = if shape & 2 == 0 { 128 } else { 32 };
    let mut field = Field::new(1 + usize::from(shape & 1), orders, chance_of(bytes));
    if shape & 4 == 0 {
        field.set_up();
    }
    while !input.is_empty() {
        match input.byte() % 8 {
            0..=3 => field.datagram(&mut input),
            4 | 5 => field.turn(&mut input),
            6 => field.command(&mut input),
            _ => field.weather(&mut input),
        }
    }
    field.ground.net.set_send_room(None);
    field.step(Duration::from_millis(1));
    field.check_totals();
    field.ground.finish();
});

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// Attributes of one key or two.
fn attributes_of(mut chance: Chance) -> Vec<CryptoAttribute> {
    let mut master_key = |suite: Suite| {
        let secret: [u8; 46] = std::array::from_fn(|_| chance.next_u64() as u8);
        let (key, salt) = secret.split_at(suite.master_key_len());
        MasterKey::new(suite, key, &salt[..suite.master_salt_len()]).expect("right lengths")
    };
    let suites = [Suite::AesCm128HmacSha1_80, Suite::AeadAes128Gcm, Suite::AesCm128HmacSha1_32];
    let [first, second, third] = suites.map(|suite| match suite {
        Suite::AesCm128HmacSha1_32 => {
            [1, 2].map(|mki| master_key(suite).with_mki(Mki::new(mki, 2).expect("it fits"))).to_vec()
        }
        _ => vec![master_key(suite)],
    });
    let attribute =
        |(suite, keys): (Suite, Vec<MasterKey>)| CryptoAttribute::new(1, suite, keys).expect("sound keys");
    suites.into_iter().zip([first, second, third]).map(attribute).collect()
}

impl Field {
    fn new(workers: usize, orders: usize, chance: Chance) -> Self {
        let ground = Ground::new(workers, orders);
        let keys = attributes_of(chance);
        let endpoints = |all: &[&str]| all.iter().map(|at| ground.net.endpoint(address(at))).collect();
        Self {
            peers: endpoints(&PEERS),
            strangers: endpoints(&STRANGERS),
            senders: keys
                .iter()
                .map(|key| OutboundSession::new(key, &Policy::default()).expect("allowed"))
                .collect(),
            keys,
            sequences: [0, 65_533, 7],
            tainted: BTreeSet::new(),
            delivered: 0,
            ground,
        }
    }

    /// One call of each sort: plain, SDES, relayed SRTP, multiplexed, latched secure and plain, opaque.
    fn set_up(&mut self) {
        let [avp, savp, udp] = [TRANSPORTS[0], TRANSPORTS[2], TRANSPORTS[4]];
        let key = |number: usize| self.keys[number].clone();
        let keyed = Security { local: Some(key(0)), remote: Some(key(1)) };
        let calls = [
            (avp, Security::default(), RtcpPorts::Pair, None, avp),
            (savp, keyed.clone(), RtcpPorts::Pair, None, avp),
            (savp, Security::default(), RtcpPorts::Pair, None, savp),
            (savp, Security { local: Some(key(2)), remote: Some(key(2)) }, RtcpPorts::Mux, None, avp),
            (savp, keyed, RtcpPorts::Pair, Some(LatchAction::Latch), avp),
            (avp, Security::default(), RtcpPorts::Pair, Some(LatchAction::Latch), avp),
            (udp, Security::default(), RtcpPorts::None, None, udp),
        ];
        for (access, security, rtcp, latch, core) in calls {
            let Ok(Reply::Context(context)) =
                self.ground.execute(Command::CreateContext(ContextAttributes::default()))
            else {
                panic!("there is room for these");
            };
            let access = StreamSpec { security, rtcp, latch, ..stream("access", access, PEERS[0]) };
            for spec in [access, stream("core", core, PEERS[4])] {
                let added = self.ground.execute(Command::Add { context, streams: vec![(StreamId(1), spec)] });
                assert!(added.is_ok());
            }
            self.note_tainted();
            self.step(Duration::from_millis(1));
        }
    }

    /// A datagram from anybody to any of our ports: arbitrary, sound RTP or RTCP, or protected with a key.
    fn datagram(&mut self, input: &mut Input<'_>) {
        let (what, who, port) = (input.byte(), input.byte(), input.byte());
        let stranger = who & 0x80 != 0;
        let bytes = match what & 3 {
            0 => input.bytes().to_vec(),
            1 => self.plain(input),
            2 => vec![input.byte(); usize::from(input.word()) % MAX_DATAGRAM_BYTES],
            _ => match self.protected(input, stranger) {
                Some(bytes) => bytes,
                None => return,
            },
        };
        let group = if stranger { &self.strangers } else { &self.peers };
        let from = &group[usize::from(who & 0x7f) % group.len()];
        let port = u16::from(port);
        let to = match (port & 1, from.address()) {
            (0, _) => SocketAddr::new(address("192.0.2.1:0").ip(), ACCESS_PORT + port / 2 % PORTS),
            (_, SocketAddr::V4(_)) => {
                SocketAddr::new(address("192.0.2.2:0").ip(), CORE_PORT + port / 2 % PORTS)
            }
            (_, SocketAddr::V6(_)) => {
                SocketAddr::new(address("[2001:db8::2]:0").ip(), CORE_PORT + port / 2 % PORTS)
            }
        };
        let copies = if what & 0xfc == 0xfc { 200 } else { 1 };
        for _ in 0..copies {
            from.send(to, &bytes);
        }
    }

    /// RTP that goes on where it was, or a sender or receiver report.
    fn plain(&mut self, input: &mut Input<'_>) -> Vec<u8> {
        let (what, source) = (input.byte(), input.below(SSRCS.len()));
        let ssrc = SSRCS[source].to_be_bytes();
        if what & 1 == 1 {
            let words = if what & 2 == 0 { 12_u8 } else { 7 };
            let mut report = vec![0x81, if what & 2 == 0 { 200 } else { 201 }, 0, words];
            report.extend(ssrc);
            let body = input.bytes();
            report
                .extend((0..usize::from(words) * 4 - 4).map(|at| body.get(at).copied().unwrap_or(at as u8)));
            return report;
        }
        let step = if what & 4 == 0 { 1 } else { input.word() };
        self.sequences[source] = self.sequences[source].wrapping_add(step);
        let mut packet = vec![0x80, input.byte()];
        packet.extend(self.sequences[source].to_be_bytes());
        packet.extend(u32::from(input.word()).wrapping_mul(160).to_be_bytes());
        packet.extend(ssrc);
        packet.extend(input.bytes());
        packet
    }

    /// A plain packet under one of the keys; a stranger knows none, and has only spoilt ones.
    fn protected(&mut self, input: &mut Input<'_>, stranger: bool) -> Option<Vec<u8>> {
        let sender = input.below(self.keys.len());
        let mut slot = self.plain(input);
        let (rtcp, len) = (matches!(slot[1], 200 | 201), slot.len());
        slot.resize(len + agw_srtp::MAX_OVERHEAD_BYTES, 0);
        let sender = &mut self.senders[sender];
        let sent = match rtcp {
            true => sender.protect_rtcp(&mut slot, len, 0),
            false => sender.protect_rtp(&mut slot, len, 0),
        };
        slot.truncate(sent.ok()?);
        if stranger {
            let at = usize::from(input.byte()) % slot.len();
            slot[at] ^= 1 << input.below(8);
        }
        Some(slot)
    }

    fn turn(&mut self, input: &mut Input<'_>) {
        let time = u64::from(input.byte());
        self.step(if time < 200 { Duration::from_millis(time) } else { Duration::from_secs(time - 199) });
    }

    fn step(&mut self, time: Duration) {
        self.ground.advance(time);
        self.ground.turn();
        while let Some(event) = self.ground.event() {
            self.hear(&event);
        }
        self.look_at_endpoints();
    }

    /// Only a packet that authenticates moves a secure stream.
    fn hear(&self, event: &Event) {
        let Event::Notice(Notice { termination, stream, what: Observation::Latched { source, .. } }) = event
        else {
            return;
        };
        assert!(
            self.tainted.contains(&(*termination, *stream)) || !is_stranger(*source),
            "a secure stream has learned a stranger's address"
        );
    }

    /// Nobody but whom the streams were told of, or have learned rightly, gets anything.
    fn look_at_endpoints(&mut self) {
        let secure: Vec<SocketAddr> = self
            .streams()
            .filter(|(at, _)| !self.tainted.contains(at))
            .flat_map(|(_, local)| std::iter::once(local.rtp).chain(local.rtcp))
            .collect();
        for endpoint in &self.peers {
            while endpoint.receive().is_some() {
                self.delivered += 1;
            }
        }
        for endpoint in &self.strangers {
            while let Some((from, _)) = endpoint.receive() {
                self.delivered += 1;
                assert!(!secure.contains(&from), "a secure stream has sent to a stranger");
            }
        }
    }

    fn streams(&self) -> impl Iterator<Item = ((TerminationId, StreamId), LocalStream)> {
        let contexts = self.ground.controller.contexts(None, usize::MAX);
        contexts.into_iter().flat_map(|context| context.terminations).flat_map(|termination| {
            let id = termination.id;
            termination.streams.into_iter().map(move |stream| ((id, stream.local.stream), stream.local))
        })
    }

    fn note_tainted(&mut self) {
        for context in self.ground.controller.contexts(None, usize::MAX) {
            for termination in context.terminations {
                let open = |treatment| treatment != Some(Treatment::Secure);
                let open = termination.streams.iter().filter(|stream| open(stream.treatment));
                self.tainted.extend(open.map(|stream| (termination.id, stream.local.stream)));
            }
        }
    }

    /// Queues fill up, and peers disappear.
    fn weather(&mut self, input: &mut Input<'_>) {
        match input.byte() {
            room @ 0..100 => self.ground.net.set_send_room(Some(usize::from(room))),
            100..240 => self.ground.net.set_send_room(None),
            _ => self.ground.net.make_unreachable(address(PEERS[input.below(PEERS.len())])),
        }
    }

    fn command(&mut self, input: &mut Input<'_>) {
        let contexts = self.ground.controller.contexts(None, usize::MAX);
        let context = |input: &mut Input<'_>| match contexts.get(input.below(contexts.len() + 1)) {
            Some(context) => context.id,
            None => ContextId(u32::from(input.byte())),
        };
        let terminations: Vec<_> = contexts
            .iter()
            .flat_map(|context| &context.terminations)
            .map(|termination| termination.id)
            .collect();
        let termination = |input: &mut Input<'_>| match terminations.get(input.below(terminations.len() + 1))
        {
            Some(id) => *id,
            None => TerminationId(u32::from(input.byte())),
        };
        let command = match input.below(10) {
            0 => Command::CreateContext(attributes(input)),
            1 => Command::SetAttributes(context(input), attributes(input)),
            2 => Command::RemoveContext(context(input)),
            3 | 4 => Command::Add { context: context(input), streams: streams(input, &self.keys) },
            5 | 6 => Command::Modify { termination: termination(input), streams: streams(input, &self.keys) },
            7 => Command::Move {
                termination: termination(input),
                to: context(input),
                streams: if input.byte() & 1 == 0 { Vec::new() } else { streams(input, &self.keys) },
            },
            8 => Command::Subtract(termination(input)),
            _ => Command::ReadStatistics(termination(input)),
        };
        // What is refused, and that it changed nothing, is looked at by the ground.
        let _ = self.ground.execute(command);
        self.note_tainted();
    }

    /// What the workers have counted is what the network has seen.
    fn check_totals(&self) {
        let sum = |counter: fn(Leg, PacketKind) -> Counter| -> u64 {
            let pairs = Leg::ALL.into_iter().flat_map(|leg| PacketKind::ALL.map(|kind| (leg, kind)));
            pairs.map(|(leg, kind)| self.ground.count(counter(leg, kind))).sum()
        };
        assert_eq!(sum(Counter::Sent), self.delivered, "sent, and received by anybody");
        assert_eq!(sum(Counter::Consumed) + sum(Counter::Originated), 0, "nothing ends or begins here yet");
    }
}

fn is_stranger(source: SocketAddr) -> bool {
    STRANGERS.iter().any(|stranger| address(stranger) == source)
}

fn attributes(input: &mut Input<'_>) -> ContextAttributes {
    ContextAttributes { priority: input.byte(), emergency: input.byte() & 1 == 1 }
}

fn stream(realm: &str, transport: Transport, peer: &str) -> StreamSpec {
    StreamSpec {
        realm: RealmName::new(realm),
        mode: Mode::SendReceive,
        remote: Some(Remote { rtp: address(peer), rtcp: None }),
        ..StreamSpec::new(transport)
    }
}

fn streams(input: &mut Input<'_>, keys: &[CryptoAttribute]) -> Vec<(StreamId, StreamSpec)> {
    (0..input.below(5)).map(|_| (StreamId(1 + u16::from(input.byte() & 3)), spec(input, keys))).collect()
}

fn spec(input: &mut Input<'_>, keys: &[CryptoAttribute]) -> StreamSpec {
    let choices = input.word();
    let set = |bit: u16| choices >> bit & 1 == 1;
    let key = |input: &mut Input<'_>, given: bool| given.then(|| keys[input.below(keys.len())].clone());
    StreamSpec {
        realm: RealmName::new(input.one_of(&["access", "core", "", "nowhere"])),
        family: if set(0) { Some(input.one_of(&[Family::V4, Family::V6])) } else { None },
        local_address: if set(1) { Some(address(input.one_of(&PEERS)).ip()) } else { None },
        local_port: if set(2) {
            Some(input.one_of(&[ACCESS_PORT, CORE_PORT]) + u16::from(input.byte() & 63))
        } else {
            None
        },
        transport: input.one_of(&TRANSPORTS),
        mode: input.one_of(&[
            Mode::SendReceive,
            Mode::SendOnly,
            Mode::ReceiveOnly,
            Mode::Inactive,
            Mode::Loopback,
        ]),
        remote: if set(3) { Some(remote(input, set(4))) } else { None },
        rtcp: input.one_of(&[RtcpPorts::Pair, RtcpPorts::Mux, RtcpPorts::None]),
        security: Security { local: key(input, set(5)), remote: key(input, set(6)) },
        tcp: None,
        tls: None,
        ice: None,
        rtp: None,
        filter: if set(7) { filter(input) } else { SourceFilter::default() },
        policing: if set(12) { Some(policing(input)) } else { None },
        clock_rate_hz: if set(8) { Some(u32::from(input.byte()).pow(4)) } else { None },
        dscp: if set(9) { Some(input.byte()) } else { None },
        copy_dscp: set(13),
        watch: if set(14) { watch(input) } else { Watch::default() },
        latch: match choices >> 10 & 3 {
            0 => None,
            1 => Some(LatchAction::Off),
            2 => Some(LatchAction::Latch),
            _ => Some(LatchAction::Relatch),
        },
    }
}

fn remote(input: &mut Input<'_>, with_rtcp: bool) -> Remote {
    let mut rtp = address(input.one_of(&PEERS));
    if input.byte() == 0xff {
        rtp.set_port(0);
    }
    Remote { rtp, rtcp: if with_rtcp { Some(address(input.one_of(&PEERS))) } else { None } }
}

fn watch(input: &mut Input<'_>) -> Watch {
    let mut watch = Watch::default();
    watch.set(input.one_of(&Way::ALL), input.word().into());
    watch
}

fn policing(input: &mut Input<'_>) -> Policing {
    let sustained = SustainedRate { bytes_per_second: input.word().into(), burst_bytes: input.word().into() };
    let peak = PeakRate {
        bytes_per_second: u32::from(input.word()) << 8,
        tolerance_tenth_us: u32::from(input.word()) << 8,
    };
    let parts = input.byte();
    Policing::new(
        (parts & 1 == 0).then_some(sustained),
        (parts & 2 != 0).then_some(peak),
        (parts & 4 != 0).then_some(u32::from(parts)),
    )
}

fn filter(input: &mut Input<'_>) -> SourceFilter {
    let shape = input.byte();
    let masks: Vec<_> = (0..shape >> 4 & 3)
        .filter_map(|_| AddressMask::new(address(input.one_of(&PEERS)).ip(), input.byte()))
        .collect();
    let ranges: Vec<_> = (0..shape >> 6).filter_map(|_| PortRange::new(input.word(), input.word())).collect();
    SourceFilter {
        addresses: match shape & 3 {
            0 => SourceRule::Any,
            1 => SourceRule::Peer,
            _ => SourceRule::listed(masks),
        },
        ports: match shape >> 2 & 3 {
            0 => SourceRule::Any,
            1 => SourceRule::Peer,
            _ => SourceRule::listed(ranges),
        },
    }
}
