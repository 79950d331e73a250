//! One end of a call: sends its messages in chunks, answers what comes, and looks at everything that does: bytes by the seal in each message, order by
//! its number, paths by what was told over Iq.

use super::STALL_EVERY_BYTES;
use super::message::{Message, Reader, Send, print_ok, print_send};
use super::tally::Tally;
use crate::payload::{STAMP_BYTES, Stamp, Way, fill};
use crate::tally::{Arrival, Tally as Sequence};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;

/// Chunks on their way without a response, of one end.
const WINDOW_CHUNKS: usize = 32;
/// What an end has to write at most: its chunks, and responses to those of the other end.
const QUEUE_ITEMS: usize = 2 * WINDOW_CHUNKS + 8;
/// What is read at once.
const READ_BYTES: usize = 64 << 10;
/// What is written at once, about.
const WRITE_BYTES: usize = 64 << 10;
/// How long the other side may take to close after we have.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// Who an end is.
#[derive(Debug, Clone)]
pub(super) struct Names {
    pub(super) call: u32,
    /// Which way its messages travel.
    pub(super) way: Way,
    /// Its own path.
    pub(super) own: String,
    /// The gateway's path on its side.
    pub(super) gateway: String,
}

/// What the ends of a run share.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) tally: Arc<Tally>,
    /// The clock of the run.
    pub(super) started: Instant,
    /// The run is over: connections may end.
    pub(super) closing: Arc<AtomicBool>,
    /// How long an end reads nothing when it stalls; zero: it never does.
    pub(super) stall: Duration,
}

impl Shared {
    fn now_ns(&self) -> u64 {
        self.started.elapsed().as_nanos() as u64
    }
}

/// What an end sends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sending {
    pub(super) message_bytes: usize,
    pub(super) chunk_bytes: usize,
    /// Time between two messages; none: as fast as they go.
    pub(super) every: Option<Duration>,
    /// When the first one is due, and when no more are, since the start of the run.
    pub(super) from: Duration,
    pub(super) until: Duration,
}

/// An end whose connection is up.
pub(super) struct End {
    names: Names,
    shared: Shared,
    queue: mpsc::Sender<Vec<u8>>,
    window: Arc<Semaphore>,
    sent: Arc<std::sync::Mutex<HashMap<String, u64>>>,
    reader: JoinHandle<()>,
    writer: JoinHandle<()>,
}

impl End {
    /// Begins to read and to answer.
    pub(super) fn start<S>(stream: S, names: Names, shared: Shared) -> Self
    where
        S: AsyncRead + AsyncWrite + std::marker::Send + 'static,
    {
        let (read, write) = tokio::io::split(stream);
        let (queue, items) = mpsc::channel(QUEUE_ITEMS);
        let window = Arc::new(Semaphore::new(WINDOW_CHUNKS));
        let sent = Arc::default();
        let ears = Ears {
            names: names.clone(),
            shared: shared.clone(),
            answers: queue.downgrade(),
            window: Arc::clone(&window),
            sent: Arc::clone(&sent),
            body: Vec::new(),
            sequence: Sequence::from(0),
        };
        let reader = tokio::spawn(ears.listen(read));
        let writer = tokio::spawn(write_all(write, items));
        Self { names, shared, queue, window, sent, reader, writer }
    }

    /// Sends messages until it is time to stop.
    pub(super) async fn send(&self, sending: Sending) {
        let mut body = vec![0; sending.message_bytes.max(STAMP_BYTES)];
        fill(&mut body, u64::from(self.names.call));
        let mut due = sending.from;
        for sequence in 0.. {
            if let Some(every) = sending.every {
                if due >= sending.until {
                    return;
                }
                tokio::time::sleep_until((self.shared.started + due).into()).await;
                let late = self.shared.started.elapsed().saturating_sub(due);
                self.shared.tally.lock().lateness.record(late);
                due += every;
            }
            if self.shared.started.elapsed() >= sending.until
                || !self.send_one(sequence, &mut body, sending.chunk_bytes).await
            {
                return;
            }
        }
    }

    /// One message; whether the connection is still there.
    pub(super) async fn send_one(&self, sequence: u64, body: &mut [u8], chunk_bytes: usize) -> bool {
        let Names { call, way, own, gateway } = &self.names;
        let message_id = format!("m{call:06x}{sequence:08x}");
        let send = Send { to_path: gateway, from_path: own, message_id: &message_id };
        let Ok(mut permit) = self.window.acquire().await else { return false };
        Stamp { call: *call, way: *way, sequence, sent_ns: self.shared.now_ns() }.seal(body);
        let (total, mut at) = (body.len(), 0);
        for (number, chunk) in body.chunks(chunk_bytes).enumerate() {
            permit.forget();
            let id = format!("t{call:06x}{sequence:08x}{number:05x}");
            let mut bytes = Vec::with_capacity(chunk.len() + 512);
            print_send(&id, &send, at, chunk, total, &mut bytes);
            self.sent
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .insert(id, self.shared.now_ns());
            if self.queue.send(bytes).await.is_err() {
                return false;
            }
            at += chunk.len();
            if at == total {
                break;
            }
            permit = match self.window.acquire().await {
                Ok(permit) => permit,
                Err(_) => return false,
            };
        }
        self.shared.tally.lock().counts.sent += 1;
        true
    }

