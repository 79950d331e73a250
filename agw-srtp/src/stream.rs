//! The state per SSRC: how far RTP and RTCP have come, their windows, and the estimate of a packet's index.
//!
//! The table has its full size from the start and never grows or evicts: an entry that was dropped would come back with
//! its rollover counter and windows at zero (SRTP-10, SRTP-13). It is searched in order, as sessions have few SSRCs.

use crate::error::Error;
use crate::job::Kind;
use crate::policy::{MAX_WINDOW_PACKETS, Policy};
use crate::replay::Shape;

/// Indices of SRTP have 48 bits: 32 of rollover counter, 16 of sequence number.
pub(crate) const MAX_RTP_INDEX: u64 = (1 << 48) - 1;
/// Indices of SRTCP have 31 bits.
pub(crate) const MAX_RTCP_INDEX: u64 = (1 << 31) - 1;

/// The index that a packet of this sequence number most likely has (RFC 3711 section 3.3.1 and appendix A).
///
/// `None` is past the last index there is. Before the first wrap there is no earlier rollover counter to
/// fall back to, so a far jump is a jump ahead.
pub(crate) fn estimate(highest: Option<u64>, sequence: u16) -> Option<u64> {
    let Some(highest) = highest else { return Some(u64::from(sequence)) };
    let (roc, last) = (highest >> 16, highest as u16);
    let roc = if last < 0x8000 {
        if i32::from(sequence) - i32::from(last) > 0x8000 { roc.saturating_sub(1) } else { roc }
    } else if i32::from(last) - 0x8000 > i32::from(sequence) {
        roc + 1
    } else {
        roc
    };
    let index = (roc << 16) | u64::from(sequence);
    (index <= MAX_RTP_INDEX).then_some(index)
}

/// The SSRCs of a session, each with what its direction adds (`S`).
#[derive(Debug)]
pub(crate) struct Streams<S> {
    entries: Vec<Entry<S>>,
    /// The windows of all streams: per stream those of RTP, then those of RTCP.
    bits: Box<[u64]>,
    shapes: [Shape; 2],
    max_streams: usize,
}

#[derive(Debug)]
struct Entry<S> {
    ssrc: u32,
    /// The highest index so far, for RTP and for RTCP.
    highest: [Option<u64>; 2],
    own: S,
}

impl<S: Default> Streams<S> {
    pub(crate) fn new(policy: &Policy, window_size_hint: Option<u32>) -> Streams<S> {
        let hinted = window_size_hint.unwrap_or(0).min(MAX_WINDOW_PACKETS);
        let shapes =
            [Shape::new(policy.rtp_window_packets.max(hinted)), Shape::new(policy.rtcp_window_packets)];
        let words = policy.max_streams * (shapes[0].words() + shapes[1].words());
        Streams {
            entries: Vec::with_capacity(policy.max_streams),
            bits: vec![0; words].into_boxed_slice(),
            shapes,
            max_streams: policy.max_streams,
        }
    }

    pub(crate) fn find(&self, ssrc: u32) -> Option<usize> {
        self.entries.iter().position(|entry| entry.ssrc == ssrc)
    }

    /// The place of `ssrc`, made if it is new; the memory was there from the start.
    pub(crate) fn find_or_add(&mut self, ssrc: u32) -> Result<usize, Error> {
        if let Some(place) = self.find(ssrc) {
            return Ok(place);
        }
        if self.is_full() {
            return Err(Error::TooManyStreams);
        }
        self.entries.push(Entry { ssrc, highest: [None; 2], own: S::default() });
        Ok(self.entries.len() - 1)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.entries.len() >= self.max_streams
    }

    pub(crate) fn highest(&self, place: usize, kind: Kind) -> Option<u64> {
        self.entries[place].highest[kind as usize]
    }

    pub(crate) fn own(&mut self, place: usize) -> &mut S {
        &mut self.entries[place].own
    }

    pub(crate) fn peek(&self, place: usize) -> &S {
        &self.entries[place].own
    }

    /// Whether the window lets `index` pass.
    pub(crate) fn look(&self, place: usize, kind: Kind, index: u64) -> Result<(), Error> {
        let range = self.range(place, kind);
        self.shapes[kind as usize].look(&self.bits[range], self.highest(place, kind), index)
    }

