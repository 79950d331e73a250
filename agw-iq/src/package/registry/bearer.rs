//! How a bearer comes up, is protected and joined: SRTP keys, TCP, TLS and SCTP connections, connectivity checks, the links between streams,
//! and MSRP.

use super::*;

/// `EstBNC` of the packages that follow the Generic Bearer pattern.
const ESTABLISH: Signal = Signal {
    name: "EstBNC",
    id: Some(0x0001),
    kind: SignalType::Brief,
    parameters: &[],
    support: Support::Done,
    mark: Mark::Provisional,
};

/// `BNCChange` of the same packages. The pattern has no release and no failure: their numbers come after its own, modified, cut through
/// and modification failure, which do not occur here. `Failurecause` is named after that of `g/cause`.
const BEARER_CHANGE: Event = Event {
    observed: &[
        Parameter {
            required: true,
            ..parameter("Type", 0x0001, Kind::Enumeration(&[("Est", 1), ("Rel", 5), ("Fail", 6)]))
        },
        parameter("Failurecause", 0x0002, Kind::Text(255)),
    ],
    mark: Mark::Provisional,
    ..event("BNCChange", 0x0001)
};

/// H.248.77. The package is registered; its items are not known, and `keyexpiry` is ours (SRTP-6).
pub const SRTP: Package = Package {
    name: "srtp",
    id: 0x0107,
    events: &[Event {
        name: "keyexpiry",
        id: Some(0x0001),
        requested: &[],
        observed: &[
            Parameter {
                required: true,
                ..parameter("dir", 0x0001, Kind::Enumeration(&[("IN", 1), ("OUT", 2)]))
            },
            Parameter {
                required: true,
                ..parameter("state", 0x0002, Kind::Enumeration(&[("NEAR", 1), ("END", 2)]))
            },
        ],
        on_root: false,
        support: Support::Done,
        mark: Mark::Provisional,
    }],
    ..PACKAGE
};

/// H.248.89. `framing` is ours: messages of BFCP are checked.
pub const TCPBCC: Package = Package {
    name: "tcpbcc",
    id: 0x0115,
    properties: &[local("framing", 0x0001, Kind::Boolean).default("OFF").provisional()],
    signals: &[ESTABLISH],
    events: &[BEARER_CHANGE],
    ..PACKAGE
};

/// H.248.90, used for DTLS too (H.248.93).
pub const TLSBSC: Package =
    Package { name: "tlsbsc", id: 0x0117, signals: &[ESTABLISH], events: &[BEARER_CHANGE], ..PACKAGE };

/// H.248.97. Obeyed by the work that brings SCTP.
pub const SCTPBCC: Package = Package {
    signals: &[Signal { support: Support::Absent, ..ESTABLISH }],
    events: &[Event { support: Support::Absent, ..BEARER_CHANGE }],
    ..known("sctpbcc", 0x0121, 1)
};

/// H.248.92. What of this termination lets the other side of the context connect: TCP that is up, or TLS that is.
pub const SEPLINK: Package = Package {
    name: "seplink",
    id: 0x011b,
    properties: &[local("trigger", 0x0001, Kind::Enumeration(&[("none", 0), ("tcp", 1), ("tls", 2)]))
        .default("none")
        .provisional()],
    ..PACKAGE
};

/// H.248.69. The package is registered; its items are ours, after those of `rtp`: messages of MSRP sent and received.
pub const MSRPSTAT: Package = Package {
    name: "msrpstat",
    id: 0x00ea,
    statistics: &[
        Statistic { mark: Mark::Provisional, ..statistic("ms", 0x0001) },
        Statistic { mark: Mark::Provisional, ..statistic("mr", 0x0002) },
    ],
    ..PACKAGE
};

/// H.248.69. The package is registered; its item is ours: what the connection of MSRP is in.
pub const MSRPCS: Package = Package {
    name: "msrpcs",
    id: 0x00eb,
    properties: &[Property {
        writable: false,
        ..local("status", 0x0001, Kind::Enumeration(&[("Idle", 1), ("Up", 2), ("Secured", 3), ("Ended", 4)]))
            .provisional()
    }],
    ..PACKAGE
};

/// H.248.50. The package is registered, its items are not known. Where a stream has ICE, the gateway acts as STUN server without being told: the signal asks for what is so.
pub const MGASTUNS: Package = Package {
    name: "mgastuns",
    id: 0x00c2,
    signals: &[Signal { name: "actas", kind: SignalType::OnOff, ..ESTABLISH }],
    ..PACKAGE
};

const PEER_ADDRESS: [Parameter; 2] =
    [parameter("addr", 0x0001, ADDRESS_TEXT), parameter("port", 0x0002, PORT)];

/// H.248.50: what came of connectivity checks, and addresses of the peer that no candidate had named.
pub const OSTUNCC: Package = Package {
    name: "ostuncc",
    id: 0x00c3,
    events: &[
        Event {
            observed: &[
                PEER_ADDRESS[0],
                PEER_ADDRESS[1],
                Parameter {
                    required: true,
                    ..parameter("res", 0x0003, Kind::Enumeration(&[("Success", 1), ("Failure", 2)]))
                },
            ],
            mark: Mark::Provisional,
            ..event("ccr", 0x0001)
        },
        Event { observed: &PEER_ADDRESS, mark: Mark::Provisional, ..event("nprc", 0x0002) },
    ],
    ..PACKAGE
};

/// H.248.50 as revised: the peer's consent (RFC 7675) was not renewed.
pub const STNCONFRES: Package = Package {
    name: "stnconfres",
    id: 0x0120,
    events: &[Event { mark: Mark::Provisional, ..event("conff", 0x0001) }],
    ..PACKAGE
};
