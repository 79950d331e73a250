//! Messages and transactions: where the grammar is left decides what can still be answered.

mod action;
mod audit;
mod command;
mod event;
mod media;
mod name;
mod service;
mod value;

use super::lex::{Fault, Lexer, Res, shown};
use super::{MAX_ELEMENTS, MAX_MESSAGE_BYTES, MAX_TRANSACTIONS, MAX_VERSION, Parsed, token};
use crate::ast::*;
use crate::errors::{ErrorCode, MessageError, TransactionError, TransactionKind};

/// The reader: the lexer and what an error report needs to know of the way here.
struct Parser<'a> {
    lex: Lexer<'a>,
    version: Option<u8>,
    mid: Option<Mid>,
    transaction: Option<TransactionId>,
    context: Option<ContextId>,
}

pub(super) fn message(input: &[u8]) -> Result<Parsed, MessageError> {
    let mut parser = Parser {
        lex: Lexer::new(input.get(..MAX_MESSAGE_BYTES).unwrap_or(input)),
        version: None,
        mid: None,
        transaction: None,
        context: None,
    };
    let parsed = if input.len() > MAX_MESSAGE_BYTES {
        // The head is still read, for the identifier of the sender.
        let _ = parser.head();
        Err(parser.lex.fault(MAX_MESSAGE_BYTES, format!("message longer than {MAX_MESSAGE_BYTES} octets")))
    } else {
        parser.message()
    };
    parsed.map_err(|fault| MessageError {
        error: parser.lex.locate(fault),
        version: parser.version,
        mid: parser.mid,
    })
}

impl<'a> Parser<'a> {
    fn message(&mut self) -> Res<Parsed> {
        let (auth, version, mid) = self.head()?;
        let mut errors = Vec::new();
        let body = if self.lex.at_end() {
            return Err(self.lex.expected("a transaction or an error"));
        } else if let Some(error) = self.error_descriptor_if()? {
            if !self.lex.at_end() {
                return Err(self.lex.expected("the end of the message"));
            }
            Body::Error(error)
        } else {
            Body::Transactions(self.transactions(&mut errors)?)
        };
        Ok(Parsed { message: Message { auth, version, mid, body }, errors, id_octets: None })
    }

    /// Authentication header, start line and sender.
    fn head(&mut self) -> Res<(Option<AuthHeader>, u8, Mid)> {
        let auth = self.auth_header()?;
        let (version, version_at) = self.start_line()?;
        let mid = self.mid()?;
        // SEP: something must stand between the identifier and the body.
        if !self.lex.skip() && !self.lex.at_end() && !matches!(mid, Mid::Mtp(_)) {
            return Err(self.lex.expected("white space"));
        }
        self.mid = Some(mid.clone());
        if version == 0 || version > MAX_VERSION {
            let what = format!("version {version} is not spoken here, 1 to {MAX_VERSION} are");
            return Err(self.lex.fault_as(ErrorCode::VERSION_NOT_SUPPORTED, version_at, what));
        }
        Ok((auth, version, mid))
    }

    fn auth_header(&mut self) -> Res<Option<AuthHeader>> {
        if !self.lex.eat_token(token::AUTHENTICATION) {
            return Ok(None);
        }
        self.lex.expect(b'=')?;
        let spi = self.auth_number("a security parameter index of 8 hexadecimal digits")?;
        self.lex.expect(b':')?;
        let sequence = self.auth_number("a sequence number of 8 hexadecimal digits")?;
        self.lex.expect(b':')?;
        let word = self.lex.word("authentication data")?;
        let data = name::hex_prefixed(word.text).and_then(name::octets);
        match data {
            Some(data) if (12..=32).contains(&data.len()) => Ok(Some(AuthHeader { spi, sequence, data })),
            _ => Err(self.lex.fault(word.at, "authentication data must be 24 to 64 hexadecimal digits")),
        }
    }

