//! TLS sessions of agw-tls with OpenSSL and GnuTLS as the other end: both roles, both versions, certificates of several kinds, and pre-shared
//! keys (TLS-2, TLS-4, TLS-6, TLS-11). The machine of bytes gets a socket here, so nothing else of the gateway is in the way.

use agw_tls::{
    Credentials, Engine, Fingerprint, HashFunction, Identity, PreSharedKey, Profile, Role, Tls, TlsFailure,
    Version, judge,
};
use interop::peers::program;
use interop::process::{Peer, run};
use interop::{ports, require};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);
const BOTH: [Version; 2] = [Version::Tls12, Version::Tls13];
const KEY: &str = "000102030405060708090a0b0c0d0e0f";

/// A folder of PEM files, gone with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("agw-tls-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A peer's certificate: files in PEM form, and the fingerprint as OpenSSL tells it.
struct Certificate {
    file: String,
    key: String,
    /// What else is shown with it.
    chain: Option<String>,
    fingerprint: Fingerprint,
}

fn openssl(words: &str) -> String {
    run(Command::new("openssl").args(words.split(' ')), LIMIT).unwrap().expect_success(words)
}

impl Certificate {
    /// `ecdsa`, `rsa`, `version1` (of X.509) or `chained` (signed by another, which is shown too).
    fn new(folder: &Folder, kind: &str) -> Self {
        let (file, key, request) = (folder.path("cert.pem"), folder.path("key.pem"), folder.path("csr.pem"));
        let made = if kind == "rsa" {
            "RSA -pkeyopt rsa_keygen_bits:2048"
        } else {
            "EC -pkeyopt ec_paramgen_curve:P-256"
        };
        openssl(&format!("genpkey -algorithm {made} -out {key}"));
        let mut chain = None;
        match kind {
            "version1" => {
                openssl(&format!("req -new -key {key} -subj /CN=peer -out {request}"));
                openssl(&format!("x509 -req -in {request} -signkey {key} -days 30 -out {file}"));
            }
            "chained" => {
                let (ca, ca_key) = (folder.path("ca.pem"), folder.path("ca-key.pem"));
                openssl(&format!(
                    "req -x509 -newkey rsa:2048 -nodes -keyout {ca_key} -subj /CN=issuer -days 30 -out {ca}"
                ));
                openssl(&format!("req -new -key {key} -subj /CN=peer -out {request}"));
                openssl(&format!(
                    "x509 -req -in {request} -CA {ca} -CAkey {ca_key} -CAcreateserial -days 30 -out {file}"
                ));
                chain = Some(ca);
            }
            _ => drop(openssl(&format!("req -x509 -new -key {key} -subj /CN=peer -days 30 -out {file}"))),
        }
        let shown = openssl(&format!("x509 -in {file} -noout -fingerprint -sha256"));
        let digits = shown.trim().split_once('=').unwrap().1;
        let fingerprint = Fingerprint::parse(&format!("SHA-256 {digits}")).unwrap();
        Self { file, key, chain, fingerprint }
    }

    fn for_openssl(&self) -> String {
        let chain = self.chain.as_ref().map_or(String::new(), |chain| format!(" -cert_chain {chain}"));
        format!("-cert {} -key {}{chain}", self.file, self.key)
    }
}

fn of_openssl(version: Version) -> &'static str {
    match version {
        Version::Tls12 => "-tls1_2",
        Version::Tls13 => "-tls1_3",
    }
}

fn of_gnutls(version: Version) -> String {
    format!("NORMAL:-VERS-ALL:+VERS-TLS{}", version.name())
}

fn tls() -> Tls {
    Tls::new(&Profile::default()).unwrap()
}

fn connect(port: u16) -> TcpStream {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap()
}

fn accept(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let begun = Instant::now();
    loop {
        match listener.accept() {
            Ok((stream, _)) => return stream,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        assert!(begun.elapsed() < LIMIT, "nobody connected");
        std::thread::sleep(POLL);
    }
}

/// Runs a session on a socket: says `say` once it is up, and closes it in order when `until` has come. What came.
fn talk(engine: &mut Engine, mut socket: TcpStream, say: &[u8], until: &[u8]) -> Result<Vec<u8>, TlsFailure> {
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(POLL)).unwrap();
    let (mut buffer, mut said, mut heard, begun) = ([0; 20_000], 0, vec![], Instant::now());
    while begun.elapsed() < LIMIT {
        said += engine.write(&say[said..]);
        flush(engine, &mut socket);
        if said == say.len() && heard.windows(until.len()).any(|window| window == until) {
            engine.close();
            flush(engine, &mut socket);
            return Ok(heard);
        }
        let came = match socket.read(&mut buffer) {
            Ok(0) => return Err(TlsFailure::Truncated),
            Ok(came) => came,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(_) => return Err(TlsFailure::Truncated),
        };
        let mut fed = 0;
        while fed < came || engine.wants_process() {
            fed += engine.feed(&buffer[fed..came]);
            if let Err(failure) = engine.process() {
                flush(engine, &mut socket);
                return Err(failure);
            }
            let mut plaintext = [0; 20_000];
            let read = engine.read(&mut plaintext);
            heard.extend_from_slice(&plaintext[..read]);
        }
    }
    Err(TlsFailure::TimedOut)
}

