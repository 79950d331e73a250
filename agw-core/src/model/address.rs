//! Addresses as operators name them: realms (address pools), legs, and the masks and ranges of source filters
//! (H.248.41 `ipdc/realm`, H.248.43 `gm/sam` and `gm/spr`).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// The longest realm name, in bytes: a domain name (RFC 1035).
pub const MAX_REALM_NAME_BYTES: usize = 253;

/// The name of an address pool. Cheap to clone; at most [`MAX_REALM_NAME_BYTES`] long.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RealmName(Arc<str>);

impl RealmName {
    /// A realm's name, or `None` when it is empty, too long or holds a control character.
    pub fn new(name: &str) -> Option<Self> {
        let fits =
            !name.is_empty() && name.len() <= MAX_REALM_NAME_BYTES && !name.chars().any(char::is_control);
        fits.then(|| Self(name.into()))
    }

    /// The name as it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RealmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The side of the gateway that a realm faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Leg {
    /// Towards the phones and browsers.
    Access,
    /// Towards the operator's IMS network.
    Core,
}

impl Leg {
    /// Both legs, in metric order.
    pub const ALL: [Self; 2] = [Self::Access, Self::Core];

    /// The value of the metric label `leg`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Core => "core",
        }
    }
}

/// An IP version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4, `IN IP4`.
    V4,
    /// IPv6, `IN IP6`.
    V6,
}

impl Family {
    /// The version of an address.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

/// A set of source addresses: an address and how many of its leading bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressMask {
    address: IpAddr,
    prefix_bits: u8,
}

impl AddressMask {
    /// The addresses that share the first `prefix_bits` bits with `address`; `None` when there are not so many bits.
    pub const fn new(address: IpAddr, prefix_bits: u8) -> Option<Self> {
        let width = match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        if prefix_bits > width { None } else { Some(Self { address, prefix_bits }) }
    }

    /// Exactly one address.
    pub const fn exactly(address: IpAddr) -> Self {
        let prefix_bits = match address {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        Self { address, prefix_bits }
    }

    /// Whether `candidate` is in the set. An address of the other family never is.
    pub fn contains(&self, candidate: IpAddr) -> bool {
        match (self.address, candidate) {
            (IpAddr::V4(mine), IpAddr::V4(theirs)) => {
                let differing = mine.to_bits() ^ theirs.to_bits();
                differing.leading_zeros() >= u32::from(self.prefix_bits)
            }
            (IpAddr::V6(mine), IpAddr::V6(theirs)) => {
                let differing = mine.to_bits() ^ theirs.to_bits();
                differing.leading_zeros() >= u32::from(self.prefix_bits)
            }
            _ => false,
        }
    }
}

impl fmt::Display for AddressMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = if self.address.is_ipv4() { 32 } else { 128 };
        match self.prefix_bits == width {
            true => self.address.fmt(f),
            false => write!(f, "{}/{}", self.address, self.prefix_bits),
        }
    }
}

/// A range of ports, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl PortRange {
    /// `first..=last`; `None` when the range is empty.
    pub const fn new(first: u16, last: u16) -> Option<Self> {
        if first <= last { Some(Self { first, last }) } else { None }
    }

    /// The lowest port.
    pub const fn first(&self) -> u16 {
        self.first
    }

    /// The highest port.
    pub const fn last(&self) -> u16 {
        self.last
    }

    /// Whether `port` lies in the range.
    pub const fn contains(&self, port: u16) -> bool {
        self.first <= port && port <= self.last
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => self.first.fmt(f),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_takes_its_prefix_and_nothing_else() {
        let mask = AddressMask::new("192.0.2.0".parse().unwrap(), 24).unwrap();
        assert!(mask.contains("192.0.2.200".parse().unwrap()));
        assert!(!mask.contains("192.0.3.1".parse().unwrap()));
        assert!(!mask.contains("2001:db8::1".parse().unwrap()));
        assert!(AddressMask::new("192.0.2.0".parse().unwrap(), 33).is_none());
        assert!(AddressMask::new("::".parse().unwrap(), 0).unwrap().contains("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn a_realm_name_is_bounded_and_printable() {
        assert!(RealmName::new("").is_none());
        assert!(RealmName::new("a\nb").is_none());
        assert!(RealmName::new(&"x".repeat(254)).is_none());
        assert_eq!(RealmName::new("access").unwrap().as_str(), "access");
    }
}
