//! The whole gateway's end of Iq over the real controller and a worker: messages of any bytes, over UDP and in pieces over TCP, from
//! controllers and strangers, with time, slow workers, lost connections and media in between.
//!
//! Nothing panics; a stranger is not answered and changes nothing; every request that can be read is answered exactly once; a command
//! that is refused changes nothing (IQ-4); what the view of H.248 and the model hold is the same and bounded; what is printed for people
//! holds no key, and a reply only one that its own request has set (SRTP-12).
//!
//! An input is records, parted by 0x1E; the first byte says what a record is, and one that begins with anything printable is a message
//! as it stands. Some octets below 8 stand for what a fuzzer cannot know ([`expand`]), so that a seed can tell a whole call.
#![no_main]

use agw_core::model::RealmName;
use agw_iq::ast::{ActionRequest, Body, Mid, Transaction, TransactionId};
use agw_iq::config::{Controller, ControllerTransport, IqConfig};
use agw_iq::errors::TransactionKind;
use agw_iq::package::realm::Realms;
use agw_iq::secret::redact;
use agw_iq::text::{Parsed, Style, parse, parse_strictly};
use agw_iq::transport::tcp::frame;
use agw_iq::transport::{ConnectionId, Link, Peer, SocketId};
use agw_iq::{ConnectionRequest, Encoding, Farewell, Form, MediaGateway};
use fuzz::ground::{Ground, MAX_CONTEXTS, Snapshot};
use libfuzzer_sys::fuzz_target;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

const RECORD_END: u8 = 0x1e;
const MAX_RECORDS: usize = 64;
/// Keys that are in an input only as octets 1 to 3, so that nothing but a key is ever taken for one.
const KEYS: [&str; 3] = [
    "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
    "NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj",
    "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ=",
];
const CONTROLLERS: [([u8; 4], u16); 2] = [([127, 0, 0, 1], 2944), ([127, 0, 0, 2], 2944)];
const STRANGER: ([u8; 4], u16) = ([192, 0, 2, 66], 2944);
/// Longer than the workers may take over a transaction.
const LONGER_THAN_EXECUTION: Duration = Duration::from_secs(11);
const MAX_ROUNDS: usize = 400;

struct Lab {
    ground: Ground,
    iq: MediaGateway,
    /// No controllers are configured.
    free: bool,
    /// The workers do nothing.
    slow: bool,
    /// Connections are refused.
    unreachable: bool,
    connections: BTreeMap<ConnectionId, (SocketAddr, Stream)>,
    next_connection: u64,
    next_id: TransactionId,
    /// What the gateway asked last.
    asked: TransactionId,
    expected: BTreeMap<(Peer, TransactionId), Expected>,
    /// The transactions that keys came with.
    keyed: BTreeSet<TransactionId>,
    errors: u64,
}

/// What came in under one number, and what went out.
#[derive(Debug, Default)]
struct Expected {
    requests: u64,
    unreadable: u64,
    replies: u64,
}

/// What of a connection's bytes is no message yet.
#[derive(Debug, Default)]
struct Stream {
    held: Vec<u8>,
    broken: bool,
}

fuzz_target!(|input: &[u8]| {
    // The fuzzer sees what is compared, and learns the keys by that.
    if holds_key(&String::from_utf8_lossy(input)) {
        return;
    }
    let mut lab = Lab::new(input.first() != Some(&0x1a));
    for record in input.split(|byte| *byte == RECORD_END).take(MAX_RECORDS) {
        lab.record(record);
        lab.settle();
        lab.check();
    }
    lab.finish();
});

fn now(ground: &Ground) -> Duration {
    Duration::from_micros(ground.net.now().0)
}