    fn auth_number(&mut self, what: &'static str) -> Res<u32> {
        let word = self.lex.word(what)?;
        name::hex_prefixed(word.text)
            .filter(|digits| digits.len() == 8)
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| self.lex.fault(word.at, format!("{what} expected")))
    }

    /// `MEGACO/2` or `!/2`; also tells where the version stood.
    fn start_line(&mut self) -> Res<(u8, usize)> {
        let word = self.lex.word("MEGACO/version")?;
        let version = word
            .text
            .split_once('/')
            .filter(|(megaco, version)| token::MEGACO.is(megaco) && matches!(version.len(), 1 | 2))
            .and_then(|(_, version)| name::decimal::<u8>(version));
        match version {
            Some(version) => {
                self.version = Some(version);
                Ok((version, word.at + word.text.find('/').map_or(0, |slash| slash + 1)))
            }
            None => {
                Err(self.lex.fault(word.at, format!("MEGACO/version expected, found {}", shown(word.text))))
            }
        }
    }

    fn transactions(&mut self, errors: &mut Vec<TransactionError>) -> Res<Vec<Transaction>> {
        let mut transactions = Vec::new();
        while !self.lex.at_end() {
            if transactions.len() + errors.len() == MAX_TRANSACTIONS {
                let what = format!("more than {MAX_TRANSACTIONS} transactions");
                return Err(self.lex.fault_as(ErrorCode::TOO_MANY_TRANSACTIONS, self.lex.at(), what));
            }
            let start = self.lex.at();
            let kind = self.transaction_kind()?;
            (self.transaction, self.context) = (None, None);
            self.lex.level = ErrorCode::SYNTAX_IN_TRANSACTION;
            match self.transaction(kind) {
                Ok(transaction) => transactions.push(transaction),
                // A segment reply has no braces to leap over.
                Err(mut fault) if kind == TransactionKind::SegmentReply => {
                    fault.code = ErrorCode::SYNTAX_IN_MESSAGE;
                    return Err(fault);
                }
                Err(fault) => {
                    errors.push(TransactionError {
                        kind,
                        transaction: self.transaction,
                        context: self.context,
                        error: self.lex.locate(fault),
                    });
                    if !self.lex.leap(start) {
                        break;
                    }
                }
            }
            self.lex.level = ErrorCode::SYNTAX_IN_MESSAGE;
        }
        Ok(transactions)
    }

    fn transaction_kind(&mut self) -> Res<TransactionKind> {
        let word = self.lex.word("a transaction")?;
        Ok(match word.text {
            w if token::TRANSACTION.is(w) => TransactionKind::Request,
            w if token::REPLY.is(w) => TransactionKind::Reply,
            w if token::PENDING.is(w) => TransactionKind::Pending,
            w if token::RESPONSE_ACK.is(w) => TransactionKind::Ack,
            w if token::SEGMENT.is(w) => TransactionKind::SegmentReply,
            w => return Err(self.lex.fault(word.at, format!("a transaction expected, found {}", shown(w)))),
        })
    }

    fn transaction(&mut self, kind: TransactionKind) -> Res<Transaction> {
        if kind == TransactionKind::Ack {
            return self.response_ack();
        }
        self.lex.expect(b'=')?;
        match kind {
            TransactionKind::Request => self.request(),
            TransactionKind::Reply => self.reply(),
            TransactionKind::Pending => {
                let at = self.lex.at();
                let (id, segment) = self.transaction_id()?;
                if segment.is_some() {
                    let what = "a Pending has no segments";
                    return Err(self.lex.fault_as(ErrorCode::INCORRECT_IDENTIFIER, at, what));
                }
                self.lex.open()?;
                self.lex.close()?;
                Ok(Transaction::Pending(id))
            }
            TransactionKind::SegmentReply | TransactionKind::Ack => {
                let at = self.lex.at();
                let (id, segment) = self.transaction_id()?;
                let segment = segment.ok_or_else(|| self.lex.fault(at, "a segment number is missing"))?;
                Ok(Transaction::SegmentReply { id, segment })
            }
        }
    }

    fn request(&mut self) -> Res<Transaction> {
        let at = self.lex.at();
        let (id, segment) = self.transaction_id()?;
        if segment.is_some() || matches!(id, 0 | 0xFFFF_FFFE | 0xFFFF_FFFF) {
            // Not answered under an identifier that cannot be one.
            self.transaction = None;
            return Err(self.lex.fault_as(
                ErrorCode::INCORRECT_IDENTIFIER,
                at,
                "not a transaction identifier",
            ));
        }
        let mut actions = Vec::new();
        self.list(|p| {
            actions.push(p.action_request()?);
            p.lex.level = ErrorCode::SYNTAX_IN_TRANSACTION;
            p.context = None;
            Ok(())
        })?;
        Ok(Transaction::Request(TransactionRequest { id, actions }))
    }

    fn reply(&mut self) -> Res<Transaction> {
        let (id, segment) = self.transaction_id()?;
        self.lex.open()?;
        let immediate_ack = self.lex.eat_token(token::IMMEDIATE_ACK);
        if immediate_ack {
            self.lex.expect(b',')?;
        }
        let body = match self.error_descriptor_if()? {
            Some(error) => {
                self.lex.close()?;
                ReplyBody::Error(error)
            }
            None => {
                let mut actions = Vec::new();
                self.rest_of_list(b'}', |p| {
                    actions.push(p.action_reply()?);
                    p.lex.level = ErrorCode::SYNTAX_IN_TRANSACTION;
                    p.context = None;
                    Ok(())
                })?;
                ReplyBody::Actions(actions)
            }
        };
        Ok(Transaction::Reply(TransactionReply { id, immediate_ack, segment, body }))
    }

    fn response_ack(&mut self) -> Res<Transaction> {
        let mut ranges = Vec::new();
        self.list(|p| {
            let word = p.lex.word("a transaction identifier")?;
            let (first, last) = word.text.split_once('-').unwrap_or((word.text, word.text));
            match (name::decimal(first), name::decimal(last)) {
                (Some(first), Some(last)) if first <= last => ranges.push(AckRange { first, last }),
                _ => {
                    let what =
                        format!("a transaction identifier or range expected, found {}", shown(word.text));
                    return Err(p.lex.fault_as(ErrorCode::INCORRECT_IDENTIFIER, word.at, what));
                }
            }
            Ok(())
        })?;
        Ok(Transaction::Ack(ranges))
    }

    /// `1001`, and in version 3 `1001/2` and `1001/2/END`.
    fn transaction_id(&mut self) -> Res<(TransactionId, Option<Segment>)> {
        let word = self.lex.word("a transaction identifier")?;
        let mut parts = word.text.split('/');
        let id = parts.next().and_then(name::decimal);
        self.transaction = id;
        let segment = match (parts.next().map(name::decimal), parts.next(), parts.next()) {
            (None, ..) => Some(None),
            (Some(Some(number)), None, _) => Some(Some(Segment { number, last: false })),
            (Some(Some(number)), Some(end), None) if token::END.is(end) => {
                Some(Some(Segment { number, last: true }))
            }
            _ => None,
        };
        id.zip(segment).ok_or_else(|| {
            let what = format!("a transaction identifier expected, found {}", shown(word.text));
            self.lex.fault_as(ErrorCode::INCORRECT_IDENTIFIER, word.at, what)
        })
    }

    /// An Error descriptor, if one is next.
    fn error_descriptor_if(&mut self) -> Res<Option<ErrorDescriptor>> {
        if self.lex.peek_after_word() == Some(b'=') && self.lex.eat_token(token::ERROR) {
            self.error_descriptor().map(Some)
        } else {
            Ok(None)
        }
    }

    /// What follows the token of an Error descriptor.
    fn error_descriptor(&mut self) -> Res<ErrorDescriptor> {
        self.lex.expect(b'=')?;
        let word = self.lex.word("an error code")?;
        let code = name::decimal(word.text).filter(|_| word.text.len() <= 4);
        let code = code.ok_or_else(|| self.lex.fault(word.at, "an error code of up to 4 digits expected"))?;
        self.lex.open()?;
        let text = self.lex.quoted()?.map(str::to_owned);
        self.lex.close()?;
        Ok(ErrorDescriptor { code: ErrorCode(code), text })
    }

    /// `{ item, item }` with at least one item.
    fn list(&mut self, item: impl FnMut(&mut Self) -> Res<()>) -> Res<()> {
        self.lex.open()?;
        self.rest_of_list(b'}', item)
    }

    /// `{ item, item }` or `{}`.
    fn list_or_nothing(&mut self, item: impl FnMut(&mut Self) -> Res<()>) -> Res<()> {
        self.lex.open()?;
        if self.lex.eat_close() { Ok(()) } else { self.rest_of_list(b'}', item) }
    }

    /// `{ item, item }`, `{}` or no braces at all.
    fn optional_list(&mut self, item: impl FnMut(&mut Self) -> Res<()>) -> Res<()> {
        if self.lex.peek() == Some(b'{') { self.list_or_nothing(item) } else { Ok(()) }
    }

    /// Items up to the bracket or brace that closes the list.
    fn rest_of_list(&mut self, closing: u8, mut item: impl FnMut(&mut Self) -> Res<()>) -> Res<()> {
        for _ in 0..MAX_ELEMENTS {
            item(self)?;
            if !self.lex.eat(b',') {
                return match closing {
                    b'}' => self.lex.eat_close().then_some(()).ok_or_else(|| self.lex.expected("',' or '}'")),
                    _ => self.lex.expect(closing),
                };
            }
        }
        Err(self.lex.fault(self.lex.at(), format!("more than {MAX_ELEMENTS} elements in a list")))
    }

    /// Fills a place that may be filled once.
    fn once<T>(&self, place: &mut Option<T>, value: T, code: ErrorCode, at: usize, what: &str) -> Res<()> {
        match place.replace(value) {
            None => Ok(()),
            Some(_) => Err(self.lex.fault_as(code, at, format!("{what} given twice"))),
        }
    }
}

/// The error of an unknown word where one of a few is expected.
fn unknown(lex: &Lexer<'_>, code: ErrorCode, at: usize, what: &str, word: &str) -> Fault {
    lex.fault_as(code, at, format!("unknown {what} {}", shown(word)))
}
