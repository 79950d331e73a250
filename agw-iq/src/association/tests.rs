//! The decisions of an association, without messages.

use super::*;
use std::time::Duration;

fn controller(last: u8) -> Controller {
    let address = SocketAddr::new([192, 0, 2, last].into(), 2944);
    Controller {
        transport: ControllerTransport::Udp,
        address,
        encoding: Encoding::Text(Style::Pretty),
        name: Some(format!("mgc{last}.test")),
    }
}

fn association(controllers: &[u8]) -> (Association, Random) {
    let mut random = Random::new(5);
    let controllers = controllers.iter().map(|last| controller(*last)).collect();
    (Association::new(controllers, Timers::default(), Duration::ZERO, &mut random), random)
}

/// Whom the gateway speaks to next, and with which method.
fn next(association: &mut Association, now: Now) -> (u8, ServiceChangeMethod) {
    match association.poll(now) {
        Some(Want::Register { to, method, .. }) => match to.address.ip() {
            IpAddr::V4(ip) => (ip.octets()[3], method),
            IpAddr::V6(_) => panic!("no such controller"),
        },
        other => panic!("{other:?}"),
    }
}

fn parms(reply: ServiceChangeReply) -> ServiceChangeResult {
    ServiceChangeResult::Parms(Box::new(reply))
}

#[test]
fn the_first_that_answers_commands_and_the_others_do_not() {
    let (mut association, mut random) = association(&[1, 2]);
    assert_eq!(next(&mut association, Duration::ZERO), (1, ServiceChangeMethod::Restart));
    assert_eq!(association.authority(controller(1).address.ip()), Authority::TooEarly);
    association.unanswered(Duration::from_secs(20), &mut random);
    assert_eq!(next(&mut association, Duration::from_secs(20)), (2, ServiceChangeMethod::Restart));
    assert!(association.answered(Duration::from_secs(20), &ServiceChangeResult::Accepted, &mut random));
    assert_eq!(association.authority(controller(2).address.ip()), Authority::Controls);
    assert_eq!(association.authority(controller(1).address.ip()), Authority::NotInCommand);
    assert_eq!(association.authority([127, 0, 0, 1].into()), Authority::Stranger);
}

#[test]
fn after_a_round_without_answer_it_waits_longer_each_time() {
    let (mut association, mut random) = association(&[1]);
    let mut now = Duration::ZERO;
    let mut pauses = Vec::new();
    for _ in 0..8 {
        next(&mut association, now);
        association.unanswered(now, &mut random);
        let until = association.next_timer().expect("waiting");
        assert!(association.poll(until - Duration::from_micros(1)).is_none());
        pauses.push(until - now);
        now = until;
    }
    assert!(pauses[0] >= Duration::from_millis(500) && pauses[0] < Duration::from_secs(1));
    assert!(pauses[7] >= Duration::from_secs(30) && pauses[7] <= Duration::from_secs(60), "{pauses:?}");
}

#[test]
fn a_lost_controller_is_asked_again_first_then_the_others() {
    let (mut association, mut random) = association(&[1, 2, 3]);
    next(&mut association, Duration::ZERO);
    association.unanswered(Duration::ZERO, &mut random);
    next(&mut association, Duration::ZERO);
    assert!(association.answered(Duration::ZERO, &ServiceChangeResult::Accepted, &mut random));
    association.lost(Duration::ZERO);
    let mut tried = Vec::new();
    for _ in 0..3 {
        tried.push(next(&mut association, Duration::ZERO));
        association.unanswered(Duration::ZERO, &mut random);
    }
    use ServiceChangeMethod::{Disconnected, Failover};
    assert_eq!(tried, [(2, Disconnected), (1, Failover), (3, Failover)]);
}

#[test]
fn a_controller_may_send_us_on_but_not_for_ever() {
    let (mut association, mut random) = association(&[1, 2]);
    next(&mut association, Duration::ZERO);
    let elsewhere = |last| {
        parms(ServiceChangeReply {
            mgc_id: Some(Mid::Ip4 { address: [192, 0, 2, last].into(), port: None }),
            ..Default::default()
        })
    };
    assert!(!association.answered(Duration::ZERO, &elsewhere(77), &mut random));
    assert_eq!(next(&mut association, Duration::ZERO), (77, ServiceChangeMethod::Restart));
    for _ in 0..4 {
        association.answered(Duration::ZERO, &elsewhere(77), &mut random);
        assert_eq!(next(&mut association, Duration::ZERO).0, 77);
    }
    association.answered(Duration::ZERO, &elsewhere(77), &mut random);
    assert_eq!(next(&mut association, Duration::ZERO).0, 2, "five times is enough");
}

#[test]
fn hand_off_goes_to_the_designated_controller_by_address_or_name() {
    let (mut association, mut random) = association(&[1, 2]);
    next(&mut association, Duration::ZERO);
    association.answered(Duration::ZERO, &ServiceChangeResult::Accepted, &mut random);
    association.hand_off(Duration::ZERO, Some(&Mid::Domain { name: "MGC2.test".into(), port: None }), None);
    assert_eq!(next(&mut association, Duration::ZERO), (2, ServiceChangeMethod::HandOff));
    association.unanswered(Duration::ZERO, &mut random);
    assert_eq!(next(&mut association, Duration::ZERO), (1, ServiceChangeMethod::Disconnected));
}

#[test]
fn version_and_address_follow_the_reply() {
    let (mut association, mut random) = association(&[1]);
    next(&mut association, Duration::ZERO);
    let old = parms(ServiceChangeReply {
        version: Some(1),
        address: Some(ServiceChangeAddress::Port(4000)),
        ..Default::default()
    });
    assert!(association.answered(Duration::ZERO, &old, &mut random));
    let (peer, version, _) = association.controller().expect("registered");
    assert_eq!((peer.address.port(), version), (4000, 1));
}

#[test]
fn a_controller_of_version_1_is_asked_again_in_version_1() {
    let (mut association, mut random) = association(&[1]);
    next(&mut association, Duration::ZERO);
    let refused = ServiceChangeResult::Error(ErrorDescriptor::new(ErrorCode::VERSION_NOT_SUPPORTED));
    association.answered(Duration::ZERO, &refused, &mut random);
    next(&mut association, Duration::ZERO);
    assert_eq!(association.controller().map(|(_, version, _)| version), Some(1));
}

#[test]
fn without_controllers_loopback_commands_and_nobody_else() {
    let (association, _) = association(&[]);
    assert_eq!(association.authority([127, 0, 0, 9].into()), Authority::Controls);
    assert_eq!(association.authority("::1".parse().expect("an address")), Authority::Controls);
    assert_eq!(association.authority("::ffff:127.0.0.1".parse().expect("an address")), Authority::Controls);
    assert_eq!(association.authority([192, 0, 2, 1].into()), Authority::Stranger);
}
