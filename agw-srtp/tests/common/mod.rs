//! Packets and sessions for the tests of this crate.
#![allow(dead_code, reason = "each test file uses its part")]

use agw_srtp::sdes::SessionParams;
use agw_srtp::{
    CryptoAttribute, Error, InboundSession, Kind, Lifetime, MasterKey, Mki, OutboundSession, Policy, Suite,
};

/// The room that the tests leave behind a packet.
pub(crate) const TAILROOM_BYTES: usize = 160;

/// A master key whose bytes all depend on `seed`.
pub(crate) fn master_key(suite: Suite, seed: u8) -> MasterKey {
    let bytes: Vec<u8> = (0..46_u8).map(|n| n.wrapping_mul(31) ^ seed).collect();
    let (key, rest) = bytes.split_at(suite.master_key_len());
    MasterKey::new(suite, key, &rest[..suite.master_salt_len()]).unwrap()
}

/// An attribute with one key and nothing else.
pub(crate) fn plain_attribute(suite: Suite) -> CryptoAttribute {
    CryptoAttribute::new(1, suite, [master_key(suite, 1)]).unwrap()
}

/// An attribute with one key and session parameters.
pub(crate) fn attribute_with(suite: Suite, params: SessionParams) -> CryptoAttribute {
    plain_attribute(suite).with_params(params).unwrap()
}

/// An attribute with a key of that lifetime.
pub(crate) fn short_lived(suite: Suite, lifetime: u64) -> CryptoAttribute {
    let key = master_key(suite, 1).with_lifetime(Lifetime::packets(lifetime).unwrap());
    CryptoAttribute::new(1, suite, [key]).unwrap()
}

/// An attribute with keys 1 to `count`, each with its number as MKI in a field of `mki_len` bytes.
pub(crate) fn attribute_with_mki(
    suite: Suite,
    count: u8,
    mki_len: usize,
    lifetime: Option<u64>,
) -> CryptoAttribute {
    let keys = (1..=count).map(|number| {
        let key = master_key(suite, number).with_mki(Mki::new(number.into(), mki_len).unwrap());
        match lifetime {
            Some(packets) => key.with_lifetime(Lifetime::packets(packets).unwrap()),
            None => key,
        }
    });
    CryptoAttribute::new(1, suite, keys).unwrap()
}

/// Both ends of one direction.
pub(crate) fn pair(attribute: &CryptoAttribute, policy: &Policy) -> (OutboundSession, InboundSession) {
    (OutboundSession::new(attribute, policy).unwrap(), InboundSession::new(attribute, policy).unwrap())
}

/// Both ends of one direction under the default policy.
pub(crate) fn default_pair(suite: Suite) -> (OutboundSession, InboundSession) {
    pair(&plain_attribute(suite), &Policy::default())
}

/// An RTP packet.
pub(crate) fn rtp(ssrc: u32, sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 8];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

/// A sender report with that many bytes behind the SSRC.
pub(crate) fn rtcp(ssrc: u32, rest: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 200, 0, 6];
    packet.extend_from_slice(&ssrc.to_be_bytes());
    packet.extend_from_slice(rest);
    packet
}

/// Protects a packet and gives what goes on the wire; what lies behind it must be as it was.
pub(crate) fn protect(session: &mut OutboundSession, kind: Kind, packet: &[u8]) -> Result<Vec<u8>, Error> {
    let mut slot = packet.to_vec();
    slot.resize(packet.len() + TAILROOM_BYTES, 0xff);
    let len = match kind {
        Kind::Rtp => session.protect_rtp(&mut slot, packet.len(), 0)?,
        Kind::Rtcp => session.protect_rtcp(&mut slot, packet.len(), 0)?,
    };
    assert!(slot[len..].iter().all(|byte| *byte == 0xff), "written behind the packet");
    slot.truncate(len);
    Ok(slot)
}

/// Unprotects a packet; a refused one must be as it was unless its tag was right.
pub(crate) fn unprotect(
    session: &mut InboundSession,
    kind: Kind,
    wire: &[u8],
    now_ms: u64,
) -> Result<Vec<u8>, Error> {
    let mut slot = wire.to_vec();
    let result = match kind {
        Kind::Rtp => session.unprotect_rtp(&mut slot, wire.len(), now_ms),
        Kind::Rtcp => session.unprotect_rtcp(&mut slot, wire.len(), now_ms),
    };
    if result == Err(Error::AuthFailed) {
        assert_eq!(slot, wire, "a packet that fails is left alone");
    }
    slot.truncate(result?);
    Ok(slot)
}

/// The bytes of a hexadecimal text.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    text.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
