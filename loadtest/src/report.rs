//! The end of a run in numbers, and what they mean: whether the generator could be trusted and whether the bound held.
//!
//! The names of the JSON keys are a promise to scripts. A result whose generator was the bottleneck is marked invalid and never passes,
//! however good its numbers are.

use crate::dtls::report::DtlsReport;
use crate::generator::Totals;
use crate::measure::{Counts, QuantilesUs};
use crate::process::Usage;
use serde::Serialize;
use std::fmt;
use std::time::Duration;

/// How late packets may leave, at the 99th percentile, before the offered load is not what it claims to be.
pub const MAX_LATE_US_P99: f64 = 5_000.0;
/// How much of its core a generator thread may use before it is the bottleneck.
pub const MAX_CPU_RATIO: f64 = 0.95;
/// How much of the asked-for rate must really have been offered.
pub const MIN_OFFERED_SHARE: f64 = 0.99;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Asked {
    /// Gateway, as on the command line.
    pub gateway: String,
    /// Calls at once.
    pub calls: u32,
    /// Packets per second in all.
    pub pps: u64,
    /// How long packets were sent.
    pub seconds: f64,
    /// Which media.
    pub direction: String,
    /// The SRTP suite, if any; of MSRP "TLS", if any.
    pub suite: Option<String>,
    /// RTP payload bytes.
    pub payload_bytes: usize,
    /// The part of the packets that may get lost.
    pub loss_bound: f64,
}

/// How calls were set up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct SetUp {
    /// How many per second.
    pub contexts_per_second: f64,
    /// How long a reply took, at the 99th percentile.
    pub p99_ms: f64,
}

/// How the generator did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct GeneratorHealth {
    /// Part of a core that its busiest thread used.
    pub cpu_ratio: f64,
    /// How much later than planned packets left, at the 99th percentile.
    pub late_us_p99: f64,
    /// What its own receive queues lost.
    pub socket_drops: u64,
    /// Packets it gave up because it was too late.
    pub skipped: u64,
    /// Packets that the system refused to take.
    pub send_failed: u64,
}

/// What the gateway's process used.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GatewayUse {
    /// CPU time per packet that came out, in nanoseconds: all threads, while packets flowed.
    pub cpu_ns_per_packet: f64,
    /// Resident memory at the end.
    pub rss_bytes: u64,
    /// Threads at the end.
    pub threads: u64,
}

/// What became of the contexts of a `setup` run.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Contexts {
    /// Contexts per second that were asked for; 0: as fast as the gateway answers.
    pub asked_per_second: f64,
    /// How many were kept up at the same time.
    pub held: u64,
    /// How many were set up.
    pub set_up: u64,
    /// How many were torn down.
    pub torn_down: u64,
    /// How many the gateway refused or did not answer for.
    pub failed: u64,
    /// The reason of the first of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
    /// How long replies took.
    pub reply_us: QuantilesUs,
    /// The gateway's process before the run (after a warm-up of its own) and after it, where it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Usage>,
    /// The same, after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Usage>,
}

/// What became of the connections of an `msrp` run, besides its messages.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct MsrpReport {
    /// Bytes of whole messages that came out as they went in.
    pub bytes: u64,
    /// The same per second.
    pub bytes_per_second: f64,
    /// Chunks that came out.
    pub chunks: u64,
    /// Responses that say 200.
    pub responses_ok: u64,
    /// Others, and ones to nothing that was sent.
    pub responses_other: u64,
    /// From a chunk sent to its response.
    pub response_us: QuantilesUs,
    /// TLS handshakes that ended well, with the fingerprint that was told.
    pub handshakes: u64,
    /// Connections that did not come up.
    pub handshakes_failed: u64,
    /// Handshakes per second while there was nothing else to do.
    pub handshakes_per_second: f64,
    /// From TCP's SYN to the end of the handshake.
    pub handshake_us: QuantilesUs,
    /// Connections that ended before they were closed.
    pub connections_lost: u64,
    /// What failed first, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_failure: Option<String>,
    /// Resident memory of the gateway for each context with its connections up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stream_bytes: Option<u64>,
    /// The same before they were up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_bytes: Option<u64>,
}

/// One second of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Second {
    /// Seconds since the start.
    pub at: f64,
    /// Packets sent in it, per second.
    pub offered_pps: f64,
    /// Packets that came out in it, per second.
    pub received_pps: f64,
    /// Packets missing so far, those on their way included.
    pub missing: u64,
    /// Latencies in it.
    pub latency_us: QuantilesUs,
    /// How late packets left in it, at the 99th percentile.
    pub late_us_p99: f64,
}

