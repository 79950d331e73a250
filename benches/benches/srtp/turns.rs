//! Runs candidates in turns and gives their medians.

use crate::candidate::Candidate;
use benches::harness::median;
use benches::packet::{BLOCK_PACKETS, block};
use std::time::Instant;

/// Which half of a candidate is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Clear to protected.
    Protect,
    /// Protected to clear.
    Unprotect,
}

impl Operation {
    /// The word in the tables.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Protect => "protect",
            Self::Unprotect => "unprotect",
        }
    }
}

/// Times every candidate `rounds` times, in turns; the result is the median nanoseconds per packet of each.
pub(crate) fn time(
    candidates: &mut [Box<dyn Candidate>],
    operation: Operation,
    packet_bytes: usize,
    rounds: usize,
) -> Vec<f64> {
    let mut samples = vec![Vec::with_capacity(rounds); candidates.len()];
    let mut packets = block();
    // One round more than counted: the first warms caches and branch predictors.
    for round in 0..=rounds {
        for (candidate, samples) in candidates.iter_mut().zip(&mut samples) {
            for packet in &mut packets {
                candidate.write(packet, packet_bytes);
            }
            let start = Instant::now();
            candidate.protect(&mut packets);
            let mut nanoseconds = start.elapsed().as_nanos() as f64;
            if operation == Operation::Unprotect {
                let start = Instant::now();
                candidate.unprotect(&mut packets);
                nanoseconds = start.elapsed().as_nanos() as f64;
            }
            if round > 0 {
                samples.push(nanoseconds / BLOCK_PACKETS as f64);
            }
        }
    }
    samples.iter_mut().map(|samples| median(samples)).collect()
}
