//! Bytes from one side to the other, in order, never more than there is room for; and the end of them.

use super::Look;
use super::set_up::failure_of;
use crate::flow::tcp::TcpFlow;
use crate::flow::tcp::line::Stage;
use crate::io::stream::StreamIo;
use crate::model::{Bearer, BearerFailure, TlsFailure};
use crate::worker::stats::{ConnectionEvent, Counter, MsrpCount};
use std::io;

impl<Io: StreamIo> Look<'_, Io> {
    /// Carries what comes at `from` to `to`, as far as both can and the budget allows.
    pub(super) fn carry(&mut self, from: &mut TcpFlow, to: &mut TcpFlow) {
        loop {
            // What comes after the other side was removed is not for that any more, and a reader that is behind gets no more to be behind with.
            let came = if to.removed.is_none() && !to.is_behind() { self.take_in(from) } else { 0 };
            let passed = self.pass(from, to);
            let left = self.give_out(to);
            if came + passed + left == 0 || self.bytes_left == 0 {
                break;
            }
        }
        // Handled statelessly the two are one connection, and a side without its other half has nothing to wait for (TCP-6).
        let no_more_comes = from.input_ended || (from.removed.is_some() && to.plan.stateless);
        if no_more_comes && from.is_drained() && to.line().is_some() {
            to.output_closing = true;
        }
    }

    /// From the wire into the inbox.
    pub(super) fn take_in(&mut self, flow: &mut TcpFlow) -> usize {
        if !flow.may_read() {
            return 0;
        }
        if flow.line().is_some_and(|line| line.tls.is_some()) {
            return self.take_in_tls(flow);
        }
        let mut taken = 0;
        while let Some(line) = flow.lines.first_mut().filter(|line| line.carries() && line.readable)
            && self.bytes_left > 0
        {
            let space = flow.inbox.space(self.pool);
            let at_most = space.len().min(self.bytes_left);
            if at_most == 0 {
                break;
            }
            match self.io.receive(line.handle, &mut space[..at_most]) {
                Ok(0) => (line.input_ended, line.readable, flow.input_ended) = (true, false, true),
                Ok(n) => {
                    flow.inbox.filled(n);
                    self.bytes_left -= n;
                    taken += n;
                    flow.count_received(n, self.now);
                    self.tally.add(Counter::StreamBytesReceived(flow.plan.leg), n as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => line.readable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.break_off(flow, failure_of(&error));
                    break;
                }
            }
        }
        taken
    }

    /// From the wire through TLS into the inbox.
    fn take_in_tls(&mut self, flow: &mut TcpFlow) -> usize {
        let mut taken = 0;
        loop {
            match self.decrypt(flow) {
                Ok(0) => return taken,
                Ok(n) => taken += n,
                Err(failure) => {
                    // The alert, if it goes at once.
                    if let Some(line) = flow.line_mut() {
                        let _ = self.flush(line);
                    }
                    self.break_off(flow, failure);
                    return taken;
                }
            }
        }
    }

    /// One step of it: how many bytes went on, of either form; 0: none can now.
    fn decrypt(&mut self, flow: &mut TcpFlow) -> Result<usize, BearerFailure> {
        let now = self.now;
        let Some(line) = flow.lines.first_mut().filter(|line| line.carries()) else { return Ok(0) };
        let Some(engine) = &mut line.tls else { return Ok(0) };
        let space = flow.inbox.space(self.pool);
        if space.is_empty() {
            return Ok(0);
        }
        let read = engine.read(space);
        flow.inbox.filled(read);
        if read > 0 {
            return Ok(read);
        }
        if engine.peer_has_closed() {
            (line.input_ended, flow.input_ended, flow.tls_released) = (true, true, Some(now));
            return Ok(0);
        }
        if engine.wants_process() {
            engine.process().map_err(BearerFailure::Tls)?;
            return Ok(1);
        }
        if !line.unfed.is_empty() {
            let fed = engine.feed(line.unfed.bytes());
            line.unfed.consume(fed);
            return Ok(fed);
        }
        if !line.readable || self.bytes_left == 0 {
            return Ok(0);
        }
        let space = line.unfed.space(self.pool);
        let at_most = space.len().min(self.bytes_left);
        match self.io.receive(line.handle, &mut space[..at_most]) {
            // Without the end of TLS nobody knows whether this is all: that is told, and what came is delivered.
            Ok(0) => {
                (line.input_ended, line.readable, flow.input_ended) = (true, false, true);
                flow.tls_released = Some(now);
                flow.note_session(Bearer::Failed(BearerFailure::Tls(TlsFailure::Truncated)));
                self.tally.add(Counter::SessionsBroken(TlsFailure::Truncated), 1);
                Ok(0)
            }
            Ok(n) => {
                line.unfed.filled(n);
                self.bytes_left -= n;
                flow.count_received(n, now);
                self.tally.add(Counter::StreamBytesReceived(flow.plan.leg), n as u64);
                Ok(n)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                line.readable = false;
                Ok(0)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(1),
            Err(error) => Err(failure_of(&error)),
        }
    }

    /// From the inbox of one side to the wire of the other.
    fn pass(&mut self, from: &mut TcpFlow, to: &mut TcpFlow) -> usize {
        if from.is_drained() || !from.may_pass_to(to) {
            return 0;
        }
        let before = (from.content.messages(), from.content.msrp_counts());
        let Some(line) = to.lines.first_mut().filter(|line| line.is_open()) else { return 0 };
        let target = if line.tls.is_some() { &mut to.plain } else { &mut line.wire };
        let space = target.space(self.pool);
        match from.content.transform(from.inbox.bytes(), space) {
            Ok((taken, put)) => {
                target.filled(put);
                from.inbox.consume(taken);
                to.messages_sent += from.content.messages() - before.0;
                self.count_msrp(from, before.1, taken);
                taken + put
            }
            Err(malformation) => {
                self.tally.add(Counter::Malformed(from.plan.leg, malformation), 1);
                self.break_off(from, BearerFailure::Malformed(malformation));
                0
            }
        }
    }

    /// Counts what of MSRP has passed since there was `before`.
    fn count_msrp(&mut self, from: &TcpFlow, before: Option<[(MsrpCount, u64); 3]>, bytes: usize) {
        let (Some(before), Some(now)) = (before, from.content.msrp_counts()) else { return };
        let leg = from.plan.leg;
        for ((count, now), (_, before)) in now.into_iter().zip(before) {
            self.tally.add(Counter::Msrp(leg, count), now - before);
        }
        self.tally.add(Counter::Msrp(leg, MsrpCount::Bytes), bytes as u64);
    }

    /// From the wire's buffer to the peer; and then the end, where there is one.
    pub(super) fn give_out(&mut self, flow: &mut TcpFlow) -> usize {
        let mut given = 0;
        while let Some(line) = flow.lines.first_mut().filter(|line| line.stage == Stage::Up) {
            let encrypted = line.encrypt(&mut flow.plain, self.pool);
            match self.flush(line) {
                Ok(0) if encrypted == 0 => break,
                Ok(n) => {
                    given += n + encrypted;
                    flow.count_sent(n, self.now);
                    self.tally.add(Counter::StreamBytesSent(flow.plan.leg), n as u64);
                }
                Err(failure) => {
                    self.break_off(flow, failure);
                    break;
                }
            }
        }
        given
    }

    /// Ends what has come to its end: our half, then the connection.
    pub(super) fn end_in_order(&mut self, flow: &mut TcpFlow, other: Option<&TcpFlow>) {
        if flow.removed.is_some() && other.is_none_or(TcpFlow::is_drained) {
            flow.output_closing = true;
        }
        if flow.removed.is_some() && other.is_none_or(|other| other.line().is_none()) {
            // Nobody is there to take it.
            flow.inbox.clear(self.pool);
        }
        let closes = flow.output_closing && flow.plain.is_empty();
        let removed = flow.removed.is_some();
        let Some(line) = flow.lines.first_mut().filter(|line| line.stage == Stage::Up) else { return };
        if closes && !std::mem::replace(&mut line.tls_closed, true) {
            // The end of TLS, then that of TCP (TLS-8).
            if let Some(engine) = &mut line.tls {
                engine.close();
            }
            // What cannot be said any more is noticed by the next look.
            let _ = self.flush(line);
        }
        if closes && !line.output_ended && line.is_flushed() {
            self.io.finish(line.handle);
            line.output_ended = true;
        }
        if removed && line.output_ended {
            self.discard(flow);
        }
        if flow.line().is_some_and(|line| line.input_ended && line.output_ended) {
            self.let_go(flow, false);
            self.count(flow, ConnectionEvent::Released);
            flow.note_over(None);
        }
    }

    /// Reads what nobody wants any more, until the end: a connection that is closed with something unread is reset, and that would destroy what
    /// is in flight to the peer.
    fn discard(&mut self, flow: &mut TcpFlow) {
        while let Some(line) = flow.line_mut().filter(|line| line.readable && !line.input_ended)
            && self.bytes_left > 0
        {
            let space = line.wire.space(self.pool);
            let at_most = space.len().min(self.bytes_left);
            match self.io.receive(line.handle, &mut space[..at_most]) {
                Ok(0) => line.input_ended = true,
                Ok(n) => self.bytes_left -= n,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => line.readable = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => (line.input_ended, line.readable) = (true, false),
            }
        }
    }
}
