//! Ports that are taken and open. What belongs together happens together here: take and open, close and let rest, so that nothing
//! is ever half done. A port that another process has is passed over, a bounded number of times, and counted.

use super::config::Reserve;
use crate::command::Refusal;
use crate::command::order::{PortBinding, PortKey};
use crate::io::stream::StreamOpener;
use crate::io::{PortHandle, PortOpener, PortOptions};
use crate::model::StreamId;
use crate::ports::{Realms, Taken, Wanted, Width};
use std::io;
use std::net::SocketAddr;

/// How many ports in a row may be found in the hands of another process before a command is refused.
pub const MAX_FOREIGN_PORTS_PASSED: u32 = 16;

/// The open ports of one flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) taken: Taken,
    /// RTP's, and RTCP's where it has one of its own.
    handles: [Option<PortHandle>; 2],
    /// It is a port for connections.
    is_stream: bool,
}

/// What shall be opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    pub(super) stream: StreamId,
    pub(super) realm: usize,
    pub(super) wanted: Wanted,
    pub(super) dscp: u8,
    /// A port for connections.
    pub(super) is_stream: bool,
}

/// The pools, and what opens their ports.
#[derive(Debug)]
pub(super) struct Sockets<O> {
    pub(super) realms: Realms,
    pub(super) opener: O,
    limit: usize,
    reuse_delay_ms: u64,
    open: usize,
    foreign_ports: u64,
}

impl<O: PortOpener + StreamOpener> Sockets<O> {
    pub(super) fn new(realms: Realms, opener: O, limit: usize, reuse_delay_ms: u64) -> Self {
        Self { realms, opener, limit, reuse_delay_ms, open: 0, foreign_ports: 0 }
    }

    /// Open ports.
    pub(super) fn open_ports(&self) -> usize {
        self.open
    }

    /// How often a port was found in the hands of another process.
    pub(super) fn foreign_ports(&self) -> u64 {
        self.foreign_ports
    }

