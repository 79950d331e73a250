//! One stream: what it was, what a command says of it, and what it shall be.
//!
//! A Modify is partial (H.248.1 section 7.1.6): what is omitted stays, an empty Local or Remote takes the description away. The model
//! wants whole specifications, so the H.248 view of each stream is kept: LocalControl as it was set, Local and Remote without keys, and the
//! specification without keys. Keys pass through to the model in the command that brings them and are kept nowhere here (SRTP-12);
//! that one was given is remembered, so that taking it away can be refused (SRTP-9).

use super::alternatives::{Alternative, Described, Pick, Reserve};
use super::connection::{self, Connection, Establish};
use super::formats::RtpSides;
use super::ice::IceSides;
use super::media::{self, Terms, unsupported};
use super::sources;
use super::traffic::{self, Bandwidths};
use crate::ast::{
    ErrorDescriptor, LocalControlDescriptor, ParmValue, PkgdName, PropertyParm, StreamMode, StreamParms,
    Value,
};
use crate::errors::ErrorCode;
use crate::package::{self, Kind, Place, diffserv::DscpForm, gate, realm::Realms};
use crate::sdp::{Group, Port, SdpText};
use agw_core::model::{
    Application, Family, LatchAction, LocalStream, MAX_FILTER_ENTRIES, Mode, RealmName, Remote, RtcpPorts,
    StreamSpec, Transport, Watch,
};
use std::net::SocketAddr;

/// A stream as H.248 sees it.
#[derive(Clone, Debug)]
pub(super) struct Stream {
    pub(super) mode: StreamMode,
    pub(super) reserve_value: Option<bool>,
    pub(super) reserve_group: Option<bool>,
    pub(super) properties: Vec<PropertyParm>,
    /// Without keys; `None` where none was given or it was taken away.
    pub(super) local: Option<SdpText>,
    pub(super) remote: Option<SdpText>,
    /// What the model runs, without keys and without the latch action.
    pub(super) spec: StreamSpec,
    /// What the model gave it.
    pub(super) given: Option<LocalStream>,
    pub(super) local_keyed: bool,
    pub(super) remote_keyed: bool,
    /// For TCP and for DTLS.
    pub(super) connection: Option<Box<Connection>>,
    ice: IceSides,
    rtp: RtpSides,
    local_bandwidths: Bandwidths,
    remote_bandwidths: Bandwidths,
    local_mux: bool,
    remote_mux: bool,
    has_remote: bool,
    local_off: bool,
    remote_off: bool,
}

impl Stream {
    fn new(transport: Transport) -> Self {
        Self {
            mode: StreamMode::Inactive,
            reserve_value: None,
            reserve_group: None,
            properties: Vec::new(),
            local: None,
            remote: None,
            spec: StreamSpec::new(transport),
            given: None,
            local_keyed: false,
            remote_keyed: false,
            connection: None,
            ice: IceSides::default(),
            rtp: RtpSides::default(),
            local_bandwidths: Bandwidths::default(),
            remote_bandwidths: Bandwidths::default(),
            local_mux: false,
            remote_mux: false,
            has_remote: false,
            local_off: false,
            remote_off: false,
        }
    }

    pub(super) fn property(&self, package: &str, item: &str) -> Option<&Value> {
        let found = self.properties.iter().find(|property| property.name.is(package, item))?;
        found.value.single()
    }

    /// The values of a property that may have several; none where it was not set.
    pub(super) fn values(&self, package: &str, item: &str) -> &[Value] {
        match self
            .properties
            .iter()
            .find(|property| property.name.is(package, item))
            .map(|found| &found.value)
        {
            Some(ParmValue::One(value)) => std::slice::from_ref(value),
            Some(ParmValue::All(values)) => values,
            _ => &[],
        }
    }

