//! A running gateway for tests: the real program on addresses that nobody else has, talked to with plain sockets.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use agw_core::model::RealmName;
use agw_iq::ber::Naming;
use agw_iq::package::diffserv::DscpForm;
use agw_iq::package::realm::Realms;
use agw_iq::text::Style;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longer than anything here takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Two loopback addresses of our own, so that ports never collide with another test or a running gateway.
fn own_addresses() -> [String; 2] {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let (pid, n) = (std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed) % 120);
    [1, 2].map(|last| format!("127.{}.{}.{}", 130 + (pid / 256) % 120, pid % 256, n * 2 + last))
}

/// Waits until `ready` says something.
pub fn eventually<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ready() {
            return found;
        }
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What the process has taken of memory at most until now, in bytes (proc(5): VmHWM). The kernel counts by processor and adds up roughly,
/// so that a later answer may be a little less.
pub fn peak_bytes(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().split(' ').next().unwrap().parse::<usize>().unwrap() * 1024
}

/// The program, without waiting for it.
pub fn agw(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_agw")).args(arguments).output().unwrap()
}

pub struct Gateway {
    child: Child,
    pub iq: SocketAddr,
    /// Where Iq listens, by the names of the configuration.
    pub listening: BTreeMap<String, SocketAddr>,
    pub admin: SocketAddr,
    /// Log lines, as JSON.
    log: Arc<Mutex<Vec<Value>>>,
}

impl Gateway {
    /// Starts with overrides.
    pub fn start(set: &[&str]) -> Self {
        Self::with(&[], set, |_| {})
    }

    /// Starts with arguments, overrides, and whatever else the command needs.
    pub fn with(arguments: &[&str], set: &[&str], prepare: impl FnOnce(&mut Command)) -> Self {
        Self::of(Path::new(env!("CARGO_BIN_EXE_agw")), arguments, set, prepare)
    }

