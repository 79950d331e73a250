//! What a session holds is a known number.

use agw_dtls::Version;

use crate::wire::{Weather, Wire, settings};

/// The most that a session may hold at any time of its handshake, in bytes.
const MAX_HANDSHAKING_BYTES: i64 = 64 * 1024;

#[test]
fn a_session_holds_a_bounded_known_amount() {
    for version in [Version::Dtls12, Version::Dtls13] {
        let mut client = settings(8);
        (client.dtls12, client.dtls13) = (version == Version::Dtls12, version == Version::Dtls13);
        let mut wire = None;
        let both = allocation_counter::measure(|| {
            let mut made = Wire::between(&client, &settings(8), Weather::default(), 8);
            assert!(made.connect());
            made.sent.clear();
            wire = Some(made);
        });
        let (peak, idle) = (both.bytes_max as i64 / 2, both.bytes_current / 2);
        println!("{version:?}: a session holds {idle} bytes, {peak} at most in its handshake");
        assert!(peak <= MAX_HANDSHAKING_BYTES, "{peak}");
    }
}
