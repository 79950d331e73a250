//! At most once, over a network that loses, doubles and reorders: ten thousand transactions, each executed exactly once, none left
//! hanging, and at the end controller and gateway agree on every context (H.248.1 Annex D.1).
//!
//! The controller keeps its own record of what it was told. It adds, changes and subtracts as a seed says, never two things at once to
//! one context, because transactions overtake one another and H.248.1 promises no order among them.

use crate::lab::*;
use agw_core::command::Command as Order;
use agw_iq::ast::*;
use agw_iq::ber::Naming;
use agw_iq::counters::TransactionResult;
use agw_iq::encoding::{Encoding, Form};
use agw_iq::package::diffserv::DscpForm;
use agw_iq::text::{Style, parse_strictly};
use agw_iq::transport::{Peer, SocketId};
use agw_iq::{Client, ClientConfig, ClientEvent};
use std::collections::BTreeMap;
use std::time::Duration;

/// So many transactions are under way at once.
const WINDOW: usize = 32;
/// So many contexts stand at most, so that one audit lists them all in one datagram.
const CONTEXTS: usize = 100;

/// Chance from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

/// A seeded pretend network between one client and the gateway.
struct Net {
    dice: Dice,
    in_flight: BTreeMap<(Duration, u64), (bool, Vec<u8>)>,
    sent: u64,
    dropped: u64,
    doubled: u64,
    overtaken: u64,
    newest: u64,
}

impl Net {
    fn new(seed: u64) -> Self {
        Net {
            dice: Dice(seed),
            in_flight: BTreeMap::new(),
            sent: 0,
            dropped: 0,
            doubled: 0,
            overtaken: 0,
            newest: 0,
        }
    }

    /// Loses 30 % of all datagrams, doubles 10 %, and delays each by 1 to 60 ms, so that they overtake one another.
    fn send(&mut self, now: Duration, to_gateway: bool, bytes: &[u8]) {
        let copies = match self.dice.below(100) {
            0..30 => 0,
            30..40 => 2,
            _ => 1,
        };
        self.dropped += u64::from(copies == 0);
        self.doubled += u64::from(copies == 2);
        for _ in 0..copies {
            self.sent += 1;
            let at = now + Duration::from_millis(1 + self.dice.below(60));
            self.in_flight.insert((at, self.sent), (to_gateway, bytes.to_vec()));
        }
    }

    fn take(&mut self, now: Duration) -> Option<(bool, Vec<u8>)> {
        let entry = self.in_flight.first_entry().filter(|entry| entry.key().0 <= now)?;
        let number = entry.key().1;
        self.overtaken += u64::from(number < self.newest);
        self.newest = self.newest.max(number);
        Some(entry.remove())
    }
}

/// What the controller knows of a context.
#[derive(Debug)]
struct Record {
    /// Each termination, the port it was given and the mode it was last told.
    terminations: Vec<(TerminationId, String, StreamMode)>,
    busy: bool,
}

/// What a transaction was for.
#[derive(Debug)]
enum Aim {
    Add,
    Mode(u32, usize, StreamMode),
    Subtract(u32),
    Audit,
}

struct Controller {
    client: Client,
    dice: Dice,
    known: BTreeMap<u32, Record>,
    under_way: BTreeMap<u32, Aim>,
    done: [usize; 3],
    answers: Vec<ActionReply>,
}

/// Actions as the text encoding has them.
fn actions(text: &str) -> Vec<ActionRequest> {
    let message = parse_strictly(format!("!/2 <mgc.test> T=1{{{text}}}").as_bytes()).expect(text);
    match message.body {
        Body::Transactions(mut all) => match all.remove(0) {
            Transaction::Request(request) => request.actions,
            other => panic!("{other:?}"),
        },
        Body::Error(error) => panic!("{error:?}"),
    }
}

const MODES: [(StreamMode, &str); 4] = [
    (StreamMode::SendReceive, "SR"),
    (StreamMode::SendOnly, "SO"),
    (StreamMode::ReceiveOnly, "RC"),
    (StreamMode::Inactive, "IN"),
];

impl Controller {
    fn new(seed: u64, encoding: Encoding, acknowledge: bool) -> Self {
        let gateway = Peer::udp(([127, 0, 0, 1], 2944).into());
        let mut settings = ClientConfig::new(gateway, Mid::Device("mgc".into()));
        settings.acknowledge = acknowledge;
        settings.encoding = encoding;
        settings.naming = Naming::of(&config().realms, DscpForm::default());
        // Repeated often enough that at this loss not one request in a million is given up, and never for as long as LONG-TIMER:
        // then the gateway may have forgotten it (Annex D.1.1).
        settings.retransmission.max = Duration::from_millis(500);
        settings.retransmission.max_sends = 60;
        Controller {
            client: Client::new(settings, seed),
            dice: Dice(seed ^ 0x5555),
            known: BTreeMap::new(),
            under_way: BTreeMap::new(),
            done: [0; 3],
            answers: Vec::new(),
        }
    }

