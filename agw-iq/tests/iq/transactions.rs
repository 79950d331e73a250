//! At most once: what a repeated, pending or acknowledged transaction is answered. Over a bad network: `lossy`.

use crate::lab::*;
use agw_iq::counters::TransactionResult;
use std::time::Duration;

#[test]
fn a_repeated_request_gets_the_same_reply_and_is_not_executed_again() {
    let mut lab = Lab::new();
    let request = format!("!/2 <mgc.test> T=77{{C=${{{CORE}}}}}");
    let first = lab.exchange(&request);
    assert_eq!(lab.exchange(&request), first);
    assert_eq!(lab.model.created, 1);
    // Once acknowledged nothing is said any more, and still nothing is done.
    assert!(lab.exchange("!/2 <mgc.test> K{70-80}").is_empty());
    assert!(lab.exchange(&request).is_empty());
    assert_eq!(lab.model.created, 1);
    // After LONG-TIMER the number may be used again.
    lab.pass(Duration::from_secs(31));
    assert_ne!(lab.exchange(&request), first);
    assert_eq!(lab.model.created, 2);
}

#[test]
fn another_peer_may_use_the_same_numbers() {
    let mut lab = Lab::new();
    let request = "!/2 <mgc.test> T=77{C=-{AV=ROOT{AT{}}}}";
    for port in 1000..1010 {
        assert_eq!(lab.exchange_from(([127, 0, 0, 1], port).into(), request).len(), 1);
    }
    assert_eq!(lab.iq.counters().transactions(TransactionResult::Ok), 10);
}

#[test]
fn a_reply_after_pending_wants_to_be_acknowledged() {
    let mut lab = Lab::new();
    lab.model.slow = true;
    let request = format!("!/2 <mgc.test> T=77{{C=${{{CORE}}}}}");
    assert!(lab.exchange(&request).is_empty());
    assert_eq!(lab.exchange(&request), ["!/2 [192.0.2.20]:2944 PN=77{}"]);
    let replies = lab.confirm();
    assert!(replies[0].starts_with("!/2 [192.0.2.20]:2944 P=77{IA,C=5001{A=ip/1/core/101"), "{replies:?}");
    assert_eq!(lab.model.created, 1);
}

#[test]
fn transactions_of_one_message_are_independent() {
    let mut lab = Lab::new();
    let replies = lab
        .exchange("!/2 <mgc.test> T=1{C=9{AV=x{AT{}}}} T=2{C=-{AV=ROOT{AT{}}}} K{5} T=3{C=-{AV=ROOT{AT{}}}}");
    assert_eq!(replies.len(), 3);
    assert!(replies[0].contains("P=1{C=9{ER=411{"), "{replies:?}");
    assert!(replies[1].contains("P=2{C=-{AV=ROOT}}"));
    assert!(replies[2].contains("P=3{"));
}

#[test]
fn the_answer_is_written_as_the_question_was() {
    let mut lab = Lab::new();
    assert!(lab.exchange("!/1 <m> T=1{C=-{AV=ROOT{AT{}}}}")[0].starts_with("!/1 "));
    assert!(
        lab.exchange("MEGACO/3 <m> Transaction = 2 { Context = - { AuditValue = ROOT { Audit { } } } }")[0]
            .starts_with("MEGACO/3 [192.0.2.20]:2944\nReply = 2 {")
    );
}

#[test]
fn commands_are_counted_by_name_and_result() {
    let mut lab = Lab::new();
    lab.call();
    lab.error("C=5001{MF=ip/1/access/9}");
    let counted: Vec<_> = lab.iq.counters().commands().collect();
    assert_eq!(counted, [("add", "ok".to_owned(), 2), ("modify", "430".to_owned(), 1)]);
    assert_eq!(lab.iq.counters().transaction_durations.total(), 2);
}
