//! What the demo looks like: on a terminal a table drawn in place, elsewhere one plain line a second. With `--json` nothing.

use super::messages::readable;
use super::{Calls, Outcome};
use crate::admin::views::Traced;
use crate::cli::Demo;
use crate::failure::Failure;
use crate::print;
use crate::runtime::WorkerWatch;
use agw_core::model::Leg;
use agw_core::worker::stats::{Counter, PacketKind};
use loadtest::generator::Totals;
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::time::Duration;

/// Characters of a bar.
const BAR: usize = 30;
/// The longest delay that a bar can show; the scale is logarithmic from 10 microseconds.
const BAR_MAX_US: f64 = 100_000.0;
/// Seconds of the rate that are drawn.
const RATES: usize = 40;

/// What a frame shows.
pub(super) struct Scene<'a> {
    pub(super) totals: &'a Totals,
    pub(super) calls: &'a Calls,
    pub(super) watches: &'a [WorkerWatch],
}

/// The screen.
pub(super) struct View {
    quiet: bool,
    terminal: bool,
    calls: u32,
    seconds: u32,
    suite: &'static str,
    lines_drawn: usize,
    rates: Vec<f64>,
    last: (Duration, u64),
    last_line: Duration,
}

impl View {
    pub(super) fn new(request: &Demo, suite: &'static str) -> Self {
        Self {
            quiet: request.json,
            terminal: std::io::stdout().is_terminal(),
            calls: request.calls,
            seconds: request.seconds,
            suite,
            lines_drawn: 0,
            rates: Vec::new(),
            last: (Duration::ZERO, 0),
            last_line: Duration::ZERO,
        }
    }

    fn say(&self, text: &str) -> Result<(), Failure> {
        if self.quiet { Ok(()) } else { print(text) }
    }

