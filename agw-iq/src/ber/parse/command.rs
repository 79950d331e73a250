//! Commands, their replies, and which descriptor may stand where.

use super::*;
use crate::codec::MAX_ELEMENTS;

impl Parser<'_> {
    pub(super) fn command_request(&mut self, element: &Tlv<'_>) -> Res<CommandRequest> {
        self.level = ErrorCode::SYNTAX_IN_COMMAND;
        let mut fields = element.sequence()?;
        let chosen = fields.required(0, "command")?.choice()?;
        let (terminations, command) = match chosen.number {
            0 => self.amm_request(&chosen, Command::Add)?,
            1 => self.amm_request(&chosen, Command::Move)?,
            2 => self.amm_request(&chosen, Command::Modify)?,
            3 => {
                let mut fields = chosen.fields()?;
                let terminations = self.one_or_more(&fields.required(0, "terminationID")?)?;
                let audit = fields.optional(1)?.map(|audit| self.audit(&audit)).transpose()?;
                fields.end()?;
                (terminations, Command::Subtract(audit))
            }
            4 => self.audit_request(&chosen, Command::AuditCapability)?,
            5 => self.audit_request(&chosen, Command::AuditValue)?,
            6 => {
                let mut fields = chosen.fields()?;
                let terminations = self.one_or_more(&fields.required(0, "terminationID")?)?;
                let observed = self.observed_events(&fields.required(1, "observedEventsDescriptor")?)?;
                let error = fields.optional(2)?.map(|found| error(&found)).transpose()?;
                fields.end()?;
                (terminations, Command::Notify(Box::new(NotifyRequest { observed, error })))
            }
            7 => {
                let mut fields = chosen.fields()?;
                let terminations = self.one_or_more(&fields.required(0, "terminationID")?)?;
                let request = self.service_change_request(&fields.required(1, "serviceChangeParms")?)?;
                fields.end()?;
                (terminations, Command::ServiceChange(Box::new(request)))
            }
            _ => return unknown_command(&chosen),
        };
        let optional = flag(&mut fields, 1)?;
        let wildcard_reply = flag(&mut fields, 2)?;
        fields.end()?;
        Ok(CommandRequest { optional, wildcard_reply, terminations, command })
    }

    /// A list that must not be empty.
    fn one_or_more(&mut self, element: &Tlv<'_>) -> Res<Vec<TerminationId>> {
        let terminations = self.terminations(element)?;
        if terminations.is_empty() {
            fault(element.at, "a command for no termination")
        } else {
            Ok(terminations)
        }
    }

    fn amm_request(
        &mut self,
        element: &Tlv<'_>,
        command: impl FnOnce(Box<AmmRequest>) -> Command,
    ) -> Res<(Vec<TerminationId>, Command)> {
        let mut fields = element.fields()?;
        let terminations = self.one_or_more(&fields.required(0, "terminationID")?)?;
        let mut amm = AmmRequest::default();
        fields.required(1, "descriptors")?.each(|descriptor| self.amm_descriptor(&mut amm, &descriptor))?;
        fields.end()?;
        Ok((terminations, command(Box::new(amm))))
    }

    fn amm_descriptor(&mut self, amm: &mut AmmRequest, found: &Tlv<'_>) -> Res<()> {
        let (twice, at) = (ErrorCode::DESCRIPTOR_TWICE, found.at);
        match found.number {
            0 => once(&mut amm.media, self.media(found)?, twice, at, "Media"),
            1 => once(&mut amm.modem, self.modem(found)?, twice, at, "Modem"),
            2 => once(&mut amm.mux, self.mux(found)?, twice, at, "Mux"),
            3 => once(&mut amm.events, self.events(found)?, twice, at, "Events"),
            4 => once(&mut amm.event_buffer, self.event_buffer(found)?, twice, at, "EventBuffer"),
            5 => once(&mut amm.signals, self.signals(found)?, twice, at, "Signals"),
            6 => once(&mut amm.digit_map, self.digit_map(found)?, twice, at, "DigitMap"),
            7 => once(&mut amm.audit, self.audit(found)?, twice, at, "Audit"),
            8 => fault_as(ErrorCode::DESCRIPTOR_NOT_LEGAL, at, "Statistics is not legal in this command"),
            _ => fault_as(ErrorCode::UNKNOWN_DESCRIPTOR, at, format!("unknown descriptor {}", found.shown())),
        }
    }

    fn audit_request(
        &mut self,
        element: &Tlv<'_>,
        command: impl FnOnce(AuditDescriptor) -> Command,
    ) -> Res<(Vec<TerminationId>, Command)> {
        let mut fields = element.fields()?;
        let first = self.termination_id(&fields.required(0, "terminationID")?)?;
        let audit = self.audit(&fields.required(1, "auditDescriptor")?)?;
        // Version 3: the whole list, whose first is the first.
        let listed = list_if(fields.optional(2)?, |id| {
            id.sequence()?;
            self.termination_id(&id)
        })?;
        fields.end()?;
        let terminations = if listed.is_empty() { vec![first] } else { listed };
        Ok((terminations, command(audit)))
    }

    pub(super) fn command_reply(&mut self, chosen: &Tlv<'_>) -> Res<CommandReply> {
        self.level = ErrorCode::SYNTAX_IN_COMMAND;
        match chosen.number {
            0 => self.amms_reply(chosen, CommandResult::Add),
            1 => self.amms_reply(chosen, CommandResult::Move),
            2 => self.amms_reply(chosen, CommandResult::Modify),
            3 => self.amms_reply(chosen, CommandResult::Subtract),
            4 => self.audit_reply(chosen, CommandResult::AuditCapability),
            5 => self.audit_reply(chosen, CommandResult::AuditValue),
            6 => {
                let mut fields = chosen.fields()?;
                let terminations = self.one_or_more(&fields.required(0, "terminationID")?)?;
                let error = fields.optional(1)?.map(|found| error(&found)).transpose()?;
                fields.end()?;
                Ok(CommandReply { terminations, result: CommandResult::Notify(error) })
            }
            7 => {
                let mut fields = chosen.fields()?;
                let terminations = self.one_or_more(&fields.required(0, "terminationID")?)?;
                let result = fields.required(1, "serviceChangeResult")?.choice()?;
                fields.end()?;
                let result = match result.number {
                    0 => ServiceChangeResult::Error(error(&result)?),
                    1 => self.service_change_reply(&result)?,
                    _ => return fault(result.at, format!("unknown result {}", result.shown())),
                };
                Ok(CommandReply { terminations, result: CommandResult::ServiceChange(result) })
            }
            _ => unknown_command(chosen),
        }
    }

    fn amms_reply(
        &mut self,
        element: &Tlv<'_>,
        result: impl FnOnce(TerminationAudit) -> CommandResult,
    ) -> Res<CommandReply> {
        let mut fields = element.fields()?;
        let terminations = self.one_or_more(&fields.required(0, "terminationID")?)?;
        let audit = match fields.optional(1)? {
            Some(audit) => self.termination_audit(&audit)?,
            None => Vec::new(),
        };
        fields.end()?;
        Ok(CommandReply { terminations, result: result(audit) })
    }

    fn audit_reply(
        &mut self,
        element: &Tlv<'_>,
        result: impl FnOnce(AuditResult) -> CommandResult,
    ) -> Res<CommandReply> {
        let chosen = element.choice()?;
        let (terminations, audited) = match chosen.number {
            0 => (self.terminations(&chosen)?, AuditResult::Context),
            1 => (Vec::new(), AuditResult::ContextError(error(&chosen)?)),
            2 => {
                let mut fields = chosen.fields()?;
                let id = self.termination_id(&fields.required(0, "terminationID")?)?;
                let audit = self.termination_audit(&fields.required(1, "terminationAuditResult")?)?;
                fields.end()?;
                (vec![id], AuditResult::Termination(audit))
            }
            3 => {
                let mut fields = chosen.fields()?;
                let ids = self.one_or_more(&fields.required(0, "terminationIDList")?)?;
                let audit = self.termination_audit(&fields.required(1, "terminationAuditResult")?)?;
                fields.end()?;
                (ids, AuditResult::Termination(audit))
            }
            _ => return fault(chosen.at, format!("unknown audit result {}", chosen.shown())),
        };
        Ok(CommandReply { terminations, result: result(audited) })
    }

    fn termination_audit(&mut self, element: &Tlv<'_>) -> Res<TerminationAudit> {
        let mut audit = Vec::new();
        element.each(|found| {
            audit.push(match found.number {
                0 => AuditReturn::Error(error(&found)?),
                1 => AuditReturn::Media(self.media(&found)?),
                2 => AuditReturn::Modem(self.modem(&found)?),
                3 => AuditReturn::Mux(self.mux(&found)?),
                4 => {
                    let events = self.events(&found)?;
                    if events.events.is_empty() {
                        AuditReturn::Empty(DescriptorKind::Events)
                    } else {
                        AuditReturn::Events(events)
                    }
                }
                5 => {
                    let events = self.event_buffer(&found)?;
                    if events.is_empty() {
                        AuditReturn::Empty(DescriptorKind::EventBuffer)
                    } else {
                        AuditReturn::EventBuffer(events)
                    }
                }
                6 => AuditReturn::Signals(self.signals(&found)?),
                7 => AuditReturn::DigitMap(self.digit_map(&found)?),
                8 => AuditReturn::ObservedEvents(self.observed_events(&found)?),
                9 => AuditReturn::Statistics(self.statistics(&found)?),
                10 => AuditReturn::Packages(found.list(|package| self.package(package.sequence()?))?),
                11 => {
                    let empty = self.audit(&found)?;
                    audit.extend(empty.items.into_iter().filter_map(|item| match item {
                        AuditItem::Descriptor(kind) => Some(AuditReturn::Empty(kind)),
                        _ => None,
                    }));
                    return Ok(());
                }
                _ => {
                    let what = format!("unknown descriptor {}", found.shown());
                    return fault_as(ErrorCode::UNKNOWN_DESCRIPTOR, found.at, what);
                }
            });
            Ok(())
        })?;
        // A descriptor that is empty may stand for ten.
        if audit.len() > MAX_ELEMENTS {
            return fault(element.at, format!("more than {MAX_ELEMENTS} descriptors"));
        }
        Ok(audit)
    }
}

fn unknown_command<T>(chosen: &Tlv<'_>) -> Res<T> {
    fault_as(ErrorCode::UNKNOWN_COMMAND, chosen.at, format!("unknown command {}", chosen.shown()))
}
