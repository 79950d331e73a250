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
use crate::errors::{MessageError, SyntaxError};

pub use crate::codec::{
    MAX_DIGIT_MAP, MAX_ELEMENTS, MAX_MESSAGE_BYTES, MAX_TRANSACTIONS, MAX_VERSION, Parsed,
};

/// Reads a message and keeps every transaction that can be read.
pub fn parse(input: &[u8]) -> Result<Parsed, MessageError> {
    parse::message(input)
}

/// Reads a message in which everything must be right.
pub fn parse_strictly(input: &[u8]) -> Result<Message, SyntaxError> {
    let parsed = parse(input).map_err(|refused| refused.error)?;
    parsed.complete().map_err(|broken| broken.error)
}