    /// What an audit says of its properties: those that were set, and the state of a connection of MSRP.
    pub(super) fn told_properties(&self) -> Vec<PropertyParm> {
        let status = self.msrp_status().map(|status| PropertyParm {
            name: PkgdName::new("msrpcs", "status"),
            value: Value::token(status).into(),
        });
        self.properties.iter().cloned().chain(status).collect()
    }

    fn msrp_status(&self) -> Option<&'static str> {
        let connection = self.connection.as_ref().filter(|_| self.has_msrp())?;
        Some(connection.status())
    }

    /// Whether messages of MSRP are told apart on it.
    pub(super) fn has_msrp(&self) -> bool {
        matches!(self.spec.transport, Transport::Tcp { application: Application::Msrp, .. })
    }

    pub(super) fn is_on(&self, package: &str, item: &str) -> Option<bool> {
        self.property(package, item).and_then(Value::as_bool)
    }
}

/// What rules the reading of a command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules<'a> {
    pub(super) realms: &'a Realms,
    pub(super) dscp: DscpForm,
    /// IQ-3: whether `a=crypto` may come over this association.
    pub(super) keys_allowed: bool,
    /// The realm that the TerminationID names.
    pub(super) interface: Option<&'a RealmName>,
    /// The TerminationID is that of an Add, so its realm and `ipdc/realm` must agree.
    pub(super) adding: bool,
}

/// A stream after a command's LocalControl, before its descriptions.
#[derive(Debug)]
pub(super) struct Begun {
    stream: Stream,
    /// Properties that the gateway was asked to choose.
    pub(super) chosen: Vec<PropertyParm>,
    pub(super) chosen_realm: bool,
}

impl Begun {
    /// Whose silence is to be told.
    pub(super) fn watch(&mut self, watch: Watch) {
        self.stream.spec.watch = watch;
    }

    /// What of several alternatives is to be reserved.
    pub(super) fn reserve(&self) -> Reserve {
        Reserve {
            groups: self.stream.reserve_group.unwrap_or(false),
            values: self.stream.reserve_value.unwrap_or(false),
        }
    }
}

/// Takes a command's LocalControl into a stream, which it makes where there is none.
///
/// # Errors
/// The H.248.1 code for what is wrong, with the offending value.
pub(super) fn begin(
    current: Option<&Stream>,
    parms: &StreamParms,
    local: &Described,
    rules: &Rules<'_>,
) -> Result<Begun, ErrorDescriptor> {
    if parms.statistics.is_some() {
        return Err(ErrorDescriptor::with_text(ErrorCode::UNKNOWN_DESCRIPTOR, "Statistics of a stream"));
    }
    let mut stream = match (current, local) {
        (Some(current), _) => current.clone(),
        (None, Described::Offered(_)) => {
            // The transport is that of the alternative that is chosen in the end.
            Stream::new(local.first().map_or(Transport::Udp, |first| first.terms.transport))
        }
        (None, _) => return Err(ErrorDescriptor::new(ErrorCode::MISSING_REMOTE_OR_LOCAL)),
    };
    let mut chosen = Vec::new();
    let mut chosen_realm = false;
    if let Some(control) = &parms.local_control {
        chosen_realm = take_control(&mut stream, control, &mut chosen, rules)?;
    }
    realm(&stream, rules)?;
    Ok(Begun { stream, chosen, chosen_realm })
}

/// What a command's signals ask of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asks {
    pub(super) latch: Option<LatchAction>,
    pub(super) establish: Establish,
}

