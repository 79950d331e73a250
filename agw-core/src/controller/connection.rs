//! Streams over TCP as the controller keeps them: what was asked of the connection, and the plan that the worker runs it by. Who connects may be
//! decided later, by another command; what the bytes are is fixed at set-up.

use super::config::TcpRules;
use super::stream::{Asked, Facing, Shape, Stream};
use crate::command::order::{TcpPlan, TlsPlan};
use crate::command::{Observation, Refusal};
use crate::flow::msrp::Rewrite;
use crate::model::{
    Application, Bearer, Direction, Fingerprint, HashFunction, MAX_FINGERPRINTS, MAX_MSRP_PATH_BYTES, Mode,
    PreSharedKey, StreamId, StreamSpec, TcpSetup, TlsSpec, Transport, Trigger,
};
use agw_tls::{Credentials, Identity, Tls};
use sha2::{Digest, Sha256};
use std::fmt;
use std::net::SocketAddr;
use zeroize::Zeroizing;

/// What was asked of a connection and can change. Actions are not kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AskedConnection {
    pub(super) setup: TcpSetup,
    pub(super) trigger: Option<Trigger>,
    /// The peer's path of MSRP.
    pub(super) peer_path: Option<Box<str>>,
    pub(super) check_framing: bool,
    /// The peer's fingerprints, where the transport has TLS.
    pub(super) tls: Option<AskedTls>,
}

/// What was asked of TLS and can change.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AskedTls {
    fingerprints: Vec<Fingerprint>,
    unknown: bool,
    has_psk: bool,
}

impl AskedConnection {
    /// Whether it has TLS with certificates.
    pub(super) fn needs_identity(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| !tls.has_psk)
    }

    /// `None` for other transports than TCP.
    pub(super) fn new(spec: &StreamSpec) -> Option<Box<Self>> {
        let Transport::Tcp { tls: has_tls, .. } = spec.transport else { return None };
        let tls = spec.tls.as_deref();
        let said = spec.tcp.as_deref();
        Some(Box::new(Self {
            setup: said.map_or(TcpSetup::Stateless, |tcp| tcp.setup),
            trigger: said.and_then(|tcp| tcp.trigger),
            peer_path: said.and_then(|tcp| tcp.msrp.peer.clone()),
            check_framing: said.is_some_and(|tcp| tcp.check_framing),
            tls: has_tls.then(|| AskedTls {
                fingerprints: tls.map(|tls| tls.peer.clone()).unwrap_or_default(),
                unknown: tls.is_some_and(|tls| tls.peer_unknown),
                has_psk: tls.is_some_and(|tls| tls.psk.is_some()),
            }),
        }))
    }
}

/// What a command asks of a connection that is not kept with the specification.
#[derive(Debug, Clone)]
pub(super) struct Actions {
    /// It is to connect now.
    connect: bool,
    /// It is to have a path of MSRP of our own, from now on.
    own_path: bool,
    /// It is to have new ICE credentials.
    pub(super) choose_ice: bool,
    /// TLS is to begin with us.
    pub(super) tls_client: bool,
    /// The hash functions with which our certificate is to be told.
    hashes: Vec<HashFunction>,
    psk: Option<PreSharedKey>,
}

impl Actions {
    /// `None` for streams of which there is nothing to ask.
    pub(super) fn new(spec: &StreamSpec) -> Option<Self> {
        let application = match spec.transport {
            Transport::Tcp { application, .. } => Some(application),
            _ => None,
        };
        let said = spec.tcp.as_deref().filter(|_| application.is_some());
        let tls = spec.tls.as_deref().filter(|_| spec.transport.has_tls());
        let choose_ice = spec.ice.as_ref().is_some_and(|ice| ice.choose);
        (application.is_some() || tls.is_some() || choose_ice).then(|| Self {
            choose_ice,
            connect: said.is_some_and(|tcp| tcp.establish),
            own_path: application == Some(Application::Msrp) && said.is_some_and(|tcp| tcp.msrp.own),
            tls_client: tls.is_some_and(|tls| tls.establish),
            hashes: tls.map(|tls| tls.own.clone()).unwrap_or_default(),
            psk: tls.and_then(|tls| tls.psk.clone()),
        })
    }
}

/// What a stream has besides, if it is a connection.
#[derive(Debug, Default)]
pub(super) struct Bearers {
    /// Our path of MSRP, once it was asked for.
    pub(super) own_path: Option<Box<str>>,
    /// It is to connect, with the next plan.
    pub(super) connect: bool,
    /// We are the client of TLS, once that was said.
    tls_client: bool,
    /// Our certificate, which belongs to this stream alone (TLS-1).
    pub(super) identity: Option<Identity>,
    /// The hash functions with which it is told.
    hashes: Vec<HashFunction>,
    /// What we prove ourselves with, until the worker has got it.
    credentials: Option<Credentials>,
    /// A digest of the pre-shared key, enough to know it again (SRTP-12).
    psk: Option<[u8; 32]>,
    /// What became of the connection, for people to see.
    pub(super) connection: Option<Bearer>,
    /// What became of the TLS session, for people to see.
    pub(super) session: Option<Bearer>,
}

