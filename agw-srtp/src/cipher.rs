//! The transforms: what is done to one packet's bytes once its keys, index and ranges are known.
//!
//! One seam, [`Engine`], separates the modes from the machine: `portable` is RustCrypto and runs everywhere, `x86` is
//! the one file with processor intrinsics. The choice is made once, when a session is keyed. The modes themselves
//! (counter mode and f8 of RFC 3711 section 4.1, GCM of RFC 7714, HMAC-SHA1 of 4.2) are written once for both.
//! Inbound, a packet is touched only after its tag has matched. Null encryption is a job without an encrypted range.

pub(crate) mod auth;
mod cm;
mod f8;
pub(crate) mod gcm;
pub(crate) mod portable;
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86;

use crate::job::{Direction, Job, Kind, Outcome};
use crate::kdf::{self, Derived};
use crate::keys::{MasterKey, Mki};
use crate::profile::{Family, Suite};

use cm::CounterMode;
use f8::F8;
use gcm::Gcm;

/// AES with an expanded key.
pub(crate) trait AesKey {
    /// Encrypts one block in place.
    fn encrypt_block(&self, block: &mut [u8; 16]);

    /// XORs `data` with the key stream whose first block is E(`counter`); the last 32 bits of the counter grow, modulo 2^32.
    fn ctr_xor(&self, counter: &[u8; 16], data: &mut [u8]);
}

/// AES-GCM with an expanded key. The associated data comes in two pieces, as SRTCP has a trailer (RFC 7714 section 9).
pub(crate) trait GcmKey {
    /// Encrypts `data` in place and returns the tag over both.
    fn seal(&self, iv: &[u8; 12], aad: AssociatedData<'_>, data: &mut [u8]) -> [u8; 16];

    /// Decrypts `data` in place if, and only if, `tag` is right.
    fn open(&self, iv: &[u8; 12], aad: AssociatedData<'_>, data: &mut [u8], tag: &[u8; 16]) -> bool;
}

/// Associated data: `tail` follows `head` and is the SRTCP word of four bytes, or nothing.
#[derive(Clone, Copy)]
pub(crate) struct AssociatedData<'a> {
    pub(crate) head: &'a [u8],
    pub(crate) tail: &'a [u8],
}

impl AssociatedData<'_> {
    /// The last blocks: what is left of `head` after its whole blocks, then `tail`, then zeros; and how many blocks that makes.
    fn last_blocks(&self) -> ([[u8; 16]; 2], usize) {
        let rest = self.head.as_chunks::<16>().1;
        let mut blocks = [[0_u8; 16]; 2];
        for (to, from) in blocks.as_flattened_mut().iter_mut().zip(rest.iter().chain(self.tail)) {
            *to = *from;
        }
        (blocks, (rest.len() + self.tail.len()).div_ceil(16))
    }

    fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }
}

/// Where the block cipher comes from. A value of the type is the proof that the machine has it.
pub(crate) trait Engine: Copy {
    /// AES.
    type Aes: AesKey;
    /// AES-GCM.
    type Gcm: GcmKey;

    /// Expands a key of 16, 24 or 32 bytes.
    fn aes(self, key: &[u8]) -> Self::Aes;
    /// Expands a key of 16 or 32 bytes for GCM.
    fn gcm(self, key: &[u8]) -> Self::Gcm;
}

/// What a job says of the bytes, apart from the keys.
pub(crate) struct Frame<'a> {
    pub(crate) job: &'a Job,
    /// Bytes of the tag, 0 for unauthenticated SRTP.
    pub(crate) tag_len: usize,
    /// The identifier to write (outbound) or its length to skip (inbound).
    pub(crate) mki: Option<Mki>,
}

impl Frame<'_> {
    fn mki_len(&self) -> usize {
        self.mki.map_or(0, Mki::field_len)
    }

    fn write_mki(&self, field: &mut [u8]) {
        if let Some(mki) = self.mki {
            mki.write(field);
        }
    }

    /// The rollover counter that the tag covers, and which is never sent (RFC 3711 section 4.2).
    fn roc(&self) -> [u8; 4] {
        ((self.job.index() >> 16) as u32).to_be_bytes()
    }

    /// The E flag and index that end an SRTCP packet (RFC 3711 section 3.4).
    fn srtcp_word(&self) -> [u8; 4] {
        let flag = if self.job.encrypt { 1 << 31 } else { 0 };
        (flag | self.job.index() as u32).to_be_bytes()
    }
}

/// The session keys for one kind of packet, expanded for one engine.
pub(crate) enum Transform<E: Engine> {
    CounterMode(CounterMode<E::Aes>),
    F8(F8<E::Aes>),
    Gcm(Gcm<E::Gcm>),
}

