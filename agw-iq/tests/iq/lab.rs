//! A gateway in a laboratory: a pretend model, a clock that is turned by hand, and a controller that types.

use crate::model::Model;
use agw_core::command::{Event, Notice};
use agw_core::model::RealmName;
use agw_iq::ast::Mid;
use agw_iq::config::IqConfig;
use agw_iq::package::realm::Realms;
use agw_iq::transport::{Now, Peer, SocketId};
use agw_iq::{ConnectionRequest, MediaGateway};
use std::net::SocketAddr;
use std::time::Duration;

pub const MGC: ([u8; 4], u16) = ([127, 0, 0, 1], 40_000);

pub struct Lab {
    pub iq: MediaGateway,
    pub model: Model,
    pub now: Now,
    next_id: u32,
}

/// The configuration of the tests: four realms, `access` the default; replies without session lines unless a test wants them.
pub fn config() -> IqConfig {
    let mut config = IqConfig::new(Mid::from_socket(([192, 0, 2, 20], 2944).into()));
    let names = ["access", "core", "access1", "core1"];
    config.realms = Realms::new(names.iter().filter_map(|name| RealmName::new(name)).collect());
    config.reply.session_lines = false;
    config
}

impl Lab {
    pub fn new() -> Self {
        Self::with(config())
    }

    pub fn with(config: IqConfig) -> Self {
        let now = Duration::from_secs(1000);
        Self { iq: MediaGateway::new(config, now, 42), model: Model::new(), now, next_id: 1 }
    }

    /// Sends a message and lets the model work; everything that was sent back, in order.
    pub fn exchange_from(&mut self, from: SocketAddr, message: &str) -> Vec<(Peer, String)> {
        self.iq.handle_datagram(self.now, SocketId(0), from, message.as_bytes(), &mut self.model);
        self.settle();
        self.sent()
    }

    pub fn exchange(&mut self, message: &str) -> Vec<String> {
        self.exchange_from(MGC.into(), message).into_iter().map(|(_, text)| text).collect()
    }

    /// Sends actions in a transaction of their own; the actions of the reply, compact.
    pub fn ask(&mut self, actions: &str) -> String {
        let id = self.next_id;
        self.next_id += 1;
        let mut replies = self.exchange(&format!("!/2 <mgc.test> T={id}{{{actions}}}"));
        assert_eq!(replies.len(), 1, "{replies:?}");
        let reply = replies.remove(0);
        let head = format!("!/2 [192.0.2.20]:2944 P={id}{{");
        let body = reply.strip_prefix(&head).and_then(|rest| rest.strip_suffix('}'));
        body.unwrap_or_else(|| panic!("{reply}")).to_owned()
    }

    /// The error code of the reply to actions, the only one in it, and its text.
    pub fn error(&mut self, actions: &str) -> (u16, String) {
        let reply = self.ask(actions);
        let mut found = reply.match_indices("ER=");
        let (at, _) = found.next().unwrap_or_else(|| panic!("no error in {reply}"));
        assert!(found.next().is_none(), "several errors in {reply}");
        let rest = &reply[at + 3..];
        let (code, rest) = rest.split_once('{').expect("an Error descriptor");
        let text = rest.strip_prefix('"').and_then(|rest| rest.split_once('"')).map_or("", |(text, _)| text);
        (code.parse().expect("a code"), text.to_owned())
    }

    /// Gives the model's events to the gateway until there are none.
    pub fn settle(&mut self) {
        while let Some(event) = self.model.take_event() {
            self.iq.handle_event(self.now, event, &mut self.model);
        }
    }

    /// Lets the slow workers confirm everything.
    pub fn confirm(&mut self) -> Vec<String> {
        for event in self.model.confirm() {
            self.iq.handle_event(self.now, event, &mut self.model);
        }
        self.sent().into_iter().map(|(_, text)| text).collect()
    }

    pub fn notice(&mut self, notice: Notice) -> Vec<String> {
        self.iq.handle_event(self.now, Event::Notice(notice), &mut self.model);
        self.sent().into_iter().map(|(_, text)| text).collect()
    }

    /// Lets time pass, calling the gateway whenever it wants; everything that was sent meanwhile.
    pub fn pass(&mut self, time: Duration) -> Vec<(Peer, String)> {
        let end = self.now + time;
        let mut sent = Vec::new();
        for _ in 0..100_000 {
            let Some(at) = self.iq.poll_timeout().filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            self.iq.handle_timeout(self.now, &mut self.model);
            self.settle();
            sent.extend(self.sent());
        }
        self.now = end;
        sent
    }

    pub fn sent(&mut self) -> Vec<(Peer, String)> {
        let mut sent = Vec::new();
        while let Some(transmit) = self.iq.poll_transmit() {
            let bytes =
                if transmit.to.link.is_reliable() { &transmit.bytes[4..] } else { &transmit.bytes[..] };
            sent.push((transmit.to, String::from_utf8(bytes.to_vec()).expect("text")));
        }
        sent
    }

    pub fn connections(&mut self) -> Vec<ConnectionRequest> {
        std::iter::from_fn(|| self.iq.poll_connection()).collect()
    }

    /// A context with an access termination that is secured and a core one; the names of the two.
    pub fn call(&mut self) -> (String, String, String) {
        let reply = self.ask(&format!("C=${{{ACCESS},{CORE}}}"));
        let context = reply.split(['=', '{']).nth(1).expect("a context").to_owned();
        let names: Vec<_> = reply
            .split("A=")
            .skip(1)
            .map(|rest| rest.split(['{', ',', '}']).next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(names.len(), 2, "{reply}");
        (context, names[0].clone(), names[1].clone())
    }
}

pub const LOCAL_KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
pub const REMOTE_KEY: &str = "NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj";
pub const OTHER_KEY: &str = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw";

pub const ACCESS: &str = "A=ip/1/access/${M{ST=1{O{MO=SR},L{
v=0
c=IN IP4 $
m=audio $ RTP/SAVP 96
a=rtpmap:96 AMR/8000
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj
},R{
v=0
c=IN IP4 203.0.113.7
m=audio 49170 RTP/SAVP 96
a=rtpmap:96 AMR/8000
a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:NzB4d1BINUAvLEw6UzF3WSJ+PSdFcGdUJShpX1Zj
}}}}";

pub const CORE: &str = "A=ip/1/core/${M{ST=1{O{MO=SR},L{
v=0
c=IN IP6 $
m=audio $ RTP/AVP 96
a=rtpmap:96 AMR/8000
}}}}";

/// An Add with this Local and nothing else.
pub fn add(local: &str) -> String {
    format!("C=${{A=ip/1/access/${{M{{ST=1{{L{{\n{local}\n}}}}}}}}}}")
}

/// An Add of a plain stream with this LocalControl.
pub fn add_with(control: &str) -> String {
    format!(
        "C=${{A=ip/1/access/${{M{{ST=1{{O{{{control}}},L{{\nv=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\n}}}}}}}}}}"
    )
}