    /// Enters `index`, which [`Streams::look`] let pass, into the window.
    pub(crate) fn mark(&mut self, place: usize, kind: Kind, index: u64) {
        let range = self.range(place, kind);
        let highest = &mut self.entries[place].highest[kind as usize];
        self.shapes[kind as usize].mark(&mut self.bits[range], highest, index);
    }

    /// Forgets how far the stream had come, so that the next mark begins anew.
    pub(crate) fn restart(&mut self, place: usize, kind: Kind) {
        self.entries[place].highest[kind as usize] = None;
    }

    fn range(&self, place: usize, kind: Kind) -> std::ops::Range<usize> {
        let [rtp, rtcp] = self.shapes.map(Shape::words);
        let base = place * (rtp + rtcp);
        match kind {
            Kind::Rtp => base..base + rtp,
            Kind::Rtcp => base + rtp..base + rtp + rtcp,
        }
    }

    /// The SSRCs and how far their RTP has come.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, Option<u64>, &S)> {
        self.entries.iter().map(|entry| (entry.ssrc, entry.highest[Kind::Rtp as usize], &entry.own))
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry<S>>() + size_of_val(&*self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn index(roc: u64, sequence: u64) -> u64 {
        (roc << 16) | sequence
    }

    #[test]
    fn a_first_packet_has_rollover_counter_zero() {
        assert_eq!(estimate(None, 65_535), Some(65_535));
    }

    #[test]
    fn a_wrap_raises_the_rollover_counter_and_a_late_packet_lowers_it() {
        assert_eq!(estimate(Some(index(5, 65_535)), 0), Some(index(6, 0)));
        assert_eq!(estimate(Some(index(6, 0)), 65_535), Some(index(5, 65_535)));
    }

    #[test]
    fn the_border_cases_of_appendix_a_hold() {
        assert_eq!(estimate(Some(index(1, 0)), 32_768), Some(index(1, 32_768)));
        assert_eq!(estimate(Some(index(1, 0)), 32_769), Some(index(0, 32_769)));
        assert_eq!(estimate(Some(index(1, 32_768)), 0), Some(index(1, 0)));
        assert_eq!(estimate(Some(index(1, 32_769)), 0), Some(index(2, 0)));
    }

    #[test]
    fn there_is_nothing_before_rollover_counter_zero_nor_after_the_last_index() {
        assert_eq!(estimate(Some(10), 60_000), Some(60_000));
        assert_eq!(estimate(Some(MAX_RTP_INDEX), 0), None);
    }

    proptest! {
        #[test]
        fn an_index_within_half_the_sequence_space_is_always_found(
            highest in 0_u64..MAX_RTP_INDEX,
            distance in -32_767_i64..=32_767,
        ) {
            let sent = highest.saturating_add_signed(distance).min(MAX_RTP_INDEX);
            prop_assert_eq!(estimate(Some(highest), sent as u16), Some(sent));
        }
    }

    #[test]
    fn a_full_table_refuses_and_keeps_what_it_has() {
        let mut streams = Streams::<()>::new(&Policy { max_streams: 2, ..Policy::default() }, None);
        assert_eq!(streams.find_or_add(1), Ok(0));
        assert_eq!(streams.find_or_add(2), Ok(1));
        assert_eq!(streams.find_or_add(3), Err(Error::TooManyStreams));
        assert_eq!(streams.find_or_add(1), Ok(0));
    }

    #[test]
    fn windows_of_neighbours_and_of_the_two_kinds_are_apart() {
        let mut streams = Streams::<()>::new(&Policy::default(), None);
        let (one, two) = (streams.find_or_add(1).unwrap(), streams.find_or_add(2).unwrap());
        streams.mark(one, Kind::Rtp, 7);
        assert_eq!(streams.look(one, Kind::Rtp, 7), Err(Error::Replayed));
        assert_eq!(streams.look(one, Kind::Rtcp, 7), Ok(()));
        assert_eq!(streams.look(two, Kind::Rtp, 7), Ok(()));
    }
}
