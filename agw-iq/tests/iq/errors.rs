//! Every error code that the gateway can send, with the request that earns it and the value that it names.

use crate::lab::*;
use agw_core::command::Refusal;
use agw_core::model::*;
use std::time::Duration;

/// Requests on a laboratory in which context 5001 holds `ip/1/access/101` (secured) and `ip/1/core/102`.
const REFUSED: &[(&str, u16, &str)] = &[
    ("C=1{MF=ip/1/access/101}", 411, "1"),
    ("C=5001{MF=ip/1/$/101}", 410, "ip/1/$/101"),
    ("C=5001{S=$}", 410, "$"),
    ("C=*{A=ip/1/access/$}", 421, "Add needs one context"),
    ("C=-{A=ip/1/access/$}", 421, "Add needs one context"),
    ("C=${AV=ip/1/access/101{AT{}}}", 421, "Context = $"),
    ("C=-{CA{PR}}", 421, "ContextAudit"),
    ("C=-{PR=3,AV=ROOT{AT{}}}", 421, "properties"),
    ("C=5001{MF=ip/1/access/9}", 430, "ip/1/access/9"),
    ("C=5001{MF=ip/2/access/101}", 430, "ip/2/access/101"),
    ("C=5001{MF=aln/1}", 430, "aln/1"),
    ("C=5001{A=ip/1/access/7{M{ST=1{O{MO=IN}}}}}", 430, "ip/1/access/7"),
    ("C=-{AV=ip/1/access/99{AT{SA}}}", 430, "ip/1/access/99"),
    ("C=5001{S=ip/9/*/*}", 431, "ip/9/*/*"),
    ("C=-{S=*}", 431, "*"),
    ("C=5001{A=*}", 431, "*"),
    ("C=5001{A=ip/1/access/101{M{ST=1{O{MO=IN}}}}}", 433, "ip/1/access/101"),
    ("C=-{S=ip/1/access/101}", 435, "ip/1/access/101"),
    ("C=5001{MF=ip/1/access/101{M{O{foo/bar=1}}}}", 440, "foo"),
    ("C=5001{MF=ip/1/access/101{E=1{foo/bar}}}", 440, "foo"),
    ("C=5001{MF=ip/1/access/101{SG{foo/bar}}}", 440, "foo"),
    ("C=5001{AV=ip/1/access/101{AT{SA{foo/bar}}}}", 440, "foo"),
    ("C=5001{MF=ip/1/access/101{M{ST=2{O{MO=IN}}}}}", 441, "Missing"),
    ("C=5001{N=ip/1/access/101{OE=1{g/cause}}}", 443, "Notify"),
    ("C=5001{MF=ip/1/access/101{MD=V18}}", 444, "Modem"),
    ("C=5001{MF=ip/1/access/101{MX=H221{ip/1/core/102}}}", 444, "Mux"),
    ("C=5001{MF=ip/1/access/101{DM=x{(1)}}}", 444, "DigitMap"),
    ("C=5001{MF=ip/1/access/101{EB{nt/netfail}}}", 512, "nt/netfail"),
    ("C=5001{MF=ip/1/access/101{M{O{nt/jit=4}}}}", 445, "nt/jit"),
    ("C=5001{MF=ip/1/access/101{E=1{hangterm/thb{foo=1}}}}", 446, "hangterm/thb foo"),
    ("C=5001{MF=ip/1/access/101{SG{ipnapt/latch{napt=OFF,foo=1}}}}", 446, "ipnapt/latch foo"),
    ("C=-{AC=ROOT{AT{PG}}}", 447, "Packages in AuditCapability"),
    ("C=-{MF=ROOT{SG{ipnapt/latch{napt=OFF}}}}", 447, "Signals on ROOT"),
    ("C=5001{MF=ip/1/access/101{M{ST=1{O{MO=IN}},ST=1{O{MO=IN}}}}}", 448, ""),
    ("C=5001{MF=ip/1/access/101{M{O{ds/dscp=99}}}}", 449, "ds/dscp = 99"),
    ("C=5001{MF=ip/1/access/101{M{O{gm/saf=MAYBE}}}}", 449, "gm/saf = MAYBE"),
    ("C=5001{MF=ip/1/access/101{M{O{gm/sam=\"x.example\"}}}}", 449, "gm/sam = x.example"),
    ("C=5001{MF=ip/1/access/101{M{O{gm/spr=\"9-1\"}}}}", 449, "gm/spr = 9-1"),
    ("C=5001{MF=ip/1/access/101{M{O{tman/sdr=fast}}}}", 449, "tman/sdr = fast"),
    ("C=5001{MF=ip/1/access/101{M{O{ipdc/realm=\"moon\"}}}}", 449, "ipdc/realm = moon"),
    ("C=5001{MF=ip/1/access/101{SG{ipnapt/latch{napt=OFF,ST=9}}}}", 449, "Stream = 9"),
    ("C=5001{MF=ip/1/access/101{E=1{g/cause{ST=9}}}}", 449, "Stream = 9"),
    ("C=5001{PR=16,MF=ip/1/access/101}", 449, ""),
    ("C=5001{MF=ip/1/access/101{M{O{gm/foo=1}}}}", 450, "gm/foo"),
    ("C=5001{MF=ip/1/access/101{E=1{g/foo}}}", 451, "g/foo"),
    ("C=5001{MF=ip/1/access/101{SG{ipnapt/foo}}}", 452, "ipnapt/foo"),
    ("C=5001{AV=ip/1/access/101{AT{SA{rtp/foo}}}}", 453, "rtp/foo"),
    ("C=5001{MF=ip/1/access/101{SG{ipnapt/latch{napt=MAYBE}}}}", 454, "ipnapt/latch napt = MAYBE"),
    ("C=5001{MF=ip/1/access/101{E=1{hangterm/thb{timerx=0}}}}", 454, "hangterm/thb timerx = 0"),
    ("C=5001{MF=ip/1/access/101{M{O{root/normalMGExecutionTime=4}}}}", 455, "root/normalMGExecutionTime"),
    ("C=5001{MF=ip/1/access/101{M{TS{gm/saf=ON}}}}", 455, "gm/saf"),
    ("C=5001{MF=ip/1/access/101{M{O{gm/saf=ON,GM/SAF=ON}}}}", 456, ""),
    ("C=5001{MF=ip/1/access/101{SG{ipnapt/latch}}}", 457, "ipnapt/latch napt"),
    ("C=5001{A=ip/1/access/$}", 472, "no stream in Media"),
    ("C=5001{MF=ip/1/access/101{M{O{ipdc/realm=\"core\"}}}}", 473, "the realm cannot change"),
    ("C=-{SC=ROOT{SV{MT=FL,RE=\"909 x\"}}}", 501, "ServiceChangeMethod"),
    ("C=5001{SC=ip/1/access/101{SV{MT=DC,RE=\"900 x\"}}}", 501, "ServiceChangeMethod"),
    ("C=5001{MF=ip/1/access/101{M{TS{SI=OS}}}}", 501, "ServiceStates"),
    ("C=5001{MF=ip/1/access/101{E=1{g/cause{EM{SG{SL=1{ipnapt/latch{napt=OFF}}}}}}}}", 501, "SignalList"),
    ("C=5001{MF=ip/1/access/101{SG{SL=1{ipnapt/latch{napt=OFF}}}}}", 501, "SignalList"),
    ("C=5001{MF=ip/1/access/101{E=1{nt/netfail}}}", 512, "nt/netfail"),
    ("C=5001{MF=ip/1/access/101{E=1{nt/qualert{th=50}}}}", 512, "nt/qualert"),
    ("C=-{MF=ROOT{E=1{g/cause}}}", 512, "g/cause on ROOT"),
    ("C=5001{MF=ip/1/access/101{SG{tlsbsc/EstBNC}}}", 513, "tlsbsc/EstBNC"),
    ("C=5001{TP{ip/1/access/101,ip/1/core/102,IS},MF=ip/1/access/101}", 522, "topology"),
    ("C=5001{AV=ip/1/access/101{AT{M{TS{root/normalMGExecutionTime}}}}}", 532, "root/normalMGExecutionTime"),
    ("C=-{AV=ROOT{AT{SA{rtp/ps}}}}", 532, "rtp/ps"),
    ("C=-{MF=ROOT{M{TS{root/maxNumberOfContexts=4}}}}", 534, "root/maxNumberOfContexts"),
    ("C=5001{S=ROOT}", 542, "ROOT"),
    ("C=5001{A=ROOT}", 542, ""),
];

