//! Bytes on their way through a stream over TCP. A [`Buffer`] takes its memory from the worker's [`Pool`] when something comes and gives
//! it back when all of it has gone on, so that an idle connection holds none, and a busy one no more than [`BUFFER_BYTES`] at each
//! place where bytes can wait (TCP-4). Memory for work is large, so that few system calls carry much; what little waits when a look is over, most often a
//! part of a record, moves into memory for rest, which is small.

/// The bytes of one buffer: four whole records of TLS, their headers and what their protection adds.
pub const BUFFER_BYTES: usize = 64 * 1024 + 1024;
/// Up to so many bytes wait in memory of this size: one whole record of TLS.
pub const RESTING_BYTES: usize = 16 * 1024 + 512;
/// Free memories of each size that a worker keeps; more are given back to the system.
pub const MAX_FREE_BUFFERS: usize = 32;
/// Room at the end below which what waits is moved to the front.
const MIN_ROOM_BYTES: usize = BUFFER_BYTES / 4;

type Memory = Box<[u8]>;

/// Memory that no buffer uses now.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    large: Vec<Memory>,
    small: Vec<Memory>,
    lent_bytes: usize,
}

impl Pool {
    fn take_large(&mut self) -> Memory {
        self.lent_bytes += BUFFER_BYTES;
        self.large.pop().unwrap_or_else(|| vec![0; BUFFER_BYTES].into())
    }

    fn take_small(&mut self) -> Memory {
        self.lent_bytes += RESTING_BYTES;
        self.small.pop().unwrap_or_else(|| vec![0; RESTING_BYTES].into())
    }

    /// What was decrypted is not left lying about: media are wiped by what comes next, keys never come here.
    fn give(&mut self, memory: Memory) {
        self.lent_bytes -= memory.len();
        let free = if is_large(&memory) { &mut self.large } else { &mut self.small };
        if free.len() < MAX_FREE_BUFFERS {
            free.push(memory);
        }
    }

    /// What buffers have of it now.
    pub(crate) const fn lent_bytes(&self) -> usize {
        self.lent_bytes
    }

    /// Lets go of all memory that is free.
    pub(crate) fn empty(&mut self) {
        (self.large, self.small) = (Vec::new(), Vec::new());
    }
}

fn is_large(memory: &Memory) -> bool {
    memory.len() == BUFFER_BYTES
}

/// First in, first out.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    memory: Option<Memory>,
    start: usize,
    end: usize,
}

impl Buffer {
    /// Whether nothing waits.
    pub(crate) const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// How many bytes wait.
    pub(crate) const fn len(&self) -> usize {
        self.end - self.start
    }

    /// How many more there is room for.
    pub(crate) const fn room(&self) -> usize {
        BUFFER_BYTES - self.len()
    }

    /// What waits.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.memory.as_ref().map_or(&[], |memory| &memory[self.start..self.end])
    }

    /// Room to write into; [`Buffer::filled`] says how much was.
    pub(crate) fn space(&mut self, pool: &mut Pool) -> &mut [u8] {
        if !self.memory.as_ref().is_some_and(is_large) {
            let large = pool.take_large();
            self.move_into(large, pool);
        }
        let memory = self.memory.get_or_insert_default();
        if BUFFER_BYTES - self.end < MIN_ROOM_BYTES && self.start > 0 {
            memory.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        &mut memory[self.end..]
    }

    /// So many bytes of the space were written.
    pub(crate) fn filled(&mut self, bytes: usize) {
        self.end = (self.end + bytes).min(BUFFER_BYTES);
    }

    /// So many bytes have gone on.
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.end);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Gives back the memory if nothing waits, and large memory if little does.
    pub(crate) fn rest(&mut self, pool: &mut Pool) {
        if self.is_empty() {
            if let Some(memory) = self.memory.take() {
                pool.give(memory);
            }
        } else if self.len() <= RESTING_BYTES && self.memory.as_ref().is_some_and(is_large) {
            let small = pool.take_small();
            self.move_into(small, pool);
        }
    }

    /// What waits goes to the front of other memory, where it has room.
    fn move_into(&mut self, mut memory: Memory, pool: &mut Pool) {
        let len = self.len();
        memory[..len].copy_from_slice(self.bytes());
        (self.start, self.end) = (0, len);
        if let Some(before) = self.memory.replace(memory) {
            pool.give(before);
        }
    }

    /// Forgets what waits.
    pub(crate) fn clear(&mut self, pool: &mut Pool) {
        (self.start, self.end) = (0, 0);
        self.rest(pool);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_in_order_and_never_more_wait_than_there_is_room_for() {
        let (mut buffer, mut pool) = (Buffer::default(), Pool::default());
        let (mut next_in, mut next_out) = (0_u8, 0_u8);
        for round in 0..200 {
            let space = buffer.space(&mut pool);
            let n = space.len().min(1 + round * 337);
            for place in &mut space[..n] {
                *place = next_in;
                next_in = next_in.wrapping_add(1);
            }
            buffer.filled(n);
            assert!(buffer.len() <= BUFFER_BYTES && buffer.room() == BUFFER_BYTES - buffer.len());
            let gone = buffer.len().min(1 + round * 331);
            for byte in &buffer.bytes()[..gone] {
                assert_eq!(*byte, next_out);
                next_out = next_out.wrapping_add(1);
            }
            buffer.consume(gone);
            if round % 3 == 0 {
                buffer.rest(&mut pool);
            }
        }
    }

    #[test]
    fn little_that_waits_rests_in_small_memory_and_much_stays_where_it_is() {
        let (mut buffer, mut pool) = (Buffer::default(), Pool::default());
        buffer.space(&mut pool)[..BUFFER_BYTES].fill(1);
        buffer.filled(BUFFER_BYTES);
        buffer.consume(BUFFER_BYTES - RESTING_BYTES - 1);
        buffer.rest(&mut pool);
        assert_eq!(buffer.memory.as_ref().map(|memory| memory.len()), Some(BUFFER_BYTES));
        buffer.consume(1);
        buffer.rest(&mut pool);
        assert_eq!(buffer.memory.as_ref().map(|memory| memory.len()), Some(RESTING_BYTES));
        assert_eq!(buffer.bytes(), [1; RESTING_BYTES]);
        assert_eq!(buffer.space(&mut pool).len(), BUFFER_BYTES - RESTING_BYTES);
    }

    #[test]
    fn an_empty_buffer_holds_no_memory_and_the_pool_keeps_a_bounded_number() {
        let mut pool = Pool::default();
        let mut buffers: Vec<Buffer> = (0..MAX_FREE_BUFFERS + 9).map(|_| Buffer::default()).collect();
        for buffer in &mut buffers {
            buffer.space(&mut pool)[0] = 1;
            buffer.filled(BUFFER_BYTES);
        }
        for buffer in &mut buffers {
            buffer.consume(BUFFER_BYTES - 1);
            buffer.rest(&mut pool);
            assert!(buffer.memory.is_some(), "something waits");
        }
        for buffer in &mut buffers {
            buffer.consume(1);
            buffer.rest(&mut pool);
            assert!(buffer.memory.is_none());
        }
        assert_eq!([pool.large.len(), pool.small.len()], [MAX_FREE_BUFFERS; 2]);
        pool.empty();
        assert!(pool.large.is_empty() && pool.small.is_empty());
    }
}
