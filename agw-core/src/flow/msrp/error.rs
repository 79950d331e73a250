//! What ends a stream of MSRP. It is always the sender's fault.

use super::{MAX_CHUNK_BYTES, MAX_HEADER_BYTES, MAX_LINE_BYTES, MAX_TRANSACTION_ID_BYTES};
use std::fmt;

/// What the sender did. The texts show none of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MsrpError {
    /// A message began with something else than a start line.
    StartLine,
    /// A transact-id with other bytes than it may have, or longer than [`MAX_TRANSACTION_ID_BYTES`].
    TransactionId,
    /// A line of the head is neither a header nor the end-line, or has control characters in it.
    Header,
    /// A line longer than [`MAX_LINE_BYTES`].
    LineTooLong,
    /// A head longer than [`MAX_HEADER_BYTES`].
    HeadersTooLong,
    /// A body longer than [`MAX_CHUNK_BYTES`].
    ChunkTooLong,
}

impl fmt::Display for MsrpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StartLine => write!(f, "MSRP: a message does not begin with a start line"),
            Self::TransactionId => {
                write!(
                    f,
                    "MSRP: the transact-id is malformed or longer than {MAX_TRANSACTION_ID_BYTES} bytes"
                )
            }
            Self::Header => write!(f, "MSRP: a line is neither a header nor the end-line"),
            Self::LineTooLong => write!(f, "MSRP: a line is longer than {MAX_LINE_BYTES} bytes"),
            Self::HeadersTooLong => write!(f, "MSRP: the headers are longer than {MAX_HEADER_BYTES} bytes"),
            Self::ChunkTooLong => write!(f, "MSRP: a chunk is longer than {MAX_CHUNK_BYTES} bytes"),
        }
    }
}

impl std::error::Error for MsrpError {}
