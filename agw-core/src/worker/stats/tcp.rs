//! What is counted of connections.

use crate::model::BearerFailure;

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
