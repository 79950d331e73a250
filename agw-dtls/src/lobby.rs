//! A server before a client has shown that it receives at its address. Who can write the peer's address into a datagram may be first with a
//! ClientHello; so clients are told apart by the random of their hello, each with an engine of its own, and the one that brings our cookie
//! back (RFC 6347 section 4.2.1, RFC 9147 section 5.1) becomes the peer. Until then nothing that comes can make the session fail, and after
//! it no other client is heard: a foreign ClientHello changes nothing (DTLS-5).
//!
//! ```text
//! | 22 | version (2) | epoch 0 (2) | sequence number (6) | length (2) |                                     record, 13 octets
//! | 1 | length (3) | message_seq (2) | fragment_offset 0 (3) | fragment_length (3) | version (2) | random (32) | ...
//! ```

use agw_tls::{Identity, Role, TlsFailure};

use crate::dimpl::{Config, DimplEngine};
use crate::engine::{DtlsEngine, Output, Version};

/// The most clients at once that have not brought a cookie back.
const MAX_CANDIDATES: usize = 3;
/// How long one keeps its place against a newcomer, in microseconds: long enough for its answer over any path that can carry a call.
const KEPT_US: u64 = 2_000_000;

const RANDOM_BYTES: usize = 32;
const RECORD_BYTES: usize = 13;
const HELLO_RANDOM_AT: usize = RECORD_BYTES + 12 + 2;
/// The random of a HelloRetryRequest (RFC 8446 section 4.1.3).
const RETRY_RANDOM: [u8; RANDOM_BYTES] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// A client that has said hello.
struct Candidate {
    random: [u8; RANDOM_BYTES],
    engine: DimplEngine,
    since_us: u64,
}

/// A server that is an engine for one of the clients that say hello.
pub(crate) struct Lobby {
    config: Config,
    identity: Identity,
    /// Once chosen, the only one is the peer. The one heard last stands last.
    candidates: Vec<Candidate>,
    chosen: bool,
    /// The one that stands last may have something to say.
    heard: bool,
}

impl Lobby {
    pub(crate) fn new(config: &Config, identity: &Identity) -> Self {
        Self {
            config: config.clone(),
            identity: identity.clone(),
            candidates: Vec::new(),
            chosen: false,
            heard: false,
        }
    }

    /// Moves the client of this hello to the end; `false` if it is new and there is no place.
    fn welcome(&mut self, random: [u8; RANDOM_BYTES], now_us: u64) -> bool {
        if let Some(at) = self.candidates.iter().position(|candidate| candidate.random == random) {
            let known = self.candidates.remove(at);
            self.candidates.push(known);
            return true;
        }
        if self.candidates.len() == MAX_CANDIDATES {
            let stale = |candidate: &Candidate| now_us.saturating_sub(candidate.since_us) >= KEPT_US;
            let Some(at) = self.candidates.iter().position(stale) else { return false };
            self.candidates.remove(at);
        }
        let Ok(engine) = DimplEngine::new(&self.config, Role::Server, &self.identity, now_us) else {
            return false;
        };
        self.candidates.push(Candidate { random, engine, since_us: now_us });
        true
    }

    fn peer(&mut self) -> Option<&mut DimplEngine> {
        let chosen = self.chosen;
        self.candidates.last_mut().filter(|_| chosen).map(|candidate| &mut candidate.engine)
    }
}

impl DtlsEngine for Lobby {
    fn handle_datagram(&mut self, datagram: &[u8], now_us: u64) -> Result<(), TlsFailure> {
        let hello = hello_random(datagram);
        if self.chosen {
            let peer = self.candidates.last_mut();
            return match peer.filter(|peer| hello.is_none_or(|random| random == peer.random)) {
                Some(peer) => peer.engine.handle_datagram(datagram, now_us),
                None => Ok(()),
            };
        }
        let is_hello_or_more_of_it = match hello {
            Some(random) => self.welcome(random, now_us),
            None => is_handshake(datagram),
        };
        if is_hello_or_more_of_it && let Some(candidate) = self.candidates.last_mut() {
            self.heard = candidate.engine.handle_datagram(datagram, now_us).is_ok();
            if !self.heard {
                self.candidates.pop();
            }
        }
        Ok(())
    }

    fn handle_timeout(&mut self, now_us: u64) -> Result<(), TlsFailure> {
        // A request for the cookie is not sent again by itself (RFC 6347 section 4.2.1): the peer would take a stranger's for its own.
        self.peer().map_or(Ok(()), |peer| peer.handle_timeout(now_us))
    }

    fn poll_output<'a>(&mut self, into: &'a mut [u8]) -> Result<Output<'a>, TlsFailure> {
        if let Some(peer) = self.peer() {
            return peer.poll_output(into);
        }
        if std::mem::take(&mut self.heard)
            && let Some(candidate) = self.candidates.last_mut()
        {
            match candidate.engine.poll_output(into) {
                Ok(Output::Datagram(datagram)) => {
                    let len = datagram.len();
                    self.heard = true;
                    if !is_retry(datagram) {
                        self.candidates.drain(..self.candidates.len() - 1);
                        self.chosen = true;
                    }
                    return Ok(Output::Datagram(&into[..len]));
                }
                Ok(Output::Idle { .. }) => {}
                // Nothing else can come before the first answer that is more than a request for the cookie.
                Ok(_) | Err(_) => drop(self.candidates.pop()),
            }
        }
        Ok(Output::Idle { wake_us: None })
    }

    fn send(&mut self, data: &[u8]) -> Result<usize, TlsFailure> {
        self.peer().map_or(Ok(0), |peer| peer.send(data))
    }

    fn close(&mut self) {
        match self.peer() {
            Some(peer) => peer.close(),
            None => self.candidates.clear(),
        }
    }

    fn version(&self) -> Option<Version> {
        self.candidates.last().filter(|_| self.chosen)?.engine.version()
    }
}

/// The random of a ClientHello, if the datagram begins with the first fragment of one in the clear.
pub(crate) fn hello_random(datagram: &[u8]) -> Option<[u8; RANDOM_BYTES]> {
    let begins = matches!(datagram, [22, _, _, 0, 0, _, _, _, _, _, _, _, _, 1, _, _, _, _, _, 0, 0, 0, ..]);
    begins.then_some(())?;
    datagram.get(HELLO_RANDOM_AT..HELLO_RANDOM_AT + RANDOM_BYTES)?.try_into().ok()
}

fn is_handshake(datagram: &[u8]) -> bool {
    matches!(datagram, [22, _, _, 0, 0, ..])
}

/// A HelloVerifyRequest of DTLS 1.2 or a HelloRetryRequest of 1.3: what is said to who has not brought the cookie back.
fn is_retry(datagram: &[u8]) -> bool {
    let random = || datagram.get(HELLO_RANDOM_AT..HELLO_RANDOM_AT + RANDOM_BYTES);
    match datagram.get(RECORD_BYTES) {
        Some(3) => is_handshake(datagram),
        Some(2) => is_handshake(datagram) && random() == Some(&RETRY_RANDOM),
        _ => false,
    }
}
