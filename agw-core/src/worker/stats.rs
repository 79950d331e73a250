//! What a worker counts. The worker keeps plain numbers in a [`Tally`] and publishes them once a turn into its [`WorkerCounters`], one
//! writer and any number of readers, so that no packet pays for an atomic.
//!
//! The sums (proven by tests): over both legs, once traffic has stopped, `received = sent - originated + consumed + dropped`. A
//! packet is dropped on the leg it came from, so the sum holds per entry leg too, with `sent` taken at the other. Datagrams that a
//! receive queue lost count as received, of kind `other`, and dropped at once, so that they do not break the sum. Bytes are those
//! of UDP payloads.

mod handshakes;
mod tcp;

pub use handshakes::HandshakeProtocol;
pub use tcp::{ConnectionEvent, HandshakeResult, MsrpCount};

use crate::model::{Leg, Malformation, TlsFailure};
use agw_srtp::Error as SrtpError;
use std::sync::atomic::{AtomicU64, Ordering};

/// The metric label `kind`: what a packet was on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PacketKind {
    /// RTP in the clear.
    Rtp,
    /// RTCP in the clear.
    Rtcp,
    /// SRTP that is ended here.
    Srtp,
    /// SRTCP that is ended here.
    Srtcp,
    /// Connectivity checks and their answers.
    Stun,
    /// DTLS.
    Dtls,
    /// Relayed unseen.
    Udp,
    /// On a media port, and none of these; or nobody knows, because the packet was lost.
    Other,
}

impl PacketKind {
    /// Every kind, in metric order.
    pub const ALL: [Self; 8] =
        [Self::Rtp, Self::Rtcp, Self::Srtp, Self::Srtcp, Self::Stun, Self::Dtls, Self::Udp, Self::Other];

    /// The metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rtp => "rtp",
            Self::Rtcp => "rtcp",
            Self::Srtp => "srtp",
            Self::Srtcp => "srtcp",
            Self::Stun => "stun",
            Self::Dtls => "dtls",
            Self::Udp => "udp",
            Self::Other => "other",
        }
    }
}

/// The metric label `reason`: why a packet went no further.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropReason {
    /// No flow listens on the port (yet, or any more).
    NoFlow,
    /// Longer than a slot holds.
    TooLong,
    /// Neither RTP nor RTCP, on a port for these.
    NotRtp,
    /// RTP or RTCP whose lengths are wrong.
    Malformed,
    /// The source is not listened to.
    Source,
    /// The peer sent more than policing allows.
    Policed,
    /// The mode of one of the two streams forbids it.
    Gate,
    /// No flow at the other side, or not one that fits.
    NoPeer,
    /// The key of this direction has not come yet.
    NoKey,
    /// Where to send it is not known.
    NoRemote,
    /// The other side has no RTCP port.
    NoRtcpPort,
    /// Lost in a full receive queue, below us.
    ReceiveOverflow,
    /// The system refused to send it.
    SendFailed,
    /// Lost because a send queue was full.
    SendFull,
    /// It begins like STUN and is none.
    StunMalformed,
    /// STUN of somebody who does not know our password.
    StunStranger,
    /// DTLS from an address that neither a connectivity check nor Iq vouches for.
    DtlsStranger,
    /// DTLS that no association wants: a ClientHello while one is up, or anything after one has failed.
    DtlsUnwanted,
    /// More DTLS than the worker has room to keep until its turn comes.
    HandshakesFull,
    /// The peer has not renewed its consent to be sent to (RFC 7675).
    NoConsent,
    /// On a shared port, and for none of the streams that share it.
    NoMember,
    /// Its format has no counterpart at the other side.
    NoFormat,
    /// Nothing but feedback, for a peer that has agreed on none.
    Feedback,
    /// SRTP refused it.
    Srtp(SrtpError),
}

