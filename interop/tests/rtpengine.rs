//! rtpengine as a second opinion on agw-srtp, for the suites that C libsrtp lacks (F8) or that few implement (AES-192 and AES-256 in
//! counter mode), and for the rest too. It runs in user space between a phone, which is agw-srtp here, and a plain RTP
//! end: what we protect it must open to the same bytes, and what it protects we must open, over a wrap of the sequence number.

use agw_srtp::{InboundSession, OutboundSession, Policy, Suite};
use interop::peers::Tool;
use interop::ports;
use interop::process::Peer;
use loadtest::calls::{CallKeys, CallPlan, Established};
use loadtest::control::{Dialer, GatewayAddress, Protocol};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
const PACKETS: u16 = 120;
/// The sequence number wraps, and the rollover counter moves, in the middle of each stream.
const FIRST_SEQUENCE: u16 = 0u16.wrapping_sub(PACKETS / 2);
const ROOM_BYTES: usize = 2048;

fn packet(number: u16, ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 8];
    packet.extend(FIRST_SEQUENCE.wrapping_add(number).to_be_bytes());
    packet.extend((u32::from(number) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend((0..160u16).map(|at| (at ^ number) as u8));
    packet
}

fn end(port: u16) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).expect("the port was free");
    socket.set_read_timeout(Some(Duration::from_secs(2))).expect("a time limit is accepted");
    socket
}

fn receive(socket: &UdpSocket) -> (Vec<u8>, usize) {
    let mut slot = vec![0; ROOM_BYTES];
    let len = socket.recv(&mut slot).expect("rtpengine forwards the packet");
    (slot, len)
}

/// What the phone sends arrives in the clear, and what the core end sends arrives protected with rtpengine's own key.
fn exchange(suite: Suite, phone: &UdpSocket, core: &UdpSocket, call: &Established) {
    let keys = call.keys.as_ref().expect("the access side is secured");
    let (ours, theirs) = (&keys.to_gateway, &keys.from_gateway);
    assert_eq!(theirs.suite(), suite);
    let mut sender = OutboundSession::new(ours, &Policy::default()).expect("the policy allows it");
    let mut receiver = InboundSession::new(theirs, &Policy::default()).expect("the policy allows it");
    for number in 0..PACKETS {
        let plain = packet(number, 0x1111_2222);
        let mut slot = vec![0; ROOM_BYTES];
        slot[..plain.len()].copy_from_slice(&plain);
        let len = sender.protect_rtp(&mut slot, plain.len(), 0).expect("a rising sequence number");
        phone.send_to(&slot[..len], call.access).expect("loopback takes a packet");
        let (opened, len) = receive(core);
        assert_eq!(opened[..len], plain, "{suite:?}: rtpengine opens packet {number} of ours");

        let plain = packet(number, 0x3333_4444);
        core.send_to(&plain, call.core).expect("loopback takes a packet");
        let (mut slot, len) = receive(phone);
        let len = receiver.unprotect_rtp(&mut slot, len, 0).expect("what rtpengine protects verifies");
        assert_eq!(slot[..len], plain, "{suite:?}: we open packet {number} of rtpengine's");
    }
}

fn start(rtpengine: &Tool, control: u16) -> Peer {
    let mut command = rtpengine.command();
    // Its own configuration file names ports that another one may hold.
    command.args([
        "--config-file=none",
        "--table=-1",
        "--interface=127.0.0.1",
        "--foreground",
        "--log-stderr",
    ]);
    command.args(["--num-threads=1", "--port-min=45000", "--port-max=46000"]);
    command.args([
        format!("--listen-ng=127.0.0.1:{control}"),
        format!("--listen-cli=127.0.0.1:{}", ports::free_port()),
    ]);
    Peer::start(&mut command, LIMIT).expect("rtpengine starts")
}

#[test]
fn rtpengine_and_agw_srtp_understand_each_other_in_every_suite() {
    let Some(rtpengine) = interop::require("rtpengine", Tool::rtpengine) else { return };
    let control = ports::free_port();
    let mut running = start(&rtpengine, control);
    running.wait_for("Startup complete").expect("rtpengine comes up");
    let gateway = SocketAddr::from((Ipv4Addr::LOCALHOST, control));
    let mut dialer =
        Dialer::connect(&GatewayAddress { protocol: Protocol::Ng, address: gateway }).expect("a socket");
    for (number, suite) in (0..).zip(Suite::ALL) {
        let (phone_port, core_port) = (ports::free_udp_pair(), ports::free_udp_pair());
        let (phone, core) = (end(phone_port), end(core_port));
        let keys = CallKeys::random(suite).expect("the system has randomness");
        let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let plan = CallPlan { call: number, access: at(phone_port), core: at(core_port), keys: Some(keys) };
        let calls = dialer.set_up_all(&[plan], 1).expect("rtpengine sets the call up");
        exchange(suite, &phone, &core, &calls[0]);
    }
}
