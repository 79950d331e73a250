//! The procedures of a call, request by request (TS 23.334 clauses 6.2 and 8; TS 29.334 clause 5.8).

use crate::lab::*;
use agw_core::model::*;
use std::time::Duration;

#[test]
fn a_call_of_two_terminations_gets_addresses_for_its_holes() {
    let mut lab = Lab::new();
    let reply = lab.ask(&format!("C=${{{ACCESS},{CORE}}}"));
    assert_eq!(
        reply,
        "C=5001{A=ip/1/access/101{M{ST=1{L{\nv=0\nc=IN IP4 198.51.100.20\nm=audio 30000 RTP/SAVP 96\n\
         a=rtpmap:96 AMR/8000\n\
         a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\n}}}},\
         A=ip/1/core/102{M{ST=1{L{\nv=0\nc=IN IP6 2001:db8:1::20\nm=audio 30002 RTP/AVP 96\na=rtpmap:96 AMR/8000\n}}}}}"
    );
    let access = lab.model.spec(101, 1);
    assert_eq!(access.transport, Transport::Rtp { secure: true, feedback: false });
    assert_eq!(access.mode, Mode::SendReceive);
    assert_eq!(access.clock_rate_hz, Some(8000));
    assert_eq!(access.rtcp, RtcpPorts::Pair);
    assert_eq!(access.remote.expect("given").rtp, "203.0.113.7:49170".parse().unwrap());
    // SRTP-2: Local's key is for what we send, Remote's for what we receive.
    let key = |attribute: &Option<CryptoAttribute>| attribute.as_ref().expect("given").print();
    assert!(key(&access.security.local).contains(LOCAL_KEY));
    assert!(key(&access.security.remote).contains(REMOTE_KEY));
    assert_eq!(lab.model.spec(102, 1).family, Some(Family::V6));
    assert_eq!(lab.iq.size(), (1, 2));
}

#[test]
fn session_lines_are_added_where_the_switch_says() {
    let mut config = config();
    config.reply.session_lines = true;
    let mut lab = Lab::with(config);
    let reply = lab.ask(&add("v=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0"));
    let sdp =
        "v=0\no=- 0 0 IN IP4 198.51.100.20\ns=-\nc=IN IP4 198.51.100.20\nt=0 0\nm=audio 30000 RTP/AVP 0\n";
    assert!(reply.contains(sdp), "{reply}");
}

#[test]
fn a_modify_keeps_what_it_does_not_name() {
    let mut lab = Lab::new();
    let (context, access, _) = lab.call();
    let before = lab.model.spec(101, 1).clone();
    let remote =
        "v=0\nc=IN IP4 203.0.113.7\nm=audio 49180 RTP/SAVP 96\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:";
    let reply = lab.ask(&format!("C={context}{{MF={access}{{M{{ST=1{{R{{\n{remote}{REMOTE_KEY}\n}}}}}}}}}}"));
    assert_eq!(reply, format!("C={context}{{MF={access}}}"));
    let after = lab.model.spec(101, 1);
    assert_eq!(after.remote.expect("given").rtp.port(), 49180);
    assert_eq!((after.mode, after.transport, &after.realm), (before.mode, before.transport, &before.realm));
    assert_eq!(after.security, before.security);

    let reply = lab.ask(&format!("C={context}{{MF={access}{{M{{O{{MO=IN}}}}}}}}"));
    assert_eq!(reply, format!("C={context}{{MF={access}}}"));
    let after = lab.model.spec(101, 1);
    assert_eq!((after.mode, after.remote.expect("kept").rtp.port()), (Mode::Inactive, 49180));
}

#[test]
fn an_empty_remote_takes_the_address_away() {
    let mut lab = Lab::new();
    let (context, access, _) = lab.call();
    lab.ask(&format!("C={context}{{MF={access}{{M{{ST=1{{R{{}}}}}}}}}}"));
    assert_eq!(lab.model.spec(101, 1).remote, None);
}

