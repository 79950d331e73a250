//! Messages that break the grammar: which code, which line and column, and what is still known for the answer.

use agw_iq::ast::{Body, ContextId, Mid, Transaction};
use agw_iq::errors::{ErrorCode, MessageError, Place, TransactionError, TransactionKind};
use agw_iq::text::{MAX_ELEMENTS, MAX_MESSAGE_BYTES, MAX_TRANSACTIONS, Parsed, parse};

fn read(text: &str) -> Parsed {
    parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refused(text: &str) -> MessageError {
    parse(text.as_bytes()).expect_err(text)
}

/// The only broken transaction of a message.
fn broken(text: &str) -> TransactionError {
    let mut parsed = read(text);
    assert_eq!(parsed.errors.len(), 1, "{text}: {:?}", parsed.errors);
    parsed.errors.remove(0)
}

#[test]
fn a_message_that_is_broken_outside_its_transactions_is_refused_with_its_place() {
    let cases = [
        ("", 400, (1, 1)),
        ("  ; nothing\n", 400, (2, 1)),
        ("hello", 400, (1, 1)),
        ("MEGACO", 400, (1, 1)),
        ("MEGACO/x [1.2.3.4] T=1{}", 400, (1, 1)),
        ("MEGACO/222 [1.2.3.4] T=1{}", 400, (1, 1)),
        ("MEGACO/0 [1.2.3.4] T=1{}", 406, (1, 8)),
        ("MEGACO/4 [1.2.3.4] T=1{}", 406, (1, 8)),
        ("!/9\n[1.2.3.4] T=1{}", 406, (1, 3)),
        ("MEGACO/2", 400, (1, 9)),
        ("MEGACO/2 [1.2.3] T=1{}", 400, (1, 10)),
        ("MEGACO/2 [1.2.3.4.5] T=1{}", 400, (1, 10)),
        ("MEGACO/2 [2001:db8::g] T=1{}", 400, (1, 10)),
        ("MEGACO/2 [1.2.3.4", 400, (1, 11)),
        ("MEGACO/2 [1.2.3.4]:70000 T=1{}", 400, (1, 20)),
        ("MEGACO/2 <a_b> T=1{}", 400, (1, 10)),
        ("MEGACO/2 MTP{012} T=1{}", 400, (1, 14)),
        ("MEGACO/2 [1.2.3.4]T=1{}", 400, (1, 19)),
        ("MEGACO/2 [1.2.3.4]\n", 400, (2, 1)),
        ("MEGACO/2 [1.2.3.4]\n {", 400, (2, 2)),
        ("MEGACO/2 [1.2.3.4] Transact=1{}", 400, (1, 20)),
        ("MEGACO/2 [1.2.3.4] PN=1{} }", 400, (1, 27)),
        ("MEGACO/2 [1.2.3.4] ER=400{\"x}", 400, (1, 27)),
        ("MEGACO/2 [1.2.3.4] ER=40000{}", 400, (1, 23)),
        ("MEGACO/2 [1.2.3.4] ER=400{} T=1{}", 400, (1, 29)),
        ("AU=0x1:0x00000001:0x00 MEGACO/2 [1.2.3.4] T=1{}", 400, (1, 4)),
        ("AU=0x00000001:0x00000001:0x00 MEGACO/2 [1.2.3.4] T=1{}", 400, (1, 26)),
        ("MEGACO/2 [1.2.3.4] SM=1/x", 400, (1, 23)),
        ("MEGACO/2 [1.2.3.4] \u{e9}", 400, (1, 20)),
    ];
    for (text, code, place) in cases {
        let error = refused(text).error;
        let place = Place::Line { line: place.0, column: place.1 };
        assert_eq!((error.code, error.place), (ErrorCode(code), place), "{text}: {error}");
    }
}

#[test]
fn what_was_read_before_the_error_is_kept_for_the_answer() {
    let unsupported = refused("MEGACO/7 [192.0.2.1]:2944 T=1{C=-{AV=ROOT{AT{}}}}");
    assert_eq!(unsupported.version, Some(7));
    assert_eq!(unsupported.mid, Some(Mid::from_socket("192.0.2.1:2944".parse().expect("an address"))));
    let long = format!("!/1 gw ER=400{{\"{}\"}}", "x".repeat(MAX_MESSAGE_BYTES));
    assert_eq!(refused(&long).mid, Some(Mid::Device("gw".into())));
    assert_eq!(refused("MEGACO/2 [oops] T=1{}").mid, None);
}

#[test]
fn a_broken_transaction_says_where_and_with_which_code() {
    // The text behind `!/2 gw `, so columns count from 8; then code and column.
    let cases = [
        // Transaction: 403, and 410 for identifiers.
        ("T 1{C=-{AV=ROOT{AT{}}}}", 403, 10),
        ("T=x{C=-{AV=ROOT{AT{}}}}", 410, 10),
        ("T=0{C=-{AV=ROOT{AT{}}}}", 410, 10),
        ("T=4294967295{C=-{AV=ROOT{AT{}}}}", 410, 10),
        ("T=4294967296{C=-{AV=ROOT{AT{}}}}", 410, 10),
        ("T=1{}", 403, 12),
        ("T=1{X=-{AV=ROOT{AT{}}}}", 403, 12),
        ("T=1{C=-{AV=ROOT{AT{}}} C=1{}}", 403, 31),
        ("T=1{C=-{AV=ROOT{AT{}}},}", 403, 31),
        ("T=1", 403, 11),
        ("PN=1{x}", 403, 13),
        ("K{1-}", 410, 10),
        ("K{5-4}", 410, 10),
        ("P=1{}", 403, 12),
        // Action: 422.
        ("T=1{C=0{AV=ROOT{AT{}}}}", 410, 14),
        ("T=1{C=x{AV=ROOT{AT{}}}}", 410, 14),
        ("T=1{C=4294967294{AV=ROOT{AT{}}}}", 410, 14),
        ("T=1{C 1{AV=ROOT{AT{}}}}", 422, 14),
        ("T=1{C=1[AV=ROOT{AT{}}]}", 422, 15),
        ("T=1{C=1{PR=1,PR=2,S=*}}", 422, 21),
        ("T=1{C=1{PR=16,S=*}}", 449, 19),
        ("T=1{C=1{TP{a,b}}}", 422, 22),
        ("T=1{C=1{TP{a,b,XX}}}", 449, 23),
        ("T=1{C=1{S=a S=b}}", 422, 20),
        // Command: 442, 443.
        ("T=1{C=1{}}", 442, 16),
        ("T=1{C=1{Destroy=a}}", 443, 16),
        ("T=1{C=1{O-O-A=a}}", 443, 16),
        ("T=1{C=1{A{M{}}}}", 442, 17),
        ("T=1{C=1{A=a,}}", 442, 20),
        ("T=1{C=1{A=:}}", 442, 18),
        ("T=1{C=1{A=a!b}}", 410, 18),
        ("T=1{C=1{AV=ROOT}}", 442, 23),
        ("T=1{C=1{N=a{ER=1{}}}}", 442, 19),
        // Descriptor: 444 unknown, 447 not legal here, 448 twice.
        ("T=1{C=1{A=a{Foo{}}}}", 444, 20),
        ("T=1{C=1{A=a{M{Foo{}}}}}", 444, 22),
        ("T=1{C=1{A=a{SA{}}}}", 447, 20),
        ("T=1{C=1{S=a{M{}}}}", 447, 20),
        ("T=1{C=1{N=a{M{}}}}", 447, 20),
        ("T=1{C=1{A=a{M{},M{}}}}", 448, 24),
        ("T=1{C=1{A=a{M{ST=1{},ST=1{}}}}}", 448, 29),
        ("T=1{C=1{A=a{M{L{},L{}}}}}", 448, 26),
        ("T=1{C=1{A=a{M{ST=1{},O{MO=IN}}}}}", 442, 29),
        ("T=1{C=1{A=a{M{ST=70000{}}}}}", 410, 25),
        ("T=1{C=1{A=a{AT{Foo}}}}", 444, 23),
        ("T=1{C=1{A=a{AT{MX{}}}}}", 442, 25),
        // Properties and values.
        ("T=1{C=1{A=a{M{O{Foo=1}}}}}", 445, 24),
        ("T=1{C=1{A=a{M{O{MO=XX}}}}}", 517, 27),
        ("T=1{C=1{A=a{M{O{RV=1}}}}}", 449, 27),
        ("T=1{C=1{A=a{M{O{MO=IN,MO=IN}}}}}", 456, 30),
        ("T=1{C=1{A=a{M{O{a/b}}}}}", 442, 27),
        ("T=1{C=1{A=a{M{O{a/b=}}}}}", 442, 28),
        ("T=1{C=1{A=a{M{O{a/b=\"x}}}}}", 442, 28),
        ("T=1{C=1{A=a{M{O{a/b=[1,2}}}}}", 442, 32),
        ("T=1{C=1{A=a{M{O{a/b=[1:2,3]}}}}}", 442, 32),
        ("T=1{C=1{A=a{M{O{*/b=1}}}}}", 445, 24),
        ("T=1{C=1{A=a{M{TS{SI=XX}}}}}", 449, 28),
        // Events and signals.
        ("T=1{C=1{A=a{E=x{a/b}}}}", 410, 22),
        ("T=1{C=1{A=a{E=1{cause}}}}", 442, 24),
        ("T=1{C=1{A=a{E=1{a/b{Foo}}}}}", 446, 28),
        ("T=1{C=1{A=a{E=1{a/b{ST=1,ST=2}}}}}", 442, 33),
        ("T=1{C=1{A=a{SG{a/b{SY=XX}}}}}", 449, 30),
        ("T=1{C=1{A=a{SG{a/b{DR=x}}}}}", 410, 30),
        ("T=1{C=1{A=a{SG{SL=1{}}}}}", 442, 28),
        ("T=1{C=1{A=a{DM=x{T:100,1}}}}", 442, 27),
        ("T=1{C=1{A=a{DM={!}}}}", 442, 24),
        ("T=1{C=1{N=a{OE=1{2026T:a/b}}}}", 442, 25),
        // ServiceChange: 472 for what is missing.
        ("T=1{C=-{SC=ROOT{SV{MT=RS}}}}", 472, 24),
        ("T=1{C=-{SC=ROOT{SV{RE=\"901\"}}}}", 472, 24),
        ("T=1{C=-{SC=ROOT{SV{MT=XX,RE=\"901\"}}}}", 449, 30),
        ("T=1{C=-{SC=ROOT{SV{MT=RS,MT=RS,RE=\"901\"}}}}", 442, 33),
        ("T=1{C=-{SC=ROOT{SV{MT=RS,RE=\"901\",V=200}}}}", 442, 44),
        ("T=1{C=-{SC=ROOT{SV{MT=RS,RE=\"901\"},SV{}}}}", 447, 43),
    ];
    for (text, code, column) in cases {
        let error = broken(&format!("!/2 gw {text}")).error;
        let place = Place::Line { line: 1, column };
        assert_eq!((error.code, error.place), (ErrorCode(code), place), "{text}: {error}");
    }
}

#[test]
fn good_transactions_beside_a_broken_one_are_read() {
    let parsed = read(
        "MEGACO/2 [192.0.2.10]:2944\n\
         Transaction = 1 { Context = 1 { Subtract = ip/1 } }\n\
         Transaction = 2 { Context = 7 { Modify = ip/2 { Media { Stream = 1 { Local {\n\
         v=0\n\
         a=x \\} { \" ; y\n\
         } } }, Bogus { \"}}}\" } ; }}}\n\
         } } }\n\
         Transaction = 3 { Context = 3 { Subtract = ip/3 } }",
    );
    let Body::Transactions(transactions) = &parsed.message.body else { panic!("transactions expected") };
    let ids: Vec<_> = transactions
        .iter()
        .map(|transaction| match transaction {
            Transaction::Request(request) => request.id,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids, [1, 3]);
    let [error] = parsed.errors.as_slice() else { panic!("{:?}", parsed.errors) };
    assert_eq!((error.kind, error.transaction), (TransactionKind::Request, Some(2)));
    assert_eq!(error.context, Some(ContextId::Id(7)));
    assert_eq!(error.error.to_string(), "line 6, column 8: unknown descriptor 'Bogus'");
    assert_eq!(error.error.code, ErrorCode::UNKNOWN_DESCRIPTOR);
}

#[test]
fn each_broken_transaction_has_its_own_error() {
    let parsed = read("!/2 gw T=1{C=1{Q=1}}T=2{C=x{}}P=3{C=1{Z=1}}");
    let found: Vec<_> = parsed.errors.iter().map(|e| (e.kind, e.transaction, e.error.code.0)).collect();
    assert_eq!(
        found,
        [
            (TransactionKind::Request, Some(1), 443),
            (TransactionKind::Request, Some(2), 410),
            (TransactionKind::Reply, Some(3), 443),
        ]
    );
    assert_eq!(parsed.message.body, Body::Transactions(vec![]));
}

#[test]
fn a_transaction_that_is_never_closed_takes_the_rest_of_the_message() {
    let parsed = read("!/2 gw T=1{C=1{S=a}}T=2{C=1{S=b}");
    assert_eq!(parsed.errors.len(), 1);
    assert_eq!(parsed.errors[0].transaction, Some(2));
    let Body::Transactions(transactions) = &parsed.message.body else { panic!("transactions expected") };
    assert_eq!(transactions.len(), 1);
}

#[test]
fn every_limit_is_an_error() {
    let one = "K{1}";
    assert!(read(&format!("!/2 gw {}", one.repeat(MAX_TRANSACTIONS))).errors.is_empty());
    let many = refused(&format!("!/2 gw {}", one.repeat(MAX_TRANSACTIONS + 1)));
    assert_eq!(many.error.code, ErrorCode::TOO_MANY_TRANSACTIONS);
    let list = |count: usize| format!("!/2 gw K{{{}1}}", "1,".repeat(count - 1));
    assert!(read(&list(MAX_ELEMENTS)).errors.is_empty());
    assert!(broken(&list(MAX_ELEMENTS + 1)).error.what.contains("more than"));
    let longest = format!("!/2 gw ;{}\nK{{1}}", "x".repeat(MAX_MESSAGE_BYTES));
    assert_eq!(refused(&longest).error.code, ErrorCode::SYNTAX_IN_MESSAGE);
    let braces = broken(&format!("!/2 gw T=1{}", "{".repeat(20_000)));
    assert_eq!(braces.error.code, ErrorCode::SYNTAX_IN_TRANSACTION);
}

#[test]
fn sdp_that_is_not_utf_8_breaks_its_transaction_only() {
    let parsed = parse(b"!/2 gw T=1{C=1{A=a{M{L{\nv=0\ns=\xff\n}}}}}K{1}").expect("a message");
    assert_eq!(parsed.errors[0].error.code, ErrorCode::INVALID_SDP);
    assert_eq!(
        parsed.message.body,
        Body::Transactions(vec![Transaction::Ack(vec![agw_iq::ast::AckRange { first: 1, last: 1 }])])
    );
}

#[test]
fn bad_sdp_does_not_break_its_transaction() {
    assert!(read("!/2 gw T=1{C=1{A=a{M{L{\nthis is not SDP\n}}}}}").errors.is_empty());
}

#[test]
fn no_error_shows_a_key() {
    let key = "c2VjcmV0c2VjcmV0";
    for text in [
        format!("!/2 gw T=1{{C=1{{A=a{{Foo{{a=crypto:1 X inline:{key}}}}}}}}}"),
        format!("!/2 gw T=1{{C=1{{A=a{{M{{O{{a/b=inline:{key}}}}}}}}}}}"),
        format!("!/2 gw inline:{key}"),
        format!("!/2 gw T=1{{C=1{{A=a{{M{{L{{\nv=0\na=crypto:1 X inline:{key}\n"),
    ] {
        let shown = match parse(text.as_bytes()) {
            Ok(parsed) => format!("{parsed:?} {}", parsed.errors[0]),
            Err(error) => format!("{error:?} {error}"),
        };
        assert!(!shown.contains(key), "{shown}");
    }
}
