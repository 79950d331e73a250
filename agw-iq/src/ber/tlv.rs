//! Tags, lengths, values (X.690): views over the octets of a message, each checked when it is made.
//!
//! An element knows where in the message its tag stood, so every error has a place. Definite and indefinite lengths are read alike.
//! A length is compared with what is there before anything is done with it, contents are borrowed and not copied (but for strings in
//! segments), and what is skipped (an unknown extension) is stepped over without being looked into. The depth of the stack is that of
//! the types of Annex A, whatever the input; only indefinite lengths nest by input, and those are counted.

use std::borrow::Cow;

use crate::codec::MAX_ELEMENTS;
use crate::errors::ErrorCode;

/// The most indefinite lengths open at once: the deepest message of Annex A has 31 elements around its innermost.
pub const MAX_DEPTH: usize = 32;
/// What an INTEGER may be: any number of eight octets, with or without a sign.
pub(super) const NUMBERS: std::ops::RangeInclusive<i128> = i64::MIN as i128..=u64::MAX as i128;
/// The most levels of segments of a string (X.690 section 8.7.3.2).
const MAX_SEGMENT_DEPTH: usize = 3;

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

    fn primitive(&self) -> Res<&'a [u8]> {
        if self.constructed {
            return fault(self.at, format!("{} must be primitive", self.shown()));
        }
        Ok(self.body)
    }

    /// An INTEGER within [`NUMBERS`].
    pub(super) fn integer(&self) -> Res<i128> {
        let body = self.primitive()?;
        let Some(first) = body.first() else { return fault(self.at, "an INTEGER without octets") };
        let sign: u8 = if first & 0x80 == 0 { 0 } else { 0xff };
        let zeros = body.iter().take_while(|octet| **octet == sign).count();
        if body.len() - zeros > 8 {
            return fault(self.at, "an INTEGER of more than eight octets");
        }
        let start = if sign == 0 { 0 } else { -1 };
        let number = body.iter().skip(zeros).fold(start, |sum: i128, octet| sum << 8 | i128::from(*octet));
        if NUMBERS.contains(&number) {
            Ok(number)
        } else {
            fault(self.at, "an INTEGER below any number of eight octets")
        }
    }

    /// An INTEGER of at least zero and at most `max`.
    pub(super) fn uint<T: TryFrom<i128>>(&self, what: &str) -> Res<T> {
        let number = self.integer()?;
        match T::try_from(number) {
            Ok(number) => Ok(number),
            Err(_) => fault_as(
                ErrorCode::INCORRECT_IDENTIFIER,
                self.at,
                format!("{what} of {number} is out of its range"),
            ),
        }
    }

    /// An ENUMERATED.
    pub(super) fn enumerated(&self) -> Res<i128> {
        self.integer()
    }

    pub(super) fn boolean(&self) -> Res<bool> {
        match self.primitive()? {
            [octet] => Ok(*octet != 0),
            _ => fault(self.at, "a BOOLEAN has one octet"),
        }
    }

    pub(super) fn null(&self) -> Res<()> {
        if self.primitive()?.is_empty() { Ok(()) } else { fault(self.at, "a NULL has no octets") }
    }

    /// The bits of a BIT STRING of at most 32, the first in the most significant place.
    pub(super) fn bits(&self) -> Res<u32> {
        let octets = self.octets()?;
        match octets.split_first() {
            Some((unused, octets))
                if *unused < 8 && octets.len() <= 4 && (*unused == 0 || !octets.is_empty()) =>
            {
                let bits = octets
                    .iter()
                    .enumerate()
                    .fold(0, |sum, (index, octet)| sum | u32::from(*octet) << (24 - 8 * index));
                let unused = u32::from(*unused) + 32 - 8 * octets.len() as u32;
                Ok(if unused >= 32 { 0 } else { bits >> unused << unused })
            }
            _ => fault(self.at, "not a BIT STRING of up to 32 bits"),
        }
    }

    /// The octets of an OCTET STRING or of text, segments joined.
    pub(super) fn octets(&self) -> Res<Cow<'a, [u8]>> {
        if !self.constructed {
            return Ok(Cow::Borrowed(self.body));
        }
        let mut joined = Vec::with_capacity(self.body.len());
        self.join(&mut joined, MAX_SEGMENT_DEPTH)?;
        Ok(Cow::Owned(joined))
    }

    fn join(&self, joined: &mut Vec<u8>, depth: usize) -> Res<()> {
        if depth == 0 {
            return fault(self.at, format!("segments in more than {MAX_SEGMENT_DEPTH} levels"));
        }
        let mut segments = self.inner()?;
        while let Some(segment) = segments.next()? {
            if segment.class != Class::Universal {
                return fault(segment.at, "a segment of a string must be a string");
            }
            if segment.constructed {
                segment.join(joined, depth - 1)?;
            } else {
                joined.extend_from_slice(segment.body);
            }
        }
        Ok(())
    }

    /// Exactly so many octets.
    pub(super) fn exactly<const N: usize>(&self, what: &str) -> Res<[u8; N]> {
        let octets = self.octets()?;
        match <[u8; N]>::try_from(octets.as_ref()) {
            Ok(octets) => Ok(octets),
            Err(_) => fault(self.at, format!("{what} of {} octets instead of {N}", octets.len())),
        }
    }

    /// Text; octets beyond ASCII must be UTF-8.
    pub(super) fn text(&self, what: &str) -> Res<Cow<'a, str>> {
        let text = match self.octets()? {
            Cow::Borrowed(octets) => std::str::from_utf8(octets).map(Cow::Borrowed).ok(),
            Cow::Owned(octets) => String::from_utf8(octets).map(Cow::Owned).ok(),
        };
        text.map_or_else(|| fault(self.at, format!("{what} is not text")), Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(input: &[u8]) -> Res<Tlv<'_>> {
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
    fn numbers_are_read_with_and_without_padding() {
        let integer = |body: &[u8]| {
            let input = [&[0x02, body.len() as u8], body].concat();
            one(&input).expect("an element").integer()
        };
        assert_eq!(integer(&[0x00]).ok(), Some(0));
        assert_eq!(integer(&[0x00, 0x00, 0x80]).ok(), Some(128));
        assert_eq!(integer(&[0xff]).ok(), Some(-1));
        assert_eq!(integer(&[0xff, 0x7f]).ok(), Some(-129));
        assert_eq!(integer(&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]).ok(), Some(u64::MAX.into()));
        assert!(integer(&[]).is_err());
        assert!(integer(&[1, 0, 0, 0, 0, 0, 0, 0, 0]).is_err());
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

    #[test]
    fn strings_are_joined_from_their_segments() {
        let parts = [0x24, 0x80, 0x04, 1, b'a', 0x24, 0x03, 0x04, 1, b'b', 0x04, 0, 0, 0];
        assert_eq!(one(&parts).expect("an element").octets().expect("octets").as_ref(), b"ab");
        let deep = [0x24, 8, 0x24, 6, 0x24, 4, 0x24, 2, 0x04, 0];
        assert!(one(&deep).expect("an element").octets().is_err());
    }

    #[test]
    fn bits_are_counted_from_the_left() {
        let bits = |body: &[u8]| {
            let input = [&[0x03, body.len() as u8], body].concat();
            one(&input).expect("an element").bits()
        };
        assert_eq!(bits(&[7, 0x00, 0x80]).ok(), Some(1 << 23));
        assert_eq!(bits(&[2, 0x3f]).ok(), Some(0x3c00_0000));
        assert_eq!(bits(&[0]).ok(), Some(0));
        assert!(bits(&[]).is_err());
        assert!(bits(&[8, 1]).is_err());
        assert!(bits(&[1]).is_err());
    }
}
