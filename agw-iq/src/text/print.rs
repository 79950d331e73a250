//! From the tree to text, in either style.
//!
//! The printer cannot fail and cannot be made to print something else than the tree says: a value or text that the grammar has no
//! place for (a quotation mark in a string, a space in a token) is changed to the nearest that it has. What version 3 added appears
//! only where the tree holds it.

mod command;
mod event;
mod media;

use std::fmt::Write;

use super::token::{self, Token};
use crate::ast::*;
use crate::secret::SecretBuf;

/// How a message is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// Long tokens, an element a line, indented with tabs: for people.
    Pretty,
    /// Short tokens, no white space but in SDP: for the wire.
    #[default]
    Compact,
}

/// Room that most messages fit in, so that the buffer need not grow.
const USUAL_BYTES: usize = 1500;

/// Writes a message. The text may hold keys; it wipes itself when dropped.
pub fn print(message: &Message, style: Style) -> SecretBuf {
    let mut printer = Printer { out: SecretBuf::with_capacity(USUAL_BYTES), style, depth: 0, first: true };
    printer.message(message);
    printer.out
}

struct Printer {
    out: SecretBuf,
    style: Style,
    /// Braces open.
    depth: usize,
    /// Nothing stands yet behind the last brace.
    first: bool,
}

impl Printer {
    fn message(&mut self, message: &Message) {
        if let Some(AuthHeader { spi, sequence, data }) = &message.auth {
            self.token(token::AUTHENTICATION);
            self.equals();
            self.show(format_args!("0x{spi:08X}:0x{sequence:08X}:0x"));
            data.iter().for_each(|octet| self.show(format_args!("{octet:02X}")));
            self.text("\n");
        }
        self.token(token::MEGACO);
        self.show(format_args!("/{} {}", message.version, message.mid));
        self.text(if self.style == Style::Pretty { "\n" } else { " " });
        match &message.body {
            Body::Error(error) => self.error(error),
            Body::Transactions(transactions) => {
                for (index, transaction) in transactions.iter().enumerate() {
                    // A segment reply ends in a word, which must not run into the next.
                    let after_word = matches!(
                        transactions.get(index.wrapping_sub(1)),
                        Some(Transaction::SegmentReply { .. })
                    );
                    if index > 0 && (after_word || self.style == Style::Pretty) {
                        self.text("\n");
                    }
                    self.transaction(transaction);
                }
            }
        }
        if self.style == Style::Pretty {
            self.text("\n");
        }
    }

    fn transaction(&mut self, transaction: &Transaction) {
        match transaction {
            Transaction::Request(request) => {
                self.assign(token::TRANSACTION, request.id);
                self.block(&request.actions, Self::action_request);
            }
            Transaction::Reply(reply) => self.reply(reply),
            Transaction::Pending(id) => {
                self.assign(token::PENDING, id);
                self.open();
                self.close();
            }
            Transaction::Ack(ranges) => {
                self.token(token::RESPONSE_ACK);
                self.block(ranges, |p, AckRange { first, last }| {
                    p.show(format_args!("{first}"));
                    if first != last {
                        p.show(format_args!("-{last}"));
                    }
                });
            }
            Transaction::SegmentReply { id, segment } => {
                self.assign(token::SEGMENT, id);
                self.segment(*segment);
            }
        }
    }

    fn reply(&mut self, reply: &TransactionReply) {
        self.assign(token::REPLY, reply.id);
        if let Some(segment) = reply.segment {
            self.segment(segment);
        }
        self.open();
        if reply.immediate_ack {
            self.item();
            self.token(token::IMMEDIATE_ACK);
        }
        match &reply.body {
            ReplyBody::Error(error) => {
                self.item();
                self.error(error);
            }
            ReplyBody::Actions(actions) => self.items(actions, Self::action_reply),
        }
        self.close();
    }

