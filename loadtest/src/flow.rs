//! One call in one way: what its sender puts on the wire and what its receiver accepts.
//!
//! Both ends are ours, so a flow knows every bit that has to come out of the gateway: the RTP header and the payload as they went in, at the
//! socket that was signalled and from the gateway's port that was signalled. On the access side the packet is SRTP: protected before it is
//! sent, or unprotected before it is judged.

use crate::payload::{STAMP_BYTES, Stamp, Way, fill};
use crate::rtp::{HEADER_BYTES, HeaderTemplate};
use crate::tally::{Arrival, Tally};
use agw_srtp::{CryptoAttribute, Error, InboundSession, OutboundSession, Policy, PolicyError};
use std::net::SocketAddr;

/// The longest packet that is sent or looked at.
pub(crate) const MAX_PACKET_BYTES: usize = 1500;

/// What a packet that arrived was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judgement {
    /// As it was sent; it was sent at that time.
    Intact(Arrival, u64),
    /// SRTP's own replay check knew it already, so nobody looked inside.
    Again(Arrival),
    /// Changed on the way.
    Corrupt,
    /// Intact, but not where or whence it should have come.
    Misdirected,
}

/// What a flow is made of.
pub(crate) struct FlowPlan {
    pub(crate) call: u32,
    pub(crate) way: Way,
    pub(crate) ssrc: u32,
    pub(crate) payload_type: u8,
    /// The socket that sends, as an index into the thread's endpoints.
    pub(crate) sender: usize,
    /// The gateway's port that it sends to.
    pub(crate) to: SocketAddr,
    /// The socket at which the packets must come out.
    pub(crate) receiver: usize,
    /// The gateway's port from which they must come.
    pub(crate) from: SocketAddr,
    /// The key of the access side that this way uses: protected with when it leads to the core, unprotected with when it comes from there.
    pub(crate) key: Option<CryptoAttribute>,
}

/// The SRTP side of a flow.
enum Security {
    None,
    Protect(Box<OutboundSession>),
    Unprotect(Box<InboundSession>),
}

impl Security {
    fn new(plan: &FlowPlan) -> Result<Self, PolicyError> {
        let policy = Policy { max_streams: 1, rtp_window_packets: 1024, ..Policy::default() };
        Ok(match (&plan.key, plan.way) {
            (None, _) => Self::None,
            (Some(key), Way::ToCore) => Self::Protect(Box::new(OutboundSession::new(key, &policy)?)),
            (Some(key), Way::ToAccess) => Self::Unprotect(Box::new(InboundSession::new(key, &policy)?)),
        })
    }
}

pub(crate) struct Flow {
    plan: FlowPlan,
    security: Security,
    header: HeaderTemplate,
    /// Number of the next packet.
    next: u64,
    tally: Tally,
}

impl Flow {
    pub(crate) fn new(mut plan: FlowPlan) -> Result<Self, PolicyError> {
        // Below 2^15, so that losing the first packets cannot confuse the receiver's rollover counter (RFC 3711 section 3.3.1).
        let first_sequence = (plan.call.wrapping_mul(7919) & 0x7fff) as u16;
        let header = HeaderTemplate { ssrc: plan.ssrc, payload_type: plan.payload_type, first_sequence };
        let security = Security::new(&plan)?;
        // The session has what it needs; the key goes.
        plan.key = None;
        Ok(Self { plan, security, header, next: 0, tally: Tally::from(0) })
    }

    pub(crate) fn sender(&self) -> usize {
        self.plan.sender
    }

    pub(crate) fn to(&self) -> SocketAddr {
        self.plan.to
    }

    /// What was sent so far belongs to an earlier run.
    pub(crate) fn begin_run(&mut self) {
        self.tally = Tally::from(self.next);
    }

