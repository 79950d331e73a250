//! Two engines joined in memory. The stream between them is cut into pieces of seeded sizes, as a network would.

#![allow(dead_code, reason = "each test program uses a part")]

use agw_tls::{Credentials, Engine, Identity, Profile, Role, Tls, TlsFailure, Version};
use std::fs;
use zeroize::Zeroizing;

/// A seeded source of sizes (xorshift).
pub(crate) struct Seed(pub(crate) u64);

impl Seed {
    pub(crate) fn up_to(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        1 + (self.0 % most as u64) as usize
    }
}

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    fs::read(format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// An identity of the fixtures; its own key unless another's is named.
pub(crate) fn identity(certificate: &str, key: &str) -> Identity {
    let key = Zeroizing::new(fixture(&format!("{key}.key")));
    Identity::of(fixture(&format!("{certificate}.crt")), key).unwrap()
}

pub(crate) fn tls(version: Version) -> Tls {
    Tls::new(&Profile { versions: vec![version], ..Profile::default() }).unwrap()
}

pub(crate) fn engine(tls: &Tls, role: Role, identity: &Identity) -> Engine {
    tls.engine(role, &Credentials::Certificate(identity.clone())).unwrap()
}

/// A client and a server with certificates of their own.
pub(crate) fn pair(version: Version) -> (Engine, Engine) {
    let tls = tls(version);
    let made = |role| engine(&tls, role, &Identity::generate().unwrap());
    (made(Role::Client), made(Role::Server))
}

/// All that an engine wants to send.
pub(crate) fn drained(engine: &mut Engine) -> Vec<u8> {
    let (mut all, mut buffer) = (vec![], [0; 4096]);
    while engine.has_output() {
        let drained = engine.drain(&mut buffer);
        assert!(drained > 0, "an engine with output gives some");
        all.extend_from_slice(&buffer[..drained]);
    }
    all
}

/// Everything that an engine has for its reader.
pub(crate) fn read(engine: &mut Engine) -> Vec<u8> {
    let (mut all, mut buffer) = (vec![], [0; 1000]);
    loop {
        let read = engine.read(&mut buffer);
        if read == 0 {
            return all;
        }
        all.extend_from_slice(&buffer[..read]);
    }
}

/// Gives `bytes` to an engine in pieces; what it reads meanwhile, and how it ended.
pub(crate) fn give(
    engine: &mut Engine,
    mut bytes: &[u8],
    most: usize,
    seed: &mut Seed,
) -> (Vec<u8>, Result<(), TlsFailure>) {
    let mut plaintext = vec![];
    while !bytes.is_empty() || engine.wants_process() {
        let piece = seed.up_to(most).min(bytes.len());
        let taken = engine.feed(&bytes[..piece]);
        bytes = &bytes[taken..];
        let result = engine.process();
        plaintext.extend(read(engine));
        if result.is_err() {
            return (plaintext, result);
        }
    }
    (plaintext, Ok(()))
}

/// What became of both ends when neither had more to say: the client's and the server's.
pub(crate) type Outcome = (Result<(), TlsFailure>, Result<(), TlsFailure>);

/// Carries bytes to and fro until there are none, in pieces of at most `most`.
pub(crate) fn settle(client: &mut Engine, server: &mut Engine, most: usize, seed: u64) -> Outcome {
    let (mut seed, mut outcome) = (Seed(seed), (Ok(()), Ok(())));
    while client.has_output() || server.has_output() {
        let to_server = drained(client);
        outcome.1 = outcome.1.and(give(server, &to_server, most, &mut seed).1);
        let to_client = drained(server);
        outcome.0 = outcome.0.and(give(client, &to_client, most, &mut seed).1);
    }
    outcome
}
