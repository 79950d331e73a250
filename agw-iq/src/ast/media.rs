//! Media and what belongs to it: streams, local control, termination state, modem, multiplex, statistics, packages.

use super::*;
use crate::sdp::SdpText;

/// Media (section 7.1.4): the state of the termination and its streams.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaDescriptor {
    /// Properties of the termination as a whole.
    pub termination_state: Option<TerminationStateDescriptor>,
    /// The streams.
    pub streams: Streams,
}

/// Streams with identifiers, or the parameters of the only one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Streams {
    /// None given.
    #[default]
    None,
    /// Parameters of the only stream, without its identifier.
    One(Box<StreamParms>),
    /// Streams by identifier.
    Many(Vec<StreamDescriptor>),
}

/// One stream (section 7.1.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamDescriptor {
    /// Streams of the same identifier in one context are connected.
    pub id: StreamId,
    /// Its parameters.
    pub parms: StreamParms,
}

/// The parameters of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamParms {
    /// Mode, reservation and properties.
    pub local_control: Option<LocalControlDescriptor>,
    /// What the gateway receives, and how it protects what it sends.
    pub local: Option<SdpText>,
    /// What the peer receives, and how it protects what it sends.
    pub remote: Option<SdpText>,
    /// Version 3: statistics of the stream; a request names those to be kept.
    pub statistics: Option<StatisticsDescriptor>,
}

/// LocalControl (section 7.1.7).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalControlDescriptor {
    /// In which directions the gate is open, seen from the context.
    pub mode: Option<StreamMode>,
    /// Reserve resources for all alternative values.
    pub reserve_value: Option<bool>,
    /// Reserve resources for all alternative groups.
    pub reserve_group: Option<bool>,
    /// Package properties of the stream.
    pub properties: Vec<PropertyParm>,
}

/// Directions of media, seen from the context towards the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamMode {
    /// Out of the context only.
    SendOnly,
    /// Into the context only.
    ReceiveOnly,
    /// Both.
    SendReceive,
    /// Neither.
    Inactive,
    /// Back to the peer.
    Loopback,
}

/// TerminationState (section 7.1.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TerminationStateDescriptor {
    /// In or out of service.
    pub service_state: Option<ServiceState>,
    /// Whether events are buffered.
    pub event_buffer_control: Option<EventBufferControl>,
    /// Package properties of the termination.
    pub properties: Vec<PropertyParm>,
}

/// The service state of a termination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceState {
    /// Under test.
    Test,
    /// Out of service.
    OutOfService,
    /// In service.
    InService,
}

/// How buffered events are processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventBufferControl {
    /// At once.
    Off,
    /// One by one, each after a new Events descriptor.
    LockStep,
}

/// Modem (section 7.1.2); obsolete in version 2, still in its grammar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModemDescriptor {
    /// At least one type.
    pub types: Vec<ModemType>,
    /// Properties.
    pub properties: Vec<PropertyParm>,
}

/// Modem types.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of ITU-T recommendations say it all")]
pub enum ModemType {
    V18,
    V22,
    V22bis,
    V32,
    V32bis,
    V34,
    V90,
    V91,
    SynchIsdn,
    /// `X-` or `X+` and up to six letters or digits.
    Extension(Name),
}

/// Multiplex (section 7.1.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MuxDescriptor {
    /// The multiplex.
    pub kind: MuxType,
    /// The terminations whose streams it carries.
    pub terminations: Vec<TerminationId>,
}

/// Multiplex types.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of ITU-T recommendations say it all")]
pub enum MuxType {
    H221,
    H223,
    H226,
    V76,
    Nx64k,
    /// `X-` or `X+` and up to six letters or digits.
    Extension(Name),
}

/// Statistics (section 7.1.15), in order.
pub type StatisticsDescriptor = Vec<Statistic>;

/// One statistic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistic {
    /// `package/statistic`.
    pub name: PkgdName,
    /// None when only the name is meant, several for the list-valued statistics of version 3.
    pub value: Vec<Value>,
}

impl Statistic {
    /// A statistic with one number.
    pub fn number(package: &str, item: &str, value: u64) -> Self {
        Statistic { name: PkgdName::new(package, item), value: vec![value.into()] }
    }
}

/// A package and its version, as audited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageVersion {
    /// The package's text name.
    pub name: Name,
    /// Version, 0 to 99.
    pub version: u16,
}
