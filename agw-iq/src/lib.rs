//! H.248 for the Iq reference point: words in, commands out.
//!
//! The message tree in [`ast`] is the one meaning of a message, whichever encoding carried it. [`text`] turns the text encoding of
//! H.248.1 Annex B into that tree and back, [`ber`] the binary one of Annex A, [`encoding`] says which of them a message is in. [`sdp`]
//! reads and writes the session descriptions of Local and Remote, with the `$` and `-` that only gateway control knows, and [`errors`]
//! says what was wrong in the words and codes of H.248.1. [`package`] knows the packages by name, [`transaction`] executes each request
//! once, [`transport`] frames and repeats messages. A [`MediaGateway`] is the gateway's end of Iq, a [`Client`] a small controller's.
//! No part of it does I/O.

mod apply;
mod association;
pub mod ast;
pub mod ber;
pub mod client;
pub mod codec;
pub mod config;
pub mod counters;
pub mod encoding;
pub mod errors;
mod gateway;
pub mod package;
mod random;
mod rate;
pub mod sdp;
pub mod secret;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod trace;
pub mod transaction;
pub mod transport;

pub use apply::{Load, Outage, Stage};
pub use association::{MAX_ADDRESSES_OF_A_NAME, NAME_LASTS, Resolved};
pub use client::{Client, ClientConfig, ClientEvent};
pub use encoding::{Encoding, Form};
pub use gateway::{ConnectionRequest, Farewell, MAX_CONNECTIONS, MediaGateway};
