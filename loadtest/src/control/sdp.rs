//! The little SDP that a load test says and understands: one audio line, one address, at most one `a=crypto` that counts (RFC 4566,
//! RFC 4568). What a gateway answers is read leniently: only the first media line and what belongs to it matter.

use std::net::{IpAddr, SocketAddr};

/// The payload type of every packet: PCMA, static, 8000 Hz (RFC 3551).
pub const PAYLOAD_TYPE: u8 = 8;

/// Session and media lines for one audio stream at `address`; `crypto` is the value of `a=crypto`.
pub fn describe(address: SocketAddr, crypto: Option<&str>) -> String {
    let ip = address.ip();
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    let profile = if crypto.is_some() { "RTP/SAVP" } else { "RTP/AVP" };
    let crypto = crypto.map_or(String::new(), |value| format!("a=crypto:{value}\r\n"));
    format!(
        "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=audio {port} {profile} {PAYLOAD_TYPE}\r\n{crypto}",
        port = address.port()
    )
}

/// The same with the address left to the gateway (H.248.1 section 7.1.8): `$` for address and port.
pub fn describe_chosen(is_ipv4: bool, crypto: Option<&str>) -> String {
    let family = if is_ipv4 { "IP4" } else { "IP6" };
    let profile = if crypto.is_some() { "RTP/SAVP" } else { "RTP/AVP" };
    let crypto = crypto.map_or(String::new(), |value| format!("a=crypto:{value}\r\n"));
    format!("v=0\r\nc=IN {family} $\r\nm=audio $ {profile} {PAYLOAD_TYPE}\r\n{crypto}")
}

/// Audio with keys from a handshake, which the end begins (RFC 5763), with the end's fingerprint.
pub fn describe_handshake(address: SocketAddr, fingerprint: &str) -> String {
    let ip = address.ip();
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    format!(
        "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n\
         m=audio {port} UDP/TLS/RTP/SAVP {PAYLOAD_TYPE}\r\na=setup:active\r\na=rtcp-mux\r\na=fingerprint:{fingerprint}\r\n",
        port = address.port()
    )
}

/// The gateway's side of it: address and fingerprint of its choice.
pub fn describe_handshake_chosen(is_ipv4: bool) -> String {
    let family = if is_ipv4 { "IP4" } else { "IP6" };
    format!(
        "v=0\r\nc=IN {family} $\r\nm=audio $ UDP/TLS/RTP/SAVP {PAYLOAD_TYPE}\r\na=setup:passive\r\na=rtcp-mux\r\n\
         a=fingerprint:SHA-256 $\r\n"
    )
}

/// A stream of MSRP whose connection is opened towards the gateway (RFC 4975 section 8, RFC 6135), with the end's path and, under TLS, its
/// fingerprint.
pub fn describe_messages(address: SocketAddr, path: &str, fingerprint: Option<&str>) -> String {
    let ip = address.ip();
    let family = if ip.is_ipv4() { "IP4" } else { "IP6" };
    let (transport, fingerprint) = fingerprint_line(fingerprint);
    format!(
        "v=0\r\no=- 1 1 IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\nm=message {port} {transport} *\r\n\
         a=setup:active\r\n{fingerprint}a=path:{path}\r\n",
        port = address.port()
    )
}

/// The gateway's side of it: address, path and fingerprint of its choice.
pub fn describe_messages_chosen(is_ipv4: bool, secured: bool) -> String {
    let family = if is_ipv4 { "IP4" } else { "IP6" };
    let (transport, fingerprint) = fingerprint_line(secured.then_some("SHA-256 $"));
    format!(
        "v=0\r\nc=IN {family} $\r\nm=message $ {transport} *\r\na=setup:passive\r\n{fingerprint}a=path:$\r\n"
    )
}

fn fingerprint_line(fingerprint: Option<&str>) -> (&'static str, String) {
    match fingerprint {
        Some(value) => ("TCP/TLS/MSRP", format!("a=fingerprint:{value}\r\n")),
        None => ("TCP/MSRP", String::new()),
    }
}

