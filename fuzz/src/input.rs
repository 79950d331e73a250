//! The fuzzer's bytes as a string of decisions. Every input means something: what is missing at the end reads as zero.

use agw_core::io::sim::Chance;

/// Chance that is another for every input. Keys are drawn from it: the fuzzer sees what is compared, so it soon knows the tags of keys that
/// stay the same, and a stranger must not.
pub fn chance_of(input: &[u8]) -> Chance {
    // FNV-1a.
    let fold = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    Chance::new(input.iter().fold(0xcbf2_9ce4_8422_2325, fold))
}

/// What is left of the input.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// The whole input.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or_default()
    }

    /// The next two bytes, in network order.
    pub fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    /// One of several.
    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// A length in one byte, and as many bytes as that says and there are.
    pub fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte()).min(self.0.len());
        self.0.split_off(..length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_input_has_other_chances() {
        assert_eq!(chance_of(b"ab").next_u64(), chance_of(b"ab").next_u64());
        assert_ne!(chance_of(b"ab").next_u64(), chance_of(b"ba").next_u64());
    }

    #[test]
    fn an_input_is_read_to_its_end_and_then_as_zeros() {
        let mut input = Input::new(&[7, 1, 2, 3, 10, 20, 200, 9]);
        assert_eq!((input.byte(), input.word(), input.below(2)), (7, 0x0102, 1));
        assert_eq!(input.one_of(&["a", "b", "c"]), "b");
        assert_eq!(input.bytes(), [200, 9]);
        assert!(input.is_empty());
        assert_eq!((input.word(), input.bytes()), (0, &[][..]));
    }
}
