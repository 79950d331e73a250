//! The decisions of an association, without messages.

use super::*;
use std::time::Duration;

fn controller(last: u8) -> Controller {
    let address = SocketAddr::new([192, 0, 2, last].into(), 2944);
    Controller {
        transport: ControllerTransport::Udp,
        place: address.into(),
        encoding: Encoding::Text(Style::Pretty),
        name: Some(format!("mgc{last}.test")),
    }
}

fn ip(last: u8) -> IpAddr {
    [192, 0, 2, last].into()
}

fn association(controllers: &[u8]) -> (Association, Random) {
    let mut random = Random::new(5);
    let controllers = controllers.iter().map(|last| controller(*last)).collect();
    (Association::new(controllers, Timers::default(), Duration::ZERO, &mut random), random)
}

/// Whom the gateway speaks to next, and with which method.
fn next(association: &mut Association, now: Now) -> (u8, ServiceChangeMethod) {
    match association.poll(now, &mut Random::new(6)) {
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
    assert_eq!(association.authority(ip(1)), Authority::TooEarly);
    association.unanswered(Duration::from_secs(20), &mut random);
    assert_eq!(next(&mut association, Duration::from_secs(20)), (2, ServiceChangeMethod::Restart));
    assert!(association.answered(Duration::from_secs(20), &ServiceChangeResult::Accepted, &mut random));
    assert_eq!(association.authority(ip(2)), Authority::Controls);
    assert_eq!(association.authority(ip(1)), Authority::NotInCommand);
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
        assert!(association.poll(until - Duration::from_micros(1), &mut random).is_none());
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

mod by_name {
    use super::*;
    use crate::config::Place;

    fn named(host: &str) -> Controller {
        Controller { place: Place::Name { host: host.to_owned(), port: 2944 }, name: None, ..controller(0) }
    }

    fn association(controllers: Vec<Controller>) -> (Association, Random) {
        let mut random = Random::new(5);
        (Association::new(controllers, Timers::default(), Duration::ZERO, &mut random), random)
    }

    /// Names that are asked for, each answered with these addresses.
    fn answer(association: &mut Association, now: Now, of: &[(&str, &[u8])]) -> Vec<Resolved> {
        let mut random = Random::new(7);
        let mut resolved = Vec::new();
        while let Some(asked) = association.poll_resolution() {
            let found = of.iter().find(|(name, _)| *name == asked).map_or(&[][..], |(_, last)| last);
            let found: Vec<IpAddr> = found.iter().map(|last| ip(*last)).collect();
            resolved.push(association.resolved(now, &asked, &found, &mut random));
        }
        resolved
    }

    fn quiet(association: &mut Association, now: Now) -> bool {
        association.poll(now, &mut Random::new(6)).is_none()
    }

    #[test]
    fn the_addresses_of_a_name_are_tried_in_turn_between_the_controllers_around_it() {
        let (mut association, mut random) =
            association(vec![controller(1), named("mgc.test"), controller(9), named("other.test")]);
        assert!(quiet(&mut association, Duration::ZERO), "names are looked up first");
        assert_eq!(association.poll_resolution().as_deref(), Some("mgc.test"));
        association.resolved(Duration::ZERO, "mgc.test", &[ip(4), ip(3), ip(4)], &mut random);
        assert!(quiet(&mut association, Duration::ZERO), "both of them");
        answer(&mut association, Duration::ZERO, &[("other.test", &[1, 5])]);
        let mut tried = Vec::new();
        for _ in 0..5 {
            tried.push(next(&mut association, Duration::ZERO).0);
            association.unanswered(Duration::ZERO, &mut random);
        }
        assert_eq!(tried, [1, 4, 3, 9, 5], "each address once");
        let until = association.next_timer().expect("a pause");
        assert!(until >= Duration::from_millis(500), "the round is over: {until:?}");
        assert!(quiet(&mut association, until));
        answer(&mut association, until, &[("mgc.test", &[6]), ("other.test", &[])]);
        next(&mut association, until);
        association.unanswered(until, &mut random);
        assert_eq!(next(&mut association, until).0, 6, "a new round asks anew");
    }

    #[test]
    fn no_more_than_the_first_addresses_of_a_name_are_used() {
        let (mut association, mut random) = association(vec![named("mgc.test")]);
        assert!(quiet(&mut association, Duration::ZERO));
        let all: Vec<u8> = (1..=100).collect();
        answer(&mut association, Duration::ZERO, &[("mgc.test", &all)]);
        let mut tried = 0;
        while association.next_timer() == Some(Duration::ZERO) || tried == 0 {
            tried += 1;
            assert_eq!(usize::from(next(&mut association, Duration::ZERO).0), tried);
            association.unanswered(Duration::ZERO, &mut random);
        }
        assert_eq!(tried, MAX_ADDRESSES_OF_A_NAME);
    }

    #[test]
    fn a_name_that_moves_takes_authority_along_but_not_from_the_registered_controller() {
        let (mut association, mut random) = association(vec![named("mgc.test")]);
        assert_eq!(association.authority(ip(1)), Authority::Stranger, "nothing is known yet");
        assert!(quiet(&mut association, Duration::ZERO));
        assert_eq!(answer(&mut association, Duration::ZERO, &[("mgc.test", &[1, 2])]), [Resolved::Changed]);
        assert_eq!(association.authority(ip(2)), Authority::TooEarly);
        assert_eq!(next(&mut association, Duration::ZERO).0, 1);
        assert!(association.answered(Duration::ZERO, &ServiceChangeResult::Accepted, &mut random));
        assert_eq!(association.authority(ip(2)), Authority::NotInCommand);
        assert_eq!(association.next_timer(), Some(NAME_LASTS));
        assert!(quiet(&mut association, NAME_LASTS));
        assert_eq!(answer(&mut association, NAME_LASTS, &[("mgc.test", &[3])]), [Resolved::Changed]);
        let authority = [1, 2, 3].map(|last| association.authority(ip(last)));
        assert_eq!(authority, [Authority::Controls, Authority::Stranger, Authority::NotInCommand]);
        assert_eq!(association.names_at(ip(3)).collect::<Vec<_>>(), ["mgc.test"]);
        assert_eq!(association.names_at(ip(1)).count(), 0);
        let later = 2 * NAME_LASTS;
        association.lost(later);
        assert!(quiet(&mut association, later));
        assert_eq!(answer(&mut association, later, &[("mgc.test", &[3])]), [Resolved::Same]);
        assert_eq!(next(&mut association, later), (3, ServiceChangeMethod::Failover), "it is another one");
        assert_eq!(association.authority(ip(1)), Authority::Stranger, "lost, and not the name's any more");
    }

    #[test]
    fn a_name_that_does_not_resolve_is_asked_again_after_growing_pauses_and_told_of_once() {
        let (mut association, mut random) = association(vec![named("mgc.test")]);
        let (mut now, mut told, mut pauses) = (Duration::ZERO, Vec::new(), Vec::new());
        for _ in 0..24 {
            assert!(quiet(&mut association, now));
            told.extend(answer(&mut association, now, &[]));
            assert!(quiet(&mut association, now), "nobody to ask");
            let until = association.next_timer().expect("a pause");
            pauses.push(until - now);
            now = until;
        }
        assert_eq!(told[0], Resolved::Failed);
        assert!(told[1..].iter().all(|told| *told == Resolved::Same), "{told:?}");
        assert!(pauses[0] >= Duration::from_millis(500), "{pauses:?}");
        assert!(now > Duration::from_secs(100), "pauses grow: {pauses:?}");
        for _ in 0..10 {
            if !quiet(&mut association, now) {
                break;
            }
            let resolved = answer(&mut association, now, &[("mgc.test", &[1])]);
            assert!(resolved.iter().all(|resolved| *resolved != Resolved::Failed));
            if !quiet(&mut association, now) {
                break;
            }
            now = association.next_timer().map_or(now, |until| until.max(now));
        }
        assert_eq!(association.controller().map(|(peer, ..)| peer.address.ip()), Some(ip(1)));
        assert!(association.answered(now, &ServiceChangeResult::Accepted, &mut random));
        let due = association.next_timer().expect("the name is asked again");
        assert!(quiet(&mut association, due));
        assert_eq!(answer(&mut association, due, &[]), [Resolved::Failed]);
        association.lost(due);
        assert!(quiet(&mut association, due));
        answer(&mut association, due, &[]);
        assert_eq!(
            next(&mut association, due),
            (1, ServiceChangeMethod::Disconnected),
            "what was known stays"
        );
    }

    #[test]
    fn a_referral_to_a_configured_name_tries_its_addresses_and_one_to_another_name_nobodys() {
        let (mut association, mut random) = association(vec![controller(1), named("mgc.test")]);
        assert!(quiet(&mut association, Duration::ZERO));
        answer(&mut association, Duration::ZERO, &[("mgc.test", &[3, 4])]);
        next(&mut association, Duration::ZERO);
        association.answered(Duration::ZERO, &ServiceChangeResult::Accepted, &mut random);
        let to = |name: &str| Mid::Domain { name: name.into(), port: None };
        association.hand_off(Duration::ZERO, Some(&to("MGC.test")), None);
        assert_eq!(next(&mut association, Duration::ZERO), (3, ServiceChangeMethod::HandOff));
        association.unanswered(Duration::ZERO, &mut random);
        assert_eq!(next(&mut association, Duration::ZERO), (4, ServiceChangeMethod::HandOff));
        association.answered(Duration::ZERO, &ServiceChangeResult::Accepted, &mut random);
        association.hand_off(Duration::ZERO, Some(&to("unknown.test")), None);
        assert!(association.poll_resolution().is_none(), "it is not looked up");
        assert_eq!(next(&mut association, Duration::ZERO).0, 4, "whoever commands is asked");
    }

    #[test]
    fn an_answer_that_nobody_asked_for_changes_nothing() {
        let (mut association, mut random) = association(vec![named("mgc.test")]);
        for name in ["mgc.test", "other.test"] {
            assert_eq!(association.resolved(Duration::ZERO, name, &[ip(1)], &mut random), Resolved::Same);
        }
        assert_eq!(association.authority(ip(1)), Authority::Stranger);
    }
}
