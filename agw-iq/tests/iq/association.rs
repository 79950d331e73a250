//! Getting a controller, keeping it, losing it, and leaving (H.248.1 sections 7.2.8 and 11).

use crate::lab::*;
use agw_iq::config::{Controller, ControllerTransport, IqConfig};
use agw_iq::text::Style;
use agw_iq::transport::{ConnectionId, Link};
use agw_iq::{ConnectionRequest, Encoding, Farewell, Form};
use std::net::SocketAddr;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const FIRST: &str = "192.0.2.10:2944";
const SECOND_MGC: &str = "192.0.2.11:2944";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A configuration with these UDP controllers, written to in short tokens.
pub fn controlled(controllers: &[&str]) -> IqConfig {
    let mut config = config();
    let controller = |text: &&str| Controller {
        transport: ControllerTransport::Udp,
        place: address(text).into(),
        encoding: Encoding::Text(Style::Compact),
        name: None,
    };
    config.controllers = controllers.iter().map(controller).collect();
    config
}

/// Runs the clock until the gateway has sent something; the first of it.
fn next(lab: &mut Lab) -> (SocketAddr, String) {
    for _ in 0..10_000 {
        let mut sent = lab.sent();
        if !sent.is_empty() {
            let (peer, text) = sent.remove(0);
            return (peer.address, text);
        }
        lab.now = lab.iq.poll_timeout().expect("a timer").max(lab.now);
        lab.iq.handle_timeout(lab.now, &mut lab.model);
    }
    panic!("the gateway is silent");
}

fn id_of(message: &str) -> &str {
    message.split("T=").nth(1).and_then(|rest| rest.split('{').next()).expect("a request")
}

/// Lets the gateway register with this controller; what it then says.
pub fn register(lab: &mut Lab, controller: SocketAddr) -> Vec<(agw_iq::transport::Peer, String)> {
    let (to, text) = next(lab);
    assert_eq!(to, controller);
    let reply = format!("!/2 <mgc.test> P={}{{C=-{{SC=ROOT{{SV{{V=2}}}}}}}}", id_of(&text));
    let sent = lab.exchange_from(controller, &reply);
    assert!(lab.iq.is_ready());
    sent
}

#[test]
fn a_restart_is_announced_and_repeated_until_somebody_answers() {
    let mut config = controlled(&[FIRST, SECOND_MGC]);
    config.profile = Some(agw_iq::ast::Profile { name: "NoProfile".into(), version: 1 });
    let mut lab = Lab::with(config);
    assert!(!lab.iq.is_ready());
    let (to, text) = next(&mut lab);
    assert_eq!(to, address(FIRST));
    let id = id_of(&text);
    assert_eq!(
        text,
        format!(
            "!/2 [192.0.2.20]:2944 T={id}{{C=-{{SC=ROOT{{SV{{MT=RS,V=2,PF=NoProfile/1,RE=\"901 Cold boot\"}}}}}}}}"
        )
    );
    let mut tried = vec![to];
    while tried.len() < 12 {
        tried.push(next(&mut lab).0);
    }
    assert!(tried[..8].iter().all(|to| *to == address(FIRST)), "eight times the first");
    assert!(tried[8..].iter().all(|to| *to == address(SECOND_MGC)), "then the second");
}

#[test]
fn commands_wait_for_registration_and_others_do_not_command() {
    let mut lab = Lab::with(controlled(&[FIRST, SECOND_MGC]));
    let audit = "!/2 <mgc.test> T=1{C=-{AV=ROOT{AT{}}}}";
    let early = lab.exchange_from(address(FIRST), audit);
    assert!(early[0].1.contains("P=1{ER=505{"), "{early:?}");
    register(&mut lab, address(FIRST));
    let obeyed = lab.exchange_from(address(FIRST), audit);
    assert_eq!(obeyed[0].1, "!/2 [192.0.2.20]:2944 P=1{C=-{AV=ROOT}}");
    let other = lab.exchange_from(address(SECOND_MGC), audit);
    assert!(other[0].1.contains("P=1{ER=504{"), "{other:?}");
    for stranger in ["198.51.100.66:2944", "127.0.0.1:2944"] {
        assert!(lab.exchange_from(address(stranger), audit).is_empty());
    }
    assert_eq!((lab.iq.counters().strangers, lab.iq.counters().out_of_turn), (2, 2));
}

