//! Any datagrams to a DTLS session, in either role, by either engine and at any step of a handshake with a real peer: nothing panics, what it says
//! is bounded, and it gives out keys only if the peer has the same (DTLS-1, DTLS-5). The input says which engines meet and what of the
//! peer's arrives, damaged or not.
#![no_main]

use agw_dtls::{Engine, MAX_OUTPUT_BYTES, Profile, Role, Session, Settings, SrtpKeys, Step};
use agw_tls::{HashFunction, Identity};
use libfuzzer_sys::fuzz_target;
use std::sync::OnceLock;

/// No handshake has so many datagrams, each one answered at most by a flight.
const MAX_SAID: usize = 4096;

fuzz_target!(|input: &[u8]| {
    let [engines, input @ ..] = input else { return };
    let (profiles, identities) = ground();
    let by = |shift: u8| &profiles[usize::from(engines >> shift) % profiles.len()];
    let of = |at: usize| identities[at].fingerprint(HashFunction::Sha256);
    let mut ends =
        [(Role::Client, by(0)), (Role::Server, by(4))].map(|(role, by)| End::new(by, role, identities));
    ends[0].session.expect(&[of(1)]);
    ends[1].session.expect(&[of(0)]);
    let mut now_us = 0;
    let mut rest = input;
    while let [to, what, tail @ ..] = rest {
        rest = tail;
        let to = usize::from(to & 1);
        now_us += 10_000;
        let mut datagram = ends[1 - to].said.pop().unwrap_or_default();
        match what {
            0..=159 => {}
            160..=223 => {
                let at = usize::from(*what) * 7 % datagram.len().max(1);
                if let Some(octet) = datagram.get_mut(at) {
                    *octet ^= rest.first().copied().unwrap_or(1);
                }
            }
            224..=239 => {
                let len = rest.len().min(usize::from(*what) * 4);
                datagram = rest[..len].to_vec();
                rest = &rest[len..];
            }
            _ => {
                now_us += 1_000_000;
                ends[to].session.handle_timeout(now_us);
            }
        }
        ends[to].session.handle_datagram(&datagram, now_us);
        ends[to].drain();
    }
    if let [Some(client), Some(server)] = [&ends[0].keys, &ends[1].keys] {
        assert!(client.ours() == server.theirs() && client.theirs() == server.ours());
    }
});

fn ground() -> &'static ([Profile; 3], [Identity; 2]) {
    static GROUND: OnceLock<([Profile; 3], [Identity; 2])> = OnceLock::new();
    GROUND.get_or_init(|| {
        let profiles = [Engine::Dimpl, Engine::Openssl, Engine::Auto].map(|engine| {
            Profile::new(Settings { engine, seed: Some(1), ..Settings::default() }).expect("sound settings")
        });
        (profiles, std::array::from_fn(|_| Identity::generate().expect("a certificate")))
    })
}

struct End {
    session: Session,
    said: Vec<Vec<u8>>,
    total: usize,
    keys: Option<SrtpKeys>,
}

impl End {
    fn new(profile: &Profile, role: Role, identities: &[Identity; 2]) -> Self {
        let ours = &identities[usize::from(role == Role::Server)];
        let session = Session::new(profile, role, ours, 0).expect("a usable key");
        let mut end = Self { session, said: Vec::new(), total: 0, keys: None };
        end.drain();
        end
    }

    /// What it says is delivered in order: the last of `said` is the next.
    fn drain(&mut self) {
        let mut buffer = [0; MAX_OUTPUT_BYTES];
        loop {
            match self.session.poll(&mut buffer) {
                Step::Datagram(datagram) => {
                    self.said.insert(0, datagram.to_vec());
                    self.total += 1;
                    assert!(self.total < MAX_SAID, "it says too much");
                }
                Step::Established(keys) => assert!(self.keys.replace(keys).is_none()),
                Step::Data(_) | Step::Failed(_) | Step::Closed => {}
                Step::Idle { .. } => return,
            }
        }
    }
}
