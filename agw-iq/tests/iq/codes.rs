//! Every error code that the profile wants of a gateway (TS 29.334; H.248.1 section 7.2 and H.248.8): a message that deserves it, and where in the
//! reply the error stands. Codes that this gateway has no occasion for stand in [`NEVER`], each with the reason; `docs/iq.md` repeats
//! them. `errors.rs` has many more requests, and what their texts name.

use crate::association::{controlled, register};
use crate::lab::*;
use agw_core::command::Refusal;
use agw_core::model::RealmName;
use agw_iq::ast::*;
use agw_iq::{Farewell, Load, Outage, Stage};
use std::collections::BTreeSet;
use std::time::Duration;

/// Where an error stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Message,
    Transaction,
    Action,
    Command,
}

use Place::{Action, Command as InCommand, Message as InMessage, Transaction as InTransaction};

/// What brings about what the request alone does not.
type Occasion = fn(&mut Lab, &str) -> String;

/// Sends it, as actions or, from `!` or anything else that is no action on, as a message.
fn send(lab: &mut Lab, request: &str) -> String {
    let message = match request.starts_with("C=") {
        true => format!("!/2 <mgc.test> T=999{{{request}}}"),
        false => request.to_owned(),
    };
    lab.exchange(&message).pop().unwrap_or_default()
}

fn refused(lab: &mut Lab, request: &str, refusal: Refusal) -> String {
    lab.model.refuse.push_back(refusal);
    send(lab, request)
}

fn out_of_ports(lab: &mut Lab, request: &str) -> String {
    refused(lab, request, Refusal::OutOfPorts(RealmName::new("access").expect("a name")))
}

fn system_failure(lab: &mut Lab, request: &str) -> String {
    refused(lab, request, Refusal::System("no such device".to_owned()))
}

fn slow_workers(lab: &mut Lab, request: &str) -> String {
    lab.model.slow = true;
    send(lab, request);
    lab.pass(Duration::from_secs(11)).pop().map(|(_, text)| text).unwrap_or_default()
}

fn impatient(lab: &mut Lab, request: &str) -> String {
    lab.ask("C=-{MF=ROOT{M{TS{root/MGOriginatedPendingLimit=1}}}}");
    lab.model.slow = true;
    send(lab, request);
    send(lab, request);
    send(lab, request)
}

fn overloaded(lab: &mut Lab, request: &str) -> String {
    lab.iq.set_load(lab.now, Load { stage: Stage::Overloaded, reduction_percent: 50 });
    send(lab, request)
}

fn draining(lab: &mut Lab, request: &str) -> String {
    lab.iq.leave(lab.now, Farewell::Graceful { delay_s: None });
    send(lab, request)
}

fn realm_out(lab: &mut Lab, request: &str) -> String {
    assert!(lab.iq.set_realm(lab.now, &RealmName::new("access").expect("a name"), Some(Outage::TakenOut)));
    lab.sent();
    send(lab, request)
}

fn crowded(lab: &mut Lab, request: &str) -> String {
    for _ in 0..400 {
        lab.call();
    }
    send(lab, request)
}

/// A gateway with two controllers, of which the first commands once it is `registered`; the reply to the one that asks.
fn two_controllers(registered: bool, asks: usize, request: &str) -> String {
    let names = ["192.0.2.10:2944", "192.0.2.11:2944"];
    let addresses = names.map(|name| name.parse().expect("an address"));
    let mut lab = Lab::with(controlled(&names));
    if registered {
        register(&mut lab, addresses[0]);
    }
    let message = format!("!/2 <mgc.test> T=999{{{request}}}");
    lab.exchange_from(addresses[asks], &message).pop().map(|(_, text)| text).unwrap_or_default()
}

fn before_registration(_: &mut Lab, request: &str) -> String {
    two_controllers(false, 0, request)
}

fn of_another_controller(_: &mut Lab, request: &str) -> String {
    two_controllers(true, 1, request)
}

const AUDIT: &str = "C=-{AV=ROOT{AT{}}}";
const PLAIN: &str = "C=${A=ip/1/access/${M{ST=1{L{\nv=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\n}}}}}";

