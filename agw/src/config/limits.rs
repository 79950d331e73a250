//! `[limits]`: how much there may be, what is kept for whom, and when it is too much.

use super::values::Bytes;
use serde::{Deserialize, Serialize};

/// `[limits]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Contexts at a time.
    pub contexts: u32,
    /// Per cent that only privileged contexts may take.
    pub emergency_reserve: u8,
    /// The least priority that is high; 16: none.
    pub high_priority: u8,
    /// Resident memory above which no new context is made; 0: none.
    pub memory: Bytes,
    /// Rates.
    pub rates: Rates,
    /// When there is too much to do.
    pub overload: Overload,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            contexts: 20_000,
            emergency_reserve: 3,
            high_priority: 8,
            memory: Bytes(0),
            rates: Rates::default(),
            overload: Overload::default(),
        }
    }
}

/// `[limits.overload]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Overload {
    /// How late control is.
    pub lag_ms: Threshold,
    /// Requests that wait, of those that may.
    pub queue_percent: Threshold,
    /// The time at work of the busiest worker.
    pub busy_percent: Threshold,
    /// Contexts or ports in use.
    pub use_percent: Threshold,
}

/// From the first on the controller is asked for less, from the second on new calls are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threshold(pub [u32; 2]);

impl Default for Overload {
    fn default() -> Self {
        Self {
            lag_ms: Threshold([50, 250]),
            queue_percent: Threshold([40, 80]),
            busy_percent: Threshold([85, 97]),
            use_percent: Threshold([90, 98]),
        }
    }
}

/// `[limits.rates]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rates {
    /// Iq messages a second from each controller; 0: no limit.
    pub iq_messages_per_second: u32,
}

impl Default for Rates {
    fn default() -> Self {
        Self { iq_messages_per_second: 50_000 }
    }
}
