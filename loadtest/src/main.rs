//! `agw-loadtest`: floods and calls against a media gateway, judged packet by packet. The command line around the library.

mod cli;

use clap::Parser;
use cli::{Cli, Command, Output};
use loadtest::html;
use loadtest::report::{Report, Second};
use std::path::Path;
use std::process::ExitCode;

/// The bound did not hold, or there is no result.
const FAILURE: u8 = 1;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let (result, output) = match &cli.command {
        Command::Rtp(arguments) => (arguments.to_run().run(&mut show_packets), &arguments.output),
        Command::Setup(arguments) => (arguments.to_run().run(&mut show_contexts), &arguments.output),
    };
    match result {
        Ok(report) => finish(&report, output),
        Err(error) => {
            eprintln!("agw-loadtest: {error}");
            ExitCode::from(FAILURE)
        }
    }
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
