//! The socket side of call control: drives a [`Control`] with a window of calls in progress.

use super::{Control, Event, GatewayAddress};
use crate::calls::{CallPlan, Established};
use crate::measure::Times;
use agw_core::io::sys;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// The most calls that may be in progress at once.
pub const MAX_WINDOW: usize = 1024;

/// The largest reply that is read: what UDP can carry.
const MAX_REPLY_BYTES: usize = 65_535;
/// How long one wait for a reply lasts at most, so that pacing and live lines go on.
const MAX_WAIT: Duration = Duration::from_millis(50);

/// How often replies are taken in while none is there. They are gathered: whoever sleeps until one comes makes the sender pay for waking
/// it, and that would be measured as the gateway's.
const TICK: Duration = Duration::from_micros(100);

/// One gateway's control connection.
pub struct Dialer {
    control: Box<dyn Control>,
    socket: UdpSocket,
    started: Instant,
    buffer: Box<[u8]>,
    replies: Times,
}

/// Why calls could not be set up or torn down.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The socket failed.
    #[error("control socket: {0}")]
    Io(#[from] io::Error),
    /// The gateway refused a call or did not answer.
    #[error("call {call}: {reason}")]
    Call {
        /// The call's number.
        call: u32,
        /// What the gateway said.
        reason: String,
    },
}

impl Dialer {
    /// Opens a socket towards a gateway.
    ///
    /// # Errors
    /// What the system says.
    pub fn connect(gateway: &GatewayAddress) -> io::Result<Self> {
        Self::with(gateway.control(), gateway.address)
    }

    /// The same with a control machine of the caller's.
    ///
    /// # Errors
    /// What the system says.
    pub fn with(control: Box<dyn Control>, gateway: SocketAddr) -> io::Result<Self> {
        let any: SocketAddr = if gateway.is_ipv4() { ([0; 4], 0).into() } else { ([0u16; 8], 0).into() };
        let socket = UdpSocket::bind(any)?;
        socket.connect(gateway)?;
        socket.set_nonblocking(true)?;
        // A full window of replies may come at once.
        let _ = socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20);
        Ok(Self {
            control,
            socket,
            started: Instant::now(),
            buffer: vec![0; MAX_REPLY_BYTES].into(),
            replies: Times::new(),
        })
    }

    /// The local address that packets to the gateway leave from: where media can be received as well.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_ip(&self) -> io::Result<std::net::IpAddr> {
        Ok(self.socket.local_addr()?.ip())
    }

    /// How long every reply so far took.
    pub fn replies(&self) -> &Times {
        &self.replies
    }

    /// Asks for a call; its outcome comes from [`Self::step`].
    pub fn set_up(&mut self, plan: &CallPlan) {
        self.control.set_up(plan, self.started.elapsed());
    }

    /// Ends a call; its outcome comes from [`Self::step`].
    pub fn tear_down(&mut self, call: u32) {
        self.control.tear_down(call, self.started.elapsed());
    }

    /// Sends what is to be sent, waits at most `wait` for something to come, and hands out all that happened.
    ///
    /// # Errors
    /// When the socket fails for good. A gateway that is not there yet is no error: the request is repeated.
    pub fn step(&mut self, wait: Duration, events: &mut Vec<Event>) -> io::Result<()> {
        self.flush()?;
        let now = self.started.elapsed();
        let timer = self.control.poll_timeout().map_or(wait, |then| then.saturating_sub(now));
        let until = now + wait.min(timer).min(MAX_WAIT);
        while !self.take_waiting()? && self.started.elapsed() < until {
            sys::rest(TICK);
        }
        self.control.handle_timeout(self.started.elapsed());
        self.flush()?;
        while let Some(event) = self.control.poll_event() {
            if let Event::Replied { took } = event {
                self.replies.record(took);
            }
            events.push(event);
        }
        Ok(())
    }

    /// Sets up all calls, at most `window` of them in progress at once.
    ///
    /// # Errors
    /// The first failure; calls that are up stay up.
    pub fn set_up_all(&mut self, plans: &[CallPlan], window: usize) -> Result<Vec<Established>, DialError> {
        let mut up = Vec::with_capacity(plans.len());
        let (mut asked, mut events) = (0, Vec::new());
        while up.len() < plans.len() {
            while let Some(plan) = plans.get(asked).filter(|_| asked - up.len() < window.clamp(1, MAX_WINDOW))
            {
                self.set_up(plan);
                asked += 1;
                self.flush()?;
            }
            self.step(MAX_WAIT, &mut events)?;
            for event in events.drain(..) {
                match event {
                    Event::Up(established) => up.push(*established),
                    Event::Failed { call, reason } => return Err(DialError::Call { call, reason }),
                    Event::Down { .. } | Event::Replied { .. } => {}
                }
            }
        }
        up.sort_by_key(|established| established.call);
        Ok(up)
    }

    /// Tears down all calls, at most `window` of them in progress at once. Goes on when one fails.
    ///
    /// # Errors
    /// The first failure, after all have been tried.
    pub fn tear_down_all(
        &mut self,
        calls: impl IntoIterator<Item = u32>,
        window: usize,
    ) -> Result<(), DialError> {
        let mut calls = calls.into_iter().peekable();
        let (mut in_progress, mut events, mut failure) = (0usize, Vec::new(), None);
        while in_progress > 0 || calls.peek().is_some() {
            while in_progress < window.clamp(1, MAX_WINDOW) {
                let Some(call) = calls.next() else { break };
                self.tear_down(call);
                in_progress += 1;
                self.flush()?;
            }
            self.step(MAX_WAIT, &mut events)?;
            for event in events.drain(..) {
                match event {
                    Event::Down { .. } => in_progress = in_progress.saturating_sub(1),
                    Event::Failed { call, reason } => {
                        in_progress = in_progress.saturating_sub(1);
                        failure.get_or_insert(DialError::Call { call, reason });
                    }
                    Event::Up(_) | Event::Replied { .. } => {}
                }
            }
        }
        failure.map_or(Ok(()), Err)
    }

    fn flush(&mut self) -> io::Result<()> {
        while let Some(datagram) = self.control.poll_transmit() {
            match self.socket.send(&datagram) {
                Ok(_) => {}
                Err(error) if passing(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Takes what is there; says whether there was anything.
    fn take_waiting(&mut self) -> io::Result<bool> {
        for taken in 0..MAX_WINDOW {
            if !self.receive()? {
                return Ok(taken > 0);
            }
        }
        Ok(true)
    }

    /// Takes one datagram; says whether there was one.
    fn receive(&mut self) -> io::Result<bool> {
        match self.socket.recv(&mut self.buffer) {
            Ok(length) => {
                let datagram = self.buffer.get(..length).unwrap_or_default();
                self.control.handle_datagram(datagram, self.started.elapsed());
                Ok(true)
            }
            Err(error) if passing(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Nothing there, or nobody there yet: the request will be repeated.
fn passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | Interrupted | ConnectionRefused)
}