/// What the far end's description says.
#[derive(Clone, PartialEq, Eq)]
pub struct Described {
    /// Where to send RTP.
    pub address: SocketAddr,
    /// Whether its profile is a secured one.
    pub secured: bool,
    /// The values of its `a=crypto` lines. They hold keys.
    pub crypto: Vec<String>,
    /// Its other attributes.
    pub attributes: Vec<String>,
}

/// What is missing in a description.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DescribedError {
    /// No `m=` line with a port other than 0.
    #[error("the gateway's SDP has no media line with a port")]
    NoMedia,
    /// No `c=` line with an address.
    #[error("the gateway's SDP has no address")]
    NoAddress,
}

/// Reads the first media line, the address that holds for it and its keys.
///
/// # Errors
/// When there is no usable port or address.
pub fn read(sdp: &str) -> Result<Described, DescribedError> {
    let (mut ip, mut media, mut crypto) = (None::<IpAddr>, None, Vec::new());
    let mut attributes = Vec::new();
    for line in sdp.lines() {
        match line.split_once('=') {
            Some(("m", _)) if media.is_some() => break,
            Some(("m", value)) => {
                let mut words = value.split_ascii_whitespace().skip(1);
                let port = words.next().and_then(|port| port.split('/').next()?.parse::<u16>().ok());
                let port = port.filter(|&port| port != 0).ok_or(DescribedError::NoMedia)?;
                media = Some((port, words.next().is_some_and(|profile| profile.contains("SAVP"))));
            }
            Some(("c", value)) => {
                let text = value.split_ascii_whitespace().nth(2).and_then(|text| text.split('/').next());
                ip = text.and_then(|text| text.parse().ok()).or(ip);
            }
            Some(("a", value)) if media.is_some() => match value.strip_prefix("crypto:") {
                Some(value) => crypto.push(value.trim().to_owned()),
                None => attributes.push(value.trim().to_owned()),
            },
            _ => {}
        }
    }
    let (port, secured) = media.ok_or(DescribedError::NoMedia)?;
    let address = SocketAddr::new(ip.ok_or(DescribedError::NoAddress)?, port);
    Ok(Described { address, secured, crypto, attributes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_described_is_read_back() {
        for address in ["192.0.2.1:4000", "[2001:db8::1]:4000"] {
            let address: SocketAddr = address.parse().unwrap();
            let plain = read(&describe(address, None)).unwrap();
            assert_eq!((plain.address, plain.secured, plain.crypto.len()), (address, false, 0));
            let secured = read(&describe(address, Some("1 X inline:abc"))).unwrap();
            assert_eq!((secured.secured, secured.crypto), (true, vec!["1 X inline:abc".to_owned()]));
        }
    }

    #[test]
    fn the_address_of_the_media_line_wins_and_the_second_media_line_is_not_ours() {
        let sdp = "v=0\nc=IN IP4 192.0.2.9\nm=audio 5000/2 RTP/SAVP 8\nc=IN IP4 192.0.2.1/127\na=crypto:1 A b\n\
                   m=video 6000 RTP/AVP 96\nc=IN IP4 192.0.2.2\na=crypto:2 C d\n";
        let read = read(sdp).unwrap();
        assert_eq!(read.address, "192.0.2.1:5000".parse().unwrap());
        assert_eq!(read.crypto, ["1 A b"]);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(read("c=IN IP4 192.0.2.1\n").err(), Some(DescribedError::NoMedia));
        assert_eq!(read("c=IN IP4 192.0.2.1\nm=audio 0 RTP/AVP 8\n").err(), Some(DescribedError::NoMedia));
        assert_eq!(read("m=audio 5 RTP/AVP 8\n").err(), Some(DescribedError::NoAddress));
        assert_eq!(
            read("c=IN IP4 example.org\nm=audio 5 RTP/AVP 8\n").err(),
            Some(DescribedError::NoAddress)
        );
    }
}
