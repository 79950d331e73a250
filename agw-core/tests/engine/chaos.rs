//! A worker under orders and traffic chosen at random, on a network that loses, doubles and reorders: whatever happens, the sums
//! hold, every order is answered, and nothing is left when all is removed.

use super::ground::{Ground, Sim};
use super::rig::{Call, PEER_KEY, Rig, drain, protect, rtp, sender, sender_report};
use agw_core::command::order::Latching;
use agw_core::command::order::Treatment::{Plain, Relay, Secure};
use agw_core::io::sim::{Chance, Endpoint, Link};
use agw_core::model::{Family, Mode};
use agw_core::worker::stats::Counter;
use agw_srtp::OutboundSession;
use std::time::Duration;

const STEPS: u32 = 600;

struct Running {
    call: Call<Endpoint>,
    phone_out: OutboundSession,
    sequence: u16,
}

pub(crate) fn traffic_at_random_leaves_nothing_behind(seed: u64) {
    let mut rig = Rig::<Sim>::new();
    let mut chance = Chance::new(seed);
    rig.ground.net.set_link(Link {
        loss_per_mille: 30,
        duplicate_per_mille: 30,
        delay_us: 2000,
        jitter_us: 50_000,
    });
    let stranger = rig.ground.host(Family::V4);
    let mut running: Vec<Running> = Vec::new();
    let mut heard = 0;
    for _ in 0..STEPS {
        if running.len() < 6 && chance.per_mille(100) && rig.has_places(2) {
            let treatments =
                [(Secure, Plain), (Plain, Plain), (Secure, Secure), (Relay, Relay), (Plain, Secure)];
            let (access, core) = treatments[chance.below(5) as usize];
            let call = rig.call(access, core);
            running.push(Running { call, phone_out: sender(PEER_KEY), sequence: chance.next_u64() as u16 });
        }
        for r in &mut running {
            speak(r, &stranger, &mut chance);
        }
        if !running.is_empty() && chance.per_mille(100) {
            let at = chance.below(running.len() as u64) as usize;
            command(&mut rig, &running[at].call, &mut chance);
        }
        if !running.is_empty() && chance.per_mille(20) {
            let gone = running.swap_remove(chance.below(running.len() as u64) as usize);
            heard += [&gone.call.ue, &gone.call.far].map(|host| drain(host).len()).iter().sum::<usize>();
            rig.remove(gone.call.core);
            rig.remove(gone.call.access);
        }
        rig.ground.net.advance(Duration::from_millis(chance.below(20)));
        rig.worker.turn(Duration::ZERO).unwrap();
    }
    rig.ground.net.advance(Duration::from_secs(1));
    rig.run();
    for r in running {
        heard += [&r.call.ue, &r.call.far].map(|host| drain(host).len()).iter().sum::<usize>();
        rig.remove(r.call.access);
        rig.remove(r.call.core);
    }
    rig.take_notices();
    assert!(heard > 100, "seed {seed}: only {heard} packets came through");
    assert_eq!(rig.counters.imbalance(), 0, "seed {seed}");
    assert_eq!(rig.counters.get(Counter::Flows), 0, "seed {seed}");
    assert_eq!(rig.ground.net.open_ports(), 0, "seed {seed}");
    assert!(stranger.receive().is_none(), "seed {seed}: a stranger was sent something");
}

fn speak(r: &mut Running, stranger: &Endpoint, chance: &mut Chance) {
    let Running { call, phone_out, sequence } = r;
    *sequence = sequence.wrapping_add(1 + u16::from(chance.per_mille(10)) * 20);
    let payload = vec![*sequence as u8; chance.below(1200) as usize];
    let up = protect(phone_out, &rtp(1, *sequence, &payload));
    let plain = rtp(2, *sequence, &payload);
    call.ue.send(call.access.rtp, if chance.per_mille(800) { &up } else { &plain });
    call.far.send(call.core.rtp, &plain);
    if chance.per_mille(100) {
        call.ue_rtcp.send(call.access.rtcp, &protect(phone_out, &sender_report(1)));
        call.far_rtcp.send(call.core.rtcp, &sender_report(2));
    }
    if chance.per_mille(100) {
        let noise: Vec<u8> = (0..chance.below(2500)).map(|_| chance.next_u64() as u8).collect();
        stranger.send(call.access.rtp, &noise);
        stranger.send(call.core.rtcp, &noise);
        call.ue.send(call.access.rtp, &noise);
    }
}

fn command(rig: &mut Rig<Sim>, call: &Call<Endpoint>, chance: &mut Chance) {
    let side = if chance.per_mille(500) { call.access } else { call.core };
    let modes = [Mode::SendReceive, Mode::SendOnly, Mode::ReceiveOnly, Mode::Inactive, Mode::Loopback];
    let mode = modes[chance.below(5) as usize];
    let mux = chance.per_mille(200);
    rig.change(side, |plan| (plan.mode, plan.mux, plan.latching) = (mode, mux, Latching::Off));
    rig.statistics(side);
}
