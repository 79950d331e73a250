//! What the targets share: reading decisions out of the fuzzer's bytes, and a gateway on the pretend network.

pub mod ground;
pub mod input;
