//! Elements of RTP header extensions (RFC 8285), in the one-byte and the two-byte form. What does not add up ends the walk: the rest of the extension
//! is nobody's, as section 4.2 asks of the reserved numbers.
//!
//! ```text
//! one-byte form:  | 0xBEDE  | length in words |  ID (4) | octets - 1 (4) | value ...
//! two-byte form:  | 0x100 x | length in words |  ID (8) | octets (8)     | value ...
//! ```

use super::rtp::{MIN_HEADER_BYTES, RtpHeader};
use super::u16_at;
use std::ops::Range;

const ONE_BYTE: u16 = 0xbede;
const TWO_BYTE: u16 = 0x1000;
/// The last four bits of the two-byte form's marker are the application's.
const TWO_BYTE_MASK: u16 = 0xfff0;
/// The greatest number of the one-byte form; 15 ends the extension.
const MAX_ONE_BYTE_ID: u8 = 14;
const EXTENSION_FLAG: u8 = 0x10;
const EXTENSION_HEADER_BYTES: usize = 4;

/// Where an element is in its packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// Its number, never 0.
    pub id: u8,
    /// Where its number and length begin.
    begins: usize,
    /// Its value.
    pub value: Range<usize>,
}

/// The extension of a packet, as far as its shape is known.
#[derive(Debug, Clone)]
struct Elements {
    at: usize,
    end: usize,
    two_byte: bool,
}

impl Elements {
    /// Nothing, if the packet has no extension of either form.
    fn of(rtp: &[u8]) -> Option<Self> {
        let header = RtpHeader::parse(rtp)?;
        if rtp[0] & EXTENSION_FLAG == 0 {
            return None;
        }
        let begins = MIN_HEADER_BYTES + 4 * usize::from(rtp[0] & 0x0f);
        let two_byte = match u16_at(rtp, begins)? {
            ONE_BYTE => false,
            marker if marker & TWO_BYTE_MASK == TWO_BYTE => true,
            _ => return None,
        };
        Some(Self { at: begins + EXTENSION_HEADER_BYTES, end: header.header_bytes, two_byte })
    }

    fn next(&mut self, rtp: &[u8]) -> Option<Element> {
        while self.at < self.end && rtp[self.at] == 0 {
            self.at += 1; // padding
        }
        if self.at >= self.end {
            return None;
        }
        let begins = self.at;
        let (id, len, head) = if self.two_byte {
            let len = rtp.get(begins + 1).filter(|_| begins + 1 < self.end)?;
            (rtp[begins], usize::from(*len), 2)
        } else {
            (rtp[begins] >> 4, usize::from(rtp[begins] & 0x0f) + 1, 1)
        };
        let value = begins + head..begins + head + len;
        // Section 4.2: with these numbers the form means nothing, and nothing behind them is looked at.
        let is_reserved = id == 0 || (!self.two_byte && id > MAX_ONE_BYTE_ID);
        if is_reserved || value.end > self.end {
            self.at = self.end;
            return None;
        }
        self.at = value.end;
        Some(Element { id, begins, value })
    }
}

/// The value of the first element with this number.
pub fn value_of(rtp: &[u8], id: u8) -> Option<&[u8]> {
    let mut elements = Elements::of(rtp)?;
    loop {
        let element = elements.next(rtp)?;
        if element.id == id {
            return Some(&rtp[element.value]);
        }
    }
}

/// Gives each element the number that `renamed` has for it, in place; one that has none, or one that the form cannot express, becomes
/// padding.
pub fn renumber(rtp: &mut [u8], renamed: impl Fn(u8) -> Option<u8>) {
    let Some(mut elements) = Elements::of(rtp) else { return };
    let greatest = if elements.two_byte { u8::MAX } else { MAX_ONE_BYTE_ID };
    while let Some(Element { id, begins, value }) = elements.next(rtp) {
        match renamed(id).filter(|new| (1..=greatest).contains(new)) {
            Some(new) if elements.two_byte => rtp[begins] = new,
            Some(new) => rtp[begins] = new << 4 | rtp[begins] & 0x0f,
            None => rtp[begins..value.end].fill(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A packet with an extension of `words`, and one octet of payload.
    fn packet(marker: u16, elements: &[u8]) -> Vec<u8> {
        assert_eq!(elements.len() % 4, 0);
        let mut packet = vec![0x90, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7];
        packet.extend(marker.to_be_bytes());
        packet.extend((elements.len() as u16 / 4).to_be_bytes());
        packet.extend(elements);
        packet.push(0xaa);
        packet
    }

    #[test]
    fn elements_are_found_in_both_forms() {
        let one = packet(0xbede, &[0x11, 1, 2, 0, 0x30, b'a', 0, 0]);
        assert_eq!(value_of(&one, 1), Some(&[1, 2][..]));
        assert_eq!(value_of(&one, 3), Some(&b"a"[..]));
        assert_eq!(value_of(&one, 2), None);
        let two = packet(0x1003, &[200, 0, 7, 3, 9, 8, 7, 0]);
        assert_eq!(value_of(&two, 200), Some(&[][..]));
        assert_eq!(value_of(&two, 7), Some(&[9, 8, 7][..]));
        assert_eq!(value_of(&packet(0x2000, &[0x10, 1, 0, 0]), 1), None, "another profile's");
    }

    #[test]
    fn what_is_reserved_or_does_not_fit_ends_the_walk() {
        assert_eq!(value_of(&packet(0xbede, &[0xf0, 1, 0x10, 1]), 1), None);
        assert_eq!(value_of(&packet(0xbede, &[0x03, 1, 0x10, 1]), 1), None);
        assert_eq!(value_of(&packet(0xbede, &[0x13, 1, 2, 3]), 1), None, "one octet short");
        assert_eq!(value_of(&packet(0x1000, &[0, 0, 0, 1]), 1), None, "no length");
    }

    #[test]
    fn numbers_change_in_place_and_what_has_none_becomes_padding() {
        let mut one = packet(0xbede, &[0x11, 1, 2, 0x20, 9, 0x30, b'a', 0]);
        renumber(&mut one, |id| match id {
            1 => Some(5),
            3 => Some(15),
            _ => None,
        });
        assert_eq!(one, packet(0xbede, &[0x51, 1, 2, 0, 0, 0, 0, 0]));
        let mut two = packet(0x1000, &[1, 1, 9, 2, 0, 0, 0, 0]);
        renumber(&mut two, |id| (id == 1).then_some(15));
        assert_eq!(two, packet(0x1000, &[15, 1, 9, 0, 0, 0, 0, 0]));
    }

    proptest! {
        #[test]
        fn whatever_comes_keeps_its_length_and_its_payload(
            marker in prop::sample::select(&[0xbede_u16, 0x1000, 0x100f, 0x1234][..]),
            mut elements in prop::collection::vec(any::<u8>(), 0..64),
        ) {
            elements.resize(elements.len().next_multiple_of(4), 0);
            let mut changed = packet(marker, &elements);
            let before = changed.clone();
            renumber(&mut changed, |id| (id % 3 != 0).then_some(id.wrapping_add(1)));
            prop_assert_eq!(changed.len(), before.len());
            prop_assert_eq!(&changed[..16], &before[..16]);
            prop_assert_eq!(changed.last(), before.last());
            let mut same = before.clone();
            renumber(&mut same, Some);
            prop_assert_eq!(same, before);
        }
    }
}
