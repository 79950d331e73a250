//! The gateway's end of Iq as a state machine: any messages in any order, with time passing and workers that confirm late, neither
//! panic nor leave more behind than the model holds. Messages are divided by a zero octet; one that begins with `+` lets time pass.
#![no_main]

use agw_core::command::{Command, Event, Gateway, Refusal, Reply, Ticket};
use agw_core::model::*;
use agw_iq::MediaGateway;
use agw_iq::ast::Mid;
use agw_iq::config::IqConfig;
use agw_iq::package::realm::Realms;
use agw_iq::transport::SocketId;
use libfuzzer_sys::fuzz_target;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

/// A model that agrees with nearly everything.
#[derive(Default)]
struct Model {
    contexts: BTreeMap<u32, Vec<u32>>,
    terminations: BTreeMap<u32, Vec<LocalStream>>,
    events: VecDeque<Event>,
    next: u32,
    ticket: u64,
}

impl Model {
    fn done(&mut self) -> Ticket {
        self.ticket += 1;
        self.events.push_back(Event::Done(Ticket(self.ticket)));
        Ticket(self.ticket)
    }

    fn place(&mut self, stream: StreamId, spec: &StreamSpec) -> LocalStream {
        self.next += 2;
        let port = 1024 + (self.next % 50_000) as u16;
        let ip = if spec.family == Some(Family::V6) { [0_u16; 8].into() } else { [192, 0, 2, 1].into() };
        let realm = spec.realm.clone().or_else(|| RealmName::new("access")).expect("a name");
        LocalStream { stream, realm, rtp: SocketAddr::new(ip, port), rtcp: None }
    }

    fn leave(&mut self, id: u32) {
        self.contexts.values_mut().for_each(|there| there.retain(|other| *other != id));
        self.contexts.retain(|_, there| !there.is_empty());
    }

    fn view(&self, id: u32) -> Result<TerminationView, Refusal> {
        let id = TerminationId(id);
        let streams = self.terminations.get(&id.0).cloned().ok_or(Refusal::UnknownTermination(id))?;
        Ok(TerminationView { id, streams })
    }
}

impl Gateway for Model {
    fn execute(&mut self, command: Command) -> Result<Reply, Refusal> {
        self.next += 1;
        match command {
            Command::CreateContext(_) => {
                self.contexts.insert(self.next, Vec::new());
                Ok(Reply::Context(ContextId(self.next)))
            }
            Command::SetAttributes(..) => Ok(Reply::Accepted(self.done())),
            Command::RemoveContext(id) => {
                for termination in self.contexts.remove(&id.0).unwrap_or_default() {
                    self.terminations.remove(&termination);
                }
                Ok(Reply::Accepted(self.done()))
            }
            Command::Add { context, streams } => {
                if self.contexts.get(&context.0).is_none_or(|there| there.len() >= 2) {
                    return Err(Refusal::TooManyTerminations(context));
                }
                let given = streams.iter().map(|(id, spec)| self.place(*id, spec)).collect();
                let id = self.next;
                self.terminations.insert(id, given);
                self.contexts.entry(context.0).or_default().push(id);
                Ok(Reply::Termination(self.view(id)?, self.done()))
            }
            Command::Modify { termination, streams } => {
                let mut held = self.view(termination.0)?.streams;
                for (id, spec) in &streams {
                    if !held.iter().any(|local| local.stream == *id) {
                        held.push(self.place(*id, spec));
                    }
                }
                self.terminations.insert(termination.0, held);
                Ok(Reply::Termination(self.view(termination.0)?, self.done()))
            }
            Command::Move { termination, to } => {
                let view = self.view(termination.0)?;
                if self.contexts.get(&to.0).is_none_or(|there| there.len() >= 2) {
                    return Err(Refusal::TooManyTerminations(to));
                }
                self.contexts.entry(to.0).or_default().push(u32::MAX);
                self.leave(termination.0);
                let there = self.contexts.entry(to.0).or_default();
                there.retain(|other| *other != u32::MAX);
                there.push(termination.0);
                Ok(Reply::Termination(view, self.done()))
            }
            Command::Subtract(id) => {
                self.view(id.0)?;
                self.terminations.remove(&id.0);
                self.leave(id.0);
                Ok(Reply::Statistics(self.done()))
            }
            Command::ReadStatistics(id) => self.view(id.0).map(|_| Reply::Statistics(self.done())),
        }
    }
}

fuzz_target!(|input: &[u8]| {
    let mut config = IqConfig::new(Mid::from_socket(([127, 0, 0, 1], 2944).into()));
    config.realms = Realms::new(["access", "core"].iter().filter_map(|name| RealmName::new(name)).collect());
    config.trace = true;
    let mut now = Duration::from_secs(1);
    let mut iq = MediaGateway::new(config, now, 7);
    let mut model = Model::default();
    for (n, message) in input.split(|octet| *octet == 0).take(64).enumerate() {
        if message.first() == Some(&b'+') {
            now += Duration::from_millis(message.len() as u64 * 500);
            while let Some(event) = model.events.pop_front() {
                iq.handle_event(now, event, &mut model);
            }
            iq.handle_timeout(now, &mut model);
        } else {
            let from = ([127, 0, 0, 1], 1000 + (n % 4) as u16).into();
            iq.handle_datagram(now, SocketId(0), from, message, &mut model);
        }
        while let Some(transmit) = iq.poll_transmit() {
            let own = agw_iq::text::parse(&transmit.bytes).expect("we can read what we write");
            assert!(own.errors.is_empty());
        }
        while let Some(entry) = iq.poll_trace() {
            assert_eq!(agw_iq::secret::redact(&entry.text), entry.text, "nothing is left to blank");
        }
        assert_eq!(iq.size().1, model.terminations.len());
    }
});