/// The code, the request, where its error stands, and what else it takes. Context 5001 holds `ip/1/access/101` and `ip/1/core/102`.
const CODES: &[(u16, &str, Place, Occasion)] = &[
    (400, "good morning", InMessage, send),
    (403, "!/2 <mgc.test> T=999{nonsense}", InTransaction, send),
    (406, "!/9 <mgc.test> T=999{C=-{AV=ROOT{AT{}}}}", InMessage, send),
    (410, "C=5001{S=$}", InCommand, send),
    (411, "C=77{AV=*{AT{}}}", Action, send),
    (
        413,
        "!/2 <mgc.test> T=1{C=-{AV=ROOT}} T=2{C=-{AV=ROOT}} T=3{C=-{AV=ROOT}} T=4{C=-{AV=ROOT}} \
         T=5{C=-{AV=ROOT}} T=6{C=-{AV=ROOT}} T=7{C=-{AV=ROOT}} T=8{C=-{AV=ROOT}} T=9{C=-{AV=ROOT}} \
         T=10{C=-{AV=ROOT}} T=11{C=-{AV=ROOT}}",
        InMessage,
        send,
    ),
    (421, "C=-{PR=3,AV=ROOT{AT{}}}", Action, send),
    (422, "!/2 <mgc.test> T=999{C=5001{PR=1,PR=2,S=*}}", Action, send),
    (430, "C=5001{MF=ip/1/access/9}", InCommand, send),
    (431, "C=5001{S=ip/9/*/*}", InCommand, send),
    (433, "C=5001{A=ip/1/access/101{M{ST=1{O{MO=IN}}}}}", InCommand, send),
    (434, "C=5001{A=ip/1/core/${M{ST=1{L{\nv=0\nc=IN IP6 $\nm=audio $ RTP/AVP 0\n}}}}}", InCommand, send),
    (435, "C=-{S=ip/1/access/101}", InCommand, send),
    (440, "C=5001{MF=ip/1/access/101{M{O{foo/bar=1}}}}", InCommand, send),
    (441, "C=5001{MF=ip/1/access/101{M{ST=2{O{MO=IN}}}}}", InCommand, send),
    (442, "!/2 <mgc.test> T=999{C=5001{}}", Action, send),
    (443, "C=5001{N=ip/1/access/101{OE=1{g/cause}}}", InCommand, send),
    (444, "C=5001{MF=ip/1/access/101{MD=V18}}", InCommand, send),
    (445, "C=5001{MF=ip/1/access/101{M{O{nt/jit=4}}}}", InCommand, send),
    (446, "C=5001{MF=ip/1/access/101{E=1{hangterm/thb{foo=1}}}}", InCommand, send),
    (447, "C=-{AC=ROOT{AT{PG}}}", InCommand, send),
    (448, "C=5001{MF=ip/1/access/101{M{ST=1{O{MO=IN}},ST=1{O{MO=IN}}}}}", Action, send),
    (449, "C=5001{MF=ip/1/access/101{M{O{ds/dscp=99}}}}", InCommand, send),
    (450, "C=5001{MF=ip/1/access/101{M{O{gm/foo=1}}}}", InCommand, send),
    (451, "C=5001{MF=ip/1/access/101{E=1{g/foo}}}", InCommand, send),
    (452, "C=5001{MF=ip/1/access/101{SG{ipnapt/foo}}}", InCommand, send),
    (453, "C=5001{AV=ip/1/access/101{AT{SA{rtp/foo}}}}", InCommand, send),
    (454, "C=5001{MF=ip/1/access/101{SG{ipnapt/latch{napt=MAYBE}}}}", InCommand, send),
    (455, "C=5001{MF=ip/1/access/101{M{TS{gm/saf=ON}}}}", InCommand, send),
    (456, "C=-{MF=ROOT{M{TS{root/normalMGExecutionTime=1,root/normalMGExecutionTime=2}}}}", InCommand, send),
    (457, "C=5001{MF=ip/1/access/101{SG{ipnapt/latch}}}", InCommand, send),
    (458, "C=5001{MF=ip/1/access/101{E=*{g/cause}}}", InCommand, send),
    (472, "C=5001{A=ip/1/access/$}", InCommand, send),
    (473, "C=5001{MF=ip/1/access/101{M{O{ipdc/realm=\"core\"}}}}", InCommand, send),
    (474, "C=5001{MF=ip/1/core/102{M{ST=1{R{\nv=0\nm=audio\n}}}}}", InCommand, send),
    (500, PLAIN, InTransaction, slow_workers),
    (500, PLAIN, InCommand, system_failure),
    (501, "C=5001{MF=ip/1/access/101{SG{SL=1{ipnapt/latch{napt=OFF}}}}}", InCommand, send),
    (502, PLAIN, InCommand, realm_out),
    (503, PLAIN, InCommand, draining),
    (504, AUDIT, InTransaction, of_another_controller),
    (505, AUDIT, InTransaction, before_registration),
    (506, PLAIN, InTransaction, impatient),
    (510, PLAIN, InCommand, out_of_ports),
    (511, PLAIN, InCommand, overloaded),
    (512, "C=5001{MF=ip/1/access/101{E=1{nt/netfail}}}", InCommand, send),
    (513, "C=5001{MF=ip/1/access/101{SG{tlsbsc/EstBNC}}}", InCommand, send),
    (515, "C=5001{MF=ip/1/core/102{M{ST=1{R{\nv=0\nm=smell 1 RTP/AVP 0\n}}}}}", InCommand, send),
    (517, "C=5001{MF=ip/1/access/101{M{O{MO=XX}}}}", Action, send),
    (522, "C=5001{TP{ip/1/access/101,ip/1/core/102,IS},MF=ip/1/access/101}", Action, send),
    (532, "C=-{AV=ROOT{AT{SA{rtp/ps}}}}", InCommand, send),
    (533, "C=*{AV=*{AT{M,PG}}}", InTransaction, crowded),
    (534, "C=-{MF=ROOT{M{TS{root/maxNumberOfContexts=4}}}}", InCommand, send),
    (542, "C=5001{S=ROOT}", InCommand, send),
];

