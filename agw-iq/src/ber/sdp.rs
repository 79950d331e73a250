//! Local and Remote: the properties of Annex C, as lines of SDP.
//!
//! Annex C.11 gives each line of SDP a tag, and a property group for each description. A controller that does without SDP may
//! describe a stream by the properties of Annex C.1 and C.6 (medium, payload type, bit rate, address, port): they become the lines
//! that say the same. A property of another technology is error 445. The text may hold keys: what is put together here is wiped.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::tlv::{Fields, Res, Tlv, fault, fault_as, universal};
use super::value::{Type, read_one};
use super::writer::{OCTET_STRING, SEQUENCE, Writer, constructed, primitive};
use crate::codec::MAX_ELEMENTS;
use crate::errors::ErrorCode;
use crate::sdp::SdpText;
use crate::secret::SecretBuf;

/// The letters of SDP in the order of their tags, from 0xB001 (Annex C.11).
const LETTERS: &[u8; 15] = b"vosiuepcbzkatrm";
const FIRST_TAG: u16 = 0xb001;

/// Annex C.1: the medium, its direction, rate and payload type.
const MEDIA: u16 = 0x1001;
const TRANSMISSION_MODE: u16 = 0x1002;
const BIT_RATE: u16 = 0x1005;
const RTP_PAYLOAD: u16 = 0x100f;
/// Annex C.3: what carries it; here only the version of IP.
const MEDIA_TRANSPORT: u16 = 0x3001;
/// Annex C.6: address, port, protocol.
const IP4: u16 = 0x6001;
const IP6: u16 = 0x6002;
const PORT: u16 = 0x6003;
const PORT_TYPE: u16 = 0x6004;

/// Reads a LocalRemoteDescriptor.
pub(super) fn read(descriptor: &Tlv<'_>) -> Res<SdpText> {
    let mut fields = descriptor.fields()?;
    let groups = fields.required(0, "propGrps")?;
    fields.end()?;
    let mut text = SecretBuf::default();
    groups.each(|group| {
        let mut elements = group.sequence_of()?;
        let mut bearer = Bearer::default();
        let start = text.as_str().len();
        let (mut count, mut lines) = (0, 0);
        while let Some(property) = elements.next()? {
            count += 1;
            property_lines(&property, &mut text, start, &mut lines, &mut bearer)?;
            // A property may have several values, each a line.
            if count > MAX_ELEMENTS || lines > MAX_ELEMENTS {
                return fault(property.at, format!("more than {MAX_ELEMENTS} lines in a group"));
            }
        }
        if text.as_str().len() == start {
            bearer.describe(&mut text)
        } else if bearer == Bearer::default() {
            Ok(())
        } else {
            fault_as(
                ErrorCode::CONFLICTING_VALUES,
                group.at,
                "SDP and other properties of Annex C in one group",
            )
        }
    })?;
    Ok(SdpText::new(text.as_str()))
}

/// One property: a line of SDP, or a mark in `bearer`.
fn property_lines(
    property: &Tlv<'_>,
    text: &mut SecretBuf,
    start: usize,
    lines: &mut usize,
    bearer: &mut Bearer,
) -> Res<()> {
    let mut fields: Fields<'_> = property.sequence()?;
    let [a, b, c, d] = fields.required(0, "a property name")?.exactly("a property name")?;
    let values = fields.required(1, "a property value")?;
    fields.optional(2)?;
    fields.end()?;
    let tag = u16::from_be_bytes([c, d]);
    if (a, b) != (0, 0) {
        let what = format!("property {a:02x}{b:02x}{tag:04x} in Local or Remote");
        return fault_as(ErrorCode::UNKNOWN_PROPERTY, property.at, what);
    }
    let letter = tag.checked_sub(FIRST_TAG).and_then(|at| LETTERS.get(usize::from(at)));
    let Some(letter) = letter else { return bearer.take(tag, &values) };
    // Each description begins with its version, which tells it from the one before.
    if start > 0 && *letter != b'v' && text.as_str().len() == start {
        text.push_str("v=0\n");
        *lines += 1;
    }
    let before = *lines;
    values.each(|value| {
        *lines += 1;
        line(text, *letter, &value)
    })?;
    if *lines == before {
        // CHOOSE for the whole line.
        push(text, *letter, "$");
        *lines += 1;
    }
    Ok(())
}

fn line(text: &mut SecretBuf, letter: u8, value: &Tlv<'_>) -> Res<()> {
    if !value.is_universal(universal::OCTET_STRING) {
        return fault(value.at, format!("an OCTET STRING expected, found {}", value.shown()));
    }
    let octets = zeroize::Zeroizing::new(value.octets()?.into_owned());
    let inner = super::value::string(&octets);
    match std::str::from_utf8(inner.unwrap_or(&octets)) {
        Ok(line) if !line.contains(['\0', '\r', '\n']) => {
            push(text, letter, line);
            Ok(())
        }
        _ => fault_as(
            ErrorCode::INVALID_SDP,
            value.at,
            format!("{}= is not a line of text", char::from(letter)),
        ),
    }
}

fn push(text: &mut SecretBuf, letter: u8, line: &str) {
    text.push_str(char::from(letter).encode_utf8(&mut [0; 4]));
    text.push_str("=");
    text.push_str(line);
    text.push_str("\n");
}

