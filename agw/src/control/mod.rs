//! The control task: one thread, one single-threaded runtime. It owns the sockets of Iq, the H.248 machine of agw-iq and the controller of
//! agw-core, and does nothing but carry between them: what arrives, what workers confirm and what the clock says goes in, what is
//! to be sent comes out. Between two messages it answers the admin thread, and once a second it looks after everything: workers alive, memory, log
//! counts, systemd.

mod answers;
mod connections;
mod endpoints;
mod names;
mod notify;
mod outbox;
mod overload;
mod reads;
mod realms;
mod reload;
mod sctp;
mod setup;
mod traces;

pub use endpoints::Addresses;
pub use overload::Signal as LoadSignal;
pub use setup::{Gateway, build};

use crate::admin::ask::Question;
use crate::config::Config;
use crate::config::load::Source;
use crate::failure::Failure;
use crate::logging::Logs;
use crate::runtime::{WorkerEnd, Workers};
use crate::shared::Health;
use crate::stock::Stock;
use agw_core::controller::Controller;
use agw_core::io::epoll::EpollPorts;
use agw_iq::counters::Counters;
use agw_iq::transport::{Link, Now, Transmit};
use agw_iq::{Farewell, MediaGateway, Resolved};
use agw_tls::Identity;
use connections::{Connections, Happening, Stream};
use endpoints::{Door, Endpoints};
use names::Lookups;
use notify::Systemd;
use overload::Overload;
use reads::Reads;
use realms::Realms;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, mpsc};
use traces::Traces;
use zeroize::Zeroizing;

/// Datagrams taken in one go, before workers and timers get their turn.
const MAX_DATAGRAMS_PER_TURN: usize = 256;
/// Requests executed in one go.
const MAX_REQUESTS_PER_TURN: usize = 32;
/// With so many requests waiting, what else has come stays in the sockets.
const GATHERED_REQUESTS: usize = MediaGateway::MAX_WAITING_REQUESTS / 2;
/// How often everything is looked after.
const ROUND: Duration = Duration::from_secs(1);
/// The longest datagram that UDP carries.
const MAX_DATAGRAM_BYTES: usize = 65_536;
/// How long the last messages may take to leave when the process ends.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How the process came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// All calls had ended.
    Drained,
    /// The deadline of the drain, with calls still up.
    Deadline {
        /// How many were left.
        contexts: usize,
    },
    /// A second signal.
    AtOnce,
}

/// The control task's state.
#[derive(Debug)]
pub(crate) struct Control {
    config: Arc<Mutex<Config>>,
    source: Source,
    logs: Option<Logs>,
    health: Arc<Health>,
    iq: MediaGateway,
    controller: Controller<EpollPorts>,
    workers: Workers,
    ended: mpsc::Receiver<WorkerEnd>,
    questions: mpsc::Receiver<Question>,
    told: Arc<Notify>,
    stock: Stock,
    endpoints: Endpoints,
    addresses: Addresses,
    connections: Connections,
    lookups: Lookups,
    happenings: mpsc::Receiver<Happening>,
    buffer: Zeroizing<Vec<u8>>,
    began: Instant,
    ignored: Ignored,
    handshakes: Handshakes,
    traces: Traces,
    reads: Reads,
    realms: Realms,
    overload: Overload,
    systemd: Systemd,
    draining_until: Option<Instant>,
    told_to_end: bool,
    over_memory: bool,
    was_ready: bool,
}

/// What wakes the task.
enum Wake {
    Datagrams,
    Accepted(Door, io::Result<(tokio::net::TcpStream, SocketAddr)>),
    Connection(Happening),
    Told,
    Timer,
    Round,
    /// Looks at the load, so long after it should have.
    Pulse(Duration),
    Requests,
    Asked(Question),
    /// A certificate was made ahead.
    Certificate(Identity),
    WorkerEnded(WorkerEnd),
    Terminate,
    Reload,
}

/// SIGTERM, SIGINT and SIGHUP, or none of them in the demo, where the process is not ours alone.
struct Signals(Option<(Signal, Signal, Signal)>);

