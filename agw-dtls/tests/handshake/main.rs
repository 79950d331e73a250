//! Two sessions, or a session and an attacker, on a pretend wire with a clock of its own: what is lost, late, doubled or forged comes from a seed.

mod attacks;
mod fingerprints;
mod lossy;
mod memory;
#[cfg(feature = "openssl")]
mod openssl;
#[cfg(feature = "openssl")]
mod second_try;
mod wire;
