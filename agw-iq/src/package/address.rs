//! `adr/rsac` (H.248.37): the address from which the peer really sends was learned, by a latch or a relatch.

use crate::ast::{EventSpec, Name, Parm, PkgdName, Value};
use agw_core::model::StreamId;
use std::net::SocketAddr;

/// The observed event: `nrsa` is the address and `nrsp` the port that media go to from now on. RTCP's own source is not told, because the
/// event has no word for the difference.
pub fn source_changed(stream: StreamId, source: SocketAddr) -> EventSpec {
    EventSpec {
        name: PkgdName::new("adr", "rsac"),
        stream: Some(stream.0),
        parms: vec![
            Parm { name: Name::new("nrsa"), value: Value::quoted(source.ip().to_string()).into() },
            Parm { name: Name::new("nrsp"), value: Value::from(u64::from(source.port())).into() },
        ],
    }
}
