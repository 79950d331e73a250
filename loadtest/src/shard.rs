//! One generator thread's work: at every tick send what is due, then take in what has come.
//!
//! Sender and receiver share a thread on purpose. The receiver never waits in the kernel for a packet, so the gateway pays for no wake-up of
//! ours when it sends, and its cost per packet is its own; and the two never compete for one core. When packets arrived is known
//! from the kernel's time stamps, not from when the thread got round to them.

use crate::endpoints::Endpoints;
use crate::flow::{Filling, Flow, Judgement, MAX_PACKET_BYTES};
use crate::measure::{Counts, Times};
use crate::pace::{Pace, Rate};
use crate::process::sharpen_sleep;
use crate::rtp;
use crate::tally::Arrival;
use agw_core::io::sys;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Packets of one send call. Small, because all carry the time at which the batch was begun.
const SEND_SLOTS: usize = 16;
/// Packets of one receive call.
const RECEIVE_SLOTS: usize = 64;
/// Receive calls on one socket in one tick: a flood at one must not starve the rest.
const RECEIVE_ROUNDS: usize = 64;
/// How often a thread tells the others what it has counted.
const PUBLISH_NS: u64 = 50_000_000;

/// SSRCs of a run: this, plus twice the call's number, plus one for packets towards the access side.
pub(crate) const SSRC_BASE: u32 = 0x4100_0000;

/// What a thread has counted, for others to read.
#[derive(Debug, Default)]
pub(crate) struct Published {
    pub(crate) counts: Counts,
    pub(crate) latency: Times,
    /// Of the latencies, those since a reader last took them.
    pub(crate) recent_latency: Times,
    pub(crate) lateness: Times,
    pub(crate) recent_lateness: Times,
    pub(crate) socket_drops: u64,
    pub(crate) cpu_ns: u64,
    pub(crate) sending_over: bool,
}

/// What one run of one thread is to do.
pub(crate) struct Task {
    pub(crate) rate: Rate,
    pub(crate) payload_bytes: usize,
    pub(crate) duration_ns: u64,
    pub(crate) drain_ns: u64,
    pub(crate) tick_ns: u64,
    /// Monotonic time at which all threads begin.
    pub(crate) begin_ns: u64,
    pub(crate) stop: Arc<AtomicBool>,
    pub(crate) published: Arc<Mutex<Published>>,
}

/// The calls and sockets of one thread. They outlive a run, so that the next one goes on with the same calls.
pub(crate) struct Shard {
    endpoints: Endpoints,
    flows: Vec<Flow>,
    /// The flow of an SSRC, by its distance from the first SSRC of this thread.
    by_ssrc: Vec<Option<u32>>,
    first_ssrc: u32,
    /// Whose turn it is to send.
    turn: usize,
    filling: Filling,
    receive: sys::ReceiveRing,
    send: sys::SendBatch,
}

impl Shard {
    /// `flows` carry SSRCs from `first_ssrc` on.
    pub(crate) fn new(endpoints: Endpoints, flows: Vec<(u32, Flow)>, first_ssrc: u32) -> Self {
        let reach = flows.iter().map(|(ssrc, _)| ssrc - first_ssrc + 1).max().unwrap_or(0);
        let mut by_ssrc = vec![None; reach as usize];
        for (index, (ssrc, _)) in flows.iter().enumerate() {
            by_ssrc[(ssrc - first_ssrc) as usize] = u32::try_from(index).ok();
        }
        let flows = flows.into_iter().map(|(_, flow)| flow).collect();
        Self {
            endpoints,
            flows,
            by_ssrc,
            first_ssrc,
            turn: 0,
            filling: Filling::new(),
            receive: sys::ReceiveRing::new(RECEIVE_SLOTS, MAX_PACKET_BYTES),
            send: sys::SendBatch::new(SEND_SLOTS, MAX_PACKET_BYTES),
        }
    }

    pub(crate) fn flow_count(&self) -> usize {
        self.flows.len()
    }

    /// Does a whole run; everything that is counted is published.
    pub(crate) fn run(&mut self, task: &Task) {
        sharpen_sleep();
        self.flows.iter_mut().for_each(Flow::begin_run);
        for endpoint in &mut self.endpoints.all {
            endpoint.take_drops();
        }
        let mut run = Run {
            pace: Pace::new(task.rate),
            counts: Counts::default(),
            latency: Times::new(),
            lateness: Times::new(),
            published_ns: 0,
            first_cpu_ns: sys::thread_cpu_ns(),
            sending_over: false,
        };
        let mut tick_ns = task.begin_ns;
        let mut end_ns = task.begin_ns.saturating_add(task.duration_ns);
        loop {
            sleep_until(tick_ns);
            let now_ns = sys::monotonic_ns();
            if !run.sending_over {
                // The last tick may come after the end: what was due before it is still sent.
                self.send_due(&mut run, task);
                run.sending_over = now_ns >= end_ns || task.stop.load(Ordering::Relaxed);
                end_ns = if run.sending_over { now_ns } else { end_ns };
            }
            self.receive_all(&mut run);
            let over = run.sending_over && now_ns >= end_ns.saturating_add(task.drain_ns);
            if over || now_ns >= run.published_ns + PUBLISH_NS {
                run.published_ns = now_ns;
                self.publish(&mut run, &task.published);
            }
            if over {
                return;
            }
            // A tick that is missed is not made up for: what was due in it is sent in the next.
            tick_ns = (tick_ns + task.tick_ns).max(sys::monotonic_ns());
        }
    }

