//! Floor control through the gateway: a participant and a floor control server whose messages libre writes and reads, over TCP and TLS, with and
//! without the check of framing, in every role; and Wireshark's dissectors as judge of what both protocols look like on the wire.

use interop::connection::{Certificate, Connected, Given, Side};
use interop::gateway::Gateway;
use interop::msrp::{DISCARD, End, Party, all_arrived, converse, orders};
use interop::netns::Netns;
use interop::pcap::{Capture, Judge};
use interop::peers::{TcpPeer, number};
use interop::ports::free_port;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Four transactions a round, three rounds.
const MESSAGES: Option<u64> = Some(12);
const CHECKED: &str = ", tcpbcc/framing = ON";

/// A participant or a floor control server.
struct Floor<'a> {
    realm: &'static str,
    /// `client` or `server` of BFCP.
    role: &'static str,
    listens: Option<u16>,
    /// Its certificate and its role in TLS, which is apart from that in TCP and in BFCP (TLS-4).
    tls: Option<(&'a Certificate, &'static str)>,
    is_checked: bool,
}

impl Party for Floor<'_> {
    fn side(&self) -> Side {
        let setup = if self.listens.is_some() { "active" } else { "passive" };
        let remote = SocketAddr::from((Ipv4Addr::LOCALHOST, self.listens.unwrap_or(DISCARD)));
        let proto = if self.tls.is_some() { "TCP/TLS/BFCP" } else { "TCP/BFCP" };
        let mut side = Side::new(self.realm, proto, Some(setup), remote);
        side.properties = if self.is_checked { CHECKED } else { "" };
        side.fingerprints = self.tls.iter().map(|(certificate, _)| certificate.fingerprint.clone()).collect();
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
        let mut command = peer.bfcp(&[self.role, kind, how, &address.to_string()]);
        if let Some((certificate, role)) = self.tls {
            let ours = gateway.fingerprint.as_deref().expect("the gateway has a certificate");
            command.arg("--certificate").arg(certificate.base());
            command.args(["--fingerprint", ours, "--tls-role", role]);
        }
        command
    }
}

/// One conversation between a participant at the access side and a floor control server at the core side.
fn take_the_floor(peer: &TcpPeer, gateway: &Gateway, phone: &Floor<'_>, core: &Floor<'_>) {
    let mut call = Connected::set_up(gateway.iq(), [&phone.side(), &core.side()]);
    let reports = converse(peer, &mut call, [phone, core]).map(|end| end.expect_success("a BFCP endpoint"));
    for report in &reports {
        assert_eq!(number(report, "messages"), MESSAGES, "{report}");
    }
    call.take_down();
}

#[test]
fn libres_messages_pass_over_tls_and_tcp_checked_or_not_in_every_role() {
    let Some(peer) = interop::require("libre", || TcpPeer::find()?.with_libre()) else { return };
    let gateway = Gateway::start("");
    let certificate = Certificate::ecdsa("floor");
    for combination in 0..8_u8 {
        let [phone_listens, phone_serves, core_listens] = [0, 1, 2].map(|bit| combination >> bit & 1 == 1);
        let is_checked = combination.count_ones() % 2 == 0;
        let tls = Some((&certificate, if phone_serves { "server" } else { "client" }));
        let listens = phone_listens.then(free_port);
        let phone = Floor { realm: "access", role: "client", listens, tls, is_checked };
        let listens = core_listens.then(free_port);
        let core = Floor { realm: "core", role: "server", listens, tls: None, is_checked };
        take_the_floor(&peer, &gateway, &phone, &core);
    }
    gateway.stop();
}

#[test]
fn libres_messages_pass_from_tcp_to_tcp_checked_or_not() {
    let Some(peer) = interop::require("libre", || TcpPeer::find()?.with_libre()) else { return };
    let gateway = Gateway::start("");
    for is_checked in [true, false] {
        let phone = Floor { realm: "access", role: "client", listens: None, tls: None, is_checked };
        let listens = Some(free_port());
        let core = Floor { realm: "core", role: "server", listens, tls: None, is_checked };
        take_the_floor(&peer, &gateway, &phone, &core);
    }
    gateway.stop();
}

