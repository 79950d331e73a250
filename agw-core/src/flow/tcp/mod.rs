//! One side of one stream over TCP (TS 23.334 5.16): who may connect, the connection there is, what is held on the way to the other side,
//! and what is to be told. It does no I/O: the worker's [`connections`](crate::worker) do, and ask here what may be done. A flow may have
//! several connections that have not proven to be the peer's, never more than [`MAX_LINES`]; once one has, it is the only one (TLS-12).

pub(crate) mod buffer;
mod content;
pub(crate) mod line;
mod source;
mod status;

use super::activity::Activities;
use super::notices::Notices;
use crate::command::Observation;
use crate::command::order::{FlowId, Latching, TcpPlan};
use crate::io::Now;
use crate::model::{Bearer, BearerFailure, Component, Mode, StreamStatistics, TcpSetup, Trigger};
use agw_tls::{Credentials, TlsFailure, judge};
use arrayvec::ArrayVec;
use buffer::{Buffer, Pool};
use content::Content;
use line::{Line, Stage};
use std::mem;

pub use buffer::{BUFFER_BYTES, MAX_FREE_BUFFERS, RESTING_BYTES};

/// The most connections of one flow: those that have not proven to be the peer's. Fewer may be allowed ([`TcpBounds`](crate::command::order::TcpBounds)).
pub const MAX_LINES: usize = 8;

/// What of a flow's life has been told, so that each is told once.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    connection: Option<Bearer>,
    session: Option<Bearer>,
    nobody_came: bool,
}

/// One side of one stream over TCP as its worker runs it.
#[derive(Debug)]
pub struct TcpFlow {
    pub(crate) plan: TcpPlan,
    notices: Notices,
    /// Whether the worker has this flow on its list of those with something to tell.
    pub(crate) notices_listed: bool,
    /// Whether it waits for its turn to be looked at.
    pub(crate) queued: bool,
    /// Its place in the worker's list of flows over TCP.
    pub(crate) live_at: usize,
    installed: Option<Now>,
    /// Our port lets peers connect.
    pub(crate) listening: bool,
    /// Somebody waits there.
    pub(crate) knocked: bool,
    /// We have been told to connect, and have not begun.
    pub(crate) wants_connect: bool,
    /// There was a connection, or an attempt, and it is over.
    pub(crate) over: bool,
    /// When it was removed: it only delivers what is in flight.
    pub(crate) removed: Option<Now>,
    /// The flow that it is, or was last, joined with.
    pub(crate) partner: Option<FlowId>,
    /// The first is the stream's, once it is up.
    pub(crate) lines: ArrayVec<Line, MAX_LINES>,
    /// What came and has not gone on to the other side.
    pub(crate) inbox: Buffer,
    /// What `inbox` holds, as far as it has been understood.
    pub(crate) content: Content,
    /// What goes to the peer and is not encrypted yet; used only with TLS.
    pub(crate) plain: Buffer,
    /// When the peer said that its TLS ends.
    pub(crate) tls_released: Option<Now>,
    /// Whole messages of MSRP that went to the peer.
    pub(crate) messages_sent: u64,
    /// The peer sends no more; what it sent may still be in `inbox`.
    pub(crate) input_ended: bool,
    /// The other side sends no more: after what waits, we send no more either.
    pub(crate) output_closing: bool,
    /// It has come so far that the other side may connect.
    pub(crate) cue: bool,
    /// It has broken in a way that breaks the other side too (TCP-5).
    pub(crate) broke: bool,
    told: Told,
    last_heard: Now,
    octets_sent: u64,
    octets_received: u64,
    refused: u64,
    activities: Activities,
}

impl TcpFlow {
    /// A flow that is about to run by this plan. Made by the controller, who also gets it back.
    pub fn new(mut plan: TcpPlan) -> Self {
        let mut flow = Self {
            content: Content::new(&mut plan),
            plain: Buffer::default(),
            tls_released: None,
            messages_sent: 0,
            wants_connect: plan.connect,
            partner: plan.peer,
            plan,
            notices: Notices::default(),
            notices_listed: false,
            queued: false,
            live_at: 0,
            installed: None,
            listening: false,
            knocked: false,
            over: false,
            removed: None,
            lines: ArrayVec::new(),
            inbox: Buffer::default(),
            input_ended: false,
            output_closing: false,
            cue: false,
            broke: false,
            told: Told::default(),
            last_heard: Now::default(),
            octets_sent: 0,
            octets_received: 0,
            refused: 0,
            activities: Activities::default(),
        };
        flow.plan.connect = false;
        flow
    }

