//! A path narrower than the packets (RLY-6): what the phone sends comes in fragments and is put together, and what leaves is
//! fragmented, both ways, with the tag that SRTP adds and with the 20 octets by which IPv6's header is longer than IPv4's.

use agw_srtp::{CryptoAttribute, InboundSession, OutboundSession, Policy};
use interop::call::{Call, Side};
use interop::gateway::Gateway;
use interop::netns::Netns;
use interop::ports;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

const SUITE: &str = "AES_CM_128_HMAC_SHA1_80";
const PHONE_KEY: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw";
const GATEWAY_KEY: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk";
/// What every IPv4 path carries (RFC 791 section 3.1).
const MTU: &str = "576";
const PACKET_BYTES: usize = 1412;
/// What every IPv6 path carries (RFC 8200 section 5).
const MTU_V6: &str = "1280";
/// Fits that with IPv4's headers and a tag, and not with IPv6's headers.
const GROWING_BYTES: usize = 1240;
const PACKETS: u16 = 20;

fn end(at: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind(at).expect("the port was free");
    socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a time limit is accepted");
    socket
}

fn key(secret: &str) -> CryptoAttribute {
    CryptoAttribute::parse(&format!("1 {SUITE} inline:{secret}")).expect("a good attribute")
}

fn packet(number: u16, bytes: usize) -> Vec<u8> {
    let mut packet = vec![0x80, 96];
    packet.extend(number.to_be_bytes());
    packet.extend([0, 0, 0, 1, 0x11, 0x22, 0x33, 0x44]);
    packet.extend((packet.len()..bytes).map(|at| (at as u8) ^ (number as u8)));
    packet
}

fn exchange(phone: &UdpSocket, core: &UdpSocket, local: &[SocketAddr], bytes: usize) {
    let mut sender = OutboundSession::new(&key(PHONE_KEY), &Policy::default()).expect("allowed");
    let mut receiver = InboundSession::new(&key(GATEWAY_KEY), &Policy::default()).expect("allowed");
    let mut slot = vec![0; 4096];
    for number in 0..PACKETS {
        let plain = packet(number, bytes);
        slot[..bytes].copy_from_slice(&plain);
        let len = sender.protect_rtp(&mut slot, bytes, 0).expect("a rising sequence number");
        phone.send_to(&slot[..len], local[0]).expect("the kernel fragments");
        let len = core.recv(&mut slot).expect("it arrives at the core side");
        assert_eq!(slot[..len], plain, "packet {number} to the core");
        core.send_to(&plain, local[1]).expect("the kernel fragments");
        let len = phone.recv(&mut slot).expect("it arrives at the phone");
        let len = receiver.unprotect_rtp(&mut slot, len, 0).expect("it verifies");
        assert_eq!(slot[..len], plain, "packet {number} to the phone");
    }
}

#[test]
fn packets_wider_than_the_path_arrive_whole_both_ways() {
    let Some(netns) = interop::require("network namespaces", Netns::find) else { return };
    let namespace = netns.namespace("mtu").expect("a namespace");
    namespace.ip(&["link", "set", "lo", "mtu", MTU]).expect("loopback takes another MTU");
    namespace.enter(|| {
        let gateway = Gateway::start("");
        let (phone_port, core_port) = (ports::free_udp_pair(), ports::free_udp_pair());
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (phone, core) = (end(at(phone_port)), end(at(core_port)));
        let access = Side::srtp(SUITE, GATEWAY_KEY, PHONE_KEY, at(phone_port));
        let call = Call::set_up(gateway.iq(), [&access, &Side::rtp(at(core_port))]);
        exchange(&phone, &core, &call.local, PACKET_BYTES);
        call.take_down();
        gateway.stop();
    });
}

#[test]
fn packets_that_outgrow_the_path_by_becoming_ipv6_arrive_whole() {
    let Some(netns) = interop::require("network namespaces", Netns::find) else { return };
    let namespace = netns.namespace("mtu6").expect("a namespace");
    namespace.ip(&["link", "set", "lo", "mtu", MTU_V6]).expect("loopback takes another MTU");
    namespace.enter(|| {
        let six = "[realm.six]\nside = \"core\"\naddresses = [\"::1\"]\nports = \"20000-29999\"\n";
        let gateway = Gateway::start(six);
        let phone_at = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free_udp_pair()));
        let core_at = SocketAddr::from((Ipv6Addr::LOCALHOST, ports::free_udp_pair()));
        let (phone, core) = (end(phone_at), end(core_at));
        let access = Side::srtp(SUITE, GATEWAY_KEY, PHONE_KEY, phone_at);
        let call = Call::set_up(gateway.iq(), [&access, &Side { realm: "six", ..Side::rtp(core_at) }]);
        exchange(&phone, &core, &call.local, GROWING_BYTES);
        call.take_down();
        gateway.stop();
    });
}
