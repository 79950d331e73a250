//! What an Add, Modify or Move asks for, and how the model comes to agree (H.248.1 sections 7.1.7 and 7.1.8).
//!
//! A stream may leave us a choice of alternatives. Whether one can be done is known only to the model: it has the addresses, the ports and
//! the rules for keys. Commands are all or nothing there (IQ-4), so the preferred alternatives are asked for, and when the model refuses
//! one of them the next is, a bounded number of times, until it agrees.

use super::alternatives::{Choice, Described, pairs};
use super::amm::{internal, refuse_unknown};
use super::by_stream::ByStream;
use super::events::{Detector, check_event_buffer, read_events};
use super::kept::KeptProperties;
use super::playing::{Action, AskedSignal, SignalKind, read_signals};
use super::stream::{Asks, Begun, Rules, Stream, begin, merge};
use super::view::{ActiveEvents, Termination};
use super::*;
use crate::package::silence;
use crate::sdp::Group;
use agw_core::model::{StreamSpec, TerminationView, Watch};
use std::collections::{BTreeMap, BTreeSet};

/// How often the model is asked for one command.
const MAX_TRIALS: usize = 64;

/// A request, checked against the packages and the termination as it is.
pub(super) struct Plan<'a> {
    id: Option<model::TerminationId>,
    streams: ByStream<Wish<'a>>,
    listens: Listens,
    kept: KeptProperties,
    /// What the controller has taken out of service passes nothing, whatever its mode.
    out_of_service: bool,
}

/// What a request says of events and signals.
pub(super) struct Listens {
    /// `Some(None)` ends detection.
    pub(super) events: Option<Option<ActiveEvents>>,
    pub(super) event_buffer: Option<EventBufferDescriptor>,
    pub(super) buffer_control: Option<EventBufferControl>,
    /// What the signals ask, with the stream; at most one of a kind for each.
    pub(super) signals: Vec<(u16, AskedSignal)>,
}

impl Listens {
    /// What the signals ask of one stream.
    fn asks(&self, stream: u16) -> Asks {
        let mut asks = Asks::default();
        for (_, asked) in self.signals.iter().filter(|(of, _)| *of == stream) {
            let named = Some(asked.named.is_some());
            match asked.action {
                Action::Latch(action) => asks.latch = Some(action),
                Action::Connect => asks.establish.connect = named,
                Action::Secure => asks.establish.secure = named,
            }
        }
        asks
    }
}

/// One stream, with the alternatives that are wanted now.
struct Wish<'a> {
    begun: Begun,
    asks: Asks,
    local: Described,
    remote: Described,
    is_new: bool,
    /// Pairs that have not been tried.
    left: std::vec::IntoIter<(Choice, Choice)>,
    now: (Choice, Choice),
    /// `None`: no stream comes of it.
    merged: Option<(Stream, StreamSpec)>,
    /// Why some pair cannot be done, the first that was seen.
    refused: Option<ErrorDescriptor>,
    rules: Rules<'a>,
}

/// What the model has agreed to.
pub(super) struct Agreed {
    pub(super) given: TerminationView,
    pub(super) ticket: Option<Ticket>,
    pub(super) streams: ByStream<Changed>,
    pub(super) listens: Listens,
    pub(super) kept: KeptProperties,
}

/// A stream after a command.
#[derive(Debug)]
pub(super) struct Changed {
    /// The view as it will be; its specification has no keys. `None`: no alternative could be done, and no stream was made.
    pub(super) stream: Option<Stream>,
    /// The groups of Local that are reserved, keys included, to be filled in for the reply; empty where none could be.
    pub(super) local: Option<Vec<Group>>,
    /// The same of Remote.
    pub(super) remote: Option<Reserved>,
    /// Properties that the gateway was asked to choose.
    pub(super) chosen: Vec<PropertyParm>,
    pub(super) chosen_realm: bool,
}

/// The groups of Remote that are reserved.
#[derive(Debug)]
pub(super) struct Reserved {
    pub(super) groups: Vec<Group>,
    /// The choice was ours, so the reply tells it.
    pub(super) told: bool,
}

