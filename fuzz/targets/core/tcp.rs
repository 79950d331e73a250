//! Media over TCP through a whole worker on the pretend network: both peers connect, send, stall, finish and reset whenever the input says so, whoever
//! commands connects, removes and adds sides, and time passes. What one end gets is what the other has sent to it, in order, and nothing else; and when the
//! context has gone nothing is left (TCP-1 to TCP-6).
#![no_main]

use agw_core::command::{Command, Event, Gateway, Reply};
use agw_core::io::sim::{StreamHost, StreamPeer};
use agw_core::model::{
    Application, ContextAttributes, ContextId, Mode, RealmName, Remote, StreamId, StreamSpec, TcpSetup,
    TcpSpec, TerminationId, Transport, Trigger,
};
use agw_core::worker::stats::Counter;
use fuzz::ground::Ground;
use fuzz::input::Input;
use libfuzzer_sys::fuzz_target;
use std::net::SocketAddr;
use std::time::Duration;

/// What an end may send in all, so that an input does not take for ever.
const MAX_SENT_BYTES: usize = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let mut scene = Scene::new(&mut input);
    while !input.is_empty() {
        scene.step(&mut input);
    }
    scene.finish();
});

/// One side of the context: the termination, if it is there, and its peer.
struct Side {
    realm: &'static str,
    spec: StreamSpec,
    termination: Option<(TerminationId, SocketAddr)>,
    host: StreamHost,
    peer: Option<StreamPeer>,
    /// The connections of this side so far.
    connections: u8,
    sent: usize,
    /// What has come on the connection there is.
    received: Vec<u8>,
}

struct Scene {
    ground: Ground,
    context: ContextId,
    sides: [Side; 2],
    /// Neither side has ever had but one connection, and both have always been there.
    is_simple: bool,
}

/// The next bytes of a stream, which show their place in it.
fn stream_byte(at: usize, side: usize) -> u8 {
    ((at / 251) ^ at) as u8 ^ (side as u8) << 7
}

impl Scene {
    fn new(input: &mut Input<'_>) -> Self {
        let mut ground = Ground::new(1, 64);
        ground.net.set_window(1 + usize::from(input.word()));
        let Ok(Reply::Context(context)) =
            ground.execute(Command::CreateContext(ContextAttributes::default()))
        else {
            panic!("no context")
        };
        let setups =
            [TcpSetup::Stateless, TcpSetup::Passive, TcpSetup::Active, TcpSetup::ActPass, TcpSetup::HoldConn];
        // Without a=setup on one side only, there is none on either.
        let stateless = input.byte().is_multiple_of(2);
        let sides = [("access", [198, 51, 100, 1]), ("core", [198, 51, 100, 2])].map(|(realm, address)| {
            let host = ground.net.stream_host(SocketAddr::from((address, 1000)));
            let setup = if stateless { TcpSetup::Stateless } else { input.one_of(&setups) };
            let trigger = input.one_of(&[None, Some(Trigger::Tcp), Some(Trigger::Tls)]);
            let tcp = TcpSpec { setup, trigger, ..TcpSpec::default() };
            let transport = Transport::Tcp { tls: false, application: Application::Opaque };
            let spec = StreamSpec {
                realm: RealmName::new(realm),
                mode: Mode::SendReceive,
                remote: Some(Remote { rtp: host.address(), rtcp: None }),
                tcp: Some(Box::new(tcp)),
                ..StreamSpec::new(transport)
            };
            let received = Vec::new();
            Side { realm, spec, termination: None, host, peer: None, connections: 0, sent: 0, received }
        });
        let mut scene = Self { ground, context, sides, is_simple: true };
        (0..2).for_each(|side| scene.add(side));
        scene
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let what = input.byte();
        let side = usize::from(what >> 7);
        let found = &mut self.sides[side];
        match what & 15 {
            0 => found.host.listen(),
            1 => {
                if found.peer.is_none()
                    && let Some((_, local)) = found.termination
                    && let Ok(peer) = found.host.connect(local)
                {
                    self.met(side, peer);
                }
            }
            2 | 3 => {
                let length = input.word();
                self.send(side, usize::from(length));
            }
            4 => self.read(side, usize::MAX),
            5 => {
                let length = input.byte();
                self.read(side, usize::from(length));
            }
            6 => {
                found.peer.iter().for_each(StreamPeer::finish);
            }
            7 => {
                if let Some(peer) = found.peer.take() {
                    peer.reset();
                }
            }
            8 => self.establish(side),
            9 => self.subtract(side),
            10 => self.add(side),
            11 => self.set_mode(side, input),
            12 => self.pass(Duration::from_millis(100 * u64::from(input.byte()))),
            13 => found.host.stop_listening(),
            14 => found.host.set_silent(what & 16 != 0),
            _ => found.peer = None,
        }
        self.pass(Duration::from_millis(1));
    }

