//! Alternatives in Local and Remote (H.248.1 sections 7.1.7 and 7.1.8): one is chosen, or all that go together are reserved, and the reply
//! says which.

use crate::lab::*;
use agw_core::command::{Command, Refusal};
use agw_core::model::{Mode, StreamId};

/// An Add of a stream with this LocalControl, Local and Remote.
fn offer(realm: &str, control: &str, local: &[&str], remote: &[&str]) -> String {
    let lines = |groups: &[&str]| groups.iter().map(|group| format!("v=0\n{group}\n")).collect::<String>();
    let remote = if remote.is_empty() { String::new() } else { format!(",R{{\n{}}}", lines(remote)) };
    let local = lines(local);
    format!("C=${{A=ip/1/{realm}/${{M{{ST=1{{O{{MO=SR{control}}},L{{\n{local}}}{remote}}}}}}}}}")
}

const ALAW: &str = "c=IN IP4 $\nm=audio $ RTP/AVP 8";
const ULAW: &str = "c=IN IP4 $\nm=audio $ RTP/AVP 0\na=ptime:20";
const V6: &str = "c=IN IP6 $\nm=audio $ RTP/AVP 8";
const DTLS: &str = "c=IN IP4 $\nm=audio $ UDP/DTLS/SCTP 8";
const SAVP: &str = "c=IN IP4 $\nm=audio $ RTP/SAVP 8\n\
                    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

#[test]
fn without_reserve_the_first_group_that_can_be_done_is_chosen_and_told() {
    let mut lab = Lab::new();
    let reply = lab.ask(&offer("access", "", &[DTLS, V6, ULAW, ALAW], &[]));
    let told = "L{\nv=0\nc=IN IP4 198.51.100.20\nm=audio 30000 RTP/AVP 0\na=ptime:20\n}";
    assert!(reply.contains(told), "{reply}");
    assert_eq!(reply.matches("v=0").count(), 1);
    // The transport is refused before the model is asked, the IP version by the model: its realm has no IPv6.
    let adds = lab.model.log.iter().filter(|command| matches!(command, Command::Add { .. }));
    assert_eq!(adds.count(), 2);
    assert_eq!(lab.iq.size(), (1, 1));
    let audit = lab.ask("C=5001{AV=ip/1/access/101{AT{M}}}");
    assert!(audit.contains("m=audio 30000 RTP/AVP 0\n") && !audit.contains("RTP/AVP 8"), "{audit}");
}

#[test]
fn reserve_group_keeps_all_groups_that_share_a_port_with_the_first() {
    let mut lab = Lab::new();
    let reply = lab.ask(&offer("access", ",RG=ON", &[V6, ALAW, SAVP, DTLS, ULAW], &[]));
    let told = "L{\nv=0\nc=IN IP4 198.51.100.20\nm=audio 30000 RTP/AVP 8\n\
                v=0\nc=IN IP4 198.51.100.20\nm=audio 30000 RTP/AVP 0\na=ptime:20\n}";
    assert!(reply.contains(told), "{reply}");
    assert_eq!(lab.model.terminations[&101].len(), 1, "one stream, one port");
    let audit = lab.ask("C=5001{AV=ip/1/access/101{AT{M}}}");
    assert!(audit.contains("RTP/AVP 8\n") && audit.contains("RTP/AVP 0\n"), "{audit}");
}

#[test]
fn reserve_value_keeps_all_formats_and_without_it_one_is_chosen() {
    let formats = "c=IN IP4 $\nm=audio $ RTP/AVP 96 8 97\na=rtpmap:96 AMR/8000\na=fmtp:96 mode-set=7\n\
                   a=rtpmap:97 telephone-event/8000\na=ptime:20";
    let peer = "c=IN IP4 203.0.113.7\nm=audio 49170 RTP/AVP 96 97\na=rtpmap:96 AMR/8000\na=rtpmap:97 telephone-event/8000";
    let mut lab = Lab::new();
    let one = lab.ask(&offer("access", "", &[formats], &[peer]));
    let local = "m=audio 30000 RTP/AVP 96\na=rtpmap:96 AMR/8000\na=fmtp:96 mode-set=7\na=ptime:20\n}";
    assert!(one.contains(local), "{one}");
    assert!(one.contains("R{\nv=0\nc=IN IP4 203.0.113.7\nm=audio 49170 RTP/AVP 96\na=rtpmap:96 AMR/8000\n}"));
    let all = lab.ask(&offer("access", ",RV=ON", &[formats], &[peer]));
    assert!(all.contains("m=audio 30002 RTP/AVP 96 8 97\n") && all.contains("m=audio 49170 RTP/AVP 96 97\n"));
    // A Remote that leaves nothing to us is not repeated.
    let peer = "c=IN IP4 203.0.113.7\nm=audio 49170 RTP/AVP 96";
    assert!(!lab.ask(&offer("access", ",RV=ON", &[formats], &[peer])).contains("R{"));
}