/// One trial of a search for the highest rate.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// The rate that was asked for.
    pub pps: u64,
    /// What was lost.
    pub loss_ratio: f64,
    /// Whether the bound held with a generator that kept up.
    pub passed: bool,
    /// Whether the generator kept up.
    pub valid: bool,
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// What was asked for.
    pub asked: Asked,
    /// Packets per second that were really sent.
    pub offered_pps: f64,
    /// Packets per second that came out.
    pub received_pps: f64,
    /// Packets sent.
    pub sent: u64,
    /// Packets that came out as they went in, each counted once.
    pub received: u64,
    /// Packets that did not.
    pub lost: u64,
    /// Lost per sent.
    pub loss_ratio: f64,
    /// Came after one that was sent later.
    pub reordered: u64,
    /// Came again.
    pub duplicated: u64,
    /// Came too late to be told from duplicates.
    pub stale: u64,
    /// Came changed.
    pub corrupt: u64,
    /// Came to the wrong place.
    pub misdirected: u64,
    /// From send call to the kernel's receive time stamp at the far end.
    pub latency_us: QuantilesUs,
    /// How calls were set up.
    pub setup: SetUp,
    /// How the generator did.
    pub generator: GeneratorHealth,
    /// What the gateway used, where its process is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayUse>,
    /// Whether the generator kept up; if not, the numbers say nothing about the gateway.
    pub valid: bool,
    /// Why not.
    pub invalid_because: Vec<String>,
    /// Whether the result is valid and what was asked for held.
    pub passed: bool,
    /// What became of the contexts, when they were what was tested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contexts: Option<Contexts>,
    /// What became of the connections, when MSRP was what was tested: then packets are messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub msrp: Option<MsrpReport>,
    /// What became of the handshakes, where media had keys from them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtls: Option<DtlsReport>,
    /// The highest rate found, when one was searched for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_pps: Option<u64>,
    /// The trials of the search.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<Trial>,
    /// Every second.
    pub seconds: Vec<Second>,
}

impl Report {
    /// Judges a finished run. `sending` is how long packets were sent.
    pub fn new(asked: Asked, totals: &Totals, sending: Duration, setup: SetUp, seconds: Vec<Second>) -> Self {
        let counts = totals.counts;
        let per_second = |packets: u64| packets as f64 / sending.as_secs_f64().max(f64::MIN_POSITIVE);
        let generator = GeneratorHealth {
            cpu_ratio: totals.cpu_ratio,
            late_us_p99: totals.lateness.quantile_us(0.99),
            socket_drops: totals.socket_drops,
            skipped: counts.skipped,
            send_failed: counts.send_failed,
        };
        let offered_pps = per_second(counts.sent);
        let invalid_because = doubts(&generator, offered_pps, asked.pps);
        let valid = invalid_because.is_empty();
        Self {
            passed: valid && bound_held(&counts, asked.loss_bound),
            asked,
            offered_pps,
            received_pps: per_second(counts.received),
            sent: counts.sent,
            received: counts.received,
            lost: counts.lost(),
            loss_ratio: counts.loss_ratio(),
            reordered: counts.reordered,
            duplicated: counts.duplicated,
            stale: counts.stale,
            corrupt: counts.corrupt,
            misdirected: counts.misdirected,
            latency_us: totals.latency.quantiles(),
            setup,
            generator,
            gateway: None,
            contexts: None,
            msrp: None,
            dtls: None,
            valid,
            invalid_because,
            max_pps: None,
            trials: Vec::new(),
            seconds,
        }
    }

    /// Adds a reason why the result says nothing about the gateway.
    pub fn invalidate(&mut self, because: &str) {
        self.invalid_because.push(because.to_owned());
        (self.valid, self.passed) = (false, false);
    }
}

/// Nothing but loss within the bound may have happened, and something must have come out.
fn bound_held(counts: &Counts, loss_bound: f64) -> bool {
    let clean = counts.corrupt == 0 && counts.misdirected == 0 && counts.duplicated == 0 && counts.stale == 0;
    clean && counts.received > 0 && counts.loss_ratio() <= loss_bound
}

