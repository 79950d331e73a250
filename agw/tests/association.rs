//! The process and its controller: it registers, says that it leaves and stays after all, loses a realm and has it back.

mod common;

use common::{Gateway, PATIENCE, eventually, media_end, plain_call};
use rustix::process::Signal;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// A controller that hears what the gateway says and answers it.
struct Mgc {
    socket: UdpSocket,
    last_transaction: u32,
    heard: Vec<String>,
}

impl Mgc {
    fn new() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        Self { socket, last_transaction: 0, heard: Vec::new() }
    }

    fn entry(&self) -> String {
        format!("iq.controllers=[\"udp:{}?encoding=compact\"]", self.socket.local_addr().unwrap())
    }

    /// The next request with this in it, answered; repetitions and others are answered too.
    fn hear(&mut self, wanted: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "never said: {wanted}; but {:?}", self.heard);
            if let Some(text) = self.receive().filter(|text| text.contains(wanted)) {
                return text;
            }
        }
    }

    fn receive(&mut self) -> Option<String> {
        let mut buffer = [0; 65_536];
        let (length, from) = self.socket.recv_from(&mut buffer).ok()?;
        let text = without_time_stamps(std::str::from_utf8(&buffer[..length]).unwrap());
        if let Some((_, request)) = text.split_once("T=") {
            let (id, rest) = request.split_once('{').unwrap();
            let context = rest.split('{').next().unwrap();
            let command = rest.split('{').nth(1).unwrap();
            self.say(from, &format!("!/2 <mgc.test> P={id}{{{context}{{{command}}}}}"));
        }
        self.heard.push(text.clone());
        Some(text)
    }

    fn say(&self, to: SocketAddr, text: &str) {
        self.socket.send_to(text.as_bytes(), to).unwrap();
    }

    fn order(&mut self, gateway: &Gateway, actions: &str) -> String {
        self.last_transaction += 1;
        let id = self.last_transaction;
        self.say(gateway.iq, &format!("MEGACO/2 <mgc.test> Transaction = {id} {{ {actions} }}"));
        self.hear(&format!("P={id}{{"))
    }
}

/// `20261121T13144715` among parameters says when, which differs from run to run.
fn without_time_stamps(text: &str) -> String {
    let is_stamp = |part: &&str| {
        part.len() == 17
            && part.bytes().enumerate().all(|(at, b)| if at == 8 { b == b'T' } else { b.is_ascii_digit() })
    };
    text.split(',').filter(|part| !is_stamp(part)).collect::<Vec<_>>().join(",")
}

fn with_a_call(set: &[&str]) -> (Mgc, Gateway) {
    let mut mgc = Mgc::new();
    let entry = mgc.entry();
    let all: Vec<&str> = set.iter().copied().chain([entry.as_str()]).collect();
    let gateway = Gateway::start(&all);
    mgc.hear("MT=RS,V=2,RE=\"901 Cold boot\"");
    let ends = [media_end(), media_end()].map(|socket| socket.local_addr().unwrap());
    let reply = mgc.order(&gateway, &plain_call(ends[0], ends[1]));
    assert!(!reply.contains("ER="), "{reply}");
    (mgc, gateway)
}

#[test]
fn a_drain_is_announced_taken_back_and_announced_again_and_its_deadline_is_a_failure() {
    let (mut mgc, mut gateway) = with_a_call(&["drain_deadline_s=3600"]);
    gateway.signal(Signal::TERM);
    let graceful = mgc.hear("MT=GR");
    assert!(graceful.contains("DL=3600") && graceful.contains("RE=\"905 Termination taken out of service\""));
    assert!(
        mgc.order(&gateway, "C=${A=ip/1/core/${M{ST=1{L{\nv=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\n}}}}}")
            .contains("ER=503")
    );
    let answer = gateway.ask(&["drain", "--cancel"]);
    assert_eq!(answer["draining"], false);
    mgc.hear("MT=RS,RE=\"918 Cancel graceful\"");
    eventually("ready again", || (gateway.get("/readyz").0 == 200).then_some(()));
    assert!(
        mgc.order(&gateway, "C=${A=ip/1/core/${M{ST=1{L{\nv=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\n}}}}}")
            .contains("C=2{A=ip/1/core/")
    );
    assert_eq!(gateway.http("POST", "/drain/cancel", "").0, 409);
    // One signal drains again, a second one ends at once and takes calls along.
    gateway.signal(Signal::TERM);
    mgc.hear("MT=GR");
    gateway.signal(Signal::TERM);
    mgc.hear("MT=FO,RE=\"908 MG impending failure\"");
    assert!(gateway.ended().success());
}

