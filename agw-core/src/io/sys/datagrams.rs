//! Receiving and sending datagrams without waiting: one by a call in the cheapest way, one with all that the kernel tells of it or with a
//! mark of its own, and many of one socket by a call.

use super::address::RawAddress;
use super::process::nanoseconds;
use super::{checked, checked_len, socklen_of};
use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::RawFd;

/// Room for the control messages that we ask for, with headers: a time stamp, an overflow count, a traffic class.
const CONTROL_BYTES: usize = 128;

/// What is known of a received datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// How many of its bytes are in the buffer.
    pub len: usize,
    /// The buffer was too short for all of it.
    pub truncated: bool,
    /// Who sent it.
    pub from: SocketAddr,
    /// The kernel's receive time stamp in nanoseconds of the wall clock, where asked for with [`super::enable_receive_time`].
    pub time_ns: Option<u64>,
    /// How many datagrams this socket's receive queue had lost since it was opened, when this one was queued, modulo 2^32. The kernel tells
    /// only numbers other than 0, and only where asked for with [`super::enable_overflow_count`].
    pub overflows: Option<u32>,
    /// The octet of the IP header that holds code point and ECN, where asked for with [`super::tell_traffic_class`].
    pub traffic_class: Option<u8>,
}

impl Received {
    /// The DiffServ code point, where it is known.
    pub fn dscp(&self) -> Option<u8> {
        self.traffic_class.map(|class| class >> 2)
    }
}

const NOWHERE: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));

// The three calls that every packet costs are made directly: the C library's functions of these names are points at which a thread can
// be cancelled, and pay for it.

const SEND_FLAGS: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

/// Receives one datagram without waiting, in the cheapest way: no time stamp, no overflow count.
///
/// # Errors
/// `WouldBlock` when there is none; else what the system says.
pub fn receive_from(socket: RawFd, buffer: &mut [u8]) -> io::Result<Received> {
    let mut address = RawAddress::empty();
    let mut address_len = socklen_of::<RawAddress>();
    // SAFETY: buffer and address are valid for writes of the lengths given, and outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_recvfrom,
            socket,
            buffer.as_mut_ptr(),
            buffer.len(),
            libc::MSG_DONTWAIT | libc::MSG_TRUNC,
            &raw mut address,
            &raw mut address_len,
        )
    };
    let whole_len = checked_len(result)?;
    Ok(Received {
        len: whole_len.min(buffer.len()),
        truncated: whole_len > buffer.len(),
        from: address.decode(address_len).unwrap_or(NOWHERE),
        time_ns: None,
        overflows: None,
        traffic_class: None,
    })
}

/// Receives one datagram without waiting, with all that the kernel tells of it.
///
/// # Errors
/// `WouldBlock` when there is none; else what the system says.
pub fn receive_message(socket: RawFd, buffer: &mut [u8]) -> io::Result<Received> {
    let mut address = RawAddress::empty();
    let mut control = Control::empty();
    let mut piece = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut header = message_header(&raw mut piece, &raw mut address, socklen_of::<RawAddress>());
    header.msg_control = (&raw mut control).cast();
    header.msg_controllen = CONTROL_BYTES;
    // SAFETY: the header points to locals and to `buffer`, each valid for writes of the length beside it, all outliving the call.
    let len = checked_len(unsafe { libc::recvmsg(socket, &raw mut header, libc::MSG_DONTWAIT) })?;
    // SAFETY: the kernel has just filled the header, whose pointers are still the ones to the live locals.
    Ok(unsafe { describe(&header, &address, len) })
}

/// Sends one datagram without waiting.
///
/// # Errors
/// What the system says; `WouldBlock` or `ENOBUFS` when a queue is full.
pub fn send_to(socket: RawFd, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
    let (address, address_len) = RawAddress::encode(to);
    // SAFETY: datagram and address are valid for reads of the lengths given.
    let result = unsafe {
        libc::syscall(
            libc::SYS_sendto,
            socket,
            datagram.as_ptr(),
            datagram.len(),
            SEND_FLAGS,
            &raw const address,
            address_len,
        )
    };
    checked_len(result).map(|_| ())
}

