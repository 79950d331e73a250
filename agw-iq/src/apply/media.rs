//! What one alternative of a Local or Remote descriptor asks for, in the model's words.
//!
//! A stream has one media line. Its transport decides the rest: RTP plain, secured or with keys from DTLS, datagrams that nobody looks into, or a TCP connection
//! with or without TLS (what is said of it is read in `connection`, of ICE in `ice`, of packets in `formats`); the transports of later work are known by name and answered "not implemented", so that a controller hears the difference from a typing error.
//! Remote's addresses must be addresses: names are not looked up. Errors carry the offending value, never a key (SRTP-12).

use super::connection::{self, ConnectionTerms};
use super::formats::RtpTerms;
use super::ice::{self, IceTerms};
use super::traffic::Bandwidths;
use crate::ast::ErrorDescriptor;
use crate::errors::ErrorCode;
use crate::sdp::{self, Group, Media, Port, Rtcp, SdpText};
use crate::secret::{holds_inline_key, redact};
use agw_core::model::{Application, CryptoAttribute, Family, PreSharedKey, Transport};
use std::net::IpAddr;

/// Transports that are registered, or used on Iq, and not done here yet.
const KNOWN_TRANSPORTS: [&str; 16] = [
    "TCP/DTLS/BFCP",
    "TCP/RTP/AVP",
    "TCP/RTP/AVPF",
    "TCP/RTP/SAVP",
    "TCP/RTP/SAVPF",
    "TCP/DTLS/RTP/SAVP",
    "TCP/DTLS/RTP/SAVPF",
    "TCP/DTLS/SCTP",
    "UDP/BFCP",
    "UDP/TLS/BFCP",
    "UDP/DTLS",
    "UDP/TLS",
    "UDP/TLS/UDPTL",
    "UDP/DTLS/SCTP",
    "DTLS/SCTP",
    "SCTP",
];
/// Media types: those of IANA, and the `-` of gateway control.
const MEDIA_TYPES: [&str; 8] = ["audio", "video", "text", "application", "message", "image", "haptics", "-"];

/// One media line with its connection.
#[derive(Debug)]
pub(super) struct Terms {
    pub(super) transport: Transport,
    /// The IP version, where one is said.
    pub(super) family: Option<Family>,
    /// The address, where one is given.
    pub(super) address: Option<IpAddr>,
    /// The port, where one is given; 0 switches the stream off.
    pub(super) port: Option<u16>,
    pub(super) mux: bool,
    pub(super) rtcp: Option<Rtcp>,
    pub(super) crypto: Option<CryptoAttribute>,
    pub(super) clock_rate_hz: Option<u32>,
    pub(super) bandwidths: Bandwidths,
    pub(super) rtp: RtpTerms,
    pub(super) ice: Option<Box<IceTerms>>,
    /// For TCP and for DTLS.
    pub(super) connection: Option<Box<ConnectionTerms>>,
}

impl Terms {
    /// The pre-shared key of TLS.
    pub(super) fn psk(&self) -> Option<&PreSharedKey> {
        self.connection.as_ref()?.psk.as_ref()
    }

    /// Whether it has a key, of SRTP or of TLS.
    pub(super) fn is_keyed(&self) -> bool {
        self.crypto.is_some() || self.psk().is_some()
    }

    /// Port 0: the stream is refused or switched off (RFC 3264 section 5.1).
    pub(super) fn is_off(&self) -> bool {
        self.port == Some(0)
    }
}

