//! ICE at one stream as descriptions say it (RFC 8839, TS 23.334 clause 5.18). The gateway is a lite agent: `$` in Local asks for a fragment, a
//! password and candidates of ours, and asks again for a restart; values repeated in Local must be those that we gave, and keep them.
//! What Remote says is the peer's. A password is answered in the reply to the command that asked for it, and nowhere else (SRTP-12).

use super::media::unsupported;
use crate::ast::ErrorDescriptor;
use crate::errors::ErrorCode;
use crate::sdp::{Attribute, Group, Media};
use agw_core::model::{IceCredential, IceSpec, LocalStream, MAX_CANDIDATES, StreamSpec, Transport};
use std::net::{IpAddr, SocketAddr};

/// What one alternative says of ICE.
#[derive(Debug, PartialEq)]
pub(super) struct IceTerms {
    credential: Credential,
    /// Concrete candidates of UDP, with their component; of the first at most [`MAX_CANDIDATES`].
    candidates: Vec<(u16, SocketAddr)>,
    is_lite: bool,
}

/// `a=ice-ufrag` and `a=ice-pwd`, which only mean something together.
#[derive(Debug, PartialEq)]
enum Credential {
    /// Neither; what is left are candidates.
    None,
    Asked,
    Said(IceCredential),
}

/// What both sides have said of ICE at one stream; it is in use where Local has it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct IceSides {
    is_local: bool,
    peer: Option<IceCredential>,
    candidates: Vec<SocketAddr>,
}

impl IceTerms {
    /// Reads what stands in the media description, or else of fragment and password in that of the session.
    ///
    /// # Errors
    /// 449 with the value that is none, 472 for one half of a credential without the other.
    pub(super) fn read(
        group: &Group,
        media: &Media,
        transport: Transport,
    ) -> Result<Option<Box<Self>>, ErrorDescriptor> {
        if matches!(transport, Transport::Tcp { .. }) {
            return Ok(None);
        }
        let credential = credential(group, media)?;
        let mut candidates = Vec::new();
        let concrete = media.attributes("candidate").filter(|line| !line.is_choose());
        for line in concrete {
            let value = line.value().unwrap_or_default().trim();
            let read =
                candidate(value).ok_or_else(|| unsupported(format!("a=candidate:{}", shown(value))))?;
            candidates.extend(read);
            if candidates.len() > MAX_CANDIDATES {
                return Err(unsupported(format!("more than {MAX_CANDIDATES} a=candidate lines")));
            }
        }
        if credential == Credential::None && media.attribute("candidate").is_none() {
            return Ok(None);
        }
        let is_lite = group.attributes("ice-lite").next().or(media.attribute("ice-lite")).is_some();
        Ok(Some(Box::new(Self { credential, candidates, is_lite })))
    }
}

impl IceSides {
    /// Takes in what Local says: it is ours. Whether new ones are asked for.
    ///
    /// # Errors
    /// 449 for values that are not ours.
    pub(super) fn take_local(
        &mut self,
        terms: Option<&IceTerms>,
        given: Option<&LocalStream>,
    ) -> Result<bool, ErrorDescriptor> {
        self.is_local = false;
        let Some(terms) = terms else { return Ok(false) };
        let is_ours = |(component, address): &&(u16, SocketAddr)| {
            given.is_some_and(|given| match component {
                1 => given.rtp == *address,
                _ => given.rtcp == Some(*address),
            })
        };
        if let Some((_, foreign)) = terms.candidates.iter().find(|candidate| !is_ours(candidate)) {
            return Err(unsupported(format!("a=candidate with {foreign} in Local is not ours")));
        }
        match &terms.credential {
            Credential::None => Ok(false),
            Credential::Asked => {
                self.is_local = true;
                Ok(true)
            }
            Credential::Said(said) => {
                let ours = given.and_then(|given| given.ice.as_deref());
                if ours != Some(said) {
                    return Err(unsupported(format!(
                        "a=ice-ufrag:{} with its a=ice-pwd in Local is not ours",
                        said.ufrag()
                    )));
                }
                self.is_local = true;
                Ok(false)
            }
        }
    }

    /// Takes in what Remote says: it is the peer's.
    ///
    /// # Errors
    /// 501 for a peer that is a lite agent too.
    pub(super) fn take_remote(&mut self, terms: Option<&IceTerms>) -> Result<(), ErrorDescriptor> {
        self.forget_remote();
        let Some(terms) = terms else { return Ok(()) };
        if terms.is_lite {
            let text = "a=ice-lite in Remote: nobody would check, the gateway is a lite agent too";
            return Err(ErrorDescriptor::with_text(ErrorCode::NOT_IMPLEMENTED, text));
        }
        if let Credential::Said(peer) = &terms.credential {
            self.peer = Some(peer.clone());
        }
        let first = terms.candidates.iter().filter(|(component, _)| *component == 1);
        self.candidates = first.map(|(_, address)| *address).collect();
        Ok(())
    }

    /// Remote was taken away.
    pub(super) fn forget_remote(&mut self) {
        (self.peer, self.candidates) = (None, Vec::new());
    }

    /// What the model shall do.
    pub(super) fn derive(&self, spec: &mut StreamSpec, choose: bool) {
        spec.ice = self.is_local.then(|| {
            let (peer, candidates) = (self.peer.clone(), self.candidates.clone());
            Box::new(IceSpec { choose, peer, candidates })
        });
    }
}

