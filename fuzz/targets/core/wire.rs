//! Any bytes as a datagram: the views neither panic nor see anything else than a reader who goes through the bits one by one
//! (RFC 3550 sections 5.1 and 6.4, RFC 7983, RFC 5761 section 4).
#![no_main]

use agw_core::wire::demux::{Protocol, protocol_of};
use agw_core::wire::rtcp::{Compound, ReportTimes};
use agw_core::wire::rtp::RtpHeader;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    assert_eq!(protocol_of(datagram), named(datagram));
    assert_eq!(RtpHeader::parse(datagram), rtp(datagram));
    let packets = Compound::parse(datagram).map(|compound| {
        compound
            .packets()
            .map(|packet| Rtcp {
                count: packet.count,
                packet_type: packet.packet_type,
                sent: packet.sender_report_time(),
                heard: packet.report_times().collect(),
            })
            .collect::<Vec<_>>()
    });
    assert_eq!(packets, compound(datagram));
});

/// `bits` bits from the bit numbered `at` on; `None` when they are not there.
fn bits(bytes: &[u8], at: usize, bits: usize) -> Option<u32> {
    (at..at + bits).try_fold(0, |value, bit| {
        let byte = bytes.get(bit / 8)?;
        Some(value << 1 | u32::from(byte >> (7 - bit % 8) & 1))
    })
}

fn named(datagram: &[u8]) -> Protocol {
    let (Some(first), Some(second)) = (bits(datagram, 0, 8), bits(datagram, 8, 8).or(Some(0))) else {
        return Protocol::Unknown;
    };
    match first {
        0..=3 => Protocol::Stun,
        16..=19 => Protocol::Zrtp,
        20..=63 => Protocol::Dtls,
        64..=79 => Protocol::TurnChannel,
        128..=191 if datagram.len() < 2 => Protocol::Unknown,
        128..=191 if (192..=223).contains(&second) => Protocol::Rtcp,
        128..=191 => Protocol::Rtp,
        _ => Protocol::Unknown,
    }
}

fn rtp(datagram: &[u8]) -> Option<RtpHeader> {
    let (version, extended, sources) =
        (bits(datagram, 0, 2)?, bits(datagram, 3, 1)?, bits(datagram, 4, 4)? as usize);
    let mut header_bytes = 12 + 4 * sources;
    if extended == 1 {
        header_bytes += 4 + 4 * bits(datagram, 8 * header_bytes + 16, 16)? as usize;
    }
    let header = RtpHeader {
        marker: bits(datagram, 8, 1)? == 1,
        payload_type: bits(datagram, 9, 7)? as u8,
        sequence: bits(datagram, 16, 16)? as u16,
        timestamp: bits(datagram, 32, 32)?,
        ssrc: bits(datagram, 64, 32)?,
        header_bytes,
    };
    (version == 2 && header_bytes <= datagram.len()).then_some(header)
}

#[derive(Debug, PartialEq)]
struct Rtcp {
    count: u8,
    packet_type: u8,
    sent: Option<u32>,
    heard: Vec<ReportTimes>,
}

fn compound(datagram: &[u8]) -> Option<Vec<Rtcp>> {
    let (mut at, mut packets) = (0, Vec::new());
    while at < datagram.len() {
        let length = 4 * (1 + bits(datagram, 8 * at + 16, 16)? as usize);
        let packet = datagram.get(at..at + length)?;
        packets.push(rtcp(packet)?);
        at += length;
    }
    (!packets.is_empty()).then_some(packets)
}

fn rtcp(packet: &[u8]) -> Option<Rtcp> {
    let (count, packet_type) = (bits(packet, 3, 5)? as u8, bits(packet, 8, 8)? as u8);
    if bits(packet, 0, 2)? != 2 || !(192..=223).contains(&packet_type) {
        return None;
    }
    let blocks_at = match packet_type {
        200 => 28,
        201 => 8,
        _ => packet.len(),
    };
    let heard = (0..usize::from(count)).filter_map(|block| {
        let at = 8 * (blocks_at + 24 * block);
        let times = ReportTimes {
            last_sender_report: bits(packet, at + 8 * 16, 32)?,
            delay: bits(packet, at + 8 * 20, 32)?,
        };
        (times.last_sender_report != 0).then_some(times)
    });
    let sent = if packet_type == 200 { bits(packet, 80, 32) } else { None };
    Some(Rtcp { count, packet_type, sent, heard: heard.collect() })
}
