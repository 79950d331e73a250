//! Messages and transactions: where the grammar is left decides what can still be answered.

mod audit;
mod command;
mod event;
mod media;
mod name;
mod service;

use self::name::*;
use super::names::{self, Item};
use super::naming::Naming;
use super::tlv::{Elements, Fault, Fields, Res, Tlv, fault, fault_as};
use super::value::{Type, read_one, read_parm};
use crate::ast::*;
use crate::codec::{MAX_MESSAGE_BYTES, MAX_TRANSACTIONS, MAX_VERSION, Parsed};
use crate::errors::{ErrorCode, MessageError, Place, SyntaxError, TransactionError, TransactionKind};

/// What an error report needs to know of the way here.
struct Parser<'n> {
    naming: &'n Naming,
    /// The code of an error that has no code of its own.
    level: ErrorCode,
    version: Option<u8>,
    mid: Option<Mid>,
    transaction: Option<TransactionId>,
    context: Option<ContextId>,
    id_octets: Option<u8>,
}

pub(super) fn message(input: &[u8], naming: &Naming) -> Result<Parsed, MessageError> {
    let mut parser = Parser {
        naming,
        level: ErrorCode::SYNTAX_IN_MESSAGE,
        version: None,
        mid: None,
        transaction: None,
        context: None,
        id_octets: None,
    };
    parser.message(input).map_err(|fault| MessageError {
        error: parser.locate(fault),
        version: parser.version,
        mid: parser.mid,
    })
}