#[test]
fn local_is_chosen_so_that_remote_can_be_done() {
    let mut lab = Lab::new();
    let v4 = "c=IN IP4 203.0.113.7\nm=audio 49170 RTP/AVP 8";
    let v6 = "c=IN IP6 2001:db8::7\nm=audio 49170 RTP/AVP 8";
    let secured = "c=IN IP6 2001:db8::7\nm=audio 49170 RTP/SAVP 8";
    // Of Local's IPv6 and IPv4 only the latter has a peer to send to.
    let reply = lab.ask(&offer("core", "", &[V6, ALAW], &[secured, v4]));
    assert!(
        reply.contains("L{\nv=0\nc=IN IP4 198.51.100.30\n")
            && reply.contains("R{\nv=0\nc=IN IP4 203.0.113.7\n")
    );
    assert_eq!(lab.model.spec(101, 1).remote.map(|remote| remote.rtp.ip().is_ipv4()), Some(true));
    // Both possible: Local's order decides.
    let reply = lab.ask(&offer("core", "", &[V6, ALAW], &[v4, v6]));
    assert!(reply.contains("c=IN IP6 2001:db8:1::20\n") && reply.contains("R{\nv=0\nc=IN IP6 2001:db8::7\n"));
}

#[test]
fn listed_values_are_alternatives_in_the_order_written() {
    let mut lab = Lab::new();
    let listed = "c=IN {IP6,IP4\\} $\nm=audio $ {UDP/DTLS/SCTP, RTP/AVP\\} 8";
    let reply = lab.ask(&offer("access", "", &[listed], &[]));
    assert!(reply.contains("L{\nv=0\nc=IN IP4 198.51.100.20\nm=audio 30000 RTP/AVP 8\n}"), "{reply}");
    let listed = "c=IN IP4 $\nb=AS:{64,41\\}\nm=audio $ RTP/AVP 8";
    let reply = lab.ask(&offer("access", "", &[listed], &[]));
    assert!(reply.contains("b=AS:64\n") && !reply.contains("b=AS:41"), "{reply}");
    let reply = lab.ask(&offer("access", ",RV=ON", &[listed, ULAW], &[]));
    assert!(
        reply.contains("b=AS:64\n") && reply.contains("b=AS:41\n") && !reply.contains("RTP/AVP 0"),
        "{reply}"
    );
    for (wrong, code) in [
        ("c=IN IP4 $\nm=audio $ {RTP/AVP 8", 474),
        ("c=IN IP4 $\nm=audio $ {\\} 8", 474),
        ("c=IN {IP4,IP6\\} $\nb=AS:{1,2,3,4,5,6,7,8,9\\}\nm=audio $ RTP/AVP 8", 449),
    ] {
        let (got, text) = lab.error(&offer("access", "", &[wrong], &[]));
        assert_eq!(got, code, "{wrong}: {text}");
    }
    // Braces in attributes are text.
    let plain = "c=IN IP4 $\nm=audio $ RTP/AVP 8\na=x-note:{a,b\\}";
    assert!(lab.ask(&offer("access", "", &[plain], &[])).contains("a=x-note:{a,b"));
}

#[test]
fn a_suite_that_local_policy_refuses_gives_way_to_the_next() {
    let mut lab = Lab::new();
    let strong = "c=IN IP4 $\nm=audio $ RTP/SAVP 8\n\
        a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
    // The context is made; then the model's rules refuse the suite.
    lab.ask(&add("v=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0"));
    lab.model.refuse.push_back(Refusal::CryptoPolicy(StreamId(1), "suite not allowed".to_owned()));
    let request = offer("access", "", &[strong, SAVP], &[]).replace("C=$", "C=5001");
    let reply = lab.ask(&request);
    assert!(reply.contains("AES_CM_128_HMAC_SHA1_80") && !reply.contains("SHA1_32"), "{reply}");
}

