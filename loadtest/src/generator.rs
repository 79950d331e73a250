//! The media of a run: threads that send at a fixed rate and judge what comes back.
//!
//! First the sockets are opened ([`MediaEnds`]), because a call's set-up names their addresses; then the calls are set up; then a
//! [`Generator`] made of both runs as often as wanted with the same calls, and can be watched while it runs.

use crate::calls::{Established, MAX_CALLS};
use crate::control::sdp::PAYLOAD_TYPE;
use crate::endpoints::{EndpointPlan, Endpoints, Side};
use crate::flow::{Flow, FlowPlan, MAX_PACKET_BYTES};
use crate::measure::{Counts, Times};
use crate::pace::Rate;
use crate::payload::{MAX_PAYLOAD_BYTES, STAMP_BYTES, Way};
use crate::shard::{Published, SSRC_BASE, Shard, Task};
use agw_core::io::sys;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// The shortest tick; below it a thread does nothing but wake up.
pub const MIN_TICK: Duration = Duration::from_micros(20);

const _: () = assert!(MAX_PAYLOAD_BYTES + 12 + 64 <= MAX_PACKET_BYTES);

/// Which media is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// SRTP from the access end, RTP expected at the core end.
    SrtpToRtp,
    /// RTP from the core end, SRTP expected at the access end.
    RtpToSrtp,
    /// Both of these, half of the packets each.
    Both,
    /// RTP both ways, half of the packets each, with no key anywhere.
    Relay,
}

impl Direction {
    /// Whether the access side is SRTP.
    pub fn is_secured(self) -> bool {
        self != Self::Relay
    }

    fn ways(self) -> &'static [Way] {
        match self {
            Self::SrtpToRtp => &[Way::ToCore],
            Self::RtpToSrtp => &[Way::ToAccess],
            Self::Both | Self::Relay => &[Way::ToCore, Way::ToAccess],
        }
    }
}

/// Why there is no generator.
#[derive(Debug, thiserror::Error)]
pub enum GeneratorError {
    /// The system did not give what is needed.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The calls that are up are not those that the ends were opened for.
    #[error("call {0} was not planned, not set up, or set up twice")]
    Calls(u32),
    /// A key that makes no session.
    #[error("key: {0}")]
    Key(#[from] agw_srtp::PolicyError),
    /// More calls than can be numbered, or none.
    #[error("the number of calls must be 1 to {MAX_CALLS}")]
    CallCount,
    /// The payload does not fit.
    #[error("the payload must be {STAMP_BYTES} to {MAX_PAYLOAD_BYTES} bytes")]
    Payload,
}

/// The open sockets of both ends of all calls.
pub struct MediaEnds {
    threads: Vec<Endpoints>,
    calls: u32,
}

impl MediaEnds {
    /// Opens sockets for `calls` calls.
    ///
    /// # Errors
    /// When the system refuses, or there are too many calls.
    pub fn open(plan: &EndpointPlan, calls: u32) -> Result<Self, GeneratorError> {
        if !(1..=MAX_CALLS).contains(&calls) {
            return Err(GeneratorError::CallCount);
        }
        Ok(Self { threads: Endpoints::open(plan)?, calls })
    }

    /// The addresses of a call's access and core end.
    pub fn addresses(&self, call: u32) -> Option<(SocketAddr, SocketAddr)> {
        let (endpoints, nth, all) = self.place_of(call)?;
        Some((endpoints.address(Side::Access, nth, all), endpoints.address(Side::Core, nth, all)))
    }

    /// The socket of a call's access end.
    pub(crate) fn access_socket(&self, call: u32) -> Option<&UdpSocket> {
        let (endpoints, nth, all) = self.place_of(call)?;
        Some(&endpoints.all.get(endpoints.index(Side::Access, nth, all))?.socket)
    }

    /// The thread's endpoints, which of the thread's calls it is, and of how many.
    fn place_of(&self, call: u32) -> Option<(&Endpoints, usize, usize)> {
        let (thread, calls) = (0..self.threads.len())
            .map(|thread| (thread, self.calls_of(thread)))
            .find(|(_, calls)| calls.contains(&call))?;
        Some((self.threads.get(thread)?, (call - calls.start) as usize, calls.len()))
    }

    /// Which calls a thread has.
    fn calls_of(&self, thread: usize) -> Range<u32> {
        let bound =
            |thread: usize| (u64::from(self.calls) * thread as u64 / self.threads.len() as u64) as u32;
        bound(thread)..bound(thread + 1)
    }
}

/// What a run offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Packets per second, over all calls and both ways together.
    pub pps: u64,
    /// RTP payload bytes of every packet.
    pub payload_bytes: usize,
    /// How long packets are sent.
    pub duration: Duration,
    /// How long is waited for the last ones.
    pub drain: Duration,
    /// How often each thread sends what is due and takes what has come.
    pub tick: Duration,
}

/// Calls that are up, with the sockets of their ends, between runs.
pub struct Generator {
    shards: Vec<Shard>,
}

impl Generator {
    /// Puts ends and calls together. Every call that the ends were opened for must be up.
    ///
    /// # Errors
    /// When plans and calls do not match.
    pub fn new(
        ends: MediaEnds,
        direction: Direction,
        established: &[Established],
    ) -> Result<Self, GeneratorError> {
        let mut calls = vec![None; ends.calls as usize];
        for up in established {
            let place = calls.get_mut(up.call as usize).filter(|place| place.is_none());
            *place.ok_or(GeneratorError::Calls(up.call))? = Some(up);
        }
        let ranges: Vec<_> = (0..ends.threads.len()).map(|thread| ends.calls_of(thread)).collect();
        let shards = ends.threads.into_iter().zip(ranges).map(|(endpoints, range)| {
            let mut flows = Vec::with_capacity(range.len() * 2);
            for way in direction.ways() {
                for (nth, call) in range.clone().enumerate() {
                    let up = calls[call as usize].ok_or(GeneratorError::Calls(call))?;
                    let plan = flow_plan(&endpoints, up, *way, nth, range.len());
                    flows.push((plan.ssrc, Flow::new(plan)?));
                }
            }
            Ok(Shard::new(endpoints, flows, SSRC_BASE + 2 * range.start))
        });
        Ok(Self { shards: shards.collect::<Result<_, GeneratorError>>()? })
    }

