//! The only differences there may be between Erlang/OTP megaco's codec and ours, each with its reason.
//!
//! A difference is given by what avoids it: a change to a tree that takes away the one thing on which the two do not agree. So the
//! test can hold every generated message, once it avoids them all, to full agreement, and can show of each entry that it is still
//! true: messages in which it alone is not avoided must be found on which the codecs part.

use agw_iq::ast::*;

use crate::walk::{Visit, walk};

/// One entry of the list.
pub(crate) struct Difference {
    /// Its name in what a test prints.
    pub(crate) name: &'static str,
    /// Who is right, by which clause.
    pub(crate) reason: &'static str,
    /// Changes a tree so that it does not meet this difference.
    pub(crate) avoid: fn(&mut Message),
}

/// The list for the text encoding.
pub(crate) const TEXT: &[Difference] = &[
    Difference {
        name: "text beyond ASCII in quoted strings",
        reason: "Annex B.2 quotedString has SafeChar, RestChar and WSP, all ASCII: OTP refuses the rest. We let UTF-8 through, because peers put names \
                 of people and places into error texts, and a reply must not fail by its words.",
        avoid: |message| walk(message, &mut Ascii),
    },
    Difference {
        name: "error codes of four digits",
        reason: "Annex B.2: ErrorCode = 1*4(DIGIT); OTP takes at most 999.",
        avoid: |message| walk(message, &mut ErrorCodes),
    },
    Difference {
        name: "MTP addresses",
        reason: "OTP reads the digits as text and finds more than 4 octets.",
        avoid: |message| walk(message, &mut NoMtp),
    },
    Difference {
        name: "authentication header",
        reason: "OTP writes a zero too many after each octet below 0x10.",
        avoid: |message| message.auth = None,
    },
    Difference {
        name: "version 3 in messages of version 1 and 2",
        reason: "The grammar of those versions has none of it; OTP has a parser for each version and refuses it.",
        avoid: |message| {
            if message.version < 3 {
                walk(message, &mut NoVersion3)
            }
        },
    },
    Difference {
        name: "version 2 in messages of version 1",
        reason: "The grammar of version 1 has none of it.",
        avoid: |message| {
            if message.version < 2 {
                walk(message, &mut NoVersion2)
            }
        },
    },
    Difference {
        name: "ContextAudit in version 1",
        reason: "OTP's parser of version 1 breaks at the descriptor that its grammar has.",
        avoid: |message| {
            if message.version == 1 {
                walk(message, &mut NoContextAudit)
            }
        },
    },
    Difference {
        name: "selection by a list of contexts",
        reason: "OTP drops it.",
        avoid: |message| walk(message, &mut NoSelectedContexts),
    },
    Difference {
        name: "lists in parameters of events and signals",
        reason: "Annex B.2 eventOther and sigOther have parmValue, lists and ranges included; OTP reads them and cannot write them.",
        avoid: |message| walk(message, &mut NoParameterLists),
    },
    Difference {
        name: "terminations called like Local and Remote",
        reason: "Annex B.2 pathNAME: L, R, Local and Remote are names like others where a name stands; OTP's scanner takes them for the beginning of SDP.",
        avoid: |message| walk(message, &mut NoSdpNames),
    },
    Difference {
        name: "audit of an event without a request",
        reason: "Annex B.2 indAudeventsDescriptor has a RequestID, the ASN.1 has it optional, and so has the tree.",
        avoid: |message| walk(message, &mut RequestInAudits),
    },
    Difference {
        name: "signals without a signal",
        reason: "Annex B.2 signalsDescriptor may be empty (RFC 3525); OTP has the braces only around something.",
        avoid: |message| walk(message, &mut SomeSignals),
    },
    Difference {
        name: "timer Z in version 1",
        reason: "RFC 3525 digitMapValue has none, version 2 has: OTP drops it.",
        avoid: |message| {
            if message.version == 1 {
                walk(message, &mut NoZ)
            }
        },
    },
    Difference {
        name: "error beside observed events",
        reason: "RFC 3525 notifyRequest has it; OTP's parser has not.",
        avoid: |message| walk(message, &mut NoNotifyError),
    },
    Difference {
        name: "selection by topology or by attributes",
        reason: "Version 3 has no selection by topology, the tree can say it; OTP drops attributes.",
        avoid: |message| walk(message, &mut SelectByValues),
    },
    Difference {
        name: "strings without a character",
        reason: "Annex B.2 quotedString may be empty; OTP reads it and cannot write it.",
        avoid: |message| walk(message, &mut NoEmptyStrings),
    },
    Difference {
        name: "results of an action without any",
        reason: "Version 3 has C=1 without braces; versions 1 and 2 have no such action, but a gateway that set only context properties has nothing to say.",
        avoid: |message| walk(message, &mut SomeResult),
    },
    Difference {
        name: "one-way topologies of version 3",
        reason: "OTP reads OnewayExternal and OnewayBoth as undefined.",
        avoid: |message| walk(message, &mut NoOnewayOfVersion3),
    },
    Difference {
        name: "multiplex Nx64K",
        reason: "Annex B.2 MuxType has Nx64kToken; OTP's parsers do not know it.",
        avoid: |message| walk(message, &mut NoNx64k),
    },
    Difference {
        name: "braces in SDP",
        reason: "Annex B.2 octetString: a closing brace is escaped; OTP knows no escape and ends the description there.",
        avoid: |message| walk(message, &mut NoBraces),
    },
    Difference {
        name: "relations in parameters",
        reason: "Annex B.2 parmValue has > < #; OTP drops them in parameters of events and signals.",
        avoid: |message| walk(message, &mut NoParameterRelations),
    },
    Difference {
        name: "error in place of a context's terminations",
        reason: "Annex B.2 contextTerminationAudit may be an error; OTP reads it and cannot write it.",
        avoid: |message| walk(message, &mut NoContextError),
    },
    Difference {
        name: "digit maps given in an event",
        reason: "Annex B.2 eventDM has an equals sign before the brace; OTP writes none.",
        avoid: |message| walk(message, &mut NamedDigitMaps),
    },
    Difference {
        name: "extensions of multiplex, modem and ServiceChange",
        reason: "Annex B.2 extensionParameter and serviceChangeMethod: OTP refuses or drops them.",
        avoid: |message| walk(message, &mut NoExtensions),
    },
    Difference {
        name: "modems",
        reason: "Annex B.2 modemDescriptor stayed in the grammar of version 2; OTP drops it.",
        avoid: |message| walk(message, &mut NoModems),
    },
    Difference {
        name: "address of ServiceChange that is no port",
        reason: "Annex B.2 serviceChangeAddress = mId or port; OTP wants a number where a device name stands.",
        avoid: |message| walk(message, &mut PortAddresses),
    },
    Difference {
        name: "address and controller in one ServiceChange",
        reason: "Annex B.2 allows one of them: OTP refuses both, we take both, since nothing is ambiguous, and never send both.",
        avoid: |message| walk(message, &mut NotBoth),
    },
    Difference {
        name: "SDP lines that are none",
        reason: "Annex B.2 has octets there, which we carry; OTP makes properties of them and adds the missing equals sign.",
        avoid: |message| walk(message, &mut WellFormedSdp),
    },
    Difference {
        name: "Media, streams, states, statistics and packages without anything in them",
        reason: "Annex B.2 wants one element between the braces, the ASN.1 wants none: the tree can say it, and we read and print it.",
        avoid: |message| walk(message, &mut SomethingInside),
    },
    Difference {
        name: "stream of a topology",
        reason: "Annex B.2 topologyTriple has eventStream (ST=1); OTP writes the number alone.",
        avoid: |message| walk(message, &mut NoTopologyStream),
    },
    Difference {
        name: "several topology triples",
        reason: "Annex B.2 topologyDescriptor is a list of triples; OTP reads one.",
        avoid: |message| walk(message, &mut OneTriple),
    },
    Difference {
        name: "what a ServiceChange concerns",
        reason: "Annex B.2 serviceChangeParm has auditItem since version 2; OTP reads it and cannot write it.",
        avoid: |message| walk(message, &mut NoServiceChangeItem),
    },
    Difference {
        name: "KeepActive beside signals in an embedded event",
        reason: "Annex B.2 secondEventParameter is a list; OTP reads both and cannot write them.",
        avoid: |message| walk(message, &mut NoKeepActiveWithSignals),
    },
    Difference {
        name: "names with empty parts",
        reason: "Annex B.2 pathNAME may hold two slashes one after the other; OTP loses one.",
        avoid: |message| walk(message, &mut NoEmptyParts),
    },
    Difference {
        name: "semicolons in SDP",
        reason: "Annex B.2 octetString is taken as it is; OTP drops a line whose value begins with what would be a comment elsewhere.",
        avoid: |message| walk(message, &mut NoSemicolons),
    },
    Difference {
        name: "iterations in NotifyCompletion",
        reason: "Version 3 has it; OTP reads it and cannot write it.",
        avoid: |message| walk(message, &mut NoIterations),
    },
    Difference {
        name: "segment replies",
        reason: "Version 3: a segment reply ends in a number or a word, and white space may follow; OTP refuses that.",
        avoid: |message| walk(message, &mut NoSegmentReplies),
    },
    Difference {
        name: "package versions of three digits",
        reason: "Annex B.2 packagesItem has a UINT16, Annex A 0 to 99; OTP takes the latter.",
        avoid: |message| walk(message, &mut SmallVersions),
    },
    Difference {
        name: "audit of Local and Remote",
        reason: "Version 3 indAudlocalParm: OTP takes the token for the beginning of SDP.",
        avoid: |message| walk(message, &mut NoSdpAudits),
    },
    Difference {
        name: "several parts of Media in one Audit",
        reason: "Version 2 has one (Annex B.2 indAudmediaDescriptor), version 3 a list; OTP refuses some lists.",
        avoid: |message| walk(message, &mut OneMediaAudit),
    },
    Difference {
        name: "stream and parameter in the audit of a buffered event",
        reason: "Annex B.2 indAudeventSpec has one of them, the tree can say both.",
        avoid: |message| walk(message, &mut OneOfBufferedEvent),
    },
    Difference {
        name: "logic of a selection",
        reason: "Version 3: ORLgc goes with properties to be selected by, the tree can say it alone; OTP's scanner knows ANDLgc, its parser does not.",
        avoid: |message| walk(message, &mut LogicWithValues),
    },
    Difference {
        name: "names and values that are tokens",
        reason: "Annex B.2: tokens are only reserved where they stand; OTP's parsers forgot some where any name or value may stand.",
        avoid: |message| walk(message, &mut NoTokens),
    },
    Difference {
        name: "lists of statistics",
        reason: "Version 3 has them; OTP reads them and cannot write them.",
        avoid: |message| walk(message, &mut SingleStatistics),
    },
    Difference {
        name: "single properties beside whole descriptors in an Audit",
        reason: "Annex B.2 auditDescriptor is a list of both; OTP takes one kind or the other.",
        avoid: |message| walk(message, &mut OneKindOfAudit),
    },
];

