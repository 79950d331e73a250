//! Messaging through the gateway as operators see it: a phone with TLS at the access side, plain TCP or TLS at the core side, both of them an MSRP
//! endpoint on OpenSSL that shares nothing with us. Each checks what arrives by a digest in the message, and the paths it is addressed by.

use interop::connection::{Certificate, Connected, Given, Side};
use interop::gateway::Gateway;
use interop::peers::{TcpPeer, folder, number};
use interop::ports::free_port;
use interop::process::{Finished, Peer};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const PHONE: &str = "msrps://phone.example:2855/p1h2o3n4;tcp";
const CORE: &str = "msrp://core.example:2855/c1o2r3e4;tcp";
/// What stands for the port of a peer that connects (RFC 4145 section 4.1).
const DISCARD: u16 = 9;

/// One end of the conversation.
struct End<'a> {
    realm: &'static str,
    proto: &'static str,
    path: &'static str,
    /// The peer listens there; `None`: it connects to the gateway.
    listens: Option<u16>,
    /// Its certificate and its role, where it speaks TLS.
    tls: Option<(&'a Certificate, &'static str)>,
    options: &'a [&'a str],
}

impl End<'_> {
    fn side(&self) -> Side {
        let setup = if self.listens.is_some() { "active" } else { "passive" };
        let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, self.listens.unwrap_or(DISCARD)));
        let mut side = Side::new(self.realm, self.proto, Some(setup), remote);
        side.path = Some(self.path.to_owned());
        side.fingerprints = self.tls.iter().map(|(certificate, _)| certificate.fingerprint.clone()).collect();
        side
    }

    /// What the controller orders once the peer is ready.
    fn signals(&self) -> String {
        let connect = self.listens.map(|_| "tcpbcc/EstBNC { Stream = 1 }");
        let begin = self.tls.filter(|(_, role)| *role == "server").map(|_| "tlsbsc/EstBNC { Stream = 1 }");
        connect.into_iter().chain(begin).collect::<Vec<_>>().join(", ")
    }

    fn command(&self, peer: &TcpPeer, gateway: &Given) -> Command {
        let (how, address) = match self.listens {
            Some(port) => ("listen", SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
            None => ("connect", gateway.local),
        };
        let kind = if self.tls.is_some() { "tls" } else { "tcp" };
        let to = gateway.path.as_deref().expect("the gateway has a path");
        let mut command = peer.msrp(&[kind, how, &address.to_string(), "--me", self.path, "--to", to]);
        if let Some((certificate, role)) = self.tls {
            let ours = gateway.fingerprint.as_deref().expect("the gateway has a certificate");
            command.arg("--certificate").arg(certificate.base());
            command.args(["--fingerprint", ours, "--tls-role", role]);
        }
        command.args(self.options);
        command
    }
}

