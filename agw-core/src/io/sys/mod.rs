//! The system calls that the standard library and socket2 lack, each behind a safe function: epoll, eventfd, the receive and send
//! calls with their control messages, a few socket options, clocks, pinning. This folder is the one place of the crate where `unsafe` is
//! allowed, so nothing here decides anything: buffers in, numbers and addresses out.
//!
//! Ports are named by their descriptor number. A stale number cannot harm memory: the call fails, or reaches another socket of this process,
//! which the order of closing excludes (a port is closed only after its flow's `Removed`).
#![allow(unsafe_code)]

mod address;
mod datagrams;
mod names;
mod options;
mod process;
mod streams;
mod wait;

pub use super::burst::{ReceiveRing, SendBatch};
pub(crate) use datagrams::MessageArray;
pub use datagrams::{Received, receive_from, receive_message, send, send_marked, send_to};
pub(crate) use names::{bind_for_now, unbind};
pub use options::{
    allow_fragments, copy_dscp, disable_receive_time, enable_overflow_count, enable_receive_time, overflows,
    sctp_send_as, set_dscp, tell_traffic_class,
};
pub use process::{
    allowed_processors, descriptor_limit, forbid_dumps, monotonic_ns, monotonic_us, pin_to_processor,
    raise_descriptor_limit, rest, thread_cpu_ns, wall_ns,
};
pub use streams::{accept, with_port};
pub use wait::{Epoll, Events, Ready, Waker};

use std::io;

/// Turns the -1 of a system call into its error.
fn checked(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// As [`checked`], for calls that return a length.
fn checked_len(result: impl TryInto<usize>) -> io::Result<usize> {
    result.try_into().map_err(|_| io::Error::last_os_error())
}

/// The length of a C type as the system calls want it; all of ours are tiny.
const fn socklen_of<T>() -> libc::socklen_t {
    size_of::<T>() as libc::socklen_t
}
