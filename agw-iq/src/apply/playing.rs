//! Signals that have not ended yet (H.248.1 section 7.1.11 and E.1.2, `g/sc`).
//!
//! The one signal of this gateway is `ipnapt/latch`. It is brief: it is in force at once and ends when the peer's address is
//! learned. Neither events nor later Signals descriptors stop it, for a call would lose its media with them: only another latch of the same
//! stream takes its place. So its ends are TO, SD and NC, and never EV.

use crate::ast::{ErrorDescriptor, NotifyCompletion, PkgdName, Signal, SignalItem, SignalsDescriptor};
use crate::errors::ErrorCode;
use crate::package::generic::Ending;
use crate::package::{self, napt};
use agw_core::model::LatchAction;
use std::collections::BTreeMap;

/// What a Signals descriptor asks of one stream.
#[derive(Clone, Copy, Debug)]
pub(super) struct AskedLatch {
    pub(super) action: LatchAction,
    pub(super) keep_active: bool,
    /// The stream that the signal named, if it named one.
    pub(super) named: Option<u16>,
    notify: Option<NotifyCompletion>,
}

impl AskedLatch {
    pub(super) fn new(signal: &Signal, action: LatchAction) -> Self {
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
) -> Result<Vec<AskedLatch>, ErrorDescriptor> {
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
        asked.extend(napt::latch_action(signal).map(|action| AskedLatch::new(signal, action)));
    }
    Ok(asked)
}

/// A latch that waits for the peer's first packet.
#[derive(Clone, Debug)]
struct Playing {
    action: LatchAction,
    named: Option<u16>,
    notify: Option<NotifyCompletion>,
}

/// The latches of a termination that have not ended, by stream.
#[derive(Clone, Debug, Default)]
pub(super) struct PlayingSignals(BTreeMap<u16, Playing>);

/// The end of a signal that somebody wants to hear of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// The stream, where the signal named one.
    pub(super) stream: Option<u16>,
    pub(super) ending: Ending,
}

/// The name of the signal.
pub(super) fn latch() -> PkgdName {
    PkgdName::new("ipnapt", "latch")
}

impl PlayingSignals {
    /// Whether a signal with KeepActive says nothing new: the same one is playing still.
    pub(super) fn goes_on(&self, stream: u16, asked: &AskedLatch) -> bool {
        asked.keep_active && self.0.get(&stream).is_some_and(|playing| playing.action == asked.action)
    }

    /// A latch of a stream has begun. What ends with that.
    pub(super) fn begin(&mut self, stream: u16, asked: AskedLatch) -> Option<Ended> {
        let AskedLatch { action, named, notify, .. } = asked;
        if action == LatchAction::Off {
            // Done as soon as it is begun; it is also the end of what it takes back.
            let replaced = self.0.remove(&stream).and_then(|before| before.end(Ending::Replaced));
            return replaced.or_else(|| Playing { action, named, notify }.end(Ending::Completed));
        }
        let before = self.0.insert(stream, Playing { action, named, notify });
        before.and_then(|before| before.end(Ending::Replaced))
    }

    /// The peer's address was learned.
    pub(super) fn latched(&mut self, stream: u16) -> Option<Ended> {
        self.0.remove(&stream)?.end(Ending::Completed)
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
        wanted.then_some(Ended { stream: self.named, ending })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(action: LatchAction, time_out: bool, by_signals: bool) -> AskedLatch {
        let mut signal = Signal::new(latch(), Vec::new());
        signal.notify_completion =
            Some(NotifyCompletion { time_out, by_signals, ..NotifyCompletion::default() });
        AskedLatch::new(&signal, action)
    }

    fn ended(ending: Ending) -> Option<Ended> {
        Some(Ended { stream: None, ending })
    }

    #[test]
    fn a_latch_ends_when_the_address_is_learned_or_another_takes_its_place() {
        let mut playing = PlayingSignals::default();
        assert_eq!(playing.begin(1, asked(LatchAction::Latch, true, true)), None);
        assert_eq!(playing.begin(1, asked(LatchAction::Relatch, true, false)), ended(Ending::Replaced));
        assert_eq!(playing.latched(1), ended(Ending::Completed));
        assert_eq!(playing.latched(1), None, "once");
        assert_eq!(playing.begin(1, asked(LatchAction::Off, true, false)), ended(Ending::Completed));
    }

    #[test]
    fn only_ends_that_were_asked_for_are_told() {
        let mut playing = PlayingSignals::default();
        playing.begin(1, asked(LatchAction::Latch, false, false));
        assert_eq!(playing.latched(1), None);
        playing.begin(1, AskedLatch::new(&Signal::new(latch(), Vec::new()), LatchAction::Latch));
        assert_eq!(playing.latched(1), None);
    }

    #[test]
    fn keep_active_leaves_the_same_latch_alone() {
        let mut playing = PlayingSignals::default();
        let mut again = asked(LatchAction::Relatch, true, true);
        again.keep_active = true;
        assert!(!playing.goes_on(1, &again));
        playing.begin(1, asked(LatchAction::Relatch, true, true));
        assert!(playing.goes_on(1, &again) && !playing.goes_on(2, &again));
    }
}
