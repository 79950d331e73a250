//! Iq over connections: TCP, TCP under TLS, SCTP. Each has a reading and a writing task of its own and bounded queues both ways. A peer
//! that sends faster than control obeys is slowed down by the transport itself; one that does not read its replies is closed.
//! Handshakes of TLS run in tasks as well, a bounded number of them for a bounded time, before anything is read.

use super::sctp::{Association, Pieces};
use crate::tls::{Identity, names_peer};
use agw_iq::ConnectionRequest;
use agw_iq::config::ControllerTransport;
use agw_iq::transport::{ConnectionId, MAX_SCTP_MESSAGE_BYTES, MessageBytes};
use rustls::pki_types::ServerName;
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};
use zeroize::Zeroizing;

/// Reads that wait for control, all connections together.
const MAX_WAITING_READS: usize = 256;
/// Messages that wait to be written to one peer.
const MAX_WAITING_WRITES: usize = 1024;
/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;
/// How long a controller may take to accept a connection, handshake included.
const OPEN_TIME: Duration = Duration::from_secs(5);
/// How long who connects to us may take over the handshake of TLS.
const HANDSHAKE_TIME: Duration = Duration::from_secs(5);
/// Handshakes of those who connect to us at a time; who comes later is closed.
const MAX_HANDSHAKES: usize = 32;
/// How long a peer may take to take a message.
const WRITE_TIME: Duration = Duration::from_secs(10);

/// A connection that can be used.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Sctp(Association),
}

/// What happened on a connection.
#[derive(Debug)]
pub(super) enum Happening {
    /// A connection that was asked for.
    Opened(ConnectionId, SocketAddr, Stream),
    /// It could not be had.
    OpenFailed(SocketAddr, io::Error),
    /// Who connected to us has shown its certificate.
    Secured(ConnectionId, Stream),
    /// Who connected to us has not.
    NotSecured(ConnectionId, SocketAddr, io::Error),
    /// Something came. It may hold keys.
    Bytes(ConnectionId, MessageBytes),
    /// A name was looked up, or could not be.
    Resolved(String, io::Result<Vec<IpAddr>>),
    /// A whole message came over SCTP.
    Message(ConnectionId, MessageBytes),
    /// It is gone.
    Lost(ConnectionId),
}

#[derive(Debug)]
struct Connection {
    writes: mpsc::Sender<MessageBytes>,
    reader: AbortHandle,
    writer: JoinHandle<()>,
}

/// All connections of Iq.
#[derive(Debug)]
pub(super) struct Connections {
    last_id: u64,
    open: HashMap<ConnectionId, Connection>,
    handshakes: HashMap<ConnectionId, AbortHandle>,
    happenings: mpsc::Sender<Happening>,
    /// Where connections that we open come from.
    from: IpAddr,
    /// What we show under TLS, where that is configured.
    identity: Option<Identity>,
}

impl Connections {
    pub(super) fn new(from: IpAddr, identity: Option<Identity>) -> (Self, mpsc::Receiver<Happening>) {
        let (happenings, receiver) = mpsc::channel(MAX_WAITING_READS);
        let connections =
            Self { last_id: 0, open: HashMap::new(), handshakes: HashMap::new(), happenings, from, identity };
        (connections, receiver)
    }

    /// Where happenings are told.
    pub(super) fn happenings(&self) -> mpsc::Sender<Happening> {
        self.happenings.clone()
    }

    pub(super) fn next_id(&mut self) -> ConnectionId {
        self.last_id += 1;
        ConnectionId(self.last_id)
    }

    /// What connections show from now on; those that are open go on.
    pub(super) fn set_identity(&mut self, identity: Option<Identity>) {
        self.identity = identity;
    }

    /// Opens or closes what the H.248 machine wants.
    pub(super) fn obey(&mut self, request: ConnectionRequest) {
        match request {
            ConnectionRequest::Close(id) => self.close(id),
            ConnectionRequest::Open { over, to, host } => {
                let id = self.next_id();
                let (happenings, from) = (self.happenings.clone(), self.from);
                let identity = self.identity.clone();
                tokio::task::spawn_local(async move {
                    let opened = tokio::time::timeout(OPEN_TIME, open(over, from, to, host, identity)).await;
                    let happening = match opened {
                        Ok(Ok(stream)) => Happening::Opened(id, to, stream),
                        Ok(Err(error)) => Happening::OpenFailed(to, error),
                        Err(_) => Happening::OpenFailed(to, io::ErrorKind::TimedOut.into()),
                    };
                    let _ = happenings.send(happening).await;
                });
            }
        }
    }

