//! What an operator can decide, in one TOML file. [`Config`] is plain data with the embedded defaults, [`load`] reads a file and
//! overrides and names every mistake by file, line and key, [`check`] asks whether the whole makes sense on any machine
//! (what depends on this machine is `doctor`'s). The meaning, range and cost of each key stand in `default.toml`, which `agw config`
//! prints and which a test holds equal to [`Config::default`].

pub mod check;
pub mod limits;
pub mod load;
pub mod media_dtls;
pub mod media_tls;
pub mod tcp;
pub mod values;

pub use limits::{Limits, Overload, Rates, Threshold};
pub use media_dtls::Dtls;
pub use media_tls::Tls;
pub use tcp::Tcp;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use values::{ControllerAddress, Listen, Ports, Scheme};

/// The default configuration as the user reads it.
pub const DEFAULT_TOML: &str = include_str!("../default.toml");

/// The whole configuration. Field meanings: `default.toml`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Packet workers; 0: one per core, one core left to control from four cores up.
    pub workers: usize,
    /// How long a drain waits for calls to end.
    pub drain_deadline_s: u64,
    /// The control side.
    pub iq: Iq,
    /// Address pools by name.
    pub realm: BTreeMap<String, Realm>,
    /// SRTP policy.
    pub srtp: Srtp,
    /// Connections of media.
    pub tcp: Tcp,
    /// TLS of media.
    pub tls: Tls,
    /// DTLS of media.
    pub dtls: Dtls,
    /// Media handling.
    pub media: Media,
    /// Limits.
    pub limits: Limits,
    /// The packet backend.
    pub io: Io,
    /// Admin HTTP.
    pub admin: Admin,
    /// Logs.
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        let realm = |side, first, last, default| Realm {
            side,
            default,
            addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            advertise: Vec::new(),
            ports: Ports { first, last },
            interface: String::new(),
            dscp: 0,
            dtls_engine: String::new(),
        };
        Self {
            workers: 0,
            drain_deadline_s: 30,
            iq: Iq::default(),
            realm: BTreeMap::from([
                ("access".to_owned(), realm(Side::Access, 10_000, 19_999, false)),
                ("core".to_owned(), realm(Side::Core, 20_000, 29_999, true)),
            ]),
            srtp: Srtp::default(),
            tcp: Tcp::default(),
            tls: Tls::default(),
            dtls: Dtls::default(),
            media: Media::default(),
            limits: Limits::default(),
            io: Io::default(),
            admin: Admin::default(),
            log: Log::default(),
        }
    }
}

/// `[iq]`: H.248 towards the controller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Iq {
    /// UDP and TCP address of the text encoding.
    pub text: Listen,
    /// UDP and TCP address of the binary encoding.
    pub binary: Listen,
    /// Who commands us, the preferred one first.
    pub controllers: Vec<ControllerAddress>,
    /// The ServiceChange profile, empty: none is sent.
    pub profile: String,
    /// Our name in H.248 messages, empty: our address.
    pub domain: String,
    /// How what we send is written when a controller's entry does not say.
    pub encoding: TextEncoding,
    /// The peer mirrors the bits of `ds/dscp`.
    pub dscp_bit_mirroring: bool,
    /// How unprefixed digits of `ds/dscp` are read.
    pub dscp_radix: DscpRadix,
    /// What keeps keys on Iq secret.
    pub protected_by: Protection,
    /// Obey SDES keys although nothing protects Iq (IQ-3).
    pub allow_unprotected_keys: bool,
    /// Certificates of Iq itself.
    pub tls: IqTls,
}

impl Default for Iq {
    fn default() -> Self {
        let loopback = |port| Listen(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port))));
        Self {
            text: loopback(2944),
            binary: loopback(2945),
            controllers: Vec::new(),
            profile: String::new(),
            domain: String::new(),
            encoding: TextEncoding::Same,
            dscp_bit_mirroring: false,
            dscp_radix: DscpRadix::Auto,
            protected_by: Protection::None,
            allow_unprotected_keys: false,
            tls: IqTls::default(),
        }
    }
}

/// `[iq] encoding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TextEncoding {
    /// As the controller writes.
    Same,
    /// Long tokens, indented.
    Pretty,
    /// Short tokens.
    Compact,
}

/// `[iq] dscp_radix`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DscpRadix {
    /// Decimal unless the digits say otherwise.
    Auto,
    /// Always decimal.
    Decimal,
    /// Always hexadecimal.
    Hexadecimal,
}

/// `[iq] protected_by` (IQ-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protection {
    /// IPsec below us.
    Ipsec,
    /// TLS on Iq's TCP.
    Tls,
    /// Nothing.
    None,
}

/// `[iq.tls]`: files in PEM.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IqTls {
    /// Our certificate chain.
    pub certificate: String,
    /// Our private key.
    pub key: String,
    /// Whom controllers' certificates must chain to.
    pub ca: String,
    /// Where controllers connect for the text encoding.
    pub text: Listen,
    /// Where controllers connect for the binary encoding.
    pub binary: Listen,
}

impl Iq {
    /// Whether anything runs under TLS.
    pub fn uses_tls(&self) -> bool {
        let to = self.controllers.iter().any(|controller| controller.scheme == Scheme::Tls);
        to || self.tls.text.0.is_some() || self.tls.binary.0.is_some()
    }
}

