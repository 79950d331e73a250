//! How much a peer may send on a stream (H.248.53 `tman`, TS 23.334 clause 5.6), as plain numbers. Octets are those of whole IP packets,
//! headers included, because that is what `b=AS` counts (RFC 3550 section 6.2, RFC 4566 section 5.8) and the controller derives its rates from it.
//! RTCP has an allowance of its own, so that media that is too fast does not silence the reports that would say so.

/// The least allowance for RTCP, in octets per second: one compound packet of a common size a second.
pub const LEAST_RTCP_BYTES_PER_SECOND: u32 = 208;
/// RTCP may have this part of the media's rate where nothing else is said: 5 % (RFC 3550 section 6.2).
pub const RTCP_SHARE: u32 = 20;

/// A mean rate with a burst: a token bucket (`tman/sdr`, `tman/mbs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SustainedRate {
    /// What flows into the bucket.
    pub bytes_per_second: u32,
    /// What it holds.
    pub burst_bytes: u32,
}

/// A peak rate with a tolerance: the generic cell rate algorithm, in octets (`tman/pdr`, `tman/dvt`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeakRate {
    /// A packet is followed by another after as long as it takes at this rate.
    pub bytes_per_second: u32,
    /// How much earlier than that the other may come, in tenths of microseconds.
    pub tolerance_tenth_us: u32,
}

/// The policing of one stream. What exceeds either rate is discarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policing {
    /// RTP's mean rate.
    pub sustained: Option<SustainedRate>,
    /// RTP's peak rate.
    pub peak: Option<PeakRate>,
    /// RTCP's mean rate.
    pub rtcp_bytes_per_second: u32,
}

impl Policing {
    /// These rates for the media, and for RTCP `rtcp_bytes_per_second` (RFC 3556 `b=RS` and `b=RR`) or 5 % of them, at least
    /// [`LEAST_RTCP_BYTES_PER_SECOND`].
    pub fn new(
        sustained: Option<SustainedRate>,
        peak: Option<PeakRate>,
        rtcp_bytes_per_second: Option<u32>,
    ) -> Self {
        let media = sustained.map(|rate| rate.bytes_per_second).or(peak.map(|rate| rate.bytes_per_second));
        let rtcp = rtcp_bytes_per_second.unwrap_or(media.unwrap_or(0) / RTCP_SHARE);
        Self { sustained, peak, rtcp_bytes_per_second: rtcp.max(LEAST_RTCP_BYTES_PER_SECOND) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_get_a_twentieth_or_what_was_said_and_never_too_little() {
        let sustained = |bytes_per_second| Some(SustainedRate { bytes_per_second, burst_bytes: 1500 });
        let peak = Some(PeakRate { bytes_per_second: 80_000, tolerance_tenth_us: 0 });
        assert_eq!(Policing::new(sustained(20_000), peak, None).rtcp_bytes_per_second, 1_000);
        assert_eq!(Policing::new(None, peak, None).rtcp_bytes_per_second, 4_000);
        assert_eq!(Policing::new(sustained(2_000), None, None).rtcp_bytes_per_second, 208);
        assert_eq!(Policing::new(sustained(2_000), None, Some(500)).rtcp_bytes_per_second, 500);
        assert_eq!(Policing::new(sustained(20_000), None, Some(0)).rtcp_bytes_per_second, 208);
    }
}
