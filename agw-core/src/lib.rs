//! The model of the gateway and the engine that moves its packets.
//!
//! Two halves meet here. The control half (`controller`, `ports`) owns contexts, terminations and port pools and is driven by
//! [`command`]s in our own vocabulary, so that any front end (Iq today) can drive it. The packet half (`worker`, [`flow`],
//! [`wire`], [`io`]) runs one pinned worker per core and never locks, allocates or logs per packet. They share nothing but the
//! plain data of [`command::order`], which crosses on bounded rings. Nothing here starts a thread, reads a clock (the
//! backends of [`io`] do) or touches a file: time and randomness are arguments.

pub mod command;
pub mod controller;
pub mod flow;
pub mod io;
pub mod model;
pub mod ports;
pub mod wire;
pub mod worker;
