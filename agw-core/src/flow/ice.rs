//! ICE-lite at one port (RFC 8445, RFC 8839): connectivity checks are answered, never sent. A check that proves knowledge of our password
//! is the only thing from which an address is ever taken (DTLS-5, RLY-2): a pair is *valid* once a check has come from it, *selected* when a check
//! nominates it. The last nomination counts: browsers facing a lite agent nominate only the pair that they use, and move so.
//!
//! What does not authenticate is dropped and counted, not answered (RFC 8489 section 9.1.3 would answer it with an error): a peer of ours
//! knows the password, and nobody else shall make us send. Consent (RFC 7675) is the peer's to renew, by checks on the selected pair; that it did
//! not is told once per loss.

use crate::io::Now;
use crate::wire::stun::{IntegrityKey, Message, MessageType, Writer, attribute};
use arrayvec::ArrayVec;
use std::net::SocketAddr;

/// The most addresses of one peer that are kept as valid. One more replaces the one that was silent for longest, never the selected one.
pub const MAX_VALID_PAIRS: usize = 16;
/// How long consent lasts without being renewed (RFC 7675 section 5.1).
pub const CONSENT_MS: u64 = 30_000;
/// The longest user fragment (RFC 8839 section 5.4).
pub const MAX_UFRAG_BYTES: usize = 256;

const ROLE_CONFLICT: u16 = 487;
const UNKNOWN_ATTRIBUTE: u16 = 420;
/// What a check may hold that must be understood.
const UNDERSTOOD: [u16; 5] = [
    attribute::USERNAME,
    attribute::MESSAGE_INTEGRITY,
    attribute::MESSAGE_INTEGRITY_SHA256,
    attribute::PRIORITY,
    attribute::USE_CANDIDATE,
];
/// The most unknown attributes that an error names.
const MAX_UNKNOWN_NAMED: usize = 8;

/// What a peer has to know to be ours: our fragment and password, and its own fragment once the controller has told it.
#[derive(Debug, Clone)]
pub struct IceCredentials {
    own_ufrag: Box<str>,
    key: IntegrityKey,
    peer_ufrag: Option<Box<str>>,
}

impl IceCredentials {
    /// Of our fragment and password (RFC 8445 section 5.3).
    pub fn new(own_ufrag: &str, own_password: &str, peer_ufrag: Option<&str>) -> Self {
        Self {
            own_ufrag: own_ufrag.into(),
            key: IntegrityKey::new(own_password),
            peer_ufrag: peer_ufrag.map(Into::into),
        }
    }

    /// The controller has told the peer's fragment.
    pub fn set_peer_ufrag(&mut self, peer_ufrag: &str) {
        self.peer_ufrag = Some(peer_ufrag.into());
    }

    /// USERNAME is our fragment, a colon, the peer's (RFC 8445 section 7.2.2).
    fn vouch_for(&self, message: Message<'_>) -> bool {
        let Some(username) = message.attribute(attribute::USERNAME) else { return false };
        let Some(colon) = username.iter().position(|byte| *byte == b':') else { return false };
        let (own, peer) = (&username[..colon], &username[colon + 1..]);
        own == self.own_ufrag.as_bytes()
            && self.peer_ufrag.as_ref().is_none_or(|expected| peer == expected.as_bytes())
            && message.is_from_who_knows(&self.key)
    }
}

/// What became of a datagram that was named STUN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    /// A check from a peer that is ours: the answer, of so many bytes, is to go back to where it came from.
    Answer {
        /// Bytes of the answer.
        len: usize,
        /// What the check changed.
        change: Change,
    },
    /// Sound, and nothing is to be said (an indication, a late response).
    Silent,
    /// Not a message of STUN.
    Malformed,
    /// Not from a peer that is ours.
    Stranger,
}

/// What a check has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing but that the pair has been heard of again.
    None,
    /// The address is valid from now on.
    Validated,
    /// The address has been nominated: media go there from now on.
    Selected,
}

#[derive(Debug, Clone, Copy)]
struct Pair {
    peer: SocketAddr,
    heard: Now,
}

/// The lite agent of one port.
#[derive(Debug)]
pub struct IceLite {
    credentials: IceCredentials,
    /// Those before a restart: good until a pair is nominated under the new ones (RFC 8445 section 9).
    former: Option<IceCredentials>,
    valid: ArrayVec<Pair, MAX_VALID_PAIRS>,
    selected: Option<SocketAddr>,
    /// When consent was last renewed; `None`: nothing selected, or its loss has been told.
    consented: Option<Now>,
}

impl IceLite {
    /// An agent that has heard of nobody.
    pub fn new(credentials: IceCredentials) -> Self {
        Self { credentials, former: None, valid: ArrayVec::new(), selected: None, consented: None }
    }

    /// The peer's fragment has been told, for the running credentials.
    pub fn set_peer_ufrag(&mut self, peer_ufrag: &str) {
        self.credentials.set_peer_ufrag(peer_ufrag);
    }

