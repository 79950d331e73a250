//! One TCP connection of a flow: under way, not proven yet, or the one that carries the stream.

use super::buffer::{Buffer, Pool};
use crate::io::Now;
use crate::io::stream::ConnectionHandle;
use std::net::SocketAddr;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Our SYN is out.
    Connecting,
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
            readable: true,
            writable: true,
            input_ended: false,
            output_ended: false,
            wire: Buffer::default(),
        }
    }

    /// Whether more may come from the peer for the other side.
    pub(crate) fn carries(&self) -> bool {
        self.stage == Stage::Up && !self.input_ended
    }

    /// Goes on to another stage.
    pub(crate) fn reach(&mut self, stage: Stage, now: Now) {
        (self.stage, self.since) = (stage, now);
    }

    /// Gives back what memory is not needed now.
    pub(crate) fn rest(&mut self, pool: &mut Pool) {
        self.wire.rest(pool);
    }
}
