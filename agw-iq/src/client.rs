//! The controller's end of Iq, small: for the demo, the load test and `agw iq send`.
//!
//! A [`Client`] sends requests, repeats them over UDP until they are answered, matches replies by transaction, acknowledges what the
//! gateway wants acknowledged and answers its Notify and ServiceChange with what a friendly controller says. It shares the codec and
//! the timers with the gateway and none of its state. Like everything here it does no I/O: feed it with `handle_`, drain it with `poll_`.

use crate::ast::*;
use crate::ber::Naming;
use crate::encoding::Encoding;
use crate::errors::ErrorCode;
use crate::random::Random;
use crate::text::Style;
use crate::transaction::inbound::{Arrival, InboundLimits, InboundTable};
use crate::transaction::outbound::{Expired, Outbound};
use crate::transport::tcp::{Deframer, FramingError};
use crate::transport::udp::RetransmissionLimits;
use crate::transport::{Now, Peer, Transmit};
use std::collections::VecDeque;
use std::time::Duration;

/// The most acknowledgements that wait for a request to travel with.
const MAX_WAITING_ACKS: usize = 32;
/// The most that is kept of what the gateway asked.
const GATEWAY_REQUESTS: InboundLimits = InboundLimits { max_reply_bytes: 1 << 20, max_transactions: 20_000 };

/// How a client talks.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// The gateway.
    pub gateway: Peer,
    /// What the client calls itself.
    pub mid: Mid,
    /// Protocol version, 1 to 3.
    pub version: u8,
    /// How it writes, and what it reads.
    pub encoding: Encoding,
    /// How terminations are named in binary messages.
    pub naming: Naming,
    /// Repetition over UDP.
    pub retransmission: RetransmissionLimits,
    /// Acknowledges replies along with later requests, so that the gateway can free them.
    pub acknowledge: bool,
}

impl ClientConfig {
    /// Version 2, short tokens, acknowledging, the usual timers.
    pub fn new(gateway: Peer, mid: Mid) -> Self {
        Self {
            gateway,
            mid,
            version: 2,
            encoding: Encoding::Text(Style::Compact),
            naming: Naming::default(),
            retransmission: RetransmissionLimits::default(),
            acknowledge: true,
        }
    }
}

/// What has happened.
#[derive(Debug, PartialEq)]
pub enum ClientEvent {
    /// A request was answered.
    Reply {
        /// Which.
        id: TransactionId,
        /// The answer.
        body: ReplyBody,
        /// From its first sending.
        after: Duration,
    },
    /// Nobody answered a request in time.
    Unanswered(TransactionId),
    /// The gateway has asked something, and has been answered.
    Request(TransactionRequest),
    /// The gateway could not read a message of ours.
    Refused(ErrorDescriptor),
    /// The gateway sent what we cannot read.
    Unreadable(ErrorDescriptor),
}

/// A controller that talks to one gateway.
#[derive(Debug)]
pub struct Client {
    config: ClientConfig,
    random: Random,
    requests: Outbound<()>,
    gateway_requests: InboundTable,
    deframer: Deframer,
    acks: VecDeque<TransactionId>,
    transmits: VecDeque<Transmit>,
    events: VecDeque<ClientEvent>,
}

