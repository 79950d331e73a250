//! A job: everything about one packet that its cryptography needs, as plain data between the stages.
//!
//! Planning fills it in, [`run`] notes how it went, commit draws the conclusion. It holds no reference, so that a worker can
//! keep a batch of them in an array; the keys stay in the session and are borrowed for the run alone.

use std::ops::Range;

use crate::session::Keys;

/// RTP or RTCP: each has its own keys, indices and windows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// A media packet.
    Rtp = 0,
    /// A control packet, or a compound of them.
    Rtcp = 1,
}

/// Which way a job goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    Inbound,
    Outbound,
}

/// How a run went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// Not run yet.
    Pending,
    /// Protected, or verified and decrypted.
    Done,
    /// Verified and decrypted under rollover counter 0 instead of the expected one (SRTP-14).
    DoneAtRestart,
    /// The tag did not match; the packet is untouched.
    AuthFailed,
    /// The slot has no room.
    NoRoom,
}

/// One planned packet.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    pub(crate) kind: Kind,
    pub(crate) direction: Direction,
    pub(crate) outcome: Outcome,
    /// Which master key.
    pub(crate) key: u8,
    pub(crate) encrypt: bool,
    /// The window has already refused the expected index; only a restart could still explain the packet.
    pub(crate) stale: Option<crate::Error>,
    /// Whether rollover counter 0 is to be tried as well (SRTP-14).
    pub(crate) try_restart: bool,
    /// The sequence number that is on the wire.
    pub(crate) sequence: u16,
    pub(crate) ssrc: u32,
    /// The 48-bit SRTP or 31-bit SRTCP index.
    pub(crate) index: u64,
    /// Where the encrypted part begins.
    pub(crate) payload_at: u32,
    /// Bytes of the plain packet: all before the trailer.
    pub(crate) body_len: u32,
    /// Bytes of the protected packet.
    pub(crate) wire_len: u32,
}

impl Job {
    /// RTP or RTCP.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The sender's SSRC.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// The packet index: planned, or after a run the one that verified.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Bytes of the plain packet.
    pub fn body_len(&self) -> usize {
        self.body_len as usize
    }

    /// Bytes of the protected packet; the slot needs that many.
    pub fn wire_len(&self) -> usize {
        self.wire_len as usize
    }

    /// Whether the run did what it should: protected the packet, or found its tag right.
    pub fn succeeded(&self) -> bool {
        matches!(self.outcome, Outcome::Done | Outcome::DoneAtRestart)
    }

    /// The bytes between the header and the trailer.
    pub(crate) fn encrypted(&self) -> Range<usize> {
        self.payload_at as usize..self.body_len as usize
    }
}

/// One job with what it works on.
pub struct Work<'a> {
    /// The job; the run notes its outcome there.
    pub job: &'a mut Job,
    /// The keys of the session that planned the job.
    pub keys: &'a Keys,
    /// The whole slot, from the packet's first byte; how long the packet is stands in the job.
    pub packet: &'a mut [u8],
}

/// Does the cryptography of every job, in place. A job that was run before is left alone.
pub fn run(work: &mut [Work<'_>]) {
    for Work { job, keys, packet } in work {
        if job.outcome == Outcome::Pending {
            job.outcome = match packet.get_mut(..job.wire_len()) {
                Some(slot) => keys.run(job, slot),
                None => Outcome::NoRoom,
            };
        }
    }
}
