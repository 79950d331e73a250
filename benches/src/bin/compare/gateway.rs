//! The gateways as processes: started pinned to one core with one worker, ended when dropped.

use clap::ValueEnum;
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Which gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// This one
    Agw,
    /// The one to compare with
    Rtpengine,
}

impl Kind {
    /// Both, in the order of the first round.
    pub(crate) const ALL: [Self; 2] = [Self::Agw, Self::Rtpengine];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Agw => "agw",
            Self::Rtpengine => "rtpengine",
        }
    }
}

/// A running gateway.
pub(crate) struct Gateway {
    kind: Kind,
    process: Child,
    /// Where it is controlled, as agw-loadtest wants it.
    pub(crate) address: String,
}

impl Gateway {
    pub(crate) fn start(kind: Kind, binary: &Path, core: usize) -> Result<Self, String> {
        let port = free_port().map_err(|error| format!("no free port: {error}"))?;
        let mut command = pinned(binary, core);
        let scheme = match kind {
            Kind::Agw => {
                let text = format!("iq.text=\"127.0.0.1:{port}\"");
                let settings = ["workers=1", &text, "iq.binary=\"\"", "admin.listen=\"127.0.0.1:0\""];
                command.arg("run").args(settings.iter().flat_map(|setting| ["--set", setting]));
                "iq"
            }
            Kind::Rtpengine => {
                // No kernel module: packets go through user space, as ours do. Log level 4 is warnings.
                let listen = format!("--listen-ng=127.0.0.1:{port}");
                command.args(["--config-file=none", "--table=-1", "--interface=127.0.0.1", &listen]);
                command.args(["--num-threads=1", "--foreground", "--log-stderr", "--log-level=4"]);
                command.args(["--port-min=10000", "--port-max=29999"]);
                "ng"
            }
        };
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = process.map_err(|error| format!("cannot start {}: {error}", binary.display()))?;
        Ok(Self { kind, process, address: format!("{scheme}:127.0.0.1:{port}") })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// An error when it has ended already.
    pub(crate) fn check_alive(&mut self) -> Result<(), String> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(format!("{} ended at once: {status}", self.kind.name())),
            Err(error) => Err(format!("{}: {error}", self.kind.name())),
        }
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It holds nothing that a sudden end could harm.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A command that runs on one core only, with all its threads. taskset replaces itself by the program, so the process keeps its number.
pub(crate) fn pinned(binary: &Path, core: usize) -> Command {
    let mut command = Command::new("taskset");
    command.arg("--cpu-list").arg(core.to_string()).arg(binary);
    command
}

/// A port that was free a moment ago, below the range that systems give out on their own.
fn free_port() -> std::io::Result<u16> {
    let mut error = None;
    for port in 2950..3050 {
        match UdpSocket::bind(("127.0.0.1", port)) {
            Ok(_) => return Ok(port),
            Err(refused) => error = Some(refused),
        }
    }
    Err(error.unwrap_or_else(|| std::io::Error::from(std::io::ErrorKind::AddrInUse)))
}
