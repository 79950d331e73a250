//! What there is, for audits, the admin pages and metrics: plain copies without keys (SRTP-12), lists in pages, so that a list of
//! 100,000 contexts stalls nobody.

use super::Controller;
use super::registry::{Context, Termination};
use super::stream::Stream;
use crate::command::order::Treatment;
use crate::io::PortOpener;
use crate::io::stream::StreamOpener;
use crate::model::{
    Bearer, ContextAttributes, ContextId, IceEvent, Leg, LocalStream, Mode, Policing, Remote, SourceFilter,
    TerminationId, Transport,
};
use crate::ports::{Partition, RealmPorts};
use std::net::{IpAddr, SocketAddr};
use std::ops::Bound;

pub use super::registry::TRANSPORTS;

/// A context as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct ContextView {
    /// Its number.
    pub id: ContextId,
    /// What the front end said of it.
    pub attributes: ContextAttributes,
    /// The worker that runs it, once it has a stream.
    pub worker: Option<usize>,
    /// Its terminations.
    pub terminations: Vec<TerminationDetail>,
}

/// A termination as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct TerminationDetail {
    /// Its number.
    pub id: TerminationId,
    /// The side of its first stream.
    pub leg: Option<Leg>,
    /// Its streams, by number.
    pub streams: Vec<StreamView>,
}

/// A stream as it is. Of keys only the suite is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamView {
    /// Its number, realm and addresses.
    pub local: LocalStream,
    /// Its transport.
    pub transport: Transport,
    /// Its gate.
    pub mode: Mode,
    /// The peer's addresses, as signalled.
    pub remote: Option<Remote>,
    /// The peer's addresses as they were learned from its packets, of RTP and of RTCP; they are used in place of `remote`'s.
    pub learned: [Option<SocketAddr>; 2],
    /// What happens to its packets.
    pub treatment: Option<Treatment>,
    /// Whether the same stream is at the other side.
    pub joined: bool,
    /// What became of its connection, if it is one and something did.
    pub connection: Option<Bearer>,
    /// What became of ICE last, if it has it.
    pub ice: Option<IceEvent>,
    /// What became of its TLS or DTLS session.
    pub session: Option<Bearer>,
    /// The suite of what the peer sends.
    pub inbound_suite: Option<&'static str>,
    /// The suite of what is sent to the peer.
    pub outbound_suite: Option<&'static str>,
    /// Which sources are listened to.
    pub filter: SourceFilter,
    /// How much the peer may send.
    pub policing: Option<Policing>,
    /// The DiffServ code point of what is sent.
    pub dscp: u8,
    /// What is sent carries the code point with which it came, where that is known.
    pub copy_dscp: bool,
}

/// How much there is, for metrics.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Contexts.
    pub contexts: usize,
    /// Terminations, in the order of [`Leg::ALL`].
    pub terminations: [usize; 2],
    /// Streams by transport.
    pub streams: [(Transport, usize); TRANSPORTS.len()],
    /// Open ports.
    pub open_ports: usize,
    /// How often a port was found in the hands of another process, since the start.
    pub foreign_ports: u64,
    /// Certificates in stock.
    pub certificates_ready: usize,
    /// Certificates that were made while a command waited, since the start: the stock was empty.
    pub certificates_late: u64,
    /// Orders that workers have not answered yet.
    pub unconfirmed_orders: usize,
}

impl<O: PortOpener + StreamOpener> Controller<O> {
    /// At most `limit` contexts after `after`, by number.
    pub fn contexts(&self, after: Option<ContextId>, limit: usize) -> Vec<ContextView> {
        let contexts = self
            .registry
            .contexts()
            .range((after.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded));
        contexts.take(limit).map(|(id, context)| self.context_view(*id, context)).collect()
    }

    /// One context.
    pub fn context(&self, id: ContextId) -> Option<ContextView> {
        self.registry.contexts().get(&id).map(|context| self.context_view(id, context))
    }

