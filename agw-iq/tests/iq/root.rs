//! What ROOT is asked to tell: a controller that is not heard (H.248.14).

use crate::association::{controlled, register};
use crate::lab::*;
use agw_core::model::RealmName;
use agw_iq::Outage;
use std::net::SocketAddr;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const FIRST: &str = "192.0.2.10:2944";

fn first() -> SocketAddr {
    FIRST.parse().unwrap()
}

/// A registered gateway whose controller wants to hear of ten seconds of silence.
fn watched() -> Lab {
    let mut lab = Lab::with(controlled(&[FIRST, "192.0.2.11:2944"]));
    register(&mut lab, first());
    let set = lab.exchange_from(first(), "!/2 <mgc.test> T=1{C=-{MF=ROOT{E=4{it/ito{mit=1000}}}}}");
    assert_eq!(set[0].1, "!/2 [192.0.2.20]:2944 P=1{C=-{MF=ROOT}}");
    lab
}

fn audit(lab: &mut Lab, id: u32) {
    let asked = format!("!/2 <mgc.test> T={id}{{C=-{{AV=ROOT{{AT{{}}}}}}}}");
    assert!(lab.exchange_from(first(), &asked)[0].1.contains("AV=ROOT"));
}

fn answer(lab: &mut Lab, notify: &str) {
    let id = notify.split("T=").nth(1).and_then(|rest| rest.split('{').next()).expect("a request");
    lab.exchange_from(first(), &format!("!/2 <mgc.test> P={id}{{C=-{{N=ROOT}}}}"));
}

#[test]
fn a_silent_controller_is_asked_for_a_sign_of_life_and_any_message_is_one() {
    let mut lab = watched();
    assert!(lab.pass(9 * SECOND).is_empty());
    // The empty audit is the controller's own heartbeat (TS 29.334 clause 5.12).
    audit(&mut lab, 2);
    assert!(lab.pass(9 * SECOND).is_empty());
    let sent = lab.pass(2 * SECOND);
    assert!(sent[0].1.ends_with("{C=-{N=ROOT{OE=4{it/ito}}}}"), "{sent:?}");
    answer(&mut lab, &sent[0].1);
    assert!(lab.pass(8 * SECOND).is_empty(), "the answer was a sign of life too");
    assert!(lab.pass(3 * SECOND)[0].1.contains("it/ito"), "and silence is told again");
}

#[test]
fn a_controller_that_does_not_answer_inactivity_is_lost_and_the_next_one_hears_nothing_of_it() {
    let mut lab = watched();
    let mut sent = Vec::new();
    while lab.iq.counters().associations_lost == 0 {
        sent.extend(lab.pass(SECOND));
        assert!(sent.len() < 100, "{sent:?}");
    }
    let notify = sent[0].1.clone();
    assert!(sent.iter().all(|(_, text)| *text == notify || text.contains("SC=ROOT")), "one Notify: {sent:?}");
    let back = sent.iter().find(|(_, text)| text.contains("MT=DC")).expect("the same one is asked first");
    assert_eq!(back.0.address, first());
    let id = back.1.split("T=").nth(1).and_then(|rest| rest.split('{').next()).expect("a request");
    let after = lab.exchange_from(first(), &format!("!/2 <mgc.test> P={id}{{C=-{{SC=ROOT}}}}"));
    assert!(lab.iq.is_ready() && after.is_empty(), "{after:?}");
}

#[test]
fn a_controller_that_stops_auditing_is_not_lost_by_that() {
    let mut lab = Lab::with(controlled(&[FIRST]));
    register(&mut lab, first());
    audit(&mut lab, 2);
    assert!(lab.pass(86_400 * SECOND).is_empty());
    assert!(lab.iq.is_ready());
}

#[test]
fn events_of_root_are_audited_replaced_and_ended_like_any_other() {
    let mut lab = Lab::new();
    assert_eq!(lab.ask("C=-{AV=ROOT{AT{E}}}"), "C=-{AV=ROOT{E}}");
    lab.ask("C=*{MF=ROOT{E=4{it/ito{mit=1000}}}}");
    assert_eq!(lab.ask("C=-{AV=ROOT{AT{E}}}"), "C=-{AV=ROOT{E=4{it/ito{mit=1000}}}}");
    assert_eq!(lab.ask("C=-{AV=ROOT{AT{E=4{it/ito}}}}"), "C=-{AV=ROOT{E=4{it/ito{mit=1000}}}}");
    let told: String = lab.pass(10 * SECOND)[0].1.split_whitespace().collect();
    assert!(told.contains("Context=*{Notify=ROOT{ObservedEvents=4{"), "where it was set: {told}");
    lab.ask("C=-{MF=ROOT{E}}");
    assert!(
        lab.pass(25 * SECOND).iter().all(|(_, text)| text.contains("it/ito")),
        "only what was said before"
    );
    assert_eq!(lab.ask("C=-{AV=ROOT{AT{E}}}"), "C=-{AV=ROOT{E}}");
}

