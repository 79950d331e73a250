//! The side-by-side run of ending TLS: this gateway and HAProxy each end mutual TLS towards phones and speak TCP towards the core, on the same core of the
//! machine, one after the other, several times. What is compared is processor time of the gateway's process: bytes per second of it, and handshakes
//! (each with its connection to the core, a few bytes there and back, and the orderly end) per second of it.

mod gateways;
mod load;

use clap::Parser;
use gateways::{Gateway, Kind};
use load::Load;
use std::path::PathBuf;
use std::process::ExitCode;

/// Compares what ending TLS costs this gateway and HAProxy.
#[derive(Debug, Parser)]
#[command(name = "terminate")]
struct Arguments {
    /// Handshakes of each run
    #[arg(long, default_value_t = 2000)]
    handshakes: usize,
    /// Megabytes of each run, through one stream
    #[arg(long, default_value_t = 1000)]
    megabytes: usize,
    /// Rounds; every round runs each gateway once
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The core of the gateways
    #[arg(long, default_value_t = 0)]
    gateway_core: usize,
    /// The core of the load
    #[arg(long, default_value_t = 1)]
    load_core: usize,
    /// How many times as many handshakes as HAProxy there must be
    #[arg(long, default_value_t = 1.5)]
    handshake_ratio: f64,
    /// How many times as many bytes as HAProxy there must be
    #[arg(long, default_value_t = 1.0)]
    byte_ratio: f64,
    /// This gateway's binary [default: beside this one]
    #[arg(long)]
    agw: Option<PathBuf>,
    /// HAProxy's binary
    #[arg(long, default_value = "/usr/sbin/haproxy")]
    haproxy: PathBuf,
}

/// What one gateway did in one round, per second of its processor time.
#[derive(Debug, Clone, Copy)]
struct Outcome {
    handshakes_per_second: f64,
    megabytes_per_second: f64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match compare(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("terminate: {error}");
            ExitCode::from(1)
        }
    }
}

/// Says whether both bounds held.
fn compare(arguments: &Arguments) -> Result<bool, String> {
    load::stay_on(arguments.load_core)?;
    let mut outcomes: [Vec<Outcome>; 2] = Default::default();
    for round in 0..arguments.rounds {
        let mut kinds = Kind::ALL;
        if round % 2 == 1 {
            kinds.reverse();
        }
        for kind in kinds {
            let outcome = run_once(arguments, kind)?;
            println!(
                "round {}: {:>7}: {:>6.0} handshakes, {:>6.0} MB per second of processor time",
                round + 1,
                kind.name(),
                outcome.handshakes_per_second,
                outcome.megabytes_per_second
            );
            outcomes[kind as usize].push(outcome);
        }
    }
    let ratio = |of: fn(&Outcome) -> f64| {
        let [agw, haproxy] = [Kind::Agw, Kind::Haproxy].map(|kind| median(&outcomes[kind as usize], of));
        agw / haproxy
    };
    let handshakes = ratio(|outcome| outcome.handshakes_per_second);
    let bytes = ratio(|outcome| outcome.megabytes_per_second);
    println!(
        "agw : haproxy, medians: handshakes {handshakes:.2} (at least {:.2}), bytes {bytes:.2} (at least {:.2})",
        arguments.handshake_ratio, arguments.byte_ratio
    );
    Ok(handshakes >= arguments.handshake_ratio && bytes >= arguments.byte_ratio)
}

fn median(outcomes: &[Outcome], of: fn(&Outcome) -> f64) -> f64 {
    let mut values: Vec<f64> = outcomes.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn run_once(arguments: &Arguments, kind: Kind) -> Result<Outcome, String> {
    let load = Load::new()?;
    let binary = match (kind, &arguments.agw) {
        (Kind::Haproxy, _) => arguments.haproxy.clone(),
        (Kind::Agw, Some(named)) => named.clone(),
        (Kind::Agw, None) => std::env::current_exe()
            .map_err(|error| format!("cannot find myself: {error}"))?
            .with_file_name("agw"),
    };
    let mut gateway = Gateway::start(kind, &binary, arguments.gateway_core, &load)?;
    // One stream for the bytes and one for each handshake, all made before anything is measured.
    let doors = gateway.open(arguments.handshakes + 1)?;
    let before = gateway.processor_seconds()?;
    load.handshakes(&doors[1..])?;
    let between = gateway.processor_seconds()?;
    load.bytes(doors[0], arguments.megabytes)?;
    let after = gateway.processor_seconds()?;
    Ok(Outcome {
        handshakes_per_second: arguments.handshakes as f64 / (between - before),
        megabytes_per_second: arguments.megabytes as f64 / (after - between),
    })
}
