//! What comes of connectivity checks and of consent (H.248.50, TS 23.334 clauses 6.2.17.3 to 6.2.17.6; provisional): `ostuncc/ccr` and
//! `ostuncc/nprc`, `stnconfres/conff`.

use crate::ast::{EventSpec, Name, Parm, PkgdName, Value};
use agw_core::model::{IceEvent, StreamId};
use std::net::SocketAddr;

/// The observed event. Addresses are the peer's.
pub fn event(stream: StreamId, event: IceEvent) -> EventSpec {
    let result = |word: &str| Parm { name: Name::new("res"), value: Value::token(word).into() };
    let (name, parms) = match event {
        IceEvent::Selected(peer) => {
            let parms = std::iter::once(result("Success")).chain(address(peer));
            (PkgdName::new("ostuncc", "ccr"), parms.collect())
        }
        IceEvent::Failed => (PkgdName::new("ostuncc", "ccr"), vec![result("Failure")]),
        IceEvent::PeerReflexive(peer) => (PkgdName::new("ostuncc", "nprc"), address(peer).into()),
        IceEvent::ConsentLost => (PkgdName::new("stnconfres", "conff"), Vec::new()),
    };
    EventSpec { name, stream: Some(stream.0), parms }
}

fn address(peer: SocketAddr) -> [Parm; 2] {
    [
        Parm { name: Name::new("addr"), value: Value::quoted(peer.ip().to_string()).into() },
        Parm { name: Name::new("port"), value: Value::from(u64::from(peer.port())).into() },
    ]
}
