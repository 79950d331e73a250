//! The worker's side: rests, takes what has come on all ports, sends.

use super::paths::Paths;
use super::streams::Streams;
use super::{NOBODY_TOKEN, READS_DSCP, STREAMS_TOKEN, Shared, WAKER_TOKEN, descriptor, from_token};
use crate::command::order::{PortBinding, PortKey};
use crate::io::sys::{self, Events, MessageArray};
use crate::io::{BATCH_SLOTS, Batch, MAX_DATAGRAM_BYTES, Now, PacketIo, SendOutcome, Slot};
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Ticks without a packet after which a worker goes to sleep.
const IDLE_TICKS: u32 = 20;
/// The round over the ports from which on several packets are read by one call.
const BURST_ROUND: u32 = 3;
/// Packets read by one call from a port that has several.
const BURST: usize = 16;
/// One receive call in so many asks for the kernel's time stamp and overflow count.
const SAMPLE_EVERY: u32 = 32;

/// One worker's sockets.
pub struct EpollIo {
    pub(super) shared: Arc<Shared>,
    worker: usize,
    tick: Duration,
    events: Events,
    /// Which event of the last wait comes next.
    next_event: usize,
    messages: MessageArray,
    /// When the present rest ends, in microseconds.
    tick_end_us: u64,
    /// Ticks since the last packet.
    quiet_ticks: u32,
    /// The last batch was full: there is more.
    more: bool,
    until_sample: u32,
    /// One receive call in so many is sampled.
    sample_every: u32,
    paths: Paths,
    pub(super) streams: Streams,
}

impl EpollIo {
    pub(super) fn new(
        shared: Arc<Shared>,
        worker: usize,
        tick: Duration,
        paths: Paths,
        samples_all: bool,
    ) -> io::Result<Self> {
        let sample_every = if samples_all { 1 } else { SAMPLE_EVERY };
        let streams = Streams::new()?;
        shared.workers[worker].epoll.add(streams.as_fd(), STREAMS_TOKEN, true)?;
        Ok(Self {
            shared,
            worker,
            tick,
            events: Events::new(BATCH_SLOTS),
            next_event: 0,
            messages: MessageArray::new(BURST),
            tick_end_us: 0,
            quiet_ticks: IDLE_TICKS,
            more: false,
            until_sample: sample_every,
            sample_every,
            paths,
            streams,
        })
    }

    /// Rests until the next tick if traffic flows. Says how long epoll may wait.
    fn rest(&mut self, wait: Duration) -> Duration {
        if self.more || wait.is_zero() || self.streams.has_news() {
            return Duration::ZERO;
        }
        if self.tick.is_zero() || self.quiet_ticks >= IDLE_TICKS {
            return wait;
        }
        let left_us = self.tick_end_us.saturating_sub(sys::monotonic_us());
        if left_us > 0 {
            sys::rest(Duration::from_micros(left_us).min(wait));
        }
        Duration::ZERO
    }

    /// Takes packets of the sockets that the last wait found ready: one of each, or several where `burst` says that they have more.
    fn collect(&mut self, batch: &mut Batch, burst: bool) {
        while batch.filled < BATCH_SLOTS
            && let Some(token) = self.events.token(self.next_event)
        {
            self.next_event += 1;
            if token == WAKER_TOKEN {
                self.shared.workers[self.worker].waking.store(false, Ordering::Release);
                continue;
            }
            if token == STREAMS_TOKEN {
                self.streams.wake();
                continue;
            }
            if token == NOBODY_TOKEN {
                continue;
            }
            let (key, socket) = from_token(token);
            let room = &mut batch.slots[batch.filled..];
            batch.filled += if burst {
                self.receive_several(key, socket, room)
            } else {
                self.receive_one(key, socket, token & READS_DSCP != 0, room)
            };
        }
    }

    fn receive_one(&mut self, key: PortKey, socket: RawFd, reads_dscp: bool, room: &mut [Slot]) -> usize {
        let Some(slot) = room.first_mut() else { return 0 };
        let buffer = &mut slot.bytes[..MAX_DATAGRAM_BYTES];
        self.until_sample -= 1;
        if self.until_sample > 0 && !reads_dscp {
            // The caller goes on with the next port whatever the error: none of them is the backend's end.
            let Ok(received) = sys::receive_from(socket, buffer) else { return 0 };
            self.note_read(socket);
            slot.fill(key, received.from, received.len, received.truncated);
            return 1;
        }
        if self.until_sample == 0 {
            self.until_sample = self.sample_every;
        }
        let Ok(received) = sys::receive_message(socket, buffer) else { return 0 };
        slot.fill(key, received.from, received.len, received.truncated);
        slot.received_dscp = received.dscp();
        self.note_sample(socket, slot, &received);
        1
    }

