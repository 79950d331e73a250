//! AuditCapability (H.248.1 section 7.2.6): what could be, from the registry.

use super::stream::possible;
use super::*;
use crate::package::{self, Place, Support};

fn illegal(kind: &str) -> ErrorDescriptor {
    ErrorDescriptor::with_text(ErrorCode::DESCRIPTOR_NOT_LEGAL, format!("{kind} in AuditCapability"))
}

impl Executor {
    pub(super) fn audit_capability(
        &self,
        id: model::TerminationId,
        audit: &AuditDescriptor,
    ) -> Result<Answer, Stop> {
        let streams = self
            .view
            .termination(id)
            .map(|termination| termination.streams.keys().copied().collect::<Vec<_>>());
        let streams = streams.ok_or_else(|| ErrorDescriptor::new(ErrorCode::UNKNOWN_TERMINATION))?;
        Ok(Answer { audit: self.capabilities(audit, &streams, false)?, statistics: None })
    }

    pub(super) fn root_capability(
        &self,
        audit: &AuditDescriptor,
    ) -> Result<TerminationAudit, ErrorDescriptor> {
        self.capabilities(audit, &[1], true)
    }

    fn capabilities(
        &self,
        audit: &AuditDescriptor,
        streams: &[u16],
        root: bool,
    ) -> Result<TerminationAudit, ErrorDescriptor> {
        let mut returned = Vec::new();
        for item in &audit.items {
            let AuditItem::Descriptor(kind) = item else {
                returned.push(self.one_capability(item, streams)?);
                continue;
            };
            returned.push(match kind {
                DescriptorKind::Media => AuditReturn::Media(self.possible_media(streams, root)),
                DescriptorKind::Events => {
                    AuditReturn::Events(possible_events(|_, event| root || !event.on_root))
                }
                DescriptorKind::Signals => AuditReturn::Signals(possible_signals(|_| true)),
                DescriptorKind::Statistics => AuditReturn::Statistics(possible_statistics()),
                DescriptorKind::Packages => return Err(illegal("Packages")),
                DescriptorKind::DigitMap => return Err(illegal("DigitMap")),
                other => AuditReturn::Empty(*other),
            });
        }
        Ok(returned)
    }

    fn one_capability(&self, item: &AuditItem, streams: &[u16]) -> Result<AuditReturn, ErrorDescriptor> {
        Ok(match item {
            AuditItem::Event { event, .. } => {
                package::event(event)?;
                AuditReturn::Events(possible_events(|name, _| name == event))
            }
            AuditItem::Signal { signal, .. } => {
                package::signal(signal)?;
                AuditReturn::Signals(possible_signals(|name| name == signal))
            }
            AuditItem::Statistic(name) => {
                package::statistic(name)?;
                AuditReturn::Statistics(vec![Statistic { name: name.clone(), value: Vec::new() }])
            }
            AuditItem::Media(items) => AuditReturn::Media(self.possible_properties(items, streams)?),
            AuditItem::Package(_) => return Err(illegal("Packages")),
            AuditItem::DigitMap(_) => return Err(illegal("DigitMap")),
            AuditItem::BufferedEvent { .. } => AuditReturn::Empty(DescriptorKind::EventBuffer),
            AuditItem::Descriptor(kind) => AuditReturn::Empty(*kind),
        })
    }

    /// Every property of LocalControl with its possible values. A mode has no list in the grammar, so the widest one stands for all.
    fn possible_media(&self, streams: &[u16], root: bool) -> MediaDescriptor {
        let local = package::realized().flat_map(|package| {
            let settable = package.properties.iter().filter(|property| {
                property.place == Place::LocalControl
                    && property.writable
                    && property.support != Support::Absent
            });
            settable.filter_map(|property| {
                let value = possible(property.kind, &self.realms, property.name)?;
                Some(PropertyParm { name: PkgdName::new(package.name, property.name), value })
            })
        });
        let control = LocalControlDescriptor {
            mode: Some(StreamMode::SendReceive),
            reserve_value: Some(true),
            reserve_group: Some(true),
            properties: local.collect(),
        };
        let parms = StreamParms { local_control: Some(control), ..StreamParms::default() };
        let state = TerminationStateDescriptor {
            service_state: Some(ServiceState::InService),
            event_buffer_control: Some(EventBufferControl::Off),
            properties: if root { self.root.all() } else { Vec::new() },
        };
        let streams = streams.iter().map(|id| StreamDescriptor { id: *id, parms: parms.clone() }).collect();
        MediaDescriptor { termination_state: Some(state), streams: Streams::Many(streams) }
    }

    fn possible_properties(
        &self,
        items: &[MediaAudit],
        streams: &[u16],
    ) -> Result<MediaDescriptor, ErrorDescriptor> {
        let mut control = LocalControlDescriptor::default();
        for item in items {
            match item {
                MediaAudit::LocalControl { item: LocalControlAudit::Property(name), .. } => {
                    let known = package::property(name)?;
                    if let Some(value) = possible(known.kind, &self.realms, known.name) {
                        control.properties.push(PropertyParm { name: name.clone(), value });
                    }
                }
                MediaAudit::LocalControl { item: LocalControlAudit::Mode, .. } => {
                    control.mode = Some(StreamMode::SendReceive);
                }
                MediaAudit::LocalControl { item: LocalControlAudit::ReserveValue, .. } => {
                    control.reserve_value = Some(true);
                }
                MediaAudit::LocalControl { item: LocalControlAudit::ReserveGroup, .. } => {
                    control.reserve_group = Some(true);
                }
                MediaAudit::Local { .. }
                | MediaAudit::Remote { .. }
                | MediaAudit::Statistic { .. }
                | MediaAudit::TerminationState(_) => {
                    return Err(ErrorDescriptor::new(ErrorCode::AUDITED_DOES_NOT_EXIST));
                }
            }
        }
        let parms = StreamParms { local_control: Some(control), ..StreamParms::default() };
        let streams = streams.iter().map(|id| StreamDescriptor { id: *id, parms: parms.clone() }).collect();
        Ok(MediaDescriptor { termination_state: None, streams: Streams::Many(streams) })
    }
}

fn parameters(table: &[package::Parameter]) -> Vec<Parm> {
    let value = |parameter: &package::Parameter| {
        possible(parameter.kind, &Realms::default(), "")
            .map(|value| Parm { name: Name::new(parameter.name), value })
    };
    table.iter().filter_map(value).collect()
}

fn possible_events(wanted: impl Fn(&PkgdName, &package::Event) -> bool) -> EventsDescriptor {
    let mut events = Vec::new();
    for package in package::realized() {
        for event in package.events.iter().filter(|event| event.support != Support::Absent) {
            let name = PkgdName::new(package.name, event.name);
            if wanted(&name, event) {
                events.push(RequestedEvent::new(name, parameters(event.requested)));
            }
        }
    }
    EventsDescriptor { request: (!events.is_empty()).then_some(RequestId::All), events }
}

fn possible_signals(wanted: impl Fn(&PkgdName) -> bool) -> SignalsDescriptor {
    let mut signals = Vec::new();
    for package in package::realized() {
        for signal in package.signals.iter().filter(|signal| signal.support != Support::Absent) {
            let name = PkgdName::new(package.name, signal.name);
            if wanted(&name) {
                signals.push(SignalItem::Signal(Signal::new(name, parameters(signal.parameters))));
            }
        }
    }
    signals
}

fn possible_statistics() -> StatisticsDescriptor {
    let names = package::statistics::all_names();
    names.map(|(package, item)| Statistic { name: PkgdName::new(package, item), value: Vec::new() }).collect()
}
