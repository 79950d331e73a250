//! What a worker does by the clock and not by a packet: about once a second it looks at every flow, a few places a turn, so that no turn
//! is long. It publishes what was found lost and how unsteady packets arrive, and notices keys that come near their end
//! and media that stop.

use super::stats::{Counter, Tally};
use super::table::FlowTable;
use crate::command::order::FlowId;
use crate::io::Now;

/// How often each flow is looked at.
const VISIT_EVERY_US: u64 = 1_000_000;
/// The most places that one turn looks at.
const MAX_VISITS: u64 = 1024;

/// Where the round is.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    next: u32,
    since: Now,
    /// Places to be visited, in millionths.
    due: u64,
}

impl Rounds {
    /// Looks at as many flows as are due at `now`, and hands those that have something to tell to `talkative`.
    pub(super) fn visit(
        &mut self,
        now: Now,
        table: &mut FlowTable,
        tally: &mut Tally,
        talkative: &mut Vec<FlowId>,
    ) {
        let capacity = table.capacity() as u64;
        let elapsed_us = now.0.saturating_sub(self.since.0).min(VISIT_EVERY_US);
        self.since = now;
        if capacity == 0 {
            return;
        }
        self.due = (self.due + elapsed_us * capacity).min(capacity * VISIT_EVERY_US);
        let visits = (self.due / VISIT_EVERY_US).min(MAX_VISITS);
        self.due -= visits * VISIT_EVERY_US;
        for _ in 0..visits {
            let id = FlowId(self.next);
            self.next = ((u64::from(self.next) + 1) % capacity) as u32;
            let peer = table.get(id).and_then(|flow| flow.plan.peer);
            let peer_mode = peer.and_then(|peer| table.get(peer)).map(|peer| peer.plan.mode);
            let Some(flow) = table.get_mut(id) else { continue };
            flow.note_lifetimes();
            flow.look_for_activity(peer_mode, now);
            flow.look_at_ice(now);
            let (leg, lost) = (flow.plan.leg, flow.take_lost());
            tally.add(Counter::Lost(leg), lost);
            if let Some(jitter_us) = flow.fresh_jitter_us() {
                tally.observe_jitter(leg, jitter_us);
            }
            if flow.has_notices() && !flow.notices_listed {
                flow.notices_listed = true;
                talkative.push(id);
            }
        }
    }
}
