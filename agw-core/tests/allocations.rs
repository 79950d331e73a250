//! A worker takes and gives no memory: not for packets good or bad, and not for orders, whose memory comes from the controller and goes back to
//! it. Proven by an allocator that counts what happens during its turns.

use agw_core::command::Ticket;
use agw_core::command::order::{
    Answer, FlowId, FlowPlan, Latching, Numbered, Order, PortBinding, PortKey, Treatment,
};
use agw_core::flow::Flow;
use agw_core::flow::msrp::{MsrpStream, Rewrite};
use agw_core::io::stream::{ConnectionHandle, StreamEvent, StreamIo};
use agw_core::io::{Batch, Now, PacketIo, PortHandle, SendOutcome};
use agw_core::model::{Leg, Policing, SustainedRate, Watch, Way};
use agw_core::worker::stats::{Counter, DropReason, PacketKind};
use agw_core::worker::{Worker, WorkerSetup};
use agw_srtp::{CryptoAttribute, InboundSession, OutboundSession, Policy};
use rtrb::RingBuffer;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// How often memory was taken while `work` ran on this thread, and how much more often than it was given back.
fn counted(work: impl FnOnce()) -> (u64, i64) {
    let info = allocation_counter::measure(work);
    (info.count_total, info.count_current)
}

const NONE: (u64, i64) = (0, 0);

const KEY: &str = "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
const GCM_KEY: &str = "1 AEAD_AES_128_GCM inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw==";

/// Packets made beforehand, and a sink.
struct Conveyor {
    packets: std::vec::IntoIter<(PortKey, SocketAddr, Vec<u8>)>,
    gone: Vec<Vec<u8>>,
    now_us: u64,
}

impl PacketIo for Conveyor {
    fn reap(&mut self, batch: &mut Batch, _wait: Duration) -> io::Result<()> {
        self.now_us += 20_000;
        (batch.now, batch.filled) = (Now(self.now_us), 0);
        for slot in &mut batch.slots {
            let Some((port, from, bytes)) = self.packets.next() else { break };
            slot.bytes[..bytes.len()].copy_from_slice(&bytes);
            slot.fill(port, from, bytes.len(), false);
            slot.waited_us = Some(10);
            batch.filled += 1;
            // Freed when nobody counts.
            self.gone.push(bytes);
        }
        Ok(())
    }

    fn send(&mut self, batch: &mut Batch) {
        for slot in batch.packets() {
            if slot.to.is_some() {
                slot.outcome = SendOutcome::Sent;
            }
        }
    }

    fn now(&self) -> Now {
        Now(self.now_us)
    }

    fn forget(&mut self, _port: PortBinding) {}

    fn take_losses(&mut self, _per_address: &mut [u64]) {}
}

/// There are no connections.
impl StreamIo for Conveyor {
    fn poll_stream(&mut self) -> Option<StreamEvent> {
        None
    }

