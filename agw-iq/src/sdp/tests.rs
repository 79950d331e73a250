//! What is taken, what is refused, and agreement with another parser where both take a description.

use proptest::prelude::*;

use super::*;
use crate::errors::ErrorCode;
use crate::testing;

const OFFER: &str = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 $\nt=0 0\nb=AS:41\nm=audio $ RTP/SAVP 96 8\n\
                     a=rtpmap:96 AMR/8000\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:aaaa\n\
                     a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:bbbb\na=rtcp:53020 IN IP6 2001:db8::1\na=rtcp-mux\n\
                     b=RS:800\na=ptime:20\n";

fn read(text: &str) -> Sdp {
    Sdp::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_accessors_give_what_the_gateway_acts_on() {
    let sdp = read(OFFER);
    let group = &sdp.groups[0];
    let media = &group.media[0];
    assert_eq!((media.port, media.proto.as_str(), media.formats.len()), (Port::Choose, "RTP/SAVP", 2));
    assert_eq!(group.connection_of(media).map(|c| &c.address), Some(&Address::Choose));
    assert_eq!(media.connection(), None);
    assert_eq!(media.crypto().count(), 2);
    assert!(media.crypto().next().is_some_and(|value| value.starts_with("1 AES_CM_128_HMAC_SHA1_80")));
    assert!(media.rtcp_mux());
    assert_eq!(media.rtcp().map(|rtcp| rtcp.port), Some(Port::Number(53020)));
    assert_eq!(media.bandwidth("rs"), Some(BandwidthValue::Number(800)));
    assert_eq!(media.bandwidth("AS"), None);
    assert_eq!(media.attribute("ptime").and_then(Attribute::value), Some("20"));
}

#[test]
fn print_gives_what_was_read() {
    assert_eq!(read(OFFER).print().as_str(), OFFER);
}

#[test]
fn gateway_forms_that_sip_does_not_know_are_taken() {
    for line in [
        "m=- $ UDP -",
        "m=message $ TCP *",
        "m=message 0 TCP/TLS *",
        "m=image - UDP/DTLS t38",
        "m=$ $ $ $",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "m=audio 49170/2 RTP/AVP 0 $",
        "c=IN IP6 $",
        "c=IN $ $",
        "c=IN IP4 -",
        "c=IN IP4 224.2.1.1/127/3",
        "c=IN IP4 gw.example.net",
        "b=AS:$",
        "a=fingerprint:SHA-256 $",
        "a=candidate:$",
        "a=rtcp:$",
        "x=what ever",
        "k=clear:x",
    ] {
        let text = format!("v=0\n{line}\n");
        assert_eq!(read(&text).print().as_str(), text);
    }
}

#[test]
fn each_version_line_begins_an_alternative() {
    let sdp = read("v=0\nm=audio 1 RTP/SAVP 0\na=x\nv=0\nm=audio 2 RTP/AVP 0\n");
    let protos: Vec<_> = sdp.groups.iter().map(|group| group.media[0].proto.as_str()).collect();
    assert_eq!(protos, ["RTP/SAVP", "RTP/AVP"]);
}

#[test]
fn an_error_names_the_line_and_the_value() {
    let cases = [
        ("", 474, 1, "empty"),
        ("c=IN IP4 $\n", 474, 1, "v= expected"),
        ("v=0\n\nhello\n", 474, 3, "'hello'"),
        ("v=0\nV=0\n", 474, 2, "'V=0'"),
        ("v=1\n", 449, 1, "'1'"),
        ("v=0\nc=ATM NSAP x\n", 449, 2, "'ATM'"),
        ("v=0\nc=IN IP5 x\n", 449, 2, "'IP5'"),
        ("v=0\nc=IN IP4\n", 474, 2, "'IN IP4'"),
        ("v=0\nc=IN IP4 1.2.3.4 5\n", 474, 2, "1.2.3.4 5"),
        ("v=0\nc=IN IP4 2001:db8::1\n", 474, 2, "'2001:db8::1'"),
        ("v=0\nc=IN IP6 192.0.2.1\n", 474, 2, "'192.0.2.1'"),
        ("v=0\nc=IN IP4 192.0.2.256\n", 474, 2, "'192.0.2.256'"),
        ("v=0\nc=IN IP4 a_b!\n", 474, 2, "'a_b!'"),
        ("v=0\nm=audio\n", 474, 2, "'audio'"),
        ("v=0\nm=audio 1 RTP/AVP\n", 474, 2, "format"),
        ("v=0\nm=audio 65536 RTP/AVP 0\n", 474, 2, "'65536'"),
        ("v=0\nm=audio +1 RTP/AVP 0\n", 474, 2, "'+1'"),
        ("v=0\nm=audio 1/x RTP/AVP 0\n", 474, 2, "'x'"),
        ("v=0\nb=AS\n", 474, 2, "'AS'"),
        ("v=0\nb=AS:-1\n", 474, 2, "'AS:-1'"),
        ("v=0\na=\n", 474, 2, "attribute"),
        ("v=0\na=:x\n", 474, 2, "attribute"),
        ("v=0\na=rtcp:70000\n", 474, 2, "'70000'"),
        ("v=0\na=rtcp:5 IN IP4\n", 474, 2, "'IN IP4'"),
    ];
    for (text, code, line, what) in cases {
        let error = Sdp::parse(text).expect_err(text);
        assert_eq!((error.code, error.line), (ErrorCode(code), line), "{text}: {error}");
        assert!(error.what.contains(what), "{text}: {error}");
    }
}

#[test]
fn every_limit_is_an_error() {
    let too_long = format!("v=0\na={}\n", "x".repeat(MAX_LINE_BYTES));
    let too_many = format!("v=0\n{}", "a=x\n".repeat(MAX_LINES));
    let groups = "v=0\n".repeat(MAX_GROUPS + 1);
    let media = format!("v=0\n{}", "m=audio 1 UDP 0\n".repeat(MAX_MEDIA + 1));
    for text in [too_long, too_many, groups, media] {
        assert_eq!(Sdp::parse(&text).map_err(|error| error.code), Err(ErrorCode::INVALID_SDP));
    }
}

#[test]
fn neither_an_error_nor_debug_shows_a_key() {
    let key = "c2VjcmV0c2VjcmV0";
    let error = Sdp::parse(&format!("v=0\ncrypto inline:{key}\n")).expect_err("not SDP");
    assert!(!error.to_string().contains(key), "{error}");
    let sdp = read(&format!("v=0\nk=base64:{key}\nm=audio 1 RTP/SAVP 0\na=crypto:1 X inline:{key}|1:4\n"));
    assert!(!format!("{sdp:?}").contains(key), "{sdp:?}");
}

#[test]
fn a_connection_is_set_before_what_must_follow_it() {
    let mut sdp = read("v=0\ns=-\nm=audio 1 RTP/AVP 0\ni=x\nb=AS:1\na=y\n");
    let connection = Connection::from_ip("192.0.2.9".parse().expect("an address"));
    sdp.groups[0].set_connection(connection.clone());
    sdp.groups[0].media[0].set_connection(connection.clone());
    sdp.groups[0].media[0].set_connection(connection);
    sdp.groups[0].media[0].set_rtcp(Rtcp { port: Port::Number(2), connection: None });
    assert_eq!(
        sdp.print().as_str(),
        "v=0\ns=-\nc=IN IP4 192.0.2.9\nm=audio 1 RTP/AVP 0\ni=x\nc=IN IP4 192.0.2.9\nb=AS:1\na=y\na=rtcp:2\n"
    );
}

/// The fields that both parsers have, in one form.
fn agree(ours: &Sdp, theirs: &sdp_types::Session) -> Result<(), TestCaseError> {
    let group = &ours.groups[0];
    prop_assert_eq!(group.media.len(), theirs.medias.len());
    for (ours, theirs) in group.media.iter().zip(&theirs.medias) {
        prop_assert_eq!(&ours.kind, &theirs.media);
        prop_assert_eq!(ours.port.number(), Some(theirs.port));
        prop_assert_eq!(ours.port_count, theirs.num_ports);
        prop_assert_eq!(&ours.proto, &theirs.proto);
        prop_assert_eq!(ours.formats.join(" "), theirs.fmt.clone());
        let connections: Vec<_> = ours
            .lines
            .iter()
            .filter_map(|line| match line {
                Line::Connection(connection) => Some(connection.to_string()),
                _ => None,
            })
            .collect();
        let others: Vec<_> = theirs
            .connections
            .iter()
            .map(|c| format!("{} {} {}", c.nettype, c.addrtype, c.connection_address))
            .collect();
        prop_assert_eq!(connections, others);
        let attributes: Vec<_> = ours
            .lines
            .iter()
            .filter(|line| matches!(line, Line::Attribute(_) | Line::Rtcp(_)))
            .map(ToString::to_string)
            .collect();
        let others: Vec<_> = theirs
            .attributes
            .iter()
            .map(|a| {
                a.value
                    .as_ref()
                    .map_or(format!("a={}", a.attribute), |value| format!("a={}:{value}", a.attribute))
            })
            .collect();
        prop_assert_eq!(attributes, others);
    }
    Ok(())
}

#[test]
fn another_parser_reads_plain_sdp_as_we_do() {
    let text = OFFER.replace('$', "192.0.2.1").replacen("m=audio 192.0.2.1", "m=audio 4000", 1);
    let text = text
        .replace("t=0 0\nb=AS:41\n", "b=AS:41\nt=0 0\n")
        .replace("b=RS:800\na=ptime:20\n", "a=ptime:20\n");
    let theirs = sdp_types::Session::parse(text.as_bytes()).expect("plain SDP");
    agree(&read(&text), &theirs).expect("agreement");
}

proptest! {
    #[test]
    fn what_is_printed_is_read_to_the_same_description(sdp in testing::sdp()) {
        let again = sdp.print().parse();
        prop_assert_eq!(again, Ok(sdp));
    }

    #[test]
    fn another_parser_agrees_wherever_both_read(sdp in testing::sdp()) {
        // The other parser wants o=, s= and t=, one group, and the order of RFC 4566.
        let mut sdp = sdp;
        sdp.groups.truncate(1);
        sdp.groups[0].lines.clear();
        for media in &mut sdp.groups[0].media {
            media.lines.sort_by_key(|line| match line {
                Line::Connection(_) => 0,
                Line::Bandwidth(_) => 1,
                _ => 2,
            });
            media.lines.retain(|line| !matches!(line, Line::Other { .. }));
        }
        let text = sdp.print().as_str().replacen("v=0\n", "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nt=0 0\n", 1);
        let ours = read(&text);
        if let Ok(theirs) = sdp_types::Session::parse(text.as_bytes()) {
            agree(&ours, &theirs)?;
        }
    }

    #[test]
    fn arbitrary_text_never_panics(text in "(v=0\n)?([a-z]=[ -~$é]{0,30}\n){0,6}", noise in any::<String>()) {
        let _ = Sdp::parse(&text);
        let _ = Sdp::parse(&noise);
        let _ = SdpText::new(&noise).parse();
    }
}
