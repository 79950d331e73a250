//! The Local descriptor of a reply: what the controller asked for, with the addresses, the ports, the fingerprints, the path and what of ICE it
//! got.

use super::{connection, ice, media};
use crate::ast::ErrorDescriptor;
use crate::sdp::{Connection, Group, Line, Port, Rtcp};
use agw_core::model::{LocalStream, Transport};

/// Whether all that is left to the gateway in Local can be filled in: the address, the port, the RTCP port, and what a connection has.
///
/// # Errors
/// 449 with the line that cannot.
pub(super) fn check(group: &Group, transport: Transport) -> Result<(), ErrorDescriptor> {
    match media::unfilled(group, Some(transport)) {
        None => Ok(()),
        Some(line) => Err(media::unsupported(format!("cannot choose a value for {line}"))),
    }
}

/// Fills in the addresses, and the session lines that TS 183 018 clause 5.16 makes mandatory for gateways.
pub(super) fn fill(group: &mut Group, given: &LocalStream, session_lines: bool) {
    let connection = Connection::from_ip(given.rtp.ip());
    let media_has_its_own = group.media.first().is_some_and(|media| media.connection().is_some());
    if group.connection().is_some() || !media_has_its_own {
        group.set_connection(connection.clone());
    }
    if let Some(media) = group.media.first_mut() {
        if media_has_its_own {
            media.set_connection(connection.clone());
        }
        if media.port != Port::Number(0) {
            media.port = Port::Number(given.rtp.port());
        }
        let asked = media.rtcp().cloned();
        match given.rtcp {
            Some(rtcp) => {
                // RFC 3605: said where it was asked for, and where nobody would guess it.
                let guessed = rtcp.ip() == given.rtp.ip() && rtcp.port() == given.rtp.port().wrapping_add(1);
                let multiplexed = rtcp == given.rtp;
                if asked.is_some() || !(guessed || multiplexed) {
                    let own = asked.as_ref().is_some_and(|asked| asked.connection.is_some())
                        || rtcp.ip() != given.rtp.ip();
                    let connection = own.then(|| Connection::from_ip(rtcp.ip()));
                    media.set_rtcp(Rtcp { port: Port::Number(rtcp.port()), connection });
                }
            }
            None => media.lines.retain(|line| !matches!(line, Line::Rtcp(_))),
        }
        fill_attributes(&mut media.lines, given);
    }
    fill_attributes(&mut group.lines, given);
    if session_lines {
        add_session_lines(group, &connection);
    }
}

/// TLS-1, TLS-10, DTLS-1, DTLS-5: our fingerprints, our path and what is ours of ICE in the lines that asked for them. What asks for something
/// that was not given goes.
fn fill_attributes(lines: &mut Vec<Line>, given: &LocalStream) {
    let asks = |line: &Line| matches!(line, Line::Attribute(attribute) if attribute.is_choose());
    if !lines.iter().any(asks) {
        return;
    }
    let filled = std::mem::take(lines).into_iter().flat_map(|line| match &line {
        Line::Attribute(asking) if asking.is_choose() => {
            let several = ice::fill(asking, given);
            let filled = several.unwrap_or_else(|| connection::fill(asking, given).into_iter().collect());
            filled.into_iter().map(Line::Attribute).collect()
        }
        _ => vec![line],
    });
    *lines = filled.collect();
}

/// `o=`, `s=` and `t=` where they are missing, in the order of RFC 4566 section 5.
fn add_session_lines(group: &mut Group, connection: &Connection) {
    let has = |group: &Group, wanted: char| {
        group.lines.iter().any(|line| matches!(line, Line::Other { kind, .. } if *kind == wanted))
    };
    let other = |kind, value: &str| Line::Other { kind, value: value.into() };
    if !has(group, 's') {
        let at = usize::from(matches!(group.lines.first(), Some(Line::Other { kind: 'o', .. })));
        group.lines.insert(at, other('s', "-"));
    }
    if !has(group, 'o') {
        group.lines.insert(0, other('o', &format!("- 0 0 {connection}")));
    }
    if !has(group, 't') {
        let after = |line: &Line| match line {
            Line::Connection(_) | Line::Bandwidth(_) => true,
            Line::Other { kind, .. } => "osiuep".contains(*kind),
            Line::Attribute(_) | Line::Rtcp(_) => false,
        };
        let at = group.lines.iter().position(|line| !after(line)).unwrap_or(group.lines.len());
        group.lines.insert(at, other('t', "0 0"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sdp::Sdp;
    use agw_core::model::{RealmName, StreamId};

    fn given(rtp: &str, rtcp: Option<&str>) -> LocalStream {
        LocalStream {
            stream: StreamId(1),
            realm: RealmName::new("access").expect("a name"),
            rtp: rtp.parse().expect("an address"),
            rtcp: rtcp.map(|rtcp| rtcp.parse().expect("an address")),
            fingerprints: Vec::new(),
            ice: None,
            msrp_path: None,
        }
    }

    fn filled(text: &str, given: &LocalStream, session_lines: bool) -> String {
        let mut sdp = Sdp::parse(text).expect("SDP");
        check(&sdp.groups[0], Transport::Udp).expect("can be filled");
        fill(&mut sdp.groups[0], given, session_lines);
        sdp.print().as_str().to_owned()
    }

    #[test]
    fn holes_are_filled_in_place() {
        let stream = given("192.0.2.9:30000", Some("192.0.2.9:30001"));
        let text = "v=0\nc=IN IP4 $\nm=audio $ RTP/AVP 96\na=rtpmap:96 AMR/8000\n";
        assert_eq!(
            filled(text, &stream, false),
            "v=0\nc=IN IP4 192.0.2.9\nm=audio 30000 RTP/AVP 96\na=rtpmap:96 AMR/8000\n"
        );
        assert_eq!(
            filled(text, &stream, true),
            "v=0\no=- 0 0 IN IP4 192.0.2.9\ns=-\nc=IN IP4 192.0.2.9\nt=0 0\nm=audio 30000 RTP/AVP 96\na=rtpmap:96 AMR/8000\n"
        );
    }

    #[test]
    fn a_connection_line_below_the_media_line_is_filled_there() {
        let stream = given("[2001:db8::1]:40000", Some("[2001:db8::1]:40001"));
        let text = "v=0\nm=audio $ RTP/AVP 0\nc=IN IP6 $\n";
        assert_eq!(filled(text, &stream, false), "v=0\nm=audio 40000 RTP/AVP 0\nc=IN IP6 2001:db8::1\n");
    }

    #[test]
    fn the_rtcp_port_is_told_when_asked_for_or_unusual() {
        let usual = given("192.0.2.9:30000", Some("192.0.2.9:30001"));
        let asked = "v=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\na=rtcp:$\n";
        assert!(filled(asked, &usual, false).contains("a=rtcp:30001\n"));
        let unusual = given("192.0.2.9:30000", Some("192.0.2.9:40000"));
        let plain = "v=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\n";
        assert!(filled(plain, &unusual, false).contains("a=rtcp:40000\n"));
        let none = given("192.0.2.9:30000", None);
        assert!(!filled(asked, &none, false).contains("rtcp"));
    }

    #[test]
    fn what_cannot_be_chosen_is_refused_by_name() {
        for line in ["a=fingerprint:SHA-256 $", "a=ice-options:$", "b=AS:$"] {
            let text = format!("v=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\n{line}\n");
            let error =
                check(&Sdp::parse(&text).expect("SDP").groups[0], Transport::Udp).expect_err("refused");
            assert_eq!(error.code.0, 449);
            assert!(error.text.expect("text").contains(line), "{line}");
        }
    }
}