#[test]
fn port_zero_switches_a_stream_off_and_on_again() {
    let mut lab = Lab::new();
    let (context, _, core) = lab.call();
    let mut remote = |port: u16| {
        let sdp = format!("v=0\nc=IN IP6 2001:db8::7\nm=audio {port} RTP/AVP 96");
        lab.ask(&format!("C={context}{{MF={core}{{M{{ST=1{{R{{\n{sdp}\n}}}}}}}}}}"));
        (lab.model.spec(102, 1).mode, lab.model.spec(102, 1).remote.is_some())
    };
    assert_eq!(remote(6000), (Mode::SendReceive, true));
    assert_eq!(remote(0), (Mode::Inactive, false));
    assert_eq!(remote(6000), (Mode::SendReceive, true));
}

#[test]
fn a_subtract_returns_statistics_unless_told_not_to() {
    let mut lab = Lab::new();
    let (context, access, core) = lab.call();
    let reply = lab.ask(&format!("C={context}{{S={access},S={core}{{AT{{}}}}}}"));
    assert_eq!(
        reply,
        format!(
            "C={context}{{S={access}{{SA{{nt/dur=61234,nt/os=482100,nt/or=480900,rtp/ps=3010,rtp/pr=3004,rtp/pl=0.1,\
             rtp/jit=3,rtp/delay=40,gm/dp=2}}}},S={core}}}"
        )
    );
    assert_eq!(lab.iq.size(), (0, 0));
    assert!(lab.model.contexts.is_empty() && lab.model.terminations.is_empty());
}

#[test]
fn single_statistics_come_in_the_order_asked() {
    let mut lab = Lab::new();
    let (context, access, _) = lab.call();
    let reply = lab.ask(&format!("C={context}{{AV={access}{{AT{{SA{{rtp/ps}},SA{{nt/or}}}}}}}}"));
    assert_eq!(reply, format!("C={context}{{AV={access}{{SA{{rtp/ps=3010,nt/or=480900}}}}}}"));
}

#[test]
fn everything_goes_with_one_wildcard_and_one_answer() {
    let mut lab = Lab::new();
    for _ in 0..3 {
        lab.call();
    }
    assert_eq!(lab.ask("C=*{W-S=*{AT{}}}"), "C=*{S=*}");
    assert_eq!(lab.iq.size(), (0, 0));
    assert!(lab.model.terminations.is_empty());
}

#[test]
fn a_wildcarded_subtract_adds_statistics_up() {
    let mut lab = Lab::new();
    let (context, ..) = lab.call();
    let reply = lab.ask(&format!("C={context}{{W-S=ip/1/*/*}}"));
    assert!(
        reply.starts_with(&format!("C={context}{{S=ip/1/*/*{{SA{{nt/dur=61234,nt/os=964200,")),
        "{reply}"
    );
}

#[test]
fn without_w_each_termination_answers_in_its_context() {
    let mut lab = Lab::new();
    lab.call();
    lab.call();
    assert_eq!(lab.ask("C=*{S=ip/*/core/*{AT{}}}"), "C=5001{S=ip/1/core/102},C=5002{S=ip/1/core/104}");
    assert_eq!(lab.iq.size(), (2, 2));
}

#[test]
fn a_very_large_wildcard_is_executed_in_portions() {
    let mut lab = Lab::new();
    for _ in 0..700 {
        lab.call();
    }
    lab.model.slow = true;
    assert!(lab.exchange("!/2 <mgc.test> T=9999{C=*{W-S=*{AT{}}}}").is_empty());
    let left = lab.model.terminations.len();
    assert!((1..1400).contains(&left), "the first portion only: {left}");
    let mut replies = Vec::new();
    for _ in 0..10 {
        replies.extend(lab.confirm());
    }
    assert_eq!(replies, ["!/2 [192.0.2.20]:2944 P=9999{C=*{S=*}}"]);
    assert!(lab.model.terminations.is_empty());
}

