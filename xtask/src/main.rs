//! The project's chores: `cargo xtask COMMAND`.
//!
//! Whatever a contributor or CI does more than once stands here, in plain std Rust that builds in a second, so that the same
//! commands work on every machine. `test` is the one that decides whether a change may land.

mod conformance;
mod deny;
mod fuzz;
mod place;
mod setup;
mod shell;
mod skipped;
mod test;

use std::env;
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask COMMAND

  test [--quick] [--no-install]   everything that must hold before a change lands
                                  --quick: no peers, no fuzzing, no demo
                                  --no-install: use only what is installed
  setup                           installs the real peers that the interop tests drive
  fuzz [--seconds N] [TARGET..]   fuzzes every target (or those named) for N seconds each, default 600
  deny                            licences, sources and versions of all dependencies
  conformance                     checks that docs/conformance.md cites tests that exist
";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test", options @ ..] => test::Options::parse(options).and_then(|options| test::run(&options)),
        ["setup"] => setup::install_peers(),
        ["fuzz", options @ ..] => fuzz::Options::parse(options).and_then(|options| fuzz::run(&options)),
        ["deny"] => deny::run(),
        ["conformance"] => conformance::run(),
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        _ => Err(format!("no such command: {}\n\n{USAGE}", words.join(" "))),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