impl Parser<'_> {
    fn locate(&self, fault: Fault) -> SyntaxError {
        let what = match fault.what {
            what if what.contains('"') => what.replace('"', "'").into(),
            what => what,
        };
        SyntaxError { code: fault.code.unwrap_or(self.level), place: Place::Octet(fault.at), what }
    }

    /// `MegacoMessage`
    fn message(&mut self, input: &[u8]) -> Res<Parsed> {
        if input.len() > MAX_MESSAGE_BYTES {
            return fault(MAX_MESSAGE_BYTES, format!("message longer than {MAX_MESSAGE_BYTES} octets"));
        }
        let mut elements = Elements::new(input, 0);
        let Some(whole) = elements.next()? else { return fault(0, "an empty message") };
        let mut fields = whole.sequence()?;
        let auth = fields.optional(0)?.map(|auth| auth_header(&auth)).transpose()?;
        let mut message = fields.required(1, "mess")?.fields()?;
        fields.end()?;
        let version = message.required(0, "version")?;
        let mid = message.required(1, "mId")?;
        let (version_at, version) = (version.at, version.uint("version")?);
        self.version = Some(version);
        let mid = mid_of(&mid.choice()?, 0)?;
        self.mid = Some(mid.clone());
        if version == 0 || version > MAX_VERSION {
            let what = format!("version {version} is not spoken here, 1 to {MAX_VERSION} are");
            return fault_as(ErrorCode::VERSION_NOT_SUPPORTED, version_at, what);
        }
        if !elements.is_empty() {
            return fault(elements.at(), "octets behind the message");
        }
        let body = message.required(2, "messageBody")?.choice()?;
        message.end()?;
        let mut errors = Vec::new();
        let body = match body.number {
            0 => Body::Error(error(&body)?),
            1 => Body::Transactions(self.transactions(&body, &mut errors)?),
            _ => return fault(body.at, format!("unknown body {}", body.shown())),
        };
        let message = Message { auth, version, mid, body };
        Ok(Parsed { message, errors, id_octets: self.id_octets })
    }

    fn transactions(&mut self, list: &Tlv<'_>, errors: &mut Vec<TransactionError>) -> Res<Vec<Transaction>> {
        let mut transactions = Vec::new();
        list.each(|element| {
            if transactions.len() + errors.len() == MAX_TRANSACTIONS {
                let what = format!("more than {MAX_TRANSACTIONS} transactions");
                return fault_as(ErrorCode::TOO_MANY_TRANSACTIONS, element.at, what);
            }
            let kind = match element.number {
                0 => TransactionKind::Request,
                1 => TransactionKind::Pending,
                2 => TransactionKind::Reply,
                3 => TransactionKind::Ack,
                4 => TransactionKind::SegmentReply,
                _ => return fault(element.at, format!("a transaction expected, found {}", element.shown())),
            };
            (self.transaction, self.context) = (None, None);
            self.level = ErrorCode::SYNTAX_IN_TRANSACTION;
            match self.transaction(kind, &element) {
                Ok(transaction) => transactions.push(transaction),
                Err(fault) => errors.push(TransactionError {
                    kind,
                    transaction: self.transaction,
                    context: self.context,
                    error: self.locate(fault),
                }),
            }
            self.level = ErrorCode::SYNTAX_IN_MESSAGE;
            Ok(())
        })?;
        if transactions.is_empty() && errors.is_empty() {
            return fault(list.at, "a message without transactions");
        }
        Ok(transactions)
    }

    fn transaction(&mut self, kind: TransactionKind, element: &Tlv<'_>) -> Res<Transaction> {
        match kind {
            TransactionKind::Request => self.request(element),
            TransactionKind::Reply => self.reply(element),
            TransactionKind::Ack => acknowledged(element),
            TransactionKind::Pending => {
                let mut fields = element.fields()?;
                let id = self.transaction_id(&mut fields)?;
                fields.end()?;
                Ok(Transaction::Pending(id))
            }
            TransactionKind::SegmentReply => {
                let mut fields = element.fields()?;
                let id = self.transaction_id(&mut fields)?;
                let number = fields.required(1, "segmentNumber")?.uint("segment number")?;
                let last = flag(&mut fields, 2)?;
                fields.end()?;
                Ok(Transaction::SegmentReply { id, segment: Segment { number, last } })
            }
        }
    }

    fn transaction_id(&mut self, fields: &mut Fields<'_>) -> Res<TransactionId> {
        let id = fields.required(0, "transactionId")?.uint("transaction identifier")?;
        self.transaction = Some(id);
        Ok(id)
    }

    fn request(&mut self, element: &Tlv<'_>) -> Res<Transaction> {
        let mut fields = element.fields()?;
        let id = self.transaction_id(&mut fields)?;
        if matches!(id, 0 | 0xFFFF_FFFE | 0xFFFF_FFFF) {
            // Not answered under an identifier that cannot be one.
            self.transaction = None;
            return fault_as(ErrorCode::INCORRECT_IDENTIFIER, element.at, "not a transaction identifier");
        }
        let actions = fields.required(1, "actions")?;
        let at = actions.at;
        let actions = actions.list(|action| {
            let action = self.action_request(&action)?;
            self.level = ErrorCode::SYNTAX_IN_TRANSACTION;
            self.context = None;
            Ok(action)
        })?;
        fields.end()?;
        if actions.is_empty() {
            return fault(at, "a transaction without actions");
        }
        Ok(Transaction::Request(TransactionRequest { id, actions }))
    }

    fn reply(&mut self, element: &Tlv<'_>) -> Res<Transaction> {
        let mut fields = element.fields()?;
        let id = self.transaction_id(&mut fields)?;
        let immediate_ack = flag(&mut fields, 1)?;
        let result = fields.required(2, "transactionResult")?.choice()?;
        let body = match result.number {
            0 => ReplyBody::Error(error(&result)?),
            1 => {
                let actions = result.list(|action| {
                    let action = self.action_reply(&action)?;
                    self.level = ErrorCode::SYNTAX_IN_TRANSACTION;
                    self.context = None;
                    Ok(action)
                })?;
                if actions.is_empty() {
                    return fault(result.at, "a reply without actions");
                }
                ReplyBody::Actions(actions)
            }
            _ => return fault(result.at, format!("unknown result {}", result.shown())),
        };
        let number = fields.optional(3)?.map(|number| number.uint("segment number")).transpose()?;
        let last = flag(&mut fields, 4)?;
        fields.end()?;
        let segment = number.map(|number| Segment { number, last });
        Ok(Transaction::Reply(TransactionReply { id, immediate_ack, segment, body }))
    }

    fn action_request(&mut self, element: &Tlv<'_>) -> Res<ActionRequest> {
        let mut fields = element.sequence()?;
        let context = self.context_id(&fields.required(0, "contextId")?)?;
        self.level = ErrorCode::SYNTAX_IN_ACTION;
        let properties = self.context_properties_if(fields.optional(1)?)?;
        let audit = fields.optional(2)?.map(|audit| self.context_audit(&audit)).transpose()?;
        // An audit of nothing is none.
        let audit = audit.filter(|audit| *audit != ContextAudit::default());
        let commands = fields.required(3, "commandRequests")?;
        let at = commands.at;
        let commands = commands.list(|command| {
            let command = self.command_request(&command)?;
            self.level = ErrorCode::SYNTAX_IN_ACTION;
            Ok(command)
        })?;
        fields.end()?;
        if commands.is_empty() && audit.is_none() && properties.is_empty() {
            return fault(at, "an action without commands");
        }
        Ok(ActionRequest { context, properties, audit, commands })
    }

    fn action_reply(&mut self, element: &Tlv<'_>) -> Res<ActionReply> {
        let mut fields = element.sequence()?;
        let context = self.context_id(&fields.required(0, "contextId")?)?;
        self.level = ErrorCode::SYNTAX_IN_ACTION;
        let error = fields.optional(1)?.map(|found| error(&found)).transpose()?;
        let properties = self.context_properties_if(fields.optional(2)?)?;
        let commands = fields.required(3, "commandReply")?.list(|command| {
            let command = self.command_reply(&command)?;
            self.level = ErrorCode::SYNTAX_IN_ACTION;
            Ok(command)
        })?;
        fields.end()?;
        Ok(ActionReply { context, properties, commands, error })
    }

    fn context_id(&mut self, id: &Tlv<'_>) -> Res<ContextId> {
        let context = context_id(id)?;
        self.context = Some(context);
        Ok(context)
    }

    /// `ContextRequest`
    fn context_properties_if(&mut self, element: Option<Tlv<'_>>) -> Res<ContextProperties> {
        let Some(element) = element else { return Ok(ContextProperties::default()) };
        let mut fields = element.fields()?;
        let priority = fields.optional(0)?.map(|priority| priority_of(&priority)).transpose()?;
        let emergency = boolean(&mut fields, 1)?;
        let topology = list_if(fields.optional(2)?, |triple| self.topology_triple(&triple))?;
        let ieps = boolean(&mut fields, 3)?;
        let attributes = list_if(fields.optional(4)?, |property| self.property(&property))?;
        let contexts = list_if(fields.optional(5)?, |id| context_id(&id))?;
        fields.end()?;
        Ok(ContextProperties { topology, priority, emergency, ieps, attributes, contexts })
    }

    fn topology_triple(&mut self, element: &Tlv<'_>) -> Res<TopologyTriple> {
        let mut fields = element.sequence()?;
        let from = self.termination_id(&fields.required(0, "terminationFrom")?)?;
        let to = self.termination_id(&fields.required(1, "terminationTo")?)?;
        let direction = fields.required(2, "topologyDirection")?;
        let mut direction = match direction.enumerated()? {
            0 => TopologyDirection::Bothway,
            1 => TopologyDirection::Isolate,
            2 => TopologyDirection::Oneway,
            other => return unknown_value(direction.at, "topology direction", other),
        };
        let stream = stream_id(&mut fields, 3)?;
        if let Some(extension) = fields.optional(4)? {
            direction = match extension.enumerated()? {
                0 => TopologyDirection::OnewayExternal,
                1 => TopologyDirection::OnewayBoth,
                other => return unknown_value(extension.at, "topology direction", other),
            };
        }
        fields.end()?;
        Ok(TopologyTriple { from, to, direction, stream })
    }

    /// `TerminationIDList`
    fn terminations(&mut self, element: &Tlv<'_>) -> Res<Vec<TerminationId>> {
        element.list(|id| {
            id.sequence()?;
            self.termination_id(&id)
        })
    }

    fn termination_id(&mut self, element: &Tlv<'_>) -> Res<TerminationId> {
        let mut fields = element.fields()?;
        let wildcards = fields.required(0, "wildcard")?.list(|field| {
            let [octet] = field.exactly("a wildcard field")?;
            Ok(octet)
        })?;
        let id = fields.required(1, "id")?.octets()?;
        fields.end()?;
        // No more wildcards than levels that any identifier can have.
        if !(1..=8).contains(&id.len()) || wildcards.len() > 8 {
            return fault_as(
                ErrorCode::INCORRECT_IDENTIFIER,
                element.at,
                "a TerminationID has 1 to 8 octets",
            );
        }
        self.id_octets = Some(id.len() as u8);
        Ok(self.naming.read(&wildcards, &id))
    }

    /// `PropertyParm`
    fn property(&self, element: &Tlv<'_>) -> Res<PropertyParm> {
        self.property_fields(element.sequence()?)
    }

    fn property_fields(&self, mut fields: Fields<'_>) -> Res<PropertyParm> {
        let name = pkgd_name(Item::Property, &fields.required(0, "name")?)?;
        let kind = Type::of(names::property_kind(&name), self.naming.dscp);
        let values = fields.required(1, "value")?;
        let value = read_parm(kind, &values, fields.optional(2)?)?;
        fields.end()?;
        Ok(PropertyParm { name, value })
    }
}

