//! `g/cause` (H.248.1 E.1.2): the bearer has failed, in one of six groups and in words; and `g/sc`: a signal has ended.

use crate::ast::{EventSpec, Name, Parm, PkgdName, Value};
use agw_core::model::StreamId;

/// The groups of causes that this gateway reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeneralCause {
    /// `NR`: ended in order.
    NormalRelease,
    /// `FT`: may work again.
    FailureTemporary,
    /// `FP`: will not work again.
    FailurePermanent,
}

impl GeneralCause {
    const fn as_str(self) -> &'static str {
        match self {
            GeneralCause::NormalRelease => "NR",
            GeneralCause::FailureTemporary => "FT",
            GeneralCause::FailurePermanent => "FP",
        }
    }
}

/// The observed event.
pub fn cause(stream: Option<StreamId>, general: GeneralCause, words: &str) -> EventSpec {
    EventSpec {
        name: PkgdName::new("g", "cause"),
        stream: stream.map(|stream| stream.0),
        parms: vec![
            Parm { name: Name::new("Generalcause"), value: Value::token(general.as_str()).into() },
            Parm { name: Name::new("Failurecause"), value: Value::quoted(words).into() },
        ],
    }
}

/// How a signal ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// `TO`: it did what it was to do.
    Completed,
    /// `SD`: a new Signals descriptor took its place.
    Replaced,
    /// `NC`: it could not be done.
    NotCompleted,
}

/// The observed signal completion.
pub fn completion(signal: &PkgdName, stream: Option<u16>, ending: Ending) -> EventSpec {
    let method = match ending {
        Ending::Completed => "TO",
        Ending::Replaced => "SD",
        Ending::NotCompleted => "NC",
    };
    EventSpec {
        name: PkgdName::new("g", "sc"),
        stream,
        parms: vec![
            Parm { name: Name::new("SigID"), value: Value::quoted(signal.to_string()).into() },
            Parm { name: Name::new("Meth"), value: Value::token(method).into() },
        ],
    }
}
