//! Every identifier of every package, in one place, with its mark.
//!
//! Package identifiers are those of the IANA megaco registry. Item identifiers are verified where H.248.1 Annex E, fielded code or a
//! vendor's reference gives them; the others are `provisional` and wait here for the Recommendation's text. `docs/conformance.md` lists them.

use super::{Event, Kind, Mark, Package, Parameter, Place, Property, Signal, Statistic, Support};
use crate::ast::SignalType;

const PACKAGE: Package = Package {
    name: "",
    id: 0,
    version: 1,
    realized: true,
    properties: &[],
    events: &[],
    signals: &[],
    statistics: &[],
};

/// A package that is registered, of which nothing works here yet.
const fn known(name: &'static str, id: u16, version: u16) -> Package {
    Package { name, id, version, realized: false, ..PACKAGE }
}

const fn local(name: &'static str, id: u16, kind: Kind) -> Property {
    Property {
        name,
        id: Some(id),
        kind,
        default: None,
        place: Place::LocalControl,
        writable: true,
        support: Support::Done,
        mark: Mark::Verified,
    }
}

const fn root(name: &'static str, id: u16, writable: bool) -> Property {
    Property { place: Place::Root, writable, ..local(name, id, MILLISECONDS) }
}

impl Property {
    const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    const fn provisional(self) -> Self {
        Self { mark: Mark::Provisional, ..self }
    }

    const fn support(self, support: Support) -> Self {
        Self { support, ..self }
    }
}

const fn parameter(name: &'static str, id: u16, kind: Kind) -> Parameter {
    Parameter { name, id: Some(id), kind, required: false }
}

const fn event(name: &'static str, id: u16) -> Event {
    Event { name, id: Some(id), requested: &[], observed: &[], support: Support::Done, mark: Mark::Verified }
}

const fn statistic(name: &'static str, id: u16) -> Statistic {
    Statistic { name, id: Some(id), support: Support::Done, mark: Mark::Verified }
}

/// `EstBNC` of the packages that follow the Generic Bearer pattern; obeyed by the work that brings TCP, TLS and SCTP.
const ESTABLISH: Signal = Signal {
    name: "EstBNC",
    id: Some(0x0001),
    kind: SignalType::Brief,
    parameters: &[],
    support: Support::Absent,
    mark: Mark::Provisional,
};

/// `BNCChange` of the same packages.
const BEARER_CHANGE: Event = Event {
    observed: &[parameter(
        "Type",
        0x0001,
        Kind::Enumeration(&[("Est", 1), ("Mod", 2), ("Cut", 3), ("MFail", 4)]),
    )],
    support: Support::Absent,
    mark: Mark::Provisional,
    ..event("BNCChange", 0x0001)
};

const MILLISECONDS: Kind = Kind::Integer { min: 0, max: u32::MAX as u64 };
const RATE: Kind = Kind::Integer { min: 0, max: 100_000_000_000 };
const ADDRESS_TEXT: Kind = Kind::Text(64);

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
        Event { support: Support::Absent, ..event("sc", 0x0002) },
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
        Event { support: Support::Absent, ..event("netfail", 0x0005) },
        Event { support: Support::Absent, ..event("qualert", 0x0006) },
    ],
    statistics: &[statistic("dur", 0x0001), statistic("os", 0x0002), statistic("or", 0x0003)],
    ..PACKAGE
};

/// H.248.1 E.12.
pub const RTP: Package = Package {
    name: "rtp",
    id: 0x000c,
    events: &[Event { support: Support::Absent, ..event("pltrans", 0x0001) }],
    statistics: &[
        statistic("ps", 0x0004),
        statistic("pr", 0x0005),
        statistic("pl", 0x0006),
        statistic("jit", 0x0007),
        statistic("delay", 0x0008),
    ],
    ..PACKAGE
};

