//! `agw context ID` with counters: the workers are asked for them, and the answer waits until they have said all. A few such questions at
//! a time; what is more is answered without counters.

use crate::admin::views::{Context, Counters, Tcp, Tls};
use agw_core::command::{Command, Event, Gateway, Reply, Ticket};
use agw_core::model::{ConnectionStatus, Proof, StreamStatistics, TerminationId};
use tokio::sync::oneshot;

/// Questions that may wait for the workers.
const MAX_READS: usize = 16;

/// One question.
#[derive(Debug)]
struct Read {
    context: Context,
    tickets: Vec<Ticket>,
    to: oneshot::Sender<Option<Context>>,
}

/// The questions that wait.
#[derive(Debug, Default)]
pub(super) struct Reads(Vec<Read>);

impl Reads {
    /// Asks the workers for the counters of a context.
    pub(super) fn begin(
        &mut self,
        context: Context,
        to: oneshot::Sender<Option<Context>>,
        gateway: &mut dyn Gateway,
    ) {
        // Whoever has gone does not wait any more.
        self.0.retain(|read| !read.to.is_closed());
        let mut tickets = Vec::new();
        if self.0.len() < MAX_READS {
            for termination in &context.terminations {
                let read = gateway.execute(Command::ReadStatistics(TerminationId(termination.id)));
                if let Ok(Reply::Statistics(ticket)) = read {
                    tickets.push(ticket);
                }
            }
        }
        if tickets.is_empty() {
            drop(to.send(Some(context)));
        } else {
            self.0.push(Read { context, tickets, to });
        }
    }

    /// Takes what concerns a question, and answers those that have all they wait for.
    pub(super) fn hear(&mut self, event: &Event) {
        match event {
            Event::Statistics { ticket, termination, stream, statistics } => {
                for read in self.0.iter_mut().filter(|read| read.tickets.contains(ticket)) {
                    let terminations = read.context.terminations.iter_mut().filter(|t| t.id == termination.0);
                    for found in terminations.flat_map(|t| &mut t.streams).filter(|s| s.id == stream.0) {
                        found.counters = Some(counters(statistics));
                        found.tcp = statistics.connection.as_ref().map(tcp);
                    }
                }
            }
            Event::Done(done) => {
                let waits = |read: &mut Read| read.tickets.iter().all(|ticket| ticket <= done);
                for read in self.0.extract_if(.., waits) {
                    drop(read.to.send(Some(read.context)));
                }
            }
            Event::Notice(_) => {}
        }
    }
}

fn tcp(status: &ConnectionStatus) -> Tcp {
    Tcp {
        state: status.state.as_str().to_owned(),
        peer: status.peer.map(|peer| peer.to_string()),
        unproven: status.unproven,
        waiting_in_bytes: status.waiting_bytes[0],
        waiting_out_bytes: status.waiting_bytes[1],
        tls: status.session.map(|session| Tls {
            role: if session.is_client { "client" } else { "server" }.to_owned(),
            version: session.agreed.map(|(version, _)| version.name().to_owned()),
            suite: session.agreed.map(|(_, suite)| suite.to_owned()),
            proven_by: session.proof.map(|proof| match proof {
                Proof::Fingerprint(hash) => hash.name().to_owned(),
                Proof::Key => "key".to_owned(),
            }),
        }),
    }
}

fn counters(statistics: &StreamStatistics) -> Counters {
    Counters {
        duration_ms: statistics.duration_ms,
        packets_received: statistics.packets_received,
        packets_sent: statistics.packets_sent,
        octets_received: statistics.octets_received,
        octets_sent: statistics.octets_sent,
        loss_percent: statistics.loss_percent,
        jitter_ms: statistics.jitter_ms,
        delay_ms: statistics.delay_ms,
        discarded: statistics.discarded,
        policed: statistics.policed,
        idle_in_ms: statistics.idle_ms[0],
        idle_out_ms: statistics.idle_ms[1],
    }
}
