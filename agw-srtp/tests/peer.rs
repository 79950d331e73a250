//! The same streams through another implementation, webrtc-srtp, packet by packet: what it protects we accept, what we protect
//! it accepts, the bytes are the same, and so is the verdict on every lost, late, doubled or damaged packet.
//! It has no f8, no AES-192 and no MKI; C libraries cover those elsewhere.

mod common;

use agw_srtp::{InboundSession, Kind, OutboundSession, Policy, Suite};
use common::*;
use proptest::prelude::*;
use webrtc_srtp::context::Context;
use webrtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use webrtc_srtp::protection_profile::ProtectionProfile;

const WINDOW_PACKETS: u32 = 128;

const SHARED: [(Suite, ProtectionProfile); 6] = [
    (Suite::AesCm128HmacSha1_80, ProtectionProfile::Aes128CmHmacSha1_80),
    (Suite::AesCm128HmacSha1_32, ProtectionProfile::Aes128CmHmacSha1_32),
    (Suite::AesCm256HmacSha1_80, ProtectionProfile::Aes256CmHmacSha1_80),
    (Suite::AesCm256HmacSha1_32, ProtectionProfile::Aes256CmHmacSha1_32),
    (Suite::AeadAes128Gcm, ProtectionProfile::AeadAes128Gcm),
    (Suite::AeadAes256Gcm, ProtectionProfile::AeadAes256Gcm),
];

/// Our two ends and theirs, under the same key.
struct Ends {
    sender: OutboundSession,
    receiver: InboundSession,
    their_sender: Context,
    their_receiver: Context,
}

impl Ends {
    fn new(suite: Suite, profile: ProtectionProfile) -> Ends {
        let policy = Policy {
            rtp_window_packets: WINDOW_PACKETS,
            rtcp_window_packets: WINDOW_PACKETS,
            ..Policy::default()
        };
        let (sender, receiver) = pair(&plain_attribute(suite), &policy);
        let key = master_key(suite, 1);
        let theirs = || {
            let window = WINDOW_PACKETS as usize;
            let (rtp, rtcp) = (srtp_replay_protection(window), srtcp_replay_protection(window));
            Context::new(key.key(), key.salt(), profile, Some(rtp), Some(rtcp)).unwrap()
        };
        Ends { sender, receiver, their_sender: theirs(), their_receiver: theirs() }
    }

    /// Protects with both and insists on the same bytes.
    fn protect(&mut self, kind: Kind, plain: &[u8]) -> Vec<u8> {
        let ours = protect(&mut self.sender, kind, plain).unwrap();
        let theirs = match kind {
            Kind::Rtp => self.their_sender.encrypt_rtp(plain),
            Kind::Rtcp => self.their_sender.encrypt_rtcp(plain),
        };
        assert_eq!(ours, theirs.unwrap());
        ours
    }

    /// Unprotects with both and insists on the same result.
    fn receive(&mut self, kind: Kind, wire: &[u8]) -> Option<Vec<u8>> {
        let ours = unprotect(&mut self.receiver, kind, wire, 0);
        let theirs = match kind {
            Kind::Rtp => self.their_receiver.decrypt_rtp(wire),
            Kind::Rtcp => self.their_receiver.decrypt_rtcp(wire),
        };
        assert_eq!(ours.as_deref().ok(), theirs.as_deref().ok(), "{ours:?} {theirs:?}");
        ours.ok()
    }
}

/// What happens to a packet between sender and receiver.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Arrives,
    Lost,
    Doubled,
    Late,
    Damaged(usize),
}

fn any_fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        8 => Just(Fate::Arrives),
        1 => Just(Fate::Lost),
        1 => Just(Fate::Doubled),
        2 => Just(Fate::Late),
        1 => (0_usize..1000).prop_map(Fate::Damaged),
    ]
}

/// One packet: its SSRC, whether it is RTCP, how far the sequence number moves, its payload and its fate.
type Step = (u32, bool, u16, Vec<u8>, Fate);

fn any_step() -> impl Strategy<Value = Step> {
    let control = prop::bool::weighted(0.1);
    let stride = prop_oneof![10 => Just(1_u16), 2 => 2_u16..20, 1 => 1000_u16..9000];
    (1_u32..4, control, stride, prop::collection::vec(any::<u8>(), 0..200), any_fate())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn both_implementations_agree_on_every_packet(
        (suite, profile) in prop::sample::select(SHARED.to_vec()),
        steps in prop::collection::vec(any_step(), 1..300),
        start in 0_u16..0x8000,
    ) {
        let mut ends = Ends::new(suite, profile);
        for ssrc in 1..4 {
            // They number SRTCP from 1, we from 0.
            protect(&mut ends.sender, Kind::Rtcp, &rtcp(ssrc, b"")).unwrap();
        }
        let mut sequences = [start; 4];
        let mut late = Vec::new();
        for (number, (ssrc, control, stride, payload, fate)) in steps.into_iter().enumerate() {
            let (kind, plain) = if control {
                (Kind::Rtcp, rtcp(ssrc, &payload[..payload.len() / 4 * 4]))
            } else {
                let sequence = &mut sequences[ssrc as usize];
                *sequence = sequence.wrapping_add(stride);
                (Kind::Rtp, rtp(ssrc, *sequence, &payload))
            };
            let mut wire = ends.protect(kind, &plain);
            match fate {
                Fate::Arrives => prop_assert_eq!(ends.receive(kind, &wire), Some(plain)),
                Fate::Lost => {}
                Fate::Doubled => {
                    prop_assert_eq!(ends.receive(kind, &wire), Some(plain));
                    prop_assert_eq!(ends.receive(kind, &wire), None);
                }
                Fate::Late => late.push((kind, wire)),
                Fate::Damaged(at) => {
                    // In the payload or the trailer: what they make of a broken header is their own.
                    let first = if kind == Kind::Rtp { 12 } else { 8 };
                    let at = first + at % (wire.len() - first);
                    wire[at] ^= 0x20;
                    prop_assert!(unprotect(&mut ends.receiver, kind, &wire, 0).is_err());
                }
            }
            if number % 7 == 0 {
                for (kind, wire) in late.drain(..).rev() {
                    ends.receive(kind, &wire);
                }
            }
        }
    }
}