/// The view as it will be, without keys, and the specification for the model, keys and actions included, when these alternatives
/// are taken; `asks` is what the command's signals ask for.
///
/// # Errors
/// The H.248.1 code for why that cannot be, with the offending value.
pub(super) fn merge(
    begun: &Begun,
    local: Pick<'_>,
    remote: Pick<'_>,
    asks: Asks,
    rules: &Rules<'_>,
) -> Result<(Stream, StreamSpec), ErrorDescriptor> {
    let mut stream = begun.stream.clone();
    let mut spec = stream.spec.clone();
    let choose_ice = take_local(&mut stream, &mut spec, local)?;
    take_remote(&mut stream, &mut spec, remote)?;
    derive(&mut spec, &stream, rules)?;
    stream.ice.derive(&mut spec, choose_ice);
    stream.rtp.derive(&mut spec);
    connection::derive(&mut spec, &mut stream, asks.establish)?;
    let keys = (local.psk(), remote.psk());
    connection::take_keys(&mut spec.tls, keys, stream.local_keyed)?;
    spec.latch = asks.latch;
    stream.spec = kept(&spec);
    Ok((stream, spec))
}

/// A specification without keys and actions.
fn kept(spec: &StreamSpec) -> StreamSpec {
    let mut kept = StreamSpec { security: Default::default(), latch: None, ..spec.clone() };
    if let Some(tcp) = &mut kept.tcp {
        tcp.establish = false;
    }
    if let Some(tls) = &mut kept.tls {
        (tls.establish, tls.psk) = (false, None);
    }
    if let Some(ice) = &mut kept.ice {
        ice.choose = false;
    }
    kept
}

/// Takes LocalControl in. Whether the realm was left to the gateway.
fn take_control(
    stream: &mut Stream,
    control: &LocalControlDescriptor,
    chosen: &mut Vec<PropertyParm>,
    rules: &Rules<'_>,
) -> Result<bool, ErrorDescriptor> {
    let mut chosen_realm = false;
    stream.mode = control.mode.unwrap_or(stream.mode);
    stream.reserve_value = control.reserve_value.or(stream.reserve_value);
    stream.reserve_group = control.reserve_group.or(stream.reserve_group);
    for (at, parm) in control.properties.iter().enumerate() {
        if control.properties[..at].iter().any(|earlier| earlier.name == parm.name) {
            return Err(ErrorDescriptor::with_text(ErrorCode::PROPERTY_TWICE, parm.name.to_string()));
        }
        let known = package::property(&parm.name)?;
        if !matches!(known.place, Place::LocalControl | Place::Anywhere) {
            return Err(ErrorDescriptor::with_text(ErrorCode::PROPERTY_ILLEGAL_HERE, parm.name.to_string()));
        }
        if !known.writable {
            return Err(ErrorDescriptor::with_text(ErrorCode::ILLEGAL_WRITE_OR_READ, parm.name.to_string()));
        }
        let is_realm = parm.name.is("ipdc", "realm");
        if is_realm && parm.value.single().is_some_and(Value::is_choose) {
            chosen_realm = true;
            stream.properties.retain(|property| property.name != parm.name);
            continue;
        }
        if let Some(values) = list(known, parm, rules)? {
            let value = ParmValue::All(values);
            stream.properties.retain(|property| property.name != parm.name);
            stream.properties.push(PropertyParm { name: parm.name.clone(), value });
            continue;
        }
        let says = |value: &Value| {
            known.kind.admits(value) && meaning(&parm.name.package, known.name, value, rules).is_some()
        };
        let value =
            choose(known, &parm.value, says).ok_or_else(|| package::unsupported(&parm.name, &parm.value))?;
        let property = PropertyParm { name: parm.name.clone(), value: value.into() };
        if parm.value.is_choice() {
            chosen.push(property.clone());
        }
        match stream.properties.iter_mut().find(|old| old.name == property.name) {
            Some(old) => *old = property,
            None => stream.properties.push(property),
        }
    }
    Ok(chosen_realm)
}

/// The values of a list-valued property that has several, each checked; `None` for what is one value or a choice.
///
/// # Errors
/// 449 for a value that says nothing, or too many.
fn list(
    known: &package::Property,
    parm: &PropertyParm,
    rules: &Rules<'_>,
) -> Result<Option<Vec<Value>>, ErrorDescriptor> {
    let ParmValue::All(values) = &parm.value else { return Ok(None) };
    if !known.list || values.len() < 2 {
        return Ok(None);
    }
    let says = |value: &Value| {
        known.kind.admits(value) && meaning(&parm.name.package, known.name, value, rules).is_some()
    };
    if values.len() > MAX_FILTER_ENTRIES || !values.iter().all(says) {
        return Err(package::unsupported(&parm.name, &parm.value));
    }
    Ok(Some(values.clone()))
}

