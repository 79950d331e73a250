//! One SRTP stream with strangers on the wire: a sender, a receiver, and datagrams of the fuzzer's making between them; everything done
//! twice, packet by packet and in batches through plan, run and commit.
//!
//! The input is what the attribute says (suite, keys, MKI, lifetimes, KDR, unencrypted and unauthenticated modes, window), then records of
//! a kind and bytes. Whatever comes: both ways give the same packets and end in the same state, a stranger's packet is never accepted, a
//! packet of the sender's comes out as it went in, its copy never does, and the slot is never overrun (SRTP-2, 4, 6, 7, 11, 13).
#![no_main]

use agw_core::io::sim::Chance;
use agw_srtp::sdes::SessionParams;
use agw_srtp::{
    CryptoAttribute, Error, InboundSession, Job, Kind, Lifetime, MAX_OVERHEAD_BYTES, MasterKey, Mki,
    OutboundSession, Policy, Suite, Work, run,
};
use fuzz::input::{Input, chance_of};
use libfuzzer_sys::fuzz_target;
use std::collections::HashSet;

const MAX_PACKET_BYTES: usize = 255;
const MAX_BATCH: usize = 8;
/// Behind the room that protection may use.
const GUARD: [u8; 8] = *b"untouchd";
const SLOT_BYTES: usize = MAX_PACKET_BYTES + MAX_OVERHEAD_BYTES;

/// Where a packet of the wire comes from.
#[derive(Debug, Clone, PartialEq)]
enum Origin {
    /// The sender, who said this.
    Sender(Vec<u8>),
    /// The sender, and it was on the wire before.
    Copy(Vec<u8>),
    Stranger,
}

#[derive(Debug, Clone)]
struct Packet {
    kind: Kind,
    bytes: Vec<u8>,
    origin: Origin,
}

impl Packet {
    fn slot(&self) -> Vec<u8> {
        let mut slot = self.bytes.clone();
        slot.resize(SLOT_BYTES, 0);
        slot.extend(GUARD);
        slot
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let Some(attribute) = attribute(&mut input, chance_of(bytes)) else { return };
    let policy =
        Policy { allow_null: true, allow_unauthenticated: true, max_streams: 3, ..Policy::default() };
    let authentic = !attribute.params().unauthenticated_srtp;
    // Without tags nothing says which index is right, so there a batch of more than one may lose what one alone would not.
    let most = if authentic { 1 + input.below(MAX_BATCH) } else { 1 };
    let sender = || OutboundSession::new(&attribute, &policy).expect("the policy allows everything");
    let receiver = || InboundSession::new(&attribute, &policy).expect("the policy allows everything");
    let (mut senders, mut receivers) = ([sender(), sender()], [receiver(), receiver()]);
    let mut accepted: HashSet<(Kind, Vec<u8>)> = HashSet::new();
    let mut on_the_wire: Vec<Packet> = Vec::new();
    while !input.is_empty() {
        let (mut plain, mut packets) = (Vec::new(), Vec::new());
        for _ in 0..most {
            let what = input.byte();
            let kind = if what & 1 == 0 { Kind::Rtp } else { Kind::Rtcp };
            match what >> 1 & 3 {
                0 => packets.push(Packet { kind, bytes: input.bytes().to_vec(), origin: Origin::Stranger }),
                1 => packets.extend(again(&mut input, &on_the_wire, what & 8 != 0)),
                _ => plain.push((kind, input.bytes().to_vec())),
            }
        }
        let sent = send(&mut senders, &plain);
        on_the_wire.extend(sent.iter().cloned());
        packets.extend(sent);
        receive(&mut receivers, &packets, authentic, &mut accepted);
    }
    let [alone, together] = &receivers;
    assert!(alone.streams().eq(together.streams()));
    assert!(alone.key_use().eq(together.key_use()));
});

/// Something that was on the wire before, as it was or with one bit wrong.
fn again(input: &mut Input<'_>, on_the_wire: &[Packet], intact: bool) -> Option<Packet> {
    let chosen = usize::from(input.word());
    let mut packet = on_the_wire.get(chosen % on_the_wire.len().max(1))?.clone();
    let (Origin::Sender(plain) | Origin::Copy(plain)) = packet.origin.clone() else { return None };
    packet.origin = Origin::Copy(plain);
    if !intact {
        let at = usize::from(input.byte()) % packet.bytes.len();
        packet.bytes[at] ^= 1 << input.below(8);
        packet.origin = Origin::Stranger;
    }
    Some(packet)
}

/// Protects packets one by one at the first sender and together at the second: the same comes out.
fn send(senders: &mut [OutboundSession; 2], plain: &[(Kind, Vec<u8>)]) -> Vec<Packet> {
    let [alone, together] = senders;
    let slots = || plain.iter().map(|(_, bytes)| padded(bytes));
    let mut one_by_one: Vec<_> = slots().collect();
    let lengths: Vec<_> = one_by_one
        .iter_mut()
        .zip(plain)
        .map(|(slot, (kind, bytes))| match kind {
            Kind::Rtp => alone.protect_rtp(&mut slot[..SLOT_BYTES], bytes.len(), 0),
            Kind::Rtcp => alone.protect_rtcp(&mut slot[..SLOT_BYTES], bytes.len(), 0),
        })
        .collect();

    let mut staged: Vec<_> = slots().collect();
    let mut jobs: Vec<_> = plain.iter().map(|(kind, bytes)| together.plan(*kind, bytes, 0)).collect();
    run_all(&mut jobs, &mut staged, together.keys());
    let staged_lengths: Vec<_> =
        jobs.into_iter().map(|job| job.and_then(|job| together.commit(&job, 0))).collect();

    assert_eq!(lengths, staged_lengths);
    let mut sent = Vec::new();
    for (((length, slot), staged), (kind, bytes)) in
        lengths.into_iter().zip(one_by_one).zip(staged).zip(plain)
    {
        assert_eq!((&slot[SLOT_BYTES..], &staged[SLOT_BYTES..]), (&GUARD[..], &GUARD[..]));
        if let Ok(length) = length {
            assert_eq!(slot[..length], staged[..length]);
            let origin = Origin::Sender(bytes.clone());
            sent.push(Packet { kind: *kind, bytes: slot[..length].to_vec(), origin });
        }
    }
    sent
}

fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut slot = bytes.to_vec();
    slot.resize(SLOT_BYTES, 0);
    slot.extend(GUARD);
    slot
}

fn run_all(jobs: &mut [Result<Job, Error>], slots: &mut [Vec<u8>], keys: &agw_srtp::Keys) {
    let mut work: Vec<Work<'_>> = jobs
        .iter_mut()
        .zip(slots)
        .filter_map(|(job, slot)| {
            Some(Work { job: job.as_mut().ok()?, keys, packet: &mut slot[..SLOT_BYTES] })
        })
        .collect();
    run(&mut work);
}

/// Unprotects packets one by one at the first receiver and together at the second: the same are accepted, and rightly.
fn receive(
    receivers: &mut [InboundSession; 2],
    packets: &[Packet],
    authentic: bool,
    accepted: &mut HashSet<(Kind, Vec<u8>)>,
) {
    let [alone, together] = receivers;
    let mut staged: Vec<_> = packets.iter().map(Packet::slot).collect();
    let mut jobs: Vec<_> =
        packets.iter().map(|packet| together.plan(packet.kind, &packet.bytes, 0)).collect();
    run_all(&mut jobs, &mut staged, together.keys());
    for ((packet, job), staged) in packets.iter().zip(jobs).zip(&mut staged) {
        let committed = job.and_then(|job| together.commit(&job, 0));
        if committed == Err(Error::Replan) {
            assert_eq!(*staged, packet.slot(), "a packet that is to be planned again is as it came");
        }
        let committed = match committed {
            Err(Error::Replan) => unprotect(together, packet, staged),
            other => other,
        };
        let mut slot = packet.slot();
        let scalar = unprotect(alone, packet, &mut slot);
        // A batch may find another reason to refuse: it looks at all before it believes any.
        assert_eq!(committed.ok(), scalar.ok(), "{:?} {committed:?} {scalar:?}", packet.origin);
        assert_eq!((&slot[SLOT_BYTES..], &staged[SLOT_BYTES..]), (&GUARD[..], &GUARD[..]));
        assert_ne!(scalar, Err(Error::Replan), "one packet alone needs no second plan");
        let Ok(length) = scalar else { continue };
        assert_eq!(slot[..length], staged[..length]);
        if packet.kind == Kind::Rtcp || authentic {
            check(packet, &slot[..length], accepted);
        }
    }
}

fn unprotect(session: &mut InboundSession, packet: &Packet, slot: &mut [u8]) -> Result<usize, Error> {
    match packet.kind {
        Kind::Rtp => session.unprotect_rtp(&mut slot[..SLOT_BYTES], packet.bytes.len(), 0),
        Kind::Rtcp => session.unprotect_rtcp(&mut slot[..SLOT_BYTES], packet.bytes.len(), 0),
    }
}

/// A packet was accepted: it is the sender's, once, and says what the sender said.
fn check(packet: &Packet, plain: &[u8], accepted: &mut HashSet<(Kind, Vec<u8>)>) {
    let (Origin::Sender(said) | Origin::Copy(said)) = &packet.origin else {
        panic!("a packet of nobody's was accepted: {packet:02x?} {plain:02x?}");
    };
    assert!(accepted.insert((packet.kind, packet.bytes.clone())), "a replayed packet was accepted");
    match packet.kind {
        // A sender that jumped back goes on under other sequence numbers (SRTP-13).
        Kind::Rtp => assert_eq!((&plain[..2], &plain[4..]), (&said[..2], &said[4..])),
        Kind::Rtcp => assert_eq!(plain, said),
    }
}

/// Any attribute that makes sense.
fn attribute(input: &mut Input<'_>, mut chance: Chance) -> Option<CryptoAttribute> {
    let suite = Suite::ALL[input.below(Suite::ALL.len())];
    let modes = input.byte();
    let keys = 1 + usize::from(modes & 3);
    let mki_len = if keys > 1 || modes & 4 != 0 { Some(1 + input.below(128)) } else { None };
    let lifetime = if modes & 8 != 0 { Lifetime::packets(1 + u64::from(input.byte())) } else { None };
    let params = SessionParams {
        kdr: if modes & 16 != 0 { Some(1 + input.byte() % 24) } else { None },
        unencrypted_srtp: modes & 32 != 0,
        unencrypted_srtcp: modes & 64 != 0,
        unauthenticated_srtp: modes & 128 != 0,
        fec_order: None,
        window_size_hint: if modes & 24 == 24 { Some(64 + u32::from(input.byte())) } else { None },
    };
    let keys = (0..keys as u8).map(|number| {
        let secret: [u8; 46] = std::array::from_fn(|_| chance.next_u64() as u8);
        let (key, salt) = secret.split_at(suite.master_key_len());
        let mut key = MasterKey::new(suite, key, &salt[..suite.master_salt_len()]).expect("right lengths");
        if let Some(len) = mki_len {
            key = key.with_mki(Mki::new(u128::from(number) + 1, len).expect("1 to 128 bytes"));
        }
        match lifetime {
            Some(lifetime) => key.with_lifetime(lifetime),
            None => key,
        }
    });
    CryptoAttribute::new(1, suite, keys).ok()?.with_params(params).ok()
}
