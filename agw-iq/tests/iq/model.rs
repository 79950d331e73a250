//! A pretend model: it gives addresses and numbers as the controller of agw-core does, refuses what that one refuses, and confirms when
//! told to.

use agw_core::command::{Command, Event, Gateway, Refusal, Reply, Ticket};
use agw_core::model::*;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

/// What a stream was given and told.
#[derive(Debug, Clone)]
pub struct Held {
    pub local: LocalStream,
    pub spec: StreamSpec,
}

#[derive(Debug, Default)]
pub struct Model {
    pub contexts: BTreeMap<u32, BTreeSet<u32>>,
    pub attributes: BTreeMap<u32, ContextAttributes>,
    pub terminations: BTreeMap<u32, BTreeMap<u16, Held>>,
    /// Every command, in order.
    pub log: Vec<Command>,
    /// What the next command of a kind is refused with.
    pub refuse: VecDeque<Refusal>,
    /// Orders are confirmed only by `confirm`.
    pub slow: bool,
    events: VecDeque<Event>,
    next_context: u32,
    next_termination: u32,
    next_port: u16,
    ticket: u64,
    pub created: u64,
    /// Messages of MSRP that every stream has carried.
    pub messages: [u64; 2],
}

trait Described {
    /// With what a connection has of its own, where it was asked for.
    fn described(self, spec: &StreamSpec) -> Self;
}

/// The certificate of every stream whose port it is.
pub fn certificate(local: &LocalStream) -> Vec<u8> {
    format!("the certificate of {}", local.rtp).into_bytes()
}

/// The first credential of a stream, or the one after it.
fn credential(before: Option<&IceCredential>) -> IceCredential {
    let count: u32 = before.map_or(0, |before| before.ufrag()[4..].parse::<u32>().expect("a count") + 1);
    IceCredential::new(&format!("frag{count}"), &format!("{PASSWORD}{count}")).expect("a credential")
}

/// How every password begins that the model makes.
pub const PASSWORD: &str = "0123456789012345678901";

impl Described for LocalStream {
    fn described(mut self, spec: &StreamSpec) -> Self {
        let certificate = certificate(&self);
        let own = spec.tls.iter().flat_map(|tls| &tls.own);
        self.fingerprints = own.map(|hash| Fingerprint::of(*hash, &certificate)).collect();
        let has_tls = matches!(spec.transport, Transport::Tcp { tls: true, .. });
        let scheme = if has_tls { "msrps" } else { "msrp" };
        let path = || format!("{scheme}://{}/s{};tcp", self.rtp, self.rtp.port()).into();
        self.ice = match &spec.ice {
            Some(ice) if ice.choose => Some(Box::new(credential(self.ice.as_deref()))),
            Some(_) => self.ice,
            None => None,
        };
        self.msrp_path = spec.tcp.as_ref().is_some_and(|tcp| tcp.msrp.own).then(path);
        self
    }
}

impl Model {
    pub fn new() -> Self {
        Self { next_context: 5000, next_termination: 100, next_port: 30_000, ..Self::default() }
    }

    /// What the workers have to say.
    pub fn take_event(&mut self) -> Option<Event> {
        if self.slow { None } else { self.events.pop_front() }
    }

    /// Everything that is outstanding, although the workers are slow.
    pub fn confirm(&mut self) -> Vec<Event> {
        self.events.drain(..).collect()
    }

    pub fn spec(&self, termination: u32, stream: u16) -> &StreamSpec {
        &self.terminations[&termination][&stream].spec
    }

    fn done(&mut self) -> Ticket {
        self.ticket += 1;
        self.events.push_back(Event::Done(Ticket(self.ticket)));
        Ticket(self.ticket)
    }

    fn statistics(&mut self, termination: TerminationId) -> Ticket {
        self.ticket += 1;
        let streams: Vec<u16> = self.terminations[&termination.0].keys().copied().collect();
        for stream in streams {
            self.events.push_back(Event::Statistics {
                ticket: Ticket(self.ticket),
                termination,
                stream: StreamId(stream),
                statistics: StreamStatistics {
                    duration_ms: 61_234,
                    octets_sent: 482_100,
                    octets_received: 480_900,
                    packets_sent: 3010,
                    packets_received: 3004,
                    loss_percent: 0.1,
                    jitter_ms: 3.0,
                    delay_ms: 40.0,
                    discarded: 2,
                    policed: 0,
                    messages: self.messages,
                    idle_ms: [Some(20), Some(20)],
                    connection: None,
                },
            });
        }
        self.events.push_back(Event::Done(Ticket(self.ticket)));
        Ticket(self.ticket)
    }

    fn place(&mut self, stream: StreamId, spec: &StreamSpec) -> Result<LocalStream, Refusal> {
        let realm = spec.realm.clone().unwrap_or_else(|| RealmName::new("access").expect("a name"));
        let ip: IpAddr = match (realm.as_str(), spec.family) {
            ("access" | "access1", None | Some(Family::V4)) => [198, 51, 100, 20].into(),
            ("core" | "core1", None | Some(Family::V6)) => "2001:db8:1::20".parse().expect("an address"),
            ("core" | "core1", Some(Family::V4)) => [198, 51, 100, 30].into(),
            ("access" | "access1", Some(Family::V6)) => return Err(Refusal::NoSuchLocalAddress(stream)),
            _ => return Err(Refusal::UnknownRealm(realm)),
        };
        if spec.local_address.is_some_and(|asked| asked != ip) {
            return Err(Refusal::NoSuchLocalAddress(stream));
        }
        let port = spec.local_port.unwrap_or(self.next_port);
        self.next_port = if self.next_port >= 60_000 { 30_000 } else { self.next_port + 2 };
        let rtp = SocketAddr::new(ip, port);
        let rtcp = match spec.rtcp {
            RtcpPorts::Pair => Some(SocketAddr::new(ip, port + 1)),
            RtcpPorts::Mux => Some(rtp),
            RtcpPorts::None => None,
        };
        Ok(LocalStream { stream, realm, rtp, rtcp, fingerprints: Vec::new(), ice: None, msrp_path: None }
            .described(spec))
    }

