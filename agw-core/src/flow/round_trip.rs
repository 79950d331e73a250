//! The round trip between us and a peer, from reports that pass through (RFC 3550 section 6.4.1): we remember when the last sender reports
//! went out to the peer, and when its report names one of them we know how long both ways took. The far endpoint's own
//! share of the way is not in it.

use crate::wire::rtcp::Compound;

/// Sender reports remembered: several may be under way when there is more than one source.
const REMEMBERED: usize = 4;
/// Longer than this is no round trip but a mistake, or a lie.
const LONGEST_US: u64 = 10_000_000;

/// What is known of one peer's distance.
#[derive(Debug, Clone, Default)]
pub(super) struct RoundTrip {
    /// The middle of the NTP time stamp, and when it was sent.
    sent: [Option<(u32, u64)>; REMEMBERED],
    next: usize,
    round_trip_us: Option<u64>,
}

impl RoundTrip {
    /// A compound goes out to the peer at `now_us`.
    pub(super) fn note_sent(&mut self, compound: Compound<'_>, now_us: u64) {
        for time in compound.packets().filter_map(|packet| packet.sender_report_time()) {
            self.sent[self.next] = Some((time, now_us));
            self.next = (self.next + 1) % REMEMBERED;
        }
    }

    /// A compound came from the peer at `now_us`.
    pub(super) fn note_received(&mut self, compound: Compound<'_>, now_us: u64) {
        for packet in compound.packets() {
            for times in packet.report_times() {
                let named = self.sent.iter().flatten().find(|(time, _)| *time == times.last_sender_report);
                let Some((_, sent_us)) = named else { continue };
                let held_us = u64::from(times.delay) * 1_000_000 / 65536;
                let round_trip_us = now_us.saturating_sub(*sent_us).checked_sub(held_us);
                self.round_trip_us = round_trip_us.filter(|us| *us <= LONGEST_US).or(self.round_trip_us);
            }
        }
    }

    /// Half the last round trip in milliseconds, 0 when unknown: `rtp/delay`.
    pub(super) fn delay_ms(&self) -> f64 {
        self.round_trip_us.map_or(0.0, |us| us as f64 / 2000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender_report(middle: u32) -> Vec<u8> {
        let mut bytes = vec![0x80, 200, 0, 6, 0, 0, 0, 1, 0, 0];
        bytes.extend(middle.to_be_bytes());
        bytes.resize(28, 0);
        bytes
    }

    fn receiver_report(middle: u32, held: u32) -> Vec<u8> {
        let mut bytes = vec![0x81, 201, 0, 7, 0, 0, 0, 2];
        bytes.resize(24, 0);
        bytes.extend(middle.to_be_bytes());
        bytes.extend(held.to_be_bytes());
        bytes
    }

    #[test]
    fn a_report_that_names_ours_gives_the_round_trip() {
        let mut round_trip = RoundTrip::default();
        round_trip.note_sent(Compound::parse(&sender_report(77)).unwrap(), 1_000_000);
        let unknown = receiver_report(78, 0);
        round_trip.note_received(Compound::parse(&unknown).unwrap(), 1_100_000);
        assert_eq!(round_trip.delay_ms(), 0.0);
        let report = receiver_report(77, 65536); // held for a second
        round_trip.note_received(Compound::parse(&report).unwrap(), 2_040_000);
        assert!((round_trip.delay_ms() - 20.0).abs() < 0.01);
        let lie = receiver_report(77, u32::MAX);
        round_trip.note_received(Compound::parse(&lie).unwrap(), 3_000_000);
        assert!((round_trip.delay_ms() - 20.0).abs() < 0.01, "a negative round trip is not believed");
    }
}
