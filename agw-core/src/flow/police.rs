//! Who and what may pass: the gate that [`Mode`] sets and the sources that are listened to (RLY-3). Both are asked before anything costs
//! work.
//!
//! Where the controller says nothing of sources, we are stricter than H.248 has to be, so that a stranger's packets change nothing: a
//! stream whose packets authenticate is open to any source, every other stream only to the address that it sends to. A filter
//! (H.248.43) that names addresses takes the place of that rule until an address has been learned; one that follows the peer binds authentic
//! packets too, but not while the address is still to be learned, since nobody knows it then. RTCP passes the gate in every mode but Inactive and
//! Loopback, because endpoints go on reporting while media is held (RFC 3264 section 5.1).

use super::latch::Latch;
use crate::model::{Mode, SourceFilter, SourceRule};
use std::net::SocketAddr;

/// Whether the gate lets a packet from the peer into the context. In Loopback it enters, and leaves where it came from.
pub(super) const fn may_enter(mode: Mode, is_rtcp: bool) -> bool {
    match mode {
        Mode::SendReceive | Mode::ReceiveOnly | Mode::Loopback => true,
        Mode::SendOnly => is_rtcp,
        Mode::Inactive => false,
    }
}

/// Whether the gate lets a packet of the context out to the peer.
pub(super) const fn may_leave(mode: Mode, is_rtcp: bool) -> bool {
    match mode {
        Mode::SendReceive | Mode::SendOnly => true,
        Mode::ReceiveOnly => is_rtcp,
        Mode::Inactive | Mode::Loopback => false,
    }
}

/// Whether media can come from the peer, and go to it, with this gate and that of the other side.
pub(super) const fn open(mode: Mode, other: Option<Mode>) -> [bool; 2] {
    match (mode, other) {
        (Mode::Loopback, _) => [true, true],
        (_, None) => [false, false],
        (own, Some(other)) => {
            [may_enter(own, false) && may_leave(other, false), may_leave(own, false) && other.receives()]
        }
    }
}

/// Whether `source` is among the addresses and ports that the controller has listed, where it has. For streams whose peer is known by other means.
pub(super) fn is_listed(filter: &SourceFilter, source: SocketAddr) -> bool {
    let address_fits = match &filter.addresses {
        SourceRule::Any | SourceRule::Peer => true,
        SourceRule::Listed(masks) => masks.iter().any(|mask| mask.contains(source.ip())),
    };
    let port_fits = match &filter.ports {
        SourceRule::Any | SourceRule::Peer => true,
        SourceRule::Listed(ranges) => ranges.iter().any(|range| range.contains(source.port())),
    };
    address_fits && port_fits
}