/// Why the generator cannot be trusted, in words; nothing when it can.
fn doubts(generator: &GeneratorHealth, offered_pps: f64, asked_pps: u64) -> Vec<String> {
    let mut doubts = Vec::new();
    if generator.socket_drops > 0 {
        doubts.push(format!("the generator's own receive queues lost {} packets", generator.socket_drops));
    }
    if generator.skipped > 0 {
        doubts.push(format!("the generator was too late for {} packets and gave them up", generator.skipped));
    }
    if generator.send_failed > 0 {
        doubts.push(format!("the system refused to send {} packets", generator.send_failed));
    }
    if generator.late_us_p99 > MAX_LATE_US_P99 {
        doubts.push(format!("1 % of the packets left more than {:.0} us late", generator.late_us_p99));
    }
    if generator.cpu_ratio > MAX_CPU_RATIO {
        doubts.push(format!("a generator thread used {:.0} % of its core", generator.cpu_ratio * 100.0));
    }
    if offered_pps < asked_pps as f64 * MIN_OFFERED_SHARE {
        doubts.push(format!("only {offered_pps:.0} of {asked_pps} packets/s were offered"));
    }
    doubts
}

impl Report {
    fn print_head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let asked = &self.asked;
        let suite = asked.suite.as_deref().unwrap_or(if self.msrp.is_some() { "no TLS" } else { "no SRTP" });
        if self.contexts.is_some() {
            return writeln!(f, "\n{}: contexts ({suite}) for {} s", asked.gateway, asked.seconds);
        }
        let what = if self.msrp.is_some() { "messages" } else { "packets" };
        writeln!(
            f,
            "\n{}: {} calls, {} ({suite}), {} bytes, {} {what}/s for {} s",
            asked.gateway, asked.calls, asked.direction, asked.payload_bytes, asked.pps, asked.seconds
        )?;
        writeln!(f, "  offered    {:>12.0} {what}/s", self.offered_pps)?;
        writeln!(f, "  received   {:>12.0} {what}/s", self.received_pps)?;
        writeln!(f, "  lost       {:>12}  ({:.4} %)", self.lost, self.loss_ratio * 100.0)?;
        writeln!(
            f,
            "  corrupt {}, misdirected {}, duplicated {}, reordered {}, stale {}",
            self.corrupt, self.misdirected, self.duplicated, self.reordered, self.stale
        )?;
        let QuantilesUs { p50, p90, p99, p999, max } = self.latency_us;
        writeln!(f, "  latency    p50 {p50:.0}  p90 {p90:.0}  p99 {p99:.0}  p99.9 {p999:.0}  max {max:.0} us")
    }
}

fn print_contexts(f: &mut fmt::Formatter<'_>, contexts: &Contexts) -> fmt::Result {
    let Contexts { set_up, torn_down, failed, held, .. } = contexts;
    writeln!(f, "  contexts   {set_up} set up, {torn_down} torn down, {failed} failed, {held} held")?;
    if let Some(reason) = &contexts.first_failure {
        writeln!(f, "  first failure: {reason}")?;
    }
    if let (Some(before), Some(after)) = (&contexts.before, &contexts.after) {
        writeln!(
            f,
            "  process    before {:.1} MB, {} files; after {:.1} MB, {} files",
            before.rss_bytes as f64 / 1e6,
            before.open_files,
            after.rss_bytes as f64 / 1e6,
            after.open_files
        )?;
        let cpu_us = after.cpu_ns.saturating_sub(before.cpu_ns) as f64 / 1e3 / (*set_up).max(1) as f64;
        writeln!(
            f,
            "  processor  {cpu_us:.1} us of the whole process for each context, set up and torn down"
        )?;
    }
    Ok(())
}