impl Client {
    /// A client that has said nothing yet. The seed decides where transaction identifiers begin, and the jitter.
    pub fn new(config: ClientConfig, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let first_id = (random.next_u64() >> 33) as u32 | 1;
        Self {
            requests: Outbound::new(config.retransmission, first_id),
            random,
            config,
            gateway_requests: InboundTable::new(GATEWAY_REQUESTS),
            deframer: Deframer::default(),
            acks: VecDeque::new(),
            transmits: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Sends a request; the number under which its reply will come. `None` when the encoding has no form for it, or the transport cannot
    /// carry it.
    pub fn request(&mut self, now: Now, actions: Vec<ActionRequest>) -> Option<TransactionId> {
        let id = self.requests.take_id();
        let mut transactions = Vec::with_capacity(2);
        let acks = self.take_acks();
        if !acks.is_empty() {
            transactions.push(Transaction::Ack(acks));
        }
        transactions.push(Transaction::Request(TransactionRequest { id, actions }));
        let transmit = self.framed(Body::Transactions(transactions))?;
        self.requests.sent(now, id, transmit.to, transmit.bytes.clone(), (), &mut self.random);
        self.transmits.push_back(transmit);
        Some(id)
    }

    /// How many requests are not answered.
    pub fn unanswered(&self) -> usize {
        self.requests.len()
    }

    /// Whether nothing is waited for.
    pub fn is_idle(&self) -> bool {
        self.requests.is_empty()
    }

    /// Waits no longer for the answer to a request. Whether it was waited for.
    pub fn abandon(&mut self, id: TransactionId) -> bool {
        self.requests.abandon(id).is_some()
    }

    /// The connection to the gateway is lost: nothing that was asked will be answered. Later requests go to `gateway`.
    pub fn handle_connection_lost(&mut self, gateway: Peer) {
        self.config.gateway = gateway;
        self.deframer = Deframer::default();
        for (id, ()) in self.requests.abandon_all(|_| true) {
            self.events.push_back(ClientEvent::Unanswered(id));
        }
    }

    /// A datagram has come from the gateway.
    pub fn handle_datagram(&mut self, now: Now, bytes: &[u8]) {
        self.handle_message(now, bytes);
    }

    /// A whole message has come from the gateway, as SCTP brings it.
    pub fn handle_sctp_message(&mut self, now: Now, bytes: &[u8]) {
        self.handle_message(now, bytes);
    }

    /// Bytes have come on the connection to the gateway, over TCP with or without TLS.
    ///
    /// # Errors
    /// The stream cannot be followed any more; the connection should be closed.
    pub fn handle_tcp_bytes(&mut self, now: Now, bytes: &[u8]) -> Result<(), FramingError> {
        let mut deframer = std::mem::take(&mut self.deframer);
        let result = deframer.feed(bytes, |message| self.handle_message(now, message));
        self.deframer = deframer;
        result
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        self.gateway_requests.expire(now);
        while let Some(expired) = self.requests.expire(now, &mut self.random) {
            match expired {
                Expired::Repeat(to, bytes) => self.transmits.push_back(Transmit { to, bytes }),
                Expired::GivenUp(id, ..) => self.events.push_back(ClientEvent::Unanswered(id)),
            }
        }
    }

    /// When to call [`Client::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Now> {
        [self.requests.next_timer(), self.gateway_requests.next_expiry()].into_iter().flatten().min()
    }

    /// The next thing to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next thing that has happened.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.pop_front()
    }

    fn handle_message(&mut self, now: Now, bytes: &[u8]) {
        let parsed = match self.config.encoding.form().parse(bytes, &self.config.naming) {
            Ok(parsed) => parsed,
            Err(error) => {
                self.events.push_back(ClientEvent::Unreadable(ErrorDescriptor::from(&error.error)));
                return;
            }
        };
        for error in &parsed.errors {
            self.events.push_back(ClientEvent::Unreadable(ErrorDescriptor::from(&error.error)));
        }
        match parsed.message.body {
            Body::Error(error) => self.events.push_back(ClientEvent::Refused(error)),
            Body::Transactions(transactions) => {
                for transaction in transactions {
                    self.handle_transaction(now, transaction);
                }
            }
        }
    }

    fn handle_transaction(&mut self, now: Now, transaction: Transaction) {
        let from = self.config.gateway.address;
        match transaction {
            Transaction::Request(request) => self.handle_request(now, request),
            Transaction::Reply(reply) => {
                let Some(answered) = self.requests.answered(now, reply.id, from.ip()) else {
                    // A repeated reply: our acknowledgement was lost.
                    if reply.immediate_ack {
                        self.acknowledge(reply.id);
                    }
                    return;
                };
                if reply.immediate_ack || answered.was_pending {
                    self.acknowledge(reply.id);
                } else if self.config.acknowledge && self.acks.len() < MAX_WAITING_ACKS {
                    self.acks.push_back(reply.id);
                }
                let event = ClientEvent::Reply { id: reply.id, body: reply.body, after: answered.after };
                self.events.push_back(event);
            }
            Transaction::Pending(id) => {
                self.requests.pending(now, id, from.ip());
            }
            Transaction::Ack(ranges) => {
                for range in ranges {
                    self.gateway_requests.acknowledge(self.config.gateway, range);
                }
            }
            Transaction::SegmentReply { .. } => {}
        }
    }

