//! Media over TCP, seen from the controller: roles, fingerprints, paths and keys that go in and come out, orders to connect, and what becomes
//! of connections (TLS-1 to TLS-5, TLS-9 to TLS-11, TCP-1 to TCP-3, TCP-5).

use crate::lab::*;
use crate::model::certificate;
use agw_core::command::{Notice, Observation, Refusal};
use agw_core::model::*;

pub const PEER: &str =
    "SHA-256 12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD";
pub const OTHER: &str =
    "SHA-256 22:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD";

/// An Add, or with a termination's name a Modify, of stream 1 with these descriptions.
fn command(verb: &str, local: Option<&str>, remote: Option<&str>, more: &str) -> String {
    let part = |name: &str, lines: Option<&str>| lines.map(|lines| format!(",{name}{{\n{lines}\n}}"));
    let (local, remote) = (part("L", local).unwrap_or_default(), part("R", remote).unwrap_or_default());
    format!("{verb}{{M{{ST=1{{O{{MO=SR}}{local}{remote}}}}}{more}}}")
}

pub fn add(local: &str, remote: Option<&str>, more: &str) -> String {
    format!("C=${{{}}}", command("A=ip/1/access/$", Some(local), remote, more))
}

pub fn modify(local: Option<&str>, remote: Option<&str>, more: &str) -> String {
    format!("C=5001{{{}}}", command("MF=ip/1/access/101", local, remote, more))
}

fn signal(signals: &str) -> String {
    format!("C=5001{{MF=ip/1/access/101{{SG{{{signals}}}}}}}")
}

fn local(transport: &str, lines: &str) -> String {
    format!("v=0\nc=IN IP4 $\nm=message $ {transport} *{lines}")
}

fn remote(transport: &str, lines: &str) -> String {
    format!("v=0\nc=IN IP4 203.0.113.7\nm=message 2855 {transport} *{lines}")
}

fn tcp(lab: &Lab) -> TcpSpec {
    lab.model.spec(101, 1).tcp.as_deref().expect("TCP").clone()
}

pub fn tls(lab: &Lab) -> TlsSpec {
    lab.model.spec(101, 1).tls.as_deref().expect("TLS").clone()
}

pub fn ours(lab: &Lab, hash: HashFunction) -> String {
    Fingerprint::of(hash, &certificate(&lab.model.terminations[&101][&1].local)).to_string()
}

pub fn notice(what: Observation) -> Notice {
    Notice { termination: TerminationId(101), stream: StreamId(1), what }
}

fn connection(bearer: Bearer) -> Notice {
    notice(Observation::Connection(bearer))
}

pub fn session(bearer: Bearer) -> Notice {
    notice(Observation::Session(bearer))
}

/// What is told, one Notify after the other, each answered, without white space.
pub fn told(lab: &mut Lab, what: Notice) -> Vec<String> {
    let mut told = Vec::new();
    let mut sent = lab.notice(what);
    while let Some(notify) = sent.pop() {
        assert!(sent.is_empty(), "one at a time");
        let plain: String = notify.split_whitespace().collect();
        let (_, event) = plain.split_once("ObservedEvents=77{").unwrap_or_else(|| panic!("{plain}"));
        told.push(
            event
                .trim_end_matches('}')
                .trim_start_matches(|c: char| c.is_ascii_digit() || "T:".contains(c))
                .to_owned(),
        );
        let id =
            plain.split("Transaction=").nth(1).and_then(|rest| rest.split('{').next()).expect("a request");
        sent = lab.exchange(&format!("!/2 <mgc.test> P={id}{{C=5001{{N=ip/1/access/101}}}}"));
    }
    told
}

#[test]
fn every_transport_over_tcp_is_taken_in_either_case() {
    for (name, tls, application) in [
        ("TCP", false, Application::Opaque),
        ("tcp/tls", true, Application::Opaque),
        ("TCP/MSRP", false, Application::Msrp),
        ("TCP/TLS/MSRP", true, Application::Msrp),
        ("TCP/BFCP", false, Application::Bfcp),
        ("TCP/tls/BFCP", true, Application::Bfcp),
    ] {
        let mut lab = Lab::new();
        let reply = lab.ask(&add(&local(name, ""), None, ""));
        assert!(reply.contains(&format!("m=message 30000 {name} *\n")), "{reply}");
        let spec = lab.model.spec(101, 1);
        assert_eq!(spec.transport, Transport::Tcp { tls, application });
        assert_eq!((spec.rtcp, spec.tls.is_some()), (RtcpPorts::None, tls));
        assert_eq!(tcp(&lab).setup, TcpSetup::Stateless, "TCP-6");
        let (code, text) = lab.error(&modify(None, Some(&remote("RTP/AVP", "")), ""));
        assert_eq!(code, 473, "{text}");
    }
}

