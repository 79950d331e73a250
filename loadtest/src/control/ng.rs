//! The NG protocol of rtpengine, as far as a load test needs it: offer, answer and delete over UDP.
//!
//! The access end makes the offer, so the gateway's address for the core end comes in the reply to the offer and the one for the access
//! end, with the gateway's own key, in the reply to the answer. A message is a cookie, a space and a bencoded dictionary; a repeated cookie
//! makes the gateway repeat its reply, so retransmission is safe.

use super::bencode::Value;
use super::{Control, Event, FIRST_RETRANSMISSION, MAX_TRANSMISSIONS, sdp};
use crate::calls::{CallKeys, CallPlan, Established};
use agw_srtp::CryptoAttribute;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;
use zeroize::Zeroizing;

/// Where a call stands.
enum Step {
    Offering(Box<CallPlan>),
    Answering { gateway_core: SocketAddr, keys: Option<Box<CallKeys>> },
    Deleting,
}

struct Request {
    call: u32,
    step: Step,
    message: Vec<u8>,
    first_sent: Duration,
    next_send: Duration,
    transmissions: u32,
}

/// An NG client for one gateway.
pub struct Ng {
    /// Distinguishes the calls of this client from those of an earlier one at the same gateway.
    run: u64,
    next_cookie: u64,
    requests: HashMap<u64, Request>,
    transmit: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
}

impl Ng {
    /// A client with a random name for its calls.
    pub fn new() -> Self {
        Self::with_run(getrandom::u64().unwrap_or(u64::from(std::process::id())))
    }

    /// A client with a given name for its calls.
    pub fn with_run(run: u64) -> Self {
        Self {
            run,
            next_cookie: 0,
            requests: HashMap::new(),
            transmit: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    fn request(&mut self, call: u32, step: Step, body: &Value, now: Duration) {
        let cookie = self.next_cookie;
        self.next_cookie += 1;
        let mut message = format!("{:x}.{cookie:x} ", self.run).into_bytes();
        body.print(&mut message);
        self.transmit.push_back(message.clone());
        let next_send = now + FIRST_RETRANSMISSION;
        self.requests
            .insert(cookie, Request { call, step, message, first_sent: now, next_send, transmissions: 1 });
    }

    fn body<'a>(&self, command: &str, call: u32, more: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
        let entries = [
            ("command", Value::text(command)),
            ("call-id", Value::text(&format!("agw-{:x}-{call}", self.run))),
            ("from-tag", Value::text("access")),
        ];
        Value::dictionary(entries.into_iter().chain(more))
    }

    /// The cookie of a reply that is ours, and its body.
    fn open<'a>(&self, datagram: &'a [u8]) -> Option<(u64, &'a [u8])> {
        let space = datagram.iter().position(|&byte| byte == b' ')?;
        let cookie = std::str::from_utf8(datagram.get(..space)?).ok()?;
        let (run, cookie) = cookie.split_once('.')?;
        let ours = u64::from_str_radix(run, 16) == Ok(self.run);
        ours.then_some((u64::from_str_radix(cookie, 16).ok()?, datagram.get(space + 1..)?))
    }

    fn advance(&mut self, request: Request, reply: &Value, now: Duration) {
        let call = request.call;
        if let Some(reason) = refusal(reply) {
            self.events.push_back(Event::Failed { call, reason });
            return;
        }
        let outcome = match request.step {
            Step::Offering(plan) => described(reply).map(|core| {
                let answer = self.answer(&plan);
                let keys = plan.keys.map(Box::new);
                self.request(call, Step::Answering { gateway_core: core.address, keys }, &answer, now);
                None
            }),
            Step::Answering { gateway_core, keys } => described(reply).and_then(|access| {
                let keys = keys.map(|keys| with_gateway_key(*keys, &access)).transpose()?;
                let up = Established {
                    call,
                    access: access.address,
                    core: gateway_core,
                    keys,
                    told: Default::default(),
                };
                Ok(Some(Event::Up(Box::new(up))))
            }),
            Step::Deleting => Ok(Some(Event::Down { call })),
        };
        match outcome {
            Ok(event) => self.events.extend(event),
            Err(reason) => self.events.push_back(Event::Failed { call, reason }),
        }
    }

    fn offer(&self, plan: &CallPlan) -> Value {
        let crypto = plan.keys.as_ref().map(|keys| Zeroizing::new(keys.to_gateway.print()));
        self.body(
            "offer",
            plan.call,
            [
                ("sdp", Value::text(&sdp::describe(plan.access, crypto.as_ref().map(|text| text.as_str())))),
                ("transport-protocol", Value::text("RTP/AVP")),
                ("ICE", Value::text("remove")),
                ("DTLS", Value::text("off")),
                ("rtcp-mux", Value::texts(&["demux"])),
                ("replace", Value::texts(&["origin"])),
                ("flags", Value::texts(&["trust-address"])),
            ],
        )
    }

