//! What the admin pages say, as JSON: the shapes that scripts rely on. Every shape is used at both ends, so the tables of `agw status`
//! cannot drift from the pages. No key has a place here (SRTP-12).

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `/status`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Version of the gateway.
    pub version: String,
    /// `ready`, `registering` or `draining`.
    pub state: String,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Process number.
    pub pid: u32,
    /// Where Iq listens.
    pub iq: String,
    /// The configured controllers, the preferred first; none in lab mode.
    pub controllers: Vec<String>,
    /// Whether one of them has taken us; false in lab mode, where nobody has to.
    pub registered: bool,
    /// Contexts now.
    pub contexts: usize,
    /// Contexts at most.
    pub contexts_limit: usize,
    /// Terminations now, by leg.
    pub terminations: BTreeMap<String, usize>,
    /// Streams now, by transport.
    pub streams: BTreeMap<String, usize>,
    /// Packet workers.
    pub workers: usize,
    /// Packets since the start.
    pub packets: Packets,
    /// Ports by realm.
    pub ports: BTreeMap<String, Ports>,
}

/// Packets since the start, both legs together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Packets {
    /// Received.
    pub received: u64,
    /// Sent.
    pub sent: u64,
    /// Dropped, for whatever reason.
    pub dropped: u64,
}

/// Ports of one realm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ports {
    /// Bound by calls.
    pub in_use: usize,
    /// All there are.
    pub total: usize,
    /// In words: whether the realm is in service, and why not.
    pub state: String,
}

/// `POST /realms/NAME/out` and `/in`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RealmState {
    /// The realm.
    pub realm: String,
    /// As in `/status`.
    pub state: String,
}

/// `/contexts`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContextPage {
    /// Contexts now, on all pages.
    pub total: usize,
    /// This page, by number.
    pub contexts: Vec<Context>,
    /// What to ask for next (`?after=`), when there is more.
    pub next: Option<u32>,
}

/// `/contexts/ID`, and each of a page.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// Its number.
    pub id: u32,
    /// The worker that runs it.
    pub worker: Option<usize>,
    /// 0 to 15.
    pub priority: u8,
    /// An emergency call.
    pub emergency: bool,
    /// Its terminations.
    pub terminations: Vec<Termination>,
}

/// A termination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Termination {
    /// Its number.
    pub id: u32,
    /// `access` or `core`.
    pub leg: Option<String>,
    /// Its streams.
    pub streams: Vec<Stream>,
}

/// A stream of a termination.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    /// Its number.
    pub id: u16,
    /// The address pool.
    pub realm: String,
    /// The transport, as in `RTP/SAVP`.
    pub transport: String,
    /// The gate, as in `SendReceive`.
    pub mode: String,
    /// Where we receive RTP.
    pub local: String,
    /// Where we receive RTCP.
    pub local_rtcp: Option<String>,
    /// Where the peer was said to receive RTP.
    pub remote: Option<String>,
    /// Where RTP of the peer was learned to come from; used in place of `remote`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned: Option<String>,
    /// Where its RTCP was learned to come from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learned_rtcp: Option<String>,
    /// What became of ICE last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ice: Option<String>,
    /// The suite of what we receive.
    pub suite_in: Option<String>,
    /// The suite of what we send.
    pub suite_out: Option<String>,
    /// Which sources are listened to, in words; absent where nothing was said of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<String>,
    /// How much the peer may send; absent where it is not policed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rates: Option<Rates>,
    /// The DiffServ code point of what is sent.
    #[serde(default)]
    pub dscp: u8,
    /// What is sent carries the code point with which it came, where that is known.
    #[serde(default)]
    pub dscp_copied: bool,
    /// Whether the other side of the context has this stream too.
    pub joined: bool,
    /// What became of its connection last: `established`, `released`, or `failed: ` and why; absent where nothing has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// What became of its TLS or DTLS session last, in the same words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Its connection as it is now; only in `/contexts/ID`, and of TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<Tcp>,
    /// What it has carried; only in `/contexts/ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counters: Option<Counters>,
}