    fn pass(&mut self, time: Duration) {
        self.ground.advance(time);
        // Twice, so that what the first told is heard.
        for _ in 0..2 {
            self.ground.turn();
            while let Some(event) = self.ground.event() {
                assert!(!matches!(event, Event::Notice(notice) if notice.stream != StreamId(1)));
            }
        }
        for side in 0..2 {
            if self.sides[side].peer.is_none()
                && let Some(peer) = self.sides[side].host.accept()
            {
                self.met(side, peer);
            }
        }
    }

    fn met(&mut self, side: usize, peer: StreamPeer) {
        let found = &mut self.sides[side];
        found.peer = Some(peer);
        found.connections = found.connections.saturating_add(1);
        found.received.clear();
        self.is_simple &= found.connections == 1;
    }

    fn send(&mut self, side: usize, length: usize) {
        let found = &mut self.sides[side];
        let Some(peer) = &found.peer else { return };
        let length = length.min(MAX_SENT_BYTES - found.sent.min(MAX_SENT_BYTES));
        let bytes: Vec<u8> = (found.sent..found.sent + length).map(|at| stream_byte(at, side)).collect();
        found.sent += peer.send(&bytes).unwrap_or(0);
    }

    fn read(&mut self, side: usize, most: usize) {
        let mut buffer = [0; 4096];
        let mut left = most;
        let found = &mut self.sides[side];
        while let Some(peer) = &found.peer
            && left > 0
            && let Ok(came @ 1..) = peer.receive(&mut buffer[..left.min(4096)])
        {
            left -= came;
            found.received.extend(&buffer[..came]);
        }
        self.check(side);
    }

    /// What came is what the other end has sent. Where connections come and go it begins anywhere, but it never leaves out, repeats or changes.
    fn check(&self, side: usize) {
        let (here, there) = (&self.sides[side], &self.sides[1 - side]);
        if !self.is_simple {
            return;
        }
        assert!(here.received.len() <= there.sent, "more came than was sent");
        let wrong = here.received.iter().enumerate().find(|(at, byte)| **byte != stream_byte(*at, 1 - side));
        assert_eq!(wrong, None, "a byte is not the one that was sent");
    }

    fn modify(&mut self, side: usize) {
        let found = &mut self.sides[side];
        let Some((termination, _)) = found.termination else { return };
        let streams = vec![(StreamId(1), found.spec.clone())];
        // Orders that cannot be obeyed are refused.
        let _refused = self.ground.execute(Command::Modify { termination, streams });
        if let Some(tcp) = &mut self.sides[side].spec.tcp {
            tcp.establish = false;
        }
    }

    fn establish(&mut self, side: usize) {
        if let Some(tcp) = &mut self.sides[side].spec.tcp {
            tcp.establish = true;
        }
        self.modify(side);
    }

    fn set_mode(&mut self, side: usize, input: &mut Input<'_>) {
        let modes = [Mode::SendReceive, Mode::SendOnly, Mode::ReceiveOnly, Mode::Inactive];
        self.sides[side].spec.mode = input.one_of(&modes);
        self.modify(side);
    }

    fn subtract(&mut self, side: usize) {
        if let Some((termination, _)) = self.sides[side].termination.take() {
            self.ground.execute(Command::Subtract(termination)).expect("it is there");
            self.is_simple = false;
        }
    }

    fn add(&mut self, side: usize) {
        let found = &self.sides[side];
        if found.termination.is_some() {
            return;
        }
        assert!(found.spec.realm == RealmName::new(found.realm));
        let streams = vec![(StreamId(1), found.spec.clone())];
        // Both sides with and without roles cannot be together; and the last context may be gone with its last side.
        if let Ok(Reply::Termination(view, _)) =
            self.ground.execute(Command::Add { context: self.context, streams })
        {
            self.sides[side].termination = Some((view.id, view.streams[0].rtp));
        }
    }

    fn finish(mut self) {
        (0..2).for_each(|side| self.read(side, usize::MAX));
        let _gone = self.ground.execute(Command::RemoveContext(self.context));
        // What is in flight has its time, and no more.
        for _ in 0..100 {
            self.pass(Duration::from_millis(100));
        }
        assert_eq!(self.ground.count(Counter::ConnectionsOpen), 0, "connections");
        assert_eq!(self.ground.count(Counter::StreamBufferBytes), 0, "memory of streams");
        assert_eq!(self.ground.net.gateway_connections(), 0);
        self.sides.iter_mut().for_each(|side| side.peer = None);
        self.ground.finish();
    }
}
