//! The sending direction: what goes to the peer is encrypted and tagged, and no index is ever used twice (SRTP-13).
//!
//! An index is taken the moment a packet is planned, whatever becomes of the packet. The sender behind us (the core
//! side) is not trusted to count well: late packets pass once, duplicates are refused, and one that starts over is
//! renumbered so that the index goes on growing.

use crate::error::Error;
use crate::job::{Direction, Job, Kind, Outcome, Work, run};
use crate::keys::{KeyUse, LifetimeState};
use crate::packet::{MAX_PACKET_BYTES, RTCP_HEADER_BYTES, RtpHeader, rtcp_ssrc};
use crate::policy::{OutboundJump, Policy, PolicyError};
use crate::sdes::CryptoAttribute;
use crate::session::Keys;
use crate::stream::{MAX_RTCP_INDEX, Streams, estimate};

/// How many sequence numbers a sender that starts over may lose between two packets of the run that proves it.
const MAX_RUN_GAP: u16 = 64;
/// How many times longer the run must be when it could be a burst of duplicates.
const DUPLICATE_RUN_FACTOR: u8 = 4;

/// The SRTP state of what we send under one attribute.
#[derive(Debug)]
pub struct OutboundSession {
    keys: Keys,
    streams: Streams<Numbering>,
    jump: OutboundJump,
}

/// How the sequence numbers of a sender map to ours.
#[derive(Default, Debug)]
struct Numbering {
    /// Added to each sequence number.
    offset: u16,
    /// How many packets in a row were refused, each newer than the one before it.
    run: u8,
    /// The last of them.
    run_last: u16,
    /// The next SRTCP index.
    next_rtcp: u64,
}

impl OutboundSession {
    /// A session for our own attribute (SDES) or for keys from elsewhere in that form.
    pub fn new(attribute: &CryptoAttribute, policy: &Policy) -> Result<OutboundSession, PolicyError> {
        Ok(OutboundSession {
            keys: Keys::new(attribute, policy)?,
            streams: Streams::new(policy, attribute.params().window_size_hint),
            jump: policy.outbound_jump,
        })
    }

    /// The keys, for [`Work`].
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Bytes that protection adds to a packet of this kind: the slot needs that much room behind the packet.
    pub fn overhead_bytes(&self, kind: Kind) -> usize {
        self.keys.overhead(kind)
    }

    /// Looks at a plain packet and takes its index for good.
    pub fn plan(&mut self, kind: Kind, packet: &[u8], _now_ms: u64) -> Result<Job, Error> {
        if packet.len() > MAX_PACKET_BYTES {
            return Err(Error::Malformed);
        }
        // SRTP-10: the first key, then the next at its lifetime.
        let key = self.keys.first_alive().ok_or(Error::KeyExpired)?;
        let (ssrc, sequence, index, payload_at) = match kind {
            Kind::Rtp => {
                let header = RtpHeader::parse(packet)?;
                let index = self.take_rtp_index(&header)?;
                (header.ssrc, index as u16, index, header.payload_at)
            }
            Kind::Rtcp => {
                let ssrc = rtcp_ssrc(packet)?;
                (ssrc, 0, self.take_rtcp_index(ssrc)?, RTCP_HEADER_BYTES)
            }
        };
        self.keys.count(key, kind)?;
        Ok(Job {
            kind,
            direction: Direction::Outbound,
            outcome: Outcome::Pending,
            key,
            encrypt: self.keys.encrypt[kind as usize],
            stale: None,
            try_restart: false,
            sequence,
            ssrc,
            index,
            payload_at: payload_at as u32,
            body_len: packet.len() as u32,
            wire_len: (packet.len() + self.keys.overhead(kind)) as u32,
        })
    }

    fn take_rtp_index(&mut self, header: &RtpHeader) -> Result<u64, Error> {
        let place = self.streams.find_or_add(header.ssrc)?;
        let highest = self.streams.highest(place, Kind::Rtp);
        let shifted = header.sequence.wrapping_add(self.streams.peek(place).offset);
        let mut index = estimate(highest, shifted).ok_or(Error::KeyExpired)?;
        match self.streams.look(place, Kind::Rtp, index) {
            Ok(()) => self.streams.own(place).run = 0,
            Err(refusal) => {
                if !self.starts_over(place, header.sequence, refusal) {
                    return Err(Error::IndexReused);
                }
                // Go on behind the highest index, with the sender's numbers shifted to match.
                index = highest.map_or(0, |highest| highest + 1);
                if index > crate::stream::MAX_RTP_INDEX {
                    return Err(Error::KeyExpired);
                }
                let numbering = self.streams.own(place);
                numbering.offset = (index as u16).wrapping_sub(header.sequence);
                numbering.run = 0;
            }
        }
        self.streams.mark(place, Kind::Rtp, index);
        Ok(index)
    }

