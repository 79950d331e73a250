//! Whole streams over a bad network, packet by packet against a model that knows the true indices: loss, reordering,
//! duplicates, several SSRCs, many wraps of the sequence number, every suite.

mod common;

use std::collections::{HashMap, HashSet};

use agw_srtp::{Error, Kind, Policy, Suite};
use common::*;
use proptest::prelude::*;

/// What the network does, decided by a seeded generator so that a failure can be run again.
struct Network(u64);

impl Network {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    /// Loses one packet in ten, doubles one in ten and shuffles within about `reach` places.
    fn carry<T: Clone>(&mut self, sent: Vec<T>, reach: u64) -> Vec<T> {
        let mut carried: Vec<(u64, T)> = Vec::new();
        for (place, packet) in sent.into_iter().enumerate() {
            let copies = [0, 1, 1, 1, 1, 1, 1, 1, 1, 2][self.below(10) as usize];
            for _ in 0..copies {
                carried.push((place as u64 + self.below(reach), packet.clone()));
            }
        }
        carried.sort_by_key(|(at, _)| *at);
        carried.into_iter().map(|(_, packet)| packet).collect()
    }
}

/// The replay list as RFC 3711 section 3.3.2 describes it, for one SSRC and kind.
#[derive(Default)]
struct Model {
    seen: HashSet<u64>,
    highest: Option<u64>,
}

impl Model {
    fn expect(&mut self, index: u64, window: u64) -> Result<(), Error> {
        if self.highest.is_some_and(|highest| highest >= index + window) {
            return Err(Error::TooOld);
        }
        if !self.seen.insert(index) {
            return Err(Error::Replayed);
        }
        self.highest = self.highest.max(Some(index));
        Ok(())
    }
}

/// Sends `count` packets over `ssrcs` streams, the sequence number moving by `stride`, and checks what arrives.
fn run_streams(suite: Suite, seed: u64, count: u64, ssrcs: u64, stride: u64, reach: u64) {
    let policy = Policy { rtp_window_packets: 128, ..Policy::default() };
    let (mut sender, mut receiver) = pair(&plain_attribute(suite), &policy);
    let mut network = Network(seed | 1);
    let start: Vec<u64> = (0..ssrcs).map(|_| network.below(0x8000)).collect();
    let mut sent = Vec::new();
    for number in 0..count {
        let ssrc = number % ssrcs;
        let index = start[ssrc as usize] + (number / ssrcs) * stride;
        let payload: Vec<u8> = (0..network.below(40)).map(|_| network.below(256) as u8).collect();
        let plain = rtp(ssrc as u32, index as u16, &payload);
        let wire = protect(&mut sender, Kind::Rtp, &plain).unwrap();
        sent.push((Kind::Rtp, ssrc, index, plain, wire));
        if number % 50 == 0 {
            let plain = rtcp(ssrc as u32, &payload);
            let wire = protect(&mut sender, Kind::Rtcp, &plain).unwrap();
            sent.push((Kind::Rtcp, ssrc, number / ssrcs, plain, wire));
        }
    }
    let mut models: HashMap<(Kind, u64), Model> = HashMap::new();
    let mut accepted = 0;
    for (kind, ssrc, index, plain, wire) in network.carry(sent, reach) {
        let window = if kind == Kind::Rtp { 128 } else { u64::MAX >> 1 };
        let expected = models.entry((kind, ssrc)).or_default().expect(index, window);
        let found = unprotect(&mut receiver, kind, &wire, 0);
        assert_eq!(
            found.as_ref().map(|_| ()).map_err(|error| *error),
            expected,
            "{suite} {kind:?} {ssrc} {index}"
        );
        if let Ok(found) = found {
            assert_eq!(found, plain);
            accepted += 1;
        }
    }
    assert!(accepted > count / 10, "even the worst of these networks delivers something");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_packet_gets_the_answer_of_the_model(
        suite in prop::sample::select(Suite::ALL.to_vec()),
        seed in any::<u64>(),
        ssrcs in 1_u64..=8,
        reach in prop::sample::select(vec![1_u64, 4, 30, 400]),
    ) {
        run_streams(suite, seed, 2000, ssrcs, 1, reach);
    }

    /// Big strides reach dozens of wraps with few packets; every packet is then ahead or far behind.
    #[test]
    fn many_wraps_with_gaps_are_followed(
        suite in prop::sample::select(Suite::ALL.to_vec()),
        seed in any::<u64>(),
        stride in 500_u64..3000,
    ) {
        run_streams(suite, seed, 1500, 1, stride, 6);
    }
}

#[test]
fn many_wraps_without_gaps_are_followed() {
    let (mut sender, mut receiver) = default_pair(Suite::AesCm128HmacSha1_80);
    let wraps = 5;
    for index in 0..wraps * 65_536_u64 + 10 {
        let plain = rtp(1, index as u16, &[]);
        let wire = protect(&mut sender, Kind::Rtp, &plain).unwrap();
        assert_eq!(unprotect(&mut receiver, Kind::Rtp, &wire, 0), Ok(plain));
    }
    assert_eq!(receiver.streams().next(), Some((1, Some(wraps * 65_536 + 9))));
}

proptest! {
    /// SRTP-2: a stranger's bytes are refused and leave the session as it was.
    #[test]
    fn no_bytes_from_strangers_are_accepted(
        suite in prop::sample::select(Suite::ALL.to_vec()),
        packets in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..300)), 1..60),
        mki in any::<bool>(),
    ) {
        let attribute = if mki { attribute_with_mki(suite, 3, 2, None) } else { plain_attribute(suite) };
        let (mut sender, mut receiver) = pair(&attribute, &Policy::default());
        for (number, (control, mut bytes)) in packets.into_iter().enumerate() {
            let kind = if control { Kind::Rtcp } else { Kind::Rtp };
            // Half of them look like RTP at the first glance.
            if let (true, Some(first)) = (number % 2 == 0, bytes.first_mut()) {
                *first = 0x80 | (*first & 0x3f);
            }
            prop_assert!(unprotect(&mut receiver, kind, &bytes, 0).is_err());
            let _ = protect(&mut sender, kind, &bytes);
        }
        prop_assert_eq!(receiver.streams().count(), 0);
    }
}