impl Lab {
    fn new(free: bool) -> Self {
        let ground = Ground::new(1, 64);
        let mut config = IqConfig::new(Mid::from_socket(([192, 0, 2, 20], 2944).into()));
        config.realms = Realms::new(["access", "core"].into_iter().filter_map(RealmName::new).collect());
        config.trace = true;
        config.inbound.max_reply_bytes = 1 << 14;
        config.inbound.max_transactions = 48;
        if !free {
            let transports = [ControllerTransport::Udp, ControllerTransport::Tcp];
            config.controllers = transports
                .into_iter()
                .zip(CONTROLLERS)
                .map(|(transport, address)| Controller {
                    transport,
                    place: SocketAddr::from(address).into(),
                    encoding: Encoding::Text(Style::Compact),
                    name: Some("mgc.example".to_owned()),
                })
                .collect();
        }
        let iq = MediaGateway::new(config, now(&ground), 7);
        Self {
            ground,
            iq,
            free,
            slow: false,
            unreachable: false,
            connections: BTreeMap::new(),
            next_connection: 1,
            next_id: 1000,
            asked: 0,
            expected: BTreeMap::new(),
            keyed: BTreeSet::new(),
            errors: 0,
        }
    }

    fn record(&mut self, record: &[u8]) {
        let (kind, rest) = record.split_first().map_or((b' ', record), |(kind, rest)| (*kind, rest));
        let number = usize::from(rest.first().copied().unwrap_or_default());
        match kind {
            0x10 => self.tcp(number, rest.get(1..).unwrap_or_default(), false),
            0x11 => self.tcp(number, rest.get(1..).unwrap_or_default(), true),
            0x12 => self.stranger(rest),
            0x13 => self.pass(Duration::from_millis(number as u64 * number as u64)),
            0x14 => self.slow = !self.slow,
            0x15 => self.unreachable = !self.unreachable,
            0x16 => self.lose(number),
            0x17 => self.datagram(CONTROLLERS[1].into(), rest),
            0x18 => self.leave(number),
            0x19 => self.media(number),
            // What comes before the first record that is one, as 0x1A does that chose the configuration.
            0x1a => self.datagram(CONTROLLERS[0].into(), rest),
            _ => self.datagram(CONTROLLERS[0].into(), record),
        }
    }

    /// The octets that stand for what a fuzzer cannot know: 1 to 3 a key, 4 a new transaction's number, 5 the number of what the gateway
    /// asked last, 6 a context and 7 a termination, each with the octet behind it saying which.
    fn expand(&mut self, record: &[u8]) -> Vec<u8> {
        let contexts = self.ground.controller.contexts(None, usize::MAX);
        let terminations: Vec<String> = contexts
            .iter()
            .flat_map(|context| &context.terminations)
            .map(|termination| {
                let realm =
                    termination.streams.first().map_or("access", |stream| stream.local.realm.as_str());
                format!("ip/1/{realm}/{}", termination.id)
            })
            .collect();
        let nth = |number: u8, of: usize| usize::from(number.wrapping_sub(b'0')).checked_rem(of);
        let mut message = Vec::with_capacity(record.len());
        let mut octets = record.iter().copied();
        while let Some(octet) = octets.next() {
            match octet {
                1..=3 => message.extend(format!("inline:{}", KEYS[usize::from(octet) - 1]).bytes()),
                4 => {
                    self.next_id += 1;
                    message.extend(self.next_id.to_string().bytes());
                }
                5 => message.extend(self.asked.to_string().bytes()),
                6 => {
                    let chosen = nth(octets.next().unwrap_or_default(), contexts.len());
                    let chosen = chosen.map_or(1, |at| contexts[at].id.0);
                    message.extend(chosen.to_string().bytes());
                }
                7 => {
                    let chosen = nth(octets.next().unwrap_or_default(), terminations.len());
                    message.extend(chosen.map_or("ip/1/access/1", |at| &terminations[at]).bytes());
                }
                other => message.push(other),
            }
        }
        message
    }