#[test]
fn each_wrong_request_earns_its_code_and_changes_nothing() {
    let mut lab = Lab::new();
    lab.call();
    let before = lab.ask("C=5001{AV=*{AT{M,E}}}");
    for (request, code, names) in REFUSED {
        let (got, text) = lab.error(request);
        assert_eq!(got, *code, "{request}: {text}");
        assert!(text.to_lowercase().contains(&names.to_lowercase()), "{request}: {text}");
        assert_eq!(lab.ask("C=5001{AV=*{AT{M,E}}}"), before, "{request}");
    }
    assert_eq!(lab.iq.size(), (1, 2));
}

/// Local descriptors of an Add.
const REFUSED_SDP: &[(&str, u16, &str)] = &[
    ("v=0\nm=audio $", 474, "line 2"),
    ("v=0\nc=IN IP4 $", 474, "no m= line"),
    ("c=IN IP4 $\nm=audio $ RTP/AVP 0", 474, "v="),
    ("v=0\nc=IN IP4 1.2.3\nm=audio $ RTP/AVP 0", 474, "1.2.3"),
    ("v=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\nm=audio $ RTP/AVP 0", 449, "second media line"),
    ("v=0\nc=IN IP4 gw.example\nm=audio $ RTP/AVP 0", 449, "gw.example"),
    ("v=0\nc=IN IP4 224.2.1.1/127\nm=audio $ RTP/AVP 0", 449, "multicast"),
    ("v=0\nc=IN IP4 192.0.2.99\nm=audio $ RTP/AVP 0", 449, "local address"),
    ("v=0\nc=IN IP4 $\nm=audio $ RTP/FOO 0", 449, "RTP/FOO"),
    ("v=0\nc=IN IP4 $\nm=audio $/2 RTP/AVP 0", 449, "2 ports"),
    ("v=0\nc=IN IP4 $\nm=audio $ RTP/AVP $", 449, "m=audio $"),
    ("v=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\na=rtcp:5001", 449, "a=rtcp:5001"),
    ("v=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\na=fingerprint:SHA-256 $", 449, "a=fingerprint"),
    ("v=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x", 449, "RTP/AVP"),
    ("v=0\nc=IN IP4 $\nm=audio $ RTP/SAVP 0\na=crypto:1 NO_SUCH_SUITE inline:x", 449, "1 NO_SUCH_SUITE"),
    ("v=0\nc=IN IP4 $\nm=audio $ RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:!!", 449, "base64"),
    (
        "v=0\nc=IN IP4 $\nm=audio $ RTP/SAVP 0\n\
         a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\n\
         a=crypto:2 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
        449,
        "second a=crypto",
    ),
    ("v=0\nc=IN IP4 $\nm=audio $ TCP/RTP/AVP 0", 501, "TCP/RTP/AVP is not implemented"),
    ("v=0\nc=IN IP4 $\nm=audio $ UDP/DTLS/SCTP 0", 501, "UDP/DTLS/SCTP is not implemented"),
    ("v=0\nc=IN IP4 $\nm=smell $ RTP/AVP 0", 515, "m=smell"),
];