struct NoEmptyParts;
impl Visit for NoEmptyParts {
    fn termination(&mut self, termination: &mut TerminationId) {
        if let TerminationId::Path(name) = termination {
            if name.as_str().split('/').any(str::is_empty) {
                *name = "ip/1".into();
            }
        }
    }
}
struct NoSemicolons;
impl Visit for NoSemicolons {
    fn parms(&mut self, parms: &mut StreamParms) {
        for sdp in [&mut parms.local, &mut parms.remote].into_iter().flatten() {
            *sdp = agw_iq::sdp::SdpText::new(&sdp.as_str().replace(';', ","));
        }
    }
}
struct NoKeepActiveWithSignals;
impl Visit for NoKeepActiveWithSignals {
    fn embedded(&mut self, event: &mut EmbeddedEvent) {
        event.keep_active &= event.signals.is_none();
    }
}
struct NoIterations;
impl Visit for NoIterations {
    fn signal(&mut self, signal: &mut Signal) {
        if let Some(completion) = &mut signal.notify_completion {
            completion.iteration = false;
            if *completion == NotifyCompletion::default() {
                signal.notify_completion = None;
            }
        }
    }
}
struct NoSegmentReplies;
impl Visit for NoSegmentReplies {
    fn transaction(&mut self, transaction: &mut Transaction) {
        if let Transaction::SegmentReply { id, .. } = transaction {
            *transaction = Transaction::Pending(*id);
        }
    }
}
struct SmallVersions;
impl Visit for SmallVersions {
    fn package(&mut self, package: &mut PackageVersion) {
        package.version %= 100;
    }
}
struct NoSdpAudits;
impl Visit for NoSdpAudits {
    fn audit_item(&mut self, item: &mut AuditItem) {
        if let AuditItem::Media(items) = item {
            items.retain(|item| !matches!(item, MediaAudit::Local { .. } | MediaAudit::Remote { .. }));
            if items.is_empty() {
                *item = AuditItem::Descriptor(DescriptorKind::Media);
            }
        }
    }
}
struct OneMediaAudit;
impl Visit for OneMediaAudit {
    fn audit_item(&mut self, item: &mut AuditItem) {
        if let AuditItem::Media(items) = item {
            items.truncate(1);
        }
    }
}
struct OneOfBufferedEvent;
impl Visit for OneOfBufferedEvent {
    fn audit_item(&mut self, item: &mut AuditItem) {
        if let AuditItem::BufferedEvent { stream: Some(_), parameter, .. } = item {
            *parameter = None;
        }
    }
}
struct LogicWithValues;
impl Visit for LogicWithValues {
    fn action_request(&mut self, action: &mut ActionRequest) {
        if let Some(ContextAudit { select, .. }) = &mut action.audit {
            if let Some(select) = select {
                select.any = select.any.filter(|any| *any);
            }
            if select.as_ref().is_some_and(|select| select.properties.is_empty()) {
                *select = None;
            }
        }
        something(action);
    }
}
struct NoTokens;
impl NoTokens {
    fn rename(parms: &mut [Parm]) {
        parms.iter_mut().filter(|parm| parm.name.as_str().len() < 3).for_each(|parm| parm.name = "p".into());
    }
}
impl Visit for NoTokens {
    fn termination(&mut self, termination: &mut TerminationId) {
        if let TerminationId::Path(name) = termination {
            if name.as_str().len() == 1 && !["L", "R"].iter().any(|it| *name == *it) {
                *name = "ip/1".into();
            }
        }
    }
    fn mid(&mut self, mid: &mut Mid) {
        match mid {
            Mid::Domain { name, .. } if name.as_str().len() < 3 => *name = "mgc".into(),
            // Groups of an address, too: "eb", "add".
            Mid::Ip6 { address, .. } => *address = address.segments().map(|group| group | 0x1000).into(),
            _ => {}
        }
    }
    fn audit_item(&mut self, item: &mut AuditItem) {
        if let AuditItem::BufferedEvent { parameter: Some(name), .. } = item {
            if name.as_str().len() == 2 {
                *name = "p".into();
            }
        }
    }
    fn event(&mut self, event: &mut RequestedEvent) {
        Self::rename(&mut event.parms);
    }
    fn embedded(&mut self, event: &mut EmbeddedEvent) {
        Self::rename(&mut event.parms);
    }
    fn spec(&mut self, spec: &mut EventSpec) {
        Self::rename(&mut spec.parms);
    }
    fn signal(&mut self, signal: &mut Signal) {
        Self::rename(&mut signal.parms);
    }
    fn value(&mut self, value: &mut Value) {
        if value.as_str().len() < 3 && value.as_u64().is_none() {
            *value = Value::token("0");
        }
    }
}
struct SingleStatistics;
impl Visit for SingleStatistics {
    fn statistic(&mut self, statistic: &mut Statistic) {
        statistic.value.truncate(1);
    }
}

