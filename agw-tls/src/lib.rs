//! TLS as a byte machine, and who the peer is. Nothing here does I/O, reads a clock or starts a thread: ciphertext is fed in and drained out,
//! and a peer is judged by the fingerprint of its certificate alone (RFC 8122), never by who signed it.

pub mod engine;
pub mod failure;
pub mod fingerprint;
pub mod identity;
mod judge;
pub mod profile;
pub mod proof;
pub mod psk;
pub mod subject_key;

pub use engine::{Credentials, Engine, Role, Tls};
pub use failure::TlsFailure;
pub use fingerprint::{Fingerprint, HashFunction};
pub use identity::Identity;
pub use judge::judge;
pub use profile::{Profile, Version};
pub use psk::PreSharedKey;
