//! The whole gateway on the pretend network: H.248 text commands a real controller and worker, a phone speaks SRTP at one side, the
//! core hears RTP at the other.

use crate::lab::{LOCAL_KEY, MGC, REMOTE_KEY};
use agw_core::controller::{Controller, ControllerConfig, rings};
use agw_core::io::sim::{Endpoint, SimIo, SimNet, SimPorts};
use agw_core::model::{CryptoAttribute, Leg, PortRange, RealmName};
use agw_core::ports::{LocalAddress, RealmConfig};
use agw_core::worker::Worker;
use agw_iq::MediaGateway;
use agw_iq::ast::Mid;
use agw_iq::config::IqConfig;
use agw_iq::package::realm::Realms;
use agw_iq::transport::SocketId;
use agw_srtp::{InboundSession, OutboundSession, Policy};
use std::net::SocketAddr;
use std::time::Duration;

struct Gate {
    net: SimNet,
    controller: Controller<SimPorts>,
    worker: Worker<SimIo>,
    iq: MediaGateway,
    next_id: u32,
}

impl Gate {
    fn new() -> Self {
        let net = SimNet::new(4);
        let realms = [("access", Leg::Access, "192.0.2.1", 10_000), ("core", Leg::Core, "192.0.2.2", 20_000)];
        let realm = |(name, leg, bind, first): (&str, Leg, &str, u16)| RealmConfig {
            name: RealmName::new(name).unwrap(),
            leg,
            default: name == "access",
            addresses: vec![LocalAddress { bind: bind.parse().unwrap(), advertise: None }],
            ports: PortRange::new(first, first + 199).unwrap(),
            dscp: 0,
        };
        let mut config = ControllerConfig::new(realms.map(realm).into());
        config.port_reuse_delay_ms = 1;
        let (link, ends) = rings(256);
        let controller = Controller::new(config, net.ports(), vec![link]).unwrap();
        let worker = Worker::new(net.io(0), &controller.worker_setup(0), ends.orders, ends.answers);
        let mut config = IqConfig::new(Mid::from_socket(([192, 0, 2, 20], 2944).into()));
        config.realms = Realms::new(realms.iter().filter_map(|realm| RealmName::new(realm.0)).collect());
        let iq = MediaGateway::new(config, Duration::ZERO, 1);
        Self { net, controller, worker, iq, next_id: 1 }
    }

    /// Lets a millisecond pass, and all do what they have to.
    fn turn(&mut self) {
        self.net.advance(Duration::from_millis(1));
        self.worker.turn(Duration::ZERO).unwrap();
        self.controller.set_now(self.net.now().as_millis());
        while let Some(event) = self.controller.poll_event() {
            let now = Duration::from_micros(self.net.now().0);
            self.iq.handle_event(now, event, &mut self.controller);
        }
    }

    fn turns(&mut self, count: usize) {
        (0..count).for_each(|_| self.turn());
    }

    fn ask(&mut self, actions: &str) -> String {
        let id = self.next_id;
        self.next_id += 1;
        let request = format!("!/2 <mgc.test> T={id}{{{actions}}}");
        let now = Duration::from_micros(self.net.now().0);
        self.iq.handle_datagram(now, SocketId(0), MGC.into(), request.as_bytes(), &mut self.controller);
        for _ in 0..50 {
            if let Some(transmit) = self.iq.poll_transmit() {
                return String::from_utf8(transmit.bytes.to_vec()).unwrap();
            }
            self.turn();
        }
        panic!("no answer to {request}");
    }
}

fn rtp(sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend_from_slice(&sequence.to_be_bytes());
    packet.extend_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
    packet.extend_from_slice(&0xCAFE_BABE_u32.to_be_bytes());
    packet.extend((0..160).map(|at| (at as u16 ^ sequence) as u8));
    packet
}

