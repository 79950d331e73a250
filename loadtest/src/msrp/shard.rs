//! The calls of one thread: their connections are opened, used as the run wants, and closed.

use super::end::{End, Names, Sending, Shared};
use super::tls::{Identity, fingerprint};
use super::{Load, MAX_CONNECTING};
use crate::calls::Established;
use crate::control::iq::path_of;
use crate::payload::{STAMP_BYTES, Way};
use rustls::pki_types::ServerName;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Barrier, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

/// How long a connection may take to come up.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// What stays up between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What all calls of a thread have in common.
pub(super) struct Shard {
    pub(super) shared: Shared,
    pub(super) identity: Identity,
    pub(super) load: Load,
    /// Where there is TLS.
    pub(super) secured: [bool; 2],
    /// Where the ends are, as the gateway was told.
    pub(super) ends: [SocketAddr; 2],
    /// All calls of the run, which share its rate.
    pub(super) calls: u32,
    /// Everybody is connected; then the moment from which on messages are sent; then the end.
    pub(super) steps: Arc<Barrier>,
    pub(super) stop: Arc<std::sync::atomic::AtomicBool>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Shard {
    /// Opens all connections, and what then is wanted of them.
    pub(super) async fn run(self: Arc<Self>, established: Vec<Established>) {
        match self.load {
            Load::Handshakes { per_second } => self.storm(established, per_second).await,
            Load::Idle { .. } | Load::Messages { .. } => self.talk(established).await,
        }
    }

    async fn talk(self: &Arc<Self>, established: Vec<Established>) {
        let connecting = Arc::new(Semaphore::new(MAX_CONNECTING));
        let mut tasks = JoinSet::new();
        for call in established {
            let (shard, connecting) = (Arc::clone(self), Arc::clone(&connecting));
            tasks.spawn(async move {
                let _permit = connecting.acquire().await;
                shard.connect_both(&call).await
            });
        }
        let mut ends: Vec<[End; 2]> = Vec::new();
        while let Some(pair) = tasks.join_next().await {
            ends.extend(pair.ok().flatten());
        }
        // Who measures looks now, at connections without traffic.
        self.steps.wait().await;
        self.steps.wait().await;
        let begin = self.shared.started.elapsed();
        let until = begin + self.load.duration();
        match self.load {
            Load::Messages { message_bytes, chunk_bytes, per_second, way, .. } => {
                let every = (per_second > 0.0).then(|| {
                    Duration::from_secs_f64(f64::from(self.calls) * way.sides().len() as f64 / per_second)
                });
                let mut senders = JoinSet::new();
                let ends: Arc<Vec<[End; 2]>> = Arc::new(std::mem::take(&mut ends));
                for place in 0..ends.len() {
                    for side in way.sides() {
                        let ends = Arc::clone(&ends);
                        let share = place as f64 / ends.len() as f64;
                        let from = begin + every.map_or(Duration::ZERO, |every| every.mul_f64(share));
                        let sending = Sending { message_bytes, chunk_bytes, every, from, until };
                        senders.spawn(async move { ends[place][*side].send(sending).await });
                    }
                }
                self.wait_for(until).await;
                // Messages that have begun are sent to their end.
                let finished = async { while senders.join_next().await.is_some() {} };
                let _ = tokio::time::timeout(self.load.drain(), finished).await;
                senders.shutdown().await;
                self.drained().await;
                self.close(Arc::into_inner(ends).unwrap_or_default()).await;
            }
            _ => {
                self.wait_for(until).await;
                // Whoever is still there shows it.
                for pair in &ends {
                    for end in pair {
                        end.send_one(0, &mut [0; STAMP_BYTES], STAMP_BYTES).await;
                    }
                }
                self.drained().await;
                self.close(ends).await;
            }
        }
    }

    /// One handshake after the other, each when its time has come.
    async fn storm(self: &Arc<Self>, established: Vec<Established>, per_second: f64) {
        self.steps.wait().await;
        self.steps.wait().await;
        let begin = Instant::now();
        let mut tasks = JoinSet::new();
        for call in established {
            // Calls of all threads are numbered through.
            let due = Duration::from_secs_f64(f64::from(call.call) / per_second);
            tokio::time::sleep_until((begin + due).into()).await;
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            self.shared.tally.lock().lateness.record(begin.elapsed().saturating_sub(due));
            let shard = Arc::clone(self);
            tasks.spawn(async move {
                if let Some(mut stream) = shard.connect(&call, 0).await {
                    // The gateway may have closed first, which is fine.
                    let _ = stream.shutdown().await;
                }
            });
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn wait_for(&self, until: Duration) {
        while self.shared.started.elapsed() < until && !self.stop.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits for what is on its way.
    async fn drained(&self) {
        let last = Instant::now() + self.load.drain();
        let missing = || self.shared.tally.lock().counts.lost() > 0;
        while missing() && Instant::now() < last {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn close(&self, ends: Vec<[End; 2]>) {
        self.shared.closing.store(true, Ordering::Relaxed);
        let mut tasks = JoinSet::new();
        for end in ends.into_iter().flatten() {
            tasks.spawn(end.close());
        }
        while tasks.join_next().await.is_some() {}
    }

    async fn connect_both(&self, call: &Established) -> Option<[End; 2]> {
        let access = self.connect(call, 0).await?;
        let core = self.connect(call, 1).await?;
        let mut pair = Vec::new();
        for (side, stream) in [access, core].into_iter().enumerate() {
            let secured = self.secured[side];
            let names = Names {
                call: call.call,
                way: if side == 0 { Way::ToCore } else { Way::ToAccess },
                own: path_of(self.ends[side], call.call, secured),
                gateway: told(call, side, "path:").unwrap_or_default().to_owned(),
            };
            pair.push(End::start(stream, names, self.shared.clone()));
        }
        pair.try_into().ok()
    }

    /// A connection of one side, with TLS where it belongs.
    async fn connect(&self, call: &Established, side: usize) -> Option<Box<dyn Stream>> {
        let connected = tokio::time::timeout(CONNECT_WAIT, self.try_connect(call, side)).await;
        let why = match connected {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(why)) => why,
            Err(_) => format!("not up after {} s", CONNECT_WAIT.as_secs()),
        };
        let mut tally = self.shared.tally.lock();
        tally.msrp.handshakes_failed += 1;
        tally.fail(format!("call {}, {} side: {why}", call.call, if side == 0 { "access" } else { "core" }));
        None
    }

    async fn try_connect(&self, call: &Established, side: usize) -> Result<Box<dyn Stream>, String> {
        let began = Instant::now();
        let address = if side == 0 { call.access } else { call.core };
        let stream = TcpStream::connect(address).await.map_err(|error| format!("{address}: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        if !self.secured[side] {
            return Ok(Box::new(stream));
        }
        let name = ServerName::from(address.ip());
        let connector = TlsConnector::from(Arc::clone(&self.identity.client));
        let stream = connector.connect(name, stream).await.map_err(|error| format!("TLS: {error}"))?;
        let certificate = stream.get_ref().1.peer_certificates().and_then(|all| all.first());
        let shown = certificate.map(|certificate| fingerprint(certificate));
        let told = told(call, side, "fingerprint:");
        if shown.as_deref().zip(told).is_none_or(|(shown, told)| !shown.eq_ignore_ascii_case(told)) {
            return Err(format!("the gateway told fingerprint {told:?} and showed {shown:?}"));
        }
        let mut tally = self.shared.tally.lock();
        tally.msrp.handshakes += 1;
        tally.handshake.record(began.elapsed());
        Ok(Box::new(stream))
    }
}

fn told<'a>(call: &'a Established, side: usize, name: &str) -> Option<&'a str> {
    call.told.get(side)?.iter().find_map(|line| line.strip_prefix(name))
}
