//! `agw-loadtest msrp`: contexts with TLS and MSRP towards the phone and MSRP towards the core are set up over Iq, both ends are played over
//! real sockets, and every message that comes out is looked at. Three loads: messages at a rate or as fast as they go, connections that
//! are only held (what does one cost?), and handshakes one after the other.
//!
//! The gateway waits for connections on both sides (TS 23.334: merge), so that all connections are opened from here.

mod end;
pub mod message;
mod shard;
pub mod tally;
pub mod tls;

use crate::calls::{CallPlan, Established};
use crate::control::iq::{Iq, Messages};
use crate::control::{Dialer, GatewayAddress, Protocol};
use crate::process::{Usage, Watched};
use crate::report::{Asked, GatewayUse, MsrpReport, Report, Second, SetUp};
use crate::run::RunError;
use agw_core::io::sys;
use end::Shared;
use shard::Shard;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tally::{Counted, Tally};
use tls::Identity;
use tokio::sync::Barrier;

/// The most calls of one run: descriptors, two for each.
pub const MAX_CALLS: u32 = 16_000;
/// The longest message.
pub const MAX_MESSAGE_BYTES: usize = 16 << 20;
/// Connections that one thread opens at the same time.
const MAX_CONNECTING: usize = 64;
/// The port of an end that only connects (RFC 4145 section 4.1).
const DISCARD_PORT: u16 = 9;
/// What an end reads between two stalls, where it stalls.
pub const STALL_EVERY_BYTES: usize = 8 << 20;
/// How often a run is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Which ends send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageWay {
    /// The access end.
    ToCore,
    /// The core end.
    ToAccess,
    /// Both, half of the messages each.
    Both,
}

impl MessageWay {
    /// Places of the sending ends in a pair of access and core.
    const fn sides(self) -> &'static [usize] {
        match self {
            Self::ToCore => &[0],
            Self::ToAccess => &[1],
            Self::Both => &[0, 1],
        }
    }
}

/// What is done with the contexts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Load {
    /// Messages from end to end.
    Messages {
        /// Bytes of each.
        message_bytes: usize,
        /// Bytes of a chunk at most.
        chunk_bytes: usize,
        /// Over all calls and ways; 0: as fast as they go.
        per_second: f64,
        /// Who sends.
        way: MessageWay,
        /// How long.
        duration: Duration,
        /// How long is waited for the last ones.
        drain: Duration,
        /// After every [`STALL_EVERY_BYTES`] that an end has read it reads nothing for so long.
        stall: Duration,
    },
    /// Connections that are held, and one message each way over each at the end.
    Idle {
        /// How long.
        duration: Duration,
        /// What a stream may cost the gateway's process; none: it is only told.
        max_stream_bytes: Option<u64>,
    },
    /// A handshake and a close for each context.
    Handshakes {
        /// How many per second.
        per_second: f64,
    },
}

impl Load {
    fn duration(self) -> Duration {
        match self {
            Self::Messages { duration, .. } | Self::Idle { duration, .. } => duration,
            Self::Handshakes { .. } => Duration::ZERO,
        }
    }

    fn stall(self) -> Duration {
        match self {
            Self::Messages { stall, .. } => stall,
            Self::Idle { .. } | Self::Handshakes { .. } => Duration::ZERO,
        }
    }

    fn drain(self) -> Duration {
        match self {
            Self::Messages { drain, .. } => drain,
            Self::Idle { .. } | Self::Handshakes { .. } => Duration::from_secs(5),
        }
    }
}

/// What `msrp` is to do.
#[derive(Debug, Clone)]
pub struct MsrpRun {
    /// The gateway, which speaks Iq.
    pub gateway: GatewayAddress,
    /// Contexts.
    pub calls: u32,
    /// What is done with them.
    pub load: Load,
    /// Where there is TLS: at the access and at the core side.
    pub secured: [bool; 2],
    /// The gateway's process, if its use is to be measured.
    pub pid: Option<u32>,
    /// Contexts being set up at the same time.
    pub window: usize,
    /// Threads of the ends.
    pub threads: usize,
    /// Local address of the ends; none: the one from which the gateway is reached.
    pub ends: Option<IpAddr>,
    /// Ends the run early when set.
    pub stop: Arc<AtomicBool>,
}