#[test]
fn without_controllers_only_loopback_is_obeyed() {
    let mut lab = Lab::new();
    assert!(lab.iq.is_ready());
    let audit = "!/2 <mgc.test> T=1{C=-{AV=ROOT{AT{}}}}";
    assert!(lab.exchange_from(address("192.0.2.10:2944"), audit).is_empty());
    assert_eq!(lab.iq.counters().strangers, 1);
    assert_eq!(lab.exchange_from(address("127.0.0.1:2944"), audit).len(), 1);
    assert_eq!(lab.iq.poll_timeout().map(|at| at > lab.now), Some(true), "only the reply cache has a timer");
}

#[test]
fn a_redirected_gateway_registers_there_and_obeys_nobody_else() {
    let mut lab = Lab::with(controlled(&[FIRST]));
    let (_, text) = next(&mut lab);
    let reply = format!("!/2 <mgc.test> P={}{{C=-{{SC=ROOT{{SV{{MG=[192.0.2.77]:2944}}}}}}}}", id_of(&text));
    let sent = lab.exchange_from(address(FIRST), &reply);
    assert_eq!(sent[0].0.address, address("192.0.2.77:2944"));
    assert!(sent[0].1.contains("MT=RS"), "{sent:?}");
    let accepted = format!("!/2 <other> P={}{{C=-{{SC=ROOT}}}}", id_of(&sent[0].1));
    lab.exchange_from(address("192.0.2.77:2944"), &accepted);
    assert!(lab.iq.is_ready());
}

#[test]
fn a_hand_off_is_followed() {
    let mut lab = Lab::with(controlled(&[FIRST]));
    register(&mut lab, address(FIRST));
    let order =
        "!/2 <mgc.test> T=30{C=-{SC=ROOT{SV{MT=HO,RE=\"903 MGC Directed Change\",MG=[192.0.2.77]:2944}}}}";
    let sent = lab.exchange_from(address(FIRST), order);
    assert_eq!(sent[0].1, "!/2 [192.0.2.20]:2944 P=30{C=-{SC=ROOT}}");
    assert_eq!(sent[1].0.address, address("192.0.2.77:2944"));
    assert!(sent[1].1.contains("MT=HO,V=2,RE=\"903 MGC directed change\""), "{sent:?}");
}

#[test]
fn requests_go_where_the_reply_says() {
    let mut lab = Lab::with(controlled(&[FIRST]));
    let (_, text) = next(&mut lab);
    let reply = format!("!/2 <mgc.test> P={}{{C=-{{SC=ROOT{{SV{{AD=4000}}}}}}}}", id_of(&text));
    lab.exchange_from(address(FIRST), &reply);
    lab.iq.leave(lab.now, Farewell::Forced { failing: false });
    assert_eq!(next(&mut lab).0, address("192.0.2.10:4000"));
}

