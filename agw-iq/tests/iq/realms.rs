//! Realms that go out of service and come back: what the controller is told, and what it may still do (TS 23.334 clause 6.1.15).

use crate::association::{controlled, register};
use crate::lab::*;
use agw_core::model::RealmName;
use agw_iq::Outage;
use agw_iq::package::realm::Realms;
use agw_iq::transport::Peer;
use std::net::SocketAddr;
use std::time::Duration;

const FIRST: &str = "192.0.2.10:2944";

fn first() -> SocketAddr {
    FIRST.parse().unwrap()
}

fn realm(name: &str) -> RealmName {
    RealmName::new(name).unwrap()
}

fn registered() -> Lab {
    let mut lab = Lab::with(controlled(&[FIRST]));
    register(&mut lab, first());
    lab
}

/// Everything that was sent, in its short form behind the message header, and the transaction of the last.
fn said(lab: &mut Lab) -> (Vec<String>, String) {
    let sent = lab.sent();
    bodies(&sent)
}

fn bodies(sent: &[(Peer, String)]) -> (Vec<String>, String) {
    let sent: Vec<_> = sent.iter().map(|(_, text)| text).collect();
    let id = sent.last().map(|text| text.split("T=").nth(1).unwrap().split('{').next().unwrap().to_owned());
    let body = |text: &&String| text.split_once('{').unwrap().1.strip_suffix('}').unwrap().to_owned();
    (sent.iter().map(body).collect(), id.unwrap_or_default())
}

fn accept(lab: &mut Lab, id: &str, interface: &str) {
    lab.iq.handle_datagram(
        lab.now,
        agw_iq::transport::SocketId(0),
        first(),
        format!("!/2 <mgc.test> P={id}{{C=*{{SC=ip/*/{interface}/*}}}}").as_bytes(),
        &mut lab.model,
    );
}

const OUT: &str = "C=*{SC=ip/*/core/*{SV{MT=FO,RE=\"906 Loss of lower layer connectivity\"}}}";
const TAKEN_OUT: &str = "C=*{SC=ip/*/core/*{SV{MT=FO,RE=\"905 Termination taken out of service\"}}}";
const BACK: &str = "C=*{SC=ip/*/core/*{SV{MT=RS,RE=\"900 Service restored\"}}}";

#[test]
fn a_lost_interface_is_announced_once_with_a_wildcard_and_so_is_its_return() {
    let mut lab = registered();
    assert!(lab.iq.set_realm(lab.now, &realm("core"), Some(Outage::LinkLost)));
    assert!(!lab.iq.set_realm(lab.now, &realm("core"), Some(Outage::LinkLost)), "no news");
    let (sent, id) = said(&mut lab);
    assert_eq!(sent, [OUT]);
    accept(&mut lab, &id, "core");
    assert!(lab.iq.set_realm(lab.now, &realm("core"), None));
    let (sent, id) = said(&mut lab);
    assert_eq!(sent, [BACK]);
    accept(&mut lab, &id, "core");
    assert!(lab.pass(Duration::from_secs(600)).is_empty());
    assert!(!lab.iq.set_realm(lab.now, &realm("nowhere"), Some(Outage::TakenOut)));
}

#[test]
fn what_changes_while_an_announcement_is_unanswered_is_told_after_it() {
    let mut lab = registered();
    lab.iq.set_realm(lab.now, &realm("core"), Some(Outage::LinkLost));
    let (_, id) = said(&mut lab);
    lab.iq.set_realm(lab.now, &realm("core"), None);
    lab.iq.set_realm(lab.now, &realm("core"), Some(Outage::TakenOut));
    assert!(said(&mut lab).0.is_empty(), "one at a time: datagrams overtake one another");
    accept(&mut lab, &id, "core");
    assert_eq!(said(&mut lab).0, [TAKEN_OUT], "only how it ended");
}

#[test]
fn nothing_new_begins_in_a_realm_that_is_out_and_what_is_there_stays() {
    let mut config = config();
    config.realms = Realms::new(["access", "core"].map(realm).into()).with_default(Some(realm("access")));
    let mut lab = Lab::with(config);
    let (context, access, core) = lab.call();
    lab.iq.set_realm(lab.now, &realm("access"), Some(Outage::TakenOut));
    assert!(lab.sent().is_empty(), "a laboratory has nobody to tell");
    let refused = (502, "access is out of service".to_owned());
    assert_eq!(lab.error(&format!("C=${{{ACCESS}}}")), refused);
    assert_eq!(
        lab.error("C=${A=${M{ST=1{L{\nv=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\n}}}}}"),
        refused,
        "the default"
    );
    let second =
        format!("C={context}{{MF={access}{{M{{ST=2{{L{{\nv=0\nc=IN IP4 $\nm=video $ RTP/AVP 96\n}}}}}}}}}}");
    assert_eq!(lab.error(&second), refused);
    let state =
        |lab: &mut Lab, name: &str| lab.ask(&format!("C={context}{{AV={name}{{AT{{M{{TS{{SI}}}}}}}}}}"));
    assert!(state(&mut lab, &access).contains("SI=OS"));
    assert!(state(&mut lab, &core).contains("SI=IV"));
    assert_eq!(
        lab.ask(&format!("C={context}{{MF={access}{{M{{O{{MO=RC}}}}}}}}")),
        format!("C={context}{{MF={access}}}")
    );
    assert_eq!(lab.iq.size(), (1, 2));
    lab.iq.set_realm(lab.now, &realm("access"), None);
    assert!(state(&mut lab, &access).contains("SI=IV"));
    lab.call();
}

#[test]
fn a_new_association_hears_which_realms_are_out_and_which_came_back_meanwhile() {
    let mut lab = Lab::with(controlled(&[FIRST]));
    lab.iq.set_realm(lab.now, &realm("core"), Some(Outage::LinkLost));
    assert!(lab.sent().is_empty());
    let sent = register(&mut lab, first());
    assert_eq!(bodies(&sent).0, [OUT], "with the registration");
    // It is never answered: the controller is lost, and found again.
    while lab.iq.is_ready() {
        lab.pass(Duration::from_secs(1));
    }
    lab.iq.set_realm(lab.now, &realm("core"), None);
    lab.iq.set_realm(lab.now, &realm("access"), Some(Outage::TakenOut));
    let sent = register(&mut lab, first());
    assert_eq!(bodies(&sent).0, [TAKEN_OUT.replace("core", "access").as_str(), BACK]);
}
