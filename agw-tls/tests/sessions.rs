//! Sessions between two engines of ours, in both versions: what must come about, what must not, and that whatever arrives is survived.

mod wire;

use agw_tls::engine::MAX_UNSENT_BYTES;
use agw_tls::{Engine, HashFunction, Identity, Role, Tls, TlsFailure, Version, judge};
use wire::{Seed, drained, engine, fixture, give, identity, pair, read, settle, tls};

const BOTH: [Version; 2] = [Version::Tls12, Version::Tls13];

fn up(version: Version) -> (Engine, Engine) {
    let (mut client, mut server) = pair(version);
    assert_eq!(settle(&mut client, &mut server, 20_000, 1), (Ok(()), Ok(())));
    assert!(!client.is_handshaking() && !server.is_handshaking());
    (client, server)
}

#[test]
fn both_ends_see_the_certificate_of_the_other() {
    for version in BOTH {
        let (ours, theirs) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        let tls = tls(version);
        let (mut client, mut server) =
            (engine(&tls, Role::Client, &ours), engine(&tls, Role::Server, &theirs));
        assert_eq!(client.peer_certificate(), None);
        settle(&mut client, &mut server, 20_000, 1).0.unwrap();
        assert_eq!(client.peer_certificate(), Some(theirs.certificate()));
        assert_eq!(server.peer_certificate(), Some(ours.certificate()));
        assert_eq!(client.description(), server.description());
        assert_eq!(client.description().unwrap().0, version);

        let signalled = [ours.fingerprint(HashFunction::Sha256)];
        let seen = server.peer_certificate().unwrap();
        assert_eq!(judge(seen, &signalled, &HashFunction::ALL), Ok(()));
        let seen = client.peer_certificate().unwrap();
        assert_eq!(judge(seen, &signalled, &HashFunction::ALL), Err(TlsFailure::FingerprintMismatch));
    }
}

#[test]
fn the_newest_common_version_is_taken_and_without_one_there_is_no_session() {
    let (any, old) = (Tls::new(&agw_tls::Profile::default()).unwrap(), tls(Version::Tls12));
    let ours = Identity::generate().unwrap();
    for (one, other, expected) in
        [(&any, &any, Version::Tls13), (&any, &old, Version::Tls12), (&old, &any, Version::Tls12)]
    {
        let (mut client, mut server) = (engine(one, Role::Client, &ours), engine(other, Role::Server, &ours));
        assert_eq!(settle(&mut client, &mut server, 20_000, 1), (Ok(()), Ok(())));
        assert_eq!(client.description().unwrap().0, expected);
    }
    let new = tls(Version::Tls13);
    let (mut client, mut server) = (engine(&new, Role::Client, &ours), engine(&old, Role::Server, &ours));
    let outcome = settle(&mut client, &mut server, 20_000, 1);
    assert_eq!(outcome, (Err(TlsFailure::Alert(70)), Err(TlsFailure::NoCommonVersion)));
}

#[test]
fn without_a_common_suite_there_is_no_session() {
    let only = |suite: &str| {
        let suites = vec![suite.to_owned()];
        Tls::new(&agw_tls::Profile { versions: vec![Version::Tls13], suites, ..Default::default() }).unwrap()
    };
    let ours = Identity::generate().unwrap();
    let (one, other) = (only("TLS_AES_128_GCM_SHA256"), only("TLS_CHACHA20_POLY1305_SHA256"));
    let (mut client, mut server) = (engine(&one, Role::Client, &ours), engine(&other, Role::Server, &ours));
    let outcome = settle(&mut client, &mut server, 20_000, 1);
    assert_eq!(outcome, (Err(TlsFailure::Alert(40)), Err(TlsFailure::NoCommonSuite)));
}

#[test]
fn it_does_not_matter_how_the_stream_is_cut() {
    for version in BOTH {
        for seed in 1..=40 {
            let most = [1, 3, 50, 700, 20_000][seed as usize % 5];
            let (mut client, mut server) = pair(version);
            assert_eq!(
                settle(&mut client, &mut server, most, seed),
                (Ok(()), Ok(())),
                "{version}, seed {seed}"
            );

            let mut size = Seed(seed);
            let sent: Vec<u8> =
                (0..100_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
            let (mut written, mut arrived) = (0, vec![]);
            while arrived.len() < sent.len() {
                let piece = size.up_to(30_000).min(sent.len() - written);
                written += client.write(&sent[written..written + piece]);
                let ciphertext = drained(&mut client);
                let (plaintext, result) = give(&mut server, &ciphertext, most, &mut size);
                result.unwrap();
                arrived.extend(plaintext);
            }
            assert!(arrived == sent, "{version}, seed {seed}");
        }
    }
}

#[test]
fn a_certificate_passes_whatever_else_it_says_if_its_key_signs() {
    for version in BOTH {
        for name in ["expired", "future", "version1", "p384", "p521", "ed25519", "rsa2048"] {
            let tls = tls(version);
            let theirs = identity(name, name);
            for (role, other) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
                let mut peer = engine(&tls, role, &theirs);
                let mut ours = engine(&tls, other, &Identity::generate().unwrap());
                let (client, server) =
                    if role == Role::Client { (&mut peer, &mut ours) } else { (&mut ours, &mut peer) };
                assert_eq!(
                    settle(client, server, 20_000, 1),
                    (Ok(()), Ok(())),
                    "{version}, {name} as {role:?}"
                );
                assert_eq!(ours.peer_certificate(), Some(theirs.certificate()));
            }
        }
    }
}

