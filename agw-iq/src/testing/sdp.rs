//! Descriptions, as trees and as the text that Local and Remote carry.

use std::net::IpAddr;

use super::*;
use crate::sdp::{
    Address, Attribute, Bandwidth, BandwidthValue, Connection, Family, Group, Line, Media, Port, Rtcp, Sdp,
    SdpText,
};

/// Text for Local and Remote: descriptions, and text that is none but must be carried all the same, unless it begins with a
/// semicolon, where the text encoding has a comment.
pub fn sdp_text() -> impl Strategy<Value = SdpText> {
    prop_oneof![
        3 => sdp().prop_map(|sdp| sdp.print()),
        1 => "[ -~\n\r\t{}\\\\;\"é]{0,60}".prop_map(|text| SdpText::new(text.trim_start_matches([';', ' ', '\t', '\r', '\n']))),
    ]
}

/// Descriptions with the holes of gateway control.
pub fn sdp() -> impl Strategy<Value = Sdp> {
    vec(group(), 1..3).prop_map(|groups| Sdp { groups })
}

fn group() -> impl Strategy<Value = Group> {
    (vec(line(), 0..4), vec(media(), 0..3)).prop_map(|(lines, media)| Group { lines, media })
}

fn media() -> impl Strategy<Value = Media> {
    let kind = select(vec!["audio", "video", "message", "application", "image", "-", "$"]);
    let proto = select(vec![
        "RTP/AVP",
        "RTP/SAVP",
        "RTP/SAVPF",
        "UDP/TLS/RTP/SAVPF",
        "TCP",
        "UDP",
        "TCP/TLS",
        "UDP/DTLS",
        "TCP/MSRP",
        "TCP/TLS/MSRP",
        "TCP/TLS/BFCP",
        "UDP/DTLS/SCTP",
        "-",
        "$",
    ]);
    let format =
        prop_oneof![(0..128_u8).prop_map(|format| format.to_string()), "[-*$]|webrtc-datachannel|t38"];
    (kind, port(), of(1..=8_u16), proto, vec(format, 1..4), vec(line(), 0..5)).prop_map(
        |(kind, port, port_count, proto, formats, lines)| Media {
            kind: kind.to_owned(),
            port,
            port_count,
            proto: proto.to_owned(),
            formats,
            lines,
        },
    )
}

fn port() -> impl Strategy<Value = Port> {
    prop_oneof![3 => any::<u16>().prop_map(Port::Number), 1 => Just(Port::Choose), 1 => Just(Port::Unspecified)]
}

fn connection() -> impl Strategy<Value = Connection> {
    let hole = (
        select(vec![Family::Ip4, Family::Ip6, Family::Choose]),
        select(vec![Address::Choose, Address::Unspecified, Address::Name("gw.example.net".to_owned())]),
    );
    prop_oneof![
        any::<IpAddr>().prop_map(Connection::from_ip),
        hole.prop_map(|(family, address)| Connection { family, address, suffix: None }),
        any::<std::net::Ipv4Addr>()
            .prop_map(|ip| Connection { suffix: Some("127/3".to_owned()), ..Connection::from_ip(ip.into()) }),
    ]
}

fn line() -> impl Strategy<Value = Line> {
    let amount = prop_oneof![
        3 => any::<u64>().prop_map(BandwidthValue::Number),
        1 => select(vec![BandwidthValue::Choose, BandwidthValue::Unspecified]),
    ];
    prop_oneof![
        connection().prop_map(Line::Connection),
        (select(vec!["AS", "RS", "RR", "TIAS", "X-y"]), amount)
            .prop_map(|(kind, value)| Line::Bandwidth(Bandwidth { kind: kind.to_owned(), value })),
        (port(), of(connection())).prop_map(|(port, connection)| Line::Rtcp(Rtcp { port, connection })),
        select(vec!["sendrecv", "rtcp-mux", "ice-lite"])
            .prop_map(|name| Line::Attribute(Attribute::flag(name))),
        (
            select(vec!["crypto", "fmtp", "ptime", "fingerprint", "setup", "connection", "path"]),
            "[ -~é]{0,40}"
        )
            .prop_map(|(name, value)| Line::Attribute(Attribute::with_value(name, value))),
        (select(vec!['o', 's', 't', 'i', 'k', 'z']), "[ -~]{0,20}")
            .prop_map(|(kind, value)| Line::Other { kind, value: value.as_str().into() }),
    ]
}
