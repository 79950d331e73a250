//! The value types of the configuration: what a string in the file means, parsed once. After `parse` a value is right by its type,
//! so no later code looks at text again. Each prints as it is written in the file, so `agw config` and `/config` show what was read.

use agw_iq::config::Place;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// Makes a type that is written as a string serialize through `FromStr` and `Display`.
macro_rules! as_text {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }
        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    };
}

/// An address to listen on; the empty string is "do not listen".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Listen(pub Option<SocketAddr>);

impl FromStr for Listen {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self(None));
        }
        text.parse().map(|a| Self(Some(a))).map_err(|_| {
            format!("`{text}` is not ADDRESS:PORT (as in 127.0.0.1:2944 or [::1]:2944; \"\" turns it off)")
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |address| address.fmt(f))
    }
}
as_text!(Listen);

/// A range of UDP ports, written `FIRST-LAST`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Ports {
    /// The lowest port.
    pub first: u16,
    /// The highest port.
    pub last: u16,
}

impl Ports {
    /// How many ports there are.
    pub fn count(self) -> u32 {
        u32::from(self.last) - u32::from(self.first) + 1
    }

    /// Whether the two ranges share a port.
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// Whether `port` is one of them.
    pub fn contains(self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

impl FromStr for Ports {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a port range (as in 10000-19999)");
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let first: u16 = first.trim().parse().map_err(|_| wrong())?;
        let last: u16 = last.trim().parse().map_err(|_| wrong())?;
        if first == 0 {
            return Err(format!("`{text}` starts at port 0, which cannot be bound"));
        }
        if first > last {
            return Err(format!("`{text}` is empty: its first port is above its last"));
        }
        Ok(Self { first, last })
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}
as_text!(Ports);

/// How a controller is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Datagrams, retransmitted by us (H.248.1 D.1).
    Udp,
    /// TPKT over TCP (H.248.1 D.2).
    Tcp,
    /// TCP under TLS.
    Tls,
    /// SCTP (H.248.4).
    Sctp,
}

/// How what we send is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Encoding {
    /// Text with long tokens and indentation.
    Pretty,
    /// Text with short tokens.
    Compact,
    /// Binary, ASN.1 BER.
    Ber,
}

impl Encoding {
    const ALL: [(&str, Self); 3] = [("pretty", Self::Pretty), ("compact", Self::Compact), ("ber", Self::Ber)];
}

impl Scheme {
    const ALL: [(&str, Self); 4] =
        [("udp", Self::Udp), ("tcp", Self::Tcp), ("tls", Self::Tls), ("sctp", Self::Sctp)];
}

fn name_of<T: PartialEq>(all: &'static [(&'static str, T)], value: &T) -> &'static str {
    all.iter().find(|(_, v)| v == value).map_or("", |(name, _)| name)
}

/// One controller (IMS-ALG): `udp:HOST:PORT`, by address or name, optionally `?encoding=pretty|compact|ber`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ControllerAddress {
    /// How it is reached.
    pub scheme: Scheme,
    /// Where.
    pub place: Place,
    /// How we write to it; `None`: pretty.
    pub encoding: Option<Encoding>,
}

impl FromStr for ControllerAddress {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let shape = "udp:HOST:PORT (an address or a name), tcp:, tls: or sctp:, then optionally ?encoding=pretty|compact|ber";
        let (scheme, rest) =
            text.split_once(':').ok_or_else(|| format!("`{text}` is not a controller: write {shape}"))?;
        let scheme = Scheme::ALL
            .iter()
            .find(|(name, _)| *name == scheme)
            .map(|(_, scheme)| *scheme)
            .ok_or_else(|| format!("`{scheme}` in `{text}` is no known transport: write {shape}"))?;
        let (place, query) = match rest.split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (rest, None),
        };
        let place = place
            .trim_start_matches("//")
            .parse()
            .map_err(|()| format!("`{place}` in `{text}` is not ADDRESS:PORT or NAME:PORT: write {shape}"))?;
        let encoding =
            match query.map(|q| q.strip_prefix("encoding=").ok_or(q)) {
                None => None,
                Some(Err(q)) => return Err(format!("`?{q}` in `{text}` is not known: write {shape}")),
                Some(Ok(name)) => {
                    Some(Encoding::ALL.iter().find(|(n, _)| *n == name).map(|(_, e)| *e).ok_or_else(
                        || format!("encoding `{name}` in `{text}` is not known: write {shape}"),
                    )?)
                }
            };
        Ok(Self { scheme, place, encoding })
    }
}

impl fmt::Display for ControllerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", name_of(&Scheme::ALL, &self.scheme), self.place)?;
        self.encoding.map_or(Ok(()), |e| write!(f, "?encoding={}", name_of(&Encoding::ALL, &e)))
    }
}
as_text!(ControllerAddress);

/// An amount of memory: `0` is "no limit", else a number with KiB, MiB or GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bytes(pub u64);

impl Bytes {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
}

impl FromStr for Bytes {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}` is not an amount of memory (as in \"512MiB\" or \"2GiB\"; \"0\" = no limit)")
        };
        let (digits, factor) = Self::UNITS
            .iter()
            .find_map(|(unit, factor)| text.strip_suffix(unit).map(|digits| (digits, *factor)))
            .unwrap_or((text, 1));
        let number: u64 = digits.trim().parse().map_err(|_| wrong())?;
        number.checked_mul(factor).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Self::UNITS.iter().find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor)) {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}", self.0),
        }
    }
}
as_text!(Bytes);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_controller_is_read_and_printed_alike() {
        for text in [
            "udp:127.0.0.1:2944",
            "tcp:[2001:db8::1]:2944?encoding=compact",
            "sctp:10.0.0.1:2945?encoding=ber",
            "udp:mgc.example.net:2944?encoding=ber",
        ] {
            assert_eq!(text.parse::<ControllerAddress>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_wrong_controller_says_what_is_wrong() {
        let err = |text: &str| text.parse::<ControllerAddress>().unwrap_err();
        assert!(err("127.0.0.1").contains("is not a controller"));
        assert!(err("http:127.0.0.1:1").contains("`http`"));
        assert!(err("udp:10.0.0.300:2944").contains("`10.0.0.300:2944`"));
        assert!(err("udp:mgc.example.net").contains("`mgc.example.net`"));
        assert!(err("udp:127.0.0.1:2944?encoding=xml").contains("`xml`"));
        assert!(err("udp:127.0.0.1:2944?x=1").contains("`?x=1`"));
    }

    #[test]
    fn a_port_range_is_never_empty() {
        assert_eq!("10000-19999".parse::<Ports>().unwrap().count(), 10_000);
        assert!("20-10".parse::<Ports>().unwrap_err().contains("empty"));
        assert!("0-10".parse::<Ports>().is_err());
        assert!("1-70000".parse::<Ports>().is_err());
    }

    #[test]
    fn memory_is_read_in_binary_units() {
        assert_eq!("512MiB".parse::<Bytes>().unwrap(), Bytes(512 << 20));
        assert_eq!(Bytes(2 << 30).to_string(), "2GiB");
        assert_eq!("0".parse::<Bytes>().unwrap().to_string(), "0");
        assert!("512MB".parse::<Bytes>().is_err());
        assert!("99999999999GiB".parse::<Bytes>().is_err());
    }
}
