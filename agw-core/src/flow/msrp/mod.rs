//! One direction of an MSRP connection as a stream of bytes (RFC 4975, with the relays of RFC 4976 transparent): tells messages apart and
//! says other paths in them where it is told to (TLS-10). A message is never held: what comes in goes out at once, but for at most the ten
//! bytes that may become the name of a path. So chunks may be of any size, bodies of any bytes, and what a connection costs is the size of
//! [`MsrpStream`] and of the paths it was given. Reading and writing are the caller's, who may cut both wherever he likes.
//!
//! ```text
//! MSRP SP transact-id SP (METHOD | status [SP comment]) CRLF      start line
//! *(name ":" value CRLF)                                           To-Path and From-Path come first
//! [CRLF body CRLF]
//! "-------" transact-id ("+" | "$" | "#") CRLF                     end-line
//! ```
//!
//! **Paths.** Each side of the gateway is an endpoint of its own to the peer there. A request leaves with the peer's whole path in To-Path (as
//! RFC 4975 section 7.1 has an endpoint do; relays of RFC 4976 take their URI off) and with our URI alone in From-Path. A response goes to the
//! previous hop only (section 7.2, for SEND): its To-Path is the first URI of the peer's path, which is the relay next to us or
//! the peer itself. The whole path would be right in responses to other methods, but there are none that could come here: REPORT has no
//! responses, and AUTH is between a client and its relay. Everything else of a message stays, Byte-Range and Status and body included.

mod body;
mod error;
mod head;
#[cfg(test)]
mod tests;

pub use error::MsrpError;

use arrayvec::ArrayVec;
use body::Closing;
use std::mem;

/// The longest line of a message's head, in bytes, CRLF included.
pub const MAX_LINE_BYTES: usize = 4096;
/// The longest head of a message (start line and headers), in bytes.
pub const MAX_HEADER_BYTES: usize = 16_384;
/// The longest body of one chunk, in bytes. Whole files come in one chunk (`Byte-Range: 1-*/*`), so it is wide; nothing is held of it.
pub const MAX_CHUNK_BYTES: u64 = 1 << 32;
/// The longest transact-id. RFC 4975 section 9 allows 32; a UUID is a little longer.
pub const MAX_TRANSACTION_ID_BYTES: usize = 64;
/// With so many bytes of room [`MsrpStream::transform`] takes something of what is there.
pub const MIN_OUTPUT_BYTES: usize = 1;

const TO_PATH: &[u8] = b"To-Path";
const FROM_PATH: &[u8] = b"From-Path";

/// What the messages of one direction say when they leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// To-Path: the whole path of the peer to whom they go, as its `a=path` has it; one URI or several with a space between them.
    pub to_path: Box<str>,
    /// From-Path: our own URI on the side where they leave.
    pub from_path: Box<str>,
}

/// The state of one direction.
#[derive(Debug)]
pub struct MsrpStream {
    rewrite: Option<Rewrite>,
    /// What counts from the next message on.
    next_rewrite: Option<Option<Rewrite>>,
    state: State,
    transaction_id: ArrayVec<u8, MAX_TRANSACTION_ID_BYTES>,
    is_response: bool,
    /// The beginning of a header's name, as long as it may be one of the paths.
    held: ArrayVec<u8, { FROM_PATH.len() + 1 }>,
    pending: Pending,
    line_bytes: usize,
    header_bytes: usize,
    chunk_bytes: u64,
    closing: Closing,
    requests: u64,
    responses: u64,
    whole: u64,
}

/// Where in a message we are, by what comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// "MSRP " of a start line, of which so many bytes have come.
    Protocol(usize),
    TransactionId,
    /// The first byte after the transact-id.
    Kind,
    Method,
    /// A status, of which so many digits have come.
    Status(u8),
    /// The rest of a line, which passes.
    Text,
    /// The rest of a line in whose place a path of ours is sent.
    Replaced,
    LineFeed,
    /// The first byte of a line of the head.
    LineStart,
    /// The name of a header; `held`: it has been one of the paths' up to now.
    Name {
        held: bool,
    },
    BlankLineFeed,
    /// The end-line right behind the headers.
    EndLine,
    Body,
    Failed(MsrpError),
}

/// What goes out before anything else comes in; of each, the bytes from `at` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    Nothing,
    /// What was held is no path.
    Held {
        at: usize,
    },
    To {
        at: usize,
    },
    From {
        at: usize,
    },
}

/// Where bytes go.
struct Output<'a> {
    bytes: &'a mut [u8],
    used: usize,
}

impl Output<'_> {
    fn room(&self) -> usize {
        self.bytes.len() - self.used
    }

    /// Takes as much as there is room for; says how much.
    fn put(&mut self, bytes: &[u8]) -> usize {
        let count = bytes.len().min(self.room());
        self.bytes[self.used..][..count].copy_from_slice(&bytes[..count]);
        self.used += count;
        count
    }
}

impl MsrpStream {
    /// A stream before its first message. Without a rewrite bytes are told apart and counted, and none is changed.
    pub fn new(rewrite: Option<Rewrite>) -> Self {
        Self {
            rewrite,
            next_rewrite: None,
            state: State::Protocol(0),
            transaction_id: ArrayVec::new(),
            is_response: false,
            held: ArrayVec::new(),
            pending: Pending::Nothing,
            line_bytes: 0,
            header_bytes: 0,
            chunk_bytes: 0,
            closing: Closing::new(),
            requests: 0,
            responses: 0,
            whole: 0,
        }
    }

