//! `tman` (H.248.53) and the bandwidths of SDP into rates: how much the peer may send on a stream (TS 23.334 clause 5.6).
//!
//! `pol = ON` wants `sdr` with `mbs`, or `pdr`, or both pairs. With neither the rate is that of the description: `b=AS`, which counts whole
//! IP packets as policing does (RFC 3550 section 6.2), or `b=TIAS` with `a=maxprate` (RFC 3890), of Local, which says what is received here,
//! else of Remote. RTCP's allowance follows `b=RS` and `b=RR` (RFC 3556). Without policing nothing of this is looked at.

use super::media::unsupported;
use super::stream::Stream;
use crate::ast::{ErrorDescriptor, Value};
use crate::errors::ErrorCode;
use crate::sdp::{BandwidthValue, Group, Line, Media};
use agw_core::model::{Family, PeakRate, Policing, SustainedRate};

/// A rate of the description comes without a burst: this much of it may come at once,
const DERIVED_BURST_SECONDS: u64 = 1;
/// and always two packets of the longest common size.
const LEAST_DERIVED_BURST_BYTES: u64 = 3_000;
/// The tolerance of a peak rate that comes without: the jitter that voice is usually built for, 50 ms.
const DEFAULT_TOLERANCE_TENTH_US: u32 = 500_000;
/// The shortest RTP packet over UDP and IPv4.
const SHORTEST_PACKET_BYTES: u32 = 20 + 8 + 12;
/// What IPv6 has more.
const IPV6_EXTRA_BYTES: u32 = 20;
const IPV4_UDP_HEADER_BYTES: u64 = 28;

/// The bandwidths of one description, as far as they matter here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Bandwidths {
    /// `b=AS`, in kilobits per second.
    application_kbps: Option<u64>,
    /// `b=TIAS`, in bits per second.
    transport_independent_bps: Option<u64>,
    /// `a=maxprate`, rounded up.
    packets_per_second: Option<u64>,
    /// `b=RS`, in bits per second.
    senders_bps: Option<u64>,
    /// `b=RR`, in bits per second.
    receivers_bps: Option<u64>,
}

impl Bandwidths {
    /// Those of a media line; where it says nothing, those of its session (RFC 4566 section 5.8).
    pub(super) fn of(group: &Group, media: &Media) -> Self {
        let of_session = |kind: &str| {
            group.lines.iter().find_map(|line| match line {
                Line::Bandwidth(line) if line.kind.eq_ignore_ascii_case(kind) => Some(line.value),
                _ => None,
            })
        };
        let number = |kind: &str| match media.bandwidth(kind).or_else(|| of_session(kind))? {
            BandwidthValue::Number(number) => Some(number),
            BandwidthValue::Choose | BandwidthValue::Unspecified => None,
        };
        let max_rate = media.attributes("maxprate").chain(group.attributes("maxprate")).next();
        Self {
            application_kbps: number("AS"),
            transport_independent_bps: number("TIAS"),
            packets_per_second: max_rate.and_then(|attribute| rounded_up(attribute.value()?)),
            senders_bps: number("RS"),
            receivers_bps: number("RR"),
        }
    }

    /// Whether what they leave room for is at least what the other ones leave; what is not said is no bound.
    pub(super) fn covers(self, other: Self) -> bool {
        let bound = |mine: Option<u64>, others: Option<u64>| {
            mine.is_none_or(|mine| others.is_some_and(|others| others <= mine))
        };
        bound(self.application_kbps, other.application_kbps)
            && bound(self.transport_independent_bps, other.transport_independent_bps)
            && bound(self.packets_per_second, other.packets_per_second)
            && bound(self.senders_bps, other.senders_bps)
            && bound(self.receivers_bps, other.receivers_bps)
    }

