//! One TCP connection of a flow: under way, not proven yet, or the one that carries the stream.

use super::buffer::{Buffer, Pool};
use crate::io::Now;
use crate::io::stream::ConnectionHandle;
use agw_tls::Engine;
use std::net::SocketAddr;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// Our SYN is out.
    Connecting,
    /// TCP is up, the TLS handshake is not over.
    Handshaking,
    /// The peer has proven that it has its certificate's key, and waits for its fingerprint to be signalled.
    Waiting,
    /// It carries the stream, or did.
    Up,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) handle: ConnectionHandle,
    /// Who is at the other end.
    pub(crate) from: SocketAddr,
    pub(crate) stage: Stage,
    /// When it came to this stage.
    pub(crate) since: Now,
    /// We connected, and did not accept.
    pub(crate) ours: bool,
    /// TLS, once it has begun.
    pub(crate) tls: Option<Engine>,
    /// Our end of TLS has been said.
    pub(crate) tls_closed: bool,
    /// Ciphertext that TLS had no room for.
    pub(crate) unfed: Buffer,
    /// Bytes that came of it before it had proven anything.
    pub(crate) unproven_bytes: usize,
    /// Reading may give something.
    pub(crate) readable: bool,
    /// Writing may take something.
    pub(crate) writable: bool,
    /// The peer sends no more.
    pub(crate) input_ended: bool,
    /// We send no more, and the peer has been told.
    pub(crate) output_ended: bool,
    /// Bytes as they go over the wire, ready to go.
    pub(crate) wire: Buffer,
}

impl Line {
    pub(crate) fn new(handle: ConnectionHandle, from: SocketAddr, stage: Stage, now: Now) -> Self {
        Self {
            handle,
            from,
            stage,
            since: now,
            ours: stage == Stage::Connecting,
            tls: None,
            tls_closed: false,
            unfed: Buffer::default(),
            unproven_bytes: 0,
            readable: true,
            writable: true,
            input_ended: false,
            output_ended: false,
            wire: Buffer::default(),
        }
    }

    /// Whether it came to us and has not shown who it is.
    pub(crate) fn is_unproven(&self) -> bool {
        !self.ours && matches!(self.stage, Stage::Handshaking | Stage::Waiting)
    }

    /// Whether more may come from the peer for the other side.
    pub(crate) fn carries(&self) -> bool {
        self.stage == Stage::Up && !self.input_ended
    }

    /// Whether something may still go to the peer.
    pub(crate) fn is_open(&self) -> bool {
        self.stage == Stage::Up && !self.output_ended
    }

    /// Goes on to another stage.
    pub(crate) fn reach(&mut self, stage: Stage, now: Now) {
        (self.stage, self.since) = (stage, now);
    }

    /// Whether all that was to go to the peer has gone.
    pub(crate) fn is_flushed(&self) -> bool {
        self.wire.is_empty() && !self.tls.as_ref().is_some_and(Engine::has_output)
    }

    /// What TLS has to say gets ready to go, as far as there is room.
    pub(crate) fn drain_tls(&mut self, pool: &mut Pool) {
        if let Some(engine) = self.tls.as_mut().filter(|engine| engine.has_output()) {
            let drained = engine.drain(self.wire.space(pool));
            self.wire.filled(drained);
        }
    }

    /// Encrypts as much of `plain` as there is room for. Returns how many bytes that were.
    pub(crate) fn encrypt(&mut self, plain: &mut Buffer, pool: &mut Pool) -> usize {
        let mut encrypted = 0;
        while let Some(engine) = &mut self.tls {
            let written = engine.write(plain.bytes());
            if written == 0 {
                break;
            }
            plain.consume(written);
            encrypted += written;
            self.drain_tls(pool);
        }
        encrypted
    }

    /// Gives back what memory is not needed now.
    pub(crate) fn rest(&mut self, pool: &mut Pool) {
        self.wire.rest(pool);
        self.unfed.rest(pool);
    }
}
