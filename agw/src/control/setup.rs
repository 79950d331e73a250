//! From a configuration to a gateway that can run: sockets bound, workers started, the H.248 machine told who it is.

use super::bucket::Bucket;
use super::notify::Systemd;
use super::tcp::Connections;
use super::traces::Traces;
use super::{Control, End, MAX_DATAGRAM_BYTES};
use crate::admin::ask::{Asker, Question, channel};
use crate::admin::routes::AdminPages;
use crate::config::load::Source;
use crate::config::values::{Encoding, Scheme};
use crate::config::{Config, DscpRadix, Protection, TextEncoding};
use crate::engine::{self, Engine};
use crate::failure::Failure;
use crate::logging::Logs;
use crate::runtime::WorkerWatch;
use crate::shared::Health;
use agw_core::model::RealmName;
use agw_iq::MediaGateway;
use agw_iq::ast::{Mid, Name, Profile};
use agw_iq::config::{Controller, ControllerTransport, IqConfig};
use agw_iq::package::diffserv::{DscpForm, Radix};
use agw_iq::package::realm::Realms;
use agw_iq::text::Style;
use socket2::SockRef;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use zeroize::Zeroizing;

/// What Iq's UDP socket may hold for us while we are busy; the system may give less.
const IQ_RECEIVE_BYTES: usize = 4 << 20;

/// A gateway whose sockets are bound and whose workers run; Iq is obeyed once [`Gateway::run`] is called.
#[derive(Debug)]
pub struct Gateway {
    /// Where Iq listens, over UDP and TCP.
    pub iq: SocketAddr,
    /// To ask control.
    pub asker: Asker,
    /// The workers.
    pub watches: Vec<WorkerWatch>,
    /// Alive and ready.
    pub health: Arc<Health>,
    /// The running configuration.
    pub config: Arc<Mutex<Config>>,
    engine: Engine,
    udp: UdpSocket,
    listener: TcpListener,
    questions: mpsc::Receiver<Question>,
}

/// Binds, opens and starts everything but Iq. `pin`: workers get cores of their own.
///
/// # Errors
/// What this host does not allow, in words that name the key.
pub fn build(config: Config, pin: bool) -> Result<Gateway, Failure> {
    let Some(text) = config.iq.text.0 else {
        return Err(Failure::Failed("iq.text: nowhere to listen".to_owned()));
    };
    let (udp, listener, iq) =
        listen(text).map_err(|e| Failure::because(format!("iq.text = \"{text}\""), e))?;
    let engine = engine::start(&config, pin)?;
    let (asker, questions) = channel();
    Ok(Gateway {
        iq,
        asker,
        watches: engine.workers.watches().to_vec(),
        health: Arc::new(Health::new(!config.iq.controllers.is_empty())),
        config: Arc::new(Mutex::new(config)),
        engine,
        udp,
        listener,
        questions,
    })
}

/// UDP and TCP on one port number; with port 0 one that is free for both.
fn listen(address: SocketAddr) -> std::io::Result<(UdpSocket, TcpListener, SocketAddr)> {
    /// A port that is free for UDP is seldom taken for TCP.
    const TRIES: usize = 20;
    let mut tries = 0;
    loop {
        tries += 1;
        let udp = UdpSocket::bind(address)?;
        let bound = udp.local_addr()?;
        match TcpListener::bind(bound) {
            Ok(listener) => {
                let _ = SockRef::from(&udp).set_recv_buffer_size(IQ_RECEIVE_BYTES);
                udp.set_nonblocking(true)?;
                listener.set_nonblocking(true)?;
                return Ok((udp, listener, bound));
            }
            Err(error) if address.port() != 0 || tries == TRIES => return Err(error),
            Err(_) => {}
        }
    }
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
    pub fn run(self, process: Option<(Source, Logs)>) -> Result<End, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Failure::because("cannot start", e))?;
        LocalSet::new().block_on(&runtime, async {
            let is_process = process.is_some();
            self.into_control(process)?.run(is_process).await
        })
    }

    fn into_control(self, process: Option<(Source, Logs)>) -> Result<Control, Failure> {
        let config = self.config.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        let began = Instant::now();
        let because = |e: std::io::Error| Failure::because("Iq", e);
        let (connections, happenings) = Connections::new(self.iq);
        let mut iq = MediaGateway::new(iq_config(&config, self.iq), Duration::ZERO, seed());
        iq.set_wall_clock(Duration::ZERO, SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
        let systemd = Systemd::new(process.is_some());
        let (source, logs) = process.map_or_else(Default::default, |(source, logs)| (source, Some(logs)));
        Ok(Control {
            rate: Bucket::new(config.limits.rates.iq_messages_per_second, began),
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
            udp: tokio::net::UdpSocket::from_std(self.udp).map_err(because)?,
            outbox: super::outbox::Outbox::default(),
            listener: tokio::net::TcpListener::from_std(self.listener).map_err(because)?,
            iq_address: self.iq,
            connections,
            happenings,
            buffer: Zeroizing::new(vec![0; MAX_DATAGRAM_BYTES]),
            began,
            ignored_rate: 0,
            traces: Traces::default(),
            reads: super::reads::Reads::default(),
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
            Some(Encoding::Ber) => agw_iq::Encoding::Ber,
        };
        Controller { transport, address: c.address, encoding, name: None }
    });
    let profile = iq
        .profile
        .split_once('/')
        .and_then(|(name, version)| Some(Profile { name: Name::new(name), version: version.parse().ok()? }));
    let realms = config.realm.keys().filter_map(|name| RealmName::new(name)).collect();
    let mut made = IqConfig::new(mid(config, address));
    made.controllers = controllers.collect();
    made.profile = profile;
    made.style = usual;
    made.realms = Realms::new(realms);
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
