//! Which controller commands, and how the gateway gets one (H.248.1 sections 7.2.8, 11.2 to 11.5).
//!
//! With controllers configured the gateway registers with the first that accepts it and obeys nobody else; a lost one is asked again
//! (`Disconnected`), then the others (`Failover`), then all of them after a growing pause. A controller may send it elsewhere: MgcIdToTry,
//! ServiceChangeAddress, `HandOff`. Without configured controllers the gateway is in a laboratory and obeys whoever talks to it over loopback.
//! This is only the decision; sending and waiting is done by [`crate::MediaGateway`].

use crate::ast::*;
use crate::config::{Controller, ControllerTransport, Timers};
use crate::encoding::Encoding;
use crate::errors::ErrorCode;
use crate::random::Random;
use crate::text::Style;
use crate::transport::{ConnectionId, Link, Now, Peer, SocketId, is_loopback};
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
    controller: Controller,
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
    /// Open a connection.
    Connect(ControllerTransport, SocketAddr),
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
        Self { configured, timers, state, queue: VecDeque::new(), last: None, rounds_failed: 0, redirects: 0 }
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
        let here = self.configured.iter().filter(|known| known.address.ip().to_canonical() == address);
        here.into_iter().find_map(|known| match known.encoding {
            Encoding::Text(style) => Some(style),
            Encoding::Ber { .. } => None,
        })
    }

    pub(crate) fn authority(&self, from: IpAddr) -> Authority {
        let from = from.to_canonical();
        let is = |peer: &Peer| peer.address.ip().to_canonical() == from;
        let configured = self.configured.iter().any(|known| known.address.ip().to_canonical() == from);
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

    pub(crate) fn next_timer(&self) -> Option<Now> {
        match self.state {
            State::Waiting(until) => Some(until),
            _ => None,
        }
    }

    /// What is to be done now, if anything.
    pub(crate) fn poll(&mut self, now: Now) -> Option<Want> {
        let State::Waiting(until) = self.state else { return None };
        if until > now {
            return None;
        }
        if self.queue.is_empty() {
            self.redirects = 0;
            self.queue = self.round();
        }
        let target = self.queue.pop_front()?;
        let address = target.controller.address;
        match target.controller.transport {
            ControllerTransport::Udp => {
                let link = Link::Udp(SocketId::of(target.controller.encoding.form()));
                Some(self.register(target, Peer { link, address }))
            }
            over => {
                self.state = State::Connecting(target);
                Some(Want::Connect(over, address))
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
        let mut round: VecDeque<Target> = VecDeque::new();
        for controller in &self.configured {
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
        let pause =
            self.timers.retry_min.saturating_mul(1 << self.rounds_failed.min(16)).min(self.timers.retry_max);
        self.rounds_failed = self.rounds_failed.saturating_add(1);
        self.state = State::Waiting(now + random.between(pause / 2, pause));
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
            let designated =
                self.resolve(elsewhere, &target.controller).filter(|_| self.redirects <= MAX_REDIRECTS);
            if let Some(controller) = designated {
                self.queue.push_front(Target { controller, ..target });
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
        let by_address = address.map(|new| Controller {
            address: self.redirected(current.address, new, &current),
            ..current.clone()
        });
        let designated = to.and_then(|mid| self.resolve(mid, &current)).or(by_address).unwrap_or(current);
        self.queue = self.round();
        self.queue.push_front(Target {
            controller: designated,
            version: VERSION,
            method: ServiceChangeMethod::HandOff,
            reason: ErrorCode::MGC_DIRECTED_CHANGE,
        });
        self.state = State::Waiting(now);
    }

    /// The gateway goes out of service.
    pub(crate) fn end(&mut self) {
        if !self.in_laboratory() {
            self.state = State::OutOfService;
        }
    }

    /// The controller that an identifier names, reached like the one that named it.
    fn resolve(&self, mid: &Mid, like: &Controller) -> Option<Controller> {
        let usual = like.encoding.form().port();
        let address = match mid {
            Mid::Ip4 { address, port } => SocketAddr::new((*address).into(), port.unwrap_or(usual)),
            Mid::Ip6 { address, port } => SocketAddr::new((*address).into(), port.unwrap_or(usual)),
            Mid::Domain { name, .. } => {
                let named = |known: &&Controller| known.name.as_deref().is_some_and(|known| *name == *known);
                return self.configured.iter().find(named).cloned();
            }
            Mid::Device(_) | Mid::Mtp(_) => return None,
        };
        let known = self.configured.iter().find(|known| known.address == address);
        Some(known.cloned().unwrap_or_else(|| Controller { address, name: None, ..like.clone() }))
    }

    fn redirected(&self, old: SocketAddr, new: &ServiceChangeAddress, like: &Controller) -> SocketAddr {
        match new {
            ServiceChangeAddress::Port(port) => SocketAddr::new(old.ip(), *port),
            ServiceChangeAddress::Mid(mid) => {
                self.resolve(mid, like).map_or(old, |controller| controller.address)
            }
        }
    }
}

#[cfg(test)]
mod tests;
