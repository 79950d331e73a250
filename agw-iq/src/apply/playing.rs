//! Signals that have not ended yet (H.248.1 section 7.1.11 and E.1.2, `g/sc`).
//!
//! The signals of this gateway are brief: they are in force at once and act once. `ipnapt/latch` ends when the peer's address is learned,
//! `tcpbcc/EstBNC` and `tlsbsc/EstBNC` when the connection or the session is up, or is not to be. Neither events nor later Signals
//! descriptors stop them, for a call would lose its media with them: only the same signal of the same stream takes the place of one. So
//! their ends are TO, SD and NC, and never EV.

use crate::ast::{ErrorDescriptor, NotifyCompletion, PkgdName, Signal, SignalItem, SignalsDescriptor};
use crate::errors::ErrorCode;
use crate::package::generic::Ending;
use crate::package::{self, napt};
use agw_core::model::{Bearer, LatchAction, StreamSpec, Transport};
use std::collections::BTreeMap;

/// Which signal; one of each may play on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SignalKind {
    /// `ipnapt/latch`
    Latch,
    /// `tcpbcc/EstBNC`
    Connect,
    /// `tlsbsc/EstBNC`
    Secure,
}

impl SignalKind {
    const ALL: [Self; 3] = [Self::Latch, Self::Connect, Self::Secure];

    /// The name of the signal.
    pub(super) fn name(self) -> PkgdName {
        match self {
            Self::Latch => PkgdName::new("ipnapt", "latch"),
            Self::Connect => PkgdName::new("tcpbcc", "EstBNC"),
            Self::Secure => PkgdName::new("tlsbsc", "EstBNC"),
        }
    }

    /// The signal of this name.
    fn of(name: &PkgdName) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == *name)
    }

    /// Whether it means something on a stream.
    pub(super) fn fits(self, spec: &StreamSpec) -> bool {
        match self {
            Self::Latch => true,
            Self::Connect => matches!(spec.transport, Transport::Tcp { .. }),
            Self::Secure => spec.transport.has_tls(),
        }
    }
}

/// What a signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Latch(LatchAction),
    Connect,
    Secure,
}

impl Action {
    pub(super) const fn kind(self) -> SignalKind {
        match self {
            Self::Latch(_) => SignalKind::Latch,
            Self::Connect => SignalKind::Connect,
            Self::Secure => SignalKind::Secure,
        }
    }
}

/// What a Signals descriptor asks of one stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct AskedSignal {
    pub(super) action: Action,
    pub(super) keep_active: bool,
    /// The stream that the signal named, if it named one.
    pub(super) named: Option<u16>,
    notify: Option<NotifyCompletion>,
}

impl AskedSignal {
    pub(super) fn new(signal: &Signal, action: Action) -> Self {
        Self {
            action,
            keep_active: signal.keep_active,
            named: signal.stream,
            notify: signal.notify_completion,
        }
    }
}

/// Checks a Signals descriptor.
///
/// # Errors
/// 440, 446, 449 for a stream that is not there, 452, 454, 457, 513, and 501 for a sequence, which no gateway has to support.
pub(super) fn read_signals(
    signals: &SignalsDescriptor,
    stream_exists: impl Fn(u16) -> bool,
) -> Result<Vec<AskedSignal>, ErrorDescriptor> {
    let mut asked = Vec::new();
    for item in signals {
        let SignalItem::Signal(signal) = item else {
            return Err(ErrorDescriptor::with_text(ErrorCode::NOT_IMPLEMENTED, "SignalList"));
        };
        let known = package::signal(&signal.name)?;
        package::check_parameters(&signal.name, known.parameters, &signal.parms)?;
        if let Some(stream) = signal.stream.filter(|stream| !stream_exists(*stream)) {
            let text = format!("{} Stream = {stream}", signal.name);
            return Err(ErrorDescriptor::with_text(ErrorCode::UNSUPPORTED_VALUE, text));
        }
        let action = SignalKind::of(&signal.name).and_then(|kind| match kind {
            SignalKind::Latch => napt::latch_action(signal).map(Action::Latch),
            SignalKind::Connect => Some(Action::Connect),
            SignalKind::Secure => Some(Action::Secure),
        });
        asked.extend(action.map(|action| AskedSignal::new(signal, action)));
    }
    Ok(asked)
}

/// A signal that waits for what it is to bring about.
#[derive(Clone, Debug)]
struct Playing {
    action: Action,
    named: Option<u16>,
    notify: Option<NotifyCompletion>,
}

/// The signals of a termination that have not ended, by stream.
#[derive(Clone, Debug, Default)]
pub(super) struct PlayingSignals(BTreeMap<(u16, SignalKind), Playing>);

/// The end of a signal that somebody wants to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) kind: SignalKind,
    /// The stream, where the signal named one.
    pub(super) stream: Option<u16>,
    pub(super) ending: Ending,
}

impl PlayingSignals {
    /// Whether a signal with KeepActive says nothing new: the same one is playing still.
    pub(super) fn goes_on(&self, stream: u16, asked: &AskedSignal) -> bool {
        let playing = self.0.get(&(stream, asked.action.kind()));
        asked.keep_active && playing.is_some_and(|playing| playing.action == asked.action)
    }

    /// A signal of a stream has begun; `done`: there is nothing left to do. What ends with that.
    pub(super) fn begin(&mut self, stream: u16, asked: AskedSignal, done: bool) -> Option<Ended> {
        let AskedSignal { action, named, notify, .. } = asked;
        let (place, new) = ((stream, action.kind()), Playing { action, named, notify });
        if done || action == Action::Latch(LatchAction::Off) {
            // Done as soon as it is begun; it is also the end of what it takes back.
            let replaced = self.0.remove(&place).and_then(|before| before.end(Ending::Replaced));
            return replaced.or_else(|| new.end(Ending::Completed));
        }
        let before = self.0.insert(place, new);
        before.and_then(|before| before.end(Ending::Replaced))
    }