    /// Closes in order: what is queued is written, then TLS and TCP are closed, and the other side's close is waited for.
    pub(super) async fn close(self) {
        let Self { queue, reader, writer, .. } = self;
        drop(queue);
        let abort = reader.abort_handle();
        if tokio::time::timeout(CLOSE_WAIT, reader).await.is_err() {
            abort.abort();
        }
        writer.abort();
    }
}

async fn write_all<W: AsyncWrite + Unpin>(mut write: W, mut items: mpsc::Receiver<Vec<u8>>) {
    while let Some(mut bytes) = items.recv().await {
        while bytes.len() < WRITE_BYTES
            && let Ok(more) = items.try_recv()
        {
            bytes.extend(more);
        }
        if write.write_all(&bytes).await.is_err() || write.flush().await.is_err() {
            return;
        }
    }
    // The reader notices when it does not work.
    let _ = write.shutdown().await;
}

/// The receiving half.
struct Ears {
    names: Names,
    shared: Shared,
    /// Weak, so that the queue ends when the end is told to close.
    answers: mpsc::WeakSender<Vec<u8>>,
    window: Arc<Semaphore>,
    sent: Arc<std::sync::Mutex<HashMap<String, u64>>>,
    /// Of the message whose chunks are coming.
    body: Vec<u8>,
    sequence: Sequence,
}

impl Ears {
    async fn listen<R: AsyncRead + Unpin>(mut self, mut read: R) {
        let why = self.hear(&mut read).await;
        if !self.shared.closing.load(Ordering::Relaxed) {
            let mut tally = self.shared.tally.lock();
            tally.msrp.connections_lost += 1;
            tally.fail(format!("call {}: {why}", self.names.call));
        }
        self.window.close();
    }

    /// Reads to the end; why it ended.
    async fn hear<R: AsyncRead + Unpin>(&mut self, read: &mut R) -> String {
        let mut reader = Reader::default();
        let mut until_stall = STALL_EVERY_BYTES;
        loop {
            reader.buffer().reserve(READ_BYTES);
            match read.read_buf(reader.buffer()).await {
                Ok(0) => return "the gateway closed the connection".to_owned(),
                Ok(count) => until_stall = until_stall.saturating_sub(count),
                Err(error) => return error.to_string(),
            }
            if until_stall == 0 && !self.shared.stall.is_zero() {
                until_stall = STALL_EVERY_BYTES;
                tokio::time::sleep(self.shared.stall).await;
            }
            loop {
                match reader.read() {
                    Ok(Some(message)) => self.take(message).await,
                    Ok(None) => break,
                    Err(what) => return what,
                }
            }
        }
    }

    async fn take(&mut self, message: Message) {
        let right = message.header("To-Path") == Some(&self.names.own)
            && message.header("From-Path") == Some(&self.names.gateway);
        if !right {
            let mut tally = self.shared.tally.lock();
            tally.counts.misdirected += 1;
            let paths = [message.header("To-Path"), message.header("From-Path")];
            tally.fail(format!("call {}: paths {paths:?} are not those that were agreed", self.names.call));
        }
        match message.status() {
            Some(status) => self.take_response(&message.id, status),
            None => self.take_send(message).await,
        }
    }

    fn take_response(&self, id: &str, status: u16) {
        let sent = self.sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(id);
        let mut tally = self.shared.tally.lock();
        match (sent, status) {
            (Some(sent), 200) => {
                tally.msrp.responses_ok += 1;
                tally.response.record_ns(self.shared.now_ns().saturating_sub(sent));
                self.window.add_permits(1);
            }
            _ => {
                tally.msrp.responses_other += 1;
                tally.fail(format!("call {}: status {status} for {id}", self.names.call));
            }
        }
    }

    async fn take_send(&mut self, message: Message) {
        let Names { own, gateway, .. } = &self.names;
        if let Some(answers) = self.answers.upgrade() {
            // It fails when the connection has broken, which the reader sees too.
            let _ = answers.send(print_ok(&message.id, gateway, own)).await;
        }
        self.shared.tally.lock().msrp.chunks += 1;
        if !self.append(&message) {
            self.shared.tally.lock().counts.corrupt += 1;
            self.body.clear();
            return;
        }
        if message.flag == b'$' {
            self.judge_body();
            self.body.clear();
        }
    }

    /// Chunks come in order: one connection, one sender.
    fn append(&mut self, message: &Message) -> bool {
        let range = message.header("Byte-Range").and_then(|range| range.split_once('-'));
        let first = range.and_then(|(first, _)| first.parse::<usize>().ok());
        self.body.extend_from_slice(&message.body);
        message.kind == "SEND" && first == Some(self.body.len() - message.body.len() + 1)
    }

    fn judge_body(&mut self) {
        let stamp = Stamp::open(&self.body);
        let mut tally = self.shared.tally.lock();
        let Some(stamp) = stamp else {
            tally.counts.corrupt += 1;
            return;
        };
        if stamp.call != self.names.call || stamp.way == self.names.way {
            tally.counts.misdirected += 1;
            return;
        }
        match self.sequence.arrive(stamp.sequence) {
            Arrival::InOrder => {}
            Arrival::Reordered => tally.counts.reordered += 1,
            Arrival::Duplicate => {
                tally.counts.duplicated += 1;
                return;
            }
            Arrival::Stale => {
                tally.counts.stale += 1;
                return;
            }
        }
        tally.counts.received += 1;
        tally.msrp.bytes += self.body.len() as u64;
        tally.latency.record_ns(self.shared.now_ns().saturating_sub(stamp.sent_ns));
    }
}
