//! What a controller is made with: realms, limits, and what local policy says of keys and latching.

use crate::command::order::{TcpBounds, TcpTimes};
use crate::model::{Application, HashFunction, RealmName};
use crate::ports::{RealmConfig, RealmError};
use agw_srtp::Suite;
use agw_srtp::{Policy, PolicyError};
use agw_tls::Profile;
use std::fmt;

/// The most streams that a termination may ever have.
pub const MAX_STREAMS_PER_TERMINATION: usize = 32;
/// The most workers.
pub const MAX_WORKERS: usize = 128;

/// Everything that a controller is told once.
#[derive(Debug, Clone)]
pub struct ControllerConfig {
    /// The address pools.
    pub realms: Vec<RealmConfig>,
    /// What may not be exceeded.
    pub limits: Limits,
    /// Which keys are taken and how their sessions behave.
    pub srtp: SrtpRules,
    /// When the peers' addresses are learned.
    pub latch: LatchPolicy,
    /// What becomes of feedback where only one side has agreed on it.
    pub feedback: FeedbackPolicy,
    /// How connections behave.
    pub tcp: TcpRules,
    /// How DTLS and ICE behave.
    pub edge: EdgeRules,
    /// How long a port rests before it is used again, so that packets of the call before do not reach the call after.
    pub port_reuse_delay_ms: u64,
}

impl ControllerConfig {
    /// These realms, and the defaults for everything else.
    pub fn new(realms: Vec<RealmConfig>) -> Self {
        Self {
            realms,
            limits: Limits::default(),
            srtp: SrtpRules::default(),
            latch: LatchPolicy::default(),
            feedback: FeedbackPolicy::default(),
            tcp: TcpRules::default(),
            edge: EdgeRules::default(),
            port_reuse_delay_ms: 2_000,
        }
    }
}

/// Named limits of the control half; reaching one refuses the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Contexts at a time. Default 100,000.
    pub contexts: usize,
    /// Streams of one termination, 1 to [`MAX_STREAMS_PER_TERMINATION`]. Default 8.
    pub streams_per_termination: usize,
    /// Open ports at a time; each costs a file descriptor. Default 1,000,000.
    pub ports: usize,
    /// What of contexts and ports is kept for privileged contexts.
    pub reserve: Reserve,
}

/// The share of contexts, open ports and each pool's ports that only privileged contexts may take: those of emergency calls
/// (TS 23.334 clause 5.14 and H.248.1 section 6.1.1), and of calls of high priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserve {
    /// 0 to [`MAX_RESERVE_PERCENT`]; 0, the default, keeps nothing.
    pub percent: u8,
    /// The least priority that is high; 16 is none.
    pub high_priority: u8,
}

/// The most that can be kept for privileged contexts.
pub const MAX_RESERVE_PERCENT: u8 = 50;

impl Reserve {
    /// How much of so many is kept.
    pub const fn of(&self, total: usize) -> usize {
        (total as u64 * self.percent as u64 / 100) as usize
    }
}

impl Default for Reserve {
    fn default() -> Self {
        Self { percent: 0, high_priority: 16 }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { contexts: 100_000, streams_per_termination: 8, ports: 1_000_000, reserve: Reserve::default() }
    }
}

/// Local policy for SDES keys (SRTP-4, SRTP-5, SRTP-11).
#[derive(Debug, Clone)]
pub struct SrtpRules {
    /// The crypto suites that are taken. Default: all.
    pub suites: Vec<Suite>,
    /// Windows, tables and exceptions of the sessions.
    pub policy: Policy,
}

impl Default for SrtpRules {
    fn default() -> Self {
        Self { suites: Suite::ALL.to_vec(), policy: Policy::default() }
    }
}

/// How connections behave.
#[derive(Clone)]
pub struct TcpRules {
    /// How long things may take.
    pub times: TcpTimes,
    /// How much is held for peers who have proven nothing.
    pub bounds: TcpBounds,
    /// Versions, suites and groups of TLS (TLS-6).
    pub profile: Profile,
    /// The hash functions of fingerprints that are believed. Default: all but SHA-1.
    pub fingerprint_hashes: Vec<HashFunction>,
    /// Those that are believed in addition where MSRP is carried: RFC 4975 names nothing but SHA-1, the default.
    pub msrp_fingerprint_hashes: Vec<HashFunction>,
    /// The secret that our paths of MSRP are made of: random octets, or strangers can guess the paths.
    pub seed: [u8; 32],
}

impl Default for TcpRules {
    fn default() -> Self {
        Self {
            times: TcpTimes::default(),
            bounds: TcpBounds::default(),
            profile: Profile::default(),
            fingerprint_hashes: HashFunction::ALL
                .into_iter()
                .filter(|hash| *hash != HashFunction::Sha1)
                .collect(),
            msrp_fingerprint_hashes: vec![HashFunction::Sha1],
            seed: [0; 32],
        }
    }
}

