//! What follows from the load of the gateway and from the privilege of a context.
//!
//! Whoever measures the load tells it with [`Executor::set_load`]. Above the first threshold the controller is told, if it asked
//! (H.248.10, H.248.11); above the second new contexts are refused with error 511 unless they are privileged, while all that concerns
//! calls that exist goes on.

use super::*;
use crate::gateway::queue::Urgency;
use crate::package::congestion;

/// How far the load has gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Below the first threshold.
    #[default]
    Calm,
    /// Above the first: the controller is asked for less.
    Strained,
    /// Above the second: new contexts without privilege are refused.
    Overloaded,
}

/// The load of the gateway.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// How far it has gone.
    pub stage: Stage,
    /// By how many per cent the controller shall ask for less.
    pub reduction_percent: u8,
}

/// The load, and what the controller knows of it.
#[derive(Debug, Default)]
pub(super) struct Told {
    load: Load,
    /// When overload was last told.
    overload_at: Option<Now>,
    reduction_percent: u8,
}

impl Executor {
    /// Takes the load in; what the controller wants to hear of it. To be called now and then while there is any.
    pub(crate) fn set_load(&mut self, now: Now, load: Load) -> Option<Notification> {
        self.load.load = load;
        // What has not been answered is not overtaken by news of the same.
        if self.root_events.listening().is_busy() {
            return None;
        }
        if self.root_events.asked("chp", "MGCon").is_none() {
            self.load.reduction_percent = 0;
        } else if self.load.reduction_percent != load.reduction_percent {
            self.load.reduction_percent = load.reduction_percent;
            return self.observe_root(now, congestion::reduction(load.reduction_percent));
        }
        let lately = self.load.overload_at.is_some_and(|told| now < told + congestion::REPEAT);
        if load.stage == Stage::Calm || lately || self.root_events.asked("ocp", "mg_overload").is_none() {
            return None;
        }
        self.load.overload_at = Some(now);
        self.observe_root(now, congestion::overload())
    }

    /// Whether a new context with these attributes can be taken on at all.
    ///
    /// # Errors
    /// 511 under overload, for one without privilege.
    pub(super) fn refuse_overload(&self, attributes: ContextAttributes) -> Result<(), ErrorDescriptor> {
        if self.load.load.stage < Stage::Overloaded || attributes.is_privileged(self.high_priority) {
            return Ok(());
        }
        Err(ErrorDescriptor::with_text(ErrorCode::BUSY, "overload: only privileged contexts are made"))
    }

    /// How urgent a request is: by its most urgent context, as it is or as the request makes it.
    pub(crate) fn urgency(&self, actions: &[ActionRequest]) -> Urgency {
        let of = |action: &ActionRequest| {
            let known = match action.context {
                ContextId::Id(number) => self.view.contexts.get(&number).map(|context| context.attributes),
                ContextId::Null | ContextId::All | ContextId::Choose => None,
            };
            let attributes = self.wanted_attributes(known.unwrap_or_default(), action);
            match attributes.emergency {
                true => Urgency::EMERGENCY,
                false => Urgency(attributes.priority.min(15)),
            }
        };
        actions.iter().map(of).max().unwrap_or_default()
    }

    /// Whether such a request may take the last places.
    pub(crate) fn is_urgent(&self, urgency: Urgency) -> bool {
        urgency.0 >= self.high_priority.min(Urgency::EMERGENCY.0)
    }

    /// A context's attributes with what an action says of them.
    pub(super) fn wanted_attributes(
        &self,
        old: ContextAttributes,
        action: &ActionRequest,
    ) -> ContextAttributes {
        let given = &action.properties;
        ContextAttributes {
            priority: given.priority.map_or(old.priority, |priority| priority as u8),
            emergency: given.emergency.unwrap_or(old.emergency),
        }
    }
}
