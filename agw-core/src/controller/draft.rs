//! A command's streams, checked before anything is taken or changed (IQ-4). A [`Draft`] is a stream that is to be made, a [`Revision`] one
//! that is to change. What is fixed at set-up: the realm, the local address and port, the IP version, RTP or opaque, whether there is
//! a port for RTCP, and keys once given. Not fixed: the feedback profile; SAVP or AVP as long as no key was given; an RTCP port
//! of its own or rtcp-mux, once the port is there (it stays reserved under rtcp-mux, so that an answer may fall back to it).

use super::config::SrtpRules;
use super::connection::{self, Actions};
use super::edge;
use super::keys::{self, KeyMarks, Sessions};
use super::sockets::Opening;
use super::stream::{Asked, Stream};
use crate::command::Refusal;
use crate::model::{Application, Family, LatchAction, Leg, RtcpPorts, StreamId, StreamSpec, Transport};
use crate::ports::{Realm, Realms, Wanted, Width};
use std::mem::discriminant;
use std::net::SocketAddr;

/// The largest DiffServ code point.
const MAX_DSCP: u8 = 63;

/// A stream that is to be made.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) opening: Opening,
    pub(super) leg: Leg,
    pub(super) asked: Asked,
    pub(super) keys: KeyMarks,
    pub(super) fresh: Sessions,
    pub(super) latch: Option<LatchAction>,
    pub(super) actions: Option<Actions>,
}

impl Draft {
    /// Whether it has to have a certificate of its own.
    pub(super) fn needs_identity(&self) -> bool {
        self.asked.connection.as_ref().is_some_and(|asked| asked.needs_identity())
            || self.asked.edge.as_ref().is_some_and(|asked| asked.has_dtls())
    }
}

/// A stream that is to change.
#[derive(Debug)]
pub(super) struct Revision {
    /// Its place in the termination.
    pub(super) at: usize,
    pub(super) asked: Asked,
    pub(super) keys: KeyMarks,
    pub(super) fresh: Sessions,
    pub(super) latch: Option<LatchAction>,
    pub(super) actions: Option<Actions>,
}

/// Checks a stream that is to be made.
pub(super) fn draft(
    realms: &Realms,
    rules: &SrtpRules,
    id: StreamId,
    spec: &StreamSpec,
) -> Result<Draft, Refusal> {
    let realm = match &spec.realm {
        Some(name) => realms.find(name).ok_or_else(|| Refusal::UnknownRealm(name.clone()))?,
        None => realms.default().ok_or(Refusal::NoDefaultRealm)?,
    };
    let found = realms.realm(realm);
    let asked = Asked::new(spec, found.dscp);
    check_values(&asked)?;
    connection::check_tls(id, spec)?;
    edge::check(&asked, spec)?;
    let family = family(found, spec).ok_or(Refusal::NoSuchLocalAddress(id))?;
    check_remote_family(&asked, family).map_err(|()| Refusal::NoSuchLocalAddress(id))?;
    let (keys, fresh) = admit_keys(rules, id, KeyMarks::default(), spec)?;
    let width = if asked.rtcp == RtcpPorts::Pair { Width::Pair } else { Width::Single };
    let wanted = Wanted { family, address: spec.local_address, port: spec.local_port, width };
    let is_stream = asked.connection.is_some();
    let opening = Opening { stream: id, realm, wanted, dscp: asked.dscp, is_stream };
    Ok(Draft { opening, leg: found.leg, asked, keys, fresh, latch: spec.latch, actions: Actions::new(spec) })
}

/// Checks what a command changes of a stream that runs.
pub(super) fn revise(
    realms: &Realms,
    rules: &SrtpRules,
    at: usize,
    stream: &Stream,
    spec: &StreamSpec,
) -> Result<Revision, Refusal> {
    let found = realms.realm(stream.realm);
    let asked = Asked::new(spec, found.dscp);
    check_values(&asked)?;
    connection::check_tls(stream.id, spec)?;
    edge::check(&asked, spec)?;
    connection::check_psk(stream, spec)?;
    let fixed = |what| Err(Refusal::FixedAtSetup(stream.id, what));
    if spec.realm.as_ref().is_some_and(|name| *name != found.name) {
        return fixed("the realm");
    }
    let local = realms.address(stream.held.taken);
    let family = Family::of(local.bind);
    if spec.family.is_some_and(|asked| asked != family) || check_remote_family(&asked, family).is_err() {
        return fixed("the IP version");
    }
    if spec.local_address.is_some_and(|address| !local.is(address)) {
        return fixed("the local address");
    }
    if spec.local_port.is_some_and(|port| port != stream.held.taken.port) {
        return fixed("the local port");
    }
    check_transport(stream, asked.transport)?;
    if asked.connection.is_some() && asked.dscp != stream.asked.dscp {
        return fixed("the DSCP of a connection");
    }
    check_rtcp(stream, asked.rtcp)?;
    let (keys, fresh) = admit_keys(rules, stream.id, stream.keys, spec)?;
    Ok(Revision { at, asked, keys, fresh, latch: spec.latch, actions: Actions::new(spec) })
}

