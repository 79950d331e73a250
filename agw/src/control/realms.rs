//! Realms that are in service, and those that are not: because an operator took one out, or because this host has none of its
//! addresses any more (TS 23.334 clause 6.1.15). The H.248 machine announces what changes; here it is noticed.
//!
//! Whether an address is there is asked by binding a TCP socket to it, which takes no UDP port from a call, needs no right, and is over
//! in microseconds. Where `net.ipv4.ip_nonlocal_bind` is set every address looks as if it were there.

use super::Control;
use crate::admin::views::RealmState;
use crate::config::{Config, Realm};
use agw_core::model::RealmName;
use agw_iq::Outage;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// How often the addresses are looked for.
const LOOK: Duration = Duration::from_secs(2);

/// All realms of the configuration.
#[derive(Debug)]
pub(super) struct Realms {
    watched: Vec<Watched>,
    next_look: Instant,
}

#[derive(Debug)]
struct Watched {
    name: RealmName,
    addresses: Vec<IpAddr>,
    taken_out: bool,
    lost: bool,
}

impl Watched {
    fn outage(&self) -> Option<Outage> {
        match (self.taken_out, self.lost) {
            (true, _) => Some(Outage::TakenOut),
            (false, true) => Some(Outage::LinkLost),
            (false, false) => None,
        }
    }
}

impl Realms {
    pub(super) fn new(config: &Config, now: Instant) -> Self {
        let watched = |(name, realm): (&String, &Realm)| {
            let addresses = realm.addresses.clone();
            Some(Watched { name: RealmName::new(name)?, addresses, taken_out: false, lost: false })
        };
        Self { watched: config.realm.iter().filter_map(watched).collect(), next_look: now }
    }
}

/// Whether this host has lost an address. Whatever else keeps a socket from it says nothing about that.
fn is_gone(address: IpAddr) -> bool {
    let address = SocketAddr::new(address, 0);
    let bound = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))
        .and_then(|socket| socket.bind(&address.into()));
    bound.is_err_and(|error| error.kind() == ErrorKind::AddrNotAvailable)
}

/// In words, for people and scripts.
pub(super) fn words(outage: Option<Outage>) -> &'static str {
    match outage {
        None => "in service",
        Some(Outage::TakenOut) => "taken out of service",
        Some(Outage::LinkLost) => "out of service: this host has none of its addresses",
    }
}

impl Control {
    /// Looks whether the realms' addresses are there, now and then.
    pub(super) fn look_at_realms(&mut self, now: Instant) {
        if now < self.realms.next_look {
            return;
        }
        self.realms.next_look = now + LOOK;
        for at in 0..self.realms.watched.len() {
            let lost =
                self.realms.watched.get(at).is_some_and(|realm| realm.addresses.iter().all(|a| is_gone(*a)));
            self.change_realm(at, |realm| realm.lost = lost);
        }
    }

    /// An operator takes a realm out of service, or back; `None`: there is none of that name.
    pub(super) fn operate_realm(&mut self, name: &str, out: bool) -> Option<RealmState> {
        let at = self.realms.watched.iter().position(|realm| realm.name.as_str() == name)?;
        self.change_realm(at, |realm| realm.taken_out = out);
        let state = words(self.realms.watched.get(at)?.outage()).to_owned();
        Some(RealmState { realm: name.to_owned(), state })
    }

    fn change_realm(&mut self, at: usize, change: impl FnOnce(&mut Watched)) {
        let now = self.clock();
        let Some(realm) = self.realms.watched.get_mut(at) else { return };
        change(realm);
        let outage = realm.outage();
        if self.iq.set_realm(now, &realm.name, outage) {
            let (name, state) = (realm.name.as_str(), words(outage));
            match outage {
                None => tracing::info!(realm = name, "realm in service again"),
                Some(_) => tracing::warn!(realm = name, state, "realm out of service: it takes no new calls"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_gone_when_this_host_does_not_have_it() {
        assert!(!is_gone([127, 0, 0, 1].into()));
        assert!(is_gone([192, 0, 2, 1].into()), "TEST-NET-1 is nobody's");
    }
}
