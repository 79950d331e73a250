//! Calls that come up, and handshakes anew.

use crate::rig::{How, PLAIN_CALL, PROVEN, Proof, Rig, ice};
use agw_core::command::{Command, Refusal};
use agw_core::io::sim::Link;
use agw_core::model::{HashFunction, IceEvent, Leg, RtcpPorts, TlsFailure};
use agw_core::worker::stats::{Counter, HandshakeProtocol, HandshakeResult, PacketKind};
use agw_dtls::Settings;
use agw_tls::{Identity, Role};

fn every_way() -> impl Iterator<Item = How> {
    [false, true].into_iter().flat_map(|gateway_is_client| {
        [false, true].map(|ice| How { gateway_is_client, ice, proof: Proof::Right })
    })
}

#[test]
fn a_browser_speaks_with_a_plain_phone_in_both_roles_with_and_without_ice() {
    for how in every_way() {
        let mut rig = Rig::new();
        let mut call = rig.call(how);
        rig.bring_up(&mut call);
        let mut told = rig.take_notices(&call);
        let selected = ice(IceEvent::Selected(call.browser.endpoint.address()));
        assert_eq!(told.iter().filter(|what| **what == selected).count(), usize::from(how.ice));
        told.retain(|what| *what != selected);
        assert_eq!(told, [PROVEN]);
        for _ in 0..20 {
            assert!(rig.speaks(&mut call));
        }
        let report = [0x80, 201, 0, 1, 0, 0, 0, 9];
        let protected = call.browser.protect(&report);
        call.browser.endpoint.send(call.browser.gateway, &protected);
        call.phone.send(call.core_local, &report);
        call.browser.received.clear();
        rig.run(&mut call, 5);
        assert_eq!(call.phone.receive().unwrap().1, report, "RTCP on the same port");
        assert_eq!(call.browser.received, [report]);
        let result = HandshakeResult::Good;
        let (protocol, is_client) = (HandshakeProtocol::Dtls, how.gateway_is_client);
        assert_eq!(rig.counted(Counter::Handshakes { protocol, is_client, result }), 1);
        let dtls = rig.counted(Counter::Consumed(Leg::Access, PacketKind::Dtls));
        assert_eq!(dtls, call.browser.flights.len() as u64);
        rig.check_balance();
    }
}

#[test]
fn handshakes_end_well_over_a_bad_network() {
    for seed in 0..300 {
        let mut rig = Rig::with(seed, |config| config.edge.dtls.seed = Some(seed));
        let how = How { gateway_is_client: seed % 2 == 1, ..PLAIN_CALL };
        let versions = [(true, true), (true, false), (false, true)][seed as usize % 3];
        let settings = Settings {
            dtls12: versions.0,
            dtls13: versions.1,
            mtu_bytes: 1200,
            // As Chromium has it.
            retransmit_ms: 50,
            seed: Some(seed + 1000),
            ..Settings::default()
        };
        let mut call = rig.call_with(how, settings);
        rig.net.set_link(Link {
            loss_per_mille: 200,
            duplicate_per_mille: 50,
            delay_us: 10_000,
            jitter_us: 30_000,
        });
        let ice = call.ice.clone().unwrap();
        let (mut took_ms, mut is_proven) = (0, false);
        while !(call.browser.has_keys() && is_proven) {
            // A browser checks every 50 ms until it is answered, and renews its consent later.
            if took_ms % 50 == 0 {
                call.browser.check(&ice, true);
            }
            rig.run(&mut call, 10);
            took_ms += 10;
            is_proven |= rig.take_notices(&call).contains(&PROVEN);
            assert!(call.browser.failure.is_none(), "seed {seed}: {:?}", call.browser.failure);
            assert!(took_ms < 25_000, "seed {seed}: not up after {took_ms} ms");
        }
        rig.net.set_link(Link::default());
        rig.run(&mut call, 200);
        assert!(rig.speaks(&mut call), "seed {seed}");
        rig.check_balance();
    }
}

