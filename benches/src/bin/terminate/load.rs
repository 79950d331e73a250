//! Phones and the core: rustls clients with one certificate, and a server of plain TCP that answers the first byte of each connection and swallows
//! the rest.

use loadtest::msrp::tls::Identity;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Handshakes under way at once.
const PHONES: usize = 8;
const CHUNK_BYTES: usize = 64 * 1024;
/// The longest that bytes may take to arrive once they were sent.
const PATIENCE: Duration = Duration::from_secs(30);

/// Both ends of what a gateway carries.
pub(crate) struct Load {
    /// Of all phones.
    pub(crate) identity: Identity,
    /// Where the core listens.
    pub(crate) core: SocketAddr,
    swallowed: Arc<AtomicU64>,
}

impl Load {
    pub(crate) fn new() -> Result<Self, String> {
        let mut provider = aws_lc_rs::default_provider();
        // The suite that both gateways have, and one group: what is compared is the gateways.
        provider.cipher_suites.retain(|suite| suite.suite() == rustls::CipherSuite::TLS13_AES_128_GCM_SHA256);
        provider.kx_groups = vec![aws_lc_rs::kx_group::X25519];
        let identity =
            Identity::with(provider, &[&rustls::version::TLS13]).map_err(|error| error.to_string())?;
        let swallowed = Arc::new(AtomicU64::new(0));
        let core = start_core(Arc::clone(&swallowed)).map_err(|error| format!("the core: {error}"))?;
        Ok(Self { identity, core, swallowed })
    }

    /// One handshake at each door.
    pub(crate) fn handshakes(&self, doors: &[SocketAddr]) -> Result<(), String> {
        let next = AtomicUsize::new(0);
        let phone = || -> Result<(), String> {
            while let Some(door) = doors.get(next.fetch_add(1, Ordering::Relaxed)) {
                let mut stream = self.connect(*door)?;
                stream.conn.send_close_notify();
                let _ = stream.flush();
                // The gateway ends the connection too, in whatever way.
                let _ = stream.sock.read_to_end(&mut Vec::new());
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let phones: Vec<_> = (0..PHONES).map(|_| scope.spawn(phone)).collect();
            phones.into_iter().try_for_each(|phone| phone.join().map_err(|_| "a phone died")?)
        })
    }

    /// So many megabytes through one door, until the core has them all.
    pub(crate) fn bytes(&self, door: SocketAddr, megabytes: usize) -> Result<(), String> {
        let mut stream = self.connect(door)?;
        let before = self.swallowed.load(Ordering::Relaxed);
        let chunk = vec![b'x'; CHUNK_BYTES];
        let total = (megabytes * 1_000_000 / CHUNK_BYTES * CHUNK_BYTES) as u64;
        for _ in 0..total / CHUNK_BYTES as u64 {
            stream.write_all(&chunk).map_err(|error| format!("sending: {error}"))?;
        }
        stream.flush().map_err(|error| format!("sending: {error}"))?;
        let until = Instant::now() + PATIENCE;
        while self.swallowed.load(Ordering::Relaxed) < before + total {
            if Instant::now() > until {
                return Err("not all bytes arrived".to_owned());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// A connection through which a byte went to the core and one came back.
    fn connect(&self, door: SocketAddr) -> Result<StreamOwned<ClientConnection, TcpStream>, String> {
        let socket = TcpStream::connect(door).map_err(|error| format!("{door}: {error}"))?;
        socket.set_nodelay(true).map_err(|error| error.to_string())?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
        let name = ServerName::IpAddress(Ipv4Addr::LOCALHOST.into());
        let session = ClientConnection::new(Arc::clone(&self.identity.client), name)
            .map_err(|error| error.to_string())?;
        let mut stream = StreamOwned::new(session, socket);
        let mut answer = [0];
        stream
            .write_all(b"?")
            .and_then(|()| stream.read_exact(&mut answer))
            .map_err(|error| format!("{door}: {error}"))?;
        Ok(stream)
    }
}

fn start_core(swallowed: Arc<AtomicU64>) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let Ok(mut connection) = connection else { return };
            let swallowed = Arc::clone(&swallowed);
            std::thread::spawn(move || {
                let mut buffer = vec![0; CHUNK_BYTES];
                let first = connection.read(&mut buffer[..1]);
                if first.is_ok_and(|count| count == 1) && connection.write_all(b"!").is_ok() {
                    while let Ok(count @ 1..) = connection.read(&mut buffer) {
                        swallowed.fetch_add(count as u64, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    Ok(address)
}

/// Keeps this process, with all threads that it will start, on one core.
pub(crate) fn stay_on(core: usize) -> Result<(), String> {
    let mut cores = rustix::thread::CpuSet::new();
    cores.set(core);
    rustix::thread::sched_setaffinity(None, &cores).map_err(|error| format!("core {core}: {error}"))
}
