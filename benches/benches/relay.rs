//! The relay end to end on real sockets: SRTP in at one port, RTP out of another, one worker's turn at a time, beside the least that any
//! socket relay can do (one receive and one send a packet, nothing looked at), which is the baseline of the ratios.
//!
//! A turn finds one packet waiting on each of the calls of a batch, as voice does. `cargo bench -p benches --bench relay` prints median
//! nanoseconds of the worker's own processor time per packet. A second table shows what is added when streams are policed or copy code
//! points: each beside the same relay without, in turns.

use agw_core::command::{Command, Event, Gateway, Reply};
use agw_core::controller::{Controller, ControllerConfig, rings};
use agw_core::io::epoll::{self, EpollIo, EpollPorts, EpollSetup};
use agw_core::io::sys;
use agw_core::model::{
    ContextAttributes, CryptoAttribute, Leg, Mode, PeakRate, Policing, PortRange, RealmName, Remote,
    Security, StreamId, StreamSpec, SustainedRate, Transport,
};
use agw_core::ports::{LocalAddress, RealmConfig};
use agw_core::worker::Worker;
use agw_srtp::{OutboundSession, Policy, Suite};
use benches::harness::median;
use benches::packet::Packet;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

const CALLS: usize = 64;
const PACKET_BYTES: usize = 172;
const ROUNDS: u64 = 600;
/// How often with and without take turns.
const PAIRS: usize = 9;
const AVP: Transport = Transport::Rtp { secure: false, feedback: false };
const SAVP: Transport = Transport::Rtp { secure: true, feedback: false };

fn socket() -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    socket.set_nonblocking(true).expect("a socket can be made not to block");
    socket
}

fn address(socket: &UdpSocket) -> SocketAddr {
    socket.local_addr().expect("it is bound")
}

fn drain(socket: &UdpSocket) -> usize {
    let mut buffer = [0; 2048];
    std::iter::from_fn(|| socket.recv(&mut buffer).ok()).count()
}

/// A gateway in this thread: the control half, and one worker on real sockets.
struct Engine {
    controller: Controller<EpollPorts>,
    worker: Worker<EpollIo>,
}

impl Engine {
    fn new() -> Self {
        let realm = |name, leg, first| RealmConfig {
            name: RealmName::new(name).expect("a good name"),
            leg,
            default: false,
            addresses: vec![LocalAddress { bind: Ipv4Addr::LOCALHOST.into(), advertise: None }],
            ports: PortRange::new(first, first + 511).expect("a range"),
            dscp: 0,
        };
        let config = ControllerConfig::new(vec![
            realm("access", Leg::Access, 40_000),
            realm("core", Leg::Core, 41_000),
        ]);
        // No rest between batches: the bench itself decides when a turn begins. No companions: nothing tends the ports here.
        let setup = EpollSetup::new(1, 2);
        let (ports, mut ios) = epoll::open(&setup).expect("descriptors are left");
        let (link, end) = rings(256);
        let controller = Controller::new(config, ports, vec![link]).expect("a good configuration");
        let io = ios.remove(0);
        let worker = Worker::new(io, &controller.worker_setup(0), end.orders, end.answers);
        Self { controller, worker }
    }

    fn turn(&mut self) {
        self.worker.turn(Duration::ZERO).expect("the backend works");
    }

    fn execute(&mut self, command: Command) -> Reply {
        let reply = self.controller.execute(command).expect("a good command");
        for _ in 0..4 {
            self.turn();
            while let Some(event) = self.controller.poll_event() {
                assert!(!matches!(event, Event::Notice(_)), "nothing is noticed while a call is set up");
            }
        }
        reply
    }

    /// A call between two addresses; gives the access port.
    fn call(&mut self, access: StreamSpec, core: StreamSpec) -> SocketAddr {
        let Reply::Context(context) = self.execute(Command::CreateContext(ContextAttributes::default()))
        else {
            panic!("a context is made");
        };
        let mut add = |spec| match self.execute(Command::Add { context, streams: vec![(StreamId(1), spec)] })
        {
            Reply::Termination(view, _) => view.streams[0].rtp,
            other => panic!("{other:?}"),
        };
        let port = add(access);
        add(core);
        port
    }
}

fn stream(realm: &str, transport: Transport, remote: SocketAddr) -> StreamSpec {
    StreamSpec {
        realm: RealmName::new(realm),
        mode: Mode::SendReceive,
        remote: Some(Remote { rtp: remote, rtcp: None }),
        ..StreamSpec::new(transport)
    }
}

fn attribute(suite: Suite) -> CryptoAttribute {
    let secret = vec![0x42; suite.master_key_len() + suite.master_salt_len()];
    let key =
        agw_srtp::MasterKey::new(suite, &secret[..suite.master_key_len()], &secret[suite.master_key_len()..])
            .expect("the lengths are the suite's");
    CryptoAttribute::new(1, suite, vec![key]).expect("one key")
}

/// What the streams are asked for on top.
#[derive(Clone, Copy, Default)]
struct Extra {
    policing: Option<Policing>,
    copy_dscp: bool,
}

