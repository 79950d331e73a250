//! The gateway's end of Iq, whole and without I/O.
//!
//! A [`MediaGateway`] is fed with what arrives and with the time (`handle_` functions) and drained of what is to be done (`poll_` functions):
//! after any `handle_` call, call each `poll_` until it returns `None`. Commands reach the model through the [`Gateway`] that each
//! `handle_` call is given; what the model's workers confirm later comes back as [`Event`]s. Nothing here reads a clock, opens a
//! socket or sleeps, so hours of signalling run in a test in milliseconds.

mod admission;
mod messages;
pub(crate) mod queue;
mod requests;
mod service;
mod waiting;

use crate::apply::{Execution, Executor};
use crate::association::{Association, Resolved};
use crate::ast::{Mid, TransactionId};
use crate::ber::Naming;
use crate::config::{ControllerTransport, IqConfig};
use crate::counters::Counters;
use crate::encoding::{Encoding, Form};
use crate::random::Random;
use crate::rate::Rates;
use crate::trace::{Trace, TraceDirection, TraceEntry};
use crate::transaction::inbound::{InboundTable, Key};
use crate::transaction::outbound::Outbound;
use crate::transport::tcp::Deframer;
use crate::transport::{ConnectionId, Link, MessageBytes, Now, Peer, SocketId, Transmit};
use agw_core::command::{Event, Gateway, Ticket};
use requests::Purpose;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

/// The most connections at a time.
pub const MAX_CONNECTIONS: usize = 256;
/// The most transactions that wait for the workers at a time; more are answered with error 511.
pub(crate) const MAX_EXECUTING: usize = 16_384;
/// The most Notify that wait for an association.
pub(crate) const MAX_UNSENT_NOTIFIES: usize = 16_384;

/// What the caller is asked to do with connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionRequest {
    /// Open one, then call `handle_connected` or `handle_connect_failed`.
    Open {
        /// What it runs over; never UDP.
        over: ControllerTransport,
        /// Where to.
        to: SocketAddr,
        /// The name that a certificate there has to show; without one it has to show the address.
        host: Option<String>,
    },
    /// Close this one; no call follows.
    Close(ConnectionId),
}

/// How the gateway leaves service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Farewell {
    /// Calls go on, no new ones begin; the end is expected after so many seconds, when it is known.
    Graceful {
        /// ServiceChangeDelay.
        delay_s: Option<u32>,
    },
    /// At once: what runs is lost.
    Forced {
        /// Reason 908 (impending failure) instead of 905: it was not meant to end, or takes calls along.
        failing: bool,
    },
}

/// A transaction that is being executed.
#[derive(Debug)]
struct Running {
    execution: Execution,
    peer: Peer,
    id: TransactionId,
    version: u8,
    encoding: Encoding,
    began: Now,
    deadline: Now,
    next_pending: Now,
    pendings: u32,
    finished: bool,
    /// The ticket that it is listed under.
    waits_for: Option<Ticket>,
}

#[derive(Debug)]
struct Connection {
    peer: Peer,
    form: Form,
    deframer: Deframer,
}

/// The gateway's end of Iq.
#[derive(Debug)]
pub struct MediaGateway {
    config: IqConfig,
    random: Random,
    executor: Executor,
    association: Association,
    inbound: InboundTable,
    rates: Rates,
    outbound: Outbound<Purpose>,
    /// Requests wait in the queue until they are asked for.
    gathering: bool,
    queue: queue::Queue,
    running: BTreeMap<Key, Box<Running>>,
    /// Running transactions by the ticket that they wait for.
    by_ticket: BTreeSet<(Ticket, Key)>,
    /// Whose statistics come with a ticket.
    statistics: BTreeMap<Ticket, Key>,
    /// When to look at running transactions.
    clocks: BTreeSet<(Now, Key)>,
    connections: BTreeMap<ConnectionId, Connection>,
    /// Notify that could not be sent because nobody commands.
    unsent: VecDeque<crate::apply::Notification>,
    /// What the controller knows of the realms.
    announced: service::Announced,
    transmits: VecDeque<Transmit>,
    connection_requests: VecDeque<ConnectionRequest>,
    counters: Counters,
    trace: Trace,
    /// How terminations are named in binary messages.
    naming: Naming,
    /// The length of TerminationIDs that the controller has shown, for what we say of our own accord.
    id_octets: Option<u8>,
    /// Seconds of UTC at the start of the clock that `Now` counts from.
    utc_origin: Option<std::time::Duration>,
}

