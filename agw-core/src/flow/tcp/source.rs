//! Who may connect. Unlike a datagram, a connection shows that its source address is real, but nothing of who is there: where TLS proves
//! the peer, strangers cost a place among the unproven and no more (TLS-12); where nothing does, only the address that was signalled, or
//! that a filter names, is let in. The port of a peer that connects is not known beforehand, so that it is asked only where a filter names ports.

use super::TcpFlow;
use super::line::Stage;
use crate::command::order::Latching;
use crate::io::Now;
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

    /// Whether an address is the one at which the peer was signalled to be.
    pub(crate) fn is_at_remote(&self, source: SocketAddr) -> bool {
        self.plan.remote.is_some_and(|remote| remote.ip() == source.ip())
    }

    /// Which of the unproven gives its place to one who comes from `source` (TLS-12): one from elsewhere to one from where the peer should be; else the one
    /// that has been at its handshake for longest, when it has had its time. Who is where the peer should be gives way to no stranger.
    pub(crate) fn gives_way(&self, source: SocketAddr, now: Now) -> Option<usize> {
        let is_expected = self.is_at_remote(source);
        if is_expected && let Some(at) = self.lines.iter().position(|line| !self.is_at_remote(line.from)) {
            return Some(at);
        }
        let shaking = self.lines.iter().enumerate().filter(|(_, line)| line.stage == Stage::Handshaking);
        let equals = shaking.filter(|(_, line)| is_expected || !self.is_at_remote(line.from));
        let (at, oldest) = equals.min_by_key(|(_, line)| line.since)?;
        let give_way_us = u64::from(self.plan.bounds.give_way_ms) * 1000;
        (now.0.saturating_sub(oldest.since.0) >= give_way_us).then_some(at)
    }

    /// Whether who connects from `source` may be the peer.
    pub(crate) fn admits(&self, source: SocketAddr) -> bool {
        // Whoever it is will have to prove itself (TLS-12).
        let learns = self.plan.latching != Latching::Off || self.plan.tls.is_some();
        let remote = self.plan.remote;
        let address_fits = match &self.plan.filter.addresses {
            SourceRule::Any => learns || self.is_at_remote(source),
            SourceRule::Peer => learns || self.is_at_remote(source),
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
