//! What a browser may meet besides a plain phone: a phone with SDES keys, and another browser. Either way nobody's keys are anybody else's.

use crate::browser::Browser;
use crate::rig::{How, PLAIN_CALL, Rig, web_spec};
use agw_core::model::{
    CryptoAttribute, Leg, Mode, RealmName, Remote, RtcpPorts, Security, StreamSpec, Transport,
};
use agw_core::worker::stats::{Counter, PacketKind};
use agw_dtls::Settings;
use agw_srtp::{InboundSession, MasterKey, OutboundSession, Policy, Suite};
use agw_tls::Role;

const RECEIVER_REPORT: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 9];

#[test]
fn two_browsers_meet_each_in_its_own_role_and_with_its_own_keys() {
    for (first_calls, second_calls) in [(true, false), (false, true), (true, true)] {
        let mut rig = Rig::new();
        let context = rig.context();
        let how = |browser_calls: bool| How { gateway_is_client: !browser_calls, ..PLAIN_CALL };
        let mut browsers =
            [("access", 11, how(first_calls)), ("core", 12, how(second_calls))].map(|(realm, low, how)| {
                let at = rig.address(low);
                let settings = Settings { seed: Some(low.into()), ..Settings::default() };
                let mut browser = Browser::new(&rig.net, at, settings);
                let (_, local) = rig.add(context, &web_spec(realm, &browser, how));
                browser.gateway = local.rtp;
                let role = if how.gateway_is_client { Role::Server } else { Role::Client };
                browser.shake(role, &local.fingerprints, rig.now_us());
                browser.check(local.ice.as_deref().unwrap(), true);
                browser
            });
        let mut run = |browsers: &mut [Browser; 2], ms| {
            for _ in 0..ms {
                rig.turn();
                browsers.iter_mut().for_each(|browser| browser.step(rig.now_us()));
            }
        };
        run(&mut browsers, 400);
        assert!(browsers.iter().all(Browser::has_keys));
        for (from, to) in [(0, 1), (1, 0), (0, 1)] {
            let plain = browsers[from].rtp();
            let sent = [browsers[from].protect(&plain), browsers[from].protect(&RECEIVER_REPORT)];
            sent.iter().for_each(|bytes| browsers[from].endpoint.send(browsers[from].gateway, bytes));
            run(&mut browsers, 5);
            let heard = std::mem::take(&mut browsers[to].received);
            assert_eq!(heard, [plain, RECEIVER_REPORT.to_vec()]);
            assert_eq!(browsers[to].unopened, 0, "under its own keys");
        }
        rig.check_balance();
    }
}

#[test]
fn a_browser_meets_a_phone_with_keys_of_sdes() {
    let suite = Suite::AesCm128HmacSha1_80;
    let attribute = |fill: u8| {
        let key = MasterKey::new(suite, &[fill; 16], &[fill; 14]).unwrap();
        CryptoAttribute::new(1, suite, vec![key]).unwrap()
    };
    let (ours, theirs) = (attribute(1), attribute(2));
    let mut rig = Rig::new();
    let context = rig.context();
    let (browser_at, phone_at) = (rig.address(11), rig.address(12));
    let mut browser = Browser::new(&rig.net, browser_at, Settings { seed: Some(1), ..Settings::default() });
    let (_, local) = rig.add(context, &web_spec("access", &browser, PLAIN_CALL));
    browser.gateway = local.rtp;
    let secured = StreamSpec {
        realm: RealmName::new("core"),
        mode: Mode::SendReceive,
        rtcp: RtcpPorts::Mux,
        remote: Some(Remote { rtp: phone_at, rtcp: None }),
        security: Security { local: Some(ours.clone()), remote: Some(theirs.clone()) },
        ..StreamSpec::new(Transport::Rtp { secure: true, feedback: false })
    };
    let (_, at_core) = rig.add(context, &secured);
    let phone = rig.net.endpoint(phone_at);
    browser.shake(Role::Client, &local.fingerprints, rig.now_us());
    browser.check(local.ice.as_deref().unwrap(), true);
    let mut run = |browser: &mut Browser, ms| {
        for _ in 0..ms {
            rig.turn();
            browser.step(rig.now_us());
        }
    };
    run(&mut browser, 400);

    let policy = Policy::default();
    let mut out = OutboundSession::new(&theirs, &policy).unwrap();
    let mut into = InboundSession::new(&ours, &policy).unwrap();
    for _ in 0..5 {
        let plain = browser.rtp();
        let sent = browser.protect(&plain);
        browser.endpoint.send(browser.gateway, &sent);
        let back = browser.rtp();
        let mut buffer = back.clone();
        buffer.resize(back.len() + 64, 0);
        let len = out.protect_rtp(&mut buffer, back.len(), 0).unwrap();
        phone.send(at_core.rtp, &buffer[..len]);
        run(&mut browser, 5);
        let (_, mut heard) = phone.receive().expect("a packet");
        assert_ne!(heard, sent, "under other keys");
        let len = heard.len();
        let len = into.unprotect_rtp(&mut heard, len, 0).unwrap();
        assert_eq!(heard[..len], plain);
        assert_eq!(std::mem::take(&mut browser.received), [back]);
    }
    // What the phone sends in the clear reaches nobody.
    let before = rig.counted(Counter::Sent(Leg::Access, PacketKind::Srtp));
    phone.send(at_core.rtp, &browser.rtp());
    (0..5).for_each(|_| rig.turn());
    assert_eq!(rig.counted(Counter::Sent(Leg::Access, PacketKind::Srtp)), before);
    rig.check_balance();
}