fn print_msrp(f: &mut fmt::Formatter<'_>, msrp: &MsrpReport) -> fmt::Result {
    let MsrpReport { handshakes, handshakes_failed, handshakes_per_second, connections_lost, .. } = msrp;
    writeln!(
        f,
        "  messages   {:.2} MB/s in {} chunks; responses {} good, {} others, p50 {:.0} p99 {:.0} us",
        msrp.bytes_per_second / 1e6,
        msrp.chunks,
        msrp.responses_ok,
        msrp.responses_other,
        msrp.response_us.p50,
        msrp.response_us.p99
    )?;
    writeln!(
        f,
        "  handshakes {handshakes} ({handshakes_per_second:.0}/s), {handshakes_failed} failed, {connections_lost} connections lost, \
         p50 {:.0} p99 {:.0} max {:.0} us",
        msrp.handshake_us.p50, msrp.handshake_us.p99, msrp.handshake_us.max
    )?;
    if let (Some(stream), Some(context)) = (msrp.stream_bytes, msrp.context_bytes) {
        writeln!(f, "  memory     {stream} bytes for each context with its connections, {context} without")?;
    }
    if let Some(reason) = &msrp.first_failure {
        writeln!(f, "  first failure: {reason}")?;
    }
    Ok(())
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.print_head(f)?;
        writeln!(
            f,
            "  set-up     {:.0} contexts/s, replies p99 {:.2} ms",
            self.setup.contexts_per_second, self.setup.p99_ms
        )?;
        writeln!(
            f,
            "  generator  {:.0} % of a core, late p99 {:.0} us, socket drops {}",
            self.generator.cpu_ratio * 100.0,
            self.generator.late_us_p99,
            self.generator.socket_drops
        )?;
        if let Some(contexts) = &self.contexts {
            print_contexts(f, contexts)?;
        }
        if let Some(msrp) = &self.msrp {
            print_msrp(f, msrp)?;
        }
        if let Some(dtls) = &self.dtls {
            write!(f, "{dtls}")?;
        }
        if let Some(gateway) = &self.gateway {
            writeln!(
                f,
                "  gateway    {:.0} ns CPU per packet, {:.1} MB, {} threads",
                gateway.cpu_ns_per_packet,
                gateway.rss_bytes as f64 / 1e6,
                gateway.threads
            )?;
        }
        if let Some(max_pps) = self.max_pps {
            writeln!(f, "  highest rate within {} loss: {max_pps} packets/s", self.asked.loss_bound)?;
        }
        for doubt in &self.invalid_because {
            writeln!(f, "  INVALID: {doubt}")?;
        }
        write!(f, "  {}", if self.passed { "PASSED" } else { "FAILED" })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn asked() -> Asked {
        Asked {
            gateway: "ng:127.0.0.1:2223".to_owned(),
            calls: 10,
            pps: 1000,
            seconds: 1.0,
            direction: "relay".to_owned(),
            suite: None,
            payload_bytes: 160,
            loss_bound: 0.001,
        }
    }

    fn report(counts: Counts, change: impl FnOnce(&mut Totals)) -> Report {
        let mut totals = Totals { counts, cpu_ratio: 0.5, ..Totals::default() };
        change(&mut totals);
        Report::new(asked(), &totals, Duration::from_secs(1), SetUp::default(), Vec::new())
    }

    fn good() -> Counts {
        Counts { sent: 1000, received: 1000, ..Counts::default() }
    }

    #[test]
    fn a_clean_run_passes_and_loss_within_the_bound_too() {
        assert!(report(good(), |_| ()).passed);
        assert!(report(Counts { received: 999, ..good() }, |_| ()).passed);
        assert!(!report(Counts { received: 998, ..good() }, |_| ()).passed);
    }

    #[test]
    fn what_no_network_does_by_itself_never_passes() {
        assert!(!report(Counts { corrupt: 1, ..good() }, |_| ()).passed);
        assert!(!report(Counts { misdirected: 1, ..good() }, |_| ()).passed);
        assert!(!report(Counts { duplicated: 1, ..good() }, |_| ()).passed);
        assert!(!report(Counts { stale: 1, ..good() }, |_| ()).passed);
        assert!(!report(Counts::default(), |_| ()).passed);
    }

    #[test]
    fn a_generator_that_did_not_keep_up_makes_the_result_invalid() {
        let invalid = |report: Report| !report.valid && !report.passed && report.invalid_because.len() == 1;
        assert!(invalid(report(good(), |totals| totals.socket_drops = 1)));
        assert!(invalid(report(good(), |totals| totals.cpu_ratio = 0.97)));
        assert!(invalid(report(good(), |totals| totals.lateness.record_ns(8_000_000))));
        assert!(invalid(report(Counts { skipped: 1, ..good() }, |_| ())));
        assert!(invalid(report(Counts { send_failed: 1, ..good() }, |_| ())));
        assert!(invalid(report(Counts { sent: 980, received: 980, ..good() }, |_| ())));
    }

    #[test]
    fn the_json_has_every_key_that_scripts_rely_on() {
        let mut report = report(good(), |_| ());
        report.gateway = Some(GatewayUse { cpu_ns_per_packet: 3000.0, rss_bytes: 1, threads: 2 });
        let json = serde_json::to_value(&report).unwrap();
        for key in [
            "offered_pps",
            "received_pps",
            "lost",
            "loss_ratio",
            "reordered",
            "duplicated",
            "corrupt",
            "latency_us.p50",
            "latency_us.p90",
            "latency_us.p99",
            "latency_us.p999",
            "latency_us.max",
            "setup.contexts_per_second",
            "setup.p99_ms",
            "generator.cpu_ratio",
            "generator.late_us_p99",
            "generator.socket_drops",
            "gateway.cpu_ns_per_packet",
            "gateway.rss_bytes",
            "gateway.threads",
        ] {
            let found = json.pointer(&format!("/{}", key.replace('.', "/")));
            assert!(found.is_some_and(serde_json::Value::is_number), "{key}");
        }
        report.gateway = None;
        assert!(serde_json::to_value(&report).unwrap().get("gateway").is_none());
    }
}