fn auth_header(element: &Tlv<'_>) -> Res<AuthHeader> {
    let mut fields = element.fields()?;
    let spi = u32::from_be_bytes(fields.required(0, "secParmIndex")?.exactly("secParmIndex")?);
    let sequence = u32::from_be_bytes(fields.required(1, "seqNum")?.exactly("seqNum")?);
    let data = fields.required(2, "ad")?;
    let octets = data.octets()?.into_owned();
    fields.end()?;
    if !(12..=32).contains(&octets.len()) {
        return fault(data.at, "authentication data has 12 to 32 octets");
    }
    Ok(AuthHeader { spi, sequence, data: octets })
}

/// `TransactionResponseAck`
fn acknowledged(element: &Tlv<'_>) -> Res<Transaction> {
    let ranges = element.list(|range| {
        let mut fields = range.sequence()?;
        let first: u32 = fields.required(0, "firstAck")?.uint("transaction identifier")?;
        let last = fields.optional(1)?.map(|last| last.uint("transaction identifier")).transpose()?;
        fields.end()?;
        let last = last.unwrap_or(first);
        if first > last {
            return fault_as(ErrorCode::INCORRECT_IDENTIFIER, range.at, "a range that ends before it begins");
        }
        Ok(AckRange { first, last })
    })?;
    if ranges.is_empty() {
        return fault(element.at, "an acknowledgement of nothing");
    }
    Ok(Transaction::Ack(ranges))
}

