//! Learning where a peer behind a NAT really is (H.248.37; RLY-2). One latch per component, so that RTP and RTCP are learned apart.
//! It learns one address and keeps it: only a new action of the controller moves it, so that nobody takes a running stream. Who may teach
//! it (a packet that authenticated, or on a plain stream the first that looks right) is decided before [`Latch::learn`].

use crate::command::order::Latching;
use std::net::SocketAddr;

/// What is known of one component's real source.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Latch {
    learned: Option<SocketAddr>,
    armed: bool,
}

impl Latch {
    /// Does what a plan says.
    pub(super) fn install(&mut self, latching: Latching) {
        match latching {
            Latching::Off => *self = Self::default(),
            Latching::Once => self.armed = self.learned.is_none(),
            Latching::Again => self.armed = true,
        }
    }

    /// Whether the next acceptable packet decides the address.
    pub(super) const fn is_armed(&self) -> bool {
        self.armed
    }

    /// What was learned.
    pub(super) const fn learned(&self) -> Option<SocketAddr> {
        self.learned
    }

    /// An acceptable packet came from `source`. True when that decided the address.
    pub(super) fn learn(&mut self, source: SocketAddr) -> bool {
        let decides = self.armed;
        if decides {
            *self = Self { learned: Some(source), armed: false };
        }
        decides
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_packet_decides_and_only_relatching_moves_it() {
        let [first, second] = ["192.0.2.1:1000", "192.0.2.2:2000"].map(|a| a.parse().unwrap());
        let mut latch = Latch::default();
        assert!(!latch.learn(first), "not asked to learn");
        latch.install(Latching::Once);
        assert!(latch.learn(first));
        assert!(!latch.learn(second));
        latch.install(Latching::Once);
        assert!(!latch.learn(second), "Once again is no relatch");
        latch.install(Latching::Again);
        assert_eq!(latch.learned(), Some(first), "the old one works until the next packet");
        assert!(latch.learn(second));
        assert_eq!(latch.learned(), Some(second));
        latch.install(Latching::Off);
        assert_eq!(latch.learned(), None);
    }
}
