//! From octets to words, punctuation and strings.
//!
//! Outside quoted strings and SDP the text encoding has only two kinds of things: words, which are runs of the SafeChar set, and
//! single punctuation characters; white space and comments may stand between any two (H.248.1 Annex B.2, LWSP). The lexer rests
//! before the next thing, white space skipped. It counts open braces so that no input nests deeper than [`MAX_NESTING`], and it can
//! leap over a broken transaction to the brace that closes it.

use std::borrow::Cow;

use super::token;
use crate::ast::is_safe_char;
use crate::errors::{ErrorCode, Place, SyntaxError};

/// The most braces open at once; the grammar itself needs 14.
pub const MAX_NESTING: usize = 16;
/// The most octets of the input that an error repeats.
const MAX_SHOWN: usize = 32;

/// An error and the place it was found at, as an offset until someone wants to read it.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) code: ErrorCode,
    pub(super) at: usize,
    pub(super) what: Cow<'static, str>,
}

pub(super) type Res<T> = Result<T, Fault>;

/// A word and where it began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
}

#[derive(Clone)]
pub(super) struct Lexer<'a> {
    input: &'a [u8],
    at: usize,
    depth: usize,
    /// The code of an error that has no code of its own: where in the message we are.
    pub(super) level: ErrorCode,
}

/// SafeChar, as a table: words are most of a message.
static SAFE: [bool; 256] = {
    let mut table = [false; 256];
    let mut b = 0;
    while b < 256 {
        table[b] = is_safe_char(b as u8);
        b += 1;
    }
    table
};

