//! Binary messages that break the grammar, or stretch it: which code, at which octet, and what is still known for the answer.

use agw_iq::ast::*;
use agw_iq::ber::{self, MAX_DEPTH, Naming};
use agw_iq::codec::{MAX_ELEMENTS, MAX_MESSAGE_BYTES, MAX_TRANSACTIONS, Parsed};
use agw_iq::errors::{ErrorCode, MessageError, Place, TransactionKind};

/// An element: tag, length, contents.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut out = vec![tag];
    match body.len() {
        length @ 0..0x80 => out.push(length as u8),
        length => {
            out.push(0x83);
            out.extend(&(length as u32).to_be_bytes()[1..]);
        }
    }
    out.extend(body);
    out
}

/// From `[127.0.0.1]`, in this version.
fn of_version(version: u8, transactions: &[&[u8]]) -> Vec<u8> {
    let mid = tlv(0xa1, &[&tlv(0xa0, &[&[0x80, 4, 127, 0, 0, 1]])]);
    let body = tlv(0xa2, &[&tlv(0xa1, transactions)]);
    tlv(0x30, &[&tlv(0xa1, &[&[0x80, 1, version], &mid, &body])])
}

fn message(transactions: &[&[u8]]) -> Vec<u8> {
    of_version(2, transactions)
}

/// One request with one action for context 7.
fn request(id: u8, commands: &[&[u8]]) -> Vec<u8> {
    let action = tlv(0x30, &[&[0x80, 1, 7], &tlv(0xa3, commands)]);
    tlv(0xa0, &[&[0x80, 1, id], &tlv(0xa1, &[&action])])
}

/// One of Add (0) to ServiceChange (7).
fn command(number: u8, parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &[&tlv(0xa0, &[&tlv(0xa0 | number, parts)])])
}

const ROOT: &[u8] = &[0xa0, 0, 0x81, 4, 0xff, 0xff, 0xff, 0xff];

fn root_list() -> Vec<u8> {
    tlv(0xa0, &[&tlv(0x30, &[ROOT])])
}

fn modify(descriptors: &[&[u8]]) -> Vec<u8> {
    command(2, &[&root_list(), &tlv(0xa1, descriptors)])
}

/// A Modify whose only stream has these parameters.
fn stream(parms: &[&[u8]]) -> Vec<u8> {
    modify(&[&tlv(0xa0, &[&tlv(0xa1, &[&tlv(0xa0, parms)])])])
}

/// Local with one group of properties: tag and contents of the value.
fn local(properties: &[(u16, &[u8])]) -> Vec<u8> {
    let properties = properties.iter().map(|(tag, value)| {
        let [high, low] = tag.to_be_bytes();
        tlv(0x30, &[&[0x80, 4, 0, 0, high, low], &tlv(0xa1, &[&tlv(0x04, &[value])])])
    });
    let properties: Vec<_> = properties.collect();
    tlv(0xa1, &[&tlv(0xa0, &[&tlv(0x30, &[&properties.concat()])])])
}