/// Reads an alternative.
///
/// # Errors
/// 474, 449, 501, 515 as H.248.1 wants them.
pub(super) fn terms(group: &Group) -> Result<Terms, ErrorDescriptor> {
    let media = match group.media.as_slice() {
        [media] => media,
        [] => return Err(ErrorDescriptor::with_text(ErrorCode::INVALID_SDP, "no m= line")),
        [_, second, ..] => return Err(unsupported(format!("second media line m={}", second.kind))),
    };
    if !MEDIA_TYPES.iter().any(|known| media.kind.eq_ignore_ascii_case(known)) {
        let text = redact(&format!("m={}", media.kind));
        return Err(ErrorDescriptor::with_text(ErrorCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    if media.port_count.is_some_and(|count| count != 1) {
        return Err(unsupported(format!("m= with {} ports", media.port_count.unwrap_or_default())));
    }
    let transport = transport(&media.proto)?;
    let (family, address) = connection(group, media)?;
    Ok(Terms {
        transport,
        family,
        address,
        port: media.port.number(),
        mux: media.rtcp_mux(),
        rtcp: media.rtcp().cloned(),
        crypto: crypto(media, transport)?,
        clock_rate_hz: clock_rate(media),
        bandwidths: Bandwidths::of(group, media),
        rtp: RtpTerms::read(group, media, transport)?,
        ice: IceTerms::read(group, media, transport)?,
        connection: ConnectionTerms::read(group, media, transport)?,
    })
}

/// Error 449. Whatever the text repeats of the description, keys in it are blanked.
pub(super) fn unsupported(text: impl AsRef<str>) -> ErrorDescriptor {
    ErrorDescriptor::with_text(ErrorCode::UNSUPPORTED_VALUE, redact(text.as_ref()))
}

fn transport(proto: &str) -> Result<Transport, ErrorDescriptor> {
    let is = |name: &str| proto.eq_ignore_ascii_case(name);
    let rtp = |secure, feedback| Ok(Transport::Rtp { secure, feedback });
    let tcp = |tls, application| Ok(Transport::Tcp { tls, application });
    match () {
        () if is("RTP/AVP") => rtp(false, false),
        () if is("RTP/AVPF") => rtp(false, true),
        () if is("RTP/SAVP") => rtp(true, false),
        () if is("RTP/SAVPF") => rtp(true, true),
        // DTLS-1
        () if is("UDP/TLS/RTP/SAVP") => Ok(Transport::DtlsRtp { feedback: false }),
        () if is("UDP/TLS/RTP/SAVPF") => Ok(Transport::DtlsRtp { feedback: true }),
        () if is("UDP") || is("udptl") => Ok(Transport::Udp),
        // TLS-9
        () if is("TCP") => tcp(false, Application::Opaque),
        () if is("TCP/TLS") => tcp(true, Application::Opaque),
        () if is("TCP/MSRP") => tcp(false, Application::Msrp),
        () if is("TCP/TLS/MSRP") => tcp(true, Application::Msrp),
        () if is("TCP/BFCP") => tcp(false, Application::Bfcp),
        () if is("TCP/TLS/BFCP") => tcp(true, Application::Bfcp),
        () if KNOWN_TRANSPORTS.iter().any(|known| is(known)) => {
            let text = format!("transport {proto} is not implemented");
            Err(ErrorDescriptor::with_text(ErrorCode::NOT_IMPLEMENTED, text))
        }
        () => Err(unsupported(format!("transport {proto}"))),
    }
}

fn connection(group: &Group, media: &Media) -> Result<(Option<Family>, Option<IpAddr>), ErrorDescriptor> {
    let Some(connection) = group.connection_of(media) else { return Ok((None, None)) };
    if connection.suffix.is_some() {
        return Err(unsupported(format!("c={connection}: multicast")));
    }
    let family = match connection.family {
        sdp::Family::Ip4 => Some(Family::V4),
        sdp::Family::Ip6 => Some(Family::V6),
        sdp::Family::Choose => None,
    };
    match &connection.address {
        sdp::Address::Choose | sdp::Address::Unspecified => Ok((family, None)),
        sdp::Address::Ip(ip) if ip.is_multicast() => Err(unsupported(format!("c={connection}: multicast"))),
        sdp::Address::Ip(ip) => Ok((Some(Family::of(*ip)), Some(*ip))),
        sdp::Address::Name(name) => {
            Err(unsupported(format!("c= with the name {name}: an address is needed")))
        }
    }
}

/// The one `a=crypto` of a secured stream. More than one is refused: a further key is a further MKI of the same attribute (SRTP-10).
fn crypto(media: &Media, transport: Transport) -> Result<Option<CryptoAttribute>, ErrorDescriptor> {
    if matches!(transport, Transport::Tcp { .. }) {
        return Ok(None);
    }
    let mut lines = media.crypto();
    let Some(line) = lines.next() else { return Ok(None) };
    if lines.next().is_some() {
        return Err(unsupported("second a=crypto line"));
    }
    if !matches!(transport, Transport::Rtp { secure: true, .. }) {
        return Err(unsupported(format!("a=crypto with {}", transport.as_str())));
    }
    // The offending value is the part before the key.
    let shown = || line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    match CryptoAttribute::parse(line) {
        Ok(attribute) => Ok(Some(attribute)),
        Err(error) => Err(unsupported(redact(&format!("a=crypto:{}: {error}", shown())))),
    }
}

/// The clock rate of the first format: of its `a=rtpmap`, else of the static payload type (RFC 3551 section 6).
fn clock_rate(media: &Media) -> Option<u32> {
    let format = media.formats.first()?;
    let mapped = media.attributes("rtpmap").filter_map(|attribute| attribute.value()).find_map(|value| {
        let (payload_type, encoding) = value.split_once(' ')?;
        let rate = encoding.split('/').nth(1)?;
        (payload_type == format).then(|| rate.trim().parse().ok()).flatten()
    });
    let fixed = || match format.parse::<u8>().ok()? {
        0 | 3..=5 | 7..=9 | 12 | 13 | 15 | 18 => Some(8000),
        6 => Some(16_000),
        10 | 11 => Some(44_100),
        14 | 25 | 26 | 28 | 31..=34 => Some(90_000),
        16 => Some(11_025),
        17 => Some(22_050),
        _ => None,
    };
    mapped.or_else(fixed).filter(|rate| *rate > 0)
}

/// What of a description is kept and shown in audits: everything but keys (SRTP-12). What stands behind `inline:` where no key belongs, as
/// under a mistyped name, is blanked.
pub(super) fn kept(groups: &[Group]) -> SdpText {
    let text = sdp::print_without(groups, is_secret);
    if holds_inline_key(text.as_str()) { SdpText::new(&redact(text.as_str())) } else { text }
}

fn is_secret(line: &sdp::Line) -> bool {
    match line {
        sdp::Line::Attribute(attribute) => {
            let name = attribute.name();
            ["crypto", "key-mgmt", "ice-pwd"].iter().any(|secret| name.eq_ignore_ascii_case(secret))
        }
        sdp::Line::Other { kind, .. } => *kind == 'k',
        _ => false,
    }
}

/// The first value that the gateway was asked to choose and cannot, as its line. `local`: the transport of a Local description, in which
/// it can choose the RTCP port, for TLS, DTLS and MSRP its fingerprints and its path, and what ICE needs.
pub(super) fn unfilled(group: &Group, local: Option<Transport>) -> Option<String> {
    let lines = group.lines.iter().chain(group.media.iter().flat_map(|media| &media.lines));
    for line in lines {
        let open = match line {
            sdp::Line::Attribute(attribute) => {
                let asked = attribute.is_choose() || attribute.value() == Some("$");
                asked
                    && !local.is_some_and(|transport| {
                        connection::is_fillable(attribute, transport)
                            || ice::is_fillable(attribute, transport)
                    })
            }
            sdp::Line::Bandwidth(bandwidth) => bandwidth.value == sdp::BandwidthValue::Choose,
            sdp::Line::Rtcp(rtcp) => local.is_none() && rtcp.port == Port::Choose,
            sdp::Line::Connection(_) | sdp::Line::Other { .. } => false,
        };
        if open {
            return Some(redact(&line.to_string()));
        }
    }
    let media = group
        .media
        .iter()
        .find(|media| media.kind == "$" || media.formats.iter().any(|format| format == "$"));
    media.map(|media| format!("m={} {}", media.kind, media.formats.join(" ")))
}
