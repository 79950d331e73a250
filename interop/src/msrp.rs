//! Conversations in MSRP through the gateway: who stands at each side, what the controller says of them, and the endpoints themselves, which
//! are `peers/tcp/msrp_peer.py` on OpenSSL. Each checks what arrives by a digest in the message, and the paths it is addressed by. One of them may
//! stand behind Kamailio's relay ([`crate::relay`]), which then is the gateway's peer.

use crate::connection::{Certificate, Connected, Given, Side};
use crate::peers::{TcpPeer, number};
use crate::ports::free_port;
use crate::process::{Finished, Peer};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
/// What stands for the port of a peer that connects (RFC 4145 section 4.1).
pub const DISCARD: u16 = 9;

/// One of the two who talk.
pub trait Party {
    /// What the controller says of its side.
    fn side(&self) -> Side;

    /// What the controller orders there once the peer is ready; may be nothing.
    fn signals(&self) -> String;

    /// What its endpoint says when it is ready, if it has to be ready before that.
    fn ready(&self) -> Option<&'static str>;

    /// Its endpoint, which is told what the gateway has at this side.
    fn command(&self, peer: &TcpPeer, gateway: &Given) -> Command;
}

/// A party that is the gateway's peer itself.
#[derive(Debug, Clone)]
pub struct End<'a> {
    realm: &'static str,
    name: &'static str,
    /// It listens there; `None`: it connects to the gateway.
    listens: Option<u16>,
    /// Its certificate and its role, where it speaks TLS.
    tls: Option<(&'a Certificate, &'static str)>,
    options: &'a [&'a str],
    /// What the controller believes of its certificate, where that is not the truth.
    fingerprints: Option<Vec<String>>,
}

impl<'a> End<'a> {
    /// A phone at the access side: plain TCP, and it connects.
    pub fn phone() -> Self {
        let (realm, name) = ("access", "phone.example:2855/p1h2o3n4");
        Self { realm, name, listens: None, tls: None, options: &[], fingerprints: None }
    }

    /// A server at the core side: plain TCP, and it connects.
    pub fn core() -> Self {
        let (realm, name) = ("core", "core.example:2855/c1o2r3e4");
        Self { realm, name, listens: None, tls: None, options: &[], fingerprints: None }
    }

    /// It listens, or does not.
    #[must_use]
    pub fn listening(self, listens: bool) -> Self {
        Self { listens: listens.then(free_port), ..self }
    }

    /// It speaks TLS, as `client` or `server`.
    #[must_use]
    pub fn with_tls(self, certificate: &'a Certificate, role: &'static str) -> Self {
        Self { tls: Some((certificate, role)), ..self }
    }

    /// Options of `msrp_peer.py`.
    #[must_use]
    pub fn doing(self, options: &'a [&'a str]) -> Self {
        Self { options, ..self }
    }

    /// The controller says other fingerprints than the true one.
    #[must_use]
    pub fn signalled_as(self, fingerprints: &[&str]) -> Self {
        Self { fingerprints: Some(fingerprints.iter().map(|&value| value.to_owned()).collect()), ..self }
    }

    fn path(&self) -> String {
        let scheme = if self.tls.is_some() { "msrps" } else { "msrp" };
        format!("{scheme}://{};tcp", self.name)
    }
}

impl Party for End<'_> {
    fn side(&self) -> Side {
        let setup = if self.listens.is_some() { "active" } else { "passive" };
        let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, self.listens.unwrap_or(DISCARD)));
        let mut side = Side::new(self.realm, transport(self.tls.is_some()), Some(setup), remote);
        side.path = Some(self.path());
        let own = || self.tls.iter().map(|(certificate, _)| certificate.fingerprint.clone()).collect();
        side.fingerprints = self.fingerprints.clone().unwrap_or_else(own);
        side
    }

    fn signals(&self) -> String {
        orders(self.listens.is_some(), self.tls.is_some_and(|(_, role)| role == "server"))
    }

    fn ready(&self) -> Option<&'static str> {
        self.listens.map(|_| "listening")
    }

    fn command(&self, peer: &TcpPeer, gateway: &Given) -> Command {
        let (how, address) = match self.listens {
            Some(port) => ("listen", SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            None => ("connect", gateway.local),
        };
        let kind = if self.tls.is_some() { "tls" } else { "tcp" };
        let to = gateway.path.as_deref().expect("the gateway has a path");
        let mut command = peer.msrp(&[kind, how, &address.to_string(), "--me", &self.path(), "--to", to]);
        if let Some((certificate, role)) = self.tls {
            let ours = gateway.fingerprint.as_deref().expect("the gateway has a certificate");
            command.arg("--certificate").arg(certificate.base());
            command.args(["--fingerprint", ours, "--tls-role", role]);
        }
        command.args(self.options);
        command
    }
}

/// The transport of the m-line.
pub(crate) fn transport(has_tls: bool) -> &'static str {
    if has_tls { "TCP/TLS/MSRP" } else { "TCP/MSRP" }
}

/// The signals with which the gateway connects, and begins TLS.
pub fn orders(connect: bool, begin_tls: bool) -> String {
    let connect = connect.then_some("tcpbcc/EstBNC { Stream = 1 }");
    let begin = begin_tls.then_some("tlsbsc/EstBNC { Stream = 1 }");
    connect.into_iter().chain(begin).collect::<Vec<_>>().join(", ")
}

/// Runs both to their end: those that are there first, then the controller's orders, then the others in their order.
///
/// # Panics
/// When the gateway refuses an order, or an endpoint does not start.
pub fn converse(peer: &TcpPeer, call: &mut Connected, parties: [&dyn Party; 2]) -> [Finished; 2] {
    let commands = [0, 1].map(|side| parties[side].command(peer, &call.given[side]));
    let mut running = commands.map(|command| (command, None));
    for (party, (command, running)) in parties.iter().zip(&mut running) {
        if let Some(words) = party.ready() {
            let mut peer = Peer::start(command, LIMIT).expect("the peer starts");
            peer.wait_for(words).expect("the peer gets ready");
            *running = Some(peer);
        }
    }
    for (side, party) in parties.iter().enumerate() {
        call.order(side, &party.signals());
    }
    running
        .map(|(mut command, running)| {
            running.unwrap_or_else(|| Peer::start(&mut command, LIMIT).expect("the peer starts"))
        })
        .map(Peer::wait)
}

/// Both have got all that was to come, unchanged; what they report.
///
/// # Panics
/// When they have not.
#[track_caller]
pub fn all_arrived(ends: [Finished; 2]) -> [String; 2] {
    let reports = ends.map(|end| end.expect_success("an MSRP endpoint"));
    for report in &reports {
        assert_eq!((number(report, "received"), number(report, "intact")), (Some(5), Some(5)), "{report}");
    }
    reports
}
