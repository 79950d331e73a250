//! Who is listened to, over what, how often, and what is remembered of it (IQ-3; H.248.1 Annex D.1.1).

use crate::association::{controlled, register};
use crate::lab::*;
use agw_iq::config::{ControllerTransport, Protection};
use agw_iq::transport::tcp::frame;
use agw_iq::transport::{ConnectionId, Link, SocketId};
use agw_iq::{ConnectionRequest, Encoding, Form};
use std::net::SocketAddr;
use std::time::Duration;

const FIRST: &str = "192.0.2.10:2944";
const SECOND: &str = "192.0.2.11:2944";
const STRANGER: &str = "198.51.100.66:2944";
const AUDIT: &str = "!/2 <mgc.test> T=1{C=-{AV=ROOT{AT{}}}}";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn audit(id: u32) -> String {
    format!("!/2 <mgc.test> T={id}{{C=-{{AV=ROOT{{AT{{}}}}}}}}")
}

#[test]
fn strangers_get_nothing_on_any_transport_and_are_counted() {
    let mut lab = Lab::with(controlled(&[FIRST]));
    register(&mut lab, address(FIRST));
    for socket in [SocketId::TEXT, SocketId::BINARY] {
        lab.iq.handle_datagram(lab.now, socket, address(STRANGER), AUDIT.as_bytes(), &mut lab.model);
    }
    let id = ConnectionId(9);
    for (link, form) in [
        (Link::Tcp(id), Form::Text),
        (Link::Tcp(id), Form::Binary),
        (Link::Tls(id), Form::Text),
        (Link::Sctp(id), Form::Binary),
    ] {
        assert!(!lab.iq.handle_accepted(link, form, address(STRANGER)));
    }
    assert!(lab.sent().is_empty());
    assert_eq!(lab.iq.counters().strangers, 6);
}

#[test]
fn a_controller_that_floods_is_not_read_and_takes_nothing_from_the_other() {
    let mut config = controlled(&[FIRST, SECOND]);
    config.messages_per_second = 100;
    let mut lab = Lab::with(config);
    register(&mut lab, address(FIRST));
    // A tenth of a second's worth at once; one permission went for the registration.
    let answered = (1..=50).filter(|id| !lab.exchange_from(address(FIRST), &audit(*id)).is_empty()).count();
    assert_eq!((answered, lab.iq.counters().over_rate), (9, 41));
    let flood = vec![b'!'; 3000];
    lab.iq.handle_datagram(lab.now, SocketId::TEXT, address(STRANGER), &flood, &mut lab.model);
    assert!(lab.exchange_from(address(SECOND), AUDIT)[0].1.contains("ER=504"), "the other is heard");
    lab.now += Duration::from_millis(20);
    assert_eq!(lab.exchange_from(address(FIRST), &audit(60)).len(), 1, "and the first again, in time");
}

#[test]
fn a_connection_that_floods_is_closed() {
    let mut config = config();
    config.messages_per_second = 100;
    let mut lab = Lab::with(config);
    let link = Link::Tcp(ConnectionId(1));
    assert!(lab.iq.handle_accepted(link, Form::Text, MGC.into()));
    let stream: Vec<u8> = (1..=30).flat_map(|id| frame(audit(id).as_bytes()).unwrap().to_vec()).collect();
    lab.iq.handle_tcp_bytes(lab.now, ConnectionId(1), &stream, &mut lab.model);
    assert_eq!(lab.sent().len(), 10);
    assert_eq!(lab.connections(), [ConnectionRequest::Close(ConnectionId(1))]);
    assert_eq!(lab.iq.counters().over_rate, 1, "nothing of a closed connection is looked at");
}