#[test]
fn a_lost_controller_is_found_again_and_hears_what_it_missed() {
    let mut lab = Lab::with(controlled(&[FIRST, SECOND_MGC]));
    register(&mut lab, address(FIRST));
    let from = address(FIRST);
    lab.exchange_from(from, &format!("!/2 <mgc.test> T=5{{C=${{{CORE}}}}}"));
    lab.exchange_from(from, "!/2 <mgc.test> T=6{C=5001{MF=ip/1/core/101{E=9{hangterm/thb{timerx=10}}}}}");
    // The heartbeat is not answered, nor what the gateway then asks of the same controller.
    let mut sent = Vec::new();
    for _ in 0..120 {
        sent.extend(lab.pass(SECOND));
        if sent.iter().any(|(peer, _)| peer.address == address(SECOND_MGC)) {
            break;
        }
    }
    let restarts: Vec<_> = sent.iter().filter(|(_, text)| text.contains("SC=ROOT")).collect();
    assert!(restarts[0].1.contains("MT=DC,V=2,RE=\"900 Service restored\""), "{restarts:?}");
    assert_eq!(restarts[0].0.address, from);
    let failover =
        restarts.iter().find(|(peer, _)| peer.address == address(SECOND_MGC)).expect("then the other");
    assert!(failover.1.contains("MT=FL,V=2,RE=\"909 MGC impending failure\""), "{failover:?}");
    assert_eq!(lab.iq.counters().associations_lost, 1);
    let accepted = format!("!/2 <other> P={}{{C=-{{SC=ROOT}}}}", id_of(&failover.1));
    let after = lab.exchange_from(address(SECOND_MGC), &accepted);
    assert!(lab.iq.is_ready());
    assert!(after[0].1.contains("N=ip/1/core/101{OE=9{hangterm/thb}}"), "{after:?}");
    assert_eq!(lab.iq.size(), (1, 1), "calls outlive the controller");
}

#[test]
fn leaving_gracefully_ends_new_calls_and_staying_takes_it_back() {
    let mut lab = Lab::with(controlled(&[FIRST]));
    let from = address(FIRST);
    register(&mut lab, from);
    lab.exchange_from(from, &format!("!/2 <mgc.test> T=5{{C=${{{CORE}}}}}"));
    lab.iq.leave(lab.now, Farewell::Graceful { delay_s: Some(30) });
    let (_, text) = next(&mut lab);
    assert!(text.contains("MT=GR") && text.contains("DL=30") && text.contains("905 Termination"), "{text}");
    lab.exchange_from(from, &format!("!/2 <mgc.test> P={}{{C=-{{SC=ROOT}}}}", id_of(&text)));
    assert!(!lab.iq.is_ready() && lab.iq.has_left());
    let new = lab.exchange_from(from, &format!("!/2 <mgc.test> T=6{{C=${{{CORE}}}}}"));
    assert!(new[0].1.contains("ER=503{"), "{new:?}");
    let old = lab.exchange_from(from, &format!("!/2 <mgc.test> T=7{{C=5001{{{CORE}}}}}"));
    assert!(!old[0].1.contains("ER="), "what began may be finished: {old:?}");
    lab.iq.stay(lab.now);
    assert!(next(&mut lab).1.contains("MT=RS,RE=\"918 Cancel graceful\""));
    assert!(lab.iq.is_ready());
}

#[test]
fn leaving_at_once_is_said_and_then_nothing_is_asked_any_more() {
    let mut lab = Lab::with(controlled(&[FIRST]));
    register(&mut lab, address(FIRST));
    lab.iq.leave(lab.now, Farewell::Forced { failing: false });
    let (_, text) = next(&mut lab);
    assert!(text.contains("MT=FO,RE=\"905"), "{text}");
    assert!(!lab.iq.has_left());
    lab.exchange_from(address(FIRST), &format!("!/2 <mgc.test> P={}{{C=-{{SC=ROOT}}}}", id_of(&text)));
    assert!(lab.iq.has_left());
    assert!(lab.pass(600 * SECOND).is_empty());
}

fn tcp_lab() -> Lab {
    let mut config = controlled(&[FIRST]);
    config.controllers[0].transport = ControllerTransport::Tcp;
    Lab::with(config)
}

fn open(to: &str) -> ConnectionRequest {
    ConnectionRequest::Open { over: ControllerTransport::Tcp, to: address(to), host: None }
}

fn tpkt(text: &str) -> Vec<u8> {
    agw_iq::transport::tcp::frame(text.as_bytes()).expect("fits").to_vec()
}

