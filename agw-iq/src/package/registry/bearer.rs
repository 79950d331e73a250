//! How a bearer comes up, is protected and joined: SRTP keys, TCP, TLS and SCTP connections, and the links between streams.

use super::*;

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
        support: Support::Absent,
        ..local("trigger", 0x0001, Kind::Enumeration(&[("tcp", 1), ("tls", 2)])).provisional()
    }],
    ..known("seplink", 0x011b, 1)
};
