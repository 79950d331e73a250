//! `agw-loadtest setup`: contexts are set up and torn down at a rate, or as fast as the gateway answers, and what they took from the gateway's
//! process must be back in the end.
//!
//! The oldest context is torn down once more than `hold` are up. No media flows. A first part, which is not counted, lets the gateway's
//! memory reach its working size, so that growth afterwards is a leak and not a beginning. With rounds, `hold` contexts are set up, looked
//! at and all torn down again and again: what the process takes must be the same each time.

use crate::calls::{CallKeys, CallPlan};
use crate::control::{Dialer, Event, GatewayAddress};
use crate::generator::Totals;
use crate::measure::Times;
use crate::process::{Usage, Watched};
use crate::report::{Asked, Contexts, MIN_OFFERED_SHARE, Report, Second, SetUp};
use crate::run::RunError;
use agw_core::io::sys;
use agw_srtp::Suite;
use std::collections::VecDeque;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How much larger the process may be in the end, as a part of what it was, beside [`MEMORY_TOLERANCE_BYTES`].
pub const MEMORY_TOLERANCE_RATIO: f64 = 0.05;
/// The same in bytes: pages that an allocator holds back.
pub const MEMORY_TOLERANCE_BYTES: u64 = 2 << 20;
/// How long a gateway may take to give everything back: ports rest for a while before they are used again, and replies are kept for half
/// a minute in case a request is repeated (H.248.1 Annex D.1.1).
const RETURN_WAIT: Duration = Duration::from_secs(40);
/// The most contexts held at once.
pub const MAX_HOLD: usize = 1_000_000;

/// What `setup` is to do.
#[derive(Debug, Clone)]
pub struct SetupRun {
    /// The gateway.
    pub gateway: GatewayAddress,
    /// Contexts per second; 0: as fast as the gateway answers.
    pub per_second: f64,
    /// How long.
    pub duration: Duration,
    /// How long the first part is, which is not counted.
    pub warm_up: Duration,
    /// Set-ups and tear-downs in progress at once.
    pub window: usize,
    /// Contexts up at once.
    pub hold: usize,
    /// SRTP on the access side.
    pub suite: Option<Suite>,
    /// How often `hold` contexts are set up and torn down, in place of a run at a rate; 0: not at all.
    pub rounds: u32,
    /// The gateway's process.
    pub pid: Option<u32>,
    /// Ends the run early when set: what is up is torn down, the result is invalid.
    pub stop: Arc<AtomicBool>,
}

impl SetupRun {
    /// Sets up `hold` contexts and tears them down, `rounds` times; `tell` is given each round. Between rounds the gateway forgets its
    /// replies. Whether nothing failed, every file was closed, and the process never took more than in the second round (the first
    /// one makes its working memory) beyond what [`is_back`] allows.
    ///
    /// # Errors
    /// When nothing could be asked at all, or the process is gone.
    pub fn run_rounds(&self, tell: &mut dyn FnMut(&Round)) -> Result<bool, RunError> {
        let pid = self.pid.unwrap_or(std::process::id());
        let gone = |error| RunError::Process(pid, error);
        let watched = Watched::new(pid).map_err(gone)?;
        let before = watched.look().map_err(gone)?;
        let (mut good, mut usual, mut next_call) = (true, None, 0);
        for number in 1..=self.rounds {
            let mut churn = Churn::new(self, next_call)?;
            let started = Instant::now();
            churn.fill()?;
            let took = started.elapsed();
            let held = watched.look().map_err(gone)?;
            churn.empty()?;
            next_call = churn.next_call;
            settle(self.pid.map(|_| held), &self.stop);
            let after = watched.look().map_err(gone)?;
            let round = Round { number, contexts: churn.contexts.set_up, took, before, held, after };
            tell(&round);
            let all = round.contexts == self.hold as u64 && churn.contexts.torn_down == round.contexts;
            good &= all && after.open_files <= before.open_files;
            if number == 2 {
                usual = Some((held, after));
            }
            good &= usual.is_none_or(|(up, gone)| is_back(up, held) && is_back(gone, after));
        }
        Ok(good && !self.stop.load(Ordering::Relaxed))
    }

    /// Runs; `live` is shown every second, with contexts in place of packets.
    ///
    /// # Errors
    /// When nothing could be asked at all. Refused contexts are no error but a result.
    pub fn run(&self, live: &mut dyn FnMut(&Second)) -> Result<Report, RunError> {
        let watched = self.pid.map(|pid| Watched::new(pid).map_err(|error| RunError::Process(pid, error)));
        let watched = watched.transpose()?;
        let look = || watched.and_then(|watched| watched.look().ok());
        let mut first_call = 0;
        if !self.warm_up.is_zero() {
            first_call = Churn::new(self, 0)?.run(self.warm_up, &mut |_| ())?.next_call;
            settle(look(), &self.stop);
        }
        let before = look();
        let cpu_before_ns = sys::thread_cpu_ns();
        let started = Instant::now();
        let done = Churn::new(self, first_call)?.run(self.duration, live)?;
        let cpu_ns = sys::thread_cpu_ns() - cpu_before_ns;
        let cpu_ratio = cpu_ns as f64 / started.elapsed().as_nanos().max(1) as f64;
        let after = before.and_then(|before| returned(before, look));
        Ok(self.report(done, cpu_ratio, before, after))
    }

