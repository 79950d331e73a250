//! Which encoding a message is in (H.248.1 section 11 and Annexes A and B).
//!
//! A socket or a connection carries one form, text or binary, as the registered ports 2944 and 2945 do (Annex D.1); what arrives there is
//! read in it, and answered in it. What the gateway says of its own accord is written as its controller's entry in the
//! configuration says, so the encoding of a control association follows its controller.

use crate::ast::Message;
use crate::ber::{self, Naming, PrintError};
use crate::codec::Parsed;
use crate::errors::MessageError;
use crate::text::{self, Style};
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
    Ber {
        /// The length of TerminationIDs, where the peer has shown its own.
        id_octets: Option<u8>,
    },
}

impl Encoding {
    /// BER for a peer that has shown nothing yet.
    pub const BER: Self = Self::Ber { id_octets: None };

    /// What carries it.
    pub const fn form(self) -> Form {
        match self {
            Self::Text(_) => Form::Text,
            Self::Ber { .. } => Form::Binary,
        }
    }

    /// Writes a message.
    ///
    /// # Errors
    /// Annex A has no place for something in it.
    pub fn print(self, message: &Message, naming: &Naming) -> Result<MessageBytes, PrintError> {
        match self {
            Self::Text(style) => Ok(MessageBytes::from(text::print(message, style))),
            Self::Ber { id_octets } => {
                let naming = naming.clone().with_id_octets(id_octets);
                ber::print(message, &naming).map(MessageBytes::from)
            }
        }
    }
}

impl Form {
    /// Reads a message and keeps every transaction that can be read.
    ///
    /// # Errors
    /// The message cannot be read as a whole.
    pub fn parse(self, message: &[u8], naming: &Naming) -> Result<Parsed, MessageError> {
        match self {
            Self::Text => text::parse(message),
            Self::Binary => ber::parse(message, naming),
        }
    }
}