#[test]
fn events_are_refused_where_they_do_not_belong() {
    let mut lab = Lab::new();
    assert_eq!(lab.error("C=-{MF=ROOT{E=4{g/cause}}}"), (512, "g/cause on ROOT".to_owned()));
    assert_eq!(lab.error("C=-{MF=ROOT{E=4{it/ito}}}").0, 457);
    assert_eq!(lab.error("C=-{MF=ROOT{E=4{it/ito{mit=0}}}}").0, 454);
    assert_eq!(lab.error("C=-{MF=ROOT{E=4{it/nosuch}}}").0, 451);
    let (context, access, _) = lab.call();
    let refused = lab.error(&format!("C={context}{{MF={access}{{E=4{{it/ito{{mit=100}}}}}}}}"));
    assert_eq!(refused, (512, "it/ito is an event of ROOT".to_owned()));
}

#[test]
fn realms_that_come_and_go_are_told_and_audited() {
    let mut lab = Lab::new();
    let audit = |lab: &mut Lab| lab.ask("C=-{AV=ROOT{AT{M{TS{ipra/ar}}}}}");
    assert!(audit(&mut lab).contains("ipra/ar=[\"access\",\"core\",\"access1\",\"core1\"]"));
    lab.ask("C=-{MF=ROOT{E=5{ipra/arc}}}");
    let realm = RealmName::new("core").expect("a name");
    assert!(lab.iq.set_realm(lab.now, &realm, Some(Outage::LinkLost)));
    let sent = lab.sent().remove(0).1.split_whitespace().collect::<String>();
    assert!(sent.contains("ObservedEvents=5{ipra/arc{nur=[\"core\"]}}"), "{sent}");
    assert!(audit(&mut lab).contains("ipra/ar=[\"access\",\"access1\",\"core1\"]"));
    // Another reason is no other availability.
    lab.iq.set_realm(lab.now, &realm, Some(Outage::TakenOut));
    assert!(lab.sent().is_empty());
    // All realms that there are, usable or not.
    let all = lab.ask("C=-{AC=ROOT{AT{M{O{ipdc/realm}}}}}");
    assert!(all.contains("ipdc/realm={\"access\",\"core\",\"access1\",\"core1\"}"), "{all}");
    lab.iq.set_realm(lab.now, &realm, None);
    assert!(lab.sent().is_empty(), "the first Notify is not answered yet");
    assert!(audit(&mut lab).contains("ipra/ar=[\"access\",\"core\","), "but it is back");
    assert_eq!(lab.error("C=-{MF=ROOT{M{TS{ipra/ar=x}}}}").0, 534, "only read");
}

#[test]
fn a_controller_keeps_its_own_data_with_us() {
    let mut lab = Lab::new();
    let (context, access, _) = lab.call();
    lab.ask(&format!(
        "C={context}{{MF={access}{{M{{TS{{mgcinfo/db=12ABCD}},ST=1{{O{{mgcinfo/db=99}}}}}}}}}}"
    ));
    let audit = lab.ask(&format!("C={context}{{AV={access}{{AT{{M}}}}}}"));
    assert!(audit.contains("TS{SI=IV,BF=OFF,mgcinfo/db=12ABCD}"), "{audit}");
    assert!(audit.contains("O{MO=SR,mgcinfo/db=99}"), "{audit}");
    lab.ask("C=-{MF=ROOT{M{TS{mgcinfo/db=0102}}}}");
    assert!(lab.ask("C=-{AV=ROOT{AT{M{TS{mgcinfo/db}}}}}").contains("mgcinfo/db=0102"));
    for (wrong, code) in [("mgcinfo/db=xyz", 449), ("mgcinfo/db=123", 449), ("mgcinfo/no=12", 450)] {
        let asked = format!("C={context}{{MF={access}{{M{{TS{{{wrong}}}}}}}}}");
        assert_eq!(lab.error(&asked).0, code, "{wrong}");
    }
    let long = "00".repeat(257);
    assert_eq!(lab.error(&format!("C=-{{MF=ROOT{{M{{TS{{mgcinfo/db={long}}}}}}}}}")).0, 449, "bounded");
    assert_eq!(lab.error(&format!("C={context}{{AV={access}{{AT{{M{{TS{{mgcinfo/x}}}}}}}}}}")).0, 532);
}
