//! How a command of ours ends when it does not succeed: one line that says what, where and what to do, and the exit code.

use std::fmt::Display;
use std::process::ExitCode;

/// Why a command did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// The command line or the request itself is wrong: exit code 2.
    Usage(String),
    /// It could not be done: exit code 1.
    Failed(String),
    /// As `Failed`, and everything has been said already.
    Told,
}

impl Failure {
    /// `what` could not be done because of `why`.
    pub fn because(what: impl Display, why: impl Display) -> Self {
        Self::Failed(format!("{what}: {why}"))
    }

    /// Says it on stderr and gives the exit code.
    pub fn tell(self) -> ExitCode {
        match self {
            Self::Usage(what) => {
                eprintln!("agw: {what}");
                ExitCode::from(2)
            }
            Self::Failed(what) => {
                eprintln!("agw: {what}");
                ExitCode::FAILURE
            }
            Self::Told => ExitCode::FAILURE,
        }
    }
}
