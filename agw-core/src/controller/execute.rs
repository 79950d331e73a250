//! The commands. Each goes: check, take, change. What can fail stands before the first change, and gives back what it took.

use super::Controller;
use super::bundle;
use super::config::Reserve;
use super::connection;
use super::draft::{self, Draft, Revision};
use super::links::{FlowRecord, Purpose};
use super::moving::Whereabouts;
use super::registry::{MAX_TERMINATIONS_PER_CONTEXT, Termination};
use super::sockets::{Held, Opening, refusal_of};
use super::stream::{Facing, Shape, Stream};
use crate::command::order::{FlowId, Order};
use crate::command::{Command, Gateway, Refusal, Reply, Ticket};
use crate::flow::Flow;
use crate::flow::tcp::TcpFlow;
use crate::io::PortOpener;
use crate::io::stream::StreamOpener;
use crate::model::{
    ContextAttributes, ContextId, LocalStream, RtcpPorts, StreamId, StreamSpec, TerminationId,
    TerminationView,
};
use agw_tls::Identity;
use std::net::SocketAddr;

impl<O: PortOpener + StreamOpener> Gateway for Controller<O> {
    fn execute(&mut self, command: Command) -> Result<Reply, Refusal> {
        match command {
            Command::CreateContext(attributes) => self.create_context(attributes),
            Command::SetAttributes(context, attributes) => self.set_attributes(context, attributes),
            Command::RemoveContext(context) => self.remove_context(context),
            Command::Add { context, streams } => self.add(context, &streams),
            Command::Modify { termination, streams } => self.modify(termination, &streams),
            Command::Move { termination, to, streams } => self.move_to(termination, to, &streams),
            Command::Subtract(termination) => self.subtract(termination),
            Command::ReadStatistics(termination) => self.read_statistics(termination),
        }
    }
}

impl<O: PortOpener + StreamOpener> Controller<O> {
    fn create_context(&mut self, attributes: ContextAttributes) -> Result<Reply, Refusal> {
        if self.draining {
            return Err(Refusal::OutOfResources("capacity: draining"));
        }
        let kept = self.kept_from(attributes).of(self.limits.contexts);
        if self.registry.contexts().len() + kept >= self.limits.contexts {
            return Err(Refusal::OutOfContexts);
        }
        Ok(Reply::Context(self.registry.create_context(attributes)))
    }

    /// What is kept from a context with these attributes.
    fn kept_from(&self, attributes: ContextAttributes) -> Reserve {
        match attributes.is_privileged(self.limits.reserve.high_priority) {
            true => Reserve::default(),
            false => self.limits.reserve,
        }
    }

    fn set_attributes(&mut self, id: ContextId, attributes: ContextAttributes) -> Result<Reply, Refusal> {
        self.check_room(None, 0, 0, Purpose::Ordinary)?;
        self.registry.context_mut(id)?.attributes = attributes;
        Ok(Reply::Accepted(self.finish()))
    }

    fn add(&mut self, context: ContextId, streams: &[(StreamId, StreamSpec)]) -> Result<Reply, Refusal> {
        let found = self.registry.context(context)?;
        if found.terminations.len() >= MAX_TERMINATIONS_PER_CONTEXT {
            return Err(Refusal::TooManyTerminations(context));
        }
        check_numbers(streams)?;
        self.check_stream_count(streams.len())?;
        let (fixed_worker, opposite) = (found.worker, found.terminations.first().copied());
        let drafts = streams
            .iter()
            .map(|(id, spec)| self.draft(opposite, *id, spec))
            .collect::<Result<Vec<Draft>, Refusal>>()?;
        // Each stream is installed, and its namesake told of it.
        let placed = self.place(context, fixed_worker, &drafts, 2 * drafts.len())?;

        let id = self.registry.next_termination();
        let streams = self.commit_drafts(context, id, drafts, placed);
        self.registry.insert(id, Termination { context, streams });
        self.settle(context);
        Ok(Reply::Termination(self.view(id)?, self.finish()))
    }