#[test]
fn each_wrong_description_earns_its_code_and_leaves_no_context() {
    let mut lab = Lab::new();
    for (sdp, code, names) in REFUSED_SDP {
        let (got, text) = lab.error(&add(sdp));
        assert_eq!(got, *code, "{sdp}: {text}");
        assert!(text.contains(names), "{sdp}: {text}");
        assert!(lab.model.contexts.is_empty() && lab.model.terminations.is_empty(), "{sdp}");
    }
    assert_eq!(lab.iq.size(), (0, 0));
}

#[test]
fn remote_must_name_addresses_that_agree_with_local() {
    let mut lab = Lab::new();
    lab.call();
    let remote = |sdp: &str| format!("C=5001{{MF=ip/1/core/102{{M{{ST=1{{R{{\n{sdp}\n}}}}}}}}}}");
    for (sdp, code, names) in [
        ("v=0\nc=IN IP6 $\nm=audio 5000 RTP/AVP 0", 449, "$ in Remote"),
        ("v=0\nc=IN IP6 2001:db8::1\nm=audio $ RTP/AVP 0", 449, "$ in Remote"),
        ("v=0\nc=IN IP4 192.0.2.1\nm=audio 5000 RTP/AVP 0", 473, "192.0.2.1"),
        ("v=0\nc=IN IP6 2001:db8::1\nm=audio 5000 RTP/SAVP 0", 473, "Remote is RTP/SAVP"),
    ] {
        let (got, text) = lab.error(&remote(sdp));
        assert_eq!(got, code, "{sdp}: {text}");
        assert!(text.contains(names), "{sdp}: {text}");
    }
}

