//! Bytes on their way through a stream over TCP. A [`Buffer`] takes its memory from the worker's [`Pool`] when something comes and gives
//! it back when all of it has gone on, so that an idle connection holds none, and a busy one no more than [`BUFFER_BYTES`] at each
//! place where bytes can wait (TCP-4).

/// The bytes of one buffer: a whole record of TLS, its header and what its protection adds.
pub const BUFFER_BYTES: usize = 16_384 + 512;
/// Free buffers that a worker keeps; more are given back to the system.
pub const MAX_FREE_BUFFERS: usize = 64;
/// Room at the end below which what waits is moved to the front.
const MIN_ROOM_BYTES: usize = BUFFER_BYTES / 4;

type Memory = Box<[u8; BUFFER_BYTES]>;

/// Memory that no buffer uses now.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    free: Vec<Memory>,
}

impl Pool {
    fn take(&mut self) -> Memory {
        self.free.pop().unwrap_or_else(|| Box::new([0; BUFFER_BYTES]))
    }

    /// What was decrypted is not left lying about: media are wiped by what comes next, keys never come here.
    fn give(&mut self, memory: Memory) {
        if self.free.len() < MAX_FREE_BUFFERS {
            self.free.push(memory);
        }
    }

    /// Lets go of all memory: there is nobody to use it.
    pub(crate) fn empty(&mut self) {
        self.free = Vec::new();
    }
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
        let memory = self.memory.get_or_insert_with(|| pool.take());
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

    /// Gives the memory back if nothing waits.
    pub(crate) fn rest(&mut self, pool: &mut Pool) {
        if self.is_empty()
            && let Some(memory) = self.memory.take()
        {
            pool.give(memory);
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
            let n = space.len().min(1 + round * 37);
            for place in &mut space[..n] {
                *place = next_in;
                next_in = next_in.wrapping_add(1);
            }
            buffer.filled(n);
            assert!(buffer.len() <= BUFFER_BYTES && buffer.room() == BUFFER_BYTES - buffer.len());
            let gone = buffer.len().min(1 + round * 31);
            for byte in &buffer.bytes()[..gone] {
                assert_eq!(*byte, next_out);
                next_out = next_out.wrapping_add(1);
            }
            buffer.consume(gone);
        }
    }

    #[test]
    fn an_empty_buffer_holds_no_memory_and_the_pool_keeps_a_bounded_number() {
        let mut pool = Pool::default();
        let mut buffers: Vec<Buffer> = (0..MAX_FREE_BUFFERS + 9).map(|_| Buffer::default()).collect();
        for buffer in &mut buffers {
            buffer.space(&mut pool)[0] = 1;
            buffer.filled(1);
            buffer.rest(&mut pool);
            assert!(buffer.memory.is_some(), "something waits");
        }
        for buffer in &mut buffers {
            buffer.consume(1);
            buffer.rest(&mut pool);
            assert!(buffer.memory.is_none());
        }
        assert_eq!(pool.free.len(), MAX_FREE_BUFFERS);
        pool.empty();
        assert!(pool.free.is_empty());
    }
}
