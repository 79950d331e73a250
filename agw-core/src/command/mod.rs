//! What is asked of the gateway, and what it answers. A front end (Iq, later others) speaks [`Command`] and hears [`Reply`],
//! [`Refusal`] and [`Event`]; the controller speaks [`order::Order`] to the workers. The vocabulary is ours and not H.248's.
//!
//! Commands are executed at once and in order, all or nothing (IQ-4). What a worker has to confirm is named by a
//! [`Ticket`]: the front end holds its own reply back until [`Event::Done`] has come for the last ticket it was given, so that the media
//! path is ready before anybody hears of it (RLY-5).

pub mod order;
mod refusal;

pub use refusal::Refusal;

use crate::model::{
    Activity, Bearer, Component, ContextAttributes, ContextId, Direction, IceEvent, StreamId, StreamSpec,
    StreamStatistics, TerminationId, TerminationView, Way,
};
use std::net::SocketAddr;

/// Something asked of the gateway.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Makes an empty context. It must get a termination, or be removed, before the front end replies.
    CreateContext(ContextAttributes),
    /// Changes what is said of a whole context.
    SetAttributes(ContextId, ContextAttributes),
    /// Removes a context and all of its terminations.
    RemoveContext(ContextId),
    /// Adds a termination with its streams: takes ports, opens them, joins each stream with its namesake.
    Add {
        /// Where.
        context: ContextId,
        /// What, by stream number; a number that comes twice is refused.
        streams: Vec<(StreamId, StreamSpec)>,
    },
    /// Replaces the specification of the named streams; streams that are not named stay, new ones are added.
    Modify {
        /// Which termination.
        termination: TerminationId,
        /// What, by stream number.
        streams: Vec<(StreamId, StreamSpec)>,
    },
    /// Moves a termination to another context, as [`Command::Modify`] would leave it; its ports, keys and counters stay. A context that
    /// it leaves empty goes.
    Move {
        /// Which termination.
        termination: TerminationId,
        /// Where to.
        to: ContextId,
        /// What of it changes on the way, by stream number; often nothing.
        streams: Vec<(StreamId, StreamSpec)>,
    },
    /// Takes a termination out and frees what it had. An emptied context goes with it.
    Subtract(TerminationId),
    /// Reads the counters of a termination.
    ReadStatistics(TerminationId),
}

/// Names what a worker has yet to confirm. Tickets grow; one is done when all before it are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What came of a command that was not refused.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// [`Command::CreateContext`]: its number.
    Context(ContextId),
    /// [`Command::Add`], [`Command::Modify`], [`Command::Move`]: the termination as it is now; usable once the ticket is done.
    Termination(TerminationView, Ticket),
    /// The counters come with [`Event::Statistics`] of this ticket, before its [`Event::Done`].
    Statistics(Ticket),
    /// Nothing to say but that it is done, once the ticket is.
    Accepted(Ticket),
}

/// What comes out of the gateway unasked, or later than the reply.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The counters that a ticket asked for, one event a stream.
    Statistics {
        /// The ticket of the command.
        ticket: Ticket,
        /// The termination.
        termination: TerminationId,
        /// The stream.
        stream: StreamId,
        /// Its counters.
        statistics: StreamStatistics,
    },
    /// All orders up to this ticket have taken effect.
    Done(Ticket),
    /// A worker has noticed something.
    Notice(Notice),
}

/// Something a worker noticed about a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// The termination.
    pub termination: TerminationId,
    /// The stream.
    pub stream: StreamId,
    /// What happened.
    pub what: Observation,
}

/// What can be noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// The peer's address was learned from its packets (H.248.37), first or anew.
    Latched {
        /// For RTP or RTCP.
        component: Component,
        /// The address now used.
        source: SocketAddr,
    },
    /// The peer sends more than policing allows (H.248.53): told at the first discard, and again only when there was none for ten seconds.
    Policed,
    /// Media stopped, flow again, or are held, one way of a stream that is watched (H.248.40).
    Activity(Way, Activity),
    /// A TCP connection came up, ended or failed (H.248.89 `tcpbcc/BNCChange`).
    Connection(Bearer),
    /// Something became of ICE (H.248.50).
    Ice(IceEvent),
    /// A TLS or DTLS session came up, ended or failed (H.248.90 `tlsbsc/BNCChange`).
    Session(Bearer),
    /// A master key has reached 90 % of its lifetime (SRTP-6).
    KeyNearEnd(Direction),
    /// All master keys of a direction are used up: nothing passes any more (SRTP-6).
    KeyEnded(Direction),
}

/// What executes commands; implemented by the controller, and by pretend ones in tests of front ends.
pub trait Gateway {
    /// Executes a command, all of it or nothing.
    ///
    /// # Errors
    /// A [`Refusal`] says why not, and that nothing has changed.
    fn execute(&mut self, command: Command) -> Result<Reply, Refusal>;
}
