//! Who the peer is: the fingerprint decides, each way, early or late (DTLS-1, DTLS-3, TLS-2).

use agw_dtls::{Role, Settings, Version};
use agw_tls::{Fingerprint, HashFunction, Identity, TlsFailure};

use crate::wire::{End, Weather, Wire, settings};

fn only(version: Version) -> Settings {
    let (dtls12, dtls13) = (version == Version::Dtls12, version == Version::Dtls13);
    Settings { dtls12, dtls13, ..settings(9) }
}

/// The client is told `of_server`, the server `of_client`.
fn wire(version: Version, of_server: &[Fingerprint], of_client: &[Fingerprint], who: [&Identity; 2]) -> Wire {
    let settings = only(version);
    let ends = [
        End::new(&settings, Role::Client, who[0], of_server, 0),
        End::new(&settings, Role::Server, who[1], of_client, 0),
    ];
    Wire::new(ends, Weather::default(), 9)
}

#[test]
fn a_wrong_fingerprint_ends_the_handshake_with_one_failure_and_no_keys() {
    let [client, server, other] = std::array::from_fn(|_| Identity::generate().unwrap());
    let right = |identity: &Identity| vec![identity.fingerprint(HashFunction::Sha256)];
    for version in [Version::Dtls12, Version::Dtls13] {
        for judge in [0, 1] {
            let of_server = right(if judge == 0 { &other } else { &server });
            let of_client = right(if judge == 1 { &other } else { &client });
            let mut wire = wire(version, &of_server, &of_client, [&client, &server]);
            assert!(!wire.connect(), "{version:?}");
            assert_eq!(
                wire.ends[judge].failure,
                Some(TlsFailure::FingerprintMismatch),
                "{version:?} {judge}"
            );
            assert!(wire.ends[judge].keys.is_none());
            if version == Version::Dtls12 {
                assert_eq!(
                    wire.ends[1 - judge].failure,
                    Some(TlsFailure::Alert(42)),
                    "it is told bad_certificate"
                );
                assert!(wire.ends[1 - judge].keys.is_none());
            }
        }
    }
}

#[test]
fn the_strongest_allowed_hash_function_decides_and_its_values_are_alternatives() {
    let [client, server, other] = std::array::from_fn(|_| Identity::generate().unwrap());
    let of_server = [
        other.fingerprint(HashFunction::Sha256),
        other.fingerprint(HashFunction::Sha384),
        server.fingerprint(HashFunction::Sha384),
    ];
    let of_client = [client.fingerprint(HashFunction::Sha512), other.fingerprint(HashFunction::Sha256)];
    let mut good = wire(Version::Dtls12, &of_server, &of_client, [&client, &server]);
    assert!(good.connect());

    let weak_is_right = [server.fingerprint(HashFunction::Sha256), other.fingerprint(HashFunction::Sha512)];
    let mut bad = wire(Version::Dtls12, &weak_is_right, &of_client, [&client, &server]);
    assert!(!bad.connect());
    assert_eq!(bad.ends[0].failure, Some(TlsFailure::FingerprintMismatch));

    let only_sha1 = [server.fingerprint(HashFunction::Sha1)];
    let mut old = wire(Version::Dtls12, &only_sha1, &of_client, [&client, &server]);
    assert!(!old.connect());
    assert_eq!(old.ends[0].failure, Some(TlsFailure::FingerprintHash));
}

#[test]
fn a_late_fingerprint_holds_the_keys_back_then_passes_or_fails() {
    let [client, server, other] = std::array::from_fn(|_| Identity::generate().unwrap());
    let of_client = [client.fingerprint(HashFunction::Sha256)];
    for version in [Version::Dtls12, Version::Dtls13] {
        for (late, expected) in [(&server, None), (&other, Some(TlsFailure::FingerprintMismatch))] {
            let mut wire = wire(version, &[], &of_client, [&client, &server]);
            assert!(wire.run_until(60, |wire| wire.ends[1].keys.is_some()));
            assert!(wire.run_until(5, |wire| !wire.ends[0].session.is_handshaking()));
            assert!(wire.ends[0].keys.is_none(), "no keys before the peer is proven");
            wire.ends[0].session.expect(&[late.fingerprint(HashFunction::Sha256)]);
            wire.collect();
            assert_eq!(wire.ends[0].failure, expected);
            assert_eq!(wire.ends[0].keys.is_some(), expected.is_none());
            if expected.is_some() {
                assert!(wire.run_until(60, |wire| wire.ends[1].closed), "the peer is told");
            }
        }
    }
}

#[test]
fn a_fingerprint_that_never_comes_fails_in_time() {
    let [client, server] = std::array::from_fn(|_| Identity::generate().unwrap());
    let of_client = [client.fingerprint(HashFunction::Sha256)];
    let mut wire = wire(Version::Dtls13, &[], &of_client, [&client, &server]);
    assert!(wire.run_until(60, |wire| wire.ends[0].failure.is_some()));
    assert_eq!(wire.ends[0].failure, Some(TlsFailure::FingerprintMissing));
    assert!((10_000_000..11_000_000).contains(&wire.now_us), "{}", wire.now_us);
}