    fn report(&self, done: Churn<'_>, cpu_ratio: f64, before: Option<Usage>, after: Option<Usage>) -> Report {
        let totals = Totals { cpu_ratio, ..Totals::default() };
        let asked = Asked {
            gateway: self.gateway.to_string(),
            calls: 0,
            pps: 0,
            seconds: self.duration.as_secs_f64(),
            direction: "setup".to_owned(),
            suite: self.suite.map(|suite| suite.name().to_owned()),
            payload_bytes: 0,
            loss_bound: 0.0,
        };
        let contexts_per_second =
            done.contexts.set_up as f64 / self.duration.as_secs_f64().max(f64::MIN_POSITIVE);
        let setup = SetUp { contexts_per_second, p99_ms: done.contexts.reply_us.p99 / 1000.0 };
        let mut report = Report::new(asked, &totals, self.duration, setup, done.seconds);
        let contexts = Contexts { before, after, ..done.contexts };
        report.passed = report.valid && self.bound_held(&contexts, contexts_per_second);
        report.contexts = Some(contexts);
        if self.stop.load(Ordering::Relaxed) {
            report.invalidate("the run was ended early");
        }
        report
    }

    fn bound_held(&self, contexts: &Contexts, contexts_per_second: f64) -> bool {
        let fast_enough = contexts_per_second >= self.per_second * MIN_OFFERED_SHARE;
        let all_gone = contexts.failed == 0 && contexts.torn_down == contexts.set_up && contexts.set_up > 0;
        let given_back = match (contexts.before, contexts.after) {
            (Some(before), Some(after)) => is_back(before, after),
            (Some(_), None) => false,
            (None, _) => true,
        };
        fast_enough && all_gone && given_back
    }
}

