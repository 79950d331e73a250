//! What calls cost and what they hold, through a whole gateway on the pretend network: text in, text out, no kernel.
//!
//! `cargo bench -p benches --bench setup` prints median nanoseconds and allocations per call that is set up and taken down, with the
//! ratio to reading its two requests alone; then it holds 100,000 calls, ten times over, and prints the bytes that each takes, by
//! part. `-- CALLS ROUNDS` asks for other numbers.

use agw_core::command::{Command, Gateway, Reply};
use agw_core::model::{
    ContextAttributes, CryptoAttribute, RealmName, Remote, Security, StreamId, StreamSpec, Transport,
};
use agw_iq::text;
use benches::harness::median;
use benches::whole::{Whole, empty, fill, set_up, tear_down};
use std::hint::black_box;
use std::time::{Duration, Instant};

const AT_ONCE: usize = 32;
const BLOCKS: usize = 31;
const CALLS_PER_BLOCK: usize = 1600;
/// Longer than a reply is remembered (H.248.1 Annex D.1.1) and than a port rests.
const REST: Duration = Duration::from_secs(31);

fn main() {
    let mut numbers = std::env::args().filter_map(|argument| argument.parse().ok());
    let (calls, rounds): (usize, usize) = (numbers.next().unwrap_or(100_000), numbers.next().unwrap_or(10));
    cost();
    parts(calls.min(20_000));
    rounds_of(calls, rounds);
}

fn cost() {
    let mut whole = Whole::new(10_000);
    let mut next = 1;
    let (mut setting_up, mut taking_down, mut reading) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..BLOCKS {
        let start = Instant::now();
        let held = fill(&mut whole, &mut next, CALLS_PER_BLOCK, AT_ONCE);
        setting_up.push(per_call(start));
        let start = Instant::now();
        empty(&mut whole, &mut next, &held, AT_ONCE);
        taking_down.push(per_call(start));
        let start = Instant::now();
        for call in 0..CALLS_PER_BLOCK {
            for request in [set_up(call), tear_down(call, 7)] {
                drop(black_box(text::parse(black_box(request.as_bytes()))));
            }
        }
        reading.push(per_call(start));
        // Ports rest, replies are kept: as in a gateway that has been busy for a while.
        whole.advance(Duration::from_secs(2));
    }
    let counted = allocation_counter::measure(|| {
        let held = fill(&mut whole, &mut next, CALLS_PER_BLOCK, AT_ONCE);
        empty(&mut whole, &mut next, &held, AT_ONCE);
    });
    let made = allocation_counter::measure(|| {
        (0..CALLS_PER_BLOCK).for_each(|call| drop(black_box((set_up(call), tear_down(call, 7)))));
    });
    let allocations = (counted.count_total - made.count_total) as f64 / CALLS_PER_BLOCK as f64;
    let [up, down, baseline] = [setting_up, taking_down, reading].map(|mut times| median(&mut times));
    println!("a call through Iq, controller and worker, no sockets (median of {BLOCKS}):");
    println!("  set up         {up:>8.0} ns");
    println!("  taken down     {down:>8.0} ns");
    println!(
        "  both           {:>8.0} ns   {:.1} : 1 of reading both requests alone ({baseline:.0} ns)",
        up + down,
        (up + down) / baseline
    );
    println!("  allocations    {allocations:>8.1}\n");
}

fn per_call(start: Instant) -> f64 {
    start.elapsed().as_nanos() as f64 / CALLS_PER_BLOCK as f64
}

/// Bytes per call, by what holds them: each part is what a gateway with it takes more than one without.
fn parts(calls: usize) {
    let per_call =
        |work: &mut dyn FnMut()| allocation_counter::measure(work).bytes_current as f64 / calls as f64;
    let mut whole = Whole::new(calls);
    let mut next = 1;
    let mut all = per_call(&mut || drop(black_box(fill(&mut whole, &mut next, calls, AT_ONCE))));
    let replies = -per_call(&mut || whole.advance(REST));
    all -= replies;
    drop(whole);
    let [keyed, plain] = [true, false].map(|keyed| {
        let mut whole = Whole::new(calls);
        per_call(&mut || (0..calls).for_each(|_| model_call(&mut whole, keyed)))
    });
    println!("bytes of a call that is up ({calls} calls):");
    println!("  the view of H.248       {:>8.0}", all - keyed);
    println!("  SRTP sessions           {:>8.0}", keyed - plain);
    println!("  controller, flows, net  {plain:>8.0}");
    println!("  together                {all:>8.0}");
    println!("  for 30 s its replies    {replies:>8.0}\n");
}

/// The same call by commands to the model, without Iq.
fn model_call(whole: &mut Whole, keyed: bool) {
    let controller = &mut whole.controller;
    let Ok(Reply::Context(context)) =
        controller.execute(Command::CreateContext(ContextAttributes::default()))
    else {
        panic!("no context")
    };
    let key = |text: &str| CryptoAttribute::parse(text).ok();
    for (realm, secure) in [("access", keyed), ("core", false)] {
        let mut spec = StreamSpec::new(Transport::Rtp { secure, feedback: false });
        spec.realm = RealmName::new(realm);
        spec.remote = Some(Remote { rtp: ([192, 0, 2, 10], 2000).into(), rtcp: None });
        if secure {
            spec.security = Security {
                local: key("1 AES_CM_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw"),
                remote: key("1 AES_CM_128_HMAC_SHA1_80 inline:QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNk"),
            };
        }
        let added = controller.execute(Command::Add { context, streams: vec![(StreamId(1), spec)] });
        assert!(matches!(added, Ok(Reply::Termination(..))), "{added:?}");
    }
    whole.exchange(std::iter::empty(), |_| ());
}

/// Holds all calls again and again, and prints what each round takes and leaves.
fn rounds_of(calls: usize, rounds: usize) {
    let mut whole = Whole::new(calls);
    let mut next = 1;
    println!(
        "{calls} calls, {rounds} rounds: bytes per call while held, bytes left when all are gone and forgotten"
    );
    let mut left_behind = 0;
    for round in 1..=rounds {
        let mut held = Vec::new();
        let start = Instant::now();
        let up = allocation_counter::measure(|| {
            held = fill(&mut whole, &mut next, calls, AT_ONCE);
            whole.advance(REST);
        });
        let down = allocation_counter::measure(|| {
            empty(&mut whole, &mut next, &held, AT_ONCE);
            whole.advance(REST);
        });
        left_behind += up.bytes_current + down.bytes_current;
        // The list of those held is ours.
        let ours = (held.capacity() * size_of::<u32>()) as i64;
        println!(
            "  round {round:>2}  {:>6.0} held  {:>9} left   {:>5.1} us a call",
            (up.bytes_current - ours) as f64 / calls as f64,
            left_behind - ours * round as i64,
            start.elapsed().as_micros() as f64 / calls as f64,
        );
        drop(held);
    }
}
