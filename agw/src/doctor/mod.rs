//! `agw doctor`: asks this host whether the configured gateway would run well on it, and prints what to do about each thing found.
//! The rules in [`rules`] see the host only through [`Host`], so tests can pretend any machine. A finding is `bad` when calls
//! would fail (exit code 1), a `warn`ing when they would work worse.

mod host;
mod rules;

pub use host::{Host, Machine};
pub use rules::examine;

use crate::config::load::{Source, load};
use crate::failure::Failure;
use std::fmt;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Works, but worse than it could.
    Warn,
    /// Calls would fail.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub verdict: Verdict,
    /// What was found.
    pub what: String,
    /// What to do about it: a command, or a sentence.
    pub fix: Option<String>,
}

impl Finding {
    fn good(what: impl Into<String>) -> Self {
        Self { verdict: Verdict::Good, what: what.into(), fix: None }
    }

    fn warn(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::Warn, what: what.into(), fix: Some(fix.into()) }
    }

    fn bad(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { verdict: Verdict::Bad, what: what.into(), fix: Some(fix.into()) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.verdict {
            Verdict::Good => " ok ",
            Verdict::Warn => "warn",
            Verdict::Bad => "BAD ",
        };
        write!(f, "{word}  {}", self.what)?;
        self.fix.as_ref().map_or(Ok(()), |fix| write!(f, "\n      fix: {fix}"))
    }
}

/// `agw doctor [-c FILE]`.
///
/// # Errors
/// When the configuration is wrong or a finding is bad.
pub fn run(source: &Source) -> Result<(), Failure> {
    let loaded = load(source);
    for problem in &loaded.problems {
        eprintln!("{problem}");
    }
    let Some(config) = loaded.config else { return Err(Failure::Told) };
    let findings = examine(&config, &Machine);
    let mut text: String = findings.iter().map(|f| format!("{f}\n")).collect();
    let count = |verdict| findings.iter().filter(|f| f.verdict == verdict).count();
    let (bad, warn) = (count(Verdict::Bad), count(Verdict::Warn));
    text.push_str(&format!("\n{} checks: {bad} bad, {warn} to improve\n", findings.len()));
    crate::print(&text)?;
    if bad > 0 { Err(Failure::Told) } else { Ok(()) }
}
