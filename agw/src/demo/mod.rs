//! `agw demo`: what a newcomer runs first. The whole of it in one process: a gateway on ports of its own (so it never meets a running
//! one), a controller that commands it with real H.248 messages over a real UDP socket, phones that speak SRTP and a core that speaks RTP. Every
//! packet carries its number, its time and a checksum, so that what is shown is counted and not believed. The load test's
//! controller and media ends are used; nothing here looks inside the gateway but for its public counters.

mod messages;
mod view;

use crate::admin::ask::{Asker, Question};
use crate::cli::Demo;
use crate::config::load::load_text;
use crate::config::{Config, Format, Level};
use crate::control::{self, Gateway};
use crate::failure::Failure;
use crate::logging::Logs;
use crate::print;
use crate::runtime::WorkerWatch;
use agw_srtp::Suite;
use loadtest::calls::{CallKeys, CallPlan, Established};
use loadtest::control::{Dialer, Event, GatewayAddress, Protocol};
use loadtest::endpoints::EndpointPlan;
use loadtest::generator::{Direction, Generator, Load, MediaEnds, Totals};
use serde::Serialize;
use std::net::{IpAddr, Ipv4Addr};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use view::{Scene, View};

/// Packets per second, call and way: one every 20 ms, as voice does.
const PPS_PER_WAY: u64 = 50;
/// Bytes of RTP payload: 20 ms of G.711.
const PAYLOAD_BYTES: usize = 160;
/// Calls being set up at the same time.
const WINDOW: usize = 16;
/// How long is waited for the last packets.
const DRAIN: Duration = Duration::from_millis(500);
/// How often the table is drawn.
const FRAME: Duration = Duration::from_millis(200);

/// What the demo came to; `--json` prints it.
#[derive(Debug, Clone, Serialize)]
pub struct Outcome {
    /// Calls asked for.
    pub calls: u32,
    /// Seconds of media.
    pub seconds: u32,
    /// The suite on the phones' side.
    pub suite: &'static str,
    /// Packets sent, both ways together.
    pub sent: u64,
    /// Packets that came out intact, each counted once.
    pub received: u64,
    /// Sent and never came.
    pub lost: u64,
    /// Came changed, came to the wrong place, or came twice.
    pub corrupt: u64,
    /// Calls that the gateway refused.
    pub refused: u32,
    /// How calls were set up.
    pub setup: SetUp,
    /// From the send to the kernel's receive time stamp at the far end.
    pub latency_us: LatencyUs,
}

/// Part of [`Outcome`].
#[derive(Debug, Clone, Serialize)]
pub struct SetUp {
    /// Calls set up a second.
    pub contexts_per_second: f64,
}

/// Part of [`Outcome`].
#[derive(Debug, Clone, Serialize)]
pub struct LatencyUs {
    /// Half of the packets were faster.
    pub p50: f64,
    /// All but one in a hundred were faster.
    pub p99: f64,
    /// The slowest.
    pub max: f64,
}

impl Outcome {
    /// Whether everything was as it should be.
    pub fn is_perfect(&self) -> bool {
        self.sent > 0 && self.lost == 0 && self.corrupt == 0 && self.refused == 0
    }
}

/// Runs the demo.
///
/// # Errors
/// When it cannot run, or anything was lost, corrupted or refused.
pub fn run(request: &Demo) -> Result<(), Failure> {
    let suite = Suite::from_name(&request.suite).ok_or_else(|| {
        let known: Vec<&str> = Suite::ALL.iter().map(|s| s.name()).collect();
        Failure::Usage(format!("--suite {} is not known: choose from {}", request.suite, known.join(", ")))
    })?;
    let _logs = Logs::begin(Level::Warn, Format::Text);
    let stage = Stage::build(request)?;
    let mut view = View::new(request, suite.name());
    let outcome = stage.play(request, suite, &mut view);
    stage.leave();
    let outcome = outcome?;
    if request.json {
        let text = serde_json::to_string(&outcome).map_err(|e| Failure::because("cannot print", e))?;
        print(&format!("{text}\n"))?;
    } else {
        view.end(&outcome)?;
    }
    if outcome.is_perfect() { Ok(()) } else { Err(Failure::Told) }
}

