//! A connection's bytes, cut anywhere: the messages that come out are those that a reader of the whole stream finds, up to the first
//! header that is none (RFC 1006 section 6). The input is a list of cuts, then the stream; and any message comes back as it was framed.
#![no_main]

use agw_iq::transport::tcp::{Deframer, HEADER_BYTES, MAX_PACKET_BYTES, frame};
use fuzz::input::Input;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let cuts = input.bytes();
    let stream = &bytes[bytes.len().min(1 + cuts.len())..];

    let (expected, sound) = messages(stream);
    let mut found: Vec<Vec<u8>> = Vec::new();
    let mut deframer = Deframer::default();
    let (mut rest, mut cuts) = (stream, cuts.iter().cycle());
    let mut broken = false;
    while !rest.is_empty() && !broken {
        // A cut of nothing would never end.
        let length = cuts.next().map_or(rest.len(), |cut| usize::from(*cut).max(1)).min(rest.len());
        let (piece, later) = rest.split_at(length);
        rest = later;
        broken = deframer.feed(piece, |message| found.push(message.to_vec())).is_err();
    }
    assert_eq!(found, expected);
    assert_eq!(broken, !sound);
    if broken {
        let poisoned = deframer.feed(&[3, 0, 0, 5, b'x'], |_| panic!("a message after an error"));
        assert!(poisoned.is_err());
    }

    match frame(stream) {
        None => assert!(stream.len() + HEADER_BYTES > MAX_PACKET_BYTES),
        Some(framed) if stream.is_empty() => {
            assert!(Deframer::default().feed(&framed, |_| panic!("an empty message")).is_err());
        }
        Some(framed) => {
            let mut whole = Vec::new();
            assert!(Deframer::default().feed(&framed, |message| whole.push(message.to_vec())).is_ok());
            assert_eq!(whole, [stream]);
        }
    }
});

/// The messages of a whole stream, and whether it is made of packets as far as it goes.
fn messages(mut stream: &[u8]) -> (Vec<Vec<u8>>, bool) {
    let mut messages = Vec::new();
    loop {
        if stream.first().is_some_and(|version| *version != 3) {
            return (messages, false);
        }
        let [_, _, high, low, ..] = *stream else { return (messages, true) };
        let length = usize::from(high) * 256 + usize::from(low);
        if length < 5 {
            return (messages, false);
        }
        let Some(packet) = stream.get(..length) else { return (messages, true) };
        messages.push(packet[4..].to_vec());
        stream = &stream[length..];
    }
}
