//! What an idle session takes, by what the process grows: C code allocates too, so counting Rust's allocations would not be enough.

mod wire;

use agw_tls::{Identity, Role, Version};
use std::fs;
use wire::{Seed, drained, engine, give, settle, tls};

const PAIRS: usize = 1000;
const MOST_BYTES: usize = 15 * 1024;

fn resident_bytes() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[test]
fn an_idle_session_that_has_seen_traffic_takes_at_most_15_kb() {
    let ours = Identity::generate().unwrap();
    // All stay until the end: what was given back once would be taken again without growth.
    let mut held = vec![];
    for version in [Version::Tls12, Version::Tls13] {
        let tls = tls(version);
        let up = || {
            let (mut client, mut server) =
                (engine(&tls, Role::Client, &ours), engine(&tls, Role::Server, &ours));
            assert_eq!(settle(&mut client, &mut server, 20_000, 1), (Ok(()), Ok(())));
            assert_eq!(client.write(&[1; 30_000]), 30_000);
            let (arrived, result) = give(&mut server, &drained(&mut client), 40_000, &mut Seed(1));
            result.unwrap();
            assert_eq!(arrived.len(), 30_000);
            (client, server)
        };
        held.extend((0..100).map(|_| up()));
        let before = resident_bytes();
        held.extend((0..PAIRS).map(|_| up()));
        let each = resident_bytes().saturating_sub(before) / (2 * PAIRS);
        println!("{version}: {each} bytes for an idle session");
        assert!(each <= MOST_BYTES, "{version}: {each} bytes");
    }
}
