//! Commands, replies, actions, transactions, messages.

use super::descriptor::*;
use super::*;

fn amm() -> impl Strategy<Value = Box<AmmRequest>> {
    (
        of(media()).boxed(),
        of(modem()),
        of(mux()),
        of(events()).boxed(),
        of(event_buffer()),
        of(signals()).boxed(),
        of(digit_map()),
        of(audit()),
    )
        .prop_map(|(media, modem, mux, events, event_buffer, signals, digit_map, audit)| {
            Box::new(AmmRequest { media, modem, mux, events, event_buffer, signals, digit_map, audit })
        })
}

/// Any command.
pub fn command_request() -> impl Strategy<Value = CommandRequest> {
    let notify =
        (observed_events(), of(error())).prop_map(|(observed, error)| NotifyRequest { observed, error });
    let command = prop_oneof![
        amm().prop_map(Command::Add),
        amm().prop_map(Command::Move),
        amm().prop_map(Command::Modify),
        of(audit()).prop_map(Command::Subtract),
        audit().prop_map(Command::AuditValue),
        audit().prop_map(Command::AuditCapability),
        notify.prop_map(|notify| Command::Notify(Box::new(notify))),
        service_change().prop_map(|request| Command::ServiceChange(Box::new(request))),
    ];
    (any::<bool>(), any::<bool>(), terminations(), command).prop_map(
        |(optional, wildcard_reply, terminations, command)| CommandRequest {
            optional,
            wildcard_reply,
            terminations,
            command,
        },
    )
}

fn terminations() -> impl Strategy<Value = Vec<TerminationId>> {
    prop_oneof![5 => vec(termination_id(), 1..=1), 1 => vec(termination_id(), 2..4)]
}

fn termination_audit() -> impl Strategy<Value = TerminationAudit> {
    let returned = prop_oneof![
        media().prop_map(AuditReturn::Media),
        modem().prop_map(AuditReturn::Modem),
        mux().prop_map(AuditReturn::Mux),
        events()
            .prop_filter("empty is Empty", |events| !events.events.is_empty())
            .prop_map(AuditReturn::Events),
        signals().prop_map(AuditReturn::Signals),
        digit_map().prop_map(AuditReturn::DigitMap),
        observed_events().prop_map(AuditReturn::ObservedEvents),
        event_buffer()
            .prop_filter("empty is Empty", |events| !events.is_empty())
            .prop_map(AuditReturn::EventBuffer),
        statistics().prop_map(AuditReturn::Statistics),
        vec(package(), 0..4).prop_map(AuditReturn::Packages),
        error().prop_map(AuditReturn::Error),
        descriptor_kind().prop_map(AuditReturn::Empty),
    ];
    vec(returned, 0..3)
}

/// Any reply to a command.
pub fn command_reply() -> impl Strategy<Value = CommandReply> {
    use CommandResult::*;
    let service = prop_oneof![
        Just(ServiceChangeResult::Accepted),
        error().prop_map(ServiceChangeResult::Error),
        service_change_reply().prop_map(|reply| ServiceChangeResult::Parms(Box::new(reply))),
    ];
    let audited = || {
        prop_oneof![
            2 => termination_audit().prop_map(AuditResult::Termination),
            1 => Just(AuditResult::Context),
            1 => error().prop_map(AuditResult::ContextError),
        ]
    };
    let result = prop_oneof![
        termination_audit().prop_map(Add),
        termination_audit().prop_map(Move),
        termination_audit().prop_map(Modify),
        termination_audit().prop_map(Subtract),
        audited().prop_map(AuditValue),
        audited().prop_map(AuditCapability),
        of(error()).prop_map(Notify),
        service.prop_map(ServiceChange),
    ];
    (terminations(), result).prop_map(|(terminations, result)| match result {
        AuditValue(AuditResult::ContextError(_)) | AuditCapability(AuditResult::ContextError(_)) => {
            CommandReply { terminations: Vec::new(), result }
        }
        result => CommandReply { terminations, result },
    })
}

