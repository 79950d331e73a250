//! The real peers: how each is found on this machine, and how it is started.
//!
//! Their scripts live in `interop/peers`. Finding is apart from starting, so that [`crate::require`] can say what is missing; a
//! found peer is a value, and only with it can the peer be started. `cargo xtask setup` installs them all.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process::{Peer, run};
use crate::skip::target_folder;

const PROBE_LIMIT: Duration = Duration::from_secs(30);

/// Names the Python interpreter that has the peers' modules; without it `venv/bin/python` in cargo's target folder is taken.
pub const PYTHON_VARIABLE: &str = "AGW_PYTHON";

/// The folder of the peers' scripts.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// Finds a program on the search path.
///
/// # Errors
/// When it is not installed.
pub fn program(name: &str) -> Result<PathBuf, String> {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders)
        // Administrators' tools are not on everybody's path.
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| format!("{name} is not installed (cargo xtask setup)"))
}

/// Erlang/OTP's megaco as controller: an H.248 stack that shares nothing with ours.
#[derive(Clone, Copy, Debug)]
pub struct Megaco(());

/// How the controller speaks.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// `udp` or `tcp`.
    pub transport: &'static str,
    /// `pretty`, `compact`, `ber` (property values as OTP writes them) or `berstd` (as the standard's ASN.1 has them).
    pub encoding: &'static str,
    /// The H.248 version, 1 to 3.
    pub version: u8,
}

impl Megaco {
    /// Looks for Erlang with its megaco and ASN.1 applications.
    ///
    /// # Errors
    /// Says which is missing.
    pub fn find() -> Result<Self, String> {
        program("escript")?;
        for module in ["megaco", "asn1rt_nif"] {
            let look = format!("case code:which({module}) of non_existing -> halt(1); _ -> halt(0) end.");
            let finished = run(Command::new("erl").args(["-noshell", "-eval", &look]), PROBE_LIMIT)?;
            if !finished.status.success() {
                return Err(format!("erlang has no {module} (cargo xtask setup)"));
            }
        }
        Ok(Self(()))
    }

    /// Starts a controller that listens on `port` (all local addresses), answers ServiceChange and runs the script of
    /// actions (`peers/h248/calls.h248` is an example; the language is described in `h248.escript`). Its exit code is 0 when
    /// every reply was as the script expects. Returns once it listens; the gateway registers after that.
    ///
    /// # Errors
    /// When it does not come up.
    pub fn controller(
        self,
        dialect: Dialect,
        port: u16,
        script: &Path,
        limit: Duration,
    ) -> Result<Peer, String> {
        let mut command = self.escript();
        command.args([
            "mgc",
            dialect.transport,
            dialect.encoding,
            &port.to_string(),
            &dialect.version.to_string(),
        ]);
        let mut controller = Peer::start(command.arg(script), limit)?;
        controller.wait_for("waiting for ServiceChange")?;
        Ok(controller)
    }

    /// Translates a message file between `pretty`, `compact`, `ber` and `berstd`.
    ///
    /// # Errors
    /// With megaco's words, when it refuses the message.
    pub fn convert(self, from: &str, to: &str, input: &Path, output: &Path) -> Result<(), String> {
        let finished = run(self.escript().args(["conv", from, to]).args([input, output]), PROBE_LIMIT)?;
        if finished.status.success() { Ok(()) } else { Err(finished.output) }
    }

    /// Any other use of the script (`show`, `mg`, `vectors`).
    pub fn escript(self) -> Command {
        let mut command = Command::new("escript");
        command.arg(folder().join("h248/h248.escript"));
        command
    }
}

/// The C libsrtp behind a small Python endpoint: sends, receives, corrupts, replays.
#[derive(Clone, Debug)]
pub struct SrtpPeer {
    python: PathBuf,
}

impl SrtpPeer {
    /// Looks for a Python that can import pylibsrtp.
    ///
    /// # Errors
    /// When there is none.
    pub fn find() -> Result<Self, String> {
        python_with("pylibsrtp").map(|python| Self { python })
    }

