//! The record of tests that could not run.
//!
//! `cargo test` knows only "passed" and "ignored at compile time"; a peer is found missing while the test runs.
//! So the test writes a line to a file that `cargo xtask test` empties before and reads after the run.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;

/// Names the file that takes the `SKIPPED` lines; set by `cargo xtask test`.
pub const SKIP_FILE_VARIABLE: &str = "AGW_SKIP_FILE";

/// Asks for something the test cannot do without; `None` means: say so and return.
///
/// The probe either hands over what it found (a peer, a right) or says in a few words why not. The skip is
/// recorded in the file named by `AGW_SKIP_FILE` (default `target/skipped.txt`) as `SKIPPED name: why [test]`.
///
/// # Panics
/// When the line cannot be recorded: a skip nobody hears of would pass for a success.
pub fn require<T>(name: &str, probe: impl FnOnce() -> Result<T, String>) -> Option<T> {
    match probe() {
        Ok(found) => Some(found),
        Err(why) => {
            record(&skip_file(), name, &why);
            None
        }
    }
}

fn record(file: &Path, name: &str, why: &str) {
    let test = thread::current().name().unwrap_or("unnamed").to_owned();
    let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = format!("SKIPPED {name}: {why} [{test}]\n");
    eprint!("{line}");
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).expect("the skip file's folder can be made");
    }
    // One write call in append mode: lines of tests that run side by side stay whole.
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(file)
        .and_then(|mut open| open.write_all(line.as_bytes()))
        .expect("the skip file can be written");
}

fn skip_file() -> PathBuf {
    if let Some(named) = env::var_os(SKIP_FILE_VARIABLE) {
        return named.into();
    }
    target_folder().join("skipped.txt")
}

/// Cargo's target folder: named by `CARGO_TARGET_DIR`, else beside the workspace's manifest.
pub(crate) fn target_folder() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(named) => named.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_that_finds_hands_over_what_it_found() {
        assert_eq!(require("the number", || Ok(7)), Some(7));
    }

    #[test]
    fn a_missing_peer_is_recorded_in_one_line_with_the_name_of_the_test() {
        let file = env::temp_dir().join(format!("agw-skip-{}", std::process::id()));
        record(&file, "no-such-peer", "not\ninstalled");
        let text = fs::read_to_string(&file).unwrap();
        fs::remove_file(&file).unwrap();
        assert_eq!(
            text,
            "SKIPPED no-such-peer: not installed [skip::tests::a_missing_peer_is_recorded_in_one_line_with_the_name_of_the_test]\n"
        );
    }
}
