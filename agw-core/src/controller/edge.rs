//! What ends at a port besides media, as the controller keeps it: our ICE credentials with the number of their generation, and the number of the
//! DTLS association, which grow when Iq asks for others (DTLS-4; RFC 8842 section 5, RFC 8445 section 9). Certificates are kept as for connections.

use super::config::EdgeRules;
use super::connection::{Actions, Names};
use super::stream::{Asked, Stream};
use crate::command::Refusal;
use crate::command::order::{DtlsMeans, DtlsPlan, EdgePlan, IcePlan};
use crate::model::{
    Fingerprint, IceCredential, IceEvent, MAX_CANDIDATES, MAX_FINGERPRINTS, RtcpPorts, StreamSpec, Transport,
};
use crate::ports::RealmConfig;
use agw_dtls::{Settings, SettingsError};
use agw_srtp::Policy;
use std::net::SocketAddr;

/// Characters of a fragment of ours, each of four random bits: twice what RFC 8839 section 5.4 asks for.
const UFRAG_CHARACTERS: usize = 12;

/// What was asked of it and can change. Actions are not kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AskedEdge {
    ice: Option<AskedIce>,
    dtls: Option<AskedDtls>,
}

#[derive(Debug, Clone, PartialEq)]
struct AskedIce {
    peer_ufrag: Option<Box<str>>,
    candidates: Box<[SocketAddr]>,
}

#[derive(Debug, Clone, PartialEq)]
struct AskedDtls {
    fingerprints: Vec<Fingerprint>,
    unknown: bool,
    /// The association as the controller names it.
    name: Option<Box<str>>,
}

impl AskedEdge {
    /// `None`: only media end here.
    pub(super) fn new(spec: &StreamSpec) -> Option<Box<Self>> {
        let ice = spec.ice.as_ref().map(|ice| AskedIce {
            peer_ufrag: ice.peer.as_ref().map(|peer| peer.ufrag().into()),
            candidates: ice.candidates.clone().into(),
        });
        let said = spec.tls.as_deref();
        let dtls = matches!(spec.transport, Transport::DtlsRtp { .. }).then(|| AskedDtls {
            fingerprints: said.map(|tls| tls.peer.clone()).unwrap_or_default(),
            unknown: said.is_some_and(|tls| tls.peer_unknown),
            name: said.and_then(|tls| tls.association.clone()),
        });
        (ice.is_some() || dtls.is_some()).then(|| Box::new(Self { ice, dtls }))
    }

    /// Whether it has ICE.
    pub(super) const fn has_ice(&self) -> bool {
        self.ice.is_some()
    }

    /// Whether it has DTLS, and so a certificate.
    pub(super) const fn has_dtls(&self) -> bool {
        self.dtls.is_some()
    }
}

/// What a stream has of it.
#[derive(Debug, Default)]
pub(super) struct EdgeState {
    /// Our fragment and password.
    pub(super) own: Option<IceCredential>,
    generation: u32,
    /// The peer's fragment at the last restart: its new one is not known while it is this.
    stale: Option<Box<str>>,
    association: u32,
    /// What became of ICE last, for people to see.
    pub(super) ice: Option<IceEvent>,
}

/// With what DTLS is spoken in each realm.
pub(super) fn profiles(
    realms: &[RealmConfig],
    rules: &EdgeRules,
) -> Result<Box<[agw_dtls::Profile]>, SettingsError> {
    let common = agw_dtls::Profile::new(rules.dtls.clone())?;
    let profile = |realm: &RealmConfig| match rules.engines.iter().find(|(name, _)| *name == realm.name) {
        Some((_, engine)) => agw_dtls::Profile::new(Settings { engine: *engine, ..rules.dtls.clone() }),
        None => Ok(common.clone()),
    };
    realms.iter().map(profile).collect()
}

