//! The text encoding of H.248.1, Annex B.
//!
//! [`parse()`] takes long and short tokens in any case and mixture, comments and white space wherever the grammar has LWSP, versions 1
//! to 3; [`print()`](print()) writes either style. What one wrote the other reads to the same tree. Reading is recursive descent over
//! the types of the tree, none of which contains itself, so the depth of the stack is fixed whatever the input; sizes are bounded by
//! the limits below. A transaction that breaks the grammar is leapt over and reported beside the good ones (errors: 403 transaction,
//! 422 action, 442 command, and closer codes where H.248.1 has one); a message that does so outside a transaction is refused (400).

mod lex;
mod parse;
mod print;
mod token;

#[cfg(test)]
mod tests;

pub use lex::MAX_NESTING;
pub use print::{Style, print};

use crate::ast::Message;
use crate::errors::{MessageError, SyntaxError, TransactionError};

/// The longest message that is read, in octets: what TPKT and UDP can carry.
pub const MAX_MESSAGE_BYTES: usize = 65_535;
/// The most transactions in a message (TS 29.334 clause 5.10).
pub const MAX_TRANSACTIONS: usize = 10;
/// The most elements of any list: actions, commands, descriptors, streams, properties, values, acknowledgements.
pub const MAX_ELEMENTS: usize = 256;
/// The longest digit map, in characters.
pub const MAX_DIGIT_MAP: usize = 2048;
/// The highest protocol version that is read.
pub const MAX_VERSION: u8 = 3;

/// A message that was read, perhaps with holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The message with the transactions that keep the grammar.
    pub message: Message,
    /// The transactions that do not, in the order met.
    pub errors: Vec<TransactionError>,
}

impl Parsed {
    /// The message, if nothing had to be left out.
    pub fn complete(mut self) -> Result<Message, TransactionError> {
        if self.errors.is_empty() { Ok(self.message) } else { Err(self.errors.swap_remove(0)) }
    }
}

/// Reads a message and keeps every transaction that can be read.
pub fn parse(input: &[u8]) -> Result<Parsed, MessageError> {
    parse::message(input)
}

/// Reads a message in which everything must be right.
pub fn parse_strictly(input: &[u8]) -> Result<Message, SyntaxError> {
    let parsed = parse(input).map_err(|refused| refused.error)?;
    parsed.complete().map_err(|broken| broken.error)
}