    /// Writes the next packet, with `payload_bytes` of payload, into `packet`; says how long it is, 0 if it does not fit or its key is
    /// used up.
    pub(crate) fn write_next(
        &mut self,
        packet: &mut [u8],
        payload_bytes: usize,
        now_ns: u64,
        filling: &Filling,
    ) -> usize {
        let number = self.next;
        self.next += 1;
        let end = HEADER_BYTES + payload_bytes;
        let Some((header, payload)) = packet.get_mut(..end).and_then(|packet| packet.split_first_chunk_mut())
        else {
            return 0;
        };
        *header = self.header.header(number);
        filling.copy_to(self.plan.call, payload);
        let stamp = Stamp { call: self.plan.call, way: self.plan.way, sequence: number, sent_ns: now_ns };
        if !stamp.seal(payload) {
            return 0;
        }
        match &mut self.security {
            Security::Protect(session) => session.protect_rtp(packet, end, now_ns / 1_000_000).unwrap_or(0),
            Security::None | Security::Unprotect(_) => end,
        }
    }

    /// Judges a packet with this flow's SSRC that came to socket `receiver` from `from`.
    pub(crate) fn judge(
        &mut self,
        packet: &mut [u8],
        receiver: usize,
        from: SocketAddr,
        now_ns: u64,
    ) -> Judgement {
        let length = match &mut self.security {
            Security::Unprotect(session) => {
                match session.unprotect_rtp(packet, packet.len(), now_ns / 1_000_000) {
                    Ok(length) => length,
                    Err(Error::Replayed) => return Judgement::Again(Arrival::Duplicate),
                    Err(Error::TooOld) => return Judgement::Again(Arrival::Stale),
                    Err(_) => return Judgement::Corrupt,
                }
            }
            Security::None | Security::Protect(_) => packet.len(),
        };
        let packet = packet.get(..length).unwrap_or_default();
        let Some((header, payload)) = packet.split_first_chunk::<HEADER_BYTES>() else {
            return Judgement::Corrupt;
        };
        let Some(stamp) = Stamp::open(payload) else { return Judgement::Corrupt };
        let is_ours = (stamp.call, stamp.way) == (self.plan.call, self.plan.way);
        if !is_ours || receiver != self.plan.receiver || from != self.plan.from {
            return Judgement::Misdirected;
        }
        if *header != self.header.header(stamp.sequence) || stamp.sequence >= self.next {
            return Judgement::Corrupt;
        }
        Judgement::Intact(self.tally.arrive(stamp.sequence), stamp.sent_ns)
    }
}

/// Bytes that payloads are filled with: made once, a different piece for every call.
pub(crate) struct Filling(Box<[u8]>);

/// How many different fillings there are.
const FILLINGS: usize = 256;

impl Filling {
    pub(crate) fn new() -> Self {
        let mut bytes = vec![0; MAX_PACKET_BYTES + FILLINGS];
        fill(&mut bytes, 0x1a96);
        Self(bytes.into())
    }

