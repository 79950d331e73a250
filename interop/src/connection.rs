//! One context with a connection, commanded with H.248 text that is written and read by hand: MSRP, BFCP or any bytes over TCP, with or without TLS.

use crate::controller::{Controller, after, has_error};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// What the controller says of one side.
#[derive(Debug, Clone)]
pub struct Side {
    /// The realm, which is the interface of the TerminationID.
    pub realm: &'static str,
    /// The transport of the m-line.
    pub proto: &'static str,
    /// Our `a=setup`; `None`: none, so that connections are relayed statelessly.
    pub setup: Option<&'static str>,
    /// Where the peer is; port 9 for one that connects.
    pub remote: SocketAddr,
    /// The peer's `a=path`.
    pub path: Option<String>,
    /// The values of the peer's `a=fingerprint` lines.
    pub fingerprints: Vec<String>,
    /// A pre-shared key instead of certificates: what follows `inline:`.
    pub psk: Option<String>,
    /// Further LocalControl properties, each after a comma.
    pub properties: &'static str,
    /// Signals, without braces; or nothing.
    pub signals: &'static str,
}

impl Side {
    /// A side of this transport, with nothing further said of it.
    pub fn new(
        realm: &'static str,
        proto: &'static str,
        setup: Option<&'static str>,
        remote: SocketAddr,
    ) -> Self {
        let (path, fingerprints, psk) = (None, vec![], None);
        Self { realm, proto, setup, remote, path, fingerprints, psk, properties: "", signals: "" }
    }

    fn is_tls(&self) -> bool {
        self.proto.contains("TLS")
    }

    fn add(&self) -> String {
        let Self { realm, properties, signals, .. } = self;
        let signals = if signals.is_empty() { String::new() } else { format!(",\nSignals {{ {signals} }}") };
        format!(
            "Add = ip/1/{realm}/$ {{ Media {{ Stream = 1 {{ LocalControl {{ Mode = SendReceive{properties} }},\n{},\n{} }} }},\n\
             Events = 7 {{ tcpbcc/BNCChange, tlsbsc/BNCChange }}{signals} }}",
            self.local(),
            self.remote()
        )
    }

    fn local(&self) -> String {
        let mut lines = format!("v=0\nc=IN {} $\nm={} $ {} *\n", self.family(), self.medium(), self.proto);
        lines.extend(self.setup.map(|setup| format!("a=setup:{setup}\n")));
        lines.push_str(if self.is_tls() && self.psk.is_none() { "a=fingerprint:SHA-256 $\n" } else { "" });
        lines.push_str(if self.path.is_some() { "a=path:$\n" } else { "" });
        format!("Local {{\n{lines}}}")
    }

    /// The Remote descriptor.
    pub fn remote(&self) -> String {
        let (ip, port) = (self.remote.ip(), self.remote.port());
        let mut lines =
            format!("v=0\nc=IN {} {ip}\nm={} {port} {} *\n", self.family(), self.medium(), self.proto);
        let theirs = self.setup.map(|ours| match ours {
            "active" => "passive",
            "passive" => "active",
            other => other,
        });
        lines.extend(theirs.map(|setup| format!("a=setup:{setup}\n")));
        lines.extend(self.path.iter().map(|path| format!("a=path:{path}\n")));
        lines.extend(self.psk.iter().map(|key| format!("a=crypto:1 TLS_PSK inline:{key}\n")));
        lines.extend(self.fingerprints.iter().map(|value| format!("a=fingerprint:{value}\n")));
        format!("Remote {{\n{lines}}}")
    }

    /// The media type, as the registrations of the transports have it.
    fn medium(&self) -> &'static str {
        if self.proto.contains("MSRP") { "message" } else { "application" }
    }

    fn family(&self) -> &'static str {
        if self.remote.is_ipv4() { "IP4" } else { "IP6" }
    }
}

/// What the gateway gave one side.
#[derive(Debug, Clone)]
pub struct Given {
    /// The TerminationID.
    pub termination: String,
    /// Where it listens, or connects from.
    pub local: SocketAddr,
    /// The digest of its certificate.
    pub fingerprint: Option<String>,
    /// Its `a=path`.
    pub path: Option<String>,
}

/// A context with two sides.
#[derive(Debug)]
pub struct Connected {
    /// Who commands it.
    pub controller: Controller,
    /// The number of the context.
    pub context: String,
    /// What the sides were given, in their order.
    pub given: Vec<Given>,
}

impl Connected {
    /// Sets a context up between two sides.
    ///
    /// # Panics
    /// When the gateway does not do it: with its reply.
    pub fn set_up(iq: SocketAddr, sides: [&Side; 2]) -> Self {
        let mut controller = Controller::new(iq);
        let reply = controller.ask(&format!("Context = $ {{ {}, {} }}", sides[0].add(), sides[1].add()));
        assert!(!has_error(&reply), "{reply}");
        let context = after(&reply, "Context = ").next().expect("a reply has a context").to_owned();
        let given: Vec<Given> = reply.split("Add = ").skip(1).map(given).collect();
        assert_eq!(given.len(), 2, "{reply}");
        Self { controller, context, given }
    }

    /// Modifies the stream of a side; `what` is what stands in its Stream descriptor, `more` follows the Media descriptor after a comma.
    ///
    /// # Panics
    /// When the gateway does not do it: with its reply.
    pub fn modify(&mut self, side: usize, what: &str, more: &str) -> String {
        let action = format!(
            "Context = {} {{ Modify = {} {{ Media {{ Stream = 1 {{ {what} }} }}{more} }} }}",
            self.context, self.given[side].termination
        );
        let reply = self.controller.ask(&action);
        assert!(!has_error(&reply), "{reply}");
        reply
    }