/// Codes of the profile that this gateway has no occasion to send.
const NEVER: &[(u16, &str)] = &[
    (412, "context numbers do not run out; the limit of contexts is error 510"),
    (432, "termination numbers do not run out; ports that run out are error 510"),
    (459, "the profile is the gateway's to offer and the controller's to refuse"),
    (461, "as 459"),
    (471, "there is no multiplex"),
    (526, "no bandwidth is reserved: rates are policed, not admitted"),
];

/// Where the only error of a reply stands, and its code.
fn error_of(reply: &str) -> (u16, Place) {
    let parsed = agw_iq::text::parse(reply.as_bytes()).unwrap_or_else(|error| panic!("{reply}: {error}"));
    let transactions = match parsed.message.body {
        Body::Error(error) => return (error.code.0, InMessage),
        Body::Transactions(transactions) => transactions,
    };
    let [Transaction::Reply(answer)] = transactions.as_slice() else { panic!("{reply}") };
    let actions = match &answer.body {
        ReplyBody::Error(error) => return (error.code.0, InTransaction),
        ReplyBody::Actions(actions) => actions,
    };
    let mut found = Vec::new();
    for action in actions {
        found.extend(action.error.iter().map(|error| (error.code.0, Action)));
        for command in &action.commands {
            let audit = match &command.result {
                CommandResult::Add(audit)
                | CommandResult::Move(audit)
                | CommandResult::Modify(audit)
                | CommandResult::Subtract(audit)
                | CommandResult::AuditValue(AuditResult::Termination(audit))
                | CommandResult::AuditCapability(AuditResult::Termination(audit)) => audit,
                CommandResult::Notify(error) => {
                    found.extend(error.iter().map(|error| (error.code.0, InCommand)));
                    continue;
                }
                other => panic!("{other:?} in {reply}"),
            };
            found.extend(audit.iter().filter_map(|item| match item {
                AuditReturn::Error(error) => Some((error.code.0, InCommand)),
                _ => None,
            }));
        }
    }
    let [one] = found.as_slice() else { panic!("{found:?} in {reply}") };
    *one
}

#[test]
fn every_code_of_the_profile_is_sent_to_who_deserves_it_and_at_its_place() {
    let mut wrong = Vec::new();
    for (code, request, place, occasion) in CODES {
        let mut lab = Lab::new();
        lab.call();
        let reply = occasion(&mut lab, request);
        let got = error_of(&reply);
        if got != (*code, *place) {
            wrong.push(format!("{code} {place:?} expected of {request}: {got:?} in {reply}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_code_of_the_profile_is_forgotten() {
    let wanted = [400, 403, 406, 411, 412, 413, 421, 422]
        .into_iter()
        .chain(430..=435)
        .chain(440..=459)
        .chain([461])
        .chain(471..=474)
        .chain([500, 501, 502, 504, 505, 506, 510, 511, 512, 513, 515, 517, 522, 526, 532, 533, 534, 542]);
    let sent: BTreeSet<u16> = CODES.iter().map(|(code, ..)| *code).collect();
    let never: BTreeSet<u16> = NEVER.iter().map(|(code, _)| *code).collect();
    assert!(sent.is_disjoint(&never));
    let forgotten: Vec<u16> = wanted.filter(|code| !sent.contains(code) && !never.contains(code)).collect();
    assert_eq!(forgotten, [0; 0]);
    let page = include_str!("../../../docs/iq.md");
    for (code, why) in NEVER {
        assert!(page.contains(&format!("| {code} | {why} |")), "{code} in docs/iq.md");
    }
}