/// A stream as Annex C describes it without SDP; `Some(None)` is CHOOSE.
#[derive(Debug, Default, PartialEq, Eq)]
struct Bearer {
    media: Option<Option<u64>>,
    mode: Option<Option<u64>>,
    /// In units of 100 bit/s.
    bit_rate: Option<Option<u64>>,
    payload: Option<Option<u64>>,
    transport: Option<Option<u64>>,
    address: Option<Option<std::net::IpAddr>>,
    is_ip6: bool,
    port: Option<Option<u64>>,
    port_type: Option<Option<u64>>,
}

impl Bearer {
    fn take(&mut self, tag: u16, values: &Tlv<'_>) -> Res<()> {
        let place = match tag {
            MEDIA => &mut self.media,
            TRANSMISSION_MODE => &mut self.mode,
            BIT_RATE => &mut self.bit_rate,
            RTP_PAYLOAD => &mut self.payload,
            MEDIA_TRANSPORT => &mut self.transport,
            PORT => &mut self.port,
            PORT_TYPE => &mut self.port_type,
            IP4 => return self.take_address(values, false),
            IP6 => return self.take_address(values, true),
            _ => {
                let what = format!("property 0000{tag:04x} of Annex C");
                return fault_as(ErrorCode::UNKNOWN_PROPERTY, values.at, what);
            }
        };
        let read = values.list(|value| read_one(Type::Whole, &value))?;
        *place = Some(match read.as_slice() {
            [] => None,
            [value] if value.as_u64().is_some() => value.as_u64(),
            _ => return unsupported(tag, values.at),
        });
        Ok(())
    }

    fn take_address(&mut self, values: &Tlv<'_>, is_ip6: bool) -> Res<()> {
        let mut read = None;
        values.each(|value| {
            if !value.is_universal(universal::OCTET_STRING) {
                return fault(value.at, format!("an OCTET STRING expected, found {}", value.shown()));
            }
            let octets = value.octets()?;
            // The address itself, or an OCTET STRING with it.
            let inner = match octets.len() {
                4 | 16 => &octets,
                _ => super::value::string(&octets).unwrap_or(&octets),
            };
            let ip4 = || <[u8; 4]>::try_from(inner).map(|octets| Ipv4Addr::from(octets).into()).ok();
            let ip6 = || <[u8; 16]>::try_from(inner).map(|octets| Ipv6Addr::from(octets).into()).ok();
            match (if is_ip6 { ip6() } else { ip4() }, read) {
                (Some(address), None) => {
                    read = Some(address);
                    Ok(())
                }
                _ => unsupported(if is_ip6 { IP6 } else { IP4 }, value.at),
            }
        })?;
        (self.address, self.is_ip6) = (Some(read), is_ip6);
        Ok(())
    }

    /// The lines that say the same; none for a group without properties.
    fn describe(&self, text: &mut SecretBuf) -> Res<()> {
        if *self == Bearer::default() {
            return Ok(());
        }
        let shown = |number: Option<u64>| number.map_or_else(|| "$".to_owned(), |number| number.to_string());
        let is_ip6 = self.is_ip6 || self.transport == Some(Some(4));
        let address = self.address.flatten().map_or_else(|| "$".to_owned(), |address| address.to_string());
        push(text, b'v', "0");
        push(text, b'c', &format!("IN {} {address}", if is_ip6 { "IP6" } else { "IP4" }));
        let media = match self.media {
            Some(Some(0)) => "audio",
            Some(Some(1)) => "video",
            Some(Some(2)) => "application",
            _ => "-",
        };
        let port = self.port.map_or_else(|| "$".to_owned(), shown);
        let (proto, format) = match (self.payload, self.port_type) {
            (Some(payload), _) => ("RTP/AVP", shown(payload)),
            (None, Some(Some(0))) => ("TCP", "-".to_owned()),
            (None, _) => ("UDP", "-".to_owned()),
        };
        push(text, b'm', &format!("{media} {port} {proto} {format}"));
        if let Some(Some(rate)) = self.bit_rate {
            push(text, b'b', &format!("TIAS:{}", rate.saturating_mul(100)));
        }
        let mode = match self.mode {
            Some(Some(0)) => "sendonly",
            Some(Some(1)) => "recvonly",
            Some(Some(2)) => "sendrecv",
            _ => return Ok(()),
        };
        push(text, b'a', mode);
        Ok(())
    }
}

fn unsupported<T>(tag: u16, at: usize) -> Res<T> {
    fault_as(ErrorCode::UNSUPPORTED_VALUE, at, format!("value of property 0000{tag:04x} of Annex C"))
}

/// Writes a LocalRemoteDescriptor: a group for each description.
pub(super) fn write(w: &mut Writer, tag: u8, text: &SdpText) {
    let mut groups: Vec<Vec<(u16, &str)>> = Vec::new();
    for line in text.lines() {
        let tagged = line.split_once('=').and_then(|(letter, value)| {
            let at = LETTERS.iter().position(|known| letter.as_bytes() == [*known])?;
            Some((FIRST_TAG + at as u16, value))
        });
        let Some((tag, value)) = tagged else {
            return w.unsayable("a line of Local or Remote that is none of SDP");
        };
        if tag == FIRST_TAG || groups.is_empty() {
            groups.push(Vec::new());
        }
        if let Some(group) = groups.last_mut() {
            group.push((tag, value));
        }
    }
    w.nest(tag, |w| {
        w.list(constructed(0), &groups, |w, group| {
            w.list(SEQUENCE, group, |w, (tag, value)| {
                let [high, low] = tag.to_be_bytes();
                w.nest(SEQUENCE, |w| {
                    w.octets(primitive(0), &[0, 0, high, low]);
                    w.nest(constructed(1), |w| w.nest(OCTET_STRING, |w| super::value::write_text(w, value)));
                });
            });
        });
    });
}
