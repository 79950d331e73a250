//! ServiceChange from the controller: of single terminations, of wildcards, of ROOT (H.248.1 sections 7.2.8 and 11.5).

use crate::association::{controlled, register};
use crate::lab::*;
use agw_core::model::Mode;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn change(what: &str, method: &str) -> String {
    format!("SC={what}{{SV{{MT={method}}}}}")
}

fn forced(what: &str) -> String {
    change(what, "FO,RE=\"905 Termination taken out of service\"")
}

fn restart(what: &str) -> String {
    change(what, "RS,RE=\"900 Service restored\"")
}

fn state(lab: &mut Lab, context: &str, name: &str) -> String {
    let reply = lab.ask(&format!("C={context}{{AV={name}{{AT{{M{{TS{{SI}}}}}}}}}}"));
    reply.split("SI=").nth(1).and_then(|rest| rest.split('}').next()).expect("a state").to_owned()
}

fn mode(lab: &Lab, number: u32) -> Mode {
    lab.model.spec(number, 1).mode
}

#[test]
fn a_termination_that_is_forced_out_passes_nothing_until_it_is_restarted() {
    let mut lab = Lab::new();
    let (context, access, core) = lab.call();
    let reply = lab.ask(&format!("C={context}{{{}}}", forced(&access)));
    assert_eq!(reply, format!("C={context}{{SC={access}}}"));
    assert_eq!((mode(&lab, 101), mode(&lab, 102)), (Mode::Inactive, Mode::SendReceive));
    assert_eq!(
        (state(&mut lab, &context, &access), state(&mut lab, &context, &core)),
        ("OS".into(), "IV".into())
    );
    // What the controller says meanwhile is kept for later: the mode, the address, not the key, which stays where it is.
    lab.ask(&format!("C={context}{{MF={access}{{M{{O{{MO=RC}}}}}}}}"));
    assert_eq!(mode(&lab, 101), Mode::Inactive);
    let reply = lab.ask(&format!("C={context}{{AV={access}{{AT{{M}}}}}}"));
    assert!(reply.contains("TS{SI=OS,BF=OFF}") && reply.contains("O{MO=RC"), "{reply}");
    lab.ask(&format!("C={context}{{{}}}", restart(&access)));
    assert_eq!((mode(&lab, 101), state(&mut lab, &context, &access)), (Mode::ReceiveOnly, "IV".into()));
    assert!(lab.model.spec(101, 1).security.local.is_some(), "the keys are those of before");
    lab.ask(&format!("C={context}{{{}}}", restart(&access)));
    assert_eq!(lab.iq.size(), (1, 2));
}

#[test]
fn a_wildcard_takes_out_what_it_takes_in_and_answers_for_each_or_once() {
    let mut lab = Lab::new();
    let (first, second) = (lab.call(), lab.call());
    let reply = lab.ask(&format!("C=*{{{}}}", forced("ip/*/core/*")));
    assert_eq!(reply, format!("C={}{{SC={}}},C={}{{SC={}}}", first.0, first.2, second.0, second.2));
    assert_eq!(
        [101, 102, 103, 104].map(|number| mode(&lab, number) == Mode::Inactive),
        [false, true, false, true]
    );
    assert_eq!(lab.ask(&format!("C=*{{W-{}}}", restart("ip/*/core/*"))), "C=*{SC=ip/*/core/*}");
    assert_eq!((mode(&lab, 102), mode(&lab, 104)), (Mode::SendReceive, Mode::SendReceive));
    assert_eq!(lab.error(&format!("C=*{{{}}}", forced("ip/*/core1/*"))).0, 431);
    assert_eq!(lab.error(&format!("C={}{{{}}}", first.0, forced("ip/1/access/999"))).0, 430);
}

#[test]
fn a_delay_puts_the_change_off_and_a_later_word_replaces_it() {
    let mut lab = Lab::new();
    let (context, access, _) = lab.call();
    let graceful =
        |delay: &str| format!("C={context}{{{}}}", change(&access, &format!("GR,DL={delay},RE=\"905 x\"")));
    lab.ask(&graceful("30"));
    lab.pass(29 * SECOND);
    assert_eq!(mode(&lab, 101), Mode::SendReceive, "established connections are not affected yet");
    lab.pass(2 * SECOND);
    assert_eq!((mode(&lab, 101), state(&mut lab, &context, &access)), (Mode::Inactive, "OS".into()));
    lab.ask(&format!("C={context}{{{}}}", change(&access, "RS,DL=10,RE=\"900 x\"")));
    assert_eq!(mode(&lab, 101), Mode::Inactive);
    lab.pass(11 * SECOND);
    assert_eq!(mode(&lab, 101), Mode::SendReceive);
    lab.ask(&graceful("30"));
    lab.ask(&format!("C={context}{{{}}}", restart(&access)));
    lab.pass(60 * SECOND);
    assert_eq!(mode(&lab, 101), Mode::SendReceive, "taken back");
    lab.ask(&graceful("30"));
    lab.ask(&format!("C={context}{{S={access}}}"));
    lab.pass(60 * SECOND);
    assert_eq!(lab.iq.size(), (1, 1));
    assert_eq!(lab.iq.poll_timeout(), None, "nothing is left to be done for it");
}

