//! The head of a message, byte by byte: start line, headers, and the end-line of a message without a body (RFC 4975 section 9). Strict where
//! something could be read in two ways (line ends, control characters), for what the next reader takes for a header must be
//! what we took for one; tolerant of everything else: unknown methods, statuses and headers pass, and the paths may stand anywhere.

use super::body::Match;
use super::{
    FROM_PATH, MAX_HEADER_BYTES, MAX_LINE_BYTES, MsrpError, MsrpStream, Output, Pending, State, TO_PATH,
};

const PROTOCOL: &[u8] = b"MSRP ";
const STATUS_DIGITS: u8 = 3;

/// What becomes of a byte at once.
#[derive(PartialEq, Eq)]
enum Fate {
    Passes,
    /// It is held, or something else goes in its place.
    Stays,
}

impl MsrpStream {
    /// One byte of a head.
    pub(super) fn head(&mut self, byte: u8, output: &mut Output<'_>) -> Result<usize, MsrpError> {
        if self.is_between_messages() {
            self.begin_message();
        }
        self.count(1)?;
        if self.handle_byte(byte)? == Fate::Passes {
            output.put(&[byte]);
        }
        Ok(1)
    }

    /// As much of a line's text as there is at once.
    pub(super) fn text(&mut self, rest: &[u8], output: &mut Output<'_>) -> Result<usize, MsrpError> {
        let limit = rest.len().min(output.room());
        let run = rest[..limit].iter().position(|byte| !is_text(*byte)).unwrap_or(limit);
        if run == 0 {
            return self.head(rest[0], output);
        }
        self.count(run)?;
        Ok(output.put(&rest[..run]))
    }

    fn count(&mut self, bytes: usize) -> Result<(), MsrpError> {
        self.line_bytes += bytes;
        self.header_bytes += bytes;
        if self.line_bytes > MAX_LINE_BYTES {
            return Err(MsrpError::LineTooLong);
        }
        if self.header_bytes > MAX_HEADER_BYTES {
            return Err(MsrpError::HeadersTooLong);
        }
        Ok(())
    }

    fn handle_byte(&mut self, byte: u8) -> Result<Fate, MsrpError> {
        self.state = match (self.state, byte) {
            (State::Protocol(seen), _) => protocol(seen, byte)?,
            (State::TransactionId, b' ') if !self.transaction_id.is_empty() => State::Kind,
            (State::TransactionId, _) => self.transaction_id_byte(byte)?,
            (State::Kind, b'0'..=b'9') => self.kind(true, State::Status(1)),
            (State::Kind, b'A'..=b'Z') => self.kind(false, State::Method),
            (State::Method, b'A'..=b'Z') => State::Method,
            (State::Status(digits), b'0'..=b'9') if digits < STATUS_DIGITS => State::Status(digits + 1),
            (State::Status(STATUS_DIGITS), b' ') => State::Text,
            (State::Method | State::Status(STATUS_DIGITS), b'\r') => State::LineFeed,
            (State::Kind | State::Method | State::Status(_), _) => return Err(MsrpError::StartLine),
            (State::Text | State::Replaced, b'\r') => State::LineFeed,
            (State::Replaced, _) if is_text(byte) => return Ok(Fate::Stays),
            (State::LineFeed, b'\n') => self.line_start(),
            (State::LineStart, b'\r') => State::BlankLineFeed,
            (State::LineStart, b'-') => {
                self.closing.begin_line();
                self.end_line(byte)?
            }
            (State::LineStart, _) if byte.is_ascii_alphabetic() => {
                return self.name(byte, self.rewrite.is_some());
            }
            (State::Name { held }, _) => return self.name(byte, held),
            (State::BlankLineFeed, b'\n') => {
                // A body without a byte: its end-line may follow at once, the blank line's CRLF standing for the one before the end-line.
                self.closing.begin_line();
                State::Body
            }
            (State::EndLine, _) => self.end_line(byte)?,
            _ => return Err(MsrpError::Header),
        };
        if self.state == State::Protocol(0) {
            self.end_message();
        }
        Ok(Fate::Passes)
    }

    fn kind(&mut self, is_response: bool, next: State) -> State {
        self.is_response = is_response;
        next
    }

    fn line_start(&mut self) -> State {
        self.line_bytes = 0;
        State::LineStart
    }

    fn transaction_id_byte(&mut self, byte: u8) -> Result<State, MsrpError> {
        let allowed = byte.is_ascii_alphanumeric()
            || (!self.transaction_id.is_empty() && matches!(byte, b'.' | b'-' | b'+' | b'%' | b'='));
        if !allowed || self.transaction_id.try_push(byte).is_err() {
            return Err(MsrpError::TransactionId);
        }
        Ok(State::TransactionId)
    }

    fn end_line(&mut self, byte: u8) -> Result<State, MsrpError> {
        match self.closing.advance(byte, &self.transaction_id) {
            Match::Whole => Ok(State::Protocol(0)),
            Match::Partly => Ok(State::EndLine),
            Match::Not => Err(MsrpError::Header),
        }
    }

    /// A byte of a header's name, or the colon after it.
    fn name(&mut self, byte: u8, held: bool) -> Result<Fate, MsrpError> {
        if byte != b':' && !is_token(byte) {
            return Err(MsrpError::Header);
        }
        self.state = if byte == b':' { State::Text } else { State::Name { held } };
        if !held {
            return Ok(Fate::Passes);
        }
        if byte == b':' {
            let is_to = self.held.eq_ignore_ascii_case(TO_PATH);
            if is_to || self.held.eq_ignore_ascii_case(FROM_PATH) {
                self.pending = if is_to { Pending::To { at: 0 } } else { Pending::From { at: 0 } };
                self.state = State::Replaced;
                return Ok(Fate::Stays);
            }
        }
        self.held.push(byte);
        if byte == b':' || !(begins(TO_PATH, &self.held) || begins(FROM_PATH, &self.held)) {
            self.pending = Pending::Held { at: 0 };
            if byte != b':' {
                self.state = State::Name { held: false };
            }
        }
        Ok(Fate::Stays)
    }
}

fn protocol(seen: usize, byte: u8) -> Result<State, MsrpError> {
    match PROTOCOL.get(seen) {
        Some(expected) if *expected != byte => Err(MsrpError::StartLine),
        Some(_) if seen + 1 < PROTOCOL.len() => Ok(State::Protocol(seen + 1)),
        _ => Ok(State::TransactionId),
    }
}

/// Whether `name` begins with `start`, letters' case aside.
fn begins(name: &[u8], start: &[u8]) -> bool {
    name.get(..start.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(start))
}

/// `utf8text`, but for the order of its continuation bytes, which is the receiver's affair.
const fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

/// `token` (RFC 4975 section 9).
const fn is_token(byte: u8) -> bool {
    matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'0'..=b'9' | b'A'..=b'Z' | b'^'..=b'~')
}
