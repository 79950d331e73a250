//! Identifiers: message senders, terminations, contexts, streams, package names, numbers.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::super::lex::Word;
use super::*;

/// The longest NAME (Annex B.2).
const MAX_NAME: usize = 64;

impl Parser<'_> {
    /// A message identifier; what follows it is not skipped.
    pub(super) fn mid(&mut self) -> Res<Mid> {
        let at = self.lex.at();
        match self.lex.peek() {
            Some(b'[') => {
                self.lex.eat(b'[');
                let text = self.lex.until(b']', "address")?;
                let port = self.mid_port()?;
                if let Some(address) = ip4(text) {
                    Ok(Mid::Ip4 { address, port })
                } else if let Ok(address) = text.parse::<Ipv6Addr>() {
                    Ok(Mid::Ip6 { address, port })
                } else {
                    Err(self.lex.fault(at, format!("{} is not an address", shown(text))))
                }
            }
            Some(b'<') => {
                self.lex.eat(b'<');
                let name = self.lex.until(b'>', "domain name")?;
                let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'.';
                if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(good) {
                    return Err(self.lex.fault(at, format!("{} is not a domain name", shown(name))));
                }
                Ok(Mid::Domain { name: name.into(), port: self.mid_port()? })
            }
            _ => self.device_or_mtp(),
        }
    }

    fn device_or_mtp(&mut self) -> Res<Mid> {
        let word = self.lex.bare_word();
        if word.text.is_empty() {
            return Err(self.lex.expected("a message identifier"));
        }
        if token::MTP.is(word.text) {
            self.lex.skip();
            self.lex.open()?;
            let digits = self.lex.word("an MTP address")?;
            self.lex.close()?;
            return octets(digits.text)
                .filter(|octets| (2..=4).contains(&octets.len()))
                .map(Mid::Mtp)
                .ok_or_else(|| self.lex.fault(digits.at, "4 to 8 hexadecimal digits expected"));
        }
        if is_path(word.text) {
            Ok(Mid::Device(word.text.into()))
        } else {
            Err(self.lex.fault(word.at, format!("{} is not a message identifier", shown(word.text))))
        }
    }

    fn mid_port(&mut self) -> Res<Option<u16>> {
        if self.lex.peek() != Some(b':') {
            return Ok(None);
        }
        self.lex.eat(b':');
        let word = self.lex.bare_word();
        match decimal(word.text) {
            Some(port) => Ok(Some(port)),
            None => Err(self.lex.fault(word.at, "a port number expected")),
        }
    }

    pub(super) fn termination_id(&mut self) -> Res<TerminationId> {
        let word = self.lex.word("a termination identifier")?;
        self.termination_of(word)
    }

    pub(super) fn termination_of(&self, word: Word<'_>) -> Res<TerminationId> {
        Ok(match word.text {
            "$" => TerminationId::Choose,
            "*" => TerminationId::All,
            text if text.eq_ignore_ascii_case("root") => TerminationId::Root,
            text if is_path(text) => TerminationId::Path(text.into()),
            text => return Err(self.bad_identifier(word.at, "a termination identifier", text)),
        })
    }

    /// One termination, or in version 3 a list in brackets.
    pub(super) fn terminations(&mut self) -> Res<Vec<TerminationId>> {
        if !self.lex.eat(b'[') {
            return Ok(vec![self.termination_id()?]);
        }
        let mut terminations = Vec::new();
        self.rest_of_list(b']', |p| {
            terminations.push(p.termination_id()?);
            Ok(())
        })?;
        Ok(terminations)
    }

    pub(super) fn context_id(&mut self) -> Res<ContextId> {
        let word = self.lex.word("a context identifier")?;
        Ok(match word.text {
            "-" => ContextId::Null,
            "$" => ContextId::Choose,
            "*" => ContextId::All,
            text => match decimal(text) {
                Some(id @ 1..=0xFFFF_FFFD) => ContextId::Id(id),
                _ => return Err(self.bad_identifier(word.at, "a context identifier", text)),
            },
        })
    }

    /// `= 1`
    pub(super) fn stream_id(&mut self) -> Res<StreamId> {
        self.numbered("a stream identifier")
    }

    /// `=` and a 16-bit identifier.
    pub(super) fn numbered(&mut self, what: &str) -> Res<u16> {
        self.lex.expect(b'=')?;
        let word = self.lex.word(what)?;
        decimal(word.text).ok_or_else(|| self.bad_identifier(word.at, what, word.text))
    }

    pub(super) fn request_id(&mut self) -> Res<RequestId> {
        let word = self.lex.word("a request identifier")?;
        match word.text {
            "*" => Ok(RequestId::All),
            text => decimal(text)
                .map(RequestId::Id)
                .ok_or_else(|| self.bad_identifier(word.at, "a request identifier", text)),
        }
    }

    /// `package/item`, either part `*`.
    pub(super) fn pkgd_name(&mut self, what: &str) -> Res<PkgdName> {
        let word = self.lex.word(what)?;
        pkgd(word.text).ok_or_else(|| {
            self.lex.fault(word.at, format!("{what} (package/name) expected, found {}", shown(word.text)))
        })
    }

    pub(super) fn name(&mut self, what: &str) -> Res<Name> {
        let word = self.lex.word(what)?;
        self.name_of(word, what)
    }

    pub(super) fn name_of(&self, word: Word<'_>, what: &str) -> Res<Name> {
        if is_name(word.text) {
            Ok(word.text.into())
        } else {
            Err(self.lex.fault(word.at, format!("{what} expected, found {}", shown(word.text))))
        }
    }

    fn bad_identifier(&self, at: usize, what: &str, found: &str) -> Fault {
        let what = format!("{what} expected, found {}", shown(found));
        self.lex.fault_as(ErrorCode::INCORRECT_IDENTIFIER, at, what)
    }
}

/// Digits only: no sign, which `str::parse` would take.
pub(super) fn decimal<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// NAME, taken leniently: a digit or underscore may begin it.
pub(super) fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// pathNAME, taken leniently: any of its characters in any order.
fn is_path(text: &str) -> bool {
    (1..=TerminationId::MAX_LEN).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/*_$@.-".contains(&b))
}

pub(super) fn pkgd(text: &str) -> Option<PkgdName> {
    let (package, item) = text.split_once('/')?;
    let part = |text: &str| text == "*" || is_name(text);
    // A wildcarded package without a wildcarded item means nothing (Annex A, PkgdName).
    (part(package) && part(item) && (package != "*" || item == "*")).then(|| PkgdName::new(package, item))
}

/// `X-abc` or `X+abc`: an extension.
pub(super) fn is_extension(text: &str) -> bool {
    let Some((head, tail)) = text.split_at_checked(2) else { return false };
    matches!(head, "X-" | "X+" | "x-" | "x+")
        && (1..=6).contains(&tail.len())
        && tail.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The digits after `0x`.
pub(super) fn hex_prefixed(text: &str) -> Option<&str> {
    text.strip_prefix("0x")
        .or_else(|| text.strip_prefix("0X"))
        .filter(|t| t.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Hexadecimal digits, two to an octet.
pub(super) fn octets(digits: &str) -> Option<Vec<u8>> {
    if !digits.len().is_multiple_of(2) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok()).collect()
}

/// Four decimal numbers; unlike the standard library's parser, with leading zeros as the grammar allows.
fn ip4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        *octet = parts.next().filter(|part| (1..=3).contains(&part.len())).and_then(decimal)?;
    }
    parts.next().is_none().then(|| octets.into())
}
