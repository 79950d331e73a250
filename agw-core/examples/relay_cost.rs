//! What a packet costs a worker, SRTP to RTP over loopback, in processor time of the worker's thread (user and kernel).
//!
//! ```text
//! cargo run --release -p agw-core --example relay_cost -- [packets per second] [seconds] [tick in us] [calls] [companions: 0 or 1]
//! ```
//!
//! One thread sends to all calls in turn and drains what comes out; the worker has the other. Not a contest (that is `agw-loadtest`'s), but quick, for
//! comparing one way of the I/O with another.

use agw_core::command::Ticket;
use agw_core::command::order::{FlowId, FlowPlan, Numbered, Order, PortBinding, PortKey, Treatment};
use agw_core::flow::Flow;
use agw_core::io::epoll::{self, EpollSetup};
use agw_core::io::sys::{self, ReceiveRing};
use agw_core::io::{PortOpener, PortOptions};
use agw_core::model::Leg;
use agw_core::worker::stats::{Counter, DropReason, PacketKind, RESIDENCE_BOUNDS_US};
use agw_core::worker::{Worker, WorkerSetup};
use agw_srtp::{CryptoAttribute, InboundSession, OutboundSession, Policy};
use rtrb::RingBuffer;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const KEY: &str = "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
const FIRST_PORT: u16 = 20_000;

