//! `cargo xtask test`: everything that must hold before a change lands, in one command.
//!
//! Cheap checks come first, cargo's own tests last, so that their closing lines end the output. A step that fails does not stop
//! the others: one run tells all that is wrong. What could not be run is listed in one line each, and in CI that is a failure too.

use std::time::{Duration, Instant};

use crate::shell::{command, run as run_loudly, run_and_watch, title};
use crate::{conformance, deny, fuzz, place, setup, skipped};

const FUZZ_SECONDS: u32 = 20;
/// What the tests build with; a build for use asks for it.
const ALL_FEATURES: &str = "agw/openssl";

#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Options {
    quick: bool,
    no_install: bool,
}

impl Options {
    pub(crate) fn parse(words: &[&str]) -> Result<Self, String> {
        let mut options = Self::default();
        for word in words {
            match *word {
                "--quick" => options.quick = true,
                "--no-install" => options.no_install = true,
                other => return Err(format!("test has no option {other}")),
            }
        }
        Ok(options)
    }
}

pub(crate) fn run(options: &Options) -> Result<(), String> {
    skipped::forget()?;
    if !options.quick && !options.no_install {
        setup::try_install_peers();
    }
    let mut steps = Steps::default();
    steps.take("format", || run_loudly(&mut command("cargo", &["fmt", "--all", "--check"])));
    steps.take("lints", || {
        let lints = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--locked",
            "--features",
            ALL_FEATURES,
            "--",
            "-D",
            "warnings",
        ];
        run_loudly(&mut command("cargo", &lints))
    });
    steps.take("documentation", || {
        // Maintainers read the private items too, so public pages may point at them.
        let flags = "-D warnings -A rustdoc::private-intra-doc-links";
        let pages = ["doc", "--workspace", "--no-deps", "--locked"];
        run_loudly(command("cargo", &pages).env("RUSTDOCFLAGS", flags))
    });
    steps.take("conformance table", conformance::run);
    steps.take("dependencies", deny::run);
    if !options.quick {
        steps.take("fuzzing", || fuzz::run(&fuzz::Options { seconds: FUZZ_SECONDS, targets: Vec::new() }));
    }
    if !options.quick {
        steps.take("demo", || {
            let demo = ["run", "--release", "--locked", "--", "demo", "--calls", "20", "--seconds", "3"];
            run_loudly(&mut command("cargo", &demo))
        });
    }
    let mut counts = Counts::default();
    // A gateway built without OpenSSL's headers must hold as well; only these crates look at the feature.
    steps.take("without OpenSSL", || {
        let lints = [
            "clippy",
            "-p",
            "agw-tls",
            "-p",
            "agw-dtls",
            "--all-targets",
            "--locked",
            "--",
            "-D",
            "warnings",
        ];
        run_loudly(&mut command("cargo", &lints))?;
        let mut tests =
            command("cargo", &["test", "-p", "agw-tls", "-p", "agw-dtls", "--locked", "--no-fail-fast"]);
        run_and_watch(&mut tests, |line| counts.see(line))
    });
    steps.take("tests", || cargo_test(options.quick, &mut counts));
    conclude(&steps, &counts)
}

/// Unit, integration, documentation and interop tests of all members.
fn cargo_test(quick: bool, counts: &mut Counts) -> Result<(), String> {
    let mut tests =
        command("cargo", &["test", "--workspace", "--locked", "--no-fail-fast", "--features", ALL_FEATURES]);
    if quick {
        tests.args(["--exclude", "interop"]);
    }
    let python = place::venv().join("bin/python");
    if python.exists() {
        tests.env("AGW_PYTHON", python);
    }
    tests.env(skipped::VARIABLE, skipped::file());
    run_and_watch(&mut tests, |line| counts.see(line))
}

#[derive(Default)]
struct Steps {
    done: Vec<(&'static str, Duration, Result<(), String>)>,
}

impl Steps {
    fn take(&mut self, name: &'static str, step: impl FnOnce() -> Result<(), String>) {
        title(name);
        let begun = Instant::now();
        let result = step();
        if let Err(why) = &result {
            println!("FAILED {name}: {why}");
        }
        self.done.push((name, begun.elapsed(), result));
    }
}

/// What cargo's tests said of themselves.
#[derive(Debug, Default, Eq, PartialEq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    /// Reads `test result: ok. 3 passed; 0 failed; 1 ignored; ...`.
    fn see(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let number = |what: &str| {
            result
                .split([';', '.'])
                .find_map(|part| part.trim().strip_suffix(what)?.trim().parse::<u64>().ok())
                .unwrap_or_default()
        };
        self.passed += number("passed");
        self.failed += number("failed");
        self.ignored += number("ignored");
    }
}

fn conclude(steps: &Steps, counts: &Counts) -> Result<(), String> {
    title("summary");
    let skips = skipped::summary();
    for line in &skips {
        println!("{line}");
    }
    for (name, took, result) in &steps.done {
        let word = if result.is_ok() { "ok    " } else { "FAILED" };
        println!("{word} {name} ({} s)", took.as_secs());
    }
    println!("tests: {} passed, {} failed, {} ignored", counts.passed, counts.failed, counts.ignored);
    let mut wrong: Vec<String> = steps
        .done
        .iter()
        .filter(|(_, _, result)| result.is_err())
        .map(|(name, _, _)| format!("{name} failed"))
        .collect();
    if place::in_ci() {
        if !skips.is_empty() {
            wrong.push(format!("{} skipped, and in CI nothing may be", skips.len()));
        }
        if counts.ignored > 0 {
            wrong.push(format!("{} ignored tests, and in CI nothing may be", counts.ignored));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargos_closing_lines_are_summed() {
        let mut counts = Counts::default();
        counts.see(
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.02s",
        );
        counts.see(
            "test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s",
        );
        counts.see("test deny::tests::a ... ok");
        assert_eq!(counts, Counts { passed: 14, failed: 3, ignored: 1 });
    }

    #[test]
    fn an_unknown_option_is_refused() {
        assert_eq!(Options::parse(&["--quick"]).unwrap(), Options { quick: true, no_install: false });
        assert!(Options::parse(&["--fast"]).is_err());
    }
}
