//! What ends at a flow's port besides media (RFC 7983): connectivity checks at an ICE-lite agent, DTLS at an association. With ICE the peer is where
//! a check that authenticated came from, and nowhere else: DTLS and media of other addresses are not even looked at, and nothing is sent
//! elsewhere (DTLS-5, RLY-2). Without it the peer is where Iq says.

use super::dtls::Association;
use super::ice::{Change, Checked, IceCredentials, IceLite};
use crate::command::Observation;
use crate::command::order::{DtlsMeans, EdgePlan, IcePlan};
use crate::io::Now;
use crate::model::{Component, IceEvent};
use crate::worker::stats::DropReason;
use std::net::SocketAddr;

/// The state of it.
#[derive(Debug)]
pub(crate) struct Edge {
    ice: Option<Box<Ice>>,
    dtls: Option<Box<Association>>,
}

/// ICE at the ports of a flow.
#[derive(Debug)]
struct Ice {
    plan: IcePlan,
    /// By component.
    agents: [IceLite; 2],
    waits: Waits,
}

/// Whether the first check that authenticates is still waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// Not yet: nobody knows the peer.
    Not,
    Since(Now),
    /// It has come, or its absence has been told.
    Over,
}

/// What came of a check that was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered {
    /// Bytes of the answer; `None`: there is nothing to say.
    pub(crate) len: Option<usize>,
    /// What is to be told.
    pub(crate) events: [Option<IceEvent>; 2],
}

impl Edge {
    /// What there is goes on by a plan; `None`: nothing is wanted.
    pub(crate) fn follow(
        before: Option<Box<Self>>,
        plan: Option<&EdgePlan>,
        means: Option<Box<DtlsMeans>>,
    ) -> Option<Box<Self>> {
        let plan = plan?;
        let mut edge = before.unwrap_or_else(|| Box::new(Self { ice: None, dtls: None }));
        edge.ice = plan.ice.as_ref().map(|plan| Ice::follow(edge.ice.take(), plan));
        match (&plan.dtls, &mut edge.dtls) {
            (Some(plan), Some(association)) => association.follow(plan),
            (Some(plan), none) => {
                *none = means.map(|means| Box::new(Association::new(plan.clone(), means)));
            }
            (None, association) => *association = None,
        }
        Some(edge)
    }

    /// Whether checks are answered here.
    pub(crate) const fn has_ice(&self) -> bool {
        self.ice.is_some()
    }

    /// The DTLS association.
    pub(crate) fn association(&self) -> Option<&Association> {
        self.dtls.as_deref()
    }

    /// The DTLS association.
    pub(crate) fn association_mut(&mut self) -> Option<&mut Association> {
        self.dtls.as_deref_mut()
    }

    /// Whether ICE knows an address as the peer's; `None`: there is no ICE.
    pub(crate) fn vouches_for(&self, component: Component, source: SocketAddr) -> Option<bool> {
        let agent = &self.ice.as_deref()?.agents[component.index()];
        Some(agent.selected() == Some(source) || agent.vouches_for(source))
    }

    /// Whether a pair has been nominated.
    pub(crate) fn has_chosen(&self) -> bool {
        self.ice.as_deref().is_none_or(|ice| ice.agents[Component::Rtp.index()].selected().is_some())
    }

    /// Where ICE has it that the peer is; `None`: there is no ICE.
    pub(crate) fn destination(&self, component: Component) -> Option<Result<SocketAddr, DropReason>> {
        let agent = &self.ice.as_deref()?.agents[component.index()];
        if agent.has_lost_consent() {
            return Some(Err(DropReason::NoConsent));
        }
        Some(agent.destination().ok_or(DropReason::NoRemote))
    }

    /// A datagram named STUN has come to a port with ICE. Its answer is written over it.
    pub(crate) fn handle_check(
        &mut self,
        component: Component,
        buffer: &mut [u8],
        len: usize,
        source: SocketAddr,
        now: Now,
    ) -> Result<Answered, DropReason> {
        let Some(ice) = self.ice.as_deref_mut() else { return Err(DropReason::NotRtp) };
        let agent = &mut ice.agents[component.index()];
        let was_known = agent.vouches_for(source);
        match agent.handle(buffer, len, source, now) {
            Checked::Malformed => Err(DropReason::StunMalformed),
            Checked::Stranger => Err(DropReason::StunStranger),
            Checked::Silent => Ok(Answered { len: None, events: [None; 2] }),
            Checked::Answer { len, change } => {
                let is_known = agent.vouches_for(source);
                if is_known {
                    ice.waits = Waits::Over;
                }
                if component == Component::Rtcp {
                    return Ok(Answered { len: Some(len), events: [None; 2] });
                }
                let is_reflexive = is_known && !was_known && !ice.plan.candidates.contains(&source);
                let is_selected = change == Change::Selected;
                let events = [
                    is_reflexive.then_some(IceEvent::PeerReflexive(source)),
                    is_selected.then_some(IceEvent::Selected(source)),
                ];
                Ok(Answered { len: Some(len), events })
            }
        }
    }

    /// About once a second: what the clock says of ICE.
    pub(crate) fn look(&mut self, now: Now) -> Option<Observation> {
        let ice = self.ice.as_deref_mut()?;
        if ice.agents[Component::Rtp.index()].take_consent_loss(now) {
            return Some(Observation::Ice(IceEvent::ConsentLost));
        }
        match ice.waits {
            Waits::Not if ice.plan.peer_ufrag.is_some() => ice.waits = Waits::Since(now),
            Waits::Since(since)
                if now.as_millis().saturating_sub(since.as_millis()) >= ice.plan.wait_ms.into() =>
            {
                ice.waits = Waits::Over;
                return Some(Observation::Ice(IceEvent::Failed));
            }
            _ => {}
        }
        None
    }
}

impl Ice {
    fn follow(before: Option<Box<Self>>, plan: &IcePlan) -> Box<Self> {
        let credentials =
            || IceCredentials::new(plan.own.ufrag(), plan.own.password(), plan.peer_ufrag.as_deref());
        let Some(mut ice) = before else {
            let agents = [IceLite::new(credentials()), IceLite::new(credentials())];
            return Box::new(Self { plan: plan.clone(), agents, waits: Waits::Not });
        };
        if ice.plan.generation != plan.generation {
            ice.agents.iter_mut().for_each(|agent| agent.restart(credentials()));
        } else if ice.plan.peer_ufrag != plan.peer_ufrag
            && let Some(ufrag) = &plan.peer_ufrag
        {
            ice.agents.iter_mut().for_each(|agent| agent.set_peer_ufrag(ufrag));
        }
        ice.plan.clone_from(plan);
        ice
    }
}
