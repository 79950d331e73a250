//! Streams over TCP as the controller keeps them: what was asked of the connection, and the plan that the worker runs it by. Who connects may be
//! decided later, by another command; what the bytes are is fixed at set-up.

use super::stream::{Asked, Facing, Shape, Stream};
use crate::command::order::{TcpPlan, TcpTimes};
use crate::command::{Observation, Refusal};
use crate::flow::msrp::Rewrite;
use crate::model::{
    Application, Bearer, MAX_MSRP_PATH_BYTES, Mode, StreamSpec, TcpSetup, Transport, Trigger,
};
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
}

impl AskedConnection {
    /// `None` for other transports than TCP.
    pub(super) fn new(spec: &StreamSpec) -> Option<Box<Self>> {
        if !matches!(spec.transport, Transport::Tcp { .. }) {
            return None;
        }
        let said = spec.tcp.as_deref();
        Some(Box::new(Self {
            setup: said.map_or(TcpSetup::Stateless, |tcp| tcp.setup),
            trigger: said.and_then(|tcp| tcp.trigger),
            peer_path: said.and_then(|tcp| tcp.msrp.peer.clone()),
            check_framing: said.is_some_and(|tcp| tcp.check_framing),
        }))
    }
}

/// What a command asks of a connection that is not kept with the specification.
#[derive(Debug, Clone, Copy)]
pub(super) struct Actions {
    /// It is to connect now.
    connect: bool,
    /// It is to have a path of MSRP of our own, from now on.
    own_path: bool,
}

impl Actions {
    /// `None` for other transports than TCP.
    pub(super) fn new(spec: &StreamSpec) -> Option<Self> {
        let Transport::Tcp { application, .. } = spec.transport else { return None };
        let said = spec.tcp.as_deref();
        Some(Self {
            connect: said.is_some_and(|tcp| tcp.establish),
            own_path: application == Application::Msrp && said.is_some_and(|tcp| tcp.msrp.own),
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
    /// What became of the connection, for people to see.
    pub(super) connection: Option<Bearer>,
    /// What became of the TLS session, for people to see.
    pub(super) session: Option<Bearer>,
}

impl Bearers {
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
}

/// Checks what cannot be done for a connection.
pub(super) fn check(asked: &Asked) -> Result<(), Refusal> {
    let Transport::Tcp { tls, .. } = asked.transport else { return Ok(()) };
    if tls {
        return Err(Refusal::NotImplemented("TLS"));
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

    /// A new one: 128 bits.
    fn next(&mut self) -> String {
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
        }))
    }

    /// The plan that makes the worker run the connection in this shape. From here on the worker counts as told.
    pub(super) fn tell_connection(&mut self, shape: Shape, times: TcpTimes) -> Option<TcpPlan> {
        let connection = shape.connection.as_deref()?;
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
            application: connection.application,
            rewrite: connection.rewrite.clone(),
            check_framing: connection.check_framing,
            times,
        };
        self.note_told(shape);
        Some(plan)
    }
}