struct NoParameterRelations;
impl NoParameterRelations {
    fn plain(parms: &mut [Parm]) {
        for Parm { value, .. } in parms {
            if let ParmValue::Relation(_, one) = value {
                *value = ParmValue::One(one.clone());
            }
        }
    }
}
impl Visit for NoParameterRelations {
    fn event(&mut self, event: &mut RequestedEvent) {
        Self::plain(&mut event.parms);
    }
    fn embedded(&mut self, event: &mut EmbeddedEvent) {
        Self::plain(&mut event.parms);
    }
    fn spec(&mut self, spec: &mut EventSpec) {
        Self::plain(&mut spec.parms);
    }
    fn signal(&mut self, signal: &mut Signal) {
        Self::plain(&mut signal.parms);
    }
}
struct NoContextError;
impl Visit for NoContextError {
    fn command_reply(&mut self, reply: &mut CommandReply) {
        if let CommandResult::AuditValue(it) | CommandResult::AuditCapability(it) = &mut reply.result {
            if let AuditResult::ContextError(_) = it {
                *it = AuditResult::Context;
                reply.terminations = vec![TerminationId::All];
            }
        }
    }
}
struct NamedDigitMaps;
impl Visit for NamedDigitMaps {
    fn event(&mut self, event: &mut RequestedEvent) {
        if let Some(EventDigitMap::Value(_)) = event.digit_map {
            event.digit_map = Some(EventDigitMap::Name("p".into()));
        }
    }
    fn embedded(&mut self, event: &mut EmbeddedEvent) {
        if let Some(EventDigitMap::Value(_)) = event.digit_map {
            event.digit_map = Some(EventDigitMap::Name("p".into()));
        }
    }
}
struct OneKindOfAudit;
impl Visit for OneKindOfAudit {
    fn audit(&mut self, audit: &mut AuditDescriptor) {
        let whole = |item: &AuditItem| matches!(item, AuditItem::Descriptor(_));
        if audit.items.iter().any(|item| !whole(item)) {
            audit.items.retain(|item| !whole(item));
        }
    }
}
struct NoExtensions;
impl Visit for NoExtensions {
    fn mux(&mut self, mux: &mut MuxDescriptor) {
        if let MuxType::Extension(_) = mux.kind {
            mux.kind = MuxType::H221;
        }
    }
    fn service_change(&mut self, request: &mut ServiceChangeRequest) {
        if let ServiceChangeMethod::Extension(_) = request.method {
            request.method = ServiceChangeMethod::Restart;
        }
        request.extensions.clear();
    }
}
struct NoModems;
impl Visit for NoModems {
    fn amm(&mut self, amm: &mut AmmRequest) {
        amm.modem = None;
    }
    fn returned(&mut self, returned: &mut TerminationAudit) {
        returned.retain(|it| !matches!(it, AuditReturn::Modem(_)));
    }
}
struct PortAddresses;
impl Visit for PortAddresses {
    fn address(&mut self, address: &mut ServiceChangeAddress) {
        if let ServiceChangeAddress::Mid(Mid::Device(_)) = address {
            *address = ServiceChangeAddress::Port(2944);
        }
    }
}
struct NotBoth;
impl Visit for NotBoth {
    fn service_change(&mut self, request: &mut ServiceChangeRequest) {
        if request.address.is_some() {
            request.mgc_id = None;
        }
    }
    fn service_change_reply(&mut self, reply: &mut ServiceChangeReply) {
        if reply.address.is_some() {
            reply.mgc_id = None;
        }
    }
}
struct WellFormedSdp;
impl Visit for WellFormedSdp {
    fn parms(&mut self, parms: &mut StreamParms) {
        for sdp in [&mut parms.local, &mut parms.remote].into_iter().flatten() {
            let good = |line: &&str| {
                line.is_ascii()
                    && line.starts_with(|c: char| c.is_ascii_alphabetic())
                    && line.get(1..2) == Some("=")
            };
            let lines: Vec<_> = sdp.lines().map(|line| line.trim_end()).filter(good).collect();
            *sdp = agw_iq::sdp::SdpText::new(&lines.join("\n"));
        }
    }
}
struct SomethingInside;
impl Visit for SomethingInside {
    fn media(&mut self, media: &mut MediaDescriptor) {
        let some = || Some(agw_iq::sdp::SdpText::new("v=0"));
        if media.termination_state.as_ref() == Some(&TerminationStateDescriptor::default()) {
            media.termination_state = None;
        }
        if let Streams::Many(streams) = &mut media.streams {
            for stream in streams {
                if stream.parms.local_control.as_ref() == Some(&LocalControlDescriptor::default()) {
                    stream.parms.local_control = None;
                }
                stream.parms.statistics = stream.parms.statistics.take().filter(|it| !it.is_empty());
                if stream.parms == StreamParms::default() {
                    stream.parms.local = some();
                }
            }
        } else if let Streams::One(parms) = &mut media.streams {
            if parms.local_control.as_ref() == Some(&LocalControlDescriptor::default()) {
                parms.local_control = None;
            }
            parms.statistics = parms.statistics.take().filter(|it| !it.is_empty());
            if **parms == StreamParms::default() {
                parms.local = some();
            }
        }
        if *media == MediaDescriptor::default() {
            media.streams = Streams::Many(vec![StreamDescriptor {
                id: 1,
                parms: StreamParms { local: some(), ..StreamParms::default() },
            }]);
        }
    }
    fn returned(&mut self, returned: &mut TerminationAudit) {
        returned.retain(|it| {
            *it != AuditReturn::Packages(Vec::new()) && *it != AuditReturn::Statistics(Vec::new())
        });
    }
}
struct NoTopologyStream;
impl Visit for NoTopologyStream {
    fn properties(&mut self, properties: &mut ContextProperties) {
        properties.topology.iter_mut().for_each(|triple| triple.stream = None);
    }
}
struct OneTriple;
impl Visit for OneTriple {
    fn properties(&mut self, properties: &mut ContextProperties) {
        properties.topology.truncate(1);
    }
}
struct NoServiceChangeItem;
impl Visit for NoServiceChangeItem {
    fn service_change(&mut self, request: &mut ServiceChangeRequest) {
        request.info = None;
    }
}

