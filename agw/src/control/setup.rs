//! From a configuration to a gateway that can run: sockets bound, workers started, the H.248 machine told who it is.

use super::connections::Connections;
use super::endpoints::{Addresses, Bound};
use super::names::Lookups;
use super::notify::Systemd;
use super::traces::Traces;
use super::{Control, End, Handshakes, Ignored, MAX_DATAGRAM_BYTES};
use crate::admin::ask::{Asker, Question, channel};
use crate::admin::routes::AdminPages;
use crate::config::load::{Problem, Source};
use crate::config::values::{Encoding, Scheme};
use crate::config::{Config, DscpRadix, Iq, Protection, TextEncoding};
use crate::engine::{self, Engine};
use crate::failure::Failure;
use crate::logging::Logs;
use crate::runtime::WorkerWatch;
use crate::shared::Health;
use crate::stock::Stock;
use crate::tls::Identity;
use agw_core::model::RealmName;
use agw_iq::ast::{Mid, Name, Profile};
use agw_iq::config::{Controller, ControllerTransport, IqConfig};
use agw_iq::package::diffserv::{DscpForm, Radix};
use agw_iq::package::realm::Realms;
use agw_iq::text::Style;
use agw_iq::{Form, MediaGateway};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use zeroize::Zeroizing;

/// A gateway whose sockets are bound and whose workers run; Iq is obeyed once [`Gateway::run`] is called.
#[derive(Debug)]
pub struct Gateway {
    /// Where Iq listens first of all: its name in messages, and where the demo speaks to it.
    pub iq: SocketAddr,
    /// Everywhere that Iq listens.
    pub addresses: Addresses,
    /// To ask control.
    pub asker: Asker,
    /// The workers.
    pub watches: Vec<WorkerWatch>,
    /// Alive and ready.
    pub health: Arc<Health>,
    /// The running configuration.
    pub config: Arc<Mutex<Config>>,
    engine: Engine,
    bound: Bound,
    identity: Option<Identity>,
    questions: mpsc::Receiver<Question>,
    stock: Stock,
}

/// Binds, opens and starts everything but Iq. `pin`: workers get cores of their own.
///
/// # Errors
/// What this host does not allow, in words that name the key.
pub fn build(config: Config, pin: bool) -> Result<Gateway, Failure> {
    let bound = Bound::bind(&config.iq)?;
    let addresses = bound.addresses;
    let Some(iq) = primary(&config, &addresses) else {
        return Err(Failure::Failed("iq: nowhere to listen".to_owned()));
    };
    let identity = identity(&config.iq)
        .map_err(|problem| Failure::Failed(format!("{}: {}", problem.key, problem.what)))?;
    let engine = engine::start(&config, pin)?;
    let stock = Stock::start(config.tls.certificates_ready.into())
        .map_err(|e| Failure::because("cannot make certificates", e))?;
    let (asker, questions) = channel();
    Ok(Gateway {
        iq,
        addresses,
        asker,
        watches: engine.workers.watches().to_vec(),
        health: Arc::new(Health::new(!config.iq.controllers.is_empty())),
        config: Arc::new(Mutex::new(config)),
        engine,
        bound,
        identity,
        questions,
        stock,
    })
}

/// What is shown under TLS, where that is used.
pub(super) fn identity(iq: &Iq) -> Result<Option<Identity>, Problem> {
    iq.uses_tls().then(|| Identity::load(&iq.tls)).transpose()
}

/// The address that the preferred controller's encoding listens on, else any.
fn primary(config: &Config, addresses: &Addresses) -> Option<SocketAddr> {
    let binary = config.iq.controllers.first().is_some_and(|first| first.encoding == Some(Encoding::Ber));
    let (first, second) = if binary { (Form::Binary, Form::Text) } else { (Form::Text, Form::Binary) };
    addresses.of(first).or(addresses.of(second))
}

impl Gateway {
    /// What the admin server needs.
    pub fn pages(&self) -> AdminPages {
        AdminPages {
            control: self.asker.clone(),
            workers: self.watches.clone(),
            health: Arc::clone(&self.health),
            config: Arc::clone(&self.config),
        }
    }

