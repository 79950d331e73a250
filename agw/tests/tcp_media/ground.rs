//! What attacks are made on: streams over TCP, with TLS or without, and beside them a call of audio and a stream that have to go on as if nothing
//! were.

#![allow(unreachable_pub, reason = "as in the ground of all tests")]

use crate::common::{Controller, Gateway, PATIENCE, eventually, media_end, plain_call, received, rtp};
use crate::common::{context_of, given};
use loadtest::msrp::tls::Identity;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// A phone's end of TLS.
pub type Phone = StreamOwned<ClientConnection, TcpStream>;

/// A context in which both sides wait for a connection.
pub struct Line {
    pub context: u32,
    pub access: SocketAddr,
    pub core: SocketAddr,
    /// The paths of MSRP that the gateway has, where it was asked for some.
    pub paths: Vec<String>,
}

impl Line {
    /// TLS for whoever has this fingerprint, and plain TCP at the core side; not looked into.
    pub fn tls(controller: &mut Controller, fingerprint: &str) -> Self {
        let ours = "a=setup:passive\na=fingerprint:SHA-256 $\n";
        let theirs = format!("a=setup:active\na=fingerprint:{fingerprint}\n");
        let core = ("application", "TCP", "a=setup:passive\n", "a=setup:active\n");
        Self::new(controller, ("application", "TCP/TLS", ours, &theirs), core)
    }

    /// TLS for whoever has this key, and plain TCP at the core side.
    pub fn psk(controller: &mut Controller, key: &str) -> Self {
        let theirs = format!("a=setup:active\na=crypto:1 TLS_PSK inline:{key}\n");
        let core = ("application", "TCP", "a=setup:passive\n", "a=setup:active\n");
        Self::new(controller, ("application", "TCP/TLS", "a=setup:passive\n", &theirs), core)
    }

    /// Plain MSRP whose paths are rewritten.
    pub fn msrp(controller: &mut Controller) -> Self {
        let ours = "a=setup:passive\na=path:$\n";
        let theirs = |who: &str| format!("a=setup:active\na=path:msrp://{who}.example:2855/s1;tcp\n");
        let (phone, core) = (theirs("phone"), theirs("core"));
        Self::new(controller, ("message", "TCP/MSRP", ours, &phone), ("message", "TCP/MSRP", ours, &core))
    }

    fn new(
        controller: &mut Controller,
        access: (&str, &str, &str, &str),
        core: (&str, &str, &str, &str),
    ) -> Self {
        let add = |realm: &str, (medium, proto, ours, theirs): (&str, &str, &str, &str)| {
            format!(
                "Add = ip/1/{realm}/$ {{ Media {{ Stream = 1 {{ LocalControl {{ Mode = SendReceive }}, Local {{\nv=0\n\
                 c=IN IP4 $\nm={medium} $ {proto} *\n{ours}}}, Remote {{\nv=0\nc=IN IP4 127.0.0.1\nm={medium} 9 {proto} *\n\
                 {theirs}}} }} }} }}"
            )
        };
        let reply = controller.transact(&format!(
            "Context = $ {{ {}, {} }}",
            add("access", access),
            add("core", core)
        ));
        let mut at = Vec::new();
        let mut ip = "";
        let mut paths = Vec::new();
        for line in reply.lines().map(str::trim) {
            ip = line.strip_prefix("c=IN IP4 ").unwrap_or(ip);
            paths.extend(line.strip_prefix("a=path:").map(str::to_owned));
            if let Some((medium, rest)) = line.split_once(' ').filter(|(key, _)| key.starts_with("m=")) {
                let port = rest.split(' ').next().unwrap_or(medium);
                at.push(format!("{ip}:{port}").parse().unwrap());
            }
        }
        let [access, core] = at[..] else { panic!("{reply}") };
        Self { context: context_of(&reply), access, core, paths }
    }
}

/// A plain connection, from 127.0.0.1, which is where peers are signalled to be.
pub fn connected(to: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&to, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// A connection from an address at which no peer is.
pub fn stranger(to: SocketAddr, number: u8) -> TcpStream {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 99, 1, number], 0)).into()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}

/// A session of the peer's, which comes up if it tries often enough.
pub fn phone(identity: &Identity, to: SocketAddr) -> Phone {
    eventually("the peer is let in", || {
        let socket = TcpStream::connect_timeout(&to, PATIENCE).ok()?;
        socket.set_read_timeout(Some(PATIENCE)).ok()?;
        let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
        let session = ClientConnection::new(Arc::clone(&identity.client), name).unwrap();
        let mut phone = StreamOwned::new(session, socket);
        while phone.conn.is_handshaking() {
            phone.conn.complete_io(&mut phone.sock).ok()?;
        }
        phone.flush().ok()?;
        Some(phone)
    })
}

/// What is said at one end comes out at the other.
pub fn crosses(mut from: impl Write, mut to: impl Read, words: &[u8]) {
    from.write_all(words).unwrap();
    from.flush().unwrap();
    let mut read = vec![0; words.len()];
    to.read_exact(&mut read).unwrap();
    assert_eq!(read, words);
}

/// Whether a connection is over: nothing more comes, or it was reset.
pub fn is_over(stream: &TcpStream) -> bool {
    let mut read = [0; 4096];
    loop {
        match (&*stream).read(&mut read) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        }
    }
}

/// A call of audio and a stream with TLS beside whatever is done to the gateway: nothing of them may be lost or changed.
pub struct Beside {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<u16>,
}

impl Beside {
    pub fn start(gateway: &Gateway) -> Self {
        let mut controller = gateway.controller();
        let ends = [media_end(), media_end()];
        let [access, core] = [0, 1].map(|at: usize| ends[at].local_addr().unwrap());
        let audio = given(&controller.transact(&plain_call(access, core)));
        let identity = Identity::generate().unwrap();
        let line = Line::tls(&mut controller, &identity.fingerprint);
        let session = phone(&identity, line.access);
        let far = connected(line.core);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || talk(&ends, &audio, session, &far, &stopped));
        Self { stop, thread }
    }

    /// All that was said until now has arrived.
    pub fn was_not_disturbed(self) {
        self.stop.store(true, Ordering::Relaxed);
        let rounds = self.thread.join().expect("the call beside goes on");
        assert!(rounds > 0);
    }
}

fn talk(
    ends: &[UdpSocket; 2],
    audio: &[SocketAddr],
    mut session: Phone,
    far: &TcpStream,
    stopped: &AtomicBool,
) -> u16 {
    for round in 0..u16::MAX {
        for (from, to) in [(0, 1), (1, 0)] {
            let packet = rtp(round, b"twenty milliseconds");
            ends[from].send_to(&packet, audio[from]).unwrap();
            assert_eq!(received(&ends[to]), packet);
        }
        crosses(&mut session, far, &round.to_be_bytes());
        crosses(far, &mut session, b"heard");
        if stopped.load(Ordering::Relaxed) {
            return round + 1;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("the attack does not end");
}
