//! The media plane of an IMS Access Gateway: the process. It knows the machine (threads, sockets, files, signals, time) so that
//! nothing below it has to: `runtime` starts and supervises the packet workers, `control` speaks Iq and owns the controller, `admin`
//! answers HTTP on a thread of its own, `demo` runs the whole in one process for a newcomer.

pub mod admin;
pub mod cli;
pub mod config;
pub mod control;
pub mod demo;
pub mod doctor;
pub mod engine;
pub mod failure;
pub mod iq;
pub mod logging;
pub mod metrics;
pub mod run;
pub mod runtime;
pub mod shared;
pub mod stock;
pub mod tls;

use admin::tables;
use clap::Parser;
use clap::error::ErrorKind;
use cli::{Cli, Command};
use config::load::load;
use failure::Failure;
use std::io::Write;
use std::process::ExitCode;

/// The whole program: reads the command line, obeys, gives the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match obey(cli.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.tell(),
    }
}

/// Help and version go out whole; a mistake is one line.
fn usage(error: &clap::Error) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let _ = error.print();
        return ExitCode::from(2);
    }
    let text = error.render().to_string();
    let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    let details: Vec<&str> =
        text.lines().skip(1).take_while(|l| l.starts_with("  ")).map(str::trim).collect();
    let details = if details.is_empty() { String::new() } else { format!(" {}", details.join(", ")) };
    Failure::Usage(format!("{line}{details} (agw --help shows the commands)")).tell()
}

fn obey(command: Option<Command>) -> Result<(), Failure> {
    match command {
        None => run::run(&cli::Run::default()),
        Some(Command::Run(request)) => run::run(&request),
        Some(Command::Demo(request)) => demo::run(&request),
        Some(Command::Check(configuration)) => check(&configuration),
        Some(Command::Config) => print(config::DEFAULT_TOML),
        Some(Command::Iq(cli::Iq::Send(request))) => iq::send(&request),
        Some(Command::Iq(cli::Iq::Trace(request))) => iq::trace(&request),
        Some(Command::Status(ask)) => tables::status(&ask),
        Some(Command::Contexts(request)) => tables::contexts(&request),
        Some(Command::Context(request)) => tables::context(&request),
        Some(Command::Workers(ask)) => tables::workers(&ask),
        Some(Command::Drops(ask)) => tables::drops(&ask),
        Some(Command::Drain(request)) => tables::drain(&request),
        Some(Command::Realm(request)) => tables::realm(&request),
        Some(Command::Doctor(configuration)) => doctor::run(&configuration.source()),
    }
}

fn check(configuration: &cli::Configuration) -> Result<(), Failure> {
    let loaded = load(&configuration.source());
    for problem in &loaded.problems {
        eprintln!("{problem}");
    }
    if loaded.config.is_none() {
        return Err(Failure::Told);
    }
    let warnings = loaded.warnings().count();
    print(&match warnings {
        0 => "the configuration is good\n".to_owned(),
        1 => "the configuration is usable, with 1 warning\n".to_owned(),
        n => format!("the configuration is usable, with {n} warnings\n"),
    })
}

/// Prints to stdout; a reader that went away (`agw config | head`) is no failure.
pub fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::because("cannot write", e)),
        _ => Ok(()),
    }
}
