//! The generator against a far end that treats packets badly on purpose: each thing it does must be counted exactly, and nothing else.
//!
//! The reflector stands where a gateway would: it has a port per call and side and passes packets from one to the other.

use loadtest::calls::Established;
use loadtest::endpoints::EndpointPlan;
use loadtest::generator::{Direction, Generator, Load, MediaEnds, Totals};
use loadtest::measure::Counts;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const CALLS: u32 = 4;
const LOCAL: [u8; 4] = [127, 0, 0, 1];

/// What is done with the `n`th packet of a call: bytes to send on, in order.
type Treatment = fn(n: u64, packet: Vec<u8>, kept: &mut Vec<Vec<u8>>) -> Vec<Vec<u8>>;

/// Where a packet is sent from: normally the port that was signalled.
#[derive(Clone, Copy, PartialEq)]
enum From {
    Signalled,
    Another,
}

fn port() -> UdpSocket {
    let socket = UdpSocket::bind(SocketAddr::from((LOCAL, 0))).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    socket
}

fn pass(from: &UdpSocket, through: &UdpSocket, to: SocketAddr, treatment: Treatment, over: &AtomicBool) {
    let (mut buffer, mut n, mut kept) = ([0; 2000], 0, Vec::new());
    while !over.load(Ordering::Relaxed) {
        let Ok(length) = from.recv(&mut buffer) else { continue };
        for packet in treatment(n, buffer[..length].to_vec(), &mut kept) {
            through.send_to(&packet, to).unwrap();
        }
        n += 1;
    }
}

fn run(direction: Direction, source: From, treatment: Treatment) -> Totals {
    let plan = EndpointPlan { threads: 2, sockets_per_side: 1, access: LOCAL.into(), core: LOCAL.into() };
    let ends = MediaEnds::open(&plan, CALLS).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let mut established = Vec::new();
    let mut threads = Vec::new();
    for call in 0..CALLS {
        let (access_end, core_end) = ends.addresses(call).unwrap();
        let (access, core) = (port(), port());
        let up = Established {
            call,
            access: access.local_addr().unwrap(),
            core: core.local_addr().unwrap(),
            keys: None,
            told: Default::default(),
        };
        established.push(up);
        for (from, through, to) in [(&access, &core, core_end), (&core, &access, access_end)] {
            let (from, mut through) = (from.try_clone().unwrap(), through.try_clone().unwrap());
            if source == From::Another {
                through = port();
            }
            let over = Arc::clone(&over);
            threads.push(std::thread::spawn(move || pass(&from, &through, to, treatment, &over)));
        }
    }
    let generator = Generator::new(ends, direction, &established).unwrap();
    let load = Load {
        pps: 4000,
        payload_bytes: 160,
        duration: Duration::from_millis(500),
        drain: Duration::from_millis(300),
        tick: Duration::from_micros(500),
    };
    let (_, mut totals) = generator.start(&load).unwrap().finish().unwrap();
    over.store(true, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!((totals.socket_drops, totals.counts.send_failed), (0, 0));
    // On a machine that is too busy the generator gives packets up, and says so; whatever was sent is judged all the same.
    assert_eq!(totals.counts.sent + std::mem::take(&mut totals.counts.skipped), 2000);
    totals
}

/// Every `of`th of a call's packets; all calls and ways have had the same number of packets but for one.
fn within_a_call(counts: &Counts, of: u64, found: u64, flows: u64) -> bool {
    (found as i64 - (counts.sent / of) as i64).unsigned_abs() <= flows
}

#[test]
fn a_faithful_far_end_is_reported_as_faithful() {
    let totals = run(Direction::Relay, From::Signalled, |_, packet, _| vec![packet]);
    let Counts { sent, received, .. } = totals.counts;
    assert_eq!(totals.counts, Counts { sent, received: sent, ..Counts::default() });
    assert_eq!(sent, received);
    assert_eq!(totals.latency.count(), sent);
    let p50 = totals.latency.quantile_us(0.5);
    assert!(p50 > 1.0 && p50 < 100_000.0, "{p50}");
    assert!(totals.cpu_ratio > 0.0);
}

#[test]
fn lost_packets_are_lost_and_nothing_else() {
    let totals = run(
        Direction::Relay,
        From::Signalled,
        |n, packet, _| {
            if n % 10 == 9 { Vec::new() } else { vec![packet] }
        },
    );
    let counts = totals.counts;
    assert_eq!(counts, Counts { sent: counts.sent, received: counts.received, ..Counts::default() });
    assert!(within_a_call(&counts, 10, counts.lost(), 8), "{counts:?}");
}

#[test]
fn repeated_packets_are_duplicates_and_nothing_is_lost() {
    let totals = run(Direction::Relay, From::Signalled, |n, packet, _| {
        if n % 5 == 4 { vec![packet.clone(), packet] } else { vec![packet] }
    });
    let counts = totals.counts;
    assert_eq!(counts.lost(), 0);
    assert_eq!((counts.corrupt, counts.reordered, counts.misdirected), (0, 0, 0));
    assert!(within_a_call(&counts, 5, counts.duplicated, 8), "{counts:?}");
}

#[test]
fn swapped_packets_are_reordered_and_nothing_is_lost_but_the_last() {
    let totals = run(Direction::Relay, From::Signalled, |n, packet, kept| match n % 4 {
        1 => {
            kept.push(packet);
            Vec::new()
        }
        2 => vec![packet, kept.pop().unwrap()],
        _ => vec![packet],
    });
    let counts = totals.counts;
    assert!(counts.lost() <= 8, "{counts:?}");
    assert_eq!((counts.corrupt, counts.duplicated, counts.stale), (0, 0, 0));
    assert!(within_a_call(&counts, 4, counts.reordered, 8), "{counts:?}");
}

#[test]
fn one_flipped_bit_is_corruption_and_the_packet_counts_as_lost() {
    let totals = run(Direction::Relay, From::Signalled, |n, mut packet, _| {
        if n % 8 == 7 {
            let bit = n as usize * 31 % (packet.len() * 8);
            packet[bit / 8] ^= 1 << (bit % 8);
        }
        vec![packet]
    });
    let counts = totals.counts;
    assert_eq!(counts.corrupt, counts.lost());
    assert_eq!((counts.duplicated, counts.reordered, counts.misdirected), (0, 0, 0));
    assert!(within_a_call(&counts, 8, counts.corrupt, 8), "{counts:?}");
}

#[test]
fn packets_from_another_port_than_the_signalled_one_do_not_count_as_received() {
    let totals = run(Direction::Relay, From::Another, |_, packet, _| vec![packet]);
    let counts = totals.counts;
    assert_eq!(counts, Counts { sent: counts.sent, misdirected: counts.sent, ..Counts::default() });
}