/// `ErrorDescriptor`
fn error(element: &Tlv<'_>) -> Res<ErrorDescriptor> {
    let mut fields = element.fields()?;
    let code = ErrorCode(fields.required(0, "errorCode")?.uint("error code")?);
    let text = match fields.optional(1)? {
        // An IA5String; what is more becomes a question mark.
        Some(text) => Some(quotable(text.text("errorText")?.replace(|c: char| !c.is_ascii(), "?"))),
        None => None,
    };
    fields.end()?;
    Ok(ErrorDescriptor { code, text })
}

/// A NULL that says something by being there.
fn flag(fields: &mut Fields<'_>, number: u32) -> Res<bool> {
    match fields.optional(number)? {
        Some(null) => null.null().map(|()| true),
        None => Ok(false),
    }
}

fn boolean(fields: &mut Fields<'_>, number: u32) -> Res<Option<bool>> {
    fields.optional(number)?.map(|on| on.boolean()).transpose()
}

/// A list that may be missing.
fn list_if<'a, T>(element: Option<Tlv<'a>>, item: impl FnMut(Tlv<'a>) -> Res<T>) -> Res<Vec<T>> {
    element.map(|list| list.list(item)).transpose().map(Option::unwrap_or_default)
}

/// The error of a number that is none of an enumeration.
fn unknown_value<T>(at: usize, what: &str, value: i128) -> Res<T> {
    fault_as(ErrorCode::UNSUPPORTED_VALUE, at, format!("unknown {what} {value}"))
}

/// Fills a place that may be filled once.
fn once<T>(place: &mut Option<T>, value: T, code: ErrorCode, at: usize, what: &str) -> Res<()> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => fault_as(code, at, format!("{what} given twice")),
    }
}
