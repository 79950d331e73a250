//! `agw-loadtest`: floods and calls against a media gateway, judged packet by packet. The command line around the library.

mod cli;

use clap::Parser;
use cli::{Cli, Command, Output};
use loadtest::html;
use loadtest::report::{Report, Second};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The bound did not hold, or there is no result.
const FAILURE: u8 = 1;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let stop = stop_on_signals();
    let (result, output) = match &cli.command {
        Command::Rtp(arguments) => (arguments.to_run(stop).run(&mut show_packets), &arguments.output),
        Command::Setup(arguments) if arguments.rounds > 0 => {
            return rounds(arguments.to_run(stop).run_rounds(&mut |round| println!("{round}")));
        }
        Command::Setup(arguments) => (arguments.to_run(stop).run(&mut show_contexts), &arguments.output),
        Command::Msrp(arguments) => (arguments.to_run(stop).run(&mut show_packets), &arguments.output),
        Command::Dtls(arguments) => (arguments.to_run(stop).run(&mut show_packets), &arguments.output),
    };
    match result {
        Ok(report) => finish(&report, output),
        Err(error) => {
            eprintln!("agw-loadtest: {error}");
            ExitCode::from(FAILURE)
        }
    }
}

fn rounds(result: Result<bool, loadtest::run::RunError>) -> ExitCode {
    match result {
        Ok(true) => {
            println!("PASSED");
            ExitCode::SUCCESS
        }
        Ok(false) => {
            println!("FAILED");
            ExitCode::from(FAILURE)
        }
        Err(error) => {
            eprintln!("agw-loadtest: {error}");
            ExitCode::from(FAILURE)
        }
    }
}

/// The first SIGINT or SIGTERM ends the run in order, so that no call stays up at the gateway; the second ends the program.
fn stop_on_signals() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    let handled = ctrlc::set_handler(move || {
        if seen.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(FAILURE));
        }
        eprintln!("agw-loadtest: ending; once more to end at once");
    });
    if let Err(error) = handled {
        eprintln!("agw-loadtest: signals are not handled: {error}");
    }
    stop
}

fn show_packets(second: &Second) {
    let Second { at, offered_pps, received_pps, missing, latency_us, late_us_p99 } = second;
    println!(
        "{at:6.1} s  offered {offered_pps:>8.0}/s  received {received_pps:>8.0}/s  missing {missing:>6}  \
         p50 {:.0} p99 {:.0} p99.9 {:.0} us  late p99 {late_us_p99:.0} us",
        latency_us.p50, latency_us.p99, latency_us.p999
    );
}

fn show_contexts(second: &Second) {
    let Second { at, offered_pps, received_pps, missing, latency_us, .. } = second;
    println!(
        "{at:6.1} s  asked {offered_pps:>7.0}/s  up {received_pps:>7.0}/s  failed {missing:>6}  \
         replies p50 {:.0} p99 {:.0} p99.9 {:.0} us",
        latency_us.p50, latency_us.p99, latency_us.p999
    );
}

fn finish(report: &Report, output: &Output) -> ExitCode {
    println!("{report}");
    let json = serde_json::to_string_pretty(report).unwrap_or_default() + "\n";
    let files = [(output.json.as_deref(), json), (output.html.as_deref(), html::page(report))];
    for (path, text) in files {
        if let Some(error) = path.and_then(|path| write(path, &text).err()) {
            eprintln!("agw-loadtest: {error}");
            return ExitCode::from(FAILURE);
        }
    }
    if report.passed { ExitCode::SUCCESS } else { ExitCode::from(FAILURE) }
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))
}
