//! What the gateway's end of Iq has to be told: who may command it, who it is, and how it behaves where the profile leaves a choice.

use crate::ast::{Mid, Profile};
use crate::encoding::Encoding;
use crate::package::diffserv::DscpForm;
use crate::package::realm::Realms;
use crate::package::root::RootProperties;
use crate::text::Style;
use crate::transaction::inbound::InboundLimits;
use crate::transport::udp::RetransmissionLimits;
use std::net::SocketAddr;
use std::time::Duration;

/// How a controller is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControllerTransport {
    /// Datagrams.
    Udp,
    /// A connection that the gateway opens.
    Tcp,
    /// A connection under TLS, with certificates on both sides, that the gateway opens.
    Tls,
    /// An SCTP association that the gateway opens (TS 29.334 clause 5.12).
    Sctp,
}

/// A controller that the gateway registers with and obeys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// How it is reached.
    pub transport: ControllerTransport,
    /// Where.
    pub address: SocketAddr,
    /// How the gateway's own messages to it are written.
    pub encoding: Encoding,
    /// The domain name that other controllers know it by, for MgcIdToTry.
    pub name: Option<String>,
}

/// What keeps the keys on Iq secret (IQ-3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    /// Nothing: keys are only taken from loopback controllers, unless that is overridden.
    #[default]
    None,
    /// IPsec, outside the gateway.
    Ipsec,
    /// TLS on the connection.
    Tls,
}

/// What replies hold beyond what was asked to choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyForm {
    /// Adds `o=`, `s=` and `t=` to Local where the request had none (TS 183 018 clause 5.16).
    pub session_lines: bool,
    /// Returns statistics on a Subtract without Audit (H.248.1 section 7.2.3).
    pub subtract_statistics: bool,
}

impl Default for ReplyForm {
    fn default() -> Self {
        Self { session_lines: true, subtract_statistics: true }
    }
}

/// Times that are provisioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timers {
    /// How long the workers may take over a transaction before it is answered with error 500.
    pub execution: Duration,
    /// The period of `hangterm/thb` where the event names none.
    pub heartbeat: Duration,
    /// The time of `adid/ipstop` where the event names none.
    pub silence: Duration,
    /// After which a termination that the controller does not know any more is taken out.
    pub hanging_release: Duration,
    /// The first ServiceChange is sent after a random part of this (H.248.1 section 9.2).
    pub restart_wait: Duration,
    /// The pause after no controller answered, at first; it doubles.
    pub retry_min: Duration,
    /// The longest such pause.
    pub retry_max: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            execution: Duration::from_secs(10),
            heartbeat: Duration::from_secs(300),
            silence: Duration::from_secs(30),
            hanging_release: Duration::from_secs(5),
            restart_wait: Duration::ZERO,
            retry_min: Duration::from_secs(1),
            retry_max: Duration::from_secs(60),
        }
    }
}

/// Everything about the gateway's end of Iq.
#[derive(Clone, Debug)]
pub struct IqConfig {
    /// What the gateway calls itself.
    pub mid: Mid,
    /// Whom it obeys, the preferred one first. With none it obeys loopback controllers, unregistered.
    pub controllers: Vec<Controller>,
    /// The profile offered in ServiceChange.
    pub profile: Option<Profile>,
    /// How text to unlisted controllers is written; `None`: as they write.
    pub style: Option<Style>,
    /// The address pools.
    pub realms: Realms,
    /// How `ds/dscp` is written.
    pub dscp: DscpForm,
    /// What keeps keys secret.
    pub protection: Protection,
    /// Takes keys over unprotected Iq all the same.
    pub allow_unprotected_keys: bool,
    /// What replies hold.
    pub reply: ReplyForm,
    /// The properties of ROOT at start.
    pub root: RootProperties,
    /// Provisioned times.
    pub timers: Timers,
    /// Repetition of our own requests over UDP.
    pub retransmission: RetransmissionLimits,
    /// What is remembered of requests.
    pub inbound: InboundLimits,
    /// Messages a second that are read of one peer; 0 is no limit.
    pub messages_per_second: u32,
    /// From which priority on a context is privileged, as an emergency is: served first, and under overload too. 16: none.
    pub high_priority: u8,
    /// Keeps the last messages, keys blanked, for `poll_trace`.
    pub trace: bool,
}

impl IqConfig {
    /// A gateway of this name with the defaults: no controllers, nothing protected.
    pub fn new(mid: Mid) -> Self {
        Self {
            mid,
            controllers: Vec::new(),
            profile: None,
            style: None,
            realms: Realms::default(),
            dscp: DscpForm::default(),
            protection: Protection::None,
            allow_unprotected_keys: false,
            reply: ReplyForm::default(),
            root: RootProperties::default(),
            timers: Timers::default(),
            retransmission: RetransmissionLimits::default(),
            inbound: InboundLimits::default(),
            messages_per_second: 0,
            high_priority: 16,
            trace: false,
        }
    }
}
