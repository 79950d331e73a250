//! Handshakes of many calls on the sockets of their media, begun one after the other at a rate and told apart by the gateway's ports.

use super::DtlsError;
use super::report::DtlsReport;
use crate::calls::{CallKeys, Established};
use crate::generator::MediaEnds;
use crate::measure::Times;
use crate::process::Watched;
use crate::run::RunError;
use agw_dtls::{MAX_OUTPUT_BYTES, Profile, Role, Session, Step};
use agw_srtp::Suite;
use agw_tls::{Fingerprint, Identity};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The longest handshake.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);
/// How long ends still answer after the last handshake: the gateway may not have heard the end of it.
const SETTLE: Duration = Duration::from_millis(300);
/// Datagrams of one socket in one turn.
const MAX_DATAGRAMS: usize = 64;
/// How long nothing is done when there is nothing to do.
const PAUSE: Duration = Duration::from_micros(200);

/// All handshakes of a run.
pub(crate) struct Storm {
    identity: Identity,
    profile: Profile,
    per_second: f64,
    pid: Option<u32>,
    times: Times,
    lateness: Times,
    counted: DtlsReport,
}

/// The phone's end of a call.
struct End<'a> {
    up: &'a mut Established,
    socket: &'a UdpSocket,
    session: Option<Session>,
    began_us: u64,
    is_over: bool,
}

impl Storm {
    pub(crate) fn new(identity: Identity, profile: Profile, per_second: f64, pid: Option<u32>) -> Self {
        let (times, lateness) = (Times::new(), Times::new());
        let counted = DtlsReport { asked_per_second: per_second, ..DtlsReport::default() };
        Self { identity, profile, per_second, pid, times, lateness, counted }
    }

    /// What has been counted.
    pub(crate) fn report(self) -> DtlsReport {
        let (handshake_us, late_us_p99) = (self.times.quantiles(), self.lateness.quantile_us(0.99));
        DtlsReport { handshake_us, late_us_p99, ..self.counted }
    }

    /// Shakes hands for every call, whose keys then are those that were agreed on. A call whose handshake fails gets keys that nobody else has,
    /// so that its media are lost and counted so.
    ///
    /// # Errors
    /// When there is no randomness or no socket. A failed handshake is counted.
    pub(crate) fn secure(
        &mut self,
        ends: &MediaEnds,
        established: &mut [Established],
        stop: &AtomicBool,
    ) -> Result<(), RunError> {
        for up in &mut *established {
            up.keys = Some(CallKeys::random(Suite::AesCm128HmacSha1_80)?);
        }
        let watched = self.pid.and_then(|pid| Watched::new(pid).ok());
        let look = || watched.and_then(|watched| watched.look().ok());
        let before = look();
        let ends = established.iter_mut().map(|up| {
            let socket = ends.access_socket(up.call).ok_or(DtlsError::Call(up.call))?;
            Ok(End { up, socket, session: None, began_us: 0, is_over: false })
        });
        let ends = ends.collect::<Result<Vec<_>, RunError>>()?;
        Turns::new(self, ends).run(stop)?;
        let cpu_ns = before.zip(look()).map(|(before, after)| after.cpu_ns.saturating_sub(before.cpu_ns));
        let each = |cpu_ns: u64| cpu_ns as f64 / 1e3 / self.counted.handshakes.max(1) as f64;
        self.counted.gateway_us_per_handshake = cpu_ns.map(each);
        Ok(())
    }

    fn fail(&mut self, call: u32, why: &str) {
        self.counted.failed += 1;
        self.counted.first_failure.get_or_insert_with(|| format!("call {call}: {why}"));
    }
}

/// The storm while it goes on.
struct Turns<'s, 'a> {
    storm: &'s mut Storm,
    ends: Vec<End<'a>>,
    /// Whose port of the gateway it is.
    by_gateway: HashMap<SocketAddr, usize>,
    /// One of the ends on each socket.
    sockets: Vec<&'a UdpSocket>,
    /// When sessions want to be called, in microseconds since the start; what has become of them since is looked at then.
    timers: BinaryHeap<Reverse<(u64, usize)>>,
    started: Instant,
    buffer: Box<[u8]>,
}