fn flush(engine: &mut Engine, socket: &mut TcpStream) {
    let mut ciphertext = [0; 20_000];
    while engine.has_output() {
        let drained = engine.drain(&mut ciphertext);
        let _ = socket.write_all(&ciphertext[..drained]); // That the peer has gone shows when reading.
    }
}

fn assert_proven(engine: &Engine, peer: &Certificate, version: Version, case: &str) {
    assert_eq!(engine.description().unwrap().0, version, "{case}");
    let certificate = engine.peer_certificate().unwrap();
    assert_eq!(
        judge(certificate, std::slice::from_ref(&peer.fingerprint), &[HashFunction::Sha256]),
        Ok(()),
        "{case}"
    );
    let others = [Identity::generate().unwrap().fingerprint(HashFunction::Sha256)];
    assert_eq!(
        judge(certificate, &others, &HashFunction::ALL),
        Err(TlsFailure::FingerprintMismatch),
        "{case}"
    );
}

/// We are the client of a server that says lines backwards.
fn against_server(
    server: &mut Command,
    ready: &str,
    port: u16,
    credentials: &Credentials,
    until: &[u8],
) -> Engine {
    let mut peer = Peer::start(server, LIMIT).unwrap();
    peer.wait_for(ready).unwrap();
    let mut engine = tls().engine(Role::Client, credentials).unwrap();
    let heard = talk(&mut engine, connect(port), b"hello over there\n", until);
    assert!(heard.is_ok(), "{heard:?}\n{}", peer.output());
    engine
}

/// We are the server of a client that says a line and waits for one.
fn against_client(client: &str, listener: &TcpListener, credentials: &Credentials) -> Engine {
    let client = format!("(echo hello over there; sleep 3) | {client}");
    let mut peer = Peer::start(Command::new("sh").args(["-c", &client]), LIMIT).unwrap();
    let mut engine = tls().engine(Role::Server, credentials).unwrap();
    let heard = talk(&mut engine, accept(listener), b"words from here\n", b"hello over there\n");
    assert!(heard.is_ok(), "{heard:?}\n{}", peer.output());
    peer.wait_for("words from here").unwrap();
    engine
}

fn ours() -> Credentials {
    Credentials::Certificate(Identity::generate().unwrap())
}

#[test]
fn openssl_as_server_proves_each_kind_of_certificate_in_both_versions() {
    let Some(openssl) = require("openssl", || program("openssl")) else { return };
    for kind in ["ecdsa", "rsa", "version1", "chained"] {
        let folder = Folder::new(&format!("openssl-server-{kind}"));
        let certificate = Certificate::new(&folder, kind);
        for version in BOTH {
            let port = ports::free_port();
            let words = format!(
                "s_server -accept 127.0.0.1:{port} {} -Verify 1 {} -rev",
                of_openssl(version),
                certificate.for_openssl()
            );
            let mut server = Command::new(&openssl);
            let engine =
                against_server(server.args(words.split(' ')), "ACCEPT", port, &ours(), b"ereht revo olleh\n");
            assert_proven(&engine, &certificate, version, kind);
        }
    }
}

#[test]
fn openssl_as_client_proves_each_kind_of_certificate_in_both_versions() {
    let Some(_openssl) = require("openssl", || program("openssl")) else { return };
    for kind in ["ecdsa", "rsa", "version1", "chained"] {
        let folder = Folder::new(&format!("openssl-client-{kind}"));
        let certificate = Certificate::new(&folder, kind);
        for version in BOTH {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let client = format!(
                "openssl s_client -connect 127.0.0.1:{port} {} {} -quiet",
                of_openssl(version),
                certificate.for_openssl()
            );
            let engine = against_client(&client, &listener, &ours());
            assert_proven(&engine, &certificate, version, kind);
        }
    }
}

#[test]
fn a_client_of_openssl_without_certificate_is_refused() {
    let Some(_openssl) = require("openssl", || program("openssl")) else { return };
    for version in BOTH {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let client =
            format!("sleep 3 | openssl s_client -connect 127.0.0.1:{port} {} -quiet", of_openssl(version));
        let _peer = Peer::start(Command::new("sh").args(["-c", &client]), LIMIT).unwrap();
        let mut engine = tls().engine(Role::Server, &ours()).unwrap();
        let outcome = talk(&mut engine, accept(&listener), b"media", b"media");
        assert_eq!(outcome, Err(TlsFailure::NoCertificate), "{version}");
    }
}