#[test]
fn streams_over_tcp_stand_beside_rtp_in_one_context() {
    let mut lab = Lab::new();
    let stream = |id: u16, lines: &str| format!("ST={id}{{O{{MO=SR}},L{{\nv=0\nc=IN IP4 $\n{lines}\n}}}}");
    let streams = [
        stream(1, "m=audio $ RTP/AVP 0"),
        stream(2, "m=message $ TCP/TLS/MSRP *\na=setup:passive\na=fingerprint:SHA-256 $"),
        stream(3, "m=application $ TCP/BFCP *\na=setup:active"),
    ];
    let reply = lab.ask(&format!("C=${{A=ip/1/access/${{M{{{}}}}}}}", streams.join(",")));
    assert_eq!(reply.matches("ST=").count(), 3, "{reply}");
    let transports = |lab: &Lab| [1, 2, 3].map(|id| lab.model.spec(101, id).transport.as_str());
    assert_eq!(transports(&lab), ["RTP/AVP", "TCP/TLS/MSRP", "TCP/BFCP"]);
    // An order that names no stream is for every stream for which it means something.
    lab.ask("C=5001{MF=ip/1/access/101{SG{tlsbsc/EstBNC}}}");
    assert!(lab.model.spec(101, 2).tls.as_ref().is_some_and(|tls| tls.establish));
    assert!(lab.model.spec(101, 3).tls.is_none());
}

#[test]
fn both_sides_setup_attributes_give_the_direction_and_may_not_contradict() {
    let with = |setup: &str| if setup.is_empty() { String::new() } else { format!("\na=setup:{setup}") };
    for (ours, theirs, wanted) in [
        ("passive", "active", TcpSetup::Passive),
        ("ACTIVE", "passive", TcpSetup::Active),
        ("", "active", TcpSetup::Passive),
        ("actpass", "passive", TcpSetup::Active),
        ("actpass", "actpass", TcpSetup::ActPass),
        ("passive", "holdconn", TcpSetup::HoldConn),
    ] {
        let mut lab = Lab::new();
        let (local, remote) = (local("TCP", &with(ours)), remote("TCP", &with(theirs)));
        lab.ask(&add(&local, Some(&remote), ""));
        assert_eq!(tcp(&lab).setup, wanted, "{ours} {theirs}");
    }
    for role in ["active", "passive"] {
        let mut lab = Lab::new();
        let lines = with(role);
        let request = add(&local("TCP", &lines), Some(&remote("TCP", &lines)), "");
        assert_eq!(lab.error(&request), (473, format!("a=setup:{role} in both Local and Remote")));
        assert_eq!(lab.iq.size(), (0, 0));
        // Said later it is refused as well, and what was said before stands.
        let mut lab = Lab::new();
        lab.ask(&add(&local("TCP", &lines), None, ""));
        let before = tcp(&lab);
        assert_eq!(lab.error(&modify(None, Some(&remote("TCP", &lines)), "")).0, 473);
        assert_eq!(tcp(&lab), before);
    }
}

#[test]
fn fingerprints_of_ours_are_told_where_they_were_asked_for() {
    let mut lab = Lab::new();
    let lines = "\na=setup:passive\na=fingerprint:SHA-256 $\na=fingerprint:sha-1 $";
    let reply = lab.ask(&add(&local("TCP/TLS/MSRP", lines), None, ""));
    let (strong, weak) = (ours(&lab, HashFunction::Sha256), ours(&lab, HashFunction::Sha1));
    let told = format!("a=setup:passive\na=fingerprint:{strong}\na=fingerprint:{weak}\n");
    assert!(reply.contains(&told), "{reply}");
    assert_eq!(tls(&lab).own, [HashFunction::Sha256, HashFunction::Sha1]);
    assert!(lab.ask("C=5001{AV=ip/1/access/101{AT{M{ST=1{L}}}}}").contains(&told), "an audit tells them too");

    // Our own value, repeated, changes nothing; another one is not ours to show.
    let again =
        format!("v=0\nc=IN IP4 198.51.100.20\nm=message 30000 TCP/TLS/MSRP *\na=fingerprint:{strong}");
    assert!(lab.ask(&modify(Some(&again), None, "")).contains(&strong));
    let (code, text) = lab.error(&modify(Some(&again.replace(&strong, OTHER)), None, ""));
    assert_eq!((code, text), (449, format!("a=fingerprint:{OTHER} in Local is not ours")));
    assert_eq!(tls(&lab).own, [HashFunction::Sha256, HashFunction::Sha1]);
}