#[test]
fn the_models_refusals_have_their_codes() {
    let mut lab = Lab::new();
    let realm = || RealmName::new("access").expect("a name");
    let cases = [
        (Refusal::OutOfContexts, 510),
        (Refusal::OutOfResources("terminations"), 432),
        (Refusal::OutOfResources("file descriptors"), 510),
        (Refusal::OutOfPorts(realm()), 510),
        (Refusal::TooManyStreams, 510),
        (Refusal::TooManyTerminations(ContextId(1)), 434),
        (Refusal::DuplicateStream(StreamId(1)), 448),
        (Refusal::UnknownRealm(realm()), 449),
        (Refusal::PortUnavailable(StreamId(1)), 449),
        (Refusal::CryptoPolicy(StreamId(1), "suite".to_owned()), 449),
        (Refusal::NoDefaultRealm, 472),
        (Refusal::Unjoinable(StreamId(1)), 473),
        (Refusal::FixedAtSetup(StreamId(1), "the transport"), 473),
        (Refusal::System("no such device".to_owned()), 500),
        (Refusal::NotImplemented("handover"), 501),
        (Refusal::NotImplemented("Loopback"), 517),
    ];
    for (refusal, code) in cases {
        lab.model.refuse.push_back(refusal.clone());
        let (got, text) = lab.error(&add("v=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0"));
        assert_eq!((got, text), (code, refusal.to_string()));
    }
}

#[test]
fn a_third_termination_does_not_fit() {
    let mut lab = Lab::new();
    let (context, ..) = lab.call();
    assert_eq!(lab.error(&format!("C={context}{{{CORE}}}")).0, 434);
    assert_eq!(lab.iq.size(), (1, 2));
}

#[test]
fn what_cannot_be_read_is_answered_at_its_level() {
    let mut lab = Lab::new();
    let mut first = |message: &str| lab.exchange(message).remove(0);
    assert!(first("hello").starts_with("MEGACO/2 [192.0.2.20]:2944\nError = 400 {"));
    assert!(first("!/9 <mgc> T=1{C=-{AV=ROOT{AT{}}}}").starts_with("!/2 [192.0.2.20]:2944 ER=406{"));
    let many: String = (1..=11).map(|id| format!(" T={id}{{C=-{{AV=ROOT{{AT{{}}}}}}}}")).collect();
    assert!(first(&format!("!/2 <mgc>{many}")).contains("ER=413{"));
    assert!(first("!/2 <mgc> T=5{nonsense}").starts_with("!/2 [192.0.2.20]:2944 P=5{ER=403{"));
    assert!(first("!/2 <mgc> T=6{C=1{nonsense}}").contains("P=6{C=1{ER=4"));
    assert!(first("!/2 <mgc> T=0{C=-{AV=ROOT{AT{}}}}").starts_with("!/2 [192.0.2.20]:2944 P=0{ER=410{"));
}

#[test]
fn a_broken_transaction_does_not_stop_its_neighbour() {
    let mut lab = Lab::new();
    let replies = lab.exchange("!/2 <mgc> T=5{nonsense} T=6{C=-{AV=ROOT{AT{}}}}");
    assert!(replies[0].contains("P=5{ER=403{"), "{replies:?}");
    assert_eq!(replies[1], "!/2 [192.0.2.20]:2944 P=6{C=-{AV=ROOT}}");
}