    fn send_due(&mut self, run: &mut Run, task: &Task) {
        let elapsed_ns = sys::monotonic_ns().saturating_sub(task.begin_ns);
        let due = run.pace.due(elapsed_ns.min(task.duration_ns.saturating_sub(1)));
        run.counts.skipped += due.skip;
        let mut left = due.send;
        while left > 0 && !self.flows.is_empty() {
            let now_ns = sys::monotonic_ns();
            let sender = self.fill_batch(left, now_ns, task.payload_bytes);
            let packets = self.send.len() as u64;
            let Some(endpoint) = self.endpoints.all.get(sender).filter(|_| packets > 0) else { return };
            let late_ns = run.pace.sent(packets, now_ns.saturating_sub(task.begin_ns), task.tick_ns);
            run.lateness.record_many_ns(late_ns, packets);
            left -= packets;
            let sent = self.send.send(&endpoint.socket).map_or(0, |sent| sent as u64);
            run.counts.sent += sent;
            run.counts.send_failed += packets - sent;
        }
    }

    /// Fills the batch with the next packets of flows that share a socket, at most `limit`; says which socket.
    fn fill_batch(&mut self, limit: u64, now_ns: u64, payload_bytes: usize) -> usize {
        let sender = self.flows.get(self.turn).map_or(0, Flow::sender);
        while (self.send.len() as u64) < limit {
            let Some(flow) = self.flows.get_mut(self.turn) else { break };
            if flow.sender() != sender {
                break;
            }
            let filling = &self.filling;
            let to = Some(flow.to());
            if !self.send.push(to, |packet| flow.write_next(packet, payload_bytes, now_ns, filling)) {
                break;
            }
            self.turn = (self.turn + 1) % self.flows.len();
        }
        sender
    }

    fn receive_all(&mut self, run: &mut Run) {
        // The kernel stamps arrivals with the wall clock, we stamp departures with the monotonic one.
        let now_ns = sys::monotonic_ns();
        let wall_ahead_ns = sys::wall_ns().wrapping_sub(now_ns);
        for receiver in 0..self.endpoints.all.len() {
            for _ in 0..RECEIVE_ROUNDS {
                let Some(endpoint) = self.endpoints.all.get(receiver) else { break };
                // An error here is one that ICMP brought; the packet it was about is missing and so is counted.
                let came = self.receive.receive(&endpoint.socket).unwrap_or(0);
                self.judge_received(run, receiver, now_ns, wall_ahead_ns);
                if came < RECEIVE_SLOTS {
                    break;
                }
            }
        }
    }

    fn judge_received(&mut self, run: &mut Run, receiver: usize, now_ns: u64, wall_ahead_ns: u64) {
        let mut packet = [0; MAX_PACKET_BYTES];
        for (bytes, received) in self.receive.datagrams() {
            let packet = &mut packet[..bytes.len().min(MAX_PACKET_BYTES)];
            packet.copy_from_slice(bytes);
            let place = rtp::ssrc(packet).map(|ssrc| ssrc.wrapping_sub(self.first_ssrc) as usize);
            let flow = place.and_then(|place| *self.by_ssrc.get(place)?);
            let Some(flow) = flow.and_then(|index| self.flows.get_mut(index as usize)) else {
                run.counts.corrupt += 1;
                continue;
            };
            match flow.judge(packet, receiver, received.from, now_ns) {
                Judgement::Corrupt => run.counts.corrupt += 1,
                Judgement::Misdirected => run.counts.misdirected += 1,
                Judgement::Intact(Arrival::Duplicate, _) | Judgement::Again(Arrival::Duplicate) => {
                    run.counts.duplicated += 1;
                }
                Judgement::Intact(Arrival::Stale, _) | Judgement::Again(_) => run.counts.stale += 1,
                Judgement::Intact(arrival, sent_ns) => {
                    run.counts.received += 1;
                    run.counts.reordered += u64::from(arrival == Arrival::Reordered);
                    let arrived_ns =
                        received.time_ns.map_or_else(sys::monotonic_ns, |ns| ns.wrapping_sub(wall_ahead_ns));
                    run.latency.record_ns(arrived_ns.saturating_sub(sent_ns));
                }
            }
        }
    }

    fn publish(&mut self, run: &mut Run, published: &Mutex<Published>) {
        let drops: u64 = self.endpoints.all.iter_mut().map(crate::endpoints::Endpoint::take_drops).sum();
        let Ok(mut published) = published.lock() else { return };
        published.counts = run.counts;
        published.latency.add(&run.latency);
        published.recent_latency.add(&run.latency);
        published.lateness.add(&run.lateness);
        published.recent_lateness.add(&run.lateness);
        published.socket_drops += drops;
        published.cpu_ns = sys::thread_cpu_ns().saturating_sub(run.first_cpu_ns);
        published.sending_over = run.sending_over;
        run.latency.clear();
        run.lateness.clear();
    }
}

/// What a thread counts between two publications.
struct Run {
    pace: Pace,
    counts: Counts,
    latency: Times,
    lateness: Times,
    published_ns: u64,
    first_cpu_ns: u64,
    sending_over: bool,
}

fn sleep_until(then_ns: u64) {
    let left_ns = then_ns.saturating_sub(sys::monotonic_ns());
    if left_ns > 0 {
        std::thread::sleep(Duration::from_nanos(left_ns));
    }
}
