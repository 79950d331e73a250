//! STUN messages (RFC 8489) as connectivity checks use them (RFC 8445 section 7): read as a view that was checked once, written into a
//! buffer of the caller's. The integrity of a message is an HMAC-SHA1 under a short-term password (RFC 8489 section 9.1); its key is set up
//! once per password ([`IntegrityKey`]), so that a check costs no allocation.
//!
//! ```text
//! |0 0|     message type (14)     |        message length         |
//! |                         magic cookie                          |
//! |                    transaction id (96 bits)                   |
//! |  attribute type               |  length       | value, padded to 4 ...
//! ```

mod writer;

pub use writer::Writer;

use super::{u16_at, u32_at};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// What stands in bytes 4 to 8 of every message.
pub const MAGIC_COOKIE: u32 = 0x2112_a442;
/// Before the attributes.
pub const HEADER_BYTES: usize = 20;
const ATTRIBUTE_HEADER_BYTES: usize = 4;
const INTEGRITY_BYTES: usize = 20;
const FINGERPRINT_BYTES: usize = 4;
/// What the CRC of a fingerprint is mixed with (RFC 8489 section 14.7).
const FINGERPRINT_XOR: u32 = 0x5354_554e;
/// Attributes from here on may be ignored by who does not know them.
const COMPREHENSION_OPTIONAL: u16 = 0x8000;

/// Whether a datagram has the magic cookie in its place: enough to tell it from what only begins like STUN.
pub fn has_cookie(datagram: &[u8]) -> bool {
    u32_at(datagram, 4) == Some(MAGIC_COOKIE)
}

/// Attribute types (RFC 8489 section 18.3, RFC 8445 section 16.1).
pub mod attribute {
    /// USERNAME.
    pub const USERNAME: u16 = 0x0006;
    /// MESSAGE-INTEGRITY.
    pub const MESSAGE_INTEGRITY: u16 = 0x0008;
    /// ERROR-CODE.
    pub const ERROR_CODE: u16 = 0x0009;
    /// UNKNOWN-ATTRIBUTES.
    pub const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
    /// MESSAGE-INTEGRITY-SHA256.
    pub const MESSAGE_INTEGRITY_SHA256: u16 = 0x001c;
    /// XOR-MAPPED-ADDRESS.
    pub const XOR_MAPPED_ADDRESS: u16 = 0x0020;
    /// PRIORITY.
    pub const PRIORITY: u16 = 0x0024;
    /// USE-CANDIDATE.
    pub const USE_CANDIDATE: u16 = 0x0025;
    /// FINGERPRINT.
    pub const FINGERPRINT: u16 = 0x8028;
    /// ICE-CONTROLLED.
    pub const ICE_CONTROLLED: u16 = 0x8029;
    /// ICE-CONTROLLING.
    pub const ICE_CONTROLLING: u16 = 0x802a;
}

/// Message types of the one method of connectivity checks, Binding (RFC 8489 section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageType {
    /// 0x0001.
    BindingRequest,
    /// 0x0011.
    BindingIndication,
    /// 0x0101.
    BindingSuccess,
    /// 0x0111.
    BindingError,
    /// Any other.
    Other(u16),
}

impl MessageType {
    const fn from_bits(bits: u16) -> Self {
        match bits {
            0x0001 => Self::BindingRequest,
            0x0011 => Self::BindingIndication,
            0x0101 => Self::BindingSuccess,
            0x0111 => Self::BindingError,
            other => Self::Other(other),
        }
    }

    const fn bits(self) -> u16 {
        match self {
            Self::BindingRequest => 0x0001,
            Self::BindingIndication => 0x0011,
            Self::BindingSuccess => 0x0101,
            Self::BindingError => 0x0111,
            Self::Other(bits) => bits,
        }
    }
}

/// The number that a request and its response share.
pub type TransactionId = [u8; 12];

/// A password made ready. Never shown.
#[derive(Clone)]
pub struct IntegrityKey(Hmac<Sha1>);

impl IntegrityKey {
    /// Of a short-term password, which ICE restricts to characters that need no preparation (RFC 8445 section 5.3).
    pub fn new(password: &str) -> Self {
        // HMAC takes keys of any length; the default stands for an error that cannot be.
        Self(Hmac::new_from_slice(password.as_bytes()).unwrap_or_else(|_| Hmac::new(&Default::default())))
    }

    fn tag(&self, parts: [&[u8]; 3]) -> Hmac<Sha1> {
        parts.into_iter().fold(self.0.clone(), Mac::chain_update)
    }
}

impl fmt::Debug for IntegrityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IntegrityKey(redacted)")
    }
}

/// A whole message whose attributes fit it exactly.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a>(&'a [u8]);