    fn add(&mut self, context: ContextId, streams: Vec<(StreamId, StreamSpec)>) -> Result<Reply, Refusal> {
        let there = self.contexts.get(&context.0).ok_or(Refusal::UnknownContext(context))?;
        if there.len() >= 2 {
            return Err(Refusal::TooManyTerminations(context));
        }
        let mut held = BTreeMap::new();
        for (stream, spec) in streams {
            let local = self.place(stream, &spec)?;
            held.insert(stream.0, Held { local, spec });
        }
        self.next_termination += 1;
        self.created += 1;
        let id = TerminationId(self.next_termination);
        let view = TerminationView { id, streams: held.values().map(|held| held.local.clone()).collect() };
        self.terminations.insert(id.0, held);
        self.contexts.get_mut(&context.0).expect("looked up").insert(id.0);
        Ok(Reply::Termination(view, self.done()))
    }

    fn modify(&mut self, id: TerminationId, streams: Vec<(StreamId, StreamSpec)>) -> Result<Reply, Refusal> {
        let mut held = self.terminations.get(&id.0).ok_or(Refusal::UnknownTermination(id))?.clone();
        for (stream, spec) in streams {
            match held.get_mut(&stream.0) {
                None => {
                    let local = self.place(stream, &spec)?;
                    held.insert(stream.0, Held { local, spec });
                }
                Some(old) => {
                    let mut spec = spec;
                    if spec.realm.as_ref().is_some_and(|realm| *realm != old.local.realm) {
                        return Err(Refusal::FixedAtSetup(stream, "the realm"));
                    }
                    if spec.local_port.is_some_and(|port| port != old.local.rtp.port()) {
                        return Err(Refusal::FixedAtSetup(stream, "the local port"));
                    }
                    let sides = [
                        (&mut spec.security.local, &old.spec.security.local, Direction::Outbound),
                        (&mut spec.security.remote, &old.spec.security.remote, Direction::Inbound),
                    ];
                    for (new, old, direction) in sides {
                        match (&new, old) {
                            (Some(new), Some(old)) if *new != *old => {
                                return Err(Refusal::CryptoChanged(stream, direction));
                            }
                            (None, Some(old)) => *new = Some(old.clone()),
                            _ => {}
                        }
                    }
                    let old_psk = old.spec.tls.as_ref().and_then(|tls| tls.psk.clone());
                    if let (Some(tls), Some(old_psk)) = (&mut spec.tls, old_psk) {
                        if tls.psk.as_ref().is_some_and(|psk| *psk != old_psk) {
                            return Err(Refusal::FixedAtSetup(stream, "the pre-shared key"));
                        }
                        tls.psk = Some(old_psk);
                    }
                    old.local = old.local.clone().described(&spec);
                    old.spec = spec;
                }
            }
        }
        let view = TerminationView { id, streams: held.values().map(|held| held.local.clone()).collect() };
        self.terminations.insert(id.0, held);
        Ok(Reply::Termination(view, self.done()))
    }

    fn leave(&mut self, id: TerminationId) {
        self.contexts.retain(|_, there| {
            let was_here = there.remove(&id.0);
            !(was_here && there.is_empty())
        });
    }
}

impl Gateway for Model {
    fn execute(&mut self, command: Command) -> Result<Reply, Refusal> {
        self.log.push(command.clone());
        if let Some(refusal) = self.refuse.pop_front() {
            return Err(refusal);
        }
        match command {
            Command::CreateContext(attributes) => {
                self.next_context += 1;
                self.contexts.insert(self.next_context, BTreeSet::new());
                self.attributes.insert(self.next_context, attributes);
                Ok(Reply::Context(ContextId(self.next_context)))
            }
            Command::SetAttributes(id, attributes) => {
                self.attributes.insert(id.0, attributes);
                Ok(Reply::Accepted(self.done()))
            }
            Command::RemoveContext(id) => {
                for termination in self.contexts.remove(&id.0).ok_or(Refusal::UnknownContext(id))? {
                    self.terminations.remove(&termination);
                }
                Ok(Reply::Accepted(self.done()))
            }
            Command::Add { context, streams } => self.add(context, streams),
            Command::Modify { termination, streams } => self.modify(termination, streams),
            Command::Move { termination, to, streams } => {
                let there = self.contexts.get(&to.0).ok_or(Refusal::UnknownContext(to))?;
                if there.len() >= 2 {
                    return Err(Refusal::TooManyTerminations(to));
                }
                let moved = self.modify(termination, streams)?;
                self.leave(termination);
                self.contexts.entry(to.0).or_default().insert(termination.0);
                Ok(moved)
            }
            Command::Subtract(id) => {
                if !self.terminations.contains_key(&id.0) {
                    return Err(Refusal::UnknownTermination(id));
                }
                let ticket = self.statistics(id);
                self.terminations.remove(&id.0);
                self.leave(id);
                Ok(Reply::Statistics(ticket))
            }
            Command::ReadStatistics(id) => {
                if !self.terminations.contains_key(&id.0) {
                    return Err(Refusal::UnknownTermination(id));
                }
                Ok(Reply::Statistics(self.statistics(id)))
            }
        }
    }
}
