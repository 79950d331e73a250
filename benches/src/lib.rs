//! What the side-by-side benches share: packets, the candidates of the SRTP table, and a harness that runs candidates in turns,
//! block by block, so that a noisy machine disturbs them all alike. Results are medians, and ratios against one named baseline of the
//! same run; `docs/performance.md` says how to read them.

pub mod candidate;
pub mod harness;
pub mod libsrtp;
pub mod ours;
pub mod packet;
