//! Who may connect. Unlike a datagram, a connection shows that its source address is real, but nothing of who is there: where TLS proves
//! the peer, strangers cost a place among the unproven and no more (TLS-12); where nothing does, only the address that was signalled, or
//! that a filter names, is let in. The port of a peer that connects is not known beforehand, so that it is asked only where a filter names ports.

use super::TcpFlow;
use crate::command::order::Latching;
use crate::model::SourceRule;
use std::net::SocketAddr;

impl TcpFlow {
    /// Whether it can be said yet who may be the peer. Until then those who come wait in the queue of the port.
    pub(crate) fn can_judge(&self) -> bool {
        let by_filter = matches!(self.plan.filter.addresses, SourceRule::Listed(_));
        by_filter
            || self.plan.tls.is_some()
            || self.plan.latching != Latching::Off
            || self.plan.remote.is_some()
    }

    /// Whether who connects from `source` may be the peer.
    pub(crate) fn admits(&self, source: SocketAddr) -> bool {
        // Whoever it is will have to prove itself (TLS-12).
        let learns = self.plan.latching != Latching::Off || self.plan.tls.is_some();
        let remote = self.plan.remote;
        let is_remote = || remote.is_some_and(|remote| remote.ip() == source.ip());
        let address_fits = match &self.plan.filter.addresses {
            SourceRule::Any => learns || is_remote(),
            SourceRule::Peer => learns || is_remote(),
            SourceRule::Listed(masks) => masks.iter().any(|mask| mask.contains(source.ip())),
        };
        address_fits
            && match &self.plan.filter.ports {
                SourceRule::Any => true,
                SourceRule::Peer => learns || remote.is_some_and(|remote| remote.port() == source.port()),
                SourceRule::Listed(ranges) => ranges.iter().any(|range| range.contains(source.port())),
            }
    }
}
