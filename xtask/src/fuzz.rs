//! Fuzzing with libFuzzer, without further tools.
//!
//! The stable compiler can lay LLVM's coverage instrumentation itself, so neither nightly nor cargo-fuzz is needed. What that
//! leaves out is AddressSanitizer; the fuzzed crates forbid unsafe code, and the panics, overflows, hangs and growth that fuzzing looks for
//! are found without it. Targets run side by side, one per processor. A finding is kept in `target/fuzz-findings/TARGET`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::place;
use crate::shell::{command, read, run as run_loudly};

const MANIFEST: &str = "fuzz/Cargo.toml";
const DEFAULT_SECONDS: u32 = 600;
/// An input that takes longer is a finding.
const TIMEOUT_SECONDS: u32 = 5;
const MEMORY_MB: u32 = 1024;
/// The instrumentation that cargo-fuzz asks for.
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Cllvm-args=-simplifycfg-branch-fold-threshold=0 -Ccodegen-units=1";

/// What a target has besides `fuzz/seeds/TARGET`: reference messages of the crates' own tests to begin with, and words to mutate with.
const MATERIAL: [(&str, Option<&str>, Option<&str>); 6] = [
    ("core_msrp", None, Some("fuzz/dictionaries/msrp.dict")),
    ("iq_gateway", Some("agw-iq/tests/vectors"), Some("fuzz/dictionaries/iq.dict")),
    ("iq_sdp", None, Some("fuzz/dictionaries/sdp.dict")),
    ("iq_text", Some("agw-iq/tests/vectors"), Some("fuzz/dictionaries/iq.dict")),
    ("srtp_sdes", None, Some("fuzz/dictionaries/sdp.dict")),
    ("tls_subject_key", Some("agw-tls/tests/fixtures"), None),
];

/// What to fuzz, and for how long each.
pub(crate) struct Options {
    pub(crate) seconds: u32,
    /// None means all.
    pub(crate) targets: Vec<String>,
}

impl Options {
    pub(crate) fn parse(words: &[&str]) -> Result<Self, String> {
        let mut options = Self { seconds: DEFAULT_SECONDS, targets: Vec::new() };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match *word {
                "--seconds" => {
                    let value = words.next().copied().unwrap_or_default();
                    options.seconds =
                        value.parse().map_err(|_| format!("--seconds wants a number, not {value:?}"))?;
                }
                option if option.starts_with('-') => return Err(format!("fuzz has no option {option}")),
                target => options.targets.push(target.to_owned()),
            }
        }
        Ok(options)
    }
}

/// Builds the targets and runs them; an error names those that found something.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    let targets = chosen(&known_targets()?, &options.targets)?;
    // With a platform named, the flags do not reach build scripts, which could not link with them.
    let platform = host_platform()?;
    let build = place::target().join("fuzz");
    let folder = build.display().to_string();
    let arguments = [
        "build",
        "-p",
        "fuzz",
        "--bins",
        "--profile",
        "fuzz",
        "--target",
        &platform,
        "--target-dir",
        &folder,
    ];
    run_loudly(command("cargo", &arguments).env("RUSTFLAGS", FLAGS))?;

    let programs = build.join(&platform).join("fuzz");
    let waiting = Mutex::new(targets.iter());
    let found = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(target) = next(&waiting) {
                    match fuzz_one(&programs.join(target), target, options.seconds) {
                        Ok(report) => println!("fuzz {target}: {report}"),
                        Err(why) => {
                            println!("fuzz {target}: FOUND SOMETHING\n{why}");
                            found.lock().unwrap_or_else(PoisonError::into_inner).push(target.clone());
                        }
                    }
                }
            });
        }
    });
    if place::in_ci() {
        // Nobody runs them again there, and what is built next needs the disk.
        let _ = fs::remove_dir_all(&build);
    }
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    if found.is_empty() { Ok(()) } else { Err(format!("fuzzing found something in {}", found.join(", "))) }
}

fn host_platform() -> Result<String, String> {
    let version = read(&mut command("rustc", &["-vV"]))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc -vV names no host".to_owned())
}

fn next<'a>(waiting: &Mutex<std::slice::Iter<'a, String>>) -> Option<&'a String> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner).next()
}

