//! Any bytes as one direction of a BFCP connection, cut anywhere: judged as a reader of everything at once judges them (RFC 8855 section
//! 5.1). The input is a list of cuts, then the stream.
#![no_main]

use agw_core::flow::bfcp::{BfcpError, BfcpFraming};
use fuzz::input::Input;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let cuts = input.bytes();
    let stream = &bytes[bytes.len().min(1 + cuts.len())..];
    let (messages, whole, verdict) = judged(stream);

    let mut framing = BfcpFraming::default();
    let (mut rest, mut cuts, mut last) = (stream, cuts.iter().cycle(), Ok(()));
    while !rest.is_empty() && last.is_ok() {
        // A cut of nothing would never end.
        let length = cuts.next().map_or(rest.len(), |cut| usize::from(*cut).max(1)).min(rest.len());
        let (piece, later) = rest.split_at(length);
        last = framing.feed(piece);
        rest = later;
    }
    assert_eq!(last, verdict);
    assert_eq!(framing.messages(), messages);
    match verdict {
        Ok(()) => assert_eq!(framing.is_between_messages(), whole),
        Err(error) => assert_eq!(framing.feed(&[1 << 5, 11, 0, 0]), Err(error)),
    }
});

/// The whole messages, whether nothing is begun behind them, and what is wrong.
fn judged(mut stream: &[u8]) -> (u64, bool, Result<(), BfcpError>) {
    let mut messages = 0;
    loop {
        let [flags, primitive, high, low, ..] = *stream else { return (messages, stream.is_empty(), Ok(())) };
        if flags / 32 != 1 {
            return (messages, false, Err(BfcpError::Version(flags / 32)));
        }
        if primitive == 0 {
            return (messages, false, Err(BfcpError::Primitive));
        }
        let length = 12 + 4 * (256 * usize::from(high) + usize::from(low));
        let Some(rest) = stream.get(length..) else { return (messages, false, Ok(())) };
        messages += 1;
        stream = rest;
    }
}
