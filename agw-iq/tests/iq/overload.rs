//! Emergency, priority and overload: who is served first, who is refused, and what the controller hears of it.

use crate::lab::*;
use agw_iq::{Load, MediaGateway, Stage};
use std::time::Duration;

fn lab() -> Lab {
    let mut config = config();
    config.high_priority = 10;
    config.style = Some(agw_iq::text::Style::Compact);
    Lab::with(config)
}

/// A new context with these properties.
fn new(properties: &str) -> String {
    format!("C=${{{properties}{CORE}}}")
}

/// Requests that arrive together, and the numbers of their replies in the order in which they come.
fn order(lab: &mut Lab, requests: &[(u32, String)]) -> Vec<u32> {
    lab.iq.set_gathering(true);
    for (id, actions) in requests {
        let sent = lab.exchange(&format!("!/2 <mgc.test> T={id}{{{actions}}}"));
        assert!(sent.is_empty(), "{sent:?}");
    }
    assert_eq!(lab.iq.waiting_requests(), requests.len());
    let mut replies = Vec::new();
    while lab.iq.handle_next_request(lab.now, &mut lab.model) {
        lab.settle();
        replies.extend(lab.sent().into_iter().map(|(_, text)| text));
    }
    lab.iq.set_gathering(false);
    let number = |reply: &String| {
        let rest = reply.split_once("P=").expect("a reply").1;
        rest.split('{').next().and_then(|number| number.parse().ok()).expect("a number")
    };
    replies.iter().map(number).collect()
}

#[test]
fn emergencies_are_executed_before_others_and_so_is_what_concerns_their_contexts() {
    let mut lab = lab();
    lab.ask(&new("EG,"));
    lab.ask(&new("PR=4,"));
    let requests = [
        (901, new("")),
        (902, new("PR=3,")),
        (903, "C=5002{MF=ip/1/core/102{M{O{MO=SR}}}}".to_owned()),
        (904, new("EG,")),
        (905, "C=5001{MF=ip/1/core/101{M{O{MO=SR}}}}".to_owned()),
        (906, "C=5002{EG,MF=ip/1/core/102{M{O{MO=IN}}}}".to_owned()),
    ];
    // 903 goes before 906, which is for the same context.
    assert_eq!(order(&mut lab, &requests), [903, 904, 905, 906, 902, 901]);
    assert!(lab.model.attributes[&5002].emergency && lab.model.attributes[&5002].priority == 4);
}

#[test]
fn a_repeated_request_that_waits_is_told_so_and_executed_once() {
    let mut lab = lab();
    lab.iq.set_gathering(true);
    let request = format!("!/2 <mgc.test> T=77{{{}}}", new(""));
    assert!(lab.exchange(&request).is_empty());
    assert_eq!(lab.exchange(&request), ["!/2 [192.0.2.20]:2944 PN=77{}"]);
    assert!(lab.iq.handle_next_request(lab.now, &mut lab.model));
    assert!(!lab.iq.handle_next_request(lab.now, &mut lab.model));
    assert_eq!(lab.model.created, 1);
}

#[test]
fn when_too_many_wait_511_is_the_answer_and_urgent_ones_still_have_room() {
    let mut lab = lab();
    lab.iq.set_gathering(true);
    let mut id = 0;
    let mut send = |lab: &mut Lab, actions: String| {
        id += 1;
        lab.exchange(&format!("!/2 <mgc.test> T={id}{{{actions}}}"))
    };
    for _ in 0..MediaGateway::MAX_WAITING_REQUESTS {
        send(&mut lab, new(""));
    }
    let places = MediaGateway::MAX_WAITING_REQUESTS / 16;
    assert_eq!(lab.iq.waiting_requests(), MediaGateway::MAX_WAITING_REQUESTS - places);
    assert!(send(&mut lab, new("PR=9,"))[0].contains("ER=511{"));
    for _ in 0..places {
        assert!(send(&mut lab, new("PR=10,")).is_empty());
    }
    assert!(send(&mut lab, new("EG,"))[0].contains("ER=511{"), "truly full");
}

