//! Any ciphertext to a TLS session, in either role and at any step of a handshake with a real peer: nothing panics, what is kept and said is bounded, and what
//! comes out as plaintext is what the peer has written, in order and unchanged (TLS-2, TLS-8). The input says what of the peer's bytes arrives, in which
//! pieces, and what comes between.
#![no_main]

use agw_tls::engine::MAX_UNSENT_BYTES;
use agw_tls::{Credentials, Engine, Identity, Profile, Role, Tls, Version};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

/// A session keeps no more than this of what it was fed: a message of the handshake, or a record and what has been decrypted.
const MAX_KEPT_BYTES: usize = 160 * 1024;
/// What a session may say to what it is fed: its flight, an alert, answers to new keys.
const MAX_SAID_BYTES: usize = 1 << 20;

fuzz_target!(|input: &[u8]| {
    let [which, script @ ..] = input else { return };
    let (profiles, identities) = ground();
    let tls = &profiles[usize::from(which & 1)];
    let mut ends = [Role::Client, Role::Server].map(|role| End::new(tls, role, identities));
    ends[0].drain();
    let mut rest = script;
    while let [what, size, tail @ ..] = rest {
        rest = tail;
        let to = usize::from(what & 1);
        let length = (1 + usize::from(*size)) * if what & 2 == 0 { 1 } else { 64 };
        let mut piece = ends[1 - to].give(length);
        // Who hears what was not said fails, and tells the other, who fails as well.
        let damaged = match what >> 4 {
            0..=7 => false,
            8..=10 => {
                let at = usize::from(*size) * 7 % piece.len().max(1);
                let flipped =
                    piece.get_mut(at).map(|octet| *octet ^= rest.first().copied().unwrap_or(1).max(1));
                flipped.is_some()
            }
            11 | 12 => {
                let own = rest.len().min(usize::from(*size));
                piece.extend_from_slice(&rest[..own]);
                rest = &rest[own..];
                own > 0
            }
            13 => {
                ends[to].write(length);
                false
            }
            14 => {
                // In the middle of a handshake that is no end in order.
                let is_early = ends.iter().any(|end| end.engine.is_handshaking());
                ends[to].engine.close();
                is_early
            }
            _ => !std::mem::take(&mut piece).is_empty(),
        };
        ends.iter_mut().for_each(|end| end.damaged |= damaged);
        ends[to].take(&piece);
        ends[to].drain();
        let (heard, said) = (&ends[to].heard, &ends[1 - to].written);
        assert!(said.starts_with(heard), "what came out is not what was written");
    }
});

fn ground() -> &'static ([Tls; 2], [Identity; 2]) {
    static GROUND: OnceLock<([Tls; 2], [Identity; 2])> = OnceLock::new();
    GROUND.get_or_init(|| {
        let of = |version| Tls::new(&Profile { versions: vec![version], ..Profile::default() });
        let profiles = [Version::Tls12, Version::Tls13].map(|version| of(version).expect("a sound profile"));
        (profiles, std::array::from_fn(|_| Identity::generate().expect("a certificate")))
    })
}

struct End {
    engine: Engine,
    /// Ciphertext that is on its way.
    wire: Vec<u8>,
    said_bytes: usize,
    written: Vec<u8>,
    heard: Vec<u8>,
    /// Something came to either that the other did not send, or not like this.
    damaged: bool,
    failed: bool,
}

impl End {
    fn new(tls: &Tls, role: Role, identities: &[Identity; 2]) -> Self {
        let ours = identities[usize::from(role == Role::Server)].clone();
        let engine = tls.engine(role, &Credentials::Certificate(ours)).expect("a usable key");
        let (wire, written, heard) = (Vec::new(), Vec::new(), Vec::new());
        Self { engine, wire, said_bytes: 0, written, heard, damaged: false, failed: false }
    }

    /// The next of what it has said.
    fn give(&mut self, length: usize) -> Vec<u8> {
        self.wire.drain(..length.min(self.wire.len())).collect()
    }

    fn write(&mut self, length: usize) {
        let bytes: Vec<u8> = (self.written.len()..self.written.len() + length).map(|at| at as u8).collect();
        let taken = self.engine.write(&bytes);
        assert!(taken <= length && taken <= MAX_UNSENT_BYTES);
        assert!(taken == 0 || !self.engine.is_handshaking(), "nothing is written before the peer is known");
        self.written.extend(&bytes[..taken]);
    }

    fn take(&mut self, mut piece: &[u8]) {
        let mut kept = 0;
        while !piece.is_empty() {
            let fed = self.engine.feed(piece);
            kept += fed;
            piece = &piece[fed..];
            let worked = self.engine.wants_process();
            self.work();
            if fed == 0 && !worked {
                // It has no room for more, and will have none: that must be as much as it may keep.
                assert!(self.failed || kept <= MAX_KEPT_BYTES);
                assert!(self.damaged, "an honest peer is always heard");
                return;
            }
        }
        self.work();
    }

    fn work(&mut self) {
        let mut buffer = [0; 4096];
        loop {
            let was_handshaking = self.engine.is_handshaking();
            if self.engine.wants_process() && self.engine.process().is_err() {
                assert!(self.damaged || self.failed, "an honest peer fails");
                self.failed = true;
            }
            assert!(
                !was_handshaking || self.engine.is_handshaking() || self.engine.peer_certificate().is_some()
            );
            let read = self.engine.read(&mut buffer);
            self.heard.extend(&buffer[..read]);
            if read == 0 {
                return;
            }
        }
    }

    fn drain(&mut self) {
        let mut buffer = [0; 4096];
        while self.engine.has_output() {
            let drained = self.engine.drain(&mut buffer);
            self.wire.extend(&buffer[..drained]);
            self.said_bytes += drained;
        }
        assert!(self.said_bytes <= MAX_SAID_BYTES + 2 * self.written.len(), "it says too much");
    }
}
