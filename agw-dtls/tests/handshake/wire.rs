//! The pretend wire: datagrams between two sessions that are lost, delayed past one another and doubled as a seed says.

use std::collections::BTreeMap;

use agw_dtls::{MAX_OUTPUT_BYTES, Profile, Role, Session, Settings, SrtpKeys, Step};
use agw_tls::{Fingerprint, HashFunction, Identity, TlsFailure};

/// SplitMix64.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// What the wire does to a datagram.
#[derive(Clone, Copy, Default)]
pub(crate) struct Weather {
    pub(crate) lost_percent: u64,
    pub(crate) doubled_percent: u64,
    /// Each datagram takes 10 ms and up to this much longer.
    pub(crate) jitter_ms: u64,
}

/// One end and what it has told so far.
pub(crate) struct End {
    pub(crate) session: Session,
    pub(crate) keys: Option<SrtpKeys>,
    pub(crate) failure: Option<TlsFailure>,
    pub(crate) closed: bool,
    pub(crate) data: Vec<u8>,
    wake_us: Option<u64>,
}

impl End {
    pub(crate) fn new(
        settings: &Settings,
        role: Role,
        identity: &Identity,
        peer: &[Fingerprint],
        now_us: u64,
    ) -> Self {
        let profile = Profile::new(settings.clone()).unwrap();
        let mut session = Session::new(&profile, role, identity, now_us).unwrap();
        session.expect(peer);
        Self { session, keys: None, failure: None, closed: false, data: Vec::new(), wake_us: None }
    }

    /// Everything that it has to say now.
    pub(crate) fn drain(&mut self) -> Vec<Vec<u8>> {
        let mut buffer = [0; MAX_OUTPUT_BYTES];
        let mut datagrams = Vec::new();
        loop {
            match self.session.poll(&mut buffer) {
                Step::Datagram(datagram) => datagrams.push(datagram.to_vec()),
                Step::Established(keys) => assert!(self.keys.replace(keys).is_none(), "keys came twice"),
                Step::Data(data) => self.data.extend(data),
                Step::Failed(failure) => assert!(self.failure.replace(failure).is_none(), "failed twice"),
                Step::Closed => self.closed = true,
                Step::Idle { wake_us } => {
                    self.wake_us = wake_us;
                    return datagrams;
                }
            }
        }
    }
}

/// Two ends with a wire between them. End 0 is the client.
pub(crate) struct Wire {
    pub(crate) ends: [End; 2],
    pub(crate) now_us: u64,
    /// Every datagram that an end has sent: from which, and what.
    pub(crate) sent: Vec<(usize, Vec<u8>)>,
    /// Of what the server says each time, everything from this datagram on is lost but the last.
    pub(crate) lose_nth_of_server: Option<usize>,
    weather: Weather,
    dice: Dice,
    flying: BTreeMap<(u64, u64), (usize, Vec<u8>)>,
    next: u64,
}

/// More datagrams than any handshake here needs: whoever sends more does so in a loop.
const MAX_SENT: usize = 2000;

/// Settings of a test: both versions, a seed.
pub(crate) fn settings(seed: u64) -> Settings {
    Settings { seed: Some(seed), ..Settings::default() }
}

impl Wire {
    pub(crate) fn new(ends: [End; 2], weather: Weather, seed: u64) -> Self {
        Self::begun(ends, weather, seed, 0)
    }

    /// A wire at a later time.
    pub(crate) fn begun(ends: [End; 2], weather: Weather, seed: u64, now_us: u64) -> Self {
        let mut wire = Self {
            ends,
            now_us,
            sent: Vec::new(),
            lose_nth_of_server: None,
            weather,
            dice: Dice(seed),
            flying: BTreeMap::new(),
            next: 0,
        };
        wire.collect();
        wire
    }

    /// Two ends that know one another's fingerprints, in good weather.
    pub(crate) fn between(client: &Settings, server: &Settings, weather: Weather, seed: u64) -> Self {
        let (ours, theirs) = (Identity::generate().unwrap(), Identity::generate().unwrap());
        let ends = [
            End::new(client, Role::Client, &ours, &[theirs.fingerprint(HashFunction::Sha256)], 0),
            End::new(server, Role::Server, &theirs, &[ours.fingerprint(HashFunction::Sha256)], 0),
        ];
        Self::new(ends, weather, seed)
    }

    /// Lets what the ends have to say fly.
    pub(crate) fn collect(&mut self) {
        for from in 0..2 {
            let datagrams = self.ends[from].drain();
            let last = datagrams.len().saturating_sub(1);
            for (nth, datagram) in datagrams.into_iter().enumerate() {
                assert!(self.sent.len() < MAX_SENT, "the ends keep one another busy");
                self.sent.push((from, datagram.clone()));
                let copies = 1 + u64::from(self.dice.below(100) < self.weather.doubled_percent);
                for _ in 0..copies {
                    let in_gap =
                        from == 1 && self.lose_nth_of_server.is_some_and(|gap| (gap..last).contains(&nth));
                    if !in_gap && self.dice.below(100) >= self.weather.lost_percent {
                        let delay_us = 10_000 + self.dice.below(self.weather.jitter_ms * 1000 + 1);
                        self.next += 1;
                        self.flying.insert((self.now_us + delay_us, self.next), (1 - from, datagram.clone()));
                    }
                }
            }
        }
    }

    /// A datagram that was not sent by the other end arrives now.
    pub(crate) fn inject(&mut self, to: usize, datagram: &[u8]) {
        self.ends[to].session.handle_datagram(datagram, self.now_us);
        self.collect();
    }

    /// What is under way does not arrive.
    #[cfg(feature = "openssl")]
    pub(crate) fn lose_all_that_flies(&mut self) {
        self.flying.clear();
    }

    /// The next arrival or timer; `false` when nothing will ever happen.
    pub(crate) fn step(&mut self) -> bool {
        let arrival = self.flying.keys().next().copied();
        let timer = self.ends.iter().filter_map(|end| end.wake_us).min();
        match (arrival, timer) {
            (None, None) => return false,
            (Some(key), timer) if timer.is_none_or(|timer| key.0 <= timer) => {
                self.now_us = self.now_us.max(key.0);
                let (to, datagram) = self.flying.remove(&key).unwrap();
                self.ends[to].session.handle_datagram(&datagram, self.now_us);
            }
            (_, timer) => {
                self.now_us = self.now_us.max(timer.unwrap());
                for end in &mut self.ends {
                    if end.wake_us.is_some_and(|wake| wake <= self.now_us) {
                        end.session.handle_timeout(self.now_us);
                    }
                }
            }
        }
        self.collect();
        true
    }

    /// Runs until `done`, or nothing happens any more, or `limit_s` seconds are over.
    pub(crate) fn run_until(&mut self, limit_s: u64, done: impl Fn(&Self) -> bool) -> bool {
        while !done(self) {
            if self.now_us > limit_s * 1_000_000 || !self.step() {
                return done(self);
            }
        }
        true
    }

    /// Runs until both ends have keys, and says whether they do.
    pub(crate) fn connect(&mut self) -> bool {
        self.run_until(60, |wire| wire.ends.iter().all(|end| end.keys.is_some()))
    }

    /// Both ends have the same keys, the right way round.
    pub(crate) fn assert_same_keys(&self) {
        let [client, server] = [&self.ends[0], &self.ends[1]].map(|end| end.keys.as_ref().unwrap());
        assert_eq!(client.profile(), server.profile());
        assert!(client.ours() == server.theirs() && client.theirs() == server.ours());
        assert!(client.ours() != client.theirs());
    }
}
