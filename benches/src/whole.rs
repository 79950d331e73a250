//! A whole gateway without sockets or threads: Iq in text, the controller, one worker and the pretend network, turned by hand. What a call
//! costs is measured here without the kernel: messages in, messages out, with everything that a running gateway does in between.

use agw_core::controller::{Controller, ControllerConfig, Limits, rings};
use agw_core::io::sim::{SimIo, SimNet, SimPorts};
use agw_core::model::{Leg, PortRange, RealmName};
use agw_core::ports::{LocalAddress, RealmConfig};
use agw_core::worker::Worker;
use agw_iq::MediaGateway;
use agw_iq::ast::Mid;
use agw_iq::config::IqConfig;
use agw_iq::package::realm::Realms;
use agw_iq::transport::SocketId;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Orders that may wait for the worker, as in the process.
const RING_ORDERS: usize = 4096;
/// Addresses of each realm: with fewer, ports would run out before they have rested.
const ADDRESSES: u8 = 4;
const MGC: ([u8; 4], u16) = ([127, 0, 0, 1], 40_000);

/// The gateway.
pub struct Whole {
    /// Its end of Iq.
    pub iq: MediaGateway,
    /// Contexts and ports.
    pub controller: Controller<SimPorts>,
    worker: Worker<SimIo>,
    net: SimNet,
    began: Duration,
}

impl Whole {
    /// A gateway that can hold so many contexts, with realms `access` and `core`.
    pub fn new(contexts: usize) -> Self {
        let net = SimNet::new(1);
        let names = ["access", "core"].map(|name| RealmName::new(name).expect("a realm's name"));
        let realm = |(at, name): (u8, &RealmName)| RealmConfig {
            name: name.clone(),
            leg: if at == 0 { Leg::Access } else { Leg::Core },
            default: at == 1,
            addresses: (1..=ADDRESSES)
                .map(|host| LocalAddress {
                    bind: IpAddr::V4(Ipv4Addr::new(10, 0, at, host)),
                    advertise: None,
                })
                .collect(),
            ports: PortRange::new(1024, 65_535).expect("a range"),
            dscp: 0,
        };
        let limits = Limits { contexts, ports: 8 * contexts + 64, ..Limits::default() };
        let config =
            ControllerConfig { limits, ..ControllerConfig::new((0..).zip(&names).map(realm).collect()) };
        let (link, end) = rings(RING_ORDERS);
        let controller = Controller::new(config, net.ports(), vec![link]).expect("a good configuration");
        let worker = Worker::new(net.io(0), &controller.worker_setup(0), end.orders, end.answers);
        let mut config = IqConfig::new(Mid::from_socket(([192, 0, 2, 20], 2944).into()));
        config.realms = Realms::new(names.to_vec());
        let began = Duration::from_micros(net.now().0);
        let iq = MediaGateway::new(config, Duration::ZERO, 42);
        Self { iq, controller, worker, net, began }
    }

    /// Lets time pass, and everything that is due happen.
    pub fn advance(&mut self, time: Duration) {
        self.net.advance(time);
        let now = self.now();
        self.controller.set_now(now.as_millis() as u64);
        self.controller.handle_timeout(now.as_millis() as u64);
        self.iq.handle_timeout(now, &mut self.controller);
        self.turn();
    }

    fn now(&self) -> Duration {
        Duration::from_micros(self.net.now().0) - self.began
    }

    /// Takes requests in one turn of control, as they come from a socket, and gives every message that is to be sent to `sent`.
    pub fn exchange<'r>(&mut self, requests: impl Iterator<Item = &'r [u8]>, mut sent: impl FnMut(&[u8])) {
        let now = self.now();
        self.controller.set_now(now.as_millis() as u64);
        for request in requests {
            self.iq.handle_datagram(
                now,
                SocketId::TEXT,
                SocketAddr::from(MGC),
                request,
                &mut self.controller,
            );
        }
        self.turn();
        while let Some(transmit) = self.iq.poll_transmit() {
            sent(&transmit.bytes);
        }
    }

    /// Lets worker and control work until both are done.
    fn turn(&mut self) {
        let now = self.now();
        loop {
            let mut heard = false;
            while let Some(event) = self.controller.poll_event() {
                heard = true;
                self.iq.handle_event(now, event, &mut self.controller);
            }
            self.worker.turn(Duration::ZERO).expect("the pretend network does not break");
            if !heard && !self.worker.take_told() && self.controller.counts().unconfirmed_orders == 0 {
                return;
            }
        }
    }
}