    /// These, and where they say nothing, the other ones.
    fn or(self, other: Self) -> Self {
        Self {
            application_kbps: self.application_kbps.or(other.application_kbps),
            transport_independent_bps: self.transport_independent_bps.or(other.transport_independent_bps),
            packets_per_second: self.packets_per_second.or(other.packets_per_second),
            senders_bps: self.senders_bps.or(other.senders_bps),
            receivers_bps: self.receivers_bps.or(other.receivers_bps),
        }
    }

    /// The media's rate in octets of IP packets per second.
    fn media_bytes_per_second(&self, family: Family) -> Option<u64> {
        let headers = IPV4_UDP_HEADER_BYTES + u64::from(extra(family));
        let with_headers = |bps: u64, packets: u64| (bps / 8).saturating_add(packets.saturating_mul(headers));
        let rate = match (self.application_kbps, self.transport_independent_bps, self.packets_per_second) {
            (Some(kbps), ..) => kbps.saturating_mul(125),
            (None, Some(bps), Some(packets)) => with_headers(bps, packets),
            (None, ..) => 0,
        };
        (rate > 0).then_some(rate)
    }

    /// RTCP's rate in octets per second beside media of `media` octets per second: where one of the two is not said it is its part of
    /// the usual 5 % (RFC 3556 section 2).
    fn rtcp_bytes_per_second(&self, media: u64) -> Option<u64> {
        let usual = |eightieths: u64| media.saturating_mul(eightieths) / 80;
        match (self.senders_bps, self.receivers_bps) {
            (None, None) => None,
            (senders, receivers) => {
                let senders = senders.map_or_else(|| usual(1), |bps| bps / 8);
                Some(senders.saturating_add(receivers.map_or_else(|| usual(3), |bps| bps / 8)))
            }
        }
    }
}

/// `50`, `33.4`: the next whole number; `None` for what is no positive number.
fn rounded_up(text: &str) -> Option<u64> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let more = fraction.bytes().any(|b| b != b'0');
    whole.parse::<u64>().ok()?.checked_add(u64::from(more))
}

const fn extra(family: Family) -> u32 {
    match family {
        Family::V4 => 0,
        Family::V6 => IPV6_EXTRA_BYTES,
    }
}

fn missing(text: &str) -> ErrorDescriptor {
    ErrorDescriptor::with_text(ErrorCode::INFORMATION_MISSING, text)
}