/// The address that a reply gives the n-th stream.
fn given(reply: &str, n: usize) -> SocketAddr {
    let field = |start: &str| {
        let rest = reply.match_indices(start).nth(n).map(|(at, found)| &reply[at + found.len()..]);
        rest.and_then(|rest| rest.split_whitespace().next()).expect("filled in").to_owned()
    };
    format!("{}:{}", field("c=IN IP4 "), field("m=audio ")).parse().expect("an address")
}

fn call(phone: &Endpoint, far: &Endpoint) -> String {
    let sdp = |address: &str, port: &str, profile: &str, key: Option<&str>| {
        let key =
            key.map(|key| format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}\n")).unwrap_or_default();
        format!("\nv=0\nc=IN IP4 {address}\nm=audio {port} {profile} 0\n{key}")
    };
    let at =
        |endpoint: &Endpoint| (endpoint.address().ip().to_string(), endpoint.address().port().to_string());
    let ((phone_ip, phone_port), (far_ip, far_port)) = (at(phone), at(far));
    format!(
        "C=${{A=ip/1/access/${{M{{ST=1{{O{{MO=SR}},L{{{}}},R{{{}}}}}}}}},A=ip/1/core/${{M{{ST=1{{O{{MO=SR}},L{{{}}},R{{{}}}}}}}}}}}",
        sdp("$", "$", "RTP/SAVP", Some(LOCAL_KEY)),
        sdp(&phone_ip, &phone_port, "RTP/SAVP", Some(REMOTE_KEY)),
        sdp("$", "$", "RTP/AVP", None),
        sdp(&far_ip, &far_port, "RTP/AVP", None),
    )
}

