//! SRTP and SRTCP in place: RFC 3711, 6188 and 7714, keyed by SDES (RFC 4568).
//!
//! A session protects or unprotects the packets of one direction of one media stream. Making one takes a
//! [`CryptoAttribute`] (what was negotiated) and a [`Policy`] (what we allow); from then on it neither allocates, nor
//! reads a clock, nor locks: time is an argument, and bytes are changed where they lie.
//!
//! Work is done in three stages, so that the packets of many sessions can share one run through the cipher:
//!
//! 1. [`InboundSession::plan`] or [`OutboundSession::plan`] looks at one packet and makes a [`Job`].
//! 2. [`run`] does the cryptography of a slice of [`Work`] in place and notes in each job how it went.
//! 3. [`InboundSession::commit`] or [`OutboundSession::commit`] moves the state and says how long the packet is now.
//!
//! Inbound, planning changes nothing, a packet is decrypted only after its tag matched, and commit looks at the replay
//! window again, so two packets of one SSRC in a batch stay right. If state moved in between such that the packet's
//! index must be guessed anew, commit answers [`Error::Replan`]: the packet is untouched; plan, run and commit it alone.
//! Outbound, planning reserves the index for good: no index is ever used twice (SRTP-13), and one whose packet is
//! never sent is skipped.
//!
//! [`InboundSession::unprotect_rtp`] and its siblings are a batch of one.
//!
//! ```
//! use agw_srtp::{CryptoAttribute, InboundSession, OutboundSession, Policy};
//!
//! let line = "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
//! let attribute = CryptoAttribute::parse(line)?;
//! let mut sender = OutboundSession::new(&attribute, &Policy::default())?;
//! let mut receiver = InboundSession::new(&attribute, &Policy::default())?;
//!
//! let plain = [0x80, 0, 0, 7, 0, 0, 0, 160, 0xca, 0xfe, 0xba, 0xbe, b'h', b'i'];
//! let mut slot = [0; 64];
//! slot[..plain.len()].copy_from_slice(&plain);
//! let wire_len = sender.protect_rtp(&mut slot, plain.len(), 0)?;
//! assert_eq!(wire_len, plain.len() + 10);
//! let plain_len = receiver.unprotect_rtp(&mut slot, wire_len, 0)?;
//! assert_eq!(slot[..plain_len], plain);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cipher;
mod error;
mod job;
mod kdf;
mod keys;
mod packet;
mod policy;
mod profile;
mod replay;
pub mod sdes;
mod session;
mod stream;
#[cfg(test)]
mod vectors;

pub use error::Error;
pub use job::{Job, Kind, Work, run};
pub use keys::{KeyUse, Lifetime, LifetimeState, MasterKey, Mki};
pub use policy::{
    MAX_STREAMS, MAX_WINDOW_PACKETS, MIN_WINDOW_PACKETS, OutboundJump, Policy, PolicyError, RocRestart,
};
pub use profile::{MAX_RTCP_LIFETIME_PACKETS, MAX_RTP_LIFETIME_PACKETS, Suite};
pub use sdes::{CryptoAttribute, SdesError};
pub use session::{InboundSession, Keys, MAX_OVERHEAD_BYTES, OutboundSession};
