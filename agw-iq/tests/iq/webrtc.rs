//! The browser as the phone, seen from the controller: DTLS-SRTP, ICE and bundles in descriptions, what is asked, answered, told and refused
//! (DTLS-1, DTLS-2, DTLS-4, DTLS-5; TS 23.334 clauses 5.11.2.4 and 5.18).

use crate::connections::{OTHER, PEER, add, modify, notice, ours, session, tls, told};
use crate::lab::*;
use crate::model::PASSWORD;
use agw_core::command::Observation;
use agw_core::model::*;

const SAVPF: &str = "UDP/TLS/RTP/SAVPF";
const ASKED: &str = "\na=ice-lite\na=rtcp-mux\na=setup:passive\na=fingerprint:SHA-256 $\na=ice-ufrag:$\na=ice-pwd:$\na=candidate:$";
const UE: &str = "\na=rtcp-mux\na=setup:active\na=ice-ufrag:Ue12\na=ice-pwd:UeUeUeUeUeUeUeUeUeUeUe\
    \na=candidate:1 1 udp 2122260223 203.0.113.7 51020 typ host generation 0\
    \na=candidate:2 1 tcp 1518280447 203.0.113.7 9 typ host tcptype active\
    \na=candidate:3 1 udp 2122260222 0f2a.local 51021 typ host";

fn local(lines: &str) -> String {
    format!("v=0\nc=IN IP4 $\nm=audio $ {SAVPF} 111\na=rtpmap:111 opus/48000/2{lines}")
}

fn remote(lines: &str) -> String {
    format!("v=0\nc=IN IP4 203.0.113.7\nm=audio 51020 {SAVPF} 111\na=rtpmap:111 opus/48000/2{lines}")
}

fn ue(fingerprint: &str) -> String {
    remote(&format!("{UE}\na=fingerprint:{fingerprint}"))
}

fn ice(lab: &Lab) -> IceSpec {
    lab.model.spec(101, 1).ice.as_deref().expect("ICE").clone()
}

#[test]
fn a_browser_is_answered_with_all_that_it_needs_to_know() {
    let mut lab = Lab::new();
    let reply = lab.ask(&add(&local(ASKED), Some(&ue(PEER)), ""));
    let told = format!(
        "a=ice-lite\na=rtcp-mux\na=setup:passive\na=fingerprint:{}\na=ice-ufrag:frag0\na=ice-pwd:{PASSWORD}0\n\
         a=candidate:1 1 UDP 2130706431 198.51.100.20 30000 typ host\n",
        ours(&lab, HashFunction::Sha256)
    );
    assert!(reply.contains(&told), "{reply}");
    let spec = lab.model.spec(101, 1);
    assert_eq!((spec.transport, spec.rtcp), (Transport::DtlsRtp { feedback: true }, RtcpPorts::Mux));
    assert_eq!(tls(&lab).peer, [Fingerprint::parse(PEER).expect("a fingerprint")]);
    assert!(!tls(&lab).establish, "DTLS-2: without the signal the server");
    let IceSpec { choose, peer, candidates } = ice(&lab);
    assert!(choose);
    assert_eq!(peer, IceCredential::new("Ue12", "UeUeUeUeUeUeUeUeUeUeUe"));
    assert_eq!(
        candidates,
        ["203.0.113.7:51020".parse().expect("an address")],
        "names and TCP are passed over"
    );
}

#[test]
fn the_peer_may_be_known_late_and_then_nothing_of_ours_changes() {
    let mut lab = Lab::new();
    lab.ask(&add(&local(ASKED), None, ""));
    assert_eq!(lab.model.spec(101, 1).rtcp, RtcpPorts::Mux, "browsers know nothing else");
    assert!(ice(&lab).peer.is_none() && tls(&lab).peer.is_empty());
    let reply = lab.ask(&modify(None, Some(&ue(PEER)), ""));
    assert!(!reply.contains("ice-pwd"), "{reply}");
    assert!(!ice(&lab).choose && ice(&lab).peer.is_some() && tls(&lab).peer.len() == 1);
}

#[test]
fn plain_rtp_gets_candidates_for_both_of_its_ports() {
    let mut lab = Lab::new();
    let local = "v=0\nc=IN IP4 $\na=ice-ufrag:$\na=ice-pwd:$\nm=audio $ RTP/AVP 0\na=candidate:$";
    let reply = lab.ask(&add(local, None, ""));
    let candidates = "a=candidate:1 1 UDP 2130706431 198.51.100.20 30000 typ host\n\
                      a=candidate:1 2 UDP 2130706430 198.51.100.20 30001 typ host\n";
    assert!(reply.contains(candidates), "{reply}");
    assert!(reply.contains("a=ice-ufrag:frag0\n") && ice(&lab).choose);
}

