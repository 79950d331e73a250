//! The gateway itself, as a user runs it: the real binary with a configuration file, on ports of its own, and its admin interface.

use crate::ports;
use crate::process::Peer;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const LIFETIME: Duration = Duration::from_secs(180);
const START: Duration = Duration::from_secs(10);
/// The path of the gateway's binary, when it is not the one that stands beside the tests.
pub const BINARY_VARIABLE: &str = "AGW_BINARY";

/// A running gateway; ends with the value.
#[derive(Debug)]
pub struct Gateway {
    peer: Option<Peer>,
    admin: SocketAddr,
    iq: SocketAddr,
    config: PathBuf,
}

/// The binary under test: the one that [`BINARY_VARIABLE`] names, or the one that was built beside the tests.
///
/// # Panics
/// When there is none: a suite that silently tested nothing would be worse.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os(BINARY_VARIABLE) {
        return path.into();
    }
    let tests = std::env::current_exe().expect("a test has a path");
    let path = tests.ancestors().nth(2).expect("target/PROFILE/deps/TEST").join("agw");
    assert!(
        path.is_file(),
        "{} is not built: run `cargo build -p agw` first, or `cargo xtask test`",
        path.display()
    );
    path
}

impl Gateway {
    /// Starts the gateway on loopback with its own Iq and admin ports; `config` is TOML, whose `[iq]` table comes first if there is
    /// one (the ports are added to it). Its realms are `access` and `core`, as by default, on addresses that no other has.
    ///
    /// # Panics
    /// When it does not get ready: with everything it printed.
    pub fn start(config: &str) -> Self {
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free_port()));
        let iq = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free_port()));
        let mut text = String::new();
        let rest = config.strip_prefix("[iq]\n").unwrap_or(config);
        // Addresses of its own, so that gateways of tests that run side by side do not share ports.
        let [high, low] = iq.port().to_be_bytes();
        write!(
            text,
            "[iq]\ntext = \"{iq}\"\nbinary = \"127.0.0.1:{}\"\n{rest}\n[admin]\nlisten = \"{admin}\"\n\
             [realm.access]\nside = \"access\"\naddresses = [\"127.{high}.{low}.1\"]\nports = \"10000-19999\"\n\
             [realm.core]\nside = \"core\"\naddresses = [\"127.{high}.{low}.2\"]\nports = \"20000-29999\"\n",
            ports::free_port()
        )
        .expect("a String takes all");
        let path =
            std::env::temp_dir().join(format!("agw-interop-{}-{}.toml", std::process::id(), iq.port()));
        std::fs::write(&path, text).expect("the temporary folder can be written");
        let peer = Peer::start(Command::new(binary()).args(["run", "-c"]).arg(&path), LIFETIME)
            .expect("the gateway starts");
        let mut gateway = Self { peer: Some(peer), admin, iq, config: path };
        gateway.wait_until_alive();
        gateway
    }

    fn wait_until_alive(&mut self) {
        let until = Instant::now() + START;
        while self.get("/healthz").is_none_or(|answer| !answer.starts_with("HTTP/1.1 200")) {
            let output = self.peer.as_ref().map(Peer::output).unwrap_or_default();
            assert!(Instant::now() < until, "the gateway is not alive after {START:?}:\n{output}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Where it takes H.248 text, over UDP and TCP.
    pub fn iq(&self) -> SocketAddr {
        self.iq
    }

    /// Its process, for reading its counters from outside.
    pub fn id(&self) -> u32 {
        self.peer.as_ref().expect("it runs until stop").id()
    }

    /// The whole answer of the admin interface to a GET, headers included; `None` when it does not answer.
    pub fn get(&self, path: &str) -> Option<String> {
        let mut stream = TcpStream::connect_timeout(&self.admin, Duration::from_secs(1)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.admin).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    }

    /// The sum of a metric over all of its label sets that contain every one of `labels` (`name="value"`).
    ///
    /// # Panics
    /// When the metrics cannot be read.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let text = self.get("/metrics").expect("the admin interface answers");
        let value = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            let series_name = series.split('{').next()?;
            (series_name == name && labels.iter().all(|label| series.contains(label)))
                .then(|| value.parse::<f64>().ok())?
        };
        text.lines().filter_map(value).sum()
    }

    /// Waits until `metric` has reached `value`, for counters that are published a moment after the packet.
    ///
    /// # Panics
    /// When it does not get there in five seconds.
    pub fn wait_for_metric(&self, name: &str, labels: &[&str], value: f64) {
        let until = Instant::now() + Duration::from_secs(5);
        while self.metric(name, labels) < value {
            assert!(Instant::now() < until, "{name}{labels:?} is {}, not {value}", self.metric(name, labels));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends it as an operator would, and gives what it printed.
    ///
    /// # Panics
    /// When it does not end with exit code 0.
    pub fn stop(mut self) -> String {
        let peer = self.peer.take().expect("it runs until stop");
        peer.interrupt().expect_success("the gateway ends cleanly")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may be gone already; that is as good.
        let _gone = std::fs::remove_file(&self.config);
    }
}
