//! The numbers of all rounds and what follows from them.

use crate::gateway::Kind;
use serde_json::{Value, json};
use std::fmt;

/// What one run measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) cpu_ns_per_packet: f64,
    pub(crate) loss_ratio: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    pub(crate) rss_bytes: f64,
    pub(crate) generator_cpu: f64,
    /// Nothing was corrupted, duplicated or misdirected and loss was within the bound.
    pub(crate) passed: bool,
}

impl Outcome {
    /// Takes the numbers from a report of agw-loadtest; `None` if one is missing.
    pub(crate) fn read(report: &Value) -> Option<Self> {
        let number = |path: &str| report.pointer(path).and_then(Value::as_f64);
        Some(Self {
            cpu_ns_per_packet: number("/gateway/cpu_ns_per_packet")?,
            loss_ratio: number("/loss_ratio")?,
            p50_us: number("/latency_us/p50")?,
            p99_us: number("/latency_us/p99")?,
            rss_bytes: number("/gateway/rss_bytes")?,
            generator_cpu: number("/generator/cpu_ratio")?,
            passed: report.get("passed")?.as_bool()?,
        })
    }

    pub(crate) fn line(&self, kind: Kind, pps: u64) -> String {
        format!(
            "{:>9} at {pps:>7}/s: {:>6.0} ns/packet, loss {:.5} %, p50 {:>4.0} us, p99 {:>5.0} us, generator at {:.0} % of its core{}",
            kind.name(),
            self.cpu_ns_per_packet,
            self.loss_ratio * 100.0,
            self.p50_us,
            self.p99_us,
            self.generator_cpu * 100.0,
            if self.passed { "" } else { "  FAILED" }
        )
    }
}

/// One rate.
struct Rate {
    pps: u64,
    bound: f64,
    outcomes: [Vec<Outcome>; 2],
}

/// All rates.
pub(crate) struct Comparison(Vec<Rate>);

impl Comparison {
    pub(crate) fn new(rates: &[(u64, f64)]) -> Self {
        Self(
            rates
                .iter()
                .map(|&(pps, bound)| Rate { pps, bound, outcomes: [Vec::new(), Vec::new()] })
                .collect(),
        )
    }

    pub(crate) fn add(&mut self, kind: Kind, pps: u64, outcome: Outcome) {
        for rate in self.0.iter_mut().filter(|rate| rate.pps == pps) {
            rate.outcomes[kind as usize].push(outcome);
        }
    }

    /// Whether at every rate our median is within its bound and our runs passed.
    pub(crate) fn bounds_held(&self) -> bool {
        self.0.iter().all(|rate| {
            let ours_passed = rate.outcomes[Kind::Agw as usize].iter().all(|outcome| outcome.passed);
            ours_passed && rate.ratio().is_some_and(|ratio| ratio <= rate.bound)
        })
    }

    pub(crate) fn to_json(&self) -> Value {
        let side = |rate: &Rate, kind: Kind| {
            let outcomes = &rate.outcomes[kind as usize];
            let all = |pick: fn(&Outcome) -> f64| outcomes.iter().map(pick).collect::<Vec<_>>();
            json!({
                "cpu_ns_per_packet": all(|outcome| outcome.cpu_ns_per_packet),
                "median_cpu_ns_per_packet": median(outcomes, |outcome| outcome.cpu_ns_per_packet),
                "loss_ratio": all(|outcome| outcome.loss_ratio),
                "p50_us": all(|outcome| outcome.p50_us),
                "p99_us": all(|outcome| outcome.p99_us),
                "rss_bytes": all(|outcome| outcome.rss_bytes),
            })
        };
        let rates = self.0.iter().map(|rate| {
            json!({
                "pps": rate.pps,
                "agw": side(rate, Kind::Agw),
                "rtpengine": side(rate, Kind::Rtpengine),
                "ratio": rate.ratio(),
                "bound": rate.bound,
            })
        });
        Value::Array(rates.collect())
    }
}

impl Rate {
    /// Our median over theirs.
    fn ratio(&self) -> Option<f64> {
        let [ours, theirs] = &self.outcomes;
        let cpu = |outcome: &Outcome| outcome.cpu_ns_per_packet;
        Some(median(ours, cpu)? / median(theirs, cpu).filter(|&theirs| theirs > 0.0)?)
    }
}

fn median(outcomes: &[Outcome], pick: impl Fn(&Outcome) -> f64) -> Option<f64> {
    let mut values: Vec<f64> = outcomes.iter().map(pick).collect();
    values.sort_by(f64::total_cmp);
    let (low, high) = (values.get(values.len().checked_sub(1)? / 2)?, values.get(values.len() / 2)?);
    Some((low + high) / 2.0)
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "medians        agw ns/packet   rtpengine ns/packet   ratio   bound")?;
        let cpu = |outcome: &Outcome| outcome.cpu_ns_per_packet;
        for rate in &self.0 {
            let shown = |value: Option<f64>, digits: usize| {
                value.map_or("-".to_owned(), |value| format!("{value:.digits$}"))
            };
            let [ours, theirs] = &rate.outcomes;
            writeln!(
                f,
                "{:>9}/s {:>16} {:>21} {:>7} {:>7.2}",
                rate.pps,
                shown(median(ours, cpu), 0),
                shown(median(theirs, cpu), 0),
                shown(rate.ratio(), 3),
                rate.bound
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(cpu_ns_per_packet: f64) -> Outcome {
        let report = json!({
            "gateway": { "cpu_ns_per_packet": cpu_ns_per_packet, "rss_bytes": 1 }, "loss_ratio": 0.0,
            "latency_us": { "p50": 1.0, "p99": 2.0 }, "generator": { "cpu_ratio": 0.5 }, "passed": true,
        });
        Outcome::read(&report).unwrap()
    }

    fn comparison(ours: &[f64], theirs: &[f64]) -> Comparison {
        let mut comparison = Comparison::new(&[(50_000, 0.55)]);
        ours.iter().for_each(|&cpu| comparison.add(Kind::Agw, 50_000, outcome(cpu)));
        theirs.iter().for_each(|&cpu| comparison.add(Kind::Rtpengine, 50_000, outcome(cpu)));
        comparison
    }

    #[test]
    fn the_ratio_is_that_of_the_medians() {
        let comparison = comparison(&[5000.0, 90_000.0, 5100.0], &[10_000.0, 10_400.0]);
        assert_eq!(comparison.0[0].ratio(), Some(0.5));
        assert!(comparison.bounds_held());
    }

    #[test]
    fn a_bound_that_is_exceeded_or_unknown_is_not_held() {
        assert!(!comparison(&[5700.0], &[10_000.0]).bounds_held());
        assert!(!comparison(&[5000.0], &[]).bounds_held());
        assert!(!comparison(&[], &[5000.0]).bounds_held());
    }

    #[test]
    fn a_run_of_ours_that_lost_packets_is_not_saved_by_its_speed() {
        let mut comparison = comparison(&[1000.0], &[10_000.0]);
        comparison.add(Kind::Agw, 50_000, Outcome { passed: false, ..outcome(1000.0) });
        assert!(!comparison.bounds_held());
    }

    #[test]
    fn a_report_without_the_gateways_process_has_no_outcome() {
        assert_eq!(Outcome::read(&json!({ "loss_ratio": 0.0 })), None);
    }
}
