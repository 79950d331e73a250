//! Controllers that are configured by name (TS 29.334 clause 5.11): which names have to be looked up, and what is known of them.
//!
//! A name is looked up when nothing is known of it, before every round of tries, and when [`NAME_LASTS`] is over, because the system's
//! resolver does not say how long an answer holds. While a name does not resolve it is asked again after the pauses that an unreachable
//! controller has, and what was known of it stays: a resolver that is down takes no controller away.

use crate::config::{Controller, ControllerTransport, Place, Timers};
use crate::encoding::Encoding;
use crate::random::Random;
use crate::transport::Now;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The addresses of a name that are used, the first of them; what a resolver says beyond that is dropped.
pub const MAX_ADDRESSES_OF_A_NAME: usize = 8;
/// How long the addresses of a name are taken to hold.
pub const NAME_LASTS: Duration = Duration::from_secs(60);

/// A controller at one address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reachable {
    pub(crate) transport: ControllerTransport,
    pub(crate) address: SocketAddr,
    pub(crate) encoding: Encoding,
    /// The name that led to the address, which a certificate then has to show.
    pub(crate) host: Option<String>,
    /// What other controllers call it.
    pub(crate) name: Option<String>,
}

impl Reachable {
    fn of(controller: &Controller, address: SocketAddr) -> Self {
        let host = match &controller.place {
            Place::Address(_) => None,
            Place::Name { host, .. } => Some(host.clone()),
        };
        Self {
            transport: controller.transport,
            address,
            encoding: controller.encoding,
            name: controller.name.clone().or_else(|| host.clone()),
            host,
        }
    }
}

/// The pause after so many failures in a row: it doubles up to the longest, and nobody keeps step with others.
pub(super) fn pause(timers: &Timers, failures: u32, random: &mut Random) -> Duration {
    let pause = timers.retry_min.saturating_mul(1 << failures.min(16)).min(timers.retry_max);
    random.between(pause / 2, pause)
}

#[derive(Debug)]
struct Lookup {
    host: String,
    addresses: Vec<IpAddr>,
    asked: bool,
    /// When to ask again; never before the first round.
    due: Option<Now>,
    failures: u32,
}

/// All configured names.
#[derive(Debug)]
pub(super) struct Names {
    lookups: Vec<Lookup>,
    requests: VecDeque<String>,
}

impl Names {
    pub(super) fn of(configured: &[Controller]) -> Self {
        let mut lookups: Vec<Lookup> = Vec::new();
        for controller in configured {
            if let Place::Name { host, .. } = &controller.place
                && !lookups.iter().any(|known| known.host == *host)
            {
                let host = host.clone();
                lookups.push(Lookup { host, addresses: Vec::new(), asked: false, due: None, failures: 0 });
            }
        }
        Self { lookups, requests: VecDeque::new() }
    }

    /// Has every name looked up that is not being looked up already. Whether answers have to be waited for.
    pub(super) fn ask_all(&mut self) -> bool {
        self.ask(|_| true);
        self.are_asked()
    }

    /// Has those looked up whose time has come.
    pub(super) fn ask_due(&mut self, now: Now) {
        self.ask(|lookup| lookup.due.is_some_and(|due| due <= now));
    }

    fn ask(&mut self, wanted: impl Fn(&Lookup) -> bool) {
        for lookup in self.lookups.iter_mut().filter(|lookup| !lookup.asked) {
            if wanted(lookup) {
                (lookup.asked, lookup.due) = (true, None);
                self.requests.push_back(lookup.host.clone());
            }
        }
    }

    /// Whether an answer is missing.
    pub(super) fn are_asked(&self) -> bool {
        self.lookups.iter().any(|lookup| lookup.asked)
    }

    pub(super) fn next_due(&self) -> Option<Now> {
        self.lookups.iter().filter_map(|lookup| lookup.due).min()
    }

    /// The next name to look up.
    pub(super) fn poll(&mut self) -> Option<String> {
        self.requests.pop_front()
    }

    /// A name was looked up; without addresses it does not resolve. What came of it, if somebody asked.
    pub(super) fn answered(
        &mut self,
        now: Now,
        host: &str,
        found: &[IpAddr],
        timers: &Timers,
        random: &mut Random,
    ) -> Option<Resolved> {
        let lookup = self.lookups.iter_mut().find(|lookup| lookup.asked && lookup.host == host)?;
        lookup.asked = false;
        if found.is_empty() {
            lookup.due = Some(now + pause(timers, lookup.failures, random));
            lookup.failures = lookup.failures.saturating_add(1);
            return Some(if lookup.failures == 1 { Resolved::Failed } else { Resolved::Same });
        }
        let mut addresses: Vec<IpAddr> = Vec::new();
        for address in found.iter().map(IpAddr::to_canonical) {
            if addresses.len() < MAX_ADDRESSES_OF_A_NAME && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        let same = lookup.failures == 0 && lookup.addresses == addresses;
        (lookup.addresses, lookup.failures, lookup.due) = (addresses, 0, Some(now + NAME_LASTS));
        Some(if same { Resolved::Same } else { Resolved::Changed })
    }

    /// Every configured controller at every address that is known of it, in the order of the configuration and then of the resolver.
    pub(super) fn reachable(&self, configured: &[Controller]) -> Vec<Reachable> {
        let mut all: Vec<Reachable> = Vec::new();
        for controller in configured {
            let addresses: Vec<SocketAddr> = match &controller.place {
                Place::Address(address) => vec![*address],
                Place::Name { host, port } => {
                    let known = self.lookups.iter().filter(|lookup| lookup.host == *host);
                    let addresses = known.flat_map(|lookup| &lookup.addresses);
                    addresses.map(|ip| SocketAddr::new(*ip, *port)).collect()
                }
            };
            for address in addresses {
                let is = |r: &Reachable| r.transport == controller.transport && r.address == address;
                if !all.iter().any(is) {
                    all.push(Reachable::of(controller, address));
                }
            }
        }
        all
    }
}

/// What an answer about a name changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// Nothing that was not known.
    Same,
    /// It has other addresses than before, or resolves again.
    Changed,
    /// It does not resolve any more, or not yet.
    Failed,
}