/// Whether `source` may be listened to at all.
pub(super) fn source_accepted(
    filter: &SourceFilter,
    latch: &Latch,
    signalled: Option<SocketAddr>,
    authenticates: bool,
    source: SocketAddr,
) -> bool {
    let peer = latch.learned().or(signalled);
    let address_fits = match &filter.addresses {
        SourceRule::Any => true,
        SourceRule::Peer => latch.is_armed() || peer.is_some_and(|peer| peer.ip() == source.ip()),
        SourceRule::Listed(masks) => masks.iter().any(|mask| mask.contains(source.ip())),
    };
    let port_fits = match &filter.ports {
        SourceRule::Any => true,
        SourceRule::Peer => latch.is_armed() || peer.is_some_and(|peer| peer.port() == source.port()),
        SourceRule::Listed(ranges) => ranges.iter().any(|range| range.contains(source.port())),
    };
    if !(address_fits && port_fits) {
        return false;
    }
    if authenticates || latch.is_armed() {
        return true;
    }
    match (latch.learned(), signalled) {
        (Some(learned), _) => source == learned,
        (None, _) if filter.addresses != SourceRule::Any => true,
        (None, Some(remote)) if filter.ports != SourceRule::Any => source.ip() == remote.ip(),
        (None, Some(remote)) => source == remote,
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::order::Latching;
    use crate::model::{AddressMask, PortRange};

    #[test]
    fn media_passes_as_the_mode_says_and_reports_pass_while_it_is_held() {
        use Mode::{Inactive, Loopback, ReceiveOnly, SendOnly, SendReceive};
        let enters = |mode| (may_enter(mode, false), may_enter(mode, true));
        let leaves = |mode| (may_leave(mode, false), may_leave(mode, true));
        assert_eq!(enters(SendReceive), (true, true));
        assert_eq!(enters(ReceiveOnly), (true, true));
        assert_eq!(enters(SendOnly), (false, true));
        assert_eq!(enters(Inactive), (false, false));
        assert_eq!(enters(Loopback), (true, true));
        assert_eq!(leaves(SendReceive), (true, true));
        assert_eq!(leaves(ReceiveOnly), (false, true));
        assert_eq!(leaves(SendOnly), (true, true));
        assert_eq!(leaves(Inactive), (false, false));
        assert_eq!(leaves(Loopback), (false, false));
    }

    #[test]
    fn without_a_filter_only_the_remote_address_is_heard() {
        let remote: SocketAddr = "192.0.2.1:1000".parse().unwrap();
        let other_port: SocketAddr = "192.0.2.1:1001".parse().unwrap();
        let (none, latch) = (SourceFilter::default(), Latch::default());
        assert!(source_accepted(&none, &latch, Some(remote), false, remote));
        assert!(!source_accepted(&none, &latch, Some(remote), false, other_port));
        assert!(!source_accepted(&none, &latch, None, false, remote), "no remote yet");
        assert!(source_accepted(&none, &latch, Some(remote), true, other_port), "it will authenticate");
    }

    #[test]
    fn a_filter_binds_everybody_and_replaces_the_default() {
        let remote: SocketAddr = "192.0.2.1:1000".parse().unwrap();
        let near: SocketAddr = "192.0.2.9:5".parse().unwrap();
        let far: SocketAddr = "198.51.100.1:1000".parse().unwrap();
        let latch = Latch::default();
        let mask = |address: &str, bits| AddressMask::new(address.parse().unwrap(), bits).unwrap();
        let masks = [mask("203.0.113.0", 25), mask("192.0.2.0", 24), mask("2001:db8::", 32)];
        let address = SourceFilter { addresses: SourceRule::listed(masks), ..SourceFilter::default() };
        assert!(source_accepted(&address, &latch, Some(remote), false, near));
        assert!(!source_accepted(&address, &latch, Some(remote), true, far), "even if it would authenticate");
        let fifth: SocketAddr = "[2001:db8:5::1]:1".parse().unwrap();
        assert!(source_accepted(&address, &latch, Some(remote), true, fifth), "any of them");
        let ranges = [PortRange::new(7, 7).unwrap(), PortRange::new(1000, 1010).unwrap()];
        let ports = SourceFilter { ports: SourceRule::listed(ranges), ..SourceFilter::default() };
        for (port, heard) in [(7, true), (8, false), (999, false), (1000, true), (1010, true), (1011, false)]
        {
            let source = SocketAddr::new(remote.ip(), port);
            assert_eq!(source_accepted(&ports, &latch, Some(remote), false, source), heard, "{port}");
        }
        assert!(!source_accepted(&ports, &latch, Some(remote), false, far));
    }

    #[test]
    fn a_filter_by_the_peer_follows_what_is_learned() {
        let [remote, real, same_host]: [SocketAddr; 3] =
            ["10.0.0.1:1000", "192.0.2.1:2000", "192.0.2.1:2001"].map(|address| address.parse().unwrap());
        let address = SourceFilter { addresses: SourceRule::Peer, ..SourceFilter::default() };
        let ports = SourceFilter { ports: SourceRule::Peer, ..SourceFilter::default() };
        let mut latch = Latch::default();
        assert!(source_accepted(&address, &latch, Some(remote), true, remote));
        assert!(
            !source_accepted(&address, &latch, Some(remote), true, real),
            "authentic, and from elsewhere"
        );
        assert!(!source_accepted(&address, &latch, None, true, real), "nobody is the peer yet");
        latch.install(Latching::Once);
        assert!(source_accepted(&address, &latch, Some(remote), true, real), "to be learned");
        latch.learn(real);
        assert!(source_accepted(&address, &latch, Some(remote), true, same_host));
        assert!(!source_accepted(&ports, &latch, Some(remote), true, same_host));
        assert!(!source_accepted(&address, &latch, Some(remote), true, remote), "not any more");
        latch.install(Latching::Again);
        assert!(source_accepted(&address, &latch, Some(remote), true, remote), "to be learned anew");
    }

    #[test]
    fn an_armed_latch_opens_the_door_and_a_learned_address_shuts_it() {
        let peer: SocketAddr = "203.0.113.5:4000".parse().unwrap();
        let stranger: SocketAddr = "203.0.113.6:4000".parse().unwrap();
        let none = SourceFilter::default();
        let mut latch = Latch::default();
        latch.install(Latching::Once);
        assert!(source_accepted(&none, &latch, None, false, peer));
        latch.learn(peer);
        assert!(source_accepted(&none, &latch, None, false, peer));
        assert!(!source_accepted(&none, &latch, Some(stranger), false, stranger));
    }
}
