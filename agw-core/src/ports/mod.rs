//! The port pools: which local addresses each realm has, and which of their ports are free. RTP with RTCP takes an even port and the
//! next (RFC 3550 section 11), anything else a single one. The ports of an address are divided between the workers for good
//! ([`Partition`]), so that a port's number says which worker serves it. A port that was used rests before it is used again.
//! Nothing here opens a socket.

mod partition;
mod share;

pub use partition::Partition;
pub use share::Width;

use crate::command::order::PortKey;
use crate::model::{Family, Leg, PortRange, RealmName};
use share::Share;
use std::net::IpAddr;

/// The most local addresses of a gateway: each costs every worker a table of 64 Ki places.
pub const MAX_LOCAL_ADDRESSES: usize = 256;

/// A local address of a realm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAddress {
    /// What sockets are bound to.
    pub bind: IpAddr,
    /// What peers are told, where a translator stands between (of the same family).
    pub advertise: Option<IpAddr>,
}

/// How a realm is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealmConfig {
    /// Its name.
    pub name: RealmName,
    /// The side that it faces.
    pub leg: Leg,
    /// Whether it serves streams that name no realm.
    pub default: bool,
    /// Its addresses, at least one.
    pub addresses: Vec<LocalAddress>,
    /// Its ports, at every address.
    pub ports: PortRange,
    /// The DiffServ code point of what is sent, unless a stream says otherwise: 0 to 63.
    pub dscp: u8,
}

/// Why realms cannot be used as configured; the texts name the realm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RealmError {
    /// There is no realm at all.
    NoRealm,
    /// Two realms have the same name.
    DuplicateName(RealmName),
    /// Two realms are marked as the default.
    TwoDefaults(RealmName, RealmName),
    /// The realm has no address.
    NoAddress(RealmName),
    /// More than [`MAX_LOCAL_ADDRESSES`].
    TooManyAddresses,
    /// The address is unspecified or multicast: nothing could be told to peers.
    NotAnAddress(RealmName, IpAddr),
    /// The advertised address is of the other family than the bound one.
    FamilyDiffers(RealmName, IpAddr),
    /// The ports do not give every worker an even port with the next.
    TooFewPorts(RealmName, usize),
    /// Two realms, or one realm twice, have a port of this address in common.
    Overlap(RealmName, RealmName, IpAddr),
    /// Not a DiffServ code point.
    Dscp(RealmName, u8),
}

impl std::fmt::Display for RealmError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoRealm => f.write_str("no realm is configured"),
            Self::DuplicateName(name) => write!(f, "realm {name} is configured twice"),
            Self::TwoDefaults(one, other) => write!(f, "realms {one} and {other} are both the default"),
            Self::NoAddress(name) => write!(f, "realm {name} has no address"),
            Self::TooManyAddresses => write!(f, "more than {MAX_LOCAL_ADDRESSES} local addresses"),
            Self::NotAnAddress(name, ip) => write!(f, "realm {name}: {ip} is not the address of a host"),
            Self::FamilyDiffers(name, ip) => {
                write!(f, "realm {name}: the advertised {ip} is of another IP version than the bound address")
            }
            Self::TooFewPorts(name, workers) => {
                write!(
                    f,
                    "realm {name}: too few ports for {workers} workers (each needs an even one and the next)"
                )
            }
            Self::Overlap(one, other, ip) => write!(f, "realms {one} and {other} share ports of {ip}"),
            Self::Dscp(name, dscp) => write!(f, "realm {name}: DSCP {dscp} is above 63"),
        }
    }
}

impl std::error::Error for RealmError {}

/// What a realm's ports are doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealmPorts {
    /// The realm.
    pub name: RealmName,
    /// The side that it faces.
    pub leg: Leg,
    /// Ports that flows have, at all addresses.
    pub in_use: u64,
    /// Ports that were used and are not used again yet.
    pub resting: u64,
    /// All ports.
    pub total: u64,
}

/// One address of a realm with its ports.
#[derive(Debug)]
struct Pool {
    address: LocalAddress,
    /// Its place in the gateway's list of local addresses.
    index: u16,
    shares: Box<[Share]>,
}

/// A realm with its pools.
#[derive(Debug)]
pub(crate) struct Realm {
    pub(crate) name: RealmName,
    pub(crate) leg: Leg,
    pub(crate) dscp: u8,
    partition: Partition,
    pools: Box<[Pool]>,
}

