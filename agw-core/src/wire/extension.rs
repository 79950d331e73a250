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

/// Gives a packet of `len` bytes one element more, before those that it has, which may end the walk; one without an extension gets one, of the form that the
/// number and the value need. Says how long the packet is then; `None`: it stays as it was, for want of room in `packet`, because its extension is of
/// neither form or its form cannot express the element, or because it is no RTP.
pub fn insert(packet: &mut [u8], len: usize, id: u8, value: &[u8]) -> Option<usize> {
    let header = RtpHeader::parse(packet.get(..len)?)?;
    let is_new = packet[0] & EXTENSION_FLAG == 0;
    let fits_one_byte = (1..=MAX_ONE_BYTE_ID).contains(&id) && (1..=16).contains(&value.len());
    let two_byte = match is_new {
        true => !fits_one_byte,
        false => Elements::of(&packet[..len])?.two_byte,
    };
    if id == 0 || (!two_byte && !fits_one_byte) {
        return None;
    }
    let value_len = u8::try_from(value.len()).ok()?;
    let begins = MIN_HEADER_BYTES + 4 * usize::from(packet[0] & 0x0f);
    let head = if two_byte { 2 } else { 1 };
    let element_bytes = (head + value.len()).next_multiple_of(4);
    let grown = len + element_bytes + if is_new { EXTENSION_HEADER_BYTES } else { 0 };
    if grown > packet.len() {
        return None;
    }
    let words = match is_new {
        true => 0,
        false => (header.header_bytes - begins - EXTENSION_HEADER_BYTES) / 4,
    };
    let words = u16::try_from(words + element_bytes / 4).ok()?;
    let from = if is_new { begins } else { begins + EXTENSION_HEADER_BYTES };
    packet.copy_within(from..len, grown - (len - from));
    packet[0] |= EXTENSION_FLAG;
    if is_new {
        let marker = if two_byte { TWO_BYTE } else { ONE_BYTE };
        packet[begins..begins + 2].copy_from_slice(&marker.to_be_bytes());
    }
    packet[begins + 2..begins + 4].copy_from_slice(&words.to_be_bytes());
    let element = &mut packet[begins + EXTENSION_HEADER_BYTES..][..element_bytes];
    element.fill(0);
    match two_byte {
        true => element[..2].copy_from_slice(&[id, value_len]),
        false => element[0] = id << 4 | (value_len - 1),
    }
    element[head..head + value.len()].copy_from_slice(value);
    Some(grown)
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

    fn with_inserted(packet: &[u8], id: u8, value: &[u8]) -> Option<Vec<u8>> {
        let mut room = [packet, &[0xee; 300]].concat();
        let len = insert(&mut room, packet.len(), id, value)?;
        room.truncate(len);
        Some(room)
    }

    #[test]
    fn an_element_goes_before_those_that_are_there_in_their_form() {
        let one = packet(0xbede, &[0x10, 9, 0xf0, 0]);
        let more = packet(0xbede, &[0x30, b'a', 0, 0, 0x10, 9, 0xf0, 0]);
        assert_eq!(with_inserted(&one, 3, b"a"), Some(more));
        assert_eq!(with_inserted(&one, 15, b"a"), None, "its form has no such number");
        assert_eq!(with_inserted(&one, 3, b""), None);
        let two = packet(0x1003, &[1, 0, 0, 0]);
        assert_eq!(with_inserted(&two, 3, b"ab"), Some(packet(0x1003, &[3, 2, b'a', b'b', 1, 0, 0, 0])));
        assert_eq!(with_inserted(&packet(0x2000, &[0; 4]), 3, b"a"), None, "another profile's");
        let mut tight = one.clone();
        assert_eq!(insert(&mut tight, one.len(), 3, b"a"), None);
        assert_eq!(tight, one, "no room, no change");
        assert_eq!(with_inserted(&one[..8], 3, b"a"), None, "no RTP");
    }

    #[test]
    fn a_packet_without_an_extension_gets_one_behind_its_contributing_sources() {
        let bare = [0x81, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3, 4, 0xaa];
        let head = [&[0x91], &bare[1..16]].concat();
        let one = [&head[..], &[0xbe, 0xde, 0, 1, 0x31, b'a', b'b', 0, 0xaa]].concat();
        assert_eq!(with_inserted(&bare, 3, b"ab"), Some(one));
        let two = [&head[..], &[0x10, 0, 0, 1, 200, 1, b'a', 0, 0xaa]].concat();
        assert_eq!(with_inserted(&bare, 200, b"a"), Some(two));
        assert_eq!(with_inserted(&bare, 0, b"a"), None);
    }

    proptest! {
        #[test]
        fn what_is_inserted_is_found_and_the_payload_stays(
            marker in prop::sample::select(&[0xbede_u16, 0x1000, 0x100f, 0x1234][..]),
            mut elements in prop::collection::vec(any::<u8>(), 0..64),
            id in any::<u8>(),
            value in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            elements.resize(elements.len().next_multiple_of(4), 0);
            let before = packet(marker, &elements);
            if let Some(after) = with_inserted(&before, id, &value) {
                prop_assert_eq!(value_of(&after, id), Some(&value[..]));
                prop_assert!(after.ends_with(&before[16..]));
                let header = RtpHeader::parse(&after).unwrap();
                prop_assert_eq!(&after[header.header_bytes..], &[0xaa][..]);
            }
        }

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