    fn datagram(&mut self, from: SocketAddr, record: &[u8]) {
        let message = self.expand(record);
        let idle = !self.slow && !self.is_executing();
        let parsed = self.expect(Peer::udp(from), &message);
        let alone = parsed.as_ref().is_some_and(|parsed| idle && is_one_command(parsed));
        let before = alone.then(|| (self.snapshot(), self.errors));
        self.iq.handle_datagram(now(&self.ground), SocketId(0), from, &message, &mut self.ground);
        self.settle();
        if let Some((before, errors)) = before
            && self.errors > errors
        {
            let after = self.snapshot();
            assert_eq!(after.0, before.0, "IQ-4: {parsed:?} was refused and changed something");
            if !after.1.is_empty() && !before.1.is_empty() {
                assert_eq!(after.1, before.1, "IQ-4: {parsed:?} was refused and changed what is shown");
            }
        }
    }

    /// A message is about to come; its requests will have to be answered.
    fn expect(&mut self, peer: Peer, message: &[u8]) -> Option<Parsed> {
        let holds_key = holds_key(&String::from_utf8_lossy(message));
        let parsed = parse(message).ok()?;
        for error in parsed.errors.iter().filter(|error| error.kind == TransactionKind::Request) {
            self.expected.entry((peer, error.transaction.unwrap_or(0))).or_default().unreadable += 1;
        }
        if let Body::Transactions(transactions) = &parsed.message.body {
            for transaction in transactions {
                let Transaction::Request(request) = transaction else { continue };
                self.expected.entry((peer, request.id)).or_default().requests += 1;
                if holds_key {
                    self.keyed.insert(request.id);
                }
            }
        }
        Some(parsed)
    }

    /// Everything that a refused command must leave as it was: the model, and what an audit shows of it.
    fn snapshot(&mut self) -> (Snapshot, String) {
        let auditor: SocketAddr = ([127, 0, 0, 1], 9).into();
        self.next_id += 1;
        let id = self.next_id;
        let audit = format!("!/2 [127.0.0.1]:9 T={id}{{C=*{{AV=*{{AT{{M,E,SG}}}}}}}}");
        self.iq.handle_datagram(now(&self.ground), SocketId(9), auditor, audit.as_bytes(), &mut self.ground);
        let mut shown = String::new();
        while let Some(transmit) = self.iq.poll_transmit() {
            shown.push_str(&String::from_utf8_lossy(&transmit.bytes));
        }
        assert!(!holds_key(&shown), "an audit shows a key");
        if shown.contains("ER=511") {
            // No more transactions are remembered; then the model alone has to tell.
            shown.clear();
        }
        (self.ground.snapshot(), shown.replace(&format!("={id}{{"), "={"))
    }

    fn stranger(&mut self, record: &[u8]) {
        let message = self.expand(record);
        let before = self.ground.snapshot();
        self.iq.handle_datagram(now(&self.ground), SocketId(0), STRANGER.into(), &message, &mut self.ground);
        // A controller may have handed over to anybody.
        if self.free {
            assert!(self.iq.poll_transmit().is_none(), "a stranger was answered");
            assert_eq!(self.ground.snapshot(), before, "a stranger has changed something");
            assert!(!self.iq.handle_accepted(Link::Tcp(ConnectionId(0)), Form::Text, STRANGER.into()));
        }
    }

    /// Bytes on a connection, as they are or as one packet.
    fn tcp(&mut self, number: usize, record: &[u8], whole: bool) {
        let mut bytes = self.expand(record);
        if whole {
            let Some(framed) = frame(&bytes) else { return };
            bytes = framed.to_vec();
        }
        let Some(connection) = self.connection(number) else { return };
        // Cut in two, so that headers and messages come in pieces.
        let (first, second) = bytes.split_at(bytes.len() / 3);
        for piece in [first, second] {
            let Some((address, mut stream)) = self.connections.remove(&connection) else { return };
            stream.held.extend(piece);
            while let Some(message) = stream.take() {
                self.expect(Peer::tcp(connection, address), &message);
            }
            let broken = stream.broken;
            self.connections.insert(connection, (address, stream));
            self.iq.handle_tcp_bytes(now(&self.ground), connection, piece, &mut self.ground);
            self.settle();
            assert!(
                !broken || !self.connections.contains_key(&connection),
                "what is no TPKT is not followed"
            );
        }
    }