#[test]
fn a_drain_that_ends_with_the_last_call_is_an_orderly_end() {
    let (mut mgc, mut gateway) = with_a_call(&["drain_deadline_s=3600"]);
    gateway.signal(Signal::TERM);
    mgc.hear("MT=GR");
    mgc.order(&gateway, "C=*{W-S=*{AT{}}}");
    mgc.hear("MT=FO,RE=\"905 Termination taken out of service\"");
    assert!(gateway.ended().success());
}

#[test]
fn an_operator_takes_a_realm_out_and_back_and_everybody_hears_of_it() {
    let (mut mgc, gateway) = with_a_call(&[]);
    let state = gateway.ask(&["realm", "core", "out"]);
    assert_eq!(state["state"], "taken out of service");
    mgc.hear("C=*{SC=ip/*/core/*{SV{MT=FO,RE=\"905 Termination taken out of service\"}}}");
    let refused =
        mgc.order(&gateway, "C=${A=ip/1/core/${M{ST=1{L{\nv=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\n}}}}}");
    assert!(refused.contains("ER=502{\"core is out of service\"}"), "{refused}");
    assert_eq!(gateway.json("/status")["ports"]["core"]["state"], "taken out of service");
    assert_eq!(gateway.json("/status")["contexts"], 1, "what is up stays");
    assert_eq!(gateway.metric("agw_realm_in_service", &["realm=\"core\""]), 0.0);
    assert_eq!(gateway.metric("agw_realm_in_service", &["realm=\"access\""]), 1.0);
    gateway.ask(&["realm", "core", "in"]);
    mgc.hear("C=*{SC=ip/*/core/*{SV{MT=RS,RE=\"900 Service restored\"}}}");
    assert_eq!(gateway.metric("agw_realm_in_service", &[]), 2.0);
    assert_eq!(gateway.http("POST", "/realms/nowhere/out", "").0, 404);
    assert_eq!(gateway.http("POST", "/realms/core/out", "Origin: http://evil.example\r\n").0, 403);
    assert_eq!(gateway.get("/realms/core/out").0, 404);
}

#[test]
fn a_realm_whose_addresses_this_host_does_not_have_is_out_of_service() {
    let mut mgc = Mgc::new();
    // TEST-NET-1 is nobody's; the gateway starts all the same and says what it cannot do.
    let gateway = Gateway::start(&[&mgc.entry(), "realm.core.addresses=[\"192.0.2.1\"]"]);
    mgc.hear("MT=RS,V=2");
    mgc.hear("C=*{SC=ip/*/core/*{SV{MT=FO,RE=\"906 Loss of lower layer connectivity\"}}}");
    assert!(
        gateway.json("/status")["ports"]["core"]["state"].as_str().unwrap().contains("none of its addresses")
    );
    gateway.logged("realm out of service: it takes no new calls");
}

#[test]
fn a_controller_by_name_is_looked_up_and_commands() {
    let mut mgc = Mgc::new();
    let port = mgc.socket.local_addr().unwrap().port();
    let gateway = Gateway::start(&[&format!("iq.controllers=[\"udp:localhost:{port}?encoding=compact\"]")]);
    mgc.hear("MT=RS,V=2,RE=\"901 Cold boot\"");
    gateway.logged("a controller's name was looked up");
    eventually("it is ready", || (gateway.get("/readyz").0 == 200).then_some(()));
    let reply =
        mgc.order(&gateway, "C=${A=ip/1/core/${M{ST=1{L{\nv=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\n}}}}}");
    assert!(!reply.contains("ER="), "{reply}");
    assert_eq!(gateway.metric("agw_iq_events_total", &["event=\"name_unresolved\""]), 0.0);
}

#[test]
fn a_name_that_does_not_resolve_is_told_of_and_the_next_controller_is_asked() {
    let mut mgc = Mgc::new();
    let entry = mgc.entry().replace("[\"", "[\"udp:nowhere.invalid:2944\",\"");
    let gateway = Gateway::start(&[&entry]);
    mgc.hear("MT=RS,V=2");
    gateway.logged("a controller's name does not resolve");
    eventually("it is ready", || (gateway.get("/readyz").0 == 200).then_some(()));
    assert_eq!(gateway.metric("agw_iq_events_total", &["event=\"name_unresolved\""]), 1.0);
}