/// H.248.52.
pub const DS: Package = Package {
    name: "ds",
    id: 0x008b,
    version: 2,
    properties: &[
        local("dscp", 0x0001, Kind::Octet).provisional(),
        local("tb", 0x0002, Kind::Text(16)).provisional().support(Support::Absent),
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
        local("sam", 0x0002, ADDRESS_TEXT).provisional(),
        local("spf", 0x0003, Kind::Boolean).default("OFF").provisional(),
        local("spr", 0x0004, Kind::Text(32)).provisional(),
        local("esas", 0x0005, Kind::Boolean).provisional().support(Support::Absent),
        local("lsa", 0x0006, ADDRESS_TEXT).provisional().support(Support::Absent),
        local("esps", 0x0007, Kind::Boolean).provisional().support(Support::Absent),
        local("lsp", 0x0008, MILLISECONDS).provisional().support(Support::Absent),
        local("rsb", 0x0009, Kind::Boolean).default("ON").provisional(),
    ],
    statistics: &[Statistic { mark: Mark::Provisional, ..statistic("dp", 0x0001) }],
    ..PACKAGE
};

/// H.248.53. Kept and audited; the work that brings policing enforces it. The numbers are a guess.
pub const TMAN: Package = Package {
    name: "tman",
    id: 0x008d,
    version: 1,
    properties: &[
        local("pol", 0x0001, Kind::Boolean).default("OFF").provisional().support(Support::Stored),
        local("pdr", 0x0002, RATE).provisional().support(Support::Stored),
        local("dvt", 0x0003, RATE).provisional().support(Support::Stored),
        local("sdr", 0x0004, RATE).provisional().support(Support::Stored),
        local("mbs", 0x0005, RATE).provisional().support(Support::Stored),
    ],
    ..PACKAGE
};

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

/// H.248.77. The package is registered; its items are not known, and `keyexpiry` is ours (SRTP-6).
pub const SRTP: Package = Package {
    name: "srtp",
    id: 0x0107,
    events: &[Event {
        name: "keyexpiry",
        id: None,
        requested: &[],
        observed: &[
            Parameter {
                name: "dir",
                id: None,
                kind: Kind::Enumeration(&[("IN", 1), ("OUT", 2)]),
                required: true,
            },
            Parameter {
                name: "state",
                id: None,
                kind: Kind::Enumeration(&[("NEAR", 1), ("END", 2)]),
                required: true,
            },
        ],
        support: Support::Done,
        mark: Mark::Provisional,
    }],
    ..PACKAGE
};

/// H.248.40.
pub const ADID: Package = Package {
    name: "adid",
    id: 0x009c,
    realized: false,
    events: &[Event {
        requested: &[
            parameter("dt", 0x0001, MILLISECONDS),
            parameter("dir", 0x0002, Kind::Enumeration(&[("IN", 1), ("OUT", 2), ("BOTH", 3)])),
        ],
        support: Support::Absent,
        mark: Mark::Provisional,
        ..event("ipstop", 0x0001)
    }],
    ..PACKAGE
};

/// H.248.14.
pub const IT: Package = Package {
    name: "it",
    id: 0x0045,
    realized: false,
    events: &[Event {
        requested: &[parameter("mit", 0x0001, MILLISECONDS)],
        support: Support::Absent,
        ..event("ito", 0x0001)
    }],
    ..PACKAGE
};

/// H.248.10.
pub const CHP: Package = Package {
    events: &[Event { support: Support::Absent, ..event("MGCon", 0x0001) }],
    ..known("chp", 0x0029, 1)
};

/// H.248.11.
pub const OCP: Package = Package {
    events: &[Event { support: Support::Absent, mark: Mark::Provisional, ..event("mg_overload", 0x0001) }],
    ..known("ocp", 0x0051, 1)
};

/// H.248.89.
pub const TCPBCC: Package =
    Package { signals: &[ESTABLISH], events: &[BEARER_CHANGE], ..known("tcpbcc", 0x0115, 1) };

