//! Which controller commands, and how the gateway gets one (H.248.1 sections 7.2.8, 11.2 to 11.5).
//!
//! With controllers configured the gateway registers with the first that accepts it and obeys nobody else; a lost one is asked again
//! (`Disconnected`), then the others (`Failover`), then all of them after a growing pause. A controller may send it elsewhere: MgcIdToTry,
//! ServiceChangeAddress, `HandOff`. A controller may be configured by name, which is then one controller after another at the addresses that
//! the name has (`names`). Without configured controllers the gateway is in a laboratory and obeys whoever talks to it over loopback.
//! This is only the decision; sending and waiting is done by [`crate::MediaGateway`].

mod names;

pub use names::{MAX_ADDRESSES_OF_A_NAME, NAME_LASTS, Resolved};

use crate::ast::*;
use crate::config::{Controller, ControllerTransport, Timers};
use crate::encoding::Encoding;
use crate::errors::ErrorCode;
use crate::random::Random;
use crate::text::Style;
use crate::transport::{ConnectionId, Link, Now, Peer, SocketId, is_loopback};
use names::{Names, Reachable};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

/// The version that this gateway offers and speaks where the peer does not insist on another.
pub(crate) const VERSION: u8 = 2;
/// The highest version number that is written, for a peer that writes it itself: what is written is the same in 2 and 3.
pub(crate) const MAX_VERSION: u8 = 3;
/// How often a controller may send the gateway on to another before that counts as a failure.
const MAX_REDIRECTS: u32 = 5;

/// A controller to try, and what to tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    controller: Reachable,
    version: u8,
    method: ServiceChangeMethod,
    reason: ErrorCode,
}

#[derive(Clone, Debug)]
enum State {
    /// No controllers are configured.
    Laboratory,
    /// The next attempt begins then.
    Waiting(Now),
    /// A round begins when the configured names have been looked up.
    Resolving,
    /// A connection to the target is being opened.
    Connecting(Target),
    /// ServiceChange has been sent.
    Registering(Target, Peer),
    /// The controller commands; our own requests go to the peer.
    Registered(Target, Peer),
    /// The gateway has taken itself out of service.
    OutOfService,
}

/// What has to be done next.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Want {
    /// Open a connection; under TLS the controller must show this name, or without one its address.
    Connect(ControllerTransport, SocketAddr, Option<String>),
    /// Send a ServiceChange for ROOT.
    Register { to: Peer, method: ServiceChangeMethod, reason: ErrorCode },
}

/// Whether a message's sender may command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Authority {
    Controls,
    /// A controller of ours, but we are not registered (error 505).
    TooEarly,
    /// A controller of ours that is not in command (error 504).
    NotInCommand,
    /// Nobody: no answer.
    Stranger,
}

#[derive(Debug)]
pub(crate) struct Association {
    configured: Vec<Controller>,
    names: Names,
    /// The configured controllers at the addresses that are known of them.
    known: Vec<Reachable>,
    timers: Timers,
    state: State,
    /// What is left to try in this round.
    queue: VecDeque<Target>,
    /// With whom we were registered last.
    last: Option<SocketAddr>,
    rounds_failed: u32,
    redirects: u32,
}

impl Association {
    pub(crate) fn new(configured: Vec<Controller>, timers: Timers, now: Now, random: &mut Random) -> Self {
        let state = if configured.is_empty() {
            State::Laboratory
        } else {
            // H.248.1 section 9.2: many gateways that start together must not speak together.
            State::Waiting(now + random.between(std::time::Duration::ZERO, timers.restart_wait))
        };
        let names = Names::of(&configured);
        Self {
            known: names.reachable(&configured),
            names,
            configured,
            timers,
            state,
            queue: VecDeque::new(),
            last: None,
            rounds_failed: 0,
            redirects: 0,
        }
    }

    pub(crate) fn is_registered(&self) -> bool {
        matches!(self.state, State::Registered(..))
    }

    /// Whether the controller in command is the one of before, which was only lost for a while.
    pub(crate) fn was_reconnected(&self) -> bool {
        matches!(&self.state, State::Registered(target, _) if target.method == ServiceChangeMethod::Disconnected)
    }