const OWN_REASONS: [DropReason; 23] = [
    DropReason::NoFlow,
    DropReason::TooLong,
    DropReason::NotRtp,
    DropReason::Malformed,
    DropReason::Source,
    DropReason::Gate,
    DropReason::NoPeer,
    DropReason::NoKey,
    DropReason::NoRemote,
    DropReason::NoRtcpPort,
    DropReason::ReceiveOverflow,
    DropReason::SendFailed,
    DropReason::SendFull,
    DropReason::Policed,
    DropReason::StunMalformed,
    DropReason::StunStranger,
    DropReason::DtlsStranger,
    DropReason::DtlsUnwanted,
    DropReason::HandshakesFull,
    DropReason::NoConsent,
    DropReason::NoMember,
    DropReason::NoFormat,
    DropReason::Feedback,
];
const REASONS: usize = OWN_REASONS.len() + SrtpError::ALL.len();

impl DropReason {
    /// Every reason, in metric order.
    pub fn all() -> impl Iterator<Item = Self> {
        OWN_REASONS.into_iter().chain(SrtpError::ALL.into_iter().map(Self::Srtp))
    }

    /// The metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoFlow => "no_flow",
            Self::TooLong => "too_long",
            Self::NotRtp => "not_rtp",
            Self::Malformed => "malformed",
            Self::Source => "source",
            Self::Gate => "gate",
            Self::NoPeer => "no_peer",
            Self::NoKey => "no_key",
            Self::NoRemote => "no_remote",
            Self::NoRtcpPort => "no_rtcp_port",
            Self::ReceiveOverflow => "receive_overflow",
            Self::SendFailed => "send_failed",
            Self::SendFull => "send_full",
            Self::Policed => "policed",
            Self::StunMalformed => "stun_malformed",
            Self::StunStranger => "stun_stranger",
            Self::DtlsStranger => "dtls_stranger",
            Self::DtlsUnwanted => "dtls_unwanted",
            Self::HandshakesFull => "handshakes_full",
            Self::NoConsent => "no_consent",
            Self::NoMember => "no_member",
            Self::NoFormat => "no_format",
            Self::Feedback => "feedback",
            Self::Srtp(error) => error.as_str(),
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::NoFlow => 0,
            Self::TooLong => 1,
            Self::NotRtp => 2,
            Self::Malformed => 3,
            Self::Source => 4,
            Self::Gate => 5,
            Self::NoPeer => 6,
            Self::NoKey => 7,
            Self::NoRemote => 8,
            Self::NoRtcpPort => 9,
            Self::ReceiveOverflow => 10,
            Self::SendFailed => 11,
            Self::SendFull => 12,
            Self::Policed => 13,
            Self::StunMalformed => 14,
            Self::StunStranger => 15,
            Self::DtlsStranger => 16,
            Self::DtlsUnwanted => 17,
            Self::HandshakesFull => 18,
            Self::NoConsent => 19,
            Self::NoMember => 20,
            Self::NoFormat => 21,
            Self::Feedback => 22,
            Self::Srtp(error) => OWN_REASONS.len() + error as usize,
        }
    }
}

/// Upper bounds of the buckets of `agw_packet_residence_seconds`, in microseconds; one more bucket has no bound.
pub const RESIDENCE_BOUNDS_US: [u64; 13] =
    [10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000];
/// Upper bounds of the buckets of `agw_rtp_jitter_seconds`, in microseconds; one more bucket has no bound.
pub const JITTER_BOUNDS_US: [u64; 10] =
    [500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000];

/// Upper bounds of the buckets of `agw_handshake_seconds`, in microseconds; one more bucket has no bound.
pub const HANDSHAKE_BOUNDS_US: [u64; 12] =
    [1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000];