const OVERLOADED: Load = Load { stage: Stage::Overloaded, reduction_percent: 60 };

#[test]
fn under_overload_only_privileged_contexts_are_made_and_calls_go_on() {
    let mut lab = lab();
    lab.call();
    lab.iq.set_load(lab.now, OVERLOADED);
    let (code, text) = lab.error(&new(""));
    assert_eq!(code, 511, "{text}");
    assert!(text.contains("overload"));
    assert_eq!(lab.error(&new("PR=9,")).0, 511);
    assert_eq!(lab.error("C=${MV=ip/1/access/101}").0, 511, "a Move would make one too");
    assert!(lab.ask(&new("PR=10,")).contains("A=ip/1/core/103"));
    assert!(lab.ask(&new("EG,")).contains("A=ip/1/core/104"));
    assert_eq!(lab.ask("C=5001{MF=ip/1/core/102{M{O{MO=SR}}}}"), "C=5001{MF=ip/1/core/102}");
    assert_eq!(lab.ask("C=5001{S=ip/1/core/102{AT{}}}"), "C=5001{S=ip/1/core/102}");
    // Strained is not overloaded.
    lab.iq.set_load(lab.now, Load { stage: Stage::Strained, reduction_percent: 30 });
    assert!(lab.ask(&new("")).contains("A=ip/1/core/105"));
}

/// Has the load told every 100 ms for so long; the observed events, each answered at once.
fn told(lab: &mut Lab, load: Load, time: Duration) -> Vec<String> {
    let mut events = Vec::new();
    let end = lab.now + time;
    while lab.now < end {
        lab.iq.set_load(lab.now, load);
        for (_, text) in lab.sent() {
            let (head, event) = text.split_once("OE=5{").expect("a Notify");
            let id = head.split("T=").nth(1).and_then(|rest| rest.split('{').next()).expect("a number");
            assert!(head.contains("C=-{N=ROOT{"), "{text}");
            events.push(event.trim_end_matches('}').to_owned());
            lab.exchange(&format!("!/2 <mgc.test> P={id}{{C=-{{N=ROOT}}}}"));
        }
        lab.now += Duration::from_millis(100);
    }
    events
}

#[test]
fn overload_is_told_each_second_while_it_lasts() {
    let mut lab = lab();
    assert!(told(&mut lab, OVERLOADED, Duration::from_secs(2)).is_empty(), "nobody asked");
    assert_eq!(lab.ask("C=-{MF=ROOT{E=5{ocp/mg_overload}}}"), "C=-{MF=ROOT}");
    let events = told(&mut lab, OVERLOADED, Duration::from_secs(3));
    assert_eq!(events, ["ocp/mg_overload"; 3]);
    assert_eq!(
        told(&mut lab, Load { stage: Stage::Strained, reduction_percent: 10 }, Duration::from_secs(1)).len(),
        1
    );
    assert!(told(&mut lab, Load::default(), Duration::from_secs(5)).is_empty());
}

#[test]
fn the_reduction_is_told_when_it_changes_and_when_it_ends() {
    let mut lab = lab();
    lab.ask("C=-{MF=ROOT{E=5{chp/MGCon}}}");
    let tenth = Duration::from_millis(300);
    assert!(told(&mut lab, Load::default(), tenth).is_empty());
    let strained = Load { stage: Stage::Strained, reduction_percent: 20 };
    assert_eq!(told(&mut lab, strained, tenth), ["chp/MGCon{reduction=20"]);
    assert_eq!(told(&mut lab, OVERLOADED, tenth), ["chp/MGCon{reduction=60"]);
    assert_eq!(told(&mut lab, Load::default(), tenth), ["chp/MGCon{reduction=0"]);
    // While the last one is unanswered nothing piles up behind it.
    lab.iq.set_load(lab.now, strained);
    assert_eq!(lab.sent().len(), 1);
    for percent in [30, 40, 50] {
        lab.iq.set_load(lab.now, Load { stage: Stage::Strained, reduction_percent: percent });
    }
    assert!(lab.sent().is_empty());
}
