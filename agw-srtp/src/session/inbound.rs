//! The receiving direction: what came from the peer is verified, decrypted and let pass once (SRTP-2).
//!
//! Nothing that fails its tag moves any state, except that failures are counted for the guard of a restarted
//! rollover counter (SRTP-14). An SSRC gets its entry with its first valid packet (SRTP-10).

use crate::error::Error;
use crate::job::{Direction, Job, Kind, Outcome, Work, run};
use crate::keys::{KeyUse, LifetimeState};
use crate::packet::{MAX_PACKET_BYTES, RTCP_HEADER_BYTES, RTP_HEADER_BYTES, RtpHeader, rtcp_ssrc};
use crate::policy::{Policy, PolicyError, RocRestart};
use crate::sdes::CryptoAttribute;
use crate::session::Keys;
use crate::stream::{Streams, estimate};

/// The SRTP state of what we receive under one attribute.
#[derive(Debug)]
pub struct InboundSession {
    keys: Keys,
    streams: Streams<Guard>,
    roc_restart: RocRestart,
}

/// What the guard of a restarted rollover counter remembers of a stream (SRTP-14).
#[derive(Default, Debug)]
struct Guard {
    last_valid_ms: u64,
    failures: u8,
    successes: u8,
    /// The last sequence number that verified at rollover counter 0.
    last_success: u16,
}

impl InboundSession {
    /// A session for the peer's attribute (SDES) or for keys from elsewhere in that form.
    pub fn new(attribute: &CryptoAttribute, policy: &Policy) -> Result<InboundSession, PolicyError> {
        Ok(InboundSession {
            keys: Keys::new(attribute, policy)?,
            streams: Streams::new(policy, attribute.params().window_size_hint),
            roc_restart: policy.roc_restart,
        })
    }

    /// The keys, for [`Work`].
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Looks at a received packet; changes nothing.
    pub fn plan(&self, kind: Kind, packet: &[u8], now_ms: u64) -> Result<Job, Error> {
        if packet.len() > MAX_PACKET_BYTES {
            return Err(Error::Malformed);
        }
        match kind {
            Kind::Rtp => self.plan_rtp(packet, now_ms),
            Kind::Rtcp => self.plan_rtcp(packet),
        }
    }

    fn plan_rtp(&self, packet: &[u8], now_ms: u64) -> Result<Job, Error> {
        let body_len = self.body_len(Kind::Rtp, packet, RTP_HEADER_BYTES)?;
        let header = RtpHeader::parse(&packet[..body_len])?;
        let mut job = Job {
            kind: Kind::Rtp,
            direction: Direction::Inbound,
            outcome: Outcome::Pending,
            key: self.keys.select(Kind::Rtp, packet)?,
            encrypt: self.keys.encrypt[Kind::Rtp as usize],
            stale: None,
            try_restart: false,
            sequence: header.sequence,
            ssrc: header.ssrc,
            index: u64::from(header.sequence),
            payload_at: header.payload_at as u32,
            body_len: body_len as u32,
            wire_len: packet.len() as u32,
        };
        let Some(place) = self.place(header.ssrc)? else { return Ok(job) };
        let highest = self.streams.highest(place, Kind::Rtp);
        job.index = estimate(highest, header.sequence).ok_or(Error::KeyExpired)?;
        // What the window refuses now may be the next turn of the numbers once a packet before it in the batch has moved on, or
        // the beginning of a restart (SRTP-14): commit decides. It costs no cryptography.
        job.stale = self.streams.look(place, Kind::Rtp, job.index).err();
        let differs = job.stale.is_some() || job.index != u64::from(header.sequence);
        job.try_restart = differs && self.restart_is_due(place, now_ms);
        Ok(job)
    }

