//! From a description to its text.

use std::fmt::{self, Write};

use super::*;
use crate::secret::SecretBuf;

impl Sdp {
    /// The text of all groups. What [`Sdp::parse`] read comes out as it came in, single spaces between fields.
    pub fn print(&self) -> SdpText {
        let mut out = SecretBuf::with_capacity(512);
        for group in &self.groups {
            // Writing to a buffer cannot fail.
            let _ = write!(out, "{group}");
        }
        SdpText::new(&out)
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("v=0\n")?;
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))?;
        self.media.iter().try_for_each(|media| write!(f, "{media}"))
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={} {}", self.kind, self.port)?;
        if let Some(count) = self.port_count {
            write!(f, "/{count}")?;
        }
        write!(f, " {}", self.proto)?;
        self.formats.iter().try_for_each(|format| write!(f, " {format}"))?;
        f.write_str("\n")?;
        self.lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Line::Connection(connection) => write!(f, "c={connection}"),
            Line::Bandwidth(Bandwidth { kind, value }) => write!(f, "b={kind}:{value}"),
            Line::Rtcp(Rtcp { port, connection: None }) => write!(f, "a=rtcp:{port}"),
            Line::Rtcp(Rtcp { port, connection: Some(connection) }) => {
                write!(f, "a=rtcp:{port} {connection}")
            }
            Line::Attribute(attribute) => match attribute.value() {
                None => write!(f, "a={}", attribute.name()),
                Some(value) => write!(f, "a={}:{value}", attribute.name()),
            },
            Line::Other { kind, value } => write!(f, "{kind}={}", value.as_str()),
        }
    }
}

impl fmt::Display for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IN {} {}", self.family, self.address)?;
        self.suffix.iter().try_for_each(|suffix| write!(f, "/{suffix}"))
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Ip4 => "IP4",
            Family::Ip6 => "IP6",
            Family::Choose => "$",
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Choose => f.write_str("$"),
            Address::Unspecified => f.write_str("-"),
            Address::Ip(ip) => write!(f, "{ip}"),
            Address::Name(name) => f.write_str(name),
        }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Port::Choose => f.write_str("$"),
            Port::Unspecified => f.write_str("-"),
            Port::Number(port) => write!(f, "{port}"),
        }
    }
}

impl fmt::Display for BandwidthValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BandwidthValue::Choose => f.write_str("$"),
            BandwidthValue::Unspecified => f.write_str("-"),
            BandwidthValue::Number(number) => write!(f, "{number}"),
        }
    }
}