    pub(crate) fn in_laboratory(&self) -> bool {
        matches!(self.state, State::Laboratory)
    }

    /// The controller in command: where to, in which version and encoding.
    pub(crate) fn controller(&self) -> Option<(Peer, u8, Encoding)> {
        match &self.state {
            State::Registered(target, peer) | State::Registering(target, peer) => {
                Some((*peer, target.version, target.controller.encoding))
            }
            _ => None,
        }
    }

    /// How to write text to an address, where the configuration says.
    pub(crate) fn style_for(&self, address: IpAddr) -> Option<Style> {
        let address = address.to_canonical();
        let here = self.known.iter().filter(|known| known.address.ip().to_canonical() == address);
        here.into_iter().find_map(|known| match known.encoding {
            Encoding::Text(style) => Some(style),
            Encoding::Ber { .. } => None,
        })
    }

    pub(crate) fn authority(&self, from: IpAddr) -> Authority {
        let from = from.to_canonical();
        let is = |peer: &Peer| peer.address.ip().to_canonical() == from;
        let configured = self.known.iter().any(|known| known.address.ip().to_canonical() == from);
        match &self.state {
            State::Laboratory if is_loopback(from) => Authority::Controls,
            State::Laboratory => Authority::Stranger,
            State::Registered(target, peer)
                if is(peer) || target.controller.address.ip().to_canonical() == from =>
            {
                Authority::Controls
            }
            State::Registered(..) if configured => Authority::NotInCommand,
            State::Registering(_, peer) if is(peer) => Authority::TooEarly,
            _ if configured => Authority::TooEarly,
            _ => Authority::Stranger,
        }
    }

    /// Whether a connection to this address was opened for an association.
    pub(crate) fn is_address_of_controller(&self, address: SocketAddr) -> bool {
        let current = match &self.state {
            State::Connecting(target) | State::Registering(target, _) | State::Registered(target, _) => {
                Some(target.controller.address)
            }
            _ => None,
        };
        current == Some(address) || self.known.iter().any(|known| known.address == address)
    }

    /// The configured names that have this address.
    pub(crate) fn names_at(&self, address: IpAddr) -> impl Iterator<Item = &str> {
        let address = address.to_canonical();
        let here = self.known.iter().filter(move |known| known.address.ip().to_canonical() == address);
        here.filter_map(|known| known.host.as_deref())
    }

    pub(crate) fn next_timer(&self) -> Option<Now> {
        let waiting = match self.state {
            State::Waiting(until) => Some(until),
            State::OutOfService => return None,
            _ => None,
        };
        waiting.into_iter().chain(self.names.next_due()).min()
    }

    /// The next name to look up.
    pub(crate) fn poll_resolution(&mut self) -> Option<String> {
        self.names.poll()
    }

    /// A name was looked up; without addresses it does not resolve. The registered controller stays, wherever its name leads now.
    pub(crate) fn resolved(
        &mut self,
        now: Now,
        host: &str,
        found: &[IpAddr],
        random: &mut Random,
    ) -> Resolved {
        let answer = self.names.answered(now, host, found, &self.timers, random);
        if answer == Some(Resolved::Changed) {
            self.known = self.names.reachable(&self.configured);
        }
        answer.unwrap_or(Resolved::Same)
    }

    /// Whether somebody is to be asked now. A new round begins with looking up all names.
    fn is_time(&mut self, now: Now) -> bool {
        match self.state {
            State::Waiting(until) if until > now => false,
            State::Waiting(_) if self.queue.is_empty() && self.names.ask_all() => {
                self.state = State::Resolving;
                false
            }
            State::Waiting(_) => true,
            State::Resolving => !self.names.are_asked(),
            _ => false,
        }
    }

