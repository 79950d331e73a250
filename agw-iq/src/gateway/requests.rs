//! What the gateway says of its own accord: registration and Notify; other ServiceChanges are in `service`.
//!
//! Both are repeated until answered. When nobody answers, the association is lost: the controller is looked for anew, and what was to
//! be notified waits for whoever commands then (H.248.1 section 11.5).

use super::messages::Manner;
use super::service::root_service_change;
use super::*;
use crate::apply::Notification;
use crate::association::{VERSION, Want};
use crate::ast::*;
use crate::errors::ErrorCode;
use crate::package::inactivity;
use crate::text::Style;
use crate::transaction::outbound::Expired;
use agw_core::model::RealmName;
use std::time::Duration;

/// What a request of ours was for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// To be commanded.
    Registration,
    /// To say that we leave, for good or not.
    Farewell { for_good: bool },
    /// To say that a realm is out of service, or back.
    Realm(RealmName),
    /// To tell an event.
    Notify(Box<Notification>),
}

impl MediaGateway {
    /// Does what the association wants, as long as it wants something.
    pub(super) fn pursue(&mut self, now: Now) {
        while let Some(want) = self.association.poll(now, &mut self.random) {
            self.carry_out(now, want);
        }
    }

    pub(super) fn carry_out(&mut self, now: Now, want: Want) {
        match want {
            Want::Connect(over, to, host) => {
                self.connection_requests.push_back(ConnectionRequest::Open { over, to, host });
            }
            Want::Register { to, method, reason } => {
                let mut request = ServiceChangeRequest::new(method, reason);
                request.version = Some(VERSION);
                request.profile = self.config.profile.clone();
                request.timestamp = self.timestamp(now);
                let (version, encoding) = self.association.controller().map_or_else(
                    || (VERSION, self.own_encoding(to)),
                    |(_, version, encoding)| (version, encoding),
                );
                let manner = Manner { peer: to, version, encoding };
                self.ask(now, manner, root_service_change(request), Purpose::Registration);
            }
        }
    }

    pub(super) fn ask(&mut self, now: Now, manner: Manner, actions: Vec<ActionRequest>, purpose: Purpose) {
        let id = self.outbound.take_id();
        let body = Body::Transactions(vec![Transaction::Request(TransactionRequest { id, actions })]);
        let manner = Manner { encoding: self.as_shown(manner.encoding), ..manner };
        match (self.say(now, manner, body), purpose) {
            (Ok(bytes), purpose) => {
                self.outbound.sent(now, id, manner.peer, bytes, purpose, &mut self.random);
            }
            (Err(code), Purpose::Notify(notification)) => {
                self.counters.notifies_dropped += 1;
                self.after_notify(now, &notification, Some(code));
            }
            (Err(_), purpose) => self.unanswered(now, purpose),
        }
    }

    /// Binary identifiers as long as those that the peer has shown.
    fn as_shown(&self, encoding: Encoding) -> Encoding {
        match encoding {
            Encoding::Ber { id_octets } => Encoding::Ber { id_octets: id_octets.or(self.id_octets) },
            Encoding::Text(_) => encoding,
        }
    }

    /// Tells an event, or keeps it until somebody commands.
    pub(super) fn notify(&mut self, now: Now, notification: Notification) {
        let manner = match self.association.controller().filter(|_| self.association.is_registered()) {
            Some((peer, version, encoding)) => Some(Manner { peer, version, encoding }),
            None if self.association.in_laboratory() => notification.listener.map(|peer| Manner {
                peer,
                version: VERSION,
                encoding: self.own_encoding(peer),
            }),
            None => None,
        };
        match manner {
            Some(manner) => {
                let action = self.notify_action(&notification);
                self.counters.notifies += 1;
                self.ask(now, manner, vec![action], Purpose::Notify(Box::new(notification)));
            }
            None if self.association.in_laboratory() => {
                self.counters.notifies_dropped += 1;
                self.after_notify(now, &notification, None);
            }
            None => self.keep(notification),
        }
    }

    /// How a peer that no configuration names is written to.
    fn own_encoding(&self, peer: Peer) -> Encoding {
        match self.form_of(peer.link) {
            Form::Text => Encoding::Text(self.config.style.unwrap_or(Style::Pretty)),
            Form::Binary => Encoding::BER,
        }
    }