impl<'a> Wish<'a> {
    fn new(
        before: Option<&Stream>,
        parms: &StreamParms,
        asks: Asks,
        watch: Watch,
        rules: Rules<'a>,
    ) -> Result<Self, ErrorDescriptor> {
        let local = Described::read(parms.local.as_ref(), &rules)?;
        let remote = Described::read(parms.remote.as_ref(), &rules)?;
        let mut begun = begin(before, parms, &local, &rules)?;
        begun.watch(watch);
        let left = pairs(&local, &remote, begun.reserve()).into_iter();
        let refused = local.refused().or(remote.refused()).cloned();
        let (is_new, now) = (before.is_none(), (Choice::AsSaid, Choice::AsSaid));
        let mut wish = Self { begun, asks, local, remote, is_new, left, now, merged: None, refused, rules };
        wish.advance()?;
        Ok(wish)
    }

    /// Goes on to the next pair that is right in itself.
    fn advance(&mut self) -> Result<(), ErrorDescriptor> {
        for pair in self.left.by_ref() {
            self.now = pair;
            if self.is_new && pair.0 == Choice::Nothing {
                self.merged = None;
                return Ok(());
            }
            let (local, remote) = (self.local.pick(pair.0), self.remote.pick(pair.1));
            match merge(&self.begun, local, remote, self.asks, &self.rules) {
                Ok(merged) => {
                    self.merged = Some(merged);
                    return Ok(());
                }
                Err(error) => {
                    self.refused.get_or_insert(error);
                }
            }
        }
        Err(self.nothing_left())
    }

    /// Why nothing comes of it. H.248.1 section 7.1.8 has 510 where there was a choice; what one alternative has wrong is told as it is.
    fn nothing_left(&mut self) -> ErrorDescriptor {
        let first = self.refused.take().unwrap_or_else(|| ErrorDescriptor::new(ErrorCode::INVALID_SDP));
        if !(self.local.is_overspecified() || self.remote.is_overspecified()) {
            return first;
        }
        let why = first.text.as_deref().unwrap_or_else(|| first.code.wording());
        let text = format!("none of the alternatives can be done: {why}");
        ErrorDescriptor::with_text(ErrorCode::INSUFFICIENT_RESOURCES, text)
    }

    /// The model cannot do this pair.
    fn refuse(&mut self, error: ErrorDescriptor) -> Result<(), ErrorDescriptor> {
        self.refused.get_or_insert(error);
        self.advance()
    }

    fn settle(self) -> Changed {
        let reserve = self.begun.reserve();
        let (local, remote) = self.now;
        let said = |described: &Described| matches!(described, Described::Offered(_));
        let (has_local, has_remote) = (said(&self.local), said(&self.remote));
        let local_groups = self.local.reserved(local, reserve).0;
        let (groups, told) = self.remote.reserved(remote, reserve);
        Changed {
            stream: self.merged.map(|(stream, _)| stream),
            local: has_local.then_some(local_groups),
            remote: has_remote.then_some(Reserved { groups, told: told || remote == Choice::Nothing }),
            chosen: self.begun.chosen,
            chosen_realm: self.begun.chosen_realm,
        }
    }
}