impl<E: Engine> Transform<E> {
    pub(crate) fn derive(engine: E, suite: Suite, master: &MasterKey, kind: Kind, epoch: u64) -> Self {
        let aes = engine.aes(master.key());
        Self::from_derived(
            engine,
            suite,
            &kdf::derive(&aes, suite.master_key_len(), master.salt(), kind, epoch),
        )
    }

    pub(crate) fn from_derived(engine: E, suite: Suite, derived: &Derived) -> Self {
        match suite.family() {
            Family::CounterMode => Transform::CounterMode(CounterMode::new(engine, derived)),
            Family::F8 => Transform::F8(F8::new(engine, derived)),
            Family::Gcm => Transform::Gcm(Gcm::new(engine, derived)),
        }
    }

    /// Does the whole job on `slot`, whose size was checked against the job.
    fn run(&self, frame: &Frame<'_>, slot: &mut [u8]) -> bool {
        match (self, frame.job.direction) {
            (Transform::CounterMode(keys), Direction::Inbound) => keys.unprotect(frame, slot),
            (Transform::CounterMode(keys), Direction::Outbound) => keys.protect(frame, slot),
            (Transform::F8(keys), Direction::Inbound) => keys.unprotect(frame, slot),
            (Transform::F8(keys), Direction::Outbound) => keys.protect(frame, slot),
            (Transform::Gcm(keys), Direction::Inbound) => keys.unprotect(frame, slot),
            (Transform::Gcm(keys), Direction::Outbound) => keys.protect(frame, slot),
        }
    }
}

/// The session keys for one kind of packet on the engine that this machine has.
// The large variant is the usual one: it lies in the session's table, one memory access away from its packets.
#[allow(clippy::large_enum_variant)]
pub(crate) enum SessionKeys {
    #[cfg(target_arch = "x86_64")]
    Native(Transform<x86::Native>),
    /// Boxed: the portable key schedules are several times larger.
    Portable(Box<Transform<portable::Portable>>),
}

impl SessionKeys {
    pub(crate) fn derive(suite: Suite, master: &MasterKey, kind: Kind, epoch: u64) -> SessionKeys {
        #[cfg(target_arch = "x86_64")]
        if let Some(native) = x86::Native::detect() {
            return SessionKeys::Native(Transform::derive(native, suite, master, kind, epoch));
        }
        SessionKeys::Portable(Box::new(Transform::derive(portable::Portable, suite, master, kind, epoch)))
    }

    /// Replaces the keys by those of another epoch, in the memory that they have.
    pub(crate) fn rederive(&mut self, suite: Suite, master: &MasterKey, kind: Kind, epoch: u64) {
        match self {
            #[cfg(target_arch = "x86_64")]
            SessionKeys::Native(keys) => {
                if let Some(native) = x86::Native::detect() {
                    *keys = Transform::derive(native, suite, master, kind, epoch);
                }
            }
            SessionKeys::Portable(keys) => {
                **keys = Transform::derive(portable::Portable, suite, master, kind, epoch);
            }
        }
    }

    /// Runs a job whose epoch is that of these keys.
    pub(crate) fn run(&self, frame: &Frame<'_>, slot: &mut [u8]) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            SessionKeys::Native(keys) => keys.run(frame, slot),
            SessionKeys::Portable(keys) => keys.run(frame, slot),
        }
    }

    /// Runs a job of another epoch with keys derived for it alone, on the stack (RFC 3711 section 4.3.1).
    pub(crate) fn run_in_epoch(
        &self,
        suite: Suite,
        master: &MasterKey,
        epoch: u64,
        frame: &Frame<'_>,
        slot: &mut [u8],
    ) -> bool {
        let kind = frame.job.kind();
        #[cfg(target_arch = "x86_64")]
        if let (SessionKeys::Native(_), Some(native)) = (self, x86::Native::detect()) {
            return Transform::derive(native, suite, master, kind, epoch).run(frame, slot);
        }
        Transform::derive(portable::Portable, suite, master, kind, epoch).run(frame, slot)
    }

    /// Bytes held on the heap.
    pub(crate) fn heap_bytes(&self) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            SessionKeys::Native(_) => 0,
            SessionKeys::Portable(_) => size_of::<Transform<portable::Portable>>(),
        }
    }
}

/// The outcome that a run records.
pub(crate) fn outcome(done: bool) -> Outcome {
    if done { Outcome::Done } else { Outcome::AuthFailed }
}

#[cfg(test)]
mod tests;
