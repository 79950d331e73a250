//! Iq over SCTP (TS 29.334 clause 5.12, H.248.4): the gateway begins the association, through the kernel where that has SCTP. Messages
//! travel whole and in order on stream 0 under the payload protocol identifier of H.248, without any framing of ours; the
//! kernel watches the path and tells when the peer is gone.

use agw_core::io::sys;
use agw_iq::transport::MAX_SCTP_MESSAGE_BYTES;
use rustix::net::{RecvAncillaryBuffer, RecvFlags, ReturnFlags, SendFlags};
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use tokio::io::Interest;
use tokio::net::TcpStream;
use zeroize::Zeroizing;

/// IANA's protocol number.
const PROTOCOL: i32 = 132;
/// H.248 among the payload protocols (IANA).
const PAYLOAD_PROTOCOL: u32 = 7;

/// An association with a controller.
#[derive(Debug)]
pub(super) struct Association {
    /// The runtime waits for it as for any socket of a stream; the system calls are made here.
    socket: TcpStream,
}

impl Association {
    /// Begins an association.
    ///
    /// # Errors
    /// What the system says: a kernel without SCTP says that the protocol is not supported.
    pub(super) async fn connect(from: IpAddr, to: SocketAddr) -> io::Result<Self> {
        let socket =
            Socket::new(Domain::for_address(to), Type::STREAM.nonblocking(), Some(Protocol::from(PROTOCOL)))?;
        if !from.is_unspecified() {
            socket.bind(&SocketAddr::new(from, 0).into())?;
        }
        sys::sctp_send_as(&socket, PAYLOAD_PROTOCOL)?;
        match socket.connect(&to.into()) {
            Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
                return Err(error);
            }
            _ => {}
        }
        let socket = TcpStream::from_std(socket.into())?;
        socket.writable().await?;
        match socket.take_error()? {
            Some(error) => Err(error),
            None => Ok(Self { socket }),
        }
    }

    /// The next piece of a message and whether it ends there; no octets: the peer has ended the association.
    pub(super) async fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, bool)> {
        self.socket
            .async_io(Interest::READABLE, || {
                let mut control = RecvAncillaryBuffer::default();
                let mut pieces = [IoSliceMut::new(buffer)];
                let got = rustix::net::recvmsg(&self.socket, &mut pieces, &mut control, RecvFlags::empty())?;
                Ok((got.bytes, got.flags.contains(ReturnFlags::EOR)))
            })
            .await
    }

    /// Sends a message, whole.
    pub(super) async fn send(&self, message: &[u8]) -> io::Result<()> {
        self.socket
            .async_io(Interest::WRITABLE, || {
                // The kernel takes a message whole or not at all.
                Ok(rustix::net::send(&self.socket, message, SendFlags::NOSIGNAL).map(drop)?)
            })
            .await
    }
}

/// A message that has come in pieces.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    held: Zeroizing<Vec<u8>>,
    too_long: bool,
}

impl Pieces {
    /// One more piece; the whole message when it ends here. One that is too long is left out.
    pub(super) fn add(&mut self, piece: &[u8], ends: bool) -> Option<Zeroizing<Vec<u8>>> {
        if self.held.capacity() == 0 {
            // Room for all at once, so that no copy is left behind by growing.
            self.held =
                Zeroizing::new(Vec::with_capacity(if ends { piece.len() } else { MAX_SCTP_MESSAGE_BYTES }));
        }
        self.too_long |= self.held.len() + piece.len() > MAX_SCTP_MESSAGE_BYTES;
        if !self.too_long {
            self.held.extend_from_slice(piece);
        }
        if !ends {
            return None;
        }
        let whole = std::mem::take(&mut self.held);
        (!std::mem::take(&mut self.too_long)).then_some(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_handed_out_when_it_ends_and_one_too_long_never() {
        let mut pieces = Pieces::default();
        assert!(pieces.add(b"MEGA", false).is_none());
        assert_eq!(pieces.add(b"CO/2", true).unwrap().as_slice(), b"MEGACO/2");
        assert_eq!(pieces.add(b"next", true).unwrap().as_slice(), b"next");
        for _ in 0..5 {
            assert!(pieces.add(&[0; 16_384], false).is_none());
            assert!(pieces.held.capacity() <= MAX_SCTP_MESSAGE_BYTES);
        }
        assert!(pieces.add(b"end", true).is_none(), "longer than any message");
        assert_eq!(pieces.add(b"short", true).unwrap().as_slice(), b"short");
    }

    #[test]
    fn a_kernel_without_sctp_is_an_error_and_one_with_it_refuses_where_nobody_listens() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let error = runtime.block_on(async {
            let to = SocketAddr::from(([127, 0, 0, 1], 9));
            Association::connect([127, 0, 0, 1].into(), to).await.unwrap_err()
        });
        let has_sctp = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::from(PROTOCOL))).is_ok();
        assert_eq!(has_sctp, error.kind() == io::ErrorKind::ConnectionRefused, "{error}");
    }
}
