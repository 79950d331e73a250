//! Tags, lengths, values (X.690): views over the octets of a message, each checked when it is made.
//!
//! An element knows where in the message its tag stood, so every error has a place. Definite and indefinite lengths are read alike.
//! A length is compared with what is there before anything is done with it, contents are borrowed and not copied (but for strings in
//! segments), and what is skipped (an unknown extension) is stepped over without being looked into. The depth of the stack is that of
//! the types of Annex A, whatever the input; only indefinite lengths nest by input, and those are counted.

mod primitive;

pub(super) use primitive::NUMBERS;

use std::borrow::Cow;

use crate::codec::MAX_ELEMENTS;
use crate::errors::ErrorCode;

/// The most indefinite lengths open at once: the deepest message of Annex A has 31 elements around its innermost.
pub const MAX_DEPTH: usize = 32;

/// An error and the octet it was found at. Without a code of its own it has that of the level of the message at which it stands.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) code: Option<ErrorCode>,
    pub(super) at: usize,
    pub(super) what: Cow<'static, str>,
}

pub(super) type Res<T> = Result<T, Fault>;

pub(super) fn fault<T>(at: usize, what: impl Into<Cow<'static, str>>) -> Res<T> {
    Err(Fault { code: None, at, what: what.into() })
}

pub(super) fn fault_as<T>(code: ErrorCode, at: usize, what: impl Into<Cow<'static, str>>) -> Res<T> {
    Err(Fault { code: Some(code), at, what: what.into() })
}

/// The classes of tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Universal,
    Application,
    Context,
    Private,
}

/// Universal tag numbers.
pub(super) mod universal {
    pub(in super::super) const BOOLEAN: u32 = 1;
    pub(in super::super) const INTEGER: u32 = 2;
    pub(in super::super) const OCTET_STRING: u32 = 4;
    pub(in super::super) const ENUMERATED: u32 = 10;
    pub(in super::super) const UTF8_STRING: u32 = 12;
    pub(in super::super) const SEQUENCE: u32 = 16;
    pub(in super::super) const IA5_STRING: u32 = 22;
}

/// One element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tlv<'a> {
    pub(super) class: Class,
    pub(super) number: u32,
    pub(super) constructed: bool,
    /// Octets of the message before the tag.
    pub(super) at: usize,
    body: &'a [u8],
    body_at: usize,
}

/// A tag and a length; `length` is absent where it is indefinite.
struct Header {
    class: Class,
    number: u32,
    constructed: bool,
    length: Option<usize>,
    octets: usize,
}

/// Reads the tag and the length at the beginning of `input`, which stands at `at`.
fn header(input: &[u8], at: usize) -> Res<Header> {
    const CUT: &str = "the message ends within a tag or a length";
    let Some(&first) = input.first() else { return fault(at, CUT) };
    let class = match first >> 6 {
        0 => Class::Universal,
        1 => Class::Application,
        2 => Class::Context,
        _ => Class::Private,
    };
    let mut octets = 1;
    let mut number = u32::from(first & 0x1f);
    if number == 0x1f {
        // Long tags are in no type of Annex A, but an extension may have one.
        number = 0;
        loop {
            let Some(&next) = input.get(octets) else { return fault(at, CUT) };
            octets += 1;
            number = number << 7 | u32::from(next & 0x7f);
            if next & 0x80 == 0 {
                break;
            }
            if octets > 3 {
                return fault(at, "a tag of more than three octets");
            }
        }
    }
    let constructed = first & 0x20 != 0;
    let Some(&length) = input.get(octets) else { return fault(at, CUT) };
    octets += 1;
    let length = match length {
        0..=0x7f => Some(usize::from(length)),
        0x80 if constructed => None,
        0x80 => return fault(at, "an indefinite length on a primitive element"),
        _ => {
            let count = usize::from(length & 0x7f);
            let Some(digits) = input.get(octets..octets + count) else { return fault(at, CUT) };
            octets += count;
            // Leading zeros are legal; what is longer than a message is too long anyway.
            let length = digits
                .iter()
                .try_fold(0_usize, |sum, digit| sum.checked_mul(256).map(|sum| sum | usize::from(*digit)));
            Some(length.unwrap_or(usize::MAX))
        }
    };
    Ok(Header { class, number, constructed, length, octets })
}