#[test]
fn a_renegotiation_that_openssl_asks_for_does_not_come_about() {
    let Some(_openssl) = require("openssl", || program("openssl")) else { return };
    let folder = Folder::new("renegotiation");
    let certificate = Certificate::new(&folder, "ecdsa");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    // A line that begins with R asks for one.
    let client = format!(
        "(sleep 1; echo R; sleep 3) | openssl s_client -connect 127.0.0.1:{port} -tls1_2 {}",
        certificate.for_openssl()
    );
    let mut peer = Peer::start(Command::new("sh").args(["-c", &client]), LIMIT).unwrap();
    let mut engine = tls().engine(Role::Server, &ours()).unwrap();
    let outcome = talk(&mut engine, accept(&listener), b"words from here\n", b"never said");
    assert!(outcome.is_err() && outcome != Err(TlsFailure::TimedOut), "{outcome:?}");
    peer.wait_for("RENEGOTIATING").unwrap();
    peer.wait_for("no renegotiation").unwrap();
}

#[test]
fn gnutls_as_server_proves_each_kind_of_key_in_both_versions() {
    let Some(gnutls) = require("gnutls-serv", || program("gnutls-serv")) else { return };
    for kind in ["ecdsa", "rsa"] {
        let folder = Folder::new(&format!("gnutls-server-{kind}"));
        let certificate = Certificate::new(&folder, kind);
        for version in BOTH {
            let port = ports::free_port();
            let words = format!(
                "--echo --require-client-cert -p {port} --x509certfile {} --x509keyfile {} --priority {}",
                certificate.file,
                certificate.key,
                of_gnutls(version)
            );
            let mut server = Command::new(&gnutls);
            let engine = against_server(
                server.args(words.split(' ')),
                "listening on IPv4",
                port,
                &ours(),
                b"hello over there\n",
            );
            assert_proven(&engine, &certificate, version, kind);
        }
    }
}

#[test]
fn gnutls_as_client_proves_each_kind_of_key_in_both_versions() {
    let Some(_gnutls) = require("gnutls-cli", || program("gnutls-cli")) else { return };
    for kind in ["ecdsa", "rsa"] {
        let folder = Folder::new(&format!("gnutls-client-{kind}"));
        let certificate = Certificate::new(&folder, kind);
        for version in BOTH {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let port = listener.local_addr().unwrap().port();
            let client = format!(
                "gnutls-cli --insecure -p {port} 127.0.0.1 --x509certfile {} --x509keyfile {} --priority {}",
                certificate.file,
                certificate.key,
                of_gnutls(version)
            );
            let engine = against_client(&client, &listener, &ours());
            assert_proven(&engine, &certificate, version, kind);
        }
    }
}

fn our_key() -> Credentials {
    let key: Vec<u8> = (0..16).collect();
    Credentials::Psk(PreSharedKey::new("alice", &key).unwrap())
}

#[test]
fn openssl_as_server_proves_a_pre_shared_key_in_both_versions() {
    let Some(openssl) = require("openssl", || program("openssl")) else { return };
    for version in BOTH {
        let port = ports::free_port();
        let words = format!(
            "s_server -accept 127.0.0.1:{port} {} -nocert -psk_identity alice -psk {KEY} -rev",
            of_openssl(version)
        );
        let mut server = Command::new(&openssl);
        let engine =
            against_server(server.args(words.split(' ')), "ACCEPT", port, &our_key(), b"ereht revo olleh\n");
        assert_eq!(engine.description().unwrap().0, version);
        assert_eq!(engine.peer_certificate(), None);
    }
}

#[test]
fn openssl_as_client_proves_a_pre_shared_key_in_both_versions_and_not_with_another() {
    let Some(_openssl) = require("openssl", || program("openssl")) else { return };
    for version in BOTH {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let client = |key: &str| {
            format!(
                "openssl s_client -connect 127.0.0.1:{port} {} -psk_identity alice -psk {key} -quiet",
                of_openssl(version)
            )
        };
        let engine = against_client(&client(KEY), &listener, &our_key());
        assert_eq!(engine.description().unwrap().0, version);

        let wrong = format!("sleep 3 | {}", client("ff"));
        let _peer = Peer::start(Command::new("sh").args(["-c", &wrong]), LIMIT).unwrap();
        let mut engine = tls().engine(Role::Server, &our_key()).unwrap();
        let outcome = talk(&mut engine, accept(&listener), b"media", b"media");
        assert_eq!(outcome, Err(TlsFailure::PskMismatch), "{version}");
    }
}
