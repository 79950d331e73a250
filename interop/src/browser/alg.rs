//! An IMS-ALG for phones of WebRTC: it turns their offer into H.248 text by hand, and what the gateway gave into the answer. The core side of each
//! medium is plain RTP. Media have a port each, or share one where the plan says so.

use super::description::{Codec, Description, Medium};
use crate::controller::{Controller, after, has_error};
use std::fmt::Write as _;
use std::net::SocketAddr;

/// Events of the access termination.
const EVENTS: &str = "Events = 9 { ostuncc/ccr, ostuncc/nprc, stnconfres/conff, tlsbsc/BNCChange, g/cause }";
/// Whoever sends media at the core side does so from a port that it chooses.
const ANY_CORE_SOURCE: &str = ", gm/saf = ON, gm/sam = \"127.0.0.0/8\", gm/spf = ON, gm/spr = \"1024-65535\"";

const FINGERPRINT: &str = "a=fingerprint:";

/// Who begins the handshake of DTLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DtlsClient {
    /// The phone, which is what browsers prefer.
    Phone,
    /// The gateway, told so by a signal (DTLS-2).
    Gateway,
}

/// Whether media of the phone share a port, and what then tells them apart (RFC 8843).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bundle {
    /// Each has its own.
    None,
    /// Packets carry the name of their medium. Chromium takes none without it then, so that the gateway has to write it.
    ByName,
    /// Sources and numbers of codecs.
    ByFormat,
}

/// What the controller wants of a call.
#[derive(Debug, Clone)]
pub struct Plan<'a> {
    /// Names of the codecs, for each kind of media.
    pub codecs: &'a [(&'a str, &'a str)],
    /// Who begins the handshake.
    pub client: DtlsClient,
    /// Where the core side takes the media, in the order of the offer.
    pub core: &'a [SocketAddr],
    /// How the core side numbers the codecs, in the same order; nothing: as the phone does.
    pub core_numbers: &'a [u8],
    /// Whether all media of the phone share a port.
    pub bundle: Bundle,
    /// The controller tells the gateway another fingerprint than the phone's.
    pub spoil_theirs: bool,
    /// The controller tells the phone another fingerprint than the gateway's.
    pub spoil_ours: bool,
}

/// What the gateway has for one medium.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Where the phone's media go.
    pub access: SocketAddr,
    /// Where the core's media go.
    pub core: SocketAddr,
    /// The codec, as the phone numbers it.
    pub codec: Codec,
    /// The same, as the core side numbers it.
    pub core_codec: Codec,
    /// The source of what the phone sends, as it has signalled it (`a=ssrc`).
    pub source: Option<u32>,
    /// Of the access side's Local: ICE, fingerprint, candidates, as they were given.
    told: Vec<String>,
}

impl Given {
    /// The gateway's `a=ice-ufrag`, as it was given last.
    ///
    /// # Panics
    /// When it gave none.
    pub fn fragment(&self) -> &str {
        let line = self.told.iter().find_map(|line| line.strip_prefix("a=ice-ufrag:"));
        line.expect("the gateway has a credential of ICE")
    }

    /// Ports and a codec, without what secures them.
    #[cfg(test)]
    pub(crate) fn at(access: SocketAddr, core: SocketAddr, codec: Codec) -> Self {
        Self { access, core, core_codec: codec.clone(), codec, source: None, told: vec![] }
    }
}

/// A call that has been set up at the gateway.
#[derive(Debug)]
pub struct BrowserCall {
    /// Who commands it.
    pub controller: Controller,
    /// The number of the context.
    pub context: String,
    /// The TerminationIDs, access first.
    pub terminations: [String; 2],
    /// What the gateway has, medium by medium.
    pub given: Vec<Given>,
    offer: Description,
    client: DtlsClient,
    bundle: Bundle,
    spoil: [bool; 2],
}

