use super::*;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const UE: &str = "msrps://relay.example.net:9000/hop;tcp msrps://ue.example.net:2855/jshA7weztas;tcp";
const OURS: &str = "msrp://192.0.2.1:20000/own;tcp";

fn rewrite() -> Rewrite {
    Rewrite { to_path: UE.into(), from_path: OURS.into() }
}

/// All of `input` through a stream that gets it in pieces and has so much room at a time.
fn transformed(
    stream: &mut MsrpStream,
    input: &[u8],
    pieces: &[usize],
    rooms: &[usize],
) -> Result<Vec<u8>, MsrpError> {
    let (mut rest, mut output) = (input, Vec::new());
    let mut rooms = rooms.iter().cycle();
    for piece in pieces.iter().cycle() {
        let (mut now, later) = rest.split_at(rest.len().min(*piece));
        while !now.is_empty() {
            let mut room = vec![0; *rooms.next().expect("endless")];
            let (taken, put) = stream.transform(now, &mut room)?;
            assert!(taken + put > 0, "no progress");
            now = &now[taken..];
            output.extend_from_slice(&room[..put]);
        }
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    Ok(output)
}

fn whole(stream: &mut MsrpStream, input: &[u8]) -> Result<Vec<u8>, MsrpError> {
    transformed(stream, input, &[usize::MAX], &[1 << 16])
}

fn text(stream: &mut MsrpStream, input: &str) -> String {
    String::from_utf8(whole(stream, input.as_bytes()).expect("MSRP")).expect("text")
}

const SEND: &str = "MSRP d93kswow SEND\r\nTo-Path: msrps://192.0.2.9:10000/own;tcp\r\nFrom-Path: msrp://core.example.com:7777/iau39;tcp\r\n\
    Message-ID: 12339sdqwer\r\nByte-Range: 1-16/16\r\nContent-Type: text/plain\r\n\r\nHi, I'm Alice!\r\n\r\n-------d93kswow$\r\n";

#[test]
fn a_request_gets_the_whole_path_of_the_peer_and_our_own() {
    let mut stream = MsrpStream::new(Some(rewrite()));
    let expected = SEND
        .replace("msrps://192.0.2.9:10000/own;tcp", UE)
        .replace("msrp://core.example.com:7777/iau39;tcp", OURS);
    assert_eq!(text(&mut stream, SEND), expected);
    assert_eq!((stream.requests(), stream.responses()), (1, 0));
}

#[test]
fn a_response_goes_to_the_previous_hop_only() {
    // RFC 4975 section 7.2.
    let mut stream = MsrpStream::new(Some(rewrite()));
    let response = "MSRP d93kswow 200 OK\r\nTo-Path: a\r\nFrom-Path: b\r\n-------d93kswow$\r\n";
    let hop = UE.split(' ').next().expect("a URI");
    let expected =
        format!("MSRP d93kswow 200 OK\r\nTo-Path: {hop}\r\nFrom-Path: {OURS}\r\n-------d93kswow$\r\n");
    assert_eq!(text(&mut stream, response), expected);
    assert_eq!((stream.requests(), stream.responses()), (0, 1));
}

#[test]
fn reports_and_unknown_methods_are_requests_and_unknown_headers_pass() {
    for method in ["REPORT", "AUTH", "NICKNAME", "X"] {
        let mut stream = MsrpStream::new(Some(rewrite()));
        let request = format!(
            "MSRP dkei38sd {method}\r\nTo-Path: a\r\nFrom-Path: b c\r\nTo-Pathology: x\r\nFrom-Pat: y\r\nX-Ext:\tz\r\nStatus: 000 200 OK\r\n-------dkei38sd$\r\n"
        );
        let expected =
            request.replace("To-Path: a\r\nFrom-Path: b c", &format!("To-Path: {UE}\r\nFrom-Path: {OURS}"));
        assert_eq!(text(&mut stream, &request), expected);
    }
}

#[test]
fn paths_are_found_anywhere_in_the_head_in_any_case_and_never_in_the_body() {
    let mut stream = MsrpStream::new(Some(rewrite()));
    let request = "MSRP 1234 SEND\r\nMessage-ID: abcd\r\nfrom-path:b\r\nTO-PATH:   a \r\nContent-Type: text/plain\r\n\r\nTo-Path: a\r\n-------1234#\r\n";
    let expected = format!(
        "MSRP 1234 SEND\r\nMessage-ID: abcd\r\nFrom-Path: {OURS}\r\nTo-Path: {UE}\r\nContent-Type: text/plain\r\n\r\nTo-Path: a\r\n-------1234#\r\n"
    );
    assert_eq!(text(&mut stream, request), expected);
}

#[test]
fn other_paths_count_from_the_next_message_on() {
    let mut stream = MsrpStream::new(None);
    let (begun, rest) = SEND.split_at(12);
    let mut passed = text(&mut stream, begun);
    stream.set_rewrite(Some(Rewrite { to_path: "first".into(), from_path: OURS.into() }));
    stream.set_rewrite(Some(Rewrite { to_path: "to".into(), from_path: "from".into() }));
    passed += &text(&mut stream, rest);
    assert_eq!(passed, SEND, "the message that had begun");
    assert!(text(&mut stream, SEND).contains("\r\nTo-Path: to\r\nFrom-Path: from\r\n"));
    stream.set_rewrite(None);
    assert_eq!(text(&mut stream, SEND), SEND);
    assert_eq!(stream.messages(), 3);
}

#[test]
fn what_only_looks_like_the_end_line_does_not_end_a_message() {
    for lookalike in [
        "-------1234$\r\n", // no CRLF before it
        "\r\n-------1235$\r\n",
        "\r\n------1234$\r\n",
        "\r\n--------1234$\r\n",
        "\r\n-------1234*\r\n",
        "\r\n-------1234$\r\r",
        "\r\n-------1234$ \r\n",
        "\r\n-------12345$\r\n",
        "\r\r\n-------123\r\n-------123",
        "\n-------1234$\r\n",
    ] {
        let mut stream = MsrpStream::new(None);
        let begun =
            format!("MSRP 1234 SEND\r\nTo-Path: a\r\nFrom-Path: b\r\nContent-Type: a/b\r\n\r\n.{lookalike}");
        text(&mut stream, &begun);
        assert_eq!((stream.messages(), stream.is_between_messages()), (0, false), "{lookalike:?}");
        text(&mut stream, "\r\n-------1234+\r\n");
        assert_eq!((stream.messages(), stream.is_between_messages()), (1, true), "{lookalike:?}");
    }
}

#[test]
fn the_end_line_is_found_wherever_reads_cut_it() {
    for at in 1..SEND.len() {
        let mut stream = MsrpStream::new(Some(rewrite()));
        let (first, second) = SEND.split_at(at);
        text(&mut stream, first);
        assert!(!stream.is_between_messages());
        text(&mut stream, second);
        assert_eq!((stream.messages(), stream.is_between_messages()), (1, true), "cut at {at}");
    }
}

#[test]
fn a_body_without_a_byte_may_end_at_once() {
    for body in ["", "\r\n"] {
        let mut stream = MsrpStream::new(None);
        let request = format!(
            "MSRP 1234 SEND\r\nTo-Path: a\r\nFrom-Path: b\r\nContent-Type: a/b\r\n\r\n{body}-------1234$\r\n"
        );
        text(&mut stream, &request);
        assert_eq!((stream.messages(), stream.is_between_messages()), (1, true));
    }
}

#[test]
fn what_is_no_msrp_ends_the_stream_for_good() {
    let long_id = format!("MSRP {} SEND\r\n", "a".repeat(MAX_TRANSACTION_ID_BYTES + 1));
    let head = |line: &str| format!("MSRP 1234 SEND\r\nTo-Path: a\r\n{line}");
    for (input, error) in [
        ("GET / HTTP/1.1\r\n".to_owned(), MsrpError::StartLine),
        ("msrp 1234 SEND\r\n".to_owned(), MsrpError::StartLine),
        ("MSRP 1234 \r\n".to_owned(), MsrpError::StartLine),
        ("MSRP 1234 send\r\n".to_owned(), MsrpError::StartLine),
        ("MSRP 1234 SEND \r\n".to_owned(), MsrpError::StartLine),
        ("MSRP 1234 20 OK\r\n".to_owned(), MsrpError::StartLine),
        ("MSRP 1234 2000 OK\r\n".to_owned(), MsrpError::StartLine),
        ("MSRP  SEND\r\n".to_owned(), MsrpError::TransactionId),
        ("MSRP -234 SEND\r\n".to_owned(), MsrpError::TransactionId),
        ("MSRP 12/4 SEND\r\n".to_owned(), MsrpError::TransactionId),
        (long_id, MsrpError::TransactionId),
        (head(" folded: no\r\n"), MsrpError::Header),
        (head("no colon\r\n"), MsrpError::Header),
        (head("no\r\n"), MsrpError::Header),
        (head("X-A: b\nX-B: c\r\n"), MsrpError::Header),
        (head("X-A: b\rX-B: c\r\n"), MsrpError::Header),
        (head("X-A: \0\r\n"), MsrpError::Header),
        (head("To-Path: a\nb\r\n"), MsrpError::Header),
        (head("\rX"), MsrpError::Header),
        (head("-------1235$\r\n"), MsrpError::Header),
        (head("-------1234\r\n"), MsrpError::Header),
    ] {
        let mut stream = MsrpStream::new(Some(rewrite()));
        assert_eq!(whole(&mut stream, input.as_bytes()), Err(error), "{input:?}");
        assert_eq!(whole(&mut stream, SEND.as_bytes()), Err(error), "later");
        assert_eq!(stream.messages(), 0);
    }
}

#[test]
fn what_came_before_the_fault_goes_out_first() {
    let mut stream = MsrpStream::new(None);
    let input = format!("{SEND}MSRPx");
    let mut output = [0; 1024];
    let good = SEND.len() + "MSRP".len();
    assert_eq!(stream.transform(input.as_bytes(), &mut output), Ok((good, good)));
    assert_eq!(stream.transform(b"x", &mut output), Err(MsrpError::StartLine));
    assert_eq!(stream.messages(), 1);
}

#[test]
fn heads_without_end_are_refused_at_their_limits() {
    let line_of = |bytes: usize| format!("X: {}\r\n", "x".repeat(bytes - "X: \r\n".len()));
    let start = "MSRP 1234 SEND\r\n";
    let end = "-------1234$\r\n";
    for paths in [None, Some(rewrite())] {
        let judge = |input: &str| whole(&mut MsrpStream::new(paths.clone()), input.as_bytes()).map(|_| ());
        assert_eq!(judge(&format!("{start}{}{end}", line_of(MAX_LINE_BYTES))), Ok(()));
        assert_eq!(judge(&format!("{start}{}", line_of(MAX_LINE_BYTES + 1))), Err(MsrpError::LineTooLong));
        assert_eq!(
            judge(&format!("{start}To-Path: {}", "x".repeat(MAX_LINE_BYTES))),
            Err(MsrpError::LineTooLong)
        );
        assert_eq!(
            judge(&format!("MSRP 1234 200 {}", "x".repeat(MAX_LINE_BYTES))),
            Err(MsrpError::LineTooLong)
        );
        assert_eq!(judge(&format!("MSRP 1234 {}", "X".repeat(MAX_LINE_BYTES))), Err(MsrpError::LineTooLong));
        assert_eq!(judge(&format!("{start}{}", "x".repeat(MAX_LINE_BYTES + 1))), Err(MsrpError::LineTooLong));
        let room = MAX_HEADER_BYTES - start.len() - end.len();
        let full = line_of(64).repeat(room / 64 - 1) + &line_of(room % 64 + 64);
        assert_eq!(judge(&format!("{start}{full}{end}")), Ok(()));
        assert_eq!(judge(&format!("{start}{full}X:\r\n{end}")), Err(MsrpError::HeadersTooLong));
    }
}

#[test]
fn a_chunk_without_end_is_refused_at_its_limit() {
    let mut stream = MsrpStream::new(None);
    text(&mut stream, "MSRP 1234 SEND\r\nTo-Path: a\r\nFrom-Path: b\r\nContent-Type: a/b\r\n\r\n");
    stream.chunk_bytes = MAX_CHUNK_BYTES - 3;
    assert_eq!(whole(&mut stream, b"abc"), Ok(b"abc".to_vec()));
    assert_eq!(whole(&mut stream, b"d"), Err(MsrpError::ChunkTooLong));
    assert_eq!(whole(&mut stream, b"e"), Err(MsrpError::ChunkTooLong));
}

#[test]
fn what_an_idle_stream_costs_is_little() {
    let bytes = size_of::<MsrpStream>();
    println!("one direction of MSRP: {bytes} bytes and its paths");
    assert!(bytes <= 640);
}

/// A message of the grammar and the same one as it has to leave.
#[derive(Debug, Clone)]
struct Both {
    comes: Vec<u8>,
    leaves: Vec<u8>,
    is_response: bool,
}

fn path() -> impl Strategy<Value = String> {
    select(vec!["msrp://a.example.com:49154/2s93i9;tcp", "msrps://b.example.net/aeiug;tcp c", "", "x"])
        .prop_map(str::to_owned)
}

/// Bytes that are likely to look like an ending of a message with this transact-id, and are none.
fn body(id: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let lookalike = format!("\r\n-------{id}");
    let piece = prop_oneof![
        3 => vec(any::<u8>(), 0..40),
        2 => (0..=lookalike.len()).prop_map({
            let lookalike = lookalike.clone();
            move |length| lookalike.as_bytes()[..length].to_vec()
        }),
        1 => select(vec![&b"\r"[..], b"\n", b"-", b"$\r", b"$", b"To-Path: x\r\n", b"\r\n\r\n"]).prop_map(<[u8]>::to_vec),
    ];
    vec(piece, 0..8).prop_map(move |pieces| {
        let mut body = pieces.concat();
        let ends_a_message = |at: usize| {
            let rest = &body[at..];
            // The end-line that follows would be read together with the body.
            rest.starts_with(lookalike.as_bytes())
                && matches!(rest.get(lookalike.len()), Some(b'$' | b'+' | b'#'))
        };
        if (0..body.len()).any(ends_a_message) || body.starts_with(&lookalike.as_bytes()[2..]) {
            body = b"plain".to_vec();
        }
        body
    })
}

fn message() -> impl Strategy<Value = Both> {
    let id = "[A-Za-z0-9][A-Za-z0-9.+%=-]{0,39}";
    let start = prop_oneof![
        select(vec!["SEND", "REPORT", "AUTH", "FOO"]).prop_map(str::to_owned),
        "[0-9]{3}( [ -~]{0,20})?",
    ];
    let header = select(vec![
        "Message-ID: 12339sdqwer",
        "Byte-Range: 1-*/*",
        "To-Pat: x",
        "To-Paths: x",
        "From-Pathx: y",
        "Failure-Report:",
        "Status: 000 200 \u{e4}",
        "T: \t",
    ]);
    (id, start, path(), path(), vec(header, 0..5), 0usize..5, select(vec!['$', '+', '#'])).prop_flat_map(
        |(id, start, to, from, headers, at, flag)| {
            proptest::option::of(body(&id)).prop_map(move |body| {
                let is_response = start.as_bytes()[0].is_ascii_digit();
                let print = |to: &str, from: &str| {
                    let mut lines: Vec<String> = headers.iter().map(ToString::to_string).collect();
                    lines.insert(at.min(lines.len()), format!("From-Path: {from}"));
                    lines.insert(0, format!("To-Path: {to}"));
                    let mut bytes = format!("MSRP {id} {start}\r\n{}\r\n", lines.join("\r\n")).into_bytes();
                    if let Some(body) = &body {
                        bytes.extend_from_slice(b"\r\n");
                        bytes.extend_from_slice(body);
                        bytes.extend_from_slice(b"\r\n");
                    }
                    bytes.extend_from_slice(format!("-------{id}{flag}\r\n").as_bytes());
                    bytes
                };
                let to_path = if is_response { UE.split(' ').next().expect("a URI") } else { UE };
                Both { comes: print(&to, &from), leaves: print(to_path, OURS), is_response }
            })
        },
    )
}

proptest! {
    #[test]
    fn any_cutting_of_input_and_output_gives_the_same_bytes(
        messages in vec(message(), 1..5),
        pieces in vec(1usize..50, 1..30),
        rooms in vec(MIN_OUTPUT_BYTES..50, 1..30),
    ) {
        let comes: Vec<u8> = messages.iter().flat_map(|both| both.comes.clone()).collect();
        let leaves: Vec<u8> = messages.iter().flat_map(|both| both.leaves.clone()).collect();
        let responses = messages.iter().filter(|both| both.is_response).count() as u64;

        let mut stream = MsrpStream::new(Some(rewrite()));
        let output = transformed(&mut stream, &comes, &pieces, &rooms);
        prop_assert_eq!(output.as_deref(), Ok(leaves.as_slice()));
        prop_assert_eq!((stream.messages(), stream.responses()), (messages.len() as u64, responses));
        prop_assert!(stream.is_between_messages());

        let mut again = MsrpStream::new(Some(rewrite()));
        prop_assert_eq!(whole(&mut again, &leaves), Ok(leaves), "rewriting what says it already changes nothing");

        let mut untouched = MsrpStream::new(None);
        prop_assert_eq!(transformed(&mut untouched, &comes, &pieces, &rooms), Ok(comes));
        prop_assert_eq!(untouched.messages(), messages.len() as u64);
    }

    #[test]
    fn any_bytes_are_judged_alike_however_they_are_cut(
        mut input in message().prop_map(|both| both.comes),
        spoilt in vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        pieces in vec(1usize..20, 1..10),
        rooms in vec(1usize..20, 1..10),
        rewrites in any::<bool>(),
    ) {
        for (at, byte) in spoilt {
            let at = at.index(input.len());
            input[at] = byte;
        }
        let paths = rewrites.then(rewrite);
        let mut at_once = MsrpStream::new(paths.clone());
        let mut cut = MsrpStream::new(paths);
        prop_assert_eq!(transformed(&mut cut, &input, &pieces, &rooms), whole(&mut at_once, &input));
        prop_assert_eq!(cut.messages(), at_once.messages());
        prop_assert_eq!(cut.is_between_messages(), at_once.is_between_messages());
    }
}