/// H.248.90, used for DTLS too (H.248.93).
pub const TLSBSC: Package =
    Package { signals: &[ESTABLISH], events: &[BEARER_CHANGE], ..known("tlsbsc", 0x0117, 1) };

/// H.248.97.
pub const SCTPBCC: Package =
    Package { signals: &[ESTABLISH], events: &[BEARER_CHANGE], ..known("sctpbcc", 0x0121, 1) };

/// H.248.92.
pub const SEPLINK: Package = Package {
    properties: &[Property {
        id: None,
        support: Support::Absent,
        ..local("trigger", 0, Kind::Enumeration(&[("tcp", 1), ("tls", 2)])).provisional()
    }],
    ..known("seplink", 0x011b, 1)
};

/// All packages, those that are realized first, in the order of their identifiers.
pub static PACKAGES: &[&Package] = &[
    &G,
    &ROOT,
    &NT,
    &RTP,
    &DS,
    &GM,
    &TMAN,
    &HANGTERM,
    &IPNAPT,
    &IPDC,
    &RTCPH,
    &SRTP,
    &CHP,
    &IT,
    &OCP,
    &ADID,
    &TCPBCC,
    &TLSBSC,
    &SEPLINK,
    &SCTPBCC,
    &known("mgcinfo", 0x00a0, 1),
    &known("adr", 0x00ac, 1),
    &known("stunb", 0x00bd, 1),
    &known("mgstunc", 0x00be, 1),
    &known("mgturnc", 0x00bf, 1),
    &known("mgcstunc", 0x00c0, 1),
    &known("stuni", 0x00c1, 1),
    &known("mgastuns", 0x00c2, 1),
    &known("ostuncc", 0x00c3, 1),
    &known("mgcostunr", 0x00c4, 1),
    &known("kar", 0x00c5, 1),
    &known("tcm", 0x00c6, 1),
    &known("qos", 0x00c7, 1),
    &known("tmanr", 0x00c8, 2),
    &known("pacs", 0x00c9, 1),
    &known("rtpad", 0x00cb, 1),
    &known("etn", 0x00cc, 1),
    &known("ipocs", 0x00d0, 1),
    &known("trm", 0x00d3, 1),
    &known("ipra", 0x00e0, 1),
    &known("gih", 0x00e1, 1),
    &known("lstat", 0x00e4, 1),
    &known("ippcs", 0x00e8, 1),
    &known("msrpstat", 0x00ea, 1),
    &known("msrpcs", 0x00eb, 1),
    &known("recrtcp", 0x00f5, 1),
    &known("rtcpfb", 0x00f6, 1),
    &known("filtgrp", 0x0103, 1),
    &known("rtcpsdes", 0x0104, 1),
    &known("mcbalg", 0x0108, 1),
    &known("eroas", 0x0109, 1),
    &known("smcn", 0x010a, 1),
    &known("ecnrous", 0x010b, 1),
    &known("mgi", 0x010c, 1),
    &known("nattp2p", 0x010d, 1),
    &known("tcphp", 0x010e, 1),
    &known("tcptv", 0x010f, 1),
    &known("tcpccm", 0x0110, 1),
    &known("tcpcqm", 0x0111, 1),
    &known("irb", 0x0112, 1),
    &known("iro", 0x0113, 1),
    &known("rtpt", 0x0114, 1),
    &known("tcprm", 0x0116, 1),
    &known("tlscn", 0x0118, 1),
    &known("tlsm", 0x0119, 1),
    &known("tlstv", 0x011a, 1),
    &known("aswp", 0x011c, 1),
    &known("mgbalg", 0x011d, 1),
    &known("dtlscn", 0x011e, 1),
    &known("mgroup", 0x011f, 1),
    &known("stnconfres", 0x0120, 1),
    &known("sctpreset", 0x0122, 1),
    &known("rempr", 0x0123, 1),
    &known("dcep", 0x0124, 1),
];
