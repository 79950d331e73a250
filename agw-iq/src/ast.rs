//! One message tree for both encodings of H.248.1.
//!
//! The text codec (Annex B) and the binary one (Annex A) read and write these types, and everything behind them (transactions,
//! packages, the model) sees only them. Where the encodings say the same thing differently the tree keeps the meaning: names and
//! termination identifiers as text compared without regard to case, values as text with the one bit that both encodings know
//! (string or not), octet strings as hexadecimal text (Annex B.3). Constructs of version 3 are kept where a version 2 gateway can
//! make sense of them. A descriptor that may appear at most once is an `Option`, so a tree cannot hold it twice.

mod audit;
mod command;
mod event;
mod media;
mod name;
mod service;
mod value;

pub use audit::*;
pub use command::*;
pub use event::*;
pub use media::*;
pub use name::*;
pub use service::*;
pub use value::*;

use crate::errors::ErrorCode;

/// A whole message (H.248.1 section 8.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The interim authentication header of section 10.2, where the peer sends one.
    pub auth: Option<AuthHeader>,
    /// Protocol version: 1 to 99; this gateway speaks 2 and reads 1 to 3.
    pub version: u8,
    /// Who sent the message.
    pub mid: Mid,
    /// What it says.
    pub body: Body,
}

/// The authentication header: carried, never interpreted here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthHeader {
    /// Security parameter index.
    pub spi: u32,
    /// Sequence number.
    pub sequence: u32,
    /// Integrity check value, 12 to 32 octets.
    pub data: Vec<u8>,
}

/// The body of a message: one error about the message as a whole, or transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// The peer could not read what we sent.
    Error(ErrorDescriptor),
    /// Independent transactions, in the order written.
    Transactions(Vec<Transaction>),
}

/// A transaction identifier. 0, 0xFFFFFFFE and 0xFFFFFFFF are reserved; 0 stands in error replies for "unknown".
pub type TransactionId = u32;

/// One transaction of a message (section 8.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// Commands to be executed.
    Request(TransactionRequest),
    /// Their results.
    Reply(TransactionReply),
    /// "Still working on it."
    Pending(TransactionId),
    /// Replies that have arrived, as ranges of identifiers (the `K` of the text encoding).
    Ack(Vec<AckRange>),
    /// Version 3: acknowledges one segment of a reply.
    SegmentReply {
        /// The transaction whose reply was segmented.
        id: TransactionId,
        /// The segment and whether it was the last.
        segment: Segment,
    },
}

/// A range of acknowledged transactions, both ends included; one transaction has `first == last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AckRange {
    /// First acknowledged identifier.
    pub first: TransactionId,
    /// Last acknowledged identifier.
    pub last: TransactionId,
}

/// Commands grouped by context, executed in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionRequest {
    /// Chosen by the sender.
    pub id: TransactionId,
    /// At least one action.
    pub actions: Vec<ActionRequest>,
}

/// The answer to a [`TransactionRequest`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionReply {
    /// The identifier of the request.
    pub id: TransactionId,
    /// The sender of the reply asks for an immediate acknowledgement.
    pub immediate_ack: bool,
    /// Version 3: this reply is one segment of several.
    pub segment: Option<Segment>,
    /// Results, or one error for the whole transaction.
    pub body: ReplyBody,
}

/// Version 3: the place of a segment in a segmented reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Segment number, from 1.
    pub number: u16,
    /// Whether this was the last segment.
    pub last: bool,
}

/// What a reply says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplyBody {
    /// The transaction as a whole failed.
    Error(ErrorDescriptor),
    /// Results action by action; at least one.
    Actions(Vec<ActionReply>),
}

/// The commands of one context within a request (section 8.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionRequest {
    /// The context they act on.
    pub context: ContextId,
    /// Context properties to be set.
    pub properties: ContextProperties,
    /// Context properties to be returned.
    pub audit: Option<ContextAudit>,
    /// Commands in order of execution; may be empty when properties or audit are given.
    pub commands: Vec<CommandRequest>,
}