impl BrowserCall {
    /// Sets a call up for the phone with this offer.
    ///
    /// # Panics
    /// When the gateway does not do it: with its reply.
    pub fn set_up(iq: SocketAddr, offer: &str, plan: &Plan<'_>) -> Self {
        let offer = Description::parse(offer);
        let codecs: Vec<Codec> = offer.media.iter().map(|medium| choose(medium, plan.codecs)).collect();
        let mut call = Self {
            controller: Controller::new(iq),
            context: String::new(),
            terminations: Default::default(),
            given: vec![],
            offer,
            client: plan.client,
            bundle: plan.bundle,
            spoil: [plan.spoil_theirs, plan.spoil_ours],
        };
        let access = call.access_streams(&codecs);
        let core_codecs: Vec<Codec> = codecs
            .iter()
            .enumerate()
            .map(|(place, codec)| {
                let payload_type = plan.core_numbers.get(place).copied().unwrap_or(codec.payload_type);
                Codec { payload_type, ..codec.clone() }
            })
            .collect();
        let media = call.offer.media.iter().zip(&core_codecs).zip(plan.core).enumerate();
        let core =
            media.map(|(place, ((medium, codec), at))| core_stream(place + 1, &medium.kind, codec, *at));
        let signals = if plan.client == DtlsClient::Gateway { ", Signals { tlsbsc/EstBNC }" } else { "" };
        let reply = call.controller.ask(&format!(
            "Context = $ {{ Add = ip/1/access/$ {{ Media {{ {access} }}, {EVENTS}{signals} }},\n\
             Add = ip/1/core/$ {{ Media {{ {} }} }} }}",
            core.collect::<Vec<_>>().join(",\n")
        ));
        assert!(!has_error(&reply), "{reply}");
        call.context = after(&reply, "Context = ").next().expect("a reply has a context").to_owned();
        let names: Vec<String> = after(&reply, "Add = ").map(str::to_owned).collect();
        call.terminations = names.try_into().expect("two terminations");
        let sides: Vec<Description> = reply.split("Add = ").skip(1).map(Description::parse).collect();
        for (place, (codec, core_codec)) in codecs.into_iter().zip(core_codecs).enumerate() {
            let [access, core] = [0, 1].map(|side: usize| &sides[side].media[place]);
            let told = access.lines.iter().filter(|line| line.starts_with("a=")).cloned().collect();
            let (access, core) = (address(access), address(core));
            let source = call.offer.media[place].source();
            call.given.push(Given { access, core, codec, core_codec, source, told });
        }
        call
    }

    /// The phone has offered anew: its credentials go to the gateway, which gives new ones of its own (RFC 8839 section 4.4.1.1.1).
    ///
    /// # Panics
    /// When the gateway does not do it: with its reply.
    pub fn restart(&mut self, offer: &str) {
        self.offer = Description::parse(offer);
        let codecs: Vec<Codec> = self.given.iter().map(|given| given.codec.clone()).collect();
        let streams = self.access_streams(&codecs);
        let (context, access) = (&self.context, &self.terminations[0]);
        let reply = self
            .controller
            .ask(&format!("Context = {context} {{ Modify = {access} {{ Media {{ {streams} }} }} }}"));
        assert!(!has_error(&reply), "{reply}");
        for (given, medium) in self.given.iter_mut().zip(Description::parse(&reply).media) {
            given.told = medium.lines.into_iter().filter(|line| line.starts_with("a=")).collect();
        }
    }

    /// The answer for the phone. Where `instead` has an address, it stands in place of the gateway's.
    pub fn answer(&self, instead: &[Option<SocketAddr>]) -> String {
        let group = self.group().replace('\n', "\r\n");
        let mut text = format!("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=ice-lite\r\n{group}");
        let setup = if self.client == DtlsClient::Phone { "passive" } else { "active" };
        for (place, (medium, given)) in self.offer.media.iter().zip(&self.given).enumerate() {
            let at = instead.get(place).copied().flatten().unwrap_or(given.access);
            let Codec { payload_type, encoding, parameters } = &given.codec;
            let (kind, ip, port) = (&medium.kind, at.ip(), at.port());
            let mut add = |line: String| write!(text, "{line}\r\n").expect("a String takes all");
            add(format!("m={kind} {port} UDP/TLS/RTP/SAVPF {payload_type}\r\nc=IN IP4 {ip}"));
            add(format!("a=mid:{}\r\na=sendrecv\r\na=rtcp-mux\r\na=setup:{setup}", medium.one("mid")));
            add(format!("a=rtpmap:{payload_type} {encoding}"));
            self.identification(medium).lines().skip(1).for_each(|line| add(line.to_owned()));
            parameters.iter().for_each(|value| add(format!("a=fmtp:{payload_type} {value}")));
            if kind == "video" {
                add(format!("a=rtcp-fb:{payload_type} nack pli"));
            }
            add(format!("a=candidate:1 1 udp 2130706431 {ip} {port} typ host"));
            for line in &given.told {
                if line.starts_with("a=ice-") && line != "a=ice-lite" {
                    add(line.clone());
                } else if let Some(value) = line.strip_prefix(FINGERPRINT) {
                    add(format!(
                        "a=fingerprint:{}",
                        if self.spoil[1] { spoilt(value) } else { value.to_owned() }
                    ));
                }
            }
        }
        text
    }

    /// Takes the call down; the reply has the statistics of both sides.
    ///
    /// # Panics
    /// When the gateway does not do it: with its reply.
    pub fn take_down(mut self) -> String {
        let [access, core] = &self.terminations;
        let audit = "{ Audit { Statistics } }";
        let action = format!(
            "Context = {} {{ Subtract = {access} {audit}, Subtract = {core} {audit} }}",
            self.context
        );
        let reply = self.controller.ask(&action);
        assert!(!has_error(&reply), "{reply}");
        reply
    }

