//! How well a peer's RTP arrives: packets expected and lost (RFC 3550 A.3) and interarrival jitter (A.8), for the main SSRC of a flow. Another
//! SSRC takes its place when the main one has been silent for [`SILENCE_US`]; what was lost before is kept. Nothing here changes what
//! is forwarded.

use crate::wire::rtp::RtpHeader;

/// A main SSRC that was silent for so long can be followed by another.
const SILENCE_US: u64 = 500_000;
/// A jump of the sequence number up to this is loss (RFC 3550 A.1).
const MAX_DROPOUT: u16 = 3000;
/// A step back up to this is a packet that comes late (RFC 3550 A.1).
const MAX_MISORDER: u16 = 100;
/// Jitter is counted with 4 fractional bits (RFC 3550 A.8).
const JITTER_FRACTION_BITS: u32 = 4;
const DEFAULT_CLOCK_RATE_HZ: u32 = 8000;

/// The account of what came.
#[derive(Debug, Clone, Default)]
pub(super) struct Reception {
    run: Option<Run>,
    expected_before: u64,
    lost_before: u64,
}

/// One unbroken run of sequence numbers.
#[derive(Debug, Clone)]
struct Run {
    ssrc: u32,
    first: u64,
    /// The highest sequence number, extended by its wraps.
    highest: u64,
    received: u64,
    /// Where the sequence seems to have jumped to; a second packet there confirms it.
    suspect: Option<u16>,
    heard_us: u64,
    transit: Option<u32>,
    jitter_scaled: u64,
    clock_rate_hz: u32,
}

impl Reception {
    /// An accepted RTP packet arrived at `now_us`. `clock_rate_hz` is the signalled one.
    pub(super) fn count(&mut self, header: &RtpHeader, now_us: u64, clock_rate_hz: Option<u32>) {
        let rate_hz = clock_rate_hz.or(header.static_clock_rate_hz()).unwrap_or(DEFAULT_CLOCK_RATE_HZ).max(1);
        match &mut self.run {
            Some(run) if run.ssrc == header.ssrc => {
                if !run.continues(header.sequence) {
                    self.start(header, now_us, rate_hz);
                } else {
                    run.measure_jitter(header.timestamp, now_us, rate_hz);
                }
            }
            Some(run) if now_us.saturating_sub(run.heard_us) < SILENCE_US => {}
            _ => self.start(header, now_us, rate_hz),
        }
    }

    fn start(&mut self, header: &RtpHeader, now_us: u64, clock_rate_hz: u32) {
        (self.expected_before, self.lost_before) = (self.expected(), self.lost());
        let first = u64::from(header.sequence);
        let mut run = Run {
            ssrc: header.ssrc,
            first,
            highest: first,
            received: 1,
            suspect: None,
            heard_us: now_us,
            transit: None,
            jitter_scaled: 0,
            clock_rate_hz,
        };
        run.measure_jitter(header.timestamp, now_us, clock_rate_hz);
        self.run = Some(run);
    }

    /// How many packets should have come.
    pub(super) fn expected(&self) -> u64 {
        self.expected_before + self.run.as_ref().map_or(0, Run::expected)
    }

    /// How many of them did not. A packet that comes late takes its loss back.
    pub(super) fn lost(&self) -> u64 {
        self.lost_before + self.run.as_ref().map_or(0, |run| run.expected().saturating_sub(run.received))
    }

    /// The share of packets that never came, 0 to 100.
    pub(super) fn loss_percent(&self) -> f64 {
        let expected = self.expected();
        if expected == 0 { 0.0 } else { self.lost() as f64 * 100.0 / expected as f64 }
    }

    /// The interarrival jitter in microseconds; `None` before anything came.
    pub(super) fn jitter_us(&self) -> Option<u64> {
        let run = self.run.as_ref()?;
        Some((run.jitter_scaled >> JITTER_FRACTION_BITS) * 1_000_000 / u64::from(run.clock_rate_hz))
    }
}

impl Run {
    fn expected(&self) -> u64 {
        self.highest - self.first + 1
    }

    /// Counts a sequence number. False when the sender has started anew.
    fn continues(&mut self, sequence: u16) -> bool {
        let ahead = sequence.wrapping_sub(self.highest as u16);
        if ahead < MAX_DROPOUT {
            self.highest += u64::from(ahead);
        } else if ahead <= u16::MAX - MAX_MISORDER {
            if self.suspect == Some(sequence) {
                return false;
            }
            self.suspect = Some(sequence.wrapping_add(1));
            return true;
        }
        self.suspect = None;
        self.received += 1;
        true
    }

    fn measure_jitter(&mut self, timestamp: u32, now_us: u64, clock_rate_hz: u32) {
        self.heard_us = now_us;
        self.clock_rate_hz = clock_rate_hz;
        // Ticks modulo 2^32, as time stamps are: only differences are used.
        let arrival = (u128::from(now_us) * u128::from(clock_rate_hz) / 1_000_000) as u32;
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let difference = u64::from((transit.wrapping_sub(before) as i32).unsigned_abs());
            let settled = (self.jitter_scaled + 8) >> JITTER_FRACTION_BITS;
            self.jitter_scaled = (self.jitter_scaled + difference).saturating_sub(settled);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> RtpHeader {
        RtpHeader { marker: false, payload_type: 8, sequence, timestamp, ssrc, header_bytes: 12 }
    }

    #[test]
    fn gaps_are_lost_late_packets_are_not_and_wraps_are_neither() {
        let mut reception = Reception::default();
        for sequence in [65533_u16, 65534, 0, 1, 65535, 3] {
            reception.count(&packet(1, sequence, 0), 0, None);
        }
        assert_eq!(reception.expected(), 7);
        assert_eq!(reception.lost(), 1, "only number 2");
        assert!((reception.loss_percent() - 100.0 / 7.0).abs() < 1e-9);
    }

    #[test]
    fn a_sender_that_starts_anew_is_no_loss() {
        let mut reception = Reception::default();
        for sequence in [10_u16, 11, 40000, 40001, 40002] {
            reception.count(&packet(1, sequence, 0), 0, None);
        }
        assert_eq!(reception.lost(), 0);
        reception.count(&packet(2, 7, 0), 100, None);
        assert_eq!(reception.expected(), 4, "a second source beside the main one is not counted");
        reception.count(&packet(2, 8, 0), 600_000, None);
        reception.count(&packet(2, 10, 0), 600_001, None);
        assert_eq!(reception.lost(), 1);
    }

    #[test]
    fn jitter_is_the_smoothed_change_of_transit_times() {
        let mut reception = Reception::default();
        for n in 0..2000_u32 {
            // Every other packet is 5 ms late, so transit times differ by 5 ms each time.
            let late_us = if n % 2 == 0 { 0 } else { 5000 };
            reception.count(&packet(1, n as u16, n * 160), u64::from(n) * 20_000 + late_us, None);
        }
        let jitter_us = reception.jitter_us().unwrap();
        assert!((4500..=5500).contains(&jitter_us), "{jitter_us}");
    }

    #[test]
    fn a_steady_stream_has_no_jitter_at_its_own_clock_rate() {
        let mut reception = Reception::default();
        for n in 0..100_u32 {
            reception.count(&packet(1, n as u16, n * 960), u64::from(n) * 20_000, Some(48_000));
        }
        assert_eq!(reception.jitter_us(), Some(0));
        assert_eq!(reception.lost(), 0);
    }
}
