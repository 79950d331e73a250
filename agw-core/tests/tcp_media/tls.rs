//! TLS at a side: who is who, who begins, and that no byte of media passes before a peer has proven itself (TLS-1 to TLS-8, TLS-12).

use crate::phone::*;
use crate::rig::{Rig, UP, read, role};
use agw_core::command::{Command, Refusal};
use agw_core::model::*;
use agw_core::worker::stats::{Counter, HandshakeProtocol, HandshakeResult};
use agw_tls::{Identity, Role, Tls, judge};
use std::time::Duration;

#[test]
fn a_phone_with_the_right_certificate_speaks_tls_and_the_core_plain() {
    let mut rig = Rig::new();
    let identity = Identity::generate().unwrap();
    let call = call(&mut rig, promise(&identity));
    let core = dial(&call.core);
    let mut phone = Phone::new(dial(&call.ue), Role::Client, &identity);
    core.send(b"early").unwrap();
    run(&mut rig, &mut [&mut phone]);
    assert_eq!(phone.received, b"early");
    let own = call.ue.fingerprints.clone();
    judge(phone.engine.peer_certificate().unwrap(), &own, &HashFunction::ALL).unwrap();
    phone.say(b"hello");
    run(&mut rig, &mut [&mut phone]);
    assert_eq!(read(&core).0, b"hello");
    assert_eq!(only(&mut rig, call.ue.id), [UP, SESSION_UP]);
    let good = Counter::Handshakes {
        protocol: HandshakeProtocol::Tls,
        is_client: false,
        result: HandshakeResult::Good,
    };
    assert_eq!(rig.counted(good), 1);
    let took_us = rig.counted(Counter::HandshakeSumUs { protocol: HandshakeProtocol::Tls, is_client: false });
    assert!((1_000..60_000).contains(&took_us), "{took_us} us of the pretend clock");
    rig.command(Command::RemoveContext(call.context));
    run(&mut rig, &mut [&mut phone]);
    assert!(phone.engine.peer_has_closed(), "TLS is ended before TCP");
    drop((phone, core));
    rig.check_empty();
}

#[test]
fn each_stream_has_a_certificate_of_its_own_and_the_stock_is_used_first() {
    let mut rig = Rig::new();
    let stocked = Identity::generate().unwrap();
    rig.controller.stock(vec![stocked.clone()]);
    let first = call(&mut rig, promise(&stocked));
    let second = call(&mut rig, promise(&stocked));
    assert_eq!(first.ue.fingerprints, [stocked.fingerprint(HashFunction::Sha256)]);
    assert_ne!(first.ue.fingerprints, second.ue.fingerprints);
    assert_eq!(rig.controller.stocked(), 0);
}

#[test]
fn told_to_begin_we_are_the_client_as_soon_as_tcp_is_up() {
    let mut rig = Rig::new();
    let identity = Identity::generate().unwrap();
    let call = call(&mut rig, TlsSpec { establish: true, ..promise(&identity) });
    let core = dial(&call.core);
    let mut phone = Phone::new(dial(&call.ue), Role::Server, &identity);
    run(&mut rig, &mut [&mut phone]);
    phone.say(b"from the server");
    run(&mut rig, &mut [&mut phone]);
    assert_eq!(read(&core).0, b"from the server");
}

#[test]
fn we_connect_and_are_either_role_of_tls() {
    for role_there in [Role::Server, Role::Client] {
        let mut rig = Rig::new();
        let identity = Identity::generate().unwrap();
        let context = rig.context();
        let tls = TlsSpec { establish: role_there == Role::Server, ..promise(&identity) };
        let mut ue = rig.add_tls(context, "access", TLS, role(TcpSetup::Active), tls);
        let core = rig.add(context, "core", crate::rig::TCP, role(TcpSetup::Passive));
        ue.host.listen();
        rig.establish(&mut ue);
        rig.settle();
        let core = dial(&core);
        let mut phone = Phone::new(ue.host.accept().expect("connected"), role_there, &identity);
        run(&mut rig, &mut [&mut phone]);
        phone.say(b"x");
        run(&mut rig, &mut [&mut phone]);
        assert_eq!(read(&core).0, b"x", "{role_there:?}");
    }
}

#[test]
fn a_wrong_certificate_ends_the_session_is_told_once_and_no_byte_passes() {
    let mut rig = Rig::new();
    let (right, wrong) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let call = call(&mut rig, promise(&right));
    let core = dial(&call.core);
    core.send(b"secret").unwrap();
    for _ in 0..3 {
        let mut stranger = Phone::new(rig.host(66).connect(call.ue.local).unwrap(), Role::Client, &wrong);
        run(&mut rig, &mut [&mut stranger]);
        let _ = stranger.engine.write(b"injected");
        run(&mut rig, &mut [&mut stranger]);
        assert!(stranger.ended && stranger.received.is_empty());
    }
    assert!(read(&core).0.is_empty(), "TLS-3");
    assert_eq!(only(&mut rig, call.ue.id), [UP, session_failed(TlsFailure::FingerprintMismatch)]);
    let result = HandshakeResult::Failed(TlsFailure::FingerprintMismatch);
    assert_eq!(
        rig.counted(Counter::Handshakes { protocol: HandshakeProtocol::Tls, is_client: false, result }),
        3
    );
    // The peer still can, and is told.
    let mut phone = Phone::new(dial(&call.ue), Role::Client, &right);
    run(&mut rig, &mut [&mut phone]);
    assert_eq!(phone.received, b"secret");
    assert_eq!(only(&mut rig, call.ue.id), [SESSION_UP]);
}

