//! SRTP-14: a peer that starts its rollover counter again is believed only as the guard says.

mod common;

use agw_srtp::{Error, InboundSession, Kind, OutboundSession, Policy, RocRestart, Suite, Work, run};
use common::*;

const SSRC: u32 = 0xcafe_babe;
const GUARD: RocRestart = RocRestart::Guarded { failures: 5, successes: 3, quiet_ms: 1000 };

struct Peer {
    session: OutboundSession,
    next: u16,
}

impl Peer {
    /// A sender with fresh state: rollover counter 0.
    fn starting_at(next: u16) -> Peer {
        Peer { session: default_pair(Suite::AesCm128HmacSha1_80).0, next }
    }

    fn packet(&mut self) -> Vec<u8> {
        let wire = protect(&mut self.session, Kind::Rtp, &rtp(SSRC, self.next, b"x")).unwrap();
        self.next = self.next.wrapping_add(1);
        wire
    }
}

/// A receiver whose stream has reached rollover counter 1, last heard at time 0, and its sender.
fn settled(roc_restart: RocRestart) -> (Peer, InboundSession) {
    let policy = Policy { roc_restart, ..Policy::default() };
    let mut receiver = pair(&plain_attribute(Suite::AesCm128HmacSha1_80), &policy).1;
    let mut peer = Peer::starting_at(65_000);
    for _ in 0..1000 {
        assert!(unprotect(&mut receiver, Kind::Rtp, &peer.packet(), 0).is_ok());
    }
    (peer, receiver)
}

fn receive(receiver: &mut InboundSession, wire: &[u8], now_ms: u64) -> Result<(), Error> {
    unprotect(receiver, Kind::Rtp, wire, now_ms).map(|_| ())
}

#[test]
fn without_the_guard_a_restart_is_never_understood() {
    let (_, mut receiver) = settled(RocRestart::Off);
    let mut restarted = Peer::starting_at(2000);
    for step in 0..100 {
        assert_eq!(receive(&mut receiver, &restarted.packet(), 10_000 + step), Err(Error::AuthFailed));
    }
}

/// Sequence numbers ahead of the old stream's, behind its window, and inside it: all of them lead there.
#[test]
fn a_restart_is_believed_after_failures_silence_and_successes() {
    for start in [5000, 60_000, 100, 300, 464] {
        let (_, mut receiver) = settled(GUARD);
        let mut restarted = Peer::starting_at(start);
        for step in 0..5 {
            let refused = receive(&mut receiver, &restarted.packet(), 5000 + step).unwrap_err();
            let expected = [Error::AuthFailed, Error::TooOld, Error::Replayed];
            assert!(expected.contains(&refused), "{start}: {refused}");
        }
        for step in 0..2 {
            let pending = receive(&mut receiver, &restarted.packet(), 6000 + step);
            assert_eq!(pending, Err(Error::RestartPending), "{start}");
        }
        for step in 0..300 {
            assert_eq!(receive(&mut receiver, &restarted.packet(), 7000 + step), Ok(()), "{start}");
        }
        assert_eq!(receiver.streams().next(), Some((SSRC, Some(u64::from(restarted.next) - 1))));
    }
}

/// Most calls end before their first wrap: a restart then shows as sequence numbers that fall back.
#[test]
fn a_restart_before_the_first_wrap_is_believed_in_the_same_way() {
    let policy = Policy { roc_restart: GUARD, ..Policy::default() };
    let mut receiver = pair(&plain_attribute(Suite::AesCm128HmacSha1_80), &policy).1;
    let mut peer = Peer::starting_at(30_000);
    for _ in 0..100 {
        assert_eq!(receive(&mut receiver, &peer.packet(), 0), Ok(()));
    }
    let mut restarted = Peer::starting_at(100);
    for step in 0..5 {
        assert_eq!(receive(&mut receiver, &restarted.packet(), 5000 + step), Err(Error::TooOld));
    }
    for step in 0..2 {
        assert_eq!(receive(&mut receiver, &restarted.packet(), 6000 + step), Err(Error::RestartPending));
    }
    assert_eq!(receive(&mut receiver, &restarted.packet(), 7000), Ok(()));
}