    fn receive_several(&mut self, key: PortKey, socket: RawFd, room: &mut [Slot]) -> usize {
        let buffers = room.iter_mut().map(|slot| &mut slot.bytes[..MAX_DATAGRAM_BYTES]);
        let Ok(count) = self.messages.receive(socket, buffers) else { return 0 };
        for (index, slot) in room.iter_mut().take(count).enumerate() {
            let received = self.messages.received(index);
            slot.fill(key, received.from, received.len, received.truncated);
            slot.received_dscp = received.dscp();
            if index + 1 == count || self.sample_every == 1 {
                self.note_sample(socket, slot, &received);
            }
        }
        count
    }

    fn note_read(&self, socket: RawFd) {
        if let Some(reported) = self.shared.reported.get(socket as usize) {
            reported.note_read();
        }
    }

    fn note_sample(&self, socket: RawFd, slot: &mut Slot, received: &sys::Received) {
        self.note_read(socket);
        if let Some(time_ns) = received.time_ns {
            let waited_us = sys::wall_ns().saturating_sub(time_ns) / 1000;
            slot.waited_us = Some(u32::try_from(waited_us).unwrap_or(u32::MAX));
        }
        if let Some(overflows) = received.overflows
            && let Some(reported) = self.shared.reported.get(socket as usize)
        {
            slot.lost_before = reported.report(overflows);
        }
    }
}

impl PacketIo for EpollIo {
    fn reap(&mut self, batch: &mut Batch, wait: Duration) -> io::Result<()> {
        batch.filled = 0;
        self.paths.take_grants();
        if self.next_event >= self.events.len() {
            let wait = self.rest(wait);
            self.wait(wait)?;
        }
        // Rounds over the ports that are ready, one packet each at first, so that a busy port does not keep others waiting. A port
        // that is still ready in the third round has a queue, which is read with one call for several.
        for round in 1.. {
            let before = batch.filled;
            self.collect(batch, round >= BURST_ROUND);
            if batch.filled == before || batch.filled == BATCH_SLOTS {
                break;
            }
            self.wait(Duration::ZERO)?;
        }
        self.more = batch.filled == BATCH_SLOTS;
        batch.now = self.now();
        self.tick_end_us = batch.now.0 + self.tick.as_micros() as u64;
        self.quiet_ticks = if batch.filled > 0 { 0 } else { self.quiet_ticks.saturating_add(1) };
        Ok(())
    }

    fn send(&mut self, batch: &mut Batch) {
        for slot in batch.packets() {
            let Some((port, to)) = slot.to else { continue };
            let companion = self.paths.choose(port, to);
            let attempt = || match (companion, slot.dscp) {
                (Some(connected), None) => sys::send(connected, slot.datagram()),
                (None, None) => sys::send_to(descriptor(port), slot.datagram(), to),
                (companion, Some(dscp)) => {
                    let socket = companion.unwrap_or(descriptor(port));
                    sys::send_marked(socket, slot.datagram(), to, companion.is_some(), dscp)
                }
            };
            slot.outcome = match attempt() {
                Ok(()) => SendOutcome::Sent,
                Err(e) if is_full(&e) => SendOutcome::Full,
                // Interrupted, or a connected socket tells of an earlier packet that nobody wanted: this one has not been tried.
                Err(_) if attempt().is_ok() => SendOutcome::Sent,
                Err(_) => SendOutcome::Failed,
            };
        }
    }

    fn now(&self) -> Now {
        Now(sys::monotonic_us())
    }

    fn forget(&mut self, port: PortBinding) {
        self.paths.forget(port.handle);
        // By the key, so that the companion's events are meant too.
        self.events.replace(self.next_event, |token| from_token(token).0 == port.key, NOBODY_TOKEN);
    }

    fn take_losses(&mut self, per_address: &mut [u64]) {
        // One worker reports for all: the losses are counted per leg and summed over workers anyhow.
        for (sum, lost) in per_address.iter_mut().zip(&self.shared.closed_losses) {
            if lost.load(Ordering::Relaxed) > 0 {
                *sum += lost.swap(0, Ordering::Relaxed);
            }
        }
    }
}

impl EpollIo {
    fn wait(&mut self, wait: Duration) -> io::Result<()> {
        self.next_event = 0;
        self.shared.workers[self.worker].epoll.wait(&mut self.events, wait)
    }
}

fn is_full(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::ENOBUFS)
}
