//! A flood of half-open connections: SYNs from hosts that do not exist and never answer (RFC 4987). They wait in the kernel, whose cookies leave room for the
//! peer; the gateway hears nothing of them.

use crate::common::Gateway;
use crate::ground::{Beside, Line, connected, crosses, phone};
use interop::netns::Netns;
use interop::process::run;
use loadtest::msrp::tls::Identity;
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

/// More than may wait at a port.
const SYNS: u16 = 5000;
/// With this protocol the whole packet is ours, but for the checksum of its head (raw(7)).
const IPPROTO_RAW: i32 = 255;
/// Whatever says that a host of the flood does not know of a connection is thrown away.
const SILENCE: &str = "add table ip flood; \
    add chain ip flood out { type filter hook output priority 0; }; \
    add rule ip flood out ip saddr 127.77.0.0/16 tcp flags & rst == rst drop;";

#[test]
fn half_open_connections_do_not_shut_the_peer_out() {
    let Some(netns) = interop::require("network namespaces", Netns::find) else { return };
    let namespace = netns.namespace("half-open").unwrap();
    run(&mut namespace.command("nft", &[SILENCE]), Duration::from_secs(20)).unwrap().expect_success("nft");
    namespace.enter(|| {
        let gateway = Gateway::start(&[]);
        let beside = Beside::start(&gateway);
        let identity = Identity::generate().unwrap();
        let line = Line::tls(&mut gateway.controller(), &identity.fingerprint);
        flood(line.access);
        let waiting = half_open();
        assert!(waiting > 100, "only {waiting} connections are half open");
        assert_eq!(gateway.metric("agw_connections_open", &["proven=\"no\""]), 0.0);
        crosses(phone(&identity, line.access), connected(line.core), b"among all these");
        flood(line.core);
        beside.was_not_disturbed();
    });
}

fn flood(to: SocketAddr) {
    let SocketAddr::V4(to) = to else { panic!("{to}") };
    let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(IPPROTO_RAW))).unwrap();
    for number in 0..SYNS {
        let [high, low] = number.to_be_bytes();
        let from = SocketAddrV4::new(Ipv4Addr::new(127, 77, high, low), 1024 + number);
        raw.send_to(&syn(from, to), &to.into()).unwrap();
    }
}

/// A SYN in its packet (RFC 791 section 3.1, RFC 9293 section 3.1).
fn syn(from: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    let ends = [from.ip().octets(), to.ip().octets()].concat();
    let mut tcp = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
    // Sequence number, none to acknowledge; a head of five words, SYN; window, checksum, no urgent data.
    tcp.extend([0, 0, 0, 1, 0, 0, 0, 0, 5 << 4, 2, 0x40, 0, 0, 0, 0, 0]);
    let pseudo = [&ends[..], &[0, 6, 0, 20], &tcp].concat();
    tcp[16..18].copy_from_slice(&checksum(&pseudo).to_be_bytes());
    let head = [0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0];
    [&head[..], &ends, &tcp].concat()
}

/// Of an even number of octets (RFC 1071).
fn checksum(octets: &[u8]) -> u16 {
    let sum: u32 = octets.chunks(2).map(|two| u32::from(two[0]) << 8 | u32::from(two[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

/// How many connections of this thread's namespace wait for the end of their handshake (proc(5): state 3).
fn half_open() -> usize {
    let table = std::fs::read_to_string("/proc/thread-self/net/tcp").unwrap();
    table.lines().filter(|line| line.split_whitespace().nth(3) == Some("03")).count()
}