    fn answer(&self, plan: &CallPlan) -> Value {
        self.body(
            "answer",
            plan.call,
            [
                ("to-tag", Value::text("core")),
                ("sdp", Value::text(&sdp::describe(plan.core, None))),
                ("ICE", Value::text("remove")),
                ("DTLS", Value::text("off")),
                ("replace", Value::texts(&["origin"])),
                ("flags", Value::texts(&["trust-address"])),
            ],
        )
    }
}

impl Default for Ng {
    fn default() -> Self {
        Self::new()
    }
}

/// Why a reply is no success; `None` when it is one.
fn refusal(reply: &Value) -> Option<String> {
    match reply.get("result").and_then(Value::as_str) {
        Some("ok") => None,
        Some(result) => {
            let reason = reply.get("error-reason").and_then(Value::as_str).unwrap_or("no reason given");
            Some(format!("the gateway said {result}: {reason}"))
        }
        None => Some("the gateway's reply has no result".to_owned()),
    }
}

/// The keys of a call whose gateway side the gateway chose itself.
fn with_gateway_key(keys: CallKeys, answer: &sdp::Described) -> Result<CallKeys, String> {
    let line = answer.crypto.first().filter(|_| answer.secured);
    let line = line.ok_or("the gateway's answer has not the security that was asked for")?;
    let from_gateway =
        CryptoAttribute::parse(line).map_err(|error| format!("the gateway's answer: {error}"))?;
    Ok(CallKeys { from_gateway, ..keys })
}

fn described(reply: &Value) -> Result<sdp::Described, String> {
    let text = reply.get("sdp").and_then(Value::as_str).ok_or("the gateway's reply has no SDP")?;
    sdp::read(text).map_err(|error| error.to_string())
}

impl Control for Ng {
    fn set_up(&mut self, plan: &CallPlan, now: Duration) {
        let offer = self.offer(plan);
        self.request(plan.call, Step::Offering(Box::new(plan.clone())), &offer, now);
    }

    fn tear_down(&mut self, call: u32, now: Duration) {
        // Without the delay rtpengine keeps a deleted call for half a minute.
        let delete = self.body("delete", call, [("delete-delay", Value::Integer(0))]);
        self.request(call, Step::Deleting, &delete, now);
    }

    fn handle_datagram(&mut self, datagram: &[u8], now: Duration) {
        let Some((cookie, body)) = self.open(datagram) else { return };
        let Ok(reply) = Value::parse(body) else { return };
        let Some(request) = self.requests.remove(&cookie) else { return };
        self.events.push_back(Event::Replied { took: now.saturating_sub(request.first_sent) });
        self.advance(request, &reply, now);
    }

    fn handle_timeout(&mut self, now: Duration) {
        let mut silent = Vec::new();
        for (&cookie, request) in &mut self.requests {
            if request.next_send > now {
                continue;
            }
            if request.transmissions == MAX_TRANSMISSIONS {
                silent.push(cookie);
                continue;
            }
            request.next_send = now + FIRST_RETRANSMISSION * 2u32.pow(request.transmissions);
            request.transmissions += 1;
            self.transmit.push_back(request.message.clone());
        }
        for request in silent.iter().filter_map(|cookie| self.requests.remove(cookie)) {
            self.events.push_back(Event::Failed {
                call: request.call,
                reason: "the gateway does not answer".to_owned(),
            });
        }
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.requests.values().map(|request| request.next_send).min()
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.transmit.pop_front()
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agw_srtp::Suite;

    const NOW: Duration = Duration::from_secs(1);

    fn plan(keys: bool) -> CallPlan {
        let random = || CallKeys::random(Suite::AesCm128HmacSha1_80).unwrap();
        CallPlan {
            call: 7,
            access: "127.0.0.1:4000".parse().unwrap(),
            core: "127.0.0.1:5000".parse().unwrap(),
            keys: keys.then(random),
        }
    }

    fn request(ng: &mut Ng) -> (Vec<u8>, Value) {
        let message = ng.poll_transmit().expect("a request");
        let space = message.iter().position(|&byte| byte == b' ').unwrap();
        (message[..=space].to_vec(), Value::parse(&message[space + 1..]).unwrap())
    }

    fn text<'a>(body: &'a Value, key: &str) -> &'a str {
        body.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    fn reply(ng: &mut Ng, cookie: &[u8], body: &Value, now: Duration) {
        let mut message = cookie.to_vec();
        body.print(&mut message);
        ng.handle_datagram(&message, now);
    }

    fn ok(sdp: &str) -> Value {
        Value::dictionary([("result", Value::text("ok")), ("sdp", Value::text(sdp))])
    }

