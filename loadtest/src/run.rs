//! `agw-loadtest rtp`: calls are set up, their media flows for a while, and the result is judged.

use crate::calls::{CallKeys, CallPlan, KeyError};
use crate::control::{DialError, Dialer, GatewayAddress};
use crate::dtls::{DtlsError, Storm};
use crate::endpoints::EndpointPlan;
use crate::generator::{Direction, Generator, GeneratorError, Load, MediaEnds, Running, Totals};
use crate::measure::Counts;
use crate::process::{Usage, Watched};
use crate::report::{Asked, GatewayUse, Report, Second, SetUp, Trial};
use crate::search::{Search, Verdict};
use agw_srtp::Suite;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How much of the beginning is not looked at when CPU time is measured: caches and address learning.
const CPU_WARM_UP: Duration = Duration::from_secs(1);
/// How often a run is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What `rtp` is to do.
#[derive(Debug, Clone)]
pub struct RtpRun {
    /// The gateway.
    pub gateway: GatewayAddress,
    /// Calls at once.
    pub calls: u32,
    /// What is offered.
    pub load: Load,
    /// Which media.
    pub direction: Direction,
    /// The suite of the access side.
    pub suite: Suite,
    /// The part of the packets that may get lost.
    pub loss_bound: f64,
    /// Search for the highest rate, beginning with that of `load`.
    pub find_max: bool,
    /// The gateway's process, if its use is to be measured.
    pub pid: Option<u32>,
    /// Calls being set up at the same time.
    pub window: usize,
    /// Generator threads.
    pub threads: usize,
    /// Sockets per side and thread.
    pub sockets_per_side: usize,
    /// Local address of the access ends; none: the one from which the gateway is reached.
    pub access: Option<IpAddr>,
    /// Local address of the core ends; the same.
    pub core: Option<IpAddr>,
    /// Ends the run early when set: what is on its way is waited for, the calls are torn down, the result is invalid.
    pub stop: Arc<AtomicBool>,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The gateway refused.
    #[error("cannot set up or tear down calls: {0}")]
    Dial(#[from] DialError),
    /// The generator could not start.
    #[error("generator: {0}")]
    Generator(#[from] GeneratorError),
    /// The system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// No keys.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The process of `--pid` cannot be watched.
    #[error("process {0}: {1}")]
    Process(u32, io::Error),
    /// MSRP and DTLS have no other control.
    #[error("it is set up over Iq: --gateway iq:HOST:PORT")]
    OnlyIq,
    /// No certificate.
    #[error(transparent)]
    Identity(#[from] crate::msrp::tls::IdentityError),
    /// No DTLS.
    #[error(transparent)]
    Dtls(#[from] DtlsError),
    /// A generator thread died.
    #[error("a generator thread died")]
    ThreadDied,
}

impl RtpRun {
    /// Runs; `live` is shown every second.
    ///
    /// # Errors
    /// When calls could not be set up or media not be sent. A bound that did not hold is no error but a result.
    pub fn run(&self, live: &mut dyn FnMut(&Second)) -> Result<Report, RunError> {
        self.run_with(Dialer::connect(&self.gateway)?, None, live)
    }

    /// The same over a control of the caller's, with a handshake for each call before its media where there is a storm; then calls are set up
    /// without keys.
    pub(crate) fn run_with(
        &self,
        mut dialer: Dialer,
        mut storm: Option<&mut Storm>,
        live: &mut dyn FnMut(&Second),
    ) -> Result<Report, RunError> {
        let watched = self.pid.map(|pid| Watched::new(pid).map_err(|error| RunError::Process(pid, error)));
        let watched = watched.transpose()?;
        let local = dialer.local_ip()?;
        let ends = EndpointPlan {
            threads: self.threads,
            sockets_per_side: self.sockets_per_side,
            access: self.access.unwrap_or(local),
            core: self.core.unwrap_or(local),
        };
        let ends = MediaEnds::open(&ends, self.calls)?;
        let plans = self.plans(&ends, storm.is_none())?;
        let started = Instant::now();
        let established = dialer.set_up_all(&plans, self.window);
        let took = started.elapsed();
        let setup = SetUp {
            contexts_per_second: f64::from(self.calls) / took.as_secs_f64().max(f64::MIN_POSITIVE),
            p99_ms: dialer.replies().quantile_us(0.99) / 1000.0,
        };
        let report = match established {
            Ok(mut established) => storm
                .as_mut()
                .map_or(Ok(()), |storm| storm.secure(&ends, &mut established, &self.stop))
                .and_then(|()| Ok(Generator::new(ends, self.direction, &established)?))
                .and_then(|generator| self.offer(generator, watched, setup, live)),
            Err(error) => Err(error.into()),
        };
        // What was set up is torn down whatever happened; an earlier error is the one that is told.
        let torn_down = dialer.tear_down_all(0..self.calls, self.window);
        let report = report?;
        torn_down?;
        Ok(report)
    }

    fn plans(&self, ends: &MediaEnds, with_keys: bool) -> Result<Vec<CallPlan>, RunError> {
        let plan = |call| {
            let (access, core) = ends.addresses(call).ok_or(GeneratorError::Calls(call))?;
            let with_keys = with_keys && self.direction.is_secured();
            let keys = with_keys.then(|| CallKeys::random(self.suite)).transpose()?;
            Ok(CallPlan { call, access, core, keys })
        };
        (0..self.calls).map(plan).collect()
    }

    fn offer(
        &self,
        generator: Generator,
        watched: Option<Watched>,
        setup: SetUp,
        live: &mut dyn FnMut(&Second),
    ) -> Result<Report, RunError> {
        if !self.find_max {
            return Ok(self.once(generator, self.load.pps, watched, setup, live)?.1);
        }
        let mut search = Search::new(self.load.pps);
        let (mut generator, mut trials, mut best) = (generator, Vec::new(), None);
        while let Some(pps) = search.next_pps() {
            let (back, report) = self.once(generator, pps, watched, setup, live)?;
            generator = back;
            search.judge(match (report.valid, report.passed) {
                (false, _) => Verdict::GeneratorLimited,
                (true, true) => Verdict::Passed,
                (true, false) => Verdict::Failed,
            });
            let Report { loss_ratio, passed, valid, .. } = report;
            trials.push(Trial { pps, loss_ratio, passed, valid });
            if passed || best.is_none() {
                best = Some(report);
            }
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
        }
        let mut report = best.ok_or(RunError::ThreadDied)?;
        report.max_pps = Some(search.best_pps());
        report.trials = trials;
        if search.is_generator_limited() {
            report.invalidate("the generator reached its limit before the gateway did");
        }
        Ok(report)
    }

    /// One run at one rate.
    fn once(
        &self,
        generator: Generator,
        pps: u64,
        watched: Option<Watched>,
        setup: SetUp,
        live: &mut dyn FnMut(&Second),
    ) -> Result<(Generator, Report), RunError> {
        let load = Load { pps, ..self.load };
        let running = generator.start(&load)?;
        let mut course = Course::new(watched, load.duration);
        while !running.is_over() {
            std::thread::sleep(LOOK_EVERY);
            course.follow(&running, live);
            if self.stop.load(Ordering::Relaxed) {
                running.stop();
            }
        }
        let (generator, totals) = running.finish().ok_or(RunError::ThreadDied)?;
        let gateway = course.gateway_use();
        let asked = self.asked(pps);
        let mut report = Report::new(asked, &totals, load.duration, setup, course.seconds);
        report.gateway = gateway;
        if self.stop.load(Ordering::Relaxed) {
            report.invalidate("the run was ended early");
        }
        Ok((generator, report))
    }

    fn asked(&self, pps: u64) -> Asked {
        let direction = match self.direction {
            Direction::SrtpToRtp => "srtp-to-rtp",
            Direction::RtpToSrtp => "rtp-to-srtp",
            Direction::Both => "both",
            Direction::Relay => "relay",
        };
        Asked {
            gateway: self.gateway.to_string(),
            calls: self.calls,
            pps,
            seconds: self.load.duration.as_secs_f64(),
            direction: direction.to_owned(),
            suite: self.direction.is_secured().then(|| self.suite.name().to_owned()),
            payload_bytes: self.load.payload_bytes,
            loss_bound: self.loss_bound,
        }
    }
}

/// What is seen of a run while it goes on: its seconds, and what the gateway used between two moments of it.
struct Course {
    watched: Option<Watched>,
    /// From when to when the gateway's CPU time is measured.
    measured: (Duration, Duration),
    first: Option<(Usage, Counts)>,
    last: Option<(Usage, Counts)>,
    seconds: Vec<Second>,
    previous: (Duration, Counts),
}

impl Course {
    fn new(watched: Option<Watched>, duration: Duration) -> Self {
        let from = if duration > 2 * CPU_WARM_UP { CPU_WARM_UP } else { Duration::ZERO };
        Self {
            watched,
            measured: (from, duration),
            first: None,
            last: None,
            seconds: Vec::new(),
            previous: Default::default(),
        }
    }

    fn follow(&mut self, running: &Running, live: &mut dyn FnMut(&Second)) {
        let elapsed = running.elapsed();
        let at_first = self.first.is_none() && elapsed >= self.measured.0;
        let at_last = self.last.is_none() && elapsed >= self.measured.1;
        if at_first || at_last {
            let look = self.watched.and_then(|watched| watched.look().ok());
            let look = look.map(|usage| (usage, running.counts()));
            if at_first {
                self.first = look;
            } else {
                self.last = look;
            }
        }
        if elapsed >= self.previous.0 + Duration::from_secs(1) && elapsed <= self.measured.1 + LOOK_EVERY * 2
        {
            let totals = running.look();
            let second = self.second(&totals);
            live(&second);
            self.seconds.push(second);
            self.previous = (totals.elapsed, totals.counts);
        }
    }

    fn second(&self, totals: &Totals) -> Second {
        let since = totals.elapsed.saturating_sub(self.previous.0).as_secs_f64().max(f64::MIN_POSITIVE);
        let counts = totals.counts - self.previous.1;
        Second {
            at: totals.elapsed.as_secs_f64(),
            offered_pps: counts.sent as f64 / since,
            received_pps: counts.received as f64 / since,
            missing: totals.counts.lost(),
            latency_us: totals.recent_latency.quantiles(),
            late_us_p99: totals.recent_lateness.quantile_us(0.99),
        }
    }

    fn gateway_use(&self) -> Option<GatewayUse> {
        let ((before, counts_before), (after, counts_after)) = (self.first?, self.last?);
        let packets = counts_after.received.saturating_sub(counts_before.received);
        let cpu_ns = after.cpu_ns.saturating_sub(before.cpu_ns);
        Some(GatewayUse {
            cpu_ns_per_packet: cpu_ns as f64 / packets.max(1) as f64,
            rss_bytes: after.rss_bytes,
            threads: after.threads,
        })
    }
}