    /// A connection that is there, or a new one.
    fn connection(&mut self, number: usize) -> Option<ConnectionId> {
        let known = number.checked_rem(self.connections.len() + 1)?;
        if let Some(connection) = self.connections.keys().nth(known) {
            return Some(*connection);
        }
        let from: SocketAddr = CONTROLLERS[number & 1].into();
        let connection = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let taken = self.iq.handle_accepted(Link::Tcp(connection), Form::Text, from);
        taken.then(|| self.connections.insert(connection, (from, Stream::default())));
        taken.then_some(connection)
    }

    fn lose(&mut self, number: usize) {
        let Some(connection) = self.connections.keys().nth(number).copied() else { return };
        self.connections.remove(&connection);
        self.iq.handle_connection_lost(now(&self.ground), connection);
    }

    fn leave(&mut self, number: usize) {
        let now = now(&self.ground);
        match number % 4 {
            0 => self.iq.stay(now),
            1 => self.iq.leave(now, Farewell::Forced { failing: number & 4 != 0 }),
            _ => self.iq.leave(now, Farewell::Graceful { delay_s: Some(number as u32) }),
        }
    }

    /// Every peer that is known sends RTP, so that keys are used up.
    fn media(&mut self, number: usize) {
        let contexts = self.ground.controller.contexts(None, usize::MAX);
        let terminations = contexts.into_iter().flat_map(|context| context.terminations);
        for stream in terminations.flat_map(|termination| termination.streams) {
            let Some(remote) =
                stream.remote.filter(|remote| remote.rtp.is_ipv4() == stream.local.rtp.is_ipv4())
            else {
                continue;
            };
            let ours = self.ground.controller.local_addresses();
            if ours.iter().any(|(address, _)| *address == remote.rtp.ip()) {
                continue;
            }
            let peer = self.ground.net.endpoint(remote.rtp);
            for sequence in 0..number as u8 & 15 {
                peer.send(stream.local.rtp, &[0x80, 8, number as u8, sequence, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6]);
            }
            while peer.receive().is_some() {}
        }
    }

    /// Time passes, and everybody does what is due.
    fn pass(&mut self, time: Duration) {
        let end = now(&self.ground) + time;
        for _ in 0..MAX_ROUNDS {
            let Some(due) = self.iq.poll_timeout().filter(|due| *due <= end) else { break };
            let wait = due.saturating_sub(now(&self.ground)).max(Duration::from_millis(1));
            self.ground.advance(wait);
            self.timeout();
            self.settle();
        }
        self.ground.advance(end.saturating_sub(now(&self.ground)));
    }

    fn timeout(&mut self) {
        let now = now(&self.ground);
        self.iq.handle_timeout(now, &mut self.ground);
        assert!(self.iq.poll_timeout().is_none_or(|next| next > now), "a timer that is never done");
    }

    /// Until nobody has anything to do: workers, the gateway, its connections.
    fn settle(&mut self) {
        for _ in 0..MAX_ROUNDS {
            let mut quiet = true;
            while let Some(request) = self.iq.poll_connection() {
                quiet = false;
                self.connect(&request);
            }
            while let Some(transmit) = self.iq.poll_transmit() {
                quiet = false;
                let message =
                    if transmit.to.link.is_reliable() { &transmit.bytes[4..] } else { &transmit.bytes[..] };
                self.sent(transmit.to, message);
            }
            if self.iq.poll_timeout().is_some_and(|due| due <= now(&self.ground)) {
                quiet = false;
                self.timeout();
            }
            if !self.slow {
                quiet &= self.ground.controller.counts().unconfirmed_orders == 0;
                self.ground.turn();
                while let Some(event) = self.ground.event() {
                    quiet = false;
                    self.iq.handle_event(now(&self.ground), event, &mut self.ground);
                }
            }
            if quiet {
                return;
            }
        }
        panic!("it never comes to rest");
    }

