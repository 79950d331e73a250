//! The packages of H.248.1 itself: generic, root, network and RTP (Annex E.1, E.2, E.11 and E.12).
//!
//! All of their identifiers are verified: the Recommendation gives them.

use super::*;

/// H.248.1 E.1.
pub const G: Package = Package {
    name: "g",
    id: 0x0001,
    version: 1,
    events: &[
        Event {
            observed: &[
                parameter(
                    "Generalcause",
                    0x0001,
                    Kind::Enumeration(&[("NR", 1), ("UR", 2), ("FT", 3), ("FP", 4), ("IW", 5), ("UN", 6)]),
                ),
                parameter("Failurecause", 0x0002, Kind::Text(255)),
            ],
            ..event("cause", 0x0001)
        },
        Event {
            observed: &[
                parameter("SigID", 0x0001, Kind::Text(64)),
                parameter("Meth", 0x0002, Kind::Enumeration(&[("TO", 1), ("EV", 2), ("SD", 3), ("NC", 4)])),
                parameter("SLID", 0x0003, Kind::Integer { min: 0, max: 0xffff }),
            ],
            ..event("sc", 0x0002)
        },
    ],
    ..PACKAGE
};

/// H.248.1 E.2. Its identifier is 0x0002: the 0x0051 in a printed copy of TS 29.334 is `ocp`.
pub const ROOT: Package = Package {
    name: "root",
    id: 0x0002,
    version: 2,
    properties: &[
        root("maxNumberOfContexts", 0x0001, false),
        root("maxTerminationsPerContext", 0x0002, false),
        root("normalMGExecutionTime", 0x0003, true),
        root("normalMGCExecutionTime", 0x0004, true),
        root("MGProvisionalResponseTimerValue", 0x0005, true),
        root("MGCProvisionalResponseTimerValue", 0x0006, true),
        root("MGCOriginatedPendingLimit", 0x0007, true),
        root("MGOriginatedPendingLimit", 0x0008, true),
    ],
    ..PACKAGE
};

/// H.248.1 E.11.
pub const NT: Package = Package {
    name: "nt",
    id: 0x000b,
    properties: &[local("jit", 0x0007, MILLISECONDS).support(Support::Absent)],
    events: &[
        Event {
            observed: &[parameter("cs", 0x0001, Kind::Text(255))],
            support: Support::Absent,
            ..event("netfail", 0x0005)
        },
        Event {
            requested: &[parameter("th", 0x0001, Kind::Integer { min: 0, max: 99 })],
            observed: &[parameter("th", 0x0001, Kind::Integer { min: 0, max: 99 })],
            support: Support::Absent,
            ..event("qualert", 0x0006)
        },
    ],
    statistics: &[statistic("dur", 0x0001), statistic("os", 0x0002), statistic("or", 0x0003)],
    ..PACKAGE
};

/// H.248.1 E.12.
pub const RTP: Package = Package {
    name: "rtp",
    id: 0x000c,
    events: &[Event {
        observed: &[parameter("rtppltype", 0x0001, Kind::Text(255))],
        support: Support::Absent,
        ..event("pltrans", 0x0001)
    }],
    statistics: &[
        statistic("ps", 0x0004),
        statistic("pr", 0x0005),
        Statistic { fraction: true, ..statistic("pl", 0x0006) },
        statistic("jit", 0x0007),
        statistic("delay", 0x0008),
    ],
    ..PACKAGE
};