    #[test]
    fn a_secured_call_is_offered_answered_and_deleted() {
        let mut ng = Ng::with_run(0xabc);
        let plan = plan(true);
        let planned = plan.keys.clone().unwrap();
        ng.set_up(&plan, NOW);
        let (cookie, offer) = request(&mut ng);
        assert_eq!(text(&offer, "command"), "offer");
        assert_eq!(text(&offer, "transport-protocol"), "RTP/AVP");
        let media = format!("m=audio 4000 RTP/SAVP 8\r\na=crypto:{}", planned.to_gateway.print());
        assert!(text(&offer, "sdp").contains(&media));
        let gateway_core: SocketAddr = "127.0.0.1:30000".parse().unwrap();
        reply(&mut ng, &cookie, &ok(&sdp::describe(gateway_core, None)), NOW + Duration::from_millis(3));
        assert!(matches!(ng.poll_event(), Some(Event::Replied { took }) if took == Duration::from_millis(3)));

        let (cookie, answer) = request(&mut ng);
        assert_eq!(text(&answer, "command"), "answer");
        assert!(text(&answer, "sdp").contains("m=audio 5000 RTP/AVP 8"));
        let gateway_access: SocketAddr = "127.0.0.1:30010".parse().unwrap();
        let own = CallKeys::random(Suite::AesCm128HmacSha1_80).unwrap().from_gateway;
        reply(&mut ng, &cookie, &ok(&sdp::describe(gateway_access, Some(&own.print()))), NOW);
        assert!(matches!(ng.poll_event(), Some(Event::Replied { .. })));
        let keys = Some(CallKeys { to_gateway: planned.to_gateway, from_gateway: own });
        let expected = Established {
            call: 7,
            access: gateway_access,
            core: gateway_core,
            keys,
            told: Default::default(),
        };
        assert!(matches!(ng.poll_event(), Some(Event::Up(up)) if *up == expected));

        ng.tear_down(7, NOW);
        let (cookie, delete) = request(&mut ng);
        assert_eq!(delete.get("call-id"), offer.get("call-id"));
        reply(&mut ng, &cookie, &Value::dictionary([("result", Value::text("ok"))]), NOW);
        assert!(matches!(ng.poll_event(), Some(Event::Replied { .. })));
        assert!(matches!(ng.poll_event(), Some(Event::Down { call: 7 })));
        assert_eq!(ng.poll_timeout(), None);
    }

    #[test]
    fn an_answer_without_the_key_that_was_asked_for_is_a_failure() {
        let mut ng = Ng::with_run(1);
        ng.set_up(&plan(true), NOW);
        let address = "127.0.0.1:30000".parse().unwrap();
        for _ in 0..2 {
            let (cookie, _) = request(&mut ng);
            reply(&mut ng, &cookie, &ok(&sdp::describe(address, None)), NOW);
            assert!(matches!(ng.poll_event(), Some(Event::Replied { .. })));
        }
        assert!(matches!(ng.poll_event(), Some(Event::Failed { call: 7, .. })));
    }

    #[test]
    fn a_refusal_says_why() {
        let mut ng = Ng::with_run(1);
        ng.set_up(&plan(false), NOW);
        let (cookie, _) = request(&mut ng);
        let body = Value::dictionary([
            ("result", Value::text("error")),
            ("error-reason", Value::text("Ran out of ports")),
        ]);
        reply(&mut ng, &cookie, &body, NOW);
        ng.poll_event();
        assert!(
            matches!(ng.poll_event(), Some(Event::Failed { reason, .. }) if reason.ends_with("Ran out of ports"))
        );
    }

    #[test]
    fn a_silent_gateway_is_asked_a_few_times_with_growing_pauses_and_then_given_up() {
        let mut ng = Ng::with_run(1);
        ng.set_up(&plan(false), Duration::ZERO);
        let first = ng.poll_transmit().unwrap();
        let mut pauses = Vec::new();
        let mut now = Duration::ZERO;
        while let Some(then) = ng.poll_timeout() {
            pauses.push((then - now).as_millis());
            now = then;
            ng.handle_timeout(now);
            if let Some(again) = ng.poll_transmit() {
                assert_eq!(again, first);
            }
        }
        assert_eq!(pauses, [500, 1000, 2000, 4000, 8000]);
        assert!(matches!(ng.poll_event(), Some(Event::Failed { call: 7, .. })));
    }

    #[test]
    fn what_is_not_ours_or_no_reply_is_passed_over() {
        let mut ng = Ng::with_run(1);
        ng.set_up(&plan(false), NOW);
        let (cookie, _) = request(&mut ng);
        for datagram in [&b""[..], b"x", b"2.0 d6:result2:oke", b"1.9 d6:result2:oke", b"1.zz de"] {
            ng.handle_datagram(datagram, NOW);
        }
        let mut broken = cookie.clone();
        broken.extend_from_slice(b"d6:result");
        ng.handle_datagram(&broken, NOW);
        assert!(ng.poll_event().is_none());
        assert!(ng.poll_timeout().is_some(), "the request still waits");
    }
}
