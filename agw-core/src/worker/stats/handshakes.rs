//! What handshakes are counted by.

/// The metric label `protocol` of handshakes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeProtocol {
    /// TLS on a connection.
    Tls,
    /// DTLS on a media port.
    Dtls,
}

impl HandshakeProtocol {
    /// Both, in metric order.
    pub const ALL: [Self; 2] = [Self::Tls, Self::Dtls];

    /// The metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Dtls => "dtls",
        }
    }
}