    /// Asks who connected to us for its certificate, which names the address or one of the configured names that lead there. `false`: too
    /// many are being asked, or we have none to show.
    pub(super) fn secure(
        &mut self,
        id: ConnectionId,
        stream: TcpStream,
        from: SocketAddr,
        names: Vec<String>,
    ) -> bool {
        let Some(identity) = self.identity.clone().filter(|_| self.handshakes.len() < MAX_HANDSHAKES) else {
            return false;
        };
        let happenings = self.happenings.clone();
        let handshake = tokio::task::spawn_local(async move {
            let shaken = tokio::time::timeout(HANDSHAKE_TIME, accept(&identity, stream, from, &names)).await;
            let happening = match shaken {
                Ok(Ok(stream)) => Happening::Secured(id, Stream::Tls(Box::new(stream))),
                Ok(Err(error)) => Happening::NotSecured(id, from, error),
                Err(_) => Happening::NotSecured(id, from, io::ErrorKind::TimedOut.into()),
            };
            let _ = happenings.send(happening).await;
        });
        self.handshakes.insert(id, handshake.abort_handle());
        true
    }

    /// A handshake has ended. `false`: the connection is not wanted any more.
    pub(super) fn shaken(&mut self, id: ConnectionId) -> bool {
        self.handshakes.remove(&id).is_some()
    }

    /// Reads and writes a connection from now on.
    pub(super) fn run(&mut self, id: ConnectionId, stream: Stream) {
        let (writes, waiting) = mpsc::channel(MAX_WAITING_WRITES);
        let happenings = self.happenings.clone();
        let (reader, writer) = match stream {
            Stream::Tcp(stream) => {
                // Replies are small and wanted at once.
                let _ = stream.set_nodelay(true);
                let (read, write) = stream.into_split();
                bytes(id, read, write, waiting, happenings)
            }
            Stream::Tls(stream) => {
                let _ = stream.get_ref().0.set_nodelay(true);
                let (read, write) = tokio::io::split(*stream);
                bytes(id, read, write, waiting, happenings)
            }
            Stream::Sctp(association) => {
                let association = Rc::new(association);
                let reader = messages_in(id, Rc::clone(&association), happenings.clone());
                let writer = messages_out(id, association, waiting, happenings);
                (tokio::task::spawn_local(reader).abort_handle(), tokio::task::spawn_local(writer))
            }
        };
        self.open.insert(id, Connection { writes, reader, writer });
    }

    /// Hands over a message. `false`: too many wait already, and the connection was closed.
    pub(super) fn send(&mut self, id: ConnectionId, bytes: MessageBytes) -> bool {
        let Some(connection) = self.open.get(&id) else { return true };
        let taken = connection.writes.try_send(bytes).is_ok();
        if !taken {
            self.close(id);
        }
        taken
    }

    /// Ends all connections once what waits on them has been written.
    pub(super) async fn finish(&mut self) {
        self.handshakes.drain().for_each(|(_, handshake)| handshake.abort());
        for (_, Connection { writes, reader, writer }) in self.open.drain() {
            reader.abort();
            drop(writes);
            let _ = writer.await;
        }
    }

    /// Ends a connection: what waits is still written, nothing is read any more.
    pub(super) fn close(&mut self, id: ConnectionId) {
        if let Some(handshake) = self.handshakes.remove(&id) {
            handshake.abort();
        }
        if let Some(connection) = self.open.remove(&id) {
            connection.reader.abort();
        }
    }
}

async fn open(
    over: ControllerTransport,
    from: IpAddr,
    to: SocketAddr,
    host: Option<String>,
    identity: Option<Identity>,
) -> io::Result<Stream> {
    match over {
        ControllerTransport::Sctp => Association::connect(from, to).await.map(Stream::Sctp),
        ControllerTransport::Tls => {
            let identity = identity.ok_or(io::ErrorKind::Unsupported)?;
            let connector = TlsConnector::from(identity.client);
            // The controller's certificate must name what it is configured by: its name, or the address that it was asked for at.
            let name = match host {
                Some(host) => ServerName::try_from(host).map_err(io::Error::other)?,
                None => ServerName::from(to.ip().to_canonical()),
            };
            let stream = connector.connect(name, connect(from, to).await?).await?;
            Ok(Stream::Tls(Box::new(stream.into())))
        }
        ControllerTransport::Tcp | ControllerTransport::Udp => connect(from, to).await.map(Stream::Tcp),
    }
}