#[test]
fn who_shows_a_certificate_without_having_its_key_is_refused() {
    for version in BOTH {
        let tls = tls(version);
        let thief = identity("version1", "expired");
        let ours = Identity::generate().unwrap();
        let (mut client, mut server) =
            (engine(&tls, Role::Client, &thief), engine(&tls, Role::Server, &ours));
        let outcome = settle(&mut client, &mut server, 20_000, 1);
        assert_eq!(outcome, (Err(TlsFailure::Alert(51)), Err(TlsFailure::NoProof)), "{version}");
        assert_eq!(server.peer_certificate(), None);
        assert_eq!(server.write(b"media"), 0);

        let (mut client, mut server) =
            (engine(&tls, Role::Client, &ours), engine(&tls, Role::Server, &thief));
        let outcome = settle(&mut client, &mut server, 20_000, 1);
        assert_eq!(outcome, (Err(TlsFailure::NoProof), Err(TlsFailure::Alert(51))), "{version}");
    }
}

#[test]
fn a_certificate_that_cannot_be_checked_is_refused_with_the_reason() {
    let key = zeroize::Zeroizing::new(fixture("version1.key"));
    for version in BOTH {
        let cases = [
            (fixture("rsa1024.crt"), TlsFailure::UnsupportedKey, 43),
            (fixture("secp256k1.crt"), TlsFailure::UnsupportedKey, 43),
            (fixture("ed448.crt"), TlsFailure::UnsupportedKey, 43),
            (vec![0x30, 0x03, 0x02, 0x01, 0x00], TlsFailure::MalformedCertificate, 42),
            (vec![0x30; 16 * 1024 + 1], TlsFailure::CertificatesTooLong, 46),
        ];
        for (certificate, expected, alert) in cases {
            let tls = tls(version);
            let peer = Identity::of(certificate, key.clone()).unwrap();
            let ours = Identity::generate().unwrap();
            let (mut client, mut server) =
                (engine(&tls, Role::Client, &peer), engine(&tls, Role::Server, &ours));
            let outcome = settle(&mut client, &mut server, 20_000, 1);
            assert_eq!(outcome, (Err(TlsFailure::Alert(alert)), Err(expected)), "{version}");
        }
    }
}

#[test]
fn an_end_in_order_comes_after_everything_that_was_written() {
    for version in BOTH {
        let (mut client, mut server) = up(version);
        assert_eq!(client.write(b"last words"), 10);
        client.close();
        assert_eq!(client.write(b"and more"), 0);
        let ciphertext = drained(&mut client);
        assert_eq!(server.feed(&ciphertext), ciphertext.len());
        server.process().unwrap();
        assert!(!server.peer_has_closed(), "there is something to read yet");
        assert_eq!(read(&mut server), b"last words");
        assert!(server.peer_has_closed());
        assert_eq!(server.feed(&[7; 1000]), 1000, "what follows the end is ignored");
        assert_eq!(server.process(), Ok(()));

        assert_eq!(server.write(b"still talking"), 13, "the other direction goes on");
        let ciphertext = drained(&mut server);
        assert_eq!(give(&mut client, &ciphertext, 9, &mut Seed(1)), (b"still talking".to_vec(), Ok(())));
    }
}