impl Signals {
    fn listen(wanted: bool) -> io::Result<Self> {
        if !wanted {
            return Ok(Self(None));
        }
        let of = |kind| signal(kind);
        Ok(Self(Some((
            of(SignalKind::terminate())?,
            of(SignalKind::interrupt())?,
            of(SignalKind::hangup())?,
        ))))
    }

    async fn next(&mut self) -> Wake {
        let Some((terminate, interrupt, hangup)) = &mut self.0 else { return std::future::pending().await };
        tokio::select! {
            _ = terminate.recv() => Wake::Terminate,
            _ = interrupt.recv() => Wake::Terminate,
            _ = hangup.recv() => Wake::Reload,
        }
    }
}

impl Control {
    /// Runs until drained, told to end, or a worker died. `up` is called once signals are heard: before, one would end the process.
    async fn run(mut self, with_signals: bool, up: impl FnOnce()) -> Result<End, Failure> {
        let mut signals = Signals::listen(with_signals).map_err(|e| Failure::because("signals", e))?;
        up();
        let mut round = tokio::time::interval(self.systemd.round(ROUND));
        round.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut pulse = tokio::time::interval(overload::PULSE);
        pulse.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        if !self.was_ready {
            tracing::info!("registering with the configured controllers");
        }
        self.systemd.ready();
        self.settle();
        loop {
            let timer = self.next_timer();
            let wake = tokio::select! {
                biased;
                signal = signals.next() => signal,
                Some(end) = self.ended.recv() => Wake::WorkerEnded(end),
                () = self.told.notified() => Wake::Told,
                _ = round.tick() => Wake::Round,
                due = pulse.tick() => Wake::Pulse(due.elapsed()),
                () = sleep_until(timer) => Wake::Timer,
                Some(question) = self.questions.recv() => Wake::Asked(question),
                heard = network(&self.endpoints, &mut self.happenings) => {
                    heard.map_err(|e| Failure::because("Iq over UDP", e))?
                }
                identity = self.stock.next(self.controller.stocked()) => Wake::Certificate(identity),
                () = std::future::ready(()), if self.iq.waiting_requests() > 0 => Wake::Requests,
            };
            let at_once = match self.handle(wake) {
                Ok(at_once) => at_once,
                Err(failure) => {
                    self.farewell(true).await;
                    return Err(failure);
                }
            };
            self.requests();
            self.settle();
            if let Some(end) = at_once.or_else(|| self.drained()) {
                self.last_words(end).await;
                return Ok(end);
            }
        }
    }

    fn handle(&mut self, wake: Wake) -> Result<Option<End>, Failure> {
        let now = self.clock();
        match wake {
            Wake::Datagrams => self.datagrams(),
            Wake::Accepted(door, Ok((stream, from))) => self.accepted(door, stream, from),
            Wake::Accepted(_, Err(error)) => tracing::warn!(%error, "Iq could not accept a connection"),
            Wake::Connection(happening) => self.connection(now, happening),
            Wake::Told | Wake::Timer | Wake::Requests => {}
            Wake::Pulse(lag) => self.look_at_load(lag),
            Wake::Round => self.look_after(),
            Wake::Asked(question) => self.answer(question),
            Wake::Certificate(identity) => self.stock_up(identity),
            Wake::WorkerEnded(end) => {
                return Err(Failure::Failed(format!("worker {} has ended: {}", end.worker, end.why)));
            }
            Wake::Terminate if self.told_to_end => return Ok(Some(End::AtOnce)),
            Wake::Terminate => {
                self.told_to_end = true;
                self.drain("a signal");
            }
            Wake::Reload => self.reload(),
        }
        Ok(None)
    }