impl Bearers {
    /// Our fingerprints, as they were asked for.
    pub(super) fn fingerprints(&self) -> Vec<Fingerprint> {
        let of = |identity: &Identity| self.hashes.iter().map(|hash| identity.fingerprint(*hash)).collect();
        self.identity.as_ref().map(of).unwrap_or_default()
    }

    /// Takes a certificate of our own for this stream.
    pub(super) fn take_identity(&mut self, identity: Identity) {
        self.credentials = Some(Credentials::Certificate(identity.clone()));
        self.identity = Some(identity);
    }

    /// Whether we are the client of TLS.
    pub(super) const fn is_tls_client(&self) -> bool {
        self.tls_client
    }

    /// Our certificate, until the worker has got it.
    pub(super) fn take_certificate(&mut self) -> Option<Identity> {
        match self.credentials.take()? {
            Credentials::Certificate(identity) => Some(identity),
            Credentials::Psk(_) => None,
        }
    }

    /// Takes note of what a worker noticed.
    pub(super) fn hear(&mut self, what: Observation) {
        match what {
            Observation::Connection(bearer) => self.connection = Some(bearer),
            Observation::Session(bearer) => self.session = Some(bearer),
            _ => {}
        }
    }
}

/// What a plan has for a connection: what can be compared.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ConnectionShape {
    setup: TcpSetup,
    stateless: bool,
    trigger: Option<Trigger>,
    application: Application,
    check_framing: bool,
    pub(super) rewrite: Option<Rewrite>,
    tls: Option<TlsShape>,
}

/// TLS of it.
#[derive(Debug, Clone, PartialEq)]
struct TlsShape {
    client: bool,
    asked: AskedTls,
}

/// Checks what cannot be done for a connection.
pub(super) fn check(asked: &Asked) -> Result<(), Refusal> {
    if asked.connection.is_none() {
        return Ok(());
    }
    let tls = asked.connection.as_ref().and_then(|asked| asked.tls.as_ref());
    if tls.is_some_and(|tls| tls.fingerprints.len() > MAX_FINGERPRINTS) {
        return Err(Refusal::NotImplemented("more than 8 fingerprints"));
    }
    if tls.is_some_and(|tls| tls.has_psk) && !Tls::knows_psk() {
        return Err(Refusal::NotImplemented("TLS with a pre-shared key, in this build,"));
    }
    if asked.mode == Mode::Loopback {
        return Err(Refusal::NotImplemented("loopback of a connection"));
    }
    if asked
        .connection
        .as_ref()
        .is_some_and(|asked| asked.peer_path.as_ref().is_some_and(|path| !is_path(path)))
    {
        return Err(Refusal::NotImplemented(
            "an MSRP path that is empty, longer than 512 bytes or no printable ASCII",
        ));
    }
    if asked.policing.is_some() {
        return Err(Refusal::NotImplemented("policing of a connection"));
    }
    Ok(())
}

/// A pre-shared key that was given is not changed, and neither are certificates exchanged for one.
pub(super) fn check_psk(stream: &Stream, spec: &StreamSpec) -> Result<(), Refusal> {
    let Some(psk) = spec.tls.as_ref().and_then(|tls| tls.psk.as_ref()) else { return Ok(()) };
    let held = stream.bearers.as_ref().and_then(|bearers| bearers.psk);
    match held {
        Some(held) if held == digest_of(psk) => Ok(()),
        Some(_) => Err(Refusal::CryptoChanged(stream.id, Direction::Inbound)),
        None if stream.bearers.as_ref().is_some_and(|bearers| bearers.identity.is_some()) => {
            Err(Refusal::FixedAtSetup(stream.id, "TLS with certificates"))
        }
        None => Ok(()),
    }
}

/// TLS cannot be asked of a transport that has none.
pub(super) fn check_tls(id: StreamId, spec: &StreamSpec) -> Result<(), Refusal> {
    let is_asked = spec.tls.as_ref().is_some_and(|tls| **tls != TlsSpec::default());
    match spec.transport {
        Transport::Tcp { tls: false, .. } if is_asked => {
            Err(Refusal::CryptoPolicy(id, "TLS needs a transport that has it, such as TCP/TLS".to_owned()))
        }
        _ => Ok(()),
    }
}

fn digest_of(psk: &PreSharedKey) -> [u8; 32] {
    let identity = psk.identity().as_bytes();
    let length = (identity.len() as u64).to_be_bytes();
    Sha256::new().chain_update(length).chain_update(identity).chain_update(psk.key()).finalize().into()
}