#[test]
fn a_new_dollar_restarts_ice_and_what_is_repeated_is_kept() {
    let mut lab = Lab::new();
    lab.ask(&add(&local(ASKED), Some(&ue(PEER)), ""));
    let said = |count: u32| {
        let credential = format!("\na=ice-ufrag:frag{count}\na=ice-pwd:{PASSWORD}{count}");
        let candidate = "\na=candidate:1 1 UDP 2130706431 198.51.100.20 30000 typ host";
        local(&format!("\na=rtcp-mux{credential}{candidate}"))
    };
    let reply = lab.ask(&modify(Some(&said(0)), None, ""));
    assert!(reply.contains("a=ice-ufrag:frag0\n") && !ice(&lab).choose);
    let reply = lab.ask(&modify(Some(&local(ASKED)), None, ""));
    assert!(
        reply.contains("a=ice-ufrag:frag1\n") && reply.contains(&format!("a=ice-pwd:{PASSWORD}1\n")),
        "{reply}"
    );
    assert!(ice(&lab).choose && ice(&lab).peer.is_some());
    let (code, text) = lab.error(&modify(Some(&said(0)), None, ""));
    assert_eq!((code, text.as_str()), (449, "a=ice-ufrag:frag0 with its a=ice-pwd in Local is not ours"));
    // Local without ICE ends it; what Remote says of it is then nobody's business.
    lab.ask(&modify(Some(&local("\na=rtcp-mux")), None, ""));
    assert!(lab.model.spec(101, 1).ice.is_none());
}

#[test]
fn a_password_is_in_the_reply_that_gives_it_and_nowhere_else() {
    let mut config = config();
    config.trace = true;
    let mut lab = Lab::with(config);
    assert!(lab.ask(&add(&local(ASKED), Some(&ue(PEER)), "")).contains(PASSWORD));
    let audit = lab.ask("C=5001{AV=ip/1/access/101{AT{M}}}");
    assert!(audit.contains("a=ice-ufrag:frag0\n") && audit.contains("a=ice-ufrag:Ue12\n"), "{audit}");
    let mut seen = format!("{audit}{:?}", lab.iq);
    while let Some(entry) = lab.iq.poll_trace() {
        seen.push_str(&entry.text);
    }
    assert!(seen.contains("a=ice-pwd:***") && !seen.contains(PASSWORD) && !seen.contains("UeUeUe"), "{seen}");
}

#[test]
fn the_signal_makes_us_the_client_unless_setup_says_otherwise_or_nobody_could_be_proven() {
    let passive = ue(PEER).replace("a=setup:active", "a=setup:passive");
    let active = local(ASKED).replace("a=setup:passive", "a=setup:active");
    let mut lab = Lab::new();
    lab.ask(&add(&active, Some(&passive), ",SG{tlsbsc/EstBNC{ST=1}}"));
    assert!(tls(&lab).establish);
    lab.ask("C=5001{MF=ip/1/access/101{M{ST=1{O{MO=RC}}}}}");
    assert!(!tls(&lab).establish, "an action is not kept");
    lab.notice(session(Bearer::Established));
    lab.ask("C=5001{MF=ip/1/access/101{SG{tlsbsc/EstBNC}}}");
    assert!(tls(&lab).establish, "DTLS-4: repeated, it asks for a new association");

    for (ours, theirs, code, text) in [
        (local(ASKED), ue(PEER), 473, "tlsbsc/EstBNC and a=setup has us wait"),
        (local("\na=setup:holdconn"), remote(""), 473, "tlsbsc/EstBNC and a=setup:holdconn"),
        (local("\na=setup:active"), remote(""), 472, "tlsbsc/EstBNC without a=fingerprint in Remote"),
    ] {
        let mut lab = Lab::new();
        let request = add(&ours, Some(&theirs), ",SG{tlsbsc/EstBNC}");
        assert_eq!(lab.error(&request), (code, text.to_owned()));
        assert_eq!(lab.iq.size(), (0, 0));
    }
    let mut lab = Lab::new();
    assert_eq!(
        lab.error(&add(&active, Some(&ue(PEER)), "")),
        (473, "a=setup:active in both Local and Remote".into())
    );
    assert_eq!(lab.error(&add(&active, Some(&passive), ",SG{tcpbcc/EstBNC{ST=1}}")).0, 513);
}

