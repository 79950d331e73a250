//! What real senders write and strict grammar has not: taken, and told apart from what is wrong.

use agw_iq::ast::*;
use agw_iq::errors::ErrorCode;
use agw_iq::text::{Style, parse_strictly, print};

fn read(text: &str) -> Message {
    parse_strictly(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The commands of the only action of the only request.
fn commands(text: &str) -> Vec<CommandRequest> {
    let Body::Transactions(mut transactions) = read(text).body else { panic!("transactions expected") };
    let Some(Transaction::Request(mut request)) = transactions.pop() else { panic!("a request expected") };
    request.actions.pop().expect("an action").commands
}

fn amm(text: &str) -> AmmRequest {
    match commands(&format!("!/2 gw T=1{{C=1{{MF=a{{{text}}}}}}}")).remove(0).command {
        Command::Modify(amm) => *amm,
        other => panic!("{other:?}"),
    }
}

#[test]
fn long_and_short_tokens_mix_in_any_case() {
    let one = read("!/2 gw T=1{C=1{MF=a{M{ST=1{O{MO=SR,RV=ON}}},E=5{g/cause}}}}");
    let other = read(
        "megaco/2 gw transaction=1{CONTEXT=1{modify=a{MEDIA{St=1{localcontrol{mode=sr,RESERVEDVALUE=on}}},events=5{G/Cause}}}}",
    );
    assert_eq!(one, other);
}

#[test]
fn a_registration_of_a_fielded_gateway_is_read() {
    let text = "!/1 [192.0.2.1] T=2523{C=-{SC=ROOT{SV{MT=RS,RE=901,PF=ETSI_BGF/2,V=3}}}}";
    let Command::ServiceChange(request) = commands(text).remove(0).command else {
        panic!("ServiceChange expected")
    };
    assert_eq!(request.reason_code(), Some(ErrorCode::COLD_BOOT));
    assert_eq!(request.profile, Some(Profile { name: "ETSI_BGF".into(), version: 2 }));
}

#[test]
fn the_same_letters_mean_what_their_place_says() {
    // O-: optional; O: LocalControl; IN and SP: values; a termination called L; an event parameter called A.
    let commands = commands("!/2 gw T=1{C=1{O-W-MF=L{M{TS{BF=SP},O{MO=IN},L{}},E=1{R/S{A=O}}}}}");
    let command = &commands[0];
    assert!(command.optional && command.wildcard_reply);
    assert_eq!(command.terminations, [TerminationId::Path("L".into())]);
    let Command::Modify(amm) = &command.command else { panic!("Modify expected") };
    let media = amm.media.as_ref().expect("Media");
    let state = media.termination_state.as_ref().expect("TerminationState");
    assert_eq!(state.event_buffer_control, Some(EventBufferControl::LockStep));
    let Streams::One(parms) = &media.streams else { panic!("one stream expected") };
    assert_eq!(parms.local_control.as_ref().and_then(|control| control.mode), Some(StreamMode::Inactive));
    assert!(parms.local.as_ref().is_some_and(agw_iq::sdp::SdpText::is_empty));
    let event = &amm.events.as_ref().expect("Events").events[0];
    assert!(event.name.is("r", "s"));
    assert_eq!(event.parms[0].value, ParmValue::One(Value::token("O")));
}

#[test]
fn signals_and_events_are_cleared_with_and_without_braces() {
    assert_eq!(amm("SG").signals, Some(vec![]));
    assert_eq!(amm("SG{}").signals, Some(vec![]));
    assert_eq!(amm("E").events, Some(EventsDescriptor::default()));
    assert_eq!(amm("Events = 5 {}").events, Some(EventsDescriptor::default()));
}

#[test]
fn a_descriptor_of_a_reply_is_empty_with_and_without_braces() {
    let strict = read("!/2 gw P=1{C=1{AV=a{E,EB}}}");
    assert_eq!(read("!/2 gw P=1{C=1{AV=a{E=5{},EB{}}}}"), strict);
    assert_eq!(read(&print(&strict, Style::Compact)), strict);
}

#[test]
fn all_forms_of_values_are_kept() {
    let amm =
        amm("M{O{a/a=1,a/b=\"x y\",a/c=[1,2],a/d={1,2},a/e=[1:2],a/f>3,a/g<\"4\",a/h#5,a/i=$,a/j=[7]}}");
    let Some(MediaDescriptor { streams: Streams::One(parms), .. }) = amm.media else {
        panic!("one stream expected")
    };
    let properties = parms.local_control.expect("LocalControl").properties;
    let token = Value::token;
    let expected = [
        ParmValue::One(token("1")),
        ParmValue::One(Value::quoted("x y")),
        ParmValue::All(vec![token("1"), token("2")]),
        ParmValue::Any(vec![token("1"), token("2")]),
        ParmValue::Range(token("1"), token("2")),
        ParmValue::Relation(Relation::Greater, token("3")),
        ParmValue::Relation(Relation::Smaller, Value::quoted("4")),
        ParmValue::Relation(Relation::Unequal, token("5")),
        ParmValue::One(token("$")),
        ParmValue::All(vec![token("7")]),
    ];
    assert_eq!(properties.into_iter().map(|property| property.value).collect::<Vec<_>>(), expected);
}

#[test]
fn events_may_hold_signals_events_and_digit_maps() {
    let amm = amm(
        "E=1{dd/ce{DM={T:5,(x.|[1-3]1xE)},KA,EM{SG{cg/dt},E=2{al/on{EM{SG{cg/bt{ST=1,SY=BR,NC={TO,IBE}}}}}}}}}",
    );
    let event = &amm.events.expect("Events").events[0];
    let Some(EventDigitMap::Value(map)) = &event.digit_map else { panic!("a digit map expected") };
    assert_eq!((map.start, map.map.as_str()), (Some(5), "(x.|[1-3]1xE)"));
    let embed = event.embed.as_ref().expect("Embed");
    assert_eq!(embed.signals.as_ref().map(Vec::len), Some(1));
    let inner = &embed.events.as_ref().expect("Events").events[0];
    let Some([SignalItem::Signal(signal)]) = inner.signals.as_deref() else { panic!("a signal expected") };
    assert_eq!((signal.stream, signal.kind), (Some(1), Some(SignalType::Brief)));
}

#[test]
fn single_properties_can_be_audited() {
    let amm = amm(
        "AT{M{ST=1{O{MO,a/b}},TS{SI}},E=5{g/cause},SA{nt/dur,nt/os},SG{SL=3{a/b}},PG{g-1},DM=dm1,EB{a/b{ST=2}},OE}",
    );
    let items = amm.audit.expect("Audit").items;
    let media = |item| MediaAudit::LocalControl { stream: Some(1), item };
    assert_eq!(
        items[0],
        AuditItem::Media(vec![
            media(LocalControlAudit::Mode),
            media(LocalControlAudit::Property(PkgdName::new("a", "b"))),
            MediaAudit::TerminationState(TerminationStateAudit::ServiceState),
        ])
    );
    assert_eq!(items[2], AuditItem::Statistic(PkgdName::new("nt", "dur")));
    assert_eq!(items.len(), 9);
    assert_eq!(items[8], AuditItem::Descriptor(DescriptorKind::ObservedEvents));
}

#[test]
fn version_3_constructs_are_taken() {
    for text in [
        "!/3 gw T=1{C=1{IEPS=ON,EGO,CT{a/b=1},CT{CLT={1,2}},CA{IEPS,EGV=EG,ORLgc},MF=[a,b]}}",
        "!/3 gw P=1/2/END{C=1}",
        "!/3 gw P=1/1{IA,C=1{}}",
        "!/3 gw SM=1/2 SM=1/3/&",
        "!/3 gw T=1{C=1{MF=a{M{ST=1{SA{nt/os}}},E=1{a/b{NBIN,RSE},a/c{NBRN{EM{SG{}}}}},SG{a/b{SPADI=EX,SPARQ=5,SPAIS=9}}}}}",
        "!/3 gw T=1{C=-{SC=ROOT{SV{MT=RS,RE=\"901\",SIC,X-ab=1,20260101T00000000,M}}}}",
        "!/3 gw P=1{C=1{S=a{M{ST=1{SA{nt/os=[1,2]}}}}}}",
    ] {
        let message = read(text);
        assert_eq!(read(&print(&message, Style::Compact)), message, "{text}");
    }
}

#[test]
fn an_escaped_brace_stays_in_the_description() {
    let amm = amm("M{L{v=0\r\na=fmtp:96 {x\\}\r\n}}");
    let Some(MediaDescriptor { streams: Streams::One(parms), .. }) = amm.media else {
        panic!("one stream expected")
    };
    assert_eq!(parms.local.expect("Local").as_str(), "v=0\na=fmtp:96 {x}\n");
}