    /// Tells what has happened, as far as somebody wants to hear of it.
    pub(super) fn tell(&mut self, now: Now) {
        while let Some(notification) = self.executor.take_notification() {
            self.notify(now, notification);
        }
        self.counters.events_lost += self.executor.take_events_lost();
    }

    /// Keeps an event for whoever commands next. That the lost one was silent is nobody else's business.
    fn keep(&mut self, notification: Notification) {
        if inactivity::is_timeout(&notification.event.name) {
            self.executor
                .notified(Now::ZERO, notification.id, None)
                .into_iter()
                .for_each(|next| self.keep(next));
            return;
        }
        if self.unsent.len() >= MAX_UNSENT_NOTIFIES {
            self.unsent.pop_front();
            self.counters.notifies_dropped += 1;
        }
        self.unsent.push_back(notification);
    }

    fn notify_action(&self, notification: &Notification) -> ActionRequest {
        let observed = ObservedEventsDescriptor {
            request: notification.request,
            events: vec![ObservedEvent {
                time: self.timestamp(notification.at),
                event: notification.event.clone(),
            }],
        };
        let command = Command::Notify(Box::new(NotifyRequest { observed, error: None }));
        ActionRequest {
            context: notification.context,
            properties: ContextProperties::default(),
            audit: None,
            commands: vec![CommandRequest::new(notification.name.clone(), command)],
        }
    }

    /// A Notify is over; the next event of the termination may be told.
    fn after_notify(&mut self, now: Now, notification: &Notification, error: Option<ErrorCode>) {
        if let Some(next) = self.executor.notified(now, notification.id, error) {
            self.notify(now, next);
        }
    }

    pub(super) fn handle_reply(&mut self, now: Now, manner: Manner, reply: &TransactionReply) {
        let answered = self.outbound.answered(now, reply.id, manner.peer.address.ip());
        let acknowledge =
            reply.immediate_ack || answered.as_ref().is_some_and(|answered| answered.was_pending);
        if acknowledge && !manner.peer.link.is_reliable() {
            let ack = AckRange { first: reply.id, last: reply.id };
            let _ = self.say(now, manner, Body::Transactions(vec![Transaction::Ack(vec![ack])]));
        }
        let Some(answered) = answered else { return };
        match answered.tag {
            Purpose::Registration => self.registration_answered(now, &reply.body),
            Purpose::Farewell { for_good } => {
                if for_good {
                    self.association.end();
                }
            }
            Purpose::Realm(realm) => self.realm_answered(now, &realm),
            Purpose::Notify(notification) => self.after_notify(now, &notification, first_error(&reply.body)),
        }
    }

    fn registration_answered(&mut self, now: Now, body: &ReplyBody) {
        let result = service_change_result(body);
        if self.association.answered(now, &result, &mut self.random) {
            if !self.association.was_reconnected() {
                self.executor.open_again();
            }
            self.announce_realms(now);
            for notification in std::mem::take(&mut self.unsent) {
                if self.executor.is_current(&notification) {
                    self.notify(now, notification);
                } else {
                    self.counters.notifies_dropped += 1;
                    self.after_notify(now, &notification, None);
                }
            }
        } else {
            self.close_unused_connections();
        }
        self.pursue(now);
    }

    /// A connection to a controller that did not take us serves nothing.
    fn close_unused_connections(&mut self) {
        let unused: Vec<_> = self
            .connections
            .iter()
            .filter(|(_, connection)| self.association.is_address_of_controller(connection.peer.address))
            .map(|(id, _)| *id)
            .collect();
        unused.into_iter().for_each(|connection| self.close(connection));
    }

    pub(super) fn handle_pending(&mut self, now: Now, peer: Peer, id: TransactionId) {
        let pendings = self.outbound.pending(now, id, peer.address.ip());
        if pendings > self.executor.root.mgc_pending_limit
            && let Some(purpose) = self.outbound.abandon(id)
        {
            self.unanswered(now, purpose);
        }
    }

    /// Sends requests again whose time has come, and gives up on those that were sent too often.
    pub(super) fn repeat_requests(&mut self, now: Now) {
        while let Some(expired) = self.outbound.expire(now, &mut self.random) {
            match expired {
                Expired::Repeat(to, bytes) => {
                    self.counters.repeated += 1;
                    self.transmit(now, to, self.form_of(to.link), &bytes);
                }
                Expired::GivenUp(_, _, purpose) => self.unanswered(now, purpose),
            }
        }
    }