    /// Lets everything that follows from what has happened follow: confirmed orders, timers, messages to send. Once a turn, not once a
    /// message: the workers are woken here for all that was ordered, and a wake-up costs more than most messages.
    fn settle(&mut self) {
        let now = self.clock();
        self.controller.set_now(millis(now));
        while let Some(event) = self.controller.poll_event() {
            self.reads.hear(&event);
            self.iq.handle_event(now, event, &mut self.controller);
        }
        if self.controller.next_timeout().is_some_and(|at| at <= millis(now)) {
            self.controller.handle_timeout(millis(now));
        }
        if self.iq.poll_timeout().is_some_and(|at| at <= now) {
            self.iq.handle_timeout(now, &mut self.controller);
        }
        self.controller.wake_workers();
        while let Some(request) = self.iq.poll_connection() {
            self.connections.obey(request);
        }
        while let Some(name) = self.iq.poll_resolution() {
            self.lookups.look_up(name);
        }
        while let Some(transmit) = self.iq.poll_transmit() {
            self.transmit(transmit);
        }
        while let Some(entry) = self.iq.poll_trace() {
            self.traces.keep(entry);
        }
    }

    fn next_timer(&self) -> Option<Instant> {
        let controller = self.controller.next_timeout().map(Duration::from_millis);
        let drain = self.draining_until.map(|at| at.saturating_duration_since(self.began));
        let soonest = [self.iq.poll_timeout(), controller, drain].into_iter().flatten().min()?;
        Some(self.began + soonest)
    }

    /// Sends what waited for room, takes what has come.
    fn datagrams(&mut self) {
        self.endpoints.flush();
        for socket in 0..self.endpoints.sockets() {
            for _ in 0..MAX_DATAGRAMS_PER_TURN {
                // What has no place to wait stays in the socket: only who comes above that is refused.
                if self.iq.waiting_requests() >= GATHERED_REQUESTS {
                    break;
                }
                let Some((id, length, from)) = self.endpoints.receive(socket, &mut self.buffer) else {
                    break;
                };
                let now = self.clock();
                self.controller.set_now(millis(now));
                let bytes = self.buffer.get(..length).unwrap_or_default();
                self.iq.handle_datagram(now, id, from, bytes, &mut self.controller);
            }
        }
    }

    /// Executes some of the requests that wait, the urgent ones first, before more are heard.
    fn requests(&mut self) {
        for _ in 0..MAX_REQUESTS_PER_TURN {
            let now = self.clock();
            self.controller.set_now(millis(now));
            if !self.iq.handle_next_request(now, &mut self.controller) {
                return;
            }
        }
    }

    /// Takes certificates that were made ahead.
    fn stock_up(&mut self, identity: Identity) {
        let mut identities = self.stock.more(self.controller.stocked() + 1);
        identities.push(identity);
        self.controller.stock(identities);
    }

    /// Somebody has connected.
    fn accepted(&mut self, door: Door, stream: tokio::net::TcpStream, from: SocketAddr) {
        let id = self.connections.next_id();
        let link = if door.tls { Link::Tls(id) } else { Link::Tcp(id) };
        if !self.iq.handle_accepted(link, door.form, from) {
            tracing::warn!(%from, "a connection to Iq was refused");
        } else if !door.tls {
            self.connections.run(id, Stream::Tcp(stream));
        } else if !self.connections.secure(
            id,
            stream,
            from,
            self.iq.names_at(from.ip()).map(str::to_owned).collect(),
        ) {
            self.handshakes.refused += 1;
            tracing::warn!(%from, "too many handshakes of TLS on Iq at a time: a connection was refused");
            let now = self.clock();
            self.iq.handle_connection_lost(now, id);
        }
    }

