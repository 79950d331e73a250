//! SDES keys on their way to sessions: local policy is asked, what was given before is not changed (SRTP-9), and a session is made.
//! The control half keeps no key: of each attribute that was taken it remembers a digest, enough to tell the same one from a
//! different one, and the name of the suite (SRTP-12). The digest is of what the attribute means, not of how it was written: a
//! lifetime of `2^10` is one of `1024`. The tag is left out, since it only names the attribute in an offer (RFC 4568 section 4.1)
//! and changes nothing about the protection.

use super::config::SrtpRules;
use crate::command::Refusal;
use crate::model::{CryptoAttribute, Direction, Security, StreamId};
use agw_srtp::PolicyError;
use agw_srtp::Suite;
use agw_srtp::{InboundSession, Lifetime, MasterKey, Mki, OutboundSession};
use sha2::{Digest, Sha256};

/// What is remembered of a crypto attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyMark {
    digest: [u8; 32],
    pub(super) suite: Suite,
}

impl KeyMark {
    fn of(attribute: &CryptoAttribute) -> Self {
        let params = attribute.params();
        let mut hash = Sha256::new();
        // Every field is of fixed length or follows its length, so that no two meanings give the same octets.
        add_keys(&mut hash, attribute.keys());
        add_keys(&mut hash, attribute.fec_keys());
        hash.update([
            params.kdr.map_or(0, |kdr| kdr + 1),
            u8::from(params.unencrypted_srtp),
            u8::from(params.unencrypted_srtcp),
            u8::from(params.unauthenticated_srtp),
            params.fec_order.map_or(0, |order| order as u8 + 1),
        ]);
        hash.update(params.window_size_hint.map_or(0, |hint| u64::from(hint) + 1).to_be_bytes());
        Self { digest: hash.finalize().into(), suite: attribute.suite() }
    }
}

/// A lifetime that is not there is another than any that is: what is left out means one number for SRTP and one for SRTCP.
fn add_keys(hash: &mut Sha256, keys: &[MasterKey]) {
    hash.update((keys.len() as u64).to_be_bytes());
    for key in keys {
        for secret in [key.key(), key.salt()] {
            hash.update((secret.len() as u64).to_be_bytes());
            hash.update(secret);
        }
        hash.update(key.lifetime().map_or(0, Lifetime::count).to_be_bytes());
        hash.update(key.mki().map_or(0, Mki::value).to_be_bytes());
        hash.update([key.mki().map_or(0, |mki| mki.field_len() as u8)]);
    }
}

/// The keys that a stream has been given, by direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct KeyMarks {
    pub(super) inbound: Option<KeyMark>,
    pub(super) outbound: Option<KeyMark>,
}

impl KeyMarks {
    pub(super) fn any(&self) -> bool {
        self.inbound.is_some() || self.outbound.is_some()
    }
}

/// Sessions that a worker has yet to get.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    pub(super) inbound: Option<Box<InboundSession>>,
    pub(super) outbound: Option<Box<OutboundSession>>,
}

impl Sessions {
    pub(super) fn is_empty(&self) -> bool {
        self.inbound.is_none() && self.outbound.is_none()
    }

    /// Adds what has been made since. A key that was given is never changed, so at most one of the two has a session for a direction.
    pub(super) fn take_in(&mut self, newer: Self) {
        self.inbound = newer.inbound.or(self.inbound.take());
        self.outbound = newer.outbound.or(self.outbound.take());
    }
}

/// Makes sessions of the keys that a command brings to a stream that was given `held` before. Attributes that are not there are
/// left as they were, and so is one that is the same again (SRTP-8, SRTP-9).
pub(super) fn admit(
    rules: &SrtpRules,
    stream: StreamId,
    held: KeyMarks,
    given: &Security,
) -> Result<(KeyMarks, Sessions), Refusal> {
    let (mut marks, mut sessions) = (held, Sessions::default());
    let refuse = |error: PolicyError| Refusal::CryptoPolicy(stream, error.to_string());
    // Local is for what we send, Remote for what the peer sends (TS 33.328; SRTP-2).
    if let Some((attribute, mark)) =
        changed(rules, stream, Direction::Outbound, held.outbound, given.local.as_ref())?
    {
        marks.outbound = Some(mark);
        sessions.outbound = Some(Box::new(OutboundSession::new(attribute, &rules.policy).map_err(refuse)?));
    }
    if let Some((attribute, mark)) =
        changed(rules, stream, Direction::Inbound, held.inbound, given.remote.as_ref())?
    {
        marks.inbound = Some(mark);
        sessions.inbound = Some(Box::new(InboundSession::new(attribute, &rules.policy).map_err(refuse)?));
    }
    Ok((marks, sessions))
}

/// The attribute, if it is one that was not given before.
fn changed<'a>(
    rules: &SrtpRules,
    stream: StreamId,
    direction: Direction,
    held: Option<KeyMark>,
    given: Option<&'a CryptoAttribute>,
) -> Result<Option<(&'a CryptoAttribute, KeyMark)>, Refusal> {
    let Some(attribute) = given else { return Ok(None) };
    let mark = KeyMark::of(attribute);
    match held {
        Some(held) if held == mark => Ok(None),
        Some(_) => Err(Refusal::CryptoChanged(stream, direction)), // SRTP-9
        None if !rules.suites.contains(&attribute.suite()) => {
            let words = format!("crypto suite {} is not allowed by policy", attribute.suite());
            Err(Refusal::CryptoPolicy(stream, words))
        }
        None => Ok(Some((attribute, mark))),
    }
}
