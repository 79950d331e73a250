//! Where Iq is listened for: UDP and TCP on one address for each form of messages, text and binary (H.248.1 Annex D), and TLS on an
//! address of its own for each. All sockets are asked
//! in turn, so that a flood on one does not keep the others waiting.

use super::outbox::Outbox;
use crate::config::Iq;
use crate::failure::Failure;
use agw_iq::Form;
use agw_iq::transport::{MessageBytes, SocketId};
use socket2::SockRef;
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::task::Poll;
use tokio::net::TcpStream;

/// What each of Iq's UDP sockets may hold for us while we are busy; the system may give less.
const RECEIVE_BYTES: usize = 4 << 20;

/// What a listener takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Door {
    /// Text or binary.
    pub(super) form: Form,
    /// Only under TLS.
    pub(super) tls: bool,
}

/// The addresses that are bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Addresses {
    /// UDP and TCP of the text encoding.
    pub text: Option<SocketAddr>,
    /// UDP and TCP of the binary encoding.
    pub binary: Option<SocketAddr>,
    /// TLS of the text encoding.
    pub tls_text: Option<SocketAddr>,
    /// TLS of the binary encoding.
    pub tls_binary: Option<SocketAddr>,
}

impl Addresses {
    /// UDP and TCP of a form.
    pub fn of(&self, form: Form) -> Option<SocketAddr> {
        match form {
            Form::Text => self.text,
            Form::Binary => self.binary,
        }
    }

    /// All of them with their keys in the configuration.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        let all = [
            ("text", self.text),
            ("binary", self.binary),
            ("tls.text", self.tls_text),
            ("tls.binary", self.tls_binary),
        ];
        all.into_iter().filter_map(|(name, address)| Some((name, address?)))
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, address)) in self.named().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{name} {address}")?;
        }
        Ok(())
    }
}

/// Sockets that are bound and not yet served.
#[derive(Debug)]
pub(super) struct Bound {
    datagrams: Vec<(Form, UdpSocket)>,
    listeners: Vec<(Door, TcpListener)>,
    pub(super) addresses: Addresses,
}

impl Bound {
    /// Binds what `[iq]` names.
    ///
    /// # Errors
    /// What cannot be bound, by its key.
    pub(super) fn bind(iq: &Iq) -> Result<Self, Failure> {
        let mut bound =
            Self { datagrams: Vec::new(), listeners: Vec::new(), addresses: Addresses::default() };
        for (key, form, listen) in [("text", Form::Text, iq.text), ("binary", Form::Binary, iq.binary)] {
            let Some(address) = listen.0 else { continue };
            let because = |e| Failure::because(format!("iq.{key} = \"{address}\""), e);
            let (udp, tcp, at) = both(address).map_err(because)?;
            bound.datagrams.push((form, udp));
            bound.listeners.push((Door { form, tls: false }, tcp));
            match form {
                Form::Text => bound.addresses.text = Some(at),
                Form::Binary => bound.addresses.binary = Some(at),
            }
        }
        for (key, form, listen) in
            [("text", Form::Text, iq.tls.text), ("binary", Form::Binary, iq.tls.binary)]
        {
            let Some(address) = listen.0 else { continue };
            let because = |e| Failure::because(format!("iq.tls.{key} = \"{address}\""), e);
            let tcp = TcpListener::bind(address).map_err(because)?;
            tcp.set_nonblocking(true).map_err(because)?;
            let at = tcp.local_addr().map_err(because)?;
            bound.listeners.push((Door { form, tls: true }, tcp));
            match form {
                Form::Text => bound.addresses.tls_text = Some(at),
                Form::Binary => bound.addresses.tls_binary = Some(at),
            }
        }
        Ok(bound)
    }

    /// Serves them, on a runtime.
    ///
    /// # Errors
    /// When the runtime has no room.
    pub(super) fn serve(self) -> io::Result<Endpoints> {
        let datagrams = self.datagrams.into_iter().map(|(form, udp)| {
            let udp = tokio::net::UdpSocket::from_std(udp)?;
            Ok(Datagrams { id: SocketId::of(form), udp, outbox: Outbox::default() })
        });
        let listeners =
            self.listeners.into_iter().map(|(door, tcp)| Ok((door, tokio::net::TcpListener::from_std(tcp)?)));
        Ok(Endpoints {
            datagrams: datagrams.collect::<io::Result<_>>()?,
            listeners: listeners.collect::<io::Result<_>>()?,
        })
    }
}