impl MsrpRun {
    /// Runs; `live` is shown every second.
    ///
    /// # Errors
    /// When contexts could not be set up. A bound that did not hold is no error but a result.
    pub fn run(&self, live: &mut dyn FnMut(&Second)) -> Result<Report, RunError> {
        if self.gateway.protocol != Protocol::Iq {
            return Err(RunError::OnlyIq);
        }
        let watched = self.pid.map(|pid| Watched::new(pid).map_err(|error| RunError::Process(pid, error)));
        let watched = watched.transpose()?;
        let identity = Identity::generate()?;
        let messages = Messages { fingerprint: identity.fingerprint.clone(), secured: self.secured };
        let control = Box::new(Iq::for_messages(self.gateway.address, messages));
        let mut dialer = Dialer::with(control, self.gateway.address)?;
        let end = SocketAddr::new(self.ends.map_or_else(|| dialer.local_ip(), Ok)?, DISCARD_PORT);
        let plan = |call| CallPlan { call, access: end, core: end, keys: None };
        let plans: Vec<_> = (0..self.calls).map(plan).collect();
        let started = Instant::now();
        let before = watched.and_then(|watched| watched.look().ok());
        let established = dialer.set_up_all(&plans, self.window);
        let took = started.elapsed().as_secs_f64().max(f64::MIN_POSITIVE);
        let setup = SetUp {
            contexts_per_second: f64::from(self.calls) / took,
            p99_ms: dialer.replies().quantile_us(0.99) / 1000.0,
        };
        let course =
            Course { setup, watched, before, after_setup: watched.and_then(|watched| watched.look().ok()) };
        let report = match established {
            Ok(established) => self.offer(&established, &identity, end, &course, live),
            Err(error) => Err(error.into()),
        };
        // What was set up is torn down whatever happened; an earlier error is the one that is told.
        let torn_down = dialer.tear_down_all(0..self.calls, self.window);
        let report = report?;
        torn_down?;
        Ok(report)
    }

    fn offer(
        &self,
        established: &[Established],
        identity: &Identity,
        end: SocketAddr,
        course: &Course,
        live: &mut dyn FnMut(&Second),
    ) -> Result<Report, RunError> {
        let steps = Arc::new(Barrier::new(self.threads + 1));
        let started = Instant::now();
        let mut tallies = Vec::new();
        let mut threads = Vec::new();
        for place in 0..self.threads {
            let tally = Arc::new(Tally::default());
            tallies.push(Arc::clone(&tally));
            let shard = Arc::new(Shard {
                shared: Shared { tally, started, closing: Arc::default(), stall: self.load.stall() },
                identity: identity.clone(),
                load: self.load,
                secured: self.secured,
                ends: [end; 2],
                calls: self.calls,
                steps: Arc::clone(&steps),
                stop: Arc::clone(&self.stop),
            });
            let calls: Vec<_> = established.iter().skip(place).step_by(self.threads).cloned().collect();
            threads.push(in_thread(shard, calls)?);
        }
        let waiting = tokio::runtime::Builder::new_current_thread().build()?;
        waiting.block_on(steps.wait());
        let connected = course.watched.and_then(|watched| watched.look().ok());
        let began = Instant::now();
        waiting.block_on(steps.wait());
        let seconds = self.follow(&threads, &tallies, began, live);
        let spent = began.elapsed();
        let gone = course.watched.and_then(|watched| watched.look().ok());
        let mut cpu_ratio: f64 = 0.0;
        for thread in threads {
            let cpu = thread.join().map_err(|_| RunError::ThreadDied)?;
            cpu_ratio =
                cpu_ratio.max(cpu.as_secs_f64() / started.elapsed().as_secs_f64().max(f64::MIN_POSITIVE));
        }
        let counted = sum(&tallies);
        Ok(self.report(counted, course, [connected, gone], spent, cpu_ratio, seconds))
    }

    fn follow(
        &self,
        threads: &[JoinHandle<Duration>],
        tallies: &[Arc<Tally>],
        began: Instant,
        live: &mut dyn FnMut(&Second),
    ) -> Vec<Second> {
        let mut seconds = Vec::new();
        let mut previous = (Duration::ZERO, Counted::default());
        while threads.iter().any(|thread| !thread.is_finished()) {
            std::thread::sleep(LOOK_EVERY);
            let elapsed = began.elapsed();
            if elapsed < previous.0 + Duration::from_secs(1) {
                continue;
            }
            let counted = sum(tallies);
            let since = (elapsed - previous.0).as_secs_f64();
            let counts = counted.counts - previous.1.counts;
            let handshakes = counted.msrp.handshakes - previous.1.msrp.handshakes;
            let is_storm = matches!(self.load, Load::Handshakes { .. });
            let times = if is_storm { &counted.handshake } else { &counted.latency };
            let (offered, received) =
                if is_storm { (handshakes, handshakes) } else { (counts.sent, counts.received) };
            let second = Second {
                at: elapsed.as_secs_f64(),
                offered_pps: offered as f64 / since,
                received_pps: received as f64 / since,
                missing: counted.counts.lost() + counted.msrp.handshakes_failed,
                latency_us: times.quantiles(),
                late_us_p99: counted.lateness.quantile_us(0.99),
            };
            live(&second);
            seconds.push(second);
            previous = (elapsed, counted);
        }
        seconds
    }