/// The running gateway and the way to ask it.
struct Stage {
    iq: std::net::SocketAddr,
    asker: Asker,
    watches: Vec<WorkerWatch>,
    thread: JoinHandle<Result<control::End, Failure>>,
    runtime: Runtime,
}

impl Stage {
    fn build(request: &Demo) -> Result<Self, Failure> {
        let because = |e| Failure::because("cannot start", e);
        let gateway: Gateway = control::build(config(request.calls)?, false)?;
        let (iq, asker, watches) = (gateway.iq, gateway.asker.clone(), gateway.watches.clone());
        let thread = std::thread::Builder::new()
            .name("agw-control".to_owned())
            .spawn(|| gateway.run(None, || {}))
            .map_err(because)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(because)?;
        Ok(Self { iq, asker, watches, thread, runtime })
    }

    fn play(&self, request: &Demo, suite: Suite, view: &mut View) -> Result<Outcome, Failure> {
        let because = |e: std::io::Error| Failure::because("media ends", e);
        let gateway = GatewayAddress { protocol: Protocol::Iq, address: self.iq };
        let mut dialer = Dialer::connect(&gateway).map_err(because)?;
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let plan = EndpointPlan { threads: 1, sockets_per_side: 4, access: local, core: local };
        let failed = |e: &dyn std::fmt::Display| Failure::because("media ends", e);
        let ends = MediaEnds::open(&plan, request.calls).map_err(|e| failed(&e))?;
        let mut plans = Vec::new();
        for call in 0..request.calls {
            let Some((access, core)) = ends.addresses(call) else { continue };
            let keys = CallKeys::random(suite).map_err(|e| failed(&e))?;
            plans.push(CallPlan { call, access, core, keys: Some(keys) });
        }
        view.begin(self.iq)?;
        let calls = self.set_up(&mut dialer, &plans, view)?;
        let outcome = if calls.refused == 0 {
            let generator = Generator::new(ends, Direction::Both, &calls.up).map_err(|e| failed(&e))?;
            let totals = self.media(request, generator, &calls, view)?;
            calls.outcome(request, suite, &totals)
        } else {
            calls.outcome(request, suite, &Totals::default())
        };
        let up = calls.up.iter().map(|up| up.call);
        dialer.tear_down_all(up, WINDOW).map_err(|e| Failure::because("a call could not be torn down", e))?;
        Ok(outcome)
    }

    /// Sets all calls up; shows the messages of the first.
    fn set_up(&self, dialer: &mut Dialer, plans: &[CallPlan], view: &mut View) -> Result<Calls, Failure> {
        let traced = self.ask(|answer| Question::Trace(None, answer)).map(|page| page.next);
        let began = Instant::now();
        let mut calls = Calls::default();
        let (first, rest) = plans.split_at(plans.len().min(1));
        calls.dial(dialer, first)?;
        let first_took = began.elapsed();
        if let Some(page) = traced.and_then(|after| self.ask(|answer| Question::Trace(Some(after), answer))) {
            view.messages(&page.messages)?;
        }
        let began = Instant::now();
        calls.dial(dialer, rest)?;
        calls.took = first_took + began.elapsed();
        view.set_up(&calls)?;
        Ok(calls)
    }