    fn listen(&mut self, _port: PortHandle) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn stop_listening(&mut self, _port: PortHandle) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn accept(&mut self, _port: PortHandle) -> io::Result<(ConnectionHandle, SocketAddr)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn connect(&mut self, _port: PortHandle, _to: SocketAddr) -> io::Result<ConnectionHandle> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn established(&mut self, _connection: ConnectionHandle) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn receive(&mut self, _connection: ConnectionHandle, _into: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn transmit(&mut self, _connection: ConnectionHandle, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn finish(&mut self, _connection: ConnectionHandle) {}

    fn release(&mut self, _connection: ConnectionHandle, _reset: bool) {}
}

fn attribute(line: &str) -> CryptoAttribute {
    CryptoAttribute::parse(line).unwrap()
}

const PEERS: [&str; 2] = ["192.0.2.1:4000", "192.0.2.2:5000"];
const PORTS: [PortKey; 2] = [PortKey { address: 0, port: 10_000 }, PortKey { address: 1, port: 20_000 }];

fn plan(side: usize, key: Option<&str>) -> FlowPlan {
    // So that all passes, and is charged for.
    let rate = SustainedRate { bytes_per_second: u32::MAX, burst_bytes: u32::MAX };
    let binding = PortBinding { key: PORTS[side], handle: PortHandle(side as u32) };
    let treatment = if key.is_some() { Treatment::Secure } else { Treatment::Plain };
    FlowPlan {
        peer: Some(FlowId(1 - side as u32)),
        ports: [Some(binding), None],
        remote: [Some(PEERS[side].parse().unwrap()), None],
        mux: true,
        policing: Some(Policing::new(Some(rate), None, None)),
        latching: Latching::Once,
        // Looking for silence takes no memory either.
        watch: {
            let mut watch = Watch::default();
            watch.set(Way::In, 3_600_000);
            watch
        },
        inbound: key.map(|k| Box::new(InboundSession::new(&attribute(k), &Policy::default()).unwrap())),
        outbound: key.map(|k| Box::new(OutboundSession::new(&attribute(k), &Policy::default()).unwrap())),
        ..FlowPlan::new(Leg::ALL[side], treatment)
    }
}

/// Packets of all kinds for `rounds` rounds, and how many of them are to come out.
fn traffic(key: &str, rounds: u16) -> (Vec<(PortKey, SocketAddr, Vec<u8>)>, u64) {
    let [phone, core]: [SocketAddr; 2] = PEERS.map(|peer| peer.parse().unwrap());
    let stranger = "203.0.113.9:9".parse().unwrap();
    let mut sender = OutboundSession::new(&attribute(key), &Policy::default()).unwrap();
    let (mut packets, mut good) = (Vec::new(), 0);
    for sequence in 0..rounds {
        let mut rtp = vec![0x80, 8];
        rtp.extend(sequence.to_be_bytes());
        rtp.extend([0, 0, 0, 1, 0, 0, 0, (sequence % 6) as u8]); // several sources
        rtp.extend([0xd5; 160]);
        let mut report = vec![0x80, 200, 0, 6, 0, 0, 0, 9];
        report.extend([7; 20]);
        let mut secured = rtp.clone();
        secured.resize(300, 0);
        let len = sender.protect_rtp(&mut secured, rtp.len(), 0).unwrap();
        secured.truncate(len);
        let mut secured_report = report.clone();
        secured_report.resize(100, 0);
        let len = sender.protect_rtcp(&mut secured_report, report.len(), 0).unwrap();
        secured_report.truncate(len);
        let mut corrupt = secured.clone();
        corrupt[20] ^= 1;
        good += 4;
        packets.extend([
            (PORTS[0], phone, corrupt),
            (PORTS[0], phone, secured.clone()),
            (PORTS[0], phone, secured), // replayed
            (PORTS[0], phone, secured_report),
            (PORTS[1], core, rtp.clone()),
            (PORTS[1], core, report),
            (PORTS[1], stranger, rtp),
            (PORTS[1], core, vec![0; 30]),
            (PortKey { address: 1, port: 30_000 }, core, vec![1]),
        ]);
    }
    (packets, good)
}

#[test]
fn turns_neither_take_nor_give_memory() {
    for key in [KEY, GCM_KEY] {
        let (packets, good) = traffic(key, 2000);
        let gone = Vec::with_capacity(packets.len());
        let io = Conveyor { packets: packets.into_iter(), gone, now_us: 0 };
        let (mut orders, order_end) = RingBuffer::new(16);
        let (answer_end, mut answers) = RingBuffer::new(16);
        let setup = WorkerSetup { flows: 16, legs: Leg::ALL.to_vec(), handshake_steps_per_turn: 1 };
        let mut worker = Worker::new(io, &setup, order_end, answer_end);
        let counters = worker.counters();
        let mut order = |n: u64, order| orders.push(Numbered { ticket: Ticket(n), order }).unwrap();

        // The first turn's packets find no flow yet.
        order(0, Order::Install(FlowId(0), Box::new(Flow::new(plan(0, Some(key))))));
        order(1, Order::Install(FlowId(1), Box::new(Flow::new(plan(1, None)))));
        assert_eq!(counted(|| worker.turn(Duration::ZERO).unwrap()), NONE, "installing");
        let mut replies = Vec::new();
        for turn in 0..400 {
            if turn == 200 {
                order(2, Order::Change(FlowId(1), Box::new(plan(1, None))));
                order(3, Order::Read(FlowId(0)));
            }
            assert_eq!(counted(|| worker.turn(Duration::ZERO).unwrap()), NONE, "turn {turn}");
            replies.extend(std::iter::from_fn(|| answers.pop().ok()));
        }
        order(4, Order::Remove(FlowId(0)));
        order(5, Order::Remove(FlowId(1)));
        assert_eq!(counted(|| worker.turn(Duration::ZERO).unwrap()), NONE, "removing");
        replies.extend(std::iter::from_fn(|| answers.pop().ok()));

        let count = |wanted: fn(&Answer) -> bool| replies.iter().filter(|answer| wanted(answer)).count();
        assert_eq!(count(|answer| matches!(answer, Answer::Done(..))), 3);
        assert_eq!(count(|answer| matches!(answer, Answer::Removed { .. })), 2);
        assert_eq!(count(|answer| matches!(answer, Answer::Notice(..))), 2, "both sides latched");
        // The test is worth something: nearly everything good came out, and every kind of bad packet was met.
        let sent: u64 = [
            (Leg::Access, PacketKind::Srtp),
            (Leg::Access, PacketKind::Srtcp),
            (Leg::Core, PacketKind::Rtp),
            (Leg::Core, PacketKind::Rtcp),
        ]
        .map(|(leg, kind)| counters.get(Counter::Sent(leg, kind)))
        .iter()
        .sum();
        assert!(sent > good - 40 && sent <= good, "{sent} of {good}");
        for (leg, reason) in [
            (Leg::Access, DropReason::Srtp(agw_srtp::Error::AuthFailed)),
            (Leg::Access, DropReason::Srtp(agw_srtp::Error::Replayed)),
            (Leg::Core, DropReason::Source),
            (Leg::Core, DropReason::NotRtp),
            (Leg::Core, DropReason::NoFlow),
        ] {
            assert!(counters.get(Counter::Dropped(leg, reason)) > 1900, "{reason:?}");
        }
        assert_eq!(counters.imbalance(), 0);
    }
}

#[test]
fn messages_of_msrp_take_and_give_no_memory() {
    let message = b"MSRP d93kswow SEND\r\nTo-Path: a\r\nFrom-Path: b\r\nMessage-ID: 1\r\nContent-Type: a/b\r\n\r\nhello\r\n-------d93kswow$\r\n";
    let paths = Rewrite {
        to_path: "msrps://ue.example.net:2855/a;tcp".into(),
        from_path: "msrps://192.0.2.1:1/b;tcp".into(),
    };
    let mut stream = MsrpStream::new(Some(paths));
    let mut output = [0; 512];
    let mut put_bytes = 0;
    let work = || {
        for _ in 0..1000 {
            let (taken, put) = stream.transform(message, &mut output).expect("MSRP");
            assert_eq!(taken, message.len());
            put_bytes += put;
        }
    };
    assert_eq!(counted(work), NONE);
    assert_eq!(stream.messages(), 1000);
    assert!(put_bytes > 1000 * message.len(), "longer paths went out");
}

#[test]
fn the_counter_does_count() {
    let kept = std::cell::RefCell::new(Vec::new());
    assert_eq!(counted(|| kept.borrow_mut().push(1_u8)), (1, 1));
    assert_eq!(counted(|| drop(kept.take())), (0, -1));
}
