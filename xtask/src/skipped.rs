//! What could not be run, and why: one line each, from the tests (the interop crate writes them) and from the chores.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;

use crate::place;

/// The variable by which the interop crate finds the file.
pub(crate) const VARIABLE: &str = "AGW_SKIP_FILE";

pub(crate) fn file() -> PathBuf {
    place::target().join("skipped.txt")
}

/// Begins a new run.
pub(crate) fn forget() -> Result<(), String> {
    let file = file();
    fs::create_dir_all(place::target())
        .and_then(|()| fs::write(&file, ""))
        .map_err(|error| format!("{}: {error}", file.display()))
}

/// Adds a line as the tests do.
pub(crate) fn add(name: &str, why: &str) {
    let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
    let added = OpenOptions::new()
        .create(true)
        .append(true)
        .open(file())
        .and_then(|mut file| writeln!(file, "SKIPPED {name}: {why}"));
    if let Err(error) = added {
        eprintln!("SKIPPED {name}: {why} (not recorded: {error})");
    }
}

/// One line per thing that was missing, with the number of tests that wanted it.
pub(crate) fn summary() -> Vec<String> {
    gather(&fs::read_to_string(file()).unwrap_or_default())
}

fn gather(record: &str) -> Vec<String> {
    let mut wanted: BTreeMap<&str, usize> = BTreeMap::new();
    for line in record.lines() {
        let (what, tests) = match line.rsplit_once(" [") {
            Some((what, _test)) => (what, 1),
            None => (line, 0),
        };
        *wanted.entry(what).or_default() += tests;
    }
    wanted
        .into_iter()
        .map(|(what, tests)| match tests {
            0 => what.to_owned(),
            1 => format!("{what} (1 test)"),
            many => format!("{what} ({many} tests)"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::gather;

    #[test]
    fn tests_that_miss_the_same_peer_share_a_line() {
        let record = "SKIPPED tshark: not installed [a::b]\nSKIPPED tshark: not installed [c]\nSKIPPED deny: offline\n";
        assert_eq!(gather(record), ["SKIPPED deny: offline", "SKIPPED tshark: not installed (2 tests)"]);
    }
}
