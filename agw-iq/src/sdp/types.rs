//! What a description says, line by line in the order written.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::secret::{redact, wipe};

/// A Local or Remote descriptor: alternatives, in order of preference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sdp {
    /// At least one group after [`Sdp::parse`].
    pub groups: Vec<Group>,
}

/// One alternative: what one `v=` line begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Group {
    /// Lines between `v=0` and the first `m=`.
    pub lines: Vec<Line>,
    /// Media lines with what follows each. An H.248 stream has one; more are kept.
    pub media: Vec<Media>,
}

/// A media line and the lines below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// `audio`, `video`, `message`, `-`, `$`, ...
    pub kind: String,
    /// The port.
    pub port: Port,
    /// The number of ports, where written (`49170/2`).
    pub port_count: Option<u16>,
    /// The transport as written: `RTP/SAVP`, `TCP`, `UDP/DTLS`, `-`, ...
    pub proto: String,
    /// Formats as written: payload type numbers, `*`, `-`, `$`, words; at least one.
    pub formats: Vec<String>,
    /// The lines below.
    pub lines: Vec<Line>,
}

/// A transport port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Port {
    /// `$`: the gateway chooses.
    Choose,
    /// `-`: none.
    Unspecified,
    /// A number; 0 refuses or switches off the stream.
    Number(u16),
}

impl Port {
    /// The number, where there is one.
    pub fn number(self) -> Option<u16> {
        match self {
            Port::Number(port) => Some(port),
            Port::Choose | Port::Unspecified => None,
        }
    }
}

/// One line below `v=` or `m=`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// `c=`
    Connection(Connection),
    /// `b=`
    Bandwidth(Bandwidth),
    /// `a=rtcp:` (RFC 3605), typed so that a bad port is an error with its line.
    Rtcp(Rtcp),
    /// Any other `a=`.
    Attribute(Attribute),
    /// Any other line, untouched.
    Other {
        /// The letter before `=`.
        kind: char,
        /// Everything after it.
        value: OpaqueValue,
    },
}

/// The value of a line that is not looked at; wiped when dropped, because `k=` is one.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct OpaqueValue(String);

impl OpaqueValue {
    /// The value.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for OpaqueValue {
    fn from(text: &str) -> Self {
        OpaqueValue(text.to_owned())
    }
}

impl fmt::Debug for OpaqueValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The letter is not known here, so nothing is shown but the length.
        write!(f, "[{} octets]", self.0.len())
    }
}

impl Drop for OpaqueValue {
    fn drop(&mut self) {
        wipe(&mut std::mem::take(&mut self.0).into_bytes());
    }
}

/// `c=IN IP4 192.0.2.1`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// IPv4 or IPv6.
    pub family: Family,
    /// The address.
    pub address: Address,
    /// What follows a multicast address (`127/3`), untouched.
    pub suffix: Option<String>,
}

impl Connection {
    /// The connection line of an address.
    pub fn from_ip(ip: IpAddr) -> Self {
        let family = if ip.is_ipv4() { Family::Ip4 } else { Family::Ip6 };
        Connection { family, address: Address::Ip(ip), suffix: None }
    }
}

/// The address type of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// `IP4`
    Ip4,
    /// `IP6`
    Ip6,
    /// `$`: the gateway chooses.
    Choose,
}

impl Family {
    /// Whether an address is of this family.
    pub fn admits(self, ip: IpAddr) -> bool {
        match self {
            Family::Ip4 => ip.is_ipv4(),
            Family::Ip6 => ip.is_ipv6(),
            Family::Choose => true,
        }
    }

    /// The unspecified address of the family; IPv4 where the choice is free.
    pub fn unspecified(self) -> IpAddr {
        match self {
            Family::Ip4 | Family::Choose => Ipv4Addr::UNSPECIFIED.into(),
            Family::Ip6 => Ipv6Addr::UNSPECIFIED.into(),
        }
    }
}

/// A connection address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// `$`: the gateway chooses.
    Choose,
    /// `-`: none.
    Unspecified,
    /// An address.
    Ip(IpAddr),
    /// A domain name, untouched.
    Name(String),
}

impl Address {
    /// The address, where there is one.
    pub fn ip(&self) -> Option<IpAddr> {
        match self {
            Address::Ip(ip) => Some(*ip),
            Address::Choose | Address::Unspecified | Address::Name(_) => None,
        }
    }
}

/// `b=AS:41`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// `AS`, `RS`, `RR`, `CT`, `TIAS`, ..., as written.
    pub kind: String,
    /// Kilobits per second for AS and CT, bits per second for RS, RR and TIAS.
    pub value: BandwidthValue,
}

/// The amount of a bandwidth line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BandwidthValue {
    /// `$`: the gateway chooses.
    Choose,
    /// `-`: none.
    Unspecified,
    /// A number in the unit of its kind.
    Number(u64),
}

/// `a=rtcp:53020 IN IP4 126.16.64.4`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rtcp {
    /// The RTCP port.
    pub port: Port,
    /// The RTCP address, where it is not that of RTP.
    pub connection: Option<Connection>,
}

