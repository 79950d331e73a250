//! OpenSSL's and GnuTLS's own programs as peers, and what they prove themselves with.

use agw_dtls::{EXPORTER_LABEL, Role, SrtpProfile};
use agw_tls::{Fingerprint, HashFunction};
use interop::process::{Peer, run};
use std::path::PathBuf;
use std::process::Command;

use crate::{LIMIT, identity};

/// A certificate of a peer, in files in DER form.
pub(crate) struct Shown {
    certificate: String,
    key: String,
    pub(crate) fingerprint: Fingerprint,
}

impl Shown {
    /// With an ECDSA key, as ours. `name` names its files.
    pub(crate) fn ecdsa(name: &str) -> Self {
        let identity = identity();
        let [certificate, key] = ["crt", "key"].map(|what| place(name, what));
        std::fs::write(&certificate, identity.certificate()).expect("a file of the test");
        std::fs::write(&key, identity.private_key()).expect("a file of the test");
        Self { certificate, key, fingerprint: identity.fingerprint(HashFunction::Sha256) }
    }

    /// With an RSA key.
    pub(crate) fn rsa(name: &str) -> Self {
        let [certificate, key] = ["crt", "key"].map(|what| place(name, what));
        let script = format!(
            "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=peer -days 2 -outform DER -out {certificate} -keyout {key}.pem \
             && openssl pkcs8 -topk8 -nocrypt -in {key}.pem -outform DER -out {key}"
        );
        run(Command::new("sh").arg("-c").arg(script), LIMIT).expect("openssl").expect_success("openssl req");
        let bytes = std::fs::read(&certificate).expect("a file of openssl");
        Self { fingerprint: Fingerprint::of(HashFunction::Sha256, &bytes), certificate, key }
    }
}

fn place(name: &str, what: &str) -> String {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("dtls-{name}.{what}")).display().to_string()
}

/// In what a peer differs from others.
#[derive(Default)]
pub(crate) struct Habits {
    /// It neither offers nor takes the extended master secret (RFC 7627).
    pub(crate) extended_master_secret_is_off: bool,
    /// More options of its command line.
    pub(crate) options: &'static str,
}

/// A foreign program that does one handshake and prints what it exported.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Program {
    OpenSsl,
    GnuTls,
}

impl Program {
    pub(crate) fn find(self) -> Result<Self, String> {
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
            (Self::OpenSsl, SrtpProfile::Aes128CmHmacSha1_32) => "SRTP_AES128_CM_SHA1_32",
            (Self::OpenSsl, SrtpProfile::AeadAes128Gcm) => "SRTP_AEAD_AES_128_GCM",
            (Self::OpenSsl, SrtpProfile::AeadAes256Gcm) => "SRTP_AEAD_AES_256_GCM",
            (Self::GnuTls, SrtpProfile::Aes128CmHmacSha1_80) => "SRTP_AES128_CM_HMAC_SHA1_80",
            _ => panic!("{self:?} does not know {profile:?}"),
        }
    }

    /// Starts it; it keeps its standard input open, or it would leave at once.
    pub(crate) fn start(self, role: Role, port: u16, shown: &Shown, profile: SrtpProfile) -> Peer {
        self.start_with(role, port, shown, profile, &Habits::default())
    }

    /// And with habits.
    pub(crate) fn start_with(
        self,
        role: Role,
        port: u16,
        shown: &Shown,
        profile: SrtpProfile,
        habits: &Habits,
    ) -> Peer {
        let Shown { certificate, key, .. } = shown;
        let name = self.profile_name(profile);
        let bytes = profile.material_bytes();
        let command = match (self, role) {
            (Self::OpenSsl, Role::Client) => {
                format!("openssl s_client -dtls1_2 -connect 127.0.0.1:{port} -mtu 1200")
            }
            (Self::OpenSsl, Role::Server) => {
                format!("openssl s_server -dtls1_2 -accept 127.0.0.1:{port} -Verify 1 -naccept 2 -mtu 1200")
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
        let (environment, more) = match (self, habits.extended_master_secret_is_off) {
            (_, false) => (String::new(), ""),
            (Self::OpenSsl, true) => (format!("OPENSSL_CONF={}", without_extended_master_secret()), ""),
            (Self::GnuTls, true) => (String::new(), "--priority NORMAL:%NO_SESSION_HASH"),
        };
        let line = format!("sleep 20 | {environment} {command} {options} {more} {} 2>&1", habits.options);
        Peer::start(Command::new("sh").arg("-c").arg(line), LIMIT).expect("a shell")
    }

    /// What a server prints once it listens.
    pub(crate) fn words_of_listening(self) -> &'static str {
        match self {
            Self::OpenSsl => "ACCEPT",
            Self::GnuTls => "listening",
        }
    }

    pub(crate) fn words_of_material(self) -> &'static str {
        match self {
            Self::OpenSsl => "Keying material: ",
            Self::GnuTls => "Key material: ",
        }
    }
}

/// A file that keeps OpenSSL from the extended master secret, for which its programs have no option.
fn without_extended_master_secret() -> String {
    let file = place("without-extended-master-secret", "cnf");
    let sections = [
        "openssl_conf = all",
        "[all]\nssl_conf = contexts",
        "[contexts]\nsystem_default = one",
        "[one]\nOptions = -ExtendedMasterSecret\n",
    ];
    std::fs::write(&file, sections.join("\n")).expect("a file of the test");
    file
}
