//! The side-by-side run: this gateway and rtpengine carry the same calls on the same core, one after the other, several times.
//!
//! Each round starts a fresh process of each gateway, pinned to one core with one worker thread, and floods it from another core with
//! `agw-loadtest`, whose JSON reports are what is compared. Rounds are interleaved and their order alternates, so that a machine that grows
//! warmer or busier harms both alike; what counts is the median and the ratio of the medians. A run in which the generator did not keep up
//! is repeated, and if it cannot be had the comparison fails rather than guesses.

mod gateway;
mod tables;

use clap::Parser;
use gateway::{Gateway, Kind};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;
use tables::{Comparison, Outcome};

/// How often a run whose generator did not keep up is repeated.
const ATTEMPTS: usize = 3;
/// How long a gateway gets to open its sockets.
const START_UP: Duration = Duration::from_secs(1);

/// Compares the CPU time per packet of this gateway with that of rtpengine.
#[derive(Debug, Parser)]
#[command(name = "compare")]
struct Arguments {
    /// Rates to compare at, in packets per second, each with the ratio that must not be exceeded
    #[arg(long, default_values = ["50000=0.55", "150000=0.65"], value_parser = rate_and_bound)]
    at: Vec<(u64, f64)>,
    /// Rounds; every round runs each gateway once at each rate
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Seconds of each run
    #[arg(long, default_value_t = 8)]
    seconds: u32,
    /// Calls at once
    #[arg(long, default_value_t = 500)]
    calls: u32,
    /// RTP payload in bytes
    #[arg(long, default_value_t = 160)]
    payload: u32,
    /// As agw-loadtest's
    #[arg(long, default_value = "srtp-to-rtp")]
    direction: String,
    /// As agw-loadtest's
    #[arg(long, default_value = "AES_CM_128_HMAC_SHA1_80")]
    suite: String,
    /// The part of the packets that a gateway may lose
    #[arg(long, default_value = "0.0001")]
    loss: String,
    /// The core of the gateways
    #[arg(long, default_value_t = 1)]
    gateway_core: usize,
    /// The core of the generator
    #[arg(long, default_value_t = 0)]
    generator_core: usize,
    /// This gateway's binary [default: beside this one]
    #[arg(long)]
    agw: Option<PathBuf>,
    /// The load test's binary [default: beside this one]
    #[arg(long)]
    loadtest: Option<PathBuf>,
    /// rtpengine's binary
    #[arg(long, default_value = "rtpengine")]
    rtpengine: PathBuf,
    /// Only these gateways, without a comparison
    #[arg(long, value_enum)]
    only: Option<Kind>,
    /// Write all numbers as JSON
    #[arg(long)]
    json: Option<PathBuf>,
}

fn rate_and_bound(text: &str) -> Result<(u64, f64), String> {
    let (rate, bound) = text.split_once('=').ok_or("expected RATE=RATIO, as in 50000=0.55")?;
    let rate = rate.parse().map_err(|_| format!("{rate:?} is no rate"))?;
    let bound = bound.parse().map_err(|_| format!("{bound:?} is no ratio"))?;
    Ok((rate, bound))
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match compare(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("compare: {error}");
            ExitCode::from(1)
        }
    }
}

/// Says whether every bound held.
fn compare(arguments: &Arguments) -> Result<bool, String> {
    let mut comparison = Comparison::new(&arguments.at);
    for round in 0..arguments.rounds {
        for &(pps, _) in &arguments.at {
            let mut kinds = Kind::ALL;
            if round % 2 == 1 {
                kinds.reverse();
            }
            for kind in kinds.into_iter().filter(|&kind| arguments.only.is_none_or(|only| only == kind)) {
                let outcome = run_until_valid(arguments, kind, pps)?;
                println!("round {}: {}", round + 1, outcome.line(kind, pps));
                comparison.add(kind, pps, outcome);
            }
        }
    }
    println!("\n{comparison}");
    if let Some(path) = &arguments.json {
        let json = serde_json::to_string_pretty(&comparison.to_json()).unwrap_or_default() + "\n";
        std::fs::write(path, json).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    }
    Ok(arguments.only.is_some() || comparison.bounds_held())
}

fn run_until_valid(arguments: &Arguments, kind: Kind, pps: u64) -> Result<Outcome, String> {
    let mut doubts = String::new();
    for _ in 0..ATTEMPTS {
        let report = run_once(arguments, kind, pps)?;
        if report.get("valid") == Some(&Value::Bool(true)) {
            return Outcome::read(&report).ok_or_else(|| "the load test's report lacks a number".to_owned());
        }
        doubts = report.get("invalid_because").map(Value::to_string).unwrap_or_default();
        println!("{} at {pps}/s: not counted, {doubts}", kind.name());
    }
    Err(format!("{} at {pps}/s: no valid run in {ATTEMPTS}: {doubts}", kind.name()))
}

/// One gateway process, one flood, one report.
fn run_once(arguments: &Arguments, kind: Kind, pps: u64) -> Result<Value, String> {
    let binary = match kind {
        Kind::Agw => beside(arguments.agw.as_ref(), "agw")?,
        Kind::Rtpengine => arguments.rtpengine.clone(),
    };
    let mut gateway = Gateway::start(kind, &binary, arguments.gateway_core)?;
    std::thread::sleep(START_UP);
    gateway.check_alive()?;
    let report = std::env::temp_dir().join(format!("agw-compare-{}.json", std::process::id()));
    let loadtest = beside(arguments.loadtest.as_ref(), "agw-loadtest")?;
    let pinned = gateway::pinned(&loadtest, arguments.generator_core);
    let output = flood(pinned, arguments, &gateway, pps).arg("--json").arg(&report).output();
    let output = output.map_err(|error| format!("cannot run {}: {error}", loadtest.display()))?;
    let text = std::fs::read_to_string(&report);
    let _ = std::fs::remove_file(&report);
    let said = || String::from_utf8_lossy(&output.stderr).trim().to_owned();
    let text = text.map_err(|_| format!("{} at {pps}/s: no report: {}", kind.name(), said()))?;
    serde_json::from_str(&text).map_err(|error| format!("the load test's report: {error}"))
}

fn flood(mut command: Command, arguments: &Arguments, gateway: &Gateway, pps: u64) -> Command {
    command
        .args(["rtp", "--gateway", &gateway.address, "--pid", &gateway.pid().to_string()])
        .args(["--calls", &arguments.calls.to_string(), "--pps", &pps.to_string()])
        .args(["--seconds", &arguments.seconds.to_string(), "--payload", &arguments.payload.to_string()])
        .args(["--direction", &arguments.direction, "--suite", &arguments.suite, "--loss", &arguments.loss])
        .stdin(Stdio::null());
    command
}

/// The binary that was named, or the one of that name beside this program.
fn beside(named: Option<&PathBuf>, name: &str) -> Result<PathBuf, String> {
    if let Some(path) = named {
        return Ok(path.clone());
    }
    let own = std::env::current_exe().map_err(|error| format!("cannot find myself: {error}"))?;
    let path = own.with_file_name(name);
    let hint =
        || format!("{} is not there; build it with `cargo build --release --workspace`", path.display());
    if path.exists() { Ok(path) } else { Err(hint()) }
}