/// `a=name` or `a=name:value`; the value is wiped when dropped and shown without keys.
#[derive(Clone, PartialEq, Eq)]
pub struct Attribute {
    name: String,
    value: Option<String>,
}

impl Attribute {
    /// A property attribute, `a=name`.
    pub fn flag(name: impl Into<String>) -> Self {
        Attribute { name: name.into(), value: None }
    }

    /// A value attribute, `a=name:value`.
    pub fn with_value(name: impl Into<String>, value: impl Into<String>) -> Self {
        Attribute { name: name.into(), value: Some(value.into()) }
    }

    /// The name, as written.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What follows the colon, untouched.
    pub fn value(&self) -> Option<&str> {
        self.value.as_deref()
    }

    /// Whether the value, or one of its parts between spaces, is `$`.
    pub fn is_choose(&self) -> bool {
        self.value().is_some_and(|value| value.split(' ').any(|part| part == "$"))
    }
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            None => write!(f, "a={}", self.name),
            Some(value) => f.write_str(&redact(&format!("a={}:{value}", self.name))),
        }
    }
}

impl Drop for Attribute {
    fn drop(&mut self) {
        wipe(&mut self.value.take().unwrap_or_default().into_bytes());
    }
}

impl Group {
    /// The first session-level `c=`.
    pub fn connection(&self) -> Option<&Connection> {
        connection(&self.lines)
    }

    /// The connection that holds for a media line of this group: its own, else that of the session.
    pub fn connection_of<'a>(&'a self, media: &'a Media) -> Option<&'a Connection> {
        media.connection().or_else(|| self.connection())
    }

    /// Session-level attributes of this name, in order.
    pub fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Attribute> {
        attributes(&self.lines, name)
    }

    /// Sets the session-level `c=`.
    pub fn set_connection(&mut self, connection: Connection) {
        set_connection(&mut self.lines, connection);
    }
}

impl Media {
    /// The first `c=` of this media line.
    pub fn connection(&self) -> Option<&Connection> {
        connection(&self.lines)
    }

    /// Sets the `c=` of this media line.
    pub fn set_connection(&mut self, connection: Connection) {
        set_connection(&mut self.lines, connection);
    }

    /// The amount of a bandwidth kind (`AS`, `RS`, `RR`, ...).
    pub fn bandwidth(&self, kind: &str) -> Option<BandwidthValue> {
        self.lines.iter().find_map(|line| match line {
            Line::Bandwidth(bandwidth) if bandwidth.kind.eq_ignore_ascii_case(kind) => Some(bandwidth.value),
            _ => None,
        })
    }

    /// Attributes of this name, in order; `rtcp` is typed apart, see [`Media::rtcp`].
    pub fn attributes<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Attribute> {
        attributes(&self.lines, name)
    }

    /// The first attribute of this name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.lines.iter().find_map(|line| match line {
            Line::Attribute(attribute) if attribute.name == name => Some(attribute),
            _ => None,
        })
    }

    /// The values of all `a=crypto` lines, in order: `1 AES_CM_128_HMAC_SHA1_80 inline:...`. They hold keys.
    pub fn crypto(&self) -> impl Iterator<Item = &str> {
        self.attributes("crypto").filter_map(Attribute::value)
    }

    /// Whether RTP and RTCP share a port (RFC 5761).
    pub fn rtcp_mux(&self) -> bool {
        self.attribute("rtcp-mux").is_some()
    }

    /// The `a=rtcp` line (RFC 3605).
    pub fn rtcp(&self) -> Option<&Rtcp> {
        self.lines.iter().find_map(|line| match line {
            Line::Rtcp(rtcp) => Some(rtcp),
            _ => None,
        })
    }

    /// Sets or adds the `a=rtcp` line.
    pub fn set_rtcp(&mut self, rtcp: Rtcp) {
        match self.lines.iter_mut().find(|line| matches!(line, Line::Rtcp(_))) {
            Some(line) => *line = Line::Rtcp(rtcp),
            None => self.lines.push(Line::Rtcp(rtcp)),
        }
    }
}

fn connection(lines: &[Line]) -> Option<&Connection> {
    lines.iter().find_map(|line| match line {
        Line::Connection(connection) => Some(connection),
        _ => None,
    })
}

fn attributes<'a>(lines: &'a [Line], name: &'a str) -> impl Iterator<Item = &'a Attribute> {
    lines.iter().filter_map(move |line| match line {
        Line::Attribute(attribute) if attribute.name == name => Some(attribute),
        _ => None,
    })
}

/// Replaces the first `c=`, or puts one before the lines that must follow it (RFC 4566 section 5: `b=`, `k=`, `a=`, ...).
fn set_connection(lines: &mut Vec<Line>, connection: Connection) {
    if let Some(line) = lines.iter_mut().find(|line| matches!(line, Line::Connection(_))) {
        *line = Line::Connection(connection);
        return;
    }
    let before = |line: &Line| matches!(line, Line::Other { kind: 'o' | 's' | 'i' | 'u' | 'e' | 'p', .. });
    let at = lines.iter().position(|line| !before(line)).unwrap_or(lines.len());
    lines.insert(at, Line::Connection(connection));
}
