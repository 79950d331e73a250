//! Commands and their replies.

use super::*;

impl Printer<'_> {
    pub(super) fn command_request(self, w: &mut Writer, request: &CommandRequest) {
        w.nest(SEQUENCE, |w| {
            w.nest(constructed(0), |w| self.command(w, request));
            w.null_if(primitive(1), request.optional);
            w.null_if(primitive(2), request.wildcard_reply);
        });
    }

    fn command(self, w: &mut Writer, request: &CommandRequest) {
        let ids = &request.terminations;
        match &request.command {
            Command::Add(amm) => self.amm_request(w, 0, ids, amm),
            Command::Move(amm) => self.amm_request(w, 1, ids, amm),
            Command::Modify(amm) => self.amm_request(w, 2, ids, amm),
            Command::Subtract(audit) => w.nest(constructed(3), |w| {
                self.terminations(w, 0, ids);
                if let Some(audit) = audit {
                    self.audit(w, constructed(1), audit);
                }
            }),
            Command::AuditCapability(audit) => self.audit_request(w, 4, ids, audit),
            Command::AuditValue(audit) => self.audit_request(w, 5, ids, audit),
            Command::Notify(notify) => w.nest(constructed(6), |w| {
                self.terminations(w, 0, ids);
                self.observed_events(w, constructed(1), &notify.observed);
                if let Some(found) = &notify.error {
                    error(w, constructed(2), found);
                }
            }),
            Command::ServiceChange(change) => w.nest(constructed(7), |w| {
                self.terminations(w, 0, ids);
                self.service_change_request(w, constructed(1), change);
            }),
        }
    }

    fn amm_request(self, w: &mut Writer, number: u8, ids: &[TerminationId], amm: &AmmRequest) {
        w.nest(constructed(number), |w| {
            self.terminations(w, 0, ids);
            w.nest(constructed(1), |w| {
                if let Some(media) = &amm.media {
                    self.media(w, constructed(0), media);
                }
                if let Some(modem) = &amm.modem {
                    self.modem(w, constructed(1), modem);
                }
                if let Some(mux) = &amm.mux {
                    self.mux(w, constructed(2), mux);
                }
                if let Some(events) = &amm.events {
                    self.events(w, constructed(3), events);
                }
                if let Some(events) = &amm.event_buffer {
                    self.event_buffer(w, constructed(4), events);
                }
                if let Some(signals) = &amm.signals {
                    self.signals(w, constructed(5), signals);
                }
                if let Some(map) = &amm.digit_map {
                    self.digit_map(w, constructed(6), map);
                }
                if let Some(audit) = &amm.audit {
                    self.audit(w, constructed(7), audit);
                }
            });
        });
    }

    fn audit_request(self, w: &mut Writer, number: u8, ids: &[TerminationId], audit: &AuditDescriptor) {
        let Some(first) = ids.first() else { return w.unsayable("an audit of no termination") };
        w.nest(constructed(number), |w| {
            self.termination_id(w, constructed(0), first);
            self.audit(w, constructed(1), audit);
            if ids.len() > 1 {
                self.terminations(w, 2, ids);
            }
        });
    }

    pub(super) fn command_reply(self, w: &mut Writer, reply: &CommandReply) {
        let ids = &reply.terminations;
        match &reply.result {
            CommandResult::Add(audit) => self.amms_reply(w, 0, ids, audit),
            CommandResult::Move(audit) => self.amms_reply(w, 1, ids, audit),
            CommandResult::Modify(audit) => self.amms_reply(w, 2, ids, audit),
            CommandResult::Subtract(audit) => self.amms_reply(w, 3, ids, audit),
            CommandResult::AuditCapability(result) => self.audit_reply(w, 4, ids, result),
            CommandResult::AuditValue(result) => self.audit_reply(w, 5, ids, result),
            CommandResult::Notify(found) => w.nest(constructed(6), |w| {
                self.terminations(w, 0, ids);
                if let Some(found) = found {
                    error(w, constructed(1), found);
                }
            }),
            CommandResult::ServiceChange(result) => w.nest(constructed(7), |w| {
                self.terminations(w, 0, ids);
                w.nest(constructed(1), |w| match result {
                    ServiceChangeResult::Accepted => w.nest(constructed(1), |_| {}),
                    ServiceChangeResult::Error(found) => error(w, constructed(0), found),
                    ServiceChangeResult::Parms(parms) => service::reply(w, constructed(1), parms),
                });
            }),
        }
    }

    fn amms_reply(self, w: &mut Writer, number: u8, ids: &[TerminationId], audit: &TerminationAudit) {
        w.nest(constructed(number), |w| {
            self.terminations(w, 0, ids);
            if !audit.is_empty() {
                self.termination_audit(w, 1, audit);
            }
        });
    }

    fn audit_reply(self, w: &mut Writer, number: u8, ids: &[TerminationId], result: &AuditResult) {
        w.nest(constructed(number), |w| match (result, ids) {
            (AuditResult::Context, _) => self.terminations(w, 0, ids),
            (AuditResult::ContextError(found), _) => error(w, constructed(1), found),
            (AuditResult::Termination(audit), [id]) => w.nest(constructed(2), |w| {
                self.termination_id(w, constructed(0), id);
                self.termination_audit(w, 1, audit);
            }),
            (AuditResult::Termination(audit), _) => w.nest(constructed(3), |w| {
                self.terminations(w, 0, ids);
                self.termination_audit(w, 1, audit);
            }),
        });
    }

    fn termination_audit(self, w: &mut Writer, number: u8, audit: &TerminationAudit) {
        w.list(constructed(number), audit, |w, returned| match returned {
            AuditReturn::Error(found) => error(w, constructed(0), found),
            AuditReturn::Media(media) => self.media(w, constructed(1), media),
            AuditReturn::Modem(modem) => self.modem(w, constructed(2), modem),
            AuditReturn::Mux(mux) => self.mux(w, constructed(3), mux),
            AuditReturn::Events(events) => self.events(w, constructed(4), events),
            AuditReturn::EventBuffer(events) => self.event_buffer(w, constructed(5), events),
            AuditReturn::Signals(signals) => self.signals(w, constructed(6), signals),
            AuditReturn::DigitMap(map) => self.digit_map(w, constructed(7), map),
            AuditReturn::ObservedEvents(observed) => self.observed_events(w, constructed(8), observed),
            AuditReturn::Statistics(statistics) => self.statistics(w, constructed(9), statistics),
            AuditReturn::Packages(packages) => w.list(constructed(10), packages, |w, package| {
                media::package(w, SEQUENCE, package);
            }),
            AuditReturn::Empty(kind) => {
                let empty = AuditDescriptor { items: vec![AuditItem::Descriptor(*kind)] };
                self.audit(w, constructed(11), &empty);
            }
        });
    }
}