#[test]
fn a_new_association_takes_over_once_it_is_proven_and_not_before() {
    for gateway_is_client in [false, true] {
        let mut rig = Rig::new();
        let mut call = rig.call(How { gateway_is_client, ..PLAIN_CALL });
        rig.modify(&mut call, |spec| spec.tls.as_mut().unwrap().association = Some("one".into()));
        rig.bring_up(&mut call);
        assert!(rig.speaks(&mut call));
        rig.take_notices(&call);

        // Another certificate, signalled; the new handshake has yet to come.
        call.browser.identity = Identity::generate().unwrap();
        let fingerprint = call.browser.identity.fingerprint(HashFunction::Sha256);
        rig.modify(&mut call, |spec| {
            let tls = spec.tls.as_mut().unwrap();
            (tls.association, tls.peer) = (Some("two".into()), vec![fingerprint]);
        });
        if !gateway_is_client {
            assert!(rig.speaks(&mut call), "with the old keys");
        }
        let role = if gateway_is_client { Role::Server } else { Role::Client };
        call.browser.shake(role, &call.fingerprints, rig.now_us());
        rig.run(&mut call, 600);
        assert_eq!(call.browser.established, 2);
        assert_eq!(rig.take_notices(&call), [PROVEN]);
        assert!(rig.speaks(&mut call), "with the new keys");
        rig.check_balance();
    }
}

#[test]
fn a_new_association_that_fails_leaves_the_old_keys() {
    let mut rig = Rig::new();
    // In DTLS 1.3 the client is at its end before the server knows who it is.
    let mut call = rig.call_with(PLAIN_CALL, Settings { dtls13: false, ..Settings::default() });
    rig.bring_up(&mut call);
    rig.take_notices(&call);
    let stranger = Identity::generate().unwrap().fingerprint(HashFunction::Sha256);
    rig.modify(&mut call, |spec| spec.tls.as_mut().unwrap().peer = vec![stranger]);
    call.browser.shake(Role::Client, &call.fingerprints, rig.now_us());
    rig.run(&mut call, 300);
    assert_eq!(rig.take_notices(&call), [crate::rig::unproven(TlsFailure::FingerprintMismatch)]);
    assert!(rig.speaks(&mut call));
}

#[test]
fn what_is_repeated_begins_nothing() {
    let mut rig = Rig::new();
    let mut call = rig.call(PLAIN_CALL);
    rig.bring_up(&mut call);
    rig.take_notices(&call);
    let before = rig.modify(&mut call, |spec| spec.dscp = Some(10));
    let again = rig.modify(&mut call, |spec| spec.dscp = Some(12));
    assert_eq!((&before.ice, &before.fingerprints), (&again.ice, &again.fingerprints));
    assert_eq!(again.ice.as_deref(), call.ice.as_ref());
    rig.run(&mut call, 300);
    assert_eq!(rig.take_notices(&call), []);
    assert!(rig.speaks(&mut call));
}

#[test]
fn a_call_that_ends_in_the_middle_of_its_handshake_leaves_nothing() {
    let mut rig = Rig::new();
    let mut call = rig.call(How { ice: false, ..PLAIN_CALL });
    for ms in 0..60 {
        rig.run(&mut call, 1);
        if ms == 3 {
            rig.command(Command::RemoveContext(call.context));
        }
    }
    assert_eq!(rig.controller.flows_by_worker(), [0]);
    let mut next = rig.call(PLAIN_CALL);
    rig.bring_up(&mut next);
    assert!(rig.speaks(&mut next));
    rig.check_balance();
}

#[test]
fn dtls_without_rtcp_mux_is_refused() {
    let mut rig = Rig::new();
    let mut call = rig.call(PLAIN_CALL);
    call.spec.rtcp = RtcpPorts::Pair;
    let context = rig.context();
    let streams = vec![(crate::rig::STREAM, call.spec.clone())];
    let refused = rig.try_command(Command::Add { context, streams });
    assert_eq!(refused.unwrap_err(), Refusal::NotImplemented("DTLS-SRTP without rtcp-mux"));
}