#[test]
fn a_fingerprint_is_sha_256_unless_asked_otherwise_and_may_be_asked_for_the_whole_session() {
    let mut lab = Lab::new();
    let local = "v=0\nc=IN IP4 $\na=fingerprint:$\nm=application $ TCP/TLS/BFCP *\na=setup:passive";
    let reply = lab.ask(&add(local, None, ""));
    assert!(reply.contains(&format!("a=fingerprint:{}\nm=", ours(&lab, HashFunction::Sha256))), "{reply}");
}

#[test]
fn the_peers_fingerprints_reach_its_stream_and_may_come_late() {
    let mut lab = Lab::new();
    lab.ask(&add(&local("TCP/TLS", "\na=setup:passive\na=fingerprint:SHA-256 $"), None, ""));
    assert!(tls(&lab).peer.is_empty());
    let twice =
        format!("\na=setup:active\na=fingerprint:{PEER}\na=fingerprint:{OTHER}\na=fingerprint:MD5 AA:BB");
    lab.ask(&modify(None, Some(&remote("TCP/TLS", &twice)), ""));
    let parsed = [PEER, OTHER].map(|text| Fingerprint::parse(text).expect("a fingerprint"));
    assert_eq!((tls(&lab).peer, tls(&lab).peer_unknown), (parsed.to_vec(), false), "IQ-2");
    // Of the session, where the media description has none.
    let session = remote("TCP/TLS", "").replace("\nm=", &format!("\na=fingerprint:{PEER}\nm="));
    lab.ask(&modify(None, Some(&session), ""));
    assert_eq!(tls(&lab).peer, parsed[..1]);
    lab.ask(&modify(None, Some(&remote("TCP/TLS", "\na=fingerprint:MD5 AA:BB")), ""));
    assert_eq!((tls(&lab).peer, tls(&lab).peer_unknown), (Vec::new(), true), "nobody can be proven");
}

#[test]
fn while_a_session_is_up_the_peers_fingerprints_stay() {
    let mut lab = Lab::new();
    let described =
        |fingerprint: &str| remote("TCP/TLS", &format!("\na=setup:active\na=fingerprint:{fingerprint}"));
    lab.ask(&add(&local("TCP/TLS", "\na=fingerprint:SHA-256 $"), Some(&described(PEER)), ""));
    lab.notice(connection(Bearer::Established));
    lab.notice(session(Bearer::Established));
    lab.ask(&modify(None, Some(&described(PEER)), ""));
    for changed in [described(OTHER), remote("TCP/TLS", "")] {
        let (code, text) = lab.error(&modify(None, Some(&changed), ""));
        assert_eq!(
            (code, text.as_str()),
            (473, "a=fingerprint of Remote was changed while the session is up")
        );
    }
    // Remote that goes takes nothing of what was proven.
    lab.ask("C=5001{MF=ip/1/access/101{M{ST=1{R{}}}}}");
    assert_eq!(tls(&lab).peer.len(), 1);
    lab.notice(connection(Bearer::Released));
    lab.ask(&modify(None, Some(&described(OTHER)), ""));
    assert_eq!(tls(&lab).peer, [Fingerprint::parse(OTHER).expect("a fingerprint")]);
}