    fn style(&self, code: &str, text: &str) -> String {
        if self.terminal { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    pub(super) fn begin(&self, iq: SocketAddr) -> Result<(), Failure> {
        let title = self.style("1", "AGW demo");
        self.say(&format!(
            "{title}: {} calls, {} s, {} towards the phones, RTP towards the core\n\
             gateway on Iq {iq}, everything over real sockets on loopback\n\n",
            self.calls, self.seconds, self.suite
        ))
    }

    /// The messages of the first call.
    pub(super) fn messages(&self, messages: &[Traced]) -> Result<(), Failure> {
        for (title, lines) in messages.iter().filter_map(readable).take(2) {
            let mut text = format!("{}\n", self.style("1", &format!("{title}:")));
            for line in lines {
                let _ = writeln!(text, "  {}", self.style("2", &line));
            }
            text.push('\n');
            self.say(&text)?;
        }
        Ok(())
    }

    pub(super) fn set_up(&self, calls: &Calls) -> Result<(), Failure> {
        let mut text = format!(
            "{} calls set up over Iq in {:.2} s ({:.0} a second)\n",
            calls.up.len(),
            calls.took.as_secs_f64(),
            calls.per_second()
        );
        if let Some(why) = &calls.first_refusal {
            let _ = writeln!(text, "{} calls refused, the first because: {why}", calls.refused);
        }
        text.push('\n');
        self.say(&text)
    }

    pub(super) fn draw(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        let elapsed = scene.totals.elapsed;
        let sent = scene.totals.counts.sent;
        let since = elapsed.saturating_sub(self.last.0).as_secs_f64();
        if since > 0.05 && !scene.totals.sending_over {
            self.rates.push(sent.saturating_sub(self.last.1) as f64 / since);
            if self.rates.len() > RATES {
                self.rates.remove(0);
            }
            self.last = (elapsed, sent);
        }
        if self.quiet {
            return Ok(());
        }
        if self.terminal {
            return self.draw_table(scene);
        }
        if elapsed.saturating_sub(self.last_line) < Duration::from_secs(1) {
            return Ok(());
        }
        self.last_line = elapsed;
        let counts = scene.totals.counts;
        let times = scene.totals.latency.quantiles();
        // What is under way just now is not lost.
        self.say(&format!(
            "{:>4.0} s  sent {}  received {}  corrupt {}  delay p50 {:.0} us  p99 {:.0} us\n",
            elapsed.as_secs_f64(),
            counts.sent,
            counts.received,
            counts.corrupt,
            times.p50,
            times.p99
        ))
    }

    fn draw_table(&mut self, scene: &Scene<'_>) -> Result<(), Failure> {
        let lines = self.table(scene);
        let mut text = String::new();
        if self.lines_drawn > 0 {
            let _ = write!(text, "\x1b[{}A", self.lines_drawn);
        }
        for line in &lines {
            let _ = writeln!(text, "\x1b[2K{line}");
        }
        self.lines_drawn = lines.len();
        self.say(&text)
    }

    fn table(&self, scene: &Scene<'_>) -> Vec<String> {
        let counts = scene.totals.counts;
        let through = |received: Leg, sent: Leg| {
            let sum = |of: fn(Leg, PacketKind) -> Counter, leg| -> u64 {
                let kinds = [PacketKind::Rtp, PacketKind::Srtp];
                scene.watches.iter().flat_map(|w| kinds.map(|k| w.counters.get(of(leg, k)))).sum()
            };
            (number(sum(Counter::Received, received)), number(sum(Counter::Sent, sent)))
        };
        let (up_in, up_out) = through(Leg::Access, Leg::Core);
        let (down_in, down_out) = through(Leg::Core, Leg::Access);
        let bad = |n: u64| self.style(if n == 0 { "32" } else { "1;31" }, &number(n));
        let damaged = counts.corrupt + counts.misdirected + counts.duplicated + counts.stale;
        // The last tenth of a second is still under way.
        let lost = if scene.totals.sending_over { counts.lost() } else { 0 };
        let times = scene.totals.latency.quantiles();
        let bar = |us: f64| self.style("36", &bar(us));
        let elapsed = scene.totals.elapsed.as_secs_f64().min(self.seconds.into());
        vec![
            format!(
                "  phones  {}  core     in {up_in:>12}   out {up_out:>12}",
                self.style("36", "SRTP ──▶ AGW ──▶ RTP")
            ),
            format!(
                "  phones  {}  core     in {down_in:>12}   out {down_out:>12}",
                self.style("36", "SRTP ◀── AGW ◀── RTP")
            ),
            String::new(),
            format!("  sent      {:>12}      lost      {}", number(counts.sent), bad(lost)),
            format!("  received  {:>12}      corrupt   {}", number(counts.received), bad(damaged)),
            format!(
                "  calls     {:>12}      set up    {:.0} a second",
                scene.calls.up.len(),
                scene.calls.per_second()
            ),
            String::new(),
            format!("  delay p50 {} {}", bar(times.p50), time(times.p50)),
            format!("        p99 {} {}", bar(times.p99), time(times.p99)),
            format!(
                "  rate      {} {:.0} packets/s",
                sparkline(&self.rates),
                self.rates.last().copied().unwrap_or(0.0)
            ),
            format!(
                "  time      {} {elapsed:.0} of {} s",
                progress(elapsed / f64::from(self.seconds)),
                self.seconds
            ),
        ]
    }

    pub(super) fn end(&self, outcome: &Outcome) -> Result<(), Failure> {
        let word = if outcome.is_perfect() {
            self.style("1;32", "every packet came out as it should")
        } else {
            self.style("1;31", "not everything came out as it should")
        };
        self.say(&format!(
            "\n{word}\n  {} sent, {} received, {} lost, {} corrupt, {} calls refused\n  \
             delay p50 {}, p99 {}, max {}; {:.0} calls set up a second\n",
            number(outcome.sent),
            number(outcome.received),
            number(outcome.lost),
            number(outcome.corrupt),
            outcome.refused,
            time(outcome.latency_us.p50),
            time(outcome.latency_us.p99),
            time(outcome.latency_us.max),
            outcome.setup.contexts_per_second
        ))?;
        if outcome.is_perfect() {
            self.say("\nnext: `agw run` starts a gateway, `agw config` shows what can be configured, `agw --help` the rest\n")?;
        }
        Ok(())
    }
}

/// Thousands apart.
fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn time(us: f64) -> String {
    if us < 1000.0 { format!("{us:.0} µs") } else { format!("{:.1} ms", us / 1000.0) }
}

/// Length goes with the logarithm, from 10 microseconds on.
fn bar(us: f64) -> String {
    let share = (us.max(10.0) / 10.0).log10() / (BAR_MAX_US / 10.0).log10();
    let filled = ((share * BAR as f64).round() as usize).clamp(1, BAR);
    format!("{}{}", "█".repeat(filled), "░".repeat(BAR - filled))
}

fn progress(share: f64) -> String {
    let filled = ((share.clamp(0.0, 1.0) * BAR as f64).round() as usize).min(BAR);
    format!("{}{}", "━".repeat(filled), "─".repeat(BAR - filled))
}

fn sparkline(rates: &[f64]) -> String {
    const STEPS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = rates.iter().copied().fold(1.0, f64::max);
    rates.iter().map(|rate| STEPS[((rate / most * 7.0).round() as usize).min(7)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_thousands_apart() {
        assert_eq!([0, 999, 1000, 1_234_567].map(number), ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn bars_grow_with_time_and_stay_in_their_place() {
        let filled = |us| bar(us).chars().filter(|&c| c == '█').count();
        assert_eq!(filled(0.0), 1);
        assert!(filled(100.0) < filled(1000.0));
        assert_eq!(filled(1e9), BAR);
        assert_eq!(bar(1e9).chars().count(), BAR);
        assert_eq!(progress(2.0).chars().count(), BAR);
    }
}
