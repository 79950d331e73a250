//! The worked example of a secured call in long tokens, from registration to release, and the other examples of the profile sheet.

use crate::lab::*;
use agw_core::command::{Notice, Observation};
use agw_core::model::*;

#[test]
fn a_secured_call_with_everything_set_at_once() {
    let mut lab = Lab::new();
    let request = "MEGACO/2 [127.0.0.1]:40000
Transaction = 1001 {
 Context = $ {
  Add = ip/1/$/$ {
   Media {
    Stream = 1 {
     LocalControl {
      Mode = SendReceive,
      ReservedValue = ON,
      ipdc/realm = \"access1\",
      ds/dscp = 0x2E,
      tman/pol = ON, tman/sdr = 10000, tman/mbs = 1500,
      gm/saf = ON, gm/spf = ON
     },
     Local {
v=0
c=IN IP4 $
m=audio $ RTP/SAVP 96
b=AS:41
a=rtpmap:96 AMR/8000
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj
     },
     Remote {
v=0
c=IN IP4 203.0.113.7
m=audio 49170 RTP/SAVP 96
b=AS:41
a=rtpmap:96 AMR/8000
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj
     }
    }
   },
   Events = 77 { hangterm/thb { timerx = 300 }, g/cause },
   Signals { ipnapt/latch { napt = LATCH, Stream = 1 } }
  },
  Add = ip/2/$/$ {
   Media {
    Stream = 1 {
     LocalControl { Mode = SendReceive, ReservedValue = ON, ipdc/realm = \"core1\" },
     Local {
v=0
c=IN IP6 $
m=audio $ RTP/AVP 96
a=rtpmap:96 AMR/8000
     }
    }
   },
   Events = 78 { hangterm/thb { timerx = 300 }, g/cause }
  }
 }
}
";
    let reply = lab.exchange(request).remove(0);
    let expected = "MEGACO/2 [192.0.2.20]:2944
Reply = 1001 {
	Context = 5001 {
		Add = ip/1/access1/101 {
			Media {
				Stream = 1 {
					Local {
v=0
c=IN IP4 198.51.100.20
m=audio 30000 RTP/SAVP 96
b=AS:41
a=rtpmap:96 AMR/8000
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj
";
    assert!(reply.starts_with(expected), "{reply}");
    assert!(
        reply.contains("Add = ip/2/core1/102 {")
            && reply.contains("c=IN IP6 2001:db8:1::20\nm=audio 30002 RTP/AVP 96\n")
    );
    let access = lab.model.spec(101, 1);
    assert_eq!((access.dscp, access.latch), (Some(46), Some(LatchAction::Latch)));
    assert_eq!((&access.filter.addresses, &access.filter.ports), (&SourceRule::Peer, &SourceRule::Peer));
    let rate = SustainedRate { bytes_per_second: 10_000, burst_bytes: 1_500 };
    assert_eq!(access.policing, Some(Policing::new(Some(rate), None, None)));

    let modify = "!/2 [127.0.0.1]:40000 T=1030{C=5001{MF=ip/1/access1/101{M{ST=1{O{MO=SR},R{
v=0
c=IN IP4 203.0.113.7
m=audio 49180 RTP/SAVP 96
a=rtpmap:96 AMR/8000
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj
}}}}}}";
    assert_eq!(lab.exchange(modify), ["!/2 [192.0.2.20]:2944 P=1030{C=5001{MF=ip/1/access1/101}}"]);
    assert_eq!(lab.model.spec(101, 1).remote.expect("given").rtp.port(), 49180);

    let release = "!/2 [127.0.0.1]:40000 T=1040{C=5001{S=ip/1/access1/101{AT{SA}},S=ip/2/core1/102{AT{}}}}";
    let reply = lab.exchange(release).remove(0);
    assert!(
        reply.starts_with("!/2 [192.0.2.20]:2944 P=1040{C=5001{S=ip/1/access1/101{SA{nt/dur=61234,"),
        "{reply}"
    );
    assert!(reply.ends_with("},S=ip/2/core1/102}}"), "{reply}");
    assert_eq!(lab.iq.size(), (0, 0));
}

#[test]
fn what_belongs_to_later_work_is_refused_by_name_and_leaves_nothing() {
    let mut lab = Lab::new();
    let rtp = add("v=0\nc=IN IP4 $\nm=audio $ TCP/RTP/AVP 0\na=setup:passive");
    assert_eq!(lab.error(&rtp), (501, "transport TCP/RTP/AVP is not implemented".to_owned()));
    let webrtc = add(
        "v=0\nc=IN IP4 $\nm=audio $ UDP/DTLS/SCTP 111\na=rtcp-mux\na=fingerprint:SHA-256 $\na=ice-ufrag:$\na=ice-pwd:$",
    );
    assert_eq!(lab.error(&webrtc).0, 501);
    let data = add("v=0\nc=IN IP4 $\nm=application $ UDP/DTLS/SCTP webrtc-datachannel\na=sctp-port:5000");
    assert_eq!(lab.error(&data).0, 501);
    assert_eq!(lab.iq.size(), (0, 0));
}

#[test]
fn the_controller_script_of_the_reference_peer_runs() {
    let mut lab = Lab::new();
    let reply = lab.ask(&format!("C=${{{ACCESS},A=ip/1/core/${{M{{ST=1{{O{{MO=SR}},L{{\nv=0\nc=IN IP4 $\nm=audio $ RTP/AVP 8\n}}}}}}}}}}"));
    assert!(reply.contains("A=ip/1/core/102{"), "{reply}");
    lab.ask("C=5001{MF=ip/1/core/102{M{ST=1{O{MO=SR},R{\nv=0\nc=IN IP4 127.0.0.1\nm=audio 50002 RTP/AVP 8\n}}},E=77{hangterm/thb{timerx=1}}}}");
    let notify = lab.pass(std::time::Duration::from_millis(1500));
    assert!(notify[0].1.contains("ObservedEvents = 77"), "{notify:?}");
    assert!(lab.ask("C=5001{AV=ip/1/access/101{AT{SA}}}").contains("SA{nt/dur="));
    assert_eq!(lab.error("C=-{AV=ip/1/access/99{AT{SA}}}").0, 430);
    assert!(lab.ask("C=-{AV=ROOT{AT{PG}}}").contains("rtp-1"));
    let reply = lab.ask("C=5001{S=ip/1/access/101{AT{SA}},S=ip/1/core/102{AT{SA}}}");
    assert_eq!(reply.matches("rtp/ps=3010").count(), 2, "{reply}");
}

/// What the workers notice, in the order in which the page has the gateway tell it.
fn notices() -> [(u32, Observation); 4] {
    let mismatch = BearerFailure::Tls(TlsFailure::FingerprintMismatch);
    [
        (101, Observation::Connection(Bearer::Established)),
        (101, Observation::Session(Bearer::Established)),
        (102, Observation::Connection(Bearer::Established)),
        (103, Observation::Session(Bearer::Failed(mismatch))),
    ]
}

/// The exchanges below a heading of the page: what is said, and the answer.
fn exchanges(heading: &str) -> Vec<(String, String)> {
    let page = include_str!("../../../docs/iq-procedures.md");
    let section = page.split("\n### ").find(|section| section.starts_with(heading)).expect("a section");
    let blocks = section.split("```text\n").skip(1).map(|rest| rest.split("```").next().expect("a block"));
    let pairs = blocks.flat_map(|block| block.trim().split("\n\n")).map(|exchange| {
        let (said, answer) = exchange.split_once("--> ").expect("an answer");
        (said.to_owned(), answer.to_owned())
    });
    pairs.collect()
}

fn without_space(text: &str) -> String {
    text.split_whitespace().collect()
}

/// The page shows connections as they are had here, to the letter.
#[test]
fn the_exchanges_of_connections_on_the_page_are_those_that_are_had() {
    are_had(
        &["A call of MSRP over TLS", "Orders to connect, and a peer that is not who it should be"],
        notices().into_iter(),
    );
}

#[test]
fn the_exchanges_of_a_browser_on_the_page_are_those_that_are_had() {
    let peer = "203.0.113.7:51020".parse().expect("an address");
    let notices = [
        (101, Observation::Ice(IceEvent::Selected(peer))),
        (101, Observation::Session(Bearer::Established)),
        (101, Observation::Ice(IceEvent::ConsentLost)),
    ];
    are_had(&["A browser calls"], notices.into_iter());
}

fn are_had(pages: &[&str], mut notices: impl Iterator<Item = (u32, Observation)>) {
    let mut lab = Lab::new();
    lab.iq.set_wall_clock(lab.now, std::time::Duration::from_secs(1_795_198_500));
    lab.model.messages = [12, 11];
    let mut told: Vec<String> = Vec::new();
    let mut number = 0;
    for (said, answer) in pages.iter().copied().flat_map(exchanges) {
        number += 1;
        if let Some(event) = said.strip_prefix("<-- ") {
            if told.is_empty() {
                let (termination, what) = notices.next().expect("something to tell");
                let termination = TerminationId(termination);
                told = lab.notice(Notice { termination, stream: StreamId(1), what });
            }
            let plain = without_space(&told.remove(0));
            let (head, body) = plain.split_once('{').expect("a request");
            assert_eq!(body.strip_suffix('}'), Some(without_space(event).as_str()));
            let id = head.rsplit('=').next().expect("a number");
            told = lab.exchange(&format!("MEGACO/2 [192.0.2.10]:2944\nReply = {id} {{\n{answer}\n}}\n"));
            continue;
        }
        let request = format!("MEGACO/2 [192.0.2.10]:2944\nTransaction = {number} {{\n{said}\n}}\n");
        let reply = lab.exchange(&request).remove(0);
        let head = format!("MEGACO/2[192.0.2.20]:2944Reply={number}{{");
        let plain = without_space(&reply);
        let body = plain.strip_prefix(&head).and_then(|rest| rest.strip_suffix('}'));
        assert_eq!(body, Some(without_space(&answer).as_str()), "{reply}");
    }
    assert!(notices.next().is_none() && told.is_empty(), "the page leaves out {told:?}");
}