    /// Obeys Iq on this thread until drained or told to end.
    ///
    /// # Errors
    /// When a worker dies or the system takes something away that is needed.
    pub fn run(self, process: Option<(Source, Logs)>, up: impl FnOnce()) -> Result<End, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Failure::because("cannot start", e))?;
        let end = LocalSet::new().block_on(&runtime, async {
            let is_process = process.is_some();
            self.into_control(process)?.run(is_process, up).await
        });
        // A resolver that does not answer keeps nobody from ending.
        runtime.shutdown_background();
        end
    }

    fn into_control(self, process: Option<(Source, Logs)>) -> Result<Control, Failure> {
        let config = self.config.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let began = Instant::now();
        let because = |e: std::io::Error| Failure::because("Iq", e);
        let (connections, happenings) = Connections::new(self.iq.ip(), self.identity);
        let mut iq = MediaGateway::new(iq_config(&config, self.iq), Duration::ZERO, seed());
        iq.set_gathering(true);
        iq.set_wall_clock(Duration::ZERO, SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        let systemd = Systemd::new(process.is_some());
        let (source, logs) = process.map_or_else(Default::default, |(source, logs)| (source, Some(logs)));
        Ok(Control {
            config: self.config,
            source,
            logs,
            health: self.health,
            iq,
            controller: self.engine.controller,
            workers: self.engine.workers,
            ended: self.engine.ended,
            questions: self.questions,
            told: self.engine.told,
            stock: self.stock,
            endpoints: self.bound.serve().map_err(because)?,
            addresses: self.addresses,
            lookups: Lookups::new(&self.addresses, connections.happenings()),
            connections,
            happenings,
            buffer: Zeroizing::new(vec![0; MAX_DATAGRAM_BYTES]),
            began,
            ignored: Ignored::default(),
            handshakes: Handshakes::default(),
            traces: Traces::default(),
            reads: super::reads::Reads::default(),
            realms: super::realms::Realms::new(&config, began),
            overload: super::overload::Overload::default(),
            systemd,
            draining_until: None,
            told_to_end: false,
            over_memory: false,
            was_ready: config.iq.controllers.is_empty(),
        })
    }
}

/// Only jitter and the first transaction number come of it; a restart shall not repeat them.
fn seed() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_nanos() as u64) ^ (u64::from(std::process::id()) << 40)
}

/// The part of the configuration that agw-iq needs.
fn iq_config(config: &Config, address: SocketAddr) -> IqConfig {
    let iq = &config.iq;
    let usual = match iq.encoding {
        TextEncoding::Same => None,
        TextEncoding::Pretty => Some(Style::Pretty),
        TextEncoding::Compact => Some(Style::Compact),
    };
    let controllers = iq.controllers.iter().map(|c| {
        let transport = match c.scheme {
            Scheme::Udp => ControllerTransport::Udp,
            Scheme::Tcp => ControllerTransport::Tcp,
            Scheme::Tls => ControllerTransport::Tls,
            Scheme::Sctp => ControllerTransport::Sctp,
        };
        let encoding = match c.encoding {
            None => agw_iq::Encoding::Text(usual.unwrap_or(Style::Pretty)),
            Some(Encoding::Pretty) => agw_iq::Encoding::Text(Style::Pretty),
            Some(Encoding::Compact) => agw_iq::Encoding::Text(Style::Compact),
            Some(Encoding::Ber) => agw_iq::Encoding::BER,
        };
        Controller { transport, place: c.place.clone(), encoding, name: None }
    });
    let profile = iq
        .profile
        .split_once('/')
        .and_then(|(name, version)| Some(Profile { name: Name::new(name), version: version.parse().ok()? }));
    let realms = config.realm.keys().filter_map(|name| RealmName::new(name)).collect();
    let mut made = IqConfig::new(mid(config, address));
    made.timers.silence = Duration::from_secs(config.media.idle.into());
    made.controllers = controllers.collect();
    made.profile = profile;
    made.style = usual;
    let default =
        config.realm.iter().find(|(_, realm)| realm.default).and_then(|(name, _)| RealmName::new(name));
    made.realms = Realms::new(realms).with_default(default);
    made.dscp = DscpForm {
        mirrored: iq.dscp_bit_mirroring,
        radix: match iq.dscp_radix {
            DscpRadix::Auto => Radix::Guess,
            DscpRadix::Decimal => Radix::Decimal,
            DscpRadix::Hexadecimal => Radix::Hexadecimal,
        },
    };
    made.protection = match iq.protected_by {
        Protection::None => agw_iq::config::Protection::None,
        Protection::Ipsec => agw_iq::config::Protection::Ipsec,
        Protection::Tls => agw_iq::config::Protection::Tls,
    };
    made.allow_unprotected_keys = iq.allow_unprotected_keys;
    made.root.max_contexts = config.limits.contexts;
    made.messages_per_second = config.limits.rates.iq_messages_per_second;
    made.high_priority = config.limits.high_priority;
    made
}

/// Our name in messages: the configured one, else our address, else (listening everywhere) an address of a realm.
fn mid(config: &Config, address: SocketAddr) -> Mid {
    if !config.iq.domain.is_empty() {
        return Mid::Domain { name: Name::new(&config.iq.domain), port: Some(address.port()) };
    }
    let known =
        config.realm.values().rev().flat_map(|r| &r.addresses).find(|a| a.is_ipv4() == address.is_ipv4());
    match known.filter(|_| address.ip().is_unspecified()) {
        Some(ip) => Mid::from_socket(SocketAddr::new(*ip, address.port())),
        None => Mid::from_socket(address),
    }
}