impl<'s, 'a> Turns<'s, 'a> {
    fn new(storm: &'s mut Storm, ends: Vec<End<'a>>) -> Self {
        let by_gateway = ends.iter().enumerate().map(|(place, end)| (end.up.access, place)).collect();
        let mut sockets: Vec<&UdpSocket> = Vec::new();
        for end in &ends {
            if !sockets.iter().any(|known| std::ptr::eq(*known, end.socket)) {
                sockets.push(end.socket);
            }
        }
        let buffer = vec![0; MAX_OUTPUT_BYTES].into();
        Self { storm, ends, by_gateway, sockets, timers: BinaryHeap::new(), started: Instant::now(), buffer }
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn run(&mut self, stop: &AtomicBool) -> Result<(), DtlsError> {
        let (mut next, mut settled, mut last_begin_us, mut last_end_us) = (0, None, 0, 0);
        while settled.is_none_or(|until| self.started.elapsed() < until) {
            let mut busy = false;
            while next < self.ends.len() && !stop.load(Ordering::Relaxed) {
                let due_us = (next as f64 * 1e6 / self.storm.per_second) as u64;
                let now_us = self.now_us();
                if due_us > now_us {
                    break;
                }
                self.storm.lateness.record(Duration::from_micros(now_us - due_us));
                self.begin(next)?;
                (next, busy, last_begin_us) = (next + 1, true, now_us);
                // What has come is not kept waiting by what is late.
                self.receive();
            }
            busy |= self.receive();
            self.handle_timers();
            let all_begun = next == self.ends.len() || stop.load(Ordering::Relaxed);
            if settled.is_none() && all_begun && self.ends[..next].iter().all(|end| end.is_over) {
                last_end_us = self.now_us();
                settled = Some(self.started.elapsed() + SETTLE);
            }
            if !busy {
                std::thread::sleep(PAUSE);
            }
        }
        let counted = &mut self.storm.counted;
        // The last one stands for its share of time too.
        let begun_s = last_begin_us as f64 / 1e6 + 1.0 / self.storm.per_second;
        counted.offered_per_second = next as f64 / begun_s;
        counted.per_second = counted.handshakes as f64 / (last_end_us as f64 / 1e6).max(f64::MIN_POSITIVE);
        Ok(())
    }

    fn begin(&mut self, place: usize) -> Result<(), DtlsError> {
        let now_us = self.now_us();
        let end = &mut self.ends[place];
        let told = end.up.told[0].iter().find_map(|line| line.strip_prefix("fingerprint:"));
        let Some(fingerprint) = told.and_then(|told| Fingerprint::parse(told).ok()) else {
            end.is_over = true;
            let call = end.up.call;
            self.storm.fail(call, "the gateway told no fingerprint");
            return Ok(());
        };
        let mut session = Session::new(&self.storm.profile, Role::Client, &self.storm.identity, now_us)?;
        session.expect(&[fingerprint]);
        (end.session, end.began_us) = (Some(session), now_us);
        let deadline_us = now_us + u64::try_from(HANDSHAKE_WAIT.as_micros()).unwrap_or(u64::MAX);
        self.timers.push(Reverse((deadline_us, place)));
        self.drain(place);
        Ok(())
    }

    /// Takes in what has come; whether that was anything.
    fn receive(&mut self) -> bool {
        let mut any = false;
        let mut datagram = [0; 2048];
        for at in 0..self.sockets.len() {
            for _ in 0..MAX_DATAGRAMS {
                let Ok((length, from)) = self.sockets[at].recv_from(&mut datagram) else { break };
                any = true;
                let Some(&place) = self.by_gateway.get(&from) else { continue };
                let now_us = self.now_us();
                if let Some(session) = &mut self.ends[place].session {
                    session.handle_datagram(&datagram[..length], now_us);
                    self.drain(place);
                }
            }
        }
        any
    }

    fn handle_timers(&mut self) {
        let now_us = self.now_us();
        while let Some(&Reverse((at_us, place))) = self.timers.peek()
            && at_us <= now_us
        {
            self.timers.pop();
            let end = &mut self.ends[place];
            let waited_us = now_us.saturating_sub(end.began_us);
            if !end.is_over && u128::from(waited_us) >= HANDSHAKE_WAIT.as_micros() {
                (end.is_over, end.session) = (true, None);
                let call = end.up.call;
                self.storm.fail(call, &format!("not up after {} s", HANDSHAKE_WAIT.as_secs()));
            } else if let Some(session) = &mut end.session {
                session.handle_timeout(now_us);
                self.drain(place);
            }
        }
    }

    /// Does what a session wants.
    fn drain(&mut self, place: usize) {
        let now_us = self.now_us();
        let end = &mut self.ends[place];
        let Some(session) = &mut end.session else { return };
        loop {
            match session.poll(&mut self.buffer) {
                // What the system does not take is lost, as it may be on any network.
                Step::Datagram(datagram) => drop(end.socket.send_to(datagram, end.up.access)),
                Step::Established(keys) => {
                    let (to_gateway, from_gateway) = (keys.ours().clone(), keys.theirs().clone());
                    end.up.keys = Some(CallKeys { to_gateway, from_gateway });
                    end.is_over = true;
                    self.storm.counted.handshakes += 1;
                    self.storm.times.record(Duration::from_micros(now_us.saturating_sub(end.began_us)));
                }
                Step::Failed(failure) => {
                    if !std::mem::replace(&mut end.is_over, true) {
                        self.storm.fail(end.up.call, &failure.to_string());
                    }
                }
                Step::Closed => {
                    if !std::mem::replace(&mut end.is_over, true) {
                        self.storm.fail(end.up.call, "the gateway closed");
                    }
                }
                Step::Data(_) => {}
                Step::Idle { wake_us } => {
                    self.timers.extend(wake_us.map(|wake_us| Reverse((wake_us, place))));
                    return;
                }
            }
        }
    }
}
