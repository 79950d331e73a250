//! What became of messages and sessions, counted by the ends of one thread and read by whoever shows it.

use crate::measure::{Counts, Times};
use crate::report::MsrpReport;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counters of one thread's ends.
#[derive(Debug, Default)]
pub struct Tally(Mutex<Counted>);

/// What has been counted.
#[derive(Debug, Default, Clone)]
pub struct Counted {
    /// Messages; those whose paths are not as they should be count as misdirected, whatever they carry.
    pub counts: Counts,
    /// From the first chunk handed to the system to the last one read.
    pub latency: Times,
    /// How much later than planned messages were begun.
    pub lateness: Times,
    /// From TCP's SYN to the end of the TLS handshake.
    pub handshake: Times,
    /// From a chunk handed to the system to its response.
    pub response: Times,
    /// The rest.
    pub msrp: MsrpReport,
}

impl Tally {
    /// To count with. Nobody holds it for long.
    pub fn lock(&self) -> MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    /// All of `other` more.
    pub fn add(&mut self, other: &Self) {
        self.counts += other.counts;
        for (ours, theirs) in [
            (&mut self.latency, &other.latency),
            (&mut self.lateness, &other.lateness),
            (&mut self.handshake, &other.handshake),
            (&mut self.response, &other.response),
        ] {
            ours.add(theirs);
        }
        self.msrp.bytes += other.msrp.bytes;
        self.msrp.chunks += other.msrp.chunks;
        self.msrp.handshakes += other.msrp.handshakes;
        self.msrp.handshakes_failed += other.msrp.handshakes_failed;
        self.msrp.connections_lost += other.msrp.connections_lost;
        self.msrp.responses_ok += other.msrp.responses_ok;
        self.msrp.responses_other += other.msrp.responses_other;
        if self.msrp.first_failure.is_none() {
            self.msrp.first_failure.clone_from(&other.msrp.first_failure);
        }
    }

    /// A failure in words, of which the first is kept.
    pub fn fail(&mut self, why: impl Into<String>) {
        self.msrp.first_failure.get_or_insert_with(|| why.into());
    }
}
