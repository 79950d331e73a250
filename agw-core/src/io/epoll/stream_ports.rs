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
        let socket = streams::socket(local, [self.stream_buffer_bytes; 2])?;
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

#[cfg(test)]
mod tests {
    use crate::command::order::PortKey;
    use crate::io::PortOptions;
    use crate::io::epoll::{EpollSetup, descriptor, open};
    use crate::io::stream::{StreamIo, StreamOpener};
    use crate::io::sys;
    use std::net::{SocketAddr, TcpListener};

    #[test]
    fn connections_have_the_buffers_of_their_port_whoever_began_them() {
        const BYTES: usize = 20_480;
        let setup = EpollSetup::new(1, 1);
        let (mut ports, mut ios) = open(&setup).unwrap();
        ports.set_stream_buffers(BYTES);
        let (key, local) = (PortKey { address: 0, port: 1 }, SocketAddr::from(([127, 0, 0, 1], 0)));
        let handle = ports.open_stream(0, key, local, PortOptions::default()).unwrap();
        let of_port = sys::with_port(descriptor(handle), |socket| {
            Ok([socket.recv_buffer_size()?, socket.send_buffer_size()?])
        });
        let there = TcpListener::bind(local).unwrap();
        let io = &mut ios[0];
        let ours = io.connect(handle, there.local_addr().unwrap()).unwrap();
        io.listen(handle).unwrap();
        let at = sys::with_port(descriptor(handle), |socket| socket.local_addr()).unwrap();
        let _peer = std::net::TcpStream::connect(at.as_socket().unwrap()).unwrap();
        let (theirs, _) = io.accept(handle).unwrap();
        let of_lines = [ours, theirs].map(|line| io.streams.buffer_bytes(line).unwrap());
        for sizes in [of_port.unwrap(), of_lines[0], of_lines[1]] {
            assert_eq!(sizes, [2 * BYTES; 2], "the kernel takes the double");
        }
    }
}
