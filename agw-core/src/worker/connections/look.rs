//! One look at a flow and the one that it is joined with: both go on as far as they can, bytes are carried both ways, and what became of
//! one side is brought to the other (TCP-5).

use super::{Budget, Connections, LOOK_BYTES, Look};
use crate::command::order::FlowId;
use crate::flow::tcp::TcpFlow;
use crate::flow::tcp::line::{Line, Stage};
use crate::io::Now;
use crate::io::stream::StreamIo;
use crate::model::{BearerFailure, TlsFailure};
use crate::worker::stats::{ConnectionEvent, Counter, Tally};

impl Connections {
    /// Looks at a flow, which may have its share of the turn's budget.
    pub(super) fn look_at<Io: StreamIo>(
        &mut self,
        id: FlowId,
        io: &mut Io,
        now: Now,
        tally: &mut Tally,
        budget: &mut Budget,
        talkative: &mut Vec<FlowId>,
    ) {
        let Some(mut flow) = self.take_out(id) else { return };
        let share = budget.bytes.min(LOOK_BYTES);
        flow.queued = false;
        let partner = flow.partner.filter(|partner| *partner != id);
        let mut other = partner.and_then(|partner| self.take_out(partner));
        if let Some(found) = other.take_if(|found| found.partner != Some(id)) {
            self.put_back(partner.unwrap_or(id), found, talkative);
        }
        let mut look = Look {
            io,
            pool: &mut self.pool,
            by_connection: &mut self.by_connection,
            tally,
            now,
            bytes_left: share,
            budget,
            unproven: &mut self.unproven,
            unfinished: false,
        };
        look.go_on(id, &mut flow, partner.zip(other.as_deref_mut()));
        // Spent all it had: there may be more to do, when the others have had their turn.
        let again = look.bytes_left == 0 || look.unfinished;
        look.budget.bytes -= share - look.bytes_left;
        let over = flow.is_at_its_end();
        self.put_back(id, flow, talkative);
        if over {
            self.end(id);
        } else if again {
            self.enqueue(id);
        }
        if let (Some(partner), Some(other)) = (partner, other) {
            let over = other.is_at_its_end();
            self.put_back(partner, other, talkative);
            if over {
                self.end(partner);
            }
        }
    }

    fn end(&mut self, id: FlowId) {
        if !self.ended.contains(&id) {
            self.ended.push(id);
        }
    }

    fn take_out(&mut self, id: FlowId) -> Option<Box<TcpFlow>> {
        self.flows.get_mut(id.0 as usize)?.take()
    }

    fn put_back(&mut self, id: FlowId, mut flow: Box<TcpFlow>, talkative: &mut Vec<FlowId>) {
        flow.rest(&mut self.pool);
        if flow.has_notices() && !flow.notices_listed {
            flow.notices_listed = true;
            talkative.push(id);
        }
        if let Some(place) = self.flows.get_mut(id.0 as usize) {
            *place = Some(flow);
        }
    }
}

impl<Io: StreamIo> Look<'_, Io> {
    /// Both flows go on as far as they can.
    fn go_on(&mut self, id: FlowId, flow: &mut TcpFlow, other: Option<(FlowId, &mut TcpFlow)>) {
        self.look_at_times(flow);
        self.set_up(id, flow);
        let Some((other_id, other)) = other else {
            self.take_in(flow);
            // Nobody is there for whom the peer, or who was one connection with the other side, could wait.
            let is_idle_half = flow.input_ended || flow.plan.stateless;
            flow.output_closing |= flow.has_lost_its_other_side() && is_idle_half && flow.line().is_some();
            self.give_out(flow);
            self.end_in_order(flow, None);
            self.be_open_again(flow, None);
            return;
        };
        if std::mem::take(&mut flow.cue) {
            other.trigger();
        }
        self.set_up(other_id, other);
        if std::mem::take(&mut other.cue) {
            flow.trigger();
            self.set_up(id, flow);
        }
        self.carry(flow, other);
        self.carry(other, flow);
        self.end_in_order(flow, Some(other));
        self.end_in_order(other, Some(flow));
        self.share_break(flow, other);
        self.share_break(other, flow);
        self.be_open_again(flow, Some(other));
    }

    /// When the connections of both sides are over, the next may come where they are handled statelessly (TCP-6).
    fn be_open_again(&mut self, flow: &mut TcpFlow, other: Option<&mut TcpFlow>) {
        let is_other_done =
            other.as_ref().is_none_or(|other| other.removed.is_some() || other.may_come_again());
        if !flow.may_come_again() || !is_other_done {
            return;
        }
        for flow in [Some(flow), other].into_iter().flatten().filter(|flow| flow.removed.is_none()) {
            flow.begin_anew(self.pool);
        }
        // They listen with the next look.
        self.unfinished = true;
    }

    /// What breaks one side breaks the other.
    fn share_break(&mut self, flow: &mut TcpFlow, other: &mut TcpFlow) {
        if std::mem::take(&mut flow.broke) {
            self.break_off(other, BearerFailure::OtherSide);
            other.broke = false;
        }
    }

    fn look_at_times(&mut self, flow: &mut TcpFlow) {
        let now = self.now;
        if flow.linger_is_over(now) {
            self.let_go(flow, true);
            flow.inbox.clear(self.pool);
            flow.plain.clear(self.pool);
        } else if flow.line().is_some() && flow.is_idle(now) {
            self.break_off(flow, BearerFailure::Idle);
        } else if flow.should_follow_release(now) {
            flow.output_closing = true;
        }
        while let Some(at) = flow.lines.iter().position(|line| flow.is_late(line, now)) {
            match flow.lines[at].stage {
                Stage::Handshaking => self.disprove(flow, at, TlsFailure::TimedOut),
                Stage::Waiting => self.disprove(flow, at, TlsFailure::FingerprintMissing),
                Stage::Connecting | Stage::Up => self.break_off(flow, BearerFailure::TimedOut),
            }
        }
    }

    /// A connection of a flow has failed: it is reset, and that is told once. If it carried the stream, or would have in stateless handling, the other side
    /// breaks too; else the controller decides what becomes of that.
    pub(super) fn break_off(&mut self, flow: &mut TcpFlow, failure: BearerFailure) {
        if flow.over && flow.lines.is_empty() {
            return;
        }
        flow.broke = flow.line().is_some() || flow.plan.stateless;
        if let (Some(_), BearerFailure::Tls(failure)) = (flow.line(), failure) {
            self.tally.add(Counter::SessionsBroken(failure), 1);
        }
        let event = ConnectionEvent::from(failure);
        if !flow.lines.is_empty() || flow.wants_connect {
            self.tally.add(Counter::Connections(flow.plan.leg, event), 1);
        }
        self.let_go(flow, true);
        flow.inbox.clear(self.pool);
        flow.plain.clear(self.pool);
        self.stop_listening(flow);
        flow.note_over(Some(failure));
    }

    /// Lets go of all connections of a flow.
    pub(super) fn let_go(&mut self, flow: &mut TcpFlow, reset: bool) {
        for line in flow.lines.drain(..) {
            self.release(line, reset);
        }
    }

    /// Lets go of one connection.
    pub(super) fn release(&mut self, mut line: Line, reset: bool) {
        *self.unproven -= usize::from(line.is_unproven());
        line.wire.clear(self.pool);
        line.unfed.clear(self.pool);
        self.by_connection.remove(&line.handle);
        self.io.release(line.handle, reset);
    }
}
