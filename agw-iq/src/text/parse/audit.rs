//! Audit descriptors: whole descriptors by their token, parts of them in braces behind it.

use super::*;

const KINDS: [(token::Token, DescriptorKind); 10] = [
    (token::MEDIA, DescriptorKind::Media),
    (token::STATISTICS, DescriptorKind::Statistics),
    (token::EVENTS, DescriptorKind::Events),
    (token::SIGNALS, DescriptorKind::Signals),
    (token::PACKAGES, DescriptorKind::Packages),
    (token::OBSERVED_EVENTS, DescriptorKind::ObservedEvents),
    (token::EVENT_BUFFER, DescriptorKind::EventBuffer),
    (token::DIGIT_MAP, DescriptorKind::DigitMap),
    (token::MODEM, DescriptorKind::Modem),
    (token::MUX, DescriptorKind::Mux),
];

impl Parser<'_> {
    pub(super) fn audit(&mut self) -> Res<AuditDescriptor> {
        let mut items = Vec::new();
        self.list_or_nothing(|p| p.audit_item(&mut items))?;
        Ok(AuditDescriptor { items })
    }

    /// One descriptor; where several parts of it are asked for, an item for each.
    pub(super) fn audit_item(&mut self, items: &mut Vec<AuditItem>) -> Res<()> {
        let word = self.lex.word("a descriptor to audit")?;
        let Some((_, kind)) = KINDS.iter().find(|(token, _)| token.is(word.text)) else {
            return Err(unknown(
                &self.lex,
                ErrorCode::UNKNOWN_DESCRIPTOR,
                word.at,
                "descriptor to audit",
                word.text,
            ));
        };
        let before = items.len();
        match (kind, self.lex.peek()) {
            (_, Some(b',' | b'}') | None) => {}
            (DescriptorKind::Media, _) => items.push(AuditItem::Media(self.media_audit()?)),
            (DescriptorKind::Events, _) => self.events_audit(items)?,
            (DescriptorKind::EventBuffer, _) => self.list(|p| p.buffered_event_audit(items))?,
            (DescriptorKind::Signals, _) => self.list_or_nothing(|p| p.signal_audit(items))?,
            (DescriptorKind::DigitMap, _) => {
                self.lex.expect(b'=')?;
                items.push(AuditItem::DigitMap(self.name("a digit map name")?));
            }
            (DescriptorKind::Statistics, _) => self.list_or_nothing(|p| {
                items.push(AuditItem::Statistic(p.pkgd_name("a statistic")?));
                Ok(())
            })?,
            (DescriptorKind::Packages, _) => self.list_or_nothing(|p| {
                items.push(AuditItem::Package(p.package()?));
                Ok(())
            })?,
            (DescriptorKind::Mux | DescriptorKind::Modem | DescriptorKind::ObservedEvents, _) => {
                return Err(self.lex.expected("',' or '}'"));
            }
        }
        // No part named: the whole.
        if items.len() == before {
            items.push(AuditItem::Descriptor(*kind));
        }
        Ok(())
    }

    fn events_audit(&mut self, items: &mut Vec<AuditItem>) -> Res<()> {
        let request = if self.lex.eat(b'=') { Some(self.request_id()?) } else { None };
        self.list(|p| {
            let event = p.pkgd_name("an event")?;
            items.push(AuditItem::Event { request, event });
            Ok(())
        })
    }

    fn buffered_event_audit(&mut self, items: &mut Vec<AuditItem>) -> Res<()> {
        let event = self.pkgd_name("an event")?;
        let (mut stream, mut parameter) = (None, None);
        self.optional_list(|p| {
            let word = p.lex.word("a parameter of the event")?;
            if token::STREAM.is(word.text) && p.lex.peek() == Some(b'=') {
                let id = p.stream_id()?;
                return p.once(&mut stream, id, p.lex.level, word.at, "Stream");
            }
            let name = p.name_of(word, "a parameter name")?;
            p.once(&mut parameter, name, p.lex.level, word.at, "parameter")
        })?;
        items.push(AuditItem::BufferedEvent { event, stream, parameter });
        Ok(())
    }

    fn signal_audit(&mut self, items: &mut Vec<AuditItem>) -> Res<()> {
        if self.lex.peek_after_word() != Some(b'=') || !self.lex.eat_token(token::SIGNAL_LIST) {
            items.push(AuditItem::Signal { list: None, signal: self.pkgd_name("a signal")? });
            return Ok(());
        }
        let list = Some(self.numbered("a signal list identifier")?);
        self.list(|p| {
            items.push(AuditItem::Signal { list, signal: p.pkgd_name("a signal")? });
            Ok(())
        })
    }

    fn media_audit(&mut self) -> Res<Vec<MediaAudit>> {
        let mut items = Vec::new();
        self.list(|p| {
            if p.lex.eat_token(token::TERMINATION_STATE) {
                return p.list(|p| {
                    items.push(MediaAudit::TerminationState(p.termination_state_audit()?));
                    Ok(())
                });
            }
            if p.lex.eat_token(token::STREAM) {
                let stream = Some(p.stream_id()?);
                return p.list(|p| p.stream_audit(stream, &mut items));
            }
            p.stream_audit(None, &mut items)
        })?;
        Ok(items)
    }

    fn termination_state_audit(&mut self) -> Res<TerminationStateAudit> {
        let word = self.lex.word("a property of TerminationState")?;
        Ok(match word.text {
            w if token::SERVICE_STATES.is(w) => TerminationStateAudit::ServiceState,
            w if token::BUFFER.is(w) => TerminationStateAudit::EventBufferControl,
            w => match name::pkgd(w) {
                Some(name) => TerminationStateAudit::Property(name),
                None => return Err(unknown(&self.lex, ErrorCode::UNKNOWN_PROPERTY, word.at, "property", w)),
            },
        })
    }

    fn stream_audit(&mut self, stream: Option<StreamId>, items: &mut Vec<MediaAudit>) -> Res<()> {
        let word = self.lex.word("a descriptor of the stream")?;
        match word.text {
            w if token::LOCAL.is(w) => items.push(MediaAudit::Local { stream }),
            w if token::REMOTE.is(w) => items.push(MediaAudit::Remote { stream }),
            w if token::LOCAL_CONTROL.is(w) => self.list(|p| {
                items.push(MediaAudit::LocalControl { stream, item: p.local_control_audit()? });
                Ok(())
            })?,
            w if token::STATISTICS.is(w) => self.list(|p| {
                items.push(MediaAudit::Statistic { stream, name: p.pkgd_name("a statistic")? });
                Ok(())
            })?,
            w => return Err(unknown(&self.lex, ErrorCode::UNKNOWN_DESCRIPTOR, word.at, "descriptor", w)),
        }
        Ok(())
    }

    fn local_control_audit(&mut self) -> Res<LocalControlAudit> {
        let word = self.lex.word("a property of LocalControl")?;
        Ok(match word.text {
            w if token::MODE.is(w) => LocalControlAudit::Mode,
            w if token::RESERVED_VALUE.is(w) => LocalControlAudit::ReserveValue,
            w if token::RESERVED_GROUP.is(w) => LocalControlAudit::ReserveGroup,
            w => match name::pkgd(w) {
                Some(name) => LocalControlAudit::Property(name),
                None => return Err(unknown(&self.lex, ErrorCode::UNKNOWN_PROPERTY, word.at, "property", w)),
            },
        })
    }
}
