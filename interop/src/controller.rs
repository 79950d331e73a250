//! A controller on a socket that writes and reads H.248 text by hand: nothing of our own codec takes part, so that it cannot agree with
//! itself. It repeats its requests, and answers and keeps what the gateway notifies it of.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

const ANSWER_LIMIT: Duration = Duration::from_secs(3);
const TRIES: usize = 3;
const LARGEST_MESSAGE_BYTES: usize = 65_535;

/// One association without registration, as a laboratory has it.
#[derive(Debug)]
pub struct Controller {
    socket: UdpSocket,
    transaction: u32,
    /// Notify requests that came, each once, oldest first.
    notified: Vec<String>,
    answered: Vec<String>,
}

impl Controller {
    /// A controller of the gateway that takes text at `iq`.
    ///
    /// # Panics
    /// When loopback has no port.
    pub fn new(iq: SocketAddr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        socket.connect(iq).expect("loopback is connected");
        Self { socket, transaction: std::process::id() % 100_000 * 1000, notified: vec![], answered: vec![] }
    }

    /// Sends an action and gives the reply, in pretty text; repeats it as a controller would.
    ///
    /// # Panics
    /// When no reply comes.
    pub fn ask(&mut self, action: &str) -> String {
        self.transaction += 1;
        let id = self.transaction;
        let request = format!("MEGACO/2 [127.0.0.1]:2944\nTransaction = {id} {{ {action} }}\n");
        for _ in 0..TRIES {
            self.socket.send(request.as_bytes()).expect("loopback takes a message");
            let until = Instant::now() + ANSWER_LIMIT;
            while let Some(text) = self.receive(until) {
                if text.contains(&format!("Reply = {id}")) {
                    return text;
                }
            }
        }
        panic!("no reply to {request}");
    }

    /// Waits until something is notified that holds all of `words`, and gives it.
    ///
    /// # Panics
    /// When nothing does in ten seconds.
    pub fn wait_for(&mut self, words: &[&str]) -> String {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let fits = |text: &String| words.iter().all(|word| text.contains(word));
            if let Some(at) = self.notified.iter().position(fits) {
                return self.notified.remove(at);
            }
            let more = self.receive(until);
            assert!(more.is_some(), "nothing with {words:?} was notified, but {:?}", self.notified);
        }
    }

    /// What has been notified within `time` and was not waited for.
    pub fn notified_within(&mut self, time: Duration) -> &[String] {
        let until = Instant::now() + time;
        while self.receive(until).is_some() {}
        &self.notified
    }

    /// The next message until then. What the gateway asks is answered.
    fn receive(&mut self, until: Instant) -> Option<String> {
        let left = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        self.socket.set_read_timeout(Some(left)).expect("a time limit is accepted");
        let mut buffer = vec![0; LARGEST_MESSAGE_BYTES];
        let len = self.socket.recv(&mut buffer).ok()?;
        let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
        if let Some(id) = after(&text, "Transaction = ").next().map(str::to_owned) {
            self.answer(&id, &text);
        }
        Some(text)
    }

    fn answer(&mut self, id: &str, request: &str) {
        let context = after(request, "Context = ").next().unwrap_or("-");
        let terminations: Vec<String> =
            after(request, "Notify = ").map(|termination| format!("Notify = {termination}")).collect();
        let reply = format!(
            "MEGACO/2 [127.0.0.1]:2944\nReply = {id} {{ Context = {context} {{ {} }} }}\n",
            terminations.join(", ")
        );
        self.socket.send(reply.as_bytes()).expect("loopback takes a message");
        if !self.answered.iter().any(|earlier| earlier == id) {
            self.answered.push(id.to_owned());
            self.notified.push(request.to_owned());
        }
    }
}

/// Whether a reply says that something was refused.
pub fn has_error(reply: &str) -> bool {
    reply.contains("Error = ")
}

/// The words that follow `key` wherever it stands.
pub fn after<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(key).skip(1).map(|rest| {
        let end = rest
            .find(|letter: char| letter.is_whitespace() || matches!(letter, ',' | '{' | '}'))
            .unwrap_or(rest.len());
        &rest[..end]
    })
}