    pub(super) fn modify(
        &mut self,
        id: TerminationId,
        streams: &[(StreamId, StreamSpec)],
    ) -> Result<Reply, Refusal> {
        let context = self.registry.termination(id)?.context;
        let fixed_worker = self.registry.context(context)?.worker;
        let opposite = self.registry.opposite(id).map(|(other, _)| other);
        let Changes { drafts, revisions } = self.changes(id, opposite, streams)?;
        let placed = self.place(context, fixed_worker, &drafts, self.orders_for(id, streams.len()))?;
        if let Err(refusal) = self.tune(id, &revisions) {
            self.unplace(placed);
            return Err(refusal);
        }

        let added = self.commit_drafts(context, id, drafts, placed);
        self.commit_revisions(id, revisions, added);
        self.settle(context);
        Ok(Reply::Termination(self.view(id)?, self.finish()))
    }

    /// Checks what is to change of a termination that faces `opposite`.
    pub(super) fn changes(
        &self,
        id: TerminationId,
        opposite: Option<TerminationId>,
        streams: &[(StreamId, StreamSpec)],
    ) -> Result<Changes, Refusal> {
        let termination = self.registry.termination(id)?;
        check_numbers(streams)?;
        let (mut drafts, mut revisions) = (Vec::new(), Vec::with_capacity(streams.len()));
        for (stream, spec) in streams {
            match termination.find(*stream) {
                Some(at) => revisions.push(draft::revise(
                    &self.sockets.realms,
                    &self.srtp,
                    at,
                    &termination.streams[at],
                    spec,
                )?),
                None => drafts.push(self.draft(opposite, *stream, spec)?),
            }
        }
        self.check_stream_count(termination.streams.len() + drafts.len())?;
        Ok(Changes { drafts, revisions })
    }

    fn subtract(&mut self, id: TerminationId) -> Result<Reply, Refusal> {
        let termination = self.registry.termination(id)?;
        let context = termination.context;
        let worker = self.registry.context(context)?.worker;
        let left_behind = self.registry.opposite(id).map_or(0, |(_, other)| other.streams.len());
        self.check_room(worker, termination.streams.len() + left_behind, 0, Purpose::Removal)?;

        let removed = self.registry.remove(id);
        self.settle(context);
        self.order_removal(worker, removed);
        Ok(Reply::Statistics(self.finish()))
    }

    fn remove_context(&mut self, id: ContextId) -> Result<Reply, Refusal> {
        let context = self.registry.context(id)?.clone();
        let streams = context.terminations.iter().map(|termination| {
            self.registry.terminations().get(termination).map_or(0, |found| found.streams.len())
        });
        self.check_room(context.worker, streams.sum(), 0, Purpose::Removal)?;

        for termination in context.terminations {
            let removed = self.registry.remove(termination);
            self.order_removal(context.worker, removed);
        }
        self.registry.remove_empty(id);
        Ok(Reply::Statistics(self.finish()))
    }

    fn read_statistics(&mut self, id: TerminationId) -> Result<Reply, Refusal> {
        let termination = self.registry.termination(id)?;
        let worker = self.registry.context(termination.context)?.worker;
        self.check_room(worker, termination.streams.len(), 0, Purpose::Ordinary)?;
        if !termination.streams.iter().all(|stream| self.passages.has_room_to_read(stream)) {
            return Err(Refusal::OutOfResources("worker queue"));
        }
        if let Some(link) = worker.and_then(|worker| self.links.get_mut(worker)) {
            for stream in &termination.streams {
                let order = self.tickets.number();
                match stream.origin {
                    Some(origin) => self.passages.read(origin, order),
                    None => link.send(order, Order::Read(stream.flow)),
                }
            }
        }
        Ok(Reply::Statistics(self.finish()))
    }

    /// Checks a stream that is to be made, facing what the opposite termination has under its number.
    fn draft(
        &self,
        opposite: Option<TerminationId>,
        id: StreamId,
        spec: &StreamSpec,
    ) -> Result<Draft, Refusal> {
        let other = opposite.and_then(|other| self.registry.terminations().get(&other));
        let namesake = other.and_then(|other| other.find(id).map(|at| &other.streams[at]));
        if namesake.is_some_and(|other| !draft::joinable(other.asked.transport, spec.transport)) {
            return Err(Refusal::Unjoinable(id));
        }
        draft::draft(&self.sockets.realms, &self.srtp, id, spec)
    }

