//! Service states: realms that are out of service (TS 23.334 clause 6.1.15), and what follows for commands and audits.
//!
//! A realm goes out of service because its network is gone or because an operator takes it out; the gateway announces that (see
//! `gateway::service`) and takes no new streams there, error 502. What exists stays, is audited as `OutOfService`, and its media
//! passes for as long as the network carries it.

use super::view::Termination;
use super::*;
use agw_core::model::RealmName;
use std::collections::BTreeMap;

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

/// What is out of service.
#[derive(Debug, Default)]
pub(super) struct Service {
    realms: BTreeMap<RealmName, Outage>,
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

    /// The ServiceStates of a termination.
    pub(super) fn state_of(&self, termination: &Termination) -> ServiceState {
        if self.outage(&termination.interface).is_some() {
            ServiceState::OutOfService
        } else {
            ServiceState::InService
        }
    }
}
