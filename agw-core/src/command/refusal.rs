//! Why something was not done, precise enough for a front end to choose its error code and its words.

use crate::model::{ContextId, Direction, RealmName, StreamId, TerminationId};
use std::fmt;

/// Why a command was refused. Nothing has changed. The texts never hold key material (SRTP-12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is no such context.
    UnknownContext(ContextId),
    /// There is no such termination.
    UnknownTermination(TerminationId),
    /// No realm has this name.
    UnknownRealm(RealmName),
    /// No realm was named and none is marked as the default.
    NoDefaultRealm,
    /// The realm has no address of the asked-for family, or not the asked-for address.
    NoSuchLocalAddress(StreamId),
    /// The asked-for port is taken or not in the realm.
    PortUnavailable(StreamId),
    /// The realm, or its share on a worker, has no free port left.
    OutOfPorts(RealmName),
    /// `[limits] contexts` has been reached.
    OutOfContexts,
    /// `[limits]`, a ring or the system's descriptors are exhausted.
    OutOfResources(&'static str),
    /// A context holds two terminations on Iq.
    TooManyTerminations(ContextId),
    /// More streams than a termination may have.
    TooManyStreams,
    /// A stream number came twice in one command.
    DuplicateStream(StreamId),
    /// A crypto attribute that was already given was changed (SRTP-9).
    CryptoChanged(StreamId, Direction),
    /// A key for a transport that is not secure, or of the wrong shape.
    CryptoNotAllowed(StreamId),
    /// The crypto suite or a session parameter is not allowed here; the text names it (SRTP-4, SRTP-5, SRTP-11).
    CryptoPolicy(StreamId, String),
    /// Something fixed at set-up was changed: the realm, the address, the transport's kind, the RTCP ports.
    FixedAtSetup(StreamId, &'static str),
    /// Two streams of the same number cannot be joined: RTP with an opaque transport.
    Unjoinable(StreamId),
    /// Known, but not done by this gateway.
    NotImplemented(&'static str),
    /// The operating system refused; its words.
    System(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownContext(id) => write!(f, "no context {id}"),
            Self::UnknownTermination(id) => write!(f, "no termination {id}"),
            Self::UnknownRealm(name) => write!(f, "no realm {name}"),
            Self::NoDefaultRealm => f.write_str("no realm was named and none is the default"),
            Self::NoSuchLocalAddress(s) => write!(f, "stream {}: the realm has no such local address", s.0),
            Self::PortUnavailable(s) => write!(f, "stream {}: the local port is not available", s.0),
            Self::OutOfPorts(name) => write!(f, "realm {name} has no free port"),
            Self::OutOfContexts => f.write_str("the limit of contexts is reached"),
            Self::OutOfResources(what) => write!(f, "out of {what}"),
            Self::TooManyTerminations(id) => write!(f, "context {id} has two terminations already"),
            Self::TooManyStreams => f.write_str("too many streams in the termination"),
            Self::DuplicateStream(s) => write!(f, "stream {} comes twice", s.0),
            Self::CryptoChanged(s, Direction::Outbound) => {
                write!(f, "stream {}: a=crypto of Local was changed", s.0)
            }
            Self::CryptoChanged(s, Direction::Inbound) => {
                write!(f, "stream {}: a=crypto of Remote was changed", s.0)
            }
            Self::CryptoNotAllowed(s) => write!(f, "stream {}: a=crypto needs RTP/SAVP or RTP/SAVPF", s.0),
            Self::CryptoPolicy(s, what) => write!(f, "stream {}: {what}", s.0),
            Self::FixedAtSetup(s, what) => write!(f, "stream {}: {what} cannot change", s.0),
            Self::Unjoinable(s) => write!(f, "stream {}: the two sides cannot be joined", s.0),
            Self::NotImplemented(what) => write!(f, "{what} is not implemented"),
            Self::System(words) => write!(f, "system: {words}"),
        }
    }
}

impl std::error::Error for Refusal {}