async fn connect(from: IpAddr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket =
        if to.is_ipv4() { tokio::net::TcpSocket::new_v4()? } else { tokio::net::TcpSocket::new_v6()? };
    if !from.is_unspecified() {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    socket.connect(to).await
}

async fn accept(
    identity: &Identity,
    stream: TcpStream,
    from: SocketAddr,
    names: &[String],
) -> io::Result<TlsStream<TcpStream>> {
    let stream = TlsAcceptor::from(identity.server.clone()).accept(stream).await?;
    if !names_peer(stream.get_ref().1.peer_certificates(), from.ip(), names) {
        return Err(io::Error::other(
            "its certificate names neither its address nor a configured name that leads there",
        ));
    }
    Ok(stream.into())
}

/// The tasks of a stream of bytes.
fn bytes(
    id: ConnectionId,
    read: impl AsyncRead + Unpin + 'static,
    write: impl AsyncWrite + Unpin + 'static,
    waiting: mpsc::Receiver<MessageBytes>,
    happenings: mpsc::Sender<Happening>,
) -> (AbortHandle, JoinHandle<()>) {
    let reader = tokio::task::spawn_local(reading(id, read, happenings.clone())).abort_handle();
    (reader, tokio::task::spawn_local(writing(id, write, waiting, happenings)))
}

async fn reading(id: ConnectionId, mut stream: impl AsyncRead + Unpin, happenings: mpsc::Sender<Happening>) {
    let mut buffer = Zeroizing::new(vec![0; READ_BYTES]);
    loop {
        let happening = match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => Happening::Lost(id),
            Ok(length) => {
                Happening::Bytes(id, MessageBytes::copy_of(buffer.get(..length).unwrap_or_default()))
            }
        };
        let lost = matches!(happening, Happening::Lost(_));
        if happenings.send(happening).await.is_err() || lost {
            return;
        }
    }
}

async fn writing(
    id: ConnectionId,
    mut stream: impl AsyncWrite + Unpin,
    mut waiting: mpsc::Receiver<MessageBytes>,
    happenings: mpsc::Sender<Happening>,
) {
    while let Some(bytes) = waiting.recv().await {
        let writing = async {
            stream.write_all(&bytes).await?;
            // TLS keeps what the socket had no room for.
            stream.flush().await
        };
        let written = tokio::time::timeout(WRITE_TIME, writing).await;
        if !matches!(written, Ok(Ok(()))) {
            let _ = happenings.send(Happening::Lost(id)).await;
            return;
        }
    }
    let _ = tokio::time::timeout(WRITE_TIME, stream.shutdown()).await;
}

async fn messages_in(id: ConnectionId, association: Rc<Association>, happenings: mpsc::Sender<Happening>) {
    let mut buffer = Zeroizing::new(vec![0; MAX_SCTP_MESSAGE_BYTES]);
    let mut pieces = Pieces::default();
    loop {
        let happening = match association.receive(&mut buffer).await {
            Ok((0, _)) | Err(_) => Happening::Lost(id),
            Ok((length, ends)) => match pieces.add(buffer.get(..length).unwrap_or_default(), ends) {
                Some(whole) => Happening::Message(id, MessageBytes::copy_of(&whole)),
                None => continue,
            },
        };
        let lost = matches!(happening, Happening::Lost(_));
        if happenings.send(happening).await.is_err() || lost {
            return;
        }
    }
}

async fn messages_out(
    id: ConnectionId,
    association: Rc<Association>,
    mut waiting: mpsc::Receiver<MessageBytes>,
    happenings: mpsc::Sender<Happening>,
) {
    while let Some(message) = waiting.recv().await {
        let written = tokio::time::timeout(WRITE_TIME, association.send(&message)).await;
        if !matches!(written, Ok(Ok(()))) {
            let _ = happenings.send(Happening::Lost(id)).await;
            return;
        }
    }
}
