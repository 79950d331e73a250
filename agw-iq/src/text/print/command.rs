//! Commands, replies, audits and ServiceChange.

use super::*;

impl Printer {
    pub(super) fn command_request(&mut self, command: &CommandRequest) {
        if command.optional {
            self.text("O-");
        }
        if command.wildcard_reply {
            self.text("W-");
        }
        self.verb(command.command.verb());
        self.terminations(&command.terminations);
        match &command.command {
            Command::Add(amm) | Command::Move(amm) | Command::Modify(amm) => self.amm_request(amm),
            Command::Subtract(None) => {}
            Command::Subtract(Some(audit)) | Command::AuditValue(audit) | Command::AuditCapability(audit) => {
                self.open();
                self.item();
                self.audit(audit);
                self.close();
            }
            Command::Notify(notify) => {
                self.open();
                self.item();
                self.observed_events(&notify.observed);
                if let Some(error) = &notify.error {
                    self.item();
                    self.error(error);
                }
                self.close();
            }
            Command::ServiceChange(request) => {
                self.open();
                self.item();
                self.service_change_request(request);
                self.close();
            }
        }
    }

    fn verb(&mut self, verb: Verb) {
        self.token(match verb {
            Verb::Add => token::ADD,
            Verb::Move => token::MOVE,
            Verb::Modify => token::MODIFY,
            Verb::Subtract => token::SUBTRACT,
            Verb::AuditValue => token::AUDIT_VALUE,
            Verb::AuditCapability => token::AUDIT_CAPABILITY,
            Verb::Notify => token::NOTIFY,
            Verb::ServiceChange => token::SERVICE_CHANGE,
        });
        self.equals();
    }

    fn terminations(&mut self, terminations: &[TerminationId]) {
        if let [one] = terminations {
            return self.text(one.as_str());
        }
        self.text("[");
        for (index, termination) in terminations.iter().enumerate() {
            self.text(if index > 0 { "," } else { "" });
            self.text(termination.as_str());
        }
        self.text("]");
    }

    fn amm_request(&mut self, amm: &AmmRequest) {
        if amm.is_empty() {
            return;
        }
        self.open();
        self.descriptor(amm.media.as_ref(), Self::media);
        self.descriptor(amm.modem.as_ref(), Self::modem);
        self.descriptor(amm.mux.as_ref(), Self::mux);
        self.descriptor(amm.events.as_ref(), Self::events);
        self.descriptor(amm.event_buffer.as_ref(), Self::event_buffer);
        self.descriptor(amm.signals.as_ref(), Self::signals);
        self.descriptor(amm.digit_map.as_ref(), Self::digit_map);
        self.descriptor(amm.audit.as_ref(), Self::audit);
        self.close();
    }

    fn descriptor<T>(&mut self, descriptor: Option<&T>, print: impl Fn(&mut Self, &T)) {
        if let Some(descriptor) = descriptor {
            self.item();
            print(self, descriptor);
        }
    }

    pub(super) fn command_reply(&mut self, reply: &CommandReply) {
        self.verb(reply.result.verb());
        match &reply.result {
            CommandResult::Add(audit)
            | CommandResult::Move(audit)
            | CommandResult::Modify(audit)
            | CommandResult::Subtract(audit)
            | CommandResult::AuditValue(AuditResult::Termination(audit))
            | CommandResult::AuditCapability(AuditResult::Termination(audit)) => {
                self.terminations(&reply.terminations);
                if !audit.is_empty() {
                    self.block(audit, Self::audit_return);
                }
            }
            CommandResult::AuditValue(AuditResult::Context)
            | CommandResult::AuditCapability(AuditResult::Context) => {
                self.token(token::CONTEXT);
                self.block(&reply.terminations, |p, id| p.text(id.as_str()));
            }
            CommandResult::AuditValue(AuditResult::ContextError(error))
            | CommandResult::AuditCapability(AuditResult::ContextError(error)) => {
                self.token(token::CONTEXT);
                self.braced_error(error);
            }
            CommandResult::Notify(error) => {
                self.terminations(&reply.terminations);
                if let Some(error) = error {
                    self.braced_error(error);
                }
            }
            CommandResult::ServiceChange(result) => {
                self.terminations(&reply.terminations);
                match result {
                    ServiceChangeResult::Accepted => {}
                    ServiceChangeResult::Error(error) => self.braced_error(error),
                    ServiceChangeResult::Parms(parms) => {
                        self.open();
                        self.item();
                        self.service_change_reply(parms);
                        self.close();
                    }
                }
            }
        }
    }

