//! Sessions: the SRTP state of one direction of one media stream, and the keys that both directions hold alike.
//!
//! A session is made from what was negotiated and what is allowed, once; its keys are expanded then and its tables have
//! their full size. Several master keys are told apart by MKI (SRTP-7), each counted against its lifetime (SRTP-6).

mod inbound;
mod outbound;

pub use inbound::InboundSession;
pub use outbound::OutboundSession;

use crate::cipher::{Frame, SessionKeys, outcome};
use crate::error::Error;
use crate::job::{Direction, Job, Kind, Outcome};
use crate::keys::{KeyUse, LifetimeState, MAX_MKI_BYTES, MasterKey, Mki};
use crate::policy::{Policy, PolicyError};
use crate::profile::{Family, Suite};
use crate::sdes::CryptoAttribute;

/// The most bytes that protection adds: tag, SRTCP word, and the longest MKI.
pub const MAX_OVERHEAD_BYTES: usize = 16 + SRTCP_WORD_BYTES + MAX_MKI_BYTES;

/// E flag and index.
const SRTCP_WORD_BYTES: usize = 4;

/// The keys of a session: what a run borrows. They are wiped when the session ends.
pub struct Keys {
    suite: Suite,
    /// Key derivation rate as a power of two; 0 derives once.
    kdr: u8,
    encrypt: [bool; 2],
    /// Bytes of the tag of RTP and RTCP.
    tag_len: [u8; 2],
    mki_len: u8,
    masters: Box<[Master]>,
}

/// One master key with its session keys and its use.
struct Master {
    secret: MasterKey,
    used: KeyUse,
    sessions: [KindKeys; 2],
}

/// The session keys of one kind of packet, for the epoch that was last seen.
struct KindKeys {
    epoch: u64,
    keys: SessionKeys,
}

impl KindKeys {
    fn derive(suite: Suite, secret: &MasterKey, kind: Kind) -> KindKeys {
        KindKeys { epoch: 0, keys: SessionKeys::derive(suite, secret, kind, 0) }
    }
}

impl Keys {
    fn new(attribute: &CryptoAttribute, policy: &Policy) -> Result<Keys, PolicyError> {
        policy.validate()?;
        let params = attribute.params();
        // SRTP-5
        if (params.unencrypted_srtp || params.unencrypted_srtcp) && !policy.allow_null {
            return Err(PolicyError::NullEncryption);
        }
        // SRTP-4: RTCP always has a tag, RTP unless both sides agreed otherwise.
        if params.unauthenticated_srtp && !policy.allow_unauthenticated {
            return Err(PolicyError::Unauthenticated);
        }
        let suite = attribute.suite();
        let master = |secret: &MasterKey| Master {
            sessions: [Kind::Rtp, Kind::Rtcp].map(|kind| KindKeys::derive(suite, secret, kind)),
            used: KeyUse::new(suite, secret),
            secret: secret.clone(),
        };
        let rtp_tag_len = if params.unauthenticated_srtp { 0 } else { suite.rtp_tag_len() };
        Ok(Keys {
            suite,
            kdr: params.kdr.unwrap_or(0),
            encrypt: [!params.unencrypted_srtp, !params.unencrypted_srtcp],
            tag_len: [rtp_tag_len as u8, suite.rtcp_tag_len() as u8],
            mki_len: attribute.keys().first().and_then(MasterKey::mki).map_or(0, Mki::field_len) as u8,
            masters: attribute.keys().iter().map(master).collect(),
        })
    }

    /// Bytes that protection adds to a packet of this kind.
    fn overhead(&self, kind: Kind) -> usize {
        let word = match kind {
            Kind::Rtp => 0,
            Kind::Rtcp => SRTCP_WORD_BYTES,
        };
        self.tag_len(kind) + word + usize::from(self.mki_len)
    }

    fn tag_len(&self, kind: Kind) -> usize {
        usize::from(self.tag_len[kind as usize])
    }

    /// Where the MKI stands in a packet of `wire_len` bytes: before the tag, but with GCM at the very end.
    fn mki_at(&self, kind: Kind, wire_len: usize) -> usize {
        let after = if self.suite.family() == Family::Gcm { 0 } else { self.tag_len(kind) };
        wire_len - after - usize::from(self.mki_len)
    }

    /// Where the SRTCP word stands: directly before the MKI, with either family.
    fn srtcp_word_at(&self, wire_len: usize) -> usize {
        self.mki_at(Kind::Rtcp, wire_len) - SRTCP_WORD_BYTES
    }