/// One number that a worker counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// `agw_packets_received_total`.
    Received(Leg, PacketKind),
    /// `agw_packets_sent_total`.
    Sent(Leg, PacketKind),
    /// `agw_packets_consumed_total`: ended here.
    Consumed(Leg, PacketKind),
    /// `agw_packets_originated_total`: begun here.
    Originated(Leg, PacketKind),
    /// `agw_packets_dropped_total`.
    Dropped(Leg, DropReason),
    /// `agw_bytes_received_total`.
    BytesReceived(Leg),
    /// `agw_bytes_sent_total`.
    BytesSent(Leg),
    /// `agw_rtp_lost_total`.
    Lost(Leg),
    /// Observations of `agw_rtp_jitter_seconds` in one bucket (index into [`JITTER_BOUNDS_US`], or one more); not cumulative.
    JitterBucket(Leg, usize),
    /// Sum of these observations, in microseconds.
    JitterSumUs(Leg),
    /// Observations of `agw_packet_residence_seconds` in one bucket (index into [`RESIDENCE_BOUNDS_US`], or one more); not cumulative.
    ResidenceBucket(usize),
    /// Sum of these observations, in microseconds.
    ResidenceSumUs,
    /// `agw_connections_total`.
    Connections(Leg, ConnectionEvent),
    /// `agw_handshakes_total`: of what, whether we were the client, and what came of it.
    Handshakes {
        /// Label `protocol`.
        protocol: HandshakeProtocol,
        /// Label `role`.
        is_client: bool,
        /// Label `result`.
        result: HandshakeResult,
    },
    /// Observations of `agw_handshake_seconds` in one bucket (index into [`HANDSHAKE_BOUNDS_US`], or one more); not cumulative.
    HandshakeBucket {
        /// Label `protocol`.
        protocol: HandshakeProtocol,
        /// Label `role`.
        is_client: bool,
        /// Which one.
        bucket: usize,
    },
    /// Sum of these observations, in microseconds.
    HandshakeSumUs {
        /// Label `protocol`.
        protocol: HandshakeProtocol,
        /// Label `role`.
        is_client: bool,
    },
    /// `agw_msrp_chunks_total` and its like: of MSRP that came on a leg.
    Msrp(Leg, MsrpCount),
    /// `agw_streams_malformed_total`: bytes that came on a leg and ended their stream.
    Malformed(Leg, Malformation),
    /// `agw_stream_bytes_received_total`: of TCP, as they came over the wire.
    StreamBytesReceived(Leg),
    /// `agw_stream_bytes_sent_total`.
    StreamBytesSent(Leg),
    /// `agw_tls_sessions_broken_total`: sessions that were up.
    SessionsBroken(TlsFailure),
    /// Connections now; a gauge.
    ConnectionsOpen,
    /// Those of them that have not shown who they are; a gauge.
    ConnectionsUnproven,
    /// Memory in which bytes of streams wait; a gauge.
    StreamBufferBytes,
    /// Microseconds between a wake-up and the end of its work.
    BusyUs,
    /// Microseconds since the worker began to turn.
    ElapsedUs,
    /// Turns made.
    Turns,
    /// Flows installed now; a gauge.
    Flows,
    /// Flows over TCP installed now; a gauge.
    TcpFlows,
    /// Times that orders had to wait because the ring of answers was full.
    AnswersFull,
}

const LEGS: usize = Leg::ALL.len();
const CONNECTION_EVENTS: usize = ConnectionEvent::ALL.len();
const KINDS: usize = PacketKind::ALL.len();
const JITTER_BUCKETS: usize = JITTER_BOUNDS_US.len() + 1;
const RESIDENCE_BUCKETS: usize = RESIDENCE_BOUNDS_US.len() + 1;

