//! Ports as the controller and the system see them: rest before reuse, and other processes.

use super::gate::*;
use super::ground::{Ground, Host};
use agw_core::command::{Command, Refusal};
use agw_core::model::*;
use std::collections::HashSet;
use std::net::SocketAddr;

/// Two pairs of ports for the access side.
fn narrow<G: Ground>(reuse_delay_ms: u64) -> Gate<G> {
    Gate::with(1, |config| {
        config.realms[0].ports = PortRange::new(10_000, 10_003).unwrap();
        config.port_reuse_delay_ms = reuse_delay_ms;
    })
}

pub(crate) fn a_port_rests_before_it_is_used_again<G: Ground>() {
    let mut gate = narrow::<G>(1_000_000);
    let (first, second) = (Call::new(&mut gate), Call::new(&mut gate));
    let out_of_ports = Err(Refusal::OutOfPorts(RealmName::new("access").unwrap()));
    let context = gate.context();
    let spec = secure(first.phone.address(), LOCAL_KEY, REMOTE_KEY);
    assert_eq!(gate.try_add(context, spec.clone()), out_of_ports, "both pairs are in use");

    gate.command(Command::Subtract(first.access));
    assert_eq!(gate.try_add(context, spec.clone()), out_of_ports, "it rests");
    gate.skip(999_000);
    assert_eq!(gate.try_add(context, spec.clone()), out_of_ports, "it still rests");
    gate.skip(2_000);
    let (_, port) = gate.try_add(context, spec).unwrap();
    assert_eq!(port, first.access_port);
    for context in [first.context, second.context, context] {
        gate.command(Command::RemoveContext(context));
    }
    gate.skip(1_000_000);
    gate.assert_nothing_left();
}

pub(crate) fn a_port_of_another_process_is_passed_over<G: Ground>() {
    let mut gate = Gate::<G>::new(1);
    let access = gate.ground.ip(1);
    // RTP's port of one pair, and RTCP's of another.
    let foreign = [10_000, 10_003].map(|port| gate.ground.host(SocketAddr::new(access, port)));
    let mut call = Call::new(&mut gate);
    assert_eq!(call.access_port, SocketAddr::new(access, 10_004));
    assert_eq!(gate.controller.counts().foreign_ports, 2);
    assert_eq!(gate.controller.counts().open_ports, 4, "the half-opened pair was closed");
    call.say(1);
    gate.turn();
    assert_eq!(call.far.receive_all(), [rtp(1)]);
    assert!(foreign.iter().all(|host| host.receive().is_none()));
    gate.command(Command::RemoveContext(call.context));
    gate.assert_nothing_left();
}

pub(crate) fn a_named_port_that_another_process_has_is_refused_and_leaves_nothing<G: Ground>() {
    let mut gate = Gate::<G>::new(2);
    let access = gate.ground.ip(1);
    let _foreign = gate.ground.host(SocketAddr::new(access, 10_101));
    let peer = gate.host(PHONES);
    let context = gate.context();
    let named = StreamSpec { local_port: Some(10_100), ..secure(peer.address(), LOCAL_KEY, REMOTE_KEY) };
    assert_eq!(gate.try_add(context, named.clone()), Err(Refusal::PortUnavailable(StreamId(1))));
    assert_eq!(gate.controller.counts().open_ports, 0);
    let named = StreamSpec { local_port: Some(10_102), ..named };
    let (_, port) = gate.try_add(context, named).unwrap();
    assert_eq!(port, SocketAddr::new(access, 10_102));
    let ports: HashSet<_> = gate.controller.realm_ports().iter().map(|realm| realm.in_use).collect();
    assert_eq!(ports, HashSet::from([2, 0]));
    gate.command(Command::RemoveContext(context));
    gate.assert_nothing_left();
}