#[test]
fn paths_of_msrp_go_in_and_come_out_where_the_transport_knows_them() {
    let mut lab = Lab::new();
    let peer = "msrps://ue.example.net:2855/jshA7weztas;tcp";
    let (ask, path) = ("\na=path:$", format!("\na=path:{peer}"));
    let reply = lab.ask(&add(&local("TCP/TLS/MSRP", ask), Some(&remote("TCP/TLS/MSRP", &path)), ""));
    let own = "msrps://198.51.100.20:30000/s30000;tcp";
    assert!(reply.contains(&format!("a=path:{own}\n")), "{reply}");
    assert_eq!(tcp(&lab).msrp, MsrpPaths { own: true, peer: Some(peer.into()) }, "TLS-10");
    // Repeated, ours is known again; a foreign one is refused.
    let again = |path: &str| local("TCP/TLS/MSRP", &format!("\na=path:{path}"));
    lab.ask(&modify(Some(&again(own)), None, ""));
    assert!(tcp(&lab).msrp.own);
    assert_eq!(
        lab.error(&modify(Some(&again(peer)), None, "")),
        (449, format!("a=path:{peer} in Local is not ours"))
    );
    // Without knowledge of the application there is no path to give, and the peer's is nobody's business.
    let mut lab = Lab::new();
    let (code, text) = lab.error(&add(&local("TCP/TLS", ask), None, ""));
    assert_eq!((code, text.as_str()), (449, "cannot choose a value for a=path:$"));
    lab.ask(&add(&local("TCP/TLS", ""), Some(&remote("TCP/TLS", &path)), ""));
    assert_eq!(tcp(&lab).msrp, MsrpPaths::default());
}

#[test]
fn a_pre_shared_key_passes_through_and_is_shown_to_nobody() {
    let mut config = config();
    config.trace = true;
    let mut lab = Lab::with(config);
    let key = "\na=crypto:1 TLS_PSK inline:c2VjcmV0IGtleQ==|alice";
    let reply = lab.ask(&add(&local("TCP/TLS", ""), Some(&remote("TCP/TLS", key)), ""));
    assert!(!reply.contains("inline"), "{reply}");
    assert_eq!(tls(&lab).psk, PreSharedKey::new("alice", b"secret key"), "TLS-11");
    lab.ask(&modify(None, Some(&remote("TCP/TLS", key)), ""));
    let other = key.replace("c2Vj", "QUJD");
    assert_eq!(lab.error(&modify(None, Some(&remote("TCP/TLS", &other)), "")).0, 473);
    assert_eq!(
        lab.error(&modify(None, Some(&remote("TCP/TLS", "")), "")),
        (473, "a=crypto of Remote was taken away".to_owned())
    );
    assert!(!lab.ask("C=5001{AV=ip/1/access/101{AT{M}}}").contains("crypto"));
    let mut seen = format!("{:?}", lab.iq);
    while let Some(entry) = lab.iq.poll_trace() {
        seen.push_str(&entry.text);
    }
    assert!(seen.contains("TLS_PSK inline:***|alice") && !seen.contains("c2VjcmV0"));
}

#[test]
fn keys_on_both_sides_make_one_and_come_together() {
    let mut lab = Lab::new();
    let key = |key: &str, identity: &str| format!("\na=crypto:1 TLS_PSK inline:{key}|{identity}");
    let (ours, theirs) =
        (local("TCP/TLS", &key("b3Vycw==", "gw")), remote("TCP/TLS", &key("dGhlaXJz", "alice")));
    let reply = lab.ask(&add(&ours, Some(&theirs), ""));
    assert!(reply.contains("inline:b3Vycw==|gw"), "to whoever gave it: {reply}");
    let of = |identity: &str, key: &[u8]| PreSharedKey::new(identity, key).expect("a key");
    assert_eq!(tls(&lab).psk, Some(of("alice", b"theirs").mixed(&of("gw", b"ours"))));
    lab.ask(&modify(Some(&ours), Some(&theirs), ""));
    let (code, text) = lab.error(&modify(None, Some(&theirs), ""));
    assert!(code == 472 && text.contains("both are needed"), "{code} {text}");
}

