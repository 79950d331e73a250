//! What is kept for emergency calls and calls of high priority, and who may take it.

use super::super::Reserve;
use super::*;
use crate::command::Command;
use crate::model::{ContextAttributes, Leg, StreamId};

const ORDINARY: ContextAttributes = ContextAttributes { priority: 9, emergency: false };
const HIGH: ContextAttributes = ContextAttributes { priority: 10, emergency: false };
const EMERGENCY: ContextAttributes = ContextAttributes { priority: 0, emergency: true };

fn bench(contexts: usize, access: (u16, u16)) -> Bench {
    Bench::with(1, |config| {
        config.realms[0] = realm("access", Leg::Access, &["127.0.0.1"], access);
        config.limits.contexts = contexts;
        config.limits.reserve = Reserve { percent: 20, high_priority: 10 };
    })
}

fn make(bench: &mut Bench, attributes: ContextAttributes) -> Result<ContextId, Refusal> {
    match bench.execute(Command::CreateContext(attributes))? {
        Reply::Context(id) => Ok(id),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_last_contexts_are_for_emergencies_and_high_priorities_until_there_is_none() {
    let mut bench = bench(10, (10_000, 10_999));
    let made: Vec<_> = std::iter::from_fn(|| make(&mut bench, ORDINARY).ok()).collect();
    assert_eq!(made.len(), 8);
    assert_eq!(make(&mut bench, ORDINARY), Err(Refusal::OutOfContexts));
    make(&mut bench, HIGH).unwrap();
    make(&mut bench, EMERGENCY).unwrap();
    assert_eq!(make(&mut bench, EMERGENCY), Err(Refusal::OutOfContexts));
    // One that ends makes room for the privileged first.
    bench.execute(Command::RemoveContext(made[0])).unwrap();
    assert_eq!(make(&mut bench, ORDINARY), Err(Refusal::OutOfContexts));
    make(&mut bench, EMERGENCY).unwrap();
}

#[test]
fn the_last_ports_of_a_pool_are_for_privileged_contexts() {
    // Twenty ports are ten pairs, of which two are kept.
    let mut bench = bench(100, (10_000, 10_019));
    let add = |bench: &mut Bench, context| bench.try_add(context, vec![(StreamId(1), spec("access", AVP))]);
    for _ in 0..8 {
        let context = bench.context();
        add(&mut bench, context).unwrap();
    }
    let ordinary = bench.context();
    assert!(matches!(add(&mut bench, ordinary), Err(Refusal::OutOfPorts(_))));
    let emergency = make(&mut bench, EMERGENCY).unwrap();
    add(&mut bench, emergency).unwrap();
    // A call that becomes an emergency may take what is kept from then on.
    bench.execute(Command::SetAttributes(ordinary, EMERGENCY)).unwrap();
    add(&mut bench, ordinary).unwrap();
    let late = make(&mut bench, EMERGENCY).unwrap();
    assert!(matches!(add(&mut bench, late), Err(Refusal::OutOfPorts(_))), "truly full");
}

#[test]
fn a_port_that_is_named_is_not_taken_from_what_is_kept() {
    let mut bench = bench(100, (10_000, 10_003));
    bench.controller.limits.reserve.percent = 50;
    let named = |port| StreamSpec { local_port: Some(port), ..spec("access", AVP) };
    let (one, other) = (bench.context(), bench.context());
    bench.add(one, named(10_002));
    let refused = bench.try_add(other, vec![(StreamId(1), named(10_000))]);
    assert_eq!(refused, Err(Refusal::PortUnavailable(StreamId(1))));
}

#[test]
fn descriptors_are_kept_too() {
    let mut bench = Bench::with(1, |config| {
        config.limits.ports = 10;
        config.limits.reserve = Reserve { percent: 20, high_priority: 10 };
    });
    let add = |bench: &mut Bench, context| bench.try_add(context, vec![(StreamId(1), spec("access", AVP))]);
    for _ in 0..4 {
        let context = bench.context();
        add(&mut bench, context).unwrap();
    }
    let ordinary = bench.context();
    assert_eq!(add(&mut bench, ordinary), Err(Refusal::OutOfResources("ports")));
    let emergency = make(&mut bench, HIGH).unwrap();
    add(&mut bench, emergency).unwrap();
}