    /// How many orders a change of so many streams may take: each is told, and its namesake of it; and where streams share a port, all of the
    /// termination may have to be told.
    pub(super) fn orders_for(&self, id: TerminationId, changed: usize) -> usize {
        let streams = self.registry.terminations().get(&id).map_or(&[][..], |found| &found.streams);
        let is_bundled = changed > 0 && streams.iter().any(|stream| bundle::is_bundled(&stream.asked));
        2 * changed + if is_bundled { streams.len() } else { 0 }
    }

    fn check_stream_count(&self, streams: usize) -> Result<(), Refusal> {
        if streams > self.limits.streams_per_termination { Err(Refusal::TooManyStreams) } else { Ok(()) }
    }

    pub(super) fn check_room(
        &self,
        worker: Option<usize>,
        orders: usize,
        installs: usize,
        purpose: Purpose,
    ) -> Result<(), Refusal> {
        // One more number, for a command that turns out to need no order.
        if !self.tickets.has_room(orders + 1) {
            return Err(Refusal::OutOfResources("worker queue"));
        }
        let link = worker.and_then(|worker| self.links.get(worker));
        link.map_or(Ok(()), |link| link.check_room(orders, installs, purpose))
    }

    /// Finds a worker with room for the orders and opens the ports of the new streams there; or does nothing.
    pub(super) fn place(
        &mut self,
        context: ContextId,
        fixed: Option<usize>,
        drafts: &[Draft],
        orders: usize,
    ) -> Result<Placed, Refusal> {
        let kept = self.kept_from(self.registry.context(context)?.attributes);
        self.have_identities(drafts.iter().filter(|draft| draft.needs_identity()).count())?;
        let fixed = match drafts.is_empty() {
            true => fixed,
            false => self.worker_of_named_ports(fixed, drafts)?,
        };
        if fixed.is_some() || drafts.is_empty() {
            return self.place_on(fixed, drafts, orders, kept);
        }
        // The worker with fewest flows first; the others only if its share of the ports is used up, or its queue.
        let mut tried = 0_u128;
        let mut refusal = Refusal::OutOfResources("workers");
        loop {
            let untried = |&worker: &usize| tried & (1 << worker) == 0 && self.links[worker].is_alive();
            let fewest =
                (0..self.links.len()).filter(untried).min_by_key(|&worker| self.links[worker].flows.len());
            let Some(worker) = fewest else { return Err(refusal) };
            match self.place_on(Some(worker), drafts, orders, kept) {
                Err(
                    full @ (Refusal::OutOfPorts(_)
                    | Refusal::OutOfResources("worker queue" | "flows of a worker")),
                ) => refusal = full,
                settled => return settled,
            }
            tried |= 1 << worker;
        }
    }

    /// Makes sure that there are so many certificates (TLS-1).
    fn have_identities(&mut self, count: usize) -> Result<(), Refusal> {
        while self.identities.len() < count {
            let made = Identity::generate().map_err(|_| Refusal::OutOfResources("certificates"))?;
            self.identities.push(made);
            self.identities_late += 1;
        }
        Ok(())
    }

    fn place_on(
        &mut self,
        worker: Option<usize>,
        drafts: &[Draft],
        orders: usize,
        kept: Reserve,
    ) -> Result<Placed, Refusal> {
        self.check_room(worker, orders, drafts.len(), Purpose::Ordinary)?;
        let Some(at) = worker.filter(|_| !drafts.is_empty()) else {
            return Ok(Placed { worker, held: Vec::new() });
        };
        let held = self.sockets.open_all(at, drafts.iter().map(|draft| &draft.opening), kept, self.now_ms)?;
        Ok(Placed { worker, held })
    }

