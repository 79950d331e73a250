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

/// H.248.41. Which realms can be used. The text identifiers are recalled.
pub const IPRA: Package = Package {
    name: "ipra",
    id: 0x00e0,
    properties: &[root("ar", 0x0001, false).of_kind(Kind::Text(253)).provisional()],
    events: &[Event {
        observed: &[parameter("nar", 0x0001, Kind::Text(253)), parameter("nur", 0x0002, Kind::Text(253))],
        on_root: true,
        mark: Mark::Provisional,
        ..event("arc", 0x0001)
    }],
    ..PACKAGE
};

/// H.248.45. `db` and its form are a test controller's; kept for the controller wherever it puts it.
pub const MGCINFO: Package = Package {
    name: "mgcinfo",
    id: 0x00a0,
    properties: &[Property {
        place: Place::Anywhere,
        ..local("db", 0x0001, Kind::Octets(256)).provisional()
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
