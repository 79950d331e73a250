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

use crate::engine::{DtlsEngine, Output, Version};
use crate::engines::{Engines, HANDSHAKE_FAILURE, Library};
use crate::hello::hello_random;

/// The most clients at once that have not brought a cookie back.
const MAX_CANDIDATES: usize = 3;
/// How long one keeps its place against a newcomer, in microseconds: long enough for its answer over any path that can carry a call.
const KEPT_US: u64 = 2_000_000;

const RANDOM_BYTES: usize = 32;
const RECORD_BYTES: usize = 13;
/// Of a ClientHello and of a ServerHello.
const RANDOM_AT: usize = RECORD_BYTES + 12 + 2;
/// The random of a HelloRetryRequest (RFC 8446 section 4.1.3).
const RETRY_RANDOM: [u8; RANDOM_BYTES] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// A client that has said hello.
struct Candidate {
    random: [u8; RANDOM_BYTES],
    library: Library,
    engine: Box<dyn DtlsEngine>,
    since_us: u64,
}

/// The first library has refused the peer: what is told if no other handshake succeeds.
struct Refusal {
    failure: TlsFailure,
    until_us: u64,
    /// The peer has yet to hear of it.
    farewell: bool,
}

/// A server that is an engine for one of the clients that say hello.
pub(crate) struct Lobby {
    engines: Engines,
    identity: Identity,
    /// Once chosen, the only one is the peer. The one heard last stands last.
    candidates: Vec<Candidate>,
    chosen: bool,
    /// The one that stands last may have something to say.
    heard: bool,
    connected: bool,
    /// From then on the second library answers.
    refusal: Option<Refusal>,
    handshake_us: u64,
    now_us: u64,
}

impl Lobby {
    pub(crate) fn new(engines: &Engines, identity: &Identity, handshake_us: u64) -> Self {
        Self {
            engines: engines.clone(),
            identity: identity.clone(),
            candidates: Vec::new(),
            chosen: false,
            heard: false,
            connected: false,
            refusal: None,
            handshake_us,
            now_us: 0,
        }
    }

    /// Moves the client of this hello to the end; `false` if it is new and there is no place.
    fn welcome(&mut self, random: [u8; RANDOM_BYTES], datagram: &[u8]) -> bool {
        if let Some(at) = self.candidates.iter().position(|candidate| candidate.random == random) {
            let known = self.candidates.remove(at);
            self.candidates.push(known);
            return true;
        }
        if self.candidates.len() == MAX_CANDIDATES {
            let stale = |candidate: &Candidate| self.now_us.saturating_sub(candidate.since_us) >= KEPT_US;
            let Some(at) = self.candidates.iter().position(stale) else { return false };
            self.candidates.remove(at);
        }
        let refused = self.refusal.as_ref();
        let second = refused.and_then(|refusal| self.engines.after(self.engines.first(), refusal.failure));
        let library = second.unwrap_or_else(|| self.engines.for_hello(datagram));
        let Ok(engine) = self.engines.make(library, Role::Server, &self.identity, self.now_us) else {
            return false;
        };
        self.candidates.push(Candidate { random, library, engine, since_us: self.now_us });
        true
    }

    fn peer(&mut self) -> Option<&mut Candidate> {
        let chosen = self.chosen;
        self.candidates.last_mut().filter(|_| chosen)
    }

    /// The peer's handshake has failed: it may try again, if that may help.
    fn start_over(&mut self, failure: TlsFailure) -> Result<(), TlsFailure> {
        let library = self.peer().map(|peer| peer.library).ok_or(failure)?;
        if self.connected || self.engines.after(library, failure).is_none() {
            return Err(failure);
        }
        self.candidates.clear();
        (self.chosen, self.heard) = (false, false);
        let until_us = self.now_us.saturating_add(self.handshake_us);
        self.refusal = Some(Refusal { failure, until_us, farewell: true });
        Ok(())
    }

