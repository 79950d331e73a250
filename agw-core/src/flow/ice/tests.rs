//! Checks of peers and of strangers.

use super::*;
use crate::wire::stun::TransactionId;

const TRANSACTION: TransactionId = *b"twelve bytes";
const CONTROLLING: (u16, &[u8]) = (attribute::ICE_CONTROLLING, &[7; 8]);
const NOMINATE: (u16, &[u8]) = (attribute::USE_CANDIDATE, &[]);
const PRIORITY: (u16, &[u8]) = (attribute::PRIORITY, &[0x6e, 0, 1, 255]);

fn agent() -> IceLite {
    IceLite::new(IceCredentials::new("ours", "a password of 22 chars", Some("theirs")))
}

fn address(last: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], port))
}

fn at(ms: u64) -> Now {
    Now(ms * 1000)
}

fn check(username: &str, password: &str, attributes: &[(u16, &[u8])]) -> ([u8; 512], usize) {
    let mut buffer = [0; 512];
    let mut writer = Writer::new(&mut buffer, MessageType::BindingRequest, TRANSACTION);
    writer.attribute(attribute::USERNAME, username.as_bytes());
    attributes.iter().for_each(|(kind, value)| writer.attribute(*kind, value));
    writer.integrity(&IntegrityKey::new(password));
    let len = writer.finish().unwrap();
    (buffer, len)
}

fn sends(agent: &mut IceLite, from: SocketAddr, attributes: &[(u16, &[u8])], now: Now) -> Checked {
    let (mut buffer, len) = check("ours:theirs", "a password of 22 chars", attributes);
    agent.handle(&mut buffer, len, from, now)
}

fn change(checked: Checked) -> Option<Change> {
    match checked {
        Checked::Answer { change, .. } => Some(change),
        _ => None,
    }
}

#[test]
fn a_check_is_answered_with_where_it_came_from_and_makes_the_address_valid() {
    let mut agent = agent();
    let (mut buffer, len) = check("ours:theirs", "a password of 22 chars", &[PRIORITY, CONTROLLING]);
    let Checked::Answer { len, change } = agent.handle(&mut buffer, len, address(1, 4000), at(0)) else {
        panic!()
    };
    assert_eq!(change, Change::Validated);
    let answer = Message::parse(&buffer[..len]).unwrap();
    assert_eq!(answer.message_type(), MessageType::BindingSuccess);
    assert_eq!(answer.transaction(), TRANSACTION);
    assert_eq!(answer.mapped_address(), Some(address(1, 4000)));
    assert!(answer.is_from_who_knows(&IntegrityKey::new("a password of 22 chars")));
    assert!(agent.vouches_for(address(1, 4000)));
    assert!(!agent.vouches_for(address(1, 4001)));
    assert_eq!(agent.destination(), Some(address(1, 4000)), "valid, and nothing better is known");
    assert_eq!(agent.selected(), None);
}

#[test]
fn the_last_nomination_decides_where_media_go() {
    let mut agent = agent();
    assert_eq!(change(sends(&mut agent, address(1, 1), &[CONTROLLING], at(0))), Some(Change::Validated));
    assert_eq!(
        change(sends(&mut agent, address(2, 2), &[CONTROLLING, NOMINATE], at(1))),
        Some(Change::Selected)
    );
    assert_eq!(agent.destination(), Some(address(2, 2)));
    assert_eq!(change(sends(&mut agent, address(2, 2), &[CONTROLLING, NOMINATE], at(2))), Some(Change::None));
    assert_eq!(
        change(sends(&mut agent, address(3, 3), &[CONTROLLING, NOMINATE], at(3))),
        Some(Change::Selected)
    );
    assert_eq!(agent.destination(), Some(address(3, 3)), "the peer has moved");
}

#[test]
fn strangers_change_nothing_and_hear_nothing() {
    let mut agent = agent();
    for (username, password) in [
        ("ours:theirs", "another password of 22"),
        ("ours:others", "a password of 22 chars"),
        ("other:theirs", "a password of 22 chars"),
        ("ours", "a password of 22 chars"),
        ("theirs:ours", "a password of 22 chars"),
        ("", "a password of 22 chars"),
    ] {
        let (mut buffer, len) = check(username, password, &[CONTROLLING, NOMINATE]);
        let before = buffer;
        assert_eq!(agent.handle(&mut buffer, len, address(9, 9), at(0)), Checked::Stranger, "{username}");
        assert_eq!(buffer, before);
    }
    let mut bare = [0; 64];
    let len = Writer::new(&mut bare, MessageType::BindingRequest, TRANSACTION).finish().unwrap();
    assert_eq!(agent.handle(&mut bare, len, address(9, 9), at(0)), Checked::Stranger);
    assert_eq!(agent.handle(&mut [0; 64], 30, address(9, 9), at(0)), Checked::Malformed);
    assert_eq!(agent.handle(&mut [0; 4], 30, address(9, 9), at(0)), Checked::Malformed);
    assert_eq!(agent.destination(), None);
    assert!(!agent.vouches_for(address(9, 9)));
}

#[test]
fn indications_are_silent_and_responses_are_nobodys() {
    let mut agent = agent();
    for (kind, expected) in [
        (MessageType::BindingIndication, Checked::Silent),
        (MessageType::BindingSuccess, Checked::Stranger),
        (MessageType::Other(0x0003), Checked::Stranger),
    ] {
        let mut buffer = [0; 64];
        let len = Writer::new(&mut buffer, kind, TRANSACTION).finish().unwrap();
        assert_eq!(agent.handle(&mut buffer, len, address(1, 1), at(0)), expected);
    }
    assert_eq!(agent.destination(), None);
}

