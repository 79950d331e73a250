//! Discards what a peer sends too fast (RLY-3; H.248.53, TS 23.334 clause 5.6). Media has a token bucket for its mean rate and a second one
//! that is the generic cell rate algorithm for its peak; RTCP has a bucket of its own. A packet is charged only when both of its buckets have
//! room, and only when it has proven good: a stranger's packets shall not use up the peer's rate, and SRTP's rollover counter shall follow
//! what came even while much of it is discarded.
//!
//! Buckets count in millionths of an octet, so that a rate in octets per second times a time in microseconds is exact. The time is the
//! batch's.

use crate::io::Now;
use crate::model::Policing;
use std::net::{IpAddr, SocketAddr};

/// A discard is told when none has been for so long, in microseconds: once per spell of excess and not once per packet.
const QUIET_US: u64 = 10_000_000;
/// What peak policing allows on top of the given tolerance, in microseconds: a packet's time is that of the batch in which it was taken,
/// which may be so much later than the packet.
const OWN_DELAY_US: u64 = 1_000;
/// RTCP comes about every 5 s (RFC 3550 section 6.2), and then may use up at once what it was allowed meanwhile,
const RTCP_BURST_SECONDS: u64 = 5;
/// and always two long compound packets.
const LEAST_RTCP_BURST_BYTES: u64 = 3_000;

const MILLIONTHS: u64 = 1_000_000;
const IPV4_UDP_HEADER_BYTES: usize = 20 + 8;
const IPV6_UDP_HEADER_BYTES: usize = 40 + 8;

/// The octets of the IP packet that brought a datagram. Options and extension headers, which sockets do not show, are not counted.
pub(super) const fn ip_packet_bytes(source: SocketAddr, datagram_bytes: usize) -> usize {
    match source.ip() {
        IpAddr::V4(_) => IPV4_UDP_HEADER_BYTES + datagram_bytes,
        IpAddr::V6(_) => IPV6_UDP_HEADER_BYTES + datagram_bytes,
    }
}

/// A leaky bucket: what packets pour in leaks out at the rate.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    /// Millionths of octets in it at `at`.
    filled: u64,
    at: Now,
}

impl Bucket {
    fn leak(&mut self, bytes_per_second: u64, now: Now) {
        let elapsed_us = now.0.saturating_sub(self.at.0);
        self.filled = self.filled.saturating_sub(bytes_per_second.saturating_mul(elapsed_us));
        self.at = now.max(self.at);
    }
}

/// What became of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is within the rates.
    Conforms,
    /// It is not, and neither were others a moment ago.
    Exceeds,
    /// It is not, for the first time in a while.
    BeginsToExceed,
}

/// The buckets of one stream.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Policer {
    sustained: Bucket,
    peak: Bucket,
    rtcp: Bucket,
    discarded_at: Option<Now>,
}

impl Policer {
    /// Other rates from now on. What is in the buckets stays there, but for what would not fit: nobody waits longer than the new rates make
    /// him. The time since the last packet counts at the new rate.
    pub(super) fn tune(&mut self, terms: Option<&Policing>) {
        let Some(terms) = terms else { return };
        if let Some(rate) = terms.sustained {
            self.sustained.filled = self.sustained.filled.min(u64::from(rate.burst_bytes) * MILLIONTHS);
        }
        if let Some(rate) = terms.peak {
            self.peak.filled = self.peak.filled.min(tolerance(rate));
        }
        self.rtcp.filled = self.rtcp.filled.min(rtcp_burst(terms));
    }

    /// Whether a packet of so many octets conforms; if so, charges it.
    pub(super) fn judge(&mut self, terms: &Policing, is_rtcp: bool, bytes: usize, now: Now) -> Verdict {
        let poured = (bytes as u64).saturating_mul(MILLIONTHS);
        let conforms = if is_rtcp {
            self.rtcp.leak(terms.rtcp_bytes_per_second.into(), now);
            let fits = self.rtcp.filled.saturating_add(poured) <= rtcp_burst(terms);
            self.rtcp.filled += if fits { poured } else { 0 };
            fits
        } else {
            self.judge_media(terms, poured, now)
        };
        if conforms {
            return Verdict::Conforms;
        }
        let before = self.discarded_at.replace(now);
        match before.is_some_and(|before| now.0.saturating_sub(before.0) < QUIET_US) {
            true => Verdict::Exceeds,
            false => Verdict::BeginsToExceed,
        }
    }

    fn judge_media(&mut self, terms: &Policing, poured: u64, now: Now) -> bool {
        if let Some(rate) = terms.sustained {
            self.sustained.leak(rate.bytes_per_second.into(), now);
            if self.sustained.filled.saturating_add(poured) > u64::from(rate.burst_bytes) * MILLIONTHS {
                return false;
            }
        }
        if let Some(rate) = terms.peak {
            self.peak.leak(rate.bytes_per_second.into(), now);
            // What is still in the bucket is how much too early the packet is.
            if self.peak.filled > tolerance(rate) {
                return false;
            }
            self.peak.filled = self.peak.filled.saturating_add(poured);
        }
        if terms.sustained.is_some() {
            self.sustained.filled += poured;
        }
        true
    }
}