#[test]
fn an_order_to_connect_acts_once_and_is_refused_where_it_cannot_be_obeyed() {
    let mut lab = Lab::new();
    let (ours, theirs) =
        (local("TCP/TLS/MSRP", "\na=setup:active"), remote("TCP/TLS/MSRP", "\na=setup:passive"));
    lab.ask(&add(&ours, Some(&theirs), ",SG{tcpbcc/EstBNC{ST=1},tlsbsc/EstBNC{ST=1}}"));
    assert!(tcp(&lab).establish && tls(&lab).establish, "TCP-2, TLS-5");
    lab.ask("C=5001{MF=ip/1/access/101{M{ST=1{O{MO=RC}}}}}");
    assert!(!tcp(&lab).establish && !tls(&lab).establish, "an action is not kept");

    for (transport, ours, theirs, order, code, text) in [
        ("TCP", "\na=setup:passive", "", "tcpbcc/EstBNC", 473, "tcpbcc/EstBNC and a=setup has us wait"),
        ("TCP", "", "\na=setup:active", "tcpbcc/EstBNC", 473, "tcpbcc/EstBNC and a=setup has us wait"),
        ("TCP", "\na=setup:holdconn", "", "tcpbcc/EstBNC", 473, "tcpbcc/EstBNC and a=setup:holdconn"),
        ("TCP", "", "", "tcpbcc/EstBNC", 472, "tcpbcc/EstBNC without a=setup"),
        ("TCP", "\na=setup:active", "", "tlsbsc/EstBNC", 513, "tlsbsc/EstBNC: no stream for it"),
        ("TCP", "\na=setup:active", "", "tlsbsc/EstBNC{ST=1}", 513, "tlsbsc/EstBNC with TCP"),
        ("RTP/AVP", "", "", "tcpbcc/EstBNC{ST=1}", 513, "tcpbcc/EstBNC with RTP/AVP"),
    ] {
        let mut lab = Lab::new();
        lab.ask(&add(&local(transport, ours), Some(&remote(transport, theirs)), ""));
        assert_eq!(lab.error(&signal(order)), (code, text.to_owned()), "{transport} {ours} {order}");
    }
    let mut lab = Lab::new();
    lab.ask(&add(&local("TCP", "\na=setup:active"), None, ""));
    assert_eq!(
        lab.error(&signal("tcpbcc/EstBNC")),
        (472, "tcpbcc/EstBNC without an address in Remote".to_owned())
    );
    // The TLS role is not that of TCP: BFCP's server of TCP may be TLS's client (TLS-4).
    let mut lab = Lab::new();
    lab.ask(&add(&local("TCP/TLS/BFCP", "\na=setup:passive"), None, ",SG{tlsbsc/EstBNC}"));
    assert!(tls(&lab).establish);
}

#[test]
fn what_becomes_of_a_connection_is_told_once_in_order_and_with_its_reason() {
    let mut lab = Lab::new();
    let events = ",E=77{tcpbcc/BNCChange,tlsbsc/BNCChange,g/cause}";
    lab.ask(&add(&local("TCP/TLS", "\na=setup:passive"), None, events));
    let mismatch = Bearer::Failed(BearerFailure::Tls(TlsFailure::FingerprintMismatch));
    assert_eq!(told(&mut lab, connection(Bearer::Established)), ["tcpbcc/BNCChange{Stream=1,Type=Est"]);
    assert_eq!(
        told(&mut lab, session(mismatch)),
        [
            "tlsbsc/BNCChange{Stream=1,Type=Fail,Failurecause=\"thepeer'scertificatehasnoneofthesignalledfingerprints\""
        ],
        "TLS-3: one event, and g/cause does not repeat it"
    );
    assert_eq!(told(&mut lab, connection(Bearer::Released)), ["tcpbcc/BNCChange{Stream=1,Type=Rel"]);
    let reset = Bearer::Failed(BearerFailure::Reset);
    assert_eq!(
        told(&mut lab, connection(reset)),
        ["tcpbcc/BNCChange{Stream=1,Type=Fail,Failurecause=\"thepeerresettheconnection\""],
        "TCP-5"
    );
}

#[test]
fn who_asked_for_causes_alone_hears_of_ends_and_of_each_once() {
    let mut lab = Lab::new();
    lab.ask(&add(&local("TCP/TLS", "\na=setup:passive"), None, ",E=77{g/cause}"));
    let missing = Bearer::Failed(BearerFailure::Tls(TlsFailure::FingerprintMissing));
    assert!(told(&mut lab, connection(Bearer::Established)).is_empty());
    assert_eq!(
        told(&mut lab, session(missing)),
        ["g/cause{Stream=1,Generalcause=FP,Failurecause=\"nofingerprintofthepeerwassignalledintime\""]
    );
    assert!(told(&mut lab, connection(Bearer::Released)).is_empty(), "it went with the session");
    told(&mut lab, connection(Bearer::Established));
    assert!(told(&mut lab, session(Bearer::Established)).is_empty());
    assert!(told(&mut lab, session(Bearer::Released)).is_empty());
    assert_eq!(
        told(&mut lab, connection(Bearer::Released)),
        ["g/cause{Stream=1,Generalcause=NR,Failurecause=\"theconnectionwasreleased\""]
    );
    assert_eq!(
        told(&mut lab, connection(Bearer::Failed(BearerFailure::Refused))),
        ["g/cause{Stream=1,Generalcause=FT,Failurecause=\"thepeerrefusedtheconnection\""]
    );
}

