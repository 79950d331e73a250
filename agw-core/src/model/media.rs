//! What travels on a stream: its transport, and where its RTCP goes.

use super::tcp::Application;

/// The transport of one stream as the m-line names it (RFC 3551, 3711, 4145, 4585, 4975, 5124, 8122, 8856; TS 23.334 6.2.10).
/// SCTP is added here by the work that brings it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// RTP and RTCP. `secure`: the m-line says SAVP. `feedback`: it says the F of AVPF or SAVPF.
    Rtp {
        /// `RTP/SAVP` or `RTP/SAVPF`.
        secure: bool,
        /// `RTP/AVPF` or `RTP/SAVPF`.
        feedback: bool,
    },
    /// RTP and RTCP whose keys come from a DTLS handshake on the media path (RFC 5764; DTLS-1): `UDP/TLS/RTP/SAVP`, or SAVPF.
    DtlsRtp {
        /// `UDP/TLS/RTP/SAVPF`.
        feedback: bool,
    },
    /// Datagrams that nobody looks into: `UDP`, `udptl`.
    Udp,
    /// A TCP connection: `TCP`, `TCP/MSRP`, `TCP/BFCP`, each with or without TLS.
    Tcp {
        /// `TCP/TLS`, `TCP/TLS/MSRP`, `TCP/TLS/BFCP`.
        tls: bool,
        /// What travels on it.
        application: Application,
    },
}

impl Transport {
    /// Whether RTP and RTCP travel on it.
    pub const fn is_rtp(self) -> bool {
        matches!(self, Self::Rtp { .. } | Self::DtlsRtp { .. })
    }

    /// Whether the profile has the F of RTCP feedback (RFC 4585).
    pub const fn has_feedback(self) -> bool {
        matches!(self, Self::Rtp { feedback: true, .. } | Self::DtlsRtp { feedback: true })
    }

    /// Whether TLS or DTLS is spoken on it, so that it has certificates.
    pub const fn has_tls(self) -> bool {
        matches!(self, Self::DtlsRtp { .. } | Self::Tcp { tls: true, .. })
    }

    /// The value of the metric label `transport`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rtp { secure: false, feedback: false } => "RTP/AVP",
            Self::Rtp { secure: false, feedback: true } => "RTP/AVPF",
            Self::Rtp { secure: true, feedback: false } => "RTP/SAVP",
            Self::Rtp { secure: true, feedback: true } => "RTP/SAVPF",
            Self::DtlsRtp { feedback: false } => "UDP/TLS/RTP/SAVP",
            Self::DtlsRtp { feedback: true } => "UDP/TLS/RTP/SAVPF",
            Self::Udp => "UDP",
            Self::Tcp { tls: false, application: Application::Opaque } => "TCP",
            Self::Tcp { tls: true, application: Application::Opaque } => "TCP/TLS",
            Self::Tcp { tls: false, application: Application::Msrp } => "TCP/MSRP",
            Self::Tcp { tls: true, application: Application::Msrp } => "TCP/TLS/MSRP",
            Self::Tcp { tls: false, application: Application::Bfcp } => "TCP/BFCP",
            Self::Tcp { tls: true, application: Application::Bfcp } => "TCP/TLS/BFCP",
        }
    }
}

/// Where a stream's RTCP goes (RFC 3550 section 11, RFC 3605, RFC 5761, H.248.57 `rtcph/rsb`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RtcpPorts {
    /// On a port of its own, the one after RTP's.
    #[default]
    Pair,
    /// On RTP's port.
    Mux,
    /// Nowhere: no port is kept for it.
    None,
}

/// One of the two halves of an RTP stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Component {
    /// The RTP port, which carries RTCP too when they are multiplexed.
    Rtp,
    /// The RTCP port.
    Rtcp,
}

impl Component {
    /// 0 for RTP, 1 for RTCP: for arrays of one value per component.
    pub const fn index(self) -> usize {
        match self {
            Self::Rtp => 0,
            Self::Rtcp => 1,
        }
    }
}