    /// The Stream descriptors of the access side. A certificate is asked for once, and said again after that; new credentials of ICE are asked for always.
    fn access_streams(&self, codecs: &[Codec]) -> String {
        let (ours, theirs) = match self.client {
            DtlsClient::Phone => ("passive", "active"),
            DtlsClient::Gateway => ("active", "passive"),
        };
        let stream = |(place, (medium, codec)): (usize, (&Medium, &Codec))| {
            let (formats, kind, group) = (format(codec), &medium.kind, self.group());
            let identification = self.identification(medium);
            let head =
                format!("UDP/TLS/RTP/SAVPF {}\n{formats}a=rtcp-mux\n{identification}", codec.payload_type);
            let sources = medium.all("ssrc").into_iter().map(|value| format!("a=ssrc:{value}\n"));
            let sources = if self.bundle == Bundle::None { String::new() } else { sources.collect() };
            let own = self
                .given
                .get(place)
                .and_then(|given| given.told.iter().find(|line| line.starts_with(FINGERPRINT)));
            let fingerprint = own.map_or("a=fingerprint:SHA-256 $", String::as_str);
            let (digest, at, port) = (medium.one("fingerprint"), medium.address(), medium.port);
            let digest = if self.spoil[0] { spoilt(digest) } else { digest.to_owned() };
            let credential =
                format!("a=ice-ufrag:{}\na=ice-pwd:{}\n", medium.one("ice-ufrag"), medium.one("ice-pwd"));
            let candidates =
                medium.all("candidate").into_iter().map(|value| format!("a=candidate:{value}\n"));
            format!(
                "Stream = {} {{ LocalControl {{ Mode = SendReceive }},\n\
                 Local {{\nv=0\nc=IN IP4 $\na=ice-lite\n{group}m={kind} $ {head}a=setup:{ours}\n{fingerprint}\n\
                 a=ice-ufrag:$\na=ice-pwd:$\na=candidate:$\n}},\n\
                 Remote {{\nv=0\nc=IN IP4 {at}\n{group}m={kind} {port} {head}a=setup:{theirs}\na=fingerprint:{digest}\n\
                 {credential}{sources}{}}} }}",
                place + 1,
                candidates.collect::<String>()
            )
        };
        self.offer.media.iter().zip(codecs).enumerate().map(stream).collect::<Vec<_>>().join(",\n")
    }
}

impl BrowserCall {
    /// The line of the session that bundles all media, where they are.
    fn group(&self) -> String {
        let names = self.offer.media.iter().map(|medium| medium.one("mid"));
        let group = format!("a=group:BUNDLE {}\n", names.collect::<Vec<_>>().join(" "));
        if self.bundle == Bundle::None { String::new() } else { group }
    }

    /// The name of a medium and how packets carry it, where that is what tells them apart.
    fn identification(&self, medium: &Medium) -> String {
        let is_mid = |value: &&str| value.ends_with("urn:ietf:params:rtp-hdrext:sdes:mid");
        let extension = medium.all("extmap").into_iter().find(is_mid);
        let extension = extension.map(|value| format!("a=extmap:{value}\n")).unwrap_or_default();
        let mid = medium.one("mid");
        match self.bundle {
            Bundle::None => String::new(),
            Bundle::ByName => format!("a=mid:{mid}\n{extension}"),
            Bundle::ByFormat => format!("a=mid:{mid}\n"),
        }
    }
}

fn choose(medium: &Medium, codecs: &[(&str, &str)]) -> Codec {
    let wanted = codecs.iter().find(|(kind, _)| *kind == medium.kind);
    medium.codec(wanted.expect("a codec for each kind of media").1)
}

fn format(Codec { payload_type, encoding, parameters }: &Codec) -> String {
    let parameters = parameters.iter().map(|value| format!("a=fmtp:{payload_type} {value}\n"));
    format!("a=rtpmap:{payload_type} {encoding}\n{}", parameters.collect::<String>())
}

fn core_stream(stream: usize, kind: &str, codec: &Codec, at: SocketAddr) -> String {
    let (formats, number, ip, port) = (format(codec), codec.payload_type, at.ip(), at.port());
    format!(
        "Stream = {stream} {{ LocalControl {{ Mode = SendReceive{ANY_CORE_SOURCE} }},\n\
         Local {{\nv=0\nc=IN IP4 $\nm={kind} $ RTP/AVPF {number}\n{formats}}},\n\
         Remote {{\nv=0\nc=IN IP4 {ip}\nm={kind} {port} RTP/AVPF {number}\n{formats}}} }}"
    )
}

fn address(medium: &Medium) -> SocketAddr {
    SocketAddr::new(medium.address().trim().parse().expect("Local has an address"), medium.port)
}

/// A fingerprint whose first octet is another one.
fn spoilt(value: &str) -> String {
    let (hash, octets) = value.split_once(' ').expect("a fingerprint has a hash function");
    let first = if octets.starts_with("00") { "01" } else { "00" };
    format!("{hash} {first}{}", &octets[2..])
}
