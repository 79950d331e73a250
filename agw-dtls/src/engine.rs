//! What a DTLS library has to do for us: five verbs, and no more knowledge of it elsewhere. Noise that any datagram transport brings
//! (malformed, replayed, foreign records) is dropped inside an engine; an error is final, and a failed engine is thrown away.

use agw_tls::TlsFailure;

use crate::keys::SrtpKeys;

/// Room that [`DtlsEngine::poll_output`] may need: a whole certificate of the peer, or a datagram. A peer whose certificate is longer fails.
pub const MAX_OUTPUT_BYTES: usize = 8192;

/// A version of DTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// RFC 6347.
    Dtls12,
    /// RFC 9147.
    Dtls13,
}

/// What an engine has to say.
#[derive(Debug)]
pub enum Output<'a> {
    /// To be sent to the peer as one datagram.
    Datagram(&'a [u8]),
    /// The peer's end-entity certificate in DER form, before anything is answered to it. That the peer has its key is proven only by
    /// [`Connected`](Self::Connected).
    Certificate(&'a [u8]),
    /// The handshake is complete.
    Connected,
    /// What use_srtp agreed on; at most once, together with [`Connected`](Self::Connected).
    Keys(SrtpKeys),
    /// Application data of the peer.
    Data(&'a [u8]),
    /// The peer has closed in order.
    Closed,
    /// Nothing more now. [`DtlsEngine::handle_timeout`] is wanted at this time, in microseconds, if nothing comes before it.
    Idle {
        /// `None`: no timer runs.
        wake_us: Option<u64>,
    },
}

/// One DTLS association, without I/O. After each verb, [`poll_output`](Self::poll_output) is called until it is idle.
pub trait DtlsEngine: Send {
    /// Takes a datagram that came from the peer's address.
    ///
    /// # Errors
    /// The association has failed for good.
    fn handle_datagram(&mut self, datagram: &[u8], now_us: u64) -> Result<(), TlsFailure>;

    /// Lets time pass: retransmissions, and the end of a handshake that takes too long.
    ///
    /// # Errors
    /// The association has failed for good.
    fn handle_timeout(&mut self, now_us: u64) -> Result<(), TlsFailure>;

    /// The next thing it has to say; `into` has room for [`MAX_OUTPUT_BYTES`].
    ///
    /// # Errors
    /// The association has failed for good.
    fn poll_output<'a>(&mut self, into: &'a mut [u8]) -> Result<Output<'a>, TlsFailure>;

    /// Takes application data, all or nothing; 0 while the handshake runs.
    ///
    /// # Errors
    /// The association has failed for good, or is closed.
    fn send(&mut self, data: &[u8]) -> Result<usize, TlsFailure>;

    /// Ends it in order: `close_notify`, if there is an association.
    fn close(&mut self);

    /// The agreed version; `None` before it is known.
    fn version(&self) -> Option<Version>;
}