struct NoParameterLists;
impl NoParameterLists {
    fn single(parms: &mut [Parm]) {
        for Parm { value, .. } in parms {
            if let ParmValue::All(values) | ParmValue::Any(values) = value {
                *value = ParmValue::One(values.swap_remove(0));
            } else if let ParmValue::Range(low, _) = value {
                *value = ParmValue::One(low.clone());
            }
        }
    }
}
impl Visit for NoParameterLists {
    fn event(&mut self, event: &mut RequestedEvent) {
        Self::single(&mut event.parms);
    }
    fn embedded(&mut self, event: &mut EmbeddedEvent) {
        Self::single(&mut event.parms);
    }
    fn spec(&mut self, spec: &mut EventSpec) {
        Self::single(&mut spec.parms);
    }
    fn signal(&mut self, signal: &mut Signal) {
        Self::single(&mut signal.parms);
    }
}
struct NoSdpNames;
impl Visit for NoSdpNames {
    fn termination(&mut self, termination: &mut TerminationId) {
        if let TerminationId::Path(name) = termination {
            if ["L", "R", "Local", "Remote"].iter().any(|it| *name == *it) {
                *name = "ip/1".into();
            }
        }
    }
}
struct RequestInAudits;
impl Visit for RequestInAudits {
    fn audit_item(&mut self, item: &mut AuditItem) {
        if let AuditItem::Event { request, .. } = item {
            request.get_or_insert(RequestId::Id(1));
        }
    }
}
struct SomeSignals;
impl Visit for SomeSignals {
    fn amm(&mut self, amm: &mut AmmRequest) {
        amm.signals = amm.signals.take().filter(|signals| !signals.is_empty());
    }
    fn embed(&mut self, embed: &mut Embed) {
        if embed.signals.as_ref().is_some_and(Vec::is_empty) {
            embed.signals =
                Some(vec![SignalItem::Signal(Signal::new(PkgdName::new("cg", "dt"), Vec::new()))]);
        }
    }
    fn embedded(&mut self, event: &mut EmbeddedEvent) {
        event.signals = event.signals.take().filter(|signals| !signals.is_empty());
    }
    fn returned(&mut self, returned: &mut TerminationAudit) {
        returned.retain(|it| *it != AuditReturn::Signals(Vec::new()));
    }
}
struct NoZ;
impl Visit for NoZ {
    fn digit_map_value(&mut self, map: &mut DigitMapValue) {
        map.duration = None;
    }
}
struct NoNotifyError;
impl Visit for NoNotifyError {
    fn command_request(&mut self, request: &mut CommandRequest) {
        if let Command::Notify(notify) = &mut request.command {
            notify.error = None;
        }
    }
}
struct SelectByValues;
impl Visit for SelectByValues {
    fn action_request(&mut self, action: &mut ActionRequest) {
        if let Some(ContextAudit { select, .. }) = &mut action.audit {
            select.iter_mut().for_each(|select| {
                select.properties.topology.clear();
                select.properties.attributes.clear()
            });
            if select.as_deref() == Some(&ContextSelect::default()) {
                *select = None;
            }
        }
        something(action);
    }
}
struct NoEmptyStrings;
impl Visit for NoEmptyStrings {
    fn error(&mut self, error: &mut ErrorDescriptor) {
        error.text = error.text.take().filter(|text| !text.is_empty());
    }
    fn service_change(&mut self, request: &mut ServiceChangeRequest) {
        if request.reason.is_empty() {
            request.reason = "901".to_owned();
        }
    }
    fn value(&mut self, value: &mut Value) {
        if value.as_str().is_empty() {
            *value = Value::token("x");
        }
    }
}
struct SomeResult;
impl Visit for SomeResult {
    fn action_reply(&mut self, action: &mut ActionReply) {
        if action.properties.is_empty() && action.commands.is_empty() && action.error.is_none() {
            action.properties.priority = Some(1);
        }
    }
}
struct NoOnewayOfVersion3;
impl Visit for NoOnewayOfVersion3 {
    fn properties(&mut self, properties: &mut ContextProperties) {
        for triple in &mut properties.topology {
            if matches!(triple.direction, TopologyDirection::OnewayExternal | TopologyDirection::OnewayBoth) {
                triple.direction = TopologyDirection::Oneway;
            }
        }
    }
}
struct NoNx64k;
impl Visit for NoNx64k {
    fn mux(&mut self, mux: &mut MuxDescriptor) {
        if mux.kind == MuxType::Nx64k {
            mux.kind = MuxType::H221;
        }
    }
}
struct NoBraces;
impl Visit for NoBraces {
    fn parms(&mut self, parms: &mut StreamParms) {
        for sdp in [&mut parms.local, &mut parms.remote].into_iter().flatten() {
            *sdp = agw_iq::sdp::SdpText::new(&sdp.as_str().replace('}', ""));
        }
    }
}

