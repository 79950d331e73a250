//! What the gateway tells unasked: heartbeats, the ends of keys, and what follows from the answers.

use crate::lab::*;
use agw_core::command::{Notice, Observation};
use agw_core::model::*;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn listen(lab: &mut Lab, events: &str) {
    let (context, access, _) = lab.call();
    lab.ask(&format!("C={context}{{MF={access}{{{events}}}}}"));
}

/// The transaction of a request that the gateway sent.
fn id_of(message: &str) -> String {
    message
        .split("Transaction = ")
        .nth(1)
        .and_then(|rest| rest.split([' ', '{']).next())
        .expect("a request")
        .to_owned()
}

fn ended(direction: Direction) -> Notice {
    Notice { termination: TerminationId(101), stream: StreamId(1), what: Observation::KeyEnded(direction) }
}

#[test]
fn a_quiet_termination_gives_a_heartbeat() {
    let mut lab = Lab::new();
    lab.iq.set_wall_clock(lab.now, Duration::from_secs(1_795_198_500));
    listen(&mut lab, "E=77{hangterm/thb{timerx=10}}");
    assert!(lab.pass(9 * SECOND).is_empty());
    // A message about the termination puts it off.
    lab.ask("C=5001{AV=ip/1/access/101{AT{}}}");
    assert!(lab.pass(9 * SECOND).is_empty());
    let sent = lab.pass(2 * SECOND);
    assert_eq!(sent[0].0.address, MGC.into());
    let text: String = sent[0].1.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("Context = 5001 { Notify = ip/1/access/101 { ObservedEvents = 77 {"), "{text}");
    assert!(text.contains("20261120T18151900:hangterm/thb"), "{text}");
}

#[test]
fn a_heartbeat_is_repeated_until_answered_and_then_comes_again() {
    let mut lab = Lab::new();
    listen(&mut lab, "E=77{hangterm/thb{timerx=10}}");
    let sent = lab.pass(12 * SECOND);
    assert!(sent.len() >= 3, "repeated: {}", sent.len());
    assert!(sent.iter().all(|(_, text)| *text == sent[0].1));
    let id = id_of(&sent[0].1);
    lab.exchange(&format!("!/2 <mgc.test> P={id}{{C=5001{{N=ip/1/access/101}}}}"));
    assert!(lab.pass(7 * SECOND).is_empty());
    let again = lab.pass(2 * SECOND);
    assert_ne!(id_of(&again[0].1), id);
}

#[test]
fn a_termination_that_the_controller_does_not_know_is_released() {
    for code in [411, 430, 435] {
        let mut lab = Lab::new();
        listen(&mut lab, "E=77{hangterm/thb{timerx=10}}");
        let sent = lab.pass(10 * SECOND);
        let id = id_of(&sent[0].1);
        lab.exchange(&format!("!/2 <mgc.test> P={id}{{C=5001{{N=ip/1/access/101{{ER={code}{{\"?\"}}}}}}}}"));
        assert_eq!(lab.iq.size(), (1, 2), "not at once");
        lab.pass(6 * SECOND);
        assert_eq!(lab.iq.size(), (1, 1), "{code}");
        assert!(!lab.model.terminations.contains_key(&101));
        assert_eq!(lab.iq.counters().hanging_released, 1);
    }
}

#[test]
fn a_new_events_descriptor_replaces_the_heartbeat() {
    let mut lab = Lab::new();
    listen(&mut lab, "E=77{hangterm/thb{timerx=10}}");
    lab.ask("C=5001{MF=ip/1/access/101{E=78{g/cause}}}");
    assert!(lab.pass(60 * SECOND).is_empty());
    lab.ask("C=5001{MF=ip/1/access/101{E=79{hangterm/thb{timerx=10}}}}");
    lab.ask("C=5001{MF=ip/1/access/101{E}}");
    assert!(lab.pass(60 * SECOND).is_empty());
    lab.ask("C=5001{MF=ip/1/access/101{E=79{hangterm/thb{timerx=10}}}}");
    lab.ask("C=5001{S=ip/1/access/101}");
    assert!(lab.pass(60 * SECOND).is_empty(), "gone with the termination");
}

#[test]
fn the_end_of_a_key_is_told_as_asked() {
    let mut lab = Lab::new();
    listen(&mut lab, "E=77{srtp/keyexpiry,g/cause}");
    let near = Notice { what: Observation::KeyNearEnd(Direction::Inbound), ..ended(Direction::Inbound) };
    let sent = lab.notice(near);
    let text = sent[0].split_whitespace().collect::<String>();
    assert!(text.contains("srtp/keyexpiry{Stream=1,dir=IN,state=NEAR}"), "{text}");
    // One unanswered Notify at a time.
    assert!(lab.notice(ended(Direction::Outbound)).is_empty());
    let id = id_of(&sent[0]);
    let next = lab.exchange(&format!("!/2 <mgc.test> P={id}{{C=5001{{N=ip/1/access/101}}}}"));
    let text = next[0].split_whitespace().collect::<String>();
    assert!(text.contains("srtp/keyexpiry{Stream=1,dir=OUT,state=END}"), "{text}");
}

#[test]
fn g_cause_alone_tells_only_the_end() {
    let mut lab = Lab::new();
    listen(&mut lab, "E=77{g/cause}");
    let near = Notice { what: Observation::KeyNearEnd(Direction::Inbound), ..ended(Direction::Inbound) };
    assert!(lab.notice(near).is_empty());
    let text = lab.notice(ended(Direction::Inbound)).remove(0);
    assert!(
        text.contains("Generalcause = FP") && text.contains("SRTP key of Remote has reached its lifetime"),
        "{text}"
    );
}

#[test]
fn nobody_is_told_who_did_not_ask() {
    let mut lab = Lab::new();
    lab.call();
    assert!(lab.notice(ended(Direction::Inbound)).is_empty());
    let latched =
        Observation::Latched { component: Component::Rtp, source: "203.0.113.7:1".parse().unwrap() };
    assert!(lab.notice(Notice { what: latched, ..ended(Direction::Inbound) }).is_empty());
}
