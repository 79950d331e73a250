//! The gateway without its control protocol: a controller with its ports, the packet backend and the running workers, made from the
//! configuration. `control` and `demo` speak to it through agw-iq.

use crate::config::{Config, Feedback, Latch, RocRestart, Side};
use crate::failure::Failure;
use crate::runtime::{self, WorkerEnd, Workers};
use agw_core::controller::{
    Controller, ControllerConfig, FeedbackPolicy, LatchPolicy, Limits, Reserve, SrtpRules, TcpRules, rings,
};
use agw_core::io::epoll::{EpollPorts, EpollSetup, open};
use agw_core::io::sys;
use agw_core::model::{HashFunction, Leg, PortRange, RealmName};
use agw_core::ports::{LocalAddress, RealmConfig};
use agw_core::worker::Worker;
use agw_srtp::{Policy, Suite};
use std::sync::Arc;
use tokio::sync::{Notify, mpsc};

/// Orders that may wait for one worker.
const RING_ORDERS: usize = 4096;
/// Descriptors that are not for media: listeners, connections, rings, logs.
const OTHER_DESCRIPTORS: u64 = 256;
/// Ports of a call with one RTP stream: RTP and RTCP on each side.
const PORTS_PER_CALL: u64 = 4;
/// More descriptors than this are not used even where the limit is higher.
const MAX_DESCRIPTORS: u64 = 1 << 20;

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    /// The owner of contexts and ports.
    pub controller: Controller<EpollPorts>,
    /// The threads.
    pub workers: Workers,
    /// Workers that ended by themselves.
    pub ended: mpsc::Receiver<WorkerEnd>,
    /// Rings when workers have told something.
    pub told: Arc<Notify>,
}

/// Opens the backend, makes the controller, starts the workers.
///
/// # Errors
/// What the configuration or this host does not allow.
pub fn start(config: &Config, pin: bool) -> Result<Engine, Failure> {
    let count = runtime::size(config.workers, sys::allowed_processors().map_or(1, |cores| cores.len()));
    let descriptors = descriptors(config, count);
    let controller_config = controller_config(config, descriptors)?;
    let addresses = config.realm.values().map(|r| r.addresses.len()).sum();
    let setup = EpollSetup {
        workers: count,
        addresses,
        descriptors: descriptors as usize,
        companions: true,
        kernel_ports: kernel_ports(),
        tick_us: config.io.tick_us,
        stamps_all: config.io.stamps_all,
    };
    let (mut ports, backends) =
        open(&setup).map_err(|e| Failure::because("cannot open the packet backend", e))?;
    ports.set_stream_buffers(config.tcp.socket_buffer.0 as usize);
    let (links, ends): (Vec<_>, Vec<_>) = (0..count).map(|_| rings(RING_ORDERS)).unzip();
    let controller =
        Controller::new(controller_config, ports, links).map_err(|e| Failure::because("configuration", e))?;
    let workers = backends.into_iter().zip(ends).enumerate().map(|(number, (io, end))| {
        Worker::new(io, &controller.worker_setup(number), end.orders, end.answers)
    });
    let told = Arc::new(Notify::new());
    let bell = Arc::clone(&told);
    let ring = move || bell.notify_one();
    let (sender, ended) = mpsc::channel(count);
    let workers = Workers::start(workers.collect(), pin, ring, &sender)
        .map_err(|e| Failure::because("cannot start the workers", e))?;
    Ok(Engine { controller, workers, ended, told })
}

/// The most ports that can be open: all of all realms, or what the allowed calls need.
fn ports(config: &Config) -> u64 {
    all_ports(config).min(u64::from(config.limits.contexts).saturating_mul(PORTS_PER_CALL))
}

fn all_ports(config: &Config) -> u64 {
    config.realm.values().map(|r| u64::from(r.ports.count()) * r.addresses.len() as u64).sum()
}

/// The descriptors that calls can need at most: ports, and for media over TCP the connection of each, of which a call with one stream has as many
/// as one of RTP has ports for RTCP; and the connections that have not shown who they are.
pub fn descriptors_needed(config: &Config, workers: usize) -> u64 {
    let calls = (2 * all_ports(config)).min(u64::from(config.limits.contexts).saturating_mul(PORTS_PER_CALL));
    calls + workers as u64 * u64::from(config.tcp.unproven_per_worker) + OTHER_DESCRIPTORS
}

/// Raises the limit of open files as far as this process may; says how many there are.
fn descriptors(config: &Config, workers: usize) -> u64 {
    let ports = ports(config);
    // RTP ports, half of all, get a companion where there are descriptors for it.
    let needed = descriptors_needed(config, workers);
    let wanted = needed.max(ports + ports / 2 + OTHER_DESCRIPTORS).min(MAX_DESCRIPTORS);
    match sys::raise_descriptor_limit(wanted) {
        Ok(got) => {
            if got < needed {
                tracing::warn!(
                    limit = got,
                    wanted = needed,
                    "fewer open files are allowed than calls and their connections could need (ulimit -n, LimitNOFILE)"
                );
            }
            make_room(got.min(wanted));
            got.min(MAX_DESCRIPTORS)
        }
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be asked for");
            1024
        }
    }
}