#[test]
fn what_is_no_bfcp_ends_a_checked_connection_with_its_reason_and_passes_an_unchecked_one() {
    let gateway = Gateway::start("");
    // A Hello of version 2, which is for unreliable transports (RFC 8855 section 5.1).
    let hello = [0x40, 11, 0, 0, 0, 0, 0, 1, 0, 1, 0, 2];
    for properties in [CHECKED, ""] {
        let waits = SocketAddr::from((Ipv4Addr::LOCALHOST, DISCARD));
        let mut sides = ["access", "core"].map(|realm| Side::new(realm, "TCP/BFCP", Some("passive"), waits));
        sides[0].properties = properties;
        let mut call = Connected::set_up(gateway.iq(), [&sides[0], &sides[1]]);
        let [mut phone, mut core] = [0, 1].map(|side: usize| {
            let stream = TcpStream::connect(call.given[side].local).expect("the gateway listens");
            stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a time limit is accepted");
            stream
        });
        phone.write_all(&hello).expect("the gateway reads");
        let mut read = [0; 12];
        let came = core.read_exact(&mut read);
        if properties.is_empty() {
            came.expect("it passes");
            assert_eq!(read, hello);
        } else {
            came.expect_err("it does not pass");
            let words = "BFCP: version 2 where 1 has to be over a reliable transport";
            call.controller.wait_for(&["tcpbcc/BNCChange", "Fail", words]);
        }
        call.take_down();
    }
    assert!(gateway.metric("agw_connections_total", &["event=\"malformed\""]) == 1.0);
    gateway.stop();
}

#[test]
fn wireshark_finds_nothing_malformed_in_msrp_and_bfcp() {
    let Some(netns) = interop::require("network namespaces", Netns::find) else { return };
    let Some(peer) = interop::require("libre", || TcpPeer::find()?.with_libre()) else { return };
    let Some(judge) = interop::require("tshark", Judge::find) else { return };
    let namespace = netns.namespace("tcp").expect("a namespace");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tcp-{}.pcapng", std::process::id()));
    namespace.enter(|| {
        let certificate = Certificate::ecdsa("captured");
        let capture = Capture::start(None, "lo", &file).expect("the capture starts");
        let gateway = Gateway::start("");
        let phone =
            End::phone().with_tls(&certificate, "client").doing(&["--chunk", "700", "--size", "2000"]);
        let core = End::core().listening(true).doing(&["--size", "2000", "--linger"]);
        let mut call = Connected::set_up(gateway.iq(), [&phone.side(), &core.side()]);
        let msrp = call.given[1].local.port();
        let secure = call.given[0].local.port();
        all_arrived(converse(&peer, &mut call, [&phone, &core]));
        call.take_down();
        let floor = |realm, role, listens| Floor { realm, role, listens, tls: None, is_checked: true };
        let (phone, core) = (floor("access", "client", None), floor("core", "server", Some(free_port())));
        take_the_floor(&peer, &gateway, &phone, &core);
        let server = core.listens.expect("it listens");
        gateway.stop();
        let file = capture.stop().expect("the capture ends");
        let (msrp, bfcp) = (format!("tcp.port=={msrp},msrp"), format!("tcp.port=={server},bfcp"));
        let tls = format!("tcp.port=={secure},tls");
        let decode = ["-d", &msrp, "-d", &bfcp, "-d", &tls];
        judge.approve(&file, &decode, &["msrp", "bfcp", "tls"]).expect("nothing is malformed");
        // Enough of it was read to say that: each message of both protocols, both ways.
        let count = |filter: &str| {
            let shown = judge.dissect(
                &file,
                &[&decode[..], &["-Y", filter, "-T", "fields", "-e", "frame.number"]].concat(),
            );
            shown.expect("tshark reads it").lines().filter(|line| line.parse::<u32>().is_ok()).count()
        };
        assert_eq!(count(&format!("bfcp && tcp.port == {server}")), 24);
        assert!(count("msrp.request.line || msrp.method == \"SEND\"") >= 5);
    });
}
