//! Kamailio as relay of MSRP (RFC 4976): a parser and a printer of messages that share nothing with ours, between the gateway and an endpoint. It
//! answers each SEND to the hop it came from, and passes requests on along their To-Path, over TCP or TLS as the path says. It connects
//! only when it has something to pass on, so that where the gateway waits the endpoint behind the relay has to begin.

use crate::connection::{Certificate, Given, Side};
use crate::msrp::{DISCARD, Party, orders, transport};
use crate::peers::{TcpPeer, program};
use crate::ports::free_port;
use crate::process::Peer;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

const LIFETIME: Duration = Duration::from_secs(180);
const START: Duration = Duration::from_secs(15);
/// Where Debian has the modules; each architecture has a folder of its own.
const MODULES: &str = "/usr/lib/*-linux-gnu*/kamailio/modules";

/// Kamailio with its modules for MSRP and TLS, found on this machine.
#[derive(Debug, Clone)]
pub struct Kamailio {
    path: PathBuf,
    modules: PathBuf,
}

impl Kamailio {
    /// Looks for it.
    ///
    /// # Errors
    /// Says what is missing.
    pub fn find() -> Result<Self, String> {
        let path = program("kamailio")?;
        let modules = modules().ok_or("kamailio has no msrp.so and tls.so (cargo xtask setup)")?;
        Ok(Self { path, modules })
    }

    /// Starts a relay on loopback that listens for TCP and for TLS.
    ///
    /// # Panics
    /// When it does not come up: with everything it printed.
    pub fn start(&self) -> Relay {
        let certificate = Certificate::ecdsa("relay");
        let [tcp, tls] = [(); 2].map(|()| SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())));
        let folder =
            std::env::temp_dir().join(format!("agw-interop-{}-relay-{}", std::process::id(), tcp.port()));
        std::fs::create_dir_all(&folder).expect("the temporary folder can be written");
        let write = |name: &str, text: String| {
            let file = folder.join(name);
            std::fs::write(&file, text).expect("the temporary folder can be written");
            file
        };
        let tls_file = write("tls.cfg", tls_configuration(certificate.base()));
        let file = write("kamailio.cfg", configuration(&self.modules, &tls_file, tcp, tls));
        let mut command = Command::new(&self.path);
        // In the foreground with all its processes in one group, with little memory, and nothing to the system's log.
        command.args(["-DD", "-E", "-m", "16", "-M", "4", "-w"]).arg(&folder).arg("-f").arg(&file);
        let peer = Peer::start(&mut command, LIFETIME).expect("kamailio starts");
        let until = Instant::now() + START;
        while TcpStream::connect(tcp).is_err() {
            assert!(Instant::now() < until, "kamailio does not listen:\n{}", peer.output());
            std::thread::sleep(Duration::from_millis(20));
        }
        Relay { peer, certificate, tcp, tls, folder }
    }
}

fn modules() -> Option<PathBuf> {
    let (before, after) = MODULES.split_once("*-linux-gnu*/")?;
    let folders = std::fs::read_dir(before).ok()?.flatten().map(|folder| folder.path().join(after));
    let has = |folder: &PathBuf| ["msrp.so", "tls.so"].iter().all(|module| folder.join(module).is_file());
    folders.into_iter().find(has)
}

fn configuration(modules: &Path, tls_file: &Path, tcp: SocketAddr, tls: SocketAddr) -> String {
    format!(
        r#"#!KAMAILIO
debug=2
log_stderror=yes
children=1
tcp_children=2
enable_tls=yes
tcp_accept_no_cl=yes
auto_aliases=no
listen=tcp:{tcp}
listen=tls:{tls}
mpath="{}"
loadmodule "tls.so"
loadmodule "pv.so"
loadmodule "xlog.so"
loadmodule "msrp.so"
modparam("tls", "config", "{}")
request_route {{ exit; }}
event_route[msrp:frame-in] {{
    xlog("L_INFO", "relay: $msrp(method) from $msrp(srcaddr) to $msrp(nexthop)\n");
    if (msrp_is_reply()) {{ exit; }}
    msrp_reply("200", "OK");
    if (!msrp_relay()) {{ xlog("L_ERR", "relay: $msrp(method) was not passed on\n"); }}
}}
"#,
        modules.display(),
        tls_file.display()
    )
}