struct NoContextAudit;
impl Visit for NoContextAudit {
    fn action_request(&mut self, action: &mut ActionRequest) {
        action.audit = None;
        something(action);
    }
}
fn something(action: &mut ActionRequest) {
    if action.audit.as_ref() == Some(&ContextAudit::default()) {
        action.audit = None;
    }
    if action.properties.is_empty() && action.audit.is_none() && action.commands.is_empty() {
        action.properties.priority = Some(1);
    }
}
struct NoSelectedContexts;
impl Visit for NoSelectedContexts {
    fn action_request(&mut self, action: &mut ActionRequest) {
        if let Some(ContextAudit { select, .. }) = &mut action.audit {
            select.iter_mut().for_each(|select| select.properties.contexts.clear());
            if select.as_deref() == Some(&ContextSelect::default()) {
                *select = None;
            }
        }
        something(action);
    }
}

struct ErrorCodes;
impl Visit for ErrorCodes {
    fn error(&mut self, error: &mut ErrorDescriptor) {
        error.code.0 %= 1000;
    }
}
struct NoMtp;
impl Visit for NoMtp {
    fn mid(&mut self, mid: &mut Mid) {
        if let Mid::Mtp(_) = mid {
            *mid = Mid::Device("gw".into());
        }
    }
}
struct NoVersion3;
impl Visit for NoVersion3 {
    fn transaction(&mut self, transaction: &mut Transaction) {
        match transaction {
            Transaction::SegmentReply { id, .. } => *transaction = Transaction::Pending(*id),
            Transaction::Reply(reply) => reply.segment = None,
            _ => {}
        }
    }
    fn action_request(&mut self, action: &mut ActionRequest) {
        if let Some(audit) = &mut action.audit {
            audit.ieps = false;
            audit.attributes.clear();
            audit.select = None;
        }
        self.properties(&mut action.properties);
        something(action);
    }
    fn properties(&mut self, properties: &mut ContextProperties) {
        properties.emergency = properties.emergency.filter(|emergency| *emergency);
        properties.ieps = None;
        properties.attributes.clear();
        properties.contexts.clear();
        NoOnewayOfVersion3.properties(properties);
    }
    fn command_request(&mut self, request: &mut CommandRequest) {
        request.terminations.truncate(1);
    }
    fn command_reply(&mut self, reply: &mut CommandReply) {
        if !matches!(
            reply.result,
            CommandResult::AuditValue(AuditResult::Context)
                | CommandResult::AuditCapability(AuditResult::Context)
        ) {
            reply.terminations.truncate(1);
        }
    }
    fn media(&mut self, media: &mut MediaDescriptor) {
        if let Streams::One(parms) = &mut media.streams {
            self.parms(parms);
            if **parms == StreamParms::default() {
                media.streams = Streams::None;
            }
        }
    }
    fn parms(&mut self, parms: &mut StreamParms) {
        parms.statistics = None;
    }
    fn statistic(&mut self, statistic: &mut Statistic) {
        statistic.value.truncate(1);
    }
    fn audit_item(&mut self, item: &mut AuditItem) {
        if let AuditItem::Media(items) = item {
            items.retain(|item| {
                matches!(item, MediaAudit::LocalControl { .. } | MediaAudit::TerminationState(_))
            });
            if items.is_empty() {
                *item = AuditItem::Descriptor(DescriptorKind::Media);
            }
        }
    }
    fn event(&mut self, event: &mut RequestedEvent) {
        event.notify = None;
        event.reset_events = false;
    }
    fn signal(&mut self, signal: &mut Signal) {
        signal.direction = None;
        signal.request = None;
        signal.intersignal_delay = None;
        if let Some(completion) = &mut signal.notify_completion {
            completion.iteration = false;
            if *completion == NotifyCompletion::default() {
                signal.notify_completion = None;
            }
        }
    }
    fn service_change(&mut self, request: &mut ServiceChangeRequest) {
        request.incomplete = false;
    }
}
struct NoVersion2;
impl Visit for NoVersion2 {
    fn properties(&mut self, properties: &mut ContextProperties) {
        properties.topology.iter_mut().for_each(|triple| triple.stream = None);
    }
    fn audit_item(&mut self, item: &mut AuditItem) {
        *item = AuditItem::Descriptor(match item {
            AuditItem::Descriptor(kind) => *kind,
            _ => DescriptorKind::Media,
        });
    }
    fn service_change(&mut self, request: &mut ServiceChangeRequest) {
        request.info = None;
    }
}