#[test]
fn one_of_several_fingerprints_is_enough_and_the_strongest_hash_decides() {
    let (right, wrong) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let of = |identity: &Identity, hash| identity.fingerprint(hash);
    let (weak, strong) = (HashFunction::Sha256, HashFunction::Sha512);
    for (peer, passes) in [
        (vec![of(&wrong, weak), of(&right, weak)], true),
        (vec![of(&right, weak), of(&wrong, strong)], false),
        (vec![of(&wrong, weak), of(&right, strong)], true),
        (vec![of(&right, HashFunction::Sha1)], false),
    ] {
        let mut rig = Rig::new();
        let call = call(&mut rig, TlsSpec { peer: peer.clone(), ..TlsSpec::default() });
        let mut phone = Phone::new(dial(&call.ue), Role::Client, &right);
        run(&mut rig, &mut [&mut phone]);
        assert_eq!(only(&mut rig, call.ue.id).contains(&SESSION_UP), passes, "{peer:?}");
    }
}

#[test]
fn a_fingerprint_that_comes_late_lets_what_was_held_pass_or_ends_it() {
    for good in [true, false] {
        let mut rig = Rig::new();
        let (right, wrong) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        let mut call = call(&mut rig, TlsSpec::default());
        let core = dial(&call.core);
        let mut phone = Phone::new(dial(&call.ue), Role::Client, &right);
        run(&mut rig, &mut [&mut phone]);
        phone.say(b"held");
        run(&mut rig, &mut [&mut phone]);
        assert!(read(&core).0.is_empty());
        assert_eq!(only(&mut rig, call.ue.id), [UP]);
        let promised = promise(if good { &right } else { &wrong });
        rig.modify(&mut call.ue, |spec| spec.tls = Some(Box::new(promised)));
        run(&mut rig, &mut [&mut phone]);
        let (bytes, told) = (read(&core).0, only(&mut rig, call.ue.id));
        if good {
            assert_eq!((bytes.as_slice(), told.as_slice()), (&b"held"[..], &[SESSION_UP][..]));
        } else {
            assert_eq!(
                (bytes.len(), told.as_slice()),
                (0, &[session_failed(TlsFailure::FingerprintMismatch)][..])
            );
        }
    }
}

#[test]
fn a_fingerprint_that_never_comes_ends_the_session_in_time_and_is_told_once() {
    let mut rig = Rig::new();
    let call = call(&mut rig, TlsSpec::default());
    let mut phone = Phone::new(dial(&call.ue), Role::Client, &Identity::generate().unwrap());
    run(&mut rig, &mut [&mut phone]);
    rig.pass(Duration::from_secs(29));
    assert_eq!(only(&mut rig, call.ue.id), [UP]);
    rig.pass(Duration::from_secs(40));
    assert_eq!(only(&mut rig, call.ue.id), [session_failed(TlsFailure::FingerprintMissing)]);
    run(&mut rig, &mut [&mut phone]);
    assert!(phone.ended);
}

#[test]
fn unknown_hash_functions_prove_nothing() {
    let mut rig = Rig::new();
    let call = call(&mut rig, TlsSpec { peer_unknown: true, ..TlsSpec::default() });
    let mut phone = Phone::new(dial(&call.ue), Role::Client, &Identity::generate().unwrap());
    run(&mut rig, &mut [&mut phone]);
    assert_eq!(only(&mut rig, call.ue.id), [UP, session_failed(TlsFailure::FingerprintHash)]);
}

#[test]
fn media_over_tls_at_both_sides() {
    let mut rig = Rig::new();
    let (a, b) = (Identity::generate().unwrap(), Identity::generate().unwrap());
    let context = rig.context();
    let ue = rig.add_tls(context, "access", TLS, role(TcpSetup::Passive), promise(&a));
    let core = rig.add_tls(context, "core", TLS, role(TcpSetup::Passive), promise(&b));
    let mut phone = Phone::new(dial(&ue), Role::Client, &a);
    let mut far = Phone::new(dial(&core), Role::Client, &b);
    run(&mut rig, &mut [&mut phone, &mut far]);
    phone.say(b"one way");
    far.say(b"the other");
    run(&mut rig, &mut [&mut phone, &mut far]);
    assert_eq!((phone.received, far.received), (b"the other".to_vec(), b"one way".to_vec()));
}

#[test]
fn tls_is_refused_where_it_cannot_be() {
    let mut rig = Rig::new();
    let context = rig.context();
    let mut spec = StreamSpec { realm: RealmName::new("access"), ..StreamSpec::new(crate::rig::TCP) };
    spec.tls = Some(Box::new(promise(&Identity::generate().unwrap())));
    let refused = rig.try_command(Command::Add { context, streams: vec![(StreamId(1), spec.clone())] });
    assert!(matches!(refused, Err(Refusal::CryptoPolicy(..))), "{refused:?}");
    if !Tls::knows_psk() {
        spec.transport = TLS;
        spec.tls = Some(Box::new(TlsSpec { psk: PreSharedKey::new("me", b"secret"), ..TlsSpec::default() }));
        let refused = rig.try_command(Command::Add { context, streams: vec![(StreamId(1), spec)] });
        assert!(matches!(refused, Err(Refusal::NotImplemented(_))), "{refused:?}");
    }
}
