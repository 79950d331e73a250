//! Iq over TLS (IQ-3): certificates on both sides, made with the commands of docs/operations.md, and OpenSSL at the other end.

mod common;

use agw::config::IqTls;
use agw::tls::Identity;
use common::{Binary, Gateway, PATIENCE, a_call, eventually, tpkt, tpkt_answer};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const AUDIT: &[u8] = b"!/2 <mgc.test> T=1{C=-{AV=ROOT{AT{}}}}";

/// A folder with an authority and the certificates of both ends.
struct Certificates(PathBuf);

impl Certificates {
    /// What the commands in the documentation make, with other addresses.
    fn made(name: &str, controller: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("agw-tls-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        let made = Self(folder);
        made.make(controller);
        made
    }

    fn make(&self, controller: &str) {
        let page = include_str!("../../docs/operations.md");
        let commands = page.split("```sh\nnew=").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        let commands = commands.replace("10.0.0.5", "127.0.0.1").replace("10.0.0.2", controller);
        let output = Command::new("sh")
            .args(["-ec", &format!("new={commands}")])
            .current_dir(&self.0)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// The settings of a gateway that has these certificates.
    fn settings(&self) -> Vec<String> {
        let file = |key: &str, name: &str| format!("iq.tls.{key}={}", self.file(name));
        let mut all =
            vec![file("certificate", "gateway.pem"), file("key", "gateway.key"), file("ca", "ca.pem")];
        all.extend(["text", "binary"].map(|key| format!("iq.tls.{key}=127.0.0.1:0")));
        all
    }

    fn gateway(&self) -> Gateway {
        let settings = self.settings();
        Gateway::start(&settings.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// The controller's own end.
    fn controller(&self) -> Identity {
        Identity::load(&IqTls {
            certificate: self.file("controller.pem"),
            key: self.file("controller.key"),
            ca: self.file("ca.pem"),
            ..IqTls::default()
        })
        .unwrap()
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// OpenSSL is there, or the test says that it was skipped.
fn openssl() -> Option<()> {
    interop::require("openssl", || {
        Command::new("openssl").arg("version").output().map(drop).map_err(|e| e.to_string())
    })
}

/// A controller whose TLS is OpenSSL's.
struct Client {
    child: Child,
    to: ChildStdin,
    from: ChildStdout,
}

impl Client {
    fn connect(gateway: SocketAddr, trusted: &Path, shown: Option<&Path>, more: &[&str]) -> Self {
        let mut command = Command::new("openssl");
        command.args(["s_client", "-quiet", "-verify_return_error", "-connect", &gateway.to_string()]);
        command.arg("-CAfile").arg(trusted.join("ca.pem")).args(more);
        if let Some(shown) = shown {
            command.arg("-cert").arg(shown.join("controller.pem"));
            command.arg("-key").arg(shown.join("controller.key"));
        }
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let (to, from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, to, from }
    }

    /// Everything that is said to an audit before the connection is closed.
    fn everything(mut self) -> Vec<u8> {
        let mut packet = vec![3, 0, 0, AUDIT.len() as u8 + 4];
        packet.extend_from_slice(AUDIT);
        let _ = self.to.write_all(&packet);
        let mut said = Vec::new();
        let _ = self.from.read_to_end(&mut said);
        said
    }
}

impl Read for Client {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.from.read(buffer)
    }
}

impl Write for Client {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.to.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.to.flush()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn calls_over_tls_in_text_and_in_ber() {
    let Some(()) = openssl() else { return };
    let certificates = Certificates::made("calls", "127.0.0.1");
    let gateway = certificates.gateway();
    let connect = |name: &str, version: &str| {
        Client::connect(gateway.listening[name], &certificates.0, Some(&certificates.0), &[version])
    };
    let (mut text, mut id) = (connect("tls.text", "-tls1_3"), 0);
    a_call(|actions| {
        id += 1;
        let request = format!("MEGACO/2 <mgc.test> Transaction = {id} {{\n{actions}\n}}");
        common::tpkt_text(&mut text, &request)
    });
    let (mut binary, mut stream) = (Binary::default(), connect("tls.binary", "-tls1_2"));
    a_call(|actions| {
        let request = binary.request(actions);
        let reply = tpkt(&mut stream, &request);
        binary.reply(&reply)
    });
    assert_eq!(gateway.metric("agw_iq_events_total", &["event=\"tls_handshake\""]), 2.0);
    assert_eq!(gateway.metric("agw_contexts", &[]), 0.0);
}

#[test]
fn who_shows_a_wrong_certificate_or_none_is_told_nothing() {
    let Some(()) = openssl() else { return };
    let right = Certificates::made("right", "127.0.0.1");
    let others = Certificates::made("others", "127.0.0.1");
    let gateway = right.gateway();
    let at = gateway.listening["tls.text"];
    let failed = || gateway.metric("agw_iq_events_total", &["event=\"tls_handshake_failed\""]);
    for version in ["-tls1_2", "-tls1_3"] {
        let client = |shown| Client::connect(at, &right.0, shown, &[version]);
        assert!(client(None).everything().is_empty(), "no certificate, {version}");
        assert!(client(Some(&others.0)).everything().is_empty(), "of another authority, {version}");
    }
    eventually("all are counted", || (failed() == 4.0).then_some(()));
    // Of the right authority, but another controller's.
    std::fs::remove_file(right.0.join("controller.key")).unwrap();
    right.make("127.0.0.9");
    gateway.signal(Signal::HUP);
    gateway.logged("the configuration was reloaded");
    assert!(Client::connect(at, &right.0, Some(&right.0), &[]).everything().is_empty(), "another's name");
    eventually("it is counted", || (failed() == 5.0).then_some(()));
    assert!(gateway.log().contains("its certificate names neither its address"), "{}", gateway.log());
    // No TLS at all.
    let mut plain = TcpStream::connect(at).unwrap();
    plain.set_read_timeout(Some(PATIENCE)).unwrap();
    plain.write_all(&[3, 0, 0, 9, b'!', b'/', b'2', b' ', b' ']).unwrap();
    let mut said = Vec::new();
    let _ = plain.read_to_end(&mut said);
    assert!(!said.windows(2).any(|w| w == b"!/") && failed() == 6.0, "{said:?}");
}

#[test]
fn a_reload_takes_new_certificates_and_keeps_the_old_where_the_new_do_not_fit() {
    let Some(()) = openssl() else { return };
    let certificates = Certificates::made("reload", "127.0.0.1");
    let old = Certificates::made("old", "127.0.0.1");
    for name in ["ca.pem", "controller.pem", "controller.key"] {
        std::fs::copy(certificates.0.join(name), old.0.join(name)).unwrap();
    }
    let gateway = certificates.gateway();
    let at = gateway.listening["tls.text"];
    let mut open = Client::connect(at, &old.0, Some(&old.0), &[]);
    assert!(!tpkt(&mut open, AUDIT).is_empty());
    // A key that is not the certificate's.
    let key = std::fs::read(certificates.0.join("gateway.key")).unwrap();
    std::fs::copy(certificates.0.join("controller.key"), certificates.0.join("gateway.key")).unwrap();
    gateway.signal(Signal::HUP);
    gateway.logged("the configuration was not reloaded: the old one stays");
    assert!(gateway.log().contains("is not the key of"), "{}", gateway.log());
    std::fs::write(certificates.0.join("gateway.key"), key).unwrap();
    assert!(!tpkt(&mut Client::connect(at, &old.0, Some(&old.0), &[]), AUDIT).is_empty());

    certificates.make("127.0.0.1");
    gateway.signal(Signal::HUP);
    gateway.logged("the configuration was reloaded");
    assert!(!tpkt(&mut Client::connect(at, &certificates.0, Some(&certificates.0), &[]), AUDIT).is_empty());
    assert!(Client::connect(at, &certificates.0, Some(&old.0), &[]).everything().is_empty(), "the old one");
    assert!(!tpkt(&mut open, AUDIT).is_empty(), "an open connection goes on");
}

#[test]
fn handshakes_are_bounded_in_number_and_time() {
    let Some(()) = openssl() else { return };
    let certificates = Certificates::made("bounds", "127.0.0.1");
    let gateway = certificates.gateway();
    let at = gateway.listening["tls.text"];
    let silent: Vec<_> = (0..40).map(|_| TcpStream::connect(at).unwrap()).collect();
    let event = |name: &str| gateway.metric("agw_iq_events_total", &[&format!("event=\"{name}\"")]);
    eventually("what is too many is refused", || (event("tls_handshake_refused") == 8.0).then_some(()));
    // The others of Iq go on meanwhile.
    assert!(
        gateway.controller().transact("Context = - { AuditValue = ROOT { Audit { } } }").contains("ROOT")
    );
    eventually("the silent ones are given up", || (event("tls_handshake_failed") == 32.0).then_some(()));
    assert!(!tpkt(&mut Client::connect(at, &certificates.0, Some(&certificates.0), &[]), AUDIT).is_empty());
    drop(silent);
}

/// The first message of a gateway that connects, and the connection; nothing when the handshake fails.
fn accepted(
    listener: &TcpListener,
    end: &Identity,
) -> Option<(String, rustls::StreamOwned<rustls::ServerConnection, TcpStream>)> {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let tls = rustls::ServerConnection::new(end.server.clone()).unwrap();
    let mut stream = rustls::StreamOwned::new(tls, stream);
    let mut first = [0];
    stream.read_exact(&mut first).ok()?;
    let asked = tpkt_answer(&mut first.as_slice().chain(&mut stream));
    Some((String::from_utf8(asked).unwrap(), stream))
}

#[test]
fn the_gateway_connects_to_a_controller_whose_certificate_names_its_address() {
    let Some(()) = openssl() else { return };
    let impostor = Certificates::made("impostor", "127.0.0.9");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let listed = format!("iq.controllers=[\"tls:{}\"]", listener.local_addr().unwrap());
    let mut settings = impostor.settings();
    settings.extend([listed, "iq.protected_by=tls".to_owned()]);
    let gateway = Gateway::start(&settings.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(accepted(&listener, &impostor.controller()).is_none(), "its certificate names 127.0.0.9");
    gateway.logged("a controller could not be reached");
    impostor.make("127.0.0.1");
    gateway.signal(Signal::HUP);
    gateway.logged("the configuration was reloaded");
    let (asked, mut stream) = accepted(&listener, &impostor.controller()).expect("a handshake");
    assert!(asked.contains("ServiceChange") && asked.contains("Restart"), "{asked}");
    let id = asked.split("Transaction = ").nth(1).unwrap().split(' ').next().unwrap();
    let reply = format!("MEGACO/2 <mgc.test> Reply = {id} {{ Context = - {{ ServiceChange = ROOT }} }}");
    let mut packet = vec![3, 0, 0, reply.len() as u8 + 4];
    packet.extend_from_slice(reply.as_bytes());
    stream.write_all(&packet).unwrap();
    eventually("it is ready", || (gateway.get("/readyz").0 == 200).then_some(()));
    let audit = common::tpkt_text(&mut stream, "MEGACO/2 <mgc.test> T=1{C=-{AV=ROOT{AT{}}}}");
    assert!(audit.contains("AuditValue = ROOT"), "{audit}");
}

#[test]
fn a_controller_by_name_must_show_that_name() {
    let Some(()) = openssl() else { return };
    let certificates = Certificates::made("named", "127.0.0.1");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut settings = certificates.settings();
    settings.extend([format!("iq.controllers=[\"tls:localhost:{port}\"]"), "iq.protected_by=tls".to_owned()]);
    let gateway = Gateway::start(&settings.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(accepted(&listener, &certificates.controller()).is_none(), "it names the address only");
    gateway.logged("a controller could not be reached");
    certificates.make("127.0.0.9,DNS:localhost");
    gateway.signal(Signal::HUP);
    gateway.logged("the configuration was reloaded");
    let (asked, _) = accepted(&listener, &certificates.controller()).expect("a handshake");
    assert!(asked.contains("ServiceChange") && asked.contains("Restart"), "{asked}");
}
