//! Iq over TCP: each connection has a reading and a writing task of its own and bounded queues both ways. A peer that sends faster than
//! control obeys is slowed down by TCP itself; one that does not read its replies is closed.

use agw_iq::ConnectionRequest;
use agw_iq::transport::{ConnectionId, MessageBytes};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinHandle};
use zeroize::Zeroizing;

/// Reads that wait for control, all connections together.
const MAX_WAITING_READS: usize = 256;
/// Messages that wait to be written to one peer.
const MAX_WAITING_WRITES: usize = 1024;
/// Bytes read at once.
const READ_BYTES: usize = 16 * 1024;
/// How long a controller may take to accept a connection.
const OPEN_TIME: Duration = Duration::from_secs(5);
/// How long a peer may take to take a message.
const WRITE_TIME: Duration = Duration::from_secs(10);

/// What happened on a connection.
#[derive(Debug)]
pub(super) enum Happening {
    /// A connection that was asked for.
    Opened(ConnectionId, SocketAddr, TcpStream),
    /// It could not be had.
    OpenFailed(SocketAddr, io::Error),
    /// Something came. It may hold keys.
    Bytes(ConnectionId, MessageBytes),
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
    happenings: mpsc::Sender<Happening>,
    /// Where connections that we open come from.
    from: IpAddr,
}

impl Connections {
    pub(super) fn new(from: IpAddr) -> (Self, mpsc::Receiver<Happening>) {
        let (happenings, receiver) = mpsc::channel(MAX_WAITING_READS);
        (Self { last_id: 0, open: HashMap::new(), happenings, from }, receiver)
    }

    pub(super) fn next_id(&mut self) -> ConnectionId {
        self.last_id += 1;
        ConnectionId(self.last_id)
    }

    /// Opens or closes what the H.248 machine wants.
    pub(super) fn obey(&mut self, request: ConnectionRequest) {
        match request {
            ConnectionRequest::Close(id) => self.close(id),
            ConnectionRequest::Open { to, .. } => {
                let id = self.next_id();
                let (happenings, from) = (self.happenings.clone(), self.from);
                tokio::task::spawn_local(async move {
                    let opened = tokio::time::timeout(OPEN_TIME, connect(from, to)).await;
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

    /// Reads and writes a connection from now on.
    pub(super) fn run(&mut self, id: ConnectionId, stream: TcpStream) {
        // Replies are small and wanted at once.
        let _ = stream.set_nodelay(true);
        let (read, write) = stream.into_split();
        let (writes, waiting) = mpsc::channel(MAX_WAITING_WRITES);
        let reader = tokio::task::spawn_local(reading(id, read, self.happenings.clone())).abort_handle();
        let writer = tokio::task::spawn_local(writing(id, write, waiting, self.happenings.clone()));
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
        for (_, Connection { writes, reader, writer }) in self.open.drain() {
            reader.abort();
            drop(writes);
            let _ = writer.await;
        }
    }

    /// Ends a connection: what waits is still written, nothing is read any more.
    pub(super) fn close(&mut self, id: ConnectionId) {
        if let Some(connection) = self.open.remove(&id) {
            connection.reader.abort();
        }
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

async fn reading(id: ConnectionId, mut stream: OwnedReadHalf, happenings: mpsc::Sender<Happening>) {
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
    mut stream: OwnedWriteHalf,
    mut waiting: mpsc::Receiver<MessageBytes>,
    happenings: mpsc::Sender<Happening>,
) {
    while let Some(bytes) = waiting.recv().await {
        let written = tokio::time::timeout(WRITE_TIME, stream.write_all(&bytes)).await;
        if !matches!(written, Ok(Ok(()))) {
            let _ = happenings.send(Happening::Lost(id)).await;
            return;
        }
    }
    let _ = stream.shutdown().await;
}
