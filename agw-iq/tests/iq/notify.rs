//! What the gateway tells unasked: heartbeats, the ends of keys, and what follows from the answers.

use crate::lab::*;
use agw_core::command::{Notice, Observation, Refusal};
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

fn activity(stream: u16, way: Way, activity: Activity) -> Notice {
    let what = Observation::Activity(way, activity);
    Notice { termination: TerminationId(101), stream: StreamId(stream), what }
}

fn latched(component: Component, source: &str) -> Notice {
    let what = Observation::Latched { component, source: source.parse().expect("an address") };
    Notice { termination: TerminationId(101), stream: StreamId(1), what }
}

/// Answers a Notify; what is sent because of that, without white space.
fn answer(lab: &mut Lab, notify: &str) -> Vec<String> {
    let id = id_of(notify);
    let next = lab.exchange(&format!("!/2 <mgc.test> P={id}{{C=5001{{N=ip/1/access/101}}}}"));
    next.iter().map(|text| text.split_whitespace().collect()).collect()
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn silence_is_watched_as_asked_and_told_once_per_silence() {
    let mut lab = Lab::new();
    listen(&mut lab, "E=77{adid/ipstop{ST=1,dt=20,dir=IN}}");
    assert_eq!(lab.model.spec(101, 1).watch.limit_ms(Way::In), Some(20_000));
    assert!(lab.model.spec(102, 1).watch.is_none(), "the other side is not watched");
    let sent = lab.notice(activity(1, Way::In, Activity::Stopped));
    assert!(squeezed(&sent[0]).contains("ObservedEvents=77{adid/ipstop{Stream=1}}"), "{sent:?}");
    assert!(answer(&mut lab, &sent[0]).is_empty());
    assert!(lab.notice(activity(1, Way::In, Activity::Flowing)).is_empty());
    assert_eq!(lab.notice(activity(1, Way::In, Activity::Stopped)).len(), 1, "a second silence");
}

#[test]
fn a_termination_falls_silent_with_its_last_stream() {
    let mut lab = Lab::new();
    let video = "A=ip/1/access/${M{ST=1{O{MO=SR},L{\nv=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\n}},\
                 ST=2{O{MO=SR},L{\nv=0\nc=IN IP4 $\nm=video $ RTP/AVP 96\n}}},E=77{adid/ipstop{dt=20}}}";
    lab.ask(&format!("C=${{{video}}}"));
    let spec = |lab: &Lab, stream| lab.model.spec(101, stream).watch;
    assert_eq!(spec(&lab, 2).limit_ms(Way::Both), Some(20_000), "BOTH is the default");
    assert!(lab.notice(activity(1, Way::Both, Activity::Stopped)).is_empty());
    let sent = lab.notice(activity(2, Way::Both, Activity::Held));
    assert!(squeezed(&sent[0]).contains("{adid/ipstop}"), "{sent:?}");
    // Without the event nothing is watched; a stream that comes later is not either.
    lab.ask("C=5001{MF=ip/1/access/101{E}}");
    assert!(spec(&lab, 1).is_none() && spec(&lab, 2).is_none());
}

#[test]
fn where_the_event_names_no_time_the_configured_one_holds() {
    let mut config = config();
    config.timers.silence = 7 * SECOND;
    let mut lab = Lab::with(config);
    listen(&mut lab, "E=77{adid/*}");
    assert_eq!(lab.model.spec(101, 1).watch.limit_ms(Way::Both), Some(7000));
    assert_eq!(lab.error("C=5001{MF=ip/1/access/101{E=78{adid/ipstop{dt=0}}}}").0, 454);
    assert_eq!(lab.error("C=5001{MF=ip/1/access/101{E=78{mgcinfo/*}}}").0, 512);
    assert_eq!(lab.error("C=5001{MF=ip/1/access/101{E=78{it/*}}}").0, 512, "an event of ROOT");
}

#[test]
fn a_learned_source_is_told_and_ends_the_latch() {
    let mut lab = Lab::new();
    listen(&mut lab, "SG{ipnapt/latch{NC={TO},napt=LATCH}},E=77{adr/rsac,g/sc}");
    assert!(lab.notice(latched(Component::Rtcp, "203.0.113.7:4001")).is_empty(), "RTCP has no word");
    let sent = lab.notice(latched(Component::Rtp, "203.0.113.7:4000"));
    let text = squeezed(&sent[0]);
    assert!(text.contains("adr/rsac{Stream=1,nrsa=\"203.0.113.7\",nrsp=4000}"), "{text}");
    let text = answer(&mut lab, &sent[0]).remove(0);
    assert!(text.contains("g/sc{SigID=\"ipnapt/latch\",Meth=TO}"), "{text}");
    let next = answer(&mut lab, &text.replace("Transaction=", "Transaction = "));
    assert!(next.is_empty(), "{next:?}");
}

#[test]
fn a_latch_that_another_replaces_has_ended_too() {
    let mut lab = Lab::new();
    listen(&mut lab, "SG{ipnapt/latch{NC={TO,IBS},napt=LATCH}},E=77{g/sc}");
    lab.ask("C=5001{MF=ip/1/access/101{SG{ipnapt/latch{KA,napt=LATCH}}}}");
    // A Modify is answered first, then the Notify follows.
    let sent =
        lab.exchange("!/2 <mgc.test> T=900{C=5001{MF=ip/1/access/101{SG{ipnapt/latch{napt=RELATCH}}}}}");
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert!(squeezed(&sent[1]).contains("g/sc{SigID=\"ipnapt/latch\",Meth=SD}"), "{sent:?}");
}

#[test]
fn lock_step_tells_one_event_for_each_descriptor_with_the_time_of_the_event() {
    let mut lab = Lab::new();
    lab.iq.set_wall_clock(lab.now, Duration::from_secs(1_795_198_500));
    listen(&mut lab, "M{TS{BF=SP}},EB{adid/ipstop,adr/rsac},E=77{adid/ipstop{ST=1,dt=5,dir=IN},adr/rsac}");
    let first = lab.notice(latched(Component::Rtp, "203.0.113.7:4000"));
    assert!(answer(&mut lab, &first[0]).is_empty());
    lab.pass(4 * SECOND);
    assert!(lab.notice(activity(1, Way::In, Activity::Stopped)).is_empty(), "recognition is suspended");
    let audit = lab.ask("C=5001{AV=ip/1/access/101{AT{OE,EB,M}}}");
    assert!(audit.contains("OE=77{adid/ipstop{ST=1}},EB{adid/ipstop,adr/rsac}"), "{audit}");
    assert!(audit.contains("BF=SP"), "{audit}");
    lab.pass(10 * SECOND);
    let sent =
        lab.exchange("!/2 <mgc.test> T=901{C=5001{MF=ip/1/access/101{E=78{adid/ipstop{ST=1,dt=5,dir=IN}}}}}");
    let text = squeezed(&sent[1]);
    assert!(text.contains("ObservedEvents=78{20261120T18150400:adid/ipstop{Stream=1}}"), "{text}");
    lab.ask("C=5001{MF=ip/1/access/101{M{TS{BF=OFF}}}}");
    assert!(!lab.ask("C=5001{AV=ip/1/access/101{AT{OE}}}").contains("adid"));
}

#[test]
fn embedded_descriptors_come_into_force_with_their_event() {
    let mut lab = Lab::new();
    listen(
        &mut lab,
        "E=77{adid/ipstop{ST=1,dt=5,dir=IN,EM{SG{ipnapt/latch{NC={TO},napt=RELATCH}},E=78{g/sc,adr/rsac}}}}",
    );
    let sent = lab.notice(activity(1, Way::In, Activity::Stopped));
    assert!(squeezed(&sent[0]).contains("ObservedEvents=77{adid/ipstop"), "{sent:?}");
    let held = lab.model.spec(101, 1);
    assert_eq!(held.latch, Some(LatchAction::Relatch), "the embedded signal is obeyed");
    assert!(held.watch.is_none(), "and the embedded events watch nothing");
    assert!(lab.ask("C=5001{AV=ip/1/access/101{AT{E}}}").contains("E=78{g/sc,adr/rsac}"));
    assert!(answer(&mut lab, &sent[0]).is_empty());
    let sent = lab.notice(latched(Component::Rtp, "203.0.113.7:4000"));
    assert!(squeezed(&sent[0]).contains("ObservedEvents=78{adr/rsac"), "{sent:?}");
}

#[test]
fn what_an_embedded_descriptor_cannot_do_is_refused_with_the_command() {
    let mut lab = Lab::new();
    lab.call();
    let refused = |lab: &mut Lab, embed: &str| {
        lab.error(&format!("C=5001{{MF=ip/1/access/101{{E=77{{g/cause{{EM{{{embed}}}}}}}}}}}")).0
    };
    assert_eq!(refused(&mut lab, "SG{ipnapt/latch}"), 457);
    assert_eq!(refused(&mut lab, "SG{nosuch/x}"), 440);
    assert_eq!(refused(&mut lab, "E=78{nt/netfail}"), 512);
    assert_eq!(refused(&mut lab, "SG{SL=1{ipnapt/latch{napt=LATCH}}}"), 501);
}

#[test]
fn an_embedded_signal_that_cannot_be_obeyed_is_told() {
    let mut lab = Lab::new();
    listen(&mut lab, "E=77{adr/rsac{EM{SG{ipnapt/latch{napt=RELATCH}}}},g/sc}");
    lab.model.refuse.push_back(Refusal::OutOfResources("worker queue"));
    let sent = lab.notice(latched(Component::Rtp, "203.0.113.7:4000"));
    let text = answer(&mut lab, &sent[0]).remove(0);
    assert!(text.contains("g/sc{SigID=\"ipnapt/latch\",Meth=NC}"), "{text}");
}

#[test]
fn discards_by_policing_are_told_where_asked() {
    let mut lab = Lab::new();
    listen(&mut lab, "E=77{tman/policed}");
    let sent = lab.notice(Notice { what: Observation::Policed, ..ended(Direction::Inbound) });
    assert!(squeezed(&sent[0]).contains("tman/policed{Stream=1}"), "{sent:?}");
}

#[test]
fn events_that_have_no_room_to_wait_are_counted() {
    let mut lab = Lab::new();
    listen(&mut lab, "E=77{adr/rsac}");
    for port in 1..=12 {
        lab.notice(latched(Component::Rtp, &format!("203.0.113.7:{port}")));
    }
    assert_eq!(lab.iq.counters().events_lost, 3, "one is told, eight wait");
}

#[test]
fn what_waits_goes_over_to_a_new_descriptor_that_asks_for_it() {
    let mut lab = Lab::new();
    listen(&mut lab, "E=77{adr/rsac,g/cause}");
    let first = lab.notice(latched(Component::Rtp, "203.0.113.7:1"));
    lab.notice(ended(Direction::Inbound));
    lab.ask("C=5001{MF=ip/1/access/101{E=78{g/cause}}}");
    let next = answer(&mut lab, &first[0]);
    assert!(next[0].contains("ObservedEvents=78{g/cause"), "{next:?}");
}
