//! Audits of everything there is to audit, and wildcards whose answers are long (H.248.1 sections 7.2.3, 7.2.5 and 7.2.9).

use crate::lab::*;

#[test]
fn every_descriptor_can_be_audited_and_what_there_is_not_is_empty() {
    let mut lab = Lab::new();
    let (context, access, _) = lab.call();
    lab.ask(&format!("C={context}{{MF={access}{{E=7{{g/cause}}}}}}"));
    let reply = lab.ask(&format!("C={context}{{AV={access}{{AT{{M,MD,MX,E,SG,DM,OE,EB,SA,PG}}}}}}"));
    assert!(
        reply.starts_with(&format!("C={context}{{AV={access}{{M{{TS{{SI=IV,BF=OFF}},ST=1{{O{{MO=SR}},L{{"))
    );
    for part in [",MD,", ",MX,", ",E=7{g/cause},", ",SG,", ",DM,", ",OE,", ",EB,", "SA{nt/dur=", "PG{g-1,"] {
        assert!(reply.contains(part), "{part} in {reply}");
    }
    assert_eq!(
        lab.ask(&format!("C={context}{{AV={access}{{AT{{}}}}}}")),
        format!("C={context}{{AV={access}}}")
    );
}

#[test]
fn a_context_tells_its_properties_alone_and_of_all_contexts() {
    let mut lab = Lab::new();
    lab.ask(&format!("C=${{PR=9,EG,{CORE}}}"));
    lab.ask(&format!("C=${{{CORE}}}"));
    assert_eq!(lab.ask("C=5001{CA{PR,EG,TP}}"), "C=5001{PR=9,EG}");
    let all = lab.ask("C=*{CA{PR,EG}}");
    assert!(all.contains("C=5001{PR=9,EG}") && all.contains("C=5002{PR=0}"), "{all}");
    // Both ways is how terminations are joined; anything else is not done.
    assert_eq!(
        lab.ask("C=5001{TP{ip/1/core/101,ip/1/core/101,BW},AV=ip/1/core/101{AT{}}}"),
        "C=5001{AV=ip/1/core/101}"
    );
    assert_eq!(lab.error("C=5001{TP{ip/1/core/101,ip/1/core/9,BW},AV=ip/1/core/101{AT{}}}").0, 430);
    assert_eq!(lab.error("C=5001{TP{ip/1/core/101,ip/1/core/101,OW},AV=ip/1/core/101{AT{}}}").0, 522);
}

#[test]
fn what_cannot_be_answered_is_not_done() {
    let mut lab = Lab::new();
    for _ in 0..600 {
        lab.call();
    }
    let (code, text) = lab.error("C=*{S=*{AT{}}}");
    assert_eq!((code, text.starts_with("1200 terminations")), (533, true), "{text}");
    assert_eq!(lab.error("C=*{MF=*{M{O{MO=IN}}}}").0, 533);
    assert_eq!(lab.iq.size(), (600, 1200));
    assert_eq!(lab.ask("C=*{W-MF=*{M{O{MO=IN}}}}"), "C=*{MF=*}");
    assert_eq!(lab.ask("C=*{S=ip/*/core/*{AT{}}}").matches("S=ip/1/core/").count(), 600);
    assert_eq!(lab.iq.size(), (600, 600));
}

#[test]
fn statistics_that_do_not_fit_are_left_out_of_what_was_subtracted() {
    let mut lab = Lab::new();
    for _ in 0..300 {
        lab.call();
    }
    let reply = lab.ask("C=*{S=*}");
    assert_eq!((reply.matches("S=ip/").count(), reply.contains("ER=")), (600, false));
    assert!(!reply.contains("SA{"), "{reply}");
    assert_eq!(lab.iq.size(), (0, 0));
    // Where they fit they are told, and with W- as one sum.
    lab.call();
    assert_eq!(lab.ask("C=*{S=ip/*/core/*}").matches("SA{").count(), 1);
    lab.call();
    let reply = lab.ask("C=*{W-S=*{AT{SA{rtp/ps}}}}");
    assert_eq!(reply, "C=*{S=*{SA{rtp/ps=9030}}}");
}