#[test]
fn a_termination_moves_with_its_streams() {
    let mut lab = Lab::new();
    let (_, access, _) = lab.call();
    let (_, _, core) = lab.call();
    let reply = lab.ask(&format!("C=${{MV={access},MV={core}}}"));
    assert_eq!(reply, format!("C=5003{{MV={access},MV={core}}}"));
    assert_eq!(lab.model.contexts[&5003].len(), 2);
    assert_eq!(lab.error(&format!("C=5001{{S={access}}}")).0, 435);
    assert_eq!(lab.iq.size(), (3, 4));
}

/// The context that it would leave empty is still there afterwards.
#[test]
fn a_refused_change_on_the_way_refuses_the_move() {
    let mut lab = Lab::new();
    let reply = lab.ask(&format!("C=${{{ACCESS}}}"));
    assert!(reply.starts_with("C=5001{A=ip/1/access/101{"), "{reply}");
    let remote = format!(
        "v=0\nc=IN IP4 203.0.113.7\nm=audio 49170 RTP/SAVP 96\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{OTHER_KEY}"
    );
    let moved = format!("C=${{MV=ip/1/access/101{{M{{ST=1{{R{{\n{remote}\n}}}}}}}}}}");
    assert_eq!(lab.error(&moved).0, 473);
    assert_eq!(lab.model.contexts.keys().collect::<Vec<_>>(), [&5001]);
    assert_eq!(lab.ask("C=5001{AV=ip/1/access/101{AT{}}}"), "C=5001{AV=ip/1/access/101}");
}

#[test]
fn a_move_to_where_it_is_changes_nothing() {
    let mut lab = Lab::new();
    lab.ask(&format!("C=${{PR=7,{ACCESS}}}"));
    assert_eq!(lab.ask("C=5001{MV=ip/1/access/101}"), "C=5001{MV=ip/1/access/101}");
    let reply = lab.ask("C=5001{CA{PR}}");
    assert!(reply.contains("PR=7"), "{reply}");
}

#[test]
fn a_refused_move_leaves_everything_where_it_was() {
    let mut lab = Lab::new();
    let (context, access, _) = lab.call();
    lab.call();
    assert_eq!(lab.error(&format!("C=5002{{MV={access}}}")).0, 434);
    let bad = format!("C=${{MV={access}{{M{{O{{ipdc/realm=\"core\"}}}}}}}}");
    assert_eq!(lab.error(&bad).0, 473);
    assert_eq!(
        lab.ask(&format!("C={context}{{AV={access}{{AT{{}}}}}}")),
        format!("C={context}{{AV={access}}}")
    );
    assert_eq!(lab.model.contexts.len(), 2, "no context is left of the refused one");
}

#[test]
fn a_context_carries_priority_and_emergency() {
    let mut lab = Lab::new();
    let reply = lab.ask(&format!("C=${{EG,PR=7,{CORE}}}"));
    assert!(reply.starts_with("C=5001{A=ip/1/core/101"), "{reply}");
    assert_eq!(lab.model.attributes[&5001], ContextAttributes { priority: 7, emergency: true });
    assert_eq!(lab.ask("C=5001{CA{PR,EG}}"), "C=5001{PR=7,EG}");
    assert_eq!(lab.ask("C=5001{PR=9,CA{PR}}"), "C=5001{PR=9}");
    assert_eq!(lab.model.attributes[&5001].priority, 9);
    assert_eq!(lab.ask("C=*{CA{PR}}"), "C=5001{PR=9}");
}

#[test]
fn properties_reach_the_model() {
    let mut lab = Lab::new();
    lab.ask(&add_with(
        "MO=RC,ds/dscp=0x2E,gm/saf=ON,gm/sam=\"203.0.113.0/24\",gm/spf=ON,gm/spr=\"1000-2000\"",
    ));
    let spec = lab.model.spec(101, 1);
    assert_eq!((spec.mode, spec.dscp), (Mode::ReceiveOnly, Some(46)));
    assert_eq!(spec.filter.addresses, SourceRule::listed(AddressMask::new([203, 0, 113, 0].into(), 24)));
    assert_eq!(spec.filter.ports, SourceRule::listed(PortRange::new(1000, 2000)));
}

