//! What a full handshake of DTLS-SRTP costs a server in processor time: cookie, certificates of both sides with P-256 keys, the peer's judged by its
//! fingerprint, keys exported. Ours, by either engine, beside a plain server on OpenSSL that has loaded its certificate long before; the same
//! client calls all of them in turns, in one thread, and only what the server does counts.
//!
//! `cargo bench -p benches --bench dtls` prints medians; `-- HANDSHAKES` asks for another number of each.

mod openssl_server;

use agw_dtls::{Engine, MAX_OUTPUT_BYTES, Profile, Role, Session, Settings, Step};
use agw_tls::{HashFunction, Identity};
use benches::harness::median;
use openssl_server::Plain;
use rustix::time::{ClockId, clock_gettime};

/// A server, as the bench drives it.
pub(crate) trait Server {
    /// Takes a datagram, and says what it answers.
    fn hear(&mut self, datagram: &[u8], say: &mut Vec<Vec<u8>>);

    /// Whether it has keys.
    fn is_up(&self) -> bool;
}

/// A session of ours.
struct Ours {
    session: Session,
    up: bool,
}

impl Ours {
    fn new(profile: &Profile, role: Role, us: &Identity, peer: &Identity) -> Self {
        let mut session = Session::new(profile, role, us, 0).expect("a usable key");
        session.expect(&[peer.fingerprint(HashFunction::Sha256)]);
        Self { session, up: false }
    }

    fn drain(&mut self, say: &mut Vec<Vec<u8>>) {
        let mut buffer = [0; MAX_OUTPUT_BYTES];
        loop {
            match self.session.poll(&mut buffer) {
                Step::Datagram(datagram) => say.push(datagram.to_vec()),
                Step::Established(_) => self.up = true,
                Step::Failed(failure) => panic!("a handshake failed: {failure}"),
                Step::Data(_) | Step::Closed => {}
                Step::Idle { .. } => return,
            }
        }
    }
}

impl Server for Ours {
    fn hear(&mut self, datagram: &[u8], say: &mut Vec<Vec<u8>>) {
        self.session.handle_datagram(datagram, 0);
        self.drain(say);
    }

    fn is_up(&self) -> bool {
        self.up
    }
}

/// Of this thread, in microseconds.
fn cpu_us() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// One handshake: microseconds of the server.
fn handshake(client: &Profile, identities: [&Identity; 2], start: &dyn Fn() -> Box<dyn Server>) -> f64 {
    let mut client = Ours::new(client, Role::Client, identities[0], identities[1]);
    let mut to_server = Vec::new();
    client.drain(&mut to_server);
    let began = cpu_us();
    let mut server = start();
    let mut spent = cpu_us() - began;
    let mut to_client = Vec::new();
    // A flight each way: two of cookies, two with certificates. More is a fault.
    for _ in 0..8 {
        let began = cpu_us();
        to_server.drain(..).for_each(|datagram: Vec<u8>| server.hear(&datagram, &mut to_client));
        spent += cpu_us() - began;
        to_client.drain(..).for_each(|datagram| client.hear(&datagram, &mut to_server));
        if client.up && server.is_up() {
            return spent;
        }
    }
    panic!("the handshake did not end");
}

fn main() {
    let rounds = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(1000);
    let [client, server] = std::array::from_fn(|_| Identity::generate().expect("a certificate"));
    let identities = [&client, &server];
    let profile = |engine, dtls13| {
        Profile::new(Settings { engine, dtls13, ..Settings::default() }).expect("sound settings")
    };
    let clients = [profile(Engine::Dimpl, false), profile(Engine::Dimpl, true)];
    let ours = [profile(Engine::Auto, true), profile(Engine::Openssl, true)];
    let plain = openssl_server::context(&server);
    let start = |profile: &Profile| -> Box<dyn Server> {
        Box::new(Ours::new(profile, Role::Server, &server, &client))
    };
    let start_plain = || -> Box<dyn Server> { Box::new(Plain::new(&plain, &client)) };

    let mut times: [Vec<f64>; 4] = Default::default();
    for round in 0..rounds + rounds / 10 {
        let taken = [
            handshake(&clients[0], identities, &start_plain),
            handshake(&clients[0], identities, &|| start(&ours[0])),
            handshake(&clients[0], identities, &|| start(&ours[1])),
            handshake(&clients[1], identities, &|| start(&ours[0])),
        ];
        if round >= rounds / 10 {
            times.iter_mut().zip(taken).for_each(|(all, one)| all.push(one));
        }
    }
    let medians = times.map(|mut all| median(&mut all));
    println!(
        "{:<34} {:>16} {:>12} {:>12}",
        "server, a full handshake", "us of processor", "per second", ": OpenSSL"
    );
    for (name, us) in ["OpenSSL, DTLS 1.2", "agw, DTLS 1.2", "agw, second engine, DTLS 1.2", "agw, DTLS 1.3"]
        .iter()
        .zip(medians)
    {
        println!("{name:<34} {us:>16.1} {:>12.0} {:>12.2}", 1e6 / us, us / medians[0]);
    }
}
