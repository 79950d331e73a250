//! Foreign programs with a deadline.
//!
//! A peer that hangs must not hang the suite, and a test that fails must not leave its peers running. Each program is
//! started in a process group of its own, its output is read by threads from the first byte (a full pipe would stop it), and
//! the whole group is killed at the deadline or when the [`Peer`] is dropped.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

const POLL: Duration = Duration::from_millis(10);
/// How long the output of a program that ended may still take: a grandchild can hold the pipe open.
const DRAIN: Duration = Duration::from_secs(2);

/// A program that ended: how, and everything it printed (standard output and error, line by line as they came).
#[derive(Debug)]
pub struct Finished {
    /// How it ended; a program killed at its deadline has no exit code.
    pub status: ExitStatus,
    /// Whether the deadline ended it.
    pub timed_out: bool,
    /// Its output.
    pub output: String,
}

impl Finished {
    /// Fails the test with the program's own words unless it ended with exit code 0.
    ///
    /// # Panics
    /// That is what it is for.
    #[track_caller]
    pub fn expect_success(self, what: &str) -> String {
        let how = if self.timed_out { "ran into its deadline".to_owned() } else { self.status.to_string() };
        assert!(self.status.success(), "{what}: {how}\n{}", self.output);
        self.output
    }
}

/// A running program; killed with all its children when dropped.
#[derive(Debug)]
pub struct Peer {
    child: Child,
    deadline: Instant,
    lines: Arc<Lines>,
    readers: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Lines {
    text: Mutex<String>,
    grown: Condvar,
}

/// Runs a program to its end, at most for `limit`.
///
/// # Errors
/// When it cannot be started.
pub fn run(command: &mut Command, limit: Duration) -> Result<Finished, String> {
    Ok(Peer::start(command, limit)?.wait())
}

impl Peer {
    /// Starts a program which must end within `limit`.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(command: &mut Command, limit: Duration) -> Result<Self, String> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        let lines = Arc::new(Lines::default());
        let mut readers = Vec::new();
        if let Some(pipe) = child.stdout.take() {
            readers.push(read_lines(pipe, Arc::clone(&lines)));
        }
        if let Some(pipe) = child.stderr.take() {
            readers.push(read_lines(pipe, Arc::clone(&lines)));
        }
        Ok(Self { child, deadline: Instant::now() + limit, lines, readers })
    }

    /// The process id, for `--pid` options.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything printed so far.
    pub fn output(&self) -> String {
        self.lines.text.lock().expect("a reader does not panic").clone()
    }

    /// Waits until the program has printed `words`; how a test knows that a peer listens.
    ///
    /// # Errors
    /// With everything printed, when the program ends or its deadline passes first.
    pub fn wait_for(&mut self, words: &str) -> Result<(), String> {
        loop {
            let ended = self.child.try_wait().map_err(|error| error.to_string())?.is_some();
            if ended {
                self.finish_reading();
            }
            let text = self.lines.text.lock().expect("a reader does not panic");
            if text.contains(words) {
                return Ok(());
            }
            if ended || Instant::now() >= self.deadline {
                let why = if ended { "the program ended" } else { "the deadline passed" };
                return Err(format!("{why} before it printed {words:?}\n{text}"));
            }
            // The time limit lets the end of the program be noticed too.
            drop(self.lines.grown.wait_timeout(text, POLL));
        }
    }

    /// Asks the program to end (SIGINT, as from a terminal), then waits for it.
    pub fn interrupt(self) -> Finished {
        self.signal(Signal::INT);
        self.wait()
    }

    /// Waits for the end, which the deadline forces if need be.
    pub fn wait(mut self) -> Finished {
        let (status, timed_out) = loop {
            if let Some(status) = self.child.try_wait().expect("the child can be waited for") {
                break (status, false);
            }
            if Instant::now() >= self.deadline {
                self.signal(Signal::KILL);
                break (self.child.wait().expect("the child can be waited for"), true);
            }
            thread::sleep(POLL);
        };
        self.finish_reading();
        Finished { status, timed_out, output: self.output() }
    }

    fn finish_reading(&mut self) {
        let until = Instant::now() + DRAIN;
        while self.readers.iter().any(|reader| !reader.is_finished()) && Instant::now() < until {
            thread::sleep(POLL);
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // The group may be gone already, which is what a kill wants.
            let _gone = kill_process_group(group, signal);
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _reaped = self.child.wait();
    }
}

fn read_lines(pipe: impl Read + Send + 'static, lines: Arc<Lines>) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while matches!(pipe.read_until(b'\n', &mut line), Ok(read) if read > 0) {
            lines.text.lock().expect("no one panics with the lock").push_str(&String::from_utf8_lossy(&line));
            lines.grown.notify_all();
            line.clear();
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_ends_gives_its_output_and_status() {
        let finished = run(&mut shell("echo out; echo err >&2; exit 3"), Duration::from_secs(5)).unwrap();
        assert_eq!(finished.status.code(), Some(3));
        assert!(finished.output.contains("out\n") && finished.output.contains("err\n"));
        assert!(!finished.timed_out);
    }

    #[test]
    fn a_program_that_hangs_is_ended_at_its_deadline_with_its_children() {
        let started = Instant::now();
        let finished = run(&mut shell("sleep 60 & echo child $!; wait"), Duration::from_millis(300)).unwrap();
        assert!(finished.timed_out);
        assert!(started.elapsed() < Duration::from_secs(5));
        let child = finished.output.trim().trim_start_matches("child ").to_owned();
        // Killed processes may stay as zombies for a moment, but they no longer sleep.
        let gone = (0..100).any(|_| {
            thread::sleep(POLL);
            std::fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|stat| stat.contains(") Z "))
                || std::fs::metadata(format!("/proc/{child}")).is_err()
        });
        assert!(gone, "process {child} lives on");
    }

    #[test]
    fn waiting_for_words_ends_when_they_come_or_when_they_cannot_come() {
        let mut ready = Peer::start(&mut shell("echo ready; sleep 60"), Duration::from_secs(5)).unwrap();
        assert_eq!(ready.wait_for("ready"), Ok(()));
        let mut silent = Peer::start(&mut shell("echo other"), Duration::from_secs(5)).unwrap();
        assert!(silent.wait_for("ready").unwrap_err().contains("other"));
    }

    #[test]
    fn a_missing_program_is_an_error_with_its_name() {
        assert!(
            run(&mut Command::new("no-such-program"), Duration::from_secs(1))
                .unwrap_err()
                .contains("no-such-program")
        );
    }
}
