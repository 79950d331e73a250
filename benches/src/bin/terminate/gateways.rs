//! The gateways as processes: started pinned to one core with one thread for connections, ended when dropped.

use crate::load::Load;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long a gateway gets to open its sockets.
const START_UP: Duration = Duration::from_secs(1);
const ANSWER_LIMIT: Duration = Duration::from_secs(3);
/// What the kernel counts processor time in, on every Linux of today.
const TICKS_PER_SECOND: f64 = 100.0;

/// Which gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// This one.
    Agw,
    /// The one to compare with.
    Haproxy,
}

impl Kind {
    /// Both, in the order of the first round.
    pub(crate) const ALL: [Self; 2] = [Self::Agw, Self::Haproxy];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Agw => "agw",
            Self::Haproxy => "haproxy",
        }
    }
}

/// A running gateway.
pub(crate) struct Gateway {
    kind: Kind,
    process: Child,
    /// Where it takes Iq, or phones.
    address: SocketAddr,
    files: Vec<PathBuf>,
    fingerprint: String,
    core: SocketAddr,
}

impl Gateway {
    pub(crate) fn start(kind: Kind, binary: &Path, processor: usize, load: &Load) -> Result<Self, String> {
        let address = free_address().map_err(|error| format!("no free port: {error}"))?;
        let mut command = Command::new("taskset");
        command.arg("--cpu-list").arg(processor.to_string()).arg(binary);
        let files = match kind {
            Kind::Agw => {
                let text = format!("iq.text=\"{address}\"");
                let settings = ["workers=1", &text, "iq.binary=\"\"", "admin.listen=\"127.0.0.1:0\""];
                command.arg("run").args(settings.iter().flat_map(|setting| ["--set", setting]));
                Vec::new()
            }
            Kind::Haproxy => {
                let files = configure_haproxy(address, load)?;
                // In the foreground, without a master process.
                command.arg("-db").arg("-f").arg(&files[0]);
                files
            }
        };
        let process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let process = process.map_err(|error| format!("cannot start {}: {error}", binary.display()))?;
        let fingerprint = load.identity.fingerprint.clone();
        let mut gateway = Self { kind, process, address, files, fingerprint, core: load.core };
        std::thread::sleep(START_UP);
        match gateway.process.try_wait() {
            Ok(None) => Ok(gateway),
            Ok(Some(status)) => Err(format!("{} ended at once: {status}", kind.name())),
            Err(error) => Err(format!("{}: {error}", kind.name())),
        }
    }

    /// Where each of so many phones is to connect.
    pub(crate) fn open(&mut self, count: usize) -> Result<Vec<SocketAddr>, String> {
        if self.kind == Kind::Haproxy {
            return Ok(vec![self.address; count]);
        }
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|error| error.to_string())?;
        socket.connect(self.address).map_err(|error| error.to_string())?;
        socket.set_read_timeout(Some(ANSWER_LIMIT)).map_err(|error| error.to_string())?;
        (1..=count).map(|number| self.add(&socket, number)).collect()
    }

    /// A context whose access side listens and ends TLS, and whose core side connects when the phone has been proven.
    fn add(&self, socket: &UdpSocket, number: usize) -> Result<SocketAddr, String> {
        let Self { fingerprint, core, .. } = self;
        let request = format!(
            "MEGACO/2 [127.0.0.1]:2944\nTransaction = {number} {{ Context = $ {{ \
             Add = ip/1/access/$ {{ Media {{ Stream = 1 {{ LocalControl {{ Mode = SendReceive, seplink/trigger = tls }},\nLocal {{\nv=0\nc=IN IP4 $\n\
             m=message $ TCP/TLS *\na=setup:passive\na=fingerprint:SHA-256 $\n}},\nRemote {{\nv=0\nc=IN IP4 127.0.0.1\nm=message 9 TCP/TLS *\n\
             a=setup:active\na=fingerprint:{fingerprint}\n}} }} }} }}, \
             Add = ip/1/core/$ {{ Media {{ Stream = 1 {{ LocalControl {{ Mode = SendReceive }},\nLocal {{\nv=0\nc=IN IP4 $\n\
             m=message $ TCP *\na=setup:active\n}},\nRemote {{\nv=0\nc=IN IP4 127.0.0.1\nm=message {} TCP *\na=setup:passive\n}} }} }} }} }} }}\n",
            core.port()
        );
        socket.send(request.as_bytes()).map_err(|error| error.to_string())?;
        let mut buffer = vec![0; 65_535];
        loop {
            let len = socket.recv(&mut buffer).map_err(|error| format!("no reply to an Add: {error}"))?;
            let reply = String::from_utf8_lossy(&buffer[..len]);
            if !reply.contains(&format!("Reply = {number}")) {
                continue;
            }
            let port = reply.split("m=message ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
            return match port {
                Some(port) if !reply.contains("Error = ") => {
                    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
                }
                _ => Err(format!("an Add was refused: {reply}")),
            };
        }
    }

    /// The processor time of the whole process so far (proc(5): utime and stime).
    pub(crate) fn processor_seconds(&self) -> Result<f64, String> {
        let path = format!("/proc/{}/stat", self.process.id());
        let text = std::fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let after_name = text.rsplit_once(") ").ok_or("no process name")?.1;
        let ticks: f64 =
            after_name.split(' ').skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
        Ok(ticks / TICKS_PER_SECOND)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It holds nothing that a sudden end could harm; files that are gone already are as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
        for file in &self.files {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Mutual TLS to TCP on one thread, without tickets and caches, which this gateway has not either. The first file is the configuration.
fn configure_haproxy(address: SocketAddr, load: &Load) -> Result<Vec<PathBuf>, String> {
    let place =
        |name: &str| std::env::temp_dir().join(format!("agw-terminate-{}-{name}", std::process::id()));
    let key = rcgen::KeyPair::generate().map_err(|error| error.to_string())?;
    let certificate = rcgen::CertificateParams::new(vec!["gateway.example".to_owned()])
        .and_then(|params| params.self_signed(&key))
        .map_err(|error| error.to_string())?;
    let [config, own, phones] = ["haproxy.cfg", "own.pem", "phones.pem"].map(place);
    let text = format!(
        "global\n nbthread 1\n tune.ssl.cachesize 0\n ssl-default-bind-options ssl-min-ver TLSv1.3 no-tls-tickets\n maxconn 4000\n\
         defaults\n mode tcp\n timeout connect 10s\n timeout client 60s\n timeout server 60s\n\
         frontend phones\n bind {address} ssl crt {} ca-file {} verify required curves X25519\n default_backend core\n\
         backend core\n server core {}\n",
        own.display(),
        phones.display(),
        load.core
    );
    let contents = [
        (&config, text),
        (&own, certificate.pem() + &key.serialize_pem()),
        (&phones, load.identity.pem.clone()),
    ];
    for (path, text) in contents {
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(vec![config, own, phones])
}

/// An address that was free a moment ago, for UDP and TCP.
fn free_address() -> std::io::Result<SocketAddr> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    UdpSocket::bind(address)?;
    Ok(address)
}