#[test]
fn filters_without_values_follow_the_peer() {
    let mut lab = Lab::new();
    let stream = |signals: &str| {
        format!(
            "C=${{A=ip/1/access/${{M{{ST=1{{O{{gm/saf=ON,gm/spf=ON}},L{{\nv=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\n}},R{{\nv=0\nc=IN IP4 203.0.113.7\nm=audio 5000 RTP/AVP 0\n}}}}}}{signals}}}}}"
        )
    };
    lab.ask(&stream(""));
    let follow = SourceFilter { addresses: SourceRule::Peer, ports: SourceRule::Peer };
    assert_eq!(lab.model.spec(101, 1).filter, follow);
    // What is learned takes Remote's place as soon as there is something.
    lab.ask(&stream(",SG{ipnapt/latch{napt=LATCH}}"));
    assert_eq!(lab.model.spec(102, 1).filter, follow);
    assert_eq!(lab.model.spec(102, 1).latch, Some(LatchAction::Latch));
}

#[test]
fn latching_is_an_action_and_not_repeated() {
    let mut lab = Lab::new();
    let (context, access, _) = lab.call();
    lab.ask(&format!("C={context}{{MF={access}{{SG{{ipnapt/latch{{napt=relatch,ST=1}}}}}}}}"));
    assert_eq!(lab.model.spec(101, 1).latch, Some(LatchAction::Relatch));
    lab.ask(&format!("C={context}{{MF={access}{{M{{ST=1{{O{{MO=SO}}}}}}}}}}"));
    assert_eq!(lab.model.spec(101, 1).latch, None);
}

#[test]
fn rtcp_ports_follow_rsb_and_mux() {
    let mut lab = Lab::new();
    lab.ask(&add_with("rtcph/rsb=OFF"));
    assert_eq!(lab.model.spec(101, 1).rtcp, RtcpPorts::None);
    let both = "C=$ {A=ip/1/access/${M{ST=1{O{rtcph/rsb=OFF},L{\nv=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\na=rtcp-mux\n},R{\nv=0\nc=IN IP4 203.0.113.7\nm=audio 5000 RTP/AVP 0\na=rtcp-mux\n}}}}}";
    lab.ask(both);
    assert_eq!(lab.model.spec(102, 1).rtcp, RtcpPorts::Mux);
    lab.ask(&add("v=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\na=rtcp-mux"));
    assert_eq!(lab.model.spec(103, 1).rtcp, RtcpPorts::Pair, "not agreed yet");
}

#[test]
fn remote_rtcp_may_be_elsewhere() {
    let mut lab = Lab::new();
    lab.ask("C=${A=ip/1/access/${M{ST=1{L{\nv=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\na=rtcp:$\n},R{\nv=0\nc=IN IP4 203.0.113.7\nm=audio 5000 RTP/AVP 0\na=rtcp:7001 IN IP4 203.0.113.8\n}}}}}");
    assert_eq!(lab.model.spec(101, 1).remote.expect("given").rtcp, Some("203.0.113.8:7001".parse().unwrap()));
}

#[test]
fn the_first_alternative_that_can_be_done_is_taken() {
    let mut lab = Lab::new();
    let reply = lab.ask(&add(
        "v=0\nc=IN IP4 $\nm=audio $ UDP/DTLS/SCTP 0\nv=0\nc=IN IP4 $\nm=audio $ RTP/AVP 8\nv=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0",
    ));
    assert!(reply.contains("m=audio 30000 RTP/AVP 8\n") && !reply.contains("RTP/AVP 0"), "{reply}");
}

#[test]
fn what_is_left_to_the_gateway_is_answered() {
    let mut lab = Lab::new();
    let reply = lab.ask(&add_with("MO=SR,ipdc/realm=$"));
    assert!(reply.contains("O{ipdc/realm=\"access\"},L{"), "{reply}");
    let reply = lab.ask(&add_with("gm/saf={ON,OFF}"));
    assert!(reply.contains("O{gm/saf=ON},L{"), "{reply}");
}