    /// ICE is restarted: from now on checks are expected under new credentials. Media go on as before until one of them nominates a pair.
    pub fn restart(&mut self, credentials: IceCredentials) {
        self.former = Some(std::mem::replace(&mut self.credentials, credentials));
    }

    /// Where media go: the nominated address, or the first valid one while none has been nominated (RFC 8445 section 12.1).
    pub fn destination(&self) -> Option<SocketAddr> {
        self.selected.or_else(|| self.valid.first().map(|pair| pair.peer))
    }

    /// The nominated address.
    pub const fn selected(&self) -> Option<SocketAddr> {
        self.selected
    }

    /// Whether a pair was selected and its consent has been lost, so that nothing may be sent (RFC 7675 section 5.1).
    pub const fn has_lost_consent(&self) -> bool {
        self.selected.is_some() && self.consented.is_none()
    }

    /// Whether a check has come from this address, so that DTLS and media may too.
    pub fn vouches_for(&self, source: SocketAddr) -> bool {
        self.valid.iter().any(|pair| pair.peer == source)
    }

    /// A datagram named STUN has come from `source`, in the first `len` bytes of `buffer`. Its answer is written over it.
    pub fn handle(&mut self, buffer: &mut [u8], len: usize, source: SocketAddr, now: Now) -> Checked {
        let Some(message) = buffer.get(..len).and_then(Message::parse) else { return Checked::Malformed };
        match message.message_type() {
            MessageType::BindingRequest => {}
            // Keep-alives of RFC 8445 section 11 need no answer and prove nothing.
            MessageType::BindingIndication => return Checked::Silent,
            _ => return Checked::Stranger,
        }
        let is_current = self.credentials.vouch_for(message);
        let former = self.former.as_ref().filter(|former| !is_current && former.vouch_for(message));
        if !is_current && former.is_none() {
            return Checked::Stranger;
        }
        let key = former.map_or(&self.credentials.key, |former| &former.key).clone();
        let transaction = message.transaction();
        let unknown: ArrayVec<u8, { 2 * MAX_UNKNOWN_NAMED }> =
            message.unknown(&UNDERSTOOD).take(MAX_UNKNOWN_NAMED).flat_map(u16::to_be_bytes).collect();
        let is_controlled = message.attribute(attribute::ICE_CONTROLLED).is_some();
        let nominates = message.attribute(attribute::USE_CANDIDATE).is_some();

        let refused = !unknown.is_empty() || is_controlled;
        let kind = if refused { MessageType::BindingError } else { MessageType::BindingSuccess };
        let mut answer = Writer::new(buffer, kind, transaction);
        if !unknown.is_empty() {
            answer.error_code(UNKNOWN_ATTRIBUTE, "Unknown Attribute");
            answer.attribute(attribute::UNKNOWN_ATTRIBUTES, &unknown);
        } else if is_controlled {
            // A lite agent is controlled whenever its peer is not lite (RFC 8445 section 6.1.1), so the peer has to change its mind.
            answer.error_code(ROLE_CONFLICT, "Role Conflict");
        } else {
            answer.mapped_address(source, transaction);
        }
        answer.integrity(&key);
        let Some(len) = answer.finish() else { return Checked::Malformed };
        let change = if refused { Change::None } else { self.heard(source, nominates, is_current, now) };
        Checked::Answer { len, change }
    }

    /// Whether consent has been lost since this was last asked: told once, and again after it has come back and gone.
    pub fn take_consent_loss(&mut self, now: Now) -> bool {
        let lost =
            self.consented.is_some_and(|at| now.as_millis().saturating_sub(at.as_millis()) >= CONSENT_MS);
        if lost {
            self.consented = None;
        }
        lost
    }

    fn heard(&mut self, source: SocketAddr, nominates: bool, is_current: bool, now: Now) -> Change {
        let is_new = match self.valid.iter_mut().find(|pair| pair.peer == source) {
            Some(pair) => {
                pair.heard = now;
                false
            }
            None => {
                self.remember(Pair { peer: source, heard: now });
                true
            }
        };
        // What was nominated before a restart is not changed under the former credentials.
        let may_nominate = is_current || self.former.is_none();
        if nominates && may_nominate && self.selected != Some(source) {
            self.selected = Some(source);
            self.consented = Some(now);
            self.former = None;
            return Change::Selected;
        }
        if self.selected == Some(source) {
            self.consented = Some(now);
            if nominates && is_current {
                self.former = None;
            }
        }
        if is_new { Change::Validated } else { Change::None }
    }

    fn remember(&mut self, pair: Pair) {
        if self.valid.is_full() {
            let selected = self.selected;
            let places = self.valid.iter().enumerate().filter(|(_, pair)| Some(pair.peer) != selected);
            if let Some((stalest, _)) = places.min_by_key(|(_, pair)| pair.heard) {
                self.valid.remove(stalest);
            }
        }
        // There is room: at least one of the pairs was not the selected one.
        let _ = self.valid.try_push(pair);
    }
}

#[cfg(test)]
mod tests;
