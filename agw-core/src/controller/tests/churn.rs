use super::*;
use crate::controller::links::FlowRecord;
use crate::controller::stream::Stream;

#[test]
fn calls_that_come_and_go_leave_memory_and_ports_where_they_were() {
    let mut bench = Bench::with(2, |config| config.port_reuse_delay_ms = 5);
    let mut highest_places = 0;
    for cycle in 0..10_000_u64 {
        bench.controller.set_now(cycle);
        let context = bench.context();
        bench.add(context, spec("access", AVP));
        bench.add(context, spec("core", AVP));
        bench.execute(Command::RemoveContext(context)).unwrap();
        bench.workers.iter_mut().for_each(PretendWorker::obey_all);
        while bench.controller.poll_event().is_some() {}
        if cycle == 1_000 {
            highest_places = places(&bench);
        }
    }
    assert_eq!(places(&bench), highest_places);
    assert_eq!(bench.workers.iter().map(|worker| worker.installed).sum::<u64>(), 20_000);
    bench.assert_nothing_left();
}

/// The room that tables have taken, by worker and together.
fn places(bench: &Bench) -> usize {
    bench.controller.links.iter().map(|link| link.flows.capacity()).sum()
}

#[test]
fn a_worker_that_stands_still_bounds_what_waits_for_it() {
    let mut bench = Bench::new(1);
    let context = bench.context();
    bench.add(context, spec("access", AVP));
    let attributes = Command::SetAttributes(context, ContextAttributes::default());
    let refused = (0..100_000).find_map(|_| bench.execute(attributes.clone()).err());
    assert_eq!(refused, Some(Refusal::OutOfResources("worker queue")));
    assert!(bench.controller.counts().unconfirmed_orders <= tickets::MAX_UNCONFIRMED_ORDERS);
    bench.turn();
    bench.execute(attributes).unwrap();
}

#[test]
fn the_memory_of_a_stream_is_known() {
    assert!(size_of::<Stream>() <= 704, "{}", size_of::<Stream>());
    assert!(size_of::<FlowRecord>() <= 40);
}