/// Sends one datagram through a connected socket without waiting.
///
/// # Errors
/// What the system says; also what it has heard of an earlier datagram, and then this one was not sent.
pub fn send(socket: RawFd, datagram: &[u8]) -> io::Result<()> {
    let nowhere = std::ptr::null::<RawAddress>();
    // SAFETY: the datagram is valid for reads of its length; a connected socket takes no address.
    let result = unsafe {
        libc::syscall(libc::SYS_sendto, socket, datagram.as_ptr(), datagram.len(), SEND_FLAGS, nowhere, 0)
    };
    checked_len(result).map(|_| ())
}

/// Sends one datagram without waiting and marks it with a DiffServ code point of its own; through a socket that is `connected` to `to`, or
/// one that is not.
///
/// # Errors
/// As [`send`] and [`send_to`].
pub fn send_marked(
    socket: RawFd,
    datagram: &[u8],
    to: SocketAddr,
    connected: bool,
    dscp: u8,
) -> io::Result<()> {
    let (mut address, address_len) = RawAddress::encode(to);
    let mut control = Control::empty();
    let mut piece = libc::iovec { iov_base: datagram.as_ptr().cast_mut().cast(), iov_len: datagram.len() };
    let name = if connected { std::ptr::null_mut() } else { &raw mut address };
    let mut header = message_header(&raw mut piece, name, if connected { 0 } else { address_len });
    header.msg_control = (&raw mut control).cast();
    let (level, kind) = match to {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_TOS),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_TCLASS),
    };
    let class = libc::c_int::from(dscp & 0x3f) << 2;
    // SAFETY: there is room for one control message with an int in `control`, which the header points to and which, like piece, address
    // and datagram, outlives the call; the kernel only reads through them.
    let result = unsafe {
        header.msg_controllen = libc::CMSG_SPACE(socklen_of::<libc::c_int>()) as _;
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        (*message).cmsg_level = level;
        (*message).cmsg_type = kind;
        (*message).cmsg_len = libc::CMSG_LEN(socklen_of::<libc::c_int>()) as _;
        libc::CMSG_DATA(message).cast::<libc::c_int>().write_unaligned(class);
        libc::sendmsg(socket, &raw const header, SEND_FLAGS)
    };
    checked_len(result).map(|_| ())
}

/// Room for control messages, aligned as the kernel wants it.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
struct Control([u8; CONTROL_BYTES]);

impl Control {
    const fn empty() -> Self {
        Self([0; CONTROL_BYTES])
    }
}

fn message_header(
    piece: *mut libc::iovec,
    address: *mut RawAddress,
    address_len: libc::socklen_t,
) -> libc::msghdr {
    // SAFETY: a header of null pointers and zero lengths is a valid value of the type.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_iov = piece;
    header.msg_iovlen = 1;
    header.msg_name = address.cast();
    header.msg_namelen = address_len;
    header
}

/// Reads what the kernel wrote beside a datagram.
///
/// # Safety
/// `header` must have been filled by a receive call, and its control pointer must still be good for its control length.
unsafe fn describe(header: &libc::msghdr, address: &RawAddress, len: usize) -> Received {
    let mut received = Received {
        len,
        truncated: header.msg_flags & libc::MSG_TRUNC != 0,
        from: address.decode(header.msg_namelen).unwrap_or(NOWHERE),
        time_ns: None,
        overflows: None,
        traffic_class: None,
    };
    // SAFETY: by the contract above the header and its control bytes are live; the macros stay within msg_controllen, and the values are
    // read unaligned, as plain integers of the size that the kernel documents for each type.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(header);
        while !control.is_null() {
            let data = libc::CMSG_DATA(control);
            match ((*control).cmsg_level, (*control).cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    let time: libc::timespec = data.cast::<libc::timespec>().read_unaligned();
                    received.time_ns = Some(nanoseconds(time));
                }
                (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                    received.overflows = Some(data.cast::<u32>().read_unaligned());
                }
                (libc::IPPROTO_IP, libc::IP_TOS) => received.traffic_class = Some(data.read()),
                (libc::IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                    received.traffic_class = Some(data.cast::<libc::c_int>().read_unaligned() as u8);
                }
                _ => {}
            }
            control = libc::CMSG_NXTHDR(header, control);
        }
    }
    received
}