    fn media(
        &self,
        request: &Demo,
        generator: Generator,
        calls: &Calls,
        view: &mut View,
    ) -> Result<Totals, Failure> {
        let load = Load {
            pps: u64::from(request.calls) * PPS_PER_WAY * 2,
            payload_bytes: PAYLOAD_BYTES,
            duration: Duration::from_secs(request.seconds.into()),
            drain: DRAIN,
            tick: Duration::from_millis(1),
        };
        let running = generator.start(&load).map_err(|e| Failure::because("media ends", e))?;
        while !running.is_over() {
            std::thread::sleep(FRAME);
            let totals = running.look();
            view.draw(&Scene { totals: &totals, calls, watches: &self.watches })?;
        }
        let (_, totals) =
            running.finish().ok_or_else(|| Failure::Failed("the media ends died".to_owned()))?;
        view.draw(&Scene { totals: &totals, calls, watches: &self.watches })?;
        Ok(totals)
    }

    fn ask<T>(&self, question: impl FnOnce(tokio::sync::oneshot::Sender<T>) -> Question) -> Option<T> {
        self.runtime.block_on(self.asker.ask(question))
    }

    /// Lets the gateway drain and waits for it.
    fn leave(self) {
        if self.ask(Question::Drain).is_some() {
            let _ = self.thread.join();
        }
    }
}

/// Calls that were asked for.
#[derive(Default)]
struct Calls {
    up: Vec<Established>,
    refused: u32,
    first_refusal: Option<String>,
    took: Duration,
}

impl Calls {
    fn dial(&mut self, dialer: &mut Dialer, plans: &[CallPlan]) -> Result<(), Failure> {
        let mut events = Vec::new();
        let (mut waiting, mut plans) = (0usize, plans.iter());
        loop {
            while waiting < WINDOW {
                let Some(plan) = plans.next() else { break };
                dialer.set_up(plan);
                waiting += 1;
            }
            if waiting == 0 {
                return Ok(());
            }
            dialer
                .step(Duration::from_millis(50), &mut events)
                .map_err(|e| Failure::because("the controller", e))?;
            for event in events.drain(..) {
                match event {
                    Event::Up(up) => {
                        self.up.push(*up);
                        waiting -= 1;
                    }
                    Event::Failed { reason, .. } => {
                        self.refused += 1;
                        self.first_refusal.get_or_insert(reason);
                        waiting -= 1;
                    }
                    Event::Down { .. } | Event::Replied { .. } => {}
                }
            }
        }
    }

    fn per_second(&self) -> f64 {
        self.up.len() as f64 / self.took.as_secs_f64().max(1e-6)
    }

    fn outcome(&self, request: &Demo, suite: Suite, totals: &Totals) -> Outcome {
        let counts = totals.counts;
        let times = totals.latency.quantiles();
        Outcome {
            calls: request.calls,
            seconds: request.seconds,
            suite: suite.name(),
            sent: counts.sent,
            received: counts.received,
            lost: counts.lost(),
            corrupt: counts.corrupt + counts.misdirected + counts.duplicated + counts.stale,
            refused: self.refused,
            setup: SetUp { contexts_per_second: self.per_second() },
            latency_us: LatencyUs { p50: times.p50, p99: times.p99, max: times.max },
        }
    }
}

/// The demo's gateway: loopback addresses that no other process has, chosen by our process number, so that its ports are free whatever
/// else runs here.
fn config(calls: u32) -> Result<Config, Failure> {
    let pid = std::process::id();
    let net = format!("127.{}.{}", 64 + pid % 64, (pid / 64) % 256);
    let text = format!(
        "[iq]\ntext = \"127.0.0.1:0\"\nbinary = \"\"\n[admin]\nlisten = \"\"\n[limits]\ncontexts = {}\n\
         [realm.access]\nside = \"access\"\naddresses = [\"{net}.1\"]\nports = \"10000-32767\"\n\
         [realm.core]\nside = \"core\"\ndefault = true\naddresses = [\"{net}.2\"]\nports = \"10000-32767\"\n",
        calls.saturating_add(16),
    );
    let loaded = load_text("demo", &text, &[]);
    let problem = loaded.errors().next().map(ToString::to_string).unwrap_or_default();
    loaded.config.ok_or(Failure::Failed(problem))
}