/// UDP and TCP on one port number; with port 0 one that is free for both.
fn both(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener, SocketAddr)> {
    /// A port that is free for UDP is seldom taken for TCP.
    const TRIES: usize = 20;
    let mut tries = 0;
    loop {
        tries += 1;
        let udp = UdpSocket::bind(address)?;
        let bound = udp.local_addr()?;
        match TcpListener::bind(bound) {
            Ok(listener) => {
                let _ = SockRef::from(&udp).set_recv_buffer_size(RECEIVE_BYTES);
                udp.set_nonblocking(true)?;
                listener.set_nonblocking(true)?;
                return Ok((udp, listener, bound));
            }
            Err(error) if address.port() != 0 || tries == TRIES => return Err(error),
            Err(_) => {}
        }
    }
}

/// One UDP socket, and what waits for room in it.
#[derive(Debug)]
struct Datagrams {
    id: SocketId,
    udp: tokio::net::UdpSocket,
    outbox: Outbox,
}

/// All sockets that others speak to first.
#[derive(Debug)]
pub(super) struct Endpoints {
    datagrams: Vec<Datagrams>,
    listeners: Vec<(Door, tokio::net::TcpListener)>,
}

impl Endpoints {
    /// Ends when a UDP socket has something, or room for what waits.
    ///
    /// # Errors
    /// A socket is of no use any more.
    pub(super) async fn ready(&self) -> io::Result<()> {
        poll_fn(|cx| {
            for socket in &self.datagrams {
                let room =
                    if socket.outbox.is_empty() { Poll::Pending } else { socket.udp.poll_send_ready(cx) };
                if let Poll::Ready(ready) = socket.udp.poll_recv_ready(cx) {
                    return Poll::Ready(ready);
                }
                if let Poll::Ready(ready) = room {
                    return Poll::Ready(ready);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// The next that connects.
    pub(super) async fn accepted(&self) -> (Door, io::Result<(TcpStream, SocketAddr)>) {
        poll_fn(|cx| {
            for (door, listener) in &self.listeners {
                if let Poll::Ready(accepted) = listener.poll_accept(cx) {
                    return Poll::Ready((*door, accepted));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// How many UDP sockets there are; [`Endpoints::receive`] counts them from 0.
    pub(super) fn sockets(&self) -> usize {
        self.datagrams.len()
    }

    /// The next datagram of a socket; `None` when there is none.
    pub(super) fn receive(&self, socket: usize, buffer: &mut [u8]) -> Option<(SocketId, usize, SocketAddr)> {
        let socket = self.datagrams.get(socket)?;
        match socket.udp.try_recv_from(buffer) {
            Ok((length, from)) => Some((socket.id, length, from)),
            Err(error) => {
                if error.kind() != io::ErrorKind::WouldBlock {
                    tracing::debug!(%error, "Iq over UDP could not receive");
                }
                None
            }
        }
    }

    /// Sends what waited for room.
    pub(super) fn flush(&mut self) {
        for socket in &mut self.datagrams {
            socket.outbox.flush(&socket.udp, unsent);
        }
    }

    /// Sends a datagram, at once or when there is room. What cannot be sent is repeated by whoever misses it, as every loss on UDP.
    pub(super) fn send(&mut self, through: SocketId, to: SocketAddr, bytes: MessageBytes) {
        let Some(socket) = self.datagrams.iter_mut().find(|socket| socket.id == through) else {
            return unsent(to, &io::ErrorKind::AddrNotAvailable.into());
        };
        if let Err(error) = socket.outbox.send(&socket.udp, to, bytes) {
            unsent(to, &error);
        }
    }
}

fn unsent(to: SocketAddr, error: &io::Error) {
    tracing::warn!(%to, %error, "an Iq message could not be sent");
}