/// How many octets stand before the end-of-contents that closes an indefinite length, in one pass.
fn indefinite(input: &[u8], at: usize) -> Res<usize> {
    let (mut open, mut here) = (1, 0);
    loop {
        let rest = input.get(here..).unwrap_or_default();
        if let [0, 0, ..] = rest {
            open -= 1;
            if open == 0 {
                return Ok(here);
            }
            here += 2;
            continue;
        }
        let header = header(rest, at + here)?;
        here += header.octets;
        match header.length {
            None if open == MAX_DEPTH => {
                return fault(at + here, format!("more than {MAX_DEPTH} indefinite lengths open"));
            }
            None => open += 1,
            Some(length) if length > input.len() - here => {
                return fault(at + here, "a length beyond the end of what it stands in");
            }
            Some(length) => here += length,
        }
    }
}

/// Elements one after the other.
#[derive(Clone, Debug)]
pub(super) struct Elements<'a> {
    rest: &'a [u8],
    at: usize,
}

impl<'a> Elements<'a> {
    pub(super) fn new(input: &'a [u8], at: usize) -> Self {
        Elements { rest: input, at }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn next(&mut self) -> Res<Option<Tlv<'a>>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let (at, header) = (self.at, header(self.rest, self.at)?);
        let body_at = at + header.octets;
        let after = self.rest.get(header.octets..).unwrap_or_default();
        if header.class == Class::Universal && header.number == 0 {
            return fault(at, "an end-of-contents that ends nothing");
        }
        let (length, closing) = match header.length {
            Some(length) if length > after.len() => {
                return fault(at, "a length beyond the end of what it stands in");
            }
            Some(length) => (length, 0),
            None => (indefinite(after, body_at)?, 2),
        };
        let (body, rest) = after.split_at(length);
        self.rest = rest.get(closing..).unwrap_or_default();
        self.at = body_at + length + closing;
        let Header { class, number, constructed, .. } = header;
        Ok(Some(Tlv { class, number, constructed, at, body, body_at }))
    }
}

/// The components of a SEQUENCE in the order of their tags.
#[derive(Debug)]
pub(super) struct Fields<'a> {
    elements: Elements<'a>,
    next: Option<Tlv<'a>>,
    /// Where the sequence began.
    at: usize,
    /// Tags below this are past.
    floor: u32,
}

impl<'a> Fields<'a> {
    /// The component with this tag, if it is there.
    pub(super) fn optional(&mut self, number: u32) -> Res<Option<Tlv<'a>>> {
        if self.next.is_none() {
            self.next = self.elements.next()?;
        }
        if let Some(next) = self.next
            && (next.class != Class::Context || next.number < self.floor)
        {
            return fault(next.at, format!("{} is not in its place", next.shown()));
        }
        self.floor = number + 1;
        Ok(self.next.take_if(|next| next.number == number))
    }

    /// The component with this tag.
    pub(super) fn required(&mut self, number: u32, what: &str) -> Res<Tlv<'a>> {
        match self.optional(number)? {
            Some(found) => Ok(found),
            None => fault(self.at, format!("{what} [{number}] is missing")),
        }
    }

    /// What is left is of a later version and is skipped, unless its tag is past.
    pub(super) fn end(mut self) -> Res<()> {
        let floor = self.floor;
        while let Some(next) = match self.next.take() {
            Some(next) => Some(next),
            None => self.elements.next()?,
        } {
            if next.class == Class::Context && next.number < floor {
                return fault(next.at, format!("{} is not in its place", next.shown()));
            }
        }
        Ok(())
    }
}

impl<'a> Tlv<'a> {
    /// The tag as errors show it.
    pub(super) fn shown(&self) -> String {
        match self.class {
            Class::Context => format!("[{}]", self.number),
            class => format!("[{class:?} {}]", self.number).to_uppercase(),
        }
    }

    /// Whether this is the universal type of that number.
    pub(super) fn is_universal(&self, number: u32) -> bool {
        self.class == Class::Universal && self.number == number
    }