impl MediaGateway {
    /// A gateway that has said nothing yet. `seed` decides jitter and where transaction identifiers begin.
    pub fn new(config: IqConfig, now: Now, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let first_id = (random.next_u64() >> 33) as u32 | 1;
        let association = Association::new(config.controllers.clone(), config.timers, now, &mut random);
        let naming = Naming::of(&config.realms, config.dscp);
        let mut trace = Trace::new(naming.clone());
        trace.enable(config.trace);
        Self {
            executor: Executor::new(&config),
            association,
            inbound: InboundTable::new(config.inbound),
            rates: Rates::new(config.messages_per_second),
            outbound: Outbound::new(config.retransmission, first_id),
            gathering: false,
            queue: queue::Queue::default(),
            running: BTreeMap::new(),
            by_ticket: BTreeSet::new(),
            statistics: BTreeMap::new(),
            clocks: BTreeSet::new(),
            connections: BTreeMap::new(),
            unsent: VecDeque::new(),
            announced: service::Announced::default(),
            transmits: VecDeque::new(),
            connection_requests: VecDeque::new(),
            counters: Counters::default(),
            trace,
            naming,
            id_octets: None,
            utc_origin: None,
            random,
            config,
        }
    }

    /// Another limit of messages a second of one peer from now on.
    pub fn set_messages_per_second(&mut self, limit: u32) {
        self.rates.set(limit);
    }

    /// Tells what the wall clock says, for the time stamps of Notify and ServiceChange; without it they have none.
    pub fn set_wall_clock(&mut self, now: Now, since_unix_epoch: std::time::Duration) {
        self.utc_origin = since_unix_epoch.checked_sub(now);
    }

    /// A datagram has come to one of our sockets.
    pub fn handle_datagram(
        &mut self,
        now: Now,
        socket: SocketId,
        from: SocketAddr,
        bytes: &[u8],
        gateway: &mut dyn Gateway,
    ) {
        let peer = Peer { link: Link::Udp(socket), address: from };
        self.handle_message(now, peer, socket.form(), bytes, gateway);
    }

    /// A connection that was asked for is open.
    pub fn handle_connected(&mut self, now: Now, connection: ConnectionId, to: SocketAddr) {
        let want = self.association.connected(connection, to);
        match (want, self.association.controller()) {
            (Some(want), Some((peer, _, encoding))) => {
                self.remember(connection, peer, encoding.form());
                self.carry_out(now, want);
            }
            _ => self.close(connection),
        }
    }

    /// A connection that was asked for could not be opened.
    pub fn handle_connect_failed(&mut self, now: Now, to: SocketAddr) {
        self.association.connect_failed(now, to, &mut self.random);
        self.pursue(now);
    }

    /// The next name to look up; call `handle_resolved` when that is done or takes too long.
    pub fn poll_resolution(&mut self) -> Option<String> {
        self.association.poll_resolution()
    }

    /// A name was looked up: its addresses in the order of the resolver, or none when it does not resolve. What that changes.
    pub fn handle_resolved(&mut self, now: Now, name: &str, addresses: &[IpAddr]) -> Resolved {
        let resolved = self.association.resolved(now, name, addresses, &mut self.random);
        self.counters.names_unresolved += u64::from(resolved == Resolved::Failed);
        self.pursue(now);
        resolved
    }

    /// The configured names that have this address now: under TLS a controller there may show one of them instead of the address.
    pub fn names_at(&self, address: IpAddr) -> impl Iterator<Item = &str> {
        self.association.names_at(address)
    }

    /// Somebody has connected to us, where messages of this form are taken. `false`: close the connection, nothing of it is wanted.
    pub fn handle_accepted(&mut self, link: Link, form: Form, from: SocketAddr) -> bool {
        let Some(connection) = link.connection() else { return false };
        let peer = Peer { link, address: from };
        if !self.admits(peer) || self.connections.len() >= MAX_CONNECTIONS {
            self.counters.connections_refused += 1;
            return false;
        }
        self.remember(connection, peer, form);
        true
    }

    fn remember(&mut self, connection: ConnectionId, peer: Peer, form: Form) {
        self.connections.insert(connection, Connection { peer, form, deframer: Deframer::default() });
    }

    /// A whole message has come on an SCTP association.
    pub fn handle_sctp_message(
        &mut self,
        now: Now,
        connection: ConnectionId,
        message: &[u8],
        gateway: &mut dyn Gateway,
    ) {
        let Some(known) = self.connections.get(&connection) else { return };
        self.handle_message(now, known.peer, known.form, message, gateway);
    }

