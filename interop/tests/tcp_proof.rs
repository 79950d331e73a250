//! Who may speak on a stream with TLS, tried with OpenSSL at the phone's end of the whole gateway: certificates are judged by their fingerprints alone,
//! which may be wrong, several, late or never told, and by the proof of their keys; pre-shared keys by the proof of them. Whoever fails is refused,
//! the controller is told once and in words, and not a byte of media leaves at the core side (TLS-2, TLS-3, TLS-11).

use interop::connection::{Certificate, Connected, Side};
use interop::gateway::Gateway;
use interop::msrp::{DISCARD, orders};
use interop::peers::program;
use interop::ports::free_port;
use interop::process::Peer;
use interop::text::{base64, hex};
use std::io::{ErrorKind, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(30);
const MEDIA: &str = "media of the phone";
const MISMATCH: &str = "the peer's certificate has none of the signalled fingerprints";
/// How long nothing may come before it counts as nothing.
const QUIET: Duration = Duration::from_millis(400);

/// The gateway towards a phone, and a plain connection at the core side that is up already.
struct Line {
    call: Connected,
    core: TcpStream,
    access: Side,
}

impl Line {
    fn new(gateway: &Gateway, access: Side) -> Self {
        let waits = SocketAddr::from((Ipv4Addr::LOCALHOST, DISCARD));
        let core = Side::new("core", "TCP", Some("passive"), waits);
        let call = Connected::set_up(gateway.iq(), [&access, &core]);
        let core = TcpStream::connect(call.given[1].local).expect("the gateway listens");
        Self { call, core, access }
    }

    fn with_fingerprints(gateway: &Gateway, fingerprints: &[&str]) -> Self {
        let mut access = secure("passive", SocketAddr::from((Ipv4Addr::LOCALHOST, DISCARD)));
        access.fingerprints = fingerprints.iter().map(|&value| value.to_owned()).collect();
        Self::new(gateway, access)
    }

    /// `openssl s_client` with these further words, which says something as soon as it can and stays.
    fn client(&self, words: &str) -> Peer {
        let line = format!(
            "(echo '{MEDIA}'; sleep 20) | openssl s_client -connect {} -quiet {words}",
            self.call.given[0].local
        );
        Peer::start(Command::new("sh").args(["-c", &line]), LIMIT).expect("a shell starts")
    }

    /// The controller says fingerprints after all.
    fn signal(&mut self, fingerprints: &[&str]) {
        self.access.fingerprints = fingerprints.iter().map(|&value| value.to_owned()).collect();
        let remote = self.access.remote();
        self.call.modify(0, &remote, "");
    }

    fn passes(mut self) {
        self.core.set_read_timeout(Some(Duration::from_secs(10))).expect("a time limit is accepted");
        let mut read = [0; MEDIA.len()];
        let came = self.core.read_exact(&mut read);
        let told = self.call.controller.notified_within(Duration::from_millis(1));
        came.unwrap_or_else(|error| panic!("{error}, and told was {told:?}"));
        assert_eq!(read, MEDIA.as_bytes());
        self.call.controller.wait_for(&["tlsbsc/BNCChange", "Est"]);
        self.call.take_down();
    }

    fn is_silent(&mut self) {
        self.core.set_read_timeout(Some(QUIET)).expect("a time limit is accepted");
        let nothing = self.core.read(&mut [0; 1]);
        assert!(matches!(&nothing, Err(error) if error.kind() == ErrorKind::WouldBlock), "{nothing:?}");
    }

    /// Refused for this reason, which is told once.
    fn ends_with(mut self, reason: &str) {
        self.call.controller.wait_for(&["tlsbsc/BNCChange", "Fail", reason]);
        self.is_silent();
        let again = self.call.controller.notified_within(QUIET);
        assert!(!again.iter().any(|notice| notice.contains("tlsbsc/BNCChange")), "{again:?}");
        self.call.take_down();
    }
}

fn secure(setup: &'static str, remote: SocketAddr) -> Side {
    Side::new("access", "TCP/TLS", Some(setup), remote)
}

fn showing(certificate: &Certificate) -> String {
    let base = certificate.base().display();
    format!("-cert {base}.pem -key {base}.key -cert_chain {base}.pem")
}

#[test]
fn fingerprints_decide_whether_wrong_several_or_of_no_use() {
    let Some(_openssl) = interop::require("openssl", || program("openssl")) else { return };
    let gateway = Gateway::start("");
    let [own, foreign] = ["own", "foreign"].map(Certificate::ecdsa);
    let longer = |certificate: &Certificate| format!("SHA-512 {}", certificate.digest("sha512"));
    let unknown = format!("MD5 {}", own.digest("md5"));
    let (strong, foreign_strong) = (longer(&own), longer(&foreign));
    let no_hash = "no signalled fingerprint uses a hash function that is allowed";
    let cases: [(&[&str], Option<&str>); 7] = [
        (&[&own.fingerprint], None),
        (&[&foreign.fingerprint, &own.fingerprint], None),
        (&[&foreign.fingerprint, &strong], None),
        (&[&unknown, &own.fingerprint], None),
        (&[&foreign.fingerprint], Some(MISMATCH)),
        // The strongest hash function decides, and there it is another's (RFC 8122 section 5.1).
        (&[&own.fingerprint, &foreign_strong], Some(MISMATCH)),
        (&[&unknown], Some(no_hash)),
    ];
    for (fingerprints, refused) in cases {
        let line = Line::with_fingerprints(&gateway, fingerprints);
        let _phone = line.client(&showing(&own));
        match refused {
            None => line.passes(),
            Some(reason) => line.ends_with(reason),
        }
    }
    let line = Line::with_fingerprints(&gateway, &[&own.fingerprint]);
    let _phone = line.client("");
    line.ends_with("the peer showed no certificate");
    assert!(gateway.metric("agw_connections_total", &["leg=\"access\"", "event=\"tls\""]) == 4.0);
    gateway.stop();
}

#[test]
fn a_fingerprint_may_come_late_and_until_then_nothing_passes() {
    let Some(_openssl) = interop::require("openssl", || program("openssl")) else { return };
    let gateway = Gateway::start("[tls]\nfingerprint_wait_ms = 2000\n");
    let [own, foreign] = ["late", "late-foreign"].map(Certificate::ecdsa);
    for (fingerprint, passes) in [(&own.fingerprint, true), (&foreign.fingerprint, false)] {
        let mut line = Line::with_fingerprints(&gateway, &[]);
        let _phone = line.client(&showing(&own));
        line.call.controller.wait_for(&["tcpbcc/BNCChange", &line.call.given[0].termination, "Est"]);
        line.is_silent();
        line.signal(&[fingerprint]);
        if passes { line.passes() } else { line.ends_with(MISMATCH) }
    }
    let line = Line::with_fingerprints(&gateway, &[]);
    let _phone = line.client(&showing(&own));
    line.ends_with("no fingerprint of the peer was signalled in time");
    gateway.stop();
}

#[test]
fn a_server_with_another_certificate_gets_nothing_either() {
    let Some(openssl) = interop::require("openssl", || program("openssl")) else { return };
    let gateway = Gateway::start("");
    let [own, foreign] = ["server", "server-foreign"].map(Certificate::ecdsa);
    for (fingerprint, is_right) in [(&foreign.fingerprint, false), (&own.fingerprint, true)] {
        let port = free_port();
        let words = format!("s_server -accept 127.0.0.1:{port} -rev -Verify 1 {}", showing(&own));
        let mut server =
            Peer::start(Command::new(&openssl).args(words.split(' ')), LIMIT).expect("it starts");
        server.wait_for("ACCEPT").expect("it listens");
        let mut access = secure("active", SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        access.fingerprints = vec![fingerprint.clone()];
        let mut line = Line::new(&gateway, access);
        line.call.order(0, &orders(true, true));
        if is_right {
            line.call.controller.wait_for(&["tlsbsc/BNCChange", "Est"]);
            line.call.take_down();
        } else {
            line.ends_with(MISMATCH);
        }
    }
    gateway.stop();
}

#[test]
fn what_else_a_certificate_says_does_not_matter_but_its_key_must_be_one_that_can_be_checked() {
    let Some(_openssl) = interop::require("openssl", || program("openssl")) else { return };
    let gateway = Gateway::start("");
    let expired = Certificate::expired_in_a_chain("expired");
    let line = Line::with_fingerprints(&gateway, &[&expired.fingerprint]);
    let _phone = line.client(&showing(&expired));
    line.passes();

    let cannot = "the peer's certificate has a key of a type that cannot be checked";
    let none = "the peer showed no certificate";
    // OpenSSL shows only what it was asked for; a key that is too short it shows, and so do the curves that TLS 1.2 does not tell apart.
    let kinds: [(&str, &[&str], &str, Option<&str>); 5] = [
        ("ed25519", &["ed25519"], "-tls1_3", None),
        ("short", &["rsa:1024"], "-cipher ALL:@SECLEVEL=0", Some(cannot)),
        ("curve", &["ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"], "-tls1_2", Some(cannot)),
        ("ed448", &["ed448"], "-tls1_3", Some(none)),
        ("ed448-12", &["ed448"], "-tls1_2", Some(none)),
    ];
    for (name, key, words, refused) in kinds {
        let certificate = Certificate::make(name, key);
        let line = Line::with_fingerprints(&gateway, &[&certificate.fingerprint]);
        let _phone = line.client(&format!("{words} {}", showing(&certificate)));
        match refused {
            None => line.passes(),
            Some(reason) => line.ends_with(reason),
        }
    }
    gateway.stop();
}

#[test]
fn a_pre_shared_key_proves_a_phone_in_both_roles_and_versions_and_another_key_does_not() {
    let Some(_openssl) = interop::require("openssl", || program("openssl")) else { return };
    let gateway = Gateway::start("");
    let key: Vec<u8> = (0..16).collect();
    let shared = hex(&key);
    let psk = Some(format!("{}|alice", base64(&key)));
    let waits = SocketAddr::from((Ipv4Addr::LOCALHOST, DISCARD));
    for version in ["-tls1_2", "-tls1_3"] {
        let line = Line::new(&gateway, Side { psk: psk.clone(), ..secure("passive", waits) });
        let _phone = line.client(&format!("{version} -psk_identity alice -psk {shared}"));
        line.passes();

        let refusals = [
            ("alice", "00ff", "the peer has another pre-shared key"),
            ("bob", shared.as_str(), "the identity of the pre-shared key is unknown"),
        ];
        for (identity, key, reason) in refusals {
            let line = Line::new(&gateway, Side { psk: psk.clone(), ..secure("passive", waits) });
            let _phone = line.client(&format!("{version} -psk_identity {identity} -psk {key}"));
            line.ends_with(reason);
        }

        let port = free_port();
        let words = format!(
            "s_server -accept 127.0.0.1:{port} {version} -nocert -psk_identity alice -psk {shared} -naccept 1"
        );
        let server = format!("(echo '{MEDIA}'; sleep 20) | openssl {words}");
        let mut server =
            Peer::start(Command::new("sh").args(["-c", &server]), LIMIT).expect("a shell starts");
        server.wait_for("ACCEPT").expect("it listens");
        let side = secure("active", SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let mut line = Line::new(&gateway, Side { psk: psk.clone(), ..side });
        line.call.order(0, &orders(true, true));
        line.passes();
    }
    gateway.stop();
}
