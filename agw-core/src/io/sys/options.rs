//! Options of sockets that socket2 lacks: what a socket marks its datagrams with, and what it tells of those that come.

use super::{checked, socklen_of};
use std::io;
use std::os::fd::{AsFd, AsRawFd};

pub(super) fn set_option(
    socket: &impl AsFd,
    level: libc::c_int,
    name: libc::c_int,
    value: libc::c_int,
) -> io::Result<()> {
    let fd = socket.as_fd().as_raw_fd();
    let len = socklen_of::<libc::c_int>();
    // SAFETY: an int is read from a live local.
    checked(unsafe { libc::setsockopt(fd, level, name, (&raw const value).cast(), len) }).map(|_| ())
}

/// What is sent through an SCTP socket goes in order on stream 0 under this payload protocol identifier (RFC 6458 section 8.1.31), and
/// at once (SCTP_NODELAY).
///
/// # Errors
/// What the system says.
pub fn sctp_send_as(socket: &impl AsFd, payload_protocol: u32) -> io::Result<()> {
    set_option(socket, libc::IPPROTO_SCTP, libc::SCTP_NODELAY, 1)?;
    let info = libc::sctp_sndinfo {
        snd_sid: 0,
        snd_flags: 0,
        // The kernel passes it on as it stands, and the network wants the highest octet first.
        snd_ppid: payload_protocol.to_be(),
        snd_context: 0,
        snd_assoc_id: 0,
    };
    let (fd, len) = (socket.as_fd().as_raw_fd(), socklen_of::<libc::sctp_sndinfo>());
    let (level, name) = (libc::IPPROTO_SCTP, libc::SCTP_DEFAULT_SNDINFO);
    // SAFETY: a structure of this type and length is read from a live local.
    checked(unsafe { libc::setsockopt(fd, level, name, (&raw const info).cast(), len) }).map(|_| ())
}

/// Asks for [`super::Received::overflows`] (SO_RXQ_OVFL).
///
/// # Errors
/// What the system says.
pub fn enable_overflow_count(socket: &impl AsFd) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1)
}

/// Asks for [`super::Received::time_ns`] (SO_TIMESTAMPNS).
///
/// # Errors
/// What the system says.
pub fn enable_receive_time(socket: &impl AsFd) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)
}

/// Asks for [`super::Received::time_ns`] no more.
///
/// # Errors
/// What the system says.
pub fn disable_receive_time(socket: &impl AsFd) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 0)
}

/// Lets datagrams longer than the path's MTU be fragmented, by us (with what ICMP has taught the kernel) and, over IPv4, on the way
/// (RLY-6).
///
/// # Errors
/// What the system says.
pub fn allow_fragments(socket: &impl AsFd, v6: bool) -> io::Result<()> {
    if v6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, libc::IPV6_PMTUDISC_DONT)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DONT)
    }
}

/// Has the DiffServ code point of what is sent through one socket at another, too.
///
/// # Errors
/// What the system says.
pub fn copy_dscp(from: &impl AsFd, to: &impl AsFd, v6: bool) -> io::Result<()> {
    let (level, name) =
        if v6 { (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) } else { (libc::IPPROTO_IP, libc::IP_TOS) };
    let mut value: libc::c_int = 0;
    let mut len = socklen_of::<libc::c_int>();
    let fd = from.as_fd().as_raw_fd();
    // SAFETY: at most an int is written to a live local.
    checked(unsafe { libc::getsockopt(fd, level, name, (&raw mut value).cast(), &raw mut len) })?;
    // A new socket sends with 0.
    if value == 0 { Ok(()) } else { set_option(to, level, name, value) }
}

/// Sets the DiffServ code point of what is sent.
///
/// # Errors
/// What the system says.
pub fn set_dscp(socket: &impl AsFd, v6: bool, dscp: u8) -> io::Result<()> {
    let traffic_class = libc::c_int::from(dscp & 0x3f) << 2;
    if v6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_TCLASS, traffic_class)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_TOS, traffic_class)
    }
}

/// Asks for [`super::Received::traffic_class`] (IP_RECVTOS, IPV6_RECVTCLASS), or asks for it no more.
///
/// # Errors
/// What the system says.
pub fn tell_traffic_class(socket: &impl AsFd, v6: bool, on: bool) -> io::Result<()> {
    if v6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVTCLASS, on.into())
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_RECVTOS, on.into())
    }
}

/// How many datagrams this socket's receive queue has lost since it was opened (SO_MEMINFO).
///
/// # Errors
/// What the system says.
pub fn overflows(socket: &impl AsFd) -> io::Result<u32> {
    const SK_MEMINFO_DROPS: usize = 8;
    let mut values = [0_u32; 16];
    let mut len = size_of_val(&values) as libc::socklen_t;
    let fd = socket.as_fd().as_raw_fd();
    // SAFETY: the kernel writes at most `len` bytes, the size of the array, and any bits are valid.
    checked(unsafe {
        libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_MEMINFO, values.as_mut_ptr().cast(), &raw mut len)
    })?;
    Ok(values[SK_MEMINFO_DROPS])
}