    fn inner(&self) -> Res<Elements<'a>> {
        if !self.constructed {
            return fault(self.at, format!("{} must be constructed", self.shown()));
        }
        Ok(Elements::new(self.body, self.body_at))
    }

    /// Reads this as a SEQUENCE.
    pub(super) fn fields(&self) -> Res<Fields<'a>> {
        Ok(Fields { elements: self.inner()?, next: None, at: self.at, floor: 0 })
    }

    /// Reads this as a SEQUENCE OF.
    pub(super) fn each(&self, mut item: impl FnMut(Tlv<'a>) -> Res<()>) -> Res<()> {
        let mut elements = self.inner()?;
        for _ in 0..MAX_ELEMENTS {
            match elements.next()? {
                Some(element) => item(element)?,
                None => return Ok(()),
            }
        }
        if elements.is_empty() {
            Ok(())
        } else {
            fault(elements.at(), format!("more than {MAX_ELEMENTS} elements in a list"))
        }
    }

    /// Reads this as a SEQUENCE OF into a list.
    pub(super) fn list<T>(&self, mut item: impl FnMut(Tlv<'a>) -> Res<T>) -> Res<Vec<T>> {
        let mut items = Vec::new();
        self.each(|element| {
            items.push(item(element)?);
            Ok(())
        })?;
        Ok(items)
    }

    /// An element of a SEQUENCE OF SEQUENCE.
    pub(super) fn sequence(&self) -> Res<Fields<'a>> {
        if self.is_universal(universal::SEQUENCE) {
            self.fields()
        } else {
            fault(self.at, format!("a SEQUENCE expected, found {}", self.shown()))
        }
    }

    /// The elements of a SEQUENCE OF that is itself an element of one.
    pub(super) fn sequence_of(&self) -> Res<Elements<'a>> {
        if self.is_universal(universal::SEQUENCE) {
            self.inner()
        } else {
            fault(self.at, format!("a SEQUENCE expected, found {}", self.shown()))
        }
    }

    /// The one element that an explicit tag holds: the chosen alternative of a CHOICE.
    pub(super) fn choice(&self) -> Res<Tlv<'a>> {
        let mut elements = self.inner()?;
        match elements.next()? {
            Some(chosen) if elements.is_empty() && chosen.class == Class::Context => Ok(chosen),
            _ => fault(self.at, format!("{} must hold one alternative", self.shown())),
        }
    }

    /// The octets between tag and end, whatever they are.
    pub(super) fn bare(&self) -> &'a [u8] {
        self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn one(input: &[u8]) -> Res<Tlv<'_>> {
        let mut elements = Elements::new(input, 0);
        let first = elements.next()?.expect("an element");
        assert!(elements.is_empty());
        Ok(first)
    }

    #[test]
    fn lengths_are_read_in_every_form() {
        for input in [&[0x30, 0x00][..], &[0x30, 0x81, 0x00], &[0x30, 0x84, 0, 0, 0, 0], &[0x30, 0x80, 0, 0]]
        {
            assert!(one(input).expect("a sequence").fields().expect("constructed").end().is_ok());
        }
        for input in [
            &[0x30][..],
            &[0x30, 0x01],
            &[0x30, 0x81],
            &[0x30, 0x80],
            &[0x30, 0x80, 0],
            &[0x04, 0x80, 0, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x30, 0x8a, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
            &[0x3f, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00],
            &[0, 0],
        ] {
            assert!(one(input).is_err(), "{input:02x?}");
        }
    }

    #[test]
    fn indefinite_lengths_nest_only_so_deep() {
        let nested = |depth| {
            let mut input = [0x30, 0x80].repeat(depth);
            input.extend([0, 0].repeat(depth));
            input
        };
        assert!(one(&nested(MAX_DEPTH)).is_ok());
        assert!(one(&nested(MAX_DEPTH + 2)).is_err());
    }

    #[test]
    fn components_come_in_order_and_unknown_ones_only_at_the_end() {
        let read = |input: &[u8]| -> Res<(bool, bool)> {
            let mut fields = one(input)?.fields()?;
            let found = (fields.optional(0)?.is_some(), fields.optional(2)?.is_some());
            fields.end()?;
            Ok(found)
        };
        assert_eq!(read(&[0x30, 4, 0x80, 0, 0x82, 0]).ok(), Some((true, true)));
        assert_eq!(read(&[0x30, 6, 0x82, 0, 0x85, 0, 0x05, 0]).ok(), Some((false, true)));
        assert!(read(&[0x30, 4, 0x82, 0, 0x80, 0]).is_err());
        assert!(read(&[0x30, 4, 0x80, 0, 0x80, 0]).is_err());
    }
}
