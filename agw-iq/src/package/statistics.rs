//! `nt/*`, `rtp/*`, `gm/dp` and `msrpstat/*` (H.248.1 E.11, E.12; H.248.43, H.248.69): what a termination has carried.
//!
//! Version 2 keeps statistics per termination and not per stream, so the streams of a termination are added up.

use crate::ast::{PkgdName, Statistic, StatisticsDescriptor, Value};
use agw_core::model::StreamStatistics;

/// The statistics of this gateway in the order in which they are reported.
pub const NAMES: [(&str, &str); 9] = [
    ("nt", "dur"),
    ("nt", "os"),
    ("nt", "or"),
    ("rtp", "ps"),
    ("rtp", "pr"),
    ("rtp", "pl"),
    ("rtp", "jit"),
    ("rtp", "delay"),
    ("gm", "dp"),
];

/// Those of MSRP, reported after the others where there is some.
const MSRP_NAMES: [(&str, &str); 2] = [("msrpstat", "ms"), ("msrpstat", "mr")];

/// Every statistic that can be asked for.
pub fn all_names() -> impl Iterator<Item = (&'static str, &'static str)> {
    NAMES.into_iter().chain(MSRP_NAMES)
}

/// The streams of one termination added up: the longest duration, jitter and delay, the sum of counts, the loss over all packets expected.
pub fn total(streams: &[StreamStatistics]) -> StreamStatistics {
    let mut sum = StreamStatistics::default();
    let mut expected = 0.0;
    let mut lost = 0.0;
    for stream in streams {
        sum.duration_ms = sum.duration_ms.max(stream.duration_ms);
        sum.octets_sent += stream.octets_sent;
        sum.octets_received += stream.octets_received;
        sum.packets_sent += stream.packets_sent;
        sum.packets_received += stream.packets_received;
        sum.jitter_ms = sum.jitter_ms.max(stream.jitter_ms);
        sum.delay_ms = sum.delay_ms.max(stream.delay_ms);
        sum.discarded += stream.discarded;
        let messages = sum.messages.iter_mut().zip(stream.messages);
        messages.for_each(|(sum, messages)| *sum += messages);
        let share = (stream.loss_percent / 100.0).clamp(0.0, 0.999_999);
        let came = stream.packets_received as f64;
        expected += came / (1.0 - share);
        lost += came / (1.0 - share) - came;
    }
    sum.loss_percent = if expected > 0.0 { 100.0 * lost / expected } else { 0.0 };
    sum
}

/// The Statistics descriptor, with those of MSRP or without.
pub fn descriptor(statistics: &StreamStatistics, msrp: bool) -> StatisticsDescriptor {
    let messages: &[_] = if msrp { &MSRP_NAMES } else { &[] };
    NAMES.iter().chain(messages).filter_map(|(package, item)| one(statistics, package, item)).collect()
}

/// One statistic by name; `None` for a name that is not ours.
pub fn one(statistics: &StreamStatistics, package: &str, item: &str) -> Option<Statistic> {
    let value = match (package, item) {
        ("nt", "dur") => statistics.duration_ms.into(),
        ("nt", "os") => statistics.octets_sent.into(),
        ("nt", "or") => statistics.octets_received.into(),
        ("rtp", "ps") => statistics.packets_sent.into(),
        ("rtp", "pr") => statistics.packets_received.into(),
        ("rtp", "pl") => decimal(statistics.loss_percent),
        ("rtp", "jit") => decimal(statistics.jitter_ms),
        ("rtp", "delay") => decimal(statistics.delay_ms),
        ("gm", "dp") => statistics.discarded.into(),
        ("msrpstat", "ms") => statistics.messages[0].into(),
        ("msrpstat", "mr") => statistics.messages[1].into(),
        _ => return None,
    };
    Some(Statistic { name: PkgdName::new(package, item), value: vec![value] })
}

/// A double with at most two decimals and without those that say nothing.
fn decimal(number: f64) -> Value {
    let number = if number.is_finite() { number.max(0.0) } else { 0.0 };
    let text = format!("{number:.2}");
    Value::token(text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_add_up() {
        let a = StreamStatistics {
            duration_ms: 10,
            packets_received: 100,
            loss_percent: 0.0,
            jitter_ms: 1.5,
            ..Default::default()
        };
        let b = StreamStatistics {
            duration_ms: 20,
            packets_received: 50,
            loss_percent: 50.0,
            jitter_ms: 0.5,
            ..Default::default()
        };
        let sum = total(&[a, b]);
        assert_eq!((sum.duration_ms, sum.packets_received), (20, 150));
        assert!((sum.loss_percent - 25.0).abs() < 1e-9, "50 of 200 expected packets were lost");
        assert!((sum.jitter_ms - 1.5).abs() < 1e-9);
    }

    #[test]
    fn numbers_are_printed_short() {
        assert_eq!(decimal(0.0), Value::token("0"));
        assert_eq!(decimal(3.10), Value::token("3.1"));
        assert_eq!(decimal(f64::NAN), Value::token("0"));
        assert_eq!(decimal(100.0), Value::token("100"));
    }

    #[test]
    fn every_name_is_in_the_registry() {
        for (package, item) in all_names() {
            assert!(crate::package::statistic(&PkgdName::new(package, item)).is_ok(), "{package}/{item}");
            assert!(one(&StreamStatistics::default(), package, item).is_some());
        }
    }
}
