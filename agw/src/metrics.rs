//! `/metrics` in the OpenMetrics text format. Nothing is counted here: workers and control keep their own numbers, and a scrape copies
//! them through `prometheus-client`'s encoder, so the media path knows nothing of metrics. Labels are legs, kinds, reasons, realms
//! and workers, all bounded; never an address, SSRC or call.

use crate::runtime::WorkerWatch;
use agw_core::model::{Leg, Malformation, TlsFailure};
use agw_core::worker::stats::{
    ConnectionEvent, Counter, DropReason, HANDSHAKE_BOUNDS_US, HandshakeProtocol, HandshakeResult,
    JITTER_BOUNDS_US, MsrpCount, PacketKind, RESIDENCE_BOUNDS_US,
};
use agw_iq::counters::BUCKETS_US;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};
use std::fmt;

/// The content type of the page.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The label `role` of handshakes, and whether that is the client.
const ROLES: [(&str, bool); 2] = [("server", false), ("client", true)];

/// Ports of one realm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealmNumbers {
    /// Its name, from the configuration.
    pub realm: String,
    /// Bound.
    pub in_use: u64,
    /// All there are.
    pub total: u64,
    /// Whether it takes new calls.
    pub in_service: bool,
}

/// A number of a family with one label.
pub type Labelled = Vec<(&'static str, u64)>;

/// What control has counted.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlNumbers {
    /// Contexts now.
    pub contexts: usize,
    /// Terminations now, in the order of [`Leg::ALL`].
    pub terminations: [usize; 2],
    /// Streams now, by transport.
    pub streams: Vec<(&'static str, usize)>,
    /// Certificates in stock, and those that had to be made while a command waited.
    pub certificates: (usize, u64),
    /// Ports.
    pub realms: Vec<RealmNumbers>,
    /// Iq transactions by result.
    pub iq_transactions: Labelled,
    /// Iq commands by name and result.
    pub iq_commands: Vec<(&'static str, String, u64)>,
    /// From a request's arrival to its reply.
    pub iq_transaction_times: agw_iq::counters::Histogram,
    /// Transactions that are remembered, and the octets that this takes.
    pub iq_reply_cache: (usize, usize),
    /// What else happened on Iq.
    pub iq_events: Labelled,
    /// Requests that wait.
    pub iq_waiting: usize,
    /// 0: no overload, 1: the controller is asked for less, 2: new calls are refused.
    pub overload_stage: u8,
    /// What makes it, measured against the first threshold.
    pub overload_loads: Vec<(&'static str, f64)>,
    /// Seconds since the start.
    pub uptime_s: f64,
}

/// The page.
///
/// # Errors
/// Only if the encoder fails.
pub fn render(control: &ControlNumbers, workers: &[WorkerWatch]) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("agw");
    registry.register_collector(Box::new(Scrape { control: control.clone(), workers: workers.to_vec() }));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)?;
    Ok(text)
}

/// One look at all numbers.
#[derive(Debug)]
struct Scrape {
    control: ControlNumbers,
    workers: Vec<WorkerWatch>,
}

impl Collector for Scrape {
    fn encode(&self, mut out: DescriptorEncoder<'_>) -> fmt::Result {
        self.packets(&mut out)?;
        self.connections(&mut out)?;
        self.handshakes(&mut out)?;
        self.msrp(&mut out)?;
        self.worker_times(&mut out)?;
        self.model(&mut out)?;
        self.iq(&mut out)?;
        let mut info = out.encode_descriptor("build", "What is running", None, MetricType::Info)?;
        info.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
        let help = "Time since the start";
        out.encode_descriptor("uptime", help, Some(&Unit::Seconds), MetricType::Gauge)?
            .encode_gauge(&self.control.uptime_s)
    }
}

impl Scrape {
    fn sum(&self, counter: Counter) -> u64 {
        self.workers.iter().map(|w| w.counters.get(counter)).sum()
    }

    fn packets(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        type Family = (&'static str, &'static str, fn(Leg, PacketKind) -> Counter);
        let families: [Family; 4] = [
            (
                "packets_received",
                "Packets that came to media ports, kernel losses included",
                Counter::Received,
            ),
            ("packets_sent", "Packets handed to the network", Counter::Sent),
            ("packets_consumed", "Packets that ended in the gateway itself", Counter::Consumed),
            ("packets_originated", "Packets that the gateway itself began", Counter::Originated),
        ];
        for (name, help, counter) in families {
            let mut family = out.encode_descriptor(name, help, None, MetricType::Counter)?;
            for (leg, kind) in Leg::ALL.iter().flat_map(|&l| PacketKind::ALL.map(|k| (l, k))) {
                let labels = [("leg", leg.as_str()), ("kind", kind.as_str())];
                count(&mut family, &labels, self.sum(counter(leg, kind)))?;
            }
        }
        let help = "Packets that went no further, by reason";
        let mut family = out.encode_descriptor("packets_dropped", help, None, MetricType::Counter)?;
        for (leg, reason) in Leg::ALL.iter().flat_map(|&l| DropReason::all().map(move |r| (l, r))) {
            let labels = [("leg", leg.as_str()), ("reason", reason.as_str())];
            count(&mut family, &labels, self.sum(Counter::Dropped(leg, reason)))?;
        }
        let lost = "RTP packets that peers sent and that never came, by their sequence numbers";
        self.of_legs(out, "bytes_received", "UDP payload received", &Counter::BytesReceived)?;
        self.of_legs(out, "bytes_sent", "UDP payload sent", &Counter::BytesSent)?;
        self.of_legs(out, "rtp_lost", lost, &Counter::Lost)
    }

    fn connections(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "What happened to connections of media over TCP";
        let mut family = out.encode_descriptor("connections", help, None, MetricType::Counter)?;
        for (leg, event) in Leg::ALL.iter().flat_map(|&l| ConnectionEvent::ALL.map(|e| (l, e))) {
            let labels = [("leg", leg.as_str()), ("event", event.as_str())];
            count(&mut family, &labels, self.sum(Counter::Connections(leg, event)))?;
        }
        let help = "Connections of media now: proven says whether they have shown who they are";
        let mut family = out.encode_descriptor("connections_open", help, None, MetricType::Gauge)?;
        let unproven = self.sum(Counter::ConnectionsUnproven);
        let proven = self.sum(Counter::ConnectionsOpen).saturating_sub(unproven);
        for (label, n) in [("no", unproven), ("yes", proven)] {
            family.encode_family(&[("proven", label)])?.encode_gauge(&n)?;
        }
        let help = "Memory in which bytes of streams over TCP wait now";
        out.encode_descriptor("stream_buffer", help, Some(&Unit::Bytes), MetricType::Gauge)?
            .encode_gauge(&self.sum(Counter::StreamBufferBytes))?;
        let received = "Bytes that came over TCP";
        self.of_legs(out, "stream_bytes_received", received, &Counter::StreamBytesReceived)?;
        self.of_legs(out, "stream_bytes_sent", "Bytes that left over TCP", &Counter::StreamBytesSent)
    }

    fn handshakes(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Handshakes of media by protocol, our role and what came of them";
        let mut family = out.encode_descriptor("handshakes", help, None, MetricType::Counter)?;
        let parties = || HandshakeProtocol::ALL.into_iter().flat_map(|p| ROLES.map(|(role, c)| (p, role, c)));
        for (protocol, role, is_client) in parties() {
            for result in HandshakeResult::all() {
                let labels = [("protocol", protocol.as_str()), ("role", role), ("result", result.as_str())];
                let counter = Counter::Handshakes { protocol, is_client, result };
                count(&mut family, &labels, self.sum(counter))?;
            }
        }
        let help = "TLS sessions of media that were up and broke, by reason";
        let mut family = out.encode_descriptor("tls_sessions_broken", help, None, MetricType::Counter)?;
        for reason in TlsFailure::ALL {
            count(&mut family, &[("reason", reason.as_str())], self.sum(Counter::SessionsBroken(reason)))?;
        }
        let help = "Time from the connection, or the first message, to the end of the handshake, of those that got there";
        let mut family =
            out.encode_descriptor("handshake", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for (protocol, role, is_client) in parties() {
            let of_bucket = |bucket| self.sum(Counter::HandshakeBucket { protocol, is_client, bucket });
            let (buckets, total) = buckets(&HANDSHAKE_BOUNDS_US, &of_bucket);
            let sum = seconds(self.sum(Counter::HandshakeSumUs { protocol, is_client }));
            family
                .encode_family(&[("protocol", protocol.as_str()), ("role", role)])?
                .encode_histogram::<NoLabelSet>(sum, total, &buckets, None)?;
        }
        Ok(())
    }

    fn msrp(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        for kind in MsrpCount::ALL {
            let (name, help) = match kind {
                MsrpCount::Chunks => {
                    ("msrp_chunks", "Requests of MSRP that came, each chunk and each report")
                }
                MsrpCount::Messages => ("msrp_messages", "Requests of MSRP that came and ended a message"),
                MsrpCount::Responses => ("msrp_responses", "Responses of MSRP that came"),
                MsrpCount::Bytes => ("msrp_bytes", "Bytes of MSRP that came and went on"),
            };
            self.of_legs(out, name, help, &|leg| Counter::Msrp(leg, kind))?;
        }
        let help = "Streams that ended because what came is not what their transport says";
        let mut family = out.encode_descriptor("streams_malformed", help, None, MetricType::Counter)?;
        for (leg, what) in Leg::ALL.iter().flat_map(|&l| Malformation::ALL.map(|m| (l, m))) {
            let labels =
                [("leg", leg.as_str()), ("application", what.application()), ("reason", what.as_str())];
            count(&mut family, &labels, self.sum(Counter::Malformed(leg, what)))?;
        }
        Ok(())
    }

    fn of_legs(
        &self,
        out: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        counter: &dyn Fn(Leg) -> Counter,
    ) -> fmt::Result {
        let mut family = out.encode_descriptor(name, help, None, MetricType::Counter)?;
        for leg in Leg::ALL {
            count(&mut family, &[("leg", leg.as_str())], self.sum(counter(leg)))?;
        }
        Ok(())
    }

    fn worker_times(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Share of its time that a worker has worked, over the last ten seconds";
        let mut family = out.encode_descriptor("worker_busy_ratio", help, None, MetricType::Gauge)?;
        for watch in &self.workers {
            family
                .encode_family(&[("worker", watch.worker.to_string())])?
                .encode_gauge(&watch.busy_ratio())?;
        }
        let residence = "Time from the kernel's receive time stamp to the send, sampled";
        let of_bucket = |b| self.sum(Counter::ResidenceBucket(b));
        let sum_us = self.sum(Counter::ResidenceSumUs);
        histogram(out, "packet_residence", residence, &RESIDENCE_BOUNDS_US, &of_bucket, sum_us)?;

        let help = "Interarrival jitter of RTP (RFC 3550), sampled";
        let mut family =
            out.encode_descriptor("rtp_jitter", help, Some(&Unit::Seconds), MetricType::Histogram)?;
        for leg in Leg::ALL {
            let (buckets, total) = buckets(&JITTER_BOUNDS_US, &|b| self.sum(Counter::JitterBucket(leg, b)));
            let sum = seconds(self.sum(Counter::JitterSumUs(leg)));
            family
                .encode_family(&[("leg", leg.as_str())])?
                .encode_histogram::<NoLabelSet>(sum, total, &buckets, None)?;
        }
        Ok(())
    }

    fn model(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let control = &self.control;
        out.encode_descriptor("contexts", "Contexts now", None, MetricType::Gauge)?
            .encode_gauge(&control.contexts)?;
        let mut family =
            out.encode_descriptor("terminations", "Terminations now", None, MetricType::Gauge)?;
        for (leg, n) in Leg::ALL.iter().zip(control.terminations) {
            family.encode_family(&[("leg", leg.as_str())])?.encode_gauge(&n)?;
        }
        let mut family = out.encode_descriptor("streams", "Streams now", None, MetricType::Gauge)?;
        for (transport, n) in &control.streams {
            family.encode_family(&[("transport", *transport)])?.encode_gauge(n)?;
        }
        let mut family =
            out.encode_descriptor("ports_in_use", "Ports bound by calls", None, MetricType::Gauge)?;
        for realm in &control.realms {
            family.encode_family(&[("realm", realm.realm.as_str())])?.encode_gauge(&realm.in_use)?;
        }
        let mut family =
            out.encode_descriptor("ports_total", "Ports of the realm", None, MetricType::Gauge)?;
        for realm in &control.realms {
            family.encode_family(&[("realm", realm.realm.as_str())])?.encode_gauge(&realm.total)?;
        }
        let (ready, late) = control.certificates;
        out.encode_descriptor("certificates_ready", "Certificates in stock", None, MetricType::Gauge)?
            .encode_gauge(&ready)?;
        let help = "Certificates that were made while a command waited, because none was in stock";
        out.encode_descriptor("certificates_late", help, None, MetricType::Counter)?
            .encode_counter::<NoLabelSet, _, u64>(&late, None)?;
        let help = "1 while the realm takes new calls, 0 while it is out of service";
        let mut family = out.encode_descriptor("realm_in_service", help, None, MetricType::Gauge)?;
        for realm in &control.realms {
            let value = u64::from(realm.in_service);
            family.encode_family(&[("realm", realm.realm.as_str())])?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn iq(&self, out: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let control = &self.control;
        let help = "Iq transaction requests by what came of them";
        let mut family = out.encode_descriptor("iq_transactions", help, None, MetricType::Counter)?;
        for (result, n) in &control.iq_transactions {
            count(&mut family, &[("result", result)], *n)?;
        }
        let help = "Iq commands by what came of them";
        let mut family = out.encode_descriptor("iq_commands", help, None, MetricType::Counter)?;
        for (command, result, n) in &control.iq_commands {
            count(&mut family, &[("command", command), ("result", result)], *n)?;
        }
        let help = "What else happened on Iq: messages not obeyed, repeated, not answered, and the like";
        let mut family = out.encode_descriptor("iq_events", help, None, MetricType::Counter)?;
        for (event, n) in &control.iq_events {
            count(&mut family, &[("event", event)], *n)?;
        }
        let help = "Iq requests that wait for their turn";
        out.encode_descriptor("iq_waiting_requests", help, None, MetricType::Gauge)?
            .encode_gauge(&control.iq_waiting)?;
        let help = "0: normal, 1: controllers are asked for less, 2: new calls without privilege are refused";
        out.encode_descriptor("iq_overload_stage", help, None, MetricType::Gauge)?
            .encode_gauge(&u32::from(control.overload_stage))?;
        let help = "The load by what makes it: 1 at the first threshold, 2 at the second";
        let mut family = out.encode_descriptor("iq_overload_load", help, None, MetricType::Gauge)?;
        for (signal, load) in &control.overload_loads {
            family.encode_family(&[("signal", *signal)])?.encode_gauge(load)?;
        }
        let (transactions, bytes) = control.iq_reply_cache;
        let help = "Transactions that are remembered, so that none is executed twice";
        out.encode_descriptor("iq_reply_cache_transactions", help, None, MetricType::Gauge)?
            .encode_gauge(&transactions)?;
        let help = "Memory that remembering them and their replies takes";
        out.encode_descriptor("iq_reply_cache", help, Some(&Unit::Bytes), MetricType::Gauge)?
            .encode_gauge(&bytes)?;
        let times = &control.iq_transaction_times;
        let of_bucket = |b: usize| times.counts.get(b).copied().unwrap_or(0);
        let help = "Time from a request's arrival to its reply";
        histogram(out, "iq_transaction", help, &BUCKETS_US, &of_bucket, times.sum_us)
    }
}

fn count<const N: usize>(family: &mut MetricEncoder<'_>, labels: &[(&str, &str); N], n: u64) -> fmt::Result {
    family.encode_family(labels)?.encode_counter::<NoLabelSet, _, u64>(&n, None)
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

fn buckets(bounds_us: &[u64], of_bucket: &dyn Fn(usize) -> u64) -> (Vec<(f64, u64)>, u64) {
    let bounds = bounds_us.iter().map(|&us| seconds(us)).chain([f64::INFINITY]);
    let buckets: Vec<(f64, u64)> = bounds.enumerate().map(|(i, bound)| (bound, of_bucket(i))).collect();
    let total = buckets.iter().map(|(_, n)| n).sum();
    (buckets, total)
}

fn histogram(
    out: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    bounds_us: &[u64],
    of_bucket: &dyn Fn(usize) -> u64,
    sum_us: u64,
) -> fmt::Result {
    let (buckets, total) = buckets(bounds_us, of_bucket);
    out.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?
        .encode_histogram::<NoLabelSet>(seconds(sum_us), total, &buckets, None)
}