#[test]
fn an_error_is_never_answered() {
    let mut lab = Lab::new();
    assert!(lab.exchange("!/2 <mgc> ER=400{\"what?\"}").is_empty());
    assert!(lab.exchange("!/2 <mgc> P=77{ER=400{\"what?\"}}").is_empty());
}

#[test]
fn a_reply_that_no_datagram_can_carry_is_an_error() {
    let mut lab = Lab::new();
    for _ in 0..400 {
        lab.call();
    }
    assert_eq!(lab.error("C=*{AV=*{AT{M,PG}}}").0, 533);
    assert_eq!(lab.iq.counters().too_long, 1);
}

#[test]
fn workers_that_do_not_answer_cost_pending_then_an_error() {
    let mut lab = Lab::new();
    lab.model.slow = true;
    let request = format!("!/2 <mgc.test> T=77{{C=${{{CORE}}}}}");
    assert!(lab.exchange(&request).is_empty());
    let sent: Vec<_> = lab.pass(Duration::from_secs(11)).into_iter().map(|(_, text)| text).collect();
    let (last, pendings) = sent.split_last().expect("something");
    assert_eq!(pendings.len(), 9, "one a second");
    assert!(pendings.iter().all(|text| text == "!/2 [192.0.2.20]:2944 PN=77{}"));
    assert!(last.starts_with("!/2 [192.0.2.20]:2944 P=77{IA,ER=500{"), "{last}");
    assert_eq!(lab.exchange(&request).first(), Some(last), "and so is the next who asks");
    assert!(lab.confirm().is_empty(), "late confirmation says nothing more");
}

#[test]
fn pending_is_not_said_more_often_than_allowed() {
    let mut lab = Lab::new();
    lab.ask("C=-{MF=ROOT{M{TS{root/MGOriginatedPendingLimit=3}}}}");
    lab.model.slow = true;
    let request = format!("!/2 <mgc.test> T=77{{C=${{{CORE}}}}}");
    assert!(lab.exchange(&request).is_empty());
    for _ in 0..3 {
        assert_eq!(lab.exchange(&request), ["!/2 [192.0.2.20]:2944 PN=77{}"]);
    }
    assert!(lab.exchange(&request)[0].starts_with("!/2 [192.0.2.20]:2944 P=77{IA,ER=506{"));
}

#[test]
fn a_refused_command_answers_in_the_context_that_its_action_names() {
    let mut lab = Lab::new();
    lab.call();
    lab.call();
    for (action, place) in [
        // Refused by the model, for context 5002 has two already; refused before it is asked; no context is made.
        ("C=5002{MV=ip/1/access/101}", "C=5002{MV=ip/1/access/101{ER="),
        ("C=5002{MV=ip/1/access/101{M{O{gm/foo=1}}}}", "C=5002{MV=ip/1/access/101{ER="),
        ("C=${MV=ip/1/access/101{M{O{gm/foo=1}}}}", "C=${MV=ip/1/access/101{ER="),
        ("C=5002{W-MV=ip/1/access/101}", "C=5002{MV=ip/1/access/101{ER="),
        ("C=5002{MF=ip/1/access/101}", "C=5002{MF=ip/1/access/101{ER="),
        ("C=5002{S=ip/1/access/101}", "C=5002{S=ip/1/access/101{ER="),
        ("C=5002{A=ip/1/access/101{M{ST=1{O{MO=IN}}}}}", "C=5002{A=ip/1/access/101{ER="),
        ("C=5002{AV=ip/1/access/101{AT{SA}}}", "C=5002{AV=ip/1/access/101{ER="),
        ("C=5002{AC=ip/1/access/101{AT{M}}}", "C=5002{AC=ip/1/access/101{ER="),
        ("C=5002{MF=ip/1/access/103{M{O{gm/foo=1}}}}", "C=5002{MF=ip/1/access/103{ER="),
    ] {
        let reply = lab.ask(action);
        assert!(reply.starts_with(place), "{action}: {reply}");
    }
    assert_eq!(lab.iq.size(), (2, 4));
}
