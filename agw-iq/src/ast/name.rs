//! Names and identifiers: packages and their items, terminations, contexts, streams, requests and message senders.
//!
//! Everything in the text encoding but SDP is compared without regard to case (H.248.1 Annex B.2), while a peer likes to see its own
//! spelling again, so a [`Name`] keeps its case and forgets it when compared. Names are short: they are held without a heap block.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{Ipv4Addr, Ipv6Addr};

use compact_str::CompactString;

/// A name compared without regard to ASCII case.
#[derive(Clone, Default)]
pub struct Name(CompactString);

impl Name {
    /// Takes the text as it is; the caller knows that it is a name.
    pub fn new(text: impl AsRef<str>) -> Self {
        Name(text.as_ref().into())
    }

    /// The spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the wildcard `*`.
    pub fn is_all(&self) -> bool {
        self.0 == "*"
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Name {}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.0.eq_ignore_ascii_case(other)
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for b in self.0.bytes() {
            state.write_u8(b.to_ascii_lowercase());
        }
        state.write_u8(0xff);
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        Name::new(text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `package/item`; `package/*` is every item of the package, `*/*` every item of every package.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PkgdName {
    /// The package's text name, or `*`.
    pub package: Name,
    /// The property, event, signal or statistic, or `*`.
    pub item: Name,
}

impl PkgdName {
    /// Joins a package and an item.
    pub fn new(package: &str, item: &str) -> Self {
        PkgdName { package: package.into(), item: item.into() }
    }

    /// Whether this is `package/item`, whatever the case.
    pub fn is(&self, package: &str, item: &str) -> bool {
        self.package == package && self.item == item
    }
}

impl fmt::Display for PkgdName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.package, self.item)
    }
}

impl fmt::Debug for PkgdName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A stream of a termination, 0 to 65535.
pub type StreamId = u16;

/// A termination, or a wildcard for several.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TerminationId {
    /// The gateway itself.
    Root,
    /// `$`: a new termination.
    Choose,
    /// `*`: every termination.
    All,
    /// A path such as `ip/access/7/42`, with `*` and `$` allowed in its segments; at most 64 characters.
    Path(Name),
}

impl TerminationId {
    /// The most characters a path may have (Annex B.2).
    pub const MAX_LEN: usize = 64;

    /// The text form.
    pub fn as_str(&self) -> &str {
        match self {
            TerminationId::Root => "ROOT",
            TerminationId::Choose => "$",
            TerminationId::All => "*",
            TerminationId::Path(path) => path.as_str(),
        }
    }

    /// Whether `*` stands anywhere in it.
    pub fn has_all(&self) -> bool {
        self.as_str().contains('*')
    }

    /// Whether `$` stands anywhere in it.
    pub fn has_choose(&self) -> bool {
        self.as_str().contains('$')
    }

    /// The parts between slashes.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.as_str().split('/')
    }
}

impl fmt::Display for TerminationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A context, or a wildcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContextId {
    /// `-`: terminations in no context.
    Null,
    /// `$`: a new context.
    Choose,
    /// `*`: every context.
    All,
    /// 1 to 0xFFFFFFFD.
    Id(u32),
}

impl fmt::Display for ContextId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ContextId::Null => f.write_str("-"),
            ContextId::Choose => f.write_str("$"),
            ContextId::All => f.write_str("*"),
            ContextId::Id(id) => write!(f, "{id}"),
        }
    }
}

/// What ties events observed to events asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RequestId {
    /// Chosen by the controller.
    Id(u32),
    /// `*`, in replies to AuditCapability.
    All,
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestId::Id(id) => write!(f, "{id}"),
            RequestId::All => f.write_str("*"),
        }
    }
}

/// A message identifier: the name of a gateway or controller (section 8.3).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Mid {
    /// `[192.0.2.1]:2944`
    Ip4 {
        /// Address.
        address: Ipv4Addr,
        /// Port, where given.
        port: Option<u16>,
    },
    /// `[2001:db8::1]:2944`
    Ip6 {
        /// Address.
        address: Ipv6Addr,
        /// Port, where given.
        port: Option<u16>,
    },
    /// `<mgc.example.net>:2944`
    Domain {
        /// The domain name, 1 to 64 characters.
        name: Name,
        /// Port, where given.
        port: Option<u16>,
    },
    /// A bare path name.
    Device(Name),
    /// An MTP address, 2 to 4 octets.
    Mtp(Vec<u8>),
}

impl Mid {
    /// The identifier of an address and port.
    pub fn from_socket(address: std::net::SocketAddr) -> Self {
        match address.ip() {
            std::net::IpAddr::V4(ip) => Mid::Ip4 { address: ip, port: Some(address.port()) },
            std::net::IpAddr::V6(ip) => Mid::Ip6 { address: ip, port: Some(address.port()) },
        }
    }
}

impl fmt::Display for Mid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = match self {
            Mid::Ip4 { address, port } => write!(f, "[{address}]").map(|()| port)?,
            Mid::Ip6 { address, port } => write!(f, "[{address}]").map(|()| port)?,
            Mid::Domain { name, port } => write!(f, "<{name}>").map(|()| port)?,
            Mid::Device(name) => return write!(f, "{name}"),
            Mid::Mtp(octets) => {
                f.write_str("MTP{")?;
                octets.iter().try_for_each(|octet| write!(f, "{octet:02X}"))?;
                return f.write_str("}");
            }
        };
        port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_keep_their_spelling() {
        assert_eq!(Name::new("RealM"), Name::new("realm"));
        assert_eq!(Name::new("RealM").as_str(), "RealM");
        let set = std::collections::HashSet::from([PkgdName::new("IPDC", "realm")]);
        assert!(set.contains(&PkgdName::new("ipdc", "Realm")));
    }

    #[test]
    fn message_identifiers_print_in_each_form() {
        let v6 = Mid::from_socket("[2001:db8::1]:2944".parse().expect("an address"));
        assert_eq!(v6.to_string(), "[2001:db8::1]:2944");
        assert_eq!(Mid::Domain { name: "a.b".into(), port: None }.to_string(), "<a.b>");
        assert_eq!(Mid::Mtp(vec![0x0a, 0xff]).to_string(), "MTP{0AFF}");
    }
}