    /// The worker that the ports which the command names belong to.
    fn worker_of_named_ports(
        &self,
        fixed: Option<usize>,
        drafts: &[Draft],
    ) -> Result<Option<usize>, Refusal> {
        let mut worker = fixed;
        for Opening { stream, realm, wanted, .. } in drafts.iter().map(|draft| draft.opening) {
            let Some(port) = wanted.port else { continue };
            let owner = self.sockets.realms.realm(realm).worker_of(port);
            if owner.is_none() || worker.is_some_and(|worker| owner != Some(worker)) {
                return Err(Refusal::PortUnavailable(stream));
            }
            worker = owner;
        }
        Ok(worker)
    }

    pub(super) fn unplace(&mut self, placed: Placed) {
        if let Some(worker) = placed.worker {
            placed.held.into_iter().for_each(|held| self.sockets.undo(worker, held));
        }
    }

    /// Changes the code points of running streams, all or none.
    pub(super) fn tune(&mut self, id: TerminationId, revisions: &[Revision]) -> Result<(), Refusal> {
        let termination = self.registry.termination(id)?;
        for (done, revision) in revisions.iter().enumerate() {
            let stream = &termination.streams[revision.at];
            if stream.asked.dscp == revision.asked.dscp {
                continue;
            }
            if let Err(error) = self.sockets.tune(stream.held, revision.asked.dscp) {
                for revision in &revisions[..=done] {
                    let stream = &termination.streams[revision.at];
                    // What was possible before is possible again; if not, nothing better can be done.
                    let _ = self.sockets.tune(stream.held, stream.asked.dscp);
                }
                return Err(refusal_of(&error));
            }
        }
        Ok(())
    }

    /// Makes streams of drafts whose ports are open.
    pub(super) fn commit_drafts(
        &mut self,
        context: ContextId,
        termination: TerminationId,
        drafts: Vec<Draft>,
        placed: Placed,
    ) -> Vec<Stream> {
        let Some(worker) = placed.worker else { return Vec::new() };
        if let Ok(context) = self.registry.context_mut(context) {
            context.worker = Some(worker);
        }
        let mut streams: Vec<Stream> = Vec::with_capacity(drafts.len());
        for (draft, held) in drafts.into_iter().zip(placed.held) {
            let (id, needs_identity) = (draft.opening.stream, draft.needs_identity());
            let record = FlowRecord { termination, stream: id, held, leaving: false, departing: false };
            let flow = FlowId(self.links[worker].flows.insert(record) as u32);
            let mut stream = Stream {
                id,
                realm: draft.opening.realm,
                leg: draft.leg,
                asked: draft.asked,
                keys: draft.keys,
                fresh: draft.fresh,
                latching: false,
                relearn: false,
                unlearn: false,
                flow,
                origin: None,
                held,
                ports: self.sockets.bindings(held),
                learned: [None; 2],
                bearers: None,
                edge: None,
                reads_dscp: false,
                told: None,
            };
            stream.signal_latching(draft.latch);
            let asked = stream.asked.clone();
            stream.follow_edge(&asked, draft.actions.as_ref(), &mut self.names);
            if let Some(actions) = draft.actions {
                let local = self.told_address(&stream);
                stream.act(actions, local, &mut self.names);
            }
            if needs_identity && let Some(identity) = self.identities.pop() {
                stream.bearers.get_or_insert_default().take_identity(identity);
            }
            streams.push(stream);
        }
        streams.sort_unstable_by_key(|stream| stream.id);
        streams
    }

    pub(super) fn commit_revisions(
        &mut self,
        id: TerminationId,
        revisions: Vec<Revision>,
        added: Vec<Stream>,
    ) {
        let always = self.latch == super::LatchPolicy::Always;
        let mut census = self.registry.census;
        let Ok(termination) = self.registry.termination_mut(id) else { return };
        census.count_out(termination);
        for revision in revisions {
            let stream = &mut termination.streams[revision.at];
            // Where everybody is latched, a new address means that the peer has moved: learn again.
            stream.relearn |= always && stream.asked.remote != revision.asked.remote;
            stream.follow_edge(&revision.asked, revision.actions.as_ref(), &mut self.names);
            stream.asked = revision.asked;
            stream.keys = revision.keys;
            stream.fresh.take_in(revision.fresh);
            if let Some(actions) = revision.actions {
                let taken = stream.held.taken;
                let local = SocketAddr::new(self.sockets.realms.address(taken).told(), taken.port);
                stream.act(actions, local, &mut self.names);
            }
            stream.signal_latching(revision.latch);
        }
        termination.streams.extend(added);
        termination.streams.sort_unstable_by_key(|stream| stream.id);
        census.count_in(termination);
        self.registry.census = census;
    }