    fn ask(&mut self, now: Duration, text: &str, aim: Aim) {
        let id = self.client.request(now, actions(text)).expect("fits");
        self.under_way.insert(id, aim);
    }

    /// A context that nothing is being done to.
    fn idle(&mut self) -> Option<u32> {
        let idle: Vec<u32> =
            self.known.iter().filter(|(_, record)| !record.busy).map(|(id, _)| *id).collect();
        let at = self.dice.below(idle.len().max(1) as u64) as usize;
        idle.get(at).copied().inspect(|id| self.known.get_mut(id).expect("it is known").busy = true)
    }

    /// Something to do, as chance has it.
    fn begin(&mut self, now: Duration) {
        let adding = self.under_way.values().filter(|aim| matches!(aim, Aim::Add)).count();
        let room = self.known.len() + adding < CONTEXTS;
        let draw = self.dice.below(4);
        let context = if draw > 0 { self.idle() } else { None };
        match (draw, context) {
            (1, Some(context)) => {
                self.ask(now, &format!("C={context}{{S=*{{AT{{}}}}}}"), Aim::Subtract(context));
            }
            (_, Some(context)) => {
                let at = self.dice.below(2) as usize;
                let (mode, word) = MODES[self.dice.below(4) as usize];
                let name = self.known[&context].terminations[at].0.clone();
                let text = format!("C={context}{{MF={name}{{M{{ST=1{{O{{MO={word}}}}}}}}}}}");
                self.ask(now, &text, Aim::Mode(context, at, mode));
            }
            (_, None) if room => self.ask(now, &format!("C=${{{CORE},{CORE}}}"), Aim::Add),
            (_, None) => self.ask(now, "C=-{AV=ROOT{AT{}}}", Aim::Audit),
        }
    }

    /// Takes down what a reply says.
    fn learn(&mut self, id: u32, body: ReplyBody) {
        let aim = self.under_way.remove(&id).expect("a reply to what was asked, and only one");
        let ReplyBody::Actions(mut replies) = body else { panic!("{aim:?}: {body:?}") };
        assert!(replies.iter().all(|action| action.error.is_none()), "{aim:?}: {replies:?}");
        match aim {
            Aim::Add => {
                self.done[0] += 1;
                let action = replies.remove(0);
                let ContextId::Id(context) = action.context else { panic!("{action:?}") };
                let terminations = action.commands.iter().map(told).collect();
                let before = self.known.insert(context, Record { terminations, busy: false });
                assert!(before.is_none(), "context {context} was given twice");
            }
            Aim::Mode(context, at, mode) => {
                self.done[1] += 1;
                let record = self.known.get_mut(&context).expect("it was busy");
                record.terminations[at].2 = mode;
                record.busy = false;
            }
            Aim::Subtract(context) => {
                self.done[2] += 1;
                self.known.remove(&context).expect("it was busy");
            }
            Aim::Audit => self.answers.append(&mut replies),
        }
    }
}

/// The name, the `m=` line and the mode that a reply tells of a termination; no mode is that of an Add in this test.
fn told(reply: &CommandReply) -> (TerminationId, String, StreamMode) {
    let (CommandResult::Add(returned) | CommandResult::AuditValue(AuditResult::Termination(returned))) =
        &reply.result
    else {
        panic!("{reply:?}")
    };
    let media = returned.iter().find_map(|one| match one {
        AuditReturn::Media(MediaDescriptor { streams: Streams::Many(streams), .. }) => streams.first(),
        _ => None,
    });
    let parms = &media.unwrap_or_else(|| panic!("{reply:?}")).parms;
    let line = parms.local.as_ref().and_then(|sdp| sdp.lines().find(|line| line.starts_with("m=")));
    let mode =
        parms.local_control.as_ref().and_then(|control| control.mode).unwrap_or(StreamMode::SendReceive);
    (reply.terminations[0].clone(), line.expect("a medium").to_owned(), mode)
}

/// A world of three: controller, network, gateway.
struct World {
    lab: Lab,
    net: Net,
    controller: Controller,
    /// Where the gateway hears the controller: a socket carries one form.
    socket: SocketId,
}

impl World {
    fn new(seed: u64, encoding: Encoding, acknowledge: bool) -> Self {
        World {
            lab: Lab::new(),
            net: Net::new(seed),
            controller: Controller::new(seed, encoding, acknowledge),
            socket: match encoding.form() {
                Form::Text => SocketId::TEXT,
                Form::Binary => SocketId::BINARY,
            },
        }
    }