    fn connection(&mut self, now: Now, happening: Happening) {
        self.controller.set_now(millis(now));
        match happening {
            Happening::Opened(id, to, stream) => {
                self.connections.run(id, stream);
                self.iq.handle_connected(now, id, to);
            }
            Happening::OpenFailed(to, error) => {
                tracing::warn!(%to, %error, "a controller could not be reached");
                self.iq.handle_connect_failed(now, to);
            }
            Happening::Resolved(name, found) => self.resolved(now, &name, &found),
            Happening::Secured(id, stream) => {
                if self.connections.shaken(id) {
                    self.handshakes.done += 1;
                    self.connections.run(id, stream);
                }
            }
            Happening::NotSecured(id, from, error) => {
                if self.connections.shaken(id) {
                    self.handshakes.failed += 1;
                    tracing::warn!(%from, %error, "TLS on Iq: a controller could not be taken");
                    self.iq.handle_connection_lost(now, id);
                }
            }
            Happening::Message(id, message) => {
                self.iq.handle_sctp_message(now, id, &message, &mut self.controller);
            }
            Happening::Bytes(id, bytes) => {
                self.iq.handle_tcp_bytes(now, id, &bytes, &mut self.controller);
            }
            Happening::Lost(id) => {
                self.connections.close(id);
                self.iq.handle_connection_lost(now, id);
            }
        }
    }

    /// A controller's name was looked up. What is new is said once.
    fn resolved(&mut self, now: Now, name: &str, found: &io::Result<Vec<IpAddr>>) {
        let addresses = found.as_deref().unwrap_or_default();
        match (self.iq.handle_resolved(now, name, addresses), found) {
            (Resolved::Same, _) => {}
            (_, Ok(_)) => tracing::info!(name, ?addresses, "a controller's name was looked up"),
            (_, Err(error)) => tracing::warn!(name, %error, "a controller's name does not resolve"),
        }
    }

    fn transmit(&mut self, transmit: Transmit) {
        match transmit.to.link {
            Link::Udp(socket) => self.endpoints.send(socket, transmit.to.address, transmit.bytes),
            Link::Tcp(id) | Link::Tls(id) | Link::Sctp(id) => {
                if !self.connections.send(id, transmit.bytes) {
                    tracing::warn!(to = %transmit.to, "a controller does not read: its connection was closed");
                    let now = self.clock();
                    self.iq.handle_connection_lost(now, id);
                }
            }
        }
    }

    /// Once a second.
    fn look_after(&mut self) {
        self.health.control_lives();
        let now = Instant::now();
        self.health.set_workers(self.workers.stuck(now));
        let ready = self.iq.is_ready() || self.draining_until.is_some();
        self.health.set_registered(ready);
        if ready != self.was_ready {
            self.was_ready = ready;
            if ready {
                tracing::info!("a controller commands this gateway");
            } else {
                tracing::warn!("no controller commands this gateway: registering");
            }
        }
        self.watch_memory();
        self.look_at_realms(now);
        self.ignored.tell(self.iq.counters());
        self.traces.look(now, &mut self.iq);
        self.systemd.alive(self.health.trouble().is_none());
        if let Some(logs) = &self.logs {
            logs.flush(now);
        }
    }

    /// `[limits] memory`: above it no new context is made.
    fn watch_memory(&mut self) {
        let limit = self.config.lock().unwrap_or_else(std::sync::PoisonError::into_inner).limits.memory.0;
        let over = limit > 0 && resident_bytes().is_some_and(|bytes| bytes > limit);
        if over != self.over_memory {
            self.over_memory = over;
            if over {
                tracing::warn!(limit, "limits.memory is exceeded: no new calls are taken");
            } else {
                tracing::info!("memory is below limits.memory again");
            }
        }
        self.controller.set_draining(over || self.draining_until.is_some());
    }

    /// No new calls from now on; the end comes with the last call or the deadline.
    fn drain(&mut self, because: &str) {
        if self.draining_until.is_some() {
            return;
        }
        let seconds = self.config.lock().unwrap_or_else(std::sync::PoisonError::into_inner).drain_deadline_s;
        let contexts = self.controller.counts().contexts;
        tracing::info!(because, contexts, deadline_s = seconds, "draining: no new calls are taken");
        self.draining_until = Some(Instant::now() + Duration::from_secs(seconds));
        self.health.set_draining(true);
        self.controller.set_draining(true);
        let delay_s = (contexts > 0).then(|| u32::try_from(seconds).unwrap_or(u32::MAX));
        let now = self.clock();
        self.iq.leave(now, Farewell::Graceful { delay_s });
        self.systemd.stopping();
    }