    /// As [`Gateway::with`], of a copy of the program.
    pub fn of(program: &Path, arguments: &[&str], set: &[&str], prepare: impl FnOnce(&mut Command)) -> Self {
        let [access, core] = own_addresses();
        let mut command = Command::new(program);
        command.arg("run").args(arguments).args(["--log-format", "json"]);
        let own = [
            "iq.text=127.0.0.1:0".to_owned(),
            "iq.binary=127.0.0.1:0".to_owned(),
            "admin.listen=127.0.0.1:0".to_owned(),
            "workers=1".to_owned(),
            format!("realm.access.addresses=[\"{access}\"]"),
            format!("realm.core.addresses=[\"{core}\"]"),
        ];
        for pair in own.iter().map(String::as_str).chain(set.iter().copied()) {
            command.args(["--set", pair]);
        }
        prepare(&mut command);
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (lines, stderr) = (Arc::clone(&log), child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(serde_json::from_str(&line).unwrap_or(Value::String(line)));
            }
        });
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut gateway = Self { child, iq: nowhere, admin: nowhere, listening: BTreeMap::new(), log };
        let up = gateway.logged("the gateway is up");
        gateway.iq = up["iq"].as_str().unwrap().parse().unwrap();
        for listening in up["listening"].as_str().unwrap().split(", ") {
            let (name, address) = listening.split_once(' ').unwrap();
            gateway.listening.insert(name.to_owned(), address.parse().unwrap());
        }
        gateway.admin = up["admin"].as_str().unwrap().parse().unwrap();
        gateway
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The first log line with this message.
    pub fn logged(&self, message: &str) -> Value {
        eventually(message, || self.log.lock().unwrap().iter().find(|l| l["message"] == message).cloned())
    }

    /// All that was logged so far, as one text.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().iter().map(|l| format!("{l}\n")).collect()
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub fn ended(&mut self) -> ExitStatus {
        eventually("the gateway ends", || self.child.try_wait().unwrap())
    }

    /// An HTTP request to the admin address: status and body.
    pub fn http(&self, method: &str, path: &str, headers: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.admin).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    pub fn get(&self, path: &str) -> (u16, String) {
        self.http("GET", path, "")
    }

    pub fn json(&self, path: &str) -> Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// `agw COMMAND --json` asked of this gateway.
    pub fn ask(&self, arguments: &[&str]) -> Value {
        let admin = self.admin.to_string();
        let mut all = arguments.to_vec();
        all.extend(["--json", "--admin", &admin]);
        let output = agw(&all);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The sum of a metric's samples whose labels contain all of `labels`.
    pub fn metric(&self, name: &str, labels: &[&str]) -> f64 {
        let (_, text) = self.get("/metrics");
        let samples = text.lines().filter(|l| {
            let sample = l.split([' ', '{']).next() == Some(name);
            sample && labels.iter().all(|label| l.contains(label))
        });
        samples.map(|l| l.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
    }

    pub fn controller(&self) -> Controller {
        Controller::new(self.iq)
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A controller with a UDP socket that writes its messages by hand.
pub struct Controller {
    socket: UdpSocket,
    last_transaction: u32,
}

impl Controller {
    pub fn new(gateway: SocketAddr) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(gateway).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        Self { socket, last_transaction: 0 }
    }

    /// Sends actions as one transaction, repeats them until they are answered.
    pub fn transact(&mut self, actions: &str) -> String {
        self.last_transaction += 1;
        let id = self.last_transaction;
        let port = self.socket.local_addr().unwrap().port();
        let message = format!("MEGACO/2 [127.0.0.1]:{port}\nTransaction = {id} {{\n{actions}\n}}\n");
        eventually("a reply", || {
            self.socket.send(message.as_bytes()).unwrap();
            let mut buffer = [0; 65_536];
            let length = self.socket.recv(&mut buffer).ok()?;
            let reply = String::from_utf8(buffer[..length].to_vec()).unwrap();
            (reply.contains(&format!("= {id} ")) || reply.contains(&format!("P={id}{{"))).then_some(reply)
        })
    }

    /// Waits for a Notify that says this, and answers it.
    pub fn notified(&mut self, what: &str) -> String {
        let message = eventually(what, || {
            let mut buffer = [0; 65_536];
            let length = self.socket.recv(&mut buffer).ok()?;
            let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
            message.contains(what).then_some(message)
        });
        let after = |word: &str| {
            let rest = message.split(word).nth(1).unwrap().trim_start_matches([' ', '=']);
            rest.split([' ', '{', '\n']).next().unwrap()
        };
        let (id, context, name) = (after("Transaction"), after("Context"), after("Notify"));
        let reply =
            format!("MEGACO/2 [127.0.0.1] Reply = {id} {{ Context = {context} {{ Notify = {name} }} }}");
        self.socket.send(reply.as_bytes()).unwrap();
        message
    }

    /// A plain RTP call between two ends; gives the reply.
    pub fn add_plain_call(&mut self, access: SocketAddr, core: SocketAddr) -> String {
        self.transact(&plain_call(access, core))
    }
}

/// Two Adds of plain RTP.
pub fn plain_call(access: SocketAddr, core: SocketAddr) -> String {
    let add = |realm: &str, end: SocketAddr| {
        format!(
            "Add = ip/1/{realm}/$ {{ Media {{ Stream = 1 {{ LocalControl {{ Mode = SendReceive }}, Local {{\nv=0\n\
             c=IN IP4 $\nm=audio $ RTP/AVP 8\n}}, Remote {{\nv=0\nc=IN IP4 {}\nm=audio {} RTP/AVP 8\n}} }} }} }}",
            end.ip(),
            end.port()
        )
    };
    format!("Context = $ {{ {}, {} }}", add("access", access), add("core", core))
}

/// The context's number in a reply.
pub fn context_of(reply: &str) -> u32 {
    let rest = reply.split("Context = ").nth(1).or_else(|| reply.split("C=").nth(1)).unwrap();
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}

/// The addresses that the gateway gave, in the order of the reply.
pub fn given(reply: &str) -> Vec<SocketAddr> {
    let mut found = Vec::new();
    let mut ip = String::new();
    for line in reply.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("c=IN IP4 ") {
            ip = address.to_owned();
        }
        if let Some(media) = line.strip_prefix("m=audio ") {
            found.push(format!("{ip}:{}", media.split(' ').next().unwrap()).parse().unwrap());
        }
    }
    found
}

/// A UDP socket of a media end.
pub fn media_end() -> UdpSocket {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

/// An RTP packet.
pub fn rtp(sequence: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 8];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
    packet.extend_from_slice(&0x1234_5678u32.to_be_bytes());
    packet.extend_from_slice(payload);
    packet
}

/// What a socket receives next.
pub fn received(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let length = socket.recv(&mut buffer).expect("a packet");
    buffer[..length].to_vec()
}

/// Sends a message over TCP in pieces, as TCP may deliver it, and reads the answer (H.248.1 D.2, RFC 1006).
pub fn tpkt(stream: &mut (impl Read + Write), message: &[u8]) -> Vec<u8> {
    let mut packet = vec![3, 0];
    packet.extend_from_slice(&u16::try_from(message.len() + 4).unwrap().to_be_bytes());
    packet.extend_from_slice(message);
    for piece in packet.chunks(100) {
        stream.write_all(piece).unwrap();
    }
    tpkt_answer(stream)
}

/// The next message of a connection.
pub fn tpkt_answer(stream: &mut impl Read) -> Vec<u8> {
    let mut header = [0; 4];
    stream.read_exact(&mut header).unwrap();
    assert_eq!(header[..2], [3, 0]);
    let mut body = vec![0; usize::from(u16::from_be_bytes([header[2], header[3]])) - 4];
    stream.read_exact(&mut body).unwrap();
    body
}

/// As [`tpkt`], in text.
pub fn tpkt_text(stream: &mut (impl Read + Write), message: &str) -> String {
    String::from_utf8(tpkt(stream, message.as_bytes())).unwrap()
}

/// A controller that thinks in text and speaks BER, with the default realms.
pub struct Binary {
    naming: Naming,
    last_transaction: u32,
}

impl Default for Binary {
    fn default() -> Self {
        let realms = Realms::new(["access", "core"].into_iter().filter_map(RealmName::new).collect());
        Self { naming: Naming::of(&realms, DscpForm::default()), last_transaction: 0 }
    }
}

impl Binary {
    /// A message from its text.
    pub fn encoded(&self, text: &str) -> Vec<u8> {
        let message = agw_iq::text::parse_strictly(text.as_bytes()).unwrap();
        agw_iq::ber::print(&message, &self.naming).unwrap().to_vec()
    }

    /// The text of a message.
    pub fn text(&self, bytes: &[u8]) -> String {
        let message = agw_iq::ber::parse_strictly(bytes, &self.naming).unwrap();
        agw_iq::text::print(&message, Style::Pretty).to_string()
    }

    /// Actions as one transaction.
    pub fn request(&mut self, actions: &str) -> Vec<u8> {
        self.last_transaction += 1;
        let id = self.last_transaction;
        self.encoded(&format!("MEGACO/2 <ber.test> Transaction = {id} {{\n{actions}\n}}\n"))
    }

    /// The text of the reply to the last request.
    pub fn reply(&self, bytes: &[u8]) -> String {
        let text = self.text(bytes);
        assert!(text.contains(&format!("Reply = {} ", self.last_transaction)), "{text}");
        text
    }
}

/// Sets a call up with `transact`, sees media cross it both ways, takes it down.
pub fn a_call(mut transact: impl FnMut(&str) -> String) {
    let (access, core) = (media_end(), media_end());
    let reply = transact(&plain_call(access.local_addr().unwrap(), core.local_addr().unwrap()));
    let at = given(&reply);
    assert_eq!(at.len(), 2, "{reply}");
    for (from, to, through) in [(&access, &core, at[0]), (&core, &access, at[1])] {
        let packet = rtp(7, b"across");
        from.send_to(&packet, through).unwrap();
        assert_eq!(received(to), packet);
    }
    let ended = transact(&format!("Context = {} {{ Subtract = * }}", context_of(&reply)));
    assert!(ended.contains("rtp/ps") && !ended.contains("Error"), "{ended}");
}