fn read(octets: &[u8]) -> Parsed {
    ber::parse(octets, &Naming::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(octets: &[u8]) -> MessageError {
    ber::parse(octets, &Naming::default()).expect_err("a refusal")
}

/// The code of the only transaction, which must be broken.
fn broken(command: &[u8]) -> u16 {
    let mut parsed = read(&message(&[&request(5, &[command])]));
    assert_eq!(parsed.errors.len(), 1, "{:?}", parsed.message);
    let error = parsed.errors.remove(0);
    assert_eq!((error.kind, error.transaction), (TransactionKind::Request, Some(5)));
    assert_eq!(error.context, Some(ContextId::Id(7)), "{error}");
    error.error.code.0
}

#[test]
fn a_broken_transaction_says_where_and_the_others_are_read() {
    let good = modify(&[]);
    let (first, third) = (request(1, &[&good]), request(3, &[&good]));
    // A context identifier of seven octets.
    let second = tlv(
        0xa0,
        &[&[0x80, 1, 2], &tlv(0xa1, &[&tlv(0x30, &[&[0x80, 7, 1, 1, 1, 1, 1, 1, 1], &[0xa3, 0]])])],
    );
    let octets = message(&[&first, &second, &third]);
    let parsed = read(&octets);
    let Body::Transactions(transactions) = &parsed.message.body else { panic!("transactions") };
    let ids: Vec<_> = transactions
        .iter()
        .map(|transaction| match transaction {
            Transaction::Request(request) => request.id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids, [1, 3]);
    let error = &parsed.errors[0];
    assert_eq!((error.transaction, error.error.code), (Some(2), ErrorCode::INCORRECT_IDENTIFIER));
    let at = octets.windows(3).position(|window| window == [0x80, 7, 1]).expect("the identifier");
    assert_eq!(error.error.place, Place::Octet(at));
    assert_eq!(
        error.error.text(),
        format!("octet {at}: context identifier of 282578800148737 is out of its range")
    );
}

#[test]
fn each_fault_has_the_code_of_its_level() {
    let media = tlv(0xa0, &[]);
    let audit_without = command(5, &[&tlv(0xa0, &[ROOT])]);
    let service = |parms: &[&[u8]]| command(7, &[&root_list(), &tlv(0xa1, parms)]);
    let control = |parts: &[&[u8]]| stream(&[&tlv(0xa0, parts)]);
    let two_related = tlv(
        0x30,
        &[
            &[0x80, 4, 0, 0x8d, 0, 1],
            &tlv(0xa1, &[&[4, 1, b'1'], &[4, 1, b'2']]),
            &tlv(0xa2, &[&[0x80, 1, 0]]),
        ],
    );
    let short_id = tlv(0xa0, &[&tlv(0x30, &[&[0xa0, 0, 0x81, 0]])]);
    let many: Vec<u8> = [0x30, 0].repeat(MAX_ELEMENTS + 1);
    for (what, octets, code) in [
        ("unknown command", command(9, &[]), 443),
        ("a command that is no SEQUENCE", vec![0x04, 0], 442),
        ("no termination", command(2, &[&[0xa0, 0], &[0xa1, 0]]), 442),
        ("an empty TerminationID", command(2, &[&short_id, &[0xa1, 0]]), 410),
        ("a missing Audit descriptor", audit_without, 442),
        ("unknown descriptor", modify(&[&[0xb0, 0]]), 444),
        ("Statistics in a request", modify(&[&[0xa8, 0]]), 447),
        ("Media twice", modify(&[&media, &media]), 448),
        ("unknown mode", control(&[&[0x80, 1, 9], &[0xa3, 0]]), 517),
        ("a mode that is constructed", control(&[&[0xa0, 0], &[0xa3, 0]]), 442),
        ("components out of order", control(&[&[0xa3, 0], &[0x80, 1, 0]]), 442),
        ("a relation of two values", control(&[&tlv(0xa3, &[&two_related])]), 442),
        ("ATM in Local", stream(&[&local(&[(0x4001, b"x")])]), 445),
        ("a line break in SDP", stream(&[&local(&[(0xb00c, b"x\nm=audio 1 RTP/AVP 0")])]), 474),
        ("SDP beside an address", stream(&[&local(&[(0xb001, b"0"), (0x6001, &[1, 2, 3, 4])])]), 473),
        ("an address of five octets", stream(&[&local(&[(0x6001, &[1, 2, 3, 4, 5])])]), 449),
        ("too many signals", modify(&[&tlv(0xa5, &[&many])]), 442),
        ("no method", service(&[]), 472),
        ("no reason", service(&[&[0x80, 1, 3]]), 472),
        ("unknown method", service(&[&[0x80, 1, 77], &[0xa4, 0]]), 449),
        ("events without a request", modify(&[&tlv(0xa3, &[&tlv(0xa1, &[&event()])])]), 442),
    ] {
        assert_eq!(broken(&octets), code, "{what}");
    }
    // Outside of any command.
    for (what, transaction, code, id) in [
        ("transaction 0", request(0, &[&modify(&[])]), 410, None),
        ("no actions", tlv(0xa0, &[&[0x80, 1, 4, 0xa1, 0]]), 403, Some(4)),
        ("no commands", request(4, &[]), 422, Some(4)),
        ("a backward range", tlv(0xa3, &[&tlv(0x30, &[&[0x80, 1, 9, 0x81, 1, 8]])]), 410, None),
    ] {
        let parsed = read(&message(&[&transaction]));
        let [error] = parsed.errors.as_slice() else { panic!("{what}: {:?}", parsed.message) };
        assert_eq!((error.error.code.0, error.transaction), (code, id), "{what}");
    }
}

fn event() -> Vec<u8> {
    tlv(0x30, &[&[0x80, 4, 0, 1, 0, 1, 0xa3, 0]])
}

#[test]
fn a_message_that_is_broken_outside_its_transactions_is_refused() {
    let good = request(1, &[&modify(&[])]);
    let whole = message(&[&good]);
    let trailing = [&whole[..], &[0]].concat();
    let eleven = vec![good.as_slice(); MAX_TRANSACTIONS + 1];
    for (what, octets, code, known) in [
        ("nothing", Vec::new(), 400, false),
        ("text", b"MEGACO/2 [127.0.0.1] ".to_vec(), 400, false),
        ("a SET", [&[0x31], &whole[1..]].concat(), 400, false),
        ("an indefinite length that never ends", [0x30, 0x80].repeat(MAX_DEPTH * 4), 400, false),
        ("a length beyond everything", vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0xa1], 400, false),
        ("too long", vec![0x30; MAX_MESSAGE_BYTES + 1], 400, false),
        ("something behind", trailing, 400, true),
        ("version 4", of_version(4, &[&good]), 406, true),
        ("version 0", of_version(0, &[&good]), 406, true),
        ("eleven transactions", message(&eleven), 413, true),
        ("no transaction", message(&[]), 400, true),
        ("an unknown transaction", message(&[&[0xbe, 0]]), 400, true),
        ("a transaction that overruns", message(&[&[0xa0, 0x50, 0x80]]), 400, true),
    ] {
        let error = refused(&octets);
        assert_eq!(error.error.code.0, code, "{what}: {error}");
        assert_eq!(error.mid.is_some(), known, "{what}: {error}");
    }
}

#[test]
fn nesting_without_end_costs_neither_stack_nor_time() {
    // Unknown extensions are stepped over, however deep they claim to be.
    let deep: Vec<u8> = [0xbe, 0x83, 0, 0xf0, 0].repeat(8000);
    let octets = message(&[&request(
        1,
        &[&tlv(0x30, &[&tlv(0xa0, &[&tlv(0xa2, &[&root_list(), &[0xa1, 0], &tlv(0xbe, &[&deep])])])])],
    )]);
    assert!(read(&octets).errors.is_empty());
    let open: Vec<u8> = [0xbe, 0x80].repeat(8000);
    let octets = message(&[&request(
        1,
        &[&tlv(0x30, &[&tlv(0xa0, &[&tlv(0xa2, &[&root_list(), &[0xa1, 0], &open])])])],
    )]);
    assert_eq!(read(&octets).errors[0].error.code, ErrorCode::SYNTAX_IN_COMMAND);
}

#[test]
fn what_later_versions_added_is_skipped() {
    const LATER: &[u8] = &[0x9e, 1, 0xaa, 0xbf, 0x45, 2, 0x05, 0];
    let termination = tlv(0x30, &[ROOT, LATER]);
    let control = tlv(0xa0, &[&[0x80, 1, 2, 0xa3, 0], LATER]);
    let media = tlv(0xa0, &[&tlv(0xa1, &[&tlv(0xa0, &[&control, LATER])]), LATER]);
    let command = tlv(
        0x30,
        &[
            &tlv(0xa0, &[&tlv(0xa2, &[&tlv(0xa0, &[&termination]), &tlv(0xa1, &[&media]), LATER])]),
            &[0x81, 0],
            LATER,
        ],
    );
    let action = tlv(0x30, &[&[0x80, 1, 7], &tlv(0xa1, &[&[0x80, 1, 3], LATER]), &tlv(0xa3, &[&command])]);
    let request = tlv(0xa0, &[&[0x80, 1, 1], &tlv(0xa1, &[&action]), LATER]);
    let parsed = read(&of_version(3, &[&request]));
    let text = "!/3 [127.0.0.1] T=1{C=7{PR=3,O-MF=ROOT{M{O{MO=SR}}}}}";
    let expected = agw_iq::text::parse_strictly(text.as_bytes()).expect("a good message");
    assert_eq!((parsed.errors, parsed.message), (Vec::new(), expected));
}

#[test]
fn a_stream_may_be_described_without_sdp() {
    let describe = |properties: &[(u16, &[u8])]| {
        let parsed = read(&message(&[&request(1, &[&stream(&[&local(properties)])])]));
        assert_eq!(parsed.errors, []);
        let Body::Transactions(transactions) = parsed.message.body else { panic!("transactions") };
        let [Transaction::Request(request)] = transactions.as_slice() else { panic!("one request") };
        let Command::Modify(amm) = &request.actions[0].commands[0].command else { panic!("a Modify") };
        let Some(Streams::One(parms)) = amm.media.as_ref().map(|media| &media.streams) else {
            panic!("a stream")
        };
        parms.local.as_ref().expect("Local").as_str().to_owned()
    };
    // Medium, rate, payload type, address, port, each with a BER of its own.
    let rtp = describe(&[
        (0x1001, &[10, 1, 0]),
        (0x1005, &[2, 2, 2, 0x80]),
        (0x100f, &[2, 1, 8]),
        (0x6001, &[4, 4, 192, 0, 2, 7]),
        (0x6003, &[2, 3, 0, 0xc3, 0x50]),
    ]);
    assert_eq!(rtp, "v=0\nc=IN IP4 192.0.2.7\nm=audio 50000 RTP/AVP 8\nb=TIAS:64000\n");
    // Bare octets; the transport alone is known, so port and address are asked for.
    assert_eq!(describe(&[(0x3001, b"4"), (0x6004, b"1")]), "v=0\nc=IN IP6 $\nm=- $ UDP -\n");
    let ip6 = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    assert_eq!(describe(&[(0x6002, &ip6)]), "v=0\nc=IN IP6 2001:db8::1\nm=- $ UDP -\n");
}

#[test]
fn descriptions_are_groups_and_groups_are_descriptions() {
    let text = "!/2 [127.0.0.1] T=1{C=7{MF=ROOT{M{L{v=0\nc=IN IP4 $\nm=audio $ RTP/AVP 8\nv=0\nm=audio $ RTP/AVP 0\n}}}}}";
    let expected = agw_iq::text::parse_strictly(text.as_bytes()).expect("a good message");
    let octets = ber::print(&expected, &Naming::default()).expect("sayable");
    // Two PropertyGroups, the second of two properties.
    let second = [&[0x30, 0x0d, 0x80, 4, 0, 0, 0xb0, 0x01][..], b"\xa1\x05\x04\x03\x16\x010"].concat();
    assert_eq!(octets.windows(second.len()).filter(|window| *window == second).count(), 2);
    assert_eq!(ber::parse_strictly(&octets, &Naming::default()), Ok(expected));
}

#[test]
fn no_error_shows_a_key() {
    let line = b"1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0c2VjcmV0\xff";
    let parsed = read(&message(&[&request(1, &[&stream(&[&local(&[(0xb00c, line)])])])]));
    let shown = format!("{:?} {}", parsed.errors, parsed.errors[0]);
    assert!(!shown.contains("c2Vj"), "{shown}");
}

#[test]
fn what_has_no_binary_form_is_said_by_name() {
    for (text, what) in [
        ("T=1{C=1{MF=aln/1}}", "no binary form for TerminationID aln/1"),
        ("T=1{C=1{MF=ROOT{M{O{no/such=1}}}}}", "no binary form for no/such"),
        ("T=1{C=1{MF=ROOT{SG{ipnapt/latch{x=1}}}}}", "no binary form for parameter x"),
        ("T=1{C=1{MF=ROOT{DM=map1}}}", "no binary form for digit map map1"),
        ("T=1{C=1{MF=ROOT{MD=X-1}}}", "no binary form for modem type X-1"),
        (
            "T=1{C=1{MF=ROOT{M{L{hello}}}}}",
            "no binary form for a line of Local or Remote that is none of SDP",
        ),
        ("T=1{C=-{SC=ROOT{SV{MT=X-a,RE=900}}}}", "no binary form for ServiceChange method X-a"),
    ] {
        let message =
            agw_iq::text::parse_strictly(format!("!/2 gw {text}").as_bytes()).expect("a good message");
        let refused = ber::print(&message, &Naming::default()).expect_err("a refusal");
        assert_eq!(refused.to_string(), what);
    }
}
