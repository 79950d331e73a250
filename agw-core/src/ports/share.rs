//! The free ports of one worker at one address: a bitmap with summaries, so that finding one costs a few words however full it
//! is. Ports are found next-fit, so that a port is reused as late as may be, and a port given back rests for a while first, so
//! that packets of the call before do not reach the call after. Lone ports are taken before pairs are broken.

use std::collections::VecDeque;

const WORD_BITS: usize = 64;
/// The even places of a word.
const EVEN_BITS: u64 = 0x5555_5555_5555_5555;

/// One port, or an even one with the odd one after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Width {
    /// One port.
    Single,
    /// An even port and the next: RTP and RTCP (RFC 3550 section 11).
    Pair,
}

impl Width {
    /// How many ports.
    pub const fn ports(self) -> u32 {
        match self {
            Self::Single => 1,
            Self::Pair => 2,
        }
    }

    const fn mask(self) -> u64 {
        match self {
            Self::Single => 0b01,
            Self::Pair => 0b11,
        }
    }
}

/// Ports that may be used again from a time on. Places are given back in the order of that time.
#[derive(Debug)]
struct Resting {
    until_ms: u64,
    place: u32,
    width: Width,
}

/// One worker's ports at one address. Every port is free, in use or resting; the memory is bounded by their number.
#[derive(Debug)]
pub(super) struct Share {
    free: Vec<u64>,
    /// Which words of `free` hold an even place that is free together with the next.
    with_pairs: Vec<u64>,
    /// Which words of `free` hold a free place whose neighbour is not.
    with_lone: Vec<u64>,
    pair_cursor: usize,
    lone_cursor: usize,
    resting: VecDeque<Resting>,
    total: u32,
    in_use: u32,
    resting_ports: u32,
}

impl Share {
    /// A share of `places` places of which those that `exists` names are ports.
    pub(super) fn new(places: usize, exists: impl Fn(usize) -> bool) -> Self {
        let words = places.div_ceil(WORD_BITS);
        let summary_words = words.div_ceil(WORD_BITS);
        let mut share = Self {
            free: vec![0; words],
            with_pairs: vec![0; summary_words],
            with_lone: vec![0; summary_words],
            pair_cursor: 0,
            lone_cursor: 0,
            resting: VecDeque::new(),
            total: 0,
            in_use: 0,
            resting_ports: 0,
        };
        for place in (0..places).filter(|&place| exists(place)) {
            share.free[place / WORD_BITS] |= 1 << (place % WORD_BITS);
            share.total += 1;
        }
        (0..words).for_each(|word| share.summarize(word));
        share
    }

    /// Takes a place that is free, and the next one for a pair.
    pub(super) fn take(&mut self, width: Width) -> Option<usize> {
        let place = match width {
            Width::Pair => self.next_pair(),
            Width::Single => self.next_lone().or_else(|| self.next_pair()),
        }?;
        self.occupy(place, width);
        Some(place)
    }

    /// Takes this very place; false when it, or the next one for a pair, is not free.
    pub(super) fn take_at(&mut self, place: usize, width: Width) -> bool {
        let misaligned = width == Width::Pair && !place.is_multiple_of(2);
        let Some(word) = self.free.get(place / WORD_BITS).filter(|_| !misaligned) else { return false };
        let mask = width.mask() << (place % WORD_BITS);
        if word & mask != mask {
            return false;
        }
        self.occupy(place, width);
        true
    }

    /// Gives back what nobody has seen: it is free at once.
    pub(super) fn put_back(&mut self, place: usize, width: Width) {
        self.in_use -= width.ports();
        self.set_free(place, width);
    }

    /// Gives back what was used: it is free after `until_ms`. Times must not go backwards; a late one frees later.
    pub(super) fn rest(&mut self, place: usize, width: Width, until_ms: u64) {
        self.in_use -= width.ports();
        self.resting_ports += width.ports();
        self.resting.push_back(Resting { until_ms, place: place as u32, width });
    }

    /// Frees what has rested enough.
    pub(super) fn refresh(&mut self, now_ms: u64) {
        while let Some(rested) = self.resting.pop_front_if(|resting| resting.until_ms <= now_ms) {
            self.resting_ports -= rested.width.ports();
            self.set_free(rested.place as usize, rested.width);
        }
    }

    /// When the next port has rested enough.
    pub(super) fn next_refresh_ms(&self) -> Option<u64> {
        self.resting.front().map(|resting| resting.until_ms)
    }

    pub(super) fn total(&self) -> u32 {
        self.total
    }

    pub(super) fn in_use(&self) -> u32 {
        self.in_use
    }

    pub(super) fn resting(&self) -> u32 {
        self.resting_ports
    }

    /// How many ports are free now.
    pub(super) fn available(&self) -> u32 {
        self.total - self.in_use - self.resting_ports
    }

    fn next_pair(&mut self) -> Option<usize> {
        let place = next_fit(&self.free, &self.with_pairs, pairs_of, self.pair_cursor)?;
        self.pair_cursor = place + 2;
        Some(place)
    }

    fn next_lone(&mut self) -> Option<usize> {
        let place = next_fit(&self.free, &self.with_lone, lone_of, self.lone_cursor)?;
        self.lone_cursor = place + 1;
        Some(place)
    }

    fn occupy(&mut self, place: usize, width: Width) {
        self.in_use += width.ports();
        self.free[place / WORD_BITS] &= !(width.mask() << (place % WORD_BITS));
        self.summarize(place / WORD_BITS);
    }