struct Ascii;
impl Visit for Ascii {
    fn error(&mut self, error: &mut ErrorDescriptor) {
        if let Some(text) = &mut error.text {
            ascii(text)
        }
    }
    fn service_change(&mut self, request: &mut ServiceChangeRequest) {
        ascii(&mut request.reason);
    }
    fn value(&mut self, value: &mut Value) {
        if let Value::Quoted(text) = value {
            ascii(text)
        }
    }
}
fn ascii(text: &mut String) {
    text.retain(|c| c.is_ascii());
}

/// What we refuse and OTP takes: words of our error, and why we are right.
pub(crate) const WE_REFUSE: &[(&str, &str)] = &[
    ("given twice", "Annex B.2: at most once, said in comments of the grammar, which OTP does not keep"),
    ("unknown priority", "Annex A: 0 to 15"),
    ("is missing", "Annex B.2: auditRequest has an Audit descriptor, ServiceChange a method and a reason"),
    ("not a transaction identifier", "Annex A: 0, 0xFFFFFFFE and 0xFFFFFFFF are reserved"),
    (
        "a transaction identifier or range expected",
        "Section 8.2.2: the first of a range comes before the last",
    ),
    (
        "a transaction identifier expected",
        "Annex B.2: a number, and in version 3 a segment behind it, each at most 32 or 16 bits",
    ),
    ("a parameter name expected", "Annex B.2: NAME has letters, digits and underscores, no wildcard"),
    ("a digit map name expected", "Annex B.2: digitMapName is a NAME"),
    ("package-version expected", "Annex B.2 packagesItem: NAME, a dash and a number"),
    ("(package/name) expected", "Annex B.2 pkgdName: two NAMEs or wildcards"),
    (
        "unknown descriptor to audit",
        "Annex B.2: what is no parameter of ServiceChange must be an auditItem; OTP takes P- for an extension",
    ),
    ("NAME/version expected", "Annex B.2 serviceChangeProfile: a NAME, a slash and a number"),
    (
        "'{' expected, found '}'",
        "Annex B.2: statistics and audited signal lists have braces; OTP takes the token alone",
    ),
    ("'=' expected, found '{'", "Annex B.2 digitMapDescriptor and eventDM have an equals sign"),
    ("unknown context property", "Annex B.2 pkgdName: two NAMEs or wildcards"),
    ("unknown timer", "Annex B.2 digitMapValue: T, S, L and Z"),
    ("a transaction expected", "Annex B.2: no white space within a message identifier"),
    ("unknown property", "Annex B.2 pkgdName: two NAMEs or wildcards"),
    ("not a digit map", "Annex B.2 digitMapLetter: a few letters and digits"),
    ("a digit map expected", "Annex B.2 digitMap is not empty"),
    ("a timer expected", "Annex B.2: one or two digits"),
    ("is not a domain name", "Annex B.2 domainName: letters, digits, dashes and dots"),
    ("is not an address", "Annex B.2 IPv4address and IPv6address"),
    ("not closed", "Annex B.2: an address has no white space inside"),
    ("white space expected", "Annex B.2: SEP stands behind the message identifier"),
];

