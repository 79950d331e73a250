//! What a test needs to put the gateway beside software that is not ours.
//!
//! A test asks for its peer with [`require`]; a peer that is missing makes the test report one line and
//! return, never fail silently: `cargo xtask test` lists what was skipped, and in CI a skip is a failure.
//! The other modules start such peers with a deadline ([`process`]), find ports nobody uses ([`ports`]), lay out
//! network namespaces with packet counters outside the process ([`netns`], [`counters`]) and let Wireshark's
//! dissectors judge what went over the wire ([`pcap`]). Everything cleans up after itself when dropped.
//!
//! ```no_run
//! let Some(mgc) = interop::require("erlang-megaco", interop::peers::Megaco::find) else { return };
//! ```

pub mod browser;
pub mod call;
pub mod codec;
pub mod connection;
pub mod controller;
pub mod counters;
pub mod gateway;
pub mod msrp;
pub mod netns;
pub mod pcap;
pub mod peers;
pub mod ports;
pub mod process;
pub mod relay;
mod skip;
pub mod text;

pub use skip::{SKIP_FILE_VARIABLE, require};
