//! Session descriptions as gateways are told them: SDP with holes.
//!
//! Inside Local and Remote, H.248.1 section 7.1.8 bends SDP (RFC 4566) into a property list: `v=` begins each group and groups are
//! alternatives, `o=`, `s=` and `t=` may be missing, any value may be `$` (the gateway chooses) or `-` (none), and the transport may
//! be one that no telephone would write (`TCP`, `UDP`, `TCP/TLS`, `UDP/DTLS`, `-`). A SIP parser refuses all of that. This one takes
//! it, types what the gateway acts on (connection, bandwidth, media line, RTCP port) and keeps every other line as it came, in its place.
//! Text that may hold keys is kept in [`SdpText`] and [`Attribute`], which wipe it and never show it (SRTP keys: RFC 4568).

mod parse;
mod print;
mod text;
mod types;

pub use parse::{MAX_GROUPS, MAX_LINE_BYTES, MAX_LINES, MAX_MEDIA, SdpError};
pub(crate) use print::print_without;
pub use text::SdpText;
pub use types::*;

#[cfg(test)]
mod tests;