impl<'a> Lexer<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        let mut lexer = Lexer { input, at: 0, depth: 0, level: ErrorCode::SYNTAX_IN_MESSAGE };
        lexer.skip();
        lexer
    }

    /// The offset of the next thing.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// The next octet, if any.
    pub(super) fn peek(&self) -> Option<u8> {
        self.input.get(self.at).copied()
    }

    pub(super) fn at_end(&self) -> bool {
        self.at >= self.input.len()
    }

    /// LWSP: white space, line ends and comments. Returns whether there was any.
    pub(super) fn skip(&mut self) -> bool {
        let start = self.at;
        while let Some(b) = self.peek() {
            match b {
                b' ' | b'\t' | b'\r' | b'\n' => self.at += 1,
                b';' => {
                    let rest = self.input.get(self.at..).unwrap_or_default();
                    self.at += rest.iter().position(|b| matches!(b, b'\r' | b'\n')).unwrap_or(rest.len());
                }
                _ => break,
            }
        }
        self.at > start
    }

    /// Takes a punctuation character if it is next.
    pub(super) fn eat(&mut self, punctuation: u8) -> bool {
        let found = self.peek() == Some(punctuation);
        if found {
            self.at += 1;
            self.skip();
        }
        found
    }

    /// Takes a punctuation character, or says that it is missing.
    pub(super) fn expect(&mut self, punctuation: u8) -> Res<()> {
        if self.eat(punctuation) {
            Ok(())
        } else {
            Err(self.expected(&format!("'{}'", char::from(punctuation))))
        }
    }

    /// `{`
    pub(super) fn open(&mut self) -> Res<()> {
        let at = self.at;
        self.expect(b'{')?;
        self.depth += 1;
        if self.depth > MAX_NESTING {
            return Err(self.fault(at, format!("more than {MAX_NESTING} braces open")));
        }
        Ok(())
    }

    /// `}`
    pub(super) fn close(&mut self) -> Res<()> {
        self.expect(b'}')?;
        self.depth = self.depth.saturating_sub(1);
        Ok(())
    }

    /// Takes `}` if it is next.
    pub(super) fn eat_close(&mut self) -> bool {
        let found = self.eat(b'}');
        if found {
            self.depth = self.depth.saturating_sub(1);
        }
        found
    }

    /// The next word without what follows it, white space included; empty if something else is next.
    pub(super) fn bare_word(&mut self) -> Word<'a> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|b| !SAFE[usize::from(*b)]).unwrap_or(rest.len());
        let word = Word { text: ascii(rest.get(..length).unwrap_or_default()), at: self.at };
        self.at += length;
        word
    }

    /// The next word; `what` is said to be missing if there is none.
    pub(super) fn word(&mut self, what: &str) -> Res<Word<'a>> {
        let word = self.bare_word();
        if word.text.is_empty() {
            return Err(self.expected(what));
        }
        self.skip();
        Ok(word)
    }

    /// Takes the next word if it is this token.
    pub(super) fn eat_token(&mut self, token: token::Token) -> bool {
        let start = self.at;
        let found = token.is(self.bare_word().text);
        if found {
            self.skip();
        } else {
            self.at = start;
        }
        found
    }

    /// The octet after the next word and white space: what the word is followed by.
    pub(super) fn peek_after_word(&self) -> Option<u8> {
        let mut ahead = self.clone();
        ahead.bare_word();
        ahead.skip();
        ahead.peek()
    }

    /// The octets up to a delimiter, which is taken too; for addresses, which are not words.
    pub(super) fn until(&mut self, delimiter: u8, what: &str) -> Res<&'a str> {
        let start = self.at;
        let rest = self.input.get(start..).unwrap_or_default();
        let end = rest.iter().position(|b| *b == delimiter || !(b.is_ascii_graphic()));
        match end.and_then(|end| rest.get(..end).zip(rest.get(end))) {
            Some((inner, b)) if *b == delimiter => {
                self.at += inner.len() + 1;
                Ok(ascii(inner))
            }
            _ => Err(self.fault(start, format!("{what} not closed"))),
        }
    }

    /// A quoted string, if one is next. Text beyond ASCII is let through where it is UTF-8, control characters are not.
    pub(super) fn quoted(&mut self) -> Res<Option<&'a str>> {
        if self.peek() != Some(b'"') {
            return Ok(None);
        }
        let start = self.at;
        let rest = self.input.get(start + 1..).unwrap_or_default();
        let end = rest.iter().position(|b| *b == b'"' || (b.is_ascii_control() && *b != b'\t'));
        let inner = end.filter(|end| rest.get(*end) == Some(&b'"')).and_then(|end| rest.get(..end));
        let Some(inner) = inner else {
            return Err(self.fault(start, "string not closed on its line"));
        };
        let Ok(text) = std::str::from_utf8(inner) else {
            return Err(self.fault(start, "string is not UTF-8"));
        };
        self.at = start + inner.len() + 2;
        self.skip();
        Ok(Some(text))
    }

    /// The octet string of Local and Remote, between braces, escapes still in it. White space and comments behind the opening brace
    /// belong to the brace (LBRKT), so no octet string begins with a semicolon.
    pub(super) fn octets(&mut self) -> Res<&'a str> {
        self.open()?;
        let start = self.at;
        let Some(end) = octets_end(self.input, start) else {
            return Err(self.fault(start, "octet string not closed"));
        };
        let inner = self.input.get(start..end).unwrap_or_default();
        let text = match std::str::from_utf8(inner) {
            Ok(text) if !inner.contains(&0) => text,
            _ => return Err(self.fault_as(ErrorCode::INVALID_SDP, start, "octet string is not UTF-8")),
        };
        self.at = end;
        self.close()?;
        Ok(text)
    }

    /// An error at an offset, with the code of the level.
    pub(super) fn fault(&self, at: usize, what: impl Into<Cow<'static, str>>) -> Fault {
        Fault { code: self.level, at, what: what.into() }
    }

    /// An error at an offset with a code of its own.
    pub(super) fn fault_as(&self, code: ErrorCode, at: usize, what: impl Into<Cow<'static, str>>) -> Fault {
        Fault { code, at, what: what.into() }
    }

    /// "Expected this, found that", here.
    pub(super) fn expected(&self, what: &str) -> Fault {
        self.fault(self.at, format!("{what} expected, found {}", self.found()))
    }

    /// What is next, in a few words.
    fn found(&self) -> String {
        let word = self.clone().bare_word().text;
        match self.peek() {
            None => "the end of the message".to_owned(),
            Some(_) if !word.is_empty() => {
                // Never a key: a word right behind `inline:` is one.
                let before = self.input.get(self.at.saturating_sub(7)..self.at).unwrap_or_default();
                if before.eq_ignore_ascii_case(b"inline:") {
                    return format!("'{}'", crate::secret::BLANK);
                }
                shown(word)
            }
            Some(b'"') => "a string".to_owned(),
            Some(b) if b.is_ascii_graphic() => format!("'{}'", char::from(b)),
            Some(b) => format!("octet 0x{b:02X}"),
        }
    }

    /// The error as others see it: line and column instead of an offset.
    pub(super) fn locate(&self, fault: Fault) -> SyntaxError {
        let before = self.input.get(..fault.at.min(self.input.len())).unwrap_or_default();
        // CR LF is one line end, and so is either alone.
        let (mut line, mut column, mut previous) = (1, 1, 0);
        for b in before {
            match *b {
                b'\n' if previous == b'\r' => {}
                b'\n' | b'\r' => (line, column) = (line + 1, 1),
                _ => column += 1,
            }
            previous = *b;
        }
        SyntaxError { code: fault.code, place: Place::Line { line, column }, what: fault.what }
    }

    /// From the start of a broken transaction to behind the brace that closes it. False if there is no such brace: then the rest of
    /// the message belongs to it.
    pub(super) fn leap(&mut self, start: usize) -> bool {
        self.at = start;
        self.depth = 0;
        let mut open = 0_usize;
        // Local and Remote hold SDP, whose quotes, semicolons and opening braces mean nothing; `= L` is a value, not a descriptor.
        let (mut description, mut value) = (false, false);
        while let Some(b) = self.peek() {
            if SAFE[usize::from(b)] {
                let word = self.bare_word().text;
                description = !value && (token::LOCAL.is(word) || token::REMOTE.is(word));
                value = false;
                self.skip();
                continue;
            }
            match b {
                b'"' => {
                    let rest = self.input.get(self.at + 1..).unwrap_or_default();
                    let end = rest.iter().position(|b| matches!(b, b'"' | b'\r' | b'\n'));
                    self.at += 1 + end.map_or(rest.len(), |end| end + 1);
                }
                b'{' if description => {
                    self.at += 1;
                    self.skip();
                    match octets_end(self.input, self.at) {
                        Some(end) => self.at = end + 1,
                        None => return false,
                    }
                }
                b'{' => {
                    open += 1;
                    self.at += 1;
                }
                b'}' => {
                    self.at += 1;
                    open = open.saturating_sub(1);
                    if open == 0 {
                        self.skip();
                        return true;
                    }
                }
                _ => self.at += 1,
            }
            description = false;
            value = b == b'=';
            self.skip();
        }
        false
    }
}