impl TcpRules {
    /// The hash functions that are believed of peers who speak this.
    pub(super) fn hashes_for(&self, application: Application) -> Vec<HashFunction> {
        let more: &[HashFunction] = match application {
            Application::Msrp => &self.msrp_fingerprint_hashes,
            Application::Opaque | Application::Bfcp => &[],
        };
        self.fingerprint_hashes.iter().chain(more).copied().collect()
    }
}

impl fmt::Debug for TcpRules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TcpRules")
            .field("times", &self.times)
            .field("bounds", &self.bounds)
            .field("fingerprint_hashes", &self.fingerprint_hashes)
            .field("seed", &"redacted")
            .finish_non_exhaustive()
    }
}

/// How DTLS and ICE behave.
#[derive(Debug, Clone)]
pub struct EdgeRules {
    /// Versions, times and hash functions of DTLS.
    pub dtls: agw_dtls::Settings,
    /// The DTLS library of realms that have another than the settings say. One that there is not is of no consequence. Default none.
    pub engines: Vec<(RealmName, agw_dtls::Engine)>,
    /// Steps of handshakes in one turn of a worker, each of which may cost a public-key operation or two. Default 1.
    pub handshake_steps_per_turn: usize,
    /// How long nobody's connectivity check may authenticate, once the peer is known, before that is told. Default 180,000: a phone may ring so long.
    pub ice_wait_ms: u32,
}

impl Default for EdgeRules {
    fn default() -> Self {
        Self {
            dtls: agw_dtls::Settings::default(),
            engines: Vec::new(),
            handshake_steps_per_turn: 1,
            ice_wait_ms: 180_000,
        }
    }
}

/// When the address of a peer is learned from its packets (H.248.37).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LatchPolicy {
    /// When the command says so.
    #[default]
    Signal,
    /// On every stream that is not relayed untouched, whatever the command says; anew when the signalled address changes. A relayed
    /// stream shows nobody who its packets are from, so there the command still decides.
    Always,
    /// Never, whatever the command says.
    Never,
}

/// What becomes of RTCP feedback (RFC 4585: NACK, PLI, FIR, REMB, transport-wide congestion control) that comes from a peer with `AVPF` or `SAVPF`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FeedbackPolicy {
    /// It passes to peers that have agreed on it, and ends before others.
    #[default]
    Negotiated,
    /// It passes, whatever was agreed on.
    Pass,
}

/// Why a controller cannot be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigError {
    /// The realms do not work.
    Realm(RealmError),
    /// A limit is outside what is possible; the name is its key.
    Limit(&'static str),
    /// The SRTP policy has a number outside its limits.
    Srtp(PolicyError),
    /// The TLS profile cannot work; why.
    Tls(String),
    /// The settings of DTLS cannot work; why.
    Dtls(agw_dtls::SettingsError),
    /// No worker, or more than [`MAX_WORKERS`].
    Workers(usize),
    /// A ring between the controller and a worker is too short.
    Ring,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Realm(error) => error.fmt(f),
            Self::Limit(key) => write!(f, "limit `{key}` is outside what is possible"),
            Self::Srtp(error) => error.fmt(f),
            Self::Tls(words) => f.write_str(words),
            Self::Dtls(error) => error.fmt(f),
            Self::Workers(count) => write!(f, "{count} workers: it must be 1 to {MAX_WORKERS}"),
            Self::Ring => f.write_str("a ring to or from a worker is too short"),
        }
    }
}

impl std::error::Error for ConfigError {}

impl From<RealmError> for ConfigError {
    fn from(error: RealmError) -> Self {
        Self::Realm(error)
    }
}

/// Checks what the realms themselves do not.
pub(super) fn check(config: &ControllerConfig, workers: usize) -> Result<(), ConfigError> {
    if !(1..=MAX_WORKERS).contains(&workers) {
        return Err(ConfigError::Workers(workers));
    }
    if !(1..=MAX_STREAMS_PER_TERMINATION).contains(&config.limits.streams_per_termination) {
        return Err(ConfigError::Limit("streams_per_termination"));
    }
    // Context numbers are 32 bits wide and shall not come again soon.
    if !(1..=1 << 30).contains(&config.limits.contexts) {
        return Err(ConfigError::Limit("contexts"));
    }
    if config.limits.reserve.percent > MAX_RESERVE_PERCENT {
        return Err(ConfigError::Limit("emergency_reserve"));
    }
    config.srtp.policy.validate().map_err(ConfigError::Srtp)
}
