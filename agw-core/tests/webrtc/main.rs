//! A browser as the phone, through a whole gateway on the pretend network: connectivity checks, DTLS and media on one port (DTLS-1 to DTLS-5).

mod attacks;
mod browser;
mod bundle;
mod calls;
#[cfg(feature = "openssl")]
mod engines;
mod ice;
mod meetings;
mod proof;
mod rig;
