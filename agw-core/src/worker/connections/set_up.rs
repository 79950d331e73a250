//! How connections come about: we listen, accept who may be the peer, or connect when told to (TCP-2), by ourselves never (TCP-1).

use super::Look;
use crate::command::order::FlowId;
use crate::flow::tcp::line::{Line, Stage};
use crate::flow::tcp::{MAX_LINES, TcpFlow};
use crate::io::stream::StreamIo;
use crate::model::{BearerFailure, Trigger};
use crate::worker::stats::{ConnectionEvent, Counter};
use std::io;
use std::net::SocketAddr;

impl<Io: StreamIo> Look<'_, Io> {
    /// Listens, accepts and connects as the plan says now.
    pub(super) fn set_up(&mut self, id: FlowId, flow: &mut TcpFlow) {
        if flow.removed.is_some() {
            self.stop_listening(flow);
            if flow.line().is_none() {
                self.let_go(flow, true);
            }
            return;
        }
        if flow.wants_connect && flow.over {
            flow.begin_anew(self.pool);
        }
        match (flow.should_listen(), flow.listening) {
            (true, false) => self.listen(flow),
            (false, true) => self.stop_listening(flow),
            _ => {}
        }
        if flow.listening && flow.knocked && flow.can_judge() {
            self.accept(id, flow);
        }
        if flow.should_connect() {
            self.connect(id, flow);
        }
        self.look_at_connecting(flow);
        self.shake_hands(flow);
    }

    fn listen(&mut self, flow: &mut TcpFlow) {
        match self.io.listen(flow.plan.port.handle) {
            Ok(()) => flow.note_listening(),
            Err(_) => self.break_off(flow, BearerFailure::Resources),
        }
    }

    pub(super) fn stop_listening(&mut self, flow: &mut TcpFlow) {
        if std::mem::take(&mut flow.listening) {
            flow.knocked = false;
            // A port that cannot be silenced turns everybody away when the flow is gone.
            let _ = self.io.stop_listening(flow.plan.port.handle);
        }
    }

    fn accept(&mut self, id: FlowId, flow: &mut TcpFlow) {
        while self.budget.accepts > 0 {
            self.budget.accepts -= 1;
            let (handle, from) = match self.io.accept(flow.plan.port.handle) {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    flow.knocked = false;
                    return;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // No new knock will tell of those who wait: the clock asks again when there may be room.
                Err(_) => {
                    self.count(flow, ConnectionEvent::Resources);
                    return;
                }
            };
            if !flow.admits(from) || !self.make_room(flow, from) {
                flow.count_refused();
                self.count(flow, ConnectionEvent::TurnedAway);
                self.io.release(handle, true);
                continue;
            }
            self.count(flow, ConnectionEvent::Accepted);
            self.by_connection.insert(handle, id);
            if flow.plan.tls.is_none() {
                flow.lines.push(Line::new(handle, from, Stage::Up, self.now));
                self.come_up(flow);
                return;
            }
            *self.unproven += 1;
            flow.lines.push(Line::new(handle, from, Stage::Handshaking, self.now));
            note_tcp_up(flow);
        }
        // There may be more, when others have had their turn.
        self.unfinished = true;
    }

    /// Makes room for one more who has to prove itself, if it may have one (TLS-12).
    fn make_room(&mut self, flow: &mut TcpFlow, from: SocketAddr) -> bool {
        let bounds = flow.plan.bounds;
        let is_crowded = *self.unproven >= bounds.unproven_per_worker as usize;
        if flow.plan.tls.is_some() && is_crowded && !flow.is_at_remote(from) {
            return false;
        }
        if flow.lines.len() < usize::from(bounds.unproven).min(MAX_LINES) {
            return true;
        }
        let Some(at) = flow.gives_way(from, self.now) else { return false };
        let stranger = flow.lines.remove(at);
        self.release(stranger, true);
        flow.count_refused();
        self.count(flow, ConnectionEvent::TurnedAway);
        true
    }

    fn connect(&mut self, id: FlowId, flow: &mut TcpFlow) {
        let Some(remote) = flow.plan.remote else { return };
        self.stop_listening(flow);
        match self.io.connect(flow.plan.port.handle, remote) {
            Ok(handle) => {
                flow.wants_connect = false;
                self.by_connection.insert(handle, id);
                flow.lines.push(Line::new(handle, remote, Stage::Connecting, self.now));
            }
            Err(error) => self.break_off(flow, failure_of(&error)),
        }
    }

    fn look_at_connecting(&mut self, flow: &mut TcpFlow) {
        let now = self.now;
        let Some(line) =
            flow.lines.first_mut().filter(|line| line.stage == Stage::Connecting && line.writable)
        else {
            return;
        };
        match self.io.established(line.handle) {
            Ok(()) => {
                line.readable = true;
                if flow.plan.tls.is_some() {
                    line.reach(Stage::Handshaking, now);
                    note_tcp_up(flow);
                } else {
                    line.reach(Stage::Up, now);
                    self.come_up(flow);
                }
                self.count(flow, ConnectionEvent::Connected);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => line.writable = false,
            Err(error) => self.break_off(flow, failure_of(&error)),
        }
    }

    /// The connection carries the stream from now on: nothing more has to be proven.
    pub(super) fn come_up(&mut self, flow: &mut TcpFlow) {
        self.stop_listening(flow);
        flow.wants_connect = false;
        flow.note_source();
        flow.cue |= flow.triggers(Trigger::Tls);
        if flow.plan.tls.is_none() {
            note_tcp_up(flow);
        }
    }

    pub(super) fn count(&mut self, flow: &TcpFlow, event: ConnectionEvent) {
        self.tally.add(Counter::Connections(flow.plan.leg, event), 1);
    }
}

/// TCP is up.
fn note_tcp_up(flow: &mut TcpFlow) {
    flow.note_established();
    flow.cue |= flow.triggers(Trigger::Tcp);
}

/// What the system's word means.
pub(super) fn failure_of(error: &io::Error) -> BearerFailure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => BearerFailure::Refused,
        io::ErrorKind::TimedOut => BearerFailure::TimedOut,
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            BearerFailure::Reset
        }
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::PermissionDenied => BearerFailure::Unreachable,
        _ => BearerFailure::Resources,
    }
}