    /// The endpoint with options as `peers/srtp/srtp_peer.py` describes them. It prints one line of JSON at its end, which
    /// [`number`] reads.
    pub fn command(&self, options: &[&str]) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(folder().join("srtp/srtp_peer.py")).args(options);
        command
    }
}

/// Endpoints of media over TCP and TLS: OpenSSL through pyOpenSSL, with protocols of their own above it.
#[derive(Clone, Debug)]
pub struct TcpPeer {
    python: PathBuf,
}

impl TcpPeer {
    /// Looks for a Python that can import pyOpenSSL.
    ///
    /// # Errors
    /// When there is none.
    pub fn find() -> Result<Self, String> {
        python_with("OpenSSL").map(|python| Self { python })
    }

    /// An MSRP endpoint with options as `peers/tcp/msrp_peer.py` describes them. It prints one line of JSON at its end, which [`number`]
    /// reads.
    pub fn msrp(&self, options: &[&str]) -> Command {
        self.script("tcp/msrp_peer.py", options)
    }

    /// A BFCP endpoint on libre with options as `peers/tcp/bfcp_peer.py` describes them, and a report as that of [`TcpPeer::msrp`].
    pub fn bfcp(&self, options: &[&str]) -> Command {
        self.script("tcp/bfcp_peer.py", options)
    }

    /// Looks whether the Python that was found can load libre, which the endpoints of BFCP are made of.
    ///
    /// # Errors
    /// When it cannot.
    pub fn with_libre(self) -> Result<Self, String> {
        let load = "import ctypes; ctypes.CDLL('libre.so.0').bfcp_msg_encode";
        let finished = run(Command::new(&self.python).args(["-c", load]), PROBE_LIMIT)?;
        let found = finished.status.success().then_some(self);
        found.ok_or_else(|| "libre0 is not installed (cargo xtask setup)".to_owned())
    }

    fn script(&self, name: &str, options: &[&str]) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(folder().join(name)).args(options).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// Who can be a phone of WebRTC: a browser, or aiortc.
#[derive(Clone, Debug)]
pub struct WebPeer {
    python: PathBuf,
    script: &'static str,
    /// Further arguments of the script.
    options: Vec<String>,
}

impl WebPeer {
    /// Looks for headless Chromium. Its page is that of the example in the documentation.
    ///
    /// # Errors
    /// When there is none.
    pub fn chromium() -> Result<Self, String> {
        program("chromium-headless-shell").or_else(|_| program("chromium"))?;
        let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/browser");
        let python = program("python3")?;
        Ok(Self { python, script: "webrtc/chromium_peer.py", options: vec![page.display().to_string()] })
    }

    /// Looks for a Python that can import aiortc.
    ///
    /// # Errors
    /// When there is none.
    pub fn aiortc() -> Result<Self, String> {
        let python = python_with("aiortc")?;
        Ok(Self { python, script: "webrtc/aiortc_peer.py", options: vec![] })
    }