/// Ports taken from a pool; to be given back with [`Realms::put_back`] or [`Realms::rest`], once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken {
    realm: u16,
    pool: u16,
    pub(crate) port: u16,
    pub(crate) width: Width,
}

/// What is looked for in a realm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) family: Family,
    /// A bound or advertised address of the realm; `None`: any.
    pub(crate) address: Option<IpAddr>,
    /// This port and no other.
    pub(crate) port: Option<u16>,
    pub(crate) width: Width,
}

/// All realms.
#[derive(Debug)]
pub(crate) struct Realms {
    realms: Box<[Realm]>,
    default: Option<usize>,
    addresses: Box<[(IpAddr, Leg)]>,
}

impl Realms {
    /// Checks the configuration and makes the pools, all ports free.
    pub(crate) fn new(configs: &[RealmConfig], workers: usize) -> Result<Self, RealmError> {
        check(configs)?;
        let addresses: Vec<(IpAddr, Leg)> = configs
            .iter()
            .flat_map(|config| config.addresses.iter().map(|address| (address.bind, config.leg)))
            .collect();
        if addresses.len() > MAX_LOCAL_ADDRESSES {
            return Err(RealmError::TooManyAddresses);
        }
        let mut first_index = 0;
        let mut realms = Vec::with_capacity(configs.len());
        for config in configs {
            realms.push(Realm::new(config, workers, first_index)?);
            first_index += config.addresses.len();
        }
        let default = configs.iter().position(|config| config.default);
        Ok(Self { realms: realms.into(), default, addresses: addresses.into() })
    }

    pub(crate) fn find(&self, name: &RealmName) -> Option<usize> {
        self.realms.iter().position(|realm| realm.name == *name)
    }

    pub(crate) fn len(&self) -> usize {
        self.realms.len()
    }

    pub(crate) fn default(&self) -> Option<usize> {
        self.default
    }

    pub(crate) fn realm(&self, realm: usize) -> &Realm {
        &self.realms[realm]
    }

    /// The local addresses of all realms with the side they face; [`PortKey::address`] points into them. Two realms at one address
    /// (with different ports) are two entries.
    pub(crate) fn addresses(&self) -> &[(IpAddr, Leg)] {
        &self.addresses
    }

    /// Takes free ports of a worker's share, of the address that has most left. `None`: there is none that is wanted.
    pub(crate) fn take(&mut self, realm: usize, worker: usize, wanted: Wanted, now_ms: u64) -> Option<Taken> {
        let found = &mut self.realms[realm];
        let partition = found.partition;
        if let Some(port) = wanted.port {
            let ours = partition.range().contains(port) && partition.worker_of(port) == worker;
            return ours.then(|| found.take_port(realm, worker, wanted, port, now_ms)).flatten();
        }
        let (pool, share) = found
            .matching(wanted)
            .map(|(index, pool)| (index, &mut pool.shares[worker]))
            .map(|(index, share)| {
                share.refresh(now_ms);
                (index, share)
            })
            .max_by_key(|(_, share)| share.available())?;
        let place = share.take(wanted.width)?;
        let port = partition.port_at(worker, place)?;
        Some(Taken { realm: realm as u16, pool: pool as u16, port, width: wanted.width })
    }

    /// Whether the worker's share that the next ports come from keeps so many of its ports as `kept` says of their number.
    pub(crate) fn leaves(
        &mut self,
        realm: usize,
        worker: usize,
        wanted: Wanted,
        kept: impl Fn(usize) -> usize,
        now_ms: u64,
    ) -> bool {
        let mut roomiest: Option<&Share> = None;
        for (_, pool) in self.realms[realm].matching(wanted) {
            let share = &mut pool.shares[worker];
            share.refresh(now_ms);
            if roomiest.is_none_or(|best| best.available() < share.available()) {
                roomiest = Some(share);
            }
        }
        roomiest.is_some_and(|share| {
            let left = share.available().checked_sub(wanted.width.ports());
            left.is_some_and(|left| left as usize >= kept(share.total() as usize))
        })
    }

    /// Gives back ports that nobody has seen: they are free at once.
    pub(crate) fn put_back(&mut self, taken: Taken) {
        let (place, share) = self.share_of(taken);
        share.put_back(place, taken.width);
    }

