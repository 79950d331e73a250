//! SRTP-9, SRTP-12 and IQ-3: keys go in, come back once to whoever gave them, and are seen nowhere else.

use crate::lab::*;
use agw_iq::config::Protection;
use std::net::SocketAddr;

fn remote_with(key: &str) -> String {
    format!(
        "v=0\nc=IN IP4 203.0.113.7\nm=audio 49170 RTP/SAVP 96\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{key}"
    )
}

#[test]
fn a_key_is_echoed_to_the_command_that_set_it_and_in_no_audit() {
    let mut lab = Lab::new();
    let reply = lab.ask(&format!("C=${{{ACCESS},{CORE}}}"));
    assert_eq!(reply.matches(LOCAL_KEY).count(), 1);
    assert!(!reply.contains(REMOTE_KEY));
    for audit in [
        "C=5001{AV=*{AT{M,E,SG,SA,OE,PG}}}",
        "C=5001{AV=ip/1/access/101{AT{M{ST=1{L,R}}}}}",
        "C=*{W-AV=*{AT{M}}}",
        "C=5001{AC=ip/1/access/101{AT{M}}}",
        "C=5001{MF=ip/1/access/101{AT{M}}}",
        "C=5001{S=ip/1/access/101{AT{M,SA}}}",
    ] {
        let reply = lab.ask(audit);
        assert!(!reply.contains("inline") && !reply.contains("crypto"), "{audit}: {reply}");
        assert!(reply.contains("RTP/SAVP") || audit.contains("AC="), "{audit}: {reply}");
    }
}

#[test]
fn nothing_printed_for_people_holds_a_key() {
    let mut config = config();
    config.trace = true;
    let mut lab = Lab::with(config);
    let (context, access, _) = lab.call();
    lab.ask(&format!("C={context}{{MF={access}{{M{{ST=1{{R{{\n{}\n}}}}}}}}}}", remote_with(REMOTE_KEY)));
    lab.exchange(&format!(
        "!/2 <mgc> T=900{{C=1{{MF=x{{M{{R{{\nv=0\na=crypto:1 X inline:{OTHER_KEY}\n}}}}}}, nonsense"
    ));
    let debug = format!("{:?}", lab.iq);
    let mut seen = debug;
    let mut entries = 0;
    while let Some(entry) = lab.iq.poll_trace() {
        seen.push_str(&entry.text);
        entries += 1;
    }
    assert!(entries >= 5, "{entries}");
    assert!(seen.contains("inline:***"), "the trace shows that there was a key");
    for key in [LOCAL_KEY, REMOTE_KEY, OTHER_KEY] {
        assert!(!seen.contains(key));
    }
}

#[test]
fn a_key_under_a_mistyped_name_is_in_no_audit() {
    let mut lab = Lab::new();
    let local = format!("v=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\na=cryptic:1 X INLINE:{OTHER_KEY}|2^20");
    lab.ask(&add(&local));
    let reply = lab.ask("C=5001{AV=ip/1/access/101{AT{M}}}");
    assert!(reply.contains("a=cryptic:1 X INLINE:***|2^20"), "{reply}");
}

/// A refusal shows the value that it refuses, wherever the controller may have put a key.
#[test]
fn no_error_text_quotes_a_key() {
    let mut lab = Lab::new();
    for local in [
        format!("v=0\nc=IN IP4 $\nm=audio $ RTP/inline:{OTHER_KEY} 0"),
        format!("v=0\nc=IN IP4 inline:{OTHER_KEY}\nm=audio $ RTP/AVP 0"),
        format!("v=0\nc=IN IP4 $\nm=audio inline:{OTHER_KEY} RTP/AVP 0"),
        format!("v=0\nc=IN IP4 $\nm=inline:{OTHER_KEY} $ RTP/AVP 0"),
    ] {
        let (code, text) = lab.error(&add(&local));
        assert!(!text.contains(OTHER_KEY), "{code} {text}");
    }
    let (code, text) = lab.error(&add_with(&format!("ds/dscp=\"inline:{OTHER_KEY}\"")));
    assert!(text.contains("inline:***"), "{code} {text}");
}

#[test]
fn a_changed_attribute_is_refused_and_the_same_one_is_harmless() {
    let mut lab = Lab::new();
    let (context, access, _) = lab.call();
    let modify = |key: &str| {
        format!("C={context}{{MF={access}{{M{{ST=1{{O{{MO=IN}},R{{\n{}\n}}}}}}}}}}", remote_with(key))
    };
    let (code, text) = lab.error(&modify(OTHER_KEY));
    assert_eq!((code, text.as_str()), (473, "stream 1: a=crypto of Remote was changed"));
    assert_eq!(lab.model.spec(101, 1).mode, agw_core::model::Mode::SendReceive, "all or nothing");
    assert_eq!(lab.ask(&modify(REMOTE_KEY)), format!("C={context}{{MF={access}}}"));

    let without = remote_with(REMOTE_KEY).lines().take(3).collect::<Vec<_>>().join("\n");
    let (code, text) = lab.error(&format!("C={context}{{MF={access}{{M{{ST=1{{R{{\n{without}\n}}}}}}}}}}"));
    assert_eq!((code, text.as_str()), (473, "a=crypto of Remote was taken away"));
}

#[test]
fn the_local_attribute_may_come_before_the_remote_one() {
    let mut lab = Lab::new();
    let local = format!(
        "v=0\nc=IN IP4 $\nm=audio $ RTP/SAVP 96\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{LOCAL_KEY}"
    );
    lab.ask(&add(&local));
    assert!(lab.model.spec(101, 1).security.remote.is_none());
    lab.ask(&format!("C=5001{{MF=ip/1/access/101{{M{{ST=1{{R{{\n{}\n}}}}}}}}}}", remote_with(REMOTE_KEY)));
    let security = &lab.model.spec(101, 1).security;
    assert!(security.local.is_some() && security.remote.is_some());
}

#[test]
fn keys_over_unprotected_iq_are_refused_unless_overridden() {
    let away: SocketAddr = "192.0.2.10:2944".parse().unwrap();
    let request = format!("!/2 <mgc.test> T=77{{C=${{{ACCESS}}}}}");
    let answer = |protection: Protection, overridden: bool| {
        let mut config = crate::association::controlled(&["192.0.2.10:2944"]);
        config.protection = protection;
        config.allow_unprotected_keys = overridden;
        let mut lab = Lab::with(config);
        crate::association::register(&mut lab, away);
        lab.exchange_from(away, &request).remove(0).1
    };
    let refused = answer(Protection::None, false);
    assert!(refused.contains("ER=449{") || refused.contains("Error = 449"), "{refused}");
    assert!(refused.contains("iq.protected_by"), "{refused}");
    assert!(!refused.contains(LOCAL_KEY));
    for (protection, overridden) in [(Protection::None, true), (Protection::Ipsec, false)] {
        let taken = answer(protection, overridden);
        assert!(taken.contains(LOCAL_KEY), "{taken}");
    }
}