/// The value itself, or the first of those that are offered which `says` something here.
fn choose(known: &package::Property, value: &ParmValue, says: impl Fn(&Value) -> bool) -> Option<Value> {
    let fits = |value: &&Value| says(value);
    match value {
        ParmValue::One(value) if value.is_choose() => known.default.map(Value::token),
        ParmValue::One(value) => Some(value).filter(fits).cloned(),
        ParmValue::All(values) => match values.as_slice() {
            [value] => Some(value).filter(fits).cloned(),
            _ => None,
        },
        ParmValue::Any(values) => values.iter().find(fits).cloned(),
        ParmValue::Range(low, _) => Some(low).filter(fits).cloned(),
        ParmValue::Relation(..) => None,
    }
}

/// Whether a value that has the right type also says something.
fn meaning(package: &crate::ast::Name, item: &str, value: &Value, rules: &Rules<'_>) -> Option<()> {
    match (package.as_str().to_ascii_lowercase().as_str(), item) {
        ("ds", "dscp") => rules.dscp.read(value).map(|_| ()),
        ("gm", "sam") => gate::address_mask(value.as_str()).map(|_| ()),
        ("gm", "spr") => gate::port_range(value.as_str()).map(|_| ()),
        ("gm", "lsa") => value.as_str().parse::<std::net::IpAddr>().ok().map(|_| ()),
        ("ipdc", "realm") => rules.realms.named(value.as_str()).map(|_| ()),
        _ => Some(()),
    }
}

/// Takes Local in; whether it asks for new values of ICE.
fn take_local(stream: &mut Stream, spec: &mut StreamSpec, local: Pick<'_>) -> Result<bool, ErrorDescriptor> {
    match local {
        Pick::Omitted => Ok(false),
        Pick::TakenAway => {
            stream.local = None;
            stream.local_off = true;
            stream.local_bandwidths = Bandwidths::default();
            Ok(false)
        }
        Pick::Given(Alternative { group, terms, .. }) => {
            if stream.local_keyed && !terms.is_keyed() {
                return Err(taken_away("Local"));
            }
            super::answer::check(group, terms.transport)?;
            check_rtcp_port(terms, stream.given.as_ref())?;
            if let Some(connection) = &terms.connection {
                connection.take_local(stream, spec)?;
            }
            let choose_ice = stream.ice.take_local(terms.ice.as_deref(), stream.given.as_ref())?;
            stream.rtp.take_local(&terms.rtp);
            stream.local_keyed |= terms.is_keyed();
            stream.local_off = terms.is_off();
            stream.local_mux = terms.mux;
            spec.transport = terms.transport;
            spec.family = terms.family.or(spec.family);
            spec.local_address = terms.address;
            spec.local_port = terms.port.filter(|port| *port != 0);
            spec.clock_rate_hz = terms.clock_rate_hz;
            stream.local_bandwidths = terms.bandwidths;
            spec.security.local = terms.crypto.clone();
            Ok(choose_ice)
        }
    }
}