impl<'a> Message<'a> {
    /// Checks header and attributes, and the fingerprint where there is one; `None` when the datagram is anything else than one message.
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let type_bits = u16_at(datagram, 0)?;
        let length = usize::from(u16_at(datagram, 2)?);
        let is_stun = type_bits & 0xc000 == 0 && u32_at(datagram, 4)? == MAGIC_COOKIE;
        if !is_stun || length % 4 != 0 || datagram.len() != HEADER_BYTES + length {
            return None;
        }
        let mut rest = &datagram[HEADER_BYTES..];
        while !rest.is_empty() {
            rest = split_attribute(rest)?.1;
        }
        let message = Self(datagram);
        message.fingerprint_is_right().then_some(message)
    }

    /// What it is.
    pub fn message_type(self) -> MessageType {
        MessageType::from_bits(u16_at(self.0, 0).unwrap_or(0))
    }

    /// Its number.
    pub fn transaction(self) -> TransactionId {
        self.0[8..HEADER_BYTES].try_into().unwrap_or_default()
    }

    /// Its attributes in order, as type and value without padding. What follows the integrity is not vouched for
    /// (RFC 8489 section 14.5) and is left out.
    pub fn attributes(self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let mut sealed = false;
        self.all_attributes().map(|(_, kind, value)| (kind, value)).take_while(move |(kind, _)| {
            let before = sealed;
            sealed |= *kind == attribute::MESSAGE_INTEGRITY;
            !before
        })
    }

    /// The value of the first attribute of this type.
    pub fn attribute(self, kind: u16) -> Option<&'a [u8]> {
        self.attributes().find(|(found, _)| *found == kind).map(|(_, value)| value)
    }

    /// PRIORITY.
    pub fn priority(self) -> Option<u32> {
        self.attribute(attribute::PRIORITY).and_then(|value| value.try_into().ok()).map(u32::from_be_bytes)
    }

    /// XOR-MAPPED-ADDRESS.
    pub fn mapped_address(self) -> Option<SocketAddr> {
        let value = self.attribute(attribute::XOR_MAPPED_ADDRESS)?;
        let port = u16_at(value, 2)? ^ (MAGIC_COOKIE >> 16) as u16;
        let ip = match (value.get(1)?, value.get(4..)?) {
            (1, octets) => {
                let bits: [u8; 4] = octets.try_into().ok()?;
                IpAddr::V4(Ipv4Addr::from(u32::from_be_bytes(bits) ^ MAGIC_COOKIE))
            }
            (2, octets) => {
                let bits: [u8; 16] = octets.try_into().ok()?;
                IpAddr::V6(Ipv6Addr::from(u128::from_be_bytes(bits) ^ ipv6_mask(self.transaction())))
            }
            _ => return None,
        };
        Some(SocketAddr::new(ip, port))
    }

    /// ERROR-CODE, 300 to 699.
    pub fn error_code(self) -> Option<u16> {
        let value = self.attribute(attribute::ERROR_CODE)?;
        Some(u16::from(value.get(2)? & 7) * 100 + u16::from(*value.get(3)?))
    }

    /// Whether MESSAGE-INTEGRITY is there and right. Takes the same time wherever it is wrong.
    pub fn is_from_who_knows(self, key: &IntegrityKey) -> bool {
        let found = self.all_attributes().find(|(_, kind, _)| *kind == attribute::MESSAGE_INTEGRITY);
        let Some((at, _, tag)) = found else { return false };
        // The length covers the integrity and nothing after it (RFC 8489 section 14.5).
        let length = (at + ATTRIBUTE_HEADER_BYTES + INTEGRITY_BYTES - HEADER_BYTES) as u16;
        let mac = key.tag([&self.0[..2], &length.to_be_bytes(), &self.0[4..at]]);
        mac.verify_slice(tag).is_ok()
    }

    /// Attributes that must be understood and are none of `known`.
    pub fn unknown<'k>(self, known: &'k [u16]) -> impl Iterator<Item = u16> + use<'a, 'k> {
        self.attributes()
            .map(|(kind, _)| kind)
            .filter(|kind| *kind < COMPREHENSION_OPTIONAL && !known.contains(kind))
    }

    fn fingerprint_is_right(self) -> bool {
        let Some((at, _, value)) = self.all_attributes().find(|(_, kind, _)| *kind == attribute::FINGERPRINT)
        else {
            return true;
        };
        let is_last = at + ATTRIBUTE_HEADER_BYTES + FINGERPRINT_BYTES == self.0.len();
        is_last && value == (crc32fast::hash(&self.0[..at]) ^ FINGERPRINT_XOR).to_be_bytes()
    }

    /// Where each attribute begins, its type and its value.
    fn all_attributes(self) -> impl Iterator<Item = (usize, u16, &'a [u8])> {
        let whole = self.0;
        let mut rest = &whole[HEADER_BYTES..];
        std::iter::from_fn(move || {
            let at = whole.len() - rest.len();
            let ((kind, value), after) = split_attribute(rest)?;
            rest = after;
            Some((at, kind, value))
        })
    }
}

/// Type and value of an attribute.
type Attribute<'a> = (u16, &'a [u8]);

/// The first attribute, and what follows its padding.
fn split_attribute(bytes: &[u8]) -> Option<(Attribute<'_>, &[u8])> {
    let kind = u16_at(bytes, 0)?;
    let length = usize::from(u16_at(bytes, 2)?);
    let value = bytes.get(ATTRIBUTE_HEADER_BYTES..ATTRIBUTE_HEADER_BYTES + length)?;
    let rest = bytes.get(ATTRIBUTE_HEADER_BYTES + length.next_multiple_of(4)..)?;
    Some(((kind, value), rest))
}

fn ipv6_mask(transaction: TransactionId) -> u128 {
    let mut mask = [0; 16];
    mask[..4].copy_from_slice(&MAGIC_COOKIE.to_be_bytes());
    mask[4..].copy_from_slice(&transaction);
    u128::from_be_bytes(mask)
}

#[cfg(test)]
mod tests;
