//! One call of RTP, commanded with H.248 text that is written and read by hand.

use crate::controller::{Controller, after, has_error};
use std::net::SocketAddr;

/// What the controller says of one side.
#[derive(Debug, Clone)]
pub struct Side {
    /// The realm, which is the interface of the TerminationID.
    pub realm: &'static str,
    /// The transport of the m-line.
    pub proto: &'static str,
    /// Local's `a=crypto` value: for what the gateway sends.
    pub local_crypto: Option<String>,
    /// Remote's `a=crypto` value: for what the gateway receives.
    pub remote_crypto: Option<String>,
    /// Where the gateway shall send; RTCP goes to the next port.
    pub remote: SocketAddr,
    /// Further LocalControl properties, each after a comma.
    pub properties: &'static str,
    /// A Signals descriptor after a comma, or nothing.
    pub signals: &'static str,
}

impl Side {
    /// An access side that speaks SRTP: `ours` protects what the gateway sends, `theirs` what the phone sends.
    pub fn srtp(suite: &str, ours: &str, theirs: &str, remote: SocketAddr) -> Self {
        Self {
            realm: "access",
            proto: "RTP/SAVP",
            local_crypto: Some(format!("1 {suite} inline:{ours}")),
            remote_crypto: Some(format!("1 {suite} inline:{theirs}")),
            remote,
            properties: "",
            signals: "",
        }
    }

    /// A core side that speaks plain RTP.
    pub fn rtp(remote: SocketAddr) -> Self {
        Self {
            realm: "core",
            proto: "RTP/AVP",
            local_crypto: None,
            remote_crypto: None,
            remote,
            properties: "",
            signals: "",
        }
    }

    fn family(&self) -> &'static str {
        if self.remote.is_ipv4() { "IP4" } else { "IP6" }
    }

    fn add(&self) -> String {
        let Self { realm, proto, properties, signals, remote, .. } = self;
        let family = self.family();
        let crypto = |crypto: &Option<String>| {
            crypto.as_ref().map_or(String::new(), |value| format!("a=crypto:{value}\n"))
        };
        let (local, theirs) = (crypto(&self.local_crypto), crypto(&self.remote_crypto));
        format!(
            "Add = ip/1/{realm}/$ {{ Media {{ Stream = 1 {{ LocalControl {{ Mode = SendReceive{properties} }},\nLocal {{\nv=0\n\
             c=IN {family} $\nm=audio $ {proto} 8\n{local}}},\nRemote {{\nv=0\nc=IN {family} {}\nm=audio {} {proto} 8\n{theirs}}} }} }}{signals} }}",
            remote.ip(),
            remote.port()
        )
    }
}

/// A call that is up.
#[derive(Debug)]
pub struct Call {
    controller: Controller,
    /// The number of its context.
    pub context: String,
    /// The TerminationIDs, in the order of the sides.
    pub terminations: Vec<String>,
    /// Where the gateway receives RTP, in the order of the sides.
    pub local: Vec<SocketAddr>,
}

impl Call {
    /// Sets a call up between two sides.
    ///
    /// # Panics
    /// When the gateway does not do it: with its reply.
    pub fn set_up(iq: SocketAddr, sides: [&Side; 2]) -> Self {
        let mut call = Self {
            controller: Controller::new(iq),
            context: String::new(),
            terminations: vec![],
            local: vec![],
        };
        let reply = call.ask(&format!("Context = $ {{ {}, {} }}", sides[0].add(), sides[1].add()));
        assert!(!has_error(&reply), "{reply}");
        call.context = after(&reply, "Context = ").next().expect("a reply has a context").to_owned();
        call.terminations = after(&reply, "Add = ").map(str::to_owned).collect();
        let ports = after(&reply, "m=audio ").map(|port| port.parse::<u16>().expect("a port is a number"));
        let addresses = reply.lines().filter_map(|line| line.trim().strip_prefix("c=IN IP")).map(|rest| {
            rest.get(2..)
                .and_then(|address| address.trim().parse().ok())
                .expect("an address follows IP4 or IP6")
        });
        call.local = addresses.zip(ports).map(|(address, port)| SocketAddr::new(address, port)).collect();
        assert_eq!((call.terminations.len(), call.local.len()), (2, 2), "{reply}");
        call
    }

    /// Sends an action and gives the reply, in pretty text.
    ///
    /// # Panics
    /// When no reply comes.
    pub fn ask(&mut self, action: &str) -> String {
        self.controller.ask(action)
    }

    /// Takes the call down; the reply has the statistics of both sides.
    ///
    /// # Panics
    /// When the gateway does not do it: with its reply.
    pub fn take_down(mut self) -> String {
        let action = format!(
            "Context = {} {{ Subtract = {} {{ Audit {{ Statistics }} }}, Subtract = {} {{ Audit {{ Statistics }} }} }}",
            self.context, self.terminations[0], self.terminations[1]
        );
        let reply = self.ask(&action);
        assert!(!has_error(&reply), "{reply}");
        reply
    }
}
