//! The gateway's side of connections on the pretend network.

use super::streams::Owner;
use super::{SimIo, SimPorts};
use crate::command::order::PortKey;
use crate::io::stream::{ConnectionHandle, StreamEvent, StreamIo, StreamOpener};
use crate::io::{PortHandle, PortOptions};
use std::io;
use std::net::SocketAddr;

impl StreamIo for SimIo {
    fn poll_stream(&mut self) -> Option<StreamEvent> {
        self.net.net().streams.next_event(self.worker)
    }

    fn listen(&mut self, port: PortHandle) -> io::Result<()> {
        let mut net = self.net.net();
        let local = net.streams.address(port)?;
        net.hearken(local);
        Ok(())
    }

    fn stop_listening(&mut self, port: PortHandle) -> io::Result<()> {
        let mut net = self.net.net();
        let local = net.streams.address(port)?;
        net.deafen(local);
        Ok(())
    }

    fn accept(&mut self, port: PortHandle) -> io::Result<(ConnectionHandle, SocketAddr)> {
        let mut net = self.net.net();
        let local = net.streams.address(port)?;
        net.now_us += net.connection_cost_us;
        net.accept_end(local).map(|(end, from)| (ConnectionHandle(end), from))
    }

    fn connect(&mut self, port: PortHandle, to: SocketAddr) -> io::Result<ConnectionHandle> {
        let mut net = self.net.net();
        let local = net.streams.address(port)?;
        net.now_us += net.connection_cost_us;
        net.connect_end(Owner::Worker(self.worker), local, to).map(ConnectionHandle)
    }

    fn established(&mut self, connection: ConnectionHandle) -> io::Result<()> {
        self.net.net().established(connection.0)
    }

    fn receive(&mut self, connection: ConnectionHandle, into: &mut [u8]) -> io::Result<usize> {
        self.net.net().read_end(connection.0, into)
    }

    fn transmit(&mut self, connection: ConnectionHandle, bytes: &[u8]) -> io::Result<usize> {
        self.net.net().write_end(connection.0, bytes)
    }

    fn finish(&mut self, connection: ConnectionHandle) {
        self.net.net().finish_end(connection.0);
    }

    fn release(&mut self, connection: ConnectionHandle, reset: bool) {
        self.net.net().drop_end(connection.0, reset);
    }
}

impl StreamOpener for SimPorts {
    fn open_stream(
        &mut self,
        worker: usize,
        _key: PortKey,
        local: SocketAddr,
        options: PortOptions,
    ) -> io::Result<PortHandle> {
        self.0.net().streams.bind(worker, local, options)
    }

    fn close_stream(&mut self, _worker: usize, port: PortHandle) {
        self.0.net().unbind(port);
    }
}
