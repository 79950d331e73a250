//! The contexts and terminations there are. Ordered maps, because lists are given out in pages (an ordered map finds where a page
//! begins) and because they grow without ever stopping to copy everything. Numbers grow and come again only after all others.

use super::stream::{Facing, Stream};
use crate::command::Refusal;
use crate::model::{Application, ContextAttributes, ContextId, Leg, StreamId, TerminationId, Transport};
use arrayvec::ArrayVec;
use std::collections::{BTreeMap, BTreeSet};

/// The most terminations of a context: one at the access and one at the core side.
pub const MAX_TERMINATIONS_PER_CONTEXT: usize = 2;

/// A context.
#[derive(Debug, Clone)]
pub(super) struct Context {
    pub(super) attributes: ContextAttributes,
    /// Chosen with its first stream.
    pub(super) worker: Option<usize>,
    pub(super) terminations: ArrayVec<TerminationId, MAX_TERMINATIONS_PER_CONTEXT>,
}

/// A termination.
#[derive(Debug)]
pub(super) struct Termination {
    pub(super) context: ContextId,
    /// In the order of their numbers.
    pub(super) streams: Vec<Stream>,
}

impl Termination {
    pub(super) fn find(&self, id: StreamId) -> Option<usize> {
        self.streams.binary_search_by_key(&id, |stream| stream.id).ok()
    }

    /// The side of its first stream.
    pub(super) fn leg(&self) -> Option<Leg> {
        self.streams.first().map(|stream| stream.leg)
    }
}

/// How many of what there are, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Census {
    terminations: [usize; 2],
    streams: [usize; TRANSPORTS.len()],
}

/// All transports, in the order of their counters.
pub const TRANSPORTS: [Transport; 13] = [
    Transport::Rtp { secure: false, feedback: false },
    Transport::Rtp { secure: false, feedback: true },
    Transport::Rtp { secure: true, feedback: false },
    Transport::Rtp { secure: true, feedback: true },
    Transport::Udp,
    Transport::Tcp { tls: false, application: Application::Opaque },
    Transport::Tcp { tls: true, application: Application::Opaque },
    Transport::Tcp { tls: false, application: Application::Msrp },
    Transport::Tcp { tls: true, application: Application::Msrp },
    Transport::Tcp { tls: false, application: Application::Bfcp },
    Transport::Tcp { tls: true, application: Application::Bfcp },
    Transport::DtlsRtp { feedback: false },
    Transport::DtlsRtp { feedback: true },
];

const fn transport_index(transport: Transport) -> usize {
    match transport {
        Transport::Rtp { secure, feedback } => (secure as usize) * 2 + feedback as usize,
        Transport::Udp => 4,
        Transport::Tcp { tls, application } => 5 + (application as usize) * 2 + tls as usize,
        Transport::DtlsRtp { feedback } => 11 + feedback as usize,
    }
}

impl Census {
    pub(super) fn terminations(&self, leg: Leg) -> usize {
        self.terminations[leg as usize]
    }

    pub(super) fn streams(&self, transport: Transport) -> usize {
        self.streams[transport_index(transport)]
    }

    pub(super) fn count_in(&mut self, termination: &Termination) {
        if let Some(leg) = termination.leg() {
            self.terminations[leg as usize] += 1;
        }
        for stream in &termination.streams {
            self.streams[transport_index(stream.asked.transport)] += 1;
        }
    }

    pub(super) fn count_out(&mut self, termination: &Termination) {
        if let Some(leg) = termination.leg() {
            self.terminations[leg as usize] -= 1;
        }
        for stream in &termination.streams {
            self.streams[transport_index(stream.asked.transport)] -= 1;
        }
    }
}

/// All contexts and terminations.
#[derive(Debug, Default)]
pub(super) struct Registry {
    contexts: BTreeMap<ContextId, Context>,
    terminations: BTreeMap<TerminationId, Termination>,
    /// Contexts that were made and have not got a termination yet.
    empty: BTreeSet<ContextId>,
    last_context: u32,
    last_termination: u32,
    pub(super) census: Census,
}

impl Registry {
    pub(super) fn contexts(&self) -> &BTreeMap<ContextId, Context> {
        &self.contexts
    }

    pub(super) fn terminations(&self) -> &BTreeMap<TerminationId, Termination> {
        &self.terminations
    }

    pub(super) fn empty_contexts(&self) -> &BTreeSet<ContextId> {
        &self.empty
    }

    pub(super) fn context(&self, id: ContextId) -> Result<&Context, Refusal> {
        self.contexts.get(&id).ok_or(Refusal::UnknownContext(id))
    }