    fn unanswered(&mut self, now: Now, purpose: Purpose) {
        self.counters.unanswered += 1;
        match purpose {
            Purpose::Registration => {
                self.close_unused_connections();
                self.association.unanswered(now, &mut self.random);
                self.pursue(now);
            }
            Purpose::Farewell { for_good: true } => self.association.end(),
            Purpose::Farewell { for_good: false } | Purpose::Realm(_) => self.lose(now),
            Purpose::Notify(notification) if self.association.in_laboratory() => {
                self.counters.notifies_dropped += 1;
                self.after_notify(now, &notification, None);
            }
            Purpose::Notify(notification) => {
                self.keep(*notification);
                self.lose(now);
            }
        }
    }

    /// The controller does not answer any more.
    fn lose(&mut self, now: Now) {
        if !self.association.is_registered() {
            return;
        }
        self.counters.associations_lost += 1;
        for (_, purpose) in self.outbound.abandon_all(|_| true) {
            if let Purpose::Notify(notification) = purpose {
                self.keep(*notification);
            }
        }
        self.close_unused_connections();
        self.association.lost(now);
        self.pursue(now);
    }

    pub(super) fn connection_gone(&mut self, now: Now, connection: ConnectionId) {
        let was_association = self.association.connection_lost(now, connection, &mut self.random);
        self.counters.associations_lost += u64::from(was_association);
        for (_, purpose) in self.outbound.abandon_all(|peer| peer.link.connection() == Some(connection)) {
            match purpose {
                Purpose::Notify(notification) if self.association.in_laboratory() => {
                    self.counters.notifies_dropped += 1;
                    self.after_notify(now, &notification, None);
                }
                Purpose::Notify(notification) => self.keep(*notification),
                Purpose::Farewell { for_good: true } => self.association.end(),
                Purpose::Registration | Purpose::Realm(_) | Purpose::Farewell { for_good: false } => {}
            }
        }
        self.pursue(now);
    }

    pub(super) fn timestamp(&self, now: Now) -> Option<TimeStamp> {
        self.utc_origin.map(|origin| time_stamp(origin + now))
    }
}

fn service_change_result(body: &ReplyBody) -> ServiceChangeResult {
    if let Some(error) = error_of(body) {
        return ServiceChangeResult::Error(error.clone());
    }
    let ReplyBody::Actions(actions) = body else { return ServiceChangeResult::Accepted };
    let results = actions.iter().flat_map(|action| &action.commands).map(|command| &command.result);
    let found = results.into_iter().find_map(|result| match result {
        CommandResult::ServiceChange(result) => Some(result.clone()),
        _ => None,
    });
    found.unwrap_or(ServiceChangeResult::Accepted)
}

fn error_of(body: &ReplyBody) -> Option<&ErrorDescriptor> {
    match body {
        ReplyBody::Error(error) => Some(error),
        ReplyBody::Actions(actions) => actions.iter().find_map(|action| {
            let in_command = action.commands.iter().find_map(|command| match &command.result {
                CommandResult::Notify(error) => error.as_ref(),
                CommandResult::ServiceChange(ServiceChangeResult::Error(error)) => Some(error),
                _ => None,
            });
            in_command.or(action.error.as_ref())
        }),
    }
}

fn first_error(body: &ReplyBody) -> Option<ErrorCode> {
    error_of(body).map(|error| error.code)
}

/// `yyyymmddThhmmssss` of a time since the Unix epoch, by the calendar of days (H. Hinnant's `civil_from_days`).
fn time_stamp(since_epoch: Duration) -> TimeStamp {
    let seconds = since_epoch.as_secs();
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = (year_of_era + era * 400 + u64::from(month <= 2)) % 10_000;
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let hundredths = u64::from(since_epoch.subsec_millis() / 10);
    TimeStamp {
        date: (year * 10_000 + month * 100 + day) as u32,
        time: (hour * 1_000_000 + minute * 10_000 + second * 100 + hundredths) as u32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_stamps_follow_the_calendar() {
        let stamp = |seconds, millis| time_stamp(Duration::new(seconds, millis * 1_000_000_u32)).to_string();
        assert_eq!(stamp(0, 0), "19700101T00000000");
        assert_eq!(stamp(951_782_399, 990), "20000228T23595999");
        assert_eq!(stamp(951_782_400, 0), "20000229T00000000");
        assert_eq!(stamp(1_795_198_500, 120), "20261120T18150012");
        assert_eq!(stamp(4_107_542_400, 0), "21000301T00000000");
    }
}