#[test]
fn a_realm_is_named_by_interface_or_property() {
    let mut lab = Lab::new();
    let add = |name: &str, control: &str| {
        format!("C=${{A={name}{{M{{ST=1{{O{{{control}}},L{{\nv=0\nc=IN $ $\nm=audio $ RTP/AVP 0\n}}}}}}}}}}")
    };
    for (name, control, expected) in [
        ("ip/1/core/$", "MO=IN", "ip/1/core/101"),
        ("ip/2/$/$", "ipdc/realm=\"core\"", "ip/2/core/102"),
        ("ip/$/$/$", "MO=IN", "ip/1/access/103"),
        ("$", "ipdc/realm=\"CORE1\"", "ip/1/core1/104"),
        ("ip/1/core/$", "ipdc/realm=\"core\"", "ip/1/core/105"),
    ] {
        let reply = lab.ask(&add(name, control));
        assert!(reply.contains(&format!("A={expected}{{")), "{name} {control}: {reply}");
    }
    assert_eq!(lab.error(&add("ip/1/core/$", "ipdc/realm=\"access\"")).0, 473);
    assert_eq!(
        lab.error(&add("ip/1/$/$", "ipdc/realm=\"nowhere\"")),
        (449, "ipdc/realm = nowhere".to_owned())
    );
}

#[test]
fn opaque_datagrams_pass_as_udp() {
    let mut lab = Lab::new();
    lab.ask(&add("v=0\nc=IN IP4 $\nm=image $ udptl t38"));
    assert_eq!(lab.model.spec(101, 1).transport, Transport::Udp);
    lab.ask(&add("v=0\nc=IN IP4 $\nm=- $ UDP -"));
    assert_eq!(
        (lab.model.spec(102, 1).transport, lab.model.spec(102, 1).rtcp),
        (Transport::Udp, RtcpPorts::None)
    );
}

#[test]
fn several_streams_keep_their_numbers() {
    let mut lab = Lab::new();
    let sdp = |kind: &str| format!("L{{\nv=0\nc=IN IP4 $\nm={kind} $ RTP/AVP 96\n}}");
    let reply =
        lab.ask(&format!("C=${{A=ip/1/access/${{M{{ST=1{{{}}},ST=2{{{}}}}}}}}}", sdp("audio"), sdp("video")));
    assert!(
        reply.contains("ST=1{L{\nv=0\nc=IN IP4 198.51.100.20\nm=audio 30000") && reply.contains("ST=2{L{"),
        "{reply}"
    );
    assert_eq!(lab.error("C=5001{MF=ip/1/access/101{M{O{MO=IN}}}}").0, 472, "which stream?");
}

#[test]
fn the_form_without_stream_numbers_is_answered_in_kind() {
    let mut lab = Lab::new();
    let reply = lab.ask("C=${A=ip/1/access/${M{O{MO=SR},L{\nv=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\n}}}}");
    assert_eq!(
        reply,
        "C=5001{A=ip/1/access/101{M{L{\nv=0\nc=IN IP4 198.51.100.20\nm=audio 30000 RTP/AVP 0\n}}}}"
    );
}

#[test]
fn an_audit_shows_what_was_set() {
    let mut lab = Lab::new();
    let (context, _, core) = lab.call();
    lab.ask(&format!("C={context}{{MF={core}{{M{{O{{tman/pol=ON,tman/sdr=10000,tman/mbs=1500}}}},E=7{{g/cause,hangterm/thb{{timerx=300}}}}}}}}"));
    let reply = lab.ask(&format!("C={context}{{AV={core}{{AT{{M,E,SG}}}}}}"));
    assert_eq!(
        reply,
        format!(
            "C={context}{{AV={core}{{M{{TS{{SI=IV,BF=OFF}},ST=1{{O{{MO=SR,tman/pol=ON,tman/sdr=10000,tman/mbs=1500}},\
             L{{\nv=0\nc=IN IP6 2001:db8:1::20\nm=audio 30002 RTP/AVP 96\na=rtpmap:96 AMR/8000\n}}}}}},\
             E=7{{g/cause,hangterm/thb{{timerx=300}}}},SG}}}}"
        )
    );
}