/// Certificates are shown in both roles and judged by nobody here: the gateway judges that of the relay by its fingerprint.
fn tls_configuration(base: &Path) -> String {
    let (pem, key) = (base.with_extension("pem"), base.with_extension("key"));
    let domain = |name: &str| {
        format!(
            "[{name}:default]\nmethod = TLSv1.2+\ncertificate = {}\nprivate_key = {}\nverify_certificate = no\n\
             require_certificate = no\n",
            pem.display(),
            key.display()
        )
    };
    domain("server") + &domain("client")
}

/// A relay that runs; ends with the value.
#[derive(Debug)]
pub struct Relay {
    peer: Peer,
    certificate: Certificate,
    tcp: SocketAddr,
    tls: SocketAddr,
    folder: PathBuf,
}

impl Relay {
    /// What it has printed: a line for each message, and its errors.
    pub fn output(&self) -> String {
        self.peer.output()
    }

    /// An endpoint behind it, with TLS between gateway and relay or not. It begins to talk, and the gateway has connected to the relay.
    pub fn endpoint<'a>(&'a self, realm: &'static str, is_tls: bool, options: &'a [&'a str]) -> Relayed<'a> {
        Relayed { relay: self, realm, is_tls, connects: false, answers: false, port: free_port(), options }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // It may be gone already; that is as good.
        let _gone = std::fs::remove_dir_all(&self.folder);
    }
}

/// A party behind the relay. Its endpoint connects to the relay from a port that its path names, which is how the relay finds it again.
#[derive(Debug)]
pub struct Relayed<'a> {
    relay: &'a Relay,
    realm: &'static str,
    is_tls: bool,
    connects: bool,
    answers: bool,
    port: u16,
    options: &'a [&'a str],
}

impl Relayed<'_> {
    /// The relay connects to the gateway, when the endpoint has said something; or does not.
    #[must_use]
    pub fn connecting(self, connects: bool) -> Self {
        Self { connects, ..self }
    }

    /// It says nothing before it has heard something; or does.
    #[must_use]
    pub fn answering(self, answers: bool) -> Self {
        Self { answers, ..self }
    }

    fn relay_address(&self) -> SocketAddr {
        if self.is_tls { self.relay.tls } else { self.relay.tcp }
    }

    fn relay_uri(&self) -> String {
        let scheme = if self.is_tls { "msrps" } else { "msrp" };
        format!("{scheme}://{}/relay;tcp", self.relay_address())
    }

    fn own_uri(&self) -> String {
        format!("msrp://127.0.0.1:{}/e1n2d3;tcp", self.port)
    }
}

impl Party for Relayed<'_> {
    fn side(&self) -> Side {
        let listening = self.relay_address();
        let (setup, remote) = match self.connects {
            true => ("passive", SocketAddr::new(listening.ip(), DISCARD)),
            false => ("active", listening),
        };
        let mut side = Side::new(self.realm, transport(self.is_tls), Some(setup), remote);
        side.path = Some(format!("{} {}", self.relay_uri(), self.own_uri()));
        side.fingerprints =
            self.is_tls.then(|| self.relay.certificate.fingerprint.clone()).into_iter().collect();
        side
    }

    fn signals(&self) -> String {
        orders(!self.connects, self.is_tls && !self.connects)
    }

    fn ready(&self) -> Option<&'static str> {
        // The relay cannot reach an endpoint that has not connected yet.
        self.answers.then_some("connected")
    }

    fn command(&self, peer: &TcpPeer, gateway: &Given) -> Command {
        let to = format!("{} {}", self.relay_uri(), gateway.path.as_deref().expect("the gateway has a path"));
        let address = self.relay.tcp.to_string();
        let mut command = peer.msrp(&["tcp", "connect", &address, "--me", &self.own_uri(), "--to", &to]);
        command.args(["--local-port", &self.port.to_string()]).args(self.options);
        command.args(self.answers.then_some("--answering"));
        command
    }
}