/// Both rates of a policed stream, wide enough for all that the bench sends.
fn wide() -> Policing {
    let sustained = SustainedRate { bytes_per_second: u32::MAX, burst_bytes: u32::MAX };
    let peak = PeakRate { bytes_per_second: u32::MAX, tolerance_tenth_us: u32::MAX };
    Policing::new(Some(sustained), Some(peak), None)
}

/// Median nanoseconds per packet of a worker's turns; `None` as the suite: RTP to RTP.
fn engine(suite: Option<Suite>, extra: Extra) -> f64 {
    let (phone, far) = (socket(), socket());
    let mut engine = Engine::new();
    let transport = if suite.is_some() { SAVP } else { AVP };
    let keys = suite.map(attribute);
    let security = Security { local: keys.clone(), remote: keys.clone() };
    let ports: Vec<SocketAddr> = (0..CALLS)
        .map(|_| {
            let access = StreamSpec {
                security: security.clone(),
                policing: extra.policing,
                ..stream("access", transport, address(&phone))
            };
            let copy_dscp = extra.copy_dscp;
            engine.call(access, StreamSpec { copy_dscp, ..stream("core", AVP, address(&far)) })
        })
        .collect();
    let mut senders: Vec<Option<OutboundSession>> = ports
        .iter()
        .map(|_| keys.as_ref().map(|keys| OutboundSession::new(keys, &Policy::default()).expect("allowed")))
        .collect();
    let mut packet = Packet::new();
    let mut samples = Vec::new();
    for round in 0..ROUNDS {
        for (port, sender) in ports.iter().zip(&mut senders) {
            packet.write_rtp(round, PACKET_BYTES);
            if let Some(sender) = sender {
                packet.len =
                    sender.protect_rtp(&mut packet.bytes[..], PACKET_BYTES, 0).expect("a rising sequence");
            }
            phone.send_to(&packet.bytes[..packet.len], port).expect("loopback takes a packet");
        }
        let before = sys::thread_cpu_ns();
        engine.turn();
        let spent = sys::thread_cpu_ns() - before;
        let forwarded = drain(&far);
        assert_eq!(forwarded, CALLS, "every packet of the round comes out");
        samples.push(spent as f64 / CALLS as f64);
    }
    median(&mut samples)
}

/// The least a socket relay does: one receive and one send a packet.
fn bare() -> f64 {
    let (phone, far) = (socket(), socket());
    let inside: Vec<UdpSocket> = (0..CALLS).map(|_| socket()).collect();
    let outside: Vec<UdpSocket> = (0..CALLS).map(|_| socket()).collect();
    let to = address(&far);
    let mut buffer = [0; 2048];
    let mut packet = Packet::new();
    let mut samples = Vec::new();
    for round in 0..ROUNDS {
        for socket in &inside {
            packet.write_rtp(round, PACKET_BYTES);
            phone.send_to(&packet.bytes[..packet.len], address(socket)).expect("loopback takes a packet");
        }
        let before = sys::thread_cpu_ns();
        for (from, out) in inside.iter().zip(&outside) {
            let (len, _) = from.recv_from(&mut buffer).expect("a packet waits");
            out.send_to(&buffer[..len], to).expect("loopback takes a packet");
        }
        let spent = sys::thread_cpu_ns() - before;
        assert_eq!(drain(&far), CALLS);
        samples.push(spent as f64 / CALLS as f64);
    }
    median(&mut samples)
}

fn main() {
    let cases = [
        ("RTP to RTP", None),
        ("SRTP to RTP, AES_CM_128_HMAC_SHA1_80", Some(Suite::AesCm128HmacSha1_80)),
        ("SRTP to RTP, AEAD_AES_128_GCM", Some(Suite::AeadAes128Gcm)),
    ];
    println!(
        "{CALLS} calls, {PACKET_BYTES}-byte packets, one thread; median ns per packet of {ROUNDS} turns\n"
    );
    println!("{:<40} {:>8} {:>8} {:>12}", "", "agw", "bare", "agw : bare");
    for (name, suite) in cases {
        let (first, ours, second) = (bare(), engine(suite, Extra::default()), bare());
        let baseline = f64::midpoint(first, second);
        println!("{name:<40} {ours:>8.0} {baseline:>8.0} {:>12.2}", ours / baseline);
    }
    println!("\n{:<40} {:>8} {:>8} {:>12}", "", "with", "without", "with : without");
    let policed = Extra { policing: Some(wide()), ..Extra::default() };
    let copying = Extra { copy_dscp: true, ..Extra::default() };
    for (name, extra) in
        [("RTP to RTP, both rates policed", policed), ("RTP to RTP, code points copied", copying)]
    {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        for _ in 0..PAIRS {
            without.push(engine(None, Extra::default()));
            with.push(engine(None, extra));
        }
        let (with, without) = (median(&mut with), median(&mut without));
        println!("{name:<40} {with:>8.0} {without:>8.0} {:>12.3}", with / without);
    }
}
