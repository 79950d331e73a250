//! agw-srtp in the table: whole sessions with parsing, rollover counter, replay window and lifetime, one packet at a time.

use crate::candidate::Candidate;
use agw_srtp::sdes::CryptoAttribute;
use agw_srtp::{InboundSession, MasterKey, OutboundSession, Policy, Suite};
use benches::packet::Packet;

/// A sender and the receiver that it talks to.
pub(crate) struct Ours {
    outbound: OutboundSession,
    inbound: InboundSession,
    number: u64,
}

impl Ours {
    /// Keyed with a fixed master key; `None` never happens for a suite that exists.
    pub(crate) fn new(suite: Suite) -> Option<Self> {
        let key = [0x42; 32];
        let key =
            MasterKey::new(suite, &key[..suite.master_key_len()], &key[..suite.master_salt_len()]).ok()?;
        let attribute = CryptoAttribute::new(1, suite, vec![key]).ok()?;
        let policy = Policy::default();
        let outbound = OutboundSession::new(&attribute, &policy).ok()?;
        let inbound = InboundSession::new(&attribute, &policy).ok()?;
        Some(Self { outbound, inbound, number: 0 })
    }
}

impl Candidate for Ours {
    fn name(&self) -> &'static str {
        "agw-srtp"
    }

    fn write(&mut self, packet: &mut Packet, bytes: usize) {
        packet.write_rtp(self.number, bytes);
        self.number += 1;
    }

    fn protect(&mut self, packets: &mut [Packet]) {
        for packet in packets {
            packet.len = self
                .outbound
                .protect_rtp(&mut packet.bytes[..], packet.len, 0)
                .expect("a rising sequence number is never refused");
        }
    }

    fn unprotect(&mut self, packets: &mut [Packet]) {
        for packet in packets {
            packet.len = self
                .inbound
                .unprotect_rtp(&mut packet.bytes[..], packet.len, 0)
                .expect("what was protected verifies");
        }
    }
}
