//! What comes back from the workers. Answers free what they name: plans, flows with their keys, places, ports. All of it is freed
//! here, on the control thread.

use super::Controller;
use super::moving::Whereabouts;
use crate::command::order::{Answer, FlowId};
use crate::command::{Event, Notice, Observation, Ticket};
use crate::io::PortOpener;
use crate::io::stream::StreamOpener;
use crate::model::StreamStatistics;

/// After so many answers what is done is told even if there are more: a worker that never falls silent holds nobody up.
const ANSWERS_BETWEEN_DONE: u32 = 64;

impl<O: PortOpener + StreamOpener> Controller<O> {
    /// The next thing to tell a front end; `None` when there is nothing more now, and then the workers are woken for what was ordered
    /// meanwhile. [`Event::Done`] is told of the last command only when several have been done since.
    pub fn poll_event(&mut self) -> Option<Event> {
        while self.untold.is_empty() && self.answers_since_done < ANSWERS_BETWEEN_DONE {
            let Some((worker, answer)) = self.next_answer() else { break };
            self.answers_since_done += 1;
            if let Some(event) = self.handle_answer(worker, answer) {
                return Some(event);
            }
        }
        if let Some(event) = self.untold.pop_front() {
            return Some(event);
        }
        self.answers_since_done = 0;
        if let Some(done) = self.tickets.take_done() {
            return Some(Event::Done(done));
        }
        self.sockets.opener.tend();
        self.wake_workers();
        None
    }

    /// The next answer, from each worker in turn.
    fn next_answer(&mut self) -> Option<(usize, Answer)> {
        for _ in 0..self.links.len() {
            let worker = self.next_link;
            self.next_link = (worker + 1) % self.links.len();
            if let Some(answer) = self.links[worker].receive() {
                return Some((worker, answer));
            }
        }
        None
    }

    fn handle_answer(&mut self, worker: usize, answer: Answer) -> Option<Event> {
        match answer {
            Answer::Done(order, _freed) => {
                self.admit_arrival(order);
                self.tickets.answered(order);
                None
            }
            Answer::Removed { ticket, flow, statistics, remains: _freed } => {
                let event = self.statistics_event(worker, ticket, flow, statistics);
                self.tickets.answered(ticket);
                self.free(worker, flow);
                event
            }
            Answer::Released { ticket, flow, statistics, moving } => {
                self.handle_released(Whereabouts { worker, flow }, ticket, statistics, moving);
                None
            }
            Answer::Statistics(order, flow, statistics) => {
                let event = self.statistics_event(worker, order, flow, statistics);
                self.tickets.answered(order);
                event
            }
            Answer::ChangedTcp(order, _freed) => {
                self.tickets.answered(order);
                None
            }
            Answer::Gone(flow, _freed) => {
                self.free(worker, flow);
                None
            }
            Answer::Notice(flow, what) => self.notice_event(worker, flow, what),
        }
    }

    /// Frees what a flow had that its worker has let go.
    fn free(&mut self, worker: usize, flow: FlowId) {
        let link = &mut self.links[worker];
        let record = link.flow(flow).copied().filter(|record| record.leaving);
        debug_assert!(record.is_some(), "{flow:?} was let go unasked");
        if let Some(record) = record {
            link.flows.remove(flow.0 as usize);
            self.sockets.close(worker, record.held, self.now_ms);
        }
    }

    fn statistics_event(
        &self,
        worker: usize,
        order: Ticket,
        flow: FlowId,
        statistics: StreamStatistics,
    ) -> Option<Event> {
        let record = self.links[worker].flow(flow)?;
        Some(Event::Statistics {
            ticket: self.tickets.command_of(order),
            termination: record.termination,
            stream: record.stream,
            statistics,
        })
    }

    /// What was noticed on a flow that has been subtracted since concerns nobody any more.
    fn notice_event(&mut self, worker: usize, flow: FlowId, what: Observation) -> Option<Event> {
        let record = *self.links[worker].flow(flow).filter(|record| !record.leaving)?;
        if let Ok(termination) = self.registry.termination_mut(record.termination)
            && let Some(at) = termination.find(record.stream)
        {
            termination.streams[at].hear(what);
        }
        Some(Event::Notice(Notice { termination: record.termination, stream: record.stream, what }))
    }
}