impl Plan<'_> {
    /// Whether it concerns no stream.
    pub(super) fn is_empty(&self) -> bool {
        self.streams.is_empty()
    }

    /// Asks the model until it agrees. Keys leave the plan with the order.
    ///
    /// # Errors
    /// The refusal, or 510 when none of several alternatives can be done.
    pub(super) fn agree(
        mut self,
        gateway: &mut dyn Gateway,
        order: impl Fn(Vec<(model::StreamId, StreamSpec)>) -> Order,
    ) -> Result<Agreed, Stop> {
        for _ in 0..MAX_TRIALS {
            let streams = self.specifications();
            let is_move = matches!(order(Vec::new()), Order::Move { .. });
            if streams.is_empty() && !is_move {
                return match self.id {
                    Some(id) => {
                        let given = TerminationView { id, streams: Vec::new() };
                        Ok(self.settle(given, None))
                    }
                    // Every stream of an Add was offered alternatives, and none can be done.
                    None => Err(self.nothing_left().into()),
                };
            }
            match gateway.execute(order(streams)) {
                Ok(Reply::Termination(given, ticket)) => return Ok(self.settle(given, Some(ticket))),
                Ok(_) => return Err(internal("a command with streams")),
                Err(refused) => self.narrow(&refused)?,
            }
        }
        let text = format!("no alternative was agreed on in {MAX_TRIALS} tries");
        Err(ErrorDescriptor::with_text(ErrorCode::INSUFFICIENT_RESOURCES, text).into())
    }

    fn specifications(&self) -> Vec<(model::StreamId, StreamSpec)> {
        let merged = self.streams.iter().filter_map(|(id, wish)| Some((*id, wish.merged.as_ref()?)));
        let specified = merged.map(|(id, (_, spec))| {
            let mode = if self.out_of_service { model::Mode::Inactive } else { spec.mode };
            (model::StreamId(id), StreamSpec { mode, ..spec.clone() })
        });
        specified.collect()
    }

    fn settle(self, given: TerminationView, ticket: Option<Ticket>) -> Agreed {
        let mut listens = self.listens;
        listens.signals.retain(|(stream, asked)| fits(&self.streams, *stream, asked.action.kind()));
        let streams = self.streams.map(Wish::settle);
        Agreed { given, ticket, streams, listens, kept: self.kept }
    }

    fn nothing_left(&mut self) -> ErrorDescriptor {
        let first = self.streams.iter_mut().next();
        first.map_or_else(
            || ErrorDescriptor::new(ErrorCode::INSUFFICIENT_RESOURCES),
            |(_, wish)| wish.nothing_left(),
        )
    }

    /// Turns to the next alternatives of the stream that the model refuses, where its refusal is of alternatives at all.
    fn narrow(&mut self, refused: &Refusal) -> Result<(), Stop> {
        let error = refusal::descriptor(refused);
        let stream = match refused {
            Refusal::NoSuchLocalAddress(stream)
            | Refusal::PortUnavailable(stream)
            | Refusal::CryptoChanged(stream, _)
            | Refusal::CryptoNotAllowed(stream)
            | Refusal::CryptoPolicy(stream, _)
            | Refusal::FixedAtSetup(stream, _)
            | Refusal::Unjoinable(stream) => Some(stream.0),
            // Ports of one family may be used up while there are some of the other.
            Refusal::OutOfPorts(_) => {
                let has_more = |(_, wish): &(&u16, &Wish<'_>)| !wish.left.as_slice().is_empty();
                self.streams.iter().find(has_more).map(|(id, _)| *id)
            }
            _ => None,
        };
        match stream.and_then(|stream| self.streams.get_mut(&stream)) {
            Some(wish) => Ok(wish.refuse(error)?),
            None => Err(error.into()),
        }
    }
}

impl Executor {
    /// Reads the request of an Add, or of a command for a termination that there is.
    pub(super) fn plan<'a>(
        &'a self,
        id: Option<model::TerminationId>,
        interface: Option<&'a model::RealmName>,
        request: &AmmRequest,
        caller: Caller,
    ) -> Result<Plan<'a>, ErrorDescriptor> {
        refuse_unknown(request)?;
        request.audit.as_ref().map_or(Ok(()), audit::check_names)?;
        let current = id.and_then(|id| self.view.termination(id));
        let interface = current.map(|termination| &termination.interface).or(interface);
        let rules = Rules {
            realms: &self.realms,
            dscp: self.dscp,
            keys_allowed: caller.keys_allowed,
            interface,
            adding: current.is_none(),
        };
        let described = described(request, current)?;
        let running = current.into_iter().flat_map(|termination| termination.streams.keys());
        let all: BTreeSet<u16> = described.keys().chain(running).copied().collect();
        let listens = listens(request, &all, current)?;
        let active = match &listens.events {
            Some(new) => new.as_ref(),
            None => current.and_then(|termination| termination.listening.active()),
        };
        let active = active.map_or(&[][..], |active| &active.events);
        let mut streams = ByStream::with_capacity(described.len());
        let nothing = StreamParms::default();
        for stream in all {
            let before = current.and_then(|termination| termination.streams.get(&stream));
            let watch = silence::watch(active, stream, self.timers.silence);
            let asks = listens.asks(stream);
            let touched =
                described.contains_key(&stream) || listens.signals.iter().any(|(asked, _)| *asked == stream);
            if !touched && before.is_some_and(|before| before.spec.watch == watch) {
                continue;
            }
            let parms = described.get(&stream).copied().unwrap_or(&nothing);
            let wish = Wish::new(before, parms, asks, watch, rules)?;
            if let Some((_, spec)) = wish.merged.as_ref().filter(|_| before.is_none()) {
                self.refuse_realm_out(spec.realm.as_ref())?;
            }
            streams.insert(stream, wish);
        }
        for kind in [SignalKind::Connect, SignalKind::Secure] {
            let mut asked =
                listens.signals.iter().filter(|(_, asked)| asked.action.kind() == kind).peekable();
            if asked.peek().is_some() && !asked.any(|(stream, _)| fits(&streams, *stream, kind)) {
                let text = format!("{}: no stream for it", kind.name());
                return Err(ErrorDescriptor::with_text(ErrorCode::CANNOT_GENERATE_SIGNAL, text));
            }
        }
        let out_of_service = current.is_some_and(|termination| termination.out_of_service);
        let mut kept = current.map(|termination| termination.kept.clone()).unwrap_or_default();
        if let Some(state) = request.media.as_ref().and_then(|media| media.termination_state.as_ref()) {
            kept.set(&state.properties)?;
        }
        Ok(Plan { id, streams, listens, kept, out_of_service })
    }
}