const RECEIVED_AT: usize = 0;
const SENT_AT: usize = RECEIVED_AT + LEGS * KINDS;
const CONSUMED_AT: usize = SENT_AT + LEGS * KINDS;
const ORIGINATED_AT: usize = CONSUMED_AT + LEGS * KINDS;
const DROPPED_AT: usize = ORIGINATED_AT + LEGS * KINDS;
const BYTES_RECEIVED_AT: usize = DROPPED_AT + LEGS * REASONS;
const BYTES_SENT_AT: usize = BYTES_RECEIVED_AT + LEGS;
const LOST_AT: usize = BYTES_SENT_AT + LEGS;
const JITTER_AT: usize = LOST_AT + LEGS;
const JITTER_SUM_AT: usize = JITTER_AT + LEGS * JITTER_BUCKETS;
const RESIDENCE_AT: usize = JITTER_SUM_AT + LEGS;
const RESIDENCE_SUM_AT: usize = RESIDENCE_AT + RESIDENCE_BUCKETS;
const CONNECTIONS_AT: usize = RESIDENCE_SUM_AT + 10;
const STREAM_RECEIVED_AT: usize = CONNECTIONS_AT + LEGS * CONNECTION_EVENTS;
const STREAM_SENT_AT: usize = STREAM_RECEIVED_AT + LEGS;
const HANDSHAKES_AT: usize = STREAM_SENT_AT + LEGS;
/// Each protocol in both roles.
const HANDSHAKE_PARTIES: usize = 2 * HandshakeProtocol::ALL.len();
const HANDSHAKE_BUCKETS: usize = HANDSHAKE_BOUNDS_US.len() + 1;
const HANDSHAKE_BUCKETS_AT: usize = HANDSHAKES_AT + HANDSHAKE_PARTIES * HandshakeResult::COUNT;
const HANDSHAKE_SUM_AT: usize = HANDSHAKE_BUCKETS_AT + HANDSHAKE_PARTIES * HANDSHAKE_BUCKETS;
const MSRP_AT: usize = HANDSHAKE_SUM_AT + HANDSHAKE_PARTIES;
const MALFORMED_AT: usize = MSRP_AT + LEGS * MsrpCount::ALL.len();
const BROKEN_AT: usize = MALFORMED_AT + LEGS * Malformation::ALL.len();
const COUNTERS: usize = BROKEN_AT + TlsFailure::ALL.len();

const fn leg(leg: Leg) -> usize {
    match leg {
        Leg::Access => 0,
        Leg::Core => 1,
    }
}

const fn bucket(index: usize, buckets: usize) -> usize {
    if index < buckets { index } else { buckets - 1 }
}

const fn party(protocol: HandshakeProtocol, is_client: bool) -> usize {
    2 * protocol as usize + is_client as usize
}

impl Counter {
    const fn index(self) -> usize {
        match self {
            Self::Received(l, k) => RECEIVED_AT + leg(l) * KINDS + k as usize,
            Self::Sent(l, k) => SENT_AT + leg(l) * KINDS + k as usize,
            Self::Consumed(l, k) => CONSUMED_AT + leg(l) * KINDS + k as usize,
            Self::Originated(l, k) => ORIGINATED_AT + leg(l) * KINDS + k as usize,
            Self::Dropped(l, r) => DROPPED_AT + leg(l) * REASONS + r.index(),
            Self::BytesReceived(l) => BYTES_RECEIVED_AT + leg(l),
            Self::BytesSent(l) => BYTES_SENT_AT + leg(l),
            Self::Lost(l) => LOST_AT + leg(l),
            Self::JitterBucket(l, b) => JITTER_AT + leg(l) * JITTER_BUCKETS + bucket(b, JITTER_BUCKETS),
            Self::JitterSumUs(l) => JITTER_SUM_AT + leg(l),
            Self::ResidenceBucket(b) => RESIDENCE_AT + bucket(b, RESIDENCE_BUCKETS),
            Self::ResidenceSumUs => RESIDENCE_SUM_AT,
            Self::BusyUs => RESIDENCE_SUM_AT + 1,
            Self::ElapsedUs => RESIDENCE_SUM_AT + 2,
            Self::Turns => RESIDENCE_SUM_AT + 3,
            Self::Flows => RESIDENCE_SUM_AT + 4,
            Self::AnswersFull => RESIDENCE_SUM_AT + 5,
            Self::TcpFlows => RESIDENCE_SUM_AT + 6,
            Self::ConnectionsOpen => RESIDENCE_SUM_AT + 7,
            Self::ConnectionsUnproven => RESIDENCE_SUM_AT + 8,
            Self::StreamBufferBytes => RESIDENCE_SUM_AT + 9,
            Self::SessionsBroken(failure) => BROKEN_AT + failure.index(),
            Self::Connections(l, e) => CONNECTIONS_AT + leg(l) * CONNECTION_EVENTS + e as usize,
            Self::Handshakes { protocol, is_client, result } => {
                HANDSHAKES_AT + HandshakeResult::COUNT * party(protocol, is_client) + result.index()
            }
            Self::HandshakeBucket { protocol, is_client, bucket: b } => {
                let party = party(protocol, is_client);
                HANDSHAKE_BUCKETS_AT + HANDSHAKE_BUCKETS * party + bucket(b, HANDSHAKE_BUCKETS)
            }
            Self::HandshakeSumUs { protocol, is_client } => HANDSHAKE_SUM_AT + party(protocol, is_client),
            Self::Malformed(l, m) => MALFORMED_AT + leg(l) * Malformation::ALL.len() + m.index(),
            Self::Msrp(l, count) => MSRP_AT + leg(l) * MsrpCount::ALL.len() + count as usize,
            Self::StreamBytesReceived(l) => STREAM_RECEIVED_AT + leg(l),
            Self::StreamBytesSent(l) => STREAM_SENT_AT + leg(l),
        }
    }
}

