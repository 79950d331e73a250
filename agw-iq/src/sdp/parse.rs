//! From text to a description.
//!
//! Errors name the line, counted from 1 within the descriptor, and carry 474 for what is not SDP and 449, with the value in the text,
//! for what is SDP but not ours (H.248.1 section 7.1.8, TS 29.334 clause 5.17.1). No text of the description but the offending value
//! goes into an error, and that with keys blanked.

use std::net::IpAddr;

use super::*;
use crate::ast::ErrorDescriptor;
use crate::errors::ErrorCode;
use crate::secret::redact;

/// The most alternatives in one descriptor.
pub const MAX_GROUPS: usize = 16;
/// The most media lines in one group.
pub const MAX_MEDIA: usize = 16;
/// The most lines in one descriptor.
pub const MAX_LINES: usize = 512;
/// The longest line, in octets.
pub const MAX_LINE_BYTES: usize = 4096;
/// The most octets of a value that an error repeats.
const MAX_SHOWN: usize = 64;

/// Why a description was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("SDP line {line}: {what}")]
pub struct SdpError {
    /// 474 (invalid SDP syntax) or 449 (unsupported value).
    pub code: ErrorCode,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it, with the value.
    pub what: String,
}

impl From<&SdpError> for ErrorDescriptor {
    fn from(error: &SdpError) -> Self {
        ErrorDescriptor::with_text(error.code, error.to_string())
    }
}

/// What is wrong with a line, before its number is known.
struct Fault(ErrorCode, String);

impl Fault {
    fn syntax(why: &str, value: &str) -> Self {
        Fault(ErrorCode::INVALID_SDP, shown(why, value))
    }

    fn unsupported(why: &str, value: &str) -> Self {
        Fault(ErrorCode::UNSUPPORTED_VALUE, shown(why, value))
    }
}

/// The reason with the first octets of the value, keys blanked before the cut so that no cut lets one through.
fn shown(why: &str, value: &str) -> String {
    let value = redact(value);
    let end = value.floor_char_boundary(MAX_SHOWN);
    format!("{why}: '{}{}'", &value[..end], if end < value.len() { "..." } else { "" })
}

impl Sdp {
    /// Reads a description; at least one group. Lines may end with `LF` or `CR LF`, empty lines are skipped but counted.
    pub fn parse(text: &str) -> Result<Sdp, SdpError> {
        let mut sdp = Sdp::default();
        let mut number = 0;
        for line in text.split_terminator('\n') {
            number += 1;
            let line = line.strip_suffix('\r').unwrap_or(line);
            let fits = if number > MAX_LINES {
                Err(Fault(ErrorCode::INVALID_SDP, format!("more than {MAX_LINES} lines")))
            } else if line.len() > MAX_LINE_BYTES {
                Err(Fault(ErrorCode::INVALID_SDP, format!("line longer than {MAX_LINE_BYTES} octets")))
            } else if line.is_empty() {
                continue;
            } else {
                sdp.take_line(line)
            };
            fits.map_err(|Fault(code, what)| SdpError { code, line: number, what })?;
        }
        if sdp.groups.is_empty() {
            let what = "empty description, v=0 expected".to_owned();
            return Err(SdpError { code: ErrorCode::INVALID_SDP, line: number.max(1), what });
        }
        Ok(sdp)
    }

    fn take_line(&mut self, line: &str) -> Result<(), Fault> {
        let mut chars = line.chars();
        let (Some(kind @ 'a'..='z'), Some('=')) = (chars.next(), chars.next()) else {
            return Err(Fault::syntax("a letter and '=' expected", line));
        };
        let value = chars.as_str();
        if kind == 'v' {
            return self.begin_group(value);
        }
        let Some(group) = self.groups.last_mut() else {
            return Err(Fault::syntax("v= expected before anything else", line));
        };
        if kind == 'm' {
            if group.media.len() == MAX_MEDIA {
                return Err(Fault(ErrorCode::INVALID_SDP, format!("more than {MAX_MEDIA} media lines")));
            }
            group.media.push(media(value)?);
            return Ok(());
        }
        let line = match kind {
            'c' => Line::Connection(connection(value)?),
            'b' => Line::Bandwidth(bandwidth(value)?),
            'a' => attribute(value)?,
            _ => Line::Other { kind, value: value.into() },
        };
        match group.media.last_mut() {
            Some(media) => media.lines.push(line),
            None => group.lines.push(line),
        }
        Ok(())
    }