#[test]
fn a_peer_that_wants_to_be_controlled_is_told_to_change_its_role() {
    let mut agent = agent();
    let controlled = (attribute::ICE_CONTROLLED, &[1; 8][..]);
    let (mut buffer, len) = check("ours:theirs", "a password of 22 chars", &[controlled, NOMINATE]);
    let Checked::Answer { len, change } = agent.handle(&mut buffer, len, address(1, 1), at(0)) else {
        panic!()
    };
    assert_eq!(change, Change::None);
    assert_eq!(Message::parse(&buffer[..len]).unwrap().error_code(), Some(487));
    assert_eq!(agent.destination(), None, "not before the roles are settled");
}

#[test]
fn what_must_be_understood_and_is_not_is_named() {
    let mut agent = agent();
    let (mut buffer, len) =
        check("ours:theirs", "a password of 22 chars", &[(0x7abc, &[1, 2, 3]), (0x8abc, &[])]);
    let Checked::Answer { len, .. } = agent.handle(&mut buffer, len, address(1, 1), at(0)) else { panic!() };
    let answer = Message::parse(&buffer[..len]).unwrap();
    assert_eq!(answer.error_code(), Some(420));
    assert_eq!(answer.attribute(attribute::UNKNOWN_ATTRIBUTES), Some(&[0x7a, 0xbc][..]));
    assert_eq!(agent.destination(), None);
}

#[test]
fn before_the_peers_fragment_is_known_our_own_part_and_the_password_do() {
    let mut agent = IceLite::new(IceCredentials::new("ours", "a password of 22 chars", None));
    let (mut buffer, len) = check("ours:anything", "a password of 22 chars", &[CONTROLLING]);
    assert!(matches!(agent.handle(&mut buffer, len, address(1, 1), at(0)), Checked::Answer { .. }));
    agent.set_peer_ufrag("theirs");
    let (mut buffer, len) = check("ours:anything", "a password of 22 chars", &[CONTROLLING]);
    assert_eq!(agent.handle(&mut buffer, len, address(1, 1), at(0)), Checked::Stranger);
}

#[test]
fn consent_that_is_not_renewed_is_told_once_per_loss() {
    let mut agent = agent();
    assert!(!agent.take_consent_loss(at(100_000)), "nothing was selected");
    sends(&mut agent, address(1, 1), &[CONTROLLING, NOMINATE], at(0));
    sends(&mut agent, address(1, 1), &[CONTROLLING], at(20_000));
    sends(&mut agent, address(2, 2), &[CONTROLLING], at(45_000));
    assert!(!agent.take_consent_loss(at(49_999)));
    assert!(agent.take_consent_loss(at(50_000)), "another pair is not the selected one");
    assert!(!agent.take_consent_loss(at(90_000)));
    sends(&mut agent, address(1, 1), &[CONTROLLING], at(95_000));
    assert!(agent.take_consent_loss(at(125_000)));
}

#[test]
fn after_a_restart_media_go_on_until_a_pair_is_nominated_anew() {
    let mut agent = agent();
    sends(&mut agent, address(1, 1), &[CONTROLLING, NOMINATE], at(0));
    agent.restart(IceCredentials::new("new", "another password of 22", Some("newer")));
    assert_eq!(agent.destination(), Some(address(1, 1)));
    let old = sends(&mut agent, address(2, 2), &[CONTROLLING, NOMINATE], at(1));
    assert_eq!(change(old), Some(Change::Validated), "consent is still answered, nothing is nominated");
    assert_eq!(agent.destination(), Some(address(1, 1)));
    let (mut buffer, len) = check("new:newer", "another password of 22", &[CONTROLLING, NOMINATE]);
    assert_eq!(change(agent.handle(&mut buffer, len, address(3, 3), at(2))), Some(Change::Selected));
    assert_eq!(agent.destination(), Some(address(3, 3)));
    assert_eq!(
        sends(&mut agent, address(1, 1), &[CONTROLLING, NOMINATE], at(3)),
        Checked::Stranger,
        "the former are over"
    );
}

#[test]
fn a_restart_that_nominates_the_same_address_ends_the_former_credentials_too() {
    let mut agent = agent();
    sends(&mut agent, address(1, 1), &[CONTROLLING, NOMINATE], at(0));
    agent.restart(IceCredentials::new("new", "another password of 22", None));
    let (mut buffer, len) = check("new:x", "another password of 22", &[CONTROLLING, NOMINATE]);
    assert_eq!(change(agent.handle(&mut buffer, len, address(1, 1), at(2))), Some(Change::None));
    assert_eq!(sends(&mut agent, address(1, 1), &[CONTROLLING], at(3)), Checked::Stranger);
}

#[test]
fn addresses_are_bounded_and_the_selected_one_stays() {
    let mut agent = agent();
    sends(&mut agent, address(1, 1), &[CONTROLLING, NOMINATE], at(0));
    for port in 2..200 {
        sends(&mut agent, address(1, port), &[CONTROLLING], at(u64::from(port)));
    }
    assert_eq!(agent.destination(), Some(address(1, 1)));
    assert!(agent.vouches_for(address(1, 1)));
    assert!(agent.vouches_for(address(1, 199)));
    assert!(!agent.vouches_for(address(1, 2)), "silent for longest");
}

#[test]
fn ipv6_peers_are_told_their_address_too() {
    let mut agent = agent();
    let from: SocketAddr = "[2001:db8::7]:7".parse().unwrap();
    let (mut buffer, len) = check("ours:theirs", "a password of 22 chars", &[CONTROLLING]);
    let Checked::Answer { len, .. } = agent.handle(&mut buffer, len, from, at(0)) else { panic!() };
    assert_eq!(Message::parse(&buffer[..len]).unwrap().mapped_address(), Some(from));
}