    /// The worker has put it into its table.
    pub(crate) fn installed(&mut self, now: Now) {
        self.installed = Some(now);
        self.last_heard = now;
    }

    /// Goes on by another plan. What it replaces is left in `plan`.
    pub(crate) fn change(&mut self, plan: &mut TcpPlan) {
        mem::swap(&mut self.plan, plan);
        if let (Some(now), Some(before)) = (&mut self.plan.tls, &mut plan.tls)
            && now.credentials.is_none()
        {
            mem::swap(&mut now.credentials, &mut before.credentials);
        }
        if self.plan.watch != plan.watch {
            self.activities.restart();
        }
        // What is in flight to a side that goes is still delivered: who it was is remembered until there is another.
        self.partner = self.plan.peer.or(self.partner);
        self.wants_connect |= mem::take(&mut self.plan.connect);
        self.content.follow(&mut self.plan);
    }

    /// Whether TLS begins with us.
    pub(crate) fn is_tls_client(&self) -> bool {
        self.plan.tls.as_ref().is_some_and(|tls| tls.client)
    }

    /// The connection that carries the stream.
    pub(crate) fn line(&self) -> Option<&Line> {
        self.lines.first().filter(|line| line.stage == Stage::Up)
    }

    /// The connection that carries the stream.
    pub(crate) fn line_mut(&mut self) -> Option<&mut Line> {
        self.lines.first_mut().filter(|line| line.stage == Stage::Up)
    }

    /// Whether we should let peers connect now.
    pub(crate) fn should_listen(&self) -> bool {
        let listens = matches!(self.plan.setup, TcpSetup::Passive | TcpSetup::ActPass | TcpSetup::Stateless);
        let is_taken = self.line().is_some() || self.lines.iter().any(|line| line.ours);
        listens && !is_taken && !self.over && !self.wants_connect && self.removed.is_none()
    }

    /// Its port listens now. Who came before anybody looked is not told again.
    pub(crate) fn note_listening(&mut self) {
        (self.listening, self.knocked) = (true, true);
    }

    /// Whether we should begin to connect now: we have been told to, and know where to.
    pub(crate) fn should_connect(&self) -> bool {
        self.wants_connect && self.lines.is_empty() && self.removed.is_none() && self.plan.remote.is_some()
    }

    /// The other side of the context has come so far that this one may connect (TCP-3, TCP-6); where it cannot, nothing happens.
    pub(crate) fn trigger(&mut self) {
        let connects = match self.plan.setup {
            TcpSetup::Active | TcpSetup::ActPass | TcpSetup::Stateless => true,
            TcpSetup::Passive | TcpSetup::HoldConn => false,
        };
        self.wants_connect |= connects && self.lines.is_empty() && !self.over;
    }

    /// Whether the other side may connect because this one has come up.
    pub(crate) fn triggers(&self, at: Trigger) -> bool {
        self.plan.trigger == Some(at) || (self.plan.stateless && at == Trigger::Tls)
    }

    /// Whether it was joined with a flow that was removed, and with none since.
    pub(crate) fn has_lost_its_other_side(&self) -> bool {
        self.partner.is_some() && self.plan.peer.is_none()
    }

    /// Whether all that came has gone on.
    pub(crate) fn is_drained(&self) -> bool {
        self.inbox.is_empty() && !self.content.has_output()
    }

    /// Whether more may be read of the peer: its flow goes on, and there is room to hold it (TCP-4).
    pub(crate) fn may_read(&self) -> bool {
        self.removed.is_none() && self.inbox.room() > 0
    }

    /// Whether the peer has not taken all that was to go to it, and there is no room to write more: nothing is added to that, so that what
    /// waits for a slow reader is what one look took in and not a full buffer at every place (TCP-4).
    pub(crate) fn is_behind(&self) -> bool {
        self.line().is_some_and(|line| !line.writable && (!self.plain.is_empty() || !line.is_flushed()))
    }

