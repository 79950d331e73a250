//! Any bytes as a STUN message to a lite agent: nothing panics, what does not hold a right MESSAGE-INTEGRITY moves no media, an answer is a sound
//! message under our password, and what is written with any attributes is read back (RFC 8489, RFC 8445 section 7.3).
#![no_main]

use agw_core::flow::ice::{Checked, IceCredentials, IceLite};
use agw_core::io::Now;
use agw_core::wire::stun::{IntegrityKey, Message, MessageType, Writer, attribute};
use libfuzzer_sys::fuzz_target;
use std::net::SocketAddr;

const PASSWORD: &str = "a password of 22 chars";
const BUFFER_BYTES: usize = 2048;

fuzz_target!(|datagram: &[u8]| {
    let datagram = &datagram[..datagram.len().min(BUFFER_BYTES / 2)];
    let source = SocketAddr::from(([192, 0, 2, 1], 4000));
    let mut agent = IceLite::new(IceCredentials::new("ours", PASSWORD, None));
    stranger(&mut agent, datagram, source);
    friend(&mut agent, datagram, source);
});

/// The bytes as they are: nobody can have guessed the password.
fn stranger(agent: &mut IceLite, datagram: &[u8], source: SocketAddr) {
    let mut buffer = [0; BUFFER_BYTES];
    buffer[..datagram.len()].copy_from_slice(datagram);
    let checked = agent.handle(&mut buffer, datagram.len(), source, Now(0));
    assert!(!matches!(checked, Checked::Answer { .. }));
    assert_eq!(agent.destination(), None);
    if let Some(message) = Message::parse(datagram) {
        let _ = (message.priority(), message.mapped_address(), message.error_code(), message.transaction());
    }
}

/// The bytes as attributes of a check from who knows the password.
fn friend(agent: &mut IceLite, datagram: &[u8], source: SocketAddr) {
    let mut buffer = [0; BUFFER_BYTES];
    let mut writer = Writer::new(&mut buffer, MessageType::BindingRequest, [7; 12]);
    writer.attribute(attribute::USERNAME, b"ours:theirs");
    for chunk in datagram.chunks(16) {
        let [high, low, value @ ..] = chunk else { continue };
        writer.attribute(u16::from_be_bytes([*high, *low]), value);
    }
    writer.integrity(&IntegrityKey::new(PASSWORD));
    let Some(len) = writer.finish() else { return };
    match agent.handle(&mut buffer, len, source, Now(0)) {
        Checked::Answer { len, .. } => {
            let answer = Message::parse(&buffer[..len]).expect("an answer is a message");
            assert!(answer.is_from_who_knows(&IntegrityKey::new(PASSWORD)));
            match answer.message_type() {
                MessageType::BindingSuccess => assert_eq!(answer.mapped_address(), Some(source)),
                _ => assert!(matches!(answer.error_code(), Some(420 | 487))),
            }
        }
        // Attributes that end what is vouched for, or claim to be another fingerprint.
        other => assert!(matches!(other, Checked::Stranger | Checked::Malformed)),
    }
}
