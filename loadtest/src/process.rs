//! What the system knows of a process: its CPU time, memory, threads and open files (proc(5)).

use serde::Serialize;
use std::io;

/// A process that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watched {
    pid: u32,
}

/// A look at a process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// CPU time of all its threads that are alive, in user space and in the kernel, in nanoseconds.
    pub cpu_ns: u64,
    /// Memory that is resident.
    pub rss_bytes: u64,
    /// Threads.
    pub threads: u64,
    /// Open files; 0 when we may not know.
    pub open_files: u64,
}

impl Watched {
    /// Watches process `pid`.
    ///
    /// # Errors
    /// When there is none of that number.
    pub fn new(pid: u32) -> io::Result<Self> {
        let watched = Self { pid };
        watched.look().map(|_| watched)
    }

    /// Its usage now.
    ///
    /// # Errors
    /// When it is gone.
    pub fn look(&self) -> io::Result<Usage> {
        let root = format!("/proc/{}", self.pid);
        let mut cpu_ns = 0;
        for task in std::fs::read_dir(format!("{root}/task"))? {
            // A thread may end while we look.
            let Ok(text) = std::fs::read_to_string(task?.path().join("schedstat")) else { continue };
            cpu_ns += first_number(&text).unwrap_or(0);
        }
        let status = std::fs::read_to_string(format!("{root}/status"))?;
        let open_files = std::fs::read_dir(format!("{root}/fd")).map_or(0, Iterator::count);
        Ok(Usage {
            cpu_ns,
            rss_bytes: status_field(&status, "VmRSS:").unwrap_or(0) * 1024,
            threads: status_field(&status, "Threads:").unwrap_or(0),
            open_files: open_files as u64,
        })
    }
}

/// Lets sleeps of this thread end when they should and not up to 50 microseconds later (the usual timer slack). Where the system does
/// not allow it, sleeps are longer and the lateness says so.
pub(crate) fn sharpen_sleep() {
    let own = std::fs::read_link("/proc/thread-self");
    if let Some(thread) = own.ok().as_deref().and_then(|path| path.file_name()?.to_str()) {
        let _ = std::fs::write(format!("/proc/{thread}/timerslack_ns"), "1000");
    }
}

fn first_number(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().next()?.parse().ok()
}

fn status_field(status: &str, name: &str) -> Option<u64> {
    first_number(status.lines().find_map(|line| line.strip_prefix(name))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use agw_core::io::sys;

    #[test]
    fn our_own_work_shows_in_our_own_usage() {
        let own = Watched::new(std::process::id()).unwrap();
        let before = own.look().unwrap();
        let file = std::fs::File::open("/dev/null").unwrap();
        let first_ns = sys::thread_cpu_ns();
        while sys::thread_cpu_ns() < first_ns + 50_000_000 {
            std::hint::spin_loop();
        }
        let after = own.look().unwrap();
        // The scheduler brings the number of a running thread up to date at its tick only.
        assert!(after.cpu_ns >= before.cpu_ns + 20_000_000, "{before:?} {after:?}");
        assert!(after.threads >= 1 && after.rss_bytes > 0 && after.open_files >= 1);
        drop(file);
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        assert!(Watched::new(u32::MAX).is_err());
    }
}