    /// Whether bytes from here may go on to `other`.
    pub(crate) fn may_pass_to(&self, other: &Self) -> bool {
        let in_flight_only = self.removed.is_some() || other.removed.is_some();
        in_flight_only || (self.plan.mode.receives() && other.plan.mode.sends())
    }

    /// The connection is up.
    pub(crate) fn note_established(&mut self) {
        if self.told.connection.is_none() {
            self.told.connection = Some(Bearer::Established);
            self.notices.note(Observation::Connection(Bearer::Established));
        }
    }

    /// TLS is up, and the peer proven; or it is over, or did not come about. That it failed is told once until it is up.
    pub(crate) fn note_session(&mut self, bearer: Bearer) {
        let news = match bearer {
            Bearer::Established => self.told.session != Some(bearer),
            Bearer::Released => self.told.session == Some(Bearer::Established),
            Bearer::Failed(_) => matches!(self.told.session, None | Some(Bearer::Established)),
        };
        if news {
            self.told.session = Some(bearer);
            self.notices.note(Observation::Session(bearer));
        }
    }

    /// A connection is over, or did not come about.
    pub(crate) fn note_over(&mut self, failure: Option<BearerFailure>) {
        self.over = true;
        self.wants_connect = false;
        let bearer = failure.map_or(Bearer::Released, Bearer::Failed);
        if self.told.session == Some(Bearer::Established) || matches!(failure, Some(BearerFailure::Tls(_))) {
            self.note_session(bearer);
        }
        if matches!(self.told.connection, None | Some(Bearer::Established)) {
            self.told.connection = Some(bearer);
            self.notices.note(Observation::Connection(bearer));
        }
    }

    /// Whether it is over and another connection may come all the same: statelessly a stream is not one connection but as many as its ends make, one after
    /// the other (TCP-6; TS 23.334 5.16.1). Where the system had no room the controller decides, who has been told.
    pub(crate) fn may_come_again(&self) -> bool {
        let out_of_room = self.told.connection == Some(Bearer::Failed(BearerFailure::Resources));
        self.plan.stateless && self.over && self.lines.is_empty() && self.removed.is_none() && !out_of_room
    }

    /// Told to connect once more, or open to the next connection: whatever there was is forgotten.
    pub(crate) fn begin_anew(&mut self, pool: &mut Pool) {
        self.over = false;
        // Somebody came once.
        self.told = Told { nobody_came: true, ..Told::default() };
        self.content.begin_anew();
        self.inbox.clear(pool);
        self.plain.clear(pool);
        self.tls_released = None;
        (self.input_ended, self.output_closing) = (false, false);
    }

    /// Nobody has come for as long as is told.
    pub(crate) fn note_nobody(&mut self, now: Now) {
        let waited_ms = now.0.saturating_sub(self.installed.unwrap_or(now).0) / 1000;
        let waits = self.listening && self.lines.is_empty() && self.told.connection.is_none();
        if waits
            && waited_ms >= u64::from(self.plan.times.accept_ms)
            && !mem::replace(&mut self.told.nobody_came, true)
        {
            self.notices.note(Observation::Connection(Bearer::Failed(BearerFailure::TimedOut)));
        }
    }

    /// Whether neither has sent anything for too long.
    pub(crate) fn is_idle(&self, now: Now) -> bool {
        let quiet_ms = now.0.saturating_sub(self.last_heard.0) / 1000;
        self.plan.times.idle_ms.is_some_and(|limit_ms| quiet_ms >= u64::from(limit_ms))
    }

    /// Whether a connection takes too long to come about.
    pub(crate) fn is_late(&self, line: &Line, now: Now) -> bool {
        let waited_ms = now.0.saturating_sub(line.since.0) / 1000;
        let limit_ms = match line.stage {
            Stage::Connecting => self.plan.times.connect_ms,
            Stage::Handshaking => self.plan.times.handshake_ms,
            Stage::Waiting => self.plan.times.fingerprint_wait_ms,
            Stage::Up => return false,
        };
        waited_ms >= u64::from(limit_ms)
    }

