//! The vectors of RFC 5769, and what a stranger may write.

use super::*;

const PASSWORD: &str = "VOkJxbRl1RmTxUk/WvJxBt";
const TRANSACTION: TransactionId = *b"\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae";

/// RFC 5769 section 2.1.
const REQUEST: &[u8] = b"\x00\x01\x00\x58\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
    \x80\x22\x00\x10STUN test client\
    \x00\x24\x00\x04\x6e\x00\x01\xff\
    \x80\x29\x00\x08\x93\x2f\xf9\xb1\x51\x26\x3b\x36\
    \x00\x06\x00\x09\x65\x76\x74\x6a\x3a\x68\x36\x76\x59\x20\x20\x20\
    \x00\x08\x00\x14\x9a\xea\xa7\x0c\xbf\xd8\xcb\x56\x78\x1e\xf2\xb5\xb2\xd3\xf2\x49\xc1\xb5\x71\xa2\
    \x80\x28\x00\x04\xe5\x7a\x3b\xcf";
/// Section 2.2.
const RESPONSE_V4: &[u8] =
    b"\x01\x01\x00\x3c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
    \x80\x22\x00\x0btest vector\x20\
    \x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43\
    \x00\x08\x00\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9\x2a\xf9\xba\x53\xf0\x6b\xe7\xd7\
    \x80\x28\x00\x04\xc0\x7d\x4c\x96";
/// Section 2.3.
const RESPONSE_V6: &[u8] =
    b"\x01\x01\x00\x48\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
    \x80\x22\x00\x0btest vector\x20\
    \x00\x20\x00\x14\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9\
    \x00\x08\x00\x14\xa3\x82\x95\x4e\x4b\xe6\x7b\xf1\x17\x84\xc9\x7c\x82\x92\xc2\x75\xbf\xe3\xed\x41\
    \x80\x28\x00\x04\xc8\xfb\x0b\x4c";

#[test]
fn the_vectors_of_rfc_5769_are_read() {
    let key = IntegrityKey::new(PASSWORD);
    let request = Message::parse(REQUEST).unwrap();
    assert_eq!(request.message_type(), MessageType::BindingRequest);
    assert_eq!(request.transaction(), TRANSACTION);
    assert_eq!(request.attribute(attribute::USERNAME), Some(&b"evtj:h6vY"[..]));
    assert_eq!(request.priority(), Some(0x6e00_01ff));
    assert!(request.attribute(attribute::ICE_CONTROLLED).is_some());
    assert!(request.is_from_who_knows(&key));
    assert!(!request.is_from_who_knows(&IntegrityKey::new("another")));
    for (response, address) in
        [(RESPONSE_V4, "192.0.2.1:32853"), (RESPONSE_V6, "[2001:db8:1234:5678:11:2233:4455:6677]:32853")]
    {
        let response = Message::parse(response).unwrap();
        assert_eq!(response.message_type(), MessageType::BindingSuccess);
        assert_eq!(response.mapped_address(), address.parse().ok());
        assert!(response.is_from_who_knows(&key));
    }
}

#[test]
fn what_is_written_is_what_the_vectors_hold() {
    let key = IntegrityKey::new(PASSWORD);
    for expected in [RESPONSE_V4, RESPONSE_V6] {
        let address = Message::parse(expected).unwrap().mapped_address().unwrap();
        let mut buffer = [0; 128];
        let mut writer = Writer::new(&mut buffer, MessageType::BindingSuccess, TRANSACTION);
        writer.attribute(0x8022, b"test vector");
        writer.mapped_address(address, TRANSACTION);
        writer.integrity(&key);
        let len = writer.finish().unwrap();
        let written = Message::parse(&buffer[..len]).unwrap();
        assert!(written.is_from_who_knows(&key));
        // The vectors pad with a space, we with a zero, so the two sums differ; all before and between does not.
        let sums = expected.len() - 32;
        for (at, (ours, theirs)) in buffer[..sums].iter().zip(expected).enumerate() {
            assert!(ours == theirs || at == 35, "byte {at}");
        }
    }
}

#[test]
fn a_changed_bit_of_what_the_integrity_covers_is_noticed() {
    let key = IntegrityKey::new(PASSWORD);
    for at in 0..(REQUEST.len() - 8) * 8 {
        let mut changed = REQUEST.to_vec();
        changed[at / 8] ^= 1 << (at % 8);
        let taken = Message::parse(&changed).is_some_and(|message| message.is_from_who_knows(&key));
        assert!(!taken, "bit {at}");
    }
}

#[test]
fn without_a_fingerprint_the_integrity_still_holds_and_what_follows_it_is_not_believed() {
    let key = IntegrityKey::new(PASSWORD);
    let mut bare = REQUEST[..REQUEST.len() - 8].to_vec();
    bare.extend_from_slice(b"\x00\x25\x00\x00");
    let length = (bare.len() - HEADER_BYTES) as u16;
    bare[2..4].copy_from_slice(&length.to_be_bytes());
    let message = Message::parse(&bare).unwrap();
    assert!(message.is_from_who_knows(&key));
    assert_eq!(message.attribute(attribute::USE_CANDIDATE), None, "anyone may have put it there");
}

#[test]
fn what_is_cut_or_too_long_is_no_message() {
    for len in 0..REQUEST.len() {
        assert!(Message::parse(&REQUEST[..len]).is_none());
    }
    let mut longer = REQUEST.to_vec();
    longer.push(0);
    assert!(Message::parse(&longer).is_none());
    let mut beyond = REQUEST[..HEADER_BYTES + 8].to_vec();
    beyond[3] = 8;
    beyond[HEADER_BYTES + 3] = 200;
    assert!(Message::parse(&beyond).is_none(), "an attribute beyond the end");
}

#[test]
fn a_buffer_that_is_too_small_gives_no_message() {
    let key = IntegrityKey::new(PASSWORD);
    for room in 0..100 {
        let mut buffer = vec![0; room];
        let mut writer = Writer::new(&mut buffer, MessageType::BindingError, TRANSACTION);
        writer.error_code(487, "Role Conflict");
        writer.integrity(&key);
        match writer.finish() {
            Some(len) => assert_eq!(Message::parse(&buffer[..len]).unwrap().error_code(), Some(487)),
            None => assert!(room < 20 + 20 + 24 + 8 + 4),
        }
    }
}
