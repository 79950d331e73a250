//! One stream at one termination: what the controller asked for, complete. A change is always a whole new [`StreamSpec`]; the
//! controller works out what differs from the one that runs.

use super::activity::Watch;
use super::address::{AddressMask, Family, PortRange, RealmName};
use super::ice::IceSpec;
use super::media::{RtcpPorts, Transport};
use super::policing::Policing;
use super::rtp::RtpSpec;
use super::security::Security;
use super::tcp::TcpSpec;
use super::tls::TlsSpec;
use std::net::{IpAddr, SocketAddr};

/// The number of a stream; the same number at two terminations of a context joins them (H.248.1 section 6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(pub u16);

/// H.248.1 section 7.1.7, seen from outside the context: SendOnly lets media out to the peer, not in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Only towards the peer.
    SendOnly,
    /// Only from the peer.
    ReceiveOnly,
    /// Both ways.
    SendReceive,
    /// Neither way. The default of H.248.1.
    Inactive,
    /// What the peer sends goes back to it.
    Loopback,
}

impl Mode {
    /// Whether media from the peer may enter the context.
    pub const fn receives(self) -> bool {
        matches!(self, Self::ReceiveOnly | Self::SendReceive)
    }

    /// Whether media may leave towards the peer.
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendOnly | Self::SendReceive)
    }
}

/// Where the peer wants its packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remote {
    /// Address and port for RTP.
    pub rtp: SocketAddr,
    /// Address and port for RTCP; `None`: RTP's port plus one, or RTP's own when multiplexed.
    pub rtcp: Option<SocketAddr>,
}

/// The most masks, and the most ranges, of one [`SourceFilter`]: each packet from elsewhere is held against all of them.
pub const MAX_FILTER_ENTRIES: usize = 16;

/// One half of a [`SourceFilter`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SourceRule<T> {
    /// Not filtered.
    #[default]
    Any,
    /// Only where our packets go: what was learned of the peer, else what [`Remote`] says, RTP and RTCP each by its own.
    Peer,
    /// Only these, at most [`MAX_FILTER_ENTRIES`].
    Listed(Box<[T]>),
}

impl<T> SourceRule<T> {
    /// Only these.
    pub fn listed(entries: impl IntoIterator<Item = T>) -> Self {
        Self::Listed(entries.into_iter().collect())
    }

    /// Whether there are more entries than there may be.
    pub fn is_too_long(&self) -> bool {
        matches!(self, Self::Listed(entries) if entries.len() > MAX_FILTER_ENTRIES)
    }
}

/// Which sources are listened to (H.248.43), besides what latching allows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceFilter {
    /// `gm/saf`, with `gm/sam` where masks are given.
    pub addresses: SourceRule<AddressMask>,
    /// `gm/spf`, with `gm/spr` where ranges are given.
    pub ports: SourceRule<PortRange>,
}

/// What a command asks of latching (H.248.37). It is an action: it is not kept with the specification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LatchAction {
    /// Stop learning; the address is [`Remote`]'s.
    Off,
    /// The next acceptable packet decides the peer's address, once.
    Latch,
    /// As `Latch`, but away from an address that was learned before; the old one works until then.
    Relatch,
}

/// Everything that the controller wants of one stream at one termination.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamSpec {
    /// The address pool; `None`: the default realm. Fixed once ports have been taken.
    pub realm: Option<RealmName>,
    /// The IP version of our address; `None`: whatever the realm has, IPv4 first.
    pub family: Option<Family>,
    /// Our own address, when the command names one instead of `$`: must be what was, or can be, given.
    pub local_address: Option<IpAddr>,
    /// Our own RTP port, when the command names one instead of `$`.
    pub local_port: Option<u16>,
    /// RTP profile or opaque UDP. A change between the two is refused.
    pub transport: Transport,
    /// Which way media may go.
    pub mode: Mode,
    /// Where to send; `None`: not known yet.
    pub remote: Option<Remote>,
    /// Where RTCP goes.
    pub rtcp: RtcpPorts,
    /// SDES keys.
    pub security: Security,
    /// The connection, for [`Transport::Tcp`]; nothing said of it is as the default.
    pub tcp: Option<Box<TcpSpec>>,
    /// TLS, for transports that have it; nothing said of it is as the default.
    pub tls: Option<Box<TlsSpec>>,
    /// ICE, where the controller wants it.
    pub ice: Option<Box<IceSpec>>,
    /// What the packets mean, where the controller says it.
    pub rtp: Option<Box<RtpSpec>>,
    /// Which sources are listened to.
    pub filter: SourceFilter,
    /// How much the peer may send; `None`: any amount.
    pub policing: Option<Policing>,
    /// Ticks of the RTP time stamp per second (`a=rtpmap` of the first format), for the jitter statistics only; `None`: not said.
    pub clock_rate_hz: Option<u32>,
    /// The DiffServ code point of what we send, 0 to 63; `None`: the realm's.
    pub dscp: Option<u8>,
    /// What we send carries the code point with which it came to the other side of the context (H.248.52), where that is known.
    pub copy_dscp: bool,
    /// Whose silence is to be told.
    pub watch: Watch,
    /// What to do about latching, with this command only.
    pub latch: Option<LatchAction>,
}

impl StreamSpec {
    /// A stream of which nothing is known but its transport: inactive, no peer, the default realm.
    pub fn new(transport: Transport) -> Self {
        Self {
            realm: None,
            family: None,
            local_address: None,
            local_port: None,
            transport,
            mode: Mode::Inactive,
            remote: None,
            rtcp: RtcpPorts::Pair,
            security: Security::default(),
            tcp: None,
            tls: None,
            ice: None,
            rtp: None,
            filter: SourceFilter::default(),
            policing: None,
            clock_rate_hz: None,
            dscp: None,
            copy_dscp: false,
            watch: Watch::default(),
            latch: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_specification_is_small_enough_to_be_passed_by_value() {
        assert!(size_of::<StreamSpec>() <= 384, "{} bytes", size_of::<StreamSpec>());
    }
}
