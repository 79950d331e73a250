//! Answers to the admin thread: copies of what control knows, in the shapes of [`views`](crate::admin::views). A page of contexts is
//! bounded, so that no question holds up Iq for long.

use super::Control;
use super::realms::words;
use crate::admin::ask::{MAX_PAGE, Question};
use crate::admin::views::{
    Context, ContextPage, Draining, Packets, Ports, Rates, Status, Stream, Termination,
};
use crate::metrics::{ControlNumbers, RealmNumbers};
use agw_core::controller::{ContextView, StreamView};
use agw_core::model::{Bearer, ContextId, IceEvent, Leg, Mode, Policing, SourceFilter, SourceRule};
use agw_iq::counters::TransactionResult;
use std::sync::PoisonError;
use std::time::Instant;

impl Control {
    /// Nobody may wait for the answer any more; then it goes nowhere.
    pub(super) fn answer(&mut self, question: Question) {
        match question {
            Question::Status(to) => drop(to.send(self.status())),
            Question::Contexts(after, limit, to) => drop(to.send(self.page(after, limit))),
            Question::Context(id, to) => match self.controller.context(ContextId(id)) {
                Some(found) => self.reads.begin(context(&found), to, &mut self.controller),
                None => drop(to.send(None)),
            },
            Question::Numbers(to) => drop(to.send(Box::new(self.numbers()))),
            Question::Trace(after, to) => {
                drop(to.send(self.traces.page(after, &mut self.iq, Instant::now())));
            }
            Question::Realm { name, out, to } => drop(to.send(self.operate_realm(&name, out))),
            Question::StopDraining(to) => {
                let was_draining = self.stop_draining();
                drop(to.send(was_draining.then(|| self.draining())));
            }
            Question::Drain(to) => {
                self.drain("the admin address");
                drop(to.send(self.draining()));
            }
        }
    }

    fn status(&self) -> Status {
        let counts = self.controller.counts();
        let config = self.config.lock().unwrap_or_else(PoisonError::into_inner);
        let state = match (self.draining_until, self.iq.is_ready()) {
            (Some(_), _) => "draining",
            (None, true) => "ready",
            (None, false) => "registering",
        };
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            state: state.to_owned(),
            uptime_s: self.health.uptime().as_secs(),
            pid: std::process::id(),
            iq: self.addresses.to_string(),
            controllers: config.iq.controllers.iter().map(ToString::to_string).collect(),
            registered: self.iq.is_ready() && !config.iq.controllers.is_empty(),
            contexts: counts.contexts,
            contexts_limit: config.limits.contexts as usize,
            terminations: Leg::ALL
                .iter()
                .zip(counts.terminations)
                .map(|(l, n)| (l.as_str().to_owned(), n))
                .collect(),
            streams: counts.streams.iter().map(|(t, n)| (t.as_str().to_owned(), *n)).collect(),
            // The admin thread reads the workers itself.
            workers: 0,
            packets: Packets::default(),
            ports: self
                .controller
                .realm_ports()
                .iter()
                .map(|r| {
                    let state = words(self.iq.outage(&r.name)).to_owned();
                    (r.name.to_string(), Ports { in_use: r.in_use as usize, total: r.total as usize, state })
                })
                .collect(),
        }
    }

    fn page(&self, after: Option<u32>, limit: usize) -> ContextPage {
        let limit = limit.min(MAX_PAGE);
        // One more than asked for shows whether there is a next page.
        let mut found = self.controller.contexts(after.map(ContextId), limit + 1);
        let more = found.len() > limit;
        found.truncate(limit);
        ContextPage {
            total: self.controller.counts().contexts,
            next: found.last().filter(|_| more).map(|c| c.id.0),
            contexts: found.iter().map(context).collect(),
        }
    }

    fn draining(&self) -> Draining {
        let left = self.draining_until.map(|at| at.saturating_duration_since(Instant::now()));
        Draining {
            draining: self.draining_until.is_some(),
            contexts: self.controller.counts().contexts,
            deadline_s: left.unwrap_or_default().as_secs_f64().ceil() as u64,
        }
    }

    fn numbers(&self) -> ControlNumbers {
        let counts = self.controller.counts();
        let iq = self.iq.counters();
        let (stage, loads) = self.overload.numbers();
        ControlNumbers {
            contexts: counts.contexts,
            terminations: counts.terminations,
            streams: counts.streams.iter().map(|(t, n)| (t.as_str(), *n)).collect(),
            certificates: (counts.certificates_ready, counts.certificates_late),
            realms: self
                .controller
                .realm_ports()
                .iter()
                .map(|r| RealmNumbers {
                    realm: r.name.to_string(),
                    in_use: r.in_use,
                    total: r.total,
                    in_service: self.iq.outage(&r.name).is_none(),
                })
                .collect(),
            iq_transactions: TransactionResult::ALL.map(|r| (r.as_str(), iq.transactions(r))).to_vec(),
            iq_commands: iq.commands().collect(),
            iq_transaction_times: iq.transaction_durations.clone(),
            iq_reply_cache: self.iq.reply_cache(),
            iq_events: vec![
                ("stranger", iq.strangers),
                ("malformed", iq.malformed),
                ("rate", iq.over_rate),
                ("unprotected", iq.unprotected),
                ("tls_handshake", self.handshakes.done),
                ("tls_handshake_failed", self.handshakes.failed),
                ("tls_handshake_refused", self.handshakes.refused),
                ("out_of_turn", iq.out_of_turn),
                ("pending_sent", iq.pendings),
                ("repeated", iq.repeated),
                ("unanswered", iq.unanswered),
                ("notify", iq.notifies),
                ("notify_dropped", iq.notifies_dropped),
                ("event_lost", iq.events_lost),
                ("hanging_released", iq.hanging_released),
                ("association_lost", iq.associations_lost),
                ("name_unresolved", iq.names_unresolved),
                ("too_long", iq.too_long),
                ("unwritable", iq.unwritable),
                ("connection_refused", iq.connections_refused),
            ],
            iq_waiting: self.iq.waiting_requests(),
            overload_stage: stage as u8,
            overload_loads: loads,
            uptime_s: self.health.uptime().as_secs_f64(),
        }
    }
}