    fn braced_error(&mut self, error: &ErrorDescriptor) {
        self.open();
        self.item();
        self.error(error);
        self.close();
    }

    fn audit_return(&mut self, returned: &AuditReturn) {
        match returned {
            AuditReturn::Media(media) => self.media(media),
            AuditReturn::Modem(modem) => self.modem(modem),
            AuditReturn::Mux(mux) => self.mux(mux),
            AuditReturn::Events(events) => self.events(events),
            AuditReturn::Signals(signals) => self.signals(signals),
            AuditReturn::DigitMap(map) => self.digit_map(map),
            AuditReturn::ObservedEvents(observed) => self.observed_events(observed),
            AuditReturn::EventBuffer(events) => self.event_buffer(events),
            AuditReturn::Statistics(statistics) => self.statistics(statistics),
            AuditReturn::Packages(packages) => {
                self.token(token::PACKAGES);
                self.block(packages, Self::package);
            }
            AuditReturn::Error(error) => self.error(error),
            AuditReturn::Empty(kind) => self.kind(*kind),
        }
    }

    fn package(&mut self, package: &PackageVersion) {
        self.show(format_args!("{}-{}", package.name, package.version));
    }

    fn kind(&mut self, kind: DescriptorKind) {
        self.token(match kind {
            DescriptorKind::Mux => token::MUX,
            DescriptorKind::Modem => token::MODEM,
            DescriptorKind::Media => token::MEDIA,
            DescriptorKind::Events => token::EVENTS,
            DescriptorKind::Signals => token::SIGNALS,
            DescriptorKind::DigitMap => token::DIGIT_MAP,
            DescriptorKind::Statistics => token::STATISTICS,
            DescriptorKind::ObservedEvents => token::OBSERVED_EVENTS,
            DescriptorKind::Packages => token::PACKAGES,
            DescriptorKind::EventBuffer => token::EVENT_BUFFER,
        });
    }

    fn audit(&mut self, audit: &AuditDescriptor) {
        self.token(token::AUDIT);
        self.block(&audit.items, Self::audit_item);
    }

    fn audit_item(&mut self, item: &AuditItem) {
        match item {
            AuditItem::Descriptor(kind) => self.kind(*kind),
            AuditItem::Media(items) => {
                self.token(token::MEDIA);
                self.block(items, Self::media_audit);
            }
            AuditItem::Event { request, event } => {
                self.token(token::EVENTS);
                if let Some(request) = request {
                    self.equals();
                    self.show(format_args!("{request}"));
                }
                self.only(event);
            }
            AuditItem::BufferedEvent { event, stream, parameter } => {
                self.token(token::EVENT_BUFFER);
                self.open();
                self.item();
                self.show(format_args!("{event}"));
                if stream.is_some() || parameter.is_some() {
                    self.open();
                    self.stream(*stream);
                    self.descriptor(parameter.as_ref(), |p, name| p.text(name.as_str()));
                    self.close();
                }
                self.close();
            }
            AuditItem::Signal { list: None, signal } => {
                self.token(token::SIGNALS);
                self.only(signal);
            }
            AuditItem::Signal { list: Some(list), signal } => {
                self.token(token::SIGNALS);
                self.open();
                self.item();
                self.assign(token::SIGNAL_LIST, list);
                self.only(signal);
                self.close();
            }
            AuditItem::DigitMap(name) => self.assign(token::DIGIT_MAP, name),
            AuditItem::Statistic(name) => {
                self.token(token::STATISTICS);
                self.only(name);
            }
            AuditItem::Package(package) => {
                self.token(token::PACKAGES);
                self.open();
                self.item();
                self.package(package);
                self.close();
            }
        }
    }

    /// `{ package/item }`
    fn only(&mut self, name: &PkgdName) {
        self.open();
        self.item();
        self.show(format_args!("{name}"));
        self.close();
    }