/// A connection as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tcp {
    /// `idle`, `listening`, `connecting`, `handshaking`, `awaiting_fingerprint`, `up`, `closing` or `over`.
    pub state: String,
    /// Who is at the other end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// How many have connected and not shown who they are.
    pub unproven: u8,
    /// Bytes that came from the peer and wait for the other side.
    pub waiting_in_bytes: usize,
    /// Bytes that wait for the peer to take them.
    pub waiting_out_bytes: usize,
    /// Its TLS session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// A TLS session as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// Ours: `client` or `server`.
    pub role: String,
    /// `1.2` or `1.3`, once it is agreed on.
    pub version: Option<String>,
    /// The cipher suite by its registered name.
    pub suite: Option<String>,
    /// What showed that the peer is who it should be: the hash function of the fingerprint that its certificate has, or `key`; absent until then.
    pub proven_by: Option<String>,
}

/// What a peer may send, in octets of IP packets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rates {
    /// The mean rate per second.
    pub sustained: Option<u32>,
    /// What may come at once on top.
    pub burst: Option<u32>,
    /// The peak rate per second.
    pub peak: Option<u32>,
    /// How much too early a packet may be for that, in tenths of microseconds.
    pub tolerance: Option<u32>,
    /// RTCP's rate per second.
    pub rtcp: u32,
}

/// What a stream has carried since it was added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Counters {
    /// Milliseconds since it was added.
    pub duration_ms: u64,
    /// RTP packets accepted from the peer.
    pub packets_received: u64,
    /// RTP packets sent to the peer.
    pub packets_sent: u64,
    /// UDP payload accepted from the peer.
    pub octets_received: u64,
    /// UDP payload sent to the peer.
    pub octets_sent: u64,
    /// Of the packets that the peer numbered, those that never came, in per cent.
    pub loss_percent: f64,
    /// Interarrival jitter (RFC 3550).
    pub jitter_ms: f64,
    /// Half the RTCP round trip, 0 when unknown.
    pub delay_ms: f64,
    /// Packets that source filter, gate and rates kept out.
    pub discarded: u64,
    /// Those of them that exceeded the rates.
    #[serde(default)]
    pub policed: u64,
    /// Milliseconds since something last came from the peer, true to about a second; absent when nothing has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_in_ms: Option<u64>,
    /// Milliseconds since something last went to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle_out_ms: Option<u64>,
}

/// One of `/workers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worker {
    /// Its number.
    pub worker: usize,
    /// The core it is pinned to.
    pub core: Option<usize>,
    /// Flows it runs.
    pub flows: u64,
    /// Share of its time spent on work, over the last ten seconds.
    pub busy_ratio: f64,
    /// Packets since the start.
    pub packets: Packets,
}

/// One of `/drops`; only reasons that have happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drops {
    /// `access` or `core`.
    pub leg: String,
    /// Why.
    pub reason: String,
    /// How many packets.
    pub packets: u64,
}

/// `POST /drain` and `POST /drain/cancel`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Draining {
    /// Whether no new calls are taken.
    pub draining: bool,
    /// Contexts that are waited for.
    pub contexts: usize,
    /// Seconds until the process ends whatever is left.
    pub deadline_s: u64,
}

/// `/iq/trace`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TracePage {
    /// What to ask for next (`?after=`).
    pub next: u64,
    /// Messages, the oldest first.
    pub messages: Vec<Traced>,
}

/// One Iq message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Traced {
    /// Grows by one a message.
    pub number: u64,
    /// Milliseconds since 1970, UTC.
    pub time_ms: u64,
    /// `received` or `sent`.
    pub direction: String,
    /// As `udp:ADDRESS:PORT`.
    pub peer: String,
    /// The text, keys blanked.
    pub text: String,
}

/// What a refused request says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    /// In words.
    pub error: String,
}
