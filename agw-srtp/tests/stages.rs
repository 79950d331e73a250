//! Plan, run and commit over batches: many sessions in one run, and two packets of one SSRC that must not disturb each other.

mod common;

use agw_srtp::{Error, InboundSession, Job, Kind, OutboundSession, Policy, Suite, Work, run};
use common::*;

const SSRC: u32 = 0xcafe_babe;

/// Plans every packet, runs them together and commits them in order.
fn receive_batch(receiver: &mut InboundSession, slots: &mut [Vec<u8>]) -> Vec<Result<usize, Error>> {
    let mut jobs: Vec<Job> =
        slots.iter().map(|slot| receiver.plan(Kind::Rtp, slot, 0).expect("plannable")).collect();
    let mut work: Vec<Work<'_>> =
        jobs.iter_mut().zip(slots).map(|(job, packet)| Work { job, keys: receiver.keys(), packet }).collect();
    run(&mut work);
    jobs.iter().map(|job| receiver.commit(job, 0)).collect()
}

fn wires(sender: &mut OutboundSession, numbers: &[u16]) -> Vec<Vec<u8>> {
    numbers.iter().map(|number| protect(sender, Kind::Rtp, &rtp(SSRC, *number, b"media")).unwrap()).collect()
}

#[test]
fn the_copy_of_a_packet_in_the_same_batch_is_refused() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = default_pair(suite);
        let mut slots = wires(&mut sender, &[1, 2, 3]);
        slots.insert(1, slots[0].clone());
        slots.push(slots[3].clone());
        let results = receive_batch(&mut receiver, &mut slots);
        let again = Err(Error::Replayed);
        assert_eq!(results, [Ok(17), again, Ok(17), Ok(17), again], "{suite}");
    }
}

/// The first packets of a new SSRC lie on both sides of a wrap: planned alike, all get rollover counter 0.
#[test]
fn a_packet_whose_index_was_guessed_too_early_is_planned_again() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = default_pair(suite);
        let mut slots = wires(&mut sender, &[65_534, 65_535, 0, 1]);
        let untouched = slots.clone();
        let results = receive_batch(&mut receiver, &mut slots);
        assert_eq!(results, [Ok(17), Ok(17), Err(Error::Replan), Err(Error::Replan)], "{suite}");
        for at in [2, 3] {
            assert_eq!(slots[at], untouched[at], "the packet is as it was received");
            let len = slots[at].len();
            assert_eq!(receiver.unprotect_rtp(&mut slots[at], len, 0), Ok(17));
        }
        assert_eq!(receiver.streams().next(), Some((SSRC, Some(0x1_0001))));
    }
}

#[test]
fn a_batch_that_crosses_a_wrap_of_a_known_stream_needs_no_second_plan() {
    let (mut sender, mut receiver) = default_pair(Suite::AesCm128HmacSha1_80);
    assert_eq!(receive_batch(&mut receiver, &mut wires(&mut sender, &[65_530])), [Ok(17)]);
    let mut slots = wires(&mut sender, &[65_535, 0, 65_534, 2, 1]);
    assert_eq!(receive_batch(&mut receiver, &mut slots), [Ok(17); 5]);
}

/// A sender that leaps twice in one batch: its last packet lies behind the window until the one before it has been accepted.
#[test]
fn a_packet_that_is_old_only_before_the_batch_is_planned_again() {
    for suite in Suite::ALL {
        let (mut sender, mut receiver) = default_pair(suite);
        assert_eq!(receive_batch(&mut receiver, &mut wires(&mut sender, &[0x6000])), [Ok(17)]);
        let mut slots = wires(&mut sender, &[0xd000, 0x4000]);
        let untouched = slots[1].clone();
        assert_eq!(receive_batch(&mut receiver, &mut slots), [Ok(17), Err(Error::Replan)], "{suite}");
        assert_eq!(slots[1], untouched, "the packet is as it was received");
        let len = slots[1].len();
        assert_eq!(receiver.unprotect_rtp(&mut slots[1], len, 0), Ok(17), "{suite}");
        assert_eq!(receiver.streams().next(), Some((SSRC, Some(0x1_4000))));
    }
}

#[test]
fn planning_a_received_packet_changes_nothing() {
    let (mut sender, mut receiver) = default_pair(Suite::AeadAes128Gcm);
    let wire = protect(&mut sender, Kind::Rtp, &rtp(SSRC, 1, b"x")).unwrap();
    for _ in 0..10 {
        assert!(receiver.plan(Kind::Rtp, &wire, 0).is_ok());
    }
    assert_eq!(receiver.streams().count(), 0);
    assert!(unprotect(&mut receiver, Kind::Rtp, &wire, 0).is_ok());
}

