//! Every identifier of every package, in one place, with its mark.
//!
//! Package identifiers are those of the IANA megaco registry. Item identifiers are verified where H.248.1 Annex E, fielded code or a
//! vendor's reference gives them; the others are `provisional` and wait here for the Recommendation's text. `docs/conformance.md` lists them.

mod base;
mod bearer;
mod media;
mod supervision;

pub use base::*;
pub use bearer::*;
pub use media::*;
pub use supervision::*;

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
        list: false,
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

    const fn list(self) -> Self {
        Self { list: true, ..self }
    }

    const fn of_kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    const fn support(self, support: Support) -> Self {
        Self { support, ..self }
    }
}

const fn parameter(name: &'static str, id: u16, kind: Kind) -> Parameter {
    Parameter { name, id: Some(id), kind, required: false }
}

const fn event(name: &'static str, id: u16) -> Event {
    Event {
        name,
        id: Some(id),
        requested: &[],
        observed: &[],
        on_root: false,
        support: Support::Done,
        mark: Mark::Verified,
    }
}

const fn statistic(name: &'static str, id: u16) -> Statistic {
    Statistic { name, id: Some(id), fraction: false, support: Support::Done, mark: Mark::Verified }
}

const MILLISECONDS: Kind = Kind::Integer { min: 0, max: u32::MAX as u64 };
const RATE: Kind = Kind::Integer { min: 0, max: u32::MAX as u64 };
const PORT: Kind = Kind::Integer { min: 1, max: u16::MAX as u64 };
const ADDRESS_TEXT: Kind = Kind::Text(64);

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
    &ADID,
    &IPDC,
    &MGCINFO,
    &ADR,
    &RTCPH,
    &IPRA,
    &SRTP,
    &CHP,
    &IT,
    &OCP,
    &TCPBCC,
    &TLSBSC,
    &SEPLINK,
    &MSRPSTAT,
    &MSRPCS,
    &MGASTUNS,
    &OSTUNCC,
    &STNCONFRES,
    &SCTPBCC,
    &known("stunb", 0x00bd, 1),
    &known("mgstunc", 0x00be, 1),
    &known("mgturnc", 0x00bf, 1),
    &known("mgcstunc", 0x00c0, 1),
    &known("stuni", 0x00c1, 1),
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
    &known("gih", 0x00e1, 1),
    &known("lstat", 0x00e4, 1),
    &known("ippcs", 0x00e8, 1),
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
    &known("sctpreset", 0x0122, 1),
    &known("rempr", 0x0123, 1),
    &known("dcep", 0x0124, 1),
];