/// The transaction that makes a call: SDES towards the access with keys for both directions, RTP towards the core.
pub fn set_up(transaction: usize) -> String {
    let port = 2000 + 2 * (transaction % 30_000);
    format!(
        "!/2 <alg.test> T={transaction}{{C=${{A=ip/1/access/${{M{{ST=1{{O{{MO=SR}},L{{\nv=0\nc=IN IP4 $\nm=audio $ RTP/SAVP 8\n\
         a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw\n}},R{{\nv=0\nc=IN IP4 192.0.2.10\n\
         m=audio {port} RTP/SAVP 8\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk\n}}}}}}}},\
         A=ip/1/core/${{M{{ST=1{{O{{MO=SR}},L{{\nv=0\nc=IN IP4 $\nm=audio $ RTP/AVP 8\n}},R{{\nv=0\nc=IN IP4 192.0.2.11\n\
         m=audio {port} RTP/AVP 8\n}}}}}}}}}}}}"
    )
}

/// The transaction that ends one.
pub fn tear_down(transaction: usize, context: u32) -> String {
    format!("!/2 <alg.test> T={transaction}{{C={context}{{S=*}}}}")
}

/// The context that the reply to [`set_up`] names; `None` when it is an error.
pub fn context_of(reply: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(reply).ok()?;
    let digits = text.split_once("C=")?.1.split_once('{')?.0;
    digits.parse().ok().filter(|_| !text.contains("ER="))
}

/// Contexts, by number.
pub type Held = Vec<u32>;

/// Sets up so many contexts, `at_once` transactions a turn.
///
/// # Panics
/// When one is refused.
pub fn fill(whole: &mut Whole, next: &mut usize, contexts: usize, at_once: usize) -> Held {
    let mut held = Vec::with_capacity(contexts);
    while held.len() < contexts {
        let requests: Vec<String> =
            (0..at_once.min(contexts - held.len())).map(|n| set_up(*next + n)).collect();
        *next += requests.len();
        whole.exchange(requests.iter().map(String::as_bytes), |reply| {
            let made = context_of(reply);
            held.push(made.unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(reply))));
        });
    }
    held
}

/// Takes contexts down.
///
/// # Panics
/// When one is refused.
pub fn empty(whole: &mut Whole, next: &mut usize, held: &[u32], at_once: usize) {
    for contexts in held.chunks(at_once) {
        let requests: Vec<String> =
            contexts.iter().enumerate().map(|(n, context)| tear_down(*next + n, *context)).collect();
        *next += requests.len();
        let mut replies = 0;
        whole.exchange(requests.iter().map(String::as_bytes), |reply| {
            assert!(!reply.windows(3).any(|bytes| bytes == b"ER="), "{}", String::from_utf8_lossy(reply));
            replies += 1;
        });
        assert_eq!(replies, contexts.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a call with two terminations may take in all: view, controller, flows, both SRTP sessions and the pretend network.
    const MAX_BYTES_PER_CALL: i64 = 16 * 1024;
    const CALLS: usize = 256;

    #[test]
    fn calls_that_come_and_go_leave_the_memory_of_a_whole_gateway_where_it_was() {
        let mut whole = Whole::new(CALLS);
        let (mut next, mut left) = (1, Vec::new());
        for round in 0..10 {
            let mut held = Vec::with_capacity(CALLS);
            let up = allocation_counter::measure(|| {
                held.append(&mut fill(&mut whole, &mut next, CALLS, 32));
                // Replies are forgotten (H.248.1 Annex D.1.1), calls stay.
                whole.advance(Duration::from_secs(31));
            });
            let down = allocation_counter::measure(|| {
                empty(&mut whole, &mut next, &held, 32);
                whole.advance(Duration::from_secs(31));
            });
            left.push(left.last().unwrap_or(&0) + up.bytes_current + down.bytes_current);
            // The first round brings tables to their size, which are not a call's.
            let per_call = up.bytes_current / CALLS as i64;
            assert!(round == 0 || (1..MAX_BYTES_PER_CALL).contains(&per_call), "{per_call} bytes a call");
        }
        assert!(left[2..].iter().all(|bytes| *bytes <= left[1]), "{left:?}");
    }
}
