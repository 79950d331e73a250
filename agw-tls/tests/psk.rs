//! Sessions with pre-shared keys between two engines of ours, in both versions (TLS-11).
#![cfg(feature = "openssl")]

mod wire;

use agw_tls::engine::MAX_UNSENT_BYTES;
use agw_tls::{Credentials, Engine, Identity, PreSharedKey, Profile, Role, Tls, TlsFailure, Version};
use wire::{Seed, drained, engine, give, read, settle, tls};

const BOTH: [Version; 2] = [Version::Tls12, Version::Tls13];

fn with_key(tls: &Tls, role: Role, identity: &str, key: &[u8]) -> Engine {
    tls.engine(role, &Credentials::Psk(PreSharedKey::new(identity, key).unwrap())).unwrap()
}

fn up(version: Version) -> (Engine, Engine) {
    let tls = tls(version);
    let mut client = with_key(&tls, Role::Client, "alice", b"0123456789abcdef");
    let mut server = with_key(&tls, Role::Server, "alice", b"0123456789abcdef");
    assert_eq!(settle(&mut client, &mut server, 20_000, 1), (Ok(()), Ok(())));
    (client, server)
}

#[test]
fn who_has_the_key_gets_a_session_however_the_stream_is_cut() {
    for version in BOTH {
        for most in [1, 7, 300, 20_000] {
            let tls = tls(version);
            let (identity, key) = ("i".repeat(128), [7; 64]);
            let mut client = with_key(&tls, Role::Client, &identity, &key);
            let mut server = with_key(&tls, Role::Server, &identity, &key);
            assert_eq!(settle(&mut client, &mut server, most, 3), (Ok(()), Ok(())), "{version}");
            assert!(!client.is_handshaking() && !server.is_handshaking());
            assert_eq!(client.peer_certificate(), None);
            assert_eq!(client.description(), server.description());
            let expected = match version {
                Version::Tls12 => "TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256",
                Version::Tls13 => "TLS_AES_128_GCM_SHA256",
            };
            assert_eq!(client.description(), Some((version, expected)));

            let sent = vec![9; 50_000];
            let (mut written, mut arrived) = (0, vec![]);
            while written < sent.len() {
                written += server.write(&sent[written..]);
                let (plaintext, result) = give(&mut client, &drained(&mut server), most, &mut Seed(5));
                result.unwrap();
                arrived.extend(plaintext);
            }
            assert!(arrived == sent);
        }
    }
}

#[test]
fn another_key_and_another_identity_are_told_apart() {
    for version in BOTH {
        let tls = tls(version);
        let mut client = with_key(&tls, Role::Client, "alice", b"one key");
        let mut server = with_key(&tls, Role::Server, "alice", b"another");
        let outcome = settle(&mut client, &mut server, 20_000, 1);
        assert_eq!(outcome.1, Err(TlsFailure::PskMismatch), "{version}");
        assert!(matches!(outcome.0, Err(TlsFailure::Alert(_))), "{version}: {outcome:?}");

        let mut client = with_key(&tls, Role::Client, "mallory", b"one key");
        let mut server = with_key(&tls, Role::Server, "alice", b"one key");
        let outcome = settle(&mut client, &mut server, 20_000, 1);
        assert_eq!(outcome.1, Err(TlsFailure::UnknownPskIdentity), "{version}");
        assert!(matches!(outcome.0, Err(TlsFailure::Alert(_))), "{version}: {outcome:?}");
        assert_eq!(server.write(b"media"), 0);
    }
}

#[test]
fn a_certificate_is_no_key_and_a_key_is_no_certificate() {
    for version in BOTH {
        let tls = tls(version);
        let ours = Identity::generate().unwrap();
        let mut client = with_key(&tls, Role::Client, "alice", b"one key");
        let mut server = engine(&tls, Role::Server, &ours);
        let outcome = settle(&mut client, &mut server, 20_000, 1);
        assert!(outcome.0.is_err() && client.is_handshaking(), "{version}: {outcome:?}");

        let mut client = engine(&tls, Role::Client, &ours);
        let mut server = with_key(&tls, Role::Server, "alice", b"one key");
        let outcome = settle(&mut client, &mut server, 20_000, 1);
        assert_eq!(outcome.1, Err(TlsFailure::NoCommonSuite), "{version}");
    }
}

#[test]
fn it_ends_in_order_and_its_buffers_are_bounded() {
    for version in BOTH {
        let (mut client, mut server) = up(version);
        let (mut written, mut pending) = (0, vec![]);
        for _ in 0..3 {
            let before = written;
            for _ in 0..100 {
                written += client.write(&[1; 1000]);
            }
            assert!((1..=MAX_UNSENT_BYTES).contains(&(written - before)));
            pending.extend(drained(&mut client));
        }
        client.close();
        assert_eq!(client.write(b"more"), 0);
        pending.extend(drained(&mut client));
        let mut arrived = 0;
        for _ in 0..5 {
            let taken = server.feed(&pending);
            pending.drain(..taken);
            server.process().unwrap();
        }
        assert!(!pending.is_empty(), "a reader that does not read stops the sender");
        while !server.peer_has_closed() {
            arrived += read(&mut server).len();
            let taken = server.feed(&pending);
            pending.drain(..taken);
            server.process().unwrap();
        }
        assert_eq!(arrived, written);
        assert_eq!(server.feed(&[0; 99_999]), 99_999);
        assert!(!server.wants_process());
    }
}

#[test]
fn garbage_fails_a_session_once_and_for_good() {
    for version in BOTH {
        for role in [Role::Client, Role::Server] {
            let mut engine = with_key(&tls(version), role, "alice", b"one key");
            let _ = drained(&mut engine);
            engine.feed(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
            let failure = engine.process().unwrap_err();
            assert!(matches!(failure, TlsFailure::Misbehaved | TlsFailure::NoCommonVersion), "{failure}");
            assert_eq!(engine.process(), Err(failure));
            assert_eq!(engine.feed(&[0; 100_000]), 100_000);
        }
    }
}

#[test]
fn a_profile_without_a_suite_for_keys_has_no_sessions_with_keys() {
    let suites = vec!["TLS_AES_256_GCM_SHA384".to_owned()];
    let tls = Tls::new(&Profile { versions: vec![Version::Tls13], suites, ..Profile::default() }).unwrap();
    let credentials = Credentials::Psk(PreSharedKey::new("alice", b"one key").unwrap());
    assert_eq!(tls.engine(Role::Client, &credentials).unwrap_err(), TlsFailure::NoCommonSuite);
}