#[test]
fn single_properties_can_be_audited() {
    let mut lab = Lab::new();
    let (context, access, _) = lab.call();
    let reply = lab.ask(&format!("C={context}{{AV={access}{{AT{{M{{ST=1{{O{{ipdc/realm}}}}}}}}}}}}"));
    assert_eq!(reply, format!("C={context}{{AV={access}{{M{{ST=1{{O{{ipdc/realm=\"access\"}}}}}}}}}}"));
    assert_eq!(lab.error(&format!("C={context}{{AV={access}{{AT{{M{{ST=1{{O{{gm/sam}}}}}}}}}}}}")).0, 532);
}

#[test]
fn root_answers_for_the_gateway() {
    let mut lab = Lab::new();
    assert_eq!(lab.ask("C=-{AV=ROOT{AT{}}}"), "C=-{AV=ROOT}");
    let packages = lab.ask("C=-{AV=ROOT{AT{PG}}}");
    assert!(packages.starts_with("C=-{AV=ROOT{PG{g-1,root-2,nt-1,rtp-1,"), "{packages}");
    let media = lab.ask("C=-{AV=ROOT{AT{M}}}");
    assert!(
        media.contains("root/maxTerminationsPerContext=2")
            && media.contains("root/MGOriginatedPendingLimit=10"),
        "{media}"
    );
    assert_eq!(lab.ask("C=-{MF=ROOT{M{TS{root/MGOriginatedPendingLimit=3}}}}"), "C=-{MF=ROOT}");
    assert!(lab.ask("C=-{AV=ROOT{AT{M}}}").contains("root/MGOriginatedPendingLimit=3"));
    assert_eq!(lab.ask("C=*{AV=ROOT{AT{}}}"), "C=*{AV=ROOT}");
    lab.call();
    lab.call();
    assert_eq!(lab.ask("C=*{AV=ROOT{AT{}}}"), "C=5001{AV=ROOT},C=5002{AV=ROOT}");
}

#[test]
fn a_specific_termination_is_found_in_all_contexts() {
    let mut lab = Lab::new();
    let (context, access, _) = lab.call();
    assert_eq!(lab.ask(&format!("C=*{{AV={access}{{AT{{}}}}}}")), format!("C={context}{{AV={access}}}"));
    assert_eq!(lab.ask("C=*{W-AV=ip/*/access/*{AT{PG}}}").matches("PG{").count(), 1);
}

#[test]
fn capabilities_come_from_the_registry() {
    let mut lab = Lab::new();
    let reply = lab.ask("C=-{AC=ROOT{AT{M,E,SG,SA}}}");
    assert!(reply.contains("ipdc/realm={\"access\",\"core\",\"access1\",\"core1\"}"), "{reply}");
    for event in [
        "E=*{g/cause,g/sc,",
        "hangterm/thb{timerx=[1:1000000]}",
        "adid/ipstop{dt=[1:86400],dir={IN,OUT,BOTH}}",
        "it/ito{mit=[1:4294967295]}",
    ] {
        assert!(reply.contains(event), "{event}: {reply}");
    }
    assert!(!reply.contains("nt/netfail"), "what is not detected is not promised: {reply}");
    assert!(reply.contains("SG{ipnapt/latch{napt={OFF,LATCH,RELATCH}},"), "{reply}");
    assert!(reply.contains("SA{nt/dur,nt/os,"), "{reply}");
    let (context, access, _) = lab.call();
    let reply = lab.ask(&format!("C={context}{{AC={access}{{AT{{E}}}}}}"));
    assert!(!reply.contains("it/ito"), "an event of ROOT: {reply}");
    let mut packages = |target: &str| lab.ask(&format!("{target}{{AT{{PG}}}}}}"));
    let [root, own] = [packages("C=-{AV=ROOT"), packages(&format!("C={context}{{AV={access}"))];
    assert!(root.contains("root-2,") && root.contains("it-1"), "{root}");
    assert!(!own.contains("root-2") && !own.contains("it-1"), "packages of ROOT alone: {own}");
    assert!(own.contains("adid-1") && !root.contains("mgroup"), "{own}");
}