    /// The master key that a received packet names (SRTP-7), unless it is used up (SRTP-6).
    fn select(&self, kind: Kind, packet: &[u8]) -> Result<u8, Error> {
        let at = self.mki_at(kind, packet.len());
        let field = &packet[at..at + usize::from(self.mki_len)];
        let named = |master: &Master| master.secret.mki().is_none_or(|mki| mki.matches(field));
        let place = self.masters.iter().position(named).ok_or(Error::UnknownMki)?;
        if self.masters[place].used.is_ended() {
            return Err(Error::KeyExpired);
        }
        Ok(place as u8)
    }

    /// The first master key whose lifetime is not over.
    fn first_alive(&self) -> Option<u8> {
        self.masters.iter().position(|master| !master.used.is_ended()).map(|place| place as u8)
    }

    /// Counts one packet under a key, unless its lifetime is over (SRTP-6).
    fn count(&mut self, key: u8, kind: Kind) -> Result<(), Error> {
        let used = &mut self.masters[usize::from(key)].used;
        if used.is_ended() {
            return Err(Error::KeyExpired);
        }
        match kind {
            Kind::Rtp => used.rtp_packets += 1,
            Kind::Rtcp => used.rtcp_packets += 1,
        }
        Ok(())
    }

    fn epoch(&self, index: u64) -> u64 {
        if self.kdr == 0 { 0 } else { index >> self.kdr }
    }

    /// Does one job; `slot` is exactly as long as the protected packet.
    pub(crate) fn run(&self, job: &mut Job, slot: &mut [u8]) -> Outcome {
        if job.direction == Direction::Outbound && job.kind == Kind::Rtp {
            // The number differs from the sender's only after it started over (SRTP-13).
            slot[2..4].copy_from_slice(&job.sequence.to_be_bytes());
        }
        let mut result = match job.stale {
            Some(_) => Outcome::AuthFailed,
            None => self.run_at_index(job, slot),
        };
        // SRTP-14
        if result == Outcome::AuthFailed && job.try_restart {
            let restarted = Job { index: u64::from(job.sequence), ..*job };
            result = self.run_at_index(&restarted, slot);
            if result == Outcome::Done {
                *job = restarted;
                result = Outcome::DoneAtRestart;
            }
        }
        result
    }

    fn run_at_index(&self, job: &Job, slot: &mut [u8]) -> Outcome {
        let Some(master) = self.masters.get(usize::from(job.key)) else { return Outcome::AuthFailed };
        let frame = Frame { job, tag_len: self.tag_len(job.kind), mki: master.secret.mki() };
        let session = &master.sessions[job.kind as usize];
        let epoch = self.epoch(job.index);
        outcome(if epoch == session.epoch {
            session.keys.run(&frame, slot)
        } else {
            session.keys.run_in_epoch(self.suite, &master.secret, epoch, &frame, slot)
        })
    }

    /// Keeps the session keys of the epoch in which packets now arrive (RFC 3711 section 4.3.1).
    fn follow_epoch(&mut self, job: &Job) {
        let epoch = self.epoch(job.index);
        let Some(master) = self.masters.get_mut(usize::from(job.key)) else { return };
        let session = &mut master.sessions[job.kind as usize];
        if epoch > session.epoch || job.outcome == Outcome::DoneAtRestart {
            session.keys.rederive(self.suite, &master.secret, job.kind, epoch);
            session.epoch = epoch;
        }
    }

    fn uses(&self) -> impl Iterator<Item = KeyUse> {
        self.masters.iter().map(|master| master.used)
    }

    /// The state of the key that will last longest: when that one is near its end, so is the session.
    fn lifetime_state(&self) -> LifetimeState {
        self.uses().map(|used| used.state()).min().unwrap_or(LifetimeState::Ended)
    }

    fn heap_bytes(&self) -> usize {
        let boxed =
            self.masters.iter().flat_map(|master| &master.sessions).map(|kind| kind.keys.heap_bytes());
        let masters = size_of_val(&*self.masters) + self.masters.len() * MasterKey::HEAP_BYTES;
        masters + boxed.sum::<usize>()
    }
}

#[cfg(test)]
impl Keys {
    fn put_use(&mut self, kind: Kind, packets: u64) {
        let used = &mut self.masters[0].used;
        match kind {
            Kind::Rtp => used.rtp_packets = packets,
            Kind::Rtcp => used.rtcp_packets = packets,
        }
    }
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("suite", &self.suite)
            .field("masters", &self.masters.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