fn saturated(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The rates that a stream's properties and descriptions ask for; `None` without policing.
///
/// # Errors
/// 472 for rates that do not come in pairs or not at all, 449 for those that let nothing pass, 473 for those that contradict each other.
pub(super) fn policing(
    stream: &Stream,
    local: Bandwidths,
    remote: Bandwidths,
    family: Option<Family>,
) -> Result<Option<Policing>, ErrorDescriptor> {
    if stream.is_on("tman", "pol") != Some(true) {
        return Ok(None);
    }
    let family = family.unwrap_or(Family::V4);
    let of = |item: &str| stream.property("tman", item).and_then(Value::as_u64).map(saturated);
    let (sdr, mbs, pdr, dvt) = (of("sdr"), of("mbs"), of("pdr"), of("dvt"));
    let bandwidths = local.or(remote);
    if dvt.is_some() && pdr.is_none() {
        return Err(missing("tman/dvt without tman/pdr"));
    }
    let sustained = match (sdr, mbs, pdr) {
        (Some(rate), Some(burst), _) => Some((rate, burst)),
        (Some(_), None, _) => return Err(missing("tman/sdr without tman/mbs")),
        (None, Some(_), Some(_)) => return Err(missing("tman/mbs without tman/sdr")),
        (None, None, Some(_)) => None,
        (None, burst, None) => {
            let rate = bandwidths
                .media_bytes_per_second(family)
                .ok_or_else(|| missing("tman/pol = ON without tman/sdr, tman/pdr or b=AS"))?;
            let usual = rate.saturating_mul(DERIVED_BURST_SECONDS).max(LEAST_DERIVED_BURST_BYTES);
            Some((saturated(rate), burst.unwrap_or(saturated(usual))))
        }
    };
    if sdr == Some(0) || pdr == Some(0) {
        return Err(unsupported("tman/sdr or tman/pdr = 0 with tman/pol = ON: nothing would pass"));
    }
    if let Some((_, burst)) = sustained.filter(|(_, burst)| *burst < SHORTEST_PACKET_BYTES + extra(family)) {
        return Err(unsupported(format!("tman/mbs = {burst}: less than an RTP packet with its headers")));
    }
    if let (Some(sdr), Some(pdr)) = (sdr, pdr)
        && sdr > pdr
    {
        let text = format!("tman/sdr = {sdr} is more than tman/pdr = {pdr}");
        return Err(ErrorDescriptor::with_text(ErrorCode::CONFLICTING_VALUES, text));
    }
    let sustained =
        sustained.map(|(bytes_per_second, burst_bytes)| SustainedRate { bytes_per_second, burst_bytes });
    let peak = pdr.map(|bytes_per_second| PeakRate {
        bytes_per_second,
        tolerance_tenth_us: dvt.unwrap_or(DEFAULT_TOLERANCE_TENTH_US),
    });
    let media = sustained.map(|rate| rate.bytes_per_second).or(pdr).map_or(0, u64::from);
    let rtcp = bandwidths.rtcp_bytes_per_second(media).map(saturated);
    Ok(Some(Policing::new(sustained, peak, rtcp)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::Sdp;

    fn bandwidths(lines: &str) -> Bandwidths {
        let sdp = Sdp::parse(&format!("v=0\nb=RS:800\nm=audio 1 RTP/AVP 0\n{lines}")).expect("SDP");
        Bandwidths::of(&sdp.groups[0], &sdp.groups[0].media[0])
    }

    #[test]
    fn the_rate_of_a_description_counts_whole_packets() {
        assert_eq!(bandwidths("b=AS:41\n").media_bytes_per_second(Family::V6), Some(5_125));
        let tias = bandwidths("b=TIAS:64000\na=maxprate:49.2\n");
        assert_eq!(tias.media_bytes_per_second(Family::V4), Some(8_000 + 50 * 28));
        assert_eq!(tias.media_bytes_per_second(Family::V6), Some(8_000 + 50 * 48));
        assert_eq!(
            bandwidths("b=TIAS:64000\n").media_bytes_per_second(Family::V4),
            None,
            "of how many packets?"
        );
        assert_eq!(bandwidths("b=AS:0\n").media_bytes_per_second(Family::V4), None);
        let greatest = bandwidths(&format!("b=AS:{0}\nb=RR:{0}\n", u64::MAX));
        assert_eq!(greatest.media_bytes_per_second(Family::V4), Some(u64::MAX));
    }

    #[test]
    fn reports_have_what_rs_and_rr_say_and_their_usual_part_of_what_they_do_not() {
        assert_eq!(bandwidths("b=RR:2400\n").rtcp_bytes_per_second(8_000), Some(100 + 300));
        assert_eq!(
            bandwidths("b=RS:1600\nb=RR:0\n").rtcp_bytes_per_second(8_000),
            Some(200),
            "nearer than the session's"
        );
        assert_eq!(bandwidths("").rtcp_bytes_per_second(8_000), Some(100 + 300), "3.75 % for receivers");
        assert_eq!(Bandwidths::default().rtcp_bytes_per_second(8_000), None);
    }

    #[test]
    fn a_packet_rate_is_a_positive_decimal_number() {
        assert_eq!(["50", "50.0", "33.01", " 7 "].map(rounded_up), [Some(50), Some(50), Some(34), Some(7)]);
        assert_eq!(["", ".5", "-1", "1e3", "1.2.3", "99999999999999999999"].map(rounded_up), [None; 6]);
    }
}