    /// At most `limit` contexts that were created and have no termination yet.
    pub fn empty_contexts(&self, limit: usize) -> Vec<ContextId> {
        self.registry.empty_contexts().iter().take(limit).copied().collect()
    }

    /// The context that a termination is in.
    pub fn context_of(&self, termination: TerminationId) -> Option<ContextId> {
        self.registry.terminations().get(&termination).map(|found| found.context)
    }

    /// How much there is.
    pub fn counts(&self) -> Counts {
        let census = &self.registry.census;
        Counts {
            contexts: self.registry.contexts().len(),
            terminations: Leg::ALL.map(|leg| census.terminations(leg)),
            streams: TRANSPORTS.map(|transport| (transport, census.streams(transport))),
            open_ports: self.sockets.open_ports(),
            foreign_ports: self.sockets.foreign_ports(),
            certificates_ready: self.identities.len(),
            certificates_late: self.identities_late,
            unconfirmed_orders: self.tickets.unconfirmed(),
        }
    }

    /// What the ports of each realm are doing.
    pub fn realm_ports(&self) -> Vec<RealmPorts> {
        self.sockets.realms.usage().collect()
    }

    /// How each realm's ports are divided between the workers, for flow steering.
    pub fn partitions(&self) -> Vec<Partition> {
        (0..self.sockets.realms.len()).map(|realm| self.sockets.realms.realm(realm).partition()).collect()
    }

    /// The local addresses of all realms, with the side that they face:
    /// [`PortKey::address`](crate::command::order::PortKey::address) points into them.
    pub fn local_addresses(&self) -> &[(IpAddr, Leg)] {
        self.sockets.realms.addresses()
    }

    /// Flows of each worker, those included that are about to go.
    pub fn flows_by_worker(&self) -> Vec<usize> {
        self.links.iter().map(|link| link.flows.len()).collect()
    }

    /// Orders that each worker has not answered yet, and those that it will get for flows on their way to it.
    pub fn outstanding_by_worker(&self) -> Vec<usize> {
        self.links.iter().map(super::links::Link::outstanding).collect()
    }

    /// Whether no context is made any more.
    pub fn is_draining(&self) -> bool {
        self.draining
    }

    fn context_view(&self, id: ContextId, context: &Context) -> ContextView {
        let terminations = context.terminations.iter().filter_map(|id| {
            let found = self.registry.terminations().get(id)?;
            Some(self.termination_detail(*id, found))
        });
        ContextView {
            id,
            attributes: context.attributes,
            worker: context.worker,
            terminations: terminations.collect(),
        }
    }

    fn termination_detail(&self, id: TerminationId, termination: &Termination) -> TerminationDetail {
        let streams =
            termination.streams.iter().map(|stream| self.stream_view(termination, stream)).collect();
        TerminationDetail { id, leg: termination.leg(), streams }
    }

    fn stream_view(&self, termination: &Termination, stream: &Stream) -> StreamView {
        StreamView {
            local: self.local_stream(termination, stream),
            transport: stream.asked.transport,
            mode: stream.asked.mode,
            remote: stream.asked.remote,
            learned: stream.learned,
            treatment: stream.told.as_ref().map(|told| told.treatment),
            joined: stream.origin.is_none() && stream.told.as_ref().is_some_and(|told| told.peer.is_some()),
            connection: stream.bearers.as_ref().and_then(|bearers| bearers.connection),
            ice: stream.edge.as_ref().and_then(|edge| edge.ice),
            session: stream.bearers.as_ref().and_then(|bearers| bearers.session),
            inbound_suite: stream.keys.inbound.map(|mark| mark.suite.name()),
            outbound_suite: stream.keys.outbound.map(|mark| mark.suite.name()),
            filter: stream.asked.filter.clone(),
            policing: stream.asked.policing,
            dscp: stream.asked.dscp,
            copy_dscp: stream.asked.copy_dscp,
        }
    }
}
