//! When the kernel stamps what it receives. As soon as one socket of the host asks for time stamps the kernel makes one for every packet, which
//! costs some 3 % of what relaying a packet costs; so a few ports ask for a second at a time, others each time, and in between
//! nobody does. The histogram of residence times is made of these samples.

use crate::io::PortHandle;

/// How long ports ask for time stamps.
const ASKING_US: u64 = 1_000_000;
/// How long nobody does.
const RESTING_US: u64 = 15_000_000;
/// How many ports ask at a time.
pub(super) const PORTS_ASKING: usize = 64;

/// Whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    asking: Vec<PortHandle>,
    changes_us: u64,
    /// The descriptor at which the next turn begins.
    next: usize,
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing.
    None,
    /// These ports ask no more.
    Stop(Vec<PortHandle>),
    /// Ports from this descriptor on are to ask: tell which with [`Stamps::ask`].
    Start(usize),
}

impl Stamps {
    /// What is due at `now_us`.
    pub(super) fn due(&mut self, now_us: u64) -> Change {
        if now_us < self.changes_us {
            return Change::None;
        }
        if self.asking.is_empty() {
            self.changes_us = now_us + ASKING_US;
            Change::Start(self.next)
        } else {
            self.changes_us = now_us + RESTING_US;
            Change::Stop(std::mem::take(&mut self.asking))
        }
    }

    /// Whether this port asks.
    pub(super) fn are_asked_by(&self, port: PortHandle) -> bool {
        self.asking.contains(&port)
    }

    /// These ports ask now; the next turn begins at `next`. While no port is open there is nothing to wait for: the first one asks at once.
    pub(super) fn ask(&mut self, ports: Vec<PortHandle>, next: usize) {
        if ports.is_empty() {
            self.changes_us = 0;
        }
        (self.asking, self.next) = (ports, next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_ask_for_a_second_and_then_nobody_does_for_a_while() {
        let mut stamps = Stamps::default();
        assert_eq!(stamps.due(5), Change::Start(0));
        stamps.ask(vec![PortHandle(7)], 8);
        assert_eq!(stamps.due(1_000_004), Change::None);
        assert_eq!(stamps.due(1_000_005), Change::Stop(vec![PortHandle(7)]));
        assert_eq!(stamps.due(16_000_004), Change::None);
        assert_eq!(stamps.due(16_000_005), Change::Start(8));
        stamps.ask(vec![], 0);
        assert_eq!(stamps.due(16_000_006), Change::Start(0), "no port was open");
    }
}