    fn connect(&mut self, request: &ConnectionRequest) {
        match *request {
            ConnectionRequest::Close(connection) => {
                self.connections.remove(&connection);
            }
            ConnectionRequest::Open { to, .. } if self.unreachable => {
                self.iq.handle_connect_failed(now(&self.ground), to);
            }
            ConnectionRequest::Open { to, .. } => {
                let connection = ConnectionId(self.next_connection);
                self.next_connection += 1;
                self.connections.insert(connection, (to, Stream::default()));
                self.iq.handle_connected(now(&self.ground), connection, to);
            }
        }
    }

    /// The gateway has said something.
    fn sent(&mut self, to: Peer, message: &[u8]) {
        let said = parse_strictly(message).expect("what we say can be read");
        // Keys stand in session descriptions only, which do not show them.
        assert!(!holds_key(&format!("{said:?}")), "a key outside of a session description");
        let keys = holds_key(&String::from_utf8_lossy(message));
        let Body::Transactions(transactions) = said.body else {
            assert!(!keys);
            return;
        };
        for transaction in transactions {
            match transaction {
                Transaction::Reply(reply) => {
                    assert!(!keys || self.keyed.contains(&reply.id), "a key for somebody who has set none");
                    let expected = self.expected.entry((to, reply.id)).or_default();
                    expected.replies += 1;
                    self.errors += u64::from(format!("{:?}", reply.body).contains("ErrorDescriptor"));
                }
                Transaction::Request(request) => {
                    assert!(!keys);
                    self.asked = request.id;
                }
                Transaction::Pending(_) | Transaction::Ack(_) | Transaction::SegmentReply { .. } => {
                    assert!(!keys);
                }
            }
        }
    }

    fn is_executing(&self) -> bool {
        self.expected.values().any(|expected| expected.requests > 0 && expected.replies == 0)
    }

    /// What holds at any time.
    fn check(&mut self) {
        let counts = self.ground.controller.counts();
        let (contexts, terminations) = self.iq.size();
        assert_eq!(contexts, counts.contexts, "the view and the model");
        assert_eq!(terminations, counts.terminations.iter().sum::<usize>(), "the view and the model");
        assert!(contexts <= MAX_CONTEXTS && terminations <= 2 * MAX_CONTEXTS);
        while let Some(entry) = self.iq.poll_trace() {
            assert!(!holds_key(&entry.text), "the trace shows a key");
            assert_eq!(redact(&entry.text), entry.text, "nothing is left to blank");
        }
    }

    fn finish(mut self) {
        assert!(!holds_key(&format!("{:?}", self.iq)), "Debug shows a key");
        self.slow = false;
        self.settle();
        self.pass(LONGER_THAN_EXECUTION);
        self.check();
        for (who, Expected { requests, unreadable, replies }) in &self.expected {
            let least = unreadable + u64::from(*requests > 0);
            assert!(
                (least..=unreadable + requests).contains(replies),
                "{who:?}: {requests} requests, {unreadable} unreadable, {replies} replies"
            );
        }
        self.ground.finish();
    }
}

impl Stream {
    /// The next message, by reading the whole stream.
    fn take(&mut self) -> Option<Vec<u8>> {
        let version = *self.held.first()?;
        let length = match *self.held.as_slice() {
            [3, _, high, low, ..] => usize::from(high) * 256 + usize::from(low),
            _ => 5,
        };
        self.broken = version != 3 || length < 5;
        if self.broken || self.held.len() < length.max(5) {
            return None;
        }
        let later = self.held.split_off(length);
        Some(std::mem::replace(&mut self.held, later).split_off(4))
    }
}

fn holds_key(text: &str) -> bool {
    KEYS.iter().any(|key| text.contains(key))
}

/// Whether a message is one command for one termination and nothing else.
fn is_one_command(parsed: &Parsed) -> bool {
    let Body::Transactions(transactions) = &parsed.message.body else { return false };
    let [Transaction::Request(request)] = transactions.as_slice() else { return false };
    let [ActionRequest { properties, audit: None, commands, .. }] = request.actions.as_slice() else {
        return false;
    };
    let [command] = commands.as_slice() else { return false };
    let [termination] = command.terminations.as_slice() else { return false };
    parsed.errors.is_empty() && properties.is_empty() && !termination.has_all()
}