/// The tolerance of a peak rate as what may be left in its bucket.
fn tolerance(rate: crate::model::PeakRate) -> u64 {
    let allowed = u64::from(rate.bytes_per_second) * u64::from(rate.tolerance_tenth_us) / 10;
    allowed.saturating_add(u64::from(rate.bytes_per_second) * OWN_DELAY_US)
}

fn rtcp_burst(terms: &Policing) -> u64 {
    (u64::from(terms.rtcp_bytes_per_second) * RTCP_BURST_SECONDS).max(LEAST_RTCP_BURST_BYTES) * MILLIONTHS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{PeakRate, SustainedRate};

    const MS: u64 = 1_000;
    /// A clock that has been running for long.
    const START: u64 = 77_000_000_000;

    fn sustained(bytes_per_second: u32, burst_bytes: u32) -> Policing {
        Policing::new(Some(SustainedRate { bytes_per_second, burst_bytes }), None, None)
    }

    fn peak(bytes_per_second: u32, tolerance_us: u32) -> Policing {
        let tolerance_tenth_us = tolerance_us * 10;
        Policing::new(None, Some(PeakRate { bytes_per_second, tolerance_tenth_us }), None)
    }

    /// How many of the media packets conform that come so far apart.
    fn conforming(
        policer: &mut Policer,
        terms: &Policing,
        packets: u64,
        bytes: usize,
        apart_us: u64,
    ) -> usize {
        let verdicts = (0..packets).map(|n| policer.judge(terms, false, bytes, Now(START + n * apart_us)));
        verdicts.filter(|verdict| *verdict == Verdict::Conforms).count()
    }

    #[test]
    fn the_mean_rate_is_exact_and_the_burst_comes_on_top() {
        // 50 packets of 200 octets a second are 10,000 octets a second.
        let terms = sustained(10_000, 200);
        assert_eq!(conforming(&mut Policer::default(), &terms, 5_000, 200, 20 * MS), 5_000, "just in time");
        assert_eq!(conforming(&mut Policer::default(), &terms, 5_000, 200, 10 * MS), 2_500, "twice as fast");
        let with_burst = sustained(10_000, 2_000);
        assert_eq!(conforming(&mut Policer::default(), &with_burst, 5_000, 200, 10 * MS), 2_509);
        // A microsecond too fast, a hundredth of an octet each time, adds up to a packet and not to less.
        let two = sustained(10_000, 400);
        assert_eq!(conforming(&mut Policer::default(), &two, 20_001, 200, 20 * MS - 1), 20_001);
        assert_eq!(conforming(&mut Policer::default(), &two, 20_002, 200, 20 * MS - 1), 20_001);
    }

    #[test]
    fn a_burst_passes_at_once_and_then_waits_for_the_rate() {
        let terms = sustained(1_000, 3_000);
        let mut policer = Policer::default();
        assert_eq!(conforming(&mut policer, &terms, 20, 200, 0), 15);
        assert_eq!(policer.judge(&terms, false, 200, Now(START + 199_999)), Verdict::Exceeds);
        assert_eq!(policer.judge(&terms, false, 200, Now(START + 200_000)), Verdict::Conforms);
        assert_eq!(policer.judge(&terms, false, 1, Now(START + 200_000)), Verdict::Exceeds);
    }

    #[test]
    fn a_packet_longer_than_the_burst_never_passes_and_costs_the_others_nothing() {
        let terms = sustained(100_000, 1_000);
        let mut policer = Policer::default();
        assert_eq!(policer.judge(&terms, false, 1_001, Now(START)), Verdict::BeginsToExceed);
        assert_eq!(policer.judge(&terms, false, 1_000, Now(START)), Verdict::Conforms);
    }

    #[test]
    fn a_peak_rate_allows_what_comes_early_by_no_more_than_the_tolerance() {
        // 1000 octets take 10 ms at this rate.
        let terms = peak(100_000, 4_000);
        let mut policer = Policer::default();
        assert_eq!(policer.judge(&terms, false, 1_000, Now(START)), Verdict::Conforms);
        let too_early = Now(START + 10 * MS - 4 * MS - OWN_DELAY_US - 1);
        assert_eq!(policer.judge(&terms, false, 1_000, too_early), Verdict::BeginsToExceed);
        assert_eq!(policer.judge(&terms, false, 1_000, Now(too_early.0 + 1)), Verdict::Conforms);
        // What came early has to be made good by the next: it is due 20 ms after the first, not 10 ms after the second.
        let next = Now(START + 20 * MS - 4 * MS - OWN_DELAY_US - 1);
        assert_eq!(policer.judge(&terms, false, 1_000, next), Verdict::Exceeds);
        assert_eq!(policer.judge(&terms, false, 1_000, Now(next.0 + 1)), Verdict::Conforms);
    }

    #[test]
    fn both_rates_bind_and_a_packet_that_fails_one_is_not_charged_to_the_other() {
        let sustained = SustainedRate { bytes_per_second: 10_000, burst_bytes: 5_000 };
        let peak = PeakRate { bytes_per_second: 100_000, tolerance_tenth_us: 0 };
        let terms = Policing::new(Some(sustained), Some(peak), None);
        let mut policer = Policer::default();
        assert_eq!(conforming(&mut policer, &terms, 100, 1_000, 0), 1, "the peak rate binds");
        let mut now = START;
        let mut passed = 1;
        for _ in 0..10 {
            now += 10 * MS;
            passed += u64::from(policer.judge(&terms, false, 1_000, Now(now)) == Verdict::Conforms);
        }
        assert_eq!(passed, 6, "the burst of five and what 100 ms have brought: the 99 refused cost nothing");
    }

    #[test]
    fn reports_have_an_allowance_of_their_own() {
        let terms = sustained(1_000, 1_000);
        let mut policer = Policer::default();
        assert_eq!(conforming(&mut policer, &terms, 10, 200, 0), 5);
        let reports = |policer: &mut Policer, count: u64, at: u64| {
            let verdicts = (0..count).map(|_| policer.judge(&terms, true, 100, Now(at)));
            verdicts.filter(|verdict| *verdict == Verdict::Conforms).count()
        };
        assert_eq!(reports(&mut policer, 100, START), 30, "3000 octets at once, while media waits");
        assert_eq!(reports(&mut policer, 100, START + 1_000 * MS), 2, "and 208 a second");
        assert_eq!(policer.judge(&terms, false, 200, Now(START + 200 * MS)), Verdict::Conforms);
    }

    #[test]
    fn excess_is_told_when_it_begins_and_again_after_a_quiet_time() {
        let terms = sustained(1_000, 200);
        let mut policer = Policer::default();
        let mut judge = |at| policer.judge(&terms, false, 200, Now(START + at));
        assert_eq!(judge(0), Verdict::Conforms);
        assert_eq!(judge(1), Verdict::BeginsToExceed);
        assert_eq!(judge(2), Verdict::Exceeds);
        assert_eq!(judge(QUIET_US), Verdict::Conforms);
        assert_eq!(judge(QUIET_US + 1), Verdict::Exceeds, "too soon after the last one");
        assert_eq!(judge(2 * QUIET_US), Verdict::Conforms);
        assert_eq!(judge(2 * QUIET_US + 1), Verdict::BeginsToExceed);
    }

    #[test]
    fn a_change_of_rates_keeps_what_is_owed_as_far_as_it_fits() {
        let mut policer = Policer::default();
        let slow = sustained(1_000, 4_000);
        assert_eq!(conforming(&mut policer, &slow, 20, 200, 0), 20, "the bucket is full");
        let fast = sustained(10_000, 4_000);
        policer.tune(Some(&fast));
        assert_eq!(policer.judge(&fast, false, 200, Now(START)), Verdict::BeginsToExceed, "and stays so");
        assert_eq!(
            policer.judge(&fast, false, 200, Now(START + 20 * MS)),
            Verdict::Conforms,
            "at the new rate"
        );
        let small = sustained(10_000, 200);
        policer.tune(Some(&small));
        assert_eq!(policer.judge(&small, false, 200, Now(START + 40 * MS)), Verdict::Conforms);
        policer.tune(None);
        policer.tune(Some(&small));
        assert_eq!(
            policer.judge(&small, false, 200, Now(START + 40 * MS)),
            Verdict::Exceeds,
            "off and on is no way out"
        );
    }

    #[test]
    fn the_greatest_numbers_and_a_clock_that_stands_still_or_goes_back_do_no_harm() {
        let most = Policing::new(
            Some(SustainedRate { bytes_per_second: u32::MAX, burst_bytes: u32::MAX }),
            Some(PeakRate { bytes_per_second: u32::MAX, tolerance_tenth_us: u32::MAX }),
            Some(u32::MAX),
        );
        let mut policer = Policer::default();
        for now in [u64::MAX, 0, u64::MAX - 1, 5] {
            assert_eq!(policer.judge(&most, false, 65_535, Now(now)), Verdict::Conforms);
            assert_ne!(policer.judge(&most, true, usize::MAX, Now(now)), Verdict::Conforms);
        }
        let nothing = sustained(0, 0);
        assert_eq!(conforming(&mut Policer::default(), &nothing, 10, 1, 1_000_000), 0);
    }

    #[test]
    fn whole_ip_packets_are_counted() {
        assert_eq!(ip_packet_bytes("192.0.2.1:1".parse().unwrap(), 172), 200);
        assert_eq!(ip_packet_bytes("[2001:db8::1]:1".parse().unwrap(), 172), 220);
    }
}
