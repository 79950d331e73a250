//! When the kernel stamps what it receives. As soon as one socket of the host asks for time stamps the kernel makes one for every packet, which
//! costs some 3 % of what relaying a packet costs; so a few ports ask for a second at a time, others each time, and in between
//! nobody does. The histogram of residence times is made of these samples. Who wants to know it of every packet can have all ports ask.

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
    /// Every port asks from its opening on, and nobody takes turns.
    of_all: bool,
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
    pub(super) fn new(of_all: bool) -> Self {
        Self { of_all, ..Self::default() }
    }

    /// Whether every port asks, all the time.
    pub(super) const fn of_all(&self) -> bool {
        self.of_all
    }

    /// What is due at `now_us`.
    pub(super) fn due(&mut self, now_us: u64) -> Change {
        if self.of_all || now_us < self.changes_us {
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

    /// Whether this port asks now.
    pub(super) fn are_asked_by(&self, port: PortHandle) -> bool {
        self.of_all || self.asking.contains(&port)
    }

    /// Whether this port asks and its sockets would have to be told to stop when their turn ends.
    pub(super) fn end_with(&self, port: PortHandle) -> bool {
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

    #[test]
    fn where_all_ports_ask_nobody_takes_turns() {
        let mut stamps = Stamps::new(true);
        assert_eq!(stamps.due(u64::MAX), Change::None);
        assert!(stamps.are_asked_by(PortHandle(7)) && !stamps.end_with(PortHandle(7)));
    }
}
