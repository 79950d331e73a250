//! OpenSSL and GnuTLS as DTLS-SRTP peers of agw-dtls, in both roles, over sockets on loopback: each side exports the same keying material
//! and agrees on the same profile, and a certificate with a wrong fingerprint gets no keys (DTLS-1, DTLS-2, DTLS-3). Both peers speak
//! DTLS 1.2; we offer 1.3 beside it.

use agw_dtls::{
    EXPORTER_LABEL, MAX_OUTPUT_BYTES, Profile, Role, Session, Settings, SrtpKeys, SrtpProfile, Step, Version,
};
use agw_tls::{Fingerprint, HashFunction, Identity, TlsFailure};
use interop::process::{Peer, run};
use interop::text::hex;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(20);

fn identity() -> Identity {
    Identity::generate().expect("a certificate")
}

fn fingerprint(identity: &Identity) -> Fingerprint {
    identity.fingerprint(HashFunction::Sha256)
}

/// Names of files in DER form that hold a certificate and its key, for a foreign program.
fn files(identity: &Identity, name: &str) -> [String; 2] {
    [("crt", identity.certificate()), ("key", identity.private_key())].map(|(what, bytes)| {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("dtls-{name}.{what}"));
        std::fs::write(&path, bytes).expect("a file of the test");
        path.display().to_string()
    })
}

/// Our end: a session on a socket.
struct End {
    socket: UdpSocket,
    peer: Option<SocketAddr>,
    session: Session,
    began: Instant,
    keys: Option<SrtpKeys>,
    failure: Option<TlsFailure>,
    heard: Vec<u8>,
}

impl End {
    fn new(
        role: Role,
        ours: &Identity,
        peer: &Fingerprint,
        profile: SrtpProfile,
        address: Option<SocketAddr>,
    ) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port on loopback");
        let settings = Settings { profiles: vec![profile], ..Settings::default() };
        let compiled = Profile::new(settings).expect("sound settings");
        let mut session = Session::new(&compiled, role, ours, 0).expect("a usable key");
        session.expect(std::slice::from_ref(peer));
        Self {
            socket,
            peer: address,
            session,
            began: Instant::now(),
            keys: None,
            failure: None,
            heard: Vec::new(),
        }
    }

    fn port(&self) -> u16 {
        self.socket.local_addr().expect("a bound socket").port()
    }

    /// Until there are keys or a failure.
    fn run(&mut self) {
        self.run_until(|end| end.keys.is_some() || end.failure.is_some());
    }

    /// Until as much application data has come.
    fn hear_until(&mut self, words: &[u8]) {
        self.run_until(|end| end.heard.len() >= words.len());
    }

    fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        let mut buffer = vec![0; MAX_OUTPUT_BYTES];
        self.drain(&mut buffer);
        while !done(self) && self.began.elapsed() < LIMIT {
            if let Ok((len, from)) = self.socket.recv_from(&mut buffer) {
                self.peer = Some(from);
                let datagram = buffer[..len].to_vec();
                self.session.handle_datagram(&datagram, self.now_us());
            } else {
                self.session.handle_timeout(self.now_us());
            }
            self.drain(&mut buffer);
        }
    }

    fn drain(&mut self, buffer: &mut [u8]) {
        let wait = loop {
            match self.session.poll(buffer) {
                Step::Datagram(datagram) => {
                    let peer = self.peer.expect("a server hears first");
                    self.socket.send_to(datagram, peer).expect("loopback takes a datagram");
                }
                Step::Established(keys) => self.keys = Some(keys),
                Step::Failed(failure) => self.failure = Some(failure),
                Step::Data(data) => self.heard.extend(data),
                Step::Closed => {}
                Step::Idle { wake_us } => break wake_us,
            }
        };
        let wait_us = wait.map_or(500_000, |wake| wake.saturating_sub(self.now_us()).clamp(1000, 500_000));
        self.socket.set_read_timeout(Some(Duration::from_micros(wait_us))).expect("a sound timeout");
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).expect("a short test")
    }

    /// What was exported, as the other side prints it.
    fn material(&self, role: Role) -> String {
        let keys = self.keys.as_ref().expect("established");
        let (client, server) = match role {
            Role::Client => (keys.ours(), keys.theirs()),
            Role::Server => (keys.theirs(), keys.ours()),
        };
        let [client, server] = [client, server].map(|attribute| &attribute.keys()[0]);
        hex(&[client.key(), server.key(), client.salt(), server.salt()].concat())
    }
}