#[test]
fn an_outbound_index_is_taken_when_it_is_planned() {
    let (mut sender, _) = default_pair(Suite::AeadAes128Gcm);
    let plain = rtp(SSRC, 1, b"x");
    assert!(sender.plan(Kind::Rtp, &plain, 0).is_ok());
    assert_eq!(sender.plan(Kind::Rtp, &plain, 0).map(|_| ()), Err(Error::IndexReused));
}

#[test]
fn a_job_that_was_not_run_cannot_be_committed() {
    let (mut sender, mut receiver) = default_pair(Suite::AeadAes128Gcm);
    let job = sender.plan(Kind::Rtp, &rtp(SSRC, 1, b"x"), 0).unwrap();
    assert_eq!(sender.commit(&job, 0), Err(Error::NotRun));
    let wire = protect(&mut sender, Kind::Rtp, &rtp(SSRC, 2, b"x")).unwrap();
    let job = receiver.plan(Kind::Rtp, &wire, 0).unwrap();
    assert_eq!(receiver.commit(&job, 0), Err(Error::NotRun));
    assert_eq!(receiver.streams().count(), 0);
}

#[test]
fn running_a_job_twice_does_its_work_once() {
    let (mut sender, mut receiver) = default_pair(Suite::AesCm128HmacSha1_80);
    let plain = rtp(SSRC, 1, b"media");
    let mut slot = plain.clone();
    slot.resize(64, 0);
    let mut job = sender.plan(Kind::Rtp, &plain, 0).unwrap();
    for _ in 0..2 {
        run(&mut [Work { job: &mut job, keys: sender.keys(), packet: &mut slot }]);
    }
    let len = sender.commit(&job, 0).unwrap();
    assert_eq!(unprotect(&mut receiver, Kind::Rtp, &slot[..len], 0).unwrap(), plain);
}

/// Two senders begin at the same time; the table has room for one, and the one that comes first in the batch gets it.
#[test]
fn the_last_place_of_the_table_is_given_away_once() {
    let policy = Policy { max_streams: 1, ..Policy::default() };
    let attribute = plain_attribute(Suite::AeadAes128Gcm);
    let (_, mut receiver) = pair(&attribute, &policy);
    let (mut sender, _) = pair(&attribute, &Policy::default());
    let mut slots: Vec<_> =
        [1, 2].map(|ssrc| protect(&mut sender, Kind::Rtp, &rtp(ssrc, 1, b"media")).unwrap()).into();
    assert_eq!(receive_batch(&mut receiver, &mut slots), [Ok(17), Err(Error::TooManyStreams)]);
}

#[test]
fn one_run_serves_many_sessions_suites_and_both_directions() {
    let policy = Policy::default();
    let mut ends: Vec<_> = Suite::ALL.iter().map(|suite| pair(&plain_attribute(*suite), &policy)).collect();
    let mut slots: Vec<_> = ends
        .iter_mut()
        .map(|(sender, _)| protect(sender, Kind::Rtp, &rtp(SSRC, 1, b"media")).unwrap())
        .collect();
    let mut outgoing: Vec<_> = ends.iter().map(|_| [rtp(SSRC, 2, b"media"), vec![0; 32]].concat()).collect();
    let mut jobs: Vec<(Job, Job)> = ends
        .iter_mut()
        .zip(&slots)
        .map(|((sender, receiver), wire)| {
            let inbound = receiver.plan(Kind::Rtp, wire, 0).unwrap();
            (inbound, sender.plan(Kind::Rtp, &rtp(SSRC, 2, b"media"), 0).unwrap())
        })
        .collect();
    let mut work = Vec::new();
    for (((inbound, outbound), (sender, receiver)), (slot, out)) in
        jobs.iter_mut().zip(&ends).zip(slots.iter_mut().zip(&mut outgoing))
    {
        work.push(Work { job: inbound, keys: receiver.keys(), packet: slot });
        work.push(Work { job: outbound, keys: sender.keys(), packet: out });
    }
    run(&mut work);
    for (((inbound, outbound), (sender, receiver)), (slot, out)) in
        jobs.iter().zip(&mut ends).zip(slots.iter().zip(&outgoing))
    {
        let len = receiver.commit(inbound, 0).unwrap();
        assert_eq!(slot[..len], rtp(SSRC, 1, b"media"));
        let len = sender.commit(outbound, 0).unwrap();
        assert_eq!(unprotect(receiver, Kind::Rtp, &out[..len], 0).unwrap(), rtp(SSRC, 2, b"media"));
    }
}
