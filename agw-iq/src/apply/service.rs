//! Service states: of realms (TS 23.334 clause 6.1.15), of single terminations and of ROOT, and what follows for commands and audits.
//!
//! What the controller orders is in `service_change`. A realm goes out of service because its network is gone or because an operator takes it out; the gateway announces that (see
//! `gateway::service`) and takes no new streams there, error 502. What exists stays, is audited as `OutOfService`, and its media
//! passes for as long as the network carries it.

use super::view::Termination;
use super::*;
use agw_core::model::RealmName;
use std::collections::{BTreeMap, BTreeSet};

/// Why a realm is out of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outage {
    /// An operator has taken it out.
    TakenOut,
    /// Its network is not there.
    LinkLost,
}

impl Outage {
    /// The ServiceChangeReason.
    pub(crate) fn reason(self) -> ErrorCode {
        match self {
            Outage::TakenOut => ErrorCode::TERMINATION_OUT_OF_SERVICE,
            Outage::LinkLost => ErrorCode::LOWER_LAYER_LOST,
        }
    }
}

/// What the controller has made of the gateway as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum RootService {
    #[default]
    InService,
    /// Graceful: no new context, what exists goes on.
    Closing,
    /// Nothing is added.
    OutOfService,
}

/// What is out of service, and what is about to change.
#[derive(Debug, Default)]
pub(super) struct Service {
    realms: BTreeMap<RealmName, Outage>,
    pub(super) root: RootService,
    /// What ROOT will be, and when.
    pub(super) root_change: Option<(Now, RootService)>,
    /// Terminations whose state changes later, in the order of time.
    changes: BTreeSet<(Now, u32)>,
}

impl Service {
    pub(super) fn schedule(&mut self, at: Now, id: model::TerminationId) {
        self.changes.insert((at, id.0));
    }

    pub(super) fn unschedule(&mut self, at: Now, id: model::TerminationId) {
        self.changes.remove(&(at, id.0));
    }

    pub(super) fn next_due(&self) -> Option<Now> {
        let first = self.changes.first().map(|(at, _)| *at);
        first.into_iter().chain(self.root_change.map(|(at, _)| at)).min()
    }

    /// What ROOT is from now on.
    pub(super) fn take_due_root(&mut self, now: Now) -> Option<RootService> {
        let (_, state) = self.root_change.take_if(|(at, _)| *at <= now)?;
        self.root = state;
        Some(state)
    }

    pub(super) fn take_due(&mut self, now: Now) -> Option<model::TerminationId> {
        let first = *self.changes.first().filter(|(at, _)| *at <= now)?;
        self.changes.remove(&first);
        Some(model::TerminationId(first.1))
    }
}

impl Executor {
    /// Takes a realm out of service or back. Whether that changes anything; a realm that there is not never does.
    pub(crate) fn set_realm(&mut self, realm: &RealmName, outage: Option<Outage>) -> bool {
        if !self.realms.iter().any(|known| known == realm) {
            return false;
        }
        let before = match outage {
            Some(outage) => self.service.realms.insert(realm.clone(), outage),
            None => self.service.realms.remove(realm),
        };
        before != outage
    }

    /// Why a realm is out of service, if it is.
    pub(crate) fn outage(&self, realm: &RealmName) -> Option<Outage> {
        self.service.realms.get(realm).copied()
    }

    /// The realms that are out of service.
    pub(crate) fn realms_out(&self) -> impl Iterator<Item = (&RealmName, Outage)> {
        self.service.realms.iter().map(|(realm, outage)| (realm, *outage))
    }

    /// The interface field of the terminations of a realm.
    pub(crate) fn interface(&self, realm: &RealmName) -> String {
        self.realms.interface(realm)
    }

    /// Refuses a new stream in a realm that is out of service.
    ///
    /// # Errors
    /// 502.
    pub(super) fn refuse_realm_out(&self, asked: Option<&RealmName>) -> Result<(), ErrorDescriptor> {
        match asked.or(self.realms.default_realm()) {
            Some(realm) if self.outage(realm).is_some() => {
                Err(ErrorDescriptor::with_text(ErrorCode::NOT_READY, format!("{realm} is out of service")))
            }
            _ => Ok(()),
        }
    }

    /// Refuses an Add while the gateway goes or is out of service.
    ///
    /// # Errors
    /// 503.
    pub(super) fn refuse_new(&self, in_a_new_context: bool) -> Result<(), ErrorDescriptor> {
        let closing = self.draining || self.service.root != RootService::InService;
        match (closing && in_a_new_context, self.service.root) {
            (_, RootService::OutOfService) => {
                Err(ErrorDescriptor::with_text(ErrorCode::SERVICE_UNAVAILABLE, "out of service"))
            }
            (true, _) => {
                Err(ErrorDescriptor::with_text(ErrorCode::SERVICE_UNAVAILABLE, "going out of service"))
            }
            (false, _) => Ok(()),
        }
    }

    /// Whether calls are taken.
    pub(crate) fn is_open(&self) -> bool {
        self.refuse_new(true).is_ok()
    }

    /// The ServiceStates of a termination.
    pub(super) fn state_of(&self, termination: &Termination) -> ServiceState {
        state(termination.out_of_service || self.outage(&termination.interface).is_some())
    }

    /// The ServiceStates of ROOT. One that is closing is out of service once nothing is left (H.248.1 section 7.2.8).
    pub(super) fn state_of_root(&self) -> ServiceState {
        state(match self.service.root {
            RootService::InService => false,
            RootService::Closing => self.view.contexts.is_empty(),
            RootService::OutOfService => true,
        })
    }
}

fn state(out: bool) -> ServiceState {
    if out { ServiceState::OutOfService } else { ServiceState::InService }
}
