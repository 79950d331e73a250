//! What workers have noticed, as events of packages: keys that end (SRTP-6), sources that were learned (H.248.37), media that stopped
//! (H.248.40), rates that were exceeded (H.248.53), connections and sessions that came up, ended or failed (H.248.89, H.248.90; TLS-3,
//! TCP-5), what came of connectivity checks and of consent (H.248.50; DTLS-5). Whether anybody wants to hear of it is asked in `listening`.

use super::connection::Cause;
use super::playing::{Ended, SignalKind};
use super::*;
use crate::package::{address, bearer, generic, ice, silence, srtp, traffic};
use agw_core::command::{Notice, Observation};
use agw_core::model::{Bearer, Component, Direction, IceEvent, StreamId};

impl Executor {
    /// A worker noticed something. Call [`Executor::take_notification`] afterwards.
    pub(crate) fn noticed(&mut self, now: Now, notice: &Notice, gateway: &mut dyn Gateway) {
        let (id, stream) = (notice.termination, notice.stream);
        let happened = match notice.what {
            Observation::KeyNearEnd(direction) => {
                self.key_worn(id, stream, direction, srtp::KeyState::NearEnd)
            }
            Observation::KeyEnded(direction) => self.key_worn(id, stream, direction, srtp::KeyState::Ended),
            Observation::Latched { component: Component::Rtp, source } => self.latched(id, stream, source),
            Observation::Latched { component: Component::Rtcp, .. } => Vec::new(),
            Observation::Activity(way, activity) => self.activity(id, (stream, way, activity)),
            Observation::Ice(event) => self.checked(id, stream, event),
            Observation::Policed => vec![traffic::policed(stream)],
            Observation::Connection(bearer) => self.bearer(id, stream, SignalKind::Connect, bearer),
            Observation::Session(bearer) => self.bearer(id, stream, SignalKind::Secure, bearer),
        };
        happened.into_iter().for_each(|event| self.occur(now, id, event, gateway));
    }

    /// `g/cause` speaks for `srtp/keyexpiry` where only that was asked for, and only of the end.
    fn key_worn(
        &self,
        id: model::TerminationId,
        stream: StreamId,
        direction: Direction,
        state: srtp::KeyState,
    ) -> Vec<EventSpec> {
        let Some(termination) = self.view.termination(id) else { return Vec::new() };
        let expiry = srtp::key_expiry(stream, direction, state);
        if termination.listening.wants(&expiry) || state == srtp::KeyState::NearEnd {
            return vec![expiry];
        }
        let side = if direction == Direction::Inbound { "Remote" } else { "Local" };
        let words = format!("SRTP key of {side} has reached its lifetime");
        vec![generic::cause(Some(stream), generic::GeneralCause::FailurePermanent, &words)]
    }

    /// `BNCChange` with the reason, or `g/cause` where only that was asked for; then the ends of the signals that waited for it.
    fn bearer(
        &mut self,
        id: model::TerminationId,
        stream: StreamId,
        kind: SignalKind,
        bearer: Bearer,
    ) -> Vec<EventSpec> {
        let Some(termination) = self.view.termination_mut(id) else { return Vec::new() };
        let Some(held) = termination.streams.get_mut(&stream.0) else { return Vec::new() };
        let cause = held.connection.get_or_insert_default().note(kind, bearer);
        let ended = termination.playing.bearer(stream.0, kind, bearer).into_iter().map(completion);
        let change = bearer::change(&kind.name().package, stream, bearer);
        let told = match cause {
            Some(cause) if !termination.listening.wants(&change) => cause_of(stream, cause),
            _ => change,
        };
        std::iter::once(told).chain(ended).collect()
    }

    /// The event of H.248.50, or `g/cause` where only that was asked for and something is wrong.
    fn checked(&self, id: model::TerminationId, stream: StreamId, event: IceEvent) -> Vec<EventSpec> {
        let Some(termination) = self.view.termination(id) else { return Vec::new() };
        let told = ice::event(stream, event);
        let words = match event {
            IceEvent::Failed => "no connectivity check authenticated in time",
            IceEvent::ConsentLost => "the peer's consent was not renewed in time",
            IceEvent::Selected(_) | IceEvent::PeerReflexive(_) => return vec![told],
        };
        if termination.listening.wants(&told) {
            return vec![told];
        }
        vec![generic::cause(Some(stream), generic::GeneralCause::FailureTemporary, words)]
    }

    fn latched(
        &mut self,
        id: model::TerminationId,
        stream: StreamId,
        source: std::net::SocketAddr,
    ) -> Vec<EventSpec> {
        let Some(termination) = self.view.termination_mut(id) else { return Vec::new() };
        let ended = termination.playing.latched(stream.0).map(completion);
        std::iter::once(address::source_changed(stream, source)).chain(ended).collect()
    }

    fn activity(
        &mut self,
        id: model::TerminationId,
        changed: (StreamId, model::Way, model::Activity),
    ) -> Vec<EventSpec> {
        let Some(termination) = self.view.termination_mut(id) else { return Vec::new() };
        let Some(active) = termination.listening.active() else { return Vec::new() };
        let streams = termination.streams.keys().copied();
        silence::observe(&active.events, streams, &mut termination.activities, changed)
    }
}

/// A signal has ended and somebody wants to hear of it.
pub(super) fn completion(ended: Ended) -> EventSpec {
    generic::completion(&ended.kind.name(), ended.stream, ended.ending)
}

/// The end of a connection or of TLS on it as `g/cause`.
fn cause_of(stream: StreamId, cause: Cause) -> EventSpec {
    let (general, words) = match cause {
        Cause::Released => (generic::GeneralCause::NormalRelease, "the connection was released".to_owned()),
        Cause::Failed(failure) => (bearer::general_cause(failure), failure.to_string()),
    };
    generic::cause(Some(stream), general, &words)
}