    fn media_audit(&mut self, item: &MediaAudit) {
        let stream = match item {
            MediaAudit::LocalControl { stream, .. }
            | MediaAudit::Local { stream }
            | MediaAudit::Remote { stream }
            | MediaAudit::Statistic { stream, .. } => *stream,
            MediaAudit::TerminationState(_) => None,
        };
        if let Some(stream) = stream {
            self.assign(token::STREAM, stream);
            self.open();
            self.item();
        }
        match item {
            MediaAudit::LocalControl { item, .. } => {
                self.token(token::LOCAL_CONTROL);
                self.open();
                self.item();
                match item {
                    LocalControlAudit::Mode => self.token(token::MODE),
                    LocalControlAudit::ReserveValue => self.token(token::RESERVED_VALUE),
                    LocalControlAudit::ReserveGroup => self.token(token::RESERVED_GROUP),
                    LocalControlAudit::Property(name) => self.show(format_args!("{name}")),
                }
                self.close();
            }
            MediaAudit::Local { .. } => self.token(token::LOCAL),
            MediaAudit::Remote { .. } => self.token(token::REMOTE),
            MediaAudit::Statistic { name, .. } => {
                self.token(token::STATISTICS);
                self.only(name);
            }
            MediaAudit::TerminationState(item) => {
                self.token(token::TERMINATION_STATE);
                self.open();
                self.item();
                match item {
                    TerminationStateAudit::ServiceState => self.token(token::SERVICE_STATES),
                    TerminationStateAudit::EventBufferControl => self.token(token::BUFFER),
                    TerminationStateAudit::Property(name) => self.show(format_args!("{name}")),
                }
                self.close();
            }
        }
        if stream.is_some() {
            self.close();
        }
    }

    fn service_change_request(&mut self, request: &ServiceChangeRequest) {
        self.token(token::SERVICES);
        self.open();
        self.item();
        self.token(token::METHOD);
        self.equals();
        match &request.method {
            ServiceChangeMethod::Graceful => self.token(token::GRACEFUL),
            ServiceChangeMethod::Forced => self.token(token::FORCED),
            ServiceChangeMethod::Restart => self.token(token::RESTART),
            ServiceChangeMethod::Disconnected => self.token(token::DISCONNECTED),
            ServiceChangeMethod::HandOff => self.token(token::HAND_OFF),
            ServiceChangeMethod::Failover => self.token(token::FAILOVER),
            ServiceChangeMethod::Extension(name) => self.text(name.as_str()),
        }
        self.common(&request.address, &request.mgc_id, request.version, &request.profile, request.timestamp);
        self.item();
        self.token(token::REASON);
        self.equals();
        self.quoted(&request.reason);
        if let Some(delay) = request.delay {
            self.item();
            self.assign(token::DELAY, delay);
        }
        self.items(&request.extensions, Self::parm);
        self.descriptor(request.info.as_ref(), Self::audit_item);
        self.flag(token::SERVICE_CHANGE_INCOMPLETE, request.incomplete);
        self.close();
    }

    fn service_change_reply(&mut self, reply: &ServiceChangeReply) {
        self.token(token::SERVICES);
        self.open();
        self.common(&reply.address, &reply.mgc_id, reply.version, &reply.profile, reply.timestamp);
        self.close();
    }

    /// What requests and replies have in common.
    fn common(
        &mut self,
        address: &Option<ServiceChangeAddress>,
        mgc_id: &Option<Mid>,
        version: Option<u8>,
        profile: &Option<Profile>,
        timestamp: Option<TimeStamp>,
    ) {
        match address {
            None => {}
            Some(ServiceChangeAddress::Port(port)) => {
                self.item();
                self.assign(token::SERVICE_CHANGE_ADDRESS, port);
            }
            Some(ServiceChangeAddress::Mid(mid)) => {
                self.item();
                self.assign(token::SERVICE_CHANGE_ADDRESS, mid);
            }
        }
        self.descriptor(mgc_id.as_ref(), |p, mid| p.assign(token::MGC_ID, mid));
        self.descriptor(version.as_ref(), |p, version| p.assign(token::VERSION, version));
        self.descriptor(profile.as_ref(), |p, Profile { name, version }| {
            p.assign(token::PROFILE, format_args!("{name}/{version}"));
        });
        self.descriptor(timestamp.as_ref(), |p, timestamp| p.show(format_args!("{timestamp}")));
    }
}
