//! How a realm's port range is divided between the workers: aligned blocks of a power of two, dealt in turn. A network card with flow
//! steering can then match a worker's ports with a mask and a value, and needs no hand-over between threads. Everything is
//! arithmetic; nothing is stored per port.

use crate::model::PortRange;

/// How many blocks each worker gets at least, where the range is long enough: more is fairer, fewer needs fewer steering rules.
const BLOCKS_PER_WORKER: u32 = 8;

/// The division of one port range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    range: PortRange,
    block_bits: u32,
    workers: u32,
}

impl Partition {
    /// Divides `range`; `None` when there are no workers, the range holds port 0, or some worker would get no even port with the odd one
    /// after it.
    pub fn new(range: PortRange, workers: usize) -> Option<Self> {
        let workers = u32::try_from(workers).ok().filter(|&workers| workers > 0)?;
        let ports = u32::from(range.last() - range.first()) + 1;
        let block_bits = (ports / workers.saturating_mul(BLOCKS_PER_WORKER)).max(2).ilog2();
        let partition = Self { range, block_bits, workers };
        let all_served = (0..workers as usize).all(|worker| partition.has_pair(worker));
        (range.first() > 0 && all_served).then_some(partition)
    }

    /// The divided range.
    pub const fn range(&self) -> PortRange {
        self.range
    }

    /// How many low bits of a port number say nothing of its worker: the size of a block is two to this power.
    pub const fn block_bits(&self) -> u32 {
        self.block_bits
    }

    /// The worker that a port belongs to, whether or not the port is in the range.
    pub const fn worker_of(&self, port: u16) -> usize {
        ((port as u32 >> self.block_bits) % self.workers) as usize
    }

    /// How many places a worker's share has; some at the ends may lie outside the range.
    pub(super) fn places(&self, worker: usize) -> usize {
        let last_block = u32::from(self.range.last()) >> self.block_bits;
        let first_block = self.first_block_of(worker);
        match last_block.checked_sub(first_block) {
            Some(distance) => ((distance / self.workers + 1) << self.block_bits) as usize,
            None => 0,
        }
    }

    /// The port at a place of a worker's share; `None` when it lies outside the range.
    pub(super) fn port_at(&self, worker: usize, place: usize) -> Option<u16> {
        let place = u32::try_from(place).ok()?;
        let block = self.first_block_of(worker) + (place >> self.block_bits) * self.workers;
        let offset = place & ((1 << self.block_bits) - 1);
        let port = u16::try_from((block << self.block_bits) | offset).ok()?;
        self.range.contains(port).then_some(port)
    }

    /// The place of a port in the share of its worker. The port must be in the range.
    pub(super) fn place_of(&self, port: u16) -> usize {
        let block = u32::from(port) >> self.block_bits;
        let turn = (block - self.first_block_of(self.worker_of(port))) / self.workers;
        let offset = u32::from(port) & ((1 << self.block_bits) - 1);
        ((turn << self.block_bits) | offset) as usize
    }

    /// The first block of the range that is dealt to a worker.
    fn first_block_of(&self, worker: usize) -> u32 {
        let range_starts = u32::from(self.range.first()) >> self.block_bits;
        let skipped = (worker as u32 + self.workers - range_starts % self.workers) % self.workers;
        range_starts + skipped
    }

    fn has_pair(&self, worker: usize) -> bool {
        (0..self.places(worker))
            .step_by(2)
            .any(|place| self.port_at(worker, place).is_some() && self.port_at(worker, place + 1).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_of_a_range_belongs_to_exactly_one_place_of_one_worker() {
        for (first, last) in [(10_000, 19_999), (1, 65_535), (40_001, 40_030), (2_000, 2_399)] {
            for workers in 1..=7 {
                let range = PortRange::new(first, last).unwrap();
                let Some(partition) = Partition::new(range, workers) else {
                    assert!(usize::from(last - first) < workers * 8, "{first}-{last} for {workers}");
                    continue;
                };
                let mut seen = 0;
                for worker in 0..workers {
                    for place in 0..partition.places(worker) {
                        let Some(port) = partition.port_at(worker, place) else { continue };
                        assert_eq!((partition.worker_of(port), partition.place_of(port)), (worker, place));
                        seen += 1;
                    }
                }
                assert_eq!(seen, u32::from(last - first) + 1);
            }
        }
    }

    #[test]
    fn the_shares_are_nearly_equal() {
        let partition = Partition::new(PortRange::new(10_000, 19_999).unwrap(), 3).unwrap();
        for worker in 0..3 {
            let ports =
                (0..partition.places(worker)).filter_map(|place| partition.port_at(worker, place)).count();
            assert!((2_800..=3_900).contains(&ports), "worker {worker} has {ports}");
        }
    }

    #[test]
    fn a_range_that_leaves_a_worker_without_a_pair_is_refused() {
        assert!(Partition::new(PortRange::new(5_000, 5_001).unwrap(), 1).is_some());
        assert!(Partition::new(PortRange::new(5_001, 5_002).unwrap(), 1).is_none());
        assert!(Partition::new(PortRange::new(5_000, 5_003).unwrap(), 3).is_none());
        assert!(Partition::new(PortRange::new(0, 999).unwrap(), 1).is_none());
        assert!(Partition::new(PortRange::new(5_000, 5_003).unwrap(), 0).is_none());
    }
}