/// Runs both ends to their end: those that listen first, then the controller's orders, then those that connect.
fn converse(peer: &TcpPeer, call: &mut Connected, ends: [&End<'_>; 2]) -> [Finished; 2] {
    let commands = [0, 1].map(|side| ends[side].command(peer, &call.given[side]));
    let mut running = commands.map(|command| (command, None));
    for (end, (command, running)) in ends.iter().zip(&mut running) {
        if end.listens.is_some() {
            let mut peer = Peer::start(command, LIMIT).expect("the peer starts");
            peer.wait_for("listening").expect("the peer listens");
            *running = Some(peer);
        }
    }
    for (side, end) in ends.iter().enumerate() {
        let signals = end.signals();
        if !signals.is_empty() {
            call.modify(side, "LocalControl { Mode = SendReceive }", &format!(", Signals {{ {signals} }}"));
        }
    }
    running
        .map(|(mut command, running)| {
            running.unwrap_or_else(|| Peer::start(&mut command, LIMIT).expect("the peer starts"))
        })
        .map(Peer::wait)
}

fn all_arrived(ends: [Finished; 2]) -> [String; 2] {
    let reports = ends.map(|end| end.expect_success("an MSRP endpoint"));
    for report in &reports {
        assert_eq!((number(report, "received"), number(report, "intact")), (Some(5), Some(5)), "{report}");
    }
    reports
}

#[test]
fn phones_with_tls_and_plain_cores_talk_in_every_role() {
    let Some(peer) = interop::require("pyOpenSSL", TcpPeer::find) else { return };
    let gateway = Gateway::start("");
    let certificate = Certificate::ecdsa("roles");
    for combination in 0..8_u8 {
        let [phone_listens, phone_serves, core_listens] = [0, 1, 2].map(|bit| combination >> bit & 1 == 1);
        let role = if phone_serves { "server" } else { "client" };
        let version = if combination.count_ones() % 2 == 0 { "1.3" } else { "1.2" };
        let phone = End {
            realm: "access",
            proto: "TCP/TLS/MSRP",
            path: PHONE,
            listens: phone_listens.then(free_port),
            tls: Some((&certificate, role)),
            options: &["--size", "70000", "--binary", "--tls-version", version],
        };
        let core = End {
            realm: "core",
            proto: "TCP/MSRP",
            path: CORE,
            listens: core_listens.then(free_port),
            tls: None,
            options: &["--size", "9000", "--chunk", "700", "--linger"],
        };
        let mut call = Connected::set_up(gateway.iq(), [&phone.side(), &core.side()]);
        let [near, far] = all_arrived(converse(&peer, &mut call, [&phone, &core]));
        assert!(near.contains(&format!("TLSv{version}")), "{near}");
        assert!(far.contains("\"eof\": true"), "the end of one side reaches the other: {far}");
        call.controller.wait_for(&["tlsbsc/BNCChange"]);
        let statistics = call.take_down();
        assert!(statistics.contains("Statistics"), "{statistics}");
    }
    gateway.stop();
}

#[test]
fn plain_ends_talk_in_every_role() {
    let Some(peer) = interop::require("pyOpenSSL", TcpPeer::find) else { return };
    let gateway = Gateway::start("");
    for [phone_listens, core_listens] in [[false, false], [false, true], [true, false], [true, true]] {
        let phone = End {
            realm: "access",
            proto: "TCP/MSRP",
            path: "msrp://phone.example:2855/p1h2o3n4;tcp",
            listens: phone_listens.then(free_port),
            tls: None,
            options: &["--size", "70000", "--binary"],
        };
        let core = End {
            realm: "core",
            proto: "TCP/MSRP",
            path: CORE,
            listens: core_listens.then(free_port),
            tls: None,
            options: &["--size", "9000", "--chunk", "700", "--linger"],
        };
        let mut call = Connected::set_up(gateway.iq(), [&phone.side(), &core.side()]);
        let [_, far] = all_arrived(converse(&peer, &mut call, [&phone, &core]));
        assert!(far.contains("\"eof\": true"), "the end of one side reaches the other: {far}");
        for given in call.given.clone() {
            let notice = call.controller.wait_for(&["tcpbcc/BNCChange", &given.termination, "Est"]);
            assert!(!notice.contains("Fail"), "{notice}");
        }
        call.take_down();
    }
    gateway.stop();
}

#[test]
fn both_sides_may_speak_tls_with_certificates_of_any_kind() {
    let Some(peer) = interop::require("pyOpenSSL", TcpPeer::find) else { return };
    let gateway = Gateway::start("");
    let plain = folder().join("tcp/plain.cnf").display().to_string();
    let keys: [(&str, &[&str]); 3] = [
        ("rsa", &["rsa:2048"]),
        ("p384", &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"]),
        ("version-1", &["ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-config", &plain]),
    ];
    for (name, key) in keys {
        let [one, other] = ["phone", "core"].map(|side| Certificate::make(&format!("{name}-{side}"), key));
        let phone = End {
            realm: "access",
            proto: "TCP/TLS/MSRP",
            path: PHONE,
            listens: None,
            tls: Some((&one, "client")),
            options: &["--size", "5000"],
        };
        let core = End {
            realm: "core",
            proto: "TCP/TLS/MSRP",
            path: "msrps://core.example:2855/c1o2r3e4;tcp",
            listens: Some(free_port()),
            tls: Some((&other, "server")),
            options: &["--size", "5000", "--linger"],
        };
        let mut call = Connected::set_up(gateway.iq(), [&phone.side(), &core.side()]);
        all_arrived(converse(&peer, &mut call, [&phone, &core]));
        call.take_down();
    }
    gateway.stop();
}

#[test]
fn a_phone_with_another_certificate_reaches_nobody_and_is_reported_once() {
    let Some(peer) = interop::require("pyOpenSSL", TcpPeer::find) else { return };
    let gateway = Gateway::start("");
    let [promised, shown] = ["promised", "shown"].map(Certificate::ecdsa);
    let phone = End {
        realm: "access",
        proto: "TCP/TLS/MSRP",
        path: PHONE,
        listens: None,
        tls: Some((&shown, "client")),
        options: &["--seconds", "4"],
    };
    let core = End {
        realm: "core",
        proto: "TCP/MSRP",
        path: CORE,
        listens: Some(free_port()),
        tls: None,
        options: &["--messages", "0", "--expect", "0", "--seconds", "4"],
    };
    let mut side = phone.side();
    side.fingerprints = vec![promised.fingerprint.clone()];
    let mut call = Connected::set_up(gateway.iq(), [&side, &core.side()]);
    let [near, far] = converse(&peer, &mut call, [&phone, &core]);
    assert!(!near.status.success(), "{}", near.output);
    assert_eq!(number(&near.output, "answers").unwrap_or(0), 0, "{}", near.output);
    assert_eq!(number(&far.output, "bytes").unwrap_or(0), 0, "{}", far.output);
    call.controller.wait_for(&["tlsbsc/BNCChange", "Fail"]);
    let again = call.controller.notified_within(Duration::from_secs(1));
    assert!(!again.iter().any(|notice| notice.contains("tlsbsc/BNCChange")), "{again:?}");
    call.take_down();
    gateway.stop();
}
