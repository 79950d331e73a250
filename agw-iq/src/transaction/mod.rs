//! Transactions (H.248.1 section 8.2, Annex D.1): each request is executed at most once and answered as long as anybody may ask again.
//!
//! [`inbound`] remembers what peers have asked and what they were told; [`outbound`] repeats what we ask until it is answered or given up.

pub mod inbound;
pub(crate) mod outbound;

use std::time::Duration;

/// How long a reply is kept, and an identifier is not used again: LONG-TIMER (Annex D.1.1).
pub const LONG_TIMER: Duration = Duration::from_secs(30);
/// The most transactions in one message (TS 29.334 clause 5.10).
pub const MAX_TRANSACTIONS_PER_MESSAGE: usize = 10;
/// The greatest identifier; the two above it are reserved.
pub const MAX_TRANSACTION_ID: u32 = 0xFFFF_FFFD;
