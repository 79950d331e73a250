//! The system calls that the standard library and socket2 lack, each behind a safe function: epoll, eventfd, the receive and send
//! calls with their control messages, a few socket options, clocks, pinning. This folder is the one place of the crate where `unsafe` is
//! allowed, so nothing here decides anything: buffers in, numbers and addresses out.
//!
//! Ports are named by their descriptor number. A stale number cannot harm memory: the call fails, or reaches another socket of this process,
//! which the order of closing excludes (a port is closed only after its flow's `Removed`).
#![allow(unsafe_code)]

mod streams;

pub use super::burst::{ReceiveRing, SendBatch};
pub use streams::{accept, with_port};

use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Room for the control messages that we ask for, with headers: a time stamp, an overflow count, a traffic class.
const CONTROL_BYTES: usize = 128;

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

// --- addresses -----------------------------------------------------------------------------------------------------------------

/// An IPv4 or IPv6 socket address as the kernel reads and writes it.
#[repr(C)]
#[derive(Clone, Copy)]
union RawAddress {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
}

impl RawAddress {
    const fn empty() -> Self {
        // SAFETY: both variants are plain integers, for which zero is a value.
        unsafe { mem::zeroed() }
    }

    fn encode(address: SocketAddr) -> (Self, libc::socklen_t) {
        let mut raw = Self::empty();
        match address {
            SocketAddr::V4(a) => {
                raw.v4 = libc::sockaddr_in {
                    sin_family: libc::AF_INET as libc::sa_family_t,
                    sin_port: a.port().to_be(),
                    sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(a.ip().octets()) },
                    sin_zero: [0; 8],
                };
                (raw, socklen_of::<libc::sockaddr_in>())
            }
            SocketAddr::V6(a) => {
                raw.v6 = libc::sockaddr_in6 {
                    sin6_family: libc::AF_INET6 as libc::sa_family_t,
                    sin6_port: a.port().to_be(),
                    sin6_flowinfo: a.flowinfo(),
                    sin6_addr: libc::in6_addr { s6_addr: a.ip().octets() },
                    sin6_scope_id: a.scope_id(),
                };
                (raw, socklen_of::<libc::sockaddr_in6>())
            }
        }
    }

    /// `None` when the kernel wrote another family, or nothing.
    fn decode(&self, len: libc::socklen_t) -> Option<SocketAddr> {
        if len < socklen_of::<libc::sockaddr_in>() {
            return None;
        }
        // SAFETY: the memory was zeroed before the kernel wrote, so every byte of either variant is initialised; any bits are valid.
        let (v4, v6) = unsafe { (self.v4, self.v6) };
        match libc::c_int::from(v4.sin_family) {
            libc::AF_INET => {
                let ip = Ipv4Addr::from(v4.sin_addr.s_addr.to_ne_bytes());
                Some(SocketAddrV4::new(ip, u16::from_be(v4.sin_port)).into())
            }
            libc::AF_INET6 if len >= socklen_of::<libc::sockaddr_in6>() => {
                let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
                Some(SocketAddrV6::new(ip, u16::from_be(v6.sin6_port), 0, v6.sin6_scope_id).into())
            }
            _ => None,
        }
    }
}

// --- receiving and sending -----------------------------------------------------------------------------------------------------

/// What is known of a received datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// How many of its bytes are in the buffer.
    pub len: usize,
    /// The buffer was too short for all of it.
    pub truncated: bool,
    /// Who sent it.
    pub from: SocketAddr,
    /// The kernel's receive time stamp in nanoseconds of the wall clock, where asked for with [`enable_receive_time`].
    pub time_ns: Option<u64>,
    /// How many datagrams this socket's receive queue had lost since it was opened, when this one was queued, modulo 2^32. The kernel tells
    /// only numbers other than 0, and only where asked for with [`enable_overflow_count`].
    pub overflows: Option<u32>,
    /// The octet of the IP header that holds code point and ECN, where asked for with [`tell_traffic_class`].
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

// --- waiting -------------------------------------------------------------------------------------------------------------------

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

// --- socket options ------------------------------------------------------------------------------------------------------------

fn set_option(
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

/// Asks for [`Received::overflows`] (SO_RXQ_OVFL).
///
/// # Errors
/// What the system says.
pub fn enable_overflow_count(socket: &impl AsFd) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1)
}

/// Asks for [`Received::time_ns`] (SO_TIMESTAMPNS).
///
/// # Errors
/// What the system says.
pub fn enable_receive_time(socket: &impl AsFd) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)
}

/// Asks for [`Received::time_ns`] no more.
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

/// Asks for [`Received::traffic_class`] (IP_RECVTOS, IPV6_RECVTCLASS), or asks for it no more.
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

// --- the process, its threads, its clocks -----------------------------------------------------------------------------------

fn nanoseconds(time: libc::timespec) -> u64 {
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