    pub(super) fn context_mut(&mut self, id: ContextId) -> Result<&mut Context, Refusal> {
        self.contexts.get_mut(&id).ok_or(Refusal::UnknownContext(id))
    }

    pub(super) fn termination(&self, id: TerminationId) -> Result<&Termination, Refusal> {
        self.terminations.get(&id).ok_or(Refusal::UnknownTermination(id))
    }

    pub(super) fn termination_mut(&mut self, id: TerminationId) -> Result<&mut Termination, Refusal> {
        self.terminations.get_mut(&id).ok_or(Refusal::UnknownTermination(id))
    }

    /// The other termination of the context that a termination is in.
    pub(super) fn opposite(&self, id: TerminationId) -> Option<(TerminationId, &Termination)> {
        let context = self.contexts.get(&self.terminations.get(&id)?.context)?;
        let other = context.terminations.iter().copied().find(|other| *other != id)?;
        Some((other, self.terminations.get(&other)?))
    }

    /// What a stream of a termination faces at the other side, unless that is still on its way to the worker.
    pub(super) fn facing(&self, id: TerminationId, stream: StreamId) -> Option<Facing> {
        let (_, other) = self.opposite(id)?;
        let namesake = &other.streams[other.find(stream)?];
        namesake.origin.is_none().then(|| namesake.facing())
    }

    /// A new, empty context.
    pub(super) fn create_context(&mut self, attributes: ContextAttributes) -> ContextId {
        let taken = |id| self.contexts.contains_key(&ContextId(id));
        self.last_context = next_number(self.last_context, ContextId::MAX.0, taken);
        let id = ContextId(self.last_context);
        let context = Context { attributes, worker: None, terminations: ArrayVec::new() };
        self.contexts.insert(id, context);
        self.empty.insert(id);
        id
    }

    /// A number for a termination that is about to be inserted.
    pub(super) fn next_termination(&mut self) -> TerminationId {
        let taken = |id| self.terminations.contains_key(&TerminationId(id));
        self.last_termination = next_number(self.last_termination, TerminationId::MAX.0, taken);
        TerminationId(self.last_termination)
    }

    /// Puts a termination into its context, which has room.
    pub(super) fn insert(&mut self, id: TerminationId, termination: Termination) {
        if let Some(context) = self.contexts.get_mut(&termination.context) {
            self.empty.remove(&termination.context);
            context.terminations.push(id);
        }
        self.census.count_in(&termination);
        self.terminations.insert(id, termination);
    }

    /// Takes a termination out; a context that is empty then goes with it.
    pub(super) fn remove(&mut self, id: TerminationId) -> Option<Termination> {
        let termination = self.terminations.remove(&id)?;
        self.census.count_out(&termination);
        self.leave(id, termination.context);
        Some(termination)
    }

    /// Puts a termination into another context, which has room; a context that is empty then goes.
    pub(super) fn rehome(&mut self, id: TerminationId, to: ContextId) {
        let Some(termination) = self.terminations.get_mut(&id) else { return };
        let from = std::mem::replace(&mut termination.context, to);
        if let Some(context) = self.contexts.get_mut(&to) {
            self.empty.remove(&to);
            context.terminations.push(id);
        }
        self.leave(id, from);
    }

    /// Takes out a context that has no terminations.
    pub(super) fn remove_empty(&mut self, id: ContextId) {
        self.contexts.remove(&id);
        self.empty.remove(&id);
    }

    fn leave(&mut self, id: TerminationId, from: ContextId) {
        if let Some(context) = self.contexts.get_mut(&from) {
            context.terminations.retain(|other| *other != id);
            if context.terminations.is_empty() {
                self.remove_empty(from);
            }
        }
    }
}

/// The next number from 1 to `max` that is not taken; the limit on contexts leaves some free.
fn next_number(last: u32, max: u32, taken: impl Fn(u32) -> bool) -> u32 {
    let mut id = last;
    loop {
        id = if id >= max { 1 } else { id + 1 };
        if !taken(id) {
            return id;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_skip_wildcards_and_what_is_taken() {
        let next = |last, taken: fn(u32) -> bool| next_number(last, ContextId::MAX.0, taken);
        assert_eq!(next(0, |_| false), 1);
        assert_eq!(next(u32::MAX - 3, |_| false), u32::MAX - 2);
        assert_eq!(next(u32::MAX - 2, |id| id < 5), 5);
        assert_eq!(next_number(TerminationId::MAX.0, TerminationId::MAX.0, |_| false), 1);
    }

    #[test]
    fn each_transport_is_counted_at_its_place() {
        for (index, transport) in TRANSPORTS.into_iter().enumerate() {
            assert_eq!(transport_index(transport), index);
        }
    }
}