    /// What is to be done now, if anything.
    pub(crate) fn poll(&mut self, now: Now, random: &mut Random) -> Option<Want> {
        if !matches!(self.state, State::OutOfService) {
            self.names.ask_due(now);
        }
        if !self.is_time(now) {
            return None;
        }
        if self.queue.is_empty() {
            self.redirects = 0;
            self.queue = self.round();
        }
        let Some(target) = self.queue.pop_front() else {
            // No name has an address.
            self.try_next(now, random);
            return None;
        };
        let address = target.controller.address;
        match target.controller.transport {
            ControllerTransport::Udp => {
                let link = Link::Udp(SocketId::of(target.controller.encoding.form()));
                Some(self.register(target, Peer { link, address }))
            }
            over => {
                let host = target.controller.host.clone();
                self.state = State::Connecting(target);
                Some(Want::Connect(over, address, host))
            }
        }
    }

    fn register(&mut self, target: Target, to: Peer) -> Want {
        let want = Want::Register { to, method: target.method.clone(), reason: target.reason };
        self.state = State::Registering(target, to);
        want
    }

    /// All controllers, the one that we were lost from first.
    fn round(&self) -> VecDeque<Target> {
        let mut round: VecDeque<Target> = VecDeque::with_capacity(self.known.len());
        for controller in &self.known {
            let (method, reason) = match self.last {
                None => (ServiceChangeMethod::Restart, ErrorCode::COLD_BOOT),
                Some(last) if last == controller.address => {
                    (ServiceChangeMethod::Disconnected, ErrorCode::SERVICE_RESTORED)
                }
                Some(_) => (ServiceChangeMethod::Failover, ErrorCode::MGC_IMPENDING_FAILURE),
            };
            let first = method == ServiceChangeMethod::Disconnected;
            let target = Target { controller: controller.clone(), version: VERSION, method, reason };
            if first { round.push_front(target) } else { round.push_back(target) }
        }
        round
    }

    /// A connection that we wanted is open.
    pub(crate) fn connected(&mut self, connection: ConnectionId, address: SocketAddr) -> Option<Want> {
        match &self.state {
            State::Connecting(target) if target.controller.address == address => {
                let target = target.clone();
                let link = match target.controller.transport {
                    ControllerTransport::Tls => Link::Tls(connection),
                    ControllerTransport::Sctp => Link::Sctp(connection),
                    ControllerTransport::Tcp | ControllerTransport::Udp => Link::Tcp(connection),
                };
                Some(self.register(target, Peer { link, address }))
            }
            _ => None,
        }
    }

    /// A connection that we wanted could not be opened.
    pub(crate) fn connect_failed(&mut self, now: Now, address: SocketAddr, random: &mut Random) {
        if matches!(&self.state, State::Connecting(target) if target.controller.address == address) {
            self.try_next(now, random);
        }
    }

    /// A connection is gone. Whether it was the association's.
    pub(crate) fn connection_lost(
        &mut self,
        now: Now,
        connection: ConnectionId,
        random: &mut Random,
    ) -> bool {
        let ours = |peer: &Peer| peer.link.connection() == Some(connection);
        match &self.state {
            State::Registered(_, peer) if ours(peer) => {
                self.lost(now);
                true
            }
            State::Registering(_, peer) if ours(peer) => {
                self.try_next(now, random);
                false
            }
            _ => false,
        }
    }

    /// The controller in command does not answer any more.
    pub(crate) fn lost(&mut self, now: Now) {
        if self.is_registered() {
            self.queue = VecDeque::new();
            self.state = State::Waiting(now);
        }
    }

    /// Our ServiceChange was not answered.
    pub(crate) fn unanswered(&mut self, now: Now, random: &mut Random) {
        if matches!(self.state, State::Registering(..)) {
            self.try_next(now, random);
        }
    }

    fn try_next(&mut self, now: Now, random: &mut Random) {
        if !self.queue.is_empty() {
            self.state = State::Waiting(now);
            return;
        }
        let pause = names::pause(&self.timers, self.rounds_failed, random);
        self.rounds_failed = self.rounds_failed.saturating_add(1);
        self.state = State::Waiting(now + pause);
    }

