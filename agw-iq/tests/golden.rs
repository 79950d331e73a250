//! How replies look, to the letter.

use agw_iq::ast::*;
use agw_iq::errors::ErrorCode;
use agw_iq::sdp::SdpText;
use agw_iq::text::{Style, parse_strictly, print};

fn reply(body: ReplyBody) -> Message {
    Message {
        auth: None,
        version: 2,
        mid: Mid::from_socket("192.0.2.20:2944".parse().expect("an address")),
        body: Body::Transactions(vec![Transaction::Reply(TransactionReply {
            id: 1001,
            immediate_ack: false,
            segment: None,
            body,
        })]),
    }
}

fn action(context: u32, commands: Vec<CommandReply>, error: Option<ErrorDescriptor>) -> ReplyBody {
    let context = ContextId::Id(context);
    ReplyBody::Actions(vec![ActionReply {
        context,
        properties: ContextProperties::default(),
        commands,
        error,
    }])
}

fn termination(path: &str) -> TerminationId {
    TerminationId::Path(path.into())
}

#[track_caller]
fn assert_prints(message: &Message, pretty: &str, compact: &str) {
    assert_eq!(print(message, Style::Pretty).as_str(), pretty);
    assert_eq!(print(message, Style::Compact).as_str(), compact);
    assert_eq!(parse_strictly(pretty.as_bytes()).as_ref(), Ok(message));
    assert_eq!(parse_strictly(compact.as_bytes()).as_ref(), Ok(message));
}

#[test]
fn the_reply_to_add_holds_the_local_description() {
    let local =
        SdpText::new("v=0\r\nc=IN IP4 198.51.100.20\r\nm=audio 30000 RTP/SAVP 96\r\na=fmtp:96 {a}\r\n");
    let parms = StreamParms { local: Some(local), ..StreamParms::default() };
    let streams = Streams::Many(vec![StreamDescriptor { id: 1, parms }]);
    let media = AuditReturn::Media(MediaDescriptor { termination_state: None, streams });
    let added = CommandReply::new(termination("ip/1/7/33554433"), CommandResult::Add(vec![media]));
    assert_prints(
        &reply(action(5001, vec![added], None)),
        "MEGACO/2 [192.0.2.20]:2944\n\
         Reply = 1001 {\n\
         \tContext = 5001 {\n\
         \t\tAdd = ip/1/7/33554433 {\n\
         \t\t\tMedia {\n\
         \t\t\t\tStream = 1 {\n\
         \t\t\t\t\tLocal {\n\
         v=0\n\
         c=IN IP4 198.51.100.20\n\
         m=audio 30000 RTP/SAVP 96\n\
         a=fmtp:96 {a\\}\n\
         }\n\
         \t\t\t\t}\n\
         \t\t\t}\n\
         \t\t}\n\
         \t}\n\
         }\n",
        "!/2 [192.0.2.20]:2944 P=1001{C=5001{A=ip/1/7/33554433{M{ST=1{L{\n\
         v=0\nc=IN IP4 198.51.100.20\nm=audio 30000 RTP/SAVP 96\na=fmtp:96 {a\\}\n}}}}}}",
    );
}

#[test]
fn the_reply_to_subtract_holds_statistics() {
    let statistics = vec![Statistic::number("nt", "dur", 61234), Statistic::number("rtp", "ps", 3010)];
    let result = CommandResult::Subtract(vec![AuditReturn::Statistics(statistics)]);
    assert_prints(
        &reply(action(5001, vec![CommandReply::new(termination("ip/1/7/1"), result)], None)),
        "MEGACO/2 [192.0.2.20]:2944\nReply = 1001 {\n\tContext = 5001 {\n\t\tSubtract = ip/1/7/1 {\n\t\t\tStatistics {\n\
         \t\t\t\tnt/dur = 61234,\n\t\t\t\trtp/ps = 3010\n\t\t\t}\n\t\t}\n\t}\n}\n",
        "!/2 [192.0.2.20]:2944 P=1001{C=5001{S=ip/1/7/1{SA{nt/dur=61234,rtp/ps=3010}}}}",
    );
}

#[test]
fn the_error_of_a_command_stands_behind_the_replies_before_it() {
    let added = CommandReply::new(termination("ip/1/7/1"), CommandResult::Modify(vec![]));
    let error = ErrorDescriptor::with_text(ErrorCode::UNSUPPORTED_VALUE, "a=crypto:1 \"F8\"");
    assert_prints(
        &reply(action(5001, vec![added], Some(error))),
        "MEGACO/2 [192.0.2.20]:2944\nReply = 1001 {\n\tContext = 5001 {\n\t\tModify = ip/1/7/1,\n\
         \t\tError = 449 { \"a=crypto:1 'F8'\" }\n\t}\n}\n",
        "!/2 [192.0.2.20]:2944 P=1001{C=5001{MF=ip/1/7/1,ER=449{\"a=crypto:1 'F8'\"}}}",
    );
}

#[test]
fn a_transaction_that_could_not_be_read_gets_one_error() {
    let broken = agw_iq::text::parse(b"!/2 gw T=1001{C=1{Foo=a}}").expect("a message").errors.remove(0);
    assert_prints(
        &reply(ReplyBody::Error(ErrorDescriptor::from(&broken.error))),
        "MEGACO/2 [192.0.2.20]:2944\nReply = 1001 {\n\tError = 443 { \"line 1, column 19: unknown command 'Foo'\" }\n}\n",
        "!/2 [192.0.2.20]:2944 P=1001{ER=443{\"line 1, column 19: unknown command 'Foo'\"}}",
    );
}

#[test]
fn the_reply_to_an_audit_lists_packages_and_empty_descriptors() {
    let packages =
        [("g", 1), ("root", 2)].map(|(name, version)| PackageVersion { name: name.into(), version });
    let audit = vec![AuditReturn::Packages(packages.to_vec()), AuditReturn::Empty(DescriptorKind::Events)];
    let result = CommandResult::AuditValue(AuditResult::Termination(audit));
    let body = ReplyBody::Actions(vec![ActionReply {
        context: ContextId::Null,
        properties: ContextProperties::default(),
        commands: vec![CommandReply::new(TerminationId::Root, result)],
        error: None,
    }]);
    assert_prints(
        &reply(body),
        "MEGACO/2 [192.0.2.20]:2944\nReply = 1001 {\n\tContext = - {\n\t\tAuditValue = ROOT {\n\t\t\tPackages {\n\
         \t\t\t\tg-1,\n\t\t\t\troot-2\n\t\t\t},\n\t\t\tEvents\n\t\t}\n\t}\n}\n",
        "!/2 [192.0.2.20]:2944 P=1001{C=-{AV=ROOT{PG{g-1,root-2},E}}}",
    );
}

#[test]
fn nothing_in_the_tree_can_break_out_of_its_place() {
    let error = ErrorDescriptor { code: ErrorCode(500), text: Some("x\"} } T=1{".to_owned()) };
    let text = print(&reply(ReplyBody::Error(error)), Style::Compact);
    assert_eq!(text.as_str(), "!/2 [192.0.2.20]:2944 P=1001{ER=500{\"x'} } T=1{\"}}");
    assert!(parse_strictly(text.as_bytes()).is_ok());
}
