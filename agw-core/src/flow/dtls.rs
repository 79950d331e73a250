//! DTLS at one port: which association there is, and when another one begins (RFC 5764, RFC 8842 section 3; DTLS-1 to DTLS-4). A client begins when there
//! is a way to the peer, a server when the peer's ClientHello comes. A new association is begun by Iq alone: the number of its plan grows.
//! Until it is proven, media go on with the keys of the one before, and so they do if it fails. The session itself is agw-dtls's.

use crate::command::order::{DtlsMeans, DtlsPlan};
use crate::io::Now;
use crate::model::TlsFailure;
use agw_dtls::{Session, Step};
use agw_srtp::Policy;
use agw_tls::Role;
use std::fmt;
use std::net::SocketAddr;

/// The most datagrams of one association that wait for their turn: two flights of a handshake.
pub(crate) const MAX_WAITING_DATAGRAMS: u8 = 16;

/// The association of a flow, and the one before while there is no other.
pub(crate) struct Association {
    plan: DtlsPlan,
    means: Box<DtlsMeans>,
    /// The number of the last one that was begun.
    begun: Option<u32>,
    session: Option<Session>,
    /// It could not even begin, and nobody has been told.
    unbegun: Option<TlsFailure>,
    /// Where the datagrams of the peer came from last.
    from: Option<SocketAddr>,
    began: Now,
    /// How many of its datagrams wait at the worker.
    pub(crate) waiting: u8,
    /// Whether it is on the worker's list of those with something to do.
    pub(crate) listed: bool,
    /// When its timer runs out, as the worker knows it.
    pub(crate) wake_us: Option<u64>,
}

impl fmt::Debug for Association {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Association")
            .field("plan", &self.plan)
            .field("begun", &self.begun)
            .finish_non_exhaustive()
    }
}

impl Association {
    /// One that has not begun.
    pub(crate) fn new(plan: DtlsPlan, means: Box<DtlsMeans>) -> Self {
        Self {
            plan,
            means,
            begun: None,
            session: None,
            unbegun: None,
            from: None,
            began: Now::default(),
            waiting: 0,
            listed: false,
            wake_us: None,
        }
    }

    /// Goes on by another plan. Fingerprints that were missing may be what a running handshake waits for.
    pub(crate) fn follow(&mut self, plan: &DtlsPlan) {
        if self.plan == *plan {
            return;
        }
        self.plan = plan.clone();
        if !self.is_to_begin() {
            if self.plan.unknown {
                self.session = None;
                self.unbegun = Some(TlsFailure::FingerprintHash);
            } else if let Some(session) = &mut self.session {
                session.expect(&self.plan.fingerprints);
            }
        }
    }

    /// Whether there is to be another association than the one that there is.
    fn is_to_begin(&self) -> bool {
        self.begun != Some(self.plan.association)
    }

    /// Whether we have to begin, as the client.
    pub(crate) fn is_to_call(&self) -> bool {
        self.plan.client && self.is_to_begin()
    }

    /// Whether the handshake is ours to begin.
    pub(crate) const fn is_client(&self) -> bool {
        self.plan.client
    }

    /// Whether a datagram of the peer is of any use now: not when there is no association that it could be of, and a ClientHello only when one may
    /// begin (DTLS-5: a foreign ClientHello changes nothing, at any time).
    pub(crate) fn wants(&self, datagram: &[u8]) -> bool {
        if self.is_to_begin() {
            return !self.plan.client && (self.session.is_some() || is_client_hello(datagram));
        }
        self.session.as_ref().is_some_and(|session| session.is_handshaking() || !is_client_hello(datagram))
    }

    /// Begins as the client.
    pub(crate) fn call(&mut self, now: Now) {
        self.begin(Role::Client, now);
    }

    /// Takes a datagram from an address that is the peer's.
    pub(crate) fn handle_datagram(&mut self, datagram: &[u8], from: SocketAddr, now: Now) {
        if self.is_to_begin() && !self.plan.client && is_client_hello(datagram) {
            self.begin(Role::Server, now);
        }
        self.from = Some(from);
        if let Some(session) = &mut self.session {
            session.handle_datagram(datagram, now.0);
        }
    }

    /// Lets time pass.
    pub(crate) fn handle_timeout(&mut self, now: Now) {
        if let Some(session) = &mut self.session {
            session.handle_timeout(now.0);
        }
    }

    /// The next thing to do, until it is [`Step::Idle`].
    pub(crate) fn poll<'a>(&mut self, into: &'a mut [u8]) -> Step<'a> {
        if let Some(failure) = self.unbegun.take() {
            return Step::Failed(failure);
        }
        self.session.as_mut().map_or(Step::Idle { wake_us: None }, |session| session.poll(into))
    }

    /// Whether the next datagram may cost a public-key operation.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.is_to_begin() || self.session.as_ref().is_some_and(Session::is_handshaking)
    }

    /// Where its datagrams come from.
    pub(crate) const fn peer(&self) -> Option<SocketAddr> {
        self.from
    }

    /// When the handshake began.
    pub(crate) const fn began(&self) -> Now {
        self.began
    }

    /// How sessions of its keys behave.
    pub(crate) fn policy(&self) -> &Policy {
        &self.means.policy
    }

    fn begin(&mut self, role: Role, now: Now) {
        self.begun = Some(self.plan.association);
        self.began = now;
        self.session = None;
        if self.plan.unknown {
            self.unbegun = Some(TlsFailure::FingerprintHash);
            return;
        }
        match Session::new(&self.means.profile, role, &self.means.identity, now.0) {
            Ok(mut session) => {
                session.expect(&self.plan.fingerprints);
                self.session = Some(session);
            }
            Err(failure) => self.unbegun = Some(failure),
        }
    }
}

/// Whether a datagram begins with a ClientHello in the clear (RFC 6347 section 4.2.2).
fn is_client_hello(datagram: &[u8]) -> bool {
    matches!(datagram, [22, _, _, 0, 0, _, _, _, _, _, _, _, _, 1, ..])
}