/// Whether a signal means something on a stream as it will be.
fn fits(streams: &ByStream<Wish<'_>>, stream: u16, kind: SignalKind) -> bool {
    let merged = streams.get(&stream).and_then(|wish| wish.merged.as_ref());
    merged.is_some_and(|(_, spec)| kind.fits(spec))
}

/// The streams that Media describes. Without a number it is the only stream of the termination, number 1 where it has none.
fn described<'a>(
    request: &'a AmmRequest,
    current: Option<&Termination>,
) -> Result<BTreeMap<u16, &'a StreamParms>, ErrorDescriptor> {
    let mut streams = BTreeMap::new();
    match request.media.as_ref().map(|media| &media.streams) {
        None | Some(Streams::None) => {}
        Some(Streams::One(parms)) => {
            let mut numbers = current.into_iter().flat_map(|termination| termination.streams.keys());
            let number = match (numbers.next(), numbers.next()) {
                (Some(only), None) => *only,
                (None, _) => 1,
                (Some(_), Some(_)) => {
                    let text = "Media without StreamID: the termination has several streams";
                    return Err(ErrorDescriptor::with_text(ErrorCode::INFORMATION_MISSING, text));
                }
            };
            streams.insert(number, parms.as_ref());
        }
        Some(Streams::Many(many)) => {
            for stream in many {
                if streams.insert(stream.id, &stream.parms).is_some() {
                    let text = format!("Stream = {}", stream.id);
                    return Err(ErrorDescriptor::with_text(ErrorCode::DESCRIPTOR_TWICE, text));
                }
            }
        }
    }
    Ok(streams)
}

/// What a request says of events and signals, for these streams.
fn listens(
    request: &AmmRequest,
    streams: &BTreeSet<u16>,
    current: Option<&Termination>,
) -> Result<Listens, ErrorDescriptor> {
    let exists = |stream: u16| streams.contains(&stream);
    let detector = Detector::Termination(&exists);
    let events = request.events.as_ref().map(|events| read_events(events, detector)).transpose()?;
    request.event_buffer.as_ref().map_or(Ok(()), |wanted| check_event_buffer(wanted, detector))?;
    let state = request.media.as_ref().and_then(|media| media.termination_state.as_ref());
    Ok(Listens {
        events,
        event_buffer: request.event_buffer.clone(),
        buffer_control: state.and_then(|state| state.event_buffer_control),
        signals: signals(request, streams, current)?,
    })
}

/// What the Signals descriptor asks of each stream; a signal that names none asks it of all.
fn signals(
    request: &AmmRequest,
    streams: &BTreeSet<u16>,
    current: Option<&Termination>,
) -> Result<Vec<(u16, AskedSignal)>, ErrorDescriptor> {
    let Some(signals) = &request.signals else { return Ok(Vec::new()) };
    let mut all: Vec<(u16, AskedSignal)> = Vec::new();
    for asked in read_signals(signals, |stream| streams.contains(&stream))? {
        for stream in streams.iter().copied().filter(|stream| asked.named.is_none_or(|only| only == *stream))
        {
            let goes_on = current.is_some_and(|termination| termination.playing.goes_on(stream, &asked));
            if !goes_on {
                let kind = asked.action.kind();
                all.retain(|(of, before)| *of != stream || before.action.kind() != kind);
                all.push((stream, asked));
            }
        }
    }
    Ok(all)
}