    /// Begins to send.
    ///
    /// # Errors
    /// When the payload does not fit, or the system gives no thread.
    pub fn start(self, load: &Load) -> Result<Running, GeneratorError> {
        if !(STAMP_BYTES..=MAX_PAYLOAD_BYTES).contains(&load.payload_bytes) {
            return Err(GeneratorError::Payload);
        }
        let all_flows: usize = self.shards.iter().map(Shard::flow_count).sum();
        let stop = Arc::new(AtomicBool::new(false));
        // All threads begin together, once all are there.
        let begin_ns = sys::monotonic_ns() + 5_000_000;
        let mut running = Running { threads: Vec::new(), published: Vec::new(), stop, begin_ns };
        for mut shard in self.shards {
            let published = Arc::new(Mutex::new(Published::default()));
            let task = Task {
                rate: Rate::share(load.pps, shard.flow_count() as u64, all_flows as u64),
                payload_bytes: load.payload_bytes,
                duration_ns: nanoseconds(load.duration),
                drain_ns: nanoseconds(load.drain),
                tick_ns: nanoseconds(load.tick.max(MIN_TICK)),
                begin_ns,
                stop: Arc::clone(&running.stop),
                published: Arc::clone(&published),
            };
            let thread = std::thread::Builder::new().name("media".to_owned()).spawn(move || {
                shard.run(&task);
                shard
            })?;
            running.threads.push(thread);
            running.published.push(published);
        }
        Ok(running)
    }
}

fn flow_plan(endpoints: &Endpoints, up: &Established, way: Way, nth: usize, calls: usize) -> FlowPlan {
    let access = endpoints.index(Side::Access, nth, calls);
    let core = endpoints.index(Side::Core, nth, calls);
    let (sender, to, receiver, from) = match way {
        Way::ToCore => (access, up.access, core, up.core),
        Way::ToAccess => (core, up.core, access, up.access),
    };
    let key = up.keys.as_ref().map(|keys| match way {
        Way::ToCore => keys.to_gateway.clone(),
        Way::ToAccess => keys.from_gateway.clone(),
    });
    let ssrc = SSRC_BASE + 2 * up.call + u32::from(way == Way::ToAccess);
    FlowPlan { call: up.call, way, ssrc, payload_type: PAYLOAD_TYPE, sender, to, receiver, from, key }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A generator at work.
pub struct Running {
    threads: Vec<JoinHandle<Shard>>,
    published: Vec<Arc<Mutex<Published>>>,
    stop: Arc<AtomicBool>,
    begin_ns: u64,
}

/// Everything that a run has counted up to some moment; at most 50 ms old while it runs.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Since the run began.
    pub elapsed: Duration,
    /// What happened to packets.
    pub counts: Counts,
    /// From handing a packet to the system to the kernel's receive time stamp at the other end.
    pub latency: Times,
    /// The same, since the previous look.
    pub recent_latency: Times,
    /// How much later than the tick after their time packets were sent.
    pub lateness: Times,
    /// The same, since the previous look.
    pub recent_lateness: Times,
    /// Packets that our own receive queues lost.
    pub socket_drops: u64,
    /// Part of a core that the busiest thread used.
    pub cpu_ratio: f64,
    /// Nothing is sent any more.
    pub sending_over: bool,
}

impl Running {
    /// What has been counted so far. Of the "recent" times each is seen by one look only.
    pub fn look(&self) -> Totals {
        let elapsed = self.elapsed();
        let mut totals = Totals { elapsed, sending_over: true, ..Totals::default() };
        for published in &self.published {
            let Ok(mut published) = published.lock() else { continue };
            totals.counts += published.counts;
            totals.latency.add(&published.latency);
            totals.recent_latency.add(&published.recent_latency);
            totals.lateness.add(&published.lateness);
            totals.recent_lateness.add(&published.recent_lateness);
            totals.socket_drops += published.socket_drops;
            let cpu_ratio = published.cpu_ns as f64 / elapsed.as_nanos().max(1) as f64;
            totals.cpu_ratio = totals.cpu_ratio.max(cpu_ratio);
            totals.sending_over &= published.sending_over;
            published.recent_latency.clear();
            published.recent_lateness.clear();
        }
        totals
    }

    /// How long ago the run began.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(sys::monotonic_ns().saturating_sub(self.begin_ns))
    }

    /// Only the counters; takes no "recent" times from a later look.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for published in &self.published {
            counts += published.lock().map(|published| published.counts).unwrap_or_default();
        }
        counts
    }

    /// Whether all has been sent and waited for.
    pub fn is_over(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }

    /// Ends the sending now; the waiting for the last packets goes on.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits for the end and gives the calls back for another run. `None` if a thread died.
    pub fn finish(mut self) -> Option<(Generator, Totals)> {
        let threads = std::mem::take(&mut self.threads);
        let shards = threads.into_iter().map(|thread| thread.join().ok()).collect::<Option<Vec<_>>>()?;
        Some((Generator { shards }, self.look()))
    }
}
