//! What the two encodings of H.248.1 have in common: what reading a message gives, and how much of one is read.

use crate::ast::Message;
use crate::errors::TransactionError;

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
    /// How many octets the TerminationIDs of a binary message had, where it had any; an answer uses as many.
    pub id_octets: Option<u8>,
}

impl Parsed {
    /// The message, if nothing had to be left out.
    pub fn complete(mut self) -> Result<Message, TransactionError> {
        if self.errors.is_empty() { Ok(self.message) } else { Err(self.errors.swap_remove(0)) }
    }
}