fn session_key(key: &str) -> CryptoAttribute {
    CryptoAttribute::parse(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{key}")).unwrap()
}

#[test]
fn media_flows_both_ways_as_soon_as_the_reply_is_there() {
    let mut gate = Gate::new();
    let phone = gate.net.endpoint(([198, 51, 100, 1], 4000).into());
    let far = gate.net.endpoint(([203, 0, 113, 1], 5000).into());
    let reply = gate.ask(&call(&phone, &far));
    let (access, core) = (given(&reply, 0), given(&reply, 1));
    let mut protect = OutboundSession::new(&session_key(REMOTE_KEY), &Policy::default()).unwrap();
    let mut unprotect = InboundSession::new(&session_key(LOCAL_KEY), &Policy::default()).unwrap();
    // RLY-5: the very first packets after the reply pass.
    for sequence in 1..=20 {
        let plain = rtp(sequence);
        let mut slot = plain.clone();
        slot.resize(plain.len() + 64, 0);
        let length = protect.protect_rtp(&mut slot, plain.len(), 0).unwrap();
        phone.send(access, &slot[..length]);
        far.send(core, &plain);
        gate.turns(3);
        assert_eq!(far.receive().expect("forwarded").1, plain);
        let (_, mut secured) = phone.receive().expect("forwarded");
        assert_ne!(secured, plain);
        let secured_length = secured.len();
        let length = unprotect.unprotect_rtp(&mut secured, secured_length, 0).unwrap();
        assert_eq!(secured[..length], plain[..]);
    }
    let reply = gate.ask("C=*{AV=ip/*/access/*{AT{SA{rtp/pr},SA{rtp/ps}}}}");
    assert!(reply.contains("SA{rtp/pr=20,rtp/ps=20}"), "{reply}");

    // A gate that is closed is closed when the reply is there.
    let name = reply.split("AV=").nth(1).and_then(|rest| rest.split('{').next()).expect("a name").to_owned();
    gate.ask(&format!("C=*{{MF={name}{{M{{O{{MO=IN}}}}}}}}"));
    far.send(core, &rtp(99));
    gate.turns(3);
    assert!(phone.receive().is_none());

    let reply = gate.ask("C=*{S=*}");
    assert_eq!(reply.matches("rtp/pr=2").count(), 2, "20 and 21 packets: {reply}");
    gate.turns(10);
    assert_eq!((gate.controller.counts().contexts, gate.net.open_ports()), (0, 0));
}

#[test]
fn what_exceeds_the_rates_is_discarded_and_counted_and_the_rest_is_as_before() {
    let mut gate = Gate::new();
    let phone = gate.net.endpoint(([198, 51, 100, 1], 4000).into());
    let far = gate.net.endpoint(([203, 0, 113, 1], 5000).into());
    // 50 packets a second of 172 octets of RTP, 10 of tag and 28 of headers, and ten at once.
    let policed = "O{MO=SR,tman/pol=ON,tman/sdr=10500,tman/mbs=2100}";
    let reply = gate.ask(&call(&phone, &far).replacen("O{MO=SR}", policed, 1));
    let access = given(&reply, 0);
    let mut protect = OutboundSession::new(&session_key(REMOTE_KEY), &Policy::default()).unwrap();
    let mut send_second = |gate: &mut Gate, from: u16| {
        for sequence in from..from + 100 {
            let plain = rtp(sequence);
            let mut slot = plain.clone();
            slot.resize(plain.len() + 64, 0);
            let length = protect.protect_rtp(&mut slot, plain.len(), 0).unwrap();
            phone.send(access, &slot[..length]);
            gate.turns(10);
        }
        std::iter::from_fn(|| far.receive()).count()
    };
    assert_eq!(send_second(&mut gate, 0), 59, "a burst of 10, and 49 in 0.99 s");
    let reply = gate.ask("C=*{AV=ip/*/access/*{AT{SA{rtp/pr},SA{rtp/pl},SA{gm/dp}}}}");
    assert!(reply.contains("SA{rtp/pr=59,rtp/pl=0,gm/dp=41}"), "{reply}");
    gate.ask("C=*{MF=ip/*/access/*{M{ST=1{O{tman/sdr=21000}}}}}");
    // The bucket is as full as it was when the rate doubles, and has been leaking during the exchange.
    assert_eq!(send_second(&mut gate, 100), 100);
    gate.ask("C=*{MF=ip/*/access/*{M{ST=1{O{tman/pol=OFF}}}}}");
    assert_eq!(send_second(&mut gate, 200), 100);
    let reply = gate.ask("C=*{S=*}");
    assert!(reply.contains("rtp/pr=259") && reply.contains("gm/dp=41"), "{reply}");
}

#[test]
fn calls_come_and_go_and_leave_nothing() {
    let mut gate = Gate::new();
    let phone = gate.net.endpoint(([198, 51, 100, 1], 4000).into());
    let far = gate.net.endpoint(([203, 0, 113, 1], 5000).into());
    for _ in 0..50 {
        for _ in 0..40 {
            let reply = gate.ask(&call(&phone, &far));
            assert!(!reply.contains("ER="), "{reply}");
        }
        assert_eq!(gate.iq.size(), (40, 80));
        let reply = gate.ask("C=*{W-S=*{AT{}}}");
        assert!(reply.contains("C=*{S=*}"), "{reply}");
        gate.turns(10);
        assert_eq!((gate.iq.size(), gate.net.open_ports()), ((0, 0), 0));
    }
}

#[test]
fn ports_that_run_out_refuse_one_call_and_cost_nothing() {
    let mut gate = Gate::new();
    let phone = gate.net.endpoint(([198, 51, 100, 1], 4000).into());
    let far = gate.net.endpoint(([203, 0, 113, 1], 5000).into());
    let mut made = 0;
    let refused = loop {
        let reply = gate.ask(&call(&phone, &far));
        if reply.contains("ER=") {
            break reply;
        }
        made += 1;
        assert!(made <= 100, "two hundred ports hold a hundred calls");
    };
    assert!(refused.contains("ER=510{"), "{refused}");
    assert_eq!(gate.iq.size(), (made, made * 2));
    assert_eq!(gate.controller.counts().contexts, made);
}
