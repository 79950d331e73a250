//! TLS as a byte machine, and who the peer is. Nothing here does I/O, reads a clock or starts a thread: ciphertext is fed in and drained out,
//! and a peer is judged by the fingerprint of its certificate alone (RFC 8122), never by who signed it.

pub mod failure;
pub mod fingerprint;
pub mod psk;

pub use failure::TlsFailure;
pub use fingerprint::{Fingerprint, HashFunction};
pub use psk::PreSharedKey;