/// Checks what cannot be done.
pub(super) fn check(asked: &Asked, spec: &StreamSpec) -> Result<(), Refusal> {
    if asked.connection.is_some() && spec.ice.is_some() {
        return Err(Refusal::NotImplemented("ICE of a connection"));
    }
    let Some(edge) = asked.edge.as_deref() else { return Ok(()) };
    if edge.ice.as_ref().is_some_and(|ice| ice.candidates.len() > MAX_CANDIDATES) {
        return Err(Refusal::NotImplemented("more than 32 candidates"));
    }
    let Some(dtls) = &edge.dtls else { return Ok(()) };
    if dtls.fingerprints.len() > MAX_FINGERPRINTS {
        return Err(Refusal::NotImplemented("more than 8 fingerprints"));
    }
    if spec.tls.as_ref().is_some_and(|tls| tls.psk.is_some()) {
        return Err(Refusal::NotImplemented("DTLS with a pre-shared key"));
    }
    if asked.rtcp == RtcpPorts::Pair {
        return Err(Refusal::NotImplemented("DTLS-SRTP without rtcp-mux"));
    }
    Ok(())
}

impl Stream {
    /// Takes note of what a command changes, before it is changed. Called for a new stream too, which then is as it will be.
    pub(super) fn follow_edge(&mut self, asked: &Asked, actions: Option<&Actions>, names: &mut Names) {
        let Some(edge) = asked.edge.as_deref() else {
            self.edge = None;
            return;
        };
        let before = self.asked.edge.as_deref();
        let before_ice = before.and_then(|edge| edge.ice.as_ref());
        let before_dtls = before.and_then(|edge| edge.dtls.as_ref());
        let state = self.edge.get_or_insert_default();
        if let Some(ice) = &edge.ice {
            let is_asked = actions.is_some_and(|actions| actions.choose_ice);
            if is_asked && state.own.is_some() {
                state.generation += 1;
                state.stale = before_ice.and_then(|before| before.peer_ufrag.clone());
            }
            if is_asked || state.own.is_none() {
                state.own = new_credential(names);
            }
            if ice.peer_ufrag != state.stale {
                state.stale = None;
            }
        }
        let Some((before, dtls)) = before_dtls.zip(edge.dtls.as_ref()) else { return };
        let is_client = self.bearers.as_ref().is_some_and(|bearers| bearers.is_tls_client());
        let is_renamed = before.name.is_some() && before.name != dtls.name;
        let is_another_peer = !before.fingerprints.is_empty()
            && !dtls.fingerprints.is_empty()
            && before.fingerprints != dtls.fingerprints;
        // A repeated order says nothing new where associations have names.
        let is_ordered =
            actions.is_some_and(|actions| actions.tls_client && !(is_client && dtls.name.is_some()));
        state.association += u32::from(is_renamed || is_another_peer || is_ordered);
    }

    /// How it is to run.
    pub(super) fn edge_plan(&self, rules: &EdgeRules) -> Option<Box<EdgePlan>> {
        let (asked, state) = (self.asked.edge.as_deref()?, self.edge.as_deref()?);
        let ice = asked.ice.as_ref().zip(state.own.as_ref()).map(|(ice, own)| IcePlan {
            generation: state.generation,
            own: own.clone(),
            peer_ufrag: ice.peer_ufrag.clone().filter(|ufrag| state.stale.as_ref() != Some(ufrag)),
            candidates: ice.candidates.clone(),
            wait_ms: rules.ice_wait_ms,
        });
        let dtls = asked.dtls.as_ref().map(|dtls| DtlsPlan {
            client: self.bearers.as_ref().is_some_and(|bearers| bearers.is_tls_client()),
            association: state.association,
            fingerprints: dtls.fingerprints.clone(),
            unknown: dtls.unknown,
        });
        Some(Box::new(EdgePlan { ice, dtls }))
    }

    /// With what DTLS is spoken, until the worker has got it.
    pub(super) fn take_means(
        &mut self,
        profile: &agw_dtls::Profile,
        policy: &Policy,
    ) -> Option<Box<DtlsMeans>> {
        if !self.asked.edge.as_ref().is_some_and(|edge| edge.has_dtls()) {
            return None;
        }
        let identity = self.bearers.as_mut()?.take_certificate()?;
        Some(Box::new(DtlsMeans { profile: profile.clone(), policy: policy.clone(), identity }))
    }
}

fn new_credential(names: &mut Names) -> Option<IceCredential> {
    let ufrag = names.next();
    IceCredential::new(&ufrag[..UFRAG_CHARACTERS], &names.next())
}
