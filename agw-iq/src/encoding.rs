//! Which encoding a message is in (H.248.1 section 11 and Annexes A and B).
//!
//! A socket or a connection carries one form, text or binary, as the registered ports 2944 and 2945 do (Annex D.1); what arrives there is
//! read in it, and answered in it. What the gateway says of its own accord is written as its controller's entry in the
//! configuration says, so the encoding of a control association follows its controller.

use crate::ast::Message;
use crate::errors::MessageError;
use crate::text::{self, Parsed, Style};
use crate::transport::MessageBytes;

/// What a socket or a connection carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Form {
    /// Annex B.
    #[default]
    Text,
    /// Annex A.
    Binary,
}

impl Form {
    /// The registered port of UDP, TCP and SCTP.
    pub const fn port(self) -> u16 {
        match self {
            Self::Text => 2944,
            Self::Binary => 2945,
        }
    }
}

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Text, in long or short tokens.
    Text(Style),
    /// ASN.1 in BER.
    Ber,
}

impl Encoding {
    /// What carries it.
    pub const fn form(self) -> Form {
        match self {
            Self::Text(_) => Form::Text,
            Self::Ber => Form::Binary,
        }
    }
}

impl Form {
    /// Reads a message and keeps every transaction that can be read.
    ///
    /// # Errors
    /// The message cannot be read as a whole.
    pub fn parse(self, message: &[u8]) -> Result<Parsed, MessageError> {
        match self {
            Self::Text => text::parse(message),
            Self::Binary => Err(MessageError { error: no_binary(), version: None, mid: None }),
        }
    }
}

fn no_binary() -> crate::errors::SyntaxError {
    let code = crate::errors::ErrorCode::NOT_IMPLEMENTED;
    crate::errors::SyntaxError {
        code,
        place: crate::errors::Place::Octet(0),
        what: "the binary encoding".into(),
    }
}

impl Encoding {
    /// Writes a message; `None` when the encoding has no place for it.
    pub fn print(self, message: &Message) -> Option<MessageBytes> {
        match self {
            Self::Text(style) => Some(MessageBytes::from(text::print(message, style))),
            Self::Ber => None,
        }
    }
}
