//! A ground with the small steps that every case takes: wait for an event, read all, write all. Waiting is bounded, so that what never
//! comes fails the test.

use crate::ground::{Ground, Host, Peer};
use agw_core::io::stream::{ConnectionHandle, StreamEvent, StreamIo};
use agw_core::io::{Batch, PacketIo, PortHandle};
use agw_core::model::Family;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// How often a rig lets time pass before it gives up.
const PATIENCE: u32 = 5_000;

pub(crate) type PeerOf<G> = <<G as Ground>::Host as Host>::Peer;

pub(crate) struct Rig<G: Ground> {
    pub(crate) ground: G,
    batch: Batch,
    /// Told, and not waited for yet.
    pub(crate) events: Vec<StreamEvent>,
}

/// A port of the gateway.
#[derive(Clone, Copy)]
pub(crate) struct Port {
    pub(crate) handle: PortHandle,
    pub(crate) local: SocketAddr,
}

impl<G: Ground> Rig<G> {
    pub(crate) fn new() -> Self {
        Self { ground: G::new(), batch: Batch::new(), events: Vec::new() }
    }

    pub(crate) fn io(&mut self) -> &mut G::Io {
        self.ground.io()
    }

    pub(crate) fn port(&mut self, family: Family) -> Port {
        let local = self.ground.local(family);
        Port { handle: self.ground.open(local), local }
    }

    pub(crate) fn listening(&mut self, family: Family) -> Port {
        let port = self.port(family);
        self.io().listen(port.handle).unwrap();
        port
    }

    /// Takes what is told; the worker's way, between two batches.
    pub(crate) fn turn(&mut self) {
        self.ground.pass();
        self.ground.io().reap(&mut self.batch, Duration::from_millis(1)).unwrap();
        while let Some(event) = self.ground.io().poll_stream() {
            self.events.push(event);
        }
    }

    /// Goes on until `ready` gives something.
    pub(crate) fn until<T>(&mut self, what: &str, mut ready: impl FnMut(&mut Self) -> Option<T>) -> T {
        for _ in 0..PATIENCE {
            if let Some(found) = ready(self) {
                return found;
            }
            self.turn();
        }
        panic!("{what}: never")
    }

    pub(crate) fn await_event(&mut self, wanted: StreamEvent) {
        self.until(&format!("{wanted:?}"), |rig| {
            let at = rig.events.iter().position(|event| *event == wanted)?;
            rig.events.drain(..=at);
            Some(())
        });
    }

    /// The next that comes to a port, after it was told of.
    pub(crate) fn accept(&mut self, port: Port) -> (ConnectionHandle, SocketAddr) {
        match self.io().accept(port.handle) {
            Ok(accepted) => return accepted,
            Err(e) => assert_eq!(e.kind(), io::ErrorKind::WouldBlock),
        }
        self.await_event(StreamEvent::Knock(port.handle));
        self.io().accept(port.handle).unwrap()
    }

    /// What became of a connection under way.
    pub(crate) fn outcome(&mut self, connection: ConnectionHandle) -> io::Result<()> {
        self.await_event(StreamEvent::Writable(connection));
        self.io().established(connection)
    }

    /// A peer that has connected to a port that listens.
    pub(crate) fn joined(&mut self, port: Port, family: Family) -> (ConnectionHandle, PeerOf<G>) {
        let mut host = self.ground.host(family);
        let peer = host.connect(port.local);
        let (connection, from) = self.accept(port);
        assert_eq!(from, host.address());
        self.until("up", |_| peer.established().ok());
        (connection, peer)
    }

    /// So many bytes, or all until the end with `None`.
    pub(crate) fn read(&mut self, connection: ConnectionHandle, len: Option<usize>) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        let mut buffer = vec![0; 16 * 1024];
        while len.is_none_or(|len| all.len() < len) {
            let room = len.map_or(buffer.len(), |len| buffer.len().min(len - all.len()));
            match self.io().receive(connection, &mut buffer[..room]) {
                Ok(0) => break,
                Ok(read) => all.extend(&buffer[..read]),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.await_event(StreamEvent::Readable(connection));
                }
                Err(e) => return Err(e),
            }
        }
        Ok(all)
    }

    pub(crate) fn write(&mut self, connection: ConnectionHandle, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.io().transmit(connection, bytes) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    self.await_event(StreamEvent::Writable(connection));
                }
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    /// As [`Rig::read`], at the far end.
    pub(crate) fn peer_reads(&mut self, peer: &PeerOf<G>, len: Option<usize>) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        let mut buffer = vec![0; 16 * 1024];
        while len.is_none_or(|len| all.len() < len) {
            let room = len.map_or(buffer.len(), |len| buffer.len().min(len - all.len()));
            let read = self.until("the peer can read", |_| settled(peer.receive(&mut buffer[..room])))?;
            if read == 0 {
                break;
            }
            all.extend(&buffer[..read]);
        }
        Ok(all)
    }
}

/// What is not `WouldBlock`.
pub(crate) fn settled<T>(result: io::Result<T>) -> Option<io::Result<T>> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => None,
        other => Some(other),
    }
}