    /// Our ServiceChange was answered. Whether we are registered now.
    pub(crate) fn answered(&mut self, now: Now, result: &ServiceChangeResult, random: &mut Random) -> bool {
        let State::Registering(target, peer) = &self.state else { return false };
        let (mut target, mut peer) = (target.clone(), *peer);
        let reply = match result {
            ServiceChangeResult::Accepted => ServiceChangeReply::default(),
            ServiceChangeResult::Parms(reply) => (**reply).clone(),
            ServiceChangeResult::Error(error) => {
                if error.code == ErrorCode::VERSION_NOT_SUPPORTED && target.version > 1 {
                    target.version = 1;
                    self.queue.push_front(target);
                }
                self.try_next(now, random);
                return false;
            }
        };
        if let Some(elsewhere) = &reply.mgc_id {
            self.redirects += 1;
            if self.redirects <= MAX_REDIRECTS {
                for controller in self.resolve(elsewhere, &target.controller).into_iter().rev() {
                    self.queue.push_front(Target { controller, ..target.clone() });
                }
            }
            self.try_next(now, random);
            return false;
        }
        if let Some(version) = reply.version {
            // A controller should not answer with more than was offered; one that does reads nothing else.
            target.version = version.clamp(1, MAX_VERSION);
        }
        if let Some(address) = &reply.address {
            peer.address = self.redirected(peer.address, address, &target.controller);
        }
        self.last = Some(target.controller.address);
        (self.rounds_failed, self.redirects) = (0, 0);
        self.queue.clear();
        self.state = State::Registered(target, peer);
        true
    }

    /// The controller hands over to another, or to whoever answers (H.248.1 section 11.5). Instead of the other's identifier it may give
    /// only an address.
    pub(crate) fn hand_off(&mut self, now: Now, to: Option<&Mid>, address: Option<&ServiceChangeAddress>) {
        let State::Registered(target, _) = &self.state else { return };
        let current = target.controller.clone();
        let mut designated = to.map(|mid| self.resolve(mid, &current)).unwrap_or_default();
        if designated.is_empty() {
            let there =
                address.map_or(current.address, |new| self.redirected(current.address, new, &current));
            designated.push(at(there, &current));
        }
        self.queue = self.round();
        for controller in designated.into_iter().rev() {
            self.queue.push_front(Target {
                controller,
                version: VERSION,
                method: ServiceChangeMethod::HandOff,
                reason: ErrorCode::MGC_DIRECTED_CHANGE,
            });
        }
        self.state = State::Waiting(now);
    }

    /// The gateway goes out of service.
    pub(crate) fn end(&mut self) {
        if !self.in_laboratory() {
            self.state = State::OutOfService;
        }
    }

    /// The controller that an identifier names, reached like the one that named it: at every address of a configured name, in order, at
    /// one otherwise. A domain that is not configured names nobody: only the configuration says whose names are looked up.
    fn resolve(&self, mid: &Mid, like: &Reachable) -> Vec<Reachable> {
        let usual = like.encoding.form().port();
        let address = match mid {
            Mid::Ip4 { address, port } => SocketAddr::new((*address).into(), port.unwrap_or(usual)),
            Mid::Ip6 { address, port } => SocketAddr::new((*address).into(), port.unwrap_or(usual)),
            Mid::Domain { name, .. } => {
                let named = |known: &&Reachable| known.name.as_deref().is_some_and(|known| *name == *known);
                return self.known.iter().filter(named).cloned().collect();
            }
            Mid::Device(_) | Mid::Mtp(_) => return Vec::new(),
        };
        let known = self.known.iter().find(|known| known.address == address);
        vec![known.cloned().unwrap_or_else(|| at(address, like))]
    }

    fn redirected(&self, old: SocketAddr, new: &ServiceChangeAddress, like: &Reachable) -> SocketAddr {
        match new {
            ServiceChangeAddress::Port(port) => SocketAddr::new(old.ip(), *port),
            ServiceChangeAddress::Mid(mid) => {
                self.resolve(mid, like).first().map_or(old, |controller| controller.address)
            }
        }
    }
}

/// A controller like another at this address; only where that is the other's it has the other's name.
fn at(address: SocketAddr, like: &Reachable) -> Reachable {
    if address.ip() == like.address.ip() {
        return Reachable { address, ..like.clone() };
    }
    Reachable { address, host: None, name: None, ..like.clone() }
}

#[cfg(test)]
mod tests;
