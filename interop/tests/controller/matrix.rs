//! Every script in every dialect: UDP and TCP, pretty and compact text and BER, H.248 versions 1 to 3.

use crate::drive;
use interop::peers::{Dialect, Megaco};

/// `call.h248` is a whole call, `procedures.h248` what else a controller orders, `connections.h248` media over
/// TCP, `wrong.h248` what deserves an error.
const SCRIPTS: [&str; 4] = ["call.h248", "procedures.h248", "connections.h248", "wrong.h248"];
/// Names that nobody knows, of which `wrong.h248` is full, have no numbers; nor has megaco any for the packages of connections.
const BINARY_SCRIPTS: [&str; 2] = ["call.h248", "procedures.h248"];

fn all(transport: &'static str, encoding: &'static str) {
    let Some(megaco) = interop::require("erlang-megaco", Megaco::find) else { return };
    let scripts = if encoding == "berstd" { &BINARY_SCRIPTS[..] } else { &SCRIPTS };
    for version in [1, 2, 3] {
        for script in scripts {
            drive(megaco, Dialect { transport, encoding, version }, script);
        }
    }
}

#[test]
fn everything_over_udp_in_pretty_text() {
    all("udp", "pretty");
}

#[test]
fn everything_over_udp_in_compact_text() {
    all("udp", "compact");
}

#[test]
fn everything_over_tcp_in_pretty_text() {
    all("tcp", "pretty");
}

#[test]
fn everything_over_tcp_in_compact_text() {
    all("tcp", "compact");
}

#[test]
fn everything_over_udp_in_binary() {
    all("udp", "berstd");
}

#[test]
fn everything_over_tcp_in_binary() {
    all("tcp", "berstd");
}

#[test]
fn the_reference_calls_over_udp() {
    let Some(megaco) = interop::require("erlang-megaco", Megaco::find) else { return };
    drive(megaco, Dialect { transport: "udp", encoding: "pretty", version: 3 }, "calls.h248");
}
