//! `adid/ipstop` (H.248.40): no application data have flowed on a stream, or on the whole termination, for a time.
//!
//! `dt` is the time in seconds and `dir` the direction, seen from the gateway: IN is what it receives, BOTH means that neither direction
//! carries anything. RTCP counts, because the Recommendation speaks of every address of a stream. An event without a stream is about
//! all streams of the termination together: it happens when the last of them falls silent.

use crate::ast::{EventSpec, PkgdName, RequestedEvent, Value};
use agw_core::model::{Activity, StreamId, Watch, Way};
use std::collections::BTreeMap;
use std::time::Duration;

/// Whether this event asks for silence.
fn is_silence(event: &RequestedEvent) -> bool {
    event.name.package == "adid" && (event.name.item.is_all() || event.name.item == "ipstop")
}

fn value<'a>(event: &'a RequestedEvent, parameter: &str) -> Option<&'a Value> {
    event.parms.iter().find(|parm| parm.name == parameter)?.value.single()
}

/// Which way a checked event is about.
fn way(event: &RequestedEvent) -> Way {
    match value(event, "dir") {
        Some(value) if value.is("IN") => Way::In,
        Some(value) if value.is("OUT") => Way::Out,
        _ => Way::Both,
    }
}

/// What has to be watched on a stream for these checked events; `default`: the time where an event names none. Where two events
/// are about the same way, the shorter time holds.
pub fn watch(events: &[RequestedEvent], stream: u16, default: Duration) -> Watch {
    let mut watch = Watch::default();
    for event in events.iter().filter(|event| is_silence(event)) {
        if event.stream.is_some_and(|only| only != stream) {
            continue;
        }
        let seconds = value(event, "dt").and_then(Value::as_u64);
        let time = seconds.map_or(default, Duration::from_secs);
        let limit_ms = u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        let way = way(event);
        watch.set(way, watch.limit_ms(way).map_or(limit_ms, |other| other.min(limit_ms)));
    }
    watch
}

/// What is known of the streams of a termination; what is not in it flows.
pub type Activities = BTreeMap<(u16, Way), Activity>;

/// A stream's activity has changed: what has happened with that, of what these events ask for.
pub fn observe(
    events: &[RequestedEvent],
    streams: impl Iterator<Item = u16> + Clone,
    known: &mut Activities,
    changed: (StreamId, Way, Activity),
) -> Vec<EventSpec> {
    let (StreamId(stream), which, activity) = changed;
    let before = are_silent(streams.clone(), known, which);
    match activity {
        Activity::Flowing => known.remove(&(stream, which)),
        _ => known.insert((stream, which), activity),
    };
    let now_silent = !before && are_silent(streams, known, which);
    let happened = |event: &&RequestedEvent| match event.stream {
        Some(only) => only == stream && activity == Activity::Stopped,
        None => now_silent,
    };
    let asked = events.iter().filter(|event| is_silence(event) && way(event) == which);
    let spec = |event: &RequestedEvent| EventSpec {
        name: PkgdName::new("adid", "ipstop"),
        stream: event.stream,
        parms: Vec::new(),
    };
    asked.filter(happened).map(spec).collect()
}

/// Whether nothing flows: a stream stopped, and what did not stop is held.
fn are_silent(mut streams: impl Iterator<Item = u16> + Clone, known: &Activities, way: Way) -> bool {
    let of = |stream| known.get(&(stream, way)).copied().unwrap_or_default();
    streams.clone().all(|stream| of(stream) != Activity::Flowing)
        && streams.any(|stream| of(stream) == Activity::Stopped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::{Name, Parm};

    fn event(stream: Option<u16>, parms: &[(&str, &str)]) -> RequestedEvent {
        let parm =
            |(name, value): &(&str, &str)| Parm { name: Name::new(name), value: Value::token(value).into() };
        let parms = parms.iter().map(parm).collect();
        RequestedEvent { stream, ..RequestedEvent::new(PkgdName::new("adid", "ipstop"), parms) }
    }

    #[test]
    fn events_become_watches_of_the_streams_they_are_about() {
        let events = [
            event(None, &[("dt", "20"), ("dir", "BOTH")]),
            event(Some(2), &[("dt", "5"), ("dir", "IN")]),
            event(Some(2), &[("dir", "IN")]),
        ];
        let default = Duration::from_secs(30);
        let first = watch(&events, 1, default);
        assert_eq!((first.limit_ms(Way::Both), first.limit_ms(Way::In)), (Some(20_000), None));
        assert_eq!(watch(&events, 2, default).limit_ms(Way::In), Some(5000));
        assert!(watch(&[], 1, default).is_none());
    }

    #[test]
    fn a_termination_is_silent_when_its_last_stream_is() {
        let events = [event(None, &[("dir", "IN")]), event(Some(2), &[("dir", "IN")])];
        let mut known = Activities::new();
        let mut change = |stream, activity| -> Vec<_> {
            let changed = (StreamId(stream), Way::In, activity);
            observe(&events, [1, 2].into_iter(), &mut known, changed).iter().map(|spec| spec.stream).collect()
        };
        assert_eq!(change(1, Activity::Stopped), []);
        assert_eq!(change(2, Activity::Stopped), [None, Some(2)], "both, and each that is named");
        assert_eq!(change(2, Activity::Flowing), []);
        assert_eq!(change(2, Activity::Held), [None], "held media flow no more than silent ones");
        assert_eq!(change(1, Activity::Held), [], "nothing stopped any more");
        assert_eq!(change(1, Activity::Flowing), []);
    }
}
