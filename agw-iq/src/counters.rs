//! What has happened on Iq, for the metrics `agw_iq_*`: plain numbers, read whenever somebody asks.

use crate::ast::Verb;
use crate::errors::ErrorCode;
use std::collections::BTreeMap;
use std::time::Duration;

/// How a transaction ended, or why none began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransactionResult {
    /// Answered, every command that had to succeed did.
    Ok,
    /// Answered with an error.
    Error,
    /// Asked again: the stored reply was sent, or `Pending`.
    Duplicate,
    /// The workers did not answer in time.
    TimedOut,
}

impl TransactionResult {
    /// All of them, in metric order.
    pub const ALL: [Self; 4] = [Self::Ok, Self::Error, Self::Duplicate, Self::TimedOut];

    /// The value of the metric label `result`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error => "error",
            Self::Duplicate => "duplicate",
            Self::TimedOut => "timed_out",
        }
    }
}

/// The value of the metric label `command`.
pub const fn command_label(verb: Verb) -> &'static str {
    match verb {
        Verb::Add => "add",
        Verb::Move => "move",
        Verb::Modify => "modify",
        Verb::Subtract => "subtract",
        Verb::AuditValue => "audit_value",
        Verb::AuditCapability => "audit_capability",
        Verb::Notify => "notify",
        Verb::ServiceChange => "service_change",
    }
}

/// Upper bounds of the buckets of [`Histogram`], in microseconds; one more bucket takes what is longer.
pub const BUCKETS_US: [u64; 14] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 5_000_000,
    10_000_000,
];

/// Durations in buckets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many fell in each bucket, not cumulated; the last is without bound.
    pub counts: [u64; BUCKETS_US.len() + 1],
    /// The sum of all, in microseconds.
    pub sum_us: u64,
}

impl Histogram {
    fn record(&mut self, duration: Duration) {
        let us = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let at = BUCKETS_US.partition_point(|bound| *bound < us);
        self.counts[at] += 1;
        self.sum_us = self.sum_us.saturating_add(us);
    }

    /// How many there were.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Everything that is counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    transactions: BTreeMap<TransactionResult, u64>,
    commands: BTreeMap<(&'static str, u16), u64>,
    /// From the arrival of a request to its reply.
    pub transaction_durations: Histogram,
    /// Messages from addresses that may not command.
    pub strangers: u64,
    /// Messages not read because their peer sends too many.
    pub over_rate: u64,
    /// Messages and connections refused because nothing protects their link, where TLS must.
    pub unprotected: u64,
    /// Messages and transactions that could not be read.
    pub malformed: u64,
    /// Requests refused because the gateway is not registered (505) or another controller commands (504).
    pub out_of_turn: u64,
    /// `Pending` sent.
    pub pendings: u64,
    /// Our own requests sent again.
    pub repeated: u64,
    /// Our own requests that nobody answered.
    pub unanswered: u64,
    /// Notify sent.
    pub notifies: u64,
    /// Notify dropped because there was nobody to tell, or too many waited.
    pub notifies_dropped: u64,
    /// Events that had no room to wait in.
    pub events_lost: u64,
    /// Terminations taken out because the controller did not know them any more.
    pub hanging_released: u64,
    /// Associations lost.
    pub associations_lost: u64,
    /// Names of controllers that ceased to resolve, or did not from the start.
    pub names_unresolved: u64,
    /// Messages that the encoding of their peer has no form for.
    pub unwritable: u64,
    /// Replies too long for their transport (error 533).
    pub too_long: u64,
    /// Connections closed because they were strangers', too many or not made of TPKT packets.
    pub connections_refused: u64,
}

impl Counters {
    pub(crate) fn transaction(&mut self, result: TransactionResult) {
        *self.transactions.entry(result).or_default() += 1;
    }

    pub(crate) fn answered(&mut self, result: TransactionResult, after: Duration) {
        self.transaction(result);
        self.transaction_durations.record(after);
    }

    pub(crate) fn command(&mut self, verb: Verb, error: Option<ErrorCode>) {
        *self.commands.entry((command_label(verb), error.map_or(0, |code| code.0))).or_default() += 1;
    }

    /// Transactions by how they ended.
    pub fn transactions(&self, result: TransactionResult) -> u64 {
        self.transactions.get(&result).copied().unwrap_or_default()
    }

    /// Commands: the labels `command` and `result` (`ok`, or the error code), and how many.
    pub fn commands(&self) -> impl Iterator<Item = (&'static str, String, u64)> + '_ {
        self.commands.iter().map(|((command, code), count)| {
            let result = if *code == 0 { "ok".to_owned() } else { code.to_string() };
            (*command, result, *count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_falls_into_the_bucket_that_still_admits_it() {
        let mut histogram = Histogram::default();
        for us in [0, 250, 251, 10_000_000, 10_000_001] {
            histogram.record(Duration::from_micros(us));
        }
        assert_eq!((histogram.counts[0], histogram.counts[1]), (2, 1));
        assert_eq!((histogram.counts[13], histogram.counts[14]), (1, 1));
        assert_eq!((histogram.total(), histogram.sum_us), (5, 20_000_502));
    }
}
