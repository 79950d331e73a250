//! DTLS-SRTP as a byte machine (RFC 5763, 5764): datagrams go in, datagrams and SRTP keys come out. Nothing here does I/O, starts a thread
//! or owns a clock: the time is an argument, in microseconds of the caller's own. What the DTLS libraries are called is known in one room
//! each; a [`Session`] sees only the five verbs of [`DtlsEngine`] and adds what the libraries leave to us: that a peer is who its
//! signalled fingerprint says (DTLS-1, DTLS-3), and that keys leave only after that.

mod caller;
mod dimpl;
mod engine;
mod engines;
mod hello;
mod keys;
mod lobby;
#[cfg(feature = "openssl")]
mod openssl;
mod session;
mod settings;

pub use agw_tls::Role;
pub use engine::{DtlsEngine, MAX_OUTPUT_BYTES, Output, Version};
pub use hello::ClientHello;
pub use keys::{EXPORTER_LABEL, SrtpKeys, SrtpProfile};
pub use session::{Session, Step};
pub use settings::{Engine, MAX_MTU_BYTES, MIN_MTU_BYTES, Profile, Settings, SettingsError};
