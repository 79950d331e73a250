//! Phones of WebRTC call a plain RTP endpoint through the gateway (DTLS-1, DTLS-2, DTLS-3, DTLS-5, DTLS-6): headless Chromium, which calls as a person's
//! browser would, and aiortc; GStreamer answers. Media are judged by what is decoded at either end, never by the state of a connection.

use interop::browser::alg::{BrowserCall, Bundle, DtlsClient, Plan};
use interop::browser::core_side::{self, Core, Heard};
use interop::browser::mover::Mover;
use interop::browser::phone::Phone;
use interop::gateway::Gateway;
use interop::peers::{Tool, WebPeer, number};
use std::net::SocketAddr;
use std::time::Duration;

const CODECS: &[(&str, &str)] = &[("audio", "opus"), ("video", "VP8")];
const BOTH_ROLES: [DtlsClient; 2] = [DtlsClient::Phone, DtlsClient::Gateway];
/// What a phone has decoded by when a call works: two seconds of sound that is no silence, and of pictures.
const TWO_SECONDS: &[(&str, u64)] =
    &[("audio_packets", 90), ("audio_energy_millionths", 500), ("video_frames", 25), ("sent_audio", 90)];
/// The same at the core side. Chromium beeps for a tenth of each second.
const SOME: Heard = Heard { audible: 2, pictures: 25 };

fn plan(client: DtlsClient, core: &[SocketAddr]) -> Plan<'_> {
    Plan {
        codecs: CODECS,
        client,
        core,
        core_numbers: &[],
        bundle: Bundle::None,
        spoil_theirs: false,
        spoil_ours: false,
    }
}

/// A phone, a gateway and a core side with media in between.
struct Conversation {
    phone: Phone,
    call: BrowserCall,
    core: Core,
    /// What stands between the phone and the gateway, if anything does.
    movers: Vec<Mover>,
}

impl Conversation {
    fn begin(gateway: &Gateway, gstreamer: &Tool, mut phone: Phone, client: DtlsClient) -> Self {
        let ports = core_side::ports(2);
        let call = BrowserCall::set_up(gateway.iq(), &phone.offer(), &plan(client, &ports));
        let core = Core::start(gstreamer, &ports, &call.given);
        phone.answer(&call.answer(&[]));
        Self { phone, call, core, movers: vec![] }
    }

    /// Both hear and see more of each other.
    #[track_caller]
    fn goes_on(&mut self) -> String {
        let report = self.phone.wait_for_more(TWO_SECONDS);
        self.core.wait_for_more(SOME);
        report
    }
}

/// Without a gateway, so that it is known what is whose fault.
#[test]
fn the_phones_hear_and_see_each_other() {
    let Some(chromium) = interop::require("chromium", WebPeer::chromium) else { return };
    let Some(aiortc) = interop::require("aiortc", WebPeer::aiortc) else { return };
    let (mut browser, mut other) = (Phone::start(&chromium, &[]), Phone::start(&aiortc, &[]));
    let offer = browser.offer();
    let answer = other.accept(&offer);
    browser.answer(&answer);
    browser.wait_for_more(TWO_SECONDS);
    other.wait_for_more(TWO_SECONDS);
}

/// The browser tells which version of DTLS it spoke: 1.3 (RFC 9147 section 5.3 has its number).
#[test]
fn a_browser_calls_with_sound_and_pictures_over_dtls_13_in_both_roles() {
    let Some(chromium) = interop::require("chromium", WebPeer::chromium) else { return };
    let Some(gstreamer) = interop::require("gstreamer", core_side::find) else { return };
    let gateway = Gateway::start("");
    for client in BOTH_ROLES {
        let phone = Phone::start(&chromium, &[]);
        let mut conversation = Conversation::begin(&gateway, &gstreamer, phone, client);
        let report = conversation.goes_on();
        assert_eq!(report.matches("\"tlsVersion\": \"FEFC\"").count(), 2, "{report}");
        let role = if client == DtlsClient::Phone { "client" } else { "server" };
        assert_eq!(report.matches(&format!("\"dtlsRole\": \"{role}\"")).count(), 2, "{report}");
        conversation.call.controller.wait_for(&["tlsbsc/BNCChange", "Est"]);
        let statistics = conversation.call.take_down();
        assert!(statistics.contains("rtp/ps"), "{statistics}");
    }
    gateway.stop();
}