/// Lets the kernel make the table of so many descriptors now. Else it doubles when it is full, and every thread that wants a descriptor waits
/// for that, workers with media on their hands too: some ten milliseconds each time, since the kernel waits until nobody reads the old
/// table any more.
fn make_room(descriptors: u64) {
    let last = i32::try_from(descriptors.saturating_sub(1)).unwrap_or(i32::MAX);
    // A duplicate that is closed at once; where there is none, the table grows as it always did.
    drop(rustix::io::fcntl_dupfd_cloexec(std::io::stderr(), last));
}

/// The ports that the kernel gives to sockets which ask for none; `None` where /proc is not mounted.
fn kernel_ports() -> Option<PortRange> {
    let text = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok()?;
    let mut numbers = text.split_whitespace().map_while(|number| number.parse().ok());
    PortRange::new(numbers.next()?, numbers.next()?)
}

fn leg(side: Side) -> Leg {
    match side {
        Side::Access => Leg::Access,
        Side::Core => Leg::Core,
    }
}

fn controller_config(config: &Config, descriptors: u64) -> Result<ControllerConfig, Failure> {
    let wrong = |what: &str| Failure::Failed(format!("configuration: {what}"));
    let mut realms = Vec::new();
    for (name, realm) in &config.realm {
        let told = |i: usize| realm.advertise.get(i).copied();
        realms.push(RealmConfig {
            name: RealmName::new(name).ok_or_else(|| wrong("a realm's name"))?,
            leg: leg(realm.side),
            default: realm.default,
            addresses: realm
                .addresses
                .iter()
                .enumerate()
                .map(|(i, &bind)| LocalAddress { bind, advertise: told(i) })
                .collect(),
            ports: PortRange::new(realm.ports.first, realm.ports.last)
                .ok_or_else(|| wrong("a realm's ports"))?,
            dscp: realm.dscp,
        });
    }
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|e| Failure::because("no random octets from the system", e))?;
    let suites = config.srtp.suites.iter().filter_map(|name| Suite::from_name(name)).collect();
    let policy = Policy {
        rtp_window_packets: config.srtp.replay_window.into(),
        allow_null: config.srtp.allow_null,
        allow_unauthenticated: config.srtp.allow_unauthenticated,
        roc_restart: match config.srtp.roc_restart {
            RocRestart::Guarded => agw_srtp::RocRestart::GUARDED,
            RocRestart::Off => agw_srtp::RocRestart::Off,
        },
        ..Policy::default()
    };
    Ok(ControllerConfig {
        limits: Limits {
            contexts: config.limits.contexts as usize,
            reserve: Reserve {
                percent: config.limits.emergency_reserve,
                high_priority: config.limits.high_priority,
            },
            ports: descriptors.saturating_sub(OTHER_DESCRIPTORS).max(16) as usize,
            ..Limits::default()
        },
        srtp: SrtpRules { suites, policy },
        latch: match config.media.latch {
            Latch::Signal => LatchPolicy::Signal,
            Latch::Always => LatchPolicy::Always,
            Latch::Never => LatchPolicy::Never,
        },
        tcp: TcpRules {
            times: config.tcp.times(config.tls.fingerprint_wait_ms),
            bounds: config.tcp.bounds(config.tls.handshake_bytes),
            profile: config.tls.profile(),
            fingerprint_hashes: hashes(&config.tls.fingerprint_hashes),
            msrp_fingerprint_hashes: hashes(&config.tls.msrp_fingerprint_hashes),
            seed,
        },
        edge: config.dtls.rules(&config.realm),
        feedback: match config.media.feedback {
            Feedback::Negotiated => FeedbackPolicy::Negotiated,
            Feedback::Pass => FeedbackPolicy::Pass,
        },
        port_reuse_delay_ms: config.media.port_reuse_delay_ms.into(),
        ..ControllerConfig::new(realms)
    })
}

/// Hash functions by their names, which have been checked.
fn hashes(names: &[String]) -> Vec<HashFunction> {
    names.iter().filter_map(|name| HashFunction::from_name(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use agw_core::command::{Command, Event, Gateway, Reply};
    use agw_core::model::{ContextAttributes, StreamId, StreamSpec, Transport};
    use std::time::{Duration, Instant};

    #[test]
    fn a_worker_confirms_a_command_and_rings() {
        let set = ["realm.access.ports=41000-41099", "realm.core.ports=41100-41199", "workers=1"];
        let config = crate::config::load::load_text("default", "", &set.map(str::to_owned)).config.unwrap();
        let mut engine = start(&config, false).unwrap();
        let Ok(Reply::Context(context)) =
            engine.controller.execute(Command::CreateContext(ContextAttributes::default()))
        else {
            panic!("no context")
        };
        let spec = StreamSpec::new(Transport::Rtp { secure: false, feedback: false });
        let add = Command::Add { context, streams: vec![(StreamId(1), spec)] };
        let Ok(Reply::Termination(view, ticket)) = engine.controller.execute(add) else {
            panic!("no termination")
        };
        assert!((41_100..=41_199).contains(&view.streams[0].rtp.port()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        loop {
            match engine.controller.poll_event() {
                Some(Event::Done(done)) if done >= ticket => break,
                Some(_) => {}
                None => runtime.block_on(async {
                    let rung = tokio::time::timeout(Duration::from_secs(5), engine.told.notified()).await;
                    assert!(rung.is_ok(), "the bell did not ring");
                }),
            }
        }
        assert_eq!(engine.workers.stuck(Instant::now()), None);
    }
}
