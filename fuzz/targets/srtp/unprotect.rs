//! One SRTP stream with strangers on the wire: a sender, a receiver, and datagrams of the fuzzer's making between them.
//!
//! The input is a suite, then records of a kind, a length and bytes. Whatever comes: a stranger's packet is never accepted, a
//! packet of the sender's comes out as it went in, its copy never does, and the slot is never overrun (SRTP-2, SRTP-4, SRTP-13).
#![no_main]

use agw_srtp::{CryptoAttribute, Error, InboundSession, MAX_OVERHEAD_BYTES, OutboundSession, Policy, Suite};
use libfuzzer_sys::fuzz_target;

const MAX_PACKET_BYTES: usize = 255;
/// Long enough for every suite; each takes what it needs.
const KEY_64: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAx";

type Slot = [u8; MAX_PACKET_BYTES + MAX_OVERHEAD_BYTES];
type Unprotect = fn(&mut InboundSession, &mut [u8], usize, u64) -> Result<usize, Error>;
type Protect = fn(&mut OutboundSession, &mut [u8], usize, u64) -> Result<usize, Error>;

fuzz_target!(|input: &[u8]| {
    let Some((&choice, mut records)) = input.split_first() else { return };
    let suite = Suite::ALL[usize::from(choice) % Suite::ALL.len()];
    let attribute = attribute(suite);
    let policy = Policy::default();
    let mut sender = OutboundSession::new(&attribute, &policy).expect("the default policy takes every suite");
    let mut receiver =
        InboundSession::new(&attribute, &policy).expect("the default policy takes every suite");
    let mut now_ms = 0;
    while let [what, length, rest @ ..] = records {
        let (bytes, after) = rest.split_at(usize::from(*length).min(rest.len()));
        records = after;
        now_ms += 20;
        let (protect, unprotect): (Protect, Unprotect) = match what & 1 {
            0 => (OutboundSession::protect_rtp, InboundSession::unprotect_rtp),
            _ => (OutboundSession::protect_rtcp, InboundSession::unprotect_rtcp),
        };
        let mut slot: Slot = [0; MAX_PACKET_BYTES + MAX_OVERHEAD_BYTES];
        slot[..bytes.len()].copy_from_slice(bytes);
        if what & 2 == 0 {
            let accepted = unprotect(&mut receiver, &mut slot, bytes.len(), now_ms);
            assert!(accepted.is_err(), "{suite}: a packet of nobody's was accepted");
            continue;
        }
        let Ok(length) = protect(&mut sender, &mut slot, bytes.len(), now_ms) else { continue };
        let mut copy = slot;
        if let Ok(plain) = unprotect(&mut receiver, &mut slot, length, now_ms) {
            assert_eq!(slot[..2], bytes[..2], "{suite}");
            // A sender that jumped back goes on under other sequence numbers (SRTP-13).
            assert_eq!(slot[4..plain], bytes[4..], "{suite}");
            let replayed = unprotect(&mut receiver, &mut copy, length, now_ms);
            assert!(replayed.is_err(), "{suite}: a replayed packet was accepted");
        }
    }
});

fn attribute(suite: Suite) -> CryptoAttribute {
    (32..=KEY_64.len())
        .find_map(|length| {
            let padding = "=".repeat((4 - length % 4) % 4);
            CryptoAttribute::parse(&format!("1 {suite} inline:{}{padding}", &KEY_64[..length])).ok()
        })
        .expect("one length is right for every suite")
}
