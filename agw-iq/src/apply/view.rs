//! The H.248 view: which contexts and terminations there are, and what the controller has said of them.
//!
//! The model owns what runs; this is what an audit is answered from, and what a partial Modify is merged into. It changes only after
//! the model has agreed.

use super::by_stream::ByStream;
use super::kept::KeptProperties;
use super::listening::Listening;
use super::names::{Pattern, Target, unknown};
use super::playing::PlayingSignals;
use super::stream::Stream;
use crate::ast::{self, ErrorDescriptor, RequestedEvent, TerminationId as Name};
use crate::errors::ErrorCode;
use crate::package::silence::Activities;
use crate::transport::Now;
use agw_core::model::{ContextAttributes, ContextId, RealmName, TerminationId};
use std::collections::BTreeMap;

/// Events that the controller wants to hear of.
#[derive(Clone, Debug)]
pub(super) struct ActiveEvents {
    pub(super) request: ast::RequestId,
    pub(super) events: Vec<RequestedEvent>,
}

/// A termination as H.248 sees it.
#[derive(Debug)]
pub(super) struct Termination {
    pub(super) name: Name,
    /// The realm that its name has as interface.
    pub(super) interface: RealmName,
    pub(super) context: ContextId,
    pub(super) streams: ByStream<Stream>,
    /// What it was asked to tell, and what waits to be told.
    pub(super) listening: Listening,
    /// Signals that have not ended.
    pub(super) playing: PlayingSignals,
    /// Which streams are silent or held, as far as that is watched.
    pub(super) activities: Activities,
    /// What the controller keeps with it.
    pub(super) kept: KeptProperties,
    /// When a message last named it.
    pub(super) last_named: Now,
    /// The controller has taken it out of service.
    pub(super) out_of_service: bool,
    /// When it goes out of service (`true`) or comes back.
    pub(super) service_change: Option<(Now, bool)>,
}

/// A context as H.248 sees it.
#[derive(Debug, Default)]
pub(super) struct Context {
    pub(super) attributes: ContextAttributes,
    /// In the order in which they were added.
    pub(super) terminations: Vec<TerminationId>,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) contexts: BTreeMap<u32, Context>,
    pub(super) terminations: BTreeMap<u32, Termination>,
}

/// Which contexts a command looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// `-`: nothing is outside of contexts but ROOT.
    Null,
    All,
    One(ContextId),
}

impl Scope {
    fn admits(self, context: ContextId) -> bool {
        match self {
            Scope::Null => false,
            Scope::All => true,
            Scope::One(one) => one == context,
        }
    }
}

impl View {
    pub(super) fn termination(&self, id: TerminationId) -> Option<&Termination> {
        self.terminations.get(&id.0)
    }

    pub(super) fn termination_mut(&mut self, id: TerminationId) -> Option<&mut Termination> {
        self.terminations.get_mut(&id.0)
    }

    /// Whether a termination of exactly this name exists.
    pub(super) fn exists(&self, name: &Name) -> bool {
        match super::names::target(name) {
            Ok(Target::One(id)) => self.termination(id).is_some_and(|termination| termination.name == *name),
            _ => false,
        }
    }

    /// The terminations that a command is for.
    ///
    /// # Errors
    /// 430 and 435 for one that is not there, 431 for a wildcard that matches none.
    pub(super) fn matching(
        &self,
        name: &Name,
        target: &Target,
        scope: Scope,
    ) -> Result<Vec<TerminationId>, ErrorDescriptor> {
        match target {
            Target::Root => Ok(Vec::new()),
            Target::One(id) => {
                let found = self.termination(*id).filter(|termination| termination.name == *name);
                let found = found.ok_or_else(|| unknown(name))?;
                if scope.admits(found.context) {
                    Ok(vec![*id])
                } else {
                    Err(ErrorDescriptor::with_text(ErrorCode::TERMINATION_NOT_IN_CONTEXT, name.to_string()))
                }
            }
            Target::Several(pattern) => {
                let matched = self.several(pattern, scope);
                if matched.is_empty() {
                    return Err(ErrorDescriptor::with_text(
                        ErrorCode::NO_MATCH_FOR_WILDCARD,
                        name.to_string(),
                    ));
                }
                Ok(matched)
            }
        }
    }

    fn several(&self, pattern: &Pattern, scope: Scope) -> Vec<TerminationId> {
        let admitted =
            |id: &TerminationId| self.termination(*id).is_some_and(|found| pattern.admits(&found.name));
        let of =
            |context: &Context| context.terminations.iter().copied().filter(admitted).collect::<Vec<_>>();
        match scope {
            Scope::Null => Vec::new(),
            Scope::One(id) => self.contexts.get(&id.0).map(of).unwrap_or_default(),
            Scope::All => self.contexts.values().flat_map(of).collect(),
        }
    }

    /// How many octets it takes at most to name these in a reply, each in its context, in the longer style of text.
    pub(super) fn answer_bytes(&self, ids: &[TerminationId]) -> usize {
        /// Around a name: white space, the longest command, `=`, a comma and a line end.
        const COMMAND: usize = 32;
        /// `Context = 4294967295 { ... },` with white space and line ends.
        const CONTEXT: usize = 40;
        let mut last = None;
        let found = ids.iter().filter_map(|id| self.termination(*id));
        found
            .map(|termination| {
                let new_context = last.replace(termination.context) != Some(termination.context);
                termination.name.as_str().len() + COMMAND + if new_context { CONTEXT } else { 0 }
            })
            .sum()
    }

    pub(super) fn insert(&mut self, id: TerminationId, termination: Termination) {
        self.contexts.entry(termination.context.0).or_default().terminations.push(id);
        self.terminations.insert(id.0, termination);
    }

    /// Takes a termination out, and its context with it when nothing is left there.
    pub(super) fn remove(&mut self, id: TerminationId) -> Option<Termination> {
        let termination = self.terminations.remove(&id.0)?;
        self.leave(id, termination.context);
        Some(termination)
    }

    /// Puts a termination into another context.
    pub(super) fn relocate(&mut self, id: TerminationId, to: ContextId) {
        let Some(termination) = self.terminations.get_mut(&id.0) else { return };
        let from = std::mem::replace(&mut termination.context, to);
        if from == to {
            return;
        }
        self.leave(id, from);
        self.contexts.entry(to.0).or_default().terminations.push(id);
    }

    fn leave(&mut self, id: TerminationId, context: ContextId) {
        if let Some(left) = self.contexts.get_mut(&context.0) {
            left.terminations.retain(|other| *other != id);
            if left.terminations.is_empty() {
                self.contexts.remove(&context.0);
            }
        }
    }
}
