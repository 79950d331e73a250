//! The last Iq messages for `agw iq trace`. The H.248 machine blanks keys before it hands a message out, and traces only while
//! somebody asks; when nobody has asked for [`IDLE`], tracing ends and what was kept is forgotten.

use crate::admin::views::{TracePage, Traced};
use agw_iq::MediaGateway;
use agw_iq::trace::{TraceDirection, TraceEntry};
use std::collections::VecDeque;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Messages kept.
const MAX_KEPT: usize = 512;
/// Nobody looks any more.
const IDLE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Traces {
    kept: VecDeque<Traced>,
    last_number: u64,
    last_asked: Option<Instant>,
}

impl Traces {
    /// Keeps a message, for the oldest one if need be.
    pub(super) fn keep(&mut self, entry: TraceEntry) {
        if self.kept.len() == MAX_KEPT {
            self.kept.pop_front();
        }
        self.last_number += 1;
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.kept.push_back(Traced {
            number: self.last_number,
            time_ms: u64::try_from(since.as_millis()).unwrap_or(u64::MAX),
            direction: match entry.direction {
                TraceDirection::In => "received".to_owned(),
                TraceDirection::Out => "sent".to_owned(),
            },
            peer: entry.peer.to_string(),
            text: entry.text,
        });
    }

    /// The messages after a number; none: only from now on. Tracing goes on for as long as this is called.
    pub(super) fn page(&mut self, after: Option<u64>, iq: &mut MediaGateway, now: Instant) -> TracePage {
        if self.last_asked.is_none() {
            iq.set_trace(true);
        }
        self.last_asked = Some(now);
        let messages =
            after.map_or_else(Vec::new, |n| self.kept.iter().filter(|m| m.number > n).cloned().collect());
        TracePage { next: self.last_number, messages }
    }

    /// Ends tracing when nobody looks any more.
    pub(super) fn look(&mut self, now: Instant, iq: &mut MediaGateway) {
        if self.last_asked.is_some_and(|at| now.saturating_duration_since(at) > IDLE) {
            self.last_asked = None;
            self.kept.clear();
            iq.set_trace(false);
        }
    }
}
