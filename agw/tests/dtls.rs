//! Many calls of DTLS-SRTP through the real program, as `agw-loadtest dtls` makes them: every handshake ends well, and every packet comes out as it
//! went in (DTLS-1).

mod common;

use agw_srtp::Suite;
use common::Gateway;
use loadtest::control::{GatewayAddress, Protocol};
use loadtest::dtls::DtlsRun;
use loadtest::generator::{Direction, Load};
use loadtest::run::RtpRun;
use std::sync::Arc;
use std::time::Duration;

const CALLS: u32 = 40;

#[test]
fn calls_shake_hands_at_a_rate_and_no_packet_of_theirs_is_lost() {
    let gateway = Gateway::start(&[]);
    let media = RtpRun {
        gateway: GatewayAddress { protocol: Protocol::Iq, address: gateway.iq },
        calls: CALLS,
        load: Load {
            pps: 1000,
            payload_bytes: 160,
            duration: Duration::from_secs(1),
            drain: Duration::from_millis(500),
            tick: Duration::from_millis(1),
        },
        direction: Direction::Both,
        suite: Suite::AesCm128HmacSha1_80,
        loss_bound: 0.0,
        find_max: false,
        pid: None,
        window: 8,
        threads: 1,
        sockets_per_side: 2,
        access: None,
        core: None,
        stop: Arc::default(),
    };
    let report = DtlsRun { media, per_second: 100.0 }.run(&mut |_| ()).expect("calls are set up");
    let dtls = report.dtls.as_ref().expect("handshakes were counted");
    assert_eq!((dtls.handshakes, dtls.failed), (u64::from(CALLS), 0), "{report}");
    // How fast the machine is, is not what is tested here.
    assert!(report.received > 0 && report.received == report.sent, "{report}");
    assert_eq!(
        (report.corrupt, report.misdirected, report.duplicated, report.stale),
        (0, 0, 0, 0),
        "{report}"
    );
}