/// The lines in place of one that asks: fragment, password, or one candidate for each port of ours (RFC 8839 section 5.1). `None`: the line is
/// none of these.
pub(super) fn fill(line: &Attribute, given: &LocalStream) -> Option<Vec<Attribute>> {
    let one = |name: &str, value: &str| vec![Attribute::with_value(name, value)];
    let ours = given.ice.as_deref();
    match line.name() {
        "ice-ufrag" => Some(ours.map_or_else(Vec::new, |ours| one("ice-ufrag", ours.ufrag()))),
        "ice-pwd" => Some(ours.map_or_else(Vec::new, |ours| one("ice-pwd", ours.password()))),
        "candidate" => {
            let rtcp = given.rtcp.filter(|rtcp| *rtcp != given.rtp).map(|rtcp| (2, rtcp));
            let components = std::iter::once((1, given.rtp)).chain(rtcp);
            Some(components.map(|(component, address)| host_candidate(component, address)).collect())
        }
        _ => None,
    }
}

/// Whether a line with `$` in Local is one that [`fill`] fills for a stream of this transport.
pub(super) fn is_fillable(line: &Attribute, transport: Transport) -> bool {
    let is_ice = matches!(line.name(), "ice-ufrag" | "ice-pwd" | "candidate");
    is_ice && !matches!(transport, Transport::Tcp { .. }) && line.value() == Some("$")
}

/// The priority is that of RFC 8445 section 5.1.2.1 for the only address of a host.
fn host_candidate(component: u32, address: SocketAddr) -> Attribute {
    const HOST: u32 = (126 << 24) | (65_535 << 8);
    let (priority, ip, port) = (HOST | (256 - component), address.ip(), address.port());
    Attribute::with_value("candidate", format!("1 {component} UDP {priority} {ip} {port} typ host"))
}

/// An `a=candidate` (RFC 8839 section 5.1): `Some(None)` for one that is right but of no use here, as of another transport, or with a name in
/// place of the address.
fn candidate(value: &str) -> Option<Option<(u16, SocketAddr)>> {
    let mut parts = value.split_ascii_whitespace();
    let foundation = parts.next()?;
    let component: u16 = parts.next()?.parse().ok().filter(|component| (1..=256).contains(component))?;
    let transport = parts.next()?;
    let _priority: u32 = parts.next()?.parse().ok().filter(|priority| *priority > 0)?;
    let (address, port) = (parts.next()?, parts.next()?.parse::<u16>().ok()?);
    let (typ, kind) = (parts.next()?, parts.next()?);
    let is_right = foundation.len() <= 32 && typ.eq_ignore_ascii_case("typ") && !kind.is_empty();
    if !is_right {
        return None;
    }
    let is_udp = transport.eq_ignore_ascii_case("udp");
    let address = address.parse::<IpAddr>().ok().filter(|_| is_udp && port != 0);
    Some(address.map(|ip| (component, SocketAddr::new(ip, port))))
}

fn credential(group: &Group, media: &Media) -> Result<Credential, ErrorDescriptor> {
    let (ufrag, password) = (one(group, media, "ice-ufrag")?, one(group, media, "ice-pwd")?);
    let missing =
        |text: &str| Err(ErrorDescriptor::with_text(ErrorCode::INFORMATION_MISSING, text.to_owned()));
    match (ufrag, password) {
        (None, None) => Ok(Credential::None),
        (Some(_), None) => missing("a=ice-ufrag without a=ice-pwd"),
        (None, Some(_)) => missing("a=ice-pwd without a=ice-ufrag"),
        (Some("$"), Some("$")) => Ok(Credential::Asked),
        (Some("$"), Some(_)) | (Some(_), Some("$")) => {
            Err(unsupported("$ for one of a=ice-ufrag and a=ice-pwd only"))
        }
        (Some(ufrag), Some(password)) => {
            let read = IceCredential::new(ufrag, password).map(Credential::Said);
            read.ok_or_else(|| unsupported(format!("a=ice-ufrag:{} or its a=ice-pwd", shown(ufrag))))
        }
    }
}

fn one<'a>(
    group: &'a Group,
    media: &'a Media,
    name: &'static str,
) -> Result<Option<&'a str>, ErrorDescriptor> {
    super::connection::one(group, media, name)
}

/// The beginning of a value, for an error.
fn shown(value: &str) -> &str {
    super::connection::shown(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn candidates_are_read_as_browsers_write_them() {
        let at = |text: &str| {
            candidate(text).flatten().map(|(component, address)| (component, address.to_string()))
        };
        let host = "2887342348 1 udp 2122260223 192.0.2.7 51020 typ host generation 0 network-id 1";
        assert_eq!(at(host), Some((1, "192.0.2.7:51020".into())));
        assert_eq!(
            at("1 2 UDP 5 2001:db8::1 9 typ srflx raddr :: rport 0"),
            Some((2, "[2001:db8::1]:9".into()))
        );
        for useless in [
            "1 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active",
            "1 1 udp 2122260223 a8b3.local 51020 typ host",
        ] {
            assert_eq!(candidate(useless), Some(None), "{useless}");
        }
        for wrong in [
            "",
            "1 0 udp 1 192.0.2.7 1 typ host",
            "1 1 udp 0 192.0.2.7 1 typ host",
            "1 1 udp 1 192.0.2.7 70000 typ host",
            "1 1 udp 1 192.0.2.7 1 host",
            "1 1 udp 1 192.0.2.7",
        ] {
            assert_eq!(candidate(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_priority_of_a_host_candidate_is_the_formula_of_rfc_8445() {
        let line = host_candidate(1, "192.0.2.9:30000".parse().expect("an address"));
        assert_eq!(line.value(), Some("1 1 UDP 2130706431 192.0.2.9 30000 typ host"));
        let line = host_candidate(2, "[2001:db8::9]:30001".parse().expect("an address"));
        assert_eq!(line.value(), Some("1 2 UDP 2130706430 2001:db8::9 30001 typ host"));
    }
}