    /// Orders what makes the workers run a context as it is now: new flows first, then what has changed for those that ran.
    pub(super) fn settle(&mut self, context: ContextId) {
        let Ok(found) = self.registry.context(context) else { return };
        let Some(worker) = found.worker else { return };
        let terminations = found.terminations.clone();
        for installing in [true, false] {
            for id in &terminations {
                let streams = self.registry.termination(*id).map_or(0, |found| found.streams.len());
                (0..streams).for_each(|at| self.settle_stream(worker, *id, at, installing));
            }
        }
    }

    fn settle_stream(&mut self, worker: usize, id: TerminationId, at: usize, installing: bool) {
        let stream = self.registry.termination(id).map(|termination| &termination.streams[at]);
        if stream.is_ok_and(|stream| installing == stream.told.is_none())
            && let Some(order) = self.order_for(id, at)
        {
            self.links[worker].send(self.tickets.number(), order);
        }
    }

    /// The order that makes its worker run a stream as it should run now. `None`: it does, or its flow is on the way to the worker.
    pub(super) fn order_for(&mut self, id: TerminationId, at: usize) -> Option<Order> {
        let stream = &self.registry.termination(id).ok()?.streams[at];
        if stream.origin.is_some() {
            return None;
        }
        let facing = self.registry.facing(id, stream.id);
        self.follow_dscp(id, at, facing);
        let shape = self.shape_of(id, at, facing)?;
        let stream = &self.registry.termination(id).ok()?.streams[at];
        if stream.told.as_ref() == Some(&shape) && stream.fresh.is_empty() && !stream.is_to_act() {
            return None;
        }
        let stream = &mut self.registry.termination_mut(id).ok()?.streams[at];
        let is_new = stream.told.is_none();
        if shape.connection.is_some() {
            let plan = stream.tell_connection(shape, &self.tcp, &self.tls)?;
            return Some(match is_new {
                true => Order::InstallTcp(stream.flow, Box::new(TcpFlow::new(plan))),
                false => Order::ChangeTcp(stream.flow, Box::new(plan)),
            });
        }
        let plan = stream.tell(shape, &self.dtls[stream.realm], &self.srtp.policy);
        Some(match is_new {
            true => Order::Install(stream.flow, Box::new(Flow::new(plan))),
            false => Order::Change(stream.flow, Box::new(plan)),
        })
    }

    /// How a stream is to run, with what follows from the other streams of its termination and from its namesake.
    pub(super) fn shape_of(&self, id: TerminationId, at: usize, facing: Option<Facing>) -> Option<Shape> {
        let termination = self.registry.termination(id).ok()?;
        let stream = &termination.streams[at];
        let mut shape = stream.shape(facing, self.latch, &self.edge, self.feedback);
        let opposite = self.registry.opposite(id).map(|(_, other)| other);
        if let Some((other, at)) = opposite.and_then(|other| Some((other, other.find(stream.id)?))) {
            let namesake = &other.streams[at];
            if let Some(connection) = &mut shape.connection {
                connection.rewrite = connection::rewrite(stream, namesake);
            }
            shape.renumbering = bundle::renumbering(stream, namesake);
        }
        let head = bundle::head_of(termination, stream);
        if head.id == stream.id {
            shape.bundle = bundle::plan(termination, stream);
        } else {
            // Checks and DTLS are the affair of the one whose port it is.
            (shape.bundled_in, shape.edge) = (Some(head.flow), None);
        }
        Some(shape)
    }

