//! A browser as far as the gateway sees it: a full ICE agent that checks and nominates, an end of DTLS-SRTP, and media. It is made of the same
//! leaves as the gateway; real browsers are tried elsewhere.

use agw_core::io::sim::{Endpoint, SimNet};
use agw_core::model::{Fingerprint, HashFunction, IceCredential, TlsFailure};
use agw_core::wire::demux::{Protocol, protocol_of};
use agw_core::wire::stun::{IntegrityKey, Message, MessageType, Writer, attribute};
use agw_dtls::{MAX_OUTPUT_BYTES, Profile, Session, Settings, Step};
use agw_srtp::{InboundSession, OutboundSession, Policy};
use agw_tls::{Identity, Role};
use std::net::SocketAddr;

/// What the browser calls itself in ICE.
pub(crate) const UFRAG: &str = "brow";

pub(crate) struct Browser {
    pub(crate) endpoint: Endpoint,
    pub(crate) identity: Identity,
    profile: Profile,
    pub(crate) gateway: SocketAddr,
    pub(crate) session: Option<Session>,
    keys: Option<(InboundSession, OutboundSession)>,
    pub(crate) failure: Option<TlsFailure>,
    /// Answers to checks that succeeded, and that did not.
    pub(crate) checked: [usize; 2],
    /// RTP and RTCP that came, in plain form.
    pub(crate) received: Vec<Vec<u8>>,
    /// Media that came and could not be opened.
    pub(crate) unopened: usize,
    /// All datagrams of DTLS that it has sent.
    pub(crate) flights: Vec<Vec<u8>>,
    /// How often a handshake was completed.
    pub(crate) established: usize,
    ssrc: u32,
    sequence: u16,
    transaction: u32,
}

impl Browser {
    pub(crate) fn new(net: &SimNet, address: SocketAddr, settings: Settings) -> Self {
        Self {
            endpoint: net.endpoint(address),
            identity: Identity::generate().unwrap(),
            profile: Profile::new(settings).unwrap(),
            gateway: address,
            session: None,
            keys: None,
            failure: None,
            checked: [0; 2],
            received: Vec::new(),
            unopened: 0,
            flights: Vec::new(),
            established: 0,
            ssrc: 0xb0b0_0001,
            sequence: 100,
            transaction: 0,
        }
    }

    pub(crate) fn credential() -> IceCredential {
        IceCredential::new(UFRAG, "abrowserspassword+/12345").unwrap()
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.identity.fingerprint(HashFunction::Sha256)
    }

    /// Begins a handshake, or waits for one.
    pub(crate) fn shake(&mut self, role: Role, gateway: &[Fingerprint], now_us: u64) {
        let mut session = Session::new(&self.profile, role, &self.identity, now_us).unwrap();
        session.expect(gateway);
        self.session = Some(session);
    }

    /// Sends a connectivity check.
    pub(crate) fn check(&mut self, gateway: &IceCredential, nominate: bool) {
        let bytes = self.check_of(UFRAG, gateway, nominate);
        self.endpoint.send(self.gateway, &bytes);
    }

    /// A check as somebody who calls himself `ufrag` would send it.
    pub(crate) fn check_of(&mut self, ufrag: &str, gateway: &IceCredential, nominate: bool) -> Vec<u8> {
        self.transaction += 1;
        let mut transaction = [0; 12];
        transaction[..4].copy_from_slice(&self.transaction.to_be_bytes());
        let mut buffer = [0; 256];
        let mut writer = Writer::new(&mut buffer, MessageType::BindingRequest, transaction);
        writer.attribute(attribute::USERNAME, format!("{}:{ufrag}", gateway.ufrag()).as_bytes());
        writer.attribute(attribute::PRIORITY, &[0x6e, 0, 1, 255]);
        writer.attribute(attribute::ICE_CONTROLLING, &[7; 8]);
        if nominate {
            writer.attribute(attribute::USE_CANDIDATE, &[]);
        }
        writer.integrity(&IntegrityKey::new(gateway.password()));
        let len = writer.finish().unwrap();
        buffer[..len].to_vec()
    }

    /// Moves to another address.
    pub(crate) fn move_to(&mut self, net: &SimNet, address: SocketAddr) {
        self.endpoint = net.endpoint(address);
    }

    /// A packet of RTP that it would send now, in plain form; the next one is another.
    pub(crate) fn rtp(&mut self) -> Vec<u8> {
        self.sequence += 1;
        let mut packet = vec![0x80, 0];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(u32::from(self.sequence).wrapping_mul(160).to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend((0..40).map(|octet| octet ^ self.sequence as u8));
        packet
    }

    /// Protects a packet with the keys that it has.
    pub(crate) fn protect(&mut self, plain: &[u8]) -> Vec<u8> {
        let (_, outbound) = self.keys.as_mut().expect("keys");
        let mut buffer = vec![0; plain.len() + 64];
        buffer[..plain.len()].copy_from_slice(plain);
        let len = match protocol_of(plain) {
            Protocol::Rtcp => outbound.protect_rtcp(&mut buffer, plain.len(), 0).unwrap(),
            _ => outbound.protect_rtp(&mut buffer, plain.len(), 0).unwrap(),
        };
        buffer.truncate(len);
        buffer
    }

    pub(crate) fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    /// Takes all that has come, and lets time pass.
    pub(crate) fn step(&mut self, now_us: u64) {
        while let Some((_, mut bytes)) = self.endpoint.receive() {
            match protocol_of(&bytes) {
                Protocol::Stun => {
                    let kind = Message::parse(&bytes).unwrap().message_type();
                    self.checked[usize::from(kind != MessageType::BindingSuccess)] += 1;
                }
                Protocol::Dtls => {
                    if let Some(session) = &mut self.session {
                        session.handle_datagram(&bytes, now_us);
                        self.drain();
                    }
                }
                kind => {
                    let len = bytes.len();
                    let opened = self.keys.as_mut().and_then(|(inbound, _)| match kind {
                        Protocol::Rtcp => inbound.unprotect_rtcp(&mut bytes, len, 0).ok(),
                        _ => inbound.unprotect_rtp(&mut bytes, len, 0).ok(),
                    });
                    match opened {
                        Some(len) => self.received.push(bytes[..len].to_vec()),
                        None => self.unopened += 1,
                    }
                }
            }
        }
        if let Some(session) = &mut self.session {
            session.handle_timeout(now_us);
            self.drain();
        }
    }

    fn drain(&mut self) {
        let mut buffer = [0; MAX_OUTPUT_BYTES];
        let Some(session) = &mut self.session else { return };
        loop {
            match session.poll(&mut buffer) {
                Step::Datagram(datagram) => {
                    self.endpoint.send(self.gateway, datagram);
                    self.flights.push(datagram.to_vec());
                }
                Step::Established(keys) => {
                    let policy = Policy::default();
                    self.keys = Some((keys.inbound(&policy).unwrap(), keys.outbound(&policy).unwrap()));
                    self.established += 1;
                }
                Step::Failed(failure) => self.failure = Some(failure),
                Step::Data(_) | Step::Closed => {}
                Step::Idle { .. } => return,
            }
        }
    }
}
