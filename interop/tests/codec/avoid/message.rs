//! In messages, transactions, commands and audits.

use super::*;

pub(crate) struct NoSegmentReplies;
impl Visit for NoSegmentReplies {
    fn transaction(&mut self, transaction: &mut Transaction) {
        if let Transaction::SegmentReply { id, .. } = transaction {
            *transaction = Transaction::Pending(*id);
        }
    }
}

pub(crate) struct SmallVersions;
impl Visit for SmallVersions {
    fn package(&mut self, package: &mut PackageVersion) {
        package.version %= 100;
    }
}

pub(crate) struct NoSdpAudits;
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

pub(crate) struct OneMediaAudit;
impl Visit for OneMediaAudit {
    fn audit_item(&mut self, item: &mut AuditItem) {
        if let AuditItem::Media(items) = item {
            items.truncate(1);
        }
    }
}

pub(crate) struct OneOfBufferedEvent;
impl Visit for OneOfBufferedEvent {
    fn audit_item(&mut self, item: &mut AuditItem) {
        if let AuditItem::BufferedEvent { stream: Some(_), parameter, .. } = item {
            *parameter = None;
        }
    }
}

pub(crate) struct LogicWithValues;
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

pub(crate) struct NoContextError;
impl Visit for NoContextError {
    fn command_reply(&mut self, reply: &mut CommandReply) {
        if let CommandResult::AuditValue(it) | CommandResult::AuditCapability(it) = &mut reply.result
            && let AuditResult::ContextError(_) = it
        {
            *it = AuditResult::Context;
            reply.terminations = vec![TerminationId::All];
        }
    }
}

pub(crate) struct OneKindOfAudit;
impl Visit for OneKindOfAudit {
    fn audit(&mut self, audit: &mut AuditDescriptor) {
        let whole = |item: &AuditItem| matches!(item, AuditItem::Descriptor(_));
        if audit.items.iter().any(|item| !whole(item)) {
            audit.items.retain(|item| !whole(item));
        }
    }
}

pub(crate) struct PortAddresses;
impl Visit for PortAddresses {
    fn address(&mut self, address: &mut ServiceChangeAddress) {
        if let ServiceChangeAddress::Mid(Mid::Device(_)) = address {
            *address = ServiceChangeAddress::Port(2944);
        }
    }
}

pub(crate) struct NotBoth;
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

pub(crate) struct NoTopologyStream;
impl Visit for NoTopologyStream {
    fn properties(&mut self, properties: &mut ContextProperties) {
        properties.topology.iter_mut().for_each(|triple| triple.stream = None);
    }
}

pub(crate) struct OneTriple;
impl Visit for OneTriple {
    fn properties(&mut self, properties: &mut ContextProperties) {
        properties.topology.truncate(1);
    }
}

pub(crate) struct NoServiceChangeItem;
impl Visit for NoServiceChangeItem {
    fn service_change(&mut self, request: &mut ServiceChangeRequest) {
        request.info = None;
    }
}

pub(crate) struct RequestInAudits;
impl Visit for RequestInAudits {
    fn audit_item(&mut self, item: &mut AuditItem) {
        if let AuditItem::Event { request, .. } = item {
            request.get_or_insert(RequestId::Id(1));
        }
    }
}

pub(crate) struct NoNotifyError;
impl Visit for NoNotifyError {
    fn command_request(&mut self, request: &mut CommandRequest) {
        if let Command::Notify(notify) = &mut request.command {
            notify.error = None;
        }
    }
}

pub(crate) struct SelectByValues;
impl Visit for SelectByValues {
    fn action_request(&mut self, action: &mut ActionRequest) {
        if let Some(ContextAudit { select, .. }) = &mut action.audit {
            select.iter_mut().for_each(|select| {
                select.properties.topology.clear();
                select.properties.attributes.clear();
            });
            if select.as_deref() == Some(&ContextSelect::default()) {
                *select = None;
            }
        }
        something(action);
    }
}

pub(crate) struct SomeResult;
impl Visit for SomeResult {
    fn action_reply(&mut self, action: &mut ActionReply) {
        if action.properties.is_empty() && action.commands.is_empty() && action.error.is_none() {
            action.properties.priority = Some(1);
        }
    }
}

pub(crate) struct NoOnewayOfVersion3;
impl Visit for NoOnewayOfVersion3 {
    fn properties(&mut self, properties: &mut ContextProperties) {
        for triple in &mut properties.topology {
            if matches!(triple.direction, TopologyDirection::OnewayExternal | TopologyDirection::OnewayBoth) {
                triple.direction = TopologyDirection::Oneway;
            }
        }
    }
}

pub(crate) struct NoContextAudit;
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

pub(crate) struct NoSelectedContexts;
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

pub(crate) struct ErrorCodes;
impl Visit for ErrorCodes {
    fn error(&mut self, error: &mut ErrorDescriptor) {
        error.code.0 %= 1000;
    }
}

pub(crate) struct NoMtp;
impl Visit for NoMtp {
    fn mid(&mut self, mid: &mut Mid) {
        if let Mid::Mtp(_) = mid {
            *mid = Mid::Device("gw".into());
        }
    }
}

pub(crate) struct NoVersion3;
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
        SingleStatistics.statistic(statistic);
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
        NoIterations.signal(signal);
    }
    fn service_change(&mut self, request: &mut ServiceChangeRequest) {
        request.incomplete = false;
    }
}

pub(crate) struct NoVersion2;
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