/// A foreign program that does one handshake and prints what it exported.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Program {
    OpenSsl,
    GnuTls,
}

impl Program {
    fn find(self) -> Result<Self, String> {
        let (program, option) = match self {
            Self::OpenSsl => ("openssl", "version"),
            Self::GnuTls => ("gnutls-cli", "--version"),
        };
        run(Command::new(program).arg(option), LIMIT)?.expect_success(program);
        Ok(self)
    }

    fn profile_name(self, profile: SrtpProfile) -> &'static str {
        match (self, profile) {
            (Self::OpenSsl, SrtpProfile::Aes128CmHmacSha1_80) => "SRTP_AES128_CM_SHA1_80",
            (Self::OpenSsl, SrtpProfile::AeadAes128Gcm) => "SRTP_AEAD_AES_128_GCM",
            (Self::OpenSsl, SrtpProfile::AeadAes256Gcm) => "SRTP_AEAD_AES_256_GCM",
            (Self::GnuTls, SrtpProfile::Aes128CmHmacSha1_80) => "SRTP_AES128_CM_HMAC_SHA1_80",
            _ => panic!("{self:?} does not know {profile:?}"),
        }
    }

    /// Starts it; it keeps its standard input open, or it would leave at once.
    fn start(self, role: Role, port: u16, identity: &Identity, profile: SrtpProfile) -> Peer {
        let [certificate, key] = files(identity, &format!("{self:?}-{role:?}-{port}"));
        let name = self.profile_name(profile);
        let bytes = profile.material_bytes();
        let command = match (self, role) {
            (Self::OpenSsl, Role::Client) => {
                format!("openssl s_client -dtls1_2 -connect 127.0.0.1:{port} -mtu 1200")
            }
            (Self::OpenSsl, Role::Server) => {
                format!("openssl s_server -dtls1_2 -accept 127.0.0.1:{port} -Verify 1 -naccept 1 -mtu 1200")
            }
            (Self::GnuTls, Role::Client) => {
                format!("gnutls-cli --udp --port {port} 127.0.0.1 --insecure --mtu 1200")
            }
            (Self::GnuTls, Role::Server) => {
                format!("gnutls-serv --udp --port {port} --require-client-cert --mtu 1200")
            }
        };
        let options = match self {
            Self::OpenSsl => format!(
                "-cert {certificate} -certform DER -key {key} -keyform DER -use_srtp {name} \
                 -keymatexport {EXPORTER_LABEL} -keymatexportlen {bytes}"
            ),
            Self::GnuTls => format!(
                "--x509certfile {certificate} --x509keyfile {key} --x509fmtder --srtp-profiles {name} \
                 --keymatexport {EXPORTER_LABEL} --keymatexportsize {bytes}"
            ),
        };
        Peer::start(Command::new("sh").arg("-c").arg(format!("sleep 20 | {command} {options} 2>&1")), LIMIT)
            .expect("a shell")
    }

    fn words_of_material(self) -> &'static str {
        match self {
            Self::OpenSsl => "Keying material: ",
            Self::GnuTls => "Key material: ",
        }
    }
}

