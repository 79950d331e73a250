//! Phones of WebRTC: headless Chromium, which calls as a person's browser would, and aiortc. Media are judged by what is decoded.

use interop::browser::phone::Phone;
use interop::peers::WebPeer;

/// What a phone has decoded by when a call works: two seconds of sound that is no silence, and of pictures.
const TWO_SECONDS: &[(&str, u64)] =
    &[("audio_packets", 90), ("audio_energy_millionths", 500), ("video_frames", 25), ("sent_audio", 90)];

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