/// The headers of several datagrams that one call receives or sends.
pub(crate) struct MessageArray {
    headers: Box<[libc::mmsghdr]>,
    pieces: Box<[libc::iovec]>,
    addresses: Box<[RawAddress]>,
    controls: Box<[Control]>,
}

// SAFETY: the pointers inside are written anew by each call before the kernel reads them, and are never followed outside that call.
unsafe impl Send for MessageArray {}

impl MessageArray {
    /// Room for so many datagrams a call.
    pub(crate) fn new(capacity: usize) -> Self {
        let no_piece = libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 };
        let no_header = libc::mmsghdr {
            msg_hdr: message_header(std::ptr::null_mut(), std::ptr::null_mut(), 0),
            msg_len: 0,
        };
        Self {
            headers: vec![no_header; capacity].into(),
            pieces: vec![no_piece; capacity].into(),
            addresses: vec![RawAddress::empty(); capacity].into(),
            controls: vec![Control::empty(); capacity].into(),
        }
    }

    /// Receives as many datagrams as are there and fit, without waiting.
    pub(crate) fn receive<'b>(
        &mut self,
        socket: RawFd,
        buffers: impl Iterator<Item = &'b mut [u8]>,
    ) -> io::Result<usize> {
        let mut count = 0;
        for buffer in buffers.take(self.headers.len()) {
            self.pieces[count] = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
            self.addresses[count] = RawAddress::empty();
            let mut header = message_header(
                &raw mut self.pieces[count],
                &raw mut self.addresses[count],
                socklen_of::<RawAddress>(),
            );
            header.msg_control = (&raw mut self.controls[count]).cast();
            header.msg_controllen = CONTROL_BYTES;
            self.headers[count] = libc::mmsghdr { msg_hdr: header, msg_len: 0 };
            count += 1;
        }
        // SAFETY: the first `count` headers were just pointed at elements of our own arrays and at distinct buffers that are borrowed for
        // longer than this call; no time limit is given.
        let result = unsafe {
            libc::recvmmsg(
                socket,
                self.headers.as_mut_ptr(),
                count as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        checked(result).map(|n| n as usize)
    }

    /// What is known of the datagram at `index` of those that the last `receive` returned.
    pub(crate) fn received(&self, index: usize) -> Received {
        let header = &self.headers[index];
        // SAFETY: `receive` pointed this header's control at our own array, which lives as long as self; before any receive it is null,
        // of length 0.
        unsafe { describe(&header.msg_hdr, &self.addresses[index], header.msg_len as usize) }
    }

    /// Sends datagrams in order, without waiting, until one is refused; says how many went.
    pub(crate) fn send<'b>(
        &mut self,
        socket: RawFd,
        datagrams: impl Iterator<Item = (&'b [u8], Option<SocketAddr>)>,
    ) -> io::Result<usize> {
        let mut count = 0;
        for (datagram, to) in datagrams.take(self.headers.len()) {
            self.pieces[count] =
                libc::iovec { iov_base: datagram.as_ptr().cast_mut().cast(), iov_len: datagram.len() };
            let (address, address_len) = to.map_or((RawAddress::empty(), 0), RawAddress::encode);
            self.addresses[count] = address;
            let name = if to.is_some() { &raw mut self.addresses[count] } else { std::ptr::null_mut() };
            let header = message_header(&raw mut self.pieces[count], name, address_len);
            self.headers[count] = libc::mmsghdr { msg_hdr: header, msg_len: 0 };
            count += 1;
        }
        // SAFETY: as in `receive`; the kernel only reads through the pieces of a send.
        let result =
            unsafe { libc::sendmmsg(socket, self.headers.as_mut_ptr(), count as libc::c_uint, SEND_FLAGS) };
        checked(result).map(|n| n as usize)
    }
}
