//! The body of a message, which ends with CRLF, seven hyphens, the message's transact-id, a continuation flag and CRLF (RFC 4975
//! sections 5.1 and 9) and may hold anything else, beginnings of that included. Bytes pass as they come; all that is kept between two reads
//! is how much of the ending they have matched. A carriage return stands in the ending only at its beginning and near its end, so that after a mismatch only
//! the byte at hand can begin it anew.

use super::{MAX_CHUNK_BYTES, MAX_TRANSACTION_ID_BYTES, MsrpError, MsrpStream, Output};
use memchr::memmem::Finder;

/// The beginning of every ending.
const OPENING: &[u8] = b"\r\n-------";
const LINE_END_BYTES: usize = 2;
/// An ending without its transact-id: opening, flag, CRLF.
const FRAME_BYTES: usize = OPENING.len() + 1 + LINE_END_BYTES;
const _: () = assert!(MAX_TRANSACTION_ID_BYTES + FRAME_BYTES <= u8::MAX as usize);

/// How much of the ending has come.
#[derive(Debug)]
pub(super) struct Closing {
    matched: u8,
    /// The continuation flag, once it has come.
    flag: u8,
    /// Looks for [`OPENING`], many bytes at a time.
    finder: Finder<'static>,
}

/// What a byte does to the match.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Match {
    Whole,
    Partly,
    /// It is not what had to come; it may begin the ending anew.
    Not,
}

impl Closing {
    pub(super) fn new() -> Self {
        Self { matched: 0, flag: 0, finder: Finder::new(OPENING) }
    }

    /// A line begins: the CRLF of the ending has come.
    pub(super) fn begin_line(&mut self) {
        self.matched = LINE_END_BYTES as u8;
    }

    /// Whether the ending that was whole last says that the message is: not that more follows, nor that it was given up.
    pub(super) fn was_last(&self) -> bool {
        self.flag == b'$'
    }

    /// One byte after those that matched.
    pub(super) fn advance(&mut self, byte: u8, transaction_id: &[u8]) -> Match {
        let at = usize::from(self.matched);
        let fits = if let Some(expected) = OPENING.get(at) {
            byte == *expected
        } else if let Some(expected) = transaction_id.get(at - OPENING.len()) {
            byte == *expected
        } else {
            match at - OPENING.len() - transaction_id.len() {
                0 => {
                    self.flag = byte;
                    matches!(byte, b'+' | b'$' | b'#')
                }
                1 => byte == b'\r',
                _ => byte == b'\n',
            }
        };
        if !fits {
            self.matched = u8::from(byte == b'\r');
            return Match::Not;
        }
        self.matched += 1;
        match usize::from(self.matched) == transaction_id.len() + FRAME_BYTES {
            true => Match::Whole,
            false => Match::Partly,
        }
    }

    /// How many of these bytes belong to the body and its ending, and whether the ending is whole.
    fn scan(&mut self, bytes: &[u8], transaction_id: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while at < bytes.len() {
            if self.matched == 0 {
                let rest = &bytes[at..];
                let Some(found) = self.finder.find(rest) else {
                    self.matched = begun(rest);
                    break;
                };
                at += found + OPENING.len();
                self.matched = OPENING.len() as u8;
                continue;
            }
            at += 1;
            if self.advance(bytes[at - 1], transaction_id) == Match::Whole {
                return (at, true);
            }
        }
        (bytes.len(), false)
    }
}

/// How much of [`OPENING`] stands at the end of bytes that do not hold all of it.
fn begun(bytes: &[u8]) -> u8 {
    let most = bytes.len().min(OPENING.len() - 1);
    (1..=most).rev().find(|count| bytes.ends_with(&OPENING[..*count])).unwrap_or(0) as u8
}

impl MsrpStream {
    /// As much of a body as there is at once, up to its end.
    pub(super) fn body(&mut self, rest: &[u8], output: &mut Output<'_>) -> Result<usize, MsrpError> {
        let bytes = &rest[..rest.len().min(output.room())];
        let (taken, ended) = self.closing.scan(bytes, &self.transaction_id);
        self.chunk_bytes += taken as u64;
        if self.chunk_bytes > MAX_CHUNK_BYTES {
            return Err(MsrpError::ChunkTooLong);
        }
        output.put(&bytes[..taken]);
        if ended {
            self.end_message();
        }
        Ok(taken)
    }
}
