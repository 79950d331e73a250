//! What is counted of connections and of the sessions on them.

use crate::model::{BearerFailure, TlsFailure};

/// The metric label `event`: what happened to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionEvent {
    /// A peer connected, and was let in.
    Accepted,
    /// We connected.
    Connected,
    /// Who connected was not let in: an address that is not the peer's, or too many unproven.
    TurnedAway,
    /// It ended in order.
    Released,
    /// The peer refused ours.
    Refused,
    /// There was no way to the peer.
    Unreachable,
    /// Nobody answered in time.
    TimedOut,
    /// The peer reset it, or it broke.
    Reset,
    /// Nothing came for too long.
    Idle,
    /// The bytes were not what the transport says.
    Malformed,
    /// The system had no room.
    Resources,
    /// The other side of the context broke.
    OtherSide,
    /// TLS failed on it.
    Tls,
}

impl ConnectionEvent {
    /// Every event, in metric order.
    pub const ALL: [Self; 13] = [
        Self::Accepted,
        Self::Connected,
        Self::TurnedAway,
        Self::Released,
        Self::Refused,
        Self::Unreachable,
        Self::TimedOut,
        Self::Reset,
        Self::Idle,
        Self::Malformed,
        Self::Resources,
        Self::OtherSide,
        Self::Tls,
    ];

    /// The metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Connected => "connected",
            Self::TurnedAway => "turned_away",
            Self::Released => "released",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::Reset => "reset",
            Self::Idle => "idle",
            Self::Malformed => "malformed",
            Self::Resources => "resources",
            Self::OtherSide => "other_side",
            Self::Tls => "tls",
        }
    }
}

impl From<BearerFailure> for ConnectionEvent {
    fn from(failure: BearerFailure) -> Self {
        match failure {
            BearerFailure::Refused => Self::Refused,
            BearerFailure::Unreachable => Self::Unreachable,
            BearerFailure::TimedOut => Self::TimedOut,
            BearerFailure::Reset => Self::Reset,
            BearerFailure::Idle => Self::Idle,
            BearerFailure::Malformed(_) => Self::Malformed,
            BearerFailure::Resources => Self::Resources,
            BearerFailure::OtherSide => Self::OtherSide,
            BearerFailure::Tls(_) => Self::Tls,
        }
    }
}

/// The metric label `result`: what came of a handshake of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeResult {
    /// The peer has proven itself.
    Good,
    /// It has not, or there is no session.
    Failed(TlsFailure),
}

impl HandshakeResult {
    /// How many there are.
    pub const COUNT: usize = 1 + TlsFailure::ALL.len();

    /// Every result, in metric order.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Good).chain(TlsFailure::ALL.map(Self::Failed))
    }

    /// The metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "ok",
            Self::Failed(failure) => failure.as_str(),
        }
    }

    pub(super) const fn index(self) -> usize {
        match self {
            Self::Good => 0,
            Self::Failed(failure) => 1 + failure.index(),
        }
    }
}

/// What is counted of MSRP that comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MsrpCount {
    /// Whole requests: each chunk of a message is one, and so is each report.
    Chunks,
    /// Requests that end a message (`$` in the end-line): as many as there were whole messages, and reports.
    Messages,
    /// Whole responses.
    Responses,
    /// Bytes of all that, and of what else came.
    Bytes,
}

impl MsrpCount {
    /// All there are, in metric order.
    pub const ALL: [Self; 4] = [Self::Chunks, Self::Messages, Self::Responses, Self::Bytes];
}