    /// Orders signals at a side; no words, no order.
    ///
    /// # Panics
    /// When the gateway does not do it: with its reply.
    pub fn order(&mut self, side: usize, signals: &str) {
        if !signals.is_empty() {
            let more = format!(", Signals {{ {signals} }}");
            self.modify(side, "LocalControl { Mode = SendReceive }", &more);
        }
    }

    /// Takes the context down; the reply has the statistics of both sides.
    ///
    /// # Panics
    /// When the gateway does not do it: with its reply.
    pub fn take_down(mut self) -> String {
        let removals = self.given.iter().map(|given| format!("Subtract = {}", given.termination));
        let action = format!("Context = {} {{ {} }}", self.context, removals.collect::<Vec<_>>().join(", "));
        let reply = self.controller.ask(&action);
        assert!(!has_error(&reply), "{reply}");
        reply
    }
}

fn given(reply: &str) -> Given {
    let line = |key: &str| reply.lines().find_map(|line| line.trim().strip_prefix(key)).map(str::trim);
    let address = line("c=IN IP4 ").or_else(|| line("c=IN IP6 ")).expect("Local has an address");
    let media = line("m=").expect("Local has a medium");
    let port = media.split(' ').nth(1).expect("a medium has a port");
    Given {
        termination: after(&format!("={reply}"), "=").next().expect("a name follows Add").to_owned(),
        local: SocketAddr::new(address.parse().expect("an address"), port.parse().expect("a port")),
        fingerprint: line("a=fingerprint:SHA-256 ").map(str::to_owned),
        path: line("a=path:").map(str::to_owned),
    }
}

/// A certificate of a peer in a file of its own, made by OpenSSL.
#[derive(Debug)]
pub struct Certificate {
    base: PathBuf,
    /// The value of `a=fingerprint`.
    pub fingerprint: String,
}

impl Certificate {
    /// A certificate with the same key that another one has signed, and that was valid long ago; the other one is shown behind it.
    ///
    /// # Panics
    /// When OpenSSL does not make one.
    pub fn expired_in_a_chain(name: &str) -> Self {
        let (issuer, mut own) = (Self::ecdsa(&format!("{name}-issuer")), Self::ecdsa(name));
        let request = own.base.with_extension("csr");
        let (pem, key) = (own.base.with_extension("pem"), own.base.with_extension("key"));
        let mut ask = Command::new("openssl");
        openssl(ask.args(["req", "-new", "-subj", "/CN=peer", "-key"]).arg(&key).arg("-out").arg(&request));
        let mut sign = Command::new("openssl");
        sign.args(["x509", "-req", "-days", "-1", "-set_serial", "1", "-in"]).arg(&request);
        sign.arg("-CA").arg(issuer.base.with_extension("pem"));
        sign.arg("-CAkey").arg(issuer.base.with_extension("key")).arg("-out").arg(&pem);
        openssl(&mut sign);
        let _gone = std::fs::remove_file(&request);
        let fingerprint = format!("SHA-256 {}", fingerprint_of(&pem, "sha256"));
        let issuers = std::fs::read(issuer.base.with_extension("pem")).expect("it was made");
        let whole = [std::fs::read(&pem).expect("it was made"), issuers].concat();
        std::fs::write(&pem, whole).expect("the temporary folder can be written");
        own.fingerprint = fingerprint;
        own
    }

    /// A self-signed certificate; `key` is what follows `-newkey`, such as `rsa:2048`, further words after it.
    ///
    /// # Panics
    /// When OpenSSL does not make one.
    pub fn make(name: &str, key: &[&str]) -> Self {
        let base = std::env::temp_dir().join(format!("agw-interop-{}-{name}", std::process::id()));
        let (pem, secret) = (base.with_extension("pem"), base.with_extension("key"));
        let mut request = Command::new("openssl");
        request.args(["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=peer", "-newkey"]).args(key);
        openssl(request.arg("-keyout").arg(&secret).arg("-out").arg(&pem));
        let fingerprint = format!("SHA-256 {}", fingerprint_of(&pem, "sha256"));
        Self { base, fingerprint }
    }

    /// The digest of another hash function of OpenSSL's, such as `sha1`, without its name.
    ///
    /// # Panics
    /// When OpenSSL does not know it.
    pub fn digest(&self, hash: &str) -> String {
        fingerprint_of(&self.base.with_extension("pem"), hash)
    }

    /// One with a key on the curve P-256.
    pub fn ecdsa(name: &str) -> Self {
        Self::make(name, &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
    }

    /// The name of its files without `.pem` and `.key`.
    pub fn base(&self) -> &Path {
        &self.base
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        for ending in ["pem", "key"] {
            // It may be gone already; that is as good.
            let _gone = std::fs::remove_file(self.base.with_extension(ending));
        }
    }
}

fn fingerprint_of(pem: &Path, hash: &str) -> String {
    let mut show = Command::new("openssl");
    let shown = openssl(show.args(["x509", "-noout", "-fingerprint", &format!("-{hash}"), "-in"]).arg(pem));
    shown.split_once('=').expect("openssl names the digest").1.trim().to_owned()
}

fn openssl(command: &mut Command) -> String {
    let finished = crate::process::run(command, Duration::from_secs(30)).expect("openssl is there");
    finished.expect_success("openssl")
}