#[test]
fn an_association_keeps_its_name_until_either_side_gives_it_another() {
    let mut lab = Lab::new();
    let (one, two, three) = ("gw-one-0123456789abcd", "ue-one-0123456789abcd", "ue-two-0123456789abcd");
    let with = |id: &str| ue(PEER) + &format!("\na=tls-id:{id}");
    lab.ask(&add(&format!("{}\na=tls-id:{one}", local(ASKED)), None, ""));
    let name = |lab: &Lab| tls(lab).association.as_deref().map(str::to_owned);
    assert_eq!(name(&lab).as_deref(), Some(one));
    lab.ask(&modify(None, Some(&with(two)), ""));
    assert_eq!(name(&lab).as_deref(), Some(one), "the answer names no other one");
    lab.ask(&modify(None, Some(&with(three)), ""));
    assert_eq!(name(&lab), Some(format!("{one} {three}")), "DTLS-4");
    // The certificate may change with it, although a session is up.
    lab.notice(session(Bearer::Established));
    lab.ask(&modify(None, Some(&ue(OTHER)), ""));
    assert_eq!(tls(&lab).peer, [Fingerprint::parse(OTHER).expect("a fingerprint")]);
    let (code, text) = lab.error(&modify(None, Some(&with("short")), ""));
    assert_eq!((code, text.as_str()), (449, "a=tls-id:short"));
}

#[test]
fn what_packets_mean_and_how_bundled_ones_are_told_apart_reaches_the_model() {
    let mut lab = Lab::new();
    let stream = |id: u16, kind: &str, formats: &str, lines: &str, theirs: &str| {
        let group = "a=group:BUNDLE 0 v";
        format!(
            "ST={id}{{O{{MO=SR}},L{{\nv=0\nc=IN IP4 $\n{group}\nm={kind} $ {SAVPF} {formats}{lines}\n}},\
             R{{\nv=0\nc=IN IP4 203.0.113.7\n{group}\nm={kind} 51020 {SAVPF} {formats}{lines}{theirs}\n}}}}"
        )
    };
    let audio =
        "\na=mid:0\na=rtpmap:111 opus/48000/2\na=fmtp:111 useinbandfec=1\na=extmap:1 urn:one\na=rtcp-mux";
    let video = "\na=mid:v\na=rtpmap:96 VP8/90000\na=extmap:3/sendonly urn:two with parameters\na=rtcp-mux";
    let streams = [
        stream(1, "audio", "111 8 110", audio, "\na=ssrc:7 cname:x\na=ssrc:7 msid:y\na=ssrc:8"),
        stream(2, "video", "96", video, ""),
    ];
    lab.ask(&format!("C=${{A=ip/1/access/${{M{{{}}}}}}}", streams.join(",")));
    let rtp = |stream| lab.model.spec(101, stream).rtp.as_deref().expect("RTP").clone();
    let format = |payload_type, encoding: &str, parameters: &str| Format {
        payload_type,
        encoding: encoding.into(),
        parameters: parameters.into(),
    };
    let first = rtp(1);
    assert_eq!(
        first.local.formats,
        [format(111, "opus/48000/2", "useinbandfec=1"), format(8, "PCMA/8000", "")]
    );
    assert_eq!(first.local, first.remote);
    let group: Vec<Box<str>> = vec!["0".into(), "v".into()];
    let member = |mid: &str, ssrcs: &[u32]| {
        Some(BundleMember { group: group.clone(), mid: mid.into(), ssrcs: ssrcs.to_vec() })
    };
    assert_eq!((first.bundle, rtp(2).bundle), (member("0", &[7, 8]), member("v", &[])));
    assert_eq!(rtp(2).remote.extensions, [HeaderExtension { id: 3, uri: "urn:two".into() }]);
    // A peer that does not bundle, and a tag that is not in the group.
    let mut lab = Lab::new();
    let split = streams[0].replacen("a=group:BUNDLE 0 v\nm=audio 51020", "m=audio 51020", 1);
    lab.ask(&format!("C=${{A=ip/1/access/${{M{{{split}}}}}}}"));
    assert_eq!(lab.model.spec(101, 1).rtp.as_ref().expect("RTP").bundle, None);
}