    fn begin_group(&mut self, version: &str) -> Result<(), Fault> {
        if version.trim_end() != "0" {
            return Err(Fault::unsupported("SDP version", version));
        }
        if self.groups.len() == MAX_GROUPS {
            return Err(Fault(ErrorCode::INVALID_SDP, format!("more than {MAX_GROUPS} groups")));
        }
        self.groups.push(Group::default());
        Ok(())
    }
}

fn media(value: &str) -> Result<Media, Fault> {
    let mut fields = value.split_ascii_whitespace();
    let (Some(kind), Some(ports), Some(proto)) = (fields.next(), fields.next(), fields.next()) else {
        return Err(Fault::syntax("m= needs media, port, transport and format", value));
    };
    let formats: Vec<String> = fields.map(str::to_owned).collect();
    if formats.is_empty() {
        return Err(Fault::syntax("m= needs at least one format", value));
    }
    let (port_text, count) = match ports.split_once('/') {
        None => (ports, None),
        Some((port, count)) => {
            let count: u16 = decimal(count).ok_or_else(|| Fault::syntax("number of ports", count))?;
            (port, Some(count))
        }
    };
    Ok(Media {
        kind: kind.to_owned(),
        port: port(port_text)?,
        port_count: count,
        proto: proto.to_owned(),
        formats,
        lines: Vec::new(),
    })
}

fn port(text: &str) -> Result<Port, Fault> {
    match text {
        "$" => Ok(Port::Choose),
        "-" => Ok(Port::Unspecified),
        _ => decimal(text).map(Port::Number).ok_or_else(|| Fault::syntax("port", text)),
    }
}

/// Digits only: no sign, which `str::parse` would take.
fn decimal<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn connection(value: &str) -> Result<Connection, Fault> {
    let mut fields = value.split_ascii_whitespace();
    let parts = (fields.next(), fields.next(), fields.next(), fields.next());
    let (Some(net), Some(family), Some(address), None) = parts else {
        return Err(Fault::syntax("network, address type and address expected", value));
    };
    if !net.eq_ignore_ascii_case("IN") && net != "$" {
        return Err(Fault::unsupported("network type", net));
    }
    let family = match family {
        "$" => Family::Choose,
        _ if family.eq_ignore_ascii_case("IP4") => Family::Ip4,
        _ if family.eq_ignore_ascii_case("IP6") => Family::Ip6,
        _ => return Err(Fault::unsupported("address type", family)),
    };
    let (host, suffix) = match address.split_once('/') {
        None => (address, None),
        Some((host, suffix)) => (host, Some(suffix.to_owned())),
    };
    let address = match host {
        "$" => Address::Choose,
        "-" => Address::Unspecified,
        _ => literal(family, host)?,
    };
    Ok(Connection { family, address, suffix })
}

/// An address of the stated family, or a domain name; something that looks like an address must be one.
fn literal(family: Family, host: &str) -> Result<Address, Fault> {
    let wrong = || Fault::syntax("address", host);
    if let Ok(ip) = host.parse::<IpAddr>() {
        return if family.admits(ip) { Ok(Address::Ip(ip)) } else { Err(wrong()) };
    }
    let numeric = host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let name = host.len() <= 255 && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b));
    if numeric || !name { Err(wrong()) } else { Ok(Address::Name(host.to_owned())) }
}

fn bandwidth(value: &str) -> Result<Bandwidth, Fault> {
    let wrong = || Fault::syntax("bandwidth", value);
    let (kind, amount) = value.split_once(':').ok_or_else(wrong)?;
    if kind.is_empty() || kind.contains(char::is_whitespace) {
        return Err(wrong());
    }
    let value = match amount.trim() {
        "$" => BandwidthValue::Choose,
        "-" => BandwidthValue::Unspecified,
        number => BandwidthValue::Number(decimal(number).ok_or_else(wrong)?),
    };
    Ok(Bandwidth { kind: kind.to_owned(), value })
}

fn attribute(value: &str) -> Result<Line, Fault> {
    let (name, value) = match value.split_once(':') {
        None => (value, None),
        Some((name, value)) => (name, Some(value)),
    };
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(Fault::syntax("attribute name", name));
    }
    Ok(match value {
        None => Line::Attribute(Attribute::flag(name)),
        Some(value) if name == "rtcp" => Line::Rtcp(rtcp(value)?),
        Some(value) => Line::Attribute(Attribute::with_value(name, value)),
    })
}

fn rtcp(value: &str) -> Result<Rtcp, Fault> {
    match value.trim().split_once(' ') {
        None => Ok(Rtcp { port: port(value.trim())?, connection: None }),
        Some((number, rest)) => Ok(Rtcp { port: port(number)?, connection: Some(connection(rest)?) }),
    }
}
