//! Waiting until one of many descriptors is ready (epoll(7)), and waking a thread that waits so (eventfd(2)).

use super::checked;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// An epoll instance (epoll(7)).
#[derive(Debug)]
pub struct Epoll(OwnedFd);

/// The ready descriptors of one [`Epoll::wait`]: for each the number that it was registered with.
pub struct Events {
    all: Box<[libc::epoll_event]>,
    filled: usize,
}

/// What an event says of a descriptor. A broken one is ready for everything: whatever is tried tells how it broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// What it was registered with.
    pub token: u64,
    /// There is something to read, or the end.
    pub readable: bool,
    /// There is room to write.
    pub writable: bool,
    /// The peer sends no more: the end comes after what there is to read.
    pub hung_up: bool,
}

impl Events {
    /// Room for `capacity` events a call.
    pub fn new(capacity: usize) -> Self {
        Self { all: vec![libc::epoll_event { events: 0, u64: 0 }; capacity.max(1)].into(), filled: 0 }
    }

    /// How many came with the last wait.
    pub fn len(&self) -> usize {
        self.filled
    }

    /// Whether none came.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// The number of the event at `index`.
    pub fn token(&self, index: usize) -> Option<u64> {
        self.all[..self.filled].get(index).map(|event| event.u64)
    }

    /// The event at `index`, with what the descriptor is ready for.
    pub fn ready(&self, index: usize) -> Option<Ready> {
        let event = self.all[..self.filled].get(index)?;
        let broken = (libc::EPOLLERR | libc::EPOLLHUP) as u32;
        let any = |flags: libc::c_int| event.events & (flags as u32 | broken) != 0;
        Some(Ready {
            token: event.u64,
            readable: any(libc::EPOLLIN | libc::EPOLLRDHUP),
            writable: any(libc::EPOLLOUT),
            hung_up: any(libc::EPOLLRDHUP),
        })
    }

    /// How many there is room for.
    pub fn capacity(&self) -> usize {
        self.all.len()
    }

    /// Puts another number in the place of those that `stale` finds, from the event at `index` on.
    pub fn replace(&mut self, index: usize, stale: impl Fn(u64) -> bool, token: u64) {
        for event in self.all[..self.filled].iter_mut().skip(index) {
            if stale(event.u64) {
                event.u64 = token;
            }
        }
    }
}

impl Epoll {
    /// A new instance.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers are passed; a descriptor that is returned is new and ours alone.
        unsafe { Ok(Self(OwnedFd::from_raw_fd(checked(libc::epoll_create1(libc::EPOLL_CLOEXEC))?))) }
    }

    /// Reports `token` whenever `descriptor` is readable; with `once_per_change` only when it becomes so anew (edge-triggered).
    ///
    /// # Errors
    /// What the system says.
    pub fn add(&self, descriptor: BorrowedFd<'_>, token: u64, once_per_change: bool) -> io::Result<()> {
        let edge = if once_per_change { libc::EPOLLET } else { 0 };
        self.control(libc::EPOLL_CTL_ADD, descriptor, libc::EPOLLIN | edge, token)
    }

    /// Reports `token` whenever `descriptor` becomes readable or writable anew, or breaks.
    ///
    /// # Errors
    /// What the system says.
    pub fn add_stream(&self, descriptor: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let changes = libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET;
        self.control(libc::EPOLL_CTL_ADD, descriptor, changes, token)
    }

    /// Takes room for `descriptor`, but reports it only after [`Epoll::report`].
    ///
    /// # Errors
    /// What the system says.
    pub fn reserve(&self, descriptor: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, descriptor, 0, token)
    }

    /// Reports `token` from now on whenever `descriptor`, for which there is room, is readable.
    ///
    /// # Errors
    /// There is no room for it.
    pub fn report(&self, descriptor: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_MOD, descriptor, libc::EPOLLIN, token)
    }

    /// Reports `descriptor` no more.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, descriptor: BorrowedFd<'_>) -> io::Result<()> {
        let (epoll, fd) = (self.0.as_raw_fd(), descriptor.as_raw_fd());
        // SAFETY: the kernel takes no event for a removal.
        checked(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_DEL, fd, std::ptr::null_mut()) }).map(|_| ())
    }

    fn control(
        &self,
        operation: libc::c_int,
        descriptor: BorrowedFd<'_>,
        events: libc::c_int,
        token: u64,
    ) -> io::Result<()> {
        let mut event = libc::epoll_event { events: events as u32, u64: token };
        let (epoll, fd) = (self.0.as_raw_fd(), descriptor.as_raw_fd());
        // SAFETY: the event is a live local, read during the call only.
        checked(unsafe { libc::epoll_ctl(epoll, operation, fd, &raw mut event) }).map(|_| ())
    }

    /// Waits until something is ready, at most `timeout` (rounded up to milliseconds). A signal ends the wait with nothing.
    ///
    /// # Errors
    /// What the system says.
    pub fn wait(&self, events: &mut Events, timeout: Duration) -> io::Result<()> {
        let timeout_ms =
            libc::c_int::try_from(timeout.as_micros().div_ceil(1000)).unwrap_or(libc::c_int::MAX);
        let (room, capacity) = (events.all.as_mut_ptr(), events.all.len() as libc::c_int);
        events.filled = 0;
        // SAFETY: `room` is valid for writes of `capacity` events.
        match checked(unsafe { libc::epoll_wait(self.0.as_raw_fd(), room, capacity, timeout_ms) }) {
            Ok(filled) => events.filled = filled as usize,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
        Ok(())
    }
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Wakes a thread that waits in [`Epoll::wait`] (eventfd(2)). Registered edge-triggered it need never be read.
#[derive(Debug)]
pub struct Waker(OwnedFd);

impl Waker {
    /// A new one.
    ///
    /// # Errors
    /// Out of descriptors.
    pub fn new() -> io::Result<Self> {
        let flags = libc::EFD_CLOEXEC | libc::EFD_NONBLOCK;
        // SAFETY: no pointers are passed; a descriptor that is returned is new and ours alone.
        unsafe { Ok(Self(OwnedFd::from_raw_fd(checked(libc::eventfd(0, flags))?))) }
    }

    /// Makes the waiting thread wake.
    pub fn wake(&self) {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: eight bytes are read from a live local. A failure means that the counter is full, and then the thread is awake.
        unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
