//! Iq: a call is one context with an access and a core termination, set up by one transaction and ended by another.
//!
//! Both Adds carry Local with `$` for our side of the gateway and Remote with the end's address, so one round trip makes the call. The
//! key in Local is the one that the gateway protects with, the key in Remote the one that it unprotects with (TS 33.328). Codec and
//! retransmission are agw-iq's client; what is made of a reply is decided here.

use super::{Control, Event, sdp};
use crate::calls::{CallPlan, Established};
use agw_iq::ast::{
    ActionReply, ActionRequest, AmmRequest, AuditReturn, Command, CommandReply, CommandRequest,
    CommandResult, ContextId, ContextProperties, ErrorDescriptor, LocalControlDescriptor, MediaDescriptor,
    Mid, Name, ReplyBody, StreamDescriptor, StreamMode, StreamParms, Streams, TerminationId, TransactionId,
};
use agw_iq::client::{Client, ClientConfig, ClientEvent};
use agw_iq::sdp::SdpText;
use agw_iq::transport::Peer;
use std::collections::{HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;
use zeroize::Zeroizing;

/// The stream of the call; the same on both sides, which connects them.
const STREAM: u16 = 1;
/// Who gets a new termination: group 1, the interface that names the realm, an identifier of the gateway's choice.
const ACCESS_TERMINATION: &str = "ip/1/access/$";
const CORE_TERMINATION: &str = "ip/1/core/$";
/// What we call ourselves.
const OWN_NAME: &str = "loadtest";

/// What a transaction is to achieve.
enum Step {
    Adding(Box<CallPlan>),
    Subtracting {
        call: u32,
    },
    /// Taking away what a refused set-up has left: commands before the refused one stand (H.248.1 section 8).
    Clearing,
}

/// What the streams of a run are.
enum Content {
    Audio,
    /// MSRP, with or without TLS.
    Messages(Messages),
    /// Audio with keys from a handshake at the access side; the ends' `a=fingerprint`.
    Handshakes(String),
}

/// MSRP that is wanted.
#[derive(Debug, Clone)]
pub struct Messages {
    /// The ends' `a=fingerprint`.
    pub fingerprint: String,
    /// Where there is TLS: at the access and at the core side.
    pub secured: [bool; 2],
}

/// The path of an end of a call (RFC 4975 section 6).
pub fn path_of(end: SocketAddr, call: u32, secured: bool) -> String {
    let scheme = if secured { "msrps" } else { "msrp" };
    format!("{scheme}://{end}/call{call};tcp")
}

/// A controller for one gateway.
pub struct Iq {
    client: Client,
    content: Content,
    steps: HashMap<TransactionId, Step>,
    contexts: HashMap<u32, ContextId>,
    events: VecDeque<Event>,
}

impl Iq {
    /// A controller that begins its transactions at a random number.
    pub fn new(gateway: SocketAddr) -> Self {
        Self::with(gateway, Content::Audio)
    }

    /// The same for streams of MSRP: their ends connect, and the gateway waits on both sides.
    pub fn for_messages(gateway: SocketAddr, messages: Messages) -> Self {
        Self::with(gateway, Content::Messages(messages))
    }

    /// The same for audio with keys from a handshake, which the access end begins; all ends have this `a=fingerprint`.
    pub fn for_handshakes(gateway: SocketAddr, fingerprint: String) -> Self {
        Self::with(gateway, Content::Handshakes(fingerprint))
    }

    fn with(gateway: SocketAddr, content: Content) -> Self {
        let seed = getrandom::u64().unwrap_or(u64::from(std::process::id()));
        let mid = Mid::Domain { name: Name::new(OWN_NAME), port: None };
        let client = Client::new(ClientConfig::new(Peer::udp(gateway), mid), seed);
        Self { client, content, steps: HashMap::new(), contexts: HashMap::new(), events: VecDeque::new() }
    }

    fn request(
        &mut self,
        call: u32,
        context: ContextId,
        commands: Vec<CommandRequest>,
        step: Step,
        now: Duration,
    ) {
        let action =
            ActionRequest { context, properties: ContextProperties::default(), audit: None, commands };
        match self.client.request(now, vec![action]) {
            Some(id) => drop(self.steps.insert(id, step)),
            None => self.fail(call, "the request does not fit into a datagram".to_owned()),
        }
    }

    fn fail(&mut self, call: u32, reason: String) {
        self.events.push_back(Event::Failed { call, reason });
    }

    fn drain_client(&mut self, now: Duration) {
        while let Some(event) = self.client.poll_event() {
            match event {
                ClientEvent::Reply { id, body, after } => {
                    self.events.push_back(Event::Replied { took: after });
                    if let Some(step) = self.steps.remove(&id) {
                        self.advance(step, body, now);
                    }
                }
                ClientEvent::Unanswered(id) => {
                    let call = match self.steps.remove(&id) {
                        Some(Step::Adding(plan)) => plan.call,
                        Some(Step::Subtracting { call }) => call,
                        Some(Step::Clearing) | None => continue,
                    };
                    self.fail(call, "the gateway does not answer".to_owned());
                }
                // What the gateway asks is answered by the client; what it cannot read leaves its request unanswered.
                ClientEvent::Request(_) | ClientEvent::Refused(_) | ClientEvent::Unreadable(_) => {}
            }
        }
    }

    fn advance(&mut self, step: Step, body: ReplyBody, now: Duration) {
        let remains = remains(&body);
        match (step, only_action(body)) {
            (Step::Adding(plan), Ok(action)) => match established(*plan, &action) {
                Ok(up) => {
                    self.contexts.insert(up.call, action.context);
                    self.events.push_back(Event::Up(Box::new(up)));
                }
                Err((call, reason)) => self.fail(call, reason),
            },
            (Step::Subtracting { call }, Ok(_)) => {
                self.contexts.remove(&call);
                self.events.push_back(Event::Down { call });
            }
            (Step::Adding(plan), Err(reason)) => {
                if let Some(context) = remains {
                    let subtract = CommandRequest::new(TerminationId::All, Command::Subtract(None));
                    self.request(plan.call, context, vec![subtract], Step::Clearing, now);
                }
                self.fail(plan.call, reason);
            }
            (Step::Subtracting { call }, Err(reason)) => self.fail(call, reason),
            (Step::Clearing, _) => {}
        }
    }
}

/// The one action that a reply to one of our requests has, if nothing in it is an error.
fn only_action(body: ReplyBody) -> Result<ActionReply, String> {
    let mut actions = match body {
        ReplyBody::Error(error) => return Err(refusal(&error)),
        ReplyBody::Actions(actions) => actions,
    };
    let action =
        actions.pop().filter(|_| actions.is_empty()).ok_or("the gateway's reply has not one action")?;
    let in_commands = action.commands.iter().flat_map(descriptors).find_map(|descriptor| match descriptor {
        AuditReturn::Error(error) => Some(error),
        _ => None,
    });
    match action.error.as_ref().or(in_commands) {
        Some(error) => Err(refusal(error)),
        None => Ok(action),
    }
}

/// The context in which a first command succeeded, whatever became of the second.
fn remains(body: &ReplyBody) -> Option<ContextId> {
    let ReplyBody::Actions(actions) = body else { return None };
    let [action] = actions.as_slice() else { return None };
    let first = action.commands.first()?;
    let stands = !descriptors(first).iter().any(|descriptor| matches!(descriptor, AuditReturn::Error(_)));
    (stands && matches!(action.context, ContextId::Id(_))).then_some(action.context)
}

fn refusal(error: &ErrorDescriptor) -> String {
    match error.text.as_deref() {
        Some(text) if text != error.code.wording() => format!("the gateway said {}: {text}", error.code),
        _ => format!("the gateway said {}", error.code),
    }
}

fn descriptors(reply: &CommandReply) -> &[AuditReturn] {
    match &reply.result {
        CommandResult::Add(audit) | CommandResult::Subtract(audit) => audit,
        _ => &[],
    }
}

/// The addresses that the gateway chose; with the call's number, what is missing.
fn established(plan: CallPlan, action: &ActionReply) -> Result<Established, (u32, String)> {
    let call = plan.call;
    let missing = |what: &str| (call, format!("the gateway's reply has no {what}"));
    let [access, core] = action.commands.as_slice() else { return Err(missing("two results of Add")) };
    if !matches!(action.context, ContextId::Id(_)) {
        return Err(missing("context"));
    }
    let local = |reply| local_of(reply).ok_or_else(|| missing("Local descriptor"));
    let read = |text: &SdpText| sdp::read(text.as_str()).map_err(|error| (call, error.to_string()));
    let (access, core) = (read(local(access)?)?, read(local(core)?)?);
    Ok(Established {
        call,
        access: access.address,
        core: core.address,
        keys: plan.keys,
        told: [access.attributes, core.attributes],
    })
}

/// The Local descriptor of our stream in the result of an Add.
fn local_of(reply: &CommandReply) -> Option<&SdpText> {
    let streams = descriptors(reply).iter().find_map(|descriptor| match descriptor {
        AuditReturn::Media(media) => Some(&media.streams),
        _ => None,
    })?;
    let parms = match streams {
        Streams::None => return None,
        Streams::One(parms) => parms,
        Streams::Many(streams) => &streams.iter().find(|stream| stream.id == STREAM)?.parms,
    };
    parms.local.as_ref()
}

/// An Add of a termination with audio whose end is at `end`; `keys` are Local's and Remote's.
fn add_audio(termination: &str, end: SocketAddr, keys: Option<(&str, &str)>) -> CommandRequest {
    let (local_key, remote_key) = keys.unzip();
    let local = Zeroizing::new(sdp::describe_chosen(end.is_ipv4(), local_key));
    let remote = Zeroizing::new(sdp::describe(end, remote_key));
    add(termination, &local, &remote)
}

/// The same with MSRP; under TLS if the end has a fingerprint.
fn add_messages(termination: &str, call: u32, end: SocketAddr, fingerprint: Option<&str>) -> CommandRequest {
    let path = path_of(end, call, fingerprint.is_some());
    let local = sdp::describe_messages_chosen(end.is_ipv4(), fingerprint.is_some());
    add(termination, &local, &sdp::describe_messages(end, &path, fingerprint))
}

fn add(termination: &str, local: &str, remote: &str) -> CommandRequest {
    let control = LocalControlDescriptor { mode: Some(StreamMode::SendReceive), ..Default::default() };
    let parms = StreamParms {
        local_control: Some(control),
        local: Some(SdpText::new(local)),
        remote: Some(SdpText::new(remote)),
        statistics: None,
    };
    let streams = Streams::Many(vec![StreamDescriptor { id: STREAM, parms }]);
    let media = MediaDescriptor { termination_state: None, streams };
    let request = AmmRequest { media: Some(media), ..AmmRequest::default() };
    CommandRequest::new(TerminationId::Path(Name::new(termination)), Command::Add(Box::new(request)))
}

fn audio(plan: &CallPlan) -> Vec<CommandRequest> {
    let printed = plan
        .keys
        .as_ref()
        .map(|keys| (Zeroizing::new(keys.from_gateway.print()), Zeroizing::new(keys.to_gateway.print())));
    let keys = printed.as_ref().map(|(local, remote)| (local.as_str(), remote.as_str()));
    vec![add_audio(ACCESS_TERMINATION, plan.access, keys), add_audio(CORE_TERMINATION, plan.core, None)]
}

impl Control for Iq {
    fn set_up(&mut self, plan: &CallPlan, now: Duration) {
        let commands = match &self.content {
            Content::Audio => audio(plan),
            Content::Handshakes(fingerprint) => {
                let local = sdp::describe_handshake_chosen(plan.access.is_ipv4());
                let remote = sdp::describe_handshake(plan.access, fingerprint);
                vec![add(ACCESS_TERMINATION, &local, &remote), add_audio(CORE_TERMINATION, plan.core, None)]
            }
            Content::Messages(messages) => {
                let fingerprint = messages.fingerprint.as_str();
                let [access, core] = messages.secured.map(|secured| secured.then_some(fingerprint));
                vec![
                    add_messages(ACCESS_TERMINATION, plan.call, plan.access, access),
                    add_messages(CORE_TERMINATION, plan.call, plan.core, core),
                ]
            }
        };
        let step = Step::Adding(Box::new(plan.clone()));
        self.request(plan.call, ContextId::Choose, commands, step, now);
    }

    fn tear_down(&mut self, call: u32, now: Duration) {
        let Some(&context) = self.contexts.get(&call) else {
            self.fail(call, "the call is not up".to_owned());
            return;
        };
        let subtract = CommandRequest::new(TerminationId::All, Command::Subtract(None));
        self.request(call, context, vec![subtract], Step::Subtracting { call }, now);
    }

    fn handle_datagram(&mut self, datagram: &[u8], now: Duration) {
        self.client.handle_datagram(now, datagram);
        self.drain_client(now);
    }

    fn handle_timeout(&mut self, now: Duration) {
        self.client.handle_timeout(now);
        self.drain_client(now);
    }

    fn poll_timeout(&self) -> Option<Duration> {
        self.client.poll_timeout()
    }

    fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.client.poll_transmit().map(|transmit| transmit.bytes.to_vec())
    }

    fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calls::CallKeys;
    use agw_srtp::Suite;

    const NOW: Duration = Duration::from_secs(1);

    fn controller() -> Iq {
        Iq::new("127.0.0.1:2944".parse().unwrap())
    }

    fn plan() -> CallPlan {
        CallPlan {
            call: 7,
            access: "127.0.0.1:4000".parse().unwrap(),
            core: "127.0.0.1:5000".parse().unwrap(),
            keys: Some(CallKeys::random(Suite::AesCm128HmacSha1_80).unwrap()),
        }
    }

    fn sent(iq: &mut Iq) -> String {
        String::from_utf8(iq.poll_transmit().expect("a request")).unwrap()
    }

    fn transaction(request: &str) -> &str {
        request.split("T=").nth(1).and_then(|rest| rest.split('{').next()).unwrap()
    }

    fn answer(iq: &mut Iq, request: &str, actions: &str) {
        let reply = format!("!/2 [127.0.0.1]:2944 P={}{{{actions}}}", transaction(request));
        iq.handle_datagram(reply.as_bytes(), NOW + Duration::from_millis(2));
        assert!(matches!(iq.poll_event(), Some(Event::Replied { .. })));
    }

    fn added(termination: &str, port: u16) -> String {
        format!("A={termination}{{M{{ST=1{{L{{\nv=0\nc=IN IP4 127.0.0.1\nm=audio {port} RTP/AVP 8\n}}}}}}}}")
    }

    #[test]
    fn a_call_is_one_context_with_both_keys_where_they_belong() {
        let (mut iq, plan) = (controller(), plan());
        iq.set_up(&plan, NOW);
        let request = sent(&mut iq);
        let keys = plan.keys.clone().unwrap();
        let local = request.split("L{").nth(1).unwrap().split('}').next().unwrap();
        let remote = request.split("R{").nth(1).unwrap().split('}').next().unwrap();
        assert!(local.contains("m=audio $ RTP/SAVP 8") && local.contains(&keys.from_gateway.print()));
        assert!(remote.contains("m=audio 4000 RTP/SAVP 8") && remote.contains(&keys.to_gateway.print()));
        assert!(request.contains("C=${A=ip/1/access/$") && request.contains("A=ip/1/core/$"));

        let adds = format!("C=9{{{},{}}}", added("ip/1/access/1", 10_000), added("ip/1/core/2", 20_000));
        answer(&mut iq, &request, &adds);
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let expected = Established {
            call: 7,
            access: address(10_000),
            core: address(20_000),
            keys: plan.keys,
            told: Default::default(),
        };
        assert!(matches!(iq.poll_event(), Some(Event::Up(up)) if *up == expected));

        iq.tear_down(7, NOW);
        let request = sent(&mut iq);
        assert!(request.contains("C=9{S=*"), "{request}");
        answer(&mut iq, &request, "C=9{S=ip/1/access/1,S=ip/1/core/2}");
        assert!(matches!(iq.poll_event(), Some(Event::Down { call: 7 })));
    }

    #[test]
    fn an_error_at_any_level_is_a_failure_with_its_code() {
        for actions in ["ER=500{\"busy\"}", "C=9{ER=500{\"busy\"}}", "C=9{A=ip/1/access/1{ER=500{\"busy\"}}}"]
        {
            let mut iq = controller();
            iq.set_up(&plan(), NOW);
            let request = sent(&mut iq);
            answer(&mut iq, &request, actions);
            match iq.poll_event() {
                Some(Event::Failed { call: 7, reason }) => {
                    assert!(reason.contains("500") && reason.ends_with(": busy"), "{reason}");
                }
                other => panic!("{other:?} for {actions}"),
            }
        }
    }

    #[test]
    fn what_a_refused_set_up_has_left_is_taken_away() {
        let mut iq = controller();
        iq.set_up(&plan(), NOW);
        let request = sent(&mut iq);
        let half = format!("C=9{{{},A=ip/1/core/$ {{ER=510{{\"none\"}}}}}}", added("ip/1/access/1", 10_000));
        answer(&mut iq, &request, &half);
        assert!(matches!(iq.poll_event(), Some(Event::Failed { call: 7, .. })));
        let clearing =
            std::iter::from_fn(|| iq.poll_transmit()).map(|bytes| String::from_utf8(bytes).unwrap());
        assert!(clearing.into_iter().any(|text| text.contains("C=9{S=*")));
    }

    #[test]
    fn a_reply_that_lacks_something_is_a_failure() {
        let one = format!("C=9{{{}}}", added("ip/1/access/1", 10_000));
        let bare = "C=9{A=ip/1/access/1,A=ip/1/core/2}";
        for actions in [one.as_str(), bare] {
            let mut iq = controller();
            iq.set_up(&plan(), NOW);
            let request = sent(&mut iq);
            answer(&mut iq, &request, actions);
            assert!(matches!(iq.poll_event(), Some(Event::Failed { call: 7, .. })), "{actions}");
        }
    }

    #[test]
    fn a_silent_gateway_is_a_failure_in_the_end() {
        let mut iq = controller();
        iq.set_up(&plan(), NOW);
        for _ in 0..20 {
            let Some(then) = iq.poll_timeout() else { break };
            iq.handle_timeout(then);
        }
        assert!(matches!(iq.poll_event(), Some(Event::Failed { call: 7, .. })));
    }

    #[test]
    fn a_call_that_is_not_up_cannot_be_torn_down() {
        let mut iq = controller();
        iq.tear_down(3, NOW);
        assert!(matches!(iq.poll_event(), Some(Event::Failed { call: 3, .. })));
    }
}
