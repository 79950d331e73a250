//! What the gateway watches for its controller: hanging terminations, silence, inactivity, congestion.

use super::*;

/// H.248.36.
pub const HANGTERM: Package = Package {
    name: "hangterm",
    id: 0x0098,
    events: &[Event {
        requested: &[parameter("timerx", 0x0001, Kind::Integer { min: 1, max: 1_000_000 })],
        mark: Mark::Provisional,
        ..event("thb", 0x0001)
    }],
    ..PACKAGE
};

/// H.248.40.
pub const ADID: Package = Package {
    name: "adid",
    id: 0x009c,
    events: &[Event {
        requested: &[
            // In seconds.
            parameter("dt", 0x0001, Kind::Integer { min: 1, max: 86_400 }),
            parameter("dir", 0x0002, Kind::Enumeration(&[("IN", 1), ("OUT", 2), ("BOTH", 3)])),
        ],
        mark: Mark::Provisional,
        ..event("ipstop", 0x0001)
    }],
    ..PACKAGE
};

/// H.248.14.
pub const IT: Package = Package {
    name: "it",
    id: 0x0045,
    events: &[Event {
        // In units of 10 ms.
        requested: &[Parameter {
            required: true,
            ..parameter("mit", 0x0001, Kind::Integer { min: 1, max: u32::MAX as u64 })
        }],
        on_root: true,
        ..event("ito", 0x0001)
    }],
    ..PACKAGE
};

/// H.248.10.
pub const CHP: Package = Package {
    name: "chp",
    id: 0x0029,
    events: &[Event {
        observed: &[parameter("reduction", 0x0001, Kind::Integer { min: 0, max: 100 })],
        on_root: true,
        ..event("MGCon", 0x0001)
    }],
    ..PACKAGE
};

/// H.248.11.
pub const OCP: Package = Package {
    name: "ocp",
    id: 0x0051,
    events: &[Event { on_root: true, mark: Mark::Provisional, ..event("mg_overload", 0x0001) }],
    ..PACKAGE
};
