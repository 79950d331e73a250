//! Elements written one inside the other, all lengths definite and as short as may be.
//!
//! The length of an element is known when it is closed; then its octets are moved up where the length takes more than one. What is
//! written may hold keys, so the buffer wipes what it grows out of. What the binary encoding has no form for is noted, the first of it
//! by name, and the message is then not sent.

use std::fmt::Display;

use zeroize::Zeroizing;

/// Tags of automatic tagging: context-specific, by number.
pub(super) const fn primitive(number: u8) -> u8 {
    0x80 | number
}

/// The same for constructed elements.
pub(super) const fn constructed(number: u8) -> u8 {
    0xa0 | number
}

/// `SEQUENCE`.
pub(super) const SEQUENCE: u8 = 0x30;
/// `OCTET STRING`, as an element of a list.
pub(super) const OCTET_STRING: u8 = 0x04;

/// Room that most messages fit in, so that the buffer need not grow.
const USUAL_OCTETS: usize = 1500;

pub(super) struct Writer {
    out: Zeroizing<Vec<u8>>,
    /// The first thing that cannot be said.
    unsayable: Option<String>,
}

impl Writer {
    pub(super) fn new() -> Self {
        Writer { out: Zeroizing::new(Vec::with_capacity(USUAL_OCTETS)), unsayable: None }
    }

    /// The message, or what kept it from being one.
    pub(super) fn finish(self) -> Result<Zeroizing<Vec<u8>>, String> {
        match self.unsayable {
            None => Ok(self.out),
            Some(what) => Err(what),
        }
    }

    /// Notes what has no binary form.
    pub(super) fn unsayable(&mut self, what: impl Display) {
        if self.unsayable.is_none() {
            self.unsayable = Some(what.to_string());
        }
    }

    fn put(&mut self, octets: &[u8]) {
        let needed = self.out.len() + octets.len();
        if needed > self.out.capacity() {
            let mut larger = Vec::with_capacity(needed.max(self.out.capacity() * 2));
            larger.extend_from_slice(&self.out);
            // The old block is wiped by the drop of what `replace` returns.
            drop(std::mem::replace(&mut self.out, Zeroizing::new(larger)));
        }
        self.out.extend_from_slice(octets);
    }

    /// Octets as they are, within an element.
    pub(super) fn raw(&mut self, octets: &[u8]) {
        self.put(octets);
    }

    /// An element around what `content` writes.
    pub(super) fn nest(&mut self, tag: u8, content: impl FnOnce(&mut Self)) {
        self.put(&[tag, 0]);
        let start = self.out.len();
        content(self);
        let length = self.out.len() - start;
        let digits = length.to_be_bytes();
        let digits = digits.get(length.leading_zeros() as usize / 8..).unwrap_or_default();
        if length < 0x80 {
            self.set(start - 1, &[length as u8]);
            return;
        }
        self.put(digits);
        self.out.copy_within(start..start + length, start + digits.len());
        self.set(start - 1, &[0x80 | digits.len() as u8]);
        self.set(start, digits);
    }

    fn set(&mut self, at: usize, octets: &[u8]) {
        if let Some(place) = self.out.get_mut(at..at + octets.len()) {
            place.copy_from_slice(octets);
        }
    }

    /// A SEQUENCE OF.
    pub(super) fn list<T>(&mut self, tag: u8, items: &[T], mut each: impl FnMut(&mut Self, &T)) {
        self.nest(tag, |w| items.iter().for_each(|item| each(w, item)));
    }

    pub(super) fn octets(&mut self, tag: u8, octets: &[u8]) {
        self.nest(tag, |w| w.put(octets));
    }

    /// Text that Annex A calls IA5String; what is not ASCII becomes a question mark.
    pub(super) fn ia5(&mut self, tag: u8, text: &str) {
        if text.is_ascii() {
            return self.octets(tag, text.as_bytes());
        }
        let ascii: String = text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
        self.octets(tag, ascii.as_bytes());
    }

    pub(super) fn integer(&mut self, tag: u8, number: i128) {
        let octets = number.to_be_bytes();
        // As few octets as keep the sign.
        let redundant = |pair: &&[u8]| match **pair {
            [first, second] => first == if second & 0x80 == 0 { 0 } else { 0xff },
            _ => false,
        };
        let skipped = octets.windows(2).take_while(redundant).count();
        self.octets(tag, octets.get(skipped..).unwrap_or_default());
    }

    pub(super) fn uint(&mut self, tag: u8, number: impl Into<u64>) {
        self.integer(tag, number.into().into());
    }

    pub(super) fn uint_if(&mut self, tag: u8, number: Option<impl Into<u64>>) {
        if let Some(number) = number {
            self.uint(tag, number);
        }
    }

    pub(super) fn boolean(&mut self, tag: u8, on: bool) {
        self.octets(tag, &[if on { 0xff } else { 0 }]);
    }

    pub(super) fn boolean_if(&mut self, tag: u8, on: Option<bool>) {
        if let Some(on) = on {
            self.boolean(tag, on);
        }
    }

    /// A NULL, where something is said by being there.
    pub(super) fn null_if(&mut self, tag: u8, said: bool) {
        if said {
            self.octets(tag, &[]);
        }
    }

    /// A BIT STRING of named bits, the first in the most significant place, without trailing zeros (X.690 section 11.2.2).
    pub(super) fn bits(&mut self, tag: u8, bits: u32) {
        let zeros = bits.trailing_zeros().min(32);
        let octets = (32 - zeros).div_ceil(8);
        let unused = if bits == 0 { 0 } else { (8 * octets - (32 - zeros)) as u8 };
        self.nest(tag, |w| {
            w.put(&[unused]);
            w.put(bits.to_be_bytes().get(..octets as usize).unwrap_or_default());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::new();
        write(&mut writer);
        writer.finish().expect("sayable").to_vec()
    }

    #[test]
    fn lengths_are_as_short_as_may_be() {
        for (length, head) in [
            (0, &[0x04, 0][..]),
            (127, &[0x04, 0x7f]),
            (128, &[0x04, 0x81, 0x80]),
            (256, &[0x04, 0x82, 1, 0]),
            (70_000, &[0x04, 0x83, 1, 0x11, 0x70]),
        ] {
            let content: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let out = written(|w| w.octets(0x04, &content));
            assert_eq!(out, [head, &content].concat());
        }
    }

    #[test]
    fn integers_keep_their_sign() {
        let integer = |number| written(|w| w.integer(0x02, number));
        assert_eq!(integer(0), [2, 1, 0]);
        assert_eq!(integer(127), [2, 1, 127]);
        assert_eq!(integer(128), [2, 2, 0, 128]);
        assert_eq!(integer(-1), [2, 1, 0xff]);
        assert_eq!(integer(-129), [2, 2, 0xff, 0x7f]);
        assert_eq!(integer(0xffff_ffff), [2, 5, 0, 0xff, 0xff, 0xff, 0xff]);
    }

    #[test]
    fn named_bits_end_with_the_last_that_is_set() {
        let bits = |bits| written(|w| w.bits(0x03, bits));
        assert_eq!(bits(0), [3, 1, 0]);
        assert_eq!(bits(1 << 23), [3, 3, 7, 0, 0x80]);
        assert_eq!(bits(0x3a00_0000), [3, 2, 1, 0x3a]);
    }
}