    fn report(
        &self,
        counted: Counted,
        course: &Course,
        [connected, gone]: [Option<Usage>; 2],
        spent: Duration,
        cpu_ratio: f64,
        seconds: Vec<Second>,
    ) -> Report {
        let sending = match self.load {
            Load::Handshakes { .. } => spent,
            Load::Messages { .. } | Load::Idle { .. } => self.load.duration(),
        };
        let per_second = |count: u64| count as f64 / sending.as_secs_f64().max(f64::MIN_POSITIVE);
        let stream_bytes = course.before.zip(connected).map(|(before, connected)| {
            connected.rss_bytes.saturating_sub(before.rss_bytes) / u64::from(self.calls).max(1)
        });
        let gateway = connected.zip(gone).map(|(connected, gone)| {
            let units = counted.counts.received.max(if matches!(self.load, Load::Handshakes { .. }) {
                counted.msrp.handshakes
            } else {
                1
            });
            GatewayUse {
                cpu_ns_per_packet: gone.cpu_ns.saturating_sub(connected.cpu_ns) as f64 / units.max(1) as f64,
                rss_bytes: gone.rss_bytes,
                threads: gone.threads,
            }
        });
        let msrp = MsrpReport {
            bytes_per_second: per_second(counted.msrp.bytes),
            handshakes_per_second: per_second(counted.msrp.handshakes),
            handshake_us: counted.handshake.quantiles(),
            response_us: counted.response.quantiles(),
            stream_bytes,
            context_bytes: course.before.zip(course.after_setup).map(|(before, after)| {
                after.rss_bytes.saturating_sub(before.rss_bytes) / u64::from(self.calls).max(1)
            }),
            ..counted.msrp.clone()
        };
        let totals = crate::generator::Totals {
            counts: counted.counts,
            latency: counted.latency,
            lateness: counted.lateness,
            cpu_ratio,
            ..Default::default()
        };
        let mut report = Report::new(self.asked(), &totals, sending, course.setup, seconds);
        report.gateway = gateway;
        report.passed = report.valid && self.bound_held(&report, &msrp);
        report.msrp = Some(msrp);
        if self.stop.load(Ordering::Relaxed) {
            report.invalidate("the run was ended early");
        }
        report
    }

    fn bound_held(&self, report: &Report, msrp: &MsrpReport) -> bool {
        let clean =
            report.corrupt == 0 && report.misdirected == 0 && report.duplicated == 0 && report.stale == 0;
        let sound = msrp.handshakes_failed == 0 && msrp.connections_lost == 0 && msrp.responses_other == 0;
        let sides = self.secured.iter().filter(|secured| **secured).count() as u64;
        let all_up = msrp.handshakes == sides * u64::from(self.calls);
        let arrived = report.lost == 0 && report.received > 0;
        clean
            && sound
            && match self.load {
                Load::Messages { .. } => all_up && arrived && report.reordered == 0,
                Load::Idle { max_stream_bytes, .. } => {
                    let cheap = max_stream_bytes
                        .is_none_or(|most| msrp.stream_bytes.is_some_and(|bytes| bytes <= most));
                    all_up && arrived && cheap
                }
                Load::Handshakes { .. } => msrp.handshakes == u64::from(self.calls),
            }
    }

    fn asked(&self) -> Asked {
        let (direction, pps, payload_bytes) = match self.load {
            Load::Messages { per_second, message_bytes, way, .. } => {
                let way = match way {
                    MessageWay::ToCore => "msrp to core",
                    MessageWay::ToAccess => "msrp to access",
                    MessageWay::Both => "msrp both",
                };
                (way, per_second as u64, message_bytes)
            }
            Load::Idle { .. } => ("msrp idle", 0, 0),
            Load::Handshakes { .. } => ("msrp handshakes", 0, 0),
        };
        Asked {
            gateway: self.gateway.to_string(),
            calls: self.calls,
            pps,
            seconds: self.load.duration().as_secs_f64(),
            direction: direction.to_owned(),
            suite: self.secured.contains(&true).then(|| "TLS".to_owned()),
            payload_bytes,
            loss_bound: 0.0,
        }
    }
}

/// What is known before connections are opened.
struct Course {
    setup: SetUp,
    watched: Option<Watched>,
    before: Option<Usage>,
    after_setup: Option<Usage>,
}

fn sum(tallies: &[Arc<Tally>]) -> Counted {
    let mut all = Counted::default();
    tallies.iter().for_each(|tally| all.add(&tally.lock()));
    all
}

/// A thread with its calls; it ends with the CPU time that it took.
fn in_thread(shard: Arc<Shard>, calls: Vec<Established>) -> Result<JoinHandle<Duration>, RunError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name("msrp-ends".to_owned()).spawn(move || {
        runtime.block_on(shard.run(calls));
        Duration::from_nanos(sys::thread_cpu_ns())
    })?;
    Ok(thread)
}