    fn segment(&mut self, segment: Segment) {
        self.show(format_args!("/{}", segment.number));
        if segment.last {
            self.text("/");
            self.token(token::END);
        }
    }

    fn action_request(&mut self, action: &ActionRequest) {
        self.assign(token::CONTEXT, action.context);
        self.open();
        self.context_properties(&action.properties);
        if let Some(audit) = &action.audit {
            self.item();
            self.context_audit(audit);
        }
        self.items(&action.commands, Self::command_request);
        self.close();
    }

    fn action_reply(&mut self, action: &ActionReply) {
        self.assign(token::CONTEXT, action.context);
        if action.properties.is_empty() && action.commands.is_empty() && action.error.is_none() {
            return;
        }
        self.open();
        self.context_properties(&action.properties);
        self.items(&action.commands, Self::command_reply);
        if let Some(error) = &action.error {
            self.item();
            self.error(error);
        }
        self.close();
    }

    fn context_properties(&mut self, properties: &ContextProperties) {
        if !properties.topology.is_empty() {
            self.item();
            self.token(token::TOPOLOGY);
            self.open();
            properties.topology.iter().for_each(|triple| self.topology_triple(triple));
            self.close();
        }
        if let Some(priority) = properties.priority {
            self.item();
            self.assign(token::PRIORITY, priority);
        }
        if let Some(emergency) = properties.emergency {
            self.item();
            self.token(if emergency { token::EMERGENCY } else { token::EMERGENCY_OFF });
        }
        self.on_off(token::IEPS, properties.ieps);
        if !properties.contexts.is_empty() {
            self.item();
            self.token(token::CONTEXT_ATTR);
            self.open();
            self.item();
            self.token(token::CONTEXT_LIST);
            self.equals();
            self.block(&properties.contexts, |p, id| p.show(format_args!("{id}")));
            self.close();
        }
        if !properties.attributes.is_empty() {
            self.item();
            self.token(token::CONTEXT_ATTR);
            self.block(&properties.attributes, Self::property);
        }
    }

    fn topology_triple(&mut self, triple: &TopologyTriple) {
        self.item();
        self.text(triple.from.as_str());
        self.item();
        self.text(triple.to.as_str());
        self.item();
        self.token(match triple.direction {
            TopologyDirection::Bothway => token::BOTHWAY,
            TopologyDirection::Isolate => token::ISOLATE,
            TopologyDirection::Oneway => token::ONEWAY,
            TopologyDirection::OnewayExternal => token::ONEWAY_EXTERNAL,
            TopologyDirection::OnewayBoth => token::ONEWAY_BOTH,
        });
        self.stream(triple.stream);
    }

    fn context_audit(&mut self, audit: &ContextAudit) {
        self.token(token::CONTEXT_AUDIT);
        self.open();
        for (wanted, token) in [
            (audit.topology, token::TOPOLOGY),
            (audit.emergency, token::EMERGENCY),
            (audit.priority, token::PRIORITY),
            (audit.ieps, token::IEPS),
        ] {
            self.flag(token, wanted);
        }
        self.items(&audit.attributes, |p, name| p.show(format_args!("{name}")));
        if let Some(select) = &audit.select {
            // Emergency alone would ask for it instead of selecting by it.
            let mut properties = select.properties.clone();
            if let Some(emergency) = properties.emergency.take() {
                self.item();
                self.token(token::EMERGENCY_VALUE);
                self.equals();
                self.token(if emergency { token::EMERGENCY } else { token::EMERGENCY_OFF });
            }
            self.context_properties(&properties);
            if let Some(any) = select.any {
                self.flag(if any { token::OR_SELECT } else { token::AND_SELECT }, true);
            }
        }
        self.close();
    }

    fn error(&mut self, error: &ErrorDescriptor) {
        self.assign(token::ERROR, error.code.0);
        let pretty = self.style == Style::Pretty;
        self.text(if pretty { " { " } else { "{" });
        if let Some(text) = &error.text {
            self.quoted(text);
            self.text(if pretty { " " } else { "" });
        }
        self.text("}");
    }