    /// Whether it was removed, and what was in flight has had its time.
    pub(crate) fn linger_is_over(&self, now: Now) -> bool {
        let linger_us = u64::from(self.plan.times.linger_ms) * 1000;
        self.removed.is_some_and(|since| now.0.saturating_sub(since.0) >= linger_us)
    }

    /// Whether the peer's TLS was released so long ago that ours, and TCP, follow whatever the other side does (TLS-8).
    pub(crate) fn should_follow_release(&self, now: Now) -> bool {
        let linger_us = u64::from(self.plan.times.linger_ms) * 1000;
        !self.output_closing
            && self.tls_released.is_some_and(|since| now.0.saturating_sub(since.0) >= linger_us)
    }

    /// What is known of the peer with this certificate; `None`: its fingerprint has not been signalled.
    pub(crate) fn verdict(&self, certificate: Option<&[u8]>) -> Option<Result<(), TlsFailure>> {
        let tls = self.plan.tls.as_deref()?;
        if matches!(tls.credentials, Some(Credentials::Psk(_))) {
            return Some(Ok(()));
        }
        let Some(certificate) = certificate else { return Some(Err(TlsFailure::NoCertificate)) };
        match (tls.fingerprints.is_empty(), tls.unknown) {
            (true, false) => None,
            (true, true) => Some(Err(TlsFailure::FingerprintHash)),
            (false, _) => Some(judge(certificate, &tls.fingerprints, &tls.hashes)),
        }
    }

    /// Whether it was removed, and nothing of it is left.
    pub(crate) fn is_at_its_end(&self) -> bool {
        self.removed.is_some() && self.lines.is_empty() && self.inbox.is_empty()
    }

    /// Somebody was turned away.
    pub(crate) fn count_refused(&mut self) {
        self.refused += 1;
    }

    /// Bytes came from the peer.
    pub(crate) fn count_received(&mut self, bytes: usize, now: Now) {
        self.octets_received += bytes as u64;
        self.last_heard = now;
    }

    /// Bytes went to the peer.
    pub(crate) fn count_sent(&mut self, bytes: usize, now: Now) {
        self.octets_sent += bytes as u64;
        self.last_heard = now;
    }

    /// Where the peer really is, where that was to be learned.
    pub(crate) fn note_source(&mut self) {
        if let Some(line) = self.line()
            && self.plan.latching != Latching::Off
        {
            let source = line.from;
            self.notices.note(Observation::Latched { component: Component::Rtp, source });
        }
    }

    /// Takes out what there is to tell.
    pub(crate) fn take_notice(&mut self) -> Option<Observation> {
        self.notices.take()
    }

    /// Whether there is something to tell.
    pub(crate) fn has_notices(&self) -> bool {
        !self.notices.is_empty()
    }

    /// Looks whether media still flow. `peer_mode`: the gate at the other side of the context, if there is one.
    pub(crate) fn look_for_activity(&mut self, peer_mode: Option<Mode>, now: Now) {
        let open = super::police::open(self.plan.mode, peer_mode);
        let passed = [self.octets_received, self.octets_sent];
        let notices = &mut self.notices;
        self.activities.look(now, passed, open, &self.plan.watch, |way, activity| {
            notices.note(Observation::Activity(way, activity));
        });
    }

    /// Gives back what memory is not needed now.
    pub(crate) fn rest(&mut self, pool: &mut Pool) {
        self.inbox.rest(pool);
        self.plain.rest(pool);
        self.lines.iter_mut().for_each(|line| line.rest(pool));
    }

    /// The counters as a front end wants them.
    pub(crate) fn statistics(&self, now: Now) -> StreamStatistics {
        StreamStatistics {
            duration_ms: now.0.saturating_sub(self.installed.unwrap_or(now).0) / 1000,
            octets_sent: self.octets_sent,
            octets_received: self.octets_received,
            discarded: self.refused,
            messages: [self.messages_sent, self.content.messages()],
            idle_ms: self.activities.idle_ms(now),
            connection: Some(self.status()),
            ..StreamStatistics::default()
        }
    }
}