#[test]
fn orders_end_when_what_they_ordered_is_up_or_will_not_be() {
    let mut lab = Lab::new();
    let (ours, theirs) = (local("TCP/TLS", "\na=setup:active"), remote("TCP/TLS", "\na=setup:passive"));
    let orders = ",E=77{g/sc},SG{tcpbcc/EstBNC{ST=1,NC={TO,OR}},tlsbsc/EstBNC{ST=1,NC={TO,OR}}}";
    lab.ask(&add(&ours, Some(&theirs), orders));
    let sc = |package: &str, how: &str| format!("g/sc{{Stream=1,SigID=\"{package}/EstBNC\",Meth={how}");
    assert_eq!(told(&mut lab, connection(Bearer::Established)), [sc("tcpbcc", "TO")]);
    let alert = Bearer::Failed(BearerFailure::Tls(TlsFailure::Alert(40)));
    assert_eq!(told(&mut lab, session(alert)), [sc("tlsbsc", "NC")]);
    assert!(told(&mut lab, session(alert)).is_empty(), "once");

    // Ordered anew; without a connection there will be no session.
    told(&mut lab, connection(Bearer::Released));
    lab.ask(&signal("tcpbcc/EstBNC{ST=1},tlsbsc/EstBNC{ST=1}"));
    assert!(tcp(&lab).establish && tls(&lab).establish);
    let refused = connection(Bearer::Failed(BearerFailure::Refused));
    assert_eq!(told(&mut lab, refused), [sc("tcpbcc", "NC"), sc("tlsbsc", "NC")]);
}

#[test]
fn an_order_for_what_is_up_is_done_at_once_and_moves_nothing() {
    let mut lab = Lab::new();
    let (ours, theirs) = (local("TCP", "\na=setup:active"), remote("TCP", "\na=setup:passive"));
    lab.ask(&add(&ours, Some(&theirs), ",E=77{g/sc},SG{tcpbcc/EstBNC}"));
    lab.notice(connection(Bearer::Established));
    let sent = lab.exchange("!/2 <mgc.test> T=900{C=5001{MF=ip/1/access/101{SG{tcpbcc/EstBNC{NC={TO}}}}}}");
    assert!(
        sent.iter().any(|text| text.split_whitespace().collect::<String>().contains("Meth=TO")),
        "{sent:?}"
    );
    assert!(!tcp(&lab).establish);
}

#[test]
fn an_event_may_carry_the_order_that_follows_from_it() {
    let mut lab = Lab::new();
    let (ours, theirs) = (local("TCP/TLS", "\na=setup:active"), remote("TCP/TLS", "\na=setup:passive"));
    let events = ",E=77{tcpbcc/BNCChange{EM{SG{tlsbsc/EstBNC{ST=1}}}},g/sc}";
    lab.ask(&add(&ours, Some(&theirs), &format!("{events},SG{{tcpbcc/EstBNC}}")));
    assert!(!tls(&lab).establish);
    lab.notice(connection(Bearer::Established));
    assert!(tls(&lab).establish);
    // What cannot be done any more is told by name.
    let mut lab = Lab::new();
    lab.ask(&add(&ours, Some(&theirs), events));
    lab.model.refuse.push_back(Refusal::OutOfResources("descriptors"));
    let told = told(&mut lab, connection(Bearer::Established));
    assert_eq!(told[1], "g/sc{Stream=1,SigID=\"tlsbsc/EstBNC\",Meth=NC", "{told:?}");
}

