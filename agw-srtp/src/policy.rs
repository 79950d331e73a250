//! What the operator allows and how large the tables are: the part of a session that no peer can choose.
//!
//! The `a=crypto` attribute is the peer's wish, the policy is ours; a session exists only where both agree
//! (SRTP-4, SRTP-5). Every size has a named limit, because each one is memory per call.

use thiserror::Error;

/// The smallest replay window that RFC 3711 section 3.3.2 allows, in packets.
pub const MIN_WINDOW_PACKETS: u32 = 64;
/// The largest replay window, in packets: 1 KiB per SSRC.
pub const MAX_WINDOW_PACKETS: u32 = 8192;
/// The most SSRCs that one session can be told to hold.
pub const MAX_STREAMS: usize = 64;

/// What a session accepts and how much it remembers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Replay window for RTP, in packets; a larger `WSH` in the attribute widens it up to [`MAX_WINDOW_PACKETS`]. Default 256.
    pub rtp_window_packets: u32,
    /// Replay window for RTCP, in packets. Default 64.
    pub rtcp_window_packets: u32,
    /// SSRCs per session, 1 to [`MAX_STREAMS`]. A full table refuses, it never evicts (SRTP-13). Default 8.
    pub max_streams: usize,
    /// Whether `UNENCRYPTED_SRTP` and `UNENCRYPTED_SRTCP` are accepted (SRTP-5). Default no.
    pub allow_null: bool,
    /// Whether `UNAUTHENTICATED_SRTP` is accepted (SRTP-4). Default no.
    pub allow_unauthenticated: bool,
    /// Whether a peer may start its rollover counter again (SRTP-14). Default off.
    pub roc_restart: RocRestart,
    /// What an outbound session does with a sender that jumps back (SRTP-13). Default: renumber after 4 packets.
    pub outbound_jump: OutboundJump,
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            rtp_window_packets: 256,
            rtcp_window_packets: 64,
            max_streams: 8,
            allow_null: false,
            allow_unauthenticated: false,
            roc_restart: RocRestart::Off,
            outbound_jump: OutboundJump::Renumber { after_packets: 4 },
        }
    }
}

/// Whether an inbound stream may fall back to ROC 0 (SRTP-14).
///
/// The risk that remains when guarded: who recorded the packets of ROC 0 can play them again once the real
/// sender has been silent for `quiet_ms`. That is why it is off by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RocRestart {
    /// Never: a peer that restarts is not understood until it is given a new key.
    Off,
    /// After `failures` packets that failed at the expected ROC, and no valid packet for `quiet_ms`, ROC 0 is
    /// tried as well; after `successes` consecutive new packets that verify there, the stream goes on from there.
    Guarded {
        /// Failures at the expected ROC before ROC 0 is tried.
        failures: u8,
        /// Consecutive successes at ROC 0 before it is believed.
        successes: u8,
        /// How long no packet may have been valid at the old ROC, in milliseconds.
        quiet_ms: u64,
    },
}

impl RocRestart {
    /// The guard with its usual numbers: 8 failures, 4 successes, 2 seconds of silence.
    pub const GUARDED: RocRestart = RocRestart::Guarded { failures: 8, successes: 4, quiet_ms: 2000 };
}

/// What happens to packets of an outbound stream that lie behind what was already sent (SRTP-13).
///
/// A packet inside the window that was not sent yet is merely late and passes in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutboundJump {
    /// Every old packet is refused.
    Refuse,
    /// After that many old packets in a row, each newer than the one before it, the sender is taken to have
    /// restarted: its sequence numbers are shifted by an offset so that the index goes on growing. A run of
    /// packets that look like duplicates inside the window must be four times as long.
    Renumber {
        /// Length of the run, at least 2.
        after_packets: u8,
    },
}

/// Why a session could not be made. The configuration or the controller is at fault, never a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    /// The attribute asks for null encryption and the policy forbids it (SRTP-5).
    #[error("null encryption is not allowed by policy")]
    NullEncryption,
    /// The attribute asks for unauthenticated SRTP and the policy forbids it (SRTP-4).
    #[error("unauthenticated SRTP is not allowed by policy")]
    Unauthenticated,
    /// A window outside 64 to 8192 packets.
    #[error("replay window must be {MIN_WINDOW_PACKETS} to {MAX_WINDOW_PACKETS} packets")]
    Window,
    /// A stream table outside 1 to 64 entries.
    #[error("streams per session must be 1 to {MAX_STREAMS}")]
    Streams,
    /// A guard or renumbering run of no length.
    #[error("restart guards need at least 1 failure, 1 success and a run of 2 packets")]
    Guard,
}

impl Policy {
    /// Whether the numbers are inside their limits, whatever the attribute says; for checking a configuration.
    pub fn validate(&self) -> Result<(), PolicyError> {
        let window = MIN_WINDOW_PACKETS..=MAX_WINDOW_PACKETS;
        if !window.contains(&self.rtp_window_packets) || !window.contains(&self.rtcp_window_packets) {
            return Err(PolicyError::Window);
        }
        if !(1..=MAX_STREAMS).contains(&self.max_streams) {
            return Err(PolicyError::Streams);
        }
        let guard_is_empty = matches!(
            self.roc_restart,
            RocRestart::Guarded { failures: 0, .. } | RocRestart::Guarded { successes: 0, .. }
        );
        let run_is_empty = matches!(self.outbound_jump, OutboundJump::Renumber { after_packets: 0..2 });
        if guard_is_empty || run_is_empty { Err(PolicyError::Guard) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_valid_and_strict() {
        let policy = Policy::default();
        assert_eq!(policy.validate(), Ok(()));
        assert!(!policy.allow_null && !policy.allow_unauthenticated);
        assert_eq!(policy.roc_restart, RocRestart::Off);
    }

    #[test]
    fn sizes_outside_their_limits_are_refused() {
        let with = |change: fn(&mut Policy)| {
            let mut policy = Policy::default();
            change(&mut policy);
            policy.validate()
        };
        assert_eq!(with(|p| p.rtp_window_packets = 63), Err(PolicyError::Window));
        assert_eq!(with(|p| p.rtcp_window_packets = 8193), Err(PolicyError::Window));
        assert_eq!(with(|p| p.max_streams = 0), Err(PolicyError::Streams));
        assert_eq!(with(|p| p.max_streams = 65), Err(PolicyError::Streams));
        assert_eq!(
            with(|p| p.outbound_jump = OutboundJump::Renumber { after_packets: 1 }),
            Err(PolicyError::Guard)
        );
    }
}
