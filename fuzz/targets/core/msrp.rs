//! Any bytes as one direction of an MSRP connection, cut anywhere: the whole messages and what they become are those that a reader of
//! everything at once finds line by line, and without paths no byte changes (RFC 4975 section 9; TLS-10). The input is a list of cuts, a list of
//! rooms for output, then the stream.
#![no_main]

use agw_core::flow::msrp::{MAX_LINE_BYTES, MAX_TRANSACTION_ID_BYTES, MsrpError, MsrpStream, Rewrite};
use fuzz::input::Input;
use libfuzzer_sys::fuzz_target;

const TO_PATH: &str = "msrp://a.example.com:1/a;tcp msrp://b.example.com/b;tcp";
const FROM_PATH: &str = "msrps://192.0.2.1:10000/own;tcp";

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let (cuts, rooms) = (input.bytes(), input.bytes());
    let stream = &bytes[bytes.len().min(2 + cuts.len() + rooms.len())..];

    let paths = || Some(Rewrite { to_path: TO_PATH.into(), from_path: FROM_PATH.into() });
    let (mut at_once, mut cut, mut untouched) =
        (MsrpStream::new(paths()), MsrpStream::new(paths()), MsrpStream::new(None));
    let (output, end) = run(&mut at_once, stream, &[], &[]);
    let (output_of_cut, end_of_cut) = run(&mut cut, stream, cuts, rooms);
    assert_eq!(end_of_cut, end);
    assert_eq!(cut.messages(), at_once.messages());

    let (copied, copied_end) = run(&mut untouched, stream, cuts, rooms);
    assert_eq!(copied_end, end);
    assert_eq!(copied.as_slice(), &stream[..copied.len()]);
    assert_eq!(untouched.messages(), at_once.messages());
    if end.is_ok() {
        assert_eq!(copied.len(), stream.len());
    }

    // How much of what is too long passes depends on the cuts; the limits have tests of their own.
    if stream.len() <= MAX_LINE_BYTES {
        assert_eq!(output_of_cut, output);
        let (messages, expected) = messages(stream);
        assert_eq!(at_once.messages(), messages);
        assert_eq!(output.get(..expected.len()), Some(expected.as_slice()));
    }
});

/// What goes out until the input is used up, or the error.
fn run(stream: &mut MsrpStream, input: &[u8], cuts: &[u8], rooms: &[u8]) -> (Vec<u8>, Result<(), MsrpError>) {
    let lengths = |bytes: &[u8]| -> Vec<usize> {
        match bytes {
            [] => vec![usize::from(u16::MAX)],
            // A cut or a room of nothing would never end.
            _ => bytes.iter().map(|length| usize::from(*length).max(1)).collect(),
        }
    };
    let (cuts, rooms) = (lengths(cuts), lengths(rooms));
    let (mut cuts, mut rooms) = (cuts.iter().cycle(), rooms.iter().cycle());
    let (mut rest, mut output) = (input, Vec::new());
    while !rest.is_empty() {
        let length = cuts.next().map_or(rest.len(), |cut| rest.len().min(*cut));
        let (mut piece, later) = rest.split_at(length);
        while !piece.is_empty() {
            let mut room = vec![0; rooms.next().map_or(1, |room| *room)];
            match stream.transform(piece, &mut room) {
                Ok((taken, put)) => {
                    assert!(taken + put > 0, "no progress");
                    output.extend_from_slice(&room[..put]);
                    piece = &piece[taken..];
                }
                Err(error) => {
                    assert_eq!(stream.transform(b"MSRP", &mut room), Err(error));
                    return (output, Err(error));
                }
            }
        }
        rest = later;
    }
    // What was too much for the last room.
    let mut room = [0; 256];
    while let Ok((0, put @ 1..)) = stream.transform(&[], &mut room) {
        output.extend_from_slice(&room[..put]);
    }
    (output, Ok(()))
}

struct Message {
    length: usize,
    rewritten: Vec<u8>,
}

/// The whole messages that a stream begins with, and what has to become of them.
fn messages(mut stream: &[u8]) -> (u64, Vec<u8>) {
    let (mut count, mut rewritten) = (0, Vec::new());
    while let Some(message) = message(stream) {
        count += 1;
        rewritten.extend(message.rewritten);
        stream = &stream[message.length..];
    }
    (count, rewritten)
}

/// The first line and what is behind its CRLF.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let line = &bytes[..end];
    let sound = line.iter().all(|byte| *byte == b'\t' || (*byte >= 0x20 && *byte != 0x7f));
    sound.then(|| (line, &bytes[end + 2..]))
}

fn message(bytes: &[u8]) -> Option<Message> {
    let (start, mut rest) = line(bytes)?;
    let (id, kind) = start_line(start)?;
    let is_response = kind[0].is_ascii_digit();
    let ending = [b"-------", id].concat();
    let mut rewritten = [start, b"\r\n"].concat();
    loop {
        let (header, after) = line(rest)?;
        if let Some(flag) = header.strip_prefix(ending.as_slice()) {
            if !matches!(flag, b"+" | b"$" | b"#") {
                return None;
            }
            rewritten.extend([header, b"\r\n"].concat());
            return Some(Message { length: bytes.len() - after.len(), rewritten });
        }
        if header.is_empty() {
            // The blank line's CRLF may be that of the ending.
            let body = rest;
            let end = [&b"\r\n"[..], &ending].concat();
            let at = (0..body.len()).find(|at| {
                let rest = &body[*at..];
                rest.starts_with(&end) && matches!(rest[end.len()..], [b'+' | b'$' | b'#', b'\r', b'\n', ..])
            })?;
            let length = at + end.len() + 3;
            rewritten.extend_from_slice(&body[..length]);
            return Some(Message { length: bytes.len() - body.len() + length, rewritten });
        }
        rewritten.extend(header_line(header, is_response)?);
        rest = after;
    }
}

/// Transact-id and what is behind it.
fn start_line(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = line.strip_prefix(b"MSRP ")?;
    let space = rest.iter().position(|byte| *byte == b' ')?;
    let (id, kind) = (&rest[..space], &rest[space + 1..]);
    let id_is_sound = (1..=MAX_TRANSACTION_ID_BYTES).contains(&id.len())
        && id[0].is_ascii_alphanumeric()
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b".-+%=".contains(byte));
    let is_method = !kind.is_empty() && kind.iter().all(u8::is_ascii_uppercase);
    let is_status =
        kind.len() >= 3 && kind[..3].iter().all(u8::is_ascii_digit) && (kind.len() == 3 || kind[3] == b' ');
    (id_is_sound && (is_method || is_status)).then_some((id, kind))
}

fn header_line(line: &[u8], is_response: bool) -> Option<Vec<u8>> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = &line[..colon];
    let token = |byte: &u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]".contains(byte);
    if !name.first()?.is_ascii_alphabetic() || !name.iter().all(token) {
        return None;
    }
    let hop = TO_PATH.split(' ').next()?;
    let text = if name.eq_ignore_ascii_case(b"To-Path") {
        format!("To-Path: {}\r\n", if is_response { hop } else { TO_PATH }).into_bytes()
    } else if name.eq_ignore_ascii_case(b"From-Path") {
        format!("From-Path: {FROM_PATH}\r\n").into_bytes()
    } else {
        [line, b"\r\n"].concat()
    };
    Some(text)
}
