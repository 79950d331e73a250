//! What is only measured: tables of one part beside others' (`benches/`), and the side-by-side run of whole gateways (`src/bin/compare`).
//! Candidates run in turns, so that a noisy machine disturbs them all alike; results are medians, and ratios against one named
//! baseline of the same run. `docs/performance.md` says how to read them.

pub mod harness;
pub mod packet;
pub mod whole;
