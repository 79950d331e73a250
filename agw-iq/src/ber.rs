//! The binary encoding of H.248.1, Annex A: the BER of its ASN.1, with automatic tags.
//!
//! [`parse()`] takes versions 1 to 3, definite and indefinite lengths, property values with and without a BER of their own, and skips
//! what later versions added; [`print()`](print()) writes definite lengths and values with a BER of their own, and what version 3 added
//! only where the tree holds it. Both go straight between octets and the tree of [`ast`](crate::ast). A transaction is one element, so
//! a broken one is reported beside the good ones with the codes that the text encoding has; a message that is broken outside its
//! transactions is refused (400). The reader is our own because the ASN.1 library that was tried (rasn 0.30) refuses a message with an
//! unknown extension, gives up the whole message for one broken transaction, and says neither where nor whose it was.

mod names;
mod naming;
mod parse;
mod print;
mod sdp;
mod tlv;
mod value;
mod writer;

#[cfg(test)]
mod tests;

pub use naming::{DEFAULT_ID_OCTETS, Naming};
pub use tlv::MAX_DEPTH;

use crate::ast::{DescriptorKind, Message};
use crate::codec::Parsed;
use crate::errors::{MessageError, SyntaxError};
use zeroize::Zeroizing;

/// The bits of `auditToken`, from the first.
const AUDIT_TOKENS: [DescriptorKind; 10] = [
    DescriptorKind::Mux,
    DescriptorKind::Modem,
    DescriptorKind::Media,
    DescriptorKind::Events,
    DescriptorKind::Signals,
    DescriptorKind::DigitMap,
    DescriptorKind::Statistics,
    DescriptorKind::ObservedEvents,
    DescriptorKind::Packages,
    DescriptorKind::EventBuffer,
];

/// The bit of a descriptor in `auditToken`, the first in the most significant place.
fn audit_bit(kind: DescriptorKind) -> u32 {
    AUDIT_TOKENS.iter().position(|token| *token == kind).map_or(0, |at| 1 << (31 - at))
}

/// Reads a message and keeps every transaction that can be read.
///
/// # Errors
/// When the message as a whole cannot be read; sender and version are kept as far as they could be.
pub fn parse(input: &[u8], naming: &Naming) -> Result<Parsed, MessageError> {
    parse::message(input, naming)
}

/// Reads a message in which everything must be right.
///
/// # Errors
/// The first error, wherever it stands.
pub fn parse_strictly(input: &[u8], naming: &Naming) -> Result<Message, SyntaxError> {
    let parsed = parse(input, naming).map_err(|refused| refused.error)?;
    parsed.complete().map_err(|broken| broken.error)
}

/// What kept a message from being written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no binary form for {0}")]
pub struct PrintError(String);

/// Writes a message. The octets may hold keys; they wipe themselves when dropped.
///
/// # Errors
/// For what Annex A has no form for, such as a TerminationID that is no `ip/<group>/<interface>/<id>` or a name that is in no registry.
/// What [`parse()`] read can always be written.
pub fn print(message: &Message, naming: &Naming) -> Result<Zeroizing<Vec<u8>>, PrintError> {
    print::message(message, naming).map_err(PrintError)
}
