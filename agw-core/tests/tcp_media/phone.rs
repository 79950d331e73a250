//! Phones that speak TLS, and the calls that they are in.

use crate::rig::{Call, Rig, Side, UP, role};
use agw_core::command::Observation;
use agw_core::io::sim::StreamPeer;
use agw_core::model::*;
use agw_tls::{Credentials, Engine, Identity, Profile, Role, Tls};
use std::io;

pub(crate) const TLS: Transport = Transport::Tcp { tls: true, application: Application::Opaque };
pub(crate) const SESSION_UP: Observation = Observation::Session(Bearer::Established);

pub(crate) const fn session_failed(failure: TlsFailure) -> Observation {
    Observation::Session(Bearer::Failed(BearerFailure::Tls(failure)))
}

/// A far end that speaks TLS.
pub(crate) struct Phone {
    pub(crate) peer: StreamPeer,
    pub(crate) engine: Engine,
    pub(crate) received: Vec<u8>,
    pub(crate) failure: Option<TlsFailure>,
    pub(crate) ended: bool,
}

impl Phone {
    pub(crate) fn new(peer: StreamPeer, role: Role, identity: &Identity) -> Self {
        let tls = Tls::new(&Profile::default()).unwrap();
        let engine = tls.engine(role, &Credentials::Certificate(identity.clone())).unwrap();
        Self { peer, engine, received: Vec::new(), failure: None, ended: false }
    }

    /// Moves what there is to be moved.
    pub(crate) fn pump(&mut self) {
        let mut buffer = [0; 4096];
        loop {
            match self.peer.receive(&mut buffer) {
                Ok(0) | Err(_) if self.ended => break,
                Ok(0) => self.ended = true,
                Ok(n) => {
                    let mut fed = 0;
                    while fed < n && self.failure.is_none() {
                        fed += self.engine.feed(&buffer[fed..n]);
                        self.work();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => self.ended = true,
            }
        }
        self.work();
        loop {
            let n = self.engine.drain(&mut buffer);
            if n == 0 || self.peer.send(&buffer[..n]).is_err() {
                break;
            }
        }
    }

    pub(crate) fn work(&mut self) {
        if let Err(failure) = self.engine.process() {
            self.failure.get_or_insert(failure);
        }
        let mut buffer = [0; 4096];
        loop {
            let n = self.engine.read(&mut buffer);
            if n == 0 {
                break;
            }
            self.received.extend(&buffer[..n]);
        }
    }

    pub(crate) fn say(&mut self, bytes: &[u8]) {
        assert_eq!(self.engine.write(bytes), bytes.len());
        self.pump();
    }
}

pub(crate) fn run(rig: &mut Rig, phones: &mut [&mut Phone]) {
    for _ in 0..60 {
        phones.iter_mut().for_each(|phone| phone.pump());
        rig.turn();
    }
}

pub(crate) fn promise(identity: &Identity) -> TlsSpec {
    TlsSpec {
        peer: vec![identity.fingerprint(HashFunction::Sha256)],
        own: vec![HashFunction::Sha256],
        ..TlsSpec::default()
    }
}

/// A TLS side towards the phone, and a plain one towards the core, both waiting for a connection.
pub(crate) fn call(rig: &mut Rig, tls: TlsSpec) -> Call {
    let context = rig.context();
    let ue = rig.add_tls(context, "access", TLS, role(TcpSetup::Passive), tls);
    let core = rig.add(context, "core", crate::rig::TCP, role(TcpSetup::Passive));
    Call { context, ue, core }
}

pub(crate) fn dial(side: &Side) -> StreamPeer {
    side.host.connect(side.local).unwrap()
}

/// A call that is up: the core's peer, and a phone that has proven itself.
pub(crate) fn talking(rig: &mut Rig) -> (Call, StreamPeer, Phone) {
    let identity = Identity::generate().unwrap();
    let call = call(rig, promise(&identity));
    let core = dial(&call.core);
    let mut phone = Phone::new(dial(&call.ue), Role::Client, &identity);
    for _ in 0..20 {
        run(rig, &mut [&mut phone]);
    }
    assert_eq!(only(rig, call.ue.id), [UP, SESSION_UP]);
    (call, core, phone)
}

pub(crate) fn only(rig: &mut Rig, id: TerminationId) -> Vec<Observation> {
    rig.take_notices().into_iter().filter(|(of, _)| *of == id).map(|(_, what)| what).collect()
}
