//! The system calls of TCP ports that are named by their descriptor number, as a worker knows them.

use super::address::RawAddress;
use super::{checked, socklen_of};
use socket2::SockRef;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Does something with the socket of a port.
///
/// # Errors
/// What it says; no such descriptor.
pub fn with_port<T>(port: RawFd, act: impl FnOnce(SockRef<'_>) -> io::Result<T>) -> io::Result<T> {
    if port < 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: the number is none that stands for nothing. It is borrowed for the time of the closure; should it be stale, the calls of the
    // closure fail or reach another socket of this process, as with every number here, and touch no memory.
    let borrowed = unsafe { BorrowedFd::borrow_raw(port) };
    act(SockRef::from(&borrowed))
}

/// The next connection of a port that listens, which does not block and is closed on exec, and who it is with.
///
/// # Errors
/// `WouldBlock` when nobody waits; else what the system says.
pub fn accept(port: RawFd) -> io::Result<(OwnedFd, SocketAddr)> {
    let mut address = RawAddress::empty();
    let mut address_len = socklen_of::<RawAddress>();
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: address and length are live locals, valid for writes of the length given; a descriptor that is returned is new and ours alone.
    let connection = unsafe {
        let (place, len) = ((&raw mut address).cast(), &raw mut address_len);
        OwnedFd::from_raw_fd(checked(libc::accept4(port, place, len, flags))?)
    };
    // A connection of another family than ours cannot be: the port is bound to one.
    let from = address.decode(address_len).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok((connection, from))
}
