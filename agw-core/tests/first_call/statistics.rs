//! What a stream has carried is counted by the test itself, packet by packet, through everything that a controller does to a running
//! call, and the gateway's counters agree to the last octet.

use super::gate::*;
use super::ground::{Ground, Host};
use agw_core::command::Command;
use agw_core::model::*;

/// A packet of this test at the core side, and at the access side with its tag.
const PLAIN: u64 = 172;
const SECURED: u64 = PLAIN + 10;

/// What the test has sent, and seen arrive, at one termination.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    received: u64,
    sent: u64,
    discarded: u64,
    policed: u64,
}

impl Tally {
    fn of(statistics: &StreamStatistics, packet_octets: u64) -> Self {
        assert_eq!(statistics.octets_received, statistics.packets_received * packet_octets);
        assert_eq!(statistics.octets_sent, statistics.packets_sent * packet_octets);
        Self {
            received: statistics.packets_received,
            sent: statistics.packets_sent,
            discarded: statistics.discarded,
            policed: statistics.policed,
        }
    }
}

/// A call whose packets are counted.
struct Counted<G: Ground> {
    gate: Gate<G>,
    call: Call<G::Host>,
    sequence: u16,
    access: Tally,
    core: Tally,
}

impl<G: Ground> Counted<G> {
    /// What the access side is to be, from where it stands.
    fn spec(&self) -> StreamSpec {
        secure(self.call.phone.address(), LOCAL_KEY, REMOTE_KEY)
    }

    /// Seven packets each way; how many of them are expected to get in and across.
    fn exchange(&mut self, up: u64, down: u64) {
        for _ in 0..7 {
            self.call.say(self.sequence);
            self.call.far.send(self.call.core_port, &rtp(self.sequence));
            self.sequence += 1;
        }
        self.gate.turn();
        self.gate.turn();
        let arrived = (self.call.far.receive_all().len() as u64, self.call.phone.receive_all().len() as u64);
        assert_eq!(arrived, (up, down), "after {} packets", self.sequence);
        self.access.received += up;
        self.core.sent += up;
        self.core.received += down;
        self.access.sent += down;
    }
}

pub(crate) fn counters_are_exact_through_changes_moves_and_relatches<G: Ground>() {
    let mut gate = Gate::<G>::new(2);
    let call = Call::new(&mut gate);
    let mut it = Counted { gate, call, sequence: 0, access: Tally::default(), core: Tally::default() };
    it.exchange(7, 7);

    // The gate shuts to the phone and opens again; the code point changes meanwhile.
    it.gate.modify(it.call.access, StreamSpec { mode: Mode::SendOnly, dscp: Some(46), ..it.spec() });
    it.exchange(0, 7);
    it.access.discarded += 7;
    it.gate.modify(it.call.access, it.spec());
    it.exchange(7, 7);

    // The core's peer moves: the old one is a stranger now.
    let old = std::mem::replace(&mut it.call.far, it.gate.host(FAR));
    it.gate.modify(it.call.core, stream("core", AVP, it.call.far.address()));
    old.send(it.call.core_port, &rtp(1));
    it.exchange(7, 7);
    it.core.discarded += 1;

    // Nothing but keys again, which changes nothing.
    it.gate.modify(it.call.access, it.spec());
    // 210 octets each with all headers.
    let rate = SustainedRate { bytes_per_second: 1, burst_bytes: 630 };
    it.gate.modify(
        it.call.access,
        StreamSpec { policing: Some(Policing::new(Some(rate), None, None)), ..it.spec() },
    );
    it.exchange(3, 7);
    (it.access.discarded, it.access.policed) = (it.access.discarded + 4, 4);
    it.gate.modify(it.call.access, it.spec());

    // The phone is found behind a NAT, and then elsewhere.
    for action in [LatchAction::Latch, LatchAction::Relatch] {
        it.gate.modify(it.call.access, StreamSpec { latch: Some(action), ..it.spec() });
        let signalled = it.call.phone.address();
        it.call.phone = it.gate.host(PHONES);
        it.call.say(it.sequence);
        it.sequence += 1;
        it.gate.turn();
        assert_eq!(it.call.far.receive_all().len(), 1, "{signalled} is left");
        it.access.received += 1;
        it.core.sent += 1;
        it.exchange(7, 7);
    }

    // To another context on another worker, to a core side that has carried nothing.
    let elsewhere = it.gate.context();
    let far = it.gate.host(FAR);
    let (met, core_port) = it.gate.add(elsewhere, stream("core", AVP, far.address()));
    assert_ne!(it.gate.worker_of(it.call.context), it.gate.worker_of(elsewhere));
    it.gate.command(Command::Move { termination: it.call.access, to: elsewhere, streams: Vec::new() });
    let (_, heard) = it.gate.command(Command::Subtract(it.call.core));
    assert_eq!(Tally::of(&statistics_of(&heard, it.call.core).unwrap(), PLAIN), it.core);
    (it.call.far, it.call.core_port, it.core) = (far, core_port, Tally::default());
    it.exchange(7, 7);

    let (_, heard) = it.gate.command(Command::ReadStatistics(it.call.access));
    assert_eq!(Tally::of(&statistics_of(&heard, it.call.access).unwrap(), SECURED), it.access);
    it.exchange(7, 7);
    for (termination, octets, expected) in [(it.call.access, SECURED, &it.access), (met, PLAIN, &it.core)] {
        let (_, heard) = it.gate.command(Command::Subtract(termination));
        assert_eq!(Tally::of(&statistics_of(&heard, termination).unwrap(), octets), *expected);
    }
    it.gate.assert_nothing_left();
}
