//! The example of the documentation as a person has it: the page in a browser, the script beside it as the controller, GStreamer as whoever answers.

use interop::browser::core_side;
use interop::browser::phone::Phone;
use interop::gateway::Gateway;
use interop::peers::{WebPeer, number};
use interop::ports::free_port;
use interop::process::Peer;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

/// Waits until the page shows something, and gives it.
#[track_caller]
fn shows(phone: &mut Phone, what: impl Fn(&str) -> bool) -> String {
    let until = Instant::now() + Duration::from_secs(25);
    loop {
        let report = phone.run("document.getElementById('report').textContent");
        if what(&report) {
            return report;
        }
        assert!(Instant::now() < until, "the page shows {report}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_person_calls_from_the_page_of_the_example() {
    let Some(chromium) = interop::require("chromium", WebPeer::chromium) else { return };
    let Some(_gstreamer) = interop::require("gstreamer", core_side::find) else { return };
    let gateway = Gateway::start("");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples/browser/call.py");
    let (iq, port) = (gateway.iq().to_string(), free_port());
    let mut script_command = Command::new(script);
    script_command.args(["--iq", &iq, "--port", &port.to_string()]);
    let mut script = Peer::start(&mut script_command, LIMIT).expect("the script starts");
    script.wait_for("open http://").expect("the script serves the page");

    let mut phone = Phone::start(&chromium, &["--page", &format!("http://127.0.0.1:{port}/")]);
    phone.run("document.getElementById('video').click(); document.getElementById('call').click(); ''");
    let count = |report: &str, key: &str| number(report, key).unwrap_or(0);
    shows(&mut phone, |report| count(report, "audio_packets") > 50 && count(report, "video_frames") > 15);
    // What the person says arrives: GStreamer prints how loud it is.
    script.wait_for("rms=(GValueArray)< -").expect("the far end hears something");
    assert_eq!(gateway.metric("agw_contexts", &[]), 1.0);
    phone.run("document.getElementById('hang-up').click(); ''");
    shows(&mut phone, |report| report == "The call has ended.");
    let until = Instant::now() + Duration::from_secs(5);
    while gateway.metric("agw_contexts", &[]) > 0.0 {
        assert!(Instant::now() < until, "the context is still there");
        std::thread::sleep(Duration::from_millis(50));
    }
    gateway.stop();
}
