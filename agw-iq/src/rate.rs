//! How many messages a peer may send: a bucket of permissions for each, filled at a steady rate, so that one peer that floods takes
//! nothing from the others. Only peers that may speak at all have one; strangers are turned away before.

use crate::transport::{Now, is_loopback};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// The most peers whose rate is kept apart; more share one bucket.
const MAX_PEERS: usize = 64;
/// The bucket of this host, whatever its loopback address, and of those that find no place of their own.
const SHARED: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// At most `per_second` on average, and a tenth of a second's worth at once.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    level: f64,
    filled: Now,
}

impl Bucket {
    fn take(&mut self, now: Now, per_second: f64) -> bool {
        let gained = now.saturating_sub(self.filled).as_secs_f64() * per_second;
        self.filled = self.filled.max(now);
        self.level = (self.level + gained).min(depth(per_second));
        let permitted = self.level >= 1.0;
        if permitted {
            self.level -= 1.0;
        }
        permitted
    }

    fn is_full(&self, now: Now, per_second: f64) -> bool {
        let gained = now.saturating_sub(self.filled).as_secs_f64() * per_second;
        self.level + gained >= depth(per_second)
    }
}

fn depth(per_second: f64) -> f64 {
    (per_second / 10.0).max(1.0)
}

/// The buckets of all peers.
#[derive(Debug)]
pub(crate) struct Rates {
    per_second: f64,
    buckets: BTreeMap<IpAddr, Bucket>,
}

impl Rates {
    /// 0 is no limit.
    pub(crate) fn new(per_second: u32) -> Self {
        Self { per_second: f64::from(per_second), buckets: BTreeMap::new() }
    }

    /// Another rate from now on.
    pub(crate) fn set(&mut self, per_second: u32) {
        self.per_second = f64::from(per_second);
    }

    /// Whether one more message of this peer is permitted.
    pub(crate) fn take(&mut self, now: Now, from: IpAddr) -> bool {
        let rate = self.per_second;
        if rate == 0.0 {
            return true;
        }
        let from = from.to_canonical();
        let mut key = if is_loopback(from) { SHARED } else { from };
        if !self.buckets.contains_key(&key) && self.buckets.len() >= MAX_PEERS {
            // A full bucket remembers nothing: its peer will get a new one that is as full.
            self.buckets.retain(|_, bucket| !bucket.is_full(now, rate));
            if self.buckets.len() >= MAX_PEERS {
                key = SHARED;
            }
        }
        let fresh = Bucket { level: depth(rate), filled: now };
        self.buckets.entry(key).or_insert(fresh).take(now, rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn the_rate_holds_over_time_and_a_burst_is_a_tenth_of_it() {
        let mut rates = Rates::new(1000);
        assert_eq!((0..1000).filter(|_| rates.take(Now::ZERO, PEER)).count(), 100);
        let later = (1..=2000).filter(|ms| rates.take(Duration::from_micros(ms * 500), PEER)).count();
        assert!((990..=1010).contains(&later), "{later}");
    }

    #[test]
    fn one_peer_that_floods_takes_nothing_from_another() {
        let mut rates = Rates::new(10);
        assert!((0..1000).any(|_| !rates.take(Now::ZERO, PEER)));
        assert!(rates.take(Now::ZERO, IpAddr::from([192, 0, 2, 2])));
    }

    #[test]
    fn zero_is_no_limit() {
        let mut rates = Rates::new(0);
        assert!((0..10_000).all(|_| rates.take(Now::ZERO, PEER)));
    }

    #[test]
    fn however_many_peers_come_the_table_stays_small_and_idle_ones_make_room() {
        let mut rates = Rates::new(10);
        let peer = |n: u32| IpAddr::from(Ipv4Addr::from(0x0A00_0000 + n));
        let taken = (0..10_000).filter(|n| rates.take(Now::ZERO, peer(*n))).count();
        assert!(taken < 100, "{taken}");
        assert!(rates.buckets.len() <= MAX_PEERS + 1, "{}", rates.buckets.len());
        assert!(!rates.take(Now::ZERO, peer(20_000)), "those without a place share one");
        assert!(rates.take(Duration::from_secs(1), peer(20_000)));
        assert!(rates.buckets.len() < MAX_PEERS);
    }
}