#[test]
fn workers_without_room_hear_of_a_change_a_little_later() {
    let mut lab = Lab::new();
    let (context, access, _) = lab.call();
    lab.ask(&format!("C={context}{{{}}}", change(&access, "GR,DL=1,RE=\"905 x\"")));
    lab.model.refuse.push_back(agw_core::command::Refusal::OutOfResources("worker queue"));
    lab.pass(SECOND);
    assert_eq!(mode(&lab, 101), Mode::SendReceive);
    lab.pass(SECOND);
    assert_eq!(mode(&lab, 101), Mode::Inactive);
}

#[test]
fn root_forced_ends_everything_and_takes_nothing_until_restart() {
    let mut lab = Lab::new();
    for _ in 0..300 {
        lab.call();
    }
    assert_eq!(lab.ask(&format!("C=-{{{}}}", forced("ROOT"))), "C=-{SC=ROOT}");
    assert_eq!((lab.iq.size(), lab.model.terminations.len(), lab.model.contexts.len()), ((0, 0), 0, 0));
    assert!(!lab.iq.is_ready());
    assert_eq!(lab.ask("C=-{AV=ROOT{AT{M{TS{SI}}}}}"), "C=-{AV=ROOT{M{TS{SI=OS}}}}");
    assert_eq!(lab.error(&format!("C=${{{CORE}}}")), (503, "out of service".to_owned()));
    assert_eq!(lab.ask(&format!("C=-{{{}}}", restart("ROOT"))), "C=-{SC=ROOT}");
    assert_eq!(lab.ask("C=-{AV=ROOT{AT{M{TS{SI}}}}}"), "C=-{AV=ROOT{M{TS{SI=IV}}}}");
    lab.call();
}

#[test]
fn root_graceful_refuses_new_calls_and_ends_the_media_of_old_ones_with_its_delay() {
    let mut lab = Lab::new();
    let (context, access, core) = lab.call();
    lab.ask("C=-{SC=ROOT{SV{MT=GR,DL=30,RE=\"905 x\"}}}");
    assert_eq!(lab.error(&format!("C=${{{CORE}}}")), (503, "going out of service".to_owned()));
    lab.ask(&format!("C={context}{{S={core}}}"));
    assert!(
        lab.ask(&format!("C={context}{{{CORE}}}")).contains("A=ip/1/core/"),
        "what began may be finished"
    );
    lab.pass(31 * SECOND);
    assert_eq!((mode(&lab, 101), mode(&lab, 103)), (Mode::Inactive, Mode::Inactive));
    assert_eq!(state(&mut lab, &context, &access), "OS");
    lab.ask(&format!("C=-{{{}}}", restart("ROOT")));
    assert_eq!((mode(&lab, 101), mode(&lab, 103)), (Mode::SendReceive, Mode::SendReceive));
    // Without a delay it waits for the natural end.
    lab.ask("C=-{SC=ROOT{SV{MT=GR,RE=\"905 x\"}}}");
    lab.pass(3600 * SECOND);
    assert_eq!(mode(&lab, 101), Mode::SendReceive);
    assert!(lab.ask("C=-{AV=ROOT{AT{M{TS{SI}}}}}").contains("SI=IV"));
    lab.ask("C=*{W-S=*{AT{}}}");
    assert!(lab.ask("C=-{AV=ROOT{AT{M{TS{SI}}}}}").contains("SI=OS"));
}

#[test]
fn another_controller_finds_the_gateway_in_service_again() {
    let second = "192.0.2.11:2944".parse().unwrap();
    let first = "192.0.2.10:2944".parse().unwrap();
    let mut lab = Lab::with(controlled(&["192.0.2.10:2944", "192.0.2.11:2944"]));
    register(&mut lab, first);
    lab.exchange_from(first, &format!("!/2 <mgc.test> T=1{{C=-{{{}}}}}", forced("ROOT")));
    assert!(!lab.iq.is_ready());
    let sent = lab.exchange_from(
        first,
        "!/2 <mgc.test> T=2{C=-{SC=ROOT{SV{MT=HO,RE=\"903 x\",MG=[192.0.2.11]:2944}}}}",
    );
    let id = sent[1].1.split("T=").nth(1).and_then(|rest| rest.split('{').next()).expect("a request");
    lab.exchange_from(second, &format!("!/2 <mgc.test> P={id}{{C=-{{SC=ROOT}}}}"));
    assert!(lab.iq.is_ready());
}

#[test]
fn methods_that_are_the_gateways_own_are_refused() {
    let mut lab = Lab::new();
    let (context, access, _) = lab.call();
    for method in ["DC", "FL", "X-now"] {
        assert_eq!(
            lab.error(&format!("C=-{{{}}}", change("ROOT", &format!("{method},RE=\"900 x\"")))).0,
            501
        );
        assert_eq!(
            lab.error(&format!("C={context}{{{}}}", change(&access, &format!("{method},RE=\"900 x\"")))).0,
            501
        );
    }
    assert_eq!(lab.error(&format!("C={context}{{{}}}", change(&access, "HO,RE=\"903 x\""))).0, 542);
}