/// The side of the gateway a realm faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Towards the phones.
    Access,
    /// Towards the IMS network.
    Core,
}

/// `[realm.NAME]`: one address pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Realm {
    /// Which side it faces.
    pub side: Side,
    /// Used when a command names none.
    #[serde(default)]
    pub default: bool,
    /// Local addresses.
    pub addresses: Vec<IpAddr>,
    /// What peers are told instead, one per address; empty: the addresses.
    #[serde(default)]
    pub advertise: Vec<IpAddr>,
    /// UDP ports on each address.
    pub ports: Ports,
    /// Network interface, empty: by route.
    #[serde(default)]
    pub interface: String,
    /// DiffServ code point of what is sent when the command says none.
    #[serde(default)]
    pub dscp: u8,
    /// The DTLS library, empty: that of `[dtls]`.
    #[serde(default)]
    pub dtls_engine: String,
}

/// `[srtp]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Srtp {
    /// Suites that are accepted, by their names in RFC 4568, 6188 and 7714.
    pub suites: Vec<String>,
    /// Accept UNENCRYPTED_SRTP and UNENCRYPTED_SRTCP (SRTP-5).
    pub allow_null: bool,
    /// Accept UNAUTHENTICATED_SRTP (SRTP-4).
    pub allow_unauthenticated: bool,
    /// Accept a peer that restarts its rollover counter (SRTP-14).
    pub roc_restart: RocRestart,
    /// Packets that the replay window reaches back.
    pub replay_window: u16,
}

impl Default for Srtp {
    fn default() -> Self {
        Self {
            suites: check::SUITES.iter().map(|&s| s.to_owned()).collect(),
            allow_null: false,
            allow_unauthenticated: false,
            roc_restart: RocRestart::Guarded,
            replay_window: 256,
        }
    }
}

/// `[srtp] roc_restart` (SRTP-14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RocRestart {
    /// After failures at the expected counter, successes at zero and silence at the old one.
    Guarded,
    /// Never.
    Off,
}

/// `[media]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Media {
    /// When a peer's address is learned.
    pub latch: Latch,
    /// Seconds without media after which `adid/ipstop` is told, where the controller names no time.
    pub idle: u32,
    /// How long a freed port rests.
    pub port_reuse_delay_ms: u32,
    /// What becomes of RTCP feedback where only one side has agreed on it.
    pub feedback: Feedback,
}

impl Default for Media {
    fn default() -> Self {
        Self { latch: Latch::Signal, idle: 30, port_reuse_delay_ms: 2000, feedback: Feedback::Negotiated }
    }
}

/// `[media] feedback` (RFC 4585).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Feedback {
    /// It passes to peers that have agreed on it.
    Negotiated,
    /// It passes to all.
    Pass,
}

/// `[media] latch` (RLY-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Latch {
    /// When `ipnapt/latch` says so.
    Signal,
    /// On every stream.
    Always,
    /// Never, whatever is signalled.
    Never,
}

/// `[io]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Io {
    /// How packets are moved.
    pub backend: Backend,
    /// Interfaces that a backend below the stack may take.
    pub interfaces: Vec<String>,
    /// How long a worker sleeps between batches at low load.
    pub tick_us: u32,
    /// Whether the time inside is measured of every packet.
    pub stamps_all: bool,
}

impl Default for Io {
    fn default() -> Self {
        Self { backend: Backend::Auto, interfaces: Vec::new(), tick_us: 400, stamps_all: false }
    }
}

/// `[io] backend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The best that the host allows.
    Auto,
    /// Sockets.
    Epoll,
    /// Packet sockets.
    Packet,
    /// io_uring.
    Uring,
    /// AF_XDP.
    Xdp,
}

/// `[admin]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Where HTTP is served.
    pub listen: Listen,
    /// Let other hosts change something (drain).
    pub remote_changes: bool,
}

impl Default for Admin {
    fn default() -> Self {
        Self { listen: Listen(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 9470)))), remote_changes: false }
    }
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// The least important lines that are written.
    pub level: Level,
    /// Text or JSON lines.
    pub format: Format,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: Level::Info, format: Format::Text }
    }
}

/// `[log] level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Only what stopped something.
    Error,
    /// And what needs a look.
    Warn,
    /// And what happened.
    Info,
    /// And how, without keys.
    Debug,
}

/// `[log] format`, `--log-format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_default_is_the_default() {
        let printed: Config = toml::from_str(DEFAULT_TOML).unwrap();
        assert_eq!(printed, Config::default());
    }

    #[test]
    fn every_key_stands_in_the_printed_default_with_a_comment() {
        let default = toml::Value::try_from(Config::default()).unwrap();
        let printed: toml::Value = toml::from_str(DEFAULT_TOML).unwrap();
        assert_eq!(default, printed, "a key is missing from default.toml or has another value there");
        let mut commented = false;
        for line in DEFAULT_TOML.lines() {
            if line.trim_start().starts_with('#') {
                commented = true;
            } else if line.contains(" = ") {
                assert!(commented, "no comment above: {line}");
                commented = false;
            } else if line.is_empty() || line.starts_with('[') {
                commented = false;
            }
        }
    }
}