#[test]
fn what_comes_of_checks_is_told_in_order_and_what_is_wrong_to_whoever_asked_for_causes() {
    let at: std::net::SocketAddr = "203.0.113.9:6000".parse().expect("an address");
    let ice = |event| notice(Observation::Ice(event));
    let all = ",E=77{ostuncc/ccr,ostuncc/nprc,stnconfres/conff,tlsbsc/BNCChange,g/cause}";
    let mut lab = Lab::new();
    lab.ask(&add(&local(ASKED), Some(&ue(PEER)), all));
    for (event, words) in [
        (IceEvent::PeerReflexive(at), "ostuncc/nprc{Stream=1,addr=\"203.0.113.9\",port=6000"),
        (IceEvent::Selected(at), "ostuncc/ccr{Stream=1,res=Success,addr=\"203.0.113.9\",port=6000"),
        (IceEvent::Failed, "ostuncc/ccr{Stream=1,res=Failure"),
        (IceEvent::ConsentLost, "stnconfres/conff{Stream=1"),
    ] {
        assert_eq!(told(&mut lab, ice(event)), [words]);
    }
    let failed = Bearer::Failed(BearerFailure::Tls(TlsFailure::FingerprintMismatch));
    let words = told(&mut lab, session(failed));
    assert!(
        words.len() == 1 && words[0].starts_with("tlsbsc/BNCChange{Stream=1,Type=Fail,"),
        "DTLS-3: {words:?}"
    );
    // Who asked for causes alone hears of what is wrong.
    let mut lab = Lab::new();
    lab.ask(&add(&local(ASKED), Some(&ue(PEER)), ",E=77{g/cause}"));
    assert_eq!(told(&mut lab, ice(IceEvent::Selected(at))), [""; 0]);
    for event in [IceEvent::Failed, IceEvent::ConsentLost] {
        let words = told(&mut lab, ice(event));
        assert!(words.len() == 1 && words[0].starts_with("g/cause{Stream=1,Generalcause=FT,"), "{words:?}");
    }
}

#[test]
fn capabilities_tell_of_checks_and_of_consent() {
    let mut lab = Lab::new();
    lab.ask(&add(&local(ASKED), Some(&ue(PEER)), ",SG{mgastuns/actas}"));
    let reply = lab.ask("C=5001{AC=ip/1/access/101{AT{E,SG}}}");
    for item in ["ostuncc/ccr", "ostuncc/nprc", "stnconfres/conff", "tlsbsc/BNCChange", "mgastuns/actas"] {
        assert!(reply.contains(item), "{item} in {reply}");
    }
}

#[test]
fn what_is_no_value_of_its_line_is_refused_without_secrets() {
    let ice = "\na=ice-ufrag:Ue12\na=ice-pwd:UeUeUeUeUeUeUeUeUeUeUe";
    let many = "\na=candidate:1 1 udp 1 203.0.113.7 5 typ host".repeat(33);
    for (lines, code, text) in [
        ("\na=ice-ufrag:Ue12", 472, "a=ice-ufrag without a=ice-pwd"),
        ("\na=ice-pwd:UeUeUeUeUeUeUeUeUeUeUe", 472, "a=ice-pwd without a=ice-ufrag"),
        ("\na=ice-ufrag:Ue12\na=ice-pwd:UeUe", 449, "a=ice-ufrag:Ue12 or its a=ice-pwd"),
        (
            "\na=ice-ufrag:$\na=ice-pwd:UeUeUeUeUeUeUeUeUeUeUe",
            449,
            "$ for one of a=ice-ufrag and a=ice-pwd only",
        ),
        (
            "\na=candidate:1 1 udp x 203.0.113.7 5 typ host",
            449,
            "a=candidate:1 1 udp x 203.0.113.7 5 typ host",
        ),
        (&many, 449, "more than 32 a=candidate lines"),
        (
            &format!("{ice}\na=ice-lite"),
            501,
            "a=ice-lite in Remote: nobody would check, the gateway is a lite agent too",
        ),
        ("\na=fingerprint:SHA-256 12:34", 449, "a=fingerprint:SHA-256 12:34"),
        ("\na=setup:both", 449, "a=setup:both"),
        ("\na=extmap:0 urn:one", 449, "a=extmap:0 urn:one"),
        ("\na=extmap:1 urn:one\na=extmap:1 urn:two", 449, "a=extmap:1 comes twice"),
        ("\na=mid:seventeen-letters", 449, "a=mid:seventeen-letters"),
        ("\na=ssrc:x cname:y", 449, "a=ssrc:x cname:y"),
    ] {
        let mut lab = Lab::new();
        let refused = lab.error(&add(&local(ASKED), Some(&remote(lines)), ""));
        assert_eq!(refused, (code, text.to_owned()), "{lines}");
        assert_eq!(lab.iq.size(), (0, 0));
    }
    for (lines, text) in [
        (ice, "a=ice-ufrag:Ue12 with its a=ice-pwd in Local is not ours"),
        (
            "\na=candidate:1 1 udp 1 203.0.113.7 5 typ host",
            "a=candidate with 203.0.113.7:5 in Local is not ours",
        ),
        (&format!("\na=fingerprint:{PEER}"), &format!("a=fingerprint:{PEER} in Local is not ours")),
    ] {
        let mut lab = Lab::new();
        assert_eq!(lab.error(&add(&local(lines), None, "")), (449, text.to_owned()));
    }
    let mut lab = Lab::new();
    let (code, text) = lab.error(&add(&local("\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc"), None, ""));
    assert_eq!((code, text.contains("abc")), (449, false), "{text}");
}
