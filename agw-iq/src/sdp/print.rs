//! From a description to its text.

use std::fmt::{self, Write};

use super::*;
use crate::secret::SecretBuf;

impl Sdp {
    /// The text of all groups. What [`Sdp::parse`] read comes out as it came in, single spaces between fields.
    pub fn print(&self) -> SdpText {
        print_without(&self.groups, |_| false)
    }
}

/// The text of groups without the lines that `leave_out` names.
pub(crate) fn print_without(groups: &[Group], leave_out: impl Fn(&Line) -> bool) -> SdpText {
    let mut out = SecretBuf::with_capacity(512);
    for group in groups {
        // Writing to a buffer cannot fail.
        let _ = group.write(&mut out, &leave_out);
    }
    SdpText::of_printed(&out)
}

impl Group {
    fn write(&self, out: &mut impl Write, leave_out: &impl Fn(&Line) -> bool) -> fmt::Result {
        let lines = |out: &mut _, lines: &[Line]| {
            lines.iter().filter(|line| !leave_out(line)).try_for_each(|line| write_line(out, line))
        };
        out.write_str("v=0\n")?;
        lines(out, &self.lines)?;
        for media in &self.media {
            media.write_first(out)?;
            lines(out, &media.lines)?;
        }
        Ok(())
    }
}

fn write_line(out: &mut impl Write, line: &Line) -> fmt::Result {
    line.write(out)?;
    out.write_str("\n")
}

impl Media {
    /// The `m=` line.
    fn write_first(&self, out: &mut impl Write) -> fmt::Result {
        out.write_str("m=")?;
        out.write_str(&self.kind)?;
        write!(out, " {}", self.port)?;
        if let Some(count) = self.port_count {
            write!(out, "/{count}")?;
        }
        for field in std::iter::once(&self.proto).chain(&self.formats) {
            out.write_str(" ")?;
            out.write_str(field)?;
        }
        out.write_str("\n")
    }
}

impl Line {
    fn write(&self, out: &mut impl Write) -> fmt::Result {
        match self {
            Line::Connection(connection) => write!(out, "c={connection}"),
            Line::Bandwidth(Bandwidth { kind, value }) => write!(out, "b={kind}:{value}"),
            Line::Rtcp(Rtcp { port, connection: None }) => write!(out, "a=rtcp:{port}"),
            Line::Rtcp(Rtcp { port, connection: Some(connection) }) => {
                write!(out, "a=rtcp:{port} {connection}")
            }
            Line::Attribute(attribute) => {
                out.write_str("a=")?;
                out.write_str(attribute.name())?;
                attribute.value().map_or(Ok(()), |value| {
                    out.write_str(":")?;
                    out.write_str(value)
                })
            }
            Line::Other { kind, value } => {
                out.write_char(*kind)?;
                out.write_str("=")?;
                out.write_str(value.as_str())
            }
        }
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, &|_| false)
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_first(f)?;
        self.lines.iter().try_for_each(|line| write_line(f, line))
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f)
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