#[test]
fn processing_stops_at_the_first_failure_and_what_came_before_stands() {
    let mut lab = Lab::new();
    let (context, access, core) = lab.call();
    let modify = |name: &str| format!("MF={name}{{M{{O{{MO=IN}}}}}}");
    let reply = lab.ask(&format!("C={context}{{{},MF=ip/1/access/9,{}}}", modify(&access), modify(&core)));
    assert_eq!(reply, format!("C={context}{{MF={access},MF=ip/1/access/9{{ER=430{{\"ip/1/access/9\"}}}}}}"));
    assert_eq!(lab.model.spec(101, 1).mode, Mode::Inactive);
    assert_eq!(lab.model.spec(102, 1).mode, Mode::SendReceive);
    let reply =
        lab.ask(&format!("C={context}{{O-MF=ip/1/access/9,{}}},C=-{{AV=ROOT{{AT{{}}}}}}", modify(&core)));
    assert_eq!(
        reply,
        format!("C={context}{{MF=ip/1/access/9{{ER=430{{\"ip/1/access/9\"}}}},MF={core}}},C=-{{AV=ROOT}}")
    );
    assert_eq!(lab.model.spec(102, 1).mode, Mode::Inactive);
}

#[test]
fn an_audit_that_names_nothing_is_refused_before_anything_is_done() {
    let mut lab = Lab::new();
    let local = "L{\nv=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\n}";
    let add = |audit: &str| format!("C=${{A=ip/1/access/${{M{{ST=1{{{local}}}}},AT{{{audit}}}}}}}");
    for (audit, code) in [("SA{rtp/foo}", 453), ("SA{foo/ps}", 440), ("E{g/foo}", 451), ("PG{foo-1}", 532)] {
        assert_eq!(lab.error(&add(audit)).0, code, "{audit}");
        assert_eq!((lab.iq.size(), lab.model.created), ((0, 0), 0), "{audit}");
    }
    let reply = lab.ask(&add("SA,PG"));
    assert!(reply.contains("PG{g-1") && reply.contains("SA{nt/dur="), "{reply}");
}

#[test]
fn a_context_emptied_by_a_refusal_goes() {
    let mut lab = Lab::new();
    let reply = lab.ask(&add("v=0\nc=IN IP6 $\nm=audio $ RTP/AVP 0"));
    assert!(reply.starts_with("C=${A=ip/1/access/${ER=449{"), "{reply}");
    assert!(lab.model.contexts.is_empty());
    assert_eq!(lab.iq.size(), (0, 0));
    // A second termination that is refused leaves the first and its context.
    let second = "A=ip/1/core/${M{ST=1{L{\nv=0\nc=IN IP4 192.0.2.99\nm=audio $ RTP/AVP 0\n}}}}";
    let reply = lab.ask(&format!("C=${{{CORE},{second}}}"));
    assert!(reply.contains("ER=449{"), "{reply}");
    assert_eq!(lab.iq.size(), (1, 1));
}

#[test]
fn the_reply_waits_for_the_workers() {
    let mut lab = Lab::new();
    lab.model.slow = true;
    assert!(lab.exchange(&format!("!/2 <mgc.test> T=77{{C=${{{ACCESS},{CORE}}}}}")).is_empty());
    let replies = lab.confirm();
    assert!(replies[0].starts_with("!/2 [192.0.2.20]:2944 P=77{C=5001{A=ip/1/access/101{"), "{replies:?}");
    assert_eq!(lab.pass(Duration::from_secs(9)), [], "nothing is pending any more");
}