    /// The drain is taken back: calls are taken again. `false`: there was none.
    fn stop_draining(&mut self) -> bool {
        if self.draining_until.take().is_none() {
            return false;
        }
        tracing::info!("the drain was cancelled: calls are taken again");
        self.told_to_end = false;
        self.health.set_draining(false);
        self.controller.set_draining(self.over_memory);
        let now = self.clock();
        self.iq.stay(now);
        self.systemd.ready();
        true
    }

    /// Whether the drain is over. The last call is gone when the workers have confirmed it, for only then is its Subtract answered.
    fn drained(&self) -> Option<End> {
        let deadline = self.draining_until?;
        let counts = self.controller.counts();
        let contexts = counts.contexts;
        if contexts == 0 && counts.unconfirmed_orders == 0 {
            return Some(End::Drained);
        }
        (Instant::now() >= deadline).then_some(End::Deadline { contexts })
    }

    /// Tells the controller that we go for good, as far as that can be done quickly.
    async fn last_words(&mut self, end: End) {
        tracing::info!(?end, "ending");
        // What still runs is lost; the controller need not ask why.
        self.farewell(!matches!(end, End::Drained) && self.controller.counts().contexts > 0).await;
    }

    /// Says that the gateway is gone, `failing` with calls that it takes along, and ends all connections.
    async fn farewell(&mut self, failing: bool) {
        let now = self.clock();
        self.iq.leave(now, Farewell::Forced { failing });
        self.settle();
        let until = Instant::now() + LAST_WORDS;
        while !self.iq.has_left() && Instant::now() < until {
            tokio::select! {
                Ok(wake) = network(&self.endpoints, &mut self.happenings) => {
                    let _ = self.handle(wake);
                    self.requests();
                }
                () = tokio::time::sleep(LAST_WORDS / 10) => {}
            }
            self.settle();
        }
        let left = until.saturating_duration_since(Instant::now()).max(LAST_WORDS / 5);
        let _ = tokio::time::timeout(left, self.connections.finish()).await;
        if let Some(logs) = &self.logs {
            logs.flush(Instant::now() + crate::logging::WINDOW);
        }
    }

    fn clock(&self) -> Now {
        self.began.elapsed()
    }
}

/// What the network brings next. No order among the sources: a flood in one must not keep the others waiting.
async fn network(endpoints: &Endpoints, happenings: &mut mpsc::Receiver<Happening>) -> io::Result<Wake> {
    tokio::select! {
        ready = endpoints.ready() => ready.map(|()| Wake::Datagrams),
        Some(happening) = happenings.recv() => Ok(Wake::Connection(happening)),
        (door, accepted) = endpoints.accepted() => Ok(Wake::Accepted(door, accepted)),
    }
}

/// What came of the handshakes of those who connected to us under TLS.
#[derive(Debug, Default)]
struct Handshakes {
    done: u64,
    failed: u64,
    refused: u64,
}

/// What was not listened to, as far as the log has been told.
#[derive(Debug, Default)]
struct Ignored {
    strangers: u64,
    unprotected: u64,
    over_rate: u64,
}

impl Ignored {
    /// A line for each kind that has grown.
    fn tell(&mut self, counters: &Counters) {
        let grown = |known: &mut u64, counted: u64, what: &str| {
            let messages = counted - std::mem::replace(known, counted);
            if messages > 0 {
                tracing::warn!(messages, "{what}");
            }
        };
        grown(
            &mut self.strangers,
            counters.strangers,
            "Iq from addresses that are no controller's was ignored",
        );
        grown(
            &mut self.unprotected,
            counters.unprotected,
            "Iq without TLS was ignored: iq.protected_by is \"tls\"",
        );
        grown(
            &mut self.over_rate,
            counters.over_rate,
            "more Iq messages than limits.rates.iq_messages_per_second: ignored",
        );
    }
}

fn millis(now: Now) -> u64 {
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// Second number of /proc/self/statm, in pages.
fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * rustix::param::page_size() as u64)
}