fn context(view: &ContextView) -> Context {
    Context {
        id: view.id.0,
        worker: view.worker,
        priority: view.attributes.priority,
        emergency: view.attributes.emergency,
        terminations: view
            .terminations
            .iter()
            .map(|t| Termination {
                id: t.id.0,
                leg: t.leg.map(|leg| leg.as_str().to_owned()),
                streams: t.streams.iter().map(stream).collect(),
            })
            .collect(),
    }
}

fn ice(event: IceEvent) -> String {
    match event {
        IceEvent::Selected(peer) => format!("selected {peer}"),
        IceEvent::PeerReflexive(peer) => format!("checked from {peer}"),
        IceEvent::Failed => "failed: no connectivity check in time".to_owned(),
        IceEvent::ConsentLost => "consent lost".to_owned(),
    }
}

fn stream(view: &StreamView) -> Stream {
    let mode = match view.mode {
        Mode::SendOnly => "SendOnly",
        Mode::ReceiveOnly => "ReceiveOnly",
        Mode::SendReceive => "SendReceive",
        Mode::Inactive => "Inactive",
        Mode::Loopback => "Loopback",
    };
    Stream {
        id: view.local.stream.0,
        realm: view.local.realm.to_string(),
        transport: view.transport.as_str().to_owned(),
        mode: mode.to_owned(),
        local: view.local.rtp.to_string(),
        local_rtcp: view.local.rtcp.map(|a| a.to_string()),
        remote: view.remote.map(|r| r.rtp.to_string()),
        learned: view.learned[0].map(|from| from.to_string()),
        learned_rtcp: view.learned[1].map(|from| from.to_string()),
        ice: view.ice.map(ice),
        suite_in: view.inbound_suite.map(str::to_owned),
        suite_out: view.outbound_suite.map(str::to_owned),
        sources: sources(&view.filter),
        rates: view.policing.map(rates),
        dscp: view.dscp,
        dscp_copied: view.copy_dscp,
        joined: view.joined,
        connection: view.connection.map(became),
        session: view.session.map(became),
        tcp: None,
        counters: None,
    }
}

/// What became of a connection or a session.
fn became(bearer: Bearer) -> String {
    match bearer {
        Bearer::Established => "established".to_owned(),
        Bearer::Released => "released".to_owned(),
        Bearer::Failed(failure) => format!("failed: {failure}"),
    }
}

fn sources(filter: &SourceFilter) -> Option<String> {
    let addresses = in_words("addresses", &filter.addresses);
    let ports = in_words("ports", &filter.ports);
    let both: Vec<String> = [addresses, ports].into_iter().flatten().collect();
    (!both.is_empty()).then(|| both.join("; "))
}

fn in_words<T: std::fmt::Display>(what: &str, rule: &SourceRule<T>) -> Option<String> {
    match rule {
        SourceRule::Any => None,
        SourceRule::Peer => Some(format!("{what} of the peer")),
        SourceRule::Listed(entries) => {
            let entries: Vec<String> = entries.iter().map(ToString::to_string).collect();
            Some(format!("{what} {}", entries.join(", ")))
        }
    }
}

fn rates(policing: Policing) -> Rates {
    Rates {
        sustained: policing.sustained.map(|rate| rate.bytes_per_second),
        burst: policing.sustained.map(|rate| rate.burst_bytes),
        peak: policing.peak.map(|rate| rate.bytes_per_second),
        tolerance: policing.peak.map(|rate| rate.tolerance_tenth_us),
        rtcp: policing.rtcp_bytes_per_second,
    }
}
