//! `tcpbcc/BNCChange` and `tlsbsc/BNCChange` (H.248.89, H.248.90; provisional): what has become of a connection, or of TLS on it.

use super::generic::GeneralCause;
use crate::ast::{EventSpec, Name, Parm, PkgdName, Value};
use agw_core::model::{Bearer, BearerFailure, StreamId};

/// The observed event, of the package that the bearer belongs to. A failure has its reason in words.
pub fn change(package: &Name, stream: StreamId, bearer: Bearer) -> EventSpec {
    let (kind, reason) = match bearer {
        Bearer::Established => ("Est", None),
        Bearer::Released => ("Rel", None),
        Bearer::Failed(failure) => ("Fail", Some(failure.to_string())),
    };
    let mut parms = vec![Parm { name: Name::new("Type"), value: Value::token(kind).into() }];
    parms.extend(
        reason.map(|words| Parm { name: Name::new("Failurecause"), value: Value::quoted(words).into() }),
    );
    EventSpec { name: PkgdName::new(package.as_str(), "BNCChange"), stream: Some(stream.0), parms }
}

/// Whether what failed may work when it is tried again.
pub const fn general_cause(failure: BearerFailure) -> GeneralCause {
    match failure {
        BearerFailure::Malformed(_) | BearerFailure::Tls(_) => GeneralCause::FailurePermanent,
        BearerFailure::Refused
        | BearerFailure::Unreachable
        | BearerFailure::TimedOut
        | BearerFailure::Reset
        | BearerFailure::Idle
        | BearerFailure::Resources
        | BearerFailure::OtherSide => GeneralCause::FailureTemporary,
    }
}