/// Whether two streams of the same number can be joined: RTP with RTP, datagrams with datagrams, connections with connections, with or without TLS,
/// as long as they do not name two applications.
pub(super) fn joinable(one: Transport, other: Transport) -> bool {
    match (one, other) {
        (Transport::Tcp { application: one, .. }, Transport::Tcp { application: other, .. }) => {
            one == other || one == Application::Opaque || other == Application::Opaque
        }
        _ => (one.is_rtp() && other.is_rtp()) || discriminant(&one) == discriminant(&other),
    }
}

fn check_values(asked: &Asked) -> Result<(), Refusal> {
    if asked.dscp > MAX_DSCP {
        return Err(Refusal::NotImplemented("a DSCP above 63"));
    }
    connection::check(asked)?;
    if asked.filter.addresses.is_too_long() || asked.filter.ports.is_too_long() {
        return Err(Refusal::NotImplemented("a source filter of more than 16 entries"));
    }
    Ok(())
}

/// The family of our address: the one that is named, or that of the local address that is named, or the peer's, or what there is.
fn family(realm: &Realm, spec: &StreamSpec) -> Option<Family> {
    if let Some(address) = spec.local_address {
        return realm.family_of(address).filter(|family| spec.family.is_none_or(|asked| asked == *family));
    }
    let peers = spec.remote.map(|remote| Family::of(remote.rtp.ip()));
    let candidates = match spec.family {
        Some(named) => [Some(named), None, None],
        None => [peers, Some(Family::V4), Some(Family::V6)],
    };
    candidates.into_iter().flatten().find(|family| realm.has(*family))
}

fn check_remote_family(asked: &Asked, family: Family) -> Result<(), ()> {
    let Some(remote) = asked.remote else { return Ok(()) };
    let reachable = |to: SocketAddr| Family::of(to.ip()) == family;
    if reachable(remote.rtp) && remote.rtcp.is_none_or(reachable) { Ok(()) } else { Err(()) }
}

fn check_transport(stream: &Stream, asked: Transport) -> Result<(), Refusal> {
    let is_connection = matches!(asked, Transport::Tcp { .. });
    let is_dtls = |transport| matches!(transport, Transport::DtlsRtp { .. });
    let becomes_another = is_dtls(asked) != is_dtls(stream.asked.transport)
        || (is_connection && stream.asked.transport != asked);
    if !joinable(stream.asked.transport, asked) || becomes_another {
        return Err(Refusal::FixedAtSetup(stream.id, "the transport"));
    }
    // Taking SAVP away from a keyed stream would send in the clear what was promised to be protected.
    let secure = matches!(asked, Transport::Rtp { secure: true, .. });
    if stream.keys.any() && !secure {
        return Err(Refusal::FixedAtSetup(stream.id, "the profile of a stream with keys"));
    }
    Ok(())
}

fn check_rtcp(stream: &Stream, asked: RtcpPorts) -> Result<(), Refusal> {
    let has_own_port = stream.held.taken.width == Width::Pair;
    let possible = match asked {
        RtcpPorts::Pair => has_own_port,
        RtcpPorts::Mux => true,
        RtcpPorts::None => !has_own_port,
    };
    if possible { Ok(()) } else { Err(Refusal::FixedAtSetup(stream.id, "the RTCP ports")) }
}

fn admit_keys(
    rules: &SrtpRules,
    id: StreamId,
    held: KeyMarks,
    spec: &StreamSpec,
) -> Result<(KeyMarks, Sessions), Refusal> {
    let secure = matches!(spec.transport, Transport::Rtp { secure: true, .. });
    if !secure && !spec.security.is_none() {
        return Err(Refusal::CryptoNotAllowed(id));
    }
    keys::admit(rules, id, held, &spec.security)
}
