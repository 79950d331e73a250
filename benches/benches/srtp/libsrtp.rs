//! Debian's libsrtp2, timed by a small C program beside this file, because the project calls no foreign code in its own process.

use crate::turns::Operation;
use std::path::PathBuf;
use std::process::Command;

/// The compiled timing program.
pub(crate) struct Libsrtp(PathBuf);

impl Libsrtp {
    /// Compiles the program; `None`, with a line that says why, when there is no compiler or no libsrtp2.
    pub(crate) fn build() -> Option<Self> {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/libsrtp_bench.c");
        let program = std::env::temp_dir().join(format!("agw-libsrtp-bench-{}", std::process::id()));
        let built = Command::new("cc").args(["-O2", "-o"]).arg(&program).args([source, "-lsrtp2"]).output();
        match built {
            Ok(output) if output.status.success() => Some(Self(program)),
            Ok(_) => {
                println!("libsrtp2: not in the tables, its headers are not installed (package libsrtp2-dev)");
                None
            }
            Err(error) => {
                println!("libsrtp2: not in the tables, no C compiler ({error})");
                None
            }
        }
    }

    /// Median nanoseconds per packet, or `None` for a suite that the library lacks.
    pub(crate) fn time(&self, suite: &str, operation: Operation, packet_bytes: usize) -> Option<f64> {
        let output = Command::new(&self.0)
            .args([suite, operation.as_str(), &packet_bytes.to_string(), "16384"])
            .output()
            .ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse().ok()
    }
}

impl Drop for Libsrtp {
    fn drop(&mut self) {
        // A temporary file that is already gone is as good as removed.
        let _ = std::fs::remove_file(&self.0);
    }
}