#[test]
fn a_running_connection_is_not_replaced_and_repeating_what_was_said_is_harmless() {
    let mut lab = Lab::new();
    let (ours, theirs) = (
        local("TCP", "\na=setup:passive\na=connection:new"),
        remote("TCP", "\na=setup:active\na=connection:new"),
    );
    let existing = remote("TCP", "\na=setup:active\na=connection:existing");
    let (code, text) = lab.error(&add(&ours, Some(&existing), ""));
    assert_eq!((code, text.as_str()), (449, "a=connection:existing: the stream has no connection yet"));
    lab.ask(&add(&ours, Some(&theirs), ""));
    lab.notice(connection(Bearer::Established));
    lab.ask(&modify(None, Some(&theirs), ""));
    lab.ask(&modify(None, Some(&existing), ""));
    let (code, text) = lab.error(&modify(None, Some(&theirs), ""));
    assert!(code == 501 && text.contains("subtract the stream"), "{code} {text}");
    lab.notice(connection(Bearer::Released));
    lab.ask(&modify(None, Some(&theirs), ""));
    let elsewhere = theirs.replace("203.0.113.7", "203.0.113.8");
    lab.notice(connection(Bearer::Established));
    assert_eq!(
        lab.error(&modify(None, Some(&elsewhere), "")).0,
        501,
        "another address is another connection"
    );
}

#[test]
fn a_trigger_and_the_check_of_framing_are_properties_where_they_mean_something() {
    let mut lab = Lab::new();
    lab.ask(&add(&local("TCP/TLS/BFCP", "\na=setup:passive"), None, ""));
    assert_eq!((tcp(&lab).trigger, tcp(&lab).check_framing), (None, false));
    for (value, wanted) in [("tcp", Some(Trigger::Tcp)), ("tls", Some(Trigger::Tls)), ("none", None)] {
        lab.ask(&format!("C=5001{{MF=ip/1/access/101{{M{{ST=1{{O{{seplink/trigger={value}}}}}}}}}}}"));
        assert_eq!(tcp(&lab).trigger, wanted, "TCP-3");
    }
    lab.ask("C=5001{MF=ip/1/access/101{M{ST=1{O{tcpbcc/framing=ON}}}}}");
    assert!(tcp(&lab).check_framing);
    for (transport, property, code, text) in [
        ("TCP", "seplink/trigger=tls", 473, "seplink/trigger = tls with TCP"),
        ("RTP/AVP", "seplink/trigger=tcp", 473, "seplink/trigger with RTP/AVP"),
        ("TCP/MSRP", "tcpbcc/framing=ON", 473, "tcpbcc/framing with TCP/MSRP"),
        ("UDP", "tcpbcc/framing=ON", 473, "tcpbcc/framing with UDP"),
        ("TCP", "seplink/trigger=udp", 449, "seplink/trigger = udp"),
        ("TCP/MSRP", "msrpcs/status=Up", 534, "msrpcs/status"),
    ] {
        let mut lab = Lab::new();
        lab.ask(&add(&local(transport, ""), None, ""));
        let request = format!("C=5001{{MF=ip/1/access/101{{M{{ST=1{{O{{{property}}}}}}}}}}}");
        assert_eq!(lab.error(&request), (code, text.to_owned()), "{transport} {property}");
    }
}

#[test]
fn audits_tell_what_a_connection_is_in_and_what_can_be_asked_for() {
    let mut lab = Lab::new();
    lab.ask(&add(&local("TCP/TLS/MSRP", "\na=setup:passive"), None, ""));
    let status = |lab: &mut Lab| {
        let reply = lab.ask("C=5001{AV=ip/1/access/101{AT{M{ST=1{O{msrpcs/status}}}}}}");
        reply
            .split("msrpcs/status=")
            .nth(1)
            .and_then(|rest| rest.split('}').next())
            .expect("a status")
            .to_owned()
    };
    for (what, wanted) in [
        (connection(Bearer::Established), "Up"),
        (session(Bearer::Established), "Secured"),
        (connection(Bearer::Released), "Ended"),
    ] {
        lab.notice(what);
        assert_eq!(status(&mut lab), wanted);
    }
    assert!(lab.ask("C=5001{AV=ip/1/access/101{AT{M}}}").contains("msrpcs/status=Ended"));
    let capability = lab.ask("C=5001{AC=ip/1/access/101{AT{M,E,SG,SA}}}");
    for part in [
        "seplink/trigger={none,tcp,tls}",
        "tcpbcc/framing",
        "tcpbcc/BNCChange",
        "tlsbsc/BNCChange",
        "tcpbcc/EstBNC",
        "tlsbsc/EstBNC",
        "msrpstat/ms",
    ] {
        assert!(capability.contains(part), "{part}: {capability}");
    }
    assert!(!capability.contains("sctpbcc") && !capability.contains("msrpcs"), "{capability}");
    let packages = lab.ask("C=-{AV=ROOT{AT{PG}}}");
    for package in ["tcpbcc-1", "tlsbsc-1", "seplink-1", "msrpstat-1", "msrpcs-1"] {
        assert!(packages.contains(package), "{package}: {packages}");
    }
}