fn context_properties() -> impl Strategy<Value = ContextProperties> {
    use TopologyDirection::*;
    let direction = select(vec![Bothway, Isolate, Oneway, OnewayExternal, OnewayBoth]);
    let triple = (termination_id(), termination_id(), direction, of(any::<u16>()))
        .prop_map(|(from, to, direction, stream)| TopologyTriple { from, to, direction, stream });
    let properties =
        (
            vec(triple, 0..3),
            of(0..=15_u16),
            of(any::<bool>()),
            of(any::<bool>()),
            vec(property(), 0..2),
            vec(context_id(), 0..2),
        )
            .prop_map(|(topology, priority, emergency, ieps, attributes, contexts)| {
                ContextProperties { topology, priority, emergency, ieps, attributes, contexts }
            });
    prop_oneof![2 => Just(ContextProperties::default()), 1 => properties]
}

fn context_audit() -> impl Strategy<Value = ContextAudit> {
    let select = (of(any::<bool>()), context_properties())
        .prop_map(|(any, properties)| ContextSelect { any, properties })
        .prop_filter("something to select by", |select| *select != ContextSelect::default());
    (any::<[bool; 4]>(), vec(pkgd_name(), 0..2), of(select.prop_map(Box::new)))
        .prop_map(|([topology, emergency, priority, ieps], attributes, select)| ContextAudit {
            topology,
            emergency,
            priority,
            ieps,
            attributes,
            select,
        })
        .prop_filter("something to audit", |audit| *audit != ContextAudit::default())
}

/// Any action of a request.
pub fn action_request() -> impl Strategy<Value = ActionRequest> {
    let audit = prop_oneof![3 => Just(None), 1 => context_audit().prop_map(Some)];
    (context_id(), context_properties(), audit, vec(command_request().boxed(), 0..3))
        .prop_map(|(context, properties, audit, commands)| ActionRequest {
            context,
            properties,
            audit,
            commands,
        })
        .prop_filter("something to do", |action| {
            !action.properties.is_empty() || action.audit.is_some() || !action.commands.is_empty()
        })
}

/// Any action of a reply.
pub fn action_reply() -> impl Strategy<Value = ActionReply> {
    (context_id(), context_properties(), vec(command_reply().boxed(), 0..3), of(error())).prop_map(
        |(context, properties, commands, error)| ActionReply { context, properties, commands, error },
    )
}

/// Any transaction.
pub fn transaction() -> impl Strategy<Value = Transaction> {
    let segment = || (any::<u16>(), any::<bool>()).prop_map(|(number, last)| Segment { number, last });
    let request = (1..=0xFFFF_FFFD_u32, vec(action_request(), 1..3))
        .prop_map(|(id, actions)| Transaction::Request(TransactionRequest { id, actions }));
    let body = prop_oneof![
        1 => error().prop_map(ReplyBody::Error),
        3 => vec(action_reply(), 1..3).prop_map(ReplyBody::Actions),
    ];
    let reply =
        (any::<u32>(), any::<bool>(), of(segment()), body).prop_map(|(id, immediate_ack, segment, body)| {
            Transaction::Reply(TransactionReply { id, immediate_ack, segment, body })
        });
    let range = any::<(u32, u32)>().prop_map(|(a, b)| AckRange { first: a.min(b), last: a.max(b) });
    prop_oneof![
        4 => request,
        4 => reply,
        1 => any::<u32>().prop_map(Transaction::Pending),
        1 => vec(range, 1..4).prop_map(Transaction::Ack),
        1 => (any::<u32>(), segment()).prop_map(|(id, segment)| Transaction::SegmentReply { id, segment }),
    ]
}

/// Any message.
pub fn message() -> impl Strategy<Value = Message> {
    let auth = (any::<u32>(), any::<u32>(), vec(any::<u8>(), 12..=32))
        .prop_map(|(spi, sequence, data)| AuthHeader { spi, sequence, data });
    let body = prop_oneof![
        1 => error().prop_map(Body::Error),
        9 => vec(transaction().boxed(), 1..3).prop_map(Body::Transactions),
    ];
    (prop_oneof![4 => Just(None), 1 => auth.prop_map(Some)], 1..=3_u8, mid(), body)
        .prop_map(|(auth, version, mid, body)| Message { auth, version, mid, body })
}
