//! SDES keys on their way to sessions: local policy is asked, what was given before is not changed (SRTP-9), and a session is made.
//! The control half keeps no key: of each attribute that was taken it remembers a digest, enough to tell the same one from a
//! different one, and the name of the suite (SRTP-12).

use super::config::SrtpRules;
use crate::command::Refusal;
use crate::model::{CryptoAttribute, Direction, Security, StreamId};
use agw_srtp::PolicyError;
use agw_srtp::Suite;
use agw_srtp::{InboundSession, OutboundSession};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What is remembered of a crypto attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyMark {
    digest: [u8; 32],
    pub(super) suite: Suite,
}

impl KeyMark {
    fn of(attribute: &CryptoAttribute) -> Self {
        let text = Zeroizing::new(attribute.print());
        Self { digest: Sha256::digest(text.as_bytes()).into(), suite: attribute.suite() }
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