#[test]
fn messages_of_msrp_are_counted_where_there_is_msrp() {
    let mut lab = Lab::new();
    lab.model.messages = [7, 9];
    lab.ask(&add(&local("TCP/MSRP", ""), None, ""));
    lab.ask(&format!(
        "C=5001{{{}}}",
        command("A=ip/1/core/$", Some("v=0\nc=IN IP6 $\nm=message $ TCP *"), None, "")
    ));
    let reply = lab.ask("C=5001{S=*}");
    assert_eq!(reply.matches("msrpstat/ms=7,msrpstat/mr=9").count(), 1, "{reply}");
}

#[test]
fn what_is_no_value_of_its_line_is_refused_with_it() {
    let nine = (0..9).map(|_| format!("\na=fingerprint:{PEER}")).collect::<String>();
    let long = format!("\na=path:msrp://a/{};tcp", "x".repeat(MAX_MSRP_PATH_BYTES));
    for (lines, text) in [
        ("\na=setup:later", "a=setup:later"),
        ("\na=setup:active\na=setup:passive", "second a=setup line"),
        ("\na=connection:old", "a=connection:old"),
        ("\na=fingerprint:SHA-256 12:DF", "a=fingerprint:SHA-256 12:DF"),
        ("\na=fingerprint:SHA-256", "a=fingerprint:SHA-256"),
        ("\na=fingerprint:MD5 $", "a=fingerprint:MD5 $"),
        ("\na=fingerprint:SHA-1 $\na=fingerprint:sha-1 $", "a=fingerprint:SHA-1 $ comes twice"),
        (&nine, "more than 8 a=fingerprint lines"),
        ("\na=path:http://a/b", "a=path:http://a/b"),
        (&long, "longer than 512 octets"),
        ("\na=crypto:1 TLS_PSK inline:c2VjcmV0", "a=crypto:1 TLS_PSK"),
        (
            "\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0|x",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 with TCP/TLS/MSRP",
        ),
        ("\na=crypto:1 TLS_PSK inline:YQ==|x\na=crypto:2 TLS_PSK inline:YQ==|x", "second a=crypto"),
        ("\na=ice-ufrag:$", "a=ice-ufrag:$"),
    ] {
        let mut lab = Lab::new();
        let (code, told) = lab.error(&add(&local("TCP/TLS/MSRP", lines), None, ""));
        assert!(code == 449 && told.contains(text), "{lines}: {code} {told}");
        assert!(!told.contains("c2Vj"), "{told}");
        assert_eq!(lab.iq.size(), (0, 0));
    }
    let mut lab = Lab::new();
    let (code, told) = lab.error(&add(&local("TCP", "\na=crypto:1 TLS_PSK inline:YQ==|x"), None, ""));
    assert!(code == 449 && told.contains("with TCP"), "{told}");
    let (code, told) =
        lab.error(&add(&local("TCP/TLS", ""), Some(&remote("TCP/TLS", "\na=fingerprint:SHA-256 $")), ""));
    assert!(code == 449 && told.contains("in Remote"), "{told}");
}

#[test]
fn who_connects_is_not_held_to_the_port_of_remote() {
    for (setup, wanted) in [("passive", SourceRule::Any), ("active", SourceRule::Peer)] {
        let mut lab = Lab::new();
        let lines = format!("\na=setup:{setup}");
        lab.ask(&add(&local("TCP", &lines), None, ""));
        lab.ask("C=5001{MF=ip/1/access/101{M{ST=1{O{gm/saf=ON,gm/spf=ON}}}}}");
        let filter = &lab.model.spec(101, 1).filter;
        assert_eq!((&filter.addresses, &filter.ports), (&SourceRule::Peer, &wanted), "{setup}");
    }
}
