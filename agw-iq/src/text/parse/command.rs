//! Commands, their replies, and which descriptor may stand where.

use super::super::lex::Word;
use super::*;

/// The descriptors by their tokens, whichever command they stand in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Descriptor {
    Audit,
    DigitMap,
    Error,
    EventBuffer,
    Events,
    Media,
    Modem,
    Mux,
    ObservedEvents,
    Packages,
    Services,
    Signals,
    Statistics,
}

const DESCRIPTORS: [(token::Token, Descriptor); 13] = [
    (token::MEDIA, Descriptor::Media),
    (token::EVENTS, Descriptor::Events),
    (token::SIGNALS, Descriptor::Signals),
    (token::AUDIT, Descriptor::Audit),
    (token::STATISTICS, Descriptor::Statistics),
    (token::ERROR, Descriptor::Error),
    (token::OBSERVED_EVENTS, Descriptor::ObservedEvents),
    (token::PACKAGES, Descriptor::Packages),
    (token::EVENT_BUFFER, Descriptor::EventBuffer),
    (token::DIGIT_MAP, Descriptor::DigitMap),
    (token::MODEM, Descriptor::Modem),
    (token::MUX, Descriptor::Mux),
    (token::SERVICES, Descriptor::Services),
];

const VERBS: [(token::Token, Verb); 8] = [
    (token::ADD, Verb::Add),
    (token::MODIFY, Verb::Modify),
    (token::SUBTRACT, Verb::Subtract),
    (token::MOVE, Verb::Move),
    (token::NOTIFY, Verb::Notify),
    (token::SERVICE_CHANGE, Verb::ServiceChange),
    (token::AUDIT_VALUE, Verb::AuditValue),
    (token::AUDIT_CAPABILITY, Verb::AuditCapability),
];