/// One handshake with us in `role`.
fn shake_hands(program: Program, role: Role, profile: SrtpProfile) {
    let (ours, theirs) = (identity(), identity());
    let (mut end, mut peer) = match role {
        Role::Server => {
            let end = End::new(role, &ours, &fingerprint(&theirs), profile, None);
            let peer = program.start(Role::Client, end.port(), &theirs, profile);
            (end, peer)
        }
        Role::Client => {
            let port = interop::ports::free_port();
            let peer = program.start(Role::Server, port, &theirs, profile);
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            (End::new(role, &ours, &fingerprint(&theirs), profile, Some(address)), peer)
        }
    };
    end.run();
    assert_eq!(end.failure, None, "{program:?} {role:?} {profile:?}\n{}", peer.output());
    assert_eq!(end.session.version(), Some(Version::Dtls12));
    let keys =
        end.keys.as_ref().unwrap_or_else(|| panic!("{program:?} {role:?}: no keys\n{}", peer.output()));
    assert_eq!(keys.profile(), profile);
    peer.wait_for(program.words_of_material()).unwrap_or_else(|why| panic!("{why}"));
    let output = peer.output();
    let (_, rest) = output.split_once(program.words_of_material()).expect("it was printed");
    let theirs: String = rest.lines().next().unwrap_or_default().trim().to_ascii_lowercase();
    assert_eq!(theirs, end.material(role), "{program:?} {role:?} {profile:?}");
}

#[test]
fn openssl_exports_the_same_keys() {
    let Some(openssl) = interop::require("openssl", || Program::OpenSsl.find()) else { return };
    for role in [Role::Server, Role::Client] {
        for profile in
            [SrtpProfile::Aes128CmHmacSha1_80, SrtpProfile::AeadAes128Gcm, SrtpProfile::AeadAes256Gcm]
        {
            shake_hands(openssl, role, profile);
        }
    }
}

#[test]
fn gnutls_exports_the_same_keys() {
    let Some(gnutls) = interop::require("gnutls-cli", || Program::GnuTls.find()) else { return };
    shake_hands(gnutls, Role::Server, SrtpProfile::Aes128CmHmacSha1_80);
}

/// GnuTLS's server does not print what it exports over datagrams; it says what it hears, and sends it back.
#[test]
fn gnutls_as_server_proves_itself_and_sends_back_what_it_hears() {
    let Some(gnutls) = interop::require("gnutls-cli", || Program::GnuTls.find()) else { return };
    let (ours, theirs) = (identity(), identity());
    let profile = SrtpProfile::Aes128CmHmacSha1_80;
    let port = interop::ports::free_port();
    let mut peer = gnutls.start(Role::Server, port, &theirs, profile);
    peer.wait_for("listening").unwrap_or_else(|why| panic!("{why}"));
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut end = End::new(Role::Client, &ours, &fingerprint(&theirs), profile, Some(address));
    end.run();
    assert_eq!(
        end.keys.as_ref().map(SrtpKeys::profile),
        Some(profile),
        "{:?}\n{}",
        end.failure,
        peer.output()
    );
    assert_eq!(end.session.send(b"hello from the gateway").unwrap(), 22);
    end.hear_until(b"hello from the gateway");
    assert_eq!(end.heard, b"hello from the gateway", "{}", peer.output());
}

#[test]
fn openssl_with_another_certificate_than_signalled_gets_no_keys_and_an_alert() {
    let Some(openssl) = interop::require("openssl", || Program::OpenSsl.find()) else { return };
    let [ours, theirs, other] = std::array::from_fn(|_| identity());
    let profile = SrtpProfile::Aes128CmHmacSha1_80;
    let mut end = End::new(Role::Server, &ours, &fingerprint(&other), profile, None);
    let mut peer = openssl.start(Role::Client, end.port(), &theirs, profile);
    end.run();
    assert_eq!(end.failure, Some(TlsFailure::FingerprintMismatch), "{}", peer.output());
    assert!(end.keys.is_none());
    peer.wait_for("bad certificate").unwrap_or_else(|why| panic!("{why}"));
}