#[test]
fn aiortc_calls_with_sound_and_pictures_over_dtls_12_in_both_roles() {
    let Some(aiortc) = interop::require("aiortc", WebPeer::aiortc) else { return };
    let Some(gstreamer) = interop::require("gstreamer", core_side::find) else { return };
    let gateway = Gateway::start("");
    for client in BOTH_ROLES {
        let phone = Phone::start(&aiortc, &[]);
        let mut conversation = Conversation::begin(&gateway, &gstreamer, phone, client);
        conversation.goes_on();
        conversation.call.take_down();
    }
    gateway.stop();
}

/// The gateway is told another fingerprint than the phone's, or the phone another than the gateway's: nobody hears anything, and the controller
/// hears once that it failed (DTLS-3); a phone that refuses the gateway does not tell it everywhere. The client of DTLS 1.3 is done before the server
/// has looked at its certificate, so a gateway that is the client may report both.
fn nobody_is_heard_with_a_wrong_fingerprint(peer: &WebPeer, gstreamer: &Tool, tells: bool) {
    let gateway = Gateway::start("");
    for client in BOTH_ROLES {
        for spoil_theirs in [true, false] {
            let mut phone = Phone::start(peer, &["--media", "audio"]);
            let ports = core_side::ports(1);
            let plan = Plan { spoil_theirs, spoil_ours: !spoil_theirs, ..plan(client, &ports) };
            let mut call = BrowserCall::set_up(gateway.iq(), &phone.offer(), &plan);
            let core = Core::start(gstreamer, &ports, &call.given);
            phone.answer(&call.answer(&[]));
            if spoil_theirs || tells {
                call.controller.wait_for(&["tlsbsc/BNCChange", "Type = Fail"]);
            }
            let more = call.controller.notified_within(Duration::from_secs(3));
            let told = |words: &str| more.iter().filter(|notice| notice.contains(words)).count();
            assert_eq!(told("Fail") + told("g/cause"), 0, "{plan:?}: {more:?}");
            assert!(told("Type = Est") <= usize::from(!spoil_theirs), "{plan:?}: {more:?}");
            assert_eq!(core.heard(), Heard::default(), "{plan:?}");
            let report = phone.report();
            assert_eq!(number(&report, "audio_packets").unwrap_or(0), 0, "{plan:?}: {report}");
            call.take_down();
        }
    }
    gateway.stop();
}

#[test]
fn a_browser_with_a_wrong_fingerprint_either_way_hears_nobody_and_is_reported_once() {
    let Some(chromium) = interop::require("chromium", WebPeer::chromium) else { return };
    let Some(gstreamer) = interop::require("gstreamer", core_side::find) else { return };
    nobody_is_heard_with_a_wrong_fingerprint(&chromium, &gstreamer, true);
}

#[test]
fn aiortc_with_a_wrong_fingerprint_either_way_hears_nobody_and_is_reported_once() {
    let Some(aiortc) = interop::require("aiortc", WebPeer::aiortc) else { return };
    let Some(gstreamer) = interop::require("gstreamer", core_side::find) else { return };
    nobody_is_heard_with_a_wrong_fingerprint(&aiortc, &gstreamer, false);
}

/// All media of the phone are on one port, and the core side numbers its codecs otherwise.
fn with_one_port(peer: &WebPeer, gstreamer: &Tool, options: &[&str], bundle: Bundle) {
    let gateway = Gateway::start("");
    let mut phone = Phone::start(peer, options);
    let ports = core_side::ports(2);
    let plan = Plan { core_numbers: &[120, 121], bundle, ..plan(DtlsClient::Phone, &ports) };
    let call = BrowserCall::set_up(gateway.iq(), &phone.offer(), &plan);
    assert_eq!(call.given[0].access, call.given[1].access, "one port");
    let core = Core::start(gstreamer, &ports, &call.given);
    phone.answer(&call.answer(&[]));
    let mut conversation = Conversation { phone, call, core, movers: vec![] };
    let report = conversation.goes_on();
    assert!(report.matches("\"dtlsState\"").count() <= 1, "one association: {report}");
    conversation.call.take_down();
    gateway.stop();
}

#[test]
fn a_browser_calls_with_all_media_on_one_port() {
    let Some(chromium) = interop::require("chromium", WebPeer::chromium) else { return };
    let Some(gstreamer) = interop::require("gstreamer", core_side::find) else { return };
    for bundle in [Bundle::ByName, Bundle::ByFormat] {
        with_one_port(&chromium, &gstreamer, &["--policy", "max-bundle"], bundle);
    }
}