fn take_remote(stream: &mut Stream, spec: &mut StreamSpec, remote: Pick<'_>) -> Result<(), ErrorDescriptor> {
    match remote {
        Pick::Omitted => Ok(()),
        Pick::TakenAway => {
            stream.remote = None;
            stream.remote_off = false;
            stream.remote_mux = false;
            stream.has_remote = false;
            stream.remote_bandwidths = Bandwidths::default();
            spec.remote = None;
            stream.ice.forget_remote();
            stream.rtp.forget_remote();
            if let Some(connection) = &mut stream.connection {
                connection.forget_remote(spec);
            }
            Ok(())
        }
        Pick::Given(Alternative { group, terms, .. }) => {
            if terms.transport != spec.transport {
                let text =
                    format!("Local is {}, Remote is {}", spec.transport.as_str(), terms.transport.as_str());
                return Err(ErrorDescriptor::with_text(ErrorCode::CONFLICTING_VALUES, text));
            }
            if stream.remote_keyed && !terms.is_keyed() {
                return Err(taken_away("Remote"));
            }
            if let Some(line) = media::unfilled(group, None) {
                return Err(unsupported(format!("{line} in Remote")));
            }
            let before = std::mem::replace(&mut spec.remote, addresses(group, terms)?);
            if let (Some(remote), Some(family)) = (spec.remote, spec.family)
                && Family::of(remote.rtp.ip()) != family
            {
                let text = format!("Remote {} is of another IP version than Local", remote.rtp.ip());
                return Err(ErrorDescriptor::with_text(ErrorCode::CONFLICTING_VALUES, text));
            }
            if spec.family.is_none() {
                spec.family = spec.remote.map(|remote| Family::of(remote.rtp.ip()));
            }
            if let Some(connection) = &terms.connection {
                let moved = before != spec.remote;
                connection.take_remote(stream, spec, moved)?;
            }
            stream.ice.take_remote(terms.ice.as_deref())?;
            stream.rtp.take_remote(&terms.rtp);
            stream.remote_keyed |= terms.is_keyed();
            stream.remote_off = terms.is_off();
            stream.remote_mux = terms.mux;
            stream.has_remote = true;
            stream.remote_bandwidths = terms.bandwidths;
            spec.security.remote = terms.crypto.clone();
            Ok(())
        }
    }
}

/// SRTP-9: an attribute that was given is not changed, and to take it away is a change.
fn taken_away(descriptor: &str) -> ErrorDescriptor {
    let text = format!("a=crypto of {descriptor} was taken away");
    ErrorDescriptor::with_text(ErrorCode::CONFLICTING_VALUES, text)
}

/// An RTCP port that is named instead of left to us must be the one that the stream has, or the one it will get beside a named port.
fn check_rtcp_port(terms: &Terms, given: Option<&LocalStream>) -> Result<(), ErrorDescriptor> {
    let Some(Port::Number(named)) = terms.rtcp.as_ref().map(|rtcp| rtcp.port) else { return Ok(()) };
    let expected = match given {
        Some(given) => given.rtcp.map(|rtcp| rtcp.port()),
        None => terms.port.and_then(|port| port.checked_add(1)),
    };
    if expected == Some(named) { Ok(()) } else { Err(unsupported(format!("a=rtcp:{named} in Local"))) }
}

/// Where the peer wants its packets; `None` while it wants none (`-`, port 0, or the null address of RFC 3264 section 8.4).
fn addresses(group: &Group, terms: &Terms) -> Result<Option<Remote>, ErrorDescriptor> {
    let media = &group.media[0];
    let connection = group.connection_of(media);
    let open = media.port == Port::Choose
        || connection.is_some_and(|connection| connection.address == crate::sdp::Address::Choose);
    if open {
        return Err(unsupported("$ in Remote"));
    }
    let (Some(ip), Some(port)) = (terms.address, terms.port) else { return Ok(None) };
    if port == 0 || ip.is_unspecified() {
        return Ok(None);
    }
    let rtcp = match &terms.rtcp {
        None => None,
        Some(rtcp) => {
            let ip = match rtcp.connection.as_ref().map(|connection| &connection.address) {
                None => ip,
                Some(address) => address.ip().ok_or_else(|| unsupported(format!("a=rtcp with {address}")))?,
            };
            rtcp.port.number().filter(|port| *port != 0).map(|port| SocketAddr::new(ip, port))
        }
    };
    Ok(Some(Remote { rtp: SocketAddr::new(ip, port), rtcp }))
}