#[test]
fn garbage_fails_a_session_once_and_for_good() {
    for version in BOTH {
        for role in [Role::Client, Role::Server] {
            let mut engine = engine(&tls(version), role, &Identity::generate().unwrap());
            let _ = drained(&mut engine);
            engine.feed(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n");
            assert_eq!(engine.process(), Err(TlsFailure::Misbehaved));
            assert_eq!(engine.process(), Err(TlsFailure::Misbehaved));
            assert!(!drained(&mut engine).is_empty(), "the alert");
            assert_eq!(engine.feed(&[0; 100_000]), 100_000);
            assert!(!engine.wants_process());
        }
    }
}

#[test]
fn a_record_that_is_too_long_or_was_changed_fails_the_session() {
    for version in BOTH {
        let (mut client, mut server) = up(version);
        client.write(b"hello");
        let mut ciphertext = drained(&mut client);
        *ciphertext.last_mut().unwrap() ^= 1;
        assert_eq!(
            give(&mut server, &ciphertext, 20_000, &mut Seed(1)),
            (vec![], Err(TlsFailure::Misbehaved))
        );
        assert!(server.has_output(), "the alert");

        let (_, mut server) = up(version);
        server.feed(&[0x17, 3, 3, 0xff, 0xff]);
        assert_eq!(server.process(), Err(TlsFailure::Misbehaved));
    }
}

#[test]
fn who_breaks_the_rules_after_our_end_fails_the_session_like_anybody_else() {
    for version in BOTH {
        let (mut client, _server) = up(version);
        client.close();
        drained(&mut client);
        let forged = [&[23, 3, 3, 0, 40][..], &[7; 40]].concat();
        let (plaintext, result) = give(&mut client, &forged, 20_000, &mut Seed(1));
        assert_eq!((plaintext.len(), result), (0, Err(TlsFailure::Misbehaved)));
    }
}

#[test]
fn room_for_ciphertext_is_bounded_while_nobody_works_on_it_or_reads() {
    for version in BOTH {
        let (mut client, mut server) = up(version);
        let (mut sent, mut stalled, mut pending) = (0, 0, vec![]);
        while stalled < 3 {
            sent += client.write(&[1; 4096]);
            pending.extend(drained(&mut client));
            let taken = server.feed(&pending);
            pending.drain(..taken);
            server.process().unwrap();
            stalled = if taken == 0 { stalled + 1 } else { 0 };
            assert!(sent < 200_000, "a reader that does not read stops the sender");
        }
        let mut arrived = 0;
        while arrived < sent {
            arrived += read(&mut server).len();
            let taken = server.feed(&pending);
            pending.drain(..taken);
            server.process().unwrap();
        }
        assert_eq!(arrived, sent);
    }
}

#[test]
fn what_waits_to_be_sent_is_bounded() {
    for version in BOTH {
        let (mut client, mut server) = up(version);
        let mut written = 0;
        for _ in 0..1000 {
            written += client.write(&[1; 1000]);
        }
        assert!((1..=MAX_UNSENT_BYTES).contains(&written), "{written}");
        let ciphertext = drained(&mut client);
        assert!(ciphertext.len() <= MAX_UNSENT_BYTES + 2048, "{}", ciphertext.len());
        assert_eq!(give(&mut server, &ciphertext, 20_000, &mut Seed(1)).0.len(), written);
        assert_eq!(client.write(&[1; 1000]), 1000, "there is room again");
    }
}

#[test]
fn nothing_is_written_before_the_session_is_up() {
    for version in BOTH {
        let (mut client, mut server) = pair(version);
        assert_eq!(client.write(b"early"), 0);
        let hello = drained(&mut client);
        give(&mut server, &hello, 20_000, &mut Seed(1)).1.unwrap();
        assert!(server.is_handshaking());
        assert_eq!(server.write(b"early"), 0);
        assert_eq!(server.peer_certificate(), None);
    }
}

#[test]
fn every_hello_that_was_cut_short_waits_and_every_changed_one_is_survived() {
    let tls = Tls::new(&agw_tls::Profile::default()).unwrap();
    let ours = Identity::generate().unwrap();
    let hello = drained(&mut engine(&tls, Role::Client, &ours));
    for end in 0..hello.len() {
        let mut server = engine(&tls, Role::Server, &ours);
        assert_eq!(server.feed(&hello[..end]), end);
        assert_eq!(server.process(), Ok(()));
        assert!(server.is_handshaking());
    }
    for at in 0..hello.len() {
        let mut changed = hello.clone();
        changed[at] ^= 0x55;
        let mut server = engine(&tls, Role::Server, &ours);
        server.feed(&changed);
        let _ = server.process();
        assert!(server.is_handshaking());
    }
}

#[cfg(not(feature = "openssl"))]
#[test]
fn a_pre_shared_key_in_a_build_without_it_is_refused_with_the_reason() {
    use agw_tls::{Credentials, PreSharedKey};
    assert!(!Tls::knows_psk());
    let credentials = Credentials::Psk(PreSharedKey::new("alice", b"secret").unwrap());
    let refused = tls(Version::Tls12).engine(Role::Client, &credentials).unwrap_err();
    assert_eq!(refused, TlsFailure::PskUnsupported);
}