/// Gives a gateway the time to return what the warm-up took: as long as it gets after the run, so that both looks see it at rest. What
/// was returned early is not waited for, for memory does not say what is still to come.
fn settle(usage: Option<Usage>, stop: &AtomicBool) {
    let started = Instant::now();
    while usage.is_some() && started.elapsed() < RETURN_WAIT && !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Whether a process has no more files open and no more memory than before.
fn is_back(before: Usage, after: Usage) -> bool {
    let memory = before.rss_bytes as f64 * (1.0 + MEMORY_TOLERANCE_RATIO) + MEMORY_TOLERANCE_BYTES as f64;
    after.open_files <= before.open_files && after.rss_bytes as f64 <= memory
}

/// The usage once it is back to what it was, or else the last one seen.
fn returned(before: Usage, look: impl Fn() -> Option<Usage>) -> Option<Usage> {
    let started = Instant::now();
    loop {
        let now = look()?;
        if is_back(before, now) || started.elapsed() > RETURN_WAIT {
            return Some(now);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// One of several times that contexts were set up, looked at and torn down.
#[derive(Debug, Clone, Copy)]
pub struct Round {
    /// From 1.
    pub number: u32,
    /// How many were up.
    pub contexts: u64,
    /// How long it took to set them up.
    pub took: Duration,
    /// The gateway's process before the first round.
    pub before: Usage,
    /// While all were up.
    pub held: Usage,
    /// When all were gone and forgotten.
    pub after: Usage,
}

impl std::fmt::Display for Round {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let per_context = self.held.rss_bytes.saturating_sub(self.before.rss_bytes) / self.contexts.max(1);
        write!(
            f,
            "round {:>2}: {} contexts in {:.2} s; while up {:.1} MB ({per_context} B each above the start), {} files; \
             afterwards {:.1} MB, {} files",
            self.number,
            self.contexts,
            self.took.as_secs_f64(),
            self.held.rss_bytes as f64 / 1e6,
            self.held.open_files,
            self.after.rss_bytes as f64 / 1e6,
            self.after.open_files,
        )
    }
}

/// Contexts coming and going.
struct Churn<'a> {
    run: &'a SetupRun,
    dialer: Dialer,
    /// Media addresses that are ours, so that nobody else gets packets that a gateway might send.
    ends: (UdpSocket, UdpSocket),
    next_call: u32,
    up: VecDeque<u32>,
    in_progress: usize,
    contexts: Contexts,
    /// How long the replies of this second took.
    recent: Times,
    seconds: Vec<Second>,
}

impl<'a> Churn<'a> {
    fn new(run: &'a SetupRun, next_call: u32) -> Result<Self, RunError> {
        let dialer = Dialer::connect(&run.gateway)?;
        let any = SocketAddr::new(dialer.local_ip()?, 0);
        let contexts =
            Contexts { asked_per_second: run.per_second, held: run.hold as u64, ..Contexts::default() };
        Ok(Self {
            run,
            dialer,
            ends: (UdpSocket::bind(any)?, UdpSocket::bind(any)?),
            next_call,
            up: VecDeque::new(),
            in_progress: 0,
            contexts,
            recent: Times::new(),
            seconds: Vec::new(),
        })
    }

    /// Keeps contexts coming for `duration`, then tears all down.
    fn run(mut self, duration: Duration, live: &mut dyn FnMut(&Second)) -> Result<Self, RunError> {
        let started = Instant::now();
        let (mut events, mut asked, mut previous) = (Vec::new(), 0u64, (Duration::ZERO, 0u64, 0u64));
        loop {
            let elapsed = started.elapsed();
            let over = elapsed >= duration || self.run.stop.load(Ordering::Relaxed);
            if over && self.in_progress == 0 && self.up.is_empty() {
                break;
            }
            // Tear-downs go first: set-ups, of which there may always be another one due, would take every place in the window.
            let keep = if over { 0 } else { self.run.hold };
            while self.up.len() > keep && self.in_progress < self.run.window {
                let Some(call) = self.up.pop_front() else { break };
                self.dialer.tear_down(call);
                self.in_progress += 1;
            }
            let mut due = if over { 0 } else { self.due(elapsed).saturating_sub(asked) };
            while due > 0 && self.in_progress < self.run.window {
                self.ask()?;
                due -= 1;
                asked += 1;
            }
            self.dialer.step(Duration::from_millis(1), &mut events)?;
            events.drain(..).for_each(|event| self.note(event));
            if !over && elapsed >= previous.0 + Duration::from_secs(1) {
                let second = self.second(elapsed, &previous, asked);
                live(&second);
                self.seconds.push(second);
                self.recent.clear();
                previous = (elapsed, asked, self.contexts.set_up);
            }
        }
        self.contexts.reply_us = self.dialer.replies().quantiles();
        Ok(self)
    }

    /// Sets up as many as are to be held.
    fn fill(&mut self) -> Result<(), RunError> {
        let mut asked = 0;
        while (asked < self.run.hold && !self.run.stop.load(Ordering::Relaxed)) || self.in_progress > 0 {
            while asked < self.run.hold && self.in_progress < self.run.window {
                self.ask()?;
                asked += 1;
            }
            self.step()?;
        }
        Ok(())
    }

    /// Tears all down.
    fn empty(&mut self) -> Result<(), RunError> {
        while !self.up.is_empty() || self.in_progress > 0 {
            while self.in_progress < self.run.window {
                let Some(call) = self.up.pop_front() else { break };
                self.dialer.tear_down(call);
                self.in_progress += 1;
            }
            self.step()?;
        }
        Ok(())
    }

    fn step(&mut self) -> Result<(), RunError> {
        let mut events = Vec::new();
        self.dialer.step(Duration::from_millis(1), &mut events)?;
        events.into_iter().for_each(|event| self.note(event));
        Ok(())
    }

    /// How many contexts should have been asked for.
    fn due(&self, elapsed: Duration) -> u64 {
        if self.run.per_second > 0.0 {
            (elapsed.as_secs_f64() * self.run.per_second) as u64 + 1
        } else {
            u64::MAX
        }
    }

    fn ask(&mut self) -> Result<(), RunError> {
        let keys = self.run.suite.map(CallKeys::random).transpose()?;
        let plan = CallPlan {
            call: self.next_call,
            access: self.ends.0.local_addr()?,
            core: self.ends.1.local_addr()?,
            keys,
        };
        self.next_call = self.next_call.wrapping_add(1);
        self.dialer.set_up(&plan);
        self.in_progress += 1;
        Ok(())
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Up(up) => {
                self.contexts.set_up += 1;
                self.up.push_back(up.call);
            }
            Event::Down { .. } => self.contexts.torn_down += 1,
            Event::Failed { reason, .. } => {
                self.contexts.failed += 1;
                self.contexts.first_failure.get_or_insert(reason);
            }
            Event::Replied { took } => {
                self.recent.record(took);
                return;
            }
        }
        self.in_progress = self.in_progress.saturating_sub(1);
    }

    fn second(&self, elapsed: Duration, previous: &(Duration, u64, u64), asked: u64) -> Second {
        let since = (elapsed - previous.0).as_secs_f64();
        Second {
            at: elapsed.as_secs_f64(),
            offered_pps: (asked - previous.1) as f64 / since,
            received_pps: (self.contexts.set_up - previous.2) as f64 / since,
            missing: self.contexts.failed,
            latency_us: self.recent.quantiles(),
            late_us_p99: 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_back_when_files_are_closed_and_memory_has_hardly_grown() {
        let before = Usage { rss_bytes: 100 << 20, open_files: 20, ..Usage::default() };
        assert!(is_back(before, Usage { rss_bytes: 106 << 20, open_files: 20, ..before }));
        assert!(!is_back(before, Usage { rss_bytes: 108 << 20, ..before }));
        assert!(!is_back(before, Usage { open_files: 21, ..before }));
    }
}
