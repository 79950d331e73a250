//! At most once, over a network that loses, doubles and reorders: thousands of transactions, each executed exactly once.

use crate::lab::*;
use agw_iq::ast::*;
use agw_iq::counters::TransactionResult;
use agw_iq::transport::{Peer, SocketId};
use agw_iq::{Client, ClientConfig, ClientEvent};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A seeded pretend network between one client and the gateway.
struct Net {
    seed: u64,
    in_flight: BTreeMap<(Duration, u64), (bool, Vec<u8>)>,
    sent: u64,
    dropped: u64,
}

impl Net {
    fn draw(&mut self, below: u64) -> u64 {
        self.seed = self.seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.seed >> 33) % below
    }

    /// Loses 30 % of all datagrams, doubles 10 %, and delays each by 1 to 60 ms.
    fn send(&mut self, now: Duration, to_gateway: bool, bytes: &[u8]) {
        let copies = match self.draw(100) {
            0..30 => 0,
            30..40 => 2,
            _ => 1,
        };
        self.dropped += u64::from(copies == 0);
        for _ in 0..copies {
            self.sent += 1;
            let at = now + Duration::from_millis(1 + self.draw(60));
            self.in_flight.insert((at, self.sent), (to_gateway, bytes.to_vec()));
        }
    }
}

fn add_action() -> Vec<ActionRequest> {
    let local = "v=0\nc=IN IP4 $\nm=audio $ RTP/AVP 0\n";
    let parms = StreamParms { local: Some(agw_iq::sdp::SdpText::new(local)), ..Default::default() };
    let media = MediaDescriptor {
        termination_state: None,
        streams: Streams::Many(vec![StreamDescriptor { id: 1, parms }]),
    };
    let request = AmmRequest { media: Some(media), ..Default::default() };
    let command =
        CommandRequest::new(TerminationId::Path("ip/1/access/$".into()), Command::Add(Box::new(request)));
    vec![ActionRequest {
        context: ContextId::Choose,
        properties: ContextProperties::default(),
        audit: None,
        commands: vec![command],
    }]
}

fn run(seed: u64, transactions: usize, acknowledge: bool) -> (Lab, Net, BTreeSet<u32>) {
    let mut lab = Lab::new();
    let mut net = Net { seed, in_flight: BTreeMap::new(), sent: 0, dropped: 0 };
    let gateway = Peer::udp(([127, 0, 0, 1], 2944).into());
    let mut settings = ClientConfig::new(gateway, Mid::Device("mgc".into()));
    settings.acknowledge = acknowledge;
    // Long enough that at this loss not one request in a million is given up.
    settings.retransmission.max_sends = 60;
    settings.retransmission.give_up_after = Duration::from_secs(120);
    let mut client = Client::new(settings, seed);
    let mut started = 0;
    let mut contexts = BTreeSet::new();
    for _ in 0..transactions * 200 {
        while started < transactions && client.unanswered() < 32 {
            client.request(lab.now, add_action()).expect("fits");
            started += 1;
        }
        while let Some(transmit) = client.poll_transmit() {
            net.send(lab.now, true, &transmit.bytes);
        }
        while let Some(transmit) = lab.iq.poll_transmit() {
            net.send(lab.now, false, &transmit.bytes);
        }
        while let Some(event) = client.poll_event() {
            match event {
                ClientEvent::Reply { body: ReplyBody::Actions(actions), .. } => match actions[0].context {
                    ContextId::Id(id) => assert!(contexts.insert(id), "context {id} was given twice"),
                    other => panic!("{other}"),
                },
                other => panic!("{other:?}"),
            }
        }
        if started == transactions && client.is_idle() {
            return (lab, net, contexts);
        }
        let arrival = net.in_flight.first_key_value().map(|((at, _), _)| *at);
        let wakes = [arrival, client.poll_timeout(), lab.iq.poll_timeout()];
        lab.now = wakes.into_iter().flatten().min().expect("something is to happen").max(lab.now);
        while let Some(entry) = net.in_flight.first_entry().filter(|entry| entry.key().0 <= lab.now) {
            let (to_gateway, bytes) = entry.remove();
            if to_gateway {
                lab.iq.handle_datagram(lab.now, SocketId(0), MGC.into(), &bytes, &mut lab.model);
                lab.settle();
            } else {
                client.handle_datagram(lab.now, &bytes);
            }
        }
        client.handle_timeout(lab.now);
        lab.iq.handle_timeout(lab.now, &mut lab.model);
    }
    panic!("the network never came to rest");
}

