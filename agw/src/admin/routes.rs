//! The pages. What workers count is read from their counters here, on the admin thread; what control owns is asked of it. Reading needs
//! no rights; what changes something (drain, realms) is for this host only unless `[admin] remote_changes`, and never for a page of another web site.

use super::ask::{Asker, MAX_PAGE, Question};
use super::server::{Answer, Asked, Pages};
use super::views::{Draining, Drops, Packets, Refused, Worker};
use crate::config::Config;
use crate::metrics;
use crate::runtime::WorkerWatch;
use crate::shared::Health;
use agw_core::model::Leg;
use agw_core::worker::stats::{Counter, DropReason, PacketKind};
use hyper::{Method, StatusCode};
use serde::Serialize;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// What the pages read.
#[derive(Debug)]
pub struct AdminPages {
    /// To the control task.
    pub control: Asker,
    /// The workers' counters.
    pub workers: Vec<WorkerWatch>,
    /// Alive, ready.
    pub health: Arc<Health>,
    /// The running configuration, for `/config`.
    pub config: Arc<Mutex<Config>>,
}

impl Pages for AdminPages {
    fn answer(&self, asked: Asked) -> Pin<Box<dyn Future<Output = Answer> + '_>> {
        Box::pin(async move {
            let path = asked.path.trim_end_matches('/');
            match (&asked.method, path) {
                (&Method::POST, _) => self.change(&asked, path).await,
                (_, "/drain" | "/drain/cancel") => {
                    refuse(StatusCode::METHOD_NOT_ALLOWED, "draining is asked for with POST")
                }
                (&Method::GET | &Method::HEAD, _) => self.read(path, &asked.query).await,
                _ => refuse(StatusCode::METHOD_NOT_ALLOWED, "only GET"),
            }
        })
    }
}

