//! A controller that is not ours, Erlang/OTP megaco, commands the gateway (IQ-1, IQ-4): it is registered with, adds two terminations with `$`
//! addresses, modifies, moves, audits, hears heartbeats, gets statistics when it subtracts, and the right error code for what is wrong; over UDP
//! and TCP, in pretty and compact text, in H.248 versions 1 to 3.

use interop::gateway::Gateway;
use interop::peers::{Dialect, Megaco, folder};
use interop::ports;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

fn drive(transport: &'static str, encoding: &'static str, version: u8, script: &str) {
    let Some(megaco) = interop::require("erlang-megaco", Megaco::find) else { return };
    let port = ports::free_port();
    let (dialect, path) = (Dialect { transport, encoding, version }, folder().join("h248").join(script));
    let controller = megaco.controller(dialect, port, &path, LIMIT).expect("escript starts");
    let gateway = Gateway::start(&format!(
        "[iq]\ncontrollers = [\"{transport}:127.0.0.1:{port}?encoding={encoding}\"]\n"
    ));
    let output = controller
        .wait()
        .expect_success(&format!("{script} over {transport}, {encoding}, version {version}"));
    assert!(!output.contains("SYNTAX ERROR") && !output.contains("MESSAGE ERROR"), "{output}");
    let text = gateway.stop();
    assert!(!text.contains("inline:"), "no key in a log (SRTP-12): {text}");
}

#[test]
fn a_whole_call_over_udp_in_pretty_text() {
    drive("udp", "pretty", 2, "call.h248");
}

#[test]
fn a_whole_call_over_udp_in_compact_text_version_1() {
    drive("udp", "compact", 1, "call.h248");
}

#[test]
fn a_whole_call_over_tcp_in_pretty_text_version_3() {
    drive("tcp", "pretty", 3, "call.h248");
}

#[test]
fn a_whole_call_over_tcp_in_compact_text() {
    drive("tcp", "compact", 2, "call.h248");
}

#[test]
fn the_reference_calls_over_udp() {
    drive("udp", "pretty", 3, "calls.h248");
}

#[test]
fn wrong_commands_over_udp_get_their_codes_and_change_nothing() {
    drive("udp", "pretty", 2, "wrong.h248");
}

#[test]
fn wrong_commands_over_tcp_get_their_codes_and_change_nothing() {
    drive("tcp", "compact", 2, "wrong.h248");
}
