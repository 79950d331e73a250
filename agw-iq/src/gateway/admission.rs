//! From a request that has arrived to its execution: at once, or when its turn comes.
//!
//! Whoever feeds the gateway message by message has each request executed as it comes. Whoever may have many at hand gathers them first
//! ([`MediaGateway::set_gathering`]) and has them executed one after the other, the urgent ones first
//! ([`MediaGateway::handle_next_request`]).

use super::messages::Manner;
use super::queue::{MAX_WAITING_REQUESTS, Waiting};
use super::*;
use crate::apply::{Caller, Load};
use crate::association::Authority;
use crate::ast::*;
use crate::config::Protection;
use crate::counters::TransactionResult;
use crate::errors::ErrorCode;
use crate::transport::is_loopback;

/// The places among those executed that only urgent requests may take.
const URGENT_EXECUTING: usize = MAX_EXECUTING / 16;

impl MediaGateway {
    /// The most requests that wait for [`MediaGateway::handle_next_request`]; new ones are then answered with error 511.
    pub const MAX_WAITING_REQUESTS: usize = MAX_WAITING_REQUESTS;

    /// Whether requests wait from now on until [`MediaGateway::handle_next_request`] is called; by default they are executed as they come.
    pub fn set_gathering(&mut self, on: bool) {
        self.gathering = on;
    }

    /// How many requests wait.
    pub fn waiting_requests(&self) -> usize {
        self.queue.len()
    }

    /// Executes the request whose turn it is: emergencies first, then by priority, every eighth time the oldest. `false`: none waits.
    pub fn handle_next_request(&mut self, now: Now, gateway: &mut dyn Gateway) -> bool {
        let Some(Waiting { manner, request, came, .. }) = self.queue.pop() else { return false };
        // An earlier request may have changed who commands.
        match refusal(self.association.authority(manner.peer.address.ip())) {
            None => self.begin(now, came, manner, request, gateway),
            Some(code) => {
                self.counters.out_of_turn += 1;
                self.refuse(now, manner, request.id, code);
            }
        }
        true
    }

    /// Tells how loaded the gateway is. Call it now and then: while it is overloaded the controller is told again.
    pub fn set_load(&mut self, now: Now, load: Load) {
        if let Some(notification) = self.executor.set_load(now, load) {
            self.notify(now, notification);
        }
    }

    /// Takes a request that is new, unless too many are under way.
    pub(super) fn admit(
        &mut self,
        now: Now,
        manner: Manner,
        request: TransactionRequest,
        gateway: &mut dyn Gateway,
    ) {
        let urgency = self.executor.urgency(&request.actions);
        let urgent = self.executor.is_urgent(urgency);
        let executing = self.running.len() + if urgent { 0 } else { URGENT_EXECUTING };
        if executing >= MAX_EXECUTING || (self.gathering && !self.queue.has_room(urgent)) {
            return self.refuse(now, manner, request.id, ErrorCode::BUSY);
        }
        if self.gathering {
            self.queue.push(urgency, Waiting::new(manner, request, now));
        } else {
            self.begin(now, now, manner, request, gateway);
        }
    }

    fn refuse(&mut self, now: Now, manner: Manner, id: TransactionId, code: ErrorCode) {
        let body = ReplyBody::Error(ErrorDescriptor::new(code));
        self.finish(now, (manner.peer, id), manner, now, 0, body, TransactionResult::Error);
    }

    fn begin(
        &mut self,
        now: Now,
        came: Now,
        manner: Manner,
        request: TransactionRequest,
        gateway: &mut dyn Gateway,
    ) {
        let caller = Caller { peer: manner.peer, keys_allowed: self.keys_allowed(manner.peer) };
        let running = Box::new(Running {
            execution: Execution::new(caller, request.actions),
            peer: manner.peer,
            id: request.id,
            version: manner.version,
            encoding: manner.encoding,
            began: came,
            deadline: now + self.config.timers.execution,
            next_pending: came.max(now) + self.executor.root.provisional_timer(),
            pendings: 0,
            finished: false,
            waits_for: None,
        });
        self.advance(now, running, gateway);
    }

    /// IQ-3: keys travel only where Iq is confidential, or does not leave the host.
    fn keys_allowed(&self, peer: Peer) -> bool {
        let protected = match self.config.protection {
            Protection::None => false,
            Protection::Ipsec => true,
            Protection::Tls => matches!(peer.link, Link::Tls(_)),
        };
        protected || self.config.allow_unprotected_keys || is_loopback(peer.address.ip())
    }
}

/// Why somebody is not obeyed who is known.
pub(super) fn refusal(authority: Authority) -> Option<ErrorCode> {
    match authority {
        Authority::TooEarly => Some(ErrorCode::BEFORE_SERVICE_CHANGE),
        Authority::NotInCommand => Some(ErrorCode::UNAUTHORIZED_ENTITY),
        Authority::Controls | Authority::Stranger => None,
    }
}
