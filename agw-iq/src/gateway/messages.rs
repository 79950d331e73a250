//! What peers say: who may say it, reading it, and executing each request once.

use super::*;
use crate::association::{Authority, MAX_VERSION, VERSION};
use crate::ast::*;
use crate::config::Protection;
use crate::counters::TransactionResult;
use crate::errors::{ErrorCode, MessageError, TransactionError, TransactionKind};
use crate::text::Style;
use crate::transaction::inbound::Arrival;
use crate::transport::is_loopback;

/// How a message is answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) peer: Peer,
    pub(super) version: u8,
    pub(super) encoding: Encoding,
}

impl MediaGateway {
    /// A message has come, whole.
    pub(super) fn handle_message(
        &mut self,
        now: Now,
        peer: Peer,
        form: Form,
        bytes: &[u8],
        gateway: &mut dyn Gateway,
    ) {
        if !self.admits(peer) {
            return;
        }
        if !self.rates.take(now, peer.address.ip()) {
            self.counters.over_rate += 1;
            // What is left out of a datagram is repeated; on a connection it would be missed for ever.
            if let Some(connection) = peer.link.connection() {
                self.close(connection);
                self.connection_gone(now, connection);
            }
            return;
        }
        let authority = self.association.authority(peer.address.ip());
        self.trace.record(now, TraceDirection::In, peer, form, bytes);
        if authority == Authority::Controls {
            self.executor.heard(now);
        }
        let mut encoding = self.answer_in(peer, form, bytes);
        let parsed = match form.parse(bytes, &self.naming) {
            Ok(parsed) => parsed,
            Err(error) => return self.refuse_message(now, peer, encoding, &error),
        };
        if let Encoding::Ber { id_octets } = &mut encoding {
            self.id_octets = parsed.id_octets.or(self.id_octets);
            *id_octets = self.id_octets;
        }
        let manner = Manner { peer, version: parsed.message.version.min(MAX_VERSION), encoding };
        for error in &parsed.errors {
            self.refuse_transaction(now, manner, error);
        }
        let Body::Transactions(transactions) = parsed.message.body else {
            // The peer could not read us. An error is never answered with an error.
            self.counters.malformed += 1;
            return;
        };
        for transaction in transactions {
            match transaction {
                Transaction::Request(request) => {
                    self.handle_request(now, manner, request, authority, gateway);
                }
                Transaction::Reply(reply) => self.handle_reply(now, manner, &reply),
                Transaction::Pending(id) => self.handle_pending(now, peer, id),
                Transaction::Ack(ranges) => {
                    ranges.into_iter().for_each(|range| self.inbound.acknowledge(peer, range));
                }
                Transaction::SegmentReply { .. } => {}
            }
        }
    }

    /// Whether a peer is listened to at all: one that may command, or could, over a link that is as protected as it must be. Whoever is
    /// not is counted, and told nothing.
    pub(super) fn admits(&mut self, peer: Peer) -> bool {
        let ip = peer.address.ip();
        if self.association.authority(ip) == Authority::Stranger {
            self.counters.strangers += 1;
            return false;
        }
        let wants_tls = self.config.protection == Protection::Tls && !is_loopback(ip);
        if wants_tls && !matches!(peer.link, Link::Tls(_)) {
            self.counters.unprotected += 1;
            return false;
        }
        true
    }

    /// In the form that the message came in; text as the configuration says, else as the peer writes itself.
    fn answer_in(&self, peer: Peer, form: Form, bytes: &[u8]) -> Encoding {
        if form == Form::Binary {
            return Encoding::Ber { id_octets: self.id_octets };
        }
        let mirrored = || {
            let first = bytes.iter().find(|b| !b.is_ascii_whitespace());
            if first == Some(&b'!') { Style::Compact } else { Style::Pretty }
        };
        let configured = self.association.style_for(peer.address.ip()).or(self.config.style);
        Encoding::Text(configured.unwrap_or_else(mirrored))
    }

    fn refuse_message(&mut self, now: Now, peer: Peer, encoding: Encoding, error: &MessageError) {
        self.counters.malformed += 1;
        let version = error.version.unwrap_or(VERSION).clamp(1, VERSION);
        let body = Body::Error(ErrorDescriptor::from(&error.error));
        let _ = self.say(now, Manner { peer, version, encoding }, body);
    }

    /// H.248.1 section 8.2.2: a request that cannot be read is answered under its number, or under 0 where it has none.
    fn refuse_transaction(&mut self, now: Now, manner: Manner, error: &TransactionError) {
        self.counters.malformed += 1;
        if error.kind == TransactionKind::Request {
            let descriptor = ErrorDescriptor::from(&error.error);
            let body = match error.context {
                Some(context) => ReplyBody::Actions(vec![ActionReply {
                    context,
                    properties: ContextProperties::default(),
                    commands: Vec::new(),
                    error: Some(descriptor),
                }]),
                None => ReplyBody::Error(descriptor),
            };
            self.counters.transaction(TransactionResult::Error);
            let _ = self.say_reply(now, manner, error.transaction.unwrap_or(0), false, body);
        }
    }

    fn handle_request(
        &mut self,
        now: Now,
        manner: Manner,
        request: TransactionRequest,
        authority: Authority,
        gateway: &mut dyn Gateway,
    ) {
        let refused = admission::refusal(authority);
        if let Some(code) = refused {
            self.counters.out_of_turn += 1;
            let body = ReplyBody::Error(ErrorDescriptor::new(code));
            let _ = self.say_reply(now, manner, request.id, false, body);
            return;
        }
        let key = (manner.peer, request.id);
        match self.inbound.arrive(key) {
            Arrival::New => self.admit(now, manner, request, gateway),
            Arrival::Full => {
                let busy = ReplyBody::Error(ErrorDescriptor::new(ErrorCode::BUSY));
                let _ = self.say_reply(now, manner, request.id, false, busy);
            }
            Arrival::Executing => {
                self.counters.transaction(TransactionResult::Duplicate);
                self.say_pending(now, key);
            }
            Arrival::Answered(bytes) => {
                self.counters.transaction(TransactionResult::Duplicate);
                self.transmit(now, manner.peer, manner.encoding.form(), &bytes);
            }
            Arrival::Forgotten => self.counters.transaction(TransactionResult::Duplicate),
        }
    }

    /// Sends transactions or an error; the bytes, for those that may be asked for again. Else why they could not be sent.
    pub(super) fn say(&mut self, now: Now, manner: Manner, body: Body) -> Result<MessageBytes, ErrorCode> {
        let message = Message { auth: None, version: manner.version, mid: self.config.mid.clone(), body };
        let printed = manner.encoding.print(&message, &self.naming);
        let bytes = printed.map_err(|_| {
            self.counters.unwritable += 1;
            ErrorCode::INTERNAL_FAILURE
        })?;
        let sent = self.transmit(now, manner.peer, manner.encoding.form(), &bytes);
        sent.map(|_| bytes).ok_or(ErrorCode::RESPONSE_TOO_LARGE)
    }

    pub(super) fn say_reply(
        &mut self,
        now: Now,
        manner: Manner,
        id: TransactionId,
        immediate_ack: bool,
        body: ReplyBody,
    ) -> Result<MessageBytes, ErrorCode> {
        let reply = TransactionReply { id, immediate_ack, segment: None, body };
        self.say(now, manner, Body::Transactions(vec![Transaction::Reply(reply)]))
    }
}
