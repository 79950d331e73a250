//! Messaging through the gateway as operators see it: a phone with TLS at the access side, plain TCP or TLS at the core side, both of them an MSRP
//! endpoint on OpenSSL that shares nothing with us, one of them behind Kamailio's relay or not.

use interop::connection::{Certificate, Connected};
use interop::gateway::Gateway;
use interop::msrp::{End, Party, all_arrived, converse};
use interop::peers::{TcpPeer, folder, number};
use interop::relay::Kamailio;
use std::time::Duration;

const LARGE: &[&str] = &["--size", "70000", "--binary"];
const SMALL: &[&str] = &["--size", "9000", "--chunk", "700", "--linger"];

#[test]
fn phones_with_tls_and_plain_cores_talk_in_every_role() {
    let Some(peer) = interop::require("pyOpenSSL", TcpPeer::find) else { return };
    let gateway = Gateway::start("");
    let certificate = Certificate::ecdsa("roles");
    for combination in 0..8_u8 {
        let [phone_listens, phone_serves, core_listens] = [0, 1, 2].map(|bit| combination >> bit & 1 == 1);
        let role = if phone_serves { "server" } else { "client" };
        let version = if combination.count_ones() % 2 == 0 { "1.3" } else { "1.2" };
        let options = [LARGE, &["--tls-version", version]].concat();
        let phone = End::phone().with_tls(&certificate, role).listening(phone_listens).doing(&options);
        let core = End::core().listening(core_listens).doing(SMALL);
        let mut call = Connected::set_up(gateway.iq(), [&phone.side(), &core.side()]);
        let [near, far] = all_arrived(converse(&peer, &mut call, [&phone, &core]));
        assert!(near.contains(&format!("TLSv{version}")), "{near}");
        assert!(far.contains("\"eof\": true"), "the end of one side reaches the other: {far}");
        call.controller.wait_for(&["tlsbsc/BNCChange"]);
        let statistics = call.take_down();
        assert!(statistics.contains("Statistics"), "{statistics}");
    }
    gateway.stop();
}

#[test]
fn plain_ends_talk_in_every_role() {
    let Some(peer) = interop::require("pyOpenSSL", TcpPeer::find) else { return };
    let gateway = Gateway::start("");
    for [phone_listens, core_listens] in [[false, false], [false, true], [true, false], [true, true]] {
        let phone = End::phone().listening(phone_listens).doing(LARGE);
        let core = End::core().listening(core_listens).doing(SMALL);
        let mut call = Connected::set_up(gateway.iq(), [&phone.side(), &core.side()]);
        let [_, far] = all_arrived(converse(&peer, &mut call, [&phone, &core]));
        assert!(far.contains("\"eof\": true"), "the end of one side reaches the other: {far}");
        for given in call.given.clone() {
            let notice = call.controller.wait_for(&["tcpbcc/BNCChange", &given.termination, "Est"]);
            assert!(!notice.contains("Fail"), "{notice}");
        }
        call.take_down();
    }
    gateway.stop();
}

#[test]
fn both_sides_may_speak_tls_with_certificates_of_any_kind() {
    let Some(peer) = interop::require("pyOpenSSL", TcpPeer::find) else { return };
    let gateway = Gateway::start("");
    let plain = folder().join("tcp/plain.cnf").display().to_string();
    let keys: [(&str, &[&str]); 3] = [
        ("rsa", &["rsa:2048"]),
        ("p384", &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"]),
        ("version-1", &["ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-config", &plain]),
    ];
    for (name, key) in keys {
        let [one, other] = ["phone", "core"].map(|side| Certificate::make(&format!("{name}-{side}"), key));
        let phone = End::phone().with_tls(&one, "client").doing(&["--size", "5000"]);
        let core = End::core().with_tls(&other, "server").listening(true);
        let core = core.doing(&["--size", "5000", "--linger"]);
        let mut call = Connected::set_up(gateway.iq(), [&phone.side(), &core.side()]);
        all_arrived(converse(&peer, &mut call, [&phone, &core]));
        call.take_down();
    }
    gateway.stop();
}

#[test]
fn a_phone_with_another_certificate_reaches_nobody_and_is_reported_once() {
    let Some(peer) = interop::require("pyOpenSSL", TcpPeer::find) else { return };
    let gateway = Gateway::start("");
    let [promised, shown] = ["promised", "shown"].map(Certificate::ecdsa);
    let phone = End::phone().with_tls(&shown, "client").signalled_as(&[&promised.fingerprint]);
    let phone = phone.doing(&["--seconds", "4"]);
    let core = End::core().listening(true).doing(&["--messages", "0", "--expect", "0", "--seconds", "4"]);
    let mut call = Connected::set_up(gateway.iq(), [&phone.side(), &core.side()]);
    let [near, far] = converse(&peer, &mut call, [&phone, &core]);
    assert!(!near.status.success(), "{}", near.output);
    assert_eq!(number(&near.output, "answers").unwrap_or(0), 0, "{}", near.output);
    assert_eq!(number(&far.output, "bytes").unwrap_or(0), 0, "{}", far.output);
    call.controller.wait_for(&["tlsbsc/BNCChange", "Fail"]);
    let again = call.controller.notified_within(Duration::from_secs(1));
    assert!(!again.iter().any(|notice| notice.contains("tlsbsc/BNCChange")), "{again:?}");
    call.take_down();
    gateway.stop();
}

/// The relay and the gateway connect to each other in both directions, with TLS and without, and the first message comes from either end. Where the
/// relay is to connect, only the endpoint behind it can begin.
#[test]
fn kamailios_relay_understands_the_gateway_in_every_role() {
    let Some(peer) = interop::require("pyOpenSSL", TcpPeer::find) else { return };
    let Some(kamailio) = interop::require("kamailio", Kamailio::find) else { return };
    let (gateway, relay) = (Gateway::start(""), kamailio.start());
    let certificate = Certificate::ecdsa("beside-a-relay");
    let first: &[&str] = &["--size", "9000", "--chunk", "1500"];
    let second = [first, &["--answering"]].concat();
    for (relay_at, near_tls, far_tls) in
        [("core", true, false), ("access", false, true), ("access", true, true)]
    {
        for (relay_connects, relayed_begins) in [(true, true), (false, true), (false, false)] {
            let relayed = relay.endpoint(relay_at, far_tls, first);
            let relayed = relayed.connecting(relay_connects).answering(!relayed_begins);
            let end = if relay_at == "core" { End::phone() } else { End::core() };
            // Whether it listens and what it is in TLS changes from one conversation to the next, so that all of it comes about.
            let end = end.listening(relay_connects).doing(if relayed_begins { &second } else { first });
            let role = if relayed_begins { "server" } else { "client" };
            let end = if near_tls { end.with_tls(&certificate, role) } else { end };
            let sides: [&dyn Party; 2] = if relay_at == "core" { [&end, &relayed] } else { [&relayed, &end] };
            let mut call = Connected::set_up(gateway.iq(), [&sides[0].side(), &sides[1].side()]);
            let finished = converse(&peer, &mut call, sides);
            let ok = finished.iter().all(|end| end.status.success());
            assert!(ok, "{relayed:?}\n{}\n{}\n{}", finished[0].output, finished[1].output, relay.output());
            all_arrived(finished);
            call.take_down();
        }
    }
    let log = relay.output();
    assert!(log.contains("relay: SEND") && log.contains("relay: REPORT"), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
    gateway.stop();
}
