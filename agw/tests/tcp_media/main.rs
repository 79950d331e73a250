//! Media over TCP through the real program, with a call beside it: attacks on streams, of which what they may take is bounded, what becomes of them is
//! counted, and nobody else notices; and what operators see of connections.

#[path = "../common/mod.rs"]
mod common;
mod ground;
mod half_open;
mod operators;
mod records;
mod strangers;
mod streams;