#[test]
fn nothing_possible_is_510_and_with_reserve_an_empty_descriptor() {
    let mut lab = Lab::new();
    let (code, text) = lab.error(&offer("access", "", &[DTLS, V6], &[]));
    assert_eq!(code, 510);
    assert!(text.contains("none of the alternatives") && text.contains("UDP/DTLS/SCTP"), "{text}");
    // One alternative is no choice: what is wrong with it is told.
    assert_eq!(lab.error(&offer("access", "", &[DTLS], &[])).0, 501);
    assert_eq!(lab.error(&offer("access", "", &[V6], &[])).0, 449);
    // An Add of which no stream is left.
    assert_eq!(lab.error(&offer("access", ",RG=ON", &[DTLS, V6], &[])).0, 510);
    assert_eq!(lab.iq.size(), (0, 0));
    // Remote cannot be done, Local can.
    let unreachable =
        ["c=IN IP6 2001:db8::7\nm=audio 5000 RTP/AVP 8", "c=IN IP4 203.0.113.7\nm=audio 5000 RTP/SAVP 8"];
    let reply = lab.ask(&offer("access", ",RG=ON", &[ALAW], &unreachable));
    assert!(reply.contains("m=audio 30000 RTP/AVP 8\n}") && reply.contains(",R{}"), "{reply}");
    assert_eq!(lab.model.spec(101, 1).remote, None);
    assert_eq!(lab.error(&offer("access", "", &[ALAW], &unreachable)).0, 510);
}

#[test]
fn a_modify_chooses_among_what_the_stream_can_still_become() {
    let mut lab = Lab::new();
    let (context, _, core) = lab.call();
    let remote = |control: &str, groups: &[&str]| {
        let groups: String = groups.iter().map(|group| format!("v=0\n{group}\n")).collect();
        format!("C={context}{{MF={core}{{M{{ST=1{{O{{{control}}},R{{\n{groups}}}}}}}}}}}")
    };
    let v4 = "c=IN IP4 203.0.113.9\nm=audio 5000 RTP/AVP 96";
    let v6 = "c=IN IP6 2001:db8::9\nm=audio 5000 RTP/AVP 96";
    let reply = lab.ask(&remote("MO=SR", &[v4, v6]));
    let told =
        format!("MF={core}{{M{{ST=1{{R{{\nv=0\nc=IN IP6 2001:db8::9\nm=audio 5000 RTP/AVP 96\n}}}}}}}}");
    assert!(reply.contains(&told), "{reply}");
    let before = lab.ask(&format!("C={context}{{AV={core}{{AT{{M}}}}}}"));
    assert_eq!(lab.error(&remote("MO=IN", &[v4, v4])).0, 510);
    assert_eq!(
        lab.ask(&format!("C={context}{{AV={core}{{AT{{M}}}}}}")),
        before,
        "a refused command changes nothing"
    );
    let reply = lab.ask(&remote("MO=IN,RG=ON", &[v4, v4]));
    assert!(reply.contains("R{}"), "{reply}");
    assert_eq!(lab.model.spec(102, 1).remote, None);
}

#[test]
fn an_optional_command_that_cannot_be_done_leaves_room_for_the_next() {
    let mut lab = Lab::new();
    lab.call();
    let reply = lab.ask("C=5001{O-MF=ip/1/core/102{M{O{gm/foo=1}}},MF=ip/1/core/102{M{O{MO=SO}}}}");
    assert!(reply.contains("ER=450") && reply.ends_with(",MF=ip/1/core/102}"), "{reply}");
    assert_eq!(lab.model.spec(102, 1).mode, Mode::SendOnly);
}

#[test]
fn values_of_properties_that_say_nothing_here_are_passed_over() {
    let mut lab = Lab::new();
    let reply = lab.ask(&add_with("ipdc/realm={\"moon\",\"access\"},ds/dscp={99,46}"));
    assert!(reply.contains("O{ipdc/realm=\"access\",ds/dscp=46},L{"), "{reply}");
}