/// The results of one action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionReply {
    /// The context, with `$` replaced by the context that was made.
    pub context: ContextId,
    /// Context properties, where they were audited.
    pub properties: ContextProperties,
    /// One reply for each command that was executed.
    pub commands: Vec<CommandReply>,
    /// An error of the action as a whole, or the one at which execution stopped.
    pub error: Option<ErrorDescriptor>,
}

/// Properties of a context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContextProperties {
    /// Topology triples, in order; empty when no Topology descriptor was given.
    pub topology: Vec<TopologyTriple>,
    /// 0 (lowest) to 15.
    pub priority: Option<u16>,
    /// Emergency indicator; version 2 text can only say `true`.
    pub emergency: Option<bool>,
    /// Version 3: international emergency preference scheme call indicator.
    pub ieps: Option<bool>,
    /// Version 3: package-defined context attributes.
    pub attributes: Vec<PropertyParm>,
    /// Version 3: a list of contexts that the command is for.
    pub contexts: Vec<ContextId>,
}

impl ContextProperties {
    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        self.topology.is_empty()
            && self.priority.is_none()
            && self.emergency.is_none()
            && self.ieps.is_none()
            && self.attributes.is_empty()
            && self.contexts.is_empty()
    }
}

/// How media flows between two terminations of a context (section 7.1.18).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopologyTriple {
    /// Termination A.
    pub from: TerminationId,
    /// Termination B.
    pub to: TerminationId,
    /// Direction seen from A.
    pub direction: TopologyDirection,
    /// Version 2: only this stream.
    pub stream: Option<StreamId>,
}

/// The direction of a topology triple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopologyDirection {
    /// Media flows both ways.
    Bothway,
    /// Media does not flow.
    Isolate,
    /// Media flows from A to B.
    Oneway,
    /// Version 3: A to B through the external side of A.
    OnewayExternal,
    /// Version 3: both sides of A to B.
    OnewayBoth,
}

/// Which context properties a request wants to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContextAudit {
    /// The topology.
    pub topology: bool,
    /// The emergency indicator.
    pub emergency: bool,
    /// The priority.
    pub priority: bool,
    /// Version 3: the IEPS indicator.
    pub ieps: bool,
    /// Version 3: package-defined attributes.
    pub attributes: Vec<PkgdName>,
    /// Version 3: only contexts with these properties.
    pub select: Option<Box<ContextSelect>>,
}

/// Version 3: restricts a context audit to contexts with given properties.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContextSelect {
    /// One matching property is enough (`ORLgc`); otherwise, or unsaid, all must match.
    pub any: Option<bool>,
    /// The properties to match: priority, emergency, IEPS and attributes.
    pub properties: ContextProperties,
}

/// An error, at whatever level it stands (section 7.1.19).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorDescriptor {
    /// The code.
    pub code: ErrorCode,
    /// Free text for a person; never contains a quotation mark.
    pub text: Option<String>,
}

impl ErrorDescriptor {
    /// An error with the registered wording of its code.
    pub fn new(code: ErrorCode) -> Self {
        let wording = code.wording();
        ErrorDescriptor { code, text: (!wording.is_empty()).then(|| wording.to_owned()) }
    }

    /// An error with its own text; quotation marks, which the text encoding cannot carry, become apostrophes, and keys are blanked
    /// (SRTP-12): the text often quotes what was refused.
    pub fn with_text(code: ErrorCode, text: impl Into<String>) -> Self {
        let text = zeroize::Zeroizing::new(text.into());
        ErrorDescriptor { code, text: Some(quotable(crate::secret::redact(&text))) }
    }
}

impl From<&crate::errors::SyntaxError> for ErrorDescriptor {
    fn from(error: &crate::errors::SyntaxError) -> Self {
        ErrorDescriptor::with_text(error.code, error.text())
    }
}
