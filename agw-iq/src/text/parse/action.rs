//! Actions: a context, its properties, and commands.

use super::*;

impl Parser<'_> {
    /// `Context = id` and nothing of what follows.
    fn action_head(&mut self) -> Res<ContextId> {
        self.lex.level = ErrorCode::SYNTAX_IN_ACTION;
        if !self.lex.eat_token(token::CONTEXT) {
            self.lex.level = ErrorCode::SYNTAX_IN_TRANSACTION;
            return Err(self.lex.expected("Context"));
        }
        self.lex.expect(b'=')?;
        let context = self.context_id()?;
        self.context = Some(context);
        Ok(context)
    }

    pub(super) fn action_request(&mut self) -> Res<ActionRequest> {
        let context = self.action_head()?;
        let mut action = ActionRequest {
            context,
            properties: ContextProperties::default(),
            audit: None,
            commands: Vec::new(),
        };
        self.list(|p| {
            let at = p.lex.at();
            if p.context_property(&mut action.properties)? {
                return Ok(());
            }
            if p.lex.peek_after_word() == Some(b'{') && p.lex.eat_token(token::CONTEXT_AUDIT) {
                let audit = p.context_audit()?;
                return p.once(&mut action.audit, audit, ErrorCode::SYNTAX_IN_ACTION, at, "ContextAudit");
            }
            action.commands.push(p.command_request()?);
            p.lex.level = ErrorCode::SYNTAX_IN_ACTION;
            Ok(())
        })?;
        Ok(action)
    }

    pub(super) fn action_reply(&mut self) -> Res<ActionReply> {
        let context = self.action_head()?;
        let mut action = ActionReply {
            context,
            properties: ContextProperties::default(),
            commands: Vec::new(),
            error: None,
        };
        self.optional_list(|p| {
            let at = p.lex.at();
            if p.context_property(&mut action.properties)? {
                return Ok(());
            }
            if let Some(error) = p.error_descriptor_if()? {
                return p.once(&mut action.error, error, ErrorCode::SYNTAX_IN_ACTION, at, "Error");
            }
            action.commands.push(p.command_reply()?);
            p.lex.level = ErrorCode::SYNTAX_IN_ACTION;
            Ok(())
        })?;
        Ok(action)
    }

    /// A context property, if one is next. Told from a command by what follows the word.
    fn context_property(&mut self, properties: &mut ContextProperties) -> Res<bool> {
        let at = self.lex.at();
        let twice = ErrorCode::SYNTAX_IN_ACTION;
        match self.lex.peek_after_word() {
            Some(b'=') => {
                if self.lex.eat_token(token::PRIORITY) {
                    let priority = self.priority()?;
                    self.once(&mut properties.priority, priority, twice, at, "Priority")?;
                } else if self.lex.eat_token(token::IEPS) {
                    let ieps = self.on_off()?;
                    self.once(&mut properties.ieps, ieps, twice, at, "IEPSCall")?;
                } else if self.lex.eat_token(token::EMERGENCY_VALUE) {
                    let choices = [(token::EMERGENCY, true), (token::EMERGENCY_OFF, false)];
                    let emergency = self.choice("emergency value", ErrorCode::UNSUPPORTED_VALUE, &choices)?;
                    self.once(&mut properties.emergency, emergency, twice, at, "Emergency")?;
                } else {
                    return Ok(false);
                }
            }
            Some(b'{') => {
                if self.lex.eat_token(token::TOPOLOGY) {
                    if !properties.topology.is_empty() {
                        return Err(self.lex.fault_as(twice, at, "Topology given twice"));
                    }
                    self.list(|p| {
                        properties.topology.push(p.topology_triple()?);
                        Ok(())
                    })?;
                } else if self.lex.eat_token(token::CONTEXT_ATTR) {
                    self.list(|p| p.context_attribute(properties))?;
                } else {
                    return Ok(false);
                }
            }
            _ => {
                if self.lex.eat_token(token::EMERGENCY) {
                    self.once(&mut properties.emergency, true, twice, at, "Emergency")?;
                } else if self.lex.eat_token(token::EMERGENCY_OFF) {
                    self.once(&mut properties.emergency, false, twice, at, "Emergency")?;
                } else {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    fn priority(&mut self) -> Res<u16> {
        self.lex.expect(b'=')?;
        let word = self.lex.word("a priority")?;
        match name::decimal(word.text) {
            Some(priority @ 0..=15) => Ok(priority),
            _ => Err(unknown(&self.lex, ErrorCode::UNSUPPORTED_VALUE, word.at, "priority", word.text)),
        }
    }

    fn context_attribute(&mut self, properties: &mut ContextProperties) -> Res<()> {
        if !self.lex.eat_token(token::CONTEXT_LIST) {
            properties.attributes.push(self.property()?);
            return Ok(());
        }
        self.lex.expect(b'=')?;
        self.list(|p| {
            properties.contexts.push(p.context_id()?);
            Ok(())
        })
    }

    /// Three elements of the comma-separated list, and a fourth if it is a stream.
    fn topology_triple(&mut self) -> Res<TopologyTriple> {
        let from = self.termination_id()?;
        self.lex.expect(b',')?;
        let to = self.termination_id()?;
        self.lex.expect(b',')?;
        let word = self.lex.word("a topology direction")?;
        let direction = match word.text {
            w if token::BOTHWAY.is(w) => TopologyDirection::Bothway,
            w if token::ISOLATE.is(w) => TopologyDirection::Isolate,
            w if token::ONEWAY.is(w) => TopologyDirection::Oneway,
            w if token::ONEWAY_EXTERNAL.is(w) => TopologyDirection::OnewayExternal,
            w if token::ONEWAY_BOTH.is(w) => TopologyDirection::OnewayBoth,
            w => {
                return Err(unknown(
                    &self.lex,
                    ErrorCode::UNSUPPORTED_VALUE,
                    word.at,
                    "topology direction",
                    w,
                ));
            }
        };
        let before_comma = self.lex.clone();
        let mut stream = None;
        if self.lex.eat(b',') {
            if self.lex.peek_after_word() == Some(b'=') && self.lex.eat_token(token::STREAM) {
                stream = Some(self.stream_id()?);
            } else {
                self.lex = before_comma;
            }
        }
        Ok(TopologyTriple { from, to, direction, stream })
    }

    fn context_audit(&mut self) -> Res<ContextAudit> {
        let mut audit = ContextAudit::default();
        self.list(|p| {
            let valued = matches!(p.lex.peek_after_word(), Some(b'=' | b'{'));
            if valued {
                let select = audit.select.get_or_insert_default();
                if p.context_property(&mut select.properties)? {
                    return Ok(());
                }
            }
            let word = p.lex.word("a context property")?;
            match word.text {
                w if token::TOPOLOGY.is(w) => audit.topology = true,
                w if token::EMERGENCY.is(w) => audit.emergency = true,
                w if token::PRIORITY.is(w) => audit.priority = true,
                w if token::IEPS.is(w) => audit.ieps = true,
                w if token::AND_SELECT.is(w) => audit.select.get_or_insert_default().any = Some(false),
                w if token::OR_SELECT.is(w) => audit.select.get_or_insert_default().any = Some(true),
                w => match name::pkgd(w) {
                    Some(name) => audit.attributes.push(name),
                    None => {
                        return Err(unknown(
                            &p.lex,
                            ErrorCode::UNKNOWN_PROPERTY,
                            word.at,
                            "context property",
                            w,
                        ));
                    }
                },
            }
            Ok(())
        })?;
        Ok(audit)
    }
}
