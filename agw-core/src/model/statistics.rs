//! What a stream has carried, as the packages `nt`, `rtp` and `gm` report it (H.248.1 E.11, E.12; H.248.43).

/// Counters of one stream at one termination since it was added, kept across modifications.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StreamStatistics {
    /// Milliseconds since the stream was set up: `nt/dur`.
    pub duration_ms: u64,
    /// Octets sent to the peer, without IP and UDP headers: `nt/os`.
    pub octets_sent: u64,
    /// Octets accepted from the peer: `nt/or`.
    pub octets_received: u64,
    /// RTP packets sent: `rtp/ps`.
    pub packets_sent: u64,
    /// RTP packets accepted: `rtp/pr`.
    pub packets_received: u64,
    /// Share of the expected RTP packets that never came, 0.0 to 100.0 per cent: `rtp/pl`.
    pub loss_percent: f64,
    /// Interarrival jitter in milliseconds (RFC 3550 section 6.4.1): `rtp/jit`.
    pub jitter_ms: f64,
    /// One-way delay in milliseconds as half the RTCP round trip, 0 when unknown: `rtp/delay`.
    pub delay_ms: f64,
    /// Packets turned away at entry, by gate, source filter or policing: `gm/dp`.
    pub discarded: u64,
    /// Those of them that exceeded the rates of `tman`.
    pub policed: u64,
    /// Messages of MSRP (requests and responses) sent and received, whole ones.
    pub messages: [u64; 2],
    /// Milliseconds since something last came from the peer and last went to it, true to about a second; `None`: never yet.
    pub idle_ms: [Option<u64>; 2],
}