impl AdminPages {
    async fn read(&self, path: &str, query: &str) -> Answer {
        match path {
            "" => text(
                StatusCode::OK,
                "AGW admin: /metrics /healthz /readyz /status /contexts /contexts/ID /workers /drops /config /iq/trace, POST /drain /drain/cancel /realms/NAME/out /realms/NAME/in\n",
            ),
            "/metrics" => self.metrics().await,
            "/healthz" => match self.health.trouble() {
                None => text(StatusCode::OK, "alive\n"),
                Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("{why}\n")),
            },
            "/readyz" => match self.health.not_ready() {
                None => text(StatusCode::OK, "ready\n"),
                Some(why) => text(StatusCode::SERVICE_UNAVAILABLE, &format!("{why}\n")),
            },
            "/status" => self.status().await,
            "/contexts" => self.contexts(query).await,
            "/workers" => json(&self.workers.iter().map(worker).collect::<Vec<_>>()),
            "/drops" => json(&self.drops()),
            "/config" => json(&*self.config.lock().unwrap_or_else(PoisonError::into_inner)),
            "/iq/trace" => self.trace(query).await,
            _ => match path.strip_prefix("/contexts/").map(str::parse) {
                Some(Ok(id)) => self.context(id).await,
                Some(Err(_)) => refuse(StatusCode::BAD_REQUEST, "a context's number is a number"),
                None => refuse(StatusCode::NOT_FOUND, "no such page"),
            },
        }
    }

    async fn metrics(&self) -> Answer {
        let Some(control) = self.control.ask(Question::Numbers).await else { return busy() };
        match metrics::render(&control, &self.workers) {
            Ok(body) => {
                Answer { status: StatusCode::OK, kind: metrics::CONTENT_TYPE, body: body.into_bytes() }
            }
            Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    async fn status(&self) -> Answer {
        let Some(mut status) = self.control.ask(Question::Status).await else { return busy() };
        for watch in &self.workers {
            let of_worker = packets(watch);
            status.packets.received += of_worker.received;
            status.packets.sent += of_worker.sent;
            status.packets.dropped += of_worker.dropped;
        }
        status.workers = self.workers.len();
        json(&status)
    }

    async fn contexts(&self, query: &str) -> Answer {
        let (after, limit) = match (parameter(query, "after"), parameter(query, "limit")) {
            (Ok(after), Ok(limit)) => (after, limit.unwrap_or(100usize)),
            _ => return refuse(StatusCode::BAD_REQUEST, "after and limit are numbers"),
        };
        self.json_of(|answer| Question::Contexts(after, limit.clamp(1, MAX_PAGE), answer)).await
    }

    async fn context(&self, id: u32) -> Answer {
        match self.control.ask(|answer| Question::Context(id, answer)).await {
            None => busy(),
            Some(None) => refuse(StatusCode::NOT_FOUND, &format!("there is no context {id}")),
            Some(Some(context)) => json(&context),
        }
    }

    async fn trace(&self, query: &str) -> Answer {
        match parameter(query, "after") {
            Ok(after) => self.json_of(|answer| Question::Trace(after, answer)).await,
            Err(()) => refuse(StatusCode::BAD_REQUEST, "after is a number"),
        }
    }

    async fn change(&self, asked: &Asked, path: &str) -> Answer {
        let realm = path.strip_prefix("/realms/").and_then(|rest| {
            rest.strip_suffix("/out")
                .map(|name| (name, true))
                .or(rest.strip_suffix("/in").map(|name| (name, false)))
        });
        if !matches!(path, "/drain" | "/drain/cancel") && realm.is_none() {
            return refuse(StatusCode::METHOD_NOT_ALLOWED, "only GET");
        }
        let remote = self.config.lock().unwrap_or_else(PoisonError::into_inner).admin.remote_changes;
        if !(remote || asked.from.ip().to_canonical().is_loopback()) {
            let why = "only this host may change anything (admin.remote_changes allows others)";
            return refuse(StatusCode::FORBIDDEN, why);
        }
        if asked.from_a_page {
            return refuse(StatusCode::FORBIDDEN, "a web page may not change anything");
        }
        match realm {
            Some((name, out)) => {
                let name = name.to_owned();
                match self.control.ask(|to| Question::Realm { name, out, to }).await {
                    None => busy(),
                    Some(None) => refuse(StatusCode::NOT_FOUND, "there is no such realm"),
                    Some(Some(state)) => json(&state),
                }
            }
            None if path == "/drain" => self.json_of::<Draining>(Question::Drain).await,
            None => match self.control.ask(Question::StopDraining).await {
                None => busy(),
                Some(None) => refuse(StatusCode::CONFLICT, "there is no drain to cancel"),
                Some(Some(draining)) => json(&draining),
            },
        }
    }

    async fn json_of<T: Serialize>(&self, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> Answer {
        self.control.ask(question).await.map_or_else(busy, |answer| json(&answer))
    }

    fn drops(&self) -> Vec<Drops> {
        let mut found = Vec::new();
        for leg in Leg::ALL {
            for reason in DropReason::all() {
                let packets =
                    self.workers.iter().map(|w| w.counters.get(Counter::Dropped(leg, reason))).sum();
                if packets > 0 {
                    found.push(Drops {
                        leg: leg.as_str().to_owned(),
                        reason: reason.as_str().to_owned(),
                        packets,
                    });
                }
            }
        }
        found
    }
}

fn packets(watch: &WorkerWatch) -> Packets {
    let kinds = |of: fn(Leg, PacketKind) -> Counter| -> u64 {
        Leg::ALL
            .iter()
            .flat_map(|&l| PacketKind::ALL.iter().map(move |&k| (l, k)))
            .map(|(l, k)| watch.counters.get(of(l, k)))
            .sum()
    };
    let dropped = Leg::ALL
        .iter()
        .flat_map(|&l| DropReason::all().map(move |r| Counter::Dropped(l, r)))
        .map(|c| watch.counters.get(c))
        .sum();
    Packets { received: kinds(Counter::Received), sent: kinds(Counter::Sent), dropped }
}

fn worker(watch: &WorkerWatch) -> Worker {
    Worker {
        worker: watch.worker,
        core: watch.core,
        flows: watch.counters.get(Counter::Flows),
        busy_ratio: watch.busy_ratio(),
        packets: packets(watch),
    }
}

/// A number of the query string.
fn parameter<T: std::str::FromStr>(query: &str, name: &str) -> Result<Option<T>, ()> {
    let value = query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    value.map(|v| v.parse().map_err(|_| ())).transpose()
}

fn json<T: Serialize + ?Sized>(value: &T) -> Answer {
    match serde_json::to_vec(value) {
        Ok(mut body) => {
            body.push(b'\n');
            Answer { status: StatusCode::OK, kind: JSON, body }
        }
        Err(error) => refuse(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

fn text(status: StatusCode, words: &str) -> Answer {
    Answer { status, kind: TEXT, body: words.as_bytes().to_vec() }
}

fn refuse(status: StatusCode, why: &str) -> Answer {
    Answer { status, ..json(&Refused { error: why.to_owned() }) }
}

fn busy() -> Answer {
    refuse(StatusCode::SERVICE_UNAVAILABLE, "the control task is busy or ending, ask again")
}
