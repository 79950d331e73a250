use super::*;
use crate::command::order::{Latching, Treatment};

#[test]
fn the_local_key_protects_and_the_remote_key_checks() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let termination = bench.add(context, keyed("access", Some(KEY_1), None)).id;
    let plan = bench.plan(termination);
    assert!(plan.outbound.is_some() && plan.inbound.is_none(), "SRTP-2");
    assert_eq!(plan.treatment, Treatment::Secure);
}

#[test]
fn keys_may_come_one_by_one_and_stay() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let termination = bench.add(context, keyed("access", Some(KEY_1), None)).id;
    bench.add(context, spec("core", AVP));
    // SRTP-8: the remote one comes later, with or without the local one again.
    bench.modify(termination, keyed("access", None, Some(KEY_2))).unwrap();
    let plan = bench.plan(termination);
    assert!(plan.outbound.is_some() && plan.inbound.is_some());

    // SRTP-9: the same again is harmless; the pretend worker would object to a second session.
    let orders = bench.workers[0].changed;
    bench.modify(termination, keyed("access", Some(KEY_1), Some(KEY_2))).unwrap();
    bench.modify(termination, spec("access", SAVP)).unwrap();
    bench.turn();
    assert_eq!(bench.workers[0].changed, orders);
}

#[test]
fn a_key_once_given_is_not_changed() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let termination = bench.add(context, keyed("access", Some(KEY_1), Some(KEY_2))).id;
    let before = bench.snapshot();
    let changed = |direction| Err(Refusal::CryptoChanged(StreamId(1), direction));
    let refused = bench.modify(termination, keyed("access", Some(KEY_2), None));
    assert_eq!(refused, changed(Direction::Outbound));
    let refused = bench.modify(termination, keyed("access", Some(KEY_1), Some(KEY_1)));
    assert_eq!(refused, changed(Direction::Inbound));
    let refused = bench.modify(termination, spec("access", AVP));
    assert!(matches!(refused, Err(Refusal::FixedAtSetup(..))), "no falling back to the clear: {refused:?}");
    assert_eq!(bench.snapshot(), before);
}

#[test]
fn srtp_without_keys_is_relayed_until_somebody_has_keys() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let [access, core] = ["access", "core"].map(|realm| bench.add(context, spec(realm, SAVP)).id);
    assert_eq!(bench.plan(access).treatment, Treatment::Relay, "RLY-1");
    assert_eq!(bench.plan(core).treatment, Treatment::Relay);

    bench.modify(access, keyed("access", Some(KEY_1), Some(KEY_2))).unwrap();
    assert_eq!(bench.plan(access).treatment, Treatment::Secure);
    let core_plan = bench.plan(core);
    assert_eq!(core_plan.treatment, Treatment::Secure, "nothing passes until its keys come");
    assert!(core_plan.inbound.is_none() && core_plan.outbound.is_none());

    bench.execute(Command::Subtract(access)).unwrap();
    assert_eq!(bench.plan(core).treatment, Treatment::Relay);
}

#[test]
fn an_address_learned_before_packets_had_to_prove_themselves_is_learned_anew() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let latch = StreamSpec { latch: Some(LatchAction::Latch), ..spec("access", AVP) };
    let termination = bench.add(context, latch).id;
    assert_eq!(bench.plan(termination).latching, Latching::Once);
    bench.modify(termination, keyed("access", Some(KEY_1), Some(KEY_2))).unwrap();
    let plan = bench.plan(termination);
    assert_eq!((plan.treatment, plan.latching), (Treatment::Secure, Latching::Again));
}

#[test]
fn what_policy_forbids_is_named_and_the_key_is_not() {
    let mut bench = Bench::with(1, |config| {
        config.srtp.suites = vec![agw_srtp::Suite::AesCm128HmacSha1_80];
    });
    let context = bench.context();
    let before = bench.snapshot();
    let mut refused = |text: &str| {
        let streams = vec![(StreamId(1), keyed("access", None, Some(text)))];
        match bench.try_add(context, streams) {
            Err(refusal @ Refusal::CryptoPolicy(StreamId(1), _)) => refusal.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let short_tag = KEY_1.replace("SHA1_80", "SHA1_32");
    let texts = [
        refused(&short_tag),
        refused(&format!("{KEY_1} UNENCRYPTED_SRTP")),
        refused(&format!("{KEY_1} UNAUTHENTICATED_SRTP")),
    ];
    assert!(texts[0].contains("AES_CM_128_HMAC_SHA1_32"), "SRTP-11: {texts:?}");
    assert!(texts[1].contains("encryption"), "SRTP-5: {texts:?}");
    assert!(texts[2].contains("unauthenticated"), "SRTP-4: {texts:?}");
    assert!(texts.iter().all(|text| !text.contains("d0Rm")), "SRTP-12");
    assert_eq!(bench.snapshot(), before);
}

#[test]
fn keys_need_a_secure_profile() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    for transport in [AVP, Transport::Udp] {
        let spec = StreamSpec { transport, ..keyed("access", Some(KEY_1), None) };
        let refused = bench.try_add(context, vec![(StreamId(1), spec)]);
        assert_eq!(refused, Err(Refusal::CryptoNotAllowed(StreamId(1))));
    }
}

#[test]
fn no_key_is_kept_in_the_control_half() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    bench.add(context, keyed("access", Some(KEY_1), Some(KEY_2)));
    bench.turn();
    let streams = &bench.controller.registry.terminations().values().next().unwrap().streams;
    assert!(streams[0].keys.any() && streams[0].fresh.is_empty(), "SRTP-12: only digests are left");
}

#[test]
fn a_key_is_the_same_however_it_is_written_and_another_when_it_means_another_thing() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    let written = |tail: &str| format!("{KEY_1}{tail}");
    let first = written("|2^10|1:4 KDR=3 WSH=64");
    let termination = bench.add(context, keyed("access", None, Some(&first))).id;
    let orders = bench.workers[0].changed;
    let same = [
        first.clone(),
        written("|1024|1:4 KDR=3 WSH=64"),
        written("|1024|1:4 WSH=64 KDR=3"),
        // The tag names the attribute, not its key.
        first.replacen('1', "7", 1),
    ];
    for again in &same {
        bench.modify(termination, keyed("access", None, Some(again))).unwrap();
    }
    bench.turn();
    assert_eq!(bench.workers[0].changed, orders, "nothing was installed a second time");

    let before = bench.snapshot();
    let other_suite = first.replacen("SHA1_80", "SHA1_32", 1);
    let tails = [
        "|1025|1:4 KDR=3 WSH=64",
        "|1:4 KDR=3 WSH=64",
        "|2^10|2:4 KDR=3 WSH=64",
        "|2^10|1:2 KDR=3 WSH=64",
        "|2^10 KDR=3 WSH=64",
        "|2^10|1:4 WSH=64",
        "|2^10|1:4 KDR=3",
        "|2^10|1:4 KDR=3 WSH=64 UNENCRYPTED_SRTCP",
    ];
    for changed in tails.map(written).iter().chain([&other_suite]) {
        let refused = bench.modify(termination, keyed("access", None, Some(changed)));
        assert_eq!(
            refused,
            Err(Refusal::CryptoChanged(StreamId(1), Direction::Inbound)),
            "SRTP-9: {}",
            &changed[KEY_1.len()..]
        );
    }
    assert_eq!(bench.snapshot(), before);
}
