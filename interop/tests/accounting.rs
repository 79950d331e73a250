//! The gateway's sums against counters that are not its own: nftables in a network namespace sees every datagram into and out of
//! its ports. Good media, RTCP, corrupted, replayed and strangers' packets, junk and a closed gate all have to add up.
//! The same call, captured, is shown to Wireshark's dissectors.

use interop::call::{Call, Side};
use interop::counters::{Counters, Hook, Rule};
use interop::gateway::Gateway;
use interop::netns::{Namespace, Netns};
use interop::pcap::{Capture, Judge};
use interop::peers::{SrtpPeer, number};
use interop::ports;
use interop::process::run;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";
const PHONE_KEY: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw";
const GATEWAY_KEY: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk";
/// The default realms' ports: 10000-19999 and 20000-29999.
const REALM_PORTS: &str = "10000-29999";

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// A stranger sends junk of every length, things that look like RTP, and STUN and DTLS first bytes.
fn stranger(targets: &[SocketAddr]) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    for target in targets {
        for length in [0, 1, 11, 12, 20, 172, 1400, 1990] {
            for first in [0x80, 0x00, 0x16, 0xff] {
                let mut packet = vec![0x55; length];
                packet.iter_mut().take(1).for_each(|byte| *byte = first);
                socket.send_to(&packet, target).expect("loopback takes a packet");
            }
        }
    }
}

/// A call with libsrtp as the phone and, at the core side, a socket of the test that sends every packet back.
fn call_with_libsrtp(gateway: &Gateway, srtp: &SrtpPeer, options: &[&str], strangers: bool) -> (String, u16) {
    let (phone, core) = (ports::free_udp_pair(), ports::free_udp_pair());
    let sockets = [core, core + 1].map(|port| UdpSocket::bind(loopback(port)).expect("the port was free"));
    let access = Side::srtp(SUITE, GATEWAY_KEY, PHONE_KEY, loopback(phone));
    let mut call = Call::set_up(gateway.iq(), [&access, &Side::rtp(loopback(core))]);
    let neighbours = call
        .local
        .iter()
        .flat_map(|rtp| [*rtp, SocketAddr::new(rtp.ip(), rtp.port() + 1)])
        .collect::<Vec<_>>();
    if strangers {
        stranger(&neighbours);
    }
    let mut command = srtp.command(&[
        "--local",
        &phone.to_string(),
        "--remote",
        &call.local[0].to_string(),
        "--suite",
        SUITE,
    ]);
    command
        .args(["--tx", PHONE_KEY, "--rx", GATEWAY_KEY, "--ival", "5", "--secs", "2", "--rtcp"])
        .args(options);
    let report = std::thread::scope(|scope| {
        let echoes = sockets.each_ref().map(|socket| scope.spawn(move || echo(socket)));
        let report = run(&mut command, LIMIT).expect("the peer starts").expect_success("libsrtp");
        if strangers {
            stranger(&neighbours);
        }
        for echo in echoes {
            echo.join().expect("the echo does not panic");
        }
        report
    });
    if strangers {
        let closed = format!(
            "Context = {} {{ Modify = {} {{ Media {{ Stream = 1 {{ LocalControl {{ Mode = Inactive }} }} }} }} }}",
            call.context, call.terminations[0]
        );
        assert!(!call.ask(&closed).contains("Error"));
        stranger(&neighbours);
    }
    let core_side = call.local[1].port();
    call.take_down();
    (report, core_side)
}

/// Sends back whatever comes, until nothing has come for a second.
fn echo(socket: &UdpSocket) {
    socket.set_read_timeout(Some(Duration::from_secs(3))).expect("a time limit is accepted");
    let mut buffer = [0; 2048];
    while let Ok((len, from)) = socket.recv_from(&mut buffer) {
        socket.send_to(&buffer[..len], from).expect("loopback takes a packet");
    }
}

fn check_sums(gateway: &Gateway, counters: &Counters<'_>) {
    let counts = counters.read().expect("nft lists its counters");
    let (into, out) = (counts["into"].packets as f64, counts["out"].packets as f64);
    gateway.wait_for_metric("agw_packets_received_total", &[], into);
    gateway.wait_for_metric("agw_packets_sent_total", &[], out);
    let sum = |name| gateway.metric(name, &[]);
    let (received, sent) = (sum("agw_packets_received_total"), sum("agw_packets_sent_total"));
    let (consumed, originated) = (sum("agw_packets_consumed_total"), sum("agw_packets_originated_total"));
    let dropped = sum("agw_packets_dropped_total");
    assert_eq!((received, sent), (into, out), "the gateway's sums are the kernel's");
    assert_eq!(received, sent - originated + consumed + dropped, "received = forwarded + consumed + dropped");
    assert!(dropped > 100.0, "the strangers were counted: {dropped}");
}

fn rules() -> [Rule<'static>; 2] {
    let into = Rule { name: "into", hook: Hook::Input, matching: "udp dport 10000-29999" };
    let out = Rule { name: "out", hook: Hook::Output, matching: "udp sport 10000-29999" };
    assert!([into.matching, out.matching].iter().all(|words| words.ends_with(REALM_PORTS)));
    [into, out]
}

fn inside(namespace: &Namespace, srtp: &SrtpPeer) {
    let counters = Counters::install(namespace, &rules()).expect("nft takes the rules");
    namespace.enter(|| {
        let gateway = Gateway::start("");
        let (report, _) =
            call_with_libsrtp(&gateway, srtp, &["--n", "200", "--corrupt", "10", "--replay", "7"], true);
        assert_eq!(number(&report, "payload_ok"), Some(180), "strangers change nothing: {report}");
        assert_eq!(number(&report, "payload_bad"), Some(0), "{report}");
        check_sums(&gateway, &counters);
        gateway.stop();
    });
}

#[test]
fn every_packet_is_accounted_for_by_the_kernels_own_counters() {
    let Some(netns) = interop::require("network namespaces", Netns::find) else { return };
    let Some(srtp) = interop::require("pylibsrtp", SrtpPeer::find) else { return };
    inside(&netns.namespace("sums").expect("a namespace"), &srtp);
}

#[test]
fn wireshark_finds_nothing_malformed_in_a_whole_call() {
    let Some(netns) = interop::require("network namespaces", Netns::find) else { return };
    let Some(srtp) = interop::require("pylibsrtp", SrtpPeer::find) else { return };
    let Some(judge) = interop::require("tshark", Judge::find) else { return };
    let namespace = netns.namespace("capture").expect("a namespace");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("call-{}.pcapng", std::process::id()));
    namespace.enter(|| {
        let capture = Capture::start(None, "lo", &file).expect("the capture starts");
        let gateway = Gateway::start("");
        let (report, core_side) = call_with_libsrtp(&gateway, &srtp, &["--n", "100"], false);
        assert_eq!(number(&report, "payload_ok"), Some(100), "{report}");
        let iq = format!("udp.port=={},megaco", gateway.iq().port());
        gateway.stop();
        let file = capture.stop().expect("the capture ends");
        let (rtp, rtcp) = (format!("udp.port=={core_side},rtp"), format!("udp.port=={},rtcp", core_side + 1));
        let decode = ["-d", &iq, "-d", &rtp, "-d", &rtcp];
        judge.approve(&file, &decode, &["megaco", "rtp", "rtcp"]).expect("nothing is malformed");
    });
}