#[test]
fn over_tcp_the_gateway_connects_registers_and_answers_on_the_same_connection() {
    let mut lab = tcp_lab();
    lab.iq.handle_timeout(lab.now, &mut lab.model);
    assert_eq!(lab.connections(), [open(FIRST)]);
    lab.iq.handle_connected(lab.now, ConnectionId(7), address(FIRST));
    let (peer, text) = lab.sent().remove(0);
    assert_eq!(peer.link, Link::Tcp(ConnectionId(7)));
    let reply = tpkt(&format!("!/2 <mgc.test> P={}{{C=-{{SC=ROOT}}}}", id_of(&text)));
    let audit = tpkt("!/2 <mgc.test> T=1{C=-{AV=ROOT{AT{}}}}");
    let stream: Vec<u8> = reply.into_iter().chain(audit).collect();
    for piece in stream.chunks(11) {
        lab.iq.handle_tcp_bytes(lab.now, ConnectionId(7), piece, &mut lab.model);
    }
    assert!(lab.iq.is_ready());
    let (peer, text) = lab.sent().remove(0);
    assert_eq!(
        (peer.link, text.as_str()),
        (Link::Tcp(ConnectionId(7)), "!/2 [192.0.2.20]:2944 P=1{C=-{AV=ROOT}}")
    );
}

#[test]
fn a_refused_or_broken_connection_is_tried_again() {
    let mut lab = tcp_lab();
    lab.iq.handle_timeout(lab.now, &mut lab.model);
    lab.connections();
    lab.iq.handle_connect_failed(lab.now, address(FIRST));
    assert!(lab.connections().is_empty(), "after a pause");
    lab.pass(2 * SECOND);
    assert_eq!(lab.connections(), [open(FIRST)]);
    lab.iq.handle_connected(lab.now, ConnectionId(8), address(FIRST));
    let (_, text) = lab.sent().remove(0);
    let reply = tpkt(&format!("!/2 <mgc.test> P={}{{C=-{{SC=ROOT}}}}", id_of(&text)));
    lab.iq.handle_tcp_bytes(lab.now, ConnectionId(8), &reply, &mut lab.model);
    assert!(lab.iq.is_ready());
    lab.iq.handle_connection_lost(lab.now, ConnectionId(8));
    assert!(!lab.iq.is_ready());
    assert_eq!(lab.connections(), [open(FIRST)]);
    lab.iq.handle_connected(lab.now, ConnectionId(9), address(FIRST));
    assert!(lab.sent()[0].1.contains("MT=DC"));
}

#[test]
fn connections_of_strangers_and_streams_of_nonsense_are_closed() {
    let mut lab = Lab::new();
    assert!(!lab.iq.handle_accepted(Link::Tcp(ConnectionId(1)), Form::Text, address("192.0.2.66:999")));
    assert!(lab.iq.handle_accepted(Link::Tcp(ConnectionId(2)), Form::Text, address("127.0.0.1:999")));
    lab.iq.handle_tcp_bytes(lab.now, ConnectionId(2), b"GET / HTTP/1.1\r\n", &mut lab.model);
    assert_eq!(lab.connections(), [ConnectionRequest::Close(ConnectionId(2))]);
    assert!(lab.sent().is_empty());
    lab.iq.handle_tcp_bytes(lab.now, ConnectionId(2), b"more", &mut lab.model);
    assert!(lab.connections().is_empty());
    for id in 0..agw_iq::MAX_CONNECTIONS as u64 {
        let link = Link::Tcp(ConnectionId(100 + id));
        assert!(lab.iq.handle_accepted(link, Form::Text, address("127.0.0.1:999")));
    }
    assert!(
        !lab.iq.handle_accepted(Link::Tcp(ConnectionId(9999)), Form::Text, address("127.0.0.1:999")),
        "enough"
    );
}