impl Parser<'_> {
    pub(super) fn command_request(&mut self) -> Res<CommandRequest> {
        self.lex.level = ErrorCode::SYNTAX_IN_COMMAND;
        let word = self.lex.word("a command")?;
        let (verb_text, optional, wildcard_reply) = strip_prefixes(word.text);
        let verb = self.verb(verb_text, word)?;
        self.lex.expect(b'=')?;
        let terminations = self.terminations()?;
        let command = match verb {
            Verb::Add => Command::Add(Box::new(self.amm_request()?)),
            Verb::Move => Command::Move(Box::new(self.amm_request()?)),
            Verb::Modify => Command::Modify(Box::new(self.amm_request()?)),
            Verb::Subtract => Command::Subtract(self.only_audit()?),
            Verb::AuditValue => Command::AuditValue(self.required_audit()?),
            Verb::AuditCapability => Command::AuditCapability(self.required_audit()?),
            Verb::Notify => Command::Notify(Box::new(self.notify_request()?)),
            Verb::ServiceChange => {
                self.lex.open()?;
                let (_, at) = self.one_of(&[Descriptor::Services])?;
                let request = self.service_change_request(at)?;
                self.end_of_descriptors()?;
                Command::ServiceChange(Box::new(request))
            }
        };
        Ok(CommandRequest { optional, wildcard_reply, terminations, command })
    }

    fn verb(&self, text: &str, word: Word<'_>) -> Res<Verb> {
        VERBS
            .iter()
            .find(|(token, _)| token.is(text))
            .map(|(_, verb)| *verb)
            .ok_or_else(|| unknown(&self.lex, ErrorCode::UNKNOWN_COMMAND, word.at, "command", word.text))
    }

    /// The token of a descriptor that is legal here: 444 if it is none, 447 if it belongs elsewhere.
    fn one_of(&mut self, legal: &[Descriptor]) -> Res<(Descriptor, usize)> {
        let word = self.lex.word("a descriptor")?;
        let found = DESCRIPTORS.iter().find(|(token, _)| token.is(word.text));
        match found {
            Some((_, descriptor)) if legal.contains(descriptor) => Ok((*descriptor, word.at)),
            Some((token, _)) => {
                let what = format!("{} is not legal in this command", token.long);
                Err(self.lex.fault_as(ErrorCode::DESCRIPTOR_NOT_LEGAL, word.at, what))
            }
            None => Err(unknown(&self.lex, ErrorCode::UNKNOWN_DESCRIPTOR, word.at, "descriptor", word.text)),
        }
    }

    /// The brace behind the only descriptor of a command; a second one has an error of its own.
    fn end_of_descriptors(&mut self) -> Res<()> {
        if self.lex.eat(b',') {
            self.one_of(&[])?;
        }
        self.lex.close()
    }

    fn amm_request(&mut self) -> Res<AmmRequest> {
        use Descriptor as D;
        let mut amm = AmmRequest::default();
        let legal =
            [D::Media, D::Events, D::Signals, D::Audit, D::EventBuffer, D::DigitMap, D::Modem, D::Mux];
        let twice = ErrorCode::DESCRIPTOR_TWICE;
        self.optional_list(|p| {
            let (descriptor, at) = p.one_of(&legal)?;
            match descriptor {
                D::Media => {
                    let media = p.media()?;
                    p.once(&mut amm.media, media, twice, at, "Media")
                }
                D::Events => {
                    let events = p.events()?;
                    p.once(&mut amm.events, events, twice, at, "Events")
                }
                D::Signals => {
                    let signals = p.signals()?;
                    p.once(&mut amm.signals, signals, twice, at, "Signals")
                }
                D::Audit => {
                    let audit = p.audit()?;
                    p.once(&mut amm.audit, audit, twice, at, "Audit")
                }
                D::EventBuffer => {
                    let events = p.event_buffer()?;
                    p.once(&mut amm.event_buffer, events, twice, at, "EventBuffer")
                }
                D::DigitMap => {
                    let map = p.digit_map()?;
                    p.once(&mut amm.digit_map, map, twice, at, "DigitMap")
                }
                D::Modem => {
                    let modem = p.modem()?;
                    p.once(&mut amm.modem, modem, twice, at, "Modem")
                }
                D::Mux => {
                    let mux = p.mux()?;
                    p.once(&mut amm.mux, mux, twice, at, "Mux")
                }
                D::Error | D::ObservedEvents | D::Packages | D::Services | D::Statistics => Ok(()),
            }
        })?;
        Ok(amm)
    }

    /// The Audit descriptor of Subtract, or nothing.
    fn only_audit(&mut self) -> Res<Option<AuditDescriptor>> {
        let mut audit = None;
        self.optional_list(|p| {
            let (_, at) = p.one_of(&[Descriptor::Audit])?;
            let found = p.audit()?;
            p.once(&mut audit, found, ErrorCode::DESCRIPTOR_TWICE, at, "Audit")
        })?;
        Ok(audit)
    }

    fn required_audit(&mut self) -> Res<AuditDescriptor> {
        let at = self.lex.at();
        let audit = self.only_audit()?;
        audit.ok_or_else(|| self.lex.fault(at, "an Audit descriptor is missing"))
    }

    fn notify_request(&mut self) -> Res<NotifyRequest> {
        let (mut observed, mut error) = (None, None);
        let start = self.lex.at();
        self.list(|p| {
            let (descriptor, at) = p.one_of(&[Descriptor::ObservedEvents, Descriptor::Error])?;
            if descriptor == Descriptor::Error {
                let found = p.error_descriptor()?;
                return p.once(&mut error, found, ErrorCode::DESCRIPTOR_TWICE, at, "Error");
            }
            let found = p.observed_events()?;
            p.once(&mut observed, found, ErrorCode::DESCRIPTOR_TWICE, at, "ObservedEvents")
        })?;
        let observed = observed.ok_or_else(|| self.lex.fault(start, "ObservedEvents is missing"))?;
        Ok(NotifyRequest { observed, error })
    }

    pub(super) fn command_reply(&mut self) -> Res<CommandReply> {
        self.lex.level = ErrorCode::SYNTAX_IN_COMMAND;
        let word = self.lex.word("a command reply")?;
        let verb = self.verb(word.text, word)?;
        self.lex.expect(b'=')?;
        match verb {
            Verb::Add => self.amms_reply(CommandResult::Add),
            Verb::Move => self.amms_reply(CommandResult::Move),
            Verb::Modify => self.amms_reply(CommandResult::Modify),
            Verb::Subtract => self.amms_reply(CommandResult::Subtract),
            Verb::AuditValue => self.audit_reply(CommandResult::AuditValue),
            Verb::AuditCapability => self.audit_reply(CommandResult::AuditCapability),
            Verb::Notify => {
                let terminations = self.terminations()?;
                Ok(CommandReply { terminations, result: CommandResult::Notify(self.only_error()?) })
            }
            Verb::ServiceChange => {
                let terminations = self.terminations()?;
                let result = CommandResult::ServiceChange(self.service_change_result()?);
                Ok(CommandReply { terminations, result })
            }
        }
    }

    fn amms_reply(&mut self, of: fn(TerminationAudit) -> CommandResult) -> Res<CommandReply> {
        Ok(CommandReply { terminations: self.terminations()?, result: of(self.termination_audit()?) })
    }

    /// `AuditValue = id { ... }`, or the terminations of the context: `AuditValue = Context { ... }`.
    fn audit_reply(&mut self, of: fn(AuditResult) -> CommandResult) -> Res<CommandReply> {
        if self.lex.peek_after_word() != Some(b'{') || !self.lex.eat_token(token::CONTEXT) {
            let terminations = self.terminations()?;
            return Ok(CommandReply {
                terminations,
                result: of(AuditResult::Termination(self.termination_audit()?)),
            });
        }
        self.lex.open()?;
        if let Some(error) = self.error_descriptor_if()? {
            self.lex.close()?;
            return Ok(CommandReply {
                terminations: Vec::new(),
                result: of(AuditResult::ContextError(error)),
            });
        }
        let mut terminations = Vec::new();
        self.rest_of_list(b'}', |p| {
            terminations.push(p.termination_id()?);
            Ok(())
        })?;
        Ok(CommandReply { terminations, result: of(AuditResult::Context) })
    }

    fn only_error(&mut self) -> Res<Option<ErrorDescriptor>> {
        let mut error = None;
        self.optional_list(|p| {
            let (_, at) = p.one_of(&[Descriptor::Error])?;
            let found = p.error_descriptor()?;
            p.once(&mut error, found, ErrorCode::DESCRIPTOR_TWICE, at, "Error")
        })?;
        Ok(error)
    }

    fn service_change_result(&mut self) -> Res<ServiceChangeResult> {
        let mut result = ServiceChangeResult::Accepted;
        self.optional_list(|p| {
            let (descriptor, at) = p.one_of(&[Descriptor::Error, Descriptor::Services])?;
            if result != ServiceChangeResult::Accepted {
                return Err(p.lex.fault(at, "one descriptor expected"));
            }
            result = match descriptor {
                Descriptor::Error => ServiceChangeResult::Error(p.error_descriptor()?),
                _ => ServiceChangeResult::Parms(Box::new(p.service_change_reply()?)),
            };
            Ok(())
        })?;
        Ok(result)
    }

    /// The descriptors of a reply. Those that name themselves only are empty.
    fn termination_audit(&mut self) -> Res<TerminationAudit> {
        use Descriptor as D;
        let legal = [
            D::Media,
            D::Events,
            D::Signals,
            D::Statistics,
            D::Error,
            D::ObservedEvents,
            D::Packages,
            D::EventBuffer,
            D::DigitMap,
            D::Modem,
            D::Mux,
        ];
        let mut returned = Vec::new();
        self.optional_list(|p| {
            let (descriptor, at) = p.one_of(&legal)?;
            let empty = matches!(p.lex.peek(), Some(b',' | b'}'));
            returned.push(match (descriptor, empty) {
                (D::Error, _) => AuditReturn::Error(p.error_descriptor()?),
                (descriptor, true) => AuditReturn::Empty(p.kind(descriptor, at)?),
                (D::Media, _) => AuditReturn::Media(p.media()?),
                (D::Events, _) => match p.events()? {
                    // `Events = 2` without a list names a request and asks for nothing.
                    asked if asked.events.is_empty() => AuditReturn::Empty(DescriptorKind::Events),
                    asked => AuditReturn::Events(asked),
                },
                (D::Signals, _) => AuditReturn::Signals(p.signals()?),
                (D::Statistics, _) => AuditReturn::Statistics(p.statistics()?),
                (D::ObservedEvents, _) => AuditReturn::ObservedEvents(p.observed_events()?),
                (D::Packages, _) => AuditReturn::Packages(p.packages()?),
                (D::EventBuffer, _) => match p.event_buffer()? {
                    events if events.is_empty() => AuditReturn::Empty(DescriptorKind::EventBuffer),
                    events => AuditReturn::EventBuffer(events),
                },
                (D::DigitMap, _) => AuditReturn::DigitMap(p.digit_map()?),
                (D::Modem, _) => AuditReturn::Modem(p.modem()?),
                (D::Mux, _) => AuditReturn::Mux(p.mux()?),
                (D::Audit | D::Services, _) => return Err(p.lex.fault(at, "not a descriptor of replies")),
            });
            Ok(())
        })?;
        Ok(returned)
    }

    fn kind(&self, descriptor: Descriptor, at: usize) -> Res<DescriptorKind> {
        Ok(match descriptor {
            Descriptor::Media => DescriptorKind::Media,
            Descriptor::Events => DescriptorKind::Events,
            Descriptor::Signals => DescriptorKind::Signals,
            Descriptor::Statistics => DescriptorKind::Statistics,
            Descriptor::ObservedEvents => DescriptorKind::ObservedEvents,
            Descriptor::Packages => DescriptorKind::Packages,
            Descriptor::EventBuffer => DescriptorKind::EventBuffer,
            Descriptor::DigitMap => DescriptorKind::DigitMap,
            Descriptor::Modem => DescriptorKind::Modem,
            Descriptor::Mux => DescriptorKind::Mux,
            Descriptor::Audit | Descriptor::Error | Descriptor::Services => {
                return Err(self.lex.fault(at, "not a descriptor that can be empty"));
            }
        })
    }
}

/// `O-` and `W-`, in either order.
fn strip_prefixes(word: &str) -> (&str, bool, bool) {
    let (mut rest, mut optional, mut wildcard_reply) = (word, false, false);
    while let Some((prefix, after)) = rest.split_at_checked(2) {
        if prefix.eq_ignore_ascii_case("O-") && !optional {
            optional = true;
        } else if prefix.eq_ignore_ascii_case("W-") && !wildcard_reply {
            wildcard_reply = true;
        } else {
            break;
        }
        rest = after;
    }
    (rest, optional, wildcard_reply)
}
