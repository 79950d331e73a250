//! What can be wrong with a message, in the codes of H.248.1.
//!
//! A syntax error names a place (line and column of text, or the octet of a binary message) and a code; how far the parser got decides how it can be answered:
//! a [`MessageError`] concerns the whole message, a [`TransactionError`] one transaction of an otherwise good message, so that it
//! gets its own error reply while its neighbours are obeyed. Error texts repeat a short piece of the input, never a key.

use std::borrow::Cow;
use std::fmt;

use crate::ast::{ContextId, Mid, TransactionId};

/// An error or ServiceChange reason code of the IANA registry for H.248.1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode(pub u16);

/// Declares the named codes and their registered wording in one place.
macro_rules! codes {
    ($($name:ident = $code:literal $text:literal),* $(,)?) => {
        impl ErrorCode {
            $(#[doc = concat!(stringify!($code), ": ", $text, ".")] pub const $name: ErrorCode = ErrorCode($code);)*

            /// The registered wording of the code, or an empty string for a code that is not in the table.
            pub fn wording(self) -> &'static str {
                match self.0 { $($code => $text,)* _ => "" }
            }
        }
    };
}

codes! {
    SYNTAX_IN_MESSAGE = 400 "Syntax error in message",
    PROTOCOL_ERROR = 401 "Protocol error",
    UNAUTHORIZED = 402 "Unauthorized",
    SYNTAX_IN_TRANSACTION = 403 "Syntax error in transaction request",
    VERSION_NOT_SUPPORTED = 406 "Version not supported",
    INCORRECT_IDENTIFIER = 410 "Incorrect identifier",
    UNKNOWN_CONTEXT = 411 "Unknown ContextId",
    NO_CONTEXTS = 412 "No ContextIDs available",
    TOO_MANY_TRANSACTIONS = 413 "Number of transactions in message exceeds maximum",
    UNKNOWN_ACTION = 421 "Unknown action or illegal combination of actions",
    SYNTAX_IN_ACTION = 422 "Syntax error in action",
    UNKNOWN_TERMINATION = 430 "Unknown TerminationID",
    NO_MATCH_FOR_WILDCARD = 431 "No TerminationID matched a wildcard",
    OUT_OF_TERMINATIONS = 432 "Out of TerminationIDs or no TerminationID available",
    TERMINATION_IN_CONTEXT = 433 "TerminationID is already in a context",
    CONTEXT_FULL = 434 "Max number of terminations in a context exceeded",
    TERMINATION_NOT_IN_CONTEXT = 435 "TerminationID is not in specified context",
    UNKNOWN_PACKAGE = 440 "Unsupported or unknown package",
    MISSING_REMOTE_OR_LOCAL = 441 "Missing Remote or Local descriptor",
    SYNTAX_IN_COMMAND = 442 "Syntax error in command",
    UNKNOWN_COMMAND = 443 "Unsupported or unknown command",
    UNKNOWN_DESCRIPTOR = 444 "Unsupported or unknown descriptor",
    UNKNOWN_PROPERTY = 445 "Unsupported or unknown property",
    UNKNOWN_PARAMETER = 446 "Unsupported or unknown parameter",
    DESCRIPTOR_NOT_LEGAL = 447 "Descriptor not legal in this command",
    DESCRIPTOR_TWICE = 448 "Descriptor appears twice in a command",
    UNSUPPORTED_VALUE = 449 "Unsupported or unknown parameter or property value",
    NO_SUCH_PROPERTY = 450 "No such property in this package",
    NO_SUCH_EVENT = 451 "No such event in this package",
    NO_SUCH_SIGNAL = 452 "No such signal in this package",
    NO_SUCH_STATISTIC = 453 "No such statistic in this package",
    NO_SUCH_PARAMETER_VALUE = 454 "No such parameter value in this package",
    PROPERTY_ILLEGAL_HERE = 455 "Property illegal in this descriptor",
    PROPERTY_TWICE = 456 "Property appears twice in this descriptor",
    MISSING_PARAMETER = 457 "Missing parameter in signal or event",
    UNEXPECTED_REQUEST_ID = 458 "Unexpected Event/Request ID",
    UNSUPPORTED_PROFILE = 459 "Unsupported or unknown profile",
    STATISTIC_ON_STREAM = 460 "Unable to set statistic on stream",
    IMPLIED_ADD_FAILED = 471 "Implied Add for Multiplex failure",
    INFORMATION_MISSING = 472 "Required information missing",
    CONFLICTING_VALUES = 473 "Conflicting property values",
    INVALID_SDP = 474 "Invalid SDP syntax",
    INTERNAL_FAILURE = 500 "Internal software failure in the MG",
    NOT_IMPLEMENTED = 501 "Not implemented",
    NOT_READY = 502 "Not ready",
    SERVICE_UNAVAILABLE = 503 "Service unavailable",
    UNAUTHORIZED_ENTITY = 504 "Command received from unauthorized entity",
    BEFORE_SERVICE_CHANGE = 505 "Transaction request received before a ServiceChange reply has been received",
    TOO_MANY_PENDINGS = 506 "Number of TransactionPendings exceeded",
    INSUFFICIENT_RESOURCES = 510 "Insufficient resources",
    BUSY = 511 "Temporarily busy",
    CANNOT_DETECT_EVENT = 512 "Media gateway unequipped to detect requested event",
    CANNOT_GENERATE_SIGNAL = 513 "Media gateway unequipped to generate requested signals",
    UNSUPPORTED_MEDIA_TYPE = 515 "Unsupported media type",
    UNSUPPORTED_MODE = 517 "Unsupported or invalid mode",
    EVENT_BUFFER_FULL = 518 "Event buffer full",
    DIGIT_MAP_UNDEFINED = 520 "Digit map undefined in the MG",
    TERMINATION_SERVICE_CHANGING = 521 "Termination is ServiceChanging",
    TOPOLOGY_NOT_SUPPORTED = 522 "Functionality requested in topology triple not supported",
    INSUFFICIENT_BANDWIDTH = 526 "Insufficient bandwidth",
    HARDWARE_FAILURE = 529 "Internal hardware failure in MG",
    TEMPORARY_NETWORK_FAILURE = 530 "Temporary network failure",
    PERMANENT_NETWORK_FAILURE = 531 "Permanent network failure",
    AUDITED_DOES_NOT_EXIST = 532 "Audited property, statistic, event or signal does not exist",
    RESPONSE_TOO_LARGE = 533 "Response exceeds maximum transport PDU size",
    ILLEGAL_WRITE_OR_READ = 534 "Illegal write or read only property",
    COMMAND_NOT_ALLOWED = 542 "Command is not allowed on this termination",
    DOES_NOT_EXIST = 581 "Does not exist",
    SERVICE_RESTORED = 900 "Service restored",
    COLD_BOOT = 901 "Cold boot",
    WARM_BOOT = 902 "Warm boot",
    MGC_DIRECTED_CHANGE = 903 "MGC directed change",
    TERMINATION_MALFUNCTION = 904 "Termination malfunctioning",
    TERMINATION_OUT_OF_SERVICE = 905 "Termination taken out of service",
    LOWER_LAYER_LOST = 906 "Loss of lower layer connectivity",
    TRANSMISSION_FAILURE = 907 "Transmission failure",
    MG_IMPENDING_FAILURE = 908 "MG impending failure",
    MGC_IMPENDING_FAILURE = 909 "MGC impending failure",
    STATE_LOSS = 915 "State loss",
    PACKAGES_CHANGE = 916 "Packages change",
    CAPABILITIES_CHANGE = 917 "Capabilities change",
    CANCEL_GRACEFUL = 918 "Cancel graceful",
    WARM_FAILOVER = 919 "Warm failover",
    COLD_FAILOVER = 920 "Cold failover",
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.wording() {
            "" => write!(f, "{}", self.0),
            text => write!(f, "{} {text}", self.0),
        }
    }
}

