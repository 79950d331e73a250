//! Writes a message into a buffer of the caller's. What does not fit is not written, and then there is no message.

use super::{
    ATTRIBUTE_HEADER_BYTES, FINGERPRINT_BYTES, FINGERPRINT_XOR, HEADER_BYTES, INTEGRITY_BYTES, IntegrityKey,
    MAGIC_COOKIE, MessageType, TransactionId, attribute, ipv6_mask,
};
use hmac::Mac;
use std::net::{IpAddr, SocketAddr};

/// A message under way.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    len: usize,
    /// Something did not fit.
    overflowed: bool,
}

impl<'a> Writer<'a> {
    /// Begins a message at the start of the buffer.
    pub fn new(buffer: &'a mut [u8], message: MessageType, transaction: TransactionId) -> Self {
        let mut writer = Self { buffer, len: 0, overflowed: false };
        writer.put(&message.bits().to_be_bytes());
        writer.put(&[0; 2]);
        writer.put(&MAGIC_COOKIE.to_be_bytes());
        writer.put(&transaction);
        writer
    }

    /// Adds an attribute, padded with zeros.
    pub fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.attribute_of(kind, value.len(), |writer| writer.put(value));
    }

    /// Adds XOR-MAPPED-ADDRESS.
    pub fn mapped_address(&mut self, address: SocketAddr, transaction: TransactionId) {
        let port = (address.port() ^ (MAGIC_COOKIE >> 16) as u16).to_be_bytes();
        match address.ip() {
            IpAddr::V4(ip) => self.attribute_of(attribute::XOR_MAPPED_ADDRESS, 8, |writer| {
                writer.put(&[0, 1, port[0], port[1]]);
                writer.put(&(ip.to_bits() ^ MAGIC_COOKIE).to_be_bytes());
            }),
            IpAddr::V6(ip) => self.attribute_of(attribute::XOR_MAPPED_ADDRESS, 20, |writer| {
                writer.put(&[0, 2, port[0], port[1]]);
                writer.put(&(ip.to_bits() ^ ipv6_mask(transaction)).to_be_bytes());
            }),
        }
    }

    /// Adds ERROR-CODE with its phrase; `code` from 300 to 699.
    pub fn error_code(&mut self, code: u16, phrase: &str) {
        self.attribute_of(attribute::ERROR_CODE, 4 + phrase.len(), |writer| {
            writer.put(&[0, 0, (code / 100) as u8, (code % 100) as u8]);
            writer.put(phrase.as_bytes());
        });
    }

    /// Adds MESSAGE-INTEGRITY over what is there so far.
    pub fn integrity(&mut self, key: &IntegrityKey) {
        self.set_length(ATTRIBUTE_HEADER_BYTES + INTEGRITY_BYTES);
        let tag = key.tag([&self.buffer[..self.len], &[], &[]]).finalize().into_bytes();
        self.attribute(attribute::MESSAGE_INTEGRITY, &tag);
    }

    /// Adds FINGERPRINT over what is there so far, and ends the message: its length in bytes, or `None` when it did not fit.
    pub fn finish(mut self) -> Option<usize> {
        self.set_length(ATTRIBUTE_HEADER_BYTES + FINGERPRINT_BYTES);
        let crc = crc32fast::hash(&self.buffer[..self.len]) ^ FINGERPRINT_XOR;
        self.attribute(attribute::FINGERPRINT, &crc.to_be_bytes());
        (!self.overflowed).then_some(self.len)
    }

    fn attribute_of(&mut self, kind: u16, length: usize, value: impl FnOnce(&mut Self)) {
        self.put(&kind.to_be_bytes());
        self.put(&(length as u16).to_be_bytes());
        value(self);
        self.put(&[0; 3][..length.next_multiple_of(4) - length]);
    }

    /// Notes how long the message is with `more` bytes of attributes after those that are there.
    fn set_length(&mut self, more: usize) {
        let length = (self.len.saturating_sub(HEADER_BYTES) + more) as u16;
        if let Some(field) = self.buffer.get_mut(2..4) {
            field.copy_from_slice(&length.to_be_bytes());
        }
    }

    fn put(&mut self, bytes: &[u8]) {
        match self.buffer.get_mut(self.len..self.len + bytes.len()) {
            Some(place) if !self.overflowed => {
                place.copy_from_slice(bytes);
                self.len += bytes.len();
            }
            _ => self.overflowed = true,
        }
    }
}