    /// Lets a stream's ports tell code points if the other side copies them, and only then: it costs a dearer receive call.
    pub(super) fn follow_dscp(&mut self, id: TerminationId, at: usize, facing: Option<Facing>) {
        let wanted = facing.is_some_and(|facing| facing.copies_dscp);
        let Ok(termination) = self.registry.termination_mut(id) else { return };
        let stream = &mut termination.streams[at];
        if stream.reads_dscp != wanted {
            stream.reads_dscp = wanted;
            self.sockets.read_dscp(stream.held, wanted);
        }
    }

    fn order_removal(&mut self, worker: Option<usize>, removed: Option<Termination>) {
        let Some((worker, removed)) = worker.zip(removed) else { return };
        for stream in removed.streams {
            let order = self.tickets.number();
            let at = stream.origin.unwrap_or(Whereabouts { worker, flow: stream.flow });
            let link = &mut self.links[at.worker];
            if let Some(record) = link.flows.get_mut(at.flow.0 as usize) {
                record.leaving = true;
            }
            match stream.origin {
                Some(origin) => self.passages.remove(origin, order),
                None => link.send(order, Order::Remove(stream.flow)),
            }
        }
    }

    /// Ends a command: names its ticket. Its workers are woken with those of the turn's other commands.
    pub(super) fn finish(&mut self) -> Ticket {
        self.tickets.end_command()
    }

    /// Wakes the workers that were sent orders since the last call. [`Controller::poll_event`] does so when it has nothing more.
    pub fn wake_workers(&mut self) {
        for (worker, link) in self.links.iter_mut().enumerate() {
            if link.take_wake() {
                self.sockets.opener.wake(worker);
            }
        }
    }

    pub(super) fn view(&self, id: TerminationId) -> Result<TerminationView, Refusal> {
        let termination = self.registry.termination(id)?;
        let streams =
            termination.streams.iter().map(|stream| self.local_stream(termination, stream)).collect();
        Ok(TerminationView { id, streams })
    }

    /// What peers are told of a stream: of one in a bundle, what they are told of the one whose port it uses.
    pub(super) fn local_stream(&self, termination: &Termination, stream: &Stream) -> LocalStream {
        let id = stream.id;
        let stream = bundle::head_of(termination, stream);
        let rtp = self.told_address(stream);
        let rtcp = match stream.asked.rtcp {
            RtcpPorts::Pair => Some(SocketAddr::new(rtp.ip(), rtp.port() | 1)),
            RtcpPorts::Mux => Some(rtp),
            RtcpPorts::None => None,
        };
        let realm = self.sockets.realms.realm(stream.realm).name.clone();
        LocalStream {
            stream: id,
            realm,
            rtp,
            rtcp,
            fingerprints: stream.bearers.as_ref().map(|bearers| bearers.fingerprints()).unwrap_or_default(),
            ice: stream.edge.as_ref().and_then(|edge| edge.own.clone()).map(Box::new),
            msrp_path: stream.bearers.as_ref().and_then(|bearers| bearers.own_path.clone()),
        }
    }

    /// Where the peer is told to send.
    fn told_address(&self, stream: &Stream) -> SocketAddr {
        let taken = stream.held.taken;
        SocketAddr::new(self.sockets.realms.address(taken).told(), taken.port)
    }
}

/// What a command changes of a termination, checked.
#[derive(Debug)]
pub(super) struct Changes {
    /// Streams that are to be made.
    pub(super) drafts: Vec<Draft>,
    /// Streams that go on otherwise.
    pub(super) revisions: Vec<Revision>,
}

/// Open ports on a worker, for streams that are about to be made.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) worker: Option<usize>,
    held: Vec<Held>,
}

fn check_numbers(streams: &[(StreamId, StreamSpec)]) -> Result<(), Refusal> {
    if streams.len() > super::MAX_STREAMS_PER_TERMINATION {
        return Err(Refusal::TooManyStreams);
    }
    for (at, (id, _)) in streams.iter().enumerate() {
        if streams[..at].iter().any(|(earlier, _)| earlier == id) {
            return Err(Refusal::DuplicateStream(*id));
        }
    }
    Ok(())
}