/// Where in a message something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A token of a text message.
    Line {
        /// From 1.
        line: u32,
        /// In octets, from 1.
        column: u32,
    },
    /// An element of a binary message: how many octets stand before its tag.
    Octet(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line { line, column } => write!(f, "line {line}, column {column}"),
            Place::Octet(at) => write!(f, "octet {at}"),
        }
    }
}

/// A place in the message where the grammar was left, and the code that says so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct SyntaxError {
    /// The code for the error reply.
    pub code: ErrorCode,
    /// Where the offending token or element stands.
    pub place: Place,
    /// What was expected and what stood there instead. Holds no quotation mark, so it fits an Error descriptor, and no key.
    pub what: Cow<'static, str>,
}

impl SyntaxError {
    /// The text for an Error descriptor: place and reason.
    pub fn text(&self) -> String {
        self.to_string().replace('"', "'")
    }
}

/// A message that cannot be read as a whole; what was recognised before the error is kept for the answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct MessageError {
    /// What was wrong, and where.
    pub error: SyntaxError,
    /// The version that the start line named, once read.
    pub version: Option<u8>,
    /// The sender's identifier, once read.
    pub mid: Option<Mid>,
}

/// Which kind of transaction a [`TransactionError`] was found in; only a request is answered with a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionKind {
    /// TransactionRequest.
    Request,
    /// TransactionReply.
    Reply,
    /// TransactionPending.
    Pending,
    /// TransactionResponseAck.
    Ack,
    /// The segment reply of version 3.
    SegmentReply,
}

/// One transaction that cannot be read inside a message that otherwise can.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transaction {}: {error}", self.transaction.map_or_else(|| "?".to_owned(), |id| id.to_string()))]
pub struct TransactionError {
    /// Request, reply, pending or acknowledgement.
    pub kind: TransactionKind,
    /// Its identifier, once read. An error reply without it uses transaction 0 (H.248.1 section 8.1.1).
    pub transaction: Option<TransactionId>,
    /// The context of the action in which the error stood, once read.
    pub context: Option<ContextId>,
    /// What was wrong, and where.
    pub error: SyntaxError,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_prints_its_registered_wording() {
        assert_eq!(ErrorCode::INVALID_SDP.to_string(), "474 Invalid SDP syntax");
        assert_eq!(ErrorCode(999).to_string(), "999");
    }

    #[test]
    fn an_error_text_fits_a_quoted_string() {
        let error = SyntaxError {
            code: ErrorCode::SYNTAX_IN_COMMAND,
            place: Place::Line { line: 3, column: 7 },
            what: "found \"x\"".into(),
        };
        assert_eq!(error.text(), "line 3, column 7: found 'x'");
    }
}
