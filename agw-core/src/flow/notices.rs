//! What a worker has noticed on a flow and not told yet: flags, so that no notice needs memory or is lost when the ring of
//! answers is full. The same thing noticed twice before it was told is told once.

use crate::command::Observation;
use crate::model::{Activity, Bearer, Component, Direction, IceEvent, Way};
use arrayvec::ArrayVec;
use std::net::SocketAddr;

/// The untold.
#[derive(Debug, Clone, Default)]
pub(super) struct Notices {
    latched: [Option<SocketAddr>; 2],
    near_end: [bool; 2],
    ended: [bool; 2],
    policed: bool,
    /// In their order: that it came up, and how it ended.
    connection: ArrayVec<Bearer, 2>,
    session: ArrayVec<Bearer, 2>,
    /// In their order; what came before the last few concerns nobody any more.
    ice: ArrayVec<IceEvent, 4>,
    /// The latest of each way: what it was before concerns nobody any more.
    activity: [Option<Activity>; 3],
}

const DIRECTIONS: [Direction; 2] = [Direction::Inbound, Direction::Outbound];

const fn index(direction: Direction) -> usize {
    match direction {
        Direction::Inbound => 0,
        Direction::Outbound => 1,
    }
}

impl Notices {
    /// Adds one.
    pub(super) fn note(&mut self, observation: Observation) {
        match observation {
            Observation::Latched { component, source } => self.latched[component.index()] = Some(source),
            Observation::Activity(way, activity) => self.activity[way as usize] = Some(activity),
            Observation::KeyNearEnd(direction) => self.near_end[index(direction)] = true,
            Observation::KeyEnded(direction) => self.ended[index(direction)] = true,
            Observation::Policed => self.policed = true,
            Observation::Ice(event) => self.note_ice(event),
            Observation::Connection(bearer) => note_bearer(&mut self.connection, bearer),
            Observation::Session(bearer) => note_bearer(&mut self.session, bearer),
        }
    }

    fn note_ice(&mut self, event: IceEvent) {
        if self.ice.last() == Some(&event) {
            return;
        }
        if self.ice.is_full() {
            self.ice.remove(0);
        }
        self.ice.push(event);
    }

    /// Takes one out, the oldest kind first.
    pub(super) fn take(&mut self) -> Option<Observation> {
        for component in [Component::Rtp, Component::Rtcp] {
            if let Some(source) = self.latched[component.index()].take() {
                return Some(Observation::Latched { component, source });
            }
        }
        for direction in DIRECTIONS {
            if std::mem::take(&mut self.near_end[index(direction)]) {
                return Some(Observation::KeyNearEnd(direction));
            }
            if std::mem::take(&mut self.ended[index(direction)]) {
                return Some(Observation::KeyEnded(direction));
            }
        }
        if std::mem::take(&mut self.policed) {
            return Some(Observation::Policed);
        }
        if let Some(event) = self.ice.pop_at(0) {
            return Some(Observation::Ice(event));
        }
        if let Some(bearer) = self.connection.pop_at(0) {
            return Some(Observation::Connection(bearer));
        }
        if let Some(bearer) = self.session.pop_at(0) {
            return Some(Observation::Session(bearer));
        }
        for way in Way::ALL {
            if let Some(activity) = self.activity[way as usize].take() {
                return Some(Observation::Activity(way, activity));
            }
        }
        None
    }

    /// Whether nothing is left to tell.
    pub(super) fn is_empty(&self) -> bool {
        self.latched == [None; 2]
            && self.near_end == [false; 2]
            && self.ended == [false; 2]
            && !self.policed
            && self.ice.is_empty()
            && self.connection.is_empty()
            && self.session.is_empty()
            && self.activity == [None; 3]
    }
}

/// A third that comes before two were told takes the place of the second.
fn note_bearer(untold: &mut ArrayVec<Bearer, 2>, bearer: Bearer) {
    if untold.last() == Some(&bearer) {
        return;
    }
    if untold.is_full() {
        untold.pop();
    }
    untold.push(bearer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_notice_comes_out_once() {
        let source = "192.0.2.1:1000".parse().unwrap();
        let all = [
            Observation::Latched { component: Component::Rtcp, source },
            Observation::KeyNearEnd(Direction::Inbound),
            Observation::KeyEnded(Direction::Inbound),
            Observation::KeyEnded(Direction::Outbound),
            Observation::Policed,
            Observation::Ice(IceEvent::Selected(source)),
            Observation::Ice(IceEvent::ConsentLost),
            Observation::Connection(Bearer::Established),
            Observation::Connection(Bearer::Released),
            Observation::Session(Bearer::Established),
            Observation::Activity(Way::In, Activity::Stopped),
            Observation::Activity(Way::Both, Activity::Held),
        ];
        let mut notices = Notices::default();
        for observation in all {
            notices.note(observation);
            notices.note(observation);
        }
        assert!(!notices.is_empty());
        let told: Vec<_> = std::iter::from_fn(|| notices.take()).collect();
        assert_eq!(told, all);
        assert!(notices.is_empty());
    }
}
