//! What the controller wants, as plain data: contexts with terminations, terminations with streams, streams with addresses, a mode,
//! a transport and keys. Values are right by their type once made; no module here does anything. The words are those of
//! H.248.1 (context, termination, stream, mode) because they are the field's, but nothing here knows a protocol.

pub mod activity;
pub mod address;
pub mod context;
pub mod ice;
pub mod media;
pub mod policing;
pub mod rtp;
pub mod security;
pub mod statistics;
pub mod stream;
pub mod tcp;
pub mod termination;
pub mod tls;

pub use activity::{Activity, Watch, Way};
pub use address::{AddressMask, Family, Leg, PortRange, RealmName};
pub use context::{ContextAttributes, ContextId};
pub use ice::{IceCredential, IceEvent, IceSpec, MAX_CANDIDATES, MAX_ICE_CREDENTIAL_BYTES};
pub use media::{Component, RtcpPorts, Transport};
pub use policing::{PeakRate, Policing, SustainedRate};
pub use rtp::{
    BundleMember, Format, HeaderExtension, MAX_EXTENSIONS, MAX_FORMATS, MAX_MID_BYTES, MAX_SIGNALLED_SSRCS,
    RtpNames, RtpSpec,
};
pub use security::{CryptoAttribute, Direction, Security};
pub use statistics::{ConnectionState, ConnectionStatus, Proof, SessionStatus, StreamStatistics};
pub use stream::{
    LatchAction, MAX_FILTER_ENTRIES, Mode, Remote, SourceFilter, SourceRule, StreamId, StreamSpec,
};
pub use tcp::{Application, MAX_MSRP_PATH_BYTES, MsrpPaths, TcpSetup, TcpSpec, Trigger};
pub use termination::{LocalStream, TerminationId, TerminationView};
pub use tls::{
    Bearer, BearerFailure, BfcpError, Fingerprint, HashFunction, MAX_FINGERPRINTS, Malformation, MsrpError,
    PreSharedKey, TlsFailure, TlsSpec,
};
