//! The load test against rtpengine, whose SRTP and control code share nothing with ours: whole calls in every suite, both ways, and
//! contexts that come and go. It is a test of the load test, and of agw-srtp beside an implementation that has F8, AES-192 and AES-256.

use agw_srtp::Suite;
use interop::peers::Tool;
use interop::process::Peer;
use interop::{ports, require};
use loadtest::control::{GatewayAddress, Protocol};
use loadtest::generator::{Direction, Load};
use loadtest::report::Report;
use loadtest::run::RtpRun;
use loadtest::setup::SetupRun;
use std::sync::Arc;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(120);
const LOCAL: [u8; 4] = [127, 0, 0, 1];

/// `first_port` begins a thousand of its own: rtpengine reuses addresses, so two of them could bind the same port and share its packets.
fn start(rtpengine: &Tool, first_port: u16) -> (Peer, GatewayAddress) {
    let port = ports::free_port();
    let mut command = rtpengine.command();
    // The package comes with a configuration that opens more ports than this.
    command.args(["--config-file=none", "--table=-1", "--interface=127.0.0.1"]);
    command.arg(format!("--listen-ng=127.0.0.1:{port}"));
    command.args(["--foreground", "--log-stderr", "--log-level=6", "--num-threads=1"]);
    // Apart from the default realms, from the kernel's own range and from the ports of other tests.
    command.arg(format!("--port-min={first_port}"));
    command.arg(format!("--port-max={}", first_port + 999));
    let mut peer = Peer::start(&mut command, LIMIT).expect("rtpengine starts");
    peer.wait_for("Startup complete").expect("rtpengine comes up");
    (peer, GatewayAddress { protocol: Protocol::Ng, address: (LOCAL, port).into() })
}

fn calls(gateway: GatewayAddress, direction: Direction, suite: Suite) -> Report {
    let run = RtpRun {
        gateway,
        calls: 10,
        load: Load {
            pps: 1000,
            payload_bytes: 160,
            duration: Duration::from_millis(600),
            drain: Duration::from_millis(400),
            tick: Duration::from_millis(1),
        },
        direction,
        suite,
        loss_bound: 0.0,
        find_max: false,
        pid: None,
        window: 10,
        threads: 1,
        sockets_per_side: 2,
        access: None,
        core: None,
        stop: Arc::default(),
    };
    run.run(&mut |_| ()).unwrap_or_else(|error| panic!("{}: {error}", suite.name()))
}

fn assert_clean(report: &Report) {
    // Packets that a busy machine's generator gave up were not sent; all that were sent must come out whole.
    let name = report.asked.suite.as_deref().unwrap_or("plain");
    assert!(report.sent > 100, "{name}: {} sent", report.sent);
    let Report { lost, corrupt, duplicated, reordered, misdirected, stale, .. } = *report;
    assert_eq!((lost, corrupt, duplicated, reordered, misdirected, stale), (0, 0, 0, 0, 0, 0), "{name}");
}

#[test]
fn every_suite_crosses_rtpengine_both_ways_and_plain_calls_do_too() {
    let Some(rtpengine) = require("rtpengine", Tool::rtpengine) else { return };
    let (_peer, gateway) = start(&rtpengine, 8000);
    for suite in Suite::ALL {
        assert_clean(&calls(gateway, Direction::Both, suite));
    }
    assert_clean(&calls(gateway, Direction::Relay, Suite::AesCm128HmacSha1_80));
}

#[test]
fn contexts_come_and_go_at_rtpengine_and_leave_no_file_open() {
    let Some(rtpengine) = require("rtpengine", Tool::rtpengine) else { return };
    let (peer, gateway) = start(&rtpengine, 7000);
    let run = SetupRun {
        gateway,
        per_second: 40.0,
        duration: Duration::from_secs(1),
        warm_up: Duration::ZERO,
        window: 16,
        hold: 8,
        rounds: 0,
        suite: Some(Suite::AesCm128HmacSha1_80),
        pid: Some(peer.id()),
        stop: Arc::default(),
    };
    let contexts = run.run(&mut |_| ()).expect("it runs").contexts.expect("contexts were counted");
    assert!(contexts.set_up >= 30, "{contexts:?}");
    assert_eq!((contexts.torn_down, contexts.failed), (contexts.set_up, 0), "{contexts:?}");
    let (before, after) = (contexts.before.expect("looked at"), contexts.after.expect("looked at"));
    assert!(after.open_files <= before.open_files, "{before:?} {after:?}");
}
