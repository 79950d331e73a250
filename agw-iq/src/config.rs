//! What the gateway's end of Iq has to be told: who may command it, who it is, and how it behaves where the profile leaves a choice.

use crate::ast::{Mid, Profile};
use crate::encoding::Encoding;
use crate::package::diffserv::DscpForm;
use crate::package::realm::Realms;
use crate::package::root::RootProperties;
use crate::text::Style;
use crate::transaction::inbound::InboundLimits;
use crate::transport::udp::RetransmissionLimits;
use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
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

/// Where a controller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// There.
    Address(SocketAddr),
    /// At the addresses that a name has.
    Name {
        /// In small letters.
        host: String,
        /// The port at each address.
        port: u16,
    },
}

impl From<SocketAddr> for Place {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

impl FromStr for Place {
    type Err = ();
    /// `ADDRESS:PORT` or `NAME:PORT`, the name as RFC 1123 section 2.1 has it.
    fn from_str(text: &str) -> Result<Self, ()> {
        if let Ok(address) = text.parse() {
            return Ok(Self::Address(address));
        }
        let (host, port) = text.rsplit_once(':').ok_or(())?;
        let port: u16 = port.parse().map_err(|_| ())?;
        if port == 0 || !is_host_name(host) {
            return Err(());
        }
        Ok(Self::Name { host: host.to_ascii_lowercase(), port })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

/// RFC 1123 section 2.1. The last label has a letter, so that a mistyped address is not looked up.
fn is_host_name(host: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.len() <= 253 && host.split('.').all(label) && last.bytes().any(|b| b.is_ascii_alphabetic())
}

/// A controller that the gateway registers with and obeys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// How it is reached.
    pub transport: ControllerTransport,
    /// Where.
    pub place: Place,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_address_or_a_name_with_a_port_and_nothing_else() {
        for text in
            ["192.0.2.1:2944", "[2001:db8::1]:2944", "mgc.example.net:2944", "localhost:1", "a-1.b2:65535"]
        {
            assert_eq!(text.parse::<Place>().map(|place| place.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("MGC.Example:2944".parse::<Place>().unwrap().to_string(), "mgc.example:2944");
        let long = format!("{}a:1", "a.".repeat(127));
        assert!(format!("{}a:1", "a.".repeat(126)).parse::<Place>().is_ok());
        for text in [
            "mgc",
            "mgc:",
            "mgc:0",
            "mgc:70000",
            ":2944",
            "-mgc:1",
            "mgc-:1",
            "m_c:1",
            "a..b:1",
            "a.:1",
            "10.0.0.300:1",
            "2001:db8::1:2944x",
            "[mgc]:1",
            "m c:1",
            "a:b:1",
            &long,
        ] {
            assert_eq!(text.parse::<Place>(), Err(()), "{text}");
        }
    }
}
