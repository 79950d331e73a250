//! What flows over TCP do by the clock: all of them are visited four times a second, a few each turn, and those for which a time is up are
//! queued. A time is kept true to a quarter of a second, which is enough for what it is about.

use super::Connections;
use crate::command::order::FlowId;
use crate::flow::tcp::TcpFlow;
use crate::io::Now;

/// How often each flow is visited.
const VISIT_EVERY_US: u64 = 250_000;
/// The most flows that one turn visits.
const MAX_VISITS: u64 = 1024;

/// Where the round is.
#[derive(Debug, Default)]
pub(super) struct Clock {
    next: usize,
    since: Now,
    /// Flows to be visited, in fractions of a visit.
    due: u64,
}

impl Connections {
    /// Visits as many flows as are due at `now`.
    pub(super) fn visit(&mut self, now: Now, talkative: &mut Vec<FlowId>) {
        let count = self.live.len() as u64;
        let elapsed_us = now.0.saturating_sub(self.clock.since.0).min(VISIT_EVERY_US);
        self.clock.since = now;
        self.clock.due = (self.clock.due + elapsed_us * count).min(count * VISIT_EVERY_US);
        let visits = (self.clock.due / VISIT_EVERY_US).min(MAX_VISITS);
        self.clock.due -= visits * VISIT_EVERY_US;
        for _ in 0..visits {
            self.clock.next = if self.clock.next + 1 < self.live.len() { self.clock.next + 1 } else { 0 };
            let id = self.live[self.clock.next];
            self.visit_one(id, now, talkative);
        }
    }

    fn visit_one(&mut self, id: FlowId, now: Now, talkative: &mut Vec<FlowId>) {
        let peer = self.get_mut(id).and_then(|flow| flow.plan.peer);
        let peer_mode = peer.and_then(|peer| self.get_mut(peer)).map(|peer| peer.plan.mode);
        let Some(flow) = self.get_mut(id) else { return };
        flow.look_for_activity(peer_mode, now);
        flow.note_nobody(now);
        if flow.has_notices() && !flow.notices_listed {
            flow.notices_listed = true;
            talkative.push(id);
        }
        if is_due(flow, now) {
            self.enqueue(id);
        }
    }
}

/// Whether a time is up for a flow.
fn is_due(flow: &TcpFlow, now: Now) -> bool {
    flow.linger_is_over(now)
        || (flow.line().is_some() && flow.is_idle(now))
        || flow.should_follow_release(now)
        || (flow.listening && flow.knocked && flow.can_judge())
        || flow.lines.iter().any(|line| flow.is_late(line, now))
}
