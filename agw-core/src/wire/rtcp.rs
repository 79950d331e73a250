//! RTCP compound packets (RFC 3550 section 6.1; reduced-size ones, RFC 5506, pass too). The check is light: the lengths of the
//! packets must add up to the datagram. What they say is between the endpoints; we only read the time stamps of sender and receiver reports, to
//! know the round trip to a peer.
//!
//! ```text
//! |V=2|P| count   |  packet type  |   length in words, minus one  |
//! |                     SSRC of the sender                        |
//! ```

use super::{u16_at, u32_at};

/// Packet type of a sender report.
pub const SENDER_REPORT: u8 = 200;
/// Packet type of a receiver report.
pub const RECEIVER_REPORT: u8 = 201;
/// Packet type of feedback about packets: NACK, transport-wide congestion control (RFC 4585 section 6.2).
pub const TRANSPORT_FEEDBACK: u8 = 205;
/// Packet type of feedback about pictures: PLI, FIR, REMB (RFC 4585 section 6.3).
pub const PAYLOAD_FEEDBACK: u8 = 206;
const HEADER_BYTES: usize = 4;
const FEEDBACK_SOURCE_AT: usize = 8;
const FEEDBACK_ENTRIES_AT: usize = 12;
const FULL_INTRA_REQUEST: u8 = 4;
const FULL_INTRA_ENTRY_BYTES: usize = 8;
const SENDER_REPORT_BLOCKS_AT: usize = 28;
const RECEIVER_REPORT_BLOCKS_AT: usize = 8;
const REPORT_BLOCK_BYTES: usize = 24;

/// A compound packet whose parts fit the datagram exactly.
#[derive(Debug, Clone, Copy)]
pub struct Compound<'a>(&'a [u8]);

/// One packet of a compound.
#[derive(Debug, Clone, Copy)]
pub struct RtcpPacket<'a> {
    /// What the 5 bits after the padding flag count, reports mostly.
    pub count: u8,
    /// 192 to 223.
    pub packet_type: u8,
    bytes: &'a [u8],
}

/// What a receiver report says of when it heard the last sender report, enough for a round trip (RFC 3550 section 6.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportTimes {
    /// The middle 32 bits of the NTP time stamp of the last sender report; never 0.
    pub last_sender_report: u32,
    /// How long ago that was, in units of 1/65536 s.
    pub delay: u32,
}

impl<'a> Compound<'a> {
    /// Checks the whole datagram; `None` when it is anything but a sequence of complete RTCP packets.
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        if datagram.is_empty() {
            return None;
        }
        let mut rest = datagram;
        while !rest.is_empty() {
            rest = split_first(rest)?.1;
        }
        Some(Self(datagram))
    }

    /// Its packets in order.
    pub fn packets(self) -> impl Iterator<Item = RtcpPacket<'a>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (packet, after) = split_first(rest)?;
            rest = after;
            Some(packet)
        })
    }
}

/// Takes all feedback out of a compound, in place, for a peer that has agreed on none (RFC 4585 section 3.5 is for the profiles with an F). Returns
/// its new length, 0 when nothing else was in it, and how many packets went.
pub fn end_feedback(datagram: &mut [u8]) -> (usize, usize) {
    let (mut kept, mut at, mut ended) = (0, 0, 0);
    while let Some((packet, _)) = split_first(&datagram[at..]) {
        let (len, packet_type) = (packet.bytes.len(), packet.packet_type);
        if matches!(packet_type, TRANSPORT_FEEDBACK | PAYLOAD_FEEDBACK) {
            ended += 1;
        } else {
            datagram.copy_within(at..at + len, kept);
            kept += len;
        }
        at += len;
    }
    (kept, ended)
}

fn split_first(bytes: &[u8]) -> Option<(RtcpPacket<'_>, &[u8])> {
    let &[first, packet_type, ..] = bytes else { return None };
    let len = HEADER_BYTES + 4 * usize::from(u16_at(bytes, 2)?);
    if first >> 6 != 2 || !(192..=223).contains(&packet_type) {
        return None;
    }
    let (packet, after) = bytes.split_at_checked(len)?;
    Some((RtcpPacket { count: first & 0x1f, packet_type, bytes: packet }, after))
}

