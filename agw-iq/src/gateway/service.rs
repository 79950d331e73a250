//! ServiceChange that the gateway says of its own accord, but for registration: it leaves, stays after all, loses a realm, has it back
//! (H.248.1 sections 7.2.8 and 11.4, TS 23.334 clauses 6.1.15 and 8).
//!
//! A realm is announced with one wildcard over its interface. What the controller was told is remembered, one announcement of a realm is
//! under way at a time, and a new association hears what differs: so that whatever is lost or comes in between, the controller's last
//! word on a realm is the truth.

use super::messages::Manner;
use super::requests::Purpose;
use super::*;
use crate::apply::Outage;
use crate::ast::*;
use crate::errors::ErrorCode;
use crate::package::availability;
use agw_core::model::RealmName;
use std::collections::BTreeMap;

/// What the controller was told of the realms.
#[derive(Debug, Default)]
pub(super) struct Announced {
    /// The last word on each realm that was not always in service.
    said: BTreeMap<RealmName, Option<Outage>>,
    /// Those of which an announcement is not answered yet.
    asked: BTreeSet<RealmName>,
}

impl MediaGateway {
    /// Says to the controller that the gateway leaves. Graceful: new contexts are refused from now on.
    pub fn leave(&mut self, now: Now, farewell: Farewell) {
        self.executor.draining = true;
        let (method, delay, for_good) = match farewell {
            Farewell::Graceful { delay_s } => (ServiceChangeMethod::Graceful, delay_s, false),
            Farewell::Forced { .. } => (ServiceChangeMethod::Forced, None, true),
        };
        let reason = match farewell {
            Farewell::Forced { failing: true } => ErrorCode::MG_IMPENDING_FAILURE,
            _ => ErrorCode::TERMINATION_OUT_OF_SERVICE,
        };
        let mut request = ServiceChangeRequest::new(method, reason);
        request.delay = delay;
        self.say_farewell(now, request, for_good);
    }

    /// Takes a graceful farewell back.
    pub fn stay(&mut self, now: Now) {
        self.executor.draining = false;
        let request = ServiceChangeRequest::new(ServiceChangeMethod::Restart, ErrorCode::CANCEL_GRACEFUL);
        self.say_farewell(now, request, false);
    }

    /// Whether nothing is left to be said: nobody owes us an answer.
    pub fn has_left(&self) -> bool {
        self.executor.draining && self.outbound.is_empty()
    }

    fn say_farewell(&mut self, now: Now, mut request: ServiceChangeRequest, for_good: bool) {
        if !self.association.is_registered() {
            if for_good {
                self.association.end();
            }
            return;
        }
        request.timestamp = self.timestamp(now);
        if let Some((to, version, encoding)) = self.association.controller() {
            let manner = Manner { peer: to, version, encoding };
            self.ask(now, manner, root_service_change(request), Purpose::Farewell { for_good });
        }
    }

    /// Takes a realm out of service, or back with `None`, and tells the controller. `false`: there is no such realm, or it was so before.
    pub fn set_realm(&mut self, now: Now, realm: &RealmName, outage: Option<Outage>) -> bool {
        let was_out = self.executor.outage(realm).is_some();
        let changed = self.executor.set_realm(realm, outage);
        if changed {
            self.announce_realm(now, realm);
        }
        if changed && was_out != outage.is_some() {
            let event = availability::changed(realm, was_out);
            if let Some(notification) = self.executor.observe_root(now, event) {
                self.notify(now, notification);
            }
        }
        changed
    }

    /// Why a realm is out of service, if it is.
    pub fn outage(&self, realm: &RealmName) -> Option<Outage> {
        self.executor.outage(realm)
    }

    /// A controller has taken us. What another was told of the realms, or this one before it was lost, it may not have heard.
    pub(super) fn announce_realms(&mut self, now: Now) {
        let Announced { said, .. } = std::mem::take(&mut self.announced);
        let out = self.executor.realms_out().map(|(realm, _)| realm.clone());
        let realms: BTreeSet<_> = said.into_keys().chain(out).collect();
        realms.iter().for_each(|realm| self.say_realm(now, realm));
    }

    /// Tells of a realm unless the controller knows, or owes an answer about it.
    fn announce_realm(&mut self, now: Now, realm: &RealmName) {
        let said = self.announced.said.get(realm).copied().flatten();
        if said != self.executor.outage(realm) && !self.announced.asked.contains(realm) {
            self.say_realm(now, realm);
        }
    }

    fn say_realm(&mut self, now: Now, realm: &RealmName) {
        let Some((peer, version, encoding)) =
            self.association.controller().filter(|_| self.association.is_registered())
        else {
            return;
        };
        let outage = self.executor.outage(realm);
        let (method, reason) = match outage {
            Some(outage) => (ServiceChangeMethod::Forced, outage.reason()),
            None => (ServiceChangeMethod::Restart, ErrorCode::SERVICE_RESTORED),
        };
        let mut request = ServiceChangeRequest::new(method, reason);
        request.timestamp = self.timestamp(now);
        let interface = self.executor.interface(realm);
        let name = TerminationId::Path(format!("ip/*/{interface}/*").as_str().into());
        self.announced.asked.insert(realm.clone());
        self.announced.said.insert(realm.clone(), outage);
        let manner = Manner { peer, version, encoding };
        let actions = service_change(ContextId::All, name, request);
        self.ask(now, manner, actions, Purpose::Realm(realm.clone()));
    }

    /// The controller has heard of a realm. That may have changed meanwhile.
    pub(super) fn realm_answered(&mut self, now: Now, realm: &RealmName) {
        self.announced.asked.remove(realm);
        if self.announced.said.get(realm) == Some(&None) && self.executor.outage(realm).is_none() {
            self.announced.said.remove(realm);
        }
        self.announce_realm(now, realm);
    }
}

/// ServiceChange as the only command of a transaction.
pub(super) fn service_change(
    context: ContextId,
    name: TerminationId,
    request: ServiceChangeRequest,
) -> Vec<ActionRequest> {
    let command = CommandRequest::new(name, Command::ServiceChange(Box::new(request)));
    vec![ActionRequest {
        context,
        properties: ContextProperties::default(),
        audit: None,
        commands: vec![command],
    }]
}

pub(super) fn root_service_change(request: ServiceChangeRequest) -> Vec<ActionRequest> {
    service_change(ContextId::Null, TerminationId::Root, request)
}
