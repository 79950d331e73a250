//! TLS on connections that have not proven to be the peer's (TLS-2 to TLS-5, TLS-12). Nothing but the handshake is done with their bytes: what
//! the peer has sent behind it stays where it is until the certificate has been judged. Steps that may cost public-key operations are taken out of the
//! turn's budget.

use super::Look;
use super::set_up::failure_of;
use crate::flow::tcp::TcpFlow;
use crate::flow::tcp::line::{Line, Stage};
use crate::io::stream::StreamIo;
use crate::model::{Bearer, BearerFailure, TlsFailure};
use crate::worker::stats::{ConnectionEvent, Counter, HandshakeProtocol, HandshakeResult};
use agw_tls::Role;
use std::io;

/// How far a step brought a handshake.
enum Step {
    /// It goes on at once.
    Further,
    /// It waits for the peer, or for the next turn.
    Waits,
    /// It is over, and the peer may be judged.
    Over,
}

impl<Io: StreamIo> Look<'_, Io> {
    /// Brings all handshakes of a flow as far as they can go.
    pub(super) fn shake_hands(&mut self, flow: &mut TcpFlow) {
        let mut at = 0;
        while at < flow.lines.len() {
            let count = flow.lines.len();
            match flow.lines[at].stage {
                Stage::Handshaking => self.shake(flow, at),
                Stage::Waiting => self.judge(flow, at),
                Stage::Connecting | Stage::Up => {}
            }
            // One that was let go has made place for the next.
            at += usize::from(flow.lines.len() >= count);
        }
    }

    fn shake(&mut self, flow: &mut TcpFlow, at: usize) {
        loop {
            match self.step(flow, at) {
                Ok(Step::Further) => {}
                Ok(Step::Waits) => return,
                Ok(Step::Over) => {
                    let now = self.now;
                    let took_us = now.0.saturating_sub(flow.lines[at].since.0);
                    self.tally.observe_handshake(HandshakeProtocol::Tls, flow.is_tls_client(), took_us);
                    flow.lines[at].reach(Stage::Waiting, now);
                    self.judge(flow, at);
                    return;
                }
                Err(failure) => {
                    self.disprove(flow, at, failure);
                    return;
                }
            }
        }
    }

    fn step(&mut self, flow: &mut TcpFlow, at: usize) -> Result<Step, TlsFailure> {
        let Some(plan) = flow.plan.tls.as_deref() else { return Err(TlsFailure::Internal) };
        let line = &mut flow.lines[at];
        // A server begins when something has come, so that who only connects costs next to nothing.
        if line.tls.is_none() && (plan.client || !line.unfed.is_empty()) {
            let role = if plan.client { Role::Client } else { Role::Server };
            let credentials = plan.credentials.as_ref().ok_or(TlsFailure::Internal)?;
            line.tls = Some(plan.tls.engine(role, credentials)?);
        }
        self.flush(line).map_err(|_| TlsFailure::Truncated)?;
        if let Some(engine) = &mut line.tls {
            if engine.wants_process() {
                if self.budget.handshake_steps == 0 {
                    self.unfinished = true;
                    return Ok(Step::Waits);
                }
                self.budget.handshake_steps -= 1;
                engine.process()?;
                return Ok(Step::Further);
            }
            if !engine.is_handshaking() {
                return Ok(Step::Over);
            }
            let fed = engine.feed(line.unfed.bytes());
            line.unfed.consume(fed);
            if fed > 0 {
                return Ok(Step::Further);
            }
        }
        if !line.readable || self.bytes_left == 0 {
            return Ok(Step::Waits);
        }
        let may_come = (flow.plan.bounds.handshake_bytes as usize).saturating_sub(line.unproven_bytes);
        let space = line.unfed.space(self.pool);
        let at_most = space.len().min(self.bytes_left).min(may_come);
        if at_most == 0 {
            // As much has come as is read of anybody, and TLS made no peer of that.
            return Err(TlsFailure::HandshakeTooLong);
        }
        match self.io.receive(line.handle, &mut space[..at_most]) {
            Ok(0) => Err(TlsFailure::Truncated),
            Ok(n) => {
                line.unfed.filled(n);
                line.unproven_bytes += n;
                self.bytes_left -= n;
                flow.count_received(n, self.now);
                self.tally.add(Counter::StreamBytesReceived(flow.plan.leg), n as u64);
                Ok(Step::Further)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                line.readable = false;
                Ok(Step::Waits)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(Step::Further),
            Err(_) => Err(TlsFailure::Truncated),
        }
    }

    /// The peer has proven that it has the key of its certificate: is that the one that was signalled?
    fn judge(&mut self, flow: &mut TcpFlow, at: usize) {
        let certificate = flow.lines[at].tls.as_ref().and_then(|engine| engine.peer_certificate());
        match flow.verdict(certificate) {
            None => {}
            Some(Err(failure)) => self.disprove(flow, at, failure),
            Some(Ok(())) => {
                let mut line = flow.lines.swap_remove(at);
                self.let_go(flow, true);
                *self.unproven -= usize::from(line.is_unproven());
                line.reach(Stage::Up, self.now);
                flow.lines.push(line);
                flow.note_session(Bearer::Established);
                self.count_handshake(flow, HandshakeResult::Good);
                self.come_up(flow);
            }
        }
    }

    /// Who is at this connection is not the peer, or cannot show it. Where it came to us, the peer may still come.
    pub(super) fn disprove(&mut self, flow: &mut TcpFlow, at: usize, failure: TlsFailure) {
        let mut line = flow.lines.remove(at);
        if let Some(engine) = &mut line.tls {
            engine.close();
        }
        // The alert; if it does not go at once it does not go.
        let _ = self.flush(&mut line);
        let ours = line.ours;
        self.io.finish(line.handle);
        self.release(line, false);
        self.count_handshake(flow, HandshakeResult::Failed(failure));
        if ours {
            flow.wants_connect = true; // so that it counts as an attempt
            self.break_off(flow, BearerFailure::Tls(failure));
        } else {
            self.count(flow, ConnectionEvent::Tls);
            flow.note_session(Bearer::Failed(BearerFailure::Tls(failure)));
        }
    }

    /// What TLS has to say goes out, as far as there is room. Returns how many bytes went.
    pub(super) fn flush(&mut self, line: &mut Line) -> Result<usize, BearerFailure> {
        let mut given = 0;
        loop {
            line.drain_tls(self.pool);
            if line.wire.is_empty() || !line.writable {
                return Ok(given);
            }
            match self.io.transmit(line.handle, line.wire.bytes()) {
                Ok(n) => {
                    line.wire.consume(n);
                    given += n;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => line.writable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failure_of(&error)),
            }
        }
    }

    fn count_handshake(&mut self, flow: &TcpFlow, result: HandshakeResult) {
        let (protocol, is_client) = (HandshakeProtocol::Tls, flow.is_tls_client());
        self.tally.add(Counter::Handshakes { protocol, is_client, result }, 1);
    }
}