impl RtcpPacket<'_> {
    /// The source that speaks; of a goodbye or a description the first that is named.
    pub fn sender(&self) -> Option<u32> {
        u32_at(self.bytes, HEADER_BYTES)
    }

    /// The sources that are spoken of: those of report blocks, and the one that feedback is about (RFC 4585 section 6.1).
    pub fn targets(&self) -> impl Iterator<Item = u32> {
        let first_at = match self.packet_type {
            SENDER_REPORT => Some(SENDER_REPORT_BLOCKS_AT),
            RECEIVER_REPORT => Some(RECEIVER_REPORT_BLOCKS_AT),
            _ => None,
        };
        let blocks = first_at.and_then(|at| self.bytes.get(at..)).unwrap_or_default();
        let reported = blocks.chunks_exact(REPORT_BLOCK_BYTES).take(usize::from(self.count));
        let is_feedback = matches!(self.packet_type, TRANSPORT_FEEDBACK | PAYLOAD_FEEDBACK);
        let about = u32_at(self.bytes, FEEDBACK_SOURCE_AT).filter(|ssrc| is_feedback && *ssrc != 0);
        reported.filter_map(|block| u32_at(block, 0)).chain(about).chain(self.full_intra_targets())
    }

    /// A full intra request names its sources in its entries, and none in its header (RFC 5104 section 4.3.1.2).
    fn full_intra_targets(&self) -> impl Iterator<Item = u32> {
        let is_one = self.packet_type == PAYLOAD_FEEDBACK && self.count == FULL_INTRA_REQUEST;
        let entries = self.bytes.get(FEEDBACK_ENTRIES_AT..).filter(|_| is_one).unwrap_or_default();
        entries.chunks_exact(FULL_INTRA_ENTRY_BYTES).filter_map(|entry| u32_at(entry, 0))
    }

    /// The middle 32 bits of a sender report's NTP time stamp; `None` for other packets.
    pub fn sender_report_time(&self) -> Option<u32> {
        if self.packet_type == SENDER_REPORT { u32_at(self.bytes, 10) } else { None }
    }

    /// The times of the report blocks of a sender or receiver report; blocks that have heard no sender report are left out.
    pub fn report_times(&self) -> impl Iterator<Item = ReportTimes> {
        let first_at = match self.packet_type {
            SENDER_REPORT => Some(SENDER_REPORT_BLOCKS_AT),
            RECEIVER_REPORT => Some(RECEIVER_REPORT_BLOCKS_AT),
            _ => None,
        };
        let blocks = first_at.and_then(|at| self.bytes.get(at..)).unwrap_or_default();
        blocks.chunks_exact(REPORT_BLOCK_BYTES).take(usize::from(self.count)).filter_map(|block| {
            let times = ReportTimes { last_sender_report: u32_at(block, 16)?, delay: u32_at(block, 20)? };
            (times.last_sender_report != 0).then_some(times)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn feedback_is_taken_out_and_the_rest_moves_together() {
        let report = sender_report_with_a_block();
        let pli = [0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2];
        let nack = [0x81, 205, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 7, 0, 0];
        let goodbye = [0x81, 203, 0, 1, 0, 0, 0, 1];
        let mut compound = [&report[..], &pli, &goodbye, &nack].concat();
        let (len, ended) = end_feedback(&mut compound);
        assert_eq!((&compound[..len], ended), (&[&report[..], &goodbye].concat()[..], 2));
        let mut alone = nack;
        assert_eq!(end_feedback(&mut alone), (0, 1));
        assert_eq!(end_feedback(&mut report.clone()), (report.len(), 0));
    }

    #[test]
    fn reports_and_feedback_name_the_sources_they_are_about() {
        let targets = |bytes: &[u8]| -> Vec<u32> {
            Compound::parse(bytes)
                .unwrap()
                .packets()
                .flat_map(|packet| packet.targets().collect::<Vec<_>>())
                .collect()
        };
        assert_eq!(targets(&sender_report_with_a_block()), [0]);
        assert_eq!(targets(&[0x81, 206, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2]), [2]);
        let full_intra = [0x84, 206, 0, 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 1, 0, 0, 0];
        assert_eq!(targets(&full_intra), [9]);
        assert_eq!(targets(&[0x81, 203, 0, 1, 0, 0, 0, 1]), [0_u32; 0]);
    }

    fn sender_report_with_a_block() -> Vec<u8> {
        let mut bytes = vec![0x81, 200, 0, 12, 0, 0, 0, 1];
        bytes.extend([0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88]); // NTP time
        bytes.extend([0; 12]); // RTP time, packets, octets
        bytes.extend([0; 16]); // SSRC, loss, highest sequence, jitter
        bytes.extend([0xaa, 0xbb, 0xcc, 0xdd, 0, 0, 0x80, 0]); // LSR, DLSR
        bytes
    }

    #[test]
    fn a_compound_is_read_packet_by_packet() {
        let mut bytes = sender_report_with_a_block();
        bytes.extend([0x81, 202, 0, 2, 0, 0, 0, 1, 1, 2, b'h', b'i']);
        let packets: Vec<_> = Compound::parse(&bytes).unwrap().packets().collect();
        assert_eq!(packets.iter().map(|p| p.packet_type).collect::<Vec<_>>(), [200, 202]);
        assert_eq!(packets[0].sender_report_time(), Some(0x3344_5566));
        let times: Vec<_> = packets[0].report_times().collect();
        assert_eq!(times, [ReportTimes { last_sender_report: 0xaabb_ccdd, delay: 0x8000 }]);
        assert_eq!(packets[1].report_times().count(), 0);
    }

    #[test]
    fn lengths_that_do_not_add_up_are_refused() {
        let bytes = sender_report_with_a_block();
        for len in 0..bytes.len() {
            assert!(Compound::parse(&bytes[..len]).is_none(), "cut to {len}");
        }
        let mut longer = bytes.clone();
        longer.push(0);
        assert!(Compound::parse(&longer).is_none());
        let mut alien = bytes;
        alien[1] = 100;
        assert!(Compound::parse(&alien).is_none());
    }

    #[test]
    fn a_count_beyond_the_packet_reads_only_what_is_there() {
        let mut bytes = sender_report_with_a_block();
        bytes[0] = 0x9f;
        let compound = Compound::parse(&bytes).unwrap();
        assert_eq!(compound.packets().next().unwrap().report_times().count(), 1);
    }
}