/// What may stand in a header of MSRP without becoming another one.
fn is_path(path: &str) -> bool {
    (1..=MAX_MSRP_PATH_BYTES).contains(&path.len()) && path.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}

/// Makes names that nobody guesses (RFC 4975 section 14.1 asks for 80 bits of randomness) of one secret.
pub(super) struct Names {
    seed: Zeroizing<[u8; 32]>,
    given: u64,
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").field("given", &self.given).finish_non_exhaustive()
    }
}

impl Names {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self { seed: Zeroizing::new(seed), given: 0 }
    }

    /// A new one: 128 bits, in 32 characters.
    pub(super) fn next(&mut self) -> String {
        self.given += 1;
        let digest = Sha256::new().chain_update(*self.seed).chain_update(self.given.to_be_bytes()).finalize();
        digest[..16].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Our own path of MSRP at an address and port (RFC 4975 section 6).
fn own_path(names: &mut Names, transport: Transport, local: SocketAddr) -> Box<str> {
    let scheme = if matches!(transport, Transport::Tcp { tls: true, .. }) { "msrps" } else { "msrp" };
    format!("{scheme}://{local}/{};tcp", names.next()).into()
}

/// What messages of MSRP that come at `from` say when they leave at `to`: exactly when both sides have both paths (TLS-10).
pub(super) fn rewrite(from: &Stream, to: &Stream) -> Option<Rewrite> {
    let paths = |stream: &Stream| {
        let peer = stream.asked.connection.as_ref()?.peer_path.clone()?;
        Some(Rewrite { to_path: peer, from_path: stream.bearers.as_ref()?.own_path.clone()? })
    };
    paths(from)?;
    paths(to)
}

impl Stream {
    /// Does, or has done with the next plan, what a command asks. `local`: our address and port as peers are told.
    pub(super) fn act(&mut self, actions: Actions, local: SocketAddr, names: &mut Names) {
        let transport = self.asked.transport;
        let bearers = self.bearers.get_or_insert_default();
        bearers.connect |= actions.connect;
        bearers.tls_client |= actions.tls_client;
        if !actions.hashes.is_empty() {
            bearers.hashes = actions.hashes;
        }
        if let Some(psk) = actions.psk
            && bearers.psk.is_none()
        {
            bearers.psk = Some(digest_of(&psk));
            bearers.credentials = Some(Credentials::Psk(psk));
        }
        if actions.own_path {
            bearers.own_path.get_or_insert_with(|| own_path(names, transport, local));
        }
    }

    /// Whether something is to be done with the next plan, even if that is the last one again.
    pub(super) fn is_to_act(&self) -> bool {
        self.bearers.as_ref().is_some_and(|bearers| bearers.connect)
    }

    /// How the connection is to run beside `peer`; `None`: the stream is none.
    pub(super) fn connection_shape(&self, peer: Option<Facing>) -> Option<Box<ConnectionShape>> {
        let asked = self.asked.connection.as_ref()?;
        let Transport::Tcp { application, .. } = self.asked.transport else { return None };
        // TS 23.334 5.16.1: handled statelessly when neither side says who connects.
        let is_stateless = asked.setup == TcpSetup::Stateless && peer.is_none_or(|peer| peer.stateless);
        Some(Box::new(ConnectionShape {
            setup: asked.setup,
            stateless: is_stateless,
            trigger: asked.trigger,
            application,
            check_framing: asked.check_framing,
            rewrite: None,
            tls: asked.tls.clone().map(|asked| TlsShape {
                client: self.bearers.as_ref().is_some_and(|bearers| bearers.tls_client),
                asked,
            }),
        }))
    }

    /// The plan that makes the worker run the connection in this shape. From here on the worker counts as told.
    pub(super) fn tell_connection(
        &mut self,
        shape: Shape,
        rules: &TcpRules,
        engine: &Tls,
    ) -> Option<TcpPlan> {
        let connection = shape.connection.as_deref()?;
        let tls = connection.tls.as_ref().map(|tls| {
            Box::new(TlsPlan {
                tls: engine.clone(),
                client: tls.client,
                fingerprints: tls.asked.fingerprints.clone(),
                unknown: tls.asked.unknown,
                hashes: rules.hashes_for(connection.application),
                credentials: self.bearers.as_mut().and_then(|bearers| bearers.credentials.take()),
            })
        });
        let plan = TcpPlan {
            leg: self.leg,
            peer: shape.peer,
            port: self.ports[0]?,
            setup: connection.setup,
            stateless: connection.stateless,
            connect: self.is_to_act(),
            trigger: connection.trigger,
            remote: shape.remote[0],
            filter: shape.filter.clone(),
            latching: shape.latching,
            mode: shape.mode,
            watch: shape.watch,
            tls,
            application: connection.application,
            rewrite: connection.rewrite.clone(),
            check_framing: connection.check_framing,
            times: rules.times,
            bounds: rules.bounds,
        };
        self.note_told(shape);
        Some(plan)
    }
}