    /// Gives back ports that were used: they are free at `until_ms`.
    pub(crate) fn rest(&mut self, taken: Taken, until_ms: u64) {
        let (place, share) = self.share_of(taken);
        share.rest(place, taken.width, until_ms);
    }

    /// Frees what has rested enough everywhere. (Taking does so for the pools it looks at.)
    pub(crate) fn refresh(&mut self, now_ms: u64) {
        for share in self.shares_mut() {
            share.refresh(now_ms);
        }
    }

    /// When the next port has rested enough.
    pub(crate) fn next_refresh_ms(&self) -> Option<u64> {
        self.shares().filter_map(Share::next_refresh_ms).min()
    }

    pub(crate) fn key(&self, taken: Taken) -> PortKey {
        PortKey { address: self.pool(taken).index, port: taken.port }
    }

    pub(crate) fn address(&self, taken: Taken) -> LocalAddress {
        self.pool(taken).address
    }

    /// How many ports a worker has in all realms.
    pub(crate) fn ports_of(&self, worker: usize) -> u64 {
        let pools = self.realms.iter().flat_map(|realm| realm.pools.iter());
        pools.map(|pool| u64::from(pool.shares[worker].total())).sum()
    }

    pub(crate) fn usage(&self) -> impl Iterator<Item = RealmPorts> + '_ {
        self.realms.iter().map(Realm::usage)
    }

    fn pool(&self, taken: Taken) -> &Pool {
        &self.realms[usize::from(taken.realm)].pools[usize::from(taken.pool)]
    }

    fn share_of(&mut self, taken: Taken) -> (usize, &mut Share) {
        let realm = &mut self.realms[usize::from(taken.realm)];
        let worker = realm.partition.worker_of(taken.port);
        let pool = &mut realm.pools[usize::from(taken.pool)];
        (realm.partition.place_of(taken.port), &mut pool.shares[worker])
    }

    fn shares(&self) -> impl Iterator<Item = &Share> {
        self.realms.iter().flat_map(|realm| realm.pools.iter()).flat_map(|pool| pool.shares.iter())
    }

    fn shares_mut(&mut self) -> impl Iterator<Item = &mut Share> {
        let pools = self.realms.iter_mut().flat_map(|realm| realm.pools.iter_mut());
        pools.flat_map(|pool| pool.shares.iter_mut())
    }
}

impl Realm {
    fn new(config: &RealmConfig, workers: usize, first_index: usize) -> Result<Self, RealmError> {
        let partition = Partition::new(config.ports, workers)
            .ok_or_else(|| RealmError::TooFewPorts(config.name.clone(), workers))?;
        let share =
            |worker| Share::new(partition.places(worker), |place| partition.port_at(worker, place).is_some());
        let pool = |(at, address): (usize, &LocalAddress)| {
            let index = (first_index + at) as u16;
            Pool { address: *address, index, shares: (0..workers).map(share).collect() }
        };
        let pools = config.addresses.iter().enumerate().map(pool).collect();
        Ok(Self { name: config.name.clone(), leg: config.leg, dscp: config.dscp, partition, pools })
    }

    /// Whether the realm has an address of this family.
    pub(crate) fn has(&self, family: Family) -> bool {
        self.pools.iter().any(|pool| Family::of(pool.address.bind) == family)
    }

    /// The family of one of the realm's own addresses, bound or advertised.
    pub(crate) fn family_of(&self, address: IpAddr) -> Option<Family> {
        let pool = self.pools.iter().find(|pool| pool.address.is(address))?;
        Some(Family::of(pool.address.bind))
    }

    /// The worker that a port of this realm belongs to; `None`: not one of its ports.
    pub(crate) fn worker_of(&self, port: u16) -> Option<usize> {
        self.partition.range().contains(port).then(|| self.partition.worker_of(port))
    }

    /// The division of its ports between the workers.
    pub(crate) fn partition(&self) -> Partition {
        self.partition
    }

    fn take_port(
        &mut self,
        realm: usize,
        worker: usize,
        wanted: Wanted,
        port: u16,
        now_ms: u64,
    ) -> Option<Taken> {
        let place = self.partition.place_of(port);
        let found = self.matching(wanted).find_map(|(index, pool)| {
            let share = &mut pool.shares[worker];
            share.refresh(now_ms);
            share.take_at(place, wanted.width).then_some(index)
        });
        let pool = found? as u16;
        Some(Taken { realm: realm as u16, pool, port, width: wanted.width })
    }