/// What OTP refuses and we take where the tree cannot show it: how to know it in the text, and why we take it.
pub(crate) const THEY_REFUSE: &[(fn(&str) -> bool, &str)] = &[
    (
        empty_braces,
        "Annex B.2 wants an element between most braces: we read none like no braces, since nothing else can be meant",
    ),
    (
        space_before_port,
        "Annex B.2 has no white space between the colon and the port of a message identifier: nothing else can be meant",
    ),
];

/// `[192.0.2.1]: 2944`
fn space_before_port(text: &str) -> bool {
    ["]: ", "]:\n", ">: ", ">:\n"].iter().any(|words| text.contains(words))
}

/// `{}` elsewhere than behind Audit and Pending.
fn empty_braces(text: &str) -> bool {
    let before = |head: &str| head.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
    text.match_indices("{}")
        .any(|(at, _)| !text[..at].ends_with("AT") && !before(&text[..at]).ends_with("PN="))
}

/// Messages with what the generator seldom or never makes, so that its entry can be shown to be true.
pub(crate) const RARE: &[&str] =
    &["!/2 gw T=1{C=1{MF=ip/1//2}}", "!/2 gw T=1{C=1{MF=ip/1{M{ST=1{L{\nv=0\na=;\n}}}}}}"];

/// What the text encoding does not tell apart for OTP.
pub(crate) fn common_form(message: &mut Message) {
    walk(message, &mut Common);
}
struct Common;
impl Visit for Common {
    fn value(&mut self, value: &mut Value) {
        *value = Value::token(value.as_str().to_lowercase());
    }
    fn returned(&mut self, returned: &mut TerminationAudit) {
        returned.sort_by_key(|it| if let AuditReturn::Empty(kind) = it { 1 + *kind as u8 } else { 0 });
    }
}
