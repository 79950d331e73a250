//! Media over TCP (TS 23.334 5.16; RFC 4145): who opens the connection, when, and what travels on it. TLS is described by itself
//! ([`TlsSpec`](super::TlsSpec)), since DTLS needs the same.

/// What the bytes of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Application {
    /// Not looked into (TS 23.334: application-agnostic).
    Opaque,
    /// MSRP (RFC 4975): messages are told apart, and paths rewritten where one is given (TLS-10).
    Msrp,
    /// BFCP (RFC 8855).
    Bfcp,
}

/// Our side's `a=setup` (RFC 4145 section 4), which gives the direction of the TCP connection and nothing else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TcpSetup {
    /// None was given: connections are relayed statelessly (TCP-6). The first SYN at either side makes us connect the other.
    #[default]
    Stateless,
    /// We connect, when told to (TCP-2).
    Active,
    /// We listen.
    Passive,
    /// Either; we listen until told to connect.
    ActPass,
    /// Neither, for now.
    HoldConn,
}

/// When something at this termination lets the other side of the context connect (TCP-3; H.248.92).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// When TCP is up here.
    Tcp,
    /// When TLS is up here, the fingerprint proven.
    Tls,
}

/// The longest path of MSRP that is kept, in bytes; a longer one is refused.
pub const MAX_MSRP_PATH_BYTES: usize = 512;

/// The paths of MSRP (RFC 4975 section 6).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MsrpPaths {
    /// `a=path:$` was in Local: make one of ours, and tell it with [`LocalStream::msrp_path`](super::LocalStream::msrp_path).
    pub own: bool,
    /// The whole value of Remote's `a=path` (RFC 4975 section 8.2): the peer's URI, and before it those of its relays with a space after each; the
    /// first is its next hop towards us.
    pub peer: Option<Box<str>>,
}

/// What the controller wants of one connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TcpSpec {
    /// Who opens it.
    pub setup: TcpSetup,
    /// Connect now (signal `tcpbcc/EstBNC`). An action: it is not kept with the specification.
    pub establish: bool,
    /// What of this side lets the other one connect.
    pub trigger: Option<Trigger>,
    /// The paths, for [`Application::Msrp`]. Messages are rewritten exactly when both sides of the context have a path (TLS-10).
    pub msrp: MsrpPaths,
    /// BFCP messages are checked for sound framing (RFC 8855 section 5.1); what is none ends the connection.
    pub check_framing: bool,
}
