//! What concerns the process and its threads and no socket: clocks, rest, processors, dumps, how many descriptors there may be.

use super::checked;
use std::io;
use std::mem::{self, MaybeUninit};
use std::time::Duration;

pub(super) fn nanoseconds(time: libc::timespec) -> u64 {
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: the kernel writes one timespec; it was zeroed, so it is initialised even if the call fails.
    nanoseconds(unsafe {
        libc::clock_gettime(clock, time.as_mut_ptr());
        time.assume_init()
    })
}

/// Microseconds of the monotonic clock.
pub fn monotonic_us() -> u64 {
    clock_ns(libc::CLOCK_MONOTONIC) / 1000
}

/// Nanoseconds of the monotonic clock.
pub fn monotonic_ns() -> u64 {
    clock_ns(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds of the wall clock, which stamps received datagrams.
pub fn wall_ns() -> u64 {
    clock_ns(libc::CLOCK_REALTIME)
}

/// Nanoseconds of processor time that the calling thread has used, in user space and in the kernel.
pub fn thread_cpu_ns() -> u64 {
    clock_ns(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Rests the calling thread. A signal ends the rest early.
pub fn rest(duration: Duration) {
    let time = libc::timespec {
        tv_sec: libc::time_t::try_from(duration.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(duration.subsec_nanos()),
    };
    // SAFETY: one timespec is read from a live local; the rest of an interrupted sleep is not asked for.
    unsafe { libc::clock_nanosleep(libc::CLOCK_MONOTONIC, 0, &raw const time, std::ptr::null_mut()) };
}

/// Keeps the calling thread on one processor.
///
/// # Errors
/// No such processor, or not allowed to use it.
pub fn pin_to_processor(processor: usize) -> io::Result<()> {
    if processor >= libc::CPU_SETSIZE as usize {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    // SAFETY: a zeroed set is the empty set, the processor is within its size, and the kernel only reads it.
    unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        libc::CPU_SET(processor, &mut set);
        checked(libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)).map(|_| ())
    }
}

/// The processors that the calling thread may run on.
///
/// # Errors
/// What the system says.
pub fn allowed_processors() -> io::Result<Vec<usize>> {
    // SAFETY: the kernel writes at most the size of the set, which was zeroed; the processors asked for are within its size.
    unsafe {
        let mut set: libc::cpu_set_t = mem::zeroed();
        checked(libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set))?;
        Ok((0..libc::CPU_SETSIZE as usize).filter(|&processor| libc::CPU_ISSET(processor, &set)).collect())
    }
}

/// Keeps keys out of core dumps and away from debuggers of other users (SRTP-12).
///
/// # Errors
/// What the system says.
pub fn forbid_dumps() -> io::Result<()> {
    // SAFETY: this operation takes plain numbers.
    checked(unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) }).map(|_| ())
}

/// How many descriptors the process may have open, and up to where it may raise that.
///
/// # Errors
/// What the system says.
pub fn descriptor_limit() -> io::Result<(u64, u64)> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: one rlimit is written to a live local.
    checked(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    Ok((limit.rlim_cur, limit.rlim_max))
}

/// Raises the number of descriptors that the process may have open as far as it may, at most to `wanted`; says how far.
///
/// # Errors
/// What the system says.
pub fn raise_descriptor_limit(wanted: u64) -> io::Result<u64> {
    let (now, most) = descriptor_limit()?;
    let target = wanted.min(most).max(now);
    let limit = libc::rlimit { rlim_cur: target, rlim_max: most };
    // SAFETY: one rlimit is read from a live local.
    checked(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    Ok(target)
}