/// The worker's own numbers.
#[derive(Debug)]
pub struct Tally(Box<[u64; COUNTERS]>);

impl Tally {
    /// All zero.
    pub fn new() -> Self {
        Self(Box::new([0; COUNTERS]))
    }

    /// Adds.
    pub fn add(&mut self, counter: Counter, n: u64) {
        let cell = &mut self.0[counter.index()];
        *cell = cell.wrapping_add(n);
    }

    /// Sets a gauge.
    pub fn set(&mut self, gauge: Counter, value: u64) {
        self.0[gauge.index()] = value;
    }

    /// Puts one observation into the histogram of residence times.
    pub fn observe_residence(&mut self, us: u64) {
        let bucket = RESIDENCE_BOUNDS_US.partition_point(|bound| *bound < us);
        self.add(Counter::ResidenceBucket(bucket), 1);
        self.add(Counter::ResidenceSumUs, us);
    }

    /// Puts one observation into the histogram of the time that handshakes take.
    pub fn observe_handshake(&mut self, protocol: HandshakeProtocol, is_client: bool, us: u64) {
        let bucket = HANDSHAKE_BOUNDS_US.partition_point(|bound| *bound < us);
        self.add(Counter::HandshakeBucket { protocol, is_client, bucket }, 1);
        self.add(Counter::HandshakeSumUs { protocol, is_client }, us);
    }

