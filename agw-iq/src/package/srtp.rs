//! `srtp/keyexpiry` (provisional): the master keys of one direction are used up, nearly or wholly (SRTP-6).

use crate::ast::{EventSpec, Name, Parm, PkgdName, Value};
use agw_core::model::{Direction, StreamId};

/// How far the lifetime is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// At 90 %.
    NearEnd,
    /// Nothing passes any more.
    Ended,
}

/// The observed event. `dir` is seen from the gateway: IN is what it receives.
pub fn key_expiry(stream: StreamId, direction: Direction, state: KeyState) -> EventSpec {
    let direction = match direction {
        Direction::Inbound => "IN",
        Direction::Outbound => "OUT",
    };
    let state = match state {
        KeyState::NearEnd => "NEAR",
        KeyState::Ended => "END",
    };
    EventSpec {
        name: PkgdName::new("srtp", "keyexpiry"),
        stream: Some(stream.0),
        parms: vec![
            Parm { name: Name::new("dir"), value: Value::token(direction).into() },
            Parm { name: Name::new("state"), value: Value::token(state).into() },
        ],
    }
}