    fn plan_rtcp(&self, packet: &[u8]) -> Result<Job, Error> {
        let body_len = self.body_len(Kind::Rtcp, packet, RTCP_HEADER_BYTES)?;
        let ssrc = rtcp_ssrc(packet)?;
        let word_at = self.keys.srtcp_word_at(packet.len());
        let word = packet.get(word_at..).and_then(|rest| rest.first_chunk::<4>()).ok_or(Error::TooShort)?;
        let word = u32::from_be_bytes(*word);
        let encrypt = self.keys.encrypt[Kind::Rtcp as usize];
        if (word >> 31 == 1) != encrypt {
            return Err(Error::EncryptionMismatch);
        }
        let index = u64::from(word & 0x7fff_ffff);
        let key = self.keys.select(Kind::Rtcp, packet)?;
        if let Some(place) = self.place(ssrc)? {
            self.streams.look(place, Kind::Rtcp, index)?;
        }
        Ok(Job {
            kind: Kind::Rtcp,
            direction: Direction::Inbound,
            outcome: Outcome::Pending,
            key,
            encrypt,
            stale: None,
            try_restart: false,
            sequence: 0,
            ssrc,
            index,
            payload_at: RTCP_HEADER_BYTES as u32,
            body_len: body_len as u32,
            wire_len: packet.len() as u32,
        })
    }

    fn body_len(&self, kind: Kind, packet: &[u8], header_bytes: usize) -> Result<usize, Error> {
        let body_len = packet.len().checked_sub(self.keys.overhead(kind)).ok_or(Error::TooShort)?;
        if body_len < header_bytes { Err(Error::TooShort) } else { Ok(body_len) }
    }

    /// The stream's place; `None` for a new SSRC that there is room for.
    fn place(&self, ssrc: u32) -> Result<Option<usize>, Error> {
        match self.streams.find(ssrc) {
            None if self.streams.is_full() => Err(Error::TooManyStreams),
            found => Ok(found),
        }
    }

    fn restart_is_due(&self, place: usize, now_ms: u64) -> bool {
        let guard = self.streams.peek(place);
        match self.roc_restart {
            RocRestart::Off => false,
            RocRestart::Guarded { failures, quiet_ms, .. } => {
                guard.failures >= failures && now_ms.saturating_sub(guard.last_valid_ms) >= quiet_ms
            }
        }
    }

    /// Draws the conclusion of a run and gives the length of the plain packet.
    ///
    /// After [`Error::Replan`] the packet is as it was received: plan, run and commit it once more, alone. After any
    /// other error it is to be dropped.
    pub fn commit(&mut self, job: &Job, now_ms: u64) -> Result<usize, Error> {
        match job.outcome {
            Outcome::Pending => Err(Error::NotRun),
            Outcome::NoRoom => Err(Error::NoRoom),
            Outcome::AuthFailed => Err(self.note_failure(job)),
            Outcome::Done => self.accept(job, now_ms),
            Outcome::DoneAtRestart => self.consider_restart(job, now_ms),
        }
    }

    fn note_failure(&mut self, job: &Job) -> Error {
        let Some(place) = self.streams.find(job.ssrc) else { return Error::AuthFailed };
        if job.kind == Kind::Rtp {
            let highest = self.streams.highest(place, Kind::Rtp);
            if estimate(highest, job.sequence) != Some(job.index) {
                return Error::Replan;
            }
            let guard = self.streams.own(place);
            guard.failures = guard.failures.saturating_add(1);
            if job.try_restart {
                guard.successes = 0;
            }
        }
        job.stale.unwrap_or(Error::AuthFailed)
    }