    /// Whether refused packets have now made a run that only a sender which started over explains.
    fn starts_over(&mut self, place: usize, sequence: u16, refusal: Error) -> bool {
        let OutboundJump::Renumber { after_packets } = self.jump else { return false };
        let numbering = self.streams.own(place);
        let goes_on = (1..=MAX_RUN_GAP).contains(&sequence.wrapping_sub(numbering.run_last));
        numbering.run = if numbering.run > 0 && goes_on { numbering.run.saturating_add(1) } else { 1 };
        numbering.run_last = sequence;
        let needed = match refusal {
            Error::TooOld => after_packets,
            _ => after_packets.saturating_mul(DUPLICATE_RUN_FACTOR),
        };
        numbering.run >= needed
    }

    fn take_rtcp_index(&mut self, ssrc: u32) -> Result<u64, Error> {
        let place = self.streams.find_or_add(ssrc)?;
        let next = &mut self.streams.own(place).next_rtcp;
        if *next > MAX_RTCP_INDEX {
            return Err(Error::KeyExpired);
        }
        *next += 1;
        Ok(*next - 1)
    }

    /// Draws the conclusion of a run and gives the length of the protected packet.
    pub fn commit(&mut self, job: &Job, _now_ms: u64) -> Result<usize, Error> {
        match job.outcome {
            Outcome::Done => {
                self.keys.follow_epoch(job);
                Ok(job.wire_len())
            }
            Outcome::NoRoom => Err(Error::NoRoom),
            Outcome::Pending | Outcome::AuthFailed | Outcome::DoneAtRestart => Err(Error::NotRun),
        }
    }

    /// Plans, runs and commits one RTP packet of `len` bytes in `slot`; gives the length of the SRTP packet.
    pub fn protect_rtp(&mut self, slot: &mut [u8], len: usize, now_ms: u64) -> Result<usize, Error> {
        self.protect(Kind::Rtp, slot, len, now_ms)
    }

    /// Plans, runs and commits one RTCP packet of `len` bytes in `slot`; gives the length of the SRTCP packet.
    pub fn protect_rtcp(&mut self, slot: &mut [u8], len: usize, now_ms: u64) -> Result<usize, Error> {
        self.protect(Kind::Rtcp, slot, len, now_ms)
    }

    fn protect(&mut self, kind: Kind, slot: &mut [u8], len: usize, now_ms: u64) -> Result<usize, Error> {
        let mut job = self.plan(kind, slot.get(..len).ok_or(Error::NoRoom)?, now_ms)?;
        run(&mut [Work { job: &mut job, keys: &self.keys, packet: slot }]);
        self.commit(&job, now_ms)
    }

    /// What is added to the sequence numbers of that SSRC since its sender started over; 0 if it never did.
    pub fn sequence_offset(&self, ssrc: u32) -> u16 {
        self.streams.find(ssrc).map_or(0, |place| self.streams.peek(place).offset)
    }

    /// What each master key has been used for, first key first.
    pub fn key_use(&self) -> impl Iterator<Item = KeyUse> {
        self.keys.uses()
    }

    /// How near its end the last of the keys is (SRTP-6).
    pub fn lifetime_state(&self) -> LifetimeState {
        self.keys.lifetime_state()
    }

    /// The SSRCs that have been sent, each with its highest SRTP index.
    pub fn streams(&self) -> impl Iterator<Item = (u32, Option<u64>)> {
        self.streams.iter().map(|(ssrc, highest, _)| (ssrc, highest))
    }

    /// All memory that the session holds, itself included.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.keys.heap_bytes() + self.streams.heap_bytes()
    }
}

#[cfg(test)]
impl OutboundSession {
    /// Puts a stream where no test can send it to.
    pub(super) fn put_rtp_index(&mut self, ssrc: u32, index: u64) {
        let place = self.streams.find_or_add(ssrc).unwrap();
        self.streams.mark(place, Kind::Rtp, index);
    }

    /// Says which SRTCP index comes next.
    pub(super) fn put_rtcp_index(&mut self, ssrc: u32, next: u64) {
        let place = self.streams.find_or_add(ssrc).unwrap();
        self.streams.own(place).next_rtcp = next;
    }

    /// Says how often the key has been used.
    pub(super) fn put_use(&mut self, kind: Kind, packets: u64) {
        self.keys.put_use(kind, packets);
    }
}