fn argument(place: usize, default: u64) -> u64 {
    std::env::args().nth(place).and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn plan(leg: Leg, treatment: Treatment, peer: u32, port: PortBinding, remote: SocketAddr) -> FlowPlan {
    FlowPlan {
        peer: Some(FlowId(peer)),
        ports: [Some(port), None],
        remote: [Some(remote), None],
        mux: true,
        ..FlowPlan::new(leg, treatment)
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (pps, seconds) = (argument(1, 50_000), argument(2, 5));
    let (tick_us, calls) = (argument(3, 200) as u32, argument(4, 500) as u16);
    sys::raise_descriptor_limit(65_536)?;
    let attribute = CryptoAttribute::parse(KEY)?;
    let policy = Policy::default();
    let sink = UdpSocket::bind("127.0.0.2:0")?;
    sink.set_nonblocking(true)?;
    socket2::SockRef::from(&sink).set_recv_buffer_size(8 << 20)?;
    let phone = UdpSocket::bind("127.0.0.3:0")?;

    let setup =
        EpollSetup { descriptors: 65_536, companions: argument(5, 1) > 0, tick_us, ..EpollSetup::new(1, 2) };
    let (mut ports, mut ios) = epoll::open(&setup)?;
    let (mut orders, order_end) = RingBuffer::new(4096);
    let (answer_end, mut answers) = RingBuffer::new(8192);
    let io = ios.pop().ok_or("no worker")?;
    let worker_setup =
        WorkerSetup { flows: 4096, legs: vec![Leg::Access, Leg::Core], handshake_steps_per_turn: 1 };
    let mut worker = Worker::new(io, &worker_setup, order_end, answer_end);
    let counters = worker.counters();
    for call in 0..calls {
        let mut port = |address: u16| {
            let port = FIRST_PORT + call * 2 + address;
            let key = PortKey { address, port };
            let handle =
                ports.open(0, key, SocketAddr::from(([127, 0, 0, 1], port)), PortOptions::default())?;
            Ok::<_, std::io::Error>(PortBinding { key, handle })
        };
        let (access, core) = (u32::from(call) * 2, u32::from(call) * 2 + 1);
        let mut secure = plan(Leg::Access, Treatment::Secure, core, port(0)?, phone.local_addr()?);
        secure.inbound = Some(Box::new(InboundSession::new(&attribute, &policy)?));
        let plain = plan(Leg::Core, Treatment::Plain, access, port(1)?, sink.local_addr()?);
        for (id, plan) in [(access, secure), (core, plain)] {
            let order = Order::Install(FlowId(id), Box::new(Flow::new(plan)));
            orders.push(Numbered { ticket: Ticket(u64::from(id)), order }).map_err(|_| "ring is full")?;
        }
    }

    let stop = Arc::new(AtomicBool::new(false));
    let cpu = Arc::new(AtomicU64::new(0));
    let thread = std::thread::spawn({
        let (stop, cpu) = (Arc::clone(&stop), Arc::clone(&cpu));
        move || {
            let _ = sys::pin_to_processor(1);
            while !stop.load(Ordering::Relaxed) {
                if worker.turn(Duration::from_millis(100)).is_err() {
                    return;
                }
                cpu.store(sys::thread_cpu_ns(), Ordering::Relaxed);
            }
        }
    });
    let _ = sys::pin_to_processor(0);
    ports.wake(0);
    std::thread::sleep(Duration::from_millis(300));
    while answers.pop().is_ok() {}

    let sent = |counter: &dyn Fn() -> u64| (counter(), cpu.load(Ordering::Relaxed), Instant::now());
    let relayed = || counters.get(Counter::Sent(Leg::Core, PacketKind::Rtp));
    let mut sender = Generator::new(&attribute, calls)?;
    let mut ring = ReceiveRing::new(64, 512);
    let (began, total) = (Instant::now(), pps * seconds);
    let (mut offered, mut drained, mut start) = (0, 0, sent(&relayed));
    while offered < total {
        let due = (began.elapsed().as_micros() as u64 * pps / 1_000_000).min(total);
        while offered < due {
            sender.send(&phone, offered)?;
            offered += 1;
            if offered % 64 == 0 {
                drained += ring.receive(&sink)?;
            }
        }
        drained += ring.receive(&sink)?;
        if offered % 1024 < 64 {
            ports.tend();
        }
        if offered < pps * 3 / 2 {
            start = sent(&relayed);
        }
        std::hint::spin_loop();
    }
    let end = sent(&relayed);
    std::thread::sleep(Duration::from_millis(50));
    loop {
        match ring.receive(&sink)? {
            0 => break,
            some => drained += some,
        }
    }
    let quiet = sent(&relayed);
    std::thread::sleep(Duration::from_secs(1));
    let idle_ns = cpu.load(Ordering::Relaxed) - quiet.1;
    stop.store(true, Ordering::Relaxed);
    ports.wake(0);
    thread.join().map_err(|_| "the worker died")?;

    let packets = end.0 - start.0;
    let wall = end.2 - start.2;
    println!(
        "{calls} calls, tick {tick_us} us: {:.0} packets/s, {} ns/packet, {:.1} % of a processor; lost {}, drained {drained} of {offered}; turns/s {:.0}; idle {} us/s",
        packets as f64 / wall.as_secs_f64(),
        (end.1 - start.1) / packets.max(1),
        (end.1 - start.1) as f64 / wall.as_nanos() as f64 * 100.0,
        counters.get(Counter::Dropped(Leg::Access, DropReason::ReceiveOverflow)),
        counters.get(Counter::Turns) as f64 / seconds as f64,
        idle_ns / 1000,
    );
    let residence: Vec<_> = RESIDENCE_BOUNDS_US
        .iter()
        .enumerate()
        .map(|(bucket, bound)| format!("{bound}:{}", counters.get(Counter::ResidenceBucket(bucket))))
        .collect();
    println!("residence by upper bound in us: {}", residence.join(" "));
    Ok(())
}

/// Sends the next packet of each call in turn. Protecting is done beforehand, as far as a ring of packets goes.
struct Generator {
    senders: Vec<OutboundSession>,
    buffer: [u8; 512],
}

impl Generator {
    fn new(attribute: &CryptoAttribute, calls: u16) -> Result<Self, agw_srtp::PolicyError> {
        let sender = |_| OutboundSession::new(attribute, &Policy::default());
        Ok(Self { senders: (0..calls).map(sender).collect::<Result<_, _>>()?, buffer: [0; 512] })
    }

    fn send(&mut self, phone: &UdpSocket, number: u64) -> Result<(), Box<dyn std::error::Error>> {
        let call = number as usize % self.senders.len();
        let sequence = (number / self.senders.len() as u64) as u16;
        self.buffer[..2].copy_from_slice(&[0x80, 8]);
        self.buffer[2..4].copy_from_slice(&sequence.to_be_bytes());
        self.buffer[4..8].copy_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
        self.buffer[8..12].copy_from_slice(&(call as u32).to_be_bytes());
        self.buffer[12..172].fill(0xd5);
        let len = self.senders[call].protect_rtp(&mut self.buffer, 172, 0)?;
        phone
            .send_to(&self.buffer[..len], SocketAddr::from(([127, 0, 0, 1], FIRST_PORT + call as u16 * 2)))?;
        Ok(())
    }
}
