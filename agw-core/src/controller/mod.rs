//! The one owner of contexts. It executes a front end's [`Command`](crate::command::Command)s: it checks, takes and opens ports, makes
//! sessions of keys, works out what both sides of each stream have to do, and orders it from the workers.
//!
//! Every command is all or nothing (IQ-4): first everything is checked, room in the worker's queue included, then what can fail is
//! taken, with what was taken given back on failure, and only then is anything changed; what follows cannot fail. The two
//! terminations of a context are on one worker, which is chosen with the context's first stream; a termination that is moved to a
//! context on another worker takes its flows with it. Ports are closed when the
//! worker has said that their flow is gone, and rest before they are used again.
//!
//! Call [`Controller::set_now`] before anything else in a turn, then [`Gateway::execute`](crate::command::Gateway::execute) for each command, then
//! [`Controller::poll_event`] until it has nothing more, and again after [`Controller::next_timeout`] or when a worker may have
//! answered. Workers are woken once a turn, when there is nothing more, and not for each command: a wake-up costs more than most
//! commands. Nothing here blocks, reads a clock or starts a thread.

mod bundle;
mod config;
mod connection;
mod draft;
mod edge;
mod execute;
mod keys;
mod links;
mod moving;
mod poll;
mod query;
mod registry;
mod sockets;
mod stream;
mod tickets;

#[cfg(test)]
mod tests;

pub use config::{
    ConfigError, ControllerConfig, EdgeRules, FeedbackPolicy, LatchPolicy, Limits, MAX_RESERVE_PERCENT,
    MAX_STREAMS_PER_TERMINATION, MAX_WORKERS, Reserve, SrtpRules, TcpRules,
};
pub use links::{ControllerLink, MIN_RING_ANSWERS, WorkerLink, rings};
pub use query::{ContextView, Counts, StreamView, TRANSPORTS, TerminationDetail};
pub use registry::MAX_TERMINATIONS_PER_CONTEXT;
pub use sockets::MAX_FOREIGN_PORTS_PASSED;

use crate::command::Event;
use crate::io::PortOpener;
use crate::io::stream::StreamOpener;
use crate::ports::Realms;
use crate::worker::WorkerSetup;
use agw_tls::{Identity, Tls};
use connection::Names;
use links::Link;
use moving::Passages;
use registry::Registry;
use sockets::Sockets;
use std::collections::VecDeque;
use tickets::Tickets;

/// The most certificates in stock.
pub const MAX_IDENTITIES: usize = 1024;

/// Owns contexts, terminations and ports, and tells the workers what to do.
#[derive(Debug)]
pub struct Controller<O> {
    sockets: Sockets<O>,
    registry: Registry,
    links: Vec<Link>,
    tickets: Tickets,
    passages: Passages,
    /// What came of one answer and has not been told yet.
    untold: VecDeque<Event>,
    srtp: SrtpRules,
    latch: LatchPolicy,
    feedback: FeedbackPolicy,
    tcp: TcpRules,
    names: Names,
    tls: Tls,
    edge: EdgeRules,
    /// Of each realm, by its number.
    dtls: Box<[agw_dtls::Profile]>,
    /// Certificates that no stream has yet.
    identities: Vec<Identity>,
    /// How many had to be made while a command waited.
    identities_late: u64,
    limits: Limits,
    now_ms: u64,
    draining: bool,
    /// Whose answers are looked at next.
    next_link: usize,
    answers_since_done: u32,
}

impl<O: PortOpener + StreamOpener> Controller<O> {
    /// A controller without contexts, for as many workers as there are links; worker `n` has the `n`-th.
    ///
    /// # Errors
    /// What in the configuration cannot work.
    pub fn new(config: ControllerConfig, opener: O, links: Vec<WorkerLink>) -> Result<Self, ConfigError> {
        config::check(&config, links.len())?;
        let realms = Realms::new(&config.realms, links.len())?;
        let links = links
            .into_iter()
            .enumerate()
            .map(|(worker, ends)| Link::new(ends, realms.ports_of(worker) as usize).ok_or(ConfigError::Ring))
            .collect::<Result<Vec<Link>, ConfigError>>()?;
        Ok(Self {
            sockets: Sockets::new(realms, opener, config.limits.ports, config.port_reuse_delay_ms),
            registry: Registry::default(),
            links,
            tickets: Tickets::new(),
            passages: Passages::default(),
            untold: VecDeque::new(),
            srtp: config.srtp,
            latch: config.latch,
            feedback: config.feedback,
            names: Names::new(config.tcp.seed),
            tls: Tls::new(&config.tcp.profile).map_err(|error| ConfigError::Tls(error.to_string()))?,
            dtls: edge::profiles(&config.realms, &config.edge).map_err(ConfigError::Dtls)?,
            edge: config.edge,
            identities: Vec::new(),
            identities_late: 0,
            tcp: config.tcp,
            limits: config.limits,
            now_ms: 0,
            draining: false,
            next_link: 0,
            answers_since_done: 0,
        })
    }

    /// Milliseconds of a monotonic clock whose start means nothing. A time that goes back is not believed.
    pub fn set_now(&mut self, now_ms: u64) {
        self.now_ms = self.now_ms.max(now_ms);
    }

    /// Takes certificates for streams to come, up to [`MAX_IDENTITIES`]. Each will belong to one stream (TLS-1); a stream that finds none has one made
    /// while its command waits.
    pub fn stock(&mut self, identities: Vec<Identity>) {
        let room = MAX_IDENTITIES.saturating_sub(self.identities.len());
        self.identities.extend(identities.into_iter().take(room));
    }

    /// How many certificates are in stock.
    pub fn stocked(&self) -> usize {
        self.identities.len()
    }

    /// While draining no context is made; what there is goes on.
    pub fn set_draining(&mut self, draining: bool) {
        self.draining = draining;
    }

    /// When [`Controller::handle_timeout`] wants to be called, in the milliseconds of [`Controller::set_now`]: ports have rested enough.
    /// Late calls cost nothing but metrics that are late: ports that are needed are looked after in passing.
    pub fn next_timeout(&self) -> Option<u64> {
        let tend = self.sockets.opener.tend_again_ms().map(|in_ms| self.now_ms + in_ms);
        [self.sockets.realms.next_refresh_ms(), tend].into_iter().flatten().min()
    }

    /// Does what is due at this time.
    pub fn handle_timeout(&mut self, now_ms: u64) {
        self.set_now(now_ms);
        self.sockets.realms.refresh(self.now_ms);
    }

    /// What a worker must be made with to fit this controller.
    pub fn worker_setup(&self, worker: usize) -> WorkerSetup {
        let legs = self.sockets.realms.addresses().iter().map(|(_, leg)| *leg).collect();
        // A flow has at least one port.
        let flows = self.sockets.realms.ports_of(worker) as usize;
        WorkerSetup { flows, legs, handshake_steps_per_turn: self.edge.handshake_steps_per_turn }
    }

    /// What opens the ports.
    pub fn opener(&self) -> &O {
        &self.sockets.opener
    }

    /// What opens the ports.
    pub fn opener_mut(&mut self) -> &mut O {
        &mut self.sockets.opener
    }
}
