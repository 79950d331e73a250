//! Names of UDP sockets that can be given back. The kernel unbinds a socket (connect(2) to AF_UNSPEC) only if it has chosen the port itself,
//! so it is made to choose the wanted one.

use super::address::RawAddress;
use super::options::set_option;
use super::{checked, socklen_of};
use socket2::Socket;
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;

/// From ip(7), not in the C library's crate: the ports that the kernel may choose from, the last one in the upper half (Linux 6.3).
const IP_LOCAL_PORT_RANGE: libc::c_int = 51;

/// Binds a socket to `local` so that [`unbind`] works: for ports of the kernel's own range (net.ipv4.ip_local_port_range) that are not reserved
/// there. On failure the socket is not bound.
///
/// # Errors
/// `AddrInUse`: the port is another's, or reserved; `Unsupported`: the port is not in the kernel's range; else what the system says.
pub(crate) fn bind_for_now(socket: &Socket, local: SocketAddr) -> io::Result<()> {
    let port = u32::from(local.port());
    set_option(socket, libc::IPPROTO_IP, IP_LOCAL_PORT_RANGE, (port << 16 | port) as libc::c_int)?;
    let mut any = local;
    any.set_port(0);
    socket.bind(&any.into())?;
    // The kernel passes over a range that is not within its own.
    if socket.local_addr()?.as_socket().is_some_and(|bound| bound.port() == local.port()) {
        return Ok(());
    }
    unbind(socket)?;
    Err(io::ErrorKind::Unsupported.into())
}

/// Takes the name away from a socket that has it of [`bind_for_now`]: nothing arrives at it any more, apart from what is on its way from the
/// network card to its queue at this very moment.
///
/// # Errors
/// What the system says.
pub(crate) fn unbind(socket: &Socket) -> io::Result<()> {
    // All zeros: AF_UNSPEC.
    let nobody = RawAddress::empty();
    // SAFETY: an address is read from a live local of the length given.
    checked(unsafe {
        libc::connect(socket.as_raw_fd(), (&raw const nobody).cast(), socklen_of::<RawAddress>())
    })
    .map(|_| ())
}
