//! Contents of elements: numbers, bits, octets and text, in the forms that X.690 allows besides the shortest.
//!
//! Numbers may be padded, strings may come in segments; both are bounded. What is not of the type that was asked for is an error with a
//! place, never a guess.

use std::borrow::Cow;

use super::{Class, Res, Tlv, fault, fault_as};
use crate::errors::ErrorCode;

/// What an INTEGER may be: any number of eight octets, with or without a sign.
pub(in super::super) const NUMBERS: std::ops::RangeInclusive<i128> = i64::MIN as i128..=u64::MAX as i128;
/// The most levels of segments of a string (X.690 section 8.7.3.2).
const MAX_SEGMENT_DEPTH: usize = 3;

impl<'a> Tlv<'a> {
    fn primitive(&self) -> Res<&'a [u8]> {
        if self.constructed {
            return fault(self.at, format!("{} must be primitive", self.shown()));
        }
        Ok(self.body)
    }

    /// An INTEGER within [`NUMBERS`].
    pub(in super::super) fn integer(&self) -> Res<i128> {
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
    pub(in super::super) fn uint<T: TryFrom<i128>>(&self, what: &str) -> Res<T> {
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
    pub(in super::super) fn enumerated(&self) -> Res<i128> {
        self.integer()
    }

    pub(in super::super) fn boolean(&self) -> Res<bool> {
        match self.primitive()? {
            [octet] => Ok(*octet != 0),
            _ => fault(self.at, "a BOOLEAN has one octet"),
        }
    }

    pub(in super::super) fn null(&self) -> Res<()> {
        if self.primitive()?.is_empty() { Ok(()) } else { fault(self.at, "a NULL has no octets") }
    }

    /// The bits of a BIT STRING of at most 32, the first in the most significant place.
    pub(in super::super) fn bits(&self) -> Res<u32> {
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
    pub(in super::super) fn octets(&self) -> Res<Cow<'a, [u8]>> {
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
    pub(in super::super) fn exactly<const N: usize>(&self, what: &str) -> Res<[u8; N]> {
        let octets = self.octets()?;
        match <[u8; N]>::try_from(octets.as_ref()) {
            Ok(octets) => Ok(octets),
            Err(_) => fault(self.at, format!("{what} of {} octets instead of {N}", octets.len())),
        }
    }

    /// Text; octets beyond ASCII must be UTF-8.
    pub(in super::super) fn text(&self, what: &str) -> Res<Cow<'a, str>> {
        let text = match self.octets()? {
            Cow::Borrowed(octets) => std::str::from_utf8(octets).map(Cow::Borrowed).ok(),
            Cow::Owned(octets) => String::from_utf8(octets).map(Cow::Owned).ok(),
        };
        text.map_or_else(|| fault(self.at, format!("{what} is not text")), Ok)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::one;

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