#[test]
fn the_packets_behind_the_deciding_one_in_its_batch_are_accepted_with_it() {
    let (_, mut receiver) = settled(GUARD);
    let mut restarted = Peer::starting_at(5000);
    for _ in 0..5 {
        assert_eq!(receive(&mut receiver, &restarted.packet(), 5000), Err(Error::AuthFailed));
    }
    let mut slots: Vec<_> = (0..6).map(|_| restarted.packet()).collect();
    let mut jobs: Vec<_> = slots.iter().map(|slot| receiver.plan(Kind::Rtp, slot, 5000).unwrap()).collect();
    let mut work: Vec<_> = jobs
        .iter_mut()
        .zip(&mut slots)
        .map(|(job, packet)| Work { job, keys: receiver.keys(), packet })
        .collect();
    run(&mut work);
    let results: Vec<_> = jobs.iter().map(|job| receiver.commit(job, 5000)).collect();
    let pending = Err(Error::RestartPending);
    assert_eq!(results, [pending, pending, Ok(13), Ok(13), Ok(13), Ok(13)]);
}

#[test]
fn the_old_counter_must_have_been_silent_for_the_stated_time() {
    let (mut peer, mut receiver) = settled(GUARD);
    let mut restarted = Peer::starting_at(5000);
    for step in 0..50 {
        assert_eq!(receive(&mut receiver, &restarted.packet(), 999), Err(Error::AuthFailed), "{step}");
    }
    assert_eq!(receive(&mut receiver, &restarted.packet(), 1000), Err(Error::RestartPending));
    // The old sender speaks up: the guard begins from the start.
    assert_eq!(receive(&mut receiver, &peer.packet(), 1001), Ok(()));
    for step in 0..5 {
        assert_eq!(receive(&mut receiver, &restarted.packet(), 5000), Err(Error::AuthFailed), "{step}");
    }
    assert_eq!(receive(&mut receiver, &restarted.packet(), 5001), Err(Error::RestartPending));
    assert_eq!(
        receive(&mut receiver, &peer.packet(), 5002),
        Ok(()),
        "the old counter is still the right one"
    );
}

#[test]
fn one_recorded_packet_played_again_and_again_proves_nothing() {
    let (_, mut receiver) = settled(GUARD);
    let mut recorded = Peer::starting_at(5000);
    let packet = recorded.packet();
    for _ in 0..5 {
        assert_eq!(receive(&mut receiver, &packet, 5000), Err(Error::AuthFailed));
    }
    assert_eq!(receive(&mut receiver, &packet, 5000), Err(Error::RestartPending));
    for _ in 0..100 {
        assert_eq!(receive(&mut receiver, &packet, 5000), Err(Error::Replayed));
    }
}

#[test]
fn a_failure_between_successes_starts_the_count_again() {
    let (_, mut receiver) = settled(GUARD);
    let mut restarted = Peer::starting_at(5000);
    let mut stranger = rtp(SSRC, 6000, &[0; 40]);
    stranger[20] = 1;
    for _ in 0..5 {
        assert_eq!(receive(&mut receiver, &stranger, 5000), Err(Error::AuthFailed));
    }
    for _ in 0..20 {
        assert_eq!(receive(&mut receiver, &restarted.packet(), 5000), Err(Error::RestartPending));
        assert_eq!(receive(&mut receiver, &restarted.packet(), 5000), Err(Error::RestartPending));
        assert_eq!(receive(&mut receiver, &stranger, 5000), Err(Error::AuthFailed));
    }
}

#[test]
fn strangers_alone_never_move_the_counter() {
    let (mut peer, mut receiver) = settled(GUARD);
    for number in 0..2000_u16 {
        let noise = rtp(SSRC, number.wrapping_mul(77), &[0x55; 60]);
        assert!(receive(&mut receiver, &noise, 100_000).is_err());
    }
    assert_eq!(receive(&mut receiver, &peer.packet(), 100_001), Ok(()));
}

#[test]
fn control_packets_are_accepted_again_after_a_restart() {
    let (mut peer, mut receiver) = settled(GUARD);
    for _ in 0..200 {
        let wire = protect(&mut peer.session, Kind::Rtcp, &rtcp(SSRC, b"report")).unwrap();
        assert!(unprotect(&mut receiver, Kind::Rtcp, &wire, 0).is_ok());
    }
    let mut restarted = Peer::starting_at(5000);
    let wire = protect(&mut restarted.session, Kind::Rtcp, &rtcp(SSRC, b"report")).unwrap();
    assert_eq!(unprotect(&mut receiver, Kind::Rtcp, &wire, 5000), Err(Error::TooOld));
    for _ in 0..8 {
        let _ = receive(&mut receiver, &restarted.packet(), 5000);
    }
    assert!(unprotect(&mut receiver, Kind::Rtcp, &wire, 5000).is_ok());
}