#[test]
fn every_transaction_is_executed_exactly_once_over_a_bad_network() {
    for seed in [1, 2, 3] {
        let (lab, net, contexts) = run(seed, 2000, true);
        assert!(net.dropped > 1000, "{}", net.dropped);
        assert_eq!(contexts.len(), 2000);
        assert_eq!(lab.model.created, 2000, "none twice");
        assert_eq!(lab.iq.counters().transactions(TransactionResult::Ok), 2000);
        assert!(lab.iq.counters().transactions(TransactionResult::Duplicate) > 500);
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let (a, net_a, _) = run(9, 200, false);
    let (b, net_b, _) = run(9, 200, false);
    assert_eq!((a.now, net_a.sent, net_a.dropped), (b.now, net_b.sent, net_b.dropped));
    assert_eq!(a.iq.counters(), b.iq.counters());
}

#[test]
fn a_repeated_request_gets_the_same_reply_and_is_not_executed_again() {
    let mut lab = Lab::new();
    let request = format!("!/2 <mgc.test> T=77{{C=${{{CORE}}}}}");
    let first = lab.exchange(&request);
    assert_eq!(lab.exchange(&request), first);
    assert_eq!(lab.model.created, 1);
    // Once acknowledged nothing is said any more, and still nothing is done.
    assert!(lab.exchange("!/2 <mgc.test> K{70-80}").is_empty());
    assert!(lab.exchange(&request).is_empty());
    assert_eq!(lab.model.created, 1);
    // After LONG-TIMER the number may be used again.
    lab.pass(Duration::from_secs(31));
    assert_ne!(lab.exchange(&request), first);
    assert_eq!(lab.model.created, 2);
}

#[test]
fn another_peer_may_use_the_same_numbers() {
    let mut lab = Lab::new();
    let request = "!/2 <mgc.test> T=77{C=-{AV=ROOT{AT{}}}}";
    for port in 1000..1010 {
        assert_eq!(lab.exchange_from(([127, 0, 0, 1], port).into(), request).len(), 1);
    }
    assert_eq!(lab.iq.counters().transactions(TransactionResult::Ok), 10);
}

#[test]
fn a_reply_after_pending_wants_to_be_acknowledged() {
    let mut lab = Lab::new();
    lab.model.slow = true;
    let request = format!("!/2 <mgc.test> T=77{{C=${{{CORE}}}}}");
    assert!(lab.exchange(&request).is_empty());
    assert_eq!(lab.exchange(&request), ["!/2 [192.0.2.20]:2944 PN=77{}"]);
    let replies = lab.confirm();
    assert!(replies[0].starts_with("!/2 [192.0.2.20]:2944 P=77{IA,C=5001{A=ip/1/core/101"), "{replies:?}");
    assert_eq!(lab.model.created, 1);
}

#[test]
fn transactions_of_one_message_are_independent() {
    let mut lab = Lab::new();
    let replies = lab
        .exchange("!/2 <mgc.test> T=1{C=9{AV=x{AT{}}}} T=2{C=-{AV=ROOT{AT{}}}} K{5} T=3{C=-{AV=ROOT{AT{}}}}");
    assert_eq!(replies.len(), 3);
    assert!(replies[0].contains("P=1{C=9{ER=411{"), "{replies:?}");
    assert!(replies[1].contains("P=2{C=-{AV=ROOT}}"));
    assert!(replies[2].contains("P=3{"));
}

#[test]
fn the_answer_is_written_as_the_question_was() {
    let mut lab = Lab::new();
    assert!(lab.exchange("!/1 <m> T=1{C=-{AV=ROOT{AT{}}}}")[0].starts_with("!/1 "));
    assert!(
        lab.exchange("MEGACO/3 <m> Transaction = 2 { Context = - { AuditValue = ROOT { Audit { } } } }")[0]
            .starts_with("MEGACO/3 [192.0.2.20]:2944\nReply = 2 {")
    );
}

#[test]
fn commands_are_counted_by_name_and_result() {
    let mut lab = Lab::new();
    lab.call();
    lab.error("C=5001{MF=ip/1/access/9}");
    let counted: Vec<_> = lab.iq.counters().commands().collect();
    assert_eq!(counted, [("add", "ok".to_owned(), 2), ("modify", "430".to_owned(), 1)]);
    assert_eq!(lab.iq.counters().transaction_durations.total(), 2);
}