#[test]
fn aiortc_calls_with_all_media_on_one_port() {
    let Some(aiortc) = interop::require("aiortc", WebPeer::aiortc) else { return };
    let Some(gstreamer) = interop::require("gstreamer", core_side::find) else { return };
    with_one_port(&aiortc, &gstreamer, &[], Bundle::ByName);
}

#[test]
fn a_browsers_call_goes_on_across_a_restart_of_ice() {
    let Some(chromium) = interop::require("chromium", WebPeer::chromium) else { return };
    let Some(gstreamer) = interop::require("gstreamer", core_side::find) else { return };
    let gateway = Gateway::start("");
    let phone = Phone::start(&chromium, &[]);
    let mut conversation = Conversation::begin(&gateway, &gstreamer, phone, DtlsClient::Phone);
    conversation.goes_on();
    let Conversation { phone, call, .. } = &mut conversation;
    let before: Vec<String> = call.given.iter().map(|given| given.fragment().to_owned()).collect();
    call.restart(&phone.offer_restart());
    assert!(call.given.iter().zip(&before).all(|(given, before)| given.fragment() != before), "{before:?}");
    phone.answer(&call.answer(&[]));
    conversation.goes_on();
    conversation.call.take_down();
    gateway.stop();
}

/// The phone's address changes in the middle of a call, as that of one behind a translator of addresses does.
fn with_another_port(gateway: &Gateway, peer: &WebPeer, gstreamer: &Tool) -> Conversation {
    let mut phone = Phone::start(peer, &[]);
    let ports = core_side::ports(2);
    let call = BrowserCall::set_up(gateway.iq(), &phone.offer(), &plan(DtlsClient::Phone, &ports));
    let core = Core::start(gstreamer, &ports, &call.given);
    let movers: Vec<Mover> = call.given.iter().map(|given| Mover::start(given.access)).collect();
    let instead: Vec<_> = movers.iter().map(|mover| Some(mover.address())).collect();
    phone.answer(&call.answer(&instead));
    let mut conversation = Conversation { phone, call, core, movers };
    conversation.goes_on();
    for mover in &conversation.movers {
        let port = mover.change().port();
        conversation.call.controller.wait_for(&["ostuncc/nprc", &format!("port = {port}")]);
    }
    conversation
}

/// Media follow the check that nominates the new address.
#[test]
fn a_browsers_call_goes_on_when_its_port_changes() {
    let Some(chromium) = interop::require("chromium", WebPeer::chromium) else { return };
    let Some(gstreamer) = interop::require("gstreamer", core_side::find) else { return };
    let gateway = Gateway::start("");
    let mut conversation = with_another_port(&gateway, &chromium, &gstreamer);
    conversation.goes_on();
    conversation.call.take_down();
    gateway.stop();
}

/// aiortc nominates once, so nothing tells a lite agent to send elsewhere (RFC 8445 section 8.1.1); what comes from the new address counts once a
/// check has come from there.
#[test]
fn aiortc_is_still_heard_when_its_port_changes() {
    let Some(aiortc) = interop::require("aiortc", WebPeer::aiortc) else { return };
    let Some(gstreamer) = interop::require("gstreamer", core_side::find) else { return };
    let gateway = Gateway::start("");
    let conversation = with_another_port(&gateway, &aiortc, &gstreamer);
    conversation.core.wait_for_more(SOME);
    conversation.call.take_down();
    gateway.stop();
}

#[test]
fn a_phone_that_is_gone_is_noticed_by_its_consent_once() {
    let Some(chromium) = interop::require("chromium", WebPeer::chromium) else { return };
    let Some(gstreamer) = interop::require("gstreamer", core_side::find) else { return };
    let gateway = Gateway::start("");
    let mut phone = Phone::start(&chromium, &["--media", "audio"]);
    let ports = core_side::ports(1);
    let mut call = BrowserCall::set_up(gateway.iq(), &phone.offer(), &plan(DtlsClient::Phone, &ports));
    let _core = Core::start(&gstreamer, &ports, &call.given);
    phone.answer(&call.answer(&[]));
    phone.wait_for_more(&[("audio_packets", 20)]);
    drop(phone);
    let _quiet = call.controller.notified_within(Duration::from_secs(25));
    call.controller.wait_for(&["stnconfres/conff"]);
    let again = call.controller.notified_within(Duration::from_secs(2));
    assert!(!again.iter().any(|notice| notice.contains("conff")), "{again:?}");
    call.take_down();
    gateway.stop();
}