/// Where the octet string that begins here ends: the first brace that is not escaped.
fn octets_end(input: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    loop {
        at += input.get(at..)?.iter().position(|b| *b == b'}')?;
        if at == start || input.get(at - 1) != Some(&b'\\') {
            return Some(at);
        }
        at += 1;
    }
}

/// Words and addresses are ASCII by the characters they are made of.
fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// A word in quotes, cut where it is long.
pub(super) fn shown(word: &str) -> String {
    let end = word.floor_char_boundary(MAX_SHOWN);
    format!("'{}{}'", &word[..end], if end < word.len() { "..." } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_and_comments_stand_anywhere_between_words() {
        let mut lexer = Lexer::new(b" ; one\r\n a;two {\n = \tb ; end");
        assert_eq!(lexer.word("x").expect("a word").text, "a");
        assert!(lexer.eat(b'='));
        assert_eq!(lexer.word("x").expect("a word").text, "b");
        assert!(lexer.at_end());
    }

    #[test]
    fn an_escaped_brace_does_not_end_an_octet_string() {
        let mut lexer = Lexer::new(b"{a\\}b\\\\}c} d");
        assert_eq!(lexer.octets().expect("octets"), "a\\}b\\\\}c");
        assert_eq!(lexer.word("x").expect("a word").text, "d");
    }

    #[test]
    fn a_leap_ends_at_the_brace_that_closes_the_transaction() {
        for text in [
            "T=1{x{\"}}\"}} K",
            "T=1{L{v=0 \\} { \" ;}} K",
            "T=1{;}\n} K",
            "T=1{a=L{x}} K",
            "T=1{L{;}\nv}} K",
        ] {
            let mut lexer = Lexer::new(text.as_bytes());
            assert!(lexer.leap(0), "{text}");
            assert_eq!(lexer.word("x").expect("a word").text, "K", "{text}");
        }
        assert!(!Lexer::new(b"T=1{x{} K").leap(0));
    }

    #[test]
    fn places_are_counted_over_every_kind_of_line_end() {
        let lexer = Lexer::new(b"a\r\nb\rc\nde");
        let place = |at| match lexer.locate(lexer.fault(at, "x")).place {
            Place::Line { line, column } => (line, column),
            Place::Octet(_) => panic!("text has lines"),
        };
        assert_eq!((place(0), place(3), place(5), place(8)), ((1, 1), (2, 1), (3, 1), (4, 2)));
    }

    #[test]
    fn a_key_is_not_repeated_in_an_error() {
        let mut lexer = Lexer::new(b"inline:c2VjcmV0");
        lexer.word("x").expect("a word");
        assert!(!lexer.eat(b'='));
        lexer.expect(b':').expect("a colon");
        assert_eq!(lexer.expected("x").what, "x expected, found '***'");
    }
}