    fn set_free(&mut self, place: usize, width: Width) {
        self.free[place / WORD_BITS] |= width.mask() << (place % WORD_BITS);
        self.summarize(place / WORD_BITS);
    }

    fn summarize(&mut self, word: usize) {
        let (at, bit) = (word / WORD_BITS, 1 << (word % WORD_BITS));
        let set = |summary: &mut u64, present: bool| {
            if present { *summary |= bit } else { *summary &= !bit }
        };
        set(&mut self.with_pairs[at], pairs_of(self.free[word]) != 0);
        set(&mut self.with_lone[at], lone_of(self.free[word]) != 0);
    }
}

/// The even places of a word that are free together with the next.
const fn pairs_of(word: u64) -> u64 {
    word & (word >> 1) & EVEN_BITS
}

/// The free places of a word whose neighbour in the pair is not free.
const fn lone_of(word: u64) -> u64 {
    let pairs = pairs_of(word);
    word & !(pairs | (pairs << 1))
}

/// The first place at or after `cursor`, then from the start, that `candidates` finds in the words that `summary` names.
fn next_fit(words: &[u64], summary: &[u64], candidates: fn(u64) -> u64, cursor: usize) -> Option<usize> {
    let here = cursor / WORD_BITS;
    if let Some(&word) = words.get(here) {
        let ahead = candidates(word) & (u64::MAX << (cursor % WORD_BITS));
        if ahead != 0 {
            return Some(here * WORD_BITS + ahead.trailing_zeros() as usize);
        }
    }
    let word = next_set(summary, here + 1).or_else(|| next_set(summary, 0))?;
    Some(word * WORD_BITS + candidates(words[word]).trailing_zeros() as usize)
}

/// The first set bit at or after `from`.
fn next_set(summary: &[u64], from: usize) -> Option<usize> {
    let first = from / WORD_BITS;
    let ahead = summary.get(first)? & (u64::MAX << (from % WORD_BITS));
    if ahead != 0 {
        return Some(first * WORD_BITS + ahead.trailing_zeros() as usize);
    }
    let (at, word) = summary.iter().enumerate().skip(first + 1).find(|(_, word)| **word != 0)?;
    Some(at * WORD_BITS + word.trailing_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn all(places: usize) -> Share {
        Share::new(places, |_| true)
    }

    #[test]
    fn all_pairs_are_given_out_once_and_then_none() {
        let mut share = Share::new(10_000, |place| place > 0);
        let taken: HashSet<usize> = std::iter::from_fn(|| share.take(Width::Pair)).collect();
        assert_eq!(taken.len(), 4_999);
        assert!(taken.iter().all(|place| place % 2 == 0));
        assert_eq!(share.available(), 1);
        assert_eq!(share.take(Width::Single), Some(1), "the one port without a mate");
        assert_eq!(share.take(Width::Single), None);
    }

    #[test]
    fn singles_fill_broken_pairs_before_they_break_whole_ones() {
        let mut share = all(256);
        assert_eq!(share.take(Width::Single), Some(0));
        assert_eq!(share.take(Width::Pair), Some(2));
        assert_eq!(share.take(Width::Single), Some(1));
        assert_eq!(share.take(Width::Single), Some(4));
    }

    #[test]
    fn a_port_is_reused_as_late_as_may_be() {
        let mut share = all(128);
        let first = share.take(Width::Pair).unwrap();
        share.put_back(first, Width::Pair);
        let again = (1..).find(|_| {
            let place = share.take(Width::Pair).unwrap();
            share.put_back(place, Width::Pair);
            place == first
        });
        assert_eq!(again, Some(64), "after every other pair");
    }

    #[test]
    fn a_used_port_rests_until_its_time() {
        let mut share = all(2);
        let place = share.take(Width::Pair).unwrap();
        share.rest(place, Width::Pair, 2_000);
        share.refresh(1_999);
        assert_eq!((share.take(Width::Pair), share.resting(), share.in_use()), (None, 2, 0));
        assert_eq!(share.next_refresh_ms(), Some(2_000));
        share.refresh(2_000);
        assert_eq!(share.next_refresh_ms(), None);
        assert_eq!(share.take(Width::Pair), Some(place));
    }

    #[test]
    fn a_named_place_is_given_only_when_it_is_free() {
        let mut share = all(100);
        assert!(share.take_at(10, Width::Pair));
        assert!(!share.take_at(10, Width::Pair));
        assert!(!share.take_at(11, Width::Single));
        assert!(!share.take_at(13, Width::Pair), "a pair begins at an even port");
        assert!(share.take_at(13, Width::Single));
        assert!(!share.take_at(12, Width::Pair));
        assert!(!share.take_at(100_000, Width::Single));
    }

    #[test]
    fn whatever_is_done_the_counts_agree_with_a_plain_set() {
        let mut share = all(300);
        let mut held: Vec<(usize, Width)> = Vec::new();
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for now_ms in 0..20_000 {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            share.refresh(now_ms);
            let width = if random & 1 == 0 { Width::Pair } else { Width::Single };
            if random & 6 != 0 {
                held.extend(share.take(width).map(|place| (place, width)));
            } else if !held.is_empty() {
                let (place, width) = held.swap_remove(random as usize % held.len());
                share.rest(place, width, now_ms + 50);
            }
            let ports: HashSet<usize> =
                held.iter().flat_map(|&(place, width)| place..place + width.ports() as usize).collect();
            assert_eq!(ports.len() as u32, share.in_use(), "a port was given out twice");
            assert_eq!(share.available() + share.in_use() + share.resting(), 300);
            assert_eq!(share.free.iter().map(|word| word.count_ones()).sum::<u32>(), share.available());
        }
    }
}