    /// Bytes have come on a connection over TCP, with or without TLS.
    pub fn handle_tcp_bytes(
        &mut self,
        now: Now,
        connection: ConnectionId,
        bytes: &[u8],
        gateway: &mut dyn Gateway,
    ) {
        let Some(known) = self.connections.get_mut(&connection) else { return };
        let (peer, form) = (known.peer, known.form);
        let mut deframer = std::mem::take(&mut known.deframer);
        let result = deframer.feed(bytes, |message| {
            // One before it may have closed the connection.
            if self.connections.contains_key(&connection) {
                self.handle_message(now, peer, form, message, gateway);
            }
        });
        if result.is_err() {
            self.counters.malformed += 1;
            self.counters.connections_refused += 1;
            self.close(connection);
            self.connection_gone(now, connection);
        } else if let Some(known) = self.connections.get_mut(&connection) {
            known.deframer = deframer;
        }
    }

    /// A connection is gone.
    pub fn handle_connection_lost(&mut self, now: Now, connection: ConnectionId) {
        self.connections.remove(&connection);
        self.connection_gone(now, connection);
    }

    /// Something came of the model's work.
    pub fn handle_event(&mut self, now: Now, event: Event, gateway: &mut dyn Gateway) {
        match event {
            Event::Statistics { ticket, statistics, .. } => {
                if let Some(running) = self.statistics.get(&ticket).and_then(|key| self.running.get_mut(key))
                {
                    running.execution.statistics(ticket, statistics);
                }
            }
            Event::Done(ticket) => self.confirmed(now, ticket, gateway),
            Event::Notice(notice) => {
                self.executor.noticed(now, &notice, gateway);
                self.tell(now);
            }
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Now, gateway: &mut dyn Gateway) {
        self.inbound.expire(now);
        self.look_at_running(now, gateway);
        self.repeat_requests(now);
        let mut released = 0;
        while let Some(notification) = self.executor.take_due(now, gateway, &mut released) {
            self.notify(now, notification);
        }
        self.counters.hanging_released += released;
        self.tell(now);
        self.pursue(now);
    }

    /// When to call [`MediaGateway::handle_timeout`], at the latest.
    pub fn poll_timeout(&self) -> Option<Now> {
        let clocks = self.clocks.first().map(|(at, _)| *at);
        let timers = [
            clocks,
            self.inbound.next_expiry(),
            self.outbound.next_timer(),
            self.association.next_timer(),
            self.executor.next_due(),
        ];
        timers.into_iter().flatten().min()
    }

    /// The next thing to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.transmits.pop_front()
    }

    /// The next connection to open or close.
    pub fn poll_connection(&mut self) -> Option<ConnectionRequest> {
        self.connection_requests.pop_front()
    }

    /// The next message for people to see, keys blanked, while tracing is on.
    pub fn poll_trace(&mut self) -> Option<TraceEntry> {
        self.trace.take()
    }

    /// Turns tracing on or off; off forgets what was kept.
    pub fn set_trace(&mut self, on: bool) {
        self.trace.enable(on);
    }

    /// What has happened so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Whether a controller commands us: registered, or in the laboratory where none has to be.
    pub fn is_ready(&self) -> bool {
        (self.association.is_registered() || self.association.in_laboratory()) && self.executor.is_open()
    }

    /// How many transactions are remembered, and the octets that this takes: the replies and what finding them costs.
    pub fn reply_cache(&self) -> (usize, usize) {
        (self.inbound.usage().0, self.inbound.bytes())
    }

    /// How many contexts and terminations the controller has made.
    pub fn size(&self) -> (usize, usize) {
        self.executor.size()
    }

    /// What the gateway calls itself.
    pub fn mid(&self) -> &Mid {
        &self.config.mid
    }

    fn close(&mut self, connection: ConnectionId) {
        self.connections.remove(&connection);
        self.connection_requests.push_back(ConnectionRequest::Close(connection));
    }

    /// What a link carries.
    fn form_of(&self, link: Link) -> Form {
        match link {
            Link::Udp(socket) => socket.form(),
            Link::Tcp(id) | Link::Tls(id) | Link::Sctp(id) => {
                self.connections.get(&id).map_or(Form::Text, |connection| connection.form)
            }
        }
    }

    /// Sends a message. `None`: it is too long for its transport.
    fn transmit(&mut self, now: Now, to: Peer, form: Form, message: &MessageBytes) -> Option<()> {
        let Some(transmit) = Transmit::framed(to, message) else {
            self.counters.too_long += 1;
            return None;
        };
        self.trace.record(now, TraceDirection::Out, to, form, message);
        self.transmits.push_back(transmit);
        Some(())
    }
}