    /// Other paths, or none, from the next message on.
    pub fn set_rewrite(&mut self, rewrite: Option<Rewrite>) {
        if self.is_between_messages() {
            self.rewrite = rewrite;
            self.next_rewrite = None;
        } else {
            self.next_rewrite = Some(rewrite);
        }
    }

    /// Is before its first message again, whatever there was: another connection has come. Paths and counts stay.
    pub fn begin_anew(&mut self) {
        let rewrite = self.next_rewrite.take().unwrap_or_else(|| self.rewrite.take());
        let (requests, responses, whole) = (self.requests, self.responses, self.whole);
        *self = Self { requests, responses, whole, ..Self::new(rewrite) };
    }

    /// Takes bytes from `input` and puts what becomes of them into `output`; returns how many it took and how many it put. While `input` has bytes
    /// and `output` has room for [`MIN_OUTPUT_BYTES`] it does something; it stops when either is used up, and before what is wrong.
    /// Of a path that is being replaced a rest may wait for room; it goes with the next call, whose input may be empty.
    ///
    /// # Errors
    /// The next byte of `input` is not MSRP, or one too many; nothing was taken or put. The stream has ended with that: every later call says the same.
    pub fn transform(&mut self, input: &[u8], output: &mut [u8]) -> Result<(usize, usize), MsrpError> {
        let mut output = Output { bytes: output, used: 0 };
        let mut taken = 0;
        while self.flush(&mut output) && taken < input.len() && output.room() > 0 {
            match self.step(&input[taken..], &mut output) {
                Ok(count) => taken += count,
                Err(error) => {
                    self.state = State::Failed(error);
                    // What came before it was good, and has to arrive.
                    return if taken + output.used > 0 { Ok((taken, output.used)) } else { Err(error) };
                }
            }
        }
        Ok((taken, output.used))
    }

    /// Whole messages that have passed, requests and responses; of a message in chunks each counts.
    pub const fn messages(&self) -> u64 {
        self.requests + self.responses
    }

    /// Whole requests that have passed.
    pub const fn requests(&self) -> u64 {
        self.requests
    }

    /// Requests that have passed and end a message: as many as there were whole messages, and reports.
    pub const fn whole_messages(&self) -> u64 {
        self.whole
    }

    /// Whole responses that have passed.
    pub const fn responses(&self) -> u64 {
        self.responses
    }

    /// Whether the last message is whole and none has begun. A stream that ends elsewhere was cut.
    pub const fn is_between_messages(&self) -> bool {
        matches!(self.state, State::Protocol(0))
    }

    /// Whether something waits to go out that needs no more input, only room: call [`MsrpStream::transform`] again, with nothing if there is nothing.
    pub const fn has_output(&self) -> bool {
        !matches!(self.pending, Pending::Nothing)
    }

    /// Takes at least one byte. There is room for one, and nothing is pending.
    fn step(&mut self, rest: &[u8], output: &mut Output<'_>) -> Result<usize, MsrpError> {
        match self.state {
            State::Failed(error) => Err(error),
            State::Body => self.body(rest, output),
            State::Text => self.text(rest, output),
            _ => self.head(rest[0], output),
        }
    }

    /// Sends what is pending; whether all of it has gone.
    fn flush(&mut self, output: &mut Output<'_>) -> bool {
        let (parts, mut at): ([&[u8]; 3], usize) = match self.pending {
            Pending::Nothing => return true,
            Pending::Held { at } => ([&self.held, b"", b""], at),
            Pending::To { at } => ([TO_PATH, b": ", self.destination().as_bytes()], at),
            Pending::From { at } => ([FROM_PATH, b": ", self.origin().as_bytes()], at),
        };
        let mut skip = at;
        let mut whole = true;
        for part in parts {
            let rest = &part[skip.min(part.len())..];
            skip = skip.saturating_sub(part.len());
            let count = output.put(rest);
            at += count;
            whole &= count == rest.len();
        }
        self.pending = match self.pending {
            _ if whole => Pending::Nothing,
            Pending::To { .. } => Pending::To { at },
            Pending::From { .. } => Pending::From { at },
            _ => Pending::Held { at },
        };
        if whole {
            self.held.clear();
        }
        whole
    }

    /// RFC 4975 sections 7.1 and 7.2: see above.
    fn destination(&self) -> &str {
        let whole = self.rewrite.as_ref().map_or("", |rewrite| &rewrite.to_path);
        match whole.split_once(' ') {
            Some((first, _)) if self.is_response => first,
            _ => whole,
        }
    }

    fn origin(&self) -> &str {
        self.rewrite.as_ref().map_or("", |rewrite| &rewrite.from_path)
    }

    fn begin_message(&mut self) {
        if let Some(rewrite) = mem::take(&mut self.next_rewrite) {
            self.rewrite = rewrite;
        }
        self.transaction_id.clear();
        self.line_bytes = 0;
        self.header_bytes = 0;
        self.chunk_bytes = 0;
    }

    fn end_message(&mut self) {
        *(if self.is_response { &mut self.responses } else { &mut self.requests }) += 1;
        self.whole += u64::from(!self.is_response && self.closing.was_last());
        self.state = State::Protocol(0);
    }
}
