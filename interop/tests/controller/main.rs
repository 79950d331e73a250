//! A controller that is not ours, Erlang/OTP megaco, commands the gateway (IQ-1, IQ-4): it is registered with, adds terminations with `$`
//! addresses, modifies, moves, audits, hears heartbeats, gets statistics when it subtracts, and the right error code for what is wrong.
//! [`matrix`] has each script over each transport, in each encoding and version; the others have what needs more than one script.

mod handoff;
mod matrix;

use interop::gateway::Gateway;
use interop::peers::{Dialect, Megaco, folder};
use interop::ports;
use interop::process::Peer;
use std::path::{Path, PathBuf};
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(90);

fn script(name: &str) -> PathBuf {
    folder().join("h248").join(name)
}

/// How a controller is written in our configuration.
fn entry(dialect: Dialect, port: u16) -> String {
    let Dialect { transport, encoding, .. } = dialect;
    // To us both forms of values are the same encoding.
    let encoding = if encoding.starts_with("ber") { "ber" } else { encoding };
    format!("\"{transport}:127.0.0.1:{port}?encoding={encoding}\"")
}

fn listen(megaco: Megaco, dialect: Dialect, script: &Path) -> (Peer, u16) {
    let port = ports::free_port();
    (megaco.controller(dialect, port, script, LIMIT).expect("escript starts"), port)
}

fn passed(controller: Peer, what: &str) {
    let output = controller.wait().expect_success(what);
    // A registration that was repeated because the controller was slow still has the version it offered; a controller that has
    // answered it with a lower one calls that an error.
    let lines: Vec<_> = output.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let repeated = lines.get(at + 1).is_some_and(|next| next.contains("Not negotiated version"));
        let error = line.contains("SYNTAX ERROR") || line.contains("MESSAGE ERROR");
        assert!(!error || repeated, "{what}: {output}");
    }
}

/// One script by one controller against a gateway of its own.
fn drive(megaco: Megaco, dialect: Dialect, name: &str) {
    let (controller, port) = listen(megaco, dialect, &script(name));
    let gateway = Gateway::start(&format!("[iq]\ncontrollers = [{}]\n", entry(dialect, port)));
    passed(controller, &format!("{name} by {dialect:?}"));
    let text = gateway.stop();
    assert!(!text.contains("inline:"), "no key in a log (SRTP-12): {text}");
}
