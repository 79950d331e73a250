//! The packet path allocates nothing: a counting allocator watches every suite protect and unprotect, new SSRCs and refusals
//! included. Only the thread that asks is counted, since the test harness allocates on its own.
#![allow(unsafe_code, reason = "a global allocator cannot be written without it")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use agw_srtp::sdes::SessionParams;
use agw_srtp::{CryptoAttribute, InboundSession, Kind, OutboundSession, Policy, RocRestart, Suite};
use common::*;

struct Counting;

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

fn count_call() {
    // Fails only while the thread ends.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

fn calls_so_far() -> usize {
    CALLS.with(Cell::get)
}

// SAFETY: every call is passed on unchanged to the system's allocator, which keeps the contract.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_call();
        // SAFETY: the caller keeps the contract of `alloc`, which is the system's too.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count_call();
        // SAFETY: the pointer came from the system's allocator, through `alloc` above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Several SSRCs, wraps, replays, damage and a full table, all in one slot.
fn exercise(
    sender: &mut OutboundSession,
    receiver: &mut InboundSession,
    slot: &mut [u8; 512],
    plain: &mut [u8; 172],
) {
    for number in 0..400_u32 {
        let kind = if number % 10 == 9 { Kind::Rtcp } else { Kind::Rtp };
        plain[2..4].copy_from_slice(&(number as u16).wrapping_add(65_400).to_be_bytes());
        let ssrc_at = if kind == Kind::Rtp { 8 } else { 4 };
        plain[ssrc_at..ssrc_at + 4].copy_from_slice(&(number % 10).to_be_bytes());
        slot[..172].copy_from_slice(plain);
        let len = match kind {
            Kind::Rtp => sender.protect_rtp(slot, 172, 0),
            Kind::Rtcp => sender.protect_rtcp(slot, 172, 0),
        };
        let Ok(len) = len else { continue };
        let wire = *slot;
        for (attempt, now_ms) in [(0, 0), (1, 10_000), (2, 20_000)] {
            *slot = wire;
            slot[100] ^= u8::from(attempt == 0);
            let _ = match kind {
                Kind::Rtp => receiver.unprotect_rtp(slot, len, now_ms),
                Kind::Rtcp => receiver.unprotect_rtcp(slot, len, now_ms),
            };
        }
    }
}

#[test]
fn protecting_and_unprotecting_allocate_nothing() {
    let policy = Policy { roc_restart: RocRestart::GUARDED, ..Policy::default() };
    for suite in Suite::ALL {
        let kdr = SessionParams { kdr: Some(4), ..SessionParams::default() };
        let attributes: [CryptoAttribute; 3] =
            [plain_attribute(suite), attribute_with_mki(suite, 3, 4, Some(100)), attribute_with(suite, kdr)];
        for attribute in attributes {
            let (mut sender, mut receiver) = pair(&attribute, &policy);
            let (mut slot, mut plain) = ([0; 512], [0; 172]);
            plain[0] = 0x80;
            let before = calls_so_far();
            assert!(before > 0, "keying allocates, and is seen to");
            exercise(&mut sender, &mut receiver, &mut slot, &mut plain);
            assert_eq!(calls_so_far(), before, "{suite}");
            assert!(receiver.key_use().map(|used| used.rtp_packets).sum::<u64>() > 100, "packets did pass");
            assert_eq!(receiver.streams().count(), 8, "the table became full");
        }
    }
}