    /// Opens ports for all, or for none; what is kept for others is left.
    pub(super) fn open_all<'a>(
        &mut self,
        worker: usize,
        openings: impl ExactSizeIterator<Item = &'a Opening>,
        kept: Reserve,
        now_ms: u64,
    ) -> Result<Vec<Held>, Refusal> {
        let mut all = Vec::with_capacity(openings.len());
        for opening in openings {
            match self.open(worker, opening, kept, now_ms) {
                Ok(held) => all.push(held),
                Err(refusal) => {
                    all.drain(..).for_each(|held| self.undo(worker, held));
                    return Err(refusal);
                }
            }
        }
        Ok(all)
    }

    /// Closes ports that no peer has been told of: they are free at once.
    pub(super) fn undo(&mut self, worker: usize, held: Held) {
        self.close_handles(worker, held);
        self.realms.put_back(held.taken);
    }

    /// Closes ports that were in use: they rest.
    pub(super) fn close(&mut self, worker: usize, held: Held, now_ms: u64) {
        self.close_handles(worker, held);
        self.realms.rest(held.taken, now_ms.saturating_add(self.reuse_delay_ms));
    }

    /// Reserves all ports for another worker, or none.
    pub(super) fn reserve_all(&mut self, worker: usize, all: &[Held]) -> io::Result<()> {
        let ports = || all.iter().flat_map(|held| held.handles).flatten();
        for (done, port) in ports().enumerate() {
            if let Err(error) = self.opener.reserve(worker, port) {
                ports().take(done).for_each(|port| self.opener.withdraw(worker, port));
                return Err(error);
            }
        }
        Ok(())
    }

    /// A worker reaps from these ports no more, or will not after all.
    pub(super) fn withdraw(&mut self, worker: usize, held: Held) {
        held.handles.into_iter().flatten().for_each(|port| self.opener.withdraw(worker, port));
    }

    /// The worker that these ports were reserved for reaps from them now.
    pub(super) fn admit(&mut self, worker: usize, held: Held) {
        held.handles.into_iter().flatten().for_each(|port| self.opener.admit(worker, port));
    }

    /// Changes the code point of what is sent from these ports.
    pub(super) fn tune(&mut self, held: Held, dscp: u8) -> io::Result<()> {
        held.handles.into_iter().flatten().try_for_each(|port| self.opener.tune(port, PortOptions { dscp }))
    }

    /// These ports tell the code points of what they receive, or do not.
    pub(super) fn read_dscp(&mut self, held: Held, on: bool) {
        held.handles.into_iter().flatten().for_each(|port| self.opener.read_dscp(port, on));
    }

    /// The ports as a flow uses them.
    pub(super) fn bindings(&self, held: Held) -> [Option<PortBinding>; 2] {
        let rtp = self.realms.key(held.taken);
        let rtcp = PortKey { port: rtp.port | 1, ..rtp };
        let [first, second] = held.handles;
        [
            first.map(|handle| PortBinding { key: rtp, handle }),
            second.map(|handle| PortBinding { key: rtcp, handle }),
        ]
    }

    fn open(
        &mut self,
        worker: usize,
        opening: &Opening,
        kept: Reserve,
        now_ms: u64,
    ) -> Result<Held, Refusal> {
        let ports = opening.wanted.width.ports() as usize;
        if self.open + ports + kept.of(self.limit) > self.limit {
            return Err(Refusal::OutOfResources("ports"));
        }
        let Opening { realm, wanted, .. } = *opening;
        if kept.percent > 0 && !self.realms.leaves(realm, worker, wanted, |total| kept.of(total), now_ms) {
            return Err(self.no_port(opening));
        }
        for _ in 0..MAX_FOREIGN_PORTS_PASSED {
            let taken = self
                .realms
                .take(opening.realm, worker, opening.wanted, now_ms)
                .ok_or_else(|| self.no_port(opening))?;
            match self.bind(worker, taken, opening) {
                Ok(handles) => {
                    self.open += ports;
                    return Ok(Held { taken, handles, is_stream: opening.is_stream });
                }
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                    self.foreign_ports += 1;
                    self.realms.rest(taken, now_ms.saturating_add(self.reuse_delay_ms));
                }
                Err(error) => {
                    self.realms.put_back(taken);
                    return Err(refusal_of(&error));
                }
            }
        }
        Err(self.no_port(opening))
    }

    fn bind(
        &mut self,
        worker: usize,
        taken: Taken,
        opening: &Opening,
    ) -> io::Result<[Option<PortHandle>; 2]> {
        let key = self.realms.key(taken);
        let address = self.realms.address(taken).bind;
        let options = PortOptions { dscp: opening.dscp };
        if opening.is_stream {
            let local = SocketAddr::new(address, key.port);
            return Ok([Some(self.opener.open_stream(worker, key, local, options)?), None]);
        }
        let rtp = self.opener.open(worker, key, SocketAddr::new(address, key.port), options)?;
        if taken.width == Width::Single {
            return Ok([Some(rtp), None]);
        }
        let next = PortKey { port: key.port | 1, ..key };
        match self.opener.open(worker, next, SocketAddr::new(address, next.port), options) {
            Ok(rtcp) => Ok([Some(rtp), Some(rtcp)]),
            Err(error) => {
                self.opener.close(worker, rtp);
                Err(error)
            }
        }
    }

    fn close_handles(&mut self, worker: usize, held: Held) {
        for port in held.handles.into_iter().flatten() {
            match held.is_stream {
                true => self.opener.close_stream(worker, port),
                false => self.opener.close(worker, port),
            }
            self.open -= 1;
        }
    }

    fn no_port(&self, opening: &Opening) -> Refusal {
        match opening.wanted.port {
            Some(_) => Refusal::PortUnavailable(opening.stream),
            None => Refusal::OutOfPorts(self.realms.realm(opening.realm).name.clone()),
        }
    }
}

/// What the system's word means to who gave the command.
pub(super) fn refusal_of(error: &io::Error) -> Refusal {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE) => Refusal::OutOfResources("file descriptors"),
        Some(libc::ENOBUFS | libc::ENOMEM) => Refusal::OutOfResources("memory"),
        _ => Refusal::System(error.to_string()),
    }
}