    /// The peer's address was learned.
    pub(super) fn latched(&mut self, stream: u16) -> Option<Ended> {
        self.0.remove(&(stream, SignalKind::Latch))?.end(Ending::Completed)
    }

    /// Something has become of the connection or of the session of a stream. Without a connection there will be no session.
    pub(super) fn bearer(&mut self, stream: u16, kind: SignalKind, bearer: Bearer) -> Vec<Ended> {
        let up = bearer == Bearer::Established;
        let mut end = |kind, ending| self.0.remove(&(stream, kind)).and_then(|playing| playing.end(ending));
        let own = end(kind, if up { Ending::Completed } else { Ending::NotCompleted });
        let lost =
            (kind == SignalKind::Connect && !up).then(|| end(SignalKind::Secure, Ending::NotCompleted));
        own.into_iter().chain(lost.flatten()).collect()
    }
}

impl Playing {
    /// Who asked to hear of this end: NC is told unasked.
    fn end(self, ending: Ending) -> Option<Ended> {
        let wanted = match ending {
            Ending::Completed => self.notify.is_some_and(|notify| notify.time_out),
            Ending::Replaced => self.notify.is_some_and(|notify| notify.by_signals),
            Ending::NotCompleted => self.notify.is_none_or(|notify| notify.other),
        };
        wanted.then_some(Ended { kind: self.action.kind(), stream: self.named, ending })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agw_core::model::BearerFailure;

    fn asked(action: Action, time_out: bool, by_signals: bool) -> AskedSignal {
        let mut signal = Signal::new(action.kind().name(), Vec::new());
        signal.notify_completion =
            Some(NotifyCompletion { time_out, by_signals, ..NotifyCompletion::default() });
        AskedSignal::new(&signal, action)
    }

    fn latch(action: LatchAction, time_out: bool, by_signals: bool) -> AskedSignal {
        asked(Action::Latch(action), time_out, by_signals)
    }

    fn ended(kind: SignalKind, ending: Ending) -> Option<Ended> {
        Some(Ended { kind, stream: None, ending })
    }

    #[test]
    fn a_latch_ends_when_the_address_is_learned_or_another_takes_its_place() {
        let mut playing = PlayingSignals::default();
        let ended = |ending| ended(SignalKind::Latch, ending);
        assert_eq!(playing.begin(1, latch(LatchAction::Latch, true, true), false), None);
        assert_eq!(
            playing.begin(1, latch(LatchAction::Relatch, true, false), false),
            ended(Ending::Replaced)
        );
        assert_eq!(playing.latched(1), ended(Ending::Completed));
        assert_eq!(playing.latched(1), None, "once");
        assert_eq!(playing.begin(1, latch(LatchAction::Off, true, false), false), ended(Ending::Completed));
    }

    #[test]
    fn only_ends_that_were_asked_for_are_told() {
        let mut playing = PlayingSignals::default();
        playing.begin(1, latch(LatchAction::Latch, false, false), false);
        assert_eq!(playing.latched(1), None);
        let plain = Signal::new(SignalKind::Latch.name(), Vec::new());
        playing.begin(1, AskedSignal::new(&plain, Action::Latch(LatchAction::Latch)), false);
        assert_eq!(playing.latched(1), None);
    }

    #[test]
    fn keep_active_leaves_the_same_latch_alone() {
        let mut playing = PlayingSignals::default();
        let mut again = latch(LatchAction::Relatch, true, true);
        again.keep_active = true;
        assert!(!playing.goes_on(1, &again));
        playing.begin(1, latch(LatchAction::Relatch, true, true), false);
        assert!(playing.goes_on(1, &again) && !playing.goes_on(2, &again));
    }

    #[test]
    fn a_connection_and_a_session_that_were_ordered_end_each_by_itself() {
        let mut playing = PlayingSignals::default();
        let none: Vec<Ended> = Vec::new();
        for action in [Action::Connect, Action::Secure] {
            assert_eq!(playing.begin(1, asked(action, true, true), false), None);
        }
        let completed = |kind| ended(kind, Ending::Completed).into_iter().collect::<Vec<_>>();
        let up = Bearer::Established;
        assert_eq!(playing.bearer(2, SignalKind::Connect, up), none, "another stream");
        assert_eq!(playing.bearer(1, SignalKind::Connect, up), completed(SignalKind::Connect));
        assert_eq!(playing.bearer(1, SignalKind::Secure, up), completed(SignalKind::Secure));
        assert_eq!(playing.bearer(1, SignalKind::Secure, Bearer::Released), none, "once");
        let done = playing.begin(1, asked(Action::Connect, true, true), true);
        assert_eq!(done, ended(SignalKind::Connect, Ending::Completed), "it is up already");
    }

    #[test]
    fn what_does_not_come_about_is_told_unasked_and_takes_the_session_along() {
        let mut playing = PlayingSignals::default();
        for action in [Action::Connect, Action::Secure] {
            playing.begin(1, AskedSignal::new(&Signal::new(action.kind().name(), Vec::new()), action), false);
        }
        let failed = playing.bearer(1, SignalKind::Connect, Bearer::Failed(BearerFailure::Refused));
        let not_completed = [SignalKind::Connect, SignalKind::Secure].map(|kind| Ended {
            kind,
            stream: None,
            ending: Ending::NotCompleted,
        });
        assert_eq!(failed, not_completed);
    }
}