    /// Lets happen what is due, then time go on to what is next.
    fn turn(&mut self) {
        let World { lab, net, controller, socket } = self;
        while let Some(transmit) = controller.client.poll_transmit() {
            net.send(lab.now, true, &transmit.bytes);
        }
        while let Some(transmit) = lab.iq.poll_transmit() {
            net.send(lab.now, false, &transmit.bytes);
        }
        let arrival = net.in_flight.first_key_value().map(|((at, _), _)| *at);
        let wakes = [arrival, controller.client.poll_timeout(), lab.iq.poll_timeout()];
        lab.now = wakes.into_iter().flatten().min().expect("something is to happen").max(lab.now);
        while let Some((to_gateway, bytes)) = net.take(lab.now) {
            if to_gateway {
                lab.iq.handle_datagram(lab.now, *socket, MGC.into(), &bytes, &mut lab.model);
                lab.settle();
            } else {
                controller.client.handle_datagram(lab.now, &bytes);
            }
        }
        controller.client.handle_timeout(lab.now);
        lab.iq.handle_timeout(lab.now, &mut lab.model);
        while let Some(event) = controller.client.poll_event() {
            match event {
                ClientEvent::Reply { id, body, .. } => controller.learn(id, body),
                other => panic!("{other:?}"),
            }
        }
    }

    fn rest(&mut self) {
        while !self.controller.client.is_idle() {
            self.turn();
        }
        assert!(self.controller.under_way.is_empty(), "{:?}", self.controller.under_way);
    }

    fn run(&mut self, transactions: usize) {
        let mut started = 0;
        while started < transactions {
            while started < transactions && self.controller.client.unanswered() < WINDOW {
                self.controller.begin(self.lab.now);
                started += 1;
            }
            self.turn();
        }
        self.rest();
    }

    /// The controller audits, over the same network, and compares with its own record.
    fn agree(&mut self) {
        let mut there = BTreeMap::new();
        self.controller.answers.clear();
        self.controller.ask(self.lab.now, "C=*{O-AV=*{AT{}}}", Aim::Audit);
        self.rest();
        for action in std::mem::take(&mut self.controller.answers) {
            let ContextId::Id(context) = action.context else { panic!("{action:?}") };
            let names: Vec<_> = action.commands.into_iter().flat_map(|reply| reply.terminations).collect();
            there.insert(context, names);
        }
        let known =
            |record: &Record| record.terminations.iter().map(|(name, ..)| name.clone()).collect::<Vec<_>>();
        let expected: BTreeMap<_, _> =
            self.controller.known.iter().map(|(context, record)| (*context, known(record))).collect();
        assert_eq!(there, expected, "the gateway has what the controller knows of, and nothing else");
        for (context, names) in expected {
            for name in names {
                self.controller.ask(
                    self.lab.now,
                    &format!("C={context}{{AV={name}{{AT{{M}}}}}}"),
                    Aim::Audit,
                );
            }
            self.rest();
            let answers = std::mem::take(&mut self.controller.answers);
            let told: Vec<_> = answers.iter().flat_map(|action| &action.commands).map(told).collect();
            let record = &self.controller.known[&context].terminations;
            assert!(
                record.len() == told.len() && record.iter().all(|it| told.contains(it)),
                "{record:?} {told:?}"
            );
        }
    }
}

fn ten_thousand(encoding: Encoding) {
    let mut world = World::new(1, encoding, true);
    world.run(10_000);
    let [added, changed, removed] = world.controller.done;
    assert!(added > 2000 && changed > 2000 && removed > 2000, "{added} {changed} {removed}");
    assert_eq!(added - removed, world.controller.known.len());
    let orders =
        |wanted: fn(&Order) -> bool| world.lab.model.log.iter().filter(|order| wanted(order)).count();
    assert_eq!(orders(|order| matches!(order, Order::CreateContext(_))), added, "none twice, none forgotten");
    assert_eq!(orders(|order| matches!(order, Order::Add { .. })), 2 * added);
    assert_eq!(orders(|order| matches!(order, Order::Modify { .. })), changed);
    assert_eq!(orders(|order| matches!(order, Order::Subtract(_))), 2 * removed);
    let counters = world.lab.iq.counters();
    assert_eq!(counters.transactions(TransactionResult::Ok), 10_000);
    assert!(counters.transactions(TransactionResult::Duplicate) > 2000);
    let net = &world.net;
    assert!(
        net.dropped > 5000 && net.doubled > 1500 && net.overtaken > 5000,
        "{} {} {}",
        net.dropped,
        net.doubled,
        net.overtaken
    );
    world.agree();
}

#[test]
fn ten_thousand_transactions_in_text_are_each_executed_once_and_both_sides_agree() {
    ten_thousand(Encoding::Text(Style::Compact));
}

#[test]
fn ten_thousand_transactions_in_binary_are_each_executed_once_and_both_sides_agree() {
    ten_thousand(Encoding::BER);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let [mut a, mut b] = [(); 2].map(|()| World::new(9, Encoding::Text(Style::Compact), false));
    a.run(500);
    b.run(500);
    assert_eq!((a.lab.now, a.net.sent, a.net.dropped), (b.lab.now, b.net.sent, b.net.dropped));
    assert_eq!(a.lab.iq.counters(), b.lab.iq.counters());
    assert_eq!(a.lab.model.log, b.lab.model.log);
}
