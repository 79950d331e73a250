//! Slow readers, shut gates and much at once: what waits is bounded, and media do not wait for it (TCP-4).

use crate::rig::{Rig, read, role};
use agw_core::flow::tcp::BUFFER_BYTES;
use agw_core::io::sim::StreamPeer;
use agw_core::model::*;
use std::time::Duration;

const WINDOW: usize = 4096;

/// Of all that is to be sent so much has been: the rest goes on as the reader takes it.
fn all_arrive(rig: &mut Rig, (from, to): (&StreamPeer, &StreamPeer), all: &[u8], mut sent: usize) {
    let mut got = Vec::new();
    while got.len() < all.len() {
        sent += from.send(&all[sent..]).unwrap_or(0);
        got.extend(read(to).0);
        rig.turn();
    }
    assert!(got == all);
}

#[test]
fn a_stalled_reader_stops_the_sender_and_all_bytes_arrive_when_it_goes_on() {
    let mut rig = Rig::new();
    rig.net.set_window(WINDOW);
    let call = rig.call(TcpSpec::default(), TcpSpec::default());
    let (ue, core) = rig.up(&call);
    let all: Vec<u8> = (0..1 << 20_u32).map(|n| (n * 7 + n / 251) as u8).collect();
    let mut sent = 0;
    for _ in 0..2000 {
        sent += ue.send(&all[sent..]).unwrap_or(0);
        rig.turn();
    }
    let held = BUFFER_BYTES + 4 * WINDOW;
    assert!(sent <= held, "{sent} bytes were taken for a reader that reads nothing");
    assert!(sent >= 2 * WINDOW, "{sent}");
    all_arrive(&mut rig, (&ue, &core), &all, sent);
}

#[test]
fn a_shut_gate_holds_what_comes_and_lets_it_through_when_it_opens() {
    let mut rig = Rig::new();
    let mut call = rig.call(TcpSpec::default(), TcpSpec::default());
    let (ue, core) = rig.up(&call);
    rig.modify(&mut call.core, |spec| spec.mode = Mode::ReceiveOnly);
    ue.send(b"held").unwrap();
    core.send(b"passes").unwrap();
    rig.settle();
    assert_eq!((read(&core).0, read(&ue).0), (Vec::new(), b"passes".to_vec()));
    rig.modify(&mut call.core, |spec| spec.mode = Mode::SendReceive);
    rig.settle();
    assert_eq!(read(&core).0, b"held");
}

#[test]
fn early_data_is_held_up_to_a_bound_while_nobody_is_at_the_other_side() {
    let mut rig = Rig::new();
    rig.net.set_window(WINDOW);
    let mut call = rig.call(role(TcpSetup::Passive), role(TcpSetup::Active));
    let ue = call.ue.host.connect(call.ue.local).unwrap();
    let all: Vec<u8> = (0..200_000_u32).map(|n| (n / 3) as u8).collect();
    let mut sent = 0;
    for _ in 0..500 {
        sent += ue.send(&all[sent..]).unwrap_or(0);
        rig.turn();
    }
    assert!(sent <= BUFFER_BYTES + 2 * WINDOW, "{sent}");
    call.core.host.listen();
    rig.establish(&mut call.core);
    rig.settle();
    let core = call.core.host.accept().unwrap();
    all_arrive(&mut rig, (&ue, &core), &all, sent);
}

#[test]
fn many_calls_at_once_each_get_their_own_bytes() {
    let mut rig = Rig::new();
    let calls: Vec<_> = (0..40).map(|_| rig.call(TcpSpec::default(), TcpSpec::default())).collect();
    let peers: Vec<_> = calls.iter().map(|call| rig.up(call)).collect();
    for (n, (ue, core)) in peers.iter().enumerate() {
        ue.send(&[n as u8; 3000]).unwrap();
        core.send(&[100 + n as u8; 500]).unwrap();
    }
    rig.pass(Duration::from_millis(100));
    for (n, (ue, core)) in peers.iter().enumerate() {
        assert_eq!(read(core).0, [n as u8; 3000]);
        assert_eq!(read(ue).0, [100 + n as u8; 500]);
    }
    drop(peers);
    for call in calls {
        rig.command(agw_core::command::Command::RemoveContext(call.context));
    }
    rig.check_empty();
}