    /// The phone, which is to hang on the line at `control`; options as its script describes them.
    pub fn command(&self, control: &str, options: &[&str]) -> Command {
        let mut command = Command::new(&self.python);
        command.arg(folder().join(self.script)).arg(control).args(&self.options).args(options);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// The interpreter of the peers, if it has this module.
fn python_with(module: &str) -> Result<PathBuf, String> {
    let python = match env::var_os(PYTHON_VARIABLE) {
        Some(named) => PathBuf::from(named),
        None => target_folder().join("venv/bin/python"),
    };
    let finished = run(Command::new(&python).args(["-c", &format!("import {module}")]), PROBE_LIMIT)
        .map_err(|_| format!("no {} (cargo xtask setup)", python.display()))?;
    if !finished.status.success() {
        return Err(format!("its Python cannot import {module} (cargo xtask setup)"));
    }
    Ok(python)
}

/// The number under `key` in a peer's line of JSON.
pub fn number(report: &str, key: &str) -> Option<u64> {
    let (_, rest) = report.split_once(&format!("\"{key}\": "))?;
    let end = rest.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

/// A program that is a peer as it stands.
#[derive(Clone, Debug)]
pub struct Tool {
    path: PathBuf,
}

impl Tool {
    /// ffmpeg, for its own SRTP.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn ffmpeg() -> Result<Self, String> {
        Self::named("ffmpeg")
    }

    /// gst-launch-1.0 with the SRTP elements (libsrtp behind GStreamer's own handling).
    ///
    /// # Errors
    /// Says what is missing.
    pub fn gstreamer() -> Result<Self, String> {
        Self::gstreamer_with(&["srtpenc", "srtpdec", "rtppcmapay", "alawenc", "udpsink"])
    }

    /// gst-launch-1.0 with these elements.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn gstreamer_with(elements: &[&str]) -> Result<Self, String> {
        let inspect = program("gst-inspect-1.0")?;
        for &element in elements {
            let finished = run(Command::new(&inspect).args(["--exists", element]), PROBE_LIMIT)?;
            if !finished.status.success() {
                return Err(format!("GStreamer has no {element} (cargo xtask setup)"));
            }
        }
        Self::named("gst-launch-1.0")
    }

    /// rtpengine in user space.
    ///
    /// # Errors
    /// When it is not installed.
    pub fn rtpengine() -> Result<Self, String> {
        Self::named("rtpengine")
    }

    fn named(name: &str) -> Result<Self, String> {
        program(name).map(|path| Self { path })
    }

    /// The program, to be given its arguments.
    pub fn command(&self) -> Command {
        Command::new(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::{free_port, free_udp_pair};
    use crate::require;

    const THERE: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw";
    const BACK: &str = "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk";
    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn two_libsrtp_endpoints_understand_each_other_and_refuse_what_was_corrupted() {
        let Some(srtp) = require("pylibsrtp", SrtpPeer::find) else { return };
        let (left, right) = (free_udp_pair(), free_udp_pair());
        let side = |ours: u16, theirs: u16, keys: [&str; 2]| {
            let (local, remote) = (ours.to_string(), format!("127.0.0.1:{theirs}"));
            let suite = "AES_CM_128_HMAC_SHA1_80";
            let mut command =
                srtp.command(&["--local", &local, "--remote", &remote, "--suite", suite, "--n", "40"]);
            command.args(["--tx", keys[0], "--rx", keys[1], "--rtcp", "--secs", "3"]);
            command
        };
        let mut sender = side(left, right, [THERE, BACK]);
        let sender = Peer::start(sender.args(["--corrupt", "10"]), LIMIT).unwrap();
        let receiver = Peer::start(&mut side(right, left, [BACK, THERE]), LIMIT).unwrap();
        let (sender, receiver) =
            (sender.wait().expect_success("sender"), receiver.wait().expect_success("receiver"));
        assert_eq!(number(&sender, "sent"), Some(40));
        assert!(number(&receiver, "rx_bad").is_some_and(|bad| (3..=4).contains(&bad)), "{receiver}");
        assert_eq!(number(&receiver, "payload_bad"), Some(0), "{receiver}");
        assert_eq!(number(&receiver, "exact"), number(&receiver, "rx_ok"), "{receiver}");
        assert!(number(&sender, "payload_ok").is_some_and(|good| good > 30), "{sender}");
    }

    #[test]
    fn the_erlang_controller_runs_its_script_against_its_own_toy_gateway() {
        let Some(megaco) = require("erlang-megaco", Megaco::find) else { return };
        for (transport, encoding) in [("udp", "pretty"), ("tcp", "compact")] {
            let port = free_port();
            let dialect = Dialect { transport, encoding, version: 2 };
            let script = folder().join("h248/calls.h248");
            let controller = megaco.controller(dialect, port, &script, LIMIT).unwrap();
            let mut toy = megaco.escript();
            toy.args(["mg", transport, encoding, &port.to_string(), "2", "30"]);
            let _toy = Peer::start(&mut toy, LIMIT).unwrap();
            controller.wait().expect_success("the controller's script");
        }
    }

    #[test]
    fn numbers_are_read_from_a_line_of_json() {
        assert_eq!(number(r#"{"rx": 12, "rx_ok": 7}"#, "rx_ok"), Some(7));
        assert_eq!(number(r#"{"rx": 12, "first": null}"#, "first"), None);
    }
}