#[test]
fn where_tls_must_protect_iq_nothing_else_is_listened_to_and_keys_are_taken() {
    let mut config = controlled(&[FIRST]);
    config.protection = Protection::Tls;
    config.controllers[0].transport = ControllerTransport::Tls;
    let mut lab = Lab::with(config);
    lab.iq.handle_timeout(lab.now, &mut lab.model);
    let over = ControllerTransport::Tls;
    assert_eq!(lab.connections(), [ConnectionRequest::Open { over, to: address(FIRST), host: None }]);
    lab.iq.handle_connected(lab.now, ConnectionId(1), address(FIRST));
    let (peer, text) = lab.sent().remove(0);
    assert_eq!(peer.link, Link::Tls(ConnectionId(1)));
    let id = text.split("T=").nth(1).and_then(|rest| rest.split('{').next()).unwrap();
    let say = |lab: &mut Lab, text: String| {
        let bytes = frame(text.as_bytes()).unwrap();
        lab.iq.handle_tcp_bytes(lab.now, ConnectionId(1), &bytes, &mut lab.model);
        lab.settle();
        lab.sent()
    };
    say(&mut lab, format!("!/2 <mgc.test> P={id}{{C=-{{SC=ROOT}}}}"));
    assert!(lab.iq.is_ready());
    let call = say(&mut lab, format!("!/2 <mgc.test> T=7{{C=${{{ACCESS},{CORE}}}}}"));
    assert!(call[0].1.contains(LOCAL_KEY) && !call[0].1.contains("ER="), "{call:?}");

    // The same controller without TLS, by datagram and by connection.
    assert!(lab.exchange_from(address(FIRST), AUDIT).is_empty());
    for link in [Link::Tcp(ConnectionId(2)), Link::Sctp(ConnectionId(3))] {
        assert!(!lab.iq.handle_accepted(link, Form::Text, address(FIRST)), "{link:?}");
    }
    assert_eq!((lab.iq.counters().unprotected, lab.iq.counters().strangers), (3, 0));
    assert!(lab.iq.handle_accepted(Link::Tls(ConnectionId(4)), Form::Text, address(FIRST)));
}

#[test]
fn replies_are_kept_until_acknowledged_or_old_and_then_cost_nothing() {
    let mut lab = Lab::new();
    assert_eq!(lab.iq.reply_cache(), (0, 0));
    for id in 1..=10 {
        lab.exchange(&audit(id));
    }
    let (transactions, full) = lab.iq.reply_cache();
    assert_eq!(transactions, 10);
    lab.exchange("!/2 <mgc.test> K{1-10}");
    let (transactions, acknowledged) = lab.iq.reply_cache();
    assert!(transactions == 10 && acknowledged < full, "{acknowledged} of {full}");
    assert!(lab.exchange(&audit(5)).is_empty(), "an acknowledged one is not executed again either");
    lab.pass(Duration::from_secs(31));
    assert_eq!(lab.iq.reply_cache(), (0, 0));
}

#[test]
fn an_old_request_that_comes_again_finds_nothing_left_to_do() {
    let mut lab = Lab::new();
    let (context, access, _) = lab.call();
    let requests = [
        format!("!/2 <mgc.test> T=900{{C={context}{{MF={access}{{M{{ST=1{{O{{MO=IN}}}}}}}}}}}}"),
        format!("!/2 <mgc.test> T=901{{C={context}{{S=*}}}}"),
    ];
    for request in &requests {
        assert!(!lab.exchange(request)[0].contains("ER="));
    }
    lab.pass(Duration::from_secs(31));
    let (other, _, _) = lab.call();
    assert_ne!(other, context, "a number is not given to another call at once");
    for request in &requests {
        let reply = lab.exchange(request);
        assert!(reply[0].contains("ER=411"), "{reply:?}");
    }
    assert!(lab.ask(&format!("C={other}{{AV=*{{AT{{}}}}}}")).contains("AV="), "the new call is untouched");
}

#[test]
fn a_text_and_a_binary_controller_each_hear_their_own_encoding() {
    let mut config = controlled(&[FIRST, SECOND]);
    config.controllers[0].encoding = Encoding::BER;
    let mut lab = Lab::with(config);
    lab.iq.handle_timeout(lab.now, &mut lab.model);
    let first = lab.iq.poll_transmit().expect("a registration");
    assert_eq!(first.to.link, Link::Udp(SocketId::BINARY));
    assert_eq!(first.bytes.first(), Some(&0x30), "a SEQUENCE");
    let mut second = None;
    while second.is_none() {
        lab.now = lab.iq.poll_timeout().expect("a timer");
        lab.iq.handle_timeout(lab.now, &mut lab.model);
        second =
            std::iter::from_fn(|| lab.iq.poll_transmit()).find(|sent| sent.to.address == address(SECOND));
    }
    let second = second.expect("found");
    assert_eq!(second.to.link, Link::Udp(SocketId::TEXT));
    assert!(second.bytes.starts_with(b"!/2 "));
}