    fn handle_request(&mut self, now: Now, request: TransactionRequest) {
        let key = (self.config.gateway, request.id);
        match self.gateway_requests.arrive(key) {
            Arrival::New => {}
            Arrival::Answered(bytes) => {
                self.transmits.push_back(Transmit { to: self.config.gateway, bytes });
                return;
            }
            Arrival::Executing | Arrival::Forgotten | Arrival::Full => return,
        }
        let body = ReplyBody::Actions(request.actions.iter().map(|action| self.friendly(action)).collect());
        let reply = TransactionReply { id: request.id, immediate_ack: false, segment: None, body };
        if let Some(transmit) = self.framed(Body::Transactions(vec![Transaction::Reply(reply)])) {
            self.gateway_requests.answer(now, key, transmit.bytes.clone());
            self.transmits.push_back(transmit);
        }
        self.events.push_back(ClientEvent::Request(request));
    }

    /// What a controller says that agrees with everything.
    fn friendly(&self, action: &ActionRequest) -> ActionReply {
        let reply = |command: &CommandRequest| {
            let result = match &command.command {
                Command::Notify(_) => CommandResult::Notify(None),
                Command::ServiceChange(change) => {
                    let version = change.version.map(|offered| offered.min(self.config.version));
                    CommandResult::ServiceChange(match version {
                        None => ServiceChangeResult::Accepted,
                        Some(_) => ServiceChangeResult::Parms(Box::new(ServiceChangeReply {
                            version,
                            ..ServiceChangeReply::default()
                        })),
                    })
                }
                other => not_for_controllers(other.verb()),
            };
            CommandReply { terminations: command.terminations.clone(), result }
        };
        ActionReply {
            context: action.context,
            properties: ContextProperties::default(),
            commands: action.commands.iter().map(reply).collect(),
            error: None,
        }
    }

    fn acknowledge(&mut self, id: TransactionId) {
        let ack = Transaction::Ack(vec![AckRange { first: id, last: id }]);
        if let Some(transmit) = self.framed(Body::Transactions(vec![ack])) {
            self.transmits.push_back(transmit);
        }
    }

    /// The waiting acknowledgements as ranges.
    fn take_acks(&mut self) -> Vec<AckRange> {
        let mut ids: Vec<_> = self.acks.drain(..).collect();
        ids.sort_unstable();
        let mut ranges: Vec<AckRange> = Vec::new();
        for id in ids {
            match ranges.last_mut() {
                Some(range) if id <= range.last.saturating_add(1) => range.last = id,
                _ => ranges.push(AckRange { first: id, last: id }),
            }
        }
        ranges
    }

    fn framed(&self, body: Body) -> Option<Transmit> {
        let mid = self.config.mid.clone();
        let message = Message { auth: None, version: self.config.version, mid, body };
        Transmit::framed(
            self.config.gateway,
            &self.config.encoding.print(&message, &self.config.naming).ok()?,
        )
    }
}