/// The names of the manifest's `[[bin]]` sections.
fn known_targets() -> Result<Vec<String>, String> {
    let manifest =
        fs::read_to_string(place::root().join(MANIFEST)).map_err(|error| format!("{MANIFEST}: {error}"))?;
    let names: Vec<String> = manifest
        .split("[[bin]]")
        .skip(1)
        .filter_map(|section| section.lines().find_map(|line| line.strip_prefix("name = ")))
        .map(|name| name.trim().trim_matches('"').to_owned())
        .collect();
    if names.is_empty() { Err(format!("{MANIFEST} names no target")) } else { Ok(names) }
}

fn chosen(known: &[String], wanted: &[String]) -> Result<Vec<String>, String> {
    if let Some(unknown) = wanted.iter().find(|name| !known.contains(name)) {
        return Err(format!("no fuzz target {unknown}; there are: {}", known.join(", ")));
    }
    Ok(if wanted.is_empty() { known.to_vec() } else { wanted.to_vec() })
}

fn fuzz_one(program: &Path, target: &str, seconds: u32) -> Result<String, String> {
    let corpus = made(place::target().join("fuzz-corpus").join(target))?;
    let findings = made(place::target().join("fuzz-findings").join(target))?;
    let mut fuzzer = command(&program.display().to_string(), &[]);
    fuzzer.arg(format!("-max_total_time={seconds}"));
    fuzzer.arg(format!("-timeout={TIMEOUT_SECONDS}"));
    fuzzer.arg(format!("-rss_limit_mb={MEMORY_MB}"));
    fuzzer.arg(format!("-artifact_prefix={}/", findings.display()));
    fuzzer.args(["-print_final_stats=1", "-verbosity=1"]);
    let material = MATERIAL.iter().find(|(name, ..)| *name == target);
    let (vectors, dictionary) = material.map_or((None, None), |(_, vectors, words)| (*vectors, *words));
    if let Some(dictionary) = dictionary {
        fuzzer.arg(format!("-dict={}", place::root().join(dictionary).display()));
    }
    fuzzer.arg(&corpus);
    let seeds = format!("fuzz/seeds/{target}");
    let seeds = [Some(seeds.as_str()), vectors].into_iter().flatten().map(|seeds| place::root().join(seeds));
    fuzzer.args(seeds.filter(|seeds| seeds.exists()));
    // libFuzzer reports on standard error, the finding's input last.
    fuzzer.stderr(std::process::Stdio::piped());
    let output = fuzzer.output().map_err(|error| format!("{}: {error}", program.display()))?;
    let report = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(in_short(&report)) } else { Err(tail(&report)) }
}

fn made(folder: PathBuf) -> Result<PathBuf, String> {
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

fn in_short(report: &str) -> String {
    let runs = report.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    format!("{} runs, nothing found", runs.unwrap_or("some").trim())
}

fn tail(report: &str) -> String {
    const LINES: usize = 60;
    let lines: Vec<&str> = report.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_its_line_in_the_manifest_and_every_seed_its_target() {
        let targets = known_targets().unwrap();
        let manifest = fs::read_to_string(place::root().join(MANIFEST)).unwrap();
        for folder in fs::read_dir(place::root().join("fuzz/targets")).unwrap() {
            for file in fs::read_dir(folder.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                let path = path.strip_prefix(place::root().join("fuzz")).unwrap().display().to_string();
                assert!(manifest.contains(&format!("path = \"{path}\"")), "{path}");
            }
        }
        for (target, vectors, dictionary) in MATERIAL {
            assert!(targets.iter().any(|known| known == target), "{target}");
            for path in [vectors, dictionary].into_iter().flatten() {
                assert!(place::root().join(path).exists(), "{path}");
            }
        }
        for seeds in fs::read_dir(place::root().join("fuzz/seeds")).unwrap() {
            let name = seeds.unwrap().file_name().into_string().unwrap();
            assert!(targets.contains(&name), "{name}");
        }
    }

    #[test]
    fn a_target_that_does_not_exist_is_refused_with_the_names_of_those_that_do() {
        let known = ["a".to_owned(), "b".to_owned()];
        assert_eq!(chosen(&known, &[]).unwrap(), known);
        assert!(chosen(&known, &["c".to_owned()]).unwrap_err().contains("a, b"));
    }

    #[test]
    fn seconds_must_be_a_number() {
        assert_eq!(Options::parse(&["--seconds", "20"]).unwrap().seconds, 20);
        assert!(Options::parse(&["--seconds"]).is_err());
        assert!(Options::parse(&["--second", "20"]).is_err());
    }
}