    fn matching(&mut self, wanted: Wanted) -> impl Iterator<Item = (usize, &mut Pool)> {
        self.pools.iter_mut().enumerate().filter(move |(_, pool)| {
            Family::of(pool.address.bind) == wanted.family
                && wanted.address.is_none_or(|address| pool.address.is(address))
        })
    }

    fn usage(&self) -> RealmPorts {
        let sum = |count: fn(&Share) -> u32| {
            let shares = self.pools.iter().flat_map(|pool| pool.shares.iter());
            shares.map(|share| u64::from(count(share))).sum()
        };
        RealmPorts {
            name: self.name.clone(),
            leg: self.leg,
            in_use: sum(Share::in_use),
            resting: sum(Share::resting),
            total: sum(Share::total),
        }
    }
}

impl LocalAddress {
    /// What peers are told.
    pub fn told(&self) -> IpAddr {
        self.advertise.unwrap_or(self.bind)
    }

    /// Whether this is the address, under either of its names.
    pub fn is(&self, address: IpAddr) -> bool {
        self.bind == address || self.advertise == Some(address)
    }
}

fn check(configs: &[RealmConfig]) -> Result<(), RealmError> {
    if configs.is_empty() {
        return Err(RealmError::NoRealm);
    }
    for (at, config) in configs.iter().enumerate() {
        check_alone(config)?;
        let earlier = &configs[..at];
        if earlier.iter().any(|other| other.name == config.name) {
            return Err(RealmError::DuplicateName(config.name.clone()));
        }
        if let Some(other) = earlier.iter().find(|other| other.default && config.default) {
            return Err(RealmError::TwoDefaults(other.name.clone(), config.name.clone()));
        }
        for other in earlier {
            check_disjoint(other, config)?;
        }
    }
    Ok(())
}

fn check_alone(config: &RealmConfig) -> Result<(), RealmError> {
    let name = || config.name.clone();
    if config.addresses.is_empty() {
        return Err(RealmError::NoAddress(name()));
    }
    if config.dscp > 63 {
        return Err(RealmError::Dscp(name(), config.dscp));
    }
    for (at, address) in config.addresses.iter().enumerate() {
        let unusable =
            [address.bind, address.told()].into_iter().find(|ip| ip.is_unspecified() || ip.is_multicast());
        if let Some(ip) = unusable {
            return Err(RealmError::NotAnAddress(name(), ip));
        }
        if Family::of(address.bind) != Family::of(address.told()) {
            return Err(RealmError::FamilyDiffers(name(), address.told()));
        }
        if config.addresses[..at].iter().any(|other| other.bind == address.bind) {
            return Err(RealmError::Overlap(name(), name(), address.bind));
        }
    }
    Ok(())
}