fn not_for_controllers(verb: Verb) -> CommandResult {
    let error = ErrorDescriptor::new(ErrorCode::UNKNOWN_COMMAND);
    let refused = vec![AuditReturn::Error(error.clone())];
    match verb {
        Verb::Add => CommandResult::Add(refused),
        Verb::Move => CommandResult::Move(refused),
        Verb::Modify => CommandResult::Modify(refused),
        Verb::Subtract => CommandResult::Subtract(refused),
        Verb::AuditValue => CommandResult::AuditValue(AuditResult::Termination(refused)),
        Verb::AuditCapability => CommandResult::AuditCapability(AuditResult::Termination(refused)),
        Verb::Notify => CommandResult::Notify(Some(error)),
        Verb::ServiceChange => CommandResult::ServiceChange(ServiceChangeResult::Error(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Now = Duration::from_secs(50);

    fn client(style: Style) -> Client {
        let gateway = Peer::udp(([192, 0, 2, 20], 2944).into());
        let mid = Mid::Domain { name: "mgc.test".into(), port: None };
        Client::new(ClientConfig { encoding: Encoding::Text(style), ..ClientConfig::new(gateway, mid) }, 1)
    }

    fn audit() -> Vec<ActionRequest> {
        let command =
            CommandRequest::new(TerminationId::Root, Command::AuditValue(AuditDescriptor::default()));
        vec![ActionRequest {
            context: ContextId::Null,
            properties: ContextProperties::default(),
            audit: None,
            commands: vec![command],
        }]
    }

    fn sent(client: &mut Client) -> String {
        let transmit = client.poll_transmit().expect("something to send");
        String::from_utf8(transmit.bytes.to_vec()).expect("text")
    }

    fn id_of(text: &str) -> &str {
        text.split("T=").nth(1).and_then(|rest| rest.split('{').next()).expect("a request")
    }

    #[test]
    fn a_reply_is_matched_and_acknowledged_with_the_next_request() {
        let mut client = client(Style::Compact);
        let id = client.request(START, audit()).expect("fits");
        let text = sent(&mut client);
        assert_eq!(text, format!("!/2 <mgc.test> T={id}{{C=-{{AV=ROOT{{AT{{}}}}}}}}"));
        let reply = format!("!/2 [192.0.2.20]:2944 P={id}{{C=-{{AV=ROOT}}}}");
        client.handle_datagram(START + Duration::from_millis(7), reply.as_bytes());
        match client.poll_event() {
            Some(ClientEvent::Reply { id: answered, body: ReplyBody::Actions(actions), after }) => {
                assert_eq!((answered, actions.len(), after), (id, 1, Duration::from_millis(7)));
            }
            other => panic!("{other:?}"),
        }
        client.handle_datagram(START, reply.as_bytes());
        assert_eq!(client.poll_event(), None, "a repeated reply is nothing new");
        client.request(START, audit());
        assert!(sent(&mut client).contains(&format!("K{{{id}}}")));
    }

    #[test]
    fn silence_is_met_with_repetition_then_reported() {
        let mut client = client(Style::Compact);
        let id = client.request(START, audit()).expect("fits");
        let first = sent(&mut client);
        let mut repeats = 0;
        let ended = loop {
            client.handle_timeout(client.poll_timeout().expect("waiting"));
            while let Some(again) = client.poll_transmit() {
                assert_eq!(*again.bytes, *first.as_bytes());
                repeats += 1;
            }
            if let Some(event) = client.poll_event() {
                break event;
            }
        };
        assert_eq!((ended, repeats), (ClientEvent::Unanswered(id), 7));
    }

    #[test]
    fn an_immediate_acknowledgement_is_given_each_time_it_is_asked_for() {
        let mut client = client(Style::Compact);
        client.request(START, audit());
        let id = id_of(&sent(&mut client)).to_owned();
        let reply = format!("!/2 [192.0.2.20]:2944 P={id}{{IA,C=-{{AV=ROOT}}}}");
        for _ in 0..2 {
            client.handle_datagram(START, reply.as_bytes());
            assert_eq!(sent(&mut client), format!("!/2 <mgc.test> K{{{id}}}"));
        }
    }

    #[test]
    fn what_the_gateway_asks_is_answered_once_and_repeated_on_demand() {
        let mut client = client(Style::Compact);
        let restart = b"!/2 [192.0.2.20]:2944 T=9{C=-{SC=ROOT{SV{MT=RS,RE=\"901 Cold boot\",V=3}}}}";
        client.handle_datagram(START, restart);
        client.handle_datagram(START, restart);
        let first = sent(&mut client);
        assert_eq!(first, "!/2 <mgc.test> P=9{C=-{SC=ROOT{SV{V=2}}}}");
        assert_eq!(sent(&mut client), first);
        assert!(matches!(client.poll_event(), Some(ClientEvent::Request(_))));
        assert_eq!(client.poll_event(), None);
    }

    #[test]
    fn over_tcp_messages_are_framed_both_ways() {
        let gateway = Peer::tcp(crate::transport::ConnectionId(1), ([192, 0, 2, 20], 2944).into());
        let mut client = Client::new(ClientConfig::new(gateway, Mid::Device("mgc".into())), 1);
        let id = client.request(START, audit()).expect("fits");
        let transmit = client.poll_transmit().expect("sent");
        assert_eq!(transmit.bytes[..2], [3, 0]);
        let reply = crate::transport::tcp::frame(format!("!/2 gw P={id}{{C=-{{AV=ROOT}}}}").as_bytes())
            .expect("fits");
        let (head, tail) = reply.split_at(9);
        client.handle_tcp_bytes(START, head).expect("well framed");
        assert_eq!(client.poll_event(), None);
        client.handle_tcp_bytes(START, tail).expect("well framed");
        assert!(matches!(client.poll_event(), Some(ClientEvent::Reply { .. })));
        assert!(client.handle_tcp_bytes(START, b"GET /").is_err());
    }
}
