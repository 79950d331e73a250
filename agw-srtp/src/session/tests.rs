//! The last index and the last packet of a key, which no test can reach by sending.

use super::*;
use crate::stream::{MAX_RTCP_INDEX, MAX_RTP_INDEX};

const SSRC: u32 = 0xcafe_babe;

fn attribute() -> CryptoAttribute {
    let key = MasterKey::new(Suite::AesCm128HmacSha1_80, &[1; 16], &[2; 14]).unwrap();
    CryptoAttribute::new(1, Suite::AesCm128HmacSha1_80, [key]).unwrap()
}

fn ends() -> (OutboundSession, InboundSession) {
    let policy = Policy::default();
    (
        OutboundSession::new(&attribute(), &policy).unwrap(),
        InboundSession::new(&attribute(), &policy).unwrap(),
    )
}

fn rtp(sequence: u16) -> [u8; 64] {
    let mut slot = [0; 64];
    slot[0] = 0x80;
    slot[2..4].copy_from_slice(&sequence.to_be_bytes());
    slot[8..12].copy_from_slice(&SSRC.to_be_bytes());
    slot
}

/// SRTP-6: the index has 48 bits, and behind the last one comes nothing.
#[test]
fn a_stream_ends_with_the_last_srtp_index() {
    let (mut sender, mut receiver) = ends();
    sender.put_rtp_index(SSRC, MAX_RTP_INDEX - 1);
    receiver.put_rtp_index(SSRC, MAX_RTP_INDEX - 1);
    let mut slot = rtp(u16::MAX);
    let len = sender.protect_rtp(&mut slot, 20, 0).unwrap();
    assert_eq!(receiver.unprotect_rtp(&mut slot, len, 0), Ok(20));
    assert_eq!(sender.protect_rtp(&mut rtp(0), 20, 0), Err(Error::KeyExpired));
    assert_eq!(receiver.unprotect_rtp(&mut rtp(0), 30, 0), Err(Error::KeyExpired));
    // Nor does a sender that starts over find a way round it.
    for sequence in 100..120 {
        assert!(sender.protect_rtp(&mut rtp(sequence), 20, 0).is_err());
    }
}

#[test]
fn a_stream_ends_with_the_last_srtcp_index() {
    let (mut sender, mut receiver) = ends();
    sender.put_rtcp_index(SSRC, MAX_RTCP_INDEX);
    let packet = || {
        let mut slot = [0; 64];
        slot[0] = 0x80;
        slot[4..8].copy_from_slice(&SSRC.to_be_bytes());
        slot
    };
    let mut slot = packet();
    let len = sender.protect_rtcp(&mut slot, 20, 0).unwrap();
    assert_eq!(slot[20..24], [0xff; 4]);
    assert_eq!(receiver.unprotect_rtcp(&mut slot, len, 0), Ok(20));
    assert_eq!(sender.protect_rtcp(&mut packet(), 20, 0), Err(Error::KeyExpired));
}

/// SRTP-6: without a lifetime in the attribute, 2^48 SRTP and 2^31 SRTCP packets.
#[test]
fn a_key_without_a_lifetime_ends_at_the_defaults() {
    for (kind, limit) in [(Kind::Rtp, 1_u64 << 48), (Kind::Rtcp, 1 << 31)] {
        let (mut sender, _) = ends();
        let near = limit - limit / 10;
        for (used, state) in [
            (near - 1, LifetimeState::Fresh),
            (near, LifetimeState::NearEnd),
            (limit - 1, LifetimeState::NearEnd),
            (limit, LifetimeState::Ended),
        ] {
            sender.put_use(kind, used);
            assert_eq!(sender.lifetime_state(), state, "{kind:?} {used}");
        }
        assert_eq!(sender.protect_rtp(&mut rtp(1), 20, 0), Err(Error::KeyExpired), "both kinds end");
        sender.put_use(kind, limit - 1);
        let used_up = match kind {
            Kind::Rtp => sender.protect_rtp(&mut rtp(1), 20, 0),
            Kind::Rtcp => sender.protect_rtcp(&mut rtp(1), 20, 0),
        };
        assert!(used_up.is_ok(), "the last packet still passes");
        assert_eq!(sender.lifetime_state(), LifetimeState::Ended);
    }
}
