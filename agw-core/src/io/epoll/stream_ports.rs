//! TCP ports at the control side, and the trait's calls at the worker's, which go to [`Streams`](super::streams::Streams).

use super::ports::{EpollPorts, not_found};
use super::{EpollIo, descriptor, streams};
use crate::command::order::PortKey;
use crate::io::stream::{ConnectionHandle, StreamEvent, StreamIo, StreamOpener};
use crate::io::sys;
use crate::io::{PortHandle, PortOptions};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::atomic::Ordering;

impl StreamOpener for EpollPorts {
    fn open_stream(
        &mut self,
        worker: usize,
        _key: PortKey,
        local: SocketAddr,
        options: PortOptions,
    ) -> io::Result<PortHandle> {
        self.shared.workers.get(worker).ok_or_else(not_found)?;
        let socket = streams::socket(local)?;
        if socket.as_raw_fd() as usize >= self.shared.reported.len() {
            return Err(io::Error::other("more descriptors than the backend was made for"));
        }
        // A new socket sends with 0. Connections that are accepted inherit it, with all other options.
        if options.dscp != 0 {
            sys::set_dscp(&socket, local.is_ipv6(), options.dscp)?;
        }
        socket.bind(&local.into())?;
        let (place, handle) = self.place(socket.as_raw_fd());
        place.stream = Some((handle, socket));
        self.streams += 1;
        Ok(handle)
    }

    fn close_stream(&mut self, _worker: usize, port: PortHandle) {
        if let Some(place) = self.open.get_mut(descriptor(port) as usize)
            && place.stream.take_if(|(handle, _)| *handle == port).is_some()
        {
            self.streams -= 1;
        }
    }
}

impl StreamIo for EpollIo {
    fn poll_stream(&mut self) -> Option<StreamEvent> {
        self.streams.poll()
    }

    fn listen(&mut self, port: PortHandle) -> io::Result<()> {
        self.streams.listen(port)
    }

    fn stop_listening(&mut self, port: PortHandle) -> io::Result<()> {
        self.streams.stop_listening(port)
    }

    fn accept(&mut self, port: PortHandle) -> io::Result<(ConnectionHandle, SocketAddr)> {
        let accepted = self.streams.accept(port)?;
        self.shared.connections.fetch_add(1, Ordering::Relaxed);
        Ok(accepted)
    }

    fn connect(&mut self, port: PortHandle, to: SocketAddr) -> io::Result<ConnectionHandle> {
        let connection = self.streams.connect(port, to)?;
        self.shared.connections.fetch_add(1, Ordering::Relaxed);
        Ok(connection)
    }

    fn established(&mut self, connection: ConnectionHandle) -> io::Result<()> {
        self.streams.established(connection)
    }

    fn receive(&mut self, connection: ConnectionHandle, into: &mut [u8]) -> io::Result<usize> {
        self.streams.receive(connection, into)
    }

    fn transmit(&mut self, connection: ConnectionHandle, bytes: &[u8]) -> io::Result<usize> {
        self.streams.transmit(connection, bytes)
    }

    fn finish(&mut self, connection: ConnectionHandle) {
        self.streams.finish(connection);
    }

    fn release(&mut self, connection: ConnectionHandle, reset: bool) {
        if self.streams.release(connection, reset) {
            self.shared.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
