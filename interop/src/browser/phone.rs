//! A phone of WebRTC that a test holds by a line: words go to `peers/webrtc`, texts come back.

use crate::peers::{WebPeer, number};
use crate::process::Peer;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

const LIFETIME: Duration = Duration::from_secs(120);
const ANSWER_LIMIT: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long media may take to come.
const MEDIA_LIMIT: Duration = Duration::from_secs(25);
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// A running phone; ends with the value.
#[derive(Debug)]
pub struct Phone {
    /// `None` once it has been ended.
    peer: Option<Peer>,
    /// Where it keeps what goes with it.
    folder: PathBuf,
    line: BufReader<TcpStream>,
}

impl Phone {
    /// Starts a phone and waits until it can be used; options as its script describes them.
    ///
    /// # Panics
    /// When it does not get ready: with everything it printed.
    pub fn start(peer: &WebPeer, options: &[&str]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let control = listener.local_addr().expect("a bound socket").to_string();
        let folder = std::env::temp_dir().join(format!("agw-phone-{}", control.replace(':', "-")));
        std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
        let mut command = peer.command(&control, options);
        let mut peer = Peer::start(command.env("TMPDIR", &folder), LIFETIME).expect("the phone starts");
        peer.wait_for("ready").expect("the phone gets ready");
        let (line, _) = listener.accept().expect("the phone calls");
        line.set_read_timeout(Some(ANSWER_LIMIT)).expect("a time limit is accepted");
        Self { peer: Some(peer), folder, line: BufReader::new(line) }
    }

    /// Its offer, whole; again while a call is up, the same one.
    ///
    /// # Panics
    /// When there is none.
    pub fn offer(&mut self) -> String {
        self.ask("offer", "")
    }

    /// An offer with new credentials of ICE.
    ///
    /// # Panics
    /// When there is none.
    pub fn offer_restart(&mut self) -> String {
        self.ask("offer", "restart")
    }

    /// Tells it the answer to its offer.
    ///
    /// # Panics
    /// When it does not like it: with its words.
    pub fn answer(&mut self, answer: &str) {
        self.ask("answer", answer);
    }

    /// Its answer to an offer.
    ///
    /// # Panics
    /// When it does not like the offer: with its words.
    pub fn accept(&mut self, offer: &str) -> String {
        self.ask("accept", offer)
    }

    /// What it has received, decoded and sent, as a line of JSON that [`number`] reads.
    ///
    /// # Panics
    /// When it does not say.
    pub fn report(&mut self) -> String {
        self.ask("report", "")
    }

    /// Runs a script in the browser's page; what it gives, if that is a text.
    ///
    /// # Panics
    /// When the script fails: with its words.
    pub fn run(&mut self, script: &str) -> String {
        self.ask("run", script)
    }

    /// Waits until every one of these numbers of its report has grown by so much, and gives the report.
    ///
    /// # Panics
    /// When they do not: with the last report.
    #[track_caller]
    pub fn wait_for_more(&mut self, growth: &[(&str, u64)]) -> String {
        let first = self.report();
        let count = |report: &str, key: &str| number(report, key).unwrap_or(0);
        let until = Instant::now() + MEDIA_LIMIT;
        loop {
            let report = self.report();
            let grown = |&(key, by): &(&str, u64)| count(&report, key) >= count(&first, key) + by;
            if growth.iter().all(grown) {
                return report;
            }
            assert!(Instant::now() < until, "not {growth:?} more than {first} but {report}");
            std::thread::sleep(LOOK_EVERY);
        }
    }

    fn ask(&mut self, word: &str, text: &str) -> String {
        let request = format!("{word} {}\n{text}", text.len());
        self.line.get_mut().write_all(request.as_bytes()).expect("the phone listens");
        let answer = self.read_answer();
        match answer {
            Some((true, text)) => text,
            other => {
                panic!("{word}: {other:?}\n{}", self.peer.as_ref().map(Peer::output).unwrap_or_default())
            }
        }
    }

    fn read_answer(&mut self) -> Option<(bool, String)> {
        let mut head = String::new();
        self.line.read_line(&mut head).ok()?;
        let (word, len) = head.trim().split_once(' ')?;
        let mut body = vec![0; len.parse().ok().filter(|&len| len <= MAX_ANSWER_BYTES)?];
        self.line.read_exact(&mut body).ok()?;
        Some((word == "ok", String::from_utf8(body).ok()?))
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        drop(self.peer.take());
        // A process of the browser that is still going may hold it; the next restart of the machine clears it.
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}