/// What follows from the properties and both descriptions together.
fn derive(spec: &mut StreamSpec, stream: &Stream, rules: &Rules<'_>) -> Result<(), ErrorDescriptor> {
    spec.realm = realm(stream, rules)?;
    spec.dscp = stream.property("ds", "dscp").and_then(|value| rules.dscp.read(value));
    spec.copy_dscp = stream.property("ds", "tb").is_some_and(|tagging| tagging.is("Copy"));
    spec.mode = if stream.local_off || stream.remote_off { Mode::Inactive } else { mode(stream.mode) };
    let rtcp_off = [("rtcph", "rsb"), ("gm", "rsb")].iter().any(|(p, i)| stream.is_on(p, i) == Some(false));
    spec.rtcp = match spec.transport {
        Transport::Udp | Transport::Tcp { .. } => RtcpPorts::None,
        // Browsers know nothing else (RFC 8834 section 4.5), so that ours is said before they answer.
        Transport::DtlsRtp { .. } if stream.local_mux && !stream.has_remote => RtcpPorts::Mux,
        // Agreed when both sides have said it (RFC 5761 section 5.1.1).
        Transport::Rtp { .. } | Transport::DtlsRtp { .. } if stream.local_mux && stream.remote_mux => {
            RtcpPorts::Mux
        }
        Transport::Rtp { .. } | Transport::DtlsRtp { .. } if rtcp_off => RtcpPorts::None,
        Transport::Rtp { .. } | Transport::DtlsRtp { .. } => RtcpPorts::Pair,
    };
    sources::take_explicit(spec, stream)?;
    spec.filter = sources::filter(stream);
    spec.policing =
        traffic::policing(stream, stream.local_bandwidths, stream.remote_bandwidths, spec.family)?;
    Ok(())
}

fn realm(stream: &Stream, rules: &Rules<'_>) -> Result<Option<RealmName>, ErrorDescriptor> {
    let named = stream.property("ipdc", "realm").and_then(|value| rules.realms.named(value.as_str()));
    match (named, rules.interface) {
        (Some(named), Some(interface)) if rules.adding && named != interface => {
            let text = format!("ipdc/realm = {named}, the interface is {interface}");
            Err(ErrorDescriptor::with_text(ErrorCode::CONFLICTING_VALUES, text))
        }
        (named, interface) => {
            // What ports were taken from stays.
            let held = stream.given.as_ref().map(|given| &given.realm);
            Ok(named.or(held).or(interface).cloned())
        }
    }
}

/// The model's word for a mode. Both look from outside the context: SendOnly lets media out to the peer.
pub(super) const fn mode(mode: StreamMode) -> Mode {
    match mode {
        StreamMode::SendOnly => Mode::SendOnly,
        StreamMode::ReceiveOnly => Mode::ReceiveOnly,
        StreamMode::SendReceive => Mode::SendReceive,
        StreamMode::Inactive => Mode::Inactive,
        StreamMode::Loopback => Mode::Loopback,
    }
}

/// What a kind of value may be, for AuditCapability.
pub(super) fn possible(kind: Kind, realms: &Realms, item: &str) -> Option<ParmValue> {
    match kind {
        Kind::Boolean => Some(ParmValue::Any(vec![Value::boolean(true), Value::boolean(false)])),
        Kind::Integer { min, max } => Some(ParmValue::Range(min.into(), max.into())),
        Kind::Enumeration(words) => {
            Some(ParmValue::Any(words.iter().map(|(word, _)| Value::token(word)).collect()))
        }
        Kind::Octet => Some(ParmValue::Range(Value::token("0x00"), Value::token("0x3F"))),
        Kind::Text(_) if item == "realm" => {
            let names: Vec<_> = realms.iter().map(|realm| Value::quoted(realm.as_str())).collect();
            (!names.is_empty()).then_some(ParmValue::Any(names))
        }
        Kind::Text(_) | Kind::Octets(_) => None,
    }
}
