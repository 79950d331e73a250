//! Our end of a handshake over a socket on loopback.

use agw_dtls::{MAX_OUTPUT_BYTES, Profile, Role, Session, Settings, SrtpKeys, Step};
use agw_tls::{Fingerprint, Identity, TlsFailure};
use interop::text::hex;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::LIMIT;

/// Our end: a session on a socket.
pub(crate) struct End {
    socket: UdpSocket,
    peer: Option<SocketAddr>,
    pub(crate) session: Session,
    began: Instant,
    pub(crate) keys: Option<SrtpKeys>,
    pub(crate) failure: Option<TlsFailure>,
    pub(crate) heard: Vec<u8>,
}

impl End {
    /// `address`: whom a client calls.
    pub(crate) fn new(
        settings: Settings,
        role: Role,
        ours: &Identity,
        peer: &Fingerprint,
        address: Option<SocketAddr>,
    ) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port on loopback");
        let compiled = Profile::new(settings).expect("sound settings");
        let mut session = Session::new(&compiled, role, ours, 0).expect("a usable key");
        session.expect(std::slice::from_ref(peer));
        Self {
            socket,
            peer: address,
            session,
            began: Instant::now(),
            keys: None,
            failure: None,
            heard: Vec::new(),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.socket.local_addr().expect("a bound socket").port()
    }

    /// Until there are keys or a failure.
    pub(crate) fn run(&mut self) {
        self.run_until(|end| end.keys.is_some() || end.failure.is_some());
    }

    /// Until as much application data has come.
    pub(crate) fn hear_until(&mut self, words: &[u8]) {
        self.run_until(|end| end.heard.len() >= words.len());
    }

    pub(crate) fn run_until(&mut self, done: impl Fn(&Self) -> bool) {
        let mut buffer = vec![0; MAX_OUTPUT_BYTES];
        self.drain(&mut buffer);
        while !done(self) && self.began.elapsed() < LIMIT {
            if let Ok((len, from)) = self.socket.recv_from(&mut buffer) {
                self.peer = Some(from);
                let datagram = buffer[..len].to_vec();
                self.session.handle_datagram(&datagram, self.now_us());
            } else {
                self.session.handle_timeout(self.now_us());
            }
            self.drain(&mut buffer);
        }
    }

    fn drain(&mut self, buffer: &mut [u8]) {
        let wait = loop {
            match self.session.poll(buffer) {
                Step::Datagram(datagram) => {
                    let peer = self.peer.expect("a server hears first");
                    self.socket.send_to(datagram, peer).expect("loopback takes a datagram");
                }
                Step::Established(keys) => self.keys = Some(keys),
                Step::Failed(failure) => self.failure = Some(failure),
                Step::Data(data) => self.heard.extend(data),
                Step::Closed => {}
                Step::Idle { wake_us } => break wake_us,
            }
        };
        let wait_us = wait.map_or(500_000, |wake| wake.saturating_sub(self.now_us()).clamp(1000, 500_000));
        self.socket.set_read_timeout(Some(Duration::from_micros(wait_us))).expect("a sound timeout");
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).expect("a short test")
    }

    /// What was exported, as the other side prints it.
    pub(crate) fn material(&self, role: Role) -> String {
        let keys = self.keys.as_ref().expect("established");
        let (client, server) = match role {
            Role::Client => (keys.ours(), keys.theirs()),
            Role::Server => (keys.theirs(), keys.ours()),
        };
        let [client, server] = [client, server].map(|attribute| &attribute.keys()[0]);
        hex(&[client.key(), server.key(), client.salt(), server.salt()].concat())
    }
}