    fn accept(&mut self, job: &Job, now_ms: u64) -> Result<usize, Error> {
        let place = match self.streams.find(job.ssrc) {
            Some(place) => {
                self.streams.look(place, job.kind, job.index)?;
                // Without a tag nothing proves the index, and the wrong key stream may have been used.
                if self.keys.tag_len(job.kind) == 0
                    && estimate(self.streams.highest(place, Kind::Rtp), job.sequence) != Some(job.index)
                {
                    return Err(Error::TooOld);
                }
                self.keys.count(job.key, job.kind)?;
                place
            }
            None => {
                // The key is asked first: a key that ended leaves no entry behind.
                self.keys.count(job.key, job.kind)?;
                self.streams.find_or_add(job.ssrc)?
            }
        };
        self.streams.mark(place, job.kind, job.index);
        self.keys.follow_epoch(job);
        if job.kind == Kind::Rtp {
            *self.streams.own(place) = Guard { last_valid_ms: now_ms, ..Guard::default() };
        }
        Ok(job.body_len())
    }

    /// A packet that verified at rollover counter 0: believed after enough of them, each newer than the last (SRTP-14).
    fn consider_restart(&mut self, job: &Job, now_ms: u64) -> Result<usize, Error> {
        let RocRestart::Guarded { successes, .. } = self.roc_restart else { return Err(Error::AuthFailed) };
        let place = self.streams.find(job.ssrc).ok_or(Error::AuthFailed)?;
        if estimate(self.streams.highest(place, Kind::Rtp), job.sequence) == Some(job.index)
            && self.streams.look(place, Kind::Rtp, job.index).is_ok()
        {
            // An earlier packet of the batch has already restarted the stream.
            return self.accept(job, now_ms);
        }
        if !self.restart_is_due(place, now_ms) {
            return Err(Error::RestartPending);
        }
        let guard = self.streams.own(place);
        if guard.successes > 0 && job.sequence <= guard.last_success {
            return Err(Error::Replayed);
        }
        guard.successes = guard.successes.saturating_add(1);
        guard.last_success = job.sequence;
        if guard.successes < successes {
            return Err(Error::RestartPending);
        }
        // The peer's whole context began anew, so its SRTCP index did too.
        self.streams.restart(place, Kind::Rtp);
        self.streams.restart(place, Kind::Rtcp);
        self.accept(job, now_ms)
    }

    /// Plans, runs and commits one SRTP packet of `len` bytes in `slot`; gives the length of the plain packet.
    pub fn unprotect_rtp(&mut self, slot: &mut [u8], len: usize, now_ms: u64) -> Result<usize, Error> {
        self.unprotect(Kind::Rtp, slot, len, now_ms)
    }

    /// Plans, runs and commits one SRTCP packet of `len` bytes in `slot`; gives the length of the plain packet.
    pub fn unprotect_rtcp(&mut self, slot: &mut [u8], len: usize, now_ms: u64) -> Result<usize, Error> {
        self.unprotect(Kind::Rtcp, slot, len, now_ms)
    }

    fn unprotect(&mut self, kind: Kind, slot: &mut [u8], len: usize, now_ms: u64) -> Result<usize, Error> {
        let mut job = self.plan(kind, slot.get(..len).ok_or(Error::NoRoom)?, now_ms)?;
        run(&mut [Work { job: &mut job, keys: &self.keys, packet: slot }]);
        self.commit(&job, now_ms)
    }

    /// What each master key has been used for, first key first.
    pub fn key_use(&self) -> impl Iterator<Item = KeyUse> {
        self.keys.uses()
    }

    /// How near its end the last of the keys is (SRTP-6).
    pub fn lifetime_state(&self) -> LifetimeState {
        self.keys.lifetime_state()
    }

    /// The SSRCs that have been heard, each with its highest SRTP index.
    pub fn streams(&self) -> impl Iterator<Item = (u32, Option<u64>)> {
        self.streams.iter().map(|(ssrc, highest, _)| (ssrc, highest))
    }

    /// All memory that the session holds, itself included.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.keys.heap_bytes() + self.streams.heap_bytes()
    }
}

#[cfg(test)]
impl InboundSession {
    /// Puts a stream where no test can send it to.
    pub(super) fn put_rtp_index(&mut self, ssrc: u32, index: u64) {
        let place = self.streams.find_or_add(ssrc).unwrap();
        self.streams.mark(place, Kind::Rtp, index);
    }
}
