//! What media of a stream may do: diffserv, gates, traffic, NAT traversal, realms and RTCP.

use super::*;

/// H.248.52.
pub const DS: Package = Package {
    name: "ds",
    id: 0x008b,
    version: 2,
    properties: &[
        local("dscp", 0x0001, Kind::Octet).provisional(),
        local("tb", 0x0002, Kind::Enumeration(&[("Mark", 0), ("Copy", 1)])).default("Mark").provisional(),
    ],
    ..PACKAGE
};

/// H.248.43. The text identifiers are verified, the numbers follow their order.
pub const GM: Package = Package {
    name: "gm",
    id: 0x008c,
    version: 2,
    properties: &[
        local("saf", 0x0001, Kind::Boolean).default("OFF").provisional(),
        local("sam", 0x0002, ADDRESS_TEXT).provisional().list(),
        local("spf", 0x0003, Kind::Boolean).default("OFF").provisional(),
        local("spr", 0x0004, Kind::Text(32)).provisional().list(),
        local("esas", 0x0005, Kind::Boolean).default("OFF").provisional(),
        local("lsa", 0x0006, ADDRESS_TEXT).provisional(),
        local("esps", 0x0007, Kind::Boolean).default("OFF").provisional(),
        local("lsp", 0x0008, PORT).provisional(),
        local("rsb", 0x0009, Kind::Boolean).default("ON").provisional(),
    ],
    statistics: &[Statistic { mark: Mark::Provisional, ..statistic("dp", 0x0001) }],
    ..PACKAGE
};

/// H.248.53. Rates in octets per second, the burst in octets, the tolerance in tenths of microseconds. The numbers are a guess.
pub const TMAN: Package = Package {
    name: "tman",
    id: 0x008d,
    version: 1,
    properties: &[
        local("pol", 0x0001, Kind::Boolean).default("OFF").provisional(),
        local("pdr", 0x0002, RATE).provisional(),
        local("dvt", 0x0003, RATE).provisional(),
        local("sdr", 0x0004, RATE).provisional(),
        local("mbs", 0x0005, RATE).provisional(),
    ],
    // Ours: no source names an event.
    events: &[Event { mark: Mark::Provisional, ..event("policed", 0x0001) }],
    ..PACKAGE
};

/// H.248.37.
pub const IPNAPT: Package = Package {
    name: "ipnapt",
    id: 0x0099,
    signals: &[Signal {
        name: "latch",
        id: Some(0x0001),
        kind: SignalType::Brief,
        parameters: &[Parameter {
            required: true,
            ..parameter("napt", 0x0001, Kind::Enumeration(&[("OFF", 0), ("LATCH", 1), ("RELATCH", 2)]))
        }],
        support: Support::Done,
        mark: Mark::Provisional,
    }],
    ..PACKAGE
};

/// H.248.37. The text identifiers are a vendor's, the numbers follow their order.
pub const ADR: Package = Package {
    name: "adr",
    id: 0x00ac,
    events: &[Event {
        observed: &[
            parameter("nrsa", 0x0001, ADDRESS_TEXT),
            parameter("nrsp", 0x0002, Kind::Integer { min: 0, max: 65_535 }),
        ],
        mark: Mark::Provisional,
        ..event("rsac", 0x0001)
    }],
    ..PACKAGE
};

/// H.248.41.
pub const IPDC: Package = Package {
    name: "ipdc",
    id: 0x009d,
    properties: &[local("realm", 0x0001, Kind::Text(253)).provisional()],
    ..PACKAGE
};

/// H.248.57.
pub const RTCPH: Package = Package {
    name: "rtcph",
    id: 0x00b5,
    properties: &[local("rsb", 0x0009, Kind::Boolean).default("ON").provisional()],
    ..PACKAGE
};