    /// Puts one observation into the histogram of jitter.
    pub fn observe_jitter(&mut self, leg: Leg, us: u64) {
        let bucket = JITTER_BOUNDS_US.partition_point(|bound| *bound < us);
        self.add(Counter::JitterBucket(leg, bucket), 1);
        self.add(Counter::JitterSumUs(leg), us);
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

/// A worker's numbers as others read them: each is right, though two read one after the other may be a turn apart.
#[derive(Debug)]
#[repr(align(128))] // two cache lines, which processors fetch in pairs
pub struct WorkerCounters([AtomicU64; COUNTERS]);

impl WorkerCounters {
    /// All zero.
    pub fn new() -> Self {
        Self([const { AtomicU64::new(0) }; COUNTERS])
    }

    /// Reads one number.
    pub fn get(&self, counter: Counter) -> u64 {
        self.0[counter.index()].load(Ordering::Relaxed)
    }

    /// Publishes a worker's numbers. Only the worker calls it.
    pub(super) fn publish(&self, tally: &Tally) {
        for (cell, value) in self.0.iter().zip(tally.0.iter()) {
            cell.store(*value, Ordering::Relaxed);
        }
    }

    /// What the sums of this module's head say is missing (positive) or too much, over both legs; 0 when no packet is under way.
    pub fn imbalance(&self) -> i64 {
        let mut balance: u64 = 0;
        for leg in Leg::ALL {
            for kind in PacketKind::ALL {
                balance = balance
                    .wrapping_add(self.get(Counter::Received(leg, kind)))
                    .wrapping_add(self.get(Counter::Originated(leg, kind)))
                    .wrapping_sub(self.get(Counter::Sent(leg, kind)))
                    .wrapping_sub(self.get(Counter::Consumed(leg, kind)));
            }
            for reason in DropReason::all() {
                balance = balance.wrapping_sub(self.get(Counter::Dropped(leg, reason)));
            }
        }
        balance.cast_signed()
    }
}

impl Default for WorkerCounters {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_counters() -> Vec<Counter> {
        let mut all = vec![
            Counter::ResidenceSumUs,
            Counter::BusyUs,
            Counter::ElapsedUs,
            Counter::Turns,
            Counter::Flows,
            Counter::AnswersFull,
            Counter::TcpFlows,
            Counter::ConnectionsOpen,
            Counter::ConnectionsUnproven,
            Counter::StreamBufferBytes,
        ];
        all.extend(TlsFailure::ALL.map(Counter::SessionsBroken));
        for (protocol, is_client) in
            HandshakeProtocol::ALL.into_iter().flat_map(|protocol| [(protocol, false), (protocol, true)])
        {
            all.extend(HandshakeResult::all().map(|result| Counter::Handshakes {
                protocol,
                is_client,
                result,
            }));
            all.extend((0..HANDSHAKE_BUCKETS).map(|bucket| Counter::HandshakeBucket {
                protocol,
                is_client,
                bucket,
            }));
            all.push(Counter::HandshakeSumUs { protocol, is_client });
        }
        all.extend((0..RESIDENCE_BUCKETS).map(Counter::ResidenceBucket));
        for leg in Leg::ALL {
            for kind in PacketKind::ALL {
                all.extend([Counter::Received(leg, kind), Counter::Sent(leg, kind)]);
                all.extend([Counter::Consumed(leg, kind), Counter::Originated(leg, kind)]);
            }
            all.extend(DropReason::all().map(|reason| Counter::Dropped(leg, reason)));
            all.extend((0..JITTER_BUCKETS).map(|b| Counter::JitterBucket(leg, b)));
            all.extend([Counter::JitterSumUs(leg), Counter::BytesReceived(leg)]);
            all.extend([Counter::BytesSent(leg), Counter::Lost(leg)]);
            all.extend(ConnectionEvent::ALL.map(|event| Counter::Connections(leg, event)));
            all.extend(Malformation::ALL.map(|one| Counter::Malformed(leg, one)));
            all.extend(MsrpCount::ALL.map(|count| Counter::Msrp(leg, count)));
            all.extend([Counter::StreamBytesReceived(leg), Counter::StreamBytesSent(leg)]);
        }
        all
    }

    #[test]
    fn every_counter_has_a_cell_of_its_own_and_no_cell_is_unused() {
        let mut cells: Vec<_> = all_counters().into_iter().map(Counter::index).collect();
        cells.sort_unstable();
        assert_eq!(cells, (0..COUNTERS).collect::<Vec<_>>());
    }

    #[test]
    fn every_reason_has_a_label_of_its_own() {
        let mut labels: Vec<_> = DropReason::all().map(DropReason::as_str).collect();
        assert_eq!(labels.len(), REASONS);
        labels.sort_unstable();
        labels.dedup();
        assert_eq!(labels.len(), REASONS);
    }

    #[test]
    fn observations_fall_into_the_bucket_whose_bound_they_do_not_exceed() {
        let mut tally = Tally::new();
        for us in [0, 10, 11, 100_000, 100_001] {
            tally.observe_residence(us);
        }
        let counters = WorkerCounters::new();
        counters.publish(&tally);
        let buckets: Vec<_> =
            (0..RESIDENCE_BUCKETS).map(|b| counters.get(Counter::ResidenceBucket(b))).collect();
        assert_eq!(buckets, [2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(counters.get(Counter::ResidenceSumUs), 200_022);
    }
}