    fn copy_to(&self, call: u32, payload: &mut [u8]) {
        let start = call as usize % FILLINGS;
        let Some(behind_stamp) = payload.get_mut(STAMP_BYTES..) else { return };
        if let Some(bytes) = self.0.get(start..start + behind_stamp.len()) {
            behind_stamp.copy_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::CallKeys;
    use agw_srtp::Suite;

    const GATEWAY: ([u8; 4], u16) = ([127, 0, 0, 1], 30_000);

    fn flow(call: u32) -> Flow {
        keyed_flow(call, Way::ToCore, None)
    }

    fn keyed_flow(call: u32, way: Way, key: Option<CryptoAttribute>) -> Flow {
        Flow::new(FlowPlan {
            call,
            way,
            key,
            ssrc: 77,
            payload_type: 8,
            sender: 0,
            to: ([127, 0, 0, 1], 30_010).into(),
            receiver: 3,
            from: GATEWAY.into(),
        })
        .unwrap()
    }

    fn send(flow: &mut Flow) -> Vec<u8> {
        let mut packet = vec![0; MAX_PACKET_BYTES];
        let length = flow.write_next(&mut packet, 160, 5, &Filling::new());
        assert_eq!(length, 172);
        packet.truncate(length);
        packet
    }

    #[test]
    fn a_packet_that_comes_out_as_it_went_in_is_intact_and_the_second_time_a_duplicate() {
        let mut flow = flow(1);
        let mut packet = send(&mut flow);
        assert_eq!(flow.judge(&mut packet, 3, GATEWAY.into(), 0), Judgement::Intact(Arrival::InOrder, 5));
        assert_eq!(flow.judge(&mut packet, 3, GATEWAY.into(), 0), Judgement::Intact(Arrival::Duplicate, 5));
    }

    #[test]
    fn any_changed_bit_in_header_or_payload_is_corrupt() {
        for bit in 0..172 * 8 {
            let mut flow = flow(1);
            let mut packet = send(&mut flow);
            packet[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(flow.judge(&mut packet, 3, GATEWAY.into(), 0), Judgement::Corrupt, "bit {bit}");
        }
    }

    #[test]
    fn a_wrong_socket_a_wrong_port_and_a_wrong_call_are_misdirected() {
        let mut flow = flow(1);
        let mut packet = send(&mut flow);
        assert_eq!(flow.judge(&mut packet, 2, GATEWAY.into(), 0), Judgement::Misdirected);
        assert_eq!(flow.judge(&mut packet, 3, ([127, 0, 0, 1], 30_001).into(), 0), Judgement::Misdirected);
        let mut other = send(&mut self::flow(2));
        assert_eq!(flow.judge(&mut other, 3, GATEWAY.into(), 0), Judgement::Misdirected);
    }

    #[test]
    fn what_was_never_sent_is_corrupt() {
        let mut ahead = flow(1);
        send(&mut ahead);
        let mut packet = send(&mut ahead);
        assert_eq!(flow(1).judge(&mut packet, 3, GATEWAY.into(), 0), Judgement::Corrupt);
    }

    #[test]
    fn a_packet_of_an_earlier_run_is_stale() {
        let mut flow = flow(1);
        let mut packet = send(&mut flow);
        flow.begin_run();
        assert_eq!(flow.judge(&mut packet, 3, GATEWAY.into(), 0), Judgement::Intact(Arrival::Stale, 5));
    }

    fn key() -> CryptoAttribute {
        CallKeys::random(Suite::AesCm128HmacSha1_80).unwrap().to_gateway
    }

    #[test]
    fn towards_the_core_it_protects_and_expects_plain_packets_back() {
        let key = key();
        let mut flow = keyed_flow(1, Way::ToCore, Some(key.clone()));
        let mut packet = vec![0; MAX_PACKET_BYTES];
        let length = flow.write_next(&mut packet, 160, 5, &Filling::new());
        assert_eq!(length, 182);
        assert_eq!(flow.judge(&mut packet.clone()[..length], 3, GATEWAY.into(), 0), Judgement::Corrupt);
        let mut gateway = InboundSession::new(&key, &Policy::default()).unwrap();
        let length = gateway.unprotect_rtp(&mut packet, length, 0).unwrap();
        let judgement = flow.judge(&mut packet[..length], 3, GATEWAY.into(), 0);
        assert_eq!(judgement, Judgement::Intact(Arrival::InOrder, 5));
    }

    #[test]
    fn towards_the_access_side_it_takes_only_what_the_gateway_protected_and_only_once() {
        let key = key();
        let mut flow = keyed_flow(1, Way::ToAccess, Some(key.clone()));
        let mut packet = vec![0; MAX_PACKET_BYTES];
        let length = flow.write_next(&mut packet, 160, 5, &Filling::new());
        assert_eq!(length, 172, "the core end sends plain RTP");
        assert_eq!(flow.judge(&mut packet.clone()[..length], 3, GATEWAY.into(), 0), Judgement::Corrupt);
        let mut gateway = OutboundSession::new(&key, &Policy::default()).unwrap();
        let length = gateway.protect_rtp(&mut packet, length, 0).unwrap();
        let mut again = packet.clone();
        let judgement = flow.judge(&mut packet[..length], 3, GATEWAY.into(), 0);
        assert_eq!(judgement, Judgement::Intact(Arrival::InOrder, 5));
        let judgement = flow.judge(&mut again[..length], 3, GATEWAY.into(), 0);
        assert_eq!(judgement, Judgement::Again(Arrival::Duplicate));
    }
}