    // The pieces that everything is made of.

    fn text(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn show(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a buffer cannot fail.
        let _ = self.out.write_fmt(arguments);
    }

    fn token(&mut self, token: Token) {
        self.text(if self.style == Style::Pretty { token.long } else { token.short });
    }

    fn equals(&mut self) {
        self.text(if self.style == Style::Pretty { " = " } else { "=" });
    }

    /// `Token = value`
    fn assign(&mut self, token: Token, value: impl std::fmt::Display) {
        self.token(token);
        self.equals();
        self.show(format_args!("{value}"));
    }

    fn open(&mut self) {
        let spaced = self.style == Style::Pretty && !self.out.ends_with(' ');
        self.text(if spaced { " {" } else { "{" });
        self.depth += 1;
        self.first = true;
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if !self.first {
            self.line();
        }
        self.text("}");
        self.first = false;
    }

    /// Before each element between braces.
    fn item(&mut self) {
        if !self.first {
            self.text(",");
        }
        self.line();
        self.first = false;
    }

    fn line(&mut self) {
        if self.style == Style::Pretty {
            self.text("\n");
            (0..self.depth).for_each(|_| self.text("\t"));
        }
    }

    fn items<T>(&mut self, items: &[T], each: impl Fn(&mut Self, &T)) {
        for item in items {
            self.item();
            each(self, item);
        }
    }

    fn block<T>(&mut self, items: &[T], each: impl Fn(&mut Self, &T)) {
        self.open();
        self.items(items, each);
        self.close();
    }

    /// An element that is a token, if wanted.
    fn flag(&mut self, token: Token, wanted: bool) {
        if wanted {
            self.item();
            self.token(token);
        }
    }

    fn on_off(&mut self, token: Token, on: Option<bool>) {
        if let Some(on) = on {
            self.item();
            self.assign(token, if on { "ON" } else { "OFF" });
        }
    }

    fn stream(&mut self, stream: Option<StreamId>) {
        if let Some(stream) = stream {
            self.item();
            self.assign(token::STREAM, stream);
        }
    }

    fn quoted(&mut self, text: &str) {
        self.text("\"");
        if text.contains(|c: char| c == '"' || c.is_control()) {
            self.text(&quotable(text.to_owned()));
        } else {
            self.text(text);
        }
        self.text("\"");
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Token(text) if !text.is_empty() && text.bytes().all(is_safe_char) => self.text(text),
            value => self.quoted(value.as_str()),
        }
    }

    fn values(&mut self, values: &[Value]) {
        for (index, value) in values.iter().enumerate() {
            if index > 0 {
                self.text(",");
            }
            self.value(value);
        }
    }

    fn parm_value(&mut self, value: &ParmValue) {
        match value {
            ParmValue::One(value) => {
                self.equals();
                self.value(value);
            }
            ParmValue::All(values) => self.bracketed('[', values, ']'),
            ParmValue::Any(values) => self.bracketed('{', values, '}'),
            ParmValue::Range(low, high) => {
                self.equals();
                self.text("[");
                self.value(low);
                self.text(":");
                self.value(high);
                self.text("]");
            }
            ParmValue::Relation(relation, value) => {
                self.text(match relation {
                    Relation::Greater => ">",
                    Relation::Smaller => "<",
                    Relation::Unequal => "#",
                });
                self.value(value);
            }
        }
    }

    fn bracketed(&mut self, open: char, values: &[Value], close: char) {
        self.equals();
        self.show(format_args!("{open}"));
        self.values(values);
        self.show(format_args!("{close}"));
    }

    fn property(&mut self, property: &PropertyParm) {
        self.show(format_args!("{}", property.name));
        self.parm_value(&property.value);
    }

    fn parm(&mut self, parm: &Parm) {
        self.text(parm.name.as_str());
        self.parm_value(&parm.value);
    }
}