fn check_disjoint(one: &RealmConfig, other: &RealmConfig) -> Result<(), RealmError> {
    let apart = one.ports.last() < other.ports.first() || other.ports.last() < one.ports.first();
    let shared =
        one.addresses.iter().find(|mine| other.addresses.iter().any(|theirs| mine.bind == theirs.bind));
    match shared {
        Some(address) if !apart => {
            Err(RealmError::Overlap(one.name.clone(), other.name.clone(), address.bind))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn realm(name: &str, addresses: &[&str], first: u16, last: u16) -> RealmConfig {
        RealmConfig {
            name: RealmName::new(name).unwrap(),
            leg: Leg::Access,
            default: false,
            addresses: addresses
                .iter()
                .map(|bind| LocalAddress { bind: bind.parse().unwrap(), advertise: None })
                .collect(),
            ports: PortRange::new(first, last).unwrap(),
            dscp: 0,
        }
    }

    fn any(family: Family, width: Width) -> Wanted {
        Wanted { family, address: None, port: None, width }
    }

    #[test]
    fn workers_never_share_a_port() {
        let mut realms = Realms::new(&[realm("a", &["127.0.0.1"], 10_000, 10_999)], 3).unwrap();
        let mut seen = std::collections::HashMap::new();
        for worker in 0..3 {
            while let Some(taken) = realms.take(0, worker, any(Family::V4, Width::Pair), 0) {
                assert_eq!(realms.realm(0).worker_of(taken.port), Some(worker));
                assert_eq!(seen.insert(taken.port, worker), None);
            }
        }
        assert_eq!(seen.len(), 500);
        assert_eq!(realms.usage().next().unwrap().in_use, 1_000);
    }

    #[test]
    fn each_address_of_each_realm_has_its_place_in_the_list() {
        let configs =
            [realm("a", &["127.0.0.1", "::1"], 10_000, 10_999), realm("b", &["127.0.0.1"], 11_000, 11_999)];
        let mut realms = Realms::new(&configs, 1).unwrap();
        assert_eq!(realms.addresses().len(), 3);
        let mut index = |realm, family| {
            let taken = realms.take(realm, 0, any(family, Width::Pair), 0)?;
            Some(realms.key(taken).address)
        };
        assert_eq!(index(0, Family::V4), Some(0));
        assert_eq!(index(0, Family::V6), Some(1));
        assert_eq!(index(1, Family::V4), Some(2));
        assert_eq!(index(1, Family::V6), None);
    }

    #[test]
    fn several_addresses_are_used_evenly() {
        let mut realms = Realms::new(&[realm("a", &["127.0.0.1", "127.0.0.2"], 10_000, 10_099)], 1).unwrap();
        let mut used = [0; 2];
        for _ in 0..50 {
            let taken = realms.take(0, 0, any(Family::V4, Width::Pair), 0).unwrap();
            used[usize::from(realms.key(taken).address)] += 1;
        }
        assert_eq!(used, [25, 25]);
    }

    #[test]
    fn a_named_port_is_taken_at_its_worker_only() {
        let mut realms = Realms::new(&[realm("a", &["127.0.0.1"], 10_000, 10_999)], 2).unwrap();
        let worker = realms.realm(0).worker_of(10_100).unwrap();
        let wanted = Wanted { port: Some(10_100), ..any(Family::V4, Width::Pair) };
        assert_eq!(realms.take(0, 1 - worker, wanted, 0), None);
        let taken = realms.take(0, worker, wanted, 0).unwrap();
        assert_eq!(realms.take(0, worker, wanted, 0), None);
        realms.rest(taken, 2_000);
        assert_eq!(realms.take(0, worker, wanted, 1_999), None);
        assert!(realms.take(0, worker, wanted, 2_000).is_some());
        let outside = Wanted { port: Some(9_998), ..wanted };
        assert_eq!(realms.take(0, worker, outside, 9_000), None);
    }

    #[test]
    fn what_cannot_work_is_named() {
        let good = realm("a", &["127.0.0.1"], 10_000, 10_999);
        let refused = |configs: &[RealmConfig]| Realms::new(configs, 2).unwrap_err();
        let name = good.name.clone();
        assert_eq!(refused(&[]), RealmError::NoRealm);
        assert_eq!(refused(&[good.clone(), good.clone()]), RealmError::DuplicateName(name.clone()));
        assert_eq!(refused(&[realm("a", &[], 1, 99)]), RealmError::NoAddress(name.clone()));
        assert_eq!(refused(&[realm("a", &["::1"], 50, 52)]), RealmError::TooFewPorts(name.clone(), 2));
        assert!(matches!(refused(&[realm("a", &["0.0.0.0"], 1, 99)]), RealmError::NotAnAddress(..)));
        let same_ports = realm("b", &["::1", "127.0.0.1"], 10_999, 11_010);
        assert!(matches!(refused(&[good.clone(), same_ports]), RealmError::Overlap(..)));
        let both = [
            RealmConfig { default: true, ..good.clone() },
            RealmConfig { default: true, ..realm("b", &["::1"], 1, 99) },
        ];
        assert!(matches!(refused(&both), RealmError::TwoDefaults(..)));
        assert_eq!(refused(&[RealmConfig { dscp: 64, ..good.clone() }]), RealmError::Dscp(name, 64));
        let mixed = LocalAddress {
            bind: "127.0.0.1".parse().unwrap(),
            advertise: Some("2001:db8::1".parse().unwrap()),
        };
        let refused_mix = refused(&[RealmConfig { addresses: vec![mixed], ..good }]);
        assert!(matches!(refused_mix, RealmError::FamilyDiffers(..)));
    }
}
