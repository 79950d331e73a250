//! How a connection is, for those who look after the gateway.

use super::TcpFlow;
use super::line::{Line, Stage};
use crate::model::{ConnectionState, ConnectionStatus, Proof, SessionStatus};
use agw_tls::{Credentials, Fingerprint};

impl TcpFlow {
    /// How it is now.
    pub(super) fn status(&self) -> ConnectionStatus {
        // Of several that are not proven the one that has come farthest is shown.
        let farthest = self.lines.iter().max_by_key(|line| line.stage);
        let unproven = self.lines.iter().filter(|line| line.is_unproven()).count();
        let waits_for_peer = farthest.map_or(0, |line| line.wire.len());
        let unread = farthest.map_or(0, |line| line.unfed.len());
        ConnectionStatus {
            state: farthest.map_or_else(|| self.state_without_line(), state_of),
            peer: farthest.filter(|line| !line.is_unproven()).map(|line| line.from),
            unproven: unproven as u8,
            waiting_bytes: [unread + self.inbox.len(), self.plain.len() + waits_for_peer],
            session: farthest.and_then(|line| self.session(line)),
        }
    }

    const fn state_without_line(&self) -> ConnectionState {
        match (self.over, self.listening) {
            (true, _) => ConnectionState::Over,
            (false, true) => ConnectionState::Listening,
            (false, false) => ConnectionState::Idle,
        }
    }

    fn session(&self, line: &Line) -> Option<SessionStatus> {
        let engine = line.tls.as_ref()?;
        Some(SessionStatus {
            is_client: self.is_tls_client(),
            agreed: engine.description(),
            proof: if line.stage == Stage::Up { self.proof() } else { None },
        })
    }

    /// What of the plan proved the peer: [`judge`](agw_tls::judge) takes the strongest hash function that is allowed.
    fn proof(&self) -> Option<Proof> {
        let tls = self.plan.tls.as_deref()?;
        if matches!(tls.credentials, Some(Credentials::Psk(_))) {
            return Some(Proof::Key);
        }
        let hashes = tls.fingerprints.iter().map(Fingerprint::hash);
        hashes.filter(|hash| tls.hashes.contains(hash)).max().map(Proof::Fingerprint)
    }
}

fn state_of(line: &Line) -> ConnectionState {
    match line.stage {
        Stage::Connecting => ConnectionState::Connecting,
        Stage::Handshaking => ConnectionState::Handshaking,
        Stage::Waiting => ConnectionState::AwaitingFingerprint,
        Stage::Up if line.input_ended || line.output_ended => ConnectionState::Closing,
        Stage::Up => ConnectionState::Up,
    }
}