    /// What the peer has to say, or that it failed.
    fn poll_peer<'a>(&mut self, into: &'a mut [u8]) -> Result<Output<'a>, TlsFailure> {
        let peer = self.peer().ok_or(TlsFailure::Internal)?;
        let output = peer.engine.poll_output(into)?;
        self.connected |= matches!(output, Output::Connected);
        Ok(output)
    }

    /// What is said to clients that have not been chosen.
    fn poll_candidate<'a>(&mut self, into: &'a mut [u8]) -> Output<'a> {
        if std::mem::take(&mut self.heard)
            && let Some(candidate) = self.candidates.last_mut()
        {
            match candidate.engine.poll_output(into) {
                Ok(Output::Datagram(datagram)) => {
                    let len = datagram.len();
                    if !is_handshake(datagram) {
                        // An alert: it brought the cookie, and nothing to agree on.
                        self.candidates.pop();
                        return Output::Datagram(&into[..len]);
                    }
                    self.heard = true;
                    if !is_retry(datagram) {
                        self.candidates.drain(..self.candidates.len() - 1);
                        self.chosen = true;
                    }
                    return Output::Datagram(&into[..len]);
                }
                Ok(Output::Idle { .. }) => {}
                // Nothing else can come before the first answer that is more than a request for the cookie.
                Ok(_) | Err(_) => drop(self.candidates.pop()),
            }
        }
        Output::Idle { wake_us: self.refusal.as_ref().map(|refusal| refusal.until_us) }
    }
}

impl DtlsEngine for Lobby {
    fn handle_datagram(&mut self, datagram: &[u8], now_us: u64) -> Result<(), TlsFailure> {
        self.now_us = now_us;
        let hello = hello_random(datagram);
        if let Some(peer) = self.peer() {
            if hello.is_some_and(|random| random != peer.random) {
                return Ok(());
            }
            return peer.engine.handle_datagram(datagram, now_us).or_else(|failure| self.start_over(failure));
        }
        let is_hello_or_more_of_it = match hello {
            Some(random) => self.welcome(random, datagram),
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
        self.now_us = now_us;
        // A request for the cookie is not sent again by itself (RFC 6347 section 4.2.1): the peer would take a stranger's for its own.
        if let Some(peer) = self.peer() {
            return peer.engine.handle_timeout(now_us);
        }
        match &self.refusal {
            Some(refusal) if now_us >= refusal.until_us => Err(refusal.failure),
            _ => Ok(()),
        }
    }

    fn poll_output<'a>(&mut self, into: &'a mut [u8]) -> Result<Output<'a>, TlsFailure> {
        if self.chosen {
            let now_us = self.now_us;
            return match self.poll_peer(into) {
                // The farewell is said when time goes on, which it does at once.
                Err(failure) => self.start_over(failure).map(|()| Output::Idle { wake_us: Some(now_us) }),
                said => said,
            };
        }
        if let Some(refusal) = &mut self.refusal
            && std::mem::take(&mut refusal.farewell)
        {
            let to = into.get_mut(..HANDSHAKE_FAILURE.len()).ok_or(TlsFailure::Internal)?;
            to.copy_from_slice(&HANDSHAKE_FAILURE);
            return Ok(Output::Datagram(to));
        }
        Ok(self.poll_candidate(into))
    }

    fn send(&mut self, data: &[u8]) -> Result<usize, TlsFailure> {
        self.peer().map_or(Ok(0), |peer| peer.engine.send(data))
    }

    fn close(&mut self) {
        match self.peer() {
            Some(peer) => peer.engine.close(),
            None => self.candidates.clear(),
        }
    }

    fn version(&self) -> Option<Version> {
        self.candidates.last().filter(|_| self.chosen)?.engine.version()
    }
}

fn is_handshake(datagram: &[u8]) -> bool {
    matches!(datagram, [22, _, _, 0, 0, ..])
}

/// A HelloVerifyRequest of DTLS 1.2 or a HelloRetryRequest of 1.3: what is said to who has not brought the cookie back.
fn is_retry(datagram: &[u8]) -> bool {
    let random = || datagram.get(RANDOM_AT..RANDOM_AT + RANDOM_BYTES);
    match datagram.get(RECORD_BYTES) {
        Some(3) => is_handshake(datagram),
        Some(2) => is_handshake(datagram) && random() == Some(&RETRY_RANDOM),
        _ => false,
    }
}
